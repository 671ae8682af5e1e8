//! WebSocket sessions in virtual time: greeting, channels, login, keep-alive, limits.

use crate::books::{frames, join};
use crate::support::*;
use btcbot_simulator::venue::{ConnectionId, Cut, EXAMPLE_KEY, HandshakeRefused, Outgoing, Venue};
use serde_json::{Value, json};

fn kinds(venue: &mut Venue, id: ConnectionId) -> Vec<u64> {
    frames(venue, id).iter().map(|(kind, _)| *kind).collect()
}

#[test]
fn a_connection_is_greeted_and_each_channel_starts_with_its_state() {
    let mut venue = venue(&[]);
    let id = venue.connect(START, IP).unwrap();
    let greeting = frames(&mut venue, id);
    assert_eq!(
        greeting,
        [(
            991,
            json!({"type": 991, "current": "6.0.0", "min": "2.3.0"})
        )]
    );
    for (channel, event, first) in [
        ("obdiff", "BTCTRY", 431),
        ("trade", "BTCTRY", 421),
        ("orderbook", "BTCTRY", 431),
        ("ticker", "BTCTRY", 402),
        ("ticker", "all", 401),
    ] {
        venue.receive(START, id, &join(channel, event, true));
        let found = frames(&mut venue, id);
        let ack = json!({"ok": true, "message": format!("join|{channel}:{event}"), "type": 100});
        assert_eq!(found[0], (100, ack));
        assert_eq!(found[1].0, first);
        assert_eq!(found.len(), 2);
    }
    venue.advance(START.plus_ms(3_000));
    let found = kinds(&mut venue, id);
    let count = |kind: u64| found.iter().filter(|k| **k == kind).count();
    assert_eq!(
        (count(402), count(401), count(431)),
        (4, 4, 4),
        "3 s at 750 ms"
    );
    assert!(count(432) > 3 && count(422) > 3);
}

#[test]
fn unknown_joins_are_refused_and_unreadable_frames_ignored() {
    let mut venue = venue(&[]);
    let id = venue.connect(START, IP).unwrap();
    frames(&mut venue, id);
    for (channel, event) in [("obdiff", "DOGETRY"), ("gossip", "BTCTRY")] {
        venue.receive(START, id, &join(channel, event, true));
        assert_eq!(frames(&mut venue, id)[0].1["ok"], false);
    }
    for text in [
        "",
        "[",
        "{}",
        "[151]",
        "[999,{}]",
        "[151,{\"channel\":5}]",
        &"x".repeat(20_000),
    ] {
        venue.receive(START, id, text);
    }
    assert!(kinds(&mut venue, id).is_empty());
    venue.receive(
        START,
        id,
        "[151,{type:151,channel:'trade',event:'BTCTRY',join:true}]",
    );
    assert_eq!(kinds(&mut venue, id), [100, 421]);
    venue.receive(
        START,
        id,
        r#"[101,{"type":101,"code":421,"channel":"trade","event":"BTCTRY"}]"#,
    );
    assert_eq!(kinds(&mut venue, id), [421]);
}

fn login(venue: &mut Venue, id: ConnectionId, key: &str) -> Value {
    let frame = signer(key).ws_login(START.ms());
    venue.receive(START, id, frame.expose());
    let found = frames(venue, id);
    found
        .into_iter()
        .find(|(kind, _)| *kind == 114)
        .expect("a login is answered")
        .1
}

#[test]
fn private_messages_need_a_login_and_stay_with_their_account() {
    let mut venue = venue(&[]);
    let connect = |venue: &mut Venue| venue.connect(START, IP).unwrap();
    let (mine, other, anonymous) = (
        connect(&mut venue),
        connect(&mut venue),
        connect(&mut venue),
    );
    assert_eq!(
        login(&mut venue, mine, EXAMPLE_KEY),
        json!({"type": 114, "id": 100_001, "ok": true, "message": null})
    );
    assert_eq!(login(&mut venue, other, OTHER_KEY)["id"], 100_002);
    frames(&mut venue, anonymous);
    let order = crossing_buy(venue.exchange(), "0.01", "mine");
    venue.exchange_mut().submit(START, ME, &order).unwrap();
    venue.advance(START.plus_ms(500));
    let mut told = frames(&mut venue, mine);
    told.sort_by_key(|(kind, _)| *kind);
    let mut kinds_found: Vec<u64> = told.iter().map(|(kind, _)| *kind).collect();
    kinds_found.dedup();
    assert_eq!(kinds_found, [201, 423, 441, 451]);
    let by_kind = |kind: u64| &told.iter().find(|(k, _)| *k == kind).unwrap().1;
    assert_eq!(by_kind(451)["newOrderClientId"], "mine");
    assert_eq!(by_kind(441)["clientId"], "mine");
    assert_eq!(by_kind(423)["orderClientId"], "mine");
    assert!(by_kind(423).get("type").is_none());
    assert_eq!(by_kind(201)["payload"], "1,2,1");
    assert!(kinds(&mut venue, other).is_empty());
    assert!(kinds(&mut venue, anonymous).is_empty());
}

#[test]
fn order_frames_have_the_decimals_of_the_captures() {
    let mut venue = venue(&[]);
    let id = venue.connect(START, IP).unwrap();
    login(&mut venue, id, EXAMPLE_KEY);
    let order = far_buy(venue.exchange(), "far");
    let order_id = venue.exchange_mut().submit(START, ME, &order).unwrap().id;
    venue.advance(START.plus_ms(200));
    let inserted = frames(&mut venue, id).remove(0).1;
    assert_eq!(inserted["amount"], "0.01");
    assert_eq!(inserted["numLeft"], "0.01");
    assert_eq!(inserted["price"].as_str(), order.price.as_deref());
    venue
        .exchange_mut()
        .cancel(START.plus_ms(200), ME, order_id)
        .unwrap();
    venue.advance(START.plus_ms(400));
    let found = frames(&mut venue, id);
    let deleted = &found.iter().find(|(kind, _)| *kind == 452).unwrap().1;
    assert_eq!(deleted["numLeft"], "0.0100000000000000");
    assert_eq!(
        deleted["denomLeft"]
            .as_str()
            .unwrap()
            .split('.')
            .nth(1)
            .unwrap()
            .len(),
        16
    );
}

