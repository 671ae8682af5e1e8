//! A whole day of one world: the same cores, exchange and faults hour after hour, and everything that is kept counted.
//!
//! Seeds last minutes; what grows slowly shows only later. The one idea: a core is counted by the values that it shows
//! of itself, so that no memory is left out of the count, and what the journal adds up to is counted by name. Processes
//! end in the first hours only: from then on one lives, and what it holds must have stopped to grow.

use crate::life::{KEEP, OPEN_ORDERS_MAX, quote};
use crate::oracle::Violation;
use crate::plan::{Clock, DRAWDOWN_BPS, Faults, Plan};
use crate::story;
use crate::trace::Trace;
use crate::world::{START, World};
use engine::checkpoint::{Checkpoint, Fold};
use engine::intent::StrategyKind;
use engine::ledger::RECENT_TRADES_MAX;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Length of a day.
pub const HOURS: i64 = 24;
/// An hour, milliseconds.
const HOUR_MS: i64 = 3_600_000;
/// Hours in which processes end.
const CRASHING_HOURS: i64 = 6;
/// What is kept is compared between the last six hours of the first three quarters, and the last six of all. The slowest
/// of what is bounded, five hundred stretches of ids that never became orders, is full by then.
const SETTLED_PARTS: (i64, i64) = (3, 4);
/// Hours whose largest counts are compared.
const COMPARED: usize = 6;
/// A count may be larger at the end by a part of this many of itself: orders rest and fill at random.
const GROWTH_PART: usize = 4;
/// And by so many values, whatever it is.
const GROWTH_VALUES: usize = 200;
/// Depth to which the parts of a checkpoint have names.
const NAMED_DEPTH: usize = 2;

/// Rates of a day: everything fails many times, and a day's trading goes on.
const FAULTS: Faults = Faults {
    request_lost: 2_000,
    reply_lost: 2_000,
    slow: 5_000,
    too_many: 2_000,
    error_accepted: 2_000,
    error_refused: 2_000,
    maintenance: 1_000,
    connect_failed: 1_000,
    stalled: 2_000,
    stream_reset: 20,
    stream_silent: 10,
    private_silent: 100_000,
    private_lost: 10_000,
    private_twice: 10_000,
    private_late: 10_000,
    diff_lost: 200,
    crash: 400,
    slow_disk: 5_000,
    disk_full: 0,
    freeze: 0,
    lying_refusal: 0,
};

/// Orders a minute, over a day: at a few tenths of a lira lost a fill, the limits of loss let trading go on to its end.
const ORDERS_PER_MINUTE: i64 = 10;

/// Orders that may live at once: the gate's limit, and as many again that are on their way or of unknown fate.
const LIVING_MAX: usize = OPEN_ORDERS_MAX * 2;
/// Orders of a day that may become unknown before the budget is spent anyway.
const UNKNOWN_MAX: usize = 1_000;
/// Starts that are remembered, and transfers, and orders of a minute.
const BOOTS_MAX: usize = 10_000;
const TRANSFERS_MAX: usize = 4_096;
const PACE_MAX: usize = 4_096;
/// Places in what the journal adds up to, and the most members that each may have.
const LIMITS: [(&str, usize); 8] = [
    ("/orders/entries", KEEP.ended_max + LIVING_MAX),
    ("/orders/boots", BOOTS_MAX),
    ("/orders/unknown_day", UNKNOWN_MAX),
    // Nobody else trades the account.
    ("/orders/foreign", 0),
    ("/money/ledger/recent", RECENT_TRADES_MAX),
    ("/money/ledger/transfers", TRANSFERS_MAX),
    ("/money/orders/living", LIVING_MAX),
    ("/money/pace/steps", PACE_MAX),
];

