//! One run of a system, from its first actor to its last record: what `demo` and `run` have in common.
//!
//! It waits for signals, deadlines and failures, and stops in the order that leaves nothing behind.

pub(crate) mod client;
mod cycles;
mod dump;
mod emergency;
mod hand;
mod opening;

use crate::beats::Beats;
use crate::clock::{Clock, StampSource};
use crate::control::place::Bound;
use crate::driver::line::LineLimits;
use crate::driver::reads::Reads;
use crate::driver::stream::StreamParts;
use crate::driver::submit::PortParts;
use crate::driver::toll::Toll;
use crate::driver::{Keys, tls};
use crate::exits::{LiveExits, SimulatedExits, Way};
use crate::gate::GateOwner;
use crate::latch::Latch;
use crate::latch::keeper::OnRecord;
use crate::logging::Logging;
use crate::metrics::Metrics;
use crate::observer::{Eyes, Figures, SharedStatus, Watcher};
use crate::order_router::OwnOrders;
use crate::reconciler::LiveReads;
use crate::redact::Filter;
use crate::reload::{Again, InForce};
use crate::signals::{Event, Signals};
use crate::status::{Bounds, Identity};
use crate::stop::Stop;
use crate::store::{Store, StoreError};
use crate::system::{self, Links, Plan, Running};
use crate::upkeep::Upkeep;
use crate::venue::SimulatedReads;
use client::{Around, client, endpoint};
use config::arming::Armed;
use config::load::Loaded;
use config::settings::Settings;
use emergency::Emergency;
use engine::checkpoint::Fold;
use engine::feed::Access;
use engine::hold::Holds;
use engine::ids::{AccountTag, Asset};
use engine::kill::Resets;
use engine::order::OrderView;
use engine::risk::Venue;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A second wish to stop within so many milliseconds of the first is the first one told twice, and hurries nothing:
/// `timeout` signals its child and then the child's group.
const SAME_WISH_MS: i64 = 100;

/// Where orders go, and whether they may.
pub enum Exchange {
    /// The configured exchange; with the proof of arming, or cancels only.
    Live(Option<Armed>),
    /// Simulated fills against public data.
    Simulated,
}

/// What one run is made of.
pub struct Setup {
    /// Time.
    pub clock: Clock,
    /// Entropy of this start.
    pub entropy: u64,
    /// What the operator configured.
    pub settings: Arc<Settings>,
    /// The account's quote currency.
    pub quote: Asset,
    /// The account's tag in client ids.
    pub tag: AccountTag,
    /// Where orders go.
    pub exchange: Exchange,
    /// Why the configuration does not arm this process.
    pub policy_blocks: Vec<&'static str>,
    /// The key pair, if there is one.
    pub keys: Keys,
    /// The egress gate.
    pub owner: Arc<GateOwner>,
    /// The kill latch, as the start found it.
    pub latch: Latch,
    /// The journal.
    pub store: Store,
    /// What it adds up to.
    pub past: Fold,
    /// Figures, and what they are shown on.
    pub figures: Figures,
    /// The shared picture.
    pub status: SharedStatus,
    /// Fixed facts for the picture.
    pub identity: Identity,
    /// Requests a second over all groups of reads.
    pub requests_per_second: usize,
    /// Somebody who watches.
    pub watcher: Option<Watcher>,
    /// What a reload touches; the demo has none.
    pub reloadable: Option<Reloadable>,
    /// The control socket; a process without a state directory has none.
    pub control: Option<Bound>,
}

/// What a reload touches.
pub struct Reloadable {
    /// The running configuration.
    pub loaded: Arc<Loaded>,
    /// The filter that must know every loaded value.
    pub filter: Filter,
    /// The log, for its levels.
    pub logging: Arc<Logging>,
    /// Reads the configuration again.
    pub again: Again,
}

