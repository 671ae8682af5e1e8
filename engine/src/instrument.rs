//! The exchange's rules for one pair, and the one function that makes a price and a quantity fit them.
//!
//! A number that the exchange does not give is absent, never zero: an instrument without its steps or
//! its minimum cannot be built, so no order can be made for it.

use crate::ids::{Asset, Symbol};
use crate::market::Side;
use crate::money::{Amount, Price, Qty, UNITS_PER_ONE};
use serde::{Deserialize, Serialize};

/// What the exchange says about a pair, before it is judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFacts {
    /// The pair.
    pub symbol: Symbol,
    /// The coin that is bought and sold.
    pub base: Asset,
    /// The currency that pays.
    pub quote: Asset,
    /// The exchange's status is `TRADING`.
    pub is_trading: bool,
    /// Limit orders are among the order methods.
    pub has_limit_orders: bool,
    /// Decimals of a quantity, 0 to 8.
    pub qty_scale: u32,
    /// Decimals of a price, 0 to 8.
    pub price_scale: u32,
    /// False: prices are whole numbers whatever the scale says (docs/EXCHANGE.md 4.2).
    pub has_fraction: bool,
    /// Price step of the filter; not enforced by the exchange, obeyed by us.
    pub tick: Option<Price>,
    /// Smallest price x quantity.
    pub value_min: Option<Amount>,
    /// Smallest quantity of the filter.
    pub qty_min: Option<Qty>,
    /// Largest quantity of one order.
    pub qty_max: Option<Qty>,
    /// Smallest limit price of the moment.
    pub price_min: Option<Price>,
    /// Largest limit price of the moment.
    pub price_max: Option<Price>,
    /// The fee is taken in the base currency.
    pub fee_in_base: bool,
}

/// Why a pair has no usable rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A scale above eight decimals cannot be represented.
    #[error("more than 8 decimals in a scale")]
    Scale,
    /// No minimum order value is given.
    #[error("no minimum order value")]
    NoValueMin,
}

/// Complete rules of a pair; only these can be traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// The pair.
    pub symbol: Symbol,
    /// The coin that is bought and sold.
    pub base: Asset,
    /// The currency that pays.
    pub quote: Asset,
    /// The pair is open for limit orders.
    pub is_trading: bool,
    /// Prices are multiples of this: the coarsest of scale, integer rule and tick.
    pub price_step: Price,
    /// Quantities are multiples of this.
    pub qty_step: Qty,
    /// Smallest price x quantity.
    pub value_min: Amount,
    /// Smallest quantity, if there is such a rule.
    pub qty_min: Option<Qty>,
    /// Largest quantity of one order, if there is such a rule.
    pub qty_max: Option<Qty>,
    /// Smallest limit price, if there is such a rule.
    pub price_min: Option<Price>,
    /// Largest limit price, if there is such a rule.
    pub price_max: Option<Price>,
    /// Fee and tax are paid in the base: a purchase brings less, a sale takes more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fee_in_base: bool,
}

/// Why a price and a quantity cannot be made to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantiseError {
    /// Nothing is left after rounding.
    NonPositive,
    /// Outside the exchange's limits for a price.
    PriceOutOfRange,
    /// Worth less than the smallest order.
    BelowMinimum,
}

fn step_units(scale: u32) -> Result<i64, RuleError> {
    10i64
        .checked_pow(scale)
        .and_then(|one| UNITS_PER_ONE.checked_div(one))
        .filter(|step| *step > 0)
        .ok_or(RuleError::Scale)
}

impl RuleFacts {
    /// Judges the facts: complete rules, or the reason why the pair cannot be traded.
    ///
    /// # Errors
    /// A scale that does not fit, or a missing minimum.
    pub fn instrument(&self) -> Result<Instrument, RuleError> {
        let scale_step = step_units(self.price_scale)?;
        let whole_step = if self.has_fraction { 0 } else { UNITS_PER_ONE };
        let tick = self.tick.map_or(0, Price::units);
        Ok(Instrument {
            symbol: self.symbol,
            base: self.base,
            quote: self.quote,
            is_trading: self.is_trading && self.has_limit_orders,
            price_step: Price::from_units(scale_step.max(whole_step).max(tick)),
            qty_step: Qty::from_units(step_units(self.qty_scale)?),
            value_min: self
                .value_min
                .filter(|v| v.is_positive())
                .ok_or(RuleError::NoValueMin)?,
            qty_min: self.qty_min.filter(|q| q.is_positive()),
            qty_max: self.qty_max.filter(|q| q.is_positive()),
            price_min: self.price_min.filter(|p| p.is_positive()),
            price_max: self.price_max.filter(|p| p.is_positive()),
            fee_in_base: self.fee_in_base,
        })
    }
}

