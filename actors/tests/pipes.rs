//! A reader that goes away is a normal end: no panic, no noise, exit 0.

mod support;

use rustix::process::Signal;
use std::process::Stdio;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Bot, SOON, START, STOP};

#[test]
fn a_closed_pipe_is_a_normal_end() {
    let simulator = Simulator::process(7);
    let place = Installation::dry(&simulator);
    let commands: [&[&str]; 9] = [
        &["man"],
        &["completions", "bash"],
        &["version"],
        &["version", "--json"],
        &["--help"],
        &["run", "--help"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["config", "check"],
    ];
    for args in commands {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = place.command(args);
        let child = command
            .stdout(Stdio::from(writer))
            .stderr(Stdio::piped())
            .spawn();
        let child = child.expect("the binary starts");
        let pid = rustix::process::Pid::from_child(&child);
        // Its few lines of log fit into the pipe, so it never waits for this reader.
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(child.wait_with_output()));
        let Ok(ended) = told.recv_timeout(START) else {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            panic!("{args:?} hangs on a closed pipe");
        };
        let ended = ended.expect("it is our child");
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("panic"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_process_that_trades_outlives_its_readers() {
    let simulator = Simulator::with_own_account(8, &[]);
    let place = Installation::armed(&simulator);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let err = writer.try_clone().expect("a descriptor");
    drop(reader);
    let mut bot = Bot::start_with(place.run_command(&[]), writer.into(), err.into());
    // The mode changes meanwhile, and each change is a line that nobody takes.
    bot.wait("trading without a reader", SOON, |_| {
        (simulator.posts().len() >= 3).then_some(())
    });
    bot.signal(Signal::USR1);
    bot.wait("safe mode without a reader", SOON, |_| {
        simulator.open_orders().is_empty().then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    assert_eq!(simulator.open_orders(), Vec::<String>::new());
}
