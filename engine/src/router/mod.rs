//! The OrderRouter: writes an order down, sends it once, and follows it until its end is proven.
//!
//! A client id is sent once, ever. What a time-out leaves open stays open until the exchange has been asked;
//! a cancel's answer is not an outcome; an ended order stays as a tombstone, so that late news finds it.

pub mod absence;
mod entry;
mod snapshot;
#[cfg(test)]
mod tests;

use crate::answer::{
    CancelReply, OrderRow, OwnTrade, PrivateEvent, RowStatus, SubmitOutcome, UnknownCause,
};
use crate::approved::Approved;
use crate::core::{Core, Outbox};
use crate::fills::FillBook;
use crate::ids::{AccountTag, ClientId, OrderId, Symbol};
use crate::intent::{CancelReason, NewOrder};
use crate::mode::{Mode, ModeCode, Scope};
use crate::msg::{RouterEffect, RouterIn, RouterNote};
use crate::order::{OrderState, OrderView};
use crate::record::Record;
use crate::time::Timestamp;
use entry::{Cancelling, Entry, Moved};
use std::collections::{BTreeMap, BTreeSet};

/// Wait for a row after a hint or an acknowledged cancel, milliseconds: lists lag a little behind events.
const LOOK_SOON_MS: i64 = 250;
/// Wait before a row is read again while it has not caught up, milliseconds.
const LOOK_AGAIN_MS: i64 = 500;
/// Spacing of account look-ups while an order is unknown, milliseconds.
const UNKNOWN_LOOK_MS: i64 = 5_000;
/// Age of an unknown order at which the freeze widens to all symbols, milliseconds.
const UNKNOWN_GLOBAL_MS: i64 = 60_000;
/// Unknown orders at once that widen the freeze to all symbols.
const UNKNOWN_GLOBAL_COUNT: usize = 2;
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
    /// Trades of strangers' orders before this moment are part of the opening balances and are not booked;
    /// `None` while there are no opening balances.
    pub foreign_from: Option<Timestamp>,
}

/// Follows every own order of the account.
#[derive(Debug)]
pub struct OrderRouter {
    settings: RouterSettings,
    entries: BTreeMap<ClientId, Entry>,
    living: BTreeSet<ClientId>,
    by_id: BTreeMap<OrderId, ClientId>,
    waiting: BTreeMap<ClientId, Approved<NewOrder>>,
    foreign: BTreeMap<OrderId, FillBook>,
    /// The exchange's clock less ours, milliseconds.
    offset_ms: i64,
    /// When the account is to be looked at again because an order is unknown or fills are pending.
    look_up_at: Option<Timestamp>,
    frozen: BTreeSet<Symbol>,
    is_frozen_globally: bool,
}

impl OrderRouter {
    /// Makes a router that knows no order.
    pub fn new(settings: RouterSettings) -> Self {
        Self {
            settings,
            entries: BTreeMap::new(),
            living: BTreeSet::new(),
            by_id: BTreeMap::new(),
            waiting: BTreeMap::new(),
            foreign: BTreeMap::new(),
            offset_ms: 0,
            look_up_at: None,
            frozen: BTreeSet::new(),
            is_frozen_globally: false,
        }
    }

    /// Returns every own order that has not ended.
    pub fn living(&self) -> impl Iterator<Item = &OrderView> {
        self.living
            .iter()
            .filter_map(|id| self.entries.get(id))
            .map(|entry| &entry.view)
    }

    /// Returns an own order, ended or not.
    pub fn order(&self, id: ClientId) -> Option<&OrderView> {
        self.entries.get(&id).map(|entry| &entry.view)
    }

    /// Returns the number of own orders with an unknown fate.
    pub fn unknown_count(&self) -> usize {
        self.living
            .iter()
            .filter_map(|id| self.entries.get(id))
            .filter(|entry| entry.is_unknown())
            .count()
    }

