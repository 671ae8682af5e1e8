//! What an operator may settle, when, and what a settled order is worth.

use super::*;
use crate::router::resolve::ResolveRefusal;

/// First moment at which an order that was sent at 0 may be settled.
const OPENS: i64 = LIFE_MS + 15_000;

fn resolve(seq: u64, resolution: Resolution) -> RouterIn {
    RouterIn::Resolve {
        client_id: cid(seq),
        resolution,
        reason: "seen on the site".to_owned(),
    }
}

/// Asks for a resolution at `at`, after a look at `looked`, and compares the refusal.
fn check(at: i64, looked: Option<i64>, resolution: Resolution, refusal: Option<ResolveRefusal>) {
    let mut world = World::new();
    world.open(2, 0, 88).lost(1, 0);
    if let Some(looked) = looked {
        let known = row(2, 88, 10, RowStatus::Untouched);
        world.tell(looked, look(looked, vec![known]));
    }
    world.tell(at, resolve(1, resolution));
    let refused = refusal.map(|why| RouterNote::ResolveRefused(cid(1), why));
    assert_eq!(world.notes(), Vec::from_iter(refused), "{resolution:?}");
    let is_written = matches!(
        world.effects.as_slice(),
        [RouterEffect::Persist(Record::Resolved { .. }, Some(id))] if *id == cid(1)
    );
    assert_eq!(is_written, refusal.is_none(), "{resolution:?}");
    assert!(
        matches!(world.state(1), OrderState::Unknown(_)),
        "nothing before it is on disk"
    );
}

#[test]
fn a_resolution_waits_for_the_horizon_and_yields_to_evidence() {
    let accepted = |id| Resolution::Accepted(OrderId(id));
    check(OPENS, Some(OPENS), Resolution::Absent, None);
    check(OPENS, Some(OPENS), accepted(500), None);
    check(OPENS, None, Resolution::Stuck, None);
    let early = Some(ResolveRefusal::TooEarly(1));
    check(OPENS - 1, None, Resolution::Absent, early);
    check(OPENS - 1, None, accepted(500), early);
    check(OPENS - 1, None, Resolution::Stuck, early);
    let unseen = Some(ResolveRefusal::NotLookedFor);
    check(OPENS + 5, None, Resolution::Absent, unseen);
    check(OPENS + 5, Some(OPENS - 1), Resolution::Absent, unseen);
    let taken = Some(ResolveRefusal::NumberTaken(cid(2)));
    check(OPENS, Some(OPENS), accepted(88), taken);
}

#[test]
fn only_an_order_of_unknown_fate_is_settled() {
    let mut world = World::new();
    world
        .open(1, 0, 77)
        .tell(OPENS, resolve(1, Resolution::Absent));
    let known = ResolveRefusal::NotUnknown(OrderState::Open);
    assert_eq!(world.notes(), [RouterNote::ResolveRefused(cid(1), known)]);
    world.tell(OPENS, resolve(7, Resolution::Absent));
    let nobody = ResolveRefusal::NoSuchOrder;
    assert_eq!(world.notes(), [RouterNote::ResolveRefused(cid(7), nobody)]);
}

/// The first order of an account, lost, with no other order to bear witness.
fn first_order_lost() -> World {
    let mut world = World::new();
    world.lost(1, 0).tell(OPENS, look(OPENS, vec![]));
    let why = RouterNote::Unproven(cid(1), Unproven::NoWitness);
    assert_eq!(world.notes(), [why]);
    world
}

#[test]
fn x_03_the_first_order_of_an_account_is_settled_by_its_operator() {
    let mut world = first_order_lost();
    world.tell(OPENS + 1, resolve(1, Resolution::Absent));
    world.tell(OPENS + 2, resolve(1, Resolution::Absent));
    let busy = RouterNote::ResolveRefused(cid(1), ResolveRefusal::Busy);
    assert_eq!(world.notes(), [busy]);
    let before_effect = world.restarted(OPENS + 3);
    assert_eq!(
        before_effect.state(1),
        OrderState::Absent,
        "a written word holds"
    );
    world.tell(OPENS + 4, RouterIn::Durable(cid(1)));
    assert_eq!(world.state(1), OrderState::Absent);
    assert_eq!(world.notes(), [RouterNote::Resolved(cid(1))]);
    assert!(world.cleared(ModeCode::UnknownOrders));
    world.tell(
        OPENS + 9,
        look(OPENS + 8, vec![row(1, 77, 10, RowStatus::Untouched)]),
    );
    assert!(
        world.raised(ModeCode::GhostOrder),
        "a person may be wrong too"
    );
}

#[test]
fn an_order_that_is_settled_as_accepted_is_read_at_once() {
    let mut world = first_order_lost();
    world
        .tell(OPENS + 1, resolve(1, Resolution::Accepted(OrderId(77))))
        .tell(OPENS + 2, RouterIn::Durable(cid(1)));
    assert_eq!(world.state(1), OrderState::Open);
    world.wake(OPENS + 2);
    let read = RouterEffect::ReadRow(cid(1), OrderId(77));
    assert!(world.effects.contains(&read));
    assert_eq!(world.restarted(OPENS + 3).state(1), OrderState::Open);
}

#[test]
fn x_24_a_stuck_order_keeps_its_reservation_and_holds_up_nothing_else() {
    let mut world = first_order_lost();
    world.wake(60_100);
    assert_eq!(
        world.asked_globally(ModeCode::UnknownOrders),
        Some(Mode::ObserveOnly)
    );
    world
        .tell(60_200, resolve(1, Resolution::Stuck))
        .tell(60_201, RouterIn::Durable(cid(1)));
    let lifted = RouterEffect::Clear(ModeCode::UnknownOrders, Scope::Global);
    assert!(world.effects.contains(&lifted));
    for life in [&mut world.restarted(60_300), &mut world] {
        life.tell(2_000_000, look(2_000_000, vec![]));
        assert!(!life.raised(ModeCode::UnknownOrders), "no kill by age");
        assert!(matches!(life.state(1), OrderState::Unknown(_)));
        let left = life.router.order(cid(1)).expect("known").remaining();
        assert_eq!(left, qty(10));
    }
}

#[test]
fn evidence_that_comes_while_a_resolution_is_written_stands() {
    let mut world = first_order_lost();
    world
        .tell(OPENS + 1, resolve(1, Resolution::Absent))
        .tell(
            OPENS + 2,
            look(OPENS + 2, vec![row(1, 77, 10, RowStatus::Untouched)]),
        )
        .tell(OPENS + 3, RouterIn::Durable(cid(1)));
    assert_eq!(world.state(1), OrderState::Open);
    assert!(world.notes().is_empty());
    assert_eq!(world.restarted(OPENS + 4).state(1), OrderState::Open);
}
