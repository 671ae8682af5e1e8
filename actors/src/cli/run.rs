//! `run`: the engine as configured, until it is asked to stop.
//!
//! Blocked is a state, not a failure: whatever the configuration says, the process reconciles, cancels what it may
//! cancel, and tells why it does not trade.

use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::init::venue_dir;
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::cli::state;
use crate::cli::version::BUILD;
use crate::cli::{ConfigSource, RunArgs, demo::entropy};
use crate::clock::Clock;
use crate::control::place::{self, Bound, PlaceError};
use crate::driver::Keys;
use crate::gate::{Flag, GateOwner};
use crate::latch::Latch;
use crate::locks::{AccountLock, DirLock, LockError};
use crate::logging::{self, Logging};
use crate::metrics::{Metrics, disk};
use crate::observer::{Figures, Observed, SharedStatus, Watcher};
use crate::operate::{self, Cause, Ended, Exchange, Reloadable, Setup, Until};
use crate::ops::{self, Pictures, PlaneParts, Port};
use crate::out;
use crate::params;
use crate::redact::Filter;
use crate::reload::Again;
use crate::secrets;
use crate::signals::Signals;
use crate::spectators::{Ending, Runner, Spectators};
use crate::status::{Identity, Status};
use crate::store::{self, Header, Store, StoreError, Venue};
use config::arming::{self, Armed, Assessment};
use config::load::Loaded;
use config::settings::{Exporter, Format, Role, Settings};
use engine::checkpoint::Fold;
use engine::ids::AccountTag;
use engine::mode::Mode;
use engine::time::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Requests a second over all groups of reads; cancels are not bound by it.
const REQUESTS_PER_SECOND: usize = 8;
/// How long `--once` waits to become ready.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(60);

/// Runs the engine.
///
/// # Errors
/// Configuration, permissions, a held lock, an unusable journal, or a port in use.
pub fn run(args: &RunArgs, mut signals: Signals) -> Outcome {
    let forced = Forced {
        dry_run: args.dry_run,
        safe_mode: args.safe_mode,
    };
    let loaded = Arc::new(resolve::load(&args.source, forced)?);
    config::secrets::credentials_usable(loaded.settings(), loaded.secrets())
        .map_err(|error| Failed::new(Exit::Permission, error.to_string()))?;
    actix_rt::System::new().block_on(async { trade(args, forced, loaded, &mut signals).await })
}

async fn trade(
    args: &RunArgs,
    forced: Forced,
    loaded: Arc<Loaded>,
    signals: &mut Signals,
) -> Outcome {
    let wish = Wish {
        settings: Arc::new(loaded.settings().clone()),
        loaded,
        is_silent: args.json,
        watcher: mode_lines(args.json),
        again: Some(again(args.source.clone(), forced)),
    };
    let ready = prepare(wish, signals).await?;
    let until = Until {
        elapsed: args.run_for,
        cycles: if args.once { Some(1) } else { args.max_cycles },
        ready_within: args.once.then_some(READY_WITHIN),
        ..Until::default()
    };
    let ended = operate::operate(ready.setup, signals, until, async |_reads| ())
        .await
        .map_err(unusable)?;
    let exit = conclude(args, &ended, &ready.assessment, &ready.status);
    ready.beside.stop(&ended, exit);
    Ok(exit)
}

/// What is to be run.
pub(crate) struct Wish {
    /// The configuration, which arms or does not.
    pub(crate) loaded: Arc<Loaded>,
    /// What of it is run.
    pub(crate) settings: Arc<Settings>,
    /// Nothing is said to people.
    pub(crate) is_silent: bool,
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
    _locks: (Option<DirLock>, Option<AccountLock>),
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
    pub(crate) fn stop(self, ended: &Ended, exit: Exit) {
        self.serving.abort();
        if let Some(looking) = self.looking {
            looking.abort();
        }
        self.spectators.stop(&Ending {
            cause: cause(&ended.cause),
            leftovers: ended.leftovers.len(),
            exit: exit.code(),
        });
    }
}

