//! A journal read from a private copy: opening the file itself would write to it.

use crate::store::{self, History, Store, StoreError, Venue};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Reads a journal that nobody writes to: the account's tag, and every record that is kept.
///
/// # Errors
/// As opening the journal.
pub fn read_copy(dir: &Path, venue: Venue) -> Result<(String, History), StoreError> {
    let source = dir.join(store::FILE_NAME);
    let copy = Scratch::new()?;
    match fs::copy(source, copy.0.join(store::FILE_NAME)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::Missing),
        Err(error) => return Err(StoreError::Io(error)),
    }
    let (store, history) = Store::open(&copy.0, venue)?;
    let tag = store.header().account_tag.clone();
    store.close();
    Ok((tag, history))
}

/// A private directory that removes itself.
pub struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    /// Makes one in a directory: in the state's, a running process can write to it whatever it is confined to.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn within(dir: &Path) -> io::Result<Self> {
        let random = getrandom::u64().map_err(io::Error::other)?;
        let path = dir.join(format!("btcbot-copy-{random:016x}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
