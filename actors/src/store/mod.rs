//! The journal's file: creation, opening, replay, and one durable commit per group.
//!
//! It is never created by opening it: a lost or truncated file must not become "no open orders" (RB-3). The one idea:
//! the same code runs on a file, in memory and on a simulated disk, so what is proven there holds here (RB-1).

mod chain;
mod checkpoints;
mod create;
mod errors;
mod header;
mod look;
pub mod of_order;
mod snapshot;
mod trades;

pub use chain::Entry;
pub use checkpoints::History;
pub use create::{Place, create, create_at};
pub use errors::StoreError;
pub use header::{Header, SCHEMA, Venue};
pub use look::{look, look_with};
pub use snapshot::Snapshot;
pub use trades::{TRADES_MAX, TradesReach};

use chain::{RECORDS, Tip};
use checkpoints::{Reach, read_history, write_checkpoint};
use engine::checkpoint::Checkpoint;
use engine::history::Traded;
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
/// Memory for pages of the file. redb's own limit is a gigabyte, and each page that is written stays until the limit:
/// memory would grow with the journal. Appending needs the last pages of two tables, and everything else reads rarely.
const CACHE_BYTES: usize = 512 << 10;
/// First bytes of every redb file.
const REDB_MAGIC: [u8; 4] = *b"redb";

/// An open journal that has been verified.
pub struct Store {
    database: Database,
    header: Header,
    tip: Tip,
    /// Number of the last record that a checkpoint covers; 0 before the first.
    covered: u64,
    /// How far back the trade history goes; `None` until the first commit begins it in an older journal.
    reach: Option<TradesReach>,
    /// Trades that are kept.
    trades_max: u64,
}

impl Store {
    /// Opens the journal of `dir`, checks every page and the whole chain, and returns the records that are kept.
    ///
    /// # Errors
    /// Every variant but `Exists`; none of them changes a record.
    pub fn open(dir: &Path, expected: Venue) -> Result<(Self, History), StoreError> {
        Self::open_file(&dir.join(FILE_NAME), expected)
    }

    /// Opens the journal of `dir` as [`Store::open`] does, but reads only what a start needs: the newest checkpoint and
    /// the records behind it. So its time does not grow with the age of the journal.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn resume(dir: &Path, expected: Venue) -> Result<(Self, History), StoreError> {
        let database = database_of(backend_of(&dir.join(FILE_NAME))?)?;
        Self::verified(database, expected, Reach::Tail)
    }

    /// Opens the journal of a file, as [`Store::open`] does.
    ///
    /// # Errors
    /// Every variant but `Exists`; none of them changes a record.
    pub fn open_file(path: &Path, expected: Venue) -> Result<(Self, History), StoreError> {
        Self::open_backend(backend_of(path)?, expected)
    }

    /// Opens the journal that a backend holds, as [`Store::open`] does.
    ///
    /// # Errors
    /// Every variant but `Exists` and `Missing`; none of them changes a record.
    pub fn open_backend(
        backend: impl StorageBackend,
        expected: Venue,
    ) -> Result<(Self, History), StoreError> {
        Self::verified(database_of(backend)?, expected, Reach::Kept)
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
        Self::verified(database, header.venue, Reach::Kept).map(|(store, _)| store)
    }

    fn verified(
        database: Database,
        expected: Venue,
        reach: Reach,
    ) -> Result<(Self, History), StoreError> {
        let read = guarded(|| {
            let read = database.begin_read().map_err(storage)?;
            let (header, genesis) = read_header(&read)?;
            header.check(expected)?;
            let (history, tip) = read_history(&read, genesis, reach)?;
            let reach = TradesReach::read(&read)?;
            Ok((header, history, tip, reach))
        });
        match read {
            Ok((header, history, tip, reach)) => {
                let store = Self {
                    database,
                    header,
                    tip,
                    covered: history.checkpoint.as_ref().map_or(0, |(seq, _)| *seq),
                    reach,
                    trades_max: TRADES_MAX,
                };
                Ok((store, history))
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

    /// Returns how many records no checkpoint covers.
    pub fn tail_len(&self) -> u64 {
        self.tip.seq - self.covered
    }

    /// Appends a group in one durable commit and returns the number of its last record.
    ///
    /// # Errors
    /// `Io` or `Damaged`; the store must not be used afterwards.
    pub fn append(&mut self, group: &[(Timestamp, Record)]) -> Result<u64, StoreError> {
        self.append_with(group, &[], None)
    }

    /// Appends a group as [`Store::append`] does, and in the same commit a row of the trade history for each trade in
    /// it: the rows that are given, in the order of the trades, and of a trade beyond them what its record tells. With
    /// what all records add up to behind it, writes that as well and removes records that two checkpoints cover and
    /// that are older than two days.
    ///
    /// # Panics
    /// If a row is not of the trade in its place.
    ///
    /// # Errors
    /// `Io` or `Damaged`; the store must not be used afterwards.
    pub fn append_with(
        &mut self,
        group: &[(Timestamp, Record)],
        traded: &[Traded],
        sum: Option<&Checkpoint>,
    ) -> Result<u64, StoreError> {
        let mut write = self.database.begin_write().map_err(storage)?;
        write
            .set_durability(Durability::Immediate)
            .map_err(storage)?;
        let mut tip = self.tip;
        let mut reach = self.reach;
        if let (None, Some((at, _))) = (reach, group.first()) {
            reach = Some(trades::begin(&write, *at)?);
        }
        let (mut traded, mut rows) = (traded.iter(), Vec::new());
        {
            let mut table = write.open_table(RECORDS).map_err(storage)?;
            for (at, record) in group {
                let value = tip.extend(*at, record)?;
                table.insert(tip.seq, value.as_slice()).map_err(storage)?;
                if let Record::Fill(trade) = record {
                    let row = traded.next().cloned();
                    let row = row.unwrap_or_else(|| Traded::bare(trade.clone()));
                    assert!(
                        row.trade.id == trade.id,
                        "a row is of the trade in its place"
                    );
                    rows.push((tip.seq, row));
                }
            }
        }
        if let Some(before) = reach.filter(|_| !rows.is_empty()) {
            reach = Some(trades::append(&write, &rows, before, self.trades_max)?);
        }
        if let (Some(sum), Some((at, _))) = (sum, group.last()) {
            write_checkpoint(&write, tip, *at, sum)?;
            self.covered = tip.seq;
        }
        write.commit().map_err(storage)?;
        (self.tip, self.reach) = (tip, reach);
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

fn backend_of(path: &Path) -> Result<FileBackend, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Err(StoreError::Foreign),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Missing);
        }
        Err(error) => return Err(StoreError::Io(error)),
    }
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    FileBackend::new(file).map_err(storage)
}

fn database_of(backend: impl StorageBackend) -> Result<Database, StoreError> {
    look_at_start(&backend)?;
    guarded(|| {
        let mut builder = Builder::new();
        builder.set_check_integrity_on_open(true);
        builder.set_cache_size(CACHE_BYTES);
        // It would make an empty database of an empty file; such a file was refused above.
        builder.create_with_backend(backend).map_err(storage)
    })
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
mod checkpoint_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trades_tests;
