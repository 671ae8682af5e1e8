//! A client for reads and cancels of a command that works beside no engine.
//!
//! It acts on its own: what it costs is told to nobody, and it ends with the command.

use crate::cli::demo::entropy;
use crate::cli::version::BUILD;
use crate::clock::{Clock, StampSource};
use crate::driver::Keys;
use crate::driver::reads::Reads;
use crate::driver::toll::Toll;
use crate::metrics::Metrics;
use crate::operate::client::{Around, client};
use btcturk::sign::Signer;
use config::load::Loaded;
use std::io;
use std::sync::Arc;

/// Requests a second over all groups of reads, of a command that asks and ends.
const REQUESTS_PER_SECOND: usize = 8;

/// Makes a client that asks so often at most over all groups of reads.
pub fn alone(
    loaded: &Loaded,
    signer: Arc<Signer>,
    clock: &Clock,
    requests_per_second: usize,
) -> Reads {
    let settings = loaded.settings();
    let around = Around {
        toll: Toll::default(),
        settings,
        clock,
        metrics: &Metrics::new(BUILD, &settings.market.symbols, clock.now()),
        requests_per_second,
        seed: entropy(),
    };
    client(&around, Keys::from(signer), StampSource::new(clock.clone()))
}

/// Asks what a command has to ask, on a runtime of its own, with the exchange's time in the stamps.
///
/// # Errors
/// The runtime cannot be made.
pub fn ask<T>(
    loaded: &Loaded,
    signer: Arc<Signer>,
    clock: &Clock,
    questions: impl AsyncFnOnce(Reads) -> T,
) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(async {
        let reads = alone(loaded, signer, clock, REQUESTS_PER_SECOND);
        // A request with a wrong stamp is refused; without the exchange's time the host's clock has to do.
        if let Ok(offset) = reads.clock_offset().await {
            clock.set_offset(offset);
        }
        questions(reads).await
    }))
}
