//! Over real sockets on the loopback: what only bytes can show.

use crate::support::*;
use btcbot_simulator::server::{RequestLog, Server};
use btcbot_simulator::venue::EXAMPLE_KEY;
use engine::time::Timestamp;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::future::Future;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Ends a test that hangs; no test measures time.
const GUARD: Duration = Duration::from_secs(60);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Runs a test against a server of its own.
fn with_server<F: Future<Output = ()>>(
    settings: &[&str],
    log: RequestLog,
    test: impl FnOnce(Arc<Server>) -> F,
) {
    let options = options(settings);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Arc::new(Server::start(addr, &options, log).await.unwrap());
        tokio::time::timeout(GUARD, test(Arc::clone(&server)))
            .await
            .expect("the test ends");
        Arc::into_inner(server)
            .expect("the test gave the server back")
            .stop()
            .await;
    });
}

async fn open(server: &Server) -> Socket {
    connect_async(server.ws_url()).await.unwrap().0
}

async fn frame(socket: &mut Socket) -> (u64, Value) {
    loop {
        if let Message::Text(text) = socket.next().await.expect("open").unwrap() {
            let frame: Value = serde_json::from_str(&text).unwrap();
            return (frame[0].as_u64().unwrap(), frame[1].clone());
        }
    }
}

async fn until(socket: &mut Socket, wanted: u64) -> Value {
    loop {
        let (kind, body) = frame(socket).await;
        if kind == wanted {
            return body;
        }
    }
}

fn client() -> reqwest::Client {
    // The same provider for every test; the second one finds it installed.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Sends a signed request and returns status and body.
async fn send(
    server: &Server,
    request: reqwest::RequestBuilder,
) -> Result<(u16, String), reqwest::Error> {
    let now: Timestamp = server.inspect(|venue| venue.exchange().now());
    let headers = signer(EXAMPLE_KEY).rest_headers(now.ms());
    let signed = headers
        .expose()
        .into_iter()
        .fold(request, |request, (name, value)| {
            request.header(name, value)
        });
    let answer = signed
        .header("Content-Type", "application/json")
        .send()
        .await?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await?))
}

async fn place(server: &Server, client_id: &str) -> Result<(u16, String), reqwest::Error> {
    let body = server.inspect(|venue| far_body(venue, client_id));
    let url = format!("{}/api/v1/order", server.rest_url());
    send(server, client().post(url).body(body)).await
}

#[test]
fn a_join_is_followed_by_a_full_book_and_differences() {
    with_server(&[], RequestLog::none(), async |server| {
        let mut socket = open(&server).await;
        assert_eq!(frame(&mut socket).await.0, 991);
        socket
            .send(Message::text(crate::books::join("obdiff", "BTCTRY", true)))
            .await
            .unwrap();
        assert_eq!(frame(&mut socket).await.0, 100);
        let (kind, full) = frame(&mut socket).await;
        assert_eq!((kind, full["AO"].as_array().unwrap().len()), (431, 100));
        let (kind, diff) = frame(&mut socket).await;
        assert_eq!(kind, 432);
        assert!(diff["CS"].as_i64() > full["CS"].as_i64());
    });
}

