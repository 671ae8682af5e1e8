//! One HTTP GET with a time limit: for commands that ask a running process or the exchange a single question.
//!
//! Not for trading: nothing is pooled, repeated or signed here. A host on another machine is reached over TLS only,
//! except the read-only status plane, whose questions and answers hold nothing private.

use crate::driver::endpoint::{Endpoint, EndpointError};
use crate::driver::tls;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Longest answer that is read; the exchange's rules of all pairs are some 500 KiB.
const BODY_BYTES_MAX: usize = 8 << 20;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The address is not one that may be asked.
    #[error("{0}")]
    Address(String),
    /// No connection: name resolution, connect or TLS.
    #[error("cannot connect to {at}: {why}")]
    Connect {
        /// Host and port.
        at: String,
        /// What the system says.
        why: String,
    },
    /// A connection, but no answer on it.
    #[error("{at} gave no answer: {why}")]
    NoAnswer {
        /// Host and port.
        at: String,
        /// What went wrong.
        why: String,
    },
}

impl From<EndpointError> for ProbeError {
    fn from(error: EndpointError) -> Self {
        Self::Address(error.to_string())
    }
}

/// Asks questions, one at a time, each within the same limit.
pub struct Probe {
    runtime: tokio::runtime::Runtime,
    limit: Duration,
}

impl Probe {
    /// Makes a probe whose every question takes at most `limit`.
    ///
    /// # Errors
    /// The system gives no event queue.
    pub fn new(limit: Duration) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self { runtime, limit })
    }

    /// Asks the status plane at `base`, e.g. `http://127.0.0.1:9464`.
    ///
    /// # Errors
    /// Every variant of [`ProbeError`].
    pub fn plane(&self, base: &str, path: &str) -> Result<Answer, ProbeError> {
        let (host, port) = plane_address(base)?;
        let at = format!("{host}:{port}");
        let dial = async {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            TcpStream::connect((bare, port)).await
        };
        self.ask(dial, &at, path, &[])
    }

    /// Asks an exchange address, which is TLS or on this machine; `headers` may carry a signature.
    ///
    /// # Errors
    /// Every variant of [`ProbeError`].
    pub fn exchange(
        &self,
        base: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, ProbeError> {
        let endpoint = Endpoint::parse(base)?;
        let tls = tls::client_config();
        let dial = async {
            endpoint
                .connect(&tls, self.limit)
                .await
                .map(|(wire, _)| wire)
        };
        let path = format!("{}{target}", endpoint.path());
        self.ask(dial, &endpoint.authority(), &path, headers)
    }

    /// Connects and says nothing: name resolution, connect and TLS work.
    ///
    /// # Errors
    /// `Address` and `Connect`.
    pub fn connect(&self, base: &str) -> Result<(), ProbeError> {
        let endpoint = Endpoint::parse(base)?;
        let tls = tls::client_config();
        let at = endpoint.authority();
        let connected = self.runtime.block_on(endpoint.connect(&tls, self.limit));
        connected
            .map(drop)
            .map_err(|error| connect_error(&at, &error))
    }

    fn ask<S>(
        &self,
        dial: impl Future<Output = std::io::Result<S>>,
        at: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, ProbeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let is_connected = Cell::new(false);
        let no_answer = |why: String| ProbeError::NoAnswer {
            at: at.to_owned(),
            why,
        };
        let question = async {
            let stream = dial.await.map_err(|error| connect_error(at, &error))?;
            is_connected.set(true);
            get(stream, at, path, headers).await.map_err(no_answer)
        };
        let answered = self
            .runtime
            .block_on(async { tokio::time::timeout(self.limit, question).await });
        answered.unwrap_or_else(|_| {
            if is_connected.get() {
                let ms = self.limit.as_millis();
                Err(no_answer(format!("nothing within {ms} ms")))
            } else {
                Err(connect_error(at, &std::io::ErrorKind::TimedOut.into()))
            }
        })
    }
}

fn connect_error(at: &str, error: &std::io::Error) -> ProbeError {
    ProbeError::Connect {
        at: at.to_owned(),
        why: error.to_string(),
    }
}

