//! Reads flat names: the process environment and dotenv files.
//!
//! Both use the same names; they differ in what an unknown one means. A dotenv file is all ours, so every unknown
//! name in it is an error. In the environment only names that can mean us are.

use crate::errors::{Origin, Place, Problem};
use crate::layers::Reading;
use crate::names::{self, GENERIC_PREFIX, Key, OWN_PREFIXES};
use crate::retired;
use crate::secret_sources::Candidate;
use crate::secrets::SecretName;
use crate::suggest;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Shortest name for which a near miss in the environment is worth a warning; shorter ones hit by chance.
const WARNED_NAME_LEN_MIN: usize = 9;

/// What a flat name is.
enum Named {
    Secret(SecretName),
    Key(&'static Key),
    Retired(&'static str),
    Unknown,
}

fn classify(name: &str) -> Named {
    if let Some(secret) = SecretName::ALL
        .into_iter()
        .find(|secret| secret.env() == name)
    {
        Named::Secret(secret)
    } else if let Some(key) = names::by_env(name) {
        Named::Key(key)
    } else if let Some(next) = retired::successor(name) {
        Named::Retired(next)
    } else {
        Named::Unknown
    }
}

fn retired_problem(place: Place, name: &str, next: &str) -> Problem {
    let message = if next.is_empty() {
        "retired name without a successor; remove it".to_owned()
    } else {
        format!("retired name; use {next}")
    };
    Problem::new(place, name, message)
}

fn unknown_problem(place: Place, name: &str, suggestion: Option<String>) -> Problem {
    let shown = suggest::printable(name);
    let message = match shown.strip_prefix(GENERIC_PREFIX) {
        Some(rest) => format!("unknown key {}", rest.replace("__", ".").to_lowercase()),
        None => "unknown name".to_owned(),
    };
    Problem::new(place, shown, message).suggest(suggestion)
}

/// Reads the process environment into the next layer.
pub(crate) fn read_environment(reading: &mut Reading, env: &BTreeMap<OsString, OsString>) {
    let rank = reading.open_layer();
    for (name, value) in env {
        let Some(name) = name.to_str() else { continue };
        let place = Place::whole(rank, "environment");
        let named = classify(name);
        if matches!(named, Named::Unknown) {
            unknown_in_environment(reading, place, name);
            continue;
        }
        let Some(text) = value.to_str() else {
            reading
                .problems
                .push(Problem::new(place, name, "expected UTF-8 text"));
            continue;
        };
        let origin = Origin::Environment {
            name: name.to_owned(),
        };
        known(reading, named, name, text, &origin, place);
    }
}

fn unknown_in_environment(reading: &mut Reading, place: Place, name: &str) {
    let ours = OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if ours {
        reading
            .problems
            .push(unknown_problem(place, name, suggest::env(name)));
    } else if let Some(flag) = suggest::safety_env(name) {
        reading
            .problems
            .push(unknown_problem(place, name, Some(flag)));
    } else if name.len() >= WARNED_NAME_LEN_MIN
        && let Some(near) = suggest::env(name)
    {
        reading.warnings.push(format!(
            "environment: a name close to {near} is set and has no effect"
        ));
    }
}

/// Takes over a name that means something. An empty value means *not set*.
fn known(
    reading: &mut Reading,
    named: Named,
    name: &str,
    text: &str,
    origin: &Origin,
    place: Place,
) {
    match named {
        Named::Secret(secret) if !text.trim_end_matches(['\r', '\n']).is_empty() => {
            reading.secrets.push(Candidate::flat(secret, text, origin));
        }
        Named::Key(key) if !text.is_empty() => {
            reading.set(key, name, key.kind.read_text(text), origin.clone(), place);
        }
        Named::Secret(_) | Named::Key(_) => {}
        Named::Retired(next) => reading.problems.push(retired_problem(place, name, next)),
        Named::Unknown => reading
            .problems
            .push(unknown_problem(place, name, suggest::env(name))),
    }
}

/// Reads a dotenv document into the next layer. `shown` is how its path is printed.
pub(crate) fn read_dotenv(reading: &mut Reading, shown: &str, text: &str) {
    let rank = reading.open_layer();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let origin = Origin::Dotenv {
            path: shown.to_owned(),
            line: number,
        };
        let place = Place::of(rank, &origin);
        match dotenv_line(line) {
            Ok(None) => {}
            Ok(Some((name, _))) if seen.contains_key(name) => {
                let message = format!("set twice; the first is line {}", seen[name]);
                reading
                    .problems
                    .push(Problem::new(place, suggest::printable(name), message));
            }
            Ok(Some((name, value))) => {
                seen.insert(name, number);
                known(reading, classify(name), name, value, &origin, place);
            }
            Err(message) => reading.problems.push(Problem::new(place, "", message)),
        }
    }
}

/// Takes one line apart; `None` for an empty line or a comment.
fn dotenv_line(line: &str) -> Result<Option<(&str, &str)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (name, value) = line.split_once('=').ok_or("expected NAME=value")?;
    let named = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !named {
        return Err("expected NAME=value without spaces around the equals sign");
    }
    Ok(Some((name, dotenv_value(value)?)))
}

/// Returns the value without quotes and comment. Nothing is interpolated or unescaped.
fn dotenv_value(value: &str) -> Result<&str, &'static str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inner, behind) = rest.split_once(quote).ok_or("the quote is not closed")?;
            let behind = behind.trim_start();
            if behind.is_empty() || behind.starts_with('#') {
                return Ok(inner);
            }
            return Err("expected nothing but a comment behind the closing quote");
        }
    }
    if value.starts_with(char::is_whitespace) {
        return Err("expected NAME=value without spaces around the equals sign");
    }
    let comment = value
        .char_indices()
        .find(|(at, c)| *c == '#' && (*at == 0 || value[..*at].ends_with(char::is_whitespace)));
    Ok(comment.map_or(value, |(at, _)| &value[..at]).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotenv_lines_are_read_as_written() {
        for (line, expected) in [
            ("A=b", Ok(Some(("A", "b")))),
            ("export A=b", Ok(Some(("A", "b")))),
            ("A=b # note", Ok(Some(("A", "b")))),
            ("A=b#c", Ok(Some(("A", "b#c")))),
            ("A=#c", Ok(Some(("A", "")))),
            ("A=\"b # c\" # note", Ok(Some(("A", "b # c")))),
            ("A='$HOME'", Ok(Some(("A", "$HOME")))),
            ("A=b==", Ok(Some(("A", "b==")))),
            ("A=", Ok(Some(("A", "")))),
            ("  # note", Ok(None)),
            ("", Ok(None)),
            ("A", Err("expected NAME=value")),
            (
                "A = b",
                Err("expected NAME=value without spaces around the equals sign"),
            ),
            (
                "A= b",
                Err("expected NAME=value without spaces around the equals sign"),
            ),
            ("A='b", Err("the quote is not closed")),
            (
                "A='b'c",
                Err("expected nothing but a comment behind the closing quote"),
            ),
            (
                "1A=b",
                Err("expected NAME=value without spaces around the equals sign"),
            ),
        ] {
            assert_eq!(dotenv_line(line), expected, "{line}");
        }
    }
}
