//! Private endpoints: balances, orders, lists, transactions (docs/EXCHANGE.md 5).

use super::frames::signed_qty;
use super::reply::{RestReply, Success};
use super::rest::RestRequest;
use crate::decimals::{FEE_DECIMALS, LONG_DECIMALS, amount_padded, price_padded, qty_padded};
use crate::exchange::{Accepted, Exchange, OrderView, TransferNote};
use crate::judge::{OrderRequest, Refused};
use crate::ledger::{AccountIndex, Balance};
use crate::market::pair::{Pair, PairIndex};
use crate::order::{Fill, Order, Size};
use btcturk::wire::{
    AccountTrade, AccountTransfer, Digits, Envelope, Id, Member, Money, OpenOrders, OrderAnswer,
    Stamp,
};
use engine::answer::Rail;
use engine::ids::{Asset, OrderId};
use engine::market::Side;
use engine::money::Amount;
use engine::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Rows of a page of `allOrders` by default.
const PAGE_ROWS: usize = 100;
/// Most rows of a page.
const PAGE_ROWS_MAX: usize = 1_000;
/// Time that transactions reach back by default, in milliseconds: 30 days.
const TRANSACTIONS_MS: i64 = 30 * 86_400_000;
/// Decimals of a balance row.
const BALANCE_PRECISION: i64 = 8;

/// Answers with all balances; `balance = free + locked`, exactly.
pub fn balances(exchange: &mut Exchange, now: Timestamp, account: AccountIndex) -> RestReply {
    let (at, balances) = exchange.shown_balances(now, account);
    let rows: Vec<_> = balances
        .iter()
        .map(|(asset, held)| balance_row(*asset, held, at))
        .collect();
    RestReply::success(Success::Private, rows)
}

fn balance_row(asset: Asset, held: &Balance, at: Timestamp) -> btcturk::wire::Balance {
    btcturk::wire::Balance {
        asset: asset.to_string(),
        assetname: Some(asset.to_string()),
        balance: held.total().into(),
        locked: held.locked.into(),
        free: held.free.into(),
        order_fund: Some(held.locked.into()),
        request_fund: Some(Money("0".to_owned())),
        precision: Some(Id::Number(BALANCE_PRECISION)),
        timestamp: Some(Stamp::Int(at.ms())),
    }
}

/// Enters an order: content type, JSON, then the judge.
pub fn insert(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountIndex,
    request: &RestRequest,
) -> RestReply {
    let content_type = request.content_type.as_deref().unwrap_or_default();
    if !content_type
        .to_ascii_lowercase()
        .starts_with("application/json")
    {
        return RestReply::status(415, "Unsupported Media Type");
    }
    let Some(order) = read_order(&request.body) else {
        return RestReply::order_refused(Refused::OrderParameter);
    };
    let client_id = order.client_id.clone();
    let reply = match exchange.submit(now, account, &order) {
        Ok(accepted) => order_accepted(exchange, &order, &accepted),
        Err(refused) => RestReply::order_refused(refused),
    };
    RestReply { client_id, ..reply }
}

/// Reads the body of an order. Names without regard to case, text or number, unknown members ignored.
fn read_order(body: &[u8]) -> Option<OrderRequest> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &members {
        if let Some(text) = scalar(value) {
            found.insert(name.to_ascii_lowercase(), text);
        }
    }
    let mut take = |name: &str| found.remove(name);
    let documented = take("neworderclientid");
    let swapped = take("newclientorderid");
    Some(OrderRequest {
        pair_symbol: take("pairsymbol"),
        order_method: take("ordermethod"),
        order_type: take("ordertype"),
        quantity: take("quantity"),
        price: take("price"),
        // The second spelling is the one that stock clients send; the documented name wins.
        client_id: documented.or(swapped),
    })
}

/// Returns the text of a JSON string, or the digits of a number.
fn scalar(value: &RawValue) -> Option<String> {
    let raw = value.get();
    match raw.as_bytes().first()? {
        b'"' => String::deserialize(&mut serde_json::Deserializer::from_str(raw)).ok(),
        b'-' | b'0'..=b'9' => Some(raw.to_owned()),
        _ => None,
    }
}

