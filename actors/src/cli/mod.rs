//! The command line: one closed enum, one file per command.
//!
//! Parsing says what was typed; each command resolves what that means. stdout is data, stderr is everything else.

mod alone;
pub mod canary;
mod closing;
pub mod completions;
pub mod config_cmd;
pub mod config_diff;
pub mod config_keys;
pub mod copy;
pub mod deadman;
pub mod degrade;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod freeze;
pub mod health;
pub mod init;
pub mod kill_switch;
pub mod logs;
pub mod man;
pub mod manual;
pub mod metrics_list;
pub mod orders;
pub mod preflight;
pub mod probe;
pub mod reload;
pub mod replay;
pub mod report;
pub mod resolve;
pub mod run;
pub mod running;
pub mod safe_mode;
pub mod schema;
pub mod simulator_cmd;
pub mod stage;
pub mod state;
pub mod status_cmd;
pub mod support_bundle;
pub mod trade_report;
mod unusable;
pub mod version;
pub mod why;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use exit::Outcome;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What the program is.
const ABOUT: &str = "A safety-first live trading engine for the BTCTurk exchange.\n\n\
With no configuration it trades nothing: safe mode, dry run and kill switch are on until you say otherwise.";

/// What was typed.
#[derive(Debug, Parser)]
#[command(name = "btcbot", about = ABOUT, disable_version_flag = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade on the embedded exchange over real sockets; no keys, no network, no file left behind
    Demo(DemoArgs),
    /// Run the engine as configured
    Run(RunArgs),
    /// The engine as configured, as a stage of a rollout: the strategies of STRATEGIES, the venue of the configuration
    #[command(name = "stage4-run")]
    Stage4Run(RunArgs),
    /// The engine on the simulated venue only: the strategies of STRATEGIES; exit 6 without a dry run
    #[command(name = "stage7-run")]
    Stage7Run(RunArgs),
    /// Place one tiny order far from the market and follow it to its proven end: a proof of the whole path
    Canary(canary::CanaryArgs),
    /// Show the running process: mode, orders, market data, money
    Status(status_cmd::StatusArgs),
    /// Switch safe mode on, ask for its end, or show it
    SafeMode(safe_mode::SafeModeArgs),
    /// Trip the kill switch, ask for its reset, or show what is latched
    KillSwitch(kill_switch::KillSwitchArgs),
    /// Take one pair out of trading, let it back in, or show which are out
    Freeze(freeze::FreezeArgs),
    /// Show who asks for which mode, step down for a while, or end that step
    Degrade(degrade::DegradeArgs),
    /// Watch the engine's heartbeat from outside, and cancel its orders when it has stopped
    ///
    /// It waits for the first heartbeat in the state directory, and acts when that has not changed for 10 s.
    Deadman(deadman::DeadmanArgs),
    /// Show own orders, cancel one or all of them
    Orders(orders::OrdersArgs),
    /// Ask a running process whether it is well; without one, check configuration and exchange
    Health(HealthArgs),
    /// Check everything that can be checked; changes nothing (exit 0 pass, 1 warnings, 2 failures)
    Doctor(DoctorArgs),
    /// Named checks that must all hold before a start (exit 0 or 3)
    Preflight(preflight::PreflightArgs),
    /// Write one file with what somebody else needs to help: status, configuration, doctor, log, metrics; no secret
    SupportBundle(support_bundle::BundleArgs),
    /// Create a configuration template, a secrets folder and the state: what is missing is made, what exists is kept
    /// as it is and named; exit 1 if nothing was missing
    Init(InitArgs),
    /// Let the running process read its configuration again: all of it is taken over, or nothing (the same as HUP)
    Reload(reload::ReloadArgs),
    /// Other log levels for a while, and the last lines
    Logs(logs::LogsArgs),
    /// List the metrics
    Metrics(metrics_list::MetricsArgs),
    /// Tell why an order exists and what became of it: decision, checks, sends, fills, end. A denied wish has no record
    Why(why::WhyArgs),
    /// What was traded, by pair and by day: sums here, or with --out a list, sums and a page for accounting
    Report(trade_report::TradesArgs),
    /// Look at the journal, check it, copy it, bring a copy back
    State(state::StateArgs),
    /// Run a strategy over a recorded order book
    Replay(ReplayArgs),
    /// Run the simulated exchange alone
    Simulator(SimulatorArgs),
    /// Check, show, compare or describe the configuration
    Config(ConfigArgs),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(man::ManArgs),
    /// Print the version
    Version(VersionArgs),
}

