//! The two-element array around every WebSocket message, `[type, {...}]` (docs/EXCHANGE.md 9).
//!
//! Element 0 decides how element 1 is read, in one pass over the text; the inner `type` decides nothing.

use super::book::{BookDifference, BookSnapshot};
use super::client::ClientFrame;
use super::private::{BalanceUpdated, LoginResult, OrderChange, OrderMatch, UserTrade};
use super::public::{Ack, TickerAll, TickerRow, TradeList, TradeSingle, TradingViewBar, Version};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// The body of a frame of one type.
pub trait FrameBody {
    /// Element 0 of the frame.
    const TYPE: u16;
}

macro_rules! frames {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $kind:literal,)*) => {
        $(impl<'a> FrameBody for $body {
            const TYPE: u16 = $kind;
        })*

        /// Everything the server sends.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum ServerFrame<'a> {
            $($(#[$doc])* $variant($body),)*
            /// A type without a struct; its body was skipped.
            Unknown(u16),
        }

        impl ServerFrame<'_> {
            /// Returns element 0.
            pub const fn kind(&self) -> u16 {
                match self {
                    $(Self::$variant(_) => $kind,)*
                    Self::Unknown(kind) => *kind,
                }
            }
        }

        impl<'de: 'a, 'a> FrameSet<'de> for ServerFrame<'a> {
            fn from_body<A: SeqAccess<'de>>(kind: u16, body: &mut Body<A>) -> Result<Self, A::Error> {
                match kind {
                    $($kind => body.next().map(Self::$variant),)*
                    other => body.skip().map(|()| Self::Unknown(other)),
                }
            }
        }

        impl Serialize for ServerFrame<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(body) => ($kind, body).serialize(serializer),)*
                    Self::Unknown(kind) => (kind, EmptyBody { kind: *kind }).serialize(serializer),
                }
            }
        }
    };
}

frames! {
    /// 100: a join or leave was taken note of.
    Ack(Ack<'a, 100>) = 100,
    /// 112: result of the retired token login.
    LegacyLogin(Ack<'a, 112>) = 112,
    /// 114: result of a login.
    Login(LoginResult<'a>) = 114,
    /// 201: a balance changed.
    Balance(BalanceUpdated<'a>) = 201,
    /// 401: all tickers.
    TickerAll(TickerAll<'a>) = 401,
    /// 402: one ticker.
    Ticker(TickerRow<'a>) = 402,
    /// 421: the latest trades.
    Trades(TradeList<'a>) = 421,
    /// 422: one trade.
    Trade(TradeSingle<'a>) = 422,
    /// 423: a trade of the account.
    UserTrade(UserTrade<'a>) = 423,
    /// 428: a bar.
    Bar(TradingViewBar<'a>) = 428,
    /// 431: the full window.
    BookSnapshot(BookSnapshot<'a>) = 431,
    /// 432: a difference.
    BookDifference(BookDifference<'a>) = 432,
    /// 441: an order matched.
    Match(OrderMatch<'a>) = 441,
    /// 451: an order was inserted.
    Insert(OrderChange<'a, 451>) = 451,
    /// 452: an order was deleted.
    Delete(OrderChange<'a, 452>) = 452,
    /// 453: an order was edited.
    Update(OrderChange<'a, 453>) = 453,
    /// 801: a text to show.
    SystemMessage(Ack<'a, 801>) = 801,
    /// 802: the server logs out.
    Logout(Ack<'a, 802>) = 802,
    /// 991: the greeting.
    Version(Version<'a>) = 991,
}

#[derive(Serialize)]
struct EmptyBody {
    #[serde(rename = "type")]
    kind: u16,
}

/// Writes a frame.
///
/// # Panics
/// Never for the bodies of this module: they hold texts, numbers and checked digits only.
pub fn encode<B: FrameBody + Serialize>(body: &B) -> String {
    serde_json::to_string(&(B::TYPE, body)).expect("bodies hold nothing that JSON cannot say")
}

/// Writes a frame of the server whose type is chosen at run time.
///
/// # Panics
/// Never, as [`encode`].
pub fn encode_frame(frame: &ServerFrame<'_>) -> String {
    serde_json::to_string(frame).expect("bodies hold nothing that JSON cannot say")
}

/// Element 1 of a frame that is being read.
pub(super) struct Body<A>(A);

impl<'de, A: SeqAccess<'de>> Body<A> {
    pub(super) fn next<T: Deserialize<'de>>(&mut self) -> Result<T, A::Error> {
        self.0
            .next_element()?
            .ok_or_else(|| A::Error::invalid_length(1, &"a frame of two elements"))
    }

    pub(super) fn skip(&mut self) -> Result<(), A::Error> {
        self.next::<IgnoredAny>().map(drop)
    }
}

/// A set of frames that element 0 chooses from.
pub(super) trait FrameSet<'de>: Sized {
    fn from_body<A: SeqAccess<'de>>(kind: u16, body: &mut Body<A>) -> Result<Self, A::Error>;
}

/// Reads `[type, body]` and leaves the type where the caller sees it even if the body fails.
struct FrameSeed<'k, T> {
    kind: &'k mut Option<u16>,
    set: PhantomData<T>,
}

impl<'de, T: FrameSet<'de>> DeserializeSeed<'de> for FrameSeed<'_, T> {
    type Value = T;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: FrameSet<'de>> Visitor<'de> for FrameSeed<'_, T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frame of two elements")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        let kind = seq
            .next_element::<u16>()?
            .ok_or_else(|| A::Error::invalid_length(0, &"a frame of two elements"))?;
        *self.kind = Some(kind);
        T::from_body(kind, &mut Body(seq))
    }
}

/// Why a text is no frame. Holds no part of the text, because a login frame holds a signature (C-45).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreadable at column {column}, type {kind:?}")]
pub struct FrameError {
    /// Element 0, if it could be read.
    pub kind: Option<u16>,
    /// Where the parser stopped, counted in bytes from 1.
    pub column: usize,
}

fn read<'de, T: FrameSet<'de>>(text: &'de str) -> Result<T, FrameError> {
    let mut kind = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let seed = FrameSeed {
        kind: &mut kind,
        set: PhantomData,
    };
    let frame = seed.deserialize(&mut json);
    let frame = frame.and_then(|frame| json.end().map(|()| frame));
    frame.map_err(|cause| FrameError {
        kind,
        column: cause.column(),
    })
}

/// Reads a frame of the server.
///
/// # Errors
/// Everything that is not `[type, body]` with the members of that type.
pub fn read_server(text: &str) -> Result<ServerFrame<'_>, FrameError> {
    read(text)
}

/// Reads a frame of a client.
///
/// # Errors
/// Everything that is not `[type, body]` with the members of that type.
pub fn read_client(text: &str) -> Result<ClientFrame<'_>, FrameError> {
    read(text)
}
