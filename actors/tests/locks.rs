//! Who may run: one process per state directory, one per account, and never a stale lock in the way.

mod support;

use rustix::process::Signal;
use std::fs;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Bot, START, STOP, run};

#[test]
fn lock_vanishes_with_a_killed_holder_and_never_before() {
    let simulator = Simulator::with_own_account(1, &[]);
    let place = Installation::armed(&simulator);
    let mut first = place.start();
    first.plane();
    // A frozen holder is still the holder: nothing guesses whether it is alive.
    first.signal(Signal::STOP);
    let refused = run(place.run_command(&[]), START);
    assert_eq!(refused.code, Some(7), "{refused:?}");
    first.signal(Signal::CONT);
    first.kill_9();
    let mut second = place.start();
    second.plane();
    second.signal(Signal::TERM);
    assert_eq!(second.finish(STOP).code, Some(0));
}

#[test]
fn two_state_dirs_one_account_second_start_refused() {
    let simulator = Simulator::with_own_account(2, &[]);
    let (one, other) = (
        Installation::armed(&simulator),
        Installation::armed(&simulator),
    );
    let mut first = one.start();
    first.plane();
    let refused = run(other.run_command(&[]), START);
    assert_eq!(refused.code, Some(7), "{refused:?}");
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("uses the API key"), "{refused:?}");
    assert!(
        !refused.stderr.contains(&simulator.key),
        "the key is named by its fingerprint"
    );
    first.signal(Signal::TERM);
    assert_eq!(first.finish(STOP).code, Some(0));
    let mut second = other.start();
    second.plane();
    second.signal(Signal::TERM);
    assert_eq!(second.finish(STOP).code, Some(0));
}

#[test]
fn restart_after_sigkill_is_never_locked_out() {
    let simulator = Simulator::with_own_account(3, &[]);
    let place = Installation::armed(&simulator);
    for _ in 0..5 {
        let mut bot = place.start();
        bot.plane();
        bot.kill_9();
    }
    let mut last = place.start();
    last.plane();
    last.signal(Signal::TERM);
    assert_eq!(last.finish(STOP).code, Some(0));
}

#[test]
fn lock_holds_with_private_tmp() {
    let simulator = Simulator::with_own_account(5, &[]);
    let (place, other) = (
        Installation::armed(&simulator),
        Installation::armed(&simulator),
    );
    let tmp = [place.path().join("tmp-a"), place.path().join("tmp-b")];
    for dir in &tmp {
        fs::create_dir(dir).expect("a folder of ours");
    }
    let mut command = place.run_command(&[]);
    command.env("TMPDIR", &tmp[0]);
    let mut first = Bot::start(command);
    first.plane();
    for (place, why) in [(&place, "is in use by"), (&other, "uses the API key")] {
        let mut command = place.run_command(&[]);
        command.env("TMPDIR", &tmp[1]);
        let refused = run(command, START);
        assert_eq!(refused.code, Some(7), "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
    first.signal(Signal::TERM);
    assert_eq!(first.finish(STOP).code, Some(0));
}

#[test]
fn dry_run_refuses_live_state() {
    let simulator = Simulator::with_own_account(4, &[]);
    let place = Installation::armed(&simulator);
    let file = |venue: &str| {
        let dir = place.path().join("btcbot-data").join(venue);
        dir.join("btcbot.redb")
    };
    let swap = || {
        let aside = file("dry").with_extension("aside");
        fs::rename(file("dry"), &aside).expect("our own file");
        fs::rename(file("live"), file("dry")).expect("our own file");
        fs::rename(&aside, file("live")).expect("our own file");
    };
    swap();
    for (args, name, venue) in [
        (&["--dry-run"][..], "dry/btcbot.redb", "venue Live"),
        (&[], "live/btcbot.redb", "venue Dry"),
    ] {
        let ended = run(place.run_command(args), START);
        assert_eq!(ended.code, Some(6), "{ended:?}");
        assert_eq!(ended.stdout, "");
        let stderr = &ended.stderr;
        assert!(stderr.contains(name) && stderr.contains(venue), "{stderr}");
    }
    assert!(
        simulator.requests().is_empty(),
        "nothing was asked of the exchange"
    );
    // In their own places both are as good as before.
    swap();
    let mut bot = place.start();
    bot.plane();
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}
