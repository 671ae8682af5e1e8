//! The release binary under SIGKILL: it trades armed against the simulated exchange, dies at drawn moments in drawn
//! weather, and starts again on the same state.
//!
//! Real sockets, real files and real time: a seed gives the same deaths and the same weather, not the same schedule.
//! What is to be shown is what the seeds of the pure system show, for the process that an operator runs.

mod judge;
mod lane;
mod link;
mod moment;
mod past;
mod picture;
mod report;
mod venue;
mod weather;
pub mod wire;

pub use report::Found;

use judge::Rule;
use lane::Plan;
use moment::Phase;
use report::{Figures, Times};
use serde::Serialize;
use simulator::clock::Clock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use weather::Weather;

/// Lanes that run side by side, each with an exchange, a state and a key of its own. A lane waits most of its time: 5 s
/// after each kill until risk is taken again, 25 s for each proof that an order never was.
const LANES: u32 = 4;
/// Keeps the lanes' draws apart.
const LANE_SEED: u64 = 0x9E37_79B9_7F4A_7C15;
/// The kill of each lane behind which a planted disaster happens, counted from its end.
const WIPE_BEFORE_LAST: u32 = 1;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Kills of all lanes together.
    pub kills: u32,
    /// Seed of moments and weather.
    pub seed: u64,
    /// The binary.
    pub binary: PathBuf,
    /// Wipe the journal between two lives of each lane, which must be found.
    pub wipe: bool,
}

/// The report.
#[derive(Debug, Serialize)]
pub struct Summary {
    seed: u64,
    kills: u32,
    lanes: u32,
    seconds: i64,
    orders_accepted: usize,
    orders_traded: usize,
    journal_records: usize,
    duplicates: usize,
    lost_orders: usize,
    unknown_forever: u64,
    ledger_mismatches: usize,
    recoveries: u32,
    in_flight_at_kill: u32,
    in_flight_accepted: u32,
    kills_by_phase: BTreeMap<Phase, u32>,
    kills_by_weather: BTreeMap<Weather, u32>,
    ended_in: BTreeMap<String, u32>,
    restart_to_up_ms: Times,
    restart_to_ready_ms: Times,
    restart_to_ready_calm_ms: Times,
    findings: Vec<Found>,
}

impl Summary {
    /// Returns what was found.
    pub fn findings(&self) -> &[Found] {
        &self.findings
    }

    /// Returns whether all kills were made, orders were sent, and every promise held.
    pub fn is_ok(&self, asked: &Asked) -> bool {
        self.findings.is_empty() && self.kills == asked.kills && self.orders_accepted > 0
    }
}

/// Kills as often as was asked.
///
/// # Errors
/// No such binary, or a lane that could not be set up: text for people.
pub fn run(asked: &Asked) -> Result<Summary, String> {
    let binary = asked.binary.canonicalize();
    let binary = binary.map_err(|error| format!("--binary {}: {error}", asked.binary.display()))?;
    let clock = Clock::start();
    let start = clock.now();
    let base = std::env::temp_dir().join(format!("btcbot-process-{}", std::process::id()));
    let plans = plans(asked, &base, &binary);
    let lanes = thread::scope(|scope| {
        let lanes: Vec<_> = plans
            .into_iter()
            .map(|plan| scope.spawn(|| lane::run(plan)))
            .collect();
        let ended = lanes.into_iter().map(|lane| lane.join());
        ended.collect::<Vec<_>>()
    });
    let (mut figures, mut findings) = (Figures::default(), Vec::new());
    for lane in lanes {
        let outcome = lane.map_err(|_| "a lane of the campaign panicked".to_owned())??;
        figures.add(outcome.figures);
        findings.extend(outcome.found);
    }
    // It is empty unless something was found.
    let _removed = std::fs::remove_dir(&base);
    Ok(summary(
        asked,
        figures,
        findings,
        clock.now().ms_since(start),
    ))
}

fn plans(asked: &Asked, base: &Path, binary: &Path) -> Vec<Plan> {
    let share = |lane: u32| asked.kills / LANES + u32::from(lane < asked.kills % LANES);
    (0..LANES)
        .map(|lane| Plan {
            lane: u64::from(lane),
            seed: asked.seed ^ LANE_SEED.wrapping_mul(u64::from(lane) + 1),
            kills: share(lane),
            wipe_after: asked
                .wipe
                .then(|| share(lane).saturating_sub(WIPE_BEFORE_LAST)),
            is_linked: false,
            dir: base.join(format!("lane-{lane}")),
            binary: binary.to_owned(),
        })
        .filter(|plan| plan.kills > 0)
        .collect()
}

fn summary(asked: &Asked, figures: Figures, findings: Vec<Found>, took_ms: i64) -> Summary {
    let count = |rule| {
        let of_rule = findings.iter().filter(|found| found.finding.rule == rule);
        of_rule.count()
    };
    Summary {
        seed: asked.seed,
        kills: figures.kills,
        lanes: LANES,
        seconds: took_ms / 1_000,
        orders_accepted: figures.orders,
        orders_traded: figures.traded,
        journal_records: figures.records,
        duplicates: count(Rule::Duplicate),
        lost_orders: count(Rule::LostOrder),
        unknown_forever: figures.unknown_forever,
        ledger_mismatches: count(Rule::Ledger),
        recoveries: figures.recoveries,
        in_flight_at_kill: figures.in_flight,
        in_flight_accepted: figures.in_flight_accepted,
        kills_by_phase: figures.by_phase,
        kills_by_weather: figures.by_weather,
        ended_in: figures.ended_in,
        restart_to_up_ms: Times::of(figures.up_ms),
        restart_to_ready_ms: Times::of(figures.ready_ms),
        restart_to_ready_calm_ms: Times::of(figures.ready_calm_ms),
        findings,
    }
}
