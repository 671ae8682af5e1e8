//! Judges the text of an order before it is accepted: the first fault found decides.
//!
//! The order of the checks is that of docs/EXCHANGE.md 13.1, rows 3 to 8; funds (row 10) are the exchange's
//! business, quota and credentials were judged before. Clients dispatch on the name, numbers have changed over time.

use crate::market::pair::{Pair, PairIndex};
use crate::order::{Method, Size};
use engine::ids::Symbol;
use engine::market::Side;
use engine::money::{Amount, Price, Qty};

/// Digits before the point of a number in a request (docs/EXCHANGE.md 5.2).
const INTEGER_DIGITS_MAX: usize = 12;
/// Digits behind it.
const FRACTION_DIGITS_MAX: usize = 16;
/// Longest client id.
pub const CLIENT_ID_LEN_MAX: usize = 50;
/// Longest pair symbol.
const SYMBOL_LEN_MAX: usize = 20;
/// Largest and smallest limit price, as a factor of the last trade.
pub const BAND_FACTOR: i64 = 10;
/// Reach of a market order from the best price, in percent.
const MARKET_BAND_PERCENT: i64 = 5;

/// Why an order or a cancel was refused, by the documented name (docs/EXCHANGE.md 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refused {
    /// A field is missing or malformed.
    #[error("FAILED_ORDER_PARAMETER")]
    OrderParameter,
    /// No entry at the moment.
    #[error("ORDER_INSERT_BLOCKED")]
    InsertBlocked,
    /// The pair does not take this method.
    #[error("ORDER_METHOD_NOT_SUPPORTED")]
    MethodNotSupported,
    /// Neither buy nor sell.
    #[error("ORDER_TYPE_NOT_SUPPORTED")]
    TypeNotSupported,
    /// Too many decimals of the quantity.
    #[error("FAILED_INVALID_QUANTITY_SCALE")]
    QuantityScale,
    /// Too many decimals of the price.
    #[error("FAILED_INVALID_PRICE_SCALE")]
    PriceScale,
    /// Above the band.
    #[error("PRICE_MUST_BE_LESS_THAN_MAXPRICE")]
    AboveBand,
    /// Below the band; the name is the vendor's.
    #[error("PRICE_MUST_BE_LESS_THAN_MINPRICE")]
    BelowBand,
    /// Above the largest quantity.
    #[error("MAXIMUM_ORDER_AMOUNT_EXCEEDED")]
    AmountExceeded,
    /// Worth too little.
    #[error("FAILED_MIN_TOTAL_AMOUNT")]
    MinTotal,
    /// Not enough that can be spent.
    #[error("FAILED_ORDER_WITH_OPEN_ORDERS")]
    Funds,
    /// A market order and nobody to trade with.
    #[error("FAILED_MARKET_ORDER")]
    MarketOrder,
    /// Cancel of an unknown order.
    #[error("NO_ORDER_MATCHES_YOUR_REQUEST")]
    NoOrderMatches,
    /// Cancel of a finished order.
    #[error("ORDER_COULD_NOT_BE_CANCELED")]
    CouldNotBeCanceled,
}

impl Refused {
    /// Returns the number of the answer, as of May 2024; those of `InsertBlocked` and `AmountExceeded` are not
    /// documented and ours.
    pub const fn code(self) -> i64 {
        match self {
            Self::OrderParameter => 1121,
            Self::InsertBlocked => 1155,
            Self::MethodNotSupported => 1134,
            Self::TypeNotSupported => 1193,
            Self::QuantityScale => 1127,
            Self::PriceScale => 1126,
            Self::AboveBand => 1226,
            Self::BelowBand => 1227,
            Self::AmountExceeded => 1228,
            Self::MinTotal => 1123,
            Self::Funds => 1122,
            Self::MarketOrder => 1118,
            Self::NoOrderMatches => 1052,
            Self::CouldNotBeCanceled => 1051,
        }
    }
}

