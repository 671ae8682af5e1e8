//! Ended orders that are no longer kept one by one: runs of client ids, every one of which has ended.
//!
//! A run is the first id, the last sequence number, the range of the exchange's numbers and those ids that the exchange
//! never had: a few bytes for any number of orders. It cannot say what an order filled, only that it is ours and done,
//! and whether a number can be its own.

use crate::ids::{ClientId, OrderId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Runs that are remembered. Each start makes one, and each id between two ended ones that never ended splits one;
/// beyond it the oldest is forgotten, and what is reported of it counts as a lost journal: the kill switch.
const RUNS_MAX: usize = 10_000;

/// Stretches over all runs that are remembered as never having existed; beyond it the oldest are judged by the numbers of
/// their run. A drawn day under many faults makes sixty an hour.
const NEVER_MAX: usize = 500;

/// Ended orders with consecutive sequence numbers of one start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    first: ClientId,
    last: u64,
    /// Lowest and highest number the exchange gave to one of them; `None` if none of them ever existed.
    numbers: Option<(OrderId, OrderId)>,
    /// First and last sequence number of each stretch of orders that never existed: proven, refused or not sent. Any
    /// number of theirs is a ghost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    never: Vec<(u64, u64)>,
}

impl Run {
    fn absorb(&mut self, later: Self) {
        self.last = later.last;
        for (first, last) in later.never {
            match self.never.last_mut() {
                Some((_, end)) if *end + 1 == first => *end = last,
                Some(_) | None => self.never.push((first, last)),
            }
        }
        let both = self.numbers.into_iter().chain(later.numbers);
        self.numbers = both.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    }

    fn never_had(&self, seq: u64) -> bool {
        let at = self.never.partition_point(|(_, last)| *last < seq);
        self.never.get(at).is_some_and(|(first, _)| *first <= seq)
    }

    fn is_followed_by(&self, id: ClientId) -> bool {
        self.first.is_of_start(id) && self.last.checked_add(1) == Some(id.seq())
    }
}

/// Every folded order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Run>", into = "Vec<Run>")]
pub(crate) struct Tombstones {
    /// By first id; runs never touch: neighbours become one.
    runs: BTreeMap<ClientId, Run>,
}

impl Tombstones {
    /// Folds an ended order away.
    pub(crate) fn add(&mut self, id: ClientId, number: Option<OrderId>) {
        if self.holds(id) {
            return;
        }
        let mut run = Run {
            first: id,
            last: id.seq(),
            numbers: number.map(|number| (number, number)),
            never: Vec::from_iter(number.is_none().then_some((id.seq(), id.seq()))),
        };
        let next = self.runs.range(id..).next().map(|(first, _)| *first);
        let next = next.filter(|first| run.is_followed_by(*first));
        if let Some(next) = next.and_then(|first| self.runs.remove(&first)) {
            run.absorb(next);
        }
        match self.runs.range_mut(..id).next_back() {
            Some((_, before)) if before.is_followed_by(id) => before.absorb(run),
            Some(_) | None => {
                self.runs.insert(id, run);
            }
        }
        if self.runs.len() > RUNS_MAX {
            self.runs.pop_first();
        }
        self.forget_oldest_stretches();
    }

    fn forget_oldest_stretches(&mut self) {
        let known: usize = self.runs.values().map(|run| run.never.len()).sum();
        let mut surplus = known.saturating_sub(NEVER_MAX);
        for run in self.runs.values_mut() {
            if surplus == 0 {
                return;
            }
            let of_run = surplus.min(run.never.len());
            run.never.drain(..of_run);
            surplus -= of_run;
        }
    }

    /// Returns how many orders were folded away and are remembered.
    pub(crate) fn count(&self) -> u64 {
        let runs = self.runs.values();
        runs.map(|run| run.last - run.first.seq() + 1).sum()
    }

    /// Returns whether an order was folded away.
    pub(crate) fn holds(&self, id: ClientId) -> bool {
        self.run_of(id).is_some()
    }

    /// Returns whether the exchange's number can be that of the folded order: the exchange counts upwards, so an
    /// order that was placed later under the same client id has a number above every number of the run.
    pub(crate) fn fits(&self, id: ClientId, number: OrderId) -> bool {
        let run = self.run_of(id).filter(|run| !run.never_had(id.seq()));
        let numbers = run.and_then(|run| run.numbers);
        numbers.is_some_and(|(low, high)| low <= number && number <= high)
    }

    fn run_of(&self, id: ClientId) -> Option<&Run> {
        let (_, run) = self.runs.range(..=id).next_back()?;
        (run.first.is_of_start(id) && id.seq() <= run.last).then_some(run)
    }
}

