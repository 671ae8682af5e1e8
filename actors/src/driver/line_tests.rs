//! The line over real TLS, and what it does while it has nothing to send.

use super::*;
use crate::gate::{Flag, GateOwner};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HOST;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate for `localhost`, valid from 2020 to 2120, and its key: made for this test, trusted by nothing else.
const CERTIFICATE: &[&str] = &[
    "MIIBYjCCAQigAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtidGNib3QgdGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8y",
    "MTIwMDEwMTAwMDAwMFowFjEUMBIGA1UEAwwLYnRjYm90IHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATJ9GbO1T54",
    "ztzMfvVRddZhNbAoB/RW4DJ6TnAo5xkQT1P3cKBJg+b87W3/oiZSuUZhWQ0fLEvY2FFQOI+dMLlto0UwQzAUBgNVHREEDTAL",
    "gglsb2NhbGhvc3QwDAYDVR0TAQH/BAIwADAdBgNVHQ4EFgQUaNKcnwG9sVLyKysBwV17cSytI74wCgYIKoZIzj0EAwIDSAAw",
    "RQIhAOV1dGwH2UM8ACqxJglfCMMkxiGMhIVn4+dI013WQbTMAiAxIUgD9m64WKuxTFdovBIOe3+shrocbBS8yAywCeFdDw==",
];
const KEY: &[&str] = &[
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTMBGZYJySq92+AhRCmlbwTUays84ehBpKtDiKt6Nm5ChRANC",
    "AATJ9GbO1T54ztzMfvVRddZhNbAoB/RW4DJ6TnAo5xkQT1P3cKBJg+b87W3/oiZSuUZhWQ0fLEvY2FFQOI+dMLlt",
];
const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

fn der(parts: &[&str]) -> Vec<u8> {
    STANDARD
        .decode(parts.concat())
        .expect("the constants are Base64")
}

fn acceptor() -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der(KEY)));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring serves TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(der(CERTIFICATE))], key)
        .expect("certificate and key belong together");
    TlsAcceptor::from(Arc::new(config))
}

/// The house's configuration, with the test's certificate in place of the public roots.
fn trusting() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(der(CERTIFICATE)))
        .expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring serves TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

struct Rig {
    owner: GateOwner,
    gate: Gate,
    clock: Clock,
    line: Line,
    connections: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

async fn answer(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, bytes: &AtomicU64) {
    let mut chunk = [0; 4096];
    while let Ok(n) = stream.read(&mut chunk).await {
        bytes.fetch_add(n as u64, Ordering::SeqCst);
        if n == 0 || stream.write_all(REPLY).await.is_err() {
            return;
        }
    }
}

async fn rig(scheme: &str, host: &str, tls: Arc<ClientConfig>) -> Rig {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (connections, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (seen, read) = (Arc::clone(&connections), Arc::clone(&bytes));
    let is_tls = scheme == "https";
    let serve = async move |stream: TcpStream| {
        if is_tls {
            if let Ok(stream) = acceptor().accept(stream).await {
                answer(stream, &read).await;
            }
        } else {
            answer(stream, &read).await;
        }
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            serve(stream).await;
        }
    });
    let owner = GateOwner::new();
    let gate = owner.gate();
    let clock = Clock::manual(START);
    let limits = LineLimits {
        connect: Duration::from_secs(10),
        reply: Duration::from_secs(10),
        look: Duration::from_millis(1),
    };
    let endpoint = Endpoint::parse(&format!("{scheme}://{host}:{port}")).expect("an endpoint");
    let line = Line::new(endpoint, tls, gate.clone(), clock.clone(), limits);
    let rig = Rig {
        owner,
        gate,
        clock,
        line,
        connections,
        bytes,
    };
    rig.open();
    rig
}

impl Rig {
    fn open(&self) {
        for flag in Flag::ALL {
            self.owner
                .lower(flag, self.gate.serial())
                .expect("nothing is raised");
        }
    }

    fn permit(&self) -> Permit {
        Permit {
            pass: self.gate.pass().expect("the gate is open"),
            expires_at: self.clock.now().plus_ms(250),
        }
    }

