//! Our share of the exchange's request quotas.
//!
//! The quotas are data of the codec, counting is the engine's; here is how much of each we use. Cancels may use what
//! is documented, everything else stays below it.

use btcturk::rest::quota::{Group, Quota, quota};
use engine::pacing::{Limits, Window};

/// Share of a documented quota that is used, percent.
const SHARE_PERCENT: u32 = 80;
/// DELETEs a minute that ordinary cancels leave alone, so that a kill never waits behind reprices.
const KILL_RESERVE_PER_MINUTE: usize = 80;
/// DELETEs a second that ordinary cancels leave alone.
const KILL_RESERVE_PER_SECOND: usize = 2;

/// Returns the limiter of a group.
pub fn limits(group: Group) -> Limits {
    let windows = quota(group).iter().map(|one| window(group, *one));
    Limits::new(windows.collect())
}

fn window(group: Group, quota: Quota) -> Window {
    if group == Group::OrderCancel {
        let reserve = if quota.window_ms < 60_000 {
            KILL_RESERVE_PER_SECOND
        } else {
            KILL_RESERVE_PER_MINUTE
        };
        return Window::with_reserve(quota.window_ms, quota.count as usize, reserve);
    }
    let share = (quota.count * SHARE_PERCENT / 100).max(1);
    Window::new(quota.window_ms, share as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut limits = limits(Group::OrderInsert);
        assert_eq!(taken(&mut limits, Urgency::Ordinary, 0), 8);
        let minute: u32 = (1..60)
            .map(|s| taken(&mut limits, Urgency::Ordinary, s * 1_000))
            .sum();
        assert_eq!(minute + 8, 240);
    }

    #[test]
    fn x_09_a_kill_has_eighty_cancels_left_after_a_minute_of_reprices() {
        let mut limits = limits(Group::OrderCancel);
        let spent: u32 = (0..50)
            .map(|s| taken(&mut limits, Urgency::Ordinary, s * 1_000))
            .sum();
        let kept: u32 = (50..60)
            .map(|s| taken(&mut limits, Urgency::Reserved, s * 1_000))
            .sum();
        assert_eq!((spent, kept), (220, 80));
    }
}
