//! One order from its record to its proven end: states, fills, cancels, time to live.

use super::*;

#[test]
fn an_order_is_written_down_before_it_is_sent() {
    let mut world = World::new();
    world.sent(1, 0);
    assert!(matches!(
        world.records.first(),
        Some(Record::Sending { .. })
    ));
    assert_eq!(world.state(1), OrderState::Sending);
}

#[test]
fn fills_drive_order_state_in_any_order() {
    let mut world = World::new();
    world.open(1, 0, 77);
    assert_eq!(world.state(1), OrderState::Open);
    world.tell(5, streamed(1, 77, 4));
    assert_eq!((world.state(1), world.filled(1)), (OrderState::Partial, 4));
    world.tell(6, streamed(1, 77, 4));
    assert_eq!(world.filled(1), 4);
    world.tell(7, streamed(2, 77, 6));
    assert_eq!((world.state(1), world.booked()), (OrderState::Filled, 2));
}

#[test]
fn an_event_may_overtake_the_answer() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Private(PrivateEvent::Inserted(event(1, 77, 10))),
    );
    assert_eq!(world.state(1), OrderState::Open);
    world.tell(
        2,
        RouterIn::Outcome(cid(1), SubmitOutcome::Accepted(OrderId(77))),
    );
    assert_eq!(world.state(1), OrderState::Open);
    assert!(!world.raised(ModeCode::GhostOrder));
}

#[test]
fn x_04_a_cancel_ends_an_order_only_when_its_trades_add_up() {
    let mut world = World::new();
    world
        .open(1, 0, 77)
        .tell(10, RouterIn::Cancel(cid(1), CancelReason::Reprice));
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
    world.tell(11, RouterIn::CancelReply(cid(1), CancelReply::Acknowledged));
    assert_eq!(world.state(1), OrderState::Open);
    world.tell(
        12,
        RouterIn::Private(PrivateEvent::Deleted(event(1, 77, 10))),
    );
    assert_eq!(world.state(1), OrderState::Open);
    world.wake(12);
    assert!(
        world
            .effects
            .contains(&RouterEffect::ReadRow(cid(1), OrderId(77)))
    );
    world.tell(
        13,
        RouterIn::Row(cid(1), Some(row(1, 77, 9, RowStatus::Canceled))),
    );
    assert_eq!(
        world.state(1),
        OrderState::Open,
        "one unit is not booked yet"
    );
    world.tell(14, streamed(1, 77, 1));
    world.wake(13 + LOOK_AGAIN_MS).tell(
        3_000,
        RouterIn::Row(cid(1), Some(row(1, 77, 9, RowStatus::Canceled))),
    );
    assert_eq!((world.state(1), world.filled(1)), (OrderState::Canceled, 1));
}

#[test]
fn a_fill_after_the_cancel_is_booked() {
    let mut world = World::new();
    world
        .open(1, 0, 77)
        .tell(10, RouterIn::Cancel(cid(1), CancelReason::Ttl));
    world.tell(
        11,
        RouterIn::Row(cid(1), Some(row(1, 77, 10, RowStatus::Canceled))),
    );
    assert_eq!(world.state(1), OrderState::Canceled);
    world.tell(12, streamed(1, 77, 10));
    assert_eq!((world.state(1), world.booked()), (OrderState::Filled, 1));
}

#[test]
fn more_fills_than_ordered_are_not_booked() {
    let mut world = World::new();
    world
        .open(1, 0, 77)
        .tell(1, streamed(1, 77, 8))
        .tell(2, streamed(2, 77, 3));
    assert_eq!((world.filled(1), world.booked()), (8, 1));
    assert!(
        world
            .effects
            .contains(&RouterEffect::Note(RouterNote::Unmapped(OrderId(77))))
    );
}

#[test]
fn ttl_cancels_every_expired_own_order() {
    let mut world = World::new();
    world.open(1, 0, 77);
    assert_eq!(world.router.deadline(), Some(ms(1 + TTL_MS)));
    world.wake(TTL_MS);
    assert!(world.effects.is_empty());
    world.wake(1 + TTL_MS);
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
}

#[test]
fn an_unanswered_cancel_is_repeated_and_a_quota_is_waited_for() {
    let mut world = World::new();
    world
        .open(1, 0, 77)
        .tell(10, RouterIn::Cancel(cid(1), CancelReason::Operator));
    world.tell(
        20,
        RouterIn::CancelReply(cid(1), CancelReply::RateLimited(30_000)),
    );
    world.wake(30_019);
    assert!(world.effects.is_empty());
    world.wake(30_020);
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
    world
        .tell(30_021, RouterIn::CancelReply(cid(1), CancelReply::Failed))
        .wake(32_021);
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
}

#[test]
fn a_cancel_of_an_order_without_a_number_waits_for_the_number() {
    let mut world = World::new();
    world
        .sent(1, 0)
        .tell(1, RouterIn::Cancel(cid(1), CancelReason::SafeMode));
    assert!(
        !world
            .effects
            .iter()
            .any(|effect| matches!(effect, RouterEffect::Delete(..)))
    );
    world.tell(
        2,
        RouterIn::Outcome(cid(1), SubmitOutcome::Accepted(OrderId(77))),
    );
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
}

#[test]
fn vanished_order_is_looked_up_not_assumed() {
    let mut world = World::new();
    world.open(1, 0, 77).tell(30_000, look(29_000, vec![]));
    assert_eq!(world.state(1), OrderState::Open);
    world.wake(30_001);
    assert!(
        world
            .effects
            .contains(&RouterEffect::ReadRow(cid(1), OrderId(77)))
    );
}

