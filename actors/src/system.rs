//! The composition root: every actor, what it is made of, and which thread it lives on.
//!
//! Read it top down to see the pipeline. It decides nothing: plans come in, a running system comes out.

use crate::clock::Clock;
use crate::driver::stream::StreamParts;
use crate::exits::Exits;
use crate::gate::{Flag, GateOwner};
use crate::guardian::{self, COMMANDS_MAX, Command};
use crate::journal::{Journal, JournalEvent, JournalThread};
use crate::link::{Link, Tell};
use crate::market_feed::{self, MarketFeedPort};
use crate::observer::{Eyes, Figures, Observer, SharedStatus, Watcher};
use crate::order_book::{self, OrderBookPort};
use crate::order_router::{self, OrderRouterPort, OwnOrders, Waiting};
use crate::params;
use crate::reconciler::{self, ReadPort, ReconcilerPort};
use crate::risk_gate::{self, RiskGatePort};
use crate::secrets::{Secrets, SecretsIn, SecretsPort};
use crate::shell::{Perform, Shell};
use crate::store::{Store, StoreError};
use crate::strategy::{self, StrategyPort};
use crate::supervisor::{self, SupervisorPort};
use crate::venue::{self, Past, VenueCore, VenueIn, VenuePort};
use actix::{Actor, Context, Handler};
use actix_rt::{Arbiter, ArbiterHandle};
use config::load::Loaded;
use config::settings::Settings;
use engine::book::Books;
use engine::core::{Core, Outbox};
use engine::dice::Dice;
use engine::feed::{Access, Feed};
use engine::ids::{AccountTag, Asset, BootTag, Symbol};
use engine::instrument::Instrument;
use engine::intent::CancelReason;
use engine::mode::{Mode, ModeCode};
use engine::msg::{BookIn, FeedIn, ReconcileIn, RiskIn, RouterIn, StrategyIn};
use engine::reconcile::Reconciler;
use engine::record::Record;
use engine::risk::{IdSource, RiskGate, RiskSettings, Venue};
use engine::router::{OrderRouter, RouterSettings};
use engine::strategy::Strategies;
use engine::supervisor::{ActorName, Supervisor, SupervisorIn};
use engine::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// How far back trades are read at a start: they lag, and a crash loses no fill that is inside.
const TRADES_OVERLAP_MS: i64 = 1_800_000;

/// The stable addresses of one system.
#[derive(Clone, Default)]
pub struct Links {
    /// MarketFeed.
    pub feed: Link<FeedIn>,
    /// OrderBook.
    pub book: Link<BookIn>,
    /// Strategy.
    pub strategy: Link<StrategyIn>,
    /// RiskGate.
    pub risk: Link<RiskIn>,
    /// OrderRouter.
    pub router: Link<RouterIn>,
    /// Reconciler.
    pub reconciler: Link<ReconcileIn>,
    /// The simulated venue of a dry run.
    pub venue: Link<VenueIn>,
    /// Secrets.
    pub secrets: Link<SecretsIn>,
    /// Supervisor.
    pub supervisor: Link<SupervisorIn>,
}

/// Rules as far as they have been read; a fresh actor starts with them.
#[derive(Clone, Default)]
pub struct Rulebook(Arc<Mutex<BTreeMap<Symbol, Instrument>>>);

impl Rulebook {
    /// Stores the rules of a pair.
    pub fn learn(&self, rules: Instrument) {
        self.0
            .lock()
            .expect("no holder of the rulebook can panic")
            .insert(rules.symbol, rules);
    }

    /// Returns whether exactly these rules are stored.
    pub fn knows(&self, rules: &Instrument) -> bool {
        self.0
            .lock()
            .expect("no holder of the rulebook can panic")
            .get(&rules.symbol)
            == Some(rules)
    }

    /// Returns all rules.
    pub fn all(&self) -> Vec<Instrument> {
        self.0
            .lock()
            .expect("no holder of the rulebook can panic")
            .values()
            .copied()
            .collect()
    }
}

