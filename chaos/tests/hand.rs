//! The operator's hand and the orderly stop on the real actors, in virtual time: a few seeds of what the command runs.

use chaos::shells::{moves, stops};
use chaos::world::Outcome;

/// Sequences of moves.
const SEQUENCES: std::ops::Range<u64> = 1..17;
/// Stops; the command makes a thousand.
const STOPS: u64 = 40;

fn told(failed: &mut Vec<String>) -> impl FnMut(&Outcome) + '_ {
    |outcome| {
        let tail: Vec<&str> = outcome.trace.lines().collect();
        let (seed, tail) = (outcome.seed, tail.join("\n"));
        failed.push(format!("seed {seed} {:#?}\n{tail}", outcome.violations));
    }
}

#[test]
fn a_random_hand_never_arms_and_frees_no_kill_whose_preconditions_do_not_hold() {
    let (seeds, mut failed): (Vec<u64>, _) = (SEQUENCES.collect(), Vec::new());
    let sum = moves::run(&seeds, told(&mut failed));
    assert!(sum.is_ok(), "{sum:#?}\n{}", failed.join("\n"));
    for code in [
        "kill_latched",
        "restart_needed",
        "clock",
        "just_switched_on",
        "latch",
        "open_orders",
    ] {
        assert!(sum.refusals.contains_key(code), "{code}: {sum:#?}");
    }
}

#[test]
fn a_stop_at_any_moment_sends_nothing_more_and_lists_what_it_leaves() {
    let mut failed = Vec::new();
    let sum = stops::run(STOPS, 1, told(&mut failed));
    assert!(sum.is_ok(), "{sum:#?}\n{}", failed.join("\n"));
    assert!(sum.clean > 0 && sum.foreign > 0, "{sum:#?}");
}
