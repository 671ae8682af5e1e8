//! Carries out what the process asks for, and takes note of what it shows.
//!
//! Nothing is answered at once: an answer is something that happens later, if it does.

use crate::body::Body;
use crate::network::SKEW_MS_WARN;
use crate::plan::SKEW_MS_TAME;
use crate::planted::Plant;
use crate::world::{Happening, Request, World};
use engine::answer::{NotSent, SubmitOutcome};
use engine::approved::Approved;
use engine::desk::{DeskEffect, DeskIn, Seen};
use engine::ids::ClientId;
use engine::intent::{CancelReason, NewOrder};
use engine::market::Side;
use engine::mode::{Mode, ModeCode};
use engine::msg::{ModeReport, RiskIn, RouterIn, RouterNote};
use engine::order::{OrderState, OrderView};
use engine::record::Record;
use engine::time::Timestamp;

/// A commit on a healthy disk, milliseconds.
pub(crate) const COMMIT_MS: (i64, i64) = (1, 15);
/// A commit on a sick one.
pub(crate) const SLOW_COMMIT_MS: (i64, i64) = (100, 2_000);
/// From a failed commit to the end of the process.
const EXIT_MS_MAX: i64 = 3_000;
/// Longest wait for the rest of a batch, milliseconds; an approval lives 250 ms.
const BATCH_MS: i64 = 240;
/// How late a flag changes that is a message, milliseconds.
const MAILBOX_MS: (i64, i64) = (5, 500);
/// Window of the gate's pace as the world counts it, milliseconds: a minute, less what two clocks may differ by and
/// what a line may delay.
const PACE_MS: i64 = 55_000;
/// Time without a whole look at the account in which a drift may have last become one, milliseconds.
const BLIND_MS: i64 = 60_000;
/// From the approval to the first byte, milliseconds.
const LINE_MS: (i64, i64) = (0, 3);
/// The same where the line is busy; an approval lives 250 ms.
const STALLED_MS: (i64, i64) = (100, 600);

impl World {
    pub(crate) fn perform(&mut self, effect: DeskEffect) {
        if !matches!(effect, DeskEffect::Seen(Seen::Book(_) | Seen::Money(_))) {
            self.trace.note(self.now, format_args!("wants {effect:?}"));
        }
        match effect {
            DeskEffect::Connect => self.connect(),
            DeskEffect::Close => self.close(),
            DeskEffect::Join(channel, symbol) => self.join(channel, symbol),
            DeskEffect::Leave(channel, symbol) => self.leave(channel, symbol),
            DeskEffect::Login => self.login(),
            DeskEffect::Persist(record, waits) => self.persist(record, waits),
            DeskEffect::Send { order, stamp_max } => self.send(order, stamp_max),
            DeskEffect::Delete(id, order_id) => self.request(Request::Cancel(id, order_id)),
            DeskEffect::ReadRow(id, order_id) => self.request(Request::Row(id, order_id)),
            DeskEffect::Read(what) => self.request(Request::Read(what)),
            DeskEffect::Seen(seen) => self.seen(seen),
        }
    }

    fn number(&self) -> u32 {
        self.life.as_ref().map_or(0, |life| life.number)
    }

    pub(crate) fn hear(&mut self, wait_ms: i64, input: DeskIn) {
        let number = self.number();
        self.after(wait_ms, Happening::Hear(number, input));
    }

    fn persist(&mut self, record: Record, waits: Option<ClientId>) {
        if self.faults.disk_full > 0 && self.dice.chance(self.faults.disk_full) {
            self.fill_disk();
        }
        let is_slow = self.dice.chance(self.faults.slow_disk);
        let (low, high) = if is_slow { SLOW_COMMIT_MS } else { COMMIT_MS };
        let ready_at = self.now.plus_ms(self.dice.between(low, high));
        let ready_at = self.journal.append(ready_at, record, waits);
        self.at(ready_at, Happening::Commit);
        if let (Some(Plant::SendBeforeRecord), Some(id)) = (self.plant, waits) {
            self.hear(0, DeskIn::Router(RouterIn::Durable(id)));
        }
    }

    /// As the shells do it: after the first failed commit nothing is acknowledged, the gate is shut, the process ends.
    fn fill_disk(&mut self) {
        self.trace.note(self.now, format_args!("disk full"));
        self.figures.full_disks += 1;
        self.journal.fail(&mut self.dice);
        self.set_flag(true);
        let wait_ms = self.dice.between(0, EXIT_MS_MAX);
        let number = self.number();
        self.after(wait_ms, Happening::Exit(number));
    }

