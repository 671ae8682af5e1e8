//! The OrderRouter actor: records to the journal, orders and cancels to the exits, news to the gate.
//!
//! A record's durability is reported by the journal's thread; the waiting list below ties its number to the order,
//! under one lock with the append, so that an early report cannot be missed.

use crate::exits::Exits;
use crate::gate::Gate;
use crate::journal::Journal;
use crate::link::{Link, Sent};
use crate::observer::{Call, Decision, Eyes, Observed, Process};
use crate::open_ids::OpenIds;
use crate::risk_gate::shut;
use crate::shell::Perform;
use engine::core::Core;
use engine::ids::ClientId;
use engine::mode::Mode;
use engine::msg::{ReconcileIn, RiskIn, RouterEffect, RouterIn, RouterNote};
use engine::order::{OrderState, OrderView};
use engine::record::Record;
use engine::router::{OrderRouter, ResolveRefusal};
use engine::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Messages that may wait; beyond it the order path is shut.
pub const MAILBOX: usize = 4_096;

/// Orders whose record is on its way to the disk, oldest first; shared with the journal's report.
#[derive(Clone, Default)]
pub struct Waiting {
    orders: Arc<Mutex<VecDeque<(u64, ClientId)>>>,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, ClientId)>> {
        // Pushing and popping leave the queue whole even if a holder panicked between two of them.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out every order whose record is durable up to `seq`; called from the journal's thread.
    pub fn durable_up_to(&self, seq: u64) -> Vec<ClientId> {
        let mut orders = self.lock();
        let ready = orders
            .iter()
            .take_while(|(waiting, _)| *waiting <= seq)
            .count();
        orders.drain(..ready).map(|(_, id)| id).collect()
    }
}

/// Own orders that have not ended, exactly as the router last said; for whoever must not miss one.
#[derive(Clone, Default)]
pub struct OwnOrders {
    known: Arc<Mutex<Known>>,
    /// The numbers of those that are open, for the killer.
    pub ids: OpenIds,
}

#[derive(Default)]
struct Known {
    orders: BTreeMap<ClientId, OrderView>,
    /// What is said about orders of unknown fate; never more than there are orders, and one an operator asked about.
    doubts: BTreeMap<ClientId, Doubt>,
}

/// What the router says about an order whose fate is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Why the last look proved nothing, as a stable code.
    pub unproven: Option<&'static str>,
    /// The operator has said that it cannot be told.
    pub is_stuck: bool,
    /// An operator waits for the word on a wish.
    is_awaited: bool,
    /// That word.
    ruling: Option<Ruling>,
}

/// The router's word on an operator's wish to settle an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Written down and followed.
    Resolved,
    /// Nothing was changed, and why.
    Refused(ResolveRefusal),
}

impl OwnOrders {
    fn lock(&self) -> MutexGuard<'_, Known> {
        // Single inserts and removals leave both maps whole even if a holder panicked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn update(&self, view: &OrderView) {
        match view.order_id {
            Some(number) if view.state.is_terminal() => self.ids.close(number),
            Some(number) => self.ids.open(number),
            None => {}
        }
        let (mut known, id) = (self.lock(), view.client_id());
        if view.state.is_terminal() {
            known.orders.remove(&id);
        } else {
            known.orders.insert(id, *view);
        }
        if matches!(view.state, OrderState::Unknown(_)) {
            return;
        }
        if let Some(doubt) = known.doubts.get_mut(&id) {
            (doubt.unproven, doubt.is_stuck) = (None, false);
            if !doubt.is_awaited {
                known.doubts.remove(&id);
            }
        }
    }

    /// Takes in what is said about orders of unknown fate.
    fn note(&self, note: RouterNote) {
        let mut known = self.lock();
        match note {
            RouterNote::Unproven(id, why) if known.orders.contains_key(&id) => {
                known.doubts.entry(id).or_default().unproven = Some(why.as_str());
            }
            RouterNote::Resolved(id) => {
                if let Some(doubt) = known.doubts.get_mut(&id) {
                    // Told before the order itself: one that stays unknown is stuck.
                    (doubt.ruling, doubt.is_stuck) = (Some(Ruling::Resolved), doubt.is_awaited);
                }
            }
            RouterNote::ResolveRefused(id, why) => {
                if let Some(doubt) = known.doubts.get_mut(&id) {
                    doubt.ruling = Some(Ruling::Refused(why));
                }
            }
            RouterNote::Unproven(..)
            | RouterNote::DuplicateFill(_)
            | RouterNote::Unmapped(_)
            | RouterNote::Ghost(_)
            | RouterNote::Adopted(_)
            | RouterNote::Foreign(_)
            | RouterNote::RefusalDoubted(_) => {}
        }
    }

    /// An order that was called stuck in an earlier life.
    pub fn was_stuck(&self, id: ClientId) {
        self.lock().doubts.entry(id).or_default().is_stuck = true;
    }

    /// Returns every own order that has not ended.
    pub fn living(&self) -> Vec<OrderView> {
        self.lock().orders.values().copied().collect()
    }

    /// Returns the number of orders of unknown fate that nobody has called stuck.
    pub fn unsettled(&self) -> usize {
        let known = self.lock();
        let is_unknown = |view: &&OrderView| matches!(view.state, OrderState::Unknown(_));
        let is_stuck = |id| known.doubts.get(&id).is_some_and(|doubt| doubt.is_stuck);
        (known.orders.values().filter(is_unknown))
            .filter(|view| !is_stuck(view.client_id()))
            .count()
    }

    /// Returns the number of own orders that are, or may be on their way to, the exchange, without those of unknown
    /// fate.
    pub fn at_exchange(&self) -> usize {
        let known = self.lock();
        let is_known = |view: &&OrderView| !matches!(view.state, OrderState::Unknown(_));
        known.orders.values().filter(is_known).count()
    }

    /// Returns what is said about an order.
    pub fn doubt(&self, id: ClientId) -> Doubt {
        self.lock().doubts.get(&id).copied().unwrap_or_default()
    }

    /// Waits for the word on a wish that is about to be made.
    pub fn await_ruling(&self, id: ClientId) {
        let mut known = self.lock();
        let doubt = known.doubts.entry(id).or_default();
        (doubt.is_awaited, doubt.ruling) = (true, None);
    }

    /// Ends the wait and returns the word, if it has come.
    pub fn ruling(&self, id: ClientId) -> Option<Ruling> {
        let mut known = self.lock();
        let doubt = known.doubts.get_mut(&id)?;
        doubt.is_awaited = false;
        let ruling = doubt.ruling.take();
        let is_unknown = |view: &OrderView| matches!(view.state, OrderState::Unknown(_));
        if !known.orders.get(&id).is_some_and(is_unknown) {
            known.doubts.remove(&id);
        }
        ruling
    }

    /// Returns whether the word on a wish has come.
    pub fn is_ruled(&self, id: ClientId) -> bool {
        self.doubt(id).ruling.is_some()
    }
}

