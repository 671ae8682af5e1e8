//! How the router reads a look at the whole account: matches, adopts, misses and proves.
//!
//! Lists may lag. An order that was touched shortly before the look is not judged by it, and a list that fails to
//! show an order which must be there comes from a late replica and proves nothing.

use super::absence::{AbsenceProof, HISTORY_MARGIN_MS};
use super::entry::Entry;
use super::{OrderRouter, UNKNOWN_LOOK_MS};
use crate::answer::OrderRow;
use crate::core::Outbox;
use crate::ids::{ClientId, OrderId, Symbol};
use crate::mode::{Mode, ModeCode, Scope};
use crate::msg::{RouterEffect, RouterNote, Snapshot};
use crate::record::Record;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// An order touched this shortly before a look is not judged by it, milliseconds.
const LIST_LAG_MS: i64 = 5_000;
/// An order accepted this long before a look must be in it, milliseconds.
const MUST_SHOW_MS: i64 = 10_000;

impl OrderRouter {
    pub(super) fn snapshot(
        &mut self,
        now: Timestamp,
        snapshot: &Snapshot,
        out: &mut Outbox<RouterEffect>,
    ) {
        let rows = || {
            snapshot
                .open
                .iter()
                .chain(snapshot.histories.iter().flat_map(|(_, _, rows)| rows))
        };
        for row in rows() {
            self.listed(now, row, out);
        }
        for trade in &snapshot.trades {
            self.trade(now, trade.clone(), out);
        }
        let shown: BTreeSet<OrderId> = rows().map(|row| row.id).collect();
        self.vanished(snapshot, &shown);
        self.judge_unknown(now, snapshot, &shown, out);
        self.freeze(now, out);
    }

    fn listed(&mut self, now: Timestamp, row: &OrderRow, out: &mut Outbox<RouterEffect>) {
        if let Some(id) = self.owner_of(row.id, row.client_id) {
            self.row(now, id, row, out);
            return;
        }
        let is_ours = row.client_id.filter(|id| id.tag() == self.settings.tag);
        match is_ours {
            // Our tag, but not in the journal: lost or rolled-back state, or a second engine.
            Some(id) => {
                out.push(RouterEffect::Note(RouterNote::Adopted(id)));
                out.push(RouterEffect::Raise(
                    ModeCode::GhostOrder,
                    Scope::Global,
                    Mode::KillSwitch,
                ));
            }
            None => out.push(RouterEffect::Note(RouterNote::Foreign(row.id))),
        }
    }

    /// An own open order that is in no list is looked up, never assumed (D38).
    fn vanished(&mut self, snapshot: &Snapshot, shown: &BTreeSet<OrderId>) {
        for entry in self.entries.values_mut().filter(|entry| entry.is_living()) {
            let is_missing = entry.view.order_id.is_some_and(|id| !shown.contains(&id));
            if is_missing && snapshot.asked_at.ms_since(entry.touched_at) >= LIST_LAG_MS {
                entry.look_at = entry.look_at.or(Some(snapshot.asked_at));
            }
        }
    }

    fn judge_unknown(
        &mut self,
        now: Timestamp,
        snapshot: &Snapshot,
        shown: &BTreeSet<OrderId>,
        out: &mut Outbox<RouterEffect>,
    ) {
        let is_consistent = self.is_consistent(snapshot, shown);
        let histories: BTreeMap<Symbol, Timestamp> = snapshot
            .histories
            .iter()
            .map(|(symbol, since, _)| (*symbol, *since))
            .collect();
        let asked_at = snapshot.asked_at.plus_ms(self.offset_ms);
        let settle_ms = self.settings.unknown_settle_ms;
        let unknown: Vec<ClientId> = (self.living.iter().copied())
            .filter(|id| self.entries.get(id).is_some_and(Entry::is_unknown))
            .collect();
        for id in unknown {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let opens_at = AbsenceProof::opens_at(entry.stamp_max, settle_ms);
            let reaches_back = (histories.get(&entry.symbol()))
                .is_some_and(|since| *since <= history_since(entry, self.offset_ms));
            if !is_consistent {
                entry.proof.restart();
            } else if reaches_back && entry.proof.look(asked_at, opens_at) {
                let moved = entry.absent(now);
                let state = entry.view.state;
                out.push(RouterEffect::Persist(
                    Record::Ended {
                        client_id: id,
                        state,
                        at: now,
                    },
                    None,
                ));
                out.push(RouterEffect::Note(RouterNote::Resolved(id)));
                self.after(id, moved, now, out);
            }
        }
    }

    /// Whether every own order that must be visible is visible.
    fn is_consistent(&self, snapshot: &Snapshot, shown: &BTreeSet<OrderId>) -> bool {
        self.living
            .iter()
            .filter_map(|id| self.entries.get(id))
            .all(|entry| {
                let must_show = entry
                    .accepted_at
                    .is_some_and(|at| snapshot.asked_at.ms_since(at) >= MUST_SHOW_MS)
                    && snapshot.asked_at.ms_since(entry.touched_at) >= MUST_SHOW_MS;
                !must_show || entry.view.order_id.is_some_and(|id| shown.contains(&id))
            })
    }

    /// Asks for the account, with the histories that unknown orders need.
    pub(super) fn look_up(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        let mut wanted: BTreeMap<Symbol, Timestamp> = BTreeMap::new();
        let mut has_unknown = false;
        for entry in self.living.iter().filter_map(|id| self.entries.get(id)) {
            has_unknown |= entry.is_unknown();
            if entry.is_unknown() || entry.fills_pending {
                let since = history_since(entry, self.offset_ms);
                wanted
                    .entry(entry.symbol())
                    .and_modify(|at| *at = (*at).min(since))
                    .or_insert(since);
            }
        }
        self.look_up_at = has_unknown.then(|| now.plus_ms(UNKNOWN_LOOK_MS));
        out.push(RouterEffect::LookUp(wanted.into_iter().collect()));
    }
}

/// Where an order's history must begin, on our clock.
fn history_since(entry: &Entry, offset_ms: i64) -> Timestamp {
    entry.stamp_max.plus_ms(-HISTORY_MARGIN_MS - offset_ms)
}
