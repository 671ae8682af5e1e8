//! `reload`: the same as HUP, with an answer.

use crate::cli::exit::Outcome;
use crate::cli::running::carry_out;
use crate::cli::safe_mode::Common;
use crate::control::wire::{Request, Why};
use clap::Args;
use std::time::Duration;

/// Longest wait: new credentials are tried with a read, which may be repeated.
const RELOAD_TIME_MAX: Duration = Duration::from_secs(120);

/// `reload`.
#[derive(Args, Debug)]
pub struct ReloadArgs {
    /// Why; written down
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
}

/// Asks the running process to read its configuration again.
///
/// # Errors
/// Exit 4 without a process, 6 with every reason why the old configuration stays.
pub fn reload(args: &ReloadArgs) -> Outcome {
    let request = Request::Reload(Why {
        reason: args.reason.clone(),
    });
    let place = (&args.common.source, args.common.json);
    carry_out("reload", place, (&request, RELOAD_TIME_MAX), |answer| {
        format!("{}\n", answer.text)
    })
}
