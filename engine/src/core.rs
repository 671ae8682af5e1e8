//! The one shape of every decider: input and time in, effects out.
//!
//! A core holds no clock, no socket and no thread. The same inputs at the same times give the same effects,
//! so a shell, a replay and a simulation can drive it alike. The loop a driver runs is:
//! call `handle` for each input; ask `deadline`; when that moment has come, call `wake`; carry out the outbox.

use crate::time::Timestamp;

/// A deterministic state machine: decides, never acts.
pub trait Core {
    /// What it can be told.
    type In;
    /// What it can ask its shell to do; a closed enum.
    type Effect;

    /// Takes one input at `now` and pushes the effects it wants, in order.
    fn handle(&mut self, now: Timestamp, input: Self::In, out: &mut Outbox<Self::Effect>);

    /// Returns when `wake` wants to be called next; `None` while nothing is pending.
    fn deadline(&self) -> Option<Timestamp>;

    /// Lets time-driven work happen; called at or after the deadline, harmless when early.
    fn wake(&mut self, now: Timestamp, out: &mut Outbox<Self::Effect>);
}

/// The effects of one turn, in the order in which they are to be carried out.
#[derive(Debug, PartialEq, Eq)]
pub struct Outbox<E> {
    effects: Vec<E>,
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Self {
            effects: Vec::new(),
        }
    }
}

impl<E> Outbox<E> {
    /// Adds an effect behind the others.
    pub fn push(&mut self, effect: E) {
        self.effects.push(effect);
    }

    /// Takes all effects out and leaves the outbox empty, keeping its memory.
    pub fn drain(&mut self) -> impl Iterator<Item = E> + '_ {
        self.effects.drain(..)
    }

    /// Returns the effects that wait.
    pub fn effects(&self) -> &[E] {
        &self.effects
    }

    /// Returns whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }
}
