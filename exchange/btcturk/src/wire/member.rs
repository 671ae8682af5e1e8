//! An object member that may be absent, null, or there.
//!
//! The envelope needs the difference: a cancel is answered without `data`, a refusal with `data: null`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One member of a JSON object. Use with `#[serde(default, skip_serializing_if = "Member::is_absent")]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Member<T> {
    /// Not in the object.
    #[default]
    Absent,
    /// In the object as `null`.
    Null,
    /// In the object with a value.
    Value(T),
}

impl<T> Member<T> {
    /// Returns whether the member is left out.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Returns the value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// Borrows the value, if there is one.
    pub const fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<T: Serialize> Serialize for Member<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_unit(),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::<T>::deserialize(deserializer)?;
        Ok(value.map_or(Self::Null, Self::Value))
    }
}
