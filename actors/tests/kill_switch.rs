//! The kill switch of the built binary: by command, by file, without a process and with one that hangs; what survives
//! a SIGKILL, and what a reset needs.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use support::exchange::{Logged, Simulator};
use support::installation::{CONFIG, Installation, RESTING};
use support::{Bot, Finished, SOON, START, STOP, http, now_ms, run, wait_for};

/// Longest command: a trip of a process that hangs takes a second for each of its ways in.
const COMMAND: Duration = Duration::from_secs(20);
/// A submit that was on the wire at the trip may still arrive within this time, milliseconds.
const ON_THE_WIRE_MS: i64 = 100;

/// From the moment at which an arbiter stands still to the latch, milliseconds.
const HUNG_MS_MAX: i64 = 5_000;
/// The same to the last cancel, on however busy a machine: before the process ends itself, milliseconds.
const CANCELLED_MS_MAX: i64 = 10_000;
/// Longest time until an order that was on its way at a kill is proven absent, which safe mode does not end before: the
/// proof wants half a minute of the exchange's lists.
const PROVEN: Duration = Duration::from_secs(90);
/// A stop of the whole process, longer than a lost beat.
const STOPPED: Duration = Duration::from_secs(30);
/// Nothing leaves for this long behind a stop: the watchdog judges a second later, milliseconds.
const STALE_MS: i64 = 900;

fn asked(place: &Installation, args: &[&str]) -> Finished {
    let args = [args, &["--config", CONFIG, "--json"]].concat();
    run(place.command(&args), COMMAND)
}

fn latch(place: &Installation) -> PathBuf {
    place.path().join("btcbot-data/kill.latch")
}

fn until_empty(simulator: &Simulator) {
    wait_for("no open order", SOON, || {
        simulator.open_orders().is_empty().then_some(())
    });
}

/// Waits until the process says that it is killed, and returns what it says.
fn killed(bot: &mut Bot, place: &Installation) -> Value {
    bot.wait("a latched kill", START, |_| {
        let status = asked(place, &["kill-switch", "status"]);
        let data = (status.code == Some(0)).then(|| status.data())?;
        (data["killed"] == true && data["preconditions"].is_array()).then_some(data)
    })
}

fn id_of(data: &Value) -> u64 {
    data["kill"]["id"]
        .as_u64()
        .unwrap_or_else(|| panic!("a trip: {data}"))
}

/// Asks until the preconditions hold; returns how often it was refused.
fn reset(bot: &mut Bot, place: &Installation, id: u64) {
    let id = id.to_string();
    let args = ["kill-switch", "reset", "--latch", &id, "--reason", "found"];
    bot.wait("a granted reset", SOON, |_| {
        let reset = asked(place, &args);
        assert!(matches!(reset.code, Some(0 | 6)), "{reset:?}");
        (reset.code == Some(0)).then_some(())
    });
}

