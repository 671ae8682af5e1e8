//! The Secrets actor: takes over a freshly read configuration, credentials included, or none of it.
//!
//! New credentials are tried with reads before they replace the old ones, and must be of the same account; requests that
//! are already signed keep their signature. It hands out signers through `Keys`; nobody else sees a value.

use crate::clock::Clock;
use crate::driver::Keys;
use crate::driver::pace::Pace;
use crate::driver::read_failure::ReadFailure;
use crate::driver::reads::Reads;
use crate::gate::Gate;
use crate::key_age::{self, KeyWatch};
use crate::link::{Link, Sent, Tell};
use crate::locks::AccountLock;
use crate::logging::{Levels, Logging};
use crate::metrics::Metrics;
use crate::observer::{Eyes, Process};
use crate::params;
use crate::redact::Filter;
use crate::reload::{InForce, Outcome};
use crate::same_account::{Proof, Shown, Stranger, is_ours, judge};
use actix::{Actor, AsyncContext, Context, Handler};
use btcturk::rest::ReadError;
use btcturk::sign::Signer;
use config::load::Loaded;
use config::reload::{Latitude, ReloadVerdict, compare};
use config::secrets::credentials_usable;
use config::settings::{Level, Settings};
use engine::ids::AccountTag;
use engine::msg::{FeedIn, ReconcileIn, RiskIn};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Reloads that may wait; each is a whole configuration.
const MAILBOX: usize = 8;
/// Other keys that one run takes over; each holds a lock until the end.
const ROTATIONS_MAX: usize = 64;

/// What the actor hears.
pub enum SecretsIn {
    /// The configuration was read again.
    Reload {
        /// What was read.
        new: Box<Loaded>,
        /// How far limits may move.
        latitude: Latitude,
        /// Who waits for what becomes of it.
        answer: oneshot::Sender<Outcome>,
    },
}

/// Locks of the accounts whose keys this process has used since its start; each rotation adds one.
pub type Accounts = Arc<Mutex<Vec<AccountLock>>>;

/// What it works with.
#[derive(Clone)]
pub struct SecretsPort {
    /// The running configuration.
    pub in_force: InForce,
    /// The key pair in use.
    pub keys: Keys,
    /// A client that signs with the candidate, for the trial.
    pub trial: Option<(Keys, Reads)>,
    /// The tag of our orders.
    pub tag: AccountTag,
    /// The gate core, for limits.
    pub risk: Link<RiskIn>,
    /// Status and log.
    pub eyes: Eyes,
    /// The session, for its limits.
    pub feed: Link<FeedIn>,
    /// The looks at the account, for their interval.
    pub reconciler: Link<ReconcileIn>,
    /// Reads, for their pace.
    pub reads: Reads,
    /// The egress gate: what raises risk needs it shut.
    pub gate: Gate,
    /// Only on the live venue.
    pub accounts: Option<Accounts>,
    /// The filter that must know every loaded value.
    pub filter: Filter,
    /// The log, for its levels.
    pub logging: Arc<Logging>,
    /// Time.
    pub clock: Clock,
    /// Figures of the configuration.
    pub metrics: Metrics,
}

/// The actor.
pub struct Secrets {
    port: SecretsPort,
    age: KeyWatch,
}

