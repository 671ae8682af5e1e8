//! Books against a naive twin, and against frames that make no sense.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

proptest! {
    /// The naive twin keeps the exchange's deep book and publishes differences of its visible window,
    /// as docs/EXCHANGE.md 11.1 says; the book must equal the window after every frame.
    #[test]
    fn a_book_follows_the_visible_window_of_a_deep_one(
        moves in prop::collection::vec((any::<bool>(), 1i64..150, 0i64..4), 1..100),
    ) {
        const VISIBLE: usize = 100;
        let mut deep: [BTreeMap<i64, i64>; 2] = [
            (1..=120).map(|n| (1_000 - n, 1)).collect(),
            (1..=120).map(|n| (1_000 + n, 1)).collect(),
        ];
        let window = |deep: &[BTreeMap<i64, i64>; 2]| -> [Vec<(i64, i64)>; 2] {
            [
                deep[0].iter().rev().take(VISIBLE).map(|(p, q)| (*p, *q)).collect(),
                deep[1].iter().take(VISIBLE).map(|(p, q)| (*p, *q)).collect(),
            ]
        };
        let mut seen = window(&deep);
        let mut story = Story::new(&[symbol()]);
        story.at(0, BookIn::SessionUp(1));
        story.at(0, full_of(symbol(), 0, BookChannel::Diff, &seen[0], &seen[1]));
        for (step, (is_bid, offset, qty)) in moves.into_iter().enumerate() {
            let step = i64::try_from(step).expect("short");
            let (side, price) = if is_bid { (0, 1_000 - offset) } else { (1, 1_000 + offset) };
            if qty == 0 && deep[side].len() > 1 { deep[side].remove(&price); } else { deep[side].insert(price, qty.max(1)); }
            let shown = window(&deep);
            let rows = |side: usize| -> Vec<(ChangeKind, i64, i64)> {
                let (old, new): (BTreeMap<i64, i64>, BTreeMap<i64, i64>) =
                    (seen[side].iter().copied().collect(), shown[side].iter().copied().collect());
                let entered = new.iter().filter(|(p, _)| !old.contains_key(p)).map(|(p, q)| (Entered, *p, *q));
                let left = old.iter().filter(|(p, _)| !new.contains_key(p)).map(|(p, q)| (Left, *p, *q));
                let changed = new.iter().filter(|(p, q)| old.get(p).is_some_and(|o| o != *q)).map(|(p, q)| (Changed, *p, *q));
                entered.chain(left).chain(changed).collect()
            };
            story.at(step, diff(step * 3 + 1, &rows(0), &rows(1)));
            let held = |side| story.books.levels(symbol(), side).collect::<Vec<_>>();
            prop_assert_eq!(held(Side::Buy), levels(&shown[0]));
            prop_assert_eq!(held(Side::Sell), levels(&shown[1]));
            prop_assert_eq!(story.books.stats().anomalies, 0);
            let equal = joined_beat_after(&story);
            story.at(step, equal);
            prop_assert_eq!(story.books.stats().mismatches, 0);
            story.expect(None);
            seen = shown;
        }
    }

    /// Whatever the frames say, a trusted book has two sides, is not crossed and not too long.
    #[test]
    fn a_trusted_book_is_never_crossed(
        frames in prop::collection::vec((0u8..5, prop::collection::vec((0u8..3, 95i64..106, 0i64..4), 0..6)), 1..120),
    ) {
        let mut story = Story::begun();
        for (step, (kind, rows)) in frames.into_iter().enumerate() {
            let step = i64::try_from(step).expect("short");
            let changes: Vec<(ChangeKind, i64, i64)> = rows.iter()
                .map(|(kind, p, q)| ([Changed, Entered, Left][usize::from(*kind)], *p, *q)).collect();
            let split = changes.len() / 2;
            let pairs: Vec<(i64, i64)> = rows.iter().map(|(_, p, q)| (*p, *q)).collect();
            let input = match kind {
                0 => full_of(symbol(), step + 11, BookChannel::Diff, &pairs[..split], &pairs[split..]),
                1 => beat(step + 11, &pairs[..split], &pairs[split..]),
                2 => joined(step + 11),
                _ => diff(step + 11, &changes[..split], &changes[split..]),
            };
            story.at(step * 100, input);
            if let Some(BookView::Trusted(book)) = story.books.view(symbol()) {
                prop_assert!(book.best_bid().price < book.best_ask().price);
                prop_assert!(book.best_bid().qty.is_positive() && book.best_ask().qty.is_positive());
            }
            prop_assert!(story.books.levels(symbol(), Side::Buy).count() <= 100);
        }
    }
}
