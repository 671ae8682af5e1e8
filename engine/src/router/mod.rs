//! The OrderRouter: writes an order down, sends it once, and follows it until its end is proven.
//!
//! A client id is sent once, ever. What a time-out leaves open stays open until the exchange has been asked;
//! a cancel's answer is not an outcome; an ended order stays as a tombstone, so that late news finds it.

pub mod absence;
mod cancels;
mod entry;
mod evidence;
mod fold;
mod folded;
mod foreign;
mod memory;
mod pending;
mod replay;
mod resolve;
mod snapshot;
mod strays;
#[cfg(test)]
mod tests;
mod tombstones;
mod unknowns;

pub use absence::Unproven;
pub use memory::{Keep, Memory};
pub use resolve::ResolveRefusal;
pub use unknowns::UnknownOrder;

use crate::answer::{SubmitOutcome, UnknownCause};
use crate::approved::Approved;
use crate::core::{Core, Outbox};
use crate::foreign::ForeignOrder;
use crate::ids::{AccountTag, ClientId, OrderId};
use crate::intent::{CancelReason, NewOrder};
use crate::mode::{Mode, ModeCode, Scope};
use crate::msg::{RouterEffect, RouterIn, RouterNote};
use crate::order::{OrderState, OrderView, Resolution};
use crate::record::Record;
use crate::time::Timestamp;
use entry::{Entry, Moved};
use std::collections::{BTreeMap, BTreeSet};
use unknowns::Unknowns;

/// Wait for a row after a hint or an acknowledged cancel, milliseconds: lists lag a little behind events.
const LOOK_SOON_MS: i64 = 250;
/// Wait before a row is read again while it has not caught up, milliseconds.
const LOOK_AGAIN_MS: i64 = 500;
/// Spacing of account look-ups while an order is unknown, milliseconds.
const UNKNOWN_LOOK_MS: i64 = 5_000;
/// Foreign orders that are remembered for their fills; beyond it the oldest are forgotten and drift detection takes over.
const FOREIGN_MAX: usize = 10_000;
/// Own orders that are remembered; beyond it nothing new is sent (`tombstones_full`).
pub const TOMBSTONES_MAX: usize = 100_000;

/// What the router is told at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterSettings {
    /// Our account: only orders with this tag are ours.
    pub tag: AccountTag,
    /// Life of a resting order, milliseconds.
    pub ttl_ms: i64,
    /// Repeat of an unanswered cancel, milliseconds.
    pub cancel_retry_ms: i64,
    /// Wait behind the stamp's horizon before absence may be concluded, milliseconds.
    pub unknown_settle_ms: i64,
    /// How much of the past stays verbatim.
    pub keep: Keep,
}

/// Follows every own order of the account.
#[derive(Debug)]
pub struct OrderRouter {
    settings: RouterSettings,
    memory: Memory,
    waiting: BTreeMap<ClientId, Approved<NewOrder>>,
    /// Orders that must not be there and were told of.
    strays: BTreeSet<OrderId>,
    /// Resolutions whose record is not durable yet.
    resolving: BTreeMap<ClientId, Resolution>,
    unknowns: Unknowns,
    is_drifting: bool,
    /// Open orders of somebody else, as the last look showed them.
    strangers: Vec<ForeignOrder>,
    /// Those that were told of.
    strangers_told: BTreeSet<OrderId>,
    /// Every trade dated before has been listed and booked; ahead of the record of it.
    read_before: Option<Timestamp>,
    /// The exchange's clock less ours, milliseconds.
    offset_ms: i64,
    /// When the account is to be looked at again because an order is unknown or fills are pending.
    look_up_at: Option<Timestamp>,
    /// Until when an unclean stop lets no new risk pass.
    held_until: Option<Timestamp>,
}

impl OrderRouter {
    /// Makes a router that knows no order.
    pub fn new(settings: RouterSettings) -> Self {
        Self {
            settings,
            memory: Memory::default(),
            waiting: BTreeMap::new(),
            read_before: None,
            strays: BTreeSet::new(),
            resolving: BTreeMap::new(),
            unknowns: Unknowns::default(),
            is_drifting: false,
            strangers: Vec::new(),
            strangers_told: BTreeSet::new(),
            offset_ms: 0,
            look_up_at: None,
            held_until: None,
        }
    }

    /// Returns every own order that has not ended.
    pub fn living(&self) -> impl Iterator<Item = &OrderView> {
        self.memory
            .living
            .iter()
            .filter_map(|id| self.memory.entries.get(id))
            .map(|entry| &entry.view)
    }

