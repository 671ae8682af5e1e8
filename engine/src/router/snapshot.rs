//! How the router reads a look at the whole account: matches, adopts, misses and proves.
//!
//! Lists may lag. An order that was touched shortly before the look is not judged by it, and a list that fails to
//! show an order which must be there comes from a late replica and proves nothing.

use super::OrderRouter;
use super::absence::WITNESS_BACK_MS_MAX;
use super::absence::{AbsenceProof, HISTORY_MARGIN_MS, STAMP_HORIZON_MS, Unproven};
use super::entry::{Doubted, Entry};
use crate::answer::{OrderRow, RowStatus};
use crate::core::Outbox;
use crate::ids::{ClientId, OrderId, Symbol};
use crate::msg::{RouterEffect, RouterNote, Snapshot};
use crate::order::OrderState;
use crate::record::Record;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// An order touched this shortly before a look is not judged by it, milliseconds.
const LIST_LAG_MS: i64 = 5_000;
/// An order accepted this long before a look must be in it, milliseconds.
const MUST_SHOW_MS: i64 = 10_000;

/// What one look is worth as a proof.
struct Look<'a> {
    snapshot: &'a Snapshot,
    /// Every own order that must be visible is visible.
    is_consistent: bool,
    /// Some own order is shown with its client id.
    has_witness: bool,
    /// From when on each pair's history was read, on our clock.
    histories: BTreeMap<Symbol, Timestamp>,
}

impl OrderRouter {
    pub(super) fn snapshot(
        &mut self,
        now: Timestamp,
        snapshot: &Snapshot,
        out: &mut Outbox<RouterEffect>,
    ) {
        for row in rows(snapshot) {
            self.listed(now, row, out);
        }
        for trade in &snapshot.trades {
            self.trade(now, trade.clone(), out);
        }
        self.strangers(&snapshot.open, out);
        let shown: BTreeSet<OrderId> = rows(snapshot).map(|row| row.id).collect();
        self.vanished(snapshot, &shown);
        self.unknowns.looked_at = Some(now);
        let look = Look {
            snapshot,
            is_consistent: self.is_consistent(snapshot, &shown),
            has_witness: rows(snapshot).any(|row| self.is_witness(row)),
            histories: (snapshot.histories.iter())
                .map(|(symbol, since, _)| (*symbol, *since))
                .collect(),
        };
        let living: Vec<ClientId> = self.memory.living.iter().copied().collect();
        for id in living {
            self.judge_unknown(now, id, &look, out);
            self.judge_doubted(now, id, &look, out);
        }
        self.freeze(now, out);
        self.judge_pending(now, out);
        self.looked(snapshot, out);
    }

    fn listed(&mut self, now: Timestamp, row: &OrderRow, out: &mut Outbox<RouterEffect>) {
        if let Some(id) = self.memory.owner_of(row.id, row.client_id) {
            self.row(now, id, row, out);
            return;
        }
        let is_open = matches!(row.status, RowStatus::Untouched | RowStatus::Partial);
        if let Some(id) = self.folded(row.client_id) {
            return self.folded_news(id, row.id, is_open, out);
        }
        if let Some(id) = row.client_id.filter(|id| self.is_stray(*id)) {
            self.stray(id, row.id, is_open, out);
        }
    }

    /// An own open order that is in no list is looked up, never assumed (D38).
    fn vanished(&mut self, snapshot: &Snapshot, shown: &BTreeSet<OrderId>) {
        for entry in self
            .memory
            .entries
            .values_mut()
            .filter(|entry| entry.is_living())
        {
            let is_missing = entry.view.order_id.is_some_and(|id| !shown.contains(&id));
            if is_missing && snapshot.asked_at.ms_since(entry.touched_at) >= LIST_LAG_MS {
                entry.look_at = entry.look_at.or(Some(snapshot.asked_at));
            }
        }
    }

    fn judge_unknown(
        &mut self,
        now: Timestamp,
        id: ClientId,
        look: &Look<'_>,
        out: &mut Outbox<RouterEffect>,
    ) {
        let offset_ms = self.offset_ms;
        let asked_at = look.snapshot.asked_at.plus_ms(offset_ms);
        let settle_ms = self.settings.unknown_settle_ms;
        let Some(entry) = self
            .memory
            .entries
            .get_mut(&id)
            .filter(|entry| entry.is_unknown())
        else {
            return;
        };
        let opens_at = AbsenceProof::opens_at(entry.stamp_max, settle_ms);
        let unproven = look.shortcoming(entry, offset_ms);
        if unproven == Some(Unproven::Inconsistent) {
            entry.proof.restart();
        }
        if asked_at < opens_at {
            return;
        }
        entry.is_looked_for |= match unproven {
            Some(Unproven::Inconsistent | Unproven::ShortHistory) => false,
            Some(Unproven::NoWitness | Unproven::Lookalike(_)) | None => true,
        };
        if let Some(why) = unproven.filter(|_| entry.unproven != unproven) {
            out.push(RouterEffect::Note(RouterNote::Unproven(id, why)));
        }
        entry.unproven = unproven;
        if unproven.is_none() && entry.proof.look(asked_at, opens_at) {
            let moved = entry.absent(now);
            self.ended(now, id, OrderState::Absent, out);
            out.push(RouterEffect::Note(RouterNote::Resolved(id)));
            self.after(id, moved, now, out);
        }
    }

