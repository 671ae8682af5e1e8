//! One HTTP/1.1 connection for orders: no pool, one request at a time, nothing ever repeated once a byte has left.
//!
//! It knows bytes, not orders. The one idea: the connection is driven by the task that owns it, so that dropping it
//! is the end of it, and every failure is judged by what was written, never by the text of an error.

use crate::clock::Clock;
use crate::driver::endpoint::{Endpoint, Meter, Wire};
use crate::driver::gated::{Egress, GatedStream, Permit};
use crate::gate::Gate;
use engine::answer::{NotSent, UnknownCause};
use engine::time::Timestamp;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::header::RETRY_AFTER;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

/// Largest reply body that is read, bytes.
pub const REPLY_BYTES_MAX: usize = 1 << 20;
/// Most headers of a reply.
const REPLY_HEADERS_MAX: usize = 64;
/// Read buffer, and with it the largest reply head, bytes.
const REPLY_HEAD_BYTES_MAX: usize = 32 << 10;
/// An unused connection is replaced after this time, before some middle box forgets it silently.
const IDLE_MS_MAX: i64 = 15_000;
/// An idle connection that is not ready within this time is not idle but stuck: it is replaced.
const READY_WAIT: Duration = Duration::from_millis(50);

/// What moves the bytes of one connection.
type Driver = Connection<TokioIo<GatedStream<Wire>>, Full<Bytes>>;

/// A connection with its own driver: it makes progress only while this task polls it.
struct Conn {
    sender: SendRequest<Full<Bytes>>,
    driver: Pin<Box<Driver>>,
    egress: Egress,
    used_at: Timestamp,
}

/// A whole reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The `Retry-After` header, as it came.
    pub retry_after: Option<String>,
    /// The body, complete.
    pub body: Bytes,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostError {
    /// Proven: not one byte left.
    NotSent(NotSent),
    /// Bytes left, and no whole reply came.
    Unknown(UnknownCause),
}

/// Time limits of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineLimits {
    /// Name resolution, connect and TLS together.
    pub connect: Duration,
    /// From the first byte to the end of the reply.
    pub reply: Duration,
    /// Pause between two looks at an idle line; also the shortest time between two connects that nobody waits for.
    pub look: Duration,
}

impl Default for LineLimits {
    /// Two seconds to connect, eight to reply: longer than a stamp lives, an answer is worth more than an Unknown.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            reply: Duration::from_secs(8),
            look: Duration::from_secs(1),
        }
    }
}

/// The line to one host.
pub struct Line {
    endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    gate: Gate,
    clock: Clock,
    limits: LineLimits,
    conn: Option<Conn>,
}

impl Line {
    /// Makes a line that is not connected.
    pub fn new(
        endpoint: Endpoint,
        tls: Arc<ClientConfig>,
        gate: Gate,
        clock: Clock,
        limits: LineLimits,
    ) -> Self {
        Self {
            endpoint,
            tls,
            gate,
            clock,
            limits,
            conn: None,
        }
    }

    /// Sends one request under `permit` and reads its reply. `make` signs it, once per connection that is tried.
    ///
    /// A connection that the other side closed while it was idle may be replaced once: zero bytes were written, so
    /// nothing is repeated. Any other failure is final.
    ///
    /// # Errors
    /// `NotSent` if and only if no byte left; `Unknown` otherwise.
    pub async fn post(
        &mut self,
        permit: Permit,
        mut make: impl FnMut() -> Result<Request<Full<Bytes>>, NotSent>,
    ) -> Result<Reply, PostError> {
        let idle = self.take_idle().await;
        let is_fresh = idle.is_none();
        let conn = match idle {
            Some(conn) => conn,
            None => self.dial_for(permit).await?,
        };
        match self.try_post(conn, permit, &mut make).await {
            Err(PostError::NotSent(NotSent::ConnectFailed)) if !is_fresh => {
                let conn = self.dial_for(permit).await?;
                self.try_post(conn, permit, &mut make).await
            }
            result => result,
        }
    }

    /// Keeps the line ready while there is nothing to send. Never ends in less than a look; may be dropped any time.
    pub async fn idle(&mut self) {
        match &mut self.conn {
            Some(conn) => {
                let ended = tokio::select! {
                    biased;
                    _ = &mut conn.driver => true,
                    () = tokio::time::sleep(self.limits.look) => false,
                };
                let age_ms = self.clock.now().ms_since(conn.used_at);
                if ended || age_ms > IDLE_MS_MAX {
                    self.conn = None;
                }
            }
            None => {
                tokio::time::sleep(self.limits.look).await;
                if self.gate.is_open_for_submit() {
                    self.conn = self.dial().await.ok();
                }
            }
        }
    }

