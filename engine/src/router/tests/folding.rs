//! Ended orders that fold away, and what is made of late news of them.

use super::*;

/// Looks at the account with this list of trades; two of them let what had ended before the first fold.
fn listed_look(at: i64, since: i64, trades: Vec<OwnTrade>) -> RouterIn {
    RouterIn::Snapshot(Snapshot {
        asked_at: ms(at),
        open: Vec::new(),
        histories: Vec::new(),
        trades,
        trades_since: ms(since),
    })
}

const DAY_MS: i64 = 86_400_000;

/// A world in which order 1, of number 77, was filled by a trade and order 2 was refused, both three days ago; and
/// whatever could fold has folded.
fn aged() -> World {
    let mut world = World::new();
    world.open(1, 0, 77).tell(2, streamed(1, 77, 10));
    world.sent(2, 10).tell(
        11,
        RouterIn::Outcome(cid(2), SubmitOutcome::Rejected(Refusal::MinTotal)),
    );
    for (day, id) in [(1, 900), (2, 901), (3, 902)] {
        let at = day * DAY_MS;
        let mut newest = trade(TradeSource::Rest, id, 5_000 + id, 1);
        newest.at = ms(at - 1);
        world.tell(at, listed_look(at, 0, vec![newest]));
    }
    world
}

#[test]
fn an_order_folds_after_two_days_and_two_looks() {
    let world = aged();
    assert!(world.router.order(cid(1)).is_none() && world.router.order(cid(2)).is_none());
    let again = world.restarted(4 * DAY_MS);
    assert_eq!(
        again.router.memory, world.router.memory,
        "records fold alike"
    );
}

/// A world in which order 1, of number 77, was filled by a trade that every list still shows; three days ago, so that
/// it has folded, and with it order 2, refused, and order 3, of number 79 and cancelled.
fn settling() -> World {
    let mut world = World::new();
    world.open(1, 0, 77).tell(2, streamed(1, 77, 10));
    world.sent(2, 10).tell(
        11,
        RouterIn::Outcome(cid(2), SubmitOutcome::Rejected(Refusal::MinTotal)),
    );
    world.open(3, 20, 79);
    world.tell(30, look(30, vec![row(3, 79, 10, RowStatus::Canceled)]));
    for day in 1..4 {
        let old = vec![trade(TradeSource::Rest, 900, 77, 10)];
        world.tell(day * DAY_MS, listed_look(day * DAY_MS, 0, old));
    }
    assert!(world.router.order(cid(1)).is_none(), "it has folded");
    world
}

#[test]
fn a_trade_of_a_folded_order_that_is_listed_again_is_known() {
    let mut world = settling();
    assert_eq!(world.booked(), 1);
    let mut again = world.restarted(3 * DAY_MS);
    for world in [&mut world, &mut again] {
        world.tell(3 * DAY_MS + 1, streamed(1, 77, 10));
        let listed = vec![trade(TradeSource::Rest, 900, 77, 10)];
        world.tell(3 * DAY_MS + 2, listed_look(3 * DAY_MS + 2, 0, listed));
        assert!(!world.raised(ModeCode::GhostOrder));
        assert_eq!(world.booked(), 1, "booked once, whoever reports it");
    }
}

#[test]
fn a_trade_beyond_the_row_of_a_folded_order_is_booked_once_and_kills() {
    let mut world = settling();
    world.tell(3 * DAY_MS + 1, streamed(2, 77, 3));
    assert!(world.raised(ModeCode::GhostOrder));
    assert_eq!(world.booked(), 2, "the money has moved");
    let mut again = world.restarted(3 * DAY_MS + 2);
    for world in [&mut world, &mut again] {
        world.tell(3 * DAY_MS + 3, streamed(2, 77, 3));
        assert_eq!(world.booked(), 2);
    }
}

#[test]
fn trades_of_folded_orders_are_forgotten_once_they_cannot_be_listed_again() {
    let mut world = settling();
    assert_eq!(world.router.memory.kept_count(), 1, "the trade");
    let mut newest = trade(TradeSource::Rest, 5_000, 5_000, 1);
    newest.at = ms(4 * DAY_MS);
    world.tell(4 * DAY_MS, listed_look(4 * DAY_MS, 0, vec![newest]));
    assert_eq!(world.router.memory.kept_count(), 0);
}

#[test]
fn a_list_with_a_gap_before_it_completes_nothing() {
    let mut world = World::new();
    world.open(1, 0, 77).tell(2, streamed(1, 77, 10));
    for day in 1..4 {
        let at = day * DAY_MS;
        let mut newest = trade(TradeSource::Rest, day, 5_000, 1);
        newest.at = ms(at);
        world.tell(at, listed_look(at, at - 1, vec![newest]));
    }
    let is_known = world.router.memory.settling.contains_key(&OrderId(77));
    assert!(is_known, "its trade is remembered");
}

#[test]
fn an_event_that_comes_late_does_not_make_a_folded_order_a_ghost() {
    let mut world = settling();
    let inserted = PrivateEvent::Inserted(event(1, 77, 10));
    world.tell(3 * DAY_MS + 1, RouterIn::Private(inserted));
    assert_eq!(world.effects, []);
    let another = PrivateEvent::Inserted(event(1, 5_000, 10));
    world.tell(3 * DAY_MS + 2, RouterIn::Private(another));
    assert!(world.raised(ModeCode::GhostOrder) && world.deleted(1, 5_000));
}

#[test]
fn an_answer_that_names_another_number_than_a_folded_order_has_kills() {
    for (number, is_ghost) in [(77, false), (5_000, true)] {
        let mut world = settling();
        let late = RouterIn::Outcome(cid(1), SubmitOutcome::Accepted(OrderId(number)));
        world.tell(3 * DAY_MS + 1, late);
        assert_eq!(world.raised(ModeCode::GhostOrder), is_ghost, "{number}");
    }
}

