//! The budgets' own time.
//!
//! Within a process it runs with the clock, which is monotonic. Over a pause it moves by the smaller of what the wall
//! clock and the exchange's clock say, and not at all while they disagree: a stepped clock forgives nothing.

use super::{CLOCKS_APART_MS, Stamp};
use crate::time::Timestamp;

/// Tells the budgets' time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elapsed {
    base_ms: i64,
    started_at: Timestamp,
    /// The last stamp of the process before, until the pause since is known.
    before: Option<Stamp>,
}

/// What a pause was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// Nothing is to be judged: no stamp, or judged already.
    None,
    /// Both clocks agree, as far as is needed.
    Known,
    /// They disagree by this many milliseconds; nothing has passed for the budgets.
    Unclear(i64),
}

impl Elapsed {
    pub(super) fn resume(started_at: Timestamp, before: Option<Stamp>) -> Self {
        Self {
            base_ms: before.map_or(0, |stamp| stamp.budget_ms),
            started_at,
            before,
        }
    }

    pub(super) fn ms(&self, now: Timestamp) -> i64 {
        let run_ms = now.ms_since(self.started_at).max(0);
        self.base_ms.saturating_add(run_ms)
    }

    /// The exchange's clock is known to be ahead of ours by so much: the pause before this start can be judged.
    pub(super) fn learn(&mut self, offset_ms: i64) -> Pause {
        let Some(before) = self.before.take() else {
            return Pause::None;
        };
        let wall_ms = self.started_at.ms_since(before.at);
        // A stamp without the exchange's time proves no pause at all.
        let Some(exchange_at) = before.exchange_at else {
            return Pause::None;
        };
        let exchange_ms = self.started_at.plus_ms(offset_ms).ms_since(exchange_at);
        let apart_ms = wall_ms.saturating_sub(exchange_ms).saturating_abs();
        if apart_ms > CLOCKS_APART_MS {
            return Pause::Unclear(apart_ms);
        }
        let passed_ms = wall_ms.min(exchange_ms).max(0);
        self.base_ms = self.base_ms.saturating_add(passed_ms);
        Pause::Known
    }
}
