//! Fee, tax and reservation, in integers.
//!
//! Fee and tax are charged in quote, or in base if the pair says so, each rounded down to eight decimals (docs/EXCHANGE.md 6.2). The rule is
//! documented as price x quantity x (1 + taker fee); what is locked here also covers the tax, so that a fill can
//! always be paid.

use crate::ledger::Charges;
use crate::market::pair::Pair;
use crate::profile::Profile;
use engine::market::Side;
use engine::money::{Amount, Price, Qty};

/// Parts in the whole of a rate.
const PPM: i128 = 1_000_000;
/// One unit of the eighth decimal, in units of an amount.
const EIGHTH_DECIMAL: i128 = 100_000_000;

/// Who waited and who crossed the spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Rested in the book.
    Maker,
    /// Crossed the spread.
    Taker,
}

/// Rates of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    maker_ppm: i128,
    taker_ppm: i128,
    tax_ppm: i128,
}

impl Fees {
    /// Takes the rates of a profile.
    pub fn of(profile: &Profile) -> Self {
        Self {
            maker_ppm: i128::from(profile.maker_fee_ppm),
            taker_ppm: i128::from(profile.taker_fee_ppm),
            tax_ppm: i128::from(profile.tax_ppm),
        }
    }

    /// Returns fee and tax of a trade of this quote value.
    pub fn charges(&self, value: Amount, role: Role) -> Charges {
        let ppm = match role {
            Role::Maker => self.maker_ppm,
            Role::Taker => self.taker_ppm,
        };
        let fee = share_rounded_down(value, ppm);
        Charges {
            fee,
            tax: share_rounded_down(fee, self.tax_ppm),
        }
    }

    /// Returns what an order over `qty` must hold: quote for a purchase, base for a sale, so that every charge that is
    /// paid in it can be paid.
    pub fn held(&self, pair: &Pair, side: Side, price: Price, qty: Qty) -> Amount {
        match (side, pair.fee_in_base) {
            (Side::Buy, false) => self.reservation(price.value(qty)),
            (Side::Buy, true) => price.value(qty),
            (Side::Sell, false) => qty.amount(),
            (Side::Sell, true) => self.reservation(qty.amount()),
        }
    }

    /// Returns what must be held for a purchase of this quote value, so that taker fee and tax can be paid.
    pub fn reservation(&self, value: Amount) -> Amount {
        let extra = value.units() * self.dearest_ppm() * (PPM + self.tax_ppm);
        let whole = PPM * PPM;
        Amount::from_units(value.units() + (extra + whole - 1).div_euclid(whole))
    }

    /// Returns the quote value that can be bought when fee and tax must be paid out of the same `total`.
    pub fn spendable_value(&self, total: Amount) -> Amount {
        let whole = PPM * PPM;
        let parts = whole + self.dearest_ppm() * (PPM + self.tax_ppm);
        let quotient = total.units() / parts * whole;
        let rest = total.units() % parts * whole / parts;
        Amount::from_units(quotient + rest)
    }

    fn dearest_ppm(&self) -> i128 {
        self.taker_ppm.max(self.maker_ppm)
    }
}

fn share_rounded_down(amount: Amount, ppm: i128) -> Amount {
    let units = (amount.units() * ppm).div_euclid(PPM);
    Amount::from_units(units - units.rem_euclid(EIGHTH_DECIMAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn fees() -> Fees {
        Fees::of(&Profile::faithful())
    }

    #[test]
    fn fee_and_tax_are_cut_at_eight_decimals() {
        let check = |value: &str, role: Role, fee: &str, tax: &str| {
            let charges = fees().charges(amount(value), role);
            assert_eq!(
                (charges.fee, charges.tax),
                (amount(fee), amount(tax)),
                "{value}"
            );
        };
        check("1000", Role::Maker, "0.5", "0.1");
        check("1000", Role::Taker, "0.9", "0.18");
        check("0.00001", Role::Taker, "0", "0");
        check("123.4567891", Role::Taker, "0.11111111", "0.02222222");
    }

    #[test]
    fn a_reservation_covers_value_fee_and_tax() {
        assert_eq!(fees().reservation(amount("1000")), amount("1001.08"));
        // The last unit is rounded up: the reservation is never short.
        assert_eq!(
            fees().reservation(Amount::from_units(1)),
            Amount::from_units(2)
        );
    }

    #[test]
    fn what_can_be_spent_fits_the_total_with_charges() {
        for total in ["100", "1001.08", "0.00000001", "7.77777777"] {
            let value = fees().spendable_value(amount(total));
            assert!(
                value + fees().charges(value, Role::Taker).total() <= amount(total),
                "{total}"
            );
        }
        assert_eq!(fees().spendable_value(amount("1001.08")), amount("1000"));
    }
}
