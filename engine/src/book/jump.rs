//! Notices when the mid price moves too far within a second.
//!
//! Keeps the lowest and highest mid of a few slots of a quarter of a second instead of every mid: the stretch
//! looked back on is between one second and a quarter more, so a jump is never missed.

use crate::money::{BPS_PER_ONE, Price};
use crate::time::Timestamp;

/// Length of a slot, milliseconds.
const SLOT_MS: i64 = 250;
/// Slots that together hold the last second and the running slot.
const SLOTS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    number: i64,
    low: Price,
    high: Price,
}

/// The mids of the last second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JumpGuard {
    slots: [Option<Slot>; SLOTS],
}

impl JumpGuard {
    /// Forgets the past; what comes next is the reference.
    pub(crate) fn clear(&mut self) {
        self.slots = [None; SLOTS];
    }

    /// Takes a mid and returns whether it is `bps_max` or more away from another mid of the last second.
    pub(crate) fn jumps(&mut self, now: Timestamp, mid: Price, bps_max: i64) -> bool {
        let number = now.ms().div_euclid(SLOT_MS);
        let oldest = number.saturating_sub(SLOTS as i64 - 1);
        let has_jumped = self
            .slots
            .iter()
            .flatten()
            .filter(|slot| (oldest..=number).contains(&slot.number))
            .any(|slot| is_apart(slot.low, mid, bps_max) || is_apart(slot.high, mid, bps_max));
        let index = usize::try_from(number.rem_euclid(SLOTS as i64)).unwrap_or(0);
        self.slots[index] = Some(match self.slots[index] {
            Some(slot) if slot.number == number => Slot {
                number,
                low: slot.low.min(mid),
                high: slot.high.max(mid),
            },
            Some(_) | None => Slot {
                number,
                low: mid,
                high: mid,
            },
        });
        has_jumped
    }
}

/// Returns whether `b` is at least `bps` of `a` away from `a`.
fn is_apart(a: Price, b: Price, bps: i64) -> bool {
    scaled_distance(a, b) >= i128::from(bps) * i128::from(a.units())
}

/// Returns whether `b` is more than `bps` of `a` away from `a`.
pub(crate) fn is_beyond(a: Price, b: Price, bps: i64) -> bool {
    scaled_distance(a, b) > i128::from(bps) * i128::from(a.units())
}

fn scaled_distance(a: Price, b: Price) -> i128 {
    i128::from(a.units().abs_diff(b.units())) * i128::from(BPS_PER_ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays mids (milliseconds, price) against 1000 bps and expects the moments that are jumps.
    fn check(script: &[(i64, i64)], expected: &[i64]) {
        let mut guard = JumpGuard::default();
        let mut found = Vec::new();
        for (ms, price) in script {
            if guard.jumps(Timestamp::from_ms(*ms), Price::from_units(*price), 1_000) {
                found.push(*ms);
            }
        }
        assert_eq!(found, expected, "{script:?}");
    }

    #[test]
    fn a_tenth_within_a_second_is_a_jump() {
        check(&[(0, 1_000), (900, 1_099)], &[]);
        check(&[(0, 1_000), (1_000, 1_100)], &[1_000]);
        check(&[(0, 1_000), (999, 900)], &[999]);
        check(&[(0, 1_000), (1_500, 900)], &[]);
    }

    #[test]
    fn small_steps_that_add_up_are_a_jump() {
        check(
            &[(0, 1_000), (300, 1_030), (600, 1_060), (900, 1_100)],
            &[900],
        );
        check(
            &[(0, 1_000), (600, 1_030), (1_200, 1_060), (1_900, 1_100)],
            &[],
        );
    }
}
