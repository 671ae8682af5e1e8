//! What is said over the control socket: one JSON object a line, one question and one answer a connection.
//!
//! It reads and writes lines and decides nothing. Every verb is a variant of [`Request`], so that a new one shows all
//! its places to the compiler.

use crate::control::hold::{Freeze, Override};
use crate::control::kill_switch::Reset;
use crate::control::logs::SetLevel;
use crate::control::orders::{Cancel, CancelAll, List};
use crate::control::records::{Backup, Records};
use crate::control::resolve::Resolve;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Version of both lines.
pub const VERSION: u32 = 1;
/// Longest question, bytes, its end of line included.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// Longest reason, characters.
pub const REASON_CHARS_MAX: usize = 200;
/// Longest key of a question, characters.
pub const KEY_CHARS_MAX: usize = 64;
/// Characters of a peer's text that an error repeats.
const ECHO_CHARS_MAX: usize = 200;

/// Why an operator asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// In the operator's words; may be empty where risk is lowered.
    #[serde(default)]
    pub reason: String,
}

/// Every question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", content = "args")]
pub enum Request {
    /// The picture of the process.
    #[serde(rename = "status")]
    Status,
    /// Safe mode on: never refused.
    #[serde(rename = "safe-mode.on")]
    SafeModeOn(Why),
    /// Asks for the end of safe mode.
    #[serde(rename = "safe-mode.off")]
    SafeModeOff(Why),
    /// What is latched, and what a reset needs.
    #[serde(rename = "kill-switch.status")]
    KillStatus,
    /// Trips the kill switch: never refused.
    #[serde(rename = "kill-switch.trip")]
    KillTrip(Why),
    /// Asks for the end of one trip.
    #[serde(rename = "kill-switch.reset")]
    KillReset(Reset),
    /// No new risk on a pair: never refused for a configured one.
    #[serde(rename = "freeze.on")]
    FreezeOn(Freeze),
    /// Lets a frozen pair go.
    #[serde(rename = "freeze.clear")]
    FreezeClear(Freeze),
    /// A step down for a while.
    #[serde(rename = "degrade.override")]
    DegradeOverride(Override),
    /// Ends that step.
    #[serde(rename = "degrade.clear")]
    DegradeClear(Why),
    /// Own orders.
    #[serde(rename = "orders.list")]
    OrdersList(List),
    /// Cancels one order.
    #[serde(rename = "orders.cancel")]
    OrdersCancel(Cancel),
    /// Cancels every own order.
    #[serde(rename = "orders.cancel-all")]
    OrdersCancelAll(CancelAll),
    /// Settles an order of unknown fate.
    #[serde(rename = "orders.resolve")]
    OrdersResolve(Resolve),
    /// Reads the configuration again, and takes all of it over or nothing.
    #[serde(rename = "reload")]
    Reload(Why),
    /// What a reload would change.
    #[serde(rename = "config.diff")]
    ConfigDiff,
    /// Other levels for a while.
    #[serde(rename = "logs.level")]
    LogsLevel(SetLevel),
    /// The last lines of the log.
    #[serde(rename = "logs.tail")]
    LogsTail,
    /// The journal's records of one order.
    #[serde(rename = "records")]
    Records(Records),
    /// Copies the journal into an empty file.
    #[serde(rename = "state.backup")]
    StateBackup(Backup),
}

/// Every verb, as errors list them.
pub const VERBS: [&str; 20] = [
    "status",
    "safe-mode.on",
    "safe-mode.off",
    "kill-switch.status",
    "kill-switch.trip",
    "kill-switch.reset",
    "freeze.on",
    "freeze.clear",
    "degrade.override",
    "degrade.clear",
    "orders.list",
    "orders.cancel",
    "orders.cancel-all",
    "orders.resolve",
    "reload",
    "config.diff",
    "logs.level",
    "logs.tail",
    "records",
    "state.backup",
];
/// Those among them that take no arguments.
const BARE: [&str; 4] = ["status", "kill-switch.status", "config.diff", "logs.tail"];

