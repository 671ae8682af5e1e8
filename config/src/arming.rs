//! Decides whether this process may place orders on the live exchange, and makes the token that says so.
//!
//! Six conditions come first, in a fixed order; then the preconditions of live trading. Everything that fails is
//! collected, because an operator who fixes one reason wants to know the next. [`Armed`] has private fields and no
//! other constructor than the two here, so no other code can claim to be armed:
//!
//! ```compile_fail
//! let forged = btcbot_config::arming::Armed { base_url: String::from("http://127.0.0.1:8080") };
//! ```
//!
//! The demo's token is the only one that can be had without a configuration, and it stays on this machine:
//!
//! ```
//! let armed = btcbot_config::arming::Armed::for_loopback("http://127.0.0.1:8080");
//! assert_eq!(armed.expect("loopback").base_url(), "http://127.0.0.1:8080");
//! assert!(btcbot_config::arming::Armed::for_loopback("https://api.btcturk.com").is_err());
//! ```

use crate::endpoint::{Endpoint, Scheme};
use crate::errors::Origin;
use crate::load::Loaded;
use crate::names::LIMITS_FOR_LIVE;
use crate::settings::{Acknowledgement, Role, Rotation, Scope};
use engine::time::Timestamp;
use std::fmt;

/// How far in the future a rotation date may lie, milliseconds: clocks differ.
const ROTATION_AHEAD_MS_MAX: i64 = 5 * 60 * 1_000;
/// Milliseconds in a day.
const MS_PER_DAY: i64 = 86_400_000;
/// Share of the greatest age from which the operator is warned, percent.
const AGE_WARN_PERCENT: i64 = 80;

/// Why the live exchange is out of reach. The codes are stable: logs, metrics and tests use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockReason {
    /// The process only watches.
    MonitorRole,
    /// `KILL_SWITCH` is true.
    KillSwitch,
    /// `SAFE_MODE` is true.
    SafeMode,
    /// `DRY_RUN` is true.
    DryRun,
    /// `LIVE_TRADING` is false.
    NotArmed,
    /// `LIVE_TRADING_ACK` is not the phrase.
    AckMissing,
    /// Key or secret is missing.
    CredentialsMissing,
    /// A right that is needed was not declared.
    ScopeMissing,
    /// Nobody knows how old the key is.
    SecretRotationUnknown,
    /// The key is too old.
    SecretAgeExpired,
    /// Others may read a file with a secret.
    SecretFileMode,
    /// A secret came from the process environment.
    SecretInEnvironment,
    /// The dotenv file is a link, not ours, or open to others.
    EnvFileMode,
    /// A limit is still the example number of the embedded defaults.
    LimitsNotSet,
}

impl BlockReason {
    /// Every reason, in the order in which they are evaluated.
    pub const ALL: [Self; 14] = [
        Self::MonitorRole,
        Self::KillSwitch,
        Self::SafeMode,
        Self::DryRun,
        Self::NotArmed,
        Self::AckMissing,
        Self::CredentialsMissing,
        Self::ScopeMissing,
        Self::SecretRotationUnknown,
        Self::SecretAgeExpired,
        Self::SecretFileMode,
        Self::SecretInEnvironment,
        Self::EnvFileMode,
        Self::LimitsNotSet,
    ];

