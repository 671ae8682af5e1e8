//! The status page: the status document and the charts, as HTML that needs no script.
//!
//! Rendered from the same picture as `/status`; it never reads anything else and computes no figure of its own. The one
//! idea: a script only swaps sections that the server rendered, so the page says the same with and without it.

mod banner;
mod chart;
mod events;
mod flow;
mod fresh;
mod money;
mod orders;
#[cfg(test)]
mod tests;
mod words;

use crate::status::charts::Charts;
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

/// The page's looks.
pub const CSS: &str = include_str!("page/app.css");
/// Swaps newer sections in, and says when none come.
pub const SCRIPT: &str = include_str!("page/app.js");
/// A picture older than this is shown as stale, milliseconds: three times its period. The script knows the same.
const STALE_MS: i64 = 3_000;

/// Renders every section of the status document.
pub fn sections(document: &Value, charts: &Charts) -> String {
    let sections = [
        banner::section(document),
        fresh::section(document),
        money::account(document),
        money::limits(document),
        chart::section(document, charts),
        orders::section(document),
        flow::funnel(document),
        flow::budgets(document),
        events::section(document),
        footer(document),
    ];
    sections.into_iter().map(Markup::into_string).collect()
}

/// Renders the page around its sections; `age_ms` is the age of their picture.
pub fn whole(sections: &str, age_ms: i64) -> String {
    let is_stale = age_ms > STALE_MS;
    // What comes by itself is for the script to say: without one, nothing does.
    let note = is_stale.then(|| format!("STALE: this picture is {} old", words::span(age_ms)));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "btcbot" }
                link rel="stylesheet" href="/app.css";
                noscript { meta http-equiv="refresh" content="5"; }
                script src="/app.js" defer {}
            }
            body class=[is_stale.then_some("stale")] {
                p id="stream" role="status" { @if let Some(note) = note { (note) } }
                noscript { p class="aside" { "Without scripts this page loads itself again every 5 s." } }
                main id="page" { (maud::PreEscaped(sections)) }
            }
        }
    };
    page.into_string()
}

fn footer(document: &Value) -> Markup {
    let text = |name: &str| words::text(&document[name]);
    let up = document["uptime_s"]
        .as_i64()
        .map(|s| words::span(s.saturating_mul(1_000)));
    html! {
        footer id="footer" data-part {
            p {
                "btcbot " (text("version")) " · run " code { (text("run_id")) }
                " · account " code { (text("account")) } " · key " code { (document["key"].as_str().unwrap_or("none")) }
                " · up " (up.unwrap_or_default())
                " · picture of " (words::moment(&document["taken_us"]))
            }
            p {
                "Read-only. The same figures: " a href="/status" { "/status" } ", " a href="/metrics" { "/metrics" } ". "
                "Probes: " a href="/readyz?verbose" { "/readyz" } ", " a href="/livez?verbose" { "/livez" } "."
            }
        }
    }
}