fn order_accepted(exchange: &Exchange, request: &OrderRequest, accepted: &Accepted) -> RestReply {
    let order = exchange
        .order(accepted.id)
        .expect("an accepted order is kept");
    let pair = &exchange.pairs()[order.pair.0];
    let answer = OrderAnswer {
        id: Id::Number(accepted.id.0),
        quantity: request.quantity.clone().map(Money),
        price: Some(Money(
            request.price.clone().unwrap_or_else(|| "0".to_owned()),
        )),
        stop_price: None,
        new_order_client_id: accepted.echo.clone(),
        side: Some(order.side.as_str().to_owned()),
        method: Some(order.method.as_str().to_owned()),
        pair_symbol: Some(pair.symbol.to_string()),
        pair_symbol_normalized: Some(pair.normalized.clone()),
        datetime: Some(Stamp::Int(accepted.at.ms())),
    };
    let message = Member::Value("SUCCESS".to_owned());
    RestReply {
        accepted: Some(accepted.id),
        delay_ms: accepted.reply_after_ms,
        ..RestReply::order(200, Envelope::success(Member::Value(answer), message))
    }
}

/// Answers with one order.
pub fn order(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountIndex,
    id: Option<OrderId>,
) -> RestReply {
    let pairs = exchange.pairs().to_vec();
    let row = id
        .and_then(|id| exchange.shown_order(now, account, id))
        .map(|view| order_row(&pairs, &view));
    row.map_or_else(RestReply::order_not_found, |row| {
        RestReply::success(Success::Private, row)
    })
}

/// Answers with the open orders, of one pair or of all.
pub fn open_orders(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountIndex,
    request: &RestRequest,
) -> RestReply {
    let pair = match pair_parameter(exchange, request) {
        Ok(pair) => pair,
        Err(reply) => return reply,
    };
    let pairs = exchange.pairs().to_vec();
    let (mut asks, mut bids) = (Vec::new(), Vec::new());
    for view in exchange.shown_orders(now, account, pair) {
        if view.shown.state.is_open() {
            let row = order_row(&pairs, &view);
            match view.order.side {
                Side::Buy => bids.push(row),
                Side::Sell => asks.push(row),
            }
        }
    }
    RestReply::success(Success::Private, OpenOrders { asks, bids })
}

/// Answers with a page of all orders of a pair, newest first; `startTime` and `endTime` are seconds.
pub fn all_orders(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountIndex,
    request: &RestRequest,
) -> RestReply {
    let pair = match pair_parameter(exchange, request) {
        Ok(Some(pair)) => pair,
        Ok(None) => return RestReply::bad_request("PAIR_SYMBOL_REQUIRED"),
        Err(reply) => return reply,
    };
    let number = |name: &str| {
        request
            .parameter(name)
            .and_then(|text| text.parse::<i64>().ok())
    };
    let from_id = number("orderId").unwrap_or(0);
    let (from_s, to_s) = (
        number("startTime").unwrap_or(0),
        number("endTime").unwrap_or(i64::MAX),
    );
    let rows = number("limit").and_then(|n| usize::try_from(n).ok());
    let rows = rows.unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS_MAX);
    let page = number("page")
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(1)
        .max(1);
    let pairs = exchange.pairs().to_vec();
    let views = exchange.shown_orders(now, account, Some(pair));
    let wanted = views.iter().filter(|view| {
        let at_s = view.order.accepted_at.ms() / 1_000;
        view.order.id.0 >= from_id && (from_s..=to_s).contains(&at_s)
    });
    let rows: Vec<_> = wanted
        .skip(rows.saturating_mul(page - 1))
        .take(rows)
        .map(|view| order_row(&pairs, view))
        .collect();
    RestReply::success(Success::Private, rows)
}

fn pair_parameter(
    exchange: &Exchange,
    request: &RestRequest,
) -> Result<Option<PairIndex>, RestReply> {
    let Some(text) = request
        .parameter("pairSymbol")
        .filter(|text| !text.is_empty())
    else {
        return Ok(None);
    };
    match exchange.find_pair(text) {
        Some(pair) => Ok(Some(pair)),
        None => Err(RestReply::bad_request("INVALID_PAIR")),
    }
}

fn order_row(pairs: &[Pair], view: &OrderView<'_>) -> btcturk::wire::Order {
    let order: &Order = view.order;
    let pair = &pairs[order.pair.0];
    let left = if view.shown.state.is_open() {
        view.shown.left.to_string()
    } else {
        qty_padded(view.shown.left, LONG_DECIMALS)
    };
    let quantity = match order.size {
        Size::Base(qty) => qty.into(),
        Size::Quote(_) => Money("0".to_owned()),
    };
    let inserted = order
        .versions
        .first()
        .map_or(order.accepted_at, |version| version.from);
    btcturk::wire::Order {
        id: Id::Number(order.id.0),
        price: Some(Money(price_padded(order.price, pair.price_scale))),
        amount: order.qty().into(),
        quantity: Some(quantity),
        stop_price: Some(Money("0.00".to_owned())),
        pair_symbol: pair.symbol.to_string(),
        pair_symbol_normalized: Some(pair.normalized.clone()),
        side: order.side.as_str().to_owned(),
        method: Some(order.method.as_str().to_owned()),
        order_client_id: order.echo.clone(),
        time: Some(Stamp::Int(inserted.ms())),
        update_time: Some(Stamp::Int(view.shown.from.ms())),
        status: view.shown.state.as_str().to_owned(),
        left_amount: Money(left),
    }
}

