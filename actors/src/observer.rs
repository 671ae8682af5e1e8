//! The Metrics actor: turns what the others report into log lines, metrics and the status picture.
//!
//! Closed enums in, one match for each subject. It decides nothing, and nobody waits for it: a full mailbox drops and
//! counts.

mod notes;
mod observed;

use crate::beats::Beats;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::link::{Link, Sent, Tell};
use crate::logging;
use crate::metrics::{Metrics, RESTART_NEEDED, Stage};
use crate::ops::Pictures;
use crate::status::{Status, Vitals, charts};
use crate::system::Links;
use actix::{Actor, AsyncContext, Context, Handler};
use engine::answer::OwnTrade;
use engine::mode::Mode;
use engine::time::Timestamp;
pub use observed::{Asked, Call, Decision, Market, Observed, Process, Standing};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// Reports that may wait; beyond it they are dropped and counted.
pub const MAILBOX: usize = 4_096;
/// How often rates and ages are brought up to date.
const REFRESH: Duration = Duration::from_secs(1);

/// A handle to report with; never blocks, never fails.
#[derive(Clone, Default)]
pub struct Eyes {
    link: Link<Observed>,
    dropped: Arc<AtomicU64>,
}

impl Eyes {
    /// Reports; a full or missing mailbox drops and counts.
    pub fn see(&self, report: impl Into<Observed>) {
        match self.link.send(report.into()) {
            Sent::Delivered => {}
            Sent::Full | Sent::Down => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Returns the link behind the handle, for the factory that publishes it.
    pub const fn link(&self) -> &Link<Observed> {
        &self.link
    }
}

/// A cycle's name in the log; with the line's run id it is unique.
pub(crate) struct CycleId(pub u32);

impl fmt::Display for CycleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:08}", self.0)
    }
}

/// The shared picture.
pub type SharedStatus = Arc<RwLock<Status>>;

/// Called for each report that a person who watches would want to see.
pub type Watcher = Arc<dyn Fn(&Observed, &Status) + Send + Sync>;

/// What the figures are shown on.
#[derive(Clone)]
pub struct Figures {
    /// `/metrics`.
    pub metrics: Metrics,
    /// The HTTP plane.
    pub pictures: Pictures,
    /// Log lines dropped so far.
    pub dropped_lines: Arc<AtomicU64>,
    /// Who else is shown every report; must not wait for anything.
    pub spectators: Vec<Watcher>,
}

/// What the picture is taken with, beside what the actors report.
#[derive(Clone)]
pub struct Lens {
    /// Time.
    pub clock: Clock,
    /// Signs of life.
    pub beats: Beats,
    /// The egress gate.
    pub gate: Gate,
    /// Mailboxes.
    pub links: Links,
}

/// The actor.
pub struct Observer {
    status: SharedStatus,
    lens: Lens,
    metrics: Metrics,
    pictures: Pictures,
    watchers: Vec<Watcher>,
    dropped: Arc<AtomicU64>,
    dropped_lines: Arc<AtomicU64>,
}

impl Observer {
    /// Makes the actor.
    pub fn new(
        status: SharedStatus,
        lens: Lens,
        figures: Figures,
        eyes: &Eyes,
        watcher: Option<Watcher>,
    ) -> Self {
        let Figures {
            metrics,
            pictures,
            dropped_lines,
            spectators,
        } = figures;
        Self {
            status,
            lens,
            metrics,
            pictures,
            watchers: spectators.into_iter().chain(watcher).collect(),
            dropped: Arc::clone(&eyes.dropped),
            dropped_lines,
        }
    }

