//! `safe-mode`: the same hand as USR1 and USR2, with an answer.
//!
//! On is immediate and never refused; off needs every precondition, and a refusal names them all.

use crate::cli::exit::Outcome;
use crate::cli::running::{ANSWER_TIME_MAX, carry_out};
use crate::cli::{ConfigSource, status_cmd};
use crate::control::wire::{Answer, Request, Why};
use clap::{Args, Subcommand};
use serde_json::Value;

/// `safe-mode`.
#[derive(Args, Debug)]
pub struct SafeModeArgs {
    /// On, off or status.
    #[command(subcommand)]
    pub action: SafeModeAction,
}

/// What to do with safe mode.
#[derive(Debug, Subcommand)]
pub enum SafeModeAction {
    /// No new orders from this moment on, and own orders are cancelled; never refused
    On {
        /// Why; written down
        #[arg(long, default_value = "")]
        reason: String,
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
    /// Ask for its end: needs a clean look at the account, no unknown order, a good clock; never arms
    Off {
        /// Why; written down before it acts
        #[arg(long)]
        reason: String,
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
    /// The mode, and who asks for it since when
    Status {
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
}

/// What commands to a running process share.
#[derive(Args, Debug)]
pub struct Common {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Carries out `safe-mode`.
///
/// # Errors
/// Exit 4 without a process, 6 with every reason of a refusal, 74 if it could not be written down.
pub fn safe_mode(args: &SafeModeArgs) -> Outcome {
    let (request, common) = match &args.action {
        SafeModeAction::On { reason, common } => (Request::SafeModeOn(why(reason)), common),
        SafeModeAction::Off { reason, common } => (Request::SafeModeOff(why(reason)), common),
        SafeModeAction::Status { common } => (Request::Status, common),
    };
    let place = (&common.source, common.json);
    carry_out("safe-mode", place, (&request, ANSWER_TIME_MAX), shown)
}

fn why(reason: &str) -> Why {
    Why {
        reason: reason.to_owned(),
    }
}

fn shown(answer: &Answer) -> String {
    let mode: Vec<String> = status_cmd::mode_lines(&answer.data);
    let gate = status_cmd::words(&answer.data, "gate");
    let gate = if gate.is_empty() {
        "open".to_owned()
    } else {
        format!("shut: {}", gate.join(", "))
    };
    let is_silent = answer.data == Value::Null;
    if is_silent {
        return String::new();
    }
    format!("{}\ngate       {gate}\n", mode.join("\n"))
}
