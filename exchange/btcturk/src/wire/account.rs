//! Private REST payloads: balances, orders, trades of the account (docs/EXCHANGE.md 5).

use super::lenient::{Digits, Id, Money, Stamp};
use serde::{Deserialize, Serialize};

/// One row of `users/balances`: `balance = free + locked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Such as `TRY`.
    pub asset: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assetname: Option<String>,
    /// Free plus locked.
    pub balance: Money,
    /// Held by orders and withdrawals.
    pub locked: Money,
    /// Free to use.
    pub free: Money,
    /// Held by orders.
    #[serde(rename = "orderFund", default, skip_serializing_if = "Option::is_none")]
    pub order_fund: Option<Money>,
    /// Held by withdrawals.
    #[serde(
        rename = "requestFund",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub request_fund: Option<Money>,
    /// Decimals of the asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Id>,
    /// Milliseconds since 1970; since January 2025.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Stamp>,
}

/// The body of an order POST. Money may be text or number; unknown members are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRequest {
    /// Base amount; for a market buy the quote amount to spend.
    pub quantity: Money,
    /// Limit price; not needed for a market order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Stop price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<Money>,
    /// The client id: the documented name, at most 50 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_order_client_id: Option<String>,
    /// The name that two clients use by mistake; read by the simulator, never sent (docs/EXCHANGE.md 5.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_client_order_id: Option<String>,
    /// `limit`, `market`, `stoplimit` or `stopmarket`.
    pub order_method: String,
    /// `buy` or `sell`.
    pub order_type: String,
    /// The pair, with or without underscore.
    pub pair_symbol: String,
}

/// `data` of an accepted order POST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderAnswer {
    /// Number of the order.
    pub id: Id,
    /// Ordered amount.
    #[serde(default)]
    pub quantity: Option<Money>,
    /// Limit price.
    #[serde(default)]
    pub price: Option<Money>,
    /// Stop price.
    #[serde(default)]
    pub stop_price: Option<Money>,
    /// The client id again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_order_client_id: Option<String>,
    /// `buy` or `sell`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
    /// `limit`, `market`, `stoplimit` or `stopmarket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair_symbol: Option<String>,
    /// The pair with underscore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair_symbol_normalized: Option<String>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datetime: Option<Stamp>,
}

/// One order in `openOrders`, `allOrders` and `order/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Number of the order.
    pub id: Id,
    /// Limit price; for a market order the price of its first fill.
    #[serde(default)]
    pub price: Option<Money>,
    /// Ordered amount.
    pub amount: Money,
    /// As `amount`; for a market order zero or a residue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Money>,
    /// Stop price.
    #[serde(default)]
    pub stop_price: Option<Money>,
    /// The pair.
    pub pair_symbol: String,
    /// The pair with underscore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair_symbol_normalized: Option<String>,
    /// `buy` or `sell`: the side.
    #[serde(rename = "type")]
    pub side: String,
    /// `limit`, `market`, `stoplimit` or `stopmarket`: not the side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The client id.
    #[serde(default)]
    pub order_client_id: Option<String>,
    /// Inserted, milliseconds since 1970; may be zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Stamp>,
    /// Last change, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_time: Option<Stamp>,
    /// `Untouched`, `Partial`, `Canceled` or `Closed`.
    pub status: String,
    /// Unfilled part.
    pub left_amount: Money,
}

/// `data` of `openOrders`. The order's own `type` is its side, not the list it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOrders {
    /// Sells.
    pub asks: Vec<Order>,
    /// Buys.
    pub bids: Vec<Order>,
}

/// One row of `users/transactions/trade`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountTrade {
    /// Number of the trade.
    pub id: Id,
    /// Milliseconds since 1970.
    pub timestamp: Stamp,
    /// Traded amount, negative for a sell; may be rounded.
    pub amount: Money,
    /// The exact amount, signed as `amount`; a JSON number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precise_amount: Option<Digits>,
    /// Fee in quote, negative.
    pub fee: Money,
    /// Tax in quote, negative.
    pub tax: Money,
    /// Price.
    pub price: Money,
    /// Base currency.
    pub numerator_symbol: String,
    /// Quote currency.
    pub denominator_symbol: String,
    /// `buy` or `sell`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_type: Option<String>,
    /// The order.
    pub order_id: Id,
    /// Client id of the order.
    #[serde(default)]
    pub order_client_id: Option<String>,
}

/// One row of `users/transactions/crypto` and `users/transactions/fiat`. Documented once, never captured
/// (docs/EXCHANGE.md 5.7): only what names the transfer is demanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountTransfer {
    /// `Deposit` or `Withdrawal`.
    pub balance_type: String,
    /// The currency.
    pub currency_symbol: String,
    /// Number of the transfer in its list.
    pub id: Id,
    /// Milliseconds since 1970.
    pub timestamp: Stamp,
    /// The balance behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funds: Option<Digits>,
    /// Moved amount, negative for a withdrawal.
    pub amount: Digits,
    /// Fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Digits>,
    /// Tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Digits>,
}