    /// A refusal for lack of funds is believed once a later look does not show the order.
    fn judge_doubted(
        &mut self,
        now: Timestamp,
        id: ClientId,
        look: &Look<'_>,
        out: &mut Outbox<RouterEffect>,
    ) {
        let Some(entry) = self.memory.entries.get_mut(&id) else {
            return;
        };
        let Some(Doubted { why, at }) = entry.doubted else {
            return;
        };
        let reaches_back = look.reaches_back(entry, self.offset_ms);
        if look.is_consistent && reaches_back && look.snapshot.asked_at >= at {
            let state = OrderState::Rejected(why);
            let moved = entry.never_existed(state, now);
            self.ended(now, id, state, out);
            self.after(id, moved, now, out);
        }
    }

    fn ended(
        &self,
        now: Timestamp,
        id: ClientId,
        state: OrderState,
        out: &mut Outbox<RouterEffect>,
    ) {
        let record = Record::Ended {
            client_id: id,
            state,
            at: now,
        };
        out.push(RouterEffect::Persist(record, None));
    }

    /// Whether every own order that must be visible is visible.
    fn is_consistent(&self, snapshot: &Snapshot, shown: &BTreeSet<OrderId>) -> bool {
        self.memory
            .living
            .iter()
            .filter_map(|id| self.memory.entries.get(id))
            .all(|entry| {
                let must_show = entry
                    .accepted_at
                    .is_some_and(|at| snapshot.asked_at.ms_since(at) >= MUST_SHOW_MS)
                    && snapshot.asked_at.ms_since(entry.touched_at) >= MUST_SHOW_MS;
                !must_show || entry.view.order_id.is_some_and(|id| shown.contains(&id))
            })
    }

    /// An own order that is known by its number, shown with its client id: the list carries ids of ours.
    fn is_witness(&self, row: &OrderRow) -> bool {
        let own = row.client_id.and_then(|id| self.memory.entries.get(&id));
        own.is_some_and(|entry| entry.view.order_id == Some(row.id))
    }

    /// Asks for the account, with the histories that unknown orders and pending fills need.
    pub(super) fn look_up(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        let mut wanted: BTreeMap<Symbol, Timestamp> = BTreeMap::new();
        let living = self
            .memory
            .living
            .iter()
            .filter_map(|id| self.memory.entries.get(id));
        let pending = self
            .memory
            .pending
            .iter()
            .filter_map(|id| self.memory.entries.get(id));
        let open = living.filter(|entry| entry.is_unknown() || entry.doubted.is_some());
        for entry in open.chain(pending) {
            want(
                &mut wanted,
                entry.symbol(),
                history_since(entry, self.offset_ms),
            );
        }
        self.look_up_at = self.next_look(now);
        if self.look_up_at.is_some()
            && let Some((symbol, since)) = self.witness(now)
        {
            want(&mut wanted, symbol, since);
        }
        out.push(RouterEffect::LookUp(wanted.into_iter().collect()));
    }

    /// The history that holds the latest own order which the lists must show by now.
    fn witness(&self, now: Timestamp) -> Option<(Symbol, Timestamp)> {
        let is_settled = |entry: &&Entry| {
            let accepted = entry.accepted_at.filter(|_| entry.view.order_id.is_some());
            accepted.is_some_and(|at| now.ms_since(at) >= MUST_SHOW_MS)
        };
        let witness = self.memory.entries.values().rev().find(is_settled)?;
        let since = history_since(witness, self.offset_ms);
        let is_near = now.ms_since(since) <= WITNESS_BACK_MS_MAX;
        is_near.then(|| (witness.symbol(), since))
    }
}

impl Look<'_> {
    fn reaches_back(&self, entry: &Entry, offset_ms: i64) -> bool {
        let since = self.histories.get(&entry.symbol());
        since.is_some_and(|since| *since <= history_since(entry, offset_ms))
    }

    /// Why this look, which did not show an order, proves nothing about it.
    fn shortcoming(&self, entry: &Entry, offset_ms: i64) -> Option<Unproven> {
        if !self.is_consistent {
            return Some(Unproven::Inconsistent);
        }
        if !self.reaches_back(entry, offset_ms) {
            return Some(Unproven::ShortHistory);
        }
        if let Some(row) = rows(self.snapshot).find(|row| is_lookalike(entry, row, offset_ms)) {
            return Some(Unproven::Lookalike(row.id));
        }
        (!self.has_witness).then_some(Unproven::NoWitness)
    }
}

fn rows(snapshot: &Snapshot) -> impl Iterator<Item = &OrderRow> {
    let histories = snapshot.histories.iter().flat_map(|(_, _, rows)| rows);
    snapshot.open.iter().chain(histories)
}

/// A stranger's order that might be ours without its client id. What last changed before ours could be accepted is not.
fn is_lookalike(entry: &Entry, row: &OrderRow, offset_ms: i64) -> bool {
    let intent = &entry.view.order.intent;
    let earliest = intent.at.plus_ms(offset_ms - STAMP_HORIZON_MS);
    row.client_id.is_none()
        && entry.fits(row)
        && (row.price, row.qty) == (intent.limit, intent.qty)
        && row.at >= earliest
}

fn want(wanted: &mut BTreeMap<Symbol, Timestamp>, symbol: Symbol, since: Timestamp) {
    let at = wanted.entry(symbol).or_insert(since);
    *at = since.min(*at);
}

/// Where an order's history must begin, on our clock.
fn history_since(entry: &Entry, offset_ms: i64) -> Timestamp {
    entry.stamp_max.plus_ms(-HISTORY_MARGIN_MS - offset_ms)
}
