//! The typed settings: what the rest of the program sees of the configuration.
//!
//! Field names are the TOML names. Ranges are checked before these types are filled, so every value here is valid;
//! there are no options for "not configured", except where missing means something.

use crate::claims::Claim;
use crate::endpoint::{Endpoint, Scheme};
use crate::names::ACK_PHRASE;
use engine::foreign::ForeignPolicy;
use engine::ids::Symbol;
use engine::money::Amount;
use engine::time::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::net::IpAddr;
use std::path::PathBuf;

/// Pairs that may be traded at once.
pub const SYMBOLS_MAX: usize = 10;

/// Everything that is configured.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The arming inputs.
    pub safety: Safety,
    /// Facts about the credentials; never the credentials.
    pub secrets: SecretPolicy,
    /// How to reach the exchange.
    pub exchange: Exchange,
    /// What is watched.
    pub market: Market,
    /// What is traded and how.
    pub strategy: Strategy,
    /// Limits.
    pub risk: Risk,
    /// Order and reconciliation pacing.
    pub orders: Orders,
    /// What a day may cost.
    pub slo: Slo,
    /// Where state is kept.
    pub state: State,
    /// The simulated venue.
    pub simulation: Simulation,
    /// Metrics.
    pub observability: Observability,
    /// The read-only HTTP plane.
    pub ops: Ops,
    /// News for a receiver of the operator's.
    pub events: Events,
    /// Logging.
    pub log: Log,
}

/// The arming inputs; read by [`crate::arming`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Safety {
    /// Simulated venue; no live port is built.
    pub dry_run: bool,
    /// Live venue: nothing is submitted, own orders are cancelled.
    pub kill_switch: bool,
    /// No order leaves.
    pub safe_mode: bool,
    /// One of the arming conditions.
    pub live_trading: bool,
    /// One of the arming conditions.
    pub live_trading_ack: Acknowledgement,
    /// Whether this process may write to the exchange at all.
    pub process_role: Role,
}

/// What was written into `LIVE_TRADING_ACK`; a wrong text is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// Nothing.
    Missing,
    /// Something else than the phrase.
    Wrong,
    /// Exactly the phrase.
    Given,
}

impl<'de> Deserialize<'de> for Acknowledgement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "" => Self::Missing,
            ACK_PHRASE => Self::Given,
            _ => Self::Wrong,
        })
    }
}

/// What the process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// May trade.
    Live,
    /// Never writes to the exchange, not even cancels.
    Monitor,
}

/// Facts about the credentials.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretPolicy {
    /// File that holds the API key.
    #[serde(deserialize_with = "optional_path")]
    pub api_key_file: Option<PathBuf>,
    /// File that holds the API secret.
    #[serde(deserialize_with = "optional_path")]
    pub api_secret_file: Option<PathBuf>,
    /// Declared rights of the key, sorted.
    pub scopes: Vec<Scope>,
    /// When the key was made.
    pub rotated_at: Rotation,
    /// Greatest age of the key in days.
    pub age_days_max: i64,
    /// Arm although the key came from the process environment.
    pub allow_environment: bool,
}

/// A declared right of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read balances and orders.
    Read,
    /// Place and cancel orders.
    Trade,
    /// Move money out; never accepted.
    Withdraw,
    /// Something we do not know; its text is not kept.
    Other,
}

/// When the key was made, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Not set.
    Unset,
    /// Set to something that is no date; its text is not kept.
    Unreadable,
    /// Known.
    At(Timestamp),
}

impl<'de> Deserialize<'de> for Rotation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self::Unset);
        }
        let parsed = text.parse::<jiff::Timestamp>();
        Ok(parsed.map_or(Self::Unreadable, |at| {
            Self::At(Timestamp(at.as_microsecond()))
        }))
    }
}

/// How to reach the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// REST address.
    #[serde(deserialize_with = "rest_endpoint")]
    pub rest_url: Endpoint,
    /// Stream address.
    #[serde(deserialize_with = "ws_endpoint")]
    pub ws_url: Endpoint,
    /// REST pacing.
    pub rest: Rest,
    /// Stream pacing.
    pub ws: Ws,
    /// Clock tolerance.
    pub clock: Clock,
}

