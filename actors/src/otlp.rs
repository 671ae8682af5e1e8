//! OTLP over HTTP: the figures of `/metrics`, and one trace for each order, pushed every ten seconds.
//!
//! It runs on a thread of its own and sees what the Metrics actor sees. Nothing waits for it: a full queue and a
//! receiver that does not answer cost spans and pushes, which are counted. The one idea: metrics are what `/metrics`
//! shows at that moment, read from the same text, so that the two cannot differ.

mod exposition;
mod trace;
mod wire;

use crate::clock::Clock;
use crate::metrics::{Metrics, Pushed};
use crate::observer::Watcher;
use crate::post::{Post, Posted, REQUEST_TIME_MAX};
use config::endpoint::Endpoint;
use prost::Message;
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use trace::{Span, Traces};
pub use wire::Resource;

/// Spans that may wait; those of one more order are dropped and counted.
pub const SPANS_MAX: usize = 2_048;
/// Time between two pushes.
const EVERY: Duration = Duration::from_secs(10);
/// Spans of one request.
const BATCH_SPANS: usize = 512;
/// Longest request of the push at the end.
const LAST_REQUEST_TIME_MAX: Duration = Duration::from_millis(900);
/// Longest wait for the thread at the end.
const STOP_TIME_MAX: Duration = Duration::from_secs(2);
/// How a body is encoded.
const PROTOBUF: &str = "application/x-protobuf";

/// What the exporter works with.
pub struct OtlpParts {
    /// Where to push; the paths of the signals are added.
    pub endpoint: Endpoint,
    /// What is pushed, and where losses are counted.
    pub metrics: Metrics,
    /// Time.
    pub clock: Clock,
    /// Who pushes.
    pub resource: Resource,
}

/// The exporter cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The TLS configuration is refused.
    #[error("the OTLP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    /// The system gives no thread.
    #[error("the OTLP thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Spans on their way, bounded.
#[derive(Default)]
struct Queue(Mutex<VecDeque<Span>>);

impl Queue {
    /// Takes the spans of one order, all or none; returns how many were dropped.
    fn put(&self, spans: Vec<Span>) -> u64 {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() + spans.len() > SPANS_MAX {
            return spans.len() as u64;
        }
        queue.extend(spans);
        0
    }

    fn take(&self) -> Vec<Span> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.len().min(BATCH_SPANS);
        queue.drain(..count).collect()
    }
}

/// A running exporter.
pub struct Exporter {
    stop: watch::Sender<bool>,
    done: Receiver<()>,
}

impl Exporter {
    /// Pushes what is left and waits for that, two seconds at most.
    pub fn stop(self) {
        self.stop.send_replace(true);
        // Later than that the rest is lost, as it is with a receiver that does not answer.
        let _ = self.done.recv_timeout(STOP_TIME_MAX);
    }
}

/// Starts the exporter; returns it with what shows it the reports.
///
/// # Errors
/// The client or the thread cannot be made.
pub fn start(parts: OtlpParts) -> Result<(Exporter, Watcher), OtlpError> {
    let queue = Arc::new(Queue::default());
    let pusher = Pusher {
        metrics_to: Post::new(&parts.endpoint, "/v1/metrics")?,
        traces_to: Post::new(&parts.endpoint, "/v1/traces")?,
        queue: Arc::clone(&queue),
        metrics: parts.metrics.clone(),
        clock: parts.clock,
        resource: parts.resource.clone(),
    };
    let (stop, stopping) = watch::channel(false);
    let (tell, done) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("otlp".to_owned())
        .spawn(move || {
            match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime.block_on(pusher.run(stopping)),
                Err(error) => tracing::error!(event = "otlp_not_started", error = %error),
            }
            // Nobody may wait for it any more.
            let _ = tell.send(());
        })?;
    Ok((
        Exporter { stop, done },
        watcher(queue, parts.metrics, &parts.resource),
    ))
}

/// Turns reports into spans; called by the Metrics actor for each of them.
fn watcher(queue: Arc<Queue>, metrics: Metrics, resource: &Resource) -> Watcher {
    let traces = Mutex::new(Traces::new(&resource.run_id));
    Arc::new(move |observed, status| {
        let mut traces = traces.lock().unwrap_or_else(PoisonError::into_inner);
        let (spans, lost) = traces.take(observed, status);
        let dropped = lost + queue.put(spans);
        if dropped > 0 {
            metrics.otlp_dropped(Pushed::Traces, dropped);
        }
    })
}

/// The thread's own.
struct Pusher {
    metrics_to: Post,
    traces_to: Post,
    queue: Arc<Queue>,
    metrics: Metrics,
    clock: Clock,
    resource: Resource,
}

impl Pusher {
    async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut timer = tokio::time::interval(EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        timer.tick().await;
        loop {
            let push = async {
                timer.tick().await;
                self.push(REQUEST_TIME_MAX).await;
            };
            tokio::select! {
                biased;
                // Its sender ends with the process.
                _ = stopping.changed() => break,
                () = push => {}
            }
        }
        self.push(LAST_REQUEST_TIME_MAX).await;
    }

    async fn push(&self, within: Duration) {
        tokio::join!(self.push_metrics(within), self.push_spans(within));
    }

    async fn push_metrics(&self, within: Duration) {
        let now = self.clock.now();
        let families = exposition::read(&self.metrics.render(now));
        let body = wire::metrics(&self.resource, families, now).encode_to_vec();
        let posted = self.metrics_to.send(PROTOBUF, &[], body, within).await;
        if posted != Posted::Taken {
            self.metrics.otlp_dropped(Pushed::Metrics, 1);
            tracing::debug!(event = "otlp_not_pushed", signal = "metrics", how = ?posted);
        }
    }

    async fn push_spans(&self, within: Duration) {
        loop {
            let spans = self.queue.take();
            if spans.is_empty() {
                return;
            }
            let count = spans.len();
            let body = wire::spans(&self.resource, spans).encode_to_vec();
            let posted = self.traces_to.send(PROTOBUF, &[], body, within).await;
            if posted != Posted::Taken {
                self.metrics.otlp_dropped(Pushed::Traces, count as u64);
                tracing::debug!(event = "otlp_not_pushed", signal = "traces", how = ?posted);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_the_spans_of_an_order_as_a_whole() {
        let queue = Queue::default();
        let spans = |count: usize| vec![Span::default(); count];
        assert_eq!(queue.put(spans(SPANS_MAX - 3)), 0);
        assert_eq!(queue.put(spans(6)), 6);
        assert_eq!(queue.put(spans(3)), 0);
        assert_eq!(queue.take().len(), BATCH_SPANS);
        assert_eq!(queue.put(spans(6)), 0);
    }
}
