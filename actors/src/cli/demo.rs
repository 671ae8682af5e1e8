//! `demo`: the live code path against an embedded exchange, over real sockets, with throw-away keys.
//!
//! Its state is in memory, it reads no file, and it opens no socket beyond loopback.

mod profile;
mod story;
mod unknowns;
mod verdict;

use crate::cli::DemoArgs;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::version::BUILD;
use crate::clock::Clock;
use crate::driver::Keys;
use crate::driver::reads::Reads;
use crate::gate::GateOwner;
use crate::latch::Latch;
use crate::logging::{self, Levels, Logging};
use crate::metrics::Metrics;
use crate::observer::{Figures, SharedStatus};
use crate::operate::{self, Exchange, Setup, Until};
use crate::ops::{self, Bound, Pictures, PlaneParts, Port};
use crate::params;
use crate::redact::Filter;
use crate::signals::Signals;
use crate::status::{Identity, Status};
use crate::store::{Header, Store, Venue};
use btcturk::sign::Signer;
use config::arming::Armed;
use config::load::Loaded;
use engine::checkpoint::Fold;
use engine::ids::AccountTag;
use engine::time::Timestamp;
use profile::{embedded_exchange, profile, unlocked};
use simulator::server::Server;
use std::sync::{Arc, Mutex, RwLock};
use story::Story;
use verdict::{Books, compare, conclude};

/// The embedded exchange is far below every quota at this rate.
const REQUESTS_PER_SECOND: usize = 25;

/// Runs the demo.
///
/// # Errors
/// A busy port that was asked for, or a machine without loopback.
pub fn demo(args: &DemoArgs, mut signals: Signals) -> Outcome {
    actix_rt::System::new().block_on(async { show(args, &mut signals).await })
}

async fn show(args: &DemoArgs, signals: &mut Signals) -> Outcome {
    let clock = Clock::start();
    let run_id = format!("demo-{:x}", clock.now().ms());
    let server = embedded_exchange(args).await?;
    let loaded = profile(args, &server, clock.now())?;
    let settings = Arc::new(unlocked(&loaded));
    let filter = Filter::default();
    let logging = install_logging(&clock, &filter, &run_id);
    let owner = Arc::new(GateOwner::new());
    let gate = owner.gate();
    logging::log_panics(move || {
        gate.raise(crate::gate::Flag::Observe);
    });
    signals.connect(owner.gate());
    let figures = Figures {
        metrics: Metrics::new(BUILD, &settings.market.symbols, clock.now()),
        pictures: Pictures::default(),
        dropped_lines: logging
            .as_ref()
            .map(Logging::dropped_counter)
            .unwrap_or_default(),
        spectators: Vec::new(),
    };
    figures.metrics.armed(true);
    figures.metrics.configured(&settings);
    let status: SharedStatus = Arc::new(RwLock::new(Status::default()));
    let plane = plane(args, &loaded).await?;
    let address = plane.address;
    let story = Arc::new(Story::new(clock.clone(), args.json));
    story.say(&format!(
        "DEMO: simulated exchange, no real money. Seed {}, Ctrl-C stops.",
        args.seed
    ));
    if args.faults {
        story.say("the exchange loses requests and replies, fails, refuses and cuts the stream");
    }
    if plane.fell_back {
        story.say("the usual port of the status plane is busy, so it took a free one");
    }
    story.say(&format!(
        "status http://{address}/status   metrics http://{address}/metrics   page http://{address}/"
    ));
    let parts = PlaneParts {
        metrics: Some(figures.metrics.clone()),
        pictures: figures.pictures.clone(),
        clock: clock.clone(),
        hosts: Vec::new(),
    };
    let serving = actix_rt::spawn(ops::serve(plane, parts));
    let tag = AccountTag::from_entropy(args.seed);
    let quote = params::account_quote();
    let setup = Setup {
        entropy: entropy(),
        quote,
        tag,
        exchange: Exchange::Live(Some(armed(&server)?)),
        policy_blocks: Vec::new(),
        keys: Keys::from(Arc::new(signer(&server)?)),
        latch: Latch::boot(None, None, owner.gate(), clock.clone()),
        owner,
        store: in_memory(tag, clock.now())?,
        past: Fold::new(quote),
        figures,
        status: Arc::clone(&status),
        identity: Identity {
            run_id,
            venue: "demo",
            is_armed: true,
            blocked: Vec::new(),
            account: tag.to_string(),
            key: None,
            started: clock.now(),
        },
        requests_per_second: REQUESTS_PER_SECOND,
        watcher: Some(Arc::clone(&story).watcher()),
        reloadable: None,
        control: None,
        settings,
        clock,
    };
    let until = Until {
        elapsed: args.run_for,
        ..Until::default()
    };
    let verdict: Mutex<Option<Books>> = Mutex::new(None);
    let look = async |reads: &Reads| {
        let books = compare(reads, &status).await;
        *verdict.lock().expect("nobody else holds the verdict") = Some(books);
    };
    let ended = operate::operate(setup, signals, until, look).await;
    let ended = ended.map_err(|error| Failed::new(Exit::Store, error.to_string()))?;
    let books = verdict
        .into_inner()
        .expect("nobody else holds the verdict")
        .unwrap_or_default();
    let outcome = conclude(args, &ended, &books, &status, &story, &server);
    serving.abort();
    server.stop().await;
    outcome
}

/// The story is on stdout; the log only speaks up when something is wrong, unless it is asked for.
fn install_logging(clock: &Clock, filter: &Filter, run_id: &str) -> Option<Logging> {
    let own = match std::env::var("LOG_LEVEL").as_deref() {
        Ok("trace") => tracing::Level::TRACE,
        Ok("debug") => tracing::Level::DEBUG,
        Ok("info") => tracing::Level::INFO,
        Ok("warn") => tracing::Level::WARN,
        Ok(_) | Err(_) => tracing::Level::ERROR,
    };
    let levels = Levels {
        own,
        ..Levels::default()
    };
    Logging::install(
        clock.clone(),
        filter.clone(),
        run_id,
        logging::Format::Auto,
        levels,
    )
    .ok()
}

async fn plane(args: &DemoArgs, loaded: &Loaded) -> Result<Bound, Failed> {
    let ops = &loaded.settings().ops;
    let (ip, port) = match args.http {
        Some(address) => (address.ip(), Port::Exact(address.port())),
        None => (ops.address, Port::Preferred(ops.port)),
    };
    ops::bind(ip, port).await.map_err(|error| {
        let message = format!("{error}; --http chooses another address, and port 0 a free port");
        Failed::new(Exit::Failure, message)
    })
}

fn armed(server: &Server) -> Result<Armed, Failed> {
    Armed::for_loopback(&server.rest_url())
        .map_err(|error| Failed::new(Exit::Internal, error.to_string()))
}

fn signer(server: &Server) -> Result<Signer, Failed> {
    let signer = Signer::new(server.api_key().into(), server.api_secret());
    signer.map_err(|error| Failed::new(Exit::Internal, error.to_string()))
}

fn in_memory(tag: AccountTag, now: Timestamp) -> Result<Store, Failed> {
    let header = Header::new(Venue::Demo, &tag.to_string(), now);
    Store::in_memory(&header).map_err(|error| Failed::new(Exit::Store, error.to_string()))
}

/// Random bits from the system; a start that repeated them would repeat its jitter, not its ids.
pub fn entropy() -> u64 {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    u64::from_le_bytes(bytes)
}