/// Opens everything that a run needs: log, locks, journal, control socket, status plane.
///
/// # Errors
/// Permissions, a held lock, an unusable journal, or a port in use.
pub(crate) async fn prepare(wish: Wish, signals: &mut Signals) -> Result<Ready, Failed> {
    let (loaded, settings) = (&Arc::clone(&wish.loaded), Arc::clone(&wish.settings));
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
    let is_dry = settings.safety.dry_run;
    let (armed, assessment) = judge(loaded, now);
    let place = Place::open(loaded, &run_id, now)?;
    let mut figures = Figures {
        metrics: Metrics::new(BUILD, &settings.market.symbols, now),
        pictures: Pictures::default(),
        dropped_lines: logging.dropped_counter(),
        spectators: Vec::new(),
    };
    figures.metrics.armed(armed.is_some());
    figures.metrics.configured(&settings);
    for reason in &assessment.reasons {
        figures.metrics.arming_blocked(reason.code());
    }
    let runner = Runner {
        run_id: run_id.clone(),
        account: place.tag.to_string(),
        venue: assessment.venue.as_str(),
        is_armed: assessment.is_armed(),
        config_hash: loaded.config_hash().to_owned(),
        started: now,
    };
    let (metrics, key) = (&figures.metrics, loaded.hook_key());
    let (spectators, watchers) = Spectators::start(&settings, key, &runner, metrics, &clock);
    figures.spectators = watchers;
    let looking = place.watched(loaded, &figures.metrics);
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
    let serving = actix_rt::spawn(ops::serve(plane, parts));

    let opening_mode = match (settings.safety.safe_mode, is_dry || assessment.is_armed()) {
        (false, true) => Mode::Normal,
        (true, _) | (false, false) => Mode::ObserveOnly,
    };
    figures.metrics.mode(opening_mode);
    figures.metrics.safe_mode(settings.safety.safe_mode);
    let tag = place.tag.to_string();
    let banner = resolve::banner(loaded, &assessment, opening_mode, &[], &tag);
    say(wish.is_silent, &banner);
    say(
        wish.is_silent,
        &format!(
            "status http://{address}/status   metrics http://{address}/metrics   page http://{address}/\n"
        ),
    );
    if place.past.sum().restored_at().is_some() {
        say(wish.is_silent, &format!("{}\n", state::restore::PENDING));
    }
    log_start(loaded, &assessment);
    let status: SharedStatus = Arc::new(RwLock::new(Status::default()));
    let key = loaded.secrets().fingerprint();
    let keys =
        match secrets::signer(loaded).map_err(|reason| Failed::new(Exit::Permission, reason))? {
            Some(signer) => Keys::from(signer),
            None => Keys::none(),
        };
    let codes = assessment.reasons.iter().map(|reason| reason.code());
    let setup = Setup {
        entropy: entropy(),
        quote: params::account_quote(),
        tag: place.tag,
        exchange: if is_dry {
            Exchange::Simulated
        } else {
            Exchange::Live(armed)
        },
        policy_blocks: assessment
            .reasons
            .iter()
            .map(|reason| reason.policy_code())
            .collect(),
        keys,
        latch: Latch::boot(
            place.control.as_ref().map(|_| settings.state.dir.as_path()),
            place.past.sum().kill(),
            owner.gate(),
            clock.clone(),
        ),
        owner,
        store: place.store,
        past: place.past,
        figures,
        status: Arc::clone(&status),
        identity: Identity {
            run_id,
            venue: assessment.venue.as_str(),
            is_armed: assessment.is_armed(),
            blocked: codes.map(str::to_owned).collect(),
            account: tag,
            key,
            started: now,
        },
        requests_per_second: REQUESTS_PER_SECOND,
        watcher: Some(wish.watcher),
        reloadable: wish.again.map(|again| Reloadable {
            loaded: Arc::clone(loaded),
            filter,
            logging: Arc::clone(&logging),
            again,
        }),
        control: place.control,
        settings,
        clock,
    };
    Ok(Ready {
        setup,
        assessment,
        status,
        beside: Beside {
            serving,
            looking,
            spectators,
        },
        _locks: place.locks,
    })
}

/// The configuration's verdict; an armed one brings its proof.
fn judge(loaded: &Loaded, now: Timestamp) -> (Option<Armed>, Assessment) {
    let assessment = arming::assess(loaded, now);
    (arming::arm(loaded, now).ok(), assessment)
}

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

/// What a start holds on to: locks for as long as it lives, the journal, and the account's tag.
struct Place {
    store: Store,
    past: Fold,
    tag: AccountTag,
    /// Absent without a state directory.
    control: Option<Bound>,
    locks: (Option<DirLock>, Option<AccountLock>),
}

