//! Evidence: private events, trades and rows, each taken for what it proves and no more.
//!
//! A message that carries the exchange's number proves existence; a trade proves a fill; only a row whose filled part
//! equals the booked trades ends an order.

use super::{FOREIGN_MAX, LOOK_AGAIN_MS, LOOK_SOON_MS, OrderRouter};
use crate::answer::{OrderRow, OwnTrade, PrivateEvent, RowStatus};
use crate::core::Outbox;
use crate::ids::{ClientId, OrderId};
use crate::msg::{RouterEffect, RouterNote};
use crate::order::OrderState;
use crate::record::Record;
use crate::router::entry::Moved;
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
            PrivateEvent::Inserted(event) => self.hint(now, event.id, event.client_id, None, out),
            PrivateEvent::Deleted(event) => {
                self.hint(now, event.id, event.client_id, Some(now), out)
            }
            PrivateEvent::Matched {
                order_id,
                client_id,
            } => {
                self.hint(
                    now,
                    order_id,
                    client_id,
                    Some(now.plus_ms(LOOK_AGAIN_MS)),
                    out,
                );
            }
            PrivateEvent::Trade(trade) => self.trade(now, trade, out),
        }
    }

    /// A message that proves existence and hints at more: the row is read at `look_at`.
    pub(super) fn hint(
        &mut self,
        now: Timestamp,
        order_id: OrderId,
        client_id: Option<ClientId>,
        look_at: Option<Timestamp>,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(id) = self.owner_of(order_id, client_id) else {
            return;
        };
        self.found(now, id, order_id, out);
        self.with(id, |entry| {
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
        let Some(entry) = self.entries.get_mut(&id) else {
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
        match self.owner_of(trade.order_id, trade.client_id) {
            Some(id) => self.own_trade(now, id, trade, out),
            None => self.foreign_trade(trade, out),
        }
    }

    pub(super) fn own_trade(
        &mut self,
        now: Timestamp,
        id: ClientId,
        trade: OwnTrade,
        out: &mut Outbox<RouterEffect>,
    ) {
        self.found(now, id, trade.order_id, out);
        let Some(entry) = self.entries.get_mut(&id) else {
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
        let mut known = entry.fills.clone();
        if known.is_new(&trade) && !fits {
            // More than was ordered: nothing is booked, and the balances will say what is true.
            out.push(RouterEffect::Note(RouterNote::Unmapped(trade.order_id)));
            return;
        }
        if !entry.on_trade(&trade, now) {
            out.push(RouterEffect::Note(RouterNote::DuplicateFill(
                trade.order_id,
            )));
            return;
        }
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
    }

    /// The ledger was opened with the balances of this moment; the first opening counts.
    pub(super) fn opened(&mut self, at: Timestamp) {
        self.settings.foreign_from = self.settings.foreign_from.or(Some(at));
    }

    pub(super) fn foreign_trade(&mut self, trade: OwnTrade, out: &mut Outbox<RouterEffect>) {
        if self
            .settings
            .foreign_from
            .is_none_or(|from| trade.at < from)
        {
            return;
        }
        if self.foreign.len() >= FOREIGN_MAX {
            self.foreign.pop_first();
        }
        if self
            .foreign
            .entry(trade.order_id)
            .or_default()
            .is_new(&trade)
        {
            out.push(RouterEffect::Persist(Record::Fill(trade.clone()), None));
            out.push(RouterEffect::Fill(trade));
        }
    }

    pub(super) fn row(
        &mut self,
        now: Timestamp,
        id: ClientId,
        row: &OrderRow,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if row.status == RowStatus::Unmapped {
            out.push(RouterEffect::Note(RouterNote::Unmapped(row.id)));
        }
        let was_living = entry.is_living();
        let was_known = entry.view.order_id == Some(row.id);
        let moved = entry.on_row(row, now);
        let (state, is_living, fills_pending) =
            (entry.view.state, entry.is_living(), entry.fills_pending);
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
        self.with(id, |entry| {
            let wants_more = entry.cancelling.is_some() || entry.fills_pending;
            entry.look_at = (entry.is_living() && wants_more).then(|| now.plus_ms(LOOK_AGAIN_MS));
        });
    }
}
