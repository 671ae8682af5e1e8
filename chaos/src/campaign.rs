//! Many seeds: what they came to together, and which of them failed.

use crate::oracle::Violation;
use crate::plan::Plan;
use crate::planted::Plant;
use crate::shells;
use crate::trace::Trace;
use crate::workers::on_all_cores;
use crate::world::{Figures, Outcome, World};
use serde::Serialize;
use std::panic::UnwindSafe;

/// Failing seeds that are listed.
const FAILING_MAX: usize = 10;
/// Seeds of cores of which one runs twice.
const TWICE_EVERY: u64 = 10;
/// Lines of the trace that a failing seed shows.
pub const TAIL_LINES: usize = 40;

/// How a seed is run.
#[derive(Clone, Copy)]
pub struct Tier {
    /// The command that runs it.
    pub name: &'static str,
    /// Runs a seed, with a planted bug or none, and keeps the last lines of its trace.
    pub run: fn(u64, Option<Plant>, usize) -> Outcome,
    /// Every seed of this many runs twice, and must leave the same trace.
    twice_every: u64,
}

/// The cores on one thread.
pub const CORES: Tier = Tier {
    name: "core",
    run: run_seed,
    twice_every: TWICE_EVERY,
};

/// The cores inside the real actors; a runtime has more ways to differ, so each seed runs twice.
pub const SHELLS: Tier = Tier {
    name: "actors",
    run: shells::run_seed,
    twice_every: 1,
};

/// What many seeds came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Runs.
    pub seeds: u64,
    /// Things that happened.
    pub steps: u64,
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
    /// Orders that were held never to have existed, and did.
    pub ghosts: u64,
    /// Commits that failed.
    pub full_disks: u64,
    /// Orders placed, and orders cancelled, by the account's owner.
    pub by_hand: u64,
    /// Submits answered without our client id.
    pub echoes_missed: u64,
    /// Measurements of a clock that was too far off to trade.
    pub skews: u64,
    /// Books that were held against the exchange's.
    pub books_judged: u64,
    /// Seeds that ended killed.
    pub kills: u64,
    /// Seeds in which an assumption of the exchange was broken on purpose.
    pub beyond: u64,
    /// Seeds that traded nothing.
    pub vacuous: u64,
    /// Virtual hours.
    pub simulated_hours: i64,
    /// Rules that were broken, over all seeds.
    pub violations: u64,
    /// Actors that a planted panic ended.
    pub panics: u64,
    /// Messages that actors handled.
    pub messages: u64,
    /// Seeds that left two traces.
    pub nondeterministic: u64,
    /// All traces as one number, 16 hexadecimal digits.
    pub hash: String,
    /// The first seeds that failed.
    pub failing_seeds: Vec<u64>,
    #[serde(skip)]
    ms: i64,
    #[serde(skip)]
    traces: u64,
}

impl Summary {
    /// Returns whether nothing was broken.
    pub fn is_ok(&self) -> bool {
        self.violations == 0 && self.nondeterministic == 0
    }

    fn add(&mut self, outcome: &Outcome, plan: &Plan) {
        let figures = &outcome.figures;
        self.seeds += 1;
        self.steps += figures.steps;
        self.orders += figures.orders;
        self.fills += figures.fills;
        self.crashes += figures.crashes;
        self.unknowns += figures.unknowns;
        self.absents += figures.absents;
        self.ghosts += figures.ghosts;
        self.full_disks += figures.full_disks;
        self.by_hand += figures.by_hand;
        self.echoes_missed += figures.echoes_missed;
        self.skews += figures.skews;
        self.books_judged += figures.books_judged;
        self.kills += figures.kills;
        self.beyond += u64::from(plan.is_beyond);
        self.vacuous += u64::from(figures.orders == 0);
        self.panics += figures.panics;
        self.messages += figures.messages;
        self.traces = (self.traces.rotate_left(1)) ^ outcome.trace.hash();
        self.hash = format!("{:016x}", self.traces);
        self.ms += figures.ms;
        self.simulated_hours = self.ms / 3_600_000;
        self.violations += u64::try_from(outcome.violations.len()).unwrap_or(u64::MAX);
    }

    /// Takes note of a seed that failed; returns whether it is one of the first.
    fn fail(&mut self, seed: u64) -> bool {
        let is_listed = self.failing_seeds.len() < FAILING_MAX;
        if is_listed {
            self.failing_seeds.push(seed);
        }
        is_listed
    }
}

/// Runs one seed and keeps the last lines of its trace.
///
/// A panic of a core is a broken rule like any other; its trace is lost.
pub fn run_seed(seed: u64, plant: Option<Plant>, lines: usize) -> Outcome {
    guarded(seed, || {
        World::new(Plan::of(seed), plant, Trace::keeping(lines)).run()
    })
}

