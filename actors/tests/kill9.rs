//! The promise under SIGKILL: no intent becomes two orders, and every order is known again after the restart.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use support::STOP;
use support::exchange::Simulator;
use support::installation::Installation;

/// Kills in one test.
const ROUNDS: usize = 5;
/// Submits of a round before it is killed; they differ so that kills fall into different moments.
const POSTS: [usize; ROUNDS] = [1, 2, 3, 1, 2];
/// Every order must be known again within this time after the last restart.
const KNOWN: Duration = Duration::from_secs(60);
/// A round must trade within this time.
const TRADING: Duration = Duration::from_secs(60);

/// Kills and restarts, and checks the promise.
fn check(seed: u64, faults: &[&str]) {
    let simulator = Simulator::with_own_account(seed, faults);
    let place = Installation::drill(&simulator);
    for posts in POSTS {
        let before = simulator.posts().len();
        let mut bot = place.start();
        bot.wait("a round that trades", TRADING, |_| {
            (simulator.posts().len() >= before + posts).then_some(())
        });
        bot.kill_9();
    }
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait("every order to be known", KNOWN, |bot| {
        let open: BTreeSet<String> = simulator.open_orders().into_iter().collect();
        let status = bot.status(plane);
        let ours: BTreeSet<String> = status["orders"]
            .as_array()?
            .iter()
            .filter_map(|order| order["client_id"].as_str().map(str::to_owned))
            .collect();
        let is_reconciled = status["not_ready"] == Value::Array(Vec::new());
        (is_reconciled && status["unknown_orders"] == 0 && open.is_subset(&ours)).then_some(())
    });
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        simulator.open_orders(),
        Vec::<String>::new(),
        "a clean stop leaves nothing of any round"
    );

    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for post in simulator.posts() {
        *sent
            .entry(post.client_id.expect("every order has a client id"))
            .or_default() += 1;
    }
    assert!(sent.len() >= POSTS.iter().sum(), "{sent:?}");
    assert!(
        sent.values().all(|times| *times == 1),
        "an id was sent twice: {sent:?}"
    );
    let epochs: BTreeSet<&str> = sent.keys().filter_map(|id| id.get(5..11)).collect();
    assert!(
        epochs.len() >= ROUNDS,
        "each start has an epoch of its own: {epochs:?}"
    );
}

#[test]
fn no_order_is_sent_twice_and_none_is_forgotten() {
    check(7, &[]);
}

#[test]
fn the_same_with_lost_replies() {
    check(8, &["reply_lost=0.3"]);
}
