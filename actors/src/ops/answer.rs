//! What each route answers, and what is refused before any route is looked at.
//!
//! No route changes anything, and none reads more than a picture in memory.

use super::picture::{Check, Picture};
use super::{PICTURE_AGE_MS_MAX, PlaneParts, STATUS_SCHEMA, events};
use crate::metrics::Route;
use crate::page;
use crate::status::charts::charts_json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use engine::time::Timestamp;
use serde_json::Value;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Event streams at a time; one more is told so, and its page asks for whole pages instead.
pub(super) const STREAMS_MAX: usize = 8;

/// Headers of every answer: nothing is cached, framed or guessed by a browser.
pub(super) const HEADERS: [(header::HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What answers are made of.
pub(super) struct Plane {
    pub(super) parts: PlaneParts,
    pub(super) streams: Arc<Semaphore>,
}

pub(super) async fn answer(State(plane): State<Arc<Plane>>, request: Request) -> Response {
    let (route, mut response) = match refusal(&request, &plane.parts.hosts) {
        Some(refused) => (Route::Other, refused),
        None => routed(&plane, &request),
    };
    if let Some(metrics) = &plane.parts.metrics {
        metrics.http_request(route);
    }
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// What nobody may ask, whatever the path.
fn refusal(request: &Request, hosts: &[String]) -> Option<Response> {
    if !is_our_host(request, hosts) {
        return Some(text(StatusCode::MISDIRECTED_REQUEST, "not this host\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "read-only\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, allowed);
        return Some(response);
    }
    let has_body = !request.body().is_end_stream();
    has_body.then(|| text(StatusCode::PAYLOAD_TOO_LARGE, "a question has no body\n"))
}

fn routed(plane: &Plane, request: &Request) -> (Route, Response) {
    let parts = &plane.parts;
    let picture = parts.pictures.get();
    let now = parts.clock.now();
    let query = request.uri().query();
    let is_verbose = query == Some("verbose");
    match (request.uri().path(), &parts.metrics) {
        ("/", _) => (Route::Page, whole_page(&picture, now)),
        ("/events", _) => (Route::Events, stream(plane)),
        ("/app.css", _) => (Route::Asset, asset("text/css; charset=utf-8", page::CSS)),
        ("/app.js", _) => (
            Route::Asset,
            asset("text/javascript; charset=utf-8", page::SCRIPT),
        ),
        ("/metrics", Some(metrics)) => (Route::Metrics, exposition(&metrics.render(now))),
        ("/livez", _) => (
            Route::Livez,
            health(&picture, &[&picture.alive], now, is_verbose),
        ),
        ("/readyz", _) => (
            Route::Readyz,
            health(&picture, &[&picture.alive, &picture.ready], now, is_verbose),
        ),
        ("/startupz", _) => (Route::Startupz, startup(&picture)),
        ("/status", _) => (
            Route::Status,
            status(&picture, now, query == Some("charts")),
        ),
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

fn whole_page(picture: &Picture, now: Timestamp) -> Response {
    let sections = String::from_utf8_lossy(picture.sections());
    let html = page::whole(&sections, now.ms_since(picture.at));
    typed(StatusCode::OK, "text/html; charset=utf-8", html)
}

fn stream(plane: &Plane) -> Response {
    let Ok(slot) = Arc::clone(&plane.streams).try_acquire_owned() else {
        let text_ = format!("{STREAMS_MAX} streams are open; ask for / instead\n");
        return text(StatusCode::SERVICE_UNAVAILABLE, &text_);
    };
    let mut response = Response::new(events::body(plane.parts.pictures.follow(), slot));
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn asset(kind: &'static str, body: &'static str) -> Response {
    typed(StatusCode::OK, kind, Bytes::from_static(body.as_bytes()))
}

fn health(picture: &Picture, checks: &[&[Check]], now: Timestamp, is_verbose: bool) -> Response {
    let age_ms = now.ms_since(picture.at);
    let fresh = Check {
        name: "picture",
        ok: age_ms <= PICTURE_AGE_MS_MAX,
        seen: format!("{age_ms} ms old"),
    };
    let all = std::iter::once(&fresh).chain(checks.iter().copied().flatten());
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

/// The charts are some hundred kilobytes: only who asks for them gets them.
fn status(picture: &Picture, now: Timestamp, has_charts: bool) -> Response {
    let mut document = picture.document();
    document.insert("schema".to_owned(), Value::from(STATUS_SCHEMA));
    let age_ms = now.ms_since(picture.at);
    document.insert("age_ms".to_owned(), Value::from(age_ms));
    if has_charts {
        document.insert("charts".to_owned(), charts_json(&picture.charts));
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

fn typed(code: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
