//! Failures that were asked for: what is answered, and what is true behind it (C-66).

use crate::support::*;
use btcbot_simulator::venue::{Content, Cut, Fate, HandshakeRefused, Outgoing};

/// Sends one order under a fault and returns answer and how many orders exist.
fn order_under(setting: &str) -> (btcbot_simulator::venue::RestReply, u32) {
    let mut venue = venue(&[setting]);
    let body = far_body(&venue, "cid");
    let reply = venue.rest(START, &signed(post_order(&body), START));
    let orders = venue.exchange().submits("cid");
    (reply, orders)
}

#[test]
fn each_fault_of_an_order_answers_as_documented_and_accepts_as_it_says() {
    let check = |setting: &str, status: u16, fate: Fate, body: Option<&str>, orders: u32| {
        let (reply, found) = order_under(setting);
        assert_eq!((reply.fate, found), (fate, orders), "{setting}");
        assert_eq!(reply.accepted.is_some(), orders == 1, "{setting}");
        if fate == Fate::Sent {
            assert_eq!(reply.status, status, "{setting}");
        }
        if let Some(body) = body {
            assert_eq!(reply.body, body, "{setting}");
        }
    };
    let internal = r#"{"success":false,"message":"INTERNAL_ERROR","code":"INTERNAL_ERROR"}"#;
    check("request_lost=1", 0, Fate::Lost, None, 0);
    check("reply_lost=1", 0, Fate::Lost, None, 1);
    check("rest_429=1", 429, Fate::Sent, None, 0);
    check(
        "internal_error_accepted=1",
        500,
        Fate::Sent,
        Some(internal),
        1,
    );
    check(
        "internal_error_refused=1",
        500,
        Fate::Sent,
        Some(internal),
        0,
    );
    check("empty_200=1", 200, Fate::Sent, Some(""), 1);
    check("maintenance=1", 400, Fate::Sent, None, 0);
    check("reply_slow=1", 200, Fate::Sent, None, 1);
    assert!(order_under("reply_slow=1").0.delay_ms >= 30_000);
}

#[test]
fn a_gateway_error_hides_about_half_of_the_orders() {
    let mut venue = venue(&["html_502=1", "limits.enabled=false"]);
    let mut accepted = 0;
    for n in 0..200 {
        let body = far_body(&venue, &format!("cid-{n}"));
        let now = START.plus_ms(n * 10);
        let reply = venue.rest(now, &signed(post_order(&body), now));
        assert_eq!((reply.status, reply.content), (502, Content::Html));
        assert!(reply.body.starts_with("<html>"));
        accepted += i32::from(reply.accepted.is_some());
    }
    assert!((60..=140).contains(&accepted), "{accepted} of 200");
    assert_eq!(
        venue.exchange().orders().count(),
        usize::try_from(accepted).unwrap()
    );
}

#[test]
fn orders_behind_a_lost_reply_are_found_by_their_client_id() {
    for setting in ["reply_lost=1", "internal_error_accepted=1", "empty_200=1"] {
        let mut venue = venue(&[setting]);
        let body = far_body(&venue, "lost");
        venue.rest(START, &signed(post_order(&body), START));
        *venue.exchange_mut().profile_mut() = profile(&[]);
        let (_, open) = ask(&mut venue, 1_000, get("/api/v1/openOrders"));
        assert_eq!(
            open["data"]["bids"][0]["orderClientId"], "lost",
            "{setting}"
        );
    }
}

#[test]
fn a_cancel_may_be_silent_but_takes_effect() {
    let mut venue = venue(&["cancel_without_452=1"]);
    let order = far_buy(venue.exchange(), "quiet");
    let exchange = venue.exchange_mut();
    let id = exchange.submit(START, ME, &order).unwrap().id;
    exchange.cancel(START.plus_ms(100), ME, id).unwrap();
    let kinds = kinds(&told(exchange, ME, 1_000));
    assert_eq!(kinds, [451, 201]);
    assert!(!exchange.order(id).unwrap().state().is_open());
}

#[test]
fn a_reset_cuts_and_a_silent_connection_only_pings() {
    let mut venue = venue(&["ws_reset=1"]);
    let id = venue.connect(START, IP).unwrap();
    venue.advance(START.plus_ms(1_000));
    assert_eq!(venue.cut_reason(id), Some(Cut::Fault));
    assert_eq!(venue.take(id), Some(Outgoing::Cut(Cut::Fault)));

    let mut venue = self::venue(&["ws_silent=1"]);
    let id = venue.connect(START, IP).unwrap();
    venue.receive(START, id, &crate::books::join("obdiff", "BTCTRY", true));
    venue.advance(START.plus_ms(1_000));
    while venue.take(id).is_some() {}
    venue.advance(START.plus_ms(12_000));
    assert_eq!(venue.take(id), Some(Outgoing::Ping));
    assert_eq!(venue.take(id), None);
}

#[test]
fn lost_differences_are_lost_and_nothing_else() {
    let mut venue = venue(&["drop_432=1"]);
    let id = venue.connect(START, IP).unwrap();
    venue.receive(START, id, &crate::books::join("obdiff", "BTCTRY", true));
    venue.receive(START, id, &crate::books::join("trade", "BTCTRY", true));
    venue.advance(START.plus_ms(5_000));
    let kinds: Vec<_> = crate::books::frames(&mut venue, id)
        .iter()
        .map(|(kind, _)| *kind)
        .collect();
    assert!(kinds.contains(&422) && !kinds.contains(&432), "{kinds:?}");
}

#[test]
fn maintenance_refuses_handshakes_and_reads() {
    let mut venue = venue(&["maintenance=1"]);
    assert_eq!(venue.connect(START, IP), Err(HandshakeRefused::Maintenance));
    let reply = venue.rest(START, &get("/api/v2/ticker"));
    assert_eq!(reply.status, 503);
    assert_eq!(json(&reply)["code"], "SYSTEM_UNDER_MAINTENANCE");
}

#[test]
fn a_fault_that_is_switched_on_changes_no_price() {
    let trades = |settings: &[&str]| {
        let mut venue = venue(settings);
        for n in 0..50 {
            venue.rest(START.plus_ms(n * 100), &get("/api/v2/ticker"));
        }
        venue.exchange().trades(BTCTRY).copied().collect::<Vec<_>>()
    };
    assert_eq!(trades(&[]), trades(&["reply_lost=0.5", "html_502=0.3"]));
}
