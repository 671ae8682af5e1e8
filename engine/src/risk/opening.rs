//! The first look at the account: what is there is written down as the opening of the books.
//!
//! Coins are opened at their marks, so the opening waits a little for the books of the pairs that hold some; what
//! has no mark by then has no known cost. The quote's opening comes last and makes the opening complete: a crash in
//! between leaves books that open the rest at the next look.

use super::RiskGate;
use crate::answer::BalanceRow;
use crate::core::Outbox;
use crate::ids::Asset;
use crate::money::{Amount, Price};
use crate::msg::RiskEffect;
use crate::record::Record;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// Longest wait for marks and rules after the first balances, milliseconds.
const OPENING_WAIT_MS: i64 = 30_000;

/// Balances that wait to become the opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingOpening {
    first_at: Timestamp,
    asked_at: Timestamp,
    rows: Vec<BalanceRow>,
    /// What is not in the books yet, per asset.
    missing: Vec<(Asset, Amount)>,
}

impl PendingOpening {
    pub(crate) fn deadline(&self) -> Timestamp {
        self.first_at.plus_ms(OPENING_WAIT_MS)
    }
}

impl RiskGate {
    pub(crate) fn plan_opening(
        &mut self,
        now: Timestamp,
        asked_at: Timestamp,
        rows: Vec<BalanceRow>,
        out: &mut Outbox<RiskEffect>,
    ) {
        let quote = self.settings.quote;
        let coins = rows.iter().filter(|row| row.asset != quote);
        let missing = coins
            .map(|row| (row.asset, row.total() - self.ledger.balance(row.asset)))
            .filter(|(_, amount)| *amount != Amount::ZERO)
            .collect();
        let first_at = self
            .pending
            .as_ref()
            .map_or(now, |pending| pending.first_at);
        self.pending = Some(PendingOpening {
            first_at,
            asked_at,
            rows,
            missing,
        });
        self.open_if_ready(now, out);
    }

    /// Opens the books once every coin of ours has a mark, or the wait is over.
    pub(crate) fn open_if_ready(&mut self, now: Timestamp, out: &mut Outbox<RiskEffect>) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        if now < pending.deadline() && !self.has_marks(&pending) {
            self.pending = Some(pending);
            return;
        }
        let quote = self.settings.quote;
        let cash = pending.rows.iter().filter(|row| row.asset == quote);
        let cash: Amount = cash.map(BalanceRow::total).sum();
        // Trades booked before the opening have moved cash already.
        let cash = (quote, cash - self.ledger.balance(quote));
        for (asset, amount) in pending.missing.iter().chain([&cash]) {
            let price = self.mark_of(*asset);
            let at = pending.asked_at;
            self.ledger.book_opening(*asset, *amount, price, at);
            out.push(RiskEffect::Persist(Record::Opening {
                asset: *asset,
                amount: *amount,
                price,
                at,
            }));
        }
        self.note_account(now);
        self.opened_at = self.opened_at.or(Some(pending.asked_at));
        let excused = BTreeSet::new();
        (self.account).judge(pending.asked_at, &pending.rows, &excused, &self.ledger);
        self.is_desk_due = true;
    }

    fn has_marks(&self, pending: &PendingOpening) -> bool {
        let is_held = |base: Asset| pending.missing.iter().any(|(asset, _)| *asset == base);
        self.pairs.values().all(|pair| match &pair.rules {
            Some(rules) => pair.mark.is_some() || !is_held(rules.base),
            None => pending.missing.is_empty(),
        })
    }

    pub(crate) fn mark_of(&self, base: Asset) -> Option<Price> {
        let is_of_base = |rules: &crate::instrument::Instrument| {
            rules.base == base && rules.quote == self.settings.quote
        };
        self.pairs
            .values()
            .find(|pair| pair.rules.as_ref().is_some_and(is_of_base))
            .and_then(|pair| pair.mark)
    }
}
