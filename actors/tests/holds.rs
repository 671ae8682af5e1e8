//! What an operator holds back in a running process: one pair, or everything for a while, over a restart.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation};
use support::{Finished, SOON, START, STOP, run, wait_for};

fn asked(place: &Installation, args: &[&str]) -> Finished {
    run(
        place.command(&[args, &["--config", CONFIG, "--json"]].concat()),
        START,
    )
}

fn voice(data: &Value, code: &str) -> Option<Value> {
    let voices = data["contributions"].as_array().into_iter().flatten();
    { voices }.find(|voice| voice["code"] == code).cloned()
}

fn socket(place: &Path) -> bool {
    place.join("btcbot-data/control.sock").exists()
}

#[test]
fn a_frozen_pair_ends_its_orders_takes_no_risk_and_stays_frozen_over_a_crash() {
    let simulator = Simulator::with_own_account(31, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    bot.wait("an order at the exchange", SOON, |_| {
        (!simulator.posts().is_empty()).then_some(())
    });
    let unknown = asked(&place, &["freeze", "on", "DOGETRY", "--reason", "a drill"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(
        unknown.stdout.contains("configured pairs: BTCTRY"),
        "{unknown:?}"
    );
    let on = asked(&place, &["freeze", "on", "BTCTRY", "--reason", "a drill"]);
    assert_eq!(on.code, Some(0), "{on:?}");
    let frozen = voice(&on.data(), "operator_freeze").expect("it is shown");
    let uid = format!("uid {}", rustix::process::geteuid().as_raw());
    let said = (
        &frozen["by"],
        &frozen["reason"],
        &frozen["scope"],
        &frozen["source"],
    );
    let expected = (
        &uid.into(),
        &"a drill".into(),
        &"BTCTRY".into(),
        &"operator".into(),
    );
    assert_eq!(said, expected);
    assert!(frozen["since_us"].as_i64().is_some_and(|since| since > 0));
    assert_eq!(on.data()["mode"], "NORMAL", "the other pairs go on");
    let buys = || {
        let open = simulator.open_orders();
        open.len()
    };
    wait_for("the end of the own orders", SOON, || {
        (buys() == 0).then_some(())
    });
    bot.kill_9();

    let mut bot = place.start();
    bot.wait("an answer on the socket", START, |_| {
        (socket(place.path()) && asked(&place, &["freeze", "status"]).code == Some(0)).then_some(())
    });
    let status = asked(&place, &["freeze", "status"]);
    let still = voice(&status.data(), "operator_freeze").expect("it outlives a crash");
    assert_eq!(
        (&still["by"], &still["reason"]),
        (&frozen["by"], &frozen["reason"])
    );
    let before = simulator.posts().len();
    let cleared = asked(
        &place,
        &["freeze", "clear", "BTCTRY", "--reason", "it is over"],
    );
    assert_eq!(cleared.code, Some(0), "{cleared:?}");
    assert_eq!(voice(&cleared.data(), "operator_freeze"), None);
    let again = asked(&place, &["freeze", "clear", "BTCTRY", "--reason", "twice"]);
    assert_eq!(again.code, Some(3), "{again:?}");
    bot.wait("orders again", SOON * 3, |_| {
        (simulator.posts().len() > before).then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_step_down_holds_over_a_restart_and_ends_when_it_is_cleared_or_over() {
    let simulator = Simulator::with_own_account(32, &[]);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    bot.wait("an answer on the socket", START, |_| {
        (socket(place.path()) && asked(&place, &["degrade", "status"]).code == Some(0))
            .then_some(())
    });
    let step = |mode: &str, time: &str| {
        asked(
            &place,
            &[
                "degrade", "override", mode, "--for", time, "--reason", "a drill",
            ],
        )
    };
    for (mode, time, code) in [
        ("NORMAL", "5m", 6),
        ("KILL_SWITCH", "5m", 6),
        ("SLOW", "5m", 2),
    ] {
        let refused = step(mode, time);
        assert_eq!(refused.code, Some(code), "{mode}: {refused:?}");
        assert!(refused.stdout.contains("OBSERVE_ONLY"), "{refused:?}");
    }
    let done = step("OBSERVE_ONLY", "2h");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.data()["mode"], "OBSERVE_ONLY");
    assert_eq!(
        step("REDUCE_RISK_ONLY", "3h").code,
        Some(6),
        "looser than what stands"
    );
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));

    let mut bot = place.start();
    bot.wait("the mode of before", START, |_| {
        let status = asked(&place, &["degrade", "status"]);
        let voice = voice(&status.data(), "operator_degrade")?;
        assert_eq!(voice["source"], "operator");
        assert!(voice["until_us"].as_i64() > voice["since_us"].as_i64());
        Some(())
    });
    let cleared = asked(&place, &["degrade", "clear", "--reason", "over"]);
    assert_eq!(cleared.code, Some(0), "{cleared:?}");
    assert_eq!(voice(&cleared.data(), "operator_degrade"), None);
    assert_eq!(step("REDUCE_RISK_ONLY", "1s").code, Some(0));
    bot.wait("the end of a second", SOON, |_| {
        let status = asked(&place, &["degrade", "status"]);
        voice(&status.data(), "operator_degrade")
            .is_none()
            .then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}
