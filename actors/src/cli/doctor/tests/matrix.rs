//! One table: each row of the doctor, how it is broken, and what it says then. A row that the table lacks is a failure.

use super::*;
use std::collections::BTreeSet;
use std::thread::JoinHandle;
use std::time::SystemTime;

/// Whoever is not us and not root.
const STRANGER: u32 = 65_534;

/// How a row is broken.
enum Strike {
    /// In the installation; judged without a network.
    Place(fn(&mut Bench)),
    /// In what the kernel says.
    Kernel(fn(&mut Facts)),
    /// Outside; the row is judged alone. The servers that answer once are waited for.
    Outside(fn(&mut Bench) -> Servers),
}

/// What a fault has set up, for as long as its row is judged.
#[derive(Default)]
struct Servers {
    answering: Option<JoinHandle<Vec<String>>>,
    _exchange: Option<Exchange>,
}

/// One fault, and what must be said of it.
struct Fault {
    row: &'static str,
    status: Status,
    /// A part of what was found.
    says: &'static str,
    /// Another row that finds the same.
    also: Option<(&'static str, Status)>,
    strike: Strike,
}

const fn fault(row: &'static str, status: Status, says: &'static str, strike: Strike) -> Fault {
    Fault {
        row,
        status,
        says,
        also: None,
        strike,
    }
}

impl Fault {
    const fn also(self, row: &'static str, status: Status) -> Self {
        Self {
            also: Some((row, status)),
            ..self
        }
    }

    fn judge(&self) {
        let mut bench = Bench::new();
        match &self.strike {
            Strike::Place(strike) => {
                strike(&mut bench);
                self.judge_all(&bench.facts());
            }
            Strike::Kernel(strike) => {
                let mut facts = bench.facts();
                strike(&mut facts);
                self.judge_all(&facts);
            }
            Strike::Outside(strike) => {
                let mut servers = strike(&mut bench);
                let finding = online(self.row, &bench);
                if let Some(thread) = servers.answering.take() {
                    thread.join().expect("served");
                }
                self.expect(&finding);
            }
        }
    }

    /// This row finds it, and no other but those that are named.
    fn judge_all(&self, facts: &Facts) {
        let rows = examine(facts, None);
        let own = (self.status >= Status::Warn).then_some((self.row, self.status));
        let expected: BTreeSet<(String, Status)> = own
            .into_iter()
            .chain(self.also)
            .map(|(row, status)| (row.to_owned(), status))
            .collect();
        let found: BTreeSet<(String, Status)> = found(&rows).into_iter().collect();
        assert_eq!(found, expected, "{}", text(&rows, Verdict::Fail));
        let own = rows.iter().find(|(check, _)| name(check) == self.row);
        self.expect(&own.expect("the row is there").1);
    }

    fn expect(&self, finding: &Finding) {
        let Self {
            row, status, says, ..
        } = self;
        assert_eq!(finding.status, *status, "{row}: {finding:?}");
        assert!(finding.detail.contains(says), "{row}, {says}: {finding:?}");
        let is_found = *status >= Status::Warn;
        assert_eq!(!finding.fix.is_empty(), is_found, "{row} says what to do");
    }
}

/// Serves one answer in the place of the exchange.
fn exchange_says(bench: &mut Bench, status: u16, body: impl Into<String>) -> Servers {
    let (at, thread) = fake::serve(vec![(status, body.into())]);
    bench.set("BTCTURK_BASE_URL", &format!("http://{at}"));
    Servers {
        answering: Some(thread),
        _exchange: None,
    }
}

/// Serves one answer in the place of the running process.
fn process_says(bench: &mut Bench, status: u16, body: &str) -> Servers {
    let (at, thread) = fake::serve(vec![(status, body.to_owned())]);
    bench.set("OBSERVABILITY_PROMETHEUS_PORT", &at.port().to_string());
    Servers {
        answering: Some(thread),
        _exchange: None,
    }
}

fn beside_an_exchange(bench: &mut Bench) -> Servers {
    Servers {
        answering: None,
        _exchange: Some(exchange(bench)),
    }
}

fn clock_off_by(bench: &mut Bench, ahead_ms: i64) -> Servers {
    let now = crate::clock::Clock::start().now().plus_ms(ahead_ms);
    let body = format!(r#"{{"serverTime":{},"serverTime2":"x"}}"#, now.ms());
    exchange_says(bench, 200, body)
}

/// An open order that somebody placed by hand.
const FOREIGN: &str = r#"{"data":{"asks":[],"bids":[{"id":7001,"price":"100000","amount":"0.01","quantity":"0.01",
    "stopPrice":"0","pairSymbol":"BTCTRY","pairSymbolNormalized":"BTC_TRY","type":"buy","method":"limit",
    "orderClientId":"by hand","time":1760000000000,"updateTime":1760000000000,"status":"Untouched",
    "leftAmount":"0.01"}]},"success":true,"message":null,"code":0}"#;

