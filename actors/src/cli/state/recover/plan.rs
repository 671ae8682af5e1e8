//! What the new journal will hold: every own order of a day, open or ended, with its trades.
//!
//! Ended orders are written too, because an id of ours that the journal does not know would be taken for the work of
//! a second engine.

use super::account::Account;
use engine::answer::{OrderRow, OwnTrade, RowStatus};
use engine::ids::{AccountTag, ClientId};
use engine::intent::{BookStamp, Intent, IntentClass, IntentReason, NewOrder, StrategyKind};
use engine::market::Side;
use engine::money::Qty;
use engine::order::OrderState;
use engine::record::{Record, RestoredFrom};
use engine::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One own order with its trades.
struct Own {
    row: OrderRow,
    trades: Vec<OwnTrade>,
    fee_in_base: bool,
}

/// The contents of the new journal.
pub struct Plan {
    tag: AccountTag,
    epoch: u32,
    own: BTreeMap<ClientId, Own>,
    balances: Value,
    others_open: usize,
    /// What an operator has to know.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Sorts out what is ours; the next start counts on from the highest start that is known.
    pub fn of(account: &Account, tag: AccountTag, known_epoch: u32, now: Timestamp) -> Self {
        let mut plan = Self {
            tag,
            epoch: known_epoch,
            own: BTreeMap::new(),
            balances: json!({ "at_us": now.0, "rows": account.balances }),
            others_open: 0,
            warnings: Vec::new(),
        };
        for row in &account.rows {
            match row.client_id.filter(|id| id.tag() == tag) {
                Some(id) => plan.take(id, row, account),
                None if is_open(row) => plan.others_open += 1,
                None => {}
            }
        }
        plan
    }

    fn take(&mut self, id: ClientId, row: &OrderRow, account: &Account) {
        self.epoch = self.epoch.max(id.epoch());
        if let Some(known) = self.own.get(&id) {
            if known.row.id != row.id {
                let (one, other) = (known.row.id, row.id);
                let text = format!("{id} is on the exchange twice, as {one} and {other}");
                self.warnings.push(text);
            }
            return;
        }
        let fee_in_base = account.fee_in_base.contains(&row.symbol);
        let of_order = account
            .trades
            .iter()
            .filter(|trade| trade.order_id == row.id);
        let trades: Vec<OwnTrade> = of_order
            .map(|trade| OwnTrade {
                fee_in_base,
                ..trade.clone()
            })
            .collect();
        let booked: Qty = trades.iter().map(|trade| trade.qty).sum();
        if booked != row.qty.minus_or_zero(row.left) {
            let text =
                format!("{id}: its trades of a day add up to {booked}, not to what is filled");
            self.warnings.push(text);
        }
        let own = Own {
            row: row.clone(),
            trades,
            fee_in_base,
        };
        self.own.insert(id, own);
    }

    /// Returns the ids of every own order.
    pub fn ids(&self) -> impl Iterator<Item = ClientId> {
        self.own.keys().copied()
    }

    /// Returns the records of the new journal.
    pub fn records(&self, reason: &str, now: Timestamp) -> Vec<(Timestamp, Record)> {
        let epoch = self.epoch;
        // The start that it stands for never was one of this journal; it makes the next one count on.
        let mut records = vec![Record::Boot { epoch, at: now }];
        for (id, own) in &self.own {
            own.write(*id, &mut records);
        }
        records.push(Record::Restored {
            from: RestoredFrom::Exchange,
            reason: reason.to_owned(),
            at: now,
        });
        records.into_iter().map(|record| (now, record)).collect()
    }

    fn open(&self) -> impl Iterator<Item = (&ClientId, &Own)> {
        self.own.iter().filter(|(_, own)| is_open(&own.row))
    }

    /// Returns the plan as JSON.
    pub fn to_json(&self) -> Value {
        let open = self.open().map(|(id, own)| {
            json!({
                "client_id": id,
                "order_id": own.row.id,
                "symbol": own.row.symbol,
                "side": own.row.side,
                "price": own.row.price,
                "qty": own.row.qty,
                "left": own.row.left,
            })
        });
        json!({
            "tag": self.tag,
            "next_epoch": self.epoch + 1,
            "open": open.collect::<Vec<_>>(),
            "own_orders": self.own.len(),
            "others_open": self.others_open,
            "balances": self.balances,
        })
    }

    /// Returns the plan for people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "tag {}, next start {}, {} own orders of a day, {} of them open; {} open orders of others stay untouched\n",
            self.tag,
            self.epoch + 1,
            self.own.len(),
            self.open().count(),
            self.others_open
        );
        for (id, own) in self.open() {
            let row = &own.row;
            text += &format!(
                "adopt {id} as {}: {} {} {} at {}, {} left\n",
                row.id,
                row.side.as_str(),
                row.qty,
                row.symbol,
                row.price,
                row.left
            );
        }
        text
    }
}

const fn is_open(row: &OrderRow) -> bool {
    match row.status {
        RowStatus::Untouched | RowStatus::Partial | RowStatus::Unmapped => true,
        RowStatus::Canceled | RowStatus::Closed => false,
    }
}

impl Own {
    fn write(&self, id: ClientId, records: &mut Vec<Record>) {
        let row = &self.row;
        records.push(Record::Sending {
            order: self.order(id),
            stamp_max: row.at,
        });
        records.push(Record::Adopted {
            client_id: id,
            order_id: row.id,
            at: row.at,
        });
        records.extend(self.trades.iter().cloned().map(Record::Fill));
        if !is_open(row) {
            let is_filled = self.trades.iter().map(|trade| trade.qty).sum::<Qty>() >= row.qty;
            records.push(Record::Ended {
                client_id: id,
                state: if is_filled {
                    OrderState::Filled
                } else {
                    OrderState::Canceled
                },
                at: row.at,
            });
        }
    }

