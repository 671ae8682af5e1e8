//! What goes wrong at a start, one row each: the exit code, what stderr names, and nothing on standard output.

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Bot, Finished, SOON, START, run};

/// Checks the exit code and that standard error holds every part.
fn refused(what: &str, ended: &Finished, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{what}: {ended:?}");
    assert_eq!(ended.stdout, "", "{what}: stdout is for data");
    for part in parts {
        assert!(
            ended.stderr.contains(part),
            "{what}: {part:?} is not in {}",
            ended.stderr
        );
    }
    assert!(
        !ended.stderr.contains("panicked"),
        "{what}: {}",
        ended.stderr
    );
}

#[test]
fn broken_configuration_is_named_by_place_and_key() {
    let check = |what: &str, text: &str, code: i32, parts: &[&str]| {
        let place = Installation::empty();
        place.write("bad.toml", text);
        for command in [&["run"][..], &["config", "check"], &["config", "show"]] {
            let args: Vec<&str> = command
                .iter()
                .copied()
                .chain(["--config", "bad.toml"])
                .collect();
            refused(what, &run(place.command(&args), START), code, parts);
        }
    };
    check(
        "unknown key",
        "[market]\nsymbls = [\"BTCTRY\"]\n",
        78,
        &[
            "bad.toml:2:1",
            "market.symbls",
            "unknown key",
            "did you mean market.symbols",
        ],
    );
    check(
        "wrong type",
        "[strategy]\n\nttl_seconds = \"soon\"\n",
        78,
        &["bad.toml:3:15", "strategy.ttl_seconds", "expected"],
    );
    check(
        "a list that is none",
        "[market]\nsymbols = 5\n",
        78,
        &["bad.toml:2:11", "market.symbols", "1 to 10", "BTCTRY"],
    );
    check(
        "no TOML",
        "[market\nsymbols = 5\n",
        78,
        &["bad.toml:1:", "not valid TOML"],
    );
    check(
        "two mistakes, both named",
        "[risk]\nmax_open_orders = -1\n[market]\nsymbls = []\n",
        78,
        &["2 problems", "risk.max_open_orders", "market.symbls"],
    );
    check(
        "a secret's name",
        "[secrets]\napi_secret = \"\"\n",
        78,
        &["bad.toml:2:1", "secrets.api_secret"],
    );
}

#[test]
fn wrong_command_lines_are_usage() {
    let place = Installation::empty();
    let check = |args: &[&str], parts: &[&str]| {
        refused(
            &format!("{args:?}"),
            &run(place.command(args), START),
            2,
            parts,
        );
    };
    check(
        &["frobnicate"],
        &[
            "'frobnicate'",
            "demo",
            "run",
            "doctor",
            "replay",
            "simulator",
            "config",
        ],
    );
    check(&[], &["demo", "run"]);
    check(&["run", "--frob"], &["'--frob'", "--help"]);
    check(
        &["preflight", "--profile", "paper"],
        &["'paper'", "--profile"],
    );
    check(&["support-bundle"], &["--out"]);
    check(&["run", "--for", "1d"], &["1d", "ms, s, m or h"]);
    check(
        &["run", "--set", "market.symbls=BTCTRY"],
        &["--set", "market.symbls", "did you mean market.symbols"],
    );
    check(
        &["run", "--set", "safety.dry_run=false"],
        &["--set", "safety.dry_run"],
    );
    check(
        &["simulator", "--fault", "replylost=1"],
        &[
            "replylost",
            "did you mean fault.reply_lost",
            "known:",
            "ws.pong_timeout_ms",
        ],
    );
    check(
        &["simulator", "--fault", "reply_lost=2"],
        &["fault.reply_lost", "0 to 1"],
    );
    check(
        &["simulator", "--listen", "0.0.0.0:0"],
        &["0.0.0.0", "loopback", "127.0.0.1"],
    );
}

