//! Orders that must not exist: an id of ours that the journal does not know, and a second number under one id.
//!
//! Either is a kill. They are cancelled by their number each time they are seen open, and their trades move the books
//! like a stranger's: the table of own orders holds only what was written down.

use super::{OrderRouter, kill};
use crate::core::Outbox;
use crate::ids::{ClientId, OrderId};
use crate::mode::ModeCode;
use crate::msg::{RouterEffect, RouterNote};

/// Strays that are told of once; beyond it each sight is told of.
const STRAYS_MAX: usize = 1_000;

impl OrderRouter {
    /// Whether an id carries our tag and no record of ours.
    pub(super) fn is_stray(&self, id: ClientId) -> bool {
        let is_known = self.memory.entries.contains_key(&id) || self.memory.tombstones.holds(id);
        id.tag() == self.settings.tag && !is_known
    }

    /// An id of ours that is not in the journal. Up to the journal's head it is a ghost; beyond the head, or from a
    /// start that the journal does not know, state was lost or rolled back, or a second engine runs.
    pub(super) fn stray(
        &mut self,
        id: ClientId,
        order_id: OrderId,
        is_open: bool,
        out: &mut Outbox<RouterEffect>,
    ) {
        let is_known_start = self.memory.boots.get(&id.epoch()) == Some(&id.boot());
        let is_behind_head = (id.epoch(), id.seq()) <= self.memory.head;
        let code = if is_known_start && is_behind_head {
            ModeCode::GhostOrder
        } else {
            ModeCode::RecoveryRequired
        };
        self.must_not_be(id, order_id, is_open, (code, RouterNote::Adopted(id)), out);
    }

    /// Another number under an id that has one: the id made two orders.
    pub(super) fn second(
        &mut self,
        id: ClientId,
        order_id: OrderId,
        is_open: bool,
        out: &mut Outbox<RouterEffect>,
    ) {
        let why = (ModeCode::GhostOrder, RouterNote::Ghost(id));
        self.must_not_be(id, order_id, is_open, why, out);
    }

    fn must_not_be(
        &mut self,
        id: ClientId,
        order_id: OrderId,
        is_open: bool,
        (code, note): (ModeCode, RouterNote),
        out: &mut Outbox<RouterEffect>,
    ) {
        if !self.strays.contains(&order_id) {
            if self.strays.len() < STRAYS_MAX {
                self.strays.insert(order_id);
            }
            out.push(RouterEffect::Note(note));
            kill(code, out);
        }
        if is_open {
            out.push(RouterEffect::Delete(id, order_id));
        }
    }
}
