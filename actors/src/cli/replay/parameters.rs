//! Every number of a replay, in one place: the same for everybody, and printed with the result.
//!
//! A recording shows minutes, so windows and warm-up are short and distances small: enough for a strategy to trade,
//! no claim that it would earn. Money is in the quote currency of the recorded pairs.

use engine::answer::BalanceRow;
use engine::book::{BookLimits, Books};
use engine::desk::{Cores, Desk};
use engine::dice::Dice;
use engine::feed::{Access, Feed, FeedLimits};
use engine::fill_model::{FillModel, FillParams};
use engine::foreign::ForeignPolicy;
use engine::ids::{AccountTag, Asset, BootTag, Symbol};
use engine::instrument::Instrument;
use engine::intent::StrategyKind;
use engine::money::Amount;
use engine::reconcile::Reconciler;
use engine::risk::{IdSource, Limits, RiskGate, RiskSettings, Venue};
use engine::router::{Keep, OrderRouter, RouterSettings};
use engine::strategy::Strategies;
use engine::strategy::params::{
    CommonParams, KindParams, MarketMakerParams, MeanReversionParams, StrategyParams,
};
use engine::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Value of one order.
const ORDER_VALUE: i64 = 1_000;
/// Inventory that the market maker builds up to.
const INVENTORY_TARGET: i64 = 1_000;
/// Inventory at which the market maker no longer buys.
const INVENTORY_LIMIT: i64 = 3_000;
/// Smallest order of our own; the larger of it and the pair's rule counts.
const ORDER_VALUE_MIN: i64 = 10;
/// Largest order, and the room for one pair and for all of them.
const ORDER_VALUE_MAX: i64 = 5_000;
const EXPOSURE_MAX: i64 = 50_000;
/// Value of all orders in a minute.
const VALUE_PER_MINUTE: i64 = 500_000;
/// Loss of a day at which nothing new is bought.
const DAILY_LOSS_MAX: i64 = 5_000;

/// Fees in parts per million of the value (docs/EXCHANGE.md 6.2), tax as a share of the fee.
const FEE_MAKER_PPM: i64 = 500;
const FEE_TAKER_PPM: i64 = 900;
const TAX_OF_FEE_BPS: i64 = 2_000;
/// All-in cost of a fill as the strategies plan with it: fee and tax, rounded up to whole basis points.
const FEE_BPS_MAKER: i64 = 6;
const FEE_BPS_TAKER: i64 = 11;
/// From submit to the book, milliseconds.
const LATENCY_MS: i64 = 50;
/// Share of its level that is ahead of an order when it joins.
const QUEUE_SHARE_BPS: i64 = 10_000;

/// Half spread of the market maker, basis points of mid: one more than its fee.
const HALF_SPREAD_BPS: i64 = 7;
/// Share of the recent volatility that its half spread is at least, basis points.
const VOL_MULTIPLIER_BPS: i64 = 2_500;
/// Shift of its quotes at full inventory, basis points.
const SKEW_BPS: i64 = 6;
/// A quote further than this from where it should be is moved, basis points of mid.
const REQUOTE_BPS: i64 = 5;
/// Samples before the market maker quotes.
const MAKER_SAMPLES_MIN: usize = 10;

/// Window of mean reversion, milliseconds, and the samples that it wants at least.
const WINDOW_MS: i64 = 60_000;
const REVERTER_SAMPLES_MIN: usize = 20;
/// Distance from the mean that opens, basis points; it pays for both fees and one more.
const ENTRY_BPS: i64 = 18;
/// Distance below the mean at which the price counts as back, basis points.
const EXIT_BPS: i64 = 5;
/// Loss that stops a position, basis points.
const STOP_BPS: i64 = 50;
/// Oldest age of a position, milliseconds.
const HOLD_MS_MAX: i64 = 120_000;

/// Time between two samples and between two decisions, milliseconds.
const SAMPLE_PERIOD_MS: i64 = 1_000;
const DECISION_MS_MIN: i64 = 250;
/// Life of a resting order, milliseconds.
const TTL_MS: i64 = 60_000;
/// Time between two looks at the account, milliseconds.
const RECONCILE_MS: i64 = 15_000;
/// Repeat of an unanswered cancel, and the wait before absence is concluded, milliseconds; this venue always answers.
const CANCEL_RETRY_MS: i64 = 2_000;
const UNKNOWN_SETTLE_MS: i64 = 5_000;
/// Seed of ids and jitter; nothing else is random.
const SEED: u64 = 1;
/// Number of the simulated venue's first order.
const ORDER_ID_FIRST: i64 = 1;

/// Who trades, and with what.
pub struct Account {
    pub strategy: StrategyKind,
    pub quote: Asset,
    pub cash: Amount,
    /// Of every base.
    pub coins: Amount,
}

