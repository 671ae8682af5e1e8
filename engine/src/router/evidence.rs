//! Evidence: private events, trades and rows, each taken for what it proves and no more.
//!
//! A message that carries the exchange's number proves existence; a trade proves a fill; only a row whose filled part
//! equals the booked trades ends an order.

use super::{LOOK_AGAIN_MS, LOOK_SOON_MS, OrderRouter};
use crate::answer::{OrderRow, OwnTrade, PrivateEvent, RowStatus};
use crate::core::Outbox;
use crate::ids::{ClientId, OrderId};
use crate::msg::{RouterEffect, RouterNote};
use crate::order::OrderState;
use crate::record::Record;
use crate::router::entry::{Entry, Moved};
use crate::time::Timestamp;

impl OrderRouter {
    pub(super) fn private(
        &mut self,
        now: Timestamp,
        event: PrivateEvent,
        out: &mut Outbox<RouterEffect>,
    ) {
        match event {
            PrivateEvent::Login { .. } | PrivateEvent::BalanceHint => {}
            PrivateEvent::Inserted(event) => {
                let named = (event.id, event.client_id);
                self.hint(now, named, true, None, out);
            }
            PrivateEvent::Deleted(event) => {
                let named = (event.id, event.client_id);
                self.hint(now, named, false, Some(now), out);
            }
            PrivateEvent::Matched {
                order_id,
                client_id,
            } => {
                let look_at = Some(now.plus_ms(LOOK_AGAIN_MS));
                self.hint(now, (order_id, client_id), true, look_at, out);
            }
            PrivateEvent::Trade(trade) => self.trade(now, trade, out),
        }
    }

    /// A message that proves existence and hints at more: the row is read at `look_at`.
    pub(super) fn hint(
        &mut self,
        now: Timestamp,
        (order_id, client_id): (OrderId, Option<ClientId>),
        is_open: bool,
        look_at: Option<Timestamp>,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(id) = self.memory.owner_of(order_id, client_id) else {
            if let Some(id) = self.folded(client_id) {
                // An event tells what was: of the folded order itself, only a row can show that it is open.
                let is_another = !self.memory.tombstones.fits(id, order_id);
                self.folded_news(id, order_id, is_open && is_another, out);
            } else if let Some(id) = client_id.filter(|id| self.is_stray(*id)) {
                self.stray(id, order_id, is_open, out);
            } else {
                self.stranger_stirs(now);
            }
            return;
        };
        if self.memory.is_second(id, order_id) {
            return self.second(id, order_id, is_open, out);
        }
        self.found(now, id, order_id, out);
        self.memory.with(id, |entry| {
            if entry.is_living() && look_at.is_some() {
                entry.look_at = entry.look_at.into_iter().chain(look_at).min();
            }
        });
    }

    /// The exchange's number of an own order is known.
    pub(super) fn found(
        &mut self,
        now: Timestamp,
        id: ClientId,
        order_id: OrderId,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(entry) = self.memory.entries.get_mut(&id) else {
            return;
        };
        let was_known = entry.view.order_id == Some(order_id);
        let moved = entry.exists(order_id, now);
        if !was_known {
            out.push(RouterEffect::Persist(
                Record::Adopted {
                    client_id: id,
                    order_id,
                    at: now,
                },
                None,
            ));
        }
        self.after(id, moved, now, out);
    }

    pub(super) fn trade(
        &mut self,
        now: Timestamp,
        trade: OwnTrade,
        out: &mut Outbox<RouterEffect>,
    ) {
        let stray = trade.client_id.filter(|id| self.is_stray(*id));
        match self.memory.owner_of(trade.order_id, trade.client_id) {
            Some(id) if self.memory.is_second(id, trade.order_id) => {
                self.second(id, trade.order_id, false, out);
                self.foreign_trade(trade, out);
            }
            Some(id) => self.own_trade(now, id, trade, out),
            None if self.memory.settling.contains_key(&trade.order_id) => {
                self.settling_trade(&trade, out);
            }
            None => {
                if let Some(id) = stray {
                    self.stray(id, trade.order_id, false, out);
                }
                match self.folded(trade.client_id) {
                    Some(id) => self.folded_trade(id, trade, out),
                    None => self.foreign_trade(trade, out),
                }
            }
        }
    }

