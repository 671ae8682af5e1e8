//! Making a journal: complete and synced under its final name, or not at all. Never called by opening one.
//!
//! It appends no record. The one idea: whatever stands under the final name is whole, because a name is given to a file
//! only after its last byte is on the disk (RB-2).

use super::FILE_NAME;
use super::errors::{StoreError, storage};
use super::header::{Header, write_header};
use redb::backends::FileBackend;
use redb::{Builder, StorageBackend};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name under which a journal is prepared.
pub(super) const PREPARED_NAME: &str = ".btcbot.redb.prepared";

/// Where a journal is made: a directory, or its simulated twin, whose power can be cut between any two steps.
pub trait Place {
    /// What the prepared file is written through.
    type Backend: StorageBackend;

    /// Returns whether something stands under the final name.
    ///
    /// # Errors
    /// The place cannot be read.
    fn is_taken(&self) -> io::Result<bool>;

    /// Opens an empty file under the prepared name; what an earlier attempt left there is removed.
    ///
    /// # Errors
    /// The place cannot be written.
    fn prepare(&mut self) -> io::Result<Self::Backend>;

    /// Brings the prepared file to the disk.
    ///
    /// # Errors
    /// The disk failed.
    fn sync_prepared(&mut self) -> io::Result<()>;

    /// Gives the prepared file its final name.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken, others if the disk failed.
    fn publish(&mut self) -> io::Result<()>;

    /// Brings the names to the disk.
    ///
    /// # Errors
    /// The disk failed.
    fn sync_names(&mut self) -> io::Result<()>;
}

/// Makes a journal in `dir`.
///
/// # Errors
/// `Exists` if the name is taken, `Io` and `Damaged` if the disk fails.
pub fn create(dir: &Path, header: &Header) -> Result<(), StoreError> {
    let mut place = Directory {
        dir,
        prepared: dir.join(PREPARED_NAME),
    };
    create_at(&mut place, header)
}

/// Makes a journal at a place.
///
/// # Errors
/// `Exists` if the name is taken, `Io` and `Damaged` if the disk fails.
pub fn create_at(place: &mut impl Place, header: &Header) -> Result<(), StoreError> {
    if place.is_taken()? {
        return Err(StoreError::Exists);
    }
    let database = Builder::new()
        .create_with_backend(place.prepare()?)
        .map_err(storage)?;
    write_header(&database, header)?;
    database.close().map_err(storage)?;
    place.sync_prepared()?;
    match place.publish() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(StoreError::Exists);
        }
        published => published?,
    }
    Ok(place.sync_names()?)
}

/// A directory of the file system.
struct Directory<'a> {
    dir: &'a Path,
    prepared: PathBuf,
}

impl Place for Directory<'_> {
    type Backend = FileBackend;

    fn is_taken(&self) -> io::Result<bool> {
        self.dir.join(FILE_NAME).try_exists()
    }

    fn prepare(&mut self) -> io::Result<FileBackend> {
        match fs::remove_file(&self.prepared) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.prepared)?;
        FileBackend::new(file).map_err(io::Error::other)
    }

    fn sync_prepared(&mut self) -> io::Result<()> {
        File::open(&self.prepared)?.sync_all()
    }

    fn publish(&mut self) -> io::Result<()> {
        let (from, to) = (rustix::fs::CWD, rustix::fs::CWD);
        let target = self.dir.join(FILE_NAME);
        let no_overwrite = rustix::fs::RenameFlags::NOREPLACE;
        rustix::fs::renameat_with(from, &self.prepared, to, &target, no_overwrite)?;
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        File::open(self.dir)?.sync_all()
    }
}
