//! Reads and cancels: a pooled client for everything but new orders.
//!
//! A failed, cut or partial read proves nothing and is reported as failed. The one idea: only a GET is ever repeated,
//! and a 429 silences the whole group of requests it belongs to, for as long as the exchange says.

use crate::clock::{Clock, Offset, StampSource};
use crate::driver::Keys;
use crate::driver::endpoint::Endpoint;
use crate::driver::pace::{self, Pace};
use crate::driver::pacing::{Pacing, shown_as};
use crate::driver::read_failure::{ReadFailure, mark_of, may_pass};
use crate::driver::toll::Toll;
use crate::metrics::{Metrics, RestMark};
use btcturk::classify;
use btcturk::rest::quota::Group;
use btcturk::rest::request::{self, Method, Request};
use btcturk::rest::{ReadError, Reply, Rows, account, public};
use btcturk::retry_after::retry_after_ms;
use engine::answer::{BalanceRow, CancelReply, OrderRow, OwnTrade, Rail, Transfer};
use engine::budget::IN_A_ROW_KILL;
use engine::ids::{OrderId, Symbol};
use engine::instrument::RuleFacts;
use engine::market::Ticker;
use engine::msg::{ReadReply, ReadRequest};
use engine::pacing::Urgency;
use engine::time::Timestamp;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use rustls::ClientConfig;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Largest body that is read, bytes.
pub const BODY_BYTES_MAX: usize = 4 << 20;
/// Pages of one history; more than these are a failure, not a cut list.
pub const PAGES_MAX: u32 = 50;
/// Fewer rows than this end a history: every page size the exchange is known to use is a multiple of it
/// (docs/EXCHANGE.md 5.5: 1,000 asked for; 100 and 50 are defaults).
const LAST_PAGE_ROWS: usize = 50;
/// Longest wait for our own limits before a read counts as failed, milliseconds.
const PERMIT_WAIT_MS_MAX: i64 = 10_000;
/// Longest hold of cancels after a 429, milliseconds.
const CANCEL_HOLD_MS_MAX: i64 = 60_000;
/// Hold of a group of signed reads while the kill for refused credentials lasts, milliseconds: the exchange blocks an
/// address after 50 in a row (docs/EXCHANGE.md 3.1).
const REFUSED_HOLD_MS: i64 = 300_000;
/// Idle connections that are kept.
const IDLE_CONNECTIONS_MAX: usize = 2;

/// How reads are timed, spaced and repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Connect, TLS included.
    pub connect: Duration,
    /// A whole GET.
    pub read: Duration,
    /// A whole DELETE.
    pub cancel: Duration,
    /// Requests a second over all groups; never binds cancels.
    pub requests_per_second: usize,
    /// How fast it asks.
    pub pace: Pace,
}

impl Default for ReadLimits {
    /// The defaults of `[exchange.rest]` in config/default.toml.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            read: Duration::from_secs(10),
            cancel: Duration::from_secs(5),
            requests_per_second: 8,
            pace: Pace::default(),
        }
    }
}

/// What the client is made of.
pub struct ReadParts {
    /// Where to ask.
    pub endpoint: Endpoint,
    /// TLS for it.
    pub tls: Arc<ClientConfig>,
    /// The key pair that signs private requests.
    pub keys: Keys,
    /// Stamps; shared with every other client of the same key.
    pub stamps: StampSource,
    /// Time.
    pub clock: Clock,
    /// Where attempts are counted.
    pub metrics: Metrics,
    /// Where costs are told.
    pub toll: Toll,
    /// Time limits and spacing.
    pub limits: ReadLimits,
    /// Seed of the jitter.
    pub seed: u64,
}

/// The client. Cheap to clone; clones share connections and limits.
#[derive(Clone)]
pub struct Reads {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    url: String,
    keys: Keys,
    stamps: StampSource,
    clock: Clock,
    metrics: Metrics,
    toll: Toll,
    limits: ReadLimits,
    pace: pace::Shared,
    pacing: Arc<Mutex<Pacing>>,
}

