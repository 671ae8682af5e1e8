//! Signs of life: each thread notes the time, and the watchdog reads how long ago that was.
//!
//! A beat comes from a timer on the thread's own runtime, so that a runtime that does not get to its timers counts as
//! stuck. The one idea: a note is one atomic store, so neither side can hold the other up.

use crate::clock::Clock;
use engine::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// Time between two beats.
pub const EVERY: Duration = Duration::from_millis(100);
/// A beat older than this is late, milliseconds: whoever gives it does not move.
pub const LATE_MS: i64 = 1_000;
/// A note that says: nobody watches this one.
const NOT_WATCHED: i64 = i64::MIN;

/// Who beats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beat {
    /// The arbiter of supervisor, metrics and the read-only plane.
    Main,
    /// The arbiter of the order path.
    Trade,
    /// The arbiter of slow reads.
    Rest,
    /// The journal's thread.
    Journal,
    /// The keeper of the kill latch.
    Keeper,
    /// The killer.
    Killer,
    /// The thread of the operator's commands.
    Control,
}

impl Beat {
    /// Everyone.
    pub const ALL: [Self; 7] = [
        Self::Main,
        Self::Trade,
        Self::Rest,
        Self::Journal,
        Self::Keeper,
        Self::Killer,
        Self::Control,
    ];

    /// Returns the name used in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Trade => "trade",
            Self::Rest => "rest",
            Self::Journal => "journal",
            Self::Keeper => "keeper",
            Self::Killer => "killer",
            Self::Control => "control",
        }
    }
}

/// The notes of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Beats {
    clock: Clock,
    notes: Arc<[AtomicI64; Beat::ALL.len()]>,
}

impl Beats {
    /// Makes notes that nobody watches yet.
    pub fn new(clock: Clock) -> Self {
        let notes = std::array::from_fn(|_| AtomicI64::new(NOT_WATCHED));
        Self {
            clock,
            notes: Arc::new(notes),
        }
    }

    /// Returns the time that beats are noted in.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Notes a sign of life; from the first one on it is watched.
    pub fn beat(&self, who: Beat) {
        self.notes[who as usize].store(self.clock.now().0, Ordering::SeqCst);
    }

    /// Ends the watch over one: it is about to end.
    pub fn rest(&self, who: Beat) {
        self.notes[who as usize].store(NOT_WATCHED, Ordering::SeqCst);
    }

    /// Beats for ever on the runtime this is spawned on.
    pub async fn keep(self, who: Beat) {
        let mut timer = tokio::time::interval(EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            self.beat(who);
            timer.tick().await;
        }
    }

    /// Returns how long ago everyone who is watched gave a sign, milliseconds.
    pub fn ages(&self, now: Timestamp) -> Vec<(Beat, i64)> {
        let noted = |who: &Beat| {
            let note = self.notes[*who as usize].load(Ordering::SeqCst);
            (note != NOT_WATCHED).then(|| (*who, now.ms_since(Timestamp(note))))
        };
        Beat::ALL.iter().filter_map(noted).collect()
    }

    /// Returns whether everyone who is watched has given a sign lately.
    pub fn are_fresh(&self, now: Timestamp) -> bool {
        are_fresh(&self.ages(now))
    }
}

/// Returns whether none of these beats is late.
pub fn are_fresh(ages: &[(Beat, i64)]) -> bool {
    ages.iter().all(|(_, age)| *age <= LATE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_begun_and_not_ended_is_watched() {
        let clock = Clock::manual(Timestamp::from_ms(1_000));
        let beats = Beats::new(clock.clone());
        assert_eq!(beats.ages(clock.now()), []);
        beats.beat(Beat::Trade);
        clock.advance_ms(700);
        beats.beat(Beat::Killer);
        let ages = beats.ages(clock.now());
        assert_eq!(ages, [(Beat::Trade, 700), (Beat::Killer, 0)]);
        beats.rest(Beat::Trade);
        assert_eq!(beats.ages(clock.now()), [(Beat::Killer, 0)]);
    }
}
