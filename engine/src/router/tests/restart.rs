//! What a second life knows from the journal alone.

use super::*;

#[test]
fn after_a_crash_a_sent_order_is_unknown_and_nothing_is_sent_again() {
    let mut world = World::new();
    world.sent(1, 0);
    world.open(2, 5, 88);
    world.tell(6, streamed(1, 88, 4));
    let mut second = world.restarted(1_000);
    assert_eq!(second.state(1), OrderState::Unknown(UnknownCause::Restart));
    assert_eq!(
        (second.state(2), second.filled(2)),
        (OrderState::Partial, 4)
    );
    assert!(
        !second
            .effects
            .iter()
            .any(|effect| matches!(effect, RouterEffect::Send { .. }))
    );
    second.tell(1_001, streamed(1, 88, 4));
    assert_eq!(
        second.filled(2),
        4,
        "the journal remembers which trades were booked"
    );
}

#[test]
fn a_restart_counts_every_booked_trade_though_its_twin_was_reported_by_the_other_source() {
    let mut world = World::new();
    let listed = |id: i64| {
        let trade = trade(TradeSource::Rest, id, 88, 4);
        RouterIn::Private(PrivateEvent::Trade(trade))
    };
    world.open(1, 0, 88).tell(1, streamed(1, 88, 4));
    world.tell(2, listed(900)).tell(3, listed(901));
    assert_eq!((world.filled(1), world.booked()), (8, 2));
    let mut second = world.restarted(1_000);
    assert_eq!(second.filled(1), 8);
    second.tell(1_001, listed(900)).tell(1_002, listed(901));
    assert_eq!((second.filled(1), second.booked()), (8, 2));
}

#[test]
fn terminal_orders_are_kept_as_tombstones() {
    let mut world = World::new();
    world.open(1, 0, 77).tell(1, streamed(1, 77, 10));
    let second = world.restarted(50);
    assert_eq!(second.state(1), OrderState::Filled);
    assert_eq!(second.router.living().count(), 0);
}

/// Replays starts and stops, and compares whether new risk waits.
fn check_start(records: &[Record], is_held: bool) {
    let mut world = World::new();
    world.recall(records);
    let mut out = Outbox::default();
    world.router.recovered(ms(1_000), &mut out);
    world.keep(out);
    let wanted = is_held.then_some(Mode::ReduceRiskOnly);
    assert_eq!(
        world.asked_globally(ModeCode::UncleanStop),
        wanted,
        "{records:?}"
    );
    let until = 1_000 + 15_000;
    world.wake(until - 1);
    assert!(!world.cleared(ModeCode::UncleanStop));
    world.wake(until);
    assert_eq!(world.cleared(ModeCode::UncleanStop), is_held, "{records:?}");
}

#[test]
fn x_12_after_an_unclean_stop_new_risk_waits_for_the_horizon() {
    let boot = |at| Record::Boot {
        epoch: 1,
        at: ms(at),
    };
    let stop = |at| Record::Stop {
        at: ms(at),
        leftovers: 0,
    };
    check_start(&[], false);
    check_start(&[boot(0)], true);
    check_start(&[boot(0), stop(1)], false);
    check_start(&[boot(0), stop(1), boot(2)], true);
}

#[test]
fn x_11_the_latest_stamp_outlives_a_crash_and_sets_the_horizon() {
    let mut world = World::new();
    world.tell(-70_000, RouterIn::Offset(3_000));
    world.witnessed().sent(1, 0);
    assert!(matches!(
        world.records.last(),
        Some(Record::Sending { stamp_max, .. }) if *stamp_max == ms(LIFE_MS + 3_000)
    ));
    let mut second = world.restarted(60_000);
    // The clock that was measured before the crash is not known again yet: the record alone decides.
    for at in [18_249, 23_249, 28_249] {
        second.tell(60_100, look(at, vec![witness()]));
    }
    assert_eq!(second.state(1), OrderState::Unknown(UnknownCause::Restart));
    second.tell(60_200, look(33_249, vec![witness()]));
    assert_eq!(second.state(1), OrderState::Absent);
}
