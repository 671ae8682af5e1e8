//! Answers: envelope, error bodies, quota refusal (docs/EXCHANGE.md 2, 8).

use super::auth::Unauthorized;
use super::limits::{OverQuota, Who};
use crate::judge::Refused;
use btcturk::wire::{Code, Envelope, Member};
use engine::ids::OrderId;
use serde::Serialize;

/// Page behind a gateway error.
const HTML_502: &str = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>";
/// Code of every 401 (docs/EXCHANGE.md 3.1).
const CODE_UNAUTHORIZED: i64 = 1037;
/// Code of an unknown order in a single query.
const CODE_ORDER_NOT_FOUND: i64 = 1152;

/// What the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `application/json`.
    Json,
    /// `text/html`.
    Html,
}

/// What happens to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Sent,
    /// The connection is reset instead.
    Lost,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestReply {
    /// HTTP status.
    pub status: u16,
    /// What the body is.
    pub content: Content,
    /// The body; may be empty.
    pub body: String,
    /// Header `Retry-After`, in seconds.
    pub retry_after_s: Option<i64>,
    /// How long it takes, in milliseconds from the request.
    pub delay_ms: i64,
    /// Whether it is sent at all.
    pub fate: Fate,
    /// The connection ends after it (docs/EXCHANGE.md 8, one capture).
    pub closes: bool,
    /// The order that was accepted, whatever the answer says.
    pub accepted: Option<OrderId>,
    /// The client id that the request carried.
    pub client_id: Option<String>,
}

/// The `message` of a success, which differs between public and private answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Success {
    Public,
    Private,
}

impl RestReply {
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        Self {
            status,
            content: Content::Json,
            body: serde_json::to_string(body).expect("answers hold nothing that JSON cannot say"),
            retry_after_s: None,
            delay_ms: 0,
            fate: Fate::Sent,
            closes: false,
            accepted: None,
            client_id: None,
        }
    }

    pub(super) fn success(kind: Success, data: impl Serialize) -> Self {
        let message = match kind {
            Success::Public => Member::Null,
            Success::Private => Member::Value("SUCCESS".to_owned()),
        };
        Self::json(200, &Envelope::success(Member::Value(data), message))
    }

    /// A cancel that was taken note of: no `data` member.
    pub(super) fn cancelled() -> Self {
        let message = Member::Value("SUCCESS".to_owned());
        Self::json(200, &Envelope::<()>::success(Member::Absent, message))
    }

    pub(super) fn order(status: u16, mut envelope: Envelope<impl Serialize>) -> Self {
        envelope.http_status_code = Some(i64::from(status));
        Self::json(status, &envelope)
    }

    /// Refusal of an order POST.
    pub(super) fn order_refused(refused: Refused) -> Self {
        let mut envelope = refusal(&refused.to_string(), refused.code());
        envelope.data = Member::Null;
        Self::order(400, envelope)
    }

    /// Refusal of anything else.
    pub(super) fn refused(refused: Refused) -> Self {
        Self::json(400, &refusal(&refused.to_string(), refused.code()))
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::json(400, &refusal(message, 400))
    }

    pub(super) fn order_not_found() -> Self {
        Self::json(400, &refusal("Order not found", CODE_ORDER_NOT_FOUND))
    }

    pub(super) fn unauthorized(why: Unauthorized, success: bool) -> Self {
        let mut envelope = refusal(&why.to_string(), CODE_UNAUTHORIZED);
        envelope.success = Some(success);
        Self::json(401, &envelope)
    }

    /// 403, 404, 405, 415: no documented body.
    pub(super) fn status(status: u16, message: &str) -> Self {
        Self::json(status, &refusal(message, i64::from(status)))
    }

    /// Errors whose code is a string equal to the message (docs/EXCHANGE.md 2.1).
    pub(super) fn named(status: u16, name: &str) -> Self {
        Self::json(
            status,
            &Envelope::<()>::refusal(name, Code::Name(name.to_owned())),
        )
    }

    pub(super) fn html_502() -> Self {
        Self {
            content: Content::Html,
            body: HTML_502.to_owned(),
            ..Self::named(502, "")
        }
    }

    pub(super) fn lost() -> Self {
        Self {
            fate: Fate::Lost,
            ..Self::named(0, "")
        }
    }

    pub(super) fn over_quota(over: &OverQuota) -> Self {
        let (count, period) = (over.quota.count, over.quota.period());
        let mut details = format!("Quota exceeded. Maximum allowed: {count} per {period}.");
        let policy = match over.who {
            Who::Ip(_) => "ip",
            Who::Account(_) => {
                details.push_str(&format!(
                    " Please try again in {} second(s).",
                    over.retry_after_s
                ));
                "account"
            }
        };
        let body = btcturk::wire::QuotaRefusal {
            message: "TOO_MANY_REQUESTS".to_owned(),
            success: false,
            code: Code::Number(429),
            details,
            limit: count.to_string(),
            period: period.to_owned(),
            policy: policy.to_owned(),
        };
        Self {
            retry_after_s: Some(over.retry_after_s),
            closes: true,
            ..Self::json(429, &body)
        }
    }
}

fn refusal(message: &str, code: i64) -> Envelope<()> {
    Envelope::refusal(message, Code::Number(code))
}
