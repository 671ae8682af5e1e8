//! Addresses that outlive the actor behind them.
//!
//! A restarted actor has a new mailbox; a `Link` is the stable name under which others reach whichever instance
//! lives now. Every send has an answer that must be looked at: a message that could not be handed over is a fact.

use actix::dev::SendError;
use actix::{Message, Recipient};
use engine::time::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// Wraps a core's input as an actor message, with when the frame behind it was read off its socket; `None` where no
/// frame is behind it or nobody asks.
#[derive(Debug)]
pub struct Tell<T>(pub T, pub Option<Timestamp>);

impl<T: 'static> Message for Tell<T> {
    type Result = ();
}

/// What became of a send.
#[must_use = "a message that was not handed over is a fact that somebody must act on"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// In the mailbox.
    Delivered,
    /// The mailbox is at its limit.
    Full,
    /// No instance lives behind the link.
    Down,
}

/// A stable address of one actor.
pub struct Link<T: Send + 'static> {
    cell: Arc<RwLock<Option<Recipient<Tell<T>>>>>,
    full: Arc<AtomicU64>,
}

impl<T: Send + 'static> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self {
            cell: Arc::clone(&self.cell),
            full: Arc::clone(&self.full),
        }
    }
}

impl<T: Send + 'static> Default for Link<T> {
    fn default() -> Self {
        Self {
            cell: Arc::new(RwLock::new(None)),
            full: Arc::default(),
        }
    }
}

impl<T: Send + 'static> Link<T> {
    /// Hands a message over, or says why not.
    pub fn send(&self, message: T) -> Sent {
        self.send_read(message, None)
    }

    /// Hands a message over with when its frame was read, or says why not.
    pub fn send_read(&self, message: T, read_at: Option<Timestamp>) -> Sent {
        let cell = self
            .cell
            .read()
            .expect("no holder of the link's lock can panic");
        match cell
            .as_ref()
            .map(|recipient| recipient.try_send(Tell(message, read_at)))
        {
            Some(Ok(())) => Sent::Delivered,
            Some(Err(SendError::Full(_))) => self.is_full(),
            Some(Err(SendError::Closed(_))) | None => Sent::Down,
        }
    }

    /// Hands a message over, or gives it back with the reason; for a sender that can wait.
    ///
    /// # Errors
    /// `Full` or `Down`, with the message.
    pub fn try_hand_over(&self, message: Tell<T>) -> Result<(), (Sent, Tell<T>)> {
        let cell = self
            .cell
            .read()
            .expect("no holder of the link's lock can panic");
        let Some(recipient) = cell.as_ref() else {
            return Err((Sent::Down, message));
        };
        match recipient.try_send(message) {
            Ok(()) => Ok(()),
            Err(SendError::Full(back)) => Err((self.is_full(), back)),
            Err(SendError::Closed(back)) => Err((Sent::Down, back)),
        }
    }

    fn is_full(&self) -> Sent {
        self.full.fetch_add(1, Ordering::Relaxed);
        Sent::Full
    }

    /// Returns how many messages a full mailbox has not taken so far.
    pub fn fulls(&self) -> u64 {
        self.full.load(Ordering::Relaxed)
    }

    /// Returns whether an instance lives behind the link.
    pub fn is_up(&self) -> bool {
        self.cell
            .read()
            .expect("no holder of the link's lock can panic")
            .is_some()
    }

    /// Puts a living instance behind the link.
    pub fn publish(&self, recipient: Recipient<Tell<T>>) {
        *self
            .cell
            .write()
            .expect("no holder of the link's lock can panic") = Some(recipient);
    }

    /// Takes the instance away: sends are `Down` until the next one is published.
    pub fn clear(&self) {
        *self
            .cell
            .write()
            .expect("no holder of the link's lock can panic") = None;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Tell;
    use actix::{Actor, Context, Handler};
    use tokio::sync::mpsc;

    /// Says again what a link delivers to it.
    pub(crate) struct Ear<M>(pub(crate) mpsc::UnboundedSender<M>);

    impl<M: Unpin + 'static> Actor for Ear<M> {
        type Context = Context<Self>;
    }

    impl<M: Send + Unpin + 'static> Handler<Tell<M>> for Ear<M> {
        type Result = ();

        fn handle(&mut self, message: Tell<M>, _ctx: &mut Context<Self>) {
            self.0.send(message.0).expect("the test listens");
        }
    }
}
