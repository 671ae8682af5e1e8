//! Questions that come again: the same key gets the same answer, and nothing is done a second time.
//!
//! For whoever lost the answer and cannot know what became of the question. It remembers answers for five minutes, and
//! forgets the oldest of them when there are many. A key is its user's own.

use super::wire::{Answer, Request, Verdict};
use engine::time::Timestamp;
use serde_json::Value;
use std::collections::VecDeque;

/// Answers that are remembered; the oldest is forgotten first.
const KEPT_MAX: usize = 64;
/// How long one is remembered, milliseconds.
pub(super) const KEPT_MS: i64 = 300_000;

/// A key, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) uid: u32,
    pub(super) text: String,
}

struct Known {
    key: Key,
    at: Timestamp,
    request: Request,
    /// Nothing while the first question is being answered.
    answer: Option<Answer>,
}

/// The answers of the last minutes.
#[derive(Default)]
pub(super) struct Answers(VecDeque<Known>);

impl Answers {
    /// Returns what is said to a question that came before; nothing for one that is to be carried out.
    pub(super) fn recall(
        &mut self,
        now: Timestamp,
        key: &Key,
        request: &Request,
    ) -> Option<Answer> {
        self.0.retain(|known| now.ms_since(known.at) < KEPT_MS);
        let Some(known) = self.0.iter().find(|known| known.key == *key) else {
            self.begin(now, key, request);
            return None;
        };
        if known.request != *request {
            let text = "key: it was used for another question; take a new one";
            return Some(Answer::bad(text));
        }
        let busy = || {
            let text = "the question with this key is being answered; ask again";
            Answer::new(Verdict::Busy, text, Value::Null)
        };
        Some(known.answer.clone().unwrap_or_else(busy))
    }

    fn begin(&mut self, now: Timestamp, key: &Key, request: &Request) {
        if self.0.len() >= KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Known {
            key: key.clone(),
            at: now,
            request: request.clone(),
            answer: None,
        });
    }

    /// Remembers what a question came to.
    pub(super) fn keep(&mut self, key: &Key, answer: &Answer) {
        if let Some(known) = self.0.iter_mut().find(|known| known.key == *key) {
            known.answer = Some(answer.clone());
        }
    }
}
