//! The account's books: exact, double entry, integers only.
//!
//! Every event is a set of postings that sum to zero per asset (I7). Beside the balances stand lots and cost, so that
//! profit is a difference of booked sums and never an estimate. Booking a loss is not an error, and selling coins
//! that were bought elsewhere does not stop it. Trades count in the order in which they happened, not in which they
//! were heard of: a late one is put in its place among the recent ones, and those are booked again.

mod books;
pub(crate) mod lots;
#[cfg(test)]
mod tests;

use crate::answer::{OwnTrade, TransferId};
use crate::ids::{Asset, TradeId};
use crate::ledger::books::{Books, Move};
use crate::ledger::lots::Lots;
use crate::money::{Amount, Price};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};

pub use lots::value_at;

/// Recent trades that a late one may still be put among. One that is older is booked when it is heard of.
pub const RECENT_TRADES_MAX: usize = 128;
/// Transfers that are known by number. Beyond it the lowest numbers are forgotten: they are older than what is read.
const TRANSFERS_KNOWN_MAX: usize = 4_096;

/// Whose side a posting is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Deposits and withdrawals.
    Transfers,
    /// What an operator has corrected.
    Corrections,
}

impl Account {
    const FIRST: Self = Self::Ours;
    const LAST: Self = Self::Corrections;
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
    /// Equity less everything that came in is not the profit that was booked.
    #[error("equity and booked profit differ by {0}")]
    ProfitDiffers(Amount),
}

/// Sums since the ledger began, in the account's quote currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Sales and coins sent away, less the price cost of what left.
    pub realised_gross: Amount,
    /// The same less the fees and tax of purchase and sale.
    pub realised_net: Amount,
    /// The part of `realised_gross` that comes from coins sent away.
    pub transfer_pnl: Amount,
    /// Traded value, both sides.
    pub turnover: Amount,
    /// Value of everything that was opened with a known price, cash included.
    pub opened: Amount,
    /// Value of coins that were sold but never seen coming in.
    pub adjusted: Amount,
    /// Value of deposits less withdrawals.
    pub transferred: Amount,
    /// Value of what an operator has corrected.
    pub corrected: Amount,
    /// Worth of the fees that were paid in coins.
    pub fees_in_kind: Amount,
    /// Worth of the tax that was paid in coins.
    pub tax_in_kind: Amount,
}

impl Figures {
    const ZERO: Self = Self {
        realised_gross: Amount::ZERO,
        realised_net: Amount::ZERO,
        transfer_pnl: Amount::ZERO,
        turnover: Amount::ZERO,
        opened: Amount::ZERO,
        adjusted: Amount::ZERO,
        transferred: Amount::ZERO,
        corrected: Amount::ZERO,
        fees_in_kind: Amount::ZERO,
        tax_in_kind: Amount::ZERO,
    };

    /// Returns the value of everything that came in and was not earned.
    pub fn brought_in(&self) -> Amount {
        self.opened + self.adjusted + self.transferred + self.corrected
    }
}

/// Where a trade found its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind all others.
    Last,
    /// Among the recent ones; those behind it were booked again.
    Among,
    /// Where it was heard of: it is older than what is kept.
    TooLate,
}

/// What booking a trade did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// Coins that were sold without ever having come in (`inventory_adjusted`), mostly zero. A late purchase takes
    /// such an adjustment back: then it is negative.
    pub adjusted: Amount,
    /// Where the trade stands.
    pub place: Place,
}

/// The ledger of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    books: Books,
    /// The books before the recent trades.
    settled: Books,
    /// When the youngest trade in `settled` happened.
    settled_to: Option<(Timestamp, TradeId)>,
    /// The trades since then, in the order in which they happened.
    recent: VecDeque<OwnTrade>,
    transfers: BTreeSet<TransferId>,
}

impl Ledger {
    /// Makes an empty ledger that values in `quote`.
    pub const fn new(quote: Asset) -> Self {
        Self {
            books: Books::new(quote),
            settled: Books::new(quote),
            settled_to: None,
            recent: VecDeque::new(),
            transfers: BTreeSet::new(),
        }
    }