fn plane_address(base: &str) -> Result<(String, u16), ProbeError> {
    let wrong = || ProbeError::Address(format!("`{base}` is not of the form http://host:port"));
    let uri: Uri = base.parse().map_err(|_| wrong())?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong());
    }
    let host = uri.host().ok_or_else(wrong)?;
    Ok((host.to_owned(), uri.port_u16().unwrap_or(80)))
}

async fn get<S>(
    stream: S,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let text = |error: hyper::Error| error.to_string();
    let io = TokioIo::new(stream);
    let (mut send, connection) = hyper::client::conn::http1::handshake(io)
        .await
        .map_err(text)?;
    // Ends with the answer, or with the runtime: its own result adds nothing to that of the request.
    let driver = tokio::spawn(connection);
    let mut request = Request::get(path)
        .header("host", host)
        .header("user-agent", concat!("btcbot/", env!("CARGO_PKG_VERSION")))
        .header("connection", "close");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let reply = send.send_request(request).await.map_err(text)?;
    let status = reply.status().as_u16();
    let body = Limited::new(reply.into_body(), BODY_BYTES_MAX)
        .collect()
        .await;
    driver.abort();
    let body = body.map_err(|error| error.to_string())?;
    Ok(Answer {
        status,
        body: body.to_bytes().to_vec(),
    })
}

/// A server for tests: answers each connection with the next text, and tells what was asked.
#[cfg(test)]
pub(crate) mod fake {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::thread::JoinHandle;

    /// Serves `answers` in order, one per connection, and returns the address and the request lines.
    pub(crate) fn serve(answers: Vec<(u16, String)>) -> (SocketAddr, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = listener.local_addr().expect("bound");
        let thread = std::thread::spawn(move || {
            let one = |(status, body): (u16, String)| {
                let (mut stream, _) = listener.accept().expect("a connection");
                let mut asked = Vec::new();
                let mut byte = [0];
                while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("read") == 1 {
                    asked.push(byte[0]);
                }
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).expect("written");
                stream.write_all(body.as_bytes()).expect("written");
                let text = String::from_utf8_lossy(&asked).into_owned();
                text.lines().next().unwrap_or_default().to_owned()
            };
            answers.into_iter().map(one).collect()
        });
        (at, thread)
    }

    /// Returns an address on which nobody listens.
    pub(crate) fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("bound")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn status_and_body_come_back() {
        let (at, thread) = fake::serve(vec![(503, "not yet".to_owned())]);
        let probe = Probe::new(LIMIT).expect("a runtime");
        let answer = probe.plane(&format!("http://{at}"), "/readyz");
        let expected = Answer {
            status: 503,
            body: b"not yet".to_vec(),
        };
        assert_eq!(answer, Ok(expected));
        let asked = thread.join().expect("served");
        assert_eq!(asked, ["GET /readyz HTTP/1.1"]);
    }

    #[test]
    fn nobody_there_differs_from_silence() {
        let probe = Probe::new(Duration::from_millis(500)).expect("a runtime");
        let gone = probe.plane(&format!("http://{}", fake::nobody()), "/livez");
        assert!(matches!(gone, Err(ProbeError::Connect { .. })), "{gone:?}");
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = silent.local_addr().expect("bound");
        let answer = probe.plane(&format!("http://{at}"), "/livez");
        assert!(
            matches!(answer, Err(ProbeError::NoAnswer { .. })),
            "{answer:?}"
        );
    }

    #[test]
    fn only_a_plane_may_be_asked_in_plain_text_elsewhere() {
        let check = |base: &str, is_plane: bool| {
            assert_eq!(plane_address(base).is_ok(), is_plane, "{base}");
        };
        check("http://10.0.0.1:9464", true);
        check("http://[::1]:9464", true);
        check("https://10.0.0.1", false);
        check("9464", false);
        let probe = Probe::new(LIMIT).expect("a runtime");
        let refused = probe.exchange("http://10.0.0.1:9464", "/", &[]);
        assert!(matches!(refused, Err(ProbeError::Address(_))));
    }
}
