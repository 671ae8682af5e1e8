//! The read-only HTTP plane: health, metrics and status for people, Prometheus and orchestrators.
//!
//! No route changes anything, and none reads more than a picture in memory. The one idea: a picture that has grown old
//! counts as dead, because a frozen process must not look healthy.

mod answer;
mod events;
mod guests;
mod picture;

pub use picture::{Check, Picture, Pictures};

use crate::clock::Clock;
use crate::metrics::Metrics;
use answer::{Plane, STREAMS_MAX, answer};
use axum::Router;
use guests::Guests;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Name and version of the status document.
pub const STATUS_SCHEMA: &str = "btcbot.status/v1";
/// A picture older than this is that of a process that no longer moves, milliseconds.
pub const PICTURE_AGE_MS_MAX: i64 = 10_000;
/// Connections at a time; one more takes the place of whoever has asked nothing for the longest time, or waits.
const CONNECTIONS_MAX: usize = 32;
/// Longest time for a request's head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest life of a connection, a stream of events included: its browser asks again.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);
/// Longest head of a request, bytes; a longer one is answered 431.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most headers of a request.
const HEADERS_MAX: usize = 64;

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
    let plane = Plane {
        parts,
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
    };
    let router = Router::new().fallback(answer).with_state(Arc::new(plane));
    let mut guests = Guests::new(CONNECTIONS_MAX);
    loop {
        let Ok((stream, _)) = bound.listener.accept().await else {
            // Out of descriptors, or a client that has gone: either passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let router = router.clone();
        guests
            .admit(|asked| attend(stream, router, move || asked.note()))
            .await;
    }
}

/// Serves one connection to its end; `on_question` hears of a whole head.
async fn attend(stream: TcpStream, router: Router, on_question: impl Fn()) {
    let answers = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        on_question();
        answers.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // One question a connection: a client that thinks holds nobody else up.
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .header_read_timeout(HEAD_TIME_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // However it ends, it was the client's.
    let _ = tokio::time::timeout(CONNECTION_TIME_MAX, connection).await;
}

#[cfg(test)]
mod tests;
