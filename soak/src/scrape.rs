//! One look at a process from outside: its exposition text and its page in `/proc`.
//!
//! Reads only what is needed of the text format: series with their labels as text, and histograms by their buckets.

use installation::bot::Bot;
use std::collections::BTreeMap;
use std::fs;

/// Clock ticks per second in `/proc`; the same on every Linux.
const TICKS_PER_S: f64 = 100.0;

/// All series of one scrape, by name with labels.
#[derive(Clone, Debug, Default)]
pub struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Asks a process for its metrics; `None` if it did not answer.
    pub fn of(bot: &Bot) -> Option<Self> {
        bot.get("/metrics").map(|text| Self::parse(&text))
    }

    /// Reads an exposition text; lines that are no series are skipped.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(series.collect())
    }

    /// Returns the sum over all series of a name; zero if there is none.
    pub fn sum(&self, name: &str) -> f64 {
        let of_name = |key: &str| {
            let rest = key.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        let found = self.0.iter().filter(|(key, _)| of_name(key));
        found.map(|(_, value)| value).sum()
    }

    /// Returns one series by its name with labels; zero if it is missing.
    pub fn get(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or(0.0)
    }

    /// Returns the upper bound of the bucket in which a quantile lies; infinite beyond the last bucket, `None` if
    /// nothing was counted.
    pub fn quantile(&self, name: &str, share: f64) -> Option<f64> {
        let prefix = format!("{name}_bucket{{le=\"");
        let bucket = |(key, value): (&String, &f64)| {
            let bound = key.strip_prefix(&prefix)?.strip_suffix("\"}")?;
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().ok()?
            };
            Some((bound, *value))
        };
        let mut buckets: Vec<(f64, f64)> = self.0.iter().filter_map(bucket).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total = buckets.last().map(|(_, count)| *count)?;
        let wanted = total * share;
        let found = buckets.iter().find(|(_, count)| *count >= wanted);
        found.map(|(bound, _)| *bound).filter(|_| total > 0.0)
    }
}

/// What the kernel says about a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kernel {
    /// Resident memory, KiB.
    pub rss_kib: f64,
    /// Of it, pages of no file, KiB.
    pub anon_kib: f64,
    /// Threads.
    pub threads: f64,
    /// Processor time, seconds.
    pub cpu_s: f64,
}

impl Kernel {
    /// Reads it; `None` if there is no such process.
    pub fn read(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&status, &stat)
    }

    fn parse(status: &str, stat: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        // The command may hold spaces: fields are counted behind its closing bracket.
        let (_, rest) = stat.rsplit_once(") ")?;
        let ticks = |place| rest.split(' ').nth(place)?.parse::<f64>().ok();
        Some(Self {
            rss_kib: field("VmRSS:")?,
            anon_kib: field("RssAnon:")?,
            threads: field("Threads:")?,
            cpu_s: (ticks(11)? + ticks(12)?) / TICKS_PER_S,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# TYPE frames counter
frames{type=\"book\"} 40
frames{type=\"ack\"} 2
frames_other 5
wait_bucket{le=\"5\"} 90
wait_bucket{le=\"10\"} 99
wait_bucket{le=\"+Inf\"} 100
empty_bucket{le=\"+Inf\"} 0
";

    #[test]
    fn series_are_summed_by_their_whole_name() {
        let scrape = Scrape::parse(TEXT);
        assert_eq!(scrape.sum("frames"), 42.0);
        assert_eq!(scrape.get("frames{type=\"book\"}"), 40.0);
        assert_eq!(scrape.sum("nothing"), 0.0);
    }

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let scrape = Scrape::parse(TEXT);
        let check = |share, expected| assert_eq!(scrape.quantile("wait", share), expected);
        check(0.5, Some(5.0));
        check(0.99, Some(10.0));
        check(0.999, Some(f64::INFINITY));
        assert_eq!(scrape.quantile("empty", 0.5), None);
        assert_eq!(scrape.quantile("missing", 0.5), None);
    }

    #[test]
    fn the_kernels_page_is_read_past_a_name_with_spaces() {
        let status = "Name:\tbot\nVmRSS:\t  20480 kB\nRssAnon:\t  7168 kB\nThreads:\t9\n";
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 1";
        let read = Kernel::parse(status, stat).unwrap();
        assert_eq!(
            (read.rss_kib, read.anon_kib, read.threads, read.cpu_s),
            (20_480.0, 7_168.0, 9.0, 2.0)
        );
    }
}
