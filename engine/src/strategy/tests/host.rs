//! Who is asked when, and in which order wishes leave.

use super::*;
use crate::money::UNITS_PER_ONE;
use proptest::prelude::*;

#[test]
fn a_symbol_has_exactly_one_owner() {
    let owner = |kind| {
        (
            symbol(),
            StrategyParams {
                common: common(),
                kind,
            },
        )
    };
    let both = vec![owner(reverter()), owner(maker())];
    assert_eq!(
        Strategies::new(both).err(),
        Some(OwnerError::TwoOwners(symbol()))
    );
}

#[test]
fn the_book_of_an_unowned_pair_moves_nothing() {
    let mut bench = Bench::warm(maker());
    let other = Symbol::parse("ETHTRY").expect("a pair");
    bench.now = bench.now.plus_ms(5_000);
    let book = trusted(other, bench.now, &[(5, 1)], &[(6, 1)]);
    assert_eq!(
        bench.tell(StrategyIn::Book(BookView::Trusted(book))),
        vec![]
    );
}

#[test]
fn decisions_keep_their_distance_and_none_is_lost() {
    let mut bench = Bench::warm(reverter());
    let (start, mut decided) = (bench.now, Vec::new());
    for step in 1..=100 {
        bench.now = start.plus_ms(step * 10);
        let mid = if step < 80 { 10_000 } else { 9_800 };
        let book = trusted(symbol(), bench.now, &[(mid - 1, 5)], &[(mid + 1, 5)]);
        let mut effects = bench.tell(StrategyIn::Book(BookView::Trusted(book)));
        if bench
            .strategies
            .deadline()
            .is_some_and(|due| due <= bench.now)
        {
            let mut out = Outbox::default();
            bench.strategies.wake(bench.now, &mut out);
            effects.extend(out.drain());
        }
        if !intents(&effects).is_empty() {
            decided.push(step * 10);
        }
    }
    assert_eq!(
        decided,
        vec![1_000],
        "the fall at 800 ms waits for the next decision"
    );
}

#[test]
fn a_reason_is_told_when_it_changes_and_once_a_cycle() {
    let mut bench = Bench::new(reverter());
    assert_eq!(silent(&bench.mark(10_000)), vec![SilentReason::Warming]);
    assert_eq!(silent(&bench.mark(10_000)), vec![]);
    bench.now = bench.now.plus_ms(500);
    assert_eq!(
        silent(&bench.tell(StrategyIn::Cycle(1))),
        vec![SilentReason::Warming]
    );
    bench.marks(10_000, 7);
    assert_eq!(silent(&bench.mark(10_000)), vec![SilentReason::InsideBand]);
}

#[test]
fn intents_carry_cycle_book_and_mid() {
    let mut bench = Bench::warm(reverter());
    bench.tell(StrategyIn::Cycle(7));
    let effects = bench.mark(9_800);
    let Some(StrategyEffect::Intent(intent)) = effects.first() else {
        panic!("an intent, not {effects:?}");
    };
    assert_eq!((intent.cycle, intent.at), (7, bench.now));
    assert_eq!(intent.mid, price("9800"));
    assert_eq!((intent.book.session, intent.book.change), (1, 1));
    assert_eq!(intent.class, IntentClass::Entry);
}

#[test]
fn wishes_of_one_turn_leave_in_planning_order() {
    let names = ["AAATRY", "BBBTRY", "CCCTRY"].map(|name| Symbol::parse(name).expect("a pair"));
    let kinds = [reverter(), maker(), reverter()];
    let owners = names
        .iter()
        .zip(kinds)
        .map(|(pair, kind)| {
            (
                *pair,
                StrategyParams {
                    common: common(),
                    kind,
                },
            )
        })
        .collect();
    let mut strategies = Strategies::new(owners).expect("one owner each");
    let mut out = Outbox::default();
    let mut now = Timestamp::from_ms(0);
    let position = [Qty::ZERO, qty("0.5"), qty("0.5")];
    for (pair, position) in names.iter().zip(position) {
        strategies.handle(now, StrategyIn::Rules(rules(*pair)), &mut out);
        let desk = DeskView {
            symbol: *pair,
            mode: Mode::ObserveOnly,
            position,
            cost: position.is_positive().then(|| price("20000")),
            opened_at: position.is_positive().then_some(now),
            cash: Amount::from_whole(100_000),
            orders: Vec::new(),
            last_entry_at: None,
        };
        for second in 0..25 {
            now = Timestamp::from_ms(second * 1_000);
            let mid = if second < 24 { 10_000 } else { 9_800 };
            let book = trusted(*pair, now, &[(mid - 1, 9)], &[(mid + 1, 9)]);
            strategies.handle(now, StrategyIn::Book(BookView::Trusted(book)), &mut out);
        }
        let desk = DeskView {
            mode: Mode::Normal,
            ..desk
        };
        strategies.handle(now, StrategyIn::Desk(desk), &mut out);
    }
    out.drain().for_each(drop);
    strategies.wake(now.plus_ms(250), &mut out);
    let order: Vec<(Symbol, IntentClass, Side)> = out
        .drain()
        .filter_map(|effect| match effect {
            StrategyEffect::Intent(i) => Some((i.symbol, i.class, i.side)),
            StrategyEffect::Cancel(..) | StrategyEffect::Silent(..) => None,
        })
        .collect();
    let expected = vec![
        (names[2], IntentClass::Protective, Side::Sell),
        (names[1], IntentClass::Quote, Side::Sell),
        (names[1], IntentClass::Quote, Side::Buy),
        (names[0], IntentClass::Entry, Side::Buy),
    ];
    assert_eq!(order, expected);
}