    /// Returns the stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MonitorRole => "monitor_role",
            Self::KillSwitch => "kill_switch",
            Self::SafeMode => "safe_mode",
            Self::DryRun => "dry_run",
            Self::NotArmed => "not_armed",
            Self::AckMissing => "ack_missing",
            Self::CredentialsMissing => "credentials_missing",
            Self::ScopeMissing => "scope_missing",
            Self::SecretRotationUnknown => "secret_rotation_unknown",
            Self::SecretAgeExpired => "secret_age_expired",
            Self::SecretFileMode => "secret_file_mode",
            Self::SecretInEnvironment => "secret_in_environment",
            Self::EnvFileMode => "env_file_mode",
            Self::LimitsNotSet => "limits_not_set",
        }
    }

    /// Returns the code as denials carry it, with its layer.
    pub const fn policy_code(self) -> &'static str {
        match self {
            Self::MonitorRole => "policy_block:monitor_role",
            Self::KillSwitch => "policy_block:kill_switch",
            Self::SafeMode => "policy_block:safe_mode",
            Self::DryRun => "policy_block:dry_run",
            Self::NotArmed => "policy_block:not_armed",
            Self::AckMissing => "policy_block:ack_missing",
            Self::CredentialsMissing => "policy_block:credentials_missing",
            Self::ScopeMissing => "policy_block:scope_missing",
            Self::SecretRotationUnknown => "policy_block:secret_rotation_unknown",
            Self::SecretAgeExpired => "policy_block:secret_age_expired",
            Self::SecretFileMode => "policy_block:secret_file_mode",
            Self::SecretInEnvironment => "policy_block:secret_in_environment",
            Self::EnvFileMode => "policy_block:env_file_mode",
            Self::LimitsNotSet => "policy_block:limits_not_set",
        }
    }

    /// Returns one sentence that says what it means and what to change.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::MonitorRole => "this process only watches; PROCESS_ROLE=LIVE trades",
            Self::KillSwitch => "the kill switch is on; KILL_SWITCH=false releases it",
            Self::SafeMode => "safe mode is on; SAFE_MODE=false lets orders out",
            Self::DryRun => "orders go to the simulated venue; DRY_RUN=false uses the exchange",
            Self::NotArmed => "live trading is not switched on; LIVE_TRADING=true does it",
            Self::AckMissing => {
                "live trading is not acknowledged; set LIVE_TRADING_ACK=I_UNDERSTAND"
            }
            Self::CredentialsMissing => {
                "no complete API key; set BTCTURK_API_KEY_FILE and BTCTURK_API_SECRET_FILE"
            }
            Self::ScopeMissing => "BTCTURK_API_SCOPES must hold read and trade",
            Self::SecretRotationUnknown => {
                "the age of the key is unknown; set BTCTURK_SECRET_ROTATED_AT"
            }
            Self::SecretAgeExpired => {
                "the key is older than BTCTURK_SECRET_MAX_AGE_DAYS; make a new one"
            }
            Self::SecretFileMode => "others may read a file that holds a secret; chmod 0400 it",
            Self::SecretInEnvironment => {
                "a secret stands in the process environment; use a file, or BTCBOT__SECRETS__ALLOW_ENVIRONMENT=true"
            }
            Self::EnvFileMode => {
                "the dotenv file is a link, not ours, or open to others; chmod 0600 it"
            }
            Self::LimitsNotSet => "a risk limit is still an example; set every limit yourself",
        }
    }
}

impl fmt::Display for BlockReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Where orders go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Venue {
    /// The exchange.
    Live,
    /// Our own simulation on live public data.
    Simulated,
}

impl Venue {
    /// Returns the word in banner, metrics and status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Simulated => "simulated",
        }
    }
}

/// Whether a port exists, and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// It is not built.
    Absent,
    /// It leads to the simulated venue.
    Simulated,
    /// It leads to the exchange.
    Live,
}

/// Which ports this process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Reads of the own account.
    pub private_reads: Port,
    /// Cancels.
    pub cancel: Port,
    /// Submits.
    pub submit: Port,
}

/// The answers behind the event `arm_check`: booleans, never a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArmCheck {
    /// The role allows writing.
    pub role_live: bool,
    /// The kill switch is off.
    pub kill_off: bool,
    /// Safe mode is off.
    pub safe_off: bool,
    /// It is no dry run.
    pub dry_off: bool,
    /// Live trading is on.
    pub live_on: bool,
    /// The phrase was given exactly.
    pub ack_ok: bool,
    /// Key and secret are present and well formed.
    pub credentials_present: bool,
    /// Nothing blocks.
    pub armed: bool,
}

