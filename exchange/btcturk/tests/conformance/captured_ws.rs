//! Captured frames, C-01 to C-17 of docs/INVARIANTS.md. Row numbers are lines of `ws_frames.ndjson`.

use super::*;
use btcbot_btcturk::wire::ServerFrame;
use btcbot_btcturk::ws::{AckSubject, Frame, Join, ack_subject};
use engine::answer::{OrderEvent, PrivateEvent};
use engine::ids::OrderId;
use engine::market::{BookDiff, BookFull, ChangeKind, LevelChange, MarketEvent, PublicTrade, Side};
use std::collections::BTreeMap;

struct Frames(Vec<Row>);

impl Frames {
    /// Returns `None` where the captured rows are absent.
    fn open() -> Option<Self> {
        captured("ws_frames.ndjson").map(Self)
    }

    /// Returns the text of a row, counted from 1 as in the page.
    fn text(&self, row: usize) -> &str {
        self.0[row - 1].text()
    }

    fn decoded(&self, row: usize) -> Decoded {
        ws::decode(self.text(row)).unwrap_or_else(|error| panic!("row {row}: {error}"))
    }

    fn wire(&self, row: usize) -> ServerFrame<'_> {
        wire::read_server(self.text(row)).unwrap_or_else(|error| panic!("row {row}: {error}"))
    }

    fn market(&self, row: usize) -> MarketEvent {
        match self.decoded(row).frame {
            Frame::Market(event) => event,
            other => panic!("row {row}: {other:?}"),
        }
    }

    fn full(&self, row: usize) -> BookFull {
        match self.market(row) {
            MarketEvent::Full(book) => book,
            other => panic!("row {row}: {other:?}"),
        }
    }

    fn diff(&self, row: usize) -> BookDiff {
        match self.market(row) {
            MarketEvent::Diff(book) => book,
            other => panic!("row {row}: {other:?}"),
        }
    }

    fn trade(&self, row: usize) -> PublicTrade {
        match self.market(row) {
            MarketEvent::Trade(trade) => trade,
            other => panic!("row {row}: {other:?}"),
        }
    }

    fn private(&self, row: usize) -> PrivateEvent {
        match self.decoded(row).frame {
            Frame::Private(event) => event,
            other => panic!("row {row}: {other:?}"),
        }
    }

    fn order(&self, row: usize) -> OrderEvent {
        match self.private(row) {
            PrivateEvent::Inserted(order) | PrivateEvent::Deleted(order) => order,
            other => panic!("row {row}: {other:?}"),
        }
    }

    fn matched(&self, row: usize) -> wire::OrderMatch<'_> {
        match self.wire(row) {
            ServerFrame::Match(body) => body,
            other => panic!("row {row}: {other:?}"),
        }
    }
}

#[test]
fn c_01_every_captured_frame_decodes_by_its_first_element() {
    let Some(frames) = Frames::open() else { return };
    assert_eq!(frames.0.len(), 39);
    for row in 1..=39 {
        assert!(
            !matches!(frames.decoded(row).frame, Frame::Unknown(_)),
            "row {row}"
        );
    }
}

#[test]
fn c_02_c_03_captured_frames_survive_a_round_trip_to_the_character() {
    let Some(frames) = Frames::open() else { return };
    for row in (1..=39).filter(|row| ![22, 23, 29].contains(row)) {
        check_frame_round_trip(frames.text(row));
    }
}

#[test]
fn c_04_a_captured_full_book_has_two_hundred_levels_and_three_cuts() {
    let Some(frames) = Frames::open() else { return };
    let book = frames.full(3);
    assert_eq!(
        (book.change, book.bids.len(), book.asks.len()),
        (7_886_177, 100, 100)
    );
    assert_eq!(
        (book.bids[0].price, book.asks[0].price),
        (price("40674"), price("40678"))
    );
    assert_eq!(book.asks[0].qty, qty("0.40004725"));
    assert_eq!(frames.decoded(3).cuts, 3);
    let ServerFrame::BookSnapshot(body) = frames.wire(3) else {
        panic!("a full book");
    };
    let is_long = |text: &str| {
        text.split_once('.')
            .is_some_and(|(_, fraction)| fraction.len() > 8)
    };
    let long: Vec<usize> = (0..100)
        .filter(|i| is_long(&body.asks[*i].amount))
        .collect();
    assert_eq!(long, [0, 8, 35]);
}

