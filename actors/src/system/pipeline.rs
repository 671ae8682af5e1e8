//! One function per actor: its core, its port, its arbiter.
//!
//! A factory that may run again starts from what is durable or shared, never from the instance before it.

use super::stage::Stage;
use super::{Links, Plan};
use crate::exits::Exits;
use crate::guardian;
use crate::journal::Journal;
use crate::link::Sent;
use crate::market_feed::{self, Approach, MarketFeedPort};
use crate::observer::{Lens, Observer};
use crate::order_book::{self, OrderBookPort};
use crate::order_router::{self, OrderRouterPort, Waiting};
use crate::params;
use crate::reconciler::{self, ReadPort, ReconcilerPort};
use crate::risk_gate::{self, RiskGatePort};
use crate::secrets::Secrets;
use crate::shell::{Perform, Shell};
use crate::strategy::{self, StrategyPort};
use crate::supervisor::{self, Pen, SupervisorPort};
use crate::venue::{self, Past, VenueCore, VenuePort};
use actix::{Actor, Context};
use engine::book::Books;
use engine::checkpoint::Checkpoint;
use engine::core::{Core, Outbox};
use engine::dice::Dice;
use engine::feed::Feed;
use engine::ids::{BootTag, ClientId};
use engine::intent::CancelReason;
use engine::mode::{Mode, ModeCode};
use engine::msg::{RiskIn, RouterIn, StrategyIn};
use engine::order::OrderView;
use engine::reconcile::Reconciler;
use engine::risk::{IdSource, RiskGate, RiskSettings, Venue};
use engine::router::{Keep, OrderRouter, RouterSettings};
use engine::strategy::Strategies;
use engine::supervisor::{ActorName, Supervisor};
use engine::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The simulated venue of a dry run, made once: a second instance would know nothing of the orders that rest.
pub(super) fn venue(stage: &mut Stage, plan: &Plan, journal: &Checkpoint, now: Timestamp) {
    let cash = stage.settings.simulation.dry_run_try_balance;
    let past = Past::of(journal, plan.quote, cash, now);
    let mut core = VenueCore::new(venue::fill_params(&stage.settings), past);
    let port = VenuePort {
        router: stage.links.router.clone(),
        reconciler: stage.links.reconciler.clone(),
        gate: stage.gate.clone(),
        eyes: stage.eyes.clone(),
    };
    let (rulebook, link, trade) = (
        stage.rulebook.clone(),
        stage.links.venue.clone(),
        stage.trade.clone(),
    );
    stage.spawn_once(&trade, ActorName::Venue, &link, move || {
        // Rules that were learnt before the link was published.
        rulebook
            .all()
            .into_iter()
            .for_each(|rules| core.learn(rules));
        (core, port, venue::MAILBOX)
    });
}

/// MarketFeed: a fresh one begins a new session, so the books are told that the old one is over.
pub(super) fn market_feed(stage: &mut Stage, plan: &Plan, approach: &Approach, seed: u64) {
    let approach = approach.clone();
    let (links, eyes, settings) = (
        stage.links.clone(),
        stage.eyes.clone(),
        Arc::clone(&stage.settings),
    );
    let (stream, access, gate) = (plan.stream.clone(), plan.access, stage.gate.clone());
    let is_simulated = plan.venue == Venue::Simulated;
    let (link, trade) = (stage.links.feed.clone(), stage.trade.clone());
    let (mut dice, limits) = (Dice::new(seed), stage.current(params::feed_limits));
    stage.spawn(&trade, ActorName::MarketFeed, &link, move || {
        let mut port = MarketFeedPort::new(
            stream.clone(),
            approach.clone(),
            &links,
            is_simulated,
            gate.clone(),
            eyes.clone(),
        );
        port.session_over();
        let symbols = settings.market.symbols.clone();
        let mut core = Feed::new(limits(), symbols, access, Dice::new(dice.bits()));
        core.resume(&approach.past());
        (core, port, market_feed::MAILBOX)
    });
}

/// OrderBook: feed, then book, then gate and strategy.
pub(super) fn order_book(stage: &mut Stage, plan: &Plan) {
    let (links, eyes, settings) = (
        stage.links.clone(),
        stage.eyes.clone(),
        Arc::clone(&stage.settings),
    );
    let venue = (plan.venue == Venue::Simulated).then(|| links.venue.clone());
    let metrics = stage.metrics.clone();
    let (link, trade) = (stage.links.book.clone(), stage.trade.clone());
    stage.spawn(&trade, ActorName::OrderBook, &link, move || {
        let port = OrderBookPort {
            risk: links.risk.clone(),
            strategy: links.strategy.clone(),
            venue: venue.clone(),
            feed: links.feed.clone(),
            eyes: eyes.clone(),
            metrics: metrics.clone(),
        };
        let core = Books::new(params::book_limits(&settings), &settings.market.symbols);
        (core, port, order_book::MAILBOX)
    });
}

