//! An operator settles what the lists cannot prove: refused before the horizon or against evidence, written down
//! before it takes effect.
//!
//! Nothing here widens what the proof of absence may conclude: a person answers for it, by name of the order.

use super::OrderRouter;
use super::absence::AbsenceProof;
use super::entry::{Entry, Moved};
use super::memory::Memory;
use crate::core::Outbox;
use crate::ids::ClientId;
use crate::msg::{RouterEffect, RouterNote};
use crate::order::{OrderState, Resolution};
use crate::record::Record;
use crate::time::Timestamp;

/// Why an operator's resolution was refused. Nothing was changed or written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveRefusal {
    /// No own order has this id.
    #[error("no order of ours has this id")]
    NoSuchOrder,
    /// Its fate is known: the evidence stands.
    #[error("its fate is known: the order is {}", .0.as_str())]
    NotUnknown(OrderState),
    /// Its request may still be accepted.
    #[error("its request may still be accepted; wait another {0} ms")]
    TooEarly(i64),
    /// No complete look at the account behind the horizon has missed it.
    #[error("no complete look at the account behind its horizon has been without it yet")]
    NotLookedFor,
    /// The number belongs to another own order.
    #[error("that number belongs to order {0}")]
    NumberTaken(ClientId),
    /// An earlier resolution of it is being written down.
    #[error("an earlier resolution of it is being written down")]
    Busy,
}

impl OrderRouter {
    pub(super) fn resolve(
        &mut self,
        now: Timestamp,
        id: ClientId,
        resolution: Resolution,
        reason: String,
        out: &mut Outbox<RouterEffect>,
    ) {
        if let Err(refusal) = self.may_resolve(now, id, resolution) {
            out.push(RouterEffect::Note(RouterNote::ResolveRefused(id, refusal)));
            return;
        }
        self.resolving.insert(id, resolution);
        let record = Record::Resolved {
            client_id: id,
            resolution,
            reason,
            at: now,
        };
        out.push(RouterEffect::Persist(record, Some(id)));
    }

    fn may_resolve(
        &self,
        now: Timestamp,
        id: ClientId,
        resolution: Resolution,
    ) -> Result<(), ResolveRefusal> {
        let entry = self
            .memory
            .entries
            .get(&id)
            .ok_or(ResolveRefusal::NoSuchOrder)?;
        if !entry.is_unknown() {
            return Err(ResolveRefusal::NotUnknown(entry.view.state));
        }
        if self.resolving.contains_key(&id) {
            return Err(ResolveRefusal::Busy);
        }
        let opens_at = AbsenceProof::opens_at(entry.stamp_max, self.settings.unknown_settle_ms);
        let early_ms = opens_at.ms_since(now.plus_ms(self.offset_ms));
        if early_ms > 0 {
            return Err(ResolveRefusal::TooEarly(early_ms));
        }
        match resolution {
            Resolution::Absent if !entry.is_looked_for => Err(ResolveRefusal::NotLookedFor),
            Resolution::Accepted(number) => match self.memory.by_id.get(&number) {
                Some(other) => Err(ResolveRefusal::NumberTaken(*other)),
                None => Ok(()),
            },
            Resolution::Absent | Resolution::Stuck => Ok(()),
        }
    }

    /// The record of a resolution is on disk. Evidence that came meanwhile stands, and the resolution does nothing.
    pub(super) fn resolved(
        &mut self,
        now: Timestamp,
        id: ClientId,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(resolution) = self.resolving.remove(&id) else {
            return;
        };
        let Some(entry) = self.memory.entries.get_mut(&id).filter(|e| e.is_unknown()) else {
            return;
        };
        let moved = apply(entry, resolution, now);
        out.push(RouterEffect::Note(RouterNote::Resolved(id)));
        self.after(id, moved, now, out);
        self.freeze(now, out);
    }
}

impl Memory {
    /// The same from the journal.
    pub(super) fn replay_resolved(&mut self, id: ClientId, resolution: Resolution, at: Timestamp) {
        self.with(id, |entry| {
            if entry.is_living() && entry.view.order_id.is_none() {
                apply(entry, resolution, at);
            }
        });
    }
}

fn apply(entry: &mut Entry, resolution: Resolution, now: Timestamp) -> Moved {
    match resolution {
        Resolution::Absent => entry.absent(now),
        Resolution::Accepted(number) => {
            let moved = entry.exists(number, now);
            // A person gave the number: its row must bear it out.
            entry.look_at = Some(now);
            moved
        }
        Resolution::Stuck => {
            entry.is_stuck = true;
            Moved::No
        }
    }
}
