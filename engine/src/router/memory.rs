//! What the router knows from the journal alone: own orders, and what was booked of strangers'.
//!
//! One folding serves every reader: a start replays records into it, the journal's thread keeps one for checkpoints,
//! and the live router folds ended orders away by the same rule at the same records.

use super::entry::{Entry, Moved};
use super::tombstones::Tombstones;
use super::unknowns::DAY_MS;
use crate::answer::{OwnTrade, SubmitOutcome, UnknownCause};
use crate::fills::FillBook;
use crate::ids::{BootTag, ClientId, OrderId};
use crate::intent::NewOrder;
use crate::mode::ModeCode;
use crate::order::{OrderState, OrderView};
use crate::record::Record;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// Age from which an ended order may be folded away, milliseconds.
const ENDED_KEPT_MS: i64 = 48 * 3_600_000;
/// Ended orders kept one by one; beyond it the oldest fold before their age. Those that ended behind the last look but
/// one are kept besides: in that time every answer to them has come.
const ENDED_KEPT_MAX: usize = 256;
/// Least time between two records of a look, milliseconds: longer than any answer or list is late, short enough that
/// memory does not grow with the orders of an hour.
const LOOKS_APART_MS: i64 = 60_000;

/// Orders of a day that are counted as unknown; beyond it the budget is spent anyway.
const DAY_LOG_MAX: usize = 1_000;
/// Starts whose random part is remembered; beyond it the oldest is forgotten, and an order of it that turns up is
/// taken for one of a lost journal: both are kills.
const BOOTS_MAX: usize = 10_000;

/// How much of the past stays verbatim. There is one setting, the default; simulations live in shorter time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Age from which an ended order may be folded away, milliseconds.
    pub ended_ms: i64,
    /// Ended orders kept one by one.
    pub ended_max: usize,
    /// Least time between two records of a look, milliseconds.
    pub looks_apart_ms: i64,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            ended_ms: ENDED_KEPT_MS,
            ended_max: ENDED_KEPT_MAX,
            looks_apart_ms: LOOKS_APART_MS,
        }
    }
}

/// A look at the account that was whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) asked_at: Timestamp,
    /// Every trade dated before has been listed and booked; on the exchange's clock.
    pub(crate) trades_before: Timestamp,
}

/// The trades of a folded order while they may be listed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settling {
    pub(super) client_id: ClientId,
    pub(super) fills: FillBook,
}

/// What the records say about orders. As large as the living orders, [`Keep`], the trades that may be listed again, and
/// the limits of strangers and runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Memory {
    #[serde(serialize_with = "values")]
    pub(super) entries: BTreeMap<ClientId, Entry>,
    #[serde(skip)]
    pub(super) living: BTreeSet<ClientId>,
    #[serde(skip)]
    pub(super) by_id: BTreeMap<OrderId, ClientId>,
    /// Orders of which rows show more as filled than was booked.
    #[serde(skip)]
    pub(super) pending: BTreeSet<ClientId>,
    /// The random part of each start that sent an order.
    pub(super) boots: BTreeMap<u32, BootTag>,
    /// Start and sequence of the latest order that is written down.
    pub(super) head: (u32, u64),
    /// Orders that became unknown within a day, and when.
    pub(super) unknown_day: BTreeMap<ClientId, Timestamp>,
    /// The journal ends in a start without a stop.
    pub(super) was_unclean: bool,
    pub(super) foreign: BTreeMap<OrderId, FillBook>,
    pub(super) tombstones: Tombstones,
    /// By the exchange's number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) settling: BTreeMap<OrderId, Settling>,
    /// When the books were opened; strangers' trades before are part of the opening.
    pub(super) opened_at: Option<Timestamp>,
    /// The last look on record.
    pub(super) look: Option<Look>,
}

/// The same as it is written: indexes are made anew.
#[derive(Deserialize)]
struct Written {
    entries: Vec<Entry>,
    boots: BTreeMap<u32, BootTag>,
    head: (u32, u64),
    unknown_day: BTreeMap<ClientId, Timestamp>,
    was_unclean: bool,
    foreign: BTreeMap<OrderId, FillBook>,
    tombstones: Tombstones,
    #[serde(default)]
    settling: BTreeMap<OrderId, Settling>,
    opened_at: Option<Timestamp>,
    look: Option<Look>,
}

