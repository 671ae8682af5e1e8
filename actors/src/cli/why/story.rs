//! The records of one order, put together: decision, steps, fills, sums.
//!
//! It reads what was written and judges nothing again: what the gate saw stands in the decision.

use crate::store::Entry;
use crate::store::of_order::{about, number_in, sent};
use engine::answer::{OwnTrade, SubmitOutcome};
use engine::decision::{Bound, Check, Decision, Found};
use engine::ids::{Asset, ClientId, OrderId};
use engine::intent::NewOrder;
use engine::market::Side;
use engine::money::{Amount, BPS_PER_ONE, Qty};
use engine::order::{OrderState, Resolution};
use engine::record::Record;
use serde_json::{Value, json};
use std::fmt::Display;
use std::ops::Sub;

/// One order as the journal tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The order as it was to be sent.
    pub order: NewOrder,
    /// What it was approved on, if that was written.
    pub decision: Option<Decision>,
    /// Everything about it, in the journal's order.
    pub steps: Vec<Entry>,
}

/// What an order came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Quantity filled.
    pub filled: Qty,
    /// Value of the fills.
    pub value: Amount,
    /// Fees paid, in the asset of the trades.
    pub fees: Amount,
    /// Tax paid, in the same.
    pub tax: Amount,
    /// Paid more, or got less, than at the mid price of the decision.
    pub slippage: Amount,
}

/// One check with its figures as text.
pub struct CheckLine {
    /// Which.
    pub check: Check,
    /// Seen, sign, allowed and margin; `None` for a plain yes.
    pub figures: Option<Figures>,
}

/// The figures of a check.
pub struct Figures {
    /// What was seen.
    pub seen: String,
    /// On which side of `allowed` it must stay.
    pub bound: Bound,
    /// What is allowed.
    pub allowed: String,
    /// How far apart they are.
    pub margin: String,
    /// `ms`, `bps`, or nothing for money and numbers.
    pub unit: &'static str,
}

/// Returns what fee and tax of a trade were paid in.
pub const fn fee_asset(trade: &OwnTrade) -> Asset {
    if trade.fee_in_base {
        trade.base
    } else {
        trade.quote
    }
}

impl Story {
    /// Puts the records of one order together; `None` if it was never written down.
    pub fn of(entries: &[Entry], id: ClientId) -> Option<Self> {
        let steps = about(entries, id);
        let order = steps.iter().find_map(sent)?;
        let decision = steps.iter().find_map(|entry| {
            if let Record::Decided(decision) = &entry.record {
                Some(decision.as_ref().clone())
            } else {
                None
            }
        });
        Some(Self {
            order,
            decision,
            steps,
        })
    }

    /// Returns the exchange's number, once known.
    pub fn number(&self) -> Option<OrderId> {
        let numbers = self.steps.iter().rev();
        numbers.filter_map(|entry| number_in(&entry.record)).next()
    }

    /// Returns where the order stands by its records alone.
    pub fn state(&self) -> OrderState {
        let mut state = OrderState::Sending;
        let mut filled = Qty::ZERO;
        for entry in &self.steps {
            if let Record::Outcome { outcome, .. } = &entry.record {
                state = answered(*outcome);
            } else if let Record::Adopted { .. } = &entry.record {
                state = OrderState::Open;
            } else if let Record::Fill(trade) = &entry.record {
                filled += trade.qty;
                state = OrderState::Partial;
            } else if let Record::Resolved { resolution, .. } = &entry.record {
                state = match resolution {
                    Resolution::Absent => OrderState::Absent,
                    Resolution::Accepted(_) => OrderState::Open,
                    Resolution::Stuck => state,
                };
            } else if let Record::Ended { state: ended, .. } = &entry.record {
                state = *ended;
            }
        }
        let is_resting = matches!(state, OrderState::Open | OrderState::Partial);
        if is_resting && filled >= self.order.intent.qty {
            OrderState::Filled
        } else if is_resting && filled.is_positive() {
            OrderState::Partial
        } else {
            state
        }
    }

    /// Returns the trades.
    pub fn fills(&self) -> impl Iterator<Item = &OwnTrade> {
        self.steps.iter().filter_map(|entry| {
            if let Record::Fill(trade) = &entry.record {
                Some(trade)
            } else {
                None
            }
        })
    }

    /// Returns what a trade cost against the mid price of the decision; below zero where it was better.
    pub fn slippage(&self, trade: &OwnTrade) -> Amount {
        let at_mid = self.order.intent.mid.value(trade.qty);
        let traded = trade.price.value(trade.qty);
        match self.order.intent.side {
            Side::Buy => traded - at_mid,
            Side::Sell => at_mid - traded,
        }
    }

    /// Returns `slippage` in basis points of the value at mid, rounded against us.
    pub fn slippage_bps(&self, slippage: Amount, qty: Qty) -> Option<i64> {
        let at_mid = self.order.intent.mid.value(qty).units();
        let scaled = slippage.units().checked_mul(i128::from(BPS_PER_ONE))?;
        let down = scaled.checked_div_euclid(at_mid)?;
        i64::try_from(down + i128::from(scaled.rem_euclid(at_mid) != 0)).ok()
    }

