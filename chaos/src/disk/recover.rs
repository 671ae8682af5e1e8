//! One start after a cut: the real store opens an image, and what it finds is held against what was written.
//!
//! It builds no image. The one idea: the records that are found must be a whole number of commits, in order, at least
//! all that were acknowledged and at most all that were begun; and the journal must go on from there.

use super::sim::SimDisk;
use super::story::{VENUE, numbered};
use actors::store::{Entry, Store, StoreError};
use engine::record::Record;
use engine::time::Timestamp;
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is wrong with what a start found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "wrong", content = "seen", rename_all = "snake_case")]
pub enum Wrong {
    /// An acknowledged record is missing.
    LostAcked(String),
    /// Part of a commit, a record that was never written, or one in the wrong place.
    Torn(String),
    /// It does not open, and the store says why.
    Refused(String),
    /// The store panicked.
    Panicked,
    /// It opens, and then takes no records or does not keep them.
    StopsThere(String),
}

/// What may be found.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// Every record that may be there, in order.
    pub entries: &'a [Entry],
    /// Number of the last record of each commit.
    pub ends: &'a [usize],
    /// Records that were acknowledged.
    pub least: usize,
    /// Records that were handed to the store.
    pub most: usize,
}

impl Expected<'_> {
    /// Judges what was found.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&self, found: &[Entry]) -> Result<(), Wrong> {
        let seen = format!(
            "{} records; acknowledged {}, begun {}",
            found.len(),
            self.least,
            self.most
        );
        let equal = found
            .iter()
            .zip(self.entries)
            .take_while(|(found, expected)| found == expected)
            .count();
        if equal < self.least {
            return Err(Wrong::LostAcked(seen));
        }
        let is_whole = found.is_empty() || self.ends.contains(&found.len());
        if equal < found.len() || found.len() > self.most || !is_whole {
            return Err(Wrong::Torn(seen));
        }
        Ok(())
    }
}

/// A journal that was opened after a cut, filled and closed.
pub struct Recovered {
    /// The disk, with what opening and filling it asked for.
    pub disk: SimDisk,
    /// Records that the start found.
    pub found: usize,
    /// Operations when it had found them.
    pub opened: usize,
    /// What was appended behind them.
    pub more: Vec<Entry>,
    /// Operations when that was handed to the store.
    pub begun: usize,
    /// Operations when that was acknowledged.
    pub acknowledged: usize,
}

/// Opens the journal of a disk, judges it, appends a group and closes it.
///
/// # Errors
/// What is wrong.
pub fn recover(disk: SimDisk, expected: &Expected) -> Result<Recovered, Wrong> {
    let run = || recover_unguarded(disk, expected);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    outcome.unwrap_or(Err(Wrong::Panicked))
}

fn recover_unguarded(disk: SimDisk, expected: &Expected) -> Result<Recovered, Wrong> {
    let opened = Store::open_backend(disk.clone(), VENUE);
    let (mut store, found) = opened.map_err(|error| Wrong::Refused(error.to_string()))?;
    expected.judge(&found)?;
    judge_history(&store, &found)?;
    let opened = disk.position();
    let group = group();
    let begun = disk.position();
    let appended = store.append(&group);
    let last = appended.map_err(|error| Wrong::StopsThere(error.to_string()))?;
    let acknowledged = disk.position();
    if last as usize != found.len() + group.len() {
        return Err(Wrong::StopsThere(format!("the last record is {last}")));
    }
    store.close();
    Ok(Recovered {
        disk,
        found: found.len(),
        opened,
        more: numbered(found.len(), group).collect(),
        begun,
        acknowledged,
    })
}

/// The trade history holds each trade that is on record, and no other.
fn judge_history(store: &Store, found: &[Entry]) -> Result<(), Wrong> {
    let refused = |error: StoreError| Wrong::Refused(error.to_string());
    let rows = store.snapshot().and_then(|snapshot| snapshot.trades());
    let rows: Result<Vec<_>, _> = rows.map_err(refused)?.collect();
    let rows = rows.map_err(refused)?;
    let is_fill = |entry: &&Entry| matches!(entry.record, Record::Fill(_));
    let trades = found.iter().filter(is_fill);
    let told = rows
        .iter()
        .map(|(seq, row)| (*seq, Record::Fill(row.trade.clone())));
    if told.eq(trades
        .clone()
        .map(|entry| (entry.seq, entry.record.clone())))
    {
        return Ok(());
    }
    let seen = format!("{} rows of {} trades", rows.len(), trades.count());
    Err(Wrong::Torn(seen))
}

/// What every start appends.
fn group() -> Vec<(Timestamp, Record)> {
    let at = super::story::START.plus_ms(1);
    let on = |on| (at, Record::SafeMode { on, at });
    vec![(at, Record::Boot { epoch: 2, at }), on(true), on(false)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: usize) -> Vec<Entry> {
        let at = super::super::story::START;
        let record = |_| (at, Record::SafeMode { on: true, at });
        numbered(0, (0..count).map(record).collect()).collect()
    }

    /// Commits of two, one and three records, of which the first two were acknowledged and the third was begun.
    fn check(found: &[Entry], expected: Option<fn(String) -> Wrong>) {
        let all = entries(6);
        let may_be = Expected {
            entries: &all,
            ends: &[2, 3, 6],
            least: 3,
            most: 6,
        };
        let wrong = may_be.judge(found).err();
        let kind = |wrong: &Wrong| std::mem::discriminant(wrong);
        let expected = expected.map(|make| make(String::new()));
        assert_eq!(
            wrong.as_ref().map(kind),
            expected.as_ref().map(kind),
            "{wrong:?}"
        );
    }

    #[test]
    fn acknowledged_commits_with_or_without_the_one_that_was_begun_are_right() {
        check(&entries(3), None);
        check(&entries(6), None);
    }

    #[test]
    fn less_than_was_acknowledged_is_lost() {
        check(&entries(0), Some(Wrong::LostAcked));
        check(&entries(2), Some(Wrong::LostAcked));
        let mut other = entries(3);
        other[0].at = other[0].at.plus_ms(1);
        check(&other, Some(Wrong::LostAcked));
    }

    #[test]
    fn parts_of_a_commit_and_records_of_nobody_are_torn() {
        check(&entries(4), Some(Wrong::Torn));
        check(&entries(7), Some(Wrong::Torn));
        let mut other = entries(6);
        other[5].at = other[5].at.plus_ms(1);
        check(&other, Some(Wrong::Torn));
    }
}
