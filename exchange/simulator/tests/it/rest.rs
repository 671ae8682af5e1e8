//! REST answers in virtual time: shapes, refusals, quotas, credentials.

use crate::support::*;
use btcbot_simulator::venue::{Credentials, EXAMPLE_KEY, Fate, HttpMethod, RestRequest};
use serde_json::json;

#[test]
fn an_order_is_accepted_listed_cancelled_and_listed_as_cancelled() {
    let mut venue = venue(&[]);
    let body = far_body(&venue, "cid-1");
    let (status, answer) = ask(&mut venue, 0, post_order(&body));
    assert_eq!(status, 200);
    assert_eq!(answer["httpStatusCode"], 200);
    assert_eq!(answer["success"], true);
    assert_eq!(answer["message"], "SUCCESS");
    assert_eq!(answer["data"]["newOrderClientId"], "cid-1");
    assert_eq!(answer["data"]["stopPrice"], json!(null));
    assert_eq!(answer["data"]["pairSymbolNormalized"], "BTC_TRY");
    let id = answer["data"]["id"].as_i64().unwrap();

    let (_, listed) = ask(&mut venue, 500, get("/api/v1/openOrders?pairSymbol=BTCTRY"));
    let row = &listed["data"]["bids"][0];
    assert_eq!(row["id"], id);
    assert_eq!(row["orderClientId"], "cid-1");
    assert_eq!(
        (&row["status"], &row["leftAmount"]),
        (&json!("Untouched"), &json!("0.01"))
    );
    assert_eq!(listed["data"]["asks"], json!([]));

    let (status, cancelled) = ask(&mut venue, 600, delete_order(&format!("?id={id}")));
    assert_eq!(
        (status, cancelled),
        (
            200,
            json!({"success": true, "message": "SUCCESS", "code": 0})
        )
    );
    let (_, all) = ask(
        &mut venue,
        2_000,
        get("/api/v1/allOrders?pairSymbol=BTC_TRY&last=5"),
    );
    assert_eq!(all["data"][0]["status"], "Canceled");
    assert_eq!(all["data"][0]["leftAmount"], "0.0100000000000000");
    let (_, open) = ask(&mut venue, 2_001, get("/api/v1/openOrders"));
    assert_eq!(open["data"], json!({"asks": [], "bids": []}));
    let (_, one) = ask(&mut venue, 2_002, get(&format!("/api/v1/order/{id}")));
    assert_eq!(one["data"]["status"], "Canceled");
    // Cancelling again is still a success.
    assert_eq!(
        ask(&mut venue, 2_003, delete_order(&format!("?id={id}"))).0,
        200
    );
}

#[test]
fn deposits_and_withdrawals_stand_in_the_lists_of_their_rails() {
    let mut venue = venue(&["rest.trades_lag_ms=0"]);
    let me = |name: &str, moved: &str, venue: &mut btcbot_simulator::venue::Venue| {
        let asset = engine::ids::Asset::parse(name).unwrap();
        let amount = engine::money::Amount::parse(moved).unwrap();
        assert!(venue.exchange_mut().transfer(START, ME, asset, amount));
    };
    me("TRY", "100.5", &mut venue);
    me("BTC", "-0.25", &mut venue);
    let (status, fiat) = ask(&mut venue, 10, get("/api/v1/users/transactions/fiat"));
    assert_eq!(status, 200);
    assert_eq!(fiat["data"].as_array().map(Vec::len), Some(1));
    let row = &fiat["data"][0];
    assert_eq!(
        (&row["balanceType"], &row["currencySymbol"], &row["amount"]),
        (&json!("Deposit"), &json!("TRY"), &json!(100.5))
    );
    let (_, coins) = ask(&mut venue, 20, get("/api/v1/users/transactions/crypto"));
    assert_eq!(coins["data"][0]["balanceType"], "Withdrawal");
    assert_eq!(coins["data"][0]["amount"], json!(-0.25));
    let later = START.ms() + 1;
    let path = format!("/api/v1/users/transactions/crypto?startDate={later}");
    assert_eq!(ask(&mut venue, 30, get(&path)).1["data"], json!([]));
}