/// An order as text, before anything is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderRequest {
    /// With or without an underscore.
    pub pair_symbol: Option<String>,
    /// `limit` or `market`, in any case.
    pub order_method: Option<String>,
    /// `buy` or `sell`, in any case.
    pub order_type: Option<String>,
    /// Base quantity; quote value for a market buy.
    pub quantity: Option<String>,
    /// Limit price.
    pub price: Option<String>,
    /// Client id; a GUID is made if it is missing.
    pub client_id: Option<String>,
}

impl OrderRequest {
    /// Makes the request of a limit order.
    pub fn limit(symbol: &str, side: Side, qty: &str, price: &str, client_id: &str) -> Self {
        Self {
            pair_symbol: Some(symbol.to_owned()),
            order_method: Some("limit".to_owned()),
            order_type: Some(side.as_str().to_owned()),
            quantity: Some(qty.to_owned()),
            price: Some(price.to_owned()),
            client_id: Some(client_id.to_owned()),
        }
    }

    /// Makes the request of a market order.
    pub fn market(symbol: &str, side: Side, quantity: &str, client_id: &str) -> Self {
        Self {
            order_method: Some("market".to_owned()),
            price: None,
            ..Self::limit(symbol, side, quantity, "", client_id)
        }
    }
}

/// An order that passed every check but that of funds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The pair.
    pub pair: PairIndex,
    /// The side.
    pub side: Side,
    /// The method.
    pub method: Method,
    /// Limit price; for a market order the worst price of its band.
    pub price: Price,
    /// What is asked for.
    pub size: Size,
    /// The client id, if one was sent.
    pub client_id: Option<String>,
}

/// What the judge must know about the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Last trade.
    pub last: Price,
    /// Best bid.
    pub bid: Option<Price>,
    /// Best ask.
    pub ask: Option<Price>,
}

/// Judges an order.
///
/// # Errors
/// The first fault in the order of docs/EXCHANGE.md 13.1.
pub fn judge(
    request: &OrderRequest,
    pairs: &[Pair],
    prices: impl Fn(PairIndex) -> Prices,
) -> Result<Judged, Refused> {
    let draft = Draft::read(request)?;
    let index = find_pair(pairs, draft.symbol).ok_or(Refused::OrderParameter)?;
    let pair = &pairs[index.0];
    let method = method_of(draft.method)?;
    let side = side_of(draft.side)?;
    let at = prices(index);
    let quote_sized = method == Method::Market && side == Side::Buy;
    let scale = if quote_sized {
        pair.price_scale
    } else {
        pair.qty_scale
    };
    check_scale(draft.quantity, scale, Refused::QuantityScale)?;
    if let Some(price) = draft.price {
        check_scale(price, pair.price_decimals(), Refused::PriceScale)?;
    }
    let price = match method {
        Method::Limit => limit_price(draft.price, at)?,
        Method::Market => market_bound(side, at)?,
    };
    let size = if quote_sized {
        Size::Quote(Amount::parse(draft.quantity).map_err(|_| Refused::OrderParameter)?)
    } else {
        Size::Base(Qty::parse(draft.quantity).map_err(|_| Refused::OrderParameter)?)
    };
    check_size(size, price, pair)?;
    Ok(Judged {
        pair: index,
        side,
        method,
        price,
        size,
        client_id: draft.client_id.map(str::to_owned),
    })
}

/// Returns the place of a pair; underscores and case do not matter.
pub fn find_pair(pairs: &[Pair], text: &str) -> Option<PairIndex> {
    let symbol = Symbol::parse(text).ok()?;
    pairs
        .iter()
        .position(|pair| pair.symbol == symbol)
        .map(PairIndex)
}

/// Returns the limit-price band around the last trade: smallest and largest.
pub fn price_band(last: Price) -> (Price, Price) {
    (
        Price::from_units(last.units() / BAND_FACTOR),
        Price::from_units(last.units() * BAND_FACTOR),
    )
}

/// The fields, present and well formed.
struct Draft<'a> {
    symbol: &'a str,
    method: &'a str,
    side: &'a str,
    quantity: &'a str,
    price: Option<&'a str>,
    client_id: Option<&'a str>,
}

