//! The thread that posts: one event at a time, in order, signed, repeated until somebody took it.
//!
//! It decides nothing about what is told. A refusal of the receiver ends an event, anything else is tried again later.

use super::{Hook, Item, Shared};
use crate::metrics::Delivery;
use crate::post::{Post, Posted, REQUEST_TIME_MAX};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// Wait behind the first failure; doubled by each further one.
const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// Longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Longest wait of the end of the process for what is left.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);
/// How a body is encoded.
const JSON: &str = "application/json";
/// Client errors that somebody can mend at the receiver: credentials, an address, a pause.
const MENDABLE: [u16; 6] = [401, 403, 404, 408, 425, 429];

/// Delivers from the queue.
struct Sender {
    shared: Arc<Shared>,
    hook: Hook,
    post: Post,
}

/// A running sender.
pub(super) struct SenderThread {
    close: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl SenderThread {
    /// Starts the thread; it connects to nothing before the first event.
    ///
    /// # Errors
    /// The client, the runtime or the thread cannot be made.
    pub(super) fn start(shared: Arc<Shared>, hook: Hook) -> io::Result<Self> {
        let post = Post::new(&hook.url, "").map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let sender = Sender { shared, hook, post };
        let (close, closing) = watch::channel(false);
        let thread = std::thread::Builder::new().name("outbox".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(sender.run(closing));
            // A name that is still being resolved must not keep the process.
            runtime.shutdown_background();
        })?;
        Ok(Self { close, thread })
    }

    /// Ends the thread, once what waits is delivered or the time for it is over.
    pub(super) fn finish(self) {
        self.close.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!(event = "outbox_panicked");
        }
    }
}

impl Sender {
    async fn run(self, closing: watch::Receiver<bool>) {
        let mut asked = closing.clone();
        let too_late = async {
            // Its other end lives until this thread has ended.
            let _ = asked.changed().await;
            tokio::time::sleep(CLOSE_TIME_MAX).await;
        };
        tokio::select! {
            biased;
            () = self.deliver(closing) => {}
            () = too_late => {}
        }
    }

    /// Delivers until the end is asked for and nothing waits.
    async fn deliver(&self, mut closing: watch::Receiver<bool>) {
        loop {
            // Read first: whatever was told before the end was asked for is seen by the flush behind it.
            let is_last = *closing.borrow_and_update();
            self.flush(&mut closing).await;
            if is_last {
                return;
            }
            tokio::select! {
                biased;
                () = self.shared.wake.notified() => {}
                _ = closing.changed() => {}
            }
        }
    }

    /// Delivers until nothing waits.
    async fn flush(&self, closing: &mut watch::Receiver<bool>) {
        let mut wait = BACKOFF_BASE;
        while let Some(item) = self.shared.head() {
            let how = self.attempt(&item).await;
            self.shared.ended(item.sequence, how);
            match how {
                Delivery::Taken | Delivery::Refused => wait = BACKOFF_BASE,
                Delivery::Failed => {
                    // The end of the process is worth one attempt at once.
                    let _ = tokio::time::timeout(wait, closing.changed()).await;
                    wait = BACKOFF_MAX.min(wait * 2);
                }
            }
        }
    }

    async fn attempt(&self, item: &Item) -> Delivery {
        let signature = self.hook.key.sign(item.body.as_bytes());
        let headers = [
            ("x-btcbot-sequence", item.sequence.to_string()),
            ("x-btcbot-signature", format!("sha256={signature}")),
        ];
        let body = item.body.clone().into_bytes();
        judge(self.post.send(JSON, &headers, body, REQUEST_TIME_MAX).await)
    }
}

/// A refusal for good is one of this event; every other answer may change.
fn judge(posted: Posted) -> Delivery {
    match posted {
        Posted::Taken => Delivery::Taken,
        Posted::Refused(status) if (400..500).contains(&status) && !MENDABLE.contains(&status) => {
            Delivery::Refused
        }
        Posted::Refused(_) | Posted::Failed => Delivery::Failed,
    }
}
