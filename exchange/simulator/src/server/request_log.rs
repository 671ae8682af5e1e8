//! One JSON line per REST request. No header, no body, no signature: nothing that must not be kept.

use crate::venue::{Fate, HttpMethod, RestReply, RestRequest};
use engine::time::Timestamp;
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where the lines go.
pub struct RequestLog {
    sink: Option<Mutex<Box<dyn Write + Send>>>,
    lost: AtomicU64,
}

#[derive(Serialize)]
struct Line<'a> {
    ts_ms: i64,
    method: &'static str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_order_id: Option<i64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reply_lost: bool,
}

impl RequestLog {
    /// Keeps nothing.
    pub fn none() -> Self {
        Self {
            sink: None,
            lost: AtomicU64::new(0),
        }
    }

    /// Writes to a sink of the caller's.
    pub fn to(sink: impl Write + Send + 'static) -> Self {
        Self {
            sink: Some(Mutex::new(Box::new(sink))),
            ..Self::none()
        }
    }

    /// Writes to standard error.
    pub fn stderr() -> Self {
        Self::to(io::stderr())
    }

    /// Writes to the end of a file, which is made if it does not exist.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self::to(file))
    }

    /// Returns how many lines could not be written; a full disk does not stop the exchange.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn write(&self, now: Timestamp, request: &RestRequest, reply: &RestReply) {
        let Some(sink) = &self.sink else {
            return;
        };
        let path = shown_path(request);
        let line = Line {
            ts_ms: now.ms(),
            method: method_text(request.method),
            path: &path,
            client_id: reply.client_id.as_deref(),
            status: reply.status,
            accepted_order_id: reply.accepted.map(|id| id.0),
            reply_lost: reply.fate == Fate::Lost,
        };
        let Ok(mut text) = serde_json::to_string(&line) else {
            return;
        };
        text.push('\n');
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        if sink
            .write_all(text.as_bytes())
            .and_then(|()| sink.flush())
            .is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for RequestLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestLog(lost {})", self.lost())
    }
}

fn method_text(method: HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Other => "OTHER",
    }
}

/// The path, with the order's number where a cancel names one.
fn shown_path(request: &RestRequest) -> String {
    match (request.method, request.parameter("id")) {
        (HttpMethod::Delete, Some(id)) => format!("{}?id={id}", request.path),
        (_, _) => request.path.clone(),
    }
}