/// Strategy: a fresh one knows the rules and hears its desks again; it never repeats an intent.
pub(super) fn strategy(stage: &mut Stage) {
    let (risk, eyes, settings) = (
        stage.links.risk.clone(),
        stage.eyes.clone(),
        Arc::clone(&stage.settings),
    );
    let (rulebook, clock) = (stage.rulebook.clone(), stage.clock.clone());
    let (link, trade) = (stage.links.strategy.clone(), stage.trade.clone());
    stage.spawn(&trade, ActorName::Strategy, &link, move || {
        let owners = params::owners(&settings).into_iter();
        let desks = owners
            .map(|(symbol, kind)| (symbol, params::strategy_params(&settings, kind)))
            .collect();
        let mut core = Strategies::new(desks).expect("a map has one owner per pair");
        let mut unheard = Outbox::default();
        for rules in rulebook.all() {
            core.handle(clock.now(), StrategyIn::Rules(rules), &mut unheard);
        }
        if risk.send(RiskIn::Resend) != Sent::Delivered {
            tracing::debug!(
                event = "desks_not_resent",
                msg = "the gate is not up yet and tells the desks itself"
            );
        }
        let port = StrategyPort {
            risk: risk.clone(),
            eyes: eyes.clone(),
            clock: clock.clone(),
        };
        (core, port, strategy::MAILBOX)
    });
}

/// RiskGate, made once from the journal: its end is the end of the process.
pub(super) fn risk_gate(
    stage: &mut Stage,
    plan: &Plan,
    past: &Checkpoint,
    journal: Journal,
    boot: u64,
) {
    let mut core = RiskGate::new(RiskSettings {
        quote: plan.quote,
        limits: params::risk_limits(&stage.settings),
        venue: plan.venue,
        policy_blocks: plan.policy_blocks.clone(),
        owners: params::owners(&stage.settings),
        foreign: stage.settings.orders.foreign_orders,
        started_at: stage.clock.now(),
        ids: IdSource {
            tag: plan.tag,
            epoch: past.epoch_next(),
            boot: BootTag::from_entropy(boot),
            seq: 1,
        },
    });
    core.recall(past.money().clone());
    for (code, mode) in voices(plan, past) {
        core.raise_at_start(code, mode);
    }
    let port = RiskGatePort {
        router: stage.links.router.clone(),
        strategy: stage.links.strategy.clone(),
        reconciler: stage.links.reconciler.clone(),
        risk: stage.links.risk.clone(),
        journal,
        owner: Arc::clone(&plan.owner),
        kills: BTreeSet::new(),
        eyes: stage.eyes.clone(),
    };
    let (link, trade) = (stage.links.risk.clone(), stage.trade.clone());
    stage.spawn_once(&trade, ActorName::RiskGate, &link, move || {
        (core, port, risk_gate::MAILBOX)
    });
}

/// What holds from the first turn on: the configuration's wishes, and a safe mode that outlived the last process.
fn voices(plan: &Plan, past: &Checkpoint) -> Vec<(ModeCode, Mode)> {
    let was_safe =
        (past.money().safe_since()).map(|_| (ModeCode::OperatorSafeMode, Mode::ObserveOnly));
    plan.voices.iter().copied().chain(was_safe).collect()
}

/// A freeze whose cancels a crash has cut off asks for them again.
fn orders_of_frozen_pairs(past: &Checkpoint) -> Vec<ClientId> {
    let holds = past.money().holds();
    let is_frozen = |view: &&OrderView| holds.of(Some(view.order.intent.symbol)).is_some();
    let frozen = past.orders().living().filter(is_frozen);
    frozen.map(OrderView::client_id).collect()
}

/// OrderRouter, made once from the journal; it speaks before its first message, because orders may be open.
pub(super) fn order_router<X: Exits>(
    stage: &mut Stage,
    plan: &Plan,
    past: &Checkpoint,
    (journal, waiting): (Journal, Waiting),
    exits: impl FnOnce(&Links) -> X + Send + 'static,
) {
    let mut core = OrderRouter::new(RouterSettings {
        tag: plan.tag,
        ttl_ms: stage.settings.strategy.ttl_seconds * 1_000,
        cancel_retry_ms: stage.settings.orders.cancel_retry_ms,
        unknown_settle_ms: stage.settings.orders.unknown_settle_ms,
        keep: Keep::default(),
    });
    core.recall(past.orders().clone());
    let is_held_back = !voices(plan, past).is_empty();
    let frozen = orders_of_frozen_pairs(past);
    let (links, gate, eyes) = (stage.links.clone(), stage.gate.clone(), stage.eyes.clone());
    let (own_orders, clock) = (plan.own_orders.clone(), stage.clock.clone());
    let (link, trade) = (stage.links.router.clone(), stage.trade.clone());
    stage.spawn_once(&trade, ActorName::OrderRouter, &link, move || {
        let mut port = OrderRouterPort {
            exits: exits(&links),
            journal,
            waiting,
            risk: links.risk.clone(),
            reconciler: links.reconciler.clone(),
            gate,
            own_orders: own_orders.clone(),
            received: BTreeMap::new(),
            eyes,
        };
        let mut recovery = Outbox::default();
        core.recovered(clock.now(), &mut recovery);
        (core.unknowns().filter(|order| order.is_stuck))
            .for_each(|order| own_orders.was_stuck(order.client_id));
        if is_held_back {
            // What was asked for before this start holds for the orders that outlived it.
            core.handle(
                clock.now(),
                RouterIn::CancelAll(CancelReason::SafeMode),
                &mut recovery,
            );
        }
        for id in frozen {
            let wish = RouterIn::Cancel(id, CancelReason::Operator);
            core.handle(clock.now(), wish, &mut recovery);
        }
        recovery
            .drain()
            .for_each(|effect| port.perform(clock.now(), effect));
        (core, port, order_router::MAILBOX)
    });
}

