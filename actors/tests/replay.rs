//! `btcbot replay` from the outside: the built binary on recordings that the tests make, and on those of ../shared.
//!
//! The recordings are made by a small market of our own, so every figure that the command prints is known beforehand.

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// 2026-01-05 12:00 UTC.
const START_NS: i64 = 1_767_614_400_000_000_000;
const NS_PER_MS: i64 = 1_000_000;
/// Levels a side of the test market.
const DEPTH: i64 = 20;
const SECONDS: i64 = 300;
/// Enough for twice as many frames as a reader holds.
const LONG_SECONDS: i64 = 6_000;

type Window = BTreeMap<i64, String>;

/// A recording with what is in it.
#[derive(Default)]
struct Tape {
    lines: Vec<String>,
    frames: BTreeMap<String, u64>,
    level_changes: u64,
    full_books: u64,
    bids: Window,
    asks: Window,
    change: i64,
}

impl Tape {
    fn swinging() -> Self {
        Self::of(SECONDS)
    }

    /// A price that swings by half a percent, crossed by trades on both sides.
    fn of(seconds: i64) -> Self {
        let mut tape = Self::default();
        for second in 0..seconds {
            let at_ms = second * 1_000;
            tape.move_to(at_ms, mid(second));
            if second % 4 == 0 {
                tape.push(at_ms + 100, 402, ticker(mid(second)));
            }
            if second % 10 == 5 {
                tape.book(at_ms + 200, "orderbook");
            }
            let (offset, taker) = if second % 2 == 0 { (-90, 1) } else { (90, 0) };
            tape.push(at_ms + 300, 422, trade(at_ms, mid(second) + offset, taker));
        }
        tape
    }

    fn push(&mut self, at_ms: i64, kind: u16, mut body: Value) {
        body["type"] = json!(kind);
        *self.frames.entry(kind.to_string()).or_default() += 1;
        let ts_ns = START_NS + at_ms * NS_PER_MS;
        self.lines
            .push(json!({"ts_ns": ts_ns, "frame": [kind, body]}).to_string());
    }

    fn book(&mut self, at_ms: i64, channel: &str) {
        let row = |(price, amount): (&i64, &String)| json!({"P": price.to_string(), "A": amount});
        let bids: Vec<Value> = self.bids.iter().rev().map(row).collect();
        let asks: Vec<Value> = self.asks.iter().map(row).collect();
        self.full_books += 1;
        let body = json!({"CS": self.change, "PS": "BTCUSDT", "AO": asks, "BO": bids, "channel": channel,
            "event": "BTCUSDT"});
        self.push(at_ms, 431, body);
    }

    /// Sends the difference between the old window and the one around `mid`; the first time the whole of it.
    fn move_to(&mut self, at_ms: i64, mid: i64) {
        let bids = (1..=DEPTH)
            .map(|n| (mid - n, amount(mid - n, at_ms)))
            .collect();
        let asks = (1..=DEPTH)
            .map(|n| (mid + n, amount(mid + n, at_ms)))
            .collect();
        let (old_bids, old_asks) = (
            std::mem::replace(&mut self.bids, bids),
            std::mem::replace(&mut self.asks, asks),
        );
        self.change += 3;
        if old_bids.is_empty() {
            return self.book(at_ms, "obdiff");
        }
        let mut bid_rows = difference(&old_bids, &self.bids);
        bid_rows.reverse();
        let ask_rows = difference(&old_asks, &self.asks);
        self.level_changes += (bid_rows.len() + ask_rows.len()) as u64;
        let body = json!({"CS": self.change, "PS": "BTCUSDT", "AO": ask_rows, "BO": bid_rows, "channel": "obdiff",
            "event": "BTCUSDT"});
        self.push(at_ms, 432, body);
    }

