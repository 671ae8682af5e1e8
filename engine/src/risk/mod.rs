//! The RiskGate: the only maker of `Approved<NewOrder>`.
//!
//! It fails closed: what is missing, old or does not fit refuses the order, and every refusal names what was
//! seen and what is allowed.

use crate::intent::Intent;

/// Why the gate denied an intent; stable codes, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DenyCode {
    /// Placeholder until the checks are listed.
    Malformed,
}

/// A denied intent with what was seen and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The wish.
    pub intent: Intent,
    /// Why.
    pub code: DenyCode,
    /// What was seen, as text for people.
    pub seen: String,
    /// What is allowed, as text for people.
    pub allowed: String,
}
