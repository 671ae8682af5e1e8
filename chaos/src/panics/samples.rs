//! The values that sample messages are made of: one pair, one order that nobody has sent, one moment.

use crate::life;
use engine::answer::{BalanceRow, OwnTrade, TradeSource};
use engine::book::{BookView, Distrust};
use engine::hold::Hold;
use engine::ids::{BootTag, ClientId, OrderId, Symbol, TradeId};
use engine::instrument::Instrument;
use engine::intent::{BookStamp, Intent, IntentClass, IntentReason, NewOrder, StrategyKind};
use engine::market::{MarketEvent, Side, Ticker};
use engine::mode::Mode;
use engine::money::{Amount, Price, Qty};
use engine::msg::{DeskView, Snapshot};
use engine::order::{OrderState, OrderView};
use engine::risk::Limits;
use engine::time::Timestamp;

/// A price that is on every grid.
const PRICE: Price = Price::from_units(100_000_000_000);
/// A quantity that is on every grid.
const QTY: Qty = Qty::from_units(100_000_000);

/// What the samples of one case have in common.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    /// The moment.
    pub(super) now: Timestamp,
    /// An id of ours that was never sent.
    pub(super) id: ClientId,
    /// The pair.
    pub(super) rules: Instrument,
    /// The gate's limits.
    pub(super) limits: Limits,
}

impl Samples {
    /// Makes them for a pair of the exchange.
    pub(super) fn new(now: Timestamp, rules: Instrument) -> Self {
        Self {
            now,
            id: ClientId::new(life::tag(), 1, BootTag::from_entropy(9), 999_999),
            rules,
            limits: life::limits(),
        }
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        let profile = simulator::profile::Profile::faithful();
        let start = crate::world::START;
        let exchange = simulator::exchange::Exchange::new(1, profile, start, &[]);
        Self::new(start, crate::wire::rules(&exchange.pairs()[0]))
    }

    pub(super) fn symbol(&self) -> Symbol {
        self.rules.symbol
    }

    pub(super) fn ticker(&self) -> Ticker {
        Ticker {
            symbol: self.symbol(),
            bid: PRICE,
            ask: PRICE,
            last: PRICE,
        }
    }

    /// Public data that says nothing.
    pub(super) const fn no_trades() -> MarketEvent {
        MarketEvent::Trades(Vec::new())
    }

    pub(super) fn view(&self) -> BookView {
        BookView::Untrusted {
            symbol: self.symbol(),
            why: Distrust::Syncing,
            since: self.now,
        }
    }

    pub(super) fn desk(&self) -> DeskView {
        DeskView {
            symbol: self.symbol(),
            mode: Mode::ObserveOnly,
            position: Qty::ZERO,
            cost: None,
            opened_at: None,
            cash: Amount::ZERO,
            orders: Vec::new(),
            last_entry_at: None,
        }
    }

    pub(super) fn hold(&self) -> Hold {
        Hold {
            symbol: Some(self.symbol()),
            mode: Mode::ReduceRiskOnly,
            until: Some(self.now),
            reason: "a sample".to_owned(),
            by: "nobody".to_owned(),
            at: self.now,
        }
    }

    pub(super) fn intent(&self) -> Intent {
        Intent {
            strategy: StrategyKind::MarketMaker,
            symbol: self.symbol(),
            side: Side::Buy,
            qty: QTY,
            limit: PRICE,
            class: IntentClass::Quote,
            reason: IntentReason::QuoteBid,
            at: self.now,
            book: BookStamp {
                session: 1,
                change: 1,
            },
            mid: PRICE,
            cycle: 1,
        }
    }

    pub(super) fn order(&self) -> OrderView {
        OrderView {
            order: NewOrder {
                client_id: self.id,
                intent: self.intent(),
                reserved: Amount::ZERO,
                fee_in_base: false,
            },
            state: OrderState::Absent,
            order_id: None,
            filled: Qty::ZERO,
            cancel_asked: false,
            since: self.now,
        }
    }

    pub(super) fn trade(&self) -> OwnTrade {
        OwnTrade {
            source: TradeSource::Rest,
            id: TradeId(1),
            order_id: OrderId(1),
            client_id: None,
            base: self.rules.base,
            quote: self.rules.quote,
            side: Side::Buy,
            price: PRICE,
            qty: QTY,
            fee: Amount::ZERO,
            tax: Amount::ZERO,
            at: self.now,
            fee_in_base: false,
        }
    }

    pub(super) fn balances(&self) -> Vec<BalanceRow> {
        vec![BalanceRow {
            asset: self.rules.quote,
            free: Amount::from_whole(30_000),
            locked: Amount::ZERO,
        }]
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            asked_at: self.now,
            open: Vec::new(),
            histories: Vec::new(),
            trades: Vec::new(),
            trades_since: self.now,
        }
    }
}
