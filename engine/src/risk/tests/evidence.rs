//! What an approval says it rests on: the book, the books, and each check with what was seen and allowed.

use super::*;
use crate::decision::{Bound, Check, Decision, Found};

fn as_set(_: &mut RiskSettings) {}

fn decisions(bench: &Bench) -> Vec<&Decision> {
    let told = bench.effects.iter().filter_map(|effect| {
        if let RiskEffect::Decided(decision) = effect {
            Some(decision.as_ref())
        } else {
            None
        }
    });
    told.collect()
}

/// Plays `script` and returns the last decision.
fn decided(change: impl FnOnce(&mut RiskSettings), script: &[&str]) -> Decision {
    let mut bench = Bench::ready(change);
    bench.play(script);
    let last = decisions(&bench).last().copied().cloned();
    last.expect("something was approved")
}

fn found(decision: &Decision, check: Check) -> Option<Found> {
    let mut findings = decision.checks.iter();
    findings
        .find(|(of, _)| *of == check)
        .map(|(_, found)| *found)
}

fn money(seen: &str, allowed: &str) -> Option<Found> {
    Some(Found::Money(amount(seen), amount(allowed)))
}

#[test]
fn an_approval_is_preceded_by_what_it_rests_on_and_a_denial_by_nothing() {
    let mut bench = Bench::ready(as_set);
    bench.effects.clear();
    bench.play(&["buy BTCTRY 9 @ 2000", "buy BTCTRY 0.1 @ 1000"]);
    assert_eq!(decisions(&bench).len(), 1);
    let place = |wanted: fn(&RiskEffect) -> bool| bench.effects.iter().position(wanted);
    let evidence = place(|effect| matches!(effect, RiskEffect::Decided(_)));
    let approval = place(|effect| matches!(effect, RiskEffect::Submit(_)));
    assert!(evidence < approval && evidence.is_some());
    let decision = decisions(&bench)[0];
    assert_eq!(decision.client_id, bench.approved[0].client_id);
    assert_eq!(decision.at, bench.now);
}

#[test]
fn the_market_and_the_books_are_told_as_they_stood_before_the_order() {
    let script = ["book BTCTRY 999 1001", "age 150", "buy BTCTRY 0.1 @ 1000"];
    let decision = decided(as_set, &script);
    let book = decision.book;
    assert_eq!((book.bid, book.bid_qty), (price("999"), qty("2")));
    assert_eq!((book.ask, book.ask_qty), (price("1001"), qty("3")));
    assert_eq!((book.mid, book.age_ms), (price("1000"), 150));
    assert_eq!(
        (decision.position, decision.cash),
        (amount("1"), amount("10000"))
    );
    assert_eq!(
        decision.spendable,
        amount("9900"),
        "the target is kept back"
    );
    assert_eq!(decision.equity, Some(amount("11000")));
    assert_eq!((decision.mode, decision.is_reducing), (Mode::Normal, false));
}

#[test]
fn an_order_made_smaller_shows_what_was_wanted_and_the_capped_value() {
    let decision = decided(as_set, &["buy BTCTRY 1 @ 1000.009"]);
    assert_eq!(decision.wanted_limit, price("1000.009"));
    assert_eq!(decision.wanted_qty, qty("1"));
    assert_eq!(found(&decision, Check::OrderValue), money("500", "500"));
    assert_eq!(found(&decision, Check::OrderMinimum), money("500", "10"));
}

#[test]
fn each_limit_says_what_was_seen_and_what_is_allowed() {
    let script = [
        "buy BTCTRY 0.1 @ 1000 entry",
        "wait 61000",
        "book BTCTRY 999 1001",
    ];
    let again = [
        "balances TRY=10000 BTC=1",
        "buy BTCTRY 0.2 @ 1002 entry late 40",
    ];
    let decision = decided(as_set, &[&script[..], &again[..]].concat());
    let check = |check: Check, expected: Option<Found>| {
        assert_eq!(found(&decision, check), expected, "{check:?}");
    };
    check(Check::IntentAge, Some(Found::Ms(40, 250)));
    check(Check::BookAge, Some(Found::Ms(0, 2_000)));
    // 1002 is 1 above 1001: 9.99 basis points, rounded against the order.
    check(Check::Collar, Some(Found::Bps(10, 100)));
    check(Check::Spread, Some(Found::Bps(20, 200)));
    check(Check::OpenOrdersOfPair, Some(Found::Count(1, 5)));
    check(Check::OpenOrders, Some(Found::Count(1, 20)));
    check(Check::Cooldown, Some(Found::Ms(61_000, 60_000)));
    check(Check::OrderRate, Some(Found::Count(0, 30)));
    check(Check::MinuteValue, money("200.4", "100000"));
    check(Check::DailyLoss, money("0", "500"));
    check(Check::Drawdown, Some(Found::Bps(0, 1_000)));
    check(Check::PairExposure, money("1300.4", "5000"));
    check(Check::Reserve, Some(Found::Holds));
    check(Check::Policy, None);
    check(Check::Inventory, None);
}

#[test]
fn a_reducing_sale_is_not_asked_what_does_not_bind_it() {
    let decision = decided(as_set, &["sell BTCTRY 0.3 @ 1001"]);
    assert!(decision.is_reducing);
    assert_eq!(found(&decision, Check::Inventory), money("0.3", "1"));
    for check in [
        Check::Spread,
        Check::Cash,
        Check::OrderRate,
        Check::DailyLoss,
    ] {
        assert_eq!(found(&decision, check), None, "{check:?}");
    }
    // It rests on its own side of the market: as far from the best bid as the market is wide.
    assert_eq!(found(&decision, Check::Collar), Some(Found::Bps(-20, 100)));
}

#[test]
fn what_was_approved_keeps_every_distance_on_its_side() {
    let script = [
        "buy BTCTRY 0.1 @ 1000",
        "sell BTCTRY 0.3 @ 1002",
        "buy ETHTRY 2 @ 99",
    ];
    let mut bench = Bench::ready(as_set);
    bench.play(&script);
    assert_eq!(decisions(&bench).len(), 3);
    for decision in decisions(&bench) {
        for (check, found) in &decision.checks {
            let order = match found {
                Found::Holds => continue,
                Found::Money(seen, allowed) => seen.cmp(allowed),
                Found::Bps(seen, allowed) | Found::Ms(seen, allowed) => seen.cmp(allowed),
                Found::Count(seen, allowed) => seen.cmp(allowed),
            };
            let is_kept = match check.bound() {
                Bound::AtMost => order.is_le(),
                Bound::Below => order.is_lt(),
                Bound::AtLeast => order.is_ge(),
            };
            assert!(is_kept, "{check:?} {found:?}");
        }
    }
}
