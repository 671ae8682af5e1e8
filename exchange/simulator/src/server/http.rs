//! HTTP in and out: takes a request apart, waits the delay, answers, or resets the connection.

use super::hub::Hub;
use super::stream::Reset;
use super::websocket;
use crate::venue::{Content, Credentials, Fate, HttpMethod, RestReply, RestRequest};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Largest request body that is read.
const BODY_LEN_MAX: usize = 65_536;

/// Answers one request.
pub(super) async fn handle(
    hub: Arc<Hub>,
    ip: IpAddr,
    request: Request<Incoming>,
    reset: Reset,
    stopped: watch::Receiver<bool>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if websocket::is_upgrade(&request) {
        return Ok(websocket::upgrade(hub, ip, request, reset, stopped));
    }
    let Some(request) = take_apart(request, ip).await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let reply = hub.with(|venue, now| {
        let reply = venue.rest(now, &request);
        hub.log.write(now, &request, &reply);
        reply
    });
    let delay_ms = u64::try_from(reply.delay_ms).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    match reply.fate {
        Fate::Sent => Ok(response(reply)),
        Fate::Lost => {
            reset.order();
            // The connection's task sees the order and drops everything, this future included.
            std::future::pending().await
        }
    }
}

/// Makes a response without a body.
pub(super) fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn response(reply: RestReply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let content_type = match reply.content {
        Content::Json => "application/json; charset=utf-8",
        Content::Html => "text/html",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(seconds) = reply.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if reply.closes {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads the request; `None` if its body is too large or does not arrive.
async fn take_apart(request: Request<Incoming>, ip: IpAddr) -> Option<RestRequest> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LEN_MAX)
        .collect()
        .await
        .ok()?
        .to_bytes();
    Some(RestRequest {
        method: method(&head.method),
        path: head.uri.path().to_owned(),
        query: parse_query(head.uri.query().unwrap_or_default()),
        credentials: Credentials {
            key: header(&head.headers, btcturk::sign::HEADER_PCK),
            stamp: header(&head.headers, btcturk::sign::HEADER_STAMP),
            signature: header(&head.headers, btcturk::sign::HEADER_SIGNATURE),
        },
        content_type: header(&head.headers, CONTENT_TYPE.as_str()),
        body: body.to_vec(),
        ip,
    })
}

fn method(method: &Method) -> HttpMethod {
    match *method {
        Method::GET => HttpMethod::Get,
        Method::POST => HttpMethod::Post,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Other,
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Takes a query apart and decodes it.
fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// Undoes percent encoding; a broken escape stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while let Some(byte) = bytes.get(place) {
        let escaped = text.get(place + 1..place + 3).filter(|_| *byte == b'%');
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                place += 3;
            }
            None => {
                out.push(if *byte == b'+' { b' ' } else { *byte });
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_taken_apart_in_order_and_decoded() {
        let check = |query: &str, expected: &[(&str, &str)]| {
            let found = parse_query(query);
            let found: Vec<_> = found
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            assert_eq!(found, expected);
        };
        check("", &[]);
        check("id=5", &[("id", "5")]);
        check(
            "type=buy&type=sell&x",
            &[("type", "buy"), ("type", "sell"), ("x", "")],
        );
        check(
            "a=1%20d&b=1+w&c=%zz&d=%2",
            &[("a", "1 d"), ("b", "1 w"), ("c", "%zz"), ("d", "%2")],
        );
        check("e=%C3%A7", &[("e", "ç")]);
    }
}
