//! The Reconciler actor: asks the exchange and hands complete looks to router and gate.

use crate::driver::reads::Reads;
use crate::link::{Link, Sent};
use crate::observer::{Eyes, Observed};
use crate::shell::Perform;
use engine::core::Core;
use engine::msg::{PassReport, ReadRequest, ReconcileEffect, ReconcileIn, RiskIn, RouterIn};
use engine::reconcile::{RECONCILE_PENDING, RECONCILE_SETTLED, Reconciler};
use engine::time::Timestamp;

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
                .see(Observed::LinkTrouble("reconciler_to_risk", "look dropped"));
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
                    self.eyes.see(Observed::LinkTrouble(
                        "reconciler_to_router",
                        "look dropped",
                    ));
                }
            }
            ReconcileEffect::Transfers(listed) => self.to_risk(RiskIn::Transfers(listed)),
            ReconcileEffect::Balances { asked_at, rows } => {
                self.to_risk(RiskIn::Balances { asked_at, rows })
            }
            ReconcileEffect::Done { clean, took_ms } => {
                let clean = clean && !std::mem::take(&mut self.is_lost);
                self.to_risk(RiskIn::Reconciled { clean });
                self.eyes.see(Observed::Pass(PassReport {
                    clean,
                    took_ms,
                    at: now,
                }));
            }
        }
    }
}

/// Reads of the real exchange, or of one that speaks its protocol.
pub struct LiveReads {
    /// The client.
    pub client: Reads,
    /// Where answers go.
    pub reconciler: Link<ReconcileIn>,
}

impl ReadPort for LiveReads {
    fn read(&self, request: ReadRequest) {
        let (client, reconciler) = (self.client.clone(), self.reconciler.clone());
        actix_rt::spawn(async move {
            let reply = client.read(request).await;
            if reconciler.send(ReconcileIn::Reply(reply)) != Sent::Delivered {
                tracing::warn!(
                    event = "read_reply_dropped",
                    msg = "the pass will time out and start over"
                );
            }
        });
    }
}
