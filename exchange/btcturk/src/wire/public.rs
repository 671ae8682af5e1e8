//! Public frames other than books: acknowledgements, tickers, trades, bars, version.

use super::lenient::{Id, Kind, Stamp, Text};
use serde::{Deserialize, Serialize};

/// 100 result of a join or leave, 112 legacy login result, 801 system message, 802 logout: a flag and a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack<'a, const N: u16> {
    /// Whether the request was taken.
    #[serde(default)]
    pub ok: bool,
    /// For a join `join|CHANNEL:EVENT`; otherwise a text to show.
    #[serde(borrow, default)]
    pub message: Option<Text<'a>>,
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<N>,
}

/// 991: the greeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version<'a> {
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<991>,
    /// Version of the feed.
    #[serde(borrow)]
    pub current: Text<'a>,
    /// Oldest version it speaks.
    #[serde(borrow, default)]
    pub min: Option<Text<'a>>,
}

/// One ticker: the body of a 402, or a row of a 401 (which has no channel, event and type of its own).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickerRow<'a> {
    /// Best bid.
    #[serde(rename = "B", borrow, default)]
    pub bid: Option<Text<'a>>,
    /// Best ask.
    #[serde(rename = "A", borrow, default)]
    pub ask: Option<Text<'a>>,
    /// Amount at the best bid; newer frames only.
    #[serde(
        rename = "BA",
        borrow,
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub bid_amount: Option<Text<'a>>,
    /// Amount at the best ask; newer frames only.
    #[serde(
        rename = "AA",
        borrow,
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub ask_amount: Option<Text<'a>>,
    /// The pair.
    #[serde(rename = "PS", borrow, default)]
    pub pair: Option<Text<'a>>,
    /// Highest price of 24 hours.
    #[serde(rename = "H", borrow, default)]
    pub high: Option<Text<'a>>,
    /// Lowest price of 24 hours.
    #[serde(rename = "L", borrow, default)]
    pub low: Option<Text<'a>>,
    /// Last price.
    #[serde(rename = "LA", borrow, default)]
    pub last: Option<Text<'a>>,
    /// Price of 24 hours ago.
    #[serde(rename = "O", borrow, default)]
    pub open: Option<Text<'a>>,
    /// Volume of 24 hours in base.
    #[serde(rename = "V", borrow, default)]
    pub volume: Option<Text<'a>>,
    /// Average price of 24 hours.
    #[serde(rename = "AV", borrow, default)]
    pub average: Option<Text<'a>>,
    /// Change of 24 hours.
    #[serde(rename = "D", borrow, default)]
    pub change: Option<Text<'a>>,
    /// Change of 24 hours in percent.
    #[serde(rename = "DP", borrow, default)]
    pub change_percent: Option<Text<'a>>,
    /// Quote currency.
    #[serde(rename = "DS", borrow, default)]
    pub quote: Option<Text<'a>>,
    /// Base currency.
    #[serde(rename = "NS", borrow, default)]
    pub base: Option<Text<'a>>,
    /// Number of the pair.
    #[serde(rename = "PId", default, skip_serializing_if = "Option::is_none")]
    pub pair_id: Option<i64>,
    /// `ticker`; in a 402 only.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    /// The pair; in a 402 only.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Text<'a>>,
    /// Inner type; in a 402 only.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind<402>>,
}

/// 401: tickers of all pairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickerAll<'a> {
    /// One row a pair.
    #[serde(borrow)]
    pub items: Vec<TickerRow<'a>>,
    /// `ticker`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    /// `all`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Text<'a>>,
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<401>,
}

/// 422: one trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeSingle<'a> {
    /// When, milliseconds as text.
    #[serde(rename = "D")]
    pub at: Stamp,
    /// Number of the trade, as text.
    #[serde(rename = "I")]
    pub id: Id,
    /// Amount, ten decimals.
    #[serde(rename = "A", borrow)]
    pub amount: Text<'a>,
    /// Price, ten decimals.
    #[serde(rename = "P", borrow)]
    pub price: Text<'a>,
    /// The pair.
    #[serde(rename = "PS", borrow, default)]
    pub pair: Option<Text<'a>>,
    /// Side of the taker: 0 buy, 1 sell.
    #[serde(rename = "S", default, skip_serializing_if = "Option::is_none")]
    pub side: Option<i64>,
    /// `trade`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    /// The pair that was joined.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Text<'a>>,
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<422>,
}

/// One row of a 421.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeItem<'a> {
    /// When, milliseconds as text.
    #[serde(rename = "D")]
    pub at: Stamp,
    /// Number of the trade, as text.
    #[serde(rename = "I")]
    pub id: Id,
    /// Amount.
    #[serde(rename = "A", borrow)]
    pub amount: Text<'a>,
    /// Price.
    #[serde(rename = "P", borrow)]
    pub price: Text<'a>,
    /// Side of the taker: 0 buy, 1 sell; not in the frames of 2020.
    #[serde(rename = "S", default, skip_serializing_if = "Option::is_none")]
    pub side: Option<i64>,
}

/// 421: the latest trades, newest first, at most 50.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeList<'a> {
    /// The pair.
    #[serde(borrow, default)]
    pub symbol: Option<Text<'a>>,
    /// The trades.
    #[serde(borrow)]
    pub items: Vec<TradeItem<'a>>,
    /// `trade`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    /// The pair that was joined.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Text<'a>>,
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<421>,
}

/// 428: one bar of the `tradeview` channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradingViewBar<'a> {
    /// Start of the bar in seconds.
    #[serde(rename = "D")]
    pub at_s: i64,
    /// The pair.
    #[serde(rename = "P", borrow)]
    pub pair: Text<'a>,
    /// Length in minutes; 1440, 10080 and 43200 for a day, a week and a month.
    #[serde(rename = "R")]
    pub minutes: Id,
    /// First price.
    #[serde(rename = "O", borrow)]
    pub open: Text<'a>,
    /// Highest price.
    #[serde(rename = "H", borrow)]
    pub high: Text<'a>,
    /// Lowest price.
    #[serde(rename = "L", borrow)]
    pub low: Text<'a>,
    /// Last price.
    #[serde(rename = "C", borrow)]
    pub close: Text<'a>,
    /// Volume in base.
    #[serde(rename = "V", borrow)]
    pub volume: Text<'a>,
    /// `tradeview`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    /// `PAIR_MINUTES`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Text<'a>>,
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<428>,
}
