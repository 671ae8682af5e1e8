//! `state recover`: a live journal made again out of what the exchange shows, where the old one is lost.
//!
//! The account is read first and the new journal is written last: until then nothing has changed. What was known of
//! decisions, fills and profit before is gone; what is open is known again, can be cancelled, and nothing trades before
//! an operator has ended safe mode.

mod account;
mod plan;

use super::RecoverArgs;
use super::check::verify;
use super::files;
use crate::cli::demo::entropy;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::init::venue_dir;
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::cli::unusable;
use crate::clock::Clock;
use crate::locks::{self, AccountLock, DirLock};
use crate::params;
use crate::store::{self, Header, Store, Venue};
use account::Account;
use config::load::Loaded;
use engine::ids::AccountTag;
use engine::time::Timestamp;
use plan::Plan;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Name of the directory in which the new journal is made.
const WORKSHOP: &str = ".recover";

/// Shows what it would do, or does it.
///
/// # Errors
/// Exit 77 without usable keys, 69 if the account cannot be read as a whole, 7 beside a process, 6 if there is nothing
/// to recover or the tag is not certain, 74 if the disk fails.
pub fn recover(args: &RecoverArgs) -> Outcome {
    let loaded = resolve::load(&args.source, Forced::default())?;
    let signer = resolve::required_signer(&loaded)?;
    let state_dir = &loaded.settings().state.dir;
    let _locks = take_locks(&loaded)?;
    let path = venue_dir(state_dir, Venue::Live).join(store::FILE_NAME);
    let clock = Clock::start();
    let account = Account::read(&loaded, signer, &clock)?;
    let old = verify(&path);
    let tag = tag(
        args,
        &account,
        old.as_ref().ok().map(|facts| &*facts.account_tag),
    )?;
    let now = clock.now();
    let plan = Plan::of(
        &account,
        tag,
        old.as_ref().map_or(0, |facts| facts.epoch),
        now,
    );
    if old.is_ok() && !is_behind(&path, &plan)? {
        let text = format!(
            "{} is whole and knows every own order that the exchange shows: there is nothing to recover",
            path.display()
        );
        return Err(Failed::new(Exit::Refused, text));
    }
    let aside = if args.confirm {
        let records = plan.records(&args.reason, now);
        make(
            &path,
            &Header::new(Venue::Live, &tag.to_string(), now),
            &records,
            now,
        )?
    } else {
        None
    };
    let why = old.err().map_or_else(
        || "the journal does not know every own order".to_owned(),
        |failed| failed.message,
    );
    conclude(args, (&path, &why), &plan, aside.as_deref())
}

fn take_locks(loaded: &Loaded) -> Result<(DirLock, Option<AccountLock>), Failed> {
    let note = format!("state recover {:08x}", entropy() as u32);
    let dir = DirLock::take(&loaded.settings().state.dir, &note)
        .map_err(|error| unusable::lock(&error))?;
    let fingerprint = loaded.secrets().fingerprint();
    let account = fingerprint.map(|fingerprint| AccountLock::take(&fingerprint));
    let account = account
        .transpose()
        .map_err(|error| unusable::lock(&error))?;
    Ok((dir, account))
}

/// Whose orders are ours: by the operator's word, by the old journal's, or by the only tag that the exchange shows.
fn tag(args: &RecoverArgs, account: &Account, old: Option<&str>) -> Result<AccountTag, Failed> {
    if let Some(text) = args.tag.as_deref().or(old) {
        return AccountTag::parse(text)
            .map_err(|error| Failed::new(Exit::Usage, format!("--tag {text:?}: {error}")));
    }
    let tags = account.tags();
    let mut seen = tags.iter();
    match (seen.next(), seen.next()) {
        (None, _) => Ok(AccountTag::from_entropy(entropy())),
        (Some(tag), None) => Ok(*tag),
        (Some(_), Some(_)) => {
            let names: Vec<String> = tags.iter().map(ToString::to_string).collect();
            let text = format!(
                "orders of several btcbots are on this account ({}): --tag says which is this one",
                names.join(", ")
            );
            Err(Failed::new(Exit::Refused, text))
        }
    }
}

/// A whole journal is recovered from only if the exchange shows own orders that it does not know.
fn is_behind(path: &Path, plan: &Plan) -> Result<bool, Failed> {
    let read = store::look(path).and_then(|(_, history)| history.fold(params::account_quote()));
    let past = read.map_err(|error| unusable::journal_at(path, error))?;
    Ok(plan.ids().any(|id| !past.sum().orders().knows(id)))
}

/// Makes the new journal, moves the old one aside and gives the new one its name.
fn make(
    path: &Path,
    header: &Header,
    records: &[(Timestamp, engine::record::Record)],
    now: Timestamp,
) -> Result<Option<PathBuf>, Failed> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let workshop = dir.join(WORKSHOP);
    locks::private_dir(&workshop).map_err(|error| unusable::lock(&error))?;
    let made = workshop.join(store::FILE_NAME);
    match fs::remove_file(&made) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(files::failed(&made, &error));
        }
        Ok(()) | Err(_) => {}
    }
    let unusable = |error| unusable::journal_at(&made, error);
    store::create(&workshop, header).map_err(unusable)?;
    let (mut store, _) = Store::open(&workshop, header.venue).map_err(unusable)?;
    store.append(records).map_err(unusable)?;
    store.close();
    verify(&made)?;
    let is_there = path.symlink_metadata().is_ok();
    let aside = is_there.then(|| files::set_aside(path, now)).transpose()?;
    files::rename_to_free(&made, path)?;
    // An empty directory that stays does no harm.
    let _ = fs::remove_dir(&workshop);
    Ok(aside)
}

fn conclude(
    args: &RecoverArgs,
    (path, why): (&Path, &str),
    plan: &Plan,
    aside: Option<&Path>,
) -> Outcome {
    let data = json!({
        "file": path.display().to_string(),
        "why": why,
        "done": args.confirm,
        "aside": aside.map(|aside| aside.display().to_string()),
        "plan": plan.to_json(),
    });
    let mut text = format!("{why}\n{}", plan.text());
    text += &match (args.confirm, aside) {
        (false, _) => "nothing was changed; --confirm does it\n".to_owned(),
        (true, None) => format!("{} was made\n", path.display()),
        (true, Some(aside)) => {
            let (path, aside) = (path.display(), aside.display());
            format!("{path} was made, the old file is {aside}\n")
        }
    };
    let mut warnings = plan.warnings.clone();
    if args.confirm {
        warnings
            .push("the next start is in safe mode: it cancels what is open and looks".to_owned());
    }
    for warning in &warnings {
        text += &format!("note: {warning}\n");
    }
    let report = Report {
        command: "state-recover",
        ok: true,
        data,
        warnings,
    };
    report.print(args.json, &text)?;
    Ok(Exit::Ok)
}
