//! The level-2 book of each pair and how far it may be trusted (docs/EXCHANGE.md 11).
//!
//! Only a [`TrustedBook`] reaches a strategy or the gate; a book that is empty, syncing, stale or suspect is
//! a reason, not a value.

mod jump;
mod ladder;
mod pair;
#[cfg(test)]
pub(crate) mod tests;

use crate::core::{Core, Outbox};
use crate::ids::Symbol;
use crate::intent::BookStamp;
use crate::market::{BookChannel, Level, MarketEvent, Side};
use crate::money::Price;
use crate::msg::{BookEffect, BookIn};
use crate::time::Timestamp;
use pair::PairBook;
use std::fmt::Write;

/// Levels of each side that a view carries.
pub const VIEW_LEVELS: usize = 10;

/// The top of a book that may be traded on. Made by the book core only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedBook {
    symbol: Symbol,
    stamp: BookStamp,
    received: Timestamp,
    bids: [Level; VIEW_LEVELS],
    asks: [Level; VIEW_LEVELS],
    last_trade: Option<(Price, Timestamp)>,
}

impl TrustedBook {
    /// Returns the pair.
    pub const fn symbol(&self) -> Symbol {
        self.symbol
    }

    /// Returns which state of the book this is.
    pub const fn stamp(&self) -> BookStamp {
        self.stamp
    }

    /// Returns when the last frame of the book was received.
    pub const fn received(&self) -> Timestamp {
        self.received
    }

    /// Returns the best bid.
    pub const fn best_bid(&self) -> Level {
        self.bids[0]
    }

    /// Returns the best ask.
    pub const fn best_ask(&self) -> Level {
        self.asks[0]
    }

    /// Returns the middle of best bid and best ask, rounded down to 10^-8.
    pub fn mid(&self) -> Price {
        let (bid, ask) = (self.bids[0].price.units(), self.asks[0].price.units());
        Price::from_units(bid + (ask - bid) / 2)
    }

    /// Returns the best bids, best first; levels that do not exist have a price of zero.
    pub const fn bids(&self) -> &[Level; VIEW_LEVELS] {
        &self.bids
    }

    /// Returns the best asks, best first; levels that do not exist have a price of zero.
    pub const fn asks(&self) -> &[Level; VIEW_LEVELS] {
        &self.asks
    }

    /// Returns the last public trade and when it was received.
    pub const fn last_trade(&self) -> Option<(Price, Timestamp)> {
        self.last_trade
    }
}

/// Why a book may not be traded on; stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distrust {
    /// No session, or not joined.
    Empty,
    /// Waiting for the full book of this session.
    Syncing,
    /// No book frame for too long.
    ReceiveAge,
    /// Best bid at or above best ask.
    Crossed,
    /// Contradictory rows.
    Anomaly,
    /// The price moved too far at once and nothing confirmed it.
    PriceJump,
    /// A full book or the ticker disagrees.
    Mismatch,
    /// A side is empty.
    OneSided,
}

impl Distrust {
    /// Returns the stable code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Syncing => "syncing",
            Self::ReceiveAge => "receive_age",
            Self::Crossed => "book_crossed",
            Self::Anomaly => "book_anomaly",
            Self::PriceJump => "price_jump",
            Self::Mismatch => "crosscheck_mismatch",
            Self::OneSided => "one_sided",
        }
    }
}

/// What strategy and gate are told about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookView {
    /// May be traded on, for this turn.
    Trusted(TrustedBook),
    /// May not.
    Untrusted {
        /// The pair.
        symbol: Symbol,
        /// Why.
        why: Distrust,
        /// Since when.
        since: Timestamp,
    },
}

impl BookView {
    /// Returns the pair.
    pub const fn symbol(&self) -> Symbol {
        match self {
            Self::Trusted(book) => book.symbol,
            Self::Untrusted { symbol, .. } => *symbol,
        }
    }
}

/// What a book must keep to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookLimits {
    /// Without a book frame for this long a book is stale, milliseconds.
    pub age_ms_max: i64,
    /// A mid that moves this far within a second must be confirmed, basis points.
    pub jump_bps: i64,
    /// Best prices further than this from the ticker's disagree, basis points.
    pub crosscheck_bps: i64,
    /// Time between two comparisons with the ticker while they agree, milliseconds.
    pub crosscheck_ms: i64,
}

impl Default for BookLimits {
    /// The defaults of `[market]` in config/default.toml.
    fn default() -> Self {
        Self {
            age_ms_max: 2_000,
            jump_bps: 1_000,
            crosscheck_bps: 50,
            crosscheck_ms: 15_000,
        }
    }
}

/// What happened to the books of this process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookStats {
    /// Book frames of known pairs, of both channels.
    pub frames: u64,
    /// Full books among them.
    pub full_frames: u64,
    /// Differences among them that were applied.
    pub diff_frames: u64,
    /// Rows of the applied differences.
    pub level_changes: u64,
    /// Rows or windows that contradict what was held or documented.
    pub anomalies: u64,
    /// Full books asked for.
    pub resyncs: u64,
    /// Comparisons with a periodic full book or the ticker that did not agree.
    pub mismatches: u64,
    /// Times a book became crossed.
    pub crossed: u64,
}

/// The books of all pairs.
///
/// Times come with the inputs; `wake` at the deadline turns silence into distrust.
#[derive(Clone, Debug)]
pub struct Books {
    limits: BookLimits,
    /// Sorted by symbol.
    pairs: Vec<PairBook>,
    session: u32,
    stats: BookStats,
}

