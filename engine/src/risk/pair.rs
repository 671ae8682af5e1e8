//! What the gate knows of one pair: rules, market, mark, and when it last let something through.
//!
//! A mark is the middle of a trusted book; without one the last mark stays, and nothing looks fresher than it is.

use crate::book::{BookView, Distrust, TrustedBook};
use crate::ids::ClientId;
use crate::instrument::Instrument;
use crate::intent::{BookStamp, IntentClass, NewOrder, StrategyKind};
use crate::market::Side;
use crate::money::{Price, Qty};
use crate::msg::DeskView;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The part of a trusted book that the checks read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    pub(crate) bid: Price,
    pub(crate) bid_qty: Qty,
    pub(crate) ask: Price,
    pub(crate) ask_qty: Qty,
    pub(crate) mid: Price,
    pub(crate) stamp: BookStamp,
    pub(crate) received: Timestamp,
    pub(crate) last_trade: Option<(Price, Timestamp)>,
}

impl From<&TrustedBook> for Quoted {
    fn from(book: &TrustedBook) -> Self {
        Self {
            bid: book.best_bid().price,
            bid_qty: book.best_bid().qty,
            ask: book.best_ask().price,
            ask_qty: book.best_ask().qty,
            mid: book.mid(),
            stamp: book.stamp(),
            received: book.received(),
            last_trade: book.last_trade(),
        }
    }
}

/// The market of a pair as last heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Market {
    Trusted(Quoted),
    Untrusted(Distrust),
}

impl From<&BookView> for Market {
    fn from(view: &BookView) -> Self {
        match view {
            BookView::Trusted(book) => Self::Trusted(book.into()),
            BookView::Untrusted { why, .. } => Self::Untrusted(*why),
        }
    }
}

/// The last order that was let through on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passed {
    pub(crate) price: Price,
    pub(crate) qty: Qty,
    pub(crate) at: Timestamp,
}

/// What was let through on one pair; a restart knows it from the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passes {
    last: BTreeMap<Side, Passed>,
    entries: BTreeMap<Side, (ClientId, Timestamp)>,
}

impl Passes {
    pub(crate) fn note(&mut self, order: &NewOrder, at: Timestamp) {
        let intent = &order.intent;
        let passed = Passed {
            price: intent.limit,
            qty: intent.qty,
            at,
        };
        self.last.insert(intent.side, passed);
        if intent.class == IntentClass::Entry {
            self.entries.insert(intent.side, (order.client_id, at));
        }
    }

    /// An entry that never reached the exchange starts no cooldown.
    pub(crate) fn forget(&mut self, id: ClientId) {
        self.entries.retain(|_, (entry, _)| *entry != id);
    }

    pub(crate) fn last(&self, side: Side) -> Option<&Passed> {
        self.last.get(&side)
    }

    pub(crate) fn entered_at(&self, side: Side) -> Option<Timestamp> {
        self.entries.get(&side).map(|(_, at)| *at)
    }

    pub(crate) fn last_entry_at(&self) -> Option<Timestamp> {
        self.entries.values().map(|(_, at)| *at).max()
    }
}

/// The state of one pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) owner: StrategyKind,
    pub(crate) rules: Option<Instrument>,
    pub(crate) market: Market,
    pub(crate) mark: Option<Price>,
    pub(crate) told: Option<DeskView>,
    was_trusted: bool,
}

impl Pair {
    pub(crate) const fn new(owner: StrategyKind) -> Self {
        Self {
            owner,
            rules: None,
            market: Market::Untrusted(Distrust::Empty),
            mark: None,
            told: None,
            was_trusted: false,
        }
    }

    pub(crate) fn see(&mut self, market: Market) {
        if let Market::Trusted(quoted) = market {
            self.was_trusted = true;
            self.mark = Some(quoted.mid);
        }
        self.market = market;
    }

    pub(crate) const fn quoted(&self) -> Option<Quoted> {
        match self.market {
            Market::Trusted(quoted) => Some(quoted),
            Market::Untrusted(_) => None,
        }
    }

    /// Returns whether the book was trusted once and is not any longer.
    pub(crate) const fn has_fallen(&self) -> bool {
        self.was_trusted && self.quoted().is_none()
    }
}
