//! What every enveloped REST answer has around its payload (docs/EXCHANGE.md 2.1), and the quota refusal (8).

use super::lenient::Code;
use super::member::Member;
use serde::{Deserialize, Serialize};

/// The envelope. Members differ by endpoint: a cancel has no `data`, only an order POST has `httpStatusCode`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Envelope<T> {
    /// 200 or 400; answers to an order POST only.
    #[serde(
        rename = "httpStatusCode",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub http_status_code: Option<i64>,
    /// The payload.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub data: Member<T>,
    /// Proves nothing alone: authentication failures have been seen with `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Null, empty or `SUCCESS` on success; otherwise the name to dispatch on.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub message: Member<String>,
    /// Zero on success; renumbered more than once, so nothing depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

impl<T> Envelope<T> {
    /// Makes the answer to a request that succeeded.
    pub fn success(data: Member<T>, message: Member<String>) -> Self {
        Self {
            http_status_code: None,
            data,
            success: Some(true),
            message,
            code: Some(Code::Number(0)),
        }
    }

    /// Makes an error answer; `data` is left out.
    pub fn refusal(message: &str, code: Code) -> Self {
        Self {
            http_status_code: None,
            data: Member::Absent,
            success: Some(false),
            message: Member::Value(message.to_owned()),
            code: Some(code),
        }
    }
}

/// The body of a 429 (docs/EXCHANGE.md 8; the newer form).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRefusal {
    /// `TOO_MANY_REQUESTS`.
    pub message: String,
    /// False.
    pub success: bool,
    /// 429.
    pub code: Code,
    /// A sentence for people.
    pub details: String,
    /// The quota that was used up, as text.
    pub limit: String,
    /// Its window, such as `1m`.
    pub period: String,
    /// `ip` or `account`.
    pub policy: String,
}
