//! `canary`: one tiny order far from the market, followed from its submit to its proven end.
//!
//! A narrowed `run`: the same locks, gate, router and journal, with limits that are only ever lower. The one idea: before
//! real sizes trade, an order that costs nothing shows every part at work, and is a witness for proofs of absence.

mod ask;
mod tally;

use crate::cli::ConfigSource;
use crate::cli::closing::Closing;
use crate::cli::doctor;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::probe::Probe;
use crate::cli::resolve::{self, Forced};
use crate::cli::run::ready::{Ready, Wish, prepare};
use crate::cli::run::{READY_WITHIN, place};
use crate::cli::unusable;
use crate::clock::Clock;
use crate::observer::{Observed, Watcher};
use crate::operate::{self, Until};
use crate::out::{ReaderGone, Voice};
use crate::signals::Signals;
use crate::status::Status;
use ask::Ask;
use btcturk::rest::{Reply, public, request};
use clap::{Args, Subcommand};
use config::arming::{self, Venue};
use config::load::Loaded;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tally::Tally;
use tokio::sync::watch;

/// Longest that one question to the exchange may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(5);
/// Time of the one cycle of `once` for its order to be placed, seconds.
const ONCE_SECONDS: i64 = 10;
/// Time beyond cycles and life of the order for its proven end, seconds: an order of unknown fate needs most of it.
const PROOF_SECONDS: i64 = 180;

/// `canary`.
#[derive(Args, Debug)]
pub struct CanaryArgs {
    /// Once or loop.
    #[command(subcommand)]
    pub action: CanaryAction,
}

/// How often.
#[derive(Debug, Subcommand)]
pub enum CanaryAction {
    /// One order, followed to its proven end
    Once(Flags),
    /// One order a minute at most, until the cycles are over or one fails
    Loop {
        /// What and how.
        #[command(flatten)]
        flags: Flags,
        /// Stop after this many cycles
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        max_cycles: u32,
        /// Time between two cycles, seconds
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=3_600))]
        cycle_seconds: i64,
    },
}

/// What both share.
#[derive(Args, Debug)]
pub struct Flags {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// A configured pair
    #[arg(long)]
    pub symbol: String,
    /// Value of the order in TRY: at least the exchange's minimum, at most the configured limits
    #[arg(long, value_name = "AMOUNT", default_value = "150")]
    pub notional_try: String,
    /// How long the order rests, seconds
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(i64).range(5..=300))]
    pub ttl_seconds: i64,
    /// Simulated fills whatever the configuration says (sets DRY_RUN=true)
    #[arg(long)]
    pub dry_run: bool,
    /// Go on although the doctor has warnings
    #[arg(long)]
    pub allow_warn: bool,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Places the canary's order and says what became of it.
///
/// # Errors
/// Exit 2 for a pair or a value that does not fit, 3 for what the doctor found, 6 where no order may leave, 7 beside a
/// running process, 69 without the exchange.
pub fn canary(args: &CanaryArgs, mut signals: Signals) -> Outcome {
    let (flags, cycles, cycle_seconds) = match &args.action {
        CanaryAction::Once(flags) => (flags, 1, ONCE_SECONDS),
        CanaryAction::Loop {
            flags,
            max_cycles,
            cycle_seconds,
        } => (flags, *max_cycles, *cycle_seconds),
    };
    let forced = Forced {
        dry_run: flags.dry_run,
        safe_mode: false,
    };
    let loaded = Arc::new(resolve::load(&flags.source, forced)?);
    let ask = Ask::of(flags, (cycles, cycle_seconds), loaded.settings())
        .map_err(|text| Failed::new(Exit::Usage, text))?;
    config::secrets::credentials_usable(loaded.settings(), loaded.secrets())
        .map_err(|error| Failed::new(Exit::Permission, error.to_string()))?;
    allowed(flags, &loaded)?;
    fits_the_exchange(&ask, &loaded)?;
    place::unheld(&loaded)?;
    let warned = healthy(flags, forced)?;
    actix_rt::System::new().block_on(async { fly(flags, &ask, loaded, warned, &mut signals).await })
}

/// What lets no order out is said before anything is opened.
fn allowed(flags: &Flags, loaded: &Loaded) -> Result<(), Failed> {
    let refused = |text: String| Err(Failed::new(Exit::Refused, text));
    let assessment = arming::assess(loaded, Clock::start().now());
    if flags.dry_run {
        return match loaded.settings().safety.safe_mode {
            true => refused("safe_mode: SAFE_MODE=true lets no order out, simulated or not".into()),
            false => Ok(()),
        };
    }
    if assessment.venue == Venue::Live && assessment.is_armed() {
        return Ok(());
    }
    let reasons = assessment.reasons.iter();
    let reasons: Vec<&str> = reasons.map(|reason| reason.code()).collect();
    refused(format!(
        "not armed: {}; --dry-run flies the canary against simulated fills",
        reasons.join(", ")
    ))
}

