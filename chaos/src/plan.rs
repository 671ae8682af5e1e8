//! What a seed decides before anything happens: who trades, what may fail, how often and how badly.
//!
//! Swarm: each kind of fault is switched off for half of the seeds, so that rare combinations are not drowned by the
//! common ones. Kinds that break a documented assumption of the exchange are drawn for few seeds and marked, because
//! there a ghost that ends in a kill is a right answer.

use engine::dice::Dice;
use engine::intent::StrategyKind;
use serde::Serialize;

/// Parts of a rate.
const PER_MILLION: u32 = 1_000_000;
/// One seed of this many breaks assumptions of the exchange.
const BEYOND_ONE_IN: i64 = 16;
/// Distance of a clock that is well kept, milliseconds.
pub(crate) const SKEW_MS_TAME: i64 = 900;
/// Distance of one that is not, milliseconds.
pub(crate) const SKEW_MS_WILD: i64 = 10_000;
/// One seed of this many has a clock that goes wrong, and one of this many a client id that is not repeated.
const CLOCK_ONE_IN: i64 = 5;
const ECHO_ONE_IN: i64 = 24;
const STORM_ONE_IN: i64 = 24;
/// Orders per minute: never reached, and reached often.
const WIDE_PACE: usize = 200;
const TIGHT_PACE: usize = 5;
/// What may be lost of the highest equity, where nothing else is said.
pub(crate) const DRAWDOWN_BPS: i64 = 3_000;
/// Length of the part with faults, milliseconds.
const FAULTS_MS: (i64, i64) = (90_000, 300_000);

/// Rates are per opportunity, in parts per million. Their names stand in `docs/FAULTS.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// A request never arrives.
    pub request_lost: u32,
    /// A request is processed and its answer lost.
    pub reply_lost: u32,
    /// A request or an answer takes up to ten seconds.
    pub slow: u32,
    /// The quota refuses.
    pub too_many: u32,
    /// An error page; processed.
    pub error_accepted: u32,
    /// An error page; not processed.
    pub error_refused: u32,
    /// No order entry and no cancels.
    pub maintenance: u32,
    /// No connection for a submit.
    pub connect_failed: u32,
    /// A submit waits so long for its line that its approval expires.
    pub stalled: u32,
    /// Per frame: the stream breaks.
    pub stream_reset: u32,
    /// Per frame: the stream stays open and says nothing more.
    pub stream_silent: u32,
    /// Per session: the private part says nothing.
    pub private_silent: u32,
    /// A private event is lost.
    pub private_lost: u32,
    /// A private event comes twice.
    pub private_twice: u32,
    /// A private event comes up to ten seconds late.
    pub private_late: u32,
    /// A book difference is lost.
    pub diff_lost: u32,
    /// Per effect: the process ends before it.
    pub crash: u32,
    /// A commit takes up to two seconds.
    pub slow_disk: u32,
    /// Per record: the disk takes no more; the process ends soon after.
    pub disk_full: u32,
    /// Per second: our clock stands still for a while.
    pub freeze: u32,
    /// A refusal for an order that was accepted; breaks an assumption.
    pub lying_refusal: u32,
}

/// How the lists of the exchange see the past, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Longest lag of a list.
    pub lists_ms_max: i64,
    /// Longest time from acceptance to the book.
    pub queue_ms_max: i64,
    /// Lists may show an older past than the one before: several replicas.
    pub replicas: bool,
}

/// How our clock goes while faults last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Our clock less the exchange's at a start, largest distance, milliseconds; drawn anew at each start.
    pub skew_ms_max: i64,
    /// What that distance gains each second, milliseconds.
    pub drift_ms: i64,
    /// Longest time for which it stands still, milliseconds.
    pub freeze_ms_max: i64,
}

/// What the exchange does with our client id from some moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// Repeats it, as documented.
    Kept,
    /// Repeats none.
    Missing,
    /// Repeats another.
    Replaced,
}

