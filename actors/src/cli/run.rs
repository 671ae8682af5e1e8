//! `run`: the engine as configured, until it is asked to stop.
//!
//! Blocked is a state, not a failure: whatever the configuration says, the process reconciles, cancels what it may
//! cancel, and tells why it does not trade.

pub(crate) mod place;
pub(crate) mod ready;

use crate::cli::closing::Closing;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::resolve::{self, Forced};
use crate::cli::unusable;
use crate::cli::{ConfigSource, RunArgs};
use crate::observer::{Observed, Standing, Watcher};
use crate::operate::{self, Until};
use crate::out::{ReaderGone, Voice};
use crate::reload::Again;
use crate::signals::Signals;
use crate::status::Status;
use config::arming::{Assessment, Venue};
use config::load::Loaded;
use ready::{Wish, prepare};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long `--once` waits to become ready.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(60);

/// Runs the engine; `profile` is a line about it for people.
///
/// # Errors
/// Configuration, permissions, a held lock, an unusable journal, or a port in use.
pub fn run(args: &RunArgs, profile: Option<&str>, mut signals: Signals) -> Outcome {
    let forced = Forced {
        dry_run: args.dry_run,
        safe_mode: args.safe_mode,
    };
    let loaded = Arc::new(resolve::load(&args.source, forced)?);
    config::secrets::credentials_usable(loaded.settings(), loaded.secrets())
        .map_err(|error| Failed::new(Exit::Permission, error.to_string()))?;
    let voice = Voice::start(args.json, ReaderGone::IsIgnored);
    if let Some(profile) = profile {
        voice.say(profile);
    }
    let again = again(args.source.clone(), forced);
    actix_rt::System::new()
        .block_on(async { trade(args, voice, loaded, again, &mut signals).await })
}

async fn trade(
    args: &RunArgs,
    voice: Voice,
    loaded: Arc<Loaded>,
    again: Again,
    signals: &mut Signals,
) -> Outcome {
    let wish = Wish {
        settings: Arc::new(loaded.settings().clone()),
        loaded,
        voice: voice.clone(),
        watcher: mode_lines(voice.clone()),
        again: Some(again),
    };
    let ready = prepare(wish, signals).await?;
    let until = Until {
        elapsed: args.run_for,
        cycles: if args.once { Some(1) } else { args.max_cycles },
        ready_within: args.once.then_some(READY_WITHIN),
        ..Until::default()
    };
    let ended = operate::operate(ready.setup, signals, until, async |_reads| ())
        .await
        .map_err(unusable::journal)?;
    let status = ready.status.read();
    let status = status.expect("no holder of the status can panic").clone();
    let closing = Closing::new(&ended, &status, orderly(args, &ready.assessment));
    ready.beside.stop(&closing.ending());
    report(args, &closing, &status, &voice);
    Ok(closing.exit)
}

fn again(source: ConfigSource, forced: Forced) -> Again {
    Arc::new(move || resolve::load(&source, forced).map_err(|failed| failed.message))
}

/// One line on stdout whenever the mode or its reasons change.
fn mode_lines(voice: Voice) -> Watcher {
    let last: Mutex<String> = Mutex::default();
    Arc::new(move |observed: &Observed, _status: &Status| {
        let Observed::Standing(Standing::Mode(report)) = observed else {
            return;
        };
        let codes: Vec<&str> = report
            .voices
            .iter()
            .map(|voice| voice.code.as_str())
            .collect();
        let line = format!("mode {} {}", report.mode.as_str(), codes.join(", "));
        let mut last = last.lock().expect("nobody panics with the last line");
        if *last == line {
            return;
        }
        voice.say(&format!("{}\n", line.trim_end()));
        *last = line;
    })
}

/// The code of an orderly end.
fn orderly(args: &RunArgs, assessment: &Assessment) -> Exit {
    // A live process that may not trade has done everything else it could.
    if args.once && assessment.venue == Venue::Live && !assessment.is_armed() {
        return Exit::Refused;
    }
    Exit::Ok
}

/// Says what was done, to people or as one JSON object. The exit code is the verdict, whoever still reads.
fn report(args: &RunArgs, closing: &Closing<'_>, status: &Status, voice: &Voice) {
    let counts = status.counts;
    let data = json!({
        "armed": status.identity.is_armed,
        "intents": counts.intents,
        "denied": counts.denied,
        "submitted": counts.submitted,
        "accepted": counts.accepted,
        "fills": counts.fills,
        "cancels": counts.cancels,
        "unknown_orders": status.unknown_orders(),
        "equity": status.money.as_ref().and_then(|money| money.equity),
        "restarts": counts.restarts,
    });
    let text = format!(
        "stopped ({}): {} cycles, {} intents, {} denied, {} accepted, {} fills, {} cancels, {} left over\n{}",
        closing.cause(),
        closing.ended.cycles,
        counts.intents,
        counts.denied,
        counts.accepted,
        counts.fills,
        counts.cancels,
        closing.ended.leftovers.len(),
        closing.leftover_lines(),
    );
    let report = closing.report("run", data, Vec::new());
    voice.report(&report.shown(args.json, &text));
}
