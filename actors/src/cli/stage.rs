//! `stage4-run` and `stage7-run`: profiles of `run` for the stages of a rollout.
//!
//! A profile says what it sets, and is otherwise the same engine. Both run the strategies of `STRATEGIES`; momentum and
//! portfolio rebalancing, which older rollouts had here, are not part of this build.

use crate::cli::RunArgs;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::resolve::{self, Forced};
use crate::cli::run;
use crate::signals::Signals;

/// Runs the engine as configured, and says so.
///
/// # Errors
/// As `run`.
pub fn stage4(args: &RunArgs, signals: Signals) -> Outcome {
    let profile =
        "profile stage4: the strategies of STRATEGIES, on the venue of the configuration\n";
    run::run(args, Some(profile), signals)
}

/// Runs the engine on the simulated venue only.
///
/// # Errors
/// Exit 6 if the configuration does not say `DRY_RUN=true` and `--dry-run` was not given; else as `run`.
pub fn stage7(args: &RunArgs, signals: Signals) -> Outcome {
    let forced = Forced {
        dry_run: args.dry_run,
        safe_mode: args.safe_mode,
    };
    let loaded = resolve::load(&args.source, forced)?;
    if !loaded.settings().safety.dry_run {
        let text = "stage7 sends nothing to the exchange: give --dry-run, or set DRY_RUN=true";
        return Err(Failed::new(Exit::Refused, text));
    }
    let profile = "profile stage7: the strategies of STRATEGIES, simulated venue only\n";
    run::run(args, Some(profile), signals)
}
