//! The two credentials, kept where nothing can print them.
//!
//! A value leaves this file in one way only: [`Credentials::with`] lends it to the signer for the time of a call.
//! The order of sources decides which one is named; two sources with different values are refused, because a
//! half-finished rotation must not pick a key silently.

use crate::errors::{Class, Place, Problem};
use crate::redact::Redactor;
use crate::secret_sources::{Candidate, RANK, SecretFiles, Source, pick};
use crate::settings::{Scope, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// Characters of the key's hash that are shown.
const FINGERPRINT_LEN: usize = 6;

/// One of the two credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretName {
    /// The public part, sent with each signed request.
    ApiKey,
    /// The signing key, base64.
    ApiSecret,
}

impl SecretName {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ApiKey, Self::ApiSecret];

    /// Returns the name in environment and dotenv files.
    pub const fn env(self) -> &'static str {
        match self {
            Self::ApiKey => "BTCTURK_API_KEY",
            Self::ApiSecret => "BTCTURK_API_SECRET",
        }
    }

    /// Returns the name of its file in a secret mount.
    pub const fn file(self) -> &'static str {
        match self {
            Self::ApiKey => "btcturk_api_key",
            Self::ApiSecret => "btcturk_api_secret",
        }
    }
}

/// Returns whether a dotted path ends in the name of a secret: such a key was never meant to exist.
pub(crate) fn is_secret_path(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path).to_uppercase();
    SecretName::ALL
        .into_iter()
        .map(SecretName::env)
        .any(|env| last == env || env.strip_prefix("BTCTURK_") == Some(last.as_str()))
}

/// One loaded secret.
pub(crate) struct Held {
    pub(crate) text: SecretString,
    pub(crate) source: Source,
}

/// The loaded credentials. Missing ones are no error: they block, they do not stop.
#[derive(Default)]
pub struct Secrets {
    api_key: Option<Held>,
    api_secret: Option<Held>,
    pair: Option<Credentials>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, secret) = (self.api_key.is_some(), self.api_secret.is_some());
        write!(f, "Secrets(api_key: {key}, api_secret: {secret})")
    }
}

impl Secrets {
    /// Picks one source per secret out of everything that was found; problems go to the list.
    pub(crate) fn resolve(
        mut found: Vec<Candidate>,
        files: &SecretFiles,
        problems: &mut Vec<Problem>,
    ) -> Self {
        // The dotenv layer was read before the environment; the order of sources is the other way round.
        found.sort_by_key(|candidate| !candidate.source.environment);
        let mut secrets = Self::default();
        for (name, named) in SecretName::ALL.into_iter().zip(&files.named) {
            let (flat, rest): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|one| one.name == name);
            found = rest;
            let held = pick(name, flat, named.as_ref(), files, problems);
            match name {
                SecretName::ApiKey => secrets.api_key = held,
                SecretName::ApiSecret => secrets.api_secret = held,
            }
        }
        secrets.pair = secrets.check(problems);
        secrets
    }

    fn check(&self, problems: &mut Vec<Problem>) -> Option<Credentials> {
        let refuse = |name: SecretName, held: &Held, message: &str| {
            let place = Place::whole(RANK, held.source.label.clone());
            Problem::new(place, name.env(), message).permission()
        };
        let mut bytes = None;
        if let Some(held) = &self.api_secret {
            bytes = STANDARD
                .decode(held.text.expose_secret())
                .ok()
                .map(|bytes| SecretBox::new(Box::new(bytes)));
            if bytes.is_none() {
                problems.push(refuse(SecretName::ApiSecret, held, "expected base64 text"));
            }
        }
        let key = self.api_key.as_ref()?;
        if !key
            .text
            .expose_secret()
            .bytes()
            .all(|b| b.is_ascii_graphic())
        {
            problems.push(refuse(
                SecretName::ApiKey,
                key,
                "expected visible ASCII characters without spaces",
            ));
            return None;
        }
        let pair = Pair {
            api_key: SecretString::from(key.text.expose_secret()),
            secret_text: SecretString::from(self.api_secret.as_ref()?.text.expose_secret()),
            secret_bytes: bytes?,
        };
        Some(Credentials {
            pair: Arc::new(pair),
        })
    }

    /// Returns the handle for the signer; `None` unless both parts are present.
    pub fn credentials(&self) -> Option<Credentials> {
        self.pair.clone()
    }

    /// Returns whether anything was loaded.
    pub fn any(&self) -> bool {
        self.api_key.is_some() || self.api_secret.is_some()
    }

    /// Returns the first six hex digits of the key's SHA-256: the only form of it that is shown.
    pub fn fingerprint(&self) -> Option<String> {
        let key = self.api_key.as_ref()?;
        Some(hash(key)[..FINGERPRINT_LEN].to_owned())
    }

    /// Returns the filter that removes these secrets from any text.
    pub fn redactor(&self) -> Redactor {
        let texts = self.held().map(|held| held.text.expose_secret().as_bytes());
        let bytes = self
            .pair
            .iter()
            .map(|pair| pair.pair.secret_bytes.expose_secret().as_slice());
        Redactor::new(texts.chain(bytes))
    }

    /// Returns where a secret came from, in words without its value: `set, <source>, <mode>` or `not set`.
    pub fn shown(&self, name: SecretName) -> String {
        let held = match name {
            SecretName::ApiKey => &self.api_key,
            SecretName::ApiSecret => &self.api_secret,
        };
        match held.as_ref().map(|held| &held.source) {
            None => "not set".to_owned(),
            Some(Source {
                label,
                mode: Some(mode),
                ..
            }) => format!("set, {label}, {mode:04o}"),
            Some(Source {
                label, mode: None, ..
            }) => format!("set, {label}"),
        }
    }

    /// Returns whether a file with a secret may be read by others.
    pub fn file_too_open(&self) -> bool {
        self.held().any(|held| held.source.too_open)
    }

    /// Returns whether a secret was taken from the process environment.
    pub fn from_environment(&self) -> bool {
        self.held().any(|held| held.source.environment)
    }

    /// Returns whether both hold the same values.
    pub fn same_as(&self, other: &Self) -> bool {
        let hashes = |secrets: &Self| {
            [&secrets.api_key, &secrets.api_secret].map(|held| held.as_ref().map(hash))
        };
        hashes(self) == hashes(other)
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        self.api_key.iter().chain(&self.api_secret)
    }
}

