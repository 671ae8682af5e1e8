//! What figures are measured against: limits with what is used of them, and budgets with what is left.
//!
//! It shows; the gate decides by its own count. The one idea: used and allowed stand side by side in one unit.

use super::Status;
use crate::params;
use config::settings::Settings;
use engine::budget::{Cause, Rung, Step};
use engine::intent::NewOrder;
use engine::market::Side;
use engine::money::Amount;
use engine::risk::Limits;
use engine::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Orders that the minute's pace remembers; the oldest fall out, and the figure is then too small.
const PACE_MAX: usize = 1_024;
/// Length of the pace's window, milliseconds.
const PACE_MS: i64 = 60_000;
/// Hours of a budget: an hour that spends a day's worth burns at this rate.
const HOURS_OF_DAY: u32 = 24;

/// What the operator allows, and how often things are due.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Limits in force.
    pub limits: Limits,
    /// Attempts to open the stream that a day allows.
    pub reconnects_per_day: u32,
    /// Answers 429 that a day allows.
    pub throttled_per_day: u32,
    /// Period of the strategies' cycle, milliseconds.
    pub cycle_ms: i64,
    /// Period of the passes over the account, milliseconds.
    pub reconcile_ms: i64,
}

impl Bounds {
    /// Reads them off the settings.
    pub const fn of(settings: &Settings) -> Self {
        Self {
            limits: params::risk_limits(settings),
            reconnects_per_day: settings.slo.reconnects_per_day,
            throttled_per_day: settings.slo.throttled_per_day,
            cycle_ms: settings.strategy.cycle_interval_ms,
            reconcile_ms: settings.orders.reconcile_interval_seconds * 1_000,
        }
    }
}

/// The orders of the last minute: when, and what a buy was worth.
#[derive(Clone, Debug, Default)]
pub struct Pace(VecDeque<(Timestamp, Amount)>);

impl Pace {
    /// Notes an order that was approved.
    pub fn note(&mut self, at: Timestamp, order: &NewOrder) {
        let intent = &order.intent;
        let bought = match intent.side {
            Side::Buy => intent.limit.value(intent.qty),
            Side::Sell => Amount::ZERO,
        };
        if self.0.len() >= PACE_MAX {
            self.0.pop_front();
        }
        self.0.push_back((at, bought));
    }

    fn within(&self, now: Timestamp) -> impl Iterator<Item = Amount> + '_ {
        let recent = move |at: Timestamp| now.ms_since(at) < PACE_MS;
        let rows = self.0.iter().filter(move |(at, _)| recent(*at));
        rows.map(|(_, bought)| *bought)
    }
}

/// One limit as it is shown.
fn row(limit: &str, unit: &str, used: i128, allowed: i128, shown: [String; 2]) -> Value {
    let permille = match allowed {
        ..=0 => 1_000,
        1.. => (used.max(0).saturating_mul(1_000) / allowed).min(9_999),
    };
    let [used, allowed] = shown;
    json!({"limit": limit, "unit": unit, "used": used, "allowed": allowed,
           "used_permille": i64::try_from(permille).unwrap_or(i64::MAX)})
}

fn counted(limit: &str, used: usize, allowed: usize) -> Value {
    let wide = |count: usize| i128::try_from(count).unwrap_or(i128::MAX);
    let shown = [used.to_string(), allowed.to_string()];
    row(limit, "orders", wide(used), wide(allowed), shown)
}

fn paid(limit: &str, used: Amount, allowed: Amount) -> Value {
    let shown = [used.to_string(), allowed.to_string()];
    row(limit, "TRY", used.units(), allowed.units(), shown)
}

impl Status {
    /// Each limit with what is used of it; empty before the limits are known.
    pub(super) fn limits_json(&self, now: Timestamp) -> Vec<Value> {
        let Some(Bounds { limits, .. }) = &self.bounds else {
            return Vec::new();
        };
        let mut of_pair: BTreeMap<_, usize> = BTreeMap::new();
        for view in self.orders.values() {
            *of_pair.entry(view.order.intent.symbol).or_default() += 1;
        }
        let fullest = of_pair.values().copied().max().unwrap_or(0);
        let bought: Amount = self.pace.within(now).sum();
        let mut rows = vec![
            counted("MAX_OPEN_ORDERS", self.orders.len(), limits.max_open_orders),
            counted(
                "MAX_OPEN_ORDERS_PER_SYMBOL",
                fullest,
                limits.max_open_orders_per_symbol,
            ),
            counted(
                "MAX_ORDERS_PER_MINUTE",
                self.pace.within(now).count(),
                limits.max_orders_per_minute,
            ),
            paid(
                "MAX_NOTIONAL_TRY_PER_MINUTE",
                bought,
                limits.max_notional_per_minute,
            ),
        ];
        if let Some(money) = &self.money {
            let lost = money.day_pnl.unwrap_or(Amount::ZERO);
            let lost = if lost.is_negative() {
                -lost
            } else {
                Amount::ZERO
            };
            let largest = money.exposures.iter().map(|(_, amount)| *amount).max();
            let drawdown = i128::from(money.drawdown_bps);
            let allowed = i128::from(limits.max_drawdown_bps);
            let shown = [drawdown.to_string(), allowed.to_string()];
            rows.extend([
                paid(
                    "MAX_POSITION_NOTIONAL_TRY",
                    largest.unwrap_or(Amount::ZERO),
                    limits.max_position_notional,
                ),
                paid(
                    "MAX_GROSS_EXPOSURE_TRY",
                    money.exposure,
                    limits.max_gross_exposure,
                ),
                paid("MAX_DAILY_LOSS_TRY", lost, limits.max_daily_loss),
                row("MAX_DRAWDOWN_BPS", "bps", drawdown, allowed, shown),
            ]);
        }
        rows
    }

    /// Each budget of the day: spent, left, and how fast the last hour burns (1 spends it in exactly a day).
    pub(super) fn budgets_json(&self) -> Vec<Value> {
        let Some(bounds) = &self.bounds else {
            return Vec::new();
        };
        let budgets = [
            (Cause::Reconnects, bounds.reconnects_per_day),
            (Cause::Throttled, bounds.throttled_per_day),
        ];
        let shown = budgets.map(|(cause, per_day)| {
            let step = self.ladder.get(&cause).map(|(step, _)| *step);
            budget_json(cause, per_day, step)
        });
        shown.into()
    }
}

fn budget_json(cause: Cause, per_day: u32, step: Option<Step>) -> Value {
    let (spent, hour) = step.map_or((0, 0), |step| (step.count, step.hour));
    let per_day = step.map_or(per_day, |step| step.limit);
    // In tenths: a burn of 0.5 matters.
    let burn = u64::from(hour) * u64::from(HOURS_OF_DAY) * 10 / u64::from(per_day.max(1));
    json!({
        "budget": cause.as_str(),
        "spent": spent,
        "limit": per_day,
        "left": per_day.saturating_sub(spent),
        "hour": hour,
        "burn": format!("{}.{}", burn / 10, burn % 10),
        "rung": step.map_or(Rung::Normal, |step| step.after).as_str(),
    })
}
