//! A client for what is told to receivers of the operator's: collectors and webhooks.
//!
//! No proxy, no redirect, no repeat, TLS as everywhere. The one idea: every request has a time limit and no answer is
//! read, so a receiver that hangs or talks for ever costs that time and no memory.

use crate::driver::tls;
use config::endpoint::Endpoint;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use std::time::Duration;

/// Longest connect, TLS included.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
/// Longest request.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// 2xx.
    Taken,
    /// Any other answer.
    Refused(u16),
    /// No answer in time, or no connection.
    Failed,
}

/// Posts to one receiver.
pub struct Post {
    http: reqwest::Client,
    url: String,
}

impl Post {
    /// Makes a client for an address and a path below it; connects to nothing.
    ///
    /// # Errors
    /// If the TLS configuration is refused.
    pub fn new(endpoint: &Endpoint, path: &str) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls::client_config()).clone())
            .https_only(!endpoint.is_loopback())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .connect_timeout(CONNECT_TIME_MAX)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE_TIME_MAX)
            .build()?;
        Ok(Self {
            http,
            url: format!("{}{path}", endpoint.as_str()),
        })
    }

    /// Sends a body within a time limit.
    pub async fn send(
        &self,
        kind: &'static str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        within: Duration,
    ) -> Posted {
        let request = self.http.post(&self.url).timeout(within).body(body);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static(kind));
        let request = (headers.iter()).fold(request, |request, (name, value)| {
            request.header(*name, value.as_str())
        });
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Posted::Taken,
            Ok(answer) => Posted::Refused(answer.status().as_u16()),
            Err(_) => Posted::Failed,
        }
    }
}
