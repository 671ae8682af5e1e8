//! A directory, an environment and flags, as one start of the program would find them.

use btcbot_config::errors::ConfigErrors;
use btcbot_config::load::{Dotenv, Flag, Loaded, Sources, load};
use engine::time::Timestamp;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// 2026-11-21T00:00:00Z.
pub const NOW: Timestamp = Timestamp(1_795_219_200_000_000);
/// A well-formed API key.
pub const API_KEY: &str = "5d0b3c1e-4f5a-4c6b-9d7e-8f9a0b1c2d3e";
/// A well-formed API secret.
pub const API_SECRET: &str = "bm90LWEtcmVhbC1zZWNyZXQtb2YtYW55Ym9keQ==";

/// What every live start needs besides the six arming conditions.
pub const LIVE: &[(&str, &str)] = &[
    ("BTCTURK_SECRET_ROTATED_AT", "2026-11-01"),
    ("BTCTURK_API_KEY_FILE", "key"),
    ("BTCTURK_API_SECRET_FILE", "secret"),
    ("MAX_ORDER_NOTIONAL_TRY", "200"),
    ("MAX_NOTIONAL_TRY_PER_MINUTE", "400"),
    ("MAX_ORDERS_PER_MINUTE", "10"),
    ("MAX_OPEN_ORDERS", "4"),
    ("MAX_OPEN_ORDERS_PER_SYMBOL", "2"),
    ("MAX_POSITION_NOTIONAL_TRY", "500"),
    ("MAX_GROSS_EXPOSURE_TRY", "1000"),
    ("MAX_DAILY_LOSS_TRY", "100"),
    ("MAX_DRAWDOWN_BPS", "300"),
    ("PRICE_COLLAR_BPS", "50"),
    ("MAX_SPREAD_BPS", "100"),
];

/// The six conditions, all open.
pub const FREE: &[(&str, &str)] = &[
    ("PROCESS_ROLE", "LIVE"),
    ("KILL_SWITCH", "false"),
    ("SAFE_MODE", "false"),
    ("DRY_RUN", "false"),
    ("LIVE_TRADING", "true"),
    ("LIVE_TRADING_ACK", "I_UNDERSTAND"),
];

pub struct World {
    dir: TempDir,
    env: BTreeMap<OsString, OsString>,
    flags: Vec<Flag>,
    configs: Vec<PathBuf>,
    dotenv: Dotenv,
    pub uid: u32,
}

impl World {
    pub fn new() -> Self {
        Self {
            dir: TempDir::new().expect("temporary directory"),
            env: BTreeMap::new(),
            flags: Vec::new(),
            configs: Vec::new(),
            dotenv: Dotenv::IfPresent,
            uid: rustix::process::geteuid().as_raw(),
        }
    }

    /// A start that may trade live, unless something is changed.
    pub fn live() -> Self {
        Self::new()
            .envs(LIVE)
            .envs(FREE)
            .file("key", API_KEY)
            .file("secret", API_SECRET)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn root(&self) -> String {
        format!("{}/", self.dir.path().display())
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(&OsString::from(name));
        self
    }

    pub fn envs(self, pairs: &[(&str, &str)]) -> Self {
        pairs
            .iter()
            .fold(self, |world, (name, value)| world.env(name, value))
    }

    pub fn env_bytes(mut self, name: &str, value: OsString) -> Self {
        self.env.insert(name.into(), value);
        self
    }

    /// Writes a file that is closed to others.
    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("directory");
        std::fs::write(&path, text).expect("file");
        self.mode(name, 0o600)
    }

    pub fn mode(self, name: &str, mode: u32) -> Self {
        let rights = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(name), rights).expect("permissions");
        self
    }

    pub fn link(self, name: &str, target: impl AsRef<Path>) -> Self {
        std::os::unix::fs::symlink(target, self.path(name)).expect("link");
        self
    }

    /// Gives a file to somebody else, or pretends to be somebody else where that is not allowed.
    pub fn foreign(mut self, name: &str) -> Self {
        if self.uid == 0 {
            std::os::unix::fs::chown(self.path(name), Some(4_711), None).expect("root may chown");
        } else {
            self.uid += 1;
        }
        self
    }

    pub fn dotenv(self, text: &str) -> Self {
        self.file(".env.live", text)
    }

    pub fn env_file(mut self, dotenv: Dotenv) -> Self {
        self.dotenv = dotenv;
        self
    }

    pub fn etc(self, text: &str) -> Self {
        self.file("etc.toml", text)
    }

    /// Adds a `--config` file.
    pub fn config(mut self, name: &str, text: &str) -> Self {
        self.configs.push(PathBuf::from(name));
        self.file(name, text)
    }

    pub fn config_missing(mut self, name: &str) -> Self {
        self.configs.push(PathBuf::from(name));
        self
    }

    pub fn flag(mut self, flag: Flag) -> Self {
        self.flags.push(flag);
        self
    }

    pub fn set(self, pair: &str) -> Self {
        self.flag(Flag::Set(pair.to_owned()))
    }

    pub fn load(&self) -> Result<Loaded, ConfigErrors> {
        load(Sources {
            etc_file: Some(PathBuf::from("etc.toml")),
            config_files: self.configs.clone(),
            dotenv: self.dotenv.clone(),
            flags: self.flags.clone(),
            run_secrets: Some(self.path("run-secrets")),
            uid: self.uid,
            ..Sources::new(self.env.clone(), self.dir.path().to_owned(), NOW)
        })
    }

    pub fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The problems as `place | key | message | suggestion`, without the name of the directory.
    pub fn problems(&self) -> Vec<String> {
        let Err(errors) = self.load() else {
            return Vec::new();
        };
        let shown = |problem: &btcbot_config::errors::Problem| {
            let (place, key) = (problem.place(), problem.key());
            let suggestion = problem.suggestion().unwrap_or("-");
            format!("{place} | {key} | {} | {suggestion}", problem.message())
                .replace(&self.root(), "")
        };
        errors.problems().iter().map(shown).collect()
    }
}
