//! A reload of the configuration, by HUP or by command: all of it is taken over, or nothing, and both are answered.
//!
//! It reads, judges and records; the Secrets actor takes over. The one idea: what lowers risk needs nobody, and what
//! raises it (a looser limit) needs a shut gate and a record that is on disk.

use crate::control::audit;
use crate::link::{Link, Sent};
use crate::logging::Logging;
use crate::metrics::Metrics;
use crate::operator::Operator;
use crate::secrets::SecretsIn;
use config::arming::{BlockReason, assess};
use config::load::Loaded;
use config::reload::{Change, Latitude, ReloadVerdict, changes, compare};
use engine::mode::Mode;
use engine::record::Record;
use engine::time::Timestamp;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tokio::sync::oneshot;

/// Start of the keys whose safe side acts at once.
const SAFETY: &str = "safety.";

/// Reads the configuration again, with the sources of the start.
pub type Again = Arc<dyn Fn() -> Result<Loaded, String> + Send + Sync>;

/// The running configuration; it outlives the actor that replaces it.
#[derive(Clone)]
pub struct InForce(Arc<RwLock<Arc<Loaded>>>);

impl InForce {
    /// Starts with the configuration of the start.
    pub fn new(loaded: Arc<Loaded>) -> Self {
        Self(Arc::new(RwLock::new(loaded)))
    }

    /// Returns it.
    pub fn get(&self) -> Arc<Loaded> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it.
    pub fn set(&self, loaded: Arc<Loaded>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = loaded;
    }
}

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing differs.
    Unchanged,
    /// Everything was taken over.
    Applied {
        /// Keys that differ.
        keys: Vec<&'static str>,
        /// The credentials were replaced.
        secrets: bool,
    },
    /// The old configuration stays; every reason.
    Refused(Vec<String>),
}

impl Outcome {
    /// Returns the stable name.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Applied { .. } => "applied",
            Self::Refused(_) => "refused",
        }
    }

    /// Says it in one line.
    pub fn text(&self) -> String {
        match self {
            Self::Unchanged => "nothing differs from the running configuration".to_owned(),
            Self::Applied { keys, secrets } => {
                let secrets = if *secrets {
                    ", and the credentials"
                } else {
                    ""
                };
                format!("taken over: {}{secrets}", keys.join(", "))
            }
            Self::Refused(reasons) => {
                format!("the old configuration stays: {}", reasons.join("; "))
            }
        }
    }
}

/// Whoever asked for a reload.
#[derive(Clone, Debug)]
pub struct By {
    /// User.
    pub uid: u32,
    /// Process, if it is known.
    pub pid: Option<i32>,
    /// The way: `reload` or `HUP`.
    pub what: &'static str,
    /// Why, in the operator's words.
    pub reason: String,
}

/// Reloads the configuration of one process. Cheap to clone.
#[derive(Clone)]
pub struct Reloader {
    /// Reads it again.
    pub again: Again,
    /// What is running.
    pub in_force: InForce,
    /// Who takes over.
    pub secrets: Link<SecretsIn>,
    /// The operator's hand; a reload in flight does not keep a process from ending.
    pub operator: Weak<Operator>,
    /// Where it is counted.
    pub metrics: Metrics,
    /// The log, for its levels and its last lines.
    pub logging: Arc<Logging>,
}

impl Reloader {
    /// Reads the configuration again and takes it over, or nothing of it.
    pub async fn reload(&self, by: By) -> Outcome {
        let Some(operator) = self.operator.upgrade() else {
            return Outcome::Refused(vec!["the process stops".to_owned()]);
        };
        let outcome = self.outcome(&operator, &by).await;
        let now = operator.clock.now();
        self.metrics.config_reloaded(outcome.as_str(), now);
        match &outcome {
            Outcome::Unchanged => tracing::info!(event = "config_unchanged"),
            Outcome::Applied { keys, .. } => tracing::warn!(
                event = "config_reloaded",
                keys = keys.join(","),
                config_hash = self.in_force.get().config_hash()
            ),
            Outcome::Refused(reasons) => {
                tracing::error!(
                    event = "config_reload_refused",
                    reasons = reasons.join("; ")
                );
            }
        }
        // What it did stands, whether or not it could be written down.
        let _ = operator
            .journal
            .append(now, record(&by, outcome.text(), now));
        outcome
    }

