//! Who is shown what happens, beside the log and the status plane: an OTLP receiver.
//!
//! Started before the first actor and stopped after the last one. The one idea: a spectator that cannot be started costs
//! a line of the log and nothing else, because trading never waits for one.

use crate::cli::version::BUILD;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::observer::Watcher;
use crate::otlp::{self, Exporter, OtlpParts, Resource};
use config::settings::{self, Settings};
use engine::time::Timestamp;

/// Who runs, as the spectators are told.
#[derive(Clone, Debug)]
pub struct Runner {
    /// This process start.
    pub run_id: String,
    /// The account's tag in client ids.
    pub account: String,
    /// Where orders go.
    pub venue: &'static str,
    /// When the process started.
    pub started: Timestamp,
}

/// The spectators of one run.
#[derive(Default)]
pub struct Spectators {
    exporter: Option<Exporter>,
}

impl Spectators {
    /// Starts what is configured; returns it with who must be shown the reports.
    pub fn start(
        settings: &Settings,
        runner: &Runner,
        metrics: &Metrics,
        clock: &Clock,
    ) -> (Self, Vec<Watcher>) {
        let (exporter, watcher) = exporter(settings, runner, metrics, clock).unzip();
        (Self { exporter }, watcher.into_iter().collect())
    }

    /// Lets each say its last, two seconds at most.
    pub fn stop(self) {
        if let Some(exporter) = self.exporter {
            exporter.stop();
        }
    }
}

fn exporter(
    settings: &Settings,
    runner: &Runner,
    metrics: &Metrics,
    clock: &Clock,
) -> Option<(Exporter, Watcher)> {
    let observability = &settings.observability;
    if !observability.enabled || observability.exporter != settings::Exporter::Otlp {
        return None;
    }
    let started = otlp::start(OtlpParts {
        endpoint: observability.otlp_endpoint.clone()?,
        metrics: metrics.clone(),
        clock: clock.clone(),
        resource: Resource {
            run_id: runner.run_id.clone(),
            account: runner.account.clone(),
            venue: runner.venue,
            version: BUILD.version,
            started: runner.started,
        },
    });
    match started {
        Ok(running) => Some(running),
        Err(error) => {
            tracing::error!(event = "otlp_not_started", error = %error);
            None
        }
    }
}
