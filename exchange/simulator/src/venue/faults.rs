//! Failures that were asked for: what a request or a connection draws.
//!
//! Rates are per opportunity (docs/EXCHANGE.md 13.5); a fault never changes what the market does.

use super::sessions::Cut;
use super::{FAULT_BEAT_MS, Venue};
use crate::profile::Profile;
use engine::dice::Dice;
use engine::time::Timestamp;

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
    /// Rolls once a second for each connection.
    pub(super) fn roll_connection_faults(&mut self, now: Timestamp) {
        let profile = self.exchange.profile();
        let (reset, silent) = (profile.ws_reset, profile.ws_silent);
        while self.next_fault_beat <= now {
            self.next_fault_beat = self.next_fault_beat.plus_ms(FAULT_BEAT_MS);
            for connection in self.sessions.each() {
                if reset.hits(&mut self.dice) {
                    connection.cut(Cut::Fault);
                }
                connection.is_silent |= silent.hits(&mut self.dice);
            }
        }
    }
}