impl<'a> Draft<'a> {
    fn read(request: &'a OrderRequest) -> Result<Self, Refused> {
        let missing = Refused::OrderParameter;
        let symbol = request.pair_symbol.as_deref().ok_or(missing)?;
        let price = request.price.as_deref().filter(|price| !price.is_empty());
        let draft = Self {
            symbol,
            method: request.order_method.as_deref().ok_or(missing)?,
            side: request.order_type.as_deref().ok_or(missing)?,
            quantity: request.quantity.as_deref().ok_or(missing)?,
            price,
            client_id: request.client_id.as_deref().filter(|id| !id.is_empty()),
        };
        let too_long = draft
            .client_id
            .is_some_and(|id| id.chars().count() > CLIENT_ID_LEN_MAX);
        let well_formed = is_number(draft.quantity) && price.is_none_or(is_number);
        if too_long || !well_formed || symbol.len() > SYMBOL_LEN_MAX {
            return Err(missing);
        }
        Ok(draft)
    }
}

/// Checks the documented pattern: up to 12 digits, then optionally a point and 1 to 16 digits.
fn is_number(text: &str) -> bool {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    !integer.is_empty()
        && digits(integer)
        && digits(fraction)
        && integer.len() <= INTEGER_DIGITS_MAX
        && (1..=FRACTION_DIGITS_MAX).contains(&fraction.len())
}

fn method_of(text: &str) -> Result<Method, Refused> {
    match text.to_ascii_lowercase().as_str() {
        "limit" | "0" => Ok(Method::Limit),
        "market" | "1" => Ok(Method::Market),
        "stoplimit" | "stopmarket" | "2" | "3" => Err(Refused::MethodNotSupported),
        _ => Err(Refused::OrderParameter),
    }
}

fn side_of(text: &str) -> Result<Side, Refused> {
    match text.to_ascii_lowercase().as_str() {
        "buy" | "0" => Ok(Side::Buy),
        "sell" | "1" => Ok(Side::Sell),
        _ => Err(Refused::TypeNotSupported),
    }
}

/// Counts the decimals that matter: zeros at the end do not.
fn check_scale(text: &str, scale: u32, refused: Refused) -> Result<(), Refused> {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    if fraction.trim_end_matches('0').len() > scale as usize {
        return Err(refused);
    }
    Ok(())
}

fn limit_price(text: Option<&str>, at: Prices) -> Result<Price, Refused> {
    let text = text.ok_or(Refused::OrderParameter)?;
    let price = Price::parse(text).map_err(|_| Refused::AboveBand)?;
    let (low, high) = price_band(at.last);
    if price > high {
        return Err(Refused::AboveBand);
    }
    if price < low || !price.is_positive() {
        return Err(Refused::BelowBand);
    }
    Ok(price)
}

fn market_bound(side: Side, at: Prices) -> Result<Price, Refused> {
    let (best, percent) = match side {
        Side::Buy => (at.ask, 100 + MARKET_BAND_PERCENT),
        Side::Sell => (at.bid, 100 - MARKET_BAND_PERCENT),
    };
    let best = best.ok_or(Refused::MarketOrder)?;
    Ok(Price::from_units(best.units() / 100 * percent))
}

