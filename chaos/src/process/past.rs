//! What the journal holds after a kill: read from a copy, so that the next start finds the file as the kill left it.

use actors::store::{Entry, FILE_NAME, Store, Venue};
use engine::ids::OrderId;
use engine::money::Qty;
use engine::record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What matters of a journal.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Client ids that were written down before their first byte left.
    pub sending: BTreeSet<String>,
    /// Those of them without an answer, a number or an end.
    pub unanswered: BTreeSet<String>,
    /// Booked quantity by order.
    pub booked: BTreeMap<OrderId, Qty>,
    /// Number of records.
    pub records: usize,
}

/// Copies the journal of `dir` into `scratch`, opens the copy as the engine does, and reads it.
///
/// # Errors
/// The file cannot be copied, or the store refuses it: text for people.
pub fn read(dir: &Path, scratch: &Path) -> Result<Past, String> {
    let (from, to) = (dir.join(FILE_NAME), scratch.join(FILE_NAME));
    fs::copy(&from, &to).map_err(|error| format!("{}: {error}", from.display()))?;
    let opened = Store::open(scratch, Venue::Live);
    let (store, entries) = opened.map_err(|error| format!("{}: {error}", from.display()))?;
    let told = history(&store, &entries);
    store.close();
    told.map_err(|error| format!("{}: {error}", from.display()))?;
    Ok(fold(&entries))
}

/// The trade history holds each trade that is on record, under its number, and no other that is as young.
fn history(store: &Store, entries: &[Entry]) -> Result<(), String> {
    let rows = store.snapshot().and_then(|snapshot| snapshot.trades());
    let rows: Result<Vec<_>, _> = rows.map_err(|error| error.to_string())?.collect();
    let rows = rows.map_err(|error| error.to_string())?;
    let first = entries.first().map_or(u64::MAX, |entry| entry.seq);
    let told: Vec<u64> = rows
        .iter()
        .map(|row| row.0)
        .filter(|seq| *seq >= first)
        .collect();
    let is_fill = |entry: &&Entry| matches!(entry.record, Record::Fill(_));
    let fills: Vec<u64> = entries
        .iter()
        .filter(is_fill)
        .map(|entry| entry.seq)
        .collect();
    if told == fills {
        return Ok(());
    }
    Err(format!(
        "the trade history has {} rows of {} trades",
        told.len(),
        fills.len()
    ))
}

fn fold(entries: &[Entry]) -> Past {
    let mut past = Past::default();
    for entry in entries {
        past.take(&entry.record);
    }
    past.records = entries.len();
    past
}

impl Past {
    /// Takes in a record; only orders and trades matter here.
    fn take(&mut self, record: &Record) {
        if let Record::Sending { order, .. } = record {
            let id = order.client_id.to_string();
            self.unanswered.insert(id.clone());
            self.sending.insert(id);
        }
        if let Record::Outcome { client_id, .. }
        | Record::Adopted { client_id, .. }
        | Record::Ended { client_id, .. } = record
        {
            self.unanswered.remove(&client_id.to_string());
        }
        if let Record::Fill(trade) = record {
            *self.booked.entry(trade.order_id).or_insert(Qty::ZERO) += trade.qty;
        }
    }
}
