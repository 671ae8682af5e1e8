//! All seeds on all processors, and what they came to.
//!
//! It judges nothing. The one idea: seeds share nothing, so each is done by whichever thread is free, and the sum is
//! the same.

use super::faults::{Faults, refuse_each};
use super::flips::{Flips, flip};
use super::recover::Wrong;
use super::sim::FaultKind;
use super::story::{Plant, Story};
use super::sweep::{Failure, Which, sweep};
use serde::Serialize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits that are flipped over all seeds of a whole run.
const FLIPS: u64 = 2_000;
/// Seeds of a whole run.
pub const SEEDS: u64 = 6;
/// Failures that are listed.
const FAILURES_MAX: usize = 50;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The first seed.
    pub from: u64,
    /// How many seeds.
    pub seeds: u64,
    /// Every n-th operation is cut.
    pub stride: usize,
    /// This operation only.
    pub cut: Option<usize>,
    /// A mistake that is to be found.
    pub plant: Option<Plant>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            from: 1,
            seeds: SEEDS,
            stride: 1,
            cut: None,
            plant: None,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Seeds.
    pub seeds: u64,
    /// Images that a power cut left, those during creation and recovery included.
    pub power_cuts: u64,
    /// Starts on such an image, or on that of a crashed process.
    pub recoveries: u64,
    /// Starts that missed an acknowledged record.
    pub lost_acked: u64,
    /// Starts that found part of a commit, or a record that was never written.
    pub torn: u64,
    /// Starts that could not open the journal.
    pub unopenable: u64,
    /// Starts whose journal took no more records, or did not keep them.
    pub stopped: u64,
    /// Bits that rotted.
    pub bit_flips: Flips,
    /// Syncs that failed under the journal's thread.
    pub fsync_failures: Faults,
    /// Writes and changes of the length that failed under it.
    pub write_failures: Faults,
    /// The first failures, in the order of their seeds.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Returns whether nothing was wrong.
    pub fn is_ok(&self) -> bool {
        let wrong = self.lost_acked + self.torn + self.unopenable + self.stopped;
        let is_latched = self.fsync_failures.is_ok() && self.write_failures.is_ok();
        wrong + self.bit_flips.wrong == 0 && is_latched
    }

    fn add(&mut self, failure: Failure) {
        match &failure.wrong {
            Wrong::LostAcked(_) => self.lost_acked += 1,
            Wrong::Torn(_) => self.torn += 1,
            Wrong::Refused(_) | Wrong::Panicked => self.unopenable += 1,
            Wrong::StopsThere(_) => self.stopped += 1,
        }
        self.failures.push(failure);
    }
}

/// Runs what is asked for on all processors.
pub fn run(options: &Options) -> Report {
    let (next, report) = (AtomicU64::new(0), Mutex::new(Report::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= options.seeds {
                        return;
                    }
                    run_seed(options, n, &report);
                }
            });
        }
    });
    let mut report = report.into_inner().expect("no thread has panicked");
    report.fsync_failures = refuse_each(FaultKind::Sync);
    report.write_failures = refuse_each(FaultKind::Write);
    report
        .failures
        .sort_by_key(|failure| (failure.seed, failure.cut, failure.variant));
    report.failures.truncate(FAILURES_MAX);
    report
}

fn run_seed(options: &Options, n: u64, report: &Mutex<Report>) {
    let seed = options.from + n;
    let which = Which {
        stride: options.stride.max(1),
        only: options.cut,
    };
    let swept = sweep(seed, which, options.plant);
    let share = FLIPS.div_ceil(SEEDS);
    let flipped = Story::of(seed, None).map(|story| flip(seed, &story, share));
    let mut report = report.lock().expect("no thread has panicked");
    report.seeds += 1;
    report.power_cuts += swept.power_cuts;
    report.recoveries += swept.recoveries;
    for failure in swept.failures {
        report.add(failure);
    }
    if let Ok((flips, wrong)) = flipped {
        report.bit_flips.add(&flips);
        for (bit, wrong) in wrong {
            report.failures.push(Failure {
                seed,
                cut: bit,
                variant: "flip",
                start: "after a flipped bit",
                wrong,
            });
        }
    }
}
