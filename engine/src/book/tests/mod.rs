//! Stories of books: what the frames say, and who may trade on them.

mod twin;

use super::*;
use crate::market::{BookDiff, BookFull, ChangeKind, LevelChange, PublicTrade, Ticker};
use crate::money::Qty;

/// Makes a trusted book for tests of others: levels are whole prices and whole quantities, best first.
pub(crate) fn trusted(
    symbol: Symbol,
    received: Timestamp,
    bids: &[(i64, i64)],
    asks: &[(i64, i64)],
) -> TrustedBook {
    let mut story = Story::new(&[symbol]);
    story.tell(received, BookIn::SessionUp(1));
    story.tell(received, full_of(symbol, 1, BookChannel::Diff, bids, asks));
    match story.books.view(symbol) {
        Some(BookView::Trusted(book)) => book,
        other => panic!("test levels make a trusted book: {other:?}"),
    }
}

fn symbol() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

fn level(price: i64, qty: i64) -> Level {
    let one = crate::money::UNITS_PER_ONE;
    Level {
        price: Price::from_units(price * one),
        qty: Qty::from_units(qty * one),
    }
}

fn levels(rows: &[(i64, i64)]) -> Vec<Level> {
    rows.iter().map(|(p, q)| level(*p, *q)).collect()
}

fn full_of(
    symbol: Symbol,
    change: i64,
    channel: BookChannel,
    bids: &[(i64, i64)],
    asks: &[(i64, i64)],
) -> BookIn {
    BookIn::Market(MarketEvent::Full(BookFull {
        symbol,
        channel,
        change,
        bids: levels(bids),
        asks: levels(asks),
    }))
}

const BIDS: &[(i64, i64)] = &[(100, 5), (99, 7), (98, 1)];
const ASKS: &[(i64, i64)] = &[(101, 4), (102, 6), (103, 2)];

fn joined(change: i64) -> BookIn {
    full_of(symbol(), change, BookChannel::Diff, BIDS, ASKS)
}