/// Everything that a system is built from.
pub struct Plan {
    /// Time.
    pub clock: Clock,
    /// Entropy of this start: ids and jitter.
    pub entropy: u64,
    /// What the operator configured.
    pub settings: Arc<Settings>,
    /// The account's quote currency.
    pub quote: Asset,
    /// The account's tag in client ids.
    pub tag: AccountTag,
    /// Live or simulated.
    pub venue: Venue,
    /// Why the configuration does not arm this process; empty if armed.
    pub policy_blocks: Vec<&'static str>,
    /// The egress gate.
    pub owner: Arc<GateOwner>,
    /// The journal, opened and verified.
    pub store: Store,
    /// What it holds.
    pub history: Vec<crate::store::Entry>,
    /// Whether the private stream is to be used.
    pub access: Access,
    /// The public and private stream.
    pub stream: StreamParts,
    /// Figures, and what they are shown on.
    pub figures: Figures,
    /// Stable addresses; given in, because exits and reads answer to them.
    pub links: Links,
    /// Reports.
    pub eyes: Eyes,
    /// The shared picture.
    pub status: SharedStatus,
    /// Somebody who watches.
    pub watcher: Option<Watcher>,
    /// Own orders as the router knows them.
    pub own_orders: OwnOrders,
    /// Modes that the configuration itself asks for.
    pub voices: Vec<(ModeCode, Mode)>,
    /// The configuration that may be reloaded, and what a reload touches; the demo has none.
    pub secrets: Option<(SecretsPort, Arc<Loaded>)>,
}

/// A running system.
pub struct Running {
    /// Stable addresses.
    pub links: Links,
    /// Rules as far as they have been read.
    pub rulebook: Rulebook,
    /// Durable records.
    pub journal: Journal,
    /// Number of this start.
    pub epoch: u32,
    /// The journal holds a safe mode that was never switched off.
    pub was_safe: bool,
    /// Hears once that the order path is broken.
    pub fatal: mpsc::Receiver<ActorName>,
    /// Hears once that the journal failed.
    pub journal_failed: mpsc::Receiver<String>,
    /// The arbiter of slow reads.
    pub rest: ArbiterHandle,
    thread: JournalThread,
    guardians: BTreeMap<ActorName, mpsc::Sender<Command>>,
    arbiters: Vec<Arbiter>,
}