/// Answers with the account's trades, newest first.
pub fn transactions(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountIndex,
    request: &RestRequest,
) -> RestReply {
    let fills = exchange.shown_fills(now, account);
    let pairs = exchange.pairs();
    let rows: Vec<AccountTrade> = fills
        .iter()
        .filter(|(fill, _)| is_wanted(fill, &pairs[fill.pair.0], now, request))
        .map(|(fill, echo)| account_trade(fill, &pairs[fill.pair.0], echo.clone()))
        .collect();
    RestReply::success(Success::Private, rows)
}

fn is_wanted(fill: &Fill, pair: &Pair, now: Timestamp, request: &RestRequest) -> bool {
    let number = |name: &str| {
        request
            .parameter(name)
            .and_then(|text| text.parse::<i64>().ok())
    };
    if let Some(order_id) = number("orderId") {
        return fill.order_id.0 == order_id;
    }
    let values = |name: &str| -> Vec<String> {
        let named = request
            .query
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.to_ascii_uppercase()).collect()
    };
    let from_ms = number("startDate").unwrap_or(now.ms() - TRANSACTIONS_MS);
    let to_ms = number("endDate").unwrap_or(i64::MAX);
    let (types, symbols) = (values("type"), values("symbol"));
    let is_symbol = |asset: Asset| symbols.iter().any(|symbol| symbol == asset.as_str());
    let named_pair = request
        .parameter("pairSymbol")
        .filter(|text| !text.is_empty());
    (from_ms..=to_ms).contains(&fill.at.ms())
        && (types.is_empty()
            || types
                .iter()
                .any(|side| side.eq_ignore_ascii_case(fill.side.as_str())))
        && (symbols.is_empty() || is_symbol(pair.base) || is_symbol(pair.quote))
        && named_pair.is_none_or(|text| {
            engine::ids::Symbol::parse(text).is_ok_and(|symbol| symbol == pair.symbol)
        })
}

fn account_trade(fill: &Fill, pair: &Pair, echo: Option<String>) -> AccountTrade {
    AccountTrade {
        id: Id::Number(fill.id.0),
        timestamp: Stamp::Int(fill.at.ms()),
        amount: signed_qty(fill).into(),
        precise_amount: Some(Digits::from(signed_qty(fill))),
        fee: Money(amount_padded(-fill.charges.fee, FEE_DECIMALS)),
        tax: Money(amount_padded(-fill.charges.tax, FEE_DECIMALS)),
        price: Money(price_padded(fill.price, pair.price_scale)),
        numerator_symbol: pair.base.to_string(),
        denominator_symbol: pair.quote.to_string(),
        order_type: Some(fill.side.as_str().to_owned()),
        order_id: Id::Number(fill.order_id.0),
        order_client_id: echo,
    }
}

/// Answers with the account's deposits and withdrawals of one rail, newest first.
pub fn transfers(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountIndex,
    rail: Rail,
    request: &RestRequest,
) -> RestReply {
    let number = |name: &str| {
        request
            .parameter(name)
            .and_then(|text| text.parse::<i64>().ok())
    };
    let from_ms = number("startDate").unwrap_or(now.ms() - TRANSACTIONS_MS);
    let to_ms = number("endDate").unwrap_or(i64::MAX);
    let rows: Vec<AccountTransfer> = exchange
        .shown_transfers(now, account, rail)
        .iter()
        .filter(|note| (from_ms..=to_ms).contains(&note.at.ms()))
        .map(transfer_row)
        .collect();
    RestReply::success(Success::Private, rows)
}

fn transfer_row(note: &TransferNote) -> AccountTransfer {
    let word = if note.amount.is_negative() {
        "Withdrawal"
    } else {
        "Deposit"
    };
    AccountTransfer {
        balance_type: word.to_owned(),
        currency_symbol: note.asset.to_string(),
        id: Id::Number(note.number),
        timestamp: Stamp::Int(note.at.ms()),
        funds: Some(Digits::from(note.funds)),
        amount: Digits::from(note.amount),
        fee: Some(Digits::from(Amount::ZERO)),
        tax: Some(Digits::from(Amount::ZERO)),
    }
}
