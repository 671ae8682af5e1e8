//! What the gate knows from the journal alone: the books, what is held, and which budgets are spent.
//!
//! One folding serves every reader: a start takes it over, and the journal's thread keeps one for checkpoints. An
//! order whose end is not on record holds its worst case; one whose answer is not on record is unknown.

use super::RiskGate;
use super::loss::LossWatch;
use super::pace::Pace;
use super::pair::Passes;
use super::reserve::Orders;
use super::transfers::{Flow, book_flow};
use crate::answer::{OwnTrade, SubmitOutcome, UnknownCause};
use crate::hold::Holds;
use crate::ids::{Asset, ClientId, OrderId, Symbol};
use crate::intent::NewOrder;
use crate::ledger::{Booked, Ledger};
use crate::market::Side;
use crate::mode::{Mode, ModeCode, Scope};
use crate::money::{Amount, Qty};
use crate::order::{OrderState, OrderView, Resolution};
use crate::record::Record;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the records say about money. As large as the books, the living orders and one minute of orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    ledger: Ledger,
    orders: Orders,
    pace: Pace,
    passes: BTreeMap<Symbol, Passes>,
    loss: LossWatch,
    closed_at: BTreeMap<Asset, Timestamp>,
    /// When the balances were read that the books were opened with.
    opened_at: Option<Timestamp>,
    /// The first sequence number that was never handed out.
    seq_next: u64,
    /// Since when an operator's safe mode holds.
    safe_since: Option<Timestamp>,
    /// What an operator holds back; a hold that has ended by its time stays until the next of its reach.
    #[serde(default, skip_serializing_if = "Holds::is_empty")]
    holds: Holds,
}

impl Memory {
    /// Makes the memory of an empty journal, valued in `quote`.
    pub fn new(quote: Asset) -> Self {
        Self {
            ledger: Ledger::new(quote),
            orders: Orders::default(),
            pace: Pace::default(),
            passes: BTreeMap::new(),
            loss: LossWatch::default(),
            closed_at: BTreeMap::new(),
            opened_at: None,
            seq_next: 0,
            safe_since: None,
            holds: Holds::default(),
        }
    }

    /// Returns the books.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns since when an operator's safe mode holds.
    pub const fn safe_since(&self) -> Option<Timestamp> {
        self.safe_since
    }

