//! The session with the public stream: connect, join, watch, give up, back off, try again.
//!
//! Moves no bytes and reads no payload: the driver reports what happened, the answer is what to do next. After a
//! [`FeedEffect::Close`] the driver reports `Disconnected` at most once, and before it obeys the next `Connect`.

#[cfg(test)]
mod tests;

use crate::answer::PrivateEvent;
use crate::budget::{ConnectPace, Spending};
use crate::core::{Core, Outbox};
use crate::dice::Dice;
use crate::ids::Symbol;
use crate::msg::{BookIn, Channel, Declined, DownReason, FeedEffect, FeedIn, FeedNote};
use crate::pacing::{Backoff, BackoffLimits, Tally, Window};
use crate::time::Timestamp;

/// Channels joined for every pair, in this order.
const CHANNELS: [Channel; 4] = [
    Channel::Diff,
    Channel::Book,
    Channel::Trade,
    Channel::Ticker,
];
/// Patience with an answer to a join or a login, milliseconds.
const ACK_MS_MAX: i64 = 5_000;
/// Patience with a connection attempt, milliseconds.
const CONNECT_MS_MAX: i64 = 10_000;
/// Length of the window for connects and for unreadable frames, milliseconds.
const MINUTE_MS: i64 = 60_000;
/// Unreadable frames in a minute after which every pair is joined anew; they cannot be attributed to one.
const UNREADABLE_RESYNC: usize = 3;
/// Unreadable frames in a minute that end the session.
const UNREADABLE_MAX: usize = 10;
/// Spacing of logins after a refusal; public data goes on meanwhile.
const LOGIN_BACKOFF: BackoffLimits = BackoffLimits {
    delay_ms_base: 5_000,
    delay_ms_max: 300_000,
    healthy_ms_min: i64::MAX,
    healthy_frames_min: u32::MAX,
};

/// Longest wait once reconnects burn: the rest of the day's budget is to outlast the fault, milliseconds.
const SLOW_MS_MAX: i64 = 300_000;
/// Wait between two attempts while killed, milliseconds.
const PROBE_MS: i64 = 60_000;
/// Wait after a refused handshake that names none, milliseconds.
const DECLINED_MS: i64 = 60_000;
/// Wait between two attempts during declared maintenance, milliseconds.
const MAINTENANCE_MS: i64 = 30_000;
/// Maintenance that lasts longer than this counts like any other fault, milliseconds.
const MAINTENANCE_MS_MAX: i64 = 4 * 3_600_000;

/// What a fresh feed must know of those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedPast {
    /// Attempts of the last minute, oldest first, over starts.
    pub connects: Vec<Timestamp>,
    /// Attempts of this start.
    pub attempts: u32,
    /// How the stream may be tried.
    pub pace: ConnectPace,
}

/// Whether the session logs in to the private stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No credentials: public data only.
    Public,
    /// Logs in after every connect.
    Private,
}

/// Limits of the session; `[exchange.ws]` in config/default.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedLimits {
    /// Without an application frame for this long the session is given up, milliseconds.
    pub idle_ms_max: i64,
    /// Connection attempts in any minute.
    pub connects_per_minute: usize,
    /// Spacing of connection attempts.
    pub backoff: BackoffLimits,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self {
            idle_ms_max: 15_000,
            connects_per_minute: 10,
            backoff: BackoffLimits::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting { until: Timestamp },
    Connecting { since: Timestamp },
    Up { last_frame: Timestamp },
}

/// An answer that is owed to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    Join(Channel, Symbol),
    Login,
}

/// The session with the public stream, and with the private one where there are credentials.
#[derive(Clone, Debug)]
pub struct Feed {
    limits: FeedLimits,
    symbols: Vec<Symbol>,
    access: Access,
    dice: Dice,
    phase: Phase,
    backoff: Backoff,
    connects: Window,
    attempts: u32,
    pace: ConnectPace,
    declined: u32,
    maintenance_since: Option<Timestamp>,
    /// When a close that named a service restart was believed last.
    restarted_at: Option<Timestamp>,
    sessions: u32,
    owed: Vec<(Owed, Timestamp)>,
    unreadable: Tally,
    login_backoff: Backoff,
    login_at: Option<Timestamp>,
}

