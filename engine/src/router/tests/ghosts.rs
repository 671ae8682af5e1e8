//! Orders that exist against a claim, a record or an id that says otherwise.

use super::*;

#[test]
fn x_06_existence_and_a_refusal_make_a_ghost_in_either_order() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Private(PrivateEvent::Inserted(event(1, 77, 10))),
    );
    world.tell(
        2,
        RouterIn::Outcome(cid(1), SubmitOutcome::Rejected(Refusal::MinTotal)),
    );
    assert!(world.raised(ModeCode::GhostOrder));
    assert_eq!(world.proven(), Some(ModeCode::GhostOrder));
    assert_eq!(world.state(1), OrderState::Open);

    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Outcome(cid(1), SubmitOutcome::NotSent(NotSent::ConnectFailed)),
    );
    assert_eq!(world.state(1), OrderState::NotSent(NotSent::ConnectFailed));
    world.tell(
        2,
        RouterIn::Private(PrivateEvent::Inserted(event(1, 77, 10))),
    );
    assert!(world.raised(ModeCode::GhostOrder));
    assert_eq!(world.state(1), OrderState::Open);
}

/// An order that was held never to have existed for this reason.
fn denied(world: &mut World, claim: OrderState) {
    world.witnessed();
    if let OrderState::NotSent(why) = claim {
        let outcome = SubmitOutcome::NotSent(why);
        world.sent(1, 0).tell(1, RouterIn::Outcome(cid(1), outcome));
    } else if let OrderState::Rejected(why) = claim {
        let outcome = SubmitOutcome::Rejected(why);
        world.sent(1, 0).tell(1, RouterIn::Outcome(cid(1), outcome));
    } else {
        world.lost(1, 0);
        for at in [20_000, 25_000, 30_000] {
            world.tell(at, look(at, vec![witness()]));
        }
    }
    assert_eq!(world.state(1), claim);
}

const CLAIMS: [OrderState; 3] = [
    OrderState::NotSent(NotSent::ConnectFailed),
    OrderState::Rejected(Refusal::Other),
    OrderState::Absent,
];

#[test]
fn a_ghost_is_adopted_cancelled_counted_and_kills() {
    for claim in CLAIMS {
        let mut world = World::new();
        denied(&mut world, claim);
        let found = row(1, 77, 10, RowStatus::Untouched);
        world.tell(31_000, look(31_000, vec![found, witness()]));
        assert_eq!(world.state(1), OrderState::Open, "{claim:?}");
        assert_eq!(
            world.asked_globally(ModeCode::GhostOrder),
            Some(Mode::KillSwitch),
            "{claim:?}"
        );
        assert!(world.deleted(1, 77), "{claim:?}");
        assert_eq!(world.notes(), [RouterNote::Ghost(cid(1))], "{claim:?}");
        assert_eq!(world.proven(), Some(ModeCode::GhostOrder), "{claim:?}");
        world.tell(31_001, streamed(1, 77, 4));
        assert_eq!(world.filled(1), 4, "its trades are booked: {claim:?}");
        let second = world.restarted(40_000);
        assert_eq!(
            (second.state(1), second.filled(1)),
            (OrderState::Partial, 4)
        );
    }
}

#[test]
fn a_ghost_that_has_ended_kills_all_the_same() {
    for claim in CLAIMS {
        let mut world = World::new();
        denied(&mut world, claim);
        let ended = row(1, 77, 10, RowStatus::Canceled);
        world.tell(31_000, look(31_000, vec![ended, witness()]));
        assert_eq!(world.state(1), OrderState::Canceled, "{claim:?}");
        assert!(world.raised(ModeCode::GhostOrder), "{claim:?}");
        assert_eq!(world.proven(), Some(ModeCode::GhostOrder), "{claim:?}");
        assert!(!world.deleted(1, 77), "nothing is left to cancel");
    }
}

