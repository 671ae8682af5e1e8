//! The hand that trips: from a thread of its own, half of the times past the mailboxes and half through one.

use super::exchange::Exchange;
use crate::panics::base::Base;
use actors::gate::{Flag, Gate};
use actors::link::Sent;
use engine::dice::Dice;
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::RiskIn;
use engine::time::Timestamp;
use std::cell::Cell;
use std::thread;
use std::time::Duration;

/// Time between two looks while something is awaited.
const LOOK: Duration = Duration::from_micros(100);
/// Longest wait for the first orders, for the gate to open or to shut, and for the last order's end, milliseconds.
const PATIENCE_MS: i64 = 60_000;
/// How long the gate stays shut after a trip: an order that may not leave would.
const HOLD: Duration = Duration::from_millis(60);
/// From the opening to the next trip, milliseconds: while the orders that waited for it leave.
const PAUSE_MS: (i64, i64) = (5, 120);

/// What one trip showed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip {
    /// It went through the RiskGate's mailbox.
    pub(super) is_through: bool,
    /// From the trip to the last look that saw the gate open, microseconds; the port's or the hand's own.
    pub(super) close_us: i64,
    /// From the trip to the hand's first look that saw it shut, microseconds: what the machine's scheduler adds is in it.
    pub(super) seen_shut_us: i64,
    /// From the trip to the last first byte that the port let through, microseconds; negative for one before it.
    pub(super) post_us: i64,
}

/// What the last kill showed.
pub(super) struct End {
    pub(super) open_before: usize,
    pub(super) open_after: usize,
    pub(super) took_ms: i64,
}

/// The hand.
pub(super) struct Hand<'a> {
    pub(super) base: &'a Base,
    pub(super) exchange: &'a Exchange,
    pub(super) dice: Dice,
}

impl Hand<'_> {
    fn gate(&self) -> Gate {
        self.base.owner.gate()
    }

    fn until(&self, what: &str, is_true: impl Fn() -> bool) -> Result<(), String> {
        let start = self.base.clock.now();
        while !is_true() {
            if self.base.clock.now().ms_since(start) > PATIENCE_MS {
                return Err(format!(
                    "{what}: not within {PATIENCE_MS} ms; raised: {:?}",
                    self.gate().raised()
                ));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Waits until orders leave.
    pub(super) fn wait_for_orders(&self) -> Result<(), String> {
        self.until("the first order", || self.exchange.posts() > 0)
    }

    /// Trips so many times.
    pub(super) fn trip(&mut self, times: u32) -> Result<Vec<Trip>, String> {
        let trips = (0..times).map(|number| {
            let gate = self.gate();
            self.until("an open gate", || gate.is_open_for_submit())?;
            let (low, high) = PAUSE_MS;
            let pause_ms = u64::try_from(self.dice.between(low, high)).unwrap_or(0);
            thread::sleep(Duration::from_millis(pause_ms));
            if number % 2 == 0 {
                self.trip_through()
            } else {
                self.trip_past()
            }
        });
        trips.collect()
    }

    /// As the control socket and the signals do it: the word first, nothing else.
    fn trip_past(&self) -> Result<Trip, String> {
        let gate = self.gate();
        let at = self.base.clock.now();
        gate.kill(ModeCode::OperatorKill);
        let trip = self.watch(at, false)?;
        // The reset of this rehearsal; a process goes through its latch.
        let _causes = gate.take_causes();
        let lowered = self.base.owner.lower(Flag::Kill, gate.serial());
        lowered.map_err(|error| error.to_string()).map(|()| trip)
    }

    /// As a core does it that is told of a cause: behind everything that waits in the mailbox.
    fn trip_through(&self) -> Result<Trip, String> {
        let (code, scope) = (ModeCode::ClockSkew, Scope::Global);
        let at = self.base.clock.now();
        self.tell(RiskIn::Raise(code, scope, Mode::ObserveOnly))?;
        let trip = self.watch(at, true)?;
        self.tell(RiskIn::Clear(code, scope))?;
        Ok(trip)
    }

    fn watch(&self, at: Timestamp, is_through: bool) -> Result<Trip, String> {
        let gate = self.gate();
        let open_us = Cell::new(0);
        let is_shut = || {
            let is_shut = !gate.is_open_for_submit();
            if !is_shut {
                open_us.set(self.base.clock.now().0 - at.0);
            }
            is_shut
        };
        self.until("a shut gate", is_shut)?;
        let seen_shut_us = self.base.clock.now().0 - at.0;
        thread::sleep(HOLD);
        let post_us = gate.admitted_at().map_or(0, |last| last.0 - at.0);
        Ok(Trip {
            is_through,
            close_us: open_us.get().max(post_us).max(0),
            seen_shut_us,
            post_us,
        })
    }

    fn tell(&self, message: RiskIn) -> Result<(), String> {
        match self.base.links.risk.send(message) {
            Sent::Delivered => Ok(()),
            Sent::Full | Sent::Down => Err("the gate's mailbox does not take a trip".to_owned()),
        }
    }

    /// Kills through the mailbox and waits for the end of every own order; the flood goes on.
    pub(super) fn kill(&self) -> Result<End, String> {
        self.until("an order that rests", || self.exchange.open() > 0)?;
        let (open_before, at) = (self.exchange.open(), self.base.clock.now());
        self.tell(RiskIn::Raise(
            ModeCode::OperatorKill,
            Scope::Global,
            Mode::KillSwitch,
        ))?;
        // What is left is told by the count.
        let _ended = self.until("the end of every order", || self.exchange.open() == 0);
        Ok(End {
            open_before,
            open_after: self.exchange.open(),
            took_ms: self.base.clock.now().ms_since(at),
        })
    }
}
