//! Checks 9 to 14: the market the order would meet, the exchange's grid, and our own orders in that market.

use super::{Case, Refused, Verdict, refuse};
use crate::decision::{Check, Found};
use crate::instrument::QuantiseError;
use crate::intent::IntentClass;
use crate::market::Side;
use crate::money::{BPS_PER_ONE, Price};
use crate::risk::DenyCode;
use crate::risk::pair::{Market, Quoted};

/// A protective order, and one against an older trade, may be this many collars away.
const WIDE_COLLARS: i64 = 3;
/// Age up to which the last trade counts, milliseconds.
const LAST_TRADE_MS: i64 = 60_000;
/// Prices this close are the same order, basis points.
const SAME_PRICE_BPS: i64 = 5;
/// Quantities this close are the same order, basis points.
const SAME_QTY_BPS: i64 = 100;
/// The same wish again within this time is a duplicate, milliseconds.
const SAME_WISH_MS: i64 = 1_000;

/// 9: the book may be trusted, is fresh, and is of the session that the decision saw.
pub(super) fn book(case: &mut Case<'_>) -> Verdict {
    let quoted = match case.pair().map(|pair| pair.market) {
        Some(Market::Trusted(quoted)) => quoted,
        Some(Market::Untrusted(why)) => {
            return refuse(DenyCode::MarketDataUntrusted, why.as_str(), "trusted");
        }
        None => return refuse(DenyCode::MarketDataUntrusted, "no book", "trusted"),
    };
    let age_ms_max = case.gate.settings.limits.market_data_age_ms;
    let age_ms = case.now.ms_since(quoted.received);
    if case.now > quoted.received.plus_ms(age_ms_max) {
        return refuse(
            DenyCode::MarketDataStale,
            format!("{age_ms} ms"),
            format!("{age_ms_max} ms"),
        );
    }
    let (seen, current) = (case.intent.book.session, quoted.stamp.session);
    if seen != current {
        return refuse(
            DenyCode::SessionChanged,
            format!("session {seen}"),
            format!("session {current}"),
        );
    }
    case.note(Check::BookAge, Found::Ms(age_ms, age_ms_max));
    Ok(())
}

/// 10: price and quantity fit the exchange's rules; rounded on the safe side, never enlarged.
pub(super) fn grid(case: &mut Case<'_>) -> Verdict {
    let Some(rules) = case.gate.rules(case.intent.symbol) else {
        return refuse(DenyCode::RulesUnavailable, "no rules", "complete rules");
    };
    let (intent, least) = (
        &mut case.intent,
        case.gate.settings.limits.min_order_notional,
    );
    let seen = format!("{} x {}", intent.limit, intent.qty);
    match rules.quantise(intent.side, intent.limit, intent.qty, least) {
        Ok((price, qty)) => {
            (intent.limit, intent.qty) = (price, qty);
            let smallest = rules.value_min.max(least);
            case.note(
                Check::OrderMinimum,
                Found::Money(price.value(qty), smallest),
            );
            Ok(())
        }
        Err(QuantiseError::NonPositive) => {
            let grid = format!("steps {} and {}", rules.price_step, rules.qty_step);
            refuse(DenyCode::NonPositiveAfterQuantize, seen, grid)
        }
        Err(QuantiseError::PriceOutOfRange) => {
            let range = format!("{:?} to {:?}", rules.price_min, rules.price_max);
            refuse(DenyCode::PriceOutOfRange, seen, range)
        }
        Err(QuantiseError::BelowMinimum) => {
            refuse(DenyCode::MinNotional, seen, rules.value_min.max(least))
        }
    }
}

