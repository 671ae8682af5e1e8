//! A start from a checkpoint and a tail against a start from everything, on drawn journals and at every cut.

use super::story::{OVERLAP_MS, Story, quote, tag};
use super::*;
use crate::answer::{OrderRow, OwnTrade, PrivateEvent, RowStatus};
use crate::core::{Core, Outbox};
use crate::kill::KillId;
use crate::mode::ModeCode;
use crate::msg::{RouterEffect, RouterIn, Snapshot};
use crate::router::{OrderRouter, RouterSettings};
use crate::time::Timestamp;
use proptest::prelude::*;
use story::Plot;

/// Short enough that most orders of a story fold.
const SHORT: Keep = Keep {
    ended_ms: 100_000,
    ended_max: 3,
    looks_apart_ms: 0,
};
/// Nothing ever folds.
const ALL: Keep = Keep {
    ended_ms: i64::MAX / 2_000,
    ended_max: usize::MAX,
    looks_apart_ms: 0,
};

fn reread(sum: &Checkpoint) -> Checkpoint {
    let text = serde_json::to_string(sum).expect("a checkpoint can be written");
    serde_json::from_str(&text).expect("a checkpoint reads back")
}

fn router(story: &Story, keep: Keep) -> (OrderRouter, Vec<RouterEffect>) {
    let mut router = OrderRouter::new(RouterSettings {
        tag: tag(),
        ttl_ms: 120_000,
        cancel_retry_ms: 2_000,
        unknown_settle_ms: 10_000,
        keep,
    });
    let past = Fold::of(quote(), keep, &story.records);
    router.recall(past.sum().orders().clone());
    let mut out = Outbox::default();
    router.recovered(story.now, &mut out);
    (router, out.drain().collect())
}

fn tell(router: &mut OrderRouter, now: Timestamp, input: RouterIn) -> Vec<RouterEffect> {
    let mut out = Outbox::default();
    router.handle(now, input, &mut out);
    out.drain().collect()
}

fn reported(trade: &OwnTrade) -> RouterIn {
    RouterIn::Private(PrivateEvent::Trade(trade.clone()))
}

fn row(plot: &Plot, number: OrderId, status: RowStatus) -> OrderRow {
    let intent = &plot.order.intent;
    OrderRow {
        id: number,
        client_id: Some(plot.order.client_id),
        symbol: intent.symbol,
        side: intent.side,
        price: intent.limit,
        qty: intent.qty,
        left: intent.qty.minus_or_zero(plot.filled),
        status,
        at: intent.at,
    }
}

/// A number that no order of a story has.
fn unheard_of(plot: &Plot) -> OrderId {
    let seq = i64::try_from(plot.order.client_id.seq()).expect("small");
    OrderId(9_000_000 + seq)
}

fn shown(now: Timestamp, row: OrderRow) -> RouterIn {
    RouterIn::Snapshot(Snapshot {
        asked_at: now,
        open: vec![row],
        histories: Vec::new(),
        trades: Vec::new(),
        trades_since: now.plus_ms(-OVERLAP_MS),
    })
}

fn books(effects: &[RouterEffect]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, RouterEffect::Fill(_)))
}

fn kills(effects: &[RouterEffect]) -> bool {
    let kill = crate::mode::Mode::KillSwitch;
    effects
        .iter()
        .any(|effect| matches!(effect, RouterEffect::Raise(_, _, mode) if *mode == kill))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_start_from_any_checkpoint_knows_what_a_start_from_everything_knows(seed in any::<u64>()) {
        let story = Story::of(seed, 100);
        let whole = Fold::of(quote(), SHORT, &story.records);
        let mut written = Fold::of(quote(), SHORT, []);
        for (cut, record) in story.records.iter().enumerate() {
            let mut resumed = Fold::resume(reread(written.sum()), SHORT);
            prop_assert_eq!(&resumed, &written, "a checkpoint behind {} records", cut);
            story.records[cut..].iter().for_each(|record| resumed.take(record));
            prop_assert_eq!(&resumed, &whole, "a checkpoint behind {} records and its tail", cut);
            written.take(record);
        }
    }

    #[test]
    fn folding_changes_no_answer_to_later_news(seed in any::<u64>()) {
        let story = Story::of(seed, 400);
        let (mut folding, woken) = router(&story, SHORT);
        let (mut keeping, woken_too) = router(&story, ALL);
        prop_assert_eq!(but_looks(woken), but_looks(woken_too), "what a start says");
        let mut both = |input: &dyn Fn() -> RouterIn| {
            let of_folding = tell(&mut folding, story.now, input());
            (of_folding, tell(&mut keeping, story.now, input()))
        };
        for plot in &story.ended {
            for trade in &plot.trades {
                let (a, b) = both(&|| reported(trade));
                prop_assert!(!books(&a) && !kills(&a), "a trade of old {:?}", a);
                prop_assert!(!books(&b) && !kills(&b));
            }
            let number = plot.number.unwrap_or(unheard_of(plot));
            let (a, b) = both(&|| shown(story.now, row(plot, number, RowStatus::Canceled)));
            prop_assert_eq!(kills(&a), plot.number.is_none(), "an ended row {:?}", a);
            prop_assert_eq!(kills(&b), plot.number.is_none());
        }
        for plot in &story.living {
            let number = plot.number.unwrap_or(unheard_of(plot));
            let status = RowStatus::Untouched;
            let (a, b) = both(&|| shown(story.now, row(plot, number, status)));
            prop_assert_eq!(but_looks(a), but_looks(b), "news of a living order");
        }
    }
}

