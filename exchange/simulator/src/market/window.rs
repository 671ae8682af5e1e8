//! The visible window of a book, and the difference of two windows.
//!
//! A difference is that of the best hundred levels a side, not of the whole book (docs/EXCHANGE.md 11.1): what
//! is pushed out leaves with the amount it held, and what moves up from the depth enters.

use super::book::Book;
use engine::market::{ChangeKind, Level, LevelChange, Side, WINDOW_LEVELS};

/// The best levels of both sides, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Bids, best first.
    pub bids: Vec<Level>,
    /// Asks, best first.
    pub asks: Vec<Level>,
}

/// What changed from one window to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowDiff {
    /// Rows of the bids, best first.
    pub bids: Vec<LevelChange>,
    /// Rows of the asks, best first.
    pub asks: Vec<LevelChange>,
}

impl WindowDiff {
    /// Returns whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }
}

impl Window {
    /// Looks at a book.
    pub fn of(book: &Book) -> Self {
        Self {
            bids: book.levels(Side::Buy, WINDOW_LEVELS),
            asks: book.levels(Side::Sell, WINDOW_LEVELS),
        }
    }

    /// Returns what changed on the way to `after`.
    pub fn diff(&self, after: &Self) -> WindowDiff {
        WindowDiff {
            bids: side_diff(Side::Buy, &self.bids, &after.bids),
            asks: side_diff(Side::Sell, &self.asks, &after.asks),
        }
    }
}

/// Walks two sorted sides at once; rows come out best price first.
fn side_diff(side: Side, before: &[Level], after: &[Level]) -> Vec<LevelChange> {
    let mut rows = Vec::new();
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    loop {
        let (kind, level) = match (old.peek(), new.peek()) {
            (None, None) => return rows,
            (Some(held), Some(seen)) if held.price == seen.price => {
                let changed = held.qty != seen.qty;
                let level = **seen;
                old.next();
                new.next();
                if !changed {
                    continue;
                }
                (ChangeKind::Changed, level)
            }
            (Some(held), seen) if seen.is_none_or(|seen| is_better(side, held, seen)) => {
                let level = **held;
                old.next();
                (ChangeKind::Left, level)
            }
            (_, Some(seen)) => {
                let level = **seen;
                new.next();
                (ChangeKind::Entered, level)
            }
            (Some(_), None) => unreachable!("a level with no counterpart leaves"),
        };
        rows.push(LevelChange { kind, level });
    }
}

fn is_better(side: Side, a: &Level, b: &Level) -> bool {
    match side {
        Side::Buy => a.price > b.price,
        Side::Sell => a.price < b.price,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::money::{Price, Qty};

    fn side(levels: &[(i64, i64)]) -> Vec<Level> {
        levels
            .iter()
            .map(|(price, qty)| Level {
                price: Price::from_units(*price),
                qty: Qty::from_units(*qty),
            })
            .collect()
    }

    fn check(before: &[(i64, i64)], after: &[(i64, i64)], expected: &[(ChangeKind, i64, i64)]) {
        let rows: Vec<_> = side_diff(Side::Sell, &side(before), &side(after))
            .iter()
            .map(|row| (row.kind, row.level.price.units(), row.level.qty.units()))
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn levels_enter_change_and_leave_with_the_amount_they_held() {
        use ChangeKind::{Changed, Entered, Left};
        check(&[(1, 5)], &[(1, 5)], &[]);
        check(&[(1, 5)], &[(1, 6)], &[(Changed, 1, 6)]);
        check(
            &[(1, 5), (2, 7)],
            &[(2, 7), (3, 9)],
            &[(Left, 1, 5), (Entered, 3, 9)],
        );
        check(
            &[(2, 7), (3, 9)],
            &[(1, 4), (2, 7)],
            &[(Entered, 1, 4), (Left, 3, 9)],
        );
        check(&[], &[(1, 1)], &[(Entered, 1, 1)]);
        check(&[(1, 1)], &[], &[(Left, 1, 1)]);
    }

    #[test]
    fn bids_are_walked_from_the_highest_price() {
        let diff = Window {
            bids: side(&[(9, 1), (8, 1)]),
            asks: Vec::new(),
        }
        .diff(&Window {
            bids: side(&[(10, 2), (9, 1)]),
            asks: Vec::new(),
        });
        let prices: Vec<_> = diff
            .bids
            .iter()
            .map(|row| row.level.price.units())
            .collect();
        assert_eq!(prices, [10, 8]);
    }
}