/// An answer as it came.
struct Raw {
    status: u16,
    retry_after_ms: Option<i64>,
    body: Vec<u8>,
}

impl Raw {
    fn reply(&self) -> Reply<'_> {
        Reply {
            status: self.status,
            retry_after_ms: self.retry_after_ms,
            body: &self.body,
        }
    }
}

impl Reads {
    /// Makes a client; connects to nothing.
    ///
    /// # Errors
    /// If the TLS configuration is refused.
    pub fn new(parts: ReadParts) -> reqwest::Result<Self> {
        let http = http(&parts.endpoint, &parts.tls, &parts.limits)?;
        let limits = parts.limits;
        let pacing = Pacing::new(
            limits.requests_per_second,
            limits.pace.share_bps,
            parts.seed,
        );
        let shared = Shared {
            http,
            tls: parts.tls,
            url: parts.endpoint.http_url(),
            keys: parts.keys,
            stamps: parts.stamps,
            clock: parts.clock,
            metrics: parts.metrics,
            toll: parts.toll,
            limits,
            pace: pace::Shared::new(limits.pace),
            pacing: Arc::new(Mutex::new(pacing)),
            endpoint: parts.endpoint,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Makes a client with connections of its own and the same keys, stamps and limits, for another thread: a
    /// connection lives on the runtime that opened it and hangs with it.
    ///
    /// # Errors
    /// If the TLS configuration is refused.
    pub fn apart(&self) -> reqwest::Result<Self> {
        let from = &self.shared;
        let shared = Shared {
            http: http(&from.endpoint, &from.tls, &from.limits)?,
            endpoint: from.endpoint.clone(),
            tls: Arc::clone(&from.tls),
            url: from.url.clone(),
            keys: from.keys.clone(),
            stamps: from.stamps.clone(),
            clock: from.clock.clone(),
            metrics: from.metrics.clone(),
            toll: from.toll.clone(),
            limits: from.limits,
            pace: from.pace.clone(),
            pacing: Arc::clone(&from.pacing),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Answers what the reconciler asks; whatever fails is `Failed`.
    pub async fn read(&self, asked: ReadRequest) -> ReadReply {
        let reply = match asked {
            ReadRequest::OpenOrders => self.open_orders().await.map(ReadReply::OpenOrders),
            ReadRequest::History(symbol, since) => self
                .history(symbol, since)
                .await
                .map(|rows| ReadReply::History(symbol, since, rows)),
            ReadRequest::Trades(since) => self
                .trades(since)
                .await
                .map(|rows| ReadReply::Trades(since, rows)),
            ReadRequest::Transfers(since) => self
                .transfers(since)
                .await
                .map(|rows| ReadReply::Transfers(since, rows)),
            ReadRequest::Balances => self.balances().await.map(ReadReply::Balances),
        };
        reply.unwrap_or(ReadReply::Failed(asked))
    }

    /// Measures the offset of the exchange's clock, to half the round trip. Not repeated: a late answer is a bad one.
    ///
    /// # Errors
    /// Any [`ReadFailure`].
    pub async fn clock_offset(&self) -> Result<Offset, ReadFailure> {
        let request = request::server_time();
        self.permit(request.group, Urgency::Ordinary).await?;
        let asked = self.shared.clock.now();
        let result = self.attempt(&request, public::server_time).await;
        let answered = self.shared.clock.now();
        let theirs = result?;
        let half_us = answered.0.saturating_sub(asked.0) / 2;
        let middle = Timestamp(asked.0.saturating_add(half_us));
        Ok(Offset {
            ms: theirs.ms_since(middle),
            // One more for the exchange's whole milliseconds.
            bound_ms: half_us / 1_000 + 1,
        })
    }

    /// Reads the rules of all pairs.
    ///
    /// # Errors
    /// Any [`ReadFailure`].
    pub async fn exchange_info(&self) -> Result<Rows<RuleFacts>, ReadFailure> {
        self.get(&request::exchange_info(), public::exchange_info)
            .await
    }

    /// Reads the ticker of a pair.
    ///
    /// # Errors
    /// Any [`ReadFailure`].
    pub async fn ticker(&self, symbol: Symbol) -> Result<Rows<Ticker>, ReadFailure> {
        self.get(&request::ticker(symbol), public::tickers).await
    }

    /// Reads the balances; an asset that cannot be read fails the read, because it might be ours.
    ///
    /// # Errors
    /// Any [`ReadFailure`].
    pub async fn balances(&self) -> Result<Vec<BalanceRow>, ReadFailure> {
        let rows = self.get(&request::balances(), account::balances).await?;
        if rows.skipped.is_empty() {
            Ok(rows.rows)
        } else {
            Err(ReadError::Unreadable("balance row").into())
        }
    }

    /// Reads the open orders of all pairs.
    ///
    /// # Errors
    /// Any [`ReadFailure`].
    pub async fn open_orders(&self) -> Result<Vec<OrderRow>, ReadFailure> {
        let request = request::open_orders();
        let rows = self.get(&request, account::open_orders).await?;
        Ok(rows.rows)
    }

    /// Reads every order of a pair since a moment, all pages, each order once. One page that fails fails it all.
    ///
    /// # Errors
    /// Any [`ReadFailure`].
    pub async fn history(
        &self,
        symbol: Symbol,
        since: Timestamp,
    ) -> Result<Vec<OrderRow>, ReadFailure> {
        let mut seen = BTreeSet::new();
        let mut rows = Vec::new();
        for page in 1..=PAGES_MAX {
            let asked = request::all_orders(symbol, since, page);
            let got = self.get(&asked, account::all_orders).await?.rows;
            let count = got.len();
            let before = rows.len();
            // Orders placed meanwhile push older ones onto the next page: they come twice, never not at all.
            rows.extend(got.into_iter().filter(|row| seen.insert(row.id)));
            if count < LAST_PAGE_ROWS {
                return Ok(rows);
            }
            let brought_nothing = rows.len() == before;
            if brought_nothing && count.is_multiple_of(LAST_PAGE_ROWS) {
                // A page of a round size that holds known orders only: the page number is ignored, and older orders
                // may stay hidden.
                return Err(ReadError::Unreadable("page").into());
            }
            if brought_nothing {
                return Ok(rows);
            }
        }
        Err(ReadFailure::TooManyPages)
    }

    /// Reads the account's trades since a moment.
    ///
    /// # Errors
    /// Any [`ReadFailure`].
    pub async fn trades(&self, since: Timestamp) -> Result<Vec<OwnTrade>, ReadFailure> {
        let request = request::own_trades(since);
        let rows = self.get(&request, account::own_trades).await?;
        Ok(rows.rows)
    }

    /// Reads the account's deposits and withdrawals since a moment, of both rails. A row that cannot be read is left
    /// out: it explains nothing.
    ///
    /// # Errors
    /// Any [`ReadFailure`].
    pub async fn transfers(&self, since: Timestamp) -> Result<Vec<Transfer>, ReadFailure> {
        let crypto = request::transfers(Rail::Crypto, since);
        let fiat = request::transfers(Rail::Fiat, since);
        let mut rows = self
            .get(&crypto, |reply| account::transfers(reply, Rail::Crypto))
            .await?
            .rows;
        let fiat = self.get(&fiat, |reply| account::transfers(reply, Rail::Fiat));
        rows.extend(fiat.await?.rows);
        Ok(rows)
    }

    /// Reads one order; `None` if the exchange does not show it, which proves nothing about it.
    ///
    /// # Errors
    /// Any [`ReadFailure`].
    pub async fn order(&self, id: OrderId) -> Result<Option<OrderRow>, ReadFailure> {
        self.get(&request::order(id), account::order).await
    }

    /// Asks for a cancel, once. Kills and safe mode ask with [`Urgency::Reserved`] and may use the whole quota.
    pub async fn delete_order(&self, id: OrderId, urgency: Urgency) -> CancelReply {
        let now = self.shared.clock.now();
        if let Err(until) = self.take(Group::OrderCancel, urgency, now) {
            return CancelReply::RateLimited(until.ms_since(now).max(1));
        }
        let Ok(raw) = self.send(&request::cancel(id)).await else {
            self.ended(Group::OrderCancel, RestMark::Transport);
            return CancelReply::Failed;
        };
        let reply = classify::cancel_reply(raw.status, raw.retry_after_ms, &raw.body);
        match reply {
            CancelReply::RateLimited(asked_ms) => {
                let wait_ms = asked_ms.min(CANCEL_HOLD_MS_MAX);
                self.throttled(Group::OrderCancel, wait_ms);
                CancelReply::RateLimited(wait_ms)
            }
            CancelReply::Acknowledged => {
                self.shared.toll.accepted();
                self.ended(Group::OrderCancel, RestMark::Ok);
                reply
            }
            CancelReply::Unauthorized => {
                self.shared.toll.refused();
                self.ended(Group::OrderCancel, RestMark::Refused);
                reply
            }
            CancelReply::LookUp | CancelReply::Blocked | CancelReply::Failed => {
                self.ended(Group::OrderCancel, RestMark::Refused);
                reply
            }
        }
    }

    /// Reads, and repeats what failed for a reason that may pass.
    async fn get<T>(
        &self,
        request: &Request,
        decode: fn(&Reply<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadFailure> {
        let (mut repeats, mut is_resynced) = (0, false);
        loop {
            self.permit(request.group, Urgency::Ordinary).await?;
            let failure = match self.attempt(request, decode).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let is_first = self.shared.toll.refused_in_a_row() == 1;
            let is_refused = failure == ReadFailure::Answer(ReadError::Unauthorized);
            if is_refused && is_first && !is_resynced {
                // A stamp that is off is the one cause that can be mended here, and a read may be repeated.
                is_resynced = true;
                self.resync().await;
                continue;
            }
            if repeats >= self.shared.pace.get().retries_max || !may_pass(&failure) {
                return Err(failure);
            }
            tokio::time::sleep(self.delay(repeats)).await;
            repeats += 1;
            self.shared.metrics.rest_retry(self.shared.clock.now());
        }
    }

    /// Sends one GET and decodes its answer.
    async fn attempt<T>(
        &self,
        request: &Request,
        decode: fn(&Reply<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadFailure> {
        let result = match self.send(request).await {
            Ok(raw) => decode(&raw.reply()).map_err(ReadFailure::Answer),
            Err(failure) => Err(failure),
        };
        match &result {
            Err(ReadFailure::Answer(ReadError::RateLimited { retry_after_ms })) => {
                self.throttled(request.group, *retry_after_ms);
            }
            other => self.ended(request.group, mark_of(other.as_ref().err())),
        }
        if request.is_private() {
            self.judge_credentials(request.group, result.as_ref().err());
        }
        result
    }

    /// Waits for a permit, but no longer than is worth it.
    async fn permit(&self, group: Group, urgency: Urgency) -> Result<(), ReadFailure> {
        let began = self.shared.clock.now();
        loop {
            let now = self.shared.clock.now();
            let Err(until) = self.take(group, urgency, now) else {
                return Ok(());
            };
            let wait_ms = until.ms_since(now).max(1);
            if until.ms_since(began) > PERMIT_WAIT_MS_MAX {
                return Err(ReadFailure::Held(wait_ms));
            }
            let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(1));
            tokio::time::sleep(wait).await;
        }
    }

    fn take(&self, group: Group, urgency: Urgency, now: Timestamp) -> Result<(), Timestamp> {
        let share_bps = self.shared.pace.get().share_bps;
        let mut pacing = self.pacing();
        pacing.share(share_bps);
        pacing.take(group, urgency, now)
    }

    /// Measures the exchange's clock at once; without an answer the old offset stays.
    async fn resync(&self) {
        if let Ok(offset) = self.clock_offset().await {
            self.shared.clock.set_offset(offset);
        }
    }

    fn delay(&self, repeats: u32) -> Duration {
        let limits = self.shared.pace.get();
        self.pacing()
            .delay(repeats, limits.delay_ms_base, limits.delay_ms_max)
    }

    /// Returns the pace, which clients made with [`Self::apart`] share.
    pub fn pace(&self) -> pace::Shared {
        self.shared.pace.clone()
    }

    async fn send(&self, request: &Request) -> Result<Raw, ReadFailure> {
        let shared = &self.shared;
        let (method, time_out) = match request.method {
            Method::Get => (reqwest::Method::GET, shared.limits.read),
            Method::Delete => (reqwest::Method::DELETE, shared.limits.cancel),
            // An order has its own port, behind the gate.
            Method::Post => return Err(ReadFailure::Transport),
        };
        let url = format!("{}{}", shared.url, request.target());
        let mut builder = shared.http.request(method, url).timeout(time_out);
        if request.is_private() {
            builder = builder.headers(self.signed()?);
        }
        let mut response = builder.send().await.map_err(|_| ReadFailure::Transport)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok());
        let retry_after_ms = retry_after_ms(retry_after, shared.clock.exchange_now());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| ReadFailure::Transport)? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(ReadFailure::Transport);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Raw {
            status,
            retry_after_ms,
            body,
        })
    }

    fn signed(&self) -> Result<HeaderMap, ReadFailure> {
        let signer = self.shared.keys.current().ok_or(ReadFailure::NoKeys)?;
        let stamp = self.shared.stamps.next();
        let mut headers = HeaderMap::new();
        for (name, value) in signer.rest_headers(stamp.ms).expose() {
            let mut value = HeaderValue::from_str(value).map_err(|_| ReadFailure::NoKeys)?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// A 429: the group is held for as long as the exchange says, and the attempt is paid for.
    fn throttled(&self, group: Group, wait_ms: i64) {
        let shared = &self.shared;
        let now = shared.clock.now();
        self.pacing().throttled(group, now, wait_ms);
        shared.toll.throttled(group);
        shared.metrics.rest_attempt(RestMark::RateLimited, now);
        let (breaker, until) = (shown_as(group), now.plus_ms(wait_ms));
        shared.metrics.breaker_open(breaker, group.as_str(), until);
    }

    /// Counts any other end of an attempt; a success closes the group's breaker once its hold is over.
    fn ended(&self, group: Group, mark: RestMark) {
        let shared = &self.shared;
        let now = shared.clock.now();
        shared.metrics.rest_attempt(mark, now);
        if mark == RestMark::Ok {
            self.pacing().succeeded(group, now);
            shared
                .metrics
                .breaker_closed(shown_as(group), group.as_str(), now);
        } else {
            self.pacing().failed(group);
        }
    }

    /// Refused credentials count while nothing that was signed is accepted in between.
    fn judge_credentials(&self, group: Group, failure: Option<&ReadFailure>) {
        match failure {
            Some(ReadFailure::Answer(ReadError::Unauthorized)) => {
                if self.shared.toll.refused() >= IN_A_ROW_KILL {
                    let now = self.shared.clock.now();
                    self.pacing().throttled(group, now, REFUSED_HOLD_MS);
                }
            }
            None => self.shared.toll.accepted(),
            Some(_) => {}
        }
    }

    fn pacing(&self) -> MutexGuard<'_, Pacing> {
        // Windows stay valid whatever happened to their last user.
        self.shared
            .pacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn http(
    endpoint: &Endpoint,
    tls: &ClientConfig,
    limits: &ReadLimits,
) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .https_only(!endpoint.is_loopback())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .connect_timeout(limits.connect)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(Duration::from_secs(20))
        .build()
}

#[cfg(test)]
#[path = "reads_tests.rs"]
pub(crate) mod tests;
