//! Private frames: login result, balance hint, own trades, order events (docs/EXCHANGE.md 10 and 12).

use super::lenient::{Digits, Id, Kind, Stamp, Text};
use serde::{Deserialize, Serialize};

/// 114 from the server: what became of a login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginResult<'a> {
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<114>,
    /// Number of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Whether the login was accepted.
    pub ok: bool,
    /// Why not; null on success.
    #[serde(borrow, default)]
    pub message: Option<Text<'a>>,
}

/// 201: a balance changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceUpdated<'a> {
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<201>,
    /// Number of the user.
    #[serde(rename = "userId", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Id>,
    /// `pairId,numeratorCurrencyId,denominatorCurrencyId`.
    #[serde(borrow, default)]
    pub payload: Option<Text<'a>>,
}

impl BalanceUpdated<'_> {
    /// Returns the numbers of pair, base and quote currency; `None` where the payload is not three numbers.
    pub fn ids(&self) -> Option<[i64; 3]> {
        let mut parts = self.payload.as_deref()?.split(',').map(str::parse::<i64>);
        let ids = [
            parts.next()?.ok()?,
            parts.next()?.ok()?,
            parts.next()?.ok()?,
        ];
        parts.next().is_none().then_some(ids)
    }
}

/// 423: one trade of the account. Real frames have no inner `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTrade<'a> {
    /// Number of the trade.
    pub id: Id,
    /// The order.
    #[serde(rename = "orderId")]
    pub order_id: Id,
    /// When, milliseconds.
    pub timestamp: Stamp,
    /// Base currency.
    #[serde(rename = "numeratorSymbol", borrow)]
    pub base: Text<'a>,
    /// Quote currency.
    #[serde(rename = "denominatorSymbol", borrow)]
    pub quote: Text<'a>,
    /// Traded amount, negative for a sell; may be rounded.
    #[serde(borrow)]
    pub amount: Text<'a>,
    /// Fee in quote, negative.
    #[serde(borrow)]
    pub fee: Text<'a>,
    /// Tax in quote, negative.
    #[serde(borrow)]
    pub tax: Text<'a>,
    /// Price.
    #[serde(borrow)]
    pub price: Text<'a>,
    /// `buy` or `sell`.
    #[serde(
        rename = "orderType",
        borrow,
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub side: Option<Text<'a>>,
    /// Client id of the order.
    #[serde(
        rename = "orderClientId",
        borrow,
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub client_id: Option<Text<'a>>,
    /// The exact amount, signed as `amount`; a JSON number.
    #[serde(
        rename = "preciseAmount",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub precise_amount: Option<Digits>,
    /// Inner type, where there is one.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind<423>>,
}

/// 441: an order matched. A hint: the 423 is the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderMatch<'a> {
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<441>,
    /// The order.
    pub id: Id,
    /// Number of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Id>,
    /// Whether the order is a buy.
    #[serde(rename = "isBid", default, skip_serializing_if = "Option::is_none")]
    pub is_bid: Option<bool>,
    /// 0 limit, 1 market, 2 stop limit, 3 stop market.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<i64>,
    /// Number of the pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<i64>,
    /// The pair.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Text<'a>>,
    /// Matched amount, ten decimals; has been wrong.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Text<'a>>,
    /// Price, ten decimals.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Text<'a>>,
    /// Client id of the order.
    #[serde(
        rename = "clientId",
        borrow,
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub client_id: Option<Text<'a>>,
    /// When, milliseconds as text; since about January 2025.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Stamp>,
}

/// 451 an order was inserted, 452 deleted, 453 edited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderChange<'a, const N: u16> {
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<N>,
    /// Number of the pair.
    #[serde(rename = "pairId", default, skip_serializing_if = "Option::is_none")]
    pub pair_id: Option<i64>,
    /// The pair.
    #[serde(borrow)]
    pub symbol: Text<'a>,
    /// The order.
    pub id: Id,
    /// 0 limit, 1 market, 2 stop limit, 3 stop market.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<i64>,
    /// Number of the user.
    #[serde(rename = "userId", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Id>,
    /// 0 buy, 1 sell; not in the frames of 2021.
    #[serde(rename = "orderType", default, skip_serializing_if = "Option::is_none")]
    pub side: Option<i64>,
    /// Limit price.
    #[serde(borrow)]
    pub price: Text<'a>,
    /// Ordered amount.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Text<'a>>,
    /// Unfilled part at the time of the request.
    #[serde(rename = "numLeft", borrow)]
    pub left: Text<'a>,
    /// Opaque; never computed with (docs/EXCHANGE.md 10).
    #[serde(
        rename = "denomLeft",
        borrow,
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub quote_left: Option<Text<'a>>,
    /// Client id of the order; not in the frames of 2021.
    #[serde(
        rename = "newOrderClientId",
        borrow,
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub client_id: Option<Text<'a>>,
}