    /// Returns every own order that has ended and is still kept, oldest id first.
    pub fn tombstones(&self) -> impl Iterator<Item = &OrderView> {
        let entries = self.memory.entries.values();
        entries
            .filter(|entry| !entry.is_living())
            .map(|entry| &entry.view)
    }

    /// Returns whether an order has ended so long ago that nothing but that is remembered.
    pub fn has_folded(&self, id: ClientId) -> bool {
        self.memory.tombstones.holds(id)
    }

    /// Returns how many orders have folded.
    pub fn folded_count(&self) -> u64 {
        self.memory.tombstones.count()
    }

    /// Returns an own order, ended or not; `None` once it has folded.
    pub fn order(&self, id: ClientId) -> Option<&OrderView> {
        self.memory.entries.get(&id).map(|entry| &entry.view)
    }

    fn submit(
        &mut self,
        now: Timestamp,
        approved: Approved<NewOrder>,
        out: &mut Outbox<RouterEffect>,
    ) {
        let order = *approved.get();
        assert!(
            !self.memory.entries.contains_key(&order.client_id)
                && !self.memory.tombstones.holds(order.client_id),
            "a client id is used once"
        );
        let stamp_max = approved.expires_at().plus_ms(self.offset_ms);
        self.memory.insert(Entry::new(order, stamp_max, now));
        self.waiting.insert(order.client_id, approved);
        out.push(RouterEffect::Persist(
            Record::Sending { order, stamp_max },
            Some(order.client_id),
        ));
    }

    fn durable(&mut self, now: Timestamp, id: ClientId, out: &mut Outbox<RouterEffect>) {
        let Some(approved) = self.waiting.remove(&id) else {
            return self.resolved(now, id, out);
        };
        let stamp_max = self
            .memory
            .entries
            .get(&id)
            .map(|entry| entry.stamp_max)
            .expect("a waiting order has an entry");
        self.memory.with(id, |entry| {
            entry.become_state(OrderState::Sending, now);
        });
        out.push(RouterEffect::Send {
            order: approved,
            stamp_max,
        });
        self.tell(id, out);
    }

    fn outcome(
        &mut self,
        now: Timestamp,
        id: ClientId,
        outcome: SubmitOutcome,
        out: &mut Outbox<RouterEffect>,
    ) {
        if let Some(number) = outcome.number() {
            if self.memory.is_second(id, number) {
                self.second(id, number, true, out);
            } else if self.folded(Some(id)).is_some() {
                self.folded_news(id, number, false, out);
            }
        }
        let Some(entry) = self.memory.entries.get_mut(&id) else {
            return;
        };
        let moved = entry.on_outcome(outcome, now);
        let is_doubted = entry.doubted.is_some();
        out.push(RouterEffect::Persist(
            Record::Outcome {
                client_id: id,
                outcome,
                at: now,
            },
            None,
        ));
        if outcome == SubmitOutcome::Unknown(UnknownCause::Unexpected) {
            // Our client or our route is wrong, so the next order would fare no better; a person must look.
            out.push(RouterEffect::Raise(
                ModeCode::UnexpectedAnswer,
                Scope::Global,
                Mode::ObserveOnly,
            ));
        }
        if matches!(outcome, SubmitOutcome::AcceptedWithoutEcho(_)) {
            kill(ModeCode::ClientIdEchoMismatch, out);
        }
        if is_doubted {
            out.push(RouterEffect::Note(RouterNote::RefusalDoubted(id)));
        }
        self.after(id, moved, now, out);
    }

    fn after(
        &mut self,
        id: ClientId,
        moved: Moved,
        now: Timestamp,
        out: &mut Outbox<RouterEffect>,
    ) {
        match moved {
            Moved::No => return,
            Moved::Yes => {}
            Moved::Ghost => {
                out.push(RouterEffect::Note(RouterNote::Ghost(id)));
                kill(ModeCode::GhostOrder, out);
            }
        }
        self.memory.index(id);
        self.tell(id, out);
        self.delete_if_due(now, id, out);
        if moved == Moved::Ghost {
            self.cancel(now, id, CancelReason::Kill, out);
        }
        self.freeze(now, out);
    }

    fn tell(&self, id: ClientId, out: &mut Outbox<RouterEffect>) {
        if let Some(entry) = self.memory.entries.get(&id) {
            out.push(RouterEffect::Order(entry.view));
        }
    }

    fn is_full(&self) -> bool {
        self.memory.kept_count() >= TOMBSTONES_MAX
    }
}

