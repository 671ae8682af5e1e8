//! The operator's hand on real actors: drawn sequences of signals, commands and reloads while the strategies want orders.
//!
//! A plain model beside it says what must hold after each move: nothing arms, nothing leaves while anything forbids it,
//! and a latched kill ends only by a reset whose preconditions all held. The model never asks the operator.

use super::HOOK;
use super::process::Play;
use crate::campaign::{self, TAIL_LINES};
use crate::panics::fuse;
use crate::plan::Plan;
use crate::story::{self, Stage};
use crate::trace::Trace;
use crate::workers::on_all_cores;
use crate::world::{Outcome, World};
use actors::clock::Offset;
use actors::gate::Flag;
use actors::latch::Latch;
use actors::observer::Eyes;
use actors::operator::Operator;
use actors::operator::hold::HeldBack;
use actors::operator::kill::{Again, Decided};
use engine::desk::DeskIn;
use engine::dice::Dice;
use engine::hold::Hold;
use engine::ids::Symbol;
use engine::intent::StrategyKind;
use engine::kill::{KillId, RESETS_FREE};
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::RiskIn;
use engine::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Moves of one sequence.
pub const MOVES: u32 = 60;
/// Longest time between two moves, milliseconds: long enough for what was refused as too early.
const APART_MS: i64 = 6_000;
/// After this time every mailbox has been emptied, milliseconds.
const SETTLED_MS: i64 = 400;
/// The world opens its books and trades before the first move, milliseconds.
const OPENING_MS: i64 = 20_000;
/// Length of a world as its bounds count it, milliseconds.
const WORLD_MS: i64 = 900_000;
/// Bounds of the operator's preconditions, as they are documented, milliseconds.
const JUST_ON_MS: i64 = 2_000;
const LOOKED_MS: i64 = 30_000;
const CLOCK_MS: i64 = 1_000;
/// The rule that a disarmed process sends nothing.
const DISARMED: &str = "disarmed_sends_nothing";

/// What many sequences came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moves {
    /// Sequences.
    pub seeds: u64,
    /// Moves of operators.
    pub moves: u64,
    /// Orders that the exchange accepted.
    pub orders: u64,
    /// Ends of safe mode that were granted.
    pub offs: u64,
    /// Resets that were carried out.
    pub resets: u64,
    /// Resets that were overtaken by a raise between the record and the act.
    pub overtaken: u64,
    /// Why an end of safe mode or a reset was refused, counted.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Rules that were broken.
    pub violations: u64,
    /// The seeds that failed.
    pub failing_seeds: Vec<u64>,
}

impl Moves {
    /// Returns whether nothing was broken, and the sequences did everything that they can do.
    pub fn is_ok(&self) -> bool {
        self.violations == 0 && self.orders > 0 && self.offs > 0 && self.resets > 0
    }

    fn add(&mut self, told: Moves, outcome: &Outcome) {
        self.seeds += 1;
        self.moves += told.moves;
        self.orders += outcome.figures.orders;
        self.offs += told.offs;
        self.resets += told.resets;
        self.overtaken += told.overtaken;
        for (code, count) in told.refusals {
            *self.refusals.entry(code).or_default() += count;
        }
        if !outcome.violations.is_empty() {
            self.violations += u64::try_from(outcome.violations.len()).unwrap_or(u64::MAX);
            self.failing_seeds.push(outcome.seed);
        }
    }
}

/// Plays sequences; `show` is told of every one that broke a rule.
pub fn run(seeds: &[u64], mut show: impl FnMut(&Outcome)) -> Moves {
    HOOK.call_once(fuse::install_hook);
    let mut sum = Moves::default();
    for (told, outcome) in on_all_cores(seeds, |seed| tell(*seed)) {
        if !outcome.violations.is_empty() {
            show(&outcome);
        }
        sum.add(told, &outcome);
    }
    sum
}

