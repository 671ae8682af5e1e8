//! The WebSocket side of the port: handshake by hand, then one task per socket.
//!
//! By hand because axum's own support would bring a second tungstenite. The task moves frames between the socket
//! and the venue; a socket that does not take its frames is reset when the venue says so.

use super::http::plain;
use super::hub::{Hub, Inlet};
use super::stream::{Reset, Resettable};
use crate::venue::{HandshakeRefused, Outgoing};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// Largest message of a client.
const MESSAGE_LEN_MAX: usize = 65_536;
/// Bytes that tungstenite holds back for a socket that does not take them; the venue counts the rest.
const WRITE_BUFFER_MAX: usize = 262_144;

type Socket = WebSocketStream<Resettable>;

/// Returns whether a request asks for a WebSocket.
pub(super) fn is_upgrade(request: &Request<Incoming>) -> bool {
    let says = |name: HeaderName, word: &str| {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    says(UPGRADE, "websocket") && says(CONNECTION, "upgrade")
}

/// Answers a handshake and starts the socket's task.
pub(super) fn upgrade(
    hub: Arc<Hub>,
    ip: IpAddr,
    mut request: Request<Incoming>,
    reset: Reset,
    stopped: watch::Receiver<bool>,
) -> Response<Full<Bytes>> {
    let headers = request.headers();
    let is_version_13 = headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_some_and(|version| version == "13");
    let accept = headers
        .get(SEC_WEBSOCKET_KEY)
        .map(|key| derive_accept_key(key.as_bytes()));
    let accept = accept.and_then(|accept| HeaderValue::from_str(&accept).ok());
    let (Some(accept), true) = (accept, is_version_13) else {
        return plain(StatusCode::BAD_REQUEST);
    };
    let inlet = match hub.connect(ip) {
        Ok(inlet) => inlet,
        Err(why) => return refused(why),
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let id = inlet.id;
        if let Ok(upgraded) = upgraded.await
            && let Ok(parts) = upgraded.downcast::<TokioIo<Resettable>>()
        {
            let config = WebSocketConfig::default()
                .max_message_size(Some(MESSAGE_LEN_MAX))
                .max_write_buffer_size(WRITE_BUFFER_MAX);
            let early = parts.read_buf.to_vec();
            let socket = Socket::from_partially_read(
                parts.io.into_inner(),
                early,
                Role::Server,
                Some(config),
            )
            .await;
            run(&hub, socket, inlet, &reset, stopped).await;
        }
        hub.disconnect(id);
    });
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// What a handshake is told during maintenance.
const MAINTENANCE: &str = r#"{"success":false,"message":"SYSTEM_UNDER_MAINTENANCE","code":1037}"#;

fn refused(why: HandshakeRefused) -> Response<Full<Bytes>> {
    match why {
        HandshakeRefused::TooMany { retry_after_s } => {
            let mut response = plain(StatusCode::TOO_MANY_REQUESTS);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
            response
        }
        HandshakeRefused::Unavailable => plain(StatusCode::SERVICE_UNAVAILABLE),
        HandshakeRefused::Maintenance => {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE);
            *response.body_mut() = Full::new(Bytes::from_static(MAINTENANCE.as_bytes()));
            response
        }
    }
}

/// Moves frames until one side ends.
async fn run(
    hub: &Hub,
    mut socket: Socket,
    mut inlet: Inlet,
    reset: &Reset,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let goes_on = tokio::select! {
            biased;
            _ = stopped.changed() => false,
            _ = &mut inlet.cut => {
                reset.order();
                false
            }
            next = inlet.frames.recv() => match next {
                Some(next) => write(&mut socket, next, &mut inlet.cut, reset).await,
                None => false,
            },
            incoming = socket.next() => match incoming {
                Some(Ok(message)) => read(hub, &inlet, message),
                Some(Err(_)) | None => false,
            },
        };
        if !goes_on {
            return;
        }
    }
}

/// Writes one frame, unless the venue loses patience first.
async fn write(
    socket: &mut Socket,
    next: Outgoing,
    cut: &mut tokio::sync::oneshot::Receiver<crate::venue::Cut>,
    reset: &Reset,
) -> bool {
    let message = match next {
        Outgoing::Text(text) => Message::text(&*text),
        Outgoing::Ping => Message::Ping(Bytes::new()),
        Outgoing::Cut(_) => {
            reset.order();
            return false;
        }
    };
    tokio::select! {
            biased;
        sent = socket.send(message) => sent.is_ok(),
        _ = cut => {
            reset.order();
            false
        }
    }
}

/// Hands one message of the client to the venue.
fn read(hub: &Hub, inlet: &Inlet, message: Message) -> bool {
    match message {
        Message::Text(text) => hub.with(|venue, now| venue.receive(now, inlet.id, &text)),
        Message::Pong(_) => hub.with(|venue, now| venue.pong(now, inlet.id)),
        Message::Close(_) => return false,
        Message::Binary(_) | Message::Ping(_) | Message::Frame(_) => {}
    }
    true
}
