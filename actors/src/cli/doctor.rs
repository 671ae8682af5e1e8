//! `doctor`: everything that can be checked about this installation, one row each, changing nothing.
//!
//! Rows are a table of plain functions. The one idea: a row that only looks at files is given no way to open a socket,
//! so `--pre` stays offline by its types.

mod facts;
mod host;
mod remote;
mod rows;
mod settings;
mod state;

use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::probe::Probe;
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::cli::{ConfigSource, DoctorArgs};
use config::load::Loaded;
use facts::Facts;
use rows::CHECKS;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Longest that one question to the exchange or to the process may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(5);

/// How a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Skip,
    Ok,
    Warn,
    Fail,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a check found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    status: Status,
    detail: String,
    fix: String,
}

impl Finding {
    fn ok(detail: impl Into<String>) -> Self {
        Self::new(Status::Ok, detail, "")
    }

    fn skip(detail: impl Into<String>) -> Self {
        Self::new(Status::Skip, detail, "")
    }

    fn warn(detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Status::Warn, detail, fix)
    }

    fn fail(detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Status::Fail, detail, fix)
    }

    fn new(status: Status, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            fix: fix.into(),
        }
    }
}

/// What a check may look at.
enum Look {
    /// This machine.
    Host(fn(&Facts) -> Finding),
    /// This machine, and a configuration that can be read.
    Configured(fn(&Facts, &Loaded) -> Finding),
    /// Also the exchange and the running process.
    Online(fn(&Facts, &Loaded, &Probe) -> Finding),
}

struct Check {
    category: &'static str,
    name: &'static str,
    /// Where a person reads on: a heading of the project's pages.
    docs: &'static str,
    look: Look,
}

/// Checks everything, or with `--pre` what needs neither network nor a process.
///
/// Exit 0 if nothing was found, 1 for warnings, 2 for a failure; `--strict` makes warnings failures.
///
/// # Errors
/// Exit 1 if the system gives no working directory or event queue, or standard output fails.
pub fn doctor(args: &DoctorArgs) -> Outcome {
    let facts = Facts::gather(&args.source)?;
    let probe = match args.pre {
        true => None,
        false => Some(probe()?),
    };
    let rows = examine(&facts, probe.as_ref());
    let verdict = verdict(&rows, args.strict);
    report(&rows, verdict).print(args.json, &text(&rows, verdict))?;
    Ok(verdict.exit())
}

/// What another command must know before it begins.
pub(crate) struct Troubles {
    /// Failed rows, each in one line.
    pub(crate) failed: Vec<String>,
    /// Rows with a warning.
    pub(crate) warned: Vec<String>,
}

/// Examines everything for a command that goes on only where nothing is wrong.
///
/// # Errors
/// As [`doctor`].
pub(crate) fn troubles(source: &ConfigSource, forced: Forced) -> Result<Troubles, Failed> {
    let facts = Facts::of(resolve::sources(source, forced)?);
    let rows = examine(&facts, Some(&probe()?));
    let of = |wanted: Status| {
        let rows = rows.iter().filter(|(_, finding)| finding.status == wanted);
        let line = |(check, finding): &Row<'_>| {
            format!("{}/{}: {}", check.category, check.name, finding.detail)
        };
        rows.map(line).collect()
    };
    Ok(Troubles {
        failed: of(Status::Fail),
        warned: of(Status::Warn),
    })
}

/// One row as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// `category/name`.
    pub(crate) name: String,
    /// ok, skip, warn or fail.
    pub(crate) status: &'static str,
    /// What was found.
    pub(crate) detail: String,
}

/// Examines everything for a command that judges rows by their names.
///
/// # Errors
/// As [`doctor`].
pub(crate) fn found(source: &ConfigSource, forced: Forced) -> Result<Vec<Found>, Failed> {
    let facts = Facts::of(resolve::sources(source, forced)?);
    let rows = examine(&facts, Some(&probe()?));
    let found = |(check, finding): Row<'_>| Found {
        name: format!("{}/{}", check.category, check.name),
        status: finding.status.as_str(),
        detail: finding.detail,
    };
    Ok(rows.into_iter().map(found).collect())
}

/// Returns what `doctor --json` shows as its data.
///
/// # Errors
/// As [`doctor`].
pub(crate) fn data(source: &ConfigSource) -> Result<Value, Failed> {
    let facts = Facts::gather(source)?;
    let rows = examine(&facts, Some(&probe()?));
    Ok(report(&rows, verdict(&rows, false)).data)
}

