//! Repeatable randomness: one seed in, the same rolls on every machine.
//!
//! The engine owns no entropy. A shell seeds the dice from the operating system, a test from a constant.
//! Not for secrets: the sequence is easy to predict (it is Steele and Vigna's SplitMix64).

/// A small seeded generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Makes a generator; equal seeds give equal sequences.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns 64 evenly spread bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number from `low` to `high`, both included; `low` if the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let span = high.abs_diff(low);
        let roll = if span == u64::MAX {
            self.bits()
        } else {
            self.bits() % (span + 1)
        };
        low.wrapping_add_unsigned(roll)
    }

    /// Returns true in `per_million` of a million rolls.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.bits() % 1_000_000 < u64::from(per_million)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_roll_alike_and_ranges_hold() {
        let (mut a, mut b) = (Dice::new(7), Dice::new(7));
        for _ in 0..1_000 {
            let roll = a.between(-3, 3);
            assert_eq!(roll, b.between(-3, 3));
            assert!((-3..=3).contains(&roll));
        }
        assert_eq!(a.between(5, 5), 5);
        assert_ne!(Dice::new(1).bits(), Dice::new(2).bits());
    }

    #[test]
    fn chances_of_nothing_and_everything_are_exact() {
        let mut dice = Dice::new(1);
        assert!((0..1_000).all(|_| !dice.chance(0)));
        assert!((0..1_000).all(|_| dice.chance(1_000_000)));
    }
}
