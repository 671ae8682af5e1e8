//! `health`: one question to the running process, or, where none runs, the checks that a start would make.
//!
//! Short on purpose: container runtimes call it every few seconds. The one idea: a process that is there and does not
//! answer is unhealthy, a process that is not there is a different thing.

use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::init::venue_dir;
use crate::cli::probe::{Probe, ProbeError};
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::cli::{ConfigSource, HealthArgs};
use crate::store::{self, Venue};
use btcturk::rest::{Reply, public, request};
use config::load::{Loaded, Sources};
use config::settings::Ops;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest that one question may take.
const LIMIT: Duration = Duration::from_secs(3);
/// Characters of the process's answer that are repeated.
const DETAIL_LEN_MAX: usize = 200;

/// What `health` found out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// The process answered; well if 200.
    Process { is_well: bool, detail: String },
    /// No process: the checks of a start, each with its finding.
    Standalone(Vec<(&'static str, Result<String, String>)>),
    /// No process, and one was asked for.
    Nobody(String),
}

/// Asks the running process.
///
/// `--url` and `--ready` ask for a process: without one they are exit 4. A bare `health` falls back to the standalone
/// check, so that it can be used before the first start.
///
/// # Errors
/// Exit 2 for a URL that cannot be asked, 1 if standard output or the event queue fails.
pub fn health(args: &HealthArgs) -> Outcome {
    let probe = Probe::new(LIMIT).map_err(|error| Failed::new(Exit::Failure, error.to_string()))?;
    let verdict = verdict(args, &probe)?;
    let (report, exit) = report(&verdict);
    report.print(args.json, &text(&verdict))?;
    Ok(exit)
}

fn verdict(args: &HealthArgs, probe: &Probe) -> Result<Verdict, Failed> {
    let path = if args.ready { "/readyz" } else { "/livez" };
    let needs_process = args.ready || args.url.is_some();
    let url = match &args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => plane_url(&ops(&args.source)?),
    };
    match probe.plane(&url, path) {
        Ok(answer) => {
            let body = String::from_utf8_lossy(&answer.body);
            let line = body.lines().next().unwrap_or_default();
            let plain = line.chars().filter(|c| !c.is_control());
            let detail: String = plain.take(DETAIL_LEN_MAX).collect();
            Ok(Verdict::Process {
                is_well: answer.status == 200,
                detail: format!("{path} {} {detail}", answer.status)
                    .trim_end()
                    .to_owned(),
            })
        }
        Err(ProbeError::Address(why)) => Err(Failed::new(Exit::Usage, why)),
        Err(error @ ProbeError::NoAnswer { .. }) => Ok(Verdict::Process {
            is_well: false,
            detail: error.to_string(),
        }),
        Err(error @ ProbeError::Connect { .. }) if needs_process => {
            Ok(Verdict::Nobody(error.to_string()))
        }
        Err(ProbeError::Connect { .. }) => Ok(Verdict::Standalone(standalone(args, probe)?)),
    }
}

/// Reads where the plane listens. A broken configuration does not hide a running process: then the environment and the
/// defaults say where it is.
fn ops(source: &ConfigSource) -> Result<Ops, Failed> {
    let sources = resolve::sources(source, Forced::default())?;
    let (env, dir, now) = (
        sources.env.clone(),
        sources.working_dir.clone(),
        sources.now,
    );
    let loaded = config::load::load(sources)
        .or_else(|_| config::load::load(Sources::demo(env, dir, now)))
        .map_err(|errors| resolve::refused(&errors))?;
    Ok(loaded.settings().ops.clone())
}

