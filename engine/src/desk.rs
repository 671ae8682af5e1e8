//! All cores on one thread: the diagram of `msg.rs` as a core of its own, for replay and simulation.
//!
//! A message is handed on at once and in the order in which it was sent, as through mailboxes that take no time. What
//! only the outside can do leaves as an effect, and the caller brings the answer: a venue, a journal, a fault.

pub mod paper;
#[cfg(test)]
mod tests;

use crate::approved::Approved;
use crate::book::{BookView, Books};
use crate::checkpoint::Checkpoint;
use crate::core::{Core, Outbox};
use crate::feed::Feed;
use crate::ids::{ClientId, OrderId, Symbol};
use crate::instrument::Instrument;
use crate::intent::{Intent, NewOrder, SilentReason, StrategyKind};
use crate::msg::{
    BookEffect, BookIn, Channel, FeedEffect, FeedIn, FeedNote, ModeReport, MoneyReport, PassReport,
    ReadRequest, ReconcileEffect, ReconcileIn, RiskEffect, RiskIn, RiskNote, RouterEffect,
    RouterIn, RouterNote, StrategyEffect, StrategyIn,
};
use crate::order::OrderView;
use crate::reconcile::{RECONCILE_PENDING, RECONCILE_SETTLED, Reconciler};
use crate::record::Record;
use crate::risk::{Denial, RiskGate};
use crate::router::OrderRouter;
use crate::strategy::Strategies;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Messages that one input may set off. More means that two cores answer each other without end: the run is stopped
/// by a panic, because no result of such a run could be believed.
pub const MESSAGES_PER_TURN_MAX: usize = 1_000_000;

/// The deciders of one system.
#[derive(Debug)]
pub struct Cores {
    /// MarketFeed.
    pub feed: Feed,
    /// OrderBook.
    pub books: Books,
    /// Strategy.
    pub strategies: Strategies,
    /// RiskGate.
    pub gate: RiskGate,
    /// OrderRouter.
    pub router: OrderRouter,
    /// Reconciler.
    pub reconciler: Reconciler,
}

/// A message to one of the cores; from the outside, or from one core to another.
#[derive(Debug, PartialEq, Eq)]
pub enum DeskIn {
    /// To MarketFeed.
    Feed(FeedIn),
    /// To OrderBook.
    Book(BookIn),
    /// To Strategy.
    Strategy(StrategyIn),
    /// To RiskGate.
    Risk(RiskIn),
    /// To OrderRouter.
    Router(RouterIn),
    /// To Reconciler.
    Reconcile(ReconcileIn),
}

/// What only the outside can do, and what it may want to see.
#[derive(Debug, PartialEq, Eq)]
pub enum DeskEffect {
    /// Open the stream; owed: `Connected` or `Disconnected`.
    Connect,
    /// Close the stream.
    Close,
    /// Join a channel; owed: an acknowledgement.
    Join(Channel, Symbol),
    /// Leave a channel.
    Leave(Channel, Symbol),
    /// Log in to the private stream; owed: a login event.
    Login,
    /// Write down; where an id stands beside, `RouterIn::Durable` is owed once it is on disk.
    Persist(Record, Option<ClientId>),
    /// Send this order once, before `stamp_max`; owed: `RouterIn::Outcome`.
    Send {
        /// The approval; spent by the port.
        order: Approved<NewOrder>,
        /// The latest stamp the request may carry.
        stamp_max: Timestamp,
    },
    /// Cancel an order; owed: `RouterIn::CancelReply`.
    Delete(ClientId, OrderId),
    /// Read an order; owed: `RouterIn::Row`.
    ReadRow(ClientId, OrderId),
    /// Read the account; owed: `ReconcileIn::Reply`.
    Read(ReadRequest),
    /// Nothing is to be done.
    Seen(Seen),
}

/// What happened inside, for whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The market of a pair.
    Book(BookView),
    /// A wish, before it is judged.
    Intent(Intent),
    /// No wish, and why.
    Silent(StrategyKind, Symbol, SilentReason),
    /// A wish that was refused.
    Denied(Denial),
    /// An own order changed.
    Order(OrderView),
    /// A trade that is booked.
    Fill(crate::answer::OwnTrade),
    /// The mode changed.
    Mode(ModeReport),
    /// Money figures changed.
    Money(MoneyReport),
    /// An event of the session.
    Feed(FeedNote),
    /// A booking of the gate.
    Gate(RiskNote),
    /// A surprise of the router.
    Router(RouterNote),
    /// A pass over the account ended.
    Pass(PassReport),
}

