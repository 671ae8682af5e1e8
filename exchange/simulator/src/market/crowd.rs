//! The crowd: background makers around a wandering mid price, and takers that hit the best levels.
//!
//! Only plans; the exchange carries the plan out on the same book that accounts trade on. The mid swings around a
//! slow anchor by tens of basis points within seconds, so that a quiet demo still has fills.

use super::book::{Book, Owner, Resting};
use super::pair::Pair;
use engine::dice::Dice;
use engine::ids::OrderId;
use engine::market::{Side, WINDOW_LEVELS};
use engine::money::{Amount, Price, Qty};

/// Hundredths of a basis point in the whole.
const PARTS: i64 = 1_000_000;
/// Levels that the makers keep a side: the visible window and a reserve behind it.
pub const LADDER_LEVELS: i64 = WINDOW_LEVELS as i64 + 20;
/// Levels further from the best than this are withdrawn, so that the book stays bounded.
const LADDER_LEVELS_MAX: i64 = LADDER_LEVELS + 60;
/// One part in so many of the deviation is undone at each step.
const REVERSION: i64 = 16;
/// Largest move of the anchor at a step, in hundredths of a basis point.
const ANCHOR_STEP: i64 = 30;
/// The anchor stays within this of the start, in hundredths of a basis point: five percent.
const ANCHOR_RANGE: i64 = 50_000;
/// Levels that change their size at a step.
const RESIZED_PER_STEP: i64 = 3;
/// Size of a maker's level, in percent of the typical value.
const LEVEL_PERCENT: (i64, i64) = (20, 180);
/// Size of a taker's order, in percent of the typical value of a level.
const TAKER_PERCENT: (i64, i64) = (10, 220);
/// How far a taker reaches beyond the best price, in levels.
const TAKER_REACH_LEVELS: i64 = 3;

/// Something the crowd does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrowdAct {
    /// Withdraws an order.
    Withdraw {
        /// Its side.
        side: Side,
        /// Its price.
        price: Price,
        /// Its number.
        id: OrderId,
    },
    /// Rests an order.
    Rest {
        /// Its side.
        side: Side,
        /// Its price.
        price: Price,
        /// Its size.
        qty: Qty,
    },
    /// Trades against what rests, and leaves nothing behind.
    Take {
        /// The taker's side.
        side: Side,
        /// Worst price taken.
        limit: Price,
        /// Largest size.
        qty: Qty,
    },
}

/// The mood of the crowd in one pair.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// Slow part of the mid, as a deviation from the start.
    anchor: i64,
    /// Fast part of the mid, drawn back to zero.
    deviation: i64,
}

impl Crowd {
    /// Makes a crowd that starts at the pair's starting price.
    pub fn new() -> Self {
        Self {
            anchor: 0,
            deviation: 0,
        }
    }

    /// Returns the price that the crowd thinks is fair.
    pub fn mid(&self, pair: &Pair) -> Price {
        let start = i128::from(pair.start.units());
        let parts = i128::from(PARTS + self.anchor + self.deviation);
        let units = start * parts / i128::from(PARTS);
        Price::from_units(i64::try_from(units).expect("a price near the start fits"))
    }

    /// Lets the mid wander by one step and plans how the makers follow.
    pub fn step(&mut self, pair: &Pair, book: &Book, swing: i64, dice: &mut Dice) -> Vec<CrowdAct> {
        self.deviation += dice.between(-swing, swing) - self.deviation / REVERSION;
        self.anchor = (self.anchor + dice.between(-ANCHOR_STEP, ANCHOR_STEP))
            .clamp(-ANCHOR_RANGE, ANCHOR_RANGE);
        let mut acts = Vec::new();
        for side in [Side::Buy, Side::Sell] {
            self.withdraw(side, pair, book, &mut acts);
        }
        for side in [Side::Buy, Side::Sell] {
            self.refill(side, pair, book, dice, &mut acts);
        }
        acts
    }

    /// Plans one taker's order.
    pub fn taker(&self, pair: &Pair, book: &Book, dice: &mut Dice) -> Option<CrowdAct> {
        let side = if dice.chance(500_000) {
            Side::Buy
        } else {
            Side::Sell
        };
        let best = book.best(side.opposite())?;
        let limit = shift(best, side, TAKER_REACH_LEVELS * pair.grid.units());
        let qty = sized(pair, best, TAKER_PERCENT, dice);
        Some(CrowdAct::Take { side, limit, qty })
    }

