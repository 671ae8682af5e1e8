//! The picture of the running process that people and machines read: one value, updated by the Metrics actor.
//!
//! It is a copy, never a source: nothing decides by it. Decimals leave as text, times as microseconds.

mod bounds;
pub mod charts;
mod fresh;
#[cfg(test)]
mod tests;

pub use bounds::{Bounds, Pace};
pub use fresh::{Heard, Vitals};

use crate::control::kill_switch::kill_json;
use crate::gate::Flag;
use crate::metrics::RESTART_NEEDED;
use crate::ops::{Check, Picture};
use crate::watchdog::stall_ms;
use charts::Charts;
use engine::answer::OrderRow;
use engine::book::BookView;
use engine::budget::{Cause, Rung, Step};
use engine::hold::{Hold, Holds};
use engine::ids::{ClientId, Symbol};
use engine::intent::StrategyKind;
use engine::kill::Kill;
use engine::mode::{Contribution, Mode, ModeCode};
use engine::msg::{MoneyReport, PassReport};
use engine::order::{OrderState, OrderView};
use engine::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Notable events that are kept for the page; the oldest fall out.
const EVENTS_MAX: usize = 50;
/// Trades among them: a busy market must not push out what an operator did.
const FILL_EVENTS_MAX: usize = 10;
/// The code of a trade's event.
const FILL: &str = "fill";

/// What holds for the whole run.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// This process start.
    pub run_id: String,
    /// `live`, `simulated` or `demo`.
    pub venue: &'static str,
    /// May submit, as far as configuration goes.
    pub is_armed: bool,
    /// Why not, as stable codes; empty if armed.
    pub blocked: Vec<String>,
    /// The account's tag in client ids.
    pub account: String,
    /// The public fingerprint of the key, if there is one.
    pub key: Option<String>,
    /// When the process started.
    pub started: Timestamp,
}

/// One line of the story.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Stable code.
    pub code: &'static str,
    /// For people.
    pub text: String,
}

/// Numbers that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames read from the stream.
    pub frames: u64,
    /// Words of strategies: an intent, or why there is none, told when it changes and once a cycle.
    pub evaluated: u64,
    /// Intents that strategies had.
    pub intents: u64,
    /// Intents that the gate denied.
    pub denied: u64,
    /// Intents that the gate approved.
    pub approved: u64,
    /// Submits that were tried.
    pub submitted: u64,
    /// Orders that the exchange accepted.
    pub accepted: u64,
    /// Orders that the exchange rejected.
    pub rejected: u64,
    /// Orders of which no byte left.
    pub not_sent: u64,
    /// Cancel requests.
    pub cancels: u64,
    /// Trades booked.
    pub fills: u64,
    /// Submits with an unknown outcome, resolved or not.
    pub unknown: u64,
    /// Actors that were restarted.
    pub restarts: u64,
    /// Sessions of the stream.
    pub sessions: u64,
}

/// Everything that is shown.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Fixed facts.
    pub identity: Identity,
    /// The mode that is applied.
    pub mode: Mode,
    /// Who asks for it.
    pub voices: Vec<Contribution>,
    /// What an operator holds back: the words behind some of them.
    pub holds: Holds,
    /// The trip of the kill switch that is latched.
    pub kill: Option<Kill>,
    /// The account.
    pub money: Option<MoneyReport>,
    /// Each pair's market.
    pub books: BTreeMap<Symbol, BookView>,
    /// Own orders that have not ended.
    pub orders: BTreeMap<ClientId, OrderView>,
    /// Why a strategy asks for nothing.
    pub silent: BTreeMap<(StrategyKind, Symbol), &'static str>,
    /// Why intents were denied, counted.
    pub denials: BTreeMap<&'static str, u64>,
    /// Totals.
    pub counts: Counts,
    /// The last pass over the account.
    pub last_pass: Option<PassReport>,
    /// End of the last clean pass.
    pub last_clean: Option<Timestamp>,
    /// Exchange clock less ours, milliseconds; `None` while unknown.
    pub offset_ms: Option<i64>,
    /// Where each cause stands on the ladder, and since when.
    pub ladder: BTreeMap<Cause, (Step, Timestamp)>,
    /// The latest notable events, oldest first.
    pub events: VecDeque<Event>,
    /// What figures are measured against; `None` before the run begins.
    pub bounds: Option<Bounds>,
    /// When the latest of each kind was heard.
    pub heard: Heard,
    /// Orders of the last minute.
    pub pace: Pace,
    /// The last minutes of each pair.
    pub charts: Charts,
    /// Who asked for safe mode last, and why.
    pub safe_by: Option<(String, String)>,
}

