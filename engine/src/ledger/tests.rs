//! Scripts of bookings and the figures that must follow.

mod naive;

use super::*;
use crate::answer::Rail;
use crate::answer::TradeSource;
use crate::ids::OrderId;
use crate::market::Side;
use crate::money::Qty;

fn asset(text: &str) -> Asset {
    Asset::parse(text).expect("an asset")
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

/// Reads `buy BTC 0.5 @ 100 fee 0.1 tax 0.02`; `in USDT` at the end names another quote, `in_base` says where fee and
/// tax are paid.
fn trade(words: &[&str], at: i64) -> OwnTrade {
    let after = |word: &str| {
        words
            .iter()
            .position(|w| *w == word)
            .map(|at| words[at + 1])
    };
    OwnTrade {
        source: TradeSource::Rest,
        id: TradeId(at),
        order_id: OrderId(1),
        client_id: None,
        base: asset(words[1]),
        quote: asset(after("in").unwrap_or("TRY")),
        side: if words[0] == "buy" {
            Side::Buy
        } else {
            Side::Sell
        },
        price: Price::parse(after("@").expect("a price")).expect("a price"),
        qty: Qty::parse(words[2]).expect("a quantity"),
        fee: amount(after("fee").unwrap_or("0")),
        tax: amount(after("tax").unwrap_or("0")),
        at: Timestamp(at),
        fee_in_base: words.contains(&"in_base"),
    }
}

/// Books `open BTC 1 @ 100`, `open TRY 1000`, `move BTC -1 @ 90`, `correct TRY 5`, `buy ...`, `sell ...` at a time.
fn book(ledger: &mut Ledger, line: &str, at: i64) {
    let words: Vec<&str> = line.split(' ').collect();
    if matches!(words[0], "buy" | "sell") {
        ledger.book_trade(&trade(&words, at));
        return;
    }
    let price = words
        .get(4)
        .map(|text| Price::parse(text).expect("a price"));
    let (asset, amount, when) = (asset(words[1]), amount(words[2]), Timestamp(at));
    match words[0] {
        "open" => ledger.book_opening(asset, amount, price, when),
        "move" => {
            assert!(
                ledger
                    .book_transfer(transfer_id(at), asset, amount, price, when)
                    .is_some()
            );
        }
        "correct" => {
            ledger.book_correction(asset, amount, price, when);
        }
        other => panic!("no line {other}"),
    }
}

fn transfer_id(number: i64) -> TransferId {
    let rail = Rail::Crypto;
    TransferId { rail, number }
}

/// Books a script; the line's number is its time.
fn booked(script: &[&str]) -> Ledger {
    let mut ledger = Ledger::new(asset("TRY"));
    for (at, line) in (1i64..).zip(script) {
        book(&mut ledger, line, at);
        assert_eq!(ledger.check(), Ok(()), "{line}");
    }
    ledger
}

/// Returns one figure by its name; a name with an asset behind it asks for that asset.
fn figure(ledger: &Ledger, name: &str) -> String {
    let (word, of) = name.split_once(' ').unwrap_or((name, "BTC"));
    let price = |price: Option<Price>| price.map_or("none".to_owned(), |p| p.to_string());
    match word {
        "balance" => ledger.balance(asset(of)).to_string(),
        "position" => ledger.position(asset(of)).to_string(),
        "cost" => price(ledger.cost(asset(of))),
        "cost_gross" => price(ledger.cost_gross(asset(of))),
        "opened_at" => ledger
            .opened_at(asset(of))
            .map_or("none".to_owned(), |t| t.0.to_string()),
        "gross" => ledger.figures().realised_gross.to_string(),
        "net" => ledger.realised_net().to_string(),
        "fees" => ledger.fees().to_string(),
        "tax" => ledger.tax().to_string(),
        "turnover" => ledger.figures().turnover.to_string(),
        "transfer_pnl" => ledger.figures().transfer_pnl.to_string(),
        "transferred" => ledger.figures().transferred.to_string(),
        "corrected" => ledger.figures().corrected.to_string(),
        "transfers" => ledger.account(asset(of), Account::Transfers).to_string(),
        "adjusted" => ledger.account(asset(of), Account::Adjustment).to_string(),
        other => panic!("no figure {other}"),
    }
}

fn check(script: &[&str], expected: &[(&str, &str)]) {
    let ledger = booked(script);
    for (name, value) in expected {
        assert_eq!(figure(&ledger, name), *value, "{name} after {script:?}");
    }
}

#[test]
fn a_buy_costs_its_fee_and_tax() {
    check(
        &["open TRY 1000", "buy BTC 2 @ 100 fee 0.4 tax 0.08"],
        &[
            ("balance TRY", "799.52"),
            ("position", "2"),
            ("cost", "100.24"),
            ("cost_gross", "100"),
            ("fees", "0.4"),
            ("tax", "0.08"),
            ("turnover", "200"),
            ("net", "0"),
            ("opened_at", "2"),
        ],
    );
}

#[test]
fn a_booked_sale_reduces_the_position_and_books_fee_and_tax() {
    check(
        &[
            "open TRY 1000",
            "buy BTC 2 @ 100 fee 0.4",
            "sell BTC 1 @ 110 fee 0.2 tax 0.04",
        ],
        &[
            ("position", "1"),
            ("balance TRY", "909.36"),
            ("gross", "10"),
            ("net", "9.56"),
            ("cost", "100.2"),
        ],
    );
}

#[test]
fn lots_leave_in_the_order_in_which_they_came() {
    check(
        &["buy BTC 1 @ 100", "buy BTC 1 @ 200", "sell BTC 1.5 @ 300"],
        &[
            ("gross", "250"),
            ("position", "0.5"),
            ("cost", "200"),
            ("opened_at", "2"),
        ],
    );
}

#[test]
fn ledger_keeps_low_prices_exact() {
    check(
        &[
            "open TRY 10",
            "buy SHIB 10000 @ 0.0004 fee 0.004",
            "sell SHIB 5000 @ 0.0005",
        ],
        &[
            ("balance TRY", "8.496"),
            ("cost SHIB", "0.0004004"),
            ("cost_gross SHIB", "0.0004"),
            ("gross", "0.5"),
            ("net", "0.498"),
        ],
    );
    check(
        &["buy SHIB 3 @ 0.00000001"],
        &[("cost SHIB", "0.00000001"), ("balance TRY", "-0.00000003")],
    );
}

#[test]
fn realised_loss_is_not_an_error() {
    check(
        &[
            "open TRY 100",
            "buy BTC 1 @ 100",
            "sell BTC 1 @ 1 fee 2",
            "buy BTC 0.5 @ 2",
        ],
        &[
            ("gross", "-99"),
            ("net", "-101"),
            ("balance TRY", "-2"),
            ("position", "0.5"),
        ],
    );
}

#[test]
fn selling_foreign_inventory_does_not_stop_booking() {
    check(
        &[
            "open TRY 100",
            "buy BTC 1 @ 100",
            "sell BTC 3 @ 150 fee 1",
            "buy BTC 1 @ 120",
        ],
        &[
            ("gross", "50"),
            ("net", "49"),
            ("adjusted", "-2"),
            ("position", "1"),
            ("balance TRY", "329"),
        ],
    );
    let mut ledger = booked(&["buy BTC 1 @ 100"]);
    let words: Vec<&str> = "sell BTC 3 @ 150".split(' ').collect();
    assert_eq!(ledger.book_trade(&trade(&words, 2)).adjusted, amount("2"));
}

#[test]
fn coins_of_unknown_cost_make_neither_profit_nor_loss() {
    check(
        &["open BTC 1", "buy BTC 1 @ 100"],
        &[("position", "2"), ("cost", "none"), ("gross", "0")],
    );
    check(
        &["open BTC 1", "buy BTC 1 @ 100", "sell BTC 1.5 @ 300"],
        &[("gross", "100"), ("cost", "100")],
    );
}

#[test]
fn a_rebate_is_a_negative_fee() {
    check(
        &["open TRY 100", "buy BTC 1 @ 50 fee -0.05"],
        &[
            ("balance TRY", "50.05"),
            ("fees", "-0.05"),
            ("cost", "49.95"),
        ],
    );
}

#[test]
fn a_pair_in_another_quote_carries_the_cost_over() {
    check(
        &[
            "open TRY 5000",
            "buy USDT 100 @ 40",
            "buy BTC 0.001 @ 50000 fee 0.1 in USDT",
        ],
        &[
            ("position USDT", "49.9"),
            ("position", "0.001"),
            ("cost USDT", "40"),
            ("cost", "2004000"),
            ("gross", "0"),
        ],
    );
    check(
        &[
            "buy BTC 1 @ 100",
            "sell BTC 1 @ 3 in USDT",
            "sell USDT 3 @ 50",
        ],
        &[("gross", "50"), ("position", "0"), ("position USDT", "0")],
    );
}

#[test]
fn fee_and_tax_in_base_shrink_what_was_bought_and_enlarge_what_was_sold() {
    check(
        &[
            "open TRY 1000",
            "buy BTC 2 @ 100 fee 0.002 tax 0.0004 in_base",
        ],
        &[
            ("balance TRY", "800"),
            ("position", "1.9976"),
            ("fees", "0.2"),
            ("tax", "0.04"),
            ("cost_gross", "100"),
            ("net", "0"),
        ],
    );
    check(
        &[
            "open TRY 1000",
            "open BTC 3 @ 90",
            "sell BTC 2 @ 100 fee 0.002 tax 0.0004 in_base",
        ],
        &[
            ("balance TRY", "1200"),
            ("position", "0.9976"),
            ("fees", "0.2"),
            ("tax", "0.04"),
            ("gross", "20.024"),
            ("net", "19.784"),
        ],
    );
    check(
        &[
            "open USDT 100 @ 40",
            "buy BTC 0.001 @ 50000 fee 0.0001 in USDT in_base",
        ],
        &[
            ("position USDT", "50"),
            ("position", "0.0009"),
            ("fees", "0"),
        ],
    );
}

#[test]
fn coins_come_in_at_their_value_and_leave_at_their_value() {
    check(
        &[
            "open TRY 100",
            "buy BTC 1 @ 100 fee 1",
            "move BTC 2 @ 130",
            "move BTC -1.5 @ 150",
            "move TRY 50",
        ],
        &[
            ("position", "1.5"),
            ("balance TRY", "49"),
            ("gross", "60"),
            ("net", "59"),
            ("transfer_pnl", "60"),
            ("transferred", "85"),
            ("transfers", "-0.5"),
        ],
    );
    check(
        &["open BTC 1 @ 100", "move BTC -0.4"],
        &[("position", "0.6"), ("gross", "0"), ("transferred", "-40")],
    );
    check(
        &["open BTC 1 @ 100", "correct BTC -0.4 @ 90", "correct TRY 7"],
        &[
            ("position", "0.6"),
            ("balance TRY", "7"),
            ("gross", "-4"),
            ("corrected", "-29"),
            ("transferred", "0"),
        ],
    );
}

#[test]
fn a_transfer_is_booked_once() {
    let mut ledger = booked(&["open TRY 100", "move TRY 50"]);
    let again = ledger.book_transfer(
        transfer_id(2),
        asset("TRY"),
        amount("50"),
        None,
        Timestamp(9),
    );
    assert_eq!((again, ledger.balance(asset("TRY"))), (None, amount("150")));
    assert!(ledger.has_transfer(transfer_id(2)));
}

#[test]
fn late_event_equals_full_replay() {
    // The sale of 3 is heard of before the purchases of 1 and 2 that it was made of.
    let lines = [
        (3, "sell BTC 1.5 @ 130 fee 1"),
        (1, "buy BTC 1 @ 100"),
        (2, "buy BTC 1 @ 110 fee 0.5"),
        (4, "sell BTC 0.5 @ 120"),
    ];
    let mut heard = booked(&["open TRY 1000"]);
    let mut places = Vec::new();
    let mut adjusted = Amount::ZERO;
    for (at, line) in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let done = heard.book_trade(&trade(&words, at));
        places.push(done.place);
        adjusted += done.adjusted;
    }
    use Place::{Among, Last};
    assert_eq!(places, [Last, Among, Among, Last]);
    assert_eq!(adjusted, Amount::ZERO, "nothing was missing after all");
    let mut replayed = booked(&["open TRY 1000"]);
    let mut sorted = lines;
    sorted.sort();
    for (at, line) in sorted {
        book(&mut replayed, line, at);
    }
    assert_eq!(heard, replayed);
    assert_eq!(figure(&heard, "gross"), "45");
    assert_eq!(figure(&heard, "net"), "43.5");
}

