//! Reads small files with a fixed set of checks, made on the open descriptor.
//!
//! Checking a path and then opening it would leave a gap in which the file can be exchanged, so owner, mode and type
//! are taken from the descriptor that is read. What they mean is the caller's business.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Longest file that is read; a longer one is no configuration.
const FILE_BYTES_MAX: u64 = 1_048_576;
/// Permission bits of a mode.
const MODE_BITS: u32 = 0o7777;

/// What may be done with a symbolic link at the end of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    Refuse,
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Missing,
    Denied,
    Link,
    NotRegular,
    TooLong,
    NotText,
    Unreadable,
}

impl Fault {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Missing => "the file does not exist",
            Self::Denied => "the file cannot be opened by this user",
            Self::Link => "the file is a symbolic link",
            Self::NotRegular => "not a regular file",
            Self::TooLong => "the file is longer than 1 MiB",
            Self::NotText => "the file is not UTF-8 text",
            Self::Unreadable => "the file cannot be read",
        }
    }
}

/// A file that was read; its bytes are overwritten when it is dropped.
pub(crate) struct Content {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Permission bits.
    pub(crate) mode: u32,
    /// User id of the owner.
    pub(crate) owner: u32,
}

/// Reads a regular file of at most 1 MiB. Never waits: a pipe or a device is refused by its type.
pub(crate) fn read(path: &Path, links: Links) -> Result<Content, Fault> {
    let nofollow = match links {
        Links::Follow => OFlags::empty(),
        Links::Refuse => OFlags::NOFOLLOW,
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | nofollow;
    let descriptor = rustix::fs::open(path, flags, Mode::empty()).map_err(open_fault)?;
    let mut file = File::from(descriptor);
    let facts = file.metadata().map_err(|_| Fault::Unreadable)?;
    if !facts.is_file() {
        return Err(Fault::NotRegular);
    }
    if facts.len() > FILE_BYTES_MAX {
        return Err(Fault::TooLong);
    }
    // Room for everything at once, because a growing buffer would leave copies behind that are not overwritten.
    let room = usize::try_from(FILE_BYTES_MAX.min(facts.len() + 1)).map_err(|_| Fault::TooLong)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.by_ref()
        .take(facts.len())
        .read_to_end(&mut bytes)
        .map_err(|_| Fault::Unreadable)?;
    Ok(Content {
        bytes,
        mode: facts.mode() & MODE_BITS,
        owner: facts.uid(),
    })
}

fn open_fault(error: rustix::io::Errno) -> Fault {
    use rustix::io::Errno;
    match error {
        Errno::NOENT | Errno::NOTDIR => Fault::Missing,
        Errno::ACCESS | Errno::PERM => Fault::Denied,
        Errno::LOOP | Errno::MLINK => Fault::Link,
        Errno::NXIO | Errno::NODEV => Fault::NotRegular,
        _ => Fault::Unreadable,
    }
}