    fn refresh(&self) {
        self.metrics.upkeep();
        self.metrics.panics(logging::panics());
        self.metrics
            .log_dropped(self.dropped_lines.load(Ordering::Relaxed));
        let now = self.lens.clock.now();
        let vitals = Vitals {
            beats: self.lens.beats.ages(now),
            gate: self.lens.gate.raised(),
        };
        self.metrics.beats(&vitals.beats, now);
        for (actor, fulls) in self.lens.links.fulls() {
            self.metrics.mailbox_full(actor, fulls);
        }
        let status = (self.status.read()).expect("no holder of the status can panic");
        self.metrics.unknown_oldest(status.unknown_oldest_ms(now));
        for (symbol, at) in status.confirmed_books() {
            self.metrics.market_data(symbol, at);
        }
        self.pictures.put(status.picture(now, &vitals));
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            tracing::debug!(event = "reports_dropped", total = dropped);
        }
    }

    /// One more second of every chart.
    fn sample(&self) {
        let mut status = (self.status.write()).expect("no holder of the status can panic");
        let is_held = status.mode != Mode::Normal;
        let Status { charts, books, .. } = &mut *status;
        charts::sample(charts, self.lens.clock.now(), books, is_held);
    }

    fn take(&self, observed: &Observed) {
        let now = self.lens.clock.now();
        let mut status = self
            .status
            .write()
            .expect("no holder of the status can panic");
        let metrics = &self.metrics;
        match observed {
            Observed::Market(report) => market(&mut status, metrics, now, report),
            Observed::Decision(report) => decision(&mut status, metrics, now, report),
            Observed::Order(view) => notes::order(&mut status, metrics, view),
            Observed::Fill(trade) => fill(&mut status, metrics, now, trade),
            Observed::Call(report) => call(&mut status, metrics, now, report),
            Observed::Standing(report) => standing(&mut status, metrics, now, report),
            Observed::Process(report) => process(&mut status, metrics, now, report),
        }
        metrics.orders_now(status.orders.len(), status.unknown_orders());
        for watcher in &self.watchers {
            watcher(observed, &status);
        }
    }
}

impl Actor for Observer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.refresh();
        ctx.run_interval(REFRESH, |observer, _| {
            observer.sample();
            observer.refresh();
        });
    }
}

impl Handler<Tell<Observed>> for Observer {
    type Result = ();

    fn handle(&mut self, message: Tell<Observed>, _ctx: &mut Self::Context) {
        self.take(&message.0);
        // What readiness hangs on is shown at once; the rest can wait for the beat.
        if matches!(
            message.0,
            Observed::Process(Process::Pass(_) | Process::Offset(_))
        ) {
            self.refresh();
        }
    }
}

fn market(status: &mut Status, metrics: &Metrics, now: Timestamp, report: &Market) {
    match report {
        Market::Feed(note) => notes::feed(status, metrics, now, *note),
        Market::Frames(count) => {
            status.counts.frames += count;
        }
        Market::Book(view) => notes::book(status, metrics, now, view),
    }
}

fn decision(status: &mut Status, metrics: &Metrics, now: Timestamp, report: &Decision) {
    match report {
        Decision::Intent(intent) => {
            status.counts.intents += 1;
            metrics.decision(Stage::Intended);
            notes::evaluated(status, metrics, now);
            tracing::debug!(event = "intent", symbol = %intent.symbol, side = intent.side.as_str(), strategy = intent.strategy.as_str(),
                reason = intent.reason.as_str(), price = %intent.limit, qty = %intent.qty, cycle_id = %CycleId(intent.cycle));
        }
        Decision::IntentOut(took_us) => metrics.decision_took(*took_us),
        Decision::Silent(strategy, symbol, why) => {
            notes::evaluated(status, metrics, now);
            status.silent.insert((*strategy, *symbol), why.as_str());
            tracing::debug!(event = "no_intent", symbol = %symbol, strategy = strategy.as_str(), reason = why.as_str());
        }
        Decision::Denied(denial) => {
            status.counts.denied += 1;
            *status.denials.entry(denial.code.as_str()).or_insert(0) += 1;
            metrics.denied(denial.code);
            tracing::info!(event = "intent_denied", symbol = %denial.intent.symbol, side = denial.intent.side.as_str(),
                reason = denial.code.as_str(), seen = %denial.seen, allowed = %denial.allowed);
        }
        // The log tells an order from its first state that others can see.
        Decision::Reserved(..) => {}
    }
}

