//! The trade history: what is kept of a booked trade when its record and its order have long gone.
//!
//! It is no source of truth and nobody folds it: every row is derived from one record of a trade, in the commit of that
//! record. The one idea: the booking that counts a trade once is also what makes its row, so there is one row a trade,
//! and what all rows have realised is what the books have realised by trading.

use crate::answer::{OwnTrade, TradeSource};
use crate::ids::{Asset, ClientId, OrderId, TradeId};
use crate::intent::{NewOrder, StrategyKind};
use crate::market::Side;
use crate::money::{Amount, Price, Qty};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the written form. A form that was released is read for ever; a later one than this is refused.
const VERSION: u32 = 1;

/// One trade of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Cells", try_from = "Cells")]
pub struct Traded {
    /// The trade as it was booked, with the client id of its order if that is ours.
    pub trade: OwnTrade,
    /// Who wanted the order; absent for a stranger's, and where only the record was known.
    pub strategy: Option<StrategyKind>,
    /// In which cycle.
    pub cycle: Option<u32>,
    /// What booking it did to the realised net profit, in the account's quote: its own part, and what a late trade
    /// has moved of those behind it. Absent where only the record was known.
    pub realised: Option<Amount>,
}

impl Traded {
    /// Makes the row of a trade of which only its record is known.
    pub const fn bare(trade: OwnTrade) -> Self {
        Self {
            trade,
            strategy: None,
            cycle: None,
            realised: None,
        }
    }

    /// Makes the row of a trade that was just booked.
    pub(crate) fn booked(
        trade: &OwnTrade,
        (client_id, order): (Option<ClientId>, Option<&NewOrder>),
        realised: Amount,
    ) -> Self {
        Self {
            trade: OwnTrade {
                client_id: trade.client_id.or(client_id),
                ..trade.clone()
            },
            strategy: order.map(|order| order.intent.strategy),
            cycle: order.map(|order| order.intent.cycle),
            realised: Some(realised),
        }
    }

    /// Returns the traded value, in the pair's quote.
    pub fn value(&self) -> Amount {
        self.trade.price.value(self.trade.qty)
    }

    /// Returns the asset in which fee and tax were paid.
    pub const fn charged_in(&self) -> Asset {
        if self.trade.fee_in_base {
            self.trade.base
        } else {
            self.trade.quote
        }
    }
}

/// A row as it is written: a list, because names would be most of it.
#[derive(Serialize, Deserialize)]
struct Cells(
    u32,
    Timestamp,
    (TradeSource, TradeId, OrderId),
    Option<ClientId>,
    Option<StrategyKind>,
    Option<u32>,
    (Asset, Asset),
    Side,
    Price,
    Qty,
    (Amount, Amount, bool),
    Option<Amount>,
);

impl From<Traded> for Cells {
    fn from(row: Traded) -> Self {
        let trade = row.trade;
        Self(
            VERSION,
            trade.at,
            (trade.source, trade.id, trade.order_id),
            trade.client_id,
            row.strategy,
            row.cycle,
            (trade.base, trade.quote),
            trade.side,
            trade.price,
            trade.qty,
            (trade.fee, trade.tax, trade.fee_in_base),
            row.realised,
        )
    }
}

/// A row of a form that this build does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("form {0} of a trade, and this build reads up to {VERSION}")]
struct UnknownForm(u32);

impl TryFrom<Cells> for Traded {
    type Error = UnknownForm;

    fn try_from(cells: Cells) -> Result<Self, UnknownForm> {
        let Cells(
            version,
            at,
            named,
            client_id,
            strategy,
            cycle,
            pair,
            side,
            price,
            qty,
            paid,
            realised,
        ) = cells;
        if version > VERSION {
            return Err(UnknownForm(version));
        }
        let trade = OwnTrade {
            source: named.0,
            id: named.1,
            order_id: named.2,
            client_id,
            base: pair.0,
            quote: pair.1,
            side,
            price,
            qty,
            fee: paid.0,
            tax: paid.1,
            at,
            fee_in_base: paid.2,
        };
        Ok(Self {
            trade,
            strategy,
            cycle,
            realised,
        })
    }
}

