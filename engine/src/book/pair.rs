//! One pair's book and every check that decides whether it may be traded on.
//!
//! Trust is one value: no doubt, or the reason for it. A full book of `obdiff` settles every doubt; a periodic full
//! book or the ticker settles only the two that are about time, silence and a sudden price.

use super::jump::{JumpGuard, is_beyond};
use super::ladder::{DIFFERENCES_MAX, Difference, Fit, Ladder};
use super::{BookLimits, BookStats, BookView, Distrust, TrustedBook};
use crate::ids::Symbol;
use crate::intent::BookStamp;
use crate::market::{BookDiff, BookFull, Level, LevelChange, PublicTrade, Side, Ticker};
use crate::money::Price;
use crate::pacing::Tally;
use crate::time::Timestamp;

/// Contradictory rows within [`ANOMALY_WINDOW_MS`] that make a book suspect.
pub(crate) const ANOMALIES_MAX: usize = 3;
/// How long a contradictory row counts, milliseconds.
const ANOMALY_WINDOW_MS: i64 = 60_000;
/// How long a jump may wait for the ticker, milliseconds.
const JUMP_CONFIRM_MS: i64 = 2_000;
/// Least time between two requests for a full book of one pair, and the patience with a join, milliseconds.
pub(crate) const RESYNC_MS_MIN: i64 = 5_000;
/// How often that time doubles while requests bring no book: a pair that the exchange does not list is asked for every
/// 80 s.
const RESYNC_DOUBLINGS_MAX: u32 = 4;
/// Disagreements in a row that make a book suspect.
const DISAGREEMENTS_MAX: u32 = 2;

#[derive(Clone, Debug)]
pub(crate) struct PairBook {
    symbol: Symbol,
    bids: Ladder,
    asks: Ladder,
    session: u32,
    change: i64,
    doubt: Option<Distrust>,
    since: Timestamp,
    received: Timestamp,
    last_trade: Option<(Price, Timestamp)>,
    anomalies: Tally,
    jumps: JumpGuard,
    equal_change_disagreements: u32,
    differences: Vec<Difference>,
    differences_before: Vec<Difference>,
    ticker_disagreements: u32,
    ticker_due: Timestamp,
    resync_asked: Option<Timestamp>,
    resyncs_in_vain: u32,
}

impl PairBook {
    pub(crate) fn new(symbol: Symbol) -> Self {
        Self {
            symbol,
            bids: Ladder::new(Side::Buy),
            asks: Ladder::new(Side::Sell),
            session: 0,
            change: 0,
            doubt: Some(Distrust::Empty),
            since: Timestamp::default(),
            received: Timestamp::default(),
            last_trade: None,
            anomalies: Tally::new(ANOMALY_WINDOW_MS, ANOMALIES_MAX),
            jumps: JumpGuard::default(),
            equal_change_disagreements: 0,
            differences: Vec::with_capacity(DIFFERENCES_MAX),
            differences_before: Vec::with_capacity(DIFFERENCES_MAX),
            ticker_disagreements: 0,
            ticker_due: Timestamp::default(),
            resync_asked: None,
            resyncs_in_vain: 0,
        }
    }

    pub(crate) const fn symbol(&self) -> Symbol {
        self.symbol
    }

    pub(crate) const fn doubt(&self) -> Option<Distrust> {
        self.doubt
    }

    pub(crate) const fn change(&self) -> i64 {
        self.change
    }

