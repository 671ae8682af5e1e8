//! TERM at drawn moments of drawn worlds: what the orderly stop of the real actors leaves at the exchange.
//!
//! Nothing may leave behind the shut gate, every order of ours that is left must be listed, and nobody else's order may
//! be touched. Half of the worlds have no faults: there nothing may be left at all, unless the exchange refuses every
//! cancel. Every world lives on behind its stops, and is judged as any other.

use super::HOOK;
use super::process::Play;
use super::stopping::NEVER_AGAIN_MS;
use crate::campaign::{self, TAIL_LINES};
use crate::panics::fuse;
use crate::plan::{Echo, Plan};
use crate::story::{self, Stage};
use crate::trace::Trace;
use crate::workers::on_all_cores;
use crate::world::{Outcome, World};
use engine::dice::Dice;
use engine::ids::{ClientId, OrderId};
use engine::order::OrderView;
use engine::time::Timestamp;
use serde::Serialize;
use simulator::order::State;
use std::collections::BTreeSet;

/// Stops of one world.
pub const STOPS_PER_WORLD: u64 = 10;
/// Earliest moment of a stop, milliseconds from the start of its process: signals are heard once the order path is up.
const EARLIEST_MS: i64 = 5;
/// Latest moment of a stop, milliseconds from the start of its process: by then every quote was replaced some times.
const LATEST_MS: i64 = 60_000;
/// Time in which everything arrives that was in flight at the end of a process, milliseconds.
const ARRIVES_MS: i64 = 11_000;
/// Spacing of the looks whether a process lives, milliseconds.
const LOOK_MS: i64 = 500;
/// Longest wait for a process, milliseconds.
const START_MS_MAX: i64 = 30_000;
/// Length of a world as its bounds count it, milliseconds.
const WORLD_MS: i64 = 1_200_000;
/// One stop of this many finds an exchange that refuses every cancel.
const BLOCKED_ONE_IN: i64 = 4;
/// Who waits for such a stop asks once more after this time, milliseconds.
const HURRIED_MS: u64 = 1_000;
/// A rate, in parts per million: each time.
const ALWAYS: u32 = 1_000_000;
/// Submits that wait for their line in every world, in parts per million, so that stops find some on the way out.
const STALLED: u32 = 300_000;
/// Failing seeds that are listed.
const FAILING_MAX: usize = 10;

/// What many stops came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stops {
    /// Processes that were asked to stop.
    pub stops: u64,
    /// Those that left nothing and would exit 0.
    pub clean: u64,
    /// Those that listed what was left and would exit 5.
    pub listed: u64,
    /// Orders that were open at the exchange when a stop had ended.
    pub left_open: u64,
    /// Those that were asked while orders of ours were open.
    pub with_orders: u64,
    /// Orders of others that were open at the end of a stop.
    pub foreign: u64,
    /// Orders that the exchange accepted.
    pub orders: u64,
    /// Rules that were broken.
    pub violations: u64,
    /// The first seeds that failed.
    pub failing_seeds: Vec<u64>,
}

impl Stops {
    /// Returns whether nothing was broken, and the stops had something to do.
    pub fn is_ok(&self) -> bool {
        self.violations == 0 && self.with_orders > 0 && self.left_open > 0
    }

    fn add(&mut self, told: &Told) {
        self.stops += told.stops.stops;
        self.clean += told.stops.clean;
        self.listed += told.stops.listed;
        self.left_open += told.stops.left_open;
        self.with_orders += told.stops.with_orders;
        self.foreign += told.stops.foreign;
        self.orders += told.outcome.figures.orders;
        let violations = told.outcome.violations.len();
        self.violations += u64::try_from(violations).unwrap_or(u64::MAX);
        if violations > 0 && self.failing_seeds.len() < FAILING_MAX {
            self.failing_seeds.push(told.outcome.seed);
        }
    }
}

/// One world and its stops.
struct Told {
    stops: Stops,
    outcome: Outcome,
}

/// Stops at least this many processes; `show` is told of every world that broke a rule.
pub fn run(stops: u64, from: u64, mut show: impl FnMut(&Outcome)) -> Stops {
    HOOK.call_once(fuse::install_hook);
    let worlds = stops.div_ceil(STOPS_PER_WORLD);
    let seeds: Vec<u64> = (from..from.saturating_add(worlds)).collect();
    let mut sum = Stops::default();
    for told in on_all_cores(&seeds, |seed| tell(*seed)) {
        sum.add(&told);
        if !told.outcome.violations.is_empty() {
            show(&told.outcome);
        }
    }
    sum
}

/// Half of the worlds are without faults; none has a cause for a kill, which would end all trading.
fn plan(seed: u64) -> Plan {
    let drawn = Plan::of(seed);
    let calm = Plan::calm(seed);
    let mut plan = if is_calm(seed) {
        Plan {
            desks: drawn.desks,
            swing: drawn.swing,
            ..calm
        }
    } else {
        Plan {
            clock: calm.clock,
            lag: calm.lag,
            ..drawn
        }
    };
    plan.has_strategies = true;
    plan.rival = true;
    plan.operator = false;
    plan.owner = true;
    plan.storm = false;
    plan.echo = Echo::Kept;
    plan.is_beyond = false;
    plan.faults.stalled = STALLED;
    plan.faults.lying_refusal = 0;
    plan.faults.disk_full = 0;
    plan.faults.freeze = 0;
    plan.faults.crash = 0;
    plan.faults_ms = WORLD_MS;
    plan
}

