//! The Reconciler actor: asks the exchange and hands complete looks to router and gate.

use crate::driver::reads::Reads;
use crate::link::{Link, Sent};
use crate::observer::{Eyes, Process};
use crate::shell::Perform;
use engine::core::Core;
use engine::msg::{PassReport, ReadRequest, ReconcileEffect, ReconcileIn, RiskIn, RouterIn};
use engine::reconcile::{RECONCILE_PENDING, RECONCILE_SETTLED, Reconciler};
use engine::time::Timestamp;
use std::sync::Arc;

/// Answers and wishes that may wait; a dropped one fails its pass, and the next pass starts over.
pub const MAILBOX: usize = 256;

/// Where reads go; the answer comes back to the reconciler's link.
pub trait ReadPort: Unpin + 'static {
    /// Asks the exchange.
    fn read(&self, request: ReadRequest);
}

/// Where looks go.
pub struct ReconcilerPort<R: ReadPort> {
    /// The exchange.
    pub reads: R,
    /// The router.
    pub router: Link<RouterIn>,
    /// The gate.
    pub risk: Link<RiskIn>,
    /// A look of this pass could not be handed on: the pass is not clean, whatever its requests say.
    pub is_lost: bool,
    /// Status and log.
    pub eyes: Eyes,
}

impl<R: ReadPort> ReconcilerPort<R> {
    fn to_risk(&self, message: RiskIn) {
        if self.risk.send(message) != Sent::Delivered {
            self.eyes
                .see(Process::LinkTrouble("reconciler_to_risk", "look dropped"));
        }
    }
}

impl<R: ReadPort> Perform for ReconcilerPort<R> {
    type Core = Reconciler;

    fn perform(&mut self, now: Timestamp, effect: <Reconciler as Core>::Effect) {
        match effect {
            ReconcileEffect::Read(request) => self.reads.read(request),
            ReconcileEffect::Pending => self.to_risk(RECONCILE_PENDING),
            ReconcileEffect::Settled => self.to_risk(RECONCILE_SETTLED),
            ReconcileEffect::Snapshot(snapshot) => {
                if self.router.send(RouterIn::Snapshot(snapshot)) != Sent::Delivered {
                    self.is_lost = true;
                    self.eyes
                        .see(Process::LinkTrouble("reconciler_to_router", "look dropped"));
                }
            }
            ReconcileEffect::Transfers(listed) => self.to_risk(RiskIn::Transfers(listed)),
            ReconcileEffect::Balances { asked_at, rows } => {
                self.to_risk(RiskIn::Balances { asked_at, rows })
            }
            ReconcileEffect::Done { clean, took_ms } => {
                let clean = clean && !std::mem::take(&mut self.is_lost);
                self.to_risk(RiskIn::Reconciled { clean });
                self.eyes.see(Process::Pass(PassReport {
                    clean,
                    took_ms,
                    at: now,
                }));
            }
        }
    }
}

/// Reads of the real exchange, or of one that speaks its protocol; made anew for each instance.
pub struct LiveReads {
    client: Reads,
    reconciler: Link<ReconcileIn>,
    /// Gone with the instance: an answer to its question, which its successor asks again, shows an older account than
    /// the successor would take it for.
    asker: Arc<()>,
}

impl LiveReads {
    /// Makes the reads of one instance; answers go to its link while it lives.
    pub fn new(client: Reads, reconciler: Link<ReconcileIn>) -> Self {
        Self {
            client,
            reconciler,
            asker: Arc::default(),
        }
    }
}

impl ReadPort for LiveReads {
    fn read(&self, request: ReadRequest) {
        let (client, reconciler) = (self.client.clone(), self.reconciler.clone());
        let asker = Arc::downgrade(&self.asker);
        actix_rt::spawn(async move {
            let reply = client.read(request).await;
            let is_awaited = asker.upgrade().is_some();
            if is_awaited && reconciler.send(ReconcileIn::Reply(reply)) != Sent::Delivered {
                tracing::warn!(
                    event = "read_reply_dropped",
                    msg = "the pass will time out and start over"
                );
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::version::BUILD;
    use crate::clock::Clock;
    use crate::driver::reads::tests::nowhere;
    use crate::driver::toll::Toll;
    use crate::link::tests::Ear;
    use crate::metrics::Metrics;
    use actix::Actor;
    use engine::msg::ReadReply;
    use tokio::sync::mpsc;

    #[actix_rt::test]
    async fn an_answer_to_an_instance_that_has_ended_is_not_its_successors() {
        let clock = Clock::manual(Timestamp::from_ms(1_700_000_000_000));
        let metrics = Metrics::new(BUILD, &[], clock.now());
        let client = nowhere(&clock, &metrics, &Toll::default());
        let (send, mut heard) = mpsc::unbounded_channel();
        let link = Link::default();
        link.publish(Ear(send).start().recipient());
        let ended = LiveReads::new(client.clone(), link.clone());
        ended.read(ReadRequest::Balances);
        drop(ended);
        let living = LiveReads::new(client, link);
        living.read(ReadRequest::OpenOrders);
        let first = heard.recv().await;
        let reply = ReadReply::Failed(ReadRequest::OpenOrders);
        assert_eq!(first, Some(ReconcileIn::Reply(reply)));
        assert!(heard.try_recv().is_err(), "one answer, to who asked");
    }
}
