//! Checkpoints, what is kept behind them, and what is made of damaged ones; on real files.

use super::checkpoints::{CHECKPOINTS, PARTS};
use super::header::HEADER;
use super::*;
use crate::beats::Beats;
use crate::clock::Clock;
use crate::journal::Journal;
use engine::answer::{Refusal, SubmitOutcome};
use engine::checkpoint::Fold;
use engine::ids::{AccountTag, Asset, BootTag, ClientId, Symbol};
use engine::intent::{BookStamp, Intent, IntentClass, IntentReason, NewOrder, StrategyKind};
use engine::market::Side;
use engine::money::{Amount, Price, Qty};
use redb::ReadableTable;
use tempfile::TempDir;

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const HOUR_MS: i64 = 3_600_000;

fn quote() -> Asset {
    Asset::parse("TRY").expect("an asset")
}

/// An order that the exchange refuses, and a look at the account.
fn order(seq: u64, at: Timestamp) -> [(Timestamp, Record); 3] {
    let intent = Intent {
        strategy: StrategyKind::MarketMaker,
        symbol: Symbol::parse("BTCTRY").expect("a pair"),
        side: Side::Buy,
        qty: Qty::from_units(10),
        limit: Price::from_units(100),
        class: IntentClass::Quote,
        reason: IntentReason::QuoteBid,
        at,
        book: BookStamp::default(),
        mid: Price::from_units(101),
        cycle: 1,
    };
    let client_id = ClientId::new(
        AccountTag::from_entropy(1),
        1,
        BootTag::from_entropy(2),
        seq,
    );
    let order = NewOrder {
        client_id,
        intent,
        reserved: Amount::from_units(1_000),
        fee_in_base: false,
    };
    let outcome = SubmitOutcome::Rejected(Refusal::MinTotal);
    [
        Record::Sending {
            order,
            stamp_max: at,
        },
        Record::Outcome {
            client_id,
            outcome,
            at,
        },
        Record::Looked {
            asked_at: at,
            trades_before: at,
        },
    ]
    .map(|record| (at, record))
}

/// A journal of one order an hour, with a checkpoint every tenth hour.
fn aged(hours: i64) -> (TempDir, Fold) {
    of_orders(hours, HOUR_MS)
}

/// A journal of equally spaced orders, with a checkpoint at every tenth.
fn of_orders(orders: i64, spacing_ms: i64) -> (TempDir, Fold) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    create(dir.path(), &Header::new(Venue::Live, "test", START)).expect("a free name");
    let (mut store, _) = Store::open(dir.path(), Venue::Live).expect("it opens");
    let mut fold = Fold::new(quote());
    for number in 1..=orders {
        let seq = u64::try_from(number).expect("positive");
        let group = order(seq, START.plus_ms(number * spacing_ms));
        group.iter().for_each(|(_, record)| fold.take(record));
        let sum = (number % 10 == 0).then(|| fold.sum());
        store.append_with(&group, &[], sum).expect("it is written");
    }
    store.close();
    (dir, fold)
}

fn resumed(dir: &TempDir) -> History {
    let (store, history) = Store::resume(dir.path(), Venue::Live).expect("it opens");
    store.close();
    history
}

#[test]
fn a_start_reads_the_newest_checkpoint_and_what_lies_behind_it() {
    let (dir, whole) = aged(25);
    let history = resumed(&dir);
    let covered = history.checkpoint.as_ref().map(|(seq, _)| *seq);
    assert_eq!((covered, history.len()), (Some(60), 15));
    assert_eq!(history.fold(quote()).expect("it adds up"), whole);
    let (_, kept) = Store::open(dir.path(), Venue::Live).expect("it opens");
    assert_eq!(kept.len(), 75, "nothing is two days old");
    assert_eq!(kept.fold(quote()).expect("it adds up"), whole);
}

