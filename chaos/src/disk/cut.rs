//! What a power cut leaves: for each moment of a log of operations, the file as a later start may find it.
//!
//! It opens nothing. The one idea: what was synced is there; of what was not, each sector may be there or not, in any
//! order. A sector is whole, but one that was being written may be garbage, except the file's first: redb keeps both of
//! its roots in it, and a store cannot outlive the loss of that sector on one disk.

use super::sim::{Operation, SECTOR, apply, write};
use engine::dice::Dice;

/// How a cut treats what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// All of it is lost.
    Lost,
    /// All of it is there.
    Kept,
    /// Each operation is there or not.
    Drawn,
    /// Some of the operations are there, in another order.
    Reordered,
    /// Each sector of each operation is there or not, in any order of the operations.
    Torn,
    /// As torn, and one sector that was being written holds anything at all.
    Garbage,
}

impl Variant {
    /// Every variant.
    pub const ALL: [Self; 6] = [
        Self::Lost,
        Self::Kept,
        Self::Drawn,
        Self::Reordered,
        Self::Torn,
        Self::Garbage,
    ];

    /// Returns the name under which a failing cut is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Kept => "kept",
            Self::Drawn => "drawn",
            Self::Reordered => "reordered",
            Self::Torn => "torn",
            Self::Garbage => "garbage",
        }
    }
}

/// The disk at one moment of its log.
#[derive(Clone, Debug, Default)]
pub struct Moment<'a> {
    durable: Vec<u8>,
    pending: Vec<&'a Operation>,
    /// How many of the pending operations a failed sync has given up: the kernel takes them for written.
    given_up: usize,
    is_named: bool,
    is_name_durable: bool,
}

impl<'a> Moment<'a> {
    /// Returns the moment before the first operation, on a file that holds `durable`.
    pub fn first(durable: Vec<u8>) -> Self {
        Self {
            durable,
            ..Self::default()
        }
    }

    /// Returns the moment after every operation of `log`, on a file that holds `durable`.
    pub fn after(durable: Vec<u8>, log: &'a [Operation]) -> Self {
        let mut moment = Self::first(durable);
        log.iter().for_each(|operation| moment.pass(operation));
        moment
    }

    /// Lets one operation happen.
    pub fn pass(&mut self, operation: &'a Operation) {
        match operation {
            Operation::Write { .. } | Operation::SetLen(_) => self.pending.push(operation),
            Operation::Sync => {
                for written in self.pending.drain(..).skip(self.given_up) {
                    apply(&mut self.durable, written);
                }
                self.given_up = 0;
            }
            Operation::FailedSync => self.given_up = self.pending.len(),
            Operation::Named => self.is_named = true,
            Operation::NameSynced => self.is_name_durable = self.is_named,
        }
    }

    /// Returns whether a later start finds the final name: surely, surely not, or either (`None`).
    pub fn name(&self) -> Option<bool> {
        match (self.is_named, self.is_name_durable) {
            (_, true) => Some(true),
            (true, false) => None,
            (false, false) => Some(false),
        }
    }

    /// Returns what is on the disk for sure.
    pub fn durable(&self) -> &[u8] {
        &self.durable
    }

    /// Returns what is not on the disk for sure, in its order.
    pub fn pending(&self) -> Vec<Operation> {
        self.pending.iter().copied().cloned().collect()
    }

    /// Returns the file as a later start may find it.
    pub fn image(&self, variant: Variant, dice: &mut Dice) -> Vec<u8> {
        let mut image = self.durable.clone();
        let half = |dice: &mut Dice| dice.bits().is_multiple_of(2);
        match variant {
            Variant::Lost => {}
            Variant::Kept => self.pending.iter().for_each(|it| apply(&mut image, it)),
            Variant::Drawn => {
                let drawn = self.pending.iter().filter(|_| half(dice));
                drawn.for_each(|it| apply(&mut image, it));
            }
            Variant::Reordered => {
                let mixed = self.shuffled(dice);
                let drawn = mixed.into_iter().filter(|_| half(dice));
                drawn.for_each(|it| apply(&mut image, it));
            }
            Variant::Torn => self.tear(&mut image, dice),
            Variant::Garbage => {
                self.tear(&mut image, dice);
                self.spoil(&mut image, dice);
            }
        }
        image
    }

