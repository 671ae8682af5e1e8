//! The trade history on real files: exactly one row a trade, and none that goes with its record.

use super::header::HEADER;
use super::trades::TRADES;
use super::*;
use crate::beats::Beats;
use crate::clock::Clock;
use crate::journal::Journal;
use engine::answer::{OwnTrade, SubmitOutcome, TradeSource};
use engine::checkpoint::Fold;
use engine::ids::{AccountTag, Asset, BootTag, ClientId, OrderId, Symbol, TradeId};
use engine::intent::{BookStamp, Intent, IntentClass, IntentReason, NewOrder, StrategyKind};
use engine::market::Side;
use engine::money::{Amount, Price, Qty};
use tempfile::TempDir;

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const HOUR_MS: i64 = 3_600_000;

fn asset(name: &str) -> Asset {
    Asset::parse(name).expect("an asset")
}

fn made() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    create(dir.path(), &Header::new(Venue::Live, "test", START)).expect("a free name");
    let (store, _) = Store::open(dir.path(), Venue::Live).expect("it opens");
    (dir, store)
}

fn reopened(dir: &TempDir) -> Store {
    Store::open(dir.path(), Venue::Live).expect("it opens").0
}

/// The n-th trade, n minutes after the start; its order and number are n.
fn trade(number: i64) -> OwnTrade {
    OwnTrade {
        source: TradeSource::Stream,
        id: TradeId(number),
        order_id: OrderId(number),
        client_id: None,
        base: asset("BTC"),
        quote: asset("TRY"),
        side: Side::Buy,
        price: Price::from_units(100_000_000),
        qty: Qty::from_units(number),
        fee: Amount::from_units(2),
        tax: Amount::from_units(1),
        at: START.plus_ms(number * 60_000),
        fee_in_base: false,
    }
}

fn fills(numbers: impl IntoIterator<Item = i64>) -> Vec<(Timestamp, Record)> {
    let fill = |number| (START.plus_ms(number * 60_000), Record::Fill(trade(number)));
    numbers.into_iter().map(fill).collect()
}

fn rows(store: &Store) -> Vec<(u64, Traded)> {
    let snapshot = store.snapshot().expect("readable");
    let rows = snapshot.trades().expect("readable");
    rows.collect::<Result<_, _>>().expect("every row reads")
}

fn numbers(store: &Store) -> Vec<i64> {
    let rows = rows(store);
    rows.iter().map(|(_, row)| row.trade.id.0).collect()
}

fn reach(store: &Store) -> TradesReach {
    let reach = store.snapshot().and_then(|snapshot| snapshot.reach());
    reach.expect("readable").expect("a history")
}

#[test]
fn each_trade_has_one_row_under_the_number_of_its_record() {
    let (dir, mut store) = made();
    let boot = (
        START,
        Record::Boot {
            epoch: 1,
            at: START,
        },
    );
    let group = [&fills([1])[..], &[boot], &fills([2, 3])[..]].concat();
    store.append(&group).expect("it is written");
    store.close();
    let store = reopened(&dir);
    let expected: Vec<_> = [(1, 1), (3, 2), (4, 3)]
        .map(|(seq, number)| (seq, Traded::bare(trade(number))))
        .into();
    assert_eq!(rows(&store), expected);
    assert_eq!(reach(&store), TradesReach::whole(START));
}

fn order(seq: u64) -> NewOrder {
    let intent = Intent {
        strategy: StrategyKind::MeanReversion,
        symbol: Symbol::parse("BTCTRY").expect("a pair"),
        side: Side::Buy,
        qty: Qty::from_units(7),
        limit: Price::from_units(100_000_000),
        class: IntentClass::Entry,
        reason: IntentReason::MeanReversionBuy,
        at: START,
        book: BookStamp::default(),
        mid: Price::from_units(100_000_000),
        cycle: 12,
    };
    NewOrder {
        client_id: ClientId::new(
            AccountTag::from_entropy(1),
            1,
            BootTag::from_entropy(2),
            seq,
        ),
        intent,
        reserved: Amount::ZERO,
        fee_in_base: false,
    }
}