impl Feed {
    /// Makes a feed that wants to connect at once.
    ///
    /// # Panics
    /// If no connect is allowed at all.
    pub fn new(limits: FeedLimits, symbols: Vec<Symbol>, access: Access, dice: Dice) -> Self {
        Self {
            limits,
            symbols,
            access,
            dice,
            phase: Phase::Waiting {
                until: Timestamp::default(),
            },
            backoff: Backoff::new(limits.backoff),
            connects: Window::new(MINUTE_MS, limits.connects_per_minute),
            attempts: 0,
            pace: ConnectPace::Usual,
            declined: 0,
            maintenance_since: None,
            restarted_at: None,
            sessions: 0,
            owed: Vec::new(),
            unreadable: Tally::new(MINUTE_MS, UNREADABLE_MAX),
            login_backoff: Backoff::new(LOGIN_BACKOFF),
            login_at: None,
        }
    }

    /// Goes on where an earlier feed, or an earlier start, has left off: a fresh instance is no clean sheet. The
    /// attempts of the last minute count as failures until a healthy session has forgiven them.
    pub fn resume(&mut self, past: &FeedPast) {
        self.connects.recall(&past.connects);
        self.attempts = past.attempts;
        self.pace = past.pace;
        let failures = u32::try_from(past.connects.len()).unwrap_or(u32::MAX);
        self.backoff.resume(failures.min(past.attempts));
    }

    /// Returns the number of the running or last session; zero before the first.
    pub const fn session(&self) -> u32 {
        self.sessions
    }

    /// Returns whether a session is up.
    pub const fn is_up(&self) -> bool {
        match self.phase {
            Phase::Up { .. } => true,
            Phase::Waiting { .. } | Phase::Connecting { .. } => false,
        }
    }

    fn connect(&mut self, now: Timestamp, out: &mut Outbox<FeedEffect>) {
        if let Err(until) = self.connects.try_take(now) {
            self.phase = Phase::Waiting { until };
            return;
        }
        let cost = self.cost(now);
        self.attempts = self.attempts.saturating_add(1);
        self.phase = Phase::Connecting { since: now };
        out.push(FeedEffect::Note(FeedNote::Connecting(self.attempts, cost)));
        out.push(FeedEffect::Connect);
    }

    /// What an attempt costs: the first of a start is free, and so are polls during declared maintenance.
    fn cost(&self, now: Timestamp) -> Spending {
        let is_poll =
            (self.maintenance_since).is_some_and(|since| now.ms_since(since) < MAINTENANCE_MS_MAX);
        if self.attempts == 0 || is_poll {
            Spending::Connect
        } else {
            Spending::Reconnect
        }
    }

    /// Other numbers from here on: a wait that has begun keeps its end, and attempts and failures stay counted.
    fn renew(&mut self, limits: FeedLimits) {
        self.limits = limits;
        self.backoff.renew(limits.backoff);
        let connects = Window::new(MINUTE_MS, limits.connects_per_minute);
        self.connects.renew(connects);
    }

    /// When the next attempt may start.
    fn next_attempt(&mut self, now: Timestamp) -> Timestamp {
        let delay_ms_max = self.limits.backoff.delay_ms_max;
        let delay_ms_max = match self.pace {
            ConnectPace::Usual => delay_ms_max,
            ConnectPace::Wide => delay_ms_max.saturating_mul(2),
            ConnectPace::Slow => SLOW_MS_MAX,
            ConnectPace::Probe => {
                self.backoff.failed(now, &mut self.dice);
                return now.plus_ms(PROBE_MS);
            }
        };
        self.backoff
            .failed_within(now, delay_ms_max.min(SLOW_MS_MAX), &mut self.dice)
    }

    /// The handshake was refused: the exchange is left alone for as long as it says.
    fn declined(&mut self, now: Timestamp, why: Declined, out: &mut Outbox<FeedEffect>) {
        let usual = self.next_attempt(now);
        let asked_ms = match why {
            Declined::Busy(retry_after_ms) => {
                self.declined = self.declined.saturating_add(1);
                out.push(FeedEffect::Note(FeedNote::Declined(self.declined)));
                retry_after_ms.unwrap_or(DECLINED_MS)
            }
            Declined::Maintenance => {
                self.maintenance_since = self.maintenance_since.or(Some(now));
                out.push(FeedEffect::Note(FeedNote::Maintenance));
                MAINTENANCE_MS
            }
        };
        let until = usual.max(now.plus_ms(asked_ms));
        self.phase = Phase::Waiting { until };
    }

    /// The session ended with the word that the service restarts. It is believed once in a while only: a close must
    /// not make every reconnect free.
    fn service_restart(&mut self, now: Timestamp, out: &mut Outbox<FeedEffect>) {
        self.end(now, DownReason::Disconnected, out);
        let is_believed =
            (self.restarted_at).is_none_or(|at| now.ms_since(at) >= MAINTENANCE_MS_MAX);
        if is_believed {
            self.restarted_at = Some(now);
            self.maintenance_since = Some(now);
            out.push(FeedEffect::Note(FeedNote::Maintenance));
        }
    }

