//! Where a dry run left off: the simulated account as the journal of the earlier starts tells it.
//!
//! The venue keeps no file of its own, so it can never disagree with the books. Balances are the ledger's; numbers go
//! on above every number ever given; orders that had one and had not ended are cancelled by the restart. An order
//! whose answer is not in the journal has no number to ask for: the router proves its absence, as on the exchange.

use crate::store::Entry;
use engine::answer::{BalanceRow, OrderRow, OwnTrade, RowStatus, SubmitOutcome};
use engine::ids::{Asset, ClientId, OrderId};
use engine::intent::NewOrder;
use engine::ledger::Ledger;
use engine::money::{Amount, Qty};
use engine::order::Resolution;
use engine::record::Record;
use engine::time::Timestamp;
use std::collections::BTreeMap;

/// What a fresh venue starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// What the account holds; all of it is free.
    pub(super) balances: Vec<BalanceRow>,
    /// Orders that had not ended when the last process did.
    pub(super) gone: BTreeMap<OrderId, OrderRow>,
    /// The first number of an order or a trade that was never given.
    pub(super) id_first: i64,
}

impl Past {
    /// Reads the journal; `cash` is the opening balance in `quote` of an account that was never opened.
    ///
    /// An account that was opened once goes on with what it has, whatever is configured by then.
    pub fn of(history: &[Entry], quote: Asset, cash: Amount, now: Timestamp) -> Self {
        let mut fold = Fold {
            ledger: Ledger::new(quote),
            living: BTreeMap::new(),
            id_max: 0,
        };
        for entry in history {
            fold.take(&entry.record);
        }
        Self {
            balances: fold.balances(quote, cash),
            gone: fold.gone(now),
            id_first: fold.id_max.saturating_add(1),
        }
    }
}

/// An order that has not ended, as far as the journal knows.
struct Known {
    order: NewOrder,
    number: Option<OrderId>,
    filled: Qty,
}

struct Fold {
    ledger: Ledger,
    /// As many as the journal left open; the router holds the same ones.
    living: BTreeMap<ClientId, Known>,
    id_max: i64,
}

impl Fold {
    fn take(&mut self, record: &Record) {
        match record {
            Record::Opening {
                asset,
                amount,
                price,
                at,
            } => self.ledger.book_opening(*asset, *amount, *price, *at),
            Record::Sending { order, .. } => {
                let known = Known {
                    order: *order,
                    number: None,
                    filled: Qty::ZERO,
                };
                self.living.insert(order.client_id, known);
            }
            Record::Outcome {
                client_id, outcome, ..
            } => self.outcome(*client_id, *outcome),
            Record::Adopted {
                client_id,
                order_id,
                ..
            } => self.exists(*client_id, *order_id),
            Record::Fill(trade) => self.fill(trade),
            Record::Ended { client_id, .. } => self.end(*client_id),
            Record::Transfer {
                id,
                asset,
                amount,
                price,
                at,
                ..
            } => {
                (self.ledger).book_transfer(*id, *asset, *amount, *price, *at);
            }
            Record::Adjustment {
                asset,
                amount,
                price,
                at,
                ..
            } => {
                self.ledger.book_correction(*asset, *amount, *price, *at);
            }
            Record::Resolved {
                client_id,
                resolution,
                ..
            } => match resolution {
                Resolution::Absent => self.end(*client_id),
                Resolution::Accepted(number) => self.exists(*client_id, *number),
                Resolution::Stuck => {}
            },
            Record::Boot { .. }
            | Record::Decided(_)
            | Record::Restored { .. }
            | Record::CancelAsked { .. }
            | Record::DayStart { .. }
            | Record::SafeMode { .. }
            | Record::Audit { .. }
            | Record::Stop { .. } => {}
        }
    }

    fn outcome(&mut self, id: ClientId, outcome: SubmitOutcome) {
        match outcome {
            SubmitOutcome::Accepted(number) | SubmitOutcome::AcceptedWithoutEcho(number) => {
                self.exists(id, number);
            }
            SubmitOutcome::Rejected(_) | SubmitOutcome::NotSent(_) => self.end(id),
            SubmitOutcome::Unknown(_) => {}
        }
    }

    fn exists(&mut self, id: ClientId, number: OrderId) {
        self.id_max = self.id_max.max(number.0);
        if let Some(known) = self.living.get_mut(&id) {
            known.number = Some(number);
        }
    }

    fn fill(&mut self, trade: &OwnTrade) {
        self.ledger.book_trade(trade);
        self.id_max = self.id_max.max(trade.id.0).max(trade.order_id.0);
        let own = trade.client_id.and_then(|id| self.living.get_mut(&id));
        if let Some(known) = own {
            known.number = Some(trade.order_id);
            known.filled += trade.qty;
        }
    }

    fn end(&mut self, id: ClientId) {
        self.living.remove(&id);
    }

    fn balances(&self, quote: Asset, cash: Amount) -> Vec<BalanceRow> {
        let mut assets = self.ledger.assets();
        assets.insert(quote);
        let total = |asset: Asset| {
            let booked = self.ledger.balance(asset);
            if asset == quote && !self.ledger.is_opened(quote) {
                cash + booked
            } else {
                booked
            }
        };
        assets
            .into_iter()
            .map(|asset| BalanceRow {
                asset,
                free: total(asset),
                locked: Amount::ZERO,
            })
            .collect()
    }

    fn gone(&self, now: Timestamp) -> BTreeMap<OrderId, OrderRow> {
        let numbered = self
            .living
            .values()
            .filter_map(|known| known.number.map(|id| (id, known)));
        numbered
            .map(|(id, known)| (id, known.row(id, now)))
            .collect()
    }
}

impl Known {
    fn row(&self, id: OrderId, now: Timestamp) -> OrderRow {
        let intent = &self.order.intent;
        let left = intent.qty.minus_or_zero(self.filled);
        OrderRow {
            id,
            client_id: Some(self.order.client_id),
            symbol: intent.symbol,
            side: intent.side,
            price: intent.limit,
            qty: intent.qty,
            left,
            status: if left.is_positive() {
                RowStatus::Canceled
            } else {
                RowStatus::Closed
            },
            at: now,
        }
    }
}
