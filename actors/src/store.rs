//! The journal's file: creation, opening, replay, and one durable commit per group.
//!
//! It is never created by opening it: a lost or truncated file must not become "no open orders" (RB-3). The one idea:
//! each record carries a hash over its predecessor, so that what is replayed is what was written, in its order.

use engine::record::Record;
use engine::time::Timestamp;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Version of the records this build writes and reads.
pub const SCHEMA: u32 = 1;
/// Name of the journal in its directory.
pub const FILE_NAME: &str = "btcbot.redb";
/// Name under which a journal is prepared.
const PREPARED_NAME: &str = ".btcbot.redb.prepared";
/// Says whose file it is.
const APPLICATION: &str = "btcbot";
/// First bytes of every redb file.
const REDB_MAGIC: [u8; 4] = *b"redb";

const HEADER: TableDefinition<&str, &[u8]> = TableDefinition::new("header");
const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("records");

/// Length of a hash, bytes.
const HASH_LEN: usize = 32;
/// Length of what stands before the payload: hash, stamp, schema.
const PREFIX_LEN: usize = HASH_LEN + 8 + 4;

type Hash = [u8; HASH_LEN];

/// Which exchange a journal belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Venue {
    /// Simulated fills.
    Dry,
    /// The real account.
    Live,
    /// The embedded simulator.
    Demo,
}

/// What is written once, when a journal is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Always `btcbot`.
    pub application: String,
    /// Version of the records.
    pub schema: u32,
    /// Which exchange.
    pub venue: Venue,
    /// The tag of the account in client ids.
    pub account_tag: String,
    /// When it was created.
    pub created: Timestamp,
}

impl Header {
    /// Makes a header of this build's schema.
    pub fn new(venue: Venue, account_tag: &str, created: Timestamp) -> Self {
        Self {
            application: APPLICATION.to_owned(),
            schema: SCHEMA,
            venue,
            account_tag: account_tag.to_owned(),
            created,
        }
    }
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such file.
    #[error("there is no journal: create one with `btcbot init`")]
    Missing,
    /// One is there already; it is never overwritten.
    #[error("a journal is there already")]
    Exists,
    /// The file has no bytes: it was truncated.
    #[error("the journal is empty: it was truncated, and must be recovered")]
    Empty,
    /// The file or its chain of records is damaged.
    #[error("the journal is damaged ({0}) and must be recovered")]
    Damaged(String),
    /// Something else under the journal's name.
    #[error("the file is not a journal of btcbot")]
    Foreign,
    /// A later version wrote it.
    #[error("the journal has schema {found}, and this build reads up to {SCHEMA}")]
    Newer {
        /// The schema it has.
        found: u32,
    },
    /// It belongs to another exchange than the one asked for.
    #[error("the journal is of venue {found:?}, not {expected:?}")]
    WrongVenue {
        /// What it belongs to.
        found: Venue,
        /// What was asked for.
        expected: Venue,
    },
    /// Another process has it open.
    #[error("another process has the journal open")]
    InUse,
    /// The disk failed.
    #[error("the journal's storage failed: {0}")]
    Io(#[from] io::Error),
}

/// One record as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was appended.
    pub at: Timestamp,
    /// What.
    pub record: Record,
}

/// An open journal that has been verified.
pub struct Store {
    database: Database,
    header: Header,
    last_seq: u64,
    last_hash: Hash,
}

