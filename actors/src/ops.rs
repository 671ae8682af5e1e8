//! The read-only HTTP plane: health, metrics and status for people, Prometheus and orchestrators.
//!
//! No route changes anything, and none reads more than a picture in memory. The one idea: a picture that has grown old
//! counts as dead, because a frozen process must not look healthy.

use crate::clock::Clock;
use crate::metrics::{Metrics, Route};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use engine::time::Timestamp;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Name and version of the status document.
pub const STATUS_SCHEMA: &str = "btcbot.status/v1";
/// A picture older than this is that of a process that no longer moves, milliseconds.
pub const PICTURE_AGE_MS_MAX: i64 = 10_000;
/// Connections at a time; more of them wait.
const CONNECTIONS_MAX: usize = 32;
/// Longest time for a request's head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest life of a connection.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// Headers of every answer: nothing is cached, framed or guessed by a browser.
const HEADERS: [(header::HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// One line of a health answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is checked, such as `clock`.
    pub name: &'static str,
    /// Passed.
    pub ok: bool,
    /// What was seen; may be empty.
    pub seen: String,
}

/// What the plane shows. The owner replaces it about once a second.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// When it was taken.
    pub at: Timestamp,
    /// Every supervised actor and arbiter has beaten in time.
    pub alive: Vec<Check>,
    /// What must hold to be ready.
    pub ready: Vec<Check>,
    /// Started: the first reconcile is done.
    pub is_started: bool,
    /// Progress of the start, for people.
    pub progress: String,
    /// The members of the status document.
    pub status: Value,
}

/// Where the current picture is kept. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pictures(Arc<RwLock<Arc<Picture>>>);

impl Pictures {
    /// Replaces the picture.
    pub fn put(&self, picture: Picture) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(picture);
    }

    fn get(&self) -> Arc<Picture> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }
}

/// What the plane is made of.
#[derive(Clone)]
pub struct PlaneParts {
    /// Metrics; `None` turns `/metrics` into 404.
    pub metrics: Option<Metrics>,
    /// What is shown.
    pub pictures: Pictures,
    /// Time.
    pub clock: Clock,
    /// Names that `Host` may carry besides IP addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// Which port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one or none: an operator asked for it. 0 takes a free one.
    Exact(u16),
    /// This one, or a free one if it is taken.
    Preferred(u16),
}

/// A plane that listens but does not answer yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
    /// The preferred port was taken and another one is used: worth a line to the operator.
    pub fell_back: bool,
}

/// The plane cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// Listens on an address.
///
/// # Errors
/// [`BindError`] if the address is not ours, or an exact port is taken.
pub async fn bind(ip: IpAddr, port: Port) -> Result<Bound, BindError> {
    let wanted = match port {
        Port::Exact(port) | Port::Preferred(port) => SocketAddr::new(ip, port),
    };
    let failed = |address| move |source| BindError { address, source };
    let (listener, fell_back) = match (TcpListener::bind(wanted).await, port) {
        (Ok(listener), _) => (listener, false),
        (Err(error), Port::Preferred(_)) if error.kind() == io::ErrorKind::AddrInUse => {
            let any = SocketAddr::new(ip, 0);
            (TcpListener::bind(any).await.map_err(failed(any))?, true)
        }
        (Err(source), Port::Exact(_) | Port::Preferred(_)) => return Err(failed(wanted)(source)),
    };
    let address = listener.local_addr().map_err(failed(wanted))?;
    Ok(Bound {
        listener,
        address,
        fell_back,
    })
}

/// Answers until the task is dropped.
pub async fn serve(bound: Bound, parts: PlaneParts) {
    let router = Router::new().fallback(answer).with_state(Arc::new(parts));
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await;
        let Ok((stream, _)) = bound.listener.accept().await else {
            // Out of descriptors, or a client that has gone: either passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _slot = slot;
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME_MAX)
                .serve_connection(TokioIo::new(stream), service);
            // However it ends, it was the client's.
            let _ = tokio::time::timeout(CONNECTION_TIME_MAX, connection).await;
        });
    }
}

async fn answer(State(parts): State<Arc<PlaneParts>>, request: Request) -> Response {
    let (route, mut response) = routed(&parts, &request);
    if let Some(metrics) = &parts.metrics {
        metrics.http_request(route);
    }
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

fn routed(parts: &PlaneParts, request: &Request) -> (Route, Response) {
    if !is_our_host(request, &parts.hosts) {
        return (
            Route::Other,
            text(StatusCode::MISDIRECTED_REQUEST, "not this host\n"),
        );
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "read-only\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, allowed);
        return (Route::Other, response);
    }
    let picture = parts.pictures.get();
    let now = parts.clock.now();
    let is_verbose = request.uri().query() == Some("verbose");
    match (request.uri().path(), &parts.metrics) {
        ("/metrics", Some(metrics)) => (Route::Metrics, exposition(&metrics.render(now))),
        ("/livez", _) => (
            Route::Livez,
            health(&picture, &picture.alive, now, is_verbose),
        ),
        ("/readyz", _) => (
            Route::Readyz,
            health(&picture, &picture.ready, now, is_verbose),
        ),
        ("/startupz", _) => (Route::Startupz, startup(&picture)),
        ("/status", _) => (Route::Status, status(&picture, now)),
        _ => (Route::Other, text(StatusCode::NOT_FOUND, "no such page\n")),
    }
}

/// A page of another site must not be able to read ours through a name that points here.
fn is_our_host(request: &Request, hosts: &[String]) -> bool {
    let named = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let Some(host) = named.or_else(|| host_header(request.headers())) else {
        return false;
    };
    let name = without_port(host);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn host_header(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

fn health(picture: &Picture, checks: &[Check], now: Timestamp, is_verbose: bool) -> Response {
    let age_ms = now.ms_since(picture.at);
    let fresh = Check {
        name: "picture",
        ok: age_ms <= PICTURE_AGE_MS_MAX,
        seen: format!("{age_ms} ms old"),
    };
    let all = std::iter::once(&fresh).chain(checks);
    let is_ok = all.clone().all(|check| check.ok);
    let code = if is_ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut body = String::new();
    for check in all.filter(|check| is_verbose || !check.ok) {
        let mark = if check.ok { '+' } else { '-' };
        let colon = if check.seen.is_empty() { "" } else { ": " };
        // Writing to a string cannot fail.
        let _ = writeln!(body, "[{mark}]{}{colon}{}", check.name, check.seen);
    }
    body.push_str(if is_ok { "ok\n" } else { "failed\n" });
    text(code, &body)
}

fn startup(picture: &Picture) -> Response {
    let code = if picture.is_started {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    text(code, &format!("{}\n", picture.progress))
}

fn status(picture: &Picture, now: Timestamp) -> Response {
    let mut document = serde_json::Map::new();
    document.insert("schema".to_owned(), Value::from(STATUS_SCHEMA));
    document.insert("taken_us".to_owned(), Value::from(picture.at.0));
    let age_ms = now.ms_since(picture.at);
    document.insert("age_ms".to_owned(), Value::from(age_ms));
    if let Value::Object(members) = &picture.status {
        for (name, value) in members {
            document.insert(name.clone(), value.clone());
        }
    }
    let body = Value::Object(document).to_string();
    typed(StatusCode::OK, "application/json", body)
}

fn exposition(body: &str) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    typed(StatusCode::OK, kind, body.to_owned())
}

fn text(code: StatusCode, body: &str) -> Response {
    typed(code, "text/plain; charset=utf-8", body.to_owned())
}

fn typed(code: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
#[path = "ops_tests.rs"]
mod tests;
