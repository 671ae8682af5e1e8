//! `init`: the files a first start needs, each created once and never overwritten.
//!
//! It starts nothing and arms nothing: every value it writes is the safe one. The one idea: a journal is made here, in
//! a step of its own, so that `run` may treat a missing live journal as lost (RB-3).

use crate::cli::ConfigSource;
use crate::cli::InitArgs;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::clock::Clock;
use crate::store::{self, Header, StoreError, Venue};
use config::load::{DEFAULT_TOML, DOTENV_FILE, Dotenv};
use engine::ids::AccountTag;
use engine::time::Timestamp;
use serde_json::{Value, json};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Name of the configuration file.
const CONFIG_FILE: &str = "btcbot.toml";
/// Name of the folder for the two secret files.
const SECRETS_DIR: &str = "secrets";
/// Mode of a file that may hold something private.
const PRIVATE_FILE: u32 = 0o600;
/// Mode of a file without secrets: nobody else may change it.
const PLAIN_FILE: u32 = 0o644;
/// Mode of a private directory.
const PRIVATE_DIR: u32 = 0o700;

const CONFIG_HEAD: &str = "\
# Configuration of btcbot, made by `btcbot init`. Use it with: btcbot run --config btcbot.toml
# Every key stands here with its default, switched off by the sign in front of it. Remove the sign from what you change.
# A limit counts as set by you only if it stands here without the sign, or in .env.live; live trading needs all of them.
# The name in capitals is the key's name in .env.live and in the environment. Secrets never stand in this file.
";

const DOTENV_TEXT: &str = "\
# Settings of this machine, made by `btcbot init`. Read from the working directory at every start; mode 0600.
# All five are at their safe side. Live trading needs every one of them changed, on purpose, here.
SAFE_MODE=true
DRY_RUN=true
KILL_SWITCH=true
LIVE_TRADING=false
LIVE_TRADING_ACK=

# The key pair: two files with one line each, chmod 0400. Make it without the right to withdraw.
#BTCTURK_API_KEY_FILE=secrets/btcturk_api_key
#BTCTURK_API_SECRET_FILE=secrets/btcturk_api_secret
#BTCTURK_API_SCOPES=read,trade
# The day on which the key was made.
#BTCTURK_SECRET_ROTATED_AT=
";

/// One thing that `init` makes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    path: PathBuf,
    is_new: bool,
}

/// Creates what is missing. What exists is kept as it is and named; exit 1 if nothing was left to create.
///
/// # Errors
/// Exit 77 where this user may not write, 78 if configuration that exists cannot be read, 74 if a journal cannot be
/// made, 1 for any other failure of the disk.
pub fn init(args: &InitArgs) -> Outcome {
    let venues: &[Venue] = if args.live {
        &[Venue::Dry, Venue::Live]
    } else {
        &[Venue::Dry]
    };
    let parts = make(&args.dir, venues, Clock::start().now())?;
    let is_any_new = parts.iter().any(|part| part.is_new);
    report(&args.dir, &parts, is_any_new).print(args.json, &text(&args.dir, &parts))?;
    if is_any_new {
        Ok(Exit::Ok)
    } else {
        Err(Failed::new(
            Exit::Failure,
            "everything exists already; nothing was changed",
        ))
    }
}

fn make(dir: &Path, venues: &[Venue], now: Timestamp) -> Result<Vec<Part>, Failed> {
    std::fs::create_dir_all(dir).map_err(|error| refused(dir, &error))?;
    let dir = std::path::absolute(dir).map_err(|error| refused(dir, &error))?;
    let mut parts = vec![
        file(dir.join(CONFIG_FILE), PLAIN_FILE, &config_text())?,
        file(dir.join(DOTENV_FILE), PRIVATE_FILE, DOTENV_TEXT)?,
        directory(dir.join(SECRETS_DIR))?,
    ];
    let state = state_dir(&dir)?;
    for venue in venues {
        parts.push(journal(&state, *venue, now)?);
    }
    Ok(parts)
}

