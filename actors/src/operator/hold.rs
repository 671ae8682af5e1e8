//! The operator's holds: a frozen pair, or everything a step down for a while.
//!
//! Holding back acts first and is recorded after. Letting go is recorded first, and acts only if the hold is still the
//! one that was decided on. One lock orders records and messages alike.

use super::Operator;
use crate::gate::Flag;
use crate::journal::AppendError;
use engine::hold::{Hold, Holds};
use engine::ids::Symbol;
use engine::mode::Mode;
use engine::msg::RiskIn;
use engine::record::Record;
use std::sync::{MutexGuard, PoisonError};

/// What became of a wish to hold back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldBack {
    /// It acts, and its record has this number, or was not taken.
    Done(Result<u64, AppendError>),
    /// This one stands and holds back more: it is ended first, or not at all.
    Stands(Hold),
}

impl Operator {
    /// Holds back, unless that would hold back less than what stands.
    pub fn hold_back(&self, hold: Hold) -> HeldBack {
        let mut holds = self.standing_holds();
        if let Some(standing) = holds.of(hold.symbol).filter(|one| hold.loosens(one)) {
            return HeldBack::Stands(standing.clone());
        }
        if hold.symbol.is_none() && hold.mode >= Mode::ObserveOnly {
            self.owner.gate().raise(Flag::Observe);
        }
        self.tell_risk(RiskIn::Hold(Box::new(hold.clone())));
        holds.put(hold.clone());
        tracing::warn!(
            event = "operator_hold",
            code = hold.code().as_str(),
            mode = hold.mode.as_str(),
            reason = hold.reason,
            by = hold.by
        );
        HeldBack::Done(self.journal.append(hold.at, Record::Held(hold)))
    }

    /// Writes down that a hold ends; nothing has acted yet. `None` if there is none.
    pub fn decide_let_go(
        &self,
        symbol: Option<Symbol>,
        (reason, by): (&str, &str),
    ) -> Option<(Hold, Result<u64, AppendError>)> {
        let holds = self.standing_holds();
        let hold = holds.of(symbol)?.clone();
        let at = self.clock.now();
        let record = Record::LetGo {
            symbol,
            reason: reason.to_owned(),
            by: by.to_owned(),
            at,
        };
        Some((hold, self.journal.append(at, record)))
    }

    /// Lets go what is on record as let go, unless it was held back anew meanwhile. Returns whether it acted.
    pub fn carry_out_let_go(&self, decided: &Hold) -> bool {
        let mut holds = self.standing_holds();
        if holds.of(decided.symbol) != Some(decided) {
            return false;
        }
        holds.take(decided.symbol);
        self.tell_risk(RiskIn::LetGo(decided.symbol));
        tracing::warn!(event = "operator_let_go", code = decided.code().as_str());
        true
    }

    /// The journal may say let go where the hold stands: the record is put right.
    pub fn keep_hold_on_record(&self, decided: &Hold) {
        let holds = self.standing_holds();
        let record = Record::Held(decided.clone());
        if holds.of(decided.symbol) == Some(decided)
            && self.journal.append(self.clock.now(), record).is_err()
        {
            tracing::error!(event = "hold_not_recorded");
        }
    }

    /// The holds whose time has not passed.
    fn standing_holds(&self) -> MutexGuard<'_, Holds> {
        // Each change is one whole step, whatever happened to its last holder.
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        while holds.take_over(now).is_some() {}
        holds
    }
}