#[test]
fn a_trade_older_than_what_is_kept_is_booked_when_it_is_heard_of() {
    let mut ledger = booked(&["open TRY 1000"]);
    let words: Vec<&str> = "buy BTC 0.1 @ 100".split(' ').collect();
    let most = i64::try_from(RECENT_TRADES_MAX).expect("small");
    for at in 0..=most {
        assert_eq!(
            ledger.book_trade(&trade(&words, 100 + at)).place,
            Place::Last
        );
    }
    assert_eq!(ledger.book_trade(&trade(&words, 1)).place, Place::TooLate);
    assert_eq!(
        ledger.book_trade(&trade(&words, 100 + most)).place,
        Place::Last
    );
    assert_eq!(ledger.check(), Ok(()));
    assert_eq!(
        ledger.position(asset("BTC")).units(),
        i128::from(most + 3) * 1_000_000_000_000_000
    );
}

#[test]
fn nothing_is_put_before_a_transfer() {
    let mut ledger = booked(&["open TRY 1000", "buy BTC 1 @ 100", "move BTC -0.5 @ 100"]);
    let words: Vec<&str> = "buy BTC 1 @ 50".split(' ').collect();
    assert_eq!(ledger.book_trade(&trade(&words, 1)).place, Place::TooLate);
    assert_eq!(
        ledger.cost_gross(asset("BTC")),
        Price::parse("66.66666667").ok()
    );
}

