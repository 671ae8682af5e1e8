//! The report as one page: no script, no other file, no address of another host.

use super::sums::charges;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

/// The page's looks.
const CSS: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem}\
table{border-collapse:collapse;margin:1rem 0 2rem;width:100%}\
caption{text-align:left;font-weight:600;padding:.3rem 0}\
th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #8884;font-variant-numeric:tabular-nums}\
th:first-child,td:first-child,th.name,td.name{text-align:left}\
.loss{color:#c33}.note{border-left:4px solid #c80;padding:.3rem .8rem}\
footer{font-size:.85em;opacity:.8}";

/// Renders the figures of `report.json`.
pub(super) fn page(data: &Value) -> String {
    let text = |name: &str| data[name].as_str().unwrap_or("unknown");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "btcbot: what was traded" }
                style { (PreEscaped(CSS)) }
            }
            body {
                h1 { "What was traded" }
                p {
                    "From " (data["from"].as_str().unwrap_or("the first trade"))
                    " to " (data["to"].as_str().unwrap_or("the last trade"))
                    ", UTC days, both included: " (data["trades"]) " trades on the venue " (text("venue"))
                    " by the account " code { (text("account")) } "."
                }
                @if data["is_complete"] != Value::Bool(true) {
                    p class="note" { "Complete from " (text("complete_from")) ": what was traded before is not in it." }
                }
                @if data["agrees_with_books"] == Value::Bool(false) {
                    p class="note" { "The history and the books of this journal differ." }
                }
                (table("By pair", &data["pairs"], data))
                @for day in rows(&data["days"]) {
                    (table(day["day"].as_str().unwrap_or_default(), &day["pairs"], data))
                }
                footer {
                    p { "btcbot " (text("version")) " (" code { (text("git_sha")) } "), configuration "
                        code { (text("config_hash")) } ". Every trade is a line of " code { (super::CSV_NAME) } "." }
                }
            }
        }
    };
    page.into_string()
}

fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn table(caption: &str, pairs: &Value, data: &Value) -> Markup {
    let valued_in = data["valued_in"].as_str().unwrap_or_default();
    html! {
        table {
            caption { (caption) }
            thead { tr {
                th scope="col" { "pair" }
                th scope="col" { "trades" }
                th scope="col" { "bought" } th scope="col" { "for" }
                th scope="col" { "sold" } th scope="col" { "for" }
                th scope="col" { "fees" } th scope="col" { "tax" }
                th scope="col" { "realised net, " (valued_in) }
            } }
            tbody { @for pair in rows(pairs) { (row(pair)) } }
        }
    }
}

fn row(pair: &Value) -> Markup {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (base, quote) = (text(&pair["base"]), text(&pair["quote"]));
    let realised = text(&pair["realised_net"]);
    html! {
        tr {
            th scope="row" { (text(&pair["pair"])) }
            td { (pair["trades"]) }
            @for leg in ["bought", "sold"] {
                td { (text(&pair[leg]["quantity"])) " " (base) }
                td { (text(&pair[leg]["notional"])) " " (quote) }
            }
            td { (charges(&pair["fees"])) }
            td { (charges(&pair["tax"])) }
            td class=[realised.starts_with('-').then_some("loss")] { (realised) }
        }
    }
}