/// Starts every actor. Must be called inside an actix system.
///
/// # Errors
/// The journal's thread could not be started, or its first record could not be written.
pub fn start<X, R>(
    plan: Plan,
    exits: impl FnOnce(&Links) -> X + Send + 'static,
    reads: impl FnMut(&Links) -> R + Send + 'static,
) -> Result<Running, StoreError>
where
    X: Exits,
    R: ReadPort,
{
    let now = plan.clock.now();
    let links = plan.links.clone();
    let gate = plan.owner.gate();
    let facts = Facts::of(&plan.history, now);
    let waiting = Waiting::default();
    let (failed, journal_failed) = mpsc::channel(1);
    let on_event = journal_reports(&plan, waiting.clone(), failed);
    let (journal, thread) = Journal::start(plan.store, plan.clock.clone(), on_event)?;
    if journal
        .append(
            now,
            Record::Boot {
                epoch: facts.epoch,
                at: now,
            },
        )
        .is_err()
    {
        gate.raise(Flag::Kill);
    }

    let trade = Arbiter::new();
    let rest = Arbiter::new();
    let mut guardians = BTreeMap::new();
    let mut guarded = |name: ActorName| {
        let (send, receive) = mpsc::channel(COMMANDS_MAX);
        guardians.insert(name, send);
        receive
    };
    let rulebook = Rulebook::default();
    let owners = params::owners(&plan.settings);
    let symbols: Vec<Symbol> = plan.settings.market.symbols.clone();
    let mut dice = Dice::new(plan.entropy);

    // The simulated venue of a dry run, made once: a second instance would know nothing of the orders that rest. It comes
    // first, so that no book and no trade is missed.
    if plan.venue == Venue::Simulated {
        let past = Past::of(
            &plan.history,
            plan.quote,
            plan.settings.simulation.dry_run_try_balance,
            now,
        );
        let mut core = VenueCore::new(venue::fill_params(&plan.settings), past);
        let port = VenuePort {
            router: links.router.clone(),
            reconciler: links.reconciler.clone(),
            gate: gate.clone(),
            eyes: plan.eyes.clone(),
        };
        let rulebook = rulebook.clone();
        spawn_once(
            &trade.handle(),
            ActorName::Venue,
            guarded(ActorName::Venue),
            &links.venue,
            &links.supervisor,
            &plan.clock,
            move || {
                // Rules that were learnt before the link was published.
                rulebook
                    .all()
                    .into_iter()
                    .for_each(|rules| core.learn(rules));
                (core, port, venue::MAILBOX)
            },
        );
    }

    // MarketFeed: a fresh one begins a new session, so the books are told that the old one is over.
    spawn(
        &trade.handle(),
        ActorName::MarketFeed,
        guarded(ActorName::MarketFeed),
        &links.feed,
        &links.supervisor,
        &plan.clock,
        {
            let (links, eyes, settings) =
                (links.clone(), plan.eyes.clone(), Arc::clone(&plan.settings));
            let (stream, access, symbols, gate) = (
                plan.stream.clone(),
                plan.access,
                symbols.clone(),
                gate.clone(),
            );
            let mut dice = Dice::new(dice.bits());
            let is_simulated = plan.venue == Venue::Simulated;
            move || {
                let port = MarketFeedPort::new(
                    stream.clone(),
                    &links,
                    is_simulated,
                    gate.clone(),
                    eyes.clone(),
                );
                port.session_over();
                let core = Feed::new(
                    params::feed_limits(&settings),
                    symbols.clone(),
                    access,
                    Dice::new(dice.bits()),
                );
                (core, port, market_feed::MAILBOX)
            }
        },
    );

    // OrderBook: feed -> book -> gate and strategy.
    spawn(
        &trade.handle(),
        ActorName::OrderBook,
        guarded(ActorName::OrderBook),
        &links.book,
        &links.supervisor,
        &plan.clock,
        {
            let (links, eyes, settings) =
                (links.clone(), plan.eyes.clone(), Arc::clone(&plan.settings));
            let venue = (plan.venue == Venue::Simulated).then(|| links.venue.clone());
            move || {
                let port = OrderBookPort {
                    risk: links.risk.clone(),
                    strategy: links.strategy.clone(),
                    venue: venue.clone(),
                    feed: links.feed.clone(),
                    eyes: eyes.clone(),
                };
                (
                    Books::new(params::book_limits(&settings), &settings.market.symbols),
                    port,
                    order_book::MAILBOX,
                )
            }
        },
    );

    // Strategy: a fresh one knows the rules and hears its desks again; it never repeats an intent.
    spawn(
        &trade.handle(),
        ActorName::Strategy,
        guarded(ActorName::Strategy),
        &links.strategy,
        &links.supervisor,
        &plan.clock,
        {
            let (links, eyes, settings, rulebook) = (
                links.clone(),
                plan.eyes.clone(),
                Arc::clone(&plan.settings),
                rulebook.clone(),
            );
            let (owners, clock) = (owners.clone(), plan.clock.clone());
            move || {
                let desks = owners
                    .iter()
                    .map(|(symbol, kind)| (*symbol, params::strategy_params(&settings, *kind)))
                    .collect();
                let mut core = Strategies::new(desks).expect("a map has one owner per pair");
                let mut unheard = Outbox::default();
                for rules in rulebook.all() {
                    core.handle(clock.now(), StrategyIn::Rules(rules), &mut unheard);
                }
                if links.risk.send(RiskIn::Resend) != crate::link::Sent::Delivered {
                    tracing::debug!(
                        event = "desks_not_resent",
                        msg = "the gate is not up yet and will tell the desks itself"
                    );
                }
                (
                    core,
                    StrategyPort {
                        risk: links.risk.clone(),
                        eyes: eyes.clone(),
                    },
                    strategy::MAILBOX,
                )
            }
        },
    );

    // RiskGate and OrderRouter are made once: their end is the end of the process.
    let mut risk = RiskGate::new(RiskSettings {
        quote: plan.quote,
        limits: params::risk_limits(&plan.settings),
        venue: plan.venue,
        policy_blocks: plan.policy_blocks.clone(),
        owners,
        started_at: now,
        ids: IdSource {
            tag: plan.tag,
            epoch: facts.epoch,
            boot: BootTag::from_entropy(dice.bits()),
            seq: 1,
        },
    });
    let mut router = OrderRouter::new(RouterSettings {
        tag: plan.tag,
        ttl_ms: plan.settings.strategy.ttl_seconds * 1_000,
        cancel_retry_ms: plan.settings.orders.cancel_retry_ms,
        unknown_settle_ms: plan.settings.orders.unknown_settle_ms,
        foreign_from: None,
    });
    for entry in &plan.history {
        risk.replay(&entry.record);
        router.replay(&entry.record);
    }
    let was_safe = facts
        .was_safe
        .then_some((ModeCode::OperatorSafeMode, Mode::ObserveOnly));
    let voices: Vec<(ModeCode, Mode)> = plan.voices.iter().copied().chain(was_safe).collect();
    for (code, mode) in &voices {
        risk.raise_at_start(*code, *mode);
    }
    spawn_once(
        &trade.handle(),
        ActorName::RiskGate,
        guarded(ActorName::RiskGate),
        &links.risk,
        &links.supervisor,
        &plan.clock,
        {
            let port = RiskGatePort {
                router: links.router.clone(),
                strategy: links.strategy.clone(),
                journal: journal.clone(),
                owner: Arc::clone(&plan.owner),
                eyes: plan.eyes.clone(),
            };
            move || (risk, port, risk_gate::MAILBOX)
        },
    );
    spawn_once(
        &trade.handle(),
        ActorName::OrderRouter,
        guarded(ActorName::OrderRouter),
        &links.router,
        &links.supervisor,
        &plan.clock,
        {
            let (journal, gate, eyes, links) = (
                journal.clone(),
                gate.clone(),
                plan.eyes.clone(),
                links.clone(),
            );
            let (own_orders, clock) = (plan.own_orders.clone(), plan.clock.clone());
            move || {
                let mut port = OrderRouterPort {
                    exits: exits(&links),
                    journal,
                    waiting,
                    risk: links.risk.clone(),
                    reconciler: links.reconciler.clone(),
                    gate,
                    own_orders,
                    eyes,
                };
                let mut recovery = Outbox::default();
                router.recovered(clock.now(), &mut recovery);
                // What an operator asked for before this start holds for the orders that outlived it.
                if !voices.is_empty() {
                    router.handle(
                        clock.now(),
                        RouterIn::CancelAll(CancelReason::SafeMode),
                        &mut recovery,
                    );
                }
                for effect in recovery.drain() {
                    port.perform(clock.now(), effect);
                }
                (router, port, order_router::MAILBOX)
            }
        },
    );

    // Reconciler, on its own thread: large answers are parsed there.
    spawn(
        &rest.handle(),
        ActorName::Reconciler,
        guarded(ActorName::Reconciler),
        &links.reconciler,
        &links.supervisor,
        &plan.clock,
        {
            let (links, eyes, settings) =
                (links.clone(), plan.eyes.clone(), Arc::clone(&plan.settings));
            let (clock, trades_from) = (plan.clock.clone(), facts.trades_from);
            let mut reads = reads;
            move || {
                let interval_ms = settings.orders.reconcile_interval_seconds * 1_000;
                let port = ReconcilerPort {
                    reads: reads(&links),
                    router: links.router.clone(),
                    risk: links.risk.clone(),
                    eyes: eyes.clone(),
                };
                (
                    Reconciler::new(interval_ms, clock.now(), trades_from),
                    port,
                    reconciler::MAILBOX,
                )
            }
        },
    );

    // Metrics and Supervisor, on the main thread.
    let observers = guarded(ActorName::Metrics);
    actix_rt::spawn(guardian::guard(
        ActorName::Metrics,
        observers,
        links.supervisor.clone(),
        {
            let (status, clock, eyes) = (
                Arc::clone(&plan.status),
                plan.clock.clone(),
                plan.eyes.clone(),
            );
            let (watcher, figures) = (plan.watcher.clone(), plan.figures.clone());
            move |ctx: &mut Context<Observer>| {
                guardian::publish(ctx, eyes.link());
                Observer::new(
                    Arc::clone(&status),
                    clock.clone(),
                    figures.clone(),
                    &eyes,
                    watcher.clone(),
                )
            }
        },
        {
            let eyes = plan.eyes.clone();
            move || eyes.link().clear()
        },
    ));
    if let Some((port, loaded)) = plan.secrets.clone() {
        let link = links.secrets.clone();
        let withdraw = {
            let link = link.clone();
            move || link.clear()
        };
        let factory = move |ctx: &mut Context<Secrets>| {
            guardian::publish(ctx, &link);
            Secrets::new(port.clone(), Arc::clone(&loaded))
        };
        let commands = guarded(ActorName::Secrets);
        actix_rt::spawn(guardian::guard(
            ActorName::Secrets,
            commands,
            links.supervisor.clone(),
            factory,
            withdraw,
        ));
    }
    let (fatal_send, fatal) = mpsc::channel(1);
    let port = SupervisorPort {
        guardians: guardians.clone(),
        risk: links.risk.clone(),
        gate,
        fatal: fatal_send,
        eyes: plan.eyes.clone(),
    };
    let shell = Shell::new(
        Supervisor::new(dice.bits()),
        port,
        plan.clock.clone(),
        supervisor::MAILBOX,
    );
    links.supervisor.publish(shell.start().recipient());

    Ok(Running {
        links,
        rulebook,
        journal,
        epoch: facts.epoch,
        was_safe: facts.was_safe,
        fatal,
        journal_failed,
        rest: rest.handle(),
        thread,
        guardians,
        arbiters: vec![trade, rest],
    })
}

