//! One function for each thing that happens: the only way to move a metric.

use super::*;
use crate::beats::Beat;
use engine::answer::CancelReply;

impl Breaker {
    pub(super) const ALL: [Self; 4] = [Self::Submit, Self::Cancel, Self::Account, Self::MarketData];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Cancel => "cancel",
            Self::Account => "account",
            Self::MarketData => "market_data",
        }
    }
}

impl BreakerState {
    pub(super) const fn figure(self) -> f64 {
        match self {
            Self::Closed => 0.0,
            Self::HalfOpen => 1.0,
            Self::Open => 2.0,
        }
    }
}

impl OrderMark {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Absent => "absent",
        }
    }
}

/// How much is lost when an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody has to know.
    Critical,
}

/// How an attempt to tell the webhook ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Taken by the receiver.
    Taken,
    /// Not wanted by the receiver; not repeated.
    Refused,
    /// No answer, or none that is final; repeated.
    Failed,
}

impl Severity {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Critical => "critical",
        }
    }
}

impl Delivery {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Evaluated => "evaluated",
            Self::Intended => "intended",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Sent => "sent",
        }
    }
}

impl FrameMark {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Trade => "trade",
            Self::Ticker => "ticker",
            Self::Private => "private",
            Self::Ack => "ack",
            Self::Other => "other",
            Self::Unreadable => "unreadable",
        }
    }
}

impl RestMark {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Transport => "transport",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Pushed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Traces => "traces",
        }
    }
}

impl Route {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Livez => "livez",
            Self::Readyz => "readyz",
            Self::Startupz => "startupz",
            Self::Status => "status",
            Self::Page => "page",
            Self::Events => "events",
            Self::Asset => "asset",
            Self::Other => "other",
        }
    }
}

const fn cancel_outcome(reply: CancelReply) -> &'static str {
    match reply {
        CancelReply::Acknowledged => "acknowledged",
        CancelReply::LookUp => "look_up",
        CancelReply::Blocked => "blocked",
        CancelReply::RateLimited(_) => "rate_limited",
        CancelReply::Unauthorized => "unauthorized",
        CancelReply::Failed => "failed",
    }
}

const fn rung_figure(rung: Rung) -> f64 {
    match rung {
        Rung::Normal => 0.0,
        Rung::Restart => 1.0,
        Rung::Backoff => 2.0,
        Rung::Observe => 3.0,
        Rung::Killed => 4.0,
    }
}

pub(super) const fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

impl Metrics {
    /// The stream connected again: any connect beyond the first of the process.
    pub fn ws_reconnected(&self, now: Timestamp) {
        self.rates().reconnects.add(now);
    }

    /// The stream is being connected.
    pub fn ws_connecting(&self) {
        self.counter(WS_CONNECTS, vec![]).increment(1);
    }

    /// The stream is up or down.
    pub fn ws_up(&self, is_up: bool) {
        self.set(WS_UP, flag(is_up));
    }

    /// A frame came.
    pub fn ws_frame(&self, mark: FrameMark) {
        self.count(WS_FRAMES, mark.as_str());
    }

    /// An attempt of a REST request ended; a 429 also counts for its rate.
    pub fn rest_attempt(&self, mark: RestMark, now: Timestamp) {
        self.count(REST_REQUESTS, mark.as_str());
        if mark == RestMark::RateLimited {
            self.rates().too_many.add(now);
        }
    }

    /// A read is repeated.
    pub fn rest_retry(&self, now: Timestamp) {
        self.counter(REST_RETRIES, vec![]).increment(1);
        self.rates().retries.add(now);
    }

    /// A pair's book is trusted or not.
    pub fn book_trusted(&self, symbol: Symbol, is_trusted: bool) {
        self.gauge(BOOK_TRUSTED, of_symbol(symbol))
            .set(flag(is_trusted));
    }

    /// A book went from trusted to untrusted.
    pub fn market_data_stale(&self, now: Timestamp) {
        self.rates().stale.add(now);
    }

    /// A clean pass over the account ended.
    pub fn reconciled(&self, now: Timestamp, took_ms: i64) {
        self.rates().reconciled_at = Some(now);
        self.count(RECONCILE_PASSES, "clean");
        self.histogram(RECONCILE_DURATION)
            .record(float(took_ms) / 1e3);
    }

    /// A pass over the account failed.
    pub fn reconcile_failed(&self, took_ms: i64) {
        self.count(RECONCILE_PASSES, "failed");
        self.histogram(RECONCILE_DURATION)
            .record(float(took_ms) / 1e3);
    }

