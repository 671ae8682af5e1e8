//! One journal's life on a simulated disk, written by the real store: created, filled, closed, opened again, filled.
//!
//! It cuts nothing. The one idea: beside the log of the disk it notes at which operation each commit was begun and
//! acknowledged, and that is all a cut has to be judged by.

use super::cut::below;
use super::records::Records;
use super::sim::{Operation, SimDisk};
use actors::store::{Entry, Header, Place, Store, StoreError, Venue, create_at};
use engine::checkpoint::Checkpoint;
use engine::dice::Dice;
use engine::ids::Asset;
use engine::record::Record;
use engine::time::Timestamp;
use serde::Serialize;
use std::io;

/// Commits of one story.
const COMMITS: usize = 40;
/// Every so many commits a checkpoint is written along; the store looks at none of what it says.
const CHECKPOINT_EVERY: usize = 4;
/// The commit before which the journal is closed and opened again.
const REOPENED_AT: usize = COMMITS / 2;
/// Records of the largest commit.
const GROUP_MAX: usize = actors::journal::GROUP_MAX;
/// Records of most commits.
const GROUP_USUAL: usize = 3;
/// One commit of this many is drawn up to the largest.
const LARGE_EVERY: u64 = 5;

/// The moment at which every story begins.
pub(super) const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
/// The exchange of every story.
pub(super) const VENUE: Venue = Venue::Live;

/// What the books are in.
pub(super) fn quote() -> Asset {
    Asset::parse("TRY").expect("a short name")
}

/// A mistake that is made on purpose, to see it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plant {
    /// A commit is acknowledged before it is written.
    EarlyAck,
    /// The disk is never asked to sync: what `Durability::None` would do, and what a disk that lies about it does.
    NoSync,
    /// A group is written in two commits.
    SplitGroup,
}

/// What was written, and when.
pub struct Story {
    /// Every operation of the disk.
    pub log: Vec<Operation>,
    /// Every record, in order.
    pub entries: Vec<Entry>,
    /// The commits, in order.
    pub commits: Vec<Commit>,
    /// Operations of the log when the creation had ended.
    pub created: usize,
    /// The file at the end of the last commit, while it is open.
    pub open: Vec<u8>,
    /// The file after it was closed in order.
    pub closed: Vec<u8>,
}

/// One commit.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// Number of its last record.
    pub last: usize,
    /// Operations of the log when it was begun.
    pub begun: usize,
    /// Operations of the log when it was acknowledged.
    pub acknowledged: usize,
}

/// Returns the header of every story.
pub(super) fn header() -> Header {
    Header::new(VENUE, "sim1", START)
}

/// Makes a journal on the disk, through the routine that makes the real one.
///
/// # Errors
/// What the store says about the disk.
pub(super) fn created(disk: &SimDisk) -> Result<(), StoreError> {
    create_at(&mut SimPlace(disk.clone()), &header())
}

impl Story {
    /// Writes the story of a seed.
    ///
    /// # Errors
    /// The store refused a disk without faults, which it must not.
    pub fn of(seed: u64, plant: Option<Plant>) -> Result<Self, StoreError> {
        let disk = SimDisk::empty();
        created(&disk)?;
        let mut story = Self {
            log: Vec::new(),
            entries: Vec::new(),
            commits: Vec::new(),
            created: disk.position(),
            open: Vec::new(),
            closed: Vec::new(),
        };
        let mut dice = Dice::new(seed);
        let mut records = Records::new(dice.bits(), START);
        let (mut store, _) = Store::open_backend(disk.clone(), VENUE)?;
        for commit in 0..COMMITS {
            if commit == REOPENED_AT {
                store.close();
                store = Store::open_backend(disk.clone(), VENUE)?.0;
            }
            let group = records.group(drawn_len(&mut dice));
            story.commit(&disk, &mut store, group, plant)?;
        }
        story.open = disk.bytes();
        store.close();
        story.closed = disk.bytes();
        story.log = disk.log();
        if plant == Some(Plant::NoSync) {
            story.forget_syncs();
        }
        Ok(story)
    }

    fn commit(
        &mut self,
        disk: &SimDisk,
        store: &mut Store,
        group: Vec<(Timestamp, Record)>,
        plant: Option<Plant>,
    ) -> Result<(), StoreError> {
        let begun = disk.position();
        let (first, second) = match plant {
            Some(Plant::SplitGroup) => group.split_at(group.len() / 2),
            Some(Plant::EarlyAck | Plant::NoSync) | None => (&group[..], &group[..0]),
        };
        let sum = Checkpoint::empty(quote());
        let is_due = self.commits.len() % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1;
        store.append_with(first, &[], is_due.then_some(&sum))?;
        if !second.is_empty() {
            store.append(second)?;
        }
        let acknowledged = match plant {
            Some(Plant::EarlyAck) => begun,
            Some(Plant::NoSync | Plant::SplitGroup) | None => disk.position(),
        };
        self.entries.extend(numbered(self.entries.len(), group));
        self.commits.push(Commit {
            last: self.entries.len(),
            begun,
            acknowledged,
        });
        Ok(())
    }

    /// Takes every sync after the creation for a write of nothing, so that no number of an operation moves.
    fn forget_syncs(&mut self) {
        for operation in &mut self.log[self.created..] {
            if *operation == Operation::Sync {
                *operation = Operation::Write {
                    at: 0,
                    data: [].into(),
                };
            }
        }
    }
}

/// Numbers a group as the store does, behind `before` records.
pub(super) fn numbered(
    before: usize,
    group: Vec<(Timestamp, Record)>,
) -> impl Iterator<Item = Entry> {
    let first = before as u64 + 1;
    (first..)
        .zip(group)
        .map(|(seq, (at, record))| Entry { seq, at, record })
}

fn drawn_len(dice: &mut Dice) -> usize {
    let most = if dice.bits().is_multiple_of(LARGE_EVERY) {
        GROUP_MAX
    } else {
        GROUP_USUAL
    };
    1 + below(dice, most)
}

/// A directory with room for one journal.
struct SimPlace(SimDisk);

impl Place for SimPlace {
    type Backend = SimDisk;

    fn is_taken(&self) -> io::Result<bool> {
        Ok(self.0.log().contains(&Operation::Named))
    }

    fn prepare(&mut self) -> io::Result<SimDisk> {
        Ok(self.0.clone())
    }

    fn sync_prepared(&mut self) -> io::Result<()> {
        redb::StorageBackend::sync_data(&self.0)
    }

    fn publish(&mut self) -> io::Result<()> {
        self.0.record(Operation::Named);
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.0.record(Operation::NameSynced);
        Ok(())
    }
}
