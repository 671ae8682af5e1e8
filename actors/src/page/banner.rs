//! The first thing an operator sees: what the process may do, why, since when and by whom.
//!
//! One word in one colour. The one idea: the strictest truth wins, and where orders would go stands beside it.

use super::words::{ago, list, moment, plain, text};
use maud::{Markup, html};
use serde_json::Value;

/// What the banner says, strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Killed,
    Safe,
    LiveArmed,
    LiveBlocked,
    DryRun,
    Demo,
}

impl State {
    fn of(document: &Value) -> Self {
        let mode = document["mode"].as_str();
        let is_killed = mode == Some("KILL_SWITCH") || document["kill"].is_object();
        let is_armed = document["armed"] == Value::Bool(true);
        match (mode, document["venue"].as_str(), is_armed) {
            (None, ..) | (_, None | Some(""), _) => Self::Starting,
            (Some(_), ..) if is_killed => Self::Killed,
            (Some(mode), ..) if mode != "NORMAL" => Self::Safe,
            (_, Some("demo"), _) => Self::Demo,
            (_, Some("live"), true) => Self::LiveArmed,
            (_, Some("live"), false) => Self::LiveBlocked,
            (_, Some(_), _) => Self::DryRun,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Starting | Self::DryRun | Self::Demo => "banner calm",
            Self::Killed => "banner killed",
            Self::Safe | Self::LiveBlocked => "banner safe",
            Self::LiveArmed => "banner live",
        }
    }
}

/// Renders the banner with everyone who asks for the mode.
pub(super) fn section(document: &Value) -> Markup {
    let state = State::of(document);
    let headline = headline(state, document);
    html! {
        header id="banner" class=(state.class()) data-part
            data-title=(headline) data-taken=(document["taken_us"].as_i64().unwrap_or(0)) {
            div class="headline" {
                h1 { (headline) }
                p class="since" {
                    "mode " strong { (text(&document["mode"])) }
                    " since " (moment(&document["mode_since_us"]))
                    " (" (ago(document, &document["mode_since_us"])) ")"
                }
            }
            p class="meaning" { (meaning(state, document)) }
            ul class="chips" aria-label="Where orders go, and what holds them back" {
                li { (venue(document)) }
                li { (armed(document)) }
                li { (gate(document)) }
                @for missing in list(&document["not_ready"]) {
                    li class="bad" { "not ready: " (plain(text(missing))) }
                }
            }
            (kill(document))
            (voices(document))
        }
    }
}

fn headline(state: State, document: &Value) -> String {
    match state {
        State::Starting => "STARTING".to_owned(),
        State::Killed => "KILLED".to_owned(),
        State::Safe if has_voice(document, "operator_safe_mode") => "SAFE MODE".to_owned(),
        State::Safe => plain(text(&document["mode"])),
        State::LiveArmed => "LIVE ARMED".to_owned(),
        State::LiveBlocked => "LIVE, BLOCKED".to_owned(),
        State::DryRun => "DRY RUN".to_owned(),
        State::Demo => "DEMO".to_owned(),
    }
}

fn has_voice(document: &Value, code: &str) -> bool {
    let mut voices = list(&document["contributions"]).iter();
    voices.any(|voice| voice["code"] == code)
}

fn meaning(state: State, document: &Value) -> &'static str {
    match state {
        State::Starting => "No picture has been drawn yet.",
        State::Killed => {
            "No order leaves, and every own order is cancelled, over every restart. Only an operator's reset ends it."
        }
        State::Safe if document["mode"] == "REDUCE_RISK_ONLY" => {
            "Only orders that reduce a position leave; cancels always do."
        }
        State::Safe => "No new order leaves. Cancels, reads and reconciling go on.",
        State::LiveArmed => "Orders reach the real exchange.",
        State::LiveBlocked => "The real exchange is read and cancelled on; no order may leave.",
        State::DryRun => {
            "Simulated fills on public data. No order can reach the exchange: the port for it is not built."
        }
        State::Demo => "Embedded exchange, throw-away keys, no real money.",
    }
}

fn venue(document: &Value) -> String {
    match document["venue"].as_str() {
        Some("demo") => "venue: embedded exchange".to_owned(),
        Some("live") => "venue: BTCTurk, live".to_owned(),
        Some(_) => "venue: simulated fills".to_owned(),
        None => "venue: –".to_owned(),
    }
}

fn armed(document: &Value) -> String {
    if document["armed"] == Value::Bool(true) {
        return "armed".to_owned();
    }
    let reasons: Vec<&str> = list(&document["blocked"]).iter().map(text).collect();
    format!("live blocked: {}", reasons.join(", "))
}

fn gate(document: &Value) -> String {
    let flags: Vec<&str> = list(&document["gate"]).iter().map(text).collect();
    match (document["gate"].is_array(), flags.is_empty()) {
        (false, _) => "gate: –".to_owned(),
        (true, true) => "gate open".to_owned(),
        (true, false) => format!("gate shut: {}", flags.join(", ")),
    }
}

fn kill(document: &Value) -> Markup {
    let kill = &document["kill"];
    html! {
        @if kill.is_object() {
            p class="kill" {
                "Killed as " code { (kill["id"]) } ": " strong { (plain(text(&kill["cause"]))) }
                " by " (text(&kill["by"]))
                @if let Some(reason) = kill["reason"].as_str().filter(|reason| !reason.is_empty()) { ", “" (reason) "”" }
                ", " (moment(&kill["since_us"])) " (" (ago(document, &kill["since_us"])) " ago)"
            }
        }
    }
}

fn voices(document: &Value) -> Markup {
    let voices = list(&document["contributions"]);
    html! {
        @if !voices.is_empty() {
            div class="scroll" { table {
                caption { "Who asks for this mode" }
                thead { tr {
                    th scope="col" { "why" } th scope="col" { "asks for" } th scope="col" { "where" }
                    th scope="col" { "since, UTC" } th scope="col" class="num" { "for" } th scope="col" { "by" }
                } }
                tbody { @for voice in voices { tr {
                    th scope="row" { (plain(text(&voice["code"]))) }
                    td { (plain(text(&voice["mode"]))) }
                    td { (text(&voice["scope"])) }
                    td { (moment(&voice["since_us"])) }
                    td class="num" { (ago(document, &voice["since_us"])) }
                    td class="detail" { (whose(voice)) }
                } } }
            } }
        }
    }
}

/// The part of the engine, and the person behind it with their words, where there is one.
fn whose(voice: &Value) -> String {
    let said = |name: &str| voice[name].as_str().filter(|text| !text.is_empty());
    let mut whose = plain(text(&voice["source"]));
    if let Some(by) = said("by") {
        whose = format!("{whose}, {by}");
    }
    if let Some(reason) = said("reason") {
        whose = format!("{whose}: {reason}");
    }
    match voice["until_us"].is_i64() {
        true => format!("{whose}; until {}", moment(&voice["until_us"])),
        false => whose,
    }
}
