//! The gate after a restart: every record of the journal, folded in order.
//!
//! An order whose end is not on record holds its worst case again; one whose answer is not on record is unknown.

use super::RiskGate;
use super::transfers::Flow;
use crate::answer::{OwnTrade, SubmitOutcome, UnknownCause};
use crate::ids::{ClientId, OrderId};
use crate::mode::{Mode, ModeCode, Scope};
use crate::order::{OrderState, OrderView, Resolution};
use crate::record::Record;
use crate::time::Timestamp;

impl RiskGate {
    /// Takes in a durable record at start, in the order of the journal; no effect leaves.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::Sending { order, .. } => {
                self.settings.ids.skip(order.client_id);
                let state = OrderState::Unknown(UnknownCause::Restart);
                self.hold(*order, state, order.intent.at);
            }
            Record::Outcome {
                client_id,
                outcome,
                at,
            } => self.replay_outcome(*client_id, *outcome, *at),
            Record::Adopted {
                client_id,
                order_id,
                at,
            } => self.replay_exists(*client_id, *order_id, *at),
            Record::CancelAsked { client_id, .. } => {
                if let Some(view) = self.orders.get_mut(*client_id) {
                    view.cancel_asked = true;
                }
            }
            Record::Fill(trade) => self.replay_fill(trade),
            Record::Ended {
                client_id, state, ..
            } => self.replay_end(*client_id, *state),
            Record::Resolved {
                client_id,
                resolution,
                at,
                ..
            } => self.replay_resolved(*client_id, *resolution, *at),
            Record::Opening {
                asset,
                amount,
                price,
                at,
            } => {
                self.opened_at = self.opened_at.or(Some(*at));
                self.ledger.book_opening(*asset, *amount, *price, *at);
            }
            Record::Transfer {
                id,
                asset,
                amount,
                price,
                equity,
                at,
            } => {
                let flow = Flow {
                    asset: *asset,
                    amount: *amount,
                    price: *price,
                    equity: *equity,
                    at: *at,
                };
                self.book_flow(Some(*id), flow);
            }
            Record::Adjustment {
                asset,
                amount,
                price,
                equity,
                at,
                ..
            } => {
                let flow = Flow {
                    asset: *asset,
                    amount: *amount,
                    price: *price,
                    equity: *equity,
                    at: *at,
                };
                self.book_flow(None, flow);
            }
            Record::DayStart { day, equity, peak } => {
                self.loss.replay(*day, *equity, *peak, self.costs());
            }
            Record::SafeMode { on: true, at } => {
                self.raise(
                    *at,
                    ModeCode::OperatorSafeMode,
                    Scope::Global,
                    Mode::ObserveOnly,
                );
            }
            Record::SafeMode { on: false, .. } => {
                self.clear(ModeCode::OperatorSafeMode, Scope::Global)
            }
            Record::Restored { at, .. } => self.raise(
                *at,
                ModeCode::OperatorSafeMode,
                Scope::Global,
                Mode::ObserveOnly,
            ),
            Record::Boot { .. }
            | Record::Decided(_)
            | Record::Audit { .. }
            | Record::Stop { .. } => {}
        }
        self.is_desk_due = true;
    }

    fn replay_outcome(&mut self, id: ClientId, outcome: SubmitOutcome, at: Timestamp) {
        match outcome {
            SubmitOutcome::Accepted(number) | SubmitOutcome::AcceptedWithoutEcho(number) => {
                self.replay_exists(id, number, at);
            }
            // Holds on until the router has written down the end.
            SubmitOutcome::Rejected(why) if why.is_for_funds() => {}
            SubmitOutcome::Rejected(why) => self.replay_end(id, OrderState::Rejected(why)),
            SubmitOutcome::NotSent(why) => self.replay_end(id, OrderState::NotSent(why)),
            SubmitOutcome::Unknown(cause) => {
                if let Some(view) = self.orders.get_mut(id) {
                    view.state = OrderState::Unknown(cause);
                }
            }
        }
    }

    /// What the operator settled, unless existence was on record first.
    fn replay_resolved(&mut self, id: ClientId, resolution: Resolution, at: Timestamp) {
        let is_unknown = self
            .orders
            .get_mut(id)
            .is_some_and(|view| view.order_id.is_none());
        match resolution {
            Resolution::Absent if is_unknown => self.replay_end(id, OrderState::Absent),
            Resolution::Accepted(number) if is_unknown => self.replay_exists(id, number, at),
            Resolution::Absent | Resolution::Accepted(_) | Resolution::Stuck => {}
        }
    }

    fn replay_exists(&mut self, id: ClientId, number: OrderId, at: Timestamp) {
        if let Some(view) = self.orders.get_mut(id) {
            let has_filled = view.filled.is_positive();
            view.state = if has_filled {
                OrderState::Partial
            } else {
                OrderState::Open
            };
            view.order_id = Some(number);
            view.since = at;
        }
    }

    fn replay_fill(&mut self, trade: &OwnTrade) {
        self.book(trade);
        let by_id = trade
            .client_id
            .filter(|id| self.orders.get_mut(*id).is_some());
        let view = match by_id {
            Some(id) => self.orders.get_mut(id),
            None => self.orders.by_number(trade.order_id),
        };
        // A second number under one client id is another order: its trades move money, not this order.
        let is_its = |view: &&mut OrderView| view.order_id.is_none_or(|id| id == trade.order_id);
        if let Some(view) = view.filter(is_its) {
            view.filled += trade.qty;
            view.state = OrderState::Partial;
        }
    }

    fn replay_end(&mut self, id: ClientId, state: OrderState) {
        let Some(mut view) = self.orders.remove(id) else {
            return;
        };
        view.state = state;
        self.on_order(view);
    }
}
