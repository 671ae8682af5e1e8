//! Repeats of an event become one line with a count.
//!
//! Holds no clock and writes nothing. The one idea: while a storm lasts, every window ends with one line that carries
//! the fields of its last event, so that the latest state is always in the log.

use super::lines::Entry;
use engine::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use tracing::Level;

/// Lines of the same event that are written one by one within a window; what follows is held back.
pub(super) const SINGLE_MAX: u64 = 10;
/// Length of a window, milliseconds.
pub(super) const WINDOW_MS: i64 = 10_000;
/// Time between two looks for windows that are over, milliseconds.
const LOOK_MS: i64 = 1_000;
/// Different events that are watched for repeats; beyond it a line is written as it is.
pub(super) const KEYS_MAX: usize = 256;
/// Fields that measure, and so differ although a line tells the same.
const MEASURED: [&str; 4] = ["ts", "seen", "took_ms", "attempt"];

/// What makes two lines the same event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(String);

impl Key {
    /// Returns the key of a line; `None` for DEBUG and TRACE, which somebody asked for and gets whole.
    ///
    /// A warning or an error is known by its event and its actor, or the module it comes from, whatever else it says.
    /// INFO tells what changed: two lines are the same if they differ in measured fields only.
    pub(super) fn of(level: Level, fields: &[(String, Value)]) -> Option<Self> {
        let find = |name: &str| fields.iter().find(|(key, _)| key == name);
        let (kind, named): (_, Vec<_>) = match level {
            Level::ERROR | Level::WARN => {
                let actor = find("actor").or_else(|| find("target"));
                (
                    level.as_str(),
                    find("event").into_iter().chain(actor).collect(),
                )
            }
            Level::INFO => {
                let told = fields
                    .iter()
                    .filter(|(name, _)| !MEASURED.contains(&name.as_str()));
                (level.as_str(), told.collect())
            }
            // Levels are the library's type and cannot be matched by name.
            _ => return None,
        };
        let parts = named.iter().map(|(name, value)| format!("{name}={value}"));
        let parts: Vec<String> = std::iter::once(kind.to_owned()).chain(parts).collect();
        Some(Self(parts.join("\n")))
    }
}

/// The running window of one event.
struct Window {
    since: Timestamp,
    count: u64,
    /// The last line that was held back, and how many it stands for.
    held: Option<(String, u64)>,
}

/// The events of the last seconds.
#[derive(Default)]
pub(super) struct Collapse {
    windows: BTreeMap<Key, Window>,
    looked: Timestamp,
}

impl Collapse {
    /// Takes a line; what is to be written goes to `out`.
    pub(super) fn take(&mut self, entry: Entry, out: &mut Vec<String>) {
        if entry.at.ms_since(self.looked) >= LOOK_MS {
            self.look(entry.at, out);
        }
        let Some(key) = entry.key else {
            out.push(entry.line);
            return;
        };
        if self.windows.len() >= KEYS_MAX && !self.windows.contains_key(&key) {
            out.push(entry.line);
            return;
        }
        let window = self.windows.entry(key).or_insert(Window {
            since: entry.at,
            count: 0,
            held: None,
        });
        window.count += 1;
        if window.count <= SINGLE_MAX {
            out.push(entry.line);
        } else {
            let before = window.held.take().map_or(0, |(_, times)| times);
            window.held = Some((entry.line, before + 1));
        }
    }

    /// Ends the windows that are over. One that held lines back goes on: until it is quiet, all of its lines are held.
    pub(super) fn look(&mut self, now: Timestamp, out: &mut Vec<String>) {
        self.looked = now;
        self.windows.retain(|_, window| {
            if now.ms_since(window.since) < WINDOW_MS {
                return true;
            }
            let Some((line, times)) = window.held.take() else {
                return false;
            };
            out.push(repeated(line, times));
            window.since = now;
            window.count = SINGLE_MAX;
            true
        });
    }

    /// Gives out everything that is held back.
    pub(super) fn end(&mut self, out: &mut Vec<String>) {
        for window in self.windows.values_mut() {
            let held = window.held.take();
            out.extend(held.map(|(line, times)| repeated(line, times)));
        }
    }
}

