//! The gates of a run, as questions to plain facts: what was seen, what is allowed, and the verdict.
//!
//! A trend that a run is too short to show is not judged, and says so; it is never passed silently.

use crate::fit::Slope;
use serde::Serialize;

/// Samples behind the warm-up from which on a trend is judged: four minutes, the shortest in which growth of the allowed
/// size stands out from the pages that come and go.
pub const TREND_SAMPLES_MIN: usize = 240;
/// Allowed growth of resident memory, MiB per hour.
const RSS_MIB_PER_H_MAX: f64 = 1.0;
/// Allowed distance between most and fewest descriptors behind the warm-up: a reconnect holds two at a time.
const FDS_SPREAD_MAX: f64 = 8.0;
/// The same for threads: blocking work may start one or two.
const THREADS_SPREAD_MAX: f64 = 2.0;
/// Part of the asked rate that must have been made, percent.
const RATE_PERCENT_MIN: u64 = 90;

/// How a gate was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Held.
    Pass,
    /// Broken.
    Fail,
    /// This run cannot tell.
    NotJudged,
}

/// One gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// What.
    pub name: &'static str,
    /// What was seen.
    pub value: String,
    /// What is allowed.
    pub limit: String,
    /// The verdict.
    pub verdict: Verdict,
}

/// The spread and the slope of a count that should not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Level {
    /// Fewest behind the warm-up.
    pub low: f64,
    /// Most.
    pub high: f64,
    /// Trend per hour.
    pub per_h: Option<Slope>,
}

/// What the gates ask.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Frames lost within one connection.
    pub lost: u64,
    /// Comparisons behind that number.
    pub comparisons: usize,
    /// Frames per second that were asked for.
    pub rate_asked: u64,
    /// Frames per second that were made while the load was on.
    pub rate_made: u64,
    /// Resident memory, MiB per hour.
    pub rss_mib_per_h: Option<Slope>,
    /// Descriptors.
    pub fds: Level,
    /// Threads.
    pub threads: Level,
    /// The ledger equalled the exchange once the market was quiet.
    pub is_ledger_equal: bool,
    /// Every book's top equalled the exchange's.
    pub are_books_equal: bool,
    /// Orders of unknown fate then.
    pub unknown: u64,
    /// Restarts of actors and panics.
    pub restarts: u64,
    /// Exit code of the stop; `None` if it did not end by itself.
    pub exit: Option<i32>,
    /// Orders open at the exchange after the stop.
    pub open: usize,
    /// Orders accepted.
    pub accepted: usize,
    /// Orders accepted under a client id that had been used.
    pub duplicates: u64,
}

/// Judges a run.
pub fn judge(facts: &Facts) -> Vec<Gate> {
    let mut gates = load(facts);
    gates.extend(growth(facts));
    gates.extend(books(facts));
    gates
}

fn gate(name: &'static str, value: String, limit: impl Into<String>, is_held: bool) -> Gate {
    let limit = limit.into();
    let verdict = if is_held {
        Verdict::Pass
    } else {
        Verdict::Fail
    };
    Gate {
        name,
        value,
        limit,
        verdict,
    }
}

fn load(facts: &Facts) -> Vec<Gate> {
    let enough = facts.rate_asked * RATE_PERCENT_MIN / 100;
    let lost = format!("{} ({} comparisons)", facts.lost, facts.comparisons);
    vec![
        gate(
            "frames lost within one connection",
            lost,
            "0, compared at least once",
            facts.lost == 0 && facts.comparisons > 0,
        ),
        gate(
            "book frames made per second",
            facts.rate_made.to_string(),
            format!("at least {enough}"),
            facts.rate_made >= enough,
        ),
    ]
}

fn growth(facts: &Facts) -> Vec<Gate> {
    let is_long = |slope: &Slope| slope.samples >= TREND_SAMPLES_MIN;
    let memory = facts.rss_mib_per_h;
    let seen = memory.map_or("too few samples".to_owned(), |slope| {
        let Slope {
            per_x, low, high, ..
        } = slope;
        format!("{per_x:.2} MiB/h (95 %: {low:.2} to {high:.2})")
    });
    let limit = format!("{RSS_MIB_PER_H_MAX} MiB/h; above it beyond doubt is a failure");
    let verdict = match memory.filter(is_long) {
        Some(slope) if slope.per_x <= RSS_MIB_PER_H_MAX => Verdict::Pass,
        Some(slope) if slope.low > RSS_MIB_PER_H_MAX => Verdict::Fail,
        Some(_) | None => Verdict::NotJudged,
    };
    let rss = Gate {
        verdict,
        ..gate("resident memory, slope", seen, limit, true)
    };
    let flat = |name, level: &Level, spread_max: f64| {
        let Level { low, high, per_h } = *level;
        let is_steady = high - low <= spread_max;
        let is_growing = per_h.is_some_and(|slope| {
            // A connection that is let go is no leak.
            slope.samples >= TREND_SAMPLES_MIN && slope.low > 0.0
        });
        let trend = per_h.map_or(String::new(), |slope| {
            format!(
                ", {:.2}/h (95 %: {:.2} to {:.2})",
                slope.per_x, slope.low, slope.high
            )
        });
        gate(
            name,
            format!("{low} to {high}{trend}"),
            format!("within {spread_max}; in a long run, no growth"),
            is_steady && !is_growing,
        )
    };
    vec![
        rss,
        flat("open descriptors", &facts.fds, FDS_SPREAD_MAX),
        flat("threads", &facts.threads, THREADS_SPREAD_MAX),
    ]
}

