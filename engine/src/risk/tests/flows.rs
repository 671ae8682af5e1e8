//! Money that comes and goes without our orders: transfers, corrections, drift, the day's figures, and strangers' orders.

use super::*;
use crate::answer::{Rail, Transfer, TransferId};
use crate::foreign::{ForeignOrder, ForeignPolicy};
use crate::msg::{MoneyReport, RiskNote};

fn as_set(_: &mut RiskSettings) {}

/// A listed transfer: `TRY 500 12` is number 12, stamped when the bench was made.
fn listed(bench: &mut Bench, rows: &[(&str, &str, i64)]) {
    let rows = rows.iter().map(|(name, moved, number)| Transfer {
        id: TransferId {
            rail: Rail::Fiat,
            number: *number,
        },
        asset: asset(name),
        amount: amount(moved),
        charges: Amount::ZERO,
        at: bench.now,
    });
    let rows = rows.collect();
    bench.tell(RiskIn::Transfers(rows));
}

fn money(bench: &mut Bench) -> MoneyReport {
    bench.play(&["wait 1000"]);
    bench.tell(RiskIn::Resend);
    let last = bench.effects.iter().rev().find_map(|effect| {
        if let RiskEffect::Money(report) = effect {
            Some(report.clone())
        } else {
            None
        }
    });
    last.expect("a report")
}

fn transfers(bench: &Bench) -> usize {
    bench
        .journal()
        .iter()
        .filter(|record| matches!(record, Record::Transfer { .. }))
        .count()
}

fn restarted(bench: &Bench) -> Bench {
    let mut next = Bench::bare(as_set);
    next.recall(bench.journal());
    next.now = bench.now;
    next.play(&[
        "rules BTCTRY",
        "rules ETHTRY",
        "book BTCTRY 999 1001",
        "book ETHTRY 99.9 100.1",
    ]);
    next
}

#[test]
fn a_miss_asks_for_an_explanation_and_an_explained_one_is_booked_once() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["wait 60000"]);
    bench.effects.clear();
    bench.play(&["balances TRY=10500 BTC=1"]);
    assert!(bench.effects.contains(&RiskEffect::Explain));
    for _ in 0..3 {
        bench.play(&["wait 60000"]);
        listed(&mut bench, &[("TRY", "500", 12)]);
        bench.play(&["balances TRY=10500 BTC=1", "mode"]);
    }
    assert_eq!(bench.verdicts, ["NORMAL"; 3]);
    assert_eq!(transfers(&bench), 1);
    assert_eq!(bench.gate.ledger().balance(asset("TRY")), amount("10500"));
    let note = RiskNote::Transferred(asset("TRY"), amount("500"));
    assert!(bench.effects.contains(&RiskEffect::Note(note)));
    assert_eq!(restarted(&bench).gate.ledger(), bench.gate.ledger());
}

#[test]
fn a_listed_transfer_that_the_balances_do_not_show_changes_nothing() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["wait 60000"]);
    listed(&mut bench, &[("TRY", "-500", 12)]);
    bench.play(&["balances TRY=10000 BTC=1", "wait 60000"]);
    // Two of three have arrived, with the money of a trade on its way beside them.
    bench.play(&["buy BTCTRY 0.1 @ 1000", "fill 1 0.1"]);
    listed(
        &mut bench,
        &[("TRY", "70", 13), ("TRY", "-500", 12), ("TRY", "9", 14)],
    );
    bench.play(&["balances TRY=9570 BTC=1", "mode"]);
    assert_eq!(bench.verdicts, ["ok", "NORMAL"]);
    assert_eq!(transfers(&bench), 2);
    assert_eq!(bench.gate.ledger().balance(asset("TRY")), amount("9470"));
}

