//! Where a command's configuration comes from: the real process, read once, and the flags that were typed.
//!
//! It judges nothing: `config` does. Every command that needs settings goes through [`load`], so that all of them
//! see the same files, and a broken configuration reads the same everywhere.

use crate::cli::ConfigSource;
use crate::cli::exit::{Exit, Failed};
use crate::clock::Clock;
use crate::secrets;
use btcturk::sign::Signer;
use config::arming::{Assessment, Venue};
use config::errors::{Class, ConfigErrors};
use config::load::{Dotenv, Flag, Loaded, Sources};
use config::settings::Role;
use engine::mode::{Contribution, Mode, Scope};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// How the place of a mistake on the command line begins.
const FLAG_PLACE: &str = "flag ";

/// Safety flags of the command line; they only tighten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forced {
    /// `--dry-run` was given.
    pub dry_run: bool,
    /// `--safe-mode` was given.
    pub safe_mode: bool,
}

/// Reads the configuration of this process.
///
/// # Errors
/// Exit 78 or 77 with every problem listed, 2 if all of them stand on the command line, 1 without a working directory.
pub fn load(source: &ConfigSource, forced: Forced) -> Result<Loaded, Failed> {
    config::load::load(sources(source, forced)?).map_err(|errors| refused(&errors))
}

/// Makes the signer of a command that cannot do without keys.
///
/// # Errors
/// Exit 77 without keys, or with keys that do not sign; nothing of them is shown.
pub fn required_signer(loaded: &Loaded) -> Result<Arc<Signer>, Failed> {
    let signer = secrets::signer(loaded).map_err(|why| Failed::new(Exit::Permission, why))?;
    signer.ok_or_else(|| {
        let text = "no keys: BTCTURK_API_KEY_FILE and BTCTURK_API_SECRET_FILE name them";
        Failed::new(Exit::Permission, text)
    })
}

/// Collects what the configuration depends on.
///
/// # Errors
/// Exit 1 if the working directory is gone.
pub fn sources(source: &ConfigSource, forced: Forced) -> Result<Sources, Failed> {
    let working_dir = std::env::current_dir()
        .map_err(|error| Failed::new(Exit::Failure, format!("no working directory: {error}")))?;
    let env: BTreeMap<_, _> = std::env::vars_os().collect();
    let mut sources = Sources::new(env, working_dir, Clock::start().now());
    sources.config_files.clone_from(&source.files);
    sources.dotenv = dotenv(source);
    sources.flags = flags(source, forced);
    Ok(sources)
}

fn dotenv(source: &ConfigSource) -> Dotenv {
    match &source.env_file {
        Some(path) => Dotenv::File(path.clone()),
        None if source.no_env_file => Dotenv::Off,
        None => Dotenv::IfPresent,
    }
}

/// The forced flags come last: a later flag wins, and these are the strict ones.
fn flags(source: &ConfigSource, forced: Forced) -> Vec<Flag> {
    let set = source.set.iter().cloned().map(Flag::Set);
    let dry_run = forced.dry_run.then_some(Flag::DryRun);
    let safe_mode = forced.safe_mode.then_some(Flag::SafeMode);
    set.chain(dry_run).chain(safe_mode).collect()
}

/// Turns the list of problems into the end of a command.
pub fn refused(errors: &ConfigErrors) -> Failed {
    Failed::new(exit(errors), errors.to_string())
}

/// A command line that is wrong by itself is a usage error, whatever it was about.
pub fn exit(errors: &ConfigErrors) -> Exit {
    let problems = errors.problems();
    if problems
        .iter()
        .all(|problem| problem.place().starts_with(FLAG_PLACE))
    {
        return Exit::Usage;
    }
    match errors.class() {
        Class::Config => Exit::Config,
        Class::Permission => Exit::Permission,
    }
}

/// Returns the banner of a start: one line, and a second one that says what blocks.
///
/// `account` is the tag in client ids, or what stands in its place while there is none.
pub fn banner(
    loaded: &Loaded,
    assessment: &Assessment,
    mode: Mode,
    voices: &[Contribution],
    account: &str,
) -> String {
    let (settings, risk) = (loaded.settings(), &loaded.settings().risk);
    let verdict = if lets_orders_out(assessment, mode) {
        "ARMED"
    } else {
        "BLOCKED"
    };
    let mut text = format!(
        "btcbot {} {verdict} venue={} mode={} role={} reasons={} account={account} key={} symbols={} \
         limits: order={} position={} day_loss={}\n",
        env!("CARGO_PKG_VERSION"),
        assessment.venue.as_str(),
        mode.as_str(),
        role(settings.safety.process_role),
        reasons(assessment, voices),
        loaded
            .secrets()
            .fingerprint()
            .unwrap_or_else(|| "none".to_owned()),
        settings.market.symbols.len(),
        risk.max_order_notional_try,
        risk.max_position_notional_try,
        risk.max_daily_loss_try,
    );
    if let Some(primary) = assessment.primary() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {}", primary.code(), primary.meaning());
    }
    text
}