    pub(super) fn own_trade(
        &mut self,
        now: Timestamp,
        id: ClientId,
        trade: OwnTrade,
        out: &mut Outbox<RouterEffect>,
    ) {
        let is_other_side = |entry: &Entry| entry.view.order.intent.side != trade.side;
        if self.memory.entries.get(&id).is_some_and(is_other_side) {
            out.push(RouterEffect::Note(RouterNote::Unmapped(trade.order_id)));
            return;
        }
        self.found(now, id, trade.order_id, out);
        let Some(entry) = self.memory.entries.get_mut(&id) else {
            return;
        };
        let trade = OwnTrade {
            fee_in_base: entry.view.order.fee_in_base,
            ..trade
        };
        let fits = entry
            .view
            .filled
            .checked_add(trade.qty)
            .is_some_and(|sum| sum <= entry.view.order.intent.qty);
        if !fits && entry.fills.clone().book(&trade).is_some() {
            // More than was ordered: nothing is booked, and the balances will say what is true.
            out.push(RouterEffect::Note(RouterNote::Unmapped(trade.order_id)));
            return;
        }
        let Some(trade) = entry.on_trade(&trade, now) else {
            out.push(RouterEffect::Note(RouterNote::DuplicateFill(
                trade.order_id,
            )));
            return;
        };
        let state = entry.view.state;
        out.push(RouterEffect::Persist(Record::Fill(trade.clone()), None));
        out.push(RouterEffect::Fill(trade));
        if state == OrderState::Filled {
            out.push(RouterEffect::Persist(
                Record::Ended {
                    client_id: id,
                    state,
                    at: now,
                },
                None,
            ));
        }
        self.after(id, Moved::Yes, now, out);
        self.judge_pending(now, out);
    }

    pub(super) fn row(
        &mut self,
        now: Timestamp,
        id: ClientId,
        row: &OrderRow,
        out: &mut Outbox<RouterEffect>,
    ) {
        let is_open = matches!(row.status, RowStatus::Untouched | RowStatus::Partial);
        if self.memory.is_second(id, row.id) {
            return self.second(id, row.id, is_open, out);
        }
        let Some(entry) = self.memory.entries.get_mut(&id) else {
            return;
        };
        if !entry.fits(row) {
            out.push(RouterEffect::Note(RouterNote::Unmapped(row.id)));
            return;
        }
        if row.status == RowStatus::Unmapped {
            out.push(RouterEffect::Note(RouterNote::Unmapped(row.id)));
        }
        let was_living = entry.is_living();
        let was_known = entry.view.order_id == Some(row.id);
        let moved = entry.on_row(row, now);
        let (state, is_living, fills_pending) = (
            entry.view.state,
            entry.is_living(),
            entry.pending_since.is_some(),
        );
        if !was_known {
            out.push(RouterEffect::Persist(
                Record::Adopted {
                    client_id: id,
                    order_id: row.id,
                    at: now,
                },
                None,
            ));
        }
        if was_living && !is_living {
            out.push(RouterEffect::Persist(
                Record::Ended {
                    client_id: id,
                    state,
                    at: now,
                },
                None,
            ));
        }
        if fills_pending {
            self.look_up_at = Some(self.look_up_at.map_or(now.plus_ms(LOOK_SOON_MS), |at| {
                at.min(now.plus_ms(LOOK_SOON_MS))
            }));
        }
        self.after(id, moved, now, out);
        self.memory.index(id);
    }

    pub(super) fn row_answer(
        &mut self,
        now: Timestamp,
        id: ClientId,
        row: Option<&OrderRow>,
        out: &mut Outbox<RouterEffect>,
    ) {
        if let Some(row) = row {
            self.row(now, id, row, out);
        }
        self.memory.with(id, |entry| {
            let wants_more = entry.cancelling.is_some() || entry.pending_since.is_some();
            entry.look_at = (entry.is_living() && wants_more).then(|| now.plus_ms(LOOK_AGAIN_MS));
        });
    }
}
