//! Where the control socket lies: in the state directory, private, replaced only under its lock.
//!
//! It opens nothing for others and asks for no password: the directory's mode and the kernel's word about the peer
//! decide. A file that a killed process left behind is ours to replace, because only the lock's holder comes here.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Name of the socket in the state directory.
pub const SOCKET_NAME: &str = "control.sock";
/// Longest path of a socket, bytes: the kernel's 108 with the closing zero.
pub const PATH_BYTES_MAX: usize = 107;
/// Mode of the socket.
const SOCKET_MODE: u32 = 0o600;

/// Why there can be no socket.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The system takes no path of this length.
    #[error(
        "state.dir (BTCBOT__STATE__DIR): the control socket {path} would have {bytes} bytes, and the system allows \
         {PATH_BYTES_MAX}: choose a shorter directory"
    )]
    TooLong {
        /// Where it would be.
        path: PathBuf,
        /// How long that is.
        bytes: usize,
    },
    /// Something else has its name.
    #[error("{path} is not a socket, and its place is needed: move it away")]
    Taken {
        /// Which file.
        path: PathBuf,
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

/// Returns the socket of a state directory.
pub fn socket_path(state: &Path) -> PathBuf {
    state.join(SOCKET_NAME).components().collect()
}

/// A socket that collects askers, and answers once it is served. Its file goes with it.
#[derive(Debug)]
pub struct Bound {
    listener: UnixListener,
    _file: SocketFile,
}

/// A socket that is served.
pub(super) struct Listening {
    pub(super) listener: tokio::net::UnixListener,
    _file: SocketFile,
}

#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A file that stays is replaced by the next start.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes the socket of a state directory, mode 0600. The caller holds the directory's lock and keeps it.
///
/// # Errors
/// [`PlaceError`].
pub fn bind(state: &Path) -> Result<Bound, PlaceError> {
    let path = socket_path(state);
    let bytes = path.as_os_str().as_bytes().len();
    if bytes > PATH_BYTES_MAX {
        return Err(PlaceError::TooLong { path, bytes });
    }
    clear(&path)?;
    let failed = |source| PlaceError::Io {
        path: path.clone(),
        source,
    };
    let listener = UnixListener::bind(&path).map_err(failed)?;
    let file = SocketFile(path.clone());
    fs::set_permissions(&path, Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(Bound {
        listener,
        _file: file,
    })
}

fn clear(path: &Path) -> Result<(), PlaceError> {
    let failed = |source| PlaceError::Io {
        path: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => fs::remove_file(path).map_err(failed),
        Ok(_) => Err(PlaceError::Taken {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

impl Bound {
    /// Hands the socket to the current runtime.
    ///
    /// # Panics
    /// Outside of a runtime with an event queue.
    pub(super) fn listen(self) -> Listening {
        let listener = tokio::net::UnixListener::from_std(self.listener);
        Listening {
            listener: listener.expect("the listener does not block, and the runtime has a queue"),
            _file: self._file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_a_killed_process_left_is_replaced_and_the_file_goes_with_its_owner() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = socket_path(dir.path());
        // A listener of std leaves its file behind, like a killed process.
        drop(UnixListener::bind(&path).expect("a free name"));
        assert!(UnixStream::connect(&path).is_err());
        let bound = bind(dir.path()).expect("replaced");
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        UnixStream::connect(&path).expect("somebody listens");
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = socket_path(dir.path());
        fs::write(&path, "precious").expect("writable");
        let error = bind(dir.path()).expect_err("taken");
        assert!(error.to_string().contains("not a socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "precious");
    }

    #[test]
    fn a_path_that_is_too_long_names_the_key() {
        let check = |len: usize, expected: bool| {
            let dir = PathBuf::from(format!("/nonexistent/{}", "d".repeat(len)));
            let error = bind(&dir).expect_err("there is no such directory");
            let is_too_long = matches!(error, PlaceError::TooLong { .. });
            assert_eq!(is_too_long, expected, "{error}");
            assert_eq!(error.to_string().contains("state.dir"), expected, "{error}");
        };
        // Slash, nonexistent, slash, the name, slash, control.sock.
        let around = 1 + 11 + 1 + 1 + SOCKET_NAME.len();
        check(PATH_BYTES_MAX - around, false);
        check(PATH_BYTES_MAX - around + 1, true);
    }
}