fn fill(status: &mut Status, metrics: &Metrics, now: Timestamp, trade: &OwnTrade) {
    status.counts.fills += 1;
    metrics.fill();
    charts::mark(&mut status.charts, now, trade);
    let text = format!(
        "{} {} {} at {}",
        trade.side.as_str(),
        trade.qty,
        trade.base,
        trade.price
    );
    status.note(now, "fill", text);
    tracing::info!(event = "fill", order_id = %trade.order_id, client_order_id = trade.client_id.map(tracing::field::display),
        side = trade.side.as_str(), price = %trade.price, qty = %trade.qty, fee = %trade.fee, tax = %trade.tax);
}

fn call(status: &mut Status, metrics: &Metrics, now: Timestamp, report: &Call) {
    match report {
        Call::SubmitSent(after_us) => metrics.order_sent(*after_us),
        Call::SubmitAnswered(id, took_ms, http) => {
            status.counts.submitted += 1;
            if *http == Some(429) {
                metrics.rest_attempt(crate::metrics::RestMark::RateLimited, now);
            }
            tracing::info!(event = "submit_answered", client_order_id = %id, took_ms, http_status = http.map(u64::from));
        }
        Call::SubmitTook(id, took_ms) => {
            metrics.submit_took(*took_ms);
            tracing::debug!(event = "submit_took", client_order_id = %id, took_ms);
        }
        Call::CancelSent(id) => {
            status.counts.cancels += 1;
            tracing::info!(event = "cancel_sent", client_order_id = %id);
        }
        Call::CancelAnswered(id, reply, took_ms) => {
            metrics.cancel_answered(*reply, *took_ms);
            tracing::debug!(event = "cancel_answered", client_order_id = %id, took_ms);
        }
    }
}

fn standing(status: &mut Status, metrics: &Metrics, now: Timestamp, report: &Standing) {
    match report {
        Standing::Mode(report) => notes::mode(status, metrics, now, report),
        Standing::Killed(kill) => {
            metrics.kill_latched(true);
            let text = format!("{} as {}, by {}", kill.cause.as_str(), kill.id, kill.by);
            status.note(now, "killed", text);
            status.kill = Some(kill.clone());
        }
        Standing::KillReset(id) => {
            metrics.kill_latched(false);
            metrics.armed(false);
            metrics.arming_blocked(RESTART_NEEDED);
            status.note(now, "kill_reset", id.to_string());
            status.disarm();
        }
        Standing::Money(report) => {
            metrics.money(report);
            status.heard.money = Some(now);
            status.money = Some(report.clone());
        }
    }
}

fn process(status: &mut Status, metrics: &Metrics, now: Timestamp, report: &Process) {
    match report {
        Process::Router(note) => notes::router(status, now, *note),
        Process::Gate(note) => notes::gate(status, now, note),
        Process::Pass(report) => {
            if report.clean {
                status.last_clean = Some(report.at);
                metrics.reconciled(report.at, report.took_ms);
            } else {
                metrics.reconcile_failed(report.took_ms);
            }
            status.last_pass = Some(*report);
            tracing::debug!(
                event = "reconciled",
                clean = report.clean,
                took_ms = report.took_ms
            );
        }
        Process::Offset(offset) => {
            status.offset_ms = *offset;
            if let Some(ms) = offset {
                status.heard.offset = Some(now);
                metrics.clock_offset_ms(*ms);
            }
        }
        Process::Ladder(step) => notes::ladder(status, metrics, now, *step),
        Process::Committed => status.heard.commit = Some(now),
        Process::Limits(limits) => {
            if let Some(bounds) = &mut status.bounds {
                bounds.limits = limits.as_ref().clone();
            }
        }
        Process::Asked(asked) => notes::by_hand(status, now, asked),
        Process::Restarted(actor) => {
            status.counts.restarts += 1;
            metrics.actor_restarted(*actor);
            status.note(now, "actor_restarted", actor.as_str().to_owned());
        }
        Process::LinkTrouble(link, what) => {
            tracing::warn!(event = "link_trouble", link, what);
        }
    }
}

#[cfg(test)]
#[path = "observer_tests.rs"]
pub(crate) mod tests;