#[test]
fn x_06_a_refusal_for_funds_holds_until_a_later_look_is_without_the_order() {
    let refused = SubmitOutcome::Rejected(Refusal::InsufficientBalance);
    let done = OrderState::Rejected(Refusal::InsufficientBalance);
    let mut world = World::new();
    world.witnessed().open(2, 0, 88);
    world
        .sent(1, 19_000)
        .tell(20_000, RouterIn::Outcome(cid(1), refused));
    assert_eq!(world.state(1), OrderState::Sending, "all is still held");
    world.wake(20_000);
    assert!(matches!(
        world.effects.last(),
        Some(RouterEffect::LookUp(_))
    ));
    let held = |world: &World| world.router.living().any(|view| view.client_id() == cid(1));
    let known = row(2, 88, 10, RowStatus::Untouched);
    for (at, rows) in [(20_500, vec![]), (19_999, vec![known.clone()])] {
        world.tell(20_600, look(at, rows));
        assert!(
            held(&world),
            "older than the refusal, or inconsistent: {at}"
        );
    }
    let mut second = world.restarted(20_700);
    assert!(held(&second), "over a restart too");
    for life in [&mut world, &mut second] {
        life.tell(26_000, look(25_000, vec![known.clone()]));
        assert_eq!(life.state(1), done);
        assert!(!life.raised(ModeCode::GhostOrder));
        assert_eq!(life.proven(), None);
    }
    assert_eq!(world.restarted(27_000).state(1), done);
}

#[test]
fn x_06_existence_after_a_refusal_for_funds_is_a_ghost() {
    let refused = SubmitOutcome::Rejected(Refusal::InsufficientBalance);
    let mut world = World::new();
    world.sent(1, 0).tell(1, RouterIn::Outcome(cid(1), refused));
    world.tell(9, look(8, vec![row(1, 77, 10, RowStatus::Untouched)]));
    assert!(world.raised(ModeCode::GhostOrder));
    assert!(world.deleted(1, 77));
    assert_eq!(world.state(1), OrderState::Open);
}

/// Shows a row with an own id that has no record, and compares what is raised.
fn check_stray(id: ClientId, code: ModeCode) {
    let mut world = World::new();
    world.open(5, 0, 77);
    let stray = |status| OrderRow {
        client_id: Some(id),
        ..row(1, 900, 10, status)
    };
    world.tell(9, look(8, vec![stray(RowStatus::Untouched)]));
    assert_eq!(world.asked_globally(code), Some(Mode::KillSwitch), "{id}");
    assert_eq!(world.notes(), [RouterNote::Adopted(id)], "{id}");
    let delete = RouterEffect::Delete(id, OrderId(900));
    assert!(world.effects.contains(&delete), "{id}");
    world.tell(19, look(18, vec![stray(RowStatus::Partial)]));
    assert!(world.notes().is_empty(), "told once: {id}");
    assert!(
        world.effects.contains(&delete),
        "cancelled until it is gone: {id}"
    );
    world.tell(29, look(28, vec![stray(RowStatus::Canceled)]));
    assert!(!world.effects.contains(&delete), "{id}");
    let trade = OwnTrade {
        client_id: Some(id),
        ..trade(TradeSource::Rest, 1, 900, 3)
    };
    world.tell(39, RouterIn::Private(PrivateEvent::Trade(trade)));
    assert_eq!(world.booked(), 1, "its trades move the books: {id}");
}

#[test]
fn x_12_an_own_id_without_a_record_is_a_ghost_or_lost_state() {
    let boot = |entropy| BootTag::from_entropy(entropy);
    check_stray(cid(4), ModeCode::GhostOrder);
    check_stray(cid(6), ModeCode::RecoveryRequired);
    // Another start under the same number, and a start that nobody knows: a copy of the state is at work.
    check_stray(
        ClientId::new(tag(), 1, boot(6), 4),
        ModeCode::RecoveryRequired,
    );
    check_stray(
        ClientId::new(tag(), 2, boot(5), 4),
        ModeCode::RecoveryRequired,
    );
}

