//! `status`: one screen about the running process.
//!
//! It asks the control socket, and where there is none (a demo, a monitor) the read-only plane. Both speak of the same
//! document.

use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::health::plane_url;
use crate::cli::probe::Probe;
use crate::cli::report::Report;
use crate::cli::running::{self, ANSWER_TIME_MAX, unanswered};
use crate::cli::safe_mode::Common;
use crate::control::client::AskError;
use crate::control::wire::{Answer, Request, Verdict};
use crate::signals::Signals;
use clap::Args;
use serde_json::Value;
use std::time::Duration;

/// Longest wait for the plane.
const PLANE_TIME_MAX: Duration = Duration::from_secs(3);
/// Time between two screens of `--watch`.
const WATCH_PERIOD: Duration = Duration::from_secs(2);

/// `status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
    /// Show it again every two seconds, until Ctrl-C; with --json one object a line
    #[arg(long)]
    pub watch: bool,
}

/// Shows the running process.
///
/// # Errors
/// Exit 4 if none answers.
pub fn status(args: &StatusArgs, mut signals: Signals) -> Outcome {
    let exit = once(args)?;
    if !args.watch {
        return Ok(exit);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| Failed::new(Exit::Failure, error.to_string()))?;
    while runtime
        .block_on(async { tokio::time::timeout(WATCH_PERIOD, signals.next()).await })
        .is_err()
    {
        once(args)?;
    }
    Ok(Exit::Ok)
}

fn once(args: &StatusArgs) -> Outcome {
    let common = &args.common;
    let data = match running::ask(&common.source, &Request::Status, ANSWER_TIME_MAX)? {
        Ok(Answer {
            verdict: Verdict::Done,
            data,
            ..
        }) => data,
        Ok(answer) => return Err(Failed::new(running::exit_of(answer.verdict), answer.text)),
        Err(error @ AskError::NotRunning(_)) => {
            from_plane(args).ok_or_else(|| unanswered(&error))?
        }
        Err(error) => return Err(unanswered(&error)),
    };
    let text = screen(&data);
    let report = Report {
        command: "status",
        ok: true,
        data,
        warnings: Vec::new(),
    };
    report.print(common.json, &text)?;
    Ok(Exit::Ok)
}

fn from_plane(args: &StatusArgs) -> Option<Value> {
    let loaded = running::settings(&args.common.source).ok()?;
    let probe = Probe::new(PLANE_TIME_MAX).ok()?;
    let answer = probe
        .plane(&plane_url(&loaded.settings().ops), "/status")
        .ok()?;
    let document: Value = serde_json::from_slice(&answer.body).ok()?;
    (answer.status == 200 && document["mode"].is_string()).then_some(document)
}

