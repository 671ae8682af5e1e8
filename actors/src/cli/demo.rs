//! `demo`: the live code path against an embedded exchange, over real sockets, with throw-away keys.
//!
//! Its state is in memory, it reads no file, and it opens no socket beyond loopback.

use crate::cli::DemoArgs;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::version::BUILD;
use crate::clock::Clock;
use crate::driver::Keys;
use crate::driver::reads::Reads;
use crate::gate::GateOwner;
use crate::logging::{self, Levels, Logging};
use crate::metrics::Metrics;
use crate::observer::{Figures, Observed, SharedStatus, Watcher};
use crate::operate::{self, Ended, Exchange, Setup, Until};
use crate::ops::{self, Bound, Pictures, PlaneParts, Port};
use crate::out;
use crate::redact::Filter;
use crate::signals::Signals;
use crate::status::{Identity, Status};
use crate::store::{Header, Store, Venue};
use btcturk::sign::Signer;
use config::arming::Armed;
use config::load::{Flag, Loaded, Sources};
use config::settings::Settings;
use engine::answer::BalanceRow;
use engine::ids::{AccountTag, Asset};
use engine::money::Amount;
use engine::time::Timestamp;
use serde_json::{Value, json};
use simulator::exchange::AccountSpec;
use simulator::server::{RequestLog, Server};
use simulator::venue::{EXAMPLE_KEY, EXAMPLE_SECRET, EXAMPLE_USER_ID, Member, VenueOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

/// Opening cash of the demo's account, in TRY.
const CASH_TRY: i64 = 1_000_000;
/// Time for the last money report behind the last fill.
const LAST_REPORT: Duration = Duration::from_millis(1_500);
/// Looks at the balances before they are said to differ: lists lag.
const BALANCE_LOOKS: u32 = 20;
/// Time between two of these looks.
const BALANCE_LOOK_EVERY: Duration = Duration::from_millis(200);
/// The embedded exchange is far below every quota at this rate.
const REQUESTS_PER_SECOND: usize = 25;

/// The demo's profile: sizes that can be seen, windows short enough for a fill within seconds.
const PROFILE: [&str; 32] = [
    "market.symbols=BTCTRY,ETHTRY,SOLTRY",
    "strategy.strategies=market_maker:BTCTRY+ETHTRY,mean_reversion:SOLTRY",
    "strategy.decision_min_interval_ms=200",
    "strategy.cycle_interval_ms=1000",
    "strategy.intent_notional_try=2000",
    "strategy.ttl_seconds=20",
    "strategy.sample_period_ms=250",
    "strategy.min_profit_bps=2",
    "strategy.fee_bps_maker=6",
    "strategy.fee_bps_taker=11",
    "strategy.slippage_bps_buffer=2",
    "strategy.mean_reversion.window_seconds=30",
    "strategy.mean_reversion.samples_min=12",
    "strategy.mean_reversion.entry_bps=12",
    "strategy.mean_reversion.exit_bps=4",
    "strategy.mean_reversion.max_hold_seconds=60",
    "strategy.market_maker.half_spread_bps=8",
    "strategy.market_maker.vol_multiplier_bps=0",
    "strategy.market_maker.order_try=2000",
    "strategy.market_maker.inventory_target_try=8000",
    "strategy.market_maker.inventory_limit_try=20000",
    "strategy.market_maker.requote_bps=8",
    "strategy.market_maker.min_quote_life_ms=1500",
    "strategy.market_maker.samples_min=4",
    "risk.max_order_notional_try=5000",
    "risk.max_notional_try_per_minute=1000000",
    "risk.max_orders_per_minute=200",
    "risk.max_position_notional_try=50000",
    "risk.max_gross_exposure_try=150000",
    "risk.max_daily_loss_try=20000",
    "risk.cooldown_seconds=1",
    "orders.reconcile_interval_seconds=2",
];

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
    let server = embedded_exchange(args.seed).await?;
    let loaded = profile(&server, clock.now())?;
    let settings = Arc::new(unlocked(&loaded));
    let filter = Filter::default();
    let _logging = install_logging(&clock, &filter, &run_id);
    let owner = Arc::new(GateOwner::new());
    let gate = owner.gate();
    logging::log_panics(move || {
        gate.raise(crate::gate::Flag::Observe);
    });
    signals.connect(owner.gate());
    let figures = Figures {
        metrics: Metrics::new(BUILD, &settings.market.symbols, clock.now()),
        pictures: Pictures::default(),
    };
    let status: SharedStatus = Arc::new(RwLock::new(Status::default()));
    let plane = plane(args, &loaded).await?;
    let address = plane.address;
    let story = Arc::new(Story::new(clock.clone(), args.json));
    story.say(&format!(
        "DEMO: simulated exchange, no real money. Seed {}, Ctrl-C stops.",
        args.seed
    ));
    if plane.fell_back {
        story.say("the usual port of the status plane is busy, so it took a free one");
    }
    story.say(&format!(
        "status http://{address}/status   metrics http://{address}/metrics"
    ));
    let parts = PlaneParts {
        metrics: Some(figures.metrics.clone()),
        pictures: figures.pictures.clone(),
        clock: clock.clone(),
        hosts: Vec::new(),
    };
    let serving = actix_rt::spawn(ops::serve(plane, parts));
    let tag = AccountTag::from_entropy(args.seed);
    let quote = Asset::parse("TRY").expect("a short name");
    let setup = Setup {
        entropy: entropy(),
        quote,
        tag,
        exchange: Exchange::Live(Some(armed(&server)?)),
        policy_blocks: Vec::new(),
        keys: Keys::from(Arc::new(signer(&server)?)),
        owner,
        store: in_memory(tag, clock.now())?,
        history: Vec::new(),
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

async fn embedded_exchange(seed: u64) -> Result<Server, Failed> {
    let quote = Asset::parse("TRY").expect("a short name");
    let member = Member {
        spec: AccountSpec {
            user_id: EXAMPLE_USER_ID,
            deposits: vec![(quote, Amount::from_whole(CASH_TRY))],
        },
        key: EXAMPLE_KEY.to_owned(),
        secret: EXAMPLE_SECRET.into(),
    };
    let options = VenueOptions {
        seed,
        members: vec![member],
        ..VenueOptions::default()
    };
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(loopback, &options, RequestLog::none()).await;
    server.map_err(|error| {
        Failed::new(
            Exit::Failure,
            format!("the embedded exchange cannot start: {error}"),
        )
    })
}

/// The demo's settings: its profile over the defaults, pointed at the embedded exchange.
fn profile(server: &Server, now: Timestamp) -> Result<Loaded, Failed> {
    let working_dir = std::env::current_dir().unwrap_or_default();
    let mut sources = Sources::demo(std::env::vars_os().collect(), working_dir, now);
    let urls = [
        format!("exchange.rest_url={}", server.rest_url()),
        format!("exchange.ws_url={}", server.ws_url()),
    ];
    let profile = PROFILE.iter().map(|line| (*line).to_owned());
    sources.flags = urls.into_iter().chain(profile).map(Flag::Set).collect();
    config::load::load(sources).map_err(|errors| crate::cli::resolve::refused(&errors))
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

/// The demo's exchange is its own, so the locks against the live one are off; they arm nothing by being off.
fn unlocked(loaded: &Loaded) -> Settings {
    let mut settings = loaded.settings().clone();
    settings.safety.safe_mode = false;
    settings.safety.kill_switch = false;
    settings.safety.dry_run = false;
    settings
}

async fn plane(args: &DemoArgs, loaded: &Loaded) -> Result<Bound, Failed> {
    let ops = &loaded.settings().ops;
    let (ip, port) = match args.http {
        Some(address) => (address.ip(), Port::Exact(address.port())),
        None => (ops.address, Port::Preferred(ops.port)),
    };
    ops::bind(ip, port)
        .await
        .map_err(|error| Failed::new(Exit::Failure, error.to_string()))
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

/// What is told while it happens.
struct Story {
    clock: Clock,
    start: Timestamp,
    is_silent: bool,
    marks: Mutex<Marks>,
}

#[derive(Default)]
struct Marks {
    equity_start: Option<Amount>,
    first_fill_ms: Option<i64>,
}

impl Story {
    fn new(clock: Clock, is_silent: bool) -> Self {
        let start = clock.now();
        Self {
            clock,
            start,
            is_silent,
            marks: Mutex::default(),
        }
    }

    /// Prints a line with the time since the start. A reader that has gone ends the process inside `print_line`.
    fn say(&self, line: &str) {
        if self.is_silent {
            return;
        }
        let ms = self.clock.now().ms_since(self.start);
        if let Err(error) = out::print_line(&format!(
            "{:>4}.{:01} s  {line}",
            ms / 1_000,
            ms % 1_000 / 100
        )) {
            tracing::error!(event = "stdout_failed", error = %error);
        }
    }

    fn watcher(self: Arc<Self>) -> Watcher {
        Arc::new(move |observed: &Observed, status: &Status| self.see(observed, status))
    }

    fn see(&self, observed: &Observed, status: &Status) {
        match observed {
            Observed::Fill(trade) => {
                let elapsed = self.clock.now().ms_since(self.start);
                let mut marks = self.marks.lock().expect("nobody panics with the marks");
                marks.first_fill_ms.get_or_insert(elapsed);
                drop(marks);
                let cost = trade.fee + trade.tax;
                let side = trade.side.as_str();
                self.say(&format!(
                    "fill   {side:<4} {:<14} {:<4} at {:<12} {}, fee and tax {cost}",
                    trade.qty, trade.base, trade.price, trade.quote
                ));
            }
            Observed::Mode(report) => {
                let codes: Vec<&str> = report
                    .voices
                    .iter()
                    .map(|voice| voice.code.as_str())
                    .collect();
                self.say(&format!(
                    "mode   {} {}",
                    report.mode.as_str(),
                    codes.join(", ")
                ));
            }
            Observed::Money(report) => {
                let mut marks = self.marks.lock().expect("nobody panics with the marks");
                if marks.equity_start.is_none() {
                    marks.equity_start = report.equity.filter(|equity| equity.is_positive());
                }
            }
            Observed::Order(view) if status.counts.submitted == 0 => {
                let intent = &view.order.intent;
                self.say(&format!(
                    "order  {:<4} {} {} at {}, {}",
                    intent.side.as_str(),
                    intent.qty,
                    intent.symbol,
                    intent.limit,
                    intent.reason.as_str()
                ));
            }
            Observed::Feed(engine::msg::FeedNote::Up(session)) => {
                self.say(&format!("stream session {session} is up"))
            }
            Observed::Feed(_)
            | Observed::Frames(_)
            | Observed::Book(_)
            | Observed::Intent(_)
            | Observed::Silent(..)
            | Observed::Denied(_)
            | Observed::Order(_)
            | Observed::Router(_)
            | Observed::SubmitAnswered(..)
            | Observed::CancelSent(_)
            | Observed::CancelAnswered(..)
            | Observed::Pass(_)
            | Observed::Offset(_)
            | Observed::Restarted(_)
            | Observed::LinkTrouble(..) => {}
        }
    }
}

/// Ledger and exchange side by side, once everything is settled.
#[derive(Default)]
struct Books {
    ours: Vec<(Asset, Amount)>,
    theirs: Vec<BalanceRow>,
}

impl Books {
    fn agree(&self) -> bool {
        let our = |asset| {
            self.ours
                .iter()
                .find(|(name, _)| *name == asset)
                .map_or(Amount::ZERO, |(_, amount)| *amount)
        };
        let their = |asset| {
            self.theirs
                .iter()
                .find(|row| row.asset == asset)
                .map_or(Amount::ZERO, BalanceRow::total)
        };
        let all_of_ours = self
            .ours
            .iter()
            .all(|(asset, amount)| their(*asset) == *amount);
        !self.theirs.is_empty()
            && all_of_ours
            && self.theirs.iter().all(|row| our(row.asset) == row.total())
    }
}

/// Reads the balances until they agree with the ledger, or until it is clear that they do not.
async fn compare(reads: &Reads, status: &SharedStatus) -> Books {
    tokio::time::sleep(LAST_REPORT).await;
    let mut books = Books::default();
    for _ in 0..BALANCE_LOOKS {
        books.theirs = reads.balances().await.unwrap_or_default();
        let status = status.read().expect("no holder of the status can panic");
        books.ours = status
            .money
            .as_ref()
            .map(|money| money.balances.clone())
            .unwrap_or_default();
        drop(status);
        if books.agree() {
            break;
        }
        tokio::time::sleep(BALANCE_LOOK_EVERY).await;
    }
    books
}

fn conclude(
    args: &DemoArgs,
    ended: &Ended,
    books: &Books,
    status: &SharedStatus,
    story: &Story,
    server: &Server,
) -> Outcome {
    let status = status.read().expect("no holder of the status can panic");
    let counts = status.counts;
    let marks = story.marks.lock().expect("nobody panics with the marks");
    let duplicates = server.inspect(|venue| venue.exchange().duplicate_client_ids());
    let (unknown, open) = (status.unknown_orders(), ended.leftovers.len());
    let ok = open == 0 && unknown == 0 && duplicates == 0 && books.agree() && counts.restarts == 0;
    let amount = |amount: Option<Amount>| amount.map_or(Value::Null, |amount| json!(amount));
    let data = json!({
        "seed": args.seed,
        "frames": counts.frames,
        "intents": counts.intents,
        "denied": counts.denied,
        "orders_submitted": counts.submitted,
        "fills": counts.fills,
        "cancels": counts.cancels,
        "first_fill_ms": marks.first_fill_ms,
        "open_orders_at_exit": open,
        "unknown_orders": unknown,
        "duplicate_client_ids": duplicates,
        "ledger_matches_exchange": books.agree(),
        "equity_start": amount(marks.equity_start),
        "equity_end": amount(status.money.as_ref().and_then(|money| money.equity)),
        "restarts": counts.restarts,
    });
    let text = format!(
        "\n{} orders, {} fills, {} cancels. Open {open}, unknown {unknown}, duplicates {duplicates}, ledger equals the exchange: {}.\nequity {} -> {} TRY\n",
        counts.submitted,
        counts.fills,
        counts.cancels,
        if books.agree() { "yes" } else { "NO" },
        marks.equity_start.unwrap_or_default(),
        status
            .money
            .as_ref()
            .and_then(|money| money.equity)
            .unwrap_or_default(),
    );
    Report {
        command: "demo",
        ok,
        data,
        warnings: Vec::new(),
    }
    .print(args.json, &text)?;
    Ok(if ok { Exit::Ok } else { Exit::CheckFailed })
}
