//! Cancelling by the exchange's own list, without any core: the way out when the order path or the journal is broken.
//!
//! It writes nothing down and follows no order to its end. The one idea: the list is asked until it has shown nothing of
//! ours for longer than a submit may still be on its way, because one that left before the gate shut may rest later.

use crate::clock::Clock;
use crate::driver::reads::Reads;
use engine::ids::AccountTag;
use engine::pacing::Urgency;
use std::time::Duration;
use tokio::sync::watch;

/// Longest time of it, milliseconds: a blocked quota lasts a minute.
const TIME_MS_MAX: i64 = 90_000;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Looks in a row that must show nothing of ours.
const EMPTY_LOOKS: u32 = 6;

/// The way out.
pub(super) struct Emergency<'a> {
    /// Lists and cancels.
    pub reads: &'a Reads,
    /// Whose orders are ours.
    pub tag: AccountTag,
    /// Time.
    pub clock: &'a Clock,
    /// Turns true when somebody does not want to wait any longer.
    pub hurry: watch::Receiver<bool>,
}

impl Emergency<'_> {
    /// Cancels until the list stays empty of ours, the time is over or somebody is in a hurry.
    pub(super) async fn cancel_by_list(&self) {
        let start = self.clock.now();
        let mut empty = 0;
        while empty < EMPTY_LOOKS {
            let is_late = self.clock.now().ms_since(start) >= TIME_MS_MAX;
            if is_late || *self.hurry.borrow() {
                tracing::error!(event = "emergency_given_up", is_late);
                return;
            }
            empty = if self.look().await { empty + 1 } else { 0 };
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One look, and a cancel for each of our orders that it shows. Returns whether it shows none.
    async fn look(&self) -> bool {
        let Ok(rows) = self.reads.open_orders().await else {
            tracing::error!(event = "emergency_list_failed");
            return false;
        };
        let mut is_empty = true;
        for row in rows {
            if row.client_id.is_some_and(|id| id.tag() == self.tag) {
                is_empty = false;
                let reply = self.reads.delete_order(row.id, Urgency::Reserved).await;
                tracing::error!(event = "emergency_cancel", order_id = %row.id, reply = ?reply);
            }
        }
        is_empty
    }
}
