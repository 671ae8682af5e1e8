//! The directory: made by `init --live`, filled in as an operator would, armed against a simulated exchange.

use crate::pace::Pace;
use engine::time::Timestamp;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Name of the strategy file.
const CONFIG: &str = "bot.toml";
/// Where the journal of the live venue is, below the directory.
const JOURNAL: &str = "btcbot-data/live";
/// What every deployment of ours asks of the C library's allocator: one arena for all threads.
const ARENAS: (&str, &str) = ("MALLOC_ARENA_MAX", "1");
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// How to reach the exchange.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// Where REST and stream are.
    pub addr: SocketAddr,
    /// Public key of the pair.
    pub key: &'a str,
    /// Its secret; an example of the exchange's documents, no secret of anybody.
    pub secret: &'a str,
}

/// The directory. It stays behind until it is removed.
pub struct Place {
    dir: PathBuf,
    binary: PathBuf,
}

impl Place {
    /// Makes the directory: `init --live`, then the operator's part; by `now` the key pair is a day old.
    ///
    /// # Errors
    /// A directory that cannot be written, or an `init` that fails: text for people.
    pub fn make(
        dir: PathBuf,
        binary: PathBuf,
        access: Access<'_>,
        pace: Pace,
        now: Timestamp,
    ) -> Result<Self, String> {
        let place = Self { dir, binary };
        let failed = |error: io::Error| format!("{}: {error}", place.dir.display());
        fs::create_dir_all(&place.dir).map_err(failed)?;
        place.init()?;
        let environment = pace.armed() + &reach(access.addr, now);
        for (name, text, mode) in [
            (CONFIG, pace.strategy().as_str(), 0o644),
            ("secrets/btcturk_api_key", access.key, 0o400),
            ("secrets/btcturk_api_secret", access.secret, 0o400),
            (".env.live", &environment, 0o600),
        ] {
            place.write(name, text, mode).map_err(failed)?;
        }
        Ok(place)
    }

    /// Runs `init --live`, which makes whatever is missing, the journal among it.
    ///
    /// # Errors
    /// The binary cannot be started, or it fails: text for people.
    pub fn init(&self) -> Result<(), String> {
        let ended = self.command(&["init", "--live"]).output();
        let ended =
            ended.map_err(|error| format!("--binary {}: {error}", self.binary.display()))?;
        if ended.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        Err(format!("init --live: {}: {said}", ended.status))
    }

    /// Returns `run` as the operator starts it.
    pub(crate) fn run_command(&self) -> Command {
        self.command(&["run", "--config", CONFIG])
    }

    /// The binary with arguments, in the directory, with nothing in its environment but what each deployment sets.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(args)
            .current_dir(&self.dir)
            .env_clear()
            .env(ARENAS.0, ARENAS.1)
            .stdin(Stdio::null());
        command
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the journal's directory.
    pub fn journal(&self) -> PathBuf {
        self.dir.join(JOURNAL)
    }

    /// Removes everything.
    pub fn remove(self) {
        // What stays behind is a temporary directory of no consequence.
        let _removed = fs::remove_dir_all(&self.dir);
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> io::Result<()> {
        let path = self.dir.join(name);
        // `init` may have left a template that cannot be written to.
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(mode);
        options.open(&path)?.write_all(text.as_bytes())
    }
}

/// The lines of the dotenv file that say where the exchange is, and that the key pair is of yesterday in UTC.
fn reach(addr: SocketAddr, now: Timestamp) -> String {
    let yesterday = jiff::Timestamp::from_millisecond(now.plus_ms(-DAY_MS).ms());
    let day = yesterday.expect("a time of today").strftime("%Y-%m-%d");
    format!(
        "BTCTURK_SECRET_ROTATED_AT={day}\nBTCTURK_BASE_URL=http://{addr}\nBTCTURK_WS_URL=ws://{addr}/\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_pair_is_of_the_day_before() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 9));
        let check = |now_ms, day: &str| {
            let expected = format!(
                "BTCTURK_SECRET_ROTATED_AT={day}\nBTCTURK_BASE_URL=http://127.0.0.1:9\nBTCTURK_WS_URL=ws://127.0.0.1:9/\n"
            );
            assert_eq!(reach(addr, Timestamp::from_ms(now_ms)), expected);
        };
        check(1_772_323_200_000, "2026-02-28");
        check(1_772_323_199_999, "2026-02-27");
    }
}
