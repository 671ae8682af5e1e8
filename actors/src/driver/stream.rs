//! The WebSocket: text frames in as engine values, joins and logins out.
//!
//! It keeps no session and decides nothing: when to connect, join and give up is the feed core's. The one idea: a slow
//! reader slows the socket and loses nothing, because a gap in the book is worse than a late frame.

use crate::clock::Clock;
use crate::driver::Keys;
use crate::driver::endpoint::{Endpoint, Wire};
use crate::metrics::{FrameMark, Metrics};
use btcturk::retry_after::retry_after_ms;
use btcturk::ws::{self, Frame, Join};
use engine::ids::Symbol;
use engine::market::{BookChannel, MarketEvent};
use engine::msg::{Channel, Declined, FeedIn};
use engine::time::Timestamp;
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Longest frame, bytes; a longer one ends the session.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Frames that may wait for their reader before the socket is slowed.
pub const FRAMES_MAX: usize = 1_024;
/// Commands that may wait for the socket; beyond these the session is not worth keeping.
pub const COMMANDS_MAX: usize = 256;
/// Read buffer, bytes.
const READ_BUFFER_BYTES: usize = 128 << 10;
/// Longest wait for the socket to take one command.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);

/// What the feed wants written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Join a channel.
    Join(Channel, Symbol),
    /// Leave a channel.
    Leave(Channel, Symbol),
    /// Log in to the private stream; the frame is made and signed here and seen nowhere else.
    Login,
    /// End the session.
    Close,
}

/// The command was not taken: the session is gone or does not keep up. Its `Disconnected` is on its way or due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream takes no commands")]
pub struct NotTaken;

/// What a session is made of.
#[derive(Clone)]
pub struct StreamParts {
    /// Where to connect.
    pub endpoint: Endpoint,
    /// TLS for it.
    pub tls: Arc<ClientConfig>,
    /// The key pair of the login.
    pub keys: Keys,
    /// Time.
    pub clock: Clock,
    /// Where frames are counted.
    pub metrics: Metrics,
    /// Connect, TLS and handshake together.
    pub connect_time_max: Duration,
}

/// What the stream has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// For the feed.
    pub value: FeedIn,
    /// When it was read off the socket, before it was decoded.
    pub read_at: Timestamp,
}

/// One session. Dropping it ends the session.
pub struct Stream {
    commands: mpsc::Sender<Command>,
    frames: mpsc::Receiver<Heard>,
}

impl Stream {
    /// Starts a session on the current runtime. Its first value is `Connected`, `Declined` or `Disconnected`, and one of
    /// the latter two is always its last.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(parts: StreamParts) -> Self {
        let (commands, todo) = mpsc::channel(COMMANDS_MAX);
        let (out, frames) = mpsc::channel(FRAMES_MAX);
        tokio::spawn(async move {
            parts.metrics.ws_connecting();
            let ended = session(&parts, todo, &out).await;
            parts.metrics.ws_up(false);
            // Whatever else ended it, the core hears the same and counts it.
            let last = match ended {
                Err(Ended::Declined(why)) => FeedIn::Declined(why),
                Ok(()) | Err(Ended::Lost) => FeedIn::Disconnected,
            };
            let _ = tell(&parts, &out, last).await;
        });
        Self { commands, frames }
    }

    /// Hands over a command without waiting.
    ///
    /// # Errors
    /// `NotTaken` if the session is gone or does not keep up.
    pub fn command(&self, command: Command) -> Result<(), NotTaken> {
        self.commands.try_send(command).map_err(|_| NotTaken)
    }

    /// Waits for the next value; `None` after `Disconnected`.
    pub async fn next(&mut self) -> Option<FeedIn> {
        self.frames.recv().await.map(|heard| heard.value)
    }

    /// Takes the session apart, for a reader and a writer that live in different places.
    pub fn split(self) -> (mpsc::Sender<Command>, mpsc::Receiver<Heard>) {
        (self.commands, self.frames)
    }
}

/// Why a session ended.
enum Ended {
    /// The connection could not be made, or broke.
    Lost,
    /// The handshake was refused with a status that asks to be left alone.
    Declined(Declined),
}

/// The exchange's name for maintenance, in the body of a 503.
const MAINTENANCE: &str = "SYSTEM_UNDER_MAINTENANCE";

/// Judges a failed handshake.
fn refusal(parts: &StreamParts, error: &Error) -> Ended {
    let Error::Http(response) = error else {
        return Ended::Lost;
    };
    let status = response.status().as_u16();
    let body = response.body().as_deref().unwrap_or_default();
    let names_maintenance = body
        .windows(MAINTENANCE.len())
        .any(|part| part == MAINTENANCE.as_bytes());
    let header = response.headers().get("Retry-After");
    let header = header.and_then(|value| value.to_str().ok());
    match status {
        503 if names_maintenance => Ended::Declined(Declined::Maintenance),
        429 | 503 => {
            let wait_ms = retry_after_ms(header, parts.clock.exchange_now());
            Ended::Declined(Declined::Busy(wait_ms))
        }
        _ => Ended::Lost,
    }
}

