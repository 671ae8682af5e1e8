//! Lines as a collector sees them.

use super::lines::Line;
use super::*;
use std::io::Write;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard};
use tracing::{error, info, info_span, warn};

const START: Timestamp = Timestamp::from_ms(1_700_000_000_123);

/// A target that can be looked at.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("no panic")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(is_pretty: bool, levels: Levels, act: impl FnOnce()) -> Vec<String> {
    let page = Page::default();
    let lines = Lines::start(page.clone(), Clock::manual(START), LINES_MAX);
    let layer = LogLayer {
        clock: Clock::manual(START),
        filter: Filter::default(),
        run_id: "run-1".to_owned(),
        is_pretty,
        lines: lines.clone(),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(levels.targets()));
    tracing::subscriber::with_default(subscriber, act);
    lines.flush();
    let text = String::from_utf8(page.text().clone()).expect("lines are text");
    text.lines().map(str::to_owned).collect()
}

fn json_of(act: impl FnOnce()) -> Vec<String> {
    logged(false, Levels::default(), act)
}

#[test]
fn a_line_is_json_with_the_fixed_fields_first_and_typed_values() {
    let lines = json_of(|| {
        info!(
            event = "order_sent",
            n = 3,
            ok = true,
            side = "buy",
            "sent {}",
            1
        )
    });
    assert_eq!(
        lines,
        [concat!(
            r#"{"ts":"2023-11-14T22:13:20.123000Z","level":"INFO","event":"order_sent","msg":"sent 1","#,
            r#""run_id":"run-1","target":"actors::logging::tests","n":3,"ok":true,"side":"buy"}"#
        )]
    );
}

#[test]
fn log_context_never_erases_event_fields() {
    let lines = json_of(|| {
        let around = info_span!("cycle", symbol = "BTCTRY", cycle_id = 7, run_id = "outer");
        let _around = around.enter();
        let inner = info_span!("order", symbol = "ETHTRY");
        let _inner = inner.enter();
        info!(
            event = "a",
            symbol = "SOLTRY",
            ts = 5,
            level = "own",
            target = "t",
            "m"
        );
        info!(event = "b", "m");
    });
    let parse = |line: &String| serde_json::from_str::<Value>(line).expect("JSON");
    let (first, second) = (parse(&lines[0]), parse(&lines[1]));
    assert_eq!(
        (&first["symbol"], &first["cycle_id"]),
        (&Value::from("SOLTRY"), &Value::from(7))
    );
    assert_eq!(first["level"], "INFO");
    assert_eq!(
        (&first["ts_"], &first["level_"]),
        (&Value::from(5), &Value::from("own"))
    );
    assert_eq!(
        (&second["symbol"], &second["run_id"]),
        (&Value::from("ETHTRY"), &Value::from("outer"))
    );
}

#[test]
fn what_has_no_value_is_absent() {
    let lines = json_of(|| {
        info!(
            event = "a",
            order_id = None::<u64>,
            empty = tracing::field::Empty
        )
    });
    assert!(
        !lines[0].contains("order_id") && !lines[0].contains("empty"),
        "{}",
        lines[0]
    );
    assert!(
        !lines[0].contains("null") && !lines[0].contains("\"msg\""),
        "{}",
        lines[0]
    );
}

#[test]
fn secrets_are_masked_in_fields_and_messages() {
    let lines = json_of(|| {
        info!(
            event = "a",
            api_key = "k3y",
            "asked with X-Signature: s1g and token=t0k"
        );
        error!(event = "b", detail = r#"{"apiSecret":"s3c","n":1}"#, "m");
    });
    let text = lines.join("\n");
    for hidden in ["k3y", "s1g", "t0k", "s3c"] {
        assert!(!text.contains(hidden), "{text}");
    }
}

#[test]
fn each_target_has_its_level() {
    let levels = Levels {
        own: Level::WARN,
        ..Levels::default()
    };
    let lines = logged(false, levels, || {
        info!(event = "own_info", "m");
        warn!(event = "own_warn", "m");
        info!(target: "reqwest::connect", event = "client_info", "m");
        info!(target: "hyper::proto", event = "transport_info", "m");
        warn!(target: "hyper::proto", event = "transport_warn", "m");
        info!(target: "somebody", event = "other_info", "m");
    });
    let events: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["event"].clone())
        .collect();
    assert_eq!(events, ["own_warn", "client_info", "transport_warn"]);
}

#[test]
fn the_pretty_form_is_one_line_for_people() {
    let lines = logged(true, Levels::default(), || {
        info!(event = "order_sent", n = 3, "two\nlines")
    });
    assert_eq!(lines, ["22:13:20.123 INFO  order_sent two lines n=3"]);
}

/// A reader that does not read until it is let go.
struct Stuck(std::sync::mpsc::Receiver<()>, Page);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stopped_reader_costs_counted_lines_and_never_a_wait() {
    const SENT: u64 = 50;
    let (go, stop) = channel();
    let page = Page::default();
    let lines = Lines::start(Stuck(stop, page.clone()), Clock::manual(START), 8);
    for _ in 0..SENT {
        lines.put(Entry {
            at: START,
            key: None,
            line: "x\n".to_owned(),
        });
    }
    let dropped = lines.dropped();
    assert!(dropped >= SENT - 9, "{dropped}");
    drop(go);
    let (done, is_done) = std::sync::mpsc::sync_channel(1);
    lines
        .send
        .send(Line::Flush(done))
        .expect("the thread lives");
    is_done.recv().expect("everything before was written");
    let written = page.text().iter().filter(|byte| **byte == b'x').count() as u64;
    assert_eq!(written + dropped, SENT);
}

#[test]
fn a_storm_of_one_error_is_eleven_lines_and_the_last_one_carries_the_last_fields() {
    let lines = json_of(|| {
        for n in 0..500 {
            error!(event = "request_failed", actor = "feed", n, "try {n}");
        }
        error!(event = "request_failed", actor = "book", "another actor");
    });
    assert_eq!(lines.len(), 12, "{lines:?}");
    let last = lines.last().expect("not empty");
    let parsed: Value = serde_json::from_str(last).expect("JSON");
    let seen = ["n", "msg", "repeated"].map(|name| parsed[name].clone());
    let expected = [Value::from(499), Value::from("try 499"), Value::from(490)];
    assert_eq!(seen, expected, "{last}");
}

#[test]
fn what_a_line_is_about_stands_before_what_it_says() {
    let lines = json_of(|| {
        info!(
            event = "a",
            n = 1,
            mode = "NORMAL",
            symbol = "BTCTRY",
            b = 2,
            cycle_id = "c1"
        )
    });
    let tail = r#""cycle_id":"c1","symbol":"BTCTRY","mode":"NORMAL","n":1,"b":2}"#;
    assert!(lines[0].ends_with(tail), "{}", lines[0]);
}