fn lets_orders_out(assessment: &Assessment, mode: Mode) -> bool {
    match mode {
        Mode::Normal | Mode::ReduceRiskOnly => {
            assessment.is_armed() && assessment.venue == Venue::Live
        }
        Mode::ObserveOnly | Mode::KillSwitch => false,
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Live => "LIVE",
        Role::Monitor => "MONITOR",
    }
}

/// Policy reasons first, then the codes that hold for every pair.
fn reasons(assessment: &Assessment, voices: &[Contribution]) -> String {
    let policy = assessment.reasons.iter().map(|reason| reason.code());
    let global = voices
        .iter()
        .filter(|voice| voice.scope == Scope::Global)
        .map(|voice| voice.code.as_str());
    let codes: Vec<String> = policy.chain(global).map(str::to_uppercase).collect();
    if codes.is_empty() {
        "NONE".to_owned()
    } else {
        codes.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::mode::ModeCode;
    use engine::time::Timestamp;

    /// The configuration of an empty directory with `env`, `set` and `forced`.
    fn loaded(set: &[&str], forced: Forced) -> Result<Loaded, ConfigErrors> {
        let source = ConfigSource {
            set: set.iter().map(|&text| text.to_owned()).collect(),
            no_env_file: true,
            ..ConfigSource::default()
        };
        let mut sources = sources(&source, forced).expect("tests have a directory");
        sources.env.clear();
        sources.etc_file = None;
        sources.run_secrets = None;
        config::load::load(sources)
    }

    #[test]
    fn a_mistake_on_the_command_line_is_a_usage_error() {
        let check = |set: &[&str], expected: Exit| {
            let errors = loaded(set, Forced::default()).expect_err("refused");
            assert_eq!(exit(&errors), expected, "{set:?}");
        };
        check(&["safety.dry_run=false"], Exit::Usage);
        check(&["no.such_key=1"], Exit::Usage);
        check(&["nonsense"], Exit::Usage);
    }

    #[test]
    fn a_missing_file_is_a_configuration_error() {
        let source = ConfigSource {
            files: vec!["/nonexistent/btcbot.toml".into()],
            no_env_file: true,
            ..ConfigSource::default()
        };
        let failed = load(&source, Forced::default()).expect_err("no such file");
        assert_eq!(failed.exit, Exit::Config);
        assert!(
            failed.message.contains("/nonexistent/btcbot.toml"),
            "{}",
            failed.message
        );
    }

    #[test]
    fn forced_flags_win_over_set() {
        let forced = Forced {
            dry_run: true,
            safe_mode: true,
        };
        let loaded = loaded(&["log.level=debug"], forced).expect("valid");
        let origin = |path: &str| loaded.provenance()[path].origin.to_string();
        assert_eq!(origin("safety.dry_run"), "flag --dry-run");
        assert_eq!(origin("safety.safe_mode"), "flag --safe-mode");
        assert_eq!(origin("log.level"), "flag --set");
    }

    #[test]
    fn the_banner_lists_policy_reasons_before_contributions() {
        let loaded = loaded(&[], Forced::default()).expect("the defaults are valid");
        let assessment = config::arming::assess(&loaded, Timestamp::from_ms(0));
        let voice = Contribution {
            code: ModeCode::StartupReconcilePending,
            scope: Scope::Global,
            mode: Mode::ObserveOnly,
            since: Timestamp::from_ms(0),
        };
        let text = banner(&loaded, &assessment, Mode::ObserveOnly, &[voice], "none");
        let (first, second) = text.split_once('\n').expect("two lines");
        let version = env!("CARGO_PKG_VERSION");
        let start = format!(
            "btcbot {version} BLOCKED venue=simulated mode=OBSERVE_ONLY role=LIVE reasons=\
             KILL_SWITCH,SAFE_MODE,DRY_RUN,NOT_ARMED,ACK_MISSING,STARTUP_RECONCILE_PENDING account=none key=none symbols=3 \
             limits: order=500 position=5000 day_loss=500"
        );
        assert_eq!(first, start);
        assert!(
            second.starts_with("kill_switch: ") && second.contains("KILL_SWITCH=false"),
            "{second}"
        );
    }
}
