//! The Supervisor actor: hears of ends and of what was spent, tells the guardians, the gate and the feed what follows.
//!
//! The egress gate goes first: a step that raises risk's flag does not wait for anybody's mailbox.

use crate::gate::{Flag, Gate};
use crate::guardian::Command;
use crate::journal::{AppendError, Journal};
use crate::link::{Link, Sent};
use crate::market_feed::Approach;
use crate::observer::{Eyes, Process};
use crate::shell::Perform;
use engine::budget::ConnectPace;
use engine::core::Core;
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::{FeedIn, RiskIn};
use engine::record::Record;
use engine::supervisor::{ActorName, Supervisor, SupervisorEffect};
use engine::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Ends that may wait.
pub const MAILBOX: usize = 256;

/// The supervisor's handle on the journal. It can be taken away: the supervisor outlives the journal, which closes only
/// when nobody can append any more.
#[derive(Clone)]
pub struct Pen(Arc<Mutex<Option<Journal>>>);

impl Pen {
    /// Makes a handle.
    pub fn new(journal: Journal) -> Self {
        Self(Arc::new(Mutex::new(Some(journal))))
    }

    /// Takes the journal away; what happens later is the end of the process and costs nothing.
    pub fn put_down(&self) {
        drop(self.lock().take());
    }

    fn write(&self, now: Timestamp, record: Record) -> Result<(), AppendError> {
        match self.lock().as_ref() {
            Some(journal) => journal.append(now, record).map(drop),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Journal>> {
        // The handle is there or not, whatever happened to its last holder.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How guardians and the process are reached.
pub struct SupervisorPort {
    /// One guardian per actor.
    pub guardians: BTreeMap<ActorName, mpsc::Sender<Command>>,
    /// The gate core, for modes.
    pub risk: Link<RiskIn>,
    /// The feed, for how it may try.
    pub feed: Link<FeedIn>,
    /// What a fresh feed is told.
    pub approach: Approach,
    /// Durable records, until the process seals its journal.
    pub pen: Pen,
    /// The egress gate.
    pub gate: Gate,
    /// Hears once that the order path is broken.
    pub fatal: mpsc::Sender<ActorName>,
    /// Status and log.
    pub eyes: Eyes,
}

impl SupervisorPort {
    fn command(&self, actor: ActorName, command: Command) {
        self.eyes.see(Process::Restarted(actor));
        let sent = self
            .guardians
            .get(&actor)
            .map(|guardian| guardian.try_send(command));
        if !matches!(sent, Some(Ok(()))) {
            tracing::error!(event = "guardian_unreachable", actor = actor.as_str());
            self.raise(ModeCode::ActorLost, Mode::KillSwitch);
        }
    }

    /// The panic hook has shut the gate without a reason that anybody holds. An end that is survived is no reason: the
    /// mode decides again.
    fn judge_anew(&self) {
        if self.risk.send(RiskIn::Resend) != Sent::Delivered {
            self.gate.kill(ModeCode::OrderPathBroken);
        }
    }

    fn raise(&self, code: ModeCode, mode: Mode) {
        match mode {
            Mode::KillSwitch => {
                self.gate.kill(code);
            }
            Mode::ObserveOnly => {
                self.gate.raise(Flag::Observe);
            }
            Mode::Normal | Mode::ReduceRiskOnly => {}
        }
        tracing::error!(
            event = "escalated",
            reason = code.as_str(),
            mode = mode.as_str()
        );
        if self.risk.send(RiskIn::Raise(code, Scope::Global, mode)) != Sent::Delivered {
            self.gate.kill(ModeCode::OrderPathBroken);
        }
    }
}

impl SupervisorPort {
    /// What is spent must be known after a crash: without its record nothing new is risked.
    fn persist(&self, now: Timestamp, record: Record) {
        if let Err(error) = self.pen.write(now, record) {
            self.gate.raise(Flag::Observe);
            tracing::error!(event = "budget_not_recorded", error = %error);
        }
    }

    fn clear(&self, code: ModeCode) {
        if self.risk.send(RiskIn::Clear(code, Scope::Global)) != Sent::Delivered {
            self.eyes
                .see(Process::LinkTrouble("supervisor_to_risk", "a mode stays"));
        }
    }

    fn pace(&self, pace: ConnectPace) {
        self.approach.set_pace(pace);
        // A feed that is being made reads it there.
        if self.feed.send(FeedIn::Pace(pace)) == Sent::Full {
            self.eyes
                .see(Process::LinkTrouble("supervisor_to_feed", "pace dropped"));
        }
    }
}

/// Nobody restarts the supervisor: whatever ended it, no order leaves without one (ADR 0006).
impl Drop for SupervisorPort {
    fn drop(&mut self) {
        self.gate.kill(ModeCode::ActorLost);
    }
}

impl Perform for SupervisorPort {
    type Core = Supervisor;

    fn perform(&mut self, now: Timestamp, effect: <Supervisor as Core>::Effect) {
        match effect {
            SupervisorEffect::Start(actor, delay_ms) => {
                self.command(actor, Command::Start(delay_ms));
                self.judge_anew();
            }
            SupervisorEffect::Renew(actor) => self.command(actor, Command::Renew),
            SupervisorEffect::Raise(code, mode) => self.raise(code, mode),
            SupervisorEffect::Clear(code) => self.clear(code),
            SupervisorEffect::Persist(record) => self.persist(now, record),
            SupervisorEffect::Show(step) => self.eyes.see(Process::Ladder(step)),
            SupervisorEffect::Pace(pace) => self.pace(pace),
            SupervisorEffect::Fatal(actor) => {
                self.gate.kill(ModeCode::ActorLost);
                // A full channel means that somebody has heard already.
                let _heard = self.fatal.try_send(actor);
            }
        }
    }
}
