//! A run from start to verdict: set up, load with faults, a quiet end in which everything must come right, TERM.

use crate::fit::{Slope, fit};
use crate::judge::{Facts, Level, judge};
use crate::picture::Picture;
use crate::plan::{Plan, calm};
use crate::report::{Latency, Report, latencies};
use crate::sample::{Count, Sample, compare, take};
use crate::scrape::Scrape;
use crate::venue::Exchange;
use installation::bot::Bot;
use installation::pace::Pace;
use installation::place::Place;
use simulator::clock::Clock;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// Longest start, milliseconds.
const READY_MS_MAX: i64 = 60_000;
/// Longest time until everything is known and equal in the quiet end, milliseconds.
const SETTLE_MS_MAX: i64 = 90_000;
/// Longest graceful stop, milliseconds: the configured deadline and some more.
const STOP_MS_MAX: i64 = 100_000;
/// Longest warm-up before what was asked for, seconds; a short run warms up as long as it lasts. By then what is remembered for a time has its size, at any rate
/// of orders: trades are listed again for five minutes, their stamps are a minute apart at most, and what is settled is
/// forgotten at the next look on record, a minute later. What is remembered by count (256 ended orders, 128 trades, half
/// a MiB of pages) is full much earlier.
const WARM_UP_S_MAX: u64 = 420;
/// Frames per second in the quiet end: enough to keep books from growing old.
const QUIET_RATE: u64 = 30;
/// Time between two looks at a start.
const READY_LOOK: Duration = Duration::from_millis(20);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Samples per hour: one a second.
const SECONDS_PER_H: f64 = 3_600.0;
/// KiB of a MiB.
const KIB_PER_MIB: f64 = 1_024.0;
/// The requests stay inside the exchange's quotas.
const PACE: Pace = Pace {
    decision_min_interval_ms: 250,
    cycle_interval_ms: 1_000,
    sample_period_ms: 250,
    ttl_seconds: 30,
    requote_bps: 4,
    min_quote_life_ms: 1_000,
    reconcile_interval_seconds: 5,
    max_orders_per_minute: 120,
    max_daily_loss_try: 100_000,
};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Length under load that is judged, seconds; the warm-up comes before it.
    pub seconds: u64,
    /// Book frames per second, over all pairs.
    pub rate: u64,
    /// Seed of the market and of the faults.
    pub seed: u64,
    /// The binary.
    pub binary: PathBuf,
}

impl Asked {
    /// Returns the length of the warm-up, seconds.
    pub fn warm_up_s(&self) -> u64 {
        self.seconds.min(WARM_UP_S_MAX)
    }

    /// Returns the whole length under load, seconds.
    fn load_s(&self) -> u64 {
        self.warm_up_s() + self.seconds
    }
}

struct Run<'a> {
    asked: &'a Asked,
    plan: Plan,
    clock: Clock,
    exchange: Exchange,
    bot: Bot,
    samples: Vec<Sample>,
    counts: Vec<Count>,
    pumped: u64,
    pumped_ms: i64,
}

/// The quiet end.
struct Settled {
    picture: Option<Picture>,
    is_ledger_equal: bool,
    are_books_equal: bool,
}

/// Runs.
///
/// # Errors
/// No such binary, a set-up that failed, or a process that ended by itself: text for people.
pub fn run(asked: &Asked) -> Result<Report, String> {
    let binary = asked.binary.canonicalize();
    let binary = binary.map_err(|error| format!("--binary {}: {error}", asked.binary.display()))?;
    let clock = Clock::start();
    let exchange = Exchange::start(asked.seed)?;
    let dir = std::env::temp_dir().join(format!("btcbot-soak-{}", std::process::id()));
    let place = Place::make(dir, binary, exchange.access(), PACE, clock.now())?;
    let mut bot = Bot::start(&place, clock, "run")?;
    let ready_ms = ready(&mut bot)?;
    let mut run = Run {
        asked,
        plan: Plan::draw(asked.seed, asked.load_s()),
        clock,
        exchange,
        bot,
        samples: Vec::new(),
        counts: Vec::new(),
        pumped: 0,
        pumped_ms: 0,
    };
    run.load()?;
    let settled = run.settle()?;
    let last = Scrape::of(&run.bot);
    let mut report = run.end(&settled, last.as_ref());
    report.ready_ms = ready_ms;
    if report.is_ok() {
        place.remove();
    } else {
        report.kept = Some(place.dir().to_owned());
    }
    Ok(report)
}