#[test]
fn unusable_credentials_are_permission() {
    let simulator = Simulator::with_own_account(1, &[]);
    let place = Installation::armed(&simulator);
    place.write_with_mode("secrets/broken", "these are not the letters!", 0o400);
    let with = |name: &str, value: &str| {
        let mut command = place.run_command(&[]);
        command.env(name, value);
        run(command, START)
    };
    let ended = with("BTCTURK_API_SECRET_FILE", "secrets/broken");
    refused(
        "no base64",
        &ended,
        77,
        &["secrets/broken", "BTCTURK_API_SECRET", "expected base64"],
    );
    assert!(
        !ended.stderr.contains("letters"),
        "a value is never shown: {}",
        ended.stderr
    );
    let ended = with("BTCTURK_API_SCOPES", "read,trade,withdraw");
    refused(
        "withdraw",
        &ended,
        77,
        &["BTCTURK_API_SCOPES", "withdraw", "declare read,trade"],
    );
    let ended = with("BTCTURK_API_KEY_FILE", "secrets/missing");
    // The name of the key, not its value: a secret may have been pasted there.
    refused(
        "no such file",
        &ended,
        78,
        &["BTCTURK_API_KEY_FILE", "does not exist"],
    );
    assert!(
        simulator.requests().is_empty(),
        "nothing was asked of the exchange"
    );
}

#[test]
fn an_unusable_journal_is_a_store_failure_and_is_left_as_it_is() {
    let simulator = Simulator::with_own_account(2, &[]);
    let place = Installation::armed(&simulator);
    let journal = place.path().join("btcbot-data/live/btcbot.redb");
    let whole = support::bytes_of(&journal);
    let check = |what: &str, bytes: Option<&[u8]>, parts: &[&str]| {
        match bytes {
            Some(bytes) => std::fs::write(&journal, bytes).expect("our own file"),
            None => std::fs::remove_file(&journal).expect("our own file"),
        }
        let ended = run(place.run_command(&[]), START);
        refused(what, &ended, 74, &["btcbot-data/live/btcbot.redb"]);
        refused(what, &ended, 74, parts);
        let after = journal.exists().then(|| support::bytes_of(&journal));
        assert_eq!(after.as_deref(), bytes, "{what}: the file is evidence");
    };
    check("empty", Some(b""), &["empty", "recovered"]);
    check(
        "foreign",
        Some(b"SQLite format 3\0 and so on"),
        &["not a journal of btcbot"],
    );
    check(
        "cut off",
        Some(&whole[..whole.len() / 2]),
        &["damaged", "recovered"],
    );
    check("missing", None, &["init --live"]);
    assert!(
        simulator.requests().is_empty(),
        "nothing was asked of the exchange"
    );
}

#[test]
fn a_stage_for_simulated_fills_and_a_flight_that_is_not_ready_say_no() {
    let simulator = Simulator::with_own_account(5, &[]);
    let place = Installation::armed(&simulator);
    let with_config = |args: &[&str]| {
        run(
            place.command(&[args, &["--config", "bot.toml"]].concat()),
            START,
        )
    };
    let stage = with_config(&["stage7-run"]);
    refused("stage7", &stage, 6, &["--dry-run", "DRY_RUN=true"]);
    assert!(simulator.posts().is_empty());
    let flight = with_config(&["preflight", "--json"]);
    let failed: Vec<String> = flight.data()["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|check| check["ok"] == false)
        .map(|check| check["check"].to_string())
        .collect();
    // Live trading at a test exchange is the one thing to object to here.
    assert_eq!(failed, ["\"config_valid\""], "{flight:?}");
    assert_eq!(flight.code, Some(3), "{flight:?}");
    let simulated = with_config(&["preflight", "--profile", "dry-run"]);
    assert_eq!(simulated.code, Some(0), "{simulated:?}");
    place.configure("SAFE_MODE=true\n");
    let held = with_config(&["preflight"]);
    assert_eq!(held.code, Some(3), "{held:?}");
    assert!(held.stdout.contains("FAIL  armed safe_mode"), "{held:?}");
}

#[test]
fn a_port_in_use_names_its_key() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = holder.local_addr().expect("bound").port().to_string();
    let simulator = Simulator::with_own_account(3, &[]);
    let place = Installation::dry(&simulator);
    let mut command: Command = place.run_command(&[]);
    command.env("OBSERVABILITY_PROMETHEUS_PORT", &port);
    refused(
        "port",
        &run(command, START),
        1,
        &[&port, "in use", "OBSERVABILITY_PROMETHEUS_PORT"],
    );
}

#[test]
fn a_second_instance_is_told_who_holds_the_directory() {
    let simulator = Simulator::with_own_account(4, &[]);
    let place = Installation::dry(&simulator);
    let mut first = place.start();
    let plane = first.plane();
    let holder = format!("process {}", first.pid().as_raw_nonzero());
    refused(
        "second",
        &run(place.run_command(&[]), START),
        7,
        &["btcbot-data", "in use by", &holder],
    );
    let mut second: Bot = first;
    second.wait("the first to go on", SOON, |bot| {
        (bot.status(plane)["not_ready"] == serde_json::json!([])).then_some(())
    });
}
