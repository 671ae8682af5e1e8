//! The one table of keys: TOML name, environment name, what a value may be, and what a reload may do with it.
//!
//! It holds no defaults: those are in `default.toml`, and a test fails for a key that is in one of the two only.
//! What each key means is said once, beside its default in that file.

use crate::endpoint::Scheme;
use crate::kind::Kind;
use engine::foreign::ForeignPolicy;

/// What a reload may do with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Only a restart changes it.
    Cold,
    /// Any valid value is taken over.
    Hot,
    /// A limit: taken over when it is lower than before.
    TightenDown,
    /// A limit: taken over when it is higher than before.
    TightenUp,
    /// A safety setting: taken over when it becomes this canonical text, its safe side.
    SafeAt(&'static str),
}

/// One key of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Dotted TOML name, `section.key`.
    pub path: &'static str,
    /// Name in the environment and in dotenv files.
    pub env: &'static str,
    /// What a value may be.
    pub kind: Kind,
    /// What a reload may do with it.
    pub reload: Reload,
}

impl Key {
    /// Returns the generic environment name, `BTCBOT__SECTION__KEY`.
    pub fn generic_env(&self) -> String {
        format!(
            "{GENERIC_PREFIX}{}",
            self.path.replace('.', "__").to_uppercase()
        )
    }
}

/// Start of the generic environment names.
pub const GENERIC_PREFIX: &str = "BTCBOT__";
/// Environment names with these starts are ours: an unknown one is an error.
pub const OWN_PREFIXES: [&str; 3] = [GENERIC_PREFIX, "BTCTURK_", "OBSERVABILITY_"];
/// The exact text of `LIVE_TRADING_ACK` that counts.
pub const ACK_PHRASE: &str = "I_UNDERSTAND";
/// Section of the keys that decide about arming.
pub const SAFETY_SECTION: &str = "safety.";

/// Limits that must come from the operator before anything is armed: no built-in number
/// would suit everybody's account.
pub const LIMITS_FOR_LIVE: [&str; 11] = [
    "risk.max_order_notional_try",
    "risk.max_notional_try_per_minute",
    "risk.max_orders_per_minute",
    "risk.max_open_orders",
    "risk.max_open_orders_per_symbol",
    "risk.max_position_notional_try",
    "risk.max_gross_exposure_try",
    "risk.max_daily_loss_try",
    "risk.max_drawdown_bps",
    "risk.price_collar_bps",
    "risk.max_spread_bps",
];

const fn key(path: &'static str, env: &'static str, kind: Kind, reload: Reload) -> Key {
    Key {
        path,
        env,
        kind,
        reload,
    }
}

const fn int(min: i64, max: i64) -> Kind {
    Kind::Int { min, max }
}

use Kind::{Bool, NotNegative, Positive};
use Reload::{Cold, Hot, SafeAt, TightenDown, TightenUp};

