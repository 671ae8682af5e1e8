//! The ordered checks: one function each, stopped at the first that refuses.
//!
//! A check sees the gate as it stands, every earlier approval included. Two of them change the wish: the grid makes
//! it fit, the order cap makes it smaller and puts it on the grid again.

mod funds;
mod market;
mod pace;
mod standing;

use super::{DenyCode, RiskGate};
use crate::decision::{Check, Found, Trail};
use crate::intent::Intent;
use crate::market::Side;
use crate::money::Amount;
use crate::risk::pair::Pair;
use crate::time::Timestamp;

/// A wish under examination.
struct Case<'a> {
    gate: &'a RiskGate,
    now: Timestamp,
    /// As it would be sent.
    intent: Intent,
    /// A sale that the free position covers; it can neither flip nor open a position.
    is_reducing: bool,
    /// What is to be held for it.
    reserved: Amount,
    /// What each check saw.
    trail: Trail,
}

/// A wish that passed.
pub(crate) struct Fit {
    /// On the grid, within the caps.
    pub(crate) intent: Intent,
    /// What is to be held for it: quote for a buy, base for a sale.
    pub(crate) reserved: Amount,
    /// A sale that the free position covers.
    pub(crate) is_reducing: bool,
    /// What each check saw.
    pub(crate) trail: Trail,
}

/// Why a check said no.
pub(crate) struct Refused {
    pub(crate) code: DenyCode,
    pub(crate) seen: String,
    pub(crate) allowed: String,
}

type Verdict = Result<(), Refused>;
type Judge = for<'a> fn(&mut Case<'a>) -> Verdict;

/// All checks, in their order.
const CHECKS: [Judge; 27] = [
    standing::complete,
    standing::fresh,
    standing::mode,
    standing::policy,
    standing::reconciled,
    standing::strategy,
    standing::frozen,
    standing::universe,
    market::book,
    market::grid,
    market::collar,
    market::spread,
    market::self_trade,
    market::duplicate,
    pace::open_orders,
    pace::cooldown,
    pace::breaker,
    pace::order_rate,
    funds::inventory,
    pace::order_cap,
    pace::minute_value,
    funds::loss,
    funds::exposure,
    funds::balances,
    funds::cash,
    funds::exchange_cash,
    funds::reserve,
];

/// Judges a wish: on the grid and reserved, or denied with the first reason.
pub(crate) fn judge(gate: &RiskGate, now: Timestamp, intent: Intent) -> Result<Fit, Refused> {
    let is_covered = intent.qty.amount() <= gate.free_to_sell(intent.symbol);
    let mut case = Case {
        gate,
        now,
        intent,
        is_reducing: intent.side == Side::Sell && is_covered,
        reserved: Amount::ZERO,
        trail: Trail::EMPTY,
    };
    for check in CHECKS {
        check(&mut case)?;
    }
    Ok(Fit {
        intent: case.intent,
        reserved: case.reserved,
        is_reducing: case.is_reducing,
        trail: case.trail,
    })
}

/// Says no, with what was seen and what is allowed.
fn refuse(code: DenyCode, seen: impl ToString, allowed: impl ToString) -> Verdict {
    Err(Refused {
        code,
        seen: seen.to_string(),
        allowed: allowed.to_string(),
    })
}

impl Case<'_> {
    fn pair(&self) -> Option<&Pair> {
        self.gate.pairs.get(&self.intent.symbol)
    }

    fn note(&mut self, check: Check, found: Found) {
        self.trail.note(check, found);
    }

    fn value(&self) -> Amount {
        self.intent.limit.value(self.intent.qty)
    }

    /// What a buy takes out of cash in the worst case.
    fn cost(&self) -> Result<Amount, Refused> {
        self.worst(self.value())
    }

    /// An amount and the charges on it in the worst case.
    fn worst(&self, amount: Amount) -> Result<Amount, Refused> {
        let cost = self.gate.settings.limits.worst_cost(amount);
        cost.ok_or_else(|| Refused {
            code: DenyCode::Arithmetic,
            seen: format!("cost of {amount}"),
            allowed: "a number that fits".to_owned(),
        })
    }
}