/// Waits until it is ready; returns how long that took, milliseconds.
fn ready(bot: &mut Bot) -> Result<i64, String> {
    loop {
        bot.look()?;
        if let Some(ready_ms) = bot.ready_ms {
            return Ok(ready_ms);
        }
        let age_ms = bot.age_ms();
        if age_ms > READY_MS_MAX {
            return Err(format!("not ready after {age_ms} ms; {}", bot.tail()));
        }
        thread::sleep(READY_LOOK);
    }
}

impl Run<'_> {
    /// Load and faults, one sample a second.
    fn load(&mut self) -> Result<(), String> {
        let start = self.clock.now();
        let mut pumping_since = start;
        self.exchange.pump(self.asked.rate);
        for second in 0..self.asked.load_s() {
            self.bot.look()?;
            if self.plan.pauses.contains(&second) {
                self.exchange.pump(0);
                self.pumped_ms += self.clock.now().ms_since(pumping_since);
                self.counts
                    .extend(compare(&self.exchange, &self.bot, second));
                pumping_since = self.clock.now();
                self.exchange.pump(self.asked.rate);
            }
            self.exchange.set(self.plan.profile(second));
            let at_ms = self.clock.now().ms_since(start);
            let at_s = f64::from(i32::try_from(at_ms).unwrap_or(i32::MAX)) / 1_000.0;
            self.samples.extend(take(&self.bot, at_s));
            let next_ms = i64::try_from(second + 1).unwrap_or(i64::MAX) * 1_000;
            let left_ms = next_ms - self.clock.now().ms_since(start);
            thread::sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)));
        }
        self.pumped_ms += self.clock.now().ms_since(pumping_since);
        self.pumped = self.exchange.pumped();
        Ok(())
    }

    /// No faults, no crowd, and time: everything becomes known, ledger and books equal the exchange.
    fn settle(&mut self) -> Result<Settled, String> {
        self.exchange.set(calm());
        self.exchange.quiet();
        self.exchange.pump(QUIET_RATE);
        let start = self.clock.now();
        let mut settled = Settled {
            picture: None,
            is_ledger_equal: false,
            are_books_equal: false,
        };
        while self.clock.now().ms_since(start) < SETTLE_MS_MAX {
            thread::sleep(LOOK);
            self.bot.look()?;
            let Some(picture) = Picture::of(&self.bot) else {
                continue;
            };
            settled.is_ledger_equal = picture.balances == self.exchange.balances();
            // The own quotes move the top: one look at which all pairs agree is enough.
            settled.are_books_equal |= picture.tops == self.exchange.tops();
            let is_known = picture.unknown == 0;
            settled.picture = Some(picture);
            if settled.is_ledger_equal && settled.are_books_equal && is_known {
                break;
            }
        }
        self.exchange.pump(0);
        let at_s = self.asked.load_s();
        self.counts.extend(compare(&self.exchange, &self.bot, at_s));
        Ok(settled)
    }

    fn end(self, settled: &Settled, last: Option<&Scrape>) -> Report {
        let warm_up_s = self.asked.warm_up_s();
        let exit = self.bot.stop(STOP_MS_MAX);
        let figures = self.exchange.figures();
        let series = |of: fn(&Sample) -> f64| -> Vec<(f64, f64)> {
            let warm = f64::from(u32::try_from(warm_up_s).unwrap_or(u32::MAX));
            let behind = self.samples.iter().filter(|sample| sample.at_s >= warm);
            behind
                .map(|sample| (sample.at_s / SECONDS_PER_H, of(sample)))
                .collect()
        };
        let facts = Facts {
            lost: lost(&self.counts),
            comparisons: self.counts.len(),
            rate_asked: self.asked.rate,
            rate_made: per_second(self.pumped, self.pumped_ms),
            rss_mib_per_h: fit(&series(|sample| sample.rss_kib / KIB_PER_MIB)),
            fds: level(&series(|sample| sample.fds)),
            threads: level(&series(|sample| sample.threads)),
            is_ledger_equal: settled.is_ledger_equal,
            are_books_equal: settled.are_books_equal,
            unknown: settled
                .picture
                .as_ref()
                .map_or(u64::MAX, |picture| picture.unknown),
            restarts: last.map_or(u64::MAX, restarts),
            exit,
            open: figures.open,
            accepted: figures.accepted,
            duplicates: figures.duplicates,
        };
        let latencies: Vec<Latency> = last.map(latencies).unwrap_or_default();
        Report {
            seed: self.asked.seed,
            seconds: self.asked.seconds,
            rate: self.asked.rate,
            warm_up_s,
            ready_ms: 0,
            gates: judge(&facts),
            rss_mib_per_h: facts.rss_mib_per_h,
            fds: facts.fds,
            threads: facts.threads,
            rate_made: facts.rate_made,
            frames_pumped: self.pumped,
            connections: self.exchange.traffic().connections,
            orders_accepted: figures.accepted,
            fills: figures.fills,
            mode: settled.picture.as_ref().map(|picture| picture.mode.clone()),
            latencies,
            troubles: self.plan.troubles,
            counts: self.counts,
            samples: self.samples,
            kept: None,
        }
    }
}