#[test]
fn an_order_over_http_is_told_to_its_account_only_and_can_be_cancelled() {
    with_server(&[], RequestLog::none(), async |server| {
        let (mut mine, mut other) = (open(&server).await, open(&server).await);
        let now = server.inspect(|venue| venue.exchange().now());
        for (socket, key) in [(&mut mine, EXAMPLE_KEY), (&mut other, OTHER_KEY)] {
            let login = signer(key).ws_login(now.ms());
            socket
                .send(Message::text(login.expose().to_owned()))
                .await
                .unwrap();
            assert_eq!(until(socket, 114).await["ok"], true);
        }
        let (status, body) = place(&server, "over-http").await.unwrap();
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_str(&body).unwrap();
        let id = answer["data"]["id"].as_i64().unwrap();
        assert_eq!(until(&mut mine, 451).await["id"], id);

        let url = format!("{}/api/v1/order", server.rest_url());
        let in_body = client().delete(&url).body(format!(r#"{{"id":{id}}}"#));
        let (status, body) = send(&server, in_body).await.unwrap();
        assert_eq!(status, 400);
        assert!(body.contains("1052"));
        let in_query = client().delete(format!("{url}?id={id}"));
        assert_eq!(send(&server, in_query).await.unwrap().0, 200);
        let deleted = until(&mut mine, 452).await;
        assert_eq!(deleted["newOrderClientId"], "over-http");

        // Whatever was to be told to the other account would have been queued before this answer.
        other
            .send(Message::text(crate::books::join("trade", "BTCTRY", true)))
            .await
            .unwrap();
        assert_eq!(frame(&mut other).await.0, 100);
    });
}

#[test]
fn a_lost_reply_is_a_broken_connection_and_the_order_exists() {
    with_server(&["reply_lost=1"], RequestLog::none(), async |server| {
        let error = place(&server, "lost").await.unwrap_err();
        assert!(error.is_request(), "{error:?}");
        assert_eq!(server.inspect(|venue| venue.exchange().submits("lost")), 1);
    });
    with_server(&["request_lost=1"], RequestLog::none(), async |server| {
        assert!(place(&server, "lost").await.is_err());
        assert_eq!(server.inspect(|venue| venue.exchange().submits("lost")), 0);
    });
}

#[test]
fn a_quota_refusal_says_how_long_to_wait_and_closes() {
    with_server(&["rest_429=1"], RequestLog::none(), async |server| {
        let answer = client()
            .get(format!("{}/api/v2/ticker", server.rest_url()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["connection"], "close");
    });
}

#[test]
fn the_sixteenth_handshake_gets_429() {
    with_server(&[], RequestLog::none(), async |server| {
        for _ in 0..15 {
            open(&server).await;
        }
        match connect_async(server.ws_url()).await {
            Err(Error::Http(answer)) => {
                assert_eq!(answer.status(), 429);
                assert_eq!(answer.headers()["retry-after"], "60");
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_reader_that_stops_reading_is_reset_and_the_others_go_on() {
    let settings = ["send_buffer_bytes=65536", "ws_messages_per_s=1000000"];
    with_server(&settings, RequestLog::none(), async |server| {
        let (mut slow, mut quick) = (open(&server).await, open(&server).await);
        quick
            .send(Message::text(crate::books::join("obdiff", "BTCTRY", true)))
            .await
            .unwrap();
        for symbol in [
            "BTCTRY", "ETHTRY", "SOLTRY", "BTCUSDT", "ETHUSDT", "AAVETRY",
        ] {
            for channel in ["obdiff", "orderbook", "trade", "ticker"] {
                slow.send(Message::text(crate::books::join(channel, symbol, true)))
                    .await
                    .unwrap();
            }
        }
        // Each join is answered with a full book: more than the kernel's buffers and the server's together.
        let mut is_cut = false;
        for _ in 0..20_000 {
            if slow
                .send(Message::text(crate::books::join("obdiff", "BTCTRY", true)))
                .await
                .is_err()
            {
                is_cut = true;
                break;
            }
            tokio::task::yield_now().await;
        }
        if !is_cut {
            while server.inspect(|venue| venue.connections()) > 1 {
                tokio::task::yield_now().await;
            }
        }
        until(&mut quick, 431).await;
        until(&mut quick, 432).await;
        assert_eq!(server.inspect(|venue| venue.connections()), 1);
    });
}

#[test]
fn a_reset_ends_without_a_close_frame() {
    with_server(&["ws_reset=1"], RequestLog::none(), async |server| {
        let mut socket = open(&server).await;
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(_))) => panic!("a close frame"),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    });
}

/// Bytes that several owners can look at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_request_log_names_orders_and_keeps_no_signature() {
    let sink = Shared::default();
    with_server(&[], RequestLog::to(sink.clone()), async |server| {
        place(&server, "logged").await.unwrap();
        let url = format!("{}/api/v1/order?id=7", server.rest_url());
        send(&server, client().delete(url)).await.unwrap();
    });
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["method"], &lines[0]["path"]),
        (&"POST".into(), &"/api/v1/order".into())
    );
    assert_eq!(
        (&lines[0]["client_id"], &lines[0]["status"]),
        (&"logged".into(), &200.into())
    );
    assert!(lines[0]["accepted_order_id"].as_i64().unwrap() > 27_000_000_000);
    assert_eq!(
        (&lines[1]["path"], &lines[1]["status"]),
        (&"/api/v1/order?id=7".into(), &400.into())
    );
    assert!(!text.contains(EXAMPLE_KEY));
}

#[test]
fn stopping_ends_open_sockets_and_frees_the_port() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start(addr, &options(&[]), RequestLog::none())
            .await
            .unwrap();
        let addr = server.local_addr();
        let mut socket = open(&server).await;
        server.stop().await;
        let ended = async { while let Some(Ok(_)) = socket.next().await {} };
        tokio::time::timeout(GUARD, ended)
            .await
            .expect("the socket ends");
        let again = Server::start(addr, &options(&[]), RequestLog::none()).await;
        again.expect("the port is free").stop().await;
    });
}
