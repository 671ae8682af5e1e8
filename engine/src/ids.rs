//! Names of things: pairs, assets, accounts, orders, trades.
//!
//! All are small copies, so messages carry them without allocation. Text from outside is checked once, here.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than the type can hold.
    #[error("must have 1 to {0} characters")]
    Length(usize),
    /// A character that is neither an ASCII letter nor a digit.
    #[error("may hold ASCII letters and digits only")]
    Character,
    /// Not of the form `b`, account tag, epoch, boot part, sequence.
    #[error("not a client order id of ours")]
    NotOurs,
}

macro_rules! short_name {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            text: [u8; $len],
        }

        impl $name {
            /// Reads a name; underscores are dropped and letters become upper case.
            ///
            /// # Errors
            /// Wrong length, or a character that is no ASCII letter or digit.
            pub fn parse(input: &str) -> Result<Self, NameError> {
                let mut text = [0u8; $len];
                let mut len = 0;
                for byte in input.bytes().filter(|b| *b != b'_') {
                    if !byte.is_ascii_alphanumeric() {
                        return Err(NameError::Character);
                    }
                    *text.get_mut(len).ok_or(NameError::Length($len))? = byte.to_ascii_uppercase();
                    len += 1;
                }
                if len == 0 { Err(NameError::Length($len)) } else { Ok(Self { text }) }
            }

            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                let len = self.text.iter().position(|b| *b == 0).unwrap_or($len);
                std::str::from_utf8(&self.text[..len]).expect("names are ASCII by construction")
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

short_name! {
    /// A pair such as `BTCTRY`; `btc_try` reads as the same pair.
    Symbol, 20
}
short_name! {
    /// A currency or coin such as `TRY` or `BTC`.
    Asset, 12
}

/// Four characters that name our account in every client order id; drawn once, when the state is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountTag([u8; 4]);

/// Six random characters drawn at every start, so that a copied state file can never repeat an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootTag([u8; 6]);

const TAG_ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

fn tag_from<const N: usize>(entropy: u64) -> [u8; N] {
    let mut rest = entropy;
    [(); N].map(|()| {
        let index = usize::try_from(rest % 36).expect("below 36");
        rest /= 36;
        TAG_ALPHABET[index]
    })
}

fn tag_parse<const N: usize>(text: &str) -> Result<[u8; N], NameError> {
    let bytes: [u8; N] = text
        .as_bytes()
        .try_into()
        .map_err(|_| NameError::Length(N))?;
    if bytes.iter().all(|b| TAG_ALPHABET.contains(b)) {
        Ok(bytes)
    } else {
        Err(NameError::Character)
    }
}

fn tag_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("tags are ASCII by construction")
}

impl AccountTag {
    /// Makes a tag out of random bits.
    pub fn from_entropy(entropy: u64) -> Self {
        Self(tag_from(entropy))
    }

    /// Reads a tag.
    ///
    /// # Errors
    /// Anything but four characters of `a-z0-9`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        tag_parse(text).map(Self)
    }
}

impl BootTag {
    /// Makes a tag out of random bits.
    pub fn from_entropy(entropy: u64) -> Self {
        Self(tag_from(entropy))
    }
}

impl Serialize for BootTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(tag_text(&self.0))
    }
}

impl<'de> Deserialize<'de> for BootTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        tag_parse(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for AccountTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(tag_text(&self.0))
    }
}

impl Serialize for AccountTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Length of a client order id: `b`, tag (4), epoch (6), boot part (6), sequence (10). BTCTurk allows 50.
pub const CLIENT_ID_LEN: usize = 27;
/// Epochs that fit in a client order id.
pub const EPOCH_MAX: u32 = 999_999;
/// Sequence numbers that fit in a client order id.
pub const SEQ_MAX: u64 = 9_999_999_999;

/// The id of one intent and of its order, everywhere: journal, exchange, log. Never sent twice (I2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    tag: AccountTag,
    epoch: u32,
    boot: BootTag,
    seq: u64,
}

