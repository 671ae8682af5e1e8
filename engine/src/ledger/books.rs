//! The accounts, lots and figures behind the ledger: one event at a time, in the order in which they are given.
//!
//! Which order that is, and what was booked before, is the ledger's matter. Every event is a set of postings that sum
//! to zero per asset (I7): nothing appears or goes without another account saying where from or where to.

use super::lots::{Lot, Lots, Taken, share};
use super::{Account, Figures, LedgerFault, value_at};
use crate::answer::OwnTrade;
use crate::ids::Asset;
use crate::market::Side;
use crate::money::{Amount, Price, UNITS_PER_ONE};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Neg;

/// The books as they are after the last event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Books {
    pub(crate) quote: Asset,
    #[serde(with = "crate::pairs")]
    accounts: BTreeMap<(Asset, Account), Amount>,
    lots: BTreeMap<Asset, Lots>,
    opened: BTreeSet<Asset>,
    pub(crate) figures: Figures,
    trades: BTreeMap<Asset, u32>,
}

/// Something that came or went without a trade.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) asset: Asset,
    /// Positive came in, negative went out.
    pub(crate) amount: Amount,
    /// Value of one unit in the account's quote; absent for the quote itself, and where nobody knows it.
    pub(crate) price: Option<Price>,
    pub(crate) at: Timestamp,
    /// The account on the other side.
    pub(crate) other: Account,
}

impl Books {
    pub(crate) const fn new(quote: Asset) -> Self {
        Self {
            quote,
            accounts: BTreeMap::new(),
            lots: BTreeMap::new(),
            opened: BTreeSet::new(),
            figures: Figures::ZERO,
            trades: BTreeMap::new(),
        }
    }

    pub(crate) fn book_opening(&mut self, moved: Move) {
        self.opened.insert(moved.asset);
        self.post_move(&moved);
        if moved.asset == self.quote {
            self.figures.opened += moved.amount;
            return;
        }
        if moved.amount.is_negative() {
            self.give(moved.asset, -moved.amount, None, moved.at);
        } else {
            self.receive(moved.asset, moved.lot());
        }
        self.figures.opened += moved.value().unwrap_or_default();
    }

    /// Books what came or went without a trade. Coins in are a lot at their value then; coins out leave at their
    /// value then, and value less cost is realised. Returns the value, signed.
    pub(crate) fn book_move(&mut self, moved: Move) -> Amount {
        self.post_move(&moved);
        if moved.asset == self.quote {
            return moved.amount;
        }
        if !moved.amount.is_negative() {
            self.receive(moved.asset, moved.lot());
            return moved.value().unwrap_or_default();
        }
        let taken = self.give(moved.asset, -moved.amount, moved.price, moved.at);
        // Coins of unknown value or cost leave at cost: neither profit nor loss is made up.
        let Some(value) = moved.value().map(Neg::neg) else {
            return -taken.gross;
        };
        let gross = value - taken.gross - share(value, taken.unpriced, -moved.amount);
        self.figures.transfer_pnl += gross;
        self.figures.realised_gross += gross;
        self.figures.realised_net += gross - taken.fees;
        -value
    }