impl Place {
    fn open(loaded: &Loaded, run_id: &str, now: Timestamp) -> Result<Self, Failed> {
        let settings = loaded.settings();
        if settings.safety.process_role == Role::Monitor {
            return Self::in_memory(now);
        }
        let venue = if settings.safety.dry_run {
            Venue::Dry
        } else {
            Venue::Live
        };
        let dir_lock = DirLock::take(&settings.state.dir, run_id).map_err(|error| held(&error))?;
        let account_lock = match (venue, loaded.secrets().fingerprint()) {
            (Venue::Live, Some(fingerprint)) => {
                Some(AccountLock::take(&fingerprint).map_err(|error| held(&error))?)
            }
            (Venue::Live | Venue::Dry | Venue::Demo, _) => None,
        };
        // Under the directory's lock: whatever lies in its place was left behind.
        let control = place::bind(&settings.state.dir).map_err(|error| unplaced(&error))?;
        let dir = venue_dir(&settings.state.dir, venue);
        if venue == Venue::Dry && !dir.exists() {
            create_dry(&dir, now)?;
        }
        let opened = Store::resume(&dir, venue).and_then(|(store, history)| {
            let past = history.fold(params::account_quote())?;
            Ok((store, past))
        });
        let (store, past) =
            opened.map_err(|error| unusable_at(&dir.join(store::FILE_NAME), error))?;
        let tag = AccountTag::parse(&store.header().account_tag)
            .map_err(|_| Failed::new(Exit::Store, "the journal's account tag is unreadable"))?;
        Ok(Self {
            store,
            past,
            tag,
            control: Some(control),
            locks: (Some(dir_lock), account_lock),
        })
    }

    /// Looks at the disk that holds the state, before the first scrape and from then on.
    fn watched(&self, loaded: &Loaded, metrics: &Metrics) -> Option<JoinHandle<()>> {
        self.control.as_ref()?;
        let (dir, venue) = (&loaded.settings().state.dir, self.store.header().venue);
        let file = venue_dir(dir, venue).join(store::FILE_NAME);
        metrics.state_disk(disk::look(dir, &file));
        Some(actix_rt::spawn(disk::watch(
            metrics.clone(),
            dir.clone(),
            file,
        )))
    }

    /// A monitor writes nothing to the exchange and keeps nothing on disk.
    fn in_memory(now: Timestamp) -> Result<Self, Failed> {
        let tag = AccountTag::from_entropy(entropy());
        let store =
            Store::in_memory(&Header::new(Venue::Demo, &tag.to_string(), now)).map_err(unusable)?;
        Ok(Self {
            store,
            past: Fold::new(params::account_quote()),
            tag,
            control: None,
            locks: (None, None),
        })
    }
}

/// Only the state of a dry run is made without being asked for, and only where there is none at all.
fn create_dry(dir: &Path, now: Timestamp) -> Result<(), Failed> {
    crate::locks::private_dir(dir).map_err(|error| held(&error))?;
    let tag = AccountTag::from_entropy(entropy());
    store::create(dir, &Header::new(Venue::Dry, &tag.to_string(), now)).map_err(unusable)
}

/// Says early that another process holds the state. It may come to hold it later; then the start itself says so.
pub(crate) fn unheld(loaded: &Loaded) -> Result<(), Failed> {
    let dir = &loaded.settings().state.dir;
    DirLock::take(dir, "a look")
        .map(drop)
        .map_err(|error| held(&error))
}

/// Turns a lock that is not to be had into the end of a command.
pub(crate) fn held(error: &LockError) -> Failed {
    let exit = if error.exit_code() == crate::locks::EXIT_HELD {
        Exit::AlreadyRunning
    } else {
        Exit::Permission
    };
    Failed::new(exit, error.to_string())
}

fn unplaced(error: &PlaceError) -> Failed {
    let exit = match error {
        PlaceError::TooLong { .. } => Exit::Config,
        PlaceError::Taken { .. } | PlaceError::Io { .. } => Exit::Permission,
    };
    Failed::new(exit, error.to_string())
}

/// Says which journal cannot be used, why, and what can be done.
pub(crate) fn unusable_at(path: &Path, error: StoreError) -> Failed {
    let failed = unusable(error);
    Failed::new(
        failed.exit,
        format!("{}: {}", path.display(), failed.message),
    )
}

pub(crate) fn unusable(error: StoreError) -> Failed {
    let exit = match &error {
        StoreError::Newer { .. } => Exit::Config,
        StoreError::WrongVenue { .. } => Exit::Refused,
        StoreError::InUse => Exit::AlreadyRunning,
        StoreError::Missing
        | StoreError::Exists
        | StoreError::Empty
        | StoreError::Damaged(_)
        | StoreError::Foreign
        | StoreError::Io(_) => Exit::Store,
    };
    let hint = match &error {
        StoreError::Missing => " (`btcbot init --live` creates the state of the live venue)",
        StoreError::Empty | StoreError::Damaged(_) | StoreError::Foreign => {
            " (`btcbot state restore` brings a backup back, `btcbot state recover` starts again from the exchange)"
        }
        StoreError::Exists
        | StoreError::Newer { .. }
        | StoreError::WrongVenue { .. }
        | StoreError::InUse
        | StoreError::Io(_) => "",
    };
    Failed::new(exit, format!("{error}{hint}"))
}

