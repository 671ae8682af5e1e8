//! Broken configurations and what is said about each: place, key, expectation, suggestion.

use crate::world::World;
use btcbot_config::errors::Class;
use btcbot_config::load::{Dotenv, Flag};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

fn check(world: &World, expected: &[&str]) {
    assert_eq!(world.problems(), expected);
}

fn config(text: &str) -> World {
    World::new().config("b.toml", text)
}

#[test]
fn toml_mistakes_are_named_with_line_and_column() {
    for (text, expected) in [
        (
            "[risk]\nmax_openorders = 3\n",
            "b.toml:2:1 | risk.max_openorders | unknown key | risk.max_open_orders",
        ),
        (
            "[rsik]\nmax_open_orders = 3\n",
            "b.toml:1:2 | rsik | unknown table | risk",
        ),
        (
            "risk = 3\n",
            "b.toml:1:8 | risk | expected a table of keys | -",
        ),
        (
            "[[risk]]\n",
            "b.toml:1:1 | risk | expected a table of keys | -",
        ),
        (
            "dry_run = true\n",
            "b.toml:1:1 | dry_run | unknown key | safety.dry_run",
        ),
        (
            "DRY_RUN = true\n",
            "b.toml:1:1 | DRY_RUN | unknown key | safety.dry_run",
        ),
        (
            "[risk]\ndry_run = true\n",
            "b.toml:2:1 | risk.dry_run | unknown key | safety.dry_run",
        ),
        (
            "[safety]\ndry_run = 'true'\n",
            "b.toml:2:11 | safety.dry_run | expected true or false | -",
        ),
        (
            "[safety]\ndry_run = 1\n",
            "b.toml:2:11 | safety.dry_run | expected true or false | -",
        ),
        (
            "[safety]\nprocess_role = \"live\"\n",
            "b.toml:2:16 | safety.process_role | expected one of LIVE, MONITOR | -",
        ),
        (
            "[risk]\n  max_open_orders = \"3\"\n",
            "b.toml:2:21 | risk.max_open_orders | expected a whole number from 1 to 40 | -",
        ),
        (
            "# ğüşöç\nrisk.max_open_orders = 41\n",
            "b.toml:2:24 | risk.max_open_orders | expected a whole number from 1 to 40 | -",
        ),
        (
            "risk = { max_open_orders = 3.5 }\n",
            "b.toml:1:28 | risk.max_open_orders | expected a whole number from 1 to 40 | -",
        ),
        (
            "[risk]\nmax_order_notional_try = 200.5\n",
            "b.toml:2:26 | risk.max_order_notional_try | expected a decimal text above 0, such as \"100.5\" | -",
        ),
        (
            "[market]\nsymbols = \"BTCTRY\"\n",
            "b.toml:2:11 | market.symbols | expected 1 to 10 different pairs, such as BTCTRY | -",
        ),
        (
            "[market]\nsymbols = [\"BTCTRY\", 3]\n",
            "b.toml:2:11 | market.symbols | expected 1 to 10 different pairs, such as BTCTRY | -",
        ),
        (
            "[ops]\naddress = \"localhost\"\n",
            "b.toml:2:11 | ops.address | expected an IP address | -",
        ),
        (
            "[secrets]\napi_secret = \"x\"\n",
            "b.toml:2:1 | secrets.api_secret | a secret is not read from this file; name a file that holds it | -",
        ),
        (
            "[risk\nmax_open_orders = 3\n",
            "b.toml:1:6 |  | not valid TOML here | -",
        ),
        (
            "[risk]\nmax_open_orders = 3\nmax_open_orders = 4\n",
            "b.toml:3:1 |  | not valid TOML here | -",
        ),
        (
            "[observability]\nexporter = \"statsd\"\n",
            "b.toml:2:12 | observability.exporter | expected one of none, prometheus, otlp | -",
        ),
    ] {
        check(&config(text), &[expected]);
    }
}

#[test]
fn dotenv_mistakes_are_named_with_their_line() {
    for (text, expected) in [
        (
            "\n# note\nDRYRUN=true\n",
            ".env.live:3 | DRYRUN | unknown name | DRY_RUN",
        ),
        (
            "TOTALLY_ELSE=1\n",
            ".env.live:1 | TOTALLY_ELSE | unknown name | -",
        ),
        (
            "DRY_RUN=True\n",
            ".env.live:1 | DRY_RUN | expected true or false | -",
        ),
        (
            "DRY_RUN = true\n",
            ".env.live:1 |  | expected NAME=value without spaces around the equals sign | -",
        ),
        ("DRY_RUN\n", ".env.live:1 |  | expected NAME=value | -"),
        (
            "DRY_RUN='true\n",
            ".env.live:1 |  | the quote is not closed | -",
        ),
        (
            "DRY_RUN=true\nDRY_RUN=false\n",
            ".env.live:2 | DRY_RUN | set twice; the first is line 1 | -",
        ),
        (
            "DRY_RUN=true\nBTCBOT__SAFETY__DRY_RUN=true\n",
            ".env.live:2 | BTCBOT__SAFETY__DRY_RUN | sets safety.dry_run a second time; the first is .env.live:1 | -",
        ),
        (
            "STATE_DB_PATH=x\n",
            ".env.live:1 | STATE_DB_PATH | retired name; use BTCBOT__STATE__DIR | -",
        ),
        (
            "STAGE7_ENABLED=1\n",
            ".env.live:1 | STAGE7_ENABLED | retired name without a successor; remove it | -",
        ),
    ] {
        check(&World::new().dotenv(text), &[expected]);
    }
}

