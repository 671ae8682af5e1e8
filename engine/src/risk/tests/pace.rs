//! Checks 15 to 18, 20 and 21: a wish that passes, one that fails, one on the boundary.

use super::*;

fn as_set(_: &mut RiskSettings) {}

#[test]
fn open_orders_are_counted_whatever_is_known_of_them() {
    check(
        |settings| settings.limits.max_open_orders_per_symbol = 2,
        &[
            "buy BTCTRY 0.1 @ 990",
            "open 1",
            "buy BTCTRY 0.1 @ 980",
            "buy BTCTRY 0.1 @ 970",
            "sell BTCTRY 0.1 @ 1001",
            "cancel 1",
            "cancel 2",
            "buy BTCTRY 0.1 @ 970",
        ],
        &[
            "ok",
            "ok",
            "risk_block:max_open_orders_per_symbol",
            "ok",
            "ok",
        ],
    );
    check(
        |settings| settings.limits.max_open_orders = 2,
        &[
            "buy BTCTRY 0.1 @ 990",
            "buy ETHTRY 1 @ 99",
            "buy ETHTRY 1 @ 98",
            "unknown 1",
            "buy ETHTRY 1 @ 98",
            "cancel 1",
            "buy ETHTRY 1 @ 98",
        ],
        &[
            "ok",
            "ok",
            "risk_block:max_open_orders",
            "risk_block:max_open_orders",
            "ok",
        ],
    );
}

#[test]
fn even_reducing_orders_stop_at_forty() {
    let script: Vec<String> = (0..41)
        .map(|n| format!("sell BTCTRY 0.0{:02} @ {}", 11 + n / 10, 1001 + n))
        .collect();
    let mut bench = Bench::ready(|settings| settings.limits.max_open_orders = 60);
    bench.play(&script.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(bench.approved.len(), 40);
    assert_eq!(
        bench.verdicts.last().map(String::as_str),
        Some("risk_block:max_open_orders")
    );
}

#[test]
fn an_entry_is_followed_by_a_pause() {
    check(
        as_set,
        &[
            "buy BTCTRY 0.1 @ 1000 entry",
            "wait 59999",
            "balances TRY=10000 BTC=1",
            "buy BTCTRY 0.2 @ 1000 entry",
            "buy BTCTRY 0.2 @ 1000",
            "buy ETHTRY 1 @ 100 entry",
            "wait 1",
            "buy BTCTRY 0.3 @ 1000 entry",
        ],
        &["ok", "risk_block:cooldown", "ok", "ok", "ok"],
    );
    check(
        as_set,
        &[
            "buy BTCTRY 0.1 @ 1000 entry",
            "reject 1",
            "buy BTCTRY 0.2 @ 1000 entry",
        ],
        &["ok", "ok"],
    );
}

#[test]
fn orders_per_minute_are_limited_and_a_refused_one_keeps_its_place() {
    check(
        |settings| settings.limits.max_orders_per_minute = 2,
        &[
            "buy BTCTRY 0.1 @ 1000",
            "reject 1",
            "sell BTCTRY 0.1 @ 1001",
            "buy ETHTRY 1 @ 100",
            "sell BTCTRY 0.2 @ 1001",
            "wait 59999",
            "buy ETHTRY 1 @ 100",
            "wait 1",
            "buy ETHTRY 1 @ 100",
        ],
        &[
            "ok",
            "ok",
            "risk_block:order_rate",
            "ok",
            "risk_block:order_rate",
            "ok",
        ],
    );
}

#[test]
fn a_large_order_is_made_smaller_and_put_on_the_grid_again() {
    let sizes = |change: fn(&mut RiskSettings), line: &str| {
        let mut bench = Bench::ready(change);
        bench.play(&[line]);
        bench
            .approved
            .first()
            .map(|order| order.intent.qty.to_string())
    };
    assert_eq!(
        sizes(as_set, "buy BTCTRY 0.5 @ 1000").as_deref(),
        Some("0.5")
    );
    assert_eq!(sizes(as_set, "buy BTCTRY 3 @ 1000").as_deref(), Some("0.5"));
    assert_eq!(
        sizes(as_set, "sell BTCTRY 0.9 @ 1000.03").as_deref(),
        Some("0.499985")
    );
    check(
        |settings| settings.limits.max_order_notional = amount("9.99"),
        &["buy BTCTRY 0.5 @ 1000"],
        &["risk_block:max_order_notional_try"],
    );
}

#[test]
fn value_per_minute_is_limited_and_given_back_by_what_never_existed() {
    check(
        |settings| settings.limits.max_notional_per_minute = amount("300"),
        &[
            "buy BTCTRY 0.2 @ 1000",
            "buy ETHTRY 1.00000001 @ 100",
            "buy ETHTRY 1 @ 100",
            "sell BTCTRY 0.3 @ 1001",
            "cancel 2",
            "buy BTCTRY 0.1 @ 990",
            "reject 1",
            "buy BTCTRY 0.1 @ 990",
        ],
        &[
            "ok",
            "risk_block:notional_cap",
            "ok",
            "ok",
            "risk_block:notional_cap",
            "ok",
        ],
    );
}