#[test]
fn x_12_an_own_id_without_a_record_is_noticed_in_every_source() {
    let stray = OwnTrade {
        client_id: Some(cid(9)),
        ..trade(TradeSource::Stream, 1, 900, 3)
    };
    for event in [
        PrivateEvent::Inserted(event(9, 900, 10)),
        PrivateEvent::Deleted(event(9, 900, 10)),
        PrivateEvent::Matched {
            order_id: OrderId(900),
            client_id: Some(cid(9)),
        },
        PrivateEvent::Trade(stray),
    ] {
        let mut world = World::new();
        world.tell(1, RouterIn::Private(event.clone()));
        assert!(world.raised(ModeCode::RecoveryRequired), "{event:?}");
    }
}

#[test]
fn x_12_a_second_number_under_one_client_id_kills_and_is_cancelled() {
    let mut world = World::new();
    world.open(1, 0, 77).tell(
        9,
        look(
            8,
            vec![
                row(1, 77, 10, RowStatus::Untouched),
                row(1, 78, 10, RowStatus::Untouched),
            ],
        ),
    );
    assert_eq!(
        world.asked_globally(ModeCode::GhostOrder),
        Some(Mode::KillSwitch)
    );
    assert!(world.deleted(1, 78));
    let other = OwnTrade {
        client_id: Some(cid(1)),
        ..trade(TradeSource::Stream, 1, 78, 4)
    };
    world.tell(10, RouterIn::Private(PrivateEvent::Trade(other)));
    assert_eq!(
        (world.filled(1), world.booked()),
        (0, 1),
        "booked, but not as the first order's"
    );
    let second = world.restarted(20);
    assert_eq!(second.filled(1), 0);
    world.tell(21, RouterIn::CancelReply(cid(1), CancelReply::Failed));
    world.wake(10_000);
    assert!(
        !world.deleted(1, 77),
        "the answer is not about the first order"
    );
}

#[test]
fn a_missing_echo_kills() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Outcome(cid(1), SubmitOutcome::AcceptedWithoutEcho(OrderId(77))),
    );
    assert!(world.raised(ModeCode::ClientIdEchoMismatch));
    assert_eq!(world.proven(), Some(ModeCode::ClientIdEchoMismatch));
}

/// Plays news of an order whose client id nothing repeats; expects its state, what was filled, and one booking.
fn check_nameless(news: Vec<RouterIn>, expected: (OrderState, i64)) {
    let mut world = World::new();
    world.tell(0, RouterIn::Opened(ms(0))).sent(1, 0);
    let mut booked = 0;
    for (at, input) in (9..).zip(news) {
        world.tell(at, input);
        let fills = world.effects.iter();
        booked += fills
            .filter(|effect| matches!(effect, RouterEffect::Fill(_)))
            .count();
    }
    assert_eq!((world.state(1), world.filled(1)), expected);
    assert_eq!(booked, 1);
    let mut reborn = World::new();
    reborn.recall(&world.records);
    assert_eq!((reborn.state(1), reborn.filled(1)), expected);
}

#[test]
fn a_trade_that_came_before_its_order_had_a_number_is_booked_once() {
    let accepted = || RouterIn::Outcome(cid(1), SubmitOutcome::AcceptedWithoutEcho(OrderId(77)));
    let listed = |units| {
        RouterIn::Snapshot(Snapshot {
            asked_at: ms(20),
            open: Vec::new(),
            histories: Vec::new(),
            trades: vec![trade(TradeSource::Rest, 900, 77, units)],
            trades_since: ms(0),
        })
    };
    check_nameless(
        vec![streamed(1, 77, 10), accepted(), listed(10)],
        (OrderState::Filled, 10),
    );
    check_nameless(
        vec![streamed(1, 77, 4), accepted(), listed(4)],
        (OrderState::Partial, 4),
    );
    check_nameless(
        vec![accepted(), streamed(1, 77, 4), listed(4)],
        (OrderState::Partial, 4),
    );
}
