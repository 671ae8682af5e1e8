//! The first start: nothing configured but where the exchange is.

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Duration;
use support::exchange::Simulator;
use support::installation::Installation;
use support::run;

/// The status plane's usual port.
const USUAL_PORT: u16 = 9464;
/// `--once` waits up to a minute to become ready.
const ONCE: Duration = Duration::from_secs(90);

/// Only the addresses, and another port where the usual one is taken on this machine.
fn at_the_simulator(mut command: Command, simulator: &Simulator) -> Command {
    command.env("BTCTURK_BASE_URL", &simulator.rest_url);
    command.env("BTCTURK_WS_URL", &simulator.ws_url);
    if TcpListener::bind((Ipv4Addr::LOCALHOST, USUAL_PORT)).is_err() {
        command.env("OBSERVABILITY_PROMETHEUS_PORT", "0");
    }
    command
}

/// The defaults and the templates; image and compose file have a test of their own in CI.
#[test]
fn defaults_template_image_and_compose_start() {
    let simulator = Simulator::process(7);
    let place = Installation::empty();
    let once = |place: &Installation, args: &[&str]| {
        let ended = run(at_the_simulator(place.command(args), &simulator), ONCE);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended.data()
    };
    let data = once(&place, &["run", "--once", "--json"]);
    assert_eq!(data["venue"], "simulated", "{data}");
    assert_eq!(data["armed"], false, "{data}");
    assert_eq!(data["cycles"], 1, "{data}");
    assert_eq!(data["submitted"], 0, "safe mode is on by default: {data}");

    let made = Installation::empty();
    assert_eq!(run(made.command(&["init"]), ONCE).code, Some(0));
    let data = once(
        &made,
        &["run", "--once", "--json", "--config", "btcbot.toml"],
    );
    assert_eq!(data["venue"], "simulated", "{data}");
    assert!(
        simulator
            .requests()
            .iter()
            .all(|request| request.method == "GET"),
        "it only reads: {:?}",
        simulator.requests()
    );
}
