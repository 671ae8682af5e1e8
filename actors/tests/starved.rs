//! A process that may open nothing more (F-102): what it has it keeps, what it cannot reach it does not trade on, and it
//! trades again when there is room. A kill is noticed and obeyed without a new descriptor.
//!
//! The limit is lowered under the running process, as a leak elsewhere in it would use descriptors up.

mod support;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};
use std::collections::BTreeSet;
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation};
use support::{Bot, SOON, START, STOP, run};

/// Less than any process has: nothing can be opened.
const NO_ROOM: u64 = 1;

/// Sets how many descriptors the process may have.
fn allow(bot: &Bot, current: Option<u64>) {
    // Ours is the child's too.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current, maximum };
    prlimit(Some(bot.pid()), Resource::Nofile, limit).expect("a limit is granted");
}

fn room() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

#[test]
fn without_descriptors_nothing_is_sent_twice_and_it_trades_again_when_there_are_some() {
    let simulator = Simulator::with_own_account(70, &[]);
    let place = Installation::drill(&simulator);
    let mut bot = place.start();
    let posted = || simulator.posts().len();
    bot.wait("orders", SOON, |_| (posted() > 2).then_some(()));
    allow(&bot, Some(NO_ROOM));
    simulator.set_faults(&["fault.ws_reset=1"]);
    bot.wait("connections that cannot be opened", SOON, |bot| {
        (bot.stderr().matches("\"feed_down\"").count() >= 3).then_some(())
    });
    simulator.set_faults(&[]);
    let starved = posted();
    allow(&bot, room());
    bot.wait("orders again", SOON * 2, |_| {
        (posted() > starved).then_some(())
    });
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(simulator.open_orders(), Vec::<String>::new());
    let sent = simulator.posts();
    let ids: BTreeSet<Option<&str>> = sent.iter().map(|post| post.client_id.as_deref()).collect();
    assert_eq!(ids.len(), sent.len(), "sent twice: {sent:?}");
}

#[test]
fn a_kill_needs_no_descriptor() {
    let simulator = Simulator::with_own_account(71, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.resting(&simulator);
    allow(&bot, Some(NO_ROOM));
    let args = ["kill-switch", "trip", "--reason", "a drill"];
    let tripped = run(
        place.command(&[&args, &["--config", CONFIG][..]].concat()),
        START,
    );
    assert_eq!(tripped.code, Some(0), "{tripped:?}");
    assert!(tripped.stdout.contains("did not answer"), "{tripped:?}");
    bot.wait("no open order", SOON, |_| {
        simulator.open_orders().is_empty().then_some(())
    });
    bot.wait_for_text("\"event\":\"killed\"", SOON);
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    let posts = simulator.posts().len();
    let mut next = place.start();
    next.wait_for_text("KILL_SWITCH", START);
    next.signal(Signal::TERM);
    assert_eq!(next.finish(STOP).code, Some(0));
    assert_eq!(simulator.posts().len(), posts, "it stays killed");
}
