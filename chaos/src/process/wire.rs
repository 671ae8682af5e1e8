//! The release binary on links that fail: it trades armed through a proxy that delays, silences, cuts and spoils.
//!
//! Each seed has an exchange, an installation and a link of its own: trouble after trouble, then a link that is well
//! again, a stop, and the judgement of the tier of kills. Real sockets and real time: a seed gives the same troubles,
//! not the same schedule, so it says nothing about determinism.

use super::judge::{Finding, Rule, at_end};
use super::lane::{Lane, Outcome, PAGE, Plan, wait};
use super::link::{Link, Trouble};
use super::picture::Picture;
use super::report::{Figures, Found};
use engine::dice::Dice;
use engine::mode::Mode;
use installation::bot::Bot;
use serde::Serialize;
use simulator::clock::Clock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Seeds that run side by side; each waits most of its time.
const LANES: u64 = 6;
/// Troubles of a seed, one after the other; each seed meets most kinds.
const TROUBLES: usize = 5;
/// How long each lasts, milliseconds.
const TROUBLE_MS: (i64, i64) = (800, 4_000);
/// Longest time until it trades again on a link that is well, milliseconds: the longest back-off, and a full window of
/// the connect budget.
const COME_BACK_MS_MAX: i64 = 95_000;
/// Orders before the first trouble.
const ORDERS_BEFORE: usize = 2;
/// How long the link is well before the first and after each, milliseconds.
const WELL_MS: i64 = 700;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How many seeds.
    pub seeds: u64,
    /// The first.
    pub from: u64,
    /// The binary.
    pub binary: PathBuf,
}

/// The report.
#[derive(Debug, Serialize)]
pub struct Summary {
    seeds: u64,
    seconds: i64,
    orders_accepted: usize,
    orders_traded: usize,
    recoveries: u32,
    /// Chunks that met each kind of trouble.
    struck: BTreeMap<Trouble, u32>,
    /// Seeds by the mode they ended in.
    ended_in: BTreeMap<String, u32>,
    violations: usize,
    duplicates: usize,
    lost_orders: usize,
    unknown_forever: u64,
    ledger_mismatches: usize,
    findings: Vec<Found>,
}

impl Summary {
    /// Returns what was found.
    pub fn findings(&self) -> &[Found] {
        &self.findings
    }

    /// Returns whether every promise held, orders were sent, and every kind of trouble struck.
    pub fn is_ok(&self) -> bool {
        let is_met = |trouble: &Trouble| self.struck.contains_key(trouble);
        self.findings.is_empty() && self.orders_accepted > 0 && Trouble::ALL.iter().all(is_met)
    }
}

/// What one seed came to.
struct Done {
    outcome: Outcome,
    struck: BTreeMap<Trouble, u32>,
}

/// Runs seeds.
///
/// # Errors
/// No such binary, or a seed that could not be set up: text for people.
pub fn run(asked: &Asked) -> Result<Summary, String> {
    let binary = asked.binary.canonicalize();
    let binary = binary.map_err(|error| format!("--binary {}: {error}", asked.binary.display()))?;
    let clock = Clock::start();
    let start = clock.now();
    let base = std::env::temp_dir().join(format!("btcbot-wire-{}", std::process::id()));
    let (next, done) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && number < asked.seeds
        {
            let one = seed(asked.from + number, &base, &binary);
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(one);
        }
    };
    thread::scope(|scope| {
        for _ in 0..LANES.min(asked.seeds) {
            scope.spawn(work);
        }
    });
    // It is empty unless something was found.
    let _removed = std::fs::remove_dir(&base);
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let done = done.into_iter().collect::<Result<Vec<Done>, String>>()?;
    Ok(summary(asked.seeds, done, clock.now().ms_since(start)))
}