    /// Returns what an operator holds back, holds whose time has passed included.
    pub const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Takes in a durable record, in the order of the journal.
    pub(crate) fn take(&mut self, record: &Record) {
        match record {
            Record::Sending { order, .. } => self.sending(*order),
            Record::Outcome {
                client_id,
                outcome,
                at,
            } => self.outcome(*client_id, *outcome, *at),
            Record::Adopted {
                client_id,
                order_id,
                at,
            } => self.exists(*client_id, *order_id, *at),
            Record::CancelAsked { client_id, .. } => {
                if let Some(view) = self.orders.get_mut(*client_id) {
                    view.cancel_asked = true;
                }
            }
            Record::Fill(trade) => self.fill(trade),
            Record::Ended {
                client_id, state, ..
            } => self.end(*client_id, *state),
            Record::Resolved {
                client_id,
                resolution,
                at,
                ..
            } => self.settled(*client_id, *resolution, *at),
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
                book_flow(&mut self.ledger, &mut self.loss, Some(*id), flow);
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
                book_flow(&mut self.ledger, &mut self.loss, None, flow);
            }
            Record::DayStart { day, equity, peak } => {
                let costs = self.ledger.fees() + self.ledger.tax();
                self.loss.replay(*day, *equity, *peak, costs);
            }
            Record::SafeMode { on: true, at } | Record::Restored { at, .. } => {
                self.safe_since = self.safe_since.or(Some(*at))
            }
            Record::SafeMode { on: false, .. } => self.safe_since = None,
            Record::Held(hold) => self.holds.put(hold.clone()),
            Record::LetGo { symbol, .. } => drop(self.holds.take(*symbol)),
            Record::Boot { .. }
            | Record::Decided(_)
            | Record::Looked { .. }
            | Record::Audit { .. }
            | Record::Kill(_)
            | Record::Reset { .. }
            | Record::Spent { .. }
            | Record::Stepped { .. }
            | Record::Stop { .. } => {}
        }
    }

    fn sending(&mut self, order: NewOrder) {
        self.seq_next = self.seq_next.max(order.client_id.seq() + 1);
        let at = order.intent.at;
        note_passed(&mut self.pace, &mut self.passes, &order, at);
        self.orders.put(OrderView {
            order,
            state: OrderState::Unknown(UnknownCause::Restart),
            order_id: None,
            filled: Qty::ZERO,
            cancel_asked: false,
            since: at,
        });
    }

    fn outcome(&mut self, id: ClientId, outcome: SubmitOutcome, at: Timestamp) {
        match outcome {
            SubmitOutcome::Accepted(number) | SubmitOutcome::AcceptedWithoutEcho(number) => {
                self.exists(id, number, at);
            }
            // Holds on until the router has written down the end.
            SubmitOutcome::Rejected(why) if why.is_for_funds() => {}
            SubmitOutcome::Rejected(why) => self.end(id, OrderState::Rejected(why)),
            SubmitOutcome::NotSent(why) => self.end(id, OrderState::NotSent(why)),
            SubmitOutcome::Unknown(cause) => {
                if let Some(view) = self.orders.get_mut(id) {
                    view.state = OrderState::Unknown(cause);
                }
            }
        }
    }

    /// What the operator settled, unless existence was on record first.
    fn settled(&mut self, id: ClientId, resolution: Resolution, at: Timestamp) {
        let is_unknown = self
            .orders
            .get_mut(id)
            .is_some_and(|view| view.order_id.is_none());
        match resolution {
            Resolution::Absent if is_unknown => self.end(id, OrderState::Absent),
            Resolution::Accepted(number) if is_unknown => self.exists(id, number, at),
            Resolution::Absent | Resolution::Accepted(_) | Resolution::Stuck => {}
        }
    }

    fn exists(&mut self, id: ClientId, number: OrderId, at: Timestamp) {
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

    fn fill(&mut self, trade: &OwnTrade) {
        book(&mut self.ledger, &mut self.closed_at, trade);
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
            // The record of its end comes right behind, unless a crash has cut it off.
            if view.filled >= view.order.intent.qty {
                let id = view.client_id();
                self.orders.remove(id);
            }
        }
    }

    fn end(&mut self, id: ClientId, state: OrderState) {
        if self.orders.remove(id).is_some() && state.never_existed() {
            give_back(&mut self.pace, &mut self.passes, id);
        }
    }
}

/// Counts an order that was let through.
pub(super) fn note_passed(
    pace: &mut Pace,
    passes: &mut BTreeMap<Symbol, Passes>,
    order: &NewOrder,
    at: Timestamp,
) {
    let intent = &order.intent;
    let value = match intent.side {
        Side::Buy => intent.limit.value(intent.qty),
        Side::Sell => Amount::ZERO,
    };
    pace.note(order.client_id, at, value);
    passes.entry(intent.symbol).or_default().note(order, at);
}

/// Gives back the value and the cooldown of an order that never existed.
pub(super) fn give_back(pace: &mut Pace, passes: &mut BTreeMap<Symbol, Passes>, id: ClientId) {
    pace.give_back(id);
    passes.values_mut().for_each(|passes| passes.forget(id));
}

/// Books a trade, and notes when it closes a position.
pub(super) fn book(
    ledger: &mut Ledger,
    closed_at: &mut BTreeMap<Asset, Timestamp>,
    trade: &OwnTrade,
) -> Booked {
    let booked = ledger.book_trade(trade);
    let is_closed = ledger.position(trade.base) == Amount::ZERO;
    if trade.side == Side::Sell && is_closed {
        closed_at.insert(trade.base, trade.at);
    }
    booked
}

impl RiskGate {
    /// Takes over what the records of earlier starts add up to; no effect leaves.
    ///
    /// # Panics
    /// If the books are valued in another quote than the gate's.
    pub fn recall(&mut self, memory: Memory) {
        assert!(
            memory.ledger.quote() == self.settings.quote,
            "the books are valued in the account's quote"
        );
        self.ledger = memory.ledger;
        self.orders = memory.orders;
        self.pace = memory.pace;
        self.passes = memory.passes;
        self.loss = memory.loss;
        self.closed_at = memory.closed_at;
        self.opened_at = memory.opened_at;
        self.settings.ids.seq = self.settings.ids.seq.max(memory.seq_next);
        if let Some(since) = memory.safe_since {
            let code = ModeCode::OperatorSafeMode;
            self.raise(since, code, Scope::Global, Mode::ObserveOnly);
        }
        for hold in memory.holds.iter().cloned() {
            self.take_hold(hold.at, hold);
        }
        self.is_desk_due = true;
    }
}