    /// The order as the exchange shows it. Who wanted it and why is lost.
    fn order(&self, id: ClientId) -> NewOrder {
        let row = &self.row;
        let intent = Intent {
            strategy: StrategyKind::MarketMaker,
            symbol: row.symbol,
            side: row.side,
            qty: row.qty,
            limit: row.price,
            class: IntentClass::Quote,
            reason: IntentReason::Recovered,
            at: row.at,
            book: BookStamp::default(),
            mid: row.price,
            cycle: 0,
        };
        NewOrder {
            client_id: id,
            intent,
            reserved: match row.side {
                Side::Buy => row.price.value(row.qty),
                Side::Sell => row.qty.amount(),
            },
            fee_in_base: self.fee_in_base,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::answer::TradeSource;
    use engine::checkpoint::Fold;
    use engine::ids::{Asset, BootTag, OrderId, Symbol, TradeId};
    use engine::money::{Amount, Price};
    use engine::router::{Keep, OrderRouter, RouterSettings};
    use std::collections::BTreeSet;

    const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn tag() -> AccountTag {
        AccountTag::from_entropy(1)
    }

    fn id(epoch: u32, seq: u64) -> ClientId {
        ClientId::new(tag(), epoch, BootTag::from_entropy(2), seq)
    }

    fn qty(text: &str) -> Qty {
        Qty::parse(text).expect("a quantity")
    }

    fn row(number: i64, client_id: Option<ClientId>, left: &str, status: RowStatus) -> OrderRow {
        OrderRow {
            id: OrderId(number),
            client_id,
            symbol: Symbol::parse("BTCTRY").expect("a pair"),
            side: Side::Buy,
            price: Price::parse("100").expect("a price"),
            qty: qty("2"),
            left: qty(left),
            status,
            at: AT,
        }
    }

    fn trade(order: i64, of: &str) -> OwnTrade {
        OwnTrade {
            source: TradeSource::Rest,
            id: TradeId(order * 10),
            order_id: OrderId(order),
            client_id: None,
            base: Asset::parse("BTC").expect("an asset"),
            quote: Asset::parse("TRY").expect("an asset"),
            side: Side::Buy,
            price: Price::parse("100").expect("a price"),
            qty: qty(of),
            fee: Amount::ZERO,
            tax: Amount::ZERO,
            at: AT,
            fee_in_base: false,
        }
    }

    fn account() -> Account {
        let stranger = ClientId::new(AccountTag::from_entropy(9), 1, BootTag::from_entropy(2), 1);
        Account {
            rows: vec![
                row(1, Some(id(4, 7)), "1.5", RowStatus::Partial),
                row(1, Some(id(4, 7)), "1.5", RowStatus::Partial),
                row(2, Some(id(6, 2)), "0", RowStatus::Closed),
                row(3, Some(id(5, 1)), "2", RowStatus::Canceled),
                row(4, None, "2", RowStatus::Untouched),
                row(5, Some(stranger), "2", RowStatus::Untouched),
            ],
            trades: vec![trade(1, "0.5"), trade(2, "2"), trade(4, "1")],
            balances: Vec::new(),
            fee_in_base: BTreeSet::new(),
        }
    }

    #[test]
    fn own_orders_are_known_again_and_strangers_are_left_alone() {
        let plan = Plan::of(&account(), tag(), 3, AT);
        assert_eq!(plan.warnings, Vec::<String>::new());
        let json = plan.to_json();
        assert_eq!(
            (&json["next_epoch"], &json["own_orders"]),
            (&json!(7), &json!(3))
        );
        assert_eq!(json["others_open"], 2);
        assert_eq!(json["open"][0]["client_id"], json!(id(4, 7)));
        let mut router = OrderRouter::new(RouterSettings {
            tag: tag(),
            ttl_ms: 0,
            cancel_retry_ms: 0,
            unknown_settle_ms: 0,
            keep: Keep::default(),
        });
        let records = plan.records("the disk died", AT);
        let quote = Asset::parse("TRY").expect("an asset");
        let past = Fold::of(
            quote,
            Keep::default(),
            records.iter().map(|(_, record)| record),
        );
        router.recall(past.sum().orders().clone());
        let check = |of: ClientId, state: OrderState, filled: &str| {
            let view = router.order(of).expect("it is known");
            assert_eq!((view.state, view.filled), (state, qty(filled)), "{of}");
        };
        check(id(4, 7), OrderState::Partial, "0.5");
        check(id(6, 2), OrderState::Filled, "2");
        check(id(5, 1), OrderState::Canceled, "0");
        assert!(matches!(&records[0].1, Record::Boot { epoch: 6, .. }));
        assert!(matches!(
            &records[records.len() - 1].1,
            Record::Restored { from: RestoredFrom::Exchange, reason, .. } if reason == "the disk died"
        ));
    }

    #[test]
    fn an_id_that_exists_twice_and_missing_trades_are_told() {
        let mut account = account();
        account
            .rows
            .push(row(9, Some(id(4, 7)), "2", RowStatus::Untouched));
        account.trades.clear();
        let plan = Plan::of(&account, tag(), 0, AT);
        assert_eq!(plan.warnings.len(), 3, "{:?}", plan.warnings);
        assert!(plan.warnings.iter().any(|text| text.contains("twice")));
    }
}
