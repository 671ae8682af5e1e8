//! The exchange's balances against our books.
//!
//! Balances lag the fills: a snapshot is right if it equals the ledger at any moment since ten seconds before
//! it was asked for. One miss proves nothing, a second one at least ten seconds later is drift, and only three over
//! two minutes end trading for good.

use crate::answer::BalanceRow;
use crate::ids::Asset;
use crate::ledger::Ledger;
use crate::money::{Amount, UNITS_PER_ONE};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far balances may lag behind the trades, milliseconds (X-16, docs/EXCHANGE.md 5.1).
pub const BALANCE_LAG_MS: i64 = 10_000;
/// Least time between the first miss and the one that counts, milliseconds.
const DRIFT_AFTER_MS: i64 = 10_000;
/// Misses in a row, and the time they must span, after which drift is no lag of anything, milliseconds.
const LASTING_MISSES: u32 = 3;
const LASTING_MS: i64 = 120_000;
/// How long past sums are kept: the lag and the longest wait for an answer, milliseconds.
const CUTS_KEPT_MS: i64 = 60_000;
/// Past sums kept of one asset; beyond that the oldest goes, and a late snapshot may need a second look.
const CUTS_MAX: usize = 1_024;
/// What one trade may be rounded by on the other side: one unit of 10^-8 (I7).
const ROUNDING_PER_TRADE: i128 = UNITS_PER_ONE as i128;
/// Trades that count toward the tolerance.
const ROUNDED_TRADES_MAX: u32 = 1_000;

/// A sum over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cuts {
    since: VecDeque<(Timestamp, Amount)>,
}

impl Cuts {
    fn note(&mut self, now: Timestamp, sum: Amount) {
        if self.since.back().is_some_and(|(_, last)| *last == sum) {
            return;
        }
        let is_past = |cut: &(Timestamp, Amount)| now.ms_since(cut.0) > CUTS_KEPT_MS;
        while self.since.get(1).is_some_and(is_past) || self.since.len() >= CUTS_MAX {
            self.since.pop_front();
        }
        self.since.push_back((now, sum));
    }

    /// Every sum that held at some moment from `from` on; the first one known held before.
    fn from(&self, from: Timestamp) -> impl Iterator<Item = Amount> + '_ {
        let ended = self.since.iter().skip(1).take_while(|(at, _)| *at <= from);
        self.since.iter().skip(ended.count()).map(|(_, sum)| *sum)
    }
}

/// What the last snapshot showed beside the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shown {
    /// Held by orders or withdrawals that are not ours.
    foreign_locked: Amount,
    /// Missing against the ledger.
    shortfall: Amount,
}

/// What a snapshot said about our books, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Every asset agrees.
    Agrees,
    /// Something differs, for the first time or not long enough.
    Differs,
    /// Something keeps differing.
    Drift,
    /// Something has differed in so many looks over so long a time that no lag explains it.
    LastingDrift,
}

/// Looks in a row in which an asset differed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missed {
    since: Timestamp,
    count: u32,
}

impl Missed {
    fn verdict(self, asked_at: Timestamp) -> Verdict {
        let age_ms = asked_at.ms_since(self.since);
        if age_ms >= LASTING_MS && self.count >= LASTING_MISSES {
            Verdict::LastingDrift
        } else if age_ms >= DRIFT_AFTER_MS {
            Verdict::Drift
        } else {
            Verdict::Differs
        }
    }
}

/// The account as the exchange shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccountTruth {
    read_at: Option<Timestamp>,
    ledger: BTreeMap<Asset, Cuts>,
    held: BTreeMap<Asset, Cuts>,
    shown: BTreeMap<Asset, Shown>,
    missed: BTreeMap<Asset, Missed>,
}

impl AccountTruth {
    /// Returns when the balances were asked for that count.
    pub(crate) const fn read_at(&self) -> Option<Timestamp> {
        self.read_at
    }

    /// Takes note of the ledger's sums and of what own orders hold; called whenever either may have changed.
    pub(crate) fn note(&mut self, now: Timestamp, ledger: &Ledger, held: &BTreeMap<Asset, Amount>) {
        for asset in ledger.assets() {
            self.ledger
                .entry(asset)
                .or_default()
                .note(now, ledger.balance(asset));
        }
        for (asset, sum) in held {
            self.held.entry(*asset).or_default().note(now, *sum);
        }
    }