impl Request {
    /// Returns the verb.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::SafeModeOn(_) => "safe-mode.on",
            Self::SafeModeOff(_) => "safe-mode.off",
            Self::KillStatus => "kill-switch.status",
            Self::KillTrip(_) => "kill-switch.trip",
            Self::KillReset(_) => "kill-switch.reset",
            Self::FreezeOn(_) => "freeze.on",
            Self::FreezeClear(_) => "freeze.clear",
            Self::DegradeOverride(_) => "degrade.override",
            Self::DegradeClear(_) => "degrade.clear",
            Self::OrdersList(_) => "orders.list",
            Self::OrdersCancel(_) => "orders.cancel",
            Self::OrdersCancelAll(_) => "orders.cancel-all",
            Self::OrdersResolve(_) => "orders.resolve",
            Self::Reload(_) => "reload",
            Self::ConfigDiff => "config.diff",
            Self::LogsLevel(_) => "logs.level",
            Self::LogsTail => "logs.tail",
            Self::Records(_) => "records",
            Self::StateBackup(_) => "state.backup",
        }
    }

    /// Writes the question as a line.
    ///
    /// # Panics
    /// Never: a request holds texts, numbers and flags.
    pub fn to_line(&self) -> String {
        let mut members = match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            Ok(_) | Err(_) => Map::new(),
        };
        members.insert("v".to_owned(), json!(VERSION));
        format!("{}\n", Value::Object(members))
    }

    /// Reads a line, and beside the question its key: the same key again asks for the same answer.
    ///
    /// # Errors
    /// A text that names the member that is wrong, and what is allowed.
    pub fn with_key(line: &[u8]) -> Result<(Self, Option<String>), String> {
        let request = Self::of_line(line)?;
        let members: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
        Ok((request, key(members.get("key").cloned())?))
    }

    /// Reads a line.
    ///
    /// # Errors
    /// A text that names the member that is wrong, and what is allowed.
    pub fn of_line(line: &[u8]) -> Result<Self, String> {
        let parsed: Value = serde_json::from_slice(line)
            .map_err(|error| short(format!("not one line of JSON: {error}")))?;
        let Value::Object(mut members) = parsed else {
            return Err(
                "expected one JSON object, such as {\"v\":1,\"verb\":\"status\"}".to_owned(),
            );
        };
        version(members.remove("v"))?;
        key(members.remove("key"))?;
        let verb = known_verb(members.remove("verb"))?;
        let args = members.remove("args");
        if let Some(name) = members.keys().next() {
            let text = format!("{name}: unknown member; allowed are v, verb, args and key");
            return Err(short(text));
        }
        let mut tagged = json!({ "verb": verb });
        if let Some(args) = args {
            tagged["args"] = args;
        } else if !BARE.contains(&verb) {
            tagged["args"] = json!({});
        }
        serde_json::from_value(tagged).map_err(|error| short(format!("args of {verb}: {error}")))
    }
}

fn version(found: Option<Value>) -> Result<(), String> {
    match found {
        Some(found) if found == json!(VERSION) => Ok(()),
        Some(_) => Err(format!("v: this process speaks version {VERSION} only")),
        None => Err(format!("v: missing; this process speaks version {VERSION}")),
    }
}

fn key(found: Option<Value>) -> Result<Option<String>, String> {
    let text = || format!("key: expected a text of 1 to {KEY_CHARS_MAX} characters");
    match found {
        None => Ok(None),
        Some(Value::String(key)) if (1..=KEY_CHARS_MAX).contains(&key.chars().count()) => {
            Ok(Some(key))
        }
        Some(_) => Err(text()),
    }
}

fn known_verb(found: Option<Value>) -> Result<&'static str, String> {
    let Some(Value::String(found)) = found else {
        return Err(format!("verb: missing; one of {}", VERBS.join(", ")));
    };
    let known = VERBS.into_iter().find(|verb| *verb == found);
    known.ok_or_else(|| {
        let shown = short(found);
        format!("verb: {shown} is not one of {}", VERBS.join(", "))
    })
}

/// A peer's text may be long and hold anything; an error repeats the start of it.
pub(super) fn short(text: String) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(ECHO_CHARS_MAX).collect()
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Done, or shown.
    Done,
    /// The question itself is wrong.
    BadRequest,
    /// There is no such order.
    NotFound,
    /// A safety rule says no; nothing was changed.
    Refused,
    /// Begun, but not confirmed in time; what is left is listed.
    Deadline,
    /// The exchange gave no usable answer.
    Unreachable,
    /// The peer, or this process's keys, may not do this.
    Denied,
    /// Done, but not written down.
    NotRecorded,
    /// Too many ask at once: ask again.
    Busy,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Version.
    pub v: u32,
    /// What became of it.
    pub verdict: Verdict,
    /// For people, one line.
    pub text: String,
    /// Why not, as stable codes.
    pub reasons: Vec<String>,
    /// The verb's data; decimals as text.
    pub data: Value,
}

impl Answer {
    /// Makes an answer without reasons.
    pub fn new(verdict: Verdict, text: impl Into<String>, data: Value) -> Self {
        Self {
            v: VERSION,
            verdict,
            text: text.into(),
            reasons: Vec::new(),
            data,
        }
    }

    /// Makes an answer to a question that cannot be carried out as it is.
    pub fn bad(text: impl Into<String>) -> Self {
        Self::new(Verdict::BadRequest, text, Value::Null)
    }

    /// Makes a refusal with every reason.
    pub fn refused(text: impl Into<String>, reasons: &[&str]) -> Self {
        Self {
            reasons: reasons.iter().map(|code| (*code).to_owned()).collect(),
            ..Self::new(Verdict::Refused, text, Value::Null)
        }
    }

    /// Writes the answer as a line.
    ///
    /// # Panics
    /// Never: an answer holds texts and JSON.
    pub fn to_line(&self) -> String {
        let text = serde_json::to_string(self).expect("an answer is made of texts and JSON");
        format!("{text}\n")
    }
}

