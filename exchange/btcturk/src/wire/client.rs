//! Frames that the client sends: join and leave (151), login (114), the request for a trade list (101).

use super::frame::{Body, FrameBody, FrameSet};
use super::lenient::{Kind, Stamp, Text};
use serde::de::SeqAccess;
use serde::{Deserialize, Serialize};

/// 151: join or leave a channel. The member order is the captured one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join<'a> {
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<151>,
    /// `ticker`, `trade`, `orderbook`, `obdiff` or `tradeview`.
    #[serde(borrow)]
    pub channel: Text<'a>,
    /// The pair, or `all`.
    #[serde(borrow)]
    pub event: Text<'a>,
    /// False leaves.
    pub join: bool,
}

/// 114 to the server: a login. Holds a signature, so it has no `Debug` and is never logged (C-45).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRequest<'a> {
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<114>,
    /// The public key.
    #[serde(rename = "publicKey", borrow)]
    pub public_key: Text<'a>,
    /// The time in milliseconds.
    pub timestamp: Stamp,
    /// The signed window in milliseconds.
    pub nonce: i64,
    /// Base64 signature of public key and nonce.
    #[serde(borrow)]
    pub signature: Text<'a>,
}

/// 101: asks for the trade list (421) again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradesRequest<'a> {
    /// Inner type.
    #[serde(rename = "type", default)]
    pub kind: Kind<101>,
    /// The frame that is asked for: 421.
    pub code: i64,
    /// `trade`.
    #[serde(borrow)]
    pub channel: Text<'a>,
    /// The pair.
    #[serde(borrow)]
    pub event: Text<'a>,
}

impl FrameBody for Join<'_> {
    const TYPE: u16 = 151;
}
impl FrameBody for LoginRequest<'_> {
    const TYPE: u16 = 114;
}
impl FrameBody for TradesRequest<'_> {
    const TYPE: u16 = 101;
}

/// Everything a client may send, as the simulator reads it.
pub enum ClientFrame<'a> {
    /// 151.
    Join(Join<'a>),
    /// 114.
    Login(LoginRequest<'a>),
    /// 101.
    Trades(TradesRequest<'a>),
    /// A type that is not documented.
    Unknown(u16),
}

impl<'de: 'a, 'a> FrameSet<'de> for ClientFrame<'a> {
    fn from_body<A: SeqAccess<'de>>(kind: u16, body: &mut Body<A>) -> Result<Self, A::Error> {
        match kind {
            <Join as FrameBody>::TYPE => body.next().map(Self::Join),
            <LoginRequest as FrameBody>::TYPE => body.next().map(Self::Login),
            <TradesRequest as FrameBody>::TYPE => body.next().map(Self::Trades),
            other => body.skip().map(|()| Self::Unknown(other)),
        }
    }
}