#[test]
fn environment_mistakes_are_found_among_names_that_can_mean_us() {
    for (name, expected) in [
        (
            "BTCBOT__LOG__LEVL",
            "environment | BTCBOT__LOG__LEVL | unknown key log.levl | log.level",
        ),
        (
            "BTCTURK_API_KEYS",
            "environment | BTCTURK_API_KEYS | unknown name | BTCTURK_API_KEY",
        ),
        (
            "OBSERVABILITY_PORT",
            "environment | OBSERVABILITY_PORT | unknown name | -",
        ),
        ("DRYRUN", "environment | DRYRUN | unknown name | DRY_RUN"),
        (
            "LIVE_TRADE",
            "environment | LIVE_TRADE | unknown name | LIVE_TRADING",
        ),
        (
            "APP_ROLE",
            "environment | APP_ROLE | retired name; use PROCESS_ROLE | -",
        ),
    ] {
        check(&World::new().env(name, "1"), &[expected]);
    }
    check(
        &World::new().envs(&[("PATH", "/bin"), ("HOME", "/"), ("RUST_LOG", "info")]),
        &[],
    );
    let near = World::new().env("MAX_OPEN_ORDER", "3").loaded();
    assert!(
        near.warnings()[0].contains("MAX_OPEN_ORDERS"),
        "{:?}",
        near.warnings()
    );
    let not_utf8 = World::new().env_bytes("LOG_LEVEL", OsString::from_vec(vec![0xff]));
    check(
        &not_utf8,
        &["environment | LOG_LEVEL | expected UTF-8 text | -"],
    );
}

#[test]
fn flags_tighten_and_are_checked_like_everything_else() {
    const SAFER: &str = "a flag may only make this safer; set it in a file or in the environment";
    for (pair, expected) in [
        (
            "safety.dry_run=false",
            format!("flag --set | safety.dry_run | {SAFER} | -"),
        ),
        (
            "safety.live_trading=true",
            format!("flag --set | safety.live_trading | {SAFER} | -"),
        ),
        (
            "safety.live_trading_ack=I_UNDERSTAND",
            format!("flag --set | safety.live_trading_ack | {SAFER} | -"),
        ),
        (
            "safety.process_role=LIVE",
            format!("flag --set | safety.process_role | {SAFER} | -"),
        ),
        (
            "log.levl=info",
            "flag --set | log.levl | unknown key | log.level".to_owned(),
        ),
        (
            "log.level",
            "flag --set |  | expected section.key=value | -".to_owned(),
        ),
        (
            "ops.port=70000",
            "flag --set | ops.port | expected a whole number from 0 to 65535 | -".to_owned(),
        ),
        (
            "secrets.api_key=x",
            "flag --set | secrets.api_key | a secret is never taken from a flag | -".to_owned(),
        ),
    ] {
        check(&World::new().set(pair), &[&expected]);
    }
    let tightened = World::live()
        .flag(Flag::DryRun)
        .flag(Flag::SafeMode)
        .flag(Flag::KillSwitch)
        .loaded();
    let safety = &tightened.settings().safety;
    assert!(safety.dry_run && safety.safe_mode && safety.kill_switch);
    let monitor = World::live()
        .set("safety.process_role=MONITOR")
        .set("safety.live_trading=false")
        .loaded();
    assert!(!monitor.settings().safety.live_trading);
}

