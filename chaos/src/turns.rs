//! The turns of a process: it starts from the journal, hears one thing at a time, and ends before any effect.

use crate::body::Body;
use crate::journal::Survivors;
use crate::life::{self, Life};
use crate::planted::Plant;
use crate::world::{CrashPlan, Happening, World};
use engine::checkpoint::Checkpoint;
use engine::core::{Core, Outbox};
use engine::desk::{Desk, DeskEffect, DeskIn};
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::{FeedIn, RiskIn, RouterIn};
use engine::record::Record;
use engine::time::Timestamp;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

impl World {
    pub(crate) fn tell(&mut self, input: DeskIn) {
        if !matches!(input, DeskIn::Feed(FeedIn::Market(_))) {
            self.trace.note(self.now, format_args!("hears {input:?}"));
        }
        if self.is_shelled() {
            self.post_to_shells(input);
        } else {
            self.turn(|desk, local, out| desk.handle(local, input, out));
        }
    }

    /// Lets the process take one turn and carries out what it asks for; a crash may come before each effect.
    pub(crate) fn turn(&mut self, act: impl FnOnce(&mut Desk, Timestamp, &mut Outbox<DeskEffect>)) {
        let Some(life) = &mut self.life else {
            return;
        };
        let local = life.local(self.now);
        let Body::Desk(desk) = &mut life.body else {
            return;
        };
        let mut out = std::mem::take(&mut self.out);
        life.local_min = local;
        act(desk, local, &mut out);
        life.due = desk.deadline();
        if self.plant == Some(Plant::HashOrder) {
            in_hash_order(&mut out);
        }
        for effect in out.drain() {
            if self.life.is_none() {
                continue;
            }
            if !matches!(effect, DeskEffect::Seen(_)) {
                self.figures.effects += 1;
                if let Some(survivors) = self.crash_due() {
                    self.crash(survivors);
                    continue;
                }
            }
            self.perform(effect);
        }
        self.out = out;
        self.judge_turn();
    }

    pub(crate) fn crash_due(&mut self) -> Option<Survivors> {
        match self.crash_plan {
            CrashPlan::Drawn if self.faults.crash > 0 && self.dice.chance(self.faults.crash) => {
                Some(Survivors::Drawn)
            }
            CrashPlan::Drawn => None,
            CrashPlan::At(numbers, survivors) => {
                numbers.contains(&self.figures.effects).then_some(survivors)
            }
        }
    }

    pub(crate) fn crash(&mut self, survivors: Survivors) {
        self.trace.note(self.now, format_args!("crash"));
        self.figures.crashes += 1;
        self.end_shells(survivors);
        self.life = None;
        self.journal.crash(survivors, &mut self.dice);
        let wait_ms = self.dice.between(100, 20_000);
        self.after(wait_ms, Happening::Restart);
    }

    /// A process ends in order: everything it wrote is on disk, and nobody starts another one yet.
    pub(crate) fn exit(&mut self) {
        self.trace.note(self.now, format_args!("exit"));
        self.end_shells(Survivors::All);
        self.life = None;
        self.journal.crash(Survivors::All, &mut self.dice);
    }

    /// Starts the next process within a second.
    pub(crate) fn restart_soon(&mut self) {
        let wait_ms = self.dice.between(1, 1_000);
        self.after(wait_ms, Happening::Restart);
    }

    /// A new process, made of the journal.
    pub(crate) fn start(&mut self) {
        assert!(self.life.is_none(), "one process at a time");
        if let Some(shelled) = &mut self.shelled {
            shelled.is_start_due = true;
            return;
        }
        let (skew_ms, epoch, past) = self.conceive();
        let local = self.now.plus_ms(skew_ms);
        let cores = life::cores(
            &self.plan,
            &self.rules,
            (self.journal.durable(), &past),
            local,
            self.plant,
            &mut self.dice,
        );
        self.journal.write(Record::Boot { epoch, at: local });
        self.oracle.restart();
        let body = Body::Desk(Box::new(Desk::new(cores)));
        self.life = Some(Life::begun(epoch, body, (skew_ms, local), self.is_killed));
        if self.is_killed && self.plant != Some(Plant::KillForgotten) {
            let raise = RiskIn::Raise(ModeCode::OperatorKill, Scope::Global, Mode::KillSwitch);
            self.tell(DeskIn::Risk(raise));
        }
        self.turn(|desk, local, out| desk.recover(local, out));
        for rules in self.rules.clone() {
            self.turn(|desk, local, out| desk.learn(local, rules, out));
        }
        self.after(0, Happening::Clock(epoch));
        self.after(0, Happening::Tick(epoch));
    }

    /// Draws a start: how far its clock is off, its number, and what the journal adds up to.
    pub(crate) fn conceive(&mut self) -> (i64, u32, Checkpoint) {
        let skew_ms_max = self.plan.clock.skew_ms_max;
        let skew_ms = self.dice.between(-skew_ms_max, skew_ms_max);
        let epoch = life::epoch_next(self.journal.durable());
        self.trace
            .note(self.now, format_args!("start {epoch} skew {skew_ms}"));
        let past = life::folded(
            self.journal.durable(),
            self.journal.checkpoint(),
            self.plant,
        );
        self.is_killed |= past.kill().is_some();
        (skew_ms, epoch, past)
    }

    pub(crate) fn commit(&mut self) {
        if self.opened_at.is_none() {
            let is_opening = |record: &Record| matches!(record, Record::Opening { asset, .. } if *asset == life::quote());
            let is_open = self.journal.durable().iter().any(is_opening);
            self.opened_at = is_open.then_some(self.now);
        }
        self.commit_of_shells();
        for id in self.journal.commit(self.now) {
            let Some(life) = &self.life else { continue };
            let number = life.number;
            let wait_ms = self.dice.between(0, 2);
            self.after(
                wait_ms,
                Happening::Hear(number, DeskIn::Router(RouterIn::Durable(id))),
            );
        }
    }
}

/// A planted bug goes through what a core asks of the stream in the order of a hash.
fn in_hash_order(out: &mut Outbox<DeskEffect>) {
    let hash = RandomState::new();
    let mut effects: Vec<DeskEffect> = out.drain().collect();
    let key = |effect: &DeskEffect| match effect {
        DeskEffect::Join(channel, symbol) => Some(hash.hash_one(format!("{channel:?}{symbol}"))),
        DeskEffect::Connect
        | DeskEffect::Close
        | DeskEffect::Leave(..)
        | DeskEffect::Login
        | DeskEffect::Persist(..)
        | DeskEffect::Send { .. }
        | DeskEffect::Delete(..)
        | DeskEffect::ReadRow(..)
        | DeskEffect::Read(_)
        | DeskEffect::Seen(_) => None,
    };
    if effects.iter().any(|effect| key(effect).is_some()) {
        effects.sort_by_key(key);
    }
    effects.into_iter().for_each(|effect| out.push(effect));
}