#[test]
fn the_journal_writes_whose_trade_it_was_and_what_it_realised() {
    let (dir, store) = made();
    let fold = Fold::new(asset("TRY"));
    let (journal, mut hand) =
        Journal::by_hand(store, fold, Beats::new(Clock::manual(START)), |_| {});
    let (order, sale) = (
        order(3),
        OwnTrade {
            side: Side::Sell,
            ..trade(8)
        },
    );
    for record in [
        Record::Sending {
            order,
            stamp_max: START,
        },
        Record::Outcome {
            client_id: order.client_id,
            outcome: SubmitOutcome::Accepted(OrderId(7)),
            at: START,
        },
        Record::Fill(trade(7)),
        Record::Fill(sale.clone()),
    ] {
        journal.append(START, record).expect("room");
    }
    hand.commit(4).expect("it is written");
    hand.into_store().close();
    let store = reopened(&dir);
    let rows = rows(&store);
    let [(3, own), (4, strangers)] = &rows[..] else {
        panic!("{rows:?}");
    };
    assert_eq!(own.trade.client_id, Some(order.client_id));
    assert_eq!(
        (own.strategy, own.cycle),
        (Some(StrategyKind::MeanReversion), Some(12))
    );
    assert_eq!(own.realised, Some(Amount::ZERO));
    assert_eq!((strangers.trade.clone(), strangers.strategy), (sale, None));
    // Seven were bought with charges of 3; one more came from nowhere, at cost; the sale has charges of 3.
    assert_eq!(strangers.realised, Some(Amount::from_units(-6)));
}

#[test]
fn rows_stay_when_their_records_go() {
    let (dir, mut store) = made();
    let mut fold = Fold::new(asset("TRY"));
    for number in 1..=205 {
        let (_, record) = fills([number]).remove(0);
        let traded: Vec<Traded> = fold.book(&record).into_iter().collect();
        let sum = (number % 10 == 0).then(|| fold.sum());
        let group = [(START.plus_ms(number * HOUR_MS), record)];
        store
            .append_with(&group, &traded, sum)
            .expect("it is written");
    }
    store.close();
    let (store, kept) = Store::open(dir.path(), Venue::Live).expect("it opens");
    assert_eq!(kept.first().map(|entry| entry.seq), Some(152));
    assert_eq!(numbers(&store), (1..=205).collect::<Vec<_>>());
    assert_eq!(reach(&store), TradesReach::whole(START));
}

/// Makes of a journal what a build without a history left.
fn without_history(dir: &TempDir) {
    let database = Database::open(dir.path().join(FILE_NAME)).expect("it opens");
    let write = database.begin_write().expect("writable");
    write.delete_table(TRADES).expect("writable");
    let mut header = write.open_table(HEADER).expect("a table");
    header.remove("trades").expect("writable");
    drop(header);
    write.commit().expect("writable");
}

#[test]
fn an_older_journal_gets_its_history_with_its_first_commit() {
    let (dir, mut store) = made();
    store.append(&fills(1..=3)).expect("it is written");
    store.close();
    without_history(&dir);
    let mut store = reopened(&dir);
    let read = store.snapshot().and_then(|snapshot| snapshot.reach());
    assert_eq!(read.expect("readable"), None);
    assert_eq!(numbers(&store), [0i64; 0]);
    store.append(&fills([4])).expect("it is written");
    assert_eq!(numbers(&store), [1, 2, 3, 4], "what was kept is told");
    let expected = TradesReach {
        complete_from: START.plus_ms(60_000),
        is_whole: false,
        removed: 0,
    };
    assert_eq!(reach(&store), expected);
    store.append(&fills([5])).expect("it is written");
    assert_eq!(numbers(&store), [1, 2, 3, 4, 5]);
}

#[test]
fn at_the_limit_the_oldest_row_goes_and_is_counted() {
    let (dir, mut store) = made();
    store.trades_max = 3;
    store.append(&fills(1..=4)).expect("it is written");
    store.append(&fills([5])).expect("it is written");
    assert_eq!(numbers(&store), [3, 4, 5]);
    let expected = TradesReach {
        complete_from: Timestamp(trade(2).at.0 + 1),
        is_whole: false,
        removed: 2,
    };
    assert_eq!(reach(&store), expected);
    store.close();
    assert_eq!(reach(&reopened(&dir)), expected);
}

#[test]
fn a_copy_holds_the_history() {
    let (dir, mut store) = made();
    store.append(&fills(1..=3)).expect("it is written");
    let copy = dir.path().join("copy");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&copy);
    let snapshot = store.snapshot().expect("readable");
    snapshot
        .copy_to(file.expect("a free name"))
        .expect("it is copied");
    let (_, _, (rows, reach)) = look_with(&copy, |snapshot| {
        let rows: Result<Vec<_>, _> = snapshot.trades()?.collect();
        Ok((rows?, snapshot.reach()?))
    })
    .expect("it opens");
    assert_eq!(rows, super::trades_tests::rows(&store));
    assert_eq!(reach, Some(TradesReach::whole(START)));
}
