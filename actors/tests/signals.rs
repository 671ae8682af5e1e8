//! Signals to the built binary: safe mode at drawn instants of its life, its first milliseconds included; the second
//! request to stop; and QUIT, which cancels nothing and loses nothing.

mod support;

use engine::dice::Dice;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation, RESTING};
use support::{Bot, SOON, START, STOP, http, run};

/// Instants that are tried; `SIGNAL_INSTANTS` asks for another number.
const INSTANTS: usize = 24;
/// Processes side by side.
const LANES: usize = 3;
/// Latest instant, milliseconds from the moment the handlers stand: by then the strategies have asked for orders.
const LATEST_MS: i64 = 2_500;
/// Parts of a hundred of the instants that fall into the start: configuration, locks and journal are read then.
const EARLY_PERCENT: i64 = 50;
/// Latest of those, milliseconds.
const EARLY_MS: i64 = 60;

/// Far less than the 45 s of a stop that nobody hurries, and more than a busy machine needs to end a process.
const HURRIED: Duration = Duration::from_secs(15);

fn is_safe(status: &Value) -> bool {
    let voices = status["contributions"].as_array().into_iter().flatten();
    voices
        .filter_map(|voice| voice["code"].as_str())
        .any(|code| code == "operator_safe_mode")
}

fn signalled_at(simulator: &Simulator, wait_ms: i64) {
    let place = Installation::dry(simulator);
    let mut bot: Bot = place.start();
    bot.wait_for_handlers();
    std::thread::sleep(Duration::from_millis(wait_ms.unsigned_abs()));
    bot.signal(Signal::USR1);
    let plane = bot.plane();
    bot.wait(&format!("safe mode after {wait_ms} ms"), SOON, |bot| {
        is_safe(&bot.status(plane)).then_some(())
    });
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "after {wait_ms} ms: {ended:?}");
}

#[test]
fn usr1_at_any_instant_ends_in_safe_mode_and_never_kills() {
    let asked = std::env::var("SIGNAL_INSTANTS").ok();
    let instants = asked.map_or(INSTANTS, |text| {
        text.parse().expect("SIGNAL_INSTANTS is a number")
    });
    let seed = getrandom::u64().expect("random bits");
    eprintln!("{instants} instants of seed {seed}");
    let mut dice = Dice::new(seed);
    let mut draw = |_| {
        let is_early = dice.between(1, 100) <= EARLY_PERCENT;
        dice.between(0, if is_early { EARLY_MS } else { LATEST_MS })
    };
    let waits: Vec<i64> = (0..instants).map(&mut draw).collect();
    let simulator = Simulator::process(seed % 1_000);
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let (waits, simulator) = (&waits, &simulator);
            let of_lane = move || {
                let mine = waits.iter().skip(lane).step_by(LANES);
                mine.for_each(|wait_ms| signalled_at(simulator, *wait_ms));
            };
            scope.spawn(of_lane);
        }
    });
}

#[test]
fn a_process_that_nobody_signals_is_not_in_safe_mode() {
    let simulator = Simulator::process(3);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait("an open gate", SOON, |bot| {
        (bot.status(plane)["mode"] == "NORMAL").then_some(())
    });
    assert!(!is_safe(&bot.status(plane)));
}

/// The client ids of the own orders that the status shows.
fn shown_orders(status: &Value) -> BTreeSet<String> {
    let orders = status["orders"].as_array().into_iter().flatten();
    let ids = orders.filter_map(|order| order["client_id"].as_str());
    ids.map(str::to_owned).collect()
}

