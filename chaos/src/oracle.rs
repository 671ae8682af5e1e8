//! What must hold after every step, judged by the exchange's own truth and never by ours.
//!
//! A violation is noted, not thrown: the run goes on, so that one seed shows all that is wrong with it.

use engine::ids::ClientId;
use engine::order::OrderState;
use engine::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Violations kept of one run.
const VIOLATIONS_MAX: usize = 20;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// When, microseconds of the exchange's clock.
    pub at: i64,
    /// Which rule.
    pub rule: &'static str,
    /// What was seen.
    pub seen: String,
}

/// Watches one run.
#[derive(Debug, Default)]
pub struct Oracle {
    posts: BTreeMap<ClientId, u32>,
    states: BTreeMap<ClientId, OrderState>,
    violations: Vec<Violation>,
}

impl Oracle {
    /// Returns what was broken.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Returns how many orders left us.
    pub fn posts(&self) -> usize {
        self.posts.len()
    }

    pub(crate) fn broken(&mut self, at: Timestamp, rule: &'static str, seen: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation {
                at: at.0,
                rule,
                seen,
            });
        }
    }

    /// The first byte of a submit leaves.
    pub(crate) fn post(&mut self, at: Timestamp, id: ClientId, is_durable: bool) {
        let posts = self.posts.entry(id).or_default();
        *posts += 1;
        if *posts > 1 {
            let seen = format!("{id} left {posts} times");
            self.broken(at, "at_most_once", seen);
        }
        if !is_durable {
            self.broken(at, "record_before_send", format!("{id}"));
        }
    }

    /// An order shows a state; ended ones stay ended, except that a cancelled one may turn out to be filled.
    pub(crate) fn state(&mut self, at: Timestamp, id: ClientId, state: OrderState, is_ghost: bool) {
        let before = self.states.insert(id, state);
        let Some(before) = before.filter(|before| before.is_terminal() && *before != state) else {
            return;
        };
        let is_late_fill = before == OrderState::Canceled && state == OrderState::Filled;
        if !is_late_fill && !is_ghost {
            let seen = format!("{id} from {} to {}", before.as_str(), state.as_str());
            self.broken(at, "ended_stays_ended", seen);
        }
    }

    /// A restart knows only what was written: what was not may be found out again.
    pub(crate) fn restart(&mut self) {
        self.states.clear();
    }
}
