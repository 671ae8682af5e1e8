//! Scalars of the wire that come in more than one spelling.
//!
//! Each remembers the spelling it came in, so that a round trip changes no character. Numbers keep their digits:
//! nothing passes through a float except stamps, which are whole milliseconds far below 2^53.

use engine::money::{Amount, Price, Qty};
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// A JSON string, borrowed from the frame where it holds no escape.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Money of a REST payload: written as a string, read from a string or from the digits of a number.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Money(pub String);

impl Deref for Money {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Money {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Money {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = serde_json::from_str::<String>(raw.get());
        let number = || Digits::parse(raw.get()).map(|digits| digits.text);
        text.or_else(|_| number())
            .map(Self)
            .map_err(|_| de::Error::custom("neither text nor number"))
    }
}

/// A JSON number that keeps its digits: written as a bare number, read from a number or from text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits {
    text: String,
}

/// The text is not a JSON number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number")]
pub struct NotANumber;

impl Digits {
    /// Keeps the digits of a JSON number.
    ///
    /// # Errors
    /// Everything that is not one JSON number.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        let raw = serde_json::from_str::<&RawValue>(text).map_err(|_| NotANumber)?;
        match raw.get().as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => Ok(Self {
                text: raw.get().to_owned(),
            }),
            _ => Err(NotANumber),
        }
    }
}

impl Deref for Digits {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

impl From<i64> for Digits {
    fn from(number: i64) -> Self {
        Self {
            text: number.to_string(),
        }
    }
}

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.text).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let money = Money::deserialize(deserializer)?;
        Self::parse(&money).map_err(de::Error::custom)
    }
}

macro_rules! digits_of_engine_types {
    ($($engine:ty),*) => {
        $(
            impl From<$engine> for Digits {
                fn from(value: $engine) -> Self {
                    Self { text: value.to_string() }
                }
            }
            impl From<$engine> for Money {
                fn from(value: $engine) -> Self {
                    Self(value.to_string())
                }
            }
            impl From<$engine> for Text<'_> {
                fn from(value: $engine) -> Self {
                    value.to_string().into()
                }
            }
        )*
    };
}

digits_of_engine_types!(Price, Qty, Amount);

/// A 64-bit number of an order or a trade, as a number or as text (docs/EXCHANGE.md 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// Came as a number.
    Number(i64),
    /// Came as text.
    Text(i64),
}

impl Id {
    /// Returns the number.
    pub const fn value(self) -> i64 {
        match self {
            Self::Number(value) | Self::Text(value) => value,
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(value) => serializer.serialize_i64(*value),
            Self::Text(value) => serializer.collect_str(value),
        }
    }
}

/// A moment in milliseconds, as a whole number, a number with a point, or text (docs/EXCHANGE.md 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Came as a whole number.
    Int(i64),
    /// Came as a number with a point, such as `1647493701782.0`.
    Float(i64),
    /// Came as text.
    Text(i64),
}

impl Stamp {
    /// Returns the milliseconds since 1970.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Int(ms) | Self::Float(ms) | Self::Text(ms) => ms,
        }
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(ms) => serializer.serialize_i64(*ms),
            Self::Float(ms) => Digits {
                text: format!("{ms}.0"),
            }
            .serialize(serializer),
            Self::Text(ms) => serializer.collect_str(ms),
        }
    }
}

/// The `code` of an answer: a number, or the name again (docs/EXCHANGE.md 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// The usual form.
    Number(i64),
    /// `INTERNAL_ERROR`, `SYSTEM_UNDER_MAINTENANCE`.
    Name(String),
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(code) => serializer.serialize_i64(*code),
            Self::Name(name) => serializer.serialize_str(name),
        }
    }
}

/// Reads whole numbers and texts; what a text or a float means is up to each type.
struct Scalar<T> {
    int: fn(i64) -> T,
    float: fn(f64) -> Option<T>,
    text: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Scalar<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text")
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        Ok((self.int)(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        let fits = i64::try_from(value);
        fits.map(self.int)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &"a 64-bit number"))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        (self.float)(value).ok_or_else(|| E::custom("a fraction where a whole number is due"))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.text)(text).ok_or_else(|| E::custom("text that is no number"))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar {
            int: Id::Number,
            float: |_| None,
            text: |text| text.parse().ok().map(Id::Text),
        })
    }
}

/// Largest stamp read from a number with a point: the year 5138, and exact in a double.
const STAMP_MS_MAX: f64 = 1e14;

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar {
            int: Stamp::Int,
            // The cast drops a fraction of a millisecond and cannot saturate inside the range.
            float: |ms| {
                (0.0..STAMP_MS_MAX)
                    .contains(&ms)
                    .then_some(Stamp::Float(ms as i64))
            },
            text: |text| text.parse().ok().map(Stamp::Text),
        })
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar {
            int: Code::Number,
            float: |_| None,
            text: |text| Some(Code::Name(text.to_owned())),
        })
    }
}

/// The inner `type` member of a frame: written as `N`, ignored when read, because element 0 decides
/// (docs/EXCHANGE.md 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Kind<const N: u16>;

impl<const N: u16> Serialize for Kind<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(N)
    }
}

impl<'de, const N: u16> Deserialize<'de> for Kind<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}
