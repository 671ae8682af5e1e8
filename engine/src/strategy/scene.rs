//! What a strategy sees when it is asked, and what it may answer.
//!
//! Pure values: no ids of the exchange, no secrets, no other strategy. The arithmetic that both strategies need
//! stands here, checked: what does not fit is `None`, and the strategy stays silent.

use super::params::CommonParams;
use super::samples::Samples;
use crate::book::TrustedBook;
use crate::ids::ClientId;
use crate::instrument::{Instrument, QuantiseError};
use crate::intent::{CancelReason, IntentClass, IntentReason, SilentReason, StrategyKind};
use crate::market::Side;
use crate::money::{Amount, BPS_PER_ONE, Price, Qty};
use crate::msg::DeskView;
use crate::order::{OrderState, OrderView};
use crate::time::Timestamp;
use std::fmt::Debug;

/// One owner of one pair.
pub trait Strategy: Debug + Send {
    /// Returns which one it is.
    fn kind(&self) -> StrategyKind;

    /// Returns how many samples it needs to keep.
    fn samples_kept(&self, common: &CommonParams) -> usize;

    /// Decides; `None` if a number did not fit. Asked in NORMAL and REDUCE_RISK_ONLY only.
    fn decide(&self, scene: &Scene<'_>) -> Option<Decision>;

    /// Returns the own orders that may not stay when there is nothing to decide on: no trusted book, or no mode for it.
    fn withdraw(&self, desk: &DeskView) -> Vec<ClientId>;
}

/// Everything a decision may depend on.
#[derive(Debug)]
pub struct Scene<'a> {
    /// When.
    pub now: Timestamp,
    /// When the cycle began; `None` before the first.
    pub cycle_at: Option<Timestamp>,
    /// The market.
    pub book: &'a TrustedBook,
    /// The own situation.
    pub desk: &'a DeskView,
    /// The exchange's rules.
    pub rules: &'a Instrument,
    /// The recent marks.
    pub samples: &'a Samples,
    /// Shared numbers.
    pub common: &'a CommonParams,
}

/// A wish for one order, before it gets its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Buy or sell.
    pub side: Side,
    /// How much, on the exchange's grid.
    pub qty: Qty,
    /// The worst price, on the exchange's grid.
    pub limit: Price,
    /// What for.
    pub class: IntentClass,
    /// Why.
    pub reason: IntentReason,
}

/// What a strategy answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Orders it wants.
    pub wishes: Vec<Wish>,
    /// Own orders it no longer wants.
    pub cancels: Vec<(ClientId, CancelReason)>,
    /// Why there is no wish.
    pub silent: Option<SilentReason>,
}

impl Decision {
    /// Makes an answer without a wish.
    pub fn silent(reason: SilentReason) -> Self {
        Self {
            silent: Some(reason),
            ..Self::default()
        }
    }

    /// Makes an answer of one wish.
    pub fn wish(wish: Wish) -> Self {
        Self {
            wishes: vec![wish],
            ..Self::default()
        }
    }

    /// Adds a cancel.
    #[must_use]
    pub fn and_cancel(mut self, id: ClientId, reason: CancelReason) -> Self {
        self.cancels.push((id, reason));
        self
    }
}

impl<'a> Scene<'a> {
    /// Returns the own orders of one side that have not ended.
    pub fn live(&self, side: Side) -> impl Iterator<Item = &'a OrderView> + use<'a> {
        live_orders(self.desk, side)
    }

    /// Returns the coins that no own sale holds.
    pub fn free_position(&self) -> Qty {
        self.live(Side::Sell)
            .fold(self.desk.position, |free, order| {
                free.minus_or_zero(order.remaining())
            })
    }

    /// Returns the smallest order value that counts.
    pub fn value_min(&self) -> Amount {
        self.rules.value_min.max(self.common.value_min)
    }

