//! Rows of installations that are well, of faults that several rows see, and what no row may do.

mod matrix;

use super::facts::Facts;
use super::rows::row;
use super::*;
use crate::cli::init::venue_dir;
use crate::cli::probe::fake;
use crate::store::{self, Header, Store, Venue};
use config::load::{Dotenv, Sources};
use engine::time::Timestamp;
use simulator::server::{Hosted, RequestLog};
use simulator::venue::{EXAMPLE_KEY, EXAMPLE_SECRET, VenueOptions};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Stands for the host's configuration file; most installations have none.
const HOST_FILE: &str = "host.toml";
/// Base64 of nothing anybody uses.
const SECRET: &str = "bm90aGluZyBvZiBhbnlib2R5";
const LIMITS: [(&str, &str); 11] = [
    ("MAX_ORDER_NOTIONAL_TRY", "500"),
    ("MAX_NOTIONAL_TRY_PER_MINUTE", "2000"),
    ("MAX_ORDERS_PER_MINUTE", "30"),
    ("MAX_OPEN_ORDERS", "20"),
    ("MAX_OPEN_ORDERS_PER_SYMBOL", "2"),
    ("MAX_POSITION_NOTIONAL_TRY", "5000"),
    ("MAX_GROSS_EXPOSURE_TRY", "10000"),
    ("MAX_DAILY_LOSS_TRY", "500"),
    ("MAX_DRAWDOWN_BPS", "1000"),
    ("PRICE_COLLAR_BPS", "100"),
    ("MAX_SPREAD_BPS", "200"),
];

/// An installation in a directory of its own, in which every row is well.
struct Bench {
    dir: TempDir,
    env: BTreeMap<OsString, OsString>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bench = Self {
            dir,
            env: BTreeMap::new(),
        };
        for (name, value) in LIMITS {
            bench.set(name, value);
        }
        for venue in [Venue::Dry, Venue::Live] {
            let dir = venue_dir(&bench.state(), venue);
            fs::create_dir_all(&dir).expect("made");
            let header = Header::new(venue, "abcd", Timestamp::from_ms(1));
            store::create(&dir, &header).expect("made");
        }
        bench.mode(&bench.state(), 0o700);
        bench
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("btcbot-data")
    }

    fn journal(&self, venue: Venue) -> PathBuf {
        venue_dir(&self.state(), venue).join(store::FILE_NAME)
    }

    fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    fn mode(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.dir.path().join(name);
        // A file without write permission cannot be written again, but it can be replaced.
        let _ = fs::remove_file(&path);
        fs::write(&path, text).expect("written");
        self.mode(&path, mode);
    }

    /// A live configuration with a key pair in private files.
    fn live(&mut self) {
        self.set("DRY_RUN", "false");
        self.keys(0o400);
    }

    fn keys(&mut self, mode: u32) {
        self.write("key", "k-1234-abcd\n", mode);
        self.write("secret", SECRET, mode);
        self.set("BTCTURK_API_KEY_FILE", "key");
        self.set("BTCTURK_API_SECRET_FILE", "secret");
        self.set("BTCTURK_SECRET_ROTATED_AT", &self.day(1));
    }

    /// The key pair that the simulated exchange knows.
    fn example_keys(&mut self) {
        self.keys(0o400);
        self.write("key", EXAMPLE_KEY, 0o600);
        self.write("secret", EXAMPLE_SECRET, 0o600);
    }

    /// The day `age` days ago.
    fn day(&self, age: i64) -> String {
        let now = crate::clock::Clock::start().now();
        let at = now.plus_ms(-age * 86_400_000);
        jiff::Timestamp::from_microsecond(at.0)
            .expect("a date")
            .to_string()
    }

    fn facts(&self) -> Facts {
        let dir = self.dir.path().to_owned();
        let mut sources = Sources::new(self.env.clone(), dir, Timestamp::from_ms(1));
        sources.etc_file = Some(self.dir.path().join(HOST_FILE));
        sources.run_secrets = None;
        sources.dotenv = Dotenv::IfPresent;
        let mut facts = Facts::of(sources);
        // What depends on the machine that runs the test is set to a healthy value.
        facts.host.is_root = false;
        facts.host.open_files = Some(4_096);
        facts.host.core_bytes = Some(0);
        facts.host.is_synchronised = Some(true);
        facts.host.free_bytes = Some(8 << 30);
        facts.host.is_network_disk = false;
        facts.host.is_writable = true;
        facts
    }
}

