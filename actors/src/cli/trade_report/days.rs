//! Days of a report: UTC, the first and the last included.

use crate::cli::exit::{Exit, Failed};
use engine::time::Timestamp;
use jiff::civil::Date;

/// What a day looks like.
const FORM: &str = "%Y-%m-%d";
/// Microseconds of a day.
const US_PER_DAY: i64 = 86_400_000_000;

/// A day as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The day on which the command runs.
    Today,
    /// This one, counted from 1970-01-01.
    Day(i64),
}

/// Reads a day of the command line.
pub(super) fn wanted(text: &str) -> Result<Wanted, String> {
    if text == "today" {
        return Ok(Wanted::Today);
    }
    let day = Date::strptime(FORM, text).ok();
    let day = day.filter(|day| day.strftime(FORM).to_string() == text);
    let epoch = Date::constant(1970, 1, 1);
    let days = day.and_then(|day| day.since((jiff::Unit::Day, epoch)).ok());
    days.map(|days| Wanted::Day(i64::from(days.get_days())))
        .ok_or_else(|| "expected a UTC day such as 2026-01-31, or today".to_owned())
}

/// The days that a report is about; an end that is missing is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Days {
    from: Option<i64>,
    to: Option<i64>,
}

impl Days {
    /// Makes the days of a report that is made at `now`.
    ///
    /// # Errors
    /// Exit 2 if the first is behind the last.
    pub(super) fn between(
        from: Option<Wanted>,
        to: Option<Wanted>,
        now: Timestamp,
    ) -> Result<Self, Failed> {
        let day = |wanted| match wanted {
            Wanted::Today => now.day(),
            Wanted::Day(day) => day,
        };
        let (from, to) = (from.map(day), to.map(day));
        match (from, to) {
            (Some(first), Some(last)) if first > last => {
                let (first, last) = (named(first), named(last));
                let text = format!(
                    "--from {first} is behind --to {last}: expected the same day or an earlier one"
                );
                Err(Failed::new(Exit::Usage, text))
            }
            _ => Ok(Self { from, to }),
        }
    }

    /// Returns whether a moment is in these days.
    pub(super) fn hold(self, at: Timestamp) -> bool {
        let day = at.day();
        self.from.is_none_or(|first| first <= day) && self.to.is_none_or(|last| day <= last)
    }

    /// Returns when they begin.
    pub(super) fn start(self) -> Option<Timestamp> {
        self.from.map(start_of)
    }

    /// Returns the first day, if one was asked for.
    pub(super) fn first(self) -> Option<String> {
        self.from.map(named)
    }

    /// Returns the last day, if one was asked for.
    pub(super) fn last(self) -> Option<String> {
        self.to.map(named)
    }
}

fn start_of(day: i64) -> Timestamp {
    Timestamp(day.saturating_mul(US_PER_DAY))
}

/// Returns a day as it is written.
pub(super) fn named(day: i64) -> String {
    written(start_of(day), FORM)
}

/// Returns a moment as it is written: RFC 3339 with microseconds.
pub(super) fn moment(at: Timestamp) -> String {
    written(at, "%Y-%m-%dT%H:%M:%S%.6fZ")
}

fn written(at: Timestamp, form: &str) -> String {
    jiff::Timestamp::from_microsecond(at.0)
        .map_or_else(|_| at.to_string(), |at| at.strftime(form).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_and_written_alike() {
        for text in ["1970-01-01", "2024-02-29", "2026-12-31"] {
            let Ok(Wanted::Day(day)) = wanted(text) else {
                panic!("{text}");
            };
            assert_eq!(named(day), text);
        }
        assert_eq!(wanted("today"), Ok(Wanted::Today));
        for text in [
            "",
            "yesterday",
            "2026-1-1",
            "2026-02-30",
            "2026-01-01T00:00:00Z",
            "01.02.2026",
            " 2026-01-01",
        ] {
            let refused = wanted(text).expect_err(text);
            assert!(refused.contains("2026-01-31"), "{refused}");
        }
    }

    #[test]
    fn both_ends_belong_to_the_report() {
        let (first, last) = (Some(Wanted::Day(10)), Some(Wanted::Day(11)));
        let days = Days::between(first, last, Timestamp(0)).expect("in order");
        let check =
            |us: i64, expected: bool| assert_eq!(days.hold(Timestamp(us)), expected, "{us}");
        check(10 * US_PER_DAY - 1, false);
        check(10 * US_PER_DAY, true);
        check(12 * US_PER_DAY - 1, true);
        check(12 * US_PER_DAY, false);
        let today = Days::between(Some(Wanted::Today), None, Timestamp(10 * US_PER_DAY + 5));
        assert_eq!(
            today.expect("in order").start(),
            Some(Timestamp(10 * US_PER_DAY))
        );
        let refused = Days::between(last, first, Timestamp(0)).expect_err("in the wrong order");
        assert!(
            refused.message.contains("--from 1970-01-12"),
            "{}",
            refused.message
        );
    }
}
