//! What a row of the catalogue means in series: its label, its values, how many there are.

use super::*;

/// Series of a histogram beside its buckets: the one without a bound, sum and count.
const SERIES_BESIDE_BUCKETS: usize = 3;

impl Metric {
    /// Returns the name of the label, and its values as far as the program knows them.
    pub fn label(&self) -> (Option<&'static str>, Vec<&'static str>) {
        match self.labels {
            Labels::None => (None, Vec::new()),
            Labels::Of(name, values) => (Some(name), values.to_vec()),
            Labels::Symbol => (Some("symbol"), Vec::new()),
            Labels::Actor => (
                Some("actor"),
                ActorName::ALL.map(ActorName::as_str).to_vec(),
            ),
            Labels::DenyCode => (Some("code"), DENY_CODES.map(|code| code.as_str()).to_vec()),
            Labels::Once => (Some("version, git_sha, rustc"), Vec::new()),
        }
    }

    /// Returns the series that the metric has while so many pairs are configured.
    pub fn series(&self, pairs: usize) -> usize {
        let labelled = match self.labels {
            Labels::None | Labels::Once => 1,
            Labels::Symbol => pairs,
            Labels::Of(..) | Labels::Actor | Labels::DenyCode => self.label().1.len(),
        };
        let each = match self.kind {
            Kind::Counter | Kind::Gauge => 1,
            Kind::HistogramMs => BUCKETS_MS.len() + SERIES_BESIDE_BUCKETS,
            Kind::HistogramSeconds => BUCKETS_SECONDS.len() + SERIES_BESIDE_BUCKETS,
        };
        labelled * each
    }
}