/// Makes a journal in `dir` under its final name, complete and synced, or not at all. Never called by opening one.
///
/// # Errors
/// `Exists` if the name is taken, `Io` and `Damaged` if the disk fails.
pub fn create(dir: &Path, header: &Header) -> Result<(), StoreError> {
    let target = dir.join(FILE_NAME);
    let prepared = dir.join(PREPARED_NAME);
    if target.try_exists()? {
        return Err(StoreError::Exists);
    }
    remove_leftover(&prepared)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&prepared)?;
    let backend = FileBackend::new(file).map_err(storage)?;
    let database = Builder::new()
        .create_with_backend(backend)
        .map_err(storage)?;
    write_header(&database, header)?;
    database.close().map_err(storage)?;
    File::open(&prepared)?.sync_all()?;
    let (from, to) = (rustix::fs::CWD, rustix::fs::CWD);
    let no_overwrite = rustix::fs::RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(from, &prepared, to, &target, no_overwrite) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Err(StoreError::Exists),
        Err(error) => return Err(StoreError::Io(error.into())),
    }
    File::open(dir)?.sync_all()?;
    Ok(())
}

fn remove_leftover(prepared: &Path) -> io::Result<()> {
    match fs::remove_file(prepared) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Store {
    /// Opens the journal of `dir`, checks every page and the whole chain, and returns its records in order.
    ///
    /// # Errors
    /// Every variant but `Exists`; none of them changes the file.
    pub fn open(dir: &Path, expected: Venue) -> Result<(Self, Vec<Entry>), StoreError> {
        let path = dir.join(FILE_NAME);
        look_at_file(&path)?;
        let opened = guarded(|| {
            let mut builder = Builder::new();
            builder.set_check_integrity_on_open(true);
            builder.open(&path).map_err(storage)
        })?;
        Self::verified(opened, expected)
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
        let (header, genesis) = read_header(&database)?;
        if header.application != APPLICATION {
            return Err(StoreError::Foreign);
        }
        if header.schema > SCHEMA {
            return Err(StoreError::Newer {
                found: header.schema,
            });
        }
        if header.venue != expected {
            return Err(StoreError::WrongVenue {
                found: header.venue,
                expected,
            });
        }
        let (entries, last_hash) = guarded(|| read_records(&database, genesis))?;
        let store = Self {
            database,
            header,
            last_seq: entries.last().map_or(0, |entry| entry.seq),
            last_hash,
        };
        Ok((store, entries))
    }

    /// Returns what was written at creation.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the number of the last record; 0 in an empty journal.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
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
        let (mut seq, mut hash) = (self.last_seq, self.last_hash);
        {
            let mut table = write.open_table(RECORDS).map_err(storage)?;
            for (at, record) in group {
                seq += 1;
                let payload = serde_json::to_vec(record).map_err(|e| damaged(seq, &e))?;
                hash = chained(&hash, seq, *at, SCHEMA, &payload);
                let value = encoded(&hash, *at, SCHEMA, &payload);
                table.insert(seq, value.as_slice()).map_err(storage)?;
            }
        }
        write.commit().map_err(storage)?;
        (self.last_seq, self.last_hash) = (seq, hash);
        Ok(seq)
    }

    /// Closes the file in order. An error changes nothing: every commit was durable on its own.
    pub fn close(self) {
        let _ = self.database.close();
    }
}

/// Tells a missing, empty or foreign file from one that redb may open.
fn look_at_file(path: &PathBuf) -> Result<(), StoreError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::Missing),
        Err(error) => return Err(StoreError::Io(error)),
    };
    if !kind.is_file() {
        return Err(StoreError::Foreign);
    }
    if kind.len() == 0 {
        return Err(StoreError::Empty);
    }
    let mut start = Vec::new();
    let magic_len = REDB_MAGIC.len() as u64;
    File::open(path)?.take(magic_len).read_to_end(&mut start)?;
    if start != REDB_MAGIC {
        return Err(StoreError::Foreign);
    }
    Ok(())
}

/// Runs a step that may panic on a file that was altered from outside (RB-6).
fn guarded<T>(step: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let outcome = catch_unwind(AssertUnwindSafe(step));
    outcome.unwrap_or_else(|_| Err(StoreError::Damaged("the storage layer gave up".to_owned())))
}

