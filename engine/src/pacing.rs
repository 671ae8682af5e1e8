//! How often something may be tried: back-off after failures, sliding windows for budgets.
//!
//! Holds no clock and no timer: callers pass `now` and sleep until the answer. Only proven health forgives
//! failures, because a server that accepts and drops at once would otherwise be hammered for ever.

use crate::dice::Dice;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Doublings beyond which the delay no longer grows, whatever the limits say.
const DOUBLINGS_MAX: u32 = 30;

/// Spacing of attempts, and what counts as health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffLimits {
    /// Longest first delay, milliseconds.
    pub delay_ms_base: i64,
    /// Longest delay of all, milliseconds.
    pub delay_ms_max: i64,
    /// A connection must have lived this long before it forgives, milliseconds.
    pub healthy_ms_min: i64,
    /// And must have brought this many good frames.
    pub healthy_frames_min: u32,
}

impl Default for BackoffLimits {
    /// The defaults of `[exchange.ws]` in config/default.toml.
    fn default() -> Self {
        Self {
            delay_ms_base: 500,
            delay_ms_max: 30_000,
            healthy_ms_min: 30_000,
            healthy_frames_min: 100,
        }
    }
}

/// Draws the wait before the next attempt: anywhere up to a ceiling that doubles with each failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    limits: BackoffLimits,
    failures: u32,
    up_since: Option<Timestamp>,
    good_frames: u32,
}

impl Backoff {
    /// Makes a back-off without failures.
    pub const fn new(limits: BackoffLimits) -> Self {
        Self {
            limits,
            failures: 0,
            up_since: None,
            good_frames: 0,
        }
    }

    /// Notes that a connection began; forgives nothing yet.
    pub const fn up(&mut self, now: Timestamp) {
        self.up_since = Some(now);
        self.good_frames = 0;
    }

    /// Notes a good frame; forgives all failures once the connection is old enough and has brought enough.
    pub fn frame(&mut self, now: Timestamp) {
        self.good_frames = self.good_frames.saturating_add(1);
        let is_old = self
            .up_since
            .is_some_and(|since| now.ms_since(since) >= self.limits.healthy_ms_min);
        if is_old && self.good_frames >= self.limits.healthy_frames_min {
            self.failures = 0;
        }
    }

    /// Notes a failure and returns when the next attempt may start.
    pub fn failed(&mut self, now: Timestamp, dice: &mut Dice) -> Timestamp {
        self.failed_within(now, self.limits.delay_ms_max, dice)
    }

    /// The same with another longest delay, milliseconds.
    pub fn failed_within(
        &mut self,
        now: Timestamp,
        delay_ms_max: i64,
        dice: &mut Dice,
    ) -> Timestamp {
        let base = self.limits.delay_ms_base.max(1);
        let doubled = base.saturating_mul(1 << self.failures.min(DOUBLINGS_MAX));
        let ceiling = doubled.min(delay_ms_max).max(base);
        self.failures = self.failures.saturating_add(1);
        self.up_since = None;
        // Half the base as a floor: full jitter alone may roll zero many times in a row.
        now.plus_ms(dice.between(base / 2, ceiling))
    }

    /// Goes on with other numbers; failures stay.
    pub const fn renew(&mut self, limits: BackoffLimits) {
        self.limits = limits;
    }

    /// Goes on from failures that nothing has forgiven.
    pub const fn resume(&mut self, failures: u32) {
        self.failures = failures;
    }

    /// Returns the failures that are not forgiven.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// Who asks for a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Leaves the reserve untouched.
    Ordinary,
    /// May use the reserve: cancels and what else must never wait behind the rest.
    Reserved,
}

/// At most so many permits in any stretch of time of a given length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    length_ms: i64,
    permits_max: usize,
    reserve: usize,
    taken: VecDeque<Timestamp>,
}

impl Window {
    /// Makes a window without a reserve.
    ///
    /// # Panics
    /// If it would never give a permit.
    pub fn new(length_ms: i64, permits_max: usize) -> Self {
        Self::with_reserve(length_ms, permits_max, 0)
    }

    /// Makes a window that keeps `reserve` of its permits for urgent askers.
    ///
    /// # Panics
    /// If it would never give an ordinary permit.
    pub fn with_reserve(length_ms: i64, permits_max: usize, reserve: usize) -> Self {
        assert!(
            length_ms > 0 && reserve < permits_max,
            "a window gives permits"
        );
        Self {
            length_ms,
            permits_max,
            reserve,
            taken: VecDeque::with_capacity(permits_max),
        }
    }

