//! The stream: sessions, joins, frames in their order, and the private part that may be silent, late or twice.
//!
//! The exchange's side of a socket is kept in [`Socket`](crate::life::Socket): what was joined, and what it hides.

use crate::planted::Plant;
use crate::wire;
use crate::world::{Happening, World};
use engine::answer::PrivateEvent;
use engine::desk::DeskIn;
use engine::ids::Symbol;
use engine::market::{BookChannel, MarketEvent};
use engine::msg::{Channel, FeedIn};
use engine::time::Timestamp;
use simulator::exchange::{Event, PrivateEvent as Said};

/// A frame's way, milliseconds.
const FRAME_MS: (i64, i64) = (1, 15);
/// A late private event, milliseconds.
const LATE_MS: (i64, i64) = (500, 10_000);
/// From the wish to the open socket, milliseconds.
const CONNECT_MS: (i64, i64) = (5, 200);
/// While it storms, a frame ends its session this often, per million: sessions of a second or two.
const STORM_RESET: u32 = 30_000;
/// A stretch of storm, milliseconds, and the connects in it that a back-off up to 30 s comes to with a chance of less
/// than one in a million.
const STORM_MS: i64 = 120_000;
const STORM_CONNECTS_MAX: usize = 18;
/// Connects that fail are this many times as likely as frames that break.
const CONNECT_FAILS: u32 = 20;

impl World {
    pub(crate) fn connect(&mut self) {
        self.judge_connect();
        let wait_ms = self.dice.between(CONNECT_MS.0, CONNECT_MS.1);
        let fails = self.dice.chance(self.faults.stream_reset * CONNECT_FAILS);
        let is_private_silent = self.dice.chance(self.faults.private_silent);
        let Some(life) = self.life.as_mut() else {
            return;
        };
        let session = life.socket.session + 1;
        life.socket = crate::life::Socket {
            session,
            is_private_silent,
            ..Default::default()
        };
        let number = life.number;
        let frame = if fails {
            FeedIn::Disconnected
        } else {
            FeedIn::Connected
        };
        self.after(wait_ms, Happening::Frame(number, session, frame));
    }

    /// Sessions that end at once are spaced more and more: the hard limit alone lets ten a minute through.
    fn judge_connect(&mut self) {
        let now = self.now;
        let Some(life) = self.life.as_mut() else {
            return;
        };
        if !self.plan.storm || life.number != self.storm_of {
            self.storm_of = life.number;
            self.connects_at.clear();
        }
        let is_past = |at: &Timestamp| now.ms_since(*at) >= STORM_MS;
        while self.connects_at.pop_front_if(|at| is_past(at)).is_some() {}
        self.connects_at.push_back(now);
        let connects = self.connects_at.len();
        if self.plan.storm && connects > STORM_CONNECTS_MAX {
            let seen = format!("{connects} within {STORM_MS} ms");
            self.oracle.broken(self.now, "reconnects_back_off", seen);
        }
    }

    pub(crate) fn close(&mut self) {
        if let Some(life) = self.life.as_mut() {
            life.socket.is_open = false;
            life.socket.joined.clear();
        }
    }

    pub(crate) fn join(&mut self, channel: Channel, symbol: Symbol) {
        if !self.is_stream_up() {
            return;
        }
        if let Some(life) = self.life.as_mut() {
            life.socket.joined.insert((channel, symbol));
        }
        let text = wire::joined(channel, symbol);
        self.push_frame(FeedIn::Ack { ok: true, text });
        let pair = self.pair_of(symbol).filter(|_| channel == Channel::Diff);
        if let Some(pair) = pair {
            let mut full = self.exchange.book_full(pair, BookChannel::Diff);
            self.note_book(pair);
            if let (Some(Plant::DiffOnOldBook), Some(before)) =
                (self.plant, self.shown.swap_full(&full))
            {
                (full.bids, full.asks) = (before.bids, before.asks);
            }
            self.push_frame(FeedIn::Market(MarketEvent::Full(full)));
        }
    }

    pub(crate) fn leave(&mut self, channel: Channel, symbol: Symbol) {
        if let Some(life) = self.life.as_mut() {
            life.socket.joined.remove(&(channel, symbol));
        }
    }

    pub(crate) fn login(&mut self) {
        if !self.is_stream_up() {
            return;
        }
        if let Some(life) = self.life.as_mut() {
            life.socket.is_private = true;
        }
        let login = PrivateEvent::Login {
            ok: true,
            user_id: 1,
        };
        self.push_frame(FeedIn::Private(login));
    }

