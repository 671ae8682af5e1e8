//! A few dozen seeds, and every seed that once failed.

use chaos::campaign;
use chaos::planted::Plant;
use chaos::points;
use std::path::Path;

/// The ordinary seeds of a test run; the command runs many more.
const SEEDS: std::ops::Range<u64> = 1_001..1_017;

/// Every boundary takes a minute; the command takes them all.
const BOUNDARY_STRIDE: usize = 29;

fn check(seed: u64) {
    let outcome = campaign::run_seed(seed, None, campaign::TAIL_LINES);
    let tail: Vec<&str> = outcome.trace.lines().collect();
    assert!(
        outcome.violations.is_empty(),
        "seed {seed}: {:#?}\n{}",
        outcome.violations,
        tail.join("\n")
    );
}

#[test]
fn no_seed_breaks_a_rule() {
    SEEDS.for_each(check);
}

#[test]
fn a_seed_that_once_failed_passes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions.txt");
    let text = std::fs::read_to_string(path).expect("the list of seeds");
    let seeds: Vec<u64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let seed = line.split_whitespace().next();
            seed.and_then(|seed| seed.parse().ok())
                .expect("a line begins with its seed")
        })
        .collect();
    assert!(!seeds.is_empty());
    seeds.into_iter().for_each(check);
}

#[test]
fn equal_seeds_leave_equal_traces_and_trade() {
    let (first, second) = (
        campaign::run_seed(7, None, 0),
        campaign::run_seed(7, None, 0),
    );
    assert_eq!(first.trace.hash(), second.trace.hash());
    assert_eq!(first.figures, second.figures);
    assert!(first.figures.orders > 0 && first.figures.fills > 0);
    let other = campaign::run_seed(8, None, 0);
    assert_ne!(first.trace.hash(), other.trace.hash());
}

#[test]
fn planted_bugs_are_found() {
    for bug in [
        Plant::SendBeforeRecord,
        Plant::CancelAckIsTerminal,
        Plant::FillsByOrder,
        Plant::UnknownIsRejected,
        Plant::HistoryTwice,
        Plant::HistoryGap,
    ] {
        let hunt = campaign::hunt_one(campaign::CORES, bug, 1, 20);
        assert_eq!(hunt.seeds.len(), 1, "{} is not found", bug.as_str());
    }
}

#[test]
fn crash_at_every_effect_leaves_at_most_one_order() {
    let points = points::run(BOUNDARY_STRIDE, |_| {});
    assert!(points.is_ok(), "{points:#?}");
    assert!(points.orders > 0 && points.unknowns > 0, "{points:#?}");
}