    fn begin(&mut self, now: Timestamp, out: &mut Outbox<FeedEffect>) {
        self.sessions = self.sessions.saturating_add(1);
        self.phase = Phase::Up { last_frame: now };
        self.declined = 0;
        self.maintenance_since = None;
        self.backoff.up(now);
        out.push(FeedEffect::Note(FeedNote::Up(self.sessions)));
        out.push(FeedEffect::Book(BookIn::SessionUp(self.sessions)));
        for index in 0..self.symbols.len() {
            for channel in CHANNELS {
                self.join(now, channel, self.symbols[index], out);
            }
        }
        match self.access {
            Access::Public => {}
            Access::Private => self.login(now, out),
        }
    }

    fn join(
        &mut self,
        now: Timestamp,
        channel: Channel,
        symbol: Symbol,
        out: &mut Outbox<FeedEffect>,
    ) {
        self.owe(now, Owed::Join(channel, symbol));
        out.push(FeedEffect::Join(channel, symbol));
    }

    fn login(&mut self, now: Timestamp, out: &mut Outbox<FeedEffect>) {
        self.login_at = None;
        self.owe(now, Owed::Login);
        out.push(FeedEffect::Login);
    }

    fn owe(&mut self, now: Timestamp, what: Owed) {
        self.settle(what);
        self.owed.push((what, now.plus_ms(ACK_MS_MAX)));
    }

    /// Strikes off what was owed and returns whether it was.
    fn settle(&mut self, what: Owed) -> bool {
        let before = self.owed.len();
        self.owed.retain(|(owed, _)| *owed != what);
        self.owed.len() < before
    }

    /// Ends the session or the attempt; the book hears of it before anything else.
    fn end(&mut self, now: Timestamp, why: DownReason, out: &mut Outbox<FeedEffect>) {
        if self.is_up() {
            out.push(FeedEffect::Book(BookIn::SessionDown));
        }
        self.owed.clear();
        self.unreadable.clear();
        self.login_at = None;
        let until = self.next_attempt(now);
        self.phase = Phase::Waiting { until };
        out.push(FeedEffect::Note(FeedNote::Down(why)));
    }

    fn give_up(&mut self, now: Timestamp, why: DownReason, out: &mut Outbox<FeedEffect>) {
        self.end(now, why, out);
        out.push(FeedEffect::Close);
    }

    fn ack(&mut self, is_ok: bool, text: &str, out: &mut Outbox<FeedEffect>) {
        let Some(what) = owed_of(text) else {
            return;
        };
        // A pair that stays refused shows as a book that never syncs; the book asks again.
        if self.settle(what) && !is_ok {
            out.push(FeedEffect::Note(FeedNote::Refused));
        }
    }

    fn private(&mut self, now: Timestamp, event: PrivateEvent, out: &mut Outbox<FeedEffect>) {
        let login = match &event {
            PrivateEvent::Login { ok, .. } => Some(*ok),
            PrivateEvent::Inserted(_)
            | PrivateEvent::Deleted(_)
            | PrivateEvent::Matched { .. }
            | PrivateEvent::Trade(_)
            | PrivateEvent::BalanceHint => None,
        };
        out.push(FeedEffect::Private(event));
        match login {
            None => {}
            Some(true) => {
                self.settle(Owed::Login);
                self.login_at = None;
                self.login_backoff = Backoff::new(LOGIN_BACKOFF);
                out.push(FeedEffect::PrivateUp);
            }
            Some(false) => {
                self.settle(Owed::Login);
                self.login_at = Some(self.login_backoff.failed(now, &mut self.dice));
                out.push(FeedEffect::Note(FeedNote::Refused));
            }
        }
    }

    fn unreadable(&mut self, now: Timestamp, out: &mut Outbox<FeedEffect>) {
        out.push(FeedEffect::Note(FeedNote::Unreadable));
        let count = self.unreadable.add(now);
        if count >= UNREADABLE_MAX {
            self.give_up(now, DownReason::Unreadable, out);
        } else if count.is_multiple_of(UNREADABLE_RESYNC) {
            for index in 0..self.symbols.len() {
                self.resync(now, self.symbols[index], out);
            }
        }
    }

