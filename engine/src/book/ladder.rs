//! One side of a book: its visible levels in order of price.
//!
//! A sorted vector with the best level at its end: most changes happen near the best price, so little is moved,
//! and after the first full book nothing is allocated.

use crate::market::{ChangeKind, Level, LevelChange, Side, WINDOW_LEVELS};
use crate::money::Price;

/// Room for a whole window that enters before the old one leaves, in one frame.
const LEVELS_CAPACITY: usize = 2 * WINDOW_LEVELS;

/// How well a row fitted what was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// As documented, or harmless.
    Good,
    /// A change of an absent level or the entry of a present one; applied all the same.
    Contradiction,
    /// No price or no quantity; nothing was applied.
    BadValue,
}

/// The levels of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ladder {
    side: Side,
    /// Worst first, best last.
    levels: Vec<Level>,
}

impl Ladder {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            levels: Vec::with_capacity(LEVELS_CAPACITY),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.levels.clear();
    }

    /// Takes a full side, best first. Returns whether it was sorted, positive and not too long; what is
    /// behind the window's end is cut, the rest is held as it came.
    pub(crate) fn replace(&mut self, best_first: &[Level]) -> bool {
        self.levels.clear();
        self.levels
            .extend(best_first.iter().take(WINDOW_LEVELS).rev());
        let is_sorted = self
            .levels
            .windows(2)
            .all(|pair| self.is_better(pair[1].price, pair[0].price));
        let is_positive = self
            .levels
            .iter()
            .all(|level| level.price.is_positive() && level.qty.is_positive());
        is_sorted && is_positive && best_first.len() <= WINDOW_LEVELS
    }

    /// Applies one row of a difference.
    pub(crate) fn apply(&mut self, change: LevelChange) -> Fit {
        let LevelChange { kind, level } = change;
        let place = self.place(level.price);
        match (kind, place) {
            (ChangeKind::Left, Ok(index)) => {
                self.levels.remove(index);
                return Fit::Good;
            }
            // Right after a full book a level may leave that was never seen (docs/EXCHANGE.md 11.1).
            (ChangeKind::Left, Err(_)) => return Fit::Good,
            (ChangeKind::Changed | ChangeKind::Entered, _) => {}
        }
        if !level.price.is_positive() || !level.qty.is_positive() {
            return Fit::BadValue;
        }
        match place {
            Ok(index) => self.levels[index] = level,
            Err(index) => self.levels.insert(index, level),
        }
        if (kind == ChangeKind::Changed) == place.is_ok() {
            Fit::Good
        } else {
            Fit::Contradiction
        }
    }

    /// Cuts what is behind the visible window and returns how many levels that were.
    pub(crate) fn cut(&mut self) -> usize {
        let surplus = self.levels.len().saturating_sub(WINDOW_LEVELS);
        self.levels.drain(..surplus);
        surplus
    }

    pub(crate) fn best(&self) -> Option<Level> {
        self.levels.last().copied()
    }

    /// Returns the levels, best first.
    pub(crate) fn levels(&self) -> impl Iterator<Item = Level> + '_ {
        self.levels.iter().rev().copied()
    }

    /// Returns the best levels in a fixed array; what does not exist is zero.
    pub(crate) fn top<const N: usize>(&self) -> [Level; N] {
        let mut top = [Level::default(); N];
        for (slot, level) in top.iter_mut().zip(self.levels()) {
            *slot = level;
        }
        top
    }

    /// Returns whether the window is full, so that deeper levels may exist unseen.
    fn is_full(&self) -> bool {
        self.levels.len() >= WINDOW_LEVELS
    }

    /// Pushes every level that differs from `theirs` (best first): price, our level, their level.
    ///
    /// Where a window is full, a level behind its worst price may exist without being shown, so only what both
    /// can see is compared.
    pub(crate) fn differences(&self, theirs: &[Level], out: &mut Vec<Difference>) {
        let is_visible = |price: Price| {
            let hidden_by = |is_full: bool, worst: Option<Price>| {
                is_full && worst.is_some_and(|worst| self.is_better(worst, price))
            };
            !hidden_by(self.is_full(), self.levels.first().map(|level| level.price))
                && !hidden_by(
                    theirs.len() >= WINDOW_LEVELS,
                    theirs.last().map(|level| level.price),
                )
        };
        let mut ours = self.levels().peekable();
        let mut theirs_left = theirs.iter().copied().peekable();
        while out.len() < DIFFERENCES_MAX {
            let (held, sent) = match (ours.peek().copied(), theirs_left.peek().copied()) {
                (None, None) => break,
                (Some(a), Some(b)) if a.price == b.price => (ours.next(), theirs_left.next()),
                (Some(a), Some(b)) if self.is_better(b.price, a.price) => {
                    (None, theirs_left.next())
                }
                (Some(_), Some(_) | None) => (ours.next(), None),
                (None, Some(_)) => (None, theirs_left.next()),
            };
            let price = held.or(sent).map_or(Price::ZERO, |level| level.price);
            if held != sent && is_visible(price) {
                out.push(Difference {
                    side: self.side,
                    held,
                    sent,
                });
            }
        }
    }

    fn is_better(&self, a: Price, b: Price) -> bool {
        match self.side {
            Side::Buy => a > b,
            Side::Sell => a < b,
        }
    }

    /// Returns where the price is, or where it would go.
    fn place(&self, price: Price) -> Result<usize, usize> {
        // Near the best in most frames: walking from the end beats a binary search there.
        for (index, level) in self.levels.iter().enumerate().rev() {
            if level.price == price {
                return Ok(index);
            }
            if self.is_better(price, level.price) {
                return Err(index + 1);
            }
        }
        Err(0)
    }
}