/// One outbox per core, kept for its memory.
#[derive(Debug, Default)]
struct Boxes {
    feed: Outbox<FeedEffect>,
    books: Outbox<BookEffect>,
    strategies: Outbox<StrategyEffect>,
    gate: Outbox<RiskEffect>,
    router: Outbox<RouterEffect>,
    reconciler: Outbox<ReconcileEffect>,
}

/// A whole system without an outside.
#[derive(Debug)]
pub struct Desk {
    cores: Cores,
    boxes: Boxes,
    mail: VecDeque<DeskIn>,
}

impl Desk {
    /// Puts the cores together.
    pub fn new(cores: Cores) -> Self {
        Self {
            cores,
            boxes: Boxes::default(),
            mail: VecDeque::new(),
        }
    }

    /// Returns every core, for whoever counts what they hold.
    pub const fn cores(&self) -> &Cores {
        &self.cores
    }

    /// Returns the books.
    pub const fn books(&self) -> &Books {
        &self.cores.books
    }

    /// Returns the gate, and with it the ledger.
    pub const fn gate(&self) -> &RiskGate {
        &self.cores.gate
    }

    /// Returns the router.
    pub const fn router(&self) -> &OrderRouter {
        &self.cores.router
    }

    /// Takes the system apart, as a crash does: what is not in the journal is gone.
    pub fn into_cores(self) -> Cores {
        self.cores
    }

    /// Takes over what the journal of earlier lives adds up to, before anything else is heard.
    pub fn recall(&mut self, past: &Checkpoint) {
        self.cores.gate.recall(past.money().clone());
        self.cores.router.recall(past.orders().clone());
    }

    /// Begins to act on what was taken over.
    pub fn recover(&mut self, now: Timestamp, out: &mut Outbox<DeskEffect>) {
        self.cores.router.recovered(now, &mut self.boxes.router);
        self.collect(now, out);
        self.deliver(now, out);
    }

    /// Tells gate and strategies the rules of a pair.
    pub fn learn(&mut self, now: Timestamp, rules: Instrument, out: &mut Outbox<DeskEffect>) {
        self.mail.push_back(DeskIn::Risk(RiskIn::Rules(rules)));
        self.mail
            .push_back(DeskIn::Strategy(StrategyIn::Rules(rules)));
        self.deliver(now, out);
    }

    /// Hands on what waits until nothing waits.
    fn deliver(&mut self, now: Timestamp, out: &mut Outbox<DeskEffect>) {
        let mut delivered = 0;
        while let Some(message) = self.mail.pop_front() {
            delivered += 1;
            assert!(
                delivered <= MESSAGES_PER_TURN_MAX,
                "two cores answer each other without end"
            );
            let (cores, boxes) = (&mut self.cores, &mut self.boxes);
            match message {
                DeskIn::Feed(input) => cores.feed.handle(now, input, &mut boxes.feed),
                DeskIn::Book(input) => cores.books.handle(now, input, &mut boxes.books),
                DeskIn::Strategy(input) => {
                    cores.strategies.handle(now, input, &mut boxes.strategies);
                }
                DeskIn::Risk(input) => cores.gate.handle(now, input, &mut boxes.gate),
                DeskIn::Router(input) => cores.router.handle(now, input, &mut boxes.router),
                DeskIn::Reconcile(input) => {
                    cores.reconciler.handle(now, input, &mut boxes.reconciler);
                }
            }
            self.collect(now, out);
        }
    }

    /// Wires what the cores have just asked for: the arrows of the diagram, one function per core.
    fn collect(&mut self, now: Timestamp, out: &mut Outbox<DeskEffect>) {
        let (boxes, mail) = (&mut self.boxes, &mut self.mail);
        for effect in boxes.feed.drain() {
            from_feed(effect, mail, out);
        }
        for effect in boxes.books.drain() {
            from_books(effect, mail, out);
        }
        for effect in boxes.strategies.drain() {
            from_strategies(effect, mail, out);
        }
        for effect in boxes.gate.drain() {
            from_gate(effect, mail, out);
        }
        for effect in boxes.router.drain() {
            from_router(effect, mail, out);
        }
        for effect in boxes.reconciler.drain() {
            from_reconciler(now, effect, mail, out);
        }
    }
}