async fn session(
    parts: &StreamParts,
    mut todo: mpsc::Receiver<Command>,
    out: &mpsc::Sender<Heard>,
) -> Result<(), Ended> {
    let mut socket = connect(parts).await?;
    parts.metrics.ws_up(true);
    tell(parts, out, FeedIn::Connected).await?;
    loop {
        tokio::select! {
            biased;
            command = todo.recv() => match command {
                Some(Command::Close) | None => {
                    let _ = tokio::time::timeout(WRITE_TIME_MAX, socket.close(None)).await;
                    return Ok(());
                }
                Some(command) => write(parts, &mut socket, command).await?,
            },
            message = socket.next() => {
                let read_at = parts.clock.now();
                let message = message.ok_or(Ended::Lost)?.map_err(|_| Ended::Lost)?;
                if is_service_restart(&message) {
                    return Err(Ended::Declined(Declined::Maintenance));
                }
                if let Some(value) = read(parts, &message) {
                    let heard = Heard { value, read_at };
                    out.send(heard).await.map_err(|_| Ended::Lost)?;
                }
            }
        }
    }
}

/// Tells what no frame has told.
async fn tell(parts: &StreamParts, out: &mpsc::Sender<Heard>, value: FeedIn) -> Result<(), Ended> {
    let read_at = parts.clock.now();
    let sent = out.send(Heard { value, read_at }).await;
    sent.map_err(|_| Ended::Lost)
}

async fn connect(parts: &StreamParts) -> Result<WebSocketStream<Wire>, Ended> {
    let time_max = parts.connect_time_max;
    let shaken = async {
        let opened = parts.endpoint.connect(&parts.tls, time_max).await;
        let (wire, _) = opened.map_err(|_| Ended::Lost)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX))
            .read_buffer_size(READ_BUFFER_BYTES);
        let url = parts.endpoint.ws_url();
        let shaken = client_async_with_config(url, wire, Some(config)).await;
        shaken
            .map(|(socket, _)| socket)
            .map_err(|error| refusal(parts, &error))
    };
    let timed = tokio::time::timeout(time_max, shaken).await;
    timed.unwrap_or(Err(Ended::Lost))
}

async fn write(
    parts: &StreamParts,
    socket: &mut WebSocketStream<Wire>,
    command: Command,
) -> Result<(), Ended> {
    let Some(text) = text_of(parts, command) else {
        return Ok(());
    };
    let sent = socket.send(Message::text(text));
    let timed = tokio::time::timeout(WRITE_TIME_MAX, sent).await;
    timed.map_err(|_| Ended::Lost)?.map_err(|_| Ended::Lost)
}

/// Makes the frame of a command; a login without keys makes none, and its missing answer is the core's to notice.
fn text_of(parts: &StreamParts, command: Command) -> Option<String> {
    match command {
        Command::Join(channel, symbol) => Some(ws::join(of_wire(channel), symbol, Join::Join)),
        Command::Leave(channel, symbol) => Some(ws::join(of_wire(channel), symbol, Join::Leave)),
        Command::Login => {
            let signer = parts.keys.current()?;
            let stamp_ms = parts.clock.exchange_now().ms();
            Some(signer.ws_login(stamp_ms).expose().to_owned())
        }
        Command::Close => None,
    }
}

fn of_wire(channel: Channel) -> ws::Channel {
    match channel {
        Channel::Diff => BookChannel::Diff.into(),
        Channel::Book => BookChannel::Periodic.into(),
        Channel::Trade => ws::Channel::Trade,
        Channel::Ticker => ws::Channel::Ticker,
    }
}

/// A close with code 1012 says that the service restarts (docs/EXCHANGE.md 14).
fn is_service_restart(message: &Message) -> bool {
    matches!(message, Message::Close(Some(frame)) if frame.code == CloseCode::Restart)
}

/// Turns a message into what the feed hears; pings and closes are the protocol's own.
fn read(parts: &StreamParts, message: &Message) -> Option<FeedIn> {
    let (value, mark) = match message {
        Message::Text(text) => decode(text),
        Message::Binary(_) => (FeedIn::Unreadable, FrameMark::Unreadable),
        // tungstenite answers pings by itself, and ends the stream after a close.
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return None,
    };
    parts.metrics.ws_frame(mark);
    Some(value)
}

fn decode(text: &str) -> (FeedIn, FrameMark) {
    let Ok(decoded) = ws::decode(text) else {
        return (FeedIn::Unreadable, FrameMark::Unreadable);
    };
    match decoded.frame {
        Frame::Market(event) => {
            let mark = mark_of(&event);
            (FeedIn::Market(event), mark)
        }
        Frame::Private(event) => (FeedIn::Private(event), FrameMark::Private),
        Frame::Ack { ok, text } => (FeedIn::Ack { ok, text }, FrameMark::Ack),
        Frame::Version { .. } => (FeedIn::Version, FrameMark::Other),
        // Tickers of all pairs are never joined; one that comes anyway carries nothing for us.
        Frame::Tickers(_) => (FeedIn::Ignored, FrameMark::Ticker),
        Frame::Notice { .. } | Frame::Ignored(_) | Frame::Unknown(_) => {
            (FeedIn::Ignored, FrameMark::Other)
        }
    }
}

const fn mark_of(event: &MarketEvent) -> FrameMark {
    match event {
        MarketEvent::Full(_) | MarketEvent::Diff(_) => FrameMark::Book,
        MarketEvent::Trade(_) | MarketEvent::Trades(_) => FrameMark::Trade,
        MarketEvent::Ticker(_) => FrameMark::Ticker,
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
pub(crate) mod tests;