impl From<Vec<Run>> for Tombstones {
    fn from(runs: Vec<Run>) -> Self {
        Self {
            runs: runs.into_iter().map(|run| (run.first, run)).collect(),
        }
    }
}

impl From<Tombstones> for Vec<Run> {
    fn from(tombstones: Tombstones) -> Self {
        tombstones.runs.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountTag, BootTag};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn id(epoch: u32, seq: u64) -> ClientId {
        let boot = BootTag::from_entropy(u64::from(epoch));
        ClientId::new(AccountTag::from_entropy(1), epoch, boot, seq)
    }

    fn folded(ids: &[(u32, u64)]) -> Tombstones {
        let mut tombstones = Tombstones::default();
        for (epoch, seq) in ids {
            let number = i64::try_from(*seq).expect("small");
            tombstones.add(id(*epoch, *seq), Some(OrderId(number * 10)));
        }
        tombstones
    }

    fn check(ids: &[(u32, u64)], runs: usize) {
        let folded = folded(ids);
        assert_eq!(folded.runs.len(), runs, "{ids:?}");
        let different: BTreeSet<_> = ids.iter().collect();
        assert_eq!(folded.count(), different.len() as u64, "{ids:?}");
    }

    #[test]
    fn consecutive_orders_of_one_start_become_one_run_in_any_order() {
        check(&[(1, 1), (1, 2), (1, 3)], 1);
        check(&[(1, 3), (1, 1), (1, 2)], 1);
        check(&[(1, 1), (1, 3)], 2);
        check(&[(1, 1), (2, 2)], 2);
        check(&[(1, 1), (1, 1)], 1);
    }

    #[test]
    fn a_number_outside_of_the_run_is_another_order() {
        let mut tombstones = folded(&[(1, 2), (1, 4), (1, 3)]);
        assert!(tombstones.fits(id(1, 3), OrderId(20)));
        assert!(!tombstones.fits(id(1, 3), OrderId(41)));
        assert!(!tombstones.fits(id(1, 5), OrderId(30)));
        tombstones.add(id(2, 1), None);
        assert!(!tombstones.fits(id(2, 1), OrderId(30)), "it never existed");
    }

    #[test]
    fn an_order_that_never_existed_has_no_number_within_its_run_either() {
        let mut tombstones = folded(&[(1, 2), (1, 4)]);
        tombstones.add(id(1, 3), None);
        assert_eq!(tombstones.runs.len(), 1);
        assert!(!tombstones.fits(id(1, 3), OrderId(30)));
        assert!(tombstones.fits(id(1, 4), OrderId(30)), "within the run");
        for seq in 5..=7 {
            tombstones.add(id(1, seq), None);
        }
        let run = |tombstones: &Tombstones| tombstones.runs.values().next().expect("one").clone();
        assert_eq!(run(&tombstones).never, [(3, 3), (5, 7)]);
        for pair in 4..=NEVER_MAX as u64 + 3 {
            tombstones.add(id(1, pair * 2), Some(OrderId(20)));
            tombstones.add(id(1, pair * 2 + 1), None);
        }
        let never = run(&tombstones).never;
        assert_eq!((never.len(), never[0]), (NEVER_MAX, (9, 9)));
        // Another start: the bound is one for all runs, and the oldest go first.
        tombstones.add(id(2, 1), None);
        let stretches: Vec<_> = tombstones.runs.values().map(|run| &run.never).collect();
        assert_eq!(
            (stretches[0].len(), stretches[0][0]),
            (NEVER_MAX - 1, (11, 11))
        );
        assert_eq!(stretches[1], &[(1, 1)]);
    }

    #[test]
    fn at_the_limit_the_oldest_run_is_forgotten() {
        let mut tombstones = Tombstones::default();
        for seq in 0..=RUNS_MAX as u64 {
            tombstones.add(id(1, seq * 2), None);
        }
        assert_eq!(tombstones.runs.len(), RUNS_MAX);
        assert!(!tombstones.holds(id(1, 0)) && tombstones.holds(id(1, 2)));
    }

    proptest! {
        #[test]
        fn runs_hold_exactly_what_was_folded(ids in proptest::collection::vec((1u32..3, 0u64..40), 0..80)) {
            let tombstones = folded(&ids);
            let model: BTreeSet<(u32, u64)> = ids.into_iter().collect();
            for epoch in 1..3 {
                for seq in 0..41 {
                    prop_assert_eq!(tombstones.holds(id(epoch, seq)), model.contains(&(epoch, seq)));
                }
            }
            let text = serde_json::to_string(&tombstones).expect("it can be written");
            prop_assert_eq!(serde_json::from_str::<Tombstones>(&text).expect("it reads back"), tombstones);
        }
    }
}
