//! Who may run: one process per state directory, and one per API key on this machine.
//!
//! Both locks are given back by the kernel however the process ends, so a stale lock cannot exist. The one idea: the
//! error names the holder, because the operator's next question is always who.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

/// Name of the lock in the state directory.
pub const LOCK_NAME: &str = "btcbot.lock";
/// Exit code where another process holds a lock (`cli::exit::Exit::AlreadyRunning`).
pub const EXIT_HELD: u8 = 7;
/// Exit code where a directory or file is not ours (`cli::exit::Exit::Permission`).
pub const EXIT_NOT_OURS: u8 = 77;
/// Longest description of a holder that is read.
const HOLDER_BYTES_MAX: u64 = 256;

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has the state directory.
    #[error("{dir} is in use by {holder}")]
    DirHeld {
        /// The directory.
        dir: PathBuf,
        /// What the holder wrote about itself.
        holder: String,
    },
    /// Another process on this machine trades with the same key.
    #[error("another btcbot on this machine uses the API key {fingerprint}")]
    KeyHeld {
        /// The key's fingerprint.
        fingerprint: String,
    },
    /// Directory or file belong to somebody else, or others may look into them.
    #[error("{path} is not private: {wrong}; run `{cure}`")]
    NotOurs {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        wrong: String,
        /// The command that cures it.
        cure: String,
    },
    /// The system failed.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
}

impl LockError {
    /// Returns the exit code of a process that ends because of it.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::DirHeld { .. } | Self::KeyHeld { .. } => EXIT_HELD,
            Self::NotOurs { .. } => EXIT_NOT_OURS,
            Self::Io { .. } => 74,
        }
    }
}

/// The state directory, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// The account, held on this machine until this is dropped or the process ends.
#[derive(Debug)]
pub struct AccountLock {
    _socket: UnixListener,
}

/// Makes `dir` with mode 0700 if it is missing, and checks that it is ours and private.
///
/// # Errors
/// `NotOurs` or `Io`.
pub fn private_dir(dir: &Path) -> Result<(), LockError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| io_error(dir, source))?;
    let meta = fs::symlink_metadata(dir).map_err(|source| io_error(dir, source))?;
    if !meta.is_dir() {
        let wrong = "it is not a directory".to_owned();
        return Err(not_ours(dir, wrong, format!("ls -ld {}", dir.display())));
    }
    check_private(dir, &meta, 0o700)
}

/// Checks that a file is ours and that nobody else may read it.
///
/// # Errors
/// `NotOurs` or `Io`.
pub fn check_private_file(path: &Path) -> Result<(), LockError> {
    let meta = fs::symlink_metadata(path).map_err(|source| io_error(path, source))?;
    if !meta.is_file() {
        let wrong = "it is not a plain file".to_owned();
        return Err(not_ours(path, wrong, format!("ls -l {}", path.display())));
    }
    check_private(path, &meta, 0o600)
}

fn check_private(path: &Path, meta: &fs::Metadata, mode: u32) -> Result<(), LockError> {
    let own = rustix::process::geteuid().as_raw();
    let shown = path.display();
    if meta.uid() != own {
        let wrong = format!("it belongs to uid {}, not {own}", meta.uid());
        return Err(not_ours(path, wrong, format!("chown {own} {shown}")));
    }
    let found = meta.permissions().mode() & 0o777;
    if found & 0o077 != 0 {
        let wrong = format!("its mode is {found:04o}");
        return Err(not_ours(path, wrong, format!("chmod {mode:o} {shown}")));
    }
    Ok(())
}

impl DirLock {
    /// Takes the lock of a directory and writes into it who holds it.
    ///
    /// # Errors
    /// `DirHeld`, `NotOurs` or `Io`.
    pub fn take(dir: &Path, run_id: &str) -> Result<Self, LockError> {
        private_dir(dir)?;
        let path = dir.join(LOCK_NAME);
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path);
        let mut file = opened.map_err(|source| io_error(&path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let (dir, holder) = (dir.to_owned(), holder_of(&mut file));
                return Err(LockError::DirHeld { dir, holder });
            }
            Err(TryLockError::Error(source)) => return Err(io_error(&path, source)),
        }
        let note = format!("process {}, run {run_id}\n", std::process::id());
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(note.as_bytes()));
        written.map_err(|source| io_error(&path, source))?;
        Ok(Self { _file: file })
    }
}

