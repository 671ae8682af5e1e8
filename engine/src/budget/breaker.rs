//! One group of requests after a 429: held for as long as the exchange says, then tried with a single request.
//!
//! Electrical words: closed flows, open holds, half-open lets one through. It paces nothing; quotas are apart.

use crate::time::Timestamp;

/// Longest wait for what became of a probe, milliseconds; its request may have been given up without a word.
const PROBE_MS_MAX: i64 = 60_000;
/// When to ask again while a probe is out, milliseconds.
const PROBE_LOOK_MS: i64 = 250;

/// The breaker of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Set by a 429, taken away by a success after it.
    open_until: Option<Timestamp>,
    probe_since: Option<Timestamp>,
}

impl Breaker {
    /// Asks for one request.
    ///
    /// # Errors
    /// When to ask again: the end of the hold, or soon while another request is the probe.
    pub fn check(&self, now: Timestamp) -> Result<(), Timestamp> {
        match (self.open_until, self.probe_since) {
            (Some(until), _) if now < until => Err(until),
            (Some(_), Some(since)) if now.ms_since(since) < PROBE_MS_MAX => {
                Err(now.plus_ms(PROBE_LOOK_MS))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// A request that was checked leaves: behind an elapsed hold it is the probe.
    pub fn leaves(&mut self, now: Timestamp) {
        if self.open_until.is_some() {
            self.probe_since = Some(now);
        }
    }

    /// A 429: opens, and reopens behind a probe. A shorter wait than the one that holds changes nothing.
    pub fn throttled(&mut self, now: Timestamp, wait_ms: i64) {
        self.open_until = self.open_until.max(Some(now.plus_ms(wait_ms)));
        self.probe_since = None;
    }

    /// A usable answer closes, unless its request had left before the hold.
    pub fn succeeded(&mut self, now: Timestamp) {
        if self.open_until.is_some_and(|until| until <= now) {
            *self = Self::default();
        }
    }

    /// Any other end proves nothing: the next request is the probe.
    pub const fn failed(&mut self) {
        self.probe_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_hold_is_followed_by_one_probe_and_a_success_closes() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.check(at(0)), Ok(()));
        breaker.throttled(at(0), 60_000);
        breaker.throttled(at(1), 1_000);
        // It had left before the hold.
        breaker.succeeded(at(2));
        assert_eq!(breaker.check(at(59_999)), Err(at(60_000)));
        assert_eq!(breaker.check(at(60_000)), Ok(()));
        breaker.leaves(at(60_000));
        assert_eq!(breaker.check(at(60_001)), Err(at(60_251)));
        breaker.succeeded(at(60_100));
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn a_probe_that_is_throttled_reopens_and_one_that_is_lost_makes_room() {
        let mut breaker = Breaker::default();
        breaker.throttled(at(0), 1_000);
        breaker.leaves(at(1_000));
        breaker.throttled(at(1_100), 2_000);
        assert_eq!(breaker.check(at(3_099)), Err(at(3_100)));
        breaker.leaves(at(3_100));
        breaker.failed();
        assert_eq!(breaker.check(at(3_101)), Ok(()));
        breaker.leaves(at(3_101));
        assert!(breaker.check(at(63_100)).is_err());
        assert_eq!(breaker.check(at(63_101)), Ok(()));
    }
}