#[test]
fn the_newest_order_that_the_exchange_has_numbered_is_kept_as_a_witness() {
    let mut world = World::new();
    world.open(1, 0, 77).tell(2, streamed(1, 77, 10));
    let refused = SubmitOutcome::Rejected(Refusal::MinTotal);
    for seq in 2..500 {
        let at = i64::try_from(seq).expect("small") * 10;
        world.sent(seq, at);
        world.tell(at, RouterIn::Outcome(cid(seq), refused));
    }
    for minute in 1..4 {
        let at = minute * 60_000;
        world.tell(at, listed_look(at, 0, Vec::new()));
    }
    assert!(world.router.order(cid(2)).is_none(), "the others fold");
    assert_eq!(world.state(1), OrderState::Filled);
}

#[test]
fn memory_is_as_large_as_minutes_of_orders() {
    let mut world = World::new();
    let mut most = 0;
    // An hour at two orders a second, each with a trade that both sources report.
    for seq in 1..=7_200_u64 {
        let at = i64::try_from(seq).expect("small") * 500;
        let number = i64::try_from(seq).expect("small");
        world.open(seq, at, number);
        let reported = |source| OwnTrade {
            at: ms(at),
            ..trade(source, number, number, 10)
        };
        let streamed = PrivateEvent::Trade(reported(TradeSource::Stream));
        world.tell(at + 2, RouterIn::Private(streamed));
        if seq % 10 == 0 {
            let listed = vec![reported(TradeSource::Rest)];
            world.tell(at + 3, listed_look(at + 3, at - 400_000, listed));
        }
        most = most.max(world.router.memory.kept_count());
    }
    // The kept ones, two looks, and the trades of five minutes, of the minute that stamps may be apart and of a look.
    let bound = 256 + 2 * 120 + 7 * 120;
    assert!(most <= bound, "{most} are kept");
    let again = world.restarted(3_600_001);
    let kept = |world: &World| world.router.memory.kept_count();
    assert_eq!(kept(&again), kept(&world), "records fold alike");
}

#[test]
fn late_news_of_a_folded_order_is_ours_and_done() {
    let mut world = aged();
    let at = 3 * DAY_MS + 1;
    let booked = world.booked();
    let mut late = trade(TradeSource::Rest, 4_711, 77, 10);
    world.tell(at, RouterIn::Private(PrivateEvent::Trade(late.clone())));
    late.client_id = Some(cid(1));
    world.tell(at, RouterIn::Private(PrivateEvent::Trade(late)));
    world.tell(at, look(at, vec![row(1, 77, 0, RowStatus::Closed)]));
    assert_eq!(
        world.booked(),
        booked,
        "it was booked when it was first seen"
    );
    assert_eq!(world.effects, [], "and nobody is alarmed");
}

#[test]
fn a_folded_order_that_rests_or_has_another_number_is_a_ghost() {
    for ghost in [
        row(1, 77, 10, RowStatus::Untouched),
        row(1, 5_000, 0, RowStatus::Closed),
        row(2, 78, 10, RowStatus::Canceled),
        row(2, 77, 10, RowStatus::Canceled),
    ] {
        let mut world = aged();
        world.tell(3 * DAY_MS + 1, look(3 * DAY_MS + 1, vec![ghost]));
        assert!(world.raised(ModeCode::GhostOrder));
    }
}

#[test]
fn a_fresh_trade_of_a_folded_order_is_booked_and_an_alarm() {
    let mut world = aged();
    let at = 3 * DAY_MS + 1;
    let (booked, mut fresh) = (world.booked(), trade(TradeSource::Stream, 4_711, 77, 1));
    (fresh.client_id, fresh.at) = (Some(cid(1)), ms(at));
    world.tell(at, RouterIn::Private(PrivateEvent::Trade(fresh.clone())));
    assert!(world.raised(ModeCode::GhostOrder) && world.booked() == booked + 1);
    world.tell(at, RouterIn::Private(PrivateEvent::Trade(fresh)));
    assert_eq!(world.booked(), booked + 1);
}

#[test]
fn x_18_tombstones_fold_instead_of_denying_entries() {
    let mut router = OrderRouter::new(settings());
    let mut out = Outbox::default();
    router.handle(ms(0), RouterIn::Opened(ms(0)), &mut out);
    let orders = TOMBSTONES_MAX as u64 + 1_000;
    for seq in 1..=orders {
        // The fastest that the limits allow: 300 orders a minute.
        let at = i64::try_from(seq).expect("small") * 200;
        router.handle(
            ms(at),
            RouterIn::Submit(Approved::new(order(seq, at), ms(at), LIFE_MS)),
            &mut out,
        );
        router.handle(ms(at), RouterIn::Durable(cid(seq)), &mut out);
        let refused = SubmitOutcome::Rejected(Refusal::MinTotal);
        router.handle(ms(at), RouterIn::Outcome(cid(seq), refused), &mut out);
        if seq % 3_000 == 0 {
            router.handle(ms(at), listed_look(at, 0, Vec::new()), &mut out);
        }
        let is_denied = |effect: RouterEffect| {
            let full = OrderState::NotSent(NotSent::TombstonesFull);
            matches!(effect, RouterEffect::Order(view) if view.state == full)
        };
        assert!(!out.drain().any(is_denied), "order {seq} is denied");
    }
    let kept = router.memory.ended_count();
    assert!(kept <= 256 + 2 * 3_000, "{kept} ended orders are kept");
}
