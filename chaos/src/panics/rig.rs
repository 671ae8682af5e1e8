//! One system of real shells, guardians and supervisor on one thread, on any ground: an exchange inside the process, or
//! sockets.
//!
//! It follows `actors/src/system/pipeline.rs` actor by actor; what differs is that every core and port is behind the
//! fuse, and that every instance is counted. It trades: a panic is only worth something while orders leave.

use super::base::Base;
use super::fuse::{Fuse, Hooked, Mined, MinedCore, Shared, Witness};
use super::listening::{Listening, ListeningPort};
use super::messages::Message;
use super::samples::Samples;
use super::sight::Seeing;
use crate::life;
use crate::plan::Plan;
use crate::planted::Plant;
use actix::{Actor, Context};
use actors::beats::Beats;
use actors::clock::Clock;
use actors::exits::Exits;
use actors::gate::{Gate, GateOwner};
use actors::guardian::{self, COMMANDS_MAX, Command, Curtain};
use actors::journal::{Journal, JournalThread};
use actors::link::{Link, Sent};
use actors::market_feed::{self, Approach};
use actors::metrics::Metrics;
use actors::observer::Eyes;
use actors::order_book::{self, OrderBookPort};
use actors::order_router::{self, OrderRouterPort, OwnOrders, Waiting};
use actors::reconciler::{self, ReadPort, ReconcilerPort};
use actors::risk_gate::{self, RiskGatePort};
use actors::shell::{Perform, Shell};
use actors::store::{Header, Store, Venue as Kind};
use actors::strategy::{self, StrategyPort};
use actors::supervisor::{self, Pen, SupervisorPort};
use actors::system::Links;
use engine::book::Books;
use engine::budget::BudgetLimits;
use engine::checkpoint::{Checkpoint, Fold};
use engine::core::{Core, Outbox};
use engine::desk::Cores;
use engine::dice::Dice;
use engine::feed::Feed;
use engine::instrument::Instrument;
use engine::intent::CancelReason;
use engine::mode::{Mode, ModeCode};
use engine::msg::BookIn;
use engine::msg::{RiskIn, RouterIn, StrategyIn};
use engine::record::Record;
use engine::risk::RiskGate;
use engine::router::OrderRouter;
use engine::supervisor::{ActorName, Supervisor};
use engine::time::Timestamp;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The budgets of the defaults; a case spends next to nothing.
const LIMITS: BudgetLimits = BudgetLimits {
    reconnects_per_day: 48,
    throttled_per_day: 48,
    is_lifted: false,
};

/// A running system.
pub(crate) struct Rig<G: Ground> {
    pub(crate) links: Links,
    pub(crate) gate: Gate,
    pub(crate) owner: Arc<GateOwner>,
    pub(crate) own_orders: OwnOrders,
    pub(crate) clock: Clock,
    pub(crate) fuse: Fuse,
    pub(super) hooked: Hooked,
    pub(super) ground: G,
    pub(super) samples: Samples,
    /// Hears who broke the order path.
    pub(crate) fatal: mpsc::Receiver<ActorName>,
    /// When an end was heard of, and whose.
    pub(crate) heard: Heard,
    /// Instances of each actor.
    pub(super) made: Made,
    /// The cores inside.
    pub(crate) glass: Glass,
    rules: Rc<[Instrument]>,
    _thread: Option<JournalThread>,
}

/// The cores of the living instances that a judge asks.
#[derive(Clone)]
pub(crate) struct Glass {
    pub(crate) gate: Shared<RiskGate>,
    pub(crate) router: Shared<OrderRouter>,
    pub(crate) books: Shared<Books>,
}

/// What a system is made of, beside its base and its ground.
pub(crate) struct Start {
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
    pub(crate) rules: Vec<Instrument>,
    /// Budgets that are lifted are never spent.
    pub(crate) limits: BudgetLimits,
    /// What the journal holds, and what it adds up to.
    pub(crate) past: Past,
    /// The kill switch was latched in an earlier life.
    pub(crate) is_killed: bool,
    pub(crate) plant: Option<Plant>,
    pub(crate) journal: Journal,
    pub(crate) waiting: Waiting,
    pub(crate) witness: Option<Witness>,
}

/// The journal of earlier lives.
#[derive(Clone)]
pub(crate) struct Past {
    pub(crate) records: Rc<[Record]>,
    pub(crate) sum: Checkpoint,
}

impl Past {
    fn none() -> Self {
        Self {
            records: Rc::default(),
            sum: Checkpoint::empty(life::quote()),
        }
    }
}

type Made = Rc<RefCell<BTreeMap<ActorName, u32>>>;
pub(super) type Heard = Rc<RefCell<Vec<(ActorName, Timestamp)>>>;

