//! One case: a system that trades, one panic, and what the policy promises for its actor.

use super::base::Base;
use super::exchange::Venue;
use super::fuse::Case;
use super::messages::Message;
use super::rig::Rig;
use super::samples::Samples;
use crate::plan::Plan;
use crate::wire;
use actors::clock::Clock;
use actors::gate::Flag;
use actors::link::{Link, Sent};
use engine::msg::{BookIn, FeedIn, ReconcileIn, RiskIn, RouterIn, StrategyIn};
use engine::supervisor::{ActorName, SupervisorIn};
use engine::time::Timestamp;
use simulator::exchange::{AccountSpec, Exchange};
use simulator::profile::Profile;
use std::time::Duration;

/// Longest wait for a system to trade, and for a message that only a trading system makes.
const WARM: Duration = Duration::from_secs(60);
/// Longest wait for the panic, once its message is in the mailbox.
const STRIKE: Duration = Duration::from_secs(10);
/// Longest wait for the policy: the longest first restart delay, with room for a busy machine.
const POLICY: Duration = Duration::from_secs(10);
/// Longest time from the hook to the supervisor, microseconds.
const SEEN_US_MAX: i64 = 100_000;
/// Time in which an order that may not leave would.
const AFTERMATH: Duration = Duration::from_millis(300);
/// Longest wait for the next order of a restarted system.
const AGAIN: Duration = Duration::from_secs(30);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(1);

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a fresh instance.
    Restarted,
    /// With the kill switch and the word that the order path is broken; orders that left afterwards.
    OrderPath { posts_after: usize },
}

/// What a case came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) has_struck: bool,
    pub(super) seen_us: Option<i64>,
    pub(super) posts_before: usize,
    pub(super) end: Option<End>,
    pub(super) broken: Vec<String>,
}

/// Plays a case on this thread.
pub(super) fn play(case: Case, seed: u64) -> Outcome {
    actix_rt::System::new().block_on(async move {
        let mut rig = system(seed);
        let mut outcome = Outcome::default();
        if let Err(why) = strike(&mut rig, case, &mut outcome).await {
            outcome.broken.push(why);
        }
        outcome
    })
}

/// A system around an exchange inside the process.
fn system(seed: u64) -> Rig<Venue> {
    let base = Base::new(Clock::start());
    let plan = Plan {
        has_strategies: true,
        ..Plan::calm(seed)
    };
    let account = AccountSpec::rich(1);
    let now = base.clock.now();
    let exchange = Exchange::new(seed, Profile::faithful(), now, &[account]);
    let rules = wire::rules(&exchange.pairs()[plan.desks[0].0]);
    let venue = Venue::new(exchange, &base);
    actix_rt::spawn(venue.clone().run());
    Rig::start(seed, plan, rules, base, venue)
}

async fn strike(rig: &mut Rig<Venue>, case: Case, outcome: &mut Outcome) -> Result<(), String> {
    if !rig.greet(WARM).await {
        return Err("the actors could not be reached".to_owned());
    }
    let trades = || rig.gate.is_open_for_submit() && rig.ground.posts_since(Timestamp(0)) > 0;
    until(WARM, trades)
        .await
        .map_err(|()| format!("it never traded: {:?}", rig.gate.raised()))?;
    outcome.posts_before = rig.ground.posts_since(Timestamp(0));
    rig.fuse.arm(case);
    let patience = if send(rig, case)? { STRIKE } else { WARM };
    let struck = until(patience, || {
        rig.fuse.is_blown() && rig.hooked.at().is_some()
    })
    .await;
    struck.map_err(|()| "the message was never handled".to_owned())?;
    outcome.has_struck = true;
    let at = rig.hooked.at().unwrap_or_default();
    if case.actor == ActorName::Supervisor {
        return supervisor_ends(rig, at, outcome).await;
    }
    let heard = || {
        rig.heard
            .borrow()
            .iter()
            .find(|(actor, _)| *actor == case.actor)
            .copied()
    };
    until(POLICY, || heard().is_some())
        .await
        .map_err(|()| "the supervisor heard nothing".to_owned())?;
    let seen_us = heard().map_or(0, |(_, heard)| heard.0 - at.0);
    note_seen(seen_us, outcome);
    if has_second_chance(case.actor) {
        restarts(rig, case.actor, outcome).await
    } else {
        order_path_ends(rig, case.actor, at, outcome).await
    }
}