impl Books {
    /// Makes an empty book for each pair.
    pub fn new(limits: BookLimits, symbols: &[Symbol]) -> Self {
        let mut symbols = symbols.to_vec();
        symbols.sort_unstable();
        symbols.dedup();
        Self {
            limits,
            pairs: symbols.into_iter().map(PairBook::new).collect(),
            session: 0,
            stats: BookStats::default(),
        }
    }

    /// Returns the counters.
    pub const fn stats(&self) -> BookStats {
        self.stats
    }

    /// Returns what strategy and gate may know of a pair; `None` for a pair that is not followed.
    pub fn view(&self, symbol: Symbol) -> Option<BookView> {
        self.pair(symbol).map(PairBook::view)
    }

    /// Returns the visible levels of one side, best first; nothing for a pair that is not followed.
    pub fn levels(&self, symbol: Symbol, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.pair(symbol)
            .into_iter()
            .flat_map(move |pair| pair.levels(side))
    }

    /// Returns the change number of the last frame that was taken.
    pub fn change(&self, symbol: Symbol) -> Option<i64> {
        self.pair(symbol).map(PairBook::change)
    }

    /// Returns the book as lines of price and amount: bids best first, then asks best first. Its hash names the book.
    pub fn dump(&self, symbol: Symbol) -> String {
        let mut text = String::new();
        for level in self
            .levels(symbol, Side::Buy)
            .chain(self.levels(symbol, Side::Sell))
        {
            writeln!(text, "{} {}", level.price, level.qty)
                .expect("writing to a string cannot fail");
        }
        text
    }

    fn index(&self, symbol: Symbol) -> Option<usize> {
        self.pairs
            .binary_search_by_key(&symbol, PairBook::symbol)
            .ok()
    }

    fn pair(&self, symbol: Symbol) -> Option<&PairBook> {
        self.index(symbol).map(|index| &self.pairs[index])
    }

    fn restart(&mut self, now: Timestamp, why: Distrust, out: &mut Outbox<BookEffect>) {
        for pair in &mut self.pairs {
            pair.reset(now, self.session, why);
            out.push(BookEffect::View(pair.view()));
        }
    }

    fn take(&mut self, now: Timestamp, event: &MarketEvent, out: &mut Outbox<BookEffect>) {
        match event {
            MarketEvent::Full(full) => {
                self.turn(now, full.symbol, out, |pair, limits, stats| {
                    stats.frames += 1;
                    stats.full_frames += 1;
                    match full.channel {
                        BookChannel::Diff => pair.take_full(now, full, limits, stats),
                        BookChannel::Periodic => pair.compare_full(now, full, stats),
                    }
                });
            }
            MarketEvent::Diff(diff) => {
                self.turn(now, diff.symbol, out, |pair, limits, stats| {
                    stats.frames += 1;
                    let is_applied = pair.take_diff(now, diff, limits, stats);
                    stats.diff_frames += u64::from(is_applied);
                    is_applied
                });
            }
            MarketEvent::Ticker(ticker) => {
                self.turn(now, ticker.symbol, out, |pair, limits, stats| {
                    pair.compare_ticker(now, ticker, limits, stats);
                    false
                });
            }
            MarketEvent::Trade(trade) => self.turn(now, trade.symbol, out, |pair, _, _| {
                pair.take_trade(now, trade);
                false
            }),
            MarketEvent::Trades(trades) => {
                if let Some(newest) = trades.first() {
                    self.turn(now, newest.symbol, out, |pair, _, _| {
                        pair.take_trade(now, newest);
                        false
                    });
                }
            }
        }
    }

    /// Lets `step` change one pair and tells what came of it; `step` returns whether the view may have changed.
    fn turn(
        &mut self,
        now: Timestamp,
        symbol: Symbol,
        out: &mut Outbox<BookEffect>,
        step: impl FnOnce(&mut PairBook, &BookLimits, &mut BookStats) -> bool,
    ) {
        let Some(index) = self.index(symbol) else {
            return;
        };
        let pair = &mut self.pairs[index];
        let before = pair.doubt();
        let is_touched = step(pair, &self.limits, &mut self.stats);
        let after = pair.doubt();
        if before != after || (is_touched && after.is_none()) {
            out.push(BookEffect::View(pair.view()));
        }
        if pair.ask_resync(now) {
            self.stats.resyncs += 1;
            out.push(BookEffect::Resync(symbol));
        }
    }
}

impl Core for Books {
    type In = BookIn;
    type Effect = BookEffect;

    fn handle(&mut self, now: Timestamp, input: BookIn, out: &mut Outbox<BookEffect>) {
        match input {
            BookIn::SessionUp(session) => {
                self.session = session;
                self.restart(now, Distrust::Syncing, out);
            }
            BookIn::SessionDown => self.restart(now, Distrust::Empty, out),
            BookIn::Market(event) => self.take(now, &event, out),
            BookIn::Rejoined(symbol) => {
                let session = self.session;
                self.turn(now, symbol, out, |pair, _, _| {
                    if pair.doubt() != Some(Distrust::Empty) {
                        pair.reset(now, session, Distrust::Syncing);
                    }
                    false
                });
            }
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.pairs
            .iter()
            .filter_map(|pair| pair.deadline(&self.limits))
            .min()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<BookEffect>) {
        for index in 0..self.pairs.len() {
            let symbol = self.pairs[index].symbol();
            self.turn(now, symbol, out, |pair, limits, stats| {
                pair.check_age(now, limits, stats);
                false
            });
        }
    }
}
