//! What happened, as one number, and as text for whoever asks.
//!
//! The number is a running FNV-1a hash over the same text: two runs of one seed agree if and only if their texts do.

use engine::time::Timestamp;
use std::collections::VecDeque;
use std::fmt::{self, Write};

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// Hashes text as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hash(u64);

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        Ok(())
    }
}

/// The trace of one run.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: Hash,
    kept: usize,
    lines: VecDeque<String>,
}

impl Trace {
    /// Starts a trace that keeps its last `kept` lines; zero keeps the hash only and costs little.
    pub const fn keeping(kept: usize) -> Self {
        Self {
            hash: Hash(FNV_OFFSET),
            kept,
            lines: VecDeque::new(),
        }
    }

    /// Takes note of something.
    pub(crate) fn note(&mut self, at: Timestamp, what: fmt::Arguments<'_>) {
        write!(self.hash, "{}{what}", at.0).expect("hashing cannot fail");
        if self.kept == 0 {
            return;
        }
        if self.lines.len() >= self.kept {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{} {what}", at.0));
    }

    /// Returns the hash of everything so far.
    pub const fn hash(&self) -> u64 {
        self.hash.0
    }

    /// Returns the last lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}