fn is_due(deadline: Option<Timestamp>, now: Timestamp) -> bool {
    deadline.is_some_and(|at| at <= now)
}

impl Core for Desk {
    type In = DeskIn;
    type Effect = DeskEffect;

    fn handle(&mut self, now: Timestamp, input: DeskIn, out: &mut Outbox<DeskEffect>) {
        self.mail.push_back(input);
        self.deliver(now, out);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let cores = &self.cores;
        [
            cores.feed.deadline(),
            cores.books.deadline(),
            cores.strategies.deadline(),
            cores.gate.deadline(),
            cores.router.deadline(),
            cores.reconciler.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Wakes every core that is due, in the order of the diagram; each one's messages arrive before the next wakes.
    fn wake(&mut self, now: Timestamp, out: &mut Outbox<DeskEffect>) {
        if is_due(self.cores.feed.deadline(), now) {
            self.cores.feed.wake(now, &mut self.boxes.feed);
            self.settle(now, out);
        }
        if is_due(self.cores.books.deadline(), now) {
            self.cores.books.wake(now, &mut self.boxes.books);
            self.settle(now, out);
        }
        if is_due(self.cores.strategies.deadline(), now) {
            self.cores.strategies.wake(now, &mut self.boxes.strategies);
            self.settle(now, out);
        }
        if is_due(self.cores.gate.deadline(), now) {
            self.cores.gate.wake(now, &mut self.boxes.gate);
            self.settle(now, out);
        }
        if is_due(self.cores.router.deadline(), now) {
            self.cores.router.wake(now, &mut self.boxes.router);
            self.settle(now, out);
        }
        if is_due(self.cores.reconciler.deadline(), now) {
            self.cores.reconciler.wake(now, &mut self.boxes.reconciler);
            self.settle(now, out);
        }
    }
}

impl Desk {
    fn settle(&mut self, now: Timestamp, out: &mut Outbox<DeskEffect>) {
        self.collect(now, out);
        self.deliver(now, out);
    }
}

// ---- the arrows ----

fn from_feed(effect: FeedEffect, mail: &mut VecDeque<DeskIn>, out: &mut Outbox<DeskEffect>) {
    match effect {
        FeedEffect::Connect => out.push(DeskEffect::Connect),
        FeedEffect::Close => out.push(DeskEffect::Close),
        FeedEffect::Join(channel, symbol) => out.push(DeskEffect::Join(channel, symbol)),
        FeedEffect::Leave(channel, symbol) => out.push(DeskEffect::Leave(channel, symbol)),
        FeedEffect::Login => out.push(DeskEffect::Login),
        FeedEffect::Book(input) => mail.push_back(DeskIn::Book(input)),
        FeedEffect::Private(event) => mail.push_back(DeskIn::Router(RouterIn::Private(event))),
        FeedEffect::PrivateUp => mail.push_back(DeskIn::Reconcile(ReconcileIn::Now)),
        FeedEffect::Note(note) => out.push(DeskEffect::Seen(Seen::Feed(note))),
    }
}

/// The gate hears first: an intent is then never judged on an older book than the one it was made on.
fn from_books(effect: BookEffect, mail: &mut VecDeque<DeskIn>, out: &mut Outbox<DeskEffect>) {
    match effect {
        BookEffect::View(view) => {
            mail.push_back(DeskIn::Risk(RiskIn::Book(view)));
            mail.push_back(DeskIn::Strategy(StrategyIn::Book(view)));
            out.push(DeskEffect::Seen(Seen::Book(view)));
        }
        BookEffect::Resync(symbol) => mail.push_back(DeskIn::Feed(FeedIn::Resync(symbol))),
    }
}

fn from_strategies(
    effect: StrategyEffect,
    mail: &mut VecDeque<DeskIn>,
    out: &mut Outbox<DeskEffect>,
) {
    match effect {
        StrategyEffect::Intent(intent) => {
            out.push(DeskEffect::Seen(Seen::Intent(intent)));
            mail.push_back(DeskIn::Risk(RiskIn::Intent(intent)));
        }
        StrategyEffect::Cancel(id, why) => mail.push_back(DeskIn::Risk(RiskIn::Cancel(id, why))),
        StrategyEffect::Silent(kind, symbol, why) => {
            out.push(DeskEffect::Seen(Seen::Silent(kind, symbol, why)));
        }
    }
}

fn from_gate(effect: RiskEffect, mail: &mut VecDeque<DeskIn>, out: &mut Outbox<DeskEffect>) {
    match effect {
        // Evidence is for an operator of a real process; a replay can be run again.
        RiskEffect::Decided(_) => {}
        // Nobody raises a gate behind the desk's back, so nobody asks.
        RiskEffect::Confirmed(..) => {}
        RiskEffect::Submit(order) => mail.push_back(DeskIn::Router(RouterIn::Submit(order))),
        RiskEffect::Cancel(id, why) => mail.push_back(DeskIn::Router(RouterIn::Cancel(id, why))),
        RiskEffect::Denied(denial) => out.push(DeskEffect::Seen(Seen::Denied(denial))),
        RiskEffect::Desk(view) => mail.push_back(DeskIn::Strategy(StrategyIn::Desk(view))),
        RiskEffect::Persist(record) => {
            if let Record::Opening { at, .. } = &record {
                mail.push_back(DeskIn::Router(RouterIn::Opened(*at)));
            }
            out.push(DeskEffect::Persist(record, None));
        }
        RiskEffect::Mode(report) => out.push(DeskEffect::Seen(Seen::Mode(report))),
        RiskEffect::Money(report) => out.push(DeskEffect::Seen(Seen::Money(report))),
        RiskEffect::Explain => mail.push_back(DeskIn::Reconcile(ReconcileIn::Explain)),
        RiskEffect::Note(note) => out.push(DeskEffect::Seen(Seen::Gate(note))),
    }
}

fn from_router(effect: RouterEffect, mail: &mut VecDeque<DeskIn>, out: &mut Outbox<DeskEffect>) {
    match effect {
        RouterEffect::Persist(record, waits) => out.push(DeskEffect::Persist(record, waits)),
        RouterEffect::Send { order, stamp_max } => out.push(DeskEffect::Send { order, stamp_max }),
        RouterEffect::Delete(id, order_id) => out.push(DeskEffect::Delete(id, order_id)),
        RouterEffect::ReadRow(id, order_id) => out.push(DeskEffect::ReadRow(id, order_id)),
        RouterEffect::Order(view) => {
            mail.push_back(DeskIn::Risk(RiskIn::Order(view)));
            out.push(DeskEffect::Seen(Seen::Order(view)));
        }
        RouterEffect::Fill(trade) => {
            mail.push_back(DeskIn::Risk(RiskIn::Fill(trade.clone())));
            out.push(DeskEffect::Seen(Seen::Fill(trade)));
        }
        RouterEffect::Foreign(orders) => mail.push_back(DeskIn::Risk(RiskIn::Foreign(orders))),
        RouterEffect::LookUp(pairs) => {
            mail.push_back(DeskIn::Reconcile(ReconcileIn::LookUp(pairs)));
        }
        RouterEffect::Raise(code, scope, mode) => {
            mail.push_back(DeskIn::Risk(RiskIn::Raise(code, scope, mode)));
        }
        RouterEffect::Clear(code, scope) => {
            mail.push_back(DeskIn::Risk(RiskIn::Clear(code, scope)));
        }
        RouterEffect::Note(note) => out.push(DeskEffect::Seen(Seen::Router(note))),
    }
}

fn from_reconciler(
    now: Timestamp,
    effect: ReconcileEffect,
    mail: &mut VecDeque<DeskIn>,
    out: &mut Outbox<DeskEffect>,
) {
    match effect {
        ReconcileEffect::Read(request) => out.push(DeskEffect::Read(request)),
        ReconcileEffect::Pending => mail.push_back(DeskIn::Risk(RECONCILE_PENDING)),
        ReconcileEffect::Settled => mail.push_back(DeskIn::Risk(RECONCILE_SETTLED)),
        ReconcileEffect::Snapshot(snapshot) => {
            mail.push_back(DeskIn::Router(RouterIn::Snapshot(snapshot)));
        }
        ReconcileEffect::Transfers(listed) => {
            mail.push_back(DeskIn::Risk(RiskIn::Transfers(listed)));
        }
        ReconcileEffect::Balances { asked_at, rows } => {
            mail.push_back(DeskIn::Risk(RiskIn::Balances { asked_at, rows }));
        }
        ReconcileEffect::Done { clean, took_ms } => {
            mail.push_back(DeskIn::Risk(RiskIn::Reconciled { clean }));
            let report = PassReport {
                clean,
                took_ms,
                at: now,
            };
            out.push(DeskEffect::Seen(Seen::Pass(report)));
        }
    }
}
