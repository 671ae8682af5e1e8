//! What late beats mean, decided on times that are handed in.
//!
//! Old beats prove nothing when the judge itself stood still: then it takes a second in which everybody may
//! show that only the process was stopped.

use crate::beats::{Beat, LATE_MS, are_fresh};
use engine::time::Timestamp;
use std::collections::BTreeSet;

/// How old a beat may grow, milliseconds.
struct Bounds {
    /// Beyond it the thread stands still: the kill switch trips.
    stall_ms: i64,
    /// Beyond it the thread will not come back: the process ends, and a start recovers.
    lost_ms: i64,
}

/// Threads that decide or speak to the exchange.
const WORKING: Bounds = Bounds {
    stall_ms: 3_000,
    lost_ms: 10_000,
};
/// Threads that wait for the disk. A disk that takes seconds for a sync holds orders back and endangers none: nothing
/// leaves before its record is durable, and approvals expire meanwhile.
const WRITING: Bounds = Bounds {
    stall_ms: 10_000,
    lost_ms: 60_000,
};

const fn bounds(who: Beat) -> Bounds {
    match who {
        Beat::Main | Beat::Trade | Beat::Rest | Beat::Killer => WORKING,
        Beat::Journal | Beat::Keeper | Beat::Control => WRITING,
    }
}

/// Returns the age of a beat beyond which the thread stands still and the kill switch trips, milliseconds.
pub const fn stall_ms(who: Beat) -> i64 {
    bounds(who).stall_ms
}

/// Two judgements further apart than this mean that the judge stood still, milliseconds.
const GAP_MS: i64 = 500;
/// Time that everybody has behind a gap, milliseconds.
const GRACE_MS: i64 = 1_000;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Say that this one is late by so many milliseconds.
    Warn(Beat, i64),
    /// Trip the kill switch.
    Kill(Beat, i64),
    /// End the process.
    Abort(Beat, i64),
    /// The process itself stood still for so many milliseconds: no new risk.
    Suspend(i64),
    /// Everybody moves again.
    Resume,
}

/// Judges beats, one look after the other.
#[derive(Debug)]
pub(super) struct Judge {
    looked_at: Timestamp,
    judges_from: Timestamp,
    is_suspended: bool,
    late: BTreeSet<Beat>,
    stalled: BTreeSet<Beat>,
}

