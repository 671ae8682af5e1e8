//! `kill-switch`: what is latched, trip, and reset.
//!
//! A trip works in every state of the process: over the socket, by signal and file if it hangs, by the file alone if
//! there is none. A reset is the running process's to grant; what it needs, `status` shows.

use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::running::{self, ANSWER_TIME_MAX, carry_out};
use crate::cli::safe_mode::Common;
use crate::cli::status_cmd::order_line;
use crate::clock::Clock;
use crate::control::client::AskError;
use crate::control::kill_switch::{Reset, kill_json};
use crate::control::wire::{Answer, Request, Verdict, Why};
use crate::latch;
use crate::locks;
use clap::{Args, Subcommand};
use engine::kill::Kill;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Longest wait for a process to take a trip; then it counts as hung.
const TRIP_TIME_MAX: Duration = Duration::from_secs(1);

/// `kill-switch`.
#[derive(Args, Debug)]
pub struct KillSwitchArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: KillSwitchAction,
}

/// What to do with the kill switch.
#[derive(Debug, Subcommand)]
pub enum KillSwitchAction {
    /// What is latched since when, and everything a reset needs, with its value
    Status {
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
    /// No order from this moment on, own orders are cancelled, and no restart ends it; never refused, also without a
    /// process
    Trip {
        /// Why; written down
        #[arg(long, default_value = "")]
        reason: String,
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
    /// End the trip that `status` names; leaves safe mode on and the process disarmed until a restart
    Reset {
        /// The trip's id, as `status` shows it
        #[arg(long, value_name = "ID")]
        latch: u64,
        /// Why; written down before it acts
        #[arg(long)]
        reason: String,
        /// The third reset within 24 hours, all the same
        #[arg(long)]
        forgive: bool,
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
}

/// Carries out `kill-switch`.
///
/// # Errors
/// Exit codes as in the help.
pub fn kill_switch(args: &KillSwitchArgs) -> Outcome {
    match &args.action {
        KillSwitchAction::Status { common } => status(common),
        KillSwitchAction::Trip { reason, common } => trip(reason, common),
        KillSwitchAction::Reset {
            latch,
            reason,
            forgive,
            common,
        } => {
            let request = Request::KillReset(Reset {
                latch: *latch,
                reason: reason.clone(),
                forgive: *forgive,
            });
            let place = (&common.source, common.json);
            carry_out("kill-switch", place, (&request, ANSWER_TIME_MAX), shown)
        }
    }
}

fn status(common: &Common) -> Outcome {
    let request = Request::KillStatus;
    match running::ask(&common.source, &request, ANSWER_TIME_MAX)? {
        Ok(_) | Err(AskError::Denied(_) | AskError::Silent(..)) => {
            let place = (&common.source, common.json);
            carry_out("kill-switch", place, (&request, ANSWER_TIME_MAX), shown)
        }
        Err(AskError::NotRunning(_)) => {
            let dir = running::state_dir(&common.source)?;
            let file = latch::on_file(&dir);
            let text = match &file {
                None => "the file of the latch is not there; the journal may hold one, and a start obeys either".to_owned(),
                Some(None) => "killed by a file that does not tell why".to_owned(),
                Some(Some(kill)) => format!("killed as {}: {}", kill.id, kill.cause.as_str()),
            };
            let kill = file.as_ref().and_then(Option::as_ref);
            offline(common, file.is_some(), kill, &text)
        }
    }
}

fn trip(reason: &str, common: &Common) -> Outcome {
    let dir = running::state_dir(&common.source)?;
    let request = Request::KillTrip(Why {
        reason: reason.to_owned(),
    });
    match running::ask(&common.source, &request, TRIP_TIME_MAX)? {
        Ok(Answer {
            verdict: Verdict::BadRequest | Verdict::Busy,
            ..
        })
        | Err(AskError::NotRunning(_) | AskError::Silent(..)) => by_file(&dir, reason, common),
        Ok(answer) => {
            let report = Report {
                command: "kill-switch",
                ok: answer.verdict == Verdict::Done,
                data: told(&answer),
                warnings: Vec::new(),
            };
            report.print(common.json, &shown(&answer))?;
            Ok(running::exit_of(answer.verdict))
        }
        Err(error @ AskError::Denied(_)) => Err(running::unanswered(&error)),
    }
}

/// The way in where nobody answers: a signal shuts the gate of a process that hangs, and the file kills it.
fn by_file(dir: &Path, reason: &str, common: &Common) -> Outcome {
    let holder = locks::holder(dir);
    let signalled = holder.as_deref().and_then(pid_of).map(|pid| {
        // One that has just gone needs no signal.
        kill_process(pid, Signal::USR1).is_ok()
    });
    let by = format!("uid {}", rustix::process::geteuid().as_raw());
    if !dir.exists() {
        locks::private_dir(dir)
            .map_err(|error| Failed::new(Exit::Permission, error.to_string()))?;
    }
    let kill = latch::trip_by_file(dir, (reason, &by), &Clock::start());
    let kill = kill.map_err(|error| {
        let path = dir.join(latch::LATCH_NAME);
        Failed::new(Exit::Store, format!("{}: {error}", path.display()))
    })?;
    let how = match (holder, signalled) {
        (None, _) => "no process is running; the next start obeys the file".to_owned(),
        (Some(holder), Some(true)) => format!(
            "{holder} did not answer: its gate was shut by signal, and it obeys the file when it moves; if it does \
             not, end it and use `btcbot orders cancel-all --offline`"
        ),
        (Some(holder), Some(false) | None) => {
            format!(
                "{holder} holds the state directory and could not be signalled; the file is made"
            )
        }
    };
    offline(
        common,
        true,
        Some(&kill),
        &format!("killed as {}: {how}", kill.id),
    )
}

fn pid_of(holder: &str) -> Option<Pid> {
    let rest = holder.strip_prefix("process ")?;
    let number: i32 = rest.split(',').next()?.parse().ok()?;
    (number > 0).then(|| Pid::from_raw(number)).flatten()
}

fn offline(common: &Common, is_killed: bool, kill: Option<&Kill>, text: &str) -> Outcome {
    let report = Report {
        command: "kill-switch",
        ok: true,
        data: json!({
            "killed": is_killed,
            "kill": kill.map(kill_json),
            "running": false,
            "text": text,
        }),
        warnings: Vec::new(),
    };
    report.print(common.json, &format!("{text}\n"))?;
    Ok(Exit::Ok)
}

fn told(answer: &Answer) -> Value {
    let mut data = answer.data.clone();
    data["verdict"] = json!(answer.verdict);
    data["text"] = json!(answer.text);
    data
}

fn shown(answer: &Answer) -> String {
    let data = &answer.data;
    if !data.is_object() {
        return String::new();
    }
    let mut lines = vec![answer.text.clone()];
    if let Some(kill) = data["kill"].as_object() {
        let word = |name: &str| kill[name].as_str().unwrap_or_default().to_owned();
        lines.push(format!(
            "latch      {} for {}, by {}{}",
            kill["id"],
            word("cause"),
            word("by"),
            if word("reason").is_empty() {
                String::new()
            } else {
                format!(": {}", word("reason"))
            },
        ));
    }
    for one in data["preconditions"].as_array().into_iter().flatten() {
        lines.push(format!(
            "needs      {} {}: is {}, must be {}",
            if one["ok"] == Value::Bool(true) {
                "ok  "
            } else {
                "FAIL"
            },
            one["name"].as_str().unwrap_or("?"),
            one["seen"].as_str().unwrap_or("?"),
            one["allowed"].as_str().unwrap_or("?"),
        ));
    }
    let orders = data["orders"].as_array().into_iter().flatten();
    lines.extend(orders.map(|order| order_line(data, order)));
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_the_lock_is_found_by_its_note() {
        let check = |note: &str, expected: Option<i32>| {
            assert_eq!(pid_of(note).map(Pid::as_raw_pid), expected, "{note}");
        };
        check("process 4711, run x-1", Some(4_711));
        check("another process", None);
        check("process 0, run x-1", None);
        check("process -1, run", None);
    }
}
