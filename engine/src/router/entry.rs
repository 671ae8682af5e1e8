//! One own order with all that is known about it, and the merge of evidence into it.
//!
//! The merge is pure: it changes the entry and says what follows. What follows is carried out by the router. Existence
//! wins over any claim that the order never was, whichever comes first, and what has ended does not come back.

use super::absence::{AbsenceProof, Unproven};
use crate::answer::{OrderRow, OwnTrade, Refusal, RowStatus, SubmitOutcome, UnknownCause};
use crate::fills::FillBook;
use crate::ids::{OrderId, Symbol};
use crate::intent::NewOrder;
use crate::money::Qty;
use crate::order::{OrderState, OrderView};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

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

/// A refusal for lack of funds that no look at the account has confirmed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Doubted {
    pub(crate) why: Refusal,
    pub(crate) at: Timestamp,
}

/// All that is known about one own order. What no record tells is not written in a checkpoint either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) view: OrderView,
    /// Latest stamp the request may have carried, exchange time.
    pub(crate) stamp_max: Timestamp,
    pub(crate) fills: FillBook,
    #[serde(skip)]
    pub(crate) cancelling: Option<Cancelling>,
    #[serde(skip)]
    pub(crate) proof: AbsenceProof,
    /// Why the last look behind the horizon proved nothing.
    #[serde(skip)]
    pub(crate) unproven: Option<Unproven>,
    /// A complete and consistent look behind the horizon did not show it.
    #[serde(skip)]
    pub(crate) is_looked_for: bool,
    /// The operator has said that its fate cannot be told.
    pub(crate) is_stuck: bool,
    pub(crate) doubted: Option<Doubted>,
    /// When its row is to be read next.
    pub(crate) look_at: Option<Timestamp>,
    /// When the exchange first acknowledged it.
    pub(crate) accepted_at: Option<Timestamp>,
    /// Last time anything about it was sent or heard.
    pub(crate) touched_at: Timestamp,
    /// Largest filled part that a row has shown.
    #[serde(skip)]
    reported: Qty,
    /// Since when rows show more as filled than was booked.
    #[serde(skip)]
    pub(crate) pending_since: Option<Timestamp>,
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
            unproven: None,
            is_looked_for: false,
            is_stuck: false,
            doubted: None,
            look_at: None,
            accepted_at: None,
            touched_at: now,
            reported: Qty::ZERO,
            pending_since: None,
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

    /// Whether another number than this is known for it: one client id, two orders.
    pub(crate) fn has_other_number(&self, id: OrderId) -> bool {
        self.view.order_id.is_some_and(|known| known != id)
    }

    /// Whether a row can be about this order at all; one that cannot changes nothing.
    pub(crate) fn fits(&self, row: &OrderRow) -> bool {
        let intent = &self.view.order.intent;
        row.symbol == intent.symbol && row.side == intent.side
    }

    /// The answer to the submit.
    pub(crate) fn on_outcome(&mut self, outcome: SubmitOutcome, now: Timestamp) -> Moved {
        match outcome {
            SubmitOutcome::Accepted(id) | SubmitOutcome::AcceptedWithoutEcho(id) => {
                self.exists(id, now)
            }
            SubmitOutcome::Rejected(why) if why.is_for_funds() => self.doubt(why, now),
            SubmitOutcome::Rejected(why) => self.never_existed(OrderState::Rejected(why), now),
            SubmitOutcome::NotSent(why) => self.never_existed(OrderState::NotSent(why), now),
            SubmitOutcome::Unknown(cause) => self.unknown(cause, now),
        }
    }

    /// A claim that the exchange never had it. The first of several such claims stands.
    pub(crate) fn never_existed(&mut self, state: OrderState, now: Timestamp) -> Moved {
        if self.view.order_id.is_some() {
            return Moved::Ghost;
        }
        if !self.is_living() {
            return Moved::No;
        }
        self.become_state(state, now)
    }

    /// A refusal for lack of funds: believed once a later look does not show the order; until then all is held.
    fn doubt(&mut self, why: Refusal, now: Timestamp) -> Moved {
        if self.view.order_id.is_some() {
            return Moved::Ghost;
        }
        if self.is_living() && self.doubted.is_none() {
            self.doubted = Some(Doubted { why, at: now });
            return Moved::Yes;
        }
        Moved::No
    }

    pub(crate) fn unknown(&mut self, cause: UnknownCause, now: Timestamp) -> Moved {
        match self.view.state {
            OrderState::Reserved | OrderState::Sending if self.doubted.is_none() => {
                self.become_state(OrderState::Unknown(cause), now)
            }
            OrderState::Reserved
            | OrderState::Sending
            | OrderState::Unknown(_)
            | OrderState::Open
            | OrderState::Partial
            | OrderState::NotSent(_)
            | OrderState::Rejected(_)
            | OrderState::Absent
            | OrderState::Canceled
            | OrderState::Filled => Moved::No,
        }
    }

    /// Proof of existence: any message that carries the exchange's number. The caller has sorted out messages that
    /// carry another number than the known one.
    pub(crate) fn exists(&mut self, id: OrderId, now: Timestamp) -> Moved {
        self.touched_at = now;
        if self.view.order_id.is_some() {
            return Moved::No;
        }
        let was_denied = self.view.state.never_existed() || self.doubted.is_some();
        self.view.order_id = Some(id);
        self.accepted_at = Some(now);
        self.doubted = None;
        self.unproven = None;
        self.become_state(self.living_state(), now);
        if was_denied { Moved::Ghost } else { Moved::Yes }
    }

    /// A trade of this order; the caller has made sure that it exists. Returns what is to be booked for it.
    pub(crate) fn on_trade(&mut self, trade: &OwnTrade, now: Timestamp) -> Option<OwnTrade> {
        self.touched_at = now;
        let booked = self.fills.book(trade);
        if booked.is_some() {
            self.filled_by(trade.qty, now);
        }
        booked
    }

    /// A trade that was booked in an earlier life: it counts, whatever else has been reported.
    pub(crate) fn was_traded(&mut self, trade: &OwnTrade, now: Timestamp) {
        self.fills.was_booked(trade);
        self.filled_by(trade.qty, now);
    }

    /// Takes over the trades that were booked as a stranger's before this order's number was known.
    pub(crate) fn adopt(&mut self, fills: FillBook) {
        let booked = fills.booked();
        self.fills = fills;
        self.filled_by(booked, self.view.since);
    }

    fn filled_by(&mut self, qty: Qty, now: Timestamp) {
        self.view.filled += qty;
        let ordered = self.view.order.intent.qty;
        if self.view.filled >= ordered {
            self.become_state(OrderState::Filled, now);
        } else if self.is_living() {
            self.become_state(OrderState::Partial, now);
        }
        if self.view.filled >= self.reported {
            self.pending_since = None;
        }
    }

    /// The exchange's own row. An order ends by a row whose filled part equals the booked trades.
    pub(crate) fn on_row(&mut self, row: &OrderRow, now: Timestamp) -> Moved {
        let existence = self.exists(row.id, now);
        let done = row.qty.minus_or_zero(row.left);
        self.reported = self.reported.max(done);
        if self.reported > self.view.filled {
            self.pending_since = self.pending_since.or(Some(now));
        }
        let has_ended = match row.status {
            RowStatus::Canceled | RowStatus::Closed => true,
            RowStatus::Untouched | RowStatus::Partial | RowStatus::Unmapped => false,
        };
        let is_settled = done == self.view.filled && done == self.reported;
        if !(has_ended && is_settled && self.is_living()) {
            return existence;
        }
        let ended = self.become_state(OrderState::Canceled, now);
        if existence == Moved::Ghost {
            existence
        } else {
            ended
        }
    }

    /// The proof of absence is complete, or a person has given it.
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
            self.doubted = None;
            self.unproven = None;
        }
        Moved::Yes
    }
}