    fn send(&mut self, order: Approved<NewOrder>, stamp_max: Timestamp) {
        let is_stalled = self.dice.chance(self.faults.stalled);
        let (low, high) = if is_stalled { STALLED_MS } else { LINE_MS };
        let mut wait_ms = self.dice.between(low, high);
        let number = self.number();
        if let (Some(Plant::GateOncePerBatch), Some(life)) = (self.plant, &mut self.life)
            && !life.is_shut
        {
            life.unchecked.insert(order.get().client_id);
            wait_ms = self.dice.between(LINE_MS.0, BATCH_MS);
        }
        self.after(wait_ms, Happening::Bytes(number, order, stamp_max));
    }

    /// The look at the gate: the flag of the desk, the gate word and the pass of the shells.
    fn refused_by_gate(&self, id: ClientId, expires_at: Timestamp) -> Option<NotSent> {
        let life = self.life.as_ref()?;
        match &life.body {
            Body::Desk(_) => {
                (life.is_shut && !life.unchecked.contains(&id)).then_some(NotSent::GateClosed)
            }
            Body::Shells(shells) => shells.judge(id, expires_at).err(),
        }
    }

    /// The port's last look, as `actors/src/driver/submit.rs` takes it: gate, approval, connection, stamp.
    pub(crate) fn first_byte(&mut self, order: Approved<NewOrder>, stamp_max: Timestamp) {
        let Some(life) = &self.life else { return };
        let local = life.local(self.now);
        let stamp = local.plus_ms(life.offset_ms);
        let id = order.get().client_id;
        let refused = if let Some(why) = self.refused_by_gate(id, order.expires_at()) {
            Some(why)
        } else if local > order.expires_at() || stamp > stamp_max {
            Some(NotSent::Expired)
        } else if self.dice.chance(self.faults.connect_failed) {
            Some(NotSent::ConnectFailed)
        } else {
            None
        };
        if let Some(why) = refused {
            let outcome = SubmitOutcome::NotSent(why);
            self.hear(0, DeskIn::Router(RouterIn::Outcome(id, outcome)));
            return;
        }
        self.post(order.spend(), stamp);
    }

    pub(crate) fn post(&mut self, order: NewOrder, stamp: Timestamp) {
        let is_durable = self.journal.has_sending(order.client_id);
        self.oracle.post(self.now, order.client_id, is_durable);
        if self.is_killed {
            let seen = format!("{}", order.client_id);
            self.oracle.broken(self.now, "killed_sends_nothing", seen);
        }
        if let Some(rule) = self.is_over {
            let seen = format!("{}", order.client_id);
            self.oracle.broken(self.now, rule, seen);
        }
        self.judge_post(&order);
        self.request(Request::Submit(order, stamp));
    }

    /// What must hold of every submit at its first byte: the gate is open, our clock is right, the pace is kept.
    fn judge_post(&mut self, order: &NewOrder) {
        let id = order.client_id;
        let Some(life) = &self.life else { return };
        if life.mode >= Mode::ObserveOnly {
            let seen = format!("{id} in {}", life.mode.as_str());
            self.oracle.broken(self.now, "shut_sends_nothing", seen);
        }
        if life.offset_ms.abs() >= SKEW_MS_WARN {
            let seen = format!("{id} with a clock {} ms off", life.offset_ms);
            self.oracle.broken(self.now, "clock_is_right", seen);
        }
        // A sale may reduce a position, and what reduces may always leave.
        if order.intent.side == Side::Sell || self.plan.clock.skew_ms_max > SKEW_MS_TAME {
            return;
        }
        let now = self.now;
        let is_past = |at: &Timestamp| now.ms_since(*at) >= PACE_MS;
        while self.posts_at.pop_front_if(|at| is_past(at)).is_some() {}
        self.posts_at.push_back(now);
        let posts = self.posts_at.len();
        if posts > self.plan.orders_per_minute {
            let seen = format!("{posts} buys within {PACE_MS} ms");
            self.oracle.broken(self.now, "pace_is_kept", seen);
        }
    }

    pub(crate) fn set_flag(&mut self, is_shut: bool) {
        if let Some(life) = &mut self.life {
            life.is_shut = is_shut;
        }
    }

    // ---- what is shown ----