#[test]
fn a_cancel_with_the_id_in_the_body_matches_no_order() {
    let mut venue = venue(&[]);
    let body = far_body(&venue, "cid-2");
    let id = ask(&mut venue, 0, post_order(&body)).1["data"]["id"]
        .as_i64()
        .unwrap();
    let request = RestRequest {
        body: format!(r#"{{"id":{id}}}"#).into_bytes(),
        ..delete_order("")
    };
    let (status, answer) = ask(&mut venue, 100, request);
    let expected =
        json!({"success": false, "message": "NO_ORDER_MATCHES_YOUR_REQUEST", "code": 1052});
    assert_eq!((status, answer), (400, expected));
}

#[test]
fn refusals_carry_their_name_code_and_envelope() {
    let check = |change: (&str, &str), message: &str, code: i64| {
        let mut venue = venue(&[]);
        let body = far_body(&venue, "cid").replace(change.0, change.1);
        let (status, answer) = ask(&mut venue, 0, post_order(&body));
        let expected = json!({"httpStatusCode": 400, "data": null, "success": false, "message": message, "code": code});
        assert_eq!((status, answer), (400, expected));
    };
    check(("0.01", "0.00001"), "FAILED_MIN_TOTAL_AMOUNT", 1123);
    check(("0.01", "800"), "FAILED_ORDER_WITH_OPEN_ORDERS", 1122);
    check(
        ("0.01", "0.0123456789"),
        "FAILED_INVALID_QUANTITY_SCALE",
        1127,
    );
    check(
        ("\"limit\"", "\"stopLimit\""),
        "ORDER_METHOD_NOT_SUPPORTED",
        1134,
    );
    check(("\"buy\"", "\"hold\""), "ORDER_TYPE_NOT_SUPPORTED", 1193);
    check(("BTCTRY", "DOGETRY"), "FAILED_ORDER_PARAMETER", 1121);
    check(("{", "{{"), "FAILED_ORDER_PARAMETER", 1121);
    check(
        ("\"quantity\":\"0.01\",", ""),
        "FAILED_ORDER_PARAMETER",
        1121,
    );
}

#[test]
fn bodies_are_read_as_aspnet_reads_them() {
    let check = |change: (&str, &str), expected_client_id: Option<&str>| {
        let mut venue = venue(&[]);
        let body = far_body(&venue, "cid").replace(change.0, change.1);
        let (status, answer) = ask(&mut venue, 0, post_order(&body));
        assert_eq!(status, 200, "{answer}");
        if let Some(id) = expected_client_id {
            assert_eq!(answer["data"]["newOrderClientId"], id);
        }
    };
    check(("\"0.01\"", "0.01"), Some("cid"));
    check(("quantity", "Quantity"), Some("cid"));
    check(("\"limit\"", "\"LIMIT\""), Some("cid"));
    check(("\"limit\"", "0"), Some("cid"));
    check(("newOrderClientId", "newClientOrderId"), Some("cid"));
    check(
        (
            "\"newOrderClientId\":\"cid\"",
            "\"newClientOrderId\":\"x\",\"newOrderClientId\":\"y\"",
        ),
        Some("y"),
    );
    check(
        ("\"newOrderClientId\":\"cid\",", "\"extra\":{\"a\":[1]},"),
        None,
    );
}

#[test]
fn unknown_paths_methods_and_content_types_have_their_status() {
    let check = |request: RestRequest, expected: u16| {
        let mut venue = venue(&[]);
        assert_eq!(ask(&mut venue, 0, request).0, expected);
    };
    let method = |method, path: &str| RestRequest {
        method,
        ..get(path)
    };
    check(get("/api/v2/nothing"), 404);
    check(get("/v1/klines/history"), 404);
    check(method(HttpMethod::Post, "/api/v2/ticker"), 405);
    check(method(HttpMethod::Other, "/api/v1/order"), 405);
    check(method(HttpMethod::Get, "/api/v1/order"), 405);
    check(get("/API/v2/Server/ExchangeInfo"), 200);
    check(
        get("/api/v2/orderBook?pairSymbol=btc_try&limit=5&whatever=1"),
        200,
    );
    let form = RestRequest {
        content_type: Some("application/x-www-form-urlencoded".to_owned()),
        ..post_order("quantity=1")
    };
    check(form, 415);
}

#[test]
fn public_answers_have_their_captured_shapes() {
    let mut venue = venue(&[]);
    let mut public = |path: &str| {
        let reply = venue.rest(START.plus_ms(5_000), &get(path));
        assert_eq!(reply.status, 200, "{path}");
        json(&reply)
    };
    assert_eq!(public("/api/v2/server/ping"), json!({"pong": true}));
    assert_eq!(
        public("/api/v2/server/time")["serverTime"],
        1_700_000_005_000i64
    );
    let info = public("/api/v2/server/exchangeinfo");
    assert_eq!(info["message"], json!(null));
    let btctry = &info["data"]["symbols"][0];
    assert_eq!(btctry["filters"][0]["minExchangeValue"], "99.91");
    assert_eq!(
        (&btctry["numeratorScale"], &btctry["hasFraction"]),
        (&json!(8), &json!(false))
    );
    assert!(btctry["maximumLimitOrderPrice"].is_number());
    assert_eq!(btctry["orderMethods"], json!(["MARKET", "LIMIT"]));
    let tickers = public("/api/v2/ticker");
    assert_eq!(tickers["data"].as_array().unwrap().len(), 6);
    assert!(tickers["data"][0]["bid"].is_number());
    let one = public("/api/v2/ticker?pairSymbol=ETHUSDT");
    assert_eq!(one["data"][0]["pair"], "ETHUSDT");
    let book = public("/api/v2/orderbook?pairSymbol=BTCTRY");
    assert_eq!(book["data"]["bids"].as_array().unwrap().len(), 100);
    assert!(
        book["data"]["bids"][0][1]
            .as_str()
            .unwrap()
            .split('.')
            .nth(1)
            .unwrap()
            .len()
            == 8
    );
    assert!(book["data"]["timestamp"].is_f64());
    let trades = public("/api/v2/trades?pairSymbol=BTCTRY&last=7");
    assert_eq!(trades["data"].as_array().unwrap().len(), 7);
    assert!(trades["data"][0]["tid"].is_string());
}

#[test]
fn the_rest_book_is_remembered_for_a_second_and_obeys_its_limit() {
    let mut venue = venue(&[]);
    let mut book = |at_ms: i64, query: &str| {
        let path = format!("/api/v2/orderbook?pairSymbol=BTCTRY{query}");
        json(&venue.rest(START.plus_ms(at_ms), &get(&path)))["data"].clone()
    };
    let first = book(0, "");
    assert_eq!(book(999, ""), first);
    assert_ne!(book(1_000, ""), first);
    assert_eq!(book(1_001, "&limit=3")["asks"].as_array().unwrap().len(), 3);
    assert_eq!(
        book(1_002, "&limit=1000")["asks"].as_array().unwrap().len(),
        100
    );
}

#[test]
fn balances_add_up_and_show_a_reservation() {
    let mut venue = venue(&[]);
    let body = far_body(&venue, "cid");
    ask(&mut venue, 0, post_order(&body));
    let (_, answer) = ask(&mut venue, 400, get("/api/v1/users/balances"));
    for row in answer["data"].as_array().unwrap() {
        let amount =
            |name: &str| engine::money::Amount::parse(row[name].as_str().unwrap()).unwrap();
        assert_eq!(amount("balance"), amount("free") + amount("locked"));
        assert_eq!(amount("locked").is_positive(), row["asset"] == "TRY");
    }
}

#[test]
fn transactions_are_signed_rows_that_can_be_filtered() {
    let mut venue = venue(&[]);
    let order = crossing_buy(venue.exchange(), "0.01", "buy");
    let id = venue.exchange_mut().submit(START, ME, &order).unwrap().id;
    let sell = btcbot_simulator::judge::OrderRequest::market(
        "ETHTRY",
        engine::market::Side::Sell,
        "0.1",
        "sell",
    );
    venue.exchange_mut().submit(START, ME, &sell).unwrap();
    let mut rows = |query: &str| {
        let (status, answer) = ask(
            &mut venue,
            2_000,
            get(&format!("/api/v1/users/transactions/trade{query}")),
        );
        assert_eq!(status, 200);
        answer["data"].as_array().unwrap().clone()
    };
    let all = rows("");
    assert!(
        all.iter()
            .all(|row| row["fee"].as_str().unwrap().starts_with('-'))
    );
    let sells = rows("?type=sell");
    assert!(
        sells
            .iter()
            .all(|row| row["amount"].as_str().unwrap().starts_with('-'))
    );
    assert!(sells[0]["preciseAmount"].is_number());
    let buys = rows(&format!("?orderId={}", id.0));
    assert_eq!(buys.len() + sells.len(), all.len());
    assert!(
        buys.iter()
            .all(|row| row["orderClientId"] == "buy" && row["orderType"] == "buy")
    );
    assert_eq!(rows("?symbol=eth").len(), sells.len());
    assert_eq!(rows("?pairSymbol=ETHTRY").len(), sells.len());
    assert_eq!(
        rows("?startDate=1800000000000"),
        Vec::<serde_json::Value>::new()
    );
}

#[test]
fn unauthorised_answers_say_success_and_1037() {
    let mut venue = venue(&[]);
    let reply = venue.rest(START, &get("/api/v1/users/balances"));
    let expected =
        json!({"success": true, "message": "Unauthorized - Headers are missing", "code": 1037});
    assert_eq!((reply.status, json(&reply)), (401, expected));
    let late = signed(get("/api/v1/users/balances"), START.plus_ms(-5_001));
    let reply = venue.rest(START, &late);
    assert_eq!(json(&reply)["message"], "Unauthorized - Invalid Nonce");
    let mut wrong = signed(get("/api/v1/users/balances"), START);
    wrong.credentials.stamp = Some((START.ms() + 1).to_string());
    assert_eq!(
        json(&venue.rest(START, &wrong))["message"],
        "Unauthorized - Invalid Signature"
    );
    let stranger = Credentials {
        key: Some("nobody".to_owned()),
        ..wrong.credentials.clone()
    };
    wrong.credentials = stranger;
    assert_eq!(
        json(&venue.rest(START, &wrong))["message"],
        "Unauthorized - Invalid Public key"
    );
}

#[test]
fn quotas_answer_with_retry_after_and_the_documented_body() {
    let mut venue = venue(&[]);
    for n in 0..120 {
        assert_eq!(ask(&mut venue, n, get("/api/v1/users/balances")).0, 200);
    }
    let now = START.plus_ms(10_000);
    let reply = venue.rest(now, &signed(get("/api/v1/users/balances"), now));
    assert_eq!(
        (reply.status, reply.retry_after_s, reply.closes),
        (429, Some(60), true)
    );
    let expected = json!({"message": "TOO_MANY_REQUESTS", "success": false, "code": 429,
        "details": "Quota exceeded. Maximum allowed: 120 per 1m.", "limit": "120", "period": "1m", "policy": "ip"});
    assert_eq!(json(&reply), expected);
    assert_eq!(
        ask(&mut venue, 69_999, get("/api/v1/users/balances")).0,
        429
    );
    assert_eq!(
        ask(&mut venue, 70_000, get("/api/v1/users/balances")).0,
        200
    );
}

#[test]
fn ten_orders_a_second_pass_from_one_address_and_account() {
    let mut venue = venue(&[]);
    let body = far_body(&venue, "cid");
    for _ in 0..10 {
        assert_eq!(ask(&mut venue, 0, post_order(&body)).0, 200);
    }
    assert_eq!(ask(&mut venue, 1, post_order(&body)).0, 429);
    assert_eq!(
        ask(&mut venue, 1, delete_order("?id=5")).0,
        400,
        "cancels have their own quota"
    );
    let now = START.plus_ms(1_500);
    let elsewhere = RestRequest {
        ip: "10.0.0.9".parse().unwrap(),
        ..signed(post_order(&body), now)
    };
    assert_eq!(
        venue.rest(now, &elsewhere).status,
        200,
        "the block was not the account's"
    );
    assert_eq!(venue.exchange().submits("cid"), 11);
}

#[test]
fn replies_take_their_latency_and_an_event_may_be_faster() {
    let check = |setting: &str, is_faster: bool| {
        let mut venue = venue(&[setting]);
        let id = venue.connect(START, IP).unwrap();
        venue.receive(START, id, signer(EXAMPLE_KEY).ws_login(START.ms()).expose());
        let body = far_body(&venue, "cid");
        let reply = venue.rest(START, &signed(post_order(&body), START));
        assert_eq!(reply.fate, Fate::Sent);
        venue.advance(START.plus_ms(reply.delay_ms - 1));
        let is_told = crate::books::frames(&mut venue, id)
            .iter()
            .any(|(kind, _)| *kind == 451);
        assert_eq!(is_told, is_faster);
    };
    check("event_before_reply=1", true);
    check("event_before_reply=0", false);
}