#[test]
fn net_pnl_identity_and_rollups_hold() {
    let day_one = [
        "open TRY 1000",
        "open BTC 1 @ 90",
        "buy BTC 2 @ 100 fee 0.4 tax 0.08",
        "move TRY 500",
    ];
    let day_two = [
        "sell BTC 2.5 @ 120 fee 0.6",
        "sell BTC 4 @ 130 fee 1",
        "buy BTC 1 @ 110 fee 0.2",
        "move BTC -0.25 @ 116",
    ];
    let both: Vec<&str> = day_one.iter().chain(&day_two).copied().collect();
    let mark = Price::parse("115").expect("a price");
    let net = |ledger: &Ledger| {
        let held = value_at(ledger.position(asset("BTC")), mark).expect("fits");
        assert_eq!(ledger.check_profit(|_| Some(mark), Amount::ZERO), Ok(()));
        ledger.balance(asset("TRY")) + held - ledger.figures().brought_in()
    };
    let (start, end) = (net(&booked(&day_one)), net(&booked(&both)));
    assert_eq!(start, amount("54.52"));
    assert_eq!(
        end - start,
        amount("23.45"),
        "the second day is a difference of two snapshots"
    );
}

#[test]
fn a_profit_that_the_books_do_not_show_is_a_fault() {
    let mut ledger = booked(&["open TRY 1000", "buy BTC 1 @ 100"]);
    ledger.books.figures.realised_gross += amount("0.5");
    let mark = Price::parse("115").ok();
    assert_eq!(
        ledger.check_profit(|_| mark, amount("0.01")),
        Err(LedgerFault::ProfitDiffers(amount("-0.5")))
    );
}
