//! Books each trade once, although two sources report it and their ids need not agree.
//!
//! The private stream and the REST list each number trades in their own way. Within one source an id counts once;
//! across sources equal price and size pair up, so that the booked number of equal fills is the larger of what
//! the two sources have shown. Stamps take no part: the sources need not agree on them either.

use crate::answer::{OwnTrade, TradeSource};
use crate::ids::TradeId;
use crate::money::{Price, Qty};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How often each source has shown a trade of one price and size, and how often it was booked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    stream: u32,
    rest: u32,
    booked: u32,
}

/// What was seen of one order's trades.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillBook {
    seen: BTreeSet<(TradeSource, TradeId)>,
    #[serde(with = "crate::pairs")]
    counts: BTreeMap<(Price, Qty), Count>,
    /// Stamp of the newest trade reported, on the exchange's clock.
    newest: Option<Timestamp>,
}

impl FillBook {
    /// Returns the stamp of the newest trade that was reported.
    pub const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    fn saw(&mut self, trade: &OwnTrade) -> bool {
        self.newest = self.newest.max(Some(trade.at));
        self.seen.insert((trade.source, trade.id))
    }

    /// Takes note of a report and returns whether it is to be booked.
    pub fn is_new(&mut self, trade: &OwnTrade) -> bool {
        if !self.saw(trade) {
            return false;
        }
        let count = self.counts.entry((trade.price, trade.qty)).or_default();
        let shown = match trade.source {
            TradeSource::Stream => &mut count.stream,
            TradeSource::Rest => &mut count.rest,
        };
        *shown += 1;
        let is_new = *shown > count.booked;
        if is_new {
            count.booked += 1;
        }
        is_new
    }

    /// Returns the sum of what was booked.
    pub fn booked(&self) -> Qty {
        let units =
            |((_, qty), count): (&(Price, Qty), &Count)| qty.units() * i64::from(count.booked);
        Qty::from_units(self.counts.iter().map(units).sum())
    }

    /// Takes in a trade that was booked in an earlier life. Why it was booked then is not on record: the reports that
    /// paired with others are not, so it counts as booked whatever the sources have shown since.
    pub fn was_booked(&mut self, trade: &OwnTrade) {
        if !self.saw(trade) {
            return;
        }
        let count = self.counts.entry((trade.price, trade.qty)).or_default();
        match trade.source {
            TradeSource::Stream => count.stream += 1,
            TradeSource::Rest => count.rest += 1,
        }
        count.booked += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Asset, OrderId};
    use crate::market::Side;
    use crate::money::Amount;

    fn trade(source: TradeSource, id: i64, price: i64, qty: i64) -> OwnTrade {
        OwnTrade {
            source,
            id: TradeId(id),
            order_id: OrderId(1),
            client_id: None,
            base: Asset::parse("BTC").expect("an asset"),
            quote: Asset::parse("TRY").expect("an asset"),
            side: Side::Buy,
            price: Price::from_units(price),
            qty: Qty::from_units(qty),
            fee: Amount::ZERO,
            tax: Amount::ZERO,
            at: Timestamp(0),
            fee_in_base: false,
        }
    }

    /// Plays reports (source, id, price, size) and compares how many were booked.
    fn check(reports: &[(TradeSource, i64, i64, i64)], booked: usize) {
        let mut book = FillBook::default();
        let got = reports
            .iter()
            .filter(|(s, id, price, qty)| book.is_new(&trade(*s, *id, *price, *qty)))
            .count();
        assert_eq!(got, booked, "{reports:?}");
    }

    use TradeSource::{Rest, Stream};

    #[test]
    fn x_05_a_trade_with_two_ids_is_booked_once() {
        check(&[(Stream, 1, 10, 5), (Rest, 900, 10, 5)], 1);
        check(&[(Rest, 900, 10, 5), (Stream, 1, 10, 5)], 1);
        check(&[(Stream, 7, 10, 5), (Rest, 7, 10, 5)], 1);
    }

    #[test]
    fn x_05_two_equal_fills_are_two_fills() {
        check(
            &[
                (Stream, 1, 10, 5),
                (Stream, 2, 10, 5),
                (Rest, 900, 10, 5),
                (Rest, 901, 10, 5),
            ],
            2,
        );
        check(
            &[
                (Stream, 1, 10, 5),
                (Rest, 900, 10, 5),
                (Rest, 901, 10, 5),
                (Stream, 2, 10, 5),
            ],
            2,
        );
        check(&[(Rest, 900, 10, 5), (Rest, 901, 10, 5)], 2);
    }

    #[test]
    fn a_repeated_report_books_nothing() {
        check(
            &[
                (Stream, 1, 10, 5),
                (Stream, 1, 10, 5),
                (Rest, 9, 10, 5),
                (Rest, 9, 10, 5),
            ],
            1,
        );
    }

    #[test]
    fn a_restart_counts_what_was_booked_and_not_what_was_paired() {
        let mut live = FillBook::default();
        let mut reborn = FillBook::default();
        let reports = [(Stream, 1), (Rest, 900), (Rest, 901), (Stream, 2)];
        for (source, id) in reports {
            let report = trade(source, id, 10, 5);
            if live.is_new(&report) {
                reborn.was_booked(&report);
            }
        }
        for (source, id) in reports {
            let report = trade(source, id, 10, 5);
            assert!(!reborn.is_new(&report), "{source:?} {id} is booked again");
        }
        assert!(
            reborn.is_new(&trade(Rest, 902, 10, 5)),
            "a third fill is one"
        );
    }

    #[test]
    fn fills_of_another_price_or_size_are_other_fills() {
        check(&[(Stream, 1, 10, 5), (Rest, 2, 11, 5), (Rest, 3, 10, 6)], 3);
    }
}