/// What the journal says about earlier starts.
struct Facts {
    epoch: u32,
    was_safe: bool,
    trades_from: Timestamp,
}

impl Facts {
    fn of(history: &[crate::store::Entry], now: Timestamp) -> Self {
        let mut facts = Self {
            epoch: 1,
            was_safe: false,
            trades_from: now,
        };
        let mut opened = None;
        for entry in history {
            match &entry.record {
                Record::Boot { epoch, .. } => facts.epoch = epoch + 1,
                Record::SafeMode { on, .. } => facts.was_safe = *on,
                Record::Opening { at, .. } => opened = opened.or(Some(*at)),
                Record::Sending { .. }
                | Record::Outcome { .. }
                | Record::Adopted { .. }
                | Record::CancelAsked { .. }
                | Record::Fill(_)
                | Record::Ended { .. }
                | Record::DayStart { .. }
                | Record::Stop { .. } => {}
            }
        }
        if let (Some(opened), Some(last)) = (opened, history.last()) {
            facts.trades_from = last.at.plus_ms(-TRADES_OVERLAP_MS).max(opened);
        }
        facts
    }
}

/// What the journal's thread reports: durable orders to the router, a failed disk to everybody.
fn journal_reports(
    plan: &Plan,
    waiting: Waiting,
    failed: mpsc::Sender<String>,
) -> impl FnMut(JournalEvent) + Send + 'static {
    let (router, gate, eyes) = (
        plan.links.router.clone(),
        plan.owner.gate(),
        plan.eyes.clone(),
    );
    let metrics = plan.figures.metrics.clone();
    move |event| match event {
        JournalEvent::Durable {
            seq,
            records,
            took_us,
        } => {
            order_router::report_durable(&waiting, seq, &router, &gate, &eyes);
            metrics.journal_committed(records, took_us);
        }
        JournalEvent::Failed(error) => {
            gate.raise(Flag::Kill);
            metrics.journal_failed();
            tracing::error!(event = "journal_failed", error = %error);
            // A full channel means that somebody has heard already.
            let _heard = failed.try_send(error.to_string());
        }
    }
}

