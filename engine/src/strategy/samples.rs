//! Marks of one pair at an even beat, for averages and volatility.
//!
//! One mark per slot of the clock, not per elapsed period: frames that come at another beat than ours would
//! otherwise thin the ring out and it would never be full.

use crate::money::Price;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Most marks that are kept: a day of seconds.
pub const SAMPLES_MAX: usize = 86_400;
/// A hole longer than this empties the ring, milliseconds.
pub const HOLE_MS_MAX: i64 = 60_000;

/// A ring of marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    period_ms: i64,
    count_max: usize,
    marks: VecDeque<Price>,
    /// Sum of all marks, in units; cannot overflow with [`SAMPLES_MAX`] marks.
    sum: i128,
    last: Option<Timestamp>,
}

impl Samples {
    /// Makes an empty ring; at least one mark and at most [`SAMPLES_MAX`] are kept.
    pub fn new(period_ms: i64, count_max: usize) -> Self {
        Self {
            period_ms: period_ms.max(1),
            count_max: count_max.clamp(1, SAMPLES_MAX),
            marks: VecDeque::new(),
            sum: 0,
            last: None,
        }
    }

    /// Takes the mark if its slot has none yet.
    pub fn offer(&mut self, now: Timestamp, mark: Price) {
        if self.next_at().is_some_and(|next| now < next) {
            return;
        }
        if self
            .last
            .is_some_and(|last| now.ms_since(last) > HOLE_MS_MAX)
        {
            self.marks.clear();
            self.sum = 0;
        }
        if self.marks.len() == self.count_max {
            let oldest = self.marks.pop_front().unwrap_or_default();
            self.sum -= i128::from(oldest.units());
        }
        self.marks.push_back(mark);
        self.sum += i128::from(mark.units());
        self.last = Some(now);
    }

    /// Returns when the next slot begins; `None` before the first mark.
    pub fn next_at(&self) -> Option<Timestamp> {
        let slot = self.last?.ms().div_euclid(self.period_ms);
        Some(Timestamp::from_ms(
            slot.saturating_add(1).saturating_mul(self.period_ms),
        ))
    }

    /// Returns how many marks are kept.
    pub fn count(&self) -> usize {
        self.marks.len()
    }

    /// Returns the mean of all marks, rounded down; `None` without marks.
    pub fn mean(&self) -> Option<Price> {
        let count = i128::try_from(self.marks.len()).ok()?;
        let units = self.sum.checked_div_euclid(count)?;
        i64::try_from(units).ok().map(Price::from_units)
    }

    /// Returns the mean size of the latest `changes_max` changes in basis points of the latest mark, times `scale`,
    /// rounded down; `None` without a change or on overflow.
    pub fn volatility_bps(&self, changes_max: usize, scale: i64) -> Option<i64> {
        let latest = self.marks.back()?;
        let (mut moved, mut count) = (0i128, 0i128);
        let older = self.marks.iter().rev().skip(1);
        for (after, before) in self.marks.iter().rev().zip(older).take(changes_max) {
            moved += i128::from(after.units().abs_diff(before.units()));
            count += 1;
        }
        let bps = moved.checked_mul(10_000)?.checked_mul(i128::from(scale))?;
        let whole = count.checked_mul(i128::from(latest.units()))?;
        i64::try_from(bps.checked_div_euclid(whole)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(count_max: usize, script: &[(i64, i64)]) -> Samples {
        let mut samples = Samples::new(1_000, count_max);
        for (ms, units) in script {
            samples.offer(Timestamp::from_ms(*ms), Price::from_units(*units));
        }
        samples
    }

    #[test]
    fn a_slot_takes_one_mark_however_the_frames_fall() {
        assert_eq!(
            ring(9, &[(0, 1), (400, 2), (999, 3), (1_000, 4)]).count(),
            2
        );
        let every_750_ms: Vec<(i64, i64)> = (0..400).map(|n| (n * 750, 5)).collect();
        assert_eq!(ring(1_000, &every_750_ms).count(), 300);
    }

    #[test]
    fn a_minute_without_marks_forgets_and_less_does_not() {
        assert_eq!(ring(9, &[(0, 1), (60_000, 2)]).count(), 2);
        assert_eq!(ring(9, &[(0, 1), (60_001, 2)]).count(), 1);
    }

    #[test]
    fn the_mean_follows_the_ring_and_rounds_down() {
        assert_eq!(ring(3, &[]).mean(), None);
        let script = [(0, 100), (1_000, 1), (2_000, 2), (3_000, 5)];
        assert_eq!(ring(3, &script).mean(), Some(Price::from_units(2)));
        assert_eq!(ring(2, &script).mean(), Some(Price::from_units(3)));
    }

    #[test]
    fn volatility_is_the_mean_absolute_change() {
        let script = [(0, 10_000), (1_000, 10_010), (2_000, 10_000)];
        assert_eq!(ring(9, &script).volatility_bps(60, 8), Some(80));
        assert_eq!(ring(9, &script).volatility_bps(1, 1), Some(10));
        assert_eq!(ring(9, &script[..1]).volatility_bps(60, 8), None);
        let zero = [(0, 5), (1_000, 0)];
        assert_eq!(ring(9, &zero).volatility_bps(60, 8), None);
    }
}
