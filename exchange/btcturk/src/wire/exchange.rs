//! Public REST payloads: time, rules, tickers, books, trades, candles (docs/EXCHANGE.md 4).

use super::lenient::{Digits, Id, Money, Stamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// `server/time`; has no envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerTime {
    /// Milliseconds since 1970.
    pub server_time: Stamp,
    /// The same as ISO 8601 text; its exact form is a guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_time2: Option<String>,
}

/// `server/ping`; has no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// True.
    pub pong: bool,
}

/// `server/exchangeinfo`. The codec reads symbols one by one, so that one odd pair does not hide the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "S: Deserialize<'de>"))]
pub struct ExchangeInfo<S = SymbolInfo> {
    /// `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_time: Option<Stamp>,
    /// The pairs.
    pub symbols: Vec<S>,
    /// The currencies, kept as they came: nothing here reads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currencies: Option<Vec<Currency>>,
    /// Currencies that cannot be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_operation_blocks: Option<Vec<CurrencyBlock>>,
}

/// One currency, as JSON text: nobody reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Currency(pub Box<RawValue>);

impl PartialEq for Currency {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for Currency {}

/// A currency that cannot be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrencyBlock {
    /// Which one.
    pub currency_symbol: String,
    /// Withdrawals are shut.
    pub withdrawal_disabled: bool,
    /// Deposits are shut.
    pub deposit_disabled: bool,
}

/// The rules of one pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolInfo {
    /// Number of the pair.
    pub id: i64,
    /// Such as `BTCTRY`.
    pub name: String,
    /// Such as `BTC_TRY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_normalized: Option<String>,
    /// `TRADING`; stays so even when order entry is blocked.
    pub status: String,
    /// Base.
    pub numerator: String,
    /// Quote.
    pub denominator: String,
    /// Decimals of a quantity.
    pub numerator_scale: u32,
    /// Decimals of a price.
    pub denominator_scale: u32,
    /// False: prices are whole numbers.
    pub has_fraction: bool,
    /// One price filter.
    pub filters: Vec<PriceFilter>,
    /// Subset of `MARKET, LIMIT, STOP_MARKET, STOP_LIMIT`.
    pub order_methods: Vec<String>,
    /// For displays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_format: Option<String>,
    /// True: the fee is taken in base.
    #[serde(default)]
    pub commission_from_numerator: bool,
    /// For displays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<i64>,
    /// For displays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_rounding: Option<bool>,
    /// For displays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_new: Option<bool>,
    /// For displays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market_price_warning_threshold_percentage: Option<Digits>,
    /// Largest quantity of an order.
    #[serde(default)]
    pub maximum_order_amount: Option<Digits>,
    /// Largest limit price of the moment.
    #[serde(default)]
    pub maximum_limit_order_price: Option<Digits>,
    /// Smallest limit price of the moment.
    #[serde(default)]
    pub minimum_limit_order_price: Option<Digits>,
}

/// The filter of a pair. A null is an absent rule, never a zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceFilter {
    /// `PRICE_FILTER`.
    pub filter_type: String,
    /// Smallest price; a formality.
    #[serde(default)]
    pub min_price: Option<Money>,
    /// Largest price; a formality.
    #[serde(default)]
    pub max_price: Option<Money>,
    /// Price step; not enforced by the exchange.
    #[serde(default)]
    pub tick_size: Option<Money>,
    /// Smallest price x quantity.
    #[serde(default)]
    pub min_exchange_value: Option<Money>,
    /// Smallest quantity.
    #[serde(default)]
    pub min_amount: Option<Money>,
    /// Largest quantity.
    #[serde(default)]
    pub max_amount: Option<Money>,
}

/// One row of `ticker`; all numbers are JSON numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestTicker {
    /// Such as `BTCTRY`.
    pub pair: String,
    /// Such as `BTC_TRY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair_normalized: Option<String>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Stamp>,
    /// Last price.
    pub last: Digits,
    /// Highest price of 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<Digits>,
    /// Lowest price of 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<Digits>,
    /// Best bid.
    pub bid: Digits,
    /// Best ask.
    pub ask: Digits,
    /// Price of 24 hours ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Digits>,
    /// Volume of 24 hours in base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Digits>,
    /// Average price of 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Digits>,
    /// Change of 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<Digits>,
    /// Change of 24 hours in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_percent: Option<Digits>,
    /// Quote currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denominator_symbol: Option<String>,
    /// Base currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerator_symbol: Option<String>,
    /// For displays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<i64>,
}

/// `orderbook`: pairs of price and quantity, best first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestBook {
    /// Milliseconds since 1970, a number with a point.
    pub timestamp: Stamp,
    /// Bids.
    pub bids: Vec<(Money, Money)>,
    /// Asks.
    pub asks: Vec<(Money, Money)>,
}

/// One row of `trades`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestTrade {
    /// Such as `BTCTRY`.
    pub pair: String,
    /// Such as `BTC_TRY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair_normalized: Option<String>,
    /// Base currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerator: Option<String>,
    /// Quote currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denominator: Option<String>,
    /// Milliseconds since 1970.
    pub date: Stamp,
    /// Number of the trade, as text.
    pub tid: Id,
    /// Price.
    pub price: Money,
    /// Amount.
    pub amount: Money,
    /// Side of the taker, `buy` or `sell`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
}

/// One row of `ohlcs`; has no envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candle {
    /// Such as `BTCTRY`.
    pub pair: String,
    /// Seconds since 1970.
    pub time: i64,
    /// First price.
    pub open: Digits,
    /// Highest price.
    pub high: Digits,
    /// Lowest price.
    pub low: Digits,
    /// Last price.
    pub close: Digits,
    /// Volume in base.
    pub volume: Digits,
    /// Volume in quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Digits>,
    /// Average price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Digits>,
    /// Change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_change_amount: Option<Digits>,
    /// Change in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_change_percentage: Option<Digits>,
}

/// `klines/history`: one array a column; has no envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candles {
    /// `ok`.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Starts, seconds since 1970.
    #[serde(rename = "t")]
    pub times: Vec<i64>,
    /// Highest prices.
    #[serde(rename = "h")]
    pub highs: Vec<Digits>,
    /// First prices.
    #[serde(rename = "o")]
    pub opens: Vec<Digits>,
    /// Lowest prices.
    #[serde(rename = "l")]
    pub lows: Vec<Digits>,
    /// Last prices.
    #[serde(rename = "c")]
    pub closes: Vec<Digits>,
    /// Volumes in base.
    #[serde(rename = "v")]
    pub volumes: Vec<Digits>,
}
