//! Records in the shapes and the order in which the engine writes them, drawn from a seed.
//!
//! They trade nothing and add up to nothing. The one idea: what the store is tried with has the sizes of real records.

use super::cut::below;
use engine::answer::{OwnTrade, SubmitOutcome, TradeSource};
use engine::dice::Dice;
use engine::ids::{AccountTag, Asset, BootTag, ClientId, OrderId, Symbol, TradeId};
use engine::intent::{
    BookStamp, CancelReason, Intent, IntentClass, IntentReason, NewOrder, StrategyKind,
};
use engine::market::Side;
use engine::money::{Amount, Price, Qty};
use engine::order::OrderState;
use engine::record::Record;
use engine::time::Timestamp;
use std::collections::VecDeque;

/// Most trades of one order.
const TRADES_MAX: usize = 4;
/// Quote per unit of base, in units of 10^-8: about ten thousand.
const PRICE_UNITS: i64 = 1_000_000_000_000;

/// A source of records without end.
pub(super) struct Records {
    dice: Dice,
    now: Timestamp,
    next: u64,
    due: VecDeque<Record>,
}

impl Records {
    /// Starts with what a first start writes.
    pub(super) fn new(seed: u64, at: Timestamp) -> Self {
        let boot = Record::Boot { epoch: 1, at };
        let opening = Record::Opening {
            asset: Asset::parse("TRY").expect("an asset"),
            amount: Amount::from_whole(100_000),
            price: None,
            at,
        };
        Self {
            dice: Dice::new(seed),
            now: at,
            next: 0,
            due: VecDeque::from([boot, opening]),
        }
    }

    /// Returns the records of one commit.
    pub(super) fn group(&mut self, len: usize) -> Vec<(Timestamp, Record)> {
        (0..len).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> (Timestamp, Record) {
        self.now = self.now.plus_ms(self.dice.between(0, 500));
        loop {
            if let Some(record) = self.due.pop_front() {
                return (self.now, record);
            }
            self.order();
        }
    }

    /// One order, from its first record to its last.
    fn order(&mut self) {
        self.next += 1;
        let (at, order_id) = (self.now, OrderId(self.dice.between(1, i64::MAX)));
        let order = self.drawn_order();
        let client_id = order.client_id;
        self.due.push_back(Record::Sending {
            order,
            stamp_max: at.plus_ms(250),
        });
        self.due.push_back(Record::Outcome {
            client_id,
            outcome: SubmitOutcome::Accepted(order_id),
            at,
        });
        for _ in 0..below(&mut self.dice, TRADES_MAX) {
            let trade = self.drawn_trade(&order, order_id);
            self.due.push_back(Record::Fill(trade));
        }
        self.due.push_back(Record::CancelAsked {
            client_id,
            reason: CancelReason::Reprice,
            at,
        });
        self.due.push_back(Record::Ended {
            client_id,
            state: OrderState::Canceled,
            at,
        });
    }

    fn drawn_order(&mut self) -> NewOrder {
        let qty = Qty::from_units(self.dice.between(1, 1_000_000_000));
        let limit = Price::from_units(PRICE_UNITS + self.dice.between(0, 1_000_000));
        let intent = Intent {
            strategy: StrategyKind::MarketMaker,
            symbol: Symbol::parse("BTCTRY").expect("a symbol"),
            side: Side::Buy,
            qty,
            limit,
            class: IntentClass::Quote,
            reason: IntentReason::QuoteBid,
            at: self.now,
            book: BookStamp {
                session: 1,
                change: self.dice.between(1, 1_000_000_000),
            },
            mid: limit,
            cycle: 1,
        };
        NewOrder {
            client_id: ClientId::new(
                AccountTag::from_entropy(1),
                1,
                BootTag::from_entropy(2),
                self.next,
            ),
            intent,
            reserved: limit.value(qty),
            fee_in_base: false,
        }
    }

    fn drawn_trade(&mut self, order: &NewOrder, order_id: OrderId) -> OwnTrade {
        OwnTrade {
            source: TradeSource::Stream,
            id: TradeId(self.dice.between(1, i64::MAX)),
            order_id,
            client_id: Some(order.client_id),
            base: Asset::parse("BTC").expect("an asset"),
            quote: Asset::parse("TRY").expect("an asset"),
            side: order.intent.side,
            price: order.intent.limit,
            qty: order.intent.qty,
            fee: order.reserved,
            tax: Amount::from_units(0),
            at: self.now,
            fee_in_base: false,
        }
    }
}
