//! Questions with a key, asked more than once.

use super::super::again::{KEPT_MS, Key};
use super::super::server::Asked;
use super::*;
use std::future::poll_fn;
use std::task::Poll;

fn keyed(text: &str, request: Request) -> Asked {
    let key = Key {
        uid: PEER.uid,
        text: text.to_owned(),
    };
    Asked {
        peer: PEER,
        request,
        key: Some(key),
    }
}

/// Asks while the manual clock runs.
async fn answered(bench: &Bench, asked: Asked) -> Answer {
    tokio::select! {
        biased;
        answer = bench.desk.answer(asked) => answer,
        () = passing(&bench.desk.operator.clock) => unreachable!("time never ends"),
    }
}

fn trip() -> Request {
    Request::KillTrip(why("a drill"))
}

#[tokio::test]
async fn a_replayed_key_gets_the_same_answer_and_acts_once() {
    let bench = bench(|_| ());
    let first = answered(&bench, keyed("k1", trip())).await;
    assert_eq!(first.verdict, Verdict::Done, "{first:?}");
    let latched = bench.desk.operator.latch.current();
    assert_eq!(answered(&bench, keyed("k1", trip())).await, first);
    assert_eq!(
        bench.desk.operator.latch.current(),
        latched,
        "no second trip"
    );
    let other = answered(&bench, keyed("k1", Request::KillTrip(why("another")))).await;
    assert_eq!(other.verdict, Verdict::BadRequest, "{other:?}");
    assert!(other.text.starts_with("key: "), "{other:?}");
    let fresh = answered(&bench, keyed("k2", trip())).await;
    assert_ne!(fresh.text, first.text, "another key is another trip");
    let mut stranger = keyed("k1", trip());
    stranger.key.as_mut().expect("it has one").uid += 1;
    assert_ne!(answered(&bench, stranger).await.text, first.text);
    bench.desk.operator.clock.advance_ms(KEPT_MS);
    let late = answered(&bench, keyed("k1", trip())).await;
    assert_ne!(
        late.text, first.text,
        "after five minutes it is a new question"
    );
    let trips = bench
        .records()
        .iter()
        .filter(|record| matches!(record, Record::Audit { .. }))
        .count();
    assert_eq!(trips, 4);
}

#[tokio::test]
async fn the_same_key_at_the_same_time_is_told_to_ask_again() {
    let bench = bench(|_| ());
    // The mode is never shown, so the first one waits for a second of the clock, which stands.
    let on = || keyed("k", Request::SafeModeOn(why("")));
    let first = bench.desk.answer(on());
    tokio::pin!(first);
    let began = poll_fn(|context| Poll::Ready(first.as_mut().poll(context).is_pending())).await;
    assert!(began);
    let second = bench.desk.answer(on()).await;
    assert_eq!(second.verdict, Verdict::Busy, "{second:?}");
}
