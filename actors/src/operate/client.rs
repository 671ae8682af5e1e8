//! The client for reads and cancels, as the configuration wants it.

use crate::clock::{Clock, StampSource};
use crate::driver::endpoint::Endpoint;
use crate::driver::reads::{ReadLimits, ReadParts, Reads};
use crate::driver::toll::Toll;
use crate::driver::{Keys, tls};
use crate::metrics::Metrics;
use crate::secrets::pace;
use config::settings::Settings;
use std::time::Duration;

/// What a client shares with the process around it.
pub struct Around<'a> {
    /// Address and time limits.
    pub settings: &'a Settings,
    /// Time.
    pub clock: &'a Clock,
    /// Where attempts are counted.
    pub metrics: &'a Metrics,
    /// Requests a second over all groups of reads.
    pub requests_per_second: usize,
    /// Where costs are told.
    pub toll: Toll,
    /// Seed of the jitter.
    pub seed: u64,
}

/// Makes a client for reads and cancels.
pub fn client(around: &Around<'_>, keys: Keys, stamps: StampSource) -> Reads {
    let rest = &around.settings.exchange.rest;
    let millis = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let reads = Reads::new(ReadParts {
        endpoint: endpoint(around.settings.exchange.rest_url.as_str()),
        tls: tls::client_config(),
        keys,
        stamps,
        clock: around.clock.clone(),
        metrics: around.metrics.clone(),
        toll: around.toll.clone(),
        limits: ReadLimits {
            connect: millis(rest.connect_timeout_ms),
            read: millis(rest.timeout_ms),
            pace: pace(around.settings),
            requests_per_second: around.requests_per_second,
            ..ReadLimits::default()
        },
        seed: around.seed,
    });
    reads.expect("the client's settings are constants that were tested")
}

/// Reads an address that the configuration has already judged.
pub(super) fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url).expect("the configuration accepts only addresses that can be used")
}
