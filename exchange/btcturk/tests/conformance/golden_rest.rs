//! Golden answers to reads: every payload, every trap of docs/EXCHANGE.md 4 and 5.

use super::*;
use btcbot_btcturk::rest::quota::{Group, Quota, quota};
use btcbot_btcturk::rest::{ReadError, account, public};
use btcbot_btcturk::wire::{
    AccountTrade, Balance, Candle, Candles, Envelope, ExchangeInfo, OpenOrders, Order, OrderAnswer,
    Pong, QuotaRefusal, RestBook, RestTicker, RestTrade, ServerTime,
};
use engine::answer::{BalanceRow, OrderRow, Rail, RowStatus, TradeSource};
use engine::ids::{Asset, OrderId, Symbol, TradeId};
use engine::instrument::RuleFacts;
use engine::market::{Level, Side, Ticker};
use engine::time::Timestamp;
use serde::de::IgnoredAny;

#[test]
fn golden_answers_survive_a_round_trip_to_the_character() {
    type Nothing = Envelope<()>;
    let check = |name: &str, round_trip: fn(&str)| round_trip(answer(name).text());
    check("server_time", check_body_round_trip::<ServerTime>);
    check("ping", check_body_round_trip::<Pong>);
    check("order_book", check_body_round_trip::<Envelope<RestBook>>);
    check("trades", check_body_round_trip::<Envelope<Vec<RestTrade>>>);
    check("candles", check_body_round_trip::<Candles>);
    check("ohlcs", check_body_round_trip::<Vec<Candle>>);
    check(
        "exchange_info_bare",
        check_body_round_trip::<Envelope<ExchangeInfo>>,
    );
    check("ticker", check_body_round_trip::<Envelope<Vec<RestTicker>>>);
    check("balances", check_body_round_trip::<Envelope<Vec<Balance>>>);
    check(
        "order_accepted",
        check_body_round_trip::<Envelope<OrderAnswer>>,
    );
    check(
        "order_refused_funds",
        check_body_round_trip::<Envelope<OrderAnswer>>,
    );
    check("internal_error", check_body_round_trip::<Nothing>);
    check("unauthorized", check_body_round_trip::<Nothing>);
    check("quota", check_body_round_trip::<QuotaRefusal>);
    check("cancel_accepted", check_body_round_trip::<Nothing>);
    check("cancel_no_order", check_body_round_trip::<Nothing>);
    check("open_orders", check_body_round_trip::<Envelope<OpenOrders>>);
    check("single_order", check_body_round_trip::<Envelope<Order>>);
    check(
        "own_trades",
        check_body_round_trip::<Envelope<Vec<AccountTrade>>>,
    );
}

#[test]
fn null_min_amount_keeps_min_exchange_value() {
    let rules = public::exchange_info(&answer("exchange_info").reply()).unwrap();
    let expected = RuleFacts {
        symbol: Symbol::parse("SOLTRY").unwrap(),
        base: Asset::parse("SOL").unwrap(),
        quote: Asset::parse("TRY").unwrap(),
        is_trading: true,
        has_limit_orders: true,
        qty_scale: 4,
        price_scale: 2,
        has_fraction: true,
        tick: Some(price("0.1")),
        value_min: Some(amount("87.65")),
        qty_min: None,
        qty_max: Some(qty("2500.5")),
        price_min: Some(price("510.1")),
        price_max: Some(price("51010")),
        fee_in_base: false,
    };
    assert_eq!(rules.rows[0], expected);
    let instrument = rules.rows[0].instrument().unwrap();
    assert_eq!(
        (instrument.value_min, instrument.qty_min),
        (amount("87.65"), None)
    );
}

#[test]
fn limits_finer_than_eight_decimals_never_get_weaker() {
    let rules = public::exchange_info(&answer("exchange_info").reply()).unwrap();
    let fine = &rules.rows[1];
    let unit = Some(price("0.00000001"));
    assert_eq!((fine.tick, fine.qty_min), (unit, Some(qty("0.00000001"))));
    assert_eq!(
        (fine.qty_max, fine.has_limit_orders, fine.fee_in_base),
        (Some(qty("900")), false, true)
    );
}

