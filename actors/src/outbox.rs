//! News for the operator's webhook: a bounded queue, and a thread that posts from it.
//!
//! Business events, not alerts: those come from metrics. The one idea: whoever tells never waits. What does not fit is
//! dropped by rule and counted, and a receiver that is dead costs a bounded queue and nothing else. Delivery is at least
//! once within a run: each event carries an id and a number, so that a receiver knows a repeated one and sees a gap.

mod news;
mod sender;

use crate::clock::Clock;
use crate::metrics::{Delivery, Metrics, Severity};
use crate::observer::{Observed, Watcher};
use crate::status::Status;
use config::endpoint::Endpoint;
use config::secret_hook::HookKey;
use news::Reporter;
use sender::SenderThread;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Events that may wait.
pub const ITEMS_MAX: usize = 512;
/// Longest event, bytes; a longer one is told without its data. All that wait are at most 1 MiB.
pub const BODY_BYTES_MAX: usize = 2_048;

/// An event that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    /// Counts from 1 in each run.
    sequence: u64,
    /// How much is lost with it.
    severity: Severity,
    /// One JSON object.
    body: String,
}

/// What waits, oldest first.
#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Events so far.
    told: u64,
}

impl Queue {
    /// Takes an event, and returns what was dropped for it. A full queue drops its oldest info; one that is full of
    /// critical events keeps them, because the first of them tell the cause, and drops the one that comes.
    fn put(&mut self, item: Item) -> Option<Severity> {
        let mut dropped = None;
        if self.items.len() >= ITEMS_MAX {
            let is_info = |item: &Item| item.severity == Severity::Info;
            let Some(at) = self.items.iter().position(is_info) else {
                return Some(item.severity);
            };
            self.items.remove(at);
            dropped = Some(Severity::Info);
        }
        self.items.push_back(item);
        dropped
    }

    /// Takes an event out that was delivered, or never will be.
    fn done(&mut self, sequence: u64) {
        self.items.retain(|item| item.sequence != sequence);
    }
}

/// Who tells.
#[derive(Clone, Debug)]
pub struct Teller {
    /// The run.
    pub run_id: String,
    /// The account's tag in client ids.
    pub account: String,
}

/// Where events go.
pub struct Hook {
    /// The address.
    pub url: Endpoint,
    /// Signs each body.
    pub key: Arc<HookKey>,
}

/// What tellers and the sender share.
struct Shared {
    queue: Mutex<Queue>,
    wake: Notify,
    metrics: Metrics,
    clock: Clock,
    teller: Teller,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A queue is whole between any two of its calls, whoever panicked.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head(&self) -> Option<Item> {
        self.queue().items.front().cloned()
    }

    /// Counts an attempt; all but a failed one take the event out.
    fn ended(&self, sequence: u64, how: Delivery) {
        self.metrics.event_ended(how);
        if how != Delivery::Failed {
            let mut queue = self.queue();
            queue.done(sequence);
            self.metrics.events_waiting(queue.items.len());
        }
    }

    /// Queues an event. What it pushes out of a full queue is counted.
    fn tell(&self, event: &str, severity: Severity, data: Value) {
        let mut queue = self.queue();
        queue.told += 1;
        let sequence = queue.told;
        let body = self.body(event, severity, sequence, data);
        let dropped = queue.put(Item {
            sequence,
            severity,
            body,
        });
        if let Some(dropped) = dropped {
            self.metrics.event_dropped(dropped);
        }
        self.metrics.events_waiting(queue.items.len());
        drop(queue);
        self.wake.notify_one();
    }

    fn body(&self, event: &str, severity: Severity, sequence: u64, data: Value) -> String {
        let Teller { run_id, account } = &self.teller;
        let mut told = json!({
            "schema": "btcbot.event/v1",
            "id": format!("{run_id}-{sequence}"),
            "sequence": sequence,
            "event": event,
            "severity": severity.as_str(),
            "at_us": self.clock.now().0,
            "run_id": run_id,
            "account": account,
            "data": data,
        });
        let body = told.to_string();
        if body.len() <= BODY_BYTES_MAX {
            return body;
        }
        told["data"] = json!({"too_long": body.len()});
        told.to_string()
    }
}

/// An outbox whose events are delivered until it is closed.
pub struct Outbox {
    shared: Arc<Shared>,
    thread: SenderThread,
}

impl Outbox {
    /// Starts the thread that delivers. Nothing is sent before the first event.
    ///
    /// # Errors
    /// The system gives no client, no runtime or no thread.
    pub fn open(hook: Hook, metrics: Metrics, clock: Clock, teller: Teller) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Notify::new(),
            metrics,
            clock,
            teller,
        });
        let thread = SenderThread::start(Arc::clone(&shared), hook)?;
        Ok(Self { shared, thread })
    }

    /// Tells an event, without waiting for anybody.
    pub fn tell(&self, event: &str, severity: Severity, data: Value) {
        self.shared.tell(event, severity, data);
    }

    /// Returns what tells the news out of a run's reports.
    pub fn watcher(&self) -> Watcher {
        let reporter = Reporter::new(Arc::clone(&self.shared));
        Arc::new(move |observed: &Observed, status: &Status| reporter.take(observed, status))
    }

    /// Delivers what waits, for two seconds at most, and ends the thread.
    pub fn close(self) {
        self.thread.finish();
    }
}

#[cfg(test)]
mod tests;
