//! Reads all layers, reports everything that is wrong at once, or returns the settings with their provenance.
//!
//! Nothing here looks at the process: environment, directories, user and time are handed in. Layers, lowest first:
//! embedded defaults, systemd's state directory, /etc, `--config` files, dotenv, environment, flags.

use crate::errors::{ConfigErrors, Origin, Place, Problem};
use crate::files::{self, Content, Fault, Links};
use crate::flags;
use crate::flat;
use crate::kind::Plain;
use crate::layers::{Entry, Layer, Reading};
use crate::names::{self, KEYS};
use crate::rules;
use crate::secret_hook::HookKey;
use crate::secret_sources::SecretFiles;
use crate::secrets::{SecretName, Secrets};
use crate::settings::Settings;
use crate::toml_file::{self, Document};
use engine::time::Timestamp;
use figment::Figment;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The lowest layer; documents every key.
pub const DEFAULT_TOML: &str = include_str!("../default.toml");
/// The optional file of the host.
pub const ETC_FILE: &str = "/etc/btcbot/btcbot.toml";
/// The dotenv file that is read when none is named.
pub const DOTENV_FILE: &str = ".env.live";
/// Where containers put secrets.
pub const RUN_SECRETS: &str = "/run/secrets";
/// Files that `--config` may name.
const CONFIG_FILES_MAX: usize = 16;
/// What `demo` takes from the environment, besides `BTCBOT__OPS__*`.
const DEMO_NAMES: [&str; 2] = ["OBSERVABILITY_PROMETHEUS_PORT", "LOG_LEVEL"];

/// Which dotenv file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dotenv {
    /// `.env.live` in the working directory, if it exists.
    IfPresent,
    /// This one; it must exist.
    File(PathBuf),
    /// None.
    Off,
}

/// A flag of the command line that is part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `--dry-run`.
    DryRun,
    /// `--safe-mode`.
    SafeMode,
    /// `--kill-switch`.
    KillSwitch,
    /// `--set section.key=value`.
    Set(String),
}

/// Everything the configuration depends on. Has no `Debug`: the environment may hold secrets.
pub struct Sources {
    /// The process environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Where relative paths start.
    pub working_dir: PathBuf,
    /// The host's file, read if it exists; `None` skips it.
    pub etc_file: Option<PathBuf>,
    /// `--config` files in their order; each must exist.
    pub config_files: Vec<PathBuf>,
    /// Which dotenv file is read.
    pub dotenv: Dotenv,
    /// Flags in their order.
    pub flags: Vec<Flag>,
    /// The directory of container secrets; `None` skips it.
    pub run_secrets: Option<PathBuf>,
    /// Whether credentials are looked for; a command that only talks to a running process needs none.
    pub reads_secrets: bool,
    /// Our effective user id.
    pub uid: u32,
    /// The time of the start.
    pub now: Timestamp,
}

impl Sources {
    /// Makes the sources of an ordinary start: the usual places, no flags.
    pub fn new(env: BTreeMap<OsString, OsString>, working_dir: PathBuf, now: Timestamp) -> Self {
        Self {
            env,
            working_dir,
            etc_file: Some(PathBuf::from(ETC_FILE)),
            config_files: Vec::new(),
            dotenv: Dotenv::IfPresent,
            flags: Vec::new(),
            run_secrets: Some(PathBuf::from(RUN_SECRETS)),
            reads_secrets: true,
            uid: rustix::process::geteuid().as_raw(),
            now,
        }
    }

