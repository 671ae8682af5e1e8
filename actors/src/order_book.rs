//! The OrderBook actor: hands each pair's view to gate, strategy, venue and status.
//!
//! The gate hears first: an intent can then never be judged on an older book than the one it was made on.

use crate::clock::Clock;
use crate::link::{Link, Sent};
use crate::metrics::Metrics;
use crate::observer::{Eyes, Market, Process};
use crate::shell::Perform;
use crate::venue::VenueIn;
use engine::book::{BookView, Books};
use engine::core::Core;
use engine::msg::{BookEffect, FeedIn, RiskIn, StrategyIn};
use engine::time::Timestamp;

/// Frames that may wait; beyond it the feed resynchronises.
pub const MAILBOX: usize = 1_024;

/// Where views go.
pub struct OrderBookPort {
    /// The gate.
    pub risk: Link<RiskIn>,
    /// The strategies.
    pub strategy: Link<StrategyIn>,
    /// The simulated venue of a dry run.
    pub venue: Option<Link<VenueIn>>,
    /// The feed, for resyncs.
    pub feed: Link<FeedIn>,
    /// Status and log.
    pub eyes: Eyes,
    /// How long frames take to the book: measured here, because a report for each would fill the observer's mailbox.
    pub metrics: Metrics,
}

impl OrderBookPort {
    fn view(&self, view: BookView) {
        // A view that is not taken is replaced by the next one; the gate also refuses a book that has grown old.
        if self.risk.send(RiskIn::Book(view)) != Sent::Delivered {
            self.eyes
                .see(Process::LinkTrouble("book_to_risk", "view dropped"));
        }
        if self.strategy.send(StrategyIn::Book(view)) != Sent::Delivered {
            self.eyes
                .see(Process::LinkTrouble("book_to_strategy", "view dropped"));
        }
        if let Some(venue) = &self.venue
            && venue.send(VenueIn::Book(view)) != Sent::Delivered
        {
            self.eyes
                .see(Process::LinkTrouble("book_to_venue", "view dropped"));
        }
        self.eyes.see(Market::Book(view));
    }
}

impl Perform for OrderBookPort {
    type Core = Books;

    fn heard(&mut self, clock: &Clock, read_at: Option<Timestamp>) {
        if let Some(read_at) = read_at {
            let took_us = clock.now().0.saturating_sub(read_at.0);
            self.metrics.frame_applied(took_us);
        }
    }

    fn perform(&mut self, _now: Timestamp, effect: <Books as Core>::Effect) {
        match effect {
            BookEffect::View(view) => self.view(view),
            BookEffect::Resync(symbol) => {
                if self.feed.send(FeedIn::Resync(symbol)) != Sent::Delivered {
                    self.eyes
                        .see(Process::LinkTrouble("book_to_feed", "resync dropped"));
                }
            }
        }
    }
}
