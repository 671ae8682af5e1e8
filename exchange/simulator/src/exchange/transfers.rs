//! Money that comes in from outside and goes out again: what the account's owner does at the bank and on the chain.
//!
//! A transfer is booked and listed in the same moment; what a reader sees lags like the trades and the balances do.

use super::Exchange;
use crate::ledger::AccountIndex;
use engine::answer::Rail;
use engine::ids::Asset;
use engine::money::Amount;
use engine::time::Timestamp;

/// Transfers that are kept; beyond it the oldest is forgotten.
pub const TRANSFERS_KEPT_MAX: usize = 10_000;
/// Currencies of banks; everything else moves on a chain.
const FIAT: [&str; 3] = ["TRY", "USD", "EUR"];

/// A deposit or a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferNote {
    /// Its number; numbers rise over both rails.
    pub number: i64,
    /// How it came or went.
    pub rail: Rail,
    /// Whose it is.
    pub account: AccountIndex,
    /// What was moved.
    pub asset: Asset,
    /// Positive came in, negative went out.
    pub amount: Amount,
    /// The balance behind it.
    pub funds: Amount,
    /// When.
    pub at: Timestamp,
}

impl Exchange {
    /// Moves money into an account, or out of it if `amount` is negative, past orders and matching. Says whether so
    /// much was free.
    pub fn transfer(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        asset: Asset,
        amount: Amount,
    ) -> bool {
        self.run_until(now);
        if !self.ledger.move_in(self.now, account, asset, amount) {
            return false;
        }
        let is_fiat = FIAT.contains(&asset.as_str());
        self.transfer_number += 1;
        if self.transfers.len() >= TRANSFERS_KEPT_MAX {
            self.transfers.pop_front();
        }
        self.transfers.push_back(TransferNote {
            number: self.transfer_number,
            rail: if is_fiat { Rail::Fiat } else { Rail::Crypto },
            account,
            asset,
            amount,
            funds: self.ledger.balance(account, asset).total(),
            at: self.now,
        });
        true
    }

    /// Returns every transfer of every account that is kept, oldest first.
    pub fn transfers(&self) -> impl Iterator<Item = &TransferNote> {
        self.transfers.iter()
    }
}
