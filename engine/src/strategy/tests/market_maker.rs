//! The market maker: where it quotes, when it moves, when it leaves.

use super::*;

#[test]
fn nothing_is_quoted_while_warming() {
    let mut bench = Bench::new(maker());
    for _ in 0..4 {
        assert_eq!(intents(&bench.mark(10_000)), vec![]);
    }
    assert_eq!(intents(&bench.mark(10_000)).len(), 1);
}

/// The quotes of a warm market maker at 10000 with this position.
fn quotes(position: &str) -> Vec<(Side, String, String, &'static str)> {
    let mut bench = Bench::new(maker());
    bench.hold(position, "10000");
    bench.marks(10_000, 4);
    intents(&bench.mark(10_000))
}

#[test]
fn quotes_lean_with_inventory() {
    let check = |position: &str, bid: Option<(&str, &str)>, ask: Option<(&str, &str)>| {
        let own = |text: (&str, &str)| (text.0.to_string(), text.1.to_string());
        let expected: Vec<_> = ask
            .map(|text| (Side::Sell, own(text), "quote_ask"))
            .into_iter()
            .chain(bid.map(|text| (Side::Buy, own(text), "quote_bid")))
            .map(|(side, (limit, size), reason)| (side, limit, size, reason))
            .collect();
        assert_eq!(quotes(position), expected, "holding {position}");
    };
    // Without inventory it only bids, and leans up by the whole skew.
    check("0", Some(("9994", "0.1")), None);
    // Half of the target: half of the ask, half of the lean.
    check("0.25", Some(("9987", "0.1001")), Some(("10028", "0.0498")));
    // At the target both sides are full and even.
    check("0.5", Some(("9980", "0.1002")), Some(("10020", "0.0998")));
    // Half way to the limit: half of the bid, leaning down.
    check("0.75", Some(("9972", "0.0501")), Some(("10013", "0.0998")));
    // At the limit and beyond only the ask is left.
    check("1", None, Some(("10005", "0.0999")));
    check("7", None, Some(("10005", "0.0999")));
}

#[test]
fn quotes_widen_with_volatility() {
    let mut bench = Bench::new(maker());
    bench.hold("0.5", "10000");
    for n in 0..30 {
        bench.mark(if n % 2 == 0 { 10_000 } else { 10_005 });
    }
    // Five a second is 4.99 bps; times eight, 39 bps.
    let effects = bench.mark(10_000);
    assert_eq!(
        intents(&effects),
        vec![
            (Side::Sell, "10040".into(), "0.0996".into(), "quote_ask"),
            (Side::Buy, "9960".into(), "0.1004".into(), "quote_bid"),
        ]
    );
}

#[test]
fn quotes_never_cross_the_book() {
    let mut bench = Bench::new(maker());
    bench.hold("0.5", "10000");
    for _ in 0..5 {
        bench.spread(9_000, 11_000);
    }
    // The price was 10000 for long; the spread has come down to one side.
    let effects = bench.spread(9_000, 9_001);
    for (side, limit, _, _) in intents(&effects) {
        let limit = price(&limit);
        match side {
            Side::Buy => assert!(limit < price("9001"), "{limit}"),
            Side::Sell => assert!(limit > price("9000"), "{limit}"),
        }
    }
}

#[test]
fn a_quote_moves_only_when_it_is_off_and_has_lived() {
    let mut bench = Bench::warm(maker());
    let id = bench.rest(Side::Buy, "9994", "0.1");
    assert_eq!(cancels(&bench.mark(10_000)), vec![]);
    assert_eq!(cancels(&bench.mark(10_004)), vec![]);
    assert_eq!(
        cancels(&bench.mark(10_012)),
        vec![(id, CancelReason::Reprice)]
    );
    let mut bench = Bench::warm(maker());
    bench.rest(Side::Buy, "9000", "0.1");
    bench.now = bench.now.plus_ms(-500);
    assert_eq!(cancels(&bench.mark(10_000)), vec![], "too young");
}

/// States in which a quote may still trade, whatever was asked of it.
const LIVING: [OrderState; 5] = [
    OrderState::Reserved,
    OrderState::Sending,
    OrderState::Unknown(UnknownCause::Timeout),
    OrderState::Open,
    OrderState::Partial,
];

#[test]
fn replace_never_overlaps() {
    for state in LIVING {
        for cancel_asked in [false, true] {
            let mut bench = Bench::warm(maker());
            bench.rest(Side::Buy, "9900", "0.1");
            bench.desk.orders[0].state = state;
            bench.desk.orders[0].cancel_asked = cancel_asked;
            bench.tell_desk();
            for mid in [10_000, 10_050, 10_000] {
                let effects = bench.mark(mid);
                assert_eq!(intents(&effects), vec![], "{state:?} {cancel_asked}");
            }
        }
    }
}

