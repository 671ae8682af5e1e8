//! `state restore`: a backup becomes the journal again.
//!
//! It may be older than the account, so it carries a record that says so: the next start is in safe mode, looks at the
//! account, and an operator decides. Nothing that was there is deleted.

use super::RestoreArgs;
use super::backup::{Manifest, manifest_of};
use super::check::verify;
use super::facts::Facts;
use super::files::{self, Prepared};
use super::place::Place;
use crate::cli::demo::entropy;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::unusable;
use crate::clock::Clock;
use crate::locks::{self, DirLock};
use crate::store::{Store, Venue};
use engine::record::{Record, RestoredFrom};
use engine::time::Timestamp;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What the next start says until an operator has ended safe mode.
pub const PENDING: &str = "restored: generation check pending";

/// Brings a backup back.
///
/// # Errors
/// Exit 74 or 78 for a backup that cannot be used, 6 for one of another venue or where a journal is, 7 beside a process.
pub fn restore(args: &RestoreArgs) -> Outcome {
    let place = Place::of(&args.source, None)?;
    let Some((state_dir, venue)) = place.state.clone() else {
        return Err(Failed::new(
            Exit::Internal,
            "the configured journal has a place",
        ));
    };
    let note = format!("state restore {:08x}", entropy() as u32);
    let _lock = DirLock::take(&state_dir, &note).map_err(|error| unusable::lock(&error))?;
    let manifest = manifest_of(&args.from)?;
    let facts = judged(&args.from, manifest.as_ref(), venue)?;
    let now = Clock::start().now();
    let aside = put(&place.path, venue, args, now)?;
    let data = json!({
        "file": place.path.display().to_string(),
        "from": args.from.display().to_string(),
        "replaced": aside.as_ref().map(|path| path.display().to_string()),
        "facts": facts,
        "next": PENDING,
    });
    let mut warnings = vec![PENDING.to_owned()];
    if manifest.is_none() {
        warnings.push("there was no manifest beside it: only the chain was checked".to_owned());
    }
    let text = told(&place.path, &facts, aside.as_deref(), &warnings);
    let report = Report {
        command: "state-restore",
        ok: true,
        data,
        warnings,
    };
    report.print(args.json, &text)?;
    Ok(Exit::Ok)
}

/// The backup is what its manifest says, whole, and of this venue.
fn judged(from: &Path, manifest: Option<&Manifest>, venue: Venue) -> Result<Facts, Failed> {
    if let Some(manifest) = manifest {
        let found = files::sha256(from)?;
        if found != manifest.sha256 {
            let text = format!(
                "{}: its sha256 is {found}, and the manifest says {}",
                from.display(),
                manifest.sha256
            );
            return Err(Failed::new(Exit::Store, text));
        }
    }
    let facts = verify(from)?;
    if facts.venue != venue {
        let text = format!(
            "{} is a journal of venue {:?}, and the configuration is for {venue:?} (DRY_RUN decides)",
            from.display(),
            facts.venue
        );
        return Err(Failed::new(Exit::Refused, text));
    }
    Ok(facts)
}

/// Puts the marked copy under the journal's name; returns where the one that was there went.
fn put(
    path: &Path,
    venue: Venue,
    args: &RestoreArgs,
    now: Timestamp,
) -> Result<Option<PathBuf>, Failed> {
    let is_taken = path.symlink_metadata().is_ok();
    if is_taken && !args.replace {
        let text = format!(
            "{} is there: --replace moves it aside, under its name with the date",
            path.display()
        );
        return Err(Failed::new(Exit::Refused, text));
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    locks::private_dir(dir).map_err(|error| unusable::lock(&error))?;
    // Prepared beside the final name, so that it is whole before the old one leaves.
    let beside = path.with_extension("restored");
    let (prepared, file) = Prepared::new(&beside)?;
    files::copy_into(&args.from, &file)?;
    drop(file);
    mark(prepared.path(), venue, now)?;
    prepared.publish()?;
    let aside = is_taken.then(|| files::set_aside(path, now)).transpose()?;
    files::rename_to_free(&beside, path)?;
    Ok(aside)
}

/// Writes into the copy that it was brought back.
fn mark(copy: &Path, venue: Venue, now: Timestamp) -> Result<(), Failed> {
    let record = Record::Restored {
        from: RestoredFrom::Backup,
        reason: "state restore".to_owned(),
        at: now,
    };
    let unusable = |error| unusable::journal_at(copy, error);
    let (mut store, _) = Store::open_file(copy, venue).map_err(unusable)?;
    store.append(&[(now, record)]).map_err(unusable)?;
    store.close();
    Ok(())
}

fn told(path: &Path, facts: &Facts, aside: Option<&Path>, warnings: &[String]) -> String {
    let mut text = format!(
        "{}: {} records restored, the next start is in safe mode\n",
        path.display(),
        facts.records
    );
    if let Some(aside) = aside {
        text += &format!("the journal that was there is {}\n", aside.display());
    }
    for warning in warnings {
        text += &format!("note: {warning}\n");
    }
    text
}
