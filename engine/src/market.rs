//! What the exchange says in public: books, trades, tickers, rules, as engine values.
//!
//! Made by the codec, which has already cut book amounts to eight decimals (and counted the cuts).

use crate::ids::{Symbol, TradeId};
use crate::money::{Price, Qty};
use crate::time::Timestamp;

/// Levels of one side that BTCTurk publishes (docs/EXCHANGE.md 11.1, several captures).
pub const WINDOW_LEVELS: usize = 100;

/// The side of an order or of a trade's taker.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Takes or quotes the bid.
    Buy,
    /// Takes or quotes the ask.
    Sell,
}

impl Side {
    /// Returns the other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// Returns the side as the exchange spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// One price level: total quantity at a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The level's price.
    pub price: Price,
    /// All that rests there.
    pub qty: Qty,
}

/// What a difference says about a level (field `CP` on the wire; 2 is unused).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// 0: the quantity changed.
    Changed,
    /// 1: the level entered the visible window.
    Entered,
    /// 3: the level left; its quantity is the last one, not zero.
    Left,
}

/// One row of a book difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange {
    /// What happened.
    pub kind: ChangeKind,
    /// Where, and the absolute quantity.
    pub level: Level,
}

/// Which of the two book channels a full book came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookChannel {
    /// `obdiff`: one full book after a join, then differences.
    Diff,
    /// `orderbook`: a full book on a beat.
    Periodic,
}

/// A full visible window, best level first on each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookFull {
    /// The pair.
    pub symbol: Symbol,
    /// Where it came from.
    pub channel: BookChannel,
    /// Change number: rises within a session, skips, may be negative.
    pub change: i64,
    /// Bids, best first.
    pub bids: Vec<Level>,
    /// Asks, best first.
    pub asks: Vec<Level>,
}

/// The difference between two visible windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookDiff {
    /// The pair.
    pub symbol: Symbol,
    /// Change number, as in [`BookFull`].
    pub change: i64,
    /// Rows of the bid side, best first.
    pub bids: Vec<LevelChange>,
    /// Rows of the ask side, best first.
    pub asks: Vec<LevelChange>,
}

/// A public trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicTrade {
    /// The pair.
    pub symbol: Symbol,
    /// Where it traded.
    pub price: Price,
    /// How much, cut to eight decimals.
    pub qty: Qty,
    /// Who crossed the spread; `None` where the frame does not say.
    pub taker: Option<Side>,
    /// The exchange's stamp.
    pub at: Timestamp,
    /// The exchange's number of the trade, where it is one.
    pub id: Option<TradeId>,
}

/// Best prices and the last trade, as the ticker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticker {
    /// The pair.
    pub symbol: Symbol,
    /// Best bid.
    pub bid: Price,
    /// Best ask.
    pub ask: Price,
    /// Last traded price.
    pub last: Price,
}

/// Everything public that changes what we know of a market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarketEvent {
    /// A full book (431).
    Full(BookFull),
    /// A book difference (432).
    Diff(BookDiff),
    /// One trade (422).
    Trade(PublicTrade),
    /// The latest trades, newest first (421).
    Trades(Vec<PublicTrade>),
    /// One ticker row (402).
    Ticker(Ticker),
}
