//! How many orders, and how much value, the last minute has seen.
//!
//! Counted from the approval. An order that never reached the exchange gives back its value, never its place.

use crate::ids::ClientId;
use crate::money::Amount;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Length of both windows, milliseconds.
pub(crate) const WINDOW_MS: i64 = 60_000;
/// Orders kept; the limit of orders per minute ends at 300, so the oldest may go at this one.
const ORDERS_KEPT_MAX: usize = 4_096;

/// One approved order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    id: ClientId,
    at: Timestamp,
    /// Value of an increasing order; zero for a reducing one.
    value: Amount,
}

/// The orders of the last minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pace {
    steps: VecDeque<Step>,
}

impl Pace {
    pub(crate) fn note(&mut self, id: ClientId, at: Timestamp, value: Amount) {
        while self.steps.front().is_some_and(|step| is_old(step, at))
            || self.steps.len() >= ORDERS_KEPT_MAX
        {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { id, at, value });
    }

    /// Gives back the value of an order that never existed.
    pub(crate) fn give_back(&mut self, id: ClientId) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.id == id) {
            step.value = Amount::ZERO;
        }
    }

    pub(crate) fn orders(&self, now: Timestamp) -> usize {
        self.recent(now).count()
    }

    pub(crate) fn value(&self, now: Timestamp) -> Amount {
        self.recent(now).map(|step| step.value).sum()
    }

    fn recent(&self, now: Timestamp) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| !is_old(step, now))
    }
}

fn is_old(step: &Step, now: Timestamp) -> bool {
    now.ms_since(step.at) >= WINDOW_MS
}
