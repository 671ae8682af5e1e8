//! The exchange with its two fronts, REST and WebSocket, but without a socket.
//!
//! Texts go in, texts come out, time is an argument. Quotas, credentials, sessions and faults live here; the server
//! only moves the bytes, and a test or a chaos run can drive the very same thing in virtual time.

mod account;
mod auth;
mod faults;
mod frames;
mod lenient;
mod limits;
mod public;
mod reply;
mod rest;
mod sessions;

pub use auth::{Credentials, Unauthorized};
pub use faults::FaultCounts;
pub use limits::{Endpoint, OverQuota, Quota, WINDOWS_MAX, Who};
pub use reply::{Content, Fate, RestReply};
pub use rest::{HttpMethod, RestRequest};
pub use sessions::{CONNECTIONS_MAX, ConnectionId, Cut, Outgoing, Topic};

use crate::exchange::{AccountSpec, Event, Exchange};
use crate::ledger::AccountIndex;
use crate::market::pair::PairIndex;
use crate::profile::Profile;
use auth::Doorman;
use btcturk::sign::{SignError, Signer};
use btcturk::wire::{ClientFrame, LoginRequest};
use engine::dice::Dice;
use engine::market::BookChannel;
use engine::time::Timestamp;
use limits::Limits;
use secrecy::SecretString;
use sessions::Sessions;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Public key of the example account (docs/EXCHANGE.md 3.1); not a key of the live exchange.
pub const EXAMPLE_KEY: &str = "11111111-2222-3333-4444-555555555555";
/// Its secret: bytes 0 to 31.
pub const EXAMPLE_SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// User number of the example account.
pub const EXAMPLE_USER_ID: i64 = 100_001;
/// Keeps the faults' draws apart from the market's: a fault switched on changes no price.
const FAULT_SEED: u64 = 0x5EED_FA17;
/// Milliseconds between two rolls of the faults that are given per second.
const FAULT_BEAT_MS: i64 = 1_000;

/// An account with its key.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it is and holds.
    pub spec: AccountSpec,
    /// Public key.
    pub key: String,
    /// Secret, Base64.
    pub secret: SecretString,
}

impl Member {
    /// Returns the account of the documented example key, with plenty of everything.
    pub fn example() -> Self {
        Self {
            spec: AccountSpec::rich(EXAMPLE_USER_ID),
            key: EXAMPLE_KEY.to_owned(),
            secret: EXAMPLE_SECRET.to_owned().into(),
        }
    }
}

/// What a venue is made of.
#[derive(Clone, Debug)]
pub struct VenueOptions {
    /// Seed of every draw.
    pub seed: u64,
    /// Switches.
    pub profile: Profile,
    /// Keys, each with its account; a user number that was named before is another key of that account.
    pub members: Vec<Member>,
}

impl Default for VenueOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            profile: Profile::faithful(),
            members: vec![Member::example()],
        }
    }
}

/// What went to the sockets since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that were opened.
    pub connections: u64,
    /// Text frames that sockets have taken; what waits in an outbox is not among them.
    pub frames: u64,
}

/// Why a handshake was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeRefused {
    /// Too many connections in a minute: 429.
    TooMany {
        /// Seconds to wait.
        retry_after_s: i64,
    },
    /// No room: 503.
    Unavailable,
    /// Maintenance: 503 with its name.
    Maintenance,
}

/// The exchange with its fronts.
#[derive(Debug)]
pub struct Venue {
    exchange: Exchange,
    doorman: Doorman,
    limits: Limits,
    sessions: Sessions,
    dice: Dice,
    next_fault_beat: Timestamp,
    faults: FaultCounts,
    books: BTreeMap<PairIndex, public::CachedBook>,
}

impl Venue {
    /// Opens a venue at `start`.
    ///
    /// # Errors
    /// A member's key or secret cannot sign.
    pub fn new(options: &VenueOptions, start: Timestamp) -> Result<Self, SignError> {
        let (mut signers, mut specs) = (Vec::new(), Vec::<AccountSpec>::new());
        for member in &options.members {
            let is_its = |spec: &AccountSpec| spec.user_id == member.spec.user_id;
            let account = specs.iter().position(is_its).unwrap_or(specs.len());
            if account == specs.len() {
                specs.push(member.spec.clone());
            }
            let signer = Signer::new(member.key.clone().into(), &member.secret)?;
            signers.push((signer, AccountIndex(account)));
        }
        Ok(Self {
            exchange: Exchange::new(options.seed, options.profile.clone(), start, &specs),
            doorman: Doorman::new(signers),
            limits: Limits::default(),
            sessions: Sessions::default(),
            dice: Dice::new(options.seed ^ FAULT_SEED),
            next_fault_beat: start.plus_ms(FAULT_BEAT_MS),
            faults: FaultCounts::new(),
            books: BTreeMap::new(),
        })
    }

