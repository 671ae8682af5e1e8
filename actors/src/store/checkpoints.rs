//! Checkpoints beside the records, and what is kept of the records behind them.
//!
//! A checkpoint is what the records up to its number add up to. It is no record: everything in it is derived. The one
//! idea: it holds the chain's hash at its number, so that a start needs it and the tail alone, and reads the same
//! chain; and nothing is removed that the last but one checkpoint does not cover. Its text lies in parts of a page each,
//! written as it is made: as one value it would want three buffers of half a megabyte, on the thread that appends.

use super::chain::{Entry, Hash, RECORDS, Tip, digest_of, entry_of, stamp_of};
use super::errors::{StoreError, damaged, storage};
use super::header::{HEADER, SCHEMA};
use engine::checkpoint::{Checkpoint, Fold, VERSION};
use engine::ids::Asset;
use engine::router::Keep;
use engine::time::Timestamp;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::io::{self, BufWriter, Write};
use std::ops::Deref;

/// The checkpoint's own hash and the chain's, by its number. Before there were parts, the text stood behind them.
pub(super) const CHECKPOINTS: TableDefinition<u64, &[u8]> = TableDefinition::new("checkpoints");
/// The text of a checkpoint, by its number and the place of the part.
pub(super) const PARTS: TableDefinition<(u64, u32), &[u8]> =
    TableDefinition::new("checkpoint_parts");

/// Bytes of a part: with its key it fits a page of redb, which is 4 KiB.
const PART_BYTES: usize = 3 << 10;

/// Records stay for at least this long, milliseconds.
const RECORDS_KEPT_MS: i64 = 48 * 3_600_000;
/// Checkpoints that stay.
const CHECKPOINTS_KEPT: usize = 2;
/// Records that one commit removes at most; what is left goes with the next checkpoint.
const REMOVED_MAX: usize = 20_000;
/// Under this key of the header's table stand number and hash of the last record that was removed.
const REMOVED_KEY: &str = "removed";

/// What was read of a journal: records in order, and the newest checkpoint. Reads like its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The newest checkpoint, and the number of the last record in it.
    pub checkpoint: Option<(u64, Checkpoint)>,
    /// Records, from the first one that is kept or from the first one behind the checkpoint.
    pub entries: Vec<Entry>,
}

impl History {
    /// Adds up the journal, whose books are in `quote`.
    ///
    /// # Errors
    /// `Damaged` if the books of the checkpoint are in another quote.
    pub fn fold(&self, quote: Asset) -> Result<Fold, StoreError> {
        let (seq, sum) = match &self.checkpoint {
            Some((seq, sum)) => (*seq, sum.clone()),
            None => (0, Checkpoint::empty(quote)),
        };
        let found = sum.money().ledger().quote();
        if found != quote {
            return Err(damaged(seq, &format!("books in {found}, not {quote}")));
        }
        let mut fold = Fold::resume(sum, Keep::default());
        let behind = self.entries.iter().filter(|entry| entry.seq > seq);
        behind.for_each(|entry| fold.take(&entry.record));
        Ok(fold)
    }
}

impl Deref for History {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.entries
    }
}

/// Which records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every record that is kept.
    Kept,
    /// Those behind the newest checkpoint: all that a start needs.
    Tail,
}

/// Reads checkpoint and records, and checks that each record follows its predecessor.
pub(super) fn read_history(
    read: &ReadTransaction,
    genesis: Hash,
    reach: Reach,
) -> Result<(History, Tip), StoreError> {
    let newest = newest(read)?;
    let removed = removed(read, genesis)?;
    if newest.is_none() && removed.seq > 0 {
        return Err(damaged(removed.seq, &"it was removed without a checkpoint"));
    }
    let at_checkpoint = newest.as_ref().map(|(tip, _)| *tip);
    let mut tip = match (reach, at_checkpoint) {
        (Reach::Tail, Some(tip)) => tip,
        (Reach::Tail | Reach::Kept, _) => removed,
    };
    let table = read.open_table(RECORDS).map_err(storage)?;
    if let Some(covered) = at_checkpoint {
        let stored = table.get(covered.seq).map_err(storage)?;
        let hash = stored.as_ref().and_then(|value| digest_of(value.value()));
        if hash != Some(covered.hash) {
            return Err(damaged(covered.seq, &"its checkpoint is of another chain"));
        }
    }
    let mut entries = Vec::new();
    for row in table.range(tip.seq + 1..).map_err(storage)? {
        let (seq, value) = row.map_err(storage)?;
        entries.push(entry_of(seq.value(), value.value(), &mut tip)?);
    }
    let checkpoint = newest.map(|(tip, sum)| (tip.seq, sum));
    Ok((
        History {
            checkpoint,
            entries,
        },
        tip,
    ))
}

/// The newest checkpoint. One that is damaged is never passed over: what it covers may be gone.
fn newest(read: &ReadTransaction) -> Result<Option<(Tip, Checkpoint)>, StoreError> {
    let table = match read.open_table(CHECKPOINTS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(storage(error)),
    };
    let Some((seq, value)) = table.last().map_err(storage)? else {
        return Ok(None);
    };
    let (seq, value) = (seq.value(), value.value());
    let cut = || damaged(seq, &"its checkpoint is too short");
    let (own, rest) = value.split_first_chunk::<32>().ok_or_else(cut)?;
    let (hash, text) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
    let parts;
    let text = match text {
        [] => {
            parts = joined(read, seq)?;
            &parts
        }
        text => text,
    };
    let mut found = own_hash(seq, hash);
    found.update(text);
    if found.finalize()[..] != *own {
        return Err(damaged(seq, &"its checkpoint does not fit its hash"));
    }
    let form: Form = serde_json::from_slice(text).map_err(|e| damaged(seq, &e))?;
    if form.version > VERSION {
        return Err(StoreError::Newer {
            found: SCHEMA.max(form.version),
        });
    }
    let sum = serde_json::from_slice(text).map_err(|e| damaged(seq, &e))?;
    Ok(Some((Tip { seq, hash: *hash }, sum)))
}

