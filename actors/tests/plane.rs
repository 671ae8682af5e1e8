//! The read-only plane of the built binary: a hostile crowd, and readiness of the whole process.

mod support;

use rustix::process::{Resource, Signal, getrlimit, setrlimit};
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation};
use support::{Bot, SOON, START, STOP, http, run};

/// Connections of the crowd, all at once.
const CROWD: usize = 1_000;
/// Descriptors beside the crowd that the test itself needs.
const SPARE: u64 = 200;
/// Descriptors that the crowd may cost the process: every place of the plane, and its journal's and exchange's moves.
const COST_MAX: usize = 64;
/// Looks before the crowd comes; the exchange's connections come and go.
const LOOKS: usize = 20;

/// Lets this process hold the crowd's own ends.
fn make_room() {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(CROWD).expect("a small number") + SPARE;
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        setrlimit(Resource::Nofile, limit).expect("the hard limit is higher");
    }
}

fn descriptors(bot: &Bot) -> usize {
    let path = format!("/proc/{}/fd", bot.pid().as_raw_nonzero());
    fs::read_dir(path).expect("it lives").count()
}

/// Half of them say nothing at all, half begin a head that never ends.
fn crowd(plane: SocketAddr) -> Vec<TcpStream> {
    let one = |number: usize| {
        let mut stream = TcpStream::connect(plane).expect("the queue has room");
        if number.is_multiple_of(2) {
            // The plane may have hung up already.
            let _ = stream.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\nX-A: ");
        }
        stream
    };
    (0..CROWD).map(one).collect()
}

/// What hostile requests get, and what an honest client gets beside them.
fn answers(plane: SocketAddr) {
    let check = |method: &str, path: &str, headers: &[(&str, &str)], expected: u16| {
        let answer = http::request(plane, method, path, headers);
        let (code, _) = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert_eq!(code, expected, "{method} {path}");
    };
    let huge = "a".repeat(20_000);
    check("GET", "/status", &[("X-A", &huge)], 431);
    check("POST", "/status", &[], 405);
    check("DELETE", "/livez", &[], 405);
    check("GET", "http://evil.test/status", &[], 421);
    check("GET", "/livez", &[], 200);
    let (code, text) = http::get(plane, "/metrics").expect("an honest client is served");
    assert_eq!(code, 200);
    assert!(text.contains("btcbot_build_info"), "{text}");
}

#[test]
fn a_thousand_hostile_connections_are_bounded_and_honest_clients_are_served() {
    make_room();
    let simulator = Simulator::process(41);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait("a trusted book", SOON, |_| {
        let (code, _) = http::get(plane, "/readyz").ok()?;
        (code == 200).then_some(())
    });
    let before = (0..LOOKS).map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        descriptors(&bot)
    });
    let before = before.max().expect("some looks");
    let peers = crowd(plane);
    answers(plane);
    let during = descriptors(&bot);
    assert!(during <= before + COST_MAX, "{during}, {before} before");
    answers(plane);
    drop(peers);
    bot.wait("the descriptors of before", SOON, |bot| {
        (descriptors(bot) <= before).then_some(())
    });
    answers(plane);
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

/// Waits for an answer of `/readyz` with this code that says this.
fn readiness(bot: &mut Bot, plane: SocketAddr, code: u16, says: &str) {
    bot.wait(&format!("{code} with {says}"), SOON * 2, |_| {
        let (seen, body) = http::get(plane, "/readyz?verbose").ok()?;
        (seen == code && body.contains(says)).then_some(())
    });
}

fn kill_switch(place: &Installation, args: &[&str]) -> support::Finished {
    let args = [&["kill-switch"], args, &["--config", CONFIG, "--json"]].concat();
    run(place.command(&args), START)
}

#[test]
fn readiness_of_the_whole_process_falls_and_comes_back_and_safe_mode_stays_ready() {
    let simulator = Simulator::process(42);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    readiness(&mut bot, plane, 200, "[+]book_trusted: 1 of 1");
    simulator.signal(Signal::STOP);
    readiness(&mut bot, plane, 503, "[-]book_trusted: 0 of 1");
    simulator.signal(Signal::CONT);
    readiness(&mut bot, plane, 200, "[+]book_trusted");
    bot.signal(Signal::USR1);
    readiness(&mut bot, plane, 200, "[+]not_killed: OBSERVE_ONLY");
    let trip = kill_switch(&place, &["trip", "--reason", "a drill"]);
    assert_eq!(trip.code, Some(0), "{trip:?}");
    readiness(&mut bot, plane, 503, "[-]not_killed: KILL_SWITCH");
    let id = trip.data()["kill"]["id"].to_string();
    bot.wait("a granted reset", SOON * 2, |_| {
        let reset = kill_switch(&place, &["reset", "--latch", &id, "--reason", "over"]);
        assert!(matches!(reset.code, Some(0 | 6)), "{reset:?}");
        (reset.code == Some(0)).then_some(())
    });
    readiness(&mut bot, plane, 200, "[+]not_killed: OBSERVE_ONLY");
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}
