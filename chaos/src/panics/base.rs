//! What every system of real actors shares with its ground: time, mailboxes, gate and metrics.
//!
//! It starts nothing. The one idea: it is made before the ground and before any actor, so that both hold the same gate.

use actors::cli::version::BUILD;
use actors::clock::Clock;
use actors::driver::endpoint::Endpoint;
use actors::driver::stream::StreamParts;
use actors::driver::{Keys, tls};
use actors::gate::{Flag, GateOwner};
use actors::journal::JournalEvent;
use actors::market_feed::{Approach, MarketFeedPort};
use actors::metrics::Metrics;
use actors::observer::Eyes;
use actors::order_router::{self, Waiting};
use actors::system::Links;
use engine::mode::ModeCode;
use std::sync::Arc;
use std::time::Duration;

/// What a ground is made of, and the system on it.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) clock: Clock,
    pub(crate) links: Links,
    pub(crate) owner: Arc<GateOwner>,
    pub(crate) eyes: Eyes,
    pub(crate) metrics: Metrics,
    /// Outlives every instance of the feed.
    pub(super) approach: Approach,
}

impl Base {
    /// Makes the parts of one system. The gate is shut for its mode alone.
    pub(crate) fn new(clock: Clock) -> Self {
        let owner = Arc::new(GateOwner::new());
        open(&owner);
        Self {
            links: Links::default(),
            owner,
            eyes: Eyes::default(),
            metrics: Metrics::new(BUILD, &[], clock.now()),
            approach: Approach::default(),
            clock,
        }
    }

    /// What the journal's events do: orders that are on disk are told, and a failure kills.
    pub(crate) fn on_event(&self, waiting: &Waiting) -> impl FnMut(JournalEvent) + Send + 'static {
        let (router, gate) = (self.links.router.clone(), self.owner.gate());
        let (waiting, eyes) = (waiting.clone(), Eyes::default());
        move |event| match event {
            JournalEvent::Durable { seq, .. } => {
                order_router::report_durable(&waiting, seq, &router, &gate, &eyes);
            }
            JournalEvent::Failed(_) => {
                gate.kill(ModeCode::JournalError);
            }
        }
    }

    /// Makes the feed's real port; `url` is where it connects.
    pub(crate) fn feed_port(&self, url: &str, keys: &Keys) -> MarketFeedPort {
        let source = StreamParts {
            endpoint: Endpoint::parse(url).expect("a loopback address"),
            tls: tls::client_config(),
            keys: keys.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            connect_time_max: Duration::from_secs(5),
        };
        let (gate, eyes) = (self.owner.gate(), self.eyes.clone());
        let approach = self.approach.clone();
        MarketFeedPort::new(source, approach, &self.links, false, gate, eyes)
    }
}

/// Lowers what only the start has raised; the flag of the mode is the RiskGate's to lower.
fn open(owner: &GateOwner) {
    let gate = owner.gate();
    for flag in Flag::ALL.into_iter().filter(|flag| *flag != Flag::Observe) {
        owner
            .lower(flag, gate.serial())
            .expect("nobody else has the gate yet");
    }
}