#[test]
fn coins_come_in_at_their_mark_and_wait_for_one() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["wait 60000"]);
    listed(&mut bench, &[("BTC", "0.5", 1), ("XRP", "7", 2)]);
    bench.play(&["balances TRY=10000 BTC=1.5 XRP=7", "mode"]);
    let ledger = bench.gate.ledger();
    assert_eq!(ledger.lots_gross(asset("BTC")), Some(amount("1500")));
    assert_eq!(ledger.position(asset("XRP")), amount("7"));

    let mut bench = Bench::bare(as_set);
    bench.play(&["rules BTCTRY", "rules ETHTRY", "book BTCTRY 999 1001"]);
    bench.play(&["balances TRY=10000 BTC=1"]);
    for _ in 0..4 {
        bench.play(&["wait 60000"]);
        listed(&mut bench, &[("ETH", "2", 3)]);
        bench.play(&["balances TRY=10000 BTC=1 ETH=2", "mode"]);
    }
    assert_eq!(bench.verdicts, ["NORMAL"; 4], "explained, not drift");
    assert_eq!(transfers(&bench), 0);
    bench.play(&["book ETHTRY 99.9 100.1"]);
    listed(&mut bench, &[("ETH", "2", 3)]);
    bench.play(&["balances TRY=10000 BTC=1 ETH=2"]);
    assert_eq!(
        bench.gate.ledger().lots_gross(asset("ETH")),
        Some(amount("200"))
    );
}

#[test]
fn unexplained_drift_observes_then_kills() {
    let miss = "balances TRY=9999 BTC=1";
    let mut bench = Bench::ready(as_set);
    bench.play(&["wait 60000", miss, "mode", "wait 10000", miss, "mode"]);
    bench.play(&["wait 109999", miss, "mode", "wait 1", miss, "mode"]);
    bench.play(&["wait 60000", "balances TRY=10000 BTC=1", "mode"]);
    assert_eq!(
        bench.verdicts,
        [
            "NORMAL",
            "OBSERVE_ONLY",
            "OBSERVE_ONLY",
            "KILL_SWITCH",
            "KILL_SWITCH"
        ]
    );
    // Two misses are not three, however far apart.
    check(
        as_set,
        &["wait 60000", miss, "wait 500000", miss, "mode"],
        &["OBSERVE_ONLY"],
    );
}

#[test]
fn an_operator_explains_what_the_lists_do_not() {
    let mut bench = Bench::ready(as_set);
    let miss = "balances TRY=9990 BTC=1.5";
    bench.play(&["wait 60000", miss, "wait 20000", miss, "mode"]);
    for (name, by) in [("TRY", "-10"), ("BTC", "0.5")] {
        bench.tell(RiskIn::Adjust {
            asset: asset(name),
            amount: amount(by),
            reason: "found in the statement".to_owned(),
        });
    }
    bench.play(&["wait 20000", miss, "mode"]);
    assert_eq!(bench.verdicts, ["OBSERVE_ONLY", "NORMAL"]);
    assert_eq!(bench.gate.ledger().figures().corrected, amount("490"));
    assert_eq!(money(&mut bench).day_pnl, Some(Amount::ZERO));
    assert_eq!(restarted(&bench).gate.ledger(), bench.gate.ledger());
}

#[test]
fn deposit_and_withdrawal_do_not_move_drawdown() {
    // 11000 at the start; BTC falls to 450: equity 10450, 500 bps below the peak.
    let mut bench = Bench::ready(as_set);
    bench.play(&["wait 60000", "book BTCTRY 449 451"]);
    let before = money(&mut bench);
    assert_eq!(
        (before.drawdown_bps, before.day_pnl),
        (500, Some(amount("-550")))
    );
    let mut cash = 10_000;
    for (number, moved) in [(1, 90_000), (2, -95_000), (3, -4_000), (4, 123)] {
        cash += moved;
        bench.play(&["wait 60000", "book BTCTRY 449 451"]);
        listed(&mut bench, &[("TRY", &moved.to_string(), number)]);
        bench.play(&[&format!("balances TRY={cash} BTC=1")]);
        let after = money(&mut bench);
        assert_eq!(
            (after.drawdown_bps, after.day_pnl),
            (500, before.day_pnl),
            "{moved}"
        );
    }
    assert_eq!(transfers(&bench), 4);
    let mut next = restarted(&bench);
    next.play(&["book BTCTRY 449 451", "wait 1000"]);
    let again = money(&mut next);
    assert_eq!((again.drawdown_bps, again.day_pnl), (500, before.day_pnl));
}

#[test]
fn fees_today_reset_at_midnight_utc() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["buy BTCTRY 0.1 @ 1000", "fill 1 0.1 fee 0.2 tax 0.04"]);
    let first = money(&mut bench);
    assert_eq!(
        (first.fees, first.fees_today),
        (amount("0.24"), Some(amount("0.24")))
    );
    bench.play(&["wait 43200000"]);
    // The first thing of the day is a fill: its fee is the new day's.
    bench.play(&["foreign buy BTCTRY 0.1 @ 1000 fee 0.1"]);
    let second = money(&mut bench);
    assert_eq!(
        (second.fees, second.fees_today),
        (amount("0.34"), Some(amount("0.1")))
    );
    assert_eq!(second.day_pnl, Some(amount("-0.1")));
    let mut next = restarted(&bench);
    assert_eq!(money(&mut next).fees_today, Some(amount("0.1")));
}