#[test]
fn a_wrong_login_is_answered_and_tells_nothing() {
    let mut venue = venue(&[]);
    let id = venue.connect(START, IP).unwrap();
    let frame = signer(EXAMPLE_KEY).ws_login(START.ms() - 10_000);
    venue.receive(START, id, frame.expose());
    let found = frames(&mut venue, id);
    assert_eq!(found[1].1["ok"], false);
    assert_eq!(found[1].1["message"], "Unauthorized - Invalid Request");
    let order = far_buy(venue.exchange(), "x");
    venue.exchange_mut().submit(START, ME, &order).unwrap();
    venue.advance(START.plus_ms(500));
    assert!(kinds(&mut venue, id).is_empty());
}

#[test]
fn a_client_that_pongs_lives_for_an_hour_and_one_that_does_not_is_cut() {
    for (pongs, seconds) in [(true, 3_600), (false, 60)] {
        let mut venue = venue(&[]);
        let id = venue.connect(START, IP).unwrap();
        let mut pings = 0;
        for second in 1..=seconds {
            let now = START.plus_ms(second * 1_000);
            venue.advance(now);
            while let Some(next) = venue.take(id) {
                if next == Outgoing::Ping {
                    pings += 1;
                    if pongs {
                        venue.pong(now, id);
                    }
                }
            }
        }
        assert_eq!(
            venue.cut_reason(id),
            if pongs { None } else { Some(Cut::NoPong) }
        );
        assert_eq!(pings, if pongs { 360 } else { 3 });
    }
}

#[test]
fn fifteen_handshakes_a_minute_pass_and_the_next_waits_a_minute() {
    let mut venue = venue(&[]);
    for _ in 0..15 {
        let id = venue.connect(START, IP).unwrap();
        venue.disconnect(id);
    }
    let refused = HandshakeRefused::TooMany { retry_after_s: 60 };
    assert_eq!(venue.connect(START, IP), Err(refused));
    assert!(venue.connect(START, "10.0.0.1".parse().unwrap()).is_ok());
    assert!(venue.connect(START.plus_ms(59_999), IP).is_err());
    assert!(venue.connect(START.plus_ms(60_000), IP).is_ok());
}

#[test]
fn a_reader_that_does_not_read_is_cut_and_others_notice_nothing() {
    let mut venue = venue(&["send_buffer_bytes=65536"]);
    let connect = |venue: &mut Venue| venue.connect(START, IP).unwrap();
    let (slow, quick) = (connect(&mut venue), connect(&mut venue));
    for id in [slow, quick] {
        venue.receive(START, id, &join("orderbook", "BTCTRY", true));
    }
    let mut read = 0;
    for step in 1..=60 {
        venue.advance(START.plus_ms(step * 500));
        read += frames(&mut venue, quick).len();
    }
    assert_eq!(venue.cut_reason(slow), Some(Cut::SlowReader));
    assert_eq!(venue.cut_reason(quick), None);
    assert!(read > 35, "{read}");
    assert_eq!(venue.take(slow), Some(Outgoing::Cut(Cut::SlowReader)));
    assert_eq!(venue.take(slow), None, "nothing is kept for it");
}

#[test]
fn two_hundred_messages_a_second_are_the_limit() {
    let mut venue = venue(&[]);
    let id = venue.connect(START, IP).unwrap();
    for second in 0..3 {
        for _ in 0..200 {
            venue.receive(START.plus_ms(second * 1_000), id, "[999,{}]");
        }
    }
    assert_eq!(venue.cut_reason(id), None);
    venue.receive(START.plus_ms(2_500), id, "[999,{}]");
    assert_eq!(venue.cut_reason(id), Some(Cut::TooManyMessages));
}

#[test]
fn every_frame_is_one_that_the_codec_knows_and_would_write_the_same() {
    let mut venue = venue(&["long_amounts=0.5"]);
    let id = venue.connect(START, IP).unwrap();
    venue.receive(START, id, signer(EXAMPLE_KEY).ws_login(START.ms()).expose());
    for channel in ["obdiff", "orderbook", "trade", "ticker"] {
        venue.receive(START, id, &join(channel, "SOLTRY", true));
    }
    venue.receive(START, id, &join("ticker", "all", true));
    let order = crossing_buy(venue.exchange(), "0.3", "mine");
    let exchange = venue.exchange_mut();
    exchange.submit(START, ME, &order).unwrap();
    let far = far_buy(exchange, "far");
    let far = exchange.submit(START, ME, &far).unwrap().id;
    exchange.cancel(START.plus_ms(100), ME, far).unwrap();
    venue.advance(START.plus_ms(5_000));
    let mut seen = std::collections::BTreeSet::new();
    while let Some(next) = venue.take(id) {
        let Outgoing::Text(text) = next else { continue };
        let frame = btcturk::wire::read_server(&text).unwrap();
        seen.insert(frame.kind());
        let again: Value = serde_json::to_value(&frame).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(&text).unwrap());
    }
    let expected = [
        100, 114, 201, 401, 402, 421, 422, 423, 431, 432, 441, 451, 452, 991,
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}
