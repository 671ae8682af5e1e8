//! Every metric of the process: names, types, helps, labels, buckets, and one function for each thing that happens.
//!
//! Nothing else names a metric. The eight signals keep their exact names, because dashboards outside this repository
//! use them. The one idea: everything in the catalogue is there, with a value, before the first
//! scrape, so that an absent series always means a broken scrape.

use crate::process;
use crate::rates::Rate;
use engine::budget::{Cause, Rung, Step};
use engine::money::Amount;
use engine::risk::DenyCode;
use engine::supervisor::ActorName;
use engine::time::Timestamp;
use engine::{ids::Symbol, mode::Mode};
use metrics::{Counter, Gauge, Histogram, Key, Label, Recorder};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use values::{
    BLOCKS, DENY_CODES, METADATA, SOURCES, build_labels, of, of_actor, of_code, of_symbol,
};

/// Buckets of latencies in milliseconds.
const BUCKETS_MS: [f64; 12] = [
    5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 30000.0,
];
/// Buckets of durations in seconds.
const BUCKETS_SECONDS: [f64; 14] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0,
];

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes both ways.
    Gauge,
    /// Latency in milliseconds.
    HistogramMs,
    /// Duration in seconds.
    HistogramSeconds,
}

/// The values that the one label of a metric may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// No label.
    None,
    /// A closed list.
    Of(&'static str, &'static [&'static str]),
    /// One series for each configured pair.
    Symbol,
    /// One series for each actor.
    Actor,
    /// One series for each reason to deny.
    DenyCode,
    /// Values are only known at run time, but constant from then on: set once, at start.
    Once,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Exact name.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Help text.
    pub help: &'static str,
    /// Labels.
    pub labels: Labels,
}

impl Kind {
    /// Returns the type as Prometheus names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::HistogramMs | Self::HistogramSeconds => "histogram",
        }
    }
}

macro_rules! catalogue {
    ($($id:ident $name:literal $kind:ident $labels:expr, $help:literal;)*) => {
        $(const $id: Metric = Metric { name: $name, kind: Kind::$kind, help: $help, labels: $labels };)*
        /// Every metric, in the order of the reference page.
        pub const CATALOGUE: &[Metric] = &[$($id),*];
    };
}

const MODES: &[&str] = &["NORMAL", "REDUCE_RISK_ONLY", "OBSERVE_ONLY", "KILL_SWITCH"];
const RUNGS: &[&str] = &["normal", "restart", "backoff", "observe_only", "killed"];
const CAUSES: &[&str] = &[
    "reconnects",
    "throttled",
    "handshakes",
    "cancel_throttled",
    "credentials",
    "actors",
    "boots",
    "downtime",
];
const BUDGETS: &[&str] = &["reconnects", "throttled"];
const BREAKERS: &[&str] = &["submit", "cancel", "account", "market_data"];
const ORDER_STATES: &[&str] = &[
    "accepted", "rejected", "not_sent", "unknown", "filled", "canceled", "absent",
];
const STAGES: &[&str] = &["evaluated", "intended", "approved", "denied", "sent"];
const FRAMES: &[&str] = &[
    "book",
    "trade",
    "ticker",
    "private",
    "ack",
    "other",
    "unreadable",
];
const SIGNALS: &[&str] = &["usr1", "usr2", "hup", "term", "int", "quit"];
const ROUTES: &[&str] = &[
    "metrics", "livez", "readyz", "startupz", "status", "page", "events", "asset", "other",
];
const REST_OUTCOMES: &[&str] = &[
    "ok",
    "refused",
    "rate_limited",
    "server_error",
    "transport",
    "unreadable",
];
const CANCEL_OUTCOMES: &[&str] = &[
    "acknowledged",
    "look_up",
    "blocked",
    "rate_limited",
    "unauthorized",
    "failed",
];
const RELOADS: &[&str] = &["applied", "unchanged", "refused"];
const SEVERITIES: &[&str] = &["info", "critical"];
const DELIVERIES: &[&str] = &["taken", "refused", "failed"];
const RECONCILE_OUTCOMES: &[&str] = &["clean", "failed"];

