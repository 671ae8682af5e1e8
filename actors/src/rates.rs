//! Events per minute over the last quarter of an hour.
//!
//! Holds no clock. The one idea: a ring of ten-second buckets, so that memory is fixed and an event leaves the figure
//! as a whole bucket, never gradually.

use engine::time::Timestamp;

/// Length of one bucket, milliseconds.
const BUCKET_MS: i64 = 10_000;
/// Buckets of the window: 15 minutes.
const BUCKETS: usize = 90;
/// Minutes of the window.
const WINDOW_MINUTES: f64 = 15.0;

/// Counts one kind of event.
#[derive(Clone, Debug)]
pub struct Rate {
    counts: [u32; BUCKETS],
    /// Number of the newest bucket since 1970.
    newest: i64,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            newest: 0,
        }
    }
}

impl Rate {
    /// Counts one event.
    pub fn add(&mut self, now: Timestamp) {
        let bucket = self.turn(now);
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
    }

    /// Returns the events per minute.
    pub fn per_minute(&mut self, now: Timestamp) -> f64 {
        self.turn(now);
        let total: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        f64::from(total) / WINDOW_MINUTES
    }

    /// Empties the buckets that have left the window and returns the index of the newest.
    fn turn(&mut self, now: Timestamp) -> usize {
        let length = BUCKETS as i64;
        let current = now.ms().div_euclid(BUCKET_MS).max(self.newest);
        let passed = (current - self.newest).min(length);
        for step in 0..passed {
            self.counts[(current - step).rem_euclid(length) as usize] = 0;
        }
        self.newest = current;
        current.rem_euclid(length) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 1_700_000_000_000;

    fn rate_of(events_ms: &[i64], at_ms: i64) -> f64 {
        let mut rate = Rate::default();
        for ms in events_ms {
            rate.add(Timestamp::from_ms(START_MS + ms));
        }
        rate.per_minute(Timestamp::from_ms(START_MS + at_ms))
    }

    #[test]
    fn events_count_for_a_quarter_of_an_hour() {
        let check = |events: &[i64], at_ms, expected: f64| {
            let rate = rate_of(events, at_ms);
            assert!(
                (rate - expected).abs() < 1e-9,
                "{events:?} at {at_ms}: {rate}"
            );
        };
        check(&[], 0, 0.0);
        check(&[0; 15], 0, 1.0);
        check(&[0; 30], 880_000, 2.0);
        check(&[0; 30], 900_000, 0.0);
        check(&[0, 450_000, 450_000], 900_000, 2.0 / 15.0);
        check(&[0; 15], 86_400_000, 0.0);
    }

    #[test]
    fn an_event_from_before_counts_in_the_newest_bucket() {
        let rate = rate_of(&[60_000, 0], 60_000);
        assert!((rate - 2.0 / 15.0).abs() < 1e-9, "{rate}");
    }
}