#[test]
fn kill_latch_set_survive_clear_roundtrip() {
    let simulator = Simulator::with_own_account(61, &[]);
    let place = Installation::armed(&simulator);
    let bot = place.resting(&simulator);
    let trip = asked(&place, &["kill-switch", "trip", "--reason", "a drill"]);
    let tripped_at = now_ms();
    assert_eq!(trip.code, Some(0), "{trip:?}");
    let id = id_of(&trip.data());
    until_empty(&simulator);
    assert!(latch(&place).is_file());
    let late = simulator
        .posts()
        .iter()
        .filter(|post| post.ts_ms > tripped_at + ON_THE_WIRE_MS)
        .count();
    assert_eq!(late, 0, "an order left behind the trip");
    bot.kill_9();

    let mut bot = place.start();
    let shown = killed(&mut bot, &place);
    assert_eq!(
        (id_of(&shown), &shown["kill"]["cause"]),
        (id, &"operator_kill".into()),
        "{shown}"
    );
    assert_eq!(shown["kill"]["reason"], "a drill");
    let plane = bot.plane();
    bot.wait("the mode", SOON, |bot| {
        (bot.status(plane)["mode"] == "KILL_SWITCH").then_some(())
    });
    assert_eq!(bot.status(plane)["kill"]["id"], id, "the page tells which");
    let (_, metrics) = http::get(plane, "/metrics").expect("the plane answers");
    assert!(metrics.contains("btcbot_kill_latched 1"), "{metrics}");
    let posts = simulator.posts().len();
    let other = ["kill-switch", "reset", "--latch", "7", "--reason", "found"];
    let refused = asked(&place, &other);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(
        refused.data()["reasons"].to_string().contains("latch"),
        "{refused:?}"
    );
    let unexplained = asked(&place, &["kill-switch", "reset", "--latch", "7"]);
    assert_eq!(unexplained.code, Some(2), "{unexplained:?}");
    let off = asked(&place, &["safe-mode", "off", "--reason", "no"]);
    assert!(
        off.data()["reasons"].to_string().contains("kill_latched"),
        "{off:?}"
    );
    reset(&mut bot, &place, id);
    assert!(!latch(&place).exists());
    let status = asked(&place, &["status"]).data();
    assert_eq!(status["mode"], "OBSERVE_ONLY", "{status}");
    let gate = status["gate"].to_string();
    assert!(
        gate.contains("safe") && gate.contains("disarmed") && !gate.contains("kill"),
        "{gate}"
    );
    let off = asked(&place, &["safe-mode", "off", "--reason", "no"]);
    assert!(
        off.data()["reasons"].to_string().contains("restart_needed"),
        "{off:?}"
    );
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    assert_eq!(
        simulator.posts().len(),
        posts,
        "nothing leaves before a restart"
    );

    let mut bot = place.start();
    let status = bot.wait("an answer", START, |_| {
        let status = asked(&place, &["status"]);
        (status.code == Some(0)).then(|| status.data())
    });
    assert_eq!(status["kill"], Value::Null, "{status}");
    assert!(
        status["gate"].to_string().contains("safe"),
        "safe mode outlives the restart: {status}"
    );
    bot.wait("the end of safe mode", PROVEN, |_| {
        let off = asked(&place, &["safe-mode", "off", "--reason", "looked at"]);
        (off.code == Some(0)).then_some(())
    });
    bot.wait("orders again", SOON, |_| {
        (simulator.posts().len() > posts).then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_touched_file_kills_and_removing_it_is_no_reset() {
    let simulator = Simulator::with_own_account(62, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.resting(&simulator);
    fs::write(latch(&place), "").expect("our own directory");
    let shown = killed(&mut bot, &place);
    assert_eq!(shown["kill"]["cause"], "kill_latch_file", "{shown}");
    until_empty(&simulator);
    bot.kill_9();
    fs::remove_file(latch(&place)).expect("it is there");

    let mut bot = place.start();
    assert_eq!(
        id_of(&killed(&mut bot, &place)),
        id_of(&shown),
        "the journal has it too"
    );
    fs::remove_file(latch(&place)).expect("it was made again");
    bot.wait("the file again", SOON, |_| {
        latch(&place).exists().then_some(())
    });
    reset(&mut bot, &place, id_of(&shown));
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));

    // Neither a file nor readable: still killed, and a reset names what stands in its way.
    fs::create_dir(latch(&place)).expect("our own directory");
    let mut bot = place.start();
    let id = id_of(&killed(&mut bot, &place)).to_string();
    let args = ["kill-switch", "reset", "--latch", &id, "--reason", "found"];
    bot.wait("a reset that fails for the file alone", SOON, |_| {
        let refused = asked(&place, &args);
        assert_eq!(refused.code, Some(6), "{refused:?}");
        refused.stdout.contains("not a plain file").then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    fs::remove_dir(latch(&place)).expect("empty");
    let mut bot = place.start();
    let shown = killed(&mut bot, &place);
    assert_eq!(id_of(&shown).to_string(), id, "the record was put right");
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_trip_works_on_a_process_that_hangs_and_without_one() {
    let simulator = Simulator::with_own_account(63, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.resting(&simulator);
    bot.signal(Signal::STOP);
    let trip = asked(&place, &["kill-switch", "trip", "--reason", "it hangs"]);
    assert_eq!(trip.code, Some(0), "{trip:?}");
    assert!(trip.stdout.contains("did not answer"), "{trip:?}");
    let (id, posts) = (id_of(&trip.data()), simulator.posts().len());
    bot.signal(Signal::CONT);
    let shown = killed(&mut bot, &place);
    // The question waited in the socket and is carried out behind the file: the same wish, under a later id.
    let id = id.max(id_of(&shown));
    assert_eq!(
        (id_of(&shown), &shown["kill"]["reason"]),
        (id, &"it hangs".into()),
        "{shown}"
    );
    until_empty(&simulator);
    assert!(
        simulator.posts().len() <= posts + 1,
        "what was on the wire, no more"
    );
    bot.kill_9();

    let again = asked(
        &place,
        &["kill-switch", "trip", "--reason", "and stays dead"],
    );
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(id_of(&again.data()) > id);
    let status = asked(&place, &["kill-switch", "status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    assert_eq!(
        status.data()["kill"]["reason"],
        "and stays dead",
        "{status:?}"
    );
    let mut bot = place.start();
    assert_eq!(
        id_of(&killed(&mut bot, &place)),
        id_of(&again.data()),
        "the later trip counts"
    );
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_hung_arbiter_of_the_whole_binary_latches_within_five_seconds_and_cancels() {
    let simulator = Simulator::with_own_account(67, &[]);
    let place = Installation::armed(&simulator);
    let bot = place.resting(&simulator);
    let asks = place.path().join("btcbot-data/hang.trade");
    let hung_at = now_ms();
    fs::write(&asks, "").expect("writable");
    until_empty(&simulator);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, None, "it ended itself: {ended:?}");
    assert!(ended.stderr.contains("has stood still for"), "{ended:?}");

    let status = asked(&place, &["kill-switch", "status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    let kill = &status.data()["kill"];
    assert_eq!(kill["cause"], "thread_stalled", "{status:?}");
    // A trip's id is its moment. A watchdog that itself stood still judges a second later, and says so.
    let was_suspended = ended.stderr.contains("process_suspended");
    let within = |at_ms: i64, ms_max: i64| at_ms - hung_at <= ms_max || was_suspended;
    let id = id_of(&status.data());
    let latched_at = i64::try_from(id).expect("a moment");
    assert!(
        within(latched_at, HUNG_MS_MAX),
        "latched {} ms later",
        latched_at - hung_at
    );
    let cancels = simulator.deletes();
    let last = cancels.last().expect("the orders were cancelled").ts_ms;
    assert!(
        last > hung_at && within(last, CANCELLED_MS_MAX),
        "{} ms later",
        last - hung_at
    );
    let late = |post: &&Logged| post.ts_ms > hung_at + ON_THE_WIRE_MS;
    assert_eq!(
        simulator.posts().iter().filter(late).count(),
        0,
        "a stalled arbiter sends nothing"
    );

    fs::remove_file(&asks).expect("it was written");
    let posts = simulator.posts().len();
    let mut bot = place.start();
    let shown = killed(&mut bot, &place);
    assert_eq!(
        (id_of(&shown), &shown["kill"]["cause"]),
        (id, &"thread_stalled".into())
    );
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    assert_eq!(simulator.posts().len(), posts, "nothing was sent again");
}

#[test]
fn x_14_a_process_that_was_stopped_goes_on_and_x_13_safe_mode_by_signal_outlives_it() {
    let simulator = Simulator::with_own_account(64, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    bot.wait("an order at the exchange", SOON, |_| {
        (!simulator.posts().is_empty()).then_some(())
    });
    bot.signal(Signal::STOP);
    std::thread::sleep(STOPPED);
    bot.signal(Signal::CONT);
    let woken_at = now_ms();
    // Longer than a lost beat: judged at once, it would have ended the process.
    bot.wait_for_text("process_suspended", SOON);
    bot.wait_for_text("process_resumed", SOON);
    assert!(!latch(&place).exists(), "nobody stood still by itself");
    let at_once = |ms: i64| (woken_at + ON_THE_WIRE_MS..woken_at + STALE_MS).contains(&ms);
    let stale = simulator
        .posts()
        .iter()
        .filter(|post| at_once(post.ts_ms))
        .count();
    assert_eq!(stale, 0, "what was decided before the stop stays in");
    let posts = simulator.posts().len();
    bot.wait("orders again", SOON, |_| {
        (simulator.posts().len() > posts).then_some(())
    });

    let sent = simulator.posts();
    let ids: BTreeSet<&str> = (sent.iter())
        .filter_map(|post| post.client_id.as_deref())
        .collect();
    assert_eq!(ids.len(), sent.len(), "nothing was sent twice: {sent:?}");
    bot.signal(Signal::USR1);
    let mark = place.path().join("btcbot-data/safe.latch");
    wait_for("the mark of safe mode", SOON, || {
        mark.exists().then_some(())
    });
    bot.kill_9();
    let mut bot = place.start();
    let status = bot.wait("an answer", START, |_| {
        let status = asked(&place, &["status"]);
        (status.code == Some(0)).then(|| status.data())
    });
    assert!(status["gate"].to_string().contains("safe"), "{status}");
    bot.wait("the end of safe mode", PROVEN, |_| {
        let off = asked(&place, &["safe-mode", "off", "--reason", "looked at"]);
        (off.code == Some(0)).then_some(())
    });
    assert!(!mark.exists(), "it goes with the safe mode");
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_dry_run_is_killed_and_reset_as_well() {
    let simulator = Simulator::with_own_account(65, &[]);
    let place = Installation::dry(&simulator);
    let mut bot = Bot::start(place.run_command(&RESTING));
    let own = |place: &Installation| {
        let status = asked(place, &["kill-switch", "status"]);
        (status.code == Some(0)).then(|| status.data()["open_orders"].as_u64())?
    };
    bot.wait("a simulated order", SOON, |_| {
        (own(&place)? > 0).then_some(())
    });
    let trip = asked(&place, &["kill-switch", "trip", "--reason", "a drill"]);
    assert_eq!(trip.code, Some(0), "{trip:?}");
    bot.wait("no simulated order", SOON, |_| {
        (own(&place)? == 0).then_some(())
    });
    reset(&mut bot, &place, id_of(&trip.data()));
    let again = || asked(&place, &["kill-switch", "trip", "--reason", "once more"]);
    reset(&mut bot, &place, id_of(&again().data()));
    // The third of a day needs a word of its own, and every other precondition as well.
    let id = id_of(&again().data()).to_string();
    let third = ["kill-switch", "reset", "--latch", &id, "--reason", "found"];
    let refused = bot.wait("a refusal for the number alone", SOON, |_| {
        let refused = asked(&place, &third);
        assert_eq!(refused.code, Some(6), "{refused:?}");
        (refused.data()["reasons"] == serde_json::json!(["resets"])).then_some(refused)
    });
    assert!(refused.stdout.contains("--forgive"), "{refused:?}");
    let forgiven = [&third[..], &["--forgive"]].concat();
    bot.wait("a forgiven reset", SOON, |_| {
        (asked(&place, &forgiven).code == Some(0)).then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    assert!(
        simulator.deletes().is_empty(),
        "nothing of it is at the exchange"
    );
}
