//! What operators do to a running process, by signal or by command: safe mode on, a request for off, cancel all.
//!
//! Lowering risk acts first and is recorded after; raising it needs every precondition, and a refusal names them all.
//! USR1 has already shut the gate on the signal thread before anything here runs.

pub mod hold;
pub mod kill;

use crate::clock::Clock;
use crate::gate::{Flag, GateOwner, Serial};
use crate::journal::{AppendError, Journal};
use crate::latch::Latch;
use crate::link::Sent;
use crate::observer::{Eyes, SharedStatus};
use crate::order_router::OwnOrders;
use crate::system::Links;
use engine::hold::Holds;
use engine::ids::Symbol;
use engine::intent::CancelReason;
use engine::kill::Resets;
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::{RiskIn, RouterIn};
use engine::record::Record;
use engine::time::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A request for off that comes this soon after an on is refused, milliseconds: the two may have crossed.
const SETTLE_MS: i64 = 2_000;
/// The account must have been looked at cleanly within this time, milliseconds.
const RECONCILED_MS: i64 = 30_000;
/// Largest clock offset with which risk may be raised, milliseconds.
const OFFSET_MS_MAX: i64 = 1_000;

/// The operator's hand on one system. Signals and commands share it, from two threads.
pub struct Operator {
    /// Stable addresses.
    pub links: Links,
    /// The egress gate.
    pub owner: Arc<GateOwner>,
    /// The kill latch.
    pub latch: Latch,
    /// Durable records.
    pub journal: Journal,
    /// The shared picture.
    pub status: SharedStatus,
    /// Reports to it.
    pub eyes: Eyes,
    /// Own orders as the router knows them.
    pub own_orders: OwnOrders,
    /// Time.
    pub clock: Clock,
    /// The configuration itself asks for safe mode: only a restart ends it.
    pub configured_safe: AtomicBool,
    /// The live venue is configured, but the process is not armed.
    pub unarmed_live: bool,
    /// When safe mode was last switched on. Held while a switch is recorded and told, so that the last record and the
    /// last message are those of the last switch.
    pub last_on: Mutex<Option<Timestamp>>,
    /// The latest resets of the kill switch.
    pub resets: Mutex<Resets>,
    /// The configured pairs.
    pub pairs: Vec<Symbol>,
    /// What is held back. Held while a hold is recorded and told, as `last_on` is.
    pub holds: Mutex<Holds>,
}

impl Operator {
    /// Switches safe mode on: no new order, own orders cancelled. Never refused; the gate is shut before anything
    /// else. Returns the number of its record.
    ///
    /// # Errors
    /// The journal takes no records: safe mode is on, and a restart forgets it.
    pub fn safe_mode_on(&self) -> Result<u64, AppendError> {
        self.owner.gate().raise(Flag::Safe);
        self.latch.mark_safe();
        let mut last_on = self.last_on();
        let now = self.clock.now();
        *last_on = Some(now);
        self.tell_risk(RiskIn::Raise(
            ModeCode::OperatorSafeMode,
            Scope::Global,
            Mode::ObserveOnly,
        ));
        self.cancel_all(CancelReason::SafeMode);
        let recorded = self
            .journal
            .append(now, Record::SafeMode { on: true, at: now });
        if recorded.is_err() {
            tracing::error!(event = "safe_mode_not_recorded");
        }
        tracing::warn!(
            event = "safe_mode_on",
            msg = "no new orders; own orders are being cancelled"
        );
        recorded
    }

    /// Asks the router to cancel every own order; no mode refuses it.
    pub fn cancel_all(&self, reason: CancelReason) {
        if self.links.router.send(RouterIn::CancelAll(reason)) != Sent::Delivered {
            tracing::error!(event = "router_cannot_cancel", reason = reason.as_str());
        }
    }

