//! `state check`: the whole file verified by a process of its own, which may panic, hang or be killed.
//!
//! A damaged file can make the storage layer loop; a verdict must come all the same. The one idea: no answer in time
//! is an answer.

use super::facts::Facts;
use super::place::Place;
use super::{LookArgs, VerifyArgs};
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::unusable;
use crate::clock::Clock;
use crate::store::{self, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Longest verification, milliseconds; a file that takes longer counts as damaged.
const TIME_MAX_MS: i64 = 300_000;
/// Time between two looks at the verifying process.
const LOOK: Duration = Duration::from_millis(10);
/// Longest verdict that is read, bytes.
const VERDICT_BYTES_MAX: u64 = 64 * 1024;

/// What the verifying process says on stdout: one JSON object.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// The file is whole.
    Whole(Facts),
    /// It is not, or cannot be read.
    Unusable { exit: u8, why: String },
}

/// Verifies the journal and prints what it holds.
///
/// # Errors
/// Exit 74 for a file that is damaged, empty, foreign or missing, 78 for a newer one, 7 beside a process.
pub fn check(args: &LookArgs) -> Outcome {
    let place = Place::of(&args.source, args.file.as_deref())?;
    place.check_free()?;
    let verified = verify(&place.path);
    place.check_free()?;
    let facts = match verified {
        Ok(facts) => facts,
        Err(failed) if args.json => return unusable(&place.path, &failed),
        Err(failed) => return Err(failed),
    };
    let report = Report {
        command: "state-check",
        ok: true,
        data: json!({ "file": place.path.display().to_string(), "facts": facts }),
        warnings: Vec::new(),
    };
    let text = format!(
        "{}: {} records, chain and pages intact\n",
        place.path.display(),
        facts.records
    );
    report.print(args.json, &text)?;
    Ok(Exit::Ok)
}

fn unusable(path: &Path, failed: &Failed) -> Outcome {
    let report = Report {
        command: "state-check",
        ok: false,
        data: json!({ "file": path.display().to_string(), "why": failed.message }),
        warnings: Vec::new(),
    };
    report.print(true, "")?;
    Ok(failed.exit)
}

/// Verifies a file in a process of its own.
///
/// # Errors
/// As `check`; a process that died or did not end in time means a damaged file.
pub fn verify(path: &Path) -> Result<Facts, Failed> {
    let damaged = |why: String| {
        let text = format!("{}: the journal is damaged ({why})", path.display());
        Failed::new(Exit::Store, text)
    };
    let own = std::env::current_exe()
        .map_err(|error| Failed::new(Exit::Failure, format!("cannot find myself: {error}")))?;
    let child = Command::new(own)
        .args(["state", "verify"])
        .arg(path)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child
        .map_err(|error| Failed::new(Exit::Failure, format!("cannot start myself: {error}")))?;
    let Some(status) = wait(&mut child) else {
        return Err(damaged(format!(
            "verifying it did not end within {} s",
            TIME_MAX_MS / 1_000
        )));
    };
    match said(&mut child) {
        Some(Said::Whole(facts)) if status.success() => Ok(facts),
        Some(Said::Unusable { exit, why }) => Err(Failed::new(exit_of(exit), why)),
        Some(Said::Whole(_)) | None => Err(damaged(format!("verifying it died: {status}"))),
    }
}

/// The verdict fits into the pipe, so a child never waits for its reader.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let clock = Clock::start();
    let until = clock.now().plus_ms(TIME_MAX_MS);
    while clock.now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(LOOK);
    }
    // It may have ended this very moment.
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn said(child: &mut Child) -> Option<Said> {
    let mut text = String::new();
    let stdout = child.stdout.take()?;
    stdout
        .take(VERDICT_BYTES_MAX)
        .read_to_string(&mut text)
        .ok()?;
    serde_json::from_str(&text).ok()
}

fn exit_of(code: u8) -> Exit {
    let known = Exit::ALL.into_iter().find(|exit| exit.code() == code);
    known.unwrap_or(Exit::Store)
}

/// `state verify`: verifies in this process and prints the verdict.
///
/// # Errors
/// Standard output failed.
pub fn verify_here(args: &VerifyArgs) -> Outcome {
    let size = args.file.metadata().map_or(0, |meta| meta.len());
    let count = |snapshot: &Snapshot| {
        let mut rows = snapshot.trades()?;
        rows.try_fold(0, |count: u64, row| row.map(|_| count + 1))
    };
    let read = store::look_with(&args.file, count)
        .and_then(|(header, history, trades)| Facts::of((&header, &history, trades), size));
    let (said, exit) = match read {
        Ok(facts) => (Said::Whole(facts), Exit::Ok),
        Err(error) => {
            let failed = unusable::journal_at(&args.file, error);
            let (exit, why) = (failed.exit.code(), failed.message);
            (Said::Unusable { exit, why }, failed.exit)
        }
    };
    let text = serde_json::to_string(&said)
        .map_err(|error| Failed::new(Exit::Internal, error.to_string()))?;
    crate::out::print_line(&text).map_err(|error| Failed::new(Exit::Failure, error.to_string()))?;
    Ok(exit)
}