    pub(crate) fn seen(&mut self, seen: Seen) {
        match seen {
            Seen::Order(view) => self.see_order(&view),
            Seen::Fill(trade) => {
                if self.plant == Some(Plant::FillTwice) && self.dice.chance(250_000) {
                    self.hear(0, DeskIn::Risk(RiskIn::Fill(trade)));
                }
            }
            Seen::Mode(report) => self.see_mode(&report),
            Seen::Router(note) => self.see_note(note),
            Seen::Pass(report) => {
                let now = self.now;
                if let Some(life) = self.life.as_mut().filter(|_| report.clean) {
                    life.clean_pass_before = life.clean_pass_at.replace(now);
                }
            }
            Seen::Book(view) => self.judge_book(&view),
            Seen::Intent(_)
            | Seen::Silent(..)
            | Seen::Denied(_)
            | Seen::Money(_)
            | Seen::Gate(_)
            | Seen::Feed(_) => {}
        }
    }

    fn see_order(&mut self, view: &OrderView) {
        let id = view.client_id();
        let is_ghost = self.ghosts.contains(&id);
        self.oracle.state(self.now, id, view.state, is_ghost);
        match view.state {
            OrderState::Unknown(_) if view.since == self.local() => self.figures.unknowns += 1,
            OrderState::Absent => self.figures.absents += 1,
            OrderState::Unknown(_)
            | OrderState::Reserved
            | OrderState::Sending
            | OrderState::Open
            | OrderState::Partial
            | OrderState::NotSent(_)
            | OrderState::Rejected(_)
            | OrderState::Canceled
            | OrderState::Filled => {}
        }
        self.judge_order(view);
    }

    fn local(&self) -> Timestamp {
        self.life
            .as_ref()
            .map_or(self.now, |life| life.local(self.now))
    }

    /// As the gate's shell does it: the egress is shut, and a kill is latched and cancels everything.
    fn see_mode(&mut self, report: &ModeReport) {
        let is_kill = report.mode == Mode::KillSwitch;
        let is_shut = report.mode >= Mode::ObserveOnly || self.journal.is_full();
        if let Some(life) = &mut self.life {
            life.mode = report.mode;
        }
        if self.is_shelled() {
            // The gate's own port shuts it.
        } else if self.plant == Some(Plant::KillInMailbox) {
            let wait_ms = self.dice.between(MAILBOX_MS.0, MAILBOX_MS.1);
            let number = self.number();
            self.after(wait_ms, Happening::Flag(number, is_shut));
        } else {
            self.set_flag(is_shut);
        }
        if !is_kill {
            return;
        }
        self.is_kill_due |= self.is_drift_due(report);
        if !self.is_killed && !self.is_kill_due && !self.plan.is_beyond {
            let seen = format!("{:?}", report.voices);
            self.oracle.broken(self.now, "killed_without_cause", seen);
        }
        self.is_killed = true;
        if !self.is_shelled() {
            self.hear(0, DeskIn::Router(RouterIn::CancelAll(CancelReason::Kill)));
        }
    }

    /// A drift that lasts two minutes kills. It is right to where balances could be read and nothing else, and where
    /// somebody trades by hand.
    fn is_drift_due(&self, report: &ModeReport) -> bool {
        let is_drift = report
            .voices
            .iter()
            .any(|voice| voice.code == ModeCode::BalanceDrift && voice.mode == Mode::KillSwitch);
        // The look that finds the drift may be the first whole one.
        let seen_at = self.life.as_ref().and_then(|life| life.clean_pass_before);
        let is_blind = seen_at.is_none_or(|at| self.now.ms_since(at) >= BLIND_MS);
        is_drift && (is_blind || !self.by_hand.is_empty())
    }

    fn see_note(&mut self, note: RouterNote) {
        match note {
            RouterNote::Ghost(id) => {
                self.ghosts.insert(id);
                self.figures.ghosts += 1;
                if !self.plan.is_beyond {
                    self.oracle.broken(self.now, "no_ghosts", format!("{id}"));
                }
            }
            RouterNote::Adopted(id) => {
                self.oracle
                    .broken(self.now, "known_to_the_journal", format!("{id}"));
            }
            RouterNote::Unmapped(order_id) => {
                self.oracle
                    .broken(self.now, "every_fill_fits", format!("{order_id:?}"));
            }
            RouterNote::DuplicateFill(_)
            | RouterNote::Foreign(_)
            | RouterNote::Resolved(_)
            | RouterNote::Unproven(..)
            | RouterNote::ResolveRefused(..)
            | RouterNote::RefusalDoubted(_) => {}
        }
    }
}
