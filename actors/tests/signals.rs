//! Safe mode by signal at drawn instants of a process's life, its first milliseconds included.

mod support;

use engine::dice::Dice;
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Bot, SOON, STOP};

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
