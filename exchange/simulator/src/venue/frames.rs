//! Puts events into frames, with the decimals of each place (docs/EXCHANGE.md 10, 13.2).
//!
//! The shapes are btcturk's wire structs; the values and their text forms are decided here.

use crate::decimals::{
    FEE_DECIMALS, LONG_DECIMALS, TRADE_DECIMALS, amount_padded, level_qty, price_padded, qty_padded,
};
use crate::exchange::{Exchange, OrderNote, PrivateEvent, TickerRow};
use crate::ledger::AccountIndex;
use crate::market::pair::{Pair, PairIndex};
use crate::order::{Fill, Method};
use btcturk::wire::{
    Ack, BalanceUpdated, BookDifference, BookSnapshot, CHANGE_CHANGED, CHANGE_ENTERED, CHANGE_LEFT,
    Digits, Id, Kind, Level, LevelDifference, LoginResult, OrderChange, OrderMatch, Stamp, Text,
    TradeItem, TradeList, TradeSingle, UserTrade, Version, encode,
};
use engine::market::{BookChannel, BookDiff, BookFull, ChangeKind, LevelChange, PublicTrade, Side};
use engine::money::{Amount, BPS_PER_ONE, Price, Qty};

/// Version of the greeting (docs/EXCHANGE.md 9).
const VERSION: &str = "6.0.0";
/// Oldest version that is still served.
const VERSION_MIN: &str = "2.3.0";
/// Decimals of the average price in a ticker.
const AVERAGE_DECIMALS: u32 = 12;
/// Numbers of the currencies in a balance hint; this simulator's own.
const CURRENCY_IDS: [(&str, i64); 6] = [
    ("TRY", 1),
    ("BTC", 2),
    ("USDT", 3),
    ("ETH", 4),
    ("SOL", 177),
    ("AAVE", 131),
];

/// Greets a new connection (991).
pub fn greeting() -> String {
    encode(&Version {
        kind: Kind,
        current: VERSION.into(),
        min: Some(VERSION_MIN.into()),
    })
}

/// Answers a join or leave (100).
pub fn ack(ok: bool, message: String) -> String {
    encode(&Ack::<100> {
        ok,
        message: Some(message.into()),
        kind: Kind,
    })
}

/// Answers a login (114).
pub fn login_result(user_id: i64, refusal: Option<String>) -> String {
    encode(&LoginResult {
        kind: Kind,
        id: Some(Id::Number(user_id)),
        ok: refusal.is_none(),
        message: refusal.map(Text::from),
    })
}

/// Shows a full book (431).
pub fn book_full(full: &BookFull, long_amounts: u32) -> String {
    let symbol = full.symbol.as_str();
    let level = |level: &engine::market::Level| Level {
        amount: level_qty(level.price, level.qty, long_amounts).into(),
        price: level.price.into(),
    };
    let channel = match full.channel {
        BookChannel::Diff => "obdiff",
        BookChannel::Periodic => "orderbook",
    };
    encode(&BookSnapshot {
        change: full.change,
        pair: Some(symbol.into()),
        asks: full.asks.iter().map(level).collect(),
        bids: full.bids.iter().map(level).collect(),
        channel: Some(channel.into()),
        event: Some(symbol.into()),
        kind: Kind,
    })
}

/// Shows a book difference (432).
pub fn book_diff(diff: &BookDiff, long_amounts: u32) -> String {
    let symbol = diff.symbol.as_str();
    let row = |row: &LevelChange| LevelDifference {
        change: match row.kind {
            ChangeKind::Changed => CHANGE_CHANGED,
            ChangeKind::Entered => CHANGE_ENTERED,
            ChangeKind::Left => CHANGE_LEFT,
        },
        price: row.level.price.into(),
        amount: level_qty(row.level.price, row.level.qty, long_amounts).into(),
    };
    encode(&BookDifference {
        change: diff.change,
        pair: Some(symbol.into()),
        asks: diff.asks.iter().map(row).collect(),
        bids: diff.bids.iter().map(row).collect(),
        channel: Some("obdiff".into()),
        event: Some(symbol.into()),
        kind: Kind,
    })
}