fn note_seen(seen_us: i64, outcome: &mut Outcome) {
    outcome.seen_us = Some(seen_us);
    if seen_us > SEEN_US_MAX {
        outcome.broken.push(format!("seen only after {seen_us} us"));
    }
}

/// Puts the sample into its mailbox; returns whether there is one.
fn send(rig: &Rig<Venue>, case: Case) -> Result<bool, String> {
    fn to<M: Message>(link: &Link<M>, rig: &Rig<Venue>, kind: &str) -> Option<Sent> {
        M::sample(kind, &rig.samples).map(|sample| link.send(sample))
    }
    let (links, kind) = (&rig.links, case.kind);
    let sent = match case.actor {
        ActorName::MarketFeed => to::<FeedIn>(&links.feed, rig, kind),
        ActorName::OrderBook => to::<BookIn>(&links.book, rig, kind),
        ActorName::Strategy => to::<StrategyIn>(&links.strategy, rig, kind),
        ActorName::RiskGate => to::<RiskIn>(&links.risk, rig, kind),
        ActorName::OrderRouter => to::<RouterIn>(&links.router, rig, kind),
        ActorName::Reconciler => to::<ReconcileIn>(&links.reconciler, rig, kind),
        ActorName::Supervisor => to::<SupervisorIn>(&links.supervisor, rig, kind),
        ActorName::Venue | ActorName::Secrets | ActorName::Metrics => {
            return Err("this actor is not in the matrix".to_owned());
        }
    };
    match sent {
        Some(Sent::Delivered) => Ok(true),
        Some(refused) => Err(format!(
            "its mailbox does not take the message: {refused:?}"
        )),
        None => Ok(false),
    }
}

/// ADR 0006: gate, router and supervisor have none.
const fn has_second_chance(actor: ActorName) -> bool {
    match actor {
        ActorName::MarketFeed
        | ActorName::OrderBook
        | ActorName::Strategy
        | ActorName::Reconciler
        | ActorName::Secrets
        | ActorName::Metrics => true,
        ActorName::RiskGate | ActorName::OrderRouter | ActorName::Venue | ActorName::Supervisor => {
            false
        }
    }
}

async fn restarts(
    rig: &mut Rig<Venue>,
    actor: ActorName,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let is_back = || made(rig, actor) == 2 && is_reachable(rig, actor);
    until(POLICY, is_back)
        .await
        .map_err(|()| "no fresh instance came".to_owned())?;
    let again_from = rig.clock.now();
    others_live_on(rig, actor, outcome).await;
    if rig.gate.is_raised(Flag::Kill) {
        outcome
            .broken
            .push("the kill switch tripped for an actor that may end".to_owned());
    }
    if rig.fatal.try_recv().is_ok() {
        outcome.broken.push("the process was ended".to_owned());
    }
    outcome.end = Some(End::Restarted);
    let trades = || rig.ground.posts_since(again_from) > 0;
    let again = until(AGAIN, trades).await;
    again.map_err(|()| format!("no order left again: {:?}", rig.gate.raised()))
}

async fn order_path_ends(
    rig: &mut Rig<Venue>,
    actor: ActorName,
    at: Timestamp,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let heard = tokio::time::timeout(POLICY, rig.fatal.recv()).await;
    // The word comes behind the kill, never before it.
    let is_killed = rig.gate.is_raised(Flag::Kill);
    if heard != Ok(Some(actor)) {
        return Err(format!("the end of the order path was told as {heard:?}"));
    }
    if !is_killed {
        outcome
            .broken
            .push("the process ends and the gate is not killed".to_owned());
    }
    others_live_on(rig, actor, outcome).await;
    if made(rig, actor) != 1 {
        outcome.broken.push("a second instance was made".to_owned());
    }
    finish_ended(rig, at, outcome);
    Ok(())
}

