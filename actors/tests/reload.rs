//! A reload of a process that trades: what it takes over, what it refuses, and that both are answered and written down.

mod support;

use actors::cli::copy::read_copy;
use actors::store::Venue;
use engine::record::Record;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::SocketAddr;
use support::exchange::{Simulator, fresh_keys};
use support::installation::{CONFIG, Installation};
use support::{Bot, Finished, SOON, START, STOP, http, run, wait_for};

fn asked(place: &Installation, args: &[&str]) -> Finished {
    run(
        place.command(&[args, &["--config", CONFIG]].concat()),
        START,
    )
}

/// A process at the exchange, with its plane; its first order is there.
fn trading(place: &Installation, simulator: &Simulator) -> (Bot, SocketAddr) {
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait("an order at the exchange", SOON, |_| {
        (!simulator.posts().is_empty()).then_some(())
    });
    (bot, plane)
}

/// Asks for a reload that must end like this; returns its data.
fn reload(place: &Installation, code: i32, parts: &[&str]) -> Value {
    let ended = asked(place, &["reload", "--reason", "a test", "--json"]);
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for part in parts {
        assert!(
            ended.stdout.contains(part),
            "{part:?} is not in {}",
            ended.stdout
        );
    }
    ended.data()
}

fn metric(plane: SocketAddr, name: &str) -> String {
    let (_, text) = http::get(plane, "/metrics").expect("the plane answers");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.expect(name).trim().to_owned()
}

/// Safe mode on: the mode shows `OBSERVE_ONLY` when this returns.
fn observe(place: &Installation) {
    let on = asked(place, &["safe-mode", "on", "--json"]);
    assert_eq!(on.data()["mode"], "OBSERVE_ONLY", "{on:?}");
}