/// What was found out about arming; makes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// Where orders go.
    pub venue: Venue,
    /// What blocks, in fixed order. In a dry run the preconditions of live trading are not among it.
    pub reasons: Vec<BlockReason>,
    /// What would block as well if the run were live; empty unless this is a dry run.
    pub live_would_block: Vec<BlockReason>,
    /// Which ports exist.
    pub ports: Ports,
    /// The single answers.
    pub check: ArmCheck,
    /// Conditions that are allowed and shown for ever.
    pub warnings: Vec<&'static str>,
}

impl Assessment {
    /// Returns the first reason; `None` when armed.
    pub fn primary(&self) -> Option<BlockReason> {
        self.reasons.first().copied()
    }

    /// Returns whether nothing blocks.
    pub const fn is_armed(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Permission to place orders at one address. Cannot be copied: one start, one submit port.
#[derive(Debug, PartialEq, Eq)]
pub struct Armed {
    base_url: String,
}

/// The address is not a literal loopback address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an http or https address with a loopback IP, such as http://127.0.0.1:8080")]
pub struct NotLoopback;

impl Armed {
    /// Makes the token of the demo, good for one address of this machine only.
    ///
    /// # Errors
    /// `NotLoopback` for everything but a literal loopback address.
    pub fn for_loopback(url: &str) -> Result<Self, NotLoopback> {
        let endpoint = Endpoint::parse(Scheme::Http, url)
            .filter(Endpoint::is_loopback)
            .ok_or(NotLoopback)?;
        Ok(Self {
            base_url: endpoint.as_str().to_owned(),
        })
    }

    /// Returns the only address that orders may go to; a submit port takes its address from here.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }
}

/// Arms the process, or says why not. Called once, when the configuration is final.
///
/// # Errors
/// The assessment with at least one reason.
///
/// # Panics
/// If a configuration slipped through `load` that points live trading at a foreign address.
pub fn arm(loaded: &Loaded, now: Timestamp) -> Result<Armed, Box<Assessment>> {
    let assessment = assess(loaded, now);
    if !assessment.is_armed() {
        return Err(Box::new(assessment));
    }
    let url = &loaded.settings().exchange.rest_url;
    // load() refuses LIVE_TRADING=true with any other address; this is the second look at the same fact.
    assert!(
        url.is_exchange() || url.is_loopback(),
        "an armed process knows its exchange"
    );
    Ok(Armed {
        base_url: url.as_str().to_owned(),
    })
}

/// Finds out what blocks, without arming anything.
pub fn assess(loaded: &Loaded, now: Timestamp) -> Assessment {
    let dry = loaded.settings().safety.dry_run;
    let mut reasons = conditions(loaded);
    let preconditions = preconditions(loaded, now);
    let live_would_block = if dry {
        preconditions
    } else {
        reasons.extend(preconditions);
        Vec::new()
    };
    let check = arm_check(loaded, reasons.is_empty());
    Assessment {
        venue: if dry { Venue::Simulated } else { Venue::Live },
        ports: ports(loaded, check.armed),
        warnings: warnings(loaded, now),
        reasons,
        live_would_block,
        check,
    }
}

/// The six conditions of arming (docs/ARCHITECTURE.md, Modes and the gate), in their order.
fn conditions(loaded: &Loaded) -> Vec<BlockReason> {
    let safety = &loaded.settings().safety;
    failing([
        (
            safety.process_role == Role::Monitor,
            BlockReason::MonitorRole,
        ),
        (safety.kill_switch, BlockReason::KillSwitch),
        (safety.safe_mode, BlockReason::SafeMode),
        (safety.dry_run, BlockReason::DryRun),
        (!safety.live_trading, BlockReason::NotArmed),
        (
            safety.live_trading_ack != Acknowledgement::Given,
            BlockReason::AckMissing,
        ),
    ])
}

fn preconditions(loaded: &Loaded, now: Timestamp) -> Vec<BlockReason> {
    let (settings, secrets) = (loaded.settings(), loaded.secrets());
    let scopes = &settings.secrets.scopes;
    let age = key_age(loaded, now);
    failing([
        (
            secrets.credentials().is_none(),
            BlockReason::CredentialsMissing,
        ),
        (
            !scopes.contains(&Scope::Read) || !scopes.contains(&Scope::Trade),
            BlockReason::ScopeMissing,
        ),
        (age == KeyAge::Unknown, BlockReason::SecretRotationUnknown),
        (age == KeyAge::Expired, BlockReason::SecretAgeExpired),
        (secrets.file_too_open(), BlockReason::SecretFileMode),
        (
            secrets.from_environment() && !settings.secrets.allow_environment,
            BlockReason::SecretInEnvironment,
        ),
        (loaded.env_file_too_open(), BlockReason::EnvFileMode),
        (!unset_limits(loaded).is_empty(), BlockReason::LimitsNotSet),
    ])
}

fn failing<const N: usize>(rows: [(bool, BlockReason); N]) -> Vec<BlockReason> {
    rows.into_iter()
        .filter(|(fails, _)| *fails)
        .map(|(_, reason)| reason)
        .collect()
}

/// How old the key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAge {
    /// The date is missing, unreadable or in the future.
    Unknown,
    /// Fine.
    Fresh,
    /// Beyond 80 % of the greatest age.
    Ageing,
    /// Beyond the greatest age.
    Expired,
}

/// Judges the age of the key at `now`. It blocks new live risk, never a command.
pub fn key_age(loaded: &Loaded, now: Timestamp) -> KeyAge {
    let policy = &loaded.settings().secrets;
    let at = match policy.rotated_at {
        Rotation::At(at) => at,
        Rotation::Unset | Rotation::Unreadable => return KeyAge::Unknown,
    };
    let age_ms = now.ms_since(at);
    let max_ms = policy.age_days_max.saturating_mul(MS_PER_DAY);
    if age_ms < -ROTATION_AHEAD_MS_MAX {
        KeyAge::Unknown
    } else if age_ms > max_ms {
        KeyAge::Expired
    } else if age_ms > max_ms / 100 * AGE_WARN_PERCENT {
        KeyAge::Ageing
    } else {
        KeyAge::Fresh
    }
}

/// Returns the limits that still are the example numbers of the embedded defaults.
pub fn unset_limits(loaded: &Loaded) -> Vec<&'static str> {
    let by_default = |path: &str| {
        loaded
            .provenance()
            .get(path)
            .is_none_or(|setting| setting.origin == Origin::Default)
    };
    LIMITS_FOR_LIVE
        .into_iter()
        .filter(|path| by_default(path))
        .collect()
}