/// Where configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigSource {
    /// A configuration file; may be given several times, later ones win
    #[arg(long = "config", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The dotenv file to read in place of .env.live; must exist
    #[arg(long, value_name = "FILE", conflicts_with = "no_env_file")]
    pub env_file: Option<PathBuf>,
    /// Read no dotenv file
    #[arg(long)]
    pub no_env_file: bool,
    /// Set one key, e.g. --set market.symbols=BTCTRY; safety flags can only be tightened
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Stop after this time, e.g. 20s, 5m; without it Ctrl-C stops
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub run_for: Option<Duration>,
    /// Seed of the simulated market
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Let the exchange fail: 5 % of accepted orders answered 500, 5 % of requests or replies lost, 2 % answered 429,
    /// the stream cut about once a minute; the end waits until every order's fate is known
    #[arg(long)]
    pub faults: bool,
    /// Where the status plane listens; a busy port given here is an error
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Print one JSON object at the end in place of the story
    #[arg(long)]
    pub json: bool,
}

/// `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// Simulated fills whatever the configuration says (sets DRY_RUN=true)
    #[arg(long)]
    pub dry_run: bool,
    /// Start in safe mode (sets SAFE_MODE=true)
    #[arg(long)]
    pub safe_mode: bool,
    /// One cycle, then stop
    #[arg(long)]
    pub once: bool,
    /// Stop after this many cycles
    #[arg(long, value_name = "N")]
    pub max_cycles: Option<u32>,
    /// Stop after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub run_for: Option<Duration>,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `health`.
#[derive(Args, Debug)]
pub struct HealthArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// Ask for readiness in place of liveness
    #[arg(long)]
    pub ready: bool,
    /// The plane to ask, e.g. http://127.0.0.1:9464
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// Warnings count as failures
    #[arg(long)]
    pub strict: bool,
    /// Check only what needs neither network nor a running process
    #[arg(long)]
    pub pre: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// Where to create the files
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Also create the state of the live venue
    #[arg(long)]
    pub live: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// The recording: one JSON object a line, plain or gzip
    pub file: PathBuf,
    /// The strategy to run: market_maker or mean_reversion
    #[arg(long, default_value = "mean_reversion")]
    pub strategy: String,
    /// Instrument rules in place of the built-in table: a JSON list of {"symbol", "base", "quote", "is_trading",
    /// "has_limit_orders", "qty_scale", "price_scale", "has_fraction", "fee_in_base", "value_min"} and, if there are such
    /// rules, "tick", "qty_min", "qty_max", "price_min", "price_max"; prices and amounts as text, scales as decimals 0 to 8
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Opening cash in the quote currency
    #[arg(long, default_value = "100000")]
    pub cash: String,
    /// Opening coins of the base currency (of each pair's, if the recording holds several)
    #[arg(long, default_value = "0")]
    pub coins: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `simulator`.
#[derive(Args, Debug)]
pub struct SimulatorArgs {
    /// Where to listen; loopback only
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Seed of market and faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A fault or behaviour, e.g. --fault reply_lost=0.05; may be given several times
    #[arg(long = "fault", value_name = "NAME=VALUE")]
    pub faults: Vec<String>,
    /// Write one JSON line per REST request to this file in place of stderr
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Stop after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub run_for: Option<Duration>,
}