    /// Returns the currency that the books are valued in.
    pub const fn quote(&self) -> Asset {
        self.books.quote
    }

    /// Books what was in the account before its first trade. `amount` may be negative if trades were booked earlier.
    pub fn book_opening(
        &mut self,
        asset: Asset,
        amount: Amount,
        price: Option<Price>,
        at: Timestamp,
    ) {
        self.books.book_opening(Move {
            asset,
            amount,
            price,
            at,
            other: Account::Opening,
        });
        self.settle();
    }

    /// Books a deposit (positive) or a withdrawal (negative), valued at `price` per unit. Returns its value in quote,
    /// signed; `None` if the transfer is booked already.
    pub fn book_transfer(
        &mut self,
        id: TransferId,
        asset: Asset,
        amount: Amount,
        price: Option<Price>,
        at: Timestamp,
    ) -> Option<Amount> {
        if !self.transfers.insert(id) {
            return None;
        }
        if self.transfers.len() > TRANSFERS_KNOWN_MAX {
            self.transfers.pop_first();
        }
        let value = self.book_move(asset, amount, price, at, Account::Transfers);
        self.books.figures.transferred += value;
        self.settle();
        Some(value)
    }

    /// Books what an operator says is there (positive) or missing (negative). Returns its value in quote, signed.
    pub fn book_correction(
        &mut self,
        asset: Asset,
        amount: Amount,
        price: Option<Price>,
        at: Timestamp,
    ) -> Amount {
        let value = self.book_move(asset, amount, price, at, Account::Corrections);
        self.books.figures.corrected += value;
        self.settle();
        value
    }

    /// Books a trade where it belongs in time: by stamp, then number.
    pub fn book_trade(&mut self, trade: &OwnTrade) -> Booked {
        let adjusted = self.account(trade.base, Account::Adjustment);
        let place = self.place(trade);
        match place {
            Place::Last => {
                self.books.book_trade(trade);
                self.recent.push_back(trade.clone());
                self.trim();
            }
            Place::Among => self.book_among(trade),
            Place::TooLate => {
                self.books.book_trade(trade);
                self.settle();
            }
        }
        debug_assert_eq!(self.check(), Ok(()));
        Booked {
            adjusted: adjusted - self.account(trade.base, Account::Adjustment),
            place,
        }
    }

    /// Returns what we own of an asset, free and locked.
    pub fn balance(&self, asset: Asset) -> Amount {
        self.account(asset, Account::Ours)
    }

    /// Returns the sum of one account.
    pub fn account(&self, asset: Asset, account: Account) -> Amount {
        self.books.account(asset, account)
    }

    /// Returns every asset that was ever booked.
    pub fn assets(&self) -> BTreeSet<Asset> {
        self.books.assets()
    }

    /// Returns whether the opening of an asset was booked.
    pub fn is_opened(&self, asset: Asset) -> bool {
        self.books.is_opened(asset)
    }

    /// Returns whether a transfer was booked.
    pub fn has_transfer(&self, id: TransferId) -> bool {
        self.transfers.contains(&id)
    }

    /// Returns the coins held of `base`: the sum of its lots.
    pub fn position(&self, base: Asset) -> Amount {
        self.books.position(base)
    }

    /// Returns the average net cost of one coin, fees and tax of the purchases included, rounded up.
    /// `None` without a position, or if the cost of a part is unknown.
    pub fn cost(&self, base: Asset) -> Option<Price> {
        let (gross, fees) = self.books.lots(base)?.cost()?;
        self.books.per_coin(base, gross + fees)
    }

    /// Returns the average price cost of one coin, without fees, rounded up. `None` as for [`Self::cost`].
    pub fn cost_gross(&self, base: Asset) -> Option<Price> {
        let (gross, _) = self.books.lots(base)?.cost()?;
        self.books.per_coin(base, gross)
    }

    /// Returns the price cost of all lots of `base`; `None` if the cost of a part is unknown.
    pub fn lots_gross(&self, base: Asset) -> Option<Amount> {
        self.books.lots(base).map_or(Some(Amount::ZERO), |lots| {
            lots.cost().map(|(gross, _)| gross)
        })
    }