impl ClientId {
    /// Makes the id of the `seq`-th intent of one start.
    ///
    /// # Panics
    /// If epoch or sequence have outgrown their digits; at one order a second that takes 300 years.
    pub fn new(tag: AccountTag, epoch: u32, boot: BootTag, seq: u64) -> Self {
        assert!(
            epoch <= EPOCH_MAX && seq <= SEQ_MAX,
            "client id parts fit their digits"
        );
        Self {
            tag,
            epoch,
            boot,
            seq,
        }
    }

    /// Reads an id of ours.
    ///
    /// # Errors
    /// `NotOurs` for every other text, however long.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let ours = |range: std::ops::Range<usize>| text.get(range).ok_or(NameError::NotOurs);
        if text.len() != CLIENT_ID_LEN || ours(0..1)? != "b" {
            return Err(NameError::NotOurs);
        }
        let digits = |part: &str| {
            if part.bytes().all(|b| b.is_ascii_digit()) {
                part.parse::<u64>().ok()
            } else {
                None
            }
        };
        let epoch = digits(ours(5..11)?)
            .and_then(|n| u32::try_from(n).ok())
            .ok_or(NameError::NotOurs)?;
        let seq = digits(ours(17..27)?).ok_or(NameError::NotOurs)?;
        let tag = tag_parse(ours(1..5)?).map_err(|_| NameError::NotOurs)?;
        let boot = tag_parse(ours(11..17)?).map_err(|_| NameError::NotOurs)?;
        Ok(Self {
            tag: AccountTag(tag),
            epoch,
            boot: BootTag(boot),
            seq,
        })
    }

    /// Returns the account part.
    pub const fn tag(&self) -> AccountTag {
        self.tag
    }

    /// Returns the number of the start that made the id.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Returns the random part of the start that made the id.
    pub const fn boot(&self) -> BootTag {
        self.boot
    }

    /// Returns whether two ids were made by one start of one account.
    pub fn is_of_start(&self, other: Self) -> bool {
        (self.tag, self.epoch, self.boot) == (other.tag, other.epoch, other.boot)
    }

    /// Returns the sequence number inside the account.
    pub const fn seq(&self) -> u64 {
        self.seq
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "b{}{:06}{}{:010}",
            self.tag,
            self.epoch,
            tag_text(&self.boot.0),
            self.seq
        )
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The exchange's number of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub i64);

/// The exchange's number of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TradeId(pub i64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seq: u64) -> ClientId {
        ClientId::new(
            AccountTag::from_entropy(1),
            3,
            BootTag::from_entropy(99),
            seq,
        )
    }

    #[test]
    fn a_client_id_has_27_characters_and_reads_back() {
        let text = id(42).to_string();
        assert_eq!(text.len(), CLIENT_ID_LEN);
        assert_eq!(ClientId::parse(&text), Ok(id(42)));
        assert!(id(1) < id(2));
    }

    #[test]
    fn x_12_a_copied_state_repeats_no_id() {
        let tag = AccountTag::from_entropy(1);
        let of_boot = |entropy| ClientId::new(tag, 3, BootTag::from_entropy(entropy), 42);
        assert_ne!(of_boot(99), of_boot(100));
        assert_ne!(of_boot(99).to_string(), of_boot(100).to_string());
        assert_eq!(of_boot(99).boot(), BootTag::from_entropy(99));
    }

    #[test]
    fn foreign_client_ids_are_not_ours() {
        let ours = id(42).to_string();
        for text in [
            "",
            "advanced",
            "Sat",
            &ours[..26],
            &format!("{ours}1"),
            &ours.replace('b', "c"),
            "bééééééééééééé",
        ] {
            assert_eq!(ClientId::parse(text), Err(NameError::NotOurs), "{text}");
        }
    }

    #[test]
    fn pairs_read_with_and_without_separator() {
        assert_eq!(Symbol::parse("btc_try"), Symbol::parse("BTCTRY"));
        assert_eq!(Symbol::parse("BTC/TRY"), Err(NameError::Character));
        assert_eq!(Symbol::parse("_"), Err(NameError::Length(20)));
        assert_eq!(Symbol::parse(&"A".repeat(21)), Err(NameError::Length(20)));
    }
}
