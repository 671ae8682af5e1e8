//! What a strategy wants, before anybody has judged it.

use crate::ids::{ClientId, Symbol};
use crate::market::Side;
use crate::money::{Amount, Price, Qty};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The strategies that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// Quotes both sides around mid, leaning against its inventory.
    MarketMaker,
    /// Buys below a moving anchor and sells near it.
    MeanReversion,
    /// Places one tiny order far from the market in a cycle; `btcbot canary` alone runs it.
    Canary,
}

impl StrategyKind {
    /// Every strategy that a configuration can name, in the order of the names.
    pub const ALL: [Self; 2] = [Self::MarketMaker, Self::MeanReversion];

    /// Returns the name used in configuration, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MarketMaker => "market_maker",
            Self::MeanReversion => "mean_reversion",
            Self::Canary => "canary",
        }
    }

    /// Finds a strategy that a configuration can name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Why an order is wanted, in planning order: what protects comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentClass {
    /// Gets out of a position that has gone wrong; asks for no profit.
    Protective,
    /// Takes a position off.
    Exit,
    /// Rests on one side of the market.
    Quote,
    /// Opens or enlarges a position.
    Entry,
}

/// The strategy's own reason; the same text in log, metric and audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentReason {
    /// Market maker, bid side.
    QuoteBid,
    /// Market maker, ask side.
    QuoteAsk,
    /// Mark fell below the anchor by the entry distance.
    MeanReversionBuy,
    /// Mark rose above the anchor by the entry distance.
    MeanReversionSell,
    /// Mark is back at the anchor.
    MeanReversionExit,
    /// Best bid fell below cost by the stop distance.
    MeanReversionStop,
    /// The position is older than allowed.
    MeanReversionTimeStop,
    /// The canary's one order of a cycle.
    CanaryBuy,
    /// Made known again out of the exchange's lists; who wanted it and why is lost.
    Recovered,
}

impl IntentReason {
    /// Returns the stable code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QuoteBid => "quote_bid",
            Self::QuoteAsk => "quote_ask",
            Self::MeanReversionBuy => "mean_reversion_buy",
            Self::MeanReversionSell => "mean_reversion_sell",
            Self::MeanReversionExit => "mean_reversion_exit",
            Self::MeanReversionStop => "mean_reversion_stop",
            Self::MeanReversionTimeStop => "mean_reversion_time_stop",
            Self::CanaryBuy => "canary_buy",
            Self::Recovered => "recovered",
        }
    }
}

/// Why a strategy asked for nothing; the same text in log, metric and audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilentReason {
    /// Too few samples yet.
    Warming,
    /// Nothing deviates enough.
    InsideBand,
    /// The move does not pay for its costs.
    EdgeTooSmall,
    /// A position is held and no exit is due.
    Holding,
    /// The order of this cycle was placed.
    CycleDone,
    /// An own order on that side is still working.
    OrderWorking,
    /// The quote would be below the smallest order.
    QuoteTooSmall,
    /// The position is too small to be sold.
    Dust,
    /// The exchange's rules are missing.
    NoRules,
    /// The mode asks for no orders.
    Mode,
    /// A number did not fit.
    Arithmetic,
}

impl SilentReason {
    /// Returns the stable code, without its `strategy:` layer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warming => "warming",
            Self::InsideBand => "inside_band",
            Self::EdgeTooSmall => "edge_too_small",
            Self::Holding => "holding",
            Self::CycleDone => "cycle_done",
            Self::OrderWorking => "order_working",
            Self::QuoteTooSmall => "quote_too_small",
            Self::Dust => "dust",
            Self::NoRules => "no_rules",
            Self::Mode => "mode",
            Self::Arithmetic => "arithmetic",
        }
    }
}

/// Which state of which book a decision was made on. Change numbers compare only inside one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookStamp {
    /// Counts connections of the feed.
    pub session: u32,
    /// The book's change number.
    pub change: i64,
}

/// A wish for one limit order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Who wants it.
    pub strategy: StrategyKind,
    /// The pair.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// How much of the base.
    pub qty: Qty,
    /// The worst acceptable price.
    pub limit: Price,
    /// What it is for.
    pub class: IntentClass,
    /// Why.
    pub reason: IntentReason,
    /// When it was decided.
    pub at: Timestamp,
    /// On which book.
    pub book: BookStamp,
    /// Mid price of that book; for slippage and audit only.
    pub mid: Price,
    /// Number of the cycle it belongs to.
    pub cycle: u32,
}

/// An order that is about to exist: an intent with its id, on the grid, with its worst case reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// The id of intent and order; sent once, ever.
    pub client_id: ClientId,
    /// The wish; its `qty` and `limit` are already on the exchange's grid.
    pub intent: Intent,
    /// What is held for it: quote for a buy, base for a sale.
    pub reserved: Amount,
    /// Its trades pay fee and tax in the base, a rule of the pair.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fee_in_base: bool,
}

/// Why a cancel was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Older than its time to live.
    Ttl,
    /// Its own symbol's wanted price has moved away.
    Reprice,
    /// Safe mode was switched on.
    SafeMode,
    /// The kill switch.
    Kill,
    /// The process stops.
    Shutdown,
    /// The book may no longer be trusted.
    Untrusted,
    /// A person asked for it.
    Operator,
}

impl CancelReason {
    /// Returns the stable code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ttl => "ttl",
            Self::Reprice => "reprice",
            Self::SafeMode => "safe_mode",
            Self::Kill => "kill",
            Self::Shutdown => "shutdown",
            Self::Untrusted => "untrusted",
            Self::Operator => "operator",
        }
    }
}
