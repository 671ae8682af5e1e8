//! The level-2 book of each pair and how far it may be trusted.
//!
//! Only a [`TrustedBook`] reaches a strategy or the gate; a book that is empty, syncing, stale or suspect is
//! a reason, not a value.

use crate::ids::Symbol;
use crate::intent::BookStamp;
use crate::market::Level;
use crate::money::Price;
use crate::time::Timestamp;

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
