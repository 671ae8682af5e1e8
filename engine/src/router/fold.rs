//! How ended orders fold into tombstones at a look that is on record; the same live, in a replay and for a checkpoint.
//!
//! An order that has ended needs no more than its id and number, once every answer about it has come. Its trades are
//! kept until they cannot be listed again, so that none is booked twice.

use super::memory::{Keep, Look, Memory, Settling};
use crate::fills::FillBook;
use crate::ids::ClientId;
use crate::time::Timestamp;

/// How far the stamps that stream and lists give to one trade may be apart, milliseconds.
const STAMPS_APART_MS: i64 = 60_000;

impl Memory {
    /// Takes note of a whole look: ended orders that are old enough fold, and trades that cannot be listed again are
    /// forgotten.
    pub(super) fn looked(&mut self, look: Look, keep: &Keep) {
        let earlier = self.look.replace(look);
        let settled_before = look.trades_before.plus_ms(-STAMPS_APART_MS);
        let is_settled = |fills: &FillBook| fills.newest().is_none_or(|at| at < settled_before);
        self.foreign.retain(|_, fills| !is_settled(fills));
        if let Some(earlier) = earlier {
            for id in self.due(look, earlier, keep) {
                self.fold(id);
            }
        }
        self.settling.retain(|_, order| !is_settled(&order.fills));
    }

    /// The ended orders that fold at this look.
    fn due(&self, look: Look, earlier: Look, keep: &Keep) -> Vec<ClientId> {
        let mut ended: Vec<(Timestamp, ClientId)> = (self.entries.values())
            .filter(|entry| !entry.is_living())
            .map(|entry| (entry.view.since, entry.view.client_id()))
            .collect();
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(keep.ended_max);
        let old = look.asked_at.plus_ms(-keep.ended_ms);
        let witness = self.newest_numbered();
        let is_due = |n: usize, at: Timestamp, id: ClientId| {
            let is_surplus = n < surplus && Some(id) != witness;
            (at <= old || is_surplus) && at < earlier.asked_at
        };
        let due = ended.into_iter().enumerate();
        due.filter(|(n, (at, id))| is_due(*n, *at, *id))
            .map(|(_, (_, id))| id)
            .collect()
    }

    /// The newest order that the exchange has numbered: while it is kept, looks have a witness.
    fn newest_numbered(&self) -> Option<ClientId> {
        let mut newest = self.entries.values().rev();
        let found = newest.find(|entry| entry.view.order_id.is_some());
        found.map(|entry| entry.view.client_id())
    }

    fn fold(&mut self, id: ClientId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.pending.remove(&id);
        self.tombstones.add(id, entry.view.order_id);
        let Some(number) = entry.view.order_id else {
            return;
        };
        self.by_id.remove(&number);
        let (client_id, mut fills) = (id, entry.fills);
        if fills.newest().is_some() {
            fills.shrink();
            self.settling.insert(number, Settling { client_id, fills });
        }
    }
}
