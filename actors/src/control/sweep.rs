//! Cancelling by the exchange's own list: what is listed is asked to go, until it is not listed any more.
//!
//! It knows no core and no journal, so it works where those are stuck, damaged or absent. A cancel that is repeated
//! does no harm; an answer to one is never taken for the order's end.

use crate::clock::Clock;
use crate::driver::read_failure::ReadFailure;
use crate::driver::reads::Reads;
use engine::answer::{CancelReply, OrderRow};
use engine::ids::OrderId;
use engine::pacing::Urgency;
use engine::time::Timestamp;
use std::collections::BTreeMap;

/// Least time between two cancels of one order, milliseconds.
const AGAIN_MS: i64 = 3_000;

/// Cancels, each no more often than is useful.
pub struct Sweep {
    reads: Reads,
    clock: Clock,
    /// When an order may be asked to go again; as many as were listed.
    again_at: BTreeMap<OrderId, Timestamp>,
}

impl Sweep {
    /// Makes a sweep that has asked for nothing.
    pub const fn new(reads: Reads, clock: Clock) -> Self {
        Self {
            reads,
            clock,
            again_at: BTreeMap::new(),
        }
    }

    /// Reads the open orders of the account.
    ///
    /// # Errors
    /// Any [`ReadFailure`]: nothing is known then.
    pub async fn open(&self) -> Result<Vec<OrderRow>, ReadFailure> {
        self.reads.open_orders().await
    }

    /// Asks for a cancel of each order that was not asked for a moment ago.
    pub async fn cancel(&mut self, orders: &[OrderId]) {
        for id in orders.iter().copied() {
            let is_due = (self.again_at.get(&id)).is_none_or(|at| *at <= self.clock.now());
            if is_due {
                let reply = self.reads.delete_order(id, Urgency::Reserved).await;
                tracing::info!(event = "cancel_by_list", order_id = %id, reply = ?reply);
                let wait_ms = match reply {
                    CancelReply::RateLimited(wait_ms) => wait_ms,
                    CancelReply::Acknowledged
                    | CancelReply::LookUp
                    | CancelReply::Blocked
                    | CancelReply::Unauthorized
                    | CancelReply::Failed => AGAIN_MS,
                };
                let again_at = self.clock.now().plus_ms(wait_ms);
                self.again_at.insert(id, again_at);
            }
        }
    }

    /// Returns how many orders were asked to go.
    pub fn asked(&self) -> usize {
        self.again_at.len()
    }
}