const THREADS: &[&str] = &[
    "main", "trade", "rest", "journal", "keeper", "killer", "control",
];
const PUSHED: &[&str] = &["metrics", "traces"];
const LIMITS: &[&str] = &[
    "day_loss",
    "drawdown",
    "position",
    "gross_exposure",
    "open_orders",
    "orders_per_minute",
    "notional_per_minute",
];

catalogue! {
    WS_RECONNECT_RATE "ws_reconnect_rate" Gauge Labels::None, "WebSocket connects beyond the first, per minute over 15 minutes";
    REST_429_RATE "rest_429_rate" Gauge Labels::None, "HTTP 429 answers, per minute over 15 minutes, every attempt counted";
    REST_RETRY_RATE "rest_retry_rate" Gauge Labels::None, "Repeated reads, per minute over 15 minutes; a submit is never repeated";
    STALE_RATE "stale_market_data_rate" Gauge Labels::None, "Books that went from trusted to untrusted, per minute over 15 minutes";
    RECONCILE_LAG "reconcile_lag_ms" Gauge Labels::None, "Age of the last complete, consistent account view, milliseconds";
    SUBMIT_LATENCY "order_submit_latency_ms" HistogramMs Labels::None, "From the router's receipt of an approval to its outcome, journal commit included";
    CANCEL_LATENCY "cancel_latency_ms" HistogramMs Labels::None, "From the decision to cancel to the answer of the DELETE";
    BREAKER_STATE "circuit_breaker_state" Gauge Labels::Of("breaker", BREAKERS), "0 closed (requests flow), 1 half-open (one probe), 2 open (held)";
    LADDER_RUNG "btcbot_ladder_rung" Gauge Labels::Of("cause", CAUSES), "0 normal, 1 restart, 2 back-off, 3 observe only, 4 killed";
    LADDER_STEPS "btcbot_ladder_steps_total" Counter Labels::Of("to", RUNGS), "Steps on the ladder, up or down";
    BUDGET_SPENT "btcbot_budget_spent" Gauge Labels::Of("budget", BUDGETS), "Events of the last 24 h that a budget counts";
    BUDGET_LIMIT "btcbot_budget_limit" Gauge Labels::Of("budget", BUDGETS), "Events of 24 h that kill";
    BUILD_INFO "btcbot_build_info" Gauge Labels::Once, "Always 1; the labels name the build";
    START "btcbot_start_timestamp_seconds" Gauge Labels::None, "When the process started";
    MODE "btcbot_mode" Gauge Labels::Of("mode", MODES), "1 for the mode in force, 0 for the others";
    MODE_CHANGES "btcbot_mode_changes_total" Counter Labels::Of("to", MODES), "Changes of the mode";
    MODE_CONTRIBUTION "btcbot_mode_contribution" Gauge Labels::Of("source", &SOURCES), "Strictest mode that the source asks for: 0 normal, 1 reduce risk only, 2 observe only, 3 kill switch";
    SAFE_MODE "btcbot_safe_mode" Gauge Labels::None, "1 while an operator holds safe mode";
    KILL_LATCHED "btcbot_kill_latched" Gauge Labels::None, "1 while the kill switch is latched";
    ARMED "btcbot_armed" Gauge Labels::None, "1 if this process may place real orders";
    LIVE_CONFIGURED "btcbot_live_trading_configured" Gauge Labels::None, "1 if the configuration asks for live trading";
    ARMING_BLOCKED "btcbot_arming_blocked" Gauge Labels::Of("reason", &BLOCKS), "1 for each reason for which this process may place no real order";
    SECRET_AGE "btcbot_secret_age_seconds" Gauge Labels::None, "Age of the API key; NaN while it is not known";
    SECRET_AGE_LIMIT "btcbot_secret_age_limit_seconds" Gauge Labels::None, "Age from which the API key blocks live risk";
    SIGNALS_TOTAL "btcbot_signals_total" Counter Labels::Of("signal", SIGNALS), "Signals received";
    RELOAD_OK "btcbot_config_last_reload_successful" Gauge Labels::None, "1 unless the last reload was refused";
    RELOAD_AT "btcbot_config_last_reload_timestamp_seconds" Gauge Labels::None, "When the configuration was last read and found good";
    RELOADS_TOTAL "btcbot_config_reloads_total" Counter Labels::Of("outcome", RELOADS), "Reloads by their outcome";
    ACTOR_UP "btcbot_actor_up" Gauge Labels::Actor, "1 while the actor runs";
    ACTOR_RESTARTS "btcbot_actor_restarts_total" Counter Labels::Actor, "Restarts of the actor";
    THREAD_BEAT "btcbot_thread_beat_timestamp_seconds" Gauge Labels::Of("thread", THREADS), "Last sign of life of the thread; of one that is not watched, the last look";
    MAILBOX_FULL "btcbot_mailbox_full_total" Counter Labels::Actor, "Messages that the actor's full mailbox did not take";
    PANICS "btcbot_panics_total" Counter Labels::None, "Panics of any thread";
    WS_UP "btcbot_ws_up" Gauge Labels::None, "1 while the stream is connected";
    WS_CONNECTS "btcbot_ws_connects_total" Counter Labels::None, "Connection attempts of the stream";
    WS_FRAMES "btcbot_ws_frames_total" Counter Labels::Of("type", FRAMES), "Frames received";
    FEED_TO_BOOK "btcbot_feed_to_book_seconds" HistogramSeconds Labels::None, "From a book frame read off the socket to its book applied";
    BOOK_TRUSTED "btcbot_book_trusted" Gauge Labels::Symbol, "1 while the pair's book is trusted";
    MARKET_DATA "btcbot_market_data_timestamp_seconds" Gauge Labels::Symbol, "When the pair's trusted book was last confirmed; the start, before the first one";
    DECISIONS "btcbot_decisions_total" Counter Labels::Of("stage", STAGES), "Decisions that reached the stage; evaluated counts words of strategies, told when they change and once a cycle";
    DECISION_DURATION "btcbot_decision_duration_seconds" HistogramSeconds Labels::None, "From the strategy's receipt of a book to the hand-over of its intent";
    TICK_TO_ORDER "btcbot_tick_to_order_seconds" HistogramSeconds Labels::None, "From the strategy's receipt of a book to the first byte of the order that it led to, journal commit included";
    DENIALS "btcbot_denials_total" Counter Labels::DenyCode, "Intents denied by the risk gate";
    ORDERS "btcbot_orders_total" Counter Labels::Of("state", ORDER_STATES), "Orders that reached the state";
    FILLS "btcbot_fills_total" Counter Labels::None, "Trades booked";
    CANCELS "btcbot_cancels_total" Counter Labels::Of("outcome", CANCEL_OUTCOMES), "Cancel requests by their answer";
    OPEN_ORDERS "btcbot_open_orders" Gauge Labels::None, "Own orders that have not ended";
    UNKNOWN_ORDERS "btcbot_unknown_orders" Gauge Labels::None, "Orders whose fate is not known";
    UNKNOWN_OLDEST "btcbot_orders_unknown_oldest_seconds" Gauge Labels::None, "For how long the oldest order of unknown fate has been that; 0 without one";
    REST_REQUESTS "btcbot_rest_requests_total" Counter Labels::Of("outcome", REST_OUTCOMES), "REST attempts by their outcome";
    REST_RETRIES "btcbot_rest_retries_total" Counter Labels::None, "Repeated reads";
    EQUITY "btcbot_equity_try" Gauge Labels::None, "Cash and positions at their marks";
    DAY_PNL "btcbot_day_pnl_try" Gauge Labels::None, "Equity less equity at the day's start";
    EXPOSURE "btcbot_exposure_try" Gauge Labels::None, "Worst-case exposure of all pairs";
    DRAWDOWN "btcbot_drawdown_ratio" Gauge Labels::None, "Equity below its highest, transfers aside; 1 is all of it";
    LIMIT_USED "btcbot_limit_used_ratio" Gauge Labels::Of("limit", LIMITS), "Used share of the limit; 1 is all of it, and what cannot be valued";
    RECONCILE_PASSES "btcbot_reconcile_passes_total" Counter Labels::Of("outcome", RECONCILE_OUTCOMES), "Passes over the whole account";
    RECONCILE_DURATION "btcbot_reconcile_duration_seconds" HistogramSeconds Labels::None, "Duration of a pass";
    CLOCK_OFFSET "btcbot_clock_offset_seconds" Gauge Labels::None, "Exchange time less our time";
    JOURNAL_COMMITS "btcbot_journal_commits_total" Counter Labels::None, "Durable commits";
    JOURNAL_RECORDS "btcbot_journal_records_total" Counter Labels::None, "Durable records";
    JOURNAL_ERRORS "btcbot_journal_errors_total" Counter Labels::None, "Failed commits; the first is the last";
    JOURNAL_DURATION "btcbot_journal_commit_duration_seconds" HistogramSeconds Labels::None, "Duration of a durable commit";
    JOURNAL_DEPTH "btcbot_journal_queue_depth" Gauge Labels::None, "Records that wait for the disk";
    DISK_FREE "btcbot_state_disk_free_bytes" Gauge Labels::None, "Free space where the state is kept; NaN without a state directory";
    STATE_FILE "btcbot_state_file_bytes" Gauge Labels::None, "Size of the journal's file; 0 without one";
    OTLP_DROPPED "btcbot_otlp_dropped_total" Counter Labels::Of("signal", PUSHED), "Spans, and pushes of metrics, that were not delivered";
    HTTP_REQUESTS "btcbot_http_requests_total" Counter Labels::Of("route", ROUTES), "Requests to the read-only plane";
    LOG_DROPPED "btcbot_log_lines_dropped_total" Counter Labels::None, "Log lines dropped because their reader is too slow";
    EVENTS_WAITING "btcbot_events_queue_depth" Gauge Labels::None, "Events that wait for the webhook";
    EVENTS_DROPPED "btcbot_events_dropped_total" Counter Labels::Of("severity", SEVERITIES), "Events dropped because the webhook is too slow";
    EVENTS_DELIVERIES "btcbot_events_deliveries_total" Counter Labels::Of("outcome", DELIVERIES), "Attempts to tell the webhook";
    PROCESS_RSS "btcbot_process_resident_memory_bytes" Gauge Labels::None, "Resident memory";
    PROCESS_FDS "btcbot_process_open_fds" Gauge Labels::None, "Open file descriptors";
    PROCESS_THREADS "btcbot_process_threads" Gauge Labels::None, "Threads";
    PROCESS_CPU "btcbot_process_cpu_seconds_total" Counter Labels::None, "Processor time used";
}