    pub(crate) fn book_trade(&mut self, trade: &OwnTrade) {
        match (trade.quote == self.quote, trade.side) {
            (true, Side::Buy) => self.book_buy(trade),
            (true, Side::Sell) => self.book_sell(trade),
            (false, _) => self.book_exchange(trade),
        }
        for asset in [trade.base, trade.quote] {
            let count = self.trades.entry(asset).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn account(&self, asset: Asset, account: Account) -> Amount {
        self.accounts
            .get(&(asset, account))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn assets(&self) -> BTreeSet<Asset> {
        self.accounts.keys().map(|(asset, _)| *asset).collect()
    }

    pub(crate) fn is_opened(&self, asset: Asset) -> bool {
        self.opened.contains(&asset)
    }

    pub(crate) fn trades_of(&self, asset: Asset) -> u32 {
        self.trades.get(&asset).copied().unwrap_or_default()
    }

    pub(crate) fn position(&self, base: Asset) -> Amount {
        self.lots.get(&base).map(Lots::total).unwrap_or_default()
    }

    pub(crate) fn lots(&self, base: Asset) -> Option<&Lots> {
        self.lots.get(&base)
    }

    pub(crate) fn held(&self) -> impl Iterator<Item = (Asset, &Lots)> {
        self.lots.iter().map(|(asset, lots)| (*asset, lots))
    }

    /// The sum of a lot's figures per coin, rounded up.
    pub(crate) fn per_coin(&self, base: Asset, sum: Amount) -> Option<Price> {
        let position = self.position(base).units();
        let scaled = sum.units().checked_mul(i128::from(UNITS_PER_ONE))?;
        let floor = scaled.checked_div_euclid(position)?;
        let rest = scaled.checked_rem_euclid(position)?;
        i64::try_from(floor + i128::from(rest > 0))
            .ok()
            .map(Price::from_units)
    }

    pub(crate) fn check(&self) -> Result<(), LedgerFault> {
        for asset in self.assets() {
            let of_asset = (asset, Account::FIRST)..=(asset, Account::LAST);
            let sum: Amount = self.accounts.range(of_asset).map(|(_, sum)| *sum).sum();
            if sum != Amount::ZERO {
                return Err(LedgerFault::Unbalanced(asset));
            }
            let has_lots = self.lots.contains_key(&asset);
            if asset != self.quote && !has_lots && self.balance(asset) != Amount::ZERO {
                return Err(LedgerFault::LotsDiffer(asset));
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

    fn balance(&self, asset: Asset) -> Amount {
        self.account(asset, Account::Ours)
    }

    fn book_buy(&mut self, trade: &OwnTrade) {
        let (value, charges) = (trade.price.value(trade.qty), Charges::of(trade));
        self.post_trade(trade, trade.qty.amount(), -value);
        self.note_charges(trade, charges);
        self.figures.turnover += value;
        let in_kind = in_kind(trade, charges);
        self.come_or_go(
            trade.base,
            Lot {
                amount: trade.qty.amount() - base_charges(trade),
                gross: Some(value - in_kind),
                fees: charges.total(),
                at: trade.at,
            },
        );
    }

    /// What is paid in coins counts as sold at the trade's price, and then as paid.
    fn book_sell(&mut self, trade: &OwnTrade) {
        let charges = Charges::of(trade);
        let value = trade.price.value(trade.qty) + in_kind(trade, charges);
        let amount = trade.qty.amount() + base_charges(trade);
        self.post_trade(trade, -trade.qty.amount(), trade.price.value(trade.qty));
        self.note_charges(trade, charges);
        self.figures.turnover += trade.price.value(trade.qty);
        let taken = self.give(trade.base, amount, Some(trade.price), trade.at);
        // Coins of unknown cost are sold at cost: neither profit nor loss is made up.
        let unpriced = share(value, taken.unpriced, amount);
        let gross = value - taken.gross - unpriced;
        self.figures.realised_gross += gross;
        self.figures.realised_net += gross - taken.fees - charges.total();
    }

    /// A pair whose quote is not the account's: cost moves from the coins given to the coins got.
    fn book_exchange(&mut self, trade: &OwnTrade) {
        let (value, amount) = (trade.price.value(trade.qty), trade.qty.amount());
        let (of_base, of_quote) = (base_charges(trade), quote_charges(trade));
        let (got, given) = match trade.side {
            Side::Buy => (
                (trade.base, amount - of_base),
                (trade.quote, value + of_quote),
            ),
            Side::Sell => (
                (trade.quote, value - of_quote),
                (trade.base, amount + of_base),
            ),
        };
        let (base, quote) = match trade.side {
            Side::Buy => (amount, -value),
            Side::Sell => (-amount, value),
        };
        self.post_trade(trade, base, quote);
        let taken = self.give(given.0, given.1, None, trade.at);
        let gross = (taken.unpriced == Amount::ZERO).then_some(taken.gross);
        let lot = Lot {
            amount: got.1,
            gross,
            fees: taken.fees,
            at: trade.at,
        };
        self.come_or_go(got.0, lot);
    }

    /// Charges that are paid in coins are worth something in quote; the others stand in their account.
    fn note_charges(&mut self, trade: &OwnTrade, charges: Charges) {
        if trade.fee_in_base {
            self.figures.fees_in_kind += charges.fee;
            self.figures.tax_in_kind += charges.tax;
        }
    }

    fn post_trade(&mut self, trade: &OwnTrade, base: Amount, quote: Amount) {
        let charged = if trade.fee_in_base {
            trade.base
        } else {
            trade.quote
        };
        self.post(&[
            (trade.base, Account::Ours, base),
            (trade.base, Account::Exchange, -base),
            (trade.quote, Account::Ours, quote),
            (trade.quote, Account::Exchange, -quote),
            (charged, Account::Ours, -trade.fee - trade.tax),
            (charged, Account::Fees, trade.fee),
            (charged, Account::Tax, trade.tax),
        ]);
    }

    fn post_move(&mut self, moved: &Move) {
        self.post(&[
            (moved.asset, Account::Ours, moved.amount),
            (moved.asset, moved.other, -moved.amount),
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

    /// A lot comes in; one that charges have eaten up, and more, goes out instead.
    fn come_or_go(&mut self, asset: Asset, lot: Lot) {
        if lot.amount.is_negative() {
            self.give(asset, -lot.amount, None, lot.at);
        } else {
            self.receive(asset, lot);
        }
    }

    fn receive(&mut self, asset: Asset, lot: Lot) {
        if asset != self.quote {
            self.lots.entry(asset).or_default().push(lot);
        }
    }

    /// Takes coins from the lots; what is missing there is opened first, at `price`.
    fn give(&mut self, asset: Asset, amount: Amount, price: Option<Price>, at: Timestamp) -> Taken {
        if asset == self.quote {
            return Taken::default();
        }
        let missing = (amount - self.position(asset)).max(Amount::ZERO);
        if missing.is_positive() {
            let opened = Move {
                asset,
                amount: missing,
                price,
                at,
                other: Account::Adjustment,
            };
            self.post_move(&opened);
            self.figures.adjusted += opened.value().unwrap_or_default();
            self.receive(asset, opened.lot());
        }
        self.lots.entry(asset).or_default().take(amount)
    }
}

impl Move {
    fn value(&self) -> Option<Amount> {
        self.price.and_then(|price| value_at(self.amount, price))
    }

    fn lot(&self) -> Lot {
        Lot {
            amount: self.amount,
            gross: self.value(),
            fees: Amount::ZERO,
            at: self.at,
        }
    }
}

/// What fee and tax of a trade are worth in its quote.
#[derive(Clone, Copy)]
struct Charges {
    fee: Amount,
    tax: Amount,
}

impl Charges {
    fn of(trade: &OwnTrade) -> Self {
        let worth = |amount: Amount| {
            if trade.fee_in_base {
                // Charges are a small part of the trade, whose own value fits.
                value_at(amount, trade.price).unwrap_or_default()
            } else {
                amount
            }
        };
        Self {
            fee: worth(trade.fee),
            tax: worth(trade.tax),
        }
    }

    fn total(self) -> Amount {
        self.fee + self.tax
    }
}

fn base_charges(trade: &OwnTrade) -> Amount {
    if trade.fee_in_base {
        trade.fee + trade.tax
    } else {
        Amount::ZERO
    }
}

fn quote_charges(trade: &OwnTrade) -> Amount {
    if trade.fee_in_base {
        Amount::ZERO
    } else {
        trade.fee + trade.tax
    }
}

fn in_kind(trade: &OwnTrade, charges: Charges) -> Amount {
    if trade.fee_in_base {
        charges.total()
    } else {
        Amount::ZERO
    }
}
