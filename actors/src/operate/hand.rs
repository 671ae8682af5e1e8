//! The operator's hand on a run, the socket that lets commands in, and the threads behind the kill switch.

use super::{Parts, Reloadable};
use crate::beats::Beat;
use crate::control::Control;
use crate::control::desk::Desk;
use crate::killer::{self, Killer, KillerThread};
use crate::latch::keeper::{Keeper, KeeperThread, OnRecord};
use crate::observer::{Asked, Process};
use crate::operator::Operator;
use crate::reload::{By, InForce, Reloader};
use crate::secrets::SecretsPort;
use crate::signals::{Signal, Signals};
use crate::store::StoreError;
use crate::system::Running;
use crate::watchdog::Watch;
use std::sync::{Arc, Mutex};

/// The threads behind the kill switch.
pub(super) struct Guards {
    keeper: KeeperThread,
    killer: Option<KillerThread>,
}

impl Guards {
    /// Ends them; whatever was killed is written down.
    pub(super) fn stop(self) {
        if let Some(killer) = self.killer {
            killer.stop();
        }
        self.keeper.stop();
    }
}

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
            configured_safe: self.settings.safety.safe_mode.into(),
            unarmed_live: self.is_unarmed_live,
            last_on: Mutex::new(None),
            resets: Mutex::new(self.resets.clone()),
            pairs: self.settings.market.symbols.to_vec(),
            holds: Mutex::new(self.holds.clone()),
        }
    }

    /// USR1: the gate is shut already; the kernel does not say who asked.
    pub(super) fn safe_mode_by_signal(&self, operator: &Operator) {
        let recorded = operator.safe_mode_on();
        let result = if recorded.is_ok() {
            "done"
        } else {
            "not recorded"
        };
        self.eyes.see(Process::Asked(Asked {
            what: "safe-mode on".to_owned(),
            by: format!("signal {}", Signal::Usr1.as_str()),
            reason: String::new(),
            result: result.to_owned(),
        }));
    }

    /// Starts the threads behind the kill switch. Nothing of a dry run, or of a process without keys, is at the
    /// exchange, so there is nothing to cancel.
    pub(super) fn guards(
        &self,
        running: &Running,
        on_record: &OnRecord,
    ) -> Result<Guards, StoreError> {
        let killer = if self.may_have_orders {
            Some(self.killer()?)
        } else {
            None
        };
        if let Some(kill) = self.latch.current() {
            // Whoever shows reports does not listen yet.
            self.metrics.kill_latched(true);
            let status = self.status.write();
            status.expect("no holder of the status can panic").kill = Some(kill);
        }
        let keeper = self.keeper(running, on_record)?;
        Ok(Guards { keeper, killer })
    }

    /// Puts the run under the watchdog, which lives on the thread of the signals.
    pub(super) fn watch(&self, signals: &Signals) -> Watch {
        actix_rt::spawn(self.beats.clone().keep(Beat::Main));
        let (gate, latch) = (self.owner.gate(), self.latch.clone());
        let watch = Watch::new(gate, latch, self.beats.clone(), self.links.risk.clone());
        if !signals.watch(watch.clone()) {
            tracing::error!(event = "watchdog_taken", msg = "one run for one process");
        }
        watch
    }

    fn killer(&self) -> Result<KillerThread, StoreError> {
        let reads = self.reads.apart();
        let killer = Killer {
            gate: self.owner.gate(),
            reads: reads.expect("the same settings have made a client before"),
            ids: self.own_orders.ids.clone(),
            tag: self.tag,
            spacing: killer::SPACING,
            clock: self.clock.clone(),
            beats: self.beats.clone(),
        };
        killer.start().map_err(StoreError::Io)
    }

    fn keeper(&self, running: &Running, on_record: &OnRecord) -> Result<KeeperThread, StoreError> {
        let keeper = Keeper {
            latch: self.latch.clone(),
            tag: self.tag,
            gate: self.owner.gate(),
            journal: running.journal.clone(),
            beats: self.beats.clone(),
            risk: self.links.risk.clone(),
            eyes: self.eyes.clone(),
        };
        keeper.start(on_record).map_err(StoreError::Io)
    }

    /// What the Secrets actor works with.
    pub(super) fn secrets(&mut self, reloadable: Reloadable) -> SecretsPort {
        let in_force = InForce::new(reloadable.loaded);
        let logging = reloadable.logging;
        self.reloadable = Some((reloadable.again, in_force.clone(), Arc::clone(&logging)));
        SecretsPort {
            in_force,
            keys: self.keys.clone(),
            trial: self.keys.current().map(|_| self.trial.clone()),
            tag: self.tag,
            risk: self.links.risk.clone(),
            eyes: self.eyes.clone(),
            feed: self.links.feed.clone(),
            reconciler: self.links.reconciler.clone(),
            reads: self.reads.clone(),
            gate: self.owner.gate(),
            accounts: (!self.is_simulated).then(Arc::default),
            filter: reloadable.filter,
            logging,
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Reloads beside the run: a trial of new credentials takes its time, and a signal to stop does not wait for it.
    pub(super) fn reload(&self, operator: &Arc<Operator>) {
        let Some(reloader) = self.reloader(operator) else {
            return;
        };
        let by = By {
            uid: rustix::process::geteuid().as_raw(),
            pid: None,
            what: "HUP",
            reason: String::new(),
        };
        actix_rt::spawn(async move { reloader.reload(by).await });
    }

    /// Whoever reloads the configuration; a demo has none.
    pub(super) fn reloader(&self, operator: &Arc<Operator>) -> Option<Reloader> {
        let (again, in_force, logging) = self.reloadable.clone()?;
        Some(Reloader {
            again,
            in_force,
            secrets: self.links.secrets.clone(),
            operator: Arc::downgrade(operator),
            metrics: self.metrics.clone(),
            logging,
        })
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
        let reloader = self.reloader(operator);
        let desk = Desk::new(Arc::clone(operator), exchange, self.tag, reloader);
        let started = Control::start(bound, desk, self.beats.clone());
        started
            .inspect_err(|error| tracing::error!(event = "control_failed", error = %error))
            .ok()
    }
}