/// A group of requests that a breaker holds back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breaker {
    /// Order POSTs.
    Submit,
    /// Cancels.
    Cancel,
    /// Orders, lists, balances, trades.
    Account,
    /// Public reads.
    MarketData,
}

/// A breaker in electrical words: open holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum BreakerState {
    /// Requests flow.
    Closed,
    /// One probe.
    HalfOpen,
    /// Held.
    Open,
}

/// Where an order got to, for the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderMark {
    /// Taken by the exchange.
    Accepted,
    /// Refused by the exchange.
    Rejected,
    /// Not one byte left.
    NotSent,
    /// Fate not known.
    Unknown,
    /// Ended, filled in full.
    Filled,
    /// Ended, cancelled.
    Canceled,
    /// Ended, proven never to have been accepted.
    Absent,
}

/// A stage of the decision funnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A strategy looked at a book.
    Evaluated,
    /// It wanted an order.
    Intended,
    /// The gate approved.
    Approved,
    /// The gate denied.
    Denied,
    /// Bytes left.
    Sent,
}

/// What a frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameMark {
    /// A book or a change of one.
    Book,
    /// Trades.
    Trade,
    /// Tickers.
    Ticker,
    /// About the account.
    Private,
    /// An acknowledgement.
    Ack,
    /// Carries nothing for us.
    Other,
    /// Could not be read.
    Unreadable,
}