/// Everything that is decided before the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it comes from.
    pub seed: u64,
    /// What may fail while faults last.
    pub faults: Faults,
    /// How the lists lag while faults last.
    pub lag: Lag,
    /// How our clock goes.
    pub clock: Clock,
    /// What becomes of our client ids; one that is not kept must end in a kill.
    pub echo: Echo,
    /// The account's owner trades and cancels by hand, ours included, and places orders that look like ours.
    pub owner: bool,
    /// Every session of the stream ends at once.
    pub storm: bool,
    /// Orders per minute that the gate lets pass.
    pub orders_per_minute: usize,
    /// Part of the highest equity that may be lost before nothing trades any more.
    pub drawdown_bps: i64,
    /// An assumption of the exchange is broken: ghosts are expected, and must end in a kill.
    pub is_beyond: bool,
    /// Pairs that are traded, by place in the simulator's table, and who trades them.
    pub desks: Vec<(usize, StrategyKind)>,
    /// Strategies want orders; otherwise a script does.
    pub has_strategies: bool,
    /// Somebody trades against our orders in equal slices.
    pub rival: bool,
    /// An operator switches safe mode on and off.
    pub operator: bool,
    /// The numbers of one trade differ between stream and list.
    pub trade_ids_differ: bool,
    /// Size of the market's steps.
    pub swing: i64,
    /// Length of the part with faults, milliseconds.
    pub faults_ms: i64,
}

impl Plan {
    /// Draws a plan.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x0043_4841_4f53);
        let is_beyond = dice.between(1, BEYOND_ONE_IN) == 1;
        let skew_ms_max = if dice.chance(PER_MILLION / 2) {
            SKEW_MS_TAME
        } else {
            0
        };
        let mut faults = draw_faults(&mut dice);
        let mut lag = draw_lag(&mut dice);
        if is_beyond {
            faults.lying_refusal = rate(&mut dice, 20_000, 200_000);
            lag.lists_ms_max = dice.between(10_000, 40_000);
        }
        let mut strange = Dice::new(seed ^ 0x5354_5241_4e47_4552);
        faults.disk_full = maybe(&mut strange, 50, 2_000);
        let clock = draw_clock(&mut strange, skew_ms_max, &mut faults);
        Self {
            seed,
            faults,
            lag,
            clock,
            echo: draw_echo(&mut strange),
            owner: strange.chance(PER_MILLION / 3),
            orders_per_minute: if strange.chance(PER_MILLION / 4) {
                TIGHT_PACE
            } else {
                WIDE_PACE
            },
            drawdown_bps: DRAWDOWN_BPS,
            storm: strange.between(1, STORM_ONE_IN) == 1,
            is_beyond,
            desks: draw_desks(&mut dice),
            has_strategies: true,
            rival: dice.chance(750_000),
            operator: dice.chance(250_000),
            trade_ids_differ: dice.chance(PER_MILLION / 2),
            swing: dice.between(400, 4_000),
            faults_ms: dice.between(FAULTS_MS.0, FAULTS_MS.1),
        }
    }

    /// Returns a plan without any fault, for scripts.
    pub fn calm(seed: u64) -> Self {
        Self {
            seed,
            faults: Faults::default(),
            lag: Lag {
                lists_ms_max: 200,
                queue_ms_max: 20,
                replicas: false,
            },
            clock: Clock::default(),
            echo: Echo::Kept,
            owner: false,
            storm: false,
            orders_per_minute: WIDE_PACE,
            drawdown_bps: DRAWDOWN_BPS,
            is_beyond: false,
            desks: vec![(0, StrategyKind::MarketMaker)],
            has_strategies: false,
            rival: false,
            operator: false,
            trade_ids_differ: false,
            swing: 400,
            faults_ms: FAULTS_MS.0,
        }
    }
}

