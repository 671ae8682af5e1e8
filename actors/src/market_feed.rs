//! The MarketFeed actor: connects when the core asks, and hands frames on in their order.
//!
//! Market data that cannot be handed on costs the book its trust and brings a new session, never a skipped difference.
//! A private event that cannot be handed on shuts the gate: a lost fill is a lost fact.

use crate::driver::stream::{Command, Stream, StreamParts};
use crate::gate::Gate;
use crate::link::{Link, Sent};
use crate::observer::{Eyes, Observed};
use crate::risk_gate::shut;
use crate::shell::Perform;
use crate::system::Links;
use crate::venue::VenueIn;
use engine::core::Core;
use engine::feed::Feed;
use engine::market::MarketEvent;
use engine::msg::{BookIn, FeedEffect, FeedIn, ReconcileIn, RouterIn};
use engine::time::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Frames that may wait; beyond it the driver stops reading.
pub const MAILBOX: usize = 1_024;
/// Frames between two reports of their number.
const FRAMES_PER_REPORT: u64 = 64;

/// A session, or an attempt at one. Dropping it ends it without a word.
struct Session {
    commands: mpsc::Sender<Command>,
    pump: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Session {
    fn open(parts: StreamParts, feed: Link<FeedIn>) -> Self {
        let (commands, frames) = Stream::open(parts).split();
        let pump = actix_rt::spawn(pump(frames, feed));
        Self { commands, pump }
    }

    /// A session that takes no commands is over: `Disconnected` follows, and an unanswered join times out.
    fn command(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::debug!(event = "stream_command_dropped");
        }
    }
}

/// Hands frames to the feed one by one; a full mailbox slows the socket, because nothing is read meanwhile.
async fn pump(mut frames: mpsc::Receiver<FeedIn>, feed: Link<FeedIn>) {
    while let Some(frame) = frames.recv().await {
        let mut waiting = frame;
        loop {
            match feed.try_hand_over(waiting) {
                Ok(()) => break,
                Err((Sent::Full, back)) => {
                    waiting = back;
                    tokio::task::yield_now().await;
                }
                Err((Sent::Down | Sent::Delivered, _)) => return,
            }
        }
    }
}

/// Where frames go.
pub struct MarketFeedPort {
    source: StreamParts,
    session: Option<Session>,
    links: Links,
    is_simulated: bool,
    gate: Gate,
    eyes: Eyes,
    frames: u64,
}

impl MarketFeedPort {
    /// Makes a port without a connection; the simulated venue of a dry run sees public trades too.
    pub fn new(
        source: StreamParts,
        links: &Links,
        is_simulated: bool,
        gate: Gate,
        eyes: Eyes,
    ) -> Self {
        Self {
            source,
            session: None,
            links: links.clone(),
            is_simulated,
            gate,
            eyes,
            frames: 0,
        }
    }

    /// Tells the book that an earlier session is over.
    pub fn session_over(&self) {
        self.book(BookIn::SessionDown);
    }

    fn book(&self, input: BookIn) {
        let sent = self.links.book.send(input);
        if sent != Sent::Delivered {
            // The book has lost its place in the stream: only a new session brings full books for all pairs.
            self.eyes.see(Observed::LinkTrouble(
                "feed_to_book",
                "not delivered, new session",
            ));
            self.command(Command::Close);
        }
    }

    fn venue(&self, input: &BookIn) {
        if let BookIn::Market(MarketEvent::Trade(trade)) = input
            && self.is_simulated
            && self.links.venue.send(VenueIn::Trade(*trade)) != Sent::Delivered
        {
            self.eyes
                .see(Observed::LinkTrouble("feed_to_venue", "trade dropped"));
        }
    }

    fn command(&self, command: Command) {
        if let Some(session) = &self.session {
            session.command(command);
        }
    }

    fn count(&mut self) {
        self.frames += 1;
        if self.frames.is_multiple_of(FRAMES_PER_REPORT) {
            self.eyes.see(Observed::Frames(FRAMES_PER_REPORT));
        }
    }
}

impl Perform for MarketFeedPort {
    type Core = Feed;

    fn perform(&mut self, _now: Timestamp, effect: <Feed as Core>::Effect) {
        match effect {
            FeedEffect::Connect => {
                self.session = Some(Session::open(self.source.clone(), self.links.feed.clone()))
            }
            FeedEffect::Close => self.command(Command::Close),
            FeedEffect::Join(channel, symbol) => self.command(Command::Join(channel, symbol)),
            FeedEffect::Leave(channel, symbol) => self.command(Command::Leave(channel, symbol)),
            FeedEffect::Login => self.command(Command::Login),
            FeedEffect::Book(input) => {
                self.count();
                self.venue(&input);
                self.book(input);
            }
            FeedEffect::Private(event) => {
                self.count();
                if self.links.router.send(RouterIn::Private(event)) != Sent::Delivered {
                    shut(&self.gate, &self.eyes, "feed_to_router");
                }
            }
            FeedEffect::PrivateUp => {
                if self.links.reconciler.send(ReconcileIn::Now) != Sent::Delivered {
                    self.eyes
                        .see(Observed::LinkTrouble("feed_to_reconciler", "wish dropped"));
                }
            }
            FeedEffect::Note(note) => self.eyes.see(Observed::Feed(note)),
        }
    }
}
