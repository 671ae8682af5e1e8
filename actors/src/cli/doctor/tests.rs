//! Each offline row with a fault put in: that row changes, and no other.

use super::facts::Facts;
use super::*;
use crate::cli::init::venue_dir;
use crate::cli::probe::fake;
use crate::store::{self, Header, Store, Venue};
use config::load::{Dotenv, Sources};
use engine::time::Timestamp;
use simulator::server::{RequestLog, Server};
use simulator::venue::{EXAMPLE_KEY, EXAMPLE_SECRET, VenueOptions};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

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
        sources.etc_file = None;
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

/// Puts a fault into a healthy dry run and expects exactly these rows to find it.
fn check_rows(
    expected: &[(&str, Status)],
    before: impl Fn(&mut Bench),
    after: impl Fn(&mut Facts),
) {
    let mut bench = Bench::new();
    before(&mut bench);
    let mut facts = bench.facts();
    after(&mut facts);
    let rows = examine(&facts, None);
    let own = |(row, status): &(&str, Status)| ((*row).to_owned(), *status);
    let expected: Vec<(String, Status)> = expected.iter().map(own).collect();
    assert_eq!(found(&rows), expected, "{}", text(&rows, Verdict::Fail));
    for (check, finding) in rows
        .iter()
        .filter(|(_, finding)| finding.status >= Status::Warn)
    {
        assert!(!finding.fix.is_empty(), "{} says what to do", name(check));
    }
}

/// The same for a fault that one row finds.
fn check(row: &str, expected: Status, before: impl Fn(&mut Bench), after: impl Fn(&mut Facts)) {
    check_rows(&[(row, expected)], before, after);
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
fn doctor_fault_injection_matrix() {
    let none = |_: &mut Facts| {};
    let same = |_: &mut Bench| {};
    let (warn, fail) = (Status::Warn, Status::Fail);
    check("config/readable", fail, |b| b.set("DRYRUN", "true"), none);
    let open_file = |b: &mut Bench| b.write(".env.live", "SAFE_MODE=true\n", 0o602);
    let both = [("config/warnings", warn), ("secrets/dotenv_mode", warn)];
    check_rows(&both, open_file, none);
    let unset = |b: &mut Bench| {
        b.live();
        b.env.remove(&OsString::from("MAX_SPREAD_BPS"));
    };
    check("config/limits", fail, unset, none);
    let ack = |text: &'static str| {
        move |b: &mut Bench| {
            b.set("LIVE_TRADING", "true");
            b.set("LIVE_TRADING_ACK", text);
        }
    };
    check("policy/acknowledgement", warn, ack(""), none);
    check("policy/acknowledgement", fail, ack("i understand"), none);
    let latch = |b: &mut Bench| fs::write(b.state().join("kill.latch"), "").expect("written");
    check("policy/kill_latch", fail, latch, none);
    check("secrets/present", fail, |b| b.set("DRY_RUN", "false"), none);
    check(
        "secrets/scopes",
        fail,
        |b| b.set("BTCTURK_API_SCOPES", "read,trade,withdraw"),
        none,
    );
    check(
        "secrets/scopes",
        warn,
        |b| b.set("BTCTURK_API_SCOPES", "read"),
        none,
    );
    let aged = |days: i64| {
        move |b: &mut Bench| {
            b.live();
            b.set("BTCTURK_SECRET_ROTATED_AT", &b.day(days));
        }
    };
    check("secrets/age", warn, aged(80), none);
    check("secrets/age", fail, aged(91), none);
    check("secrets/file_mode", warn, |b| b.keys(0o440), none);
    let live_open = |b: &mut Bench| {
        b.live();
        b.keys(0o444);
    };
    check("secrets/file_mode", fail, live_open, none);
    let in_env = |b: &mut Bench| {
        b.set("BTCTURK_API_KEY", "k-1234-abcd");
        b.set("BTCTURK_API_SECRET", SECRET);
        b.set("BTCTURK_SECRET_ROTATED_AT", &b.day(1));
    };
    check("secrets/source", warn, in_env, none);
    let dotenv = |b: &mut Bench| b.write(".env.live", "SAFE_MODE=true\n", 0o640);
    check("secrets/dotenv_mode", warn, dotenv, none);
    check("clock/synchronised", warn, same, |f| {
        f.host.is_synchronised = Some(false)
    });
    check(
        "network/proxy",
        warn,
        |b| b.set("https_proxy", "http://10.0.0.1"),
        none,
    );
    check("state/directory", fail, |b| b.mode(&b.state(), 0o755), none);
    check("state/directory", fail, same, |f| {
        f.host.is_network_disk = true
    });
    let cut = |b: &mut Bench| fs::write(b.journal(Venue::Dry), "").expect("written");
    check("state/journal", fail, cut, none);
    let foreign = |b: &mut Bench| fs::write(b.journal(Venue::Dry), "SQLite").expect("written");
    check("state/journal", fail, foreign, none);
    let swapped = |b: &mut Bench| {
        let (live, dry) = (b.journal(Venue::Live), b.journal(Venue::Dry));
        fs::copy(live, dry).expect("copied");
    };
    check("state/journal", fail, swapped, none);
    let lost = |b: &mut Bench| {
        b.live();
        fs::remove_file(b.journal(Venue::Live)).expect("removed");
    };
    check("state/journal", fail, lost, none);
    check("process/not_root", warn, same, |f| f.host.is_root = true);
    check("process/descriptors", warn, same, |f| {
        f.host.open_files = Some(256)
    });
    check("process/core_dumps", warn, same, |f| {
        f.host.core_bytes = None
    });
    check("disk/space", warn, same, |f| {
        f.host.free_bytes = Some(512 << 20)
    });
    check("disk/space", fail, same, |f| {
        f.host.free_bytes = Some(100 << 20)
    });
    check("disk/space", fail, same, |f| f.host.free_bytes = None);
    check("disk/writable", fail, same, |f| f.host.is_writable = false);
    let bind = |b: &mut Bench| b.set("BTCBOT__OPS__ADDRESS", "0.0.0.0");
    let both = [("config/warnings", warn), ("observability/bind", warn)];
    check_rows(&both, bind, none);
    check(
        "observability/exporter",
        warn,
        |b| b.set("OBSERVABILITY_ENABLED", "false"),
        none,
    );
}

