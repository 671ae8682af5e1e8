//! The Secrets actor: takes over a freshly read configuration, credentials included, or none of it.
//!
//! New credentials are tried with one authenticated read before they replace the old ones, and requests that are
//! already signed keep their signature. It hands out signers through `Keys`; nobody else sees a value.

use crate::clock::Clock;
use crate::driver::Keys;
use crate::driver::reads::Reads;
use crate::key_age::{self, KeyWatch};
use crate::link::{Link, Sent, Tell};
use crate::logging::{Levels, Logging};
use crate::observer::{Eyes, Observed};
use crate::params;
use crate::redact::Filter;
use actix::{Actor, AsyncContext, Context, Handler};
use btcturk::sign::Signer;
use config::load::Loaded;
use config::reload::{Latitude, ReloadVerdict, compare};
use config::settings::{Level, Settings};
use engine::msg::RiskIn;
use std::sync::Arc;

/// Reloads that may wait; each is a whole configuration.
const MAILBOX: usize = 8;

/// What the actor hears.
pub enum SecretsIn {
    /// The configuration was read again.
    Reload(Box<Loaded>),
}

/// What it works with.
#[derive(Clone)]
pub struct SecretsPort {
    /// The key pair in use.
    pub keys: Keys,
    /// A client that signs with the candidate, for the trial.
    pub trial: Option<(Keys, Reads)>,
    /// The gate core, for limits.
    pub risk: Link<RiskIn>,
    /// Status and log.
    pub eyes: Eyes,
    /// The filter that must know every loaded value.
    pub filter: Filter,
    /// The log, for its levels.
    pub logging: Arc<Logging>,
    /// Time.
    pub clock: Clock,
}

/// The actor.
pub struct Secrets {
    port: SecretsPort,
    running: Arc<Loaded>,
    age: KeyWatch,
}

/// Makes a signer of the loaded credentials; `None` without credentials.
///
/// # Errors
/// A text that says what is wrong and shows nothing.
pub fn signer(loaded: &Loaded) -> Result<Option<Arc<Signer>>, String> {
    let Some(credentials) = loaded.secrets().credentials() else {
        return Ok(None);
    };
    let made =
        credentials.with(|pair| Signer::new(pair.api_key.into(), &pair.secret_base64.into()));
    made.map(|signer| Some(Arc::new(signer)))
        .map_err(|error| error.to_string())
}

/// Returns the log levels of a configuration.
pub const fn levels(settings: &Settings) -> Levels {
    Levels {
        own: level(settings.log.level),
        client: level(settings.log.http_level),
        transport: tracing::Level::WARN,
    }
}

const fn level(level: Level) -> tracing::Level {
    match level {
        Level::Error => tracing::Level::ERROR,
        Level::Warn => tracing::Level::WARN,
        Level::Info => tracing::Level::INFO,
        Level::Debug => tracing::Level::DEBUG,
        Level::Trace => tracing::Level::TRACE,
    }
}

impl Secrets {
    /// Makes the actor around the running configuration.
    pub fn new(port: SecretsPort, running: Arc<Loaded>) -> Self {
        let age = KeyWatch::new(port.clock.clone(), port.risk.clone());
        Self { port, running, age }
    }

    fn take_over(&mut self, new: Arc<Loaded>, keys: &[&'static str]) {
        self.port.logging.set_levels(levels(new.settings()));
        let limits = Box::new(params::risk_limits(new.settings()));
        self.port.eyes.see(Observed::Limits(limits.clone()));
        if self.port.risk.send(RiskIn::Limits(limits)) != Sent::Delivered {
            tracing::error!(event = "reload_limits_not_delivered");
        }
        tracing::warn!(
            event = "config_reloaded",
            keys = keys.join(","),
            config_hash = new.config_hash()
        );
        self.running = new;
        self.age.look(&self.running);
    }

    fn reload(&mut self, new: Box<Loaded>, ctx: &mut Context<Self>) {
        match compare(&self.running, &new, Latitude::Tighten) {
            ReloadVerdict::Unchanged => tracing::info!(event = "config_unchanged"),
            ReloadVerdict::Refuse { keys } => {
                let reasons: Vec<String> = keys
                    .iter()
                    .map(|(key, why)| format!("{key}: {why}"))
                    .collect();
                tracing::error!(
                    event = "config_reload_refused",
                    reasons = reasons.join("; ")
                );
            }
            ReloadVerdict::Apply {
                keys,
                secrets: false,
            } => self.take_over(Arc::from(new), &keys),
            ReloadVerdict::Apply {
                keys,
                secrets: true,
            } => self.try_keys(Arc::from(new), keys, ctx),
        }
    }

    /// Tries the new credentials with one read; all or nothing.
    fn try_keys(&self, new: Arc<Loaded>, keys: Vec<&'static str>, ctx: &mut Context<Self>) {
        self.port.filter.load(new.secrets().redactor());
        let (candidate, Some((slot, reads))) = (signer(&new), self.port.trial.clone()) else {
            tracing::error!(
                event = "secret_reload_refused",
                reason = "this run uses no credentials"
            );
            return;
        };
        let candidate = match candidate {
            Ok(Some(candidate)) => candidate,
            Ok(None) => {
                tracing::error!(
                    event = "secret_reload_refused",
                    reason = "the credentials are gone"
                );
                return;
            }
            Err(reason) => {
                tracing::error!(event = "secret_reload_refused", reason);
                return;
            }
        };
        slot.replace(Some(Arc::clone(&candidate)));
        let trial = async move { reads.balances().await.map_err(|error| error.to_string()) };
        let done = actix::fut::wrap_future::<_, Self>(trial);
        let finished =
            actix::ActorFutureExt::map(done, move |result, actor: &mut Self, _ctx| match result {
                Ok(_) => {
                    actor.port.keys.replace(Some(candidate));
                    tracing::warn!(event = "secrets_rotated");
                    actor.take_over(new, &keys);
                }
                Err(reason) => tracing::error!(event = "secret_reload_refused", reason),
            });
        ctx.spawn(finished);
    }
}

impl Actor for Secrets {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(key_age::LOOK_EVERY, |secrets, _| {
            secrets.age.look(&secrets.running);
        });
    }
}

impl Handler<Tell<SecretsIn>> for Secrets {
    type Result = ();

    fn handle(&mut self, message: Tell<SecretsIn>, ctx: &mut Self::Context) {
        match message.0 {
            SecretsIn::Reload(new) => self.reload(new, ctx),
        }
    }
}