/// Shows one trade (422).
pub fn trade(trade: &PublicTrade) -> String {
    let symbol = trade.symbol.as_str();
    encode(&TradeSingle {
        at: Stamp::Text(trade.at.ms()),
        id: Id::Text(trade_number(trade)),
        amount: qty_padded(trade.qty, TRADE_DECIMALS).into(),
        price: price_padded(trade.price, TRADE_DECIMALS).into(),
        pair: Some(symbol.into()),
        side: trade.taker.map(side_number),
        channel: Some("trade".into()),
        event: Some(symbol.into()),
        kind: Kind,
    })
}

/// Shows the latest trades, newest first (421).
pub fn trade_list<'a>(pair: &Pair, trades: impl Iterator<Item = &'a PublicTrade>) -> String {
    let symbol = pair.symbol.as_str();
    let items = trades.map(|trade| TradeItem {
        at: Stamp::Text(trade.at.ms()),
        id: Id::Text(trade_number(trade)),
        amount: qty_padded(trade.qty, TRADE_DECIMALS).into(),
        price: price_padded(trade.price, TRADE_DECIMALS).into(),
        side: trade.taker.map(side_number),
    });
    encode(&TradeList {
        symbol: Some(symbol.into()),
        items: items.collect(),
        channel: Some("trade".into()),
        event: Some(symbol.into()),
        kind: Kind,
    })
}

/// Shows a ticker row on its own (402).
pub fn ticker(pair: &Pair, row: &TickerRow) -> String {
    let mut body = ticker_row(pair, row);
    body.channel = Some("ticker".into());
    body.event = Some(pair.symbol.as_str().into());
    body.kind = Some(Kind);
    encode(&body)
}

/// Shows all ticker rows (401).
pub fn ticker_all(pairs: &[Pair], rows: &[TickerRow]) -> String {
    let items = rows.iter().map(|row| ticker_row(&pairs[row.pair.0], row));
    encode(&btcturk::wire::TickerAll {
        items: items.collect(),
        channel: Some("ticker".into()),
        event: Some("all".into()),
        kind: Kind,
    })
}

fn ticker_row<'a>(pair: &'a Pair, row: &TickerRow) -> btcturk::wire::TickerRow<'a> {
    let change = i128::from(row.last.units()) - i128::from(row.open.units());
    btcturk::wire::TickerRow {
        bid: Some(row.bid.price.into()),
        ask: Some(row.ask.price.into()),
        bid_amount: Some(row.bid.qty.into()),
        ask_amount: Some(row.ask.qty.into()),
        pair: Some(pair.symbol.as_str().into()),
        high: Some(row.high.into()),
        low: Some(row.low.into()),
        last: Some(row.last.into()),
        open: Some(row.open.into()),
        volume: Some(row.volume.into()),
        average: Some(price_padded(row.average, AVERAGE_DECIMALS).into()),
        change: Some(price_change(row.open, row.last).into()),
        change_percent: Some(percent(change, row.open).into()),
        quote: Some(pair.quote.as_str().into()),
        base: Some(pair.base.as_str().into()),
        pair_id: Some(pair.id),
        channel: None,
        event: None,
        kind: None,
    }
}

/// Returns how far a price moved, with its sign.
pub fn price_change(from: Price, to: Price) -> Amount {
    Price::value(to, one()) - Price::value(from, one())
}

/// Returns the change in percent with two decimals, as text.
pub fn percent(change_units: i128, open: Price) -> Amount {
    let hundredths = change_units * i128::from(BPS_PER_ONE) / i128::from(open.units().max(1));
    let unit = Amount::from_whole(1).units() / 100;
    Amount::from_units(hundredths * unit)
}

fn one() -> Qty {
    Qty::from_units(engine::money::UNITS_PER_ONE)
}

/// Tells an account something.
pub fn private(exchange: &Exchange, account: AccountIndex, event: &PrivateEvent) -> String {
    let user_id = exchange.user_id(account);
    let pair = |index: PairIndex| &exchange.pairs()[index.0];
    match event {
        PrivateEvent::Inserted(note) => {
            let note = change_texts::<451>(pair(note.pair), user_id, note, Decimals::Trimmed);
            encode(&note)
        }
        PrivateEvent::Deleted(note) => {
            let note = change_texts::<452>(pair(note.pair), user_id, note, Decimals::Long);
            encode(&note)
        }
        PrivateEvent::Matched { fill, method, echo } => encode(&order_match(
            pair(fill.pair),
            user_id,
            fill,
            *method,
            echo.as_deref(),
        )),
        PrivateEvent::Traded { fill, echo } => {
            encode(&user_trade(pair(fill.pair), fill, echo.as_deref()))
        }
        PrivateEvent::BalanceHint { pair: index } => {
            let pair = pair(*index);
            let ids = [
                pair.id,
                currency_id(pair.base.as_str()),
                currency_id(pair.quote.as_str()),
            ];
            encode(&BalanceUpdated {
                kind: Kind,
                user_id: Some(Id::Number(user_id)),
                payload: Some(ids.map(|id| id.to_string()).join(",").into()),
            })
        }
    }
}

