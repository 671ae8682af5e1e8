//! The real actors in virtual time: a few seeds, each twice, and planted bugs that this tier must find.

use chaos::campaign::{self, SHELLS};
use chaos::planted::Plant;
use std::path::Path;

/// The ordinary seeds of a test run; the command runs many more.
const SEEDS: std::ops::Range<u64> = 1..9;

#[test]
fn actors_in_paused_time_break_no_rule_and_repeat() {
    let seeds: Vec<u64> = SEEDS.collect();
    let mut failed = Vec::new();
    let summary = campaign::run(SHELLS, &seeds, |outcome| {
        let tail: Vec<&str> = outcome.trace.lines().collect();
        let tail = tail.join("\n");
        failed.push(format!(
            "{} {:#?}\n{tail}",
            outcome.seed, outcome.violations
        ));
    });
    assert!(summary.is_ok(), "{summary:#?}\n{}", failed.join("\n"));
    assert!(summary.orders > 0 && summary.fills > 0, "{summary:#?}");
    assert!(summary.crashes > 0 && summary.unknowns > 0, "{summary:#?}");
    assert!(summary.panics > 0 && summary.messages > 0, "{summary:#?}");
}

#[test]
fn a_seed_of_actors_that_once_failed_passes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions-actors.txt");
    let text = std::fs::read_to_string(path).expect("the list of seeds");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(!lines.is_empty());
    for line in lines {
        let seed = line.split_whitespace().next().unwrap_or_default();
        let seed = seed.parse().expect("a line begins with its seed");
        let outcome = (SHELLS.run)(seed, None, campaign::TAIL_LINES);
        assert_eq!(outcome.violations, [], "seed {seed}");
    }
}

#[test]
fn actors_show_planted_bugs() {
    for bug in [
        Plant::UnknownIsRejected,
        Plant::CancelAckIsTerminal,
        Plant::RecoverySkipsTail,
    ] {
        let hunt = campaign::hunt_one(SHELLS, bug, 1, 20);
        assert_eq!(hunt.seeds.len(), 1, "{} is not found", bug.as_str());
    }
}
