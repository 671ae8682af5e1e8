//! The account's books: exact, double entry, integers only.
//!
//! Every event is a set of postings that sum to zero per asset (I7). Beside the balances stand lots and cost,
//! so that profit is a difference of booked sums and never an estimate. Booking a loss is not an error, and
//! selling coins that were bought elsewhere does not stop it.

pub(crate) mod lots;
#[cfg(test)]
mod tests;

use crate::answer::OwnTrade;
use crate::ids::Asset;
use crate::ledger::lots::{Lot, Lots, Taken, share};
use crate::market::Side;
use crate::money::{Amount, Price, UNITS_PER_ONE};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

pub use lots::value_at;

/// Whose side a posting is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// What we own.
    Ours,
    /// Everybody we traded with.
    Exchange,
    /// Fees paid.
    Fees,
    /// Tax paid.
    Tax,
    /// What was there before the first trade.
    Opening,
    /// Coins that were sold but never seen coming in.
    Adjustment,
}

/// A broken law of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// The postings of an asset do not sum to zero.
    #[error("postings of {0} do not sum to zero")]
    Unbalanced(Asset),
    /// The lots of an asset do not sum to what we own of it.
    #[error("lots of {0} do not sum to the position")]
    LotsDiffer(Asset),
    /// A lot without coins.
    #[error("a lot of {0} is not positive")]
    EmptyLot(Asset),
}

/// Sums since the ledger began, in the account's quote currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sales less the price cost of what was sold.
    pub realised_gross: Amount,
    /// The same less the fees and tax of purchase and sale.
    pub realised_net: Amount,
    /// Traded value, both sides.
    pub turnover: Amount,
    /// Value of everything that was opened with a known price, cash included.
    pub opened: Amount,
    /// Value of coins that were sold but never seen coming in.
    pub adjusted: Amount,
}

/// The ledger of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    quote: Asset,
    accounts: BTreeMap<(Asset, Account), Amount>,
    lots: BTreeMap<Asset, Lots>,
    opened: BTreeSet<Asset>,
    figures: Figures,
    trades: BTreeMap<Asset, u32>,
}

impl Ledger {
    /// Makes an empty ledger that values in `quote`.
    pub const fn new(quote: Asset) -> Self {
        Self {
            quote,
            accounts: BTreeMap::new(),
            lots: BTreeMap::new(),
            opened: BTreeSet::new(),
            figures: Figures {
                realised_gross: Amount::ZERO,
                realised_net: Amount::ZERO,
                turnover: Amount::ZERO,
                opened: Amount::ZERO,
                adjusted: Amount::ZERO,
            },
            trades: BTreeMap::new(),
        }
    }

    /// Books what was in the account before its first trade. `amount` may be negative if trades were booked earlier.
    pub fn book_opening(
        &mut self,
        asset: Asset,
        amount: Amount,
        price: Option<Price>,
        at: Timestamp,
    ) {
        self.post(&[
            (asset, Account::Ours, amount),
            (asset, Account::Opening, -amount),
        ]);
        self.opened.insert(asset);
        let gross = price.and_then(|price| value_at(amount, price));
        if asset == self.quote {
            self.figures.opened += amount;
        } else if amount.is_negative() {
            self.give(asset, -amount, None, at);
            self.figures.opened += gross.unwrap_or_default();
        } else {
            self.receive(
                asset,
                Lot {
                    amount,
                    gross,
                    fees: Amount::ZERO,
                    at,
                },
            );
            self.figures.opened += gross.unwrap_or_default();
        }
        debug_assert_eq!(self.check(), Ok(()));
    }

    /// Books a trade. Returns the coins that were sold without ever having come in (`inventory_adjusted`), mostly zero.
    pub fn book_trade(&mut self, trade: &OwnTrade) -> Amount {
        let adjusted = match (trade.quote == self.quote, trade.side) {
            (true, Side::Buy) => self.book_buy(trade),
            (true, Side::Sell) => self.book_sell(trade),
            (false, _) => self.book_exchange(trade),
        };
        for asset in [trade.base, trade.quote] {
            let count = self.trades.entry(asset).or_default();
            *count = count.saturating_add(1);
        }
        debug_assert_eq!(self.check(), Ok(()));
        adjusted
    }