    async fn post(&mut self, permit: Permit) -> Result<u16, PostError> {
        let make = || {
            let request = Request::post("/x").header(HOST, "localhost");
            Ok(request
                .body(Full::new(Bytes::from_static(b"{}")))
                .expect("a request"))
        };
        self.line.post(permit, make).await.map(|reply| reply.status)
    }

    fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn over_tls_the_gate_is_asked_before_the_first_byte_as_well() {
    let mut rig = rig("https", "localhost", trusting()).await;
    let permit = rig.permit();
    assert_eq!(rig.post(permit).await, Ok(200));
    let before = rig.bytes.load(Ordering::SeqCst);
    assert!(before > 0);
    let permit = rig.permit();
    rig.gate.raise(Flag::Kill);
    let closed = Err(PostError::NotSent(NotSent::GateClosed));
    assert_eq!(rig.post(permit).await, closed);
    assert_eq!(rig.bytes.load(Ordering::SeqCst), before);
    rig.open();
    let permit = rig.permit();
    rig.clock.advance_ms(251);
    assert_eq!(
        rig.post(permit).await,
        Err(PostError::NotSent(NotSent::Expired))
    );
    assert_eq!(rig.bytes.load(Ordering::SeqCst), before);
    let permit = rig.permit();
    assert_eq!(rig.post(permit).await, Ok(200), "the line goes on");
}

#[tokio::test]
async fn a_certificate_that_no_root_covers_is_not_sent_to() {
    let mut rig = rig("https", "localhost", crate::driver::tls::client_config()).await;
    let permit = rig.permit();
    let failed = Err(PostError::NotSent(NotSent::ConnectFailed));
    assert_eq!(rig.post(permit).await, failed);
    assert_eq!(rig.bytes.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_open_gate_warms_the_line_and_a_shut_one_does_not() {
    let mut rig = rig("http", "127.0.0.1", trusting()).await;
    rig.gate.raise(Flag::Safe);
    rig.line.idle().await;
    assert!(rig.line.conn.is_none());
    rig.open();
    rig.line.idle().await;
    assert!(rig.line.conn.is_some());
    let permit = rig.permit();
    assert_eq!(rig.post(permit).await, Ok(200));
    assert_eq!(rig.connections(), 1, "the warm connection was used");
}

#[tokio::test]
async fn a_connection_that_idled_too_long_is_replaced_before_it_is_used() {
    let mut rig = rig("http", "127.0.0.1", trusting()).await;
    rig.line.idle().await;
    rig.clock.advance_ms(IDLE_MS_MAX + 1);
    rig.line.idle().await;
    assert!(rig.line.conn.is_none());
    rig.line.idle().await;
    let permit = rig.permit();
    assert_eq!(rig.post(permit).await, Ok(200));
    assert_eq!(rig.connections(), 2);
}

/// A connection on which the far side has said `text` and gone, before any request was made.
async fn left_with(text: &'static [u8]) -> (Line, Conn, Permit) {
    let rig = rig("http", "127.0.0.1", trusting()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.write_all(text).await.expect("open");
    });
    let endpoint = Endpoint::parse(&format!("http://127.0.0.1:{port}")).expect("loopback");
    let opened = endpoint.connect(&trusting(), Duration::from_secs(10)).await;
    let (wire, meter) = opened.expect("it listens");
    wire.readable().await.expect("the far side speaks or goes");
    let conn = rig
        .line
        .shake(wire, meter)
        .await
        .expect("no bytes are needed");
    let permit = rig.permit();
    (rig.line, conn, permit)
}

#[tokio::test]
async fn what_arrives_before_the_request_is_not_its_answer() {
    for text in [&b""[..], REPLY, b"HTTP/1.1 408 Request Timeout\r\n\r\n"] {
        let (mut line, conn, permit) = left_with(text).await;
        let mut make = || {
            let request = Request::post("/x").header(HOST, "localhost");
            Ok(request.body(Full::new(Bytes::new())).expect("a request"))
        };
        let result = line.try_post(conn, permit, &mut make).await;
        let failed = PostError::NotSent(NotSent::ConnectFailed);
        assert_eq!(result.map(|reply| reply.status), Err(failed), "{text:?}");
    }
}
