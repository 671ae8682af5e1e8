//! Every number a strategy uses, under the name of its configuration key (config/default.toml).

use crate::intent::StrategyKind;
use crate::money::Amount;

/// What all strategies share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommonParams {
    /// Least time between two decisions on one pair, milliseconds.
    pub decision_min_interval_ms: i64,
    /// Time between two samples of the mark, milliseconds.
    pub sample_period_ms: i64,
    /// All-in cost of a resting fill, basis points.
    pub fee_bps_maker: i64,
    /// All-in cost of a crossing fill, basis points.
    pub fee_bps_taker: i64,
    /// Added to break-even and to aggressive limits, basis points.
    pub slippage_bps: i64,
    /// Edge over break-even that an ordinary exit needs, basis points.
    pub min_profit_bps: i64,
    /// Base size of an entry, in quote.
    pub intent_notional: Amount,
    /// Own smallest order; the larger of it and the exchange's counts.
    pub value_min: Amount,
    /// Life of a resting order, milliseconds.
    pub ttl_ms: i64,
    /// A resting order further than this from its wanted price is cancelled, basis points.
    pub reprice_bps: i64,
}

/// The market maker's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketMakerParams {
    /// Least half spread, basis points.
    pub half_spread_bps: i64,
    /// Half spread is at least this share of the recent volatility, basis points.
    pub vol_multiplier_bps: i64,
    /// Size of one side, in quote.
    pub order_value: Amount,
    /// Inventory it builds up to before it leans.
    pub inventory_target: Amount,
    /// Inventory at which it no longer buys; above the target.
    pub inventory_limit: Amount,
    /// Shift of the reservation price at full inventory, basis points.
    pub skew_bps: i64,
    /// A quote further than this from where it should be is moved, basis points of mid.
    pub requote_bps: i64,
    /// A quote is not moved before it has lived this long, milliseconds.
    pub min_quote_life_ms: i64,
    /// Samples before the first quote.
    pub samples_min: usize,
}

/// Mean reversion's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeanReversionParams {
    /// Length of the window whose mean is the anchor, milliseconds.
    pub window_ms: i64,
    /// Distance from the anchor that opens, or sells above it, basis points.
    pub entry_bps: i64,
    /// Distance below the anchor at which the price counts as back, basis points.
    pub exit_bps: i64,
    /// Loss against average cost that stops the position, basis points; zero is off.
    pub stop_bps: i64,
    /// Oldest age of a position, milliseconds.
    pub max_hold_ms: i64,
    /// Samples before the anchor counts; 80 % of the window unless a demo wants to be quick.
    pub samples_min: usize,
}

/// A strategy and its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindParams {
    /// See [`MarketMakerParams`].
    MarketMaker(MarketMakerParams),
    /// See [`MeanReversionParams`].
    MeanReversion(MeanReversionParams),
    /// The shared numbers are all it needs.
    Canary,
}

/// All numbers of the owner of one pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrategyParams {
    /// Shared numbers.
    pub common: CommonParams,
    /// The strategy's own.
    pub kind: KindParams,
}

impl KindParams {
    /// Returns which strategy it is.
    pub const fn kind(&self) -> StrategyKind {
        match self {
            Self::MarketMaker(_) => StrategyKind::MarketMaker,
            Self::MeanReversion(_) => StrategyKind::MeanReversion,
            Self::Canary => StrategyKind::Canary,
        }
    }
}

impl Default for CommonParams {
    fn default() -> Self {
        Self {
            decision_min_interval_ms: 250,
            sample_period_ms: 1_000,
            fee_bps_maker: 10,
            fee_bps_taker: 15,
            slippage_bps: 10,
            min_profit_bps: 30,
            intent_notional: Amount::from_whole(100),
            value_min: Amount::from_whole(100),
            ttl_ms: 120_000,
            reprice_bps: 25,
        }
    }
}

impl Default for MarketMakerParams {
    fn default() -> Self {
        Self {
            half_spread_bps: 20,
            vol_multiplier_bps: 10_000,
            order_value: Amount::from_whole(100),
            inventory_target: Amount::from_whole(500),
            inventory_limit: Amount::from_whole(1_000),
            skew_bps: 15,
            requote_bps: 5,
            min_quote_life_ms: 1_000,
            samples_min: 30,
        }
    }
}

impl Default for MeanReversionParams {
    fn default() -> Self {
        Self {
            window_ms: 900_000,
            entry_bps: 50,
            exit_bps: 10,
            stop_bps: 300,
            max_hold_ms: 14_400_000,
            samples_min: 720,
        }
    }
}
