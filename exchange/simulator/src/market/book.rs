//! One pair's order book: price-time priority, exact quantities.
//!
//! Holds who rests where and how much is left; what an order costs is the ledger's business. Within a price the
//! first in is the first out (docs/EXCHANGE.md 6.1, one maintainer's answer).

use crate::ledger::AccountIndex;
use engine::ids::OrderId;
use engine::market::{Level, Side};
use engine::money::{Amount, Price, Qty};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// Orders that may rest at one price; one more is a fault of this simulator's sizing.
pub const ORDERS_PER_LEVEL_MAX: usize = 100_000;

/// Who an order belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The background makers.
    Crowd,
    /// An account.
    Account(AccountIndex),
}

/// An order at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// The exchange's number.
    pub id: OrderId,
    /// Who owns it.
    pub owner: Owner,
    /// Unfilled part, above zero.
    pub left: Qty,
}

/// One meeting of a taker with an order at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The order that rested.
    pub maker: OrderId,
    /// Its owner.
    pub maker_owner: Owner,
    /// The resting price, which is the price of the trade.
    pub price: Price,
    /// How much changes hands.
    pub qty: Qty,
}

/// How much a taker wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A quantity of the base.
    Qty(Qty),
    /// As much as this quote value buys, in whole steps of the quantity.
    Value {
        /// What may be spent, without fees.
        budget: Amount,
        /// Smallest quantity step.
        step: Qty,
    },
}

#[derive(Clone, Debug, Default)]
struct Queue {
    orders: VecDeque<Resting>,
    total: Qty,
}

/// Bids and asks of one pair.
#[derive(Clone, Debug, Default)]
pub struct Book {
    bids: BTreeMap<Price, Queue>,
    asks: BTreeMap<Price, Queue>,
}

impl Want {
    fn at(self, price: Price) -> Qty {
        match self {
            Self::Qty(qty) => qty,
            Self::Value { budget, step } => budget
                .qty_at(price)
                .map_or(Qty::ZERO, |qty| qty.floor_to(step)),
        }
    }

    fn less(self, price: Price, qty: Qty) -> Self {
        match self {
            Self::Qty(left) => Self::Qty(left - qty),
            Self::Value { budget, step } => Self::Value {
                budget: budget - price.value(qty),
                step,
            },
        }
    }
}

impl Book {
    /// Returns the best price of a side.
    pub fn best(&self, side: Side) -> Option<Price> {
        match side {
            Side::Buy => self.bids.keys().next_back().copied(),
            Side::Sell => self.asks.keys().next().copied(),
        }
    }

    /// Returns up to `limit` levels of a side, best first.
    pub fn levels(&self, side: Side, limit: usize) -> Vec<Level> {
        let level = |(price, queue): (&Price, &Queue)| Level {
            price: *price,
            qty: queue.total,
        };
        match side {
            Side::Buy => self.bids.iter().rev().take(limit).map(level).collect(),
            Side::Sell => self.asks.iter().take(limit).map(level).collect(),
        }
    }

    /// Returns the levels at `price` and behind it, best first, each with its orders, first in first.
    pub fn behind(
        &self,
        side: Side,
        price: Price,
    ) -> impl Iterator<Item = (Price, &VecDeque<Resting>)> {
        let bids = (side == Side::Buy).then(|| self.bids.range(..=price).rev());
        let asks = (side == Side::Sell).then(|| self.asks.range(price..));
        let bids = bids.into_iter().flatten();
        bids.chain(asks.into_iter().flatten())
            .map(|(price, queue)| (*price, &queue.orders))
    }

    /// Returns the orders at rest at prices better than `price`, in order of price.
    pub fn better_than(&self, side: Side, price: Price) -> impl Iterator<Item = (Price, &Resting)> {
        let range = match side {
            Side::Buy => (Bound::Excluded(price), Bound::Unbounded),
            Side::Sell => (Bound::Unbounded, Bound::Excluded(price)),
        };
        orders_of(self.side(side).range(range))
    }

    /// Returns the orders at rest at prices worse than `price`, in order of price.
    pub fn worse_than(&self, side: Side, price: Price) -> impl Iterator<Item = (Price, &Resting)> {
        let range = match side {
            Side::Buy => (Bound::Unbounded, Bound::Excluded(price)),
            Side::Sell => (Bound::Excluded(price), Bound::Unbounded),
        };
        orders_of(self.side(side).range(range))
    }

    /// Puts an order behind the others of its price.
    ///
    /// # Panics
    /// If nothing is left of it, if it would cross the other side, or if the price is full.
    pub fn rest(&mut self, side: Side, price: Price, order: Resting) {
        assert!(
            order.left.is_positive(),
            "an order at rest has something left"
        );
        assert!(
            !self.crosses(side, price),
            "an order is matched before it rests"
        );
        let queue = self.side_mut(side).entry(price).or_default();
        assert!(
            queue.orders.len() < ORDERS_PER_LEVEL_MAX,
            "a level holds at most ORDERS_PER_LEVEL_MAX orders"
        );
        queue.total += order.left;
        queue.orders.push_back(order);
    }