#[test]
fn all_is_taken_over_or_nothing_and_every_reload_is_answered_and_written_down() {
    let simulator = Simulator::with_own_account(61, &[]);
    let place = Installation::armed(&simulator);
    let (bot, plane) = trading(&place, &simulator);
    let ok = "btcbot_config_last_reload_successful";
    assert_eq!(metric(plane, ok), "1");
    reload(&place, 0, &["nothing differs"]);

    // Every problem of a file that cannot be read, and the old one goes on.
    place.configure("LOG_LEVEL=loud\nSYMBLS=BTCTRY\n");
    let refused = reload(&place, 6, &["LOG_LEVEL", "SYMBLS"]);
    assert!(
        refused["reasons"]
            .as_array()
            .is_some_and(|all| all.len() >= 2)
    );
    assert_eq!(metric(plane, ok), "0");
    place.configure("LOG_LEVEL=info\nSYMBLS=\n");
    let dotenv = std::fs::read_to_string(place.path().join(".env.live")).expect("ours");
    place.write_with_mode(".env.live", &dotenv.replace("SYMBLS=\n", ""), 0o600);

    // A cold key refuses what else has changed, and the difference says so.
    place.configure("SHUTDOWN_DEADLINE_SECONDS=44\nMAX_OPEN_ORDERS=9\n");
    reload(
        &place,
        6,
        &["orders.shutdown_deadline_seconds: needs a restart"],
    );
    let diff = asked(&place, &["config", "diff", "--json"]).data();
    let rows = json!([
        {"key": "risk.max_open_orders", "running": "10", "on_disk": "9", "reload": "takes it over"},
        {"key": "orders.shutdown_deadline_seconds", "running": "45", "on_disk": "44", "reload": "needs a restart"},
    ]);
    assert_eq!(
        (&diff["keys"], &diff["credentials"]),
        (&rows, &json!("same"))
    );

    // Limits tighten while orders leave, and loosen only behind a shut gate.
    place.configure("SHUTDOWN_DEADLINE_SECONDS=45\n");
    let taken = reload(&place, 0, &["risk.max_open_orders"]);
    assert_eq!(taken["keys"], json!(["risk.max_open_orders"]));
    assert_eq!(metric(plane, ok), "1");
    place.configure("MAX_OPEN_ORDERS=10\n");
    reload(
        &place,
        6,
        &["risk.max_open_orders: may only be raised while OBSERVE_ONLY"],
    );
    observe(&place);
    reload(&place, 0, &["risk.max_open_orders"]);
    let applied = "btcbot_config_reloads_total{outcome=\"applied\"}";
    assert_eq!(metric(plane, applied), "2");
    place.configure("RATE_LIMIT_UTILISATION_BPS=4000\nRECONCILE_INTERVAL_SECONDS=20\nBTCTURK_WS_BACKOFF_MAX_MS=60000\n");
    let pace = reload(&place, 0, &[]);
    let keys = [
        "exchange.rest.rate_utilisation_bps",
        "exchange.ws.backoff_ms_max",
        "orders.reconcile_interval_seconds",
    ];
    assert_eq!(pace["keys"], json!(keys));

    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    let state = place.path().join("btcbot-data/live");
    let (_, history) = read_copy(&state, Venue::Live).expect("read");
    let results: Vec<String> = history
        .iter()
        .filter_map(|entry| match &entry.record {
            Record::Audit { what, result, .. } if what == "reload" => Some(result.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(results.len(), 8, "{results:?}");
    assert_eq!(results[5], "asked: limits loosen", "{results:?}");
}

#[test]
fn a_safety_flag_goes_to_its_safe_side_at_once_and_back_only_by_a_restart() {
    for (line, code) in [
        ("SAFE_MODE=true\n", "operator_safe_mode"),
        ("KILL_SWITCH=true\n", "configured_kill"),
        ("LIVE_TRADING=false\n", "operator_safe_mode"),
    ] {
        let simulator = Simulator::with_own_account(62, &[]);
        let place = Installation::armed(&simulator);
        let (bot, plane) = trading(&place, &simulator);
        place.configure(line);
        bot.signal(Signal::HUP);
        wait_for(code, SOON, || {
            bot.status(plane).to_string().contains(code).then_some(())
        });
        wait_for("the end of the own orders", SOON, || {
            simulator.open_orders().is_empty().then_some(())
        });
        let posts = simulator.posts().len();
        let off = asked(&place, &["safe-mode", "off", "--reason", "again"]);
        assert_eq!(off.code, Some(6), "{line}: {off:?}");
        assert!(off.stderr.contains("restart_needed"), "{line}: {off:?}");
        place.configure(
            &line
                .replace("true", "\u{1}")
                .replace("false", "true")
                .replace('\u{1}', "false"),
        );
        reload(&place, 6, &["may only be made safer without a restart"]);
        assert_eq!(simulator.posts().len(), posts, "{line}");
        bot.signal(Signal::TERM);
        assert_eq!(bot.finish(STOP).code, Some(0), "{line}");
    }
}

#[test]
fn credentials_change_only_behind_a_shut_gate_and_after_one_read_with_the_new_ones() {
    let simulator = Simulator::with_own_account(63, &[]);
    let place = Installation::armed(&simulator);
    let (bot, _) = trading(&place, &simulator);
    let (key, secret) = fresh_keys();
    let write = |key: &str, secret: &str| {
        place.write_with_mode("secrets/btcturk_api_key", key, 0o400);
        place.write_with_mode("secrets/btcturk_api_secret", secret, 0o400);
    };
    write(&key, &secret);
    reload(
        &place,
        6,
        &["credentials: may only change while OBSERVE_ONLY"],
    );
    observe(&place);
    let diff = asked(&place, &["config", "diff", "--json"]).data();
    assert_eq!(diff["credentials"], "different");
    reload(&place, 6, &["credentials: "]);
    // The old pair still signs, and nothing of either was shown.
    let cancelled = asked(&place, &["orders", "list", "--all", "--json"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    write(&simulator.key, &simulator.secret);
    reload(&place, 0, &["nothing differs"]);
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0));
    for shown in [&key, &secret, &simulator.key, &simulator.secret] {
        assert!(!ended.stderr.contains(shown) && !ended.stdout.contains(shown));
    }
}

#[test]
fn a_key_that_reads_the_same_balances_replaces_the_old_one_and_is_locked_for_this_process() {
    let (key, secret) = fresh_keys();
    // Two keys of one account, as far as balances tell: none of them trades.
    let simulator = Simulator::with_second_key(65, (&key, &secret));
    let place = Installation::armed(&simulator);
    place.configure("SAFE_MODE=true\n");
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait("a clean look at the account", SOON, |_| {
        let clean = metric(plane, "btcbot_reconcile_passes_total{outcome=\"clean\"}");
        (clean != "0").then_some(())
    });
    let rotate = |place: &Installation| {
        place.write_with_mode("secrets/btcturk_api_key", &key, 0o400);
        place.write_with_mode("secrets/btcturk_api_secret", &secret, 0o400);
    };
    rotate(&place);
    let taken = reload(&place, 0, &["and the credentials"]);
    assert_eq!(taken["credentials_replaced"], true);
    let second = Installation::armed(&simulator);
    rotate(&second);
    let refused = run(second.run_command(&[]), START);
    assert_eq!(refused.code, Some(7), "{refused:?}");
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_second_key_of_the_account_is_known_by_our_own_orders() {
    let (key, secret) = fresh_keys();
    let simulator = Simulator::with_two_keys(67, (&key, &secret));
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    bot.plane();
    bot.wait("an open order at the exchange", SOON, |_| {
        (!simulator.open_orders().is_empty()).then_some(())
    });
    observe(&place);
    place.write_with_mode("secrets/btcturk_api_key", &key, 0o400);
    place.write_with_mode("secrets/btcturk_api_secret", &secret, 0o400);
    reload(&place, 0, &["and the credentials"]);
    bot.wait_for_text("\"proof\":\"own_order\"", SOON);
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_key_of_another_account_is_refused() {
    let (key, secret) = fresh_keys();
    let simulator = Simulator::with_second_key(66, (&key, &secret));
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait("a fill", SOON, |_| {
        (metric(plane, "btcbot_fills_total") != "0").then_some(())
    });
    observe(&place);
    wait_for("the end of the own orders", SOON, || {
        simulator.open_orders().is_empty().then_some(())
    });
    place.write_with_mode("secrets/btcturk_api_key", &key, 0o400);
    place.write_with_mode("secrets/btcturk_api_secret", &secret, 0o400);
    reload(&place, 6, &["another account"]);
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn the_log_talks_more_for_a_while_and_keeps_its_last_lines() {
    let simulator = Simulator::with_own_account(64, &[]);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    bot.plane();
    let says_debug = |place: &Installation| {
        let tail = asked(place, &["logs", "tail"]);
        assert_eq!(tail.code, Some(0), "{tail:?}");
        tail.stdout.contains("\"level\":\"DEBUG\"")
    };
    bot.wait("an answer on the socket", START, |_| {
        (asked(&place, &["logs", "tail"]).code == Some(0)).then_some(())
    });
    assert!(!says_debug(&place));
    for (wish, part) in [("actors=loud", "level: "), ("actors/x=debug", "target: ")] {
        let bad = asked(&place, &["logs", "level", wish]);
        assert_eq!(bad.code, Some(2), "{bad:?}");
        assert!(bad.stderr.contains(part), "{bad:?}");
    }
    let set = asked(&place, &["logs", "level", "actors=trace", "--for", "1s"]);
    assert_eq!(set.code, Some(0), "{set:?}");
    bot.wait("talk", SOON, |_| says_debug(&place).then_some(()));
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}
