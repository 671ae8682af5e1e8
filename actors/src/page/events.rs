//! The latest notable events, newest first.

use super::words::{ago, list, plain, text, time_of_day};
use maud::{Markup, html};
use serde_json::Value;

/// Events on the page; `/status` has more.
const EVENTS_MAX: usize = 20;

/// Renders the story so far.
pub(super) fn section(document: &Value) -> Markup {
    let rows = list(&document["events"]);
    html! {
        section id="events" class="panel wide" aria-labelledby="events-title" data-part {
            h2 id="events-title" { "Events" }
            @if rows.is_empty() { p class="empty" { "Nothing notable has happened yet." } } @else {
                div class="scroll" { table {
                    caption { "The last " (EVENTS_MAX) ", newest first" }
                    thead { tr {
                        th scope="col" { "UTC" } th scope="col" class="num" { "ago" } th scope="col" { "what" } th scope="col" { "detail" }
                    } }
                    tbody { @for row in rows.iter().rev().take(EVENTS_MAX) { tr {
                        td { (time_of_day(&row["at_us"])) }
                        td class="num" { (ago(document, &row["at_us"])) }
                        th scope="row" { (plain(text(&row["code"]))) }
                        td class="detail" { (text(&row["text"])) }
                    } } }
                } }
            }
        }
    }
}
