//! Opening, balances that lag, drift, and the end verdict.

use super::*;

fn as_set(_: &mut RiskSettings) {}

#[test]
fn the_first_balances_open_the_books_with_the_quote_last() {
    let mut bench = Bench::ready(as_set);
    let opened: Vec<(Asset, Amount, Option<Price>)> = bench
        .journal()
        .iter()
        .filter_map(|record| {
            if let Record::Opening {
                asset,
                amount,
                price,
                ..
            } = record
            {
                Some((*asset, *amount, *price))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(
        opened,
        [
            (asset("BTC"), amount("1"), Some(price("1000"))),
            (asset("TRY"), amount("10000"), None)
        ]
    );
    bench.play(&["balances TRY=10000 BTC=1"]);
    assert_eq!(
        bench
            .journal()
            .iter()
            .filter(|r| matches!(r, Record::Opening { .. }))
            .count(),
        2
    );
}

#[test]
fn the_opening_waits_for_marks_but_not_for_ever() {
    let mut bench = Bench::bare(as_set);
    bench.play(&[
        "rules BTCTRY",
        "rules ETHTRY",
        "balances TRY=10 BTC=1 XRP=5",
    ]);
    assert!(bench.journal().is_empty());
    let start = bench.now;
    bench.play(&["age 29999"]);
    bench.wake();
    assert_eq!(bench.gate.deadline(), Some(start.plus_ms(30_000)));
    assert!(bench.journal().is_empty());
    bench.play(&["age 1"]);
    bench.wake();
    assert_eq!(bench.gate.ledger().balance(asset("XRP")), amount("5"));
    assert_eq!(
        bench.gate.ledger().cost(asset("BTC")),
        None,
        "nobody knows what it cost"
    );

    let mut bench = Bench::bare(as_set);
    bench.play(&[
        "rules BTCTRY",
        "rules ETHTRY",
        "balances TRY=10 BTC=1",
        "book BTCTRY 999 1001",
    ]);
    assert_eq!(bench.gate.ledger().cost(asset("BTC")), Some(price("1000")));
}

#[test]
fn trades_booked_before_the_opening_are_not_opened_again() {
    let mut bench = Bench::bare(as_set);
    bench.play(&[
        "rules BTCTRY",
        "rules ETHTRY",
        "book BTCTRY 999 1001",
        "foreign buy BTCTRY 0.4 @ 1000",
    ]);
    bench.play(&["balances TRY=600 BTC=1"]);
    let ledger = bench.gate.ledger();
    assert_eq!(
        (ledger.balance(asset("TRY")), ledger.balance(asset("BTC"))),
        (amount("600"), amount("1"))
    );
}

#[test]
fn x_16_balances_that_lag_the_fills_are_no_drift() {
    check(
        as_set,
        &[
            "wait 60000",
            "balances TRY=10000 BTC=1",
            "buy BTCTRY 0.1 @ 1000",
            "fill 1 0.1 fee 0.2",
            "wait 9999",
            "balances TRY=10000 BTC=1",
            "wait 20000",
            "balances TRY=9899.8 BTC=1.1",
            "mode",
            "sell BTCTRY 0.3 @ 1001",
        ],
        &["ok", "NORMAL", "ok"],
    );
}

#[test]
fn x_16_balances_that_always_lag_never_become_drift() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["buy BTCTRY 0.5 @ 1000", "open 1", "wait 60000"]);
    for shown in [
        "TRY=10000 BTC=1",
        "TRY=9950 BTC=1.05",
        "TRY=9900 BTC=1.1",
        "TRY=9850 BTC=1.15",
    ] {
        bench.play(&[
            "fill 1 0.05",
            "wait 9900",
            &format!("balances {shown}"),
            "mode",
        ]);
    }
    assert_eq!(bench.verdicts[1..], ["NORMAL"; 4]);
    bench.play(&[
        "wait 20000",
        "balances TRY=9850 BTC=1.15",
        "wait 10000",
        "balances TRY=9850 BTC=1.15",
        "mode",
    ]);
    assert_eq!(bench.verdicts[5], "OBSERVE_ONLY", "a lag has an end");
}

#[test]
fn a_miss_counts_only_when_it_stays() {
    check(
        as_set,
        &[
            "wait 1000",
            "balances TRY=9999 BTC=1",
            "wait 9999",
            "balances TRY=9999 BTC=1",
            "mode",
            "wait 1",
            "balances TRY=9999 BTC=1",
            "mode",
            "wait 1000",
            "balances TRY=10000 BTC=1",
            "mode",
        ],
        &["NORMAL", "OBSERVE_ONLY", "NORMAL"],
    );
    check(
        as_set,
        &[
            "balances TRY=9999 BTC=1",
            "wait 6000",
            "balances TRY=10000 BTC=1",
            "wait 6000",
            "balances TRY=9999 BTC=1",
            "mode",
        ],
        &["NORMAL"],
    );
}

#[test]
fn coins_that_come_or_go_on_their_own_are_drift() {
    let script = |late: &'static str| {
        [
            "balances TRY=10000 BTC=1",
            "wait 60000",
            late,
            "wait 10000",
            late,
            "mode",
        ]
    };
    for late in [
        "balances TRY=10000",
        "balances TRY=10000 BTC=1 XRP=7",
        "balances TRY=10500 BTC=1",
    ] {
        check(as_set, &script(late), &["OBSERVE_ONLY"]);
    }
}

