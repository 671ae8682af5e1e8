//! Where a driver may connect, and the connection itself.
//!
//! Plain text goes to this machine only, everything else is TLS to a host name: the rule is a type, so that no
//! setting can send a signature in the clear. The one idea below it: bytes are counted where they reach the socket.

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why an address is not one we connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute URL with a host.
    #[error("`{0}` is not an absolute URL with a host")]
    Unreadable(String),
    /// Plain text to another machine.
    #[error("`{0}` is plain text to another machine: use https or wss")]
    PlainText(String),
    /// TLS to an address in place of a name, which no certificate of the exchange covers.
    #[error("`{0}` names an address where a host name is due")]
    AddressLiteral(String),
    /// A scheme that is not http, https, ws or wss.
    #[error("`{0}` has a scheme that is not http, https, ws or wss")]
    Scheme(String),
}

/// A host that may be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    kind: Kind,
    path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Loopback { host: String, at: SocketAddr },
    Tls { host: String, port: u16 },
}

impl Endpoint {
    /// Reads `https://host`, `wss://host`, or `http://` and `ws://` to a loopback address or `localhost`.
    ///
    /// # Errors
    /// Every variant of [`EndpointError`].
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let unreadable = || EndpointError::Unreadable(url.to_owned());
        let uri: hyper::Uri = url.parse().map_err(|_| unreadable())?;
        let host = uri.host().ok_or_else(unreadable)?.to_owned();
        let kind = match uri.scheme_str() {
            Some("http" | "ws") => Self::loopback(url, host, uri.port_u16().unwrap_or(80))?,
            Some("https" | "wss") if literal(&host).is_some() => {
                return Err(EndpointError::AddressLiteral(url.to_owned()));
            }
            Some("https" | "wss") => Kind::Tls {
                host,
                port: uri.port_u16().unwrap_or(443),
            },
            Some(_) => return Err(EndpointError::Scheme(url.to_owned())),
            None => return Err(unreadable()),
        };
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { kind, path })
    }

    fn loopback(url: &str, host: String, port: u16) -> Result<Kind, EndpointError> {
        let ip = match literal(&host) {
            Some(ip) => ip,
            // Not resolved: a resolver that lies must not turn `localhost` into another machine.
            None if host == "localhost" => IpAddr::from([127, 0, 0, 1]),
            None => return Err(EndpointError::PlainText(url.to_owned())),
        };
        if !ip.is_loopback() {
            return Err(EndpointError::PlainText(url.to_owned()));
        }
        let at = SocketAddr::new(ip, port);
        Ok(Kind::Loopback { host, at })
    }

    /// Returns whether the endpoint is on this machine.
    pub fn is_loopback(&self) -> bool {
        matches!(self.kind, Kind::Loopback { .. })
    }

    /// Returns the path of the URL without its trailing slash; empty for a bare host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the address for a client that takes URLs, without a trailing slash. `localhost` is spelled as its address.
    pub fn http_url(&self) -> String {
        match &self.kind {
            Kind::Loopback { at, .. } => format!("http://{at}{}", self.path),
            Kind::Tls { .. } => format!("https://{}{}", self.authority(), self.path),
        }
    }

    /// Returns the address for a WebSocket handshake.
    pub fn ws_url(&self) -> String {
        match &self.kind {
            Kind::Loopback { .. } => format!("ws://{}{}/", self.authority(), self.path),
            Kind::Tls { .. } => format!("wss://{}{}/", self.authority(), self.path),
        }
    }

    /// Returns host and port as the `Host` header shows them.
    pub fn authority(&self) -> String {
        match &self.kind {
            Kind::Loopback { host, at } => format!("{host}:{}", at.port()),
            Kind::Tls { host, port: 443 } => host.clone(),
            Kind::Tls { host, port } => format!("{host}:{port}"),
        }
    }

    /// Opens a connection, TLS included, within `time_out`.
    ///
    /// # Errors
    /// Any failure of name resolution, connect or TLS, and `TimedOut`: not one byte of a request has left.
    pub async fn connect(
        &self,
        tls: &Arc<ClientConfig>,
        time_out: Duration,
    ) -> io::Result<(Wire, Meter)> {
        tokio::time::timeout(time_out, self.open(tls))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn open(&self, tls: &Arc<ClientConfig>) -> io::Result<(Wire, Meter)> {
        let meter = Meter::default();
        let metered = |stream: TcpStream| {
            stream.set_nodelay(true)?;
            let meter = meter.clone();
            io::Result::Ok(Metered { stream, meter })
        };
        let wire = match &self.kind {
            Kind::Loopback { at, .. } => Wire::Plain(metered(TcpStream::connect(at).await?)?),
            Kind::Tls { host, port } => {
                let stream = metered(TcpStream::connect((host.as_str(), *port)).await?)?;
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
                Wire::Tls(Box::new(stream.await?))
            }
        };
        Ok((wire, meter))
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Counts the bytes that were handed to the socket.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// Returns the bytes written so far, TLS records included.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A TCP stream that counts what it sends.
#[derive(Debug)]
pub struct Metered {
    stream: TcpStream,
    meter: Meter,
}

/// An open connection, plain or TLS.
#[derive(Debug)]
pub enum Wire {
    /// Plain text on this machine.
    Plain(Metered),
    /// TLS.
    Tls(Box<TlsStream<Metered>>),
}

#[cfg(test)]
impl Wire {
    /// Waits until something, or the end, has arrived.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Plain(metered) => metered.stream.readable().await,
            Self::Tls(stream) => stream.get_ref().0.stream.readable().await,
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(sent)) = polled {
            self.meter.0.fetch_add(sent as u64, Ordering::SeqCst);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_reaches_this_machine_only() {
        let check = |url: &str, expected: Result<&str, EndpointError>| {
            let parsed = Endpoint::parse(url).map(|endpoint| endpoint.authority());
            assert_eq!(parsed, expected.map(str::to_owned), "{url}");
        };
        let own = str::to_owned;
        check("https://api.btcturk.com", Ok("api.btcturk.com"));
        check(
            "wss://ws-feed-pro.btcturk.com/",
            Ok("ws-feed-pro.btcturk.com"),
        );
        check("https://api.btcturk.com:8443", Ok("api.btcturk.com:8443"));
        check("http://127.0.0.1:9000", Ok("127.0.0.1:9000"));
        check("ws://[::1]:9000", Ok("[::1]:9000"));
        check("http://localhost:9000", Ok("localhost:9000"));
        let plain = |url: &str| Err(EndpointError::PlainText(own(url)));
        check("http://api.btcturk.com", plain("http://api.btcturk.com"));
        check("ws://10.0.0.1:80", plain("ws://10.0.0.1:80"));
        check(
            "http://localhost.evil.test",
            plain("http://localhost.evil.test"),
        );
        let literal = "https://1.2.3.4";
        check(literal, Err(EndpointError::AddressLiteral(own(literal))));
        check("ftp://host", Err(EndpointError::Scheme(own("ftp://host"))));
        check(
            "api.btcturk.com",
            Err(EndpointError::Unreadable(own("api.btcturk.com"))),
        );
        check("/path", Err(EndpointError::Unreadable(own("/path"))));
    }

    #[tokio::test]
    async fn a_refused_connect_and_a_dead_handshake_are_errors() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let tls = crate::driver::tls::client_config();
        // The name resolves to this machine, where nobody speaks TLS.
        let deaf = Endpoint::parse(&format!("https://localhost:{port}")).expect("a TLS endpoint");
        let accept = tokio::spawn(async move { drop(listener.accept().await) });
        let time_out = Duration::from_secs(10);
        assert!(deaf.connect(&tls, time_out).await.is_err());
        accept.await.expect("the listener ends");
        let closed = Endpoint::parse(&format!("http://127.0.0.1:{port}")).expect("loopback");
        assert!(closed.connect(&tls, time_out).await.is_err());
    }
}