    /// Makes the sources of `demo`: no file, no secret, and of the environment only how to show itself.
    pub fn demo(env: BTreeMap<OsString, OsString>, working_dir: PathBuf, now: Timestamp) -> Self {
        let wanted = |name: &OsStr| {
            name.to_str()
                .is_some_and(|name| DEMO_NAMES.contains(&name) || name.starts_with("BTCBOT__OPS__"))
        };
        let env = env.into_iter().filter(|(name, _)| wanted(name)).collect();
        Self {
            etc_file: None,
            dotenv: Dotenv::Off,
            run_secrets: None,
            ..Self::new(env, working_dir, now)
        }
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRead {
    /// The path as it was named.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// User id of the owner.
    pub owner: u32,
}

/// An effective value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub(crate) plain: Plain,
    /// Where it came from.
    pub origin: Origin,
    /// Lower layers that also set it, lowest first, without the default.
    pub overrode: Vec<Origin>,
}

impl Setting {
    /// Returns the value as text.
    pub fn value(&self) -> String {
        self.plain.to_string()
    }
}

/// A line of `config show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The dotted key, or the environment name of a secret.
    pub key: &'static str,
    /// The value; of a secret only whether, where and with which mode it is set.
    pub value: String,
    /// Where it came from; empty for a secret, whose value says it.
    pub origin: String,
    /// Places of lower layers that also set it.
    pub overrode: Vec<String>,
}

/// A valid configuration. Nobody can change it afterwards, so arming judges what was read.
#[derive(Debug)]
pub struct Loaded {
    settings: Settings,
    provenance: BTreeMap<&'static str, Setting>,
    secrets: Secrets,
    hook_key: Option<Arc<HookKey>>,
    files: Vec<FileRead>,
    env_file_too_open: bool,
    config_hash: String,
    warnings: Vec<String>,
}

impl Loaded {
    /// Returns the settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns every key with its value and origin.
    pub const fn provenance(&self) -> &BTreeMap<&'static str, Setting> {
        &self.provenance
    }

    /// Returns the credentials.
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Returns the key that signs events for the webhook, if one is configured.
    pub fn hook_key(&self) -> Option<Arc<HookKey>> {
        self.hook_key.clone()
    }

    /// Returns the files that were read, lowest layer first; without files that hold a single secret.
    pub fn files(&self) -> &[FileRead] {
        &self.files
    }

    /// Returns whether the dotenv file is a link, not ours, or open to others.
    pub const fn env_file_too_open(&self) -> bool {
        self.env_file_too_open
    }

    /// Returns the SHA-256 of the effective configuration without secrets, in hex.
    pub fn config_hash(&self) -> &str {
        &self.config_hash
    }

    /// Returns what deserves a word although it is allowed.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the lines of `config show`: every key in the order of `default.toml`, then the secrets.
    pub fn show(&self) -> Vec<Row> {
        let keys = KEYS.iter().filter_map(|key| {
            let setting = self.provenance.get(key.path)?;
            Some(Row {
                key: key.path,
                value: setting.value(),
                origin: setting.origin.to_string(),
                overrode: setting.overrode.iter().map(ToString::to_string).collect(),
            })
        });
        let secrets = SecretName::ALL.into_iter().map(|name| Row {
            key: name.env(),
            value: self.secrets.shown(name),
            origin: String::new(),
            overrode: Vec::new(),
        });
        keys.chain(secrets).collect()
    }
}

/// Reads the configuration.
///
/// # Errors
/// Everything that is wrong, in one list without values. Missing credentials, a wrong acknowledgement or an unknown
/// age of the key are no errors: they block arming.
pub fn load(sources: Sources) -> Result<Loaded, ConfigErrors> {
    let mut reading = Reading::default();
    let mut files = Vec::new();
    toml_file::read(&mut reading, Document::Embedded(DEFAULT_TOML));
    read_state_directory(&mut reading, &sources);
    read_toml_files(&mut reading, &sources, &mut files);
    let env_file_too_open = read_dotenv(&mut reading, &sources, &mut files);
    flat::read_environment(&mut reading, &sources.env);
    flags::read(&mut reading, &sources.flags);

    let Reading {
        layers,
        mut problems,
        secrets,
        mut warnings,
    } = reading;
    let merged = layers.iter().fold(Figment::new(), Figment::merge);
    let secret_files = secret_files(&merged, &layers, &sources);
    let secrets = if sources.reads_secrets {
        Secrets::resolve(secrets, &secret_files, &mut problems)
    } else {
        Secrets::default()
    };
    let hook_key = hook_key(&merged, &layers, &sources, &mut problems);
    if let Some(errors) = ConfigErrors::collect(std::mem::take(&mut problems)) {
        return Err(errors);
    }

    let provenance = provenance(&merged, &layers);
    let settings: Settings = match merged.extract() {
        Ok(settings) => settings,
        Err(error) => return Err(mismatch(&error)),
    };
    for (key, rule) in rules::broken(&settings) {
        problems.push(broken_problem(&merged, &layers, key, rule));
    }
    if let Some(errors) = ConfigErrors::collect(problems) {
        return Err(errors);
    }
    warnings.extend(rules::warnings(&settings));
    warnings.extend(file_warnings(&files, &layers));
    let config_hash = hash(&provenance);
    Ok(Loaded {
        settings,
        provenance,
        secrets,
        hook_key,
        files,
        env_file_too_open,
        config_hash,
        warnings,
    })
}

