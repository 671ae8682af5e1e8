//! The Metrics actor: turns what the others report into log lines, metrics and the status picture.
//!
//! One closed enum in, one match. It decides nothing, and nobody waits for it: a full mailbox drops and counts.

use crate::clock::Clock;
use crate::link::{Link, Sent, Tell};
use crate::logging;
use crate::metrics::{Metrics, OrderMark, Stage};
use crate::ops::Pictures;
use crate::status::Status;
use actix::{Actor, AsyncContext, Context, Handler};
use engine::answer::CancelReply;
use engine::book::BookView;
use engine::budget::Step;
use engine::ids::{ClientId, Symbol};
use engine::intent::{Intent, SilentReason, StrategyKind};
use engine::kill::{Kill, KillId};
use engine::msg::{
    DownReason, FeedNote, ModeReport, MoneyReport, PassReport, RiskNote, RouterNote,
};
use engine::order::{OrderState, OrderView};
use engine::risk::Denial;
use engine::supervisor::ActorName;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// Reports that may wait; beyond it they are dropped and counted.
pub const MAILBOX: usize = 4_096;
/// How often rates and ages are brought up to date.
const REFRESH: Duration = Duration::from_secs(1);

/// What the actors report.
#[derive(Clone, Debug)]
pub enum Observed {
    /// The feed's session.
    Feed(FeedNote),
    /// Frames read since the last report.
    Frames(u64),
    /// The market of a pair.
    Book(BookView),
    /// An intent was made.
    Intent(Intent),
    /// A strategy asks for nothing.
    Silent(StrategyKind, Symbol, SilentReason),
    /// The gate denied.
    Denied(Denial),
    /// An own order changed.
    Order(OrderView),
    /// A trade was booked.
    Fill(engine::answer::OwnTrade),
    /// A surprise of the router.
    Router(RouterNote),
    /// A submit was answered by the port: order, milliseconds from hand-over, HTTP status.
    SubmitAnswered(ClientId, i64, Option<u16>),
    /// A submit has its outcome after this many milliseconds, the journal's commit included.
    SubmitTook(ClientId, i64),
    /// A cancel was sent.
    CancelSent(ClientId),
    /// A cancel was answered after this many milliseconds.
    CancelAnswered(ClientId, CancelReply, i64),
    /// The mode.
    Mode(ModeReport),
    /// The kill switch was tripped and is latched.
    Killed(Kill),
    /// The trip was reset; the process is disarmed.
    KillReset(KillId),
    /// The account.
    Money(MoneyReport),
    /// A booking of the gate that is out of the ordinary.
    Gate(RiskNote),
    /// A pass over the account ended.
    Pass(PassReport),
    /// The exchange's clock less ours, milliseconds; `None` while unknown.
    Offset(Option<i64>),
    /// Where a cause stands on the ladder; a step where the rungs differ.
    Ladder(Step),
    /// An actor was restarted.
    Restarted(ActorName),
    /// A link did not take a message.
    LinkTrouble(&'static str, &'static str),
}

/// A handle to report with; never blocks, never fails.
#[derive(Clone, Default)]
pub struct Eyes {
    link: Link<Observed>,
    dropped: Arc<AtomicU64>,
}