    /// Takes an order out; `None` if it does not rest there.
    pub fn remove(&mut self, side: Side, price: Price, id: OrderId) -> Option<Resting> {
        let levels = self.side_mut(side);
        let queue = levels.get_mut(&price)?;
        let place = queue.orders.iter().position(|order| order.id == id)?;
        let order = queue.orders.remove(place)?;
        queue.total -= order.left;
        if queue.orders.is_empty() {
            levels.remove(&price);
        }
        Some(order)
    }

    /// Returns whether an order of `side` at `price` would trade at once.
    pub fn crosses(&self, side: Side, price: Price) -> bool {
        self.best(side.opposite())
            .is_some_and(|best| within(side, best, price))
    }

    /// Matches a taker of `side` against the other side, up to `limit`, best price and oldest order first.
    pub fn take(&mut self, side: Side, limit: Price, want: Want) -> Vec<Match> {
        let mut matches = Vec::new();
        let mut want = want;
        while let Some(price) = self.best(side.opposite()) {
            let qty = want.at(price);
            if !within(side, price, limit) || !qty.is_positive() {
                break;
            }
            let levels = self.side_mut(side.opposite());
            let queue = levels.get_mut(&price).expect("the best price is a level");
            let maker = queue.orders.front_mut().expect("a level is never empty");
            let filled = qty.min(maker.left);
            matches.push(Match {
                maker: maker.id,
                maker_owner: maker.owner,
                price,
                qty: filled,
            });
            maker.left -= filled;
            queue.total -= filled;
            if !maker.left.is_positive() {
                queue.orders.pop_front();
            }
            if queue.orders.is_empty() {
                levels.remove(&price);
            }
            want = want.less(price, filled);
        }
        matches
    }

    fn side(&self, side: Side) -> &BTreeMap<Price, Queue> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Price, Queue> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

fn orders_of<'a>(
    levels: impl Iterator<Item = (&'a Price, &'a Queue)>,
) -> impl Iterator<Item = (Price, &'a Resting)> {
    levels.flat_map(|(price, queue)| queue.orders.iter().map(|order| (*price, order)))
}

/// Returns whether a taker of `side` with this limit accepts the price.
fn within(side: Side, price: Price, limit: Price) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        Price::parse(text).unwrap()
    }

    fn qty(text: &str) -> Qty {
        Qty::parse(text).unwrap()
    }

    /// Asks of 1 at 101 (order 1), 2 at 101 (order 2), 5 at 102 (order 3).
    fn book() -> Book {
        let mut book = Book::default();
        for (id, at, left) in [(1, "101", "1"), (2, "101", "2"), (3, "102", "5")] {
            let order = Resting {
                id: OrderId(id),
                owner: Owner::Crowd,
                left: qty(left),
            };
            book.rest(Side::Sell, price(at), order);
        }
        book
    }

    fn check(limit: &str, want: Want, expected: &[(i64, &str, &str)]) {
        let matches = book().take(Side::Buy, price(limit), want);
        let found: Vec<_> = matches
            .iter()
            .map(|m| (m.maker.0, m.price, m.qty))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(id, at, size)| (*id, price(at), qty(size)))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_best_price_then_the_oldest_order_trades_first() {
        check("101", Want::Qty(qty("0.4")), &[(1, "101", "0.4")]);
        check(
            "101",
            Want::Qty(qty("2")),
            &[(1, "101", "1"), (2, "101", "1")],
        );
        check(
            "101",
            Want::Qty(qty("9")),
            &[(1, "101", "1"), (2, "101", "2")],
        );
        check(
            "102",
            Want::Qty(qty("3.5")),
            &[(1, "101", "1"), (2, "101", "2"), (3, "102", "0.5")],
        );
        check("100", Want::Qty(qty("1")), &[]);
    }

    #[test]
    fn a_budget_buys_whole_steps_and_never_more_than_it_pays() {
        let want = |budget: &str| Want::Value {
            budget: Amount::parse(budget).unwrap(),
            step: qty("0.01"),
        };
        check("200", want("50.5"), &[(1, "101", "0.5")]);
        check("200", want("51.4"), &[(1, "101", "0.5")]);
        check(
            "200",
            want("404.02"),
            &[(1, "101", "1"), (2, "101", "2"), (3, "102", "0.99")],
        );
        check("200", want("1"), &[]);
    }

    #[test]
    fn removing_keeps_level_totals_right() {
        let mut book = book();
        assert!(book.remove(Side::Sell, price("101"), OrderId(3)).is_none());
        book.remove(Side::Sell, price("101"), OrderId(1)).unwrap();
        let levels = book.levels(Side::Sell, 10);
        assert_eq!(
            levels[0],
            Level {
                price: price("101"),
                qty: qty("2")
            }
        );
        book.remove(Side::Sell, price("101"), OrderId(2)).unwrap();
        assert_eq!(book.best(Side::Sell), Some(price("102")));
        assert_eq!(book.levels(Side::Sell, 10).len(), 1);
    }
}