#[test]
fn a_pair_that_cannot_be_read_is_reported_and_hides_no_other() {
    let rules = public::exchange_info(&answer("exchange_info").reply()).unwrap();
    let skipped: Vec<_> = rules
        .skipped
        .iter()
        .map(|s| (s.name.as_str(), s.reason))
        .collect();
    assert_eq!(rules.rows.len(), 2);
    assert_eq!(skipped, [("ODDTRY", "tickSize"), ("NOSCALETRY", "row")]);
    let bare = public::exchange_info(&answer("exchange_info_bare").reply()).unwrap();
    assert!(bare.rows.is_empty() && bare.skipped.is_empty());
}

#[test]
fn public_answers_are_read_from_their_digits() {
    let time = Timestamp::from_ms(1_760_000_000_123);
    assert_eq!(
        public::server_time(&answer("server_time").reply()),
        Ok(time)
    );
    let book = public::order_book(&answer("order_book").reply()).unwrap();
    let level = |at, amount| Level {
        price: price(at),
        qty: qty(amount),
    };
    assert_eq!(book.bids, [level("5100.5", "0.75"), level("5100", "10")]);
    assert_eq!(
        book.asks,
        [level("5101", "0.30001234"), level("5101.5", "2")]
    );
    assert_eq!((book.at, book.cuts), (time, 1));
    let tickers = public::tickers(&answer("ticker").reply()).unwrap();
    let symbol = Symbol::parse("SOLTRY").unwrap();
    assert_eq!(
        tickers.rows,
        [Ticker {
            symbol,
            bid: price("5100.5"),
            ask: price("5101"),
            last: price("5101")
        }]
    );
    assert_eq!(tickers.skipped.len(), 1);
}

#[test]
fn balances_keep_sixteen_decimals_and_odd_assets_hide_no_other() {
    let balances = account::balances(&answer("balances").reply()).unwrap();
    let row = |asset, free, locked| BalanceRow {
        asset: Asset::parse(asset).unwrap(),
        free: amount(free),
        locked: amount(locked),
    };
    assert_eq!(
        balances.rows,
        [
            row("TRY", "10000.5000000000000001", "5000.25"),
            row("SOL", "2.5", "0")
        ]
    );
    let skipped: Vec<_> = balances
        .skipped
        .iter()
        .map(|s| (s.name.as_str(), s.reason))
        .collect();
    assert_eq!(skipped, [("MUCHTOOLONGNAME", "asset"), ("DUST", "free")]);
}

