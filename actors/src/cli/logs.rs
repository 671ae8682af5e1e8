//! `logs`: more of the log for a while, and its last lines.

use crate::cli::exit::Outcome;
use crate::cli::running::{ANSWER_TIME_MAX, carry_out};
use crate::cli::safe_mode::Common;
use crate::control::logs::SetLevel;
use crate::control::wire::{Answer, Request};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::time::Duration;

/// `logs`.
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: LogsAction,
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum LogsAction {
    /// Log one target at another level; reverts by itself, and another wish replaces it
    Level {
        /// A module and a level, e.g. actors::driver=debug
        #[arg(value_name = "TARGET=LEVEL", value_parser = wish)]
        wish: (String, String),
        /// For how long, e.g. 10m; at most an hour
        #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = super::duration)]
        duration: Duration,
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
    /// Print the last 1,000 lines, without secrets
    Tail {
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
}

fn wish(text: &str) -> Result<(String, String), String> {
    let (target, level) = text
        .split_once('=')
        .ok_or("expected TARGET=LEVEL, e.g. actors::driver=debug")?;
    Ok((target.to_owned(), level.to_owned()))
}

/// Carries out `logs`.
///
/// # Errors
/// Exit 4 without a process, 2 for a wish that it does not understand.
pub fn logs(args: &LogsArgs) -> Outcome {
    let (request, common) = match &args.action {
        LogsAction::Level {
            wish: (target, level),
            duration,
            common,
        } => {
            let wish = SetLevel {
                target: target.clone(),
                level: level.clone(),
                seconds: duration.as_secs(),
            };
            (Request::LogsLevel(wish), common)
        }
        LogsAction::Tail { common } => (Request::LogsTail, common),
    };
    let place = (&common.source, common.json);
    carry_out("logs", place, (&request, ANSWER_TIME_MAX), text)
}

fn text(answer: &Answer) -> String {
    match answer.data["lines"].as_array() {
        Some(lines) => {
            let lines = lines.iter().filter_map(Value::as_str);
            lines.map(|line| format!("{line}\n")).collect()
        }
        None => format!("{}\n", answer.text),
    }
}
