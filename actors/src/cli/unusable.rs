//! What keeps a command from a state directory: a lock, a journal or a socket that is not to be had.
//!
//! It opens nothing. The one idea: the same trouble ends every command with the same code and the same advice.

use crate::cli::exit::{Exit, Failed};
use crate::control::place::PlaceError;
use crate::locks::{EXIT_HELD, LockError};
use crate::store::StoreError;
use std::path::Path;

/// A lock that another process holds, or that cannot be taken.
pub(crate) fn lock(error: &LockError) -> Failed {
    let exit = if error.exit_code() == EXIT_HELD {
        Exit::AlreadyRunning
    } else {
        Exit::Permission
    };
    Failed::new(exit, error.to_string())
}

/// A place for the control socket that cannot be used.
pub(crate) fn socket(error: &PlaceError) -> Failed {
    let exit = match error {
        PlaceError::TooLong { .. } => Exit::Config,
        PlaceError::Taken { .. } | PlaceError::Io { .. } => Exit::Permission,
    };
    Failed::new(exit, error.to_string())
}

/// A journal that cannot be used, and what can be done.
pub(crate) fn journal(error: StoreError) -> Failed {
    let exit = match &error {
        StoreError::Newer { .. } => Exit::Config,
        StoreError::WrongVenue { .. } => Exit::Refused,
        StoreError::InUse => Exit::AlreadyRunning,
        StoreError::Missing
        | StoreError::Exists
        | StoreError::Empty
        | StoreError::Damaged(_)
        | StoreError::Foreign
        | StoreError::Io(_) => Exit::Store,
    };
    let hint = match &error {
        StoreError::Missing => " (`btcbot init --live` creates the state of the live venue)",
        StoreError::Empty | StoreError::Damaged(_) | StoreError::Foreign => {
            " (`btcbot state restore` brings a backup back, `btcbot state recover` starts again from the exchange)"
        }
        StoreError::Exists
        | StoreError::Newer { .. }
        | StoreError::WrongVenue { .. }
        | StoreError::InUse
        | StoreError::Io(_) => "",
    };
    Failed::new(exit, format!("{error}{hint}"))
}

/// The same, and which journal.
pub(crate) fn journal_at(path: &Path, error: StoreError) -> Failed {
    let failed = journal(error);
    Failed::new(
        failed.exit,
        format!("{}: {}", path.display(), failed.message),
    )
}
