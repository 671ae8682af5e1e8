//! What the exchange says about our account: outcomes, list rows, private events, as engine values.
//!
//! Signs are normalised by the codec: a quantity is positive, a fee that was paid is positive.

use crate::ids::{Asset, ClientId, OrderId, Symbol, TradeId};
use crate::market::Side;
use crate::money::{Amount, Price, Qty};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A documented refusal of an order, by meaning; the names on the wire live in the codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Below the smallest order value.
    MinTotal,
    /// Too many price decimals, or not a whole number where one is due.
    PriceScale,
    /// Too many quantity decimals.
    QuantityScale,
    /// Outside the price band, or larger than the largest order.
    PriceBand,
    /// Not enough free funds.
    InsufficientBalance,
    /// The pair does not take this kind of order.
    MethodNotSupported,
    /// The pair or the system takes no orders.
    InsertBlocked,
    /// The documented quota answer: not accepted.
    RateLimited,
    /// A documented authentication answer: not accepted.
    Unauthorized,
    /// Another documented name.
    Other,
}

impl Refusal {
    /// Returns whether the exchange says that funds are missing: the account may have changed between its judgement
    /// and its lists, so this refusal alone frees nothing.
    pub const fn is_for_funds(self) -> bool {
        match self {
            Self::InsufficientBalance => true,
            Self::MinTotal
            | Self::PriceScale
            | Self::QuantityScale
            | Self::PriceBand
            | Self::MethodNotSupported
            | Self::InsertBlocked
            | Self::RateLimited
            | Self::Unauthorized
            | Self::Other => false,
        }
    }

    /// Returns the stable code for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MinTotal => "min_total",
            Self::PriceScale => "price_scale",
            Self::QuantityScale => "quantity_scale",
            Self::PriceBand => "price_band",
            Self::InsufficientBalance => "insufficient_balance",
            Self::MethodNotSupported => "method_not_supported",
            Self::InsertBlocked => "insert_blocked",
            Self::RateLimited => "rate_limited",
            Self::Unauthorized => "unauthorized",
            Self::Other => "other",
        }
    }
}

/// Why no byte of a submit left this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotSent {
    /// The gate was shut when the first byte was due.
    GateClosed,
    /// The approval or its stamp was too old when the first byte was due.
    Expired,
    /// Our own rate limit had no room.
    RateLimited,
    /// No connection: name resolution, connect, TLS.
    ConnectFailed,
    /// There is no live order port in this process.
    NoPort,
    /// The table of remembered orders is full.
    TombstonesFull,
}

impl NotSent {
    /// Returns the stable code for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GateClosed => "gate_closed",
            Self::Expired => "expired",
            Self::RateLimited => "rate_limited",
            Self::ConnectFailed => "connect_failed",
            Self::NoPort => "no_port",
            Self::TombstonesFull => "tombstones_full",
        }
    }
}

/// Why the fate of a submit cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownCause {
    /// No answer in time.
    Timeout,
    /// The connection ended after a byte had left.
    ConnectionLost,
    /// An answer that proves nothing: 5xx, HTML, empty, unreadable, undocumented.
    Ambiguous,
    /// A redirect or another answer that our client or route should never get.
    Unexpected,
    /// The process ended between sending and answer.
    Restart,
}

impl UnknownCause {
    /// Returns the stable code for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::ConnectionLost => "connection_lost",
            Self::Ambiguous => "ambiguous",
            Self::Unexpected => "unexpected",
            Self::Restart => "restart",
        }
    }
}

/// What became of one submit. Unknown is an outcome, not an error: the exchange is asked, the order is never sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitOutcome {
    /// The exchange gave it a number and repeated our client id.
    Accepted(OrderId),
    /// The exchange gave it a number, but did not repeat our client id.
    AcceptedWithoutEcho(OrderId),
    /// A documented refusal.
    Rejected(Refusal),
    /// Proven: not one byte left.
    NotSent(NotSent),
    /// Bytes left, no proof either way.
    Unknown(UnknownCause),
}

impl SubmitOutcome {
    /// Returns the exchange's number of the order, where the answer gave one.
    pub const fn number(self) -> Option<OrderId> {
        match self {
            Self::Accepted(id) | Self::AcceptedWithoutEcho(id) => Some(id),
            Self::Rejected(_) | Self::NotSent(_) | Self::Unknown(_) => None,
        }
    }
}

