//! Reading a journal without changing a byte of it: whatever redb wants to write while it opens stays in memory.
//!
//! It takes no lock: the caller makes sure that no process writes to the file, or reads a copy. The one idea: the file
//! is opened for reading only, so that no bug here can damage the only witness.

use super::checkpoints::{History, Reach};
use super::errors::{StoreError, guarded, storage};
use super::header::{Header, read_header};
use super::{Snapshot, Store, database_of};
use redb::{ReadableDatabase, StorageBackend};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Unit of what is kept in memory, bytes.
const PAGE: u64 = 4_096;
/// Pages that may differ from the file; a journal whose opening changes more is refused as damaged.
const PAGES_MAX: usize = 65_536;

/// Reads the journal of a file, whatever venue it belongs to: every page and the whole chain are checked.
///
/// # Errors
/// Every variant of [`StoreError`] but `Exists`, `InUse` and `WrongVenue`.
pub fn look(path: &Path) -> Result<(Header, History), StoreError> {
    look_with(path, |_| Ok(())).map(|(header, history, ())| (header, history))
}

/// Reads the journal of a file as [`look`] does, and something more of the same moment.
///
/// # Errors
/// As [`look`], and what `read` says.
pub fn look_with<T>(
    path: &Path,
    read: impl FnOnce(&Snapshot) -> Result<T, StoreError>,
) -> Result<(Header, History, T), StoreError> {
    let database = database_of(Overlay::open(path)?)?;
    let header = guarded(|| {
        let read = database.begin_read().map_err(storage)?;
        read_header(&read)
    });
    let venue = match header {
        Ok((header, _)) => header.venue,
        Err(error) => {
            // Closing a damaged file may panic as well; the reason is known already.
            let _closed = guarded(|| database.close().map_err(storage));
            return Err(error);
        }
    };
    let (store, history) = Store::verified(database, venue, Reach::Kept)?;
    let header = store.header().clone();
    let more = guarded(|| read(&store.snapshot()?));
    store.close();
    Ok((header, history, more?))
}

/// A file that is only read, under the pages that would have been written.
#[derive(Debug)]
struct Overlay {
    file: File,
    layer: Mutex<Layer>,
}

#[derive(Debug)]
struct Layer {
    len: u64,
    /// Bytes of the file that still count; what lies behind was cut off.
    kept: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    fn open(path: &Path) -> Result<Self, StoreError> {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => return Err(StoreError::Foreign),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing);
            }
            Err(error) => return Err(StoreError::Io(error)),
        }
        let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(no_link)
            .open(path)?;
        let len = file.metadata()?.len();
        let layer = Layer {
            len,
            kept: len,
            pages: BTreeMap::new(),
        };
        Ok(Self {
            file,
            layer: Mutex::new(layer),
        })
    }

    fn layer(&self) -> MutexGuard<'_, Layer> {
        // Whoever panicked while it held the layer was redb, on a damaged file; nothing is read from it afterwards.
        self.layer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a page as the file has it, zeros behind what counts of it.
    fn page_of_file(&self, kept: u64, number: u64) -> io::Result<Vec<u8>> {
        let (start, mut page) = (number * PAGE, vec![0; PAGE as usize]);
        let count = usize::try_from(kept.saturating_sub(start).min(PAGE)).unwrap_or_default();
        self.file.read_exact_at(&mut page[..count], start)?;
        Ok(page)
    }
}

/// The parts of a range page by page: number of the page, where in it, where in the range.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let end = offset + len as u64;
    (offset / PAGE..end.div_ceil(PAGE)).map(move |number| {
        let from = offset.max(number * PAGE);
        let to = end.min((number + 1) * PAGE);
        // Both are distances inside a page or a buffer.
        let inside = (from - number * PAGE) as usize;
        (
            number,
            inside,
            (from - offset) as usize..(to - offset) as usize,
        )
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.layer().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let layer = self.layer();
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > layer.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, inside, range) in parts(offset, out.len()) {
            let out = &mut out[range];
            match layer.pages.get(&number) {
                Some(page) => out.copy_from_slice(&page[inside..inside + out.len()]),
                None => {
                    let page = self.page_of_file(layer.kept, number)?;
                    out.copy_from_slice(&page[inside..inside + out.len()]);
                }
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut layer = self.layer();
        if len < layer.len {
            layer.pages.retain(|number, _| number * PAGE < len);
            if let Some(page) = layer.pages.get_mut(&(len / PAGE)) {
                // Less than a page.
                page[(len % PAGE) as usize..].fill(0);
            }
            layer.kept = layer.kept.min(len);
        }
        layer.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut layer = self.layer();
        for (number, inside, range) in parts(offset, data.len()) {
            let data = &data[range];
            if !layer.pages.contains_key(&number) {
                if layer.pages.len() >= PAGES_MAX {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let page = self.page_of_file(layer.kept, number)?;
                layer.pages.insert(number, page);
            }
            if let Some(page) = layer.pages.get_mut(&number) {
                page[inside..inside + data.len()].copy_from_slice(data);
            }
        }
        layer.len = layer.len.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FILE_NAME, Store, Venue, create};
    use super::*;
    use engine::record::Record;
    use engine::time::Timestamp;
    use sha2::{Digest, Sha256};

    const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn boots(count: u32) -> Vec<(Timestamp, Record)> {
        let boot = |epoch| (AT, Record::Boot { epoch, at: AT });
        (1..=count).map(boot).collect()
    }

    fn hash(path: &Path) -> Vec<u8> {
        Sha256::digest(fs::read(path).expect("readable")).to_vec()
    }

    #[test]
    fn a_journal_that_was_never_closed_is_read_and_not_touched() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        create(dir.path(), &Header::new(Venue::Live, "test", AT)).expect("a free name");
        let (mut store, _) = Store::open(dir.path(), Venue::Live).expect("it opens");
        store.append(&boots(300)).expect("it is written");
        // What a killed process leaves: the file as it is while it is open.
        let copy = dir.path().join("copy");
        fs::copy(dir.path().join(FILE_NAME), &copy).expect("readable");
        let before = hash(&copy);
        let (header, entries) = look(&copy).expect("it is repaired in memory");
        assert_eq!((header.venue, entries.len()), (Venue::Live, 300));
        assert_eq!(hash(&copy), before);
        store.close();
        let closed = dir.path().join(FILE_NAME);
        let before = hash(&closed);
        assert_eq!(look(&closed).expect("it opens").1, entries);
        assert_eq!(hash(&closed), before);
    }

    #[test]
    fn what_is_written_is_read_back_and_the_file_shows_through() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
        fs::write(&path, &bytes).expect("writable");
        let overlay = Overlay::open(&path).expect("it opens");
        let read = |offset: u64, len: usize| {
            let mut out = vec![0; len];
            overlay.read(offset, &mut out).map(|()| out)
        };
        assert_eq!(read(0, 10_000).expect("in range"), bytes);
        assert!(read(9_999, 2).is_err(), "behind the end");
        overlay.write(4_090, &[9; 20]).expect("memory");
        let mut expected = bytes.clone();
        expected[4_090..4_110].fill(9);
        assert_eq!(read(0, 10_000).expect("in range"), expected);
        overlay.set_len(4_100).expect("memory");
        overlay.set_len(9_000).expect("memory");
        expected.truncate(4_100);
        expected.resize(9_000, 0);
        assert_eq!(
            read(0, 9_000).expect("in range"),
            expected,
            "cut off is gone"
        );
        assert_eq!(fs::read(&path).expect("readable"), bytes);
    }
}