/// Checks a reason.
///
/// # Errors
/// A text that names the member.
pub fn reason(text: &str, is_needed: bool) -> Result<(), String> {
    if is_needed && text.trim().is_empty() {
        return Err("reason: missing; say why, in a few words".to_owned());
    }
    if text.chars().count() > REASON_CHARS_MAX {
        return Err(format!("reason: at most {REASON_CHARS_MAX} characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Request> {
        let why = Why {
            reason: "because".to_owned(),
        };
        vec![
            Request::Status,
            Request::SafeModeOn(why.clone()),
            Request::SafeModeOff(why.clone()),
            Request::KillStatus,
            Request::KillTrip(why.clone()),
            Request::KillReset(Reset {
                latch: 7,
                reason: "because".to_owned(),
                forgive: true,
            }),
            Request::FreezeOn(Freeze {
                symbol: "BTCTRY".to_owned(),
                reason: "because".to_owned(),
            }),
            Request::FreezeClear(Freeze {
                symbol: "BTCTRY".to_owned(),
                reason: "because".to_owned(),
            }),
            Request::DegradeOverride(Override {
                mode: "OBSERVE_ONLY".to_owned(),
                for_s: 60,
                reason: "because".to_owned(),
            }),
            Request::DegradeClear(why),
            Request::OrdersList(List { all: true }),
            Request::OrdersCancel(Cancel {
                id: "7".to_owned(),
                foreign: true,
                reason: "because".to_owned(),
                deadline_s: 3,
            }),
            Request::OrdersCancelAll(CancelAll {
                keep_mode: true,
                reason: String::new(),
                deadline_s: 3,
            }),
            Request::OrdersResolve(Resolve {
                client_id: "b".to_owned(),
                resolution: "stuck".to_owned(),
                reason: "because".to_owned(),
                confirm: true,
            }),
            Request::Reload(Why {
                reason: "because".to_owned(),
            }),
            Request::ConfigDiff,
            Request::LogsLevel(SetLevel {
                target: "actors".to_owned(),
                level: "debug".to_owned(),
                seconds: 60,
            }),
            Request::LogsTail,
            Request::Records(Records {
                client_id: Some("b".to_owned()),
            }),
            Request::StateBackup(Backup {
                to: "/tmp/copy".into(),
            }),
        ]
    }

    #[test]
    fn every_request_reads_back_and_its_verb_is_listed() {
        let verbs: Vec<&str> = every().iter().map(Request::verb).collect();
        assert_eq!(verbs, VERBS);
        for request in every() {
            assert_eq!(Request::of_line(request.to_line().as_bytes()), Ok(request));
        }
    }

    #[test]
    fn a_wrong_line_names_what_is_wrong() {
        let check = |line: &str, part: &str| {
            let error = Request::of_line(line.as_bytes()).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        };
        check("", "not one line of JSON");
        check("{\"v\":1", "not one line of JSON");
        check("{} {}", "not one line of JSON");
        check("[1]", "expected one JSON object");
        check("{\"verb\":\"status\"}", "v: missing");
        check(
            "{\"v\":2,\"verb\":\"status\"}",
            "v: this process speaks version 1",
        );
        check("{\"v\":\"1\",\"verb\":\"status\"}", "v: this process");
        check("{\"v\":1}", "verb: missing");
        check("{\"v\":1,\"verb\":7}", "verb: missing");
        check(
            "{\"v\":1,\"verb\":\"arm\"}",
            "verb: arm is not one of status, safe-mode.on",
        );
        check("{\"v\":1,\"verb\":\"status\",\"x\":1}", "x: unknown member");
        check(
            "{\"v\":1,\"verb\":\"status\",\"key\":1}",
            "key: expected a text",
        );
        check(
            "{\"v\":1,\"verb\":\"status\",\"key\":\"\"}",
            "key: expected a text",
        );
        check(
            "{\"v\":1,\"verb\":\"orders.cancel\",\"args\":{}}",
            "args of orders.cancel: missing field `id`",
        );
        check(
            "{\"v\":1,\"verb\":\"orders.list\",\"args\":{\"al\":true}}",
            "unknown field `al`",
        );
        check(
            "{\"v\":1,\"verb\":\"orders.list\",\"args\":{\"all\":3}}",
            "args of orders.list: invalid type",
        );
        check(
            &format!("{}{}", "[".repeat(500), "]".repeat(500)),
            "recursion",
        );
    }

    #[test]
    fn an_error_repeats_only_the_start_of_what_was_sent() {
        let line = format!("{{\"v\":1,\"verb\":\"{}\\u0007\"}}", "a".repeat(9_000));
        let error = Request::of_line(line.as_bytes()).expect_err("unknown");
        let listed = VERBS.join(", ").len();
        assert!(error.len() < listed + ECHO_CHARS_MAX + 40, "{error}");
        assert!(!error.contains('\u{7}'), "{error}");
    }

    #[test]
    fn a_reason_is_short_and_where_risk_is_raised_there_is_one() {
        assert!(reason("", false).is_ok());
        assert!(reason(" ", true).is_err_and(|text| text.starts_with("reason: ")));
        assert!(reason(&"é".repeat(REASON_CHARS_MAX), true).is_ok());
        assert!(reason(&"é".repeat(REASON_CHARS_MAX + 1), false).is_err());
    }
}
