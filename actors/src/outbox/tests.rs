//! What a full queue keeps, and what a receiver gets.

use super::*;
use crate::cli::version::BUILD;
use engine::time::Timestamp;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};

const KEY: &str = "a key that opens nothing";

fn item(sequence: u64, severity: Severity) -> Item {
    Item {
        sequence,
        severity,
        body: String::new(),
    }
}

fn numbers(queue: &Queue) -> Vec<u64> {
    queue.items.iter().map(|item| item.sequence).collect()
}

#[test]
fn a_full_queue_drops_its_oldest_info_and_keeps_what_is_critical() {
    let mut queue = Queue::default();
    let max = ITEMS_MAX as u64;
    assert_eq!(queue.put(item(1, Severity::Critical)), None);
    for sequence in 2..=max {
        assert_eq!(queue.put(item(sequence, Severity::Info)), None);
    }
    assert_eq!(
        queue.put(item(max + 1, Severity::Critical)),
        Some(Severity::Info)
    );
    assert_eq!(
        queue.put(item(max + 2, Severity::Info)),
        Some(Severity::Info)
    );
    assert_eq!(queue.items.len(), ITEMS_MAX);
    let kept = numbers(&queue);
    assert_eq!(kept[..2], [1, 4]);
    assert_eq!(kept[ITEMS_MAX - 2..], [max + 1, max + 2]);
}

#[test]
fn a_queue_full_of_critical_events_keeps_the_first_ones() {
    let mut queue = Queue::default();
    let max = ITEMS_MAX as u64;
    for sequence in 1..=max {
        assert_eq!(queue.put(item(sequence, Severity::Critical)), None);
    }
    for severity in [Severity::Info, Severity::Critical] {
        assert_eq!(queue.put(item(max + 1, severity)), Some(severity));
    }
    assert_eq!(numbers(&queue), (1..=max).collect::<Vec<_>>());
    queue.done(1);
    assert_eq!(queue.put(item(max + 2, Severity::Info)), None);
}

fn key() -> HookKey {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("key");
    fs::write(&path, KEY).expect("writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("ours");
    HookKey::read(&path, rustix::process::geteuid().as_raw()).expect("a key")
}

fn open(listener: &TcpListener) -> Outbox {
    let address = listener.local_addr().expect("bound");
    let url = Endpoint::parse(
        config::endpoint::Scheme::Http,
        &format!("http://{address}/news"),
    );
    let hook = Hook {
        url: url.expect("an address"),
        key: Arc::new(key()),
    };
    let clock = Clock::manual(Timestamp(7_000_000));
    let metrics = Metrics::new(BUILD, &[], clock.now());
    let teller = Teller {
        run_id: "run".to_owned(),
        account: "acct".to_owned(),
    };
    Outbox::open(hook, metrics, clock, teller).expect("a thread")
}

/// One request: its head in lower case, and its body.
fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
            return Some((head, body.to_owned()));
        }
    }
}

/// Answers each request with the next status, then with 200, and hands the requests on.
fn receiver(
    listener: TcpListener,
    statuses: &'static [&'static str],
) -> Receiver<(String, String)> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.iter();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            while let Some(request) = request(&mut stream) {
                let status = statuses.next().copied().unwrap_or("200 OK");
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).expect("writable");
                if tell.send(request).is_err() {
                    return;
                }
            }
        }
    });
    told
}

#[test]
fn events_arrive_in_order_signed_and_again_after_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let open = open(&listener);
    // The first is tried twice, the second is not wanted and not repeated.
    let told = receiver(
        listener,
        &["503 Service Unavailable", "200 OK", "400 Bad Request"],
    );
    for name in ["start", "fill", "kill"] {
        open.tell(name, Severity::Info, json!({"price": "1"}));
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (head, body) = told
            .recv_timeout(std::time::Duration::from_secs(20))
            .expect("an event");
        let expected = format!("x-btcbot-signature: sha256={}", key().sign(body.as_bytes()));
        assert!(head.contains(&expected), "{head}");
        let event: Value = serde_json::from_str(&body).expect("one object");
        assert_eq!(event["schema"], "btcbot.event/v1");
        assert_eq!(event["id"], format!("run-{}", event["sequence"]));
        assert_eq!(event["account"], "acct");
        assert_eq!(event["at_us"], 7_000_000);
        seen.push(event["event"].as_str().expect("a name").to_owned());
    }
    assert_eq!(seen, ["start", "start", "fill", "kill"]);
    open.close();
}

#[test]
fn a_receiver_that_never_answers_costs_a_bounded_queue_and_no_kill() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let open = open(&listener);
    open.tell("kill", Severity::Critical, Value::Null);
    for number in 0..10 * ITEMS_MAX {
        open.tell("fill", Severity::Info, json!({"number": number}));
    }
    let long = "x".repeat(BODY_BYTES_MAX);
    open.tell("fill", Severity::Info, json!(long));
    let queue = open.shared.queue();
    let items = &queue.items;
    assert_eq!(items.len(), ITEMS_MAX);
    assert_eq!(items[0].severity, Severity::Critical);
    let bytes: usize = items.iter().map(|item| item.body.len()).sum();
    assert!(bytes <= 1 << 20, "{bytes} bytes wait");
    let last = &items[ITEMS_MAX - 1].body;
    assert!(last.contains("too_long"), "{last}");
    drop(queue);
    let shown = open.shared.metrics.render(Timestamp(7_000_000));
    let dropped = 10 * ITEMS_MAX + 2 - ITEMS_MAX;
    for line in [
        format!("btcbot_events_dropped_total{{severity=\"info\"}} {dropped}\n"),
        "btcbot_events_dropped_total{severity=\"critical\"} 0\n".to_owned(),
        format!("btcbot_events_queue_depth {ITEMS_MAX}\n"),
    ] {
        assert!(shown.contains(&line), "no {line}");
    }
    // It ends although nobody has answered.
    open.close();
}
