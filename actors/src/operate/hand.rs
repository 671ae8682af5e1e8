//! The operator's hand on a run, and the socket that lets commands in.

use super::Parts;
use crate::control::Control;
use crate::control::desk::Desk;
use crate::latch::keeper::{Keeper, KeeperThread};
use crate::operator::Operator;
use crate::store::StoreError;
use crate::system::Running;
use engine::kill::Kill;
use std::sync::{Arc, Mutex};

impl Parts {
    pub(super) fn operator(&self, running: &Running) -> Operator {
        Operator {
            links: self.links.clone(),
            owner: Arc::clone(&self.owner),
            latch: self.latch.clone(),
            journal: running.journal.clone(),
            status: Arc::clone(&self.status),
            eyes: self.eyes.clone(),
            own_orders: self.own_orders.clone(),
            clock: self.clock.clone(),
            configured_safe: self.settings.safety.safe_mode,
            unarmed_live: self.is_unarmed_live,
            last_on: Mutex::new(None),
        }
    }

    /// Starts to write kills down.
    pub(super) fn keeper(
        &self,
        running: &Running,
        on_record: Option<&Kill>,
    ) -> Result<KeeperThread, StoreError> {
        let keeper = Keeper {
            latch: self.latch.clone(),
            gate: self.owner.gate(),
            journal: running.journal.clone(),
            risk: self.links.risk.clone(),
            eyes: self.eyes.clone(),
        };
        keeper.start(on_record).map_err(StoreError::Io)
    }

    /// Lets an operator's commands in; without it signals remain.
    pub(super) fn control(&mut self, operator: &Arc<Operator>) -> Option<Control> {
        let bound = self.bound.take()?;
        let exchange = if self.is_simulated {
            None
        } else {
            let apart = self.reads.apart();
            Some(apart.expect("the same settings have made a client before"))
        };
        let desk = Desk {
            operator: Arc::clone(operator),
            exchange,
            tag: self.tag,
        };
        let started = Control::start(bound, desk);
        started
            .inspect_err(|error| tracing::error!(event = "control_failed", error = %error))
            .ok()
    }
}
