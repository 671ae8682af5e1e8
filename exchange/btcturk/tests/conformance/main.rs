//! Conformance of the codec (docs/INVARIANTS.md, rules C).
//!
//! Golden rows are ours: written by hand in the documented shapes, one for each message type and each trap. Captured
//! rows are read from `../shared/data`, where that folder exists; where it does not, a test says that it was skipped.

mod golden_outcomes;
mod golden_rest;
mod golden_ws;

mod captured_rest;
mod captured_ws;

mod hostile;
mod secrets;

use btcbot_btcturk::rest::Reply;
use btcbot_btcturk::wire;
use btcbot_btcturk::ws::{self, Decoded};
use engine::ids::ClientId;
use engine::money::{Amount, Price, Qty};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::path::Path;

const GOLDEN_FRAMES: &str = include_str!("../fixtures/ws_frames.ndjson");
const GOLDEN_ANSWERS: &str = include_str!("../fixtures/rest_answers.ndjson");

/// The client id of our order in the golden rows.
const CLIENT_ID: &str = "bacct000007boot770000000042";

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    name: String,
    frame: Option<Box<RawValue>>,
    status: Option<u16>,
    body: Option<Box<RawValue>>,
}

impl Row {
    fn text(&self) -> &str {
        let raw = self.frame.as_ref().or(self.body.as_ref());
        raw.expect("a row has a frame or a body").get()
    }

    fn reply(&self) -> Reply<'_> {
        reply(self.status.expect("the row has a status"), self.text())
    }
}

fn rows(ndjson: &str) -> Vec<Row> {
    let lines = ndjson.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).expect("a row is JSON"))
        .collect()
}

fn golden(ndjson: &str, name: &str) -> Row {
    let found = rows(ndjson).into_iter().find(|row| row.name == name);
    found.unwrap_or_else(|| panic!("no golden row {name}"))
}

fn frame_text(name: &str) -> String {
    golden(GOLDEN_FRAMES, name).text().to_owned()
}

fn frame(name: &str) -> Decoded {
    ws::decode(&frame_text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn answer(name: &str) -> Row {
    golden(GOLDEN_ANSWERS, name)
}

fn reply(status: u16, body: &str) -> Reply<'_> {
    Reply {
        status,
        retry_after_ms: None,
        body: body.as_bytes(),
    }
}

/// Reads a file of `../shared/data`; `None`, with a word about it, where the folder is absent.
fn captured(file: &str) -> Option<Vec<Row>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/btcturk");
    match std::fs::read_to_string(root.join(file)) {
        Ok(text) => Some(rows(&text)),
        Err(_) => {
            println!("skipped: {} is absent", root.join(file).display());
            None
        }
    }
}

/// Decodes, encodes, and compares as JSON, then decodes again: no character of any text may change.
fn check_frame_round_trip(text: &str) {
    let read = wire::read_server(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let written = serde_json::to_string(&read).expect("frames can be written");
    assert_eq!(json(&written), json(text), "{text}");
    assert_eq!(wire::read_server(&written).as_ref(), Ok(&read));
    assert_eq!(ws::decode(&written), ws::decode(text));
}

fn check_body_round_trip<T>(text: &str)
where
    T: serde::de::DeserializeOwned + serde::Serialize,
{
    let read: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let written = serde_json::to_string(&read).expect("bodies can be written");
    assert_eq!(json(&written), json(text));
    assert_eq!(number_texts(&written), number_texts(text), "{text}");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// All numbers of a JSON text as they are written, sorted: a parsed `Value` would hide lost digits.
fn number_texts(text: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    let mut in_string = false;
    let mut number = String::new();
    for c in text.chars() {
        in_string ^= c == '"';
        if !in_string
            && (c.is_ascii_digit() || matches!(c, '-' | '.' | 'E' | 'e' | '+'))
            && (c != 'e' || !number.is_empty())
        {
            number.push(c);
        } else if !number.is_empty() {
            numbers.push(std::mem::take(&mut number));
        }
    }
    numbers.retain(|number| number.bytes().any(|b| b.is_ascii_digit()));
    numbers.sort();
    numbers
}

fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).expect("a quantity")
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

fn our_client_id() -> ClientId {
    ClientId::parse(CLIENT_ID).expect("a client id of ours")
}