/// 11: not too far through the market, nor through the last trade if that is young.
pub(super) fn collar(case: &mut Case<'_>) -> Verdict {
    let Some(quoted) = quoted(case) else {
        return refuse(DenyCode::MarketDataUntrusted, "no book", "trusted");
    };
    let (side, price) = (case.intent.side, case.intent.limit);
    let bps = case.gate.settings.limits.price_collar_bps;
    let is_protective = case.intent.class == IntentClass::Protective;
    let bps_book = if is_protective {
        bps.saturating_mul(WIDE_COLLARS)
    } else {
        bps
    };
    let best = match side {
        Side::Buy => quoted.ask,
        Side::Sell => quoted.bid,
    };
    let through = inside_collar(side, price, best, bps_book)?;
    case.note(Check::Collar, through);
    match quoted.last_trade {
        Some((last, at)) if case.now <= at.plus_ms(LAST_TRADE_MS) => {
            let through = inside_collar(side, price, last, bps.saturating_mul(WIDE_COLLARS))?;
            case.note(Check::TradeCollar, through);
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

/// How far the price goes through the anchor, if that is allowed; below zero where it stays on its own side.
fn inside_collar(side: Side, price: Price, anchor: Price, bps: i64) -> Result<Found, Refused> {
    let (asked, anchored) = (i128::from(price.units()), i128::from(anchor.units()));
    let through = match side {
        Side::Buy => asked - anchored,
        Side::Sell => anchored - asked,
    };
    match bps_of(through, anchored) {
        Some(seen) if seen <= bps => Ok(Found::Bps(seen, bps)),
        Some(_) | None => Err(Refused {
            code: DenyCode::PriceCollar,
            seen: price.to_string(),
            allowed: format!("{bps} bps from {anchor}"),
        }),
    }
}

/// `part / whole` in basis points, rounded up: it is within a whole number of them exactly if the fraction is.
fn bps_of(part: i128, whole: i128) -> Option<i64> {
    let scaled = part.checked_mul(i128::from(BPS_PER_ONE))?;
    let down = scaled.checked_div_euclid(whole)?;
    i64::try_from(down + i128::from(scaled.rem_euclid(whole) != 0)).ok()
}

/// 12: no increasing order in a wide market; measured against mid.
pub(super) fn spread(case: &mut Case<'_>) -> Verdict {
    let Some(quoted) = quoted(case).filter(|_| !case.is_reducing) else {
        return Ok(());
    };
    let bps_max = case.gate.settings.limits.max_spread_bps;
    let (bid, ask) = (
        i128::from(quoted.bid.units()),
        i128::from(quoted.ask.units()),
    );
    match bps_of(2 * (ask - bid), ask + bid) {
        Some(seen) if seen <= bps_max => {
            case.note(Check::Spread, Found::Bps(seen, bps_max));
            Ok(())
        }
        Some(_) | None => refuse(
            DenyCode::SpreadTooWide,
            format!("{} to {}", quoted.bid, quoted.ask),
            format!("{bps_max} bps"),
        ),
    }
}

/// 13: it cannot meet an order of the account on the other side, whatever is known of that one.
pub(super) fn self_trade(case: &mut Case<'_>) -> Verdict {
    let (symbol, side, price) = (case.intent.symbol, case.intent.side, case.intent.limit);
    let meets = |other: Price| match side {
        Side::Buy => price >= other,
        Side::Sell => price <= other,
    };
    let other_side = side.opposite();
    let gate = case.gate;
    let own =
        (gate.orders.side_of(symbol, other_side)).map(|view| ("own", view.order.intent.limit));
    let foreign = (gate
        .foreign_of(symbol)
        .filter(|order| order.side == other_side))
    .map(|order| ("foreign", order.price));
    match own.chain(foreign).find(|(_, other)| meets(*other)) {
        Some((whose, other)) => {
            let met = format!("{whose} {} at {other}", other_side.as_str());
            refuse(DenyCode::SelfTrade, price, format!("clear of {met}"))
        }
        None => {
            case.note(Check::SelfTrade, Found::Holds);
            Ok(())
        }
    }
}

/// 14: no like order is working, and the same wish was not let through a moment ago.
pub(super) fn duplicate(case: &mut Case<'_>) -> Verdict {
    let (symbol, side) = (case.intent.symbol, case.intent.side);
    let like = |price: Price, qty: i64| {
        is_close(case.intent.limit.units(), price.units(), SAME_PRICE_BPS)
            && is_close(case.intent.qty.units(), qty, SAME_QTY_BPS)
    };
    let mut working = case.gate.orders.side_of(symbol, side);
    if working.any(|view| like(view.order.intent.limit, view.order.intent.qty.units())) {
        return refuse(
            DenyCode::DuplicateIntent,
            "a like order is working",
            "one at a time",
        );
    }
    let passes = case.gate.passes.get(&symbol);
    match passes.and_then(|passes| passes.last(side)) {
        Some(passed)
            if case.now < passed.at.plus_ms(SAME_WISH_MS)
                && like(passed.price, passed.qty.units()) =>
        {
            let age_ms = case.now.ms_since(passed.at);
            refuse(
                DenyCode::DuplicateIntent,
                format!("let through {age_ms} ms ago"),
                format!("{SAME_WISH_MS} ms"),
            )
        }
        Some(_) | None => {
            case.note(Check::Duplicate, Found::Holds);
            Ok(())
        }
    }
}

fn is_close(a: i64, b: i64, bps: i64) -> bool {
    i128::from(a.abs_diff(b)) * i128::from(BPS_PER_ONE) <= i128::from(b) * i128::from(bps)
}

fn quoted(case: &Case<'_>) -> Option<Quoted> {
    case.pair().and_then(|pair| pair.quoted())
}