#[test]
fn a_second_term_waits_for_nothing_and_lists_what_is_left() {
    let simulator = Simulator::process(12);
    let place = Installation::armed(&simulator);
    let mut bot = place.resting(&simulator);
    let plane = bot.plane();
    // From here on the exchange takes every cancel and answers none.
    simulator.signal(Signal::STOP);
    bot.signal(Signal::TERM);
    bot.wait("the stop in its answer to probes", SOON, |_| {
        let (code, body) = http::get(plane, "/readyz").ok()?;
        (code == 503 && body.contains("[-]not_stopping")).then_some(())
    });
    let resting = shown_orders(&bot.status(plane));
    assert!(!resting.is_empty(), "there is something to wait for");
    // Later than what counts as the same wish told twice.
    std::thread::sleep(Duration::from_millis(200));
    bot.signal(Signal::TERM);
    let ended = bot.finish(HURRIED);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    for id in &resting {
        let line = format!("left over: {id}");
        assert!(ended.stdout.contains(&line), "{line}: {ended:?}");
    }
    simulator.signal(Signal::CONT);
    // What is left is found by the next start, and ends.
    let mut next = Bot::start(place.run_command(&["--safe-mode"]));
    next.wait("the end of the own orders", SOON, |_| {
        simulator.open_orders().is_empty().then_some(())
    });
    next.signal(Signal::TERM);
    assert_eq!(next.finish(STOP).code, Some(0));
}

#[test]
fn the_same_wish_told_twice_is_one_and_every_order_is_cancelled() {
    let simulator = Simulator::with_own_account(14, &[]);
    let place = Installation::armed(&simulator);
    let bot = place.resting(&simulator);
    bot.signal(Signal::INT);
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(simulator.open_orders(), Vec::<String>::new());
}

#[test]
fn quit_tells_everything_cancels_nothing_and_the_next_start_goes_on_with_the_same_ledger() {
    let simulator = Simulator::with_own_account(13, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.resting(&simulator);
    let plane = bot.plane();
    // Books that are open, and orders whose answers are there: what is on the wire at the end has no state to tell yet.
    let balances = bot.wait("opened books and orders that rest", SOON, |bot| {
        let status = bot.status(plane);
        let listed: BTreeSet<String> = simulator.open_orders().into_iter().collect();
        let orders = status["orders"].as_array().into_iter().flatten();
        let is_open = orders.clone().all(|order| order["state"] == "open");
        let balances = &status["money"]["balances"];
        (balances.is_object() && is_open && shown_orders(&status) == listed)
            .then(|| balances.clone())
    });
    let deletes = simulator.deletes().len();
    bot.signal(Signal::QUIT);
    let ended = bot.finish(HURRIED);
    assert_eq!(ended.code, Some(131), "{ended:?}");
    assert_eq!(simulator.deletes().len(), deletes, "nothing was cancelled");
    let resting: BTreeSet<String> = simulator.open_orders().into_iter().collect();
    assert!(!resting.is_empty(), "{ended:?}");
    let lines = ended.stderr.lines();
    let told: Vec<Value> = lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["event"] == "diagnostics")
        .collect();
    assert_eq!(told.len(), 1, "{ended:?}");
    let orders = told[0]["orders"].as_str().expect("a text");
    for id in &resting {
        assert!(orders.contains(&format!("{id} open")), "{id}: {}", told[0]);
    }
    assert_eq!(told[0]["mode"], "NORMAL", "{}", told[0]);
    assert!(ended.stderr.contains("\"diagnostics_event\""), "{ended:?}");

    let mut next = Bot::start(place.run_command(&RESTING));
    let plane = next.plane();
    let status = next.wait("a start that is ready", SOON, |bot| {
        let status = bot.status(plane);
        (status["not_ready"] == Value::Array(Vec::new())).then_some(status)
    });
    assert_eq!(status["money"]["balances"], balances, "{status}");
    let voices = status["contributions"].to_string();
    for code in [
        "balance_drift",
        "ghost_order",
        "recovery_required",
        "unclean_stop",
    ] {
        assert!(!voices.contains(code), "{voices}");
    }
    next.signal(Signal::TERM);
    let stopped = next.finish(STOP);
    assert_eq!(stopped.code, Some(0));
    for id in &resting {
        // It may have ended one before the first picture was drawn.
        assert!(stopped.stderr.contains(id.as_str()), "{id}: {stopped:?}");
    }
    assert_eq!(simulator.open_orders(), Vec::<String>::new());
    let checked = run(
        place.command(&["state", "check", "--config", CONFIG]),
        START,
    );
    assert_eq!(checked.code, Some(0), "{checked:?}");
}
