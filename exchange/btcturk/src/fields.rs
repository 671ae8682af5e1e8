//! Fields that several payloads share, turned into engine values: decimals, sides, stamps, own trades.
//!
//! One place for each reading, so that the stream and the lists cannot disagree about a sign or a rounding.

use engine::answer::{OwnTrade, TradeSource};
use engine::ids::{Asset, ClientId, OrderId, Symbol, TradeId};
use engine::market::Side;
use engine::money::{Amount, Price, Qty};
use engine::time::Timestamp;

/// A field whose content makes no sense. Named, never quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} makes no sense")]
pub struct FieldError(pub &'static str);

pub(crate) fn price(text: &str, name: &'static str) -> Result<Price, FieldError> {
    Price::parse(text).map_err(|_| FieldError(name))
}

pub(crate) fn amount(text: &str, name: &'static str) -> Result<Amount, FieldError> {
    Amount::parse(text).map_err(|_| FieldError(name))
}

/// Reads a quantity, cut to eight decimals; a cut is counted.
pub(crate) fn qty(text: &str, name: &'static str, cuts: &mut u32) -> Result<Qty, FieldError> {
    let (qty, cut) = Qty::parse_cut(text).map_err(|_| FieldError(name))?;
    *cuts += u32::from(cut);
    Ok(qty)
}

pub(crate) fn symbol(text: &str) -> Result<Symbol, FieldError> {
    Symbol::parse(text).map_err(|_| FieldError("pair"))
}

pub(crate) fn asset(text: &str) -> Result<Asset, FieldError> {
    Asset::parse(text).map_err(|_| FieldError("asset"))
}

/// Reads `buy` and `sell` without regard to case (docs/EXCHANGE.md 5.5).
pub(crate) fn side_of_word(text: &str) -> Option<Side> {
    [Side::Buy, Side::Sell]
        .into_iter()
        .find(|side| text.eq_ignore_ascii_case(side.as_str()))
}

/// Reads the numbers of docs/EXCHANGE.md 10: 0 buy, 1 sell.
pub(crate) const fn side_of_code(code: i64) -> Option<Side> {
    match code {
        0 => Some(Side::Buy),
        1 => Some(Side::Sell),
        _ => None,
    }
}

/// Reads a client id, if it is one of ours.
pub(crate) fn client_id(text: Option<&str>) -> Option<ClientId> {
    text.and_then(|text| ClientId::parse(text).ok())
}

/// An own trade as stream and list both spell it.
pub(crate) struct TradeText<'a> {
    pub source: TradeSource,
    pub id: i64,
    pub order_id: i64,
    pub at_ms: i64,
    pub base: &'a str,
    pub quote: &'a str,
    pub amount: &'a str,
    pub precise_amount: Option<&'a str>,
    pub fee: &'a str,
    pub tax: &'a str,
    pub price: &'a str,
    pub side: Option<&'a str>,
    pub client_id: Option<&'a str>,
}

impl TradeText<'_> {
    /// Normalises signs: quantity positive, paid fee and tax positive (docs/EXCHANGE.md 5.6, D27).
    ///
    /// The size is `preciseAmount`, because `amount` has been seen rounded up. The word gives the side and the sign
    /// of the amount must agree; without a word the sign gives it.
    pub fn own_trade(&self, cuts: &mut u32) -> Result<OwnTrade, FieldError> {
        let signed = amount(self.amount, "amount")?;
        let exact = match self.precise_amount {
            Some(digits) => amount(digits, "preciseAmount")?,
            None => signed,
        };
        if exact == Amount::ZERO || exact.is_negative() != signed.is_negative() {
            return Err(FieldError("preciseAmount"));
        }
        let qty = exact.abs().to_qty().ok_or(FieldError("preciseAmount"))?;
        *cuts += u32::from(qty.amount() != exact.abs());
        Ok(OwnTrade {
            source: self.source,
            id: TradeId(self.id),
            order_id: OrderId(self.order_id),
            client_id: client_id(self.client_id),
            base: asset(self.base)?,
            quote: asset(self.quote)?,
            side: self.side(signed)?,
            price: price(self.price, "price")?,
            qty,
            fee: -amount(self.fee, "fee")?,
            tax: -amount(self.tax, "tax")?,
            at: Timestamp::from_ms(self.at_ms),
            fee_in_base: false,
        })
    }

    fn side(&self, signed: Amount) -> Result<Side, FieldError> {
        let of_sign = if signed.is_negative() {
            Side::Sell
        } else {
            Side::Buy
        };
        match self.side {
            None => Ok(of_sign),
            Some(word) => side_of_word(word)
                .filter(|side| *side == of_sign)
                .ok_or(FieldError("orderType")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(
        amount: &str,
        precise: Option<&str>,
        side: Option<&str>,
    ) -> Result<(Side, String, u32), FieldError> {
        let mut cuts = 0;
        let text = TradeText {
            source: TradeSource::Rest,
            id: 1,
            order_id: 2,
            at_ms: 3,
            base: "ETH",
            quote: "TRY",
            amount,
            precise_amount: precise,
            fee: "-0.10",
            tax: "-0.02",
            price: "100",
            side,
            client_id: None,
        };
        let trade = text.own_trade(&mut cuts)?;
        assert_eq!(
            (trade.fee, trade.tax),
            (
                Amount::parse("0.1").unwrap(),
                Amount::parse("0.02").unwrap()
            )
        );
        Ok((trade.side, trade.qty.to_string(), cuts))
    }

    #[test]
    fn signs_sizes_and_sides_of_own_trades() {
        let check = |amount, precise, side, expected: Result<(Side, &str, u32), &'static str>| {
            let expected = expected
                .map(|(side, qty, cuts)| (side, qty.to_owned(), cuts))
                .map_err(FieldError);
            assert_eq!(
                trade(amount, precise, side),
                expected,
                "{amount} {precise:?} {side:?}"
            );
        };
        check("-1.5", None, Some("sell"), Ok((Side::Sell, "1.5", 0)));
        check("-1.5", None, Some("SELL"), Ok((Side::Sell, "1.5", 0)));
        check("-1.5", None, None, Ok((Side::Sell, "1.5", 0)));
        check(
            "0.2758",
            Some("0.2757505596935541"),
            Some("Buy"),
            Ok((Side::Buy, "0.27575055", 1)),
        );
        check("1.5", None, Some("sell"), Err("orderType"));
        check("-1.5", None, Some("buy"), Err("orderType"));
        check("1.5", None, Some("short"), Err("orderType"));
        check("1.5", Some("-1.5"), Some("buy"), Err("preciseAmount"));
        check("1.5", Some("0"), Some("buy"), Err("preciseAmount"));
        check("1.5", Some("15E-1"), Some("buy"), Err("preciseAmount"));
        check("many", None, Some("buy"), Err("amount"));
    }
}
