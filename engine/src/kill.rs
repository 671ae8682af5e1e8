//! A trip of the kill switch, as it is kept: who, why and when, under a number that names this trip and no other.
//!
//! It is latched: no cause that goes away, and no restart, ends it. The one idea: an operator's reset names the trip
//! that it was decided on, so one that came in between is never undone.

use crate::mode::ModeCode;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest reason that is kept, characters.
pub const REASON_CHARS_MAX: usize = 200;

/// Resets of a day that need no further word.
pub const RESETS_FREE: usize = 2;
/// How long a reset counts, milliseconds.
pub const RESET_WINDOW_MS: i64 = 86_400_000;

/// The latest resets, as many as the next one is judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resets(Vec<Timestamp>);

impl Resets {
    /// Adds one; the oldest falls out beyond [`RESETS_FREE`].
    pub fn note(&mut self, at: Timestamp) {
        self.0.push(at);
        if self.0.len() > RESETS_FREE {
            self.0.remove(0);
        }
    }

    /// Returns how many of them still count.
    pub fn recent(&self, now: Timestamp) -> usize {
        let counts = |at: &&Timestamp| now.ms_since(**at) < RESET_WINDOW_MS;
        self.0.iter().filter(counts).count()
    }

    /// Returns whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Names one trip: the moment in milliseconds since 1970, or one more than the trip before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KillId(pub u64);

impl fmt::Display for KillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for KillId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// One trip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// Which one.
    pub id: KillId,
    /// Why, as a stable code.
    pub cause: ModeCode,
    /// Why, in the operator's words; empty for a trip of the process itself.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Kill {
    /// Makes a trip that comes behind `before`.
    pub fn new(
        before: Option<KillId>,
        cause: ModeCode,
        (reason, by): (&str, &str),
        at: Timestamp,
    ) -> Self {
        let moment = u64::try_from(at.ms()).unwrap_or(0);
        let next = before.map_or(0, |id| id.0.saturating_add(1));
        let short = |text: &str| text.chars().take(REASON_CHARS_MAX).collect();
        Self {
            id: KillId(moment.max(next)),
            cause,
            reason: short(reason),
            by: short(by),
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trip_has_an_id_of_its_own() {
        let check = |before: Option<u64>, at_ms: i64, expected: u64| {
            let at = Timestamp::from_ms(at_ms);
            let kill = Kill::new(before.map(KillId), ModeCode::GhostOrder, ("", "x"), at);
            assert_eq!(kill.id, KillId(expected), "{before:?} at {at_ms}");
        };
        check(None, 7_000, 7_000);
        check(Some(6_000), 7_000, 7_000);
        check(Some(7_000), 7_000, 7_001);
        check(Some(9_000), 7_000, 9_001);
        check(None, -5, 0);
    }
}