fn tell(seed: u64) -> (Moves, Outcome) {
    let mut told = Moves::default();
    let outcome = campaign::guarded(
        seed,
        std::panic::AssertUnwindSafe(|| {
            let mut plan = Plan {
                desks: vec![
                    (0, StrategyKind::MarketMaker),
                    (2, StrategyKind::MarketMaker),
                ],
                has_strategies: true,
                rival: true,
                faults_ms: WORLD_MS,
                ..Plan::calm(seed)
            };
            // Some submits are of unknown fate for a while.
            plan.faults.reply_lost = 10_000;
            let mut play = Play::new(World::new(plan, None, Trace::keeping(TAIL_LINES)));
            play.world(story::bring_in);
            play.await_process();
            let opened = play.now().plus_ms(OPENING_MS);
            play.pass_until(opened);
            Sequence::new(&mut play, seed).play(&mut told);
            play.end()
        }),
    );
    (told, outcome)
}

/// What an operator may do, and what the world may do to the preconditions.
#[derive(Clone, Copy, Debug)]
enum Move {
    On,
    Off,
    Trip,
    Reset,
    Freeze,
    Unfreeze,
    Degrade,
    Undegrade,
    ReloadSafe,
    ClockLost,
    ClockFar,
    ClockWell,
    Doubt,
    Trust,
}

/// One in how many moves each is: what ends a sequence's freedom for good is rare.
const TABLE: [(Move, i64); 14] = [
    (Move::On, 12),
    (Move::Off, 30),
    (Move::Trip, 3),
    (Move::Reset, 8),
    (Move::Freeze, 6),
    (Move::Unfreeze, 8),
    (Move::Degrade, 4),
    (Move::Undegrade, 8),
    (Move::ReloadSafe, 1),
    (Move::ClockLost, 3),
    (Move::ClockFar, 3),
    (Move::ClockWell, 9),
    (Move::Doubt, 4),
    (Move::Trust, 8),
];

fn draw(dice: &mut Dice) -> Move {
    let all = TABLE.iter().map(|(_, weight)| weight).sum();
    let mut place = dice.between(1, all);
    for (drawn, weight) in TABLE {
        place -= weight;
        if place <= 0 {
            return drawn;
        }
    }
    Move::Off
}

/// What must be the case, from the history of the moves alone.
#[derive(Debug, Default)]
struct Model {
    is_safe: bool,
    is_disarmed: bool,
    is_configured_safe: bool,
    kill: Option<KillId>,
    last_on: Option<Timestamp>,
    resets: usize,
    is_in_doubt: bool,
    frozen: BTreeSet<Symbol>,
    degraded: Option<(Mode, Timestamp)>,
}

struct Sequence<'p> {
    play: &'p mut Play,
    operator: Operator,
    /// Live is configured and the process is not armed.
    is_unarmed: bool,
    model: Model,
    dice: Dice,
    pairs: Vec<Symbol>,
}

impl<'p> Sequence<'p> {
    fn new(play: &'p mut Play, seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x004d_4f56_4553);
        let is_unarmed = dice.between(1, 10) == 1;
        let pairs: Vec<Symbol> =
            play.world(|world| world.rules.iter().map(|rules| rules.symbol).collect());
        let journal = play.world(|world| world.shells().expect("a process").journal.clone());
        let process = play.process.as_ref().expect("it was waited for");
        let rig = &process.rig;
        rig.clock.set_offset(Offset { ms: 0, bound_ms: 1 });
        let operator = Operator {
            links: rig.links.clone(),
            owner: rig.owner.clone(),
            latch: Latch::boot(None, None, rig.gate.clone(), rig.clock.clone()),
            journal,
            status: process.status.clone(),
            eyes: Eyes::default(),
            own_orders: rig.own_orders.clone(),
            clock: rig.clock.clone(),
            configured_safe: false.into(),
            unarmed_live: is_unarmed,
            last_on: Mutex::new(None),
            resets: Mutex::default(),
            pairs: pairs.clone(),
            holds: Mutex::default(),
        };
        Self {
            play,
            operator,
            is_unarmed,
            model: Model::default(),
            dice,
            pairs,
        }
    }

    fn play(mut self, told: &mut Moves) {
        for _ in 0..MOVES {
            self.wait(APART_MS);
            let drawn = draw(&mut self.dice);
            let now = self.play.now();
            self.play
                .world(|world| world.trace.note(now, format_args!("move {drawn:?}")));
            self.act(drawn, told);
            told.moves += 1;
            self.pass(SETTLED_MS);
            self.judge();
        }
        self.play.world(|world| world.is_over = None);
    }

