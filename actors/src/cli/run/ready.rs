//! A run that can start: everything that it needs, opened in the order in which it is needed.
//!
//! No actor lives yet. The one idea: whatever can refuse a start refuses it here, before anything trades.

use super::place::{Locks, Place};
use crate::cli::demo::entropy;
use crate::cli::exit::{Exit, Failed};
use crate::cli::resolve;
use crate::cli::state::restore;
use crate::cli::version::BUILD;
use crate::clock::Clock;
use crate::driver::Keys;
use crate::gate::{Flag, GateOwner};
use crate::latch::Latch;
use crate::logging::{self, Logging};
use crate::metrics::Metrics;
use crate::observer::{Figures, SharedStatus, Watcher};
use crate::operate::{Exchange, Reloadable, Setup};
use crate::ops::{self, Pictures, PlaneParts, Port};
use crate::out::Voice;
use crate::params;
use crate::redact::Filter;
use crate::reload::Again;
use crate::secrets;
use crate::signals::Signals;
use crate::spectators::{Ending, Runner, Spectators};
use crate::status::{Identity, Status};
use config::arming::{self, Armed, Assessment};
use config::load::Loaded;
use config::settings::{Exporter, Format, Settings};
use engine::mode::Mode;
use engine::time::Timestamp;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use tokio::task::JoinHandle;

/// Requests a second over all groups of reads; cancels are not bound by it.
const REQUESTS_PER_SECOND: usize = 8;

/// What is to be run.
pub(crate) struct Wish {
    /// The configuration, which arms or does not.
    pub(crate) loaded: Arc<Loaded>,
    /// What of it is run.
    pub(crate) settings: Arc<Settings>,
    /// Speaks to people.
    pub(crate) voice: Voice,
    /// Who watches.
    pub(crate) watcher: Watcher,
    /// Reads the configuration again; without it nothing is reloaded.
    pub(crate) again: Option<Again>,
}

/// A run that can start. It holds its locks.
pub(crate) struct Ready {
    /// What it is made of.
    pub(crate) setup: Setup,
    /// What the configuration allows.
    pub(crate) assessment: Assessment,
    /// The shared picture.
    pub(crate) status: SharedStatus,
    /// What runs beside it.
    pub(crate) beside: Beside,
    _locks: Locks,
}

/// What runs beside a run and ends after it.
pub(crate) struct Beside {
    /// The status plane.
    serving: JoinHandle<()>,
    /// Looks at the disk.
    looking: Option<JoinHandle<()>>,
    /// Who else is shown what happens.
    spectators: Spectators,
}

impl Beside {
    /// Ends it, and tells the end.
    pub(crate) fn stop(self, ending: &Ending) {
        self.serving.abort();
        if let Some(looking) = self.looking {
            looking.abort();
        }
        self.spectators.stop(ending);
    }
}

/// What stands before anything else of a run: time, log, gate, and the configuration's verdict.
struct Base {
    clock: Clock,
    now: Timestamp,
    run_id: String,
    filter: Filter,
    logging: Arc<Logging>,
    owner: Arc<GateOwner>,
    armed: Option<Armed>,
    assessment: Assessment,
}

impl Base {
    fn lay(loaded: &Loaded, signals: &mut Signals) -> Result<Self, Failed> {
        let clock = Clock::start();
        let run_id = format!("{:x}-{:08x}", clock.now().ms(), entropy() as u32);
        let filter = Filter::default();
        filter.load(loaded.secrets().redactor());
        let logging = install_logging(&clock, &filter, &run_id, loaded)?;
        let owner = Arc::new(GateOwner::new());
        let gate = owner.gate();
        logging::log_panics(move || {
            gate.raise(Flag::Observe);
        });
        signals.connect(owner.gate());
        let now = clock.now();
        Ok(Self {
            armed: arming::arm(loaded, now).ok(),
            assessment: arming::assess(loaded, now),
            clock,
            now,
            run_id,
            filter,
            logging,
            owner,
        })
    }

    /// Figures that are true before the first scrape.
    fn figures(&self, settings: &Settings) -> Figures {
        let figures = Figures {
            metrics: Metrics::new(BUILD, &settings.market.symbols, self.now),
            pictures: Pictures::default(),
            dropped_lines: self.logging.dropped_counter(),
            spectators: Vec::new(),
        };
        let metrics = &figures.metrics;
        metrics.armed(self.armed.is_some());
        metrics.configured(settings);
        for reason in &self.assessment.reasons {
            metrics.arming_blocked(reason.code());
        }
        metrics.mode(self.opening_mode(settings));
        metrics.safe_mode(settings.safety.safe_mode);
        figures
    }

    fn opening_mode(&self, settings: &Settings) -> Mode {
        let may_trade = settings.safety.dry_run || self.assessment.is_armed();
        match (settings.safety.safe_mode, may_trade) {
            (false, true) => Mode::Normal,
            (true, _) | (false, false) => Mode::ObserveOnly,
        }
    }

    fn runner(&self, loaded: &Loaded, place: &Place) -> Runner {
        Runner {
            run_id: self.run_id.clone(),
            account: place.tag.to_string(),
            venue: self.assessment.venue.as_str(),
            is_armed: self.assessment.is_armed(),
            config_hash: loaded.config_hash().to_owned(),
            started: self.now,
        }
    }

    fn identity(&self, loaded: &Loaded, place: &Place) -> Identity {
        let codes = self.assessment.reasons.iter().map(|reason| reason.code());
        Identity {
            run_id: self.run_id.clone(),
            venue: self.assessment.venue.as_str(),
            is_armed: self.assessment.is_armed(),
            blocked: codes.map(str::to_owned).collect(),
            account: place.tag.to_string(),
            key: loaded.secrets().fingerprint(),
            started: self.now,
        }
    }

