//! The ladder: where each cause stands, and every step up or down.
//!
//! It keeps nobody waiting and carries nothing out. The one idea: going up is decided by each event at once, whatever
//! the rung; going down needs both windows quiet for a fixed time; from the top only an operator leads down.

use super::elapsed::{Elapsed, Pause};
use super::ring::BUCKET_MS;
use super::{
    BOOTS_KILL, BOOTS_OBSERVE, BudgetLimits, CALM_MS, Cause, ConnectPace, DAY_MS, HOUR_MS,
    MINUTES_MS, Memory, Rung, Sli, Spending, Stamp, Step, backoff_at, minutes_at, observe_at,
};
use crate::record::Record;
use crate::supervisor::ActorName;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// 429s on cancels within ten minutes that kill.
const CANCELS_KILL: usize = 2;

/// What the ladder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Write down.
    Persist(Record),
    /// Show; a step where the rungs differ, otherwise figures that have changed.
    Show(Step),
}

/// Where a cause stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    rung: Rung,
    /// In the budgets' time, since when nothing has kept it up.
    calm_since: Option<i64>,
}

/// Counts what is spent and decides how far things have gone.
#[derive(Debug)]
pub struct Ladder {
    limits: BudgetLimits,
    memory: Memory,
    elapsed: Elapsed,
    offset_ms: Option<i64>,
    standing: BTreeMap<Cause, Standing>,
    reviewed_at: Timestamp,
}

impl Ladder {
    /// Goes on from what the journal says; the process starts `now`.
    pub fn resume(limits: BudgetLimits, mut memory: Memory, now: Timestamp) -> Self {
        memory.booted(now);
        let mut ladder = Self {
            limits,
            elapsed: Elapsed::resume(now, memory.last()),
            memory,
            offset_ms: None,
            standing: BTreeMap::new(),
            reviewed_at: now,
        };
        for cause in Cause::ALL {
            let rung = ladder.rung_at_start(now, cause);
            if rung > Rung::Normal {
                let calm_since = None;
                ladder.standing.insert(cause, Standing { rung, calm_since });
            }
        }
        ladder
    }

    /// A spent budget is still spent, and what observed goes on observing. Kills without a budget are latched
    /// elsewhere, and what an actor did is another life's.
    fn rung_at_start(&self, now: Timestamp, cause: Cause) -> Rung {
        if self.is_lifted(cause) {
            return Rung::Normal;
        }
        let remembered = self.memory.rung(cause).min(Rung::Observe);
        match cause {
            Cause::Reconnects | Cause::Throttled => {
                let wanted = cause
                    .sli()
                    .map_or(Rung::Normal, |sli| self.wanted(now, sli));
                wanted.max(remembered)
            }
            Cause::Boots if self.memory.boots() >= BOOTS_KILL => Rung::Killed,
            Cause::Boots if self.memory.boots() >= BOOTS_OBSERVE => Rung::Observe,
            Cause::Boots | Cause::Actors => Rung::Normal,
            Cause::Handshakes | Cause::CancelThrottled | Cause::Credentials | Cause::Downtime => {
                remembered
            }
        }
    }

    /// Returns the first figures: every budget, and every cause that stands above normal. The steps of this start are
    /// among them.
    pub fn opening(&mut self, now: Timestamp) -> Vec<Finding> {
        let mut found = Vec::new();
        for cause in Cause::ALL {
            let (before, after) = (self.memory.rung(cause), self.rung(cause));
            if before != after {
                self.report(now, cause, before, &mut found);
            } else if cause.sli().is_some() || after > Rung::Normal {
                found.push(Finding::Show(self.step(now, cause, after)));
            }
        }
        found
    }

    /// Returns where a cause stands.
    pub fn rung(&self, cause: Cause) -> Rung {
        self.standing.get(&cause).copied().unwrap_or_default().rung
    }

    /// Returns how the stream may be tried.
    pub fn pace(&self) -> ConnectPace {
        ConnectPace::of(self.rung(Cause::Reconnects))
    }

    /// Returns when the stream was connected in the last minute, over starts; nothing while budgets are lifted.
    pub fn connects(&self, now: Timestamp) -> Vec<Timestamp> {
        if self.limits.is_lifted {
            return Vec::new();
        }
        self.memory.connects(now)
    }

