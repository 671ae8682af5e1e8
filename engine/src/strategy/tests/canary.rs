//! The canary: one far order in a cycle, and none beside another.

use super::*;

fn bench() -> Bench {
    let mut bench = Bench::new(KindParams::Canary);
    bench.marks(10_000, 2);
    bench
}

/// The next cycle, half a second later.
fn cycle(bench: &mut Bench, number: u32) -> Vec<StrategyEffect> {
    bench.now = bench.now.plus_ms(500);
    bench.tell(StrategyIn::Cycle(number))
}

#[test]
fn a_cycle_brings_one_far_order_and_no_second_one() {
    let mut bench = bench();
    assert!(intents(&bench.mark(10_000)).is_empty(), "no cycle yet");
    let wanted = want(Side::Buy, "9499", "0.1052", "canary_buy");
    assert_eq!(intents(&cycle(&mut bench, 1)), wanted);
    bench.desk.last_entry_at = Some(bench.now);
    bench.rest(Side::Buy, "9499", "0.1052");
    assert!(intents(&bench.mark(10_000)).is_empty(), "it is working");
    assert!(intents(&cycle(&mut bench, 2)).is_empty(), "it still is");
    bench.desk.orders.clear();
    bench.tell_desk();
    assert_eq!(intents(&bench.mark(10_000)), wanted, "the second cycle's");
    bench.desk.last_entry_at = Some(bench.now);
    assert_eq!(silent(&bench.tell_desk()), [SilentReason::CycleDone]);
    assert!(intents(&bench.mark(10_000)).is_empty(), "one a cycle");
    assert_eq!(intents(&cycle(&mut bench, 3)), wanted);
}

#[test]
fn its_order_runs_out_at_its_time_to_live_whatever_the_market_does() {
    let mut bench = bench();
    let id = bench.rest(Side::Buy, "9500", "0.1");
    bench.marks(20_000, 119);
    assert!(cancels(&bench.mark(20_000)).is_empty());
    bench.now = bench.now.plus_ms(1);
    assert_eq!(cancels(&bench.mark(20_000)), [(id, CancelReason::Ttl)]);
}

#[test]
fn any_mode_but_normal_takes_its_order_back() {
    let mut bench = bench();
    let id = bench.rest(Side::Buy, "9500", "0.1");
    let reduced = bench.set_mode(Mode::ReduceRiskOnly);
    assert_eq!(cancels(&reduced), [(id, CancelReason::SafeMode)]);
    assert!(intents(&cycle(&mut bench, 1)).is_empty());
}

#[test]
fn what_does_not_fit_the_smallest_order_is_not_asked_for() {
    let mut bench = bench();
    bench.desk.cash = Amount::from_whole(50);
    bench.tell_desk();
    let effects = cycle(&mut bench, 1);
    assert_eq!(silent(&effects), [SilentReason::QuoteTooSmall]);
    assert!(intents(&effects).is_empty());
}