fn ghost(moved: Option<Moved>) -> Option<ModeCode> {
    (moved == Some(Moved::Ghost)).then_some(ModeCode::GhostOrder)
}

fn values<S: Serializer>(
    entries: &BTreeMap<ClientId, Entry>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.values())
}

impl From<Written> for Memory {
    fn from(written: Written) -> Self {
        let mut memory = Self {
            boots: written.boots,
            head: written.head,
            unknown_day: written.unknown_day,
            was_unclean: written.was_unclean,
            foreign: written.foreign,
            tombstones: written.tombstones,
            settling: written.settling,
            opened_at: written.opened_at,
            look: written.look,
            ..Self::default()
        };
        for entry in written.entries {
            let id = entry.view.client_id();
            memory.entries.insert(id, entry);
            memory.index(id);
        }
        memory
    }
}

impl Memory {
    /// Takes in a durable record; the same folding as live, without effects. Returns the cause of a kill that the
    /// record proves: a crash may have come between the record and the kill.
    pub(crate) fn take(&mut self, record: &Record, keep: &Keep) -> Option<ModeCode> {
        match record {
            Record::Outcome {
                client_id,
                outcome,
                at,
            } => {
                let moved = self.with(*client_id, |entry| entry.on_outcome(*outcome, *at));
                if matches!(outcome, SubmitOutcome::Unknown(_)) {
                    self.note_unknown(*client_id, *at);
                }
                if matches!(outcome, SubmitOutcome::AcceptedWithoutEcho(_)) {
                    return Some(ModeCode::ClientIdEchoMismatch);
                }
                return ghost(moved);
            }
            Record::Adopted {
                client_id,
                order_id,
                at,
            } => return ghost(self.with(*client_id, |entry| entry.exists(*order_id, *at))),
            Record::Sending { order, stamp_max } => {
                let at = order.intent.at;
                self.insert(Entry::new(*order, *stamp_max, at));
                self.with(order.client_id, |entry| {
                    entry.become_state(OrderState::Sending, at);
                });
            }
            Record::CancelAsked { client_id, .. } => {
                self.with(*client_id, |entry| {
                    entry.view.cancel_asked = entry.is_living()
                });
            }
            Record::Fill(trade) => self.fill(trade),
            Record::Ended {
                client_id,
                state,
                at,
            } => {
                self.with(*client_id, |entry| {
                    entry.become_state(*state, *at);
                    // Its last fill has ended it already, at the trade's stamp.
                    entry.view.since = *at;
                });
            }
            Record::Resolved {
                client_id,
                resolution,
                at,
                ..
            } => self.replay_resolved(*client_id, *resolution, *at),
            Record::Opening { at, .. } => self.opened(*at),
            Record::Boot { at, .. } => {
                self.was_unclean = true;
                self.interrupt(*at);
            }
            Record::Stop { .. } => self.was_unclean = false,
            Record::Looked {
                asked_at,
                trades_before,
            } => self.looked(
                Look {
                    asked_at: *asked_at,
                    trades_before: *trades_before,
                },
                keep,
            ),
            Record::Restored { .. }
            | Record::Decided(_)
            | Record::Transfer { .. }
            | Record::Adjustment { .. }
            | Record::Audit { .. }
            | Record::Kill(_)
            | Record::Reset { .. }
            | Record::DayStart { .. }
            | Record::Spent { .. }
            | Record::Stepped { .. }
            | Record::Held(_)
            | Record::LetGo { .. }
            | Record::SafeMode { .. } => {}
        }
        None
    }

    fn fill(&mut self, trade: &OwnTrade) {
        let own = self.owner_of(trade.order_id, trade.client_id);
        match own.filter(|id| !self.is_second(*id, trade.order_id)) {
            Some(id) => {
                self.with(id, |entry| entry.was_traded(trade, trade.at));
            }
            None => {
                let settling = self.settling.get_mut(&trade.order_id);
                let fills = settling.map(|order| &mut order.fills);
                fills
                    .unwrap_or_else(|| self.foreign.entry(trade.order_id).or_default())
                    .was_booked(trade);
            }
        }
    }

