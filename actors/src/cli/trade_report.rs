//! `report`: what was traded, out of the journal's history: sums as text, or three files for accounting.
//!
//! It computes no figure that the books do not have and asks no exchange. The one idea: it reads one moment of the
//! journal, beside a running process a copy that the process makes, and the same moment gives the same bytes.

mod csv;
mod days;
mod html;
mod read;
mod sums;

use crate::cli::ConfigSource;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::running;
use crate::cli::version::BUILD;
use crate::clock::Clock;
use clap::Args;
use days::{Days, Wanted};
use read::Told;
use serde_json::{Value, json};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Name of the list of trades.
pub const CSV_NAME: &str = "trades.csv";
/// Name of the sums for programs.
pub const JSON_NAME: &str = "report.json";
/// Name of the sums for people.
pub const HTML_NAME: &str = "report.html";

/// `report`.
#[derive(Args, Debug)]
pub struct TradesArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// The first day, UTC: 2026-01-31 or today; without it the first trade
    #[arg(long, value_name = "DAY", value_parser = days::wanted)]
    pub from: Option<Wanted>,
    /// The last day, UTC, itself included: 2026-01-31 or today; without it the last trade
    #[arg(long, value_name = "DAY", value_parser = days::wanted)]
    pub to: Option<Wanted>,
    /// Write trades.csv, report.json and report.html there; the directory is made, files of these names are replaced
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Read this journal or backup in place of the configured one
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Reports what was traded.
///
/// # Errors
/// Exit 2 for days in the wrong order, 4 if a process holds the journal and does not answer, 74 if the journal cannot
/// be read, 77 or 1 if a file cannot be written; 3 without an error if history and books differ.
pub fn report(args: &TradesArgs) -> Outcome {
    let days = Days::between(args.from, args.to, Clock::start().now())?;
    let config_hash = match &args.file {
        Some(_) => None,
        None => Some(running::settings(&args.source)?.config_hash().to_owned()),
    };
    let out = args.out.as_deref().map(Out::begin).transpose()?;
    let list = out.as_ref().map(|out| out.writer(CSV_NAME)).transpose()?;
    let told = read::read(args, days, list)?;
    let data = data(&told, days, config_hash);
    if let Some(out) = &out {
        let text = serde_json::to_string_pretty(&data)
            .map_err(|error| Failed::new(Exit::Internal, error.to_string()))?;
        out.write(JSON_NAME, &format!("{text}\n"))?;
        out.write(HTML_NAME, &html::page(&data))?;
        out.publish()?;
    }
    let report = Report {
        command: "report",
        ok: told.agrees != Some(false),
        warnings: warnings(&told, days),
        data,
    };
    report.print(args.json, &text(&report, args.out.as_deref()))?;
    Ok(if report.ok {
        Exit::Ok
    } else {
        Exit::CheckFailed
    })
}

/// The figures of the report: the same in `report.json`, in the page and on standard output.
fn data(told: &Told, days: Days, config_hash: Option<String>) -> Value {
    json!({
        "schema": "btcbot.trades/v1",
        "venue": told.header.venue,
        "account": told.header.account_tag,
        "from": days.first(),
        "to": days.last(),
        "complete_from": told.reach.map(|reach| days::moment(reach.complete_from)),
        "is_complete": is_complete(told, days),
        "removed": told.reach.map_or(0, |reach| reach.removed),
        "agrees_with_books": told.agrees,
        "trades": told.sums.trades(),
        "valued_in": told.quote,
        "realised_net": told.sums.realised(),
        "pairs": sums::pairs(&told.sums),
        "days": sums::by_day(&told.by_day),
        "config_hash": config_hash,
        "version": BUILD.version,
        "git_sha": BUILD.git_sha,
    })
}

/// Whether every trade of these days that was ever booked is in the report.
fn is_complete(told: &Told, days: Days) -> bool {
    told.reach.is_some_and(|reach| {
        reach.is_whole
            || days
                .start()
                .is_some_and(|start| start >= reach.complete_from)
    })
}

fn warnings(told: &Told, days: Days) -> Vec<String> {
    let mut warnings = Vec::new();
    match told.reach {
        None => warnings.push(
            "this journal has no trade history yet: it begins with the next start of the engine"
                .to_owned(),
        ),
        Some(reach) if !is_complete(told, days) => warnings.push(format!(
            "trades before {} are not in it",
            days::moment(reach.complete_from)
        )),
        Some(_) => {}
    }
    let unvalued: u64 = told.sums.pairs().map(|(_, sums)| sums.unvalued).sum();
    if unvalued > 0 {
        warnings.push(format!("{unvalued} trades do not tell what they realised"));
    }
    if told.agrees == Some(false) {
        warnings.push(
            "the history and the books of this journal differ: keep a backup and ask".to_owned(),
        );
    }
    warnings
}

fn text(report: &Report, out: Option<&Path>) -> String {
    let mut text = sums::text(&report.data);
    for warning in &report.warnings {
        text += &format!("note: {warning}\n");
    }
    if let Some(out) = out {
        text += &format!(
            "written: {CSV_NAME}, {JSON_NAME} and {HTML_NAME} in {}\n",
            out.display()
        );
    }
    text
}

/// The directory that the files go to: all of them get their names at the end, or none.
struct Out {
    dir: PathBuf,
}

impl Out {
    fn begin(dir: &Path) -> Result<Self, Failed> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| unwritable(dir, &error))?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    fn part(&self, name: &str) -> PathBuf {
        self.dir.join(format!(".{name}.part"))
    }

    fn writer(&self, name: &str) -> Result<io::BufWriter<fs::File>, Failed> {
        let path = self.part(name);
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path);
        opened
            .map(io::BufWriter::new)
            .map_err(|error| unwritable(&path, &error))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failed> {
        let mut file = self.writer(name)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.flush());
        written.map_err(|error| unwritable(&self.part(name), &error))
    }

    fn publish(&self) -> Result<(), Failed> {
        for name in [CSV_NAME, JSON_NAME, HTML_NAME] {
            let path = self.dir.join(name);
            fs::rename(self.part(name), &path).map_err(|error| unwritable(&path, &error))?;
        }
        Ok(())
    }
}

impl Drop for Out {
    /// What was not published is of no use; what stays is replaced by the next report.
    fn drop(&mut self) {
        for name in [CSV_NAME, JSON_NAME, HTML_NAME] {
            let _ = fs::remove_file(self.part(name));
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failed {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::Permission,
        _ => Exit::Failure,
    };
    Failed::new(exit, format!("--out: {}: {error}", path.display()))
}