/// One side of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leg {
    /// Trades.
    pub trades: u64,
    /// Quantity, in the base.
    pub qty: Amount,
    /// Value, in the quote.
    pub value: Amount,
}

/// What was paid for trading, in one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charged {
    /// Fees; rebates count against them.
    pub fee: Amount,
    /// Tax.
    pub tax: Amount,
}

/// What the trades of one pair come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairSums {
    /// Purchases.
    pub bought: Leg,
    /// Sales.
    pub sold: Leg,
    /// Charges that were paid in the quote.
    pub in_quote: Charged,
    /// Charges that were paid in the base.
    pub in_base: Charged,
    /// Realised net profit of the trades that tell it, in the account's quote.
    pub realised: Amount,
    /// Trades that do not tell it.
    pub unvalued: u64,
}

impl PairSums {
    /// Returns how many trades there were.
    pub const fn trades(&self) -> u64 {
        self.bought.trades + self.sold.trades
    }

    fn add(&mut self, row: &Traded) {
        let trade = &row.trade;
        let leg = match trade.side {
            Side::Buy => &mut self.bought,
            Side::Sell => &mut self.sold,
        };
        leg.trades += 1;
        leg.qty += trade.qty.amount();
        leg.value += row.value();
        let charged = if trade.fee_in_base {
            &mut self.in_base
        } else {
            &mut self.in_quote
        };
        charged.fee += trade.fee;
        charged.tax += trade.tax;
        match row.realised {
            Some(realised) => self.realised += realised,
            None => self.unvalued += 1,
        }
    }
}

/// What trades come to, by pair: base, then quote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<(Asset, Asset), PairSums>);

impl Sums {
    /// Adds a trade.
    pub fn add(&mut self, row: &Traded) {
        let pair = (row.trade.base, row.trade.quote);
        self.0.entry(pair).or_default().add(row);
    }

    /// Returns the pairs that were traded.
    pub fn pairs(&self) -> impl Iterator<Item = ((Asset, Asset), &PairSums)> {
        self.0.iter().map(|(pair, sums)| (*pair, sums))
    }

    /// Returns how many trades there were.
    pub fn trades(&self) -> u64 {
        self.0.values().map(PairSums::trades).sum()
    }

    /// Returns what all trades moved of an asset, before charges: positive came in.
    pub fn moved(&self, asset: Asset) -> Amount {
        let of = |((base, quote), sums): (&(Asset, Asset), &PairSums)| {
            let mut moved = Amount::ZERO;
            if *base == asset {
                moved += sums.bought.qty - sums.sold.qty;
            }
            if *quote == asset {
                moved += sums.sold.value - sums.bought.value;
            }
            moved
        };
        self.0.iter().map(of).sum()
    }

    /// Returns what was charged in an asset.
    pub fn charged(&self, asset: Asset) -> Charged {
        let mut all = Charged::default();
        for ((base, quote), sums) in &self.0 {
            let parts = [(base, sums.in_base), (quote, sums.in_quote)];
            for (_, part) in parts
                .into_iter()
                .filter(|(in_asset, _)| **in_asset == asset)
            {
                all.fee += part.fee;
                all.tax += part.tax;
            }
        }
        all
    }

    /// Returns what all trades have realised; those that do not tell it are left out.
    pub fn realised(&self) -> Amount {
        self.0.values().map(|sums| sums.realised).sum()
    }