    /// Returns what we own of an asset, free and locked.
    pub fn balance(&self, asset: Asset) -> Amount {
        self.account(asset, Account::Ours)
    }

    /// Returns the sum of one account.
    pub fn account(&self, asset: Asset, account: Account) -> Amount {
        self.accounts
            .get(&(asset, account))
            .copied()
            .unwrap_or_default()
    }

    /// Returns every asset that was ever booked.
    pub fn assets(&self) -> BTreeSet<Asset> {
        self.accounts.keys().map(|(asset, _)| *asset).collect()
    }

    /// Returns whether the opening of an asset was booked.
    pub fn is_opened(&self, asset: Asset) -> bool {
        self.opened.contains(&asset)
    }

    /// Returns the coins held of `base`: the sum of its lots.
    pub fn position(&self, base: Asset) -> Amount {
        self.lots.get(&base).map(Lots::total).unwrap_or_default()
    }

    /// Returns the average net cost of one coin, fees and tax of the purchases included, rounded up.
    /// `None` without a position, or if the cost of a part is unknown.
    pub fn cost(&self, base: Asset) -> Option<Price> {
        let (gross, fees) = self.lots.get(&base)?.cost()?;
        self.per_coin(base, gross + fees)
    }

    /// Returns the average price cost of one coin, without fees, rounded up. `None` as for [`Self::cost`].
    pub fn cost_gross(&self, base: Asset) -> Option<Price> {
        let (gross, _) = self.lots.get(&base)?.cost()?;
        self.per_coin(base, gross)
    }

    /// Returns the price cost of all lots of `base`; `None` if the cost of a part is unknown.
    pub fn lots_gross(&self, base: Asset) -> Option<Amount> {
        self.lots.get(&base).map_or(Some(Amount::ZERO), |lots| {
            lots.cost().map(|(gross, _)| gross)
        })
    }

    /// Returns when the position was opened; a rest below a hundredth of it does not count.
    pub fn opened_at(&self, base: Asset) -> Option<Timestamp> {
        self.lots.get(&base).and_then(Lots::opened_at)
    }

    /// Returns fees paid in the account's quote; rebates count against them.
    pub fn fees(&self) -> Amount {
        self.account(self.quote, Account::Fees)
    }

    /// Returns tax paid in the account's quote.
    pub fn tax(&self) -> Amount {
        self.account(self.quote, Account::Tax)
    }

    /// Returns the sums since the ledger began.
    pub const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Returns realised profit after fees and tax of purchase and sale.
    pub const fn realised_net(&self) -> Amount {
        self.figures.realised_net
    }

    /// Returns how many trades moved an asset.
    pub fn trades_of(&self, asset: Asset) -> u32 {
        self.trades.get(&asset).copied().unwrap_or_default()
    }

    /// Checks the laws of the books.
    ///
    /// # Errors
    /// The first law that is broken, with its asset.
    pub fn check(&self) -> Result<(), LedgerFault> {
        for asset in self.assets() {
            let sum: Amount = self.postings(asset).sum();
            if sum != Amount::ZERO {
                return Err(LedgerFault::Unbalanced(asset));
            }
        }
        for (asset, lots) in &self.lots {
            if lots.total() != self.balance(*asset) || lots.counted() != lots.total() {
                return Err(LedgerFault::LotsDiffer(*asset));
            }
            if !lots.all_positive() {
                return Err(LedgerFault::EmptyLot(*asset));
            }
        }
        Ok(())
    }

