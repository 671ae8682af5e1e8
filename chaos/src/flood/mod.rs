//! The flood: frames as fast as asked for on a real socket, orders being placed, and the gate tripped again and again
//! from another thread.
//!
//! Real shells, real drivers, real time. A trip goes past every mailbox (as an operator's does) or through the RiskGate's
//! mailbox, which the flood fills. What counts is the time from the trip to the last look of the order port that still
//! saw the gate open.

pub(crate) mod exchange;
mod ground;
mod trips;

use crate::life;
use crate::panics::base::Base;
use crate::panics::rig::Rig;
use crate::plan::Plan;
use crate::wire;
use actors::clock::Clock;
use actors::process::usage;
use engine::dice::Dice;
use exchange::Exchange;
use ground::Wire;
use serde::Serialize;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;
use trips::{Hand, Trip};

/// Frames a second, as asked for by default.
pub const RATE: u64 = 30_000;
/// Trips, as asked for by default.
pub const TRIPS: u32 = 220;
/// Longest time from a trip to the last look that saw the gate open, microseconds.
const CLOSE_US_MAX: i64 = 10_000;
/// Growth of this process, exchange included, behind the warm-up, bytes.
const GROWTH_BYTES_MAX: i64 = 16 << 20;
/// Share of the asked frames that must have been delivered, percent.
const DELIVERED_PERCENT_MIN: u64 = 90;
/// Time of the flood before anything is measured.
const WARM_UP: Duration = Duration::from_secs(5);
/// Longest wait for the actors to be reached.
const START: Duration = Duration::from_secs(30);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Frames a second.
    pub rate: u64,
    /// Trips.
    pub trips: u32,
    /// Seed of the market and of the moments.
    pub seed: u64,
}

/// The report.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Frames a second that were asked for.
    pub rate: u64,
    /// Frames a second that the socket took while trips were made.
    pub delivered_per_s: u64,
    /// Sessions of the stream; one, if nobody was cut.
    pub sessions: u64,
    /// How long trips were made, milliseconds.
    pub took_ms: i64,
    /// Trips past the mailboxes.
    pub trips_past: usize,
    /// Trips through the RiskGate's mailbox.
    pub trips_through: usize,
    /// From a trip to the last look that saw the gate open, microseconds: half of the trips.
    pub close_us_median: i64,
    /// The same, 99.9 of 100 trips.
    pub close_us_p999: i64,
    /// The same, longest of the trips through the mailbox.
    pub close_us_max_through: i64,
    /// The same, longest of the trips past it.
    pub close_us_max_past: i64,
    /// From a trip to the first look from outside that saw it shut, microseconds, longest; with what the scheduler adds.
    pub seen_shut_us_max: i64,
    /// Orders whose first byte left later than the limit behind a trip.
    pub posts_after_close: usize,
    /// Orders that reached the exchange in all.
    pub posts: usize,
    /// Own orders that rested when the last kill came.
    pub open_at_kill: usize,
    /// Own orders that rested when the wait for their end was over.
    pub open_after_kill: usize,
    /// From the last kill to the end of the last own order, milliseconds.
    pub cancelled_ms: i64,
    /// Resident memory behind the warm-up, bytes.
    pub resident_bytes: i64,
    /// What it grew by until the end, bytes.
    pub growth_bytes: i64,
}

impl Report {
    /// Returns whether every promise held.
    pub fn is_ok(&self) -> bool {
        self.broken().is_empty()
    }

    /// Returns what was broken, as text.
    pub fn broken(&self) -> Vec<String> {
        let delivered = self.rate * DELIVERED_PERCENT_MIN / 100;
        let promises = [
            (
                self.delivered_per_s >= delivered,
                format!("{} frames a second were delivered", self.delivered_per_s),
            ),
            (
                self.sessions == 1,
                format!("{} sessions: the reader was cut", self.sessions),
            ),
            (
                self.close_us_p999 <= CLOSE_US_MAX,
                format!("the gate took {} us to close", self.close_us_p999),
            ),
            (
                self.growth_bytes <= GROWTH_BYTES_MAX,
                format!("grew by {} bytes", self.growth_bytes),
            ),
        ];
        let missed = promises.into_iter().filter(|(is_kept, _)| !is_kept);
        missed
            .map(|(_, what)| what)
            .chain(self.unsafe_acts())
            .collect()
    }

    /// Returns what must never be, on however slow a machine.
    pub fn unsafe_acts(&self) -> Vec<String> {
        let acts = [
            (self.posts_after_close, "orders left behind a closed gate"),
            (self.open_after_kill, "own orders outlived the kill"),
            (usize::from(self.posts == 0), "no order was placed at all"),
            (
                usize::from(self.open_at_kill == 0),
                "no order rested at the kill",
            ),
        ];
        let done = acts.into_iter().filter(|(count, _)| *count > 0);
        done.map(|(count, what)| format!("{what}: {count}"))
            .collect()
    }
}

