//! How old everything is, as tiles; three periods without news are hatched and say so.
//!
//! The first two tiles say what rests at the exchange, because that is the second question of every night.

use super::words::{count, list, plain, span, text};
use maud::{Markup, html};
use serde_json::Value;

/// Renders the tiles.
pub(super) fn section(document: &Value) -> Markup {
    html! {
        section id="fresh" class="panel wide bare" aria-labelledby="fresh-title" data-part {
            h2 id="fresh-title" class="quiet" { "Freshness" }
            ul class="tiles" {
                (orders_tile(document))
                (unknown_tile(document))
                @for row in list(&document["freshness"]) { (tile(document, row)) }
                (threads_tile(document))
            }
        }
    }
}

fn tile(document: &Value, row: &Value) -> Markup {
    let is_stale = row["stale"] != Value::Bool(false);
    let age = row["age_ms"].as_i64();
    html! {
        li class=(class(is_stale)) {
            span class="what" { (name(text(&row["what"]))) }
            strong { (age.map_or("never".to_owned(), span)) }
            @if is_stale { em { "STALE" } }
            span class="note" {
                @match (row["why"].as_str(), document["clock_offset_ms"].as_i64()) {
                    (Some(why), _) => { "untrusted: " (plain(why)) }
                    (None, Some(ms)) if row["what"] == "clock" => { "off by " (ms) " ms" }
                    (None, _) => { "due every " (row["period_ms"].as_i64().map_or(String::new(), span)) }
                }
            }
        }
    }
}

const fn class(is_stale: bool) -> &'static str {
    if is_stale { "tile stale" } else { "tile" }
}

fn name(what: &str) -> String {
    match what {
        "evaluation" => "last evaluation".to_owned(),
        "money" => "account figures".to_owned(),
        "clock" => "exchange clock".to_owned(),
        other => other.to_owned(),
    }
}

fn orders_tile(document: &Value) -> Markup {
    let open = list(&document["orders"]).len();
    html! {
        li class="tile" {
            span class="what" { "orders not ended" }
            strong { (open) }
            span class="note" { @if open == 0 { "nothing rests" } @else { "rest or are on their way" } }
        }
    }
}

fn unknown_tile(document: &Value) -> Markup {
    let unknown = document["unknown_orders"].as_u64().unwrap_or(0);
    html! {
        li class=(if unknown > 0 { "tile bad" } else { "tile" }) {
            span class="what" { "of unknown fate" }
            strong { (count(&document["unknown_orders"])) }
            span class="note" { @if unknown > 0 { "being looked for" } @else { "every fate is known" } }
        }
    }
}

fn threads_tile(document: &Value) -> Markup {
    let threads = list(&document["threads"]);
    let stalled: Vec<&str> = (threads.iter())
        .filter(|row| row["stalled"] == Value::Bool(true))
        .map(|row| text(&row["thread"]))
        .collect();
    let oldest = threads
        .iter()
        .filter_map(|row| row["age_ms"].as_i64())
        .max();
    html! {
        li class=(class(!stalled.is_empty() || threads.is_empty())) {
            span class="what" { "signs of life" }
            strong { (oldest.map_or("none".to_owned(), span)) }
            @if !stalled.is_empty() { em { "STALLED" } }
            span class="note" {
                @if stalled.is_empty() { "oldest of " (threads.len()) " threads" } @else { (stalled.join(", ")) }
            }
        }
    }
}
