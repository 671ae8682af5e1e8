//! The answer to a read: HTTP status first, then the envelope, then the payload.

use crate::fields::FieldError;
use crate::wire::{Envelope, Member};
use serde::de::DeserializeOwned;

/// Longest body that is read; exchange info is the longest, at some 500 KiB.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Longest name of a refusal that is kept.
pub const NAME_LEN_MAX: usize = 64;
/// Wait after a 429 that does not say how long (docs/EXCHANGE.md 8: a block lasts up to a minute).
pub const RATE_LIMIT_WAIT_MS: i64 = 60_000;

/// The name that says there is no such order (docs/EXCHANGE.md 5.4).
pub(crate) const ORDER_NOT_FOUND: &str = "Order not found";
const UNDER_MAINTENANCE: &str = "SYSTEM_UNDER_MAINTENANCE";

/// An HTTP answer, as far as the codec looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// HTTP status.
    pub status: u16,
    /// What the `Retry-After` header asks for, in milliseconds ([`crate::retry_after::retry_after_ms`]).
    pub retry_after_ms: Option<i64>,
    /// The body; not necessarily JSON.
    pub body: &'a [u8],
}

/// Why a read gave nothing. None of these says anything about orders or balances.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// 429: the group waits this many milliseconds.
    #[error("rate limited, wait {retry_after_ms} ms")]
    RateLimited {
        /// From the header, or [`RATE_LIMIT_WAIT_MS`].
        retry_after_ms: i64,
    },
    /// 401.
    #[error("unauthorized")]
    Unauthorized,
    /// The exchange says that it is under maintenance.
    #[error("under maintenance")]
    Maintenance,
    /// 5xx for another reason.
    #[error("server error {0}")]
    Server(u16),
    /// A documented refusal, by its name; at most [`NAME_LEN_MAX`] plain characters.
    #[error("refused: {0}")]
    Refused(String),
    /// A status that such a read should never get: a redirect, 403, 405, 415.
    #[error("unexpected status {0}")]
    Unexpected(u16),
    /// 200 with a body that is not the documented payload; names the part.
    #[error("unreadable: {0}")]
    Unreadable(&'static str),
}

impl From<FieldError> for ReadError {
    fn from(error: FieldError) -> Self {
        Self::Unreadable(error.0)
    }
}

/// Rows of a list, and what was odd about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T> {
    /// What could be read.
    pub rows: Vec<T>,
    /// Quantities that had more than eight decimals and were cut.
    pub cuts: u32,
    /// What could not be read, one by one. Always empty for orders and trades: there one odd row fails the read.
    pub skipped: Vec<Skipped>,
}

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What the row is about: pair or asset, at most [`NAME_LEN_MAX`] plain characters, `?` if not even that was readable.
    pub name: String,
    /// Which part makes no sense.
    pub reason: &'static str,
}

impl Skipped {
    pub(super) fn new(name: Option<&str>, error: FieldError) -> Self {
        Self {
            name: name.map_or_else(|| "?".to_owned(), plain),
            reason: error.0,
        }
    }
}

/// Keeps letters, digits and a few separators of a foreign text, so that a log line stays one line.
pub(crate) fn plain(text: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.');
    text.chars().filter(is_plain).take(NAME_LEN_MAX).collect()
}

/// Reads JSON of bounded length.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ReadError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(ReadError::Unreadable("body length"));
    }
    serde_json::from_slice(body).map_err(|_| ReadError::Unreadable("body"))
}

/// Returns the `message` of an error body, whatever else is in it.
pub(crate) fn message(body: &[u8]) -> Option<String> {
    let envelope: Envelope<serde::de::IgnoredAny> = json(body).ok()?;
    envelope.message.value()
}

impl Reply<'_> {
    /// Reads the payload inside the envelope.
    pub(super) fn data<T: DeserializeOwned>(&self) -> Result<T, ReadError> {
        self.check_status()?;
        let envelope: Envelope<T> = match json(self.body) {
            Ok(envelope) => envelope,
            Err(error) => return Err(self.refusal().unwrap_or(error)),
        };
        if envelope.success == Some(false) {
            return Err(self.refusal().unwrap_or(ReadError::Unreadable("success")));
        }
        match envelope.data {
            Member::Value(data) => Ok(data),
            Member::Absent | Member::Null => Err(ReadError::Unreadable("data")),
        }
    }

    /// Reads a body that has no envelope.
    pub(super) fn bare<T: DeserializeOwned>(&self) -> Result<T, ReadError> {
        self.check_status()?;
        json(self.body)
    }

    /// Returns whether the answer is `Order not found`, under whichever status (C-33: 400, 404 and 200 are possible).
    pub(super) fn is_order_not_found(&self) -> bool {
        matches!(self.status, 200 | 400 | 404)
            && message(self.body).as_deref() == Some(ORDER_NOT_FOUND)
    }

    fn check_status(&self) -> Result<(), ReadError> {
        let unexpected = ReadError::Unexpected(self.status);
        match self.status {
            200 => Ok(()),
            400 | 404 | 422 => Err(self.refusal().unwrap_or(unexpected)),
            401 => Err(ReadError::Unauthorized),
            429 => Err(ReadError::RateLimited {
                retry_after_ms: self.retry_after_ms.unwrap_or(RATE_LIMIT_WAIT_MS),
            }),
            500..=599 if self.refusal() == Some(ReadError::Maintenance) => {
                Err(ReadError::Maintenance)
            }
            500..=599 => Err(ReadError::Server(self.status)),
            _ => Err(unexpected),
        }
    }

    fn refusal(&self) -> Option<ReadError> {
        let envelope: Envelope<serde::de::IgnoredAny> = json(self.body).ok()?;
        let name = envelope.message.value().filter(|name| !name.is_empty())?;
        if envelope.success == Some(true) && self.status == 200 {
            return None;
        }
        Some(if name == UNDER_MAINTENANCE {
            ReadError::Maintenance
        } else {
            ReadError::Refused(plain(&name))
        })
    }
}
