//! Answers to public questions: time, rules, books, tickers (docs/EXCHANGE.md 4).

use super::reply::{ReadError, Reply, Rows, Skipped};
use crate::fields::{self, FieldError};
use crate::wire;
use engine::instrument::RuleFacts;
use engine::market::{Level, Ticker};
use engine::money::{Price, Qty};
use engine::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// Most levels a side of a REST book that are read.
const LEVELS_MAX: usize = 1_000;

/// A book as REST gives it: without a change number, up to two seconds old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestBook {
    /// The exchange's stamp.
    pub at: Timestamp,
    /// Bids, best first.
    pub bids: Vec<Level>,
    /// Asks, best first.
    pub asks: Vec<Level>,
    /// Amounts that had more than eight decimals and were cut.
    pub cuts: u32,
}

/// Reads the exchange's time.
///
/// # Errors
/// Any [`ReadError`].
pub fn server_time(reply: &Reply<'_>) -> Result<Timestamp, ReadError> {
    let time: wire::ServerTime = reply.bare()?;
    Ok(Timestamp::from_ms(time.server_time.ms()))
}

/// Reads the rules of all pairs; a pair that cannot be read is reported by itself and hides no other.
///
/// # Errors
/// Any [`ReadError`].
pub fn exchange_info(reply: &Reply<'_>) -> Result<Rows<RuleFacts>, ReadError> {
    let info: wire::ExchangeInfo<Box<RawValue>> = reply.data()?;
    Ok(each(&info.symbols, rule_facts))
}

/// Reads the book of a pair.
///
/// # Errors
/// Any [`ReadError`].
pub fn order_book(reply: &Reply<'_>) -> Result<RestBook, ReadError> {
    let book: wire::RestBook = reply.data()?;
    let mut cuts = 0;
    let bids = levels(&book.bids, &mut cuts)?;
    let asks = levels(&book.asks, &mut cuts)?;
    Ok(RestBook {
        at: Timestamp::from_ms(book.timestamp.ms()),
        bids,
        asks,
        cuts,
    })
}

/// Reads tickers, of one pair or of all; a row that cannot be read is reported by itself.
///
/// # Errors
/// Any [`ReadError`].
pub fn tickers(reply: &Reply<'_>) -> Result<Rows<Ticker>, ReadError> {
    let rows: Vec<Box<RawValue>> = reply.data()?;
    Ok(each(&rows, ticker))
}

/// Turns rows into values one by one.
pub(super) fn each<W: DeserializeOwned, T>(
    rows: &[Box<RawValue>],
    read: fn(&W) -> Result<T, FieldError>,
) -> Rows<T> {
    let mut out = Rows {
        rows: Vec::with_capacity(rows.len()),
        cuts: 0,
        skipped: Vec::new(),
    };
    for raw in rows {
        let wire = serde_json::from_str::<W>(raw.get()).map_err(|_| FieldError("row"));
        match wire.and_then(|wire| read(&wire)) {
            Ok(row) => out.rows.push(row),
            Err(error) => out
                .skipped
                .push(Skipped::new(subject(raw).as_deref(), error)),
        }
    }
    out
}

/// Returns what a row is about, even if the rest of it makes no sense.
fn subject(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        name: Option<String>,
        pair: Option<String>,
        asset: Option<String>,
    }
    let subject: Subject = serde_json::from_str(raw.get()).ok()?;
    subject.name.or(subject.pair).or(subject.asset)
}

fn levels(rows: &[(wire::Money, wire::Money)], cuts: &mut u32) -> Result<Vec<Level>, FieldError> {
    if rows.len() > LEVELS_MAX {
        return Err(FieldError("levels"));
    }
    let level = |(price, qty): &(wire::Money, wire::Money)| {
        Ok(Level {
            price: fields::price(price, "price")?,
            qty: fields::qty(qty, "amount", cuts)?,
        })
    };
    rows.iter().map(level).collect()
}

fn ticker(row: &wire::RestTicker) -> Result<Ticker, FieldError> {
    Ok(Ticker {
        symbol: fields::symbol(&row.pair)?,
        bid: fields::price(&row.bid, "bid")?,
        ask: fields::price(&row.ask, "ask")?,
        last: fields::price(&row.last, "last")?,
    })
}

fn rule_facts(row: &wire::SymbolInfo) -> Result<RuleFacts, FieldError> {
    let filter = row
        .filters
        .iter()
        .find(|filter| filter.filter_type.eq_ignore_ascii_case("PRICE_FILTER"));
    let of_filter = |pick: fn(&wire::PriceFilter) -> &Option<wire::Money>| {
        filter.and_then(|f| pick(f).as_deref())
    };
    let has_limit_orders = row
        .order_methods
        .iter()
        .any(|method| method.eq_ignore_ascii_case("LIMIT"));
    let value_min = of_filter(|f| &f.min_exchange_value);
    Ok(RuleFacts {
        symbol: fields::symbol(&row.name)?,
        base: fields::asset(&row.numerator)?,
        quote: fields::asset(&row.denominator)?,
        is_trading: row.status.eq_ignore_ascii_case("TRADING"),
        has_limit_orders,
        qty_scale: row.numerator_scale,
        price_scale: row.denominator_scale,
        has_fraction: row.has_fraction,
        tick: price_up(of_filter(|f| &f.tick_size), "tickSize")?,
        value_min: value_min
            .map(|text| fields::amount(text, "minExchangeValue"))
            .transpose()?,
        qty_min: qty_up(of_filter(|f| &f.min_amount), "minAmount")?,
        qty_max: least(
            qty_down(of_filter(|f| &f.max_amount), "maxAmount")?,
            qty_down(row.maximum_order_amount.as_deref(), "maximumOrderAmount")?,
        ),
        price_min: price_up(
            row.minimum_limit_order_price.as_deref(),
            "minimumLimitOrderPrice",
        )?,
        price_max: price_down(
            row.maximum_limit_order_price.as_deref(),
            "maximumLimitOrderPrice",
        )?,
        fee_in_base: row.commission_from_numerator,
    })
}

/// Reads a lower limit: what is finer than eight decimals counts as the next unit, so that a rule never gets weaker.
fn price_up(text: Option<&str>, name: &'static str) -> Result<Option<Price>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    let (value, cut) = Price::parse_cut(text).map_err(|_| FieldError(name))?;
    let up = value.checked_add(Price::from_units(i64::from(cut)));
    up.map(Some).ok_or(FieldError(name))
}

fn price_down(text: Option<&str>, name: &'static str) -> Result<Option<Price>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    let (value, _) = Price::parse_cut(text).map_err(|_| FieldError(name))?;
    Ok(Some(value))
}

fn qty_up(text: Option<&str>, name: &'static str) -> Result<Option<Qty>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    let (value, cut) = Qty::parse_cut(text).map_err(|_| FieldError(name))?;
    let up = value.checked_add(Qty::from_units(i64::from(cut)));
    up.map(Some).ok_or(FieldError(name))
}

fn qty_down(text: Option<&str>, name: &'static str) -> Result<Option<Qty>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    let (value, _) = Qty::parse_cut(text).map_err(|_| FieldError(name))?;
    Ok(Some(value))
}

/// Returns the smaller of two upper limits; zero and absence are no limit.
fn least(a: Option<Qty>, b: Option<Qty>) -> Option<Qty> {
    [a, b]
        .into_iter()
        .flatten()
        .filter(|limit| limit.is_positive())
        .min()
}
