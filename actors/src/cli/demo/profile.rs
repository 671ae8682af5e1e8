//! The demo's world: an embedded exchange with one account, and settings in which something happens within seconds.

use crate::cli::DemoArgs;
use crate::cli::exit::{Exit, Failed};
use config::load::{Flag, Loaded, Sources};
use config::settings::Settings;
use engine::ids::Asset;
use engine::money::Amount;
use engine::time::Timestamp;
use simulator::exchange::AccountSpec;
use simulator::profile::Profile as Manners;
use simulator::server::{RequestLog, Server};
use simulator::venue::{EXAMPLE_KEY, EXAMPLE_SECRET, EXAMPLE_USER_ID, Member, VenueOptions};
use std::net::{Ipv4Addr, SocketAddr};

/// Opening cash of the demo's account, in TRY.
const CASH_TRY: i64 = 1_000_000;

/// The demo's profile: sizes that can be seen, windows short enough for a fill within seconds.
const PROFILE: [&str; 33] = [
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
    "slo.lift_budgets=true",
];

/// What `--faults` switches on in the exchange. A lost request and a lost reply look the same from here, and only one
/// of them left an order behind.
const FAULTS: [&str; 5] = [
    "fault.internal_error_accepted=0.05",
    "fault.request_lost=0.025",
    "fault.reply_lost=0.025",
    "fault.rest_429=0.02",
    "fault.ws_reset=0.017",
];

/// Seconds that the end may take with `--faults`. The proof that an order never was needs 25.5 s and three whole looks
/// at the account, and one look in three fails here.
const SETTLE_S_MAX: &str = "orders.shutdown_deadline_seconds=180";

/// The switches of the embedded exchange.
fn manners(args: &DemoArgs) -> Manners {
    let mut manners = Manners::faithful();
    for fault in FAULTS.iter().filter(|_| args.faults) {
        manners.set(fault).expect("the table holds known switches");
    }
    manners
}

/// Starts the exchange on a free port of loopback.
pub(super) async fn embedded_exchange(args: &DemoArgs) -> Result<Server, Failed> {
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
        seed: args.seed,
        profile: manners(args),
        members: vec![member],
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
pub(super) fn profile(args: &DemoArgs, server: &Server, now: Timestamp) -> Result<Loaded, Failed> {
    let working_dir = std::env::current_dir().unwrap_or_default();
    let mut sources = Sources::demo(std::env::vars_os().collect(), working_dir, now);
    let urls = [
        format!("exchange.rest_url={}", server.rest_url()),
        format!("exchange.ws_url={}", server.ws_url()),
    ];
    let patience = args.faults.then_some(SETTLE_S_MAX);
    let profile = PROFILE.into_iter().chain(patience).map(str::to_owned);
    sources.flags = urls.into_iter().chain(profile).map(Flag::Set).collect();
    config::load::load(sources).map_err(|errors| crate::cli::resolve::refused(&errors))
}

/// The demo's exchange is its own, so the locks against the live one are off; they arm nothing by being off.
pub(super) fn unlocked(loaded: &Loaded) -> Settings {
    let mut settings = loaded.settings().clone();
    settings.safety.safe_mode = false;
    settings.safety.kill_switch = false;
    settings.safety.dry_run = false;
    settings
}
