//! The order port: spends each approval on at most one POST and reports exactly one outcome for it.
//!
//! It decides nothing about trading and repeats nothing. The one idea (X-01, I1): whoever hands in an approval hears
//! of it once, whatever breaks, and hears "not sent" only where not one byte left this process.

use crate::clock::{Clock, StampSource};
use crate::driver::Keys;
use crate::driver::endpoint::{Endpoint, EndpointError};
use crate::driver::gated::Permit;
use crate::driver::line::{Line, LineLimits, PostError, Reply};
use crate::driver::pace;
use crate::driver::quotas;
use crate::gate::{Gate, Pass};
use btcturk::classify;
use btcturk::rest::quota::Group;
use btcturk::rest::{RATE_LIMIT_WAIT_MS, request};
use btcturk::retry_after::retry_after_ms;
use config::arming::Armed;
use engine::answer::{NotSent, SubmitOutcome, UnknownCause};
use engine::approved::Approved;
use engine::ids::ClientId;
use engine::intent::NewOrder;
use engine::pacing::{Limits, Urgency};
use engine::time::Timestamp;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use rustls::ClientConfig;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Orders that may wait for the line; one more is answered `RateLimited` at once.
pub const LANE_MAX: usize = 64;

/// What became of one approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Which order.
    pub client_id: ClientId,
    /// Its outcome.
    pub outcome: SubmitOutcome,
    /// From hand-over to outcome, milliseconds.
    pub took_ms: i64,
    /// The HTTP status, if a reply came.
    pub status: Option<u16>,
    /// How long the exchange wants no more orders, milliseconds, if it said 429.
    pub retry_after_ms: Option<i64>,
    /// From the book that it was decided on to its first byte, microseconds, if it came that far.
    pub sent_after_us: Option<i64>,
}

type Report = dyn Fn(Submitted) + Send + Sync;

/// What a port is made of.
pub struct PortParts {
    /// TLS for the address that was armed.
    pub tls: Arc<ClientConfig>,
    /// The key pair that signs.
    pub keys: Keys,
    /// Stamps; shared with every other client of the same key.
    pub stamps: StampSource,
    /// The gate that is asked on each first byte.
    pub gate: Gate,
    /// The clock of permits.
    pub clock: Clock,
    /// Time limits.
    pub limits: LineLimits,
    /// How fast orders may leave.
    pub pace: pace::Shared,
}

/// Takes approvals. Cheap to clone; the line closes when the last clone is gone.
#[derive(Clone)]
pub struct SubmitPort {
    lane: mpsc::Sender<Job>,
    gate: Gate,
    clock: Clock,
    report: Arc<Report>,
}

impl SubmitPort {
    /// Starts the port's task on the current runtime; it connects to the address that was armed and to no other.
    /// `report` is called once for each approval, from that task or from within [`Self::submit`]; it must not block.
    ///
    /// # Errors
    /// Those of [`Endpoint::parse`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the permission is spent: one start, one port"
    )]
    pub fn start(
        armed: Armed,
        parts: PortParts,
        report: impl Fn(Submitted) + Send + Sync + 'static,
    ) -> Result<Self, EndpointError> {
        let endpoint = Endpoint::parse(armed.base_url())?;
        let (lane, jobs) = mpsc::channel(LANE_MAX);
        let port = Self {
            lane,
            gate: parts.gate.clone(),
            clock: parts.clock.clone(),
            report: Arc::new(report),
        };
        tokio::spawn(Worker::new(endpoint, parts).run(jobs));
        Ok(port)
    }

    /// Spends an approval: sends its order once, with a stamp of at most `stamp_max`, and reports what became of it.
    pub fn submit(&self, order: Approved<NewOrder>, stamp_max: Timestamp) {
        let expires_at = order.expires_at();
        self.enqueue(order.spend(), expires_at, stamp_max);
    }

    fn enqueue(&self, order: NewOrder, expires_at: Timestamp, stamp_max: Timestamp) {
        let job = Job {
            order,
            pass: self.gate.pass(),
            expires_at,
            stamp_max,
            handed_at: self.clock.now(),
            clock: self.clock.clone(),
            verdict: Verdict::not_sent(NotSent::NoPort),
            report: Some(Arc::clone(&self.report)),
        };
        match self.lane.try_send(job) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(job)) => {
                job.settle(Verdict::not_sent(NotSent::RateLimited))
            }
            Err(mpsc::error::TrySendError::Closed(job)) => {
                job.settle(Verdict::not_sent(NotSent::NoPort))
            }
        }
    }
}

/// An outcome with what is known of its reply.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    outcome: SubmitOutcome,
    status: Option<u16>,
    retry_after_ms: Option<i64>,
    sent_after_us: Option<i64>,
}

impl Verdict {
    const fn of(outcome: SubmitOutcome) -> Self {
        Self {
            outcome,
            status: None,
            retry_after_ms: None,
            sent_after_us: None,
        }
    }

    const fn not_sent(why: NotSent) -> Self {
        Self::of(SubmitOutcome::NotSent(why))
    }
}

/// One approval on its way. Dropping it reports its standing verdict, so that none is ever lost.
struct Job {
    order: NewOrder,
    pass: Option<Pass>,
    expires_at: Timestamp,
    stamp_max: Timestamp,
    handed_at: Timestamp,
    clock: Clock,
    verdict: Verdict,
    report: Option<Arc<Report>>,
}

