//! The balances of a simulated account: free, locked, and nothing that was not there before.

use crate::answer::BalanceRow;
use crate::ids::Asset;
use crate::money::Amount;
use std::collections::BTreeMap;

/// What a simulated account holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    rows: BTreeMap<Asset, BalanceRow>,
}

impl Account {
    pub(crate) fn new(opening: &[BalanceRow]) -> Self {
        let mut account = Self::default();
        for row in opening {
            let held = account.row(row.asset);
            held.free = saturating_sum(held.free, row.free);
            held.locked = saturating_sum(held.locked, row.locked);
        }
        account
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = BalanceRow> + '_ {
        self.rows.values().copied()
    }

    /// Moves free funds to the locked ones; false and unchanged if they are not there.
    pub(crate) fn lock(&mut self, asset: Asset, amount: Amount) -> bool {
        let row = self.row(asset);
        let is_covered = row.free >= amount && !amount.is_negative();
        if is_covered {
            row.free -= amount;
            row.locked = saturating_sum(row.locked, amount);
        }
        is_covered
    }

    /// Gives locked funds back.
    pub(crate) fn unlock(&mut self, asset: Asset, amount: Amount) {
        self.spend(asset, amount);
        self.credit(asset, amount);
    }

    /// Takes locked funds away for good.
    pub(crate) fn spend(&mut self, asset: Asset, amount: Amount) {
        let row = self.row(asset);
        assert!(row.locked >= amount, "only locked funds are spent");
        row.locked -= amount;
    }

    /// Adds free funds.
    pub(crate) fn credit(&mut self, asset: Asset, amount: Amount) {
        let row = self.row(asset);
        row.free = saturating_sum(row.free, amount);
    }

    fn row(&mut self, asset: Asset) -> &mut BalanceRow {
        self.rows.entry(asset).or_insert(BalanceRow {
            asset,
            free: Amount::ZERO,
            locked: Amount::ZERO,
        })
    }
}

/// A sum that no real account reaches must not end a simulation.
fn saturating_sum(a: Amount, b: Amount) -> Amount {
    Amount::from_units(a.units().saturating_add(b.units()))
}
