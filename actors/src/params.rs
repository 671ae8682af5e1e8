//! From settings to what each core is told: one function per core, no decision.
//!
//! A number that operators do not turn is a named constant here, with its reason.

use config::settings::Settings;
use engine::book::BookLimits;
use engine::budget::BudgetLimits;
use engine::feed::FeedLimits;
use engine::ids::{Asset, Symbol};
use engine::intent::StrategyKind;
use engine::pacing::BackoffLimits;
use engine::risk::Limits;
use engine::strategy::params::{
    CommonParams, KindParams, MarketMakerParams, MeanReversionParams, StrategyParams,
};
use std::collections::BTreeMap;

/// Tax as a share of the fee, basis points.
///
/// Source: BTCTurk trade rows show tax = 20 % of the fee (older rows 18 %), 2021 to 2025.
pub const TAX_BPS_OF_FEE: i64 = 2_000;
/// Best prices further than this from the ticker's disagree, basis points.
const CROSSCHECK_BPS: i64 = 50;
/// Time between two comparisons with the ticker, milliseconds.
const CROSSCHECK_MS: i64 = 15_000;
/// Good frames before a session counts as healthy.
const HEALTHY_FRAMES_MIN: u32 = 100;
/// A resting order further than this from its wanted price is cancelled, basis points.
const REPRICE_BPS: i64 = 25;

const MS_PER_SECOND: i64 = 1_000;

/// Returns what a book must keep to be trusted.
pub const fn book_limits(settings: &Settings) -> BookLimits {
    BookLimits {
        age_ms_max: settings.market.max_market_data_age_ms,
        jump_bps: settings.market.price_jump_bps,
        crosscheck_bps: CROSSCHECK_BPS,
        crosscheck_ms: CROSSCHECK_MS,
    }
}

/// Returns the currency that the account's books and limits are in.
///
/// # Panics
/// Never: the name is short enough.
pub fn account_quote() -> Asset {
    Asset::parse("TRY").expect("a short name")
}

/// Returns the limits of the session.
pub fn feed_limits(settings: &Settings) -> FeedLimits {
    let ws = &settings.exchange.ws;
    FeedLimits {
        idle_ms_max: ws.idle_ms_max,
        connects_per_minute: ws.connects_per_minute as usize,
        backoff: BackoffLimits {
            delay_ms_base: ws.backoff_ms_base,
            delay_ms_max: ws.backoff_ms_max,
            healthy_ms_min: ws.backoff_reset_ms,
            healthy_frames_min: HEALTHY_FRAMES_MIN,
        },
    }
}

/// Returns the time between two looks at the account, milliseconds.
pub const fn reconcile_ms(settings: &Settings) -> i64 {
    settings.orders.reconcile_interval_seconds * MS_PER_SECOND
}

/// Returns what a day may cost.
pub const fn budget_limits(settings: &Settings) -> BudgetLimits {
    let slo = &settings.slo;
    BudgetLimits {
        reconnects_per_day: slo.reconnects_per_day,
        throttled_per_day: slo.throttled_per_day,
        is_lifted: slo.lift_budgets,
    }
}

/// Returns the gate's limits.
pub const fn risk_limits(settings: &Settings) -> Limits {
    let risk = &settings.risk;
    Limits {
        try_cash_target: risk.try_cash_target,
        min_order_notional: risk.min_order_notional_try,
        max_order_notional: risk.max_order_notional_try,
        max_notional_per_minute: risk.max_notional_try_per_minute,
        max_orders_per_minute: risk.max_orders_per_minute as usize,
        max_open_orders: risk.max_open_orders as usize,
        max_open_orders_per_symbol: risk.max_open_orders_per_symbol as usize,
        max_position_notional: risk.max_position_notional_try,
        max_gross_exposure: risk.max_gross_exposure_try,
        max_daily_loss: risk.max_daily_loss_try,
        max_drawdown_bps: risk.max_drawdown_bps,
        price_collar_bps: risk.price_collar_bps,
        max_spread_bps: risk.max_spread_bps,
        cooldown_ms: risk.cooldown_seconds * MS_PER_SECOND,
        intent_max_age_ms: settings.orders.intent_max_age_ms,
        reconcile_max_age_ms: settings.orders.reconcile_max_age_seconds * MS_PER_SECOND,
        market_data_age_ms: settings.market.max_market_data_age_ms,
        fee_bps_taker: settings.strategy.fee_bps_taker,
        tax_bps_of_fee: TAX_BPS_OF_FEE,
    }
}

const fn common(settings: &Settings) -> CommonParams {
    let strategy = &settings.strategy;
    CommonParams {
        decision_min_interval_ms: strategy.decision_min_interval_ms,
        sample_period_ms: strategy.sample_period_ms,
        fee_bps_maker: strategy.fee_bps_maker,
        fee_bps_taker: strategy.fee_bps_taker,
        slippage_bps: strategy.slippage_bps_buffer,
        min_profit_bps: strategy.min_profit_bps,
        intent_notional: strategy.intent_notional_try,
        value_min: settings.risk.min_order_notional_try,
        ttl_ms: strategy.ttl_seconds * MS_PER_SECOND,
        reprice_bps: REPRICE_BPS,
    }
}

/// Returns the numbers of one strategy.
pub const fn strategy_params(settings: &Settings, kind: StrategyKind) -> StrategyParams {
    let kind = match kind {
        StrategyKind::MarketMaker => {
            let maker = &settings.strategy.market_maker;
            KindParams::MarketMaker(MarketMakerParams {
                half_spread_bps: maker.half_spread_bps,
                vol_multiplier_bps: maker.vol_multiplier_bps,
                order_value: maker.order_try,
                inventory_target: maker.inventory_target_try,
                inventory_limit: maker.inventory_limit_try,
                skew_bps: maker.skew_bps,
                requote_bps: maker.requote_bps,
                min_quote_life_ms: maker.min_quote_life_ms,
                samples_min: maker.samples_min as usize,
            })
        }
        StrategyKind::MeanReversion => {
            let reversion = &settings.strategy.mean_reversion;
            KindParams::MeanReversion(MeanReversionParams {
                window_ms: reversion.window_seconds * MS_PER_SECOND,
                entry_bps: reversion.entry_bps,
                exit_bps: reversion.exit_bps,
                stop_bps: reversion.stop_bps,
                max_hold_ms: reversion.max_hold_seconds * MS_PER_SECOND,
                samples_min: reversion.samples_min as usize,
            })
        }
        StrategyKind::Canary => KindParams::Canary,
    };
    StrategyParams {
        common: common(settings),
        kind,
    }
}

/// Returns each pair's one owner.
pub fn owners(settings: &Settings) -> BTreeMap<Symbol, StrategyKind> {
    let symbols = settings.market.symbols.iter();
    symbols
        .filter_map(|symbol| settings.owner(*symbol).map(|kind| (*symbol, kind)))
        .collect()
}
