//! Rows about the state directory and the journal of the configured venue.
//!
//! The journal is verified on a private copy: opening the file itself would write to it.

use super::Finding;
use super::facts::Facts;
use crate::cli::copy::read_copy;
use crate::cli::init::venue_dir;
use crate::latch::LATCH_NAME;
use crate::store::{self, StoreError, Venue};
use config::load::Loaded;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Mode bits that must be clear on the state directory.
const OPEN_BITS: u32 = 0o077;
/// Longest journal that is copied to be checked.
const COPY_BYTES_MAX: u64 = 2 << 30;

/// An existing file is a latch, whatever is in it; one that cannot be looked at counts as set.
pub(super) fn kill_latch(facts: &Facts, _: &Loaded) -> Finding {
    let path = facts.state_dir.join(LATCH_NAME);
    match path.symlink_metadata() {
        Ok(_) => Finding::fail(
            format!("the kill switch is latched ({})", path.display()),
            "btcbot kill-switch status tells why and what a reset needs",
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::ok("not set"),
        Err(error) => Finding::fail(
            format!(
                "{} cannot be read and counts as set: {error}",
                path.display()
            ),
            "make the state directory readable for this user",
        ),
    }
}

pub(super) fn directory(facts: &Facts, _: &Loaded) -> Finding {
    let dir = facts.state_dir.display();
    if facts.host.is_network_disk {
        let detail = format!("{dir} is on a network file system, where locks cannot be trusted");
        return Finding::fail(detail, "move state.dir to a local disk");
    }
    match facts.state_dir.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::ok(format!("{dir} does not exist yet"))
        }
        Err(error) => Finding::fail(format!("{dir}: {error}"), "check state.dir"),
        Ok(meta) => directory_of(facts, &meta),
    }
}

fn directory_of(facts: &Facts, meta: &Metadata) -> Finding {
    let (dir, uid) = (facts.state_dir.display(), facts.host.uid);
    let mode = meta.permissions().mode() & 0o7777;
    if !meta.is_dir() {
        Finding::fail(format!("{dir} is no directory"), "check state.dir")
    } else if meta.uid() != uid {
        Finding::fail(
            format!("{dir} belongs to user {}", meta.uid()),
            format!("chown -R {uid} {dir}"),
        )
    } else if mode & OPEN_BITS != 0 {
        let detail = format!("{dir} is open to others (mode {mode:04o})");
        Finding::fail(detail, format!("chmod 0700 {dir}"))
    } else {
        Finding::ok(format!("{dir}, mode {mode:04o}"))
    }
}

pub(super) fn journal(facts: &Facts, loaded: &Loaded) -> Finding {
    let venue = if loaded.settings().safety.dry_run {
        Venue::Dry
    } else {
        Venue::Live
    };
    let dir = venue_dir(&facts.state_dir, venue);
    let path = dir.join(store::FILE_NAME);
    let meta = match path.symlink_metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return missing(&path, venue),
        Err(error) => return unusable(&path, &StoreError::Io(error)),
    };
    if let Some(holder) = facts.host.holder(meta.ino()) {
        return Finding::ok(format!("in use by {holder}"));
    }
    if meta.len() > COPY_BYTES_MAX {
        let detail = format!("{} is too long to be checked here", path.display());
        return Finding::warn(
            detail,
            "btcbot state check reads all of it, beside a stopped bot",
        );
    }
    match read_copy(&dir, venue) {
        Ok((_, records)) => Finding::ok(format!(
            "{}: {} records, chain intact",
            path.display(),
            records.len()
        )),
        Err(error) => unusable(&path, &error),
    }
}

fn missing(path: &Path, venue: Venue) -> Finding {
    let detail = format!("{} does not exist", path.display());
    match venue {
        Venue::Dry | Venue::Demo => {
            Finding::ok(format!("{detail} yet; the first dry run makes it"))
        }
        Venue::Live => Finding::fail(
            detail,
            "first start: btcbot init --live; if there was one before, restore or recover it",
        ),
    }
}

fn unusable(path: &Path, error: &StoreError) -> Finding {
    let fix = "keep the file, restore a backup or recover the state; never start with an empty one";
    Finding::fail(format!("{}: {error}", path.display()), fix)
}
