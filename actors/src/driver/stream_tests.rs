//! The stream against a real WebSocket server on loopback.

use super::*;
use crate::metrics::Build;
use btcturk::sign::Signer;
use engine::time::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const KEY: &str = "11111111-2222-3333-4444-555555555555";
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const TRADE: &str = r#"[422,{"D":"1700000000000","I":"100163785191","A":"0.5","P":"1000000","PS":"BTCTRY","S":0,"channel":"trade","event":"BTCTRY","type":422}]"#;

type Server = WebSocketStream<TcpStream>;

pub(crate) fn parts(url: &str) -> StreamParts {
    let signer = Signer::new(KEY.into(), &SECRET.into()).expect("the pair signs");
    let build = Build {
        version: "0",
        git_sha: "0",
        rustc: "0",
    };
    StreamParts {
        endpoint: Endpoint::parse(url).expect("loopback"),
        tls: crate::driver::tls::client_config(),
        keys: Keys::from(Arc::new(signer)),
        clock: Clock::manual(START),
        metrics: Metrics::new(build, &[], START),
        connect_time_max: Duration::from_secs(10),
    }
}

/// Opens a session against a server that does what `act` says.
async fn session_with<F: Future<Output = ()> + Send>(
    act: impl FnOnce(Server) -> F + Send + 'static,
) -> (Stream, Metrics) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        act(accept_async(stream).await.expect("a handshake")).await;
    });
    let parts = parts(&format!("ws://127.0.0.1:{port}"));
    let metrics = parts.metrics.clone();
    (Stream::open(parts), metrics)
}

async fn rest(stream: &mut Stream) -> Vec<FeedIn> {
    let mut values = Vec::new();
    while let Some(value) = stream.next().await {
        values.push(value);
    }
    values
}

fn pair() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

#[tokio::test]
async fn frames_come_in_order_and_the_end_is_reported_once() {
    let (mut stream, metrics) = session_with(|mut server| async move {
        for text in [
            r#"[991,{"type":991,"current":"5.1.0","min":"2.3.0"}]"#,
            TRADE,
            "nonsense",
        ] {
            server.send(Message::text(text)).await.expect("open");
        }
        server
            .send(Message::binary(vec![1, 2, 3]))
            .await
            .expect("open");
        server.close(None).await.expect("open");
    })
    .await;
    let values = rest(&mut stream).await;
    assert!(
        matches!(
            &values[..],
            [
                FeedIn::Connected,
                FeedIn::Version,
                FeedIn::Market(MarketEvent::Trade(_)),
                FeedIn::Unreadable,
                FeedIn::Unreadable,
                FeedIn::Disconnected,
            ]
        ),
        "{values:?}"
    );
    let text = metrics.render(START);
    assert!(text.contains("btcbot_ws_frames_total{type=\"unreadable\"} 2\n"));
    assert!(text.contains("btcbot_ws_up 0\n"));
}

#[tokio::test]
async fn a_frame_that_drips_in_is_heard_when_it_is_whole_and_not_before() {
    let (tell, told) = oneshot::channel();
    let (finish, finished) = oneshot::channel::<()>();
    let (mut stream, _) = session_with(|mut server| async move {
        // Text, whole, unmasked, with a length of two bytes.
        let length = u16::try_from(TRADE.len()).expect("a short frame");
        let mut frame = vec![0x81, 126];
        frame.extend(length.to_be_bytes());
        frame.extend(TRADE.bytes());
        let (last, drips) = frame.split_last().expect("some bytes");
        for drip in drips {
            server.get_mut().write_all(&[*drip]).await.expect("open");
        }
        tell.send(()).expect("the test listens");
        finished.await.expect("the test goes on");
        server.get_mut().write_all(&[*last]).await.expect("open");
        server.close(None).await.expect("open");
    })
    .await;
    assert_eq!(stream.next().await, Some(FeedIn::Connected));
    told.await.expect("all but one byte is written");
    assert!(stream.frames.try_recv().is_err(), "no sign of life");
    finish.send(()).expect("the server waits");
    let values = rest(&mut stream).await;
    assert!(
        matches!(
            &values[..],
            [FeedIn::Market(MarketEvent::Trade(_)), FeedIn::Disconnected]
        ),
        "{values:?}"
    );
}

