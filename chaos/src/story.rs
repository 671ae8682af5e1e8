//! The order of a run: faults, their end, what must have come right, the last cancels, the verdict.
//!
//! It is told once for every kind of process; they differ in how time passes.

use crate::plan::Echo;
use crate::verdict::Wrongs;
use crate::world::{Happening, OWNER_FROM_MS, RESOLVE_EVERY_MS, START, World};
use engine::time::Timestamp;

/// Time without faults before the strategies are stopped, milliseconds: an unknown order needs 30 s to be proven
/// absent and the stream up to 30 s to come back.
const HEAL_MS: i64 = 120_000;
/// Time for the last cancels and looks, milliseconds.
const STOP_MS: i64 = 60_000;
/// Spacing of the looks whether all has come right, milliseconds: longer than anything in flight is late.
const LOOK_EVERY_MS: i64 = 20_000;

/// A world, and how its time passes.
pub(crate) trait Stage {
    /// Acts on the world.
    fn world<R>(&mut self, act: impl FnOnce(&mut World) -> R) -> R;

    /// Lets everything happen that is due up to a moment.
    fn pass_until(&mut self, end: Timestamp);
}

impl Stage for World {
    fn world<R>(&mut self, act: impl FnOnce(&mut World) -> R) -> R {
        act(self)
    }

    fn pass_until(&mut self, end: Timestamp) {
        self.pass(end);
    }
}

/// Plays a plan up to its verdict.
pub(crate) fn play(stage: &mut impl Stage) {
    let end = stage.world(open);
    stage.pass_until(end);
    close(stage);
}

/// The phase without faults: everything must come right in its time, and the run ends as soon as it has.
pub(crate) fn close(stage: &mut impl Stage) {
    stage.world(World::heal);
    settle(stage, HEAL_MS, World::unhealed);
    stage.world(World::stop_trading);
    settle(stage, STOP_MS, World::unsettled);
}

/// Brings everybody of the plan in, and panics where there are actors; returns when faults end.
pub(crate) fn open(world: &mut World) -> Timestamp {
    bring_in(world);
    world.plan_panics();
    START.plus_ms(world.plan.faults_ms)
}

/// Brings everybody of the plan in.
pub(crate) fn bring_in(world: &mut World) {
    world.after(0, Happening::Restart);
    world.after(RESOLVE_EVERY_MS, Happening::Resolver);
    if world.plan.rival {
        world.after(2_000, Happening::Rival);
    }
    if world.plan.operator {
        world.after(20_000, Happening::Operator);
    }
    if world.plan.owner {
        world.after(OWNER_FROM_MS, Happening::Owner);
    }
    if world.plan.echo != Echo::Kept {
        let from_ms = world.dice.between(OWNER_FROM_MS, world.plan.faults_ms);
        world.after(from_ms, Happening::Echo);
    }
}

/// Lets time pass until nothing is wrong; what still is when the time is over has broken its rule.
fn settle(stage: &mut impl Stage, ms_max: i64, wrong: impl Fn(&mut World) -> Wrongs) {
    let now = |stage: &mut _| Stage::world(stage, |world| world.now);
    let end = now(stage).plus_ms(ms_max);
    loop {
        let next = now(stage).plus_ms(LOOK_EVERY_MS).min(end);
        stage.pass_until(next);
        let found = stage.world(&wrong);
        if found.is_empty() || next >= end {
            stage.world(|world| world.break_rules(found));
            return;
        }
    }
}