fn kill(code: ModeCode, out: &mut Outbox<RouterEffect>) {
    out.push(RouterEffect::Raise(code, Scope::Global, Mode::KillSwitch));
}

impl Core for OrderRouter {
    type In = RouterIn;
    type Effect = RouterEffect;

    fn handle(&mut self, now: Timestamp, input: RouterIn, out: &mut Outbox<RouterEffect>) {
        match input {
            RouterIn::Submit(approved) if self.is_full() => self.refuse(now, &approved, out),
            RouterIn::Submit(approved) => self.submit(now, approved, out),
            RouterIn::Durable(id) => self.durable(now, id, out),
            RouterIn::Outcome(id, outcome) => self.outcome(now, id, outcome, out),
            RouterIn::Cancel(id, reason) => self.cancel(now, id, reason, out),
            RouterIn::CancelAll(reason) => {
                let living: Vec<ClientId> = self.memory.living.iter().copied().collect();
                for id in living {
                    self.cancel(now, id, reason, out);
                }
            }
            RouterIn::CancelReply(id, reply) => self.cancel_reply(now, id, reply, out),
            RouterIn::Private(event) => self.private(now, event, out),
            RouterIn::Row(id, row) => self.row_answer(now, id, row.as_ref(), out),
            RouterIn::Snapshot(snapshot) => self.snapshot(now, &snapshot, out),
            RouterIn::Offset(offset_ms) => self.offset_ms = offset_ms,
            RouterIn::Opened(at) => self.memory.opened(at),
            RouterIn::Resolve {
                client_id,
                resolution,
                reason,
            } => self.resolve(now, client_id, resolution, reason, out),
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let of_orders = (self
            .memory
            .living
            .iter()
            .filter_map(|id| self.memory.entries.get(id)))
        .filter_map(|entry| self.due(entry));
        of_orders
            .chain(self.look_up_at)
            .chain(self.held_until)
            .chain(self.drift_at())
            .min()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        let living: Vec<ClientId> = self.memory.living.iter().copied().collect();
        for id in living {
            self.expire(now, id, out);
            self.delete_if_due(now, id, out);
            self.look(now, id, out);
        }
        if self.held_until.is_some_and(|at| at <= now) {
            self.held_until = None;
            out.push(RouterEffect::Clear(ModeCode::UncleanStop, Scope::Global));
        }
        self.judge_pending(now, out);
        if self.look_up_at.is_some_and(|at| at <= now) {
            self.freeze(now, out);
            self.look_up(now, out);
        }
    }
}

impl OrderRouter {
    /// When something is due for one order.
    fn due(&self, entry: &Entry) -> Option<Timestamp> {
        let has_number = entry.view.order_id.is_some();
        let ttl = entry
            .accepted_at
            .filter(|_| entry.cancelling.is_none())
            .map(|at| at.plus_ms(self.settings.ttl_ms));
        let retry = entry
            .cancelling
            .and_then(|c| c.retry_at)
            .filter(|_| has_number);
        let look = entry.look_at.filter(|_| has_number);
        [ttl, retry, look].into_iter().flatten().min()
    }

    fn expire(&mut self, now: Timestamp, id: ClientId, out: &mut Outbox<RouterEffect>) {
        let ttl_ms = self.settings.ttl_ms;
        let is_old = |entry: &Entry| {
            entry
                .accepted_at
                .is_some_and(|at| now.ms_since(at) >= ttl_ms)
        };
        if self.memory.entries.get(&id).is_some_and(is_old) {
            self.cancel(now, id, CancelReason::Ttl, out);
        }
    }

    fn look(&mut self, now: Timestamp, id: ClientId, out: &mut Outbox<RouterEffect>) {
        let Some(entry) = self.memory.entries.get_mut(&id) else {
            return;
        };
        let Some(order_id) = entry
            .view
            .order_id
            .filter(|_| entry.look_at.is_some_and(|at| at <= now))
        else {
            return;
        };
        entry.look_at = None;
        out.push(RouterEffect::ReadRow(id, order_id));
    }

    fn refuse(
        &self,
        now: Timestamp,
        approved: &Approved<NewOrder>,
        out: &mut Outbox<RouterEffect>,
    ) {
        let mut entry = Entry::new(*approved.get(), approved.expires_at(), now);
        entry.become_state(
            OrderState::NotSent(crate::answer::NotSent::TombstonesFull),
            now,
        );
        out.push(RouterEffect::Order(entry.view));
    }
}