fn hash(held: &Held) -> String {
    let digest = Sha256::digest(held.text.expose_secret().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Pair {
    api_key: SecretString,
    secret_text: SecretString,
    secret_bytes: SecretBox<Vec<u8>>,
}

/// What the signer gets to see for the time of one call.
pub struct Exposed<'a> {
    /// The API key, visible ASCII.
    pub api_key: &'a str,
    /// The API secret as it was given, base64 text.
    pub secret_base64: &'a str,
    /// The API secret decoded: the HMAC key (docs/EXCHANGE.md 3.1).
    pub secret_bytes: &'a [u8],
}

/// A handle to a complete pair of credentials. Copies share one place in memory, which is overwritten at the end.
#[derive(Clone)]
pub struct Credentials {
    pair: Arc<Pair>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials([REDACTED])")
    }
}

impl Credentials {
    /// Makes throw-away credentials for the loopback simulator; never for the exchange.
    ///
    /// The bytes are the HMAC key; its base64 text is derived from them.
    pub fn throwaway(api_key: &str, secret_bytes: &[u8]) -> Self {
        let pair = Pair {
            api_key: SecretString::from(api_key),
            secret_text: SecretString::from(STANDARD.encode(secret_bytes)),
            secret_bytes: SecretBox::new(Box::new(secret_bytes.to_vec())),
        };
        Self {
            pair: Arc::new(pair),
        }
    }

    /// Lends the values to `signer`, the only reader there may be. They must not be kept as text, logged or sent.
    pub fn with<R>(&self, signer: impl FnOnce(Exposed<'_>) -> R) -> R {
        signer(Exposed {
            api_key: self.pair.api_key.expose_secret(),
            secret_base64: self.pair.secret_text.expose_secret(),
            secret_bytes: self.pair.secret_bytes.expose_secret(),
        })
    }
}

/// The key may move money out; `run` must not start with it (exit 77). Other commands go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "BTCTURK_API_SCOPES declares withdraw; make a key without that right and declare read,trade"
)]
pub struct OverPrivileged;

impl OverPrivileged {
    /// Returns the class of the refusal.
    pub const fn class(self) -> Class {
        Class::Permission
    }
}

/// Checks that the loaded credentials are none that `run` must refuse.
///
/// # Errors
/// `OverPrivileged` if a credential is present and the scope `withdraw` is declared.
pub fn credentials_usable(settings: &Settings, secrets: &Secrets) -> Result<(), OverPrivileged> {
    if secrets.any() && settings.secrets.scopes.contains(&Scope::Withdraw) {
        return Err(OverPrivileged);
    }
    Ok(())
}