fn summary(seeds: u64, done: Vec<Done>, took_ms: i64) -> Summary {
    let (mut figures, mut findings) = (Figures::default(), Vec::new());
    let mut struck = BTreeMap::new();
    for one in done {
        figures.add(one.outcome.figures);
        findings.extend(one.outcome.found);
        for (trouble, count) in one.struck {
            *struck.entry(trouble).or_insert(0) += count;
        }
    }
    let count = |rule| {
        let of_rule = findings
            .iter()
            .filter(|found: &&Found| found.finding.rule == rule);
        of_rule.count()
    };
    Summary {
        seeds,
        seconds: took_ms / 1_000,
        orders_accepted: figures.orders,
        orders_traded: figures.traded,
        recoveries: figures.recoveries,
        struck,
        ended_in: figures.ended_in,
        violations: findings.len(),
        duplicates: count(Rule::Duplicate),
        lost_orders: count(Rule::LostOrder),
        unknown_forever: figures.unknown_forever,
        ledger_mismatches: count(Rule::Ledger),
        findings,
    }
}

fn seed(seed: u64, base: &Path, binary: &Path) -> Result<Done, String> {
    let mut lane = Lane::set_up(Plan {
        lane: seed,
        seed,
        kills: 0,
        wipe_after: None,
        is_linked: true,
        dir: base.join(format!("seed-{seed}")),
        binary: binary.to_owned(),
    })?;
    let findings = match lane.weather_the_link() {
        Ok(findings) | Err(findings) => findings,
    };
    let struck = lane.link.as_ref().map(Link::struck).unwrap_or_default();
    Ok(Done {
        outcome: lane.end(findings),
        struck,
    })
}

/// Draws the troubles of a seed: all kinds in a drawn order, and the first of them.
fn troubles(dice: &mut Dice) -> Vec<Trouble> {
    let mut left = Trouble::ALL.to_vec();
    let mut drawn = Vec::new();
    while drawn.len() < TROUBLES && !left.is_empty() {
        let last = i64::try_from(left.len()).expect("a short table") - 1;
        let place = usize::try_from(dice.between(0, last)).expect("not negative");
        drawn.push(left.swap_remove(place));
    }
    drawn
}

impl Lane {
    fn meet(&self, trouble: Trouble) {
        if let Some(link) = &self.link {
            link.set(trouble);
        }
    }

    /// One life through all troubles; returns what broke by then, or at the end.
    fn weather_the_link(&mut self) -> Result<Vec<Finding>, Vec<Finding>> {
        let one = |finding| vec![finding];
        let mut bot = self.start()?;
        self.recover(&mut bot).map_err(one)?;
        self.trade(&mut bot, ORDERS_BEFORE).map_err(one)?;
        for trouble in troubles(&mut self.dice) {
            let lasts_ms = self.dice.between(TROUBLE_MS.0, TROUBLE_MS.1);
            for (trouble, ms) in [(Trouble::None, WELL_MS), (trouble, lasts_ms)] {
                self.meet(trouble);
                let until_ms = bot.age_ms() + ms;
                wait(&mut bot, until_ms).map_err(one)?;
            }
        }
        self.meet(Trouble::None);
        come_back(&mut bot).map_err(one)?;
        let ending = self.come_right_and_stop(bot)?;
        Ok(at_end(&ending))
    }
}

/// Waits until it may trade again.
fn come_back(bot: &mut Bot) -> Result<(), Finding> {
    let (healed_ms, mut seen) = (bot.age_ms(), String::new());
    while bot.age_ms() - healed_ms < COME_BACK_MS_MAX {
        bot.look()?;
        seen = Picture::of(bot)
            .and_then(|picture| picture.mode())
            .unwrap_or(seen);
        if seen == Mode::Normal.as_str() {
            return Ok(());
        }
        thread::sleep(PAGE);
    }
    Err(Finding::new(Rule::NotReady, seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_few_seeds_meet_every_trouble_and_none_meets_one_twice() {
        let mut met = BTreeSet::new();
        for seed in 0..4 {
            let drawn = troubles(&mut Dice::new(seed));
            let kinds: BTreeSet<Trouble> = drawn.iter().copied().collect();
            assert_eq!(kinds.len(), TROUBLES, "{drawn:?}");
            met.extend(kinds);
        }
        assert_eq!(met.len(), Trouble::ALL.len());
    }
}