fn books(facts: &Facts) -> Vec<Gate> {
    let equal = |is: bool| if is { "equal" } else { "different" }.to_owned();
    let exit = facts
        .exit
        .map_or("killed".to_owned(), |code| code.to_string());
    let accepted = facts.accepted;
    vec![
        gate(
            "ledger and exchange",
            equal(facts.is_ledger_equal),
            "equal",
            facts.is_ledger_equal,
        ),
        gate(
            "books and exchange",
            equal(facts.are_books_equal),
            "equal",
            facts.are_books_equal,
        ),
        gate(
            "orders of unknown fate",
            facts.unknown.to_string(),
            "0",
            facts.unknown == 0,
        ),
        gate(
            "orders accepted",
            accepted.to_string(),
            "at least 1",
            accepted > 0,
        ),
        gate(
            "orders accepted twice",
            facts.duplicates.to_string(),
            "0",
            facts.duplicates == 0,
        ),
        gate(
            "open at the exchange after TERM",
            facts.open.to_string(),
            "0",
            facts.open == 0,
        ),
        gate("exit code after TERM", exit, "0", facts.exit == Some(0)),
        gate(
            "restarts and panics",
            facts.restarts.to_string(),
            "0",
            facts.restarts == 0,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slope(per_x: f64, error: f64, samples: usize) -> Option<Slope> {
        let (low, high) = (per_x - error, per_x + error);
        Some(Slope {
            per_x,
            error,
            low,
            high,
            samples,
        })
    }

    fn good() -> Facts {
        Facts {
            comparisons: 3,
            rate_asked: 100,
            rate_made: 99,
            rss_mib_per_h: slope(0.2, 0.1, 480),
            fds: Level {
                low: 30.0,
                high: 32.0,
                per_h: slope(0.1, 0.2, 480),
            },
            threads: Level {
                low: 9.0,
                high: 9.0,
                per_h: slope(0.0, 0.0, 480),
            },
            is_ledger_equal: true,
            are_books_equal: true,
            exit: Some(0),
            accepted: 5,
            ..Facts::default()
        }
    }

    /// One change to a good run, and the gates that do not pass.
    fn check(change: impl Fn(&mut Facts), expected: &[(&str, Verdict)]) {
        let mut facts = good();
        change(&mut facts);
        let gates = judge(&facts);
        let other = gates.iter().filter(|gate| gate.verdict != Verdict::Pass);
        let found: Vec<_> = other.map(|gate| (gate.name, gate.verdict)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_good_run_passes_and_each_broken_promise_fails_its_gate() {
        use Verdict::Fail;
        check(|_| (), &[]);
        check(
            |facts| facts.lost = 1,
            &[("frames lost within one connection", Fail)],
        );
        check(
            |facts| facts.comparisons = 0,
            &[("frames lost within one connection", Fail)],
        );
        check(
            |facts| facts.rate_made = 89,
            &[("book frames made per second", Fail)],
        );
        check(|facts| facts.fds.high = 39.0, &[("open descriptors", Fail)]);
        check(
            |facts| facts.threads.per_h = slope(3.0, 1.0, 480),
            &[("threads", Fail)],
        );
        check(|facts| facts.fds.per_h = slope(-3.0, 1.0, 480), &[]);
        check(
            |facts| facts.is_ledger_equal = false,
            &[("ledger and exchange", Fail)],
        );
        check(
            |facts| facts.are_books_equal = false,
            &[("books and exchange", Fail)],
        );
        check(
            |facts| facts.unknown = 1,
            &[("orders of unknown fate", Fail)],
        );
        check(|facts| facts.accepted = 0, &[("orders accepted", Fail)]);
        check(
            |facts| facts.duplicates = 1,
            &[("orders accepted twice", Fail)],
        );
        check(
            |facts| facts.open = 1,
            &[("open at the exchange after TERM", Fail)],
        );
        check(|facts| facts.exit = None, &[("exit code after TERM", Fail)]);
        check(|facts| facts.restarts = 1, &[("restarts and panics", Fail)]);
    }

    #[test]
    fn memory_fails_beyond_doubt_only_and_a_short_run_cannot_tell() {
        let memory = "resident memory, slope";
        let with = |found, expected: &[(&str, Verdict)]| {
            check(move |facts| facts.rss_mib_per_h = found, expected);
        };
        with(slope(0.9, 5.0, 480), &[]);
        with(slope(3.0, 1.0, 480), &[(memory, Verdict::Fail)]);
        with(slope(3.0, 2.5, 480), &[(memory, Verdict::NotJudged)]);
        with(slope(90.0, 1.0, 30), &[(memory, Verdict::NotJudged)]);
        with(None, &[(memory, Verdict::NotJudged)]);
    }
}
