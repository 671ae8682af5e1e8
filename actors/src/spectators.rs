//! Who is shown what happens, beside the log and the status plane: an OTLP receiver and a webhook.
//!
//! Started before the first actor and stopped after the last one. The one idea: a spectator that cannot be started costs
//! a line of the log and nothing else, because trading never waits for one.

use crate::cli::version::BUILD;
use crate::clock::Clock;
use crate::metrics::{Metrics, Severity};
use crate::observer::Watcher;
use crate::otlp::{self, Exporter, OtlpParts, Resource};
use crate::outbox::{Hook, Outbox, Teller};
use config::secret_hook::HookKey;
use config::settings::{self, Settings};
use engine::time::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// Who runs, as the spectators are told.
#[derive(Clone, Debug)]
pub struct Runner {
    /// This process start.
    pub run_id: String,
    /// The account's tag in client ids.
    pub account: String,
    /// Where orders go.
    pub venue: &'static str,
    /// Real orders may leave.
    pub is_armed: bool,
    /// Which configuration runs.
    pub config_hash: String,
    /// When the process started.
    pub started: Timestamp,
}

/// How the run ended, as the spectators are told.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Why.
    pub cause: String,
    /// Own orders that had not ended.
    pub leftovers: usize,
    /// The exit code.
    pub exit: u8,
}

/// The spectators of one run.
#[derive(Default)]
pub struct Spectators {
    exporter: Option<Exporter>,
    outbox: Option<Outbox>,
}

impl Spectators {
    /// Starts what is configured; returns it with who must be shown the reports.
    pub fn start(
        settings: &Settings,
        hook_key: Option<Arc<HookKey>>,
        runner: &Runner,
        metrics: &Metrics,
        clock: &Clock,
    ) -> (Self, Vec<Watcher>) {
        let (exporter, otlp) = exporter(settings, runner, metrics, clock).unzip();
        let outbox = outbox(settings, hook_key, runner, metrics, clock);
        let news = outbox.as_ref().map(Outbox::watcher);
        let watchers = otlp.into_iter().chain(news).collect();
        (Self { exporter, outbox }, watchers)
    }

    /// Lets each say its last, two seconds at most.
    pub fn stop(self, ending: &Ending) {
        if let Some(outbox) = &self.outbox {
            let data = json!({
                "cause": ending.cause,
                "leftovers": ending.leftovers,
                "exit": ending.exit,
            });
            outbox.tell("stop", Severity::Critical, data);
        }
        if let Some(exporter) = self.exporter {
            exporter.stop();
        }
        if let Some(outbox) = self.outbox {
            outbox.close();
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

/// The webhook, told of the start as the first thing.
fn outbox(
    settings: &Settings,
    key: Option<Arc<HookKey>>,
    runner: &Runner,
    metrics: &Metrics,
    clock: &Clock,
) -> Option<Outbox> {
    let hook = Hook {
        url: settings.events.webhook_url.clone()?,
        key: key?,
    };
    let teller = Teller {
        run_id: runner.run_id.clone(),
        account: runner.account.clone(),
    };
    match Outbox::open(hook, metrics.clone(), clock.clone(), teller) {
        Ok(outbox) => {
            let data = json!({
                "version": BUILD.version,
                "venue": runner.venue,
                "armed": runner.is_armed,
                "config_hash": runner.config_hash,
            });
            outbox.tell("start", Severity::Info, data);
            Some(outbox)
        }
        Err(error) => {
            tracing::error!(event = "outbox_not_started", error = %error);
            None
        }
    }
}
