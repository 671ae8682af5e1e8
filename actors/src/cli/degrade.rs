//! `degrade`: the operator's own step down, for a while; and who asks for which mode.
//!
//! It only tightens. What ends is the operator's own contribution; every other one keeps its effect.

use crate::cli::exit::Outcome;
use crate::cli::running::{ANSWER_TIME_MAX, carry_out};
use crate::cli::safe_mode::Common;
use crate::cli::{duration, status_cmd};
use crate::control::hold::Override;
use crate::control::wire::{Answer, Request, Why};
use clap::{Args, Subcommand};
use std::time::Duration;

/// `degrade`.
#[derive(Args, Debug)]
pub struct DegradeArgs {
    /// Status, override or clear.
    #[command(subcommand)]
    pub action: DegradeAction,
}

/// What to do with the step down.
#[derive(Debug, Subcommand)]
pub enum DegradeAction {
    /// The mode, and every contribution: source, code, reach, since
    Status {
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
    /// REDUCE_RISK_ONLY or OBSERVE_ONLY for a while, over restarts; never looser than what stands
    Override {
        /// REDUCE_RISK_ONLY or OBSERVE_ONLY
        mode: String,
        /// How long, e.g. 30m, 2h; at most a week
        #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
        hold_for: Duration,
        /// Why; written down
        #[arg(long)]
        reason: String,
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
    /// End the override before its time; written down before it acts, and other contributions stay
    Clear {
        /// Why; written down
        #[arg(long)]
        reason: String,
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
}

/// Carries out `degrade`.
///
/// # Errors
/// Exit 2 for a wrong mode or time, 3 without an override, 4 without a process, 6 where it would loosen.
pub fn degrade(args: &DegradeArgs) -> Outcome {
    let (request, common) = match &args.action {
        DegradeAction::Status { common } => (Request::Status, common),
        DegradeAction::Override {
            mode,
            hold_for,
            reason,
            common,
        } => {
            let ask = Override {
                mode: mode.clone(),
                for_s: hold_for.as_secs(),
                reason: reason.clone(),
            };
            (Request::DegradeOverride(ask), common)
        }
        DegradeAction::Clear { reason, common } => {
            let reason = reason.clone();
            (Request::DegradeClear(Why { reason }), common)
        }
    };
    let place = (&common.source, common.json);
    carry_out("degrade", place, (&request, ANSWER_TIME_MAX), shown)
}

fn shown(answer: &Answer) -> String {
    if !answer.data.is_object() {
        return String::new();
    }
    let mode = status_cmd::mode_lines(&answer.data);
    if mode.len() == 1 {
        return format!("{}\n           nobody asks for less\n", mode.join("\n"));
    }
    format!("{}\n", mode.join("\n"))
}