impl Instrument {
    /// Rounds to the grid on the safe side: a buy never pays more, a sale never asks less, neither is larger.
    ///
    /// # Errors
    /// Nothing left, price out of range, or below `value_min` (the larger of the exchange's and the caller's).
    pub fn quantise(
        &self,
        side: Side,
        price: Price,
        qty: Qty,
        value_min: Amount,
    ) -> Result<(Price, Qty), QuantiseError> {
        let price = match side {
            Side::Buy => price.floor_to(self.price_step),
            Side::Sell => price
                .ceil_to(self.price_step)
                .ok_or(QuantiseError::PriceOutOfRange)?,
        };
        let qty = self
            .qty_max
            .map_or(qty, |max| qty.min(max))
            .floor_to(self.qty_step);
        if !price.is_positive() || !qty.is_positive() {
            return Err(QuantiseError::NonPositive);
        }
        let is_low = self.price_min.is_some_and(|min| price < min);
        let is_high = self.price_max.is_some_and(|max| price > max);
        if is_low || is_high {
            return Err(QuantiseError::PriceOutOfRange);
        }
        let is_small = self.qty_min.is_some_and(|min| qty < min);
        if is_small || price.value(qty) < self.value_min.max(value_min) {
            return Err(QuantiseError::BelowMinimum);
        }
        Ok((price, qty))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// BTCTRY as captured in 2022: integer prices, tick 10, 8 decimals of quantity, 99.91 TRY minimum.
    pub(crate) fn btctry() -> RuleFacts {
        RuleFacts {
            symbol: Symbol::parse("BTCTRY").expect("a pair"),
            base: Asset::parse("BTC").expect("an asset"),
            quote: Asset::parse("TRY").expect("an asset"),
            is_trading: true,
            has_limit_orders: true,
            qty_scale: 8,
            price_scale: 2,
            has_fraction: false,
            tick: Some(Price::parse("10").expect("a price")),
            value_min: Some(Amount::parse("99.91").expect("an amount")),
            qty_min: None,
            qty_max: None,
            price_min: None,
            price_max: None,
            fee_in_base: false,
        }
    }

    fn check(side: Side, price: &str, qty: &str, expected: Result<(&str, &str), QuantiseError>) {
        let rules = btctry().instrument().expect("complete rules");
        let got = rules.quantise(
            side,
            Price::parse(price).expect("a price"),
            Qty::parse(qty).expect("a quantity"),
            Amount::ZERO,
        );
        let want = expected.map(|(p, q)| {
            (
                Price::parse(p).expect("a price"),
                Qty::parse(q).expect("a quantity"),
            )
        });
        assert_eq!(got, want, "{side:?} {price} {qty}");
    }

    #[test]
    fn rounding_is_on_the_safe_side() {
        check(Side::Buy, "1000009.99", "0.001", Ok(("1000000", "0.001")));
        check(Side::Sell, "1000000.01", "0.001", Ok(("1000010", "0.001")));
    }

    #[test]
    fn what_cannot_fit_says_why() {
        check(Side::Buy, "9.99", "1", Err(QuantiseError::NonPositive));
        check(
            Side::Buy,
            "1000000",
            "0.00009991",
            Ok(("1000000", "0.00009991")),
        );
        check(
            Side::Buy,
            "1000000",
            "0.0000999",
            Err(QuantiseError::BelowMinimum),
        );
    }

    #[test]
    fn null_min_amount_keeps_min_exchange_value() {
        let facts = btctry();
        assert_eq!(facts.qty_min, None);
        assert_eq!(
            facts.instrument().map(|i| i.value_min),
            Ok(Amount::parse("99.91").expect("an amount"))
        );
        let without = RuleFacts {
            value_min: None,
            ..btctry()
        };
        assert_eq!(without.instrument(), Err(RuleError::NoValueMin));
    }

    #[test]
    fn price_limits_of_the_moment_bind() {
        let rules = RuleFacts {
            price_max: Some(Price::from_units(UNITS_PER_ONE * 50)),
            ..btctry()
        }
        .instrument()
        .expect("rules");
        let qty = Qty::from_units(UNITS_PER_ONE * 10);
        let at = |whole: i64| {
            rules.quantise(
                Side::Buy,
                Price::from_units(UNITS_PER_ONE * whole),
                qty,
                Amount::ZERO,
            )
        };
        assert!(at(50).is_ok());
        assert_eq!(at(60), Err(QuantiseError::PriceOutOfRange));
    }
}
