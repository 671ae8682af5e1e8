//! Receivers of the operator's that have stopped: a webhook that never answers, and a reader of log and output that
//! no longer reads. Neither holds back a start, a decision, a kill or an end; what it costs is bounded and counted.

mod support;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use std::fs;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation, RESTING};
use support::receiver::{Manner, Receiver};
use support::{Bot, SOON, START, STOP, btcbot, http, run, wait_for};

/// Resident memory that is plenty for all of it, bytes.
const RESIDENT_MAX: f64 = 256.0 * 1024.0 * 1024.0;

fn figure(plane: SocketAddr, series: &str) -> Option<f64> {
    let (_, text) = http::get(plane, "/metrics").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line?.trim().parse().ok()
}

/// A pipe that takes nothing more, and its reader, who keeps it open and does not read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let flags = fcntl_getfl(&writer).expect("flags");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("ours");
    for size in [4_096, 1] {
        let chunk = vec![b'\n'; size];
        loop {
            match writer.write(&chunk) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("a pipe: {error}"),
            }
        }
    }
    fcntl_setfl(&writer, flags).expect("ours");
    (reader, writer)
}

/// A port that nobody has at the moment.
fn free_address() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("bound")
}

/// A run whose output and log go into a pipe that was full before its first line.
struct Unread {
    bot: Bot,
    plane: SocketAddr,
    _reader: PipeReader,
}

fn unread(place: &Installation, more: &[&str]) -> Unread {
    let plane = free_address();
    place.configure(&format!("OBSERVABILITY_PROMETHEUS_PORT={}\n", plane.port()));
    let (reader, writer) = full_pipe();
    let out = writer.try_clone().expect("a descriptor").into();
    let bot = Bot::start_with(place.run_command(more), out, writer.into());
    Unread {
        bot,
        plane,
        _reader: reader,
    }
}

fn trip(place: &Installation) {
    let args = ["kill-switch", "trip", "--reason", "a drill"];
    let trip = [&args[..], &["--config", CONFIG, "--json"]].concat();
    let tripped = run(place.command(&trip), START);
    assert_eq!(tripped.code, Some(0), "{tripped:?}");
}

/// Asks for nothing that exists: each question is a line of the log.
fn ask_nonsense(place: &Installation) {
    let path = place.path().join("btcbot-data/control.sock");
    for _ in 0..100 {
        let mut stream = UnixStream::connect(&path).expect("somebody listens");
        stream.write_all(b"nonsense\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
    }
}

/// Orders go on beside the hole, memory is bounded, a kill cancels them all, and a stop ends in order.
fn it_trades_on_is_killed_and_ends(
    mut bot: Bot,
    plane: SocketAddr,
    place: &Installation,
    simulator: &Simulator,
) {
    let before = simulator.posts().len();
    bot.wait("orders beside it", SOON, |_| {
        (simulator.posts().len() >= before + 3).then_some(())
    });
    let resident = figure(plane, "btcbot_process_resident_memory_bytes").expect("a figure");
    assert!(resident < RESIDENT_MAX, "{resident} bytes");
    trip(place);
    bot.wait("no open order", SOON, |_| {
        simulator.open_orders().is_empty().then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_webhook_that_never_answers_holds_back_no_order_no_kill_and_no_end() {
    let simulator = Simulator::with_own_account(31, &[]);
    let place = Installation::armed(&simulator);
    let receiver = Receiver::start(Manner::BlackHole, &[]);
    place.write_with_mode("webhook.key", "a key that opens nothing", 0o400);
    place.configure(&format!(
        "EVENTS_WEBHOOK_URL={}/btcbot\nEVENTS_SECRET_FILE=webhook.key\n",
        receiver.url()
    ));
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait(
        "an attempt that failed, and what waits behind it",
        SOON,
        |_| {
            let failed = figure(plane, "btcbot_events_deliveries_total{outcome=\"failed\"}")?;
            let waiting = figure(plane, "btcbot_events_queue_depth")?;
            (failed > 0.0 && waiting > 1.0).then_some(())
        },
    );
    it_trades_on_is_killed_and_ends(bot, plane, &place, &simulator);
    assert!(receiver.received().is_empty());
}

#[test]
fn a_reader_that_has_stopped_holds_back_no_order_no_kill_and_no_end() {
    let simulator = Simulator::with_own_account(32, &[]);
    let place = Installation::armed(&simulator);
    let Unread {
        mut bot,
        plane,
        _reader,
    } = unread(&place, &[]);
    bot.wait(
        "orders of a process that nobody reads",
        START + SOON,
        |_| (simulator.posts().len() >= 3).then_some(()),
    );
    bot.wait("lines that were dropped and counted", SOON * 3, |_| {
        ask_nonsense(&place);
        (figure(plane, "btcbot_log_lines_dropped_total")? > 0.0).then_some(())
    });
    it_trades_on_is_killed_and_ends(bot, plane, &place, &simulator);
}

#[test]
fn a_demo_whose_reader_pauses_trades_on_and_ends_with_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let plane = free_address();
    let (reader, writer) = full_pipe();
    let address = plane.to_string();
    let command = btcbot(dir.path(), &["demo", "--seed", "5", "--http", &address]);
    let mut bot = Bot::start_with(command, writer.into(), Stdio::null());
    bot.wait("fills that nobody is told of", START + SOON, |_| {
        (figure(plane, "btcbot_fills_total")? >= 3.0).then_some(())
    });
    assert_eq!(figure(plane, "btcbot_kill_latched"), Some(0.0));
    drop(reader);
    assert_eq!(bot.finish(STOP).code, Some(0), "nobody is left to watch it");
}

#[test]
fn a_process_that_hangs_ends_itself_although_nobody_reads_its_last_words() {
    let simulator = Simulator::with_own_account(33, &[]);
    let place = Installation::armed(&simulator);
    let Unread { bot, _reader, .. } = unread(&place, &RESTING);
    wait_for("an open order", START + SOON, || {
        (!simulator.open_orders().is_empty()).then_some(())
    });
    fs::write(place.path().join("btcbot-data/hang.trade"), "").expect("writable");
    wait_for("no open order", SOON, || {
        simulator.open_orders().is_empty().then_some(())
    });
    assert_eq!(bot.finish(STOP).code, None, "it ended itself");
}
