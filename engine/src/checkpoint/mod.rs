//! What all records so far add up to, as one value that can be written beside them.
//!
//! A start that reads a checkpoint and the records behind it knows what a start that reads every record knows. It is
//! so by construction: the cores take over what one [`Fold`] has folded, and a checkpoint is that fold as it stands.

#[cfg(test)]
pub(crate) mod story;
#[cfg(test)]
mod tests;

use crate::answer::SubmitOutcome;
use crate::budget;
use crate::history::Traded;
use crate::ids::{Asset, OrderId};
use crate::kill::{Kill, KillId, Resets};
use crate::mode::ModeCode;
use crate::order::Resolution;
use crate::record::Record;
use crate::risk;
use crate::router::{self, Keep};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the written form. A form that was released is read for ever; a later one than this is refused. From 2 on
/// it holds trades of folded orders, which a reader of 1 would pass over and book twice.
pub const VERSION: u32 = 2;

/// What the records up to some number add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    version: u32,
    /// Number of the last start; 0 before the first.
    epoch: u32,
    /// The highest number the exchange gave to an order or a trade of ours; 0 before the first.
    number_max: i64,
    /// When the state was brought back, if nobody has ended safe mode since.
    restored_at: Option<Timestamp>,
    /// The kill switch as it was tripped last, if nobody has reset that trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kill: Option<Kill>,
    /// When the kill switch was reset last.
    #[serde(default, skip_serializing_if = "Resets::is_empty")]
    resets: Resets,
    money: risk::Memory,
    orders: router::Memory,
    #[serde(default)]
    budgets: budget::Memory,
}

impl Checkpoint {
    /// Makes the checkpoint of an empty journal whose books are in `quote`.
    pub fn empty(quote: Asset) -> Self {
        Self {
            version: VERSION,
            epoch: 0,
            number_max: 0,
            restored_at: None,
            kill: None,
            resets: Resets::default(),
            money: risk::Memory::new(quote),
            orders: router::Memory::default(),
            budgets: budget::Memory::default(),
        }
    }

    /// Returns the number of the start that comes next.
    pub const fn epoch_next(&self) -> u32 {
        self.epoch + 1
    }

    /// Returns the highest number the exchange gave to an order or a trade of ours; 0 before the first.
    pub const fn number_max(&self) -> i64 {
        self.number_max
    }

    /// Returns when the state was brought back, if nobody has ended safe mode since.
    pub const fn restored_at(&self) -> Option<Timestamp> {
        self.restored_at
    }

    /// Returns the kill switch as it was tripped last, if nobody has reset that trip.
    pub const fn kill(&self) -> Option<&Kill> {
        self.kill.as_ref()
    }

    /// Returns when the kill switch was reset last.
    pub const fn resets(&self) -> &Resets {
        &self.resets
    }

    /// Returns what the gate takes over.
    pub const fn money(&self) -> &risk::Memory {
        &self.money
    }

    /// Returns what was spent, and how far things had gone.
    pub const fn budgets(&self) -> &budget::Memory {
        &self.budgets
    }

    /// Returns what the router takes over.
    pub const fn orders(&self) -> &router::Memory {
        &self.orders
    }
}

/// Adds records up, in the order of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    sum: Checkpoint,
    keep: Keep,
}

impl Fold {
    /// Goes on from a checkpoint of any version.
    pub const fn resume(mut sum: Checkpoint, keep: Keep) -> Self {
        sum.version = VERSION;
        Self { sum, keep }
    }

    /// Begins an empty journal whose books are in `quote`.
    pub fn new(quote: Asset) -> Self {
        Self::resume(Checkpoint::empty(quote), Keep::default())
    }

    /// Adds up a whole journal whose books are in `quote`.
    pub fn of<'a>(quote: Asset, keep: Keep, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut fold = Self::resume(Checkpoint::empty(quote), keep);
        records.into_iter().for_each(|record| fold.take(record));
        fold
    }

    /// Adds a record.
    pub fn take(&mut self, record: &Record) {
        self.sum.money.take(record);
        if let Some(cause) = self.sum.orders.take(record, &self.keep) {
            self.proves(cause, record);
        }
        self.sum.budgets.take(record);
        match record {
            Record::Boot { epoch, .. } => self.sum.epoch = *epoch,
            Record::Outcome { outcome, .. } => self.answered(*outcome),
            Record::Adopted { order_id, .. } => self.numbered(*order_id),
            Record::Resolved {
                resolution: Resolution::Accepted(number),
                ..
            } => self.numbered(*number),
            Record::Restored { at, .. } => self.sum.restored_at = Some(*at),
            Record::SafeMode { on: false, .. } => self.sum.restored_at = None,
            Record::Kill(kill) => self.sum.kill = Some(kill.clone()),
            Record::Reset { id, at, .. } => {
                self.sum.resets.note(*at);
                self.reset(*id);
            }
            Record::Fill(trade) => {
                self.numbered(trade.order_id);
                self.numbered(OrderId(trade.id.0));
            }
            Record::Sending { .. }
            | Record::Decided(_)
            | Record::Transfer { .. }
            | Record::Adjustment { .. }
            | Record::Audit { .. }
            | Record::Resolved { .. }
            | Record::CancelAsked { .. }
            | Record::Ended { .. }
            | Record::Opening { .. }
            | Record::DayStart { .. }
            | Record::Held(_)
            | Record::LetGo { .. }
            | Record::SafeMode { on: true, .. }
            | Record::Looked { .. }
            | Record::Spent { .. }
            | Record::Stepped { .. }
            | Record::Stop { .. } => {}
        }
    }

    /// Adds a record, as [`Fold::take`] does; returns what the trade history keeps of it, if it is a trade.
    pub fn book(&mut self, record: &Record) -> Option<Traded> {
        let Record::Fill(trade) = record else {
            self.take(record);
            return None;
        };
        let before = self.sum.money.ledger().realised_net();
        self.take(record);
        let realised = self.sum.money.ledger().realised_net() - before;
        let order = self.sum.orders.order_of(trade);
        Some(Traded::booked(trade, order, realised))
    }

    /// Returns the sum of everything taken so far.
    pub const fn sum(&self) -> &Checkpoint {
        &self.sum
    }

    /// The records prove that a kill was due: it holds even if a crash came before it was latched.
    fn proves(&mut self, cause: ModeCode, record: &Record) {
        let (Record::Outcome { at, .. } | Record::Adopted { at, .. }) = record else {
            return;
        };
        let trip = || Kill::new(None, cause, ("", "the journal"), *at);
        self.sum.kill.get_or_insert_with(trip);
    }

    /// A later trip than the one that was reset stays.
    fn reset(&mut self, id: KillId) {
        if self.sum.kill.as_ref().is_some_and(|kill| kill.id <= id) {
            self.sum.kill = None;
        }
    }

    fn answered(&mut self, outcome: SubmitOutcome) {
        match outcome {
            SubmitOutcome::Accepted(number) | SubmitOutcome::AcceptedWithoutEcho(number) => {
                self.numbered(number);
            }
            SubmitOutcome::Rejected(_) | SubmitOutcome::NotSent(_) | SubmitOutcome::Unknown(_) => {}
        }
    }

    fn numbered(&mut self, number: OrderId) {
        self.sum.number_max = self.sum.number_max.max(number.0);
    }
}