#[test]
fn foreign_trades_move_the_ledger_once_and_only_after_the_opening() {
    let mut world = World {
        router: OrderRouter::new(settings()),
        ..World::new()
    };
    world
        .tell(4, streamed(8, 4_000, 3))
        .tell(5, RouterIn::Opened(ms(1)));
    assert_eq!(world.booked(), 0, "part of the opening balances");
    let again = RouterIn::Private(PrivateEvent::Trade(trade(TradeSource::Rest, 10, 4_001, 3)));
    world.tell(6, streamed(9, 4_001, 3)).tell(7, again);
    assert_eq!(world.booked(), 1);
}

#[test]
fn an_answer_that_no_order_should_get_stops_new_orders() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::Unexpected)),
    );
    assert!(world.raised(ModeCode::UnexpectedAnswer));
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::Timeout)),
    );
    assert!(!world.raised(ModeCode::UnexpectedAnswer));
}

#[test]
fn ttl_ends_orders_of_every_pair_and_of_earlier_starts() {
    let mut world = World::new();
    world.open(1, 0, 77);
    let mut other = order(2, 5_000);
    other.intent.symbol = Symbol::parse("ETHTRY").expect("a pair");
    world.tell(
        5_000,
        RouterIn::Submit(Approved::new(other, ms(5_000), LIFE_MS)),
    );
    world.tell(5_000, RouterIn::Durable(cid(2))).tell(
        5_001,
        RouterIn::Outcome(cid(2), SubmitOutcome::Accepted(OrderId(78))),
    );
    let mut second = world.restarted(6_000);
    for life in [&mut world, &mut second] {
        life.wake(1 + TTL_MS);
        assert!(life.deleted(1, 77) && !life.deleted(2, 78));
        life.wake(5_001 + TTL_MS);
        assert!(life.deleted(2, 78));
    }
}

#[test]
fn a_row_of_another_pair_or_side_changes_nothing() {
    let fits = row(1, 77, 4, RowStatus::Canceled);
    for impossible in [
        OrderRow {
            side: Side::Sell,
            ..fits.clone()
        },
        OrderRow {
            symbol: Symbol::parse("ETHTRY").expect("a pair"),
            ..fits
        },
    ] {
        let mut world = World::new();
        world.sent(1, 0).tell(9, look(8, vec![impossible]));
        assert_eq!(world.state(1), OrderState::Sending);
        assert_eq!(world.notes(), [RouterNote::Unmapped(OrderId(77))]);
    }
}

#[test]
fn fills_that_no_trade_has_told_stay_reserved_and_become_a_drift() {
    let code = ModeCode::FillsPending;
    let mut world = World::new();
    world.open(1, 0, 77).tell(
        1_000,
        RouterIn::Row(cid(1), Some(row(1, 77, 6, RowStatus::Canceled))),
    );
    let left = world.router.order(cid(1)).expect("known").remaining();
    assert_eq!(
        left,
        qty(10),
        "nothing is freed before its trades are booked"
    );
    world.wake(1_000 + LOOK_SOON_MS);
    assert!(
        world
            .effects
            .iter()
            .any(|e| matches!(e, RouterEffect::LookUp(w) if w.len() == 1))
    );
    world.wake(60_999);
    assert_eq!(world.asked_globally(code), None);
    assert!(world.router.deadline().is_some_and(|at| at <= ms(61_000)));
    world.wake(61_000);
    assert_eq!(world.asked_globally(code), Some(Mode::ObserveOnly));
    world.tell(61_001, streamed(1, 77, 4));
    assert!(world.cleared(code));
    assert_eq!(
        world.state(1),
        OrderState::Partial,
        "the row has yet to say it"
    );
    world.tell(
        61_002,
        RouterIn::Row(cid(1), Some(row(1, 77, 6, RowStatus::Canceled))),
    );
    assert_eq!(world.state(1), OrderState::Canceled);
}

#[test]
fn x_15_every_send_was_written_down_and_a_late_approval_is_no_kill() {
    let mut world = World::new();
    for seq in 1..4 {
        world.sent(seq, 10);
        let late = SubmitOutcome::NotSent(NotSent::Expired);
        world.tell(900, RouterIn::Outcome(cid(seq), late));
        assert!(
            !world
                .effects
                .iter()
                .any(|e| matches!(e, RouterEffect::Raise(..)))
        );
        let again = world.tell(901, RouterIn::Durable(cid(seq)));
        assert!(again.effects.is_empty(), "an approval is spent once");
    }
}

#[test]
fn foreign_orders_are_left_alone() {
    let mut world = World::new();
    let stranger = OrderRow {
        client_id: None,
        ..row(1, 500, 10, RowStatus::Untouched)
    };
    let mut told = Vec::new();
    let looks = [vec![stranger.clone()], vec![stranger.clone()], vec![]];
    for (at, rows) in (1i64..).zip(looks) {
        world.tell(at * 15_000, look(at * 15_000 - 10, rows));
        told.extend(world.effects.drain(..).filter(|effect| {
            matches!(
                effect,
                RouterEffect::Foreign(_)
                    | RouterEffect::Note(RouterNote::Foreign(_))
                    | RouterEffect::Delete(..)
            )
        }));
    }
    let shown = crate::foreign::ForeignOrder::of(&stranger)
        .into_iter()
        .collect();
    assert_eq!(
        told,
        [
            RouterEffect::Note(RouterNote::Foreign(OrderId(500))),
            RouterEffect::Foreign(shown),
            RouterEffect::Foreign(Vec::new())
        ],
        "told once, and never cancelled"
    );
}
