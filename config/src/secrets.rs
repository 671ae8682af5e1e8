//! Finds the two credentials, checks where they lie, and keeps them where nothing can print them.
//!
//! A value leaves this file in one way only: [`Credentials::with`] lends it to the signer for the time of a call.
//! The order of sources decides which one is named; two sources with different values are refused, because a
//! half-finished rotation must not pick a key silently.

use crate::errors::{Class, Origin, Place, Problem};
use crate::files::{self, Content, Fault, Links};
use crate::redact::Redactor;
use crate::settings::{Scope, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Mode bits that must be clear on a file of our own: everything of group and others.
const OPEN_BITS: u32 = 0o077;
/// Mode bits that must be clear inside a secret mount. Reading by the group is allowed there, because systemd grants
/// a service its credentials by an access list, which shows as group bits.
const OPEN_BITS_IN_MOUNT: u32 = 0o027;
/// Rank of problems with secrets: behind those of all layers.
const RANK: usize = usize::MAX;
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

/// A secret found in one source.
pub(crate) struct Candidate {
    name: SecretName,
    text: SecretString,
    source: Source,
}

/// Where a secret was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    label: String,
    mode: Option<u32>,
    environment: bool,
    too_open: bool,
}

impl Candidate {
    /// Makes a candidate out of the environment or a dotenv file.
    pub(crate) fn flat(name: SecretName, text: &str, origin: &Origin) -> Self {
        let environment = matches!(origin, Origin::Environment { .. });
        let label = if environment {
            "environment".to_owned()
        } else {
            origin.to_string()
        };
        let source = Source {
            label,
            mode: None,
            environment,
            too_open: false,
        };
        Self {
            name,
            text: SecretString::from(without_newline(text)),
            source,
        }
    }
}

fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Where files with secrets are looked for.
pub(crate) struct SecretFiles {
    /// From the configuration, with the place that named the file; in the order of [`SecretName::ALL`].
    pub(crate) named: [Option<(PathBuf, Place)>; 2],
    /// `$CREDENTIALS_DIRECTORY` and `/run/secrets`, as far as they exist.
    pub(crate) mounts: Vec<PathBuf>,
    /// Our user id.
    pub(crate) uid: u32,
}

/// One loaded secret.
struct Held {
    text: SecretString,
    source: Source,
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

/// Collects the candidates of one secret in their order, and refuses contradictions.
fn pick(
    name: SecretName,
    mut found: Vec<Candidate>,
    named: Option<&(PathBuf, Place)>,
    files: &SecretFiles,
    problems: &mut Vec<Problem>,
) -> Option<Held> {
    if let Some((path, place)) = named {
        if !found.is_empty() {
            let message = format!("{} is set too; keep one of the two", name.env());
            problems.push(Problem::new(
                place.clone(),
                format!("{}_FILE", name.env()),
                message,
            ));
            return None;
        }
        found.extend(from_named(name, path, place, files, problems));
    }
    for mount in &files.mounts {
        found.extend(from_mount(
            name,
            mount,
            &mount.join(name.file()),
            files.uid,
            problems,
        ));
    }
    let mut found = found.into_iter();
    let first = found.next()?;
    for other in found {
        if other.text.expose_secret() != first.text.expose_secret() {
            let place = Place::whole(RANK, first.source.label.clone());
            let message = format!(
                "secret_source_conflict: {} holds a different value; keep one",
                other.source.label
            );
            problems.push(Problem::new(place, name.env(), message));
        }
    }
    Some(Held {
        text: first.text,
        source: first.source,
    })
}

/// A path that does not exist is not printed: it may be the secret itself.
fn named_fault(name: SecretName, fault: Fault, path: &Path, place: &Place, uid: u32) -> Problem {
    let key = format!("{}_FILE", name.env());
    match fault {
        Fault::Denied => Problem::new(
            place.clone(),
            key,
            format!("{}; {}", fault.text(), remedy(path, uid)),
        )
        .permission(),
        Fault::Link => {
            let message = format!("{}; name the file itself", fault.text());
            Problem::new(place.clone(), key, message).permission()
        }
        Fault::Missing
        | Fault::NotRegular
        | Fault::TooLong
        | Fault::NotText
        | Fault::Unreadable => Problem::new(place.clone(), key, fault.text()),
    }
}

fn remedy(path: &Path, uid: u32) -> String {
    let path = path.display();
    format!("run: chown {uid} {path} && chmod 0400 {path}")
}

/// Reads the file that the configuration names. Inside a secret mount the rules of the mount hold.
fn from_named(
    name: SecretName,
    path: &Path,
    place: &Place,
    files: &SecretFiles,
    problems: &mut Vec<Problem>,
) -> Option<Candidate> {
    let exists = path.symlink_metadata().is_ok();
    if exists && let Some(mount) = files.mounts.iter().find(|mount| path.starts_with(mount)) {
        return from_mount(name, mount, path, files.uid, problems);
    }
    match files::read(path, Links::Refuse) {
        Ok(content) => {
            let label = path.display().to_string();
            from_file(name, content, label, OPEN_BITS, files.uid, problems)
        }
        Err(fault) => {
            problems.push(named_fault(name, fault, path, place, files.uid));
            None
        }
    }
}

/// Reads a file of a secret mount; one that is not there is no problem.
fn from_mount(
    name: SecretName,
    mount: &Path,
    path: &Path,
    uid: u32,
    problems: &mut Vec<Problem>,
) -> Option<Candidate> {
    path.symlink_metadata().ok()?;
    let label = path.display().to_string();
    let mut refuse = |message: String| {
        let place = Place::whole(RANK, label.clone());
        problems.push(Problem::new(place, name.env(), message).permission());
    };
    // Kubernetes lays secrets out as links inside the mount; a link that leaves it is refused.
    let (Ok(root), Ok(target)) = (mount.canonicalize(), path.canonicalize()) else {
        refuse(format!(
            "{}; {}",
            Fault::Unreadable.text(),
            remedy(path, uid)
        ));
        return None;
    };
    if !target.starts_with(&root) {
        refuse("a symbolic link leads out of the secret mount".to_owned());
        return None;
    }
    match files::read(&target, Links::Refuse) {
        Ok(content) => from_file(name, content, label, OPEN_BITS_IN_MOUNT, uid, problems),
        Err(fault) => {
            refuse(format!("{}; {}", fault.text(), remedy(path, uid)));
            None
        }
    }
}

fn from_file(
    name: SecretName,
    content: Content,
    label: String,
    open_bits: u32,
    uid: u32,
    problems: &mut Vec<Problem>,
) -> Option<Candidate> {
    let place = Place::whole(RANK, label.clone());
    if content.owner != uid && content.owner != 0 {
        let message = format!(
            "the file belongs to another user; {}",
            remedy(Path::new(&label), uid)
        );
        problems.push(Problem::new(place, name.env(), message).permission());
        return None;
    }
    let Ok(text) = std::str::from_utf8(&content.bytes) else {
        problems.push(Problem::new(place, name.env(), "expected UTF-8 text").permission());
        return None;
    };
    let text = Zeroizing::new(without_newline(text).to_owned());
    if text.is_empty() {
        problems.push(Problem::new(place, name.env(), "the file is empty"));
        return None;
    }
    let too_open = content.mode & open_bits != 0;
    let source = Source {
        label,
        mode: Some(content.mode),
        environment: false,
        too_open,
    };
    Some(Candidate {
        name,
        text: SecretString::from(text.as_str()),
        source,
    })
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
    /// The API secret decoded: the HMAC key (exchange-protocol.md 3.1).
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
