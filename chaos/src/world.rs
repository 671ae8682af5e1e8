//! The loop: one queue of what happens when, one exchange, one process at a time.
//!
//! The clock of the world is the exchange's. The process reads its own, which differs by a drawn skew; what it asks
//! for is carried out by `perform`, over a network that `network` and `stream` spoil.

use crate::journal::{Journal, Survivors};
use crate::life::Life;
use crate::oracle::{Oracle, Violation};
use crate::plan::{Faults, Plan, SKEW_MS_TAME};
use crate::planted::Plant;
use crate::shells::{Mine, Shelled};
use crate::story;
use crate::trace::Trace;
use crate::truth::Shown;
use crate::verdict::Wrongs;
use crate::wire;
use engine::approved::Approved;
use engine::core::{Core, Outbox};
use engine::desk::{DeskEffect, DeskIn};
use engine::dice::Dice;
use engine::ids::{Asset, ClientId, OrderId};
use engine::instrument::Instrument;
use engine::intent::{CancelReason, NewOrder};
use engine::market::Side;
use engine::mode::{Mode, ModeCode, Scope};
use engine::money::{Amount, Price};
use engine::msg::{FeedIn, ReadRequest, RiskIn, RouterIn};
use engine::time::Timestamp;
use simulator::exchange::{AccountSpec, Exchange};
use simulator::ledger::AccountIndex;
use simulator::market::pair::PairIndex;
use simulator::profile::{ClientIdEcho, Profile, Span};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Moment at which every run starts.
pub const START: Timestamp = Timestamp(1_700_000_000_000_000);
/// Spacing of the operator's looks at what cannot be proven, milliseconds.
pub(crate) const RESOLVE_EVERY_MS: i64 = 10_000;
/// When hands and echoes begin to matter, milliseconds.
pub(crate) const OWNER_FROM_MS: i64 = 15_000;
/// Steps of one run for each ten minutes of faults. More means that something answers itself without end.
const STEPS_MAX: u64 = 5_000_000;
/// Those ten minutes, milliseconds.
const STEPS_MS: i64 = 600_000;
/// Wakes without time passing; more means that a core does not move its deadline.
const WAKES_MAX: u32 = 10_000;

/// A request on its way to the exchange.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Submit(NewOrder, Timestamp),
    Cancel(ClientId, OrderId),
    Row(ClientId, OrderId),
    Read(ReadRequest),
    Clock(Timestamp),
}

/// What an answer does to the process.
#[derive(Debug)]
pub(crate) enum Reply {
    Tell(DeskIn),
    /// The exchange's time, and ours when it was asked for.
    Time {
        served_at: Timestamp,
        asked_at: Timestamp,
    },
    ClockLater,
}

/// Something that is due.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Something the process hears; the number is that of its life.
    Hear(u32, DeskIn),
    /// A group of records is on disk.
    Commit,
    /// The first byte of a submit is due.
    Bytes(u32, Approved<NewOrder>, Timestamp),
    /// A request reaches the exchange.
    Arrive(u32, u64, Request),
    /// An answer, or the end of the patience with it.
    Answer(u32, u64, Reply),
    /// A frame of a session.
    Frame(u32, u32, FeedIn),
    /// The clock is measured.
    Clock(u32),
    /// A second of our clock has passed, more or less.
    Tick(u32),
    /// The gate's flag changes late, as a planted bug has it.
    Flag(u32, bool),
    /// A process ends by itself.
    Exit(u32),
    /// The account's owner does something by hand.
    Owner,
    /// The exchange stops repeating our client ids.
    Echo,
    /// A new process.
    Restart,
    /// Somebody trades against us.
    Rival,
    /// The operator does something.
    Operator,
    /// The operator looks at what cannot be proven.
    Resolver,
    /// A process must have been killed by this rule; the number is that of its life.
    MustBeKilled(u32, &'static str),
    /// A panic is planted.
    Panic(Mine),
    /// A step of a script.
    Script(Step),
}

/// A step of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A wish this far from mid, in basis points away from the market.
    Wish(Side, i64),
    /// A cancel of everything.
    CancelAll,
}