    /// Takes a permit out of all of them.
    ///
    /// # Errors
    /// The moment from which one is free.
    pub fn try_take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.check(now, Urgency::Reserved)?;
        self.taken.push_back(now);
        Ok(())
    }

    /// Counts permits that were taken before this window was made, oldest first; at most as many as it has.
    pub fn recall(&mut self, taken: &[Timestamp]) {
        let skipped = taken.len().saturating_sub(self.permits_max);
        self.taken = taken.iter().skip(skipped).copied().collect();
    }

    /// Goes on with another window's numbers; what was taken stays taken, so that a wider one gives no burst.
    pub fn renew(&mut self, with: Self) {
        let taken = std::mem::take(&mut self.taken);
        *self = Self { taken, ..with };
    }

    /// Returns how many permits an asker could take at once.
    pub fn free(&mut self, now: Timestamp, urgency: Urgency) -> usize {
        self.forget(now);
        self.share(urgency).saturating_sub(self.taken.len())
    }

    fn share(&self, urgency: Urgency) -> usize {
        match urgency {
            Urgency::Ordinary => self.permits_max - self.reserve,
            Urgency::Reserved => self.permits_max,
        }
    }

    fn check(&mut self, now: Timestamp, urgency: Urgency) -> Result<(), Timestamp> {
        self.forget(now);
        match self.taken.len().checked_sub(self.share(urgency)) {
            None => Ok(()),
            Some(behind) => Err(self.taken[behind].plus_ms(self.length_ms)),
        }
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some(oldest) = self.taken.front() {
            if oldest.plus_ms(self.length_ms) > now {
                break;
            }
            self.taken.pop_front();
        }
    }
}

/// Several windows that must all agree, and a hold for the time after a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    windows: Vec<Window>,
    held_until: Option<Timestamp>,
}

impl Limits {
    /// Makes a limiter out of its windows; without windows only holds apply.
    pub const fn new(windows: Vec<Window>) -> Self {
        Self {
            windows,
            held_until: None,
        }
    }

    /// Takes one permit out of every window, or none at all.
    ///
    /// # Errors
    /// The moment from which all windows may have one.
    pub fn try_take(&mut self, now: Timestamp, urgency: Urgency) -> Result<(), Timestamp> {
        let mut wait = self.held_until.filter(|until| *until > now);
        for window in &mut self.windows {
            wait = wait.max(window.check(now, urgency).err());
        }
        if let Some(until) = wait {
            return Err(until);
        }
        for window in &mut self.windows {
            window.taken.push_back(now);
        }
        Ok(())
    }

    /// Goes on with the numbers of other windows, one for one; permits and hold stay.
    pub fn renew(&mut self, with: Self) {
        for (window, with) in self.windows.iter_mut().zip(with.windows) {
            window.renew(with);
        }
    }

    /// Refuses everybody until then, as after a quota answer; an earlier moment than the one held changes nothing.
    pub fn hold(&mut self, until: Timestamp) {
        self.held_until = self.held_until.max(Some(until));
    }
}

/// Counts how often something happened lately; remembers no more than it needs to reach its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    length_ms: i64,
    count_max: usize,
    seen: VecDeque<Timestamp>,
}

impl Tally {
    /// Makes a tally over `length_ms` that counts to `count_max`.
    pub fn new(length_ms: i64, count_max: usize) -> Self {
        Self {
            length_ms,
            count_max,
            seen: VecDeque::with_capacity(count_max),
        }
    }

