//! One own order with all that is known about it, and the merge of evidence into it.
//!
//! The merge is pure: it changes the entry and says what follows. What follows is carried out by the router.

use crate::answer::{OrderRow, OwnTrade, RowStatus, SubmitOutcome, UnknownCause};
use crate::fills::FillBook;
use crate::ids::{OrderId, Symbol};
use crate::intent::NewOrder;
use crate::money::Qty;
use crate::order::{OrderState, OrderView};
use crate::router::absence::AbsenceProof;
use crate::time::Timestamp;

/// What a piece of evidence did to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Nothing that is visible outside.
    No,
    /// State, number or filled quantity changed.
    Yes,
    /// The exchange has an order that was held never to have existed.
    Ghost,
}

/// An order that a cancel was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cancelling {
    /// When the next DELETE may leave; `None` while an answer is awaited.
    pub(crate) retry_at: Option<Timestamp>,
}

/// All that is known about one own order.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) view: OrderView,
    /// Latest stamp the request may have carried, exchange time.
    pub(crate) stamp_max: Timestamp,
    pub(crate) fills: FillBook,
    pub(crate) cancelling: Option<Cancelling>,
    pub(crate) proof: AbsenceProof,
    /// When its row is to be read next.
    pub(crate) look_at: Option<Timestamp>,
    /// When the exchange first acknowledged it.
    pub(crate) accepted_at: Option<Timestamp>,
    /// Last time anything about it was sent or heard.
    pub(crate) touched_at: Timestamp,
    /// The exchange says more is filled than was booked.
    pub(crate) fills_pending: bool,
}

impl Entry {
    pub(crate) fn new(order: NewOrder, stamp_max: Timestamp, now: Timestamp) -> Self {
        let view = OrderView {
            order,
            state: OrderState::Reserved,
            order_id: None,
            filled: Qty::ZERO,
            cancel_asked: false,
            since: now,
        };
        Self {
            view,
            stamp_max,
            fills: FillBook::default(),
            cancelling: None,
            proof: AbsenceProof::default(),
            look_at: None,
            accepted_at: None,
            touched_at: now,
            fills_pending: false,
        }
    }

    pub(crate) const fn symbol(&self) -> Symbol {
        self.view.order.intent.symbol
    }

    pub(crate) const fn is_living(&self) -> bool {
        !self.view.state.is_terminal()
    }

    pub(crate) const fn is_unknown(&self) -> bool {
        matches!(self.view.state, OrderState::Unknown(_))
    }

    /// The answer to the submit.
    pub(crate) fn on_outcome(&mut self, outcome: SubmitOutcome, now: Timestamp) -> Moved {
        match outcome {
            SubmitOutcome::Accepted(id) | SubmitOutcome::AcceptedWithoutEcho(id) => {
                self.exists(id, now)
            }
            SubmitOutcome::Rejected(why) => self.never_existed(OrderState::Rejected(why), now),
            SubmitOutcome::NotSent(why) => self.never_existed(OrderState::NotSent(why), now),
            SubmitOutcome::Unknown(cause) => self.unknown(cause, now),
        }
    }

    /// A claim that the exchange never had it; joined with existence, in either order, it makes a ghost.
    fn never_existed(&mut self, state: OrderState, now: Timestamp) -> Moved {
        if self.view.order_id.is_some() {
            return Moved::Ghost;
        }
        self.become_state(state, now)
    }

    pub(crate) fn unknown(&mut self, cause: UnknownCause, now: Timestamp) -> Moved {
        match self.view.state {
            OrderState::Reserved | OrderState::Sending => {
                self.become_state(OrderState::Unknown(cause), now)
            }
            OrderState::Unknown(_)
            | OrderState::Open
            | OrderState::Partial
            | OrderState::NotSent(_)
            | OrderState::Rejected(_)
            | OrderState::Absent
            | OrderState::Canceled
            | OrderState::Filled => Moved::No,
        }
    }

    /// Proof of existence: any message that carries the exchange's number.
    pub(crate) fn exists(&mut self, id: OrderId, now: Timestamp) -> Moved {
        self.touched_at = now;
        if self.view.order_id.is_some_and(|known| known != id) {
            return Moved::Ghost;
        }
        let is_news = self.view.order_id.is_none();
        self.view.order_id = Some(id);
        if self.view.state.never_existed() {
            self.become_state(OrderState::Open, now);
            return Moved::Ghost;
        }
        if !is_news {
            return Moved::No;
        }
        self.accepted_at = Some(now);
        self.become_state(self.living_state(), now);
        Moved::Yes
    }

    /// A trade of this order; the caller has made sure that it exists. Returns whether it is to be booked.
    pub(crate) fn on_trade(&mut self, trade: &OwnTrade, now: Timestamp) -> bool {
        self.touched_at = now;
        let is_new = self.fills.is_new(trade);
        if is_new {
            self.fill(trade, now);
        }
        is_new
    }

    /// A trade that was booked in an earlier life: it counts, whatever else has been reported.
    pub(crate) fn was_traded(&mut self, trade: &OwnTrade, now: Timestamp) {
        self.fills.was_booked(trade);
        self.fill(trade, now);
    }

    fn fill(&mut self, trade: &OwnTrade, now: Timestamp) {
        self.view.filled += trade.qty;
        let ordered = self.view.order.intent.qty;
        if self.view.filled >= ordered {
            self.become_state(OrderState::Filled, now);
        } else if self.is_living() {
            self.become_state(OrderState::Partial, now);
        }
    }

    /// The exchange's own row. An order ends by a row whose filled part equals the booked trades.
    pub(crate) fn on_row(&mut self, row: &OrderRow, now: Timestamp) -> Moved {
        let existence = self.exists(row.id, now);
        let done = row.qty.minus_or_zero(row.left);
        self.fills_pending = done > self.view.filled;
        let has_ended = match row.status {
            RowStatus::Canceled | RowStatus::Closed => true,
            RowStatus::Untouched | RowStatus::Partial | RowStatus::Unmapped => false,
        };
        let is_settled = done == self.view.filled;
        if has_ended && is_settled && self.is_living() {
            return self.become_state(OrderState::Canceled, now);
        }
        existence
    }

    /// The proof of absence is complete.
    pub(crate) fn absent(&mut self, now: Timestamp) -> Moved {
        assert!(
            self.view.order_id.is_none(),
            "an order with a number is not absent"
        );
        self.become_state(OrderState::Absent, now)
    }

    fn living_state(&self) -> OrderState {
        if self.view.filled.is_positive() {
            OrderState::Partial
        } else {
            OrderState::Open
        }
    }

    pub(crate) fn become_state(&mut self, state: OrderState, now: Timestamp) -> Moved {
        if self.view.state == state {
            return if self.view.filled.is_positive() {
                Moved::Yes
            } else {
                Moved::No
            };
        }
        self.view.state = state;
        self.view.since = now;
        if state.is_terminal() {
            self.cancelling = None;
            self.look_at = None;
            self.fills_pending = false;
        }
        Moved::Yes
    }
}