    /// Tells people, and the log, what starts and what it may do.
    fn announce(&self, wish: &Wish, place: &Place, address: SocketAddr) {
        let (loaded, mode) = (&wish.loaded, self.opening_mode(&wish.settings));
        let tag = place.tag.to_string();
        let banner = resolve::banner(loaded, &self.assessment, mode, &[], &tag);
        wish.voice.say(&banner);
        wish.voice.say(&format!(
            "status http://{address}/status   metrics http://{address}/metrics   page http://{address}/\n"
        ));
        if place.past.sum().restored_at().is_some() {
            wish.voice.say(&format!("{}\n", restore::PENDING));
        }
        log_start(loaded, &self.assessment);
    }
}

/// Opens everything that a run needs: log, locks, journal, control socket, status plane.
///
/// # Errors
/// Permissions, a held lock, an unusable journal, or a port in use.
pub(crate) async fn prepare(wish: Wish, signals: &mut Signals) -> Result<Ready, Failed> {
    let (loaded, settings) = (Arc::clone(&wish.loaded), Arc::clone(&wish.settings));
    let base = Base::lay(&loaded, signals)?;
    let place = Place::open(&loaded, &base.run_id, base.now)?;
    let mut figures = base.figures(&settings);
    let runner = base.runner(&loaded, &place);
    let (metrics, hook) = (&figures.metrics, loaded.hook_key());
    let (spectators, watchers) = Spectators::start(&settings, hook, &runner, metrics, &base.clock);
    let looking = place.watched(&loaded, metrics);
    figures.spectators = watchers;
    let (serving, address) = serve(&settings, &figures, &base.clock).await?;
    base.announce(&wish, &place, address);
    let keys = secrets::signer(&loaded);
    let keys = keys.map_err(|reason| Failed::new(Exit::Permission, reason))?;
    let status: SharedStatus = Arc::new(RwLock::new(Status::default()));
    let identity = base.identity(&loaded, &place);
    let reasons = base.assessment.reasons.iter();
    let setup = Setup {
        entropy: entropy(),
        quote: params::account_quote(),
        tag: place.tag,
        exchange: if settings.safety.dry_run {
            Exchange::Simulated
        } else {
            Exchange::Live(base.armed)
        },
        policy_blocks: reasons.map(|reason| reason.policy_code()).collect(),
        keys: keys.map_or_else(Keys::none, Keys::from),
        latch: Latch::boot(
            place.control.as_ref().map(|_| settings.state.dir.as_path()),
            place.past.sum().kill(),
            base.owner.gate(),
            base.clock.clone(),
        ),
        owner: base.owner,
        store: place.store,
        past: place.past,
        figures,
        status: Arc::clone(&status),
        identity,
        requests_per_second: REQUESTS_PER_SECOND,
        watcher: Some(wish.watcher),
        reloadable: wish.again.map(|again| Reloadable {
            loaded,
            filter: base.filter,
            logging: base.logging,
            again,
        }),
        control: place.control,
        settings,
        clock: base.clock,
    };
    Ok(Ready {
        setup,
        assessment: base.assessment,
        status,
        beside: Beside {
            serving,
            looking,
            spectators,
        },
        _locks: place.locks,
    })
}

/// Opens the status plane and serves it.
async fn serve(
    settings: &Settings,
    figures: &Figures,
    clock: &Clock,
) -> Result<(JoinHandle<()>, SocketAddr), Failed> {
    let plane = ops::bind(settings.ops.address, Port::Exact(settings.ops.port)).await;
    let plane = plane.map_err(|error| {
        Failed::new(
            Exit::Failure,
            format!("{error}; OBSERVABILITY_PROMETHEUS_PORT chooses another port"),
        )
    })?;
    let address = plane.address;
    let shows_metrics =
        settings.observability.enabled && settings.observability.exporter != Exporter::None;
    let parts = PlaneParts {
        metrics: shows_metrics.then(|| figures.metrics.clone()),
        pictures: figures.pictures.clone(),
        clock: clock.clone(),
        hosts: settings.ops.hosts.clone(),
    };
    Ok((actix_rt::spawn(ops::serve(plane, parts)), address))
}

/// Installs the log as configured.
///
/// # Errors
/// A second log in one process.
pub(crate) fn install_logging(
    clock: &Clock,
    filter: &Filter,
    run_id: &str,
    loaded: &Loaded,
) -> Result<Arc<Logging>, Failed> {
    let settings = loaded.settings();
    let format = match settings.log.format {
        Format::Auto => logging::Format::Auto,
        Format::Json => logging::Format::Json,
        Format::Pretty => logging::Format::Pretty,
    };
    let levels = secrets::levels(settings);
    let logging = Logging::install(clock.clone(), filter.clone(), run_id, format, levels);
    logging
        .map(Arc::new)
        .map_err(|error| Failed::new(Exit::Internal, error.to_string()))
}

fn log_start(loaded: &Loaded, assessment: &Assessment) {
    let check = assessment.check;
    tracing::info!(
        event = "arm_check",
        role_live = check.role_live,
        kill_off = check.kill_off,
        safe_off = check.safe_off,
        dry_off = check.dry_off,
        live_on = check.live_on,
        ack_ok = check.ack_ok,
        credentials_present = check.credentials_present,
        armed = check.armed,
        config_hash = loaded.config_hash()
    );
    for warning in loaded.warnings() {
        tracing::warn!(event = "config_warning", msg = %warning);
    }
}