/// Floods and trips.
///
/// # Errors
/// No port, no thread, or a system that does not trade: text for people.
pub fn run(asked: Asked) -> Result<Report, String> {
    let clock = Clock::start();
    let exchange = Exchange::start(asked.seed)?;
    let base = Base::new(clock);
    let (stop, stopped) = oneshot::channel();
    let bot = {
        let (base, access) = (base.clone(), exchange.access());
        thread::spawn(move || trade(asked.seed, &base, &access, stopped))
    };
    let mut hand = Hand {
        base: &base,
        exchange: &exchange,
        dice: Dice::new(asked.seed),
    };
    let report = measure(asked, &mut hand);
    // The bot's thread has ended by itself only if it could not start; it says why.
    let _ended = stop.send(());
    let ended = bot
        .join()
        .map_err(|_| "the system's thread panicked".to_owned())?;
    ended?;
    report
}

/// The system's thread: it trades until it is told to stop.
pub(crate) fn trade(
    seed: u64,
    base: &Base,
    access: &exchange::Access,
    stopped: oneshot::Receiver<()>,
) -> Result<(), String> {
    let plan = Plan {
        has_strategies: true,
        ..Plan::calm(seed)
    };
    actix_rt::System::new().block_on(async {
        let ground = Wire::new(base, access)?;
        let rules = wire::rules(&access.pair);
        let rig = Rig::start(seed, plan, rules, base.clone(), ground);
        if !rig.greet(START).await {
            return Err("the actors could not be reached".to_owned());
        }
        // An error means that whoever measures has gone.
        let _stopped = stopped.await;
        Ok(())
    })
}

fn measure(asked: Asked, hand: &mut Hand<'_>) -> Result<Report, String> {
    hand.wait_for_orders()?;
    hand.exchange.pump(asked.rate);
    thread::sleep(WARM_UP);
    let (began, frames) = (hand.base.clock.now(), hand.exchange.traffic().frames);
    let resident = resident();
    let trips = hand.trip(asked.trips)?;
    let took_ms = hand.base.clock.now().ms_since(began);
    let traffic = hand.exchange.traffic();
    let took = u64::try_from(took_ms.max(1)).unwrap_or(1);
    let end = hand.kill()?;
    let times = |is_wanted: fn(&Trip) -> bool| {
        let mut times: Vec<i64> = trips
            .iter()
            .filter(|trip| is_wanted(trip))
            .map(|trip| trip.close_us)
            .collect();
        times.sort_unstable();
        times
    };
    let (all, past, through) = (
        times(|_| true),
        times(|trip| !trip.is_through),
        times(|trip| trip.is_through),
    );
    Ok(Report {
        rate: asked.rate,
        delivered_per_s: (traffic.frames - frames) * 1_000 / took,
        sessions: traffic.connections,
        took_ms,
        trips_past: past.len(),
        trips_through: through.len(),
        close_us_median: quantile(&all, 500),
        close_us_p999: quantile(&all, 999),
        close_us_max_through: quantile(&through, 1_000),
        close_us_max_past: quantile(&past, 1_000),
        posts_after_close: trips
            .iter()
            .filter(|trip| trip.post_us > CLOSE_US_MAX)
            .count(),
        seen_shut_us_max: trips
            .iter()
            .map(|trip| trip.seen_shut_us)
            .max()
            .unwrap_or(0),
        posts: hand.exchange.posts(),
        open_at_kill: end.open_before,
        open_after_kill: end.open_after,
        cancelled_ms: end.took_ms,
        resident_bytes: resident,
        growth_bytes: self::resident() - resident,
    })
}

/// The smallest value that so many of a thousand do not exceed; zero of none.
fn quantile(sorted: &[i64], of_thousand: usize) -> i64 {
    let place = (sorted.len() * of_thousand).div_ceil(1_000).max(1) - 1;
    sorted.get(place).copied().unwrap_or(0)
}

fn resident() -> i64 {
    usage().map_or(0, |usage| usage.resident_bytes)
}

/// The quote currency of the account.
fn quote() -> engine::ids::Asset {
    life::quote()
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_is_a_value_that_occurred() {
        let values: Vec<i64> = (1..=1_000).collect();
        for (of_thousand, expected) in [(500, 500), (999, 999), (1_000, 1_000)] {
            assert_eq!(quantile(&values, of_thousand), expected);
        }
        assert_eq!(quantile(&[7], 999), 7);
        assert_eq!(quantile(&[], 999), 0);
    }
}
