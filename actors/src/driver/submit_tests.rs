//! The order port against a raw socket that counts every byte and every request head.

use super::*;
use crate::gate::{Flag, GateOwner};
use btcturk::sign::Signer;
use engine::answer::Refusal;
use engine::dice::Dice;
use engine::ids::{AccountTag, BootTag, OrderId, Symbol};
use engine::intent::{BookStamp, Intent, IntentClass, IntentReason, StrategyKind};
use engine::market::Side;
use engine::money::{Amount, Price, Qty};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const KEY: &str = "11111111-2222-3333-4444-555555555555";
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What the far side does with one request.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Answers and keeps the connection.
    Accept,
    /// Answers and closes at once.
    AcceptAndClose,
    /// Answers with these bytes and closes.
    Say(&'static str),
    /// Accepts, writes that many bytes of the answer and closes.
    AcceptAndCut(usize),
    /// Reads and never answers.
    Mute,
}

/// What the far side saw.
#[derive(Debug, Default)]
struct Seen {
    connections: AtomicU64,
    bytes: AtomicU64,
    heads: Mutex<Vec<String>>,
    ids: Mutex<Vec<String>>,
    reads: AtomicU64,
}

struct Rig {
    owner: GateOwner,
    gate: Gate,
    clock: Clock,
    port: SubmitPort,
    reports: mpsc::UnboundedReceiver<Submitted>,
    seen: Arc<Seen>,
}

fn order(seq: u64) -> NewOrder {
    let intent = Intent {
        strategy: StrategyKind::MeanReversion,
        symbol: Symbol::parse("BTCTRY").expect("a pair"),
        side: Side::Buy,
        qty: Qty::parse("0.001").expect("a quantity"),
        limit: Price::parse("1000000").expect("a price"),
        class: IntentClass::Entry,
        reason: IntentReason::MeanReversionBuy,
        at: START,
        book: BookStamp::default(),
        mid: Price::parse("1000100").expect("a price"),
        cycle: 1,
    };
    NewOrder {
        client_id: ClientId::new(
            AccountTag::from_entropy(1),
            1,
            BootTag::from_entropy(2),
            seq,
        ),
        intent,
        reserved: Amount::ZERO,
        fee_in_base: false,
    }
}

fn accepted(client_id: &str) -> String {
    let body = format!(
        r#"{{"data":{{"id":77,"quantity":"0.001","price":"1000000","stopPrice":null,"newOrderClientId":"{client_id}","type":"buy","method":"limit","pairSymbol":"BTCTRY","pairSymbolNormalized":"BTC_TRY","datetime":1700000000001}},"success":true,"message":"SUCCESS","code":0}}"#
    );
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one request and returns its client id; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream, seen: &Seen) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        seen.bytes.fetch_add(n as u64, Ordering::SeqCst);
        seen.reads.fetch_add(1, Ordering::SeqCst);
        text.extend_from_slice(&chunk[..n]);
        let shown = String::from_utf8_lossy(&text);
        if let Some((head, body)) = shown.split_once("\r\n\r\n")
            && body.ends_with('}')
        {
            seen.heads.lock().expect("no panic").push(head.to_owned());
            let (_, tail) = body.split_once("newOrderClientId\":\"")?;
            let id = tail.split('"').next()?.to_owned();
            seen.ids.lock().expect("no panic").push(id.clone());
            return Some(id);
        }
    }
}

async fn serve(listener: TcpListener, seen: Arc<Seen>, act: impl Fn(u64) -> Act) {
    let served = AtomicU64::new(0);
    while let Ok((mut stream, _)) = listener.accept().await {
        seen.connections.fetch_add(1, Ordering::SeqCst);
        while let Some(id) = read_request(&mut stream, &seen).await {
            let written = match act(served.fetch_add(1, Ordering::SeqCst)) {
                Act::Accept => stream
                    .write_all(accepted(&id).as_bytes())
                    .await
                    .map(|()| true),
                Act::AcceptAndClose => stream
                    .write_all(accepted(&id).as_bytes())
                    .await
                    .map(|()| false),
                Act::Say(text) => stream.write_all(text.as_bytes()).await.map(|()| false),
                Act::AcceptAndCut(at) => stream
                    .write_all(&accepted(&id).as_bytes()[..at])
                    .await
                    .map(|()| false),
                Act::Mute => std::future::pending().await,
            };
            if !written.unwrap_or(false) {
                break;
            }
        }
    }
}