#[test]
fn order_side_comes_from_type() {
    let open = account::open_orders(&answer("open_orders").reply()).unwrap();
    let expected = OrderRow {
        id: OrderId(28_000_000_002),
        client_id: Some(our_client_id()),
        symbol: Symbol::parse("SOLTRY").unwrap(),
        side: Side::Buy,
        price: price("5100.5"),
        qty: qty("1.25"),
        left: qty("0.95"),
        status: RowStatus::Partial,
        at: Timestamp::from_ms(1_760_000_000_355),
    };
    assert_eq!(open.rows[0], expected);
    let foreign = &open.rows[1];
    assert_eq!(
        (foreign.side, foreign.client_id, foreign.status),
        (Side::Sell, None, RowStatus::Untouched)
    );
    assert_eq!(foreign.at, Timestamp::from_ms(1_760_000_000_600));
    let swapped = answer("open_orders")
        .text()
        .replace(r#""type":"sell""#, r#""type":"buy""#);
    let swapped = account::open_orders(&reply(200, &swapped)).unwrap();
    assert_eq!(
        swapped.rows[1].side,
        Side::Buy,
        "the list it is in does not decide"
    );
    let sideless = answer("open_orders")
        .text()
        .replace(r#""type":"sell""#, r#""type":"limit""#);
    assert_eq!(
        account::open_orders(&reply(200, &sideless)),
        Err(ReadError::Unreadable("type"))
    );
}

#[test]
fn exchange_statuses_map_as_documented() {
    let check = |word: &str, expected: RowStatus| {
        let text = answer("single_order").text().replace("Closed", word);
        let row = account::order(&reply(200, &text)).unwrap().unwrap();
        assert_eq!(row.status, expected, "{word}");
    };
    check("Untouched", RowStatus::Untouched);
    check("Partial", RowStatus::Partial);
    check("Canceled", RowStatus::Canceled);
    check("Closed", RowStatus::Closed);
    check("CLOSED", RowStatus::Closed);
    check("Filled", RowStatus::Unmapped);
    check("", RowStatus::Unmapped);
}

#[test]
fn a_stop_and_its_successor_share_the_client_id_and_odd_words_stay_unmapped() {
    let all = account::all_orders(&answer("all_orders").reply()).unwrap();
    let ids: Vec<_> = all
        .rows
        .iter()
        .map(|row| (row.id.0, row.status, row.left))
        .collect();
    assert_eq!(
        ids,
        [
            (28_000_000_013, RowStatus::Closed, qty("0")),
            (28_000_000_012, RowStatus::Canceled, qty("0.19981234")),
            (28_000_000_010, RowStatus::Unmapped, qty("0")),
        ]
    );
    assert_eq!(all.cuts, 3);
    let wire: Envelope<Vec<Order>> = serde_json::from_str(answer("all_orders").text()).unwrap();
    let wire = wire.data.value().unwrap();
    assert_eq!(wire[0].quantity.as_deref(), Some("0.0000000000004321"));
    assert_eq!(wire[0].order_client_id, wire[1].order_client_id);
}

#[test]
fn one_odd_row_fails_a_list_of_orders() {
    let text = answer("all_orders")
        .text()
        .replace(r#""leftAmount":"0""#, r#""leftAmount":null"#);
    assert_eq!(
        account::all_orders(&reply(200, &text)),
        Err(ReadError::Unreadable("body"))
    );
    let priceless = answer("single_order")
        .text()
        .replace(r#""price":"5100.5""#, r#""price":null"#);
    assert_eq!(
        account::order(&reply(200, &priceless)),
        Err(ReadError::Unreadable("price"))
    );
}

#[test]
fn transactions_are_normalised_and_sized_by_their_digits() {
    let trades = account::own_trades(&answer("own_trades").reply()).unwrap();
    let seen: Vec<_> = trades
        .rows
        .iter()
        .map(|t| (t.id, t.side, t.qty, t.fee, t.tax, t.source))
        .collect();
    let row = |id, side, amount_text, fee, tax| {
        (
            TradeId(id),
            side,
            qty(amount_text),
            amount(fee),
            amount(tax),
            TradeSource::Rest,
        )
    };
    assert_eq!(
        seen,
        [
            row(
                1_190_000_000_000_000_001,
                Side::Sell,
                "2.5",
                "6.37625",
                "1.27525"
            ),
            row(
                1_190_000_000_000_000_002,
                Side::Buy,
                "0.27581234",
                "0.70364215",
                "0.14072843"
            ),
            row(1_190_000_000_000_000_003, Side::Buy, "0.5", "0", "0"),
        ]
    );
    assert_eq!(trades.cuts, 1);
    assert_eq!(trades.rows[1].client_id, None);
}

#[test]
fn deposits_and_withdrawals_are_signed_by_their_word_and_an_odd_row_hides_no_other() {
    let body = r#"{"data":[
        {"balanceType":"Deposit","currencySymbol":"ETH","id":700001,"timestamp":1700000000111,
         "funds":3.75,"amount":1.25,"fee":0,"tax":0},
        {"balanceType":"withdrawal","currencySymbol":"eth","id":"700002","timestamp":1700000000222,
         "funds":3.25,"amount":"-0.5","fee":-0.003,"tax":0.0001},
        {"balanceType":"Withdrawal","currencySymbol":"ETH","id":700003,"timestamp":1700000000333,"amount":0.5},
        {"balanceType":"Bonus","currencySymbol":"ETH","id":700004,"timestamp":1700000000444,"amount":9},
        {"balanceType":"Deposit","currencySymbol":"ETH","id":700005,"timestamp":1700000000555,"amount":"much"}
    ],"success":true,"message":"SUCCESS","code":0}"#;
    let got = account::transfers(&reply(200, body), Rail::Crypto).unwrap();
    let seen: Vec<_> = got
        .rows
        .iter()
        .map(|row| (row.id.number, row.amount, row.charges, row.at.ms()))
        .collect();
    assert_eq!(
        seen,
        [
            (700_001, amount("1.25"), amount("0"), 1_700_000_000_111),
            (700_002, amount("-0.5"), amount("0.0031"), 1_700_000_000_222),
            (700_003, amount("-0.5"), amount("0"), 1_700_000_000_333),
        ]
    );
    assert_eq!(got.skipped.len(), 2);
    assert!(got.rows.iter().all(|row| row.id.rail == Rail::Crypto));
    assert!(account::transfers(&reply(500, "<html>"), Rail::Fiat).is_err());
}

#[test]
fn a_failed_read_says_what_kind_of_failure_it_is() {
    let check = |status: u16, body: &str, expected: ReadError| {
        assert_eq!(
            account::open_orders(&reply(status, body)),
            Err(expected),
            "{status} {body}"
        );
    };
    let body = |name: &str| answer(name).text().to_owned();
    check(401, &body("unauthorized"), ReadError::Unauthorized);
    check(
        429,
        &body("quota"),
        ReadError::RateLimited {
            retry_after_ms: 60_000,
        },
    );
    check(
        429,
        "<html>",
        ReadError::RateLimited {
            retry_after_ms: 60_000,
        },
    );
    check(503, &body("maintenance"), ReadError::Maintenance);
    check(200, &body("maintenance"), ReadError::Maintenance);
    check(503, "<html>busy</html>", ReadError::Server(503));
    check(500, &body("internal_error"), ReadError::Server(500));
    check(
        400,
        &body("cancel_no_order"),
        ReadError::Refused("NO_ORDER_MATCHES_YOUR_REQUEST".to_owned()),
    );
    check(400, "", ReadError::Unexpected(400));
    check(307, "", ReadError::Unexpected(307));
    check(403, "{}", ReadError::Unexpected(403));
    check(200, "", ReadError::Unreadable("body"));
    check(200, "<html>", ReadError::Unreadable("body"));
    check(
        200,
        r#"{"data":null,"success":true}"#,
        ReadError::Unreadable("data"),
    );
    check(200, r#"{"success":true}"#, ReadError::Unreadable("data"));
    check(
        200,
        r#"{"data":null,"success":false,"message":"A\nB<x>"}"#,
        ReadError::Refused("ABx".to_owned()),
    );
    let quota = answer("quota");
    let waits = Reply {
        retry_after_ms: Some(55_000),
        ..quota.reply()
    };
    let waits_for = account::balances(&waits).map(|_| ());
    assert_eq!(
        waits_for,
        Err(ReadError::RateLimited {
            retry_after_ms: 55_000
        })
    );
}

#[test]
fn an_order_that_is_not_found_is_no_error_under_any_status() {
    for status in [400, 404, 200] {
        assert_eq!(
            account::order(&reply(status, answer("order_not_found").text())),
            Ok(None),
            "{status}"
        );
    }
    let refused = account::order(&reply(500, answer("order_not_found").text()));
    assert_eq!(refused, Err(ReadError::Server(500)));
}

#[test]
fn order_requests_are_read_leniently() {
    let text = r#"{"quantity":0.0010,"price":"604560.50","newClientOrderId":"theirs","orderMethod":"LIMIT","orderType":"Buy","pairSymbol":"SOL_TRY","extra":{"a":1}}"#;
    let order: wire::OrderRequest = serde_json::from_str(text).unwrap();
    assert_eq!(
        (&*order.quantity, order.price.as_deref()),
        ("0.0010", Some("604560.50"))
    );
    assert_eq!(
        (order.new_order_client_id, order.new_client_order_id),
        (None, Some("theirs".to_owned()))
    );
    let _: Envelope<IgnoredAny> = serde_json::from_str(answer("internal_error").text()).unwrap();
}

#[test]
fn quotas_are_the_documented_ones() {
    let minute = |count| Quota {
        count,
        window_ms: 60_000,
    };
    let second = |count| Quota {
        count,
        window_ms: 1_000,
    };
    assert_eq!(quota(Group::OrderInsert), [minute(300), second(10)]);
    assert_eq!(quota(Group::OrderCancel), [minute(300), second(10)]);
    assert_eq!(quota(Group::OrderGet), [minute(900), second(30)]);
    assert_eq!(quota(Group::OrderLists), [minute(300)]);
    assert_eq!(quota(Group::Balances), [minute(120)]);
    assert_eq!(quota(Group::OwnTrades), [minute(120)]);
    assert_eq!(quota(Group::OrderBook), [minute(180)]);
    assert_eq!(
        quota(Group::Graph),
        [Quota {
            count: 600,
            window_ms: 600_000
        }]
    );
}