/// When the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashPlan {
    /// By the plan's rate.
    Drawn,
    /// Before the effects of these numbers; with what survives of the journal each time.
    At([u64; 2], Survivors),
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Things that happened.
    pub steps: u64,
    /// Effects that were carried out.
    pub effects: u64,
    /// Those of them that came while faults lasted.
    pub effects_of_story: u64,
    /// Orders that the exchange accepted.
    pub orders: u64,
    /// Fills of our account.
    pub fills: u64,
    /// Processes that ended.
    pub crashes: u64,
    /// Submits whose fate was unknown at some time.
    pub unknowns: u64,
    /// Orders that were concluded to be absent.
    pub absents: u64,
    /// Commits that failed.
    pub full_disks: u64,
    /// Orders placed, and orders cancelled, by the account's owner.
    pub by_hand: u64,
    /// Submits answered without our client id.
    pub echoes_missed: u64,
    /// Measurements of a clock that was too far off.
    pub skews: u64,
    /// Books that were held against the exchange's.
    pub books_judged: u64,
    /// The kill latch was set.
    pub kills: u64,
    /// Orders that were held never to have existed, and did.
    pub ghosts: u64,
    /// Actors that a planted panic ended.
    pub panics: u64,
    /// Messages that actors handled.
    pub messages: u64,
    /// Virtual time, milliseconds.
    pub ms: i64,
}

/// The end of one run.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What it came to.
    pub figures: Figures,
    /// Rules that were broken.
    pub violations: Vec<Violation>,
    /// The trace.
    pub trace: Trace,
}

/// Everything at once.
pub struct World {
    pub(crate) plan: Plan,
    /// What may fail at this moment.
    pub(crate) faults: Faults,
    pub(crate) plant: Option<Plant>,
    pub(crate) dice: Dice,
    pub(crate) now: Timestamp,
    pub(crate) exchange: Exchange,
    pub(crate) account: AccountIndex,
    pub(crate) rival: AccountIndex,
    pub(crate) rules: Vec<Instrument>,
    queue: BTreeMap<(Timestamp, u64), Happening>,
    queued: u64,
    pub(crate) journal: Journal,
    pub(crate) life: Option<Life>,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    pub(crate) figures: Figures,
    /// The kill latch; survives every crash.
    pub(crate) is_killed: bool,
    /// Somebody with authority asked for a kill.
    pub(crate) is_kill_due: bool,
    pub(crate) has_healed: bool,
    pub(crate) crash_plan: CrashPlan,
    pub(crate) out: Outbox<DeskEffect>,
    tickets: u64,
    /// Orders of ours that the exchange has accepted and not ended.
    pub(crate) open: BTreeMap<ClientId, OrderId>,
    pub(crate) ghosts: BTreeSet<ClientId>,
    /// When the last buys left us, oldest first.
    pub(crate) posts_at: VecDeque<Timestamp>,
    /// When the books were opened.
    pub(crate) opened_at: Option<Timestamp>,
    /// Orders that the owner placed by hand.
    pub(crate) by_hand: Vec<OrderId>,
    /// What the books showed lately, by pair and change number.
    pub(crate) shown: Shown,
    /// When the stream was opened, oldest first, and by which life.
    pub(crate) connects_at: VecDeque<Timestamp>,
    pub(crate) storm_of: u32,
    pub(crate) wakes: u32,
    /// Set where processes are real shells.
    pub(crate) shelled: Option<Shelled>,
    /// Why no order may leave this process any more, once that is so.
    pub(crate) is_over: Option<&'static str>,
}

impl World {
    /// Makes a world; nothing has happened in it.
    pub fn new(plan: Plan, plant: Option<Plant>, trace: Trace) -> Self {
        let mut dice = Dice::new(plan.seed);
        let profile = Profile {
            insert_delay_ms: Span {
                low: 1,
                high: plan.lag.queue_ms_max,
            },
            trade_ids_equal: !plan.trade_ids_differ,
            swing: plan.swing,
            ..Profile::faithful()
        };
        let accounts = [
            AccountSpec {
                user_id: 1,
                deposits: deposits(),
            },
            AccountSpec::rich(2),
        ];
        let mut exchange = Exchange::new(dice.bits(), profile, START, &accounts);
        for place in 0..exchange.pairs().len() {
            if plan.desks.iter().all(|(pair, _)| *pair != place) {
                exchange.quiet(PairIndex(place));
            }
        }
        let pairs = exchange.pairs();
        let rules = plan
            .desks
            .iter()
            .map(|(pair, _)| wire::rules(&pairs[*pair]))
            .collect();
        Self {
            faults: plan.faults,
            plan,
            plant,
            dice,
            now: START,
            exchange,
            account: AccountIndex(0),
            rival: AccountIndex(1),
            rules,
            queue: BTreeMap::new(),
            queued: 0,
            journal: Journal::new(plant),
            life: None,
            oracle: Oracle::default(),
            trace,
            figures: Figures::default(),
            is_killed: false,
            is_kill_due: false,
            has_healed: false,
            crash_plan: CrashPlan::Drawn,
            out: Outbox::default(),
            tickets: 0,
            open: BTreeMap::new(),
            ghosts: BTreeSet::new(),
            posts_at: VecDeque::new(),
            opened_at: None,
            by_hand: Vec::new(),
            shown: Shown::default(),
            connects_at: VecDeque::new(),
            storm_of: 0,
            wakes: 0,
            shelled: None,
            is_over: None,
        }
    }

