//! The canary against the simulator: one order out and back, armed and dry, and everything that keeps it in.

mod support;

use serde_json::Value;
use std::time::Duration;
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation};
use support::{Bot, Finished, SOON, START, STOP, run};

/// Longest flight here: start, cycle, a life of five seconds, stop.
const FLIGHT: Duration = Duration::from_secs(120);

fn fly(place: &Installation, more: &[&str]) -> Finished {
    // Machines of tests differ in what a doctor warns of.
    let base = ["canary", "once", "--symbol", "BTCTRY", "--ttl-seconds", "5"];
    let args = [&base, more, &["--allow-warn", "--json", "--config", CONFIG]].concat();
    run(place.command(&args), FLIGHT)
}

fn is_whole(data: &Value) {
    for (name, expected) in [
        ("submitted", 1),
        ("canceled", 1),
        ("filled", 0),
        ("rejected", 0),
        ("not_sent", 0),
        ("unknown", 0),
        ("cycles", 1),
    ] {
        assert_eq!(data[name], expected, "{name}: {data}");
    }
    assert_eq!(data["leftovers"], Value::Array(Vec::new()), "{data}");
}

#[test]
fn an_armed_canary_sends_one_order_and_brings_it_home() {
    let simulator = Simulator::with_own_account(41, &[]);
    let place = Installation::armed(&simulator);
    let flown = fly(&place, &[]);
    assert_eq!(flown.code, Some(0), "{flown:?}");
    let data = flown.data();
    is_whole(&data);
    assert_eq!(data["venue"], "live", "{data}");
    assert!(data["submit_ms"]["max"].is_i64(), "{data}");
    assert!(data["cancel_ms"]["max"].is_i64(), "{data}");
    assert_eq!(simulator.posts().len(), 1, "one order, ever");
    assert_eq!(simulator.posts()[0].client_id, client_id(&data));
    assert_eq!(simulator.open_orders(), Vec::<String>::new());
    let lived = simulator.deletes()[0].ts_ms - simulator.posts()[0].ts_ms;
    assert!(lived >= 5_000, "it rested for its time to live: {lived} ms");

    let id = client_id(&data).expect("an order");
    let why = run(place.command(&["why", &id, "--config", CONFIG]), START);
    assert_eq!(why.code, Some(0), "it is in the journal: {why:?}");
}

fn client_id(data: &Value) -> Option<String> {
    data["orders"][0]["client_id"].as_str().map(str::to_owned)
}

#[test]
fn a_dry_canary_flies_the_same_way_and_writes_nothing_to_the_exchange() {
    let simulator = Simulator::with_own_account(42, &[]);
    let place = Installation::dry(&simulator);
    let flown = fly(&place, &["--dry-run"]);
    assert_eq!(flown.code, Some(0), "{flown:?}");
    is_whole(&flown.data());
    assert_eq!(flown.data()["venue"], "simulated");
    let requests = simulator.requests();
    assert!(requests.iter().all(|request| request.method == "GET"));
}

#[test]
fn an_order_of_unknown_fate_is_followed_to_its_proven_end_and_fails_the_flight() {
    // The stream is slower than the reply, or it would say that the order rests before the 500 can hide it.
    let simulator = Simulator::with_own_account(
        43,
        &[
            "fault.internal_error_accepted=1",
            "orders.event_before_reply=0",
            "private.delay_ms=2000",
        ],
    );
    let place = Installation::armed(&simulator);
    let flown = fly(&place, &[]);
    assert_eq!(flown.code, Some(1), "{flown:?}");
    let data = flown.data();
    assert_eq!(
        (&data["unknown"], &data["canceled"]),
        (&1.into(), &1.into()),
        "{data}"
    );
    assert_eq!(simulator.posts().len(), 1, "it is never sent again");
}

#[test]
fn what_must_not_fly_is_told_why_and_nothing_is_sent() {
    let simulator = Simulator::with_own_account(44, &[]);
    let place = Installation::armed(&simulator);
    let check = |lines: &str, more: &[&str], code: i32, part: &str| {
        place.configure(lines);
        let refused = fly(&place, more);
        assert_eq!(refused.code, Some(code), "{lines} {more:?}: {refused:?}");
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    };
    check("", &["--notional-try", "1"], 2, "the smallest order is");
    check("", &["--notional-try", "5001"], 2, "at most 5000");
    check("LIVE_TRADING_ACK=no\n", &[], 6, "ack_missing");
    check(
        "LIVE_TRADING_ACK=I_UNDERSTAND\nSAFE_MODE=true\n",
        &["--dry-run"],
        6,
        "safe_mode",
    );

    place.configure("SAFE_MODE=false\n");
    let mut bot = Bot::start(place.run_command(&["--safe-mode"]));
    bot.wait("the running process", SOON, |_| {
        let asked = place.command(&["safe-mode", "status", "--config", CONFIG]);
        (run(asked, START).code == Some(0)).then_some(())
    });
    let on = place.command(&["safe-mode", "on", "--reason", "a drill", "--config", CONFIG]);
    assert_eq!(run(on, START).code, Some(0));
    check("", &[], 7, "");
    bot.signal(rustix::process::Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    // Safe mode was on when that run ended, so no order may leave until somebody says otherwise.
    check("", &[], 6, "operator_safe_mode");
    assert_eq!(simulator.posts().len(), 0);
}
