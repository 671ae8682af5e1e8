//! The journal at one moment, read while its writer goes on: one read transaction, which holds up no commit.

use super::chain::{Entry, RECORDS};
use super::checkpoints::{CHECKPOINTS, PARTS, Reach, read_history};
use super::errors::{StoreError, storage};
use super::header::{HEADER, read_header};
use super::trades::{self, TRADES, TradesReach};
use engine::history::Traded;
use redb::backends::FileBackend;
use redb::{
    Builder, Durability, Key, ReadTransaction, ReadableTable, TableDefinition, TableError,
    TableHandle, WriteTransaction,
};
use std::fs::File;

/// What a journal may hold; a copy of anything else would be a part of it.
const TABLES: [&str; 5] = [
    "header",
    "records",
    "checkpoints",
    "checkpoint_parts",
    "trades",
];

/// One moment of an open journal.
pub struct Snapshot(pub(super) ReadTransaction);

impl Snapshot {
    /// Reads every record that is kept and checks the chain.
    ///
    /// # Errors
    /// `Damaged`, `Foreign` or `Io`.
    pub fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let (_, genesis) = read_header(&self.0)?;
        Ok(read_history(&self.0, genesis, Reach::Kept)?.0.entries)
    }

    /// Returns how far back the trade history goes; `None` for a journal that has none yet.
    ///
    /// # Errors
    /// `Damaged` or `Io`.
    pub fn reach(&self) -> Result<Option<TradesReach>, StoreError> {
        TradesReach::read(&self.0)
    }

    /// Reads the trade history: the number of each trade's record and its row, in the order of the booking.
    ///
    /// # Errors
    /// `Damaged` or `Io`, for the whole or for a row.
    pub fn trades(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u64, Traded), StoreError>> + use<>, StoreError> {
        trades::each(&self.0)
    }

    /// Copies header, records, checkpoints and trades, byte by byte, into an empty file; returns how many records.
    ///
    /// # Errors
    /// `Damaged` if the journal holds what a copy would leave out, `Io` if either disk fails.
    pub fn copy_to(&self, file: File) -> Result<u64, StoreError> {
        for table in self.0.list_tables().map_err(storage)? {
            if !TABLES.contains(&table.name()) {
                let text = format!("table {} is not part of a copy", table.name());
                return Err(StoreError::Damaged(text));
            }
        }
        let backend = FileBackend::new(file).map_err(storage)?;
        let database = Builder::new()
            .create_with_backend(backend)
            .map_err(storage)?;
        let mut write = database.begin_write().map_err(storage)?;
        write
            .set_durability(Durability::Immediate)
            .map_err(storage)?;
        {
            let from = self.0.open_table(HEADER).map_err(storage)?;
            let mut to = write.open_table(HEADER).map_err(storage)?;
            for row in from.iter().map_err(storage)? {
                let (key, value) = row.map_err(storage)?;
                to.insert(key.value(), value.value()).map_err(storage)?;
            }
        }
        let count = self.copy_table(RECORDS, &write)?;
        self.copy_table(CHECKPOINTS, &write)?;
        self.copy_table(PARTS, &write)?;
        self.copy_table(TRADES, &write)?;
        write.commit().map_err(storage)?;
        database.close().map_err(storage)?;
        Ok(count)
    }

    /// Copies a table row by row, if there is one; returns how many rows.
    fn copy_table<K: Key + 'static>(
        &self,
        table: TableDefinition<K, &[u8]>,
        write: &WriteTransaction,
    ) -> Result<u64, StoreError> {
        let from = match self.0.open_table(table) {
            Ok(from) => from,
            Err(TableError::TableDoesNotExist(_)) => return Ok(0),
            Err(error) => return Err(storage(error)),
        };
        let mut to = write.open_table(table).map_err(storage)?;
        let mut count = 0;
        for row in from.iter().map_err(storage)? {
            let (key, value) = row.map_err(storage)?;
            to.insert(key.value(), value.value()).map_err(storage)?;
            count += 1;
        }
        Ok(count)
    }
}