/// Leaves out records of looks, and which histories are read: any witness in them will do.
fn but_looks(effects: Vec<RouterEffect>) -> Vec<RouterEffect> {
    let is_look = |effect: &RouterEffect| {
        matches!(
            effect,
            RouterEffect::Persist(Record::Looked { .. }, _) | RouterEffect::LookUp(_)
        )
    };
    effects.into_iter().filter(|e| !is_look(e)).collect()
}

#[test]
fn stories_fold_most_of_their_orders() {
    let story = Story::of(8, 4_000);
    let fold = Fold::of(quote(), SHORT, &story.records);
    let (ended, kept) = (story.ended.len(), fold.sum().orders().ended_count());
    assert!(ended > 200 && kept < ended / 5, "{kept} of {ended}");
    let size = serde_json::to_string(fold.sum())
        .expect("it can be written")
        .len();
    let longer = Fold::of(quote(), SHORT, &Story::of(8, 8_000).records);
    let larger = serde_json::to_string(longer.sum())
        .expect("it can be written")
        .len();
    assert!(larger < size * 2, "{size} bytes have become {larger}");
}

#[test]
fn a_kill_is_kept_until_a_reset_names_it_or_a_later_one() {
    let kill = |before: Option<KillId>| {
        let cause = ModeCode::GhostOrder;
        Kill::new(before, cause, ("", "btcbot"), Timestamp::from_ms(5))
    };
    let reset = |id: KillId| Record::Reset {
        id,
        reason: "looked at".to_owned(),
        by: "uid 0".to_owned(),
        at: Timestamp::from_ms(9),
    };
    let first = kill(None);
    let second = kill(Some(first.id));
    let check = |records: &[Record], expected: Option<&Kill>| {
        let fold = Fold::of(quote(), ALL, records);
        assert_eq!(reread(fold.sum()).kill(), expected, "{records:?}");
    };
    let (one, two) = (Record::Kill(first.clone()), Record::Kill(second.clone()));
    check(&[], None);
    check(std::slice::from_ref(&one), Some(&first));
    check(&[one.clone(), two.clone()], Some(&second));
    check(&[one.clone(), reset(first.id)], None);
    check(&[one.clone(), two.clone(), reset(first.id)], Some(&second));
    check(&[one, two, reset(second.id)], None);
}

#[test]
fn the_latest_resets_are_counted_for_a_day() {
    let reset = |hour: i64| Record::Reset {
        id: KillId(1),
        reason: "looked at".to_owned(),
        by: "uid 0".to_owned(),
        at: Timestamp::from_ms(hour * 3_600_000),
    };
    let check = |hours: &[i64], now: i64, expected: usize| {
        let records: Vec<Record> = hours.iter().copied().map(reset).collect();
        let fold = Fold::of(quote(), ALL, &records);
        let now = Timestamp::from_ms(now * 3_600_000);
        assert_eq!(
            reread(fold.sum()).resets().recent(now),
            expected,
            "{hours:?}"
        );
    };
    check(&[], 1, 0);
    check(&[1], 24, 1);
    check(&[1], 25, 0);
    check(&[1, 2, 3], 4, 2);
    check(&[1, 20, 21], 30, 2);
}

#[test]
fn the_first_released_form_is_read() {
    let sum: Checkpoint =
        serde_json::from_str(include_str!("v1.json")).expect("the first form is read for ever");
    assert_eq!(
        (sum.version, sum.epoch_next(), sum.number_max()),
        (1, 3, 1_050)
    );
    let orders = sum.orders();
    assert_eq!((orders.living().count(), orders.ended_count()), (2, 1));
    assert!(sum.money().safe_since().is_some());
    assert!(sum.money().holds().is_empty());
    assert!(sum.money().ledger().is_opened(quote()));
}

#[test]
fn the_second_released_form_is_read_and_written_alike() {
    let text = include_str!("v2.json");
    let sum: Checkpoint = serde_json::from_str(text).expect("the second form is read for ever");
    assert_eq!((sum.version, sum.epoch_next()), (2, 5));
    let orders = sum.orders();
    assert_eq!((orders.living().count(), orders.ended_count()), (8, 7));
    let again = serde_json::to_value(&sum).expect("it can be written");
    let written: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    assert_eq!(again, written, "nothing of it is lost");
}

#[test]
fn a_checkpoint_of_the_first_form_is_written_in_the_latest() {
    let first = serde_json::from_str(include_str!("v1.json")).expect("it is read");
    let fold = Fold::resume(first, SHORT);
    assert_eq!(fold.sum().version, VERSION);
}
