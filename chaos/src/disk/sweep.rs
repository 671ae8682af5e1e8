//! Every power cut of one story: each operation, each variant, and now and then a second cut during the recovery.
//!
//! It judges nothing itself. The one idea: a cut is named by seed, operation and variant, and those three draw
//! everything else, so each failure can be had again alone.

use super::cut::{Moment, Variant, below};
use super::recover::{Expected, Recovered, Wrong, recover};
use super::sim::SimDisk;
use super::story::{Plant, Story, VENUE, header};
use actors::store::Store;
use engine::dice::Dice;
use serde::Serialize;
use std::fmt;

/// One recovery of this many is cut a second time.
const TWICE_EVERY: u64 = 4;

/// Which cuts of a seed are made.
#[derive(Clone, Copy, Debug)]
pub struct Which {
    /// Every n-th operation.
    pub stride: usize,
    /// This operation only.
    pub only: Option<usize>,
}

/// A cut that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// Operations before the cut.
    pub cut: usize,
    /// What the cut did to the rest.
    pub variant: &'static str,
    /// Which start found it.
    pub start: &'static str,
    /// What is wrong.
    #[serde(flatten)]
    pub wrong: Wrong,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            cut,
            variant,
            start,
            wrong,
        } = self;
        write!(
            f,
            "seed {seed}, operation {cut}, {variant}, {start}: {wrong:?}; \
             replay: btcbot-chaos disk --from {seed} --seeds 1 --cut {cut}"
        )
    }
}

/// What the cuts of a seed came to.
#[derive(Debug, Default)]
pub struct Swept {
    /// Images that a power cut left.
    pub power_cuts: u64,
    /// Starts on such an image or on that of a crashed process.
    pub recoveries: u64,
    /// What went wrong.
    pub failures: Vec<Failure>,
}

/// The name under which a cut is known.
#[derive(Clone, Copy)]
struct Name {
    seed: u64,
    cut: usize,
    variant: Variant,
}

impl Name {
    fn dice(&self) -> Dice {
        let mut dice = Dice::new(self.seed);
        let mixed = dice.bits() ^ ((self.cut as u64) << 8) ^ self.variant as u64;
        Dice::new(mixed)
    }
}

/// Makes the cuts of a seed.
pub fn sweep(seed: u64, which: Which, plant: Option<Plant>) -> Swept {
    let mut swept = Swept::default();
    let name = Name {
        seed,
        cut: 0,
        variant: Variant::Kept,
    };
    let story = match Story::of(seed, plant) {
        Ok(story) => story,
        Err(error) => {
            swept.fail(name, "without a cut", Wrong::StopsThere(error.to_string()));
            return swept;
        }
    };
    let ends: Vec<usize> = story.commits.iter().map(|commit| commit.last).collect();
    let mut moment = Moment::first(Vec::new());
    for cut in 0..=story.log.len() {
        if let Some(passed) = cut.checked_sub(1) {
            moment.pass(&story.log[passed]);
        }
        if cut % which.stride != 0 || which.only.is_some_and(|only| only != cut) {
            continue;
        }
        let expected = expected_at(&story, &ends, cut);
        for variant in Variant::ALL {
            let name = Name { seed, cut, variant };
            if cut < story.created {
                swept.creation(name, &moment);
            } else {
                swept.life(name, &moment, &expected);
            }
        }
    }
    swept
}

fn expected_at<'a>(story: &'a Story, ends: &'a [usize], cut: usize) -> Expected<'a> {
    let last = |is_passed: &dyn Fn(usize, usize) -> bool| {
        let passed = story
            .commits
            .iter()
            .rfind(|commit| is_passed(commit.begun, commit.acknowledged));
        passed.map_or(0, |commit| commit.last)
    };
    Expected {
        entries: &story.entries,
        ends,
        least: last(&|_, acknowledged| acknowledged <= cut),
        most: last(&|begun, _| begun < cut),
    }
}

impl Swept {
    fn fail(&mut self, name: Name, start: &'static str, wrong: Wrong) {
        self.failures.push(Failure {
            seed: name.seed,
            cut: name.cut,
            variant: name.variant.as_str(),
            start,
            wrong,
        });
    }

