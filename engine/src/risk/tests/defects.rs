//! Rows of docs/DEFECTS.md that the gate alone can show: identity, freezes, figures of the day, marks.
//!
//! Each test makes the conditions of an old mistake and compares what must follow.

use super::*;
use crate::answer::{Rail, Transfer, TransferId};
use crate::intent::CancelReason;
use crate::msg::MoneyReport;
use std::collections::BTreeSet;

fn as_set(_: &mut RiskSettings) {}

fn money(bench: &Bench) -> &MoneyReport {
    let last = bench.effects.iter().rev().find_map(|effect| {
        if let RiskEffect::Money(report) = effect {
            Some(report)
        } else {
            None
        }
    });
    last.expect("a report")
}

/// Two orders that leave no trace at the exchange, made by one start out of what it knows; its clock goes on.
fn start(epoch: u32, entropy: u64, past: &[Record]) -> Bench {
    let mut bench = Bench::bare(|settings| {
        settings.ids.epoch = epoch;
        settings.ids.boot = BootTag::from_entropy(entropy);
    });
    bench.recall(past);
    bench.now = bench.now.plus_ms(i64::from(epoch) * 60_000);
    bench.play(&[
        "rules BTCTRY",
        "rules ETHTRY",
        "book BTCTRY 999 1001",
        "book ETHTRY 99.9 100.1",
        "balances TRY=10000 BTC=1",
        "buy BTCTRY 0.1 @ 990",
        "buy ETHTRY 1 @ 99",
        "absent 1",
        "absent 2",
    ]);
    bench
}

#[test]
fn client_ids_are_unique_over_restarts_and_state_loss() {
    let first = start(1, 11, &[]);
    let starts = [
        start(2, 12, first.journal()),
        // A copy of the state is restored: the same number of the start, the same sequence numbers.
        start(2, 13, first.journal()),
        // The state is lost: everything is counted from the beginning.
        start(1, 14, &[]),
        first,
    ];
    let ids: Vec<ClientId> = starts
        .iter()
        .flat_map(|bench| bench.approved.iter().map(|order| order.client_id))
        .collect();
    let texts: BTreeSet<String> = ids.iter().map(ClientId::to_string).collect();
    assert_eq!((ids.len(), texts.len()), (8, 8), "{ids:?}");
}

#[test]
fn retry_after_giveup_is_a_new_intent() {
    for end in ["absent 1", "reject 1", "cancel 1"] {
        let mut bench = Bench::ready(as_set);
        bench.play(&["buy BTCTRY 0.1 @ 990", end, "wait 1000"]);
        let mut next = Bench::bare(as_set);
        next.recall(bench.journal());
        next.now = bench.now;
        next.play(&["rules BTCTRY", "rules ETHTRY", "book BTCTRY 999 1001"]);
        next.play(&["book ETHTRY 99.9 100.1", "balances TRY=10000 BTC=1"]);
        bench.play(&["buy BTCTRY 0.1 @ 990"]);
        next.play(&["buy BTCTRY 0.1 @ 990"]);
        assert_eq!(bench.verdicts, ["ok", "ok"], "{end}");
        assert_eq!(next.verdicts, ["ok"], "{end}, after a restart");
        let ids = [bench.approved[0], bench.approved[1]].map(|order| order.client_id.seq());
        let again = next.approved[0].client_id.seq();
        assert_eq!((ids, again), ([1, 2], 2), "{end}");
    }
}

#[test]
fn order_of_a_dropped_symbol_stays_known() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["buy ETHTRY 1 @ 99", "open 1"]);
    let id = bench.approved[0].client_id;
    let mut next = Bench::bare(|settings| {
        settings.owners.remove(&symbol("ETHTRY"));
    });
    next.recall(bench.journal());
    next.play(&["rules BTCTRY", "book BTCTRY 999 1001"]);
    let known: Vec<ClientId> = next.gate.orders().map(OrderView::client_id).collect();
    assert_eq!(known, [id]);
    assert_eq!(next.gate.quote_reserved(), bench.gate.quote_reserved());
    assert_eq!(next.gate.gross_exposure(), Some(amount("1099")));
    next.tell(RiskIn::Cancel(id, CancelReason::Operator));
    let handed_on = RiskEffect::Cancel(id, CancelReason::Operator);
    assert!(next.effects.contains(&handed_on));
}