/// REST pacing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    /// Whole request except an order submit, milliseconds.
    pub timeout_ms: i64,
    /// Connect phase, milliseconds; a failure in it proves that nothing was sent.
    pub connect_timeout_ms: i64,
    /// First retry delay of an idempotent request, milliseconds.
    pub retry_delay_ms_base: i64,
    /// Largest computed retry delay, milliseconds.
    pub retry_delay_ms_max: i64,
    /// Further attempts after the first; a submit has none.
    pub retries_max: u32,
    /// Share of each documented request quota that is used, bps.
    pub rate_utilisation_bps: i64,
}

/// Stream pacing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ws {
    /// Silence after which the connection is replaced, milliseconds.
    pub idle_ms_max: i64,
    /// First reconnect delay, milliseconds.
    pub backoff_ms_base: i64,
    /// Largest reconnect delay, milliseconds.
    pub backoff_ms_max: i64,
    /// Healthy time that forgives failures, milliseconds.
    pub backoff_reset_ms: i64,
    /// Connects per minute over all sockets.
    pub connects_per_minute: u32,
}

/// Clock tolerance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Offset to the exchange from which nothing is decided, milliseconds.
    pub skew_ms_warn: i64,
    /// Offset to the exchange that kills, milliseconds.
    pub skew_ms_kill: i64,
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// Pairs, 1 to [`SYMBOLS_MAX`], all different.
    pub symbols: Vec<Symbol>,
    /// Age from which a book is stale, milliseconds.
    pub max_market_data_age_ms: i64,
    /// Move within a second that makes a mark suspect, bps.
    pub price_jump_bps: i64,
}

/// What is traded and how.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// Which strategies run and what they own; see [`Settings::owner`].
    pub strategies: Vec<Claim>,
    /// Least time between two decisions on one pair, milliseconds.
    pub decision_min_interval_ms: i64,
    /// Period of the cycle, milliseconds.
    pub cycle_interval_ms: i64,
    /// Base size of an entry, TRY.
    pub intent_notional_try: Amount,
    /// Life of a resting order, seconds.
    pub ttl_seconds: i64,
    /// Time between two samples of a mark, milliseconds.
    pub sample_period_ms: i64,
    /// Edge over break-even that an ordinary exit needs, bps.
    pub min_profit_bps: i64,
    /// Assumed cost of a resting fill, tax included, bps.
    pub fee_bps_maker: i64,
    /// Assumed cost of a crossing fill, tax included, bps.
    pub fee_bps_taker: i64,
    /// Added to break-even and to aggressive limits, bps.
    pub slippage_bps_buffer: i64,
    /// Parameters of mean_reversion.
    pub mean_reversion: MeanReversion,
    /// Parameters of market_maker.
    pub market_maker: MarketMaker,
}

/// Parameters of mean_reversion.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanReversion {
    /// Length of the anchor window, seconds.
    pub window_seconds: i64,
    /// Samples needed before the anchor counts.
    pub samples_min: u32,
    /// Entry distance below the anchor, bps.
    pub entry_bps: i64,
    /// Exit when back within this of the anchor, bps.
    pub exit_bps: i64,
    /// Loss against average cost that sells, bps; 0 turns it off.
    pub stop_bps: i64,
    /// Age of a position that sells, seconds.
    pub max_hold_seconds: i64,
}

/// Parameters of market_maker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketMaker {
    /// Least half spread, bps.
    pub half_spread_bps: i64,
    /// Size per side, TRY.
    pub order_try: Amount,
    /// Inventory that is aimed at, TRY per pair.
    pub inventory_target_try: Amount,
    /// Inventory from which nothing is bought, TRY per pair.
    pub inventory_limit_try: Amount,
    /// The half spread is at least this share of the recent volatility, basis points.
    pub vol_multiplier_bps: i64,
    /// Shift of the reservation price at full inventory, bps.
    pub skew_bps: i64,
    /// Distance from which a quote is moved, bps.
    pub requote_bps: i64,
    /// Least life of a quote, milliseconds.
    pub min_quote_life_ms: i64,
    /// Samples needed before the first quote.
    pub samples_min: u32,
}

