//! What must hold after each kill and at the end, as questions to plain facts.
//!
//! It opens no file and no socket: whoever collects the facts may be wrong about the timing, never about the verdict.

use engine::ids::OrderId;
use engine::money::Qty;
use installation::bot::{Ended, Sums};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// What was seen.
    pub seen: String,
}

/// The rules of this tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// I2: a client id was sent or accepted twice.
    Duplicate,
    /// I3: an order at the exchange is not in the journal, or its trades are not.
    LostOrder,
    /// L2: an order's fate was still unknown when it had to be known.
    UnknownForever,
    /// I7: the ledger does not equal the exchange.
    Ledger,
    /// L3: no clean look at the account in time.
    NotReady,
    /// The process ended by itself, or could not be started.
    Ended,
    /// The clean stop left something or ended badly.
    Stop,
}

impl Finding {
    /// Makes one.
    pub fn new(rule: Rule, seen: impl Into<String>) -> Self {
        let seen = seen.into();
        Self { rule, seen }
    }
}

impl From<Ended> for Finding {
    fn from(ended: Ended) -> Self {
        Self::new(Rule::Ended, ended.seen)
    }
}

/// What both sides hold after a kill.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Client ids of the submits in the exchange's log, one for each request.
    pub posted: Vec<String>,
    /// Client ids of the orders that the exchange took, one for each order.
    pub accepted: Vec<String>,
    /// Client ids that the journal holds.
    pub journalled: BTreeSet<String>,
}

/// Judges what a kill left behind.
pub fn after_kill(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (what, ids) in [("sent", &facts.posted), ("accepted", &facts.accepted)] {
        let mut seen = BTreeSet::new();
        for id in ids.iter().filter(|id| !seen.insert(id.as_str())) {
            findings.push(Finding::new(Rule::Duplicate, format!("{id} {what} again")));
        }
    }
    let known: BTreeSet<&String> = facts.posted.iter().chain(&facts.accepted).collect();
    for id in known {
        if !facts.journalled.contains(id) {
            let seen = format!("{id} is at the exchange and not in the journal");
            findings.push(Finding::new(Rule::LostOrder, seen));
        }
    }
    findings
}

/// What both sides hold after the clean stop.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Exit code; `None` after a signal.
    pub exit: Option<i32>,
    /// Client ids of the orders that are still open at the exchange.
    pub open: Vec<String>,
    /// Filled quantity by order at the exchange.
    pub traded: BTreeMap<OrderId, Qty>,
    /// Filled quantity by order in the journal.
    pub booked: BTreeMap<OrderId, Qty>,
}

/// Judges the clean stop.
pub fn at_end(ending: &Ending) -> Vec<Finding> {
    let mut findings = Vec::new();
    if ending.exit != Some(0) {
        let seen = format!("exit code {:?}, expected 0", ending.exit);
        findings.push(Finding::new(Rule::Stop, seen));
    }
    for id in &ending.open {
        findings.push(Finding::new(Rule::Stop, format!("{id} is still open")));
    }
    let orders: BTreeSet<&OrderId> = ending.traded.keys().chain(ending.booked.keys()).collect();
    for id in orders {
        let (traded, booked) = (ending.traded.get(id), ending.booked.get(id));
        if traded != booked {
            let seen = format!("order {id}: traded {traded:?}, booked {booked:?}");
            findings.push(Finding::new(Rule::LostOrder, seen));
        }
    }
    findings
}

/// Returns whether two sets of amounts are the same; an asset that is missing counts as zero.
pub fn is_equal(ours: &Sums, theirs: &Sums) -> bool {
    let of = |sums: &Sums, asset| sums.get(asset).copied().unwrap_or_default();
    ours.keys()
        .chain(theirs.keys())
        .all(|asset| of(ours, asset) == of(theirs, asset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::Asset;
    use engine::money::Amount;

    fn ids(list: &[&str]) -> Vec<String> {
        list.iter().map(|id| (*id).to_owned()).collect()
    }

    /// Posted, accepted and journalled ids, and the rules that they break.
    fn check(posted: &[&str], accepted: &[&str], journalled: &[&str], expected: &[Rule]) {
        let facts = Facts {
            posted: ids(posted),
            accepted: ids(accepted),
            journalled: ids(journalled).into_iter().collect(),
        };
        let rules: Vec<Rule> = after_kill(&facts).iter().map(|one| one.rule).collect();
        assert_eq!(rules, expected, "{facts:?}");
    }

    #[test]
    fn an_order_is_sent_once_and_written_down_before() {
        check(&[], &[], &[], &[]);
        check(&["a", "b"], &["a"], &["a", "b", "c"], &[]);
        check(&["a", "a"], &["a"], &["a"], &[Rule::Duplicate]);
        check(&["a"], &["a", "a"], &["a"], &[Rule::Duplicate]);
        check(&["a"], &[], &[], &[Rule::LostOrder]);
        check(&[], &["a"], &["b"], &[Rule::LostOrder]);
    }

    #[test]
    fn a_wiped_journal_is_found() {
        let lost = [Rule::LostOrder, Rule::LostOrder];
        check(&["a", "b"], &["a", "b"], &[], &lost);
    }

    fn quantities(list: &[(i64, i64)]) -> BTreeMap<OrderId, Qty> {
        let pair = |(id, units): &(i64, i64)| (OrderId(*id), Qty::from_units(*units));
        list.iter().map(pair).collect()
    }

    #[test]
    fn a_clean_stop_leaves_nothing_and_every_trade_is_booked() {
        let check = |exit,
                     open: &[&str],
                     traded: &[(i64, i64)],
                     booked: &[(i64, i64)],
                     expected: &[Rule]| {
            let ending = Ending {
                exit,
                open: ids(open),
                traded: quantities(traded),
                booked: quantities(booked),
            };
            let rules: Vec<Rule> = at_end(&ending).iter().map(|one| one.rule).collect();
            assert_eq!(rules, expected, "{ending:?}");
        };
        check(Some(0), &[], &[(1, 5)], &[(1, 5)], &[]);
        check(Some(5), &[], &[], &[], &[Rule::Stop]);
        check(None, &["a"], &[], &[], &[Rule::Stop, Rule::Stop]);
        check(Some(0), &[], &[(1, 5)], &[(1, 4)], &[Rule::LostOrder]);
        check(Some(0), &[], &[(1, 5)], &[], &[Rule::LostOrder]);
        check(Some(0), &[], &[], &[(2, 1)], &[Rule::LostOrder]);
    }

    #[test]
    fn the_books_are_compared_to_the_last_unit() {
        let sums = |list: &[(&str, i128)]| -> Sums {
            let pair = |(asset, units): &(&str, i128)| {
                let asset = Asset::parse(asset).expect("a short name");
                (asset, Amount::from_units(*units))
            };
            list.iter().map(pair).collect()
        };
        let check = |ours: &[(&str, i128)], theirs: &[(&str, i128)], expected| {
            assert_eq!(
                is_equal(&sums(ours), &sums(theirs)),
                expected,
                "{ours:?} {theirs:?}"
            );
        };
        check(&[("TRY", 5)], &[("TRY", 5), ("BTC", 0)], true);
        check(&[("TRY", 5)], &[("TRY", 6)], false);
        check(&[], &[("BTC", 1)], false);
        check(&[("BTC", 1)], &[], false);
    }
}