    /// Returns whose order a trade belongs to and what was ordered, as far as that is kept; nothing of a stranger's.
    pub(crate) fn order_of(&self, trade: &OwnTrade) -> (Option<ClientId>, Option<&NewOrder>) {
        let own = self.owner_of(trade.order_id, trade.client_id);
        match own.filter(|id| !self.is_second(*id, trade.order_id)) {
            Some(id) => (
                Some(id),
                self.entries.get(&id).map(|entry| &entry.view.order),
            ),
            None => {
                let settling = self.settling.get(&trade.order_id);
                (settling.map(|order| order.client_id), None)
            }
        }
    }

    /// Whether an own order is known under another number than this.
    pub(super) fn is_second(&self, id: ClientId, order_id: OrderId) -> bool {
        let entry = self.entries.get(&id);
        entry.is_some_and(|entry| entry.has_other_number(order_id))
    }

    /// A process begins: what the one before it was sending has an unknown fate.
    pub(super) fn interrupt(&mut self, at: Timestamp) {
        let living: Vec<ClientId> = self.living.iter().copied().collect();
        for id in living {
            let mut moved = Moved::No;
            self.with(id, |entry| moved = entry.unknown(UnknownCause::Restart, at));
            if moved == Moved::Yes {
                self.note_unknown(id, at);
            }
        }
    }

    /// Counts an order that became unknown; each counts once, over restarts too.
    pub(super) fn note_unknown(&mut self, id: ClientId, since: Timestamp) {
        let day = &mut self.unknown_day;
        day.retain(|_, at| since.ms_since(*at) < DAY_MS);
        if day.len() < DAY_LOG_MAX {
            day.entry(id).or_insert(since);
        }
    }

    /// The ledger was opened with the balances of this moment; the first opening counts.
    pub(super) fn opened(&mut self, at: Timestamp) {
        self.opened_at = self.opened_at.or(Some(at));
    }

    /// Returns whether the last start ended in order, or there was none.
    pub const fn was_clean(&self) -> bool {
        !self.was_unclean
    }

    /// Returns whether an own order was ever written down.
    pub fn knows(&self, id: ClientId) -> bool {
        self.entries.contains_key(&id) || self.tombstones.holds(id)
    }

    /// Returns every own order that has not ended.
    pub fn living(&self) -> impl Iterator<Item = &OrderView> {
        self.living_entries().map(|entry| &entry.view)
    }

    pub(super) fn living_entries(&self) -> impl Iterator<Item = &Entry> {
        self.living.iter().filter_map(|id| self.entries.get(id))
    }

    /// Returns how many ended orders are kept one by one.
    pub fn ended_count(&self) -> usize {
        self.entries.len() - self.living.len()
    }

    /// Returns how many orders are remembered one by one, ended and folded ones included.
    pub(super) fn kept_count(&self) -> usize {
        self.entries.len() + self.settling.len()
    }

    /// Returns from when on trades are to be listed again; `None` before the books were opened.
    pub fn trades_from(&self) -> Option<Timestamp> {
        self.look.map(|look| look.trades_before).max(self.opened_at)
    }

    // ---- the tables ----

    pub(super) fn insert(&mut self, entry: Entry) {
        let id = entry.view.client_id();
        self.boots.insert(id.epoch(), id.boot());
        if self.boots.len() > BOOTS_MAX {
            self.boots.pop_first();
        }
        self.head = self.head.max((id.epoch(), id.seq()));
        self.entries.insert(id, entry);
        self.living.insert(id);
    }

    pub(super) fn with<T>(
        &mut self,
        id: ClientId,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> Option<T> {
        let changed = self.entries.get_mut(&id).map(change);
        self.index(id);
        changed
    }

    pub(super) fn index(&mut self, id: ClientId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if let Some(order_id) = entry.view.order_id {
            self.by_id.insert(order_id, id);
            if let Some(fills) = self.foreign.remove(&order_id) {
                entry.adopt(fills);
            }
        }
        if entry.is_living() {
            self.living.insert(id);
        } else {
            self.living.remove(&id);
        }
        if entry.pending_since.is_some() {
            self.pending.insert(id);
        } else {
            self.pending.remove(&id);
        }
    }

    /// Finds the own order by number or by client id; price and size never identify an order (D36).
    pub(super) fn owner_of(
        &self,
        order_id: OrderId,
        client_id: Option<ClientId>,
    ) -> Option<ClientId> {
        let by_id = self.by_id.get(&order_id).copied();
        by_id.or_else(|| client_id.filter(|id| self.entries.contains_key(id)))
    }
}