/// systemd names the state directory of the unit; it counts as a better default.
fn read_state_directory(reading: &mut Reading, sources: &Sources) {
    let rank = reading.open_layer();
    let Some(value) = sources.variable("STATE_DIRECTORY") else {
        return;
    };
    let key = names::by_path("state.dir").expect("state.dir is in the table");
    let first = value.to_str().and_then(|text| text.split(':').next());
    let origin = Origin::Environment {
        name: "STATE_DIRECTORY".to_owned(),
    };
    let place = Place::of(rank, &origin);
    reading.set(
        key,
        "STATE_DIRECTORY",
        first.and_then(|text| key.kind.read_text(text)),
        origin,
        place,
    );
}

fn read_toml_files(reading: &mut Reading, sources: &Sources, files: &mut Vec<FileRead>) {
    let etc = sources.etc_file.iter().map(|path| (path, false));
    let named = sources
        .config_files
        .iter()
        .take(CONFIG_FILES_MAX)
        .map(|path| (path, true));
    for (path, must_exist) in etc.chain(named) {
        let shown = path.display().to_string();
        match text_of(&sources.working_dir.join(path), &shown, files) {
            Ok(content) => {
                let text = std::str::from_utf8(&content.bytes).unwrap_or_default();
                toml_file::read(
                    reading,
                    Document::File {
                        shown: &shown,
                        text,
                    },
                );
            }
            Err(Fault::Missing) if !must_exist => {}
            Err(fault) => unread(reading, fault, &shown),
        }
    }
    if sources.config_files.len() > CONFIG_FILES_MAX {
        let place = Place::whole(reading.layers.len(), "flag --config");
        reading.problems.push(Problem::new(
            place,
            "",
            format!("at most {CONFIG_FILES_MAX} files"),
        ));
    }
}

/// Reads the dotenv file; returns whether it is a link, not ours, or open to others.
fn read_dotenv(reading: &mut Reading, sources: &Sources, files: &mut Vec<FileRead>) -> bool {
    let (path, must_exist) = match &sources.dotenv {
        Dotenv::Off => return false,
        Dotenv::IfPresent => (PathBuf::from(DOTENV_FILE), false),
        Dotenv::File(path) => (path.clone(), true),
    };
    let shown = path.display().to_string();
    let full = sources.working_dir.join(&path);
    match text_of(&full, &shown, files) {
        Ok(content) => {
            let text = std::str::from_utf8(&content.bytes).unwrap_or_default();
            flat::read_dotenv(reading, &shown, text);
            let link = full
                .symlink_metadata()
                .map_or(true, |facts| facts.is_symlink());
            link || content.owner != sources.uid || content.mode & 0o077 != 0
        }
        Err(Fault::Missing) if !must_exist => false,
        Err(fault) => {
            unread(reading, fault, &shown);
            false
        }
    }
}

/// Reads a text file and notes it; a file that is not UTF-8 counts as unreadable.
fn text_of(path: &Path, shown: &str, files: &mut Vec<FileRead>) -> Result<Content, Fault> {
    let content = files::read(path, Links::Follow)?;
    if std::str::from_utf8(&content.bytes).is_err() {
        return Err(Fault::NotText);
    }
    files.push(FileRead {
        path: shown.to_owned(),
        mode: content.mode,
        owner: content.owner,
    });
    Ok(content)
}

