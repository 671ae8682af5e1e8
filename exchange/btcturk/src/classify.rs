//! What an answer to an order POST or DELETE proves.
//!
//! Order of judgement: HTTP status, then the refusal's name, then the shape of the body; the `success` flag and the
//! numbers decide nothing, because both have lied (docs/EXCHANGE.md 2.1, 7). Whatever is not documented is Unknown:
//! an order that might exist is asked for, never sent again (I2).

use crate::rest::RATE_LIMIT_WAIT_MS;
use crate::wire::{Envelope, Member, OrderAnswer};
use engine::answer::{CancelReply, Refusal, SubmitOutcome, UnknownCause};
use engine::ids::OrderId;
use serde::de::IgnoredAny;

/// Longest body of an order answer that is read; real ones have 400 bytes.
pub const ORDER_BODY_BYTES_MAX: usize = 1 << 20;

/// The refusals of an order that are documented or captured, by name. A name that is not here is Unknown.
///
/// Source: docs/EXCHANGE.md 7.
pub const REFUSALS: [(&str, Refusal); 18] = [
    ("FAILED_MARKET_ORDER", Refusal::Other),
    ("FAILED_LIMIT_ORDER", Refusal::Other),
    (
        "FAILED_ORDER_WITH_OPEN_ORDERS",
        Refusal::InsufficientBalance,
    ),
    ("FAILED_MIN_TOTAL_AMOUNT", Refusal::MinTotal),
    ("FAILED_STOP_PRICE_GREATER_THAN_BEST_ASK", Refusal::Other),
    ("FAILED_STOP_PRICE_LESS_THAN_BEST_BID", Refusal::Other),
    ("FAILED_INVALID_PRICE_SCALE", Refusal::PriceScale),
    ("FAILED_INVALID_QUANTITY_SCALE", Refusal::QuantityScale),
    ("FAILED_INVALID_STOP_PRICE_SCALE", Refusal::PriceScale),
    ("ORDER_METHOD_NOT_SUPPORTED", Refusal::MethodNotSupported),
    ("ORDER_TYPE_NOT_SUPPORTED", Refusal::MethodNotSupported),
    ("PRICE_MUST_BE_LESS_THAN_MAXPRICE", Refusal::PriceBand),
    ("PRICE_MUST_BE_LESS_THAN_MINPRICE", Refusal::PriceBand),
    ("ORDER_MIN_PRICE_EXCEEDED", Refusal::PriceBand),
    ("ORDER_MAX_PRICE_EXCEEDED", Refusal::PriceBand),
    ("MAXIMUM_ORDER_AMOUNT_EXCEEDED", Refusal::PriceBand),
    ("BALANCE_NOT_ENOUGH", Refusal::InsufficientBalance),
    ("ORDER_INSERT_BLOCKED", Refusal::InsertBlocked),
];

/// Start of most authentication refusals (docs/EXCHANGE.md 3.1).
const UNAUTHORIZED_PREFIX: &str = "Unauthorized - ";
/// Authentication refusals without that start.
const UNAUTHORIZED_NAMES: [&str; 2] = ["Invalid Signature", "Headers are missing"];
/// The name in the documented quota answer (docs/EXCHANGE.md 8).
const QUOTA_NAME: &str = "TOO_MANY_REQUESTS";
/// Cancel refusals after which the order must be looked up: they prove nothing about it.
const LOOK_UP_NAMES: [&str; 3] = [
    "NO_ORDER_MATCHES_YOUR_REQUEST",
    "ORDER_COULD_NOT_BE_CANCELED",
    crate::rest::ORDER_NOT_FOUND,
];
/// The name that says the exchange takes no cancels.
const CANCEL_BLOCKED_NAME: &str = "ORDER_CANCEL_BLOCKED";

const AMBIGUOUS: SubmitOutcome = SubmitOutcome::Unknown(UnknownCause::Ambiguous);
const UNEXPECTED: SubmitOutcome = SubmitOutcome::Unknown(UnknownCause::Unexpected);

