//! Checks 15 to 18, 20 and 21: how many orders, how often, how large.

use super::{Case, Verdict, market, refuse};
use crate::decision::{Check, Found};
use crate::intent::IntentClass;
use crate::risk::DenyCode;

/// Own orders that may ever work at once, reducing ones included (I5).
const OPEN_ORDERS_MAX: usize = 40;

/// 15: room among the own orders; a reducing order has all the room there is.
pub(super) fn open_orders(case: &mut Case<'_>) -> Verdict {
    let (orders, limits) = (&case.gate.orders, &case.gate.settings.limits);
    let of_pair = orders.of(case.intent.symbol).count();
    let (all, most_of_pair) = (orders.len(), limits.max_open_orders_per_symbol);
    if !case.is_reducing && of_pair >= most_of_pair {
        return refuse(
            DenyCode::MaxOpenOrdersPerSymbol,
            of_pair,
            format!("below {most_of_pair}"),
        );
    }
    let most = if case.is_reducing {
        OPEN_ORDERS_MAX
    } else {
        limits.max_open_orders.min(OPEN_ORDERS_MAX)
    };
    if all >= most {
        return refuse(DenyCode::MaxOpenOrders, all, format!("below {most}"));
    }
    if !case.is_reducing {
        case.note(Check::OpenOrdersOfPair, count(of_pair, most_of_pair));
    }
    case.note(Check::OpenOrders, count(all, most));
    Ok(())
}

const fn count(seen: usize, allowed: usize) -> Found {
    Found::Count(seen as u64, allowed as u64)
}

/// 16: a pause after each entry; quotes and everything that takes risk off are exempt.
pub(super) fn cooldown(case: &mut Case<'_>) -> Verdict {
    if case.intent.class != IntentClass::Entry || case.is_reducing {
        return Ok(());
    }
    let pause_ms = case.gate.settings.limits.cooldown_ms;
    let passes = case.gate.passes.get(&case.intent.symbol);
    let Some(at) = passes.and_then(|passes| passes.entered_at(case.intent.side)) else {
        case.note(Check::Cooldown, Found::Holds);
        return Ok(());
    };
    let (age_ms, is_over) = (case.now.ms_since(at), case.now >= at.plus_ms(pause_ms));
    if !is_over {
        return refuse(
            DenyCode::Cooldown,
            format!("{age_ms} ms"),
            format!("{pause_ms} ms"),
        );
    }
    case.note(Check::Cooldown, Found::Ms(age_ms, pause_ms));
    Ok(())
}

/// 18: the exchange is left alone for as long as it asked; it would refuse a reducing order as well.
pub(super) fn breaker(case: &mut Case<'_>) -> Verdict {
    match case.gate.held_until {
        Some(until) if case.now < until => refuse(
            DenyCode::BreakerOpen,
            format!("{} ms to go", until.ms_since(case.now)),
            "a closed breaker",
        ),
        Some(_) | None => Ok(()),
    }
}

/// 18: orders in the last minute; reducing ones count and pass.
pub(super) fn order_rate(case: &mut Case<'_>) -> Verdict {
    let (orders, most) = (
        case.gate.pace.orders(case.now),
        case.gate.settings.limits.max_orders_per_minute,
    );
    if case.is_reducing {
        return Ok(());
    }
    if orders >= most {
        return refuse(
            DenyCode::OrderRate,
            format!("{orders} in 60 s"),
            format!("below {most}"),
        );
    }
    case.note(Check::OrderRate, count(orders, most));
    Ok(())
}

/// 20: not too large: made smaller and put on the grid again, or refused if nothing is left.
pub(super) fn order_cap(case: &mut Case<'_>) -> Verdict {
    let most = case.gate.settings.limits.max_order_notional;
    let value = case.value();
    if value > most {
        let capped = most.qty_at(case.intent.limit).unwrap_or_default();
        case.intent.qty = capped.min(case.intent.qty);
        market::grid(case).or_else(|_| refuse(DenyCode::MaxOrderNotional, value, most))?;
    }
    case.note(Check::OrderValue, Found::Money(case.value(), most));
    Ok(())
}

/// 21: value of increasing orders in the last minute.
pub(super) fn minute_value(case: &mut Case<'_>) -> Verdict {
    let most = case.gate.settings.limits.max_notional_per_minute;
    if case.is_reducing {
        return Ok(());
    }
    let sum = case.gate.pace.value(case.now) + case.value();
    if sum > most {
        return refuse(DenyCode::NotionalCap, format!("{sum} in 60 s"), most);
    }
    case.note(Check::MinuteValue, Found::Money(sum, most));
    Ok(())
}