/// What was kept at the end of an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// Which, from 1.
    pub hour: i64,
    /// Values that each living core shows of itself.
    pub cores: BTreeMap<&'static str, usize>,
    /// Members of every list and map, by name, of what the journal adds up to.
    pub journal: BTreeMap<String, usize>,
    /// Members at the places with a limit of their own.
    pub limited: BTreeMap<&'static str, usize>,
    /// Answers that are awaited.
    pub awaited: usize,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Virtual hours.
    pub hours: i64,
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
    /// Orders that the exchange accepted in the last six hours.
    pub orders_late: u64,
    /// What was kept, hour by hour.
    pub kept: Vec<Hour>,
    /// What has grown, or is beyond its limit.
    pub grown: Vec<String>,
    /// Rules that were broken.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Returns whether no rule was broken, nothing has grown, and the day was one of trading to its end.
    pub fn is_ok(&self) -> bool {
        self.violations.is_empty() && self.grown.is_empty() && self.orders_late > 0
    }
}

/// Lives a day, or a part of it.
pub fn run(seed: u64, hours: i64) -> Report {
    let mut world = World::new(plan(seed, hours), None, Trace::keeping(0));
    let (mut kept, mut counter) = (Vec::new(), Counter::new());
    let mut orders_before = 0;
    story::open(&mut world);
    for hour in 1..=hours {
        if hour > CRASHING_HOURS {
            world.faults.crash = 0;
        }
        if hour + COMPARED as i64 == hours + 1 {
            orders_before = world.figures.orders;
        }
        world.pass(START.plus_ms(hour * HOUR_MS));
        kept.extend(counter.look(&world, hour));
    }
    story::close(&mut world);
    let killed = world.is_killed.then(|| Violation {
        at: world.now.0,
        rule: "a_day_is_not_killed",
        seen: String::new(),
    });
    let outcome = world.outcome();
    let figures = outcome.figures;
    Report {
        seed,
        hours,
        steps: figures.steps,
        orders: figures.orders,
        fills: figures.fills,
        crashes: figures.crashes,
        unknowns: figures.unknowns,
        orders_late: figures.orders - orders_before,
        grown: grown(&kept),
        kept,
        violations: outcome.violations.into_iter().chain(killed).collect(),
    }
}

/// What a week may lose: drawdown is not forgotten overnight, and a week in which nothing trades shows nothing.
const WEEK_DRAWDOWN_BPS: i64 = 9_000;

/// A week may lose little more than a day.
fn orders_per_minute(hours: i64) -> usize {
    let part = ORDERS_PER_MINUTE * HOURS / hours.max(HOURS);
    usize::try_from(part).unwrap_or(0).max(1)
}

fn plan(seed: u64, hours: i64) -> Plan {
    Plan {
        faults: FAULTS,
        clock: Clock {
            skew_ms_max: 300,
            ..Clock::default()
        },
        desks: vec![
            (0, StrategyKind::MarketMaker),
            (2, StrategyKind::MarketMaker),
        ],
        has_strategies: true,
        rival: true,
        trade_ids_differ: true,
        faults_ms: hours * HOUR_MS,
        orders_per_minute: orders_per_minute(hours),
        drawdown_bps: if hours > HOURS {
            WEEK_DRAWDOWN_BPS
        } else {
            DRAWDOWN_BPS
        },
        ..Plan::calm(seed)
    }
}

/// What the journal adds up to, as the day goes on.
struct Counter {
    fold: Fold,
    read: usize,
}

impl Counter {
    fn new() -> Self {
        Self {
            fold: Fold::resume(Checkpoint::empty(quote()), KEEP),
            read: 0,
        }
    }

    /// Counts what is kept; nothing between two processes.
    fn look(&mut self, world: &World, hour: i64) -> Option<Hour> {
        let records = &world.journal.durable()[self.read..];
        records.iter().for_each(|record| self.fold.take(record));
        self.read += records.len();
        let sum = serde_json::to_value(self.fold.sum()).expect("a checkpoint can be written");
        let life = world.life.as_ref()?;
        let cores = life.body.desk()?.cores();
        let cores = BTreeMap::from([
            ("feed", values(&cores.feed)),
            ("books", values(&cores.books)),
            ("strategies", values(&cores.strategies)),
            ("gate", values(&cores.gate)),
            ("router", values(&cores.router)),
            ("reconciler", values(&cores.reconciler)),
        ]);
        let mut journal = BTreeMap::new();
        count(&sum, &mut Vec::new(), &mut journal);
        let limited = LIMITS.map(|(place, _)| (place, members(sum.pointer(place))));
        Some(Hour {
            hour,
            cores,
            journal,
            limited: limited.into(),
            awaited: life.tickets.len(),
        })
    }
}