impl Eyes {
    /// Reports; a full or missing mailbox drops and counts.
    pub fn see(&self, observed: Observed) {
        match self.link.send(observed) {
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
struct CycleId(u32);

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
}

/// The actor.
pub struct Observer {
    status: SharedStatus,
    clock: Clock,
    metrics: Metrics,
    pictures: Pictures,
    watcher: Option<Watcher>,
    dropped: Arc<AtomicU64>,
    dropped_lines: Arc<AtomicU64>,
}

impl Observer {
    /// Makes the actor.
    pub fn new(
        status: SharedStatus,
        clock: Clock,
        figures: Figures,
        eyes: &Eyes,
        watcher: Option<Watcher>,
    ) -> Self {
        let Figures {
            metrics,
            pictures,
            dropped_lines,
        } = figures;
        Self {
            status,
            clock,
            metrics,
            pictures,
            watcher,
            dropped: Arc::clone(&eyes.dropped),
            dropped_lines,
        }
    }

    fn refresh(&self) {
        self.metrics.upkeep();
        self.metrics.panics(logging::panics());
        self.metrics
            .log_dropped(self.dropped_lines.load(Ordering::Relaxed));
        let now = self.clock.now();
        let picture = self
            .status
            .read()
            .expect("no holder of the status can panic")
            .picture(now);
        self.pictures.put(picture);
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            tracing::debug!(event = "reports_dropped", total = dropped);
        }
    }

    fn take(&self, observed: &Observed) {
        let now = self.clock.now();
        let mut status = self
            .status
            .write()
            .expect("no holder of the status can panic");
        let metrics = &self.metrics;
        let counts = &mut status.counts;
        match observed {
            Observed::Feed(note) => feed(&mut status, metrics, now, *note),
            Observed::Frames(count) => {
                counts.frames += count;
            }
            Observed::Book(view) => book(&mut status, metrics, now, view),
            Observed::Intent(intent) => {
                counts.intents += 1;
                metrics.decision(Stage::Intended);
                tracing::debug!(event = "intent", symbol = %intent.symbol, side = intent.side.as_str(), strategy = intent.strategy.as_str(),
                    reason = intent.reason.as_str(), price = %intent.limit, qty = %intent.qty, cycle_id = %CycleId(intent.cycle));
            }
            Observed::Silent(strategy, symbol, why) => {
                status.silent.insert((*strategy, *symbol), why.as_str());
                tracing::debug!(event = "no_intent", symbol = %symbol, strategy = strategy.as_str(), reason = why.as_str());
            }
            Observed::Denied(denial) => {
                counts.denied += 1;
                *status.denials.entry(denial.code.as_str()).or_insert(0) += 1;
                metrics.denied(denial.code);
                tracing::info!(event = "intent_denied", symbol = %denial.intent.symbol, side = denial.intent.side.as_str(),
                    reason = denial.code.as_str(), seen = %denial.seen, allowed = %denial.allowed);
            }
            Observed::Order(view) => order(&mut status, metrics, view),
            Observed::Fill(trade) => {
                counts.fills += 1;
                metrics.fill();
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
            Observed::Router(note) => router(&mut status, now, *note),
            Observed::SubmitAnswered(id, took_ms, http) => {
                counts.submitted += 1;
                if *http == Some(429) {
                    metrics.rest_attempt(crate::metrics::RestMark::RateLimited, now);
                }
                tracing::info!(event = "submit_answered", client_order_id = %id, took_ms, http_status = http.map(u64::from));
            }
            Observed::SubmitTook(id, took_ms) => {
                metrics.submit_took(*took_ms);
                tracing::debug!(event = "submit_took", client_order_id = %id, took_ms);
            }
            Observed::CancelSent(id) => {
                counts.cancels += 1;
                tracing::info!(event = "cancel_sent", client_order_id = %id);
            }
            Observed::CancelAnswered(id, reply, took_ms) => {
                metrics.cancel_answered(*reply, *took_ms);
                tracing::debug!(event = "cancel_answered", client_order_id = %id, took_ms);
            }
            Observed::Mode(report) => mode(&mut status, metrics, now, report),
            Observed::Killed(kill) => {
                metrics.kill_latched(true);
                let text = format!("{} as {}, by {}", kill.cause.as_str(), kill.id, kill.by);
                status.note(now, "killed", text);
                status.kill = Some(kill.clone());
            }
            Observed::KillReset(id) => {
                metrics.kill_latched(false);
                metrics.armed(false);
                status.note(now, "kill_reset", id.to_string());
                status.disarm();
            }
            Observed::Money(report) => {
                metrics.money(report.equity, report.day_pnl, report.exposure);
                status.money = Some(report.clone());
            }
            Observed::Pass(report) => {
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
            Observed::Gate(note) => gate(&mut status, now, note),
            Observed::Offset(offset) => {
                status.offset_ms = *offset;
                if let Some(ms) = offset {
                    metrics.clock_offset_ms(*ms);
                }
            }
            Observed::Ladder(step) => ladder(&mut status, metrics, now, *step),
            Observed::Restarted(actor) => {
                counts.restarts += 1;
                metrics.actor_restarted(*actor);
                status.note(now, "actor_restarted", actor.as_str().to_owned());
            }
            Observed::LinkTrouble(link, what) => {
                tracing::warn!(event = "link_trouble", link, what);
            }
        }
        self.metrics
            .orders_now(status.orders.len(), status.unknown_orders());
        if let Some(watcher) = &self.watcher {
            watcher(observed, &status);
        }
    }
}

fn gate(status: &mut Status, now: engine::time::Timestamp, note: &RiskNote) {
    match note {
        RiskNote::InventoryAdjusted(asset, amount) => {
            tracing::warn!(event = "inventory_adjusted", %asset, %amount);
        }
        RiskNote::LateFill(order_id, place) => {
            tracing::warn!(event = "late_fill", %order_id, place = ?place);
        }
        RiskNote::Transferred(asset, amount) => {
            status.note(now, "transfer_booked", format!("{amount} {asset}"));
            tracing::info!(event = "transfer_booked", %asset, %amount);
        }
        RiskNote::Adjusted(asset, amount) => {
            status.note(now, "ledger_adjusted", format!("{amount} {asset}"));
            tracing::warn!(event = "ledger_adjusted", %asset, %amount);
        }
    }
}

fn feed(status: &mut Status, metrics: &Metrics, now: engine::time::Timestamp, note: FeedNote) {
    match note {
        FeedNote::Connecting(attempt, _) => {
            if attempt > 1 {
                metrics.ws_reconnected(now);
            }
            tracing::info!(event = "feed_connecting", attempt);
        }
        FeedNote::Declined(count) => {
            status.note(now, "handshake_refused", format!("{count} in a row"));
            tracing::warn!(event = "handshake_refused", in_a_row = count);
        }
        FeedNote::Maintenance => tracing::warn!(event = "exchange_maintenance"),
        FeedNote::Up(session) => {
            status.counts.sessions += 1;
            status.note(now, "feed_up", format!("session {session}"));
            tracing::info!(event = "feed_up", session);
        }
        FeedNote::Down(why) => {
            let why = down_reason(why);
            status.note(now, "feed_down", why.to_owned());
            tracing::warn!(event = "feed_down", reason = why);
        }
        FeedNote::Resyncing(symbol) => tracing::info!(event = "book_resync", symbol = %symbol),
        FeedNote::Unreadable => tracing::warn!(event = "frame_unreadable"),
        FeedNote::Refused => tracing::warn!(event = "join_or_login_refused"),
    }
}

/// A step is one line, one count and one event; figures that only changed are shown without a word.
fn ladder(status: &mut Status, metrics: &Metrics, now: engine::time::Timestamp, step: Step) {
    metrics.ladder(step);
    let since = status.ladder.get(&step.cause).map(|(_, since)| *since);
    let is_step = step.before != step.after;
    let since = since.filter(|_| !is_step).unwrap_or(now);
    status.ladder.insert(step.cause, (step, since));
    if !is_step {
        return;
    }
    let (cause, before, after) = (step.cause.as_str(), step.before, step.after);
    let figures = format!("{} of {}", step.count, step.limit);
    let text = format!(
        "{cause}: {} to {}, {figures}",
        before.as_str(),
        after.as_str()
    );
    status.note(now, "ladder", text);
    tracing::warn!(
        event = "ladder",
        reason = cause,
        before = before.as_str(),
        after = after.as_str(),
        count = step.count,
        hour = step.hour,
        five_minutes = step.minutes,
        limit = step.limit
    );
}

const fn down_reason(why: DownReason) -> &'static str {
    match why {
        DownReason::Disconnected => "disconnected",
        DownReason::Idle => "idle",
        DownReason::AckTimeout => "ack_timeout",
        DownReason::Unreadable => "unreadable",
    }
}

fn book(status: &mut Status, metrics: &Metrics, now: engine::time::Timestamp, view: &BookView) {
    let symbol = view.symbol();
    let is_trusted = matches!(view, BookView::Trusted(_));
    let before = status.books.insert(symbol, *view);
    let was_trusted = before.is_some_and(|view| matches!(view, BookView::Trusted(_)));
    if is_trusted != was_trusted {
        metrics.book_trusted(symbol, is_trusted);
        if was_trusted {
            metrics.market_data_stale(now);
        }
        match view {
            BookView::Trusted(_) => tracing::info!(event = "book_trusted", symbol = %symbol),
            BookView::Untrusted { why, .. } => {
                tracing::info!(event = "book_untrusted", symbol = %symbol, reason = why.as_str());
            }
        }
    }
}

fn order(status: &mut Status, metrics: &Metrics, view: &OrderView) {
    let id = view.client_id();
    let before = status.orders.get(&id).map(|known| known.state);
    let was_accepted =
        before.is_some_and(|state| matches!(state, OrderState::Open | OrderState::Partial));
    if view.state.is_terminal() {
        status.orders.remove(&id);
    } else {
        status.orders.insert(id, *view);
    }
    if before == Some(view.state) {
        return;
    }
    let counts = &mut status.counts;
    match view.state {
        OrderState::Open | OrderState::Partial if !was_accepted => counts.accepted += 1,
        OrderState::Filled if before == Some(OrderState::Sending) => counts.accepted += 1,
        OrderState::Rejected(_) => counts.rejected += 1,
        OrderState::NotSent(_) => counts.not_sent += 1,
        OrderState::Unknown(_) => counts.unknown += 1,
        OrderState::Reserved
        | OrderState::Sending
        | OrderState::Open
        | OrderState::Partial
        | OrderState::Absent
        | OrderState::Canceled
        | OrderState::Filled => {}
    }
    if before.is_none() {
        metrics.decision(Stage::Approved);
    }
    if before == Some(OrderState::Sending) && !matches!(view.state, OrderState::NotSent(_)) {
        metrics.decision(Stage::Sent);
    }
    if let Some(mark) = order_mark(view.state) {
        metrics.order(mark);
    }
    let intent = &view.order.intent;
    tracing::info!(event = "order", client_order_id = %id, order_id = view.order_id.map(tracing::field::display),
        symbol = %intent.symbol, side = intent.side.as_str(), price = %intent.limit, qty = %intent.qty, filled = %view.filled,
        state = view.state.as_str(), reason = reason(view.state), cycle_id = %CycleId(intent.cycle));
}

const fn order_mark(state: OrderState) -> Option<OrderMark> {
    match state {
        OrderState::Reserved | OrderState::Sending | OrderState::Partial => None,
        OrderState::Open => Some(OrderMark::Accepted),
        OrderState::Unknown(_) => Some(OrderMark::Unknown),
        OrderState::NotSent(_) => Some(OrderMark::NotSent),
        OrderState::Rejected(_) => Some(OrderMark::Rejected),
        OrderState::Absent => Some(OrderMark::Absent),
        OrderState::Canceled => Some(OrderMark::Canceled),
        OrderState::Filled => Some(OrderMark::Filled),
    }
}

/// The reason inside a state, where it has one.
const fn reason(state: OrderState) -> Option<&'static str> {
    match state {
        OrderState::NotSent(why) => Some(why.as_str()),
        OrderState::Rejected(why) => Some(why.as_str()),
        OrderState::Reserved
        | OrderState::Sending
        | OrderState::Unknown(_)
        | OrderState::Open
        | OrderState::Partial
        | OrderState::Absent
        | OrderState::Canceled
        | OrderState::Filled => None,
    }
}

fn router(status: &mut Status, now: engine::time::Timestamp, note: RouterNote) {
    match note {
        RouterNote::DuplicateFill(id) => tracing::debug!(event = "fill_repeated", order_id = %id),
        RouterNote::Unmapped(id) => {
            tracing::error!(event = "order_message_unmapped", order_id = %id)
        }
        RouterNote::Ghost(id) => {
            status.note(now, "ghost_order", id.to_string());
            tracing::error!(event = "ghost_order", client_order_id = %id);
        }
        RouterNote::Adopted(id) => {
            status.note(now, "order_not_in_journal", id.to_string());
            tracing::error!(event = "order_not_in_journal", client_order_id = %id);
        }
        RouterNote::Foreign(id) => {
            status.note(now, "foreign_order", id.to_string());
            tracing::warn!(event = "foreign_order", order_id = %id);
        }
        RouterNote::Resolved(id) => {
            status.note(now, "unknown_resolved", id.to_string());
            tracing::info!(event = "unknown_resolved", client_order_id = %id);
        }
        RouterNote::Unproven(id, why) => {
            status.note(now, "unknown_unproven", format!("{id} {}", why.as_str()));
            tracing::warn!(event = "unknown_unproven", client_order_id = %id, reason = why.as_str());
        }
        RouterNote::ResolveRefused(id, why) => {
            status.note(now, "resolve_refused", format!("{id}: {why}"));
            tracing::warn!(event = "resolve_refused", client_order_id = %id, reason = %why);
        }
        RouterNote::RefusalDoubted(id) => {
            tracing::info!(event = "refusal_for_funds_doubted", client_order_id = %id);
        }
    }
}

fn mode(status: &mut Status, metrics: &Metrics, now: engine::time::Timestamp, report: &ModeReport) {
    let codes: Vec<&str> = report
        .voices
        .iter()
        .map(|voice| voice.code.as_str())
        .collect();
    if status.mode != report.mode {
        status.note(
            now,
            "mode",
            format!("{} ({})", report.mode.as_str(), codes.join(", ")),
        );
    }
    tracing::info!(
        event = "mode",
        mode = report.mode.as_str(),
        before = status.mode.as_str(),
        reasons = codes.join(",")
    );
    metrics.mode(report.mode);
    if status.mode != report.mode {
        metrics.mode_changed(report.mode);
    }
    let is_safe = report
        .voices
        .iter()
        .any(|voice| voice.code == engine::mode::ModeCode::OperatorSafeMode);
    metrics.safe_mode(is_safe);
    status.mode = report.mode;
    status.voices.clone_from(&report.voices);
    status.holds.clone_from(&report.holds);
}

impl Actor for Observer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.refresh();
        ctx.run_interval(REFRESH, |observer, _| observer.refresh());
    }
}

impl Handler<Tell<Observed>> for Observer {
    type Result = ();

    fn handle(&mut self, message: Tell<Observed>, _ctx: &mut Self::Context) {
        self.take(&message.0);
        // What readiness hangs on is shown at once; the rest can wait for the beat.
        if matches!(message.0, Observed::Pass(_) | Observed::Offset(_)) {
            self.refresh();
        }
    }
}
