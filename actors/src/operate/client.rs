//! The client for reads and cancels, as the configuration wants it.

use super::Setup;
use crate::clock::StampSource;
use crate::driver::endpoint::Endpoint;
use crate::driver::reads::{ReadLimits, ReadParts, Reads};
use crate::driver::{Keys, tls};
use std::time::Duration;

/// Makes a client for reads and cancels.
pub(super) fn client(setup: &Setup, keys: Keys, stamps: StampSource) -> Reads {
    let rest = &setup.settings.exchange.rest;
    let millis = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let reads = Reads::new(ReadParts {
        endpoint: endpoint(setup.settings.exchange.rest_url.as_str()),
        tls: tls::client_config(),
        keys,
        stamps,
        clock: setup.clock.clone(),
        metrics: setup.figures.metrics.clone(),
        limits: ReadLimits {
            connect: millis(rest.connect_timeout_ms),
            read: millis(rest.timeout_ms),
            retries_max: rest.retries_max,
            delay_ms_base: rest.retry_delay_ms_base,
            delay_ms_max: rest.retry_delay_ms_max,
            requests_per_second: setup.requests_per_second,
            ..ReadLimits::default()
        },
        seed: setup.entropy,
    });
    reads.expect("the client's settings are constants that were tested")
}

/// Reads an address that the configuration has already judged.
pub(super) fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url).expect("the configuration accepts only addresses that can be used")
}
