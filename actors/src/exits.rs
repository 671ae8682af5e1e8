//! The two ways out of the router: the live exchange, with or without a submit port, and the simulated venue.
//!
//! Which one exists is decided once, at the composition root; in a dry run the live one is never built.

use crate::clock::Clock;
use crate::driver::endpoint::EndpointError;
use crate::driver::reads::Reads;
use crate::driver::submit::{PortParts, SubmitPort, Submitted};
use crate::driver::toll::Toll;
use crate::gate::Gate;
use crate::link::{Link, Sent};
use crate::metrics::{Breaker, Metrics};
use crate::observer::{Call, Eyes, Process};
use crate::risk_gate::shut;
use crate::venue::VenueIn;
use btcturk::rest::quota::Group;
use config::arming::Armed;
use engine::answer::{NotSent, SubmitOutcome};
use engine::approved::Approved;
use engine::ids::{ClientId, OrderId};
use engine::intent::NewOrder;
use engine::msg::{RiskIn, RouterIn};
use engine::pacing::Urgency;
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

/// The real exchange, or one that speaks its protocol.
pub struct LiveExits {
    /// Orders, one at a time, each behind the gate on its first byte; absent in a process that is not armed.
    port: Option<SubmitPort>,
    way: Way,
}

/// What cancels and look-ups need, and where every answer goes.
#[derive(Clone)]
pub struct Way {
    /// Cancels and look-ups.
    pub client: Reads,
    /// Where answers go.
    pub router: Link<RouterIn>,
    /// The gate core: it must not approve what the exchange holds back.
    pub risk: Link<RiskIn>,
    /// Where costs are told.
    pub toll: Toll,
    /// Breakers.
    pub metrics: Metrics,
    /// The gate: an answer that cannot be handed on shuts it.
    pub gate: Gate,
    /// Time.
    pub clock: Clock,
    /// Status and log.
    pub eyes: Eyes,
}

impl Way {
    fn answer(&self, message: RouterIn) {
        if self.router.send(message) != Sent::Delivered {
            shut(&self.gate, &self.eyes, "exchange_to_router");
        }
    }
}

impl Way {
    /// What a submit's answer costs, and how long the next one is held.
    fn pay(&self, status: Option<u16>, hold_ms: Option<i64>) {
        let now = self.clock.now();
        match (status, hold_ms) {
            (_, Some(hold_ms)) => {
                let until = now.plus_ms(hold_ms);
                self.toll.throttled(Group::OrderInsert);
                self.metrics.breaker_open(Breaker::Submit, SUBMIT, until);
                // The port holds them too: one that is approved meanwhile is not sent.
                if self.risk.send(RiskIn::SubmitsHeld(until)) != Sent::Delivered {
                    self.eyes
                        .see(Process::LinkTrouble("exchange_to_risk", "hold dropped"));
                }
            }
            (Some(401), None) => drop(self.toll.refused()),
            (Some(_), None) => {
                self.toll.accepted();
                self.metrics.breaker_closed(Breaker::Submit, SUBMIT, now);
            }
            (None, None) => {}
        }
    }
}

/// The group of submits, as its breaker is shown.
const SUBMIT: &str = Group::OrderInsert.as_str();

impl LiveExits {
    /// Opens the submit port on the current arbiter; the proof that this process may submit is spent on it.
    ///
    /// # Errors
    /// The armed address cannot be used.
    pub fn armed(armed: Armed, parts: PortParts, way: Way) -> Result<Self, EndpointError> {
        let report = {
            let way = way.clone();
            move |submitted: Submitted| {
                let Submitted {
                    client_id,
                    outcome,
                    took_ms,
                    status,
                    retry_after_ms,
                    sent_after_us,
                } = submitted;
                way.pay(status, retry_after_ms);
                if let Some(after_us) = sent_after_us {
                    way.eyes.see(Call::SubmitSent(after_us));
                }
                way.eyes
                    .see(Call::SubmitAnswered(client_id, took_ms, status));
                way.answer(RouterIn::Outcome(client_id, outcome));
            }
        };
        Ok(Self {
            port: Some(SubmitPort::start(armed, parts, report)?),
            way,
        })
    }

    /// Opens the submit port on an exchange of this machine; another address is refused by its type.
    ///
    /// # Errors
    /// The address is not loopback, or cannot be used: text for people.
    pub fn on_loopback(base_url: &str, parts: PortParts, way: Way) -> Result<Self, String> {
        let armed = Armed::for_loopback(base_url).map_err(|error| error.to_string())?;
        Self::armed(armed, parts, way).map_err(|error| error.to_string())
    }