    /// Adds one and returns the count inside the length, at most `count_max`.
    pub fn add(&mut self, now: Timestamp) -> usize {
        while let Some(oldest) = self.seen.front() {
            if self.seen.len() < self.count_max && oldest.plus_ms(self.length_ms) > now {
                break;
            }
            self.seen.pop_front();
        }
        self.seen.push_back(now);
        self.seen.len()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BackoffLimits = BackoffLimits {
        delay_ms_base: 500,
        delay_ms_max: 30_000,
        healthy_ms_min: 30_000,
        healthy_frames_min: 100,
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn waits_stay_between_the_floor_and_the_doubling_ceiling() {
        for seed in 0..50 {
            let (mut backoff, mut dice) = (Backoff::new(LIMITS), Dice::new(seed));
            for ceiling in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
                let wait = backoff.failed(at(7), &mut dice).ms_since(at(7));
                assert!(
                    (250..=ceiling).contains(&wait),
                    "{wait} for a ceiling of {ceiling}"
                );
            }
        }
    }

    #[test]
    fn many_failures_do_not_overflow() {
        let (mut backoff, mut dice) = (Backoff::new(LIMITS), Dice::new(1));
        for _ in 0..200 {
            assert!(backoff.failed(at(0), &mut dice) <= at(30_000));
        }
    }

    /// Plays one connection after three failures: lifetime and frames, evenly spread; expects what is left of them.
    fn check_health(lived_ms: i64, frames: i64, expected: u32) {
        let (mut backoff, mut dice) = (Backoff::new(LIMITS), Dice::new(3));
        for _ in 0..3 {
            backoff.failed(at(0), &mut dice);
        }
        backoff.up(at(1_000));
        for n in 1..=frames {
            backoff.frame(at(1_000 + lived_ms * n / frames));
        }
        assert_eq!(
            backoff.failures(),
            expected,
            "{lived_ms} ms, {frames} frames"
        );
    }

    #[test]
    fn only_time_and_frames_together_forgive() {
        check_health(30_000, 100, 0);
        check_health(29_999, 5_000, 3);
        check_health(600_000, 99, 3);
    }

    #[test]
    fn a_connection_that_drops_at_once_forgives_nothing() {
        let (mut backoff, mut dice) = (Backoff::new(LIMITS), Dice::new(3));
        for n in 0..6 {
            backoff.up(at(n));
            backoff.frame(at(n));
            backoff.failed(at(n), &mut dice);
        }
        assert_eq!(backoff.failures(), 6);
    }

    /// Asks at each moment; expects `None` for a permit or the moment to come back.
    fn check_window(window: &mut Window, script: &[(i64, Option<i64>)]) {
        for (now, expected) in script {
            assert_eq!(
                window.try_take(at(*now)).err(),
                expected.map(at),
                "asked at {now}"
            );
        }
    }

    #[test]
    fn a_window_slides_instead_of_starting_over() {
        let script = [
            (0, None),
            (900, None),
            (999, Some(1_000)),
            (1_000, None),
            (1_100, Some(1_900)),
            (1_900, None),
        ];
        check_window(&mut Window::new(1_000, 2), &script);
    }

    #[test]
    fn no_stretch_ever_holds_more_than_allowed() {
        let (mut window, mut dice, mut now) = (Window::new(1_000, 5), Dice::new(11), 0);
        let mut given = Vec::new();
        for _ in 0..2_000 {
            now += dice.between(0, 150);
            if window.try_take(at(now)).is_ok() {
                given.push(now);
            }
        }
        assert!(given.len() > 500, "permits were given");
        assert!(given.windows(6).all(|six| six[5] - six[0] >= 1_000));
    }

    #[test]
    fn the_reserve_is_left_to_cancels() {
        let mut limits = Limits::new(vec![
            Window::with_reserve(1_000, 3, 1),
            Window::with_reserve(60_000, 100, 10),
        ]);
        assert_eq!(limits.try_take(at(0), Urgency::Ordinary), Ok(()));
        assert_eq!(limits.try_take(at(10), Urgency::Ordinary), Ok(()));
        assert_eq!(limits.try_take(at(20), Urgency::Ordinary), Err(at(1_000)));
        assert_eq!(limits.try_take(at(20), Urgency::Reserved), Ok(()));
        assert_eq!(limits.try_take(at(30), Urgency::Reserved), Err(at(1_000)));
        assert_eq!(
            limits.try_take(at(1_000), Urgency::Ordinary),
            Err(at(1_010))
        );
    }

    #[test]
    fn a_refused_permit_uses_up_nothing() {
        let mut limits = Limits::new(vec![Window::new(1_000, 100), Window::new(60_000, 1)]);
        assert_eq!(limits.try_take(at(0), Urgency::Ordinary), Ok(()));
        for n in 1..500 {
            assert_eq!(limits.try_take(at(n), Urgency::Ordinary), Err(at(60_000)));
        }
        assert_eq!(limits.windows[0].free(at(500), Urgency::Ordinary), 99);
    }

    #[test]
    fn other_numbers_forget_no_permit() {
        let mut limits = Limits::new(vec![Window::new(1_000, 4)]);
        for n in 0..4 {
            assert_eq!(limits.try_take(at(n), Urgency::Ordinary), Ok(()));
        }
        limits.renew(Limits::new(vec![Window::new(1_000, 2)]));
        assert_eq!(limits.try_take(at(10), Urgency::Ordinary), Err(at(1_002)));
        assert_eq!(limits.try_take(at(1_002), Urgency::Ordinary), Ok(()));
        limits.renew(Limits::new(vec![Window::new(1_000, 3)]));
        assert_eq!(limits.try_take(at(1_002), Urgency::Ordinary), Ok(()));
        assert_eq!(
            limits.try_take(at(1_002), Urgency::Ordinary),
            Err(at(1_003))
        );
    }

    #[test]
    fn a_hold_stops_even_the_urgent_and_never_shrinks() {
        let mut limits = Limits::new(Vec::new());
        limits.hold(at(500));
        limits.hold(at(100));
        assert_eq!(limits.try_take(at(499), Urgency::Reserved), Err(at(500)));
        assert_eq!(limits.try_take(at(500), Urgency::Ordinary), Ok(()));
    }

    #[test]
    fn a_tally_counts_only_what_is_recent() {
        let mut tally = Tally::new(1_000, 3);
        let counts: Vec<usize> = [0, 10, 999, 1_005, 5_000]
            .into_iter()
            .map(|ms| tally.add(at(ms)))
            .collect();
        assert_eq!(counts, vec![1, 2, 3, 3, 1]);
    }
}