impl Judge {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            looked_at: now,
            judges_from: now,
            is_suspended: false,
            late: BTreeSet::new(),
            stalled: BTreeSet::new(),
        }
    }

    /// Looks once. Each condition is told when it begins.
    pub(super) fn look(&mut self, now: Timestamp, ages: &[(Beat, i64)]) -> Vec<Act> {
        let gap_ms = now.ms_since(self.looked_at);
        self.looked_at = now;
        if gap_ms > GAP_MS {
            self.is_suspended = true;
            self.judges_from = now.plus_ms(GRACE_MS);
            return vec![Act::Suspend(gap_ms)];
        }
        if now < self.judges_from {
            return Vec::new();
        }
        let mut acts = Vec::new();
        if self.is_suspended && are_fresh(ages) {
            self.is_suspended = false;
            acts.push(Act::Resume);
        }
        for (who, age) in ages.iter().copied() {
            acts.extend(self.judge(who, age));
        }
        acts
    }

    fn judge(&mut self, who: Beat, age: i64) -> Option<Act> {
        if age <= LATE_MS {
            self.late.remove(&who);
            self.stalled.remove(&who);
            return None;
        }
        let Bounds { stall_ms, lost_ms } = bounds(who);
        if age > lost_ms {
            return Some(Act::Abort(who, age));
        }
        if age > stall_ms {
            return self.stalled.insert(who).then_some(Act::Kill(who, age));
        }
        self.late.insert(who).then_some(Act::Warn(who, age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every 50 ms from one time to another; the beat stands still at `last_ms`.
    fn looks(
        judge: &mut Judge,
        from_ms: i64,
        to_ms: i64,
        last_ms: impl Fn(i64) -> i64,
    ) -> Vec<Act> {
        let times = (from_ms..=to_ms).step_by(50);
        let look = |at_ms: i64| {
            let ages = [(Beat::Trade, at_ms - last_ms(at_ms)), (Beat::Rest, 0)];
            judge.look(Timestamp::from_ms(at_ms), &ages)
        };
        times.flat_map(look).collect()
    }

    #[test]
    fn a_thread_that_stops_is_warned_of_then_kills_then_ends_the_process() {
        let mut judge = Judge::new(Timestamp::from_ms(0));
        assert_eq!(looks(&mut judge, 0, 1_000, |_| 0), []);
        let late = looks(&mut judge, 1_050, 3_000, |_| 0);
        assert_eq!(late, [Act::Warn(Beat::Trade, 1_050)]);
        let stalled = looks(&mut judge, 3_050, 10_000, |_| 0);
        assert_eq!(stalled, [Act::Kill(Beat::Trade, 3_050)]);
        let lost = looks(&mut judge, 10_050, 10_050, |_| 0);
        assert_eq!(lost, [Act::Abort(Beat::Trade, 10_050)]);
    }

    #[test]
    fn a_slow_disk_is_borne_longer_than_a_hung_arbiter() {
        let check = |who: Beat, stall_ms: i64, lost_ms: i64| {
            let mut judge = Judge::new(Timestamp::from_ms(0));
            let acts = (0..=lost_ms + 50).step_by(50).flat_map(|at_ms| {
                let ages = [(who, at_ms)];
                judge.look(Timestamp::from_ms(at_ms), &ages)
            });
            let expected = [
                Act::Warn(who, LATE_MS + 50),
                Act::Kill(who, stall_ms + 50),
                Act::Abort(who, lost_ms + 50),
            ];
            assert_eq!(acts.collect::<Vec<_>>(), expected);
        };
        check(Beat::Trade, 3_000, 10_000);
        check(Beat::Killer, 3_000, 10_000);
        check(Beat::Journal, 10_000, 60_000);
        check(Beat::Keeper, 10_000, 60_000);
        check(Beat::Control, 10_000, 60_000);
    }

    #[test]
    fn one_that_comes_back_is_judged_anew() {
        let mut judge = Judge::new(Timestamp::from_ms(0));
        assert_eq!(looks(&mut judge, 0, 2_000, |_| 0).len(), 1);
        assert_eq!(looks(&mut judge, 2_050, 4_000, |at| at), []);
        let again = looks(&mut judge, 4_050, 7_100, |_| 4_000);
        assert_eq!(
            again,
            [Act::Warn(Beat::Trade, 1_050), Act::Kill(Beat::Trade, 3_050)]
        );
    }

    #[test]
    fn x_14_a_stopped_process_is_judged_a_second_after_it_goes_on() {
        let mut judge = Judge::new(Timestamp::from_ms(0));
        assert_eq!(looks(&mut judge, 0, 1_000, |at| at), []);
        let woken = looks(&mut judge, 31_000, 31_900, |at| {
            if at < 31_200 { 1_000 } else { at }
        });
        assert_eq!(woken, [Act::Suspend(30_000)]);
        assert_eq!(looks(&mut judge, 31_950, 33_000, |at| at), [Act::Resume]);
    }

    #[test]
    fn x_14_a_thread_that_does_not_go_on_with_the_process_is_found() {
        let mut judge = Judge::new(Timestamp::from_ms(0));
        let woken = looks(&mut judge, 5_000, 6_100, |_| 0);
        assert_eq!(woken, [Act::Suspend(5_000), Act::Kill(Beat::Trade, 6_000)]);
        assert_eq!(looks(&mut judge, 6_150, 6_300, |at| at), [Act::Resume]);
    }
}
