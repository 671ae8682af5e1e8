//! The world's side of a process of real shells: what it tells them, what it hears of them, and how they end.

use super::{Mine, Shelled, Shells};
use crate::body::Body;
use crate::journal::Survivors;
use crate::panics::fuse::Moment;
use crate::panics::sight::Sight;
use crate::perform::{COMMIT_MS, SLOW_COMMIT_MS};
use crate::world::{Happening, World};
use actors::gate::{Flag, Pass};
use actors::journal::GROUP_MAX;
use actors::link::Sent;
use engine::desk::{DeskEffect, DeskIn, Seen};
use engine::ids::ClientId;
use engine::mode::ModeCode;
use engine::msg::FeedIn;
use engine::supervisor::ActorName;
use engine::time::Timestamp;
use std::rc::Rc;
use tokio::sync::Notify;

/// Panics of one run, at most; an actor that ends again and again is given up by its policy.
const PANICS_MAX: i64 = 2;
/// Time between two of them, milliseconds: longer than a fresh instance takes.
const PANIC_SPACING_MS: i64 = 40_000;
/// Messages before the marked one.
const BEHIND_MAX: i64 = 40;
/// One panic of this many ends the order path, and with it the process.
const FATAL_ONE_IN: i64 = 6;
/// Actors with a second chance.
const SPARED: [ActorName; 4] = [
    ActorName::MarketFeed,
    ActorName::OrderBook,
    ActorName::Strategy,
    ActorName::Reconciler,
];
/// Actors without.
const FATAL: [ActorName; 3] = [
    ActorName::RiskGate,
    ActorName::OrderRouter,
    ActorName::Supervisor,
];

impl World {
    pub(crate) fn is_shelled(&self) -> bool {
        self.shelled.is_some()
    }

    pub(crate) fn is_start_due(&self) -> bool {
        self.shelled
            .as_ref()
            .is_some_and(|shelled| shelled.is_start_due)
    }

    /// Makes the processes of this world real shells; returns what tells them that more is due.
    pub(super) fn shell(&mut self) -> Rc<Notify> {
        let wake = Rc::new(Notify::new());
        self.shelled = Some(Shelled {
            is_start_due: false,
            is_commit_due: false,
            store: None,
            struck: Vec::new(),
            wake: Rc::clone(&wake),
        });
        wake
    }

    pub(super) fn shells(&mut self) -> Option<&mut Shells> {
        match &mut self.life.as_mut()?.body {
            Body::Shells(shells) => Some(shells),
            Body::Desk(_) => None,
        }
    }

    // ---- panics ----

    /// Draws when which actor panics; nothing where there are no actors.
    pub(crate) fn plan_panics(&mut self) {
        if !self.is_shelled() {
            return;
        }
        for number in 0..self.dice.between(0, PANICS_MAX) {
            let actors: &[ActorName] = match self.dice.between(1, FATAL_ONE_IN) {
                1 => &FATAL,
                _ => &SPARED,
            };
            let most = i64::try_from(actors.len()).unwrap_or(1) - 1;
            let place = usize::try_from(self.dice.between(0, most)).unwrap_or(0);
            let is_before = self.dice.chance(500_000);
            let mine = Mine {
                actor: actors[place],
                behind: u32::try_from(self.dice.between(0, BEHIND_MAX)).unwrap_or(0),
                moment: Moment::ALL[usize::from(is_before)],
            };
            let at_ms = self.dice.between(5_000, PANIC_SPACING_MS) + number * PANIC_SPACING_MS;
            self.after(at_ms, Happening::Panic(mine));
        }
    }

    pub(crate) fn plant_panic(&mut self, mine: Mine) {
        self.trace.note(self.now, format_args!("plants {mine:?}"));
        if let Some(shells) = self.shells() {
            shells.fuse.arm_behind(mine.actor, mine.behind, mine.moment);
        }
    }

    /// Takes note of a panic; one of the order path is a cause for the kill.
    fn note_panic(&mut self) {
        let Some(actor) = self.shells().and_then(|shells| shells.fuse.take_blown()) else {
            return;
        };
        self.trace.note(self.now, format_args!("{actor:?} panics"));
        self.figures.panics += 1;
        self.is_kill_due |= FATAL.contains(&actor);
        if let Some(shelled) = &mut self.shelled {
            shelled.struck.push(actor);
        }
    }

