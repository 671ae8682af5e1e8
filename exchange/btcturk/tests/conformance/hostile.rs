//! Bytes that no exchange would send: any text gives a value or an error, never a panic (C-18, C-34).

use super::*;
use btcbot_btcturk::classify::{ORDER_BODY_BYTES_MAX, cancel_reply, submit_outcome};
use btcbot_btcturk::rest::{account, public};
use btcbot_btcturk::wire::{
    BookDifference, Digits, Id, Kind, LevelDifference, OrderChange, Stamp, Text, TradeSingle,
    UserTrade,
};
use engine::answer::{CancelReply, SubmitOutcome, UnknownCause};
use proptest::prelude::*;

const AMBIGUOUS: SubmitOutcome = SubmitOutcome::Unknown(UnknownCause::Ambiguous);

fn read_everything(status: u16, body: &[u8]) {
    let reply = Reply {
        status,
        retry_after_ms: None,
        body,
    };
    let _ = public::server_time(&reply);
    let _ = public::exchange_info(&reply);
    let _ = public::order_book(&reply);
    let _ = public::tickers(&reply);
    let _ = account::balances(&reply);
    let _ = account::open_orders(&reply);
    let _ = account::all_orders(&reply);
    let _ = account::order(&reply);
    let _ = account::own_trades(&reply);
    let _ = submit_outcome(status, body, CLIENT_ID);
    let _ = cancel_reply(status, None, body);
}

#[test]
fn a_frame_cut_at_any_byte_is_an_error() {
    for row in rows(GOLDEN_FRAMES) {
        let text = row.text();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(ws::decode(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }
}

#[test]
fn a_body_under_a_foreign_type_gives_a_value_or_an_error() {
    let frames: Vec<String> = rows(GOLDEN_FRAMES)
        .iter()
        .map(|row| row.text().to_owned())
        .collect();
    for kind in &frames {
        for body in &frames {
            let (head, tail) = (
                kind.split_once(',').unwrap().0,
                body.split_once(',').unwrap().1,
            );
            let _ = ws::decode(&format!("{head},{tail}"));
            let _ = wire::read_client(&format!("[114,{tail}"));
        }
    }
}

#[test]
fn deep_and_long_frames_end() {
    for open in ["[", "[431,", r#"[777,{"a":"#] {
        assert!(ws::decode(&open.repeat(100_000)).is_err());
    }
    let twice = r#"[432,{"CS":1,"CS":2,"PS":"SOLTRY","AO":[],"BO":[]}]"#;
    assert!(
        ws::decode(twice).is_err(),
        "a member that comes twice is not chosen from"
    );
}

#[test]
fn an_order_answer_cut_at_any_byte_is_unknown() {
    for name in [
        "order_accepted",
        "order_refused_funds",
        "quota",
        "unauthorized",
    ] {
        let row = answer(name);
        let body = row.text().as_bytes();
        for end in 0..body.len() {
            let outcome = submit_outcome(row.status.unwrap(), &body[..end], CLIENT_ID);
            assert_eq!(outcome, AMBIGUOUS, "{name} cut at {end}");
        }
    }
    let body = answer("cancel_accepted").text().to_owned();
    for end in 0..body.len() {
        assert_eq!(
            cancel_reply(200, None, &body.as_bytes()[..end]),
            CancelReply::Failed
        );
    }
}

#[test]
fn padding_and_duplicate_members_prove_nothing() {
    let accepted = answer("order_accepted").text().to_owned();
    let padded = format!("{}{accepted}", " ".repeat(ORDER_BODY_BYTES_MAX));
    let twice = accepted.replacen('{', r#"{"success":true,"#, 1);
    let refused = answer("order_refused_funds")
        .text()
        .replacen('{', r#"{"data":null,"#, 1);
    assert_eq!(submit_outcome(200, padded.as_bytes(), CLIENT_ID), AMBIGUOUS);
    assert_eq!(submit_outcome(200, twice.as_bytes(), CLIENT_ID), AMBIGUOUS);
    assert_eq!(
        submit_outcome(400, refused.as_bytes(), CLIENT_ID),
        AMBIGUOUS
    );
    read_everything(200, padded.as_bytes());
}

#[test]
fn every_answer_under_every_status_and_cut_gives_a_value_or_an_error() {
    for row in rows(GOLDEN_ANSWERS) {
        let body = row.text().as_bytes();
        for status in [
            0,
            200,
            204,
            302,
            400,
            401,
            403,
            404,
            422,
            429,
            500,
            503,
            u16::MAX,
        ] {
            read_everything(status, body);
            read_everything(status, b"");
            read_everything(status, b"<html><body>502 Bad Gateway</body></html>");
        }
        for end in 0..body.len() {
            read_everything(200, &body[..end]);
        }
    }
}

/// Changes, drops and doubles bytes of a text.
fn mutated(source: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<String> = rows(source)
        .iter()
        .map(|row| row.text().to_owned())
        .collect();
    let edits = proptest::collection::vec(
        (any::<proptest::sample::Index>(), 0u8..4, any::<u8>()),
        1..6,
    );
    (proptest::sample::select(texts), edits).prop_map(|(text, edits)| {
        let mut bytes = text.into_bytes();
        for (index, kind, byte) in edits {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes[at] ^= 1 << (byte % 8),
            }
            if bytes.is_empty() {
                bytes.push(byte);
            }
        }
        bytes
    })
}

/// Texts as an encoder might meet them: escapes, quotes, other alphabets.
fn any_text() -> impl Strategy<Value = Text<'static>> {
    any::<String>().prop_map(Text::from)
}

fn any_row() -> impl Strategy<Value = LevelDifference<'static>> {
    (any::<i64>(), any_text(), any_text()).prop_map(|(change, price, amount)| LevelDifference {
        change,
        price,
        amount,
    })
}

fn any_difference() -> impl Strategy<Value = BookDifference<'static>> {
    let side = || proptest::collection::vec(any_row(), 0..5);
    let text = || proptest::option::of(any_text());
    (any::<i64>(), text(), side(), side(), text(), text()).prop_map(
        |(change, pair, asks, bids, channel, event)| BookDifference {
            change,
            pair,
            asks,
            bids,
            channel,
            event,
            kind: Kind,
        },
    )
}