    /// Cancels and look-ups only: what a live process that is not armed may do.
    pub const fn cancels_only(way: Way) -> Self {
        Self { port: None, way }
    }
}

impl Exits for LiveExits {
    fn submit(&self, order: Approved<NewOrder>, stamp_max: Timestamp) {
        match &self.port {
            Some(port) => port.submit(order, stamp_max),
            None => {
                let id = order.spend().client_id;
                self.way.answer(RouterIn::Outcome(
                    id,
                    SubmitOutcome::NotSent(NotSent::NoPort),
                ));
            }
        }
    }

    fn delete(&self, id: ClientId, order_id: OrderId) {
        let way = self.way.clone();
        // While the gate is shut, cancels are what it is shut for: they may use the whole quota.
        let urgency = if way.gate.is_open_for_submit() {
            Urgency::Ordinary
        } else {
            Urgency::Reserved
        };
        actix_rt::spawn(async move {
            let asked = way.clock.now();
            let reply = way.client.delete_order(order_id, urgency).await;
            way.eyes.see(Call::CancelAnswered(
                id,
                reply,
                way.clock.now().ms_since(asked),
            ));
            way.answer(RouterIn::CancelReply(id, reply));
        });
    }

    fn read_row(&self, id: ClientId, order_id: OrderId) {
        let way = self.way.clone();
        actix_rt::spawn(async move {
            let row = way.client.order(order_id).await.unwrap_or_default();
            way.answer(RouterIn::Row(id, row));
        });
    }
}

/// The simulated venue of a dry run.
pub struct SimulatedExits {
    /// The venue.
    pub venue: Link<VenueIn>,
    /// The gate: a kill stops the simulated venue as well.
    pub gate: Gate,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::version::BUILD;
    use crate::gate::GateOwner;
    use crate::link::tests::Ear;
    use actix::Actor;
    use engine::budget::Spending;
    use engine::supervisor::SupervisorIn;
    use tokio::sync::mpsc;

    const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn ear<T: Send + Unpin + 'static>(link: &Link<T>) -> mpsc::UnboundedReceiver<T> {
        let (send, heard) = mpsc::unbounded_channel();
        link.publish(Ear(send).start().recipient());
        heard
    }

    #[actix_rt::test]
    async fn open_breaker_reaches_risk_and_metrics() {
        let (risk, supervisor) = (Link::default(), Link::default());
        let (mut told_risk, mut told_supervisor) = (ear(&risk), ear(&supervisor));
        let clock = Clock::manual(START);
        let metrics = Metrics::new(BUILD, &[], START);
        let toll = Toll::new(supervisor);
        let way = Way {
            client: crate::driver::reads::tests::nowhere(&clock, &metrics, &toll),
            router: Link::default(),
            risk,
            toll,
            metrics: metrics.clone(),
            gate: GateOwner::new().gate(),
            clock: clock.clone(),
            eyes: Eyes::default(),
        };
        let shown = |clock: &Clock| {
            let text = metrics.render(clock.now());
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("circuit_breaker_state{breaker=\"submit\"} "));
            line.map(str::to_owned)
        };
        way.pay(Some(429), Some(2_000));
        let until = START.plus_ms(2_000);
        assert_eq!(told_risk.recv().await, Some(RiskIn::SubmitsHeld(until)));
        let spent = SupervisorIn::Spent(Spending::Throttled);
        assert_eq!(told_supervisor.recv().await, Some(spent));
        assert_eq!(shown(&clock).as_deref(), Some("2"));
        clock.advance_ms(2_000);
        assert_eq!(shown(&clock).as_deref(), Some("1"), "one probe");
        way.pay(Some(200), None);
        assert_eq!(shown(&clock).as_deref(), Some("0"));
        // Refusals count in a row.
        for count in 1..=2 {
            way.pay(Some(401), None);
            let refused = SupervisorIn::CredentialsRefused(count);
            assert_eq!(told_supervisor.recv().await, Some(refused));
        }
        way.pay(Some(200), None);
        way.pay(Some(401), None);
        let refused = SupervisorIn::CredentialsRefused(1);
        assert_eq!(told_supervisor.recv().await, Some(refused));
    }
}
