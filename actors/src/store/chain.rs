//! The chain of records: how one is laid out in the file, and how all of them are read back.
//!
//! It knows no file. The one idea: each record carries a hash over its predecessor, so that what is replayed is what
//! was written, in its order.

use super::errors::{StoreError, damaged};
use super::header::SCHEMA;
use engine::record::Record;
use engine::time::Timestamp;
use redb::TableDefinition;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(super) const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("records");

/// Length of a hash, bytes.
const HASH_LEN: usize = 32;
/// Length of what stands before the payload: hash, stamp, schema.
const PREFIX_LEN: usize = HASH_LEN + 8 + 4;

/// A link of the chain.
pub(super) type Hash = [u8; HASH_LEN];

/// One record as it was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was appended.
    #[serde(rename = "at_us")]
    pub at: Timestamp,
    /// What.
    pub record: Record,
}

/// The end of the chain.
#[derive(Clone, Copy)]
pub(super) struct Tip {
    /// Number of the last record; 0 before the first.
    pub seq: u64,
    /// Its hash; the header's before the first.
    pub hash: Hash,
}

impl Tip {
    /// Adds a record behind the tip and returns the value that is stored for it.
    pub fn extend(&mut self, at: Timestamp, record: &Record) -> Result<Vec<u8>, StoreError> {
        let seq = self.seq + 1;
        let payload = serde_json::to_vec(record).map_err(|e| damaged(seq, &e))?;
        let hash = chained(&self.hash, seq, at, SCHEMA, &payload);
        *self = Self { seq, hash };
        Ok(encoded(&hash, at, SCHEMA, &payload))
    }
}

/// The hash that is stored with a record.
pub(super) fn digest_of(value: &[u8]) -> Option<Hash> {
    value.first_chunk().copied()
}

/// When a record was appended.
pub(super) fn stamp_of(value: &[u8]) -> Option<Timestamp> {
    let at = value.get(HASH_LEN..HASH_LEN + 8)?.first_chunk()?;
    Some(Timestamp(i64::from_be_bytes(*at)))
}

/// Returns when a record was appended, and its payload, unverified.
pub(super) fn parts(seq: u64, value: &[u8]) -> Result<(Timestamp, &[u8]), StoreError> {
    let cut = || damaged(seq, &"it is too short");
    let at = stamp_of(value).ok_or_else(cut)?;
    Ok((at, value.get(PREFIX_LEN..).ok_or_else(cut)?))
}

/// Reads the record behind the tip and checks that it follows.
pub(super) fn entry_of(seq: u64, value: &[u8], tip: &mut Tip) -> Result<Entry, StoreError> {
    let expected = tip.seq + 1;
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
    if chained(&tip.hash, seq, at, schema, payload) != *stored {
        return Err(damaged(seq, &"it does not follow its predecessor"));
    }
    if schema > SCHEMA {
        return Err(StoreError::Newer { found: schema });
    }
    let record = serde_json::from_slice(payload).map_err(|e| damaged(seq, &e))?;
    *tip = Tip { seq, hash: *stored };
    Ok(Entry { seq, at, record })
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