    /// Returns the idle connection if it still takes requests.
    async fn take_idle(&mut self) -> Option<Conn> {
        let mut conn = self.conn.take()?;
        let is_ready = tokio::select! {
            biased;
            // Polled first: an end of stream that has arrived shows here, before a request is handed over.
            _ = &mut conn.driver => false,
            ready = conn.sender.ready() => ready.is_ok(),
            () = tokio::time::sleep(READY_WAIT) => false,
        };
        is_ready.then_some(conn)
    }

    /// Dials for one order; does not even try when it could not be sent anyway.
    async fn dial_for(&self, permit: Permit) -> Result<Conn, PostError> {
        let looked = Egress::judge(&self.gate, &self.clock, permit);
        looked.map_err(PostError::NotSent)?;
        let dialled = self.dial().await;
        dialled.map_err(|_| PostError::NotSent(NotSent::ConnectFailed))
    }

    async fn dial(&self) -> std::io::Result<Conn> {
        let dialled = self.endpoint.connect(&self.tls, self.limits.connect);
        let (wire, meter) = dialled.await?;
        self.shake(wire, meter).await
    }

    async fn shake(&self, wire: Wire, meter: Meter) -> std::io::Result<Conn> {
        let egress = Egress::new(self.gate.clone(), self.clock.clone(), meter);
        let stream = TokioIo::new(GatedStream::new(wire, egress.clone()));
        let mut http = Builder::new();
        http.max_headers(REPLY_HEADERS_MAX)
            .max_buf_size(REPLY_HEAD_BYTES_MAX);
        // Writes nothing and waits for nothing: HTTP/1.1 has no handshake of its own.
        let shaken = http.handshake(stream).await;
        let (sender, driver) = shaken.map_err(std::io::Error::other)?;
        Ok(Conn {
            sender,
            driver: Box::pin(driver),
            egress,
            used_at: self.clock.now(),
        })
    }

    async fn try_post(
        &mut self,
        mut conn: Conn,
        permit: Permit,
        make: &mut impl FnMut() -> Result<Request<Full<Bytes>>, NotSent>,
    ) -> Result<Reply, PostError> {
        let request = make().map_err(PostError::NotSent)?;
        conn.egress.arm(permit);
        let result = exchange(&mut conn, request, self.limits.reply).await;
        let written = conn.egress.disarm();
        if let Some(why) = written.refused {
            return Err(PostError::NotSent(why));
        }
        if written.bytes == 0 {
            // Whatever was read answers something else, such as a farewell to an idle client.
            return Err(PostError::NotSent(NotSent::ConnectFailed));
        }
        let reply = result.map_err(PostError::Unknown)?;
        conn.used_at = self.clock.now();
        self.conn = Some(conn);
        Ok(reply)
    }
}

/// Drives the connection until the reply is whole, the connection ends, or time is up.
async fn exchange(
    conn: &mut Conn,
    request: Request<Full<Bytes>>,
    time_out: Duration,
) -> Result<Reply, UnknownCause> {
    let mut reply = pin!(read_reply(conn.sender.try_send_request(request)));
    let mut has_ended = false;
    let driven = async {
        loop {
            tokio::select! {
                biased;
                result = &mut reply => return result,
                _ = &mut conn.driver, if !has_ended => has_ended = true,
            }
        }
    };
    let timed = tokio::time::timeout(time_out, driven).await;
    timed.unwrap_or(Err(UnknownCause::Timeout))
}

async fn read_reply<E>(
    response: impl Future<Output = Result<Response<Incoming>, E>>,
) -> Result<Reply, UnknownCause> {
    let response = response.await.map_err(|_| UnknownCause::ConnectionLost)?;
    let (head, body) = response.into_parts();
    let retry_after = head.headers.get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok());
    let collected = Limited::new(body, REPLY_BYTES_MAX).collect().await;
    let body = collected.map_err(|error| {
        if error.is::<LengthLimitError>() {
            UnknownCause::Ambiguous
        } else {
            UnknownCause::ConnectionLost
        }
    })?;
    Ok(Reply {
        status: head.status.as_u16(),
        retry_after: retry_after.map(str::to_owned),
        body: body.to_bytes(),
    })
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
