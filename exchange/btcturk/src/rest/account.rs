//! Answers about the account: balances, orders, trades (docs/EXCHANGE.md 5).
//!
//! Lists of orders and trades are evidence, so one row that cannot be read fails the whole read: a list that hides a
//! row must never pass for a complete one (I4). An odd asset, in contrast, hides no other.

use super::public::each;
use super::reply::{ReadError, Reply, Rows};
use crate::fields::{self, FieldError, TradeText};
use crate::wire;
use engine::answer::{
    BalanceRow, OrderRow, OwnTrade, Rail, RowStatus, TradeSource, Transfer, TransferId,
};
use engine::ids::OrderId;
use engine::money::{Amount, Price};
use engine::time::Timestamp;
use serde_json::value::RawValue;

/// Reads the balances; an asset that cannot be read is reported by itself.
///
/// # Errors
/// Any [`ReadError`].
pub fn balances(reply: &Reply<'_>) -> Result<Rows<BalanceRow>, ReadError> {
    let rows: Vec<Box<RawValue>> = reply.data()?;
    Ok(each(&rows, balance))
}

/// Reads the open orders, bids first.
///
/// # Errors
/// Any [`ReadError`]; also if one row cannot be read.
pub fn open_orders(reply: &Reply<'_>) -> Result<Rows<OrderRow>, ReadError> {
    let open: wire::OpenOrders = reply.data()?;
    orders(open.bids.iter().chain(&open.asks))
}

/// Reads one page of a pair's orders, newest first as it came.
///
/// # Errors
/// Any [`ReadError`]; also if one row cannot be read.
pub fn all_orders(reply: &Reply<'_>) -> Result<Rows<OrderRow>, ReadError> {
    let rows: Vec<wire::Order> = reply.data()?;
    orders(rows.iter())
}

/// Reads one order; `None` if the exchange does not show it, which proves nothing about it (C-33).
///
/// # Errors
/// Any [`ReadError`].
pub fn order(reply: &Reply<'_>) -> Result<Option<OrderRow>, ReadError> {
    if reply.is_order_not_found() {
        return Ok(None);
    }
    let row: wire::Order = reply.data()?;
    Ok(Some(order_row(&row, &mut 0)?))
}

/// Reads the account's trades.
///
/// # Errors
/// Any [`ReadError`]; also if one row cannot be read.
pub fn own_trades(reply: &Reply<'_>) -> Result<Rows<OwnTrade>, ReadError> {
    let rows: Vec<wire::AccountTrade> = reply.data()?;
    all(rows.iter(), own_trade)
}

/// Reads the deposits and withdrawals of one rail. They are no evidence but an explanation, so a row that cannot be
/// read hides no other: it is reported by itself and explains nothing.
///
/// # Errors
/// Any [`ReadError`].
pub fn transfers(reply: &Reply<'_>, rail: Rail) -> Result<Rows<Transfer>, ReadError> {
    let rows: Vec<Box<RawValue>> = reply.data()?;
    Ok(match rail {
        Rail::Crypto => each(&rows, |row| transfer(row, Rail::Crypto)),
        Rail::Fiat => each(&rows, |row| transfer(row, Rail::Fiat)),
    })
}

/// The word gives the direction, as it does for trades; signs of fee and tax are those of what is paid.
fn transfer(row: &wire::AccountTransfer, rail: Rail) -> Result<Transfer, FieldError> {
    let moved = fields::amount(&row.amount, "amount")?.abs();
    let is_in = match row.balance_type.as_str() {
        word if word.eq_ignore_ascii_case("deposit") => true,
        word if word.eq_ignore_ascii_case("withdrawal") => false,
        _ => return Err(FieldError("balanceType")),
    };
    let charge = |digits: &Option<wire::Digits>, name| match digits {
        Some(digits) => fields::amount(digits, name).map(Amount::abs),
        None => Ok(Amount::ZERO),
    };
    Ok(Transfer {
        id: TransferId {
            rail,
            number: row.id.value(),
        },
        asset: fields::asset(&row.currency_symbol)?,
        amount: if is_in { moved } else { -moved },
        charges: charge(&row.fee, "fee")? + charge(&row.tax, "tax")?,
        at: Timestamp::from_ms(row.timestamp.ms()),
    })
}

fn orders<'a>(rows: impl Iterator<Item = &'a wire::Order>) -> Result<Rows<OrderRow>, ReadError> {
    all(rows, order_row)
}

fn all<'a, W: 'a, T>(
    rows: impl Iterator<Item = &'a W>,
    read: fn(&W, &mut u32) -> Result<T, FieldError>,
) -> Result<Rows<T>, ReadError> {
    let mut cuts = 0;
    let rows = rows
        .map(|row| read(row, &mut cuts))
        .collect::<Result<_, _>>()?;
    Ok(Rows {
        rows,
        cuts,
        skipped: Vec::new(),
    })
}

fn balance(row: &wire::Balance) -> Result<BalanceRow, FieldError> {
    Ok(BalanceRow {
        asset: fields::asset(&row.asset)?,
        free: fields::amount(&row.free, "free")?,
        locked: fields::amount(&row.locked, "locked")?,
    })
}

fn order_row(row: &wire::Order, cuts: &mut u32) -> Result<OrderRow, FieldError> {
    let changed = [row.update_time, row.time]
        .into_iter()
        .flatten()
        .map(wire::Stamp::ms);
    Ok(OrderRow {
        id: OrderId(row.id.value()),
        client_id: fields::client_id(row.order_client_id.as_deref()),
        symbol: fields::symbol(&row.pair_symbol)?,
        side: fields::side_of_word(&row.side).ok_or(FieldError("type"))?,
        price: limit_price(row)?,
        qty: fields::qty(&row.amount, "amount", cuts)?,
        left: fields::qty(&row.left_amount, "leftAmount", cuts)?,
        status: status(&row.status),
        at: Timestamp::from_ms(changed.into_iter().find(|ms| *ms != 0).unwrap_or(0)),
    })
}

/// A limit order has a price; only another kind may come without one.
fn limit_price(row: &wire::Order) -> Result<Price, FieldError> {
    let is_limit = row
        .method
        .as_deref()
        .is_none_or(|method| method.eq_ignore_ascii_case("limit"));
    match &row.price {
        Some(text) => fields::price(text, "price"),
        None if is_limit => Err(FieldError("price")),
        None => Ok(Price::ZERO),
    }
}

/// Maps the four documented words (docs/EXCHANGE.md 5.5); `Closed` is filled (D26).
fn status(word: &str) -> RowStatus {
    const WORDS: [(&str, RowStatus); 4] = [
        ("Untouched", RowStatus::Untouched),
        ("Partial", RowStatus::Partial),
        ("Canceled", RowStatus::Canceled),
        ("Closed", RowStatus::Closed),
    ];
    let documented = WORDS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(word));
    documented.map_or(RowStatus::Unmapped, |(_, status)| *status)
}

fn own_trade(row: &wire::AccountTrade, cuts: &mut u32) -> Result<OwnTrade, FieldError> {
    let text = TradeText {
        source: TradeSource::Rest,
        id: row.id.value(),
        order_id: row.order_id.value(),
        at_ms: row.timestamp.ms(),
        base: &row.numerator_symbol,
        quote: &row.denominator_symbol,
        amount: &row.amount,
        precise_amount: row.precise_amount.as_deref(),
        fee: &row.fee,
        tax: &row.tax,
        price: &row.price,
        side: row.order_type.as_deref(),
        client_id: row.order_client_id.as_deref(),
    };
    text.own_trade(cuts)
}