/// Builds the system and its venue as they stand at the first frame.
pub fn build(account: &Account, rules: &[Instrument], at: Timestamp) -> (Desk, FillModel) {
    let symbols: Vec<Symbol> = rules.iter().map(|rules| rules.symbol).collect();
    let params = strategy_params(account.strategy);
    let owners = symbols.iter().map(|symbol| (*symbol, params)).collect();
    let tag = AccountTag::from_entropy(SEED);
    let gate = RiskSettings {
        quote: account.quote,
        limits: limits(),
        venue: Venue::Simulated,
        policy_blocks: Vec::new(),
        owners: symbols
            .iter()
            .map(|symbol| (*symbol, account.strategy))
            .collect(),
        foreign: ForeignPolicy::Observe,
        started_at: at,
        ids: IdSource {
            tag,
            epoch: 1,
            boot: BootTag::from_entropy(SEED),
            seq: 1,
        },
    };
    let desk = Desk::new(Cores {
        feed: Feed::new(
            FeedLimits::default(),
            symbols.clone(),
            Access::Private,
            Dice::new(SEED),
        ),
        books: Books::new(BookLimits::default(), &symbols),
        strategies: Strategies::new(owners).expect("the pairs are a set"),
        gate: RiskGate::new(gate),
        router: OrderRouter::new(router(tag)),
        reconciler: Reconciler::new(RECONCILE_MS, at, at),
    });
    let venue = FillModel::new(
        fill_params(),
        rules,
        &opening(account, rules),
        ORDER_ID_FIRST,
    );
    (desk, venue)
}

/// The account at the start: cash, and the coins of every pair.
fn opening(account: &Account, rules: &[Instrument]) -> Vec<BalanceRow> {
    let bases: BTreeSet<Asset> = rules.iter().map(|rules| rules.base).collect();
    let coins = bases.into_iter().map(|base| (base, account.coins));
    [(account.quote, account.cash)]
        .into_iter()
        .chain(coins)
        .map(|(asset, free)| BalanceRow {
            asset,
            free,
            locked: Amount::ZERO,
        })
        .collect()
}

const fn fill_params() -> FillParams {
    FillParams {
        latency_ms: LATENCY_MS,
        queue_share_bps: QUEUE_SHARE_BPS,
        fee_maker_ppm: FEE_MAKER_PPM,
        fee_taker_ppm: FEE_TAKER_PPM,
        tax_of_fee_bps: TAX_OF_FEE_BPS,
    }
}

fn router(tag: AccountTag) -> RouterSettings {
    RouterSettings {
        tag,
        ttl_ms: TTL_MS,
        cancel_retry_ms: CANCEL_RETRY_MS,
        unknown_settle_ms: UNKNOWN_SETTLE_MS,
        keep: Keep::default(),
    }
}

const fn limits() -> Limits {
    Limits {
        try_cash_target: Amount::ZERO,
        min_order_notional: Amount::from_whole(ORDER_VALUE_MIN),
        max_order_notional: Amount::from_whole(ORDER_VALUE_MAX),
        max_notional_per_minute: Amount::from_whole(VALUE_PER_MINUTE),
        max_orders_per_minute: 300,
        max_open_orders: 20,
        max_open_orders_per_symbol: 4,
        max_position_notional: Amount::from_whole(EXPOSURE_MAX),
        max_gross_exposure: Amount::from_whole(EXPOSURE_MAX),
        max_daily_loss: Amount::from_whole(DAILY_LOSS_MAX),
        max_drawdown_bps: 1_000,
        price_collar_bps: 100,
        max_spread_bps: 100,
        cooldown_ms: 5_000,
        intent_max_age_ms: 250,
        reconcile_max_age_ms: 60_000,
        market_data_age_ms: 2_000,
        fee_bps_taker: FEE_BPS_TAKER,
        tax_bps_of_fee: TAX_OF_FEE_BPS,
    }
}

const fn common() -> CommonParams {
    CommonParams {
        decision_min_interval_ms: DECISION_MS_MIN,
        sample_period_ms: SAMPLE_PERIOD_MS,
        fee_bps_maker: FEE_BPS_MAKER,
        fee_bps_taker: FEE_BPS_TAKER,
        slippage_bps: 2,
        min_profit_bps: 1,
        intent_notional: Amount::from_whole(ORDER_VALUE),
        value_min: Amount::from_whole(ORDER_VALUE_MIN),
        ttl_ms: TTL_MS,
        reprice_bps: 2,
    }
}

const fn maker() -> MarketMakerParams {
    MarketMakerParams {
        half_spread_bps: HALF_SPREAD_BPS,
        vol_multiplier_bps: VOL_MULTIPLIER_BPS,
        order_value: Amount::from_whole(ORDER_VALUE),
        inventory_target: Amount::from_whole(INVENTORY_TARGET),
        inventory_limit: Amount::from_whole(INVENTORY_LIMIT),
        skew_bps: SKEW_BPS,
        requote_bps: REQUOTE_BPS,
        min_quote_life_ms: 1_000,
        samples_min: MAKER_SAMPLES_MIN,
    }
}

