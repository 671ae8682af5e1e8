//! Captured REST answers, C-20 to C-33 of docs/INVARIANTS.md. Row numbers are lines of `rest_samples.ndjson`.

use super::*;
use btcbot_btcturk::classify::{cancel_reply, submit_outcome};
use btcbot_btcturk::rest::{ReadError, account, public};
use btcbot_btcturk::retry_after::retry_after_ms;
use btcbot_btcturk::wire::{
    Envelope, ExchangeInfo, OpenOrders, Order, OrderAnswer, QuotaRefusal, RestBook, RestTicker,
};
use engine::answer::{CancelReply, Refusal, RowStatus, SubmitOutcome, UnknownCause};
use engine::ids::OrderId;
use engine::market::Side;
use engine::time::Timestamp;

struct Answers(Vec<Row>);

impl Answers {
    fn open() -> Option<Self> {
        captured("rest_samples.ndjson").map(Self)
    }

    /// Returns the body of a row, counted from 1 as in the page.
    fn text(&self, row: usize) -> &str {
        self.0[row - 1].text()
    }

    fn reply(&self, row: usize) -> Reply<'_> {
        self.0[row - 1].reply()
    }

    fn submit(&self, row: usize, status: u16, sent: &str) -> SubmitOutcome {
        submit_outcome(status, self.text(row).as_bytes(), sent)
    }
}

#[test]
fn c_20_captured_answers_survive_a_round_trip_to_the_character() {
    let Some(answers) = Answers::open() else {
        return;
    };
    assert_eq!(answers.0.len(), 16);
    let check = |row: usize, round_trip: fn(&str)| round_trip(answers.text(row));
    check(1, check_body_round_trip::<Envelope<RestBook>>);
    check(2, check_body_round_trip::<Envelope<Vec<RestTicker>>>);
    check(3, check_body_round_trip::<Envelope<Vec<RestTicker>>>);
    check(4, check_body_round_trip::<Envelope<ExchangeInfo>>);
    check(5, check_body_round_trip::<Envelope<RestBook>>);
    check(6, check_body_round_trip::<Envelope<ExchangeInfo>>);
    check(7, check_body_round_trip::<Envelope<()>>);
    check(8, check_body_round_trip::<Envelope<OrderAnswer>>);
    check(9, check_body_round_trip::<Envelope<OrderAnswer>>);
    check(10, check_body_round_trip::<Envelope<OpenOrders>>);
    check(11, check_body_round_trip::<Envelope<()>>);
    check(12, check_body_round_trip::<Envelope<Vec<Order>>>);
    check(13, check_body_round_trip::<Envelope<()>>);
    check(14, check_body_round_trip::<Envelope<()>>);
    check(15, check_body_round_trip::<QuotaRefusal>);
    check(16, check_body_round_trip::<Envelope<()>>);
}

#[test]
fn c_21_book_stamps_are_floats_and_trailing_zeros_are_no_difference() {
    let Some(answers) = Answers::open() else {
        return;
    };
    let book = public::order_book(&answers.reply(1)).unwrap();
    assert_eq!(book.at, Timestamp::from_ms(1_647_493_701_782));
    assert_eq!((book.asks[2].qty, book.cuts), (qty("0.117"), 0));
    let book = public::order_book(&answers.reply(5)).unwrap();
    assert_eq!(book.at, Timestamp::from_ms(1_647_501_159_759));
}

#[test]
fn c_22_tickers_are_read_from_their_digits() {
    let Some(answers) = Answers::open() else {
        return;
    };
    let one = public::tickers(&answers.reply(2)).unwrap();
    assert_eq!(
        (one.rows[0].bid, one.rows[0].last),
        (price("40569"), price("40585"))
    );
    let three = public::tickers(&answers.reply(3)).unwrap();
    assert_eq!((three.rows.len(), three.skipped.len()), (3, 0));
    assert_eq!(three.rows[1].ask, price("0.06647"));
}

#[test]
fn c_23_exchange_info_is_read_without_envelope_members() {
    let Some(answers) = Answers::open() else {
        return;
    };
    let rules = public::exchange_info(&answers.reply(4)).unwrap();
    let btc = &rules.rows[0];
    assert_eq!((rules.rows.len(), rules.skipped.len()), (2, 0));
    assert_eq!(
        (btc.tick, btc.value_min),
        (Some(price("10")), Some(amount("99.91")))
    );
    assert_eq!(
        (btc.qty_min, btc.qty_max, btc.has_fraction),
        (None, None, false)
    );
    assert_eq!(
        (btc.price_min, btc.price_max),
        (Some(price("58387.9")), Some(price("5838790")))
    );
    assert_eq!(
        public::exchange_info(&answers.reply(6)).unwrap().rows[0].price_scale,
        0
    );
}