/// Every key, in the order in which `default.toml` documents them.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("safety.dry_run", "DRY_RUN", Bool, SafeAt("true")),
    key("safety.kill_switch", "KILL_SWITCH", Bool, SafeAt("true")),
    key("safety.safe_mode", "SAFE_MODE", Bool, SafeAt("true")),
    key("safety.live_trading", "LIVE_TRADING", Bool, SafeAt("false")),
    key("safety.live_trading_ack", "LIVE_TRADING_ACK", Kind::Phrase, SafeAt("")),
    key("safety.process_role", "PROCESS_ROLE", Kind::Choice(&["LIVE", "MONITOR"]), SafeAt("MONITOR")),

    key("secrets.api_key_file", "BTCTURK_API_KEY_FILE", Kind::OptionalPath, Cold),
    key("secrets.api_secret_file", "BTCTURK_API_SECRET_FILE", Kind::OptionalPath, Cold),
    key("secrets.scopes", "BTCTURK_API_SCOPES", Kind::Scopes, Hot),
    key("secrets.rotated_at", "BTCTURK_SECRET_ROTATED_AT", Kind::Moment, Hot),
    key("secrets.age_days_max", "BTCTURK_SECRET_MAX_AGE_DAYS", int(1, 365), TightenDown),
    key("secrets.allow_environment", "BTCBOT__SECRETS__ALLOW_ENVIRONMENT", Bool, Cold),

    key("exchange.rest_url", "BTCTURK_BASE_URL", Kind::Url(Scheme::Http), Cold),
    key("exchange.ws_url", "BTCTURK_WS_URL", Kind::Url(Scheme::Ws), Cold),
    key("exchange.rest.timeout_ms", "BTCTURK_REST_TIMEOUT_MS", int(500, 60_000), Cold),
    key("exchange.rest.connect_timeout_ms", "BTCTURK_REST_CONNECT_TIMEOUT_MS", int(100, 30_000), Cold),
    key("exchange.rest.retry_delay_ms_base", "BTCTURK_REST_BASE_DELAY_MS", int(50, 10_000), Hot),
    key("exchange.rest.retry_delay_ms_max", "BTCTURK_REST_MAX_DELAY_MS", int(50, 60_000), Hot),
    key("exchange.rest.retries_max", "BTCTURK_REST_MAX_RETRIES", int(0, 10), Hot),
    key("exchange.rest.rate_utilisation_bps", "RATE_LIMIT_UTILISATION_BPS", int(1_000, 9_500), Hot),
    key("exchange.ws.idle_ms_max", "BTCTURK_WS_IDLE_RECONNECT_MS", int(2_000, 120_000), Hot),
    key("exchange.ws.backoff_ms_base", "BTCTURK_WS_BACKOFF_BASE_MS", int(100, 10_000), Hot),
    key("exchange.ws.backoff_ms_max", "BTCTURK_WS_BACKOFF_MAX_MS", int(100, 300_000), Hot),
    key("exchange.ws.backoff_reset_ms", "BTCTURK_WS_BACKOFF_RESET_MS", int(5_000, 600_000), Hot),
    key("exchange.ws.connects_per_minute", "BTCTURK_WS_CONNECTS_PER_MINUTE", int(1, 14), TightenDown),
    key("exchange.clock.skew_ms_warn", "CLOCK_SKEW_WARN_MS", int(100, 2_000), Cold),
    key("exchange.clock.skew_ms_kill", "CLOCK_SKEW_KILL_MS", int(101, 4_000), Cold),

    key("market.symbols", "SYMBOLS", Kind::Symbols, Cold),
    key("market.max_market_data_age_ms", "MAX_MARKET_DATA_AGE_MS", int(250, 60_000), TightenDown),
    key("market.price_jump_bps", "PRICE_JUMP_BPS", int(50, 5_000), Cold),

    key("strategy.strategies", "STRATEGIES", Kind::Strategies, Cold),
    key("strategy.decision_min_interval_ms", "DECISION_MIN_INTERVAL_MS", int(0, 60_000), Cold),
    key("strategy.cycle_interval_ms", "CYCLE_INTERVAL_MS", int(500, 60_000), Cold),
    key("strategy.intent_notional_try", "INTENT_NOTIONAL_TRY", Positive, Cold),
    key("strategy.ttl_seconds", "TTL_SECONDS", int(5, 86_400), Cold),
    key("strategy.sample_period_ms", "SAMPLE_PERIOD_MS", int(10, 60_000), Cold),
    key("strategy.min_profit_bps", "MIN_PROFIT_BPS", int(0, 5_000), Cold),
    key("strategy.fee_bps_maker", "FEE_BPS_MAKER", int(0, 500), Cold),
    key("strategy.fee_bps_taker", "FEE_BPS_TAKER", int(0, 500), Cold),
    key("strategy.slippage_bps_buffer", "SLIPPAGE_BPS_BUFFER", int(0, 500), Cold),
    key("strategy.mean_reversion.window_seconds", "MEAN_REVERSION_WINDOW_SECONDS", int(5, 86_400), Cold),
    key("strategy.mean_reversion.samples_min", "MEAN_REVERSION_SAMPLES_MIN", int(1, 86_400), Cold),
    key("strategy.mean_reversion.entry_bps", "MEAN_REVERSION_BPS", int(5, 5_000), Cold),
    key("strategy.mean_reversion.exit_bps", "MEAN_REVERSION_EXIT_BPS", int(0, 5_000), Cold),
    key("strategy.mean_reversion.stop_bps", "MEAN_REVERSION_STOP_BPS", int(0, 9_000), Cold),
    key("strategy.mean_reversion.max_hold_seconds", "MEAN_REVERSION_MAX_HOLD_SECONDS", int(60, 604_800), Cold),
    key("strategy.market_maker.half_spread_bps", "MM_HALF_SPREAD_BPS", int(1, 1_000), Cold),
    key("strategy.market_maker.order_try", "MM_ORDER_TRY", Positive, Cold),
    key("strategy.market_maker.inventory_target_try", "MM_INVENTORY_TARGET_TRY", NotNegative, Cold),
    key("strategy.market_maker.inventory_limit_try", "MM_INVENTORY_LIMIT_TRY", Positive, Cold),
    key("strategy.market_maker.vol_multiplier_bps", "MM_VOL_MULTIPLIER_BPS", int(0, 100_000), Cold),
    key("strategy.market_maker.skew_bps", "MM_SKEW_BPS", int(0, 500), Cold),
    key("strategy.market_maker.requote_bps", "MM_REQUOTE_BPS", int(1, 500), Cold),
    key("strategy.market_maker.min_quote_life_ms", "MM_MIN_QUOTE_LIFE_MS", int(100, 60_000), Cold),
    key("strategy.market_maker.samples_min", "MM_SAMPLES_MIN", int(1, 86_400), Cold),

    key("risk.try_cash_target", "TRY_CASH_TARGET", NotNegative, TightenUp),
    key("risk.min_order_notional_try", "MIN_ORDER_NOTIONAL_TRY", Positive, Hot),
    key("risk.max_order_notional_try", "MAX_ORDER_NOTIONAL_TRY", Positive, TightenDown),
    key("risk.max_notional_try_per_minute", "MAX_NOTIONAL_TRY_PER_MINUTE", Positive, TightenDown),
    key("risk.max_orders_per_minute", "MAX_ORDERS_PER_MINUTE", int(1, 300), TightenDown),
    key("risk.max_open_orders", "MAX_OPEN_ORDERS", int(1, 40), TightenDown),
    key("risk.max_open_orders_per_symbol", "MAX_OPEN_ORDERS_PER_SYMBOL", int(1, 10), TightenDown),
    key("risk.max_position_notional_try", "MAX_POSITION_NOTIONAL_TRY", Positive, TightenDown),
    key("risk.max_gross_exposure_try", "MAX_GROSS_EXPOSURE_TRY", Positive, TightenDown),
    key("risk.max_daily_loss_try", "MAX_DAILY_LOSS_TRY", Positive, TightenDown),
    key("risk.max_drawdown_bps", "MAX_DRAWDOWN_BPS", int(1, 10_000), TightenDown),
    key("risk.price_collar_bps", "PRICE_COLLAR_BPS", int(1, 2_000), TightenDown),
    key("risk.max_spread_bps", "MAX_SPREAD_BPS", int(1, 5_000), TightenDown),
    key("risk.cooldown_seconds", "COOLDOWN_SECONDS", int(0, 86_400), Hot),

    key("orders.intent_max_age_ms", "INTENT_MAX_AGE_MS", int(50, 10_000), TightenDown),
    key("orders.order_submit_timeout_ms", "ORDER_SUBMIT_TIMEOUT_MS", int(6_000, 30_000), Cold),
    key("orders.cancel_retry_ms", "CANCEL_RETRY_MS", int(200, 30_000), Cold),
    key("orders.reconcile_interval_seconds", "RECONCILE_INTERVAL_SECONDS", int(2, 300), Hot),
    key("orders.reconcile_max_age_seconds", "RECONCILE_MAX_AGE_SECONDS", int(2, 900), TightenDown),
    key("orders.foreign_orders", "FOREIGN_ORDERS", Kind::Choice(&ForeignPolicy::NAMES), Cold),
    key("orders.unknown_settle_ms", "UNKNOWN_SETTLE_MS", int(10_000, 120_000), Cold),
    key("orders.shutdown_deadline_seconds", "SHUTDOWN_DEADLINE_SECONDS", int(1, 600), Cold),

    key("slo.reconnects_per_day", "SLO_RECONNECTS_PER_DAY", int(10, 1_000), Cold),
    key("slo.throttled_per_day", "SLO_THROTTLED_PER_DAY", int(10, 1_000), Cold),
    key("slo.lift_budgets", "SLO_LIFT_BUDGETS", Bool, Cold),

    key("state.dir", "BTCBOT__STATE__DIR", Kind::Dir, Cold),

    key("simulation.dry_run_try_balance", "DRY_RUN_TRY_BALANCE", NotNegative, Cold),
    key("simulation.latency_ms", "SIM_LATENCY_MS", int(0, 10_000), Cold),

    key("observability.enabled", "OBSERVABILITY_ENABLED", Bool, Cold),
    key("observability.exporter", "OBSERVABILITY_METRICS_EXPORTER", Kind::Exporter, Cold),
    key("observability.otlp_endpoint", "OBSERVABILITY_OTLP_ENDPOINT", Kind::OptionalUrl, Cold),

    key("ops.address", "BTCBOT__OPS__ADDRESS", Kind::Address, Cold),
    key("ops.port", "OBSERVABILITY_PROMETHEUS_PORT", int(0, 65_535), Cold),
    key("ops.hosts", "BTCBOT__OPS__HOSTS", Kind::Hosts, Cold),

    key("events.webhook_url", "EVENTS_WEBHOOK_URL", Kind::OptionalUrl, Cold),
    key("events.secret_file", "EVENTS_SECRET_FILE", Kind::OptionalPath, Cold),

    key("log.level", "LOG_LEVEL", Kind::Level, Hot),
    key("log.http_level", "HTTPX_LOG_LEVEL", Kind::Level, Hot),
    key("log.format", "LOG_FORMAT", Kind::Choice(&["auto", "json", "pretty"]), Cold),
];

/// Returns the key with this dotted name.
pub fn by_path(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Returns the key with this environment name, in either spelling.
pub fn by_env(name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .find(|key| key.env == name || key.generic_env() == name)
}

/// Returns whether `path` is a table that holds keys, such as `exchange.rest`.
pub fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_used_once() {
        let mut seen = BTreeSet::new();
        for key in KEYS {
            assert!(seen.insert(key.path.to_owned()), "{}", key.path);
            assert!(seen.insert(key.env.to_owned()), "{}", key.env);
            assert!(!is_section(key.path), "{} is key and table", key.path);
        }
        assert!(KEYS.len() < 100, "a value that nobody turns is a constant");
    }

    #[test]
    fn limits_for_live_are_limits() {
        for path in LIMITS_FOR_LIVE {
            let key = by_path(path).expect("a limit has a key");
            assert_eq!(key.reload, TightenDown, "{path}");
        }
    }
}
