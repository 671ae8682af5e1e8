//! What operators do to a running process: safe mode on, a request for off, reload, stop.
//!
//! Lowering risk acts first and is recorded after; raising it needs every precondition, and a refusal names them all.
//! USR1 has already shut the gate on the signal thread before anything here runs.

use crate::clock::Clock;
use crate::gate::{Flag, GateOwner, Serial};
use crate::journal::Journal;
use crate::link::Sent;
use crate::observer::SharedStatus;
use crate::system::Links;
use engine::intent::CancelReason;
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::{RiskIn, RouterIn};
use engine::record::Record;
use engine::time::Timestamp;
use std::sync::Arc;

/// A request for off that comes this soon after an on is refused, milliseconds: the two may have crossed.
const SETTLE_MS: i64 = 2_000;
/// The account must have been looked at cleanly within this time, milliseconds.
const RECONCILED_MS: i64 = 30_000;
/// Largest clock offset with which risk may be raised, milliseconds.
const OFFSET_MS_MAX: i64 = 1_000;

/// The operator's hand on one system.
pub struct Operator {
    /// Stable addresses.
    pub links: Links,
    /// The egress gate.
    pub owner: Arc<GateOwner>,
    /// Durable records.
    pub journal: Journal,
    /// The shared picture.
    pub status: SharedStatus,
    /// Time.
    pub clock: Clock,
    /// The configuration itself asks for safe mode: only a restart ends it.
    pub configured_safe: bool,
    /// The live venue is configured, but the process is not armed.
    pub unarmed_live: bool,
    /// When safe mode was last switched on.
    pub last_on: Option<Timestamp>,
}

impl Operator {
    /// Switches safe mode on: no new order, own orders cancelled. Never refused.
    pub fn safe_mode_on(&mut self) {
        let now = self.clock.now();
        self.owner.gate().raise(Flag::Safe);
        self.last_on = Some(now);
        self.tell_risk(RiskIn::Raise(
            ModeCode::OperatorSafeMode,
            Scope::Global,
            Mode::ObserveOnly,
        ));
        if self
            .links
            .router
            .send(RouterIn::CancelAll(CancelReason::SafeMode))
            != Sent::Delivered
        {
            tracing::error!(event = "safe_mode_cannot_cancel");
        }
        if self
            .journal
            .append(now, Record::SafeMode { on: true, at: now })
            .is_err()
        {
            tracing::error!(event = "safe_mode_not_recorded");
        }
        tracing::warn!(
            event = "safe_mode_on",
            msg = "no new orders; own orders are being cancelled"
        );
    }

    /// Asks for safe mode to end. Never arms; clears only what an operator asked for.
    ///
    /// # Errors
    /// Every precondition that fails.
    pub fn request_off(&mut self) -> Result<(), Vec<&'static str>> {
        let asked_at: Serial = self.owner.gate().serial();
        let now = self.clock.now();
        let refusals = self.refusals(now);
        if !refusals.is_empty() {
            tracing::warn!(
                event = "safe_mode_off_refused",
                reasons = refusals.join(",")
            );
            return Err(refusals);
        }
        // Raising risk is written down before it acts.
        if self
            .journal
            .append(now, Record::SafeMode { on: false, at: now })
            .is_err()
        {
            return Err(vec!["journal_unhealthy"]);
        }
        if self.owner.lower(Flag::Safe, asked_at).is_err() {
            return Err(vec!["something_was_raised_meanwhile"]);
        }
        self.tell_risk(RiskIn::Clear(ModeCode::OperatorSafeMode, Scope::Global));
        tracing::warn!(
            event = "safe_mode_off",
            msg = "the operator's safe mode has ended"
        );
        Ok(())
    }

    fn refusals(&self, now: Timestamp) -> Vec<&'static str> {
        let status = self
            .status
            .read()
            .expect("no holder of the status can panic");
        let offset_ms = self.clock.offset().map(|offset| offset.ms);
        let checks = [
            (self.owner.gate().is_raised(Flag::Kill), "kill_latched"),
            (self.configured_safe, "configured_safe_mode"),
            (self.unarmed_live, "not_armed"),
            (status.unknown_orders() > 0, "unknown_orders"),
            (
                status
                    .last_clean
                    .is_none_or(|at| now.ms_since(at) > RECONCILED_MS),
                "not_reconciled",
            ),
            (offset_ms.is_none_or(|ms| ms.abs() > OFFSET_MS_MAX), "clock"),
            (self.journal.has_failed(), "journal_unhealthy"),
            (
                self.last_on.is_some_and(|at| now.ms_since(at) < SETTLE_MS),
                "just_switched_on",
            ),
        ];
        checks
            .into_iter()
            .filter(|(fails, _)| *fails)
            .map(|(_, code)| code)
            .collect()
    }

    fn tell_risk(&self, message: RiskIn) {
        if self.links.risk.send(message) != Sent::Delivered {
            self.owner.gate().raise(Flag::Kill);
            tracing::error!(event = "operator_cannot_reach_gate");
        }
    }
}
