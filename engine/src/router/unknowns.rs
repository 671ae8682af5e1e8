//! What orders of unknown fate ask for while they last: a frozen symbol, then everything, then a person.
//!
//! Their number never kills: it spends a budget that ends in observing, and resolution lifts it. Age does, once
//! the exchange has been there to ask all the while.

use super::absence::Unproven;
use super::entry::Entry;
use super::{OrderRouter, UNKNOWN_LOOK_MS};
use crate::core::Outbox;
use crate::ids::{ClientId, Symbol};
use crate::mode::{Mode, ModeCode, Scope};
use crate::msg::RouterEffect;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// Age of an unknown order at which the freeze widens to all symbols, milliseconds.
const GLOBAL_MS: i64 = 60_000;
/// Unknown orders at once that widen the freeze to all symbols.
const GLOBAL_COUNT: usize = 2;
/// Orders that became unknown within a day, of which the last widens the freeze to all symbols while it lasts.
const DAY_COUNT: usize = 3;
/// Length of that day, milliseconds.
pub(super) const DAY_MS: i64 = 86_400_000;
/// Age of an unknown order that kills although the exchange answers, milliseconds.
const KILL_MS: i64 = 900_000;
/// The exchange counts as reachable for this long behind a complete look, milliseconds.
const REACHABLE_MS: i64 = 60_000;

/// An own order whose fate is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownOrder {
    /// Which order.
    pub client_id: ClientId,
    /// Its pair.
    pub symbol: Symbol,
    /// Since when its fate is unknown.
    pub since: Timestamp,
    /// Why the last look behind its horizon proved nothing; `None` while no look has failed to.
    pub unproven: Option<Unproven>,
    /// The operator has said that it cannot be told.
    pub is_stuck: bool,
}

/// What was asked for so far, and the day's budget.
#[derive(Debug, Default)]
pub(super) struct Unknowns {
    frozen: BTreeSet<Symbol>,
    /// What was asked for on all symbols.
    global: Option<Mode>,
    /// When the last complete look came in.
    pub(super) looked_at: Option<Timestamp>,
}

impl OrderRouter {
    /// Returns every own order with an unknown fate.
    pub fn unknowns(&self) -> impl Iterator<Item = UnknownOrder> + '_ {
        self.unknown_entries().map(|entry| UnknownOrder {
            client_id: entry.view.client_id(),
            symbol: entry.symbol(),
            since: entry.view.since,
            unproven: entry.unproven,
            is_stuck: entry.is_stuck,
        })
    }

    /// Returns the number of own orders with an unknown fate.
    pub fn unknown_count(&self) -> usize {
        self.unknown_entries().count()
    }

    fn unknown_entries(&self) -> impl Iterator<Item = &Entry> {
        let living = self
            .memory
            .living
            .iter()
            .filter_map(|id| self.memory.entries.get(id));
        living.filter(|entry| entry.is_unknown())
    }

    /// Raises and clears what unknown orders ask for; while one exists, the account is looked at again and again.
    pub(super) fn freeze(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        let unknown: Vec<UnknownOrder> = self.unknowns().collect();
        for order in &unknown {
            self.memory.note_unknown(order.client_id, order.since);
        }
        self.freeze_symbols(unknown.iter().map(|order| order.symbol).collect(), out);
        self.freeze_all(self.wanted_globally(now, &unknown), out);
        let is_doubtful = (self
            .memory
            .living
            .iter()
            .filter_map(|id| self.memory.entries.get(id)))
        .any(|entry| entry.doubted.is_some());
        if (is_doubtful || !unknown.is_empty()) && self.look_up_at.is_none() {
            self.look_up_at = Some(now);
        }
    }

    fn freeze_symbols(&mut self, symbols: BTreeSet<Symbol>, out: &mut Outbox<RouterEffect>) {
        let code = ModeCode::UnknownOrders;
        for symbol in symbols.difference(&self.unknowns.frozen) {
            let scope = Scope::Symbol(*symbol);
            out.push(RouterEffect::Raise(code, scope, Mode::ReduceRiskOnly));
        }
        for symbol in self.unknowns.frozen.difference(&symbols) {
            out.push(RouterEffect::Clear(code, Scope::Symbol(*symbol)));
        }
        self.unknowns.frozen = symbols;
    }

    /// A kill stays: only an operator's reset leaves it.
    fn freeze_all(&mut self, wanted: Option<Mode>, out: &mut Outbox<RouterEffect>) {
        if self.unknowns.global == wanted || self.unknowns.global == Some(Mode::KillSwitch) {
            return;
        }
        let (code, scope) = (ModeCode::UnknownOrders, Scope::Global);
        out.push(match wanted {
            Some(mode) => RouterEffect::Raise(code, scope, mode),
            None => RouterEffect::Clear(code, scope),
        });
        self.unknowns.global = wanted;
    }

    /// What unknown orders ask of all symbols. One that the operator called stuck asks for its own symbol only.
    fn wanted_globally(&self, now: Timestamp, unknown: &[UnknownOrder]) -> Option<Mode> {
        let ages: Vec<i64> = (unknown.iter().filter(|order| !order.is_stuck))
            .map(|order| now.ms_since(order.since))
            .collect();
        let oldest = ages.iter().copied().max()?;
        let looked_at = self.unknowns.looked_at;
        let is_reachable = looked_at.is_some_and(|at| now.ms_since(at) <= REACHABLE_MS);
        let in_a_day = (self.memory.unknown_day.values())
            .filter(|at| now.ms_since(**at) < DAY_MS)
            .count();
        if oldest > KILL_MS && is_reachable {
            return Some(Mode::KillSwitch);
        }
        let is_wide = ages.len() >= GLOBAL_COUNT || oldest > GLOBAL_MS || in_a_day >= DAY_COUNT;
        is_wide.then_some(Mode::ObserveOnly)
    }

    /// When the account is looked at again while something is unknown or doubted.
    pub(super) fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        let mut living = self
            .memory
            .living
            .iter()
            .filter_map(|id| self.memory.entries.get(id));
        let is_open = living.any(|entry| entry.is_unknown() || entry.doubted.is_some());
        is_open.then(|| now.plus_ms(UNKNOWN_LOOK_MS))
    }
}
