//! Book frames, applied by a consumer that shares no code with the publisher (C-52, C-54).

use crate::support::*;
use btcbot_simulator::venue::{ConnectionId, Outgoing, Venue};
use engine::market::WINDOW_LEVELS;
use serde_json::Value;
use std::collections::BTreeMap;

/// A book kept from texts only.
#[derive(Default)]
struct Naive {
    bids: BTreeMap<String, String>,
    asks: BTreeMap<String, String>,
    change: i64,
    diffs: usize,
}

fn text(row: &Value, name: &str) -> String {
    row[name]
        .as_str()
        .expect("a level's numbers are texts")
        .to_owned()
}

impl Naive {
    fn replace(&mut self, body: &Value) {
        let side = |name: &str| {
            let rows = body[name].as_array().unwrap();
            assert!(rows.len() <= WINDOW_LEVELS);
            rows.iter()
                .map(|row| (text(row, "P"), text(row, "A")))
                .collect()
        };
        (self.bids, self.asks) = (side("BO"), side("AO"));
        self.change = body["CS"].as_i64().unwrap();
    }

    fn apply(&mut self, body: &Value) {
        let change = body["CS"].as_i64().unwrap();
        assert!(
            (1..=9).contains(&(change - self.change)),
            "{} then {change}",
            self.change
        );
        self.change = change;
        self.diffs += 1;
        for (name, side) in [("BO", &mut self.bids), ("AO", &mut self.asks)] {
            let before = side.len();
            for row in body[name].as_array().unwrap() {
                let (price, amount) = (text(row, "P"), text(row, "A"));
                match row["CP"].as_i64().unwrap() {
                    0 => assert!(
                        side.insert(price, amount.clone())
                            .is_some_and(|held| held != amount)
                    ),
                    1 => assert_eq!(
                        side.insert(price, amount),
                        None,
                        "an entering level was absent"
                    ),
                    3 => assert_eq!(
                        side.remove(&price),
                        Some(amount),
                        "a leaving level repeats what it held"
                    ),
                    other => panic!("change kind {other}"),
                }
            }
            assert_eq!(
                (before, side.len()),
                (WINDOW_LEVELS, WINDOW_LEVELS),
                "as many enter as leave"
            );
        }
    }

    /// Compares with the true window of the core.
    fn check(&self, venue: &Venue) {
        let (window, change) = venue.exchange().window(BTCTRY);
        assert_eq!(change, self.change);
        for (levels, side) in [(&window.bids, &self.bids), (&window.asks, &self.asks)] {
            let shown: BTreeMap<_, _> = side
                .iter()
                .map(|(price, amount)| {
                    let (amount, _) = engine::money::Qty::parse_cut(amount).unwrap();
                    (engine::money::Price::parse(price).unwrap(), amount)
                })
                .collect();
            let truth: BTreeMap<_, _> = levels
                .iter()
                .map(|level| (level.price, level.qty))
                .collect();
            assert_eq!(shown, truth);
        }
    }
}

pub fn frames(venue: &mut Venue, id: ConnectionId) -> Vec<(u64, Value)> {
    let mut found = Vec::new();
    while let Some(next) = venue.take(id) {
        if let Outgoing::Text(text) = next {
            let frame: Value = serde_json::from_str(&text).unwrap();
            found.push((frame[0].as_u64().unwrap(), frame[1].clone()));
        }
    }
    found
}

