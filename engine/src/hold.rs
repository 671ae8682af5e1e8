//! What an operator holds back: one pair until it is let go, or everything for a while.
//!
//! Neither safe mode nor the kill switch, which have a gate of their own. The one idea: a hold only ever tightens, and
//! it ends by its own time or by a wish that was written down first.

use crate::ids::Symbol;
use crate::mode::{Mode, ModeCode, Scope};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One wish of an operator to hold back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The pair that is frozen; `None` holds everything.
    pub symbol: Option<Symbol>,
    /// What it asks for.
    pub mode: Mode,
    /// When it ends by itself; `None` is never.
    pub until: Option<Timestamp>,
    /// The operator's words.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Hold {
    /// Returns the code under which it speaks in the mode.
    pub const fn code(&self) -> ModeCode {
        match self.symbol {
            Some(_) => ModeCode::OperatorFreeze,
            None => ModeCode::OperatorDegrade,
        }
    }

    /// Returns how far it reaches.
    pub const fn scope(&self) -> Scope {
        match self.symbol {
            Some(symbol) => Scope::Symbol(symbol),
            None => Scope::Global,
        }
    }

    /// Returns whether its time has passed.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Returns whether it would hold back less than `standing` does, or for a shorter time.
    pub fn loosens(&self, standing: &Self) -> bool {
        let ends_earlier = match (self.until, standing.until) {
            (Some(mine), Some(theirs)) => mine < theirs,
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.mode < standing.mode || ends_earlier
    }
}

/// All holds, one for each pair and one for everything. Pairs are the operator's configured ones, so it stays small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Holds(Vec<Hold>);

impl Holds {
    /// Adds a hold, in place of the one that has the same reach.
    pub fn put(&mut self, hold: Hold) {
        self.take(hold.symbol);
        self.0.push(hold);
        self.0.sort_by_key(|hold| hold.symbol);
    }

    /// Takes one out.
    pub fn take(&mut self, symbol: Option<Symbol>) -> Option<Hold> {
        let place = self.0.iter().position(|hold| hold.symbol == symbol)?;
        Some(self.0.remove(place))
    }

    /// Returns the hold of a pair, or of everything.
    pub fn of(&self, symbol: Option<Symbol>) -> Option<&Hold> {
        self.0.iter().find(|hold| hold.symbol == symbol)
    }

    /// Returns all of them, the one of everything first.
    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.0.iter()
    }

    /// Returns whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out one whose time has passed.
    pub fn take_over(&mut self, now: Timestamp) -> Option<Hold> {
        let place = self.0.iter().position(|hold| hold.is_over(now))?;
        Some(self.0.remove(place))
    }

    /// Returns when the next one ends by itself.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|hold| hold.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(mode: Mode, until: Option<i64>) -> Hold {
        Hold {
            symbol: None,
            mode,
            until: until.map(Timestamp::from_ms),
            reason: String::new(),
            by: String::new(),
            at: Timestamp::from_ms(0),
        }
    }

    #[test]
    fn a_hold_loosens_another_by_its_mode_or_by_its_end() {
        let check = |new: (Mode, Option<i64>), old: (Mode, Option<i64>), expected: bool| {
            let (new, old) = (hold(new.0, new.1), hold(old.0, old.1));
            assert_eq!(new.loosens(&old), expected, "{new:?} {old:?}");
        };
        let (reduce, observe) = (Mode::ReduceRiskOnly, Mode::ObserveOnly);
        check((reduce, Some(9)), (reduce, Some(9)), false);
        check((observe, Some(9)), (reduce, Some(8)), false);
        check((reduce, Some(9)), (observe, Some(8)), true);
        check((observe, Some(7)), (reduce, Some(8)), true);
        check((reduce, Some(7)), (reduce, None), true);
        check((reduce, None), (reduce, Some(8)), false);
    }

    #[test]
    fn there_is_one_hold_for_each_reach_and_it_ends_at_its_time() {
        let pair = Some(Symbol::parse("BTCTRY").expect("a pair"));
        let frozen = Hold {
            symbol: pair,
            ..hold(Mode::ReduceRiskOnly, None)
        };
        let mut holds = Holds::default();
        holds.put(frozen.clone());
        holds.put(hold(Mode::ReduceRiskOnly, Some(5)));
        holds.put(hold(Mode::ObserveOnly, Some(9)));
        assert_eq!(holds.iter().count(), 2);
        assert_eq!(holds.next_end(), Some(Timestamp::from_ms(9)));
        assert_eq!(holds.take_over(Timestamp::from_ms(8)), None);
        let over = holds.take_over(Timestamp::from_ms(9));
        assert_eq!(over, Some(hold(Mode::ObserveOnly, Some(9))));
        assert_eq!(holds.take(pair), Some(frozen));
        assert!(holds.is_empty());
    }
}
