//! `simulator`: the simulated exchange as a process of its own, for clients that are not ours.
//!
//! One line on stdout says where it is and with which key; then it only serves. It listens on this machine alone: its
//! key pair is published in the exchange's documents, so anybody who reaches it may trade on it.

use crate::cli::SimulatorArgs;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::signals::{Event, Signal, Signals};
use serde_json::{Value, json};
use simulator::market::pair::pairs;
use simulator::profile::Profile;
use simulator::server::{RequestLog, Server, ServerError};
use simulator::venue::{EXAMPLE_KEY, EXAMPLE_SECRET, VenueOptions};
use std::io;
use std::time::Duration;

/// Serves until a signal or the end of `--for`.
///
/// # Errors
/// Exit 2 for an address that is not loopback or a setting that no switch knows, 1 for a busy port, a log that cannot
/// be opened, or a system without an event queue.
pub fn simulator(args: &SimulatorArgs, mut signals: Signals) -> Outcome {
    let options = options(args)?;
    let log = log(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failure(&error))?;
    runtime.block_on(async {
        let server = Server::start(args.listen, &options, log)
            .await
            .map_err(|error| not_started(&error))?;
        ready(&server, &options).print(true, "")?;
        let exit = until_stopped(args.run_for, &mut signals).await;
        server.stop().await;
        Ok(exit)
    })
}

fn options(args: &SimulatorArgs) -> Result<VenueOptions, Failed> {
    if !args.listen.ip().is_loopback() {
        let message = format!(
            "--listen {} is not a loopback address; the simulator serves this machine only, e.g. 127.0.0.1:8080",
            args.listen
        );
        return Err(Failed::new(Exit::Usage, message));
    }
    let mut profile = Profile::faithful();
    for setting in &args.faults {
        profile
            .set(setting)
            .map_err(|error| Failed::new(Exit::Usage, format!("--fault {setting}: {error}")))?;
    }
    Ok(VenueOptions {
        seed: args.seed,
        profile,
        ..VenueOptions::default()
    })
}

fn log(args: &SimulatorArgs) -> Result<RequestLog, Failed> {
    match &args.log {
        None => Ok(RequestLog::stderr()),
        Some(path) => RequestLog::file(path).map_err(|error| {
            let message = format!("cannot write the log {}: {error}", path.display());
            Failed::new(Exit::Failure, message)
        }),
    }
}

fn not_started(error: &ServerError) -> Failed {
    match error {
        ServerError::Listen { addr, cause } if cause.kind() == io::ErrorKind::AddrInUse => {
            let message = format!("{addr} is in use by another process; port 0 takes a free one");
            Failed::new(Exit::Failure, message)
        }
        ServerError::Listen { .. } | ServerError::Key(_) | ServerError::NoMember => failure(error),
    }
}

fn failure(error: &dyn std::error::Error) -> Failed {
    Failed::new(Exit::Failure, error.to_string())
}

/// What a client needs to know. The pair is the example of the exchange's documents, no secret of anybody.
fn ready(server: &Server, options: &VenueOptions) -> Report {
    let symbols: Vec<String> = pairs().iter().map(|pair| pair.symbol.to_string()).collect();
    let data: Value = json!({
        "rest_url": server.rest_url(),
        "ws_url": server.ws_url(),
        "api_key": EXAMPLE_KEY,
        "api_secret": EXAMPLE_SECRET,
        "symbols": symbols,
        "seed": options.seed,
        "switches": options.profile.differences(),
    });
    Report {
        command: "simulator",
        ok: true,
        data,
        warnings: Vec::new(),
    }
}

async fn until_stopped(run_for: Option<Duration>, signals: &mut Signals) -> Exit {
    let stopped = async {
        loop {
            match signals.next().await {
                Some(Event::Signal(Signal::Term | Signal::Int) | Event::StopNow) | None => {
                    return Exit::Ok;
                }
                Some(Event::Signal(Signal::Quit)) => return Exit::Quit,
                // They ask something of an engine; here is none.
                Some(Event::Signal(Signal::Usr1 | Signal::Usr2 | Signal::Hup)) => {}
            }
        }
    };
    match run_for {
        None => stopped.await,
        Some(time) => tokio::time::timeout(time, stopped)
            .await
            .unwrap_or(Exit::Ok),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(listen: &str, faults: &[&str]) -> SimulatorArgs {
        SimulatorArgs {
            listen: listen.parse().expect("an address"),
            seed: 7,
            faults: faults.iter().map(|&fault| fault.to_owned()).collect(),
            log: None,
            run_for: None,
        }
    }

    #[test]
    fn it_serves_this_machine_only() {
        let check = |listen: &str, is_taken: bool| {
            let result = options(&args(listen, &[]));
            let exit = result.map(|_| ()).map_err(|failed| failed.exit);
            let expected = if is_taken { Ok(()) } else { Err(Exit::Usage) };
            assert_eq!(exit, expected, "{listen}");
        };
        check("127.0.0.1:0", true);
        check("[::1]:8080", true);
        check("0.0.0.0:8080", false);
        check("192.168.1.2:8080", false);
        check("[::]:8080", false);
    }

    #[test]
    fn an_unknown_fault_names_the_nearest() {
        let failed = options(&args("127.0.0.1:0", &["replylost=1"])).expect_err("no such switch");
        assert_eq!(failed.exit, Exit::Usage);
        assert!(
            failed.message.contains("did you mean fault.reply_lost"),
            "{}",
            failed.message
        );
        let taken = options(&args("127.0.0.1:0", &["reply_lost=0.05"])).expect("known");
        assert_eq!(taken.profile.differences(), ["fault.reply_lost=0.05"]);
        assert_eq!(taken.seed, 7);
    }

    #[tokio::test]
    async fn the_ready_line_says_where_and_with_which_key() {
        let options = options(&args("127.0.0.1:0", &[])).expect("valid");
        let loopback = "127.0.0.1:0".parse().expect("an address");
        let server = Server::start(loopback, &options, RequestLog::none())
            .await
            .expect("started");
        let line = ready(&server, &options).to_json();
        assert_eq!(line["schema"], json!("btcbot.simulator/v1"));
        assert_eq!(line["data"]["rest_url"], json!(server.rest_url()));
        assert_eq!(line["data"]["api_key"], json!(server.api_key()));
        let symbols = line["data"]["symbols"].as_array().expect("a list");
        assert!(symbols.contains(&json!("BTCTRY")) && symbols.contains(&json!("ETHUSDT")));
        server.stop().await;
    }

    #[tokio::test]
    async fn a_busy_port_is_named() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = holder.local_addr().expect("bound");
        let busy = Server::start(at, &VenueOptions::default(), RequestLog::none()).await;
        let failed = not_started(&busy.expect_err("the port is taken"));
        assert_eq!(failed.exit, Exit::Failure);
        let message = failed.message;
        assert!(
            message.contains(&at.to_string()) && message.contains("in use"),
            "{message}"
        );
    }
}
