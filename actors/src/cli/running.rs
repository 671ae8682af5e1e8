//! Asking the running process: where its socket is, and what its answer means for a command.
//!
//! It needs no secret, and a broken configuration does not hide a process that was started with a good one.

use crate::cli::ConfigSource;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::control::client::{self, AskError};
use crate::control::place::socket_path;
use crate::control::wire::{Answer, Request, Verdict};
use config::load::{Loaded, Sources};
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for an answer that needs nothing but the process.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// What an answer may take beyond the wait that was asked for.
pub const MARGIN: Duration = Duration::from_secs(15);
/// Environment names that say where the state is; systemd's is the weaker one.
const STATE_NAMES: [&str; 2] = ["BTCBOT__STATE__DIR", "STATE_DIRECTORY"];

/// Reads the configuration without secrets.
///
/// # Errors
/// Exit 78, 77 or 2, as every command that reads the configuration.
pub fn settings(source: &ConfigSource) -> Result<Loaded, Failed> {
    let mut sources = resolve::sources(source, Forced::default())?;
    sources.reads_secrets = false;
    config::load::load(sources).map_err(|errors| resolve::refused(&errors))
}

/// Returns the state directory. Where the configuration cannot be read, environment and default say where it is.
///
/// # Errors
/// Exit 2 if the command line itself is wrong, 1 without a working directory.
pub fn state_dir(source: &ConfigSource) -> Result<PathBuf, Failed> {
    match settings(source) {
        Ok(loaded) => Ok(loaded.settings().state.dir.clone()),
        Err(failed) if failed.exit == Exit::Usage => Err(failed),
        Err(_) => {
            let sources = resolve::sources(source, Forced::default())?;
            let named = STATE_NAMES
                .iter()
                .find_map(|name| sources.env.get(OsStr::new(name)).map(first_of));
            let Sources {
                env,
                working_dir,
                now,
                ..
            } = sources;
            let defaults = config::load::load(Sources::demo(env, working_dir, now))
                .map_err(|errors| resolve::refused(&errors))?;
            Ok(named.unwrap_or_else(|| defaults.settings().state.dir.clone()))
        }
    }
}

/// systemd may name several directories; the first one is ours.
fn first_of(value: &OsString) -> PathBuf {
    let text = value.to_string_lossy();
    PathBuf::from(text.split(':').next().unwrap_or_default())
}

/// Asks the running process.
///
/// # Errors
/// What [`state_dir`] gives, or the reason why there is no answer.
pub fn ask(
    source: &ConfigSource,
    request: &Request,
    within: Duration,
) -> Result<Result<Answer, AskError>, Failed> {
    let path = socket_path(&state_dir(source)?);
    Ok(client::ask(&path, request, within))
}

/// Turns the lack of an answer into the end of a command.
pub fn unanswered(error: &AskError) -> Failed {
    match error {
        AskError::NotRunning(_) => Failed::new(Exit::NotRunning, error.to_string()),
        AskError::Denied(_) => Failed::new(Exit::Permission, error.to_string()),
        AskError::Silent(..) => Failed::new(
            Exit::NotRunning,
            format!(
                "{error}; if it hangs: USR1 shuts its gate, KILL ends it, and then \
                 `btcbot orders cancel-all --offline` cancels"
            ),
        ),
    }
}

/// The exit code of an answer.
pub const fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Done => Exit::Ok,
        Verdict::BadRequest => Exit::Usage,
        Verdict::NotFound => Exit::CheckFailed,
        Verdict::Refused => Exit::Refused,
        Verdict::Deadline => Exit::Deadline,
        Verdict::Unreachable => Exit::Unreachable,
        Verdict::Denied => Exit::Permission,
        Verdict::NotRecorded => Exit::Store,
        Verdict::Busy => Exit::NotRunning,
    }
}

/// Asks, prints and concludes. `shown` makes the text for people out of the data; a refusal goes to stderr.
///
/// # Errors
/// No answer, or a refusal without `--json`.
pub fn carry_out(
    command: &'static str,
    (source, as_json): (&ConfigSource, bool),
    (request, within): (&Request, Duration),
    shown: impl Fn(&Answer) -> String,
) -> Outcome {
    let answer = match ask(source, request, within)? {
        Ok(answer) => answer,
        Err(error) => return no_answer(command, as_json, &error),
    };
    let exit = exit_of(answer.verdict);
    let report = report(command, &answer);
    let is_shown = exit == Exit::Ok || answer.data.is_object();
    if as_json || is_shown {
        report.print(as_json, &shown(&answer))?;
    }
    if exit == Exit::Ok || as_json {
        return Ok(exit);
    }
    Err(Failed::new(exit, answer.text))
}

/// # Errors
/// Always without `--json`.
fn no_answer(command: &'static str, as_json: bool, error: &AskError) -> Outcome {
    let failed = unanswered(error);
    if !as_json {
        return Err(failed);
    }
    let report = Report {
        command,
        ok: false,
        data: json!({ "verdict": "not_running", "text": failed.message }),
        warnings: Vec::new(),
    };
    report.print(true, "")?;
    Ok(failed.exit)
}

fn report(command: &'static str, answer: &Answer) -> Report {
    let mut data = match &answer.data {
        Value::Object(members) => members.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            serde_json::Map::new()
        }
    };
    data.insert("verdict".to_owned(), json!(answer.verdict));
    data.insert("text".to_owned(), json!(answer.text));
    data.insert("reasons".to_owned(), json!(answer.reasons));
    Report {
        command,
        ok: answer.verdict == Verdict::Done,
        data: Value::Object(data),
        warnings: Vec::new(),
    }
}
