//! Finds the name that was probably meant, and decides which unknown names may be printed at all.
//!
//! A secret can stand where a name belongs (`.env.live` with nothing but a key in a line), so only text that is built
//! like one of our names is ever shown.

use crate::names::{self, GENERIC_PREFIX, KEYS};
use crate::secrets::SecretName;

/// Typing mistakes that are forgiven in a name.
const EDITS_MAX: usize = 2;
/// Names this long forgive one more: `LIVE_TRADE` stands for `LIVE_TRADING`.
const LONG_NAME: usize = 12;
/// Longest name that is printed.
const NAME_LEN_MAX: usize = 64;
/// Longest word inside a printed name; no word of ours is longer.
const WORD_LEN_MAX: usize = 14;
/// A word that mixes letters and digits is printed up to this length; keys and hashes are longer.
const MIXED_WORD_LEN_MAX: usize = 5;

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let reach = |candidate: &str| EDITS_MAX + usize::from(candidate.len() >= LONG_NAME);
    known
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance > 0 && *distance <= reach(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns the dotted name that `path` probably means.
pub(crate) fn path(path: &str) -> Option<String> {
    let lower = path.to_lowercase();
    if let Some(key) = KEYS
        .iter()
        .find(|key| key.path == lower || key.env.to_lowercase() == lower)
    {
        return Some(key.path.to_owned());
    }
    let near = nearest(&lower, KEYS.iter().map(|key| key.path));
    near.map(str::to_owned).or_else(|| same_last_word(&lower))
}

/// Returns the only key whose last word is that of `path`: it was put into the wrong table.
fn same_last_word(path: &str) -> Option<String> {
    let last = path.rsplit('.').next()?;
    let mut found = KEYS
        .iter()
        .filter(|key| key.path.rsplit('.').next() == Some(last) || key.env.to_lowercase() == last);
    let first = found.next()?;
    found.next().is_none().then(|| first.path.to_owned())
}

/// Returns the table that `path` probably means.
pub(crate) fn section(path: &str) -> Option<String> {
    let sections = KEYS
        .iter()
        .flat_map(|key| key.path.match_indices('.').map(|(end, _)| &key.path[..end]));
    nearest(path, sections).map(str::to_owned)
}

/// Returns the environment name that `name` probably means.
pub(crate) fn env(name: &str) -> Option<String> {
    let upper = name.to_uppercase();
    let flat = KEYS
        .iter()
        .map(|key| key.env)
        .chain(SecretName::ALL.map(SecretName::env));
    if let Some(same) = flat.clone().find(|known| *known == upper) {
        return Some(same.to_owned());
    }
    if let Some(rest) = upper.strip_prefix(GENERIC_PREFIX) {
        return path(&rest.replace("__", ".").to_lowercase());
    }
    nearest(&upper, flat).map(str::to_owned)
}

/// Returns the safety setting that `name` is a misspelling of.
pub(crate) fn safety_env(name: &str) -> Option<String> {
    let safety = KEYS
        .iter()
        .filter(|key| key.path.starts_with(names::SAFETY_SECTION));
    nearest(&name.to_uppercase(), safety.map(|key| key.env)).map(str::to_owned)
}

/// Returns the name if it is built like one of ours, else an empty text.
pub(crate) fn printable(name: &str) -> &str {
    let upper = name.bytes().any(|b| b.is_ascii_uppercase());
    let lower = name.bytes().any(|b| b.is_ascii_lowercase());
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let words = name.split(['_', '.']).all(word_is_printable);
    let shown = name.len() <= NAME_LEN_MAX
        && starts
        && words
        && !(upper && lower)
        && name.bytes().all(allowed);
    if shown { name } else { "" }
}

fn word_is_printable(word: &str) -> bool {
    let mixed = word.bytes().any(|b| b.is_ascii_digit());
    word.len()
        <= if mixed {
            MIXED_WORD_LEN_MAX
        } else {
            WORD_LEN_MAX
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_find_their_key() {
        for (wrong, right) in [
            ("risk.max_openorders", Some("risk.max_open_orders")),
            ("log.levl", Some("log.level")),
            ("risk.dry_run", Some("safety.dry_run")),
            ("dry_run", Some("safety.dry_run")),
            ("DRY_RUN", Some("safety.dry_run")),
            ("max_spread_bps", Some("risk.max_spread_bps")),
            ("risk.nothing_like_it", None),
        ] {
            assert_eq!(path(wrong).as_deref(), right, "{wrong}");
        }
        for (wrong, right) in [
            ("DRYRUN", Some("DRY_RUN")),
            ("LIVE_TRADE", Some("LIVE_TRADING")),
            ("KILLSWITCH", Some("KILL_SWITCH")),
            ("PATH", None),
            ("HOME", None),
            ("RUST_LOG", None),
        ] {
            assert_eq!(safety_env(wrong).as_deref(), right, "{wrong}");
        }
        assert_eq!(env("BTCTURK_API_KEYS").as_deref(), Some("BTCTURK_API_KEY"));
        assert_eq!(env("BTCBOT__LOG__LEVL").as_deref(), Some("log.level"));
        assert_eq!(section("rsik").as_deref(), Some("risk"));
    }

    #[test]
    fn only_text_built_like_a_name_is_printed() {
        for name in [
            "MAX_OPEN_ORDERS",
            "risk.max_open_orders",
            "DRYRUN",
            "BTCBOT__LOG__LEVL",
        ] {
            assert_eq!(printable(name), name);
        }
        for key in KEYS {
            assert_eq!(printable(key.env), key.env);
            assert_eq!(printable(key.path), key.path);
        }
        for secret in [
            "3f2c9a1e-77aa-4b2e-9f51-0c2d4e6f8a9b",
            "Q0FOQVJZ",
            "c2VjcmV0c2VjcmV0c2VjcmV0",
            "0123456789ABCDEF",
            "A1B2C3D4E5F60718",
            "a1b2c3",
            "",
        ] {
            assert_eq!(printable(secret), "", "{secret}");
        }
    }
}