#[derive(Clone, Copy)]
enum Decimals {
    Trimmed,
    Long,
}

fn change_texts<'a, const N: u16>(
    pair: &'a Pair,
    user_id: i64,
    note: &'a OrderNote,
    decimals: Decimals,
) -> OrderChange<'a, N> {
    let price = |price: Price| match decimals {
        Decimals::Trimmed => price.to_string(),
        Decimals::Long => price_padded(price, LONG_DECIMALS),
    };
    let qty = |qty: Qty| match decimals {
        Decimals::Trimmed => qty.to_string(),
        Decimals::Long => qty_padded(qty, LONG_DECIMALS),
    };
    OrderChange {
        kind: Kind,
        pair_id: Some(pair.id),
        symbol: pair.symbol.as_str().into(),
        id: Id::Number(note.id.0),
        method: Some(i64::from(note.method.number())),
        user_id: Some(Id::Number(user_id)),
        side: Some(side_number(note.side)),
        price: price(note.price).into(),
        amount: Some(qty(note.qty).into()),
        left: qty(note.left).into(),
        quote_left: Some(opaque_quote_left(note).into()),
        client_id: note.echo.as_deref().map(Text::from),
    }
}

/// What the captures show in `denomLeft`: price x left, a thousandth more for a buy and less for a sell. Opaque.
fn opaque_quote_left(note: &OrderNote) -> String {
    let value = note.price.value(note.left);
    let thousandth = value.times_ratio(1, 1_000).unwrap_or_default();
    let shown = match note.side {
        Side::Buy => value + thousandth,
        Side::Sell => value - thousandth,
    };
    amount_padded(shown, LONG_DECIMALS)
}

fn order_match<'a>(
    pair: &'a Pair,
    user_id: i64,
    fill: &Fill,
    method: Method,
    echo: Option<&'a str>,
) -> OrderMatch<'a> {
    OrderMatch {
        kind: Kind,
        id: Id::Number(fill.order_id.0),
        user: Some(Id::Number(user_id)),
        is_bid: Some(fill.side == Side::Buy),
        method: Some(i64::from(method.number())),
        pair: Some(pair.id),
        symbol: Some(pair.symbol.as_str().into()),
        amount: Some(qty_padded(fill.qty, TRADE_DECIMALS).into()),
        price: Some(price_padded(fill.price, TRADE_DECIMALS).into()),
        client_id: echo.map(Text::from),
        timestamp: Some(Stamp::Text(fill.at.ms())),
    }
}

fn user_trade<'a>(pair: &'a Pair, fill: &Fill, echo: Option<&'a str>) -> UserTrade<'a> {
    UserTrade {
        id: Id::Number(fill.stream_id.0),
        order_id: Id::Number(fill.order_id.0),
        timestamp: Stamp::Int(fill.at.ms()),
        base: pair.base.as_str().into(),
        quote: pair.quote.as_str().into(),
        amount: signed_qty(fill).to_string().into(),
        fee: amount_padded(-fill.charges.fee, FEE_DECIMALS).into(),
        tax: amount_padded(-fill.charges.tax, FEE_DECIMALS).into(),
        price: price_padded(fill.price, pair.price_scale).into(),
        side: Some(fill.side.as_str().into()),
        client_id: echo.map(Text::from),
        precise_amount: Some(Digits::from(signed_qty(fill))),
        kind: None,
    }
}

/// Returns the traded quantity as rows show it: negative for a sell.
pub fn signed_qty(fill: &Fill) -> Amount {
    match fill.side {
        Side::Buy => fill.qty.amount(),
        Side::Sell => -fill.qty.amount(),
    }
}

fn side_number(side: Side) -> i64 {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

fn trade_number(trade: &PublicTrade) -> i64 {
    trade.id.map_or(0, |id| id.0)
}

fn currency_id(name: &str) -> i64 {
    let known = CURRENCY_IDS.iter().find(|(asset, _)| *asset == name);
    known.map_or(0, |(_, id)| *id)
}
