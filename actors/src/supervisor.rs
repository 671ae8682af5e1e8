//! The Supervisor actor: hears of ends from the guardians and tells them what to do.

use crate::gate::{Flag, Gate};
use crate::guardian::Command;
use crate::link::{Link, Sent};
use crate::observer::{Eyes, Observed};
use crate::shell::Perform;
use engine::core::Core;
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::RiskIn;
use engine::supervisor::{ActorName, Supervisor, SupervisorEffect};
use engine::time::Timestamp;
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// Ends that may wait.
pub const MAILBOX: usize = 256;

/// How guardians and the process are reached.
pub struct SupervisorPort {
    /// One guardian per actor.
    pub guardians: BTreeMap<ActorName, mpsc::Sender<Command>>,
    /// The gate core, for modes.
    pub risk: Link<RiskIn>,
    /// The egress gate.
    pub gate: Gate,
    /// Hears once that the order path is broken.
    pub fatal: mpsc::Sender<ActorName>,
    /// Status and log.
    pub eyes: Eyes,
}

impl SupervisorPort {
    fn command(&self, actor: ActorName, command: Command) {
        self.eyes.see(Observed::Restarted(actor));
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

/// Nobody restarts the supervisor: whatever ended it, no order leaves without one (ADR 0006).
impl Drop for SupervisorPort {
    fn drop(&mut self) {
        self.gate.kill(ModeCode::ActorLost);
    }
}

impl Perform for SupervisorPort {
    type Core = Supervisor;

    fn perform(&mut self, _now: Timestamp, effect: <Supervisor as Core>::Effect) {
        match effect {
            SupervisorEffect::Start(actor, delay_ms) => {
                self.command(actor, Command::Start(delay_ms));
                self.judge_anew();
            }
            SupervisorEffect::Renew(actor) => self.command(actor, Command::Renew),
            SupervisorEffect::Raise(code, mode) => self.raise(code, mode),
            SupervisorEffect::Fatal(actor) => {
                self.gate.kill(ModeCode::ActorLost);
                // A full channel means that somebody has heard already.
                let _heard = self.fatal.try_send(actor);
            }
        }
    }
}