    /// Runs a plan to its verdict.
    pub fn run(mut self) -> Outcome {
        story::play(&mut self);
        self.outcome()
    }

    pub(crate) fn break_rules(&mut self, wrong: Wrongs) {
        for (rule, seen) in wrong {
            self.oracle.broken(self.now, rule, seen);
        }
    }

    /// Runs a script with one crash.
    pub(crate) fn run_script(
        mut self,
        script: &[(i64, Step)],
        crash: Option<CrashPlan>,
        until_ms: i64,
    ) -> Outcome {
        self.crash_plan = crash.unwrap_or(CrashPlan::At([u64::MAX; 2], Survivors::None));
        self.after(0, Happening::Restart);
        self.after(RESOLVE_EVERY_MS, Happening::Resolver);
        self.after(2_000, Happening::Rival);
        for (at_ms, step) in script {
            self.after(*at_ms, Happening::Script(*step));
        }
        self.pass(START.plus_ms(until_ms));
        story::close(&mut self);
        self.outcome()
    }

    pub(crate) fn outcome(mut self) -> Outcome {
        self.figures.ms = self.now.ms_since(START);
        self.figures.kills = u64::from(self.is_killed);
        self.figures.fills = self
            .exchange
            .fills()
            .filter(|fill| fill.account == self.account)
            .count()
            .try_into()
            .unwrap_or(u64::MAX);
        Outcome {
            seed: self.plan.seed,
            figures: self.figures,
            violations: self.oracle.violations().to_vec(),
            trace: self.trace,
        }
    }

    /// The end of all faults; what is in flight still arrives.
    pub(crate) fn heal(&mut self) {
        self.trace.note(self.now, format_args!("faults end"));
        self.has_healed = true;
        self.figures.effects_of_story = self.figures.effects;
        self.faults = Faults::default();
        self.plan.lag.lists_ms_max = 200;
        self.plan.lag.replicas = false;
        self.exchange.profile_mut().insert_delay_ms = Span { low: 1, high: 20 };
        self.exchange.profile_mut().client_id_echo = ClientIdEcho::AsSent;
        let clock = &mut self.plan.clock;
        clock.skew_ms_max = clock.skew_ms_max.min(SKEW_MS_TAME);
        clock.drift_ms = 0;
        if let Some(life) = &mut self.life {
            life.socket.is_private_silent = false;
        }
        // The clock is that of the start: what puts it right is another start.
        let skew_ms = self.life.as_ref().map_or(0, |life| life.skew_ms);
        if skew_ms.abs() > SKEW_MS_TAME {
            self.crash(Survivors::All);
        }
        let clear = RiskIn::Clear(ModeCode::OperatorSafeMode, Scope::Global);
        self.tell(DeskIn::Risk(clear));
    }

    pub(crate) fn stop_trading(&mut self) {
        self.trace.note(self.now, format_args!("trading stops"));
        let code = ModeCode::OperatorSafeMode;
        let raise = RiskIn::Raise(code, Scope::Global, Mode::ObserveOnly);
        self.tell(DeskIn::Risk(raise));
        self.tell(DeskIn::Router(RouterIn::CancelAll(CancelReason::Shutdown)));
    }

    // ---- time ----

    pub(crate) fn after(&mut self, ms: i64, what: Happening) {
        self.at(self.now.plus_ms(ms), what);
    }

    pub(crate) fn at(&mut self, at: Timestamp, what: Happening) {
        self.queued += 1;
        self.queue.insert((at.max(self.now), self.queued), what);
    }