    /// Returns the assets that were traded, each once.
    pub fn assets(&self) -> impl Iterator<Item = Asset> {
        let both = self.0.keys().flat_map(|(base, quote)| [*base, *quote]);
        both.collect::<std::collections::BTreeSet<_>>().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Fold;
    use crate::checkpoint::story::{Story, quote};
    use crate::ledger::{Account, Ledger};
    use crate::record::Record;
    use crate::router::Keep;

    /// Rows as the journal's thread makes them, and the books that were kept beside.
    fn told(records: &[Record]) -> (Vec<Traded>, Ledger) {
        let mut fold = Fold::new(quote());
        let rows = records.iter().filter_map(|record| fold.book(record));
        let rows = rows.collect();
        (rows, fold.sum().money().ledger().clone())
    }

    fn sums(rows: &[Traded]) -> Sums {
        let mut sums = Sums::default();
        rows.iter().for_each(|row| sums.add(row));
        sums
    }

    #[test]
    fn the_sums_of_the_rows_are_those_of_the_books() {
        for seed in 0..40 {
            let mut records = Story::of(seed, 400).records;
            // What was sent away is realised, and no trade.
            records.retain(|record| {
                !matches!(record, Record::Transfer { .. } | Record::Adjustment { .. })
            });
            let (rows, ledger) = told(&records);
            let sums = sums(&rows);
            assert!(sums.trades() > 20, "seed {seed}");
            for asset in sums.assets() {
                let seen = ledger.account(asset, Account::Exchange);
                assert_eq!(sums.moved(asset), -seen, "seed {seed} {asset}");
                let charged = sums.charged(asset);
                assert_eq!(charged.fee, ledger.account(asset, Account::Fees), "{asset}");
                assert_eq!(charged.tax, ledger.account(asset, Account::Tax), "{asset}");
            }
            assert_eq!(sums.realised(), ledger.realised_net(), "seed {seed}");
        }
    }

    #[test]
    fn each_trade_has_one_row_and_an_own_one_says_whose_it_was() {
        let story = Story::of(3, 600);
        let (rows, _) = told(&story.records);
        let fills = story.records.iter().filter_map(|record| {
            let Record::Fill(trade) = record else {
                return None;
            };
            Some(trade)
        });
        let ids: Vec<_> = fills.clone().map(|trade| trade.id).collect();
        let of_rows: Vec<_> = rows.iter().map(|row| row.trade.id).collect();
        assert_eq!(of_rows, ids);
        let own: Vec<&Traded> = rows
            .iter()
            .filter(|row| row.trade.client_id.is_some())
            .collect();
        let named = fills.filter(|trade| trade.client_id.is_some()).count();
        assert!(own.len() > named, "some are known by their number alone");
        assert!(
            own.iter()
                .all(|row| row.strategy.is_some() && row.cycle == Some(1))
        );
        assert!(own.len() < rows.len(), "strangers trade as well");
    }

    #[test]
    fn a_start_from_a_checkpoint_makes_the_same_rows() {
        let records = Story::of(5, 500).records;
        let (rows, _) = told(&records);
        let (head, tail) = records.split_at(250);
        let before = head
            .iter()
            .filter(|record| matches!(record, Record::Fill(_)))
            .count();
        let head = Fold::of(quote(), Keep::default(), head);
        let mut fold = Fold::resume(head.sum().clone(), Keep::default());
        let again: Vec<Traded> = tail.iter().filter_map(|record| fold.book(record)).collect();
        assert_eq!(again, rows[before..]);
    }

    #[test]
    fn a_row_reads_back_is_small_and_a_later_form_is_refused() {
        let (rows, _) = told(&Story::of(7, 200).records);
        for row in &rows {
            let text = serde_json::to_string(row).expect("a row can be written");
            assert!(text.len() < 220, "{} bytes: {text}", text.len());
            let again: Traded = serde_json::from_str(&text).expect("a row reads back");
            assert_eq!(again, *row);
            let later = text.replacen("[1,", "[2,", 1);
            let refused = serde_json::from_str::<Traded>(&later).expect_err("of another build");
            assert!(refused.to_string().contains("form 2"), "{refused}");
        }
    }
}
