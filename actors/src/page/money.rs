//! The account today, and every limit as a bar of what is used.

use super::words::{ago, decimal, grouped, list, money, text};
use maud::{Markup, html};
use serde_json::Value;

/// A bar is drawn this wide for a limit that is used up.
const BAR_UNITS: i64 = 1_000;
/// From this share on a bar warns, per mille.
const NEAR_PERMILLE: i64 = 800;

/// Renders equity, the day's result and the positions.
pub(super) fn account(document: &Value) -> Markup {
    let account = &document["money"];
    let age = list(&document["freshness"])
        .iter()
        .find(|row| row["what"] == "money");
    let is_stale = age.is_some_and(|row| row["stale"] == Value::Bool(true));
    html! {
        section id="account" class=(if is_stale { "panel stale" } else { "panel" }) aria-labelledby="account-title" data-part {
            h2 id="account-title" { "Account" (age_note(document, age)) }
            @if account.is_object() {
                dl class="figures" {
                    (figure("equity", &money(&account["equity"]), "TRY"))
                    (signed("today", &account["day_pnl"]))
                    (figure("drawdown", &account["drawdown_bps"].to_string(), "bps"))
                    (figure("cash", &money(&account["cash"]), "TRY"))
                    (figure("exposure", &money(&account["exposure"]), "TRY"))
                    (figure("fees today", &money(&account["fees_today"]), "TRY"))
                }
                (against(document, "MAX_DAILY_LOSS_TRY", "loss today"))
                (against(document, "MAX_DRAWDOWN_BPS", "drawdown"))
                (positions(account))
            } @else { p class="empty" { "The account is not known yet." } }
        }
    }
}

fn age_note(document: &Value, row: Option<&Value>) -> Markup {
    let then =
        row.and_then(|row| Some(document["taken_us"].as_i64()? - row["age_ms"].as_i64()? * 1_000));
    html! {
        @if let Some(then) = then { span class="age" { (ago(document, &Value::from(then))) " old" } }
    }
}

fn figure(name: &str, value: &str, unit: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) " " span class="unit" { (unit) } } } }
}

fn signed(name: &str, value: &Value) -> Markup {
    let is_loss = value.as_str().is_some_and(|text| text.starts_with('-'));
    let sign = if value.is_string() && !is_loss {
        "+"
    } else {
        ""
    };
    html! {
        div { dt { (name) } dd class=(if is_loss { "down" } else { "up" }) {
            (sign) (money(value)) " " span class="unit" { "TRY" }
        } }
    }
}

/// The bar of one limit, where it is told.
fn against(document: &Value, limit: &str, what: &str) -> Markup {
    let row = list(&document["limits"])
        .iter()
        .find(|row| row["limit"] == limit);
    html! {
        @if let Some(row) = row {
            p class="against" { span { (what) " of its limit" } span class="num" { (used_of(row)) } }
            (bar(row))
        }
    }
}

fn positions(account: &Value) -> Markup {
    let rows = list(&account["positions"]);
    html! {
        @if !rows.is_empty() {
            div class="scroll" { table {
                caption { "Positions" }
                thead { tr { th scope="col" { "pair" } th scope="col" class="num" { "coins" } th scope="col" class="num" { "mark, TRY" } } }
                tbody { @for row in rows { tr {
                    th scope="row" { (text(&row["symbol"])) }
                    td class="num" { (decimal(&row["qty"])) }
                    td class="num" { (decimal(&row["mark"])) }
                } } }
            } }
        }
    }
}

/// Renders every limit.
pub(super) fn limits(document: &Value) -> Markup {
    let rows = list(&document["limits"]);
    html! {
        section id="limits" class="panel" aria-labelledby="limits-title" data-part {
            h2 id="limits-title" { "Limits" }
            @if rows.is_empty() { p class="empty" { "The limits are not known yet." } } @else {
                table class="bars" {
                    caption { "Used of what is allowed" }
                    thead class="hidden" { tr { th scope="col" { "limit" } th scope="col" { "share" } th scope="col" { "used of allowed" } } }
                    tbody { @for row in rows { tr {
                        th scope="row" { (name(text(&row["limit"]))) }
                        td class="bar" { (bar(row)) }
                        td class="num" { (used_of(row)) }
                    } } }
                }
            }
        }
    }
}

fn name(limit: &str) -> String {
    let words = limit
        .strip_prefix("MAX_")
        .unwrap_or(limit)
        .to_lowercase()
        .replace('_', " ");
    words.replace(" try", "").replace(" bps", "")
}

fn used_of(row: &Value) -> String {
    let unit = text(&row["unit"]);
    let shown = |value: &Value| match unit {
        "TRY" => money(value),
        _ => grouped(text(value)),
    };
    let unit = if unit == "orders" { "" } else { unit };
    let (used, allowed) = (shown(&row["used"]), shown(&row["allowed"]));
    let allowed = allowed.strip_suffix(".00").unwrap_or(&allowed);
    format!("{used} / {allowed} {unit}").trim_end().to_owned()
}

fn bar(row: &Value) -> Markup {
    let permille = row["used_permille"].as_i64().unwrap_or(0);
    let width = permille.clamp(0, BAR_UNITS);
    let class = match permille {
        ..NEAR_PERMILLE => "fill",
        NEAR_PERMILLE..BAR_UNITS => "fill near",
        BAR_UNITS.. => "fill full",
    };
    let title = format!("{}: {} % used", name(text(&row["limit"])), permille / 10);
    html! {
        svg class="meter" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(title) {
            title { (title) }
            rect class="track" width="1000" height="10" {}
            rect class=(class) width=(width) height="10" {}
        }
    }
}
