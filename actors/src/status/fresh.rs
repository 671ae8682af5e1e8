//! How old each thing is that a decision hangs on, beside how often it is due.
//!
//! The one idea: an age means nothing without its period, and three periods without news are stale.

use super::{Bounds, Status};
use crate::beats::Beat;
use crate::gate::Flag;
use crate::upkeep::CLOCK_EVERY_MS;
use crate::watchdog::stall_ms;
use engine::book::BookView;
use engine::time::Timestamp;
use serde_json::{Value, json};

/// Periods without news after which something is stale.
const STALE_PERIODS: i64 = 3;
/// How often the journal's thread is looked at, milliseconds; its beats are closer together than that.
const JOURNAL_MS: i64 = 1_000;

/// What the process itself says about its parts, whatever the actors report.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    /// How long ago each watched thread gave a sign, milliseconds.
    pub beats: Vec<(Beat, i64)>,
    /// The flags of the gate that are up.
    pub gate: Vec<Flag>,
}

/// When the latest of each kind was heard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// A strategy's word: an intent, or why there is none.
    pub evaluation: Option<Timestamp>,
    /// A measured clock.
    pub offset: Option<Timestamp>,
    /// The account in figures.
    pub money: Option<Timestamp>,
    /// A durable commit.
    pub commit: Option<Timestamp>,
    /// A change of the mode.
    pub mode: Option<Timestamp>,
}

fn row(what: &str, age_ms: Option<i64>, period_ms: i64) -> Value {
    let is_stale = age_ms.is_none_or(|age| age > STALE_PERIODS * period_ms);
    json!({"what": what, "age_ms": age_ms, "period_ms": period_ms, "stale": is_stale})
}

impl Status {
    /// One row for each thing that may grow old; empty before the periods are known.
    pub(super) fn freshness_json(&self, now: Timestamp) -> Vec<Value> {
        let Some(bounds) = &self.bounds else {
            return Vec::new();
        };
        let age = |at: Option<Timestamp>| at.map(|at| now.ms_since(at));
        let mut rows = vec![
            row("evaluation", age(self.heard.evaluation), bounds.cycle_ms),
            row("reconcile", age(self.last_clean), bounds.reconcile_ms),
            row("clock", age(self.heard.offset), CLOCK_EVERY_MS),
            row("money", age(self.heard.money), bounds.reconcile_ms),
        ];
        rows.extend((self.books.values()).map(|view| data_row(view, now, bounds)));
        rows
    }
}

/// A book is stale when the gate says so: the age that ends trust counts as three periods.
fn data_row(view: &BookView, now: Timestamp, bounds: &Bounds) -> Value {
    let period_ms = bounds.limits.market_data_age_ms / STALE_PERIODS;
    let what = format!("data {}", view.symbol());
    match view {
        BookView::Trusted(book) => row(&what, Some(now.ms_since(book.received())), period_ms),
        BookView::Untrusted { why, since, .. } => {
            json!({"what": what, "age_ms": now.ms_since(*since), "period_ms": period_ms, "stale": true,
                   "why": why.as_str()})
        }
    }
}

impl Vitals {
    /// Returns each watched thread with its age and the age at which the watchdog kills.
    pub(super) fn threads_json(&self) -> Vec<Value> {
        let thread = |(who, age_ms): &(Beat, i64)| {
            json!({"thread": who.as_str(), "age_ms": age_ms, "stalled_ms": stall_ms(*who),
                   "stalled": *age_ms > stall_ms(*who)})
        };
        self.beats.iter().map(thread).collect()
    }

    /// The journal's row: its thread's sign of life, because a quiet market commits nothing.
    pub(super) fn journal_json(&self) -> Value {
        let age = self.beats.iter().find(|(who, _)| *who == Beat::Journal);
        row("journal", age.map(|(_, age_ms)| *age_ms), JOURNAL_MS)
    }
}
