//! What the operator allows: limits, ownership and the identity of this start.
//!
//! Every limit binds as it stands: zero means nothing, never "unlimited".

use crate::foreign::ForeignPolicy;
use crate::ids::{AccountTag, Asset, BootTag, ClientId, Symbol};
use crate::intent::StrategyKind;
use crate::money::{Amount, BPS_PER_ONE};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The operator's limits; names as in config/default.toml, `[risk]` and `[sizing]`. Money is in the account's quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Cash that is never spent.
    pub try_cash_target: Amount,
    /// Smallest value of an own order; the larger of this and the exchange's counts.
    pub min_order_notional: Amount,
    /// Largest value of one order.
    pub max_order_notional: Amount,
    /// Value of increasing orders in 60 s, all pairs.
    pub max_notional_per_minute: Amount,
    /// Orders in 60 s.
    pub max_orders_per_minute: usize,
    /// Own orders that have not ended, all pairs.
    pub max_open_orders: usize,
    /// Own orders that have not ended, one pair.
    pub max_open_orders_per_symbol: usize,
    /// Worst-case exposure of one pair.
    pub max_position_notional: Amount,
    /// Worst-case exposure of all pairs.
    pub max_gross_exposure: Amount,
    /// Equity lost since the start of the UTC day, unrealised losses included.
    pub max_daily_loss: Amount,
    /// Equity below its peak, basis points.
    pub max_drawdown_bps: i64,
    /// Distance of a limit price through the market, basis points.
    pub price_collar_bps: i64,
    /// Widest market for an increasing order, basis points of mid.
    pub max_spread_bps: i64,
    /// Pause after an entry on the same pair and side, milliseconds.
    pub cooldown_ms: i64,
    /// Age of a decision, and life of an approval, milliseconds.
    pub intent_max_age_ms: i64,
    /// Age of the balances, milliseconds.
    pub reconcile_max_age_ms: i64,
    /// Age of the last book frame, milliseconds.
    pub market_data_age_ms: i64,
    /// Worst fee of an order, basis points of its value.
    pub fee_bps_taker: i64,
    /// Tax on top of the fee, basis points of the fee.
    pub tax_bps_of_fee: i64,
}

impl Limits {
    /// Returns the largest amount whose worst cost is at most `total`, a unit or two less at times; `None` on overflow.
    pub fn without_cost(&self, total: Amount) -> Option<Amount> {
        let per_fee = BPS_PER_ONE.checked_add(self.tax_bps_of_fee)?;
        let charged = self.fee_bps_taker.checked_mul(per_fee)?;
        let whole = i128::from(BPS_PER_ONE) * i128::from(BPS_PER_ONE);
        let kept = total.times_ratio(whole, whole + i128::from(charged))?;
        Some(kept - Amount::from_units(1))
    }

    /// Returns the worst cost of buying for `value`: `value x (1 + fee x (1 + tax))`, rounded up; `None` on overflow.
    pub fn worst_cost(&self, value: Amount) -> Option<Amount> {
        let per_fee = BPS_PER_ONE.checked_add(self.tax_bps_of_fee)?;
        let charged = self.fee_bps_taker.checked_mul(per_fee)?;
        let whole = i128::from(BPS_PER_ONE) * i128::from(BPS_PER_ONE);
        let costs = -(-value).times_ratio(i128::from(charged), whole)?;
        value
            .units()
            .checked_add(costs.units())
            .map(Amount::from_units)
    }
}

/// Which exchange the orders of this process go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Venue {
    /// The real one: arming and a first clean reconcile are required.
    Live,
    /// The simulated one.
    Simulated,
}

/// Makes client ids of one start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdSource {
    /// The account.
    pub tag: AccountTag,
    /// Number of this start.
    pub epoch: u32,
    /// Random part of this start.
    pub boot: BootTag,
    /// The sequence number that comes next; a replay raises it above every number it meets.
    pub seq: u64,
}

impl IdSource {
    /// Returns the next id; each is made once.
    pub(crate) fn next_id(&mut self) -> ClientId {
        let id = ClientId::new(self.tag, self.epoch, self.boot, self.seq);
        self.seq += 1;
        id
    }
}

/// Everything the gate is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskSettings {
    /// The account's quote currency; all limits are in it.
    pub quote: Asset,
    /// The operator's limits.
    pub limits: Limits,
    /// Where orders go.
    pub venue: Venue,
    /// Why the configuration does not arm this process, primary reason first, each `policy_block:<reason>`;
    /// binds on the live venue only.
    pub policy_blocks: Vec<&'static str>,
    /// The pairs that may be traded, each with its one owner.
    pub owners: BTreeMap<Symbol, StrategyKind>,
    /// How far orders that are not ours hold us back.
    pub foreign: ForeignPolicy,
    /// When this process started.
    pub started_at: Timestamp,
    /// The ids of this start.
    pub ids: IdSource,
}
