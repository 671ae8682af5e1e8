//! Which journal a command is about, and reading it without touching it.
//!
//! A journal that a process writes to is never read here: what is on its way to the disk would look like damage.

use crate::cli::ConfigSource;
use crate::cli::exit::{Exit, Failed};
use crate::cli::init::venue_dir;
use crate::cli::running;
use crate::cli::unusable;
use crate::locks;
use crate::store::{self, Header, History, Venue};
use std::path::{Path, PathBuf};

/// A journal's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The configured one: the state directory that a process would hold, and its venue. `None` for a named file.
    pub state: Option<(PathBuf, Venue)>,
    /// The file.
    pub path: PathBuf,
}

impl Place {
    /// Finds the file that was named, or else the configured venue's journal.
    ///
    /// # Errors
    /// Exit 78, 77 or 2, as every command that reads the configuration.
    pub fn of(source: &ConfigSource, named: Option<&Path>) -> Result<Self, Failed> {
        if let Some(path) = named {
            return Ok(Self {
                state: None,
                path: path.to_owned(),
            });
        }
        let loaded = running::settings(source)?;
        let settings = loaded.settings();
        let venue = if settings.safety.dry_run {
            Venue::Dry
        } else {
            Venue::Live
        };
        let state_dir = settings.state.dir.clone();
        Ok(Self {
            path: venue_dir(&state_dir, venue).join(store::FILE_NAME),
            state: Some((state_dir, venue)),
        })
    }

    /// Returns who writes to it at this moment.
    pub fn holder(&self) -> Option<String> {
        let (dir, _) = self.state.as_ref()?;
        locks::holder(dir)
    }

    /// Makes sure that no process writes to it.
    ///
    /// # Errors
    /// Exit 7 with the holder.
    pub fn check_free(&self) -> Result<(), Failed> {
        self.holder().map_or(Ok(()), |holder| {
            let text = format!("{} is in use by {holder}", self.path.display());
            Err(Failed::new(Exit::AlreadyRunning, text))
        })
    }

    /// Reads header and records; not a byte of the file changes.
    ///
    /// # Errors
    /// Exit 7 if a process holds it, or began to while it was read; 74, 78 or 6 for a file that cannot be used.
    pub fn read(&self) -> Result<(Header, History), Failed> {
        self.check_free()?;
        let read = store::look(&self.path);
        // A process that started meanwhile may have written under our eyes.
        self.check_free()?;
        let (header, entries) = read.map_err(|error| unusable::journal_at(&self.path, error))?;
        Ok((header, entries))
    }
}