/// Reconciler, on the thread of slow reads: large answers are parsed there.
pub(super) fn reconciler<R: ReadPort>(
    stage: &mut Stage,
    trades_from: Timestamp,
    mut reads: impl FnMut(&Links) -> R + Send + 'static,
) {
    let (links, eyes, clock) = (stage.links.clone(), stage.eyes.clone(), stage.clock.clone());
    let interval_ms = stage.current(params::reconcile_ms);
    let (link, rest) = (stage.links.reconciler.clone(), stage.rest.clone());
    stage.spawn(&rest, ActorName::Reconciler, &link, move || {
        let port = ReconcilerPort {
            reads: reads(&links),
            router: links.router.clone(),
            risk: links.risk.clone(),
            is_lost: false,
            eyes: eyes.clone(),
        };
        (
            Reconciler::new(interval_ms(), clock.now(), trades_from),
            port,
            reconciler::MAILBOX,
        )
    });
}

/// Metrics, on the main thread.
pub(super) fn metrics(stage: &mut Stage, plan: &Plan) {
    let (status, eyes) = (Arc::clone(&plan.status), stage.eyes.clone());
    let lens = Lens {
        clock: stage.clock.clone(),
        beats: plan.beats.clone(),
        gate: stage.gate.clone(),
        links: plan.links.clone(),
    };
    let (watcher, figures) = (plan.watcher.clone(), plan.figures.clone());
    let withdrawn = stage.eyes.clone();
    let factory = move |ctx: &mut Context<Observer>| {
        guardian::publish(ctx, eyes.link());
        ctx.set_mailbox_capacity(crate::observer::MAILBOX);
        Observer::new(
            Arc::clone(&status),
            lens.clone(),
            figures.clone(),
            &eyes,
            watcher.clone(),
        )
    };
    let (commands, supervisor) = (
        stage.guarded(ActorName::Metrics),
        stage.links.supervisor.clone(),
    );
    let withdraw = move || withdrawn.link().clear();
    actix_rt::spawn(guardian::guard(
        ActorName::Metrics,
        commands,
        supervisor,
        stage.metrics.clone(),
        stage.curtain.clone(),
        factory,
        withdraw,
    ));
}

/// Secrets, on the main thread; a demo has nothing to reload.
pub(super) fn secrets(stage: &mut Stage, plan: &Plan) {
    let Some(port) = plan.secrets.clone() else {
        return;
    };
    let (link, withdrawn) = (stage.links.secrets.clone(), stage.links.secrets.clone());
    let factory = move |ctx: &mut Context<Secrets>| {
        guardian::publish(ctx, &link);
        Secrets::new(port.clone())
    };
    let (commands, supervisor) = (
        stage.guarded(ActorName::Secrets),
        stage.links.supervisor.clone(),
    );
    let withdraw = move || withdrawn.clear();
    actix_rt::spawn(guardian::guard(
        ActorName::Secrets,
        commands,
        supervisor,
        stage.metrics.clone(),
        stage.curtain.clone(),
        factory,
        withdraw,
    ));
}

/// Where everything stands at this start, before any actor lives.
pub(super) fn standing(plan: &Plan, seed: u64, now: Timestamp) -> Supervisor {
    let limits = params::budget_limits(&plan.settings);
    Supervisor::new(seed, limits, plan.past.sum().budgets().clone(), now)
}

/// Supervisor, last, because it must know every guardian. Returns where a broken order path is heard of.
pub(super) fn supervisor(
    stage: &Stage,
    standing: Supervisor,
    approach: Approach,
    pen: Pen,
) -> mpsc::Receiver<ActorName> {
    let (fatal_send, fatal) = mpsc::channel(1);
    let port = SupervisorPort {
        guardians: stage.guardians.clone(),
        risk: stage.links.risk.clone(),
        feed: stage.links.feed.clone(),
        approach,
        pen,
        gate: stage.gate.clone(),
        fatal: fatal_send,
        eyes: stage.eyes.clone(),
    };
    let shell = Shell::new(standing, port, stage.clock.clone(), supervisor::MAILBOX);
    stage.links.supervisor.publish(shell.start().recipient());
    stage.metrics.actor_up(ActorName::Supervisor, true);
    fatal
}