/// The parts of a checkpoint, in their order.
fn joined(read: &ReadTransaction, seq: u64) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::new();
    let table = match read.open_table(PARTS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(text),
        Err(error) => return Err(storage(error)),
    };
    for row in table.range((seq, 0)..=(seq, u32::MAX)).map_err(storage)? {
        text.extend_from_slice(row.map_err(storage)?.1.value());
    }
    Ok(text)
}

/// The first member of every written form.
#[derive(Deserialize)]
struct Form {
    version: u32,
}

/// Writes a checkpoint of everything up to `tip`, and removes what nobody needs any more.
pub(super) fn write_checkpoint(
    write: &WriteTransaction,
    tip: Tip,
    at: Timestamp,
    sum: &Checkpoint,
) -> Result<(), StoreError> {
    let mut parts = write.open_table(PARTS).map_err(storage)?;
    let own = written(&mut parts, tip, sum)?;
    let value = [own, tip.hash].concat();
    let mut table = write.open_table(CHECKPOINTS).map_err(storage)?;
    table.insert(tip.seq, value.as_slice()).map_err(storage)?;
    let mut kept = Vec::new();
    for row in table.iter().map_err(storage)?.rev() {
        kept.push(row.map_err(storage)?.0.value());
    }
    for seq in kept.iter().skip(CHECKPOINTS_KEPT) {
        table.remove(*seq).map_err(storage)?;
        let of_it = (*seq, 0)..=(*seq, u32::MAX);
        parts.retain_in(of_it, |_, _| false).map_err(storage)?;
    }
    match kept.get(CHECKPOINTS_KEPT - 1) {
        Some(covered) => remove_records(write, *covered, at.plus_ms(-RECORDS_KEPT_MS)),
        None => Ok(()),
    }
}

/// Removes records up to number `covered` that were appended before `old`.
fn remove_records(
    write: &WriteTransaction,
    covered: u64,
    old: Timestamp,
) -> Result<(), StoreError> {
    let mut records = write.open_table(RECORDS).map_err(storage)?;
    let mut removed = None;
    for _ in 0..REMOVED_MAX {
        let Some(row) = records.first().map_err(storage)? else {
            break;
        };
        let (seq, value) = (row.0.value(), row.1.value());
        let is_old = stamp_of(value).is_some_and(|at| at < old);
        let Some(hash) = digest_of(value).filter(|_| is_old && seq <= covered) else {
            break;
        };
        drop(row);
        records.remove(seq).map_err(storage)?;
        removed = Some(Tip { seq, hash });
    }
    let Some(tip) = removed else { return Ok(()) };
    let value = [&tip.seq.to_be_bytes()[..], &tip.hash[..]].concat();
    let mut header = write.open_table(HEADER).map_err(storage)?;
    header
        .insert(REMOVED_KEY, value.as_slice())
        .map_err(storage)?;
    Ok(())
}

/// Where the kept part of the chain begins: behind the last record that was removed, or at its very beginning.
fn removed(read: &ReadTransaction, genesis: Hash) -> Result<Tip, StoreError> {
    let header = read.open_table(HEADER).map_err(storage)?;
    let Some(value) = header.get(REMOVED_KEY).map_err(storage)? else {
        return Ok(Tip {
            seq: 0,
            hash: genesis,
        });
    };
    let cut = || damaged(0, &"what says which records were removed is damaged");
    let (seq, hash) = value.value().split_first_chunk::<8>().ok_or_else(cut)?;
    Ok(Tip {
        seq: u64::from_be_bytes(*seq),
        hash: hash.try_into().map_err(|_| cut())?,
    })
}

/// Writes the text of a checkpoint and returns its own hash.
fn written(
    table: &mut Table<(u64, u32), &'static [u8]>,
    tip: Tip,
    sum: &Checkpoint,
) -> Result<Hash, StoreError> {
    let parts = Parts {
        table,
        seq: tip.seq,
        next: 0,
        hash: own_hash(tip.seq, &tip.hash),
    };
    let mut text = BufWriter::with_capacity(PART_BYTES, parts);
    serde_json::to_writer(&mut text, sum).map_err(|error| StoreError::Io(error.into()))?;
    let parts = text.into_inner().map_err(|error| error.into_error())?;
    Ok(parts.hash.finalize().into())
}

/// Takes the text of a checkpoint a part at a time.
struct Parts<'table, 'write> {
    table: &'table mut Table<'write, (u64, u32), &'static [u8]>,
    seq: u64,
    next: u32,
    hash: Sha256,
}

impl Write for Parts<'_, '_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let part = &text[..text.len().min(PART_BYTES)];
        let inserted = self.table.insert((self.seq, self.next), part);
        inserted.map_err(io::Error::other)?;
        self.next += 1;
        self.hash.update(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The hash of a checkpoint before its text.
fn own_hash(seq: u64, chain: &Hash) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(b"checkpoint");
    hash.update(seq.to_be_bytes());
    hash.update(chain);
    hash
}
