//! `btcbot report` on real journals: the list adds up to the books, and equal journals give equal bytes.

mod support;

use actors::store::{self, Header, Store, Venue};
use engine::answer::{OwnTrade, TradeSource};
use engine::checkpoint::Fold;
use engine::dice::Dice;
use engine::history::Traded;
use engine::ids::{Asset, OrderId, TradeId};
use engine::ledger::{Account, Ledger};
use engine::market::Side;
use engine::money::{Amount, Price, Qty};
use engine::record::Record;
use engine::time::Timestamp;
use redb::{Database, TableDefinition};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Finished, SOON, START, STOP, run};

/// 2023-11-14, 22:13:20 UTC.
const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);
/// Trades of a journal, an hour apart.
const TRADES: i64 = 60;
const FILES: [&str; 3] = ["report.html", "report.json", "trades.csv"];

fn asset(name: &str) -> Asset {
    Asset::parse(name).expect("an asset")
}

fn drawn(dice: &mut Dice, number: i64) -> OwnTrade {
    let is_coin_paid = dice.chance(200_000);
    OwnTrade {
        source: TradeSource::Stream,
        id: TradeId(number),
        order_id: OrderId(1_000 + number),
        client_id: None,
        base: asset(if dice.chance(500_000) { "BTC" } else { "ETH" }),
        quote: asset("TRY"),
        side: if number % 3 == 0 {
            Side::Sell
        } else {
            Side::Buy
        },
        price: Price::from_units(dice.between(100_000_000, 900_000_000_000)),
        qty: Qty::from_units(dice.between(1_000, 90_000_000)),
        fee: Amount::from_units(i128::from(dice.between(-100, 900))),
        tax: Amount::from_units(i128::from(dice.between(0, 90))),
        at: AT.plus_ms(number * 3_600_000),
        fee_in_base: is_coin_paid,
    }
}

/// An installation whose dry journal holds trades, and its books.
fn traded() -> (Installation, Ledger) {
    let place = Installation::empty();
    let dir = place.path().join("btcbot-data/dry");
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700);
    private.create(&dir).expect("a new directory");
    store::create(&dir, &Header::new(Venue::Dry, "abcd", AT)).expect("a free name");
    let (mut store, _) = Store::open(&dir, Venue::Dry).expect("it opens");
    let (mut fold, mut dice) = (Fold::new(asset("TRY")), Dice::new(9));
    for number in 1..=TRADES {
        let record = Record::Fill(drawn(&mut dice, number));
        let traded: Vec<Traded> = fold.book(&record).into_iter().collect();
        let group = [(AT, record)];
        store
            .append_with(&group, &traded, None)
            .expect("room on the disk");
    }
    store.close();
    (place, fold.sum().money().ledger().clone())
}

fn report(place: &Installation, args: &[&str]) -> Finished {
    run(place.command(&[&["report"], args].concat()), START)
}

fn read(place: &Installation, dir: &str, name: &str) -> String {
    fs::read_to_string(place.path().join(dir).join(name)).expect("it was written")
}

/// Columns of the list by name, one map a trade.
fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = csv
        .split_terminator("\r\n")
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<String>>());
    let names = lines.next().expect("a header");
    let row = |cells: Vec<String>| {
        assert_eq!(cells.len(), names.len(), "{cells:?}");
        names.iter().cloned().zip(cells).collect()
    };
    lines.map(row).collect()
}

fn amount(row: &BTreeMap<String, String>, name: &str) -> Amount {
    Amount::parse(&row[name]).expect("a decimal")
}