    fn wait(&mut self, most_ms: i64) {
        let wait_ms = self.dice.between(0, most_ms);
        self.pass(wait_ms);
    }

    fn pass(&mut self, ms: i64) {
        let end = self.play.now().plus_ms(ms);
        self.play.pass_until(end);
    }

    fn broken(&mut self, rule: &'static str, seen: String) {
        self.play.world(|world| world.broken(rule, seen));
    }

    fn act(&mut self, drawn: Move, told: &mut Moves) {
        match drawn {
            Move::On => self.switch_on(),
            Move::Off => self.ask_off(told),
            Move::Trip => self.trip(),
            Move::Reset => self.reset(told),
            Move::Freeze => self.freeze(),
            Move::Unfreeze => self.unfreeze(),
            Move::Degrade => self.degrade(),
            Move::Undegrade => self.undegrade(),
            Move::ReloadSafe => self.reload_safe(),
            Move::ClockLost => self.operator.clock.forget_offset(),
            Move::ClockFar => self.set_clock(CLOCK_MS + 1),
            Move::ClockWell => self.set_clock(-CLOCK_MS),
            Move::Doubt => {
                self.model.is_in_doubt = true;
                let code = ModeCode::HandshakesRefused;
                self.tell(RiskIn::Raise(code, Scope::Global, Mode::ObserveOnly));
            }
            Move::Trust => {
                self.model.is_in_doubt = false;
                self.tell(RiskIn::Clear(ModeCode::HandshakesRefused, Scope::Global));
            }
        }
    }

    fn tell(&mut self, message: RiskIn) {
        self.play.world(|world| world.tell(DeskIn::Risk(message)));
    }

    fn set_clock(&self, ms: i64) {
        self.operator.clock.set_offset(Offset { ms, bound_ms: 1 });
    }

    fn local(&self) -> Timestamp {
        self.operator.clock.now()
    }

    fn note_on(&mut self) {
        self.model.is_safe = true;
        self.model.last_on = Some(self.local());
    }

    fn switch_on(&mut self) {
        self.operator.safe_mode_on().expect("memory takes records");
        self.note_on();
    }