/// Limits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// Cash that is never spent, TRY.
    pub try_cash_target: Amount,
    /// Own minimum of an order, TRY.
    pub min_order_notional_try: Amount,
    /// Per order, TRY.
    pub max_order_notional_try: Amount,
    /// Risk-increasing notional submitted in 60 s over all pairs, TRY.
    pub max_notional_try_per_minute: Amount,
    /// Submits in 60 s, refused ones count.
    pub max_orders_per_minute: u32,
    /// Own open orders over all pairs.
    pub max_open_orders: u32,
    /// Own open orders per pair.
    pub max_open_orders_per_symbol: u32,
    /// Worst-case exposure per pair, TRY.
    pub max_position_notional_try: Amount,
    /// Worst-case exposure over all pairs, TRY.
    pub max_gross_exposure_try: Amount,
    /// Equity loss since the start of the UTC day, TRY.
    pub max_daily_loss_try: Amount,
    /// Loss from the peak, bps.
    pub max_drawdown_bps: i64,
    /// How far beyond the best price an order may go, bps.
    pub price_collar_bps: i64,
    /// No entry in a wider market, bps.
    pub max_spread_bps: i64,
    /// Pause after an entry on a pair and side, seconds.
    pub cooldown_seconds: i64,
}

/// Order and reconciliation pacing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// An older decision is dropped instead of sent, milliseconds.
    pub intent_max_age_ms: i64,
    /// No answer to a submit for this long is Unknown, milliseconds.
    pub order_submit_timeout_ms: i64,
    /// Time after which an unconfirmed cancel is repeated, milliseconds.
    pub cancel_retry_ms: i64,
    /// Time between two passes over the account, seconds.
    pub reconcile_interval_seconds: i64,
    /// Without a clean pass for this long nothing is decided, seconds.
    pub reconcile_max_age_seconds: i64,
    /// How far orders of the account that are not ours hold us back.
    pub foreign_orders: ForeignPolicy,
    /// Wait after the stamp horizon before absence may be concluded, milliseconds.
    pub unknown_settle_ms: i64,
    /// Longest graceful stop, seconds.
    pub shutdown_deadline_seconds: i64,
}

/// What a day may cost before the kill switch trips.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Attempts to open the stream beyond the first of each start.
    pub reconnects_per_day: u32,
    /// Answers 429.
    pub throttled_per_day: u32,
    /// For drills on loopback: events are counted, and nothing follows from them or from quick starts.
    pub lift_budgets: bool,
}

/// Where state is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Directory of lock, latch file and one directory per venue; relative paths start at the working directory.
    pub dir: PathBuf,
}

/// The simulated venue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// Opening cash of the simulated account, TRY; never read on the live venue.
    pub dry_run_try_balance: Amount,
    /// Time from order to matching, milliseconds.
    pub latency_ms: i64,
}

/// Metrics.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observability {
    /// Off: no metrics; probes and page stay.
    pub enabled: bool,
    /// Which exporter.
    pub exporter: Exporter,
    /// Where OTLP goes.
    #[serde(deserialize_with = "optional_endpoint")]
    pub otlp_endpoint: Option<Endpoint>,
}

/// A metrics exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exporter {
    /// None.
    None,
    /// `/metrics` in Prometheus text form.
    Prometheus,
    /// The same, and a push of metrics and traces.
    Otlp,
}

/// The read-only HTTP plane.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ops {
    /// Where it listens.
    pub address: IpAddr,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// Names under which the plane answers beside its addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// News for a receiver of the operator's; both or neither.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// Where events are posted; `None` tells nobody.
    #[serde(deserialize_with = "optional_endpoint")]
    pub webhook_url: Option<Endpoint>,
    /// File with the key that signs them.
    #[serde(deserialize_with = "optional_path")]
    pub secret_file: Option<PathBuf>,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Our own targets.
    pub level: Level,
    /// Targets of the HTTP client.
    pub http_level: Level,
    /// Shape of the lines.
    pub format: Format,
}

/// A log level, least talkative first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Failures.
    Error,
    /// Warnings too.
    Warn,
    /// What an operator wants to read.
    Info,
    /// For finding a fault.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// Returns the level as it is written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Shape of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON unless standard error is a terminal.
    Auto,
    /// One object per line.
    Json,
    /// For people.
    Pretty,
}

fn optional_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

fn rest_endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Endpoint, D::Error> {
    endpoint(deserializer, Scheme::Http)
}

fn ws_endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Endpoint, D::Error> {
    endpoint(deserializer, Scheme::Ws)
}

fn optional_endpoint<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Endpoint>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = Endpoint::parse(Scheme::Http, &text);
    parsed
        .map(Some)
        .ok_or_else(|| D::Error::custom("not an address"))
}

fn endpoint<'de, D: Deserializer<'de>>(
    deserializer: D,
    scheme: Scheme,
) -> Result<Endpoint, D::Error> {
    let text = String::deserialize(deserializer)?;
    Endpoint::parse(scheme, &text).ok_or_else(|| D::Error::custom("not an address"))
}
