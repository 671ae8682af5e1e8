//! Any bytes under any status as an answer: all decoders, both classifiers, and the wait that a header asks for.
//!
//! The first two bytes are the status, the rest is the body.
#![no_main]

use btcturk::classify::{cancel_reply, submit_outcome};
use btcturk::rest::{Reply, account, public};
use btcturk::retry_after::retry_after_ms;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (number, body) = input;
    read(200, body);
    read(number % 600, body);
    let header = std::str::from_utf8(body).ok();
    let wait = retry_after_ms(header, Default::default());
    assert!(wait.is_none_or(|wait_ms| (1_000..=300_000).contains(&wait_ms)));
});

fn read(status: u16, body: &[u8]) {
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
    let _ = submit_outcome(status, body, "bacct000007boot770000000042");
    let _ = cancel_reply(status, None, body);
}