/// Where a system stands: its way out, its reads and its stream.
pub(crate) trait Ground: Clone + 'static {
    /// Where orders leave.
    type Exits: Exits;
    /// Where the account is read.
    type Reads: ReadPort;
    /// Where frames come from.
    type Feed: Perform<Core = Feed>;

    /// Makes the way out, once.
    fn exits(&self) -> Self::Exits;

    /// Makes a way to read; again for each instance.
    fn reads(&self) -> Self::Reads;

    /// Makes a port for the feed; again for each instance.
    fn feed(&self) -> Self::Feed;
}

/// One system while it is put together.
struct Stage<G> {
    start: Start,
    rules: Rc<[Instrument]>,
    clock: Clock,
    links: Links,
    eyes: Eyes,
    metrics: Metrics,
    curtain: Curtain,
    owner: Arc<GateOwner>,
    own_orders: OwnOrders,
    approach: Approach,
    ground: G,
    fuse: Fuse,
    made: Made,
    guardians: BTreeMap<ActorName, mpsc::Sender<Command>>,
}

impl<G: Ground> Rig<G> {
    /// Starts everything on the current thread's actix system, from an empty journal in memory with a thread of its own.
    pub(crate) fn start(seed: u64, plan: Plan, rules: Instrument, base: Base, ground: G) -> Self {
        let waiting = Waiting::default();
        let (journal, thread) = journal(&base, &waiting);
        let start = Start {
            seed,
            plan,
            rules: vec![rules],
            limits: LIMITS,
            past: Past::none(),
            is_killed: false,
            plant: None,
            journal,
            waiting,
            witness: None,
        };
        let mut rig = Self::of(start, base, ground);
        rig._thread = Some(thread);
        rig
    }

    /// Starts everything on the current thread's actix system.
    pub(crate) fn of(start: Start, base: Base, ground: G) -> Self {
        let Base {
            clock,
            links,
            owner,
            eyes,
            metrics,
            approach,
        } = base;
        let (gate, own_orders) = (owner.gate(), OwnOrders::default());
        let hooked = Hooked::connect(gate.clone(), clock.clone());
        let rules: Rc<[Instrument]> = start.rules.clone().into();
        let samples = Samples::new(clock.now(), rules[0]);
        let fuse = Fuse::new(start.witness.clone());
        let mut stage = Stage {
            start,
            rules: Rc::clone(&rules),
            clock: clock.clone(),
            links: links.clone(),
            eyes,
            metrics,
            curtain: Curtain::default(),
            owner: Arc::clone(&owner),
            own_orders: own_orders.clone(),
            approach,
            ground: ground.clone(),
            fuse: fuse.clone(),
            made: Rc::default(),
            guardians: BTreeMap::new(),
        };
        let glass = stage.glass();
        stage.risk_gate(&glass);
        stage.order_router(&glass);
        stage.reconciler();
        stage.strategy();
        stage.order_book(&glass);
        stage.market_feed();
        let heard = Heard::default();
        let fatal = stage.supervisor(Rc::clone(&heard));
        Self {
            links,
            gate,
            owner,
            own_orders,
            clock,
            fuse,
            hooked,
            ground,
            samples,
            fatal,
            heard,
            made: stage.made,
            glass,
            rules,
            _thread: None,
        }
    }

    /// Tells rules and clock once everybody can be reached.
    pub(crate) async fn greet(&self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.greeting())
            .await
            .is_ok()
    }

    /// The same for whoever waits for ever.
    pub(crate) fn greeting(&self) -> impl Future<Output = ()> + 'static {
        let (links, rules) = (self.links.clone(), Rc::clone(&self.rules));
        async move {
            for rules in rules.iter().copied() {
                tell(&links.risk, || RiskIn::Rules(rules)).await;
                tell(&links.strategy, || StrategyIn::Rules(rules)).await;
            }
            tell(&links.router, || RouterIn::Offset(0)).await;
        }
    }
}

