//! What the exchange knows, as our side would read it off the wire.
//!
//! Stands in for the codec: the same meaning without the bytes. Pure functions only.

use engine::answer::{
    BalanceRow, OrderEvent, OrderRow, OwnTrade, PrivateEvent, Refusal, RowStatus, TradeSource,
    Transfer, TransferId,
};
use engine::ids::{ClientId, Symbol};
use engine::instrument::Instrument;
use engine::market::{MarketEvent, Ticker};
use engine::money::{Amount, Price, UNITS_PER_ONE};
use engine::msg::Channel;
use simulator::exchange::{Event, OrderNote, PrivateEvent as Said, TickerRow, TransferNote};
use simulator::judge::Refused;
use simulator::ledger::Balances;
use simulator::market::pair::Pair;
use simulator::order::{Fill, Order, State, Version};

pub(crate) fn ours(echo: Option<&String>) -> Option<ClientId> {
    echo.and_then(|text| ClientId::parse(text).ok())
}

/// The rules of a pair as the codec would read them off exchangeinfo.
pub(crate) fn rules(pair: &Pair) -> Instrument {
    let scale = Price::from_units(UNITS_PER_ONE / 10i64.pow(pair.price_decimals()));
    Instrument {
        symbol: pair.symbol,
        base: pair.base,
        quote: pair.quote,
        is_trading: true,
        price_step: scale.max(pair.tick),
        qty_step: pair.qty_step(),
        value_min: pair.value_min,
        qty_min: None,
        qty_max: Some(pair.qty_max),
        price_min: None,
        price_max: None,
        fee_in_base: pair.fee_in_base,
    }
}

pub(crate) fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::InsertBlocked => Refusal::InsertBlocked,
        Refused::MethodNotSupported => Refusal::MethodNotSupported,
        Refused::QuantityScale => Refusal::QuantityScale,
        Refused::PriceScale => Refusal::PriceScale,
        Refused::AboveBand | Refused::BelowBand | Refused::AmountExceeded => Refusal::PriceBand,
        Refused::MinTotal => Refusal::MinTotal,
        Refused::Funds => Refusal::InsufficientBalance,
        Refused::OrderParameter
        | Refused::TypeNotSupported
        | Refused::MarketOrder
        | Refused::NoOrderMatches
        | Refused::CouldNotBeCanceled => Refusal::Other,
    }
}

pub(crate) fn row(order: &Order, shown: Version, symbol: Symbol) -> OrderRow {
    OrderRow {
        id: order.id,
        client_id: ours(order.echo.as_ref()),
        symbol,
        side: order.side,
        price: order.price,
        qty: order.qty(),
        left: shown.left,
        status: match shown.state {
            State::Accepted | State::Untouched => RowStatus::Untouched,
            State::Partial => RowStatus::Partial,
            State::Canceled => RowStatus::Canceled,
            State::Closed => RowStatus::Closed,
        },
        at: shown.from,
    }
}

pub(crate) fn trade(
    fill: &Fill,
    pair: &Pair,
    client_id: Option<ClientId>,
    source: TradeSource,
) -> OwnTrade {
    OwnTrade {
        source,
        id: match source {
            TradeSource::Stream => fill.stream_id,
            TradeSource::Rest => fill.id,
        },
        order_id: fill.order_id,
        client_id,
        base: pair.base,
        quote: pair.quote,
        side: fill.side,
        price: fill.price,
        qty: fill.qty,
        fee: fill.charges.fee,
        tax: fill.charges.tax,
        at: fill.at,
        fee_in_base: false,
    }
}

pub(crate) fn transfer(note: &TransferNote) -> Transfer {
    Transfer {
        id: TransferId {
            rail: note.rail,
            number: note.number,
        },
        asset: note.asset,
        amount: note.amount,
        charges: Amount::ZERO,
        at: note.at,
    }
}

pub(crate) fn balances(shown: &Balances) -> Vec<BalanceRow> {
    shown
        .iter()
        .map(|(asset, held)| BalanceRow {
            asset: *asset,
            free: held.free,
            locked: held.locked,
        })
        .collect()
}

fn note(note: &OrderNote, pairs: &[Pair]) -> OrderEvent {
    OrderEvent {
        id: note.id,
        client_id: ours(note.echo.as_ref()),
        symbol: pairs[note.pair.0].symbol,
        side: Some(note.side),
        price: note.price,
        left: note.left,
    }
}

pub(crate) fn private(said: &Said, pairs: &[Pair]) -> PrivateEvent {
    match said {
        Said::Inserted(order) => PrivateEvent::Inserted(note(order, pairs)),
        Said::Deleted(order) => PrivateEvent::Deleted(note(order, pairs)),
        Said::Matched { fill, echo, .. } => PrivateEvent::Matched {
            order_id: fill.order_id,
            client_id: ours(echo.as_ref()),
        },
        Said::Traded { fill, echo } => PrivateEvent::Trade(trade(
            fill,
            &pairs[fill.pair.0],
            ours(echo.as_ref()),
            TradeSource::Stream,
        )),
        Said::BalanceHint { .. } => PrivateEvent::BalanceHint,
    }
}

/// Public data as an event, with the channel it comes on; nothing for private data.
pub(crate) fn public(event: &Event, pairs: &[Pair]) -> Option<(Channel, Symbol, MarketEvent)> {
    match event {
        Event::BookDiff { diff, .. } => {
            Some((Channel::Diff, diff.symbol, MarketEvent::Diff(diff.clone())))
        }
        Event::BookFull { full, .. } => {
            Some((Channel::Book, full.symbol, MarketEvent::Full(full.clone())))
        }
        Event::Trade { trade, .. } => {
            Some((Channel::Trade, trade.symbol, MarketEvent::Trade(*trade)))
        }
        Event::Ticker(row) => {
            let ticker = ticker(row, pairs);
            Some((Channel::Ticker, ticker.symbol, MarketEvent::Ticker(ticker)))
        }
        Event::Private { .. } => None,
    }
}

fn ticker(row: &TickerRow, pairs: &[Pair]) -> Ticker {
    Ticker {
        symbol: pairs[row.pair.0].symbol,
        bid: row.bid.price,
        ask: row.ask.price,
        last: row.last,
    }
}

/// How the exchange says that a channel was joined (docs/EXCHANGE.md 10, message 100).
pub(crate) fn joined(channel: Channel, symbol: Symbol) -> String {
    let name = match channel {
        Channel::Diff => "obdiff",
        Channel::Book => "orderbook",
        Channel::Trade => "trade",
        Channel::Ticker => "ticker",
    };
    format!("join|{name}:{symbol}")
}