impl Rig {
    async fn new(act: impl Fn(u64) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let seen = Arc::new(Seen::default());
        tokio::spawn(Box::pin(serve_boxed(
            listener,
            Arc::clone(&seen),
            Box::new(act),
        )));
        Self::on(port, seen)
    }

    fn on(port: u16, seen: Arc<Seen>) -> Self {
        let owner = GateOwner::new();
        let gate = owner.gate();
        let clock = Clock::manual(START);
        let signer = Signer::new(KEY.into(), &SECRET.into()).expect("the pair signs");
        let parts = PortParts {
            tls: crate::driver::tls::client_config(),
            keys: Keys::from(Arc::new(signer)),
            stamps: StampSource::new(clock.clone()),
            gate: gate.clone(),
            clock: clock.clone(),
            pace: crate::driver::pace::Shared::default(),
            limits: LineLimits {
                connect: Duration::from_secs(5),
                reply: Duration::from_millis(300),
                ..LineLimits::default()
            },
        };
        let (send, reports) = mpsc::unbounded_channel();
        let armed = Armed::for_loopback(&format!("http://127.0.0.1:{port}")).expect("loopback");
        let report = move |done| {
            let _ = send.send(done);
        };
        let port = SubmitPort::start(armed, parts, report).expect("loopback");
        let rig = Self {
            owner,
            gate,
            clock,
            port,
            reports,
            seen,
        };
        rig.open();
        rig
    }

    fn open(&self) {
        for flag in Flag::ALL {
            self.owner
                .lower(flag, self.gate.serial())
                .expect("nothing is raised");
        }
    }

    fn hand_in(&self, seq: u64) {
        let expires_at = self.clock.now().plus_ms(250);
        self.port
            .enqueue(order(seq), expires_at, self.clock.now().plus_ms(5_000));
    }

    async fn outcome(&mut self) -> SubmitOutcome {
        self.reports
            .recv()
            .await
            .expect("every approval is reported")
            .outcome
    }

    async fn submit(&mut self, seq: u64) -> SubmitOutcome {
        self.hand_in(seq);
        self.outcome().await
    }

    fn heads(&self) -> usize {
        self.seen.heads.lock().expect("no panic").len()
    }

    fn bytes(&self) -> u64 {
        self.seen.bytes.load(Ordering::SeqCst)
    }
}

async fn serve_boxed(listener: TcpListener, seen: Arc<Seen>, act: Box<dyn Fn(u64) -> Act + Send>) {
    serve(listener, seen, act).await;
}

const ACCEPTED: SubmitOutcome = SubmitOutcome::Accepted(OrderId(77));

#[tokio::test]
async fn an_approved_order_is_posted_once_signed_in_one_write() {
    let mut rig = Rig::new(|_| Act::Accept).await;
    assert_eq!(rig.submit(1).await, ACCEPTED);
    assert_eq!(rig.submit(2).await, ACCEPTED);
    let heads = rig.seen.heads.lock().expect("no panic").clone();
    assert_eq!(heads.len(), 2);
    assert!(
        heads[0].starts_with("POST /api/v1/order HTTP/1.1\r\n"),
        "{}",
        heads[0]
    );
    let lower = heads[0].to_lowercase();
    for name in [
        "host: 127.0.0.1:",
        "x-pck: ",
        "x-stamp: 1700000000000",
        "x-signature: ",
    ] {
        assert!(lower.contains(name), "{name} in {lower}");
    }
    assert!(
        heads[1].to_lowercase().contains("x-stamp: 1700000000001"),
        "stamps are unique"
    );
    assert_eq!(
        rig.seen.connections.load(Ordering::SeqCst),
        1,
        "the connection is kept"
    );
    assert_eq!(
        rig.seen.reads.load(Ordering::SeqCst),
        2,
        "head and body leave together"
    );
}

#[tokio::test]
async fn a_closed_gate_lets_not_one_byte_out() {
    let mut rig = Rig::new(|_| Act::Accept).await;
    rig.gate.raise(Flag::Safe);
    assert_eq!(
        rig.submit(1).await,
        SubmitOutcome::NotSent(NotSent::GateClosed)
    );
    assert_eq!(rig.bytes(), 0);
}

#[tokio::test]
async fn x_01_a_gate_that_closed_and_opened_while_the_order_waited_stops_it() {
    let mut rig = Rig::new(|_| Act::Accept).await;
    rig.hand_in(1);
    // The task has not run yet: this thread is the runtime.
    rig.gate.raise(Flag::Kill);
    rig.open();
    assert_eq!(
        rig.outcome().await,
        SubmitOutcome::NotSent(NotSent::GateClosed)
    );
    assert_eq!(rig.bytes(), 0);
    assert_eq!(rig.submit(2).await, ACCEPTED);
}