fn again(source: ConfigSource, forced: Forced) -> Again {
    Arc::new(move || resolve::load(&source, forced).map_err(|failed| failed.message))
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

/// Nobody has to read along: losing the reader must not end a process with open orders.
fn say(is_silent: bool, text: &str) {
    if !is_silent {
        out::offer_text(text);
    }
}

/// One line on stdout whenever the mode or its reasons change.
fn mode_lines(is_silent: bool) -> Watcher {
    let last: Mutex<String> = Mutex::default();
    Arc::new(move |observed: &Observed, _status: &Status| {
        let Observed::Mode(report) = observed else {
            return;
        };
        let codes: Vec<&str> = report
            .voices
            .iter()
            .map(|voice| voice.code.as_str())
            .collect();
        let line = format!("mode {} {}", report.mode.as_str(), codes.join(", "));
        let mut last = last.lock().expect("nobody panics with the last line");
        if is_silent || *last == line {
            return;
        }
        out::offer_text(&format!("{}\n", line.trim_end()));
        *last = line;
    })
}

fn conclude(args: &RunArgs, ended: &Ended, assessment: &Assessment, status: &SharedStatus) -> Exit {
    let status = status.read().expect("no holder of the status can panic");
    let counts = status.counts;
    let leftovers: Vec<String> = ended
        .leftovers
        .iter()
        .map(|view| view.client_id().to_string())
        .collect();
    let denials: BTreeMap<_, _> = status.denials.iter().collect();
    let exit = exit_of(args, ended, assessment);
    let data = json!({
        "cause": cause(&ended.cause),
        "cycles": ended.cycles,
        "venue": assessment.venue.as_str(),
        "armed": assessment.is_armed(),
        "mode": status.mode.as_str(),
        "intents": counts.intents,
        "denied": counts.denied,
        "denials": denials,
        "submitted": counts.submitted,
        "accepted": counts.accepted,
        "fills": counts.fills,
        "cancels": counts.cancels,
        "unknown_orders": status.unknown_orders(),
        "leftovers": leftovers,
        "equity": status.money.as_ref().and_then(|money| money.equity),
        "restarts": counts.restarts,
    });
    let text = format!(
        "stopped ({}): {} cycles, {} intents, {} denied, {} accepted, {} fills, {} cancels, {} left over\n{}",
        cause(&ended.cause),
        ended.cycles,
        counts.intents,
        counts.denied,
        counts.accepted,
        counts.fills,
        counts.cancels,
        leftovers.len(),
        leftovers
            .iter()
            .map(|id| format!("left over: {id}\n"))
            .collect::<String>(),
    );
    let report = Report {
        command: "run",
        ok: exit == Exit::Ok,
        data,
        warnings: Vec::new(),
    };
    // The exit code is the verdict, whoever still reads.
    out::offer_text(&if args.json {
        format!("{}\n", report.to_json())
    } else {
        text
    });
    exit
}

fn exit_of(args: &RunArgs, ended: &Ended, assessment: &Assessment) -> Exit {
    match &ended.cause {
        Cause::Fatal(_) => Exit::Internal,
        Cause::Journal(_) => Exit::Store,
        Cause::Quit => Exit::Quit,
        Cause::NotReady(missing) if missing.contains(&"clock") => Exit::Unreachable,
        Cause::NotReady(_) => Exit::Deadline,
        Cause::Done | Cause::Asked if !ended.leftovers.is_empty() => Exit::Deadline,
        // A live process that may not trade has done everything else it could.
        Cause::Done | Cause::Asked
            if args.once && assessment.venue == arming::Venue::Live && !assessment.is_armed() =>
        {
            Exit::Refused
        }
        Cause::Done | Cause::Asked => Exit::Ok,
    }
}

/// Says why a run ended.
pub(crate) fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Done => "done".to_owned(),
        Cause::NotReady(missing) => format!("not ready: {}", missing.join(", ")),
        Cause::Asked => "asked to stop".to_owned(),
        Cause::Quit => "quit".to_owned(),
        Cause::Fatal(actor) => format!("{actor} ended"),
        Cause::Journal(why) => format!("journal failed: {why}"),
    }
}