#[tokio::test]
async fn a_close_that_names_a_service_restart_is_declared_maintenance() {
    let check = async |code: CloseCode, expected: FeedIn| {
        let (mut stream, _) = session_with(move |mut server| async move {
            let reason = "".into();
            let close = server.close(Some(CloseFrame { code, reason }));
            close.await.expect("open");
        })
        .await;
        let values = rest(&mut stream).await;
        assert_eq!(values, [FeedIn::Connected, expected]);
    };
    let restart = FeedIn::Declined(Declined::Maintenance);
    check(CloseCode::Restart, restart).await;
    check(CloseCode::Away, FeedIn::Disconnected).await;
}

#[tokio::test]
async fn commands_are_written_as_frames() {
    let (tell, told) = oneshot::channel();
    let (mut stream, _) = session_with(|mut server| async move {
        let mut texts = Vec::new();
        while let Some(Ok(message)) = server.next().await {
            if let Message::Text(text) = message {
                texts.push(text.to_string());
            }
        }
        tell.send(texts).expect("the test listens");
    })
    .await;
    assert_eq!(stream.next().await, Some(FeedIn::Connected));
    for command in [
        Command::Join(Channel::Diff, pair()),
        Command::Leave(Channel::Trade, pair()),
        Command::Login,
        Command::Close,
    ] {
        stream.command(command).expect("room");
    }
    assert_eq!(rest(&mut stream).await, [FeedIn::Disconnected]);
    let texts = told.await.expect("the server ends");
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(
        texts[0].contains("obdiff") && texts[0].contains("\"join\":true"),
        "{}",
        texts[0]
    );
    assert!(
        texts[1].contains("trade") && texts[1].contains("\"join\":false"),
        "{}",
        texts[1]
    );
    assert!(
        texts[2].starts_with("[114,") && texts[2].contains(KEY),
        "a login"
    );
    assert!(
        stream.command(Command::Login).is_err(),
        "the session is gone"
    );
}

#[tokio::test]
async fn an_oversized_frame_ends_the_session() {
    let (mut stream, _) = session_with(|mut server| async move {
        let long = format!("\"{}\"", "x".repeat(FRAME_BYTES_MAX));
        let _ = server.send(Message::text(long)).await;
        while server.next().await.is_some_and(|message| message.is_ok()) {}
    })
    .await;
    assert_eq!(
        rest(&mut stream).await,
        [FeedIn::Connected, FeedIn::Disconnected]
    );
}

#[tokio::test]
async fn a_ping_is_answered_and_is_no_frame() {
    let (tell, told) = oneshot::channel();
    let (mut stream, _) = session_with(|mut server| async move {
        server
            .send(Message::Ping(vec![7].into()))
            .await
            .expect("open");
        let answer = server.next().await;
        tell.send(matches!(answer, Some(Ok(Message::Pong(_)))))
            .expect("the test listens");
    })
    .await;
    assert_eq!(
        rest(&mut stream).await,
        [FeedIn::Connected, FeedIn::Disconnected]
    );
    assert!(told.await.expect("the server ends"));
}

#[tokio::test]
async fn a_slow_reader_loses_nothing() {
    const COUNT: usize = 3 * FRAMES_MAX;
    let (mut stream, _) = session_with(|mut server| async move {
        for _ in 0..COUNT {
            server.send(Message::text(TRADE)).await.expect("open");
        }
        server.close(None).await.expect("open");
    })
    .await;
    // Reads nothing until the queue must have filled: every frame has to be there all the same.
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let values = rest(&mut stream).await;
    let trades = values
        .iter()
        .filter(|value| matches!(value, FeedIn::Market(_)));
    assert_eq!(trades.count(), COUNT);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_only_disconnected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let mut stream = Stream::open(parts(&format!("ws://127.0.0.1:{port}")));
    assert_eq!(rest(&mut stream).await, [FeedIn::Disconnected]);
}
