//! `btcbot run` as a dry run against the simulator: it trades on paper, writes nothing to the exchange, and remembers.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Bot, SOON, START, STOP};

/// Samples of the account that must be equal before it counts as settled; one is taken a second.
const EQUAL_SAMPLES: usize = 3;

/// Tag and epoch of every client id in a log: `b`, four characters, six digits.
fn starts(log: &str) -> BTreeSet<String> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ids =
        lines.filter_map(|line| Some(line["client_order_id"].as_str()?.get(..11)?.to_owned()));
    ids.collect()
}

#[test]
fn it_fills_on_paper_and_sends_no_order() {
    let simulator = Simulator::process(7);
    let place = Installation::dry(&simulator);
    let mut bot = Bot::start(place.run_command(&["--json"]));
    bot.wait_for_text("\"event\":\"fill\"", START + SOON);
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let data = ended.data();
    assert_eq!(data["venue"], Value::from("simulated"));
    assert_eq!(data["armed"], Value::from(false));
    assert!(
        data["fills"].as_u64().is_some_and(|fills| fills > 0),
        "{data}"
    );
    assert_eq!(data["unknown_orders"], Value::from(0), "{data}");
    assert_eq!(data["leftovers"], Value::Array(Vec::new()), "{data}");
    let requests = simulator.requests();
    assert!(requests.len() > 2, "it read public data: {requests:?}");
    assert!(
        requests
            .iter()
            .all(|request| request.method == "GET" && request.path.starts_with("/api/v2/")),
        "public reads only: {requests:?}"
    );
}

#[test]
fn a_second_run_continues_where_the_first_one_stopped() {
    let simulator = Simulator::process(8);
    let place = Installation::dry(&simulator);
    let (first_log, balances) = trade_then_rest(&place);
    assert_ne!(balances["TRY"], Value::from("100000"), "it traded");

    let mut second = Bot::start(place.run_command(&["--safe-mode"]));
    let plane = second.plane();
    second.wait("the balances of the first run", SOON, |bot| {
        (bot.status(plane)["money"]["balances"] == balances).then_some(())
    });
    second.signal(Signal::TERM);
    assert_eq!(second.finish(STOP).code, Some(0));

    // Safe mode was on when the first run ended, so it is on until somebody says otherwise.
    let mut third = place.start();
    let plane = third.plane();
    third.wait("readiness in safe mode", SOON, |bot| {
        let status = bot.status(plane);
        let is_safe = status["contributions"]
            .to_string()
            .contains("operator_safe_mode");
        (is_safe && status["not_ready"] == Value::Array(Vec::new())).then_some(())
    });
    third.signal(Signal::USR2);
    third.wait_for_text("\"safe_mode_off\"", SOON);
    third.wait_for_text("client_order_id", SOON);
    third.signal(Signal::TERM);
    let third = third.finish(STOP);
    assert_eq!(third.code, Some(0), "{third:?}");
    let (before, after) = (starts(&first_log), starts(&third.stderr));
    assert_eq!(
        before.len(),
        1,
        "one start makes ids of one epoch: {before:?}"
    );
    let last = after.last().expect("it ordered again");
    let first = before.first().expect("one");
    assert_eq!(first.get(..5), last.get(..5), "the account's tag stays");
    assert!(last > first, "the epoch grows: {before:?} {after:?}");
}

/// Runs until something was filled, has everything cancelled, and returns the log and the balances.
fn trade_then_rest(place: &Installation) -> (String, Value) {
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait("a fill", SOON, |bot| {
        let fills = bot.status(plane)["counts"]["fills"].as_u64();
        fills.is_some_and(|fills| fills > 0).then_some(())
    });
    bot.signal(Signal::USR1);
    let mut samples: Vec<(Value, Value)> = Vec::new();
    let balances = bot.wait("a settled account", SOON, |bot| {
        let status = bot.status(plane);
        if samples
            .last()
            .is_some_and(|(taken, _)| *taken == status["taken_us"])
        {
            return None;
        }
        let balances = status["money"]["balances"].clone();
        if status["orders"] != Value::Array(Vec::new())
            || samples.last().is_some_and(|(_, last)| *last != balances)
        {
            samples.clear();
        }
        samples.push((status["taken_us"].clone(), balances.clone()));
        (samples.len() > EQUAL_SAMPLES).then_some(balances)
    });
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    (ended.stderr, balances)
}

#[test]
fn a_pair_that_the_exchange_does_not_list_is_named_and_holds_up_no_other() {
    let simulator = Simulator::process(9);
    let place = Installation::dry(&simulator);
    place.configure("SYMBOLS=NOSUCHTRY,BTCTRY\n");
    let mut bot = place.start();
    let named = bot.wait("the pair's name", SOON, |bot| {
        let log = bot.stderr();
        let line = log.lines().find(|line| line.contains("pair_unlisted"))?;
        serde_json::from_str::<Value>(line).ok()
    });
    assert_eq!(named["symbol"], "NOSUCHTRY", "{named}");
    bot.wait_for_text("book_trusted", SOON);
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr.matches("pair_unlisted").count(), 1);
}