#[test]
fn freeze_is_a_reason_code_not_an_error() {
    check(
        as_set,
        &[
            "raise observe BTCTRY",
            "buy BTCTRY 0.1 @ 1000",
            "sell BTCTRY 0.1 @ 1001",
            "buy ETHTRY 1 @ 100",
            "calm BTCTRY",
            "buy BTCTRY 0.1 @ 1000",
        ],
        &["risk_block:frozen", "risk_block:frozen", "ok", "ok"],
    );
}

#[test]
fn fees_today_reset_at_midnight_utc() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["buy BTCTRY 0.1 @ 1000", "fill 1 0.1 fee 0.5 tax 0.1"]);
    bench.play(&["wait 1000", "book BTCTRY 999 1001"]);
    let figures = |bench: &Bench| (money(bench).fees, money(bench).fees_today);
    let (paid, nothing) = (amount("0.6"), Amount::ZERO);
    assert_eq!(figures(&bench), (paid, Some(paid)));
    // The bench starts at noon.
    bench.play(&["wait 43198000", "book BTCTRY 999 1001", "wait 999"]);
    assert_eq!(figures(&bench), (paid, Some(paid)), "a moment before");
    bench.play(&["wait 1", "book BTCTRY 999 1001", "wait 1000"]);
    assert_eq!(figures(&bench), (paid, Some(nothing)));
}

/// Money of this size comes in or goes out while 100 of 11000 are lost; compares what is said of it.
fn check_transfer(moved: &str, balances: &str) {
    let mut bench = Bench::ready(as_set);
    bench.play(&["book BTCTRY 899 901", "wait 60000"]);
    let before = (money(&bench).drawdown_bps, money(&bench).day_pnl);
    assert_eq!(before, (90, Some(amount("-100"))));
    let transfer = Transfer {
        id: TransferId {
            rail: Rail::Fiat,
            number: 5,
        },
        asset: asset("TRY"),
        amount: amount(moved),
        charges: Amount::ZERO,
        at: bench.now,
    };
    for _ in 0..3 {
        bench.play(&["wait 10000"]);
        bench.tell(RiskIn::Transfers(vec![transfer]));
        bench.play(&[balances, "wait 1000", "book BTCTRY 899 901"]);
    }
    let equity = amount("10900") + amount(moved);
    assert_eq!(money(&bench).equity, Some(equity), "{moved} is booked once");
    let after = (money(&bench).drawdown_bps, money(&bench).day_pnl);
    assert_eq!(after, before, "{moved}");
}

#[test]
fn deposit_and_withdrawal_do_not_move_drawdown() {
    check_transfer("5000", "balances TRY=15000 BTC=1");
    check_transfer("-5000", "balances TRY=5000 BTC=1");
}

#[test]
fn served_from_memory_keeps_its_fetch_time_and_missing_is_stale() {
    let mut bench = Bench::bare(as_set);
    bench.play(&["rules BTCTRY", "rules ETHTRY", "balances TRY=10000"]);
    bench.play(&["book BTCTRY 999 1001", "buy ETHTRY 1 @ 100"]);
    // Neither looking at a book nor news of another pair makes it younger.
    bench.play(&["age 1500", "buy BTCTRY 0.1 @ 1000"]);
    bench.play(&["age 501", "book ETHTRY 99.9 100.1", "buy BTCTRY 0.2 @ 1000"]);
    bench.play(&["buy ETHTRY 1 @ 100"]);
    let codes = ["market_data:untrusted", "ok", "market_data:stale", "ok"];
    assert_eq!(bench.verdicts, codes);
}

#[test]
fn one_stale_symbol_does_not_freeze_the_universe() {
    check(
        as_set,
        &[
            "age 2001",
            "book ETHTRY 99.9 100.1",
            "buy BTCTRY 0.1 @ 1000",
            "buy ETHTRY 1 @ 100",
            "mode",
        ],
        &["market_data:stale", "ok", "NORMAL"],
    );
    check(
        as_set,
        &[
            "distrust BTCTRY",
            "buy BTCTRY 0.1 @ 1000",
            "buy ETHTRY 1 @ 100",
        ],
        &["market_data:untrusted", "ok"],
    );
}