    /// Best price at which the makers quote a side: the first grid price beyond the mid.
    fn quote(&self, side: Side, pair: &Pair) -> Price {
        let below = self.mid(pair).floor_to(pair.grid);
        match side {
            Side::Buy => below,
            Side::Sell => below + pair.grid,
        }
    }

    /// The makers leave levels that are too good or too far. Somebody takes what accounts offer beyond the mid;
    /// what they offer inside the spread waits for a taker.
    fn withdraw(&self, side: Side, pair: &Pair, book: &Book, acts: &mut Vec<CrowdAct>) {
        let (quote, mid) = (self.quote(side, pair), self.mid(pair));
        let far = shift(
            quote,
            side.opposite(),
            LADDER_LEVELS_MAX * pair.grid.units(),
        );
        let of_crowd = |(price, order): (Price, &Resting)| match order.owner {
            Owner::Crowd => Some(withdrawal(side, price, order)),
            Owner::Account(_) => None,
        };
        acts.extend(book.better_than(side, quote).filter_map(of_crowd));
        acts.extend(book.worse_than(side, far).filter_map(of_crowd));
        let of_accounts = |(_, order): (Price, &Resting)| match order.owner {
            Owner::Crowd => None,
            Owner::Account(_) => Some(order.left),
        };
        let qty: Qty = book.better_than(side, mid).filter_map(of_accounts).sum();
        if qty.is_positive() {
            acts.push(CrowdAct::Take {
                side: side.opposite(),
                limit: shift(mid, side, 1),
                qty,
            });
        }
    }

    /// The makers fill the empty levels of their ladder and change the size of a few others.
    fn refill(
        &self,
        side: Side,
        pair: &Pair,
        book: &Book,
        dice: &mut Dice,
        acts: &mut Vec<CrowdAct>,
    ) {
        let quote = self.quote(side, pair);
        let resized: Vec<i64> = (0..RESIZED_PER_STEP)
            .map(|_| dice.between(0, LADDER_LEVELS - 1))
            .collect();
        let mut held = book.behind(side, quote).peekable();
        for step in 0..LADDER_LEVELS {
            let price = shift(quote, side.opposite(), step * pair.grid.units());
            let is_ahead = |(held, _): &(Price, _)| match side {
                Side::Buy => *held > price,
                Side::Sell => *held < price,
            };
            while held.next_if(is_ahead).is_some() {}
            let standing = held
                .peek()
                .filter(|(at, _)| *at == price)
                .and_then(|(_, orders)| orders.iter().find(|order| order.owner == Owner::Crowd));
            if let Some(order) = standing {
                if !resized.contains(&step) {
                    continue;
                }
                acts.push(withdrawal(side, price, order));
            }
            let qty = level_size(pair, price, dice);
            acts.push(CrowdAct::Rest { side, price, qty });
        }
    }
}

impl Default for Crowd {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the price moved by `units` in the direction that makes it better for its side (up for a bid).
fn shift(price: Price, side: Side, units: i64) -> Price {
    let signed = match side {
        Side::Buy => units,
        Side::Sell => -units,
    };
    Price::from_units((price.units() + signed).max(1))
}

fn withdrawal(side: Side, price: Price, order: &Resting) -> CrowdAct {
    let id = order.id;
    CrowdAct::Withdraw { side, price, id }
}

/// Draws the size of a maker's level.
pub(crate) fn level_size(pair: &Pair, price: Price, dice: &mut Dice) -> Qty {
    sized(pair, price, LEVEL_PERCENT, dice)
}

fn sized(pair: &Pair, price: Price, percent: (i64, i64), dice: &mut Dice) -> Qty {
    let share = dice.between(percent.0, percent.1);
    let value: Amount = pair
        .level_value
        .times_ratio(i128::from(share), 100)
        .expect("a level's value is far below the largest amount");
    let step = pair.qty_step();
    let qty = value.qty_at(price).map_or(step, |qty| qty.floor_to(step));
    qty.max(step)
}
