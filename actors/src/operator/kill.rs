//! The operator's hand on the kill switch: trip at once, reset only under every precondition.
//!
//! A trip needs nothing. A reset is written down before it acts, ends the one trip it names, and leaves safe mode on
//! and the process disarmed: leaving safe mode is a separate act, and arming needs a restart.

use super::{OFFSET_MS_MAX, Operator, RECONCILED_MS};
use crate::gate::{Flag, Serial};
use crate::journal::AppendError;
use crate::latch::LiftError;
use crate::link::Sent;
use crate::observer::Standing;
use engine::kill::{Kill, KillId, RESETS_FREE, Resets};
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::RiskIn;
use engine::record::Record;
use engine::supervisor::SupervisorIn;
use serde_json::{Value, json};
use std::sync::{MutexGuard, PoisonError};

/// One thing that a reset needs, with what is the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// Stable code.
    pub name: &'static str,
    /// It holds.
    pub ok: bool,
    /// What is the case.
    pub seen: String,
    /// What a reset needs.
    pub allowed: String,
}

impl Precondition {
    fn new(name: &'static str, ok: bool, seen: impl ToString, allowed: impl ToString) -> Self {
        Self {
            name,
            ok,
            seen: seen.to_string(),
            allowed: allowed.to_string(),
        }
    }

    /// Returns it as it is shown everywhere.
    pub fn to_json(&self) -> Value {
        json!({"name": self.name, "ok": self.ok, "seen": self.seen, "allowed": self.allowed})
    }
}

/// Whether the operator knows that the kill switch was reset already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Nothing was said about earlier resets.
    Unsaid,
    /// They are known, and one more is wanted all the same.
    Forgiven,
}

/// A reset that is written down and has not acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    id: KillId,
    asked_at: Serial,
    /// Number of its record.
    pub seq: u64,
}

impl Operator {
    /// Trips the kill switch: gate, file, journal, in this order. Never refused.
    ///
    /// # Errors
    /// Beside the trip: the journal takes no records; the file keeps it alone.
    pub fn trip(&self, reason: &str, by: &str) -> (Kill, Result<u64, AppendError>) {
        let kill = self.latch.trip(ModeCode::OperatorKill, (reason, by));
        let recorded = self.journal.append(kill.at, Record::Kill(kill.clone()));
        tracing::error!(
            event = "killed",
            kill_id = kill.id.0,
            reason = kill.cause.as_str(),
            by
        );
        self.tell_risk(RiskIn::Raise(kill.cause, Scope::Global, Mode::KillSwitch));
        self.eyes.see(Standing::Killed(kill.clone()));
        (kill, recorded)
    }

    /// Returns everything a reset of `id` needs; without an id, of the trip that is latched.
    pub fn preconditions(&self, id: Option<KillId>, again: Again) -> Vec<Precondition> {
        let now = self.clock.now();
        let resets = self.latest_resets().recent(now);
        let (latched, named) = (self.latch.current(), id.map(|id| id.to_string()));
        let latched = latched.map_or("none".to_owned(), |kill| kill.id.to_string());
        let is_named = latched != "none" && named.as_ref().is_none_or(|named| *named == latched);
        let (last_clean, recent) = {
            let status = self.status.read();
            let status = status.expect("no holder of the status can panic");
            (status.last_clean, status.burning())
        };
        let age_ms = last_clean.map(|at| now.ms_since(at));
        let offset_ms = self.clock.offset().map(|offset| offset.ms);
        let (unknown, open) = (self.own_orders.unsettled(), self.own_orders.at_exchange());
        let has_failed = self.journal.has_failed();
        let ms = |ms: Option<i64>| ms.map_or("unknown".to_owned(), |ms| format!("{ms} ms"));
        vec![
            Precondition::new(
                "latch",
                is_named,
                &latched,
                named.unwrap_or(latched.clone()),
            ),
            Precondition::new("unknown_orders", unknown == 0, unknown, 0),
            Precondition::new("open_orders", open == 0, open, 0),
            Precondition::new(
                "reconciled",
                age_ms.is_some_and(|age| age <= RECONCILED_MS),
                age_ms.map_or("never".to_owned(), |age| format!("{age} ms ago")),
                format!("at most {RECONCILED_MS} ms ago"),
            ),
            Precondition::new(
                "clock",
                offset_ms.is_some_and(|ms| ms.abs() <= OFFSET_MS_MAX),
                ms(offset_ms),
                format!("{OFFSET_MS_MAX} ms"),
            ),
            Precondition::new("budgets", recent == 0, recent, "0 in five minutes"),
            Precondition::new(
                "journal",
                !has_failed,
                if has_failed { "failed" } else { "healthy" },
                "healthy",
            ),
            Precondition::new(
                "resets",
                resets < RESETS_FREE || again == Again::Forgiven,
                format!("{resets} in 24 h"),
                format!("fewer than {RESETS_FREE}, or --forgive"),
            ),
        ]
    }