#[test]
fn c_24_c_28_cancels_are_acknowledged_or_looked_up() {
    let Some(answers) = Answers::open() else {
        return;
    };
    let cancel = |row: usize, status| cancel_reply(status, None, answers.text(row).as_bytes());
    assert_eq!(cancel(7, 200), CancelReply::Acknowledged);
    assert!(!answers.text(7).contains("data"));
    assert_eq!(cancel(11, 400), CancelReply::LookUp);
}

#[test]
fn c_25_c_26_c_31_order_answers_are_judged_by_name_id_and_echo() {
    let Some(answers) = Answers::open() else {
        return;
    };
    let funds = SubmitOutcome::Rejected(Refusal::InsufficientBalance);
    assert_eq!(answers.submit(8, 400, "any"), funds);
    let id = OrderId(21_770_789_256);
    assert_eq!(answers.submit(9, 200, "Sat"), SubmitOutcome::Accepted(id));
    assert_eq!(
        answers.submit(9, 200, "Sun"),
        SubmitOutcome::AcceptedWithoutEcho(id)
    );
    for status in [200, 400, 500] {
        let unknown = SubmitOutcome::Unknown(UnknownCause::Ambiguous);
        assert_eq!(answers.submit(14, status, "any"), unknown, "{status}");
    }
}

#[test]
fn c_27_an_order_without_time_has_its_update_time() {
    let Some(answers) = Answers::open() else {
        return;
    };
    let open = account::open_orders(&answers.reply(10)).unwrap();
    let row = &open.rows[0];
    assert_eq!(
        (row.id, row.side, row.status),
        (OrderId(3_028_496_980), Side::Sell, RowStatus::Untouched)
    );
    assert_eq!(row.at, Timestamp::from_ms(1_620_514_400_663));
}

#[test]
fn c_29_a_stop_and_its_successor_are_one_intent() {
    let Some(answers) = Answers::open() else {
        return;
    };
    let rows = account::all_orders(&answers.reply(12)).unwrap().rows;
    assert_eq!(
        (rows[0].id, rows[0].status, rows[0].left),
        (OrderId(123), RowStatus::Closed, qty("0"))
    );
    assert_eq!(
        (rows[1].id, rows[1].status, rows[1].left),
        (OrderId(122), RowStatus::Canceled, rows[1].qty)
    );
    let wire: Envelope<Vec<Order>> = serde_json::from_str(answers.text(12)).unwrap();
    let wire = wire.data.value().unwrap();
    assert_eq!(wire[0].order_client_id, wire[1].order_client_id);
    assert_eq!(wire[0].quantity.as_deref(), Some("0.0000000000001288"));
}

#[test]
fn c_30_an_unauthorized_answer_is_refused_although_it_says_success() {
    let Some(answers) = Answers::open() else {
        return;
    };
    assert_eq!(
        account::balances(&answers.reply(13)).map(|_| ()),
        Err(ReadError::Unauthorized)
    );
    assert_eq!(
        answers.submit(13, 401, "any"),
        SubmitOutcome::Rejected(Refusal::Unauthorized)
    );
}

#[test]
fn c_32_a_quota_answer_waits_as_long_as_its_header_says() {
    let Some(answers) = Answers::open() else {
        return;
    };
    let retry_after_ms = retry_after_ms(Some("55"), Timestamp::from_ms(0));
    let reply = Reply {
        retry_after_ms,
        ..answers.reply(15)
    };
    let expected = Err(ReadError::RateLimited {
        retry_after_ms: 55_000,
    });
    assert_eq!(account::balances(&reply).map(|_| ()), expected);
    assert_eq!(
        answers.submit(15, 429, "any"),
        SubmitOutcome::Rejected(Refusal::RateLimited)
    );
}

#[test]
fn c_33_order_not_found_is_the_same_under_three_statuses() {
    let Some(answers) = Answers::open() else {
        return;
    };
    for status in [400, 404, 200] {
        assert_eq!(
            account::order(&reply(status, answers.text(16))),
            Ok(None),
            "{status}"
        );
    }
}
