//! `btcbot run` with a webhook: news arrives signed, and a receiver that is silent changes nothing.

mod support;

use config::secret_hook::HookKey;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use support::exchange::Simulator;
use support::installation::Installation;
use support::receiver::{Manner, Receiver};
use support::{Bot, SOON, START, STOP, run};

const KEY: &str = "a key that opens nothing";

/// A dry run that tells this receiver.
fn place(simulator: &Simulator, receiver: &Receiver) -> Installation {
    let place = Installation::dry(simulator);
    place.write_with_mode("webhook.key", KEY, 0o400);
    place.configure(&format!(
        "EVENTS_WEBHOOK_URL={}/btcbot\nEVENTS_SECRET_FILE=webhook.key\n",
        receiver.url()
    ));
    place
}

#[test]
fn a_run_tells_its_start_its_fills_its_mode_and_its_end_with_a_signature() {
    let simulator = Simulator::process(21);
    let receiver = Receiver::start(Manner::Answers, &[]);
    let place = place(&simulator, &receiver);
    let mut bot = Bot::start(place.run_command(&["--json"]));
    bot.wait_for_text("\"event\":\"fill\"", START + SOON);
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let uid = rustix::process::geteuid().as_raw();
    let key = HookKey::read(&place.path().join("webhook.key"), uid).expect("a key");
    let (mut names, mut trades) = (Vec::new(), BTreeSet::new());
    for (at, request) in receiver.received().iter().enumerate() {
        assert_eq!(request.path, "/btcbot");
        let signature = format!("sha256={}", key.sign(&request.body));
        assert_eq!(request.header("x-btcbot-signature"), Some(&*signature));
        let body = String::from_utf8(request.body.clone()).expect("text");
        assert!(!body.contains(KEY), "the key is not told");
        let event: Value = serde_json::from_str(&body).expect("one object");
        assert_eq!(event["sequence"], Value::from(at + 1), "{event}");
        if event["event"] == "fill" {
            let trade = event["data"]["trade_id"].as_str().expect("an id");
            assert!(trades.insert(trade.to_owned()), "told twice: {event}");
        }
        names.push(event["event"].as_str().expect("a name").to_owned());
    }
    assert!(!format!("{ended:?}").contains(KEY), "the key is not shown");
    assert_eq!(names.first().map(String::as_str), Some("start"));
    assert_eq!(names.last().map(String::as_str), Some("stop"), "{names:?}");
    for name in ["mode", "fill"] {
        assert!(
            names.iter().any(|told| told == name),
            "no {name}: {names:?}"
        );
    }
}

#[test]
fn a_key_that_others_may_read_is_refused_by_name() {
    let simulator = Simulator::process(23);
    let receiver = Receiver::start(Manner::Answers, &[]);
    let place = place(&simulator, &receiver);
    place.write_with_mode("webhook.key", KEY, 0o644);
    let ended = run(place.run_command(&["--for", "1s"]), START + STOP);
    assert_eq!(ended.code, Some(77), "{ended:?}");
    assert!(ended.stderr.contains("EVENTS_SECRET_FILE"), "{ended:?}");
    assert!(!ended.stderr.contains(KEY), "{ended:?}");
}