    /// Judges a snapshot that was asked for at `asked_at`; one that is older than the last is ignored. An `excused`
    /// asset differs for a known reason: it is not held against anybody.
    pub(crate) fn judge(
        &mut self,
        asked_at: Timestamp,
        rows: &[BalanceRow],
        excused: &BTreeSet<Asset>,
        ledger: &Ledger,
    ) -> Option<Verdict> {
        if self.is_old(asked_at) {
            return None;
        }
        self.read_at = Some(asked_at);
        let mut worst = Verdict::Agrees;
        for (asset, row) in all_assets(rows, ledger) {
            let agrees = self.agrees(asset, row.total(), asked_at, ledger);
            self.show(asset, &row, agrees, asked_at, ledger);
            if agrees || excused.contains(&asset) {
                self.missed.remove(&asset);
                continue;
            }
            let first = Missed {
                since: asked_at,
                count: 0,
            };
            let missed = self.missed.entry(asset).or_insert(first);
            missed.count = missed.count.saturating_add(1);
            worst = worst.max(missed.verdict(asked_at));
        }
        Some(worst)
    }

    /// Returns whether a younger snapshot has been judged.
    pub(crate) fn is_old(&self, asked_at: Timestamp) -> bool {
        self.read_at.is_some_and(|last| asked_at < last)
    }

    /// Returns what is free to use of an asset: the books, less what the exchange does not show or holds for others.
    pub(crate) fn free(&self, asset: Asset, ledger: &Ledger, held: Amount) -> Amount {
        let shown = self.shown.get(&asset).copied().unwrap_or_default();
        ledger.balance(asset) - shown.shortfall - shown.foreign_locked - held
    }

    /// Returns whether a sum shown at `asked_at` is one that the ledger had in the lag before it, or has by now.
    pub(crate) fn agrees(
        &self,
        asset: Asset,
        total: Amount,
        asked_at: Timestamp,
        ledger: &Ledger,
    ) -> bool {
        let tolerance = tolerance(asset, ledger);
        let from = asked_at.plus_ms(-BALANCE_LAG_MS);
        let past = self
            .ledger
            .get(&asset)
            .into_iter()
            .flat_map(|cuts| cuts.from(from));
        past.chain([ledger.balance(asset)])
            .any(|sum| (total - sum).abs() <= tolerance)
    }

    fn show(
        &mut self,
        asset: Asset,
        row: &BalanceRow,
        agrees: bool,
        asked_at: Timestamp,
        ledger: &Ledger,
    ) {
        let from = asked_at.plus_ms(-BALANCE_LAG_MS);
        let held = self
            .held
            .get(&asset)
            .into_iter()
            .flat_map(|cuts| cuts.from(from))
            .max();
        let missing = ledger.balance(asset) - row.total();
        let shown = Shown {
            foreign_locked: (row.locked - held.unwrap_or_default()).max(Amount::ZERO),
            shortfall: if agrees {
                Amount::ZERO
            } else {
                missing.max(Amount::ZERO)
            },
        };
        self.shown.insert(asset, shown);
    }
}

/// Returns whether the rows equal the ledger as it stands; for the verdict at the end of a run.
pub(crate) fn matches_books(rows: &[BalanceRow], ledger: &Ledger) -> bool {
    differences(rows, ledger).is_empty()
}

/// Returns every asset whose balance is not that of the books as they stand, but for what rounding explains: the sum
/// of the books, then the exchange's.
pub fn differences(rows: &[BalanceRow], ledger: &Ledger) -> Vec<(Asset, Amount, Amount)> {
    let all = all_assets(rows, ledger).into_iter();
    let sums = all.map(|(asset, row)| (asset, ledger.balance(asset), row.total()));
    sums.filter(|(asset, here, there)| (*there - *here).abs() > tolerance(*asset, ledger))
        .collect()
}

/// Rows of every asset that either side knows; one that the exchange does not list counts as zero there.
pub(crate) fn all_assets(rows: &[BalanceRow], ledger: &Ledger) -> Vec<(Asset, BalanceRow)> {
    let listed: BTreeSet<Asset> = rows.iter().map(|row| row.asset).collect();
    let missing = ledger
        .assets()
        .into_iter()
        .filter(|asset| !listed.contains(asset));
    let zero = |asset| BalanceRow {
        asset,
        free: Amount::ZERO,
        locked: Amount::ZERO,
    };
    rows.iter()
        .map(|row| (row.asset, *row))
        .chain(missing.map(|asset| (asset, zero(asset))))
        .collect()
}

fn tolerance(asset: Asset, ledger: &Ledger) -> Amount {
    let trades = ledger.trades_of(asset).min(ROUNDED_TRADES_MAX);
    Amount::from_units(i128::from(trades) * ROUNDING_PER_TRADE)
}