    async fn outcome(&self, operator: &Operator, by: &By) -> Outcome {
        let new = match (self.again)() {
            Ok(new) => new,
            Err(problems) => {
                return Outcome::Refused(problems.lines().map(str::to_owned).collect());
            }
        };
        let running = self.in_force.get();
        let lost = lost_arming(&running, &new, operator.clock.now());
        if !lost.is_empty() {
            return Outcome::Refused(lost);
        }
        let latitude = self.latitude(operator, by, &new).await;
        let (answer, answered) = oneshot::channel();
        let wish = SecretsIn::Reload {
            new: Box::new(new),
            latitude,
            answer,
        };
        if self.secrets.send(wish) != Sent::Delivered {
            return Outcome::Refused(vec!["its actor does not take it; ask again".to_owned()]);
        }
        let ended = || Outcome::Refused(vec!["its actor ended; ask again".to_owned()]);
        let outcome = answered.await.unwrap_or_else(|_| ended());
        if let Outcome::Applied { keys, .. } = &outcome {
            self.to_the_safe_side(operator, keys);
        }
        outcome
    }

    /// Limits loosen only under a shut gate, and only once the wish is on disk.
    async fn latitude(&self, operator: &Operator, by: &By, new: &Loaded) -> Latitude {
        let running = self.in_force.get();
        let loosens = matches!(
            compare(&running, new, Latitude::Tighten),
            ReloadVerdict::Refuse { .. }
        ) && !matches!(
            compare(&running, new, Latitude::Loosen),
            ReloadVerdict::Refuse { .. }
        );
        if !loosens || !observes(operator) {
            return Latitude::Tighten;
        }
        let now = operator.clock.now();
        let asked = operator
            .journal
            .append(now, record(by, "asked: limits loosen".to_owned(), now));
        match audit::durable(&operator.journal, &operator.clock, asked).await {
            Ok(()) => Latitude::Loosen,
            Err(_) => Latitude::Tighten,
        }
    }

    /// Returns what a reload would change and what of it would be refused at this moment, and whether the credentials
    /// differ.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration on disk.
    pub fn difference(&self) -> Result<(Vec<Change>, bool), String> {
        let (running, new) = (self.in_force.get(), (self.again)()?);
        let is_shut = self
            .operator
            .upgrade()
            .is_some_and(|operator| observes(&operator));
        let latitude = if is_shut {
            Latitude::Loosen
        } else {
            Latitude::Tighten
        };
        let secrets_differ = !running.secrets().same_as(new.secrets());
        Ok((changes(&running, &new, latitude), secrets_differ))
    }

    fn to_the_safe_side(&self, operator: &Operator, keys: &[&'static str]) {
        let changed: Vec<&str> = keys
            .iter()
            .filter_map(|key| key.strip_prefix(SAFETY))
            .collect();
        let settings = self.in_force.get();
        let is_live = !settings.settings().safety.dry_run || changed.contains(&"dry_run");
        operator.to_the_safe_side(&changed, is_live);
    }
}

/// Whether the mode lets nothing out, by the gate's word and by what is shown.
fn observes(operator: &Operator) -> bool {
    let status = operator
        .status
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    status.mode >= Mode::ObserveOnly && !operator.owner.gate().is_open_for_submit()
}

/// What an armed process would lose beside its flags, such as the private mode of a file: an operator's mistake, not a
/// wish.
fn lost_arming(running: &Loaded, new: &Loaded, now: Timestamp) -> Vec<String> {
    if !assess(running, now).is_armed() {
        return Vec::new();
    }
    let lost = assess(new, now)
        .reasons
        .into_iter()
        .filter(|reason| !is_flag(*reason));
    lost.map(|reason| format!("{}: {}", reason.code(), reason.meaning()))
        .collect()
}

/// Flags may go to their safe side; that is judged key by key.
const fn is_flag(reason: BlockReason) -> bool {
    match reason {
        BlockReason::MonitorRole
        | BlockReason::KillSwitch
        | BlockReason::SafeMode
        | BlockReason::DryRun
        | BlockReason::NotArmed
        | BlockReason::AckMissing => true,
        BlockReason::CredentialsMissing
        | BlockReason::ScopeMissing
        | BlockReason::SecretRotationUnknown
        | BlockReason::SecretAgeExpired
        | BlockReason::SecretFileMode
        | BlockReason::SecretInEnvironment
        | BlockReason::EnvFileMode
        | BlockReason::LimitsNotSet => false,
    }
}

fn record(by: &By, result: String, at: Timestamp) -> Record {
    Record::Audit {
        uid: by.uid,
        pid: by.pid,
        what: by.what.to_owned(),
        reason: by.reason.clone(),
        result,
        at,
    }
}