#[test]
fn the_list_adds_up_to_the_books() {
    let (place, ledger) = traded();
    let ended = report(&place, &["--out", "year"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let rows = rows(&read(&place, "year", "trades.csv"));
    assert_eq!(rows.len() as i64, TRADES);
    let mut moved: BTreeMap<&str, Amount> = BTreeMap::new();
    let mut charged: BTreeMap<(&str, &str), Amount> = BTreeMap::new();
    let mut realised = Amount::ZERO;
    for row in &rows {
        let (qty, value) = (amount(row, "quantity (base)"), amount(row, "value (quote)"));
        let (came, went) = match row["side"].as_str() {
            "buy" => (qty, -value),
            _ => (-qty, value),
        };
        *moved.entry(&row["base"]).or_default() += came;
        *moved.entry(&row["quote"]).or_default() += went;
        for kind in ["fee (charged in)", "tax (charged in)"] {
            *charged.entry((&row["charged in"], kind)).or_default() += amount(row, kind);
        }
        realised += amount(row, "realised net (TRY)");
    }
    for name in ["BTC", "ETH", "TRY"] {
        let of = |account| ledger.account(asset(name), account);
        assert_eq!(moved[name], -of(Account::Exchange), "{name}");
        let kinds = [
            ("fee (charged in)", Account::Fees),
            ("tax (charged in)", Account::Tax),
        ];
        for (kind, account) in kinds {
            let listed = charged.get(&(name, kind)).copied().unwrap_or_default();
            assert_eq!(listed, of(account), "{name} {kind}");
        }
    }
    assert_eq!(realised, ledger.realised_net());
    let sums: Value = serde_json::from_str(&read(&place, "year", "report.json")).expect("JSON");
    assert_eq!(sums["agrees_with_books"], Value::Bool(true));
    assert_eq!(sums["realised_net"], ledger.realised_net().to_string());
    assert_eq!(sums["trades"], TRADES);
}

#[test]
fn equal_journals_give_equal_bytes_and_the_page_names_no_other_host() {
    let (place, _) = traded();
    for dir in ["one", "two", "two"] {
        let ended = report(&place, &["--out", dir, "--json"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    for name in FILES {
        let [one, two] = ["one", "two"].map(|dir| read(&place, dir, name));
        assert!(!one.is_empty() && one == two, "{name}");
    }
    let names = fs::read_dir(place.path().join("two")).expect("readable");
    assert_eq!(names.count(), FILES.len(), "nothing else is left there");
    let page = read(&place, "one", "report.html");
    for forbidden in ["http", "<script", "src=", "href="] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(
        page.contains("BTCTRY") && page.contains("2023-11-15"),
        "{page}"
    );
}

#[test]
fn days_are_utc_and_a_wrong_one_is_named() {
    let (place, _) = traded();
    let trades = |args: &[&str]| {
        let ended = report(&place, &[args, &["--json"]].concat());
        assert_eq!(ended.code, Some(0), "{args:?} {ended:?}");
        let said: Value = serde_json::from_str(&ended.stdout).expect("one object");
        said["data"]["trades"].as_i64().expect("a count")
    };
    assert_eq!(trades(&["--to", "2023-11-14"]), 1);
    assert_eq!(trades(&["--from", "2023-11-15", "--to", "2023-11-15"]), 24);
    assert_eq!(trades(&["--from", "2023-11-15"]), TRADES - 1);
    assert_eq!(trades(&["--from", "today"]), 0);
    for args in [
        &["--from", "soon"][..],
        &["--to", "2023-02-30"],
        &["--from", "2023-11-16", "--to", "2023-11-15"],
    ] {
        let ended = report(&place, args);
        assert_eq!(ended.code, Some(2), "{args:?} {ended:?}");
        assert!(ended.stderr.contains(args[0]), "{ended:?}");
    }
}

#[test]
fn a_backup_is_read_as_well_and_what_is_no_journal_is_named() {
    let (place, _) = traded();
    let backup = run(place.command(&["state", "backup", "copy"]), START);
    assert_eq!(backup.code, Some(0), "{backup:?}");
    let ended = report(&place, &["--file", "copy"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended
            .stdout
            .starts_with("60 trades, from the first to the last"),
        "{ended:?}"
    );
    fs::write(place.path().join("other"), "something else").expect("writable");
    let ended = report(&place, &["--file", "other"]);
    assert_eq!(ended.code, Some(74), "{ended:?}");
    let unwritable = Path::new("/proc/report").display().to_string();
    let ended = report(&place, &["--out", &unwritable]);
    assert!(
        ended.code != Some(0) && ended.stderr.contains("--out"),
        "{ended:?}"
    );
}

#[test]
fn a_running_process_is_reported_on_and_left_as_it_was() {
    let simulator = Simulator::with_own_account(73, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    let fills = bot.wait("a fill", SOON, |bot| {
        bot.status(plane)["counts"]["fills"]
            .as_i64()
            .filter(|fills| *fills > 0)
    });
    let ended = report(
        &place,
        &["--json", "--from", "today", "--config", "bot.toml"],
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let data = ended.data();
    assert!(data["trades"].as_i64() >= Some(fills), "{data}");
    assert_eq!(data["agrees_with_books"], true);
    let state = place.path().join("btcbot-data");
    let names = fs::read_dir(state)
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name());
    let copies = names.filter(|name| name.to_string_lossy().starts_with("btcbot-copy"));
    assert_eq!(copies.count(), 0, "the copy is gone");
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_journal_of_an_older_build_says_that_its_history_is_yet_to_begin() {
    const TRADES: TableDefinition<u64, &[u8]> = TableDefinition::new("trades");
    const HEADER: TableDefinition<&str, &[u8]> = TableDefinition::new("header");
    let (place, _) = traded();
    let path = place.path().join("btcbot-data/dry").join(store::FILE_NAME);
    let database = Database::open(&path).expect("it opens");
    let write = database.begin_write().expect("writable");
    write.delete_table(TRADES).expect("ours");
    write
        .open_table(HEADER)
        .expect("ours")
        .remove("trades")
        .expect("ours");
    write.commit().expect("room on the disk");
    drop(database);
    let ended = report(&place, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("no trade history yet"), "{ended:?}");
    // The next start begins it: here, the next commit.
    let dir = place.path().join("btcbot-data/dry");
    let (mut store, _) = Store::open(&dir, Venue::Dry).expect("it opens");
    store
        .append(&[(AT, Record::Boot { epoch: 2, at: AT })])
        .expect("room on the disk");
    store.close();
    let ended = report(&place, &[]);
    assert!(ended.stdout.starts_with("60 trades"), "{ended:?}");
    assert!(
        ended
            .stdout
            .contains("60 trades do not tell what they realised"),
        "{ended:?}"
    );
}