pub(crate) fn guarded(seed: u64, run: impl FnOnce() -> Outcome + UnwindSafe) -> Outcome {
    std::panic::catch_unwind(run).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        panicked(seed, text.unwrap_or_default())
    })
}

fn panicked(seed: u64, text: &str) -> Outcome {
    Outcome {
        seed,
        figures: Figures::default(),
        violations: vec![Violation {
            at: 0,
            rule: "no_panic",
            seen: format!("a core or the exchange panicked: {text}"),
        }],
        trace: Trace::keeping(0),
    }
}

/// What one seed came to.
struct Played {
    outcome: Outcome,
    plan: Plan,
    is_repeatable: bool,
}

fn play(tier: Tier, seed: u64) -> Played {
    let run = || (tier.run)(seed, None, 0);
    let outcome = run();
    let is_repeatable =
        !seed.is_multiple_of(tier.twice_every) || run().trace.hash() == outcome.trace.hash();
    Played {
        plan: Plan::of(seed),
        outcome,
        is_repeatable,
    }
}

/// Runs seeds on every core; `show` is told of the first that broke a rule, in their order, with the end of the trace.
pub fn run(tier: Tier, seeds: &[u64], mut show: impl FnMut(&Outcome)) -> Summary {
    let mut summary = Summary::default();
    for played in on_all_cores(seeds, |seed| play(tier, *seed)) {
        let (outcome, seed) = (&played.outcome, played.outcome.seed);
        summary.add(outcome, &played.plan);
        summary.nondeterministic += u64::from(!played.is_repeatable);
        if outcome.violations.is_empty() && played.is_repeatable {
            continue;
        }
        if summary.fail(seed) {
            show(&(tier.run)(seed, None, TAIL_LINES));
        }
    }
    summary
}

/// Hexadecimal digits of a commit hash that make a seed.
const COMMIT_DIGITS: usize = 16;

/// Returns the seed that a commit hash stands for: its first sixteen digits; `None` for what is no hash.
pub fn seed_of_commit(hash: &str) -> Option<u64> {
    let is_hash = hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = hash.get(..COMMIT_DIGITS).filter(|_| is_hash)?;
    u64::from_str_radix(digits, 16).ok()
}

/// How fast a planted bug is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hunt {
    /// The bug.
    pub bug: Plant,
    /// Seeds until it was found, from several first seeds; where one is missing it was not.
    pub seeds: Vec<u64>,
    /// The rule that it broke first.
    pub rule: Option<&'static str>,
}

/// What the search for all planted bugs came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hunts {
    /// Bugs that were planted.
    pub planted: usize,
    /// Bugs that were found from every first seed.
    pub found: usize,
    /// Median over all searches.
    pub median_seeds: Option<u64>,
    /// Each bug.
    pub bugs: Vec<Hunt>,
}

/// First seeds of two searches are this far apart.
const HUNT_STRIDE: u64 = 100_000;

/// Looks for every planted bug, `searches` times, in at most `seeds_max` seeds each.
pub fn hunt(searches: u64, seeds_max: u64) -> Hunts {
    let bugs = on_all_cores(&Plant::ALL, |bug| {
        hunt_one(CORES, *bug, searches, seeds_max)
    });
    let all = usize::try_from(searches).unwrap_or(usize::MAX);
    let mut seeds: Vec<u64> = bugs.iter().flat_map(|hunt| hunt.seeds.clone()).collect();
    seeds.sort_unstable();
    Hunts {
        planted: bugs.len(),
        found: bugs.iter().filter(|hunt| hunt.seeds.len() == all).count(),
        median_seeds: seeds.get(seeds.len() / 2).copied(),
        bugs,
    }
}

/// Looks for one planted bug.
pub fn hunt_one(tier: Tier, bug: Plant, searches: u64, seeds_max: u64) -> Hunt {
    let mut hunt = Hunt {
        bug,
        seeds: Vec::new(),
        rule: None,
    };
    for search in 0..searches {
        let first = 1 + search * HUNT_STRIDE;
        let broken = |seed: &u64| {
            let run = || (tier.run)(first + seed, Some(bug), 0);
            let outcome = run();
            let is_repeatable =
                bug != Plant::HashOrder || run().trace.hash() == outcome.trace.hash();
            let rule = outcome.violations.first().map(|found| found.rule);
            rule.or((!is_repeatable).then_some("deterministic"))
                .map(|rule| (*seed, rule))
        };
        if let Some((seed, rule)) = (0..seeds_max).find_map(|seed| broken(&seed)) {
            hunt.seeds.push(seed + 1);
            hunt.rule = hunt.rule.or(Some(rule));
        }
    }
    hunt
}
