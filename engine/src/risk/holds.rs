//! The operator's holds at the gate: raised at once, ended by their time or by a wish.
//!
//! Freezing a pair takes its resting orders back as well. The gate asks for that itself: it knows every order that it
//! has let out, also those that the router has not heard of yet.

use super::RiskGate;
use crate::core::Outbox;
use crate::hold::Hold;
use crate::ids::{ClientId, Symbol};
use crate::intent::CancelReason;
use crate::msg::RiskEffect;
use crate::order::OrderView;
use crate::time::Timestamp;

impl RiskGate {
    pub(super) fn hold_back(&mut self, now: Timestamp, hold: Hold, out: &mut Outbox<RiskEffect>) {
        if let Some(symbol) = hold.symbol {
            let own: Vec<ClientId> = self.orders.of(symbol).map(OrderView::client_id).collect();
            for id in own {
                out.push(RiskEffect::Cancel(id, CancelReason::Operator));
            }
        }
        self.take_hold(now, hold);
    }

    /// Lets one speak in the mode; its words and its end may be news although the mode is not.
    pub(super) fn take_hold(&mut self, since: Timestamp, hold: Hold) {
        self.raise(since, hold.code(), hold.scope(), hold.mode);
        self.holds.put(hold);
        self.is_mode_due = true;
    }

    pub(super) fn let_go(&mut self, symbol: Option<Symbol>) {
        if let Some(hold) = self.holds.take(symbol) {
            self.clear(hold.code(), hold.scope());
        }
    }

    /// Ends every hold whose time has passed.
    pub(super) fn end_holds(&mut self, now: Timestamp) {
        while let Some(hold) = self.holds.take_over(now) {
            self.clear(hold.code(), hold.scope());
        }
    }
}
