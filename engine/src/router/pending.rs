//! Fills that rows show and no trade has told yet: the difference stays reserved, and the trades are asked for.
//!
//! The books take trades only. Where a row says that more is filled, the two sides of the exchange disagree for a
//! moment, or a trade is lost to us; the second is a drift that a person must see.

use super::OrderRouter;
use crate::core::Outbox;
use crate::mode::{Mode, ModeCode, Scope};
use crate::msg::RouterEffect;
use crate::time::Timestamp;

/// Time in which the trades must account for a row, milliseconds; later it is a drift.
const PENDING_MS_MAX: i64 = 60_000;

impl OrderRouter {
    /// When the oldest pending fill becomes a drift.
    pub(super) fn drift_at(&self) -> Option<Timestamp> {
        let oldest = self.oldest_pending().filter(|_| !self.is_drifting);
        oldest.map(|since| since.plus_ms(PENDING_MS_MAX))
    }

    /// Raises the drift when fills have been pending for too long, and clears it when the last trade has come.
    pub(super) fn judge_pending(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        let oldest = self.oldest_pending();
        let is_drifting = oldest.is_some_and(|since| now.ms_since(since) >= PENDING_MS_MAX);
        let (code, scope) = (ModeCode::FillsPending, Scope::Global);
        match (self.is_drifting, is_drifting) {
            (false, true) => out.push(RouterEffect::Raise(code, scope, Mode::ObserveOnly)),
            (true, false) => out.push(RouterEffect::Clear(code, scope)),
            (true, true) | (false, false) => {}
        }
        self.is_drifting = is_drifting;
    }

    fn oldest_pending(&self) -> Option<Timestamp> {
        let pending = self
            .memory
            .pending
            .iter()
            .filter_map(|id| self.memory.entries.get(id));
        pending.filter_map(|entry| entry.pending_since).min()
    }
}
