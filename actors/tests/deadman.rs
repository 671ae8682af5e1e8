//! `btcbot deadman` beside an engine that dies, and beside one that comes back.

mod support;

use rustix::process::Signal;
use std::time::Duration;
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation};
use support::{Bot, START, STOP, wait_for};

/// A heartbeat that stops counts as stopped after 10 s; then lists and cancels.
const ACTS: Duration = Duration::from_secs(40);

#[test]
fn what_a_dead_engine_left_is_cancelled_and_a_living_one_is_left_alone() {
    let simulator = Simulator::with_own_account(81, &[]);
    let place = Installation::armed(&simulator);
    let mut deadman = Bot::start(place.command(&["deadman", "--config", CONFIG]));
    let bot = place.resting(&simulator);
    deadman.wait_for_text("deadman_watches", START);
    assert!(!deadman.stderr().contains("deadman_acts"));
    bot.kill_9();
    deadman.wait_for_text("deadman_acts", ACTS);
    wait_for("no open order", ACTS, || {
        simulator.open_orders().is_empty().then_some(())
    });

    let bot = place.start();
    deadman.wait_for_text("deadman_rests", ACTS);
    deadman.signal(Signal::TERM);
    assert_eq!(deadman.finish(STOP).code, Some(0));
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}
