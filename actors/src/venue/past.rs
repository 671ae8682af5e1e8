//! Where a dry run left off: the simulated account as the journal of the earlier starts tells it.
//!
//! The venue keeps no file of its own, so it can never disagree with the books. Balances are the ledger's; numbers go
//! on above every number ever given; orders that had one and had not ended are cancelled by the restart. An order
//! whose answer is not in the journal has no number to ask for: the router proves its absence, as on the exchange.

use engine::answer::{BalanceRow, OrderRow, RowStatus};
use engine::checkpoint::Checkpoint;
use engine::ids::{Asset, OrderId};
use engine::ledger::Ledger;
use engine::money::Amount;
use engine::order::OrderView;
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
    /// Reads what the journal adds up to; `cash` is the opening balance in `quote` of an account that was never opened.
    ///
    /// An account that was opened once goes on with what it has, whatever is configured by then.
    pub fn of(journal: &Checkpoint, quote: Asset, cash: Amount, now: Timestamp) -> Self {
        let numbered = (journal.orders().living())
            .filter_map(|view| Some((view.order_id?, row(view, view.order_id?, now))));
        Self {
            balances: balances(journal.money().ledger(), quote, cash),
            gone: numbered.collect(),
            id_first: journal.number_max().saturating_add(1),
        }
    }
}

fn balances(ledger: &Ledger, quote: Asset, cash: Amount) -> Vec<BalanceRow> {
    let mut assets = ledger.assets();
    assets.insert(quote);
    let total = |asset: Asset| {
        let booked = ledger.balance(asset);
        if asset == quote && !ledger.is_opened(quote) {
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

fn row(view: &OrderView, id: OrderId, now: Timestamp) -> OrderRow {
    let intent = &view.order.intent;
    let left = intent.qty.minus_or_zero(view.filled);
    OrderRow {
        id,
        client_id: Some(view.order.client_id),
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
