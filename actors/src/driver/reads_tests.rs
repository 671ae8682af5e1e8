//! The reading client against a scripted HTTP server on loopback.

use super::*;
use crate::metrics::Build;
use axum::Router;
use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::StatusCode;
use axum::response::Response;
use btcturk::sign::Signer;
use std::sync::atomic::{AtomicUsize, Ordering};

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const KEY: &str = "11111111-2222-3333-4444-555555555555";
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

type Script = fn(usize, &str) -> Response;

pub(crate) struct Rig {
    pub(crate) reads: Reads,
    pub(crate) clock: Clock,
    metrics: Metrics,
    asked: Arc<Mutex<Vec<String>>>,
}

pub(crate) fn answer(status: u16, body: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let response = Response::builder()
        .status(status)
        .header("Retry-After", "2");
    response
        .body(Body::from(body.to_owned()))
        .expect("a response")
}

fn data(rows: &str) -> Response {
    answer(
        200,
        &format!(r#"{{"data":{rows},"success":true,"message":null,"code":0}}"#),
    )
}

fn order(id: i64) -> String {
    format!(
        r#"{{"id":{id},"price":"100","amount":"2","quantity":"2","stopPrice":"0","pairSymbol":"BTCTRY","pairSymbolNormalized":"BTC_TRY","type":"sell","method":"limit","orderClientId":"x","time":0,"updateTime":1700000000000,"status":"Untouched","leftAmount":"2"}}"#
    )
}

pub(crate) async fn rig(script: Script) -> Rig {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let log = Arc::clone(&asked);
    let app = Router::new().fallback(move |request: HttpRequest| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let signed = request.headers().contains_key("X-Signature");
        let target = request.uri().to_string();
        let line = format!(
            "{} {target} {}",
            request.method(),
            if signed { "signed" } else { "bare" }
        );
        log.lock().expect("no panic").push(line);
        async move { script(n, &target) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let clock = Clock::manual(START);
    let build = Build {
        version: "0",
        git_sha: "0",
        rustc: "0",
    };
    let metrics = Metrics::new(build, &[], START);
    let signer = Signer::new(KEY.into(), &SECRET.into()).expect("the pair signs");
    let reads = Reads::new(ReadParts {
        endpoint: Endpoint::parse(&format!("http://127.0.0.1:{port}")).expect("loopback"),
        tls: crate::driver::tls::client_config(),
        keys: Keys::from(Arc::new(signer)),
        stamps: StampSource::new(clock.clone()),
        clock: clock.clone(),
        metrics: metrics.clone(),
        toll: Toll::default(),
        limits: ReadLimits {
            pace: Pace {
                delay_ms_base: 1,
                ..Pace::default()
            },
            ..ReadLimits::default()
        },
        seed: 1,
    });
    Rig {
        reads: reads.expect("the TLS configuration fits"),
        clock,
        metrics,
        asked,
    }
}

impl Rig {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

fn pair() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

#[tokio::test]
async fn private_reads_are_signed_and_public_ones_are_not() {
    let rig = rig(|_, target| match target {
        "/api/v2/server/time" => answer(200, r#"{"serverTime":1700000000700,"serverTime2":"x"}"#),
        _ => data(r#"{"asks":[],"bids":[]}"#),
    })
    .await;
    let offset = rig.reads.clock_offset().await;
    assert_eq!(
        offset,
        Ok(Offset {
            ms: 700,
            bound_ms: 1
        })
    );
    assert_eq!(rig.reads.open_orders().await, Ok(vec![]));
    assert_eq!(
        rig.asked(),
        [
            "GET /api/v2/server/time bare",
            "GET /api/v1/openOrders signed"
        ]
    );
}

#[tokio::test]
async fn a_read_is_repeated_twice_and_each_repeat_is_counted() {
    let rig = rig(|n, _| {
        if n < 2 {
            answer(502, "<html>")
        } else {
            data(r#"{"asks":[],"bids":[]}"#)
        }
    })
    .await;
    assert_eq!(rig.reads.open_orders().await, Ok(vec![]));
    assert_eq!(rig.asked().len(), 3);
    let text = rig.metrics.render(START);
    assert!(text.contains("btcbot_rest_retries_total 2\n"));
    assert!(text.contains("btcbot_rest_requests_total{outcome=\"server_error\"} 2\n"));
}

#[tokio::test]
async fn a_read_that_keeps_failing_is_failed_and_what_cannot_pass_is_not_repeated() {
    let cases: [(Script, usize); 4] = [
        (|_, _| answer(503, ""), 3),
        // Once more behind a measurement of the clock.
        (|_, _| answer(401, "{}"), 3),
        (|_, _| answer(307, ""), 1),
        (|_, _| answer(200, "<html>"), 1),
    ];
    for (script, attempts) in cases {
        let rig = rig(script).await;
        let reply = rig.reads.read(ReadRequest::OpenOrders).await;
        assert_eq!(reply, ReadReply::Failed(ReadRequest::OpenOrders));
        assert_eq!(rig.asked().len(), attempts);
    }
}

#[tokio::test]
async fn a_429_silences_its_group_and_no_other() {
    let rig = rig(|_, target| match target {
        "/api/v1/users/balances" => {
            answer(429, r#"{"message":"TOO_MANY_REQUESTS","success":false}"#)
        }
        _ => data("[]"),
    })
    .await;
    // The first attempt learns of the hold; the clock stands, so the hold outlasts the client's patience.
    let mut impatient = rig.reads.shared.limits;
    impatient.pace.retries_max = 0;
    let reads = Reads {
        shared: Arc::new(Shared {
            http: rig.reads.shared.http.clone(),
            endpoint: rig.reads.shared.endpoint.clone(),
            tls: Arc::clone(&rig.reads.shared.tls),
            url: rig.reads.shared.url.clone(),
            keys: rig.reads.shared.keys.clone(),
            stamps: rig.reads.shared.stamps.clone(),
            clock: rig.clock.clone(),
            metrics: rig.metrics.clone(),
            limits: impatient,
            pace: pace::Shared::new(impatient.pace),
            toll: Toll::default(),
            pacing: Arc::new(Mutex::new(Pacing::new(
                100,
                crate::driver::quotas::SHARE_BPS,
                1,
            ))),
        }),
    };
    let limited = ReadError::RateLimited {
        retry_after_ms: 2_000,
    };
    assert_eq!(reads.balances().await, Err(ReadFailure::Answer(limited)));
    let until = rig.clock.now().plus_ms(2_000);
    assert_eq!(
        reads.take(Group::Balances, Urgency::Ordinary, rig.clock.now()),
        Err(until)
    );
    assert_eq!(reads.trades(START).await, Ok(vec![]));
    rig.clock.advance_ms(2_000);
    assert_eq!(
        reads.take(Group::Balances, Urgency::Ordinary, rig.clock.now()),
        Ok(())
    );
    assert!(
        rig.metrics
            .render(START)
            .contains("btcbot_rest_requests_total{outcome=\"rate_limited\"} 1\n")
    );
}

#[tokio::test]
async fn order_history_is_paged_to_completion() {
    fn page(from: i64, to: i64) -> Response {
        let rows: Vec<String> = (from..to).map(order).collect();
        data(&format!("[{}]", rows.join(",")))
    }
    let whole = rig(|n, _| match n {
        0 => page(0, 1_000),
        // One order came meanwhile: the last of the first page is the first of the second.
        _ => page(999, 1_010),
    })
    .await;
    let rows = whole.reads.history(pair(), START).await.expect("two pages");
    assert_eq!(rows.len(), 1_010);
    assert!(whole.asked()[1].contains("page=2"));

    let cut = rig(|n, _| {
        if n == 0 {
            page(0, 1_000)
        } else {
            answer(200, "[{")
        }
    })
    .await;
    assert!(cut.reads.history(pair(), START).await.is_err());

    let deaf = rig(|_, _| page(0, 1_000)).await;
    assert_eq!(
        deaf.reads.history(pair(), START).await,
        Err(ReadFailure::Answer(ReadError::Unreadable("page")))
    );
}

#[tokio::test]
async fn a_cancel_is_asked_once_whatever_is_answered() {
    let rig = rig(|n, _| match n {
        0 => answer(
            200,
            r#"{"success":true,"message":"SUCCESS","code":0,"data":null}"#,
        ),
        1 => answer(500, ""),
        _ => answer(429, "busy"),
    })
    .await;
    let reads = &rig.reads;
    let id = OrderId(7);
    assert_eq!(
        reads.delete_order(id, Urgency::Ordinary).await,
        CancelReply::Acknowledged
    );
    assert_eq!(
        reads.delete_order(id, Urgency::Ordinary).await,
        CancelReply::Failed
    );
    let held = CancelReply::RateLimited(2_000);
    assert_eq!(reads.delete_order(id, Urgency::Ordinary).await, held);
    assert_eq!(
        reads.delete_order(id, Urgency::Reserved).await,
        held,
        "not even asked"
    );
    assert_eq!(rig.asked(), ["DELETE /api/v1/order?id=7 signed"; 3]);
}

#[tokio::test]
async fn without_keys_nothing_private_is_asked() {
    let rig = rig(|_, _| data("[]")).await;
    rig.reads.shared.keys.replace(None);
    assert_eq!(rig.reads.balances().await, Err(ReadFailure::NoKeys));
    assert_eq!(
        rig.reads.delete_order(OrderId(1), Urgency::Reserved).await,
        CancelReply::Failed
    );
    assert_eq!(rig.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_body_over_the_limit_is_no_answer() {
    let rig = rig(|_, _| answer(200, &"x".repeat(BODY_BYTES_MAX + 1))).await;
    assert_eq!(rig.reads.exchange_info().await, Err(ReadFailure::Transport));
}

#[tokio::test]
async fn a_429_opens_the_breaker_and_a_success_closes_it() {
    let rig = rig(|count, _| match count {
        0 => answer(429, "busy"),
        1 => data("[]"),
        _ => data(r#"{"asks":[],"bids":[]}"#),
    })
    .await;
    let account = |rig: &Rig| {
        let text = rig.metrics.render(rig.clock.now());
        let line = text
            .lines()
            .find(|line| line.starts_with("circuit_breaker_state{breaker=\"account\"}"));
        line.map(str::to_owned)
    };
    let first = rig
        .reads
        .attempt(&request::open_orders(), account::open_orders)
        .await;
    assert!(first.is_err());
    // Another group's success says nothing about this one.
    let other = rig
        .reads
        .attempt(&request::own_trades(START), account::own_trades)
        .await;
    assert!(other.is_ok());
    let shown = |figure: &str| {
        Some(format!(
            "circuit_breaker_state{{breaker=\"account\"}} {figure}"
        ))
    };
    assert_eq!(account(&rig), shown("2"));
    rig.clock.advance_ms(2_000);
    assert_eq!(account(&rig), shown("1"), "one probe");
    assert_eq!(rig.reads.open_orders().await, Ok(vec![]));
    assert_eq!(account(&rig), shown("0"));
}

#[tokio::test]
async fn limits_and_breakers_survive_cycles() {
    let rig = rig(|count, _| match count {
        0 => answer(429, "busy"),
        _ => data(r#"{"asks":[],"bids":[]}"#),
    })
    .await;
    let first = rig
        .reads
        .attempt(&request::open_orders(), account::open_orders)
        .await;
    assert!(first.is_err());
    // Whatever is cloned, opened apart or asked again meanwhile: the hold is the exchange's, not a cycle's.
    let clients = [
        rig.reads.clone(),
        rig.reads.apart().expect("the same settings"),
    ];
    let until = rig.clock.now().plus_ms(2_000);
    for cycle in 0..20 {
        let client = &clients[cycle % 2];
        let held = client.take(Group::OrderLists, Urgency::Ordinary, rig.clock.now());
        assert_eq!(held, Err(until));
        rig.clock.advance_ms(50);
    }
    rig.clock.advance_ms(1_000);
    let now = rig.clock.now();
    assert_eq!(
        clients[1].take(Group::OrderLists, Urgency::Ordinary, now),
        Ok(())
    );
    let second = clients[0].take(Group::OrderLists, Urgency::Ordinary, now);
    assert!(second.is_err(), "one probe for all of them");
}

fn limited(retry_after: &str) -> Response {
    let response = Response::builder()
        .status(StatusCode::TOO_MANY_REQUESTS)
        .header("Retry-After", retry_after);
    response
        .body(Body::from(
            r#"{"message":"TOO_MANY_REQUESTS","success":false}"#,
        ))
        .expect("a response")
}

#[tokio::test]
async fn retry_after_is_obeyed_in_full() {
    let rig = rig(|_, _| limited("55")).await;
    let reads = &rig.reads;
    let answer = reads
        .attempt(&request::balances(), account::balances)
        .await
        .expect_err("a 429");
    let retry_after_ms = 55_000;
    assert_eq!(
        answer,
        ReadFailure::Answer(ReadError::RateLimited { retry_after_ms })
    );
    let until = rig.clock.now().plus_ms(retry_after_ms);
    let take = |group, now| reads.take(group, Urgency::Ordinary, now);
    assert_eq!(take(Group::Balances, until.plus_ms(-1)), Err(until));
    assert_eq!(take(Group::Balances, until), Ok(()));
    assert_eq!(take(Group::OwnTrades, rig.clock.now()), Ok(()));
}

#[tokio::test]
async fn the_jitter_of_repeats_comes_from_the_seed_of_the_run() {
    async fn delays(seed: u64) -> Vec<Duration> {
        let rig = rig(|_, _| data("[]")).await;
        *rig.reads.pacing() = Pacing::new(100, crate::driver::quotas::SHARE_BPS, seed);
        (0..8).map(|_| rig.reads.delay(8)).collect()
    }
    assert_eq!(delays(1).await, delays(1).await);
    assert_ne!(delays(1).await, delays(2).await);
}

#[tokio::test]
async fn each_429_attempt_is_counted() {
    let rig = rig(|_, _| limited("1")).await;
    let pair = Symbol::parse("BTCTRY").expect("a pair");
    for _ in 0..3 {
        let public = rig
            .reads
            .attempt(&request::ticker(pair), public::tickers)
            .await;
        assert!(public.is_err());
        let private = rig
            .reads
            .attempt(&request::balances(), account::balances)
            .await;
        assert!(private.is_err());
    }
    let text = rig.metrics.render(START);
    assert!(
        text.contains("btcbot_rest_requests_total{outcome=\"rate_limited\"} 6\n"),
        "{text}"
    );
    for breaker in ["account", "market_data"] {
        let open = format!("circuit_breaker_state{{breaker=\"{breaker}\"}} 2\n");
        assert!(text.contains(&open), "{text}");
    }
}

#[tokio::test]
async fn a_redirect_of_a_read_or_a_cancel_is_not_followed() {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let target = elsewhere.local_addr().expect("bound");
    static TARGET: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    TARGET.get_or_init(|| format!("http://{target}/"));
    let rig = rig(|_, _| {
        let location = TARGET.get().expect("set above");
        let response = Response::builder().status(307);
        let response = response.header("Location", location);
        response.body(Body::empty()).expect("a response")
    })
    .await;
    assert!(rig.reads.balances().await.is_err());
    assert_eq!(
        rig.reads.delete_order(OrderId(7), Urgency::Ordinary).await,
        CancelReply::Failed
    );
    assert_eq!(rig.asked().len(), 2, "neither was repeated");
    let visit = tokio::time::timeout(Duration::ZERO, elsewhere.accept()).await;
    assert!(visit.is_err(), "a redirect was followed");
}

/// A client whose exchange is not there, for tests of what is built around one.
pub(crate) fn nowhere(clock: &Clock, metrics: &Metrics, toll: &Toll) -> Reads {
    let reads = Reads::new(ReadParts {
        endpoint: Endpoint::parse("http://127.0.0.1:9").expect("loopback"),
        tls: crate::driver::tls::client_config(),
        keys: Keys::none(),
        stamps: StampSource::new(clock.clone()),
        clock: clock.clone(),
        metrics: metrics.clone(),
        toll: toll.clone(),
        limits: ReadLimits::default(),
        seed: 1,
    });
    reads.expect("the TLS configuration fits")
}

#[tokio::test]
async fn refused_credentials_measure_the_clock_once_and_then_leave_the_exchange_alone() {
    let rig = rig(|_, target| match target {
        "/api/v2/server/time" => answer(200, r#"{"serverTime":1700000000700,"serverTime2":"x"}"#),
        _ => answer(401, "{}"),
    })
    .await;
    for _ in 0..20 {
        assert!(rig.reads.open_orders().await.is_err());
    }
    let (list, time) = (
        "GET /api/v1/openOrders signed",
        "GET /api/v2/server/time bare",
    );
    assert_eq!(rig.asked(), [list, time, list, list], "far from fifty");
    let offset = rig.clock.offset().map(|offset| offset.ms);
    assert_eq!(offset, Some(700), "the measurement is in use");
    assert_eq!(rig.reads.shared.toll.refused_in_a_row(), 3);
}
