//! Crash points: a fixed short story, crashed before and after every effect, with every fate of the records that
//! were on their way, under a few faults of the time around the restart (reliability: crash points CP-01 to CP-18).
//!
//! The effect behind which a crash comes is the one before which the next crash comes: the boundaries are numbered,
//! and both fates of an unheard commit are tried at each.

use crate::journal::Survivors;
use crate::plan::{Faults, Plan};
use crate::trace::Trace;
use crate::workers::on_all_cores;
use crate::world::{CrashPlan, Figures, Outcome, Step, World};
use engine::market::Side;
use serde::Serialize;
use std::collections::BTreeSet;

/// Seed of market and network.
const SEED: u64 = 11;
/// Length of the story, milliseconds.
const STORY_MS: i64 = 30_000;
/// Points that are listed.
const FAILING_MAX: usize = 10;

/// One order at the touch.
const ONE_ORDER: [(i64, Step); 2] = [(8_000, Step::Wish(Side::Buy, 0)), (20_000, Step::CancelAll)];
/// Two orders and a cancel; the second order meets a coin that is held.
const TWO_ORDERS: [(i64, Step); 4] = [
    (8_000, Step::Wish(Side::Buy, 1)),
    (9_000, Step::Wish(Side::Sell, 2)),
    (11_000, Step::CancelAll),
    (16_000, Step::Wish(Side::Buy, 30)),
];

/// An order that nobody cancels, and one that is cancelled while it may still be on its way.
const LEFT_ALONE: [(i64, Step); 3] = [
    (8_000, Step::Wish(Side::Sell, 0)),
    (14_000, Step::Wish(Side::Buy, 5)),
    (14_020, Step::CancelAll),
];
/// Effects of the second life before it ends too; zero is the first effect of the recovery.
const AGAIN_AFTER: u64 = 4;

/// What goes wrong beside the crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    ReplyLost,
    RequestLost,
    PrivateSilent,
    Lists,
    Slow,
}

impl Trouble {
    const ALL: [Self; 6] = [
        Self::None,
        Self::ReplyLost,
        Self::RequestLost,
        Self::PrivateSilent,
        Self::Lists,
        Self::Slow,
    ];

    fn plan(self) -> Plan {
        let mut plan = Plan::calm(SEED);
        let always = 1_000_000;
        let faults = &mut plan.faults;
        *faults = match self {
            Self::None | Self::Lists => Faults::default(),
            Self::ReplyLost => Faults {
                reply_lost: 300_000,
                ..Faults::default()
            },
            Self::RequestLost => Faults {
                request_lost: 300_000,
                ..Faults::default()
            },
            Self::PrivateSilent => Faults {
                private_silent: always,
                error_accepted: 200_000,
                ..Faults::default()
            },
            Self::Slow => Faults {
                slow: 300_000,
                slow_disk: 300_000,
                private_late: 500_000,
                private_twice: 500_000,
                ..Faults::default()
            },
        };
        if self == Self::Lists {
            plan.lag.lists_ms_max = 6_000;
            plan.lag.replicas = true;
        }
        plan.rival = true;
        plan
    }
}

/// What all points came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Points {
    /// Runs with a crash.
    pub points: u64,
    /// Crashes that came about.
    pub crashes: u64,
    /// Orders that the exchange accepted, over all runs.
    pub orders: u64,
    /// Submits whose fate was unknown at some time.
    pub unknowns: u64,
    /// Orders that were concluded to be absent.
    pub absents: u64,
    /// Runs in which an intent made two orders.
    pub duplicates: u64,
    /// Runs in which an order, or a part of it, was not known at the end.
    pub lost_orders: u64,
    /// Runs with an order whose fate stayed unknown.
    pub unknown_forever: u64,
    /// Runs that broke another rule.
    pub other_violations: u64,
    /// The first runs that failed: story, trouble, survivors, effect.
    pub failing: Vec<String>,
}

impl Points {
    /// Returns whether nothing was broken.
    pub fn is_ok(&self) -> bool {
        self.failing.is_empty()
    }

    fn add(&mut self, figures: &Figures) {
        self.points += 1;
        self.crashes += figures.crashes;
        self.orders += figures.orders;
        self.unknowns += figures.unknowns;
        self.absents += figures.absents;
    }

    /// Takes note of a run that failed; returns whether it is one of the first.
    fn blame(&mut self, outcome: &Outcome, name: &str) -> bool {
        let rules: BTreeSet<&str> = outcome.violations.iter().map(|found| found.rule).collect();
        let known = ["at_most_once"];
        let lost = [
            "every_order_known",
            "fills_agree",
            "known_to_the_journal",
            "ends_agree",
        ];
        let has = |names: &[&str]| names.iter().any(|name| rules.contains(name));
        self.duplicates += u64::from(has(&known));
        self.lost_orders += u64::from(has(&lost));
        self.unknown_forever += u64::from(has(&["no_unknown_left"]));
        let named = has(&known) || has(&lost) || has(&["no_unknown_left"]);
        self.other_violations += u64::from(!named);
        let is_listed = self.failing.len() < FAILING_MAX;
        if is_listed {
            self.failing.push(format!("{name}: {rules:?}"));
        }
        is_listed
    }
}

/// Runs every point, or every `stride`th; `show` is told of each run that failed.
pub fn run(stride: usize, mut show: impl FnMut(&Outcome)) -> Points {
    let mut points = Points::default();
    let stories: [(&str, &[(i64, Step)]); 3] = [
        ("one", &ONE_ORDER),
        ("two", &TWO_ORDERS),
        ("left", &LEFT_ALONE),
    ];
    for (story, script) in stories {
        for trouble in Trouble::ALL {
            let whole = play(trouble, script, None, 0);
            let crashes: Vec<CrashPlan> = (1..=whole.figures.effects_of_story)
                .step_by(stride.max(1))
                .flat_map(crashes)
                .collect();
            let outcomes = on_all_cores(&crashes, |crash| play(trouble, script, Some(*crash), 0));
            for (crash, outcome) in crashes.into_iter().zip(outcomes) {
                points.add(&outcome.figures);
                if outcome.violations.is_empty() {
                    continue;
                }
                if points.blame(&outcome, &format!("{story} {trouble:?} {crash:?}")) {
                    let lines = crate::campaign::TAIL_LINES;
                    show(&play(trouble, script, Some(crash), lines));
                }
            }
        }
    }
    points
}

/// Once, and again during the recovery; with both fates of the records on their way.
fn crashes(effect: u64) -> impl Iterator<Item = CrashPlan> {
    let seconds = [u64::MAX, effect + AGAIN_AFTER];
    seconds.into_iter().flat_map(move |second| {
        [Survivors::None, Survivors::All]
            .into_iter()
            .map(move |survivors| CrashPlan::At([effect, second], survivors))
    })
}

fn play(
    trouble: Trouble,
    script: &[(i64, Step)],
    crash: Option<CrashPlan>,
    lines: usize,
) -> Outcome {
    World::new(trouble.plan(), None, Trace::keeping(lines)).run_script(script, crash, STORY_MS)
}