    /// The supervisor has heard of an end; only the planted ones may be.
    pub(super) fn heard_of(&mut self, actor: ActorName) {
        let Some(shelled) = &mut self.shelled else {
            return;
        };
        match shelled.struck.iter().position(|struck| *struck == actor) {
            Some(place) => {
                shelled.struck.remove(place);
            }
            None => {
                let seen = format!("{} ended by itself", actor.as_str());
                self.oracle.broken(self.now, "no_panic", seen);
            }
        }
    }

    // ---- what the process does ----

    /// Something of the process is looked at: the time is its runtime's.
    pub(super) fn enter(&mut self, now: Timestamp) {
        if now > self.now {
            (self.now, self.wakes) = (now, 0);
        }
        let Some(life) = self.life.as_mut() else {
            return;
        };
        if let Body::Shells(shells) = &life.body {
            life.local_min = life.local_min.max(shells.clock.now());
        }
        self.note_panic();
    }

    /// An effect is about to be carried out; false if the process ends before it.
    pub(super) fn witness(&mut self, now: Timestamp, number: u32, sight: Sight) -> bool {
        if !self.is_alive(number) {
            return false;
        }
        self.enter(now);
        match sight {
            Sight::Inner => {}
            Sight::Outer | Sight::Record => {
                self.figures.effects += 1;
                if let Some(survivors) = self.crash_due() {
                    self.crash(survivors);
                    self.wake_up();
                    return false;
                }
                if matches!(sight, Sight::Record) {
                    self.expect_commit();
                }
            }
            Sight::Shown(seen) => {
                if !matches!(seen, Seen::Book(_) | Seen::Money(_)) {
                    self.trace.note(self.now, format_args!("shows {seen:?}"));
                }
                self.show(&seen);
                self.seen(seen);
                self.wake_up();
            }
        }
        true
    }

    /// As the observer does it, for the two things that a stop and the operator's hand read.
    fn show(&mut self, seen: &Seen) {
        let Some(shells) = self.shells() else { return };
        let status = shells.status.write();
        let mut status = status.expect("no holder of the status can panic");
        match seen {
            Seen::Pass(report) if report.clean => status.last_clean = Some(report.at),
            Seen::Mode(report) => status.mode = report.mode,
            Seen::Pass(_)
            | Seen::Order(_)
            | Seen::Fill(_)
            | Seen::Router(_)
            | Seen::Book(_)
            | Seen::Intent(_)
            | Seen::Silent(..)
            | Seen::Denied(_)
            | Seen::Money(_)
            | Seen::Gate(_)
            | Seen::Feed(_) => {}
        }
    }

    /// A port acts.
    pub(super) fn act(&mut self, now: Timestamp, number: u32, effect: DeskEffect) {
        if self.is_alive(number) {
            self.enter(now);
            self.perform(effect);
            self.wake_up();
        }
    }

    /// An order is handed to the port: the pass is taken here, the last look comes with the first byte.
    pub(super) fn hand_over(&mut self, id: ClientId, pass: Option<Pass>) {
        if let Some(shells) = self.shells() {
            shells.passes.insert(id, pass);
        }
    }

    /// Whoever held the session is gone: its frames are void, and so is a connect.
    pub(super) fn drop_session(&mut self, number: u32) {
        if !self.is_alive(number) {
            return;
        }
        if let Some(life) = &mut self.life {
            life.socket = crate::life::Socket {
                session: life.socket.session + 1,
                ..Default::default()
            };
        }
    }

    /// Whoever asked is gone: its answers are nobody's, as `actors/src/reconciler.rs` has it.
    pub(super) fn drop_reads(&mut self, number: u32) {
        let Some(life) = self.life.as_mut().filter(|life| life.number == number) else {
            return;
        };
        for ticket in std::mem::take(&mut life.reads).into_values() {
            life.tickets.remove(&ticket);
        }
    }

    fn wake_up(&self) {
        if let Some(shelled) = &self.shelled {
            shelled.wake.notify_one();
        }
    }

    // ---- what it is told ----