async fn tell<T: Send + 'static>(link: &Link<T>, make: impl Fn() -> T) {
    while link.send(make()) != Sent::Delivered {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn journal(base: &Base, waiting: &Waiting) -> (Journal, JournalThread) {
    let store = empty_store(base.clock.now());
    Journal::start(
        store,
        Fold::new(life::quote()),
        Beats::new(base.clock.clone()),
        base.on_event(waiting),
    )
    .expect("the machine gives a thread")
}

/// Makes a journal in memory.
pub(crate) fn empty_store(now: Timestamp) -> Store {
    let header = Header::new(Kind::Demo, &life::tag().to_string(), now);
    Store::in_memory(&header).expect("memory takes a journal")
}

impl<G: Ground> Stage<G> {
    /// Fresh cores, as a start makes them from the journal.
    fn cores(&self) -> Box<dyn FnMut() -> Cores> {
        let (plan, rules) = (self.start.plan.clone(), Rc::clone(&self.rules));
        let (past, plant, clock) = (
            self.start.past.clone(),
            self.start.plant,
            self.clock.clone(),
        );
        let mut dice = Dice::new(self.start.seed);
        Box::new(move || {
            let past = (&*past.records, &past.sum);
            life::cores(&plan, &rules, past, clock.now(), plant, &mut dice)
        })
    }

    fn glass(&self) -> Glass {
        let mut cores = self.cores()();
        if self.start.is_killed {
            (cores.gate).raise_at_start(ModeCode::OperatorKill, Mode::KillSwitch);
        }
        Glass {
            gate: shared(cores.gate),
            router: shared(cores.router),
            books: shared(cores.books),
        }
    }

    /// Spawns a guarded shell behind the fuse.
    fn spawn<P>(
        &mut self,
        name: ActorName,
        link: &Link<<P::Core as Core>::In>,
        mut make: impl FnMut() -> (Shared<P::Core>, P, usize) + 'static,
    ) where
        P: Perform,
        <P::Core as Core>::In: Message,
        <P::Core as Core>::Effect: Seeing + Unpin,
    {
        let (send, commands) = mpsc::channel(COMMANDS_MAX);
        self.guardians.insert(name, send);
        let (fuse, clock, made) = (self.fuse.clone(), self.clock.clone(), Rc::clone(&self.made));
        let (published, withdrawn) = (link.clone(), link.clone());
        let factory = move |ctx: &mut Context<Shell<Mined<P>>>| {
            guardian::publish(ctx, &published);
            let (core, port, capacity) = make();
            ctx.set_mailbox_capacity(capacity);
            *made.borrow_mut().entry(name).or_insert(0) += 1;
            let (core, port) = mined(core, port, &fuse);
            Shell::new(core, port, clock.clone(), capacity)
        };
        actix_rt::spawn(guardian::guard(
            name,
            commands,
            self.links.supervisor.clone(),
            self.metrics.clone(),
            self.curtain.clone(),
            factory,
            move || withdrawn.clear(),
        ));
    }

    /// The same for an actor that is made once.
    fn spawn_once<P>(
        &mut self,
        name: ActorName,
        link: &Link<<P::Core as Core>::In>,
        once: (Shared<P::Core>, P, usize),
    ) where
        P: Perform,
        <P::Core as Core>::In: Message,
        <P::Core as Core>::Effect: Seeing + Unpin,
    {
        let mut once = Some(once);
        self.spawn(name, link, move || {
            once.take()
                .expect("the supervisor asks for no second instance")
        });
    }

    fn risk_gate(&mut self, glass: &Glass) {
        let port = RiskGatePort {
            router: self.links.router.clone(),
            strategy: self.links.strategy.clone(),
            reconciler: self.links.reconciler.clone(),
            risk: self.links.risk.clone(),
            journal: self.start.journal.clone(),
            owner: Arc::clone(&self.owner),
            kills: BTreeSet::new(),
            eyes: self.eyes.clone(),
        };
        let (core, link) = (Rc::clone(&glass.gate), self.links.risk.clone());
        self.spawn_once(ActorName::RiskGate, &link, (core, port, risk_gate::MAILBOX));
    }

    fn order_router(&mut self, glass: &Glass) {
        let port = OrderRouterPort {
            exits: self.ground.exits(),
            journal: self.start.journal.clone(),
            waiting: self.start.waiting.clone(),
            risk: self.links.risk.clone(),
            reconciler: self.links.reconciler.clone(),
            gate: self.owner.gate(),
            own_orders: self.own_orders.clone(),
            received: BTreeMap::new(),
            eyes: self.eyes.clone(),
        };
        let (core, link) = (Rc::clone(&glass.router), self.links.router.clone());
        let (fuse, clock, is_killed) =
            (self.fuse.clone(), self.clock.clone(), self.start.is_killed);
        let mut once = Some(port);
        self.spawn(ActorName::OrderRouter, &link, move || {
            let mut port = once.take().expect("the supervisor asks for no second one");
            recover(&core, &mut port, &fuse, clock.now(), is_killed);
            (Rc::clone(&core), port, order_router::MAILBOX)
        });
    }

    fn reconciler(&mut self) {
        let (mut cores, links, eyes) = (self.cores(), self.links.clone(), self.eyes.clone());
        let (ground, link) = (self.ground.clone(), self.links.reconciler.clone());
        self.spawn(ActorName::Reconciler, &link, move || {
            let port = ReconcilerPort {
                reads: ground.reads(),
                router: links.router.clone(),
                risk: links.risk.clone(),
                is_lost: false,
                eyes: eyes.clone(),
            };
            (shared(cores().reconciler), port, reconciler::MAILBOX)
        });
    }

    fn strategy(&mut self) {
        let (mut cores, links, eyes) = (self.cores(), self.links.clone(), self.eyes.clone());
        let (rules, clock, link) = (
            Rc::clone(&self.rules),
            self.clock.clone(),
            links.strategy.clone(),
        );
        self.spawn(ActorName::Strategy, &link, move || {
            let mut core = cores().strategies;
            let mut unheard = Outbox::default();
            for rules in rules.iter().copied() {
                core.handle(clock.now(), StrategyIn::Rules(rules), &mut unheard);
            }
            // The gate may not be up yet; then it tells the desks by itself.
            let _resent = links.risk.send(RiskIn::Resend);
            let port = StrategyPort {
                risk: links.risk.clone(),
                eyes: eyes.clone(),
                clock: clock.clone(),
            };
            (shared(core), port, strategy::MAILBOX)
        });
    }

    fn order_book(&mut self, glass: &Glass) {
        let (mut cores, links, eyes) = (self.cores(), self.links.clone(), self.eyes.clone());
        let metrics = self.metrics.clone();
        let (link, shown) = (links.book.clone(), Rc::clone(&glass.books));
        self.spawn(ActorName::OrderBook, &link, move || {
            let port = OrderBookPort {
                risk: links.risk.clone(),
                strategy: links.strategy.clone(),
                venue: None,
                feed: links.feed.clone(),
                eyes: eyes.clone(),
                metrics: metrics.clone(),
            };
            *shown.borrow_mut() = cores().books;
            (Rc::clone(&shown), port, order_book::MAILBOX)
        });
    }

    fn market_feed(&mut self) {
        let (mut cores, links) = (self.cores(), self.links.clone());
        let (ground, link) = (self.ground.clone(), links.feed.clone());
        let approach = self.approach.clone();
        self.spawn(ActorName::MarketFeed, &link, move || {
            let port = ground.feed();
            // An earlier session is over. A book that is not up yet begins without one.
            let _told = links.book.send(BookIn::SessionDown);
            let mut core = cores().feed;
            core.resume(&approach.past());
            (shared(core), port, market_feed::MAILBOX)
        });
    }

    /// The supervisor is not guarded: whoever waits for the fatal word learns of its end.
    fn supervisor(&mut self, heard: Heard) -> mpsc::Receiver<ActorName> {
        let (send, fatal) = mpsc::channel(1);
        let port = SupervisorPort {
            guardians: self.guardians.clone(),
            risk: self.links.risk.clone(),
            feed: self.links.feed.clone(),
            approach: self.approach.clone(),
            pen: Pen::new(self.start.journal.clone()),
            gate: self.owner.gate(),
            fatal: send,
            eyes: self.eyes.clone(),
        };
        let listening = Listening {
            core: Supervisor::new(
                self.start.seed,
                self.start.limits,
                self.start.past.sum.budgets().clone(),
                self.clock.now(),
            ),
            heard,
        };
        let port = ListeningPort(port);
        let (core, port) = mined(shared(listening), port, &self.fuse);
        let shell = Shell::new(core, port, self.clock.clone(), supervisor::MAILBOX);
        self.links.supervisor.publish(shell.start().recipient());
        fatal
    }
}

fn shared<C>(core: C) -> Shared<C> {
    Rc::new(RefCell::new(core))
}

/// What the router does before its first message, because orders may be open. A witness may end the process here, too.
fn recover(
    core: &RefCell<OrderRouter>,
    port: &mut impl Perform<Core = OrderRouter>,
    fuse: &Fuse,
    now: Timestamp,
    is_killed: bool,
) {
    let mut recovery = Outbox::default();
    core.borrow_mut().recovered(now, &mut recovery);
    if is_killed {
        // What was asked for before this start holds for the orders that outlived it.
        let cancel = RouterIn::CancelAll(CancelReason::SafeMode);
        core.borrow_mut().handle(now, cancel, &mut recovery);
    }
    for effect in recovery.drain() {
        if fuse.may_act(now, &effect) {
            port.perform(now, effect);
        }
    }
}

fn mined<P: Perform>(
    core: Shared<P::Core>,
    port: P,
    fuse: &Fuse,
) -> (MinedCore<P::Core>, Mined<P>) {
    let fuse = fuse.clone();
    (
        MinedCore {
            core,
            fuse: fuse.clone(),
        },
        Mined { port, fuse },
    )
}
