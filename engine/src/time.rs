//! Time as a number that is passed in.
//!
//! The core never reads a clock: shells stamp each turn once and hand the stamp down.
//! A `Timestamp` is start wall time plus monotonic elapsed time, so it never runs backwards inside a process.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Microseconds in a millisecond.
const US_PER_MS: i64 = 1_000;
/// Microseconds in a UTC day.
const US_PER_DAY: i64 = 86_400_000_000;

/// A moment in microseconds since 1970-01-01 UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Makes a moment from milliseconds since 1970, as BTCTurk sends them. Saturates far outside any real date.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(US_PER_MS))
    }

    /// Returns whole milliseconds since 1970, rounded toward the past.
    pub const fn ms(self) -> i64 {
        self.0.div_euclid(US_PER_MS)
    }

    /// Returns the moment `ms` milliseconds later; saturates at the end of time.
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(US_PER_MS)))
    }

    /// Returns the milliseconds from `earlier` to this moment; negative if `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(US_PER_MS)
    }

    /// Returns the number of the UTC day, counted from 1970-01-01.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(US_PER_DAY)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_before_the_epoch_count_downwards() {
        assert_eq!(Timestamp(-1).day(), -1);
        assert_eq!(Timestamp(0).day(), 0);
        assert_eq!(Timestamp::from_ms(86_400_000).day(), 1);
    }

    #[test]
    fn absurd_stamps_saturate_instead_of_wrapping() {
        assert_eq!(Timestamp::from_ms(i64::MAX).plus_ms(1).0, i64::MAX);
        assert!(Timestamp(i64::MAX).ms_since(Timestamp(i64::MIN)) > 0);
    }
}
