//! Load on request: a deep level of a pair changes its size, and the book says so.
//!
//! Not part of the market: the agenda never calls it. Best prices, trades and accounts stay as they are.

use super::Exchange;
use super::events::Event;
use crate::market::book::{Owner, Resting};
use crate::market::crowd::level_size;
use crate::market::pair::PairIndex;
use engine::market::Side;

/// Which levels change, counted from the best: behind what is traded, inside the visible window.
const DEPTH: (i64, i64) = (5, 90);

impl Exchange {
    /// Gives a level of the makers another size and returns what happened: one difference, or nothing where the drawn
    /// level has no maker.
    pub fn churn(&mut self, index: PairIndex) -> Vec<Event> {
        let side = if self.dice.chance(500_000) {
            Side::Buy
        } else {
            Side::Sell
        };
        let depth = usize::try_from(self.dice.between(DEPTH.0, DEPTH.1)).unwrap_or(0);
        let book = &self.venues[index.0].book;
        let is_maker = |order: &&Resting| order.owner == Owner::Crowd;
        let standing = book
            .best(side)
            .and_then(|best| book.behind(side, best).nth(depth))
            .and_then(|(price, orders)| Some((price, *orders.iter().find(is_maker)?)));
        if let Some((price, order)) = standing {
            let left = level_size(&self.pairs[index.0], price, &mut self.dice);
            let book = &mut self.venues[index.0].book;
            book.remove(side, price, order.id);
            book.rest(side, price, Resting { left, ..order });
            self.publish_book(index);
        }
        std::mem::take(&mut self.events)
    }
}