#[test]
fn replace_completes_and_none_accumulates() {
    let mut bench = Bench::warm(maker());
    let id = bench.rest(Side::Buy, "9900", "0.1");
    assert_eq!(
        cancels(&bench.mark(10_000)),
        vec![(id, CancelReason::Reprice)]
    );
    bench.desk.orders[0].cancel_asked = true;
    bench.tell_desk();
    // The market moves on while the exchange takes its time: every further wish collapses into the newest.
    for mid in [10_010, 10_020, 10_030, 10_040] {
        let effects = bench.mark(mid);
        assert_eq!((intents(&effects), cancels(&effects)), (vec![], vec![]));
    }
    bench.desk.orders.clear();
    let bids = intents(&bench.tell_desk());
    assert_eq!(bids, want(Side::Buy, "10034", "0.0996", "quote_bid"));
    bench.rest(Side::Buy, "10034", "0.0996");
    bench.desk.orders[0].state = OrderState::Reserved;
    for _ in 0..3 {
        assert_eq!(
            intents(&bench.mark(10_040)),
            vec![],
            "one quote, not several"
        );
    }
}

#[test]
fn a_replacement_that_was_under_way_is_decided_anew_after_a_restart() {
    let mut first = Bench::warm(maker());
    first.rest(Side::Buy, "9900", "0.1");
    assert_eq!(cancels(&first.mark(10_000)).len(), 1);
    // The next life knows orders only: the old one is living or it is not, and nothing is owed.
    let mut second = Bench::warm(maker());
    assert_eq!(
        intents(&second.mark(10_000)),
        want(Side::Buy, "9994", "0.1", "quote_bid")
    );
}

#[test]
fn a_new_quote_waits_for_the_old_one_to_end() {
    let mut bench = Bench::warm(maker());
    bench.rest(Side::Buy, "9900", "0.1");
    let effects = bench.mark(10_000);
    assert_eq!((intents(&effects), cancels(&effects).len()), (vec![], 1));
    bench.desk.orders[0].cancel_asked = true;
    bench.tell_desk();
    let effects = bench.mark(10_000);
    assert_eq!((intents(&effects), cancels(&effects)), (vec![], vec![]));
    bench.desk.orders[0].state = OrderState::Canceled;
    bench.tell_desk();
    assert_eq!(
        intents(&bench.mark(10_000)),
        want(Side::Buy, "9994", "0.1", "quote_bid")
    );
}

#[test]
fn a_quote_that_is_mostly_filled_is_renewed() {
    let mut bench = Bench::warm(maker());
    let id = bench.rest(Side::Buy, "9994", "0.1");
    bench.desk.orders[0].filled = qty("0.05");
    bench.tell_desk();
    assert_eq!(cancels(&bench.mark(10_000)), vec![]);
    bench.desk.orders[0].filled = qty("0.0501");
    bench.tell_desk();
    assert_eq!(
        cancels(&bench.mark(10_000)),
        vec![(id, CancelReason::Reprice)]
    );
}

#[test]
fn a_quote_never_meets_an_own_order() {
    let mut bench = Bench::warm(maker());
    bench.hold("0.5", "10000");
    bench.rest(Side::Sell, "9980", "0.1");
    for _ in 0..5 {
        for (side, limit, _, _) in intents(&bench.mark(10_000)) {
            assert!(side == Side::Sell || price(&limit) < price("9980"));
        }
    }
}

#[test]
fn an_untrusted_book_ends_the_quotes_at_once() {
    let mut bench = Bench::warm(maker());
    bench.hold("0.5", "10000");
    let bid = bench.rest(Side::Buy, "9980", "0.1");
    let ask = bench.rest(Side::Sell, "10020", "0.0998");
    assert_eq!(
        cancels(&bench.distrust()),
        vec![
            (bid, CancelReason::Untrusted),
            (ask, CancelReason::Untrusted)
        ]
    );
    assert_eq!(cancels(&bench.distrust()), vec![], "asked for already");
}

#[test]
fn no_quotes_when_the_mode_is_not_normal() {
    for (mode, reason, keeps_ask) in [
        (Mode::ReduceRiskOnly, CancelReason::SafeMode, true),
        (Mode::ObserveOnly, CancelReason::SafeMode, false),
        (Mode::KillSwitch, CancelReason::Kill, false),
    ] {
        let mut bench = Bench::warm(maker());
        bench.hold("0.5", "10000");
        let bid = bench.rest(Side::Buy, "9980", "0.1");
        let ask = bench.rest(Side::Sell, "10020", "0.0998");
        let mut expected = vec![(bid, reason)];
        if !keeps_ask {
            expected.push((ask, reason));
        }
        let effects = bench.set_mode(mode);
        assert_eq!(cancels(&effects), expected, "{mode:?}");
        assert_eq!(silent(&effects), vec![SilentReason::Mode]);
        bench.desk.orders.clear();
        bench.tell_desk();
        for _ in 0..3 {
            assert_eq!(intents(&bench.mark(10_000)), vec![], "{mode:?}");
        }
    }
}

#[test]
fn a_quote_too_small_to_place_is_a_reason() {
    let mut bench = Bench::warm(maker());
    bench.desk.cash = Amount::from_whole(50);
    bench.tell_desk();
    assert_eq!(
        silent(&bench.mark(10_000)),
        vec![],
        "told with the desk already"
    );
    bench.now = bench.now.plus_ms(1_000);
    assert_eq!(
        silent(&bench.tell(StrategyIn::Cycle(3))),
        vec![SilentReason::QuoteTooSmall]
    );
}
