//! Late news of orders that were folded away, and the record of a look that lets orders fold.
//!
//! A folded order had ended by the exchange's own row, whose filled part was booked to the last unit. So news
//! of it is old, or contradicts that row: then a person must look.

use super::OrderRouter;
use super::memory::Look;
use crate::answer::OwnTrade;
use crate::core::Outbox;
use crate::ids::{ClientId, OrderId};
use crate::msg::{RouterEffect, RouterNote, Snapshot};
use crate::reconcile::TRADES_OVERLAP_MS;
use crate::record::Record;
use crate::time::Timestamp;

impl OrderRouter {
    /// Returns the id if it is that of an order that was folded away.
    pub(super) fn folded(&self, client_id: Option<ClientId>) -> Option<ClientId> {
        client_id.filter(|id| self.memory.tombstones.holds(*id))
    }

    /// News of what was known is passed over; that the order is open, or has another number, means that the id made
    /// two orders.
    pub(super) fn folded_news(
        &mut self,
        id: ClientId,
        number: OrderId,
        is_open: bool,
        out: &mut Outbox<RouterEffect>,
    ) {
        if is_open || !self.memory.tombstones.fits(id, number) {
            self.second(id, number, is_open, out);
        }
    }

    /// A trade from before the last look on record was booked when it was first seen, and nobody knows any more under
    /// which number: booking it would count it twice. A later one is beyond what the exchange's row said; the money
    /// has moved, so it is booked like a stranger's.
    pub(super) fn folded_trade(
        &mut self,
        id: ClientId,
        trade: OwnTrade,
        out: &mut Outbox<RouterEffect>,
    ) {
        if self.is_settled(&trade) {
            out.push(RouterEffect::Note(RouterNote::DuplicateFill(
                trade.order_id,
            )));
            return;
        }
        self.second(id, trade.order_id, false, out);
        self.foreign_trade(trade, out);
    }

    /// A trade of a folded order while its trades may be listed again: known, or beyond what the exchange's row said.
    pub(super) fn settling_trade(&mut self, trade: &OwnTrade, out: &mut Outbox<RouterEffect>) {
        let Some(order) = self.memory.settling.get_mut(&trade.order_id) else {
            return;
        };
        let (id, booked) = (order.client_id, order.fills.book(trade));
        let Some(trade) = booked else {
            let note = RouterNote::DuplicateFill(trade.order_id);
            return out.push(RouterEffect::Note(note));
        };
        self.second(id, trade.order_id, false, out);
        out.push(RouterEffect::Persist(Record::Fill(trade.clone()), None));
        out.push(RouterEffect::Fill(trade));
    }

    /// Whether a trade that belongs to no known order is in the books already, by opening or by a look.
    pub(super) fn is_settled(&self, trade: &OwnTrade) -> bool {
        self.memory.trades_from().is_none_or(|from| trade.at < from)
    }

    /// Takes note of a whole look. Trades are complete up to a little before the newest one listed, if the lists
    /// have followed each other without a gap; a list that has stood still moves nothing.
    pub(super) fn looked(&mut self, snapshot: &Snapshot, out: &mut Outbox<RouterEffect>) {
        let Some(known) = self.read_before.max(self.memory.trades_from()) else {
            return;
        };
        let newest = snapshot.trades.iter().map(|trade| trade.at).max();
        let reached = newest.map(|at| at.plus_ms(-TRADES_OVERLAP_MS));
        let is_gapless = snapshot.trades_since <= known;
        let trades_before = reached
            .filter(|_| is_gapless)
            .map_or(known, |at| at.max(known));
        self.read_before = Some(trades_before);
        let look = Look {
            asked_at: snapshot.asked_at,
            trades_before,
        };
        if self.is_look_due(look.asked_at) {
            self.memory.looked(look, &self.settings.keep);
            out.push(RouterEffect::Persist(
                Record::Looked {
                    asked_at: look.asked_at,
                    trades_before,
                },
                None,
            ));
        }
    }

    /// Whether the last look on record is old enough, or from a clock that was ahead of ours.
    fn is_look_due(&self, asked_at: Timestamp) -> bool {
        let age_ms = |look: Look| asked_at.ms_since(look.asked_at);
        let recent = 0..self.settings.keep.looks_apart_ms;
        let is_recent = |look: Look| recent.contains(&age_ms(look));
        !self.memory.look.is_some_and(is_recent)
    }
}
