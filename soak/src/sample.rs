//! What is written down once a second, and how frames sent and read are compared.

use crate::scrape::{Kernel, Scrape};
use crate::venue::Exchange;
use installation::bot::Bot;
use serde::Serialize;
use std::thread;
use std::time::Duration;

/// Looks of one comparison; the smallest difference counts.
const LOOKS: u32 = 12;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(60);

/// The process at one second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sample {
    /// Seconds since ready.
    pub at_s: f64,
    /// Resident memory, KiB.
    pub rss_kib: f64,
    /// Of it, what the process wrote: not its code, which the kernel shares and takes back.
    pub anon_kib: f64,
    /// Threads.
    pub threads: f64,
    /// Open descriptors.
    pub fds: f64,
    /// Processor time since the start, seconds.
    pub cpu_s: f64,
    /// Frames read since the start.
    pub frames: f64,
    /// Attempts to connect the stream since the start.
    pub connects: f64,
    /// Records that wait for the disk.
    pub journal_depth: f64,
    /// Own orders that have not ended.
    pub open_orders: f64,
    /// Orders of unknown fate.
    pub unknown_orders: f64,
    /// Orders that were accepted since the start.
    pub accepted: f64,
    /// Trades booked since the start.
    pub fills: f64,
    /// Age of the last clean look at the account, milliseconds.
    pub reconcile_lag_ms: f64,
}

/// Takes a sample; `None` if the process did not answer in time.
pub fn take(bot: &Bot, at_s: f64) -> Option<Sample> {
    let (kernel, scrape) = (Kernel::read(bot.id())?, Scrape::of(bot)?);
    Some(Sample {
        at_s,
        rss_kib: kernel.rss_kib,
        anon_kib: kernel.anon_kib,
        threads: kernel.threads,
        // The process shows its own count: /proc/PID/fd is closed to others when it is not dumpable.
        fds: scrape.sum("btcbot_process_open_fds"),
        cpu_s: kernel.cpu_s,
        frames: scrape.sum("btcbot_ws_frames_total"),
        connects: scrape.sum("btcbot_ws_connects_total"),
        journal_depth: scrape.sum("btcbot_journal_queue_depth"),
        open_orders: scrape.sum("btcbot_open_orders"),
        unknown_orders: scrape.sum("btcbot_unknown_orders"),
        accepted: scrape.get("btcbot_orders_total{state=\"accepted\"}"),
        fills: scrape.sum("btcbot_fills_total"),
        reconcile_lag_ms: scrape.sum("reconcile_lag_ms"),
    })
}

/// Frames that the exchange's sockets took and the process has not read, at a pause of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Second of the pause.
    pub at_s: u64,
    /// Connections opened until then.
    pub connections: u64,
    /// Frames that went to sockets.
    pub sent: u64,
    /// Of these, not read; over all connections since the start.
    pub missing: u64,
}

/// Compares while the load pauses. A frame on its way counts as missing in one look and not in the next, so the
/// smallest of many looks is what is gone; a connection that opens meanwhile voids the comparison.
pub fn compare(exchange: &Exchange, bot: &Bot, at_s: u64) -> Option<Count> {
    let connections = exchange.traffic().connections;
    let mut best: Option<Count> = None;
    for _ in 0..LOOKS {
        thread::sleep(LOOK);
        let Some(scrape) = Scrape::of(bot) else {
            continue;
        };
        // Read after the scrape: what was read by then had been sent by then.
        let sent = exchange.traffic().frames;
        let missing = sent.saturating_sub(whole(scrape.sum("btcbot_ws_frames_total")));
        if best.is_none_or(|best| missing < best.missing) {
            best = Some(Count {
                at_s,
                connections,
                sent,
                missing,
            });
        }
    }
    best.filter(|_| exchange.traffic().connections == connections)
}

/// A counter's value; counters are whole and far below 2^53.
fn whole(value: f64) -> u64 {
    format!("{value:.0}").parse().unwrap_or(0)
}
