//! The journal at one moment, read while its writer goes on: one read transaction, which holds up no commit.

use super::chain::{Entry, RECORDS};
use super::checkpoints::{CHECKPOINTS, Reach, read_history};
use super::errors::{StoreError, storage};
use super::header::{HEADER, read_header};
use redb::backends::FileBackend;
use redb::{Builder, Durability, ReadTransaction, ReadableTable, TableError, TableHandle};
use std::fs::File;

/// What a journal may hold; a copy of anything else would be a part of it.
const TABLES: [&str; 3] = ["header", "records", "checkpoints"];

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

    /// Copies header, records and checkpoints, byte by byte, into an empty file; returns how many records.
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
        let mut count = 0;
        {
            let from = self.0.open_table(HEADER).map_err(storage)?;
            let mut to = write.open_table(HEADER).map_err(storage)?;
            for row in from.iter().map_err(storage)? {
                let (key, value) = row.map_err(storage)?;
                to.insert(key.value(), value.value()).map_err(storage)?;
            }
            let from = self.0.open_table(RECORDS).map_err(storage)?;
            let mut to = write.open_table(RECORDS).map_err(storage)?;
            for row in from.iter().map_err(storage)? {
                let (seq, value) = row.map_err(storage)?;
                to.insert(seq.value(), value.value()).map_err(storage)?;
                count += 1;
            }
            match self.0.open_table(CHECKPOINTS) {
                Ok(from) => {
                    let mut to = write.open_table(CHECKPOINTS).map_err(storage)?;
                    for row in from.iter().map_err(storage)? {
                        let (seq, value) = row.map_err(storage)?;
                        to.insert(seq.value(), value.value()).map_err(storage)?;
                    }
                }
                Err(TableError::TableDoesNotExist(_)) => {}
                Err(error) => return Err(storage(error)),
            }
        }
        write.commit().map_err(storage)?;
        database.close().map_err(storage)?;
        Ok(count)
    }
}
