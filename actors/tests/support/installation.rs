//! A directory as an operator would set it up: configuration, dotenv file, secrets, state.

use super::exchange::Simulator;
use super::{Bot, SOON, START, btcbot, run};
use engine::time::Timestamp;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A strategy that trades within a second: short windows, visible sizes, one pair.
const FAST: &str = r#"
[market]
symbols = ["BTCTRY"]

[strategy]
strategies = ["market_maker"]
decision_min_interval_ms = 100
cycle_interval_ms = 500
sample_period_ms = 100
intent_notional_try = "2000"
ttl_seconds = 20
min_profit_bps = 2
fee_bps_maker = 6
fee_bps_taker = 11
slippage_bps_buffer = 2

[strategy.market_maker]
half_spread_bps = 8
vol_multiplier_bps = 0
order_try = "2000"
inventory_target_try = "8000"
inventory_limit_try = "20000"
requote_bps = 3
min_quote_life_ms = 300
samples_min = 4

[risk]
cooldown_seconds = 0

[orders]
reconcile_interval_seconds = 2

[simulation]
dry_run_try_balance = "100000"
latency_ms = 20
"#;

/// Every limit that live trading asks for.
const LIMITS: &str = "\
MAX_ORDER_NOTIONAL_TRY=5000
MAX_NOTIONAL_TRY_PER_MINUTE=1000000
MAX_ORDERS_PER_MINUTE=300
MAX_OPEN_ORDERS=10
MAX_OPEN_ORDERS_PER_SYMBOL=4
MAX_POSITION_NOTIONAL_TRY=50000
MAX_GROSS_EXPOSURE_TRY=150000
MAX_DAILY_LOSS_TRY=20000
MAX_DRAWDOWN_BPS=3000
PRICE_COLLAR_BPS=100
MAX_SPREAD_BPS=200
TRY_CASH_TARGET=300
";

/// The six conditions and what belongs to the key pair.
const ARMED: &str = "\
DRY_RUN=false
KILL_SWITCH=false
SAFE_MODE=false
LIVE_TRADING=true
LIVE_TRADING_ACK=I_UNDERSTAND
PROCESS_ROLE=LIVE
BTCTURK_API_KEY_FILE=secrets/btcturk_api_key
BTCTURK_API_SECRET_FILE=secrets/btcturk_api_secret
BTCTURK_SECRET_MAX_AGE_DAYS=90
BTCTURK_API_SCOPES=read,trade
OBSERVABILITY_PROMETHEUS_PORT=0
LOG_FORMAT=json
";

/// Simulated fills, with the one lock open that holds them back too.
const DRY: &str = "\
DRY_RUN=true
SAFE_MODE=false
OBSERVABILITY_PROMETHEUS_PORT=0
LOG_FORMAT=json
";

/// Quotes that rest far from the market, so that nothing but a cancel ends them.
pub const RESTING: [&str; 6] = [
    "--set",
    "strategy.market_maker.half_spread_bps=150",
    "--set",
    "strategy.market_maker.requote_bps=100",
    "--set",
    "strategy.ttl_seconds=600",
];

/// Name of the strategy file of every installation.
pub const CONFIG: &str = "bot.toml";

/// A directory, removed when this is dropped.
pub struct Installation {
    dir: TempDir,
}

impl Installation {
    /// An empty directory.
    pub fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// A dry run against a simulator, with orders allowed.
    pub fn dry(simulator: &Simulator) -> Self {
        let place = Self::empty();
        place.write(CONFIG, FAST);
        let (rest, ws) = (&simulator.rest_url, &simulator.ws_url);
        let dotenv = format!("{DRY}{LIMITS}BTCTURK_BASE_URL={rest}\nBTCTURK_WS_URL={ws}\n");
        place.write_with_mode(".env.live", &dotenv, 0o600);
        place
    }

    /// An armed installation: `init --live`, then every placeholder filled.
    pub fn armed(simulator: &Simulator) -> Self {
        let place = Self::empty();
        let made = run(place.command(&["init", "--live"]), START);
        assert_eq!(made.code, Some(0), "{made:?}");
        place.write(CONFIG, FAST);
        place.write_with_mode("secrets/btcturk_api_key", &simulator.key, 0o400);
        place.write_with_mode("secrets/btcturk_api_secret", &simulator.secret, 0o400);
        place.write_with_mode(".env.live", &dotenv(simulator), 0o600);
        place
    }

    /// The same for a drill: budgets and quick starts are counted and never act.
    pub fn drill(simulator: &Simulator) -> Self {
        let place = Self::armed(simulator);
        place.configure("SLO_LIFT_BUDGETS=true\n");
        place
    }

    /// Adds lines to the dotenv file, or replaces those that it has.
    pub fn configure(&self, lines: &str) {
        let file = self.path().join(".env.live");
        let old = fs::read_to_string(&file).expect("our own file");
        let name = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
        let replaced: Vec<String> = lines.lines().map(name).collect();
        let kept = old.lines().filter(|line| !replaced.contains(&name(line)));
        let text: String = kept
            .chain(lines.lines())
            .map(|line| format!("{line}\n"))
            .collect();
        self.write_with_mode(".env.live", &text, 0o600);
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The binary in this directory.
    pub fn command(&self, args: &[&str]) -> Command {
        btcbot(self.path(), args)
    }

    /// `run` with this installation's strategy file.
    pub fn run_command(&self, more: &[&str]) -> Command {
        let args: Vec<&str> = ["run", "--config", CONFIG]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        self.command(&args)
    }

    /// Starts `run`.
    pub fn start(&self) -> Bot {
        Bot::start(self.run_command(&[]))
    }

    /// Starts `run` with quotes that only a cancel ends, and waits for the first.
    pub fn resting(&self, simulator: &Simulator) -> Bot {
        let mut bot = Bot::start(self.run_command(&RESTING));
        bot.wait("an open order at the exchange", SOON, |_| {
            (!simulator.open_orders().is_empty()).then_some(())
        });
        bot
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        self.write_with_mode(name, text, 0o644)
    }

    /// Writes a file, in place of one that is there.
    pub fn write_with_mode(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path().join(name);
        // A file with mode 0400 cannot be opened again for writing.
        if path.exists() {
            fs::remove_file(&path).expect("our own file");
        }
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path);
        let mut file = file.expect("a new file");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("room on the disk");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("our own file");
        path
    }

    /// Returns what is in the directory, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("our own directory");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

fn dotenv(simulator: &Simulator) -> String {
    let day = yesterday();
    let (rest, ws) = (&simulator.rest_url, &simulator.ws_url);
    format!(
        "{ARMED}{LIMITS}BTCTURK_SECRET_ROTATED_AT={day}\nBTCTURK_BASE_URL={rest}\nBTCTURK_WS_URL={ws}\n"
    )
}

/// The date before today in UTC.
fn yesterday() -> String {
    const DAY_MS: i64 = 86_400_000;
    let at = Timestamp::from_ms(super::now_ms() - DAY_MS);
    let at = jiff::Timestamp::from_millisecond(at.ms()).expect("a time of today");
    at.strftime("%Y-%m-%d").to_string()
}
