//! The trade history beside the records: a row for each record of a trade, written in its commit and never pruned (I18).
//!
//! It adds nothing up and no start reads it. The one idea: a row has the number of its record for a key, so that the
//! booking which counts a trade once, over crashes and recoveries too, is all that keeps the history exact.

use super::chain::RECORDS;
use super::errors::{StoreError, damaged, storage};
use super::header::HEADER;
use engine::history::Traded;
use engine::record::Record;
use engine::time::Timestamp;
use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata, Table, TableDefinition, TableError,
    WriteTransaction,
};
use serde::{Deserialize, Serialize};

pub(super) const TRADES: TableDefinition<u64, &[u8]> = TableDefinition::new("trades");

/// Trades that are kept; beyond it the oldest row goes with each that comes, which is counted, and from when on the
/// history is complete moves behind it. A thousand trades a day fill it in five years.
pub const TRADES_MAX: u64 = 2_000_000;
/// Under this key of the header's table stands from when on the history is complete.
const REACH_KEY: &str = "trades";
/// How the payload of a trade's record begins.
const FILL_START: &[u8] = br#"{"kind":"fill""#;

/// How far back the history goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradesReach {
    /// Every trade that was booked since is in it.
    #[serde(rename = "complete_from_us")]
    pub complete_from: Timestamp,
    /// It began with the journal, and nothing was removed: its sums are those of the books.
    pub is_whole: bool,
    /// Rows that went at the limit.
    pub removed: u64,
}

impl TradesReach {
    /// A history that begins with its journal.
    pub(super) const fn whole(created: Timestamp) -> Self {
        Self {
            complete_from: created,
            is_whole: true,
            removed: 0,
        }
    }

    pub(super) fn write(&self, write: &WriteTransaction) -> Result<(), StoreError> {
        let text = serde_json::to_vec(self).map_err(|e| damaged(0, &e))?;
        let mut header = write.open_table(HEADER).map_err(storage)?;
        header.insert(REACH_KEY, text.as_slice()).map_err(storage)?;
        Ok(())
    }

    /// Reads it; `None` for a journal of a build that kept no history.
    pub(super) fn read(read: &ReadTransaction) -> Result<Option<Self>, StoreError> {
        let header = read.open_table(HEADER).map_err(storage)?;
        let stored = header.get(REACH_KEY).map_err(storage)?;
        let reach = stored.map(|text| serde_json::from_slice(text.value()));
        reach.transpose().map_err(|e| damaged(0, &e))
    }
}

/// Begins the history of a journal that has none: with the trades whose records are kept, as far as those tell.
pub(super) fn begin(write: &WriteTransaction, now: Timestamp) -> Result<TradesReach, StoreError> {
    let records = write.open_table(RECORDS).map_err(storage)?;
    let mut trades = write.open_table(TRADES).map_err(storage)?;
    let mut complete_from = None;
    for row in records.iter().map_err(storage)? {
        let (seq, value) = row.map_err(storage)?;
        let (seq, value) = (seq.value(), value.value());
        let (at, payload) = super::chain::parts(seq, value)?;
        complete_from = complete_from.or(Some(at));
        if payload.starts_with(FILL_START) {
            let record = serde_json::from_slice(payload).map_err(|e| damaged(seq, &e))?;
            if let Record::Fill(trade) = record {
                insert(&mut trades, seq, &Traded::bare(trade))?;
            }
        }
    }
    let reach = TradesReach {
        complete_from: complete_from.unwrap_or(now),
        is_whole: false,
        removed: 0,
    };
    reach.write(write)?;
    Ok(reach)
}

/// Writes the rows of a group, each under the number of its record, and removes the oldest beyond `max`.
pub(super) fn append(
    write: &WriteTransaction,
    rows: &[(u64, Traded)],
    reach: TradesReach,
    max: u64,
) -> Result<TradesReach, StoreError> {
    let mut table = write.open_table(TRADES).map_err(storage)?;
    for (seq, row) in rows {
        insert(&mut table, *seq, row)?;
    }
    let mut after = reach;
    while table.len().map_err(storage)? > max {
        let Some((seq, value)) = table.pop_first().map_err(storage)? else {
            break;
        };
        let gone = row_of(seq.value(), value.value())?;
        after.complete_from = after.complete_from.max(Timestamp(gone.trade.at.0 + 1));
        after.is_whole = false;
        after.removed += 1;
    }
    drop(table);
    if after != reach {
        after.write(write)?;
    }
    Ok(after)
}

fn insert(table: &mut Table<u64, &[u8]>, seq: u64, row: &Traded) -> Result<(), StoreError> {
    let text = serde_json::to_vec(row).map_err(|e| damaged(seq, &e))?;
    table.insert(seq, text.as_slice()).map_err(storage)?;
    Ok(())
}

fn row_of(seq: u64, value: &[u8]) -> Result<Traded, StoreError> {
    serde_json::from_slice(value).map_err(|e| damaged(seq, &e))
}

/// Reads every row in the order in which the trades were booked; nothing of a journal without a history.
pub(super) fn each(
    read: &ReadTransaction,
) -> Result<impl Iterator<Item = Result<(u64, Traded), StoreError>> + use<>, StoreError> {
    let table = match read.open_table(TRADES) {
        Ok(table) => Some(table),
        Err(TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(storage(error)),
    };
    let rows = table.map(|table| table.range::<u64>(..)).transpose();
    let rows = rows.map_err(storage)?.into_iter().flatten();
    Ok(rows.map(|row| {
        let (seq, value) = row.map_err(storage)?;
        Ok((seq.value(), row_of(seq.value(), value.value())?))
    }))
}
