//! Exact money: prices and quantities in units of 10^-8, amounts in units of 10^-16.
//!
//! Price times quantity is exact by construction. No float exists here, and text is read digit by digit:
//! exponents, signs where none may stand, `NaN` and too many digits are errors, never a guess.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// Decimals of a [`Price`] and a [`Qty`].
pub const UNIT_DECIMALS: u32 = 8;
/// Decimals of an [`Amount`].
pub const AMOUNT_DECIMALS: u32 = 16;
/// Units in one whole price or quantity.
pub const UNITS_PER_ONE: i64 = 100_000_000;
/// Units in one whole amount.
pub const AMOUNT_UNITS_PER_ONE: i128 = 10_000_000_000_000_000;
/// Basis points in the whole.
pub const BPS_PER_ONE: i64 = 10_000;
/// Longest integer part that is read.
const INTEGER_DIGITS_MAX: usize = 20;

/// Why a decimal text was refused. Carries no part of the text, because it may have been a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Empty, or something other than digits with at most one point.
    #[error("not a plain decimal number")]
    NotDecimal,
    /// A minus sign where only positive numbers are allowed.
    #[error("negative where only positive numbers are allowed")]
    Negative,
    /// More decimals than the type can hold, and not all of them zero.
    #[error("more than {0} decimals")]
    TooManyDecimals(u32),
    /// Larger than the type can hold.
    #[error("too large")]
    TooLarge,
}

/// A decimal text taken apart: value times 10^decimals, and whether digits were cut off behind that.
struct Parsed {
    units: i128,
    cut: bool,
}

fn parse_unsigned(text: &str, decimals: u32) -> Result<Parsed, MoneyError> {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
    let has_point = integer.len() != text.len();
    if integer.is_empty() || (has_point && fraction.is_empty()) {
        return Err(MoneyError::NotDecimal);
    }
    if !integer
        .bytes()
        .chain(fraction.bytes())
        .all(|b| b.is_ascii_digit())
    {
        return Err(MoneyError::NotDecimal);
    }
    if integer.trim_start_matches('0').len() > INTEGER_DIGITS_MAX {
        return Err(MoneyError::TooLarge);
    }
    let kept = fraction.len().min(decimals as usize);
    let mut units: i128 = 0;
    for digit in integer.bytes().chain(fraction.bytes().take(kept)) {
        units = units * 10 + i128::from(digit - b'0');
    }
    for _ in kept..decimals as usize {
        units *= 10;
    }
    let cut = fraction.bytes().skip(kept).any(|b| b != b'0');
    Ok(Parsed { units, cut })
}

fn write_decimal(f: &mut fmt::Formatter<'_>, units: i128, decimals: u32) -> fmt::Result {
    let one = 10u128.pow(decimals);
    let magnitude = units.unsigned_abs();
    let (whole, fraction) = (magnitude / one, magnitude % one);
    let sign = if units < 0 { "-" } else { "" };
    if fraction == 0 {
        return f.pad(&format!("{sign}{whole}"));
    }
    let digits = format!("{fraction:0width$}", width = decimals as usize);
    f.pad(&format!("{sign}{whole}.{}", digits.trim_end_matches('0')))
}

