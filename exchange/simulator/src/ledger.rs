//! Who holds what: free and locked per account and asset, the crowd's side, and what the exchange took.
//!
//! Every movement is exact, and every asset is conserved: accounts, crowd, fees, tax and the world outside add up to
//! the same sum for ever (C-63). An account's free and locked parts are never negative; a movement that would do so is a fault of ours.

use engine::ids::Asset;
use engine::money::Amount;
use engine::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// Balance changes kept per account for readers that see the past; the oldest is dropped.
pub const BALANCE_HISTORY_MAX: usize = 4_096;

/// Names an account by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountIndex(pub usize);

/// One asset of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Free, including what has not settled yet.
    pub free: Amount,
    /// Held by open orders.
    pub locked: Amount,
    /// The part of `free` that a fill brought and that cannot be spent yet.
    pub unsettled: Amount,
}

impl Balance {
    /// Returns free plus locked.
    pub fn total(&self) -> Amount {
        self.free + self.locked
    }

    /// Returns what an order may reserve.
    pub fn spendable(&self) -> Amount {
        self.free - self.unsettled
    }
}

/// All balances of an account at one moment.
pub type Balances = BTreeMap<Asset, Balance>;

#[derive(Clone, Debug)]
struct Purse {
    balances: Balances,
    history: VecDeque<(Timestamp, Balances)>,
}

/// What the exchange took out of trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// Fees.
    pub fee: Amount,
    /// Tax on the fees.
    pub tax: Amount,
}

impl Charges {
    /// Returns fee plus tax.
    pub fn total(&self) -> Amount {
        self.fee + self.tax
    }
}

/// All money on the exchange.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    purses: Vec<Purse>,
    crowd: BTreeMap<Asset, Amount>,
    collected: BTreeMap<Asset, Charges>,
    /// What the world outside has given up, less what it got.
    outside: BTreeMap<Asset, Amount>,
}

impl Ledger {
    /// Opens an account with what it starts with.
    pub fn open(&mut self, now: Timestamp, deposits: &[(Asset, Amount)]) -> AccountIndex {
        let mut balances = Balances::new();
        for (asset, amount) in deposits {
            balances.entry(*asset).or_default().free += *amount;
        }
        self.purses.push(Purse {
            history: VecDeque::from([(now, balances.clone())]),
            balances,
        });
        AccountIndex(self.purses.len() - 1)
    }

    /// Returns the balances of an account as they are.
    pub fn balances(&self, account: AccountIndex) -> &Balances {
        &self.purses[account.0].balances
    }

    /// Returns one balance of an account; zero if it never held the asset.
    pub fn balance(&self, account: AccountIndex, asset: Asset) -> Balance {
        let held = self.balances(account).get(&asset);
        held.copied().unwrap_or_default()
    }

    /// Returns the balances as they were at `at`, or the oldest known ones.
    pub fn balances_at(&self, account: AccountIndex, at: Timestamp) -> &Balances {
        let purse = &self.purses[account.0];
        let seen = purse.history.iter().rev().find(|(from, _)| *from <= at);
        let oldest = purse.history.front();
        seen.or(oldest)
            .map_or(&purse.balances, |(_, balances)| balances)
    }

    /// Returns what the exchange took in an asset.
    pub fn collected(&self, asset: Asset) -> Charges {
        self.collected.get(&asset).copied().unwrap_or_default()
    }

    /// Returns the sum over accounts, crowd, fees, tax and outside; constant for ever (C-63).
    pub fn sum(&self, asset: Asset) -> Amount {
        let accounts: Amount = self
            .purses
            .iter()
            .filter_map(|purse| purse.balances.get(&asset))
            .map(Balance::total)
            .sum();
        let crowd = self.crowd.get(&asset).copied().unwrap_or_default();
        let outside = self.outside.get(&asset).copied().unwrap_or_default();
        accounts + crowd + self.collected(asset).total() + outside
    }

