//! How fast we ask: four numbers that a reload may change while requests are under way.

use crate::driver::quotas::SHARE_BPS;
use std::sync::{Arc, Mutex, PoisonError};

/// How fast we ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Repeats of a GET after its first attempt.
    pub retries_max: u32,
    /// Ceiling of the first repeat's delay, milliseconds.
    pub delay_ms_base: i64,
    /// Ceiling of every delay, milliseconds.
    pub delay_ms_max: i64,
    /// Share of each documented quota that is used, basis points; cancels may use all of theirs.
    pub share_bps: i64,
}

impl Default for Pace {
    /// The defaults of `[exchange.rest]` in config/default.toml.
    fn default() -> Self {
        Self {
            retries_max: 2,
            delay_ms_base: 400,
            delay_ms_max: 4_000,
            share_bps: SHARE_BPS,
        }
    }
}

/// The numbers in force, shared by every client of one process.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Pace>>);

impl Shared {
    /// Starts with these.
    pub fn new(pace: Pace) -> Self {
        Self(Arc::new(Mutex::new(pace)))
    }

    /// Returns them.
    pub fn get(&self) -> Pace {
        // Plain numbers are whole whatever happened to their last holder.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces them.
    pub fn set(&self, pace: Pace) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = pace;
    }
}
