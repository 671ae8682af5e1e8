//! Orders of unknown fate: what they freeze, what proves them absent, and what proves nothing.

use super::*;

#[test]
fn an_unknown_order_freezes_its_symbol_and_is_found() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        9,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::Timeout)),
    );
    assert!(world.raised(ModeCode::UnknownOrders));
    world.wake(9);
    assert!(
        matches!(world.effects.last(), Some(RouterEffect::LookUp(symbols)) if symbols.len() == 1)
    );
    world.tell(20, look(10, vec![row(1, 77, 10, RowStatus::Untouched)]));
    assert_eq!(world.state(1), OrderState::Open);
    assert!(
        world
            .effects
            .iter()
            .any(|effect| matches!(effect, RouterEffect::Clear(ModeCode::UnknownOrders, _)))
    );
}

#[test]
fn unknown_order_always_resolves_when_exchange_answers() {
    let mut world = World::new();
    world.witnessed().sent(1, 0).tell(
        9,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::ConnectionLost)),
    );
    let opens = LIFE_MS + 15_000;
    for (n, at) in [opens - 1, opens, opens + 5_000].into_iter().enumerate() {
        world.tell(at + 1, look(at, vec![witness()]));
        assert!(
            world.state(1) == OrderState::Unknown(UnknownCause::ConnectionLost),
            "look {n}"
        );
    }
    world.tell(opens + 10_001, look(opens + 10_000, vec![witness()]));
    assert_eq!(world.state(1), OrderState::Absent);
    assert!(world.cleared(ModeCode::UnknownOrders));
}

#[test]
fn x_17_a_look_that_misses_a_known_order_proves_nothing() {
    let mut world = World::new();
    world.witnessed().open(2, 0, 88);
    world.sent(1, 0).tell(
        9,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::ConnectionLost)),
    );
    for at in [20_000, 25_000, 30_000, 35_000] {
        world.tell(at, look(at, vec![witness()]));
    }
    assert_eq!(
        world.state(1),
        OrderState::Unknown(UnknownCause::ConnectionLost)
    );
}

#[test]
fn lookalike_foreign_order_is_never_adopted_as_own() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        9,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::Timeout)),
    );
    let stranger = OrderRow {
        client_id: None,
        ..row(1, 500, 10, RowStatus::Untouched)
    };
    world.tell(20, look(10, vec![stranger]));
    assert_eq!(world.state(1), OrderState::Unknown(UnknownCause::Timeout));
    assert!(
        world
            .effects
            .contains(&RouterEffect::Note(RouterNote::Foreign(OrderId(500))))
    );
}

/// Loses order 1, shows these rows (and those histories) in four looks behind the horizon, and compares.
fn check_looks(rows: &[OrderRow], since: i64, expected: Option<Unproven>) {
    let mut world = World::new();
    world.witnessed().lost(1, 0);
    let mut told = Vec::new();
    for at in [20_000, 25_000, 30_000, 35_000] {
        world.tell(at, look_since(at, since, rows.to_vec()));
        told.extend(world.notes().into_iter().filter_map(|note| {
            let RouterNote::Unproven(_, why) = note else {
                return None;
            };
            Some(why)
        }));
    }
    assert_eq!(
        told,
        Vec::from_iter(expected),
        "told once, with its reason: {rows:?}"
    );
    let is_absent = world.state(1) == OrderState::Absent;
    assert_eq!(is_absent, expected.is_none(), "{rows:?}");
    let shown: Vec<_> = world
        .router
        .unknowns()
        .map(|order| order.unproven)
        .collect();
    assert_eq!(shown, Vec::from_iter(expected.map(Some)), "{rows:?}");
}

fn stranger(changed_at: i64) -> OrderRow {
    OrderRow {
        client_id: None,
        at: ms(changed_at),
        ..row(1, 500, 10, RowStatus::Untouched)
    }
}

#[test]
fn x_03_looks_without_a_witness_prove_nothing() {
    check_looks(&[witness()], -100_000, None);
    check_looks(&[], -100_000, Some(Unproven::NoWitness));
    let without_id = OrderRow {
        client_id: None,
        price: Price::from_units(7),
        ..witness()
    };
    check_looks(&[without_id], -100_000, Some(Unproven::NoWitness));
    check_looks(&[witness()], -59_000, Some(Unproven::ShortHistory));
}

