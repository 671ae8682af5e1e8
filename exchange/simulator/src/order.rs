//! Orders and fills of accounts, as the exchange keeps them.
//!
//! Every change of an order is kept with its time, because lists show the past (docs/EXCHANGE.md 5.5).

use crate::fees::Role;
use crate::ledger::{AccountIndex, Charges};
use crate::market::pair::PairIndex;
use engine::ids::{OrderId, TradeId};
use engine::market::Side;
use engine::money::{Amount, Price, Qty};
use engine::time::Timestamp;

/// How an order wants to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// At its price or better; the rest waits.
    Limit,
    /// At once, within a band; the rest is not executed.
    Market,
}

impl Method {
    /// Returns the method as lists spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Market => "market",
        }
    }

    /// Returns the number used in events (docs/EXCHANGE.md 10).
    pub const fn number(self) -> u8 {
        match self {
            Self::Limit => 0,
            Self::Market => 1,
        }
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Accepted, not yet in the book; no list shows it.
    Accepted,
    /// In the book, nothing filled.
    Untouched,
    /// In the book, partly filled.
    Partial,
    /// Taken out with something left.
    Canceled,
    /// Done.
    Closed,
}

impl State {
    /// Returns the word of the lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted | Self::Untouched => "Untouched",
            Self::Partial => "Partial",
            Self::Canceled => "Canceled",
            Self::Closed => "Closed",
        }
    }

    /// Returns whether the order can still trade.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Accepted | Self::Untouched | Self::Partial => true,
            Self::Canceled | Self::Closed => false,
        }
    }
}

/// What changed of an order, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// From then on.
    pub from: Timestamp,
    /// The state.
    pub state: State,
    /// What was left.
    pub left: Qty,
}

/// How much an order asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A quantity of the base.
    Base(Qty),
    /// A quote value to spend: market buys (docs/EXCHANGE.md 5.2).
    Quote(Amount),
}

/// One order of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The exchange's number.
    pub id: OrderId,
    /// Whose it is.
    pub account: AccountIndex,
    /// Its pair.
    pub pair: PairIndex,
    /// Its side.
    pub side: Side,
    /// Its method.
    pub method: Method,
    /// Limit price; for a market order the worst price of its band.
    pub price: Price,
    /// What was asked for.
    pub size: Size,
    /// Traded quantity.
    pub filled: Qty,
    /// What is still held for it, in quote for a buy and in base for a sell.
    pub reserved: Amount,
    /// The client id as it was sent, or the GUID that stands in for it.
    pub client_id: String,
    /// The client id as replies, lists and events carry it.
    pub echo: Option<String>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// What became of it, oldest first; empty until it is in the book.
    pub versions: Vec<Version>,
}

impl Order {
    /// Returns the ordered quantity of base; what was traded, for an order that named a quote value.
    pub fn qty(&self) -> Qty {
        match self.size {
            Size::Base(qty) => qty,
            Size::Quote(_) => self.filled,
        }
    }

    /// Returns the unfilled quantity of base.
    pub fn left(&self) -> Qty {
        self.qty().minus_or_zero(self.filled)
    }

    /// Returns where it stands.
    pub fn state(&self) -> State {
        self.versions
            .last()
            .map_or(State::Accepted, |version| version.state)
    }

    /// Returns the order as it stood at `at`; `None` while it was not in the book.
    pub fn at(&self, at: Timestamp) -> Option<Version> {
        self.versions
            .iter()
            .rev()
            .find(|version| version.from <= at)
            .copied()
    }

    /// Notes a change.
    pub fn note(&mut self, from: Timestamp, state: State) {
        let left = self.left();
        self.versions.push(Version { from, state, left });
    }
}

/// One account's side of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Number of the transaction row.
    pub id: TradeId,
    /// Number in the private stream; the same, unless the profile says otherwise.
    pub stream_id: TradeId,
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub account: AccountIndex,
    /// The pair.
    pub pair: PairIndex,
    /// The account's side.
    pub side: Side,
    /// Traded price.
    pub price: Price,
    /// Traded quantity.
    pub qty: Qty,
    /// Maker or taker.
    pub role: Role,
    /// Fee and tax, positive, in quote or in base as the pair says.
    pub charges: Charges,
    /// When.
    pub at: Timestamp,
}
