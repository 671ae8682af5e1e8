//! What holds requests back: quotas and breakers by group, and the jitter between repeats.
//!
//! It sends nothing. One of these serves every client of a process for as long as it lives, whatever cycle or reconnect
//! comes and goes (D20).

use crate::driver::quotas;
use crate::metrics::Breaker as Kind;
use btcturk::rest::quota::Group;
use engine::budget::Breaker;
use engine::dice::Dice;
use engine::pacing::{Limits, Urgency, Window};
use engine::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Quotas, breakers and jitter of all groups.
pub(super) struct Pacing {
    overall: Window,
    lanes: BTreeMap<Group, Lane>,
    share_bps: i64,
    dice: Dice,
}

struct Lane {
    limits: Limits,
    breaker: Breaker,
}

impl Lane {
    fn new(group: Group, share_bps: i64) -> Self {
        Self {
            limits: quotas::limits(group, share_bps),
            breaker: Breaker::default(),
        }
    }
}

impl Pacing {
    /// `requests_per_second` binds all groups together, but for cancels; `share_bps` of each quota is used.
    pub(super) fn new(requests_per_second: usize, share_bps: i64, seed: u64) -> Self {
        Self {
            overall: Window::new(1_000, requests_per_second.max(1)),
            lanes: BTreeMap::new(),
            share_bps,
            dice: Dice::new(seed),
        }
    }

    /// Uses this share of each quota from here on, basis points; permits and holds stay.
    pub(super) fn share(&mut self, share_bps: i64) {
        if share_bps == self.share_bps {
            return;
        }
        self.share_bps = share_bps;
        for (group, lane) in &mut self.lanes {
            lane.limits.renew(quotas::limits(*group, share_bps));
        }
    }

    /// Takes what one request needs, or nothing at all.
    ///
    /// # Errors
    /// When to ask again.
    pub(super) fn take(
        &mut self,
        group: Group,
        urgency: Urgency,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let share_bps = self.share_bps;
        let lane = (self.lanes.entry(group)).or_insert_with(|| Lane::new(group, share_bps));
        lane.breaker.check(now)?;
        if group == Group::OrderCancel {
            lane.limits.try_take(now, urgency)?;
        } else if self.overall.free(now, Urgency::Ordinary) == 0 {
            return self.overall.try_take(now);
        } else {
            lane.limits.try_take(now, urgency)?;
            self.overall.try_take(now)?;
        }
        lane.breaker.leaves(now);
        Ok(())
    }

    /// A 429 holds its group for this long.
    pub(super) fn throttled(&mut self, group: Group, now: Timestamp, wait_ms: i64) {
        self.lane(group).breaker.throttled(now, wait_ms);
    }

    /// A usable answer closes the group's breaker once its hold is over.
    pub(super) fn succeeded(&mut self, group: Group, now: Timestamp) {
        self.lane(group).breaker.succeeded(now);
    }

    /// Any other end proves nothing.
    pub(super) fn failed(&mut self, group: Group) {
        self.lane(group).breaker.failed();
    }

    /// Full jitter below a ceiling that doubles with each repeat, milliseconds.
    pub(super) fn delay(&mut self, repeats: u32, base_ms: i64, max_ms: i64) -> Duration {
        let doubled = base_ms.saturating_mul(1 << repeats.min(16));
        let ms = self.dice.between(0, doubled.min(max_ms).max(1));
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    fn lane(&mut self, group: Group) -> &mut Lane {
        let share_bps = self.share_bps;
        (self.lanes.entry(group)).or_insert_with(|| Lane::new(group, share_bps))
    }
}

/// Returns the breaker that is shown for a group.
pub(super) const fn shown_as(group: Group) -> Kind {
    match group {
        Group::OrderInsert => Kind::Submit,
        Group::OrderCancel => Kind::Cancel,
        Group::OrderGet
        | Group::OrderLists
        | Group::Balances
        | Group::OwnTrades
        | Group::Transfers
        | Group::UserTrades => Kind::Account,
        Group::Ticker | Group::OrderBook | Group::Ohlcs | Group::Graph | Group::Public => {
            Kind::MarketData
        }
    }
}
