//! What holds before the first turn of any actor: the configuration's wishes, and what outlived the last process.

use super::Parts;
use crate::gate::Flag;
use engine::mode::{Mode, ModeCode};

impl Parts {
    /// Lowers what only the start had raised; a safe mode, a latched and a configured kill stay.
    pub(super) fn open(&self, was_safe: bool) {
        let gate = self.owner.gate();
        let is_safe = self.settings.safety.safe_mode || was_safe || self.latch.is_marked_safe();
        for (flag, stays) in [
            (Flag::Safe, is_safe),
            (Flag::Kill, self.latch.current().is_some()),
            (Flag::Disarmed, self.is_killed()),
            (Flag::Drain, false),
        ] {
            if !stays && self.owner.lower(flag, gate.serial()).is_err() {
                tracing::warn!(event = "gate_stays_shut", flag = flag.as_str());
            }
        }
    }

    /// What the configuration itself asks for, and what is latched.
    pub(super) fn voices(&self) -> Vec<(ModeCode, Mode)> {
        let is_safe = self.settings.safety.safe_mode || self.latch.is_marked_safe();
        let safe = is_safe.then_some((ModeCode::OperatorSafeMode, Mode::ObserveOnly));
        let kill = self
            .is_killed()
            .then_some((ModeCode::ConfiguredKill, Mode::KillSwitch));
        let latched = self.latch.current();
        let latched = latched.map(|kill| (kill.cause, Mode::KillSwitch));
        safe.into_iter().chain(kill).chain(latched).collect()
    }

    /// The configured kill switch binds on the live venue; a dry run only shows it.
    fn is_killed(&self) -> bool {
        self.settings.safety.kill_switch && self.is_unarmed_live
    }
}