#[test]
fn an_account_that_was_not_looked_at_for_too_long_stops_decisions() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["reconciled", "wait 59999", "mode"]);
    bench.wake();
    assert_eq!(bench.gate.deadline(), Some(bench.now.plus_ms(1)));
    bench.play(&["wait 1", "mode", "reconciled unclean", "mode"]);
    bench.play(&["reconciled", "mode"]);
    assert_eq!(
        bench.verdicts,
        ["NORMAL", "OBSERVE_ONLY", "OBSERVE_ONLY", "NORMAL"]
    );
}

#[test]
fn no_new_risk_while_the_account_is_looked_at_after_a_reconnect() {
    let mut bench = Bench::ready(as_set);
    bench.tell(crate::reconcile::RECONCILE_PENDING);
    bench.play(&["buy BTCTRY 0.1 @ 1000", "sell BTCTRY 0.1 @ 1001"]);
    bench.tell(crate::reconcile::RECONCILE_SETTLED);
    bench.play(&["buy BTCTRY 0.1 @ 1000"]);
    assert_eq!(bench.verdicts, ["mode_block:reduce_risk_only", "ok", "ok"]);
}

#[test]
fn a_pair_that_pays_in_coins_sells_what_is_left_of_them() {
    let mut bench = Bench::ready(|settings| settings.limits.max_order_notional = amount("5000"));
    let in_base = RuleFacts {
        fee_in_base: true,
        ..facts("BTCTRY")
    };
    bench.tell(RiskIn::Rules(in_base.instrument().expect("rules")));
    bench.play(&["sell BTCTRY 1 @ 1001"]);
    // 20 bps and a fifth of that on top: 1 / 1.0024.
    let order = bench.approved[0];
    assert_eq!(order.intent.qty, qty("0.99760574"));
    assert!(order.fee_in_base && order.reserved <= amount("1"));
    assert_eq!(order.reserved, amount("0.999999993776"));
    bench.play(&["sell BTCTRY 0.01 @ 1002"]);
    assert_eq!(
        bench.verdicts,
        ["ok", "risk_block:spot_sell_requires_inventory"]
    );
}

fn stranger(id: i64, side: Side, at: &str, left: &str) -> ForeignOrder {
    ForeignOrder {
        id: OrderId(id),
        symbol: symbol("BTCTRY"),
        side,
        price: price(at),
        left: qty(left),
    }
}

#[test]
fn foreign_orders_count_as_the_policy_says_and_are_always_shown() {
    let orders = vec![
        stranger(1, Side::Buy, "990", "3.5"),
        stranger(2, Side::Sell, "1005", "1"),
    ];
    let play = |policy: ForeignPolicy| {
        let mut bench = Bench::ready(|settings| settings.foreign = policy);
        bench.tell(RiskIn::Foreign(orders.clone()));
        bench.play(&[
            "buy BTCTRY 0.1 @ 1006",
            "buy BTCTRY 0.5 @ 1000",
            "buy BTCTRY 0.4 @ 990",
            "sell BTCTRY 0.1 @ 989.99",
            "buy ETHTRY 1 @ 99",
        ]);
        assert_eq!(money(&mut bench).foreign, orders);
        bench.tell(RiskIn::Foreign(Vec::new()));
        bench.play(&["buy BTCTRY 0.2 @ 1000"]);
        bench.verdicts
    };
    let (meets, over, frozen) = (
        "risk_block:self_trade",
        "risk_block:max_position_notional_try",
        "risk_block:foreign_order",
    );
    // The fourth would meet our own third.
    assert_eq!(
        play(ForeignPolicy::Ignore),
        ["ok", "ok", "ok", meets, "ok", "ok"]
    );
    // 1000 are held, 3465 may be bought by the strangers, 5000 are allowed.
    assert_eq!(
        play(ForeignPolicy::Observe),
        [meets, "ok", over, meets, "ok", "ok"]
    );
    assert_eq!(
        play(ForeignPolicy::Freeze),
        [frozen, frozen, frozen, meets, "ok", "ok"]
    );
}
