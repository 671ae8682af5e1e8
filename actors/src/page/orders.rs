//! What rests at the exchange or is on its way, those of unknown fate first.

use super::words::{ago, decimal, list, plain, text, time_of_day};
use maud::{Markup, html};
use serde_json::Value;

/// Renders own orders that have not ended.
pub(super) fn section(document: &Value) -> Markup {
    let mut orders: Vec<&Value> = list(&document["orders"]).iter().collect();
    orders.sort_by_key(|order| (order["state"] != "unknown", order["since_us"].as_i64()));
    let foreign = list(&document["money"]["foreign_orders"]).len();
    html! {
        section id="orders" class="panel wide" aria-labelledby="orders-title" data-part {
            h2 id="orders-title" { "Orders" span class="age" { (orders.len()) " not ended" } }
            @if orders.is_empty() { p class="empty" { "Nothing of ours rests at the exchange." } }
            @else { div class="scroll" { (table(document, &orders)) } }
            @if foreign > 0 { p class="empty" { (foreign) " open orders of the account are not ours." } }
        }
    }
}

fn table(document: &Value, orders: &[&Value]) -> Markup {
    html! {
        table {
            caption { "Own orders that have not ended" }
            thead { tr {
                th scope="col" { "state" } th scope="col" { "pair" } th scope="col" { "side" }
                th scope="col" class="num" { "price, TRY" } th scope="col" class="num" { "quantity" }
                th scope="col" class="num" { "filled" } th scope="col" class="num" { "for" }
                th scope="col" { "since, UTC" } th scope="col" { "client id" } th scope="col" { "number" }
            } }
            tbody { @for order in orders { (row(document, order)) } }
        }
    }
}

fn row(document: &Value, order: &Value) -> Markup {
    let state = text(&order["state"]);
    html! {
        tr class=[(state == "unknown").then_some("bad")] {
            th scope="row" {
                (plain(state))
                @if let Some(why) = order["why"].as_str() { " (" (plain(why)) ")" }
                @if order["cancel_asked"] == Value::Bool(true) { ", cancel asked" }
            }
            td { (text(&order["symbol"])) }
            td class=(if order["side"] == "buy" { "up" } else { "down" }) { (text(&order["side"])) }
            td class="num" { (decimal(&order["price"])) }
            td class="num" { (decimal(&order["qty"])) }
            td class="num" { (decimal(&order["filled"])) }
            td class="num" { (ago(document, &order["since_us"])) }
            td { (time_of_day(&order["since_us"])) }
            td { code { (text(&order["client_id"])) } }
            td { code { (text(&order["order_id"])) } }
        }
    }
}