    /// Returns the cash that an order may be worth, so that its fee is covered too.
    pub fn spendable(&self) -> Option<Amount> {
        let whole = i128::from(BPS_PER_ONE);
        let with_fee = whole.checked_add(i128::from(self.common.fee_bps_taker))?;
        self.desk
            .cash
            .max(Amount::ZERO)
            .times_ratio(whole, with_fee)
    }

    /// Rounds a price and a quantity to the grid, on the safe side.
    ///
    /// # Errors
    /// As [`Instrument::quantise`].
    pub fn quantise(
        &self,
        side: Side,
        price: Price,
        qty: Qty,
    ) -> Result<(Price, Qty), QuantiseError> {
        self.rules.quantise(side, price, qty, self.common.value_min)
    }

    /// Returns a grid price and the quantity that `value` is worth there.
    ///
    /// # Errors
    /// As [`Instrument::quantise`].
    pub fn sized(
        &self,
        side: Side,
        price: Price,
        value: Amount,
    ) -> Result<(Price, Qty), QuantiseError> {
        let too_far = QuantiseError::PriceOutOfRange;
        let price = match side {
            Side::Buy => price.floor_to(self.rules.price_step),
            Side::Sell => price.ceil_to(self.rules.price_step).ok_or(too_far)?,
        };
        let qty = value
            .qty_at(price)
            .ok_or(QuantiseError::NonPositive)?
            .floor_to(self.rules.qty_step);
        // Rounding alone must not push an order below the minimum that it was sized for.
        let is_cut = value >= self.value_min() && price.value(qty) < self.value_min();
        let qty = if is_cut {
            qty.checked_add(self.rules.qty_step).ok_or(too_far)?
        } else {
            qty
        };
        self.quantise(side, price, qty)
    }
}

/// Returns the orders of one side that have not ended.
pub fn live_orders(desk: &DeskView, side: Side) -> impl Iterator<Item = &OrderView> {
    desk.orders
        .iter()
        .filter(move |order| order.order.intent.side == side && !order.state.is_terminal())
}

/// Returns whether the exchange is known to hold the order, so that age and price may end it.
pub const fn is_resting(order: &OrderView) -> bool {
    match order.state {
        OrderState::Open | OrderState::Partial => !order.cancel_asked,
        OrderState::Reserved
        | OrderState::Sending
        | OrderState::Unknown(_)
        | OrderState::NotSent(_)
        | OrderState::Rejected(_)
        | OrderState::Absent
        | OrderState::Canceled
        | OrderState::Filled => false,
    }
}

/// Returns `price x bps / 10000`, rounded up; `None` if it does not fit.
pub fn times_bps_up(price: Price, bps: i64) -> Option<Price> {
    let scaled = i128::from(price.units()).checked_mul(i128::from(bps))?;
    let whole = i128::from(BPS_PER_ONE);
    let up = scaled.checked_add(whole - 1)?.div_euclid(whole);
    i64::try_from(up).ok().map(Price::from_units)
}

/// Returns whether `a x 10000 >= b x bps`, without a division that would round the decision; `None` on overflow.
pub fn is_at_least(a: Price, b: Price, bps: i64) -> Option<bool> {
    let left = i128::from(a.units()).checked_mul(i128::from(BPS_PER_ONE))?;
    let right = i128::from(b.units()).checked_mul(i128::from(bps))?;
    Some(left >= right)
}

/// Returns whether `a x 10000 <= b x bps`; `None` on overflow.
pub fn is_at_most(a: Price, b: Price, bps: i64) -> Option<bool> {
    let left = i128::from(a.units()).checked_mul(i128::from(BPS_PER_ONE))?;
    let right = i128::from(b.units()).checked_mul(i128::from(bps))?;
    Some(left <= right)
}

/// Returns whether two prices are more than `bps` of `base` apart; `None` on overflow.
pub fn is_off(a: Price, b: Price, base: Price, bps: i64) -> Option<bool> {
    let distance = i128::from(a.units().abs_diff(b.units()));
    let left = distance.checked_mul(i128::from(BPS_PER_ONE))?;
    let right = i128::from(base.units()).checked_mul(i128::from(bps))?;
    Some(left > right)
}
