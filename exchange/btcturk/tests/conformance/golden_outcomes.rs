//! Golden answers to an order POST and DELETE: the outcome table of docs/EXCHANGE.md 7.2, row by row.

use super::*;
use btcbot_btcturk::classify::{REFUSALS, cancel_reply, submit_outcome};
use engine::answer::{CancelReply, Refusal, SubmitOutcome, UnknownCause};
use engine::ids::OrderId;

const AMBIGUOUS: SubmitOutcome = SubmitOutcome::Unknown(UnknownCause::Ambiguous);
const UNEXPECTED: SubmitOutcome = SubmitOutcome::Unknown(UnknownCause::Unexpected);

fn check_submit(status: u16, body: &str, expected: SubmitOutcome) {
    let outcome = submit_outcome(status, body.as_bytes(), CLIENT_ID);
    assert_eq!(outcome, expected, "{status} {body}");
}

#[test]
fn submit_outcome_table_by_failure_point() {
    let accepted = answer("order_accepted").text().to_owned();
    let id = OrderId(28_000_000_002);
    let refused = answer("order_refused_funds").text().to_owned();
    let funds = SubmitOutcome::Rejected(Refusal::InsufficientBalance);
    check_submit(200, &accepted, SubmitOutcome::Accepted(id));
    check_submit(
        200,
        &accepted.replace(CLIENT_ID, "other"),
        SubmitOutcome::AcceptedWithoutEcho(id),
    );
    check_submit(
        200,
        &accepted.replace("newOrderClientId", "x"),
        SubmitOutcome::AcceptedWithoutEcho(id),
    );
    check_submit(200, &accepted.replace("28000000002", "0"), AMBIGUOUS);
    check_submit(200, &accepted.replace("true", "false"), AMBIGUOUS);
    check_submit(
        200,
        &accepted.replace(r#""httpStatusCode":200"#, r#""httpStatusCode":400"#),
        AMBIGUOUS,
    );
    check_submit(200, &refused, AMBIGUOUS);
    for body in [
        "",
        "<html>",
        "{}",
        "null",
        r#"{"success":true,"message":"SUCCESS","code":0}"#,
    ] {
        check_submit(200, body, AMBIGUOUS);
    }
    check_submit(201, &accepted, AMBIGUOUS);
    for status in [400, 422] {
        check_submit(status, &refused, funds);
        check_submit(status, &refused.replace(r#""data":null,"#, ""), funds);
        check_submit(
            status,
            &refused.replace("FAILED_", "FAILED_NEW_"),
            AMBIGUOUS,
        );
        check_submit(
            status,
            &refused.replace("1122", r#""FAILED_ORDER_WITH_OPEN_ORDERS""#),
            funds,
        );
        check_submit(
            status,
            &accepted.replace("SUCCESS", "FAILED_LIMIT_ORDER"),
            AMBIGUOUS,
        );
        check_submit(status, "", AMBIGUOUS);
    }
    check_submit(400, answer("order_refused_funds_2022").text(), funds);
    let unauthorized = answer("unauthorized").text().to_owned();
    check_submit(
        401,
        &unauthorized,
        SubmitOutcome::Rejected(Refusal::Unauthorized),
    );
    check_submit(
        401,
        &unauthorized.replace("Unauthorized - Invalid Nonce", "Invalid Signature"),
        SubmitOutcome::Rejected(Refusal::Unauthorized),
    );
    check_submit(
        401,
        &unauthorized.replace("Unauthorized - ", "Try later - "),
        AMBIGUOUS,
    );
    check_submit(401, "<html>", AMBIGUOUS);
    check_submit(
        429,
        answer("quota").text(),
        SubmitOutcome::Rejected(Refusal::RateLimited),
    );
    check_submit(429, answer("quota_2020").text(), AMBIGUOUS);
    check_submit(429, "<html>", AMBIGUOUS);
    for status in [
        0, 100, 301, 302, 307, 308, 402, 403, 404, 405, 415, 418, 600,
    ] {
        check_submit(status, &accepted, UNEXPECTED);
        check_submit(status, &refused, UNEXPECTED);
    }
    for status in [500, 502, 503, 504, 520] {
        for body in [
            &accepted,
            &refused,
            answer("internal_error").text(),
            answer("maintenance").text(),
            "<html>",
        ] {
            check_submit(status, body, AMBIGUOUS);
        }
    }
}

#[test]
fn every_documented_refusal_is_told_by_its_name_under_any_number() {
    for (name, refusal) in REFUSALS {
        for code in [r#"1122"#, "9", r#""A_NAME""#, "null"] {
            let body = format!(
                r#"{{"httpStatusCode":400,"data":null,"success":false,"message":"{name}","code":{code}}}"#
            );
            check_submit(400, &body, SubmitOutcome::Rejected(refusal));
            check_submit(500, &body, AMBIGUOUS);
        }
    }
    for name in [
        "FAILED_ORDER_PARAMETER",
        "PARAMETERS_ERROR",
        "INTERNAL_ERROR",
        "Order not found",
        "failed_limit_order",
    ] {
        let body = format!(r#"{{"data":null,"success":false,"message":"{name}","code":1}}"#);
        check_submit(400, &body, AMBIGUOUS);
    }
}

#[test]
fn a_cancel_is_never_the_end_of_an_order() {
    let check = |status: u16, body: &str, expected: CancelReply| {
        assert_eq!(
            cancel_reply(status, None, body.as_bytes()),
            expected,
            "{status} {body}"
        );
    };
    let body = |name: &str| answer(name).text().to_owned();
    check(200, &body("cancel_accepted"), CancelReply::Acknowledged);
    check(400, &body("cancel_no_order"), CancelReply::LookUp);
    check(400, &body("cancel_too_late"), CancelReply::LookUp);
    check(200, &body("cancel_too_late"), CancelReply::LookUp);
    check(404, &body("order_not_found"), CancelReply::LookUp);
    check(400, &body("cancel_blocked"), CancelReply::Blocked);
    check(401, &body("unauthorized"), CancelReply::Unauthorized);
    check(429, &body("quota"), CancelReply::RateLimited(60_000));
    for (status, text) in [
        (200, ""),
        (200, "<html>"),
        (500, "{}"),
        (503, "<html>"),
        (307, ""),
        (415, "{}"),
    ] {
        check(status, text, CancelReply::Failed);
    }
    check(500, &body("cancel_too_late"), CancelReply::Failed);
    assert_eq!(
        cancel_reply(429, Some(7_000), b""),
        CancelReply::RateLimited(7_000)
    );
}
