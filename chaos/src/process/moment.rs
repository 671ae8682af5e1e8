//! When a life ends, and what it was doing at that moment.

use engine::dice::Dice;
use serde::Serialize;

/// Parts of a hundred of the lives that die at a moment of the clock; the others die behind an order.
const BLIND_PERCENT: i64 = 55;
/// Latest death by the clock that falls into the start, milliseconds.
const START_MS_MAX: i64 = 200;
/// Latest death by the clock, milliseconds: beyond it the death behind an order sees the same.
const LIFE_MS_MAX: i64 = 6_000;
/// Most orders of a life before it dies behind one.
const ORDERS_MAX: i64 = 8;
/// Latest death behind an order, milliseconds.
const BEHIND_MS_MAX: i64 = 60;

/// When a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So many milliseconds after the process was started, whatever it does by then.
    Clock(i64),
    /// So many milliseconds after the exchange has seen so many of its orders.
    Orders(usize, i64),
}

impl Moment {
    /// Draws one: the start is short, so it has a share of its own.
    pub fn draw(dice: &mut Dice) -> Self {
        if dice.between(1, 100) > BLIND_PERCENT {
            let orders = usize::try_from(dice.between(1, ORDERS_MAX)).expect("not negative");
            let behind_ms = skewed(dice, BEHIND_MS_MAX);
            let is_at_once = dice.chance(500_000);
            return Self::Orders(orders, if is_at_once { 0 } else { behind_ms });
        }
        if dice.chance(500_000) {
            return Self::Clock(dice.between(0, START_MS_MAX));
        }
        Self::Clock(skewed(dice, LIFE_MS_MAX))
    }
}

/// Draws from 0 to `max`, small numbers more often.
fn skewed(dice: &mut Dice, max: i64) -> i64 {
    let top = dice.between(0, max);
    dice.between(0, top)
}

/// What a process was doing when it was killed, as seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It had not yet said where its status is: lock, store, replay.
    Starting,
    /// It had not yet seen the whole account.
    Reconciling,
    /// It was ready and had sent nothing.
    Ready,
    /// It had sent orders.
    Trading,
    /// The journal holds an order of which no answer was written down.
    InFlight,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_are_spread_over_start_life_and_orders() {
        let mut dice = Dice::new(7);
        let drawn: Vec<Moment> = (0..1_000).map(|_| Moment::draw(&mut dice)).collect();
        let share = |is: &dyn Fn(&Moment) -> bool| drawn.iter().filter(|one| is(one)).count();
        let start = share(&|one| matches!(one, Moment::Clock(ms) if *ms <= START_MS_MAX));
        let life = share(&|one| matches!(one, Moment::Clock(ms) if *ms > START_MS_MAX));
        let orders = share(&|one| matches!(one, Moment::Orders(..)));
        for count in [start, life, orders] {
            assert!(count > 150, "{start} {life} {orders}");
        }
    }
}