pub fn join(channel: &str, event: &str, join: bool) -> String {
    format!(r#"[151,{{"type":151,"channel":"{channel}","event":"{event}","join":{join}}}]"#)
}

fn follow(settings: &[&str], seconds: i64) {
    let mut venue = venue(settings);
    let id = venue.connect(START, IP).unwrap();
    venue.receive(START, id, &join("obdiff", "BTCTRY", true));
    let mut book = Naive::default();
    for step in 1..seconds * 100 {
        let now = START.plus_ms(step * 10);
        if step % 37 == 0 {
            // Orders of accounts move the book too.
            let order = crossing_buy(venue.exchange(), "0.05", "mover");
            venue.exchange_mut().submit(now, ME, &order).unwrap();
        }
        venue.advance(now);
        let mut seen = false;
        for (kind, body) in frames(&mut venue, id) {
            match kind {
                431 => book.replace(&body),
                432 => book.apply(&body),
                _ => continue,
            }
            seen = true;
        }
        if seen {
            book.check(&venue);
        }
    }
    assert!(book.diffs > 100, "{} frames", book.diffs);
}

#[test]
fn frames_keep_an_independent_book_equal_to_the_true_window() {
    follow(&[], 40);
}

#[test]
fn long_amounts_and_negative_change_numbers_are_consistent_too() {
    follow(&["long_amounts=1"], 20);
    follow(&["long_amounts=0", "cs_start=2147483640"], 20);
}

#[test]
fn the_window_is_full_on_every_pair_and_moves_several_times_a_second_not_thousands() {
    let mut venue = venue(&[]);
    let id = venue.connect(START, IP).unwrap();
    let symbols: Vec<_> = venue
        .exchange()
        .pairs()
        .iter()
        .map(|pair| pair.symbol.to_string())
        .collect();
    for symbol in &symbols {
        venue.receive(START, id, &join("obdiff", symbol, true));
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for second in 1..=30 {
        venue.advance(START.plus_ms(second * 1_000));
        for (kind, body) in frames(&mut venue, id) {
            if kind == 431 {
                assert_eq!(body["AO"].as_array().unwrap().len(), WINDOW_LEVELS);
                assert_eq!(body["BO"].as_array().unwrap().len(), WINDOW_LEVELS);
            }
            if kind == 432 {
                *counts.entry(text(&body, "PS")).or_default() += 1;
            }
        }
    }
    for symbol in symbols {
        let per_second = counts[&symbol] / 30;
        assert!((2..=20).contains(&per_second), "{symbol}: {per_second}");
    }
}

#[test]
fn a_leave_and_join_gives_a_new_full_book() {
    let mut venue = venue(&[]);
    let id = venue.connect(START, IP).unwrap();
    let kinds = |venue: &mut Venue| {
        frames(venue, id)
            .iter()
            .map(|(kind, _)| *kind)
            .collect::<Vec<_>>()
    };
    venue.receive(START, id, &join("obdiff", "BTC_TRY", true));
    assert_eq!(kinds(&mut venue), [991, 100, 431]);
    venue.advance(START.plus_ms(2_000));
    assert!(kinds(&mut venue).iter().all(|kind| *kind == 432));
    venue.receive(START.plus_ms(2_000), id, &join("obdiff", "BTCTRY", false));
    venue.advance(START.plus_ms(5_000));
    assert_eq!(kinds(&mut venue), [100]);
    venue.receive(START.plus_ms(5_000), id, &join("obdiff", "BTCTRY", true));
    assert_eq!(kinds(&mut venue), [100, 431]);
}

#[test]
fn the_periodic_book_equals_the_one_kept_from_differences() {
    let mut venue = venue(&[]);
    let id = venue.connect(START, IP).unwrap();
    venue.receive(START, id, &join("obdiff", "BTCTRY", true));
    venue.receive(START, id, &join("orderbook", "BTCTRY", true));
    let mut kept = Naive::default();
    let mut beats = 0;
    for step in 1..=2_000 {
        venue.advance(START.plus_ms(step * 5));
        for (kind, body) in frames(&mut venue, id) {
            match (kind, body["channel"].as_str()) {
                (431, Some("obdiff")) => kept.replace(&body),
                (432, _) => kept.apply(&body),
                (431, _) if kept.diffs > 0 => {
                    beats += 1;
                    let mut full = Naive::default();
                    full.replace(&body);
                    assert_eq!((&full.bids, &full.asks), (&kept.bids, &kept.asks));
                    assert_eq!(full.change, kept.change);
                }
                _ => {}
            }
        }
    }
    assert!((12..=14).contains(&beats), "{beats} in 10 s at 750 ms");
}