#[test]
fn an_old_snapshot_does_not_replace_a_younger_one() {
    check(
        as_set,
        &[
            "wait 20000",
            "balances TRY=10000 BTC=1",
            "balances TRY=1 BTC=1 ago 5000",
            "buy BTCTRY 0.4 @ 1000",
        ],
        &["ok"],
    );
}

#[test]
fn what_the_exchange_does_not_show_is_not_spent() {
    check(
        as_set,
        &[
            "wait 60000",
            "balances TRY=400 BTC=0.2",
            "buy BTCTRY 0.4 @ 1000",
            "sell BTCTRY 0.3 @ 1001",
        ],
        &[
            "execution_reject:insufficient_balance_precheck",
            "risk_block:spot_sell_requires_inventory",
        ],
    );
}

#[test]
fn own_orders_are_not_taken_for_somebody_elses() {
    check(
        as_set,
        &[
            "sell BTCTRY 0.4 @ 1001",
            "open 1",
            "wait 20000",
            "balances TRY=10000 BTC=1/0.4",
            "cancel 1",
            "sell BTCTRY 0.49 @ 1003",
        ],
        &["ok", "ok"],
    );
}

#[test]
fn simulated_balance_is_never_used_on_the_live_venue() {
    // The books of an earlier start know cash; only the exchange's own balances make it spendable.
    let live = |settings: &mut RiskSettings| settings.venue = Venue::Live;
    let earlier = Bench::ready(live);
    let mut bench = Bench::bare(live);
    bench.recall(earlier.journal());
    bench.play(&[
        "rules BTCTRY",
        "rules ETHTRY",
        "book BTCTRY 999 1001",
        "reconciled",
    ]);
    bench.play(&["buy BTCTRY 0.1 @ 1000", "sell BTCTRY 0.1 @ 1001"]);
    bench.play(&["balances TRY=10000 BTC=1", "buy BTCTRY 0.1 @ 1000"]);
    let unknown = "risk_block:balances_unknown";
    assert_eq!(bench.verdicts, [unknown, unknown, "ok"]);
}

#[test]
fn the_end_verdict_compares_the_books_as_they_stand() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["buy BTCTRY 0.1 @ 1000", "fill 1 0.1"]);
    let rows = |cash: &str, coins: &str| {
        [("TRY", cash), ("BTC", coins)].map(|(name, total)| BalanceRow {
            asset: asset(name),
            free: amount(total),
            locked: Amount::ZERO,
        })
    };
    assert!(bench.gate.ledger_matches(&rows("9900", "1.1")));
    assert!(
        bench.gate.ledger_matches(&rows("9900.00000001", "1.1")),
        "one unit of rounding per trade"
    );
    assert!(!bench.gate.ledger_matches(&rows("9900.00000002", "1.1")));
    assert!(!bench.gate.ledger_matches(&rows("9900", "1")));
}

proptest::proptest! {
    /// Whatever the ledger held at any moment of the lag before the question agrees, judged later; what it held only
    /// before that, or never, does not.
    #[test]
    fn x_16_balances_are_judged_later_against_every_cut_of_the_lag_window(
        fills in proptest::collection::vec(100i64..4_000, 1..20),
        back_ms in 0i64..30_000,
        late_ms in 0i64..20_000,
    ) {
        let mut bench = Bench::ready(as_set);
        bench.play(&["wait 60000"]);
        let mut cuts = vec![(bench.now.plus_ms(-60_000), amount("1"))];
        for wait_ms in fills {
            bench.play(&[&format!("wait {wait_ms}"), "foreign buy BTCTRY 0.0001 @ 1000"]);
            cuts.push((bench.now, bench.gate.ledger().balance(asset("BTC"))));
        }
        let asked_at = bench.now;
        let shown_at = asked_at.plus_ms(-back_ms);
        let held = |at: Timestamp| cuts.iter().rev().find(|(since, _)| *since <= at).expect("a cut").1;
        // The answer comes after more has happened.
        bench.play(&[&format!("wait {late_ms}"), "foreign buy BTCTRY 0.0001 @ 1000"]);
        let shown = held(shown_at);
        let agrees = bench.gate.account.agrees(asset("BTC"), shown, asked_at, bench.gate.ledger());
        let in_window = shown == held(asked_at.plus_ms(-BALANCE_LAG_MS))
            || cuts.iter().any(|(since, sum)| *sum == shown && *since >= asked_at.plus_ms(-BALANCE_LAG_MS));
        proptest::prop_assert!(back_ms > BALANCE_LAG_MS || in_window);
        proptest::prop_assert_eq!(agrees, in_window);
        let never = amount("0.5");
        proptest::prop_assert!(!bench.gate.account.agrees(asset("BTC"), never, asked_at, bench.gate.ledger()));
    }
}