    pub(crate) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        if let Some(life) = &mut self.life {
            life.tickets.insert(self.tickets);
        }
        self.tickets
    }

    /// Lets everything happen that is due up to a moment, or up to the start of a process that is not ours to make.
    pub(crate) fn pass(&mut self, end: Timestamp) {
        let parts = u64::try_from(1 + self.plan.faults_ms / STEPS_MS).unwrap_or(1);
        let steps_max = STEPS_MAX * parts;
        while !self.is_start_due()
            && let Some(at) = self.next_due().filter(|at| *at <= end)
        {
            self.figures.steps += 1;
            assert!(self.figures.steps <= steps_max, "a run ends");
            self.wakes = if at > self.now { 0 } else { self.wakes + 1 };
            assert!(self.wakes <= WAKES_MAX, "time passes");
            self.now = self.now.max(at);
            self.step();
        }
        if !self.is_start_due() {
            self.now = self.now.max(end);
        }
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let life = self.life.as_ref();
        let desk = life.and_then(|life| life.due.map(|at| life.world(at)));
        [queued, self.exchange.next_due(), desk]
            .into_iter()
            .flatten()
            .min()
    }

    /// The exchange first, then one thing of the queue, then whoever wants to be woken.
    fn step(&mut self) {
        let events = self.exchange.advance(self.now);
        for event in events {
            self.publish(&event);
        }
        let due = self
            .queue
            .first_entry()
            .filter(|entry| entry.key().0 <= self.now);
        if let Some(entry) = due {
            let what = entry.remove();
            self.happen(what);
            return;
        }
        let is_due = self
            .life
            .as_ref()
            .is_some_and(|life| life.due.is_some_and(|at| life.world(at) <= self.now));
        if is_due {
            self.turn(|desk, local, out| desk.wake(local, out));
        }
    }

    pub(crate) fn is_alive(&self, number: u32) -> bool {
        self.life.as_ref().is_some_and(|life| life.number == number)
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Hear(number, input) if self.is_alive(number) => self.tell(input),
            Happening::Commit => self.commit(),
            Happening::Bytes(number, order, stamp_max) if self.is_alive(number) => {
                self.first_byte(order, stamp_max);
            }
            Happening::Arrive(number, ticket, request) => self.arrive(number, ticket, request),
            Happening::Answer(number, ticket, reply) if self.is_alive(number) => {
                self.answer(ticket, reply);
            }
            Happening::Frame(number, session, frame) if self.is_alive(number) => {
                self.frame(session, frame);
            }
            Happening::Clock(number) if self.is_alive(number) => self.measure_clock(),
            Happening::Tick(number) if self.is_alive(number) => self.tick(),
            Happening::Flag(number, is_shut) if self.is_alive(number) => self.set_flag(is_shut),
            Happening::Exit(number) if self.is_alive(number) => self.crash(Survivors::None),
            Happening::Owner => self.act_as_owner(),
            Happening::Echo => self.break_echo(),
            Happening::Restart => self.start(),
            Happening::Rival => self.act_as_rival(),
            Happening::Operator => self.act_as_operator(),
            Happening::Resolver => self.act_as_resolver(),
            Happening::Script(step) => self.play(step),
            Happening::MustBeKilled(number, rule) if self.is_alive(number) => {
                self.must_have_been_killed(rule);
            }
            Happening::Panic(mine) => self.plant_panic(mine),
            Happening::MustBeKilled(..)
            | Happening::Hear(..)
            | Happening::Bytes(..)
            | Happening::Answer(..)
            | Happening::Frame(..)
            | Happening::Clock(_)
            | Happening::Tick(_)
            | Happening::Flag(..)
            | Happening::Exit(_) => {}
        }
    }

    /// Returns the middle of a pair's book.
    pub(crate) fn mid(&self, pair: PairIndex) -> Option<Price> {
        let prices = self.exchange.prices(pair);
        let (bid, ask) = (prices.bid?, prices.ask?);
        Some(Price::from_units(
            bid.units() + (ask.units() - bid.units()) / 2,
        ))
    }
}

fn deposits() -> Vec<(Asset, Amount)> {
    let row = |name: &str, amount: &str| {
        let asset = Asset::parse(name).expect("a short name");
        (asset, Amount::parse(amount).expect("a plain decimal"))
    };
    vec![
        row("TRY", "30000"),
        row("BTC", "0.003"),
        row("SOL", "1.25"),
        row("USDT", "10"),
    ]
}
