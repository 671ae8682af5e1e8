//! The venue inside its shell: who hears what over the links.

use super::*;
use crate::clock::Clock;
use crate::gate::{Flag, GateOwner};
use crate::link::tests::Ear;
use crate::shell::Shell;
use actix::Actor;
use tokio::sync::mpsc;

fn ear<T: Send + Unpin + 'static>(link: &Link<T>) -> mpsc::UnboundedReceiver<T> {
    let (send, receive) = mpsc::unbounded_channel();
    link.publish(Ear(send).start().recipient());
    receive
}

struct Rig {
    venue: Link<VenueIn>,
    reads: SimulatedReads,
    router: mpsc::UnboundedReceiver<RouterIn>,
    reconciler: mpsc::UnboundedReceiver<ReconcileIn>,
}

fn rig() -> Rig {
    let (venue, reconciler, router) = (Link::default(), Link::default(), Link::default());
    Rig {
        reads: SimulatedReads {
            venue: Link::clone(&venue),
            reconciler: Link::clone(&reconciler),
        },
        router: ear(&router),
        reconciler: ear(&reconciler),
        venue: {
            let port = VenuePort {
                router,
                reconciler,
                gate: GateOwner::new().gate(),
                eyes: Eyes::default(),
            };
            let core = VenueCore::new(PARAMS, fresh("1000"));
            let shell = Shell::new(core, port, Clock::manual(START), MAILBOX);
            venue.publish(shell.start().recipient());
            venue
        },
    }
}

#[actix_rt::test]
async fn reads_are_answered_to_the_reconciler() {
    let mut rig = rig();
    rig.reads.read(ReadRequest::Balances);
    let row = BalanceRow {
        asset: asset("TRY"),
        free: amount("1000"),
        locked: Amount::ZERO,
    };
    let reply = ReconcileIn::Reply(ReadReply::Balances(vec![row]));
    assert_eq!(rig.reconciler.recv().await, Some(reply));
}

#[actix_rt::test]
async fn cancels_and_rows_are_answered_to_the_router() {
    let mut rig = rig();
    let unknown = OrderId(5);
    let sent = [
        rig.venue.send(VenueIn::Delete(id_of(1), unknown)),
        rig.venue.send(VenueIn::ReadRow(id_of(1), unknown)),
    ];
    assert_eq!(sent, [Sent::Delivered, Sent::Delivered]);
    let reply = RouterIn::CancelReply(id_of(1), CancelReply::LookUp);
    assert_eq!(rig.router.recv().await, Some(reply));
    let row = RouterIn::Row(id_of(1), None);
    assert_eq!(rig.router.recv().await, Some(row));
}

#[actix_rt::test]
async fn a_read_without_a_venue_has_failed() {
    let mut rig = rig();
    rig.venue.clear();
    rig.reads.read(ReadRequest::OpenOrders);
    let failed = ReconcileIn::Reply(ReadReply::Failed(ReadRequest::OpenOrders));
    assert_eq!(rig.reconciler.recv().await, Some(failed));
}

#[test]
fn an_answer_that_the_router_cannot_take_shuts_the_gate() {
    let owner = GateOwner::new();
    let gate = owner.gate();
    for flag in Flag::ALL {
        owner.lower(flag, gate.serial()).expect("nobody raises");
    }
    let mut port = VenuePort {
        router: Link::default(),
        reconciler: Link::default(),
        gate: gate.clone(),
        eyes: Eyes::default(),
    };
    port.perform(START, VenueEffect::Reply(ReadReply::OpenOrders(vec![])));
    assert!(!gate.is_raised(Flag::Kill), "a lost read costs one pass");
    port.perform(START, VenueEffect::Row(id_of(1), None));
    assert!(gate.is_raised(Flag::Kill));
}
