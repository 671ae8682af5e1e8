//! The one place of this crate that reads clocks.
//!
//! Wall time is read once; what follows is that plus monotonic time, so a stamp never runs backwards.

use engine::time::Timestamp;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Time of a server.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    since: Instant,
}

impl Clock {
    /// Reads both clocks.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the clock of the server; the core is told the time"
    )]
    pub fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Timestamp(i64::try_from(wall.as_micros()).unwrap_or(i64::MAX)),
            since: Instant::now(),
        }
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.start.0.saturating_add(elapsed))
    }
}
