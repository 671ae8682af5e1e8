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
