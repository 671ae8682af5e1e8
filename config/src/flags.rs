//! The highest layer: flags of the command line.
//!
//! A flag may set any key, but a safety setting only to its safe side: arming is written down, not typed.

use crate::errors::{Origin, Place, Problem};
use crate::layers::Reading;
use crate::load::Flag;
use crate::names::{self, Key, Reload};
use crate::secrets;
use crate::suggest;

/// Reads the flags into the next layer; a later flag wins over an earlier one.
pub(crate) fn read(reading: &mut Reading, flags: &[Flag]) {
    let rank = reading.open_layer();
    for flag in flags {
        let (name, path, text) = match flag {
            Flag::DryRun => ("--dry-run", "safety.dry_run", "true"),
            Flag::SafeMode => ("--safe-mode", "safety.safe_mode", "true"),
            Flag::KillSwitch => ("--kill-switch", "safety.kill_switch", "true"),
            Flag::Set(pair) => match pair.split_once('=') {
                Some((path, text)) => ("--set", path, text),
                None => {
                    let place = Place::whole(rank, "flag --set");
                    reading
                        .problems
                        .push(Problem::new(place, "", "expected section.key=value"));
                    continue;
                }
            },
        };
        set(reading, rank, name, path, text);
    }
}

fn set(reading: &mut Reading, rank: usize, name: &'static str, path: &str, text: &str) {
    let origin = Origin::Flag { name };
    let place = Place::of(rank, &origin);
    let Some(key) = names::by_path(path) else {
        let shown = suggest::printable(path);
        let problem = if secrets::is_secret_path(path) {
            Problem::new(place, shown, "a secret is never taken from a flag")
        } else {
            Problem::new(place, shown, "unknown key").suggest(suggest::path(path))
        };
        reading.problems.push(problem);
        return;
    };
    let plain = key.kind.read_text(text);
    if plain
        .as_ref()
        .is_some_and(|plain| loosens(key, &plain.to_string()))
    {
        let message = "a flag may only make this safer; set it in a file or in the environment";
        reading.problems.push(Problem::new(place, path, message));
        return;
    }
    if let Some(layer) = reading.layers.last_mut() {
        layer.entries.remove(key.path);
    }
    reading.set(key, path, plain, origin, place);
}

fn loosens(key: &Key, value: &str) -> bool {
    match key.reload {
        Reload::SafeAt(safe) => value != safe,
        Reload::Cold | Reload::Hot | Reload::TightenDown | Reload::TightenUp => false,
    }
}
