//! The seal of the RiskGate: an order that passed every check, usable once.
//!
//! Fields are private and there is no `Clone`, so an approval cannot be forged or spent twice (I1).

use crate::time::Timestamp;

/// A thing that the RiskGate approved. Moving it out spends it.
///
/// ```compile_fail
/// use btcbot_engine::{approved::Approved, time::Timestamp};
/// let forged = Approved { inner: 1, approved_at: Timestamp(0), expires_at: Timestamp(9) };
/// ```
///
/// ```compile_fail
/// fn spend_twice(one: btcbot_engine::approved::Approved<u8>) { (one.clone().spend(), one.spend()); }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an approval that is dropped keeps its reservation until the router reports it"]
pub struct Approved<T> {
    inner: T,
    approved_at: Timestamp,
    expires_at: Timestamp,
}

impl<T> Approved<T> {
    /// Seals `inner`; only the RiskGate calls this.
    pub(crate) fn new(inner: T, approved_at: Timestamp, life_ms: i64) -> Self {
        Self {
            inner,
            approved_at,
            expires_at: approved_at.plus_ms(life_ms),
        }
    }

    /// Returns what was approved.
    pub const fn get(&self) -> &T {
        &self.inner
    }

    /// Returns when it was approved.
    pub const fn approved_at(&self) -> Timestamp {
        self.approved_at
    }

    /// Returns the last moment at which a first byte may leave.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Takes the thing out and spends the approval.
    pub fn spend(self) -> T {
        self.inner
    }
}
