//! `state backup`: a verified copy and, beside it, a manifest that says what it is.
//!
//! The copy gets its name only after it was verified, the manifest after the copy: whatever stands there is whole.

use super::BackupArgs;
use super::check::verify;
use super::facts::Facts;
use super::files::{self, Prepared};
use super::place::Place;
use crate::cli::demo::entropy;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::running;
use crate::cli::unusable;
use crate::clock::Clock;
use crate::control::records::Backup;
use crate::control::wire::{Request, Verdict};
use crate::locks::DirLock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for the running process to copy its journal.
const COPY_TIME_MAX: Duration = Duration::from_secs(120);
/// What kind of file a manifest is.
const MANIFEST_SCHEMA: &str = "btcbot.backup/v1";

/// What is written beside a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `btcbot.backup/v1`.
    pub schema: String,
    /// SHA-256 of the copy.
    pub sha256: String,
    /// When the copy was made.
    pub made_us: i64,
    /// Version of the btcbot that made it.
    pub version: String,
    /// What the copy holds.
    pub journal: Facts,
}

/// Returns where the manifest of a backup is.
pub fn manifest_path(backup: &Path) -> PathBuf {
    let mut name = backup.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

/// Makes a backup.
///
/// # Errors
/// Exit 6 if either name is taken, 4 if a process holds the journal and does not answer, 74 if the journal is not whole.
pub fn backup(args: &BackupArgs) -> Outcome {
    let place = Place::of(&args.source, None)?;
    let manifest = if place.holder().is_some() {
        copy_running(args)?
    } else {
        copy_stopped(&place, &args.to)?
    };
    let data = json!({ "file": args.to.display().to_string(), "manifest": manifest });
    let report = Report {
        command: "state-backup",
        ok: true,
        data,
        warnings: Vec::new(),
    };
    let text = format!(
        "{}: {} records, verified, sha256 {}\n",
        args.to.display(),
        manifest.journal.records,
        manifest.sha256
    );
    report.print(args.json, &text)?;
    Ok(Exit::Ok)
}

/// Lets the running process copy its journal at one moment; it goes on writing meanwhile.
fn copy_running(args: &BackupArgs) -> Result<Manifest, Failed> {
    let (prepared, file) = Prepared::new(&args.to)?;
    check_manifest_free(&args.to)?;
    drop(file);
    let to = std::path::absolute(prepared.path());
    let to = to.map_err(|error| files::failed(&args.to, &error))?;
    let ask = Request::StateBackup(Backup { to });
    let answer = running::ask(&args.source, &ask, COPY_TIME_MAX)?;
    let answer = answer.map_err(|error| running::unanswered(&error))?;
    if answer.verdict != Verdict::Done {
        return Err(Failed::new(running::exit_of(answer.verdict), answer.text));
    }
    finish(prepared, &args.to)
}

fn check_manifest_free(to: &Path) -> Result<(), Failed> {
    let manifest = manifest_path(to);
    if manifest.symlink_metadata().is_err() {
        return Ok(());
    }
    let text = format!("{} exists and is never overwritten", manifest.display());
    Err(Failed::new(Exit::Refused, text))
}

/// Copies the journal of a stopped engine; it cannot start meanwhile.
fn copy_stopped(place: &Place, to: &Path) -> Result<Manifest, Failed> {
    place.check_free()?;
    let _lock = match &place.state {
        Some((dir, _)) if dir.exists() => {
            let note = format!("state backup {:08x}", entropy() as u32);
            Some(DirLock::take(dir, &note).map_err(|error| unusable::lock(&error))?)
        }
        Some(_) | None => None,
    };
    let (prepared, file) = Prepared::new(to)?;
    check_manifest_free(to)?;
    if !place.path.exists() {
        // The same answer as for every other command that finds no journal.
        verify(&place.path)?;
    }
    files::copy_into(&place.path, &file)?;
    finish(prepared, to)
}

/// Verifies a prepared copy and publishes it with its manifest.
pub fn finish(prepared: Prepared, to: &Path) -> Result<Manifest, Failed> {
    let journal = verify(prepared.path())?;
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA.to_owned(),
        sha256: files::sha256(prepared.path())?,
        made_us: Clock::start().now().0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        journal,
    };
    prepared.publish()?;
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Failed::new(Exit::Internal, error.to_string()))?;
    files::write_new(&manifest_path(to), &format!("{text}\n"))?;
    Ok(manifest)
}

/// Reads the manifest of a backup; `None` if there is none.
///
/// # Errors
/// Exit 74 if there is one that cannot be read.
pub fn manifest_of(backup: &Path) -> Result<Option<Manifest>, Failed> {
    let path = manifest_path(backup);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(files::failed(&path, &error)),
    };
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| {
        let text = format!("{}: not a manifest of a backup ({error})", path.display());
        Failed::new(Exit::Store, text)
    })?;
    if manifest.schema == MANIFEST_SCHEMA {
        Ok(Some(manifest))
    } else {
        let text = format!(
            "{}: schema {} is not {MANIFEST_SCHEMA}",
            path.display(),
            manifest.schema
        );
        Err(Failed::new(Exit::Store, text))
    }
}
