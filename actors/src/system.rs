//! The composition root: every actor, what it is made of, and which thread it lives on.
//!
//! `start` is the pipeline on one screen; `pipeline.rs` has one function per actor, `stage.rs` the spawning. It decides
//! nothing: a plan comes in, a running system comes out.

mod pipeline;
mod stage;

use crate::beats::{Beat, Beats};
use crate::clock::Clock;
use crate::driver::stream::StreamParts;
use crate::exits::Exits;
use crate::gate::GateOwner;
use crate::guardian::Command;
use crate::journal::{Journal, JournalEvent, JournalThread};
use crate::link::Link;
use crate::market_feed::Approach;
use crate::observer::{Eyes, Figures, Process, SharedStatus, Watcher};
use crate::order_router::{self, OwnOrders, Waiting};
use crate::reconciler::ReadPort;
use crate::secrets::{SecretsIn, SecretsPort};
use crate::store::{Store, StoreError};
use crate::supervisor::Pen;
use crate::venue::VenueIn;
use actix_rt::{Arbiter, ArbiterHandle};
use config::settings::Settings;
use engine::checkpoint::Fold;
use engine::dice::Dice;
use engine::feed::Access;
use engine::ids::{AccountTag, Asset, Symbol};
use engine::instrument::Instrument;
use engine::mode::{Mode, ModeCode};
use engine::msg::{BookIn, FeedIn, ReconcileIn, RiskIn, RouterIn, StrategyIn};
use engine::record::Record;
use engine::risk::Venue;
use engine::supervisor::{ActorName, SupervisorIn};
use stage::Stage;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// Looks whether the order path has come up, each [`UP_LOOK_EVERY`] after the one before: five seconds.
const UP_LOOKS_MAX: u32 = 5_000;
/// Time between two such looks.
const UP_LOOK_EVERY: Duration = Duration::from_millis(1);

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

impl Links {
    /// Returns how many messages each actor's full mailbox has not taken; a demo's Secrets has none.
    pub fn fulls(&self) -> [(ActorName, u64); 9] {
        [
            (ActorName::MarketFeed, self.feed.fulls()),
            (ActorName::OrderBook, self.book.fulls()),
            (ActorName::Strategy, self.strategy.fulls()),
            (ActorName::RiskGate, self.risk.fulls()),
            (ActorName::OrderRouter, self.router.fulls()),
            (ActorName::Reconciler, self.reconciler.fulls()),
            (ActorName::Venue, self.venue.fulls()),
            (ActorName::Secrets, self.secrets.fulls()),
            (ActorName::Supervisor, self.supervisor.fulls()),
        ]
    }

    /// Waits until gate and router take messages: what an operator asks for before that would find nobody. Gives up
    /// after a while; sends to who is not there are then what they always are, a reason to kill.
    pub async fn order_path_up(&self) {
        for _ in 0..UP_LOOKS_MAX {
            if self.risk.is_up() && self.router.is_up() {
                return;
            }
            tokio::time::sleep(UP_LOOK_EVERY).await;
        }
    }
}

/// Rules as far as they have been read; a fresh actor starts with them.
#[derive(Clone, Default)]
pub struct Rulebook(Arc<Mutex<BTreeMap<Symbol, Instrument>>>);