/// Judges the answer to an order POST; `sent` is the client id that went out.
///
/// `Unexpected` marks what our client or route should never get (3xx, undocumented 4xx): the caller raises OBSERVE_ONLY.
pub fn submit_outcome(status: u16, body: &[u8], sent: &str) -> SubmitOutcome {
    let answer = read(body);
    match status {
        200 => answer.map_or(AMBIGUOUS, |answer| accepted(answer, sent)),
        201..=299 | 500..=599 => AMBIGUOUS,
        400 | 422 => answer.and_then(refused).unwrap_or(AMBIGUOUS),
        401 => named(answer, is_unauthorized, Refusal::Unauthorized),
        429 => named(answer, |name| name == QUOTA_NAME, Refusal::RateLimited),
        _ => UNEXPECTED,
    }
}

/// Judges the answer to a cancel. No answer ends an order: only its row or its trades do.
///
/// `retry_after_ms` is what the header asked for ([`crate::retry_after::retry_after_ms`]); without it a 429 waits 60 s.
pub fn cancel_reply(status: u16, retry_after_ms: Option<i64>, body: &[u8]) -> CancelReply {
    let answer = read_any(body);
    match status {
        200 if answer
            .as_ref()
            .is_some_and(|answer| answer.success == Some(true)) =>
        {
            CancelReply::Acknowledged
        }
        401 => CancelReply::Unauthorized,
        429 => CancelReply::RateLimited(retry_after_ms.unwrap_or(RATE_LIMIT_WAIT_MS)),
        200 | 400 | 404 | 422 => answer
            .and_then(|answer| answer.message.value())
            .map_or(CancelReply::Failed, cancel_refusal),
        _ => CancelReply::Failed,
    }
}

/// Returns whether a message is a documented authentication refusal (docs/EXCHANGE.md 3.1).
pub fn is_unauthorized(message: &str) -> bool {
    message.starts_with(UNAUTHORIZED_PREFIX) || UNAUTHORIZED_NAMES.contains(&message)
}

fn read(body: &[u8]) -> Option<Envelope<OrderAnswer>> {
    Some(body)
        .filter(|body| body.len() <= ORDER_BODY_BYTES_MAX)
        .and_then(|body| serde_json::from_slice(body).ok())
}

fn read_any(body: &[u8]) -> Option<Envelope<IgnoredAny>> {
    Some(body)
        .filter(|body| body.len() <= ORDER_BODY_BYTES_MAX)
        .and_then(|body| serde_json::from_slice(body).ok())
}

fn accepted(answer: Envelope<OrderAnswer>, sent: &str) -> SubmitOutcome {
    let says_refused = answer.http_status_code.is_some_and(|status| status != 200);
    if answer.success != Some(true) || says_refused {
        return AMBIGUOUS;
    }
    let Some(order) = answer.data.value().filter(|order| order.id.value() > 0) else {
        return AMBIGUOUS;
    };
    let id = OrderId(order.id.value());
    if order.new_order_client_id.as_deref() == Some(sent) {
        SubmitOutcome::Accepted(id)
    } else {
        SubmitOutcome::AcceptedWithoutEcho(id)
    }
}

/// A documented name counts only if the answer carries no order.
fn refused(answer: Envelope<OrderAnswer>) -> Option<SubmitOutcome> {
    let has_order = matches!(answer.data, Member::Value(_));
    let name = answer.message.value().filter(|_| !has_order)?;
    let known = REFUSALS.iter().find(|(known, _)| *known == name)?;
    Some(SubmitOutcome::Rejected(known.1))
}

fn named(
    answer: Option<Envelope<OrderAnswer>>,
    is_documented: fn(&str) -> bool,
    refusal: Refusal,
) -> SubmitOutcome {
    match answer.and_then(|answer| answer.message.value()) {
        Some(name) if is_documented(&name) => SubmitOutcome::Rejected(refusal),
        Some(_) | None => AMBIGUOUS,
    }
}

fn cancel_refusal(name: String) -> CancelReply {
    if LOOK_UP_NAMES.contains(&name.as_str()) {
        CancelReply::LookUp
    } else if name == CANCEL_BLOCKED_NAME {
        CancelReply::Blocked
    } else {
        CancelReply::Failed
    }
}