#[test]
fn x_03_a_lookalike_blocks_the_proof_and_is_not_adopted() {
    let blocked = Some(Unproven::Lookalike(OrderId(500)));
    check_looks(&[witness(), stranger(100)], -100_000, blocked);
    // Nothing that last changed before ours could be accepted can be ours.
    check_looks(&[witness(), stranger(-6_000)], -100_000, None);
    for other in [
        OrderRow {
            price: Price::from_units(101),
            ..stranger(100)
        },
        OrderRow {
            qty: qty(11),
            ..stranger(100)
        },
        OrderRow {
            side: Side::Sell,
            ..stranger(100)
        },
        OrderRow {
            symbol: Symbol::parse("ETHTRY").expect("a pair"),
            ..stranger(100)
        },
    ] {
        check_looks(&[witness(), other], -100_000, None);
    }
}

#[test]
fn x_03_the_history_is_asked_for_far_enough_back_to_hold_a_witness() {
    let mut world = World::new();
    world.witnessed().lost(1, 3_600_000);
    world.wake(3_600_009);
    let since = -60_000 + LIFE_MS - absence::HISTORY_MARGIN_MS;
    let asked = RouterEffect::LookUp(vec![(btc(), ms(since))]);
    assert!(world.effects.contains(&asked), "{:?}", world.effects);

    let day = absence::WITNESS_BACK_MS_MAX;
    let mut world = World::new();
    world.witnessed().lost(1, day).wake(day + 9);
    let since = day + LIFE_MS - absence::HISTORY_MARGIN_MS;
    let asked = RouterEffect::LookUp(vec![(btc(), ms(since))]);
    assert!(world.effects.contains(&asked), "{:?}", world.effects);
}

#[test]
fn x_07_an_order_on_its_way_is_left_over_until_its_horizon_has_passed() {
    let mut world = World::new();
    world
        .witnessed()
        .lost(1, 0)
        .tell(10, RouterIn::CancelAll(CancelReason::Shutdown));
    for at in [1_000, 6_000, 11_000, 15_249] {
        world.tell(at, look(at, vec![witness()]));
        assert_eq!(world.router.living().count(), 1, "at {at}");
    }
}

#[test]
fn x_22_unknown_orders_widen_the_freeze_and_never_kill_by_count() {
    let code = ModeCode::UnknownOrders;
    let mut world = World::new();
    world.witnessed().lost(1, 0);
    assert_eq!(world.asked_globally(code), None, "one freezes its symbol");
    for seq in 2..40 {
        world.lost(seq, i64::try_from(seq).expect("small"));
        let wanted = (seq == 2).then_some(Mode::ObserveOnly);
        assert_eq!(world.asked_globally(code), wanted, "unknown order {seq}");
    }
}

#[test]
fn the_third_unknown_order_of_a_day_stops_new_risk_while_it_lasts() {
    let code = ModeCode::UnknownOrders;
    let hour = 3_600_000;
    let mut world = World::new();
    world.witnessed();
    for (seq, expected) in [(1, None), (2, None), (3, Some(Mode::ObserveOnly))] {
        let at = hour * i64::try_from(seq).expect("small");
        world.lost(seq, at);
        assert_eq!(world.asked_globally(code), expected, "order {seq}");
        if seq < 3 {
            let id = 70 + i64::try_from(seq).expect("small");
            world.tell(
                at + 20,
                look(at, vec![row(seq, id, 10, RowStatus::Untouched)]),
            );
        }
    }
    let mut second = world.restarted(3 * hour + 50);
    assert_eq!(
        second.asked_globally(code),
        Some(Mode::ObserveOnly),
        "the count survives"
    );
    let found = row(3, 73, 10, RowStatus::Untouched);
    second.tell(3 * hour + 60, look(3 * hour + 55, vec![found]));
    assert!(
        second
            .effects
            .contains(&RouterEffect::Clear(code, Scope::Global))
    );
    world.tell(
        28 * hour,
        look(28 * hour, vec![row(3, 73, 10, RowStatus::Untouched)]),
    );
    world.lost(4, 28 * hour + 1);
    assert_eq!(
        world.asked_globally(code),
        None,
        "yesterday's are forgotten"
    );
}

#[test]
fn an_unknown_order_kills_by_age_only_while_the_exchange_answers() {
    let code = ModeCode::UnknownOrders;
    let minute = 60_000;
    let mut world = World::new();
    world.lost(1, 0).wake(minute + 10);
    assert_eq!(world.asked_globally(code), Some(Mode::ObserveOnly));
    world.wake(16 * minute);
    assert_eq!(world.asked_globally(code), None, "nobody could be asked");
    world.tell(17 * minute, look(17 * minute, vec![]));
    assert_eq!(world.asked_globally(code), Some(Mode::KillSwitch));
    world.tell(
        18 * minute,
        look(18 * minute, vec![row(1, 77, 10, RowStatus::Untouched)]),
    );
    assert_eq!(world.state(1), OrderState::Open);
    let lowered = RouterEffect::Clear(code, Scope::Global);
    assert!(!world.effects.contains(&lowered), "a kill is not lowered");
}
