//! Orders whose fate was unknown: how many, what they turned out to be, and how long that took.
//!
//! It reads what the router reports and decides nothing.

use engine::ids::ClientId;
use engine::order::OrderState;
use engine::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Resolved orders that are kept; later ones are not counted. A demo of a day stays far below.
const RESOLVED_MAX: usize = 10_000;
/// Resolved orders that the verdict lists.
const LISTED_MAX: usize = 100;

/// An order whose fate is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    client_id: ClientId,
    /// The state that it turned out to have.
    pub(super) state: &'static str,
    is_absent: bool,
    /// Milliseconds of not knowing.
    pub(super) took_ms: i64,
}

/// What a report changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody knows any more.
    Began,
    /// It is known again.
    Ended(Resolved),
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Unknowns {
    since: BTreeMap<ClientId, Timestamp>,
    resolved: Vec<Resolved>,
}

impl Unknowns {
    /// Takes a report of an own order.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        client_id: ClientId,
        state: OrderState,
    ) -> Option<Turn> {
        if let OrderState::Unknown(_) = state {
            let is_known = !self.since.contains_key(&client_id);
            self.since.entry(client_id).or_insert(now);
            return is_known.then_some(Turn::Began);
        }
        let since = self.since.remove(&client_id)?;
        let resolved = Resolved {
            client_id,
            state: state.as_str(),
            is_absent: state == OrderState::Absent,
            took_ms: now.ms_since(since),
        };
        if self.resolved.len() < RESOLVED_MAX {
            self.resolved.push(resolved);
        }
        Some(Turn::Ended(resolved))
    }

    /// Returns the middle and the longest time of not knowing, milliseconds.
    fn times_ms(&self) -> Option<(i64, i64)> {
        let mut times: Vec<i64> = self.resolved.iter().map(|one| one.took_ms).collect();
        times.sort_unstable();
        Some((*times.get(times.len() / 2)?, *times.last()?))
    }

    fn absent(&self) -> usize {
        self.resolved.iter().filter(|one| one.is_absent).count()
    }

    /// Returns the data of the verdict.
    pub(super) fn to_json(&self) -> Value {
        let (p50, max) = self.times_ms().unzip();
        let list: Vec<Value> = (self.resolved.iter().take(LISTED_MAX))
            .map(|one| json!({"client_id": one.client_id, "state": one.state, "took_ms": one.took_ms}))
            .collect();
        json!({
            "seen": self.resolved.len() + self.since.len(),
            "resolved_open": self.resolved.len() - self.absent(),
            "resolved_absent": self.absent(),
            "still_unknown": self.since.len(),
            "resolve_ms_p50": p50,
            "resolve_ms_max": max,
            "resolved": list,
        })
    }

    /// Returns the line of the verdict, or nothing if there was none.
    pub(super) fn to_text(&self) -> String {
        let Some((p50, max)) = self.times_ms() else {
            return String::new();
        };
        let absent = self.absent();
        format!(
            "{} orders of unknown fate: {} found, {absent} proven absent, {} still unknown; known again after {p50} ms (middle), {max} ms (longest).\n",
            self.resolved.len() + self.since.len(),
            self.resolved.len() - absent,
            self.since.len(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::answer::UnknownCause;
    use engine::ids::{AccountTag, BootTag};

    const LOST: OrderState = OrderState::Unknown(UnknownCause::ConnectionLost);

    /// Reports, each with its moment in milliseconds and its order, and what comes of them: seen, found, absent, still
    /// unknown, middle and longest time.
    fn check(reports: &[(i64, u64, OrderState)], expected: Value) {
        let mut unknowns = Unknowns::default();
        for (ms, seq, state) in reports {
            let (tag, boot) = (AccountTag::from_entropy(1), BootTag::from_entropy(2));
            let id = ClientId::new(tag, 1, boot, *seq);
            unknowns.take(Timestamp::from_ms(*ms), id, *state);
        }
        let data = unknowns.to_json();
        let counted = json!([
            data["seen"],
            data["resolved_open"],
            data["resolved_absent"],
            data["still_unknown"],
            data["resolve_ms_p50"],
            data["resolve_ms_max"],
        ]);
        assert_eq!(counted, expected, "{reports:?}");
    }

    #[test]
    fn an_order_counts_once_from_the_first_doubt_to_the_first_proof() {
        use OrderState::{Absent, Canceled, Open};
        check(
            &[(0, 1, Open), (5, 1, Canceled)],
            json!([0, 0, 0, 0, null, null]),
        );
        check(
            &[(0, 1, LOST), (9, 1, LOST)],
            json!([1, 0, 0, 1, null, null]),
        );
        check(
            &[(0, 1, LOST), (9, 1, LOST), (30, 1, Open), (50, 1, Canceled)],
            json!([1, 1, 0, 0, 30, 30]),
        );
        check(
            &[
                (0, 1, LOST),
                (0, 2, LOST),
                (0, 3, LOST),
                (3, 2, Open),
                (5, 3, Open),
                (90, 1, Absent),
            ],
            json!([3, 2, 1, 0, 5, 90]),
        );
    }
}
