//! Everything that strikes at random: the switches of the simulated exchange and the rates of the seeds.
//!
//! Both lists are read off the types that act on them, so an injector that is added is missing here never.

use crate::plan::Faults;
use simulator::profile::SWITCHES;
use std::collections::BTreeSet;

/// Returns the names as the catalogue writes them.
pub(super) fn all() -> BTreeSet<String> {
    let of_exchange = SWITCHES.iter().filter(|name| is_injector(name));
    let of_exchange = of_exchange.map(|name| (*name).to_owned());
    let rates = serde_json::to_value(Faults::default()).expect("a struct of numbers is an object");
    let rates = rates.as_object().cloned().unwrap_or_default();
    let of_seeds = rates.into_iter().map(|(name, _)| format!("seeds.{name}"));
    of_exchange.chain(of_seeds).collect()
}

/// A switch that says how long or how much belongs to the one that says how often.
fn is_injector(name: &str) -> bool {
    name.starts_with("fault.") && !name.ends_with("_ms")
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn both_kinds_of_injectors_are_listed() {
        let all = all();
        for name in [
            "fault.reply_lost",
            "fault.ws_reset",
            "seeds.crash",
            "seeds.reply_lost",
        ] {
            assert!(all.contains(name), "{name}: {all:?}");
        }
        assert!(!all.contains("fault.reply_slow_ms"));
    }
}
