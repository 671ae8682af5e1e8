//! Scripts of bookings and the figures that must follow.

use super::*;
use crate::answer::TradeSource;
use crate::ids::{OrderId, TradeId};
use crate::money::Qty;
use proptest::prelude::*;

fn asset(text: &str) -> Asset {
    Asset::parse(text).expect("an asset")
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

/// Reads `buy BTC 0.5 @ 100 fee 0.1 tax 0.02`; `in USDT` at the end names another quote.
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
    }
}

/// Books `open BTC 1 @ 100`, `open TRY 1000`, `buy ...`, `sell ...`; the line's number is its time.
fn booked(script: &[&str]) -> Ledger {
    let mut ledger = Ledger::new(asset("TRY"));
    for (at, line) in (1i64..).zip(script) {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "open" {
            let price = words
                .get(4)
                .map(|text| Price::parse(text).expect("a price"));
            ledger.book_opening(asset(words[1]), amount(words[2]), price, Timestamp(at));
        } else {
            ledger.book_trade(&trade(&words, at));
        }
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
    assert_eq!(ledger.book_trade(&trade(&words, 2)), amount("2"));
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
fn net_pnl_identity_and_rollups_hold() {
    let day_one = [
        "open TRY 1000",
        "open BTC 1 @ 90",
        "buy BTC 2 @ 100 fee 0.4 tax 0.08",
    ];
    let day_two = [
        "sell BTC 2.5 @ 120 fee 0.6",
        "sell BTC 4 @ 130 fee 1",
        "buy BTC 1 @ 110 fee 0.2",
    ];
    let both: Vec<&str> = day_one.iter().chain(&day_two).copied().collect();
    let mark = Price::parse("115").expect("a price");
    let net = |ledger: &Ledger| {
        let held = value_at(ledger.position(asset("BTC")), mark).expect("fits");
        let unrealised = held - ledger.lots_gross(asset("BTC")).expect("known");
        let identity = ledger.figures().realised_gross + unrealised - ledger.fees() - ledger.tax();
        let equity = ledger.balance(asset("TRY")) + held;
        let from_equity = equity - ledger.figures().opened - ledger.figures().adjusted;
        assert_eq!(identity, from_equity);
        identity
    };
    let (start, end) = (net(&booked(&day_one)), net(&booked(&both)));
    assert_eq!(start, amount("54.52"));
    assert_eq!(
        end - start,
        amount("23.2"),
        "the second day is a difference of two snapshots"
    );
}

fn any_line() -> impl Strategy<Value = String> {
    (
        0..4u8,
        1..500_000_000i64,
        1..900_000_000_000i64,
        -50..900i64,
        0..2u8,
    )
        .prop_map(|(kind, qty, price, fee, coin)| {
            let coin = ["BTC", "SHIB"][usize::from(coin)];
            let (qty, price) = (Qty::from_units(qty), Price::from_units(price));
            let fee = Amount::from_units(i128::from(fee) * 1_000_000_000);
            match kind {
                0 => format!("open {coin} {qty} @ {price}"),
                1 => format!("sell {coin} {qty} @ {price} fee {fee} tax 0.01"),
                _ => format!("buy {coin} {qty} @ {price} fee {fee} tax 0.01"),
            }
        })
}

proptest! {
    /// A naive model sums positions and cash with plain integers; `booked` checks the laws after each line.
    #[test]
    fn books_balance_and_agree_with_a_naive_sum(lines in proptest::collection::vec(any_line(), 1..40)) {
        let script: Vec<&str> = lines.iter().map(String::as_str).collect();
        let ledger = booked(&script);
        let (mut cash, mut coins) = (Amount::ZERO, BTreeMap::new());
        for (at, line) in (1i64..).zip(&script) {
            let words: Vec<&str> = line.split(' ').collect();
            let held: &mut Amount = coins.entry(words[1].to_owned()).or_default();
            match words[0] {
                "open" => *held += amount(words[2]),
                _ => {
                    let trade = trade(&words, at);
                    let value = trade.price.value(trade.qty);
                    let is_buy = trade.side == Side::Buy;
                    cash += if is_buy { -value } else { value } - trade.fee - trade.tax;
                    *held += if is_buy { trade.qty.amount() } else { -trade.qty.amount() };
                    *held = (*held).max(Amount::ZERO);
                }
            }
        }
        prop_assert_eq!(ledger.balance(asset("TRY")), cash);
        for (coin, held) in coins {
            prop_assert_eq!(ledger.position(asset(&coin)), held);
            prop_assert_eq!(ledger.balance(asset(&coin)), held);
        }
    }

    #[test]
    fn a_ledger_from_scratch_equals_one_that_grew(lines in proptest::collection::vec(any_line(), 1..20), cut in 0..20usize) {
        let script: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (head, tail) = script.split_at(cut.min(script.len()));
        let mut grown = booked(head);
        for (at, line) in (1i64..).zip(&script).skip(head.len()).take(tail.len()) {
            let words: Vec<&str> = line.split(' ').collect();
            if words[0] == "open" {
                let price = words.get(4).map(|text| Price::parse(text).expect("a price"));
                grown.book_opening(asset(words[1]), amount(words[2]), price, Timestamp(at));
            } else {
                grown.book_trade(&trade(&words, at));
            }
        }
        prop_assert_eq!(grown, booked(&script));
    }
}
