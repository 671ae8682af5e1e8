//! `support-bundle`: one file with what somebody else needs to help.
//!
//! Every part comes from whoever shows it anyway: status, difference and log from the running process, which cleans
//! them; configuration, doctor and metrics from the same code as their commands. A redactor over the whole text is the
//! second line of defence.

use crate::cli::ConfigSource;
use crate::cli::doctor;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::health::plane_url;
use crate::cli::probe::Probe;
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::cli::running::{self, ANSWER_TIME_MAX};
use crate::cli::version;
use crate::clock::Clock;
use crate::control::wire::Request;
use clap::Args;
use config::load::Loaded;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for the plane.
const PLANE_TIME_MAX: Duration = Duration::from_secs(3);

/// `support-bundle`.
#[derive(Args, Debug)]
pub struct BundleArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// The file to make, JSON, mode 0600; one that is there is not replaced
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Makes the file.
///
/// # Errors
/// Exit 1: the file is there already, or cannot be written.
pub fn bundle(args: &BundleArgs) -> Outcome {
    let loaded = resolve::load(&args.source, Forced::default());
    let bundle = json!({
        "schema": "btcbot.support-bundle/v1",
        "made_us": Clock::start().now().0,
        "build": version::facts(),
        "status": asked(&args.source, &Request::Status),
        "difference": asked(&args.source, &Request::ConfigDiff),
        "log": asked(&args.source, &Request::LogsTail),
        "config": configuration(&loaded),
        "doctor": doctor::data(&args.source)?,
        "metrics": loaded.as_ref().map_or_else(|failed| failed.message.clone(), metrics),
    });
    let text = clean(&loaded, format!("{bundle:#}\n"));
    write(&args.out, &text).map_err(|error| {
        let text = format!("--out {}: {error}", args.out.display());
        Failed::new(Exit::Failure, text)
    })?;
    let report = Report {
        command: "support-bundle",
        ok: true,
        data: json!({"file": args.out.display().to_string(), "bytes": text.len()}),
        warnings: Vec::new(),
    };
    let said = format!(
        "{}: {} bytes; read it before you send it\n",
        args.out.display(),
        text.len()
    );
    report.print(args.json, &said)?;
    Ok(Exit::Ok)
}

/// A process that does not answer is part of the story, not its end.
fn asked(source: &ConfigSource, request: &Request) -> Value {
    match running::ask(source, request, ANSWER_TIME_MAX) {
        Ok(Ok(answer)) => json!(answer),
        Ok(Err(error)) => json!({"error": error.to_string()}),
        Err(failed) => json!({"error": failed.message}),
    }
}

fn configuration(loaded: &Result<Loaded, Failed>) -> Value {
    match loaded {
        Err(failed) => json!({"error": failed.message}),
        Ok(loaded) => {
            let row = |row: config::load::Row| json!([row.key, row.value, row.origin]);
            json!({
                "hash": loaded.config_hash(),
                "settings": loaded.show().into_iter().map(row).collect::<Vec<_>>(),
                "warnings": loaded.warnings(),
            })
        }
    }
}

fn metrics(loaded: &Loaded) -> String {
    let url = plane_url(&loaded.settings().ops);
    let probe = match Probe::new(PLANE_TIME_MAX) {
        Ok(probe) => probe,
        Err(error) => return error.to_string(),
    };
    match probe.plane(&url, "/metrics") {
        Ok(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
        Err(error) => error.to_string(),
    }
}

fn clean(loaded: &Result<Loaded, Failed>, text: String) -> String {
    match loaded {
        Ok(loaded) => loaded.secrets().redactor().redact(&text).into_owned(),
        Err(_) => text,
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file?.write_all(text.as_bytes())
}
