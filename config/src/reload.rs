//! Compares a freshly read configuration with the running one: all of it may be taken over, or nothing.
//!
//! Lowering risk is easy, raising it is hard: limits may tighten, safety settings may go to their safe side, pacing
//! and log levels may change. Everything else waits for a restart.

use crate::kind::Plain;
use crate::load::Loaded;
use crate::names::{KEYS, Key, Reload};
use engine::money::Amount;

/// What a reload may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadVerdict {
    /// Nothing differs.
    Unchanged,
    /// The new configuration may be taken over.
    Apply {
        /// Keys that differ.
        keys: Vec<&'static str>,
        /// The credentials differ; they have to be tried before they replace the running ones.
        secrets: bool,
    },
    /// The running configuration stays.
    Refuse {
        /// Keys that must not change this way, each with the reason.
        keys: Vec<(&'static str, &'static str)>,
    },
}

/// Compares the running configuration with a new one.
pub fn compare(old: &Loaded, new: &Loaded) -> ReloadVerdict {
    let mut changed = Vec::new();
    let mut refused = Vec::new();
    for key in KEYS {
        let value = |loaded: &Loaded| {
            loaded
                .provenance()
                .get(key.path)
                .map(|setting| setting.plain.clone())
        };
        let (Some(before), Some(after)) = (value(old), value(new)) else {
            continue;
        };
        if before == after {
            continue;
        }
        changed.push(key.path);
        refused.extend(refusal(key, &before, &after).map(|reason| (key.path, reason)));
    }
    let secrets = !old.secrets().same_as(new.secrets());
    if !refused.is_empty() {
        ReloadVerdict::Refuse { keys: refused }
    } else if changed.is_empty() && !secrets {
        ReloadVerdict::Unchanged
    } else {
        ReloadVerdict::Apply {
            keys: changed,
            secrets,
        }
    }
}

fn refusal(key: &Key, before: &Plain, after: &Plain) -> Option<&'static str> {
    match key.reload {
        Reload::Hot => None,
        Reload::Cold => Some("needs a restart"),
        Reload::SafeAt(safe) => {
            (after.to_string() != safe).then_some("may only be made safer without a restart")
        }
        Reload::TightenDown => {
            (!is_below(after, before)).then_some("may only be lowered without a restart")
        }
        Reload::TightenUp => {
            (!is_below(before, after)).then_some("may only be raised without a restart")
        }
    }
}

fn is_below(low: &Plain, high: &Plain) -> bool {
    match (low, high) {
        (Plain::Int(low), Plain::Int(high)) => low < high,
        (Plain::Text(low), Plain::Text(high)) => {
            matches!((Amount::parse(low), Amount::parse(high)), (Ok(low), Ok(high)) if low < high)
        }
        (Plain::Bool(_) | Plain::Int(_) | Plain::Text(_) | Plain::List(_), _) => false,
    }
}