#[test]
fn what_is_two_days_old_and_covered_twice_is_removed_and_the_chain_holds() {
    let (dir, whole) = aged(205);
    let (store, kept) = Store::open(dir.path(), Venue::Live).expect("the chain holds");
    // The last checkpoint stands at hour 200; what was appended before hour 152 was old by then.
    assert_eq!(kept.first().map(|entry| entry.seq), Some(151 * 3 + 1));
    assert_eq!(kept.last().map(|entry| entry.seq), Some(205 * 3));
    assert_eq!(kept.fold(quote()).expect("it adds up"), whole);
    assert_eq!((store.last_seq(), store.tail_len()), (615, 15));
    assert_eq!(resumed_after(store, &dir).len(), 15);
}

/// What a start reads after so many days with two orders each: records behind the checkpoint, records that are kept,
/// and the bytes of the checkpoint.
fn cost_of_a_start(days: i64) -> (usize, usize, usize) {
    let (dir, _) = of_orders(2 * days, 12 * HOUR_MS);
    let history = resumed(&dir);
    let sum = history.checkpoint.as_ref().map(|(_, sum)| sum);
    let bytes = serde_json::to_vec(&sum.expect("a checkpoint")).expect("it is written");
    let (store, kept) = Store::open(dir.path(), Venue::Live).expect("the chain holds");
    store.close();
    (history.len(), kept.len(), bytes.len())
}

#[test]
fn cycle_cost_is_flat_over_a_simulated_year() {
    let (tail, kept, bytes) = cost_of_a_start(30);
    let (year_tail, year_kept, year_bytes) = cost_of_a_start(360);
    assert_eq!((year_tail, year_kept), (tail, kept));
    // Longer numbers, and not more of them but for those of orders that never were: a thousand at most, a few digits
    // each.
    let never = 1_000 * "12345,".len();
    assert!(
        year_bytes < bytes + bytes / 4 + never,
        "{bytes} bytes became {year_bytes}"
    );
}

fn resumed_after(store: Store, dir: &TempDir) -> History {
    store.close();
    resumed(dir)
}

#[test]
fn the_books_of_another_quote_are_refused() {
    let (dir, _) = aged(10);
    let other = Asset::parse("USDT").expect("an asset");
    let refused = resumed(&dir).fold(other);
    assert!(matches!(refused, Err(StoreError::Damaged(why)) if why.contains("books in TRY")));
}

/// Alters a journal behind the store's back.
fn alter(dir: &TempDir, change: impl Fn(&redb::WriteTransaction)) {
    let database = Builder::new()
        .open(dir.path().join(FILE_NAME))
        .expect("it opens");
    let write = database.begin_write().expect("a transaction");
    change(&write);
    write.commit().expect("it is written");
}