    /// Returns the sums over all trades.
    pub fn sums(&self) -> Sums {
        Sums {
            filled: self.fills().map(|trade| trade.qty).sum(),
            value: self.fills().map(|t| t.price.value(t.qty)).sum(),
            fees: self.fills().map(|trade| trade.fee).sum(),
            tax: self.fills().map(|trade| trade.tax).sum(),
            slippage: self.fills().map(|trade| self.slippage(trade)).sum(),
        }
    }

    /// Returns the checks with their figures, in the gate's order.
    pub fn checks(&self) -> Vec<CheckLine> {
        let found = self.decision.iter().flat_map(|decision| &decision.checks);
        found
            .map(|(check, found)| CheckLine {
                check: *check,
                figures: figures(*check, *found),
            })
            .collect()
    }

    /// Returns the checks that did not bind this order.
    pub fn exempt(&self) -> Vec<Check> {
        let Some(decision) = &self.decision else {
            return Vec::new();
        };
        let applied = |check: Check| decision.checks.iter().any(|(of, _)| *of == check);
        let all = Check::ALL.into_iter();
        all.filter(|check| !applied(*check)).collect()
    }

    /// Returns what is missing in the story.
    pub fn warnings(&self) -> Vec<String> {
        let missing = self.decision.is_none();
        let text = "no evidence of its decision was written";
        missing.then(|| text.to_owned()).into_iter().collect()
    }

    /// Returns the story as the data of `btcbot.why/v1`.
    pub fn to_json(&self) -> Value {
        let sums = self.sums();
        let fills = self.fills().map(|trade| {
            let slippage = self.slippage(trade);
            json!({
                "trade_id": trade.id,
                "at_us": trade.at.0,
                "source": trade.source,
                "price": trade.price,
                "qty": trade.qty,
                "fee": trade.fee,
                "fee_asset": fee_asset(trade),
                "tax": trade.tax,
                "slippage": slippage,
                "slippage_bps": self.slippage_bps(slippage, trade.qty),
            })
        });
        json!({
            "client_id": self.order.client_id,
            "order_id": self.number(),
            "state": self.state().as_str(),
            "order": self.order,
            "decision": self.decision.as_ref().map(decision_json),
            "checks": self.checks().iter().map(check_json).collect::<Vec<_>>(),
            "did_not_apply": self.exempt(),
            "steps": self.steps_json(),
            "fills": fills.collect::<Vec<_>>(),
            "sums": {
                "filled": sums.filled,
                "value": sums.value,
                "fees": sums.fees,
                "tax": sums.tax,
                "slippage": sums.slippage,
                "slippage_bps": self.slippage_bps(sums.slippage, sums.filled),
            },
        })
    }

    fn steps_json(&self) -> Vec<Value> {
        let mut before = self.order.intent.at;
        let steps = self.steps.iter().map(|entry| {
            let after_us = entry.at.0 - before.0;
            before = entry.at;
            json!({ "seq": entry.seq, "at_us": entry.at.0, "after_us": after_us, "record": entry.record })
        });
        steps.collect()
    }
}

fn answered(outcome: SubmitOutcome) -> OrderState {
    match outcome {
        SubmitOutcome::Accepted(_) | SubmitOutcome::AcceptedWithoutEcho(_) => OrderState::Open,
        SubmitOutcome::Rejected(why) => OrderState::Rejected(why),
        SubmitOutcome::NotSent(why) => OrderState::NotSent(why),
        SubmitOutcome::Unknown(cause) => OrderState::Unknown(cause),
    }
}

/// The decision without its checks: they stand beside it, with their margins.
fn decision_json(decision: &Decision) -> Value {
    let mut value = json!(decision);
    if let Some(members) = value.as_object_mut() {
        members.remove("checks");
    }
    value
}

fn check_json(line: &CheckLine) -> Value {
    let code = line.check.denies_with().as_str();
    match &line.figures {
        None => json!({ "check": line.check, "code": code, "holds": true }),
        Some(figures) => json!({
            "check": line.check,
            "code": code,
            "holds": true,
            "seen": figures.seen,
            "bound": figures.bound.as_str(),
            "allowed": figures.allowed,
            "margin": figures.margin,
            "unit": figures.unit,
        }),
    }
}

fn figures(check: Check, found: Found) -> Option<Figures> {
    let bound = check.bound();
    let whole = |seen: i128, allowed: i128, unit| against(bound, seen, allowed, unit);
    match found {
        Found::Holds => None,
        Found::Money(seen, allowed) => Some(against(bound, seen, allowed, "")),
        Found::Bps(seen, allowed) => Some(whole(seen.into(), allowed.into(), "bps")),
        Found::Ms(seen, allowed) => Some(whole(seen.into(), allowed.into(), "ms")),
        Found::Count(seen, allowed) => Some(whole(seen.into(), allowed.into(), "")),
    }
}

/// What was seen against what is allowed, and how far apart on the right side.
fn against<T>(bound: Bound, seen: T, allowed: T, unit: &'static str) -> Figures
where
    T: Copy + Display + Sub<Output: Display>,
{
    let margin = if bound == Bound::AtLeast {
        seen - allowed
    } else {
        allowed - seen
    };
    Figures {
        seen: seen.to_string(),
        bound,
        allowed: allowed.to_string(),
        margin: margin.to_string(),
        unit,
    }
}

#[cfg(test)]
#[path = "story_tests.rs"]
mod tests;
