//! What each kind of report does to log, metrics and status: one function for each.
//!
//! It decides nothing. The one idea: a step is one line, one count and one event, told once.

use super::{Asked, CycleId};
use crate::metrics::{Metrics, OrderMark, Stage};
use crate::status::Status;
use engine::book::BookView;
use engine::budget::Step;
use engine::mode::ModeCode;
use engine::msg::{DownReason, FeedNote, ModeReport, RiskNote, RouterNote};
use engine::order::{OrderState, OrderView};
use engine::time::Timestamp;

/// A strategy has spoken.
pub(super) fn evaluated(status: &mut Status, metrics: &Metrics, now: Timestamp) {
    status.counts.evaluated += 1;
    status.heard.evaluation = Some(now);
    metrics.decision(Stage::Evaluated);
}

pub(super) fn by_hand(status: &mut Status, now: Timestamp, asked: &Asked) {
    let Asked {
        what,
        by,
        reason,
        result,
    } = asked;
    let colon = if reason.is_empty() { "" } else { ": " };
    if what == "safe-mode on" {
        status.safe_by = Some((by.clone(), reason.clone()));
    }
    let text = format!("{what} by {by}{colon}{reason} ({result})");
    status.note(now, "operator", text);
}

pub(super) fn gate(status: &mut Status, now: Timestamp, note: &RiskNote) {
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

pub(super) fn feed(status: &mut Status, metrics: &Metrics, now: Timestamp, note: FeedNote) {
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
pub(super) fn ladder(status: &mut Status, metrics: &Metrics, now: Timestamp, step: Step) {
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

pub(super) fn book(status: &mut Status, metrics: &Metrics, now: Timestamp, view: &BookView) {
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

pub(super) fn order(status: &mut Status, metrics: &Metrics, view: &OrderView) {
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
        status.counts.approved += 1;
        status.pace.note(view.since, &view.order);
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

pub(super) fn router(status: &mut Status, now: Timestamp, note: RouterNote) {
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

pub(super) fn mode(status: &mut Status, metrics: &Metrics, now: Timestamp, report: &ModeReport) {
    let codes: Vec<&str> = report
        .voices
        .iter()
        .map(|voice| voice.code.as_str())
        .collect();
    if status.mode != report.mode {
        let asked = match codes.is_empty() {
            true => String::new(),
            false => format!(" ({})", codes.join(", ")),
        };
        let text = format!("{}{asked}", report.mode.as_str());
        status.note(now, "mode", text);
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
        .any(|voice| voice.code == ModeCode::OperatorSafeMode);
    metrics.safe_mode(is_safe);
    metrics.contributions(&report.voices);
    if status.mode != report.mode || status.heard.mode.is_none() {
        status.heard.mode = Some(now);
    }
    status.mode = report.mode;
    status.voices.clone_from(&report.voices);
    status.holds.clone_from(&report.holds);
}