    pub(crate) fn post_to_shells(&mut self, input: DeskIn) {
        let Some(number) = self.life.as_ref().map(|life| life.number) else {
            return;
        };
        let Some(shells) = self.shells() else { return };
        let links = &shells.links;
        match input {
            // A session that cannot hand a frame over is over: a frame is never skipped.
            DeskIn::Feed(frame) => {
                let is_end = frame == FeedIn::Disconnected;
                if links.feed.send(frame) != Sent::Delivered && !is_end {
                    self.drop_session(number);
                }
            }
            DeskIn::Router(answer) => {
                if links.router.send(answer) != Sent::Delivered {
                    shells.gate.kill(ModeCode::OrderPathBroken);
                }
            }
            DeskIn::Risk(message) => {
                if links.risk.send(message) != Sent::Delivered {
                    self.trace.note(self.now, format_args!("unheard"));
                }
            }
            // One that is not taken fails its pass; the next starts over.
            DeskIn::Reconcile(reply) => drop(links.reconciler.send(reply)),
            DeskIn::Book(input) => drop(links.book.send(input)),
            DeskIn::Strategy(input) => drop(links.strategy.send(input)),
        }
    }

    /// As the upkeep does it: the gate first, then whoever decides.
    pub(crate) fn kill_shells(&mut self, code: ModeCode) {
        if let Some(shells) = self.shells() {
            shells.gate.kill(code);
        }
    }

    /// The keeper's part: a kill is latched, whoever tripped it and whether or not anybody decides any more.
    pub(super) fn note_gate(&mut self) {
        let Some(shells) = self.shells() else { return };
        if !shells.gate.is_raised(Flag::Kill) {
            return;
        }
        let causes = shells.gate.take_causes();
        if !self.is_killed && !self.is_kill_due && !self.plan.is_beyond {
            let codes = ModeCode::ALL.into_iter();
            let codes: Vec<_> = codes.filter(|code| code.bit() & causes != 0).collect();
            let seen = format!("{codes:?}");
            self.oracle.broken(self.now, "killed_without_cause", seen);
        }
        self.is_killed = true;
    }

    // ---- its journal ----

    fn expect_commit(&mut self) {
        let is_slow = self.dice.chance(self.faults.slow_disk);
        let (low, high) = if is_slow { SLOW_COMMIT_MS } else { COMMIT_MS };
        let wait_ms = self.dice.between(low, high);
        let Some(shelled) = self.shelled.as_mut() else {
            return;
        };
        if !std::mem::replace(&mut shelled.is_commit_due, true) {
            self.after(wait_ms, Happening::Commit);
            self.wake_up();
        }
    }

    /// A group of records is on disk, and whoever waited is told.
    pub(crate) fn commit_of_shells(&mut self) {
        let Some(shelled) = self.shelled.as_mut() else {
            return;
        };
        shelled.is_commit_due = false;
        self.write_group(GROUP_MAX);
        if self
            .life
            .as_ref()
            .is_some_and(|life| life.body.is_writing())
        {
            self.expect_commit();
        }
    }

    fn write_group(&mut self, group_max: usize) {
        let Some(shells) = self.shells() else { return };
        let records = shells.hand.commit(group_max).expect("memory takes records");
        for record in records {
            self.journal.write(record);
        }
    }

    /// An actor of the order path has ended, and with it the process.
    pub(super) fn lose_order_path(&mut self, now: Timestamp) {
        self.enter(now);
        self.note_gate();
        self.crash(Survivors::Drawn);
    }

    /// A process ends: of the records that nobody knew to be on disk a drawn part may be.
    pub(crate) fn end_shells(&mut self, survivors: Survivors) {
        if !self.is_shelled() {
            return;
        }
        let most = self.shells().map_or(0, |shells| shells.journal.depth());
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let kept = match survivors {
            Survivors::None => 0,
            Survivors::All => most,
            Survivors::Drawn => self.dice.between(0, most),
        };
        self.write_group(usize::try_from(kept).unwrap_or(usize::MAX));
        self.figures.messages += self.shells().map_or(0, |shells| shells.fuse.messages());
        let body = self.life.take().map(|life| life.body);
        if let Some(Body::Shells(shells)) = body {
            let store = shells.hand.into_store();
            self.judge_stored_history(&store);
            if let Some(shelled) = &mut self.shelled {
                shelled.store = Some(store);
                shelled.struck.clear();
            }
        }
    }
}
