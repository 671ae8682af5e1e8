//! What the doctor looks at, gathered once: configuration, environment names, and what the kernel says.
//!
//! Values of the environment are not kept, only its names: the doctor has no use for them and they may be secrets.

use crate::cli::ConfigSource;
use crate::cli::exit::Failed;
use crate::cli::resolve::{self, Forced};
use crate::clock::Clock;
use config::errors::ConfigErrors;
use config::load::{self, Loaded, Sources};
use rustix::fs::Access;
use rustix::process::{Resource, getrlimit};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// systemd makes this file once the clock has been synchronised.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// Exists where systemd runs, so that the absence of the file above means something.
const SYSTEMD: &str = "/run/systemd/timesync";
/// Lists every lock of the kernel with the inode it is on.
const LOCKS: &str = "/proc/locks";

/// Everything that rows look at.
pub(super) struct Facts {
    /// The configuration, or what is wrong with it.
    pub loaded: Result<Loaded, ConfigErrors>,
    /// Time.
    pub clock: Clock,
    /// Names in the environment.
    pub env_names: BTreeSet<String>,
    /// Where state is kept; the working directory while no configuration can be read.
    pub state_dir: PathBuf,
    /// This machine.
    pub host: Host,
}

/// What the kernel says. `None` where it cannot be told.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Our user id.
    pub uid: u32,
    /// We are root.
    pub is_root: bool,
    /// Soft limit of open files.
    pub open_files: Option<u64>,
    /// Soft limit of core dumps, bytes; `None` is unlimited.
    pub core_bytes: Option<u64>,
    /// The clock is synchronised.
    pub is_synchronised: Option<bool>,
    /// Bytes free for us where the state is kept.
    pub free_bytes: Option<u64>,
    /// The state lies on a network file system.
    pub is_network_disk: bool,
    /// The state can be written.
    pub is_writable: bool,
    /// The text of `/proc/locks`.
    pub locks: String,
}

impl Facts {
    /// Gathers everything.
    ///
    /// # Errors
    /// Exit 1 without a working directory.
    pub(super) fn gather(source: &ConfigSource) -> Result<Self, Failed> {
        Ok(Self::of(resolve::sources(source, Forced::default())?))
    }

    /// Gathers everything for these sources.
    pub(super) fn of(sources: Sources) -> Self {
        let env_names = sources.env.keys();
        let env_names = env_names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        let working_dir = sources.working_dir.clone();
        let loaded = load::load(sources);
        let state_dir = match &loaded {
            Ok(loaded) => working_dir
                .join(&loaded.settings().state.dir)
                .components()
                .collect(),
            Err(_) => working_dir,
        };
        let host = Host::look(&state_dir);
        Self {
            loaded,
            clock: Clock::start(),
            env_names,
            state_dir,
            host,
        }
    }
}

impl Host {
    fn look(state_dir: &Path) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let disk = nearest_existing(state_dir);
        let usage = rustix::fs::statfs(disk).ok();
        let free_bytes = usage.as_ref().and_then(|usage| {
            let block = u64::try_from(usage.f_bsize).ok()?;
            usage.f_bavail.checked_mul(block)
        });
        let synchronised = || Path::new(SYNCHRONISED).exists();
        Self {
            uid,
            is_root: uid == 0,
            open_files: getrlimit(Resource::Nofile).current,
            core_bytes: getrlimit(Resource::Core).current,
            is_synchronised: Path::new(SYSTEMD).exists().then(synchronised),
            free_bytes,
            is_network_disk: usage.is_some_and(|usage| usage.f_type == rustix::fs::NFS_SUPER_MAGIC),
            is_writable: rustix::fs::access(disk, Access::WRITE_OK).is_ok(),
            locks: std::fs::read_to_string(LOCKS).unwrap_or_default(),
        }
    }

    /// Returns who holds a lock on the file with this inode.
    ///
    /// Reading the kernel's list instead of trying the lock: a trial could make a bot that starts at the same moment
    /// believe that another one runs.
    pub(super) fn holder(&self, inode: u64) -> Option<String> {
        self.locks.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let place = fields
                .iter()
                .find(|field| field.matches(':').count() == 2)?;
            let held: u64 = place.rsplit(':').next()?.parse().ok()?;
            let is_held = held == inode && fields.get(1) != Some(&"->");
            is_held.then(|| holder_name(fields.get(4).copied()))
        })
    }
}

/// A lock of an open file description, as the journal's, has no process: the kernel shows -1.
fn holder_name(pid: Option<&str>) -> String {
    match pid.and_then(|pid| pid.parse::<u32>().ok()) {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

/// A directory that is not there yet will lie on the disk of its nearest parent.
fn nearest_existing(path: &Path) -> &Path {
    let existing = path.ancestors().find(|part| part.exists());
    existing.unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_lock_is_found_by_its_inode() {
        let file = tempfile::tempfile().expect("a file");
        let inode = file.metadata().expect("its facts").ino();
        let look = || Host::look(Path::new("/"));
        assert_eq!(look().holder(inode), None);
        file.lock().expect("nobody holds it");
        assert_eq!(
            look().holder(inode),
            Some(format!("process {}", std::process::id()))
        );
    }
}