/// Returns who holds a state directory at this moment; `None` if nobody does, or nobody can tell. Changes nothing.
pub fn holder(dir: &Path) -> Option<String> {
    let mut file = File::open(dir.join(LOCK_NAME)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(holder_of(&mut file)),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn holder_of(file: &mut File) -> String {
    let mut note = String::new();
    let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut note);
    match read {
        Ok(_) if !note.trim().is_empty() => note.trim().to_owned(),
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}

impl AccountLock {
    /// Takes the lock of an account, named by its key's fingerprint; it spans all state directories of this machine.
    ///
    /// # Errors
    /// `KeyHeld` or `Io`.
    pub fn take(fingerprint: &str) -> Result<Self, LockError> {
        let name = format!("btcbot.account.{fingerprint}");
        let at = || PathBuf::from(format!("@{name}"));
        let address = SocketAddr::from_abstract_name(&name);
        let address = address.map_err(|source| io_error(&at(), source))?;
        match UnixListener::bind_addr(&address) {
            Ok(socket) => Ok(Self { _socket: socket }),
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => Err(LockError::KeyHeld {
                fingerprint: fingerprint.to_owned(),
            }),
            Err(source) => Err(io_error(&at(), source)),
        }
    }
}

fn io_error(path: &Path, source: io::Error) -> LockError {
    let path = path.to_owned();
    LockError::Io { path, source }
}

fn not_ours(path: &Path, wrong: String, cure: String) -> LockError {
    let path = path.to_owned();
    LockError::NotOurs { path, wrong, cure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_directory_names_its_holder_and_is_free_again_afterwards() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state = dir.path().join("state");
        let first = DirLock::take(&state, "run-1").expect("it is free");
        assert!(holder(&state).is_some_and(|holder| holder.ends_with("run run-1")));
        let error = DirLock::take(&state, "run-2").expect_err("it is held");
        assert_eq!(error.exit_code(), EXIT_HELD);
        let text = error.to_string();
        let pid = std::process::id();
        assert!(
            text.ends_with(&format!("in use by process {pid}, run run-1")),
            "{text}"
        );
        drop(first);
        assert_eq!(holder(&state), None);
        DirLock::take(&state, "run-2").expect("it is free again");
    }

    #[test]
    fn directory_and_lock_are_private() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state = dir.path().join("a/b");
        let _lock = DirLock::take(&state, "run-1").expect("it is free");
        let mode = |path: &Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!((mode(&state), mode(&state.join(LOCK_NAME))), (0o700, 0o600));
        check_private_file(&state.join(LOCK_NAME)).expect("it is private");
    }

    #[test]
    fn an_open_directory_is_refused_with_its_cure() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state = dir.path().join("state");
        fs::create_dir(&state).expect("writable");
        fs::set_permissions(&state, fs::Permissions::from_mode(0o750)).expect("ours");
        let error = DirLock::take(&state, "run-1").expect_err("others may look");
        assert_eq!(error.exit_code(), EXIT_NOT_OURS);
        let expected = format!("run `chmod 700 {}`", state.display());
        assert!(error.to_string().ends_with(&expected), "{error}");
    }

    #[test]
    fn a_link_in_place_of_the_lock_is_not_followed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state = dir.path().join("state");
        private_dir(&state).expect("it is made");
        let target = dir.path().join("precious");
        fs::write(&target, "untouched").expect("writable");
        std::os::unix::fs::symlink(&target, state.join(LOCK_NAME)).expect("a link");
        assert!(matches!(
            DirLock::take(&state, "run-1"),
            Err(LockError::Io { .. })
        ));
        assert_eq!(fs::read_to_string(&target).expect("readable"), "untouched");
    }

    #[test]
    fn a_key_is_used_once_on_this_machine() {
        let fingerprint = format!("test-{}", std::process::id());
        let first = AccountLock::take(&fingerprint).expect("it is free");
        let error = AccountLock::take(&fingerprint).expect_err("it is held");
        assert_eq!(error.exit_code(), EXIT_HELD);
        assert!(error.to_string().ends_with(&fingerprint));
        AccountLock::take(&format!("{fingerprint}-other")).expect("another key");
        drop(first);
        AccountLock::take(&fingerprint).expect("it is free again");
    }
}