#[test]
fn a_file_of_another_user_is_named() {
    let bench = Bench::new();
    bench.write(".env.live", "SAFE_MODE=true\n", 0o600);
    let mut facts = bench.facts();
    let owner = facts.host.uid;
    // Root may own any file; whether the owner is foreign depends on who runs the test.
    facts.host.uid = owner + 1;
    let rows = examine(&facts, None);
    let warned = found(&rows).contains(&("config/files".to_owned(), Status::Warn));
    assert_eq!(warned, owner != 0);
    assert!(found(&rows).contains(&("state/directory".to_owned(), Status::Fail)));
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
fn the_doctor_changes_nothing() {
    let bench = Bench::new();
    let seen = |path: PathBuf| {
        let meta = path.metadata().expect("it exists");
        (
            fs::read(path).expect("read"),
            meta.modified().expect("a time"),
        )
    };
    let before = seen(bench.journal(Venue::Dry));
    let rows = examine(&bench.facts(), None);
    assert!(text(&rows, Verdict::Pass).contains("chain intact"));
    assert!(
        before == seen(bench.journal(Venue::Dry)),
        "the journal is as it was"
    );
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
    let broken = row("test", "broken", Look::Host(|_| panic!("on purpose")));
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
fn the_exchanges_clock_is_judged_by_the_configured_limits() {
    let judge = |ahead_ms: i64| {
        let now = crate::clock::Clock::start().now().plus_ms(ahead_ms);
        let body = format!(r#"{{"serverTime":{},"serverTime2":"x"}}"#, now.ms());
        let (at, thread) = fake::serve(vec![(200, body)]);
        let mut bench = Bench::new();
        bench.set("BTCTURK_BASE_URL", &format!("http://{at}"));
        let finding = online("clock/offset", &bench);
        thread.join().expect("served");
        finding.status
    };
    assert_eq!(judge(3_600_000), Status::Fail);
    assert_eq!(judge(-3_600_000), Status::Fail);
    let (at, thread) = fake::serve(vec![(503, String::new())]);
    let mut bench = Bench::new();
    bench.set("BTCTURK_BASE_URL", &format!("http://{at}"));
    assert_eq!(online("clock/offset", &bench).status, Status::Fail);
    thread.join().expect("served");
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

/// Serves the simulated exchange until the returned sender is dropped.
fn exchange() -> (String, String, tokio::sync::oneshot::Sender<()>) {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let at = "127.0.0.1:0".parse().expect("an address");
            let options = VenueOptions::default();
            let server = Server::start(at, &options, RequestLog::none()).await;
            let server = server.expect("a free port");
            tell.send((server.rest_url(), server.ws_url()))
                .expect("the test waits");
            let _ended = stopped.await;
            server.stop().await;
        });
    });
    let (rest, ws) = told.recv().expect("the exchange starts");
    (rest, ws, stop)
}

#[test]
fn every_online_row_is_well_beside_an_exchange_that_is_well() {
    let (rest, ws, _stop) = exchange();
    let mut bench = Bench::new();
    bench.keys(0o400);
    bench.write("key", EXAMPLE_KEY, 0o600);
    bench.write("secret", EXAMPLE_SECRET, 0o600);
    bench.set("BTCTURK_BASE_URL", &rest);
    bench.set("BTCTURK_WS_URL", ws.trim_end_matches('/'));
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
    let (rest, ws, _stop) = exchange();
    let mut bench = Bench::new();
    bench.keys(0o400);
    bench.set("BTCTURK_BASE_URL", &rest);
    bench.set("BTCTURK_WS_URL", ws.trim_end_matches('/'));
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
