//! A directory as an operator would set it up, armed against a simulated exchange of a lane's own.

use actors::clock::Clock;
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
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Three pairs, quotes near the market, short lives: an order every few hundred milliseconds.
const STRATEGY: &str = r#"
[market]
symbols = ["BTCTRY", "ETHTRY", "SOLTRY"]

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
shutdown_deadline_seconds = 90
"#;

/// The arming flags, the key pair's facts and every limit that live trading asks for.
const ENVIRONMENT: &str = "\
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
SLO_LIFT_BUDGETS=true
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

/// How to reach the exchange.
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
    /// Makes the directory: `init --live`, then the operator's part.
    ///
    /// # Errors
    /// A directory that cannot be written, or an `init` that fails: text for people.
    pub fn make(dir: PathBuf, binary: PathBuf, access: &Access<'_>) -> Result<Self, String> {
        let place = Self { dir, binary };
        let failed = |error: io::Error| format!("{}: {error}", place.dir.display());
        fs::create_dir_all(place.scratch()).map_err(failed)?;
        place.init()?;
        let files = [
            (CONFIG, STRATEGY.to_owned(), 0o644),
            ("secrets/btcturk_api_key", access.key.to_owned(), 0o400),
            (
                "secrets/btcturk_api_secret",
                access.secret.to_owned(),
                0o400,
            ),
            (".env.live", environment(access), 0o600),
        ];
        for (name, text, mode) in files {
            place.write(name, &text, mode).map_err(failed)?;
        }
        Ok(place)
    }

    fn init(&self) -> Result<(), String> {
        let ended = self.command(&["init", "--live"]).output();
        let ended = ended.map_err(|error| format!("{}: {error}", self.binary.display()))?;
        if ended.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        Err(format!("init --live: {}: {said}", ended.status))
    }

    /// Loses the journal and makes an empty one in its place, as a broken backup would.
    ///
    /// # Errors
    /// The file cannot be removed, or `init` fails: text for people.
    pub fn wipe(&self) -> Result<(), String> {
        fs::remove_dir_all(self.journal()).map_err(|error| error.to_string())?;
        self.init()
    }

    /// Returns the binary with arguments, in the directory, with an empty environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(args)
            .current_dir(&self.dir)
            .env_clear()
            .stdin(Stdio::null());
        command
    }

    /// Returns `run` as the operator starts it.
    pub fn run_command(&self) -> Command {
        self.command(&["run", "--config", CONFIG])
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the journal's directory.
    pub fn journal(&self) -> PathBuf {
        self.dir.join(JOURNAL)
    }

    /// Returns a directory for copies and logs.
    pub fn scratch(&self) -> PathBuf {
        self.dir.join("scratch")
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
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)?;
        file.write_all(text.as_bytes())
    }
}

fn environment(access: &Access<'_>) -> String {
    let (addr, day) = (access.addr, yesterday());
    format!(
        "{ENVIRONMENT}BTCTURK_SECRET_ROTATED_AT={day}\nBTCTURK_BASE_URL=http://{addr}\nBTCTURK_WS_URL=ws://{addr}/\n"
    )
}

/// The date before today in UTC: the key pair is young.
fn yesterday() -> String {
    let at = Timestamp::from_ms(Clock::start().now().ms() - DAY_MS);
    let at = jiff::Timestamp::from_millisecond(at.ms()).expect("a time of today");
    at.strftime("%Y-%m-%d").to_string()
}
