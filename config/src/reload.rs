//! Compares a freshly read configuration with the running one: all of it may be taken over, or nothing.
//!
//! Lowering risk is easy, raising it is hard: limits tighten at any time and loosen only while nothing can be sent,
//! safety settings go to their safe side, pacing and log levels may change. Everything else waits for a restart.

use crate::kind::Plain;
use crate::load::Loaded;
use crate::names::{KEYS, Key, Reload};
use engine::money::Amount;

/// How far limits may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latitude {
    /// To the strict side only: orders may leave at any moment.
    Tighten,
    /// Both ways: the mode is `OBSERVE_ONLY` or stricter.
    Loosen,
}

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

/// A key whose values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The dotted key.
    pub key: &'static str,
    /// The running value.
    pub before: String,
    /// The new value.
    pub after: String,
    /// Why a reload would not take it over.
    pub refusal: Option<&'static str>,
}

/// Returns each key whose values differ, in the order of the table.
pub fn changes(old: &Loaded, new: &Loaded, latitude: Latitude) -> Vec<Change> {
    let change = |key: &'static Key| {
        let value = |loaded: &Loaded| Some(loaded.provenance().get(key.path)?.plain.clone());
        let (before, after) = (value(old)?, value(new)?);
        (before != after).then(|| Change {
            key: key.path,
            before: before.to_string(),
            after: after.to_string(),
            refusal: refusal(key, (&before, &after), latitude),
        })
    };
    KEYS.iter().filter_map(change).collect()
}

/// Compares the running configuration with a new one.
pub fn compare(old: &Loaded, new: &Loaded, latitude: Latitude) -> ReloadVerdict {
    let mut changed = Vec::new();
    let mut refused = Vec::new();
    for change in changes(old, new, latitude) {
        changed.push(change.key);
        refused.extend(change.refusal.map(|reason| (change.key, reason)));
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

fn refusal(
    key: &Key,
    (before, after): (&Plain, &Plain),
    latitude: Latitude,
) -> Option<&'static str> {
    let may_loosen = latitude == Latitude::Loosen;
    match key.reload {
        Reload::Hot => None,
        Reload::Cold => Some("needs a restart"),
        Reload::SafeAt(safe) => {
            (after.to_string() != safe).then_some("may only be made safer without a restart")
        }
        Reload::TightenDown => (!may_loosen && !is_below(after, before))
            .then_some("may only be raised while OBSERVE_ONLY or stricter"),
        Reload::TightenUp => (!may_loosen && !is_below(before, after))
            .then_some("may only be lowered while OBSERVE_ONLY or stricter"),
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