#[test]
fn c_05_cuts_of_public_trades_are_counted() {
    let Some(frames) = Frames::open() else { return };
    let cuts: Vec<u32> = [2, 9, 22, 5]
        .iter()
        .map(|row| frames.decoded(*row).cuts)
        .collect();
    assert_eq!(cuts, [1, 1, 2, 0]);
}

#[test]
fn c_06_matched_amounts_add_up_to_the_order() {
    let Some(frames) = Frames::open() else { return };
    let matched = |row: usize| amount(frames.matched(row).amount.as_deref().unwrap());
    for row in 25..=28 {
        let text = frames.matched(row).amount.unwrap();
        assert_eq!(text.split_once('.').unwrap().1.len(), 10, "row {row}");
    }
    assert_eq!(matched(25) + matched(26), amount("1"));
    assert_eq!(frames.order(24).left, qty("1"));
}

#[test]
fn c_07_the_opaque_remainder_keeps_its_text() {
    let Some(frames) = Frames::open() else { return };
    for row in [24, 29, 30, 31, 32, 33, 34] {
        let left = match frames.wire(row) {
            ServerFrame::Insert(body) => body.quote_left.map(|text| text.to_string()),
            ServerFrame::Delete(body) => body.quote_left.map(|text| text.to_string()),
            other => panic!("row {row}: {other:?}"),
        };
        let quoted = format!(r#""denomLeft":"{}""#, left.unwrap());
        assert!(frames.text(row).contains(&quoted), "row {row}");
    }
}

#[test]
fn c_08_a_frame_without_side_has_no_side() {
    let Some(frames) = Frames::open() else { return };
    assert_eq!(
        (frames.order(29).side, frames.order(24).side),
        (None, Some(Side::Sell))
    );
}

#[test]
fn c_09_a_captured_sale_is_normalised() {
    let Some(frames) = Frames::open() else { return };
    let PrivateEvent::Trade(sale) = frames.private(35) else {
        panic!("a trade");
    };
    assert_eq!(
        (sale.side, sale.qty, sale.price),
        (Side::Sell, qty("205.24"), price("1.020"))
    );
    let value = sale.price.value(sale.qty);
    assert_eq!(Some(sale.fee), value.times_bps(5));
    assert_eq!(Some(sale.tax), sale.fee.times_bps(2_000));
    let ServerFrame::UserTrade(body) = frames.wire(35) else {
        panic!("a trade");
    };
    assert_eq!(
        (body.kind, body.precise_amount.as_deref()),
        (None, Some("-205.24"))
    );
}

#[test]
fn c_10_newer_matches_carry_a_stamp() {
    let Some(frames) = Frames::open() else { return };
    let stamp = frames.matched(36).timestamp;
    assert_eq!(stamp, Some(wire::Stamp::Text(1_735_866_257_711)));
    for row in 25..=28 {
        assert_eq!(frames.matched(row).timestamp, None, "row {row}");
    }
    let masked = PrivateEvent::Matched {
        order_id: OrderId(0),
        client_id: None,
    };
    assert_eq!(frames.private(36), masked);
}

#[test]
fn c_11_the_pair_decides_over_the_event() {
    let Some(frames) = Frames::open() else { return };
    assert_eq!(frames.trade(5).symbol.as_str(), "AVAXTRY");
    let odd: Vec<usize> = (1..=39)
        .filter(|row| frames.decoded(*row).mismatches > 0)
        .collect();
    assert_eq!(odd, [5]);
}

#[test]
fn c_12_c_13_one_sided_books_and_prices_off_the_tick_decode() {
    let Some(frames) = Frames::open() else { return };
    let book = frames.full(16);
    assert_eq!((book.asks.len(), book.bids.len()), (10, 0));
    let tick = price("10");
    for row in [7, 10, 12] {
        let book = frames.full(row);
        let is_off = |level: &engine::market::Level| level.price.floor_to(tick) != level.price;
        assert!(book.asks.iter().chain(&book.bids).any(is_off), "row {row}");
    }
}

fn count(rows: &[LevelChange], kind: ChangeKind) -> usize {
    rows.iter().filter(|row| row.kind == kind).count()
}

#[test]
fn c_14_differences_come_best_first_with_amounts_and_balanced_windows() {
    let Some(frames) = Frames::open() else { return };
    for row in [4, 6, 8, 11, 17, 18, 19, 20, 21] {
        let diff = frames.diff(row);
        assert!(
            diff.asks
                .windows(2)
                .all(|pair| pair[0].level.price < pair[1].level.price),
            "row {row}"
        );
        assert!(
            diff.bids
                .windows(2)
                .all(|pair| pair[0].level.price > pair[1].level.price),
            "row {row}"
        );
        for side in [&diff.asks, &diff.bids] {
            assert!(
                side.iter().all(|change| change.level.qty.is_positive()),
                "row {row}"
            );
            if [4, 8, 20].contains(&row) {
                assert_eq!(
                    count(side, ChangeKind::Entered),
                    count(side, ChangeKind::Left),
                    "row {row}"
                );
            }
        }
    }
}

#[test]
fn c_15_two_consecutive_differences_apply_without_anomaly() {
    let Some(frames) = Frames::open() else { return };
    let mut bids = BTreeMap::from([
        (price("583.2"), qty("0.8566")),
        (price("525.96"), qty("9.4969")),
    ]);
    for row in [20, 21] {
        for change in frames.diff(row).bids {
            let level = change.level;
            let held = match change.kind {
                ChangeKind::Left => bids.remove(&level.price),
                ChangeKind::Entered | ChangeKind::Changed => bids.insert(level.price, level.qty),
            };
            let expected = (change.kind != ChangeKind::Entered).then_some(level.qty);
            assert_eq!(held, expected, "row {row}, {}", level.price);
        }
    }
    let end: Vec<_> = bids.into_keys().collect();
    assert_eq!(end, [price("525.9"), price("525.96")]);
}

#[test]
fn c_16_a_cancel_after_a_partial_fill_is_only_a_hint() {
    let Some(frames) = Frames::open() else { return };
    let (inserted, deleted) = (frames.order(32), frames.order(33));
    assert_eq!((deleted.id, deleted.left), (inserted.id, qty("139.90")));
    assert_eq!(inserted.left - deleted.left, qty("34.94"));
}

#[test]
fn c_17_greetings_acknowledgement_hint_and_login_are_understood() {
    let Some(frames) = Frames::open() else { return };
    let current = |row: usize| match frames.decoded(row).frame {
        Frame::Version { current, .. } => current,
        other => panic!("row {row}: {other:?}"),
    };
    assert_eq!(
        [current(1), current(14), current(38)],
        ["5.1.0", "5.1.0", "6.0.0"]
    );
    let Frame::Ack { ok: true, text } = frames.decoded(15).frame else {
        panic!("an acknowledgement");
    };
    let subject = AckSubject {
        join: Join::Join,
        channel: "obdiff",
        event: "DOTTRY",
    };
    assert_eq!(ack_subject(&text), Some(subject));
    let ServerFrame::Balance(hint) = frames.wire(37) else {
        panic!("a balance hint");
    };
    assert_eq!(hint.ids(), Some([135, 50, 1]));
    assert_eq!(
        frames.private(39),
        PrivateEvent::Login {
            ok: true,
            user_id: 100_001
        }
    );
}