    /// An approval got its outcome, this long after the router received it.
    pub fn submit_took(&self, took_ms: i64) {
        self.histogram(SUBMIT_LATENCY).record(float(took_ms));
    }

    /// A cancel was answered, this long after it was decided.
    pub fn cancel_answered(&self, reply: CancelReply, took_ms: i64) {
        self.count(CANCELS, cancel_outcome(reply));
        self.histogram(CANCEL_LATENCY).record(float(took_ms));
    }

    /// A group of requests is held until then.
    pub fn breaker_open(&self, breaker: Breaker, group: &'static str, until: Timestamp) {
        let mut rates = self.rates();
        let held = rates.breakers.entry((breaker, group)).or_insert(until);
        *held = until.max(*held);
    }

    /// A request of a group succeeded: its breaker closes, unless the request had left before the hold.
    pub fn breaker_closed(&self, breaker: Breaker, group: &'static str, now: Timestamp) {
        let mut rates = self.rates();
        if rates
            .breakers
            .get(&(breaker, group))
            .is_some_and(|until| *until <= now)
        {
            rates.breakers.remove(&(breaker, group));
        }
    }

    /// A cause stands here on the ladder.
    pub fn ladder(&self, step: Step) {
        let cause = step.cause.as_str();
        self.gauge(LADDER_RUNG, of(LADDER_RUNG, cause))
            .set(rung_figure(step.after));
        if step.before != step.after {
            self.count(LADDER_STEPS, step.after.as_str());
        }
        match step.cause {
            Cause::Reconnects | Cause::Throttled => {
                let labels = || of(BUDGET_SPENT, cause);
                self.gauge(BUDGET_SPENT, labels())
                    .set(float(i64::from(step.count)));
                self.gauge(BUDGET_LIMIT, labels())
                    .set(float(i64::from(step.limit)));
            }
            Cause::Handshakes
            | Cause::CancelThrottled
            | Cause::Credentials
            | Cause::Actors
            | Cause::Boots
            | Cause::Downtime => {}
        }
    }

    /// This mode is in force.
    pub fn mode(&self, mode: Mode) {
        for one in Mode::ALL {
            self.gauge(MODE, of(MODE, one.as_str()))
                .set(flag(one == mode));
        }
    }

    /// The mode changed to this one.
    pub fn mode_changed(&self, to: Mode) {
        self.count(MODE_CHANGES, to.as_str());
        self.mode(to);
    }

    /// Safe mode is held by an operator or not.
    pub fn safe_mode(&self, is_on: bool) {
        self.set(SAFE_MODE, flag(is_on));
    }

    /// The kill switch is latched or not.
    pub fn kill_latched(&self, is_latched: bool) {
        self.set(KILL_LATCHED, flag(is_latched));
    }

    /// This process may place real orders or not.
    pub fn armed(&self, is_armed: bool) {
        self.set(ARMED, flag(is_armed));
    }

    /// A signal came.
    pub fn signal(&self, signal: crate::signals::Signal) {
        self.count(SIGNALS_TOTAL, signal.as_str());
    }

    /// An actor runs or not.
    pub fn actor_up(&self, actor: ActorName, is_up: bool) {
        self.gauge(ACTOR_UP, of_actor(actor)).set(flag(is_up));
    }

    /// An actor was started anew.
    pub fn actor_restarted(&self, actor: ActorName) {
        self.counter(ACTOR_RESTARTS, of_actor(actor)).increment(1);
    }

    /// The panics so far, as the panic hook counts them.
    pub fn panics(&self, total: u64) {
        self.counter(PANICS, vec![]).absolute(total);
    }

    /// The last signs of life, as ages in milliseconds; whoever is not among them is not watched.
    pub fn beats(&self, ages: &[(Beat, i64)], now: Timestamp) {
        for beat in Beat::ALL {
            let known = ages.iter().find(|(who, _)| *who == beat);
            let age_ms = known.map_or(0, |(_, age_ms)| *age_ms);
            self.gauge(THREAD_BEAT, of(THREAD_BEAT, beat.as_str()))
                .set(seconds(now.plus_ms(-age_ms).0));
        }
    }

    /// The messages so far that the actor's full mailbox did not take.
    pub fn mailbox_full(&self, actor: ActorName, total: u64) {
        self.counter(MAILBOX_FULL, of_actor(actor)).absolute(total);
    }