    /// Asks for safe mode to end. Never arms; clears only what an operator asked for.
    ///
    /// # Errors
    /// Every precondition that fails.
    pub fn request_off(&self) -> Result<(), Vec<&'static str>> {
        self.off_as_of(self.owner.gate().serial())
    }

    /// The wish for off as it was made at one state of the gate.
    pub(crate) fn off_as_of(&self, asked_at: Serial) -> Result<(), Vec<&'static str>> {
        let last_on = self.last_on();
        let now = self.clock.now();
        let refusals = self.judge(now, *last_on);
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
            // What was raised may be another reason's: the record must not say off while the flag is up.
            self.record_still_on(now);
            return Err(vec!["something_was_raised_meanwhile"]);
        }
        self.latch.unmark_safe();
        self.tell_risk(RiskIn::Clear(ModeCode::OperatorSafeMode, Scope::Global));
        tracing::warn!(
            event = "safe_mode_off",
            msg = "the operator's safe mode has ended"
        );
        Ok(())
    }

    /// A reload took safety flags to their safe side, by their names below `safety`: safe mode acts at once, and
    /// whatever is about the live exchange until a restart.
    pub fn to_the_safe_side(&self, changed: &[&str], is_live: bool) {
        let acts = |key: &&str| *key == "safe_mode" || is_live;
        if !changed.iter().any(acts) {
            return;
        }
        if is_live {
            // The gate first: nothing after this leaves, whatever happens to the messages.
            self.owner.gate().raise(Flag::Disarmed);
        }
        if is_live && changed.contains(&"kill_switch") {
            let code = ModeCode::ConfiguredKill;
            self.tell_risk(RiskIn::Raise(code, Scope::Global, Mode::KillSwitch));
        }
        if changed.contains(&"safe_mode") {
            self.configured_safe.store(true, Ordering::SeqCst);
        }
        // Its failure to be recorded is logged where it happens.
        let _ = self.safe_mode_on();
    }

    fn record_still_on(&self, now: Timestamp) {
        let record = Record::SafeMode { on: true, at: now };
        if self.journal.append(now, record).is_err() {
            tracing::error!(event = "safe_mode_not_recorded");
        }
    }

    /// Returns why a request for off would be refused at this moment; empty if it would be granted.
    pub fn refusals(&self) -> Vec<&'static str> {
        let last_on = *self.last_on();
        self.judge(self.clock.now(), last_on)
    }

    fn last_on(&self) -> MutexGuard<'_, Option<Timestamp>> {
        // A stamp is whole whatever happened to its last holder.
        self.last_on.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, now: Timestamp, last_on: Option<Timestamp>) -> Vec<&'static str> {
        let status = self
            .status
            .read()
            .expect("no holder of the status can panic");
        let offset_ms = self.clock.offset().map(|offset| offset.ms);
        let checks = [
            (self.owner.gate().is_raised(Flag::Kill), "kill_latched"),
            (
                self.owner.gate().is_raised(Flag::Disarmed),
                "restart_needed",
            ),
            (
                self.configured_safe.load(Ordering::SeqCst),
                "configured_safe_mode",
            ),
            (self.unarmed_live, "not_armed"),
            (self.own_orders.unsettled() > 0, "unknown_orders"),
            (
                status
                    .last_clean
                    .is_none_or(|at| now.ms_since(at) > RECONCILED_MS),
                "not_reconciled",
            ),
            (offset_ms.is_none_or(|ms| ms.abs() > OFFSET_MS_MAX), "clock"),
            (self.journal.has_failed(), "journal_unhealthy"),
            (
                last_on.is_some_and(|at| now.ms_since(at) < SETTLE_MS),
                "just_switched_on",
            ),
        ];
        checks
            .into_iter()
            .filter(|(fails, _)| *fails)
            .map(|(_, code)| code)
            .collect()
    }

    pub(crate) fn tell_risk(&self, message: RiskIn) {
        if self.links.risk.send(message) != Sent::Delivered {
            self.owner.gate().kill(ModeCode::OrderPathBroken);
            tracing::error!(event = "operator_cannot_reach_gate");
        }
    }
}
