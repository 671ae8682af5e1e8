//! Each key reaches the settings from every layer, and the highest layer wins.
//!
//! The rows are also the list of keys for which a test elsewhere shows the effect on the running program.

use crate::world::World;
use btcbot_config::kind::Kind;
use btcbot_config::names::{KEYS, Key, Reload};
use std::collections::BTreeSet;

/// Another value than the default for each key, as text.
#[rustfmt::skip]
const OTHER: &[(&str, &str)] = &[
    ("safety.dry_run", "false"), ("safety.kill_switch", "false"), ("safety.safe_mode", "false"),
    ("safety.live_trading", "true"), ("safety.live_trading_ack", "I_UNDERSTAND"), ("safety.process_role", "MONITOR"),
    ("secrets.api_key_file", "credential"), ("secrets.api_secret_file", "credential"),
    ("secrets.scopes", "read"), ("secrets.rotated_at", "2026-11-01T00:00:00Z"),
    ("secrets.age_days_max", "30"), ("secrets.allow_environment", "true"),
    ("exchange.rest_url", "http://127.0.0.1:8080"), ("exchange.ws_url", "ws://127.0.0.1:8081"),
    ("exchange.rest.timeout_ms", "9000"), ("exchange.rest.connect_timeout_ms", "1500"),
    ("exchange.rest.retry_delay_ms_base", "300"), ("exchange.rest.retry_delay_ms_max", "5000"),
    ("exchange.rest.retries_max", "3"), ("exchange.rest.rate_utilisation_bps", "7000"),
    ("exchange.ws.idle_ms_max", "12000"), ("exchange.ws.backoff_ms_base", "600"),
    ("exchange.ws.backoff_ms_max", "20000"), ("exchange.ws.backoff_reset_ms", "40000"),
    ("exchange.ws.connects_per_minute", "9"),
    ("exchange.clock.skew_ms_warn", "900"), ("exchange.clock.skew_ms_kill", "2500"),
    ("market.symbols", "BTCTRY"), ("market.max_market_data_age_ms", "1500"), ("market.price_jump_bps", "900"),
    ("strategy.strategies", "market_maker"), ("strategy.decision_min_interval_ms", "300"),
    ("strategy.cycle_interval_ms", "9000"), ("strategy.intent_notional_try", "120"),
    ("strategy.ttl_seconds", "90"), ("strategy.sample_period_ms", "500"), ("strategy.min_profit_bps", "31"),
    ("strategy.fee_bps_maker", "11"), ("strategy.fee_bps_taker", "16"), ("strategy.slippage_bps_buffer", "11"),
    ("strategy.mean_reversion.window_seconds", "1200"), ("strategy.mean_reversion.samples_min", "700"),
    ("strategy.mean_reversion.entry_bps", "60"), ("strategy.mean_reversion.exit_bps", "5"),
    ("strategy.mean_reversion.stop_bps", "200"), ("strategy.mean_reversion.max_hold_seconds", "7200"),
    ("strategy.market_maker.half_spread_bps", "25"), ("strategy.market_maker.order_try", "110"),
    ("strategy.market_maker.inventory_target_try", "400"), ("strategy.market_maker.inventory_limit_try", "900"),
    ("strategy.market_maker.vol_multiplier_bps", "5000"), ("strategy.market_maker.skew_bps", "10"), ("strategy.market_maker.requote_bps", "6"),
    ("strategy.market_maker.min_quote_life_ms", "900"), ("strategy.market_maker.samples_min", "20"),
    ("risk.try_cash_target", "250.5"), ("risk.min_order_notional_try", "110"),
    ("risk.max_order_notional_try", "400"), ("risk.max_notional_try_per_minute", "1500"),
    ("risk.max_orders_per_minute", "20"), ("risk.max_open_orders", "10"), ("risk.max_open_orders_per_symbol", "1"),
    ("risk.max_position_notional_try", "4000"), ("risk.max_gross_exposure_try", "9000"),
    ("risk.max_daily_loss_try", "300"), ("risk.max_drawdown_bps", "500"), ("risk.price_collar_bps", "80"),
    ("risk.max_spread_bps", "150"), ("risk.cooldown_seconds", "30"),
    ("orders.intent_max_age_ms", "200"), ("orders.order_submit_timeout_ms", "7000"),
    ("orders.cancel_retry_ms", "1500"), ("orders.reconcile_interval_seconds", "20"),
    ("orders.reconcile_max_age_seconds", "50"), ("orders.unknown_settle_ms", "12000"),
    ("orders.foreign_orders", "freeze"), ("orders.shutdown_deadline_seconds", "30"),
    ("slo.reconnects_per_day", "96"), ("slo.throttled_per_day", "60"), ("slo.lift_budgets", "true"),
    ("state.dir", "elsewhere"),
    ("simulation.dry_run_try_balance", "5000"), ("simulation.latency_ms", "50"),
    ("observability.enabled", "false"), ("observability.exporter", "none"),
    ("observability.otlp_endpoint", "http://127.0.0.1:4318"),
    ("ops.address", "127.0.0.2"), ("ops.port", "9999"), ("ops.hosts", "btcbot"),
    ("events.webhook_url", "http://127.0.0.1:9099/btcbot"), ("events.secret_file", "credential"),
    ("log.level", "debug"), ("log.http_level", "error"), ("log.format", "json"),
];