#[test]
fn rules_over_several_keys_name_the_key_and_its_place() {
    let gross = "environment | risk.max_position_notional_try | must not be above risk.max_gross_exposure_try | -";
    check(
        &World::new().env("MAX_POSITION_NOTIONAL_TRY", "10001"),
        &[gross],
    );
    for (text, expected) in [
        (
            "[risk]\nmax_order_notional_try = \"99\"\n",
            "b.toml:2:1 | risk.max_order_notional_try | must not be below risk.min_order_notional_try | -",
        ),
        (
            "[exchange.rest]\nretry_delay_ms_max = 399\n",
            "b.toml:2:1 | exchange.rest.retry_delay_ms_max | must not be below exchange.rest.retry_delay_ms_base | -",
        ),
        (
            "[exchange.ws]\nbackoff_ms_max = 499\n",
            "b.toml:2:1 | exchange.ws.backoff_ms_max | must not be below exchange.ws.backoff_ms_base | -",
        ),
        (
            "[exchange.clock]\nskew_ms_kill = 1000\n",
            "b.toml:2:1 | exchange.clock.skew_ms_kill | must be above exchange.clock.skew_ms_warn | -",
        ),
        (
            "[orders]\nreconcile_max_age_seconds = 14\n",
            "b.toml:2:1 | orders.reconcile_max_age_seconds | must not be below orders.reconcile_interval_seconds | -",
        ),
        (
            "[strategy.mean_reversion]\nexit_bps = 50\n",
            "b.toml:2:1 | strategy.mean_reversion.exit_bps | must be below strategy.mean_reversion.entry_bps | -",
        ),
        (
            "[strategy.mean_reversion]\nsamples_min = 901\n",
            "b.toml:2:1 | strategy.mean_reversion.samples_min | must fit into strategy.mean_reversion.window_seconds at strategy.sample_period_ms each | -",
        ),
        (
            "[strategy]\nstrategies = [\"market_maker\"]\nfee_bps_maker = 20\n",
            "default | strategy.market_maker.half_spread_bps | must be above strategy.fee_bps_maker while market_maker runs | -",
        ),
        (
            "[strategy]\nstrategies = [\"market_maker\"]\n[strategy.market_maker]\ninventory_limit_try = \"500\"\n",
            "default | strategy.market_maker.inventory_target_try | must be below strategy.market_maker.inventory_limit_try | -",
        ),
        (
            "[strategy]\nstrategies = [\"market_maker:BTCTRY\", \"mean_reversion:BTCTRY\"]\n",
            "b.toml:2:1 | strategy.strategies | claims a pair twice; a pair has one owner | -",
        ),
        (
            "[strategy]\nstrategies = [\"market_maker:XRPTRY\", \"mean_reversion\"]\n",
            "b.toml:2:1 | strategy.strategies | claims a pair that market.symbols does not hold | -",
        ),
        (
            "[strategy]\nstrategies = [\"market_maker\", \"mean_reversion\"]\n",
            "b.toml:2:1 | strategy.strategies | only one strategy can take the pairs that are left | -",
        ),
        (
            "[safety]\nlive_trading = true\n[exchange]\nrest_url = \"https://example.org\"\n",
            "b.toml:4:1 | exchange.rest_url | must be the exchange's own or a loopback address while safety.live_trading is true | -",
        ),
    ] {
        check(&config(text), &[expected]);
    }
    check(
        &config("[safety]\nlive_trading = true\n[exchange]\nrest_url = \"http://127.0.0.1:80\"\n"),
        &[],
    );
    check(
        &config("[exchange]\nrest_url = \"https://example.org\"\n"),
        &[],
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    check(
        &World::new().config_missing("no.toml"),
        &["no.toml |  | the file does not exist | -"],
    );
    let missing = World::new().env_file(Dotenv::File(PathBuf::from("no.env")));
    check(&missing, &["no.env |  | the file does not exist | -"]);
    let directory = World::new().file("dir/x", "").config_missing("dir");
    check(&directory, &["dir |  | not a regular file | -"]);
    let long = World::new().config("long.toml", &"#".repeat(1_048_577));
    check(&long, &["long.toml |  | the file is longer than 1 MiB | -"]);
    let binary = World::new().config("bin.toml", "");
    std::fs::write(binary.path("bin.toml"), [0xff, 0xfe]).expect("file");
    check(&binary, &["bin.toml |  | the file is not UTF-8 text | -"]);
    assert!(
        World::new()
            .env_file(Dotenv::Off)
            .dotenv("nonsense")
            .load()
            .is_ok()
    );
}

#[test]
fn all_problems_of_a_run_come_at_once_sorted_by_layer_and_line() {
    let world = World::new()
        .etc("[ops]\nport = 0\naddress = 5\n[risk]\nordersopen = 3\n")
        .config("b.toml", "[log]\nlevel = \"loud\"\n")
        .dotenv("DRYRUN=true\n")
        .env("BTCBOT__LOG__LEVL", "info")
        .env("MAX_SPREAD_BPS", "wide")
        .set("ops.port=many");
    check(
        &world,
        &[
            "etc.toml:3:11 | ops.address | expected an IP address | -",
            "etc.toml:5:1 | risk.ordersopen | unknown key | -",
            "b.toml:2:9 | log.level | expected one of error, warn, info, debug, trace | -",
            ".env.live:1 | DRYRUN | unknown name | DRY_RUN",
            "environment | BTCBOT__LOG__LEVL | unknown key log.levl | log.level",
            "environment | MAX_SPREAD_BPS | expected a whole number from 1 to 5000 | -",
            "flag --set | ops.port | expected a whole number from 0 to 65535 | -",
        ],
    );
    let errors = world.load().expect_err("seven problems");
    assert_eq!(
        (errors.class(), errors.class().exit_code()),
        (Class::Config, 78)
    );
    let text = errors.to_string();
    assert!(
        text.starts_with("configuration: 7 problems\n  etc.toml:3:11  ops.address"),
        "{text}"
    );
    assert!(
        text.contains("unknown key log.levl; did you mean log.level?"),
        "{text}"
    );
}