fn name(check: &Check) -> String {
    format!("{}/{}", check.category, check.name)
}

/// The rows that found something.
fn found(rows: &[Row<'_>]) -> Vec<(String, Status)> {
    rows.iter()
        .filter(|(_, finding)| finding.status >= Status::Warn)
        .map(|(check, finding)| (name(check), finding.status))
        .collect()
}

#[test]
fn a_healthy_installation_passes() {
    for is_live in [false, true] {
        let mut bench = Bench::new();
        if is_live {
            bench.live();
        }
        let rows = examine(&bench.facts(), None);
        assert_eq!(found(&rows), [], "{}", text(&rows, Verdict::Fail));
        assert_eq!(verdict(&rows, true), Verdict::Pass);
    }
}

#[test]
fn a_journal_in_use_is_left_alone() {
    let bench = Bench::new();
    let dir = venue_dir(&bench.state(), Venue::Dry);
    let (store, _) = Store::open(&dir, Venue::Dry).expect("it opens");
    let rows = examine(&bench.facts(), None);
    assert_eq!(found(&rows), []);
    assert!(text(&rows, Verdict::Pass).contains("in use by another process"));
    store.close();
}

#[test]
fn offline_commands_open_no_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("it can");
    let at = listener.local_addr().expect("bound");
    let mut bench = Bench::new();
    bench.set("BTCTURK_BASE_URL", &format!("http://{at}"));
    bench.set("BTCTURK_WS_URL", &format!("ws://{at}"));
    bench.set("OBSERVABILITY_PROMETHEUS_PORT", &at.port().to_string());
    let rows = examine(&bench.facts(), None);
    assert!(
        rows.iter()
            .all(|(check, _)| !matches!(check.look, Look::Online(_)))
    );
    let came = listener.accept().map(drop).expect_err("nobody came");
    assert_eq!(came.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_check_that_breaks_is_a_failed_row() {
    let broken = row("test", "broken", "", Look::Host(|_| panic!("on purpose")));
    let finding = guarded(&broken, &Bench::new().facts(), None);
    assert_eq!(finding.status, Status::Fail);
}

#[test]
fn a_broken_configuration_skips_what_depends_on_it() {
    let mut bench = Bench::new();
    bench.set("SAFE_MODE", "maybe");
    let rows = examine(&bench.facts(), None);
    assert_eq!(found(&rows), [("config/readable".to_owned(), Status::Fail)]);
    assert!(count(&rows, Status::Skip) > 10);
}

#[test]
fn exit_codes_are_the_doctors_own() {
    let ruled = |status: Status, is_strict: bool| {
        let rows = [(&CHECKS[0], Finding::new(status, "", ""))];
        verdict(&rows, is_strict).exit().code()
    };
    assert_eq!(ruled(Status::Skip, false), 0);
    assert_eq!(ruled(Status::Ok, true), 0);
    assert_eq!(ruled(Status::Warn, false), 1);
    assert_eq!(ruled(Status::Warn, true), 2);
    assert_eq!(ruled(Status::Fail, false), 2);
}

#[test]
fn no_row_shows_a_secret() {
    let mut bench = Bench::new();
    bench.live();
    let rows = examine(&bench.facts(), None);
    let all = format!(
        "{}{}",
        text(&rows, Verdict::Pass),
        report(&rows, Verdict::Pass).to_json()
    );
    assert!(
        !all.contains("k-1234-abcd") && !all.contains(SECRET),
        "{all}"
    );
}

/// Runs one row against servers that answer with these texts.
fn online(wanted: &str, bench: &Bench) -> Finding {
    let probe = Probe::new(Duration::from_secs(10)).expect("a runtime");
    let facts = bench.facts();
    let check = CHECKS.iter().find(|check| name(check) == wanted);
    guarded(check.expect("it is there"), &facts, Some(&probe))
}

#[test]
fn a_running_bot_is_ok_and_a_silent_one_is_not() {
    let mut bench = Bench::new();
    let lock = fs::File::create(bench.state().join(crate::locks::LOCK_NAME)).expect("made");
    let mut judge = |status: Option<u16>| {
        let (at, thread) = match status {
            Some(status) => {
                let (at, thread) = fake::serve(vec![(status, String::new())]);
                (at, Some(thread))
            }
            None => (fake::nobody(), None),
        };
        bench.set("OBSERVABILITY_PROMETHEUS_PORT", &at.port().to_string());
        let finding = online("process/running", &bench);
        thread.map(|thread| thread.join().expect("served"));
        finding.status
    };
    assert_eq!(judge(None), Status::Skip);
    assert_eq!(judge(Some(200)), Status::Warn, "it holds another directory");
    assert_eq!(judge(Some(503)), Status::Fail);
    lock.lock().expect("nobody holds it");
    assert_eq!(judge(Some(200)), Status::Ok);
    assert_eq!(judge(None), Status::Fail);
}

/// A simulated exchange, and everything it was asked.
struct Exchange {
    _hosted: Hosted,
    log: PathBuf,
}

fn exchange(bench: &mut Bench) -> Exchange {
    let log = bench.dir.path().with_extension("requests");
    let requests = RequestLog::file(&log).expect("a new file");
    let hosted = Hosted::start(VenueOptions::default(), requests).expect("a free port");
    let server = hosted.server();
    bench.set("BTCTURK_BASE_URL", &server.rest_url());
    bench.set("BTCTURK_WS_URL", server.ws_url().trim_end_matches('/'));
    Exchange {
        _hosted: hosted,
        log,
    }
}

impl Exchange {
    /// The methods that were asked with, in their order.
    fn methods(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).expect("the log");
        let lines = text.lines().map(serde_json::from_str::<Value>);
        lines
            .map(|line| {
                line.expect("JSON")["method"]
                    .as_str()
                    .expect("a method")
                    .to_owned()
            })
            .collect()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // The log lies beside the installation, which is not to change.
        let _ = fs::remove_file(&self.log);
    }
}

#[test]
fn every_online_row_is_well_beside_an_exchange_that_is_well() {
    let mut bench = Bench::new();
    let _exchange = exchange(&mut bench);
    bench.example_keys();
    let nobody = fake::nobody().port().to_string();
    bench.set("OBSERVABILITY_PROMETHEUS_PORT", &nobody);
    let probe = Probe::new(Duration::from_secs(10)).expect("a runtime");
    let rows = examine(&bench.facts(), Some(&probe));
    assert_eq!(found(&rows), [], "{}", text(&rows, Verdict::Fail));
    let skipped = |(check, finding): &&Row<'_>| {
        matches!(check.look, Look::Online(_)) && finding.status == Status::Skip
    };
    let skipped: Vec<String> = rows
        .iter()
        .filter(skipped)
        .map(|(check, _)| name(check))
        .collect();
    assert_eq!(skipped, ["process/running", "observability/scrape"]);
}

#[test]
fn a_key_that_the_exchange_refuses_and_a_pair_it_does_not_know_are_found() {
    let mut bench = Bench::new();
    let _exchange = exchange(&mut bench);
    bench.keys(0o400);
    bench.set("SYMBOLS", "BTCTRY,NOSUCHTRY");
    bench.set(
        "OBSERVABILITY_PROMETHEUS_PORT",
        &fake::nobody().port().to_string(),
    );
    let probe = Probe::new(Duration::from_secs(10)).expect("a runtime");
    let rows = examine(&bench.facts(), Some(&probe));
    let expected = [
        ("exchange/symbols", Status::Warn),
        ("account/private_read", Status::Fail),
        ("account/open_orders", Status::Fail),
    ];
    let expected = expected.map(|(row, status)| (row.to_owned(), status));
    assert_eq!(found(&rows), expected, "{}", text(&rows, Verdict::Fail));
}