fn world() -> World {
    World::new().file("credential", "Q0FOQVJZQ0FOQVJZQ0FOQVJZ")
}

/// Budgets may be lifted against an exchange on this machine only.
fn world_of(key: &Key) -> World {
    if key.path == "events.webhook_url" {
        return world().env("EVENTS_SECRET_FILE", "credential");
    }
    if key.path != "slo.lift_budgets" {
        return world();
    }
    world()
        .env("BTCTURK_BASE_URL", "http://127.0.0.1:8080")
        .env("BTCTURK_WS_URL", "ws://127.0.0.1:8081")
}

fn other(key: &Key) -> &'static str {
    OTHER
        .iter()
        .find(|(path, _)| *path == key.path)
        .map(|(_, other)| *other)
        .expect("a row per key")
}

/// The key as two lines of TOML: its table, then the key itself.
fn toml_lines(key: &Key, text: &str) -> String {
    let (table, name) = key.path.rsplit_once('.').expect("every key is in a table");
    let value = match key.kind {
        Kind::Bool | Kind::Int { .. } => text.to_owned(),
        Kind::Scopes | Kind::Symbols | Kind::Strategies | Kind::Hosts => format!("[\"{text}\"]"),
        Kind::Positive
        | Kind::NotNegative
        | Kind::Choice(_)
        | Kind::Exporter
        | Kind::Level
        | Kind::Phrase
        | Kind::Moment
        | Kind::Url(_)
        | Kind::OptionalUrl
        | Kind::Address
        | Kind::Dir
        | Kind::OptionalPath => format!("\"{text}\""),
    };
    format!("[{table}]\n{name} = {value}\n")
}

#[test]
fn config_key_has_effect() {
    let rows: BTreeSet<_> = OTHER.iter().map(|(path, _)| *path).collect();
    assert_eq!(rows.len(), KEYS.len(), "one row per key");
    for key in KEYS {
        let before = world_of(key).loaded();
        let after = world_of(key).env(key.env, other(key)).loaded();
        assert_ne!(
            after.settings(),
            before.settings(),
            "{} changes nothing",
            key.path
        );
        assert_ne!(after.config_hash(), before.config_hash(), "{}", key.path);
        let changed: Vec<_> = KEYS
            .iter()
            .map(|key| key.path)
            .filter(|path| after.provenance()[path] != before.provenance()[path])
            .collect();
        assert_eq!(changed, [key.path]);
    }
}

#[test]
fn each_key_can_be_set_in_each_layer() {
    for key in KEYS {
        let (text, generic) = (other(key), key.generic_env());
        let lines = toml_lines(key, text);
        let mut worlds = vec![
            (world_of(key).etc(&lines), "etc.toml:2:1".to_owned()),
            (
                world_of(key).config("b.toml", &lines),
                "b.toml:2:1".to_owned(),
            ),
            (
                world_of(key).dotenv(&format!("{}={text}", key.env)),
                ".env.live:1".to_owned(),
            ),
            (
                world_of(key).dotenv(&format!("export {generic}='{text}'")),
                ".env.live:1".to_owned(),
            ),
            (
                world_of(key).env(key.env, text),
                format!("environment {}", key.env),
            ),
            (
                world_of(key).env(&generic, text),
                format!("environment {generic}"),
            ),
        ];
        let flag = world_of(key).set(&format!("{}={text}", key.path));
        match key.reload {
            Reload::SafeAt(safe) if safe != text => assert!(flag.load().is_err(), "{}", key.path),
            Reload::SafeAt(_)
            | Reload::Cold
            | Reload::Hot
            | Reload::TightenDown
            | Reload::TightenUp => {
                worlds.push((flag, "flag --set".to_owned()));
            }
        }
        for (world, origin) in worlds {
            let loaded = world.loaded();
            let setting = &loaded.provenance()[key.path];
            assert_eq!(
                (setting.value().as_str(), setting.origin.to_string()),
                (text, origin),
                "{}",
                key.path
            );
        }
    }
}