macro_rules! unit_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// Makes the value from a count of 10^-8.
            pub const fn from_units(units: i64) -> Self {
                Self(units)
            }

            /// Returns the count of 10^-8.
            pub const fn units(self) -> i64 {
                self.0
            }

            /// Reads a plain, non-negative decimal without loss. Zeros behind the eighth decimal are accepted.
            ///
            /// # Errors
            /// Everything that is not a plain decimal, is negative, too fine or too large.
            pub fn parse(text: &str) -> Result<Self, MoneyError> {
                let (value, cut) = Self::parse_cut(text)?;
                if cut {
                    return Err(MoneyError::TooManyDecimals(UNIT_DECIMALS));
                }
                Ok(value)
            }

            /// Reads a plain, non-negative decimal, cut to eight decimals; also says whether digits were lost.
            ///
            /// # Errors
            /// Everything that is not a plain decimal, is negative or too large.
            pub fn parse_cut(text: &str) -> Result<(Self, bool), MoneyError> {
                if text.starts_with('-') {
                    return Err(MoneyError::Negative);
                }
                let parsed = parse_unsigned(text, UNIT_DECIMALS)?;
                let units = i64::try_from(parsed.units).map_err(|_| MoneyError::TooLarge)?;
                Ok((Self(units), parsed.cut))
            }

            /// Returns whether the value is above zero.
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            /// Returns the largest multiple of `step` that is not above the value. A step of zero changes nothing.
            #[must_use]
            pub const fn floor_to(self, step: Self) -> Self {
                if step.0 <= 0 { self } else { Self(self.0 - self.0.rem_euclid(step.0)) }
            }

            /// Returns the smallest multiple of `step` that is not below the value; `None` if it does not fit.
            pub const fn ceil_to(self, step: Self) -> Option<Self> {
                let floor = self.floor_to(step);
                if floor.0 == self.0 {
                    return Some(self);
                }
                match floor.0.checked_add(step.0) {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
            }

            /// Returns `value x bps / 10000` rounded down; `None` on overflow.
            pub fn times_bps(self, bps: i64) -> Option<Self> {
                let scaled = i128::from(self.0).checked_mul(i128::from(bps))?;
                i64::try_from(scaled.div_euclid(i128::from(BPS_PER_ONE))).ok().map(Self)
            }

            /// Returns the sum; `None` on overflow.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            /// Returns the difference, at least zero.
            #[must_use]
            pub fn minus_or_zero(self, other: Self) -> Self {
                Self((self.0 - other.0).max(0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_decimal(f, i128::from(self.0), UNIT_DECIMALS)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
                values.fold(Self::ZERO, Add::add)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

unit_type! {
    /// Quote currency per unit of base, in units of 10^-8.
    Price
}
unit_type! {
    /// A quantity of the base currency, in units of 10^-8.
    Qty
}

impl Price {
    /// Returns price times quantity, exact.
    pub fn value(self, qty: Qty) -> Amount {
        Amount(i128::from(self.0) * i128::from(qty.0))
    }
}

impl Qty {
    /// Returns the quantity as an amount of its asset.
    pub fn amount(self) -> Amount {
        Amount(i128::from(self.0) * i128::from(UNITS_PER_ONE))
    }
}

/// A signed sum of one asset in units of 10^-16: values, fees, balances, profit.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Makes an amount from a count of 10^-16.
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// Returns the count of 10^-16.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// Makes an amount from a whole number.
    pub const fn from_whole(whole: i64) -> Self {
        Self(whole as i128 * AMOUNT_UNITS_PER_ONE)
    }

    /// Reads a plain decimal, with an optional minus sign, without loss.
    ///
    /// # Errors
    /// Everything that is not a plain decimal, is too fine or too large.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let (negative, digits) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let parsed = parse_unsigned(digits, AMOUNT_DECIMALS)?;
        if parsed.cut {
            return Err(MoneyError::TooManyDecimals(AMOUNT_DECIMALS));
        }
        Ok(Self(if negative {
            -parsed.units
        } else {
            parsed.units
        }))
    }

    /// Returns whether the amount is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Returns whether the amount is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Returns the amount without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Returns `amount x bps / 10000` rounded toward minus infinity; `None` on overflow.
    pub fn times_bps(self, bps: i64) -> Option<Self> {
        self.0
            .checked_mul(i128::from(bps))
            .map(|scaled| Self(scaled.div_euclid(i128::from(BPS_PER_ONE))))
    }

    /// Returns `amount x bps / 10000` rounded toward plus infinity; `None` on overflow.
    pub fn times_bps_up(self, bps: i64) -> Option<Self> {
        (-self).times_bps(bps).map(Neg::neg)
    }

    /// Returns `self x numerator / denominator` rounded down; `None` on overflow or a denominator of zero.
    pub fn times_ratio(self, numerator: i128, denominator: i128) -> Option<Self> {
        self.0
            .checked_mul(numerator)?
            .checked_div_euclid(denominator)
            .map(Self)
    }

    /// Returns how much of the base the amount buys at `price`, rounded down; `None` if the price is zero or it does not fit.
    pub fn qty_at(self, price: Price) -> Option<Qty> {
        let units = self.0.checked_div(i128::from(price.units()))?;
        i64::try_from(units).ok().map(Qty)
    }

    /// Returns the amount cut to a [`Qty`], rounded down; `None` if it is negative or does not fit.
    pub fn to_qty(self) -> Option<Qty> {
        if self.0 < 0 {
            return None;
        }
        i64::try_from(self.0 / i128::from(UNITS_PER_ONE))
            .ok()
            .map(Qty)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, AMOUNT_DECIMALS)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amount({self})")
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Add::add)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::Decimal;
    use std::str::FromStr;

    #[test]
    fn refused_texts_say_why() {
        for text in [
            "", ".", "1.", ".5", "1e3", "NaN", "inf", "+1", "1_0", " 1", "1.2.3", "0x10", "１",
        ] {
            assert_eq!(Price::parse(text), Err(MoneyError::NotDecimal), "{text}");
        }
        assert_eq!(Price::parse("-1"), Err(MoneyError::Negative));
        assert_eq!(
            Price::parse("0.123456789"),
            Err(MoneyError::TooManyDecimals(8))
        );
        assert_eq!(Price::parse("92233720369"), Err(MoneyError::TooLarge));
        assert_eq!(
            Price::parse("999999999999999999999999999999999999999999"),
            Err(MoneyError::TooLarge)
        );
        assert_eq!(Amount::parse("--1"), Err(MoneyError::NotDecimal));
    }

    #[test]
    fn zeros_behind_the_last_decimal_are_no_loss() {
        assert_eq!(
            Price::parse("0.117000000000"),
            Ok(Price::from_units(11_700_000))
        );
        assert_eq!(
            Qty::parse_cut("0.400047254781"),
            Ok((Qty::from_units(40_004_725), true))
        );
        assert_eq!(
            Amount::parse("0.0000000000001288").map(Amount::units),
            Ok(1288)
        );
    }

    #[test]
    fn steps_floor_down_and_ceil_up() {
        let (price, tick) = (Price::from_units(1_234), Price::from_units(100));
        assert_eq!(price.floor_to(tick), Price::from_units(1_200));
        assert_eq!(price.ceil_to(tick), Some(Price::from_units(1_300)));
        assert_eq!(Price::from_units(i64::MAX).ceil_to(tick), None);
    }

    #[test]
    fn shares_round_on_the_named_side() {
        let amount = Amount::from_units(10_001);
        assert_eq!(amount.times_bps(1), Some(Amount::from_units(1)));
        assert_eq!(amount.times_bps_up(1), Some(Amount::from_units(2)));
        assert_eq!((-amount).times_bps(1), Some(Amount::from_units(-2)));
    }

    fn decimal_text() -> impl Strategy<Value = String> {
        (0u64..90_000_000_000, proptest::option::of("[0-9]{1,8}")).prop_map(|(whole, fraction)| {
            fraction.map_or(whole.to_string(), |f| format!("{whole}.{f}"))
        })
    }

    proptest! {
        #[test]
        fn parsing_agrees_with_a_decimal_library(text in decimal_text()) {
            let ours = Price::parse(&text).map(Price::units).ok();
            let oracle = Decimal::from_str(&text).ok().map(|d| (d * Decimal::from(UNITS_PER_ONE)).normalize());
            prop_assert_eq!(ours.map(Decimal::from), oracle);
        }

        #[test]
        fn printing_agrees_with_a_decimal_library(units in any::<i64>()) {
            let oracle = Decimal::from_i128_with_scale(i128::from(units), 8).normalize();
            prop_assert_eq!(Price::from_units(units).to_string(), oracle.to_string());
        }

        #[test]
        fn values_and_sums_agree_with_a_decimal_library(price in 0i64..10_000_000_000, qty in 0i64..1_000_000_000, cost in 0i64..1_000_000) {
            let ours = Price::from_units(price).value(Qty::from_units(qty)) - Qty::from_units(cost).amount();
            let scaled = |units: i64| Decimal::from_i128_with_scale(i128::from(units), 8);
            let oracle = (scaled(price) * scaled(qty) - scaled(cost)).normalize();
            prop_assert_eq!(ours.to_string(), oracle.to_string());
        }

        #[test]
        fn what_is_printed_reads_back_the_same(units in any::<i64>(), wide in -(10i128.pow(34))..10i128.pow(34)) {
            let amount = Amount::from_units(wide);
            prop_assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
            let qty = Qty::from_units(units.saturating_abs());
            prop_assert_eq!(Qty::parse(&qty.to_string()), Ok(qty));
        }

        #[test]
        fn any_text_is_a_value_or_an_error(text in ".{0,60}") {
            let _ = (Price::parse(&text), Qty::parse_cut(&text), Amount::parse(&text));
        }
    }
}
