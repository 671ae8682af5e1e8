//! Our share of the exchange's request quotas.
//!
//! The quotas are data of the codec, counting is the engine's; here is how much of each we use. Cancels may use what
//! is documented, everything else stays below it.

use btcturk::rest::quota::{Group, Quota, quota};
use engine::pacing::{Limits, Window};

/// Share of a documented quota that is used unless the operator says otherwise, basis points.
pub const SHARE_BPS: i64 = 8_000;
/// Basis points in a whole.
const WHOLE_BPS: i64 = 10_000;
/// DELETEs a minute that ordinary cancels leave alone, so that a kill never waits behind reprices.
const KILL_RESERVE_PER_MINUTE: usize = 80;
/// DELETEs a second that ordinary cancels leave alone.
const KILL_RESERVE_PER_SECOND: usize = 2;

/// Returns the limiter of a group that uses this share of its quota, basis points; cancels may use all of theirs.
pub fn limits(group: Group, share_bps: i64) -> Limits {
    let windows = quota(group)
        .iter()
        .map(|one| window(group, *one, share_bps));
    Limits::new(windows.collect())
}

fn window(group: Group, quota: Quota, share_bps: i64) -> Window {
    if group == Group::OrderCancel {
        let reserve = if quota.window_ms < 60_000 {
            KILL_RESERVE_PER_SECOND
        } else {
            KILL_RESERVE_PER_MINUTE
        };
        return Window::with_reserve(quota.window_ms, quota.count as usize, reserve);
    }
    let share = i64::from(quota.count) * share_bps.clamp(0, WHOLE_BPS) / WHOLE_BPS;
    let permits = usize::try_from(share).unwrap_or(0).max(1);
    Window::new(quota.window_ms, permits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::dice::Dice;
    use engine::pacing::Urgency;
    use engine::time::Timestamp;

    /// Takes all there is at one moment.
    fn taken(limits: &mut Limits, urgency: Urgency, at_ms: i64) -> u32 {
        let now = Timestamp::from_ms(at_ms);
        let mut count = 0;
        while limits.try_take(now, urgency).is_ok() {
            count += 1;
        }
        count
    }

    #[test]
    fn orders_use_four_fifths_of_their_quota() {
        let mut limits = limits(Group::OrderInsert, SHARE_BPS);
        assert_eq!(taken(&mut limits, Urgency::Ordinary, 0), 8);
        let minute: u32 = (1..60)
            .map(|s| taken(&mut limits, Urgency::Ordinary, s * 1_000))
            .sum();
        assert_eq!(minute + 8, 240);
    }

    #[test]
    fn the_operator_chooses_the_share_of_all_but_cancels() {
        let check = |group: Group, share_bps: i64, expected: u32| {
            let taken = taken(&mut limits(group, share_bps), Urgency::Reserved, 0);
            assert_eq!(taken, expected, "{group:?} {share_bps}");
        };
        check(Group::OrderInsert, 5_000, 5);
        check(Group::Balances, 1_000, 12);
        check(Group::OrderInsert, 0, 1);
        check(Group::OrderCancel, 1_000, 10);
    }

    /// A day of callers that ask for all there is, at drawn moments. No stretch of a documented length ever holds more
    /// than its count, which is stricter than windows that start with their first request.
    #[test]
    fn no_documented_quota_is_ever_exceeded() {
        const DAY_MS: i64 = 86_400_000;
        let groups = [
            Group::OrderInsert,
            Group::OrderCancel,
            Group::OrderGet,
            Group::OrderLists,
            Group::Balances,
            Group::OwnTrades,
            Group::Transfers,
            Group::UserTrades,
            Group::Ticker,
            Group::OrderBook,
            Group::Ohlcs,
            Group::Graph,
            Group::Public,
        ];
        for (seed, group) in (0..).zip(groups) {
            let (mut limits, mut dice) = (limits(group, SHARE_BPS), Dice::new(seed));
            let (mut now_ms, mut given) = (0, Vec::new());
            while now_ms < DAY_MS {
                for _ in 0..taken(&mut limits, Urgency::Reserved, now_ms) {
                    given.push(now_ms);
                }
                now_ms += dice.between(1, 4_000);
            }
            assert!(given.len() > 1_000, "{}: it gives permits", group.as_str());
            for one in quota(group) {
                let count = one.count as usize;
                let is_kept = |span: &[i64]| span[count] - span[0] >= one.window_ms;
                assert!(given.windows(count + 1).all(is_kept), "{}", group.as_str());
            }
        }
    }

    #[test]
    fn x_09_a_kill_has_eighty_cancels_left_after_a_minute_of_reprices() {
        let mut limits = limits(Group::OrderCancel, SHARE_BPS);
        let spent: u32 = (0..50)
            .map(|s| taken(&mut limits, Urgency::Ordinary, s * 1_000))
            .sum();
        let kept: u32 = (50..60)
            .map(|s| taken(&mut limits, Urgency::Reserved, s * 1_000))
            .sum();
        assert_eq!((spent, kept), (220, 80));
    }
}