/// Adds one layer to a start.
type Step = fn(World) -> World;

#[test]
fn the_highest_layer_wins_and_the_others_are_named() {
    let steps: [(&str, Step); 6] = [
        ("etc.toml:1:5", |w| w.etc("ops.port = 1\n")),
        ("a.toml:1:5", |w| w.config("a.toml", "ops.port = 2\n")),
        ("b.toml:1:5", |w| w.config("b.toml", "ops.port = 3\n")),
        (".env.live:1", |w| {
            w.dotenv("OBSERVABILITY_PROMETHEUS_PORT=4\n")
        }),
        ("environment OBSERVABILITY_PROMETHEUS_PORT", |w| {
            w.env("OBSERVABILITY_PROMETHEUS_PORT", "5")
        }),
        ("flag --set", |w| w.set("ops.port=6")),
    ];
    let mut world = World::new();
    let mut below: Vec<String> = Vec::new();
    for (value, (origin, add)) in (1..).zip(steps) {
        world = add(world);
        let loaded = world.loaded();
        let setting = &loaded.provenance()["ops.port"];
        assert_eq!(loaded.settings().ops.port, value);
        assert_eq!(setting.origin.to_string(), origin);
        let overrode: Vec<_> = setting.overrode.iter().map(ToString::to_string).collect();
        assert_eq!(overrode, below);
        below.push(origin.to_owned());
    }
    let last = world.set("ops.port=7").loaded();
    assert_eq!(last.settings().ops.port, 7, "the later flag wins");
    let files: Vec<_> = last
        .files()
        .iter()
        .map(|file| (file.path.as_str(), file.mode))
        .collect();
    assert_eq!(
        files,
        [
            ("etc.toml", 0o600),
            ("a.toml", 0o600),
            ("b.toml", 0o600),
            (".env.live", 0o600)
        ]
    );
}

#[test]
fn the_state_directory_of_systemd_beats_the_default_only() {
    let world = World::new().env("STATE_DIRECTORY", "/var/lib/btcbot:/var/lib/other");
    let loaded = world.loaded();
    assert_eq!(
        loaded.settings().state.dir.to_str(),
        Some("/var/lib/btcbot")
    );
    let named = world.etc("state.dir = \"/data\"\n").loaded();
    assert_eq!(named.settings().state.dir.to_str(), Some("/data"));
}

#[test]
fn an_empty_value_is_not_set() {
    let loaded = World::new()
        .env("LOG_LEVEL", "")
        .dotenv("LOG_FORMAT=\nSYMBOLS=''\n")
        .loaded();
    assert_eq!(loaded.config_hash(), World::new().loaded().config_hash());
}

#[test]
fn each_pair_has_one_owner() {
    use engine::intent::StrategyKind::{MarketMaker, MeanReversion};
    let loaded = World::new()
        .env("STRATEGIES", "mean_reversion,market_maker:eth_try")
        .loaded();
    let owner = |pair| {
        loaded
            .settings()
            .owner(engine::ids::Symbol::parse(pair).expect("a pair"))
    };
    assert_eq!(owner("BTCTRY"), Some(MeanReversion));
    assert_eq!(owner("ETHTRY"), Some(MarketMaker));
    assert_eq!(owner("XRPTRY"), None);
    let idle = World::new()
        .env(
            "STRATEGIES",
            "mean_reversion,market_maker:BTCTRY+ETHTRY+SOLTRY",
        )
        .loaded();
    assert_eq!(
        idle.warnings(),
        ["strategy.strategies: mean_reversion owns no pair"]
    );
}
