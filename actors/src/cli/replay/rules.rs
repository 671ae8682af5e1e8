//! The rules of the pairs a replay may meet: a built-in table, or a file of the operator's.
//!
//! A recording carries no rules. The built-in ones follow the exchange's captures of 2022 for pairs in TRY; pairs in
//! USDT have the decimals of the recordings, which came from another exchange.

use crate::cli::exit::{Exit, Failed};
use engine::ids::{Asset, Symbol};
use engine::instrument::{Instrument, RuleFacts};
use engine::money::{Amount, Price};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest rules file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A pair of the built-in table; money as text, read once.
struct Known {
    base: &'static str,
    quote: &'static str,
    qty_scale: u32,
    price_scale: u32,
    /// False: prices are whole numbers whatever the scale says (docs/EXCHANGE.md 4.2).
    has_fraction: bool,
    tick: &'static str,
    value_min: &'static str,
}

const fn known(
    base: &'static str,
    quote: &'static str,
    scales: (u32, u32),
    has_fraction: bool,
    tick: &'static str,
    value_min: &'static str,
) -> Known {
    Known {
        base,
        quote,
        price_scale: scales.0,
        qty_scale: scales.1,
        has_fraction,
        tick,
        value_min,
    }
}

/// Decimals of price and quantity, fractions or whole prices, price step, smallest order.
const KNOWN: [Known; 7] = [
    known("BTC", "TRY", (2, 8), false, "10", "99.91"),
    known("ETH", "TRY", (2, 8), false, "1", "99.91"),
    known("SOL", "TRY", (2, 4), true, "0.1", "99.91"),
    known("USDT", "TRY", (3, 2), true, "0.001", "99.91"),
    known("BTC", "USDT", (2, 5), true, "0.01", "10"),
    known("ETH", "USDT", (2, 4), true, "0.01", "10"),
    known("SOL", "USDT", (2, 4), true, "0.01", "10"),
];

/// Returns the rules by pair: those of the file if one is given, else the built-in ones.
///
/// # Errors
/// A file that cannot be read, is no list of rules, or holds rules that cannot be traded on.
pub fn table(file: Option<&Path>) -> Result<BTreeMap<Symbol, Instrument>, Failed> {
    match file {
        None => Ok(built_in()),
        Some(path) => read(path),
    }
}

fn built_in() -> BTreeMap<Symbol, Instrument> {
    let rules = KNOWN.iter().map(|known| {
        known
            .facts()
            .instrument()
            .expect("the built-in rules are complete")
    });
    rules.map(|rules| (rules.symbol, rules)).collect()
}

impl Known {
    fn facts(&self) -> RuleFacts {
        let asset = |name| Asset::parse(name).expect("built-in names are names");
        let pair = format!("{}{}", self.base, self.quote);
        RuleFacts {
            symbol: Symbol::parse(&pair).expect("built-in names are names"),
            base: asset(self.base),
            quote: asset(self.quote),
            is_trading: true,
            has_limit_orders: true,
            qty_scale: self.qty_scale,
            price_scale: self.price_scale,
            has_fraction: self.has_fraction,
            tick: Some(Price::parse(self.tick).expect("built-in ticks are prices")),
            value_min: Some(Amount::parse(self.value_min).expect("built-in minima are amounts")),
            qty_min: None,
            qty_max: None,
            price_min: None,
            price_max: None,
            fee_in_base: false,
        }
    }
}

fn read(path: &Path) -> Result<BTreeMap<Symbol, Instrument>, Failed> {
    let failed = |what: String| Failed::new(Exit::Failure, format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| failed(format!("cannot be read: {error}")))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(format!("longer than {FILE_BYTES_MAX} bytes")));
    }
    let list: Vec<RuleFacts> = serde_json::from_str(&text).map_err(|error| {
        failed(format!(
            "{error}; expected a JSON list of rules, see --help"
        ))
    })?;
    let mut table = BTreeMap::new();
    for facts in list {
        let rules = facts
            .instrument()
            .map_err(|error| failed(format!("{}: {error}", facts.symbol)))?;
        if table.insert(rules.symbol, rules).is_some() {
            return Err(failed(format!("{} is there twice", rules.symbol)));
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_recordings_decimals_fit_the_built_in_rules() {
        let table = built_in();
        let check = |pair: &str, price_step: &str, qty_step: &str, value_min: &str| {
            let rules = table[&Symbol::parse(pair).expect("a pair")];
            let got = [
                rules.price_step.to_string(),
                rules.qty_step.to_string(),
                rules.value_min.to_string(),
            ];
            assert_eq!(got, [price_step, qty_step, value_min], "{pair}");
        };
        check("ETHUSDT", "0.01", "0.0001", "10");
        check("BTCUSDT", "0.01", "0.00001", "10");
        check("BTCTRY", "10", "0.00000001", "99.91");
    }

    #[test]
    fn a_file_takes_the_place_of_the_table_and_says_what_is_wrong() {
        let good = r#"{"symbol":"ABCUSDT","base":"ABC","quote":"USDT","is_trading":true,"has_limit_orders":true,
            "qty_scale":1,"price_scale":3,"has_fraction":true,"value_min":"5","fee_in_base":false}"#;
        let check = |text: &str, expected: Result<usize, &str>| {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(text.as_bytes()).expect("written");
            match (table(Some(file.path())), expected) {
                (Ok(table), Ok(count)) => assert_eq!(table.len(), count, "{text}"),
                (Err(failed), Err(part)) => {
                    assert!(failed.message.contains(part), "{}", failed.message);
                }
                (got, expected) => panic!("{text}: {:?} {expected:?}", got.map(|_| ())),
            }
        };
        check(&format!("[{good}]"), Ok(1));
        check("[]", Ok(0));
        check(&format!("[{good},{good}]"), Err("ABCUSDT is there twice"));
        check(good, Err("expected a JSON list"));
        check(
            &format!("[{}]", good.replace(r#""value_min":"5","#, "")),
            Err("no minimum order value"),
        );
        check(
            &format!(
                "[{}]",
                good.replace(r#""price_scale":3"#, r#""price_scale":9"#)
            ),
            Err("more than 8 decimals"),
        );
    }
}
