//! One simulated order and its place in the queue of its price.

use super::FillParams;
use crate::answer::{OrderRow, RowStatus};
use crate::book::TrustedBook;
use crate::ids::OrderId;
use crate::intent::NewOrder;
use crate::market::{Level, PublicTrade, Side};
use crate::money::{Amount, BPS_PER_ONE, Price, Qty};
use crate::time::Timestamp;

/// An order that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SimOrder {
    pub(crate) id: OrderId,
    pub(crate) order: NewOrder,
    pub(crate) left: Qty,
    /// What is held for it: quote for a buy, base for a sale.
    pub(crate) locked: Amount,
    pub(crate) reaches_at: Timestamp,
    pub(crate) is_in_book: bool,
    pub(crate) changed_at: Timestamp,
    /// Quantity of others that trades first at the same price.
    ahead: Qty,
    /// The level's quantity when it was last seen.
    level: Option<Qty>,
}

impl SimOrder {
    pub(crate) const fn new(
        id: OrderId,
        order: NewOrder,
        locked: Amount,
        now: Timestamp,
        reaches_at: Timestamp,
    ) -> Self {
        Self {
            id,
            left: order.intent.qty,
            order,
            locked,
            reaches_at,
            is_in_book: false,
            changed_at: now,
            ahead: Qty::ZERO,
            level: None,
        }
    }

    pub(crate) const fn side(&self) -> Side {
        self.order.intent.side
    }

    pub(crate) const fn limit(&self) -> Price {
        self.order.intent.limit
    }

    /// Returns whether a level of the other side may be taken.
    pub(crate) fn accepts(&self, price: Price) -> bool {
        match self.side() {
            Side::Buy => price <= self.limit(),
            Side::Sell => price >= self.limit(),
        }
    }

    /// Returns the order as a list shows it.
    pub(crate) fn row(&self, ended: Option<RowStatus>) -> OrderRow {
        let intent = &self.order.intent;
        let open = if self.left < intent.qty {
            RowStatus::Partial
        } else {
            RowStatus::Untouched
        };
        OrderRow {
            id: self.id,
            client_id: Some(self.order.client_id),
            symbol: intent.symbol,
            side: intent.side,
            price: intent.limit,
            qty: intent.qty,
            left: self.left,
            status: ended.unwrap_or(open),
            at: self.changed_at,
        }
    }

    /// Joins the queue behind its share of what rests at the price.
    pub(crate) fn join(&mut self, book: &TrustedBook, params: &FillParams) {
        self.is_in_book = true;
        self.level = level_at(book, self.side(), self.limit());
        let resting = self.level.unwrap_or_else(|| {
            // Behind what can be seen: taken to be as thick as the last level in sight.
            let worst = same_side(book, self.side())
                .iter()
                .rfind(|level| level.qty.is_positive());
            worst.map_or(Qty::ZERO, |level| level.qty)
        });
        let share = params.queue_share_bps.clamp(0, BPS_PER_ONE);
        self.ahead = resting.times_bps(share).unwrap_or(resting);
    }

    /// Shrinks the quantity ahead in proportion when others have left the level.
    pub(crate) fn see(&mut self, book: &TrustedBook) {
        let Some(level) = level_at(book, self.side(), self.limit()) else {
            return;
        };
        if let Some(before) = self.level
            && level < before
        {
            let kept = i128::from(self.ahead.units()) * i128::from(level.units())
                / i128::from(before.units());
            self.ahead = Qty::from_units(i64::try_from(kept).unwrap_or(0));
        }
        self.level = Some(level);
    }

    /// Returns how much of the order a public trade fills, of which `rest` is not yet given to other own orders.
    pub(crate) fn filled_by(&mut self, trade: &PublicTrade, rest: Qty) -> Qty {
        if !self.is_in_book || !self.accepts(trade.price) {
            return Qty::ZERO;
        }
        if trade.price != self.limit() {
            // The market went through the price: nobody is left ahead.
            self.ahead = Qty::ZERO;
            return self.left.min(rest);
        }
        if trade.taker == Some(self.side()) {
            return Qty::ZERO;
        }
        let reached = trade.qty.minus_or_zero(self.ahead);
        self.ahead = self.ahead.minus_or_zero(trade.qty);
        self.level = self.level.map(|level| level.minus_or_zero(trade.qty));
        self.left.min(rest).min(reached)
    }
}

fn same_side(book: &TrustedBook, side: Side) -> &[Level] {
    match side {
        Side::Buy => book.bids(),
        Side::Sell => book.asks(),
    }
}

/// Returns what rests at a price: zero inside the visible levels, `None` behind them.
fn level_at(book: &TrustedBook, side: Side, price: Price) -> Option<Qty> {
    let levels = same_side(book, side);
    if let Some(level) = levels.iter().find(|level| level.price == price) {
        return Some(level.qty);
    }
    let is_inside = levels.iter().any(|level| {
        level.price.is_positive()
            && match side {
                Side::Buy => level.price < price,
                Side::Sell => level.price > price,
            }
    });
    is_inside.then_some(Qty::ZERO)
}