/// An address that means "all of this machine" is asked on loopback.
pub fn plane_url(ops: &Ops) -> String {
    let ip = match ops.address {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    format!("http://{}", std::net::SocketAddr::new(ip, ops.port))
}

type Finding = (&'static str, Result<String, String>);

fn standalone(args: &HealthArgs, probe: &Probe) -> Result<Vec<Finding>, Failed> {
    let sources = resolve::sources(&args.source, Forced::default())?;
    let dir = sources.working_dir.clone();
    Ok(match config::load::load(sources) {
        Err(errors) => vec![("config", Err(errors.to_string()))],
        Ok(loaded) => vec![
            ("config", Ok("valid".to_owned())),
            ("state", state(&loaded, &dir)),
            ("exchange", exchange(&loaded, probe)),
        ],
    })
}

/// A journal that is there must be a readable file with something in it; opening it is the doctor's business.
fn state(loaded: &Loaded, dir: &Path) -> Result<String, String> {
    let venue = if loaded.settings().safety.dry_run {
        Venue::Dry
    } else {
        Venue::Live
    };
    let state: PathBuf = dir
        .join(&loaded.settings().state.dir)
        .components()
        .collect();
    let path = venue_dir(&state, venue).join(store::FILE_NAME);
    let shown = path.display();
    match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(meta) if meta.is_file() && meta.len() > 0 => Ok(format!("{shown} is readable")),
        Ok(_) => Err(format!("{shown} is empty or no file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(format!("{shown} does not exist yet"))
        }
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

fn exchange(loaded: &Loaded, probe: &Probe) -> Result<String, String> {
    let base = loaded.settings().exchange.rest_url.as_str();
    let answer = probe
        .exchange(base, &request::server_time().target(), &[])
        .map_err(|error| error.to_string())?;
    let reply = Reply {
        status: answer.status,
        retry_after_ms: None,
        body: &answer.body,
    };
    let read = public::server_time(&reply);
    read.map(|_| format!("{base} answers"))
        .map_err(|error| format!("{base}: {error}"))
}

fn report(verdict: &Verdict) -> (Report, Exit) {
    let (mode, exit, data) = match verdict {
        Verdict::Process { is_well, detail } => (
            "process",
            if *is_well {
                Exit::Ok
            } else {
                Exit::CheckFailed
            },
            json!({"detail": detail}),
        ),
        Verdict::Standalone(findings) => {
            let is_well = findings.iter().all(|(_, found)| found.is_ok());
            let rows = findings.iter().map(|(name, found)| {
                let detail = found.as_ref().unwrap_or_else(|why| why);
                json!({"name": name, "ok": found.is_ok(), "detail": detail})
            });
            (
                "standalone",
                if is_well { Exit::Ok } else { Exit::CheckFailed },
                json!({"checks": rows.collect::<Vec<_>>()}),
            )
        }
        Verdict::Nobody(why) => ("process", Exit::NotRunning, json!({"detail": why})),
    };
    let mut data = data;
    data["mode"] = json!(mode);
    data["healthy"] = json!(exit == Exit::Ok);
    let report = Report {
        command: "health",
        ok: exit == Exit::Ok,
        data,
        warnings: Vec::new(),
    };
    (report, exit)
}

fn text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Process { is_well, detail } => {
            format!(
                "{}: {detail}\n",
                if *is_well { "healthy" } else { "unhealthy" }
            )
        }
        Verdict::Nobody(why) => format!("not running: {why}\n"),
        Verdict::Standalone(findings) => {
            let mut text = "standalone check (no running process answers)\n".to_owned();
            for (name, found) in findings {
                let (word, detail) = match found {
                    Ok(detail) => ("ok  ", detail),
                    Err(detail) => ("fail", detail),
                };
                text.push_str(&format!("  {word}  {name}: {detail}\n"));
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::probe::fake;
    use std::net::SocketAddr;

    fn asked(args: &HealthArgs) -> (Verdict, Exit) {
        let probe = Probe::new(Duration::from_secs(10)).expect("a runtime");
        let verdict = verdict(args, &probe).expect("a verdict");
        let (_, exit) = report(&verdict);
        (verdict, exit)
    }

    fn source(ops: SocketAddr, rest: SocketAddr) -> ConfigSource {
        ConfigSource {
            no_env_file: true,
            set: vec![
                format!("ops.port={}", ops.port()),
                format!("exchange.rest_url=http://{rest}"),
                "state.dir=/nonexistent/btcbot".to_owned(),
            ],
            ..ConfigSource::default()
        }
    }

    fn args(source: ConfigSource, ready: bool, url: Option<String>) -> HealthArgs {
        HealthArgs {
            source,
            ready,
            url,
            json: false,
        }
    }

    #[test]
    fn the_process_decides_while_one_answers() {
        let check = |status: u16, ready: bool, line: &str, expected: Exit| {
            let (at, thread) = fake::serve(vec![(status, "because\nmore".to_owned())]);
            let (verdict, exit) = asked(&args(source(at, fake::nobody()), ready, None));
            assert_eq!(exit, expected);
            assert_eq!(thread.join().expect("served"), [line]);
            assert!(text(&verdict).contains("because") && !text(&verdict).contains("more"));
        };
        check(200, false, "GET /livez HTTP/1.1", Exit::Ok);
        check(503, false, "GET /livez HTTP/1.1", Exit::CheckFailed);
        check(503, true, "GET /readyz HTTP/1.1", Exit::CheckFailed);
    }

    #[test]
    fn without_a_process_the_exchange_is_asked() {
        let time = r#"{"serverTime":1767225600123,"serverTime2":"2026-01-01T00:00:00.123"}"#;
        let (rest, thread) = fake::serve(vec![(200, time.to_owned())]);
        let (verdict, exit) = asked(&args(source(fake::nobody(), rest), false, None));
        assert_eq!(exit, Exit::Ok, "{verdict:?}");
        assert!(text(&verdict).contains("standalone"));
        let (report, _) = report(&verdict);
        assert_eq!(report.data["mode"], json!("standalone"));
        let asked = thread.join().expect("served");
        assert_eq!(asked, ["GET /api/v2/server/time HTTP/1.1"]);
    }

    #[test]
    fn health_reports_outage_in_dry_run_too() {
        let dry = source(fake::nobody(), fake::nobody());
        let loaded = resolve::sources(&dry, Forced::default()).map(config::load::load);
        let loaded = loaded.expect("sources").expect("a configuration");
        assert!(loaded.settings().safety.dry_run, "as everywhere else");
        let (verdict, exit) = asked(&args(dry, false, None));
        assert_eq!(exit, Exit::CheckFailed);
        assert!(text(&verdict).contains("fail  exchange"));
    }

    #[test]
    fn asking_for_a_process_that_is_not_there_is_not_running() {
        let nobody = fake::nobody();
        let ready = args(source(nobody, nobody), true, None);
        assert_eq!(asked(&ready).1, Exit::NotRunning);
        let by_url = args(
            ConfigSource::default(),
            false,
            Some(format!("http://{nobody}/")),
        );
        assert_eq!(asked(&by_url).1, Exit::NotRunning);
    }

    #[test]
    fn a_plane_on_every_address_is_asked_on_loopback() {
        let check = |address: &str, expected: &str| {
            let address = address.parse().expect("an address");
            let ops = Ops {
                address,
                port: 9464,
                hosts: Vec::new(),
            };
            assert_eq!(plane_url(&ops), expected);
        };
        check("0.0.0.0", "http://127.0.0.1:9464");
        check("::", "http://[::1]:9464");
        check("10.1.2.3", "http://10.1.2.3:9464");
    }
}
