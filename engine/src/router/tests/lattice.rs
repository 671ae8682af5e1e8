//! Every state met by every kind of evidence, one cell each; and the same evidence in any order, any number of times.
//!
//! The exchange's messages are late, doubled and out of order. Whatever their order, what they prove together is the
//! same, and no order of them makes an alarm come or go.

use super::*;
use proptest::prelude::*;

/// A kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    Accepted,
    Rejected,
    NotSent,
    Unknown,
    Trade,
    Matched,
    Inserted,
    Deleted,
    RowUntouched,
    RowPartial,
    RowCanceled,
    RowClosed,
    CancelAsked,
    CancelRefused,
    Absence,
}

const EVIDENCE: [Evidence; 15] = [
    Evidence::Accepted,
    Evidence::Rejected,
    Evidence::NotSent,
    Evidence::Unknown,
    Evidence::Trade,
    Evidence::Matched,
    Evidence::Inserted,
    Evidence::Deleted,
    Evidence::RowUntouched,
    Evidence::RowPartial,
    Evidence::RowCanceled,
    Evidence::RowClosed,
    Evidence::CancelAsked,
    Evidence::CancelRefused,
    Evidence::Absence,
];

/// State, then what it is after each kind of evidence: its name, the booked quantity, and `!` where the router kills.
///
/// Rows show 4 of 10 as filled where they show anything, and `Closed` all of it; the trade is one of 3.
const TABLE: [(&str, [&str; 15]); 10] = [
    (
        "reserved",
        [
            "open 0",
            "rejected 0",
            "not_sent 0",
            "unknown 0",
            "partial 3",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "reserved 0",
            "reserved 0",
            "reserved 0",
        ],
    ),
    (
        "sending",
        [
            "open 0",
            "rejected 0",
            "not_sent 0",
            "unknown 0",
            "partial 3",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "sending 0",
            "sending 0",
            "sending 0",
        ],
    ),
    (
        "unknown",
        [
            "open 0",
            "rejected 0",
            "not_sent 0",
            "unknown 0",
            "partial 3",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "unknown 0",
            "unknown 0",
            "absent 0",
        ],
    ),
    (
        "open",
        [
            "open 0",
            "open 0!",
            "open 0!",
            "open 0",
            "partial 3",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
            "open 0",
        ],
    ),
    (
        "partial",
        [
            "partial 4",
            "partial 4!",
            "partial 4!",
            "partial 4",
            "partial 7",
            "partial 4",
            "partial 4",
            "partial 4",
            "partial 4",
            "partial 4",
            "canceled 4",
            "partial 4",
            "partial 4",
            "partial 4",
            "partial 4",
        ],
    ),
    (
        "not_sent",
        [
            "open 0!",
            "not_sent 0",
            "not_sent 0",
            "not_sent 0",
            "partial 3!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "not_sent 0",
            "not_sent 0",
            "not_sent 0",
        ],
    ),
    (
        "rejected",
        [
            "open 0!",
            "rejected 0",
            "rejected 0",
            "rejected 0",
            "partial 3!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "rejected 0",
            "rejected 0",
            "rejected 0",
        ],
    ),
    (
        "absent",
        [
            "open 0!",
            "absent 0",
            "absent 0",
            "absent 0",
            "partial 3!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "open 0!",
            "absent 0",
            "absent 0",
            "absent 0",
        ],
    ),
    (
        "canceled",
        [
            "canceled 4",
            "canceled 4!",
            "canceled 4!",
            "canceled 4",
            "canceled 7",
            "canceled 4",
            "canceled 4",
            "canceled 4",
            "canceled 4",
            "canceled 4",
            "canceled 4",
            "canceled 4",
            "canceled 4",
            "canceled 4",
            "canceled 4",
        ],
    ),
    (
        "filled",
        [
            "filled 10",
            "filled 10!",
            "filled 10!",
            "filled 10",
            "filled 10",
            "filled 10",
            "filled 10",
            "filled 10",
            "filled 10",
            "filled 10",
            "filled 10",
            "filled 10",
            "filled 10",
            "filled 10",
            "filled 10",
        ],
    ),
];

/// When the evidence comes: behind the horizon, so that the proof of absence can be played.
const AT: i64 = 40_000;

/// A world whose order 1 is in this state.
fn world_in(state: &str) -> World {
    let mut world = World::new();
    world.witnessed();
    let submit = RouterIn::Submit(Approved::new(order(1, 0), ms(0), LIFE_MS));
    match state {
        "reserved" => world.tell(0, submit),
        "sending" => world.sent(1, 0),
        "unknown" => world.lost(1, 0),
        "open" => world.open(1, 0, 77),
        "partial" => world.open(1, 0, 77).tell(5, streamed(1, 77, 4)),
        "not_sent" => world.sent(1, 0).tell(1, input(Evidence::NotSent)),
        "rejected" => world.sent(1, 0).tell(1, input(Evidence::Rejected)),
        "absent" => {
            world.lost(1, 0);
            play(&mut world, Evidence::Absence);
            &mut world
        }
        "canceled" => world
            .open(1, 0, 77)
            .tell(5, streamed(1, 77, 4))
            .tell(6, input(Evidence::RowCanceled)),
        "filled" => world.open(1, 0, 77).tell(5, streamed(1, 77, 10)),
        other => panic!("no such state: {other}"),
    };
    assert_eq!(world.state(1).as_str(), state);
    world
}