    fn postings(&self, asset: Asset) -> impl Iterator<Item = Amount> + '_ {
        let of_asset = (asset, Account::Ours)..=(asset, Account::Adjustment);
        self.accounts.range(of_asset).map(|(_, amount)| *amount)
    }

    fn book_buy(&mut self, trade: &OwnTrade) -> Amount {
        let value = trade.price.value(trade.qty);
        self.post_trade(trade, trade.qty.amount(), -value);
        self.figures.turnover += value;
        self.receive(
            trade.base,
            Lot {
                amount: trade.qty.amount(),
                gross: Some(value),
                fees: trade.fee + trade.tax,
                at: trade.at,
            },
        );
        Amount::ZERO
    }

    fn book_sell(&mut self, trade: &OwnTrade) -> Amount {
        let (value, amount) = (trade.price.value(trade.qty), trade.qty.amount());
        self.post_trade(trade, -amount, value);
        self.figures.turnover += value;
        let (taken, adjusted) = self.give(trade.base, amount, Some(trade.price), trade.at);
        // Coins of unknown cost are sold at cost: neither profit nor loss is made up.
        let unpriced = share(value, taken.unpriced, amount);
        let gross = value - taken.gross - unpriced;
        self.figures.realised_gross += gross;
        self.figures.realised_net += gross - taken.fees - trade.fee - trade.tax;
        adjusted
    }

    /// A pair whose quote is not the account's: cost moves from the coins given to the coins got.
    fn book_exchange(&mut self, trade: &OwnTrade) -> Amount {
        let (value, amount) = (trade.price.value(trade.qty), trade.qty.amount());
        let costs = trade.fee + trade.tax;
        let (got, given) = match trade.side {
            Side::Buy => ((trade.base, amount), (trade.quote, value + costs)),
            Side::Sell => ((trade.quote, value - costs), (trade.base, amount)),
        };
        let sign = match trade.side {
            Side::Buy => (amount, -value),
            Side::Sell => (-amount, value),
        };
        self.post_trade(trade, sign.0, sign.1);
        let (taken, adjusted) = self.give(given.0, given.1, None, trade.at);
        let gross = (taken.unpriced == Amount::ZERO).then_some(taken.gross);
        let lot = Lot {
            amount: got.1,
            gross,
            fees: taken.fees,
            at: trade.at,
        };
        self.receive(got.0, lot);
        adjusted
    }

    fn post_trade(&mut self, trade: &OwnTrade, base: Amount, quote: Amount) {
        self.post(&[
            (trade.base, Account::Ours, base),
            (trade.base, Account::Exchange, -base),
            (trade.quote, Account::Ours, quote - trade.fee - trade.tax),
            (trade.quote, Account::Exchange, -quote),
            (trade.quote, Account::Fees, trade.fee),
            (trade.quote, Account::Tax, trade.tax),
        ]);
    }

    fn post(&mut self, postings: &[(Asset, Account, Amount)]) {
        for (asset, _, _) in postings {
            let sum: Amount = postings.iter().filter(|p| p.0 == *asset).map(|p| p.2).sum();
            assert!(sum == Amount::ZERO, "postings of an event sum to zero");
        }
        for (asset, account, amount) in postings {
            *self.accounts.entry((*asset, *account)).or_default() += *amount;
        }
    }

    fn receive(&mut self, asset: Asset, lot: Lot) {
        if asset != self.quote {
            self.lots.entry(asset).or_default().push(lot);
        }
    }

    /// Takes coins from the lots; what is missing there is opened first, at `price`.
    fn give(
        &mut self,
        asset: Asset,
        amount: Amount,
        price: Option<Price>,
        at: Timestamp,
    ) -> (Taken, Amount) {
        if asset == self.quote {
            return (Taken::default(), Amount::ZERO);
        }
        let missing = (amount - self.position(asset)).max(Amount::ZERO);
        if missing.is_positive() {
            self.post(&[
                (asset, Account::Ours, missing),
                (asset, Account::Adjustment, -missing),
            ]);
            let gross = price.and_then(|price| value_at(missing, price));
            self.figures.adjusted += gross.unwrap_or_default();
            self.receive(
                asset,
                Lot {
                    amount: missing,
                    gross,
                    fees: Amount::ZERO,
                    at,
                },
            );
        }
        let lots = self.lots.entry(asset).or_default();
        (lots.take(amount), missing)
    }

    fn per_coin(&self, base: Asset, sum: Amount) -> Option<Price> {
        let position = self.position(base).units();
        let scaled = sum.units().checked_mul(i128::from(UNITS_PER_ONE))?;
        let floor = scaled.checked_div_euclid(position)?;
        let rest = scaled.checked_rem_euclid(position)?;
        i64::try_from(floor + i128::from(rest > 0))
            .ok()
            .map(Price::from_units)
    }
}
