//! Four storms on real sockets: reconnects, 429 with and without a wait, and REST that is out while the stream is up.
//!
//! Real shells and drivers against the simulated exchange. While a storm lasts nothing may be sent twice and nobody may
//! be hammered; behind it orders leave again, or a kill has cancelled every one.

use crate::flood::exchange::{Exchange, Line};
use crate::flood::trade;
use crate::panics::base::Base;
use actors::clock::Clock;
use actors::gate::Flag;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;

/// Length of a storm.
const STORM: Duration = Duration::from_secs(12);
/// Longest wait for the first order, and for the end of what a storm has left: holds last a minute.
const PATIENCE_MS: i64 = 180_000;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Connections that a storm may see: the default budget of a minute.
const CONNECTS_MAX: u64 = 10;
/// Shortest time between two refusals of one kind where the exchange asks for a second, milliseconds.
const SPACING_MS_MIN: i64 = 900;
/// Refusals of one kind where the exchange does not say how long: the hold of a minute is longer than the storm.
const UNEXPLAINED_MAX: usize = 2;

/// What the exchange does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storm {
    /// Every connection of the stream dies within a second.
    Reconnects,
    /// Every request is answered 429, with a wait of a second.
    Throttle,
    /// Every request is answered 429 without a wait.
    ThrottleUnexplained,
    /// Every request is lost or answered with a page; the stream goes on.
    PartialOutage,
}

impl Storm {
    const fn switches(self) -> &'static [&'static str] {
        match self {
            Self::Reconnects => &["fault.ws_reset=1"],
            Self::Throttle => &["fault.rest_429=1"],
            Self::ThrottleUnexplained => &["fault.rest_429=1", "limits.retry_after=false"],
            Self::PartialOutage => &["fault.html_502=0.5", "fault.request_lost=0.5"],
        }
    }
}

/// What a storm came to.
#[derive(Debug)]
pub struct Report {
    /// Which.
    pub storm: Storm,
    /// Orders that reached the exchange in all.
    pub posts: usize,
    /// Requests that reached it while the storm lasted.
    pub requests: usize,
    /// Connections of the stream that it opened meanwhile.
    pub connections: u64,
    /// From the end of the storm until orders left again, or until the kill had cancelled every one, milliseconds.
    pub healed_ms: i64,
    /// It ended with the kill switch.
    pub is_killed: bool,
    /// What was broken.
    pub broken: Vec<String>,
}

/// Lets a storm pass.
///
/// # Errors
/// No port, no thread, or a system that does not trade: text for people.
pub fn run(storm: Storm, seed: u64) -> Result<Report, String> {
    let clock = Clock::start();
    let exchange = Exchange::start(seed)?;
    let base = Base::new(clock);
    let (stop, stopped) = oneshot::channel();
    let bot = {
        let (base, access) = (base.clone(), exchange.access());
        thread::spawn(move || trade(seed, &base, &access, stopped))
    };
    let report = pass(storm, &base, &exchange);
    // It has ended by itself only if it could not start; it says why.
    let _ended = stop.send(());
    bot.join()
        .map_err(|_| "the system's thread panicked".to_owned())??;
    report
}

fn pass(storm: Storm, base: &Base, exchange: &Exchange) -> Result<Report, String> {
    let gate = base.owner.gate();
    let first = until(base, || exchange.posts() > 0 && gate.is_open_for_submit());
    first.ok_or_else(|| format!("no first order; raised: {:?}", gate.raised()))?;
    let (lines, connections) = (exchange.lines().len(), exchange.traffic().connections);
    exchange.set(storm.switches())?;
    thread::sleep(STORM);
    let storm_lines = exchange.lines().split_off(lines);
    let connections = exchange.traffic().connections - connections;
    exchange.set(&[])?;
    let posts = exchange.posts();
    let is_over = || {
        let trades = gate.is_open_for_submit() && exchange.posts() > posts;
        trades || (gate.is_raised(Flag::Kill) && exchange.open() == 0)
    };
    let healed_ms = until(base, is_over);
    let mut broken = Vec::new();
    if healed_ms.is_none() {
        broken.push(format!(
            "neither trading nor killed; raised: {:?}",
            gate.raised()
        ));
    }
    if exchange.duplicates() > 0 {
        broken.push(format!("{} client ids came twice", exchange.duplicates()));
    }
    if connections > CONNECTS_MAX {
        broken.push(format!("{connections} connections"));
    }
    broken.extend(hammered(storm, &storm_lines));
    Ok(Report {
        storm,
        posts: exchange.posts(),
        requests: storm_lines.len(),
        connections,
        healed_ms: healed_ms.unwrap_or(PATIENCE_MS),
        is_killed: gate.is_raised(Flag::Kill),
        broken,
    })
}

/// What was asked again too soon after a 429: by method and path, without what a cancel names.
fn hammered(storm: Storm, lines: &[Line]) -> Vec<String> {
    let mut refused: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.status == 429) {
        let path = line.path.split('?').next().unwrap_or_default();
        let what = format!("{} {path}", line.method);
        refused.entry(what).or_default().push(line.ts_ms);
    }
    let is_hammered = |times: &[i64]| match storm {
        Storm::Throttle => times
            .windows(2)
            .any(|pair| pair[1] - pair[0] < SPACING_MS_MIN),
        Storm::ThrottleUnexplained => times.len() > UNEXPLAINED_MAX,
        Storm::Reconnects | Storm::PartialOutage => false,
    };
    let found = refused.into_iter().filter(|(_, times)| is_hammered(times));
    found
        .map(|(what, times)| format!("{what} was refused at {times:?}"))
        .collect()
}

/// Waits until it is true and returns how long it took, milliseconds; `None` when the patience is over.
fn until(base: &Base, is_true: impl Fn() -> bool) -> Option<i64> {
    let start = base.clock.now();
    loop {
        let waited_ms = base.clock.now().ms_since(start);
        if is_true() {
            return Some(waited_ms);
        }
        if waited_ms > PATIENCE_MS {
            return None;
        }
        thread::sleep(LOOK);
    }
}