    fn shuffled(&self, dice: &mut Dice) -> Vec<&'a Operation> {
        let mut mixed = self.pending.clone();
        for last in (1..mixed.len()).rev() {
            mixed.swap(last, below(dice, last + 1));
        }
        mixed
    }

    fn tear(&self, image: &mut Vec<u8>, dice: &mut Dice) {
        for operation in self.shuffled(dice) {
            match operation {
                Operation::Write { at, data } => {
                    for (at, sector) in sectors(*at, data) {
                        if dice.bits().is_multiple_of(2) {
                            write(image, at, sector);
                        }
                    }
                }
                Operation::SetLen(_) if dice.bits().is_multiple_of(2) => apply(image, operation),
                Operation::SetLen(_)
                | Operation::Sync
                | Operation::FailedSync
                | Operation::Named
                | Operation::NameSynced => {}
            }
        }
    }

    /// Fills one sector that was being written with anything.
    fn spoil(&self, image: &mut Vec<u8>, dice: &mut Dice) {
        let mut written = Vec::new();
        for operation in &self.pending {
            if let Operation::Write { at, data } = operation {
                written.extend(sectors(*at, data).filter(|(at, _)| *at >= SECTOR as u64));
            }
        }
        if written.is_empty() {
            return;
        }
        let (at, sector) = written[below(dice, written.len())];
        let garbage: Vec<u8> = sector.iter().map(|_| dice.bits() as u8).collect();
        write(image, at, &garbage);
    }
}

/// Returns a number below `count`, which is not 0.
pub(super) fn below(dice: &mut Dice, count: usize) -> usize {
    usize::try_from(dice.bits() % count as u64).expect("it is below a usize")
}

/// Cuts a write at the borders of the disk's sectors.
fn sectors(at: u64, data: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let sector = SECTOR as u64;
    let head = usize::try_from((sector - at % sector) % sector).expect("less than a sector");
    let (head, rest) = data.split_at(head.min(data.len()));
    let rest_at = at + head.len() as u64;
    let whole = rest.chunks(SECTOR).zip(0..);
    let whole = whole.map(move |(chunk, n)| (rest_at + n * sector, chunk));
    std::iter::once((at, head))
        .filter(|(_, head)| !head.is_empty())
        .chain(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u8 = 1;
    const B: u8 = 2;

    fn wrote(at: u64, byte: u8, len: usize) -> Operation {
        Operation::Write {
            at,
            data: vec![byte; len].into(),
        }
    }

    fn check(log: &[Operation], variant: Variant, expected: &[u8]) {
        let image = Moment::after(Vec::new(), log).image(variant, &mut Dice::new(1));
        assert_eq!(image, expected, "{variant:?}");
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_may_go() {
        let log = [wrote(0, A, 2), Operation::Sync, wrote(1, B, 2)];
        check(&log, Variant::Lost, &[A, A]);
        check(&log, Variant::Kept, &[A, B, B]);
        let log = [wrote(0, A, 2), Operation::Sync, Operation::SetLen(1)];
        check(&log, Variant::Lost, &[A, A]);
        check(&log, Variant::Kept, &[A]);
    }

    #[test]
    fn a_sync_after_a_failed_one_does_not_bring_back_what_that_one_lost() {
        let log = [
            wrote(0, A, 1),
            Operation::Sync,
            wrote(0, B, 1),
            Operation::FailedSync,
            wrote(1, B, 1),
            Operation::Sync,
        ];
        check(&log, Variant::Lost, &[A, B]);
        check(&log[..4], Variant::Kept, &[B]);
    }

    #[test]
    fn sectors_are_torn_at_their_borders_and_never_inside() {
        let long = wrote(500, A, 1_100);
        let log = [Operation::SetLen(2_048), Operation::Sync, long];
        let moment = Moment::after(Vec::new(), &log);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let image = moment.image(Variant::Torn, &mut Dice::new(seed));
            let parts = [500..512, 512..1_024, 1_024..1_536, 1_536..1_600];
            let whole = parts.map(|part| {
                let kept = image[part.start];
                assert!(image[part].iter().all(|byte| *byte == kept));
                kept
            });
            seen.insert(whole);
        }
        assert_eq!(seen.len(), 16, "every way of tearing four sectors is drawn");
    }

    #[test]
    fn garbage_spares_the_first_sector() {
        let log = [wrote(0, A, 2 * SECTOR)];
        let moment = Moment::after(vec![A; 2 * SECTOR], &log);
        for seed in 0..50 {
            let image = moment.image(Variant::Garbage, &mut Dice::new(seed));
            assert!(image[..SECTOR].iter().all(|byte| *byte == A));
            assert!(image[SECTOR..].iter().any(|byte| *byte != A));
        }
    }

    #[test]
    fn a_name_is_there_only_after_its_directory_was_synced() {
        let mut moment = Moment::first(Vec::new());
        assert_eq!(moment.name(), Some(false));
        moment.pass(&Operation::Named);
        assert_eq!(moment.name(), None);
        moment.pass(&Operation::NameSynced);
        assert_eq!(moment.name(), Some(true));
    }
}
