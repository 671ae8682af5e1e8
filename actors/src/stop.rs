//! The graceful stop: gate shut, answers awaited, own orders cancelled and confirmed.
//!
//! Nothing here trusts a time-out: what has not ended by proof when the deadline passes is a leftover and is listed.

use crate::clock::Clock;
use crate::gate::{Flag, Gate};
use crate::link::Sent;
use crate::observer::SharedStatus;
use crate::order_router::OwnOrders;
use crate::system::Links;
use engine::intent::CancelReason;
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::{ReconcileIn, RiskIn, RouterIn};
use engine::order::{OrderState, OrderView};
use engine::time::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

/// How often the orders are looked at while they settle.
const POLL: Duration = Duration::from_millis(20);
/// Time for submits that are on the wire, milliseconds.
const IN_FLIGHT_MS: i64 = 5_000;
/// Time for the confirming look at the account, milliseconds.
const CONFIRM_MS: i64 = 5_000;

/// What a stop works with.
pub struct Stop<'a> {
    /// Stable addresses.
    pub links: &'a Links,
    /// The egress gate.
    pub gate: &'a Gate,
    /// Own orders as the router knows them.
    pub own_orders: &'a OwnOrders,
    /// The shared picture, for the confirming look.
    pub status: &'a SharedStatus,
    /// Time.
    pub clock: &'a Clock,
    /// Turns true when somebody does not want to wait any longer.
    pub hurry: watch::Receiver<bool>,
}

impl Stop<'_> {
    /// Shuts the gate, cancels what is open and waits until everything has ended or `deadline_ms` has passed.
    /// Returns what is left.
    pub async fn settle(&self, deadline_ms: i64) -> Vec<OrderView> {
        let start = self.clock.now();
        let deadline = start.plus_ms(deadline_ms);
        self.gate.raise(Flag::Drain);
        let stopping = RiskIn::Raise(ModeCode::Stopping, Scope::Global, Mode::ObserveOnly);
        self.tell(self.links.risk.send(stopping), "risk");
        let is_quiet = || {
            self.own_orders
                .living()
                .iter()
                .all(|view| !is_in_flight(view.state))
        };
        self.until(start.plus_ms(IN_FLIGHT_MS).min(deadline), is_quiet)
            .await;
        self.tell(
            self.links
                .router
                .send(RouterIn::CancelAll(CancelReason::Shutdown)),
            "router",
        );
        self.until(deadline, || self.own_orders.living().is_empty())
            .await;
        self.confirm(deadline).await;
        self.own_orders.living()
    }

    /// One more clean look at the account after the last order has ended: the exchange's own list has the last word.
    async fn confirm(&self, deadline: Timestamp) {
        let asked = self.clock.now();
        self.tell(self.links.reconciler.send(ReconcileIn::Now), "reconciler");
        let is_confirmed = || {
            let status = self
                .status
                .read()
                .expect("no holder of the status can panic");
            status.last_clean.is_some_and(|at| at > asked)
        };
        self.until(asked.plus_ms(CONFIRM_MS).min(deadline), is_confirmed)
            .await;
    }

    async fn until(&self, deadline: Timestamp, is_done: impl Fn() -> bool) {
        while !is_done() && self.clock.now() < deadline && !*self.hurry.borrow() {
            tokio::time::sleep(POLL).await;
        }
    }

    fn tell(&self, sent: Sent, link: &'static str) {
        if sent != Sent::Delivered {
            tracing::error!(event = "stop_cannot_reach", link);
        }
    }
}

const fn is_in_flight(state: OrderState) -> bool {
    match state {
        OrderState::Reserved | OrderState::Sending => true,
        OrderState::Unknown(_)
        | OrderState::Open
        | OrderState::Partial
        | OrderState::NotSent(_)
        | OrderState::Rejected(_)
        | OrderState::Absent
        | OrderState::Canceled
        | OrderState::Filled => false,
    }
}