impl Rulebook {
    /// Stores the rules of a pair. Returns those that it had.
    pub fn learn(&self, rules: Instrument) -> Option<Instrument> {
        self.0
            .lock()
            .expect("no holder of the rulebook can panic")
            .insert(rules.symbol, rules)
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
    /// Signs of life.
    pub beats: Beats,
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
    /// What the journal adds up to.
    pub past: Fold,
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
    pub secrets: Option<SecretsPort>,
}

/// A running system.
pub struct Running {
    /// Stable addresses.
    pub links: Links,
    /// Rules as far as they have been read.
    pub rulebook: Rulebook,
    /// Durable records.
    pub journal: Journal,
    /// Hears once that the order path is broken.
    pub fatal: mpsc::Receiver<ActorName>,
    /// Hears once that the journal failed.
    pub journal_failed: mpsc::Receiver<String>,
    /// The arbiter of the order path.
    pub trade: ArbiterHandle,
    /// The arbiter of slow reads.
    pub rest: ArbiterHandle,
    pen: Pen,
    thread: JournalThread,
    guardians: BTreeMap<ActorName, mpsc::Sender<Command>>,
    arbiters: Vec<Arbiter>,
}

/// Starts every actor on a journal that was opened and verified. Must be called inside an actix system.
///
/// # Errors
/// The journal's thread could not be started.
pub fn start<X, R>(
    mut plan: Plan,
    store: Store,
    exits: impl FnOnce(&Links) -> X + Send + 'static,
    reads: impl FnMut(&Links) -> R + Send + 'static,
) -> Result<Running, StoreError>
where
    X: Exits,
    R: ReadPort,
{
    let now = plan.clock.now();
    let mut dice = Dice::new(plan.entropy);
    let standing = pipeline::standing(&plan, dice.bits(), now);
    plan.voices.extend(standing.voices());
    let past = plan.past.sum();
    let waiting = Waiting::default();
    let (failed, journal_failed) = mpsc::channel(1);
    let on_event = journal_reports(&plan, waiting.clone(), failed);
    let (journal, thread) = Journal::start(store, plan.past.clone(), plan.beats.clone(), on_event)?;
    let boot = Record::Boot {
        epoch: past.epoch_next(),
        at: now,
    };
    if journal.append(now, boot).is_err() {
        plan.owner.gate().kill(ModeCode::JournalError);
    }

    let (trade, rest) = (Arbiter::new(), Arbiter::new());
    trade.spawn(plan.beats.clone().keep(Beat::Trade));
    rest.spawn(plan.beats.clone().keep(Beat::Rest));
    let mut stage = Stage::new(&plan, trade.handle(), rest.handle());
    // Who is told lives before who tells: a session that came up before its book was there would be lost on it.
    pipeline::metrics(&mut stage, &plan);
    pipeline::secrets(&mut stage, &plan);
    if plan.venue == Venue::Simulated {
        pipeline::venue(&mut stage, &plan, past, now);
    }
    pipeline::risk_gate(&mut stage, &plan, past, journal.clone(), dice.bits());
    pipeline::order_router(&mut stage, &plan, past, (journal.clone(), waiting), exits);
    pipeline::reconciler(
        &mut stage,
        past.orders().trades_from().unwrap_or(now),
        reads,
    );
    pipeline::strategy(&mut stage);
    pipeline::order_book(&mut stage, &plan);
    let pen = Pen::new(journal.clone());
    let approach = Approach::resume(standing.ladder().connects(now), standing.ladder().pace());
    pipeline::market_feed(&mut stage, &plan, &approach, dice.bits());
    let fatal = pipeline::supervisor(&stage, standing, approach, pen.clone());
    Ok(Running {
        links: stage.links,
        rulebook: stage.rulebook,
        journal,
        fatal,
        journal_failed,
        pen,
        trade: trade.handle(),
        rest: rest.handle(),
        thread,
        guardians: stage.guardians,
        arbiters: vec![trade, rest],
    })
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
            eyes.see(Process::Committed);
        }
        JournalEvent::Failed(error) => {
            gate.kill(ModeCode::JournalError);
            metrics.journal_failed();
            tracing::error!(event = "journal_failed", error = %error);
            // A full channel means that somebody has heard already.
            let _heard = failed.try_send(error.to_string());
        }
    }
}

impl Running {
    /// Ends every actor and seals the journal; call after the orders are settled.
    pub async fn shut_down(self, leftovers: u32, clock: &Clock) {
        for guardian in self.guardians.values() {
            // A guardian that has gone needs no command.
            let _gone = guardian.send(Command::Shutdown).await;
        }
        self.pen.put_down();
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