/// Differences of one comparison that are looked at; more of them say nothing more.
pub(crate) const DIFFERENCES_MAX: usize = 16;

/// A price at which two books do not hold the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) side: Side,
    pub(crate) held: Option<Level>,
    pub(crate) sent: Option<Level>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Qty;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn level(price: i64, qty: i64) -> Level {
        Level {
            price: Price::from_units(price),
            qty: Qty::from_units(qty),
        }
    }

    fn side_of(side: Side, levels: &[(i64, i64)]) -> Ladder {
        let mut ladder = Ladder::new(side);
        let levels: Vec<Level> = levels.iter().map(|(p, q)| level(*p, *q)).collect();
        assert!(ladder.replace(&levels));
        ladder
    }

    #[test]
    fn a_full_side_must_be_sorted_and_positive() {
        let check = |side, levels: &[(i64, i64)], expected| {
            let levels: Vec<Level> = levels.iter().map(|(p, q)| level(*p, *q)).collect();
            assert_eq!(Ladder::new(side).replace(&levels), expected, "{levels:?}");
        };
        check(Side::Buy, &[(9, 1), (8, 1)], true);
        check(Side::Buy, &[(8, 1), (9, 1)], false);
        check(Side::Sell, &[(8, 1), (9, 1)], true);
        check(Side::Sell, &[(8, 1), (8, 2)], false);
        check(Side::Sell, &[(8, 0)], false);
        check(Side::Sell, &[(0, 1)], false);
    }

    #[test]
    fn levels_out_of_sight_are_no_difference() {
        let ours: Vec<(i64, i64)> = (1..=100).map(|n| (1_000 - n, 5)).collect();
        let theirs: Vec<Level> = (0..100).map(|n| level(1_000 - n, 5)).collect();
        let mut found = Vec::new();
        side_of(Side::Buy, &ours).differences(&theirs, &mut found);
        assert_eq!(
            found.len(),
            1,
            "the new best differs, the worst is pushed out of sight"
        );
        assert_eq!(found[0].sent, Some(level(1_000, 5)));
    }

    proptest! {
        /// The naive twin is a map from price to quantity; both get the same rows.
        #[test]
        fn a_ladder_agrees_with_its_naive_twin(
            is_bid in any::<bool>(),
            rows in prop::collection::vec((0u8..3, 1i64..260, 0i64..5), 1..600),
        ) {
            let side = if is_bid { Side::Buy } else { Side::Sell };
            let (mut ladder, mut twin) = (Ladder::new(side), BTreeMap::new());
            for (kind, price, qty) in rows {
                let kind = [ChangeKind::Changed, ChangeKind::Entered, ChangeKind::Left][usize::from(kind)];
                let held = twin.contains_key(&price);
                let expected = match (kind, held) {
                    (ChangeKind::Left, _) => Fit::Good,
                    (ChangeKind::Changed | ChangeKind::Entered, _) if qty == 0 => Fit::BadValue,
                    (ChangeKind::Changed, true) | (ChangeKind::Entered, false) => Fit::Good,
                    (ChangeKind::Changed, false) | (ChangeKind::Entered, true) => Fit::Contradiction,
                };
                match kind {
                    ChangeKind::Left => { twin.remove(&price); }
                    ChangeKind::Changed | ChangeKind::Entered => if qty > 0 { twin.insert(price, qty); },
                }
                prop_assert_eq!(ladder.apply(LevelChange { kind, level: level(price, qty) }), expected);
                let surplus = twin.len().saturating_sub(WINDOW_LEVELS);
                for _ in 0..surplus {
                    if is_bid { twin.pop_first(); } else { twin.pop_last(); }
                }
                prop_assert_eq!(ladder.cut(), surplus);
                let mut naive: Vec<Level> = twin.iter().map(|(p, q)| level(*p, *q)).collect();
                if is_bid { naive.reverse(); }
                prop_assert_eq!(ladder.levels().collect::<Vec<_>>(), naive.clone());
                let mut found = Vec::new();
                ladder.differences(&naive, &mut found);
                prop_assert!(found.is_empty());
            }
        }
    }
}
