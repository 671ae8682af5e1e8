//! Books each trade once, although two sources report it and their ids need not agree.
//!
//! The private stream and the REST list each number trades in their own way. Within one source an id counts once;
//! across sources equal price and size pair up, so that the booked number of such twins is the larger of what the two
//! sources have shown. Stamps and charges take no part in how many are booked, because the sources need not agree on
//! them either; they tell which of several twins it is that was not booked yet.

mod written;

use crate::answer::{OwnTrade, TradeSource};
use crate::ids::TradeId;
use crate::money::{Amount, Price, Qty};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use written::Written;

/// What tells trades of one order, price and size from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Twin {
    id: TradeId,
    at: Timestamp,
    fee: Amount,
    tax: Amount,
}

impl Twin {
    const fn of(trade: &OwnTrade) -> Self {
        Self {
            id: trade.id,
            at: trade.at,
            fee: trade.fee,
            tax: trade.tax,
        }
    }

    /// Whether both may be reports of one trade, as far as stamps and charges say.
    fn is_like(&self, other: &Self) -> bool {
        (self.at, self.fee, self.tax) == (other.at, other.fee, other.tax)
    }
}

/// What makes reports twins.
type Kind = (Price, Qty);

/// One trade as one source has shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Report {
    kind: Kind,
    source: TradeSource,
    twin: Twin,
    /// This report is the one that was booked.
    is_booked: bool,
}

/// What was seen of one order's trades: a list without gaps, because most orders have one trade and many are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct FillBook {
    /// By kind and source; of these, in the order in which they came.
    reports: Vec<Report>,
    /// Stamp of the newest trade reported, on the exchange's clock.
    newest: Option<Timestamp>,
}

impl FillBook {
    /// Returns the stamp of the newest trade that was reported.
    pub const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Returns whether this report was taken in before.
    pub fn has_seen(&self, trade: &OwnTrade) -> bool {
        let named = (trade.source, trade.id);
        (self.reports.iter()).any(|report| (report.source, report.twin.id) == named)
    }

    /// Takes note of a report and returns what is to be booked for it, if anything: an earlier report of the same
    /// source, where it turns out that what was booked so far is the one that came last.
    pub fn book(&mut self, trade: &OwnTrade) -> Option<OwnTrade> {
        if self.has_seen(trade) {
            return None;
        }
        self.note(trade, false);
        let at = self.unbooked((trade.price, trade.qty), trade.source)?;
        self.reports[at].is_booked = true;
        let Twin { id, at, fee, tax } = self.reports[at].twin;
        let trade = trade.clone();
        Some(OwnTrade {
            id,
            at,
            fee,
            tax,
            ..trade
        })
    }

    /// Returns the sum of what was booked.
    pub fn booked(&self) -> Qty {
        let booked = self.reports.iter().filter(|report| report.is_booked);
        Qty::from_units(booked.map(|report| report.kind.1.units()).sum())
    }

    /// Takes in a trade that was booked in an earlier life. Why it was booked then is not on record: the reports that
    /// paired with others are not, so it counts as booked whatever the sources have shown since.
    pub fn was_booked(&mut self, trade: &OwnTrade) {
        if !self.has_seen(trade) {
            self.note(trade, true);
        }
    }

    /// Gives back memory that was set aside for more reports: none are expected.
    pub(crate) fn shrink(&mut self) {
        self.reports.shrink_to_fit();
    }

    fn note(&mut self, trade: &OwnTrade, is_booked: bool) {
        self.newest = self.newest.max(Some(trade.at));
        self.put(Report {
            kind: (trade.price, trade.qty),
            source: trade.source,
            twin: Twin::of(trade),
            is_booked,
        });
    }

    fn put(&mut self, report: Report) {
        let place = |known: &Report| (known.kind, known.source);
        let behind = (self.reports).partition_point(|known| place(known) <= place(&report));
        // A vector would set four aside; a trade has a report of each source.
        if self.reports.capacity() == self.reports.len() {
            self.reports.reserve_exact(self.reports.len().max(2));
        }
        self.reports.insert(behind, report);
    }

    /// Returns the place of a report of this source that no booked twin is like, if the source has shown more of the
    /// kind than were booked. Twins that are alike are booked in the order in which they came, so it was not itself.
    fn unbooked(&self, kind: Kind, source: TradeSource) -> Option<usize> {
        let twins = || self.reports.iter().filter(|report| report.kind == kind);
        let mut booked: Vec<Twin> = (twins().filter(|report| report.is_booked))
            .map(|report| report.twin)
            .collect();
        let is_shown = |report: &&Report| report.source == source;
        if twins().filter(is_shown).count() <= booked.len() {
            return None;
        }
        self.reports.iter().position(|report| {
            let like = booked.iter().position(|known| known.is_like(&report.twin));
            let is_its = report.kind == kind && report.source == source;
            is_its && like.map(|at| booked.swap_remove(at)).is_none()
        })
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
            .filter_map(|(s, id, price, qty)| book.book(&trade(*s, *id, *price, *qty)))
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
            if let Some(booked) = live.book(&report) {
                reborn.was_booked(&booked);
            }
        }
        for (source, id) in reports {
            let report = trade(source, id, 10, 5);
            assert_eq!(reborn.book(&report), None, "{source:?} {id}");
        }
        assert!(
            reborn.book(&trade(Rest, 902, 10, 5)).is_some(),
            "a third fill is one"
        );
    }

    #[test]
    fn fills_of_another_price_or_size_are_other_fills() {
        check(&[(Stream, 1, 10, 5), (Rest, 2, 11, 5), (Rest, 3, 10, 6)], 3);
    }

    /// Of two twins, one taken and one made, the stream shows the second alone; plays what comes after it and compares
    /// the fees in the order in which they were booked.
    fn check_twins(reports: &[(TradeSource, i64)]) {
        let report = |source, number: i64| OwnTrade {
            fee: Amount::from_units(i128::from(number)),
            at: Timestamp(number),
            ..trade(source, number, 10, 5)
        };
        let mut live = FillBook::default();
        let mut booked = vec![live.book(&report(Stream, 2)).expect("the first is new")];
        booked.extend(
            reports
                .iter()
                .filter_map(|(s, n)| live.book(&report(*s, *n))),
        );
        let stamps: Vec<i64> = booked.iter().map(|trade| trade.at.0).collect();
        assert_eq!(stamps, [2, 1], "{reports:?}");
        assert!(
            booked
                .iter()
                .all(|trade| trade.fee.units() == i128::from(trade.at.0))
        );
    }

    #[test]
    fn of_two_twins_the_one_that_was_not_booked_is_booked() {
        check_twins(&[(Rest, 1), (Rest, 2)]);
        check_twins(&[(Rest, 2), (Rest, 1)]);
        check_twins(&[(Rest, 1), (Stream, 1)]);
    }
}
