//! Drawn scripts on the books and on naive ones beside them, which keep lots and nothing else.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn any_line() -> impl Strategy<Value = String> {
    (
        0..7u8,
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
                2 => format!("move {coin} {qty} @ {price}"),
                3 => format!("move {coin} -{qty} @ {price}"),
                _ => format!("buy {coin} {qty} @ {price} fee {fee} tax 0.01"),
            }
        })
}

proptest! {
    /// A naive model replays the script from scratch with lists of coins; `booked` checks the laws after each line.
    #[test]
    fn books_balance_and_agree_with_a_naive_replay(lines in proptest::collection::vec(any_line(), 1..40)) {
        let script: Vec<&str> = lines.iter().map(String::as_str).collect();
        let ledger = booked(&script);
        let naive = Naive::replay(&script);
        prop_assert_eq!(ledger.balance(asset("TRY")), naive.cash);
        for coin in ["BTC", "SHIB"] {
            let held: Amount = naive.lots_of(coin).iter().map(|(amount, _)| *amount).sum();
            prop_assert_eq!(ledger.position(asset(coin)), held);
            prop_assert_eq!(ledger.balance(asset(coin)), held);
            let cost: Amount = naive.lots_of(coin).iter().map(|(_, cost)| *cost).sum();
            prop_assert_eq!(ledger.lots_gross(asset(coin)), Some(cost));
        }
        prop_assert_eq!(ledger.figures().realised_gross, naive.realised);
        let mark = Price::from_units(123_456_789);
        prop_assert_eq!(ledger.check_profit(|_| Some(mark), Amount::ZERO), Ok(()));
    }

    #[test]
    fn a_ledger_from_scratch_equals_one_that_grew(lines in proptest::collection::vec(any_line(), 1..20), cut in 0..20usize) {
        let script: Vec<&str> = lines.iter().map(String::as_str).collect();
        let head = cut.min(script.len());
        let mut grown = booked(&script[..head]);
        for (at, line) in (1i64..).zip(&script).skip(head) {
            book(&mut grown, line, at);
        }
        prop_assert_eq!(grown, booked(&script));
    }

    /// Trades heard of in any order leave the ledger that hears them in theirs.
    #[test]
    fn late_events_equal_full_replay_in_every_order(
        (lines, heard) in proptest::collection::vec(any_line(), 1..24)
            .prop_flat_map(|lines| (Just(lines.clone()), Just((0..lines.len()).collect::<Vec<_>>()).prop_shuffle())),
    ) {
        let is_trade = |line: &&String| line.starts_with("buy") || line.starts_with("sell");
        let opening = ["open TRY 5", "open BTC 0.5 @ 3"];
        let (mut sorted, mut mixed) = (booked(&opening), booked(&opening));
        for (at, line) in (0i64..).zip(&lines).filter(|(_, line)| is_trade(line)) {
            // Two trades share each stamp: their numbers tell them apart.
            book_at(&mut sorted, line, at);
        }
        for at in heard {
            if is_trade(&&lines[at]) {
                book_at(&mut mixed, &lines[at], i64::try_from(at).expect("small"));
            }
        }
        prop_assert_eq!(mixed, sorted);
    }
}

fn book_at(ledger: &mut Ledger, line: &str, number: i64) {
    let words: Vec<&str> = line.split(' ').collect();
    let trade = OwnTrade {
        at: Timestamp(number / 2),
        ..trade(&words, number)
    };
    ledger.book_trade(&trade);
}

/// Cash, and per coin a list of amounts with what each cost; parts are floored, the last part takes the rest.
#[derive(Default)]
struct Naive {
    cash: Amount,
    realised: Amount,
    lots: BTreeMap<String, Vec<(Amount, Amount)>>,
}

impl Naive {
    fn replay(script: &[&str]) -> Self {
        let mut naive = Self::default();
        for (at, line) in (1i64..).zip(script) {
            naive.line(line, at);
        }
        naive
    }

    fn lots_of(&self, coin: &str) -> &[(Amount, Amount)] {
        self.lots.get(coin).map_or(&[], Vec::as_slice)
    }

    fn line(&mut self, line: &str, at: i64) {
        let words: Vec<&str> = line.split(' ').collect();
        let price = Price::parse(words[4]).expect("a price");
        let lots = self.lots.entry(words[1].to_owned()).or_default();
        let moved = amount(words[2]);
        let value = value_at(moved.abs(), price).expect("fits");
        match words[0] {
            "buy" | "sell" => {
                let trade = trade(&words, at);
                let sign = |amount: Amount| if words[0] == "buy" { -amount } else { amount };
                self.cash += sign(value) - trade.fee - trade.tax;
            }
            _ => {}
        }
        if words[0] == "sell" || moved.is_negative() {
            let held: Amount = lots.iter().map(|(amount, _)| *amount).sum();
            let missing = moved.abs() - held;
            if missing.is_positive() {
                lots.push((missing, value_at(missing, price).expect("fits")));
            }
            self.realised += value - take(lots, moved.abs());
        } else {
            lots.push((moved, value));
        }
    }
}

fn take(lots: &mut Vec<(Amount, Amount)>, wanted: Amount) -> Amount {
    let (mut left, mut cost) = (wanted, Amount::ZERO);
    while left.is_positive() {
        let (amount, paid) = lots[0];
        if left >= amount {
            lots.remove(0);
            (left, cost) = (left - amount, cost + paid);
        } else {
            let part = paid
                .times_ratio(left.units(), amount.units())
                .unwrap_or_else(|| lots::share(paid, left, amount));
            lots[0] = (amount - left, paid - part);
            (left, cost) = (Amount::ZERO, cost + part);
        }
    }
    cost
}
