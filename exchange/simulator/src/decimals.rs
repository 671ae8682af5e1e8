//! How decimals look on the wire.
//!
//! The exchange writes the same number in different forms at different places (docs/EXCHANGE.md 13.2);
//! each form has one function here. No float is involved.

use engine::money::{AMOUNT_DECIMALS, Amount, Price, Qty, UNIT_DECIMALS};

/// Decimals of public trades (422) and match hints (441).
pub const TRADE_DECIMALS: u32 = 10;
/// Decimals of delete events (452) and of leftovers in lists.
pub const LONG_DECIMALS: u32 = 16;
/// Decimals of fee and tax.
pub const FEE_DECIMALS: u32 = 8;
/// Tails of long amounts run from 1 to this.
const LONG_AMOUNT_TAIL: u64 = 9_999;

/// Writes `units` of 10^-`scale` with exactly `decimals` decimals; finer digits are cut.
fn padded(units: i128, scale: u32, decimals: u32) -> String {
    let one = 10u128.pow(scale);
    let magnitude = units.unsigned_abs();
    let sign = if units < 0 { "-" } else { "" };
    let whole = magnitude / one;
    if decimals == 0 {
        return format!("{sign}{whole}");
    }
    let mut fraction = format!("{:0width$}", magnitude % one, width = scale as usize);
    while fraction.len() < decimals as usize {
        fraction.push('0');
    }
    fraction.truncate(decimals as usize);
    format!("{sign}{whole}.{fraction}")
}

/// Writes a price with exactly `decimals` decimals.
pub fn price_padded(price: Price, decimals: u32) -> String {
    padded(i128::from(price.units()), UNIT_DECIMALS, decimals)
}

/// Writes a quantity with exactly `decimals` decimals.
pub fn qty_padded(qty: Qty, decimals: u32) -> String {
    padded(i128::from(qty.units()), UNIT_DECIMALS, decimals)
}

/// Writes an amount with exactly `decimals` decimals.
pub fn amount_padded(amount: Amount, decimals: u32) -> String {
    padded(amount.units(), AMOUNT_DECIMALS, decimals)
}

/// Writes a level's quantity as the book channels do: trimmed, and with twelve decimals for about
/// `per_million` of all levels.
///
/// Which levels is a function of price and quantity, so that a removal repeats the text it came with.
/// Source: docs/EXCHANGE.md 2.2, captured amounts such as twelve decimals on a pair of scale eight.
pub fn level_qty(price: Price, qty: Qty, per_million: u32) -> String {
    let mut dice = engine::dice::Dice::new(
        price.units().unsigned_abs() ^ qty.units().unsigned_abs().rotate_left(29),
    );
    if per_million == 0 || !dice.chance(per_million) {
        return qty.to_string();
    }
    let tail = dice.bits() % LONG_AMOUNT_TAIL + 1;
    format!("{}{tail:04}", qty_padded(qty, UNIT_DECIMALS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_pads_and_cuts_without_rounding() {
        let price = Price::parse("604560.129").unwrap();
        assert_eq!(price_padded(price, 2), "604560.12");
        assert_eq!(price_padded(price, 10), "604560.1290000000");
        assert_eq!(price_padded(price, 0), "604560");
        let fee = -Amount::parse("0.1046724").unwrap();
        assert_eq!(amount_padded(fee, FEE_DECIMALS), "-0.10467240");
        assert_eq!(
            qty_padded(Qty::from_units(1), LONG_DECIMALS),
            "0.0000000100000000"
        );
    }

    #[test]
    fn a_long_amount_is_the_same_text_each_time_and_cuts_back_to_the_quantity() {
        let (price, qty) = (Price::from_units(7), Qty::parse("0.40004725").unwrap());
        let text = level_qty(price, qty, 1_000_000);
        assert_eq!(text, level_qty(price, qty, 1_000_000));
        assert_eq!(text.len(), "0.400047250000".len());
        assert_eq!(Qty::parse_cut(&text).unwrap(), (qty, true));
        assert_eq!(level_qty(price, qty, 0), "0.40004725");
    }
}
