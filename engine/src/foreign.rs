//! Orders of the account that are not ours: the owner's own, by hand or by another program.
//!
//! They are shown, and their trades are booked, whatever the policy says; they are never cancelled. The policy only
//! decides how far they hold us back.

use crate::answer::{OrderRow, RowStatus};
use crate::ids::{OrderId, Symbol};
use crate::market::Side;
use crate::money::{Amount, Price, Qty};
use serde::{Deserialize, Serialize};

/// How far orders that are not ours hold us back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForeignPolicy {
    /// Not at all.
    Ignore,
    /// They count as exposure, and none of our orders may meet one.
    #[default]
    Observe,
    /// The same, and while one is open its pair takes no new risk.
    Freeze,
}

impl ForeignPolicy {
    /// Every policy's name, in order.
    pub const NAMES: [&'static str; 3] = ["ignore", "observe", "freeze"];
}

/// An open order that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ForeignOrder {
    /// The exchange's number.
    pub id: OrderId,
    /// The pair.
    pub symbol: Symbol,
    /// The side.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Unfilled part.
    pub left: Qty,
}

impl ForeignOrder {
    /// Takes it off a row; `None` if the row is of an order that has ended.
    pub fn of(row: &OrderRow) -> Option<Self> {
        let is_open = match row.status {
            RowStatus::Untouched | RowStatus::Partial | RowStatus::Unmapped => true,
            RowStatus::Canceled | RowStatus::Closed => false,
        };
        (is_open && row.left.is_positive()).then_some(Self {
            id: row.id,
            symbol: row.symbol,
            side: row.side,
            price: row.price,
            left: row.left,
        })
    }

    /// Returns what it may still be worth at its limit price.
    pub fn value(&self) -> Amount {
        self.price.value(self.left)
    }
}