    /// What an end of safe mode must be refused for, in the documented order.
    fn refusals(&self) -> Vec<&'static str> {
        let (now, model) = (self.local(), &self.model);
        let status = self.operator.status.read().expect("nobody panics");
        let is_just_on = |at: Timestamp| now.ms_since(at) < JUST_ON_MS;
        let is_old = |at: Timestamp| now.ms_since(at) > LOOKED_MS;
        let offset = self.operator.clock.offset();
        let all = [
            (model.kill.is_some(), "kill_latched"),
            (model.is_disarmed, "restart_needed"),
            (model.is_configured_safe, "configured_safe_mode"),
            (self.is_unarmed, "not_armed"),
            (self.operator.own_orders.unsettled() > 0, "unknown_orders"),
            (status.last_clean.is_none_or(is_old), "not_reconciled"),
            (
                offset.is_none_or(|offset| offset.ms.abs() > CLOCK_MS),
                "clock",
            ),
            (model.last_on.is_some_and(is_just_on), "just_switched_on"),
        ];
        let failing = all.into_iter().filter(|(fails, _)| *fails);
        failing.map(|(_, code)| code).collect()
    }

    fn ask_off(&mut self, told: &mut Moves) {
        let expected = self.refusals();
        for code in &expected {
            *told.refusals.entry(code).or_default() += 1;
        }
        match self.operator.request_off() {
            Ok(()) if expected.is_empty() => {
                self.model.is_safe = false;
                told.offs += 1;
            }
            Ok(()) => self.broken("off_needs_everything", format!("{expected:?}")),
            Err(seen) if seen != expected => {
                self.broken(
                    "every_refusal_is_named",
                    format!("{seen:?}, not {expected:?}"),
                );
            }
            Err(_) => {}
        }
    }

    fn trip(&mut self) {
        self.play.world(|world| world.is_kill_due = true);
        let (kill, recorded) = self.operator.trip("a drill", "uid 0");
        recorded.expect("memory takes records");
        self.model.kill = Some(kill.id);
    }

    /// What a reset of the latched trip needs and has not.
    fn missing(&self, again: Again) -> Vec<&'static str> {
        let (now, model) = (self.local(), &self.model);
        let status = self.operator.status.read().expect("nobody panics");
        let is_old = |at: Timestamp| now.ms_since(at) > LOOKED_MS;
        let offset = self.operator.clock.offset();
        let all = [
            (model.kill.is_none(), "latch"),
            (self.operator.own_orders.unsettled() > 0, "unknown_orders"),
            (self.operator.own_orders.at_exchange() > 0, "open_orders"),
            (status.last_clean.is_none_or(is_old), "reconciled"),
            (
                offset.is_none_or(|offset| offset.ms.abs() > CLOCK_MS),
                "clock",
            ),
            (
                model.resets >= RESETS_FREE && again == Again::Unsaid,
                "resets",
            ),
        ];
        let failing = all.into_iter().filter(|(fails, _)| *fails);
        failing.map(|(_, code)| code).collect()
    }

    fn reset(&mut self, told: &mut Moves) {
        let id = self.model.kill.unwrap_or(KillId(7));
        let again = if self.dice.chance(500_000) {
            Again::Forgiven
        } else {
            Again::Unsaid
        };
        let expected = self.missing(again);
        for code in &expected {
            *told.refusals.entry(code).or_default() += 1;
        }
        match self.operator.decide_reset((id, again), ("over", "uid 0")) {
            Ok(decided) if expected.is_empty() => self.carry_out(decided, told),
            Ok(_) => self.broken("reset_needs_everything", format!("{expected:?}")),
            Err(failing) => {
                let seen: Vec<&str> = failing.iter().map(|one| one.name).collect();
                if seen != expected {
                    let seen = format!("{seen:?}, not {expected:?}");
                    self.broken("every_refusal_is_named", seen);
                }
            }
        }
    }

    /// The record is on its way: from here on safe mode is on and the process disarmed, whatever becomes of the reset.
    fn carry_out(&mut self, decided: Decided, told: &mut Moves) {
        self.note_on();
        self.model.resets += 1;
        self.disarm();
        let overtaken_by = match self.dice.between(0, 4) {
            0 => Some(Move::On),
            1 => Some(Move::Trip),
            _ => None,
        };
        if let Some(drawn) = overtaken_by {
            self.act(drawn, told);
        }
        self.wait(SETTLED_MS);
        match self.operator.carry_out_reset(decided) {
            Ok(()) if overtaken_by.is_none() => {
                self.model.kill = None;
                told.resets += 1;
            }
            Ok(()) => self.broken("a_raise_outlives_a_reset", format!("{overtaken_by:?}")),
            Err(_) if overtaken_by.is_some() => told.overtaken += 1,
            Err(error) => self.broken("a_decided_reset_acts", error.to_string()),
        }
    }

    fn disarm(&mut self) {
        self.model.is_disarmed = true;
        self.play.world(|world| world.is_over = Some(DISARMED));
    }

    fn reload_safe(&mut self) {
        self.operator.to_the_safe_side(&["safe_mode"], true);
        self.model.is_configured_safe = true;
        self.note_on();
        self.disarm();
    }

    fn pair(&mut self) -> Symbol {
        let most = i64::try_from(self.pairs.len()).unwrap_or(1) - 1;
        let place = usize::try_from(self.dice.between(0, most)).unwrap_or(0);
        self.pairs[place]
    }

    fn hold(&self, symbol: Option<Symbol>, mode: Mode, until: Option<Timestamp>) -> Hold {
        Hold {
            symbol,
            mode,
            until,
            reason: "a drill".to_owned(),
            by: "uid 0".to_owned(),
            at: self.local(),
        }
    }

    fn freeze(&mut self) {
        let symbol = self.pair();
        let hold = self.hold(Some(symbol), Mode::ReduceRiskOnly, None);
        match self.operator.hold_back(hold) {
            HeldBack::Done(recorded) => drop(recorded.expect("memory takes records")),
            HeldBack::Stands(hold) => self.broken("a_freeze_acts", format!("{hold:?}")),
        }
        self.model.frozen.insert(symbol);
    }

    fn unfreeze(&mut self) {
        let symbol = self.pair();
        let was_frozen = self.model.frozen.remove(&symbol);
        let decided = self.operator.decide_let_go(Some(symbol), ("over", "uid 0"));
        if decided.is_some() != was_frozen {
            self.broken("what_is_frozen_is_let_go", format!("{symbol}"));
        }
        if let Some((hold, _)) = decided
            && !self.operator.carry_out_let_go(&hold)
        {
            self.broken("what_is_frozen_is_let_go", format!("{hold:?}"));
        }
    }

    fn standing(&self) -> Option<(Mode, Timestamp)> {
        self.model
            .degraded
            .filter(|(_, until)| *until > self.local())
    }

    fn degrade(&mut self) {
        let mode = if self.dice.chance(500_000) {
            Mode::ReduceRiskOnly
        } else {
            Mode::ObserveOnly
        };
        let until = self.local().plus_ms(self.dice.between(1_000, 30_000));
        let standing = self.standing();
        let loosens = standing.is_some_and(|(was, end)| was > mode || end > until);
        match self.operator.hold_back(self.hold(None, mode, Some(until))) {
            HeldBack::Done(_) if !loosens => self.model.degraded = Some((mode, until)),
            HeldBack::Done(_) => self.broken("a_hold_only_tightens", format!("{standing:?}")),
            HeldBack::Stands(_) if loosens => {}
            HeldBack::Stands(hold) => self.broken("a_hold_acts", format!("{hold:?}")),
        }
    }

    fn undegrade(&mut self) {
        let standing = self.standing();
        let decided = self.operator.decide_let_go(None, ("over", "uid 0"));
        if decided.is_some() != standing.is_some() {
            self.broken("what_is_held_is_let_go", format!("{standing:?}"));
        }
        if let Some((hold, _)) = decided {
            self.operator.carry_out_let_go(&hold);
        }
        self.model.degraded = None;
    }

    /// What holds once everybody has heard of the move.
    fn judge(&mut self) {
        let gate = self.operator.owner.gate();
        let latched = self.operator.latch.current().map(|kill| kill.id);
        if latched != self.model.kill {
            let seen = format!("{latched:?}, not {:?}", self.model.kill);
            self.broken("a_latch_ends_by_its_reset", seen);
        }
        let modes = self.play.world(|world| {
            let life = world.life.as_ref()?;
            let core = life.body.gate();
            Some((core.board().global(), core.board().clone()))
        });
        let Some((global, board)) = modes else {
            return self.broken("the_process_lives", String::new());
        };
        let mut least = Mode::Normal;
        if self.model.is_safe || self.model.is_in_doubt {
            least = Mode::ObserveOnly;
        }
        least = least.max(self.standing().map_or(Mode::Normal, |(mode, _)| mode));
        if self.model.kill.is_some() {
            least = Mode::KillSwitch;
        }
        if global < least {
            self.broken(
                "every_contribution_holds",
                format!("{global:?}, not {least:?}"),
            );
        }
        for symbol in self.model.frozen.clone() {
            if board.of(symbol) < Mode::ReduceRiskOnly {
                self.broken(
                    "every_contribution_holds",
                    format!("{symbol} is not frozen"),
                );
            }
        }
        let is_forbidden = global >= Mode::ObserveOnly || self.model.is_disarmed;
        if gate.is_open_for_submit() && is_forbidden {
            self.broken("the_gate_obeys_the_mode", format!("open in {global:?}"));
        }
        let flags = [
            (Flag::Disarmed, self.model.is_disarmed),
            (Flag::Kill, self.model.kill.is_some()),
            (Flag::Safe, self.model.is_safe),
        ];
        for (flag, expected) in flags {
            if gate.is_raised(flag) != expected {
                self.broken(
                    "flags_follow_their_words",
                    format!("{flag:?}, not {expected}"),
                );
            }
        }
    }
}
