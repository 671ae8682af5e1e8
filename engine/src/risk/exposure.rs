//! What the gate derives from books, marks and reservations: positions, exposure, equity, spendable cash.
//!
//! One computation of each; checks, reports and views read the same values.

use super::RiskGate;
use crate::core::Outbox;
use crate::foreign::{ForeignOrder, ForeignPolicy};
use crate::ids::{Asset, Symbol};
use crate::instrument::Instrument;
use crate::ledger::value_at;
use crate::market::Side;
use crate::money::Amount;
use crate::msg::RiskEffect;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// A position without a trusted book counts this much more than its last mark, basis points.
const STALE_MARK_BPS: i64 = 11_000;

impl RiskGate {
    pub(super) fn rules(&self, symbol: Symbol) -> Option<&Instrument> {
        self.pairs.get(&symbol)?.rules.as_ref()
    }

    /// Coins held of a pair; nothing while its rules, and so its base, are unknown.
    pub(super) fn position(&self, symbol: Symbol) -> Amount {
        self.rules(symbol)
            .map(|rules| self.ledger.position(rules.base))
            .unwrap_or_default()
    }

    /// The same, but `None` if the pair's rules are unknown and the books may hold its coin. The name of a pair
    /// is looked at only here, and only to be careful.
    fn position_if_known(&self, symbol: Symbol) -> Option<Amount> {
        if self.rules(symbol).is_some() {
            return Some(self.position(symbol));
        }
        let base = symbol.as_str().strip_suffix(self.settings.quote.as_str());
        let held = base
            .and_then(|base| Asset::parse(base).ok())
            .map(|base| self.ledger.position(base))
            .unwrap_or_default();
        (held == Amount::ZERO).then_some(held)
    }

    /// Coins that no own sale may still take.
    pub(super) fn free_to_sell(&self, symbol: Symbol) -> Amount {
        self.position(symbol) - self.orders.selling(symbol).amount()
    }

    /// Quote that may be spent: cash less reservations less the target, at least zero.
    pub(super) fn investable(&self) -> Amount {
        let free = self.ledger.balance(self.settings.quote) - self.orders.quote_held();
        (free - self.settings.limits.try_cash_target).max(Amount::ZERO)
    }

    /// Worst-case exposure of a pair; `None` while a position has no mark or a number does not fit.
    pub(super) fn exposure(&self, symbol: Symbol) -> Option<Amount> {
        let position = self.position_if_known(symbol)?;
        let held = if position == Amount::ZERO {
            Amount::ZERO
        } else {
            let pair = self.pairs.get(&symbol)?;
            let mark = pair.mark?;
            let cautious = if pair.quoted().is_some() {
                mark
            } else {
                mark.times_bps(STALE_MARK_BPS)?
            };
            value_at(position, cautious)?
        };
        let foreign = self
            .foreign_of(symbol)
            .filter(|order| order.side == Side::Buy);
        let foreign: Amount = foreign.map(ForeignOrder::value).sum();
        Some(held + self.orders.buying(symbol) + foreign)
    }

    /// Open orders of a pair that are not ours, as far as the policy lets them count.
    pub(super) fn foreign_of(&self, symbol: Symbol) -> impl Iterator<Item = &ForeignOrder> {
        let counts = match self.settings.foreign {
            ForeignPolicy::Ignore => false,
            ForeignPolicy::Observe | ForeignPolicy::Freeze => true,
        };
        self.foreign
            .iter()
            .filter(move |order| counts && order.symbol == symbol)
    }

    /// Worst-case exposure of all pairs, and of orders of pairs that are no longer ours.
    pub(super) fn gross_exposure(&self) -> Option<Amount> {
        let strangers: Amount = self
            .orders
            .all()
            .filter(|view| !self.pairs.contains_key(&view.order.intent.symbol))
            .filter(|view| view.order.intent.side == Side::Buy)
            .map(|view| view.order.intent.limit.value(view.remaining()))
            .sum();
        self.pairs
            .keys()
            .try_fold(strangers, |sum, symbol| Some(sum + self.exposure(*symbol)?))
    }

    /// Cash and the positions of our pairs at their marks; `None` before the opening or while a mark is missing.
    pub(super) fn equity(&self) -> Option<Amount> {
        if !self.ledger.is_opened(self.settings.quote) {
            return None;
        }
        let cash = self.ledger.balance(self.settings.quote);
        self.pairs.iter().try_fold(cash, |sum, (symbol, pair)| {
            let position = self.position_if_known(*symbol)?;
            if position == Amount::ZERO {
                return Some(sum);
            }
            Some(sum + value_at(position, pair.mark?)?)
        })
    }

    /// Fees and tax paid since the ledger began.
    pub(super) fn costs(&self) -> Amount {
        self.ledger.fees() + self.ledger.tax()
    }

    pub(super) fn value(&mut self, now: Timestamp, out: &mut Outbox<RiskEffect>) {
        if let Some(equity) = self.equity()
            && let Some(record) = self.loss.value(now, equity, self.costs())
        {
            out.push(RiskEffect::Persist(record));
        }
    }

    pub(super) fn note_account(&mut self, now: Timestamp) {
        let sales = self.pairs.iter().filter_map(|(symbol, pair)| {
            let rules = pair.rules.as_ref()?;
            Some((rules.base, self.orders.coins_held(*symbol)))
        });
        let held: BTreeMap<Asset, Amount> = sales
            .chain([(self.settings.quote, self.orders.quote_held())])
            .collect();
        self.account.note(now, &self.ledger, &held);
    }
}
