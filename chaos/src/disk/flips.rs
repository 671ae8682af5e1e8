//! Bits that turn over while the file lies on the disk.
//!
//! No power is cut. The one idea: a journal in which a bit has flipped is refused or tells the truth, with one limit: if
//! the process crashed too, a flip in the last commit looks as if that commit had been cut, and it is taken back whole.

use super::cut::below;
use super::recover::{Expected, Wrong, recover};
use super::sim::{SECTOR, SimDisk};
use super::story::Story;
use engine::dice::Dice;
use serde::Serialize;

/// One flip of this many hits the first sector, where the roots are: in a whole file it would hardly ever be hit.
/// Odd, so that both files have their share.
const ROOTS_EVERY: u64 = 5;

/// What flipped bits came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flips {
    /// Bits that were flipped, one at a time.
    pub flips: u64,
    /// Files that were refused.
    pub refused: u64,
    /// Files that told the truth all the same.
    pub harmless: u64,
    /// Files of a crashed process that had lost their last commit, whole: the same as after a cut in that commit.
    pub rolled_back: u64,
    /// Files that told something else, or ended the process.
    pub wrong: u64,
}

/// What became of one flipped bit.
enum Fate {
    Refused,
    Harmless,
    RolledBack,
}

impl Flips {
    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.flips += other.flips;
        self.refused += other.refused;
        self.harmless += other.harmless;
        self.rolled_back += other.rolled_back;
        self.wrong += other.wrong;
    }
}

/// Flips `count` bits of a story's file, one at a time: half of them in the file as it was closed, half in the file as
/// a crash leaves it. Returns what was wrong, with the bit.
pub fn flip(seed: u64, story: &Story, count: u64) -> (Flips, Vec<(usize, Wrong)>) {
    let mut dice = Dice::new(!seed);
    let (mut flips, mut wrong) = (Flips::default(), Vec::new());
    for n in 0..count {
        let is_crashed = n % 2 == 1;
        let file = if is_crashed {
            &story.open
        } else {
            &story.closed
        };
        let bytes = if n % ROOTS_EVERY == 0 {
            SECTOR
        } else {
            file.len()
        };
        let bit = below(&mut dice, bytes * 8);
        flips.flips += 1;
        match flip_one(story, file, bit, is_crashed) {
            Ok(Fate::Harmless) => flips.harmless += 1,
            Ok(Fate::Refused) => flips.refused += 1,
            Ok(Fate::RolledBack) => flips.rolled_back += 1,
            Err(found) => {
                flips.wrong += 1;
                wrong.push((bit, found));
            }
        }
    }
    (flips, wrong)
}

fn flip_one(story: &Story, file: &[u8], bit: usize, is_crashed: bool) -> Result<Fate, Wrong> {
    let mut image = file.to_vec();
    image[bit / 8] ^= 1 << (bit % 8);
    let ends = story.commits.iter().rev().map(|commit| commit.last);
    let ends: Vec<usize> = ends.take(if is_crashed { 2 } else { 1 }).collect();
    let all = story.entries.len();
    let expected = Expected {
        entries: &story.entries,
        ends: &ends,
        least: *ends.last().expect("a story has commits"),
        most: all,
    };
    match recover(SimDisk::resumed(image, Vec::new()), &expected) {
        Ok(recovered) if recovered.found == all => Ok(Fate::Harmless),
        Ok(_) => Ok(Fate::RolledBack),
        Err(Wrong::Refused(_) | Wrong::StopsThere(_)) => Ok(Fate::Refused),
        Err(wrong) => Err(wrong),
    }
}