    /// Returns the exchange, for looking.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Lends the exchange, for acting on it past the fronts.
    pub fn exchange_mut(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    /// Returns how many connections are open.
    pub fn connections(&self) -> usize {
        self.sessions.len()
    }

    /// Returns how much went to the sockets.
    pub fn traffic(&self) -> Traffic {
        self.sessions.traffic()
    }

    /// Changes the size of a deep level so many times, pair by pair, each with a difference of its own (432): load
    /// for a reader, without a change of the best prices. Returns how many differences there were.
    pub fn churn(&mut self, pairs: &[PairIndex], times: u64) -> u64 {
        let mut published = 0;
        for pair in pairs
            .iter()
            .cycle()
            .take(usize::try_from(times).unwrap_or(usize::MAX))
        {
            for event in self.exchange.churn(*pair) {
                published += u64::from(matches!(event, Event::BookDiff { .. }));
                self.deliver(&event);
            }
        }
        published
    }

    /// Lets time pass up to `now`; what happened waits in the connections' outboxes.
    pub fn advance(&mut self, now: Timestamp) {
        for event in self.exchange.advance(now) {
            self.deliver(&event);
        }
        let profile = self.exchange.profile();
        let (interval, timeout) = (profile.ping_interval_ms, profile.pong_timeout_ms);
        self.sessions.keep_alive(now, interval, timeout);
        self.roll_connection_faults(now);
    }

    /// Opens a connection: 15 a minute and address, else 429 for a minute (docs/EXCHANGE.md 8).
    ///
    /// # Errors
    /// Too many handshakes, no room, or maintenance.
    pub fn connect(
        &mut self,
        now: Timestamp,
        ip: IpAddr,
    ) -> Result<ConnectionId, HandshakeRefused> {
        self.advance(now);
        let profile = self.exchange.profile().clone();
        if profile.maintenance.hits(&mut self.dice) {
            return Err(HandshakeRefused::Maintenance);
        }
        if profile.limits_enabled {
            let quota = Quota {
                count: u32::try_from(profile.ws_connects).unwrap_or(u32::MAX),
                period_s: 60,
            };
            self.limits
                .pass_one(now, Endpoint::Handshake, quota, Who::Ip(ip))
                .map_err(|over| HandshakeRefused::TooMany {
                    retry_after_s: over.retry_after_s,
                })?;
        }
        let opened = self.sessions.open(now, profile.ping_interval_ms);
        let id = opened.ok_or(HandshakeRefused::Unavailable)?;
        self.send(id, frames::greeting());
        Ok(id)
    }

    /// Forgets a connection whose socket has ended.
    pub fn disconnect(&mut self, id: ConnectionId) {
        self.sessions.close(id);
    }

    /// Notes that a connection answered a ping.
    pub fn pong(&mut self, now: Timestamp, id: ConnectionId) {
        if let Some(connection) = self.sessions.get(id) {
            connection.pong(now);
        }
    }

    /// Takes the next thing that a connection's socket must do.
    pub fn take(&mut self, id: ConnectionId) -> Option<Outgoing> {
        self.sessions.take(id)
    }

    /// Returns why the server has ended a connection, if it has.
    pub fn cut_reason(&self, id: ConnectionId) -> Option<Cut> {
        self.sessions.cut_reason(id)
    }

    /// Reads a frame of a client. Unreadable and unknown frames are ignored (docs/EXCHANGE.md 9).
    pub fn receive(&mut self, now: Timestamp, id: ConnectionId, text: &str) {
        self.advance(now);
        let per_second = self.exchange.profile().ws_messages_per_s;
        let Some(connection) = self.sessions.get(id) else {
            return;
        };
        if !connection.count_message(now, per_second) || text.len() > lenient::CLIENT_FRAME_LEN_MAX
        {
            return;
        }
        let loose;
        let frame = match btcturk::wire::read_client(text) {
            Ok(frame) => frame,
            Err(_) => {
                loose = lenient::strict(text);
                match btcturk::wire::read_client(&loose) {
                    Ok(frame) => frame,
                    Err(_) => return,
                }
            }
        };
        match frame {
            ClientFrame::Join(join) if join.join => self.join(id, &join.channel, &join.event),
            ClientFrame::Join(leave) => self.leave(id, &leave.channel, &leave.event),
            ClientFrame::Login(login) => self.login(now, id, &login),
            ClientFrame::Trades(ask) => self.resend_trades(id, &ask.channel, &ask.event),
            ClientFrame::Unknown(_) => {}
        }
    }

    fn topic(&self, channel: &str, event: &str) -> Option<Topic> {
        if channel == "ticker" && event == "all" {
            return Some(Topic::TickerAll);
        }
        let pair = self.exchange.find_pair(event)?;
        match channel {
            "ticker" => Some(Topic::Ticker(pair)),
            "trade" => Some(Topic::Trade(pair)),
            "orderbook" => Some(Topic::OrderBook(pair)),
            "obdiff" => Some(Topic::ObDiff(pair)),
            _ => None,
        }
    }

    /// Acknowledges, then shows the state that the following frames build on, in the same ordered stream.
    fn join(&mut self, id: ConnectionId, channel: &str, event: &str) {
        let topic = self.topic(channel, event);
        self.send(
            id,
            frames::ack(topic.is_some(), format!("join|{channel}:{event}")),
        );
        let Some(topic) = topic else {
            return;
        };
        let snapshot = self.snapshot(topic);
        self.send(id, snapshot);
        if let Some(connection) = self.sessions.get(id) {
            connection.joined.insert(topic);
        }
    }

    fn snapshot(&self, topic: Topic) -> String {
        let exchange = &self.exchange;
        let long = exchange.profile().long_amounts.0;
        let pair = |index: PairIndex| &exchange.pairs()[index.0];
        match topic {
            Topic::TickerAll => self.all_tickers(),
            Topic::Ticker(index) => frames::ticker(pair(index), &exchange.ticker(index)),
            Topic::Trade(index) => frames::trade_list(pair(index), exchange.trades(index)),
            Topic::OrderBook(index) => {
                frames::book_full(&exchange.book_full(index, BookChannel::Periodic), long)
            }
            Topic::ObDiff(index) => {
                frames::book_full(&exchange.book_full(index, BookChannel::Diff), long)
            }
        }
    }

    fn all_tickers(&self) -> String {
        let rows: Vec<_> = (0..self.exchange.pairs().len())
            .map(|index| self.exchange.ticker(PairIndex(index)))
            .collect();
        frames::ticker_all(self.exchange.pairs(), &rows)
    }

    fn leave(&mut self, id: ConnectionId, channel: &str, event: &str) {
        let topic = self.topic(channel, event);
        if let (Some(topic), Some(connection)) = (topic, self.sessions.get(id)) {
            connection.joined.remove(&topic);
        }
        self.send(
            id,
            frames::ack(topic.is_some(), format!("leave|{channel}:{event}")),
        );
    }

    fn resend_trades(&mut self, id: ConnectionId, channel: &str, event: &str) {
        if let Some(topic @ Topic::Trade(_)) = self.topic(channel, event) {
            let list = self.snapshot(topic);
            self.send(id, list);
        }
    }

    fn login(&mut self, now: Timestamp, id: ConnectionId, login: &LoginRequest<'_>) {
        let verdict = self.doorman.admit_login(
            now,
            &login.public_key,
            login.timestamp.ms(),
            login.nonce,
            &login.signature,
        );
        let answer = match verdict {
            Ok(account) => frames::login_result(self.exchange.user_id(account), None),
            Err(why) => frames::login_result(0, Some(why.to_string())),
        };
        if let (Ok(account), Some(connection)) = (verdict, self.sessions.get(id)) {
            connection.account = Some(account);
        }
        self.send(id, answer);
    }

    fn send(&mut self, id: ConnectionId, text: String) {
        let buffer = self.send_buffer();
        if let Some(connection) = self.sessions.get(id) {
            connection.send(&Arc::from(text), buffer);
        }
    }

    fn send_buffer(&self) -> usize {
        usize::try_from(self.exchange.profile().send_buffer_bytes).unwrap_or(usize::MAX)
    }

    /// Puts an event into the outboxes of those who joined; nothing is encoded that nobody reads.
    fn deliver(&mut self, event: &Event) {
        let long = self.exchange.profile().long_amounts.0;
        match event {
            Event::BookDiff { pair, diff } => {
                self.broadcast_diff(*pair, || frames::book_diff(diff, long));
            }
            Event::BookFull { pair, full } => {
                self.broadcast(Topic::OrderBook(*pair), |_| frames::book_full(full, long));
            }
            Event::Trade { pair, trade } => {
                self.broadcast(Topic::Trade(*pair), |_| frames::trade(trade));
            }
            Event::Ticker(row) => {
                self.broadcast(Topic::Ticker(row.pair), |venue| {
                    frames::ticker(&venue.exchange.pairs()[row.pair.0], row)
                });
                if row.pair == PairIndex(0) {
                    self.broadcast(Topic::TickerAll, Self::all_tickers);
                }
            }
            Event::Private { account, event } => self.tell(*account, event),
        }
    }

    fn broadcast(&mut self, topic: Topic, text: impl FnOnce(&Self) -> String) {
        if self.sessions.joined(topic).next().is_none() {
            return;
        }
        let (text, buffer) = (Arc::from(text(self)), self.send_buffer());
        for connection in self.sessions.joined(topic) {
            connection.send(&text, buffer);
        }
    }

    /// As [`Self::broadcast`], but each connection may lose the frame.
    fn broadcast_diff(&mut self, pair: PairIndex, text: impl FnOnce() -> String) {
        let topic = Topic::ObDiff(pair);
        if self.sessions.joined(topic).next().is_none() {
            return;
        }
        let (text, buffer) = (Arc::from(text()), self.send_buffer());
        let lost = self.exchange.profile().drop_432;
        for connection in self.sessions.joined(topic) {
            if !lost.hits(&mut self.dice) {
                connection.send(&text, buffer);
            }
        }
    }

    fn tell(&mut self, account: AccountIndex, event: &crate::exchange::PrivateEvent) {
        if self.sessions.of_account(account).next().is_none() {
            return;
        }
        let text = Arc::from(frames::private(&self.exchange, account, event));
        let buffer = self.send_buffer();
        for connection in self.sessions.of_account(account) {
            connection.send(&text, buffer);
        }
    }
}
