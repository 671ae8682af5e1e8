//! Checks 1 to 8: a wish that passes, one that fails, one on the boundary.

use super::*;

fn as_set(_: &mut RiskSettings) {}

#[test]
fn an_incomplete_intent_is_refused() {
    check(
        as_set,
        &[
            "buy BTCTRY 0 @ 1000",
            "buy BTCTRY 0.1 @ 0",
            "buy BTCTRY 0.00000001 @ 1000",
            "buy BTCTRY 0.01 @ 1000",
        ],
        &[
            "risk_block:malformed_intent",
            "risk_block:missing_limit_price",
            "risk_block:min_notional",
            "ok",
        ],
    );
}

#[test]
fn an_old_decision_is_refused() {
    check(
        as_set,
        &[
            "buy BTCTRY 0.1 @ 1000 late 250",
            "buy BTCTRY 0.2 @ 1000 late 251",
        ],
        &["ok", "risk_block:intent_expired"],
    );
}

#[test]
fn the_mode_decides_what_may_leave() {
    check(
        as_set,
        &[
            "raise reduce",
            "buy BTCTRY 0.1 @ 1000",
            "sell BTCTRY 0.1 @ 1001",
            "sell BTCTRY 0.95 @ 1001",
            "raise observe",
            "sell BTCTRY 0.2 @ 1001",
            "calm",
            "buy BTCTRY 0.1 @ 1000",
            "raise kill",
            "sell BTCTRY 0.3 @ 1001",
        ],
        &[
            "mode_block:reduce_risk_only",
            "ok",
            "mode_block:reduce_risk_only",
            "mode_block:observe_only",
            "ok",
            "mode_block:kill_switch",
        ],
    );
}

#[test]
fn an_unarmed_process_sends_nothing_to_the_live_venue() {
    let unarmed = |settings: &mut RiskSettings| {
        settings.policy_blocks = vec!["policy_block:dry_run", "policy_block:not_armed"];
    };
    check(unarmed, &["buy BTCTRY 0.1 @ 1000"], &["ok"]);
    check(
        |settings| {
            unarmed(settings);
            settings.venue = Venue::Live;
        },
        &[
            "reconciled",
            "buy BTCTRY 0.1 @ 1000",
            "sell BTCTRY 0.1 @ 1001",
        ],
        &["policy_block:dry_run", "policy_block:dry_run"],
    );
}

#[test]
fn the_live_venue_waits_for_a_clean_pass() {
    let live = |settings: &mut RiskSettings| settings.venue = Venue::Live;
    check(
        live,
        &[
            "buy BTCTRY 0.1 @ 1000",
            "unpend",
            "buy BTCTRY 0.1 @ 1000",
            "reconciled unclean",
            "sell BTCTRY 0.1 @ 1001",
            "reconciled",
            "buy BTCTRY 0.1 @ 1000",
        ],
        &[
            "mode_block:observe_only",
            "risk_block:not_reconciled",
            "risk_block:not_reconciled",
            "ok",
        ],
    );
    check(
        live,
        &["mode", "reconciled", "mode"],
        &["OBSERVE_ONLY", "NORMAL"],
    );
}

#[test]
fn only_the_owner_of_a_pair_may_trade_it() {
    check(
        as_set,
        &[
            "buy BTCTRY 0.1 @ 1000 by mean_reversion",
            "sell BTCTRY 0.1 @ 1000 exit by mean_reversion",
            "sell BTCTRY 0.1 @ 1000 protective by mean_reversion",
        ],
        &[
            "risk_block:strategy_disabled",
            "risk_block:strategy_disabled",
            "ok",
        ],
    );
}

#[test]
fn an_unknown_order_freezes_new_risk_on_its_pair_only() {
    check(
        as_set,
        &[
            "buy BTCTRY 0.1 @ 990",
            "unknown 1",
            "buy BTCTRY 0.2 @ 1000",
            "sell BTCTRY 0.1 @ 1001",
            "buy ETHTRY 1 @ 100",
            "absent 1",
            "buy BTCTRY 0.2 @ 1000",
        ],
        &["ok", "risk_block:unknown", "ok", "ok", "ok"],
    );
}

#[test]
fn a_voice_on_a_pair_binds_that_pair() {
    check(
        as_set,
        &[
            "raise reduce BTCTRY",
            "buy BTCTRY 0.1 @ 1000",
            "sell BTCTRY 0.1 @ 1001",
            "raise observe BTCTRY",
            "sell BTCTRY 0.2 @ 1001",
            "buy ETHTRY 1 @ 100",
        ],
        &["risk_block:frozen", "ok", "risk_block:frozen", "ok"],
    );
}

#[test]
fn only_configured_pairs_that_trade_are_traded() {
    check(
        as_set,
        &[
            "buy XRPTRY 1 @ 100",
            "buy ETHTRY 1 @ 100",
            "halted ETHTRY",
            "buy ETHTRY 2 @ 100",
        ],
        &[
            "risk_block:not_in_universe",
            "ok",
            "risk_block:symbol_not_tradable",
        ],
    );
    check(
        |settings| settings.quote = asset("USD"),
        &["buy BTCTRY 0.1 @ 1000"],
        &["risk_block:not_in_universe"],
    );
}

#[test]
fn an_open_breaker_holds_every_order_for_as_long_as_it_says() {
    check(
        as_set,
        &[
            "held 2000",
            "held 500",
            "buy BTCTRY 0.1 @ 1000",
            "sell BTCTRY 0.1 @ 1001",
            "wait 1999",
            "buy BTCTRY 0.1 @ 1000",
            "wait 1",
            "buy BTCTRY 0.1 @ 1000",
        ],
        &[
            "risk_block:breaker_open",
            "risk_block:breaker_open",
            "risk_block:breaker_open",
            "ok",
        ],
    );
}
