//! What a run says at its end.

use crate::fit::Slope;
use crate::html;
use crate::judge::{Gate, Level, Verdict};
use crate::plan::Trouble;
use crate::sample::{Count, Sample};
use crate::scrape::Scrape;
use serde::Serialize;
use std::path::PathBuf;

/// The histograms that are shown: metric, what it is, and the factor to milliseconds.
const HISTOGRAMS: [(&str, &str, f64); 5] = [
    (
        "btcbot_feed_to_book_seconds",
        "book frame read off the socket to its book applied",
        1_000.0,
    ),
    (
        "order_submit_latency_ms",
        "approval to outcome, journal included",
        1.0,
    ),
    ("cancel_latency_ms", "decision to cancel to its answer", 1.0),
    (
        "btcbot_journal_commit_duration_seconds",
        "durable commit",
        1_000.0,
    ),
    (
        "btcbot_reconcile_duration_seconds",
        "pass over the account",
        1_000.0,
    ),
];

/// A latency by the bounds of the buckets in which its quantiles lie.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// The metric.
    pub metric: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Half took at most so long, milliseconds; `null` if beyond the last bucket.
    pub p50_ms: Option<f64>,
    /// 99 of 100.
    pub p99_ms: Option<f64>,
    /// How many.
    pub count: f64,
}

/// Reads the latencies; a histogram that the binary does not have, or that counted nothing, is left out.
pub fn latencies(scrape: &Scrape) -> Vec<Latency> {
    let read = |(metric, what, factor): &(&'static str, &'static str, f64)| {
        let bound = |share| {
            let found = scrape.quantile(metric, share)?;
            found.is_finite().then_some(found * factor)
        };
        let count = scrape.sum(&format!("{metric}_count"));
        (count > 0.0).then(|| Latency {
            metric,
            what,
            p50_ms: bound(0.5),
            p99_ms: bound(0.99),
            count,
        })
    };
    HISTOGRAMS.iter().filter_map(read).collect()
}

/// The report; schema `btcbot.soak/v1`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Seed of market and faults.
    pub seed: u64,
    /// Length under load behind the warm-up, seconds.
    pub seconds: u64,
    /// Book frames per second that were asked for.
    pub rate: u64,
    /// Length of the warm-up, seconds: load as later, not judged by growth.
    pub warm_up_s: u64,
    /// From the start until ready, milliseconds.
    pub ready_ms: i64,
    /// The verdicts.
    pub gates: Vec<Gate>,
    /// Trend of resident memory.
    pub rss_mib_per_h: Option<Slope>,
    /// Descriptors.
    pub fds: Level,
    /// Threads.
    pub threads: Level,
    /// Book frames per second while the load was on, without the market's own.
    pub rate_made: u64,
    /// Book frames made for load.
    pub frames_pumped: u64,
    /// Connections of the stream.
    pub connections: u64,
    /// Orders that the exchange took.
    pub orders_accepted: usize,
    /// Trades.
    pub fills: usize,
    /// Mode at the end.
    pub mode: Option<String>,
    /// Latencies.
    pub latencies: Vec<Latency>,
    /// What went wrong on purpose, and when.
    pub troubles: Vec<Trouble>,
    /// Frames sent and read.
    pub counts: Vec<Count>,
    /// One line a second.
    pub samples: Vec<Sample>,
    /// Where state and logs were left, if a gate failed.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Returns whether no gate failed.
    pub fn is_ok(&self) -> bool {
        self.gates.iter().all(|gate| gate.verdict != Verdict::Fail)
    }

    /// Returns what this run could not tell.
    pub fn warnings(&self) -> Vec<String> {
        let open = self
            .gates
            .iter()
            .filter(|gate| gate.verdict == Verdict::NotJudged);
        open.map(|gate| format!("{}: not judged: {}", gate.name, gate.value))
            .collect()
    }

    /// Returns one self-contained page.
    pub fn to_html(&self) -> String {
        html::page(self)
    }
}
