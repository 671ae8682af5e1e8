//! Order book frames: the full window (431) and the difference of two windows (432), docs/EXCHANGE.md 11.
//!
//! Levels are pairs of texts; what a change means for a held book is decided in the engine.

use super::lenient::{Kind, Text};
use serde::{Deserialize, Serialize};

/// `CP` of a level whose amount changed.
pub const CHANGE_CHANGED: i64 = 0;
/// `CP` of a level that entered the visible window.
pub const CHANGE_ENTERED: i64 = 1;
/// `CP` of a level that left the visible window; its amount is the last one.
pub const CHANGE_LEFT: i64 = 3;

/// One level of a full book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level<'a> {
    /// Amount.
    #[serde(rename = "A", borrow)]
    pub amount: Text<'a>,
    /// Price.
    #[serde(rename = "P", borrow)]
    pub price: Text<'a>,
}

/// One row of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelDifference<'a> {
    /// What happened: 0 changed, 1 entered, 3 left.
    #[serde(rename = "CP")]
    pub change: i64,
    /// Price.
    #[serde(rename = "P", borrow)]
    pub price: Text<'a>,
    /// Absolute amount; for a level that left, the last one.
    #[serde(rename = "A", borrow)]
    pub amount: Text<'a>,
}

macro_rules! book_frame {
    ($(#[$doc:meta])* $name:ident, $row:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name<'a> {
            /// Change number: rises, skips, has been negative.
            #[serde(rename = "CS")]
            pub change: i64,
            /// The pair; was null in April 2020, then `event` says it.
            #[serde(rename = "PS", borrow, default)]
            pub pair: Option<Text<'a>>,
            /// Asks, best first.
            #[serde(rename = "AO", borrow)]
            pub asks: Vec<$row<'a>>,
            /// Bids, best first.
            #[serde(rename = "BO", borrow)]
            pub bids: Vec<$row<'a>>,
            /// `obdiff` or `orderbook`.
            #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
            pub channel: Option<Text<'a>>,
            /// What was joined: the pair.
            #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
            pub event: Option<Text<'a>>,
            /// Inner type.
            #[serde(rename = "type", default)]
            pub kind: Kind<$kind>,
        }
    };
}

book_frame! {
    /// 431: the full visible window.
    BookSnapshot, Level, 431
}
book_frame! {
    /// 432: the difference of two visible windows.
    BookDifference, LevelDifference, 432
}
