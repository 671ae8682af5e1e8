//! What became of the canary's orders, counted from what the actors report. It decides only whether the flight passed.

use crate::observer::{Call, Observed};
use engine::answer::OwnTrade;
use engine::ids::{Asset, ClientId};
use engine::intent::StrategyKind;
use engine::money::Amount;
use engine::order::OrderState;
use engine::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The orders of one flight.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    started: Timestamp,
    orders: BTreeMap<ClientId, OrderState>,
    /// Orders whose fate was unknown at some time.
    unknown: BTreeSet<ClientId>,
    /// From the gate's approval to the outcome of the submit, milliseconds.
    submit_ms: Vec<i64>,
    /// From a cancel to its answer, milliseconds.
    cancel_ms: Vec<i64>,
    /// Fees and tax, by the asset they were taken in.
    fees: BTreeMap<Asset, Amount>,
}

impl Tally {
    /// Counts what is placed from this moment on.
    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            started,
            ..Self::default()
        }
    }

    pub(super) fn see(&mut self, observed: &Observed) {
        match observed {
            Observed::Order(view) => {
                let intent = &view.order.intent;
                let is_ours = intent.strategy == StrategyKind::Canary && intent.at >= self.started;
                if is_ours {
                    self.orders.insert(view.client_id(), view.state);
                    if matches!(view.state, OrderState::Unknown(_)) {
                        self.unknown.insert(view.client_id());
                    }
                }
            }
            Observed::Call(Call::SubmitTook(_, took_ms)) => self.submit_ms.push(*took_ms),
            Observed::Call(Call::CancelAnswered(_, _, took_ms)) => self.cancel_ms.push(*took_ms),
            Observed::Fill(trade) => self.pay(trade),
            Observed::Market(_)
            | Observed::Decision(_)
            | Observed::Call(
                Call::SubmitSent(_) | Call::SubmitAnswered(..) | Call::CancelSent(_),
            )
            | Observed::Standing(_)
            | Observed::Process(_) => {}
        }
    }

    fn pay(&mut self, trade: &OwnTrade) {
        let is_ours = |id: ClientId| self.orders.contains_key(&id);
        if trade.client_id.is_some_and(is_ours) {
            let asset = if trade.fee_in_base {
                trade.base
            } else {
                trade.quote
            };
            *self.fees.entry(asset).or_default() += trade.fee + trade.tax;
        }
    }

    /// Returns whether an order was refused or never left.
    pub(super) fn is_refused(&self) -> bool {
        let is_refused =
            |state: &OrderState| matches!(state, OrderState::Rejected(_) | OrderState::NotSent(_));
        self.orders.values().any(is_refused)
    }

    /// Returns whether there was an order, and each went the whole way without a doubt.
    pub(super) fn has_passed(&self) -> bool {
        let is_proven =
            |state: &OrderState| matches!(state, OrderState::Canceled | OrderState::Filled);
        !self.orders.is_empty() && self.unknown.is_empty() && self.orders.values().all(is_proven)
    }

    fn count(&self, is_counted: impl Fn(&OrderState) -> bool) -> usize {
        self.orders
            .values()
            .filter(|state| is_counted(state))
            .count()
    }

    fn filled(&self) -> usize {
        self.count(|state| *state == OrderState::Filled)
    }

    fn canceled(&self) -> usize {
        self.count(|state| *state == OrderState::Canceled)
    }

    fn rejected(&self) -> usize {
        self.count(|state| matches!(state, OrderState::Rejected(_)))
    }

    fn not_sent(&self) -> usize {
        self.count(|state| matches!(state, OrderState::NotSent(_)))
    }

    /// The figures; decimals as text, times in milliseconds.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "submitted": self.orders.len(),
            "filled": self.filled(),
            "rejected": self.rejected(),
            "not_sent": self.not_sent(),
            "unknown": self.unknown.len(),
            "canceled": self.canceled(),
            "orders": self.orders.iter().map(|(id, state)| json!({"client_id": id, "state": state.as_str()})).collect::<Vec<_>>(),
            "submit_ms": spread(&self.submit_ms),
            "cancel_ms": spread(&self.cancel_ms),
            "fees": self.fees.iter().map(|(asset, sum)| (asset.to_string(), json!(sum))).collect::<serde_json::Map<_, _>>(),
        })
    }

    /// The figures for people.
    pub(super) fn text(&self) -> String {
        let fees = self
            .fees
            .iter()
            .map(|(asset, sum)| format!("{sum} {asset}"));
        let fees: Vec<String> = fees.collect();
        let ids: String = (self.orders.iter())
            .map(|(id, state)| format!("order     {id} {}\n", state.as_str()))
            .collect();
        format!(
            "{} submitted, {} filled, {} cancelled, {} rejected, {} not sent, {} of unknown fate\n{ids}\
             submit    {}\ncancel    {}\nfees      {}\n",
            self.orders.len(),
            self.filled(),
            self.canceled(),
            self.rejected(),
            self.not_sent(),
            self.unknown.len(),
            span(&self.submit_ms),
            span(&self.cancel_ms),
            if fees.is_empty() {
                "none".to_owned()
            } else {
                fees.join(", ")
            },
        )
    }
}

/// Least, middle and most; `None` without a value.
fn least_middle_most(ms: &[i64]) -> Option<[i64; 3]> {
    let mut sorted = ms.to_vec();
    sorted.sort_unstable();
    Some([
        *sorted.first()?,
        *sorted.get(sorted.len() / 2)?,
        *sorted.last()?,
    ])
}

fn spread(ms: &[i64]) -> Value {
    least_middle_most(ms).map_or(Value::Null, |[least, middle, most]| {
        json!({"count": ms.len(), "min": least, "median": middle, "max": most})
    })
}

fn span(ms: &[i64]) -> String {
    least_middle_most(ms).map_or("none".to_owned(), |[least, middle, most]| {
        format!("{least} / {middle} / {most} ms (least, median, most)")
    })
}
