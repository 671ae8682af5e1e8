//! The ground of real sockets: submit line, client and stream as `run` makes them, on an exchange of this machine.

use super::exchange::Access;
use crate::panics::base::Base;
use crate::panics::rig::Ground;
use actors::clock::StampSource;
use actors::driver::endpoint::Endpoint;
use actors::driver::line::LineLimits;
use actors::driver::reads::{ReadLimits, ReadParts, Reads};
use actors::driver::submit::PortParts;
use actors::driver::toll::Toll;
use actors::driver::{Keys, tls};
use actors::exits::{LiveExits, Way};
use actors::market_feed::MarketFeedPort;
use actors::reconciler::LiveReads;

/// Everything that connects.
#[derive(Clone)]
pub(super) struct Wire {
    base: Base,
    access: Access,
    keys: Keys,
    stamps: StampSource,
    client: Reads,
}

impl Wire {
    /// Makes the clients; nothing is connected yet.
    ///
    /// # Errors
    /// Keys or an address that cannot be used.
    pub(super) fn new(base: &Base, access: &Access) -> Result<Self, String> {
        let keys = Keys::of(access.key.clone(), access.secret.to_owned())?;
        let stamps = StampSource::new(base.clock.clone());
        let endpoint = Endpoint::parse(&access.rest_url).map_err(|error| error.to_string())?;
        let client = Reads::new(ReadParts {
            endpoint,
            tls: tls::client_config(),
            keys: keys.clone(),
            stamps: stamps.clone(),
            clock: base.clock.clone(),
            metrics: base.metrics.clone(),
            toll: Toll::new(base.links.supervisor.clone()),
            limits: ReadLimits::default(),
            seed: 1,
        });
        Ok(Self {
            base: base.clone(),
            access: access.clone(),
            keys,
            stamps,
            client: client.map_err(|error| error.to_string())?,
        })
    }
}

impl Ground for Wire {
    type Exits = LiveExits;
    type Reads = LiveReads;
    type Feed = MarketFeedPort;

    fn exits(&self) -> LiveExits {
        let gate = self.base.owner.gate();
        let way = Way {
            client: self.client.clone(),
            router: self.base.links.router.clone(),
            risk: self.base.links.risk.clone(),
            toll: Toll::new(self.base.links.supervisor.clone()),
            metrics: self.base.metrics.clone(),
            gate: gate.clone(),
            clock: self.base.clock.clone(),
            eyes: self.base.eyes.clone(),
        };
        let parts = PortParts {
            tls: tls::client_config(),
            keys: self.keys.clone(),
            stamps: self.stamps.clone(),
            gate,
            clock: self.base.clock.clone(),
            pace: actors::driver::pace::Shared::default(),
            limits: LineLimits::default(),
        };
        LiveExits::on_loopback(&self.access.rest_url, parts, way)
            .expect("the server of this process listens on loopback")
    }

    fn reads(&self) -> LiveReads {
        LiveReads::new(self.client.clone(), self.base.links.reconciler.clone())
    }

    fn feed(&self) -> MarketFeedPort {
        self.base.feed_port(&self.access.ws_url, &self.keys)
    }
}
