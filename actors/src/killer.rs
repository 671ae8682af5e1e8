//! The killer: a thread that cancels every own order by itself while the kill switch is on.
//!
//! A plain OS thread with a runtime and connections of its own, so that it works with every arbiter, mailbox and the
//! journal stuck. It writes nothing down and believes only the exchange's list. Repeating a cancel does no harm, and
//! the router cancels as well while it lives.

mod round;

use crate::beats::{Beat, Beats};
use crate::clock::Clock;
use crate::driver::read_failure::ReadFailure;
use crate::driver::reads::Reads;
use crate::gate::{Flag, Gate};
use crate::open_ids::OpenIds;
use btcturk::rest::ReadError;
use engine::answer::CancelReply;
use engine::ids::{AccountTag, OrderId};
use engine::pacing::Urgency;
use engine::router::absence::STAMP_HORIZON_MS;
use engine::time::Timestamp;
use round::Round;
use std::collections::BTreeMap;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Time between two looks at the gate.
const LOOK: Duration = Duration::from_millis(10);
/// Time between two cancels of the engine's own killer: 8 a second.
pub const SPACING: Duration = Duration::from_millis(125);
/// An order whose cancel was acknowledged is not asked again for this long, milliseconds.
const AGAIN_MS: i64 = 5_000;
/// A list counts as empty only this long behind the trip, milliseconds: a submit on the wire is accepted until its
/// stamp's horizon, and is listed a moment later.
const QUIET_MS: i64 = STAMP_HORIZON_MS + 500;

/// What the killer works with.
pub struct Killer {
    /// The gate; only looked at.
    pub gate: Gate,
    /// Lists and cancels, on connections of its own.
    pub reads: Reads,
    /// Numbers that the router knows as open.
    pub ids: OpenIds,
    /// Whose orders are ours.
    pub tag: AccountTag,
    /// Time between two cancels.
    pub spacing: Duration,
    /// Time.
    pub clock: Clock,
    /// Signs of life.
    pub beats: Beats,
}

/// A running killer.
pub struct KillerThread {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Killer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread, no runtime or no event queue.
    pub fn start(self) -> io::Result<KillerThread> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let beats = self.beats.clone();
        let work = move || {
            runtime.block_on(async {
                tokio::spawn(beats.clone().keep(Beat::Killer));
                tokio::select! {
                    biased;
                    // An error means that the handle is gone, which is the same wish.
                    _ = stopped => {}
                    () = self.run() => {}
                }
            });
            // A look-up of a name that hangs must not hold up the end.
            runtime.shutdown_background();
            beats.rest(Beat::Killer);
        };
        let thread = std::thread::Builder::new()
            .name("killer".to_owned())
            .spawn(work)?;
        Ok(KillerThread { stop, thread })
    }

    async fn run(self) {
        loop {
            while !self.is_killed() {
                tokio::time::sleep(LOOK).await;
            }
            tracing::error!(event = "killer_begins");
            self.cancel_all().await;
            tracing::warn!(event = "killer_rests");
        }
    }

    fn is_killed(&self) -> bool {
        self.gate.is_raised(Flag::Kill)
    }

    /// Cancels for as long as the kill lasts.
    async fn cancel_all(&self) {
        let mut round = Round::new(self.clock.now().plus_ms(QUIET_MS));
        let mut acknowledged = BTreeMap::new();
        self.cancel(self.ids.all(), &mut acknowledged, &mut round)
            .await;
        self.synchronise().await;
        while self.is_killed() {
            let asked_at = self.clock.now();
            match self.own_orders().await {
                Ok(own) => {
                    round.listed(asked_at, own.is_empty());
                    self.cancel(own, &mut acknowledged, &mut round).await;
                }
                Err(ReadFailure::Answer(ReadError::Unauthorized)) => {
                    round.refused();
                    self.synchronise().await;
                }
                Err(error) => tracing::error!(event = "killer_list_failed", error = %error),
            }
            self.pause(round.pause()).await;
        }
    }

    /// Waits, but no longer than the kill lasts; `None` waits for its end.
    async fn pause(&self, pause: Option<Duration>) {
        let until = pause.map(|pause| {
            let ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
            self.clock.now().plus_ms(ms)
        });
        while self.is_killed() && until.is_none_or(|until| self.clock.now() < until) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The arbiters' measurement may be old, and a wrong stamp is refused.
    async fn synchronise(&self) {
        if let Ok(offset) = self.reads.clock_offset().await {
            self.clock.set_offset(offset);
        }
    }

    async fn own_orders(&self) -> Result<Vec<OrderId>, ReadFailure> {
        let rows = self.reads.open_orders().await?;
        let is_own = |id: engine::ids::ClientId| id.tag() == self.tag;
        let own = rows.iter().filter(|row| row.client_id.is_some_and(is_own));
        Ok(own.map(|row| row.id).collect())
    }

    /// Sends the cancels at their spacing, none waiting for the answer of the one before.
    async fn cancel(
        &self,
        orders: Vec<OrderId>,
        acknowledged: &mut BTreeMap<OrderId, Timestamp>,
        round: &mut Round,
    ) {
        let now = self.clock.now();
        acknowledged.retain(|_, at| now.ms_since(*at) < AGAIN_MS);
        let mut waiting = JoinSet::new();
        for id in orders {
            if acknowledged.contains_key(&id) {
                continue;
            }
            if !waiting.is_empty() {
                tokio::time::sleep(self.spacing).await;
            }
            let reads = self.reads.clone();
            waiting.spawn(async move { (id, reads.delete_order(id, Urgency::Reserved).await) });
        }
        while let Some(answered) = waiting.join_next().await {
            let Ok((id, reply)) = answered else { continue };
            tracing::error!(event = "killer_cancel", order_id = %id, reply = ?reply);
            match reply {
                CancelReply::Acknowledged | CancelReply::LookUp => {
                    acknowledged.insert(id, self.clock.now());
                }
                CancelReply::Unauthorized => round.refused(),
                CancelReply::RateLimited(_) | CancelReply::Blocked | CancelReply::Failed => {}
            }
        }
    }
}

impl KillerThread {
    /// Ends the thread; a cancel on the wire may still arrive.
    pub fn stop(self) {
        // The thread may have ended by itself; then its panic was reported.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}