    /// Writes a reset down, if every precondition holds. From here on safe mode is on, and the process is disarmed.
    ///
    /// # Errors
    /// Every precondition that fails.
    pub fn decide_reset(
        &self,
        (id, again): (KillId, Again),
        why: (&str, &str),
    ) -> Result<Decided, Vec<Precondition>> {
        self.judge_reset(id, again)?;
        let gate = self.owner.gate();
        gate.raise(Flag::Safe);
        self.latch.mark_safe();
        let asked_at = gate.raise(Flag::Disarmed);
        self.judge_reset(id, again)?;
        let mut last_on = self.last_on();
        let now = self.clock.now();
        *last_on = Some(now);
        let (reason, by) = (why.0.to_owned(), why.1.to_owned());
        let reset = Record::Reset {
            id,
            reason,
            by,
            at: now,
        };
        let written = self
            .journal
            .append(now, Record::SafeMode { on: true, at: now })
            .and_then(|_| self.journal.append(now, reset));
        match written {
            Ok(seq) => {
                self.latest_resets().note(now);
                Ok(Decided { id, asked_at, seq })
            }
            Err(error) => Err(vec![Precondition::new("journal", false, error, "healthy")]),
        }
    }

    fn latest_resets(&self) -> MutexGuard<'_, Resets> {
        // Each change is one whole step, whatever happened to its last holder.
        self.resets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge_reset(&self, id: KillId, again: Again) -> Result<(), Vec<Precondition>> {
        let all = self.preconditions(Some(id), again).into_iter();
        let failing: Vec<Precondition> = all.filter(|one| !one.ok).collect();
        if failing.is_empty() {
            Ok(())
        } else {
            Err(failing)
        }
    }

    /// Carries out a reset whose record is on disk, unless anything was raised since it was decided.
    ///
    /// # Errors
    /// Why the kill stays.
    pub fn carry_out_reset(&self, decided: Decided) -> Result<(), LiftError> {
        let lower = || self.owner.lower(Flag::Kill, decided.asked_at);
        if let Err(error) = self.latch.lift(decided.id, lower) {
            self.keep_kill_on_record();
            return Err(error);
        }
        self.tell_risk(RiskIn::LiftKills);
        // Lost, they are forgiven by the restart that arming needs: the fold reads the reset.
        if self.links.supervisor.send(SupervisorIn::Forgive) != Sent::Delivered {
            tracing::error!(event = "budgets_not_forgiven");
        }
        self.tell_risk(RiskIn::Raise(
            ModeCode::OperatorSafeMode,
            Scope::Global,
            Mode::ObserveOnly,
        ));
        self.eyes.see(Standing::KillReset(decided.id));
        tracing::warn!(
            event = "kill_reset",
            kill_id = decided.id.0,
            msg = "safe mode is on; arming needs a restart"
        );
        Ok(())
    }

    /// The journal says reset where the latch holds: the record is put right.
    pub fn keep_kill_on_record(&self) {
        if let Some(kill) = self.latch.current()
            && self
                .journal
                .append(self.clock.now(), Record::Kill(kill))
                .is_err()
        {
            tracing::error!(event = "kill_not_recorded", msg = "the file alone keeps it");
        }
    }
}
