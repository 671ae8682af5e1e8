//! Budgets of the running program: a storm goes up the ladder, and neither a crash nor a restart gives anything back.

mod support;

use serde_json::Value;
use std::net::SocketAddr;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Bot, SOON, http};

/// A stream that is tried again at once, as often as a minute may have.
const HASTY: &str = "\
BTCTURK_WS_BACKOFF_BASE_MS=100
BTCTURK_WS_BACKOFF_MAX_MS=100
BTCTURK_WS_CONNECTS_PER_MINUTE=14
SLO_RECONNECTS_PER_DAY=40
";

/// The cause as the status page shows it.
fn cause(bot: &Bot, plane: SocketAddr, name: &str) -> Option<Value> {
    let status = bot.status(plane);
    let causes = status["ladder"]["causes"].as_array()?;
    causes.iter().find(|cause| cause["cause"] == name).cloned()
}

fn wait_for_rung(bot: &mut Bot, plane: SocketAddr, name: &str, rung: &str) -> Value {
    bot.wait(&format!("{name} at {rung}"), SOON, |bot| {
        cause(bot, plane, name).filter(|cause| cause["rung"] == rung)
    })
}

fn wait_for_metric(bot: &mut Bot, plane: SocketAddr, line: &str) {
    bot.wait(line, SOON, |_| {
        let (_, text) = http::get(plane, "/metrics").ok()?;
        text.lines().any(|found| found == line).then_some(())
    });
}

/// The rungs that one cause went to, as the log tells it.
fn logged(bot: &Bot, name: &str) -> Vec<String> {
    let log = bot.stderr();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let steps = lines.filter(|line| line["event"] == "ladder" && line["reason"] == name);
    steps
        .filter_map(|line| line["after"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_storm_goes_up_the_ladder_and_a_crash_gives_nothing_back() {
    let simulator = Simulator::with_own_account(41, &["fault.ws_reset=1"]);
    let place = Installation::armed(&simulator);
    place.configure(HASTY);
    let mut bot = place.start();
    let plane = bot.plane();
    let seen = wait_for_rung(&mut bot, plane, "reconnects", "observe_only");
    assert!(seen["count"].as_u64() >= Some(10), "{seen}");
    assert_eq!(
        logged(&bot, "reconnects"),
        ["restart", "backoff", "observe_only"]
    );
    let codes = bot.status(plane)["contributions"].to_string();
    assert!(codes.contains("reconnect_budget"), "{codes}");
    wait_for_metric(
        &mut bot,
        plane,
        "btcbot_ladder_rung{cause=\"reconnects\"} 3",
    );
    wait_for_metric(
        &mut bot,
        plane,
        "btcbot_ladder_steps_total{to=\"backoff\"} 1",
    );
    wait_for_metric(
        &mut bot,
        plane,
        "btcbot_budget_limit{budget=\"reconnects\"} 40",
    );
    let (_, text) = http::get(plane, "/metrics").expect("the plane answers");
    let attempts = text
        .lines()
        .find_map(|line| line.strip_prefix("btcbot_ws_connects_total "));
    let attempts: u32 = attempts.and_then(|n| n.parse().ok()).expect("a count");
    assert!(attempts <= 14, "{attempts} in less than a minute");
    bot.kill_9();

    // The same budget is still burning; a smaller one is spent from the first turn on.
    let mut bot = place.start();
    let plane = bot.plane();
    let seen = wait_for_rung(&mut bot, plane, "reconnects", "observe_only");
    assert!(seen["count"].as_u64() >= Some(10), "{seen}");
    bot.kill_9();
    place.configure("SLO_RECONNECTS_PER_DAY=10\n");
    let mut bot = place.start();
    let plane = bot.plane();
    wait_for_rung(&mut bot, plane, "reconnects", "killed");
    wait_for_metric(&mut bot, plane, "btcbot_mode{mode=\"KILL_SWITCH\"} 1");
    bot.kill_9();
}

#[test]
fn the_fourth_quick_start_observes_the_fifth_is_killed_and_a_drill_lifts_both() {
    let simulator = Simulator::with_own_account(42, &[]);
    let place = Installation::armed(&simulator);
    for rung in ["", "", "", "observe_only", "killed"] {
        let mut bot = place.start();
        let plane = bot.plane();
        bot.wait_for_text("feed_up", SOON);
        if rung.is_empty() {
            assert_eq!(cause(&bot, plane, "boots"), None);
        } else {
            wait_for_rung(&mut bot, plane, "boots", rung);
        }
        bot.kill_9();
    }
    place.configure("SLO_LIFT_BUDGETS=true\n");
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait_for_text("feed_up", SOON);
    wait_for_rung(&mut bot, plane, "boots", "normal");
    bot.kill_9();
}

#[test]
fn throttled_answers_open_breakers_and_stay_spent_after_a_crash() {
    let simulator = Simulator::with_own_account(43, &["fault.rest_429=1"]);
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    let before = wait_for_rung(&mut bot, plane, "throttled", "restart");
    wait_for_metric(
        &mut bot,
        plane,
        "circuit_breaker_state{breaker=\"account\"} 2",
    );
    wait_for_metric(
        &mut bot,
        plane,
        "circuit_breaker_state{breaker=\"market_data\"} 2",
    );
    bot.kill_9();
    let asked = simulator.requests().len();
    let mut bot = place.start();
    let plane = bot.plane();
    let after = bot.wait("the figures", SOON, |bot| cause(bot, plane, "throttled"));
    assert!(
        after["count"].as_u64() >= before["count"].as_u64(),
        "{before} {after}"
    );
    bot.kill_9();
    assert!(
        asked < 20,
        "{asked} requests against an exchange that wants none"
    );
}

#[test]
fn the_third_refusal_of_credentials_in_a_row_kills() {
    let simulator = Simulator::with_own_account(44, &[]);
    let place = Installation::armed(&simulator);
    let wrong = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    place.write_with_mode("secrets/btcturk_api_secret", wrong, 0o400);
    let mut bot = place.start();
    let plane = bot.plane();
    wait_for_rung(&mut bot, plane, "credentials", "killed");
    wait_for_metric(&mut bot, plane, "btcbot_mode{mode=\"KILL_SWITCH\"} 1");
    let asked_times = simulator.requests();
    let times = asked_times
        .iter()
        .filter(|request| request.path.contains("server/time"));
    assert!(
        times.count() >= 2,
        "the clock was measured again: {asked_times:?}"
    );
    bot.kill_9();
}