/// Off for half of the seeds; otherwise spread evenly over the orders of magnitude between the two.
fn rate(dice: &mut Dice, low: i64, high: i64) -> u32 {
    let mut top = high;
    while top / 2 > low && dice.chance(PER_MILLION / 2) {
        top /= 2;
    }
    u32::try_from(dice.between(top / 2, top)).unwrap_or(PER_MILLION)
}

fn maybe(dice: &mut Dice, low: i64, high: i64) -> u32 {
    if dice.chance(PER_MILLION / 2) {
        rate(dice, low, high)
    } else {
        0
    }
}

fn draw_faults(dice: &mut Dice) -> Faults {
    Faults {
        request_lost: maybe(dice, 2_000, 150_000),
        reply_lost: maybe(dice, 2_000, 200_000),
        slow: maybe(dice, 2_000, 200_000),
        too_many: maybe(dice, 2_000, 150_000),
        error_accepted: maybe(dice, 2_000, 150_000),
        error_refused: maybe(dice, 2_000, 150_000),
        maintenance: maybe(dice, 1_000, 50_000),
        connect_failed: maybe(dice, 1_000, 50_000),
        stalled: maybe(dice, 2_000, 100_000),
        stream_reset: maybe(dice, 50, 1_500),
        stream_silent: maybe(dice, 50, 500),
        private_silent: maybe(dice, 100_000, 800_000),
        private_lost: maybe(dice, 10_000, 400_000),
        private_twice: maybe(dice, 10_000, 400_000),
        private_late: maybe(dice, 10_000, 400_000),
        diff_lost: maybe(dice, 500, 20_000),
        crash: maybe(dice, 300, 15_000),
        slow_disk: maybe(dice, 5_000, 200_000),
        disk_full: 0,
        freeze: 0,
        lying_refusal: 0,
    }
}

/// A clock never steps forward: it is the wall clock at the start and monotonic time since (actors/src/clock.rs). It
/// may start wrong, run fast or slow, and stand still while the machine sleeps.
fn draw_clock(dice: &mut Dice, tame_ms: i64, faults: &mut Faults) -> Clock {
    let tame = Clock {
        skew_ms_max: tame_ms,
        ..Clock::default()
    };
    if dice.between(1, CLOCK_ONE_IN) != 1 {
        return tame;
    }
    match dice.between(0, 2) {
        0 => Clock {
            skew_ms_max: dice.between(SKEW_MS_TAME, SKEW_MS_WILD),
            ..tame
        },
        1 => Clock {
            drift_ms: dice.between(-20, 20),
            ..tame
        },
        _ => {
            faults.freeze = rate(dice, 2_000, 50_000);
            Clock {
                freeze_ms_max: dice.between(200, SKEW_MS_WILD),
                ..tame
            }
        }
    }
}

fn draw_echo(dice: &mut Dice) -> Echo {
    match dice.between(1, 2 * ECHO_ONE_IN) {
        1 => Echo::Missing,
        2 => Echo::Replaced,
        _ => Echo::Kept,
    }
}

/// What is added up stays below the settle time of the configuration: beyond it is another matter.
fn draw_lag(dice: &mut Dice) -> Lag {
    let queue_ms_max = if dice.chance(PER_MILLION / 2) {
        20
    } else {
        2_000
    };
    let lists_ms_max = if dice.chance(PER_MILLION / 2) {
        200
    } else {
        dice.between(500, 6_000)
    };
    Lag {
        lists_ms_max,
        queue_ms_max,
        replicas: dice.chance(PER_MILLION / 2),
    }
}

fn draw_desks(dice: &mut Dice) -> Vec<(usize, StrategyKind)> {
    let maker = StrategyKind::MarketMaker;
    let second = if dice.chance(PER_MILLION / 2) {
        maker
    } else {
        StrategyKind::MeanReversion
    };
    match dice.between(0, 2) {
        0 => vec![(0, maker)],
        1 => vec![(2, maker)],
        _ => vec![(0, maker), (2, second)],
    }
}
