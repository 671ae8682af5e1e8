//! Mean reversion: one mark after a warm anchor, one answer.

use super::*;
use crate::answer::UnknownCause;

#[test]
fn mean_reversion_round_trips_on_a_swing() {
    let mut bench = Bench::warm(reverter());
    assert_eq!(
        intents(&bench.mark(9_890)),
        want(Side::Buy, "9889", "0.1011", "mean_reversion_buy")
    );
    bench.hold("0.1011", "9899");
    assert_eq!(silent(&bench.mark(9_950)), vec![SilentReason::Holding]);
    assert_eq!(
        intents(&bench.mark(9_999)),
        want(Side::Sell, "10000", "0.1011", "mean_reversion_exit")
    );
    bench.desk.position = Qty::ZERO;
    bench.desk.cost = None;
    bench.desk.opened_at = None;
    bench.tell_desk();
    assert_eq!(silent(&bench.mark(9_999)), vec![]);
}

/// One mark after a warm anchor of 10000, perhaps with a position at a cost.
fn check_mean_reversion(
    position: Option<(&str, &str)>,
    (bid, ask): (i64, i64),
    expected: Result<(Side, &str, &str, &'static str), SilentReason>,
) {
    let mut bench = Bench::warm(reverter());
    if let Some((size, cost)) = position {
        bench.hold(size, cost);
    }
    bench.tell(StrategyIn::Cycle(1));
    let effects = bench.spread(bid, ask);
    let case = format!("{position:?} at {bid}/{ask}");
    match expected {
        Ok((side, limit, size, reason)) => {
            assert_eq!(intents(&effects), want(side, limit, size, reason), "{case}");
        }
        Err(reason) => assert_eq!(
            (intents(&effects), silent(&effects)),
            (vec![], vec![reason]),
            "{case}"
        ),
    }
}

#[test]
fn entries_need_a_deviation_and_an_edge() {
    let check = check_mean_reversion;
    // The mark itself is one of twenty samples: the anchor is 9995, 9994.55 and 9989.45.
    check(None, (9_899, 9_901), Err(SilentReason::InsideBand));
    check(
        None,
        (9_890, 9_892),
        Ok((Side::Buy, "9890", "0.1011", "mean_reversion_buy")),
    );
    check(
        None,
        (9_788, 9_790),
        Ok((Side::Buy, "9788", "0.2043", "mean_reversion_buy")),
    );
    let dear = KindParams::MeanReversion(MeanReversionParams {
        window_ms: 20_000,
        samples_min: 10,
        entry_bps: 20,
        exit_bps: 10,
        stop_bps: 0,
        max_hold_ms: 600_000,
    });
    let mut bench = Bench::warm(dear);
    assert_eq!(silent(&bench.mark(9_960)), vec![SilentReason::EdgeTooSmall]);
}

#[test]
fn exits_take_the_first_reason_that_holds() {
    let check = check_mean_reversion;
    let held = Some(("0.5", "10000"));
    check(
        held,
        (9_700, 9_710),
        Ok((Side::Sell, "9691", "0.5", "mean_reversion_stop")),
    );
    // Not stopped: the fall is deep enough for an entry.
    check(
        held,
        (9_701, 9_711),
        Ok((Side::Buy, "9701", "0.2061", "mean_reversion_buy")),
    );
    check(
        held,
        (10_200, 10_202),
        Ok((Side::Sell, "10190", "0.5", "mean_reversion_sell")),
    );
    check(
        held,
        (10_050, 10_060),
        Ok((Side::Sell, "10060", "0.5", "mean_reversion_exit")),
    );
    check(held, (10_040, 10_054), Err(SilentReason::Holding));
    check(
        Some(("0.005", "10000")),
        (9_600, 9_610),
        Err(SilentReason::Dust),
    );
}

#[test]
fn an_old_position_is_sold_first_patiently_then_at_once() {
    let mut bench = Bench::warm(reverter());
    bench.hold("0.5", "10100");
    bench.desk.opened_at = Some(bench.now.plus_ms(-600_000));
    bench.tell(StrategyIn::Desk(bench.desk.clone()));
    let patient = bench.mark(10_000);
    assert_eq!(
        intents(&patient),
        want(Side::Sell, "10001", "0.5", "mean_reversion_time_stop")
    );
    bench.desk.opened_at = Some(bench.now.plus_ms(-961_000));
    bench.tell(StrategyIn::Desk(bench.desk.clone()));
    let at_once = bench.mark(10_000);
    assert_eq!(
        intents(&at_once),
        want(Side::Sell, "9990", "0.5", "mean_reversion_time_stop")
    );
}

#[test]
fn stops_need_no_anchor() {
    let mut bench = Bench::new(reverter());
    bench.hold("0.5", "10000");
    assert_eq!(
        intents(&bench.mark(9_600)),
        want(Side::Sell, "9590", "0.5", "mean_reversion_stop")
    );
}

#[test]
fn reprice_uses_the_orders_own_price_and_side() {
    let mut bench = Bench::warm(reverter());
    let id = bench.rest(Side::Buy, "9890", "0.1");
    assert_eq!(cancels(&bench.mark(9_911)), vec![]);
    assert_eq!(
        cancels(&bench.mark(9_940)),
        vec![(id, CancelReason::Reprice)]
    );
    let mut bench = Bench::warm(reverter());
    bench.hold("0.5", "10100");
    let id = bench.rest(Side::Sell, "10100", "0.5");
    // Best bid is 25 bps from the order, best ask is not: a sale is compared with the ask.
    assert_eq!(cancels(&bench.spread(10_050, 10_090)), vec![]);
    assert_eq!(
        cancels(&bench.spread(10_050, 10_070)),
        vec![(id, CancelReason::Reprice)]
    );
}

#[test]
fn reprice_uses_the_orders_own_symbol() {
    let other = Symbol::parse("ETHTRY").expect("a pair");
    let params = StrategyParams {
        common: common(),
        kind: reverter(),
    };
    let mut bench = Bench::new(reverter());
    bench.strategies =
        Strategies::new(vec![(symbol(), params), (other, params)]).expect("one owner each");
    bench.tell(StrategyIn::Rules(rules(symbol())));
    bench.tell(StrategyIn::Rules(rules(other)));
    bench.tell(StrategyIn::Desk(DeskView {
        symbol: other,
        ..bench.desk.clone()
    }));
    bench.marks(10_000, 25);
    bench.rest(Side::Buy, "9999", "0.1");
    for mid in [500, 400, 300] {
        bench.now = bench.now.plus_ms(1_000);
        let book = trusted(other, bench.now, &[(mid - 1, 5)], &[(mid + 1, 5)]);
        let effects = bench.tell(StrategyIn::Book(BookView::Trusted(book)));
        assert_eq!(cancels(&effects), vec![]);
    }
}

#[test]
fn orders_of_unknown_fate_are_not_cancelled_by_age_or_price() {
    let mut bench = Bench::warm(reverter());
    bench.rest(Side::Buy, "9000", "0.1");
    bench.desk.orders[0].state = OrderState::Unknown(UnknownCause::Timeout);
    bench.tell_desk();
    for _ in 0..200 {
        assert_eq!(cancels(&bench.mark(10_000)), vec![]);
    }
}

#[test]
fn a_stop_waits_for_its_own_purchase_to_end() {
    let mut bench = Bench::warm(reverter());
    bench.hold("0.5", "10000");
    let id = bench.rest(Side::Buy, "9600", "0.1");
    let effects = bench.mark(9_600);
    assert_eq!(
        (intents(&effects), cancels(&effects)),
        (vec![], vec![(id, CancelReason::Reprice)])
    );
    bench.desk.orders[0].state = OrderState::Unknown(UnknownCause::Timeout);
    bench.tell(StrategyIn::Desk(bench.desk.clone()));
    assert_eq!(intents(&bench.mark(9_600)).len(), 1);
}

#[test]
fn modes_let_exits_pass_and_nothing_else() {
    let mut bench = Bench::warm(reverter());
    let id = bench.rest(Side::Buy, "9999", "0.1");
    let effects = bench.set_mode(Mode::ReduceRiskOnly);
    assert_eq!(cancels(&effects), vec![(id, CancelReason::SafeMode)]);
    bench.desk.orders.clear();
    bench.tell_desk();
    assert_eq!(intents(&bench.mark(9_500)), vec![]);
    bench.hold("0.5", "10000");
    assert_eq!(intents(&bench.mark(9_500)).len(), 1);
    bench.set_mode(Mode::ObserveOnly);
    assert_eq!(intents(&bench.mark(9_500)), vec![]);
    bench.set_mode(Mode::KillSwitch);
    assert_eq!(intents(&bench.mark(9_500)), vec![]);
}

#[test]
fn entries_stay_within_the_cash() {
    let mut bench = Bench::warm(reverter());
    bench.desk.cash = Amount::from_whole(500);
    bench.tell_desk();
    assert_eq!(
        intents(&bench.mark(9_890)),
        want(Side::Buy, "9889", "0.0504", "mean_reversion_buy")
    );
    bench.desk.cash = Amount::from_whole(-5);
    bench.tell_desk();
    assert_eq!(intents(&bench.mark(9_890)), vec![]);
}

#[test]
fn an_entry_of_exactly_the_minimum_is_not_lost_to_rounding() {
    let params = StrategyParams {
        common: CommonParams::default(),
        kind: reverter(),
    };
    let mut bench = Bench::new(reverter());
    bench.strategies = Strategies::new(vec![(symbol(), params)]).expect("one owner");
    bench.tell(StrategyIn::Rules(rules(symbol())));
    bench.tell_desk();
    bench.marks(10_000, 25);
    assert_eq!(
        intents(&bench.mark(9_890)),
        want(Side::Buy, "9889", "0.0102", "mean_reversion_buy")
    );
}