/// How a REST attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestMark {
    /// Usable.
    Ok,
    /// A documented refusal or an unexpected status.
    Refused,
    /// 429.
    RateLimited,
    /// 5xx.
    ServerError,
    /// No whole answer.
    Transport,
    /// 200, but not the documented payload.
    Unreadable,
}

/// A route of the read-only plane, for the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/metrics`.
    Metrics,
    /// `/livez`.
    Livez,
    /// `/readyz`.
    Readyz,
    /// `/startupz`.
    Startupz,
    /// `/status`.
    Status,
    /// The status page, `/`.
    Page,
    /// The status page's stream, `/events`.
    Events,
    /// What the status page is dressed in: `/app.css`, `/app.js`.
    Asset,
    /// Anything else.
    Other,
}

/// What is pushed, for the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Figures, counted in pushes.
    Metrics,
    /// Traces, counted in spans.
    Traces,
}

/// Which build this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// Version of the package.
    pub version: &'static str,
    /// Commit it was built from.
    pub git_sha: &'static str,
    /// Compiler.
    pub rustc: &'static str,
}

#[derive(Debug, Default)]
struct Rates {
    reconnects: Rate,
    too_many: Rate,
    retries: Rate,
    stale: Rate,
    /// When the API key was made, if that is known.
    rotated_at: Option<Timestamp>,
    reconciled_at: Option<Timestamp>,
    /// Until when each group of requests is held; behind that it is half open until a success.
    breakers: BTreeMap<(Breaker, &'static str), Timestamp>,
}

/// The process's metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    rates: Arc<Mutex<Rates>>,
    started: Timestamp,
}

