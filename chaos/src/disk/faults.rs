//! A disk that refuses one operation, under the journal's own thread: every sync and every write of a short life.
//!
//! No power is cut while it runs. The one idea: every operation after the refused one would succeed, so only a journal
//! that never asks again passes; whoever repeats a failed sync is told that all is well and has lost data (RB-4).

use super::cut::{Moment, Variant};
use super::recover::{Expected, Wrong, recover};
use super::sim::{Answer, Fault, FaultKind, SimDisk};
use super::story::{START, VENUE, created, numbered, quote};
use actors::beats::Beats;
use actors::clock::Clock;
use actors::journal::{AppendError, Journal, JournalEvent};
use actors::store::{Store, StoreError};
use engine::checkpoint::Fold;
use engine::dice::Dice;
use engine::record::Record;
use engine::time::Timestamp;
use serde::Serialize;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Commits of one life, each of one record.
const COMMITS: usize = 20;
/// Operations that are refused in turn, at most; a life has fewer.
const POINTS_MAX: usize = 2_000;
/// Longest wait for an answer of the journal's thread. It is never waited for in vain, so it is no timing.
const PATIENCE: Duration = Duration::from_secs(60);

/// What refusing every operation of one kind came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// Operations that were refused, one in each life.
    pub points: u64,
    /// Lives that ended as they must: one report, nothing acknowledged and nothing asked of the disk afterwards, and
    /// every acknowledged record readable.
    pub latched: u64,
    /// Lives that asked the disk again, or acknowledged afterwards.
    pub retried: u64,
    /// What was wrong, with the number of the refused operation.
    pub wrong: Vec<String>,
}

/// What one life with a refused operation showed.
struct Life {
    disk: SimDisk,
    /// Records that were acknowledged before the journal reported its failure.
    acknowledged: usize,
    /// Reports of a failure.
    reports: usize,
    /// Acknowledgements after the first report, and appends that were taken after it.
    afterwards: usize,
}

/// Refuses each operation of a kind in turn.
pub fn refuse_each(kind: FaultKind) -> Faults {
    let mut faults = Faults::default();
    for answer in [Answer::Io, Answer::NoSpace] {
        for after in 0..POINTS_MAX {
            let fault = Fault {
                kind,
                after,
                answer,
            };
            match live(fault) {
                Ok(life) if !life.disk.has_failed() => break,
                Ok(life) => faults.judge(fault, &life),
                Err(error) => faults.wrong.push(format!("{fault:?}: {error}")),
            }
        }
    }
    faults
}

impl Faults {
    /// Returns whether every life ended as it must.
    pub fn is_ok(&self) -> bool {
        self.points > 0 && self.latched == self.points && self.wrong.is_empty()
    }

    fn judge(&mut self, fault: Fault, life: &Life) {
        self.points += 1;
        let asked = life.disk.after_failure();
        if asked + life.afterwards > 0 {
            self.retried += 1;
            let seen = format!("{fault:?}: {asked} operations, {} answers", life.afterwards);
            self.wrong.push(seen);
            return;
        }
        // Only the last of all operations, those of an orderly end, may fail without a report: nobody waits for them.
        let is_told = life.reports == 1 || (life.reports == 0 && life.acknowledged == COMMITS);
        if !is_told {
            let seen = format!("{fault:?}: {} reports", life.reports);
            self.wrong.push(seen);
            return;
        }
        match readable(life) {
            Ok(()) => self.latched += 1,
            Err(wrong) => self.wrong.push(format!("{fault:?}: {wrong:?}")),
        }
    }
}

fn record(n: usize) -> (Timestamp, Record) {
    let at = START.plus_ms(n as i64);
    (at, Record::SafeMode { on: true, at })
}

/// One life of the journal's thread on a disk that refuses one operation.
fn live(fault: Fault) -> Result<Life, StoreError> {
    let disk = SimDisk::empty();
    created(&disk)?;
    let (store, _) = Store::open_backend(disk.clone(), VENUE)?;
    disk.plan(fault);
    let (send, events) = channel();
    // Nobody listens any more once the life is over.
    let on_event = move |event| drop(send.send(event));
    let fold = Fold::new(quote());
    let (journal, thread) =
        Journal::start(store, fold, Beats::new(Clock::manual(START)), on_event)?;
    let mut afterwards = 0;
    for n in 0..COMMITS {
        let (at, record) = record(n);
        let was_broken = journal.has_failed();
        let taken = journal.append(at, record).is_ok();
        let synced = journal.sync(PATIENCE);
        assert_ne!(synced, Err(AppendError::TimedOut), "the thread answers");
        afterwards += usize::from(was_broken && (taken || synced.is_ok()));
    }
    drop(journal);
    thread.join();
    let (mut acknowledged, mut reports) = (0, 0);
    for event in events.try_iter() {
        match event {
            JournalEvent::Durable { .. } if reports > 0 => afterwards += 1,
            JournalEvent::Durable { seq, .. } => acknowledged = seq as usize,
            JournalEvent::Failed(_) => reports += 1,
        }
    }
    Ok(Life {
        disk,
        acknowledged,
        reports,
        afterwards,
    })
}

/// Opens what a power cut leaves of the disk after that life, in every variant.
fn readable(life: &Life) -> Result<(), Wrong> {
    let entries: Vec<_> = numbered(0, (0..COMMITS).map(record).collect()).collect();
    let ends: Vec<usize> = (1..=COMMITS).collect();
    let expected = Expected {
        entries: &entries,
        ends: &ends,
        least: life.acknowledged,
        most: (life.acknowledged + 1).min(COMMITS),
    };
    let log = life.disk.log();
    let moment = Moment::after(Vec::new(), &log);
    for variant in Variant::ALL {
        let image = moment.image(variant, &mut Dice::new(log.len() as u64));
        recover(SimDisk::resumed(image, Vec::new()), &expected)?;
    }
    Ok(())
}