impl Job {
    fn settle(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            report(Submitted {
                client_id: self.order.client_id,
                outcome: self.verdict.outcome,
                took_ms: self.clock.now().ms_since(self.handed_at),
                status: self.verdict.status,
                retry_after_ms: self.verdict.retry_after_ms,
                sent_after_us: self.verdict.sent_after_us,
            });
        }
    }
}

/// Owns the line and serves one job at a time.
struct Worker {
    line: Line,
    authority: HeaderValue,
    prefix: String,
    keys: Keys,
    stamps: StampSource,
    clock: Clock,
    pace: pace::Shared,
    share_bps: i64,
    limits: Limits,
}

impl Worker {
    fn new(endpoint: Endpoint, parts: PortParts) -> Self {
        let authority = HeaderValue::from_str(&endpoint.authority())
            .expect("an endpoint's authority came out of a URL");
        Self {
            authority,
            prefix: endpoint.path().to_owned(),
            line: Line::new(
                endpoint,
                parts.tls,
                parts.gate,
                parts.clock.clone(),
                parts.limits,
            ),
            keys: parts.keys,
            stamps: parts.stamps,
            clock: parts.clock,
            share_bps: parts.pace.get().share_bps,
            limits: quotas::limits(Group::OrderInsert, parts.pace.get().share_bps),
            pace: parts.pace,
        }
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            tokio::select! {
                biased;
                job = jobs.recv() => match job {
                    Some(job) => self.serve(job).await,
                    None => return,
                },
                () = self.line.idle() => {}
            }
        }
    }

    async fn serve(&mut self, mut job: Job) {
        // From here on a panic or an abort leaves an order whose fate nobody can tell.
        job.verdict = Verdict::of(SubmitOutcome::Unknown(UnknownCause::ConnectionLost));
        let verdict = self.judge(&job).await;
        if let Some(pause_ms) = verdict.retry_after_ms {
            self.limits.hold(self.clock.now().plus_ms(pause_ms));
        }
        job.settle(verdict);
    }

    /// A reload may have changed how much of the quota is ours.
    fn follow_pace(&mut self) {
        let share_bps = self.pace.get().share_bps;
        if share_bps != self.share_bps {
            self.share_bps = share_bps;
            let limits = quotas::limits(Group::OrderInsert, share_bps);
            self.limits.renew(limits);
        }
    }

    async fn judge(&mut self, job: &Job) -> Verdict {
        let Some(pass) = job.pass else {
            return Verdict::not_sent(NotSent::GateClosed);
        };
        let now = self.clock.now();
        self.follow_pace();
        if self.limits.try_take(now, Urgency::Ordinary).is_err() {
            return Verdict::not_sent(NotSent::RateLimited);
        }
        let permit = Permit {
            pass,
            expires_at: job.expires_at,
        };
        let mut sent_after_us = None;
        let signing = Signing {
            keys: &self.keys,
            stamps: &self.stamps,
            authority: &self.authority,
            prefix: &self.prefix,
        };
        let make = || {
            let request = signing.request(job)?;
            sent_after_us = Some(self.clock.now().0 - job.order.intent.at.0);
            Ok(request)
        };
        let posted = self.line.post(permit, make).await;
        let verdict = match posted {
            Ok(reply) => of_reply(&reply, &job.order, self.clock.exchange_now()),
            Err(PostError::NotSent(why)) => Verdict::not_sent(why),
            Err(PostError::Unknown(cause)) => Verdict::of(SubmitOutcome::Unknown(cause)),
        };
        Verdict {
            sent_after_us,
            ..verdict
        }
    }
}

/// What signs a request.
struct Signing<'a> {
    keys: &'a Keys,
    stamps: &'a StampSource,
    authority: &'a HeaderValue,
    prefix: &'a str,
}

impl Signing<'_> {
    /// Stamps and signs; the stamp is taken here, on the line before it is used, and refused beyond its maximum.
    fn request(&self, job: &Job) -> Result<Request<Full<Bytes>>, NotSent> {
        let signer = self.keys.current().ok_or(NotSent::NoPort)?;
        let (intent, id) = (&job.order.intent, job.order.client_id.to_string());
        let (symbol, side) = (intent.symbol, intent.side);
        let post = request::submit(&id, symbol, side, intent.limit, intent.qty);
        let target = format!("{}{}", self.prefix, post.target());
        let body = Bytes::from(post.body.unwrap_or_default());
        let stamp = self.stamps.next();
        if stamp.fell_back {
            // the stamps had run ahead of the clock further than one may trust.
            tracing::warn!(event = "stamp_fell_back", client_order_id = %id);
        }
        if stamp.ms > job.stamp_max.ms() {
            return Err(NotSent::Expired);
        }
        let mut request = Request::post(target)
            .header(HOST, self.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, body.len());
        for (name, value) in signer.rest_headers(stamp.ms).expose() {
            let mut value = HeaderValue::from_str(value).map_err(|_| NotSent::NoPort)?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body));
        Ok(request.expect("every part of the request was made of checked values"))
    }
}

fn of_reply(reply: &Reply, order: &NewOrder, exchange_now: Timestamp) -> Verdict {
    let id = order.client_id.to_string();
    let pause_ms = retry_after_ms(reply.retry_after.as_deref(), exchange_now);
    let is_quota = reply.status == 429;
    Verdict {
        outcome: classify::submit_outcome(reply.status, &reply.body, &id),
        status: Some(reply.status),
        retry_after_ms: is_quota.then(|| pause_ms.unwrap_or(RATE_LIMIT_WAIT_MS)),
        sent_after_us: None,
    }
}

#[cfg(test)]
#[path = "submit_tests.rs"]
mod tests;
