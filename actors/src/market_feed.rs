//! The MarketFeed actor: connects when the core asks, and hands frames on in their order.
//!
//! Market data that cannot be handed on costs the book its trust and brings a new session, never a skipped difference.
//! A private event that cannot be handed on shuts the gate: a lost fill is a lost fact.

use crate::clock::Clock;
use crate::driver::stream::{Command, Heard, Stream, StreamParts};
use crate::gate::Gate;
use crate::link::{Link, Sent, Tell};
use crate::observer::{Eyes, Market, Process};
use crate::risk_gate::shut;
use crate::shell::Perform;
use crate::system::Links;
use crate::venue::VenueIn;
use engine::budget::{ConnectPace, Spending};
use engine::core::Core;
use engine::feed::{Feed, FeedPast};
use engine::market::MarketEvent;
use engine::msg::{BookIn, FeedEffect, FeedIn, FeedNote, ReconcileIn, RouterIn};
use engine::supervisor::SupervisorIn;
use engine::time::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
async fn pump(mut frames: mpsc::Receiver<Heard>, feed: Link<FeedIn>) {
    while let Some(Heard { value, read_at }) = frames.recv().await {
        let mut waiting = Tell(value, Some(read_at));
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

/// Attempts that are remembered for a fresh feed: more than a minute may have.
const CONNECTS_KEPT: usize = 16;

/// What a fresh feed must know of those before it; shared by the feed's port, the supervisor's and the factory.
#[derive(Clone, Default)]
pub struct Approach(Arc<Mutex<FeedPast>>);

impl Approach {
    /// Goes on from an earlier start.
    pub fn resume(connects: Vec<Timestamp>, pace: ConnectPace) -> Self {
        let past = FeedPast {
            connects,
            attempts: 0,
            pace,
        };
        Self(Arc::new(Mutex::new(past)))
    }

    /// Returns what a fresh feed goes on from.
    pub fn past(&self) -> FeedPast {
        self.lock().clone()
    }

    /// The stream may be tried like this from here on.
    pub fn set_pace(&self, pace: ConnectPace) {
        self.lock().pace = pace;
    }

    fn attempted(&self, now: Timestamp, attempt: u32) {
        let mut past = self.lock();
        past.attempts = attempt;
        past.connects.push(now);
        if past.connects.len() > CONNECTS_KEPT {
            past.connects.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, FeedPast> {
        // Every holder leaves whole values behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where frames go.
pub struct MarketFeedPort {
    approach: Approach,
    source: StreamParts,
    session: Option<Session>,
    links: Links,
    is_simulated: bool,
    gate: Gate,
    eyes: Eyes,
    frames: u64,
    /// When the frame of this turn was read off the socket.
    read_at: Option<Timestamp>,
    /// The book missed something of this session: the rest of it is not for the book.
    is_place_lost: bool,
}

impl MarketFeedPort {
    /// Makes a port without a connection; the simulated venue of a dry run sees public trades too.
    pub fn new(
        source: StreamParts,
        approach: Approach,
        links: &Links,
        is_simulated: bool,
        gate: Gate,
        eyes: Eyes,
    ) -> Self {
        Self {
            approach,
            source,
            session: None,
            links: links.clone(),
            is_simulated,
            gate,
            eyes,
            frames: 0,
            read_at: None,
            is_place_lost: false,
        }
    }

    /// Tells the book that an earlier session is over.
    pub fn session_over(&mut self) {
        self.book(BookIn::SessionDown);
    }

    fn book(&mut self, input: BookIn) {
        let is_of_session = match input {
            BookIn::SessionUp(_) | BookIn::SessionDown => false,
            BookIn::Market(_) | BookIn::Rejoined(_) => true,
        };
        if self.is_place_lost && is_of_session {
            // Asked again: the first wish may have found its queue full.
            self.command(Command::Close);
            return;
        }
        let is_of_book = matches!(
            input,
            BookIn::Market(MarketEvent::Full(_) | MarketEvent::Diff(_))
        );
        let read_at = self.read_at.filter(|_| is_of_book);
        let sent = self.links.book.send_read(input, read_at);
        self.is_place_lost = sent != Sent::Delivered;
        if self.is_place_lost {
            // Only a new session brings full books for all pairs; what this one still says stands behind a gap.
            self.eyes.see(Process::LinkTrouble(
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
                .see(Process::LinkTrouble("feed_to_venue", "trade dropped"));
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
            self.eyes.see(Market::Frames(FRAMES_PER_REPORT));
        }
    }
}

impl MarketFeedPort {
    fn note(&self, now: Timestamp, note: FeedNote) {
        match note {
            FeedNote::Connecting(attempt, cost) => {
                self.approach.attempted(now, attempt);
                self.spend(cost);
            }
            FeedNote::Declined(count) => self.tell(SupervisorIn::HandshakesRefused(count)),
            FeedNote::Maintenance
            | FeedNote::Up(_)
            | FeedNote::Down(_)
            | FeedNote::Resyncing(_)
            | FeedNote::Unreadable
            | FeedNote::Refused => {}
        }
        self.eyes.see(Market::Feed(note));
    }

    fn spend(&self, cost: Spending) {
        self.tell(SupervisorIn::Spent(cost));
    }

    fn tell(&self, message: SupervisorIn) {
        if self.links.supervisor.send(message) != Sent::Delivered {
            shut(&self.gate, &self.eyes, "feed_to_supervisor");
        }
    }
}

impl Perform for MarketFeedPort {
    type Core = Feed;

    fn heard(&mut self, _clock: &Clock, read_at: Option<Timestamp>) {
        self.read_at = read_at;
    }

    fn perform(&mut self, now: Timestamp, effect: <Feed as Core>::Effect) {
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
                        .see(Process::LinkTrouble("feed_to_reconciler", "wish dropped"));
                }
            }
            FeedEffect::Note(note) => self.note(now, note),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::stream::tests::parts;
    use crate::gate::GateOwner;
    use crate::link::tests::Ear;
    use actix::Actor;
    use engine::ids::Symbol;
    use engine::market::{BookChannel, BookDiff, BookFull};

    fn symbol() -> Symbol {
        Symbol::parse("BTCTRY").expect("a pair")
    }

    fn diff(change: i64) -> BookIn {
        BookIn::Market(MarketEvent::Diff(BookDiff {
            symbol: symbol(),
            change,
            bids: Vec::new(),
            asks: Vec::new(),
        }))
    }

    fn full(change: i64) -> BookIn {
        BookIn::Market(MarketEvent::Full(BookFull {
            channel: BookChannel::Diff,
            symbol: symbol(),
            change,
            bids: Vec::new(),
            asks: Vec::new(),
        }))
    }

    #[actix_rt::test]
    async fn full_book_mailbox_ends_the_session_and_skips_no_difference() {
        let (tell, mut heard) = mpsc::unbounded_channel();
        let links = Links::default();
        let book = Ear::create(|ctx| {
            ctx.set_mailbox_capacity(1);
            Ear(tell)
        });
        links.book.publish(book.recipient());
        let (commands, mut asked) = mpsc::channel(8);
        let mut port = MarketFeedPort::new(
            parts("ws://127.0.0.1:1"),
            Approach::default(),
            &links,
            false,
            GateOwner::new().gate(),
            Eyes::default(),
        );
        port.session = Some(Session {
            commands,
            pump: actix_rt::spawn(std::future::pending()),
        });
        let now = Timestamp::from_ms(1_700_000_000_000);
        let mut say = |input| port.perform(now, FeedEffect::Book(input));
        // Nothing runs between these, so the book reads none of them.
        let mut sent = 0;
        while links.book.fulls() == 0 {
            sent += 1;
            assert!(sent < 100, "a mailbox of one takes everything");
            say(diff(sent));
        }
        assert_eq!(asked.try_recv(), Ok(Command::Close), "a new session");
        // Now there is room again, and the old session's last differences come behind a gap.
        let mut taken = Vec::new();
        while taken.len() + 1 < usize::try_from(sent).expect("a few") {
            taken.push(heard.recv().await.expect("the book reads"));
        }
        say(diff(sent + 1));
        assert_eq!(asked.try_recv(), Ok(Command::Close), "asked again");
        say(BookIn::SessionDown);
        assert_eq!(heard.recv().await, Some(BookIn::SessionDown));
        say(BookIn::SessionUp(2));
        assert_eq!(heard.recv().await, Some(BookIn::SessionUp(2)));
        say(full(90));
        assert_eq!(heard.recv().await, Some(full(90)));
        say(diff(91));
        assert_eq!(heard.recv().await, Some(diff(91)));
    }
}
