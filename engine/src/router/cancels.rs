//! Cancels: asked once, repeated until they count, never taken for an outcome.
//!
//! A cancel's answer says that the exchange took note. What became of the order is said by its row and its trades.

use super::entry::{Cancelling, Entry};
use super::{LOOK_AGAIN_MS, LOOK_SOON_MS, OrderRouter};
use crate::answer::CancelReply;
use crate::core::Outbox;
use crate::ids::ClientId;
use crate::intent::CancelReason;
use crate::msg::RouterEffect;
use crate::record::Record;
use crate::time::Timestamp;

impl OrderRouter {
    pub(super) fn cancel(
        &mut self,
        now: Timestamp,
        id: ClientId,
        reason: CancelReason,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(entry) = self
            .memory
            .entries
            .get_mut(&id)
            .filter(|entry| entry.is_living())
        else {
            return;
        };
        if entry.cancelling.is_some() {
            return;
        }
        entry.cancelling = Some(Cancelling {
            retry_at: Some(now),
        });
        entry.view.cancel_asked = true;
        out.push(RouterEffect::Persist(
            Record::CancelAsked {
                client_id: id,
                reason,
                at: now,
            },
            None,
        ));
        self.delete_if_due(now, id, out);
        self.tell(id, out);
    }

    /// An order without a number cannot be cancelled: it is found first.
    pub(super) fn delete_if_due(
        &mut self,
        now: Timestamp,
        id: ClientId,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(entry) = self.memory.entries.get_mut(&id) else {
            return;
        };
        let (Some(cancelling), Some(order_id)) = (entry.cancelling, entry.view.order_id) else {
            return;
        };
        if cancelling.retry_at.is_some_and(|at| at <= now) {
            entry.cancelling = Some(Cancelling { retry_at: None });
            entry.touched_at = now;
            out.push(RouterEffect::Delete(id, order_id));
        }
    }

    pub(super) fn cancel_reply(
        &mut self,
        now: Timestamp,
        id: ClientId,
        reply: CancelReply,
        out: &mut Outbox<RouterEffect>,
    ) {
        let retry_ms = self.settings.cancel_retry_ms;
        let is_asked = |entry: &&mut Entry| entry.is_living() && entry.cancelling.is_some();
        let Some(entry) = self.memory.entries.get_mut(&id).filter(is_asked) else {
            return;
        };
        let again_ms = match reply {
            CancelReply::Acknowledged | CancelReply::LookUp => retry_ms.max(LOOK_AGAIN_MS),
            CancelReply::Blocked | CancelReply::Unauthorized | CancelReply::Failed => retry_ms,
            CancelReply::RateLimited(wait_ms) => wait_ms,
        };
        entry.cancelling = Some(Cancelling {
            retry_at: Some(now.plus_ms(again_ms)),
        });
        match reply {
            CancelReply::Acknowledged | CancelReply::LookUp => {
                entry.look_at = Some(now.plus_ms(LOOK_SOON_MS))
            }
            CancelReply::Blocked
            | CancelReply::Unauthorized
            | CancelReply::Failed
            | CancelReply::RateLimited(_) => {}
        }
        self.delete_if_due(now, id, out);
    }
}