/// Adds how many events a line stands for; one event needs no word.
fn repeated(line: String, times: u64) -> String {
    if times == 1 {
        return line;
    }
    // A JSON line is one object; the form for people begins with a time.
    match line
        .strip_suffix("}\n")
        .filter(|head| head.starts_with('{'))
    {
        Some(head) => format!("{head},\"repeated\":{times}}}\n"),
        None => format!("{} repeated={times}\n", line.trim_end_matches('\n')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn entry(event: &str, at_ms: i64, text: &str) -> Entry {
        let fields = [
            ("event".to_owned(), Value::from(event)),
            ("target".to_owned(), Value::from("actors::link")),
        ];
        Entry {
            at: START.plus_ms(at_ms),
            key: Key::of(Level::ERROR, &fields),
            line: format!("{{\"text\":\"{text}\"}}\n"),
        }
    }

    fn written(entries: impl IntoIterator<Item = Entry>) -> (Vec<String>, Collapse) {
        let (mut collapse, mut out) = (Collapse::default(), Vec::new());
        for entry in entries {
            collapse.take(entry, &mut out);
        }
        (out, collapse)
    }

    #[test]
    fn the_eleventh_of_ten_seconds_is_held_and_the_window_ends_with_the_last_one_and_a_count() {
        let storm = (0..40).map(|n| entry("broken", n * 100, &n.to_string()));
        let (mut out, mut collapse) = written(storm);
        assert_eq!(out.len(), 10, "{out:?}");
        out.clear();
        collapse.look(START.plus_ms(9_999), &mut out);
        assert_eq!(out, Vec::<String>::new());
        collapse.look(START.plus_ms(10_000), &mut out);
        assert_eq!(out, ["{\"text\":\"39\",\"repeated\":30}\n"]);
    }

    #[test]
    fn a_storm_costs_one_line_a_window_and_ends_when_it_is_quiet_for_one() {
        let storm = (0..120).map(|n| entry("broken", n * 500, &n.to_string()));
        let (out, mut collapse) = written(storm);
        // Ten lines of the first window, then one for each of the five windows behind it.
        assert_eq!(out.len(), 15, "{out:?}");
        let mut rest = Vec::new();
        collapse.look(START.plus_ms(70_000), &mut rest);
        assert_eq!(rest, ["{\"text\":\"119\",\"repeated\":20}\n"]);
        collapse.look(START.plus_ms(80_000), &mut rest);
        assert_eq!(rest.len(), 1, "a quiet window has no line");
        collapse.take(entry("broken", 80_001, "again"), &mut rest);
        assert_eq!(rest.len(), 2, "after a quiet window lines are single again");
    }

    #[test]
    fn ten_are_no_storm_and_the_end_gives_out_what_is_held() {
        let (out, mut collapse) = written((0..10).map(|n| entry("a", n, "x")));
        assert_eq!(out.len(), 10);
        let mut rest = Vec::new();
        collapse.end(&mut rest);
        assert_eq!(rest, Vec::<String>::new());
        collapse.take(entry("a", 10, "last"), &mut rest);
        assert_eq!(rest, Vec::<String>::new(), "the eleventh is held");
        collapse.end(&mut rest);
        assert_eq!(rest, ["{\"text\":\"last\"}\n"], "alone it needs no count");
    }

    #[test]
    fn a_full_table_writes_what_it_cannot_watch() {
        let many = (0..KEYS_MAX + 20).flat_map(|n| {
            let event = format!("event_{n}");
            (0..12).map(move |at| entry(&event, at, "x"))
        });
        let (out, collapse) = written(many);
        assert_eq!(out.len(), KEYS_MAX * 10 + 20 * 12);
        assert_eq!(collapse.windows.len(), KEYS_MAX);
    }

    #[test]
    fn errors_are_known_by_event_and_actor_and_info_by_all_it_tells() {
        let key = |level, fields: &[(&str, &str)]| {
            let fields: Vec<(String, Value)> = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
                .collect();
            Key::of(level, &fields)
        };
        let check = |level, one: &[(&str, &str)], other: &[(&str, &str)], expected: bool| {
            assert_eq!(
                key(level, one) == key(level, other),
                expected,
                "{one:?} {other:?}"
            );
        };
        let told = |event, n| [("event", event), ("actor", "feed"), ("code", n)];
        check(Level::ERROR, &told("a", "1"), &told("a", "2"), true);
        check(Level::WARN, &told("a", "1"), &told("a", "2"), true);
        check(Level::ERROR, &told("a", "1"), &told("b", "1"), false);
        check(
            Level::ERROR,
            &[("event", "a"), ("actor", "feed")],
            &[("event", "a"), ("actor", "book")],
            false,
        );
        check(Level::INFO, &told("a", "1"), &told("a", "2"), false);
        check(
            Level::INFO,
            &[("ts", "1"), ("event", "a"), ("seen", "5")],
            &[("ts", "2"), ("event", "a"), ("seen", "6")],
            true,
        );
        assert_eq!(key(Level::DEBUG, &told("a", "1")), None);
    }

    #[test]
    fn the_form_for_people_gets_its_count_at_the_end() {
        let line = "22:13:20.123 ERROR a n=3\n".to_owned();
        assert_eq!(repeated(line, 7), "22:13:20.123 ERROR a n=3 repeated=7\n");
    }
}