fn beat(change: i64, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> BookIn {
    full_of(symbol(), change, BookChannel::Periodic, bids, asks)
}

use ChangeKind::{Changed, Entered, Left};

fn diff(change: i64, bids: &[(ChangeKind, i64, i64)], asks: &[(ChangeKind, i64, i64)]) -> BookIn {
    let rows = |rows: &[(ChangeKind, i64, i64)]| {
        rows.iter()
            .map(|(kind, p, q)| LevelChange {
                kind: *kind,
                level: level(*p, *q),
            })
            .collect()
    };
    BookIn::Market(MarketEvent::Diff(BookDiff {
        symbol: symbol(),
        change,
        bids: rows(bids),
        asks: rows(asks),
    }))
}

fn ticker(bid: i64, ask: i64) -> BookIn {
    BookIn::Market(MarketEvent::Ticker(Ticker {
        symbol: symbol(),
        bid: level(bid, 1).price,
        ask: level(ask, 1).price,
        last: level(bid, 1).price,
    }))
}

struct Story {
    books: Books,
    out: Outbox<BookEffect>,
    resyncs: Vec<i64>,
}

impl Story {
    fn new(symbols: &[Symbol]) -> Self {
        Self {
            books: Books::new(BookLimits::default(), symbols),
            out: Outbox::default(),
            resyncs: Vec::new(),
        }
    }

    /// A joined session at 0 ms with the standard book of change 10.
    fn begun() -> Self {
        let mut story = Self::new(&[symbol()]);
        story.at(0, BookIn::SessionUp(1)).at(0, joined(10));
        story
    }

    fn tell(&mut self, now: Timestamp, input: BookIn) {
        while let Some(due) = self.books.deadline().filter(|due| *due <= now) {
            self.books.wake(due, &mut self.out);
            self.note(due);
            let after = self.books.deadline();
            assert!(after.is_none_or(|after| after > due), "a wake moves on");
        }
        self.books.handle(now, input, &mut self.out);
        self.note(now);
    }

    fn note(&mut self, now: Timestamp) {
        for effect in self.out.drain() {
            match effect {
                BookEffect::Resync(_) => self.resyncs.push(now.ms()),
                BookEffect::View(_) => {}
            }
        }
    }

    fn at(&mut self, ms: i64, input: BookIn) -> &mut Self {
        self.tell(Timestamp::from_ms(ms), input);
        self
    }

    /// Lets time pass without a frame of the pair.
    fn until(&mut self, ms: i64) -> &mut Self {
        let elsewhere = BookIn::Rejoined(Symbol::parse("XYZ").expect("a pair"));
        self.at(ms, elsewhere)
    }

    #[track_caller]
    fn expect(&mut self, why: Option<Distrust>) -> &mut Self {
        let doubt = match self.books.view(symbol()) {
            Some(BookView::Untrusted { why, .. }) => Some(why),
            Some(BookView::Trusted(_)) => None,
            None => panic!("the pair is followed"),
        };
        assert_eq!(doubt, why);
        self
    }

    #[track_caller]
    fn expect_resyncs(&mut self, at_ms: &[i64]) -> &mut Self {
        assert_eq!(self.resyncs, at_ms);
        self
    }
}

#[test]
fn a_book_is_trusted_from_its_full_book_on() {
    let mut story = Story::new(&[symbol()]);
    story.expect(Some(Distrust::Empty));
    story.at(0, joined(10)).expect(Some(Distrust::Empty));
    story
        .at(1, BookIn::SessionUp(1))
        .expect(Some(Distrust::Syncing));
    story
        .at(2, diff(11, &[(Entered, 97, 1)], &[]))
        .expect(Some(Distrust::Syncing));
    story
        .at(3, beat(12, BIDS, ASKS))
        .expect(Some(Distrust::Syncing));
    story.at(4, joined(12)).expect(None).expect_resyncs(&[]);
}

#[test]
fn differences_change_enter_and_leave() {
    let mut story = Story::begun();
    story.at(
        1,
        diff(
            15,
            &[(Changed, 100, 9), (Left, 98, 1), (Entered, 97, 3)],
            &[(Left, 101, 4)],
        ),
    );
    assert_eq!(
        story.books.dump(symbol()),
        "100 9\n99 7\n97 3\n102 6\n103 2\n"
    );
    assert_eq!(story.books.change(symbol()), Some(15));
    story.expect(None);
    assert_eq!(story.books.stats().anomalies, 0);
}

#[test]
fn an_old_or_equal_change_number_is_dropped() {
    let mut story = Story::begun();
    for change in [10, 9, -5] {
        story.at(1, diff(change, &[(Changed, 100, 50)], &[]));
    }
    assert_eq!(
        story.books.levels(symbol(), Side::Buy).next(),
        Some(level(100, 5))
    );
    assert_eq!(story.books.stats().diff_frames, 0);
}

#[test]
fn change_numbers_may_be_negative_and_start_anew_with_a_session() {
    let mut story = Story::begun();
    story
        .at(1, BookIn::SessionDown)
        .expect(Some(Distrust::Empty));
    story.at(2, BookIn::SessionUp(2)).at(3, joined(-900));
    story.at(4, diff(-899, &[(Changed, 100, 6)], &[]));
    assert_eq!(
        story.books.levels(symbol(), Side::Buy).next(),
        Some(level(100, 6))
    );
    story.expect(None);
}

#[test]
fn the_stamp_names_session_and_change() {
    let mut story = Story::begun();
    story
        .at(1, BookIn::SessionDown)
        .at(2, BookIn::SessionUp(7))
        .at(3, joined(40));
    let Some(BookView::Trusted(book)) = story.books.view(symbol()) else {
        panic!("trusted");
    };
    assert_eq!(
        book.stamp(),
        BookStamp {
            session: 7,
            change: 40
        }
    );
    assert_eq!(book.mid(), Price::parse("100.5").expect("a price"));
    assert_eq!(book.best_bid(), level(100, 5));
    assert_eq!(book.best_ask(), level(101, 4));
    assert_eq!(book.asks()[3], Level::default());
}

#[test]
fn a_level_that_leaves_unseen_is_harmless() {
    let mut story = Story::begun();
    for change in 11..40 {
        story.at(1, diff(change, &[(Left, 50, 1)], &[(Left, 900, 1)]));
    }
    story.expect(None);
    assert_eq!(story.books.stats().anomalies, 0);
}

#[test]
fn three_contradictions_in_a_minute_are_too_many() {
    let absent = |change| diff(change, &[(Changed, 90 - change, 1)], &[]);
    let mut story = Story::begun();
    story.at(1, absent(11)).at(2, absent(12)).expect(None);
    story
        .at(3, absent(13))
        .expect(Some(Distrust::Anomaly))
        .expect_resyncs(&[3]);
    let present = |change| diff(change, &[], &[(Entered, 101, change)]);
    let mut story = Story::begun();
    story.at(1, present(11)).at(2, present(12));
    for beat_ms in 1..=60 {
        story.at(beat_ms * 1_000, joined_beat_after(&story));
    }
    story.at(60_500, present(13)).expect(None);
}

/// A periodic full book that equals what is held.
fn joined_beat_after(story: &Story) -> BookIn {
    BookIn::Market(MarketEvent::Full(BookFull {
        symbol: symbol(),
        channel: BookChannel::Periodic,
        change: story.books.change(symbol()).expect("followed"),
        bids: story.books.levels(symbol(), Side::Buy).collect(),
        asks: story.books.levels(symbol(), Side::Sell).collect(),
    }))
}

#[test]
fn a_level_without_a_quantity_is_never_believed() {
    let mut story = Story::begun();
    story
        .at(1, diff(11, &[(Changed, 100, 0)], &[]))
        .expect(Some(Distrust::Anomaly));
    story.at(2, joined(12)).expect(None);
}

#[test]
fn a_crossed_book_waits_for_a_full_one() {
    let mut story = Story::begun();
    story
        .at(1, diff(11, &[(Entered, 101, 1)], &[]))
        .expect(Some(Distrust::Crossed));
    // Uncrossed again, but a row was lost somewhere.
    story
        .at(2, diff(12, &[(Left, 101, 1)], &[]))
        .expect(Some(Distrust::Crossed));
    story
        .at(3, beat(12, BIDS, ASKS))
        .expect(Some(Distrust::Crossed));
    story.at(4, BookIn::Rejoined(symbol())).at(5, joined(13));
    story.expect(None).expect_resyncs(&[1]);
    assert_eq!(story.books.stats().crossed, 1);
}

#[test]
fn a_side_that_empties_is_distrusted() {
    let mut story = Story::begun();
    story.at(
        1,
        diff(11, &[(Left, 100, 5), (Left, 99, 7), (Left, 98, 1)], &[]),
    );
    story.expect(Some(Distrust::OneSided));
}

#[test]
fn silence_makes_a_book_stale_and_a_beat_keeps_it_fresh() {
    let mut story = Story::begun();
    story
        .at(1_500, beat(10, BIDS, ASKS))
        .until(3_499)
        .expect(None);
    story
        .until(3_500)
        .expect(Some(Distrust::ReceiveAge))
        .expect_resyncs(&[3_500]);
    // An equal full book proves that nothing was missed.
    story.at(3_600, beat(10, BIDS, ASKS)).expect(None);
}

#[test]
fn dropped_frames_do_not_keep_a_book_fresh() {
    let mut story = Story::begun();
    for ms in 1..30 {
        story.at(ms * 100, diff(10, &[(Changed, 100, 1)], &[]));
    }
    story.expect(Some(Distrust::ReceiveAge));
}

#[test]
fn full_books_are_asked_for_once_in_five_seconds_and_less_often_in_vain() {
    let mut story = Story::begun();
    story.until(12_500).expect_resyncs(&[2_000, 7_000]);
    story.at(13_000, joined(11)).expect(None);
    story
        .until(21_000)
        .expect_resyncs(&[2_000, 7_000, 15_000, 20_000]);
    // As with a pair that the exchange does not list, until the next session.
    let mut story = Story::new(&[symbol()]);
    story
        .at(0, BookIn::SessionUp(1))
        .until(241_000)
        .expect_resyncs(&[5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 240_000])
        .at(300_000, BookIn::SessionUp(2));
    story.resyncs.clear();
    story
        .until(335_000)
        .expect_resyncs(&[305_000, 310_000, 320_000]);
    let mut story = Story::begun();
    story
        .at(1, BookIn::SessionDown)
        .until(60_000)
        .expect_resyncs(&[]);
}

#[test]
fn a_jump_is_suspect_until_the_ticker_agrees() {
    let jump = || {
        let bids = [(Entered, 111, 1)];
        diff(
            11,
            &bids,
            &[
                (Left, 101, 4),
                (Left, 102, 6),
                (Left, 103, 2),
                (Entered, 112, 1),
            ],
        )
    };
    let mut story = Story::begun();
    story.at(500, jump()).expect(Some(Distrust::PriceJump));
    story
        .at(900, ticker(100, 101))
        .expect(Some(Distrust::PriceJump));
    story.at(1_000, ticker(111, 112)).expect(None);
    story.expect_resyncs(&[]);

    let mut story = Story::begun();
    story.at(500, jump()).until(2_499).expect_resyncs(&[]);
    story.until(2_500).expect_resyncs(&[2_500]);
    story
        .at(2_600, ticker(111, 112))
        .expect(Some(Distrust::PriceJump));
    story.at(2_700, joined(20)).expect(None);

    let mut story = Story::begun();
    story.at(500, jump());
    let equal = joined_beat_after(&story);
    story.at(750, equal).expect(None);
}

#[test]
fn a_full_book_out_of_nowhere_is_checked_for_a_jump_too() {
    let mut story = Story::begun();
    let far = full_of(symbol(), 11, BookChannel::Diff, &[(200, 1)], &[(201, 1)]);
    story.at(500, far).expect(Some(Distrust::PriceJump));
}

#[test]
fn a_full_book_that_is_ahead_is_compared_as_content() {
    let mut story = Story::begun();
    story.at(1, beat(900, BIDS, ASKS)).expect(None);
    assert_eq!(story.books.stats().mismatches, 0);
}

#[test]
fn one_late_beat_proves_nothing() {
    let ahead = &[(100, 6), (99, 7), (98, 1)];
    let further = &[(100, 7), (99, 7), (98, 1)];
    let mut story = Story::begun();
    story.at(1, beat(11, ahead, ASKS)).expect(None);
    story.at(2, diff(11, &[(Changed, 100, 6)], &[]));
    story.at(751, beat(12, further, ASKS)).expect(None);
    assert_eq!(story.books.stats().mismatches, 2);
    story
        .at(752, diff(12, &[(Changed, 100, 7)], &[]))
        .at(1_501, beat(12, further, ASKS))
        .expect(None);
}

#[test]
fn a_ghost_level_is_found_by_two_beats() {
    let without = &[(99, 7), (98, 1)];
    let mut story = Story::begun();
    story.at(1, beat(20, without, ASKS)).expect(None);
    story
        .at(751, beat(30, without, ASKS))
        .expect(Some(Distrust::Mismatch))
        .expect_resyncs(&[751]);
    // The beat alone cannot tell what else was lost.
    story
        .at(1_500, beat(31, BIDS, ASKS))
        .expect(Some(Distrust::Mismatch));
    story.at(1_600, joined(32)).expect(None);
}

#[test]
fn two_beats_of_the_same_change_may_not_differ() {
    let mut story = Story::begun();
    story
        .at(1, beat(10, &[(100, 6), (99, 7), (98, 1)], ASKS))
        .expect(None);
    story
        .at(2, beat(10, &[(100, 5), (99, 9), (98, 1)], ASKS))
        .expect(Some(Distrust::Mismatch));
}

#[test]
fn a_ticker_that_disagrees_twice_running_is_believed() {
    let mut story = Story::begun();
    story.at(1, ticker(99, 101)).expect(None);
    story.at(2, ticker(100, 101)).expect(None);
    story.at(3, ticker(99, 101)).expect(None);
    let mut story = Story::begun();
    story
        .at(1, ticker(99, 101))
        .at(2, ticker(0, 103))
        .expect(Some(Distrust::Mismatch));
    assert_eq!(story.books.stats().mismatches, 2);
}

#[test]
fn a_rejoined_pair_keeps_nothing_and_others_keep_all() {
    let other = Symbol::parse("ETHTRY").expect("a pair");
    let mut story = Story::new(&[symbol(), other]);
    story.at(0, BookIn::SessionUp(1)).at(0, joined(10));
    story.at(0, full_of(other, 5, BookChannel::Diff, BIDS, ASKS));
    story
        .at(1, BookIn::Rejoined(symbol()))
        .expect(Some(Distrust::Syncing));
    assert_eq!(story.books.dump(symbol()), "");
    assert!(matches!(
        story.books.view(other),
        Some(BookView::Trusted(_))
    ));
    story.at(2, joined(3)).expect(None);
}

#[test]
fn every_applied_frame_of_a_trusted_book_is_told_and_a_distrust_once() {
    let mut story = Story::begun();
    let mut told = |ms, input| {
        let mut out = Outbox::default();
        story.books.handle(Timestamp::from_ms(ms), input, &mut out);
        out.drain()
            .filter(|effect| matches!(effect, BookEffect::View(_)))
            .count()
    };
    assert_eq!(told(1, diff(11, &[(Changed, 100, 6)], &[])), 1);
    assert_eq!(told(2, diff(11, &[(Changed, 100, 7)], &[])), 0);
    assert_eq!(told(3, diff(12, &[(Entered, 102, 7)], &[])), 1);
    assert_eq!(told(4, diff(13, &[(Changed, 102, 8)], &[])), 0);
    assert_eq!(told(5, ticker(102, 103)), 0);
}

#[test]
fn the_last_trade_is_as_old_as_its_older_stamp() {
    let mut story = Story::begun();
    let trade = |at: i64| {
        BookIn::Market(MarketEvent::Trade(PublicTrade {
            symbol: symbol(),
            price: level(100, 1).price,
            qty: level(1, 1).qty,
            taker: None,
            at: Timestamp::from_ms(at),
            id: None,
        }))
    };
    let last = |story: &mut Story| match story.books.view(symbol()) {
        Some(BookView::Trusted(book)) => book.last_trade().map(|(_, at)| at.ms()),
        other => panic!("trusted, not {other:?}"),
    };
    story.at(100, trade(40));
    assert_eq!(last(&mut story), Some(40));
    story.at(200, trade(900));
    assert_eq!(last(&mut story), Some(200));
}

#[test]
fn book_snapshot_keeps_depth_and_exchange_time() {
    let mut story = Story::begun();
    let trade = PublicTrade {
        symbol: symbol(),
        price: level(100, 1).price,
        qty: level(1, 1).qty,
        taker: None,
        at: Timestamp::from_ms(7),
        id: None,
    };
    story.at(90, BookIn::Market(MarketEvent::Trade(trade)));
    let Some(BookView::Trusted(book)) = story.books.view(symbol()) else {
        panic!("a full book is trusted");
    };
    assert_eq!(book.bids()[..3], levels(BIDS));
    assert_eq!(book.asks()[..3], levels(ASKS));
    let stamps = (
        book.received().ms(),
        book.last_trade().map(|last| last.1.ms()),
    );
    assert_eq!(stamps, (0, Some(7)), "neither is the moment of reading");
}

#[test]
fn a_window_never_grows_beyond_a_hundred_levels() {
    let bids: Vec<(i64, i64)> = (0..100).map(|n| (1_000 - n, 1)).collect();
    let mut story = Story::new(&[symbol()]);
    story.at(0, BookIn::SessionUp(1)).at(
        0,
        full_of(symbol(), 1, BookChannel::Diff, &bids, &[(2_000, 1)]),
    );
    story
        .at(1, diff(2, &[(Entered, 1_001, 1)], &[]))
        .expect(None);
    assert_eq!(story.books.levels(symbol(), Side::Buy).count(), 100);
    assert_eq!(story.books.stats().anomalies, 1);
    // As documented: one enters, one leaves, in price order.
    story.at(2, diff(3, &[(Entered, 1_002, 1), (Left, 902, 1)], &[]));
    assert_eq!(story.books.stats().anomalies, 1);
}
