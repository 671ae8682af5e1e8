//! Money that came or went without a trade: what the exchange lists, and what an operator says.
//!
//! The balances are the judge: a listed transfer is booked when it explains a balance that the books do not,
//! and not before. So a transfer that is on its way, or listed long before it moves anything, changes nothing, and
//! what the list does not explain is drift.

use super::RiskGate;
use super::account::all_assets;
use super::loss::LossWatch;
use crate::answer::{BalanceRow, Transfer, TransferId};
use crate::core::Outbox;
use crate::ids::Asset;
use crate::ledger::Ledger;
use crate::money::{Amount, Price};
use crate::msg::{RiskEffect, RiskNote};
use crate::record::Record;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// Transfers of one asset that are tried against a balance; of more, the youngest count.
const CANDIDATES_MAX: usize = 64;
/// Transfers stamped this long after the opening may still be part of it, milliseconds: the clocks differ, and the
/// balances it was made of lag.
const OPENING_MARGIN_MS: i64 = 60_000;

/// How a row may state what was moved: fee and tax apart, or within. The documents do not say.
type Reading = fn(&Transfer) -> Amount;
const READINGS: [Reading; 2] = [|row| row.amount - row.charges, |row| row.amount];

/// Money that moved without a trade, as its record tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) asset: Asset,
    pub(super) amount: Amount,
    pub(super) price: Option<Price>,
    pub(super) equity: Option<Amount>,
    pub(super) at: Timestamp,
}

impl RiskGate {
    /// Books the listed transfers that explain what the balances show and the books do not. Returns the assets that
    /// are explained but cannot be valued yet: equity without their mark would not be equity.
    pub(super) fn explain(
        &mut self,
        now: Timestamp,
        asked_at: Timestamp,
        rows: &[BalanceRow],
        out: &mut Outbox<RiskEffect>,
    ) -> BTreeSet<Asset> {
        let listed = std::mem::take(&mut self.listed);
        let mut waiting = BTreeSet::new();
        for (asset, row) in all_assets(rows, &self.ledger) {
            if (self.account).agrees(asset, row.total(), asked_at, &self.ledger) {
                continue;
            }
            let found = self.explaining(&listed, asset, row.total(), asked_at);
            if !found.is_empty() && self.awaits_mark(asset) {
                waiting.insert(asset);
                continue;
            }
            for (transfer, amount) in found {
                self.book_transfer(now, &transfer, amount, out);
            }
        }
        waiting
    }

    /// A run of neighbours in time whose sum is what the balance differs by. Only what may be part of the opening is
    /// left out before it.
    fn explaining(
        &self,
        listed: &[Transfer],
        asset: Asset,
        total: Amount,
        asked_at: Timestamp,
    ) -> Vec<(Transfer, Amount)> {
        let mut rows: Vec<Transfer> = listed
            .iter()
            .filter(|row| row.asset == asset && !self.ledger.has_transfer(row.id))
            .copied()
            .collect();
        rows.sort_by_key(|row| (row.at, row.id));
        rows.drain(..rows.len().saturating_sub(CANDIDATES_MAX));
        let margin = self.opened_at.map(|at| at.plus_ms(OPENING_MARGIN_MS));
        let old = rows
            .iter()
            .take_while(|row| margin.is_none_or(|margin| row.at < margin))
            .count();
        let explains =
            |sum: Amount| (self.account).agrees(asset, total - sum, asked_at, &self.ledger);
        for reading in READINGS {
            for first in 0..=old.min(rows.len().saturating_sub(1)) {
                for last in (first..rows.len()).rev() {
                    let run = &rows[first..=last];
                    if explains(run.iter().map(reading).sum()) {
                        return run.iter().map(|row| (*row, reading(row))).collect();
                    }
                }
            }
        }
        Vec::new()
    }

    /// A coin of ours that has never had a mark.
    fn awaits_mark(&self, asset: Asset) -> bool {
        let is_base =
            |pair: &super::Pair| (pair.rules.as_ref()).is_some_and(|rules| rules.base == asset);
        self.mark_of(asset).is_none() && self.pairs.values().any(is_base)
    }

    fn book_transfer(
        &mut self,
        now: Timestamp,
        transfer: &Transfer,
        amount: Amount,
        out: &mut Outbox<RiskEffect>,
    ) {
        let flow = self.flow(transfer.asset, amount, transfer.at);
        out.push(RiskEffect::Persist(Record::Transfer {
            id: transfer.id,
            asset: flow.asset,
            amount,
            price: flow.price,
            equity: flow.equity,
            at: flow.at,
        }));
        self.book_flow(Some(transfer.id), flow);
        self.note_account(now);
        out.push(RiskEffect::Note(RiskNote::Transferred(flow.asset, amount)));
    }

    /// Books what an operator says is there (positive) or missing (negative).
    pub(super) fn adjust(
        &mut self,
        now: Timestamp,
        asset: Asset,
        amount: Amount,
        reason: String,
        out: &mut Outbox<RiskEffect>,
    ) {
        let flow = self.flow(asset, amount, now);
        out.push(RiskEffect::Persist(Record::Adjustment {
            asset,
            amount,
            price: flow.price,
            equity: flow.equity,
            reason,
            at: now,
        }));
        self.book_flow(None, flow);
        self.note_account(now);
        out.push(RiskEffect::Note(RiskNote::Adjusted(asset, amount)));
    }

    /// What is known at the moment of the booking, and is therefore part of its record.
    fn flow(&self, asset: Asset, amount: Amount, at: Timestamp) -> Flow {
        Flow {
            asset,
            amount,
            price: self.mark_of(asset),
            equity: self.equity().or(self.loss.last()),
            at,
        }
    }

    fn book_flow(&mut self, id: Option<TransferId>, flow: Flow) {
        book_flow(&mut self.ledger, &mut self.loss, id, flow);
        self.is_desk_due = true;
    }
}

/// Books a transfer, or a correction if it has no number, live and after a restart alike.
pub(super) fn book_flow(
    ledger: &mut Ledger,
    loss: &mut LossWatch,
    id: Option<TransferId>,
    flow: Flow,
) {
    let Flow {
        asset,
        amount,
        price,
        equity,
        at,
    } = flow;
    let value = match id {
        Some(id) => ledger.book_transfer(id, asset, amount, price, at),
        None => Some(ledger.book_correction(asset, amount, price, at)),
    };
    if let Some(value) = value {
        loss.transferred(equity, value);
    }
}