const fn reverter() -> MeanReversionParams {
    MeanReversionParams {
        window_ms: WINDOW_MS,
        entry_bps: ENTRY_BPS,
        exit_bps: EXIT_BPS,
        stop_bps: STOP_BPS,
        max_hold_ms: HOLD_MS_MAX,
        samples_min: REVERTER_SAMPLES_MIN,
    }
}

const fn strategy_params(kind: StrategyKind) -> StrategyParams {
    let kind = match kind {
        StrategyKind::MarketMaker => KindParams::MarketMaker(maker()),
        StrategyKind::MeanReversion => KindParams::MeanReversion(reverter()),
        StrategyKind::Canary => KindParams::Canary,
    };
    StrategyParams {
        common: common(),
        kind,
    }
}

/// Returns every number that shaped the result; rates as integers, money as text.
pub fn describe(kind: StrategyKind) -> Value {
    let (common, limits, fills) = (common(), limits(), fill_params());
    let books = BookLimits::default();
    let own = match kind {
        StrategyKind::MarketMaker => describe_maker(&maker()),
        StrategyKind::MeanReversion => describe_reverter(&reverter()),
        StrategyKind::Canary => json!({}),
    };
    json!({
        "seed": SEED,
        "fill_model": {
            "market": "as recorded; own orders do not move it",
            "latency_ms": fills.latency_ms,
            "queue_share_bps": fills.queue_share_bps,
            "fee_maker_ppm": fills.fee_maker_ppm,
            "fee_taker_ppm": fills.fee_taker_ppm,
            "tax_of_fee_bps": fills.tax_of_fee_bps,
        },
        "common": {
            "order_value": common.intent_notional.to_string(),
            "order_value_min": common.value_min.to_string(),
            "fee_bps_maker": common.fee_bps_maker,
            "fee_bps_taker": common.fee_bps_taker,
            "slippage_bps": common.slippage_bps,
            "min_profit_bps": common.min_profit_bps,
            "ttl_ms": common.ttl_ms,
            "reprice_bps": common.reprice_bps,
            "sample_period_ms": common.sample_period_ms,
            "decision_min_interval_ms": common.decision_min_interval_ms,
        },
        "own": own,
        "limits": {
            "cash_target": limits.try_cash_target.to_string(),
            "min_order_notional": limits.min_order_notional.to_string(),
            "max_order_notional": limits.max_order_notional.to_string(),
            "max_notional_per_minute": limits.max_notional_per_minute.to_string(),
            "max_orders_per_minute": limits.max_orders_per_minute,
            "max_open_orders": limits.max_open_orders,
            "max_open_orders_per_symbol": limits.max_open_orders_per_symbol,
            "max_position_notional": limits.max_position_notional.to_string(),
            "max_gross_exposure": limits.max_gross_exposure.to_string(),
            "max_daily_loss": limits.max_daily_loss.to_string(),
            "max_drawdown_bps": limits.max_drawdown_bps,
            "price_collar_bps": limits.price_collar_bps,
            "max_spread_bps": limits.max_spread_bps,
            "cooldown_ms": limits.cooldown_ms,
            "intent_max_age_ms": limits.intent_max_age_ms,
            "market_data_age_ms": limits.market_data_age_ms,
            "reconcile_max_age_ms": limits.reconcile_max_age_ms,
            "fee_bps_taker": limits.fee_bps_taker,
            "tax_bps_of_fee": limits.tax_bps_of_fee,
        },
        "router": {
            "ttl_ms": TTL_MS,
            "cancel_retry_ms": CANCEL_RETRY_MS,
            "unknown_settle_ms": UNKNOWN_SETTLE_MS,
            "reconcile_interval_ms": RECONCILE_MS,
        },
        "book": {
            "age_ms_max": books.age_ms_max,
            "jump_bps": books.jump_bps,
            "crosscheck_bps": books.crosscheck_bps,
            "crosscheck_ms": books.crosscheck_ms,
        },
    })
}

fn describe_maker(maker: &MarketMakerParams) -> Value {
    json!({
        "half_spread_bps": maker.half_spread_bps,
        "vol_multiplier_bps": maker.vol_multiplier_bps,
        "inventory_target": maker.inventory_target.to_string(),
        "inventory_limit": maker.inventory_limit.to_string(),
        "skew_bps": maker.skew_bps,
        "requote_bps": maker.requote_bps,
        "min_quote_life_ms": maker.min_quote_life_ms,
        "samples_min": maker.samples_min,
    })
}

fn describe_reverter(reverter: &MeanReversionParams) -> Value {
    json!({
        "window_ms": reverter.window_ms,
        "entry_bps": reverter.entry_bps,
        "exit_bps": reverter.exit_bps,
        "stop_bps": reverter.stop_bps,
        "max_hold_ms": reverter.max_hold_ms,
        "samples_min": reverter.samples_min,
    })
}
