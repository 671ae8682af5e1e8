//! Orders and trades of the account that are not ours: known, told once, booked, and left alone.

use super::{FOREIGN_MAX, LOOK_SOON_MS, OrderRouter};
use crate::answer::{OrderRow, OwnTrade};
use crate::core::Outbox;
use crate::foreign::ForeignOrder;
use crate::msg::{RouterEffect, RouterNote};
use crate::record::Record;
use crate::time::Timestamp;

impl OrderRouter {
    /// Takes in the open orders of a whole look; the gate hears of the strangers among them when they change.
    pub(super) fn strangers(&mut self, open: &[OrderRow], out: &mut Outbox<RouterEffect>) {
        let is_strange = |row: &&OrderRow| {
            self.memory.owner_of(row.id, row.client_id).is_none()
                && self.folded(row.client_id).is_none()
                && !row.client_id.is_some_and(|id| self.is_stray(id))
        };
        let mut found: Vec<ForeignOrder> = open
            .iter()
            .filter(is_strange)
            .filter_map(ForeignOrder::of)
            .collect();
        found.sort_by_key(|order| order.id);
        for order in &found {
            if self.strangers_told.insert(order.id) {
                out.push(RouterEffect::Note(RouterNote::Foreign(order.id)));
            }
        }
        while self.strangers_told.len() > FOREIGN_MAX {
            self.strangers_told.pop_first();
        }
        if found != self.strangers {
            self.strangers.clone_from(&found);
            out.push(RouterEffect::Foreign(found));
        }
    }

    /// An order that is not ours was placed or taken away: the lists will tell.
    pub(super) fn stranger_stirs(&mut self, now: Timestamp) {
        let soon = now.plus_ms(LOOK_SOON_MS);
        self.look_up_at = Some(self.look_up_at.map_or(soon, |at| at.min(soon)));
    }

    pub(super) fn foreign_trade(&mut self, trade: OwnTrade, out: &mut Outbox<RouterEffect>) {
        if self.is_settled(&trade) {
            return;
        }
        if self.memory.foreign.len() >= FOREIGN_MAX {
            self.memory.foreign.pop_first();
        }
        let fills = self.memory.foreign.entry(trade.order_id).or_default();
        if let Some(trade) = fills.book(&trade) {
            out.push(RouterEffect::Persist(Record::Fill(trade.clone()), None));
            out.push(RouterEffect::Fill(trade));
        }
    }
}
