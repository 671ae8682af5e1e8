//! Files that appear whole or not at all, and names that are never taken from another file.

use crate::cli::exit::{Exit, Failed};
use engine::time::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// A file under a hidden name beside its final one; removed unless it is published.
pub struct Prepared {
    path: PathBuf,
    target: PathBuf,
    is_published: bool,
}

impl Prepared {
    /// Starts a private file that will become `target`; what an earlier attempt left under the hidden name is removed.
    ///
    /// # Errors
    /// Exit 6 if the final name is taken, 77 or 1 if the directory cannot be written.
    pub fn new(target: &Path) -> Result<(Self, File), Failed> {
        if target.symlink_metadata().is_ok() {
            return Err(taken(target));
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.part"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&path, &error));
            }
            Ok(()) | Err(_) => {}
        }
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let file = opened.map_err(|error| failed(&path, &error))?;
        let prepared = Self {
            path,
            target: target.to_owned(),
            is_published: false,
        };
        Ok((prepared, file))
    }

    /// Returns where it lies until it is published.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings it to the disk and gives it its final name, unless that is taken.
    ///
    /// # Errors
    /// Exit 6 if the name is taken, 77 or 1 if the disk fails.
    pub fn publish(mut self) -> Result<(), Failed> {
        let synced = File::open(&self.path).and_then(|file| file.sync_all());
        synced.map_err(|error| failed(&self.path, &error))?;
        rename_to_free(&self.path, &self.target)?;
        self.is_published = true;
        Ok(())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.is_published {
            // A leftover is removed by the next attempt.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Renames a file to a name that nothing has, and brings the names to the disk.
///
/// # Errors
/// Exit 6 if the name is taken, 77 or 1 if the disk fails.
pub fn rename_to_free(from: &Path, to: &Path) -> Result<(), Failed> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Err(taken(to)),
        Err(error) => return Err(failed(to, &error.into())),
    }
    let dir = match to.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) | None => Path::new("."),
    };
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|error| failed(dir, &error))
}

/// Moves a file aside, under its name with the date; returns the new name.
///
/// # Errors
/// As [`rename_to_free`].
pub fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf, Failed> {
    let date = jiff::Timestamp::from_microsecond(now.0).map_or_else(
        |_| now.to_string(),
        |at| at.strftime("%Y%m%dT%H%M%S%.3fZ").to_string(),
    );
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("{name}.{date}.aside"));
    rename_to_free(path, &aside)?;
    Ok(aside)
}

/// Copies a file into an open one.
///
/// # Errors
/// Exit 77 or 1 if either disk fails.
pub fn copy_into(from: &Path, mut to: &File) -> Result<u64, Failed> {
    let copied = File::open(from).and_then(|mut from| io::copy(&mut from, &mut to));
    copied.map_err(|error| failed(from, &error))
}

/// Returns the SHA-256 of a file as lower-case hex.
///
/// # Errors
/// Exit 77 or 1 if it cannot be read.
pub fn sha256(path: &Path) -> Result<String, Failed> {
    let hashed = || -> io::Result<String> {
        let (mut file, mut hash) = (File::open(path)?, Sha256::new());
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            hash.update(&chunk[..count]);
        }
        let bytes = hash.finalize();
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    };
    hashed().map_err(|error| failed(path, &error))
}

/// Writes a small file, whole or not at all.
///
/// # Errors
/// As [`Prepared::new`] and [`Prepared::publish`].
pub fn write_new(path: &Path, text: &str) -> Result<(), Failed> {
    let (prepared, mut file) = Prepared::new(path)?;
    let written = file.write_all(text.as_bytes());
    written.map_err(|error| failed(path, &error))?;
    prepared.publish()
}

fn taken(path: &Path) -> Failed {
    let text = format!("{} exists and is never overwritten", path.display());
    Failed::new(Exit::Refused, text)
}

/// Turns a failure of the disk into the end of a command.
pub fn failed(path: &Path, error: &io::Error) -> Failed {
    let exit = if error.kind() == io::ErrorKind::PermissionDenied {
        Exit::Permission
    } else {
        Exit::Failure
    };
    Failed::new(exit, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_appears_whole_and_private_and_replaces_nothing() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("file");
        write_new(&path, "one").expect("a free name");
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = write_new(&path, "two").expect_err("the name is taken");
        assert_eq!(error.exit, Exit::Refused);
        assert_eq!(fs::read_to_string(&path).expect("readable"), "one");
        let names = fs::read_dir(dir.path()).expect("readable").count();
        assert_eq!(names, 1, "no leftover");
    }

    #[test]
    fn a_file_that_is_set_aside_keeps_its_bytes() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("btcbot.redb");
        fs::write(&path, "precious").expect("writable");
        let at = Timestamp::from_ms(1_700_000_000_000);
        let aside = set_aside(&path, at).expect("a free name");
        assert!(aside.ends_with("btcbot.redb.20231114T221320.000Z.aside"));
        assert_eq!(fs::read_to_string(&aside).expect("readable"), "precious");
        assert!(!path.exists());
        fs::write(&path, "other").expect("writable");
        assert!(set_aside(&path, at).is_err(), "the name is taken");
    }

    #[test]
    fn the_hash_is_the_known_one() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("file");
        fs::write(&path, "abc").expect("writable");
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).expect("readable"), known);
    }
}