    fn is_stream_up(&self) -> bool {
        let socket = self.life.as_ref().map(|life| &life.socket);
        socket.is_some_and(|socket| socket.is_open && !socket.is_silent)
    }

    /// Frames of a session keep their order.
    fn push_frame(&mut self, frame: FeedIn) {
        let way_ms = self.dice.between(FRAME_MS.0, FRAME_MS.1);
        let now = self.now;
        let Some(life) = self.life.as_mut() else {
            return;
        };
        let at = now.plus_ms(way_ms).max(life.socket.last_at);
        life.socket.last_at = at;
        let (number, session) = (life.number, life.socket.session);
        self.at(at, Happening::Frame(number, session, frame));
    }

    pub(crate) fn frame(&mut self, session: u32, frame: FeedIn) {
        let Some(socket) = self.life.as_mut().map(|life| &mut life.socket) else {
            return;
        };
        if socket.session != session {
            return;
        }
        match &frame {
            FeedIn::Connected => socket.is_open = true,
            FeedIn::Disconnected => socket.is_open = false,
            FeedIn::Declined(_)
            | FeedIn::Pace(_)
            | FeedIn::Limits(_)
            | FeedIn::Version
            | FeedIn::Ack { .. }
            | FeedIn::Market(_)
            | FeedIn::Private(_)
            | FeedIn::Ignored
            | FeedIn::Unreadable
            | FeedIn::Resync(_) => {
                if !socket.is_open {
                    return;
                }
            }
        }
        self.tell(DeskIn::Feed(frame));
    }

    /// Something happened at the exchange: whoever has joined is told.
    pub(crate) fn publish(&mut self, event: &Event) {
        if !self.is_stream_up() {
            return;
        }
        if let Event::Private { account, event } = event {
            if *account == self.account {
                self.publish_private(event);
            }
            return;
        }
        if let Event::BookDiff { pair, .. } = event {
            self.note_book(*pair);
        }
        let Some(socket) = self.life.as_ref().map(|life| &life.socket) else {
            return;
        };
        let Some((channel, symbol, event)) = wire::public(event, self.exchange.pairs()) else {
            return;
        };
        if !socket.joined.contains(&(channel, symbol)) {
            return;
        }
        if self.breaks() {
            return;
        }
        if channel == Channel::Diff && self.dice.chance(self.faults.diff_lost) {
            return;
        }
        self.push_frame(FeedIn::Market(event));
    }

    /// Rolls for the end of the session; returns whether the frame is lost with it.
    fn breaks(&mut self) -> bool {
        let is_storm = self.plan.storm && !self.has_healed;
        let reset = if is_storm {
            STORM_RESET
        } else {
            self.faults.stream_reset
        };
        if self.dice.chance(reset) {
            self.push_frame(FeedIn::Disconnected);
            self.close();
            return true;
        }
        if self.dice.chance(self.faults.stream_silent) {
            if let Some(life) = self.life.as_mut() {
                life.socket.is_silent = true;
            }
            return true;
        }
        false
    }

    fn publish_private(&mut self, said: &Said) {
        let socket = self.life.as_ref().map(|life| &life.socket);
        if !socket.is_some_and(|socket| socket.is_private && !socket.is_private_silent) {
            return;
        }
        if self.dice.chance(self.faults.private_lost) || self.is_withheld(said) {
            return;
        }
        let event = wire::private(said, self.exchange.pairs());
        if self.dice.chance(self.faults.private_twice) {
            self.push_frame(FeedIn::Private(event.clone()));
        }
        if !self.dice.chance(self.faults.private_late) {
            self.push_frame(FeedIn::Private(event));
            return;
        }
        let late_ms = self.dice.between(LATE_MS.0, LATE_MS.1);
        let Some(life) = self.life.as_ref() else {
            return;
        };
        let (number, session) = (life.number, life.socket.session);
        let frame = FeedIn::Private(event);
        self.after(late_ms, Happening::Frame(number, session, frame));
    }

    /// A planted bug keeps it back.
    fn is_withheld(&self, said: &Said) -> bool {
        match said {
            Said::Inserted(note) | Said::Deleted(note) => {
                self.is_untold(wire::ours(note.echo.as_ref()))
            }
            Said::Matched { echo, .. } => self.is_untold(wire::ours(echo.as_ref())),
            Said::Traded { fill, echo } => {
                self.is_untold(wire::ours(echo.as_ref()))
                    || self.is_later_trade(fill.order_id, fill.id)
            }
            Said::BalanceHint { .. } => false,
        }
    }
}
