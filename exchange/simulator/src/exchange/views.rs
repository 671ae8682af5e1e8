//! Lists as clients see them: a little in the past, and never further back than they have seen before.
//!
//! The truth is in [`Exchange::orders`], [`Exchange::fills`] and [`Exchange::ledger`]; these are the lagging views
//! behind the REST lists (docs/EXCHANGE.md 5.5, 5.6, 13.4).

use super::{Exchange, TransferNote};
use crate::ledger::{AccountIndex, Balances};
use crate::market::pair::PairIndex;
use crate::order::{Fill, Order, Version};
use engine::answer::Rail;
use engine::ids::OrderId;
use engine::time::Timestamp;

/// Which kind of list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shelf {
    Orders,
    Fills,
    Balances,
}

/// An order as a list shows it.
#[derive(Clone, Copy, Debug)]
pub struct OrderView<'a> {
    /// The order; its present state is ahead of what is shown.
    pub order: &'a Order,
    /// What is shown.
    pub shown: Version,
}

impl Exchange {
    /// Returns the moment that a list shows.
    fn look_back(&mut self, account: AccountIndex, shelf: Shelf) -> Timestamp {
        let lag = match shelf {
            Shelf::Orders => self.profile.lists_lag_ms,
            Shelf::Fills => self.profile.trades_lag_ms,
            Shelf::Balances => self.profile.balances_lag_ms,
        };
        let at = self.now.plus_ms(-lag.draw(&mut self.dice));
        let seen = self.seen.entry((account, shelf)).or_default();
        *seen = at.max(*seen);
        *seen
    }

    /// Returns the account's orders as the lists show them, newest first.
    pub fn shown_orders(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        pair: Option<PairIndex>,
    ) -> Vec<OrderView<'_>> {
        self.run_until(now);
        let at = self.look_back(account, Shelf::Orders);
        let mine = self.orders.values().rev();
        mine.filter(|order| order.account == account)
            .filter(|order| pair.is_none_or(|pair| order.pair == pair))
            .filter_map(|order| {
                let shown = order.at(at)?;
                Some(OrderView { order, shown })
            })
            .collect()
    }

    /// Returns one order as the lists show it.
    pub fn shown_order(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        id: OrderId,
    ) -> Option<OrderView<'_>> {
        self.run_until(now);
        let at = self.look_back(account, Shelf::Orders);
        let order = self
            .orders
            .get(&id)
            .filter(|order| order.account == account)?;
        let shown = order.at(at)?;
        Some(OrderView { order, shown })
    }

    /// Returns the account's fills as the transactions show them, newest first, with their orders' client ids.
    pub fn shown_fills(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
    ) -> Vec<(Fill, Option<String>)> {
        self.run_until(now);
        let at = self.look_back(account, Shelf::Fills);
        let mine = self.fills.iter().rev();
        mine.filter(|fill| fill.account == account && fill.at <= at)
            .map(|fill| {
                let order = self.orders.get(&fill.order_id);
                (*fill, order.and_then(|order| order.echo.clone()))
            })
            .collect()
    }

    /// Returns the account's transfers of one rail as their list shows them, newest first. They lag as the fills do.
    pub fn shown_transfers(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        rail: Rail,
    ) -> Vec<TransferNote> {
        self.run_until(now);
        let at = self.look_back(account, Shelf::Fills);
        let mine = self.transfers.iter().rev();
        mine.filter(|note| note.account == account && note.rail == rail && note.at <= at)
            .copied()
            .collect()
    }

    /// Returns the account's balances as the balances endpoint shows them, and the moment they show.
    pub fn shown_balances(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
    ) -> (Timestamp, Balances) {
        self.run_until(now);
        let at = self.look_back(account, Shelf::Balances);
        (at, self.ledger.balances_at(account, at).clone())
    }
}
