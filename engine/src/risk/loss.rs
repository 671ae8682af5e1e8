//! Equity against the start of the day and against its peak.
//!
//! The day's base is written down at the first valuation of a UTC day, before any order of that day, so a restart
//! or a lifetime of profit cannot change what "today" means. A rising peak is written at most once a minute: what a
//! crash can forget of it is what was gained in that minute.

use crate::money::{Amount, BPS_PER_ONE};
use crate::record::Record;
use crate::time::Timestamp;

/// Least time between two records of a rising peak, milliseconds.
const PEAK_SAVE_MS: i64 = 60_000;

/// What is known of equity over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LossWatch {
    day: Option<(i64, Amount)>,
    peak: Option<Amount>,
    peak_saved: Option<(Amount, Timestamp)>,
    last: Option<(Timestamp, Amount)>,
}

impl LossWatch {
    /// Takes in equity at `now`; returns the record to write, if a day began or the peak rose.
    pub(crate) fn value(&mut self, now: Timestamp, equity: Amount) -> Option<Record> {
        let peak = self.peak.map_or(equity, |peak| peak.max(equity));
        self.peak = Some(peak);
        self.last = Some((now, equity));
        let is_new_day = self.day.is_none_or(|(day, _)| now.day() > day);
        if is_new_day {
            self.day = Some((now.day(), equity));
        }
        let is_peak_due = self
            .peak_saved
            .is_none_or(|(saved, at)| peak > saved && now.ms_since(at) >= PEAK_SAVE_MS);
        let (day, start) = self.day?;
        (is_new_day || is_peak_due).then(|| {
            self.peak_saved = Some((peak, now));
            Record::DayStart {
                day,
                equity: start,
                peak,
            }
        })
    }

    /// Takes in a record of an earlier start.
    pub(crate) fn replay(&mut self, day: i64, start: Amount, peak: Amount) {
        self.day = Some((day, start));
        self.peak = Some(self.peak.map_or(peak, |known| known.max(peak)));
        self.peak_saved = self.peak.map(|peak| (peak, Timestamp(i64::MIN)));
    }

    /// Returns the last equity, if it is not older than `age_ms_max`.
    pub(crate) fn recent(&self, now: Timestamp, age_ms_max: i64) -> Option<Amount> {
        self.last
            .filter(|(at, _)| now.ms_since(*at) <= age_ms_max)
            .map(|(_, equity)| equity)
    }

    /// Returns equity less equity at the day's start.
    pub(crate) fn day_pnl(&self, equity: Amount) -> Option<Amount> {
        self.day.map(|(_, start)| equity - start)
    }

    /// Returns how far `equity` is below the peak, 0 to 10000 basis points, rounded down: comparing it with `>=` is exact.
    pub(crate) fn drawdown_bps(&self, equity: Amount) -> i64 {
        let Some(peak) = self.peak.filter(|peak| peak.is_positive()) else {
            return 0;
        };
        let fall = (peak - equity).max(Amount::ZERO).units();
        let bps = fall
            .checked_mul(i128::from(BPS_PER_ONE))
            .map_or(i128::from(BPS_PER_ONE), |scaled| scaled / peak.units());
        i64::try_from(bps).unwrap_or(BPS_PER_ONE).min(BPS_PER_ONE)
    }
}
