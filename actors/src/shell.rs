//! The one actor type: any core inside actix.
//!
//! A turn is: stamp the time once, call the core, carry out its effects in order, re-arm the timer. All that differs
//! between actors is their `Perform`, one match over one closed effect enum.

use crate::clock::Clock;
use crate::link::Tell;
use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};
use engine::core::{Core, Outbox};
use engine::time::Timestamp;
use std::time::Duration;

/// Shortest wait of a shell's timer, microseconds.
const TIMER_US_MIN: u64 = 1_000;

/// Carries out the effects of one core.
pub trait Perform: Unpin + 'static {
    /// The core whose effects these are.
    type Core: Core + Unpin + 'static;

    /// Hears, when the core has taken a message in and before its effects, when the frame behind that message was read
    /// off its socket; `None` for every other message and for the timer.
    fn heard(&mut self, _clock: &Clock, _read_at: Option<Timestamp>) {}

    /// Carries out one effect; must not block.
    fn perform(&mut self, now: Timestamp, effect: <Self::Core as Core>::Effect);
}

/// A core with its port, a clock and a timer.
pub struct Shell<P: Perform> {
    core: P::Core,
    port: P,
    clock: Clock,
    capacity: usize,
    outbox: Outbox<<P::Core as Core>::Effect>,
    timer: Option<(Timestamp, SpawnHandle)>,
}

impl<P: Perform> Shell<P>
where
    <P::Core as Core>::Effect: Unpin,
{
    /// Makes a shell; `capacity` is the mailbox's limit in messages.
    pub fn new(core: P::Core, port: P, clock: Clock, capacity: usize) -> Self {
        Self {
            core,
            port,
            clock,
            capacity,
            outbox: Outbox::default(),
            timer: None,
        }
    }

    fn finish(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        while !self.outbox.is_empty() {
            let effects: Vec<_> = self.outbox.drain().collect();
            for effect in effects {
                self.port.perform(now, effect);
            }
        }
        self.arm(now, ctx);
    }

    /// A later deadline leaves the armed timer alone: it fires early, finds nothing to do and is armed anew.
    fn arm(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        let Some(deadline) = self.core.deadline() else {
            return;
        };
        if let Some((armed, handle)) = self.timer {
            if armed <= deadline {
                return;
            }
            ctx.cancel_future(handle);
        }
        // The timer wheel knows milliseconds: a shorter wait would fire early and be armed again at once.
        let wait_us = u64::try_from(deadline.0.saturating_sub(now.0))
            .unwrap_or(0)
            .max(TIMER_US_MIN);
        let handle = ctx.run_later(Duration::from_micros(wait_us), Self::fire);
        self.timer = Some((deadline, handle));
    }

    fn fire(&mut self, ctx: &mut Context<Self>) {
        self.timer = None;
        let now = self.clock.now();
        if self.core.deadline().is_some_and(|deadline| deadline <= now) {
            self.core.wake(now, &mut self.outbox);
            self.port.heard(&self.clock, None);
        }
        self.finish(now, ctx);
    }
}

impl<P: Perform> Actor for Shell<P>
where
    <P::Core as Core>::Effect: Unpin,
{
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
        let now = self.clock.now();
        self.core.wake(now, &mut self.outbox);
        self.finish(now, ctx);
    }
}

impl<P: Perform> Handler<Tell<<P::Core as Core>::In>> for Shell<P>
where
    <P::Core as Core>::Effect: Unpin,
    <P::Core as Core>::In: 'static,
{
    type Result = ();

    fn handle(&mut self, message: Tell<<P::Core as Core>::In>, ctx: &mut Self::Context) {
        let now = self.clock.now();
        let Tell(input, read_at) = message;
        self.core.handle(now, input, &mut self.outbox);
        self.port.heard(&self.clock, read_at);
        self.finish(now, ctx);
    }
}