fn input(evidence: Evidence) -> RouterIn {
    let outcome = |outcome| RouterIn::Outcome(cid(1), outcome);
    let listed = |left, status| RouterIn::Row(cid(1), Some(row(1, 77, left, status)));
    let private = RouterIn::Private;
    match evidence {
        Evidence::Accepted => outcome(SubmitOutcome::Accepted(OrderId(77))),
        Evidence::Rejected => outcome(SubmitOutcome::Rejected(Refusal::MinTotal)),
        Evidence::NotSent => outcome(SubmitOutcome::NotSent(NotSent::GateClosed)),
        Evidence::Unknown => outcome(SubmitOutcome::Unknown(UnknownCause::Timeout)),
        Evidence::Trade => private(PrivateEvent::Trade(OwnTrade {
            client_id: Some(cid(1)),
            ..trade(TradeSource::Stream, 9, 77, 3)
        })),
        Evidence::Matched => private(PrivateEvent::Matched {
            order_id: OrderId(77),
            client_id: Some(cid(1)),
        }),
        Evidence::Inserted => private(PrivateEvent::Inserted(event(1, 77, 10))),
        Evidence::Deleted => private(PrivateEvent::Deleted(event(1, 77, 6))),
        Evidence::RowUntouched => listed(10, RowStatus::Untouched),
        Evidence::RowPartial => listed(6, RowStatus::Partial),
        Evidence::RowCanceled => listed(6, RowStatus::Canceled),
        Evidence::RowClosed => listed(0, RowStatus::Closed),
        Evidence::CancelAsked => RouterIn::Cancel(cid(1), CancelReason::Operator),
        Evidence::CancelRefused => RouterIn::CancelReply(cid(1), CancelReply::LookUp),
        Evidence::Absence => look(AT, vec![witness()]),
    }
}

/// Plays a piece of evidence; returns whether it killed.
fn play(world: &mut World, evidence: Evidence) -> bool {
    world.tell(AT, input(evidence));
    let has_killed = world.raised(ModeCode::GhostOrder);
    if evidence == Evidence::Absence {
        for at in [AT + 5_000, AT + 10_000] {
            world.tell(at, look(at, vec![witness()]));
        }
    }
    has_killed
}

#[test]
fn every_state_meets_every_kind_of_evidence() {
    for (state, row) in TABLE {
        for (evidence, expected) in EVIDENCE.into_iter().zip(row) {
            let mut world = world_in(state);
            let mark = if play(&mut world, evidence) { "!" } else { "" };
            let got = format!("{} {}{mark}", world.state(1).as_str(), world.filled(1));
            assert_eq!(got, expected, "{state} meets {evidence:?}");
            let was = (world.state(1), world.filled(1));
            play(&mut world, evidence);
            assert_eq!(
                (world.state(1), world.filled(1)),
                was,
                "{state}: {evidence:?} again"
            );
        }
    }
}

#[test]
fn every_order_state_is_reachable() {
    let reached: Vec<&str> = TABLE
        .iter()
        .map(|(state, _)| world_in(state).state(1).as_str())
        .collect();
    let named: Vec<&str> = TABLE.iter().map(|(state, _)| *state).collect();
    assert_eq!(reached, named);
}

/// What an order of 10 that was accepted, filled with 4 and cancelled leaves behind in all sources.
fn story(claim: Option<Evidence>) -> Vec<u8> {
    let all = 0..PIECES;
    all.chain(claim.map(|claim| PIECES + u8::from(claim == Evidence::Rejected)))
        .collect()
}

const PIECES: u8 = 10;

fn piece(number: u8) -> RouterIn {
    let part = |source, id, units| {
        RouterIn::Private(PrivateEvent::Trade(OwnTrade {
            client_id: Some(cid(1)),
            ..trade(source, id, 77, units)
        }))
    };
    match number {
        0 => input(Evidence::Inserted),
        1 => part(TradeSource::Stream, 1, 1),
        2 => part(TradeSource::Stream, 2, 3),
        3 => part(TradeSource::Rest, 901, 1),
        4 => part(TradeSource::Rest, 902, 3),
        5 => input(Evidence::Matched),
        6 => input(Evidence::Deleted),
        7 => input(Evidence::RowUntouched),
        8 => input(Evidence::RowPartial),
        9 => input(Evidence::RowCanceled),
        10 => input(Evidence::NotSent),
        _ => input(Evidence::Rejected),
    }
}

proptest! {
    /// Any order of the same evidence, with anything doubled, ends in the same state, books the same and kills or not.
    #[test]
    fn evidence_in_any_order_and_number_proves_the_same(
        (told, claim) in prop_oneof![
            Just(None), Just(Some(Evidence::NotSent)), Just(Some(Evidence::Rejected))
        ].prop_flat_map(|claim| {
            let twice = [story(claim), story(None)].concat();
            (Just(twice).prop_shuffle(), Just(claim))
        })
    ) {
        let mut world = World::new();
        world.sent(1, 0);
        let mut has_killed = false;
        for number in told {
            world.tell(10, piece(number));
            has_killed |= world.raised(ModeCode::GhostOrder);
        }
        // The row is read until it has been caught up with.
        world.tell(20, input(Evidence::RowCanceled));
        prop_assert_eq!(world.state(1), OrderState::Canceled);
        prop_assert_eq!((world.filled(1), world.booked()), (4, 2));
        prop_assert_eq!(has_killed, claim.is_some());
        let again = world.restarted(30);
        prop_assert_eq!((again.state(1), again.filled(1)), (OrderState::Canceled, 4));
    }
}