    pub(crate) fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        match side {
            Side::Buy => self.bids.levels(),
            Side::Sell => self.asks.levels(),
        }
    }

    /// Forgets the book: the session ended (`Empty`), or it began or was joined anew (`Syncing`).
    pub(crate) fn reset(&mut self, now: Timestamp, session: u32, why: Distrust) {
        self.bids.clear();
        self.asks.clear();
        if session != self.session {
            self.resyncs_in_vain = 0;
        }
        self.session = session;
        self.jumps.clear();
        self.forget_evidence(now);
        self.doubt = Some(why);
        self.since = now;
    }

    /// Takes the full book that begins a stream of differences. Returns whether it was taken.
    pub(crate) fn take_full(
        &mut self,
        now: Timestamp,
        full: &BookFull,
        limits: &BookLimits,
        stats: &mut BookStats,
    ) -> bool {
        if self.doubt == Some(Distrust::Empty) {
            return false;
        }
        let is_sound = self.bids.replace(&full.bids) & self.asks.replace(&full.asks);
        self.change = full.change;
        self.received = now;
        self.forget_evidence(now);
        if self.doubt.is_some() {
            self.jumps.clear();
        }
        let verdict = if is_sound {
            self.shape()
        } else {
            stats.anomalies += 1;
            Some(Distrust::Anomaly)
        };
        self.settle(now, verdict, stats);
        self.check_jump(now, limits, stats);
        true
    }

    /// Applies a difference. Returns whether it was applied.
    pub(crate) fn take_diff(
        &mut self,
        now: Timestamp,
        diff: &BookDiff,
        limits: &BookLimits,
        stats: &mut BookStats,
    ) -> bool {
        let is_unknown = match self.doubt {
            Some(Distrust::Empty | Distrust::Syncing) => true,
            Some(
                Distrust::ReceiveAge
                | Distrust::Crossed
                | Distrust::Anomaly
                | Distrust::PriceJump
                | Distrust::Mismatch
                | Distrust::OneSided,
            )
            | None => false,
        };
        if is_unknown || diff.change <= self.change {
            return false;
        }
        self.change = diff.change;
        self.received = now;
        stats.level_changes += (diff.bids.len() + diff.asks.len()) as u64;
        self.apply(now, Side::Buy, &diff.bids, stats);
        self.apply(now, Side::Sell, &diff.asks, stats);
        if let Some(why) = self.shape() {
            self.raise(now, why, stats);
        }
        self.check_jump(now, limits, stats);
        true
    }

    fn apply(&mut self, now: Timestamp, side: Side, rows: &[LevelChange], stats: &mut BookStats) {
        let ladder = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let (mut contradictions, mut bad_values) = (0, 0);
        for row in rows {
            match ladder.apply(*row) {
                Fit::Good => {}
                Fit::Contradiction => contradictions += 1,
                Fit::BadValue => bad_values += 1,
            }
        }
        contradictions += ladder.cut();
        stats.anomalies += (contradictions + bad_values) as u64;
        let is_often = (0..contradictions).any(|_| self.anomalies.add(now) >= ANOMALIES_MAX);
        if bad_values > 0 || is_often {
            self.raise(now, Distrust::Anomaly, stats);
        }
    }

    /// Compares a full book of the beat with what is held. Returns whether it was of use.
    ///
    /// Its change number may be ahead of the last difference, and each channel is conflated for itself, so one
    /// difference proves nothing. The same number twice, or the same level wrong twice, does.
    pub(crate) fn compare_full(
        &mut self,
        now: Timestamp,
        full: &BookFull,
        stats: &mut BookStats,
    ) -> bool {
        if matches!(self.doubt, Some(Distrust::Empty | Distrust::Syncing)) {
            return false;
        }
        self.received = now;
        std::mem::swap(&mut self.differences, &mut self.differences_before);
        self.differences.clear();
        self.bids.differences(&full.bids, &mut self.differences);
        self.asks.differences(&full.asks, &mut self.differences);
        if self.differences.is_empty() {
            self.equal_change_disagreements = 0;
            self.confirm(now);
            return true;
        }
        stats.mismatches += 1;
        self.equal_change_disagreements = if full.change == self.change {
            self.equal_change_disagreements + 1
        } else {
            0
        };
        let persists = self
            .differences
            .iter()
            .any(|difference| self.differences_before.contains(difference));
        if persists || self.equal_change_disagreements >= DISAGREEMENTS_MAX {
            self.raise(now, Distrust::Mismatch, stats);
        }
        true
    }

    /// Compares best prices with the ticker's.
    pub(crate) fn compare_ticker(
        &mut self,
        now: Timestamp,
        ticker: &Ticker,
        limits: &BookLimits,
        stats: &mut BookStats,
    ) {
        let (Some(bid), Some(ask)) = (self.bids.best(), self.asks.best()) else {
            return;
        };
        // A side that nobody quotes is zero in the ticker.
        let differs = |sent: Price, held: Price| {
            sent.is_positive() && is_beyond(held, sent, limits.crosscheck_bps)
        };
        let is_apart = differs(ticker.bid, bid.price) || differs(ticker.ask, ask.price);
        let is_in_time = now < self.since.plus_ms(JUMP_CONFIRM_MS);
        if self.doubt == Some(Distrust::PriceJump) && !is_apart && is_in_time {
            self.confirm(now);
        }
        if self.ticker_disagreements == 0 && now < self.ticker_due {
            return;
        }
        if !is_apart {
            self.ticker_disagreements = 0;
            self.ticker_due = now.plus_ms(limits.crosscheck_ms);
            return;
        }
        stats.mismatches += 1;
        self.ticker_disagreements += 1;
        if self.ticker_disagreements >= DISAGREEMENTS_MAX {
            self.raise(now, Distrust::Mismatch, stats);
        }
    }

    /// Remembers the last trade, as old as the older of both stamps says.
    pub(crate) fn take_trade(&mut self, now: Timestamp, trade: &PublicTrade) {
        if trade.price.is_positive() {
            self.last_trade = Some((trade.price, now.min(trade.at)));
        }
    }

    /// Revokes trust when no frame came for too long.
    pub(crate) fn check_age(&mut self, now: Timestamp, limits: &BookLimits, stats: &mut BookStats) {
        if self.doubt.is_none() && now >= self.received.plus_ms(limits.age_ms_max) {
            self.raise(now, Distrust::ReceiveAge, stats);
        }
    }

    /// Returns whether a full book is to be asked for, at most once per [`RESYNC_MS_MIN`] and less often while that brings
    /// none.
    pub(crate) fn ask_resync(&mut self, now: Timestamp) -> bool {
        let is_due = self.resync_at().is_some_and(|at| at <= now);
        if is_due {
            self.resync_asked = Some(now);
            self.resyncs_in_vain += 1;
        }
        is_due
    }

    /// Returns when this pair wants to be looked at without a frame.
    pub(crate) fn deadline(&self, limits: &BookLimits) -> Option<Timestamp> {
        match self.doubt {
            None => Some(self.received.plus_ms(limits.age_ms_max)),
            Some(_) => self.resync_at(),
        }
    }

    /// Returns what strategy and gate may know.
    pub(crate) fn view(&self) -> BookView {
        match self.doubt {
            Some(why) => BookView::Untrusted {
                symbol: self.symbol,
                why,
                since: self.since,
            },
            None => BookView::Trusted(TrustedBook {
                symbol: self.symbol,
                stamp: BookStamp {
                    session: self.session,
                    change: self.change,
                },
                received: self.received,
                bids: self.bids.top(),
                asks: self.asks.top(),
                last_trade: self.last_trade,
            }),
        }
    }

    fn resync_at(&self) -> Option<Timestamp> {
        let patience_ms = match self.doubt? {
            Distrust::Empty => return None,
            Distrust::Syncing => RESYNC_MS_MIN,
            Distrust::PriceJump => JUMP_CONFIRM_MS,
            Distrust::ReceiveAge
            | Distrust::Crossed
            | Distrust::Anomaly
            | Distrust::Mismatch
            | Distrust::OneSided => 0,
        };
        let doublings = self.resyncs_in_vain.saturating_sub(1);
        let apart_ms = RESYNC_MS_MIN << doublings.min(RESYNC_DOUBLINGS_MAX);
        let spaced = self.resync_asked.map(|asked| asked.plus_ms(apart_ms));
        Some(self.since.plus_ms(patience_ms)).max(spaced)
    }

    fn shape(&self) -> Option<Distrust> {
        match (self.bids.best(), self.asks.best()) {
            (Some(bid), Some(ask)) if bid.price < ask.price => None,
            (Some(_), Some(_)) => Some(Distrust::Crossed),
            (Some(_) | None, None) | (None, Some(_)) => Some(Distrust::OneSided),
        }
    }

    fn check_jump(&mut self, now: Timestamp, limits: &BookLimits, stats: &mut BookStats) {
        if let BookView::Trusted(book) = self.view()
            && self.jumps.jumps(now, book.mid(), limits.jump_bps)
        {
            self.raise(now, Distrust::PriceJump, stats);
        }
    }

    /// Ends the doubts that a second witness can end.
    fn confirm(&mut self, now: Timestamp) {
        if matches!(self.doubt, Some(Distrust::PriceJump | Distrust::ReceiveAge)) {
            self.jumps.clear();
            self.doubt = None;
            self.since = now;
        }
    }

    /// Adds a doubt; one that only a full book can end is not replaced by another.
    fn raise(&mut self, now: Timestamp, why: Distrust, stats: &mut BookStats) {
        let is_open = match self.doubt {
            None => true,
            Some(Distrust::PriceJump | Distrust::ReceiveAge) => {
                !matches!(why, Distrust::PriceJump | Distrust::ReceiveAge)
            }
            Some(
                Distrust::Empty
                | Distrust::Syncing
                | Distrust::Crossed
                | Distrust::Anomaly
                | Distrust::Mismatch
                | Distrust::OneSided,
            ) => false,
        };
        if is_open {
            self.settle(now, Some(why), stats);
        }
    }

    fn settle(&mut self, now: Timestamp, verdict: Option<Distrust>, stats: &mut BookStats) {
        if self.doubt == verdict {
            return;
        }
        if verdict == Some(Distrust::Crossed) {
            stats.crossed += 1;
        }
        if verdict.is_none() {
            self.resyncs_in_vain = 0;
        }
        self.doubt = verdict;
        self.since = now;
    }

    fn forget_evidence(&mut self, now: Timestamp) {
        self.anomalies.clear();
        self.differences.clear();
        self.differences_before.clear();
        self.equal_change_disagreements = 0;
        self.ticker_disagreements = 0;
        self.ticker_due = now;
    }
}