/// When a run ends by itself.
#[derive(Clone, Debug, Default)]
pub struct Until {
    /// After this time.
    pub elapsed: Option<Duration>,
    /// After this many cycles.
    pub cycles: Option<u32>,
    /// Cycles count only once everything is ready; not ready by then ends the run.
    pub ready_within: Option<Duration>,
    /// The last cycle has its whole time, and its orders run out, before the run ends.
    pub lets_run_out: bool,
    /// As soon as this turns true.
    pub stop: Option<watch::Receiver<bool>>,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its time or its cycles were over.
    Done,
    /// It was not ready in time; what was missing.
    NotReady(Vec<&'static str>),
    /// TERM or INT.
    Asked,
    /// QUIT: sealed without cancelling.
    Quit,
    /// An actor of the order path ended.
    Fatal(&'static str),
    /// The journal failed.
    Journal(String),
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Why.
    pub cause: Cause,
    /// Own orders that had not ended.
    pub leftovers: Vec<OrderView>,
    /// Cycles that were begun.
    pub cycles: u32,
}

/// Runs a system until it is asked to stop. `settled` is called after the orders are settled and before the actors end.
///
/// # Errors
/// The system could not be started.
pub async fn operate(
    setup: Setup,
    signals: &mut Signals,
    until: Until,
    settled: impl AsyncFnOnce(&Reads),
) -> Result<Ended, StoreError> {
    let mut parts = Parts::of(&setup);
    parts.metrics.kill_latched(parts.latch.current().is_some());
    let on_record = OnRecord {
        kill: setup.past.sum().kill().map(|kill| kill.id),
        is_safe: setup.past.sum().money().safe_since().is_some(),
    };
    // Before any actor lives and may raise a flag: what one has raised, a start must not lower. The flag of the mode
    // stays up until the RiskGate lowers it.
    parts.open(on_record.is_safe);
    let mut running = parts.start(setup)?;
    #[cfg(debug_assertions)]
    if let Some(dir) = parts.latch.dir() {
        let hang = crate::hang::when_asked(dir.to_owned());
        running.trade.spawn(hang);
    }
    parts.links.order_path_up().await;
    let guards = parts.guards(&running, &on_record)?;
    let watch = parts.watch(signals);
    let operator = Arc::new(parts.operator(&running));
    parts.upkeep(&running);
    let control = parts.control(&operator);
    let (cause, cycles) = parts.run(&mut running, signals, &operator, until).await;
    watch.stopping();
    let leftovers = match cause {
        Cause::Quit => {
            parts.dump();
            parts.own_orders.living()
        }
        Cause::Done | Cause::NotReady(_) | Cause::Asked | Cause::Fatal(_) | Cause::Journal(_) => {
            parts.settle(&running, signals, &cause).await
        }
    };
    settled(&parts.reads).await;
    // The journal closes when its last handle is gone.
    if let Some(control) = control {
        control.stop();
    }
    drop(operator);
    watch.over();
    guards.stop();
    let count = u32::try_from(leftovers.len()).unwrap_or(u32::MAX);
    running.shut_down(count, &parts.clock).await;
    Ok(Ended {
        cause,
        leftovers,
        cycles,
    })
}

/// What outlives the setup.
struct Parts {
    clock: Clock,
    settings: Arc<Settings>,
    owner: Arc<GateOwner>,
    latch: Latch,
    beats: Beats,
    links: Links,
    toll: Toll,
    eyes: Eyes,
    status: SharedStatus,
    own_orders: OwnOrders,
    reads: Reads,
    /// A client that signs with a candidate key pair.
    trial: (Keys, Reads),
    keys: Keys,
    /// What an operator held back before this start.
    holds: Holds,
    /// When the kill switch was reset last.
    resets: Resets,
    metrics: Metrics,
    stamps: StampSource,
    tag: AccountTag,
    /// What a reload needs; a demo has none.
    reloadable: Option<(Again, InForce, Arc<Logging>)>,
    is_unarmed_live: bool,
    may_have_orders: bool,
    is_simulated: bool,
    bound: Option<Bound>,
}

impl Parts {
    fn of(setup: &Setup) -> Self {
        let stamps = StampSource::new(setup.clock.clone());
        let links = Links::default();
        let toll = Toll::new(links.supervisor.clone());
        let around = Around {
            toll: toll.clone(),
            settings: &setup.settings,
            clock: &setup.clock,
            metrics: &setup.figures.metrics,
            requests_per_second: setup.requests_per_second,
            seed: setup.entropy,
        };
        let reads = client(&around, setup.keys.clone(), stamps.clone());
        let candidate = Keys::none();
        // A key pair on trial may be refused without a word.
        let around = Around {
            toll: Toll::default(),
            ..around
        };
        Self {
            clock: setup.clock.clone(),
            settings: Arc::clone(&setup.settings),
            owner: Arc::clone(&setup.owner),
            latch: setup.latch.clone(),
            beats: Beats::new(setup.clock.clone()),
            links,
            toll,
            eyes: Eyes::default(),
            status: Arc::clone(&setup.status),
            own_orders: OwnOrders::default(),
            reads,
            trial: (
                candidate.clone(),
                client(&around, candidate, stamps.clone()),
            ),
            keys: setup.keys.clone(),
            resets: setup.past.sum().resets().clone(),
            holds: setup.past.sum().money().holds().clone(),
            metrics: setup.figures.metrics.clone(),
            stamps,
            tag: setup.tag,
            reloadable: None,
            is_unarmed_live: matches!(setup.exchange, Exchange::Live(None)),
            may_have_orders: matches!(setup.exchange, Exchange::Live(_))
                && setup.keys.current().is_some(),
            is_simulated: matches!(setup.exchange, Exchange::Simulated),
            bound: None,
        }
    }

    fn start(&mut self, mut setup: Setup) -> Result<Running, StoreError> {
        self.bound = setup.control.take();
        let secrets = setup.reloadable.map(|reloadable| self.secrets(reloadable));
        {
            let status = self.status.write();
            let mut status = status.expect("no holder of the status can panic");
            status.identity = setup.identity;
            status.bounds = Some(Bounds::of(&self.settings));
        }
        let has_keys = setup.keys.current().is_some();
        let is_simulated = self.is_simulated;
        let plan = Plan {
            clock: setup.clock,
            beats: self.beats.clone(),
            entropy: setup.entropy,
            settings: Arc::clone(&self.settings),
            quote: setup.quote,
            tag: setup.tag,
            venue: if is_simulated {
                Venue::Simulated
            } else {
                Venue::Live
            },
            policy_blocks: setup.policy_blocks,
            owner: setup.owner,
            past: setup.past,
            // A dry run reads nothing private.
            access: if has_keys && !is_simulated {
                Access::Private
            } else {
                Access::Public
            },
            stream: StreamParts {
                endpoint: endpoint(self.settings.exchange.ws_url.as_str()),
                tls: tls::client_config(),
                keys: self.keys.clone(),
                clock: self.clock.clone(),
                metrics: setup.figures.metrics.clone(),
                connect_time_max: Duration::from_secs(10),
            },
            figures: setup.figures,
            links: self.links.clone(),
            eyes: self.eyes.clone(),
            status: Arc::clone(&self.status),
            watcher: setup.watcher,
            own_orders: self.own_orders.clone(),
            voices: self.voices(),
            secrets,
        };
        match setup.exchange {
            Exchange::Live(armed) => self.start_live(plan, setup.store, armed),
            Exchange::Simulated => self.start_simulated(plan, setup.store),
        }
    }

    fn start_live(
        &self,
        plan: Plan,
        store: Store,
        armed: Option<Armed>,
    ) -> Result<Running, StoreError> {
        let way = Way {
            client: self.reads.clone(),
            router: self.links.router.clone(),
            risk: self.links.risk.clone(),
            toll: self.toll.clone(),
            metrics: self.metrics.clone(),
            gate: self.owner.gate(),
            clock: self.clock.clone(),
            eyes: self.eyes.clone(),
        };
        let parts = PortParts {
            tls: tls::client_config(),
            keys: self.keys.clone(),
            stamps: self.stamps.clone(),
            gate: self.owner.gate(),
            clock: self.clock.clone(),
            pace: self.reads.pace(),
            limits: LineLimits {
                connect: Duration::from_millis(
                    u64::try_from(self.settings.exchange.rest.connect_timeout_ms).unwrap_or(0),
                ),
                reply: Duration::from_millis(
                    u64::try_from(self.settings.orders.order_submit_timeout_ms).unwrap_or(0),
                ),
                ..LineLimits::default()
            },
        };
        let exits = move |_: &Links| match armed {
            Some(armed) => LiveExits::armed(armed, parts, way)
                .expect("the armed address was read from the configuration"),
            None => LiveExits::cancels_only(way),
        };
        let client = self.reads.clone();
        let reads = move |links: &Links| LiveReads::new(client.clone(), links.reconciler.clone());
        system::start(plan, store, exits, reads)
    }

    fn start_simulated(&self, plan: Plan, store: Store) -> Result<Running, StoreError> {
        let (gate, eyes) = (self.owner.gate(), self.eyes.clone());
        let exits = move |links: &Links| SimulatedExits {
            venue: links.venue.clone(),
            gate,
            router: links.router.clone(),
            eyes,
        };
        let reads = |links: &Links| SimulatedReads {
            venue: links.venue.clone(),
            reconciler: links.reconciler.clone(),
        };
        system::start(plan, store, exits, reads)
    }

    fn upkeep(&self, running: &Running) {
        let upkeep = Upkeep {
            rest: self.reads.clone(),
            clock: self.clock.clone(),
            links: self.links.clone(),
            rulebook: running.rulebook.clone(),
            gate: self.owner.gate(),
            eyes: self.eyes.clone(),
            symbols: self.settings.market.symbols.iter().copied().collect(),
            skew_ms_warn: self.settings.exchange.clock.skew_ms_warn,
            skew_ms_kill: self.settings.exchange.clock.skew_ms_kill,
        };
        running.rest.spawn(upkeep.clone().watch_clock());
        running.rest.spawn(upkeep.watch_rules());
    }

    async fn settle(
        &self,
        running: &Running,
        signals: &mut Signals,
        cause: &Cause,
    ) -> Vec<OrderView> {
        let (hurry_send, hurry) = watch::channel(false);
        let gate = self.owner.gate();
        let stop = Stop {
            links: &running.links,
            gate: &gate,
            own_orders: &self.own_orders,
            status: &self.status,
            clock: &self.clock,
            hurry,
        };
        let deadline_ms = match cause {
            // Without its order path or its journal the process cannot follow an order to its end.
            Cause::Fatal(_) | Cause::Journal(_) => 0,
            Cause::Done | Cause::NotReady(_) | Cause::Asked | Cause::Quit => {
                self.settings.orders.shutdown_deadline_seconds * 1_000
            }
        };
        let emergency = Emergency {
            reads: &self.reads,
            tag: self.tag,
            clock: &self.clock,
            hurry: stop.hurry.clone(),
        };
        // Nothing of a dry run, or of a process without keys, is at the exchange.
        let is_emergency = deadline_ms == 0 && self.may_have_orders;
        let settled = async {
            if is_emergency {
                emergency.cancel_by_list().await;
            }
            stop.settle(deadline_ms).await
        };
        tokio::pin!(settled);
        let begun = self.clock.now();
        loop {
            tokio::select! {
                biased;
                left = &mut settled => return left,
                event = self.heard(signals) => {
                    let is_echo = self.clock.now().ms_since(begun) < SAME_WISH_MS;
                    if event.is_none() || matches!(event, Some(Event::StopNow)) && !is_echo {
                        hurry_send.send_replace(true);
                    }
                }
            }
        }
    }
}
