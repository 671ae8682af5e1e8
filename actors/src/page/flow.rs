//! Why there is, or is not, a trade: the stages of decisions with what stopped them; and what the day's budgets have left.

use super::words::{count, list, plain, text};
use maud::{Markup, html};
use serde_json::Value;

/// Stages in the order in which a wish passes them: name, and its member in `counts`.
const STAGES: [(&str, &str); 6] = [
    ("evaluated", "evaluated"),
    ("intents", "intents"),
    ("approved", "approved"),
    ("submitted", "submitted"),
    ("accepted", "accepted"),
    ("fills", "fills"),
];
/// Ends that are no success: the same.
const ENDS: [(&str, &str); 5] = [
    ("denied", "denied"),
    ("rejected", "rejected"),
    ("not sent", "not_sent"),
    ("unknown", "unknown"),
    ("cancels", "cancels"),
];
/// Reasons that are listed; `/status` has all of them.
const REASONS_MAX: usize = 6;

/// Renders the funnel of decisions.
pub(super) fn funnel(document: &Value) -> Markup {
    let counts = &document["counts"];
    html! {
        section id="funnel" class="panel wide" aria-labelledby="funnel-title" data-part {
            h2 id="funnel-title" { "Why, or why no trade" }
            div class="columns" {
            div { table class="funnel" {
                caption { "Decisions since the start" }
                thead class="hidden" { tr { th scope="col" { "stage" } th scope="col" { "count" } } }
                tbody { @for (name, member) in STAGES { tr {
                    th scope="row" { (name) } td class="num" { (count(&counts[member])) }
                } } }
            }
            p class="ends" { @for (name, member) in ENDS { span { (name) " " b { (count(&counts[member])) } } } }
            }
            (denials(document))
            (silences(document))
            }
        }
    }
}

fn denials(document: &Value) -> Markup {
    let members = document["denials"].as_object();
    let mut rows: Vec<(&str, u64)> = (members.into_iter().flatten())
        .map(|(code, count)| (code.as_str(), count.as_u64().unwrap_or(0)))
        .collect();
    rows.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    html! {
        @if !rows.is_empty() {
            div { table {
                caption { "Denied by the risk gate, most frequent first" }
                thead class="hidden" { tr { th scope="col" { "reason" } th scope="col" { "count" } } }
                tbody { @for (code, count) in rows.iter().take(REASONS_MAX) { tr {
                    th scope="row" { (plain(code)) } td class="num" { (count) }
                } } }
            } }
        }
    }
}

fn silences(document: &Value) -> Markup {
    let rows = list(&document["silent"]);
    html! {
        @if !rows.is_empty() {
            div { table {
                caption { "Why a strategy last asked for nothing" }
                thead class="hidden" { tr { th scope="col" { "pair" } th scope="col" { "strategy" } th scope="col" { "reason" } } }
                tbody { @for row in rows { tr {
                    th scope="row" { (text(&row["symbol"])) }
                    td { (plain(text(&row["strategy"]))) }
                    td { (plain(text(&row["why"]))) }
                } } }
            } }
        }
    }
}

/// Renders the budgets of the day, and every cause that is off the lowest rung.
pub(super) fn budgets(document: &Value) -> Markup {
    let rows = list(&document["budgets"]);
    let causes = list(&document["ladder"]["causes"]);
    let raised: Vec<&Value> = causes
        .iter()
        .filter(|row| row["rung"] != "normal")
        .collect();
    html! {
        section id="budgets" class="panel wide" aria-labelledby="budgets-title" data-part {
            h2 id="budgets-title" { "Budgets of the day" }
            @if rows.is_empty() { p class="empty" { "The budgets are not known yet." } } @else {
                table {
                    caption { "Events of 24 hours; a burn of 1 spends them in exactly a day" }
                    thead { tr {
                        th scope="col" { "budget" } th scope="col" class="num" { "left" } th scope="col" class="num" { "of" }
                        th scope="col" class="num" { "last hour" } th scope="col" class="num" { "burn" } th scope="col" { "rung" }
                    } }
                    tbody { @for row in rows { tr {
                        th scope="row" { (plain(text(&row["budget"]))) }
                        td class="num" { (count(&row["left"])) }
                        td class="num" { (count(&row["limit"])) }
                        td class="num" { (count(&row["hour"])) }
                        td class="num" { (text(&row["burn"])) }
                        td { (plain(text(&row["rung"]))) }
                    } } }
                }
            }
            @if raised.is_empty() { p class="empty" { "Nothing is being repaired." } }
            @for row in raised {
                p class="empty bad" { (plain(text(&row["cause"]))) ": " (plain(text(&row["rung"]))) ", "
                    (count(&row["count"])) " of " (count(&row["limit"])) }
            }
        }
    }
}