/// Nobody guards the supervisor: its end is the end of the channel that the process waits on.
async fn supervisor_ends(
    rig: &mut Rig<Venue>,
    at: Timestamp,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let heard = tokio::time::timeout(POLICY, rig.fatal.recv()).await;
    if heard != Ok(None) {
        return Err(format!("the supervisor's end was told as {heard:?}"));
    }
    note_seen(rig.clock.now().0 - at.0, outcome);
    if rig.gate.is_open_for_submit() {
        outcome
            .broken
            .push("the gate is open without a supervisor".to_owned());
    }
    // The guardians' orders come from it: without it they end, and their actors with them.
    let is_over = || GUARDED.into_iter().all(|actor| !is_reachable(rig, actor));
    until(POLICY, is_over)
        .await
        .map_err(|()| "an actor outlives the supervisor".to_owned())?;
    tokio::time::sleep(AFTERMATH).await;
    finish_ended(rig, at, outcome);
    Ok(())
}

fn finish_ended(rig: &Rig<Venue>, at: Timestamp, outcome: &mut Outcome) {
    let posts_after = rig.ground.posts_since(at);
    if posts_after > 0 {
        outcome
            .broken
            .push(format!("{posts_after} orders left after the hook"));
    }
    outcome.end = Some(End::OrderPath { posts_after });
}

/// Everybody else is the instance that it was; a fresh book alone brings a fresh session.
async fn others_live_on(rig: &Rig<Venue>, struck: ActorName, outcome: &mut Outcome) {
    tokio::time::sleep(AFTERMATH).await;
    for actor in GUARDED.into_iter().filter(|actor| *actor != struck) {
        let is_renewed = struck == ActorName::OrderBook && actor == ActorName::MarketFeed;
        let expected = if is_renewed { 2 } else { 1 };
        if made(rig, actor) != expected {
            outcome.broken.push(format!(
                "{} has {} instances",
                actor.as_str(),
                made(rig, actor)
            ));
        }
        if !is_reachable(rig, actor) {
            outcome
                .broken
                .push(format!("{} cannot be reached", actor.as_str()));
        }
    }
}

/// The guarded actors of the matrix.
const GUARDED: [ActorName; 6] = [
    ActorName::MarketFeed,
    ActorName::OrderBook,
    ActorName::Strategy,
    ActorName::RiskGate,
    ActorName::OrderRouter,
    ActorName::Reconciler,
];

fn made(rig: &Rig<Venue>, actor: ActorName) -> u32 {
    rig.made.borrow().get(&actor).copied().unwrap_or(0)
}

/// Sends something that changes nothing.
fn is_reachable(rig: &Rig<Venue>, actor: ActorName) -> bool {
    let links = &rig.links;
    let sent = match actor {
        ActorName::MarketFeed => links.feed.send(FeedIn::Ignored),
        ActorName::OrderBook => links.book.send(BookIn::Market(Samples::no_trades())),
        ActorName::Strategy => links.strategy.send(StrategyIn::Cycle(1)),
        ActorName::RiskGate => links.risk.send(RiskIn::Resend),
        ActorName::OrderRouter => links.router.send(RouterIn::Offset(0)),
        ActorName::Reconciler => links.reconciler.send(ReconcileIn::LookUp(Vec::new())),
        ActorName::Venue | ActorName::Secrets | ActorName::Metrics | ActorName::Supervisor => {
            return false;
        }
    };
    sent == Sent::Delivered
}

async fn until(patience: Duration, is_true: impl Fn() -> bool) -> Result<(), ()> {
    let waited = tokio::time::timeout(patience, async {
        while !is_true() {
            tokio::time::sleep(LOOK).await;
        }
    });
    waited.await.map_err(|_| ())
}