/// Whether a row of this name, `category/name`, is there.
#[cfg(test)]
pub(crate) fn has_row(name: &str) -> bool {
    let mut names = CHECKS
        .iter()
        .map(|check| format!("{}/{}", check.category, check.name));
    names.any(|known| known == name)
}

fn probe() -> Result<Probe, Failed> {
    Probe::new(QUESTION_LIMIT).map_err(|error| Failed::new(Exit::Failure, error.to_string()))
}

type Row<'c> = (&'c Check, Finding);

/// Runs every row; those that need the network are left out without a probe.
fn examine(facts: &Facts, probe: Option<&Probe>) -> Vec<Row<'static>> {
    let wanted = |check: &&Check| probe.is_some() || !matches!(check.look, Look::Online(_));
    let checks = CHECKS.iter().filter(wanted);
    checks
        .map(|check| (check, clean(facts, guarded(check, facts, probe))))
        .collect()
}

/// A check that breaks is a failed row, never the end of the doctor.
fn guarded(check: &Check, facts: &Facts, probe: Option<&Probe>) -> Finding {
    let run = || match (&check.look, &facts.loaded) {
        (Look::Host(look), _) => look(facts),
        (Look::Configured(_) | Look::Online(_), Err(_)) => {
            Finding::skip("the configuration cannot be read")
        }
        (Look::Configured(look), Ok(loaded)) => look(facts, loaded),
        (Look::Online(look), Ok(loaded)) => match probe {
            Some(probe) => look(facts, loaded, probe),
            None => Finding::skip("needs the network"),
        },
    };
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Finding::fail("the check itself broke", "please report it"))
}

/// The second line of defence: no row holds a secret, and none that slips in gets out.
fn clean(facts: &Facts, mut finding: Finding) -> Finding {
    if let Ok(loaded) = &facts.loaded {
        let redactor = loaded.secrets().redactor();
        finding.detail = redactor.redact(&finding.detail).into_owned();
        finding.fix = redactor.redact(&finding.fix).into_owned();
    }
    finding
}

/// The whole result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Warn,
    Fail,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }

    /// The doctor's own exit codes: 0, 1 for warnings, 2 for a failure.
    const fn exit(self) -> Exit {
        match self {
            Self::Pass => Exit::Ok,
            Self::Warn => Exit::Failure,
            Self::Fail => Exit::Usage,
        }
    }
}

fn verdict(rows: &[Row<'_>], is_strict: bool) -> Verdict {
    match rows.iter().map(|(_, finding)| finding.status).max() {
        Some(Status::Fail) => Verdict::Fail,
        Some(Status::Warn) if is_strict => Verdict::Fail,
        Some(Status::Warn) => Verdict::Warn,
        Some(Status::Ok | Status::Skip) | None => Verdict::Pass,
    }
}

fn count(rows: &[Row<'_>], status: Status) -> usize {
    let found = rows.iter().filter(|(_, finding)| finding.status == status);
    found.count()
}

fn report(rows: &[Row<'_>], verdict: Verdict) -> Report {
    let values: Vec<Value> = rows
        .iter()
        .map(|(check, finding)| {
            json!({
                "category": check.category,
                "name": check.name,
                "status": finding.status.as_str(),
                "detail": finding.detail,
                "fix": finding.fix,
                "docs": check.docs,
            })
        })
        .collect();
    let warned = rows
        .iter()
        .filter(|(_, finding)| finding.status == Status::Warn)
        .map(|(check, finding)| format!("{}/{}: {}", check.category, check.name, finding.detail));
    Report {
        command: "doctor",
        ok: verdict == Verdict::Pass,
        data: json!({"status": verdict.as_str(), "rows": values}),
        warnings: warned.collect(),
    }
}

fn text(rows: &[Row<'_>], verdict: Verdict) -> String {
    let mut text = String::new();
    for (check, finding) in rows {
        let name = format!("{}/{}", check.category, check.name);
        let detail = finding.detail.replace('\n', "\n      ");
        text.push_str(&format!(
            "{:4}  {name:24}  {detail}\n",
            finding.status.as_str()
        ));
        if !finding.fix.is_empty() {
            text.push_str(&format!("      -> {} ({})\n", finding.fix, check.docs));
        }
    }
    text.push_str(&format!(
        "{}: {} ok, {} warn, {} fail, {} skipped\n",
        verdict.as_str(),
        count(rows, Status::Ok),
        count(rows, Status::Warn),
        count(rows, Status::Fail),
        count(rows, Status::Skip),
    ));
    text
}

#[cfg(test)]
mod tests;