#[test]
fn a_wish_without_an_echo_is_not_repeated_at_once() {
    let mut bench = Bench::warm(reverter());
    assert_eq!(intents(&bench.mark(9_800)).len(), 1);
    bench.now = bench.now.plus_ms(-500);
    let effects = bench.mark(9_800);
    assert_eq!(silent(&effects), vec![SilentReason::OrderWorking]);
    assert_eq!(
        intents(&bench.mark(9_800)).len(),
        1,
        "a second is patience enough"
    );
}

#[test]
fn orders_that_outlive_their_time_are_cancelled_with_or_without_a_book() {
    for is_trusted in [true, false] {
        let mut bench = Bench::warm(reverter());
        let id = bench.rest(Side::Buy, "9999", "0.05");
        bench.marks(10_000, 120);
        if !is_trusted {
            bench.distrust();
        }
        bench.now = bench.now.plus_ms(1_000);
        let effects = bench.tell(StrategyIn::Cycle(2));
        assert_eq!(
            cancels(&effects),
            vec![(id, CancelReason::Ttl)],
            "{is_trusted}"
        );
    }
}

#[test]
fn without_rules_or_a_desk_nothing_is_wanted() {
    let params = StrategyParams {
        common: common(),
        kind: maker(),
    };
    let mut bench = Bench::new(maker());
    bench.strategies = Strategies::new(vec![(symbol(), params)]).expect("one owner");
    assert_eq!(silent(&bench.mark(10_000)), vec![SilentReason::Mode]);
    assert_eq!(silent(&bench.tell_desk()), vec![SilentReason::NoRules]);
    bench.tell(StrategyIn::Rules(Instrument {
        is_trading: false,
        ..rules(symbol())
    }));
    assert_eq!(silent(&bench.mark(10_000)), vec![]);
}

#[test]
fn a_hole_in_the_marks_starts_the_warming_anew() {
    let mut bench = Bench::warm(reverter());
    bench.distrust();
    bench.now = bench.now.plus_ms(61_000);
    assert_eq!(silent(&bench.mark(9_000)), vec![SilentReason::Warming]);
}

proptest! {
    /// Whatever the numbers are, a strategy answers or stays silent; it never panics and never crosses with a quote.
    #[test]
    fn strategies_survive_any_market(
        is_maker in any::<bool>(),
        mids in prop::collection::vec(2i64..90_000_000_000, 1..40),
        position in 0i64..i64::MAX,
        cost in 1i64..i64::MAX,
        cash in any::<i64>(),
    ) {
        let mut bench = Bench::new(if is_maker { maker() } else { reverter() });
        bench.desk.position = Qty::from_units(position);
        bench.desk.cost = Some(Price::from_units(cost));
        bench.desk.opened_at = Some(Timestamp::default());
        bench.desk.cash = Amount::from_whole(cash);
        bench.tell_desk();
        for mid in mids {
            let effects = bench.mark(mid);
            for effect in effects {
                if let StrategyEffect::Intent(intent) = effect {
                    prop_assert!(intent.limit.is_positive() && intent.qty.is_positive());
                    prop_assert!(intent.limit.value(intent.qty) >= Amount::from_whole(100));
                    prop_assert_eq!(intent.limit.units() % UNITS_PER_ONE, 0);
                    if intent.side == Side::Sell {
                        prop_assert!(intent.qty.units() <= position);
                    }
                    if intent.class == IntentClass::Quote {
                        let crosses = match intent.side {
                            Side::Buy => intent.limit.units() > mid * UNITS_PER_ONE,
                            Side::Sell => intent.limit.units() < mid * UNITS_PER_ONE,
                        };
                        prop_assert!(!crosses);
                    }
                }
            }
        }
    }
}