fn ask(bench: &mut Bench, phrase: &str) {
    bench.set("LIVE_TRADING", "true");
    bench.set("LIVE_TRADING_ACK", phrase);
}

fn aged(bench: &mut Bench, days: i64) {
    bench.live();
    bench.set("BTCTURK_SECRET_ROTATED_AT", &bench.day(days));
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A configuration file of somebody else: given away where that is allowed, looked at by somebody else where not.
fn foreign_file() -> Fault {
    const ROW: &str = "config/files";
    const SAYS: &str = "belongs to another user";
    if is_root() {
        let given_away = Strike::Place(|b| {
            b.write(HOST_FILE, "[log]\n", 0o644);
            let path = b.dir.path().join(HOST_FILE);
            std::os::unix::fs::chown(path, Some(STRANGER), None).expect("root may");
        });
        return fault(ROW, Status::Warn, SAYS, given_away);
    }
    let other_eyes = Strike::Kernel(|f| f.host.uid += 1);
    fault(ROW, Status::Warn, SAYS, other_eyes).also("state/directory", Status::Fail)
}

fn of_configuration() -> Vec<Fault> {
    use Status::{Fail, Ok, Skip, Warn};
    use Strike::Place;
    let open_dotenv = Place(|b| b.write(".env.live", "SAFE_MODE=true\n", 0o602));
    let group_dotenv = Place(|b| b.write(".env.live", "SAFE_MODE=true\n", 0o640));
    let unset = |b: &mut Bench| drop(b.env.remove(&OsString::from("MAX_SPREAD_BPS")));
    let unset_live = |b: &mut Bench| {
        b.live();
        b.env.remove(&OsString::from("MAX_SPREAD_BPS"));
    };
    let in_env = |b: &mut Bench| {
        b.set("BTCTURK_API_KEY", "k-1234-abcd");
        b.set("BTCTURK_API_SECRET", SECRET);
        b.set("BTCTURK_SECRET_ROTATED_AT", &b.day(1));
    };
    let open_keys = |b: &mut Bench| {
        b.live();
        b.keys(0o444);
    };
    let exposed = Place(|b| b.set("BTCBOT__OPS__ADDRESS", "0.0.0.0"));
    let ageless = |b: &mut Bench| {
        b.live();
        b.env.remove(&OsString::from("BTCTURK_SECRET_ROTATED_AT"));
    };
    vec![
        fault(
            "config/readable",
            Fail,
            "DRYRUN",
            Place(|b| b.set("DRYRUN", "true")),
        ),
        fault("config/warnings", Warn, ".env.live", open_dotenv).also("secrets/dotenv_mode", Warn),
        foreign_file(),
        fault("config/limits", Skip, "risk.max_spread_bps", Place(unset)),
        fault(
            "config/limits",
            Fail,
            "risk.max_spread_bps",
            Place(unset_live),
        ),
        fault(
            "policy/arming",
            Ok,
            "venue simulated: would not arm: ",
            Place(|_| ()),
        ),
        fault(
            "policy/arming",
            Ok,
            "venue live: would not arm: ",
            Place(Bench::live),
        ),
        fault(
            "policy/acknowledgement",
            Warn,
            "without LIVE_TRADING_ACK",
            Place(|b| ask(b, "")),
        ),
        fault(
            "policy/acknowledgement",
            Fail,
            "not the phrase",
            Place(|b| ask(b, "i understand")),
        ),
        fault(
            "secrets/present",
            Fail,
            "no complete key pair",
            Place(|b| b.set("DRY_RUN", "false")),
        ),
        fault(
            "secrets/scopes",
            Fail,
            "withdrawals",
            Place(|b| {
                b.set("BTCTURK_API_SCOPES", "read,trade,withdraw");
            }),
        ),
        fault(
            "secrets/scopes",
            Warn,
            "not declared",
            Place(|b| b.set("BTCTURK_API_SCOPES", "read")),
        ),
        fault("secrets/age", Warn, "80 %", Place(|b| aged(b, 80))),
        fault(
            "secrets/age",
            Fail,
            "beyond its greatest age",
            Place(|b| aged(b, 91)),
        ),
        fault("secrets/age", Fail, "nobody knows", Place(ageless)),
        fault(
            "secrets/file_mode",
            Warn,
            "others may read",
            Place(|b| b.keys(0o440)),
        ),
        fault(
            "secrets/file_mode",
            Fail,
            "others may read",
            Place(open_keys),
        ),
        fault("secrets/source", Warn, "process environment", Place(in_env)),
        fault("secrets/dotenv_mode", Warn, "open to others", group_dotenv),
        fault("observability/bind", Warn, "0.0.0.0", exposed).also("config/warnings", Warn),
        fault(
            "observability/exporter",
            Warn,
            "no metrics",
            Place(|b| {
                b.set("OBSERVABILITY_ENABLED", "false");
            }),
        ),
        fault(
            "network/proxy",
            Warn,
            "https_proxy",
            Place(|b| {
                b.set("https_proxy", "http://10.0.0.1");
            }),
        ),
    ]
}

fn of_machine() -> Vec<Fault> {
    use Status::{Fail, Warn};
    use Strike::{Kernel, Place};
    let swapped = |b: &mut Bench| {
        let (live, dry) = (b.journal(Venue::Live), b.journal(Venue::Dry));
        fs::copy(live, dry).expect("copied");
    };
    let lost = |b: &mut Bench| {
        b.live();
        fs::remove_file(b.journal(Venue::Live)).expect("removed");
    };
    let latched = |b: &mut Bench| fs::write(b.state().join("kill.latch"), "").expect("written");
    let empty = |b: &mut Bench| fs::write(b.journal(Venue::Dry), "").expect("written");
    let foreign = |b: &mut Bench| fs::write(b.journal(Venue::Dry), "SQLite").expect("written");
    vec![
        fault("policy/kill_latch", Fail, "latched", Place(latched)),
        fault(
            "clock/synchronised",
            Warn,
            "not been synchronised",
            Kernel(|f| {
                f.host.is_synchronised = Some(false);
            }),
        ),
        fault(
            "state/directory",
            Fail,
            "0755",
            Place(|b| b.mode(&b.state(), 0o755)),
        ),
        fault(
            "state/directory",
            Fail,
            "network file system",
            Kernel(|f| {
                f.host.is_network_disk = true;
            }),
        ),
        fault("state/journal", Fail, "btcbot.redb", Place(empty)),
        fault("state/journal", Fail, "btcbot.redb", Place(foreign)),
        fault("state/journal", Fail, "venue Live", Place(swapped)),
        fault("state/journal", Fail, "does not exist", Place(lost)),
        fault(
            "process/not_root",
            Warn,
            "running as root",
            Kernel(|f| f.host.is_root = true),
        ),
        fault(
            "process/descriptors",
            Warn,
            "256 open files",
            Kernel(|f| {
                f.host.open_files = Some(256);
            }),
        ),
        fault(
            "process/core_dumps",
            Warn,
            "core dumps are on",
            Kernel(|f| f.host.core_bytes = None),
        ),
        fault(
            "disk/space",
            Warn,
            "512 MiB",
            Kernel(|f| f.host.free_bytes = Some(512 << 20)),
        ),
        fault(
            "disk/space",
            Fail,
            "100 MiB",
            Kernel(|f| f.host.free_bytes = Some(100 << 20)),
        ),
        fault(
            "disk/space",
            Fail,
            "cannot be read",
            Kernel(|f| f.host.free_bytes = None),
        ),
        fault(
            "disk/writable",
            Fail,
            "cannot be written",
            Kernel(|f| f.host.is_writable = false),
        ),
    ]
}

fn of_outside() -> Vec<Fault> {
    use Status::{Fail, Ok, Warn};
    use Strike::Outside;
    vec![
        fault(
            "clock/offset",
            Fail,
            "ms ahead",
            Outside(|b| clock_off_by(b, 3_600_000)),
        ),
        fault(
            "clock/offset",
            Fail,
            "-3",
            Outside(|b| clock_off_by(b, -3_600_000)),
        ),
        fault(
            "clock/offset",
            Fail,
            "answer",
            Outside(|b| exchange_says(b, 503, "")),
        ),
        fault(
            "network/rest",
            Fail,
            "cannot connect to 127.0.0.1",
            Outside(|b| {
                b.set("BTCTURK_BASE_URL", &format!("http://{}", fake::nobody()));
                Servers::default()
            }),
        ),
        fault(
            "network/stream",
            Fail,
            "cannot connect to 127.0.0.1",
            Outside(|b| {
                b.set("BTCTURK_WS_URL", &format!("ws://{}", fake::nobody()));
                Servers::default()
            }),
        ),
        fault(
            "exchange/symbols",
            Warn,
            "NOSUCHTRY: the exchange does not know it",
            Outside(|b| {
                b.set("SYMBOLS", "BTCTRY,NOSUCHTRY");
                beside_an_exchange(b)
            }),
        ),
        fault(
            "exchange/symbols",
            Fail,
            "the exchange's answer",
            Outside(|b| exchange_says(b, 503, "")),
        ),
        fault(
            "account/private_read",
            Fail,
            "refuses the key",
            Outside(|b| {
                b.keys(0o400);
                beside_an_exchange(b)
            }),
        ),
        fault(
            "account/open_orders",
            Warn,
            "1 open, 1 of them not ours",
            Outside(|b| {
                b.keys(0o400);
                exchange_says(b, 200, FOREIGN)
            }),
        ),
        fault(
            "process/running",
            Fail,
            "/livez answers 503",
            Outside(|b| process_says(b, 503, "")),
        ),
        fault(
            "process/running",
            Warn,
            "does not hold this state",
            Outside(|b| process_says(b, 200, "")),
        ),
        fault(
            "observability/scrape",
            Fail,
            "1 samples, 1 unreadable",
            Outside(|b| process_says(b, 200, "btcbot_mode nonsense\n")),
        ),
        fault(
            "observability/scrape",
            Fail,
            "answers 404, 0 samples",
            Outside(|b| process_says(b, 404, "no such page\n")),
        ),
        fault(
            "observability/scrape",
            Ok,
            "1 samples",
            Outside(|b| process_says(b, 200, "btcbot_armed 0\n")),
        ),
    ]
}

fn every_fault() -> Vec<Fault> {
    let parts = [of_configuration(), of_machine(), of_outside()];
    parts.into_iter().flatten().collect()
}

#[test]
fn doctor_fault_injection_matrix() {
    // All of them, whatever the first one does: what each panic says stands above.
    let misjudged = |fault: &Fault| std::panic::catch_unwind(|| fault.judge()).is_err();
    let every = every_fault();
    let failed = every.iter().filter(|fault| misjudged(fault));
    let failed: Vec<(&str, &str)> = failed.map(|fault| (fault.row, fault.says)).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn every_row_of_the_doctor_is_broken_in_the_table() {
    let rows: BTreeSet<String> = CHECKS.iter().map(name).collect();
    assert_eq!(rows.len(), CHECKS.len(), "each name once");
    let broken: BTreeSet<String> = every_fault()
        .iter()
        .map(|fault| fault.row.to_owned())
        .collect();
    assert_eq!(rows, broken);
}

/// The anchor of a heading, as forges make it: small letters and digits, hyphens for spaces, nothing else.
fn anchor(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.collect()
}

#[test]
fn every_rows_link_leads_to_a_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for check in CHECKS {
        let (page, wanted) = check.docs.split_once('#').expect("a page and a heading");
        let text = fs::read_to_string(root.join(page)).expect(page);
        let mut headings = text.lines().filter(|line| line.starts_with('#'));
        let is_there = headings.any(|line| anchor(line) == wanted);
        assert!(is_there, "{}: {}", name(check), check.docs);
    }
}

/// Everything below a directory: names, modes, times and bytes.
fn listing(dir: &Path) -> Vec<(PathBuf, u32, SystemTime, Vec<u8>)> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).expect("ours") {
        let path = entry.expect("an entry").path();
        let meta = path.symlink_metadata().expect("it is there");
        let bytes = if meta.is_file() {
            fs::read(&path).expect("readable")
        } else {
            entries.extend(listing(&path));
            Vec::new()
        };
        let changed = meta.modified().expect("a time");
        entries.push((path, meta.permissions().mode(), changed, bytes));
    }
    entries.sort();
    entries
}

#[test]
fn the_doctor_changes_nothing_on_disk_and_only_reads_at_the_exchange() {
    for is_live in [false, true] {
        let mut bench = Bench::new();
        let exchange = exchange(&mut bench);
        if is_live {
            bench.live();
        }
        bench.example_keys();
        bench.set(
            "OBSERVABILITY_PROMETHEUS_PORT",
            &fake::nobody().port().to_string(),
        );
        let before = listing(bench.dir.path());
        assert!(before.len() > 5, "there is something to change");
        let probe = Probe::new(Duration::from_secs(10)).expect("a runtime");
        let rows = examine(&bench.facts(), Some(&probe));
        assert!(text(&rows, Verdict::Pass).contains("chain intact"));
        assert!(
            before == listing(bench.dir.path()),
            "the files are as they were"
        );
        let methods = exchange.methods();
        assert!(methods.len() > 3, "it asked: {methods:?}");
        assert!(methods.iter().all(|method| method == "GET"), "{methods:?}");
    }
}
