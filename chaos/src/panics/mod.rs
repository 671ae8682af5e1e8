//! The panic matrix: a panic at every message of every actor with a core, before it is handled and after its first effect.
//!
//! Each case is a system of its own on a thread of its own: real shells, real guardians, the real panic hook, an
//! exchange inside the process, real time. Metrics and Secrets have no core and are not in the matrix.

pub(crate) mod base;
mod case;
mod exchange;
pub(crate) mod fuse;
mod listening;
mod messages;
pub(crate) mod rig;
mod samples;
pub(crate) mod sight;

use case::{End, Outcome};
use engine::msg::{BookIn, FeedIn, ReconcileIn, RiskIn, RouterIn, StrategyIn};
use engine::supervisor::{ActorName, SupervisorIn};
use fuse::{Case, Moment};
use messages::Message;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Systems that live side by side. Each waits most of its time.
const SYSTEMS_MAX: usize = 16;

/// The report.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Pairs of an actor and a message.
    pub pairs: usize,
    /// Pairs at which a panic struck at both moments, of a hundred.
    pub covered_percent: usize,
    /// Cases: pairs times moments.
    pub cases: usize,
    /// Pairs of each actor.
    pub pairs_by_actor: BTreeMap<&'static str, usize>,
    /// Cases that ended with a fresh instance of the actor, after which orders left again.
    pub restarted: usize,
    /// Cases that ended with the kill switch and the end of the order path.
    pub ended: usize,
    /// From the hook to the supervisor, microseconds, longest.
    pub seen_us_max: i64,
    /// The same, half of the cases.
    pub seen_us_median: i64,
    /// Orders that had left before the panics.
    pub posts_before: usize,
    /// Orders that left after a panic of the order path.
    pub posts_after_kill: usize,
    /// Every broken promise, with its case.
    pub violations: Vec<String>,
}

impl Report {
    /// Returns whether every pair was covered and every promise held.
    pub fn is_ok(&self) -> bool {
        self.violations.is_empty() && self.covered_percent == 100 && self.posts_after_kill == 0
    }
}

/// Runs every n-th case of the matrix, beginning with the first; 1 takes them all.
pub fn run(stride: usize) -> Report {
    let before = std::panic::take_hook();
    fuse::install_hook();
    let cases: Vec<Case> = cases().into_iter().step_by(stride.max(1)).collect();
    let outcomes = on_threads(&cases);
    std::panic::set_hook(before);
    report(&cases, &outcomes)
}

/// Every case: actors in the order of the pipeline, messages in the order of their enums.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    fn of<M: Message>(cases: &mut Vec<Case>) {
        for kind in M::KINDS {
            cases.extend(Moment::ALL.map(|moment| Case {
                actor: M::ACTOR,
                kind,
                moment,
            }));
        }
    }
    of::<FeedIn>(&mut cases);
    of::<BookIn>(&mut cases);
    of::<StrategyIn>(&mut cases);
    of::<RiskIn>(&mut cases);
    of::<RouterIn>(&mut cases);
    of::<ReconcileIn>(&mut cases);
    of::<SupervisorIn>(&mut cases);
    cases
}

/// Plays every case; results stand in the order of the cases.
fn on_threads(cases: &[Case]) -> Vec<Outcome> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..SYSTEMS_MAX.min(cases.len()) {
            scope.spawn(|| {
                while let place = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(case) = cases.get(place)
                {
                    let outcome = case::play(*case, place as u64 + 1);
                    done.lock()
                        .expect("nobody panics with it")
                        .insert(place, outcome);
                }
            });
        }
    });
    done.into_inner()
        .expect("nobody panics with it")
        .into_values()
        .collect()
}

fn report(cases: &[Case], outcomes: &[Outcome]) -> Report {
    let mut pairs: BTreeMap<(ActorName, &str), (usize, usize)> = BTreeMap::new();
    let mut report = Report {
        cases: cases.len(),
        ..Report::default()
    };
    let mut seen = Vec::new();
    for (case, outcome) in cases.iter().zip(outcomes) {
        let (all, struck) = pairs.entry((case.actor, case.kind)).or_default();
        *all += 1;
        *struck += usize::from(outcome.has_struck);
        seen.extend(outcome.seen_us);
        report.posts_before += outcome.posts_before;
        match outcome.end {
            Some(End::Restarted) => report.restarted += 1,
            Some(End::OrderPath { posts_after }) => {
                report.ended += 1;
                report.posts_after_kill += posts_after;
            }
            None => {}
        }
        let named = |what: &String| {
            format!(
                "{} {} {:?}: {what}",
                case.actor.as_str(),
                case.kind,
                case.moment
            )
        };
        report.violations.extend(outcome.broken.iter().map(named));
    }
    seen.sort_unstable();
    report.seen_us_max = seen.last().copied().unwrap_or(0);
    report.seen_us_median = seen.get(seen.len() / 2).copied().unwrap_or(0);
    report.pairs = pairs.len();
    let covered = pairs.values().filter(|(all, struck)| all == struck).count();
    report.covered_percent = covered * 100 / report.pairs.max(1);
    for (actor, _) in pairs.keys() {
        *report.pairs_by_actor.entry(actor.as_str()).or_insert(0) += 1;
    }
    report
}
