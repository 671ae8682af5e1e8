//! `btcbot demo` from the outside: a first impression that must never fail, and a tidy end.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Duration;
use support::installation::Installation;
use support::{Bot, SOON, START, STOP, run};

/// The status plane's usual port.
const USUAL_PORT: u16 = 9464;
/// Longest run of 15 s with faults: its end waits up to 180 s for proofs.
const FAULTS_SETTLE: Duration = Duration::from_secs(210);

fn demo(place: &Installation, args: &[&str]) -> Command {
    let args: Vec<&str> = ["demo"].into_iter().chain(args.iter().copied()).collect();
    place.command(&args)
}

#[test]
fn a_short_demo_trades_and_leaves_nothing_behind() {
    let place = Installation::empty();
    let mut command = demo(&place, &["--seed", "7", "--json"]);
    command.env("LOG_LEVEL", "info");
    let mut bot = Bot::start(command);
    for event in ["fill", "cancel_sent"] {
        bot.wait_for_text(&format!("\"event\":\"{event}\""), START + SOON);
    }
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.stdout.lines().count(),
        1,
        "one object and nothing else: {ended:?}"
    );
    let data = ended.data();
    let at_least = |name: &str, least: u64| {
        let found = data[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} in {data}"));
        assert!(found >= least, "{name} {found}, at least {least}: {data}");
    };
    at_least("frames", 1);
    at_least("orders_submitted", 1);
    at_least("fills", 1);
    at_least("cancels", 1);
    for name in [
        "open_orders_at_exit",
        "unknown_orders",
        "duplicate_client_ids",
        "restarts",
    ] {
        assert_eq!(data[name], Value::from(0), "{name} in {data}");
    }
    assert_eq!(data["ledger_matches_exchange"], Value::from(true), "{data}");
    assert_eq!(data["equity_start"], Value::from("1000000"), "{data}");
    let equity: f64 = data["equity_end"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a decimal");
    assert!((990_000.0..1_010_000.0).contains(&equity), "{data}");
    assert_eq!(place.names(), Vec::<String>::new(), "the demo wrote files");
}

#[test]
fn on_an_exchange_that_fails_every_order_is_known_in_the_end() {
    let place = Installation::empty();
    let args = ["--for", "15s", "--seed", "7", "--faults", "--json"];
    let ended = run(demo(&place, &args), START + FAULTS_SETTLE);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let data = ended.data();
    assert!(
        data["faults"]
            .as_object()
            .is_some_and(|kinds| !kinds.is_empty()),
        "{data}"
    );
    let unknowns = &data["unknowns"];
    let resolved = ["resolved_open", "resolved_absent"].map(|name| unknowns[name].as_u64());
    assert_eq!(unknowns["still_unknown"], Value::from(0), "{data}");
    assert_eq!(
        unknowns["seen"].as_u64(),
        resolved.into_iter().sum(),
        "{data}"
    );
    assert_eq!(data["duplicate_client_ids"], Value::from(0), "{data}");
    assert_eq!(data["ledger_matches_exchange"], Value::from(true), "{data}");
}

#[test]
fn ctrl_c_is_a_good_end() {
    let place = Installation::empty();
    let mut bot = Bot::start(demo(&place, &["--http", "127.0.0.1:0"]));
    bot.wait_for_text("order  ", START);
    bot.signal(Signal::INT);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.starts_with("   0."), "{ended:?}");
    assert!(
        ended.stdout.contains("simulated exchange, no real money"),
        "{ended:?}"
    );
    let verdict = "Open 0, unknown 0, duplicates 0, ledger equals the exchange: yes.";
    assert!(ended.stdout.contains(verdict), "{ended:?}");
}

#[test]
fn a_busy_port_that_was_asked_for_is_refused_with_its_name() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = holder.local_addr().expect("bound").to_string();
    let place = Installation::empty();
    let ended = run(demo(&place, &["--for", "5s", "--http", &address]), START);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "");
    for part in [address.as_str(), "in use", "--http"] {
        assert!(ended.stderr.contains(part), "{part}: {ended:?}");
    }
}

#[test]
fn a_busy_usual_port_gives_a_free_one_and_says_so() {
    // Somebody else may hold it already: that is just as busy.
    let _holder = TcpListener::bind((Ipv4Addr::LOCALHOST, USUAL_PORT));
    let place = Installation::empty();
    let mut bot = Bot::start(demo(&place, &[]));
    let plane = bot.plane();
    assert_ne!(plane.port(), USUAL_PORT);
    assert!(
        bot.stdout().contains("busy, so it took a free one"),
        "{}",
        bot.stdout()
    );
    bot.wait("the plane to be alive", SOON, |_| {
        support::http::get(plane, "/livez")
            .is_ok_and(|(code, _)| code == 200)
            .then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP + Duration::from_secs(5)).code, Some(0));
}
