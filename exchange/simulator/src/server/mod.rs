//! A loopback server around a venue: REST and WebSocket on one port.
//!
//! The only place of this crate that knows tokio. It moves bytes, waits the delays that the venue asks for, and
//! resets connections when the venue says so; it decides nothing.

mod hosted;
mod http;
mod hub;
mod request_log;
mod stream;
mod websocket;

pub use hosted::Hosted;
pub use request_log::RequestLog;

use crate::venue::{Venue, VenueOptions};
use btcturk::sign::SignError;
use hub::Hub;
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stream::Resettable;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

/// Real time between two steps of the exchange when nobody asks for anything.
const TICK: Duration = Duration::from_millis(10);
/// TCP connections at a time; one more is closed at once.
pub const TCP_CONNECTIONS_MAX: usize = 1_024;
/// Pause after a failed accept, so that an exhausted file table is not hammered.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A member's key or secret cannot sign.
    #[error("an account's key is unusable: {0}")]
    Key(#[from] SignError),
    /// No account was given.
    #[error("at least one account is needed")]
    NoMember,
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {cause}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
}

/// A running server. Dropping it ends everything.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    api_key: String,
    api_secret: SecretString,
    hub: Arc<Hub>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens on `addr` (port 0 picks a free one) and opens the exchange. Needs a tokio runtime.
    ///
    /// # Errors
    /// An unusable key, no account, or an address that cannot be listened on.
    pub async fn start(
        addr: SocketAddr,
        options: &VenueOptions,
        log: RequestLog,
    ) -> Result<Self, ServerError> {
        let first = options.members.first().ok_or(ServerError::NoMember)?;
        let (api_key, api_secret) = (first.key.clone(), first.secret.clone());
        let listen = |cause| ServerError::Listen { addr, cause };
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;
        let hub = Arc::new(Hub::new(options, log)?);
        let (stop, stopped) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(tick(Arc::clone(&hub), stopped.clone())),
            tokio::spawn(accept(listener, Arc::clone(&hub), stopped)),
        ];
        Ok(Self {
            local_addr,
            api_key,
            api_secret,
            hub,
            stop,
            tasks,
        })
    }

    /// Returns where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Returns the base of REST requests, such as `http://127.0.0.1:8080`.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.local_addr)
    }

    /// Returns the WebSocket address, such as `ws://127.0.0.1:8080/`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}/", self.local_addr)
    }

    /// Returns the public key of the first account.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Returns the secret of the first account.
    pub fn api_secret(&self) -> &SecretString {
        &self.api_secret
    }

    /// Looks at the venue as it is at this moment; what the look changes reaches the sockets.
    ///
    /// Everything else waits meanwhile, so the look should be short.
    pub fn inspect<R>(&self, look: impl FnOnce(&mut Venue) -> R) -> R {
        self.hub.with(|venue, _| look(venue))
    }

    /// Stops accepting, ends every connection and waits for the tasks.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has said so already; there is nothing left to stop.
            let _ended = task.await;
        }
    }
}

/// Lets the exchange's time pass.
async fn tick(hub: Arc<Hub>, mut stopped: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => return,
            _ = ticks.tick() => hub.with(|venue, now| venue.advance(now)),
        }
    }
}

/// Accepts connections until it is told to stop; dropping the set ends those that are left.
async fn accept(listener: TcpListener, hub: Arc<Hub>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) if connections.len() < TCP_CONNECTIONS_MAX => {
                    connections.spawn(serve(stream, peer, Arc::clone(&hub), stopped.clone()));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// Serves one TCP connection until it ends, is upgraded or is reset on purpose.
async fn serve(stream: TcpStream, peer: SocketAddr, hub: Arc<Hub>, stopped: watch::Receiver<bool>) {
    // Without this, small answers wait for the peer's acknowledgement; a failure only costs time.
    let _nodelay = stream.set_nodelay(true);
    let (stream, reset) = Resettable::new(stream);
    let service = hyper::service::service_fn(|request| {
        let (hub, reset, stopped) = (Arc::clone(&hub), reset.clone(), stopped.clone());
        http::handle(hub, peer.ip(), request, reset, stopped)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
            biased;
        // An ended connection is nothing to report: clients come and go.
        _ended = connection => {}
        () = reset.wait() => {}
    }
}
