//! What a campaign of kills has seen, and how long the restarts took.

use super::judge::Finding;
use super::moment::Phase;
use super::weather::Weather;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A broken promise, with what it takes to look at it again.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Which lane.
    pub lane: u64,
    /// The lane's own seed.
    pub lane_seed: u64,
    /// Which kill, counted from 1; the one that was being prepared or judged.
    pub kill: u32,
    /// What.
    #[serde(flatten)]
    pub finding: Finding,
    /// Where the state, the logs and the exchange's request log were left.
    pub kept: PathBuf,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rule, seen) = (self.finding.rule, &self.finding.seen);
        write!(
            f,
            "lane {} (seed {:#x}), kill {}: {rule:?}: {seen}\n  kept: {}",
            self.lane,
            self.lane_seed,
            self.kill,
            self.kept.display()
        )
    }
}

/// Figures of one lane, or of all.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Kills.
    pub kills: u32,
    /// Kills by what the process was doing.
    pub by_phase: BTreeMap<Phase, u32>,
    /// Kills by the exchange's weather.
    pub by_weather: BTreeMap<Weather, u32>,
    /// Restarts that were followed until the ledger equalled the exchange and every open order was found.
    pub recoveries: u32,
    /// Orders that were in flight at a kill: written down, no answer on record.
    pub in_flight: u32,
    /// Those of them that the exchange had taken.
    pub in_flight_accepted: u32,
    /// Orders that the exchange took.
    pub orders: usize,
    /// Orders that were traded.
    pub traded: usize,
    /// Records in the journal at the end.
    pub records: usize,
    /// Orders still unknown at the end.
    pub unknown_forever: u64,
    /// Last lives by the mode in which they were stopped.
    pub ended_in: BTreeMap<String, u32>,
    /// Milliseconds from the start to the status plane.
    pub up_ms: Vec<i64>,
    /// Milliseconds from the start to ready, any weather.
    pub ready_ms: Vec<i64>,
    /// The same in calm weather.
    pub ready_calm_ms: Vec<i64>,
}

impl Figures {
    /// Adds another lane's.
    pub fn add(&mut self, other: Self) {
        self.kills += other.kills;
        for (phase, count) in other.by_phase {
            *self.by_phase.entry(phase).or_insert(0) += count;
        }
        for (weather, count) in other.by_weather {
            *self.by_weather.entry(weather).or_insert(0) += count;
        }
        for (mode, count) in other.ended_in {
            *self.ended_in.entry(mode).or_insert(0) += count;
        }
        self.recoveries += other.recoveries;
        self.in_flight += other.in_flight;
        self.in_flight_accepted += other.in_flight_accepted;
        self.orders += other.orders;
        self.traded += other.traded;
        self.records += other.records;
        self.unknown_forever += other.unknown_forever;
        self.up_ms.extend(other.up_ms);
        self.ready_ms.extend(other.ready_ms);
        self.ready_calm_ms.extend(other.ready_calm_ms);
    }
}

/// Milliseconds of many restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// How many.
    pub count: usize,
    /// Half of them took no longer.
    pub p50: i64,
    /// 99 of 100 took no longer.
    pub p99: i64,
    /// The longest.
    pub max: i64,
}

impl Times {
    /// Sorts and picks; all zero if there is none.
    pub fn of(mut times: Vec<i64>) -> Self {
        times.sort_unstable();
        let Some(max) = times.last().copied() else {
            return Self::default();
        };
        let at = |percent: usize| {
            let place = (times.len() * percent).div_ceil(100).max(1) - 1;
            times.get(place).copied().unwrap_or(max)
        };
        Self {
            count: times.len(),
            p50: at(50),
            p99: at(99),
            max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let check = |times: Vec<i64>, p50, p99, max| {
            let found = Times::of(times);
            assert_eq!((found.p50, found.p99, found.max), (p50, p99, max));
        };
        check(vec![], 0, 0, 0);
        check(vec![7], 7, 7, 7);
        check(vec![3, 1, 2], 2, 3, 3);
        check((1..=100).rev().collect(), 50, 99, 100);
        check((1..=200).collect(), 100, 198, 200);
    }
}