    /// Takes in a durable record at start; the same folding as live, without effects.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::Sending { order, stamp_max } => {
                let at = order.intent.at;
                self.insert(Entry::new(*order, *stamp_max, at));
                self.with(order.client_id, |entry| {
                    entry.become_state(OrderState::Sending, at);
                });
            }
            Record::Outcome {
                client_id,
                outcome,
                at,
            } => {
                self.with(*client_id, |entry| {
                    entry.on_outcome(*outcome, *at);
                });
            }
            Record::Adopted {
                client_id,
                order_id,
                at,
            } => {
                self.with(*client_id, |entry| {
                    entry.exists(*order_id, *at);
                });
            }
            Record::CancelAsked { client_id, .. } => {
                self.with(*client_id, |entry| {
                    entry.view.cancel_asked = entry.is_living()
                });
            }
            Record::Fill(trade) => self.replay_fill(trade),
            Record::Ended {
                client_id,
                state,
                at,
            } => {
                self.with(*client_id, |entry| {
                    entry.become_state(*state, *at);
                });
            }
            Record::Opening { at, .. } => self.opened(*at),
            Record::Boot { .. }
            | Record::DayStart { .. }
            | Record::SafeMode { .. }
            | Record::Stop { .. } => {}
        }
    }

    fn replay_fill(&mut self, trade: &OwnTrade) {
        let own = self.owner_of(trade.order_id, trade.client_id);
        match own {
            Some(id) => self.with(id, |entry| {
                entry.on_trade(trade, trade.at);
            }),
            None => {
                self.foreign
                    .entry(trade.order_id)
                    .or_default()
                    .is_new(trade);
            }
        }
    }

    /// Ends the replay: whatever was being sent when the process ended has an unknown fate.
    pub fn recovered(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        let living: Vec<ClientId> = self.living.iter().copied().collect();
        for id in living {
            self.with(id, |entry| {
                entry.unknown(UnknownCause::Restart, now);
                entry.touched_at = now;
                if let Some(cancelling) = entry.view.cancel_asked.then_some(Cancelling {
                    retry_at: Some(now),
                }) {
                    entry.cancelling = Some(cancelling);
                }
            });
            self.tell(id, out);
        }
        self.freeze(now, out);
        self.look_up(now, out);
    }

    // ---- the way out ----

    fn submit(
        &mut self,
        now: Timestamp,
        approved: Approved<NewOrder>,
        out: &mut Outbox<RouterEffect>,
    ) {
        let order = *approved.get();
        assert!(
            !self.entries.contains_key(&order.client_id),
            "a client id is used once"
        );
        let stamp_max = approved.expires_at().plus_ms(self.offset_ms);
        self.insert(Entry::new(order, stamp_max, now));
        self.waiting.insert(order.client_id, approved);
        out.push(RouterEffect::Persist(
            Record::Sending { order, stamp_max },
            Some(order.client_id),
        ));
    }

    fn durable(&mut self, now: Timestamp, id: ClientId, out: &mut Outbox<RouterEffect>) {
        let Some(approved) = self.waiting.remove(&id) else {
            return;
        };
        let stamp_max = self
            .entries
            .get(&id)
            .map(|entry| entry.stamp_max)
            .expect("a waiting order has an entry");
        self.with(id, |entry| {
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
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let moved = entry.on_outcome(outcome, now);
        out.push(RouterEffect::Persist(
            Record::Outcome {
                client_id: id,
                outcome,
                at: now,
            },
            None,
        ));
        if matches!(outcome, SubmitOutcome::AcceptedWithoutEcho(_)) {
            out.push(RouterEffect::Raise(
                ModeCode::ClientIdEchoMismatch,
                Scope::Global,
                Mode::KillSwitch,
            ));
        }
        self.after(id, moved, now, out);
    }

    // ---- cancels ----

    fn cancel(
        &mut self,
        now: Timestamp,
        id: ClientId,
        reason: CancelReason,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.is_living()) else {
            return;
        };
        if entry.cancelling.is_some() {
            return;
        }
        entry.cancelling = Some(Cancelling {
            retry_at: Some(now),
        });
        entry.view.cancel_asked = true;
        out.push(RouterEffect::Persist(
            Record::CancelAsked {
                client_id: id,
                reason,
                at: now,
            },
            None,
        ));
        self.delete_if_due(now, id, out);
        self.tell(id, out);
    }

    /// An order without a number cannot be cancelled: it is found first.
    fn delete_if_due(&mut self, now: Timestamp, id: ClientId, out: &mut Outbox<RouterEffect>) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let (Some(cancelling), Some(order_id)) = (entry.cancelling, entry.view.order_id) else {
            return;
        };
        if cancelling.retry_at.is_some_and(|at| at <= now) {
            entry.cancelling = Some(Cancelling { retry_at: None });
            entry.touched_at = now;
            out.push(RouterEffect::Delete(id, order_id));
        }
    }

    fn cancel_reply(
        &mut self,
        now: Timestamp,
        id: ClientId,
        reply: CancelReply,
        out: &mut Outbox<RouterEffect>,
    ) {
        let retry_ms = self.settings.cancel_retry_ms;
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.is_living()) else {
            return;
        };
        let again_ms = match reply {
            CancelReply::Acknowledged | CancelReply::LookUp => retry_ms.max(LOOK_AGAIN_MS),
            CancelReply::Blocked | CancelReply::Unauthorized | CancelReply::Failed => retry_ms,
            CancelReply::RateLimited(wait_ms) => wait_ms,
        };
        entry.cancelling = Some(Cancelling {
            retry_at: Some(now.plus_ms(again_ms)),
        });
        match reply {
            CancelReply::Acknowledged | CancelReply::LookUp => {
                entry.look_at = Some(now.plus_ms(LOOK_SOON_MS))
            }
            CancelReply::Blocked
            | CancelReply::Unauthorized
            | CancelReply::Failed
            | CancelReply::RateLimited(_) => {}
        }
        self.delete_if_due(now, id, out);
    }

    // ---- evidence ----

    fn private(&mut self, now: Timestamp, event: PrivateEvent, out: &mut Outbox<RouterEffect>) {
        match event {
            PrivateEvent::Login { .. } | PrivateEvent::BalanceHint => {}
            PrivateEvent::Inserted(event) => self.hint(now, event.id, event.client_id, None, out),
            PrivateEvent::Deleted(event) => {
                self.hint(now, event.id, event.client_id, Some(now), out)
            }
            PrivateEvent::Matched {
                order_id,
                client_id,
            } => {
                self.hint(
                    now,
                    order_id,
                    client_id,
                    Some(now.plus_ms(LOOK_AGAIN_MS)),
                    out,
                );
            }
            PrivateEvent::Trade(trade) => self.trade(now, trade, out),
        }
    }

    /// A message that proves existence and hints at more: the row is read at `look_at`.
    fn hint(
        &mut self,
        now: Timestamp,
        order_id: OrderId,
        client_id: Option<ClientId>,
        look_at: Option<Timestamp>,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(id) = self.owner_of(order_id, client_id) else {
            return;
        };
        self.found(now, id, order_id, out);
        self.with(id, |entry| {
            if entry.is_living() && look_at.is_some() {
                entry.look_at = entry.look_at.into_iter().chain(look_at).min();
            }
        });
    }

    /// The exchange's number of an own order is known.
    fn found(
        &mut self,
        now: Timestamp,
        id: ClientId,
        order_id: OrderId,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let was_known = entry.view.order_id == Some(order_id);
        let moved = entry.exists(order_id, now);
        if !was_known {
            out.push(RouterEffect::Persist(
                Record::Adopted {
                    client_id: id,
                    order_id,
                    at: now,
                },
                None,
            ));
        }
        self.after(id, moved, now, out);
    }

    fn trade(&mut self, now: Timestamp, trade: OwnTrade, out: &mut Outbox<RouterEffect>) {
        match self.owner_of(trade.order_id, trade.client_id) {
            Some(id) => self.own_trade(now, id, trade, out),
            None => self.foreign_trade(trade, out),
        }
    }

    fn own_trade(
        &mut self,
        now: Timestamp,
        id: ClientId,
        trade: OwnTrade,
        out: &mut Outbox<RouterEffect>,
    ) {
        self.found(now, id, trade.order_id, out);
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let fits = entry
            .view
            .filled
            .checked_add(trade.qty)
            .is_some_and(|sum| sum <= entry.view.order.intent.qty);
        let mut known = entry.fills.clone();
        if known.is_new(&trade) && !fits {
            // More than was ordered: nothing is booked, and the balances will say what is true.
            out.push(RouterEffect::Note(RouterNote::Unmapped(trade.order_id)));
            return;
        }
        if !entry.on_trade(&trade, now) {
            out.push(RouterEffect::Note(RouterNote::DuplicateFill(
                trade.order_id,
            )));
            return;
        }
        let state = entry.view.state;
        out.push(RouterEffect::Persist(Record::Fill(trade.clone()), None));
        out.push(RouterEffect::Fill(trade));
        if state == OrderState::Filled {
            out.push(RouterEffect::Persist(
                Record::Ended {
                    client_id: id,
                    state,
                    at: now,
                },
                None,
            ));
        }
        self.after(id, Moved::Yes, now, out);
    }

    /// The ledger was opened with the balances of this moment; the first opening counts.
    fn opened(&mut self, at: Timestamp) {
        self.settings.foreign_from = self.settings.foreign_from.or(Some(at));
    }

    fn foreign_trade(&mut self, trade: OwnTrade, out: &mut Outbox<RouterEffect>) {
        if self
            .settings
            .foreign_from
            .is_none_or(|from| trade.at < from)
        {
            return;
        }
        if self.foreign.len() >= FOREIGN_MAX {
            self.foreign.pop_first();
        }
        if self
            .foreign
            .entry(trade.order_id)
            .or_default()
            .is_new(&trade)
        {
            out.push(RouterEffect::Persist(Record::Fill(trade.clone()), None));
            out.push(RouterEffect::Fill(trade));
        }
    }

    fn row(
        &mut self,
        now: Timestamp,
        id: ClientId,
        row: &OrderRow,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if row.status == RowStatus::Unmapped {
            out.push(RouterEffect::Note(RouterNote::Unmapped(row.id)));
        }
        let was_living = entry.is_living();
        let was_known = entry.view.order_id == Some(row.id);
        let moved = entry.on_row(row, now);
        let (state, is_living, fills_pending) =
            (entry.view.state, entry.is_living(), entry.fills_pending);
        if !was_known {
            out.push(RouterEffect::Persist(
                Record::Adopted {
                    client_id: id,
                    order_id: row.id,
                    at: now,
                },
                None,
            ));
        }
        if was_living && !is_living {
            out.push(RouterEffect::Persist(
                Record::Ended {
                    client_id: id,
                    state,
                    at: now,
                },
                None,
            ));
        }
        if fills_pending {
            self.look_up_at = Some(self.look_up_at.map_or(now.plus_ms(LOOK_SOON_MS), |at| {
                at.min(now.plus_ms(LOOK_SOON_MS))
            }));
        }
        self.after(id, moved, now, out);
    }

    fn row_answer(
        &mut self,
        now: Timestamp,
        id: ClientId,
        row: Option<&OrderRow>,
        out: &mut Outbox<RouterEffect>,
    ) {
        if let Some(row) = row {
            self.row(now, id, row, out);
        }
        self.with(id, |entry| {
            let wants_more = entry.cancelling.is_some() || entry.fills_pending;
            entry.look_at = (entry.is_living() && wants_more).then(|| now.plus_ms(LOOK_AGAIN_MS));
        });
    }

    // ---- consequences ----

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
                out.push(RouterEffect::Raise(
                    ModeCode::GhostOrder,
                    Scope::Global,
                    Mode::KillSwitch,
                ));
            }
        }
        self.index(id);
        self.tell(id, out);
        self.delete_if_due(now, id, out);
        self.freeze(now, out);
    }

    /// Raises and clears what unknown orders ask for; while one exists, the account is looked at again and again.
    fn freeze(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        let unknown: Vec<(Symbol, Timestamp)> =
            (self.living.iter().filter_map(|id| self.entries.get(id)))
                .filter(|entry| entry.is_unknown())
                .map(|entry| (entry.symbol(), entry.view.since))
                .collect();
        let symbols: BTreeSet<Symbol> = unknown.iter().map(|(symbol, _)| *symbol).collect();
        for symbol in symbols.difference(&self.frozen) {
            out.push(RouterEffect::Raise(
                ModeCode::UnknownOrders,
                Scope::Symbol(*symbol),
                Mode::ReduceRiskOnly,
            ));
        }
        for symbol in self.frozen.difference(&symbols) {
            out.push(RouterEffect::Clear(
                ModeCode::UnknownOrders,
                Scope::Symbol(*symbol),
            ));
        }
        self.frozen = symbols;
        let is_old = unknown
            .iter()
            .any(|(_, since)| now.ms_since(*since) > UNKNOWN_GLOBAL_MS);
        let is_wide = unknown.len() >= UNKNOWN_GLOBAL_COUNT || is_old;
        match (is_wide, self.is_frozen_globally) {
            (true, false) => out.push(RouterEffect::Raise(
                ModeCode::UnknownOrders,
                Scope::Global,
                Mode::ObserveOnly,
            )),
            (false, true) => out.push(RouterEffect::Clear(ModeCode::UnknownOrders, Scope::Global)),
            (true, true) | (false, false) => {}
        }
        self.is_frozen_globally = is_wide;
        if !unknown.is_empty() && self.look_up_at.is_none() {
            self.look_up_at = Some(now);
        }
    }

    fn tell(&self, id: ClientId, out: &mut Outbox<RouterEffect>) {
        if let Some(entry) = self.entries.get(&id) {
            out.push(RouterEffect::Order(entry.view));
        }
    }

    // ---- the tables ----

    fn insert(&mut self, entry: Entry) {
        let id = entry.view.client_id();
        self.entries.insert(id, entry);
        self.living.insert(id);
    }

    fn with(&mut self, id: ClientId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            change(entry);
        }
        self.index(id);
    }

    fn index(&mut self, id: ClientId) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        if let Some(order_id) = entry.view.order_id {
            self.by_id.insert(order_id, id);
        }
        if entry.is_living() {
            self.living.insert(id);
        } else {
            self.living.remove(&id);
        }
    }

    /// Finds the own order by number or by client id; price and size never identify an order (D36).
    fn owner_of(&self, order_id: OrderId, client_id: Option<ClientId>) -> Option<ClientId> {
        let by_id = self.by_id.get(&order_id).copied();
        by_id.or_else(|| client_id.filter(|id| self.entries.contains_key(id)))
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= TOMBSTONES_MAX
    }
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
                let living: Vec<ClientId> = self.living.iter().copied().collect();
                for id in living {
                    self.cancel(now, id, reason, out);
                }
            }
            RouterIn::CancelReply(id, reply) => self.cancel_reply(now, id, reply, out),
            RouterIn::Private(event) => self.private(now, event, out),
            RouterIn::Row(id, row) => self.row_answer(now, id, row.as_ref(), out),
            RouterIn::Snapshot(snapshot) => self.snapshot(now, &snapshot, out),
            RouterIn::Offset(offset_ms) => self.offset_ms = offset_ms,
            RouterIn::Opened(at) => self.opened(at),
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let of_orders = (self.living.iter().filter_map(|id| self.entries.get(id)))
            .filter_map(|entry| self.due(entry));
        of_orders.chain(self.look_up_at).min()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        let living: Vec<ClientId> = self.living.iter().copied().collect();
        for id in living {
            self.expire(now, id, out);
            self.delete_if_due(now, id, out);
            self.look(now, id, out);
        }
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
        if self.entries.get(&id).is_some_and(is_old) {
            self.cancel(now, id, CancelReason::Ttl, out);
        }
    }

    fn look(&mut self, now: Timestamp, id: ClientId, out: &mut Outbox<RouterEffect>) {
        let Some(entry) = self.entries.get_mut(&id) else {
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