#[test]
fn one_missing_mark_excludes_one_symbol() {
    let mut bench = Bench::bare(as_set);
    bench.play(&["rules BTCTRY", "rules ETHTRY", "book BTCTRY 999 1001"]);
    bench.play(&["balances TRY=10000 BTC=1", "mode"]);
    bench.play(&["buy ETHTRY 1 @ 100", "buy BTCTRY 0.1 @ 1000"]);
    assert_eq!(bench.verdicts, ["NORMAL", "market_data:untrusted", "ok"]);
    bench.play(&["wait 1000", "book BTCTRY 999 1001"]);
    assert_eq!(money(&bench).equity, Some(amount("11000")));
}

#[test]
fn position_outside_universe_causes_no_divergence() {
    let mut bench = Bench::bare(as_set);
    bench.play(&["rules BTCTRY", "rules ETHTRY", "book BTCTRY 999 1001"]);
    bench.play(&["book ETHTRY 99.9 100.1", "balances TRY=10000 BTC=1 XRP=5"]);
    bench.play(&["wait 30000"]);
    for _ in 0..4 {
        bench.play(&["wait 40000", "balances TRY=10000 BTC=1 XRP=5", "mode"]);
    }
    bench.play(&["buy BTCTRY 0.1 @ 1000"]);
    let calm = "NORMAL";
    assert_eq!(bench.verdicts, [calm, calm, calm, calm, "ok"]);
    assert_eq!(money(&bench).equity, Some(amount("11000")));
}

#[test]
fn dry_run_obeys_modes_and_invents_nothing() {
    for venue in [Venue::Simulated, Venue::Live] {
        let mut bench = Bench::ready(|settings| settings.venue = venue);
        bench.play(&["reconciled", "wait 500", "book BTCTRY 989 991"]);
        bench.play(&["balances TRY=10000 BTC=1", "wait 60000", "reconciled"]);
        assert_eq!(bench.approved, [], "{venue:?}: nobody has wished anything");
        bench.play(&["balances TRY=10000 BTC=1", "raise reduce"]);
        bench.play(&["buy BTCTRY 0.1 @ 990", "raise observe"]);
        bench.play(&["sell BTCTRY 0.1 @ 991", "raise kill"]);
        bench.play(&["sell BTCTRY 0.1 @ 991", "calm", "sell BTCTRY 0.1 @ 991"]);
        let codes = [
            "mode_block:reduce_risk_only",
            "mode_block:observe_only",
            "mode_block:kill_switch",
            "mode_block:kill_switch",
        ];
        assert_eq!(bench.verdicts, codes, "{venue:?}");
    }
}

#[test]
fn shown_mode_is_the_applied_mode() {
    let mut bench = Bench::ready(as_set);
    for line in [
        "raise reduce",
        "raise observe ETHTRY",
        "raise observe",
        "distrust BTCTRY",
        "calm",
        "distrust ETHTRY",
        "book BTCTRY 999 1001",
        "raise kill",
        "calm",
    ] {
        bench.play(&[line]);
        let shown = bench.effects.iter().rev().find_map(|effect| {
            if let RiskEffect::Mode(report) = effect {
                Some(report.mode)
            } else {
                None
            }
        });
        let applied = bench.gate.board().global();
        assert_eq!(shown.unwrap_or(Mode::Normal), applied, "after {line}");
    }
    bench.play(&["sell BTCTRY 0.1 @ 1001", "mode"]);
    assert_eq!(bench.verdicts, ["mode_block:kill_switch", "KILL_SWITCH"]);
}

#[test]
fn x_19_no_quiet_or_halted_pair_kills() {
    check(
        as_set,
        &[
            "halted BTCTRY",
            "age 3600000",
            "distrust BTCTRY",
            "distrust ETHTRY",
            "mode",
            "age 86400000",
            "mode",
            "book ETHTRY 99.9 100.1",
            "mode",
            "rules BTCTRY",
            "book BTCTRY 999 1001",
            "balances TRY=10000 BTC=1",
            "buy BTCTRY 0.1 @ 1000",
        ],
        &["OBSERVE_ONLY", "OBSERVE_ONLY", "NORMAL", "ok"],
    );
}