impl Metrics {
    /// Describes and registers everything in the catalogue, so that the first scrape shows every series.
    pub fn new(build: Build, symbols: &[Symbol], started: Timestamp) -> Self {
        let mut builder = PrometheusBuilder::new();
        for metric in CATALOGUE {
            let buckets = match metric.kind {
                Kind::HistogramMs => &BUCKETS_MS[..],
                Kind::HistogramSeconds => &BUCKETS_SECONDS,
                Kind::Counter | Kind::Gauge => continue,
            };
            let matcher = Matcher::Full(metric.name.to_owned());
            let set = builder.set_buckets_for_metric(matcher, buckets);
            builder = set.expect("the bucket lists are not empty");
        }
        let recorder = builder.build_recorder();
        let this = Self {
            handle: recorder.handle(),
            recorder: Arc::new(recorder),
            rates: Arc::default(),
            started,
        };
        this.register_all(symbols);
        this.gauge(BUILD_INFO, build_labels(build)).set(1.0);
        this.gauge(START, vec![]).set(seconds(started.0));
        this.config_read(started);
        this.standing(symbols, started);
        this
    }

    fn register_all(&self, symbols: &[Symbol]) {
        for metric in CATALOGUE {
            self.describe(metric);
            match metric.labels {
                Labels::None => self.register(*metric, vec![]),
                Labels::Of(name, values) => values
                    .iter()
                    .for_each(|value| self.register(*metric, vec![Label::new(name, *value)])),
                Labels::Symbol => symbols
                    .iter()
                    .for_each(|symbol| self.register(*metric, of_symbol(*symbol))),
                Labels::Actor => ActorName::ALL
                    .into_iter()
                    .for_each(|actor| self.register(*metric, of_actor(actor))),
                Labels::DenyCode => DENY_CODES
                    .into_iter()
                    .for_each(|code| self.register(*metric, of_code(code))),
                Labels::Once => {}
            }
        }
    }

    fn describe(&self, metric: &Metric) {
        let (name, help) = (metric.name.into(), metric.help.into());
        match metric.kind {
            Kind::Counter => self.recorder.describe_counter(name, None, help),
            Kind::Gauge => self.recorder.describe_gauge(name, None, help),
            Kind::HistogramMs | Kind::HistogramSeconds => {
                self.recorder.describe_histogram(name, None, help);
            }
        }
    }