/// Spawns a guarded shell whose core can be made again.
fn spawn<P, F>(
    arbiter: &ArbiterHandle,
    name: ActorName,
    commands: mpsc::Receiver<Command>,
    link: &Link<<P::Core as Core>::In>,
    supervisor: &Link<SupervisorIn>,
    clock: &Clock,
    mut make: F,
) where
    P: Perform,
    F: FnMut() -> (P::Core, P, usize) + Send + 'static,
    Shell<P>: Handler<Tell<<P::Core as Core>::In>> + Actor<Context = Context<Shell<P>>>,
    <P::Core as Core>::In: Send + 'static,
    <P::Core as Core>::Effect: Unpin,
{
    let (link, supervisor, clock) = (link.clone(), supervisor.clone(), clock.clone());
    let accepted = arbiter.spawn_fn(move || {
        let withdraw = {
            let link = link.clone();
            move || link.clear()
        };
        let factory = move |ctx: &mut Context<Shell<P>>| {
            guardian::publish(ctx, &link);
            let (core, port, capacity) = make();
            Shell::new(core, port, clock.clone(), capacity)
        };
        actix_rt::spawn(guardian::guard(
            name, commands, supervisor, factory, withdraw,
        ));
    });
    assert!(accepted, "a fresh arbiter takes work");
}