const fn is_calm(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

fn tell(seed: u64) -> Told {
    let mut stops = Stops::default();
    let outcome = campaign::guarded(
        seed,
        std::panic::AssertUnwindSafe(|| {
            let world = World::new(plan(seed), None, Trace::keeping(TAIL_LINES));
            let mut play = Play::new(world);
            play.world(story::bring_in);
            let mut dice = Dice::new(seed ^ 0x0053_544f_5053);
            for _ in 0..STOPS_PER_WORLD {
                play.stop_once(&mut dice, &mut stops);
            }
            story::close(&mut play);
            play.end()
        }),
    );
    Told { stops, outcome }
}

impl Play {
    fn stop_once(&mut self, dice: &mut Dice, stops: &mut Stops) {
        self.await_process();
        let at = self.now().plus_ms(dice.between(EARLIEST_MS, LATEST_MS));
        self.pass_until(at);
        if dice.chance(ALWAYS / 2) {
            self.await_order();
        }
        self.world(World::imitate);
        let (open, foreign) = self.world(|world| (world.own_open(), world.foreign_open()));
        // Somebody who does not want to wait for a stop that cannot cancel: what rests then must be listed.
        let is_blocked = dice.between(1, BLOCKED_ONE_IN) == 1;
        let before = self.world(|world| world.block_cancels(is_blocked));
        let again_ms = if is_blocked {
            HURRIED_MS
        } else {
            NEVER_AGAIN_MS
        };
        let left = self.stop(again_ms);
        self.world(|world| world.faults.maintenance = before);
        let Some(left) = left else {
            self.world(|world| world.broken("stop_ends", "the process ended otherwise".to_owned()));
            return;
        };
        stops.stops += 1;
        stops.with_orders += u64::from(!open.is_empty());
        if left.is_empty() {
            stops.clean += 1;
        } else {
            stops.listed += 1;
        }
        let is_calm = self.world(|world| is_calm(world.plan.seed));
        if is_calm && !is_blocked && !left.is_empty() {
            self.world(|world| world.broken("calm_stop_leaves_nothing", format!("{left:?}")));
        }
        stops.left_open += self.world(|world| u64::try_from(world.own_open().len()).unwrap_or(0));
        stops.foreign += self.world(|world| world.judge_left(&left, &foreign));
        let arrived = self.now().plus_ms(ARRIVES_MS);
        self.pass_until(arrived);
        self.world(|world| world.judge_left(&left, &BTreeSet::new()));
        self.world(World::restart_soon);
    }

    pub(super) fn now(&mut self) -> Timestamp {
        self.world(|world| world.now)
    }

    /// Goes on until an order of ours rests, or for as long as one may take.
    fn await_order(&mut self) {
        let end = self.now().plus_ms(LATEST_MS);
        while self.world(|world| world.own_open().is_empty() && world.now < end) {
            let next = self.now().plus_ms(LOOK_MS / 5);
            self.pass_until(next);
        }
    }

    /// Lets the world be alone until somebody has started the next process.
    pub(super) fn await_process(&mut self) {
        let end = self.now().plus_ms(START_MS_MAX);
        while self.world(|world| world.life.is_none()) {
            let next = self.now().plus_ms(LOOK_MS);
            assert!(next <= end, "a process is started again");
            self.pass_until(next);
        }
    }
}

impl World {
    pub(super) fn broken(&mut self, rule: &'static str, seen: String) {
        self.oracle.broken(self.now, rule, seen);
    }

    /// Lets the exchange refuse every order and every cancel, if that is wanted; returns its rate of before.
    const fn block_cancels(&mut self, is_blocked: bool) -> u32 {
        let before = self.faults.maintenance;
        if is_blocked {
            self.faults.maintenance = ALWAYS;
        }
        before
    }

    /// Our orders that are open at the exchange, by its own word.
    fn own_open(&self) -> BTreeSet<ClientId> {
        let mine = self.exchange.orders();
        mine.filter(|order| order.account == self.account && order.state().is_open())
            .filter_map(|order| ClientId::parse(&order.client_id).ok())
            .collect()
    }

    /// Orders of the account that its owner placed by hand and that are open.
    fn foreign_open(&self) -> BTreeSet<OrderId> {
        let is_open = |id: &&OrderId| {
            let order = self.exchange.order(**id);
            order.is_some_and(|order| order.state().is_open())
        };
        self.by_hand.iter().filter(is_open).copied().collect()
    }

    /// What a stop leaves: of ours nothing that it does not list, of others everything. Returns how many those are.
    fn judge_left(&mut self, left: &[OrderView], foreign: &BTreeSet<OrderId>) -> u64 {
        let listed: BTreeSet<ClientId> = left.iter().map(OrderView::client_id).collect();
        let open = self.own_open();
        for id in open.difference(&listed) {
            self.broken("left_is_listed", format!("{id} is open and not listed"));
        }
        let is_gone = |id: &&OrderId| {
            let order = self.exchange.order(**id);
            order.is_none_or(|order| order.state() == State::Canceled)
        };
        let gone: Vec<OrderId> = foreign.iter().filter(is_gone).copied().collect();
        if !gone.is_empty() {
            self.broken("others_are_left_alone", format!("{gone:?}"));
        }
        u64::try_from(self.foreign_open().len()).unwrap_or(u64::MAX)
    }
}