#[tokio::test]
async fn x_01_a_gate_that_closes_on_a_warm_line_stops_the_next_order() {
    let mut rig = Rig::new(|_| Act::Accept).await;
    assert_eq!(rig.submit(1).await, ACCEPTED);
    let before = rig.bytes();
    rig.hand_in(2);
    rig.gate.raise(Flag::Kill);
    assert_eq!(
        rig.outcome().await,
        SubmitOutcome::NotSent(NotSent::GateClosed)
    );
    assert_eq!((rig.bytes(), rig.heads()), (before, 1));
}

#[tokio::test]
async fn x_11_an_expired_permit_and_a_late_stamp_are_not_sent() {
    let mut rig = Rig::new(|_| Act::Accept).await;
    rig.hand_in(1);
    rig.clock.advance_ms(251);
    assert_eq!(
        rig.outcome().await,
        SubmitOutcome::NotSent(NotSent::Expired)
    );
    let now = rig.clock.now();
    rig.port
        .enqueue(order(2), now.plus_ms(250), now.plus_ms(-1));
    assert_eq!(
        rig.outcome().await,
        SubmitOutcome::NotSent(NotSent::Expired)
    );
    assert_eq!(rig.bytes(), 0);
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let mut rig = Rig::on(port, Arc::default());
    assert_eq!(
        rig.submit(1).await,
        SubmitOutcome::NotSent(NotSent::ConnectFailed)
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_proves_nothing_is_unknown_and_nothing_is_repeated() {
    let size = crate::driver::line::REPLY_BYTES_MAX + 1;
    let long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{}",
        "x".repeat(size)
    );
    let cases = [
        ("", UnknownCause::ConnectionLost),
        (
            "HTTP/1.1 200 OK\r\nContent-Le",
            UnknownCause::ConnectionLost,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"data\"",
            UnknownCause::ConnectionLost,
        ),
        ("nonsense\r\n\r\n", UnknownCause::ConnectionLost),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            UnknownCause::Ambiguous,
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}",
            UnknownCause::Ambiguous,
        ),
        (
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            UnknownCause::Unexpected,
        ),
        (long.leak(), UnknownCause::Ambiguous),
    ];
    for (text, cause) in cases {
        let mut rig = Rig::new(move |_| Act::Say(text)).await;
        assert_eq!(
            rig.submit(1).await,
            SubmitOutcome::Unknown(cause),
            "{text:?}"
        );
        assert_eq!(
            (rig.heads(), rig.seen.connections.load(Ordering::SeqCst)),
            (1, 1),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn silence_is_unknown_after_the_time_limit_and_the_line_is_replaced() {
    let mut rig = Rig::new(|n| if n == 0 { Act::Mute } else { Act::Accept }).await;
    assert_eq!(
        rig.submit(1).await,
        SubmitOutcome::Unknown(UnknownCause::Timeout)
    );
    assert_eq!(rig.heads(), 1);
}

#[tokio::test]
async fn a_quota_answer_holds_the_line_for_as_long_as_it_says() {
    const QUOTA: &str = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 81\r\n\r\n{\"success\":false,\"message\":\"TOO_MANY_REQUESTS\",\"code\":429,\"data\":null,\"extra\":\"\"}";
    let mut rig = Rig::new(|n| if n == 0 { Act::Say(QUOTA) } else { Act::Accept }).await;
    rig.hand_in(1);
    let first = rig.reports.recv().await.expect("a report");
    assert_eq!(first.outcome, SubmitOutcome::Rejected(Refusal::RateLimited));
    assert_eq!(
        (first.status, first.retry_after_ms),
        (Some(429), Some(2_000))
    );
    assert_eq!(
        rig.submit(2).await,
        SubmitOutcome::NotSent(NotSent::RateLimited)
    );
    assert_eq!(rig.heads(), 1);
    rig.clock.advance_ms(2_000);
    assert_eq!(rig.submit(3).await, ACCEPTED);
}

#[tokio::test]
async fn beyond_lane_and_quota_orders_are_refused_and_each_is_reported_once() {
    let mut rig = Rig::new(|_| Act::Accept).await;
    let many = LANE_MAX as u64 + 3;
    for seq in 0..many {
        rig.hand_in(seq);
    }
    let mut ids = std::collections::BTreeSet::new();
    let mut accepted = 0;
    for _ in 0..many {
        let report = rig
            .reports
            .recv()
            .await
            .expect("every approval is reported");
        ids.insert(report.client_id.to_string());
        match report.outcome {
            ACCEPTED => accepted += 1,
            other => assert_eq!(other, SubmitOutcome::NotSent(NotSent::RateLimited)),
        }
    }
    assert_eq!(
        (ids.len() as u64, accepted),
        (many, 8),
        "ten a second, of which we use eight"
    );
    assert_eq!(rig.heads(), 8);
}

#[test]
fn an_order_that_waits_when_the_runtime_dies_is_reported_not_sent() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let dying = runtime();
    let mut rig = dying.block_on(Rig::new(|_| Act::Mute));
    rig.hand_in(1);
    drop(dying);
    let after = runtime();
    let no_port = SubmitOutcome::NotSent(NotSent::NoPort);
    assert_eq!(after.block_on(rig.outcome()), no_port);
    assert_eq!(after.block_on(rig.submit(2)), no_port);
}

#[tokio::test]
async fn each_of_500_orders_is_posted_exactly_once_while_idle_connections_close_at_random() {
    const ORDERS: u64 = 500;
    let dice = Mutex::new(Dice::new(7));
    let act = move |_| match dice.lock().expect("no panic").between(0, 2) {
        0 => Act::AcceptAndClose,
        _ => Act::Accept,
    };
    let mut rig = Rig::new(act).await;
    let mut accepted = 0;
    for seq in 0..ORDERS {
        rig.clock.advance_ms(250);
        match rig.submit(seq).await {
            SubmitOutcome::Accepted(_) => accepted += 1,
            // Written into a connection that was already closing: its fate is honestly unknown.
            SubmitOutcome::Unknown(UnknownCause::ConnectionLost) => {}
            other => panic!("order {seq}: {other:?}"),
        }
        if seq % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(accepted > ORDERS * 9 / 10, "{accepted} accepted");
    let heads = rig.heads() as u64;
    assert!(
        accepted <= heads && heads <= ORDERS,
        "{heads} heads for {ORDERS} orders"
    );
    let ids = rig.seen.ids.lock().expect("no panic").clone();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "no order left twice");
}

/// Reads that many bytes of a request and closes; counts connections.
async fn cut_requests(listener: TcpListener, at: usize, connections: Arc<AtomicU64>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let mut read = vec![0; at];
        let _ = stream.read_exact(&mut read).await;
    }
}

#[tokio::test]
async fn post_is_sent_at_most_once_per_client_id() {
    let whole = accepted(&order(1).client_id.to_string()).len();
    for at in 0..=whole {
        let mut rig = Rig::new(move |_| Act::AcceptAndCut(at)).await;
        let expected = if at < whole {
            SubmitOutcome::Unknown(UnknownCause::ConnectionLost)
        } else {
            ACCEPTED
        };
        assert_eq!(rig.submit(1).await, expected, "answer cut at {at}");
        let connections = rig.seen.connections.load(Ordering::SeqCst);
        assert_eq!((rig.heads(), connections), (1, 1), "answer cut at {at}");
    }
    for at in [0, 1, 40, 300] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let connections = Arc::new(AtomicU64::new(0));
        tokio::spawn(cut_requests(listener, at, Arc::clone(&connections)));
        let mut rig = Rig::on(port, Arc::new(Seen::default()));
        let lost = SubmitOutcome::Unknown(UnknownCause::ConnectionLost);
        assert_eq!(rig.submit(1).await, lost, "request cut at {at}");
        assert_eq!(connections.load(Ordering::SeqCst), 1, "request cut at {at}");
    }
}

#[tokio::test]
async fn redirect_never_forwards_a_signed_request() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let target = elsewhere.local_addr().expect("bound");
        let text = format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: http://{target}/api/v1/order\r\nContent-Length: 0\r\n\r\n"
        );
        let text: &'static str = text.leak();
        let mut rig = Rig::new(move |_| Act::Say(text)).await;
        let outcome = rig.submit(1).await;
        assert_eq!(outcome, SubmitOutcome::Unknown(UnknownCause::Unexpected));
        assert_eq!(rig.heads(), 1, "{status}");
        let visit = tokio::time::timeout(Duration::ZERO, elsewhere.accept()).await;
        assert!(visit.is_err(), "{status} was followed");
    }
}