/// Where the router's effects go.
pub struct OrderRouterPort<X: Exits> {
    /// The way out.
    pub exits: X,
    /// Durable records.
    pub journal: Journal,
    /// Orders that wait for the disk.
    pub waiting: Waiting,
    /// The gate core.
    pub risk: Link<RiskIn>,
    /// The reconciler.
    pub reconciler: Link<ReconcileIn>,
    /// The egress gate.
    pub gate: Gate,
    /// Own orders, shared with the stop.
    pub own_orders: OwnOrders,
    /// When each submit without an outcome was received, for its latency.
    pub received: BTreeMap<ClientId, Timestamp>,
    /// Status and log.
    pub eyes: Eyes,
}

impl<X: Exits> OrderRouterPort<X> {
    fn persist(&mut self, now: Timestamp, record: Record, waits: Option<ClientId>) {
        self.time_submit(now, &record);
        let mut waiting = self.waiting.lock();
        match self.journal.append(now, record) {
            Ok(seq) => waiting.extend(waits.map(|id| (seq, id))),
            Err(_) => shut(&self.gate, &self.eyes, "router_to_journal"),
        }
    }

    /// From the approval's arrival to the outcome, the journal's commit included.
    fn time_submit(&mut self, now: Timestamp, record: &Record) {
        if let Record::Sending { order, .. } = record {
            self.received.insert(order.client_id, now);
            self.eyes.see(Decision::Reserved(*order, now));
        }
        if let Record::Outcome { client_id, .. } = record
            && let Some(received) = self.received.remove(client_id)
        {
            self.eyes
                .see(Call::SubmitTook(*client_id, now.ms_since(received)));
        }
    }

    fn to_risk(&self, message: RiskIn) {
        if self.risk.send(message) != Sent::Delivered {
            shut(&self.gate, &self.eyes, "router_to_risk");
        }
    }
}

impl<X: Exits> Perform for OrderRouterPort<X> {
    type Core = OrderRouter;

    fn perform(&mut self, now: Timestamp, effect: <OrderRouter as Core>::Effect) {
        match effect {
            RouterEffect::Persist(record, waits) => self.persist(now, record, waits),
            RouterEffect::Send { order, stamp_max } => self.exits.submit(order, stamp_max),
            RouterEffect::Delete(id, order_id) => {
                self.eyes.see(Call::CancelSent(id));
                self.exits.delete(id, order_id);
            }
            RouterEffect::ReadRow(id, order_id) => self.exits.read_row(id, order_id),
            RouterEffect::Order(view) => {
                self.own_orders.update(&view);
                self.to_risk(RiskIn::Order(view));
                self.eyes.see(Observed::Order(view));
            }
            RouterEffect::Fill(trade) => {
                self.to_risk(RiskIn::Fill(trade.clone()));
                self.eyes.see(Observed::Fill(trade));
            }
            RouterEffect::Foreign(orders) => self.to_risk(RiskIn::Foreign(orders)),
            RouterEffect::LookUp(symbols) => {
                // A lost wish is repeated by the router while its cause lasts.
                if self.reconciler.send(ReconcileIn::LookUp(symbols)) != Sent::Delivered {
                    self.eyes.see(Process::LinkTrouble(
                        "router_to_reconciler",
                        "look-up dropped",
                    ));
                }
            }
            RouterEffect::Raise(code, scope, mode) => {
                if mode == Mode::KillSwitch {
                    self.gate.kill(code);
                }
                self.to_risk(RiskIn::Raise(code, scope, mode));
            }
            RouterEffect::Clear(code, scope) => self.to_risk(RiskIn::Clear(code, scope)),
            RouterEffect::Note(note) => {
                self.own_orders.note(note);
                self.eyes.see(Process::Router(note));
            }
        }
    }
}

/// Tells the router which of its records are on disk; called from the journal's thread.
pub fn report_durable(
    waiting: &Waiting,
    seq: u64,
    router: &Link<RouterIn>,
    gate: &Gate,
    eyes: &Eyes,
) {
    for id in waiting.durable_up_to(seq) {
        if router.send(RouterIn::Durable(id)) != Sent::Delivered {
            shut(gate, eyes, "journal_to_router");
        }
    }
}
