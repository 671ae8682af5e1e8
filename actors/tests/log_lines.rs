//! The log of a real run, line by line: one shape, documented in docs/ARCHITECTURE.md, and never in anybody's way.

mod support;

use rustix::process::Signal;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Bot, SOON, START, STOP};

/// Fields that say whom a line is about, in their order.
const CONTEXT: [&str; 6] = [
    "cycle_id",
    "symbol",
    "client_order_id",
    "order_id",
    "actor",
    "mode",
];
const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// The members of an object in their order, repeats included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// What is wrong with a line; `None` if nothing is.
fn fault(line: &str) -> Option<String> {
    let members = match serde_json::from_str::<Members>(line) {
        Ok(Members(members)) => members,
        Err(error) => return Some(format!("no object: {error}")),
    };
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    let text = |name: &str| {
        let found = members.iter().find(|(key, _)| key == name)?;
        found.1.as_str()
    };
    let has_msg = names.contains(&"msg");
    let fixed: Vec<&str> = ["ts", "level", "event", "msg", "run_id", "target"]
        .into_iter()
        .filter(|name| has_msg || *name != "msg")
        .collect();
    let about: Vec<&str> = CONTEXT
        .into_iter()
        .filter(|name| names.contains(name))
        .collect();
    let expected: Vec<&str> = fixed.into_iter().chain(about).collect();
    if !names.starts_with(&expected) {
        return Some(format!("{names:?} does not begin with {expected:?}"));
    }
    if (1..names.len()).any(|n| names[..n].contains(&names[n])) {
        return Some("a field is there twice".to_owned());
    }
    let ts = text("ts").unwrap_or_default();
    let is_time = ts.len() == "2026-01-01T00:00:00.000000Z".len()
        && ts.ends_with('Z')
        && ts.parse::<jiff::Timestamp>().is_ok();
    if !is_time {
        return Some(format!("{ts} is no time"));
    }
    let event = text("event").unwrap_or_default();
    let is_code = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if event.is_empty() || !event.bytes().all(is_code) {
        return Some(format!("{event} is no code"));
    }
    if !LEVELS.contains(&text("level").unwrap_or_default()) {
        return Some("no level".to_owned());
    }
    let is_flat = |value: &Value| !value.is_null() && !value.is_array() && !value.is_object();
    (!members.iter().all(|(_, value)| is_flat(value))).then(|| "a value is no scalar".to_owned())
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let good = r#"{"ts":"2026-11-22T09:00:00.000001Z","level":"INFO","event":"mode","run_id":"r","target":"t","mode":"NORMAL","n":1}"#;
    assert_eq!(fault(good), None);
    let check = |from: &str, to: &str| {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        assert!(fault(&bad).is_some(), "{bad}");
    };
    check(
        r#""level":"INFO","event":"mode""#,
        r#""event":"mode","level":"INFO""#,
    );
    check("000001Z", "1Z");
    check("INFO", "LOUD");
    check(r#""event":"mode""#, r#""event":"Mode on""#);
    check(r#""n":1"#, r#""n":null"#);
    check(r#""n":1"#, r#""n":[1]"#);
    check(r#""n":1"#, r#""mode":"X""#);
    check(r#""mode":"NORMAL","n":1"#, r#""n":1,"mode":"NORMAL""#);
}

fn demo(args: &[&str], level: &str) -> Command {
    let mut command = support::btcbot(&std::env::temp_dir(), args);
    command
        .env("LOG_LEVEL", level)
        .env("HTTPX_LOG_LEVEL", level);
    command
}

#[test]
fn every_line_of_a_demo_has_the_documented_shape() {
    let args = ["demo", "--seed", "7", "--json", "--http", "127.0.0.1:0"];
    let mut bot = Bot::start(demo(&args, "debug"));
    for event in ["feed_up", "mode", "order", "fill", "cancel_sent"] {
        bot.wait_for_text(&format!("\"event\":\"{event}\""), START + SOON);
    }
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let faults: Vec<String> = (ended.stderr.lines())
        .filter_map(|line| Some(format!("{}: {line}", fault(line)?)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let lines = ended.stderr.lines().count();
    assert!(lines > 50, "{lines} lines are no demo");
}

#[test]
fn every_line_of_a_dry_run_has_the_documented_shape() {
    let simulator = Simulator::process(11);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    bot.wait_for_text("\"event\":\"book_trusted\"", SOON);
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0));
    let faults: Vec<String> = (ended.stderr.lines())
        .filter_map(|line| Some(format!("{}: {line}", fault(line)?)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Cycles in which an idle process is listened to.
const IDLE_CYCLES: u64 = 20;

/// How many cycles have begun, by the words of the strategies: each says something once a cycle.
fn evaluated(bot: &Bot, plane: std::net::SocketAddr) -> u64 {
    let status = bot.status(plane);
    status["counts"]["evaluated"].as_u64().expect("a count")
}

#[test]
fn an_idle_process_does_not_fill_the_log() {
    let simulator = Simulator::process(12);
    let place = Installation::dry(&simulator);
    let mut bot = Bot::start(place.run_command(&["--safe-mode"]));
    let plane = bot.plane();
    bot.wait("a process with nothing to do", SOON, |bot| {
        let status = bot.status(plane);
        let is_idle = status["not_ready"] == Value::Array(Vec::new()) && evaluated(bot, plane) > 0;
        is_idle.then_some(())
    });
    let (lines, cycles) = (bot.stderr().lines().count(), evaluated(&bot, plane));
    bot.wait("idle cycles", SOON * 2, |bot| {
        (evaluated(bot, plane) >= cycles + IDLE_CYCLES).then_some(())
    });
    let log = bot.stderr();
    let idle: Vec<&str> = log.lines().skip(lines).collect();
    // Not one line a cycle: what says something each time says it more than this often.
    let most = usize::try_from(IDLE_CYCLES).expect("a small number") / 2;
    assert!(idle.len() < most, "{}", idle.join("\n"));
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_reader_of_the_log_that_stops_reading_holds_nothing_up() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    // As much as a pipe holds: the first line of the log is stuck already.
    writer.write_all(&[b'x'; 64 << 10]).expect("it fits");
    let out = tempfile::NamedTempFile::new().expect("a temporary file");
    let file = out.reopen().expect("the same file");
    let args = [
        "demo",
        "--for",
        "12s",
        "--seed",
        "7",
        "--json",
        "--http",
        "127.0.0.1:0",
    ];
    let bot = Bot::start_with(demo(&args, "trace"), file.into(), Stdio::from(writer));
    let ended = bot.finish(START + STOP);
    assert_eq!(
        ended.code,
        Some(0),
        "nobody reads the log, and the demo is fine"
    );
    drop(reader);
}
