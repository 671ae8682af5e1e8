//! Names of an earlier system that stop the start with a pointer, so that no old file is half understood.
//!
//! A name listed here is never used again for something else.

/// Retired names with what to set instead; an empty text means that nothing replaces it.
const RETIRED: [(&str, &str); 40] = [
    ("APP_ROLE", "PROCESS_ROLE"),
    ("UNIVERSE_SYMBOLS", "SYMBOLS"),
    ("STATE_DB_PATH", "BTCBOT__STATE__DIR"),
    ("STATE_DB_STRICT_LOCK", ""),
    ("API_KEY_ROTATED_AT", "BTCTURK_SECRET_ROTATED_AT"),
    ("SECRET_ROTATION_WARN_DAYS", "BTCTURK_SECRET_MAX_AGE_DAYS"),
    ("SECRET_MAX_AGE_DAYS", "BTCTURK_SECRET_MAX_AGE_DAYS"),
    ("MAX_NOTIONAL_PER_ORDER_TRY", "MAX_ORDER_NOTIONAL_TRY"),
    ("RISK_MAX_ORDER_NOTIONAL_TRY", "MAX_ORDER_NOTIONAL_TRY"),
    ("NOTIONAL_CAP_TRY_PER_CYCLE", "MAX_NOTIONAL_TRY_PER_MINUTE"),
    ("MAX_TRY_PER_CYCLE", "MAX_NOTIONAL_TRY_PER_MINUTE"),
    ("MAX_ORDERS_PER_CYCLE", "MAX_ORDERS_PER_MINUTE"),
    ("MAX_POSITION_TRY_PER_SYMBOL", "MAX_POSITION_NOTIONAL_TRY"),
    ("MAX_SYMBOL_EXPOSURE_TRY", "MAX_POSITION_NOTIONAL_TRY"),
    ("RISK_MAX_POSITION_PCT", "MAX_POSITION_NOTIONAL_TRY"),
    ("RISK_MAX_GROSS_EXPOSURE_TRY", "MAX_GROSS_EXPOSURE_TRY"),
    ("DAILY_LOSS_LIMIT_TRY", "MAX_DAILY_LOSS_TRY"),
    ("RISK_MAX_DAILY_DRAWDOWN_TRY", "MAX_DAILY_LOSS_TRY"),
    ("MAX_DRAWDOWN_PCT", "MAX_DRAWDOWN_BPS"),
    ("RISK_MAX_DRAWDOWN_TRY", "MAX_DRAWDOWN_BPS"),
    ("TARGET_TRY", "TRY_CASH_TARGET"),
    ("TRY_CASH_MAX", "TRY_CASH_TARGET"),
    ("RISK_MIN_CASH_TRY", "TRY_CASH_TARGET"),
    ("RISK_MAX_FEE_TRY_PER_DAY", ""),
    ("RISK_COOLDOWN_SEC", "COOLDOWN_SECONDS"),
    ("RULES_CACHE_TTL_SEC", ""),
    ("FILLS_POLL_LOOKBACK_MINUTES", ""),
    ("CLOCK_SKEW_SECONDS_THRESHOLD", "CLOCK_SKEW_WARN_MS"),
    ("ALLOCATION_FEE_BUFFER_BPS", "FEE_BPS_TAKER"),
    ("FEE_BUFFER_RATIO", "FEE_BPS_TAKER"),
    ("ROUNDING_BUFFER_TRY", "FEE_BPS_TAKER"),
    ("OFFSET_BPS", ""),
    ("MARKET_DATA_MODE", "MAX_MARKET_DATA_AGE_MS"),
    ("BTCTURK_WS_ENABLED", ""),
    ("STALE_MARKET_DATA_SECONDS", "MAX_MARKET_DATA_AGE_MS"),
    ("BREAKER_429_CONSECUTIVE_THRESHOLD", ""),
    ("ENABLE_AUTO_KILL_SWITCH", ""),
    ("REPLACE_INFLIGHT_BUDGET_PER_SYMBOL_TRY", ""),
    ("SPOT_SELL_REQUIRES_INVENTORY", ""),
    ("LIVE_RULES_REQUIRE_EXCHANGEINFO", ""),
];

/// Families of retired names without a successor.
const RETIRED_PREFIXES: [&str; 6] = [
    "STAGE4_",
    "STAGE5_",
    "STAGE7_",
    "INVESTABLE_USAGE_",
    "KILL_CHAIN_",
    "PROCESS_INSTANCE_",
];

/// Returns what replaces a retired name (empty: nothing); `None` if the name is not retired.
pub(crate) fn successor(name: &str) -> Option<&'static str> {
    let exact = RETIRED
        .iter()
        .find(|(retired, _)| *retired == name)
        .map(|(_, next)| *next);
    let family = || {
        RETIRED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
            .then_some("")
    };
    exact.or_else(family)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    #[test]
    fn successors_exist_and_retired_names_are_not_used_again() {
        for (retired, next) in RETIRED {
            assert!(names::by_env(retired).is_none(), "{retired} is in use");
            assert!(
                next.is_empty() || names::by_env(next).is_some(),
                "{next} does not exist"
            );
        }
        for key in names::KEYS {
            assert_eq!(successor(key.env), None, "{}", key.env);
        }
    }
}