    /// The hash of the book at the end, lines as `PRICE AMOUNT`, bids and then asks, best first.
    fn sha256(&self) -> String {
        let line = |(price, amount): (&i64, &String)| format!("{price} {amount}\n");
        let bids = self.bids.iter().rev().map(line);
        let text: String = bids.chain(self.asks.iter().map(line)).collect();
        let digest = Sha256::digest(text);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn text(&self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }
}

/// A triangle: down by 300 and up again, 30 seconds for each way.
fn mid(second: i64) -> i64 {
    let place = second % 60;
    60_000 - 10 * place.min(60 - place)
}

fn amount(price: i64, at_ms: i64) -> String {
    format!("0.{}", 10 + (price + at_ms / 1_000) % 89)
        .trim_end_matches('0')
        .to_owned()
}

/// Rows of a 432: entered, left with its last amount, changed.
fn difference(old: &Window, new: &Window) -> Vec<Value> {
    let mut rows = BTreeMap::new();
    for (price, amount) in old {
        if !new.contains_key(price) {
            rows.insert(*price, (3, amount));
        }
    }
    for (price, amount) in new {
        match old.get(price) {
            None => rows.insert(*price, (1, amount)),
            Some(before) if before != amount => rows.insert(*price, (0, amount)),
            Some(_) => None,
        };
    }
    rows.into_iter()
        .map(|(price, (change, amount))| json!({"CP": change, "P": price.to_string(), "A": amount}))
        .collect()
}

fn ticker(mid: i64) -> Value {
    json!({"B": (mid - 1).to_string(), "A": (mid + 1).to_string(), "LA": mid.to_string(), "PS": "BTCUSDT",
        "channel": "ticker", "event": "BTCUSDT"})
}

fn trade(at_ms: i64, price: i64, taker: i64) -> Value {
    let stamp = START_NS / NS_PER_MS + at_ms;
    json!({"D": stamp.to_string(), "I": "1", "A": "0.5", "P": price.to_string(), "PS": "BTCUSDT", "S": taker,
        "channel": "trade", "event": "BTCUSDT"})
}

fn btcbot(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_btcbot"))
        .arg("replay")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a name in UTF-8")
}

/// Runs with `--json` and returns the data of the one object that was printed.
fn replay(file: &Path, strategy: &str, more: &[&str]) -> Value {
    let mut args = vec![path(file), "--strategy", strategy, "--json"];
    args.extend(more);
    let output = btcbot(&args);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        text(&output.stderr)
    );
    let printed = text(&output.stdout);
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let answer: Value = serde_json::from_str(&printed).expect("one object");
    assert_eq!(answer["schema"], "btcbot.replay/v1");
    assert_eq!(answer["ok"], true);
    answer["data"].clone()
}