    /// Returns when the position was opened; a rest below a hundredth of it does not count.
    pub fn opened_at(&self, base: Asset) -> Option<Timestamp> {
        self.books.lots(base).and_then(Lots::opened_at)
    }

    /// Returns fees paid in the account's quote, and the worth of those paid in coins for it; rebates count against
    /// them.
    pub fn fees(&self) -> Amount {
        self.account(self.books.quote, Account::Fees) + self.figures().fees_in_kind
    }

    /// Returns tax, as [`Self::fees`] does fees.
    pub fn tax(&self) -> Amount {
        self.account(self.books.quote, Account::Tax) + self.figures().tax_in_kind
    }

    /// Returns the sums since the ledger began.
    pub const fn figures(&self) -> &Figures {
        &self.books.figures
    }

    /// Returns realised profit after fees and tax of purchase and sale.
    pub const fn realised_net(&self) -> Amount {
        self.figures().realised_net
    }

    /// Returns how many trades moved an asset.
    pub fn trades_of(&self, asset: Asset) -> u32 {
        self.books.trades_of(asset)
    }

    /// Checks the laws that hold whatever the market does.
    ///
    /// # Errors
    /// The first law that is broken, with its asset.
    pub fn check(&self) -> Result<(), LedgerFault> {
        self.books.check()
    }

    /// Checks that cash and coins at their marks, less everything that was brought in, are the profit that was
    /// booked: realised and unrealised gross less fees and tax. A coin without mark or without known cost leaves it
    /// undecided, which is no fault.
    ///
    /// # Errors
    /// [`LedgerFault::ProfitDiffers`] with the difference, if it exceeds `tolerance`.
    pub fn check_profit(
        &self,
        mark: impl Fn(Asset) -> Option<Price>,
        tolerance: Amount,
    ) -> Result<(), LedgerFault> {
        let (mut equity, mut unrealised) = (self.balance(self.books.quote), Amount::ZERO);
        for (asset, lots) in self.books.held() {
            if lots.total() == Amount::ZERO {
                continue;
            }
            let value = mark(asset).and_then(|mark| value_at(lots.total(), mark));
            let (Some(value), Some((gross, _))) = (value, lots.cost()) else {
                return Ok(());
            };
            equity += value;
            unrealised += value - gross;
        }
        let figures = self.figures();
        let booked = figures.realised_gross + unrealised - self.fees() - self.tax();
        let difference = equity - figures.brought_in() - booked;
        if difference.abs() > tolerance {
            return Err(LedgerFault::ProfitDiffers(difference));
        }
        Ok(())
    }

    fn book_move(
        &mut self,
        asset: Asset,
        amount: Amount,
        price: Option<Price>,
        at: Timestamp,
        other: Account,
    ) -> Amount {
        self.books.book_move(Move {
            asset,
            amount,
            price,
            at,
            other,
        })
    }

    fn place(&self, trade: &OwnTrade) -> Place {
        let key = key_of(trade);
        let youngest = self.recent.back().map(key_of).max(self.settled_to);
        if youngest.is_none_or(|youngest| youngest <= key) {
            Place::Last
        } else if self.settled_to.is_none_or(|settled| settled <= key) {
            Place::Among
        } else {
            Place::TooLate
        }
    }

    fn book_among(&mut self, trade: &OwnTrade) {
        let key = key_of(trade);
        let behind = self.recent.partition_point(|known| key_of(known) <= key);
        self.recent.insert(behind, trade.clone());
        self.books = self.settled.clone();
        for trade in &self.recent {
            self.books.book_trade(trade);
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.recent.len() > RECENT_TRADES_MAX {
            let Some(oldest) = self.recent.pop_front() else {
                return;
            };
            self.settled.book_trade(&oldest);
            self.settled_to = Some(key_of(&oldest));
        }
    }

    /// Nothing is put before what is not a trade: its amount was decided on the books as they were.
    fn settle(&mut self) {
        self.settled_to = self.recent.back().map(key_of).max(self.settled_to);
        self.recent.clear();
        self.settled = self.books.clone();
        debug_assert_eq!(self.check(), Ok(()));
    }
}

fn key_of(trade: &OwnTrade) -> (Timestamp, TradeId) {
    (trade.at, trade.id)
}
