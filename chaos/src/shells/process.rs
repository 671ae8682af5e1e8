//! One process after the other: each has a runtime of its own, whose time stands still while anybody has work.
//!
//! Between two processes the world is alone. While one lives, time goes on only when every actor waits: then to the next
//! timer of an actor or the next thing that is due in the world, whichever comes first.

use super::Shells;
use super::outside::Outside;
use crate::body::Body;
use crate::journal::Survivors;
use crate::life::{KEEP, Life};
use crate::panics::base::Base;
use crate::panics::fuse::Witness;
use crate::panics::rig::{Past, Rig, Start, empty_store};
use crate::story::{self, Stage};
use crate::world::{Happening, Outcome, World};
use actix_rt::{System, SystemRunner};
use actors::beats::Beats;
use actors::clock::Clock;
use actors::gate::Flag;
use actors::journal::Journal;
use actors::observer::SharedStatus;
use actors::order_router::Waiting;
use engine::budget::BudgetLimits;
use engine::checkpoint::{Checkpoint, Fold};
use engine::record::Record;
use engine::time::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// Faults come by the hundred in minutes: a day's budget would be spent at once, and nothing else be seen.
const LIMITS: BudgetLimits = BudgetLimits {
    reconnects_per_day: 48,
    throttled_per_day: 48,
    is_lifted: true,
};

/// The world's time while a process lives: its runtime's, without the process's own errors.
pub(super) type Time = Clock;

/// A world whose processes are real shells.
pub(super) struct Play {
    pub(super) world: Rc<RefCell<World>>,
    pub(super) wake: Rc<Notify>,
    pub(super) process: Option<Process>,
}

/// A living process; what it is made of goes before its runtime.
pub(super) struct Process {
    pub(super) rig: Rig<Outside>,
    pub(super) status: SharedStatus,
    pub(super) time: Time,
    pub(super) runner: SystemRunner,
}

/// Runs a world to its verdict.
pub(super) fn play(world: World) -> Outcome {
    let mut play = Play::new(world);
    story::play(&mut play);
    play.end()
}

impl Play {
    pub(super) fn new(mut world: World) -> Self {
        let wake = world.shell();
        Self {
            world: Rc::new(RefCell::new(world)),
            wake,
            process: None,
        }
    }

    pub(super) fn end(self) -> Outcome {
        self.world.borrow_mut().end_shells(Survivors::All);
        drop(self.process);
        let world = Rc::try_unwrap(self.world).map_err(|_| "a task outlived its runtime");
        world.expect("nobody else holds it").into_inner().outcome()
    }
}

impl Stage for Play {
    fn world<R>(&mut self, act: impl FnOnce(&mut World) -> R) -> R {
        act(&mut self.world.borrow_mut())
    }

    fn pass_until(&mut self, end: Timestamp) {
        while self.world(|world| world.now < end || world.is_start_due()) {
            if self.world(|world| world.life.is_none()) {
                self.process = None;
            }
            if self.world(|world| world.is_start_due()) {
                self.process = Some(Process::start(&self.world));
            }
            match &mut self.process {
                Some(process) => process.drive(&self.world, &self.wake, end),
                None => self.world(|world| world.pass(end)),
            }
        }
    }
}

impl Process {
    fn start(world: &Rc<RefCell<World>>) -> Self {
        let runner = System::with_tokio_rt(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime without sockets needs nothing of the machine")
        });
        let status = SharedStatus::default();
        let (rig, time) = runner.block_on(async { begin(world, &status) });
        Self {
            rig,
            status,
            time,
            runner,
        }
    }

    /// Lets the process live until the end of this part, or its own.
    fn drive(&mut self, world: &RefCell<World>, wake: &Notify, end: Timestamp) {
        let Self {
            rig, time, runner, ..
        } = self;
        runner.block_on(async {
            loop {
                // The world is let go before anybody acts.
                let next = pass(&mut world.borrow_mut(), rig, time.now(), end);
                let Some(due) = next else { return };
                let wait_us = u64::try_from(due.0 - time.now().0).unwrap_or(0);
                tokio::select! {
                    biased;
                    _lost = rig.fatal.recv() => world.borrow_mut().lose_order_path(time.now()),
                    () = wake.notified() => {}
                    () = tokio::time::sleep(Duration::from_micros(wait_us)) => {}
                }
            }
        });
    }
}

/// Lets everything happen that is due; returns when more is, nothing where the process or this part has ended.
pub(super) fn pass(
    world: &mut World,
    rig: &Rig<Outside>,
    now: Timestamp,
    end: Timestamp,
) -> Option<Timestamp> {
    world.enter(now);
    world.life.as_ref()?;
    world.note_gate();
    for (actor, _) in rig.heard.take() {
        world.heard_of(actor);
    }
    world.pass(now);
    if world.life.is_none() || now >= end {
        return None;
    }
    world.judge_turn();
    Some(world.next_due().map_or(end, |due| due.min(end)))
}

