//! Checks 9 to 14: a wish that passes, one that fails, one on the boundary.

use super::*;

fn as_set(_: &mut RiskSettings) {}

#[test]
fn only_a_fresh_trusted_book_of_this_session_counts() {
    check(
        as_set,
        &[
            "age 2000",
            "buy BTCTRY 0.1 @ 1000",
            "age 1",
            "buy BTCTRY 0.2 @ 1000",
            "distrust BTCTRY",
            "sell BTCTRY 0.1 @ 1001",
            "book BTCTRY 999 1001",
            "buy BTCTRY 0.2 @ 1000 session 7",
            "buy BTCTRY 0.2 @ 1000",
        ],
        &[
            "ok",
            "market_data:stale",
            "market_data:untrusted",
            "market_data:session_changed",
            "ok",
        ],
    );
}

#[test]
fn unknown_input_refuses_the_order() {
    let mut bench = Bench::bare(as_set);
    bench.play(&[
        "buy BTCTRY 0.1 @ 1000",
        "book BTCTRY 999 1001",
        "buy BTCTRY 0.1 @ 1000",
    ]);
    bench.play(&[
        "rules BTCTRY",
        "buy BTCTRY 0.1 @ 1000",
        "balances TRY=1000",
        "buy BTCTRY 0.1 @ 1000",
    ]);
    let codes = [
        "market_data:untrusted",
        "exchange_rules_unavailable_blocked",
        "risk_block:balances_unknown",
        "ok",
    ];
    assert_eq!(bench.verdicts, codes);
}

#[test]
fn price_and_quantity_are_put_on_the_grid() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["buy BTCTRY 0.1 @ 1000.009", "sell BTCTRY 0.1 @ 1001.001"]);
    let limits: Vec<Price> = bench
        .approved
        .iter()
        .map(|order| order.intent.limit)
        .collect();
    assert_eq!(limits, [price("1000"), price("1001.01")]);
    check(
        as_set,
        &[
            "buy BTCTRY 1 @ 0.009",
            "sell BTCTRY 0.001 @ 100001",
            "buy BTCTRY 0.00999999 @ 1000",
            "buy BTCTRY 0.01 @ 1000",
        ],
        &[
            "risk_block:non_positive_after_quantize",
            "risk_block:price_out_of_range",
            "risk_block:min_notional",
            "ok",
        ],
    );
}

#[test]
fn an_order_stays_inside_the_price_collar() {
    check(
        as_set,
        &[
            "buy BTCTRY 0.1 @ 1011.01",
            "buy BTCTRY 0.2 @ 1011.02",
            "sell BTCTRY 0.1 @ 989",
            "sell BTCTRY 0.1 @ 1020",
            "cancel 1",
            "sell BTCTRY 0.1 @ 989.01",
            "sell BTCTRY 0.3 @ 969.03 protective",
            "sell BTCTRY 0.2 @ 969.02 protective",
        ],
        &[
            "ok",
            "risk_block:price_collar",
            "risk_block:price_collar",
            "ok",
            "ok",
            "ok",
            "risk_block:price_collar",
        ],
    );
}

#[test]
fn a_young_last_trade_binds_at_three_collars() {
    check(
        as_set,
        &[
            "book BTCTRY 999 1001 last 970 ago 60000",
            "buy BTCTRY 0.1 @ 1000",
            "buy BTCTRY 0.1 @ 999.1",
            "book BTCTRY 999 1001 last 970 ago 60001",
            "buy BTCTRY 0.2 @ 1000",
        ],
        &["risk_block:price_collar", "ok", "ok"],
    );
}

#[test]
fn no_entry_into_a_wide_market() {
    check(
        as_set,
        &[
            "book BTCTRY 990 1010",
            "buy BTCTRY 0.1 @ 1000",
            "book BTCTRY 990 1010.01",
            "buy BTCTRY 0.2 @ 1000",
            "sell BTCTRY 0.1 @ 1001",
        ],
        &["ok", "risk_block:spread_too_wide", "ok"],
    );
}

#[test]
fn no_order_meets_an_own_one() {
    check(
        as_set,
        &[
            "buy BTCTRY 0.1 @ 1000",
            "sell BTCTRY 0.1 @ 1000",
            "sell BTCTRY 0.1 @ 1000.01",
            "unknown 2",
            "buy ETHTRY 1 @ 100",
            "sell BTCTRY 0.3 @ 999",
            "cancel 2",
            "cancel 1",
            "buy BTCTRY 0.2 @ 1000.01",
            "sell BTCTRY 0.2 @ 1001.5",
            "buy BTCTRY 0.3 @ 1001.5",
            "buy BTCTRY 0.3 @ 1001.49",
        ],
        &[
            "ok",
            "risk_block:self_trade",
            "ok",
            "ok",
            "risk_block:self_trade",
            "ok",
            "ok",
            "risk_block:self_trade",
            "ok",
        ],
    );
}

#[test]
fn the_same_order_is_not_placed_twice() {
    check(
        as_set,
        &[
            "buy BTCTRY 0.1 @ 1000",
            "buy BTCTRY 0.101 @ 1000.5",
            "buy BTCTRY 0.10100001 @ 1000.5",
            "buy BTCTRY 0.1 @ 999.49",
        ],
        &["ok", "risk_block:duplicate_intent", "ok", "ok"],
    );
    check(
        as_set,
        &[
            "buy BTCTRY 0.1 @ 1000",
            "reject 1",
            "wait 999",
            "buy BTCTRY 0.1 @ 1000",
            "wait 1",
            "buy BTCTRY 0.1 @ 1000",
        ],
        &["ok", "risk_block:duplicate_intent", "ok"],
    );
}
