//! The exchange's rules as the simulated venue enforces them, under the exchange's names.
//!
//! The fill model knows markets and funds; whether an order may be placed at all is judged here, before it.

use engine::answer::Refusal;
use engine::instrument::Instrument;
use engine::intent::NewOrder;

/// Returns the first rule that an order breaks, in the order of docs/EXCHANGE.md 13.1.
pub(super) fn refusal(rules: &Instrument, order: &NewOrder) -> Option<Refusal> {
    let (price, qty) = (order.intent.limit, order.intent.qty);
    let is_off_band = rules.price_min.is_some_and(|min| price < min)
        || rules.price_max.is_some_and(|max| price > max)
        || rules.qty_max.is_some_and(|max| qty > max);
    let is_small = price.value(qty) < rules.value_min || rules.qty_min.is_some_and(|min| qty < min);
    if !rules.is_trading {
        Some(Refusal::InsertBlocked)
    } else if qty.floor_to(rules.qty_step) != qty {
        Some(Refusal::QuantityScale)
    } else if price.floor_to(rules.price_step) != price {
        Some(Refusal::PriceScale)
    } else if is_off_band {
        Some(Refusal::PriceBand)
    } else if is_small {
        Some(Refusal::MinTotal)
    } else {
        None
    }
}