/// Makes a process of the journal, as `actors/src/system.rs` does it.
fn begin(shared: &Rc<RefCell<World>>, status: &SharedStatus) -> (Rig<Outside>, Time) {
    let mut guard = shared.borrow_mut();
    let world = &mut *guard;
    let now = world.now;
    let (skew_ms, epoch, sum) = world.conceive();
    let local = now.plus_ms(skew_ms);
    let time = Clock::of_runtime(now);
    let base = Base::new(Clock::of_runtime(local));
    if world.is_killed {
        base.owner.gate().raise(Flag::Kill);
    }
    let shelled = world.shelled.as_mut().expect("this world is shelled");
    shelled.is_start_due = false;
    let store = shelled.store.take().unwrap_or_else(|| empty_store(now));
    let waiting = Waiting::default();
    let beats = Beats::new(Clock::manual(now));
    let fold = Fold::resume(sum.clone(), KEEP);
    let (journal, mut hand) = Journal::by_hand(store, fold, beats, base.on_event(&waiting));
    let boot = Record::Boot { epoch, at: local };
    journal.append(local, boot).expect("an empty queue");
    let written = hand.commit(1).expect("memory takes records");
    let past = past(world, sum);
    for record in written {
        world.journal.write(record);
    }
    world.oracle.restart();
    let outside = Outside {
        world: Rc::downgrade(shared),
        number: epoch,
        time: time.clone(),
        gate: base.owner.gate(),
        base: base.clone(),
    };
    let start = Start {
        seed: world.dice.bits(),
        plan: world.plan.clone(),
        rules: world.rules.clone(),
        limits: LIMITS,
        past,
        is_killed: world.is_killed,
        plant: world.plant,
        journal: journal.clone(),
        waiting,
        witness: Some(witness(&outside)),
    };
    let rig = Rig::of(start, base, outside);
    let body = Body::Shells(Box::new(Shells {
        links: rig.links.clone(),
        gate: rig.gate.clone(),
        clock: rig.clock.clone(),
        glass: rig.glass.clone(),
        journal,
        status: SharedStatus::clone(status),
        fuse: rig.fuse.clone(),
        hand,
        passes: BTreeMap::new(),
    }));
    world.life = Some(Life::begun(epoch, body, (skew_ms, local), world.is_killed));
    world.after(0, Happening::Clock(epoch));
    world.after(0, Happening::Tick(epoch));
    actix_rt::spawn(rig.greeting());
    (rig, time)
}

fn past(world: &World, sum: Checkpoint) -> Past {
    Past {
        records: world.journal.durable().into(),
        sum,
    }
}

fn witness(outside: &Outside) -> Witness {
    let outside = outside.clone();
    Rc::new(move |_local, sight| {
        let Some(world) = outside.world.upgrade() else {
            return false;
        };
        let now = outside.time.now();
        world.borrow_mut().witness(now, outside.number, sight)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::trace::Trace;
    use engine::mode::{Mode, ModeCode};

    /// Longer than two measurements of the clock are apart, milliseconds.
    const MEASURED_MS: i64 = 70_000;

    impl Play {
        /// Moves our clock, waits until it was measured, and expects a mode, for this reason or none, and the flag.
        fn check(&mut self, moved_ms: i64, expected: Mode, flag: Option<Flag>) {
            let until = self.world(|world| {
                world.shift_clock(moved_ms);
                world.now.plus_ms(MEASURED_MS)
            });
            self.pass_until(until);
            self.world(|world| {
                let life = world.life.as_ref().expect("a process");
                let core = life.body.gate();
                assert_eq!(core.board().global(), expected, "{moved_ms} ms");
                let voices = core.board().voices();
                let mut stricter = voices.filter(|voice| voice.mode > Mode::Normal);
                let is_clock = stricter.all(|voice| voice.code == ModeCode::ClockSkew);
                assert!(is_clock, "{moved_ms} ms: another reason");
            });
            let raised = self
                .process
                .as_ref()
                .map(|process| process.rig.gate.raised());
            assert_eq!(raised, Some(flag.into_iter().collect()), "{moved_ms} ms");
        }
    }

    #[test]
    fn clock_skew_events() {
        let plan = Plan {
            has_strategies: true,
            rival: true,
            ..Plan::calm(5)
        };
        let mut play = Play::new(World::new(plan, None, Trace::keeping(0)));
        play.world(story::open);
        play.check(0, Mode::Normal, None);
        let orders = |play: &mut Play| play.world(|world| world.figures.orders);
        for way in [1, -1] {
            play.check(way * 1_500, Mode::ObserveOnly, Some(Flag::Observe));
            let before = orders(&mut play);
            play.check(0, Mode::ObserveOnly, Some(Flag::Observe));
            assert_eq!(orders(&mut play), before, "nothing is sent meanwhile");
            play.check(way * -1_500, Mode::Normal, None);
            assert!(orders(&mut play) > before, "healed, it trades again");
        }
        play.check(3_500, Mode::KillSwitch, Some(Flag::Kill));
        let before = orders(&mut play);
        play.check(-3_500, Mode::KillSwitch, Some(Flag::Kill));
        assert_eq!(orders(&mut play), before, "a kill does not heal");
        assert!(play.world(|world| world.is_killed));
        assert_eq!(play.end().violations, []);
    }
}