/// Frames that were lost although no new connection, and with it no full book, made up for them.
fn lost(counts: &[Count]) -> u64 {
    let first = (counts.first())
        .filter(|count| count.connections == 1)
        .map_or(0, |count| count.missing);
    let pairs = counts.windows(2);
    let within = pairs.filter(|pair| pair[0].connections == pair[1].connections);
    let grown = within.map(|pair| pair[1].missing.saturating_sub(pair[0].missing));
    first + grown.sum::<u64>()
}

fn per_second(count: u64, ms: i64) -> u64 {
    let ms = u64::try_from(ms).unwrap_or(0).max(1);
    count.saturating_mul(1_000) / ms
}

fn restarts(last: &Scrape) -> u64 {
    let sum = last.sum("btcbot_actor_restarts_total") + last.sum("btcbot_panics_total");
    format!("{sum:.0}").parse().unwrap_or(u64::MAX)
}

fn level(points: &[(f64, f64)]) -> Level {
    let values = || points.iter().map(|(_, value)| *value);
    let per_h: Option<Slope> = fit(points);
    Level {
        low: values().fold(f64::INFINITY, f64::min),
        high: values().fold(f64::NEG_INFINITY, f64::max),
        per_h,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pauses as connections and missing frames.
    fn check(pauses: &[(u64, u64)], expected: u64) {
        let count = |(connections, missing): &(u64, u64)| Count {
            at_s: 0,
            connections: *connections,
            sent: 1_000,
            missing: *missing,
        };
        let counts: Vec<Count> = pauses.iter().map(count).collect();
        assert_eq!(lost(&counts), expected, "{pauses:?}");
    }

    #[test]
    fn frames_missing_across_a_new_connection_were_made_up_for() {
        check(&[], 0);
        check(&[(1, 0), (1, 0)], 0);
        check(&[(1, 2)], 2);
        check(&[(1, 0), (2, 40), (2, 40)], 0);
        check(&[(1, 0), (2, 40), (2, 41), (3, 90)], 1);
    }
}
