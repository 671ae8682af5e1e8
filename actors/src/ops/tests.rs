//! The plane over real sockets.

mod readiness;

use super::answer::HEADERS;
use super::*;
use crate::beats::Beat;
use crate::metrics::Build;
use crate::status::{Status, Vitals};
use engine::time::Timestamp;
use serde_json::Value;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Rig {
    address: SocketAddr,
    pictures: Pictures,
    clock: Clock,
}

async fn rig() -> Rig {
    let build = Build {
        version: "0",
        git_sha: "0",
        rustc: "0",
    };
    let clock = Clock::manual(START);
    let pictures = Pictures::default();
    let parts = PlaneParts {
        metrics: Some(Metrics::new(build, &[], START)),
        pictures: pictures.clone(),
        clock: clock.clone(),
        hosts: vec!["ops.internal".to_owned()],
    };
    let bound = bind(HERE, Port::Exact(0)).await.expect("a free port");
    let address = bound.address;
    tokio::spawn(serve(bound, parts));
    Rig {
        address,
        pictures,
        clock,
    }
}

impl Rig {
    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(bytes).await.expect("it reads");
        stream
    }

    /// Everything that comes back until the plane closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.send(bytes).await;
        let mut answer = Vec::new();
        // A connection that is cut in the middle of what was sent ends with an error, behind the answer.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn ask(&self, line: &str, host: &str) -> String {
        self.raw(format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())
            .await
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path}"), "127.0.0.1:9464").await
    }

    fn put(&self, ready: bool) {
        let check = |name, ok, seen: &str| Check {
            name,
            ok,
            seen: seen.to_owned(),
        };
        self.pictures.put(Picture {
            at: self.clock.now(),
            alive: vec![check("trade", true, "")],
            ready: vec![
                check("reconciled", true, ""),
                check("clock", ready, "4.2 s"),
            ],
            is_started: ready,
            progress: "replay 3/7".to_owned(),
            status: serde_json::json!({"mode": "NORMAL"}),
            ..Picture::default()
        });
    }
}

fn code(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}

#[tokio::test]
async fn health_follows_the_picture_and_an_old_picture_is_dead() {
    let rig = rig().await;
    assert_eq!(code(&rig.get("/livez").await), "503", "no picture yet");
    rig.put(false);
    assert_eq!(code(&rig.get("/livez").await), "200");
    let ready = rig.get("/readyz?verbose").await;
    assert_eq!(code(&ready), "503");
    assert!(
        ready.contains("[+]reconciled\n[-]clock: 4.2 s\nfailed\n"),
        "{ready}"
    );
    let startup = rig.get("/startupz").await;
    assert!(
        code(&startup) == "503" && startup.ends_with("replay 3/7\n"),
        "{startup}"
    );
    rig.put(true);
    assert!(rig.get("/readyz").await.ends_with("\r\n\r\nok\n"));
    assert_eq!(code(&rig.get("/startupz").await), "200");
    rig.clock.advance_ms(PICTURE_AGE_MS_MAX + 1);
    assert_eq!(code(&rig.get("/livez").await), "503");
    assert_eq!(code(&rig.get("/readyz").await), "503");
}

