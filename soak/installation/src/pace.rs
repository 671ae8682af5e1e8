//! How fast an installation trades: the strategy file and the limits, with the values in which its users differ.
//!
//! All the rest is the same for every user and stands here as text, as an operator would write it.

/// The values in which installations differ, by the names of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Least time between two decisions of a pair, milliseconds.
    pub decision_min_interval_ms: u32,
    /// Time between two cycles, milliseconds.
    pub cycle_interval_ms: u32,
    /// Time between two samples of a price, milliseconds.
    pub sample_period_ms: u32,
    /// Longest life of an order, seconds.
    pub ttl_seconds: u32,
    /// How far a price moves before a quote follows, basis points.
    pub requote_bps: u32,
    /// Least life of a quote, milliseconds.
    pub min_quote_life_ms: u32,
    /// Time between two looks at the account, seconds.
    pub reconcile_interval_seconds: u32,
    /// Most orders in a minute.
    pub max_orders_per_minute: u32,
    /// Largest loss of a day, TRY.
    pub max_daily_loss_try: u32,
}

/// The arming flags, the key pair's facts and every limit that is the same for all.
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
SLO_LIFT_BUDGETS=true
MAX_ORDER_NOTIONAL_TRY=5000
MAX_NOTIONAL_TRY_PER_MINUTE=1000000
MAX_OPEN_ORDERS=10
MAX_OPEN_ORDERS_PER_SYMBOL=4
MAX_POSITION_NOTIONAL_TRY=50000
MAX_GROSS_EXPOSURE_TRY=150000
MAX_DRAWDOWN_BPS=3000
PRICE_COLLAR_BPS=100
MAX_SPREAD_BPS=200
TRY_CASH_TARGET=300
";

impl Pace {
    /// Returns the strategy file: three pairs, quotes near the market.
    pub(crate) fn strategy(&self) -> String {
        let Self {
            decision_min_interval_ms,
            cycle_interval_ms,
            sample_period_ms,
            ttl_seconds,
            requote_bps,
            min_quote_life_ms,
            reconcile_interval_seconds,
            ..
        } = self;
        format!(
            r#"
[market]
symbols = ["BTCTRY", "ETHTRY", "SOLTRY"]

[strategy]
strategies = ["market_maker"]
decision_min_interval_ms = {decision_min_interval_ms}
cycle_interval_ms = {cycle_interval_ms}
sample_period_ms = {sample_period_ms}
intent_notional_try = "2000"
ttl_seconds = {ttl_seconds}
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
requote_bps = {requote_bps}
min_quote_life_ms = {min_quote_life_ms}
samples_min = 4

[risk]
cooldown_seconds = 0

[orders]
reconcile_interval_seconds = {reconcile_interval_seconds}
shutdown_deadline_seconds = 90
"#
        )
    }

    /// Returns the lines of the dotenv file that arm, and every limit that live trading asks for.
    pub(crate) fn armed(&self) -> String {
        let (orders, loss) = (self.max_orders_per_minute, self.max_daily_loss_try);
        format!("{ARMED}MAX_ORDERS_PER_MINUTE={orders}\nMAX_DAILY_LOSS_TRY={loss}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_stands_behind_its_key_and_no_key_twice() {
        let pace = Pace {
            decision_min_interval_ms: 11,
            cycle_interval_ms: 12,
            sample_period_ms: 13,
            ttl_seconds: 14,
            requote_bps: 15,
            min_quote_life_ms: 16,
            reconcile_interval_seconds: 17,
            max_orders_per_minute: 18,
            max_daily_loss_try: 19,
        };
        let text = pace.strategy() + &pace.armed();
        let check = |key: &str, expected: &str| {
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            let found = pairs.filter(|(name, _)| name.trim() == key);
            let values: Vec<&str> = found.map(|(_, value)| value.trim()).collect();
            assert_eq!(values, [expected], "{key}");
        };
        check("decision_min_interval_ms", "11");
        check("cycle_interval_ms", "12");
        check("sample_period_ms", "13");
        check("ttl_seconds", "14");
        check("requote_bps", "15");
        check("min_quote_life_ms", "16");
        check("reconcile_interval_seconds", "17");
        check("MAX_ORDERS_PER_MINUTE", "18");
        check("MAX_DAILY_LOSS_TRY", "19");
        check("LIVE_TRADING_ACK", "I_UNDERSTAND");
    }
}