impl Status {
    /// Returns for how long the oldest order of unknown fate has been that, milliseconds; 0 without one.
    pub fn unknown_oldest_ms(&self, now: Timestamp) -> i64 {
        let unknown = self.orders.values();
        let unknown = unknown.filter(|view| matches!(view.state, OrderState::Unknown(_)));
        let ages = unknown.map(|view| now.ms_since(view.since));
        ages.max().unwrap_or(0).max(0)
    }

    /// Returns when each trusted book was last confirmed by the exchange.
    pub fn confirmed_books(&self) -> impl Iterator<Item = (Symbol, Timestamp)> {
        self.books.iter().filter_map(|(symbol, view)| match view {
            BookView::Trusted(book) => Some((*symbol, book.received())),
            BookView::Untrusted { .. } => None,
        })
    }

    /// Returns how many events of the last five minutes keep a spent budget burning.
    pub fn burning(&self) -> u32 {
        let killed = (self.ladder.values()).filter(|(step, _)| step.after == Rung::Killed);
        killed.fold(0, |sum, (step, _)| sum + step.minutes)
    }

    /// Adds a line to the story.
    pub fn note(&mut self, at: Timestamp, code: &'static str, text: String) {
        let is_fill = |event: &Event| event.code == FILL;
        let fills = self.events.iter().filter(|event| is_fill(event)).count();
        if code == FILL && fills >= FILL_EVENTS_MAX {
            let oldest = self.events.iter().position(is_fill);
            oldest.map(|at| self.events.remove(at));
        } else if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(Event { at, code, text });
    }

    /// A reset has ended the kill; only a restart arms again.
    pub fn disarm(&mut self) {
        self.kill = None;
        self.identity.is_armed = false;
        self.identity.blocked.push(RESTART_NEEDED.to_owned());
    }

    /// Returns the number of own orders whose fate is unknown.
    pub fn unknown_orders(&self) -> usize {
        self.orders
            .values()
            .filter(|view| matches!(view.state, OrderState::Unknown(_)))
            .count()
    }

    /// Returns what must hold for the process to be ready.
    pub fn readiness(&self, now: Timestamp) -> Vec<Check> {
        let trusted = self
            .books
            .values()
            .filter(|view| matches!(view, BookView::Trusted(_)))
            .count();
        let check = |name, ok, seen| Check { name, ok, seen };
        vec![
            check(
                "reconciled",
                self.last_clean.is_some(),
                age(self.last_clean, now),
            ),
            check(
                "book_trusted",
                trusted > 0,
                format!("{trusted} of {}", self.books.len()),
            ),
            check(
                "clock",
                self.offset_ms.is_some(),
                self.offset_ms
                    .map_or("unknown".to_owned(), |ms| format!("{ms} ms")),
            ),
            check(
                "not_killed",
                self.mode != Mode::KillSwitch && self.kill.is_none(),
                self.mode.as_str().to_owned(),
            ),
            check("not_stopping", !self.is_stopping(), String::new()),
        ]
    }

    fn is_stopping(&self) -> bool {
        self.voices
            .iter()
            .any(|voice| voice.code == ModeCode::Stopping)
    }

    /// Returns what the HTTP plane shows.
    pub fn picture(&self, now: Timestamp, vitals: &Vitals) -> Picture {
        let mut status = self.to_json(now);
        status["gate"] = vitals.gate.iter().copied().map(Flag::as_str).collect();
        status["threads"] = vitals.threads_json().into();
        if let Some(rows) = status["freshness"].as_array_mut() {
            rows.push(vitals.journal_json());
        }
        Picture {
            at: now,
            alive: liveness(vitals),
            ready: self.readiness(now),
            is_started: self.last_clean.is_some(),
            progress: age(self.last_clean, now),
            status,
            charts: self.charts.clone(),
            ..Picture::default()
        }
    }