/// `config`.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// Check or show.
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Read everything, list every problem, say whether it would arm
    Check(ConfigView),
    /// Print every key with its value and where it came from; a secret shows only its source
    Show(ConfigView),
    /// Show what differs between the configuration on disk and the running process, and what a reload would say
    Diff(safe_mode::Common),
    /// Print the JSON Schema (draft 2020-12) of the configuration file, for editors
    Schema,
    /// List every key: names, type, default, what a reload may do with it
    Keys(config_keys::KeysArgs),
}

/// How to look at the configuration.
#[derive(Args, Debug)]
pub struct ConfigView {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `version`.
#[derive(Args, Debug)]
pub struct VersionArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Reads `20s`, `5m`, `2h` or `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a number with a unit, e.g. 20s, 5m, 2h".to_owned())?;
    let ms_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("the unit must be ms, s, m or h, e.g. 20s".to_owned()),
    };
    number
        .checked_mul(ms_per_unit)
        .map(Duration::from_millis)
        .ok_or_else(|| "too long".to_owned())
}

/// Reads the command line of this process.
///
/// # Errors
/// What clap says: a wrong line, or help, which is data.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&manual::terminal::for_terminal().try_get_matches_from(args)?)
}

/// Returns the commands that stand beside the one that nobody knows, for its error.
pub fn commands_beside(args: impl IntoIterator<Item = OsString>) -> String {
    let mut command = Cli::command();
    for arg in args.into_iter().skip(1) {
        match command.find_subcommand(&arg) {
            Some(known) => command = known.clone(),
            None => break,
        }
    }
    let names = command.get_subcommands().map(clap::Command::get_name);
    names.collect::<Vec<_>>().join(", ")
}

/// Carries out a command.
///
/// # Errors
/// What the command says on stderr, with its exit code.
pub fn dispatch(cli: Cli, signals: crate::signals::Signals) -> Outcome {
    match cli.command {
        Command::Demo(args) => demo::demo(&args, signals),
        Command::Run(args) => run::run(&args, None, signals),
        Command::Stage4Run(args) => stage::stage4(&args, signals),
        Command::Stage7Run(args) => stage::stage7(&args, signals),
        Command::Canary(args) => canary::canary(&args, signals),
        Command::Status(args) => status_cmd::status(&args, signals),
        Command::SafeMode(args) => safe_mode::safe_mode(&args),
        Command::KillSwitch(args) => kill_switch::kill_switch(&args),
        Command::Freeze(args) => freeze::freeze(&args),
        Command::Degrade(args) => degrade::degrade(&args),
        Command::Deadman(args) => deadman::deadman(&args, signals),
        Command::Orders(args) => orders::orders(&args, signals),
        Command::Health(args) => health::health(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Preflight(args) => preflight::preflight(&args),
        Command::SupportBundle(args) => support_bundle::bundle(&args),
        Command::Init(args) => init::init(&args),
        Command::Reload(args) => reload::reload(&args),
        Command::Logs(args) => logs::logs(&args),
        Command::Metrics(args) => metrics_list::metrics(&args),
        Command::Why(args) => why::why(&args),
        Command::Report(args) => trade_report::report(&args),
        Command::State(args) => state::state(&args, signals),
        Command::Replay(args) => replay::replay(&args, signals),
        Command::Simulator(args) => simulator_cmd::simulator(&args, signals),
        Command::Config(args) => config_cmd::config(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
        Command::Version(args) => version::version(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        manual::command().debug_assert();
        manual::terminal::for_terminal().debug_assert();
    }

    #[test]
    fn an_unknown_command_is_shown_the_known_ones_of_its_place() {
        let beside = |line: &str| commands_beside(line.split(' ').map(OsString::from));
        assert!(
            beside("btcbot frob").starts_with(
                "demo, run, stage4-run, stage7-run, canary, status, safe-mode, kill-switch, freeze, degrade, "
            )
        );
        assert_eq!(
            beside("btcbot config frob"),
            "check, show, diff, schema, keys"
        );
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "20", "s", "1d", "-1s", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