/// Returns `default.toml` with every value switched off: a copied default must not count as set by the operator.
fn config_text() -> String {
    let mut text = CONFIG_HEAD.to_owned();
    // The first two lines speak about the embedded file.
    for line in DEFAULT_TOML.lines().skip(2) {
        let is_value = !(line.is_empty() || line.starts_with(['#', '[']));
        text.push_str(if is_value { "#" } else { "" });
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn file(path: PathBuf, mode: u32, text: &str) -> Result<Part, Failed> {
    let mut options = OpenOptions::new();
    // `create_new` follows no link and replaces nothing, whatever happens beside us.
    let opened = options.write(true).create_new(true).mode(mode).open(&path);
    let written = opened.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    part(path, written)
}

fn directory(path: PathBuf) -> Result<Part, Failed> {
    let made = DirBuilder::new().mode(PRIVATE_DIR).create(&path);
    part(path, made)
}

fn part(path: PathBuf, made: io::Result<()>) -> Result<Part, Failed> {
    match made {
        Ok(()) => Ok(Part { path, is_new: true }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Part {
            path,
            is_new: false,
        }),
        Err(error) => Err(refused(&path, &error)),
    }
}

fn refused(path: &Path, error: &io::Error) -> Failed {
    let exit = if error.kind() == io::ErrorKind::PermissionDenied {
        Exit::Permission
    } else {
        Exit::Failure
    };
    Failed::new(exit, format!("cannot create {}: {error}", path.display()))
}

/// Returns the directory that `run` will use when it is started in `dir`.
fn state_dir(dir: &Path) -> Result<PathBuf, Failed> {
    let source = ConfigSource {
        files: vec![dir.join(CONFIG_FILE)],
        ..ConfigSource::default()
    };
    let mut sources = resolve::sources(&source, Forced::default())?;
    sources.working_dir = dir.to_owned();
    sources.dotenv = Dotenv::IfPresent;
    let loaded = config::load::load(sources).map_err(|errors| resolve::refused(&errors))?;
    // Taken apart and put together again, so that `./` in the setting does not show in every message.
    let state = dir.join(&loaded.settings().state.dir);
    Ok(state.components().collect())
}

/// Returns the directory of a venue's journal below the state directory.
pub fn venue_dir(state: &Path, venue: Venue) -> PathBuf {
    state.join(match venue {
        Venue::Dry => "dry",
        Venue::Live => "live",
        Venue::Demo => "demo",
    })
}

fn journal(state: &Path, venue: Venue, now: Timestamp) -> Result<Part, Failed> {
    let dir = venue_dir(state, venue);
    let path = dir.join(store::FILE_NAME);
    let made = DirBuilder::new()
        .mode(PRIVATE_DIR)
        .recursive(true)
        .create(&dir);
    made.map_err(|error| refused(&dir, &error))?;
    let entropy = getrandom::u64()
        .map_err(|error| Failed::new(Exit::Failure, format!("no random numbers: {error}")))?;
    let tag = AccountTag::from_entropy(entropy).to_string();
    match store::create(&dir, &Header::new(venue, &tag, now)) {
        Ok(()) => Ok(Part { path, is_new: true }),
        Err(StoreError::Exists) => Ok(Part {
            path,
            is_new: false,
        }),
        Err(StoreError::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(refused(&path, &error))
        }
        Err(error) => Err(Failed::new(
            Exit::Store,
            format!("cannot create {}: {error}", path.display()),
        )),
    }
}

fn names(parts: &[Part], is_new: bool) -> Vec<String> {
    let wanted = parts.iter().filter(|part| part.is_new == is_new);
    wanted.map(|part| part.path.display().to_string()).collect()
}

fn report(dir: &Path, parts: &[Part], is_any_new: bool) -> Report {
    let data: Value = json!({
        "dir": dir.display().to_string(),
        "created": names(parts, true),
        "kept": names(parts, false),
    });
    Report {
        command: "init",
        ok: is_any_new,
        data,
        warnings: Vec::new(),
    }
}

fn text(dir: &Path, parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        let verb = if part.is_new { "created" } else { "kept   " };
        text.push_str(&format!("{verb}  {}\n", part.path.display()));
    }
    let step = match dir.as_os_str() == "." {
        true => String::new(),
        false => format!("cd {}\n  ", dir.display()),
    };
    text.push_str(&format!(
        "\nNothing can reach the exchange with these files. Next:\n  \
         {step}\
         btcbot config check --config {CONFIG_FILE}   what would be used, and what blocks\n  \
         btcbot doctor --config {CONFIG_FILE}         whether this machine is ready\n  \
         btcbot run --config {CONFIG_FILE}            live public data, no orders\n  \
         SAFE_MODE=false btcbot run --config {CONFIG_FILE}   the same with simulated fills\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use config::load::Sources;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    const NOW: Timestamp = Timestamp::from_ms(1_767_225_600_000);

    fn mode(path: &Path) -> u32 {
        let meta = path.metadata().expect("it exists");
        meta.permissions().mode() & 0o7777
    }

    #[test]
    fn everything_is_created_private_and_the_journals_open() {
        let dir = tempfile::tempdir().expect("a directory");
        let made = make(dir.path(), &[Venue::Dry, Venue::Live], NOW).expect("made");
        assert!(made.iter().all(|part| part.is_new), "{made:?}");
        assert_eq!(mode(&dir.path().join(".env.live")), 0o600);
        assert_eq!(mode(&dir.path().join("secrets")), 0o700);
        let state = dir.path().join("btcbot-data");
        assert_eq!(mode(&state), 0o700);
        for venue in [Venue::Dry, Venue::Live] {
            let dir = venue_dir(&state, venue);
            assert_eq!(mode(&dir), 0o700);
            let (store, entries) = Store::open(&dir, venue).expect("it opens");
            assert!(entries.is_empty());
            assert!(AccountTag::parse(&store.header().account_tag).is_ok());
        }
    }

    #[test]
    fn live_state_is_made_only_when_asked_for() {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path(), &[Venue::Dry], NOW).expect("made");
        let live = venue_dir(&dir.path().join("btcbot-data"), Venue::Live);
        assert!(!live.exists());
        let made = make(dir.path(), &[Venue::Dry, Venue::Live], NOW).expect("made");
        assert!(live.join(store::FILE_NAME).exists());
        assert_eq!(made.iter().filter(|part| part.is_new).count(), 1);
    }

    #[test]
    fn nothing_that_exists_is_changed() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = dir.path().join(CONFIG_FILE);
        std::fs::write(&config, "[state]\ndir = \"elsewhere\"\n").expect("written");
        make(dir.path(), &[Venue::Dry], NOW).expect("made");
        let text = std::fs::read_to_string(&config).expect("read");
        assert_eq!(text, "[state]\ndir = \"elsewhere\"\n");
        let journal = dir.path().join("elsewhere/dry").join(store::FILE_NAME);
        let before = std::fs::read(&journal).expect("the state went where the file says");
        let again = make(dir.path(), &[Venue::Dry], NOW.plus_ms(1)).expect("nothing to do");
        assert!(again.iter().all(|part| !part.is_new), "{again:?}");
        assert_eq!(std::fs::read(&journal).expect("read"), before);
    }

    #[test]
    fn the_templates_change_no_setting_and_set_no_limit() {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path(), &[Venue::Dry], NOW).expect("made");
        let sources = |files: Vec<PathBuf>, dotenv: Dotenv| Sources {
            etc_file: None,
            run_secrets: None,
            config_files: files,
            dotenv,
            ..Sources::new(BTreeMap::new(), dir.path().to_owned(), NOW)
        };
        let plain = config::load::load(sources(Vec::new(), Dotenv::Off)).expect("valid");
        let files = vec![dir.path().join(CONFIG_FILE)];
        let made = config::load::load(sources(files, Dotenv::IfPresent)).expect("valid");
        assert_eq!(made.config_hash(), plain.config_hash());
        assert_eq!(
            config::arming::unset_limits(&made),
            config::arming::unset_limits(&plain)
        );
        assert!(!made.env_file_too_open());
        let text = config_text();
        assert!(text.contains("#max_daily_loss_try = ") && text.contains("# DRY_RUN: "));
    }
}
