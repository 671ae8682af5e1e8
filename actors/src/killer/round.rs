//! How long the killer waits before it lists again.
//!
//! Fast until the exchange has shown nothing of ours twice, at a time when nothing can be on its way any more; then
//! slow for as long as the kill lasts. Repeated refusals of our signature could block the address.

use engine::time::Timestamp;
use std::time::Duration;

/// Pause while orders may be open.
const SOON: Duration = Duration::from_secs(1);
/// Pause once none is.
const CALM: Duration = Duration::from_secs(10);
/// Pause while the exchange refuses our signature.
const REFUSED: Duration = Duration::from_secs(60);
/// Empty lists in a row that are calm.
const EMPTY_LISTS: u32 = 2;
/// Refused signatures in a row that make it slow.
const REFUSALS: u32 = 3;
/// Refused signatures of one kill, after which nothing more is asked: the exchange blocks an address at 50.
const REFUSALS_MAX: u32 = 40;

/// What the lists of one kill have shown.
#[derive(Debug)]
pub(super) struct Round {
    quiet_at: Timestamp,
    empty: u32,
    refused: u32,
    refused_in_all: u32,
}

impl Round {
    /// Begins; empty lists count from `quiet_at` on.
    pub(super) const fn new(quiet_at: Timestamp) -> Self {
        Self {
            quiet_at,
            empty: 0,
            refused: 0,
            refused_in_all: 0,
        }
    }

    /// A list that was asked for at `asked_at` has come.
    pub(super) fn listed(&mut self, asked_at: Timestamp, is_empty: bool) {
        self.refused = 0;
        if !is_empty {
            self.empty = 0;
        } else if asked_at >= self.quiet_at {
            self.empty = self.empty.saturating_add(1);
        }
    }

    /// The exchange refused our signature.
    pub(super) const fn refused(&mut self) {
        self.refused = self.refused.saturating_add(1);
        self.refused_in_all = self.refused_in_all.saturating_add(1);
    }

    /// Returns the wait before the next list; `None` if none may be asked for.
    pub(super) fn pause(&self) -> Option<Duration> {
        if self.refused_in_all >= REFUSALS_MAX {
            return None;
        }
        let is_calm = self.empty >= EMPTY_LISTS;
        Some(if self.refused >= REFUSALS {
            REFUSED
        } else if is_calm {
            CALM
        } else {
            SOON
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Step {
        Empty(i64),
        Shown(i64),
        Refused,
    }
    use Step::{Empty, Refused as No, Shown};

    fn check(steps: &[Step], expected: Option<Duration>) {
        let mut round = Round::new(Timestamp::from_ms(5_500));
        for step in steps {
            match step {
                Empty(ms) => round.listed(Timestamp::from_ms(*ms), true),
                Shown(ms) => round.listed(Timestamp::from_ms(*ms), false),
                No => round.refused(),
            }
        }
        assert_eq!(round.pause(), expected);
    }

    #[test]
    fn only_two_empty_lists_behind_the_horizon_are_calm() {
        check(&[], Some(SOON));
        check(&[Empty(1_000), Empty(2_000), Empty(5_400)], Some(SOON));
        check(&[Empty(5_400), Empty(5_500)], Some(SOON));
        check(&[Empty(5_500), Empty(6_500)], Some(CALM));
        check(&[Empty(5_500), Empty(6_500), Shown(7_500)], Some(SOON));
        check(&[Empty(5_500), Shown(6_500), Empty(7_500)], Some(SOON));
    }

    #[test]
    fn x_10_three_refused_signatures_slow_down_and_forty_end_it() {
        check(&[No, No], Some(SOON));
        check(&[No, No, No], Some(REFUSED));
        check(&[No, No, No, Shown(9_000)], Some(SOON));
        let mut many: Vec<Step> = (0..39).map(|_| No).collect();
        check(&many, Some(REFUSED));
        many.push(No);
        check(&many, None);
    }
}