fn written(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let file = dir.path().join(name);
    std::fs::write(&file, bytes).expect("written");
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

fn dir() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn the_figures_are_those_of_the_recording_and_both_strategies_trade() {
    let (dir, tape) = (dir(), Tape::swinging());
    let file = written(&dir, "tape.ndjson", tape.text().as_bytes());
    for strategy in ["market_maker", "mean_reversion"] {
        let data = replay(&file, strategy, &[]);
        assert_eq!(data["complete"], true);
        assert_eq!(data["frames"], json!(tape.frames), "{strategy}");
        assert_eq!(data["lines"], json!(tape.lines.len()));
        assert_eq!(data["level_changes"], json!(tape.level_changes));
        let book = &data["book"];
        assert_eq!(book["bids"], json!(DEPTH));
        assert_eq!(book["asks"], json!(DEPTH));
        assert_eq!(book["sha256"], json!(tape.sha256()));
        assert_eq!(book["full_frames"], json!(tape.full_books - 1));
        for figure in ["mismatches", "crossed", "resyncs", "anomalies"] {
            assert_eq!(book[figure], 0, "{figure}");
        }
        for figure in ["buys", "sells", "intents", "orders"] {
            assert!(
                data[figure].as_u64() > Some(0),
                "{strategy} {figure}: {data}"
            );
        }
        assert_eq!(data["ledger_equals_venue"], true);
    }
}

#[test]
fn the_same_recording_gives_the_same_decisions_however_it_is_packed() {
    let (dir, tape) = (dir(), Tape::swinging());
    let plain = written(&dir, "tape.ndjson", tape.text().as_bytes());
    let packed = written(&dir, "tape.gz", &gzip(tape.text().as_bytes()));
    for strategy in ["market_maker", "mean_reversion"] {
        let hash =
            |file: &Path, more: &[&str]| replay(file, strategy, more)["decision_hash"].clone();
        let first = hash(&plain, &[]);
        assert_eq!(first.as_str().map(str::len), Some(64));
        assert_eq!(hash(&plain, &[]), first, "{strategy}");
        assert_eq!(hash(&packed, &[]), first, "{strategy}");
        assert_ne!(hash(&plain, &["--cash", "500"]), first, "{strategy}");
    }
}

#[test]
fn opening_and_rules_shape_the_run_and_are_printed_with_it() {
    let (dir, tape) = (dir(), Tape::swinging());
    let file = written(&dir, "tape.ndjson", tape.text().as_bytes());
    let data = replay(
        &file,
        "market_maker",
        &["--cash", "2500.50", "--coins", "1"],
    );
    // The first mid is 60000.
    assert_eq!(data["equity_start"], "62500.5");
    assert_eq!(data["parameters"]["cash"], "2500.5");
    assert_eq!(data["parameters"]["coins"], "1");
    assert_eq!(data["parameters"]["instruments"][0]["price_step"], "0.01");
    assert_eq!(data["parameters"]["fill_model"]["fee_taker_ppm"], 900);
    let rules = json!([{"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "is_trading": true,
        "has_limit_orders": true, "qty_scale": 3, "price_scale": 0, "has_fraction": true, "fee_in_base": false,
        "value_min": "25"}]);
    let rules = written(&dir, "rules.json", rules.to_string().as_bytes());
    let data = replay(&file, "market_maker", &["--rules", path(&rules)]);
    assert_eq!(data["parameters"]["instruments"][0]["qty_step"], "0.001");
    assert_eq!(data["parameters"]["instruments"][0]["value_min"], "25");
    let table = btcbot(&[path(&file), "--strategy", "market_maker"]);
    let table = text(&table.stdout);
    for row in ["fills", "equity", "decisions", "fill model"] {
        assert!(
            table.lines().any(|line| line.starts_with(row)),
            "{row}: {table}"
        );
    }
}

/// Expects exit 1, nothing on stdout, and a message with the file's name and these parts.
fn refused(file: &Path, parts: &[&str]) {
    let output = btcbot(&[path(file), "--json"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{parts:?}: {message}");
    assert_eq!(text(&output.stdout), "", "{parts:?}");
    assert!(message.contains(path(file)), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn a_corrupt_line_is_named_with_its_number_and_what_was_expected() {
    let (dir, tape) = (dir(), Tape::swinging());
    let stamp = |line: usize| -> i64 {
        let line: Value = serde_json::from_str(&tape.lines[line - 1]).expect("a line");
        line["ts_ns"].as_i64().expect("a stamp")
    };
    let check = |line: usize, bad: &[u8], parts: &[&str]| {
        let mut bytes = Vec::new();
        for (n, good) in tape.lines.iter().enumerate() {
            bytes.extend_from_slice(if n + 1 == line { bad } else { good.as_bytes() });
            bytes.push(b'\n');
        }
        let number = format!("line {line}:");
        let mut all = vec![number.as_str(), "expected"];
        all.extend(parts);
        for (name, bytes) in [("bad.ndjson", bytes.clone()), ("bad.gz", gzip(&bytes))] {
            refused(&written(&dir, name, &bytes), &all);
        }
    };
    check(1, b"not json", &["not JSON", "ts_ns"]);
    check(7, b"", &["an empty line"]);
    check(7, b"{\"ts_ns\":", &["ends too early"]);
    check(20, b"{}", &["missing"]);
    check(20, b"{\"ts_ns\":\"1\",\"frame\":[432,{}]}", &["wrong type"]);
    check(20, b"{\"ts_ns\":-1,\"frame\":[432,{}]}", &["negative"]);
    check(20, b"\xff\xfe{}", &["not UTF-8"]);
    let at = |line: usize, frame: &str| format!("{{\"ts_ns\":{},\"frame\":{frame}}}", stamp(line));
    check(33, at(33, "{}").as_bytes(), &["no type"]);
    check(33, at(33, "[432,{}]").as_bytes(), &["frame 432"]);
    check(33, at(33, "[432,[1]]").as_bytes(), &["frame 432"]);
    check(33, at(1, "[100,{}]").as_bytes(), &["is before"]);
    let late = format!("{{\"ts_ns\":{},\"frame\":[999,{{}}]}}", i64::MAX);
    check(33, late.as_bytes(), &["a day at most"]);
    let last = tape.lines.len();
    check(
        last,
        &tape.lines[last - 1].as_bytes()[..40],
        &["ends too early"],
    );
    check(last, &vec![b' '; 2 << 20], &["longer than"]);
}

#[test]
fn a_file_that_is_no_recording_says_why() {
    let (dir, tape) = (dir(), Tape::swinging());
    let whole = gzip(tape.text().as_bytes());
    refused(
        &dir.path().join("absent.ndjson"),
        &["cannot be read", "No such file"],
    );
    refused(dir.path(), &["cannot be read"]);
    refused(&written(&dir, "empty", b""), &["is empty", "expected"]);
    refused(&written(&dir, "empty.gz", &gzip(b"")), &["is empty"]);
    refused(
        &written(&dir, "image", b"\x89PNG\r\n\x1a\n\0"),
        &["line 1:", "expected"],
    );
    refused(
        &written(&dir, "cut.gz", &whole[..whole.len() / 2]),
        &["line ", "ends too early"],
    );
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    refused(&written(&dir, "damaged.gz", &damaged), &["line "]);
    let trades: Vec<&str> = tape
        .lines
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains("[422,"))
        .collect();
    refused(
        &written(&dir, "trades", trades.join("\n").as_bytes()),
        &["no order book", "431"],
    );
    let strange = tape.text().replace("BTCUSDT", "XYZUSDT");
    refused(
        &written(&dir, "strange", strange.as_bytes()),
        &["no rules for XYZUSDT", "--rules"],
    );
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let (dir, tape) = (dir(), Tape::swinging());
    let file = written(&dir, "tape.ndjson", tape.text().as_bytes());
    let check = |args: &[&str], part: &str| {
        let mut all = vec![path(&file)];
        all.extend(args);
        let output = btcbot(&all);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(message.contains(part), "{args:?}: {message}");
    };
    check(&["--strategy", "hodl"], "market_maker or mean_reversion");
    check(&["--cash", "1e5"], "plain decimal");
    check(&["--cash=-1"], "out of range");
    check(&["--coins", "99999999999999"], "out of range");
}

#[test]
fn an_interrupted_replay_prints_what_it_has() {
    let tape = Tape::of(LONG_SECONDS);
    let mut child = Command::new(env!("CARGO_BIN_EXE_btcbot"))
        .args([
            "replay",
            "/dev/stdin",
            "--strategy",
            "market_maker",
            "--json",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // More than pipe and reader hold: when it is written, decisions are being made and signals are heard.
    stdin.write_all(tape.text().as_bytes()).expect("read");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("delivered");
    // The same moment again and again, until nobody reads any longer.
    let stamp = START_NS + LONG_SECONDS * 1_000 * NS_PER_MS;
    let line = format!("{{\"ts_ns\":{stamp},\"frame\":[999,{{}}]}}\n");
    while stdin.write_all(line.as_bytes()).is_ok() {}
    let output = child.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["data"]["complete"], false);
    assert!(answer["data"]["lines"].as_u64() > Some(0), "{answer}");
}

/// A recording of ../shared; `None` with a note where the folder is absent.
fn shared(name: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(name);
    if !file.exists() {
        println!("skipped: {} is not here", file.display());
        return None;
    }
    Some(file)
}

#[test]
fn the_recording_with_full_books_agrees_with_every_one_of_them() {
    let Some(file) = shared("btcusdt_spot_60s_with_orderbook431.ndjson.gz") else {
        return;
    };
    for strategy in ["market_maker", "mean_reversion"] {
        let data = replay(&file, strategy, &[]);
        assert_eq!(
            data["frames"],
            json!({"402": 76, "422": 1380, "431": 77, "432": 5936})
        );
        assert_eq!(data["level_changes"], 18_236);
        let book = &data["book"];
        let figures = [
            ("bids", 100),
            ("asks", 100),
            ("full_frames", 76),
            ("mismatches", 0),
            ("resyncs", 0),
        ];
        for (name, figure) in figures {
            assert_eq!(book[name], figure, "{name}");
        }
        let sha256 = "5b5ee517e4d22ee1df33a3e3f856bfb3405af6216f33d4f640c9e70d07c8394f";
        assert_eq!(book["sha256"], sha256);
    }
}

#[test]
fn the_long_recording_ends_at_the_known_book_and_both_strategies_trade() {
    let Some(file) = shared("ethusdt_spot_fused.ndjson.gz") else {
        return;
    };
    for strategy in ["market_maker", "mean_reversion"] {
        let data = replay(&file, strategy, &[]);
        assert_eq!(
            data["frames"],
            json!({"402": 834, "422": 14515, "431": 1, "432": 65071})
        );
        assert_eq!(data["level_changes"], 213_155);
        let sha256 = "ee59961feb0544569f3ad321459254e41b4a86d7d4f8a21eaa7bfb21e2539da5";
        assert_eq!(data["book"]["sha256"], sha256);
        assert!(data["fills"].as_u64() >= Some(1), "{strategy}");
    }
}
