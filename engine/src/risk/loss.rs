//! Equity against the start of the day and against its peak, neither of which a deposit or a withdrawal moves.
//!
//! The measure is an index: equity / units, where a transfer of value v changes the units by v / index just before it.
//! Units are not kept: base and peak are instead held as the equity that they would be with the units of this moment,
//! which is the same and needs no division until a transfer comes. The day's base is written down at the first
//! valuation of a UTC day, before any order of that day, so a restart or a lifetime of profit cannot change what
//! "today" means. A rising peak is written at most once a minute: what a crash can forget of it is what was gained in
//! that minute.

use crate::ledger::lots::share;
use crate::money::{Amount, BPS_PER_ONE};
use crate::record::Record;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Least time between two records of a rising peak, milliseconds.
const PEAK_SAVE_MS: i64 = 60_000;

/// What held at the first instant of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    number: i64,
    /// Equity, and everything transferred since.
    base: Amount,
    /// Fees and tax paid until then.
    costs: Amount,
}

/// What is known of equity over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LossWatch {
    day: Option<Day>,
    /// The highest index, as equity with the units of this moment.
    peak: Option<Amount>,
    peak_saved: Option<(Amount, Timestamp)>,
    /// The latest valuation; a start has none.
    #[serde(skip)]
    last: Option<(Timestamp, Amount)>,
}

impl LossWatch {
    /// Takes in equity at `now`, and the fees and tax paid so far; returns the record to write, if a day began or the
    /// peak rose.
    pub(crate) fn value(
        &mut self,
        now: Timestamp,
        equity: Amount,
        costs: Amount,
    ) -> Option<Record> {
        let peak = self.peak.map_or(equity, |peak| peak.max(equity));
        self.peak = Some(peak);
        self.last = Some((now, equity));
        let is_new_day = self.begin_day(now.day(), equity, costs);
        let is_peak_due = self
            .peak_saved
            .is_none_or(|(saved, at)| peak > saved && now.ms_since(at) >= PEAK_SAVE_MS);
        let day = self.day?;
        (is_new_day || is_peak_due).then(|| {
            self.peak_saved = Some((peak, now));
            Record::DayStart {
                day: day.number,
                equity: day.base,
                peak,
            }
        })
    }

    /// Takes in a record of an earlier start; `costs` are the fees and tax booked from the records before it.
    pub(crate) fn replay(&mut self, day: i64, base: Amount, peak: Amount, costs: Amount) {
        if !self.begin_day(day, base, costs)
            && let Some(known) = &mut self.day
        {
            known.base = base;
        }
        self.peak = Some(self.peak.map_or(peak, |known| known.max(peak)));
        self.peak_saved = self.peak.map(|peak| (peak, Timestamp(i64::MIN)));
    }

    /// Money of this value came in, or went out if negative; `equity` is that just before, if it was known.
    pub(crate) fn transferred(&mut self, equity: Option<Amount>, value: Amount) {
        if let Some(day) = &mut self.day {
            day.base += value;
        }
        if let Some((_, last)) = &mut self.last {
            *last += value;
        }
        self.peak = self.peak.map(|peak| rescaled(peak, equity, value));
        self.peak_saved = self
            .peak_saved
            .map(|(peak, at)| (rescaled(peak, equity, value), at));
    }

    /// Returns the last equity, if it is not older than `age_ms_max`.
    pub(crate) fn recent(&self, now: Timestamp, age_ms_max: i64) -> Option<Amount> {
        self.last
            .filter(|(at, _)| now.ms_since(*at) <= age_ms_max)
            .map(|(_, equity)| equity)
    }

    /// Returns the last equity, however old.
    pub(crate) fn last(&self) -> Option<Amount> {
        self.last.map(|(_, equity)| equity)
    }

    /// Returns what was earned since the day's start, transfers aside.
    pub(crate) fn day_pnl(&self, equity: Amount) -> Option<Amount> {
        self.day.map(|day| equity - day.base)
    }

    /// Returns the fees and tax paid since the day's start, out of all that were paid.
    pub(crate) fn day_costs(&self, costs: Amount) -> Option<Amount> {
        self.day.map(|day| costs - day.costs)
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

    /// Begins a day if it is one that has not begun; says so.
    fn begin_day(&mut self, number: i64, base: Amount, costs: Amount) -> bool {
        let is_new = self.day.is_none_or(|day| number > day.number);
        if is_new {
            self.day = Some(Day {
                number,
                base,
                costs,
            });
        }
        is_new
    }
}

/// Returns `peak x (equity + value) / equity`, rounded up: the same index with the units after a transfer. Where
/// nothing was there to measure the transfer against, or the number does not fit, the index starts anew.
fn rescaled(peak: Amount, equity: Option<Amount>, value: Amount) -> Amount {
    let Some(equity) = equity else {
        return (peak + value).max(Amount::ZERO);
    };
    let after = (equity + value).max(Amount::ZERO);
    if !equity.is_positive() || peak.is_negative() {
        return after;
    }
    let (times, rest) = (
        after.units() / equity.units(),
        after.units() % equity.units(),
    );
    let whole = peak.units().checked_mul(times);
    // The part rounded up is the whole less its complement rounded down.
    let part = peak - share(peak, equity - Amount::from_units(rest), equity);
    whole
        .and_then(|whole| whole.checked_add(part.units()))
        .map_or(after, Amount::from_units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).expect("an amount")
    }

    #[test]
    fn the_index_goes_on_over_a_transfer_and_starts_anew_where_nothing_was_left() {
        let check = |peak, equity: Option<&str>, value, expected: &str| {
            let got = rescaled(amount(peak), equity.map(amount), amount(value));
            assert_eq!(got, amount(expected), "{peak} {equity:?} {value}");
        };
        check("100", Some("80"), "40", "150");
        check("100", Some("80"), "-40", "50");
        check("100", Some("100"), "0.07", "100.07");
        check("3", Some("3"), "-3", "0");
        check("3", Some("2"), "-5", "0");
        check("100", Some("0"), "7", "7");
        check("100", None, "7", "107");
        // Rounded up: the drawdown is never less than it was.
        check("1", Some("3"), "-2", "0.3333333333333334");
    }

    proptest! {
        #[test]
        fn drawdown_is_0_to_10000_bps_and_transfers_do_not_move_it(
            steps in proptest::collection::vec((1i64..1_000_000, -900_000i64..900_000), 1..30),
        ) {
            let mut watch = LossWatch::default();
            for (equity, value) in steps {
                let (equity, value) = (Amount::from_whole(equity), Amount::from_whole(value));
                watch.value(Timestamp(0), equity, Amount::ZERO);
                let (before, pnl) = (watch.drawdown_bps(equity), watch.day_pnl(equity));
                prop_assert!((0..=BPS_PER_ONE).contains(&before));
                if (equity + value).is_positive() {
                    watch.transferred(Some(equity), value);
                    prop_assert!(watch.drawdown_bps(equity + value).abs_diff(before) <= 1);
                    prop_assert_eq!(watch.day_pnl(equity + value), pnl);
                }
            }
        }
    }
}
