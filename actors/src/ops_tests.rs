//! The plane over real sockets.

use super::*;
use crate::metrics::Build;
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
    async fn ask(&self, line: &str, host: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .await
            .expect("it answers");
        answer
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