    /// Returns the data of `btcbot.status/v1`.
    pub fn to_json(&self, now: Timestamp) -> Value {
        let identity = &self.identity;
        json!({
            "run_id": identity.run_id,
            "version": env!("CARGO_PKG_VERSION"),
            "venue": identity.venue,
            "armed": identity.is_armed,
            "blocked": identity.blocked,
            "account": identity.account,
            "key": identity.key,
            "uptime_s": now.ms_since(identity.started) / 1_000,
            "mode": self.mode.as_str(),
            "mode_since_us": self.heard.mode.map(|at| at.0),
            "kill": self.kill.as_ref().map(kill_json),
            "contributions": self.voices.iter().map(|voice| self.voice_json(voice)).collect::<Vec<_>>(),
            "money": self.money.as_ref().map(money_json),
            "books": self.books.iter().map(|(symbol, view)| (symbol.to_string(), book_json(view, now))).collect::<serde_json::Map<_, _>>(),
            "orders": self.orders.values().map(order_json).collect::<Vec<_>>(),
            "unknown_orders": self.unknown_orders(),
            "silent": self.silent.iter().map(|((strategy, symbol), why)| json!({"strategy": strategy.as_str(), "symbol": symbol, "why": why})).collect::<Vec<_>>(),
            "denials": self.denials,
            "counts": counts_json(&self.counts),
            "reconcile_age_ms": self.last_clean.map(|at| now.ms_since(at)),
            "clock_offset_ms": self.offset_ms,
            "not_ready": self.readiness(now).iter().filter(|check| !check.ok).map(|check| check.name).collect::<Vec<_>>(),
            "ladder": self.ladder_json(),
            "limits": self.limits_json(now),
            "budgets": self.budgets_json(),
            "freshness": self.freshness_json(now),
            "events": self.events.iter().map(|event| json!({"at_us": event.at.0, "code": event.code, "text": event.text})).collect::<Vec<_>>(),
        })
    }
}

impl Status {
    /// The highest rung, and every cause with its figures.
    fn ladder_json(&self) -> Value {
        let rungs = self.ladder.values().map(|(step, _)| step.after);
        let rung = rungs.max().unwrap_or(Rung::Normal);
        let causes: Vec<Value> = (self.ladder.values())
            .map(|(step, since)| {
                json!({
                    "cause": step.cause.as_str(),
                    "rung": step.after.as_str(),
                    "since_us": since.0,
                    "count": step.count,
                    "limit": step.limit,
                    "hour": step.hour,
                    "five_minutes": step.minutes,
                })
            })
            .collect();
        json!({"rung": rung.as_str(), "causes": causes})
    }
}

impl Status {
    fn voice_json(&self, voice: &Contribution) -> Value {
        let scope = match voice.scope {
            engine::mode::Scope::Global => "global".to_owned(),
            engine::mode::Scope::Symbol(symbol) => symbol.to_string(),
        };
        let mut shown = json!({"source": voice.code.source(), "code": voice.code.as_str(), "scope": scope, "mode": voice.mode.as_str(), "since_us": voice.since.0});
        let mut words = self.holds.iter();
        let is_its = |hold: &&Hold| hold.code() == voice.code && hold.scope() == voice.scope;
        if let Some(hold) = words.find(is_its) {
            shown["by"] = json!(hold.by);
            shown["reason"] = json!(hold.reason);
            shown["until_us"] = json!(hold.until.map(|until| until.0));
        } else if let Some((by, reason)) = self.person_behind(voice.code) {
            shown["by"] = json!(by);
            shown["reason"] = json!(reason);
        }
        shown
    }

    /// The person behind the kill that is latched, or behind safe mode, with their words.
    fn person_behind(&self, code: ModeCode) -> Option<(&str, &str)> {
        let kill = self.kill.as_ref().filter(|kill| kill.cause == code);
        let safe = (self.safe_by.as_ref()).filter(|_| code == ModeCode::OperatorSafeMode);
        let of_kill = kill.map(|kill| (kill.by.as_str(), kill.reason.as_str()));
        of_kill.or_else(|| safe.map(|(by, reason)| (by.as_str(), reason.as_str())))
    }
}