    /// A cut while the journal is made: no name, or a whole and empty journal under it.
    fn creation(&mut self, name: Name, moment: &Moment) {
        self.power_cuts += 1;
        if moment.name() == Some(false) {
            return;
        }
        self.recoveries += 1;
        let image = moment.image(name.variant, &mut name.dice());
        let opened = Store::open_backend(SimDisk::resumed(image, Vec::new()), VENUE);
        match opened {
            Ok((store, entries)) if entries.is_empty() && *store.header() == header() => {}
            Ok((_, entries)) => {
                let seen = format!("{} records", entries.len());
                self.fail(name, "creation", Wrong::Torn(seen));
            }
            Err(error) => self.fail(name, "creation", Wrong::Refused(error.to_string())),
        }
    }

    /// A cut while the journal lives.
    fn life(&mut self, name: Name, moment: &Moment, expected: &Expected) {
        let mut dice = name.dice();
        let image = moment.image(name.variant, &mut dice);
        self.power_cuts += 1;
        let disk = SimDisk::resumed(image.clone(), Vec::new());
        self.start(name, "after the cut", disk, image, expected, &mut dice);
        // A process that crashes leaves what it has written in the cache: the next one sees it, a later cut may not.
        if name.variant == Variant::Kept {
            let seen = moment.image(Variant::Kept, &mut dice);
            let disk = SimDisk::resumed(seen, moment.pending());
            let durable = moment.durable().to_vec();
            self.start(name, "after a crash", disk, durable, expected, &mut dice);
        }
    }

    fn start(
        &mut self,
        name: Name,
        start: &'static str,
        disk: SimDisk,
        durable: Vec<u8>,
        expected: &Expected,
        dice: &mut Dice,
    ) {
        self.recoveries += 1;
        let recovered = match recover(disk, expected) {
            Ok(recovered) => recovered,
            Err(wrong) => return self.fail(name, start, wrong),
        };
        self.again(name, &recovered, expected);
        let is_crash = start == "after a crash";
        if is_crash || dice.bits().is_multiple_of(TWICE_EVERY) {
            self.second_cut(name, &recovered, durable, expected, dice);
        }
    }

    /// The start after an orderly end: everything is there.
    fn again(&mut self, name: Name, recovered: &Recovered, expected: &Expected) {
        let (entries, ends) = continued(recovered, expected);
        let all = Expected {
            entries: &entries,
            ends: &ends,
            least: entries.len(),
            most: entries.len(),
        };
        self.recoveries += 1;
        let disk = SimDisk::resumed(recovered.disk.bytes(), Vec::new());
        if let Err(wrong) = recover(disk, &all) {
            let seen = Wrong::StopsThere(format!("{wrong:?}"));
            self.fail(name, "after an orderly end", seen);
        }
    }

    /// A cut while the start after the first one repairs the file and goes on.
    fn second_cut(
        &mut self,
        name: Name,
        recovered: &Recovered,
        durable: Vec<u8>,
        expected: &Expected,
        dice: &mut Dice,
    ) {
        let log = recovered.disk.log();
        let cut = below(dice, log.len() + 1);
        let variant = Variant::ALL[below(dice, Variant::ALL.len())];
        let moment = Moment::after(durable, &log[..cut]);
        let (entries, ends) = continued(recovered, expected);
        let then = if cut < recovered.opened {
            *expected
        } else {
            Expected {
                entries: &entries,
                ends: &ends,
                least: if cut < recovered.acknowledged {
                    recovered.found
                } else {
                    entries.len()
                },
                most: if cut <= recovered.begun {
                    recovered.found
                } else {
                    entries.len()
                },
            }
        };
        self.power_cuts += 1;
        self.recoveries += 1;
        let image = moment.image(variant, dice);
        if let Err(wrong) = recover(SimDisk::resumed(image, Vec::new()), &then) {
            self.fail(name, "after a second cut", wrong);
        }
    }
}

/// What may be there after the start that found `recovered.found` records and appended more.
fn continued(
    recovered: &Recovered,
    expected: &Expected,
) -> (Vec<actors::store::Entry>, Vec<usize>) {
    let mut entries = expected.entries[..recovered.found].to_vec();
    entries.extend(recovered.more.iter().cloned());
    (
        entries,
        vec![recovered.found, recovered.found + recovered.more.len()],
    )
}