    /// The exchange last confirmed the pair's book then.
    pub fn market_data(&self, symbol: Symbol, at: Timestamp) {
        self.gauge(MARKET_DATA, of_symbol(symbol))
            .set(seconds(at.0));
    }

    /// An intent was handed on, this long after its strategy received the book.
    pub fn decision_took(&self, took_us: i64) {
        self.histogram(DECISION_DURATION).record(seconds(took_us));
    }

    /// An order left, this long after its strategy received the book.
    pub fn order_sent(&self, after_us: i64) {
        self.histogram(TICK_TO_ORDER).record(seconds(after_us));
    }

    /// For how long the oldest order of unknown fate has been that, milliseconds.
    pub fn unknown_oldest(&self, ms: i64) {
        self.set(UNKNOWN_OLDEST, float(ms) / 1e3);
    }

    /// A decision reached a stage.
    pub fn decision(&self, stage: Stage) {
        self.count(DECISIONS, stage.as_str());
    }

    /// The gate denied an intent.
    pub fn denied(&self, code: DenyCode) {
        self.decision(Stage::Denied);
        self.counter(DENIALS, of_code(code)).increment(1);
    }

    /// An order reached a state.
    pub fn order(&self, mark: OrderMark) {
        self.count(ORDERS, mark.as_str());
    }

    /// A trade was booked.
    pub fn fill(&self) {
        self.counter(FILLS, vec![]).increment(1);
    }

    /// Own orders that have not ended, and those among them whose fate is not known.
    pub fn orders_now(&self, open: usize, unknown: usize) {
        self.set(OPEN_ORDERS, size(open));
        self.set(UNKNOWN_ORDERS, size(unknown));
    }

    /// The measured offset of the exchange's clock, milliseconds.
    pub fn clock_offset_ms(&self, ms: i64) {
        self.set(CLOCK_OFFSET, float(ms) / 1e3);
    }

    /// A book frame was applied so long after it was read, microseconds.
    pub fn frame_applied(&self, took_us: i64) {
        self.histogram(FEED_TO_BOOK).record(seconds(took_us));
    }

    /// A durable commit ended.
    pub fn journal_committed(&self, records: usize, took_us: i64) {
        self.counter(JOURNAL_COMMITS, vec![]).increment(1);
        self.counter(JOURNAL_RECORDS, vec![])
            .increment(records as u64);
        self.histogram(JOURNAL_DURATION).record(seconds(took_us));
    }

    /// A commit failed.
    pub fn journal_failed(&self) {
        self.counter(JOURNAL_ERRORS, vec![]).increment(1);
    }

    /// Records that wait for the disk.
    pub fn journal_depth(&self, depth: usize) {
        self.set(JOURNAL_DEPTH, size(depth));
    }

    /// Events that wait for the webhook.
    pub fn events_waiting(&self, count: usize) {
        self.set(EVENTS_WAITING, size(count));
    }

    /// An event was dropped.
    pub fn event_dropped(&self, severity: Severity) {
        self.count(EVENTS_DROPPED, severity.as_str());
    }

    /// An attempt to tell the webhook ended.
    pub fn event_ended(&self, how: Delivery) {
        self.count(EVENTS_DELIVERIES, how.as_str());
    }

    /// A request to the read-only plane.
    pub fn http_request(&self, route: Route) {
        self.count(HTTP_REQUESTS, route.as_str());
    }

    /// The configuration was read and found good.
    pub(super) fn config_read(&self, at: Timestamp) {
        self.set(RELOAD_OK, 1.0);
        self.set(RELOAD_AT, seconds(at.0));
    }

    /// A reload ended: `applied`, `unchanged` or `refused`.
    pub fn config_reloaded(&self, outcome: &'static str, at: Timestamp) {
        self.count(RELOADS_TOTAL, outcome);
        if outcome == "refused" {
            self.set(RELOAD_OK, 0.0);
        } else {
            self.config_read(at);
        }
    }

    /// Something was not delivered to the OTLP receiver.
    pub fn otlp_dropped(&self, what: Pushed, count: u64) {
        self.counter(OTLP_DROPPED, of(OTLP_DROPPED, what.as_str()))
            .increment(count);
    }

    /// Log lines dropped so far.
    pub fn log_dropped(&self, total: u64) {
        self.counter(LOG_DROPPED, vec![]).absolute(total);
    }
}

fn size(count: usize) -> f64 {
    float(i64::try_from(count).unwrap_or(i64::MAX))
}