fn write_header(database: &Database, header: &Header) -> Result<(), StoreError> {
    let mut write = database.begin_write().map_err(storage)?;
    write
        .set_durability(Durability::Immediate)
        .map_err(storage)?;
    {
        let text = serde_json::to_vec(header).map_err(|e| damaged(0, &e))?;
        let mut table = write.open_table(HEADER).map_err(storage)?;
        table.insert("header", text.as_slice()).map_err(storage)?;
        write.open_table(RECORDS).map_err(storage)?;
    }
    write.commit().map_err(storage)
}

fn read_header(database: &Database) -> Result<(Header, Hash), StoreError> {
    let read = database.begin_read().map_err(storage)?;
    let table = match read.open_table(HEADER) {
        Ok(table) => table,
        Err(redb::TableError::Storage(error)) => return Err(storage(error)),
        // The table is missing or has other types: redb's file, but not ours.
        Err(_) => return Err(StoreError::Foreign),
    };
    let stored = table.get("header").map_err(storage)?;
    let text = stored.ok_or(StoreError::Foreign)?;
    let header = serde_json::from_slice(text.value()).map_err(|_| StoreError::Foreign)?;
    Ok((header, Sha256::digest(text.value()).into()))
}

fn read_records(database: &Database, genesis: Hash) -> Result<(Vec<Entry>, Hash), StoreError> {
    let read = database.begin_read().map_err(storage)?;
    let table = read.open_table(RECORDS).map_err(storage)?;
    let mut entries = Vec::new();
    let mut hash = genesis;
    for row in table.iter().map_err(storage)? {
        let (seq, value) = row.map_err(storage)?;
        let expected = entries.len() as u64 + 1;
        let (entry, next) = read_record(seq.value(), expected, value.value(), &hash)?;
        entries.push(entry);
        hash = next;
    }
    Ok((entries, hash))
}

fn read_record(
    seq: u64,
    expected: u64,
    value: &[u8],
    before: &Hash,
) -> Result<(Entry, Hash), StoreError> {
    if seq != expected {
        return Err(damaged(seq, &format!("record {expected} is missing")));
    }
    let cut = || damaged(seq, &"it is too short");
    let (prefix, payload) = value.split_at_checked(PREFIX_LEN).ok_or_else(cut)?;
    let (stored, rest) = prefix.split_first_chunk::<HASH_LEN>().ok_or_else(cut)?;
    let (at, rest) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
    let (schema, _) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let at = Timestamp(i64::from_be_bytes(*at));
    let schema = u32::from_be_bytes(*schema);
    if chained(before, seq, at, schema, payload) != *stored {
        return Err(damaged(seq, &"it does not follow its predecessor"));
    }
    if schema > SCHEMA {
        return Err(StoreError::Newer { found: schema });
    }
    let record = serde_json::from_slice(payload).map_err(|e| damaged(seq, &e))?;
    Ok((Entry { seq, at, record }, *stored))
}

fn encoded(hash: &Hash, at: Timestamp, schema: u32, payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(PREFIX_LEN + payload.len());
    value.extend_from_slice(hash);
    value.extend_from_slice(&at.0.to_be_bytes());
    value.extend_from_slice(&schema.to_be_bytes());
    value.extend_from_slice(payload);
    value
}

fn chained(before: &Hash, seq: u64, at: Timestamp, schema: u32, payload: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(seq.to_be_bytes());
    hash.update(at.0.to_be_bytes());
    hash.update(schema.to_be_bytes());
    hash.update(payload);
    hash.finalize().into()
}

fn damaged(seq: u64, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("record {seq}: {why}"))
}

/// Sorts redb's errors into ours.
fn storage(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StoreError::InUse,
        redb::Error::Io(error) => match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                StoreError::Damaged(error.to_string())
            }
            _ => StoreError::Io(error),
        },
        // redb's enum is not ours and may grow: whatever it is, the file cannot be trusted.
        other => StoreError::Damaged(other.to_string()),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
