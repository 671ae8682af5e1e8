//! Failures that were asked for: what a request or a connection draws.
//!
//! Rates are per opportunity (docs/EXCHANGE.md 13.5); a fault never changes what the market does.

use super::sessions::Cut;
use super::{FAULT_BEAT_MS, Venue};
use crate::profile::Profile;
use engine::dice::Dice;
use engine::time::Timestamp;
use std::collections::BTreeMap;

/// How often each fault has struck, by the name of its switch; a fault that never struck is not listed.
pub type FaultCounts = BTreeMap<&'static str, u64>;

/// Seconds that a 429 of a fault asks for.
pub(super) const FAULT_RETRY_AFTER_S: i64 = 1;

/// What goes wrong before a request is processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    RequestLost,
    TooManyRequests,
    Maintenance,
    /// 502; behind it the request may still be processed.
    Html {
        is_processed: bool,
    },
    /// 500 without an order.
    InternalErrorRefused,
}

/// What goes wrong after an order was accepted, or after any other request was processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    ReplyLost,
    InternalError,
    Empty,
}

impl Before {
    /// Returns the switch behind it.
    pub(super) const fn switch(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::RequestLost => Some("fault.request_lost"),
            Self::TooManyRequests => Some("fault.rest_429"),
            Self::Maintenance => Some("fault.maintenance"),
            Self::Html { .. } => Some("fault.html_502"),
            Self::InternalErrorRefused => Some("fault.internal_error_refused"),
        }
    }

    /// Draws; `is_order` says whether the request enters an order, `is_act` whether it changes anything.
    pub(super) fn draw(profile: &Profile, dice: &mut Dice, is_order: bool, is_act: bool) -> Self {
        if profile.request_lost.hits(dice) {
            Self::RequestLost
        } else if profile.rest_429.hits(dice) {
            Self::TooManyRequests
        } else if profile.maintenance.hits(dice) {
            Self::Maintenance
        } else if profile.html_502.hits(dice) {
            let is_processed = is_act && dice.chance(500_000);
            Self::Html { is_processed }
        } else if is_order && profile.internal_error_refused.hits(dice) {
            Self::InternalErrorRefused
        } else {
            Self::Nothing
        }
    }
}

impl After {
    /// Returns the switch behind it.
    pub(super) const fn switch(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::ReplyLost => Some("fault.reply_lost"),
            Self::InternalError => Some("fault.internal_error_accepted"),
            Self::Empty => Some("fault.empty_200"),
        }
    }

    /// Draws; `is_accepted_order` says whether an order was taken.
    pub(super) fn draw(profile: &Profile, dice: &mut Dice, is_accepted_order: bool) -> Self {
        if profile.reply_lost.hits(dice) {
            Self::ReplyLost
        } else if is_accepted_order && profile.internal_error_accepted.hits(dice) {
            Self::InternalError
        } else if is_accepted_order && profile.empty_200.hits(dice) {
            Self::Empty
        } else {
            Self::Nothing
        }
    }
}

impl Venue {
    /// Returns how often each fault has struck a request or a connection.
    pub const fn faults(&self) -> &FaultCounts {
        &self.faults
    }

    /// Counts a fault that struck.
    pub(super) fn count_fault(&mut self, switch: Option<&'static str>) {
        if let Some(switch) = switch {
            *self.faults.entry(switch).or_insert(0) += 1;
        }
    }

    /// Rolls once a second for each connection.
    pub(super) fn roll_connection_faults(&mut self, now: Timestamp) {
        let profile = self.exchange.profile();
        let (reset, silent) = (profile.ws_reset, profile.ws_silent);
        while self.next_fault_beat <= now {
            self.next_fault_beat = self.next_fault_beat.plus_ms(FAULT_BEAT_MS);
            for connection in self.sessions.each() {
                if reset.hits(&mut self.dice) {
                    connection.cut(Cut::Fault);
                    *self.faults.entry("fault.ws_reset").or_insert(0) += 1;
                }
                if silent.hits(&mut self.dice) {
                    connection.is_silent = true;
                    *self.faults.entry("fault.ws_silent").or_insert(0) += 1;
                }
            }
        }
    }
}
