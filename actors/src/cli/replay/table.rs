//! The table that a replay prints for people: the figures of the object, one row each.
//!
//! It computes nothing; what is not in the object is not here either.

use super::answer::{Answer, seconds, text};
use engine::instrument::Instrument;
use engine::market::Level;
use engine::money::Amount;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};

type Row = (&'static str, String);

impl Answer {
    /// Returns the table.
    pub fn text(&self) -> String {
        let warnings = self.warnings().into_iter().map(|text| ("warning", text));
        let rows = self
            .market_rows()
            .into_iter()
            .chain(self.trading_rows())
            .chain(self.money_rows())
            .chain(self.parameter_rows())
            .chain(warnings);
        let mut table = String::new();
        for (name, value) in rows {
            writeln!(table, "{name:<14} {value}").expect("writing to a string cannot fail");
        }
        table
    }

    fn market_rows(&self) -> [Row; 6] {
        let end = self.pair(self.first());
        let best = (level(end.best_bid), level(end.best_ask));
        let book = format!(
            "{} {} bids, {} asks, {} / {}",
            end.symbol, end.bids, end.asks, best.0, best.1
        );
        let recorded = seconds(self.recorded_us);
        let checked = format!("{} compared, {} differ", self.full_frames, self.mismatches);
        [
            ("recording", format!("{}, {recorded} s", self.file)),
            ("complete", yes(self.is_complete)),
            ("frames", list(&self.frames, ": ")),
            ("level changes", self.level_changes().to_string()),
            ("book", book),
            ("full books", checked),
        ]
    }

    fn trading_rows(&self) -> [Row; 5] {
        let (tally, name) = (&self.tally, self.strategy.as_str());
        let denied: u64 = tally.denied.values().sum();
        let states = list(&tally.orders_by_state(), " ");
        let (fills, buys, sells) = (tally.fills(), tally.buys, tally.sells);
        let (elapsed, per_s) = (seconds(self.elapsed_us), self.level_changes_per_s());
        [
            (
                "strategy",
                format!("{name}, {} intents, {denied} denied", tally.intents),
            ),
            ("orders", format!("{} sent; {states}", tally.orders)),
            ("fills", format!("{fills} ({buys} buys, {sells} sells)")),
            ("decisions", tally.decision_hash()),
            (
                "speed",
                format!("{elapsed} s, {per_s} level changes a second"),
            ),
        ]
    }

    fn money_rows(&self) -> [Row; 3] {
        let (quote, base) = (self.first().quote, self.first().base);
        let position = self.pair(self.first()).position;
        let (start, end) = (shown(self.equity_start()), shown(self.equity_end()));
        let (fees, tax) = (self.tally.fees, self.tally.tax);
        let ledger = if self.is_balanced {
            "equals the venue"
        } else {
            "DIFFERS from the venue"
        };
        [
            (
                "equity",
                format!("{start} to {end} {quote}, position {position} {base}"),
            ),
            ("costs", format!("fees {fees}, tax {tax} {quote}")),
            ("ledger", ledger.to_owned()),
        ]
    }

    /// What shaped the result.
    fn parameter_rows(&self) -> [Row; 6] {
        let (parameters, first) = (self.parameters(), self.first());
        let (cash, coins) = (self.cash, self.coins);
        let account = format!("{cash} {}, {coins} {}", first.quote, first.base);
        let instruments: Vec<String> = self.instruments.iter().map(rules).collect();
        [
            ("opened with", account),
            ("instruments", instruments.join("; ")),
            ("fill model", flat(&parameters["fill_model"])),
            ("strategy set", flat(&parameters["own"])),
            ("orders set", flat(&parameters["common"])),
            ("limits", flat(&parameters["limits"])),
        ]
    }
}

fn level(level: Option<Level>) -> String {
    level.map_or_else(
        || "none".to_owned(),
        |level| format!("{} x {}", level.price, level.qty),
    )
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

fn shown(amount: Option<Amount>) -> String {
    text(amount).as_str().unwrap_or("unknown").to_owned()
}

fn list(counts: &BTreeMap<impl Display, u64>, between: &str) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name}{between}{count}"))
        .collect();
    parts.join(", ")
}

fn rules(rules: &Instrument) -> String {
    format!(
        "{}: price step {}, quantity step {}, least value {}",
        rules.symbol, rules.price_step, rules.qty_step, rules.value_min
    )
}

/// Writes the members of an object as `name=value`.
fn flat(object: &Value) -> String {
    let pairs = object.as_object().into_iter().flatten();
    let value = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let parts: Vec<String> = pairs
        .map(|(name, member)| format!("{name}={}", value(member)))
        .collect();
    parts.join(" ")
}