    /// Something was spent.
    pub fn spend(&mut self, now: Timestamp, what: Spending) -> Vec<Finding> {
        let mut found = Vec::new();
        let stamp = self.stamp(now);
        self.write(Record::Spent { what, stamp }, &mut found);
        let sli = match what {
            Spending::Connect | Spending::Ended(_) => None,
            Spending::Reconnect => Some(Sli::Reconnects),
            Spending::Throttled | Spending::CancelThrottled => Some(Sli::Throttled),
        };
        if let Some(sli) = sli {
            self.judge(now, sli, &mut found);
        }
        if what == Spending::CancelThrottled {
            let rung = if self.memory.cancels() >= CANCELS_KILL {
                Rung::Killed
            } else {
                Rung::Observe
            };
            found.extend(self.trip(now, Cause::CancelThrottled, rung));
        }
        found
    }

    /// A hard trigger: no arithmetic. Never leads down.
    pub fn trip(&mut self, now: Timestamp, cause: Cause, rung: Rung) -> Vec<Finding> {
        let mut found = Vec::new();
        if !self.is_lifted(cause) {
            let standing = self.standing.entry(cause).or_default();
            standing.calm_since = None;
            let before = standing.rung;
            if rung > before {
                standing.rung = rung;
                self.report(now, cause, before, &mut found);
            }
        }
        found
    }

    /// An actor has ended: returns how often within its period, starts before this one included.
    pub fn ends(&self, now: Timestamp, actor: ActorName, period_ms: i64) -> usize {
        self.memory.ends(actor, self.elapsed.ms(now), period_ms)
    }

    /// The exchange's clock less ours is known.
    pub fn offset(&mut self, now: Timestamp, offset_ms: i64) -> Vec<Finding> {
        self.offset_ms = Some(offset_ms);
        match self.elapsed.learn(offset_ms) {
            Pause::None | Pause::Known => Vec::new(),
            Pause::Unclear(_) => self.trip(now, Cause::Downtime, Rung::Observe),
        }
    }

    /// An operator has ended the kill, and that is on record: what is spent is forgiven, and every cause starts over.
    pub fn forgive(&mut self, now: Timestamp) -> Vec<Finding> {
        let mut found = Vec::new();
        let standing = std::mem::take(&mut self.standing);
        self.memory.forgiven();
        for (cause, was) in standing {
            if was.rung > Rung::Normal {
                self.report(now, cause, was.rung, &mut found);
            }
        }
        found
    }

    /// Returns when the figures are to be looked at again; `None` while everything is normal.
    pub fn deadline(&self) -> Option<Timestamp> {
        let is_waiting = (self.standing.values()).any(|standing| standing.rung > Rung::Normal);
        is_waiting.then(|| self.reviewed_at.plus_ms(BUCKET_MS))
    }

    /// Looks whether something may step down.
    pub fn review(&mut self, now: Timestamp) -> Vec<Finding> {
        let mut found = Vec::new();
        self.reviewed_at = now;
        for cause in Cause::ALL {
            match cause.sli() {
                Some(sli) => self.judge(now, sli, &mut found),
                None => self.settle(now, cause, &mut found),
            }
        }
        found
    }

    /// What the windows of a budget ask for at this moment.
    fn wanted(&self, now: Timestamp, sli: Sli) -> Rung {
        let step = self.step(now, Cause::of(sli), Rung::Normal);
        let total = step.limit;
        if step.count >= total {
            Rung::Killed
        } else if step.hour >= observe_at(total) && step.minutes >= minutes_at(total) {
            Rung::Observe
        } else if step.hour >= backoff_at(total) && step.minutes >= 1 {
            Rung::Backoff
        } else if step.minutes >= 1 {
            Rung::Restart
        } else {
            Rung::Normal
        }
    }

    /// Whether both windows are below half of what enters `OBSERVE_ONLY`.
    fn is_calm(&self, now: Timestamp, sli: Sli) -> bool {
        let step = self.step(now, Cause::of(sli), Rung::Normal);
        let total = step.limit;
        step.hour * 2 < observe_at(total) && step.minutes * 2 < minutes_at(total)
    }