#[tokio::test]
async fn status_and_metrics_are_shown_with_the_headers_of_the_house() {
    let rig = rig().await;
    rig.put(true);
    rig.clock.advance_ms(500);
    let status = rig.get("/status").await;
    let (_, body) = status.split_once("\r\n\r\n").expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(
        (&body["schema"], &body["age_ms"], &body["mode"]),
        (
            &Value::from(STATUS_SCHEMA),
            &Value::from(500),
            &Value::from("NORMAL")
        )
    );
    let metrics = rig.get("/metrics").await;
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(
        metrics.contains("btcbot_http_requests_total{route=\"status\"} 1\n"),
        "{metrics}"
    );
    for answer in [status, metrics, rig.get("/nothing").await] {
        for (name, value) in HEADERS {
            assert!(
                answer.contains(&format!("{name}: {value}\r\n")),
                "{name} in {answer}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_but_reading_is_allowed() {
    let rig = rig().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = rig.ask(&format!("{method} /status"), "localhost").await;
        assert_eq!(code(&answer), "405", "{method}");
        assert!(answer.contains("allow: GET, HEAD\r\n"));
    }
    assert_eq!(code(&rig.ask("HEAD /metrics", "localhost").await), "200");
    assert_eq!(code(&rig.get("/nothing").await), "404");
}

#[tokio::test]
async fn only_our_own_names_are_answered() {
    let rig = rig().await;
    let check = async |host: &str, expected: &str| {
        assert_eq!(
            code(&rig.ask("GET /metrics", host).await),
            expected,
            "{host:?}"
        );
    };
    for host in [
        "127.0.0.1",
        "10.1.2.3:9464",
        "[::1]:9464",
        "localhost:1",
        "LOCALHOST",
        "ops.internal:9464",
    ] {
        check(host, "200").await;
    }
    for host in [
        "evil.test",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "",
        "ops.internal.evil.test",
    ] {
        check(host, "421").await;
    }
}

#[tokio::test]
async fn a_busy_port_is_an_error_or_falls_back_as_asked() {
    let holder = bind(HERE, Port::Exact(0)).await.expect("a free port");
    let port = holder.address.port();
    let error = bind(HERE, Port::Exact(port))
        .await
        .expect_err("it is taken");
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    let other = bind(HERE, Port::Preferred(port))
        .await
        .expect("another one");
    assert!(other.fell_back && other.address.port() != port);
    assert!(!holder.fell_back);
}

#[tokio::test]
async fn hostile_requests_are_refused() {
    let rig = rig().await;
    rig.put(true);
    let check = async |name: &str, request: String, expected: &str| {
        let answer = rig.raw(request.as_bytes()).await;
        assert_eq!(code(&answer), expected, "{name}: {answer}");
    };
    let get = |path: &str, headers: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
    };
    let many = "X-A: 1\r\n".repeat(HEADERS_MAX + 1);
    let huge = format!("X-A: {}\r\n", "a".repeat(2 * HEAD_BYTES_MAX));
    let long = "a".repeat(2 * HEAD_BYTES_MAX);
    check("a good one", get("/", ""), "200").await;
    check(
        "another site's name",
        "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n".to_owned(),
        "421",
    )
    .await;
    check("no name at all", "GET / HTTP/1.1\r\n\r\n".to_owned(), "421").await;
    check(
        "a name in the address",
        "GET http://evil.test/ HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "421",
    )
    .await;
    check(
        "a change",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi".to_owned(),
        "405",
    )
    .await;
    check(
        "an invented method",
        "KILL /status HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "405",
    )
    .await;
    check(
        "a body",
        format!("{}hi", get("/status", "Content-Length: 2\r\n")),
        "413",
    )
    .await;
    check(
        "a body in chunks",
        format!(
            "{}2\r\nhi\r\n0\r\n\r\n",
            get("/", "Transfer-Encoding: chunked\r\n")
        ),
        "413",
    )
    .await;
    check("a long header", get("/", &huge), "431").await;
    check("many headers", get("/", &many), "431").await;
    check("a long path", get(&format!("/{long}"), ""), "431").await;
    check("an unknown path", get("/admin", ""), "404").await;
    check("a way up", get("/../../etc/passwd", ""), "404").await;
    check("an encoded way up", get("/%2e%2e/app.css", ""), "404").await;
    check("no HTTP", "\x16\x03\x01 hello\r\n\r\n".to_owned(), "400").await;
    check(
        "HTTP/2 without a warning",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "",
    )
    .await;
    check(
        "an upgrade",
        get("/status", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
        "200",
    )
    .await;
    check(
        "two questions",
        format!("{}{}", get("/livez", ""), get("/livez", "")),
        "200",
    )
    .await;
}

#[tokio::test]
async fn head_answers_without_a_body_on_every_route() {
    let rig = rig().await;
    rig.put(true);
    for path in [
        "/", "/status", "/metrics", "/livez", "/app.css", "/app.js", "/events",
    ] {
        let answer = rig.ask(&format!("HEAD {path}"), "localhost").await;
        assert_eq!(code(&answer), "200", "{path}");
        assert!(answer.ends_with("\r\n\r\n"), "{path}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_question_is_not_waited_for() {
    let rig = rig().await;
    for part in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: "] {
        // Time runs as soon as nobody can move; it ends when the plane hangs up, or never.
        let answer = rig.raw(part.as_bytes()).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{part:?}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_connection_too_many_takes_the_place_of_the_longest_silent_one() {
    let rig = rig().await;
    rig.put(true);
    let mut silent = Vec::new();
    for place in 0..CONNECTIONS_MAX {
        let part: &[u8] = if place % 2 == 0 {
            b""
        } else {
            b"GET / HTTP/1.1\r\nX-A: "
        };
        silent.push(rig.send(part).await);
    }
    // Long before the silent ones are hung up on.
    let answer = tokio::time::timeout(HEAD_TIME_MAX / 2, rig.get("/livez")).await;
    let answer = answer.expect("every place is taken, and it is answered at once");
    assert_eq!(code(&answer), "200");
    let mut oldest = silent.remove(0);
    let ended = oldest.read(&mut [0]).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    let mut latest = silent.pop().expect("one of many");
    let rest = b"a\r\nHost: localhost\r\n\r\n";
    latest.write_all(rest).await.expect("it is still there");
    let answer = heard(&mut latest, "\r\n\r\n").await;
    assert_eq!(code(&answer), "200", "the others kept their places");
}

#[tokio::test]
async fn whoever_has_asked_keeps_its_place_however_many_come_behind() {
    let rig = rig().await;
    rig.put(true);
    let mut stream = rig
        .send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    heard(&mut stream, "</footer>").await;
    let mut crowd = Vec::new();
    for _ in 0..3 * CONNECTIONS_MAX {
        crowd.push(rig.send(b"GET").await);
    }
    assert_eq!(code(&rig.get("/readyz").await), "200");
    rig.clock.advance_ms(1_000);
    rig.put(true);
    heard(
        &mut stream,
        &format!("data-taken=\"{}\"", rig.clock.now().0),
    )
    .await;
}

/// Reads until a text has come.
async fn heard(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut chunk = [0; 4_096];
    while !text.contains(wanted) {
        let count = stream.read(&mut chunk).await.expect("it goes on");
        assert!(count > 0, "ended before {wanted:?}: {text}");
        text.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    text
}

#[tokio::test]
async fn a_stream_sends_each_newer_picture_and_one_stream_too_many_is_told_so() {
    let rig = rig().await;
    rig.put(true);
    let question = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        let mut stream = rig.send(question).await;
        let first = heard(&mut stream, "</footer>").await;
        assert!(
            first.contains("content-type: text/event-stream\r\n"),
            "{first}"
        );
        assert!(first.contains("event: picture\ndata: <header"), "{first}");
        streams.push(stream);
    }
    let refused = rig.get("/events").await;
    assert_eq!(code(&refused), "503");
    assert_eq!(
        code(&rig.get("/").await),
        "200",
        "the page itself is there for everybody"
    );
    rig.clock.advance_ms(1_000);
    rig.put(true);
    let taken = format!("data-taken=\"{}\"", rig.clock.now().0);
    for stream in &mut streams {
        heard(stream, &taken).await;
    }
    // A reader that has gone is found out by the next picture, and its place is free.
    streams.clear();
    let mut again = String::new();
    for _ in 0..100 {
        rig.clock.advance_ms(1_000);
        rig.put(true);
        let mut stream = rig.send(question).await;
        again = heard(&mut stream, "\r\n\r\n").await;
        if code(&again) == "200" {
            break;
        }
    }
    assert_eq!(code(&again), "200");
}

#[tokio::test]
async fn a_thread_that_stands_still_is_seen_by_livez_before_the_watchdog_ends_the_process() {
    let rig = rig().await;
    let check = async |who: Beat, age_ms: i64, expected: &str| {
        let vitals = Vitals {
            beats: vec![(Beat::Main, 20), (who, age_ms)],
            gate: Vec::new(),
        };
        rig.pictures
            .put(Status::default().picture(rig.clock.now(), &vitals));
        let answer = rig.get("/livez").await;
        assert_eq!(code(&answer), expected, "{who:?} {age_ms} ms old: {answer}");
        assert_eq!(answer.contains(who.as_str()), expected == "503", "{answer}");
    };
    check(Beat::Trade, 3_000, "200").await;
    check(Beat::Trade, 3_001, "503").await;
    check(Beat::Rest, 9_999, "503").await;
    check(Beat::Killer, 3_001, "503").await;
    // These wait for the disk, which a restart does not mend.
    check(Beat::Journal, 9_000, "200").await;
    check(Beat::Journal, 10_001, "503").await;
    check(Beat::Keeper, 10_001, "503").await;
    check(Beat::Control, 10_001, "503").await;
}

#[tokio::test]
async fn charts_are_told_to_who_asks_for_them() {
    let rig = rig().await;
    rig.put(true);
    let body = async |path: &str| {
        let answer = rig.get(path).await;
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str::<Value>(body).expect("JSON")
    };
    assert!(body("/status").await.get("charts").is_none());
    assert!(body("/status?charts").await["charts"].is_object());
}
