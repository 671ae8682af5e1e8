//! The journal's file: creation, opening, replay, and one durable commit per group.
//!
//! It is never created by opening it: a lost or truncated file must not become "no open orders" (RB-3). The one idea:
//! the same code runs on a file, in memory and on a simulated disk, so what is proven there holds here (RB-1).

mod chain;
mod create;
mod errors;
mod header;
mod look;
pub mod of_order;
mod snapshot;

pub use chain::Entry;
pub use create::{Place, create, create_at};
pub use errors::StoreError;
pub use header::{Header, SCHEMA, Venue};
pub use look::look;
pub use snapshot::Snapshot;

use chain::{RECORDS, Tip, read_records};
use engine::record::Record;
use engine::time::Timestamp;
use errors::{guarded, storage};
use header::{read_header, write_header};
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, Durability, ReadableDatabase, StorageBackend};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

/// Name of the journal in its directory.
pub const FILE_NAME: &str = "btcbot.redb";
/// First bytes of every redb file.
const REDB_MAGIC: [u8; 4] = *b"redb";

/// An open journal that has been verified.
pub struct Store {
    database: Database,
    header: Header,
    tip: Tip,
}

impl Store {
    /// Opens the journal of `dir`, checks every page and the whole chain, and returns its records in order.
    ///
    /// # Errors
    /// Every variant but `Exists`; none of them changes a record.
    pub fn open(dir: &Path, expected: Venue) -> Result<(Self, Vec<Entry>), StoreError> {
        Self::open_file(&dir.join(FILE_NAME), expected)
    }

    /// Opens the journal of a file, as [`Store::open`] does.
    ///
    /// # Errors
    /// Every variant but `Exists`; none of them changes a record.
    pub fn open_file(path: &Path, expected: Venue) -> Result<(Self, Vec<Entry>), StoreError> {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => return Err(StoreError::Foreign),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing);
            }
            Err(error) => return Err(StoreError::Io(error)),
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Self::open_backend(FileBackend::new(file).map_err(storage)?, expected)
    }

    /// Opens the journal that a backend holds, as [`Store::open`] does.
    ///
    /// # Errors
    /// Every variant but `Exists` and `Missing`; none of them changes a record.
    pub fn open_backend(
        backend: impl StorageBackend,
        expected: Venue,
    ) -> Result<(Self, Vec<Entry>), StoreError> {
        look_at_start(&backend)?;
        let database = guarded(|| {
            let mut builder = Builder::new();
            builder.set_check_integrity_on_open(true);
            // It would make an empty database of an empty file; such a file was refused above.
            builder.create_with_backend(backend).map_err(storage)
        })?;
        Self::verified(database, expected)
    }

    /// Makes a journal that lives in memory, for the demo: it leaves nothing behind.
    ///
    /// # Errors
    /// `Damaged` or `Io` if memory cannot be used as storage.
    pub fn in_memory(header: &Header) -> Result<Self, StoreError> {
        let backend = InMemoryBackend::new();
        let database = Builder::new()
            .create_with_backend(backend)
            .map_err(storage)?;
        write_header(&database, header)?;
        Self::verified(database, header.venue).map(|(store, _)| store)
    }

    fn verified(database: Database, expected: Venue) -> Result<(Self, Vec<Entry>), StoreError> {
        let read = guarded(|| {
            let read = database.begin_read().map_err(storage)?;
            let (header, genesis) = read_header(&read)?;
            header.check(expected)?;
            let (entries, tip) = read_records(&read, genesis)?;
            Ok((header, entries, tip))
        });
        match read {
            Ok((header, entries, tip)) => {
                let store = Self {
                    database,
                    header,
                    tip,
                };
                Ok((store, entries))
            }
            Err(error) => {
                // Closing a damaged file may panic as well; the reason is known already.
                let _closed = guarded(|| database.close().map_err(storage));
                Err(error)
            }
        }
    }

    /// Returns what was written at creation.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the number of the last record; 0 in an empty journal.
    pub fn last_seq(&self) -> u64 {
        self.tip.seq
    }

    /// Appends a group in one durable commit and returns the number of its last record.
    ///
    /// # Errors
    /// `Io` or `Damaged`; the store must not be used afterwards.
    pub fn append(&mut self, group: &[(Timestamp, Record)]) -> Result<u64, StoreError> {
        let mut write = self.database.begin_write().map_err(storage)?;
        write
            .set_durability(Durability::Immediate)
            .map_err(storage)?;
        let mut tip = self.tip;
        {
            let mut table = write.open_table(RECORDS).map_err(storage)?;
            for (at, record) in group {
                let value = tip.extend(*at, record)?;
                table.insert(tip.seq, value.as_slice()).map_err(storage)?;
            }
        }
        write.commit().map_err(storage)?;
        self.tip = tip;
        Ok(tip.seq)
    }

    /// Returns the journal as it is at this moment; later commits do not change it, and it holds up none.
    ///
    /// # Errors
    /// `Io` or `Damaged`.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot(self.database.begin_read().map_err(storage)?))
    }

    /// Closes the file in order. An error changes nothing: every commit was durable on its own.
    pub fn close(self) {
        let _ = self.database.close();
    }
}

/// Tells an empty or foreign file from one that redb may open.
fn look_at_start(backend: &impl StorageBackend) -> Result<(), StoreError> {
    let len = backend.len()?;
    if len == 0 {
        return Err(StoreError::Empty);
    }
    let mut start = [0; REDB_MAGIC.len()];
    if len < start.len() as u64 {
        return Err(StoreError::Foreign);
    }
    backend.read(0, &mut start)?;
    if start != REDB_MAGIC {
        return Err(StoreError::Foreign);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
