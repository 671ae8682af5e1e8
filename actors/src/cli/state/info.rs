//! `state info`: whose journal it is, how far it goes, and what a start would find in it.

use super::LookArgs;
use super::check::verify;
use super::facts::{Facts, Mark};
use super::place::Place;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::why::when;
use engine::time::Timestamp;
use serde_json::json;
use std::fmt::Write as _;

/// Shows the journal in figures. Beside a running process it names the holder: the figures are in `btcbot status`.
///
/// # Errors
/// Exit 7 beside a process, 74 for a file that cannot be used, 78 for a newer one.
pub fn info(args: &LookArgs) -> Outcome {
    let place = Place::of(&args.source, args.file.as_deref())?;
    if let Some(holder) = place.holder() {
        let text = format!(
            "{} is in use by {holder}; `btcbot status` shows the running process",
            place.path.display()
        );
        return Err(Failed::new(Exit::AlreadyRunning, text));
    }
    let facts = verify(&place.path)?;
    let report = Report {
        command: "state-info",
        ok: true,
        data: json!({ "file": place.path.display().to_string(), "facts": facts }),
        warnings: warnings(&facts),
    };
    report.print(args.json, &text(&place, &facts))?;
    Ok(Exit::Ok)
}

fn warnings(facts: &Facts) -> Vec<String> {
    let mut warnings = Vec::new();
    if facts.restored_us.is_some() {
        warnings.push("restored: generation check pending".to_owned());
    }
    if !facts.clean_stop {
        warnings.push("the last process did not end in an orderly way".to_owned());
    }
    warnings
}

fn text(place: &Place, facts: &Facts) -> String {
    let at = |us: i64| when(Timestamp(us));
    let mark = |mark: Option<Mark>| {
        mark.map_or_else(
            || "none".to_owned(),
            |mark| format!("{} at {}", mark.seq, at(mark.at_us)),
        )
    };
    let rows = [
        ("file", place.path.display().to_string()),
        ("venue", venue_name(facts)),
        ("schema", facts.schema.to_string()),
        ("account tag", facts.account_tag.clone()),
        ("created", at(facts.created_us)),
        ("size", format!("{} bytes", facts.size_bytes)),
        ("starts", facts.epoch.to_string()),
        ("records", facts.records.to_string()),
        ("first", mark(facts.first)),
        ("last", mark(facts.last)),
        ("trades", facts.trades.to_string()),
        (
            "own orders",
            format!(
                "{} not ended, {} of them unknown",
                facts.living, facts.unknown
            ),
        ),
        ("safe mode", yes(facts.safe_mode)),
        ("clean stop", yes(facts.clean_stop)),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<12} {value}");
    }
    for warning in warnings(facts) {
        let _ = writeln!(text, "note: {warning}");
    }
    text
}

fn venue_name(facts: &Facts) -> String {
    match facts.venue {
        crate::store::Venue::Dry => "dry",
        crate::store::Venue::Live => "live",
        crate::store::Venue::Demo => "demo",
    }
    .to_owned()
}

fn yes(holds: bool) -> String {
    if holds { "yes" } else { "no" }.to_owned()
}