fn ports(loaded: &Loaded, armed: bool) -> Ports {
    let safety = &loaded.settings().safety;
    if safety.dry_run {
        return Ports {
            private_reads: Port::Absent,
            cancel: Port::Simulated,
            submit: Port::Simulated,
        };
    }
    let usable = loaded.secrets().credentials().is_some();
    let live_if = |exists: bool| if exists { Port::Live } else { Port::Absent };
    Ports {
        private_reads: live_if(usable),
        cancel: live_if(usable && safety.process_role == Role::Live),
        submit: live_if(armed),
    }
}

fn arm_check(loaded: &Loaded, armed: bool) -> ArmCheck {
    let safety = &loaded.settings().safety;
    ArmCheck {
        role_live: safety.process_role == Role::Live,
        kill_off: !safety.kill_switch,
        safe_off: !safety.safe_mode,
        dry_off: !safety.dry_run,
        live_on: safety.live_trading,
        ack_ok: safety.live_trading_ack == Acknowledgement::Given,
        credentials_present: loaded.secrets().credentials().is_some(),
        armed,
    }
}

fn warnings(loaded: &Loaded, now: Timestamp) -> Vec<&'static str> {
    let allowed =
        loaded.settings().secrets.allow_environment && loaded.secrets().from_environment();
    let rows = [
        (
            allowed,
            "a secret stands in the process environment, allowed by BTCBOT__SECRETS__ALLOW_ENVIRONMENT",
        ),
        (
            key_age(loaded, now) == KeyAge::Ageing,
            "the key is beyond 80 % of its greatest age; rotate it",
        ),
    ];
    rows.into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, text)| text)
        .collect()
}