    /// Moves free money into the locked part; says whether enough could be spent.
    pub fn lock(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        asset: Asset,
        amount: Amount,
    ) -> bool {
        if amount > self.balance(account, asset).spendable() {
            return false;
        }
        self.change(now, account, asset, |held| {
            held.free -= amount;
            held.locked += amount;
        });
        true
    }

    /// Moves locked money back into the free part.
    pub fn release(&mut self, now: Timestamp, account: AccountIndex, asset: Asset, amount: Amount) {
        self.change(now, account, asset, |held| {
            held.locked -= amount;
            held.free += amount;
        });
    }

    /// Pays out of the locked part: `paid` leaves the account.
    pub fn pay_locked(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        asset: Asset,
        paid: Amount,
    ) {
        self.change(now, account, asset, |held| held.locked -= paid);
    }

    /// Credits what a fill brought; it is free at once, but cannot be spent before it settles.
    pub fn credit(&mut self, now: Timestamp, account: AccountIndex, asset: Asset, amount: Amount) {
        self.change(now, account, asset, |held| {
            held.free += amount;
            held.unsettled += amount;
        });
    }

    /// Moves money in from outside, or out if `amount` is negative; says whether so much could be spent.
    pub fn move_in(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        asset: Asset,
        amount: Amount,
    ) -> bool {
        if -amount > self.balance(account, asset).spendable() {
            return false;
        }
        *self.outside.entry(asset).or_default() += -amount;
        self.change(now, account, asset, |held| held.free += amount);
        true
    }

    /// Lets credited money be spent.
    pub fn settle(&mut self, account: AccountIndex, asset: Asset, amount: Amount) {
        let held = self.purses[account.0].balances.entry(asset).or_default();
        held.unsettled -= amount;
        assert!(
            !held.unsettled.is_negative(),
            "no more settles than was credited"
        );
    }

    /// Moves money of the crowd, which has no limit.
    pub fn move_crowd(&mut self, asset: Asset, amount: Amount) {
        *self.crowd.entry(asset).or_default() += amount;
    }

    /// Books what the exchange takes.
    pub fn collect(&mut self, asset: Asset, charges: Charges) {
        let taken = self.collected.entry(asset).or_default();
        taken.fee += charges.fee;
        taken.tax += charges.tax;
    }

    fn change(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        asset: Asset,
        movement: impl FnOnce(&mut Balance),
    ) {
        let purse = &mut self.purses[account.0];
        let held = purse.balances.entry(asset).or_default();
        movement(held);
        assert!(
            !held.free.is_negative() && !held.locked.is_negative(),
            "free and locked are never negative (C-63)"
        );
        if purse.history.len() >= BALANCE_HISTORY_MAX {
            purse.history.pop_front();
        }
        match purse.history.back_mut() {
            Some((at, balances)) if *at == now => balances.clone_from(&purse.balances),
            Some(_) | None => purse.history.push_back((now, purse.balances.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    #[test]
    fn unsettled_money_is_shown_but_cannot_be_reserved() {
        let quote = Asset::parse("TRY").unwrap();
        let mut ledger = Ledger::default();
        let account = ledger.open(Timestamp(0), &[(quote, amount("10"))]);
        ledger.credit(Timestamp(1), account, quote, amount("5"));
        assert_eq!(ledger.balance(account, quote).total(), amount("15"));
        assert!(!ledger.lock(Timestamp(2), account, quote, amount("11")));
        ledger.settle(account, quote, amount("5"));
        assert!(ledger.lock(Timestamp(3), account, quote, amount("11")));
        assert_eq!(ledger.balance(account, quote).free, amount("4"));
    }

    #[test]
    fn the_past_is_read_as_it_was() {
        let quote = Asset::parse("TRY").unwrap();
        let mut ledger = Ledger::default();
        let account = ledger.open(Timestamp(0), &[(quote, amount("10"))]);
        ledger.lock(Timestamp(100), account, quote, amount("4"));
        let free = |at: i64| ledger.balances_at(account, Timestamp(at))[&quote].free;
        assert_eq!(free(99), amount("10"));
        assert_eq!(free(100), amount("6"));
        assert_eq!(free(-5), amount("10"));
    }
}
