//! First-in-first-out lots of one asset: what was bought, for how much, when.
//!
//! A lot that closes leaves nothing behind: parts are floored and the last part takes the rest.

use crate::money::{Amount, Price, UNITS_PER_ONE};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Lots kept apart per asset; beyond that the two oldest become one, their sums unchanged.
pub const LOTS_MAX: usize = 4_096;
/// A lot below this part of the position is dust: it does not tell how old the position is.
const DUST_PARTS: i128 = 100;

/// Coins that came in together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lot {
    /// How much is left of it.
    pub(crate) amount: Amount,
    /// What it cost at its prices; `None` if nobody knows.
    pub(crate) gross: Option<Amount>,
    /// Fees and tax paid for it.
    pub(crate) fees: Amount,
    /// When it came in.
    pub(crate) at: Timestamp,
}

/// What was taken from the oldest lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Price cost of the part whose cost is known.
    pub(crate) gross: Amount,
    /// Fees and tax of that purchase.
    pub(crate) fees: Amount,
    /// The part whose cost nobody knows.
    pub(crate) unpriced: Amount,
}

/// Every lot of one asset, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lots {
    queue: VecDeque<Lot>,
    total: Amount,
}

impl Lots {
    /// Returns the sum of all lots.
    pub(crate) const fn total(&self) -> Amount {
        self.total
    }

    /// Returns the sum, counted anew.
    pub(crate) fn counted(&self) -> Amount {
        self.queue.iter().map(|lot| lot.amount).sum()
    }

    /// Returns whether every lot holds something.
    pub(crate) fn all_positive(&self) -> bool {
        self.queue.iter().all(|lot| lot.amount.is_positive())
    }

    /// Adds a lot; one without coins is dropped.
    pub(crate) fn push(&mut self, lot: Lot) {
        if !lot.amount.is_positive() {
            return;
        }
        if self.queue.len() >= LOTS_MAX {
            self.merge_oldest();
        }
        self.total += lot.amount;
        self.queue.push_back(lot);
    }

    /// Takes `amount` from the oldest lots on; the caller has made sure that there is so much.
    pub(crate) fn take(&mut self, amount: Amount) -> Taken {
        assert!(amount <= self.total, "lots cover what is taken");
        let mut taken = Taken::default();
        let mut left = amount;
        while left.is_positive() {
            let oldest = self
                .queue
                .front_mut()
                .expect("the total is the sum of the lots");
            let part = split(oldest, left);
            left -= part.amount;
            self.total -= part.amount;
            taken.fees += part.fees;
            match part.gross {
                Some(gross) => taken.gross += gross,
                None => taken.unpriced += part.amount,
            }
            if !oldest.amount.is_positive() {
                self.queue.pop_front();
            }
        }
        taken
    }

    /// Returns the price cost and the fees of all lots; `None` if a lot's cost is unknown.
    pub(crate) fn cost(&self) -> Option<(Amount, Amount)> {
        self.queue
            .iter()
            .try_fold((Amount::ZERO, Amount::ZERO), |(gross, fees), lot| {
                Some((gross + lot.gross?, fees + lot.fees))
            })
    }

    /// Returns when the oldest lot came in that is more than dust.
    pub(crate) fn opened_at(&self) -> Option<Timestamp> {
        let dust = self.total.units() / DUST_PARTS;
        let oldest = self.queue.iter().find(|lot| lot.amount.units() > dust);
        oldest.or(self.queue.front()).map(|lot| lot.at)
    }

    fn merge_oldest(&mut self) {
        if let (Some(first), Some(second)) = (self.queue.pop_front(), self.queue.front_mut()) {
            second.amount += first.amount;
            second.fees += first.fees;
            second.gross = first.gross.zip(second.gross).map(|(a, b)| a + b);
            second.at = first.at;
        }
    }
}

/// Cuts at most `wanted` off a lot.
fn split(lot: &mut Lot, wanted: Amount) -> Lot {
    if wanted >= lot.amount {
        let whole = *lot;
        lot.amount = Amount::ZERO;
        return whole;
    }
    let part = Lot {
        amount: wanted,
        gross: lot.gross.map(|gross| share(gross, wanted, lot.amount)),
        fees: share(lot.fees, wanted, lot.amount),
        at: lot.at,
    };
    lot.amount -= part.amount;
    lot.fees -= part.fees;
    lot.gross = lot.gross.zip(part.gross).map(|(all, cut)| all - cut);
    part
}