/// What is tried before it replaces the running configuration.
struct Candidate {
    new: Arc<Loaded>,
    keys: Vec<&'static str>,
    signer: Arc<Signer>,
    /// Held from before the trial; dropped with a refused candidate.
    lock: Option<AccountLock>,
    answer: oneshot::Sender<Outcome>,
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

/// Returns how fast a configuration lets us ask.
pub const fn pace(settings: &Settings) -> Pace {
    let rest = &settings.exchange.rest;
    Pace {
        share_bps: rest.rate_utilisation_bps,
        retries_max: rest.retries_max,
        delay_ms_base: rest.retry_delay_ms_base,
        delay_ms_max: rest.retry_delay_ms_max,
    }
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
    /// Makes the actor; what is running outlives it.
    pub fn new(port: SecretsPort) -> Self {
        let age = KeyWatch::new(port.clock.clone(), port.risk.clone());
        Self { port, age }
    }

    /// Takes everything over: the gate's limits first, because without them nothing else may.
    ///
    /// # Errors
    /// The gate does not take its limits; nothing was changed.
    fn take_over(&mut self, new: Arc<Loaded>) -> Result<(), String> {
        let settings = new.settings();
        let limits = Box::new(params::risk_limits(settings));
        if self.port.risk.send(RiskIn::Limits(limits.clone())) != Sent::Delivered {
            return Err("the risk gate does not take its limits; ask again".to_owned());
        }
        self.port.eyes.see(Process::Limits(limits));
        // One that is made again meanwhile reads what is in force.
        self.port.in_force.set(Arc::clone(&new));
        self.port.logging.set_levels(levels(settings));
        self.port.metrics.configured(settings);
        self.port.reads.pace().set(pace(settings));
        let (feed, every) = (
            params::feed_limits(settings),
            params::reconcile_ms(settings),
        );
        self.age.look(&self.port.in_force.get());
        let told = [
            self.port.feed.send(FeedIn::Limits(feed)),
            self.port.reconciler.send(ReconcileIn::Every(every)),
        ];
        if told.contains(&Sent::Full) {
            tracing::error!(event = "reload_pace_not_delivered");
        }
        Ok(())
    }

    fn reload(
        &mut self,
        new: Box<Loaded>,
        latitude: Latitude,
        answer: oneshot::Sender<Outcome>,
        ctx: &mut Context<Self>,
    ) {
        let is_open = self.port.gate.is_open_for_submit();
        // The gate may have opened since the latitude was given.
        let latitude = if is_open { Latitude::Tighten } else { latitude };
        let outcome = match compare(&self.port.in_force.get(), &new, latitude) {
            ReloadVerdict::Unchanged => Outcome::Unchanged,
            ReloadVerdict::Refuse { keys } => {
                let reason = |(key, why): &(&str, &str)| format!("{key}: {why}");
                Outcome::Refused(keys.iter().map(reason).collect())
            }
            ReloadVerdict::Apply {
                keys,
                secrets: false,
            } => {
                let applied = Outcome::Applied {
                    keys,
                    secrets: false,
                };
                let taken = self.take_over(Arc::from(new));
                taken.map_or_else(|reason| Outcome::Refused(vec![reason]), |()| applied)
            }
            ReloadVerdict::Apply {
                keys,
                secrets: true,
            } => match self.candidate(&new) {
                Ok((signer, lock)) => {
                    let candidate = Candidate {
                        new: Arc::from(new),
                        keys,
                        signer,
                        lock,
                        answer,
                    };
                    return self.try_out(candidate, ctx);
                }
                Err(reason) => Outcome::Refused(vec![format!("credentials: {reason}")]),
            },
        };
        // Whoever asked may have gone; the outcome stands.
        let _ = answer.send(outcome);
    }

    /// Judges new credentials before anything is sent with them.
    fn candidate(&self, new: &Loaded) -> Result<(Arc<Signer>, Option<AccountLock>), String> {
        if self.port.trial.is_none() {
            return Err("this run uses none".to_owned());
        }
        // The old ones are in use until the new ones have proven themselves.
        let known = self.port.in_force.get().secrets().redactor();
        self.port
            .filter
            .load(known.joined(&new.secrets().redactor()));
        credentials_usable(new.settings(), new.secrets()).map_err(|error| error.to_string())?;
        if self.port.accounts.is_some() && self.port.gate.is_open_for_submit() {
            return Err("may only change while OBSERVE_ONLY or stricter".to_owned());
        }
        let signer = signer(new)?.ok_or("they are gone")?;
        Ok((signer, self.account_of(new)?))
    }

    /// Another key is another lock, so that no second process trades with it.
    fn account_of(&self, new: &Loaded) -> Result<Option<AccountLock>, String> {
        let fingerprint = new.secrets().fingerprint();
        let is_same = fingerprint == self.port.in_force.get().secrets().fingerprint();
        match (fingerprint, &self.port.accounts) {
            (Some(fingerprint), Some(held)) if !is_same => {
                if held.lock().unwrap_or_else(PoisonError::into_inner).len() >= ROTATIONS_MAX {
                    return Err(format!(
                        "{ROTATIONS_MAX} rotations since the start; restart"
                    ));
                }
                let lock = AccountLock::take(&fingerprint);
                lock.map(Some).map_err(|error| error.to_string())
            }
            (Some(_) | None, _) => Ok(None),
        }
    }

    /// Tries the new credentials with reads; all or nothing. Other reloads wait meanwhile.
    fn try_out(&self, candidate: Candidate, ctx: &mut Context<Self>) {
        let Some((slot, reads)) = self.port.trial.clone() else {
            return;
        };
        slot.replace(Some(Arc::clone(&candidate.signer)));
        let (old, tag, now) = (
            self.port.reads.clone(),
            self.port.tag,
            self.port.clock.now(),
        );
        let symbols = self.port.in_force.get().settings().market.symbols.clone();
        let trial = async move {
            let new = async || {
                let shown = Shown::read(&reads, &symbols, now).await;
                shown.map_err(|error| error.to_string())
            };
            if is_ours(&new().await?, tag) {
                return Ok(Proof::OwnOrder);
            }
            let old = match Shown::read(&old, &symbols, now).await {
                Ok(old) => Some(old),
                Err(ReadFailure::Answer(ReadError::Unauthorized)) => None,
                Err(error) => return Err(format!("the key in use: {error}")),
            };
            // Read again: an order that came up since is one that the old key alone has shown.
            let new = new().await?;
            judge(&new, old.as_ref(), tag).map_err(|error: Stranger| error.to_string())
        };
        let done = actix::fut::wrap_future::<_, Self>(trial);
        let finished = actix::ActorFutureExt::map(done, move |result, actor: &mut Self, _ctx| {
            let proof = result.map_err(|error| format!("credentials: {error}"));
            actor.tried(candidate, proof);
        });
        ctx.wait(finished);
    }

    fn tried(&mut self, candidate: Candidate, proof: Result<Proof, String>) {
        let new = candidate.new;
        let taken = proof.and_then(|proof| self.take_over(new).map(|()| proof));
        let outcome = match taken {
            Ok(proof) => {
                self.port.keys.replace(Some(candidate.signer));
                if let (Some(held), Some(lock)) = (&self.port.accounts, candidate.lock) {
                    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                    held.push(lock);
                }
                tracing::warn!(event = "secrets_rotated", proof = proof.as_str());
                Outcome::Applied {
                    keys: candidate.keys,
                    secrets: true,
                }
            }
            Err(reason) => Outcome::Refused(vec![reason]),
        };
        let _ = candidate.answer.send(outcome);
    }
}

impl Actor for Secrets {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(key_age::LOOK_EVERY, |secrets, _| {
            secrets.age.look(&secrets.port.in_force.get());
        });
    }
}

impl Handler<Tell<SecretsIn>> for Secrets {
    type Result = ();

    fn handle(&mut self, message: Tell<SecretsIn>, ctx: &mut Self::Context) {
        match message.0 {
            SecretsIn::Reload {
                new,
                latitude,
                answer,
            } => self.reload(new, latitude, answer, ctx),
        }
    }
}