    fn resync(&mut self, now: Timestamp, symbol: Symbol, out: &mut Outbox<FeedEffect>) {
        if !self.symbols.contains(&symbol) {
            return;
        }
        out.push(FeedEffect::Note(FeedNote::Resyncing(symbol)));
        out.push(FeedEffect::Leave(Channel::Diff, symbol));
        self.join(now, Channel::Diff, symbol, out);
        out.push(FeedEffect::Book(BookIn::Rejoined(symbol)));
    }

    fn take(&mut self, now: Timestamp, input: FeedIn, out: &mut Outbox<FeedEffect>) {
        match input {
            FeedIn::Version | FeedIn::Ignored => self.good_frame(now),
            FeedIn::Ack { ok, text } => {
                self.good_frame(now);
                self.ack(ok, &text, out);
            }
            FeedIn::Market(event) => {
                self.good_frame(now);
                out.push(FeedEffect::Book(BookIn::Market(event)));
            }
            FeedIn::Private(event) => {
                self.good_frame(now);
                self.private(now, event, out);
            }
            FeedIn::Unreadable => self.unreadable(now, out),
            FeedIn::Resync(symbol) => self.resync(now, symbol, out),
            FeedIn::Connected
            | FeedIn::Disconnected
            | FeedIn::Declined(_)
            | FeedIn::Pace(_)
            | FeedIn::Limits(_) => {}
        }
    }

    fn good_frame(&mut self, now: Timestamp) {
        self.phase = Phase::Up { last_frame: now };
        self.backoff.frame(now);
    }

    fn idle_at(&self, last_frame: Timestamp) -> Timestamp {
        last_frame.plus_ms(self.limits.idle_ms_max)
    }

    fn ack_at(&self) -> Option<Timestamp> {
        self.owed.iter().map(|(_, until)| *until).min()
    }

    fn watch(&mut self, now: Timestamp, last_frame: Timestamp, out: &mut Outbox<FeedEffect>) {
        if now >= self.idle_at(last_frame) {
            self.give_up(now, DownReason::Idle, out);
        } else if self.ack_at().is_some_and(|at| now >= at) {
            self.give_up(now, DownReason::AckTimeout, out);
        } else if self.login_at.is_some_and(|at| now >= at) {
            self.login(now, out);
        }
    }
}

/// Reads what an answer answers, such as `join|obdiff:BTCTRY` (docs/EXCHANGE.md 10, message 100).
fn owed_of(text: &str) -> Option<Owed> {
    let (channel, event) = text.strip_prefix("join|")?.split_once(':')?;
    let channel = match channel {
        "obdiff" => Channel::Diff,
        "orderbook" => Channel::Book,
        "trade" => Channel::Trade,
        "ticker" => Channel::Ticker,
        _ => return None,
    };
    Some(Owed::Join(channel, Symbol::parse(event).ok()?))
}

impl Core for Feed {
    type In = FeedIn;
    type Effect = FeedEffect;

    fn handle(&mut self, now: Timestamp, input: FeedIn, out: &mut Outbox<FeedEffect>) {
        match (self.phase, &input) {
            (_, FeedIn::Pace(pace)) => self.pace = *pace,
            (_, FeedIn::Limits(limits)) => self.renew(*limits),
            (Phase::Connecting { .. }, FeedIn::Declined(why)) => self.declined(now, *why, out),
            (Phase::Up { .. }, FeedIn::Declined(Declined::Maintenance)) => {
                self.service_restart(now, out);
            }
            (Phase::Connecting { .. }, FeedIn::Connected) => self.begin(now, out),
            (Phase::Connecting { .. } | Phase::Up { .. }, FeedIn::Disconnected) => {
                self.end(now, DownReason::Disconnected, out);
            }
            // A socket that opened after it was given up.
            (Phase::Waiting { .. }, FeedIn::Connected) => out.push(FeedEffect::Close),
            (Phase::Up { .. }, _) => self.take(now, input, out),
            (Phase::Waiting { .. } | Phase::Connecting { .. }, _) => {}
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Connecting { since } => Some(since.plus_ms(CONNECT_MS_MAX)),
            Phase::Up { last_frame } => [self.ack_at(), self.login_at]
                .into_iter()
                .flatten()
                .chain([self.idle_at(last_frame)])
                .min(),
        }
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<FeedEffect>) {
        match self.phase {
            Phase::Waiting { until } if until <= now => self.connect(now, out),
            Phase::Connecting { since } if since.plus_ms(CONNECT_MS_MAX) <= now => {
                self.give_up(now, DownReason::Disconnected, out);
            }
            Phase::Up { last_frame } => self.watch(now, last_frame, out),
            Phase::Waiting { .. } | Phase::Connecting { .. } => {}
        }
    }
}