/// Members of a list or map. A place that is not there would be a limit that nobody keeps.
fn members(value: Option<&Value>) -> usize {
    match value {
        Some(Value::Array(list)) => list.len(),
        Some(Value::Object(map)) => map.len(),
        Some(_) | None => usize::MAX,
    }
}

/// How many values something shows of itself.
fn values(of: &impl Debug) -> usize {
    format!("{of:?}").matches(',').count()
}

/// Adds up the members of every list and map, under the names of the levels above it.
fn count(value: &Value, path: &mut Vec<String>, counts: &mut BTreeMap<String, usize>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Array(list) => list.iter().map(|value| (String::new(), value)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    let name = path.iter().take(NAMED_DEPTH).cloned().collect::<Vec<_>>();
    *counts.entry(name.join(".")).or_default() += members.len();
    for (name, value) in members {
        if name.is_empty() {
            count(value, path, counts);
        } else {
            path.push(name);
            count(value, path, counts);
            path.pop();
        }
    }
}

fn grown(kept: &[Hour]) -> Vec<String> {
    let mut grown = Vec::new();
    let (part, of) = SETTLED_PARTS;
    let settled_hour = kept.iter().map(|hour| hour.hour).max().unwrap_or(0) * part / of;
    let settled = |hour: &&Hour| hour.hour <= settled_hour;
    let early: Vec<&Hour> = kept.iter().filter(settled).rev().take(COMPARED).collect();
    let late: Vec<&Hour> = kept.iter().rev().take(COMPARED).collect();
    let most = |hours: &[&Hour], of: &dyn Fn(&Hour) -> usize| {
        hours.iter().map(|hour| of(hour)).max().unwrap_or(0)
    };
    let Some(last) = kept.last() else {
        return vec!["no hour was counted".to_owned()];
    };
    let mut compare = |name: &str, of: &dyn Fn(&Hour) -> usize| {
        let (before, after) = (most(&early, of), most(&late, of));
        if after > before + before / GROWTH_PART + GROWTH_VALUES {
            grown.push(format!(
                "{name}: {before} values by hour {settled_hour}, {after} at the end"
            ));
        }
    };
    for name in last.cores.keys() {
        compare(name, &|hour| hour.cores[name]);
    }
    for name in last.journal.keys() {
        compare(name, &|hour| hour.journal.get(name).copied().unwrap_or(0));
    }
    compare("awaited answers", &|hour| hour.awaited);
    for (place, limit) in LIMITS {
        let held = most(&kept.iter().collect::<Vec<_>>(), &|hour| {
            hour.limited[place]
        });
        if held > limit {
            grown.push(format!("{place}: {held} of {limit}"));
        }
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(counts: &[usize]) -> Vec<Hour> {
        let hour = |(place, count): (usize, &usize)| Hour {
            hour: place as i64 + 1,
            cores: BTreeMap::from([("router", *count)]),
            journal: BTreeMap::new(),
            limited: LIMITS.map(|(place, _)| (place, 0)).into(),
            awaited: 0,
        };
        counts.iter().enumerate().map(hour).collect()
    }

    #[test]
    fn only_what_goes_on_growing_is_told() {
        let steady: Vec<usize> = (0..24).map(|hour| 5_000 + hour % 3 * 100).collect();
        assert_eq!(grown(&hours(&steady)), [""; 0]);
        let filling: Vec<usize> = (0..24).map(|hour| 1_000 * hour.min(10)).collect();
        assert_eq!(grown(&hours(&filling)), [""; 0]);
        let leaking: Vec<usize> = (0..24).map(|hour| 1_000 * hour).collect();
        assert_eq!(
            grown(&hours(&leaking)),
            ["router: 17000 values by hour 18, 23000 at the end"]
        );
    }

    #[test]
    fn a_limit_that_is_passed_or_that_nothing_keeps_is_told() {
        let mut kept = hours(&[100; 24]);
        kept[3].limited.insert("/orders/boots", BOOTS_MAX + 1);
        kept[4].limited.insert("/orders/foreign", members(None));
        let told = grown(&kept);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("/orders/boots: 10001"), "{told:?}");
    }
}