fn fits_the_exchange(ask: &Ask, loaded: &Loaded) -> Result<(), Failed> {
    let unreachable = |text: String| Failed::new(Exit::Unreachable, text);
    let probe = Probe::new(QUESTION_LIMIT)
        .map_err(|error| Failed::new(Exit::Failure, error.to_string()))?;
    let base = loaded.settings().exchange.rest_url.as_str();
    let answer = probe.exchange(base, &request::exchange_info().target(), &[]);
    let answer = answer.map_err(|error| unreachable(error.to_string()))?;
    let reply = Reply {
        status: answer.status,
        retry_after_ms: None,
        body: &answer.body,
    };
    let rules = public::exchange_info(&reply);
    let rules = rules.map_err(|error| unreachable(format!("the exchange's rules: {error}")))?;
    let facts = rules.rows.iter().find(|facts| facts.symbol == ask.symbol);
    let facts = facts.ok_or_else(|| {
        let text = format!("--symbol {}: the exchange does not list it", ask.symbol);
        Failed::new(Exit::Usage, text)
    })?;
    let least = loaded.settings().risk.min_order_notional_try;
    ask.fits(facts, least)
        .map_err(|text| Failed::new(Exit::Usage, text))
}

/// Asks the doctor. Returns the warnings that were allowed.
fn healthy(flags: &Flags, forced: Forced) -> Result<Vec<String>, Failed> {
    let found = doctor::troubles(&flags.source, forced)?;
    let sick = |what: &str, rows: &[String]| {
        let text = format!("the doctor {what}:\n  {}", rows.join("\n  "));
        Failed::new(Exit::CheckFailed, text)
    };
    if !found.failed.is_empty() {
        return Err(sick("says no", &found.failed));
    }
    if !found.warned.is_empty() && !flags.allow_warn {
        return Err(sick("warns (--allow-warn goes on)", &found.warned));
    }
    Ok(found.warned)
}

async fn fly(
    flags: &Flags,
    ask: &Ask,
    loaded: Arc<Loaded>,
    warned: Vec<String>,
    signals: &mut Signals,
) -> Outcome {
    let tally = Arc::new(Mutex::new(Tally::new(Clock::start().now())));
    let voice = Voice::start(flags.json, ReaderGone::IsIgnored);
    let (fail, has_failed) = watch::channel(false);
    let wish = Wish {
        settings: Arc::new(ask.narrowed(loaded.settings())),
        loaded,
        voice: voice.clone(),
        watcher: watcher(Arc::clone(&tally), fail),
        again: None,
    };
    let ready = prepare(wish, signals).await?;
    held_back(&ready, ask)?;
    let life_s = i64::from(ask.cycles) * ask.cycle_seconds + ask.ttl_seconds + PROOF_SECONDS;
    let until = Until {
        elapsed: Some(READY_WITHIN + Duration::from_secs(life_s.unsigned_abs())),
        cycles: Some(ask.cycles),
        ready_within: Some(READY_WITHIN),
        lets_run_out: true,
        stop: Some(has_failed),
    };
    let ended = operate::operate(ready.setup, signals, until, async |_reads| ())
        .await
        .map_err(unusable::journal)?;
    let tally = tally.lock().expect("nobody panics with the tally").clone();
    let status = ready.status.read();
    let status = status.expect("no holder of the status can panic").clone();
    let verdict = if tally.has_passed() {
        Exit::Ok
    } else {
        Exit::Failure
    };
    let closing = Closing::new(&ended, &status, verdict);
    ready.beside.stop(&closing.ending());
    report(flags, ask, &closing, &tally, (warned, &voice));
    Ok(closing.exit)
}

/// What an earlier life has left behind lets no order out either.
fn held_back(ready: &Ready, ask: &Ask) -> Result<(), Failed> {
    let (setup, now) = (&ready.setup, Clock::start().now());
    let money = setup.past.sum().money();
    let stands = |symbol| {
        money
            .holds()
            .of(symbol)
            .is_some_and(|one| !one.is_over(now))
    };
    let causes = [
        (setup.latch.current().is_some(), "kill_latched"),
        (
            money.safe_since().is_some() || setup.latch.is_marked_safe(),
            "operator_safe_mode",
        ),
        (stands(None), "operator_degrade"),
        (stands(Some(ask.symbol)), "operator_freeze"),
    ];
    let held = causes.into_iter().filter(|(holds, _)| *holds);
    let held: Vec<&str> = held.map(|(_, code)| code).collect();
    if held.is_empty() {
        return Ok(());
    }
    let text = format!("no order may leave: {}", held.join(", "));
    Err(Failed::new(Exit::Refused, text))
}

/// Counts what is reported; the first order that goes wrong ends the flight.
fn watcher(tally: Arc<Mutex<Tally>>, fail: watch::Sender<bool>) -> Watcher {
    Arc::new(move |observed: &Observed, _status: &Status| {
        let mut tally = tally.lock().expect("nobody panics with the tally");
        tally.see(observed);
        // An order of unknown fate is followed to its proven end first.
        if tally.is_refused() {
            fail.send_replace(true);
        }
    })
}

/// Says what became of the flight, to people or as one JSON object.
fn report(
    flags: &Flags,
    ask: &Ask,
    closing: &Closing<'_>,
    tally: &Tally,
    (warnings, voice): (Vec<String>, &Voice),
) {
    let doctor = if warnings.is_empty() { "PASS" } else { "WARN" };
    let mut data = tally.to_json();
    data["symbol"] = json!(ask.symbol);
    data["notional_try"] = json!(ask.notional);
    data["doctor"] = json!(doctor);
    let denials = closing.denials().iter();
    let text = format!(
        "canary {} ({}): {}{}{}doctor {doctor}\n",
        if closing.exit == Exit::Ok {
            "passed"
        } else {
            "failed"
        },
        closing.cause(),
        tally.text(),
        denials
            .map(|(code, count)| format!("denied    {code} {count} times\n"))
            .collect::<String>(),
        closing.leftover_lines(),
    );
    let report = closing.report("canary", data, warnings);
    voice.report(&report.shown(flags.json, &text));
}