fn check_size(size: Size, price: Price, pair: &Pair) -> Result<(), Refused> {
    let value = match size {
        Size::Base(qty) if qty > pair.qty_max => return Err(Refused::AmountExceeded),
        Size::Base(qty) => price.value(qty),
        Size::Quote(value) => value,
    };
    if value < pair.value_min {
        return Err(Refused::MinTotal);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::pair::pairs;

    /// BTCTRY with scales 8 and 2, whole prices, smallest value 99.91, largest quantity 1000; last trade 600000.
    fn verdict(change: impl FnOnce(&mut OrderRequest)) -> Result<Judged, Refused> {
        let mut request = OrderRequest::limit("BTCTRY", Side::Buy, "0.001", "600000", "a");
        change(&mut request);
        judge(&request, &pairs(), |_| Prices {
            last: Price::parse("600000").unwrap(),
            bid: Some(Price::parse("599900").unwrap()),
            ask: Some(Price::parse("600100").unwrap()),
        })
    }

    fn check(expected: Option<Refused>, change: impl FnOnce(&mut OrderRequest)) {
        assert_eq!(verdict(change).err(), expected);
    }

    fn set(field: &mut Option<String>, text: &str) {
        *field = Some(text.to_owned());
    }

    #[test]
    fn every_refusal_can_be_provoked() {
        use Refused::*;
        check(None, |_| {});
        check(None, |r| set(&mut r.pair_symbol, "btc_try"));
        check(None, |r| set(&mut r.order_type, "BUY"));
        check(None, |r| set(&mut r.order_method, "Limit"));
        check(None, |r| set(&mut r.price, "600000.0"));
        check(Some(OrderParameter), |r| r.pair_symbol = None);
        check(Some(OrderParameter), |r| r.quantity = None);
        check(Some(OrderParameter), |r| r.price = None);
        check(Some(OrderParameter), |r| set(&mut r.quantity, "1e-3"));
        check(Some(OrderParameter), |r| set(&mut r.quantity, "-1"));
        check(Some(OrderParameter), |r| set(&mut r.price, "1234567890123"));
        check(Some(OrderParameter), |r| set(&mut r.pair_symbol, "DOGETRY"));
        check(Some(OrderParameter), |r| {
            set(&mut r.client_id, &"x".repeat(51))
        });
        check(Some(OrderParameter), |r| {
            set(&mut r.order_method, "iceberg")
        });
        check(Some(MethodNotSupported), |r| {
            set(&mut r.order_method, "stoplimit")
        });
        check(Some(TypeNotSupported), |r| set(&mut r.order_type, "short"));
        check(Some(QuantityScale), |r| set(&mut r.quantity, "0.123456789"));
        check(Some(PriceScale), |r| set(&mut r.price, "600000.5"));
        check(Some(AboveBand), |r| set(&mut r.price, "6000001"));
        check(None, |r| set(&mut r.price, "6000000"));
        check(Some(BelowBand), |r| set(&mut r.price, "59999"));
        check(Some(AmountExceeded), |r| set(&mut r.quantity, "1000.1"));
        check(Some(MinTotal), |r| set(&mut r.quantity, "0.0001665"));
        check(None, |r| set(&mut r.quantity, "0.00016652"));
    }

    #[test]
    fn the_first_fault_in_the_documented_order_decides() {
        check(Some(Refused::MethodNotSupported), |r| {
            set(&mut r.order_method, "stopmarket");
            set(&mut r.order_type, "short");
        });
        check(Some(Refused::QuantityScale), |r| {
            set(&mut r.quantity, "0.000000001");
            set(&mut r.price, "0.5");
        });
        check(Some(Refused::AboveBand), |r| {
            set(&mut r.price, "9000000");
            set(&mut r.quantity, "0.00000001");
        });
    }

    #[test]
    fn a_market_order_is_bounded_by_its_band_and_a_market_buy_names_a_quote_value() {
        let buy = verdict(|r| *r = OrderRequest::market("BTCTRY", Side::Buy, "150", "a")).unwrap();
        assert_eq!(buy.size, Size::Quote(Amount::from_whole(150)));
        assert_eq!(buy.price, Price::parse("630105").unwrap());
        let sell =
            verdict(|r| *r = OrderRequest::market("BTCTRY", Side::Sell, "0.1", "a")).unwrap();
        assert_eq!(sell.size, Size::Base(Qty::parse("0.1").unwrap()));
        assert_eq!(sell.price, Price::parse("569905").unwrap());
        check(Some(Refused::MinTotal), |r| {
            *r = OrderRequest::market("BTCTRY", Side::Buy, "99", "a");
        });
        check(Some(Refused::PriceScale), |r| {
            *r = OrderRequest::market("BTCTRY", Side::Sell, "0.1", "a");
            set(&mut r.price, "1.5");
        });
    }
}
