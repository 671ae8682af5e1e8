//! WebSocket connections, without sockets: what each has joined, who it is, and what waits to be sent to it.
//!
//! Whoever owns the sockets feeds text in and takes frames out. A reader that does not take its frames is cut when
//! they exceed the send buffer, so memory stays bounded (C-82).

use crate::ledger::AccountIndex;
use crate::market::pair::PairIndex;
use engine::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Connections at a time; one more gets 503 at its handshake.
pub const CONNECTIONS_MAX: usize = 256;

/// Names a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Something that can be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Channel `ticker`, event `all`: 401.
    TickerAll,
    /// Channel `ticker`: 402.
    Ticker(PairIndex),
    /// Channel `trade`: 421, then 422.
    Trade(PairIndex),
    /// Channel `orderbook`: 431 on a beat.
    OrderBook(PairIndex),
    /// Channel `obdiff`: 431, then 432.
    ObDiff(PairIndex),
}

/// Why the server ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// More unsent bytes than the send buffer holds.
    SlowReader,
    /// No pong in time.
    NoPong,
    /// Too many messages in a second.
    TooManyMessages,
    /// A fault that was asked for.
    Fault,
}

/// What a socket must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// Send a text frame.
    Text(Arc<str>),
    /// Send a ping.
    Ping,
    /// End the connection without a close frame; nothing follows.
    Cut(Cut),
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) joined: BTreeSet<Topic>,
    pub(super) account: Option<AccountIndex>,
    outbox: VecDeque<Outgoing>,
    bytes: usize,
    pub(super) is_silent: bool,
    cut: Option<Cut>,
    last_pong: Timestamp,
    next_ping: Timestamp,
    second: Timestamp,
    messages: i64,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    connections: BTreeMap<ConnectionId, Connection>,
    opened: u64,
    taken: u64,
}

impl Connection {
    fn new(now: Timestamp, ping_interval_ms: i64) -> Self {
        Self {
            joined: BTreeSet::new(),
            account: None,
            outbox: VecDeque::new(),
            bytes: 0,
            is_silent: false,
            cut: None,
            last_pong: now,
            next_ping: now.plus_ms(ping_interval_ms),
            second: now,
            messages: 0,
        }
    }

    /// Queues a frame; a connection that went silent gets none.
    pub(super) fn send(&mut self, text: &Arc<str>, buffer_bytes: usize) {
        if self.cut.is_some() || self.is_silent {
            return;
        }
        self.bytes += text.len();
        if self.bytes > buffer_bytes {
            self.cut(Cut::SlowReader);
            return;
        }
        self.outbox.push_back(Outgoing::Text(Arc::clone(text)));
    }

    /// Ends the connection: what waits is lost, as on the real exchange.
    pub(super) fn cut(&mut self, why: Cut) {
        if self.cut.is_some() {
            return;
        }
        self.cut = Some(why);
        self.outbox.clear();
        self.outbox.push_back(Outgoing::Cut(why));
    }

    /// Counts an incoming message; says whether it may be processed.
    pub(super) fn count_message(&mut self, now: Timestamp, per_second: i64) -> bool {
        if now.ms_since(self.second) >= 1_000 {
            self.second = now;
            self.messages = 0;
        }
        self.messages += 1;
        if self.messages > per_second {
            self.cut(Cut::TooManyMessages);
        }
        self.cut.is_none()
    }

    pub(super) fn pong(&mut self, now: Timestamp) {
        self.last_pong = now;
    }

    /// Pings when it is time, and cuts a connection that has not answered.
    fn keep_alive(&mut self, now: Timestamp, interval_ms: i64, timeout_ms: i64) {
        if self.cut.is_some() || interval_ms == 0 {
            return;
        }
        if now.ms_since(self.last_pong) >= timeout_ms {
            self.cut(Cut::NoPong);
        } else if now >= self.next_ping {
            self.next_ping = now.plus_ms(interval_ms);
            self.outbox.push_back(Outgoing::Ping);
        }
    }
}

impl Sessions {
    pub(super) fn open(&mut self, now: Timestamp, ping_interval_ms: i64) -> Option<ConnectionId> {
        if self.connections.len() >= CONNECTIONS_MAX {
            return None;
        }
        self.opened += 1;
        let id = ConnectionId(self.opened);
        self.connections
            .insert(id, Connection::new(now, ping_interval_ms));
        Some(id)
    }

    pub(super) fn close(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
    }

    pub(super) fn get(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(&id)
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.connections.values_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn joined(&mut self, topic: Topic) -> impl Iterator<Item = &mut Connection> {
        self.each()
            .filter(move |connection| connection.joined.contains(&topic))
    }

    pub(super) fn of_account(
        &mut self,
        account: AccountIndex,
    ) -> impl Iterator<Item = &mut Connection> {
        self.each()
            .filter(move |connection| connection.account == Some(account))
    }

    pub(super) fn traffic(&self) -> super::Traffic {
        super::Traffic {
            connections: self.opened,
            frames: self.taken,
        }
    }

    pub(super) fn cut_reason(&self, id: ConnectionId) -> Option<Cut> {
        self.connections.get(&id)?.cut
    }

    /// Takes the next thing that a connection's socket must do.
    pub(super) fn take(&mut self, id: ConnectionId) -> Option<Outgoing> {
        let connection = self.connections.get_mut(&id)?;
        let next = connection.outbox.pop_front()?;
        if let Outgoing::Text(text) = &next {
            connection.bytes -= text.len();
            self.taken += 1;
        }
        Some(next)
    }

    pub(super) fn keep_alive(&mut self, now: Timestamp, interval_ms: i64, timeout_ms: i64) {
        for connection in self.each() {
            connection.keep_alive(now, interval_ms, timeout_ms);
        }
    }
}
