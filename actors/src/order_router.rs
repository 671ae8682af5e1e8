//! The OrderRouter actor: records to the journal, orders and cancels to the exits, news to the gate.
//!
//! A record's durability is reported by the journal's thread; the waiting list below ties its number to the order,
//! under one lock with the append, so that an early report cannot be missed.

use crate::exits::Exits;
use crate::gate::{Flag, Gate};
use crate::journal::Journal;
use crate::link::{Link, Sent};
use crate::observer::{Eyes, Observed};
use crate::risk_gate::shut;
use crate::shell::Perform;
use engine::core::Core;
use engine::ids::ClientId;
use engine::mode::Mode;
use engine::msg::{ReconcileIn, RiskIn, RouterEffect, RouterIn};
use engine::order::OrderView;
use engine::record::Record;
use engine::router::OrderRouter;
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

/// Own orders that have not ended, exactly as the router last said; for the stop, which must not miss one.
#[derive(Clone, Default)]
pub struct OwnOrders(Arc<Mutex<BTreeMap<ClientId, OrderView>>>);

impl OwnOrders {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ClientId, OrderView>> {
        // One insert or removal leaves the map whole even if a holder panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, view: &OrderView) {
        let mut orders = self.lock();
        if view.state.is_terminal() {
            orders.remove(&view.client_id());
        } else {
            orders.insert(view.client_id(), *view);
        }
    }

    /// Returns every own order that has not ended.
    pub fn living(&self) -> Vec<OrderView> {
        self.lock().values().copied().collect()
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
        }
        if let Record::Outcome { client_id, .. } = record
            && let Some(received) = self.received.remove(client_id)
        {
            self.eyes
                .see(Observed::SubmitTook(*client_id, now.ms_since(received)));
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
                self.eyes.see(Observed::CancelSent(id));
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
            RouterEffect::LookUp(symbols) => {
                // A lost wish is repeated by the router while its cause lasts.
                if self.reconciler.send(ReconcileIn::LookUp(symbols)) != Sent::Delivered {
                    self.eyes.see(Observed::LinkTrouble(
                        "router_to_reconciler",
                        "look-up dropped",
                    ));
                }
            }
            RouterEffect::Raise(code, scope, mode) => {
                if mode == Mode::KillSwitch {
                    self.gate.raise(Flag::Kill);
                }
                self.to_risk(RiskIn::Raise(code, scope, mode));
            }
            RouterEffect::Clear(code, scope) => self.to_risk(RiskIn::Clear(code, scope)),
            RouterEffect::Note(note) => self.eyes.see(Observed::Router(note)),
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
