//! From the journal back to what was known, and what follows from having been away.
//!
//! Whatever was being sent when the process ended has an unknown fate; nothing is ever sent again.

use super::OrderRouter;
use super::absence::AbsenceProof;
use super::entry::Cancelling;
use super::memory::Memory;
use crate::core::Outbox;
use crate::ids::ClientId;
use crate::mode::{Mode, ModeCode, Scope};
use crate::msg::RouterEffect;
use crate::time::Timestamp;

impl OrderRouter {
    /// Takes over what the records of earlier starts add up to.
    pub fn recall(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// Ends the replay: whatever was being sent when the process ended has an unknown fate.
    pub fn recovered(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        self.memory.interrupt(now);
        let living: Vec<ClientId> = self.memory.living.iter().copied().collect();
        for id in living {
            self.memory.with(id, |entry| {
                entry.touched_at = now;
                if let Some(cancelling) = entry.view.cancel_asked.then_some(Cancelling {
                    retry_at: Some(now),
                }) {
                    entry.cancelling = Some(cancelling);
                }
            });
            self.tell(id, out);
        }
        if self.memory.was_unclean {
            self.hold_new_risk(now, out);
        }
        self.freeze(now, out);
        self.look_up(now, out);
    }

    /// Whatever an unclean predecessor sent, or a second engine of a restored copy sends, shows itself within the
    /// horizon; until then nothing is added to it.
    fn hold_new_risk(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        self.held_until = Some(AbsenceProof::opens_at(now, self.settings.unknown_settle_ms));
        let (code, scope) = (ModeCode::UncleanStop, Scope::Global);
        out.push(RouterEffect::Raise(code, scope, Mode::ReduceRiskOnly));
    }
}