    fn register(&self, metric: Metric, labels: Vec<Label>) {
        match metric.kind {
            Kind::Counter => self.counter(metric, labels).increment(0),
            Kind::Gauge => self.gauge(metric, labels).set(0.0),
            Kind::HistogramMs | Kind::HistogramSeconds => drop(self.histogram(metric)),
        }
    }

    fn counter(&self, metric: Metric, labels: Vec<Label>) -> Counter {
        let key = Key::from_parts(metric.name, labels);
        self.recorder.register_counter(&key, &METADATA)
    }

    fn gauge(&self, metric: Metric, labels: Vec<Label>) -> Gauge {
        let key = Key::from_parts(metric.name, labels);
        self.recorder.register_gauge(&key, &METADATA)
    }

    fn histogram(&self, metric: Metric) -> Histogram {
        let key = Key::from_static_name(metric.name);
        self.recorder.register_histogram(&key, &METADATA)
    }

    fn count(&self, metric: Metric, value: &'static str) {
        self.counter(metric, of(metric, value)).increment(1);
    }

    fn set(&self, metric: Metric, value: f64) {
        self.gauge(metric, vec![]).set(value);
    }

    fn rates(&self) -> MutexGuard<'_, Rates> {
        // Buckets are plain numbers: a panic elsewhere leaves none of them half written.
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the exposition text; figures that depend on the time are computed here.
    pub fn render(&self, now: Timestamp) -> String {
        self.refresh(now);
        self.handle.render()
    }

    /// Empties the histograms' buffers; due every few seconds while nobody scrapes.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    fn refresh(&self, now: Timestamp) {
        let mut rates = self.rates();
        self.set(WS_RECONNECT_RATE, rates.reconnects.per_minute(now));
        self.set(REST_429_RATE, rates.too_many.per_minute(now));
        self.set(REST_RETRY_RATE, rates.retries.per_minute(now));
        self.set(STALE_RATE, rates.stale.per_minute(now));
        for breaker in Breaker::ALL {
            let state = breaker_state(&rates.breakers, breaker, now);
            let labels = of(BREAKER_STATE, breaker.as_str());
            self.gauge(BREAKER_STATE, labels).set(state.figure());
        }
        let age = rates.rotated_at.map(|at| float(now.ms_since(at)) / 1e3);
        self.set(SECRET_AGE, age.unwrap_or(f64::NAN));
        let lag_ms = now.ms_since(rates.reconciled_at.unwrap_or(self.started));
        self.set(RECONCILE_LAG, float(lag_ms.max(0)));
        if let Some(usage) = process::usage() {
            self.set(PROCESS_RSS, float(usage.resident_bytes));
            self.set(PROCESS_FDS, float(usage.open_fds));
            self.set(PROCESS_THREADS, float(usage.threads));
            let cpu = u64::try_from(usage.cpu_ms / 1_000).unwrap_or(0);
            self.counter(PROCESS_CPU, vec![]).absolute(cpu);
        }
    }
}

/// The worst of a breaker's groups.
fn breaker_state(
    breakers: &BTreeMap<(Breaker, &'static str), Timestamp>,
    breaker: Breaker,
    now: Timestamp,
) -> BreakerState {
    let groups = breakers.iter().filter(|((which, _), _)| *which == breaker);
    let states = groups.map(|(_, until)| {
        if now < *until {
            BreakerState::Open
        } else {
            BreakerState::HalfOpen
        }
    });
    states.max().unwrap_or(BreakerState::Closed)
}

fn float(value: i64) -> f64 {
    // Exact up to 2^53, far beyond any figure shown here.
    value as f64
}

fn seconds(micros: i64) -> f64 {
    float(micros) / 1e6
}

/// Turns money into a gauge's number: shown to people, never computed with again.
fn shown(amount: Amount) -> f64 {
    amount.to_string().parse().unwrap_or(f64::NAN)
}

mod account;
pub mod disk;
mod labels;
mod report;
mod values;

pub use values::RESTART_NEEDED;

pub use report::{Delivery, Severity};

#[cfg(test)]
mod tests;
