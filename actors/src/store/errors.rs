//! Why a journal cannot be used, and how the storage layer's errors and panics become one of these reasons.
//!
//! It decides nothing about what follows. The one idea: whatever the layer below says or does about a file, the answer
//! is a value, because a start that panics tells the operator nothing (RB-6).

use super::header::{SCHEMA, Venue};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Says which record is damaged; 0 is the header.
pub(super) fn damaged(seq: u64, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("record {seq}: {why}"))
}

/// Sorts redb's errors into ours.
pub(super) fn storage(error: impl Into<redb::Error>) -> StoreError {
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

/// Runs a step that may panic on a file that was altered from outside (RB-6).
pub(super) fn guarded<T>(step: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let outcome = catch_unwind(AssertUnwindSafe(step));
    outcome.unwrap_or_else(|_| Err(StoreError::Damaged("the storage layer gave up".to_owned())))
}
