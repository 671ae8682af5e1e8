//! What is written once, when a journal is created: whose it is, of which schema and of which exchange.
//!
//! It says nothing about the records. The one idea: the hash of the stored header is where the chain of records
//! begins, so a journal cannot be given another header without breaking its first record.

use super::chain::{Hash, RECORDS};
use super::errors::{StoreError, damaged, storage};
use super::trades::{TRADES, TradesReach};
use engine::time::Timestamp;
use redb::{Database, Durability, ReadTransaction, TableDefinition};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the records this build writes and reads.
pub const SCHEMA: u32 = 1;
/// Says whose file it is.
const APPLICATION: &str = "btcbot";
/// Under this key of the header's table stands the header.
const KEY: &str = "header";

pub(super) const HEADER: TableDefinition<&str, &[u8]> = TableDefinition::new("header");

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

    /// Refuses a header that is not ours, not of a schema this build reads, or of another exchange.
    pub(super) fn check(&self, expected: Venue) -> Result<(), StoreError> {
        if self.application != APPLICATION {
            return Err(StoreError::Foreign);
        }
        if self.schema > SCHEMA {
            return Err(StoreError::Newer { found: self.schema });
        }
        if self.venue != expected {
            return Err(StoreError::WrongVenue {
                found: self.venue,
                expected,
            });
        }
        Ok(())
    }
}

/// Writes the header and the empty tables of records and trades in one durable commit.
pub(super) fn write_header(database: &Database, header: &Header) -> Result<(), StoreError> {
    let mut write = database.begin_write().map_err(storage)?;
    write
        .set_durability(Durability::Immediate)
        .map_err(storage)?;
    {
        let text = serde_json::to_vec(header).map_err(|e| damaged(0, &e))?;
        let mut table = write.open_table(HEADER).map_err(storage)?;
        table.insert(KEY, text.as_slice()).map_err(storage)?;
        write.open_table(RECORDS).map_err(storage)?;
        write.open_table(TRADES).map_err(storage)?;
    }
    TradesReach::whole(header.created).write(&write)?;
    write.commit().map_err(storage)
}

/// Reads the header, and the hash with which the chain of records begins.
pub(super) fn read_header(read: &ReadTransaction) -> Result<(Header, Hash), StoreError> {
    let table = match read.open_table(HEADER) {
        Ok(table) => table,
        Err(redb::TableError::Storage(error)) => return Err(storage(error)),
        // The table is missing or has other types: redb's file, but not ours.
        Err(_) => return Err(StoreError::Foreign),
    };
    let stored = table.get(KEY).map_err(storage)?;
    let text = stored.ok_or(StoreError::Foreign)?;
    let header = serde_json::from_slice(text.value()).map_err(|_| StoreError::Foreign)?;
    Ok((header, Sha256::digest(text.value()).into()))
}
