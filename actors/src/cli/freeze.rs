//! `freeze`: takes one pair out of trading while the others go on.
//!
//! A frozen pair takes no new risk and its own orders are cancelled; what reduces a position still passes, and so does
//! every cancel. On is immediate and lasts over restarts; clear is written down before it acts.

use crate::cli::exit::Outcome;
use crate::cli::running::{ANSWER_TIME_MAX, carry_out};
use crate::cli::safe_mode::Common;
use crate::cli::status_cmd;
use crate::control::hold::Freeze;
use crate::control::wire::{Answer, Request};
use clap::{Args, Subcommand};

/// `freeze`.
#[derive(Args, Debug)]
pub struct FreezeArgs {
    /// On, status or clear.
    #[command(subcommand)]
    pub action: FreezeAction,
}

/// What to do with a freeze.
#[derive(Debug, Subcommand)]
pub enum FreezeAction {
    /// No new risk on a pair from this moment on, and its orders are cancelled; outlives restarts
    On(Which),
    /// The frozen pairs: who, why, since when
    Status {
        /// Where and how.
        #[command(flatten)]
        common: Common,
    },
    /// Let the pair trade again; written down before it acts
    Clear(Which),
}

/// A pair and why.
#[derive(Args, Debug)]
pub struct Which {
    /// A configured pair, e.g. BTCTRY
    pub symbol: String,
    /// Why; written down
    #[arg(long)]
    pub reason: String,
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
}

impl Which {
    fn freeze(&self) -> Freeze {
        Freeze {
            symbol: self.symbol.clone(),
            reason: self.reason.clone(),
        }
    }
}

/// Carries out `freeze`.
///
/// # Errors
/// Exit 2 for a pair that is not configured, 3 for one that is not frozen, 4 without a process.
pub fn freeze(args: &FreezeArgs) -> Outcome {
    let (request, common) = match &args.action {
        FreezeAction::On(which) => (Request::FreezeOn(which.freeze()), &which.common),
        FreezeAction::Clear(which) => (Request::FreezeClear(which.freeze()), &which.common),
        FreezeAction::Status { common } => (Request::Status, common),
    };
    let place = (&common.source, common.json);
    carry_out("freeze", place, (&request, ANSWER_TIME_MAX), shown)
}

fn shown(answer: &Answer) -> String {
    if !answer.data.is_object() {
        return String::new();
    }
    let frozen = status_cmd::voice_lines(&answer.data, |voice| voice["code"] == "operator_freeze");
    if frozen.is_empty() {
        return "no pair is frozen by an operator\n".to_owned();
    }
    format!("frozen\n{}\n", frozen.join("\n"))
}
