//! What the journal says about budgets: what was spent, when, and how far things had gone.
//!
//! One folding serves the live ladder, a start and checkpoints, so that no restart finds a fuller budget.

use super::{
    BOOTS_KILL, BOOTS_MS, CANCEL_THROTTLED_MS, Cause, Ring, Rung, Sli, Spending, Stamp, Step,
};
use crate::record::Record;
use crate::supervisor::ActorName;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Length of the window of connects, milliseconds.
const CONNECTS_MS: i64 = 60_000;
/// Connects that are remembered: more than the exchange allows in a minute.
const CONNECTS_KEPT: usize = 16;
/// Ends of one actor that are remembered: more than any of them may have.
const ENDS_KEPT: usize = 16;

/// What was spent, as far as a day back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    reconnects: Ring,
    throttled: Ring,
    /// Attempts to open the stream, in the budgets' time; oldest first.
    connects: VecDeque<i64>,
    /// 429s on cancels that still count.
    cancels: VecDeque<i64>,
    /// Ends of actors by themselves.
    ends: BTreeMap<ActorName, VecDeque<i64>>,
    /// Where each cause stood last; only what is above normal.
    rungs: BTreeMap<Cause, Rung>,
    /// Starts without an orderly end, this one included; by the wall clock.
    boots: VecDeque<Timestamp>,
    last: Option<Stamp>,
}

impl Memory {
    /// Takes in a durable record, in the order of the journal.
    pub(crate) fn take(&mut self, record: &Record) {
        match record {
            Record::Spent { what, stamp } => self.spent(*what, *stamp),
            Record::Stepped { step, stamp } => self.stepped(step, *stamp),
            Record::Reset { .. } => self.forgiven(),
            Record::Boot { at, .. } => self.booted(*at),
            Record::Stop { .. } => drop(self.boots.pop_back()),
            Record::Decided(_)
            | Record::Sending { .. }
            | Record::Outcome { .. }
            | Record::Adopted { .. }
            | Record::CancelAsked { .. }
            | Record::Fill(_)
            | Record::Ended { .. }
            | Record::Resolved { .. }
            | Record::Opening { .. }
            | Record::Transfer { .. }
            | Record::Adjustment { .. }
            | Record::DayStart { .. }
            | Record::Held(_)
            | Record::LetGo { .. }
            | Record::SafeMode { .. }
            | Record::Kill(_)
            | Record::Audit { .. }
            | Record::Restored { .. }
            | Record::Looked { .. } => {}
        }
    }

    fn spent(&mut self, what: Spending, stamp: Stamp) {
        let now_ms = stamp.budget_ms;
        self.last = Some(stamp);
        match what {
            Spending::Connect => self.connect(now_ms),
            Spending::Reconnect => {
                self.connect(now_ms);
                self.reconnects.add(now_ms);
            }
            Spending::Throttled => self.throttled.add(now_ms),
            Spending::CancelThrottled => {
                self.throttled.add(now_ms);
                self.cancels.retain(|at| now_ms - at < CANCEL_THROTTLED_MS);
                // Two are enough to know.
                self.cancels.truncate(1);
                self.cancels.push_back(now_ms);
            }
            Spending::Ended(actor) => keep(self.ends.entry(actor).or_default(), now_ms, ENDS_KEPT),
        }
    }

    fn connect(&mut self, now_ms: i64) {
        keep(&mut self.connects, now_ms, CONNECTS_KEPT);
    }

    fn stepped(&mut self, step: &Step, stamp: Stamp) {
        self.last = Some(stamp);
        if step.after == Rung::Normal {
            self.rungs.remove(&step.cause);
        } else {
            self.rungs.insert(step.cause, step.after);
        }
    }

    /// An operator ended a kill: budgets start over. The connects of a minute are the exchange's limit, and stay.
    pub(super) fn forgiven(&mut self) {
        self.reconnects = Ring::default();
        self.throttled = Ring::default();
        self.cancels.clear();
        self.boots.clear();
        self.rungs.clear();
    }

    /// A wall clock that went back keeps all of them: nothing is forgiven for that.
    pub(super) fn booted(&mut self, at: Timestamp) {
        self.boots.retain(|boot| at.ms_since(*boot) < BOOTS_MS);
        self.boots.push_back(at);
        if self.boots.len() > BOOTS_KILL {
            self.boots.pop_front();
        }
    }

    /// Returns the starts without an orderly end within ten minutes of the latest, that one included; at most as many
    /// as kill.
    pub fn boots(&self) -> usize {
        self.boots.len()
    }

    /// Returns when the stream was connected during the last minute, seen from `now`. A pause since counts as none.
    pub fn connects(&self, now: Timestamp) -> Vec<Timestamp> {
        let Some(last) = self.last else {
            return Vec::new();
        };
        let ages = self.connects.iter().map(|at| last.budget_ms - at);
        ages.filter(|age_ms| *age_ms < CONNECTS_MS)
            .map(|age_ms| now.plus_ms(-age_ms))
            .collect()
    }

    pub(super) const fn last(&self) -> Option<Stamp> {
        self.last
    }

    pub(super) fn rung(&self, cause: Cause) -> Rung {
        self.rungs.get(&cause).copied().unwrap_or_default()
    }

    pub(super) const fn ring(&self, sli: Sli) -> &Ring {
        match sli {
            Sli::Reconnects => &self.reconnects,
            Sli::Throttled => &self.throttled,
        }
    }

    pub(super) fn cancels(&self) -> usize {
        self.cancels.len()
    }

    /// How often an actor has ended by itself within a period that ends now.
    pub(super) fn ends(&self, actor: ActorName, now_ms: i64, period_ms: i64) -> usize {
        let ends = self.ends.get(&actor).into_iter().flatten();
        ends.filter(|at| now_ms - **at < period_ms).count()
    }
}

fn keep(list: &mut VecDeque<i64>, now_ms: i64, kept: usize) {
    if list.len() >= kept {
        list.pop_front();
    }
    list.push_back(now_ms);
}
