//! Events of a day in buckets of ten seconds.
//!
//! Empty buckets are not kept, so that a good day is an empty list. The one idea: an event is forgotten a day after it,
//! never earlier, and its bucket counts for a window as soon as a part of it does.

use super::DAY_MS;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Length of a bucket, milliseconds; a day has 8,640 of them, and no more are kept.
pub const BUCKET_MS: i64 = 10_000;

/// Counts events. At most one entry for each bucket of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ring {
    /// Number of the bucket and events in it, oldest first.
    buckets: VecDeque<(i64, u32)>,
}

impl Ring {
    /// Counts an event; `now_ms` never decreases.
    pub fn add(&mut self, now_ms: i64) {
        let bucket = now_ms.div_euclid(BUCKET_MS);
        match self.buckets.back_mut() {
            Some((last, count)) if *last >= bucket => *count = count.saturating_add(1),
            Some(_) | None => self.buckets.push_back((bucket, 1)),
        }
        self.forget(now_ms);
    }

    /// Returns the events within `window_ms` before `now_ms`.
    pub fn sum(&self, now_ms: i64, window_ms: i64) -> u32 {
        let start = now_ms.saturating_sub(window_ms);
        let is_in = |bucket: i64| (bucket + 1) * BUCKET_MS > start;
        let recent = self.buckets.iter().rev().take_while(|(n, _)| is_in(*n));
        recent.fold(0u32, |sum, (_, count)| sum.saturating_add(*count))
    }

    fn forget(&mut self, now_ms: i64) {
        let start = now_ms.saturating_sub(DAY_MS);
        while let Some((bucket, _)) = self.buckets.front() {
            if (bucket + 1) * BUCKET_MS > start {
                break;
            }
            self.buckets.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds at these seconds; expects the sum of a window that ends at `now_s`.
    fn check(events_s: &[i64], now_s: i64, window_s: i64, expected: u32) {
        let mut ring = Ring::default();
        events_s.iter().for_each(|second| ring.add(second * 1_000));
        let sum = ring.sum(now_s * 1_000, window_s * 1_000);
        assert_eq!(sum, expected, "{events_s:?} at {now_s} over {window_s}");
    }

    #[test]
    fn a_window_counts_the_buckets_it_touches() {
        check(&[], 100, 60, 0);
        check(&[5, 5, 12], 100, 95, 3);
        check(&[5, 5, 12], 100, 85, 1);
        check(&[5, 12], 100, 60, 0);
    }

    #[test]
    fn an_event_is_kept_for_a_day_and_no_longer() {
        check(&[5], 86_405, 86_400, 1);
        check(&[5], 86_410, 86_400, 0);
        let mut ring = Ring::default();
        (0..20_000).for_each(|n| ring.add(n * BUCKET_MS));
        assert!(ring.buckets.len() <= 8_641, "{}", ring.buckets.len());
    }
}
