//! Own orders that have not ended, and what each holds until it does.
//!
//! A reservation is taken before the approval, shrinks with booked fills, and goes only when the order is proven
//! to have ended. The router reports a fill before the view that counts it: for a moment both count, never neither.

use crate::ids::{ClientId, OrderId, Symbol};
use crate::market::Side;
use crate::money::{Amount, Qty};
use crate::order::{OrderState, OrderView};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Every living own order. As many as the gate approved or the exchange showed; the exchange has its own limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orders {
    living: BTreeMap<ClientId, OrderView>,
}

impl Orders {
    /// Takes in what is known of an order; a terminal one is let go. Returns whether anything changed.
    pub(crate) fn put(&mut self, view: OrderView) -> bool {
        if view.state.is_terminal() {
            return self.living.remove(&view.client_id()).is_some();
        }
        self.living.insert(view.client_id(), view) != Some(view)
    }

    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut OrderView> {
        self.living.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: ClientId) -> Option<OrderView> {
        self.living.remove(&id)
    }

    pub(crate) fn by_number(&mut self, number: OrderId) -> Option<&mut OrderView> {
        self.living
            .values_mut()
            .find(|view| view.order_id == Some(number))
    }

    pub(crate) fn len(&self) -> usize {
        self.living.len()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &OrderView> {
        self.living.values()
    }

    pub(crate) fn of(&self, symbol: Symbol) -> impl Iterator<Item = &OrderView> {
        self.all()
            .filter(move |view| view.order.intent.symbol == symbol)
    }

    pub(crate) fn side_of(&self, symbol: Symbol, side: Side) -> impl Iterator<Item = &OrderView> {
        self.of(symbol)
            .filter(move |view| view.order.intent.side == side)
    }

    pub(crate) fn has_unknown(&self, symbol: Symbol) -> bool {
        self.of(symbol)
            .any(|view| matches!(view.state, OrderState::Unknown(_)))
    }

    /// Returns the coins of a pair that own sales may still take.
    pub(crate) fn selling(&self, symbol: Symbol) -> Qty {
        self.side_of(symbol, Side::Sell)
            .map(OrderView::remaining)
            .sum()
    }

    /// Returns the coins of a pair that own sales hold, charges in coins included.
    pub(crate) fn coins_held(&self, symbol: Symbol) -> Amount {
        self.side_of(symbol, Side::Sell)
            .map(|view| held(view, view.remaining().amount()))
            .sum()
    }

    /// Returns what own buys of a pair may still be worth at their limit prices, fees aside.
    pub(crate) fn buying(&self, symbol: Symbol) -> Amount {
        self.side_of(symbol, Side::Buy).map(open_value).sum()
    }

    /// Returns the quote that all own buys hold, fees and tax included.
    pub(crate) fn quote_held(&self) -> Amount {
        self.all()
            .filter(|view| view.order.intent.side == Side::Buy)
            .map(quote_held)
            .sum()
    }
}

fn open_value(view: &OrderView) -> Amount {
    view.order.intent.limit.value(view.remaining())
}

fn quote_held(view: &OrderView) -> Amount {
    held(view, open_value(view))
}

/// The unfilled share of the reservation, rounded up, and never less than what is open: an adopted order brings no
/// reservation of its own.
fn held(view: &OrderView, open: Amount) -> Amount {
    let (left, all) = (view.remaining().units(), view.order.intent.qty.units());
    let share = (-view.order.reserved).times_ratio(i128::from(left), i128::from(all));
    let held = share.map_or(view.order.reserved, |negative| -negative);
    held.max(open)
}