fn screen(data: &Value) -> String {
    let mut lines = mode_lines(data);
    lines.push(venue_line(data));
    lines.push(armed_line(data));
    lines.extend(gate_line(data));
    lines.extend(feed_lines(data));
    lines.extend(order_lines(data));
    lines.push(format!(
        "reconcile  {}; clock offset {}",
        age(data, "reconcile_age_ms").map_or("never".to_owned(), |age| format!("{age} ago")),
        data["clock_offset_ms"]
            .as_i64()
            .map_or("unknown".to_owned(), |ms| format!("{ms} ms")),
    ));
    lines.extend(money_lines(data));
    let missing = words(data, "not_ready");
    if !missing.is_empty() {
        lines.push(format!("not ready  {}", missing.join(", ")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The mode, and one line for each who asks for it.
pub fn mode_lines(data: &Value) -> Vec<String> {
    let mut lines = vec![format!("mode       {}", text(&data["mode"]))];
    lines.extend(voice_lines(data, |_| true));
    lines
}

/// One line for each contribution that is wanted.
pub fn voice_lines(data: &Value, is_wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let voices = list(&data["contributions"]).iter();
    let line = |voice: &Value| {
        format!(
            "           {}{} asks for {} ({}) since {}{}",
            voice["source"]
                .as_str()
                .map_or(String::new(), |source| format!("{source}: ")),
            text(&voice["code"]),
            text(&voice["mode"]),
            text(&voice["scope"]),
            since(data, voice),
            words_behind(data, voice),
        )
    };
    voices.filter(|voice| is_wanted(voice)).map(line).collect()
}

/// Who asked for it, why, and how long it still lasts, where an operator did.
fn words_behind(data: &Value, voice: &Value) -> String {
    let Some(by) = voice["by"].as_str() else {
        return String::new();
    };
    let left = match (data["taken_us"].as_i64(), voice["until_us"].as_i64()) {
        (Some(now), Some(until)) => format!(" for another {}", span((until - now).max(0) / 1_000)),
        (Some(_) | None, Some(_) | None) => String::new(),
    };
    format!("{left}, by {by}: {}", text(&voice["reason"]))
}

fn venue_line(data: &Value) -> String {
    format!(
        "venue      {}, account {}, key {}, run {}, up {}",
        text(&data["venue"]),
        text(&data["account"]),
        data["key"].as_str().unwrap_or("none"),
        text(&data["run_id"]),
        data["uptime_s"]
            .as_i64()
            .map_or("?".to_owned(), |s| span(s * 1_000)),
    )
}

fn armed_line(data: &Value) -> String {
    if data["armed"] == Value::Bool(true) {
        "armed      yes".to_owned()
    } else {
        format!("armed      no: {}", words(data, "blocked").join(", "))
    }
}

/// The plane does not know the gate; there the mode says all.
fn gate_line(data: &Value) -> Vec<String> {
    let is_killed = data["mode"] == "KILL_SWITCH" || words(data, "gate").contains(&"kill");
    let kill = if is_killed { "set" } else { "not set" };
    let gate = match (data["gate"].is_array(), words(data, "gate")) {
        (false, _) => String::new(),
        (true, flags) if flags.is_empty() => "; gate open".to_owned(),
        (true, flags) => format!("; gate shut: {}", flags.join(", ")),
    };
    vec![format!("kill       {kill}{gate}")]
}

fn feed_lines(data: &Value) -> Vec<String> {
    let Some(books) = data["books"].as_object() else {
        return Vec::new();
    };
    let line = |(symbol, book): (&String, &Value)| {
        let age = age(book, "age_ms").unwrap_or_default();
        if book["trusted"] == Value::Bool(true) {
            let (bid, ask) = (text(&book["bid"]), text(&book["ask"]));
            format!("feed       {symbol} trusted, {age} old, {bid} / {ask}")
        } else {
            format!(
                "feed       {symbol} untrusted for {age}: {}",
                text(&book["why"])
            )
        }
    };
    books.iter().map(line).collect()
}

fn order_lines(data: &Value) -> Vec<String> {
    let orders = list(&data["orders"]);
    let mut lines = vec![format!(
        "orders     {} not ended, {} of unknown fate",
        orders.len(),
        data["unknown_orders"].as_i64().unwrap_or(0),
    )];
    lines.extend(orders.iter().map(|order| order_line(data, order)));
    lines
}

/// One order in one line; `data` brings the time it is to be seen from.
pub fn order_line(data: &Value, order: &Value) -> String {
    let why = order["why"]
        .as_str()
        .map_or(String::new(), |why| format!(" ({why})"));
    let unproven = order["unproven"]
        .as_str()
        .map_or(String::new(), |why| format!(", not provably absent: {why}"));
    let stuck = if order["stuck"] == Value::Bool(true) {
        ", called stuck"
    } else {
        ""
    };
    let asked = if order["cancel_asked"] == Value::Bool(true) {
        ", cancel asked"
    } else {
        ""
    };
    let whose = order["whose"]
        .as_str()
        .map_or(String::new(), |whose| format!(", {whose}"));
    format!(
        "           {} {} {} {} {} at {}, filled {}, {}{why} for {}{unproven}{stuck}{asked}{whose}",
        order["client_id"].as_str().unwrap_or("-"),
        order["order_id"].as_str().unwrap_or("no number"),
        text(&order["side"]),
        text(&order["qty"]),
        text(&order["symbol"]),
        text(&order["price"]),
        text(&order["filled"]),
        text(&order["state"]),
        since(data, order),
    )
}

fn money_lines(data: &Value) -> Vec<String> {
    let money = &data["money"];
    if !money.is_object() {
        return vec!["money      not known yet".to_owned()];
    }
    let mut lines = vec![format!(
        "money      equity {}, cash {}, day {}, exposure {}",
        money["equity"].as_str().unwrap_or("unknown"),
        text(&money["cash"]),
        money["day_pnl"].as_str().unwrap_or("unknown"),
        text(&money["exposure"]),
    )];
    for position in list(&money["positions"]) {
        lines.push(format!(
            "position   {} {} at mark {}",
            text(&position["symbol"]),
            text(&position["qty"]),
            position["mark"].as_str().unwrap_or("unknown"),
        ));
    }
    lines
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The texts of a list member; empty if there is none.
pub fn words<'a>(data: &'a Value, name: &str) -> Vec<&'a str> {
    list(&data[name]).iter().filter_map(Value::as_str).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn age(data: &Value, name: &str) -> Option<String> {
    data[name].as_i64().map(span)
}

/// How long ago `since_us` was, seen from when the document was made.
fn since(data: &Value, item: &Value) -> String {
    let now = ["taken_us", "now_us"]
        .iter()
        .find_map(|name| data[*name].as_i64());
    match (now, item["since_us"].as_i64()) {
        (Some(now), Some(then)) => span((now - then) / 1_000),
        (Some(_), None) | (None, Some(_) | None) => "?".to_owned(),
    }
}

fn span(ms: i64) -> String {
    match ms {
        ..10_000 => format!("{ms} ms"),
        10_000..600_000 => format!("{} s", ms / 1_000),
        600_000..36_000_000 => format!("{} min", ms / 60_000),
        36_000_000.. => format!("{} h", ms / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(data: &Value, parts: &[&str]) {
        let screen = screen(data);
        for part in parts {
            assert!(screen.contains(part), "{part:?} is not in\n{screen}");
        }
    }

    #[test]
    fn an_unknown_order_is_shown_with_its_age_and_cause() {
        let data = json!({
            "taken_us": 100_000_000, "mode": "OBSERVE_ONLY", "unknown_orders": 1, "armed": true,
            "contributions": [{"code": "unknown_orders", "mode": "OBSERVE_ONLY", "scope": "global", "since_us": 40_000_000}],
            "orders": [{"client_id": "b1", "order_id": null, "side": "buy", "qty": "2", "symbol": "BTCTRY", "price": "7",
                        "filled": "0", "state": "unknown", "why": "timeout", "cancel_asked": true, "since_us": 80_000_000}],
            "gate": ["kill", "observe"],
        });
        check(
            &data,
            &[
                "mode       OBSERVE_ONLY\n",
                "unknown_orders asks for OBSERVE_ONLY (global) since 60 s",
                "1 not ended, 1 of unknown fate",
                "b1 no number buy 2 BTCTRY at 7, filled 0, unknown (timeout) for 20 s, cancel asked",
                "armed      yes",
                "kill       set; gate shut: kill, observe",
                "reconcile  never",
            ],
        );
    }

    #[test]
    fn a_document_without_anything_is_shown_too() {
        check(
            &json!({}),
            &[
                "mode       ?",
                "money      not known yet",
                "kill       not set\n",
            ],
        );
    }

    #[test]
    fn spans_are_short() {
        let check = |ms: i64, expected: &str| assert_eq!(span(ms), expected);
        check(9_999, "9999 ms");
        check(10_000, "10 s");
        check(600_000, "10 min");
        check(36_000_000, "10 h");
    }
}
