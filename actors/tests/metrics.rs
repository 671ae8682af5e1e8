//! `/metrics`, `/status` and the probes of a running process.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{SOON, STOP, http};

/// Names that operators' rules and boards rest on: they must be there before anything has happened.
const PROMISED: [(&str, &str); 8] = [
    ("ws_reconnect_rate", "gauge"),
    ("rest_429_rate", "gauge"),
    ("rest_retry_rate", "gauge"),
    ("stale_market_data_rate", "gauge"),
    ("reconcile_lag_ms", "gauge"),
    ("order_submit_latency_ms", "histogram"),
    ("cancel_latency_ms", "histogram"),
    ("circuit_breaker_state", "gauge"),
];

#[test]
fn the_first_scrape_lists_every_promised_name_and_the_probes_answer() {
    let simulator = Simulator::process(7);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    let (code, text) =
        http::get(plane, "/metrics").expect("the plane answers from the first line on");
    assert_eq!(code, 200);
    for (name, kind) in PROMISED {
        assert!(
            text.contains(&format!("# HELP {name} ")),
            "{name} has no HELP"
        );
        assert!(
            text.contains(&format!("# TYPE {name} {kind}\n")),
            "{name} is no {kind}"
        );
        let has_sample = text.lines().any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{', '_']))
        });
        assert!(has_sample, "{name} has no sample");
    }
    let answers = |path: &'static str, expected: u16| {
        move |_: &support::Bot| {
            http::get(plane, path)
                .is_ok_and(|(code, _)| code == expected)
                .then_some(())
        }
    };
    bot.wait("/livez", SOON, answers("/livez", 200));
    bot.wait("/startupz", SOON, answers("/startupz", 200));
    bot.wait("/readyz", SOON, answers("/readyz", 200));
    bot.wait("/nowhere", SOON, answers("/nowhere", 404));
    let (code, _) = http::request(plane, "POST", "/status", &[]).expect("an answer");
    assert_eq!(code, 405, "the plane only reads");
    let status = bot.status(plane);
    assert_eq!(status["schema"], Value::from("btcbot.status/v1"));
    assert_eq!(status["venue"], Value::from("simulated"));
    for name in [
        "run_id",
        "version",
        "mode",
        "account",
        "counts",
        "orders",
        "unknown_orders",
        "books",
        "events",
    ] {
        assert!(!status[name].is_null(), "{name}: {status}");
    }
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn health_asks_the_running_process() {
    let simulator = Simulator::process(8);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    let url = format!("http://{}", bot.plane());
    bot.wait("readiness by `health`", SOON, |_| {
        let ended = support::run(place.command(&["health", "--ready", "--url", &url]), SOON);
        (ended.code == Some(0)).then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    let ended = support::run(place.command(&["health", "--ready", "--url", &url]), SOON);
    assert_eq!(ended.code, Some(4), "nobody is there: {ended:?}");
}

/// The figure of one series.
fn figure(text: &str, series: &str) -> f64 {
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {series} in\n{text}"))
}

#[test]
fn figures_of_standing_are_true_from_the_first_scrape_on() {
    let simulator = Simulator::process(9);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    let (_, first) = http::get(plane, "/metrics").expect("the plane answers");
    let check = |series: &str, expected: f64| {
        assert!((figure(&first, series) - expected).abs() < 1e-9, "{series}");
    };
    check("btcbot_live_trading_configured", 0.0);
    check("btcbot_arming_blocked{reason=\"dry_run\"}", 1.0);
    check("btcbot_arming_blocked{reason=\"restart_needed\"}", 0.0);
    check("btcbot_mode{mode=\"NORMAL\"}", 1.0);
    check("btcbot_kill_latched", 0.0);
    check("btcbot_secret_age_limit_seconds", 90.0 * 86_400.0);
    check("btcbot_budget_limit{budget=\"reconnects\"}", 48.0);
    assert!(
        figure(&first, "btcbot_secret_age_seconds").is_nan(),
        "no key"
    );
    assert!(figure(&first, "btcbot_state_disk_free_bytes") > 0.0);
    assert!(figure(&first, "btcbot_state_file_bytes") > 0.0);
    let seconds = |ms: i64| std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64();
    let is_recent =
        |text: &str, series: &str| seconds(support::now_ms()) - figure(text, series) < 30.0;
    for thread in ["main", "trade", "rest", "journal", "keeper", "killer"] {
        let series = format!("btcbot_thread_beat_timestamp_seconds{{thread=\"{thread}\"}}");
        assert!(is_recent(&first, &series), "{thread}");
    }
    let market_data = "btcbot_market_data_timestamp_seconds{symbol=\"BTCTRY\"}";
    assert!(is_recent(&first, market_data));
    bot.wait("decisions, orders and a fresher book", SOON, |_| {
        let (_, text) = http::get(plane, "/metrics").ok()?;
        let has_decided = figure(&text, "btcbot_decision_duration_seconds_count") > 0.0;
        let is_used = figure(
            &text,
            "btcbot_limit_used_ratio{limit=\"orders_per_minute\"}",
        ) > 0.0;
        let is_fresher = figure(&text, market_data) > figure(&first, market_data);
        (has_decided && is_used && is_fresher).then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

/// The signals that one cause moves, and the cause: faults of the exchange, or none beside its daily business.
const MOVED: [(&[&str], &[&str]); 4] = [
    (
        &[],
        &[
            "reconcile_lag_ms",
            "order_submit_latency_ms_count",
            "cancel_latency_ms_count",
        ],
    ),
    (
        &["fault.ws_reset=1"],
        &["ws_reconnect_rate", "stale_market_data_rate"],
    ),
    (&["fault.html_502=1"], &["rest_retry_rate"]),
    (
        &["fault.rest_429=1"],
        &["rest_429_rate", "circuit_breaker_state"],
    ),
];

/// The figure of one signal, and the highest of a signal of several breakers.
fn signal(text: &str, name: &str) -> f64 {
    if name != "circuit_breaker_state" {
        return figure(text, name);
    }
    ["submit", "cancel", "account", "market_data"]
        .map(|breaker| figure(text, &format!("{name}{{breaker=\"{breaker}\"}}")))
        .into_iter()
        .fold(0.0, f64::max)
}

#[test]
fn each_of_the_eight_signals_moves_when_its_cause_is_injected() {
    let simulator = Simulator::with_own_account(10, &[]);
    let place = Installation::drill(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    for (faults, signals) in MOVED {
        let (_, before) = http::get(plane, "/metrics").expect("the plane answers");
        simulator.set_faults(faults);
        for name in signals {
            bot.wait(&format!("{name} to move"), SOON * 2, |_| {
                let (_, text) = http::get(plane, "/metrics").ok()?;
                (signal(&text, name) > signal(&before, name)).then_some(())
            });
        }
    }
    // Whatever the exchange would make of a stop: the signals are what is looked at here.
    bot.kill_9();
}