/// Alters a journal, and compares what both ways of opening it say.
fn check(change: impl Fn(&redb::WriteTransaction), expected: &str) {
    let (dir, _) = aged(205);
    alter(&dir, change);
    for open in [Store::open, Store::resume] {
        match open(dir.path(), Venue::Live) {
            Err(StoreError::Damaged(why)) => assert!(why.contains(expected), "{why}"),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it opened, although: {expected}"),
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_refused_and_never_passed_over() {
    check(
        |write| {
            let mut table = write.open_table(PARTS).expect("a table");
            let mut part = table
                .get((600, 0))
                .expect("read")
                .expect("there")
                .value()
                .to_vec();
            let last = part.len() - 1;
            part[last] ^= 1;
            table.insert((600, 0), part.as_slice()).expect("written");
        },
        "does not fit its hash",
    );
}

#[test]
fn a_checkpoint_that_lacks_a_part_is_refused() {
    check(
        |write| {
            let mut table = write.open_table(PARTS).expect("a table");
            let last = table.last().expect("read").expect("there").0.value();
            assert!(last.1 > 0, "it has more than one part");
            table.remove(last).expect("gone");
        },
        "does not fit its hash",
    );
}

#[test]
fn a_checkpoint_in_one_value_as_it_was_written_before_is_read() {
    let (dir, whole) = aged(205);
    alter(&dir, |write| {
        let mut text = Vec::new();
        for row in write
            .open_table(PARTS)
            .expect("a table")
            .iter()
            .expect("rows")
        {
            let (key, part) = row.expect("a row");
            if key.value().0 == 600 {
                text.extend_from_slice(part.value());
            }
        }
        let mut table = write.open_table(CHECKPOINTS).expect("a table");
        let hashes = table
            .get(600)
            .expect("read")
            .expect("there")
            .value()
            .to_vec();
        let value = [hashes, text].concat();
        table.insert(600, value.as_slice()).expect("written");
        write.delete_table(PARTS).expect("gone");
    });
    assert_eq!(resumed(&dir).fold(quote()).expect("it adds up"), whole);
}

#[test]
fn parts_go_with_their_checkpoint() {
    let (dir, _) = aged(205);
    let (store, _) = Store::open(dir.path(), Venue::Live).expect("it opens");
    let table = store.snapshot().expect("a moment").0.open_table(PARTS);
    let mut of: Vec<u64> = table
        .expect("a table")
        .iter()
        .expect("rows")
        .map(|row| row.expect("a row").0.value().0)
        .collect();
    of.dedup();
    assert_eq!(of, [570, 600]);
}

#[test]
fn removed_records_without_their_checkpoint_are_refused() {
    check(
        |write| {
            write.delete_table(CHECKPOINTS).expect("gone");
        },
        "removed without a checkpoint",
    );
}

#[test]
fn a_checkpoint_beside_other_records_is_refused() {
    check(
        |write| {
            let mut table = write.open_table(RECORDS).expect("a table");
            let value = table
                .get(599)
                .expect("read")
                .expect("there")
                .value()
                .to_vec();
            table.insert(600, value.as_slice()).expect("written");
        },
        "another chain",
    );
}

#[test]
fn a_copy_of_a_moment_holds_checkpoints_and_what_was_removed() {
    let (dir, whole) = aged(205);
    let (store, _) = Store::open(dir.path(), Venue::Live).expect("it opens");
    let copy = tempfile::tempdir().expect("a temporary directory");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(copy.path().join(FILE_NAME))
        .expect("a file");
    let snapshot = store.snapshot().expect("a moment");
    snapshot.copy_to(file).expect("a copy");
    let (_, history) = Store::resume(copy.path(), Venue::Live).expect("it opens");
    assert_eq!(history.fold(quote()).expect("it adds up"), whole);
}

#[test]
fn a_journal_without_checkpoints_is_read_whole() {
    let (dir, whole) = aged(9);
    let history = resumed(&dir);
    assert_eq!((&history.checkpoint, history.len()), (&None, 27));
    assert_eq!(history.fold(quote()).expect("it adds up"), whole);
}

#[test]
fn the_journals_thread_writes_a_checkpoint_after_ten_thousand_records() {
    let store = Store::in_memory(&Header::new(Venue::Demo, "test", START)).expect("memory");
    let clock = Clock::manual(START);
    let (journal, thread) =
        Journal::start(store, Fold::new(quote()), Beats::new(clock), |_| ()).expect("a thread");
    let patience = std::time::Duration::from_secs(60);
    let mut counts = Vec::new();
    for seq in 1..=3_400 {
        for (at, record) in order(seq, START) {
            journal.append(at, record).expect("it is taken");
        }
        if seq % 100 == 0 {
            journal.sync(patience).expect("it is written");
        }
        if seq % 1_700 == 0 {
            let snapshot = journal.snapshot(patience).expect("a moment");
            let table = snapshot.0.open_table(CHECKPOINTS);
            counts.push(table.map_or(0, |table| table.iter().expect("rows").count()));
        }
    }
    assert_eq!(counts, [0, 1]);
    drop(journal);
    thread.join();
}

#[test]
fn the_header_is_not_touched_by_what_stands_beside_it() {
    let (dir, _) = aged(205);
    let (store, _) = Store::open(dir.path(), Venue::Live).expect("it opens");
    let read = store.database.begin_read().expect("a transaction");
    let header = read.open_table(HEADER).expect("a table");
    // The header, what was removed, and how far the trades go back.
    assert_eq!(header.iter().expect("rows").count(), 3);
    assert_eq!(store.header(), &Header::new(Venue::Live, "test", START));
}
