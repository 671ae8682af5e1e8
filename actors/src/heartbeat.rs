//! The sign of life that another process can see: a file that changes every second while every thread moves.
//!
//! Whoever reads it compares it with what it read before and never with a clock: two processes need not agree on the
//! time.

use engine::ids::AccountTag;
use engine::time::Timestamp;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file in the state directory.
pub const NAME: &str = "heartbeat";
/// A heartbeat that has not changed for this long has stopped, milliseconds.
pub const STOPPED_MS: i64 = 10_000;

/// Returns where the heartbeat of a state directory is.
pub fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// Writes the next beat of an account.
///
/// # Errors
/// The directory takes no file.
pub fn write(dir: &Path, tag: AccountTag, now: Timestamp) -> io::Result<()> {
    fs::write(path(dir), format!("{tag} {}\n", now.0))
}

/// Reads a beat; `None` if there is none, or one that is being written.
pub fn read(dir: &Path) -> Option<(AccountTag, String)> {
    let text = fs::read_to_string(path(dir)).ok()?;
    let beat = text.strip_suffix('\n')?;
    let (tag, _) = beat.split_once(' ')?;
    Some((AccountTag::parse(tag).ok()?, beat.to_owned()))
}

/// Follows beats that are read one after the other.
#[derive(Debug)]
pub struct Pulse {
    last: String,
    changed_at: Timestamp,
}

impl Pulse {
    /// Begins with a beat that was just read.
    pub const fn new(beat: String, now: Timestamp) -> Self {
        Self {
            last: beat,
            changed_at: now,
        }
    }

    /// Takes what was read, and returns whether the heart beats. What cannot be read is no beat.
    pub fn is_beating(&mut self, beat: Option<&str>, now: Timestamp) -> bool {
        if let Some(beat) = beat
            && *beat != *self.last
        {
            beat.clone_into(&mut self.last);
            self.changed_at = now;
        }
        now.ms_since(self.changed_at) < STOPPED_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_reads_back_and_half_a_one_is_none() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let tag = AccountTag::from_entropy(9);
        assert_eq!(read(dir.path()), None);
        write(dir.path(), tag, Timestamp(7)).expect("writable");
        assert_eq!(read(dir.path()), Some((tag, format!("{tag} 7"))));
        for half in ["", "\n", "x", "abcd 7", "toolong 7\n"] {
            fs::write(path(dir.path()), half).expect("writable");
            assert_eq!(read(dir.path()), None, "{half:?}");
        }
    }

    #[test]
    fn only_a_change_is_a_sign_of_life() {
        let mut pulse = Pulse::new("a 1".to_owned(), Timestamp::from_ms(0));
        let mut check = |beat: Option<&str>, at_ms: i64, expected: bool| {
            let beats = pulse.is_beating(beat, Timestamp::from_ms(at_ms));
            assert_eq!(beats, expected, "{beat:?} at {at_ms}");
        };
        check(Some("a 1"), 9_999, true);
        check(None, 10_000, false);
        check(Some("a 1"), 10_000, false);
        check(Some("a 2"), 11_000, true);
        check(None, 20_999, true);
        check(None, 21_000, false);
    }
}