/// What a cancel request was answered. None of these is the end of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReply {
    /// Taken note of; the order's row or trades will tell.
    Acknowledged,
    /// No such order, or it cannot be cancelled: look it up.
    LookUp,
    /// The exchange takes no cancels right now.
    Blocked,
    /// Refused by the quota; wait this many milliseconds.
    RateLimited(i64),
    /// Refused for its credentials.
    Unauthorized,
    /// No usable answer.
    Failed,
}

/// The exchange's status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowStatus {
    /// `Untouched`.
    Untouched,
    /// `Partial`.
    Partial,
    /// `Canceled`.
    Canceled,
    /// `Closed`: filled (D26).
    Closed,
    /// A word that is not documented: changes nothing, warns.
    Unmapped,
}

/// One order as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The exchange's number.
    pub id: OrderId,
    /// Our client id, if it is one of ours (any of our accounts).
    pub client_id: Option<ClientId>,
    /// The pair.
    pub symbol: Symbol,
    /// From the row's `type`, never from `method` (D28).
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Ordered quantity.
    pub qty: Qty,
    /// Unfilled part.
    pub left: Qty,
    /// Where it stands.
    pub status: RowStatus,
    /// Last change, or insertion where that is missing.
    pub at: Timestamp,
}

/// Where an own trade was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeSource {
    /// Private stream, message 423.
    Stream,
    /// REST list of transactions.
    Rest,
}

/// One trade of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnTrade {
    /// Who reported it; ids of the two sources need not agree.
    pub source: TradeSource,
    /// The number the source gives it.
    pub id: TradeId,
    /// The order it belongs to.
    pub order_id: OrderId,
    /// Our client id, if the row carries one of ours.
    pub client_id: Option<ClientId>,
    /// The coin that changed hands.
    pub base: Asset,
    /// The currency that paid.
    pub quote: Asset,
    /// Our side.
    pub side: Side,
    /// Traded price.
    pub price: Price,
    /// Exact traded quantity, from the precise amount.
    pub qty: Qty,
    /// Fee paid, in quote unless `fee_in_base`; negative is a rebate.
    pub fee: Amount,
    /// Tax paid, in the same asset as the fee.
    pub tax: Amount,
    /// The exchange's stamp.
    pub at: Timestamp,
    /// Fee and tax are paid in the base: a purchase brings that much less. A rule of the pair, which no row tells.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fee_in_base: bool,
}

/// Which list of the exchange a transfer stands in; each numbers its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rail {
    /// Coins.
    Crypto,
    /// Money of a bank.
    Fiat,
}

/// Names a deposit or a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TransferId {
    /// Its list.
    pub rail: Rail,
    /// Its number in that list.
    pub number: i64,
}

/// A deposit or a withdrawal as the exchange lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Which one.
    pub id: TransferId,
    /// What was moved.
    pub asset: Asset,
    /// Positive came in, negative went out.
    pub amount: Amount,
    /// Fee and tax of the transfer, in the same asset. Whether `amount` holds them already is not documented.
    pub charges: Amount,
    /// The exchange's stamp.
    pub at: Timestamp,
}

/// One asset of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceRow {
    /// Which asset.
    pub asset: Asset,
    /// Free to use.
    pub free: Amount,
    /// Held by orders and withdrawals.
    pub locked: Amount,
}

impl BalanceRow {
    /// Returns free plus locked.
    pub fn total(&self) -> Amount {
        self.free + self.locked
    }
}

/// An order as messages 451 and 452 show it. Hints: they say that something happened, a row or a trade says what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    /// The exchange's number.
    pub id: OrderId,
    /// Our client id, if it is one of ours.
    pub client_id: Option<ClientId>,
    /// The pair.
    pub symbol: Symbol,
    /// Side; old frames do not carry it.
    pub side: Option<Side>,
    /// Limit price.
    pub price: Price,
    /// Unfilled part; may be older than a racing fill.
    pub left: Qty,
}

/// What the private stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivateEvent {
    /// The login was answered (114).
    Login {
        /// Accepted.
        ok: bool,
        /// The exchange's number of the account.
        user_id: i64,
    },
    /// An order was inserted (451).
    Inserted(OrderEvent),
    /// An order was deleted (452).
    Deleted(OrderEvent),
    /// An order matched (441): a hint that books nothing.
    Matched {
        /// The order.
        order_id: OrderId,
        /// Our client id, if it is one of ours.
        client_id: Option<ClientId>,
    },
    /// A trade of ours (423).
    Trade(OwnTrade),
    /// Balances changed (201): a hint to read them again.
    BalanceHint,
}