/// Spawns a guarded shell that is made once; the supervisor never asks for a second instance.
fn spawn_once<P, F>(
    arbiter: &ArbiterHandle,
    name: ActorName,
    commands: mpsc::Receiver<Command>,
    link: &Link<<P::Core as Core>::In>,
    supervisor: &Link<SupervisorIn>,
    clock: &Clock,
    make: F,
) where
    P: Perform,
    F: FnOnce() -> (P::Core, P, usize) + Send + 'static,
    Shell<P>: Handler<Tell<<P::Core as Core>::In>> + Actor<Context = Context<Shell<P>>>,
    <P::Core as Core>::In: Send + 'static,
    <P::Core as Core>::Effect: Unpin,
{
    let mut make = Some(make);
    let again = move || {
        make.take()
            .expect("the supervisor ends the process rather than asking for a second instance")(
        )
    };
    spawn(arbiter, name, commands, link, supervisor, clock, again);
}

impl Running {
    /// Ends every actor and seals the journal; call after the orders are settled.
    pub async fn shut_down(self, leftovers: u32, clock: &Clock) {
        for guardian in self.guardians.values() {
            // A guardian that has gone needs no command.
            let _gone = guardian.send(Command::Shutdown).await;
        }
        let at = clock.now();
        if self
            .journal
            .append(at, Record::Stop { at, leftovers })
            .is_err()
        {
            tracing::error!(event = "journal_not_sealed");
        }
        for arbiter in self.arbiters {
            arbiter.stop();
            // The thread may have panicked; its orders are in the journal either way.
            let _ended = arbiter.join();
        }
        drop(self.journal);
        self.thread.join();
    }
}
