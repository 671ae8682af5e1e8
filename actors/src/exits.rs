//! The three ways out of the router: the live exchange, the simulated venue, and none at all.
//!
//! Which one exists is decided once, at the composition root; in a dry run the live one is never built.

use crate::link::{Link, Sent};
use crate::observer::{Eyes, Observed};
use crate::risk_gate::shut;
use crate::venue::VenueIn;
use engine::answer::{CancelReply, NotSent, SubmitOutcome};
use engine::approved::Approved;
use engine::ids::{ClientId, OrderId};
use engine::intent::NewOrder;
use engine::msg::RouterIn;
use engine::time::Timestamp;

/// Where orders, cancels and look-ups leave. Answers come back to the router's link.
pub trait Exits: Unpin + 'static {
    /// Sends an order once; the outcome is reported exactly once.
    fn submit(&self, order: Approved<NewOrder>, stamp_max: Timestamp);

    /// Asks the exchange to cancel.
    fn delete(&self, id: ClientId, order_id: OrderId);

    /// Reads one order.
    fn read_row(&self, id: ClientId, order_id: OrderId);
}

/// A process without an order port: nothing leaves.
pub struct NoExit {
    /// Where the refusals go.
    pub router: Link<RouterIn>,
    /// Status and log.
    pub eyes: Eyes,
}

impl NoExit {
    fn answer(&self, message: RouterIn) {
        if self.router.send(message) != Sent::Delivered {
            self.eyes.see(Observed::LinkTrouble("no_exit", "answer dropped"));
        }
    }
}

impl Exits for NoExit {
    fn submit(&self, order: Approved<NewOrder>, _stamp_max: Timestamp) {
        let id = order.spend().client_id;
        self.answer(RouterIn::Outcome(id, SubmitOutcome::NotSent(NotSent::NoPort)));
    }

    fn delete(&self, id: ClientId, _order_id: OrderId) {
        self.answer(RouterIn::CancelReply(id, CancelReply::Blocked));
    }

    fn read_row(&self, id: ClientId, _order_id: OrderId) {
        self.answer(RouterIn::Row(id, None));
    }
}

/// The simulated venue of a dry run.
pub struct SimulatedExits {
    /// The venue.
    pub venue: Link<VenueIn>,
    /// The gate: a kill stops the simulated venue as well.
    pub gate: crate::gate::Gate,
    /// Where refusals go.
    pub router: Link<RouterIn>,
    /// Status and log.
    pub eyes: Eyes,
}

impl SimulatedExits {
    fn hand_over(&self, message: VenueIn) {
        if self.venue.send(message) != Sent::Delivered {
            shut(&self.gate, &self.eyes, "router_to_venue");
        }
    }
}

impl Exits for SimulatedExits {
    fn submit(&self, order: Approved<NewOrder>, _stamp_max: Timestamp) {
        if self.gate.is_open_for_submit() {
            self.hand_over(VenueIn::Submit(order));
            return;
        }
        let id = order.spend().client_id;
        let refusal = RouterIn::Outcome(id, SubmitOutcome::NotSent(NotSent::GateClosed));
        if self.router.send(refusal) != Sent::Delivered {
            shut(&self.gate, &self.eyes, "venue_to_router");
        }
    }

    fn delete(&self, id: ClientId, order_id: OrderId) {
        self.hand_over(VenueIn::Delete(id, order_id));
    }

    fn read_row(&self, id: ClientId, order_id: OrderId) {
        self.hand_over(VenueIn::ReadRow(id, order_id));
    }
}
