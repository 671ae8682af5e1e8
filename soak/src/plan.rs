//! When which fault is on: calm and trouble take turns, the kind of trouble is drawn from the seed.
//!
//! Two thirds of each turn are calm and end with a pause of the load, in which frames sent and read are compared.

use engine::dice::Dice;
use serde::Serialize;
use simulator::profile::Profile;

/// Length of a turn in a long run, seconds.
const TURN_S: u64 = 30;
/// Shortest turn, seconds: a pause, some calm and some trouble.
const TURN_S_MIN: u64 = 6;
/// A short run still has this many turns.
const TURNS_MIN: u64 = 5;
/// What is switched on all the time: answers take as long as over the internet.
const ALWAYS: &[&str] = &["rest.latency_ms=5..40"];
/// Each trouble: its name and its switches. Light: a soak shows what lasts, the chaos tiers show what is rare.
const TROUBLES: [(&str, &[&str]); 6] = [
    ("stream resets", &["fault.ws_reset=0.3"]),
    ("502 pages", &["fault.html_502=0.05"]),
    ("429", &["fault.rest_429=0.05"]),
    ("lost replies", &["fault.reply_lost=0.02"]),
    (
        "slow replies",
        &["fault.reply_slow=0.1", "fault.reply_slow_ms=300..2000"],
    ),
    ("500 behind orders", &["fault.internal_error_accepted=0.03"]),
];

/// A stretch of trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// First second, counted from ready.
    pub from_s: u64,
    /// First second after it.
    pub to_s: u64,
    /// What goes wrong.
    pub name: &'static str,
    #[serde(skip)]
    switches: &'static [&'static str],
}

/// The schedule of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Stretches of trouble in their order.
    pub troubles: Vec<Trouble>,
    /// Seconds at which frames are compared: the load pauses.
    pub pauses: Vec<u64>,
}

impl Plan {
    /// Draws the schedule of a run of so many seconds.
    pub fn draw(seed: u64, seconds: u64) -> Self {
        let mut dice = Dice::new(seed);
        let turn = (seconds / TURNS_MIN).clamp(TURN_S_MIN, TURN_S);
        let (mut troubles, mut pauses) = (Vec::new(), Vec::new());
        for start in (0..seconds / turn).map(|number| number * turn) {
            let from_s = start + turn * 2 / 3;
            pauses.push(from_s);
            let last = i64::try_from(TROUBLES.len()).expect("a short table") - 1;
            let place = usize::try_from(dice.between(0, last)).expect("not negative");
            let (name, switches) = TROUBLES[place];
            troubles.push(Trouble {
                from_s,
                to_s: start + turn,
                name,
                switches,
            });
        }
        Self { troubles, pauses }
    }

    /// Returns the exchange's switches at a second.
    pub fn profile(&self, at_s: u64) -> Profile {
        let now = |trouble: &&Trouble| (trouble.from_s..trouble.to_s).contains(&at_s);
        let switches = self.troubles.iter().find(now);
        profile(switches.map_or(&[], |trouble| trouble.switches))
    }
}

/// Returns the switches of a healthy exchange.
pub fn calm() -> Profile {
    profile(&[])
}

fn profile(switches: &[&str]) -> Profile {
    let mut profile = Profile::faithful();
    for switch in ALWAYS.iter().chain(switches) {
        profile.set(switch).expect("the table holds known switches");
    }
    profile
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_third_of_a_run_is_trouble_and_every_kind_is_drawn_in_time() {
        let plan = Plan::draw(1, 3_600);
        let spent: u64 = (plan.troubles.iter())
            .map(|one| one.to_s - one.from_s)
            .sum();
        assert_eq!(spent, 1_200);
        let kinds: BTreeSet<&str> = plan.troubles.iter().map(|one| one.name).collect();
        assert_eq!(kinds.len(), TROUBLES.len());
        assert_eq!(plan.pauses.len(), plan.troubles.len());
    }

    #[test]
    fn the_switches_follow_the_schedule() {
        let plan = Plan::draw(7, 600);
        assert_eq!(plan, Plan::draw(7, 600));
        assert_ne!(plan, Plan::draw(8, 600));
        assert_eq!(plan.profile(0), calm());
        assert_ne!(plan.profile(plan.troubles[0].from_s), calm());
        assert_eq!(plan.profile(plan.troubles[0].to_s), calm());
    }
}