/// Returns `sum x part / whole`, rounded toward zero, for any size; `part` is at most `whole`.
pub(crate) fn share(sum: Amount, part: Amount, whole: Amount) -> Amount {
    assert!(
        !part.is_negative() && part <= whole && whole.is_positive(),
        "a share is a part of a whole"
    );
    let scaled = mul_div(
        sum.units().unsigned_abs(),
        part.units().unsigned_abs(),
        whole.units().unsigned_abs(),
    );
    let units = i128::try_from(scaled).expect("a share is not larger than its sum");
    Amount::from_units(if sum.is_negative() { -units } else { units })
}

/// Returns `a x b / c` rounded down for `b <= c`, without ever holding the product: it can need 256 bits.
fn mul_div(a: u128, b: u128, c: u128) -> u128 {
    if let Some(product) = a.checked_mul(b) {
        return product / c;
    }
    let (mut quotient, mut rest) = (0u128, 0u128);
    for bit in (0..u128::BITS - a.leading_zeros()).rev() {
        let addend = if a >> bit & 1 == 1 { b } else { 0 };
        let sum = rest * 2 + addend;
        quotient = quotient * 2 + sum / c;
        rest = sum % c;
    }
    quotient
}

/// Returns the value of `amount` of an asset at `price`, rounded down; `None` if it does not fit.
pub fn value_at(amount: Amount, price: Price) -> Option<Amount> {
    amount.times_ratio(i128::from(price.units()), i128::from(UNITS_PER_ONE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lot(amount: i128, gross: Option<i128>, at: i64) -> Lot {
        Lot {
            amount: Amount::from_units(amount),
            gross: gross.map(Amount::from_units),
            fees: Amount::from_units(amount),
            at: Timestamp(at),
        }
    }

    #[test]
    fn a_closed_lot_leaves_nothing() {
        let mut lots = Lots::default();
        lots.push(lot(3, Some(100), 1));
        let parts: Vec<i128> = (0..3)
            .map(|_| lots.take(Amount::from_units(1)).gross.units())
            .collect();
        assert_eq!(parts, [33, 33, 34]);
        assert_eq!(lots, Lots::default());
    }

    #[test]
    fn the_oldest_lot_goes_first_and_unknown_cost_is_named() {
        let mut lots = Lots::default();
        lots.push(lot(2, None, 1));
        lots.push(lot(2, Some(8), 2));
        assert_eq!(lots.cost(), None);
        let taken = lots.take(Amount::from_units(3));
        assert_eq!((taken.gross.units(), taken.unpriced.units()), (4, 2));
        assert_eq!(lots.cost().map(|(gross, _)| gross.units()), Some(4));
    }

    #[test]
    fn dust_does_not_make_a_position_old() {
        let mut lots = Lots::default();
        lots.push(lot(1, Some(1), 1));
        lots.push(lot(1_000, Some(1), 50));
        assert_eq!(lots.opened_at(), Some(Timestamp(50)));
    }

    #[test]
    fn at_the_limit_the_oldest_lots_merge_and_the_sums_stay() {
        let mut lots = Lots::default();
        for n in 0..LOTS_MAX + 10 {
            lots.push(lot(2, Some(3), i64::try_from(n).expect("small")));
        }
        assert_eq!(lots.queue.len(), LOTS_MAX);
        let all = i128::try_from(LOTS_MAX + 10).expect("small");
        assert_eq!(lots.counted().units(), 2 * all);
        assert_eq!(lots.cost().map(|(gross, _)| gross.units()), Some(3 * all));
    }

    proptest! {
        #[test]
        fn shares_agree_with_the_plain_product(a in 0u128..1 << 60, b in 0u128..1 << 60, more in 1u128..1 << 60) {
            prop_assert_eq!(mul_div(a, b, b + more), a * b / (b + more));
        }

        #[test]
        fn shares_of_any_size_keep_the_law_of_division(shift in 0u32..55, a in 1u128..1 << 60, b in 1u128..1 << 60, more in 0u128..1 << 60) {
            // a x 2^shift x b / (b x 2^k) is known without the large product.
            let whole = b + more;
            let plain = (a * b) / whole;
            let wide = mul_div(a << shift, b << 3, whole << 3) >> shift;
            prop_assert!(wide == plain, "{wide} {plain}");
        }
    }
}