/// Each watched thread, alive until it is as late as the watchdog kills for: a restart helps from there on.
fn liveness(vitals: &Vitals) -> Vec<Check> {
    let check = |(who, age_ms): &(crate::beats::Beat, i64)| Check {
        name: who.as_str(),
        ok: *age_ms <= stall_ms(*who),
        seen: format!("{age_ms} ms"),
    };
    vitals.beats.iter().map(check).collect()
}

/// How long ago the last clean look was, for people.
fn age(last_clean: Option<Timestamp>, now: Timestamp) -> String {
    last_clean.map_or(
        "waiting for the first clean look at the account".to_owned(),
        |at| format!("{} ms ago", now.ms_since(at)),
    )
}

fn money_json(money: &MoneyReport) -> Value {
    let positions: Vec<Value> = (money.positions.iter())
        .map(|(symbol, qty, mark)| json!({"symbol": symbol, "qty": qty, "mark": mark}))
        .collect();
    json!({
        "cash": money.cash,
        "equity": money.equity,
        "day_pnl": money.day_pnl,
        "drawdown_bps": money.drawdown_bps,
        "exposure": money.exposure,
        "fees": money.fees,
        "fees_today": money.fees_today,
        "foreign_orders": money.foreign,
        "positions": positions,
        "exposures": money.exposures.iter().map(|(symbol, amount)| (symbol.to_string(), json!(amount))).collect::<serde_json::Map<_, _>>(),
        "balances": money.balances.iter().map(|(asset, amount)| (asset.to_string(), json!(amount))).collect::<serde_json::Map<_, _>>(),
    })
}

fn book_json(view: &BookView, now: Timestamp) -> Value {
    match view {
        BookView::Trusted(book) => json!({
            "trusted": true,
            "bid": book.best_bid().price,
            "ask": book.best_ask().price,
            "age_ms": now.ms_since(book.received()),
        }),
        BookView::Untrusted { why, since, .. } => {
            json!({"trusted": false, "why": why.as_str(), "age_ms": now.ms_since(*since)})
        }
    }
}

/// Returns an own order as it is shown everywhere.
pub fn order_json(view: &OrderView) -> Value {
    let intent = &view.order.intent;
    let why = match view.state {
        OrderState::Unknown(cause) => json!(cause),
        OrderState::Rejected(refusal) => json!(refusal.as_str()),
        OrderState::NotSent(cause) => json!(cause.as_str()),
        OrderState::Reserved
        | OrderState::Sending
        | OrderState::Open
        | OrderState::Partial
        | OrderState::Absent
        | OrderState::Canceled
        | OrderState::Filled => Value::Null,
    };
    json!({
        "client_id": view.client_id(),
        "order_id": view.order_id.map(|id| id.to_string()),
        "symbol": intent.symbol,
        "side": intent.side.as_str(),
        "price": intent.limit,
        "qty": intent.qty,
        "filled": view.filled,
        "state": view.state.as_str(),
        "why": why,
        "cancel_asked": view.cancel_asked,
        "strategy": intent.strategy.as_str(),
        "since_us": view.since.0,
    })
}

/// Returns an order as the exchange lists it.
pub fn row_json(row: &OrderRow) -> Value {
    json!({
        "client_id": row.client_id,
        "order_id": row.id.to_string(),
        "symbol": row.symbol,
        "side": row.side.as_str(),
        "price": row.price,
        "qty": row.qty,
        "filled": row.qty.minus_or_zero(row.left),
        "state": "listed",
        "since_us": row.at.0,
    })
}

fn counts_json(counts: &Counts) -> Value {
    json!({
        "frames": counts.frames,
        "evaluated": counts.evaluated,
        "intents": counts.intents,
        "denied": counts.denied,
        "approved": counts.approved,
        "submitted": counts.submitted,
        "accepted": counts.accepted,
        "rejected": counts.rejected,
        "not_sent": counts.not_sent,
        "cancels": counts.cancels,
        "fills": counts.fills,
        "unknown": counts.unknown,
        "restarts": counts.restarts,
        "sessions": counts.sessions,
    })
}