/// Notes a file that could not be read.
fn unread(reading: &mut Reading, fault: Fault, label: &str) {
    let rank = reading.open_layer();
    let problem = Problem::new(Place::whole(rank, label), "", fault.text());
    reading.problems.push(if fault == Fault::Denied {
        problem.permission()
    } else {
        problem
    });
}

/// Returns the layer that a merged key came from, with its entry.
fn effective<'l>(
    merged: &Figment,
    layers: &'l [Layer],
    path: &str,
) -> Option<(&'l Layer, &'l Entry)> {
    let rank: usize = merged.find_metadata(path)?.name.parse().ok()?;
    let layer = layers.get(rank)?;
    Some((layer, layer.entries.get(path)?))
}

fn secret_files(merged: &Figment, layers: &[Layer], sources: &Sources) -> SecretFiles {
    let named = ["secrets.api_key_file", "secrets.api_secret_file"].map(|path| {
        let (layer, entry) = effective(merged, layers, path)?;
        let file = entry.plain.to_string();
        let full = sources.working_dir.join(&file);
        (!file.is_empty()).then(|| (full, Place::of(layer.rank, &entry.origin)))
    });
    let credentials = sources.variable("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let mounts = credentials
        .into_iter()
        .chain(sources.run_secrets.clone())
        .collect();
    SecretFiles {
        named,
        mounts,
        uid: sources.uid,
    }
}

/// The key of the webhook's events. What is no such file is refused without its path: it may be the key itself.
fn hook_key(
    merged: &Figment,
    layers: &[Layer],
    sources: &Sources,
    problems: &mut Vec<Problem>,
) -> Option<Arc<HookKey>> {
    let (layer, entry) = effective(merged, layers, "events.secret_file")?;
    let file = entry.plain.to_string();
    if file.is_empty() || !sources.reads_secrets {
        return None;
    }
    match HookKey::read(&sources.working_dir.join(file), sources.uid) {
        Ok(key) => Some(Arc::new(key)),
        Err(error) => {
            let place = Place::of(layer.rank, &entry.origin);
            let problem = Problem::new(place, "EVENTS_SECRET_FILE", error.to_string());
            problems.push(if error.is_permission() {
                problem.permission()
            } else {
                problem
            });
            None
        }
    }
}

fn provenance(merged: &Figment, layers: &[Layer]) -> BTreeMap<&'static str, Setting> {
    let setting = |path: &'static str| {
        let (layer, entry) = effective(merged, layers, path)?;
        let below = layers.get(1..layer.rank).unwrap_or_default();
        let overrode = below
            .iter()
            .filter_map(|lower| Some(lower.entries.get(path)?.origin.clone()))
            .collect();
        Some((
            path,
            Setting {
                plain: entry.plain.clone(),
                origin: entry.origin.clone(),
                overrode,
            },
        ))
    };
    KEYS.iter().filter_map(|key| setting(key.path)).collect()
}

/// Turns figment's refusal into a problem without its text, which quotes the value.
fn mismatch(error: &figment::Error) -> ConfigErrors {
    let place = Place::whole(0, "default");
    let problem = Problem::new(
        place,
        error.path.join("."),
        "the key table and the settings disagree",
    );
    ConfigErrors::collect(vec![problem]).expect("one problem was put in")
}

fn broken_problem(merged: &Figment, layers: &[Layer], key: &'static str, rule: &str) -> Problem {
    let place = effective(merged, layers, key).map_or_else(
        || Place::whole(0, "default"),
        |(layer, entry)| Place::of(layer.rank, &entry.origin),
    );
    Problem::new(place, key, rule)
}

fn file_warnings(files: &[FileRead], layers: &[Layer]) -> Vec<String> {
    let decides = layers.iter().skip(1).any(Layer::sets_safety);
    files
        .iter()
        .filter(|file| decides && file.mode & 0o022 != 0)
        .map(|file| {
            format!(
                "{}: others may write this file (mode {:04o})",
                file.path, file.mode
            )
        })
        .collect()
}

fn hash(provenance: &BTreeMap<&'static str, Setting>) -> String {
    let mut text = String::new();
    for (path, setting) in provenance {
        text.push_str(&format!("{path}={}\n", setting.plain));
    }
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