fn any_id() -> impl Strategy<Value = Id> {
    prop_oneof![
        any::<i64>().prop_map(Id::Number),
        any::<i64>().prop_map(Id::Text)
    ]
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    let float = (0i64..100_000_000_000_000).prop_map(Stamp::Float);
    prop_oneof![
        any::<i64>().prop_map(Stamp::Int),
        any::<i64>().prop_map(Stamp::Text),
        float
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_mutated_frame_gives_a_value_or_an_error(bytes in mutated(GOLDEN_FRAMES)) {
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = ws::decode(text);
            let _ = wire::read_client(text);
        }
    }

    #[test]
    fn a_mutated_answer_gives_a_value_or_an_error(bytes in mutated(GOLDEN_ANSWERS), status in any::<u16>()) {
        read_everything(200, &bytes);
        read_everything(status, &bytes);
    }

    #[test]
    fn any_text_gives_a_value_or_an_error(text in any::<String>()) {
        let _ = ws::decode(&text);
        let _ = ws::ack_subject(&text);
        read_everything(200, text.as_bytes());
    }
}

proptest! {
    #[test]
    fn an_encoded_difference_decodes_to_the_same_value(body in any_difference()) {
        let text = wire::encode(&body);
        prop_assert_eq!(wire::read_server(&text), Ok(wire::ServerFrame::BookDifference(body)));
        let _ = ws::decode(&text);
    }

    #[test]
    fn an_encoded_trade_decodes_to_the_same_value(
        at in any_stamp(), id in any_id(), amount in any_text(), price in any_text(), side in any::<Option<i64>>(),
    ) {
        let body = TradeSingle { at, id, amount, price, pair: None, side, channel: None, event: None, kind: Kind };
        let text = wire::encode(&body);
        prop_assert_eq!(wire::read_server(&text), Ok(wire::ServerFrame::Trade(body)));
    }

    #[test]
    fn an_encoded_own_trade_decodes_to_the_same_value(
        ids in (any_id(), any_id()), timestamp in any_stamp(), texts in [any_text(), any_text(), any_text()],
        precise in "-?[1-9][0-9]{0,20}(\\.[0-9]{1,30})?",
    ) {
        let [base, amount, fee] = texts;
        let body = UserTrade {
            id: ids.0, order_id: ids.1, timestamp, base, quote: "TRY".into(), amount, fee, tax: "0".into(),
            price: "1".into(), side: None, client_id: Some("é\"\\".into()),
            precise_amount: Digits::parse(&precise).ok(), kind: None,
        };
        let text = wire::encode(&body);
        prop_assert!(text.contains(&precise), "digits reach the wire unchanged");
        prop_assert_eq!(wire::read_server(&text), Ok(wire::ServerFrame::UserTrade(body)));
    }

    #[test]
    fn an_encoded_order_event_decodes_to_the_same_value(
        id in any_id(), symbol in any_text(), left in any_text(), client_id in proptest::option::of(any_text()),
    ) {
        let body = OrderChange::<'_, 452> {
            kind: Kind, pair_id: Some(1), symbol, id, method: Some(0), user_id: None, side: Some(1),
            price: "1.0000000000000000".into(), amount: None, left, quote_left: None, client_id,
        };
        let text = wire::encode(&body);
        prop_assert_eq!(wire::read_server(&text), Ok(wire::ServerFrame::Delete(body)));
    }
}
