//! Sums of a report as JSON, decimals as text, and as lines for a terminal.

use super::days;
use engine::history::{Leg, PairSums, Sums};
use engine::ids::Asset;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Returns the sums of each pair, by name of base and quote.
pub(super) fn pairs(sums: &Sums) -> Vec<Value> {
    sums.pairs()
        .map(|(pair, sums)| of_pair(pair, sums))
        .collect()
}

/// Returns the sums of each pair on each day on which it was traded.
pub(super) fn by_day(days: &BTreeMap<i64, Sums>) -> Vec<Value> {
    let of_day =
        |(day, sums): (&i64, &Sums)| json!({ "day": days::named(*day), "pairs": pairs(sums) });
    days.iter().map(of_day).collect()
}

fn of_pair((base, quote): (Asset, Asset), sums: &PairSums) -> Value {
    let charged = |of: fn(&engine::history::Charged) -> engine::money::Amount| json!({ quote.to_string(): of(&sums.in_quote), base.to_string(): of(&sums.in_base) });
    json!({
        "pair": format!("{base}{quote}"),
        "base": base,
        "quote": quote,
        "trades": sums.trades(),
        "bought": leg(sums.bought),
        "sold": leg(sums.sold),
        "fees": charged(|charged| charged.fee),
        "tax": charged(|charged| charged.tax),
        "realised_net": sums.realised,
        "unvalued_trades": sums.unvalued,
    })
}

fn leg(leg: Leg) -> Value {
    json!({ "trades": leg.trades, "quantity": leg.qty, "notional": leg.value })
}

/// The charges of one kind that are not zero, each with its currency.
pub(super) fn charges(of: &Value) -> String {
    let amounts = of.as_object().into_iter().flatten();
    let paid = amounts.filter(|(_, amount)| amount.as_str() != Some("0"));
    let paid: Vec<String> = paid
        .map(|(asset, amount)| format!("{} {asset}", amount.as_str().unwrap_or_default()))
        .collect();
    if paid.is_empty() {
        "0".to_owned()
    } else {
        paid.join(" + ")
    }
}

/// Returns the sums as lines for people.
pub(super) fn text(data: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} trades, from {} to {}; complete from {}",
        data["trades"],
        data["from"].as_str().unwrap_or("the first"),
        data["to"].as_str().unwrap_or("the last"),
        word(&data["complete_from"]),
    );
    for pair in data["pairs"].as_array().into_iter().flatten() {
        let side = |name: &str| {
            let leg = &pair[name];
            let (qty, value) = (word(&leg["quantity"]), word(&leg["notional"]));
            format!(
                "{name} {qty} {} for {value} {} in {}",
                word(&pair["base"]),
                word(&pair["quote"]),
                leg["trades"]
            )
        };
        let _ = writeln!(
            text,
            "{}: {}; {}",
            word(&pair["pair"]),
            side("bought"),
            side("sold")
        );
        let _ = writeln!(
            text,
            "    fees {}, tax {}, realised net {} {}",
            charges(&pair["fees"]),
            charges(&pair["tax"]),
            word(&pair["realised_net"]),
            word(&data["valued_in"]),
        );
    }
    text
}
