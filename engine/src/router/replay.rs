//! From the journal back to what was known: the same folding as live, without effects.
//!
//! Whatever was being sent when the process ended has an unknown fate; nothing is ever sent again.

use super::OrderRouter;
use super::absence::AbsenceProof;
use super::entry::{Cancelling, Entry, Moved};
use crate::answer::{OwnTrade, SubmitOutcome, UnknownCause};
use crate::core::Outbox;
use crate::ids::ClientId;
use crate::mode::{Mode, ModeCode, Scope};
use crate::msg::RouterEffect;
use crate::order::OrderState;
use crate::record::Record;
use crate::time::Timestamp;

impl OrderRouter {
    /// Takes in a durable record at start; the same folding as live, without effects.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::Sending { order, stamp_max } => {
                let at = order.intent.at;
                self.insert(Entry::new(*order, *stamp_max, at));
                self.with(order.client_id, |entry| {
                    entry.become_state(OrderState::Sending, at);
                });
            }
            Record::Outcome {
                client_id,
                outcome,
                at,
            } => {
                self.with(*client_id, |entry| {
                    entry.on_outcome(*outcome, *at);
                });
                if matches!(outcome, SubmitOutcome::Unknown(_)) {
                    self.note_unknown(*client_id, *at);
                }
            }
            Record::Adopted {
                client_id,
                order_id,
                at,
            } => {
                self.with(*client_id, |entry| {
                    entry.exists(*order_id, *at);
                });
            }
            Record::CancelAsked { client_id, .. } => {
                self.with(*client_id, |entry| {
                    entry.view.cancel_asked = entry.is_living()
                });
            }
            Record::Fill(trade) => self.replay_fill(trade),
            Record::Ended {
                client_id,
                state,
                at,
            } => {
                self.with(*client_id, |entry| {
                    entry.become_state(*state, *at);
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
            Record::Decided(_)
            | Record::Restored { .. }
            | Record::DayStart { .. }
            | Record::Transfer { .. }
            | Record::Adjustment { .. }
            | Record::SafeMode { .. }
            | Record::Audit { .. } => {}
        }
    }

    pub(super) fn replay_fill(&mut self, trade: &OwnTrade) {
        let own = self.owner_of(trade.order_id, trade.client_id);
        match own.filter(|id| !self.is_second(*id, trade.order_id)) {
            Some(id) => self.with(id, |entry| entry.was_traded(trade, trade.at)),
            None => self
                .foreign
                .entry(trade.order_id)
                .or_default()
                .was_booked(trade),
        }
    }

    /// Ends the replay: whatever was being sent when the process ended has an unknown fate.
    pub fn recovered(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        self.interrupt(now);
        let living: Vec<ClientId> = self.living.iter().copied().collect();
        for id in living {
            self.with(id, |entry| {
                entry.touched_at = now;
                if let Some(cancelling) = entry.view.cancel_asked.then_some(Cancelling {
                    retry_at: Some(now),
                }) {
                    entry.cancelling = Some(cancelling);
                }
            });
            self.tell(id, out);
        }
        if self.was_unclean {
            self.hold_new_risk(now, out);
        }
        self.freeze(now, out);
        self.look_up(now, out);
    }

    /// A process begins: what the one before it was sending has an unknown fate.
    fn interrupt(&mut self, at: Timestamp) {
        let living: Vec<ClientId> = self.living.iter().copied().collect();
        for id in living {
            let mut moved = Moved::No;
            self.with(id, |entry| moved = entry.unknown(UnknownCause::Restart, at));
            if moved == Moved::Yes {
                self.note_unknown(id, at);
            }
        }
    }

    /// Whatever an unclean predecessor sent, or a second engine of a restored copy sends, shows itself within the
    /// horizon; until then nothing is added to it.
    fn hold_new_risk(&mut self, now: Timestamp, out: &mut Outbox<RouterEffect>) {
        self.held_until = Some(AbsenceProof::opens_at(now, self.settings.unknown_settle_ms));
        let (code, scope) = (ModeCode::UncleanStop, Scope::Global);
        out.push(RouterEffect::Raise(code, scope, Mode::ReduceRiskOnly));
    }
}