    fn judge(&mut self, now: Timestamp, sli: Sli, found: &mut Vec<Finding>) {
        let (cause, now_ms) = (Cause::of(sli), self.elapsed.ms(now));
        let wanted = if self.is_lifted(cause) {
            Rung::Normal
        } else {
            self.wanted(now, sli)
        };
        let is_calm = self.is_calm(now, sli);
        let standing = self.standing.entry(cause).or_default();
        standing.calm_since = match standing.calm_since {
            Some(since) if is_calm => Some(since),
            Some(_) | None => is_calm.then_some(now_ms),
        };
        let was_long_calm = standing.calm_since.is_some_and(|at| now_ms - at >= CALM_MS);
        let before = standing.rung;
        let after = match before {
            Rung::Killed => Rung::Killed,
            Rung::Observe if !was_long_calm => wanted.max(Rung::Observe),
            Rung::Observe | Rung::Normal | Rung::Restart | Rung::Backoff => wanted,
        };
        standing.rung = after;
        if before == after {
            found.push(Finding::Show(self.step(now, cause, before)));
        } else {
            self.report(now, cause, before, found);
        }
    }

    /// A cause without a budget is left behind once nothing has kept it up for as long.
    fn settle(&mut self, now: Timestamp, cause: Cause, found: &mut Vec<Finding>) {
        let now_ms = self.elapsed.ms(now);
        let Some(standing) = self.standing.get_mut(&cause) else {
            return;
        };
        let before = standing.rung;
        // An actor that was lost stays lost: no fresh one has been made.
        let stays = before == Rung::Killed || (cause == Cause::Actors && before == Rung::Observe);
        let since = *standing.calm_since.get_or_insert(now_ms);
        if before > Rung::Normal && !stays && now_ms - since >= CALM_MS {
            standing.rung = Rung::Normal;
            self.report(now, cause, before, found);
        }
    }

    /// A step is written down and shown, once each.
    fn report(&mut self, now: Timestamp, cause: Cause, before: Rung, found: &mut Vec<Finding>) {
        let step = self.step(now, cause, before);
        let stamp = self.stamp(now);
        self.write(Record::Stepped { step, stamp }, found);
        found.push(Finding::Show(step));
    }

    fn write(&mut self, record: Record, found: &mut Vec<Finding>) {
        self.memory.take(&record);
        found.push(Finding::Persist(record));
    }

    fn is_lifted(&self, cause: Cause) -> bool {
        self.limits.is_lifted && cause.is_liftable()
    }

    fn stamp(&self, now: Timestamp) -> Stamp {
        Stamp {
            budget_ms: self.elapsed.ms(now),
            at: now,
            exchange_at: self.offset_ms.map(|offset_ms| now.plus_ms(offset_ms)),
        }
    }

    /// The cause with its figures as they are.
    fn step(&self, now: Timestamp, cause: Cause, before: Rung) -> Step {
        let now_ms = self.elapsed.ms(now);
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let [count, hour, minutes] = match cause.sli() {
            Some(sli) => {
                let ring = self.memory.ring(sli);
                [DAY_MS, HOUR_MS, MINUTES_MS].map(|window_ms| ring.sum(now_ms, window_ms))
            }
            None => [0; 3],
        };
        let (count, limit) = match cause {
            Cause::Reconnects => (count, self.limits.total(Sli::Reconnects)),
            Cause::Throttled => (count, self.limits.total(Sli::Throttled)),
            Cause::CancelThrottled => (small(self.memory.cancels()), small(CANCELS_KILL)),
            Cause::Boots => (small(self.memory.boots()), small(BOOTS_KILL)),
            Cause::Handshakes | Cause::Credentials => (0, IN_A_ROW_KILL),
            Cause::Actors | Cause::Downtime => (0, 0),
        };
        Step {
            cause,
            before,
            after: self.rung(cause),
            count,
            hour,
            minutes,
            limit,
        }
    }
}

/// Refused handshakes, or refused credentials, in a row that kill.
pub const IN_A_ROW_KILL: u32 = 3;
