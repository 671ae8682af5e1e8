//! The disk: records in their order, durable a little later, and what of them is left after a crash.
//!
//! One writer: a record is never durable before an earlier one. A crash keeps the durable part and any prefix of the
//! rest, because a commit may have ended without anybody having heard of it.

use crate::life::{KEEP, quote};
use crate::planted::Plant;
use engine::checkpoint::{Checkpoint, Fold};
use engine::dice::Dice;
use engine::history::Traded;
use engine::ids::ClientId;
use engine::record::Record;
use engine::time::Timestamp;
use std::collections::{BTreeSet, VecDeque};

/// A record on its way to the disk.
#[derive(Debug)]
struct Pending {
    ready_at: Timestamp,
    record: Record,
    waits: Option<ClientId>,
}

/// The journal of all lives of one run.
#[derive(Debug)]
pub(crate) struct Journal {
    plant: Option<Plant>,
    durable: Vec<Record>,
    /// What every durable record adds up to.
    fold: Fold,
    /// The trade history: the length of `durable` at each trade, and its row.
    history: Vec<(usize, Traded)>,
    /// What a prefix of them adds up to, and its length: starts read it in place of the prefix.
    checkpoint: Option<(usize, Checkpoint)>,
    pending: VecDeque<Pending>,
    /// Orders whose record is on disk, for a look-up that does not read it all.
    sent: BTreeSet<ClientId>,
    /// The disk takes no more until the next start.
    is_full: bool,
}

impl Journal {
    /// Begins an empty journal.
    pub(crate) fn new(plant: Option<Plant>) -> Self {
        Self {
            plant,
            durable: Vec::new(),
            fold: Fold::resume(Checkpoint::empty(quote()), KEEP),
            history: Vec::new(),
            checkpoint: None,
            pending: VecDeque::new(),
            sent: BTreeSet::new(),
            is_full: false,
        }
    }

    /// Hands a record to the writer; returns when it will be durable.
    pub(crate) fn append(
        &mut self,
        ready_at: Timestamp,
        record: Record,
        waits: Option<ClientId>,
    ) -> Timestamp {
        let ready_at = self
            .pending
            .back()
            .map_or(ready_at, |last| last.ready_at.max(ready_at));
        if self.is_full {
            return ready_at;
        }
        self.pending.push_back(Pending {
            ready_at,
            record,
            waits,
        });
        ready_at
    }

    /// Lets time pass; returns the orders whose records became durable.
    pub(crate) fn commit(&mut self, now: Timestamp) -> Vec<ClientId> {
        let mut heard = Vec::new();
        while let Some(done) = self.pending.pop_front_if(|next| next.ready_at <= now) {
            heard.extend(done.waits);
            self.write(done.record);
        }
        heard
    }

    /// A process ends: what is not durable is lost, except a prefix that was written without an answer.
    pub(crate) fn crash(&mut self, survivors: Survivors, dice: &mut Dice) {
        self.lose(survivors, dice);
        self.is_full = false;
        self.compact();
        self.bend_history();
    }

    /// A planted bug repeats the rows of what lies behind the checkpoint, or has them wait for it in memory.
    fn bend_history(&mut self) {
        let covered = self.checkpoint.as_ref().map_or(0, |(upto, _)| *upto);
        let behind = self.history.partition_point(|(at, _)| *at <= covered);
        if self.plant == Some(Plant::HistoryTwice) {
            self.history.extend_from_within(behind..);
        } else if self.plant == Some(Plant::HistoryGap) {
            self.history.truncate(behind);
        }
    }

    /// A commit fails, and with it everything that is not durable; a drawn prefix may have been written all the same.
    pub(crate) fn fail(&mut self, dice: &mut Dice) {
        self.lose(Survivors::Drawn, dice);
        self.is_full = true;
    }

    fn lose(&mut self, survivors: Survivors, dice: &mut Dice) {
        let most = i64::try_from(self.pending.len()).unwrap_or(i64::MAX);
        let kept = match survivors {
            Survivors::None => 0,
            Survivors::All => most,
            Survivors::Drawn => dice.between(0, most),
        };
        for _ in 0..kept {
            if let Some(pending) = self.pending.pop_front() {
                self.write(pending.record);
            }
        }
        self.pending.clear();
    }

    /// Writes a checkpoint of a drawn part of what is durable, and reads it back. It draws from the length alone, so
    /// that the seeds tell the same stories with it and without.
    fn compact(&mut self) {
        let (from, sum) = match &self.checkpoint {
            Some((from, sum)) => (*from, sum.clone()),
            None => (0, Checkpoint::empty(quote())),
        };
        let length = self.durable.len();
        let more = i64::try_from(length - from).unwrap_or(i64::MAX);
        let drawn = Dice::new(length as u64).between(0, more);
        let upto = from + usize::try_from(drawn).unwrap_or_default();
        let mut fold = Fold::resume(sum, KEEP);
        self.durable[from..upto]
            .iter()
            .for_each(|record| fold.take(record));
        let text = serde_json::to_string(fold.sum()).expect("a checkpoint can be written");
        let sum = serde_json::from_str(&text).expect("a checkpoint reads back");
        self.checkpoint = Some((upto, sum));
    }

    /// Writes a record at once: a start writes its number before anything else happens.
    pub(crate) fn write(&mut self, record: Record) {
        if let Record::Sending { order, .. } = &record {
            self.sent.insert(order.client_id);
        }
        let traded = self.fold.book(&record);
        self.durable.push(record);
        let at = self.durable.len();
        self.history.extend(traded.map(|row| (at, row)));
    }

    /// Returns whether a record is on its way.
    pub(crate) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Returns the newest checkpoint, and how many records it covers.
    pub(crate) fn checkpoint(&self) -> Option<&(usize, Checkpoint)> {
        self.checkpoint.as_ref()
    }

    /// Returns whether the disk takes no more.
    pub(crate) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns every durable record; a start reads those behind the checkpoint.
    pub(crate) fn durable(&self) -> &[Record] {
        &self.durable
    }

    /// Returns the trade history.
    pub(crate) fn history(&self) -> impl Iterator<Item = &Traded> {
        self.history.iter().map(|(_, row)| row)
    }

    /// Returns whether an order's record is on disk.
    pub(crate) fn has_sending(&self, id: ClientId) -> bool {
        self.sent.contains(&id)
    }
}

/// What a crash leaves of the records that nobody knew to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survivors {
    /// Nothing.
    None,
    /// Everything.
    All,
    /// A drawn prefix.
    Drawn,
}
