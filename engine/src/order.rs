//! What is known about one order, and how evidence moves it.
//!
//! Evidence only ever moves an order up: duplicates, reordering and late answers are harmless. A time-out never ends
//! an order; only proof does.

use crate::answer::{NotSent, Refusal, UnknownCause};
use crate::ids::{ClientId, OrderId};
use crate::intent::NewOrder;
use crate::money::Qty;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where an own order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Approved; its record is not durable yet.
    Reserved,
    /// Durable; bytes may leave.
    Sending,
    /// Bytes left, no proof either way.
    Unknown(UnknownCause),
    /// Accepted, nothing filled.
    Open,
    /// Accepted, part filled.
    Partial,
    /// Ended: proven that no byte left.
    NotSent(NotSent),
    /// Ended: refused by the exchange under a documented name.
    Rejected(Refusal),
    /// Ended: proven never to have been accepted.
    Absent,
    /// Ended: cancelled, with its filled part proven.
    Canceled,
    /// Ended: filled in full.
    Filled,
}

impl OrderState {
    /// Returns whether the order has ended; its id stays as a tombstone.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Reserved | Self::Sending | Self::Unknown(_) | Self::Open | Self::Partial => false,
            Self::NotSent(_) | Self::Rejected(_) | Self::Absent | Self::Canceled | Self::Filled => {
                true
            }
        }
    }

    /// Returns whether the exchange is held never to have had the order.
    pub const fn never_existed(self) -> bool {
        match self {
            Self::NotSent(_) | Self::Rejected(_) | Self::Absent => true,
            Self::Reserved
            | Self::Sending
            | Self::Unknown(_)
            | Self::Open
            | Self::Partial
            | Self::Canceled
            | Self::Filled => false,
        }
    }

    /// Returns the stable name, without its reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Sending => "sending",
            Self::Unknown(_) => "unknown",
            Self::Open => "open",
            Self::Partial => "partial",
            Self::NotSent(_) => "not_sent",
            Self::Rejected(_) => "rejected",
            Self::Absent => "absent",
            Self::Canceled => "canceled",
            Self::Filled => "filled",
        }
    }
}

/// How an operator settles an order whose fate the exchange's lists cannot prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The exchange never had it: its reservation goes.
    Absent,
    /// The exchange has it under this number, which the operator has seen there.
    Accepted(OrderId),
    /// It cannot be told: it stays unknown with its reservation and its frozen symbol, but holds up nothing else.
    Stuck,
}

impl Resolution {
    /// Returns the stable name, without the number.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Accepted(_) => "accepted",
            Self::Stuck => "stuck",
        }
    }
}

/// One own order as the rest of the system sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderView {
    /// What was sent, or was about to be.
    pub order: NewOrder,
    /// Where it stands.
    pub state: OrderState,
    /// The exchange's number, once known.
    pub order_id: Option<OrderId>,
    /// Quantity booked as filled.
    pub filled: Qty,
    /// A cancel was asked for and has not ended the order yet.
    pub cancel_asked: bool,
    /// When the state last changed.
    pub since: Timestamp,
}

impl OrderView {
    /// Returns the id.
    pub const fn client_id(&self) -> ClientId {
        self.order.client_id
    }

    /// Returns what may still be filled: the unfilled part of a living order, nothing of an ended one.
    pub fn remaining(&self) -> Qty {
        if self.state.is_terminal() {
            Qty::ZERO
        } else {
            self.order.intent.qty.minus_or_zero(self.filled)
        }
    }
}
