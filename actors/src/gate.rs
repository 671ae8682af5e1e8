//! The gate word: whether an order may leave, readable from any thread in one load.
//!
//! It knows flags and a serial, not reasons, and it never waits in a mailbox. The one idea: raising a flag is
//! one step that also bumps the serial, and lowering must name the serial it was asked for, so that a raise that was
//! acknowledged can never be undone by a lowering that did not know of it.

use engine::mode::ModeCode;
use engine::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Bits of the word that hold flags; the serial lies above them.
const FLAG_BITS: u32 = 16;
/// Mask of the flag bits.
const FLAG_MASK: u64 = (1 << FLAG_BITS) - 1;
/// One step of the serial.
const SERIAL_ONE: u64 = 1 << FLAG_BITS;

/// A reason class that keeps orders in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// The kill switch; latched, lowered only by an operator's reset.
    Kill,
    /// Only a restart lets orders out: the configuration kills, or a reset has dropped the arming.
    Disarmed,
    /// Safe mode, as an operator asked for it.
    Safe,
    /// The effective mode lets no new order out.
    Observe,
    /// The process stops.
    Drain,
}

impl Flag {
    /// Every flag, strictest first.
    pub const ALL: [Self; 5] = [
        Self::Kill,
        Self::Disarmed,
        Self::Safe,
        Self::Observe,
        Self::Drain,
    ];

    /// Returns the name used in logs and on the status page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Disarmed => "disarmed",
            Self::Safe => "safe",
            Self::Observe => "observe",
            Self::Drain => "drain",
        }
    }

    const fn bit(self) -> u64 {
        match self {
            Self::Kill => 1,
            Self::Safe => 1 << 1,
            Self::Observe => 1 << 2,
            Self::Drain => 1 << 3,
            Self::Disarmed => 1 << 4,
        }
    }

    const fn every() -> u64 {
        Self::Kill.bit()
            | Self::Disarmed.bit()
            | Self::Safe.bit()
            | Self::Observe.bit()
            | Self::Drain.bit()
    }
}

/// Counts the raises of any flag; names the state that a lowering was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(u64);

impl Serial {
    /// Returns the bare number, for a message that comes back.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Makes a serial of a number that [`Serial::number`] gave.
    pub const fn of(number: u64) -> Self {
        Self(number)
    }
}

/// Proof that the gate was open at one serial. It is void once anything has been raised since, even if lowered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass(u64);

/// A flag was raised after the lowering was asked for; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("something was raised since this was asked for")]
pub struct RaisedSince;

/// A handle on the gate that may read and raise. Cheap to clone, usable from any thread and from a panic hook.
#[derive(Clone, Debug)]
pub struct Gate {
    word: Arc<AtomicU64>,
    /// Causes of kills that nobody has written down yet, one bit for each code.
    causes: Arc<AtomicU64>,
    /// When a first byte was let through last, microseconds; zero before the first.
    admitted_at: Arc<AtomicI64>,
}

/// The one handle that may lower flags; held by whoever decides about modes. Deliberately not `Clone`.
#[derive(Debug)]
pub struct GateOwner {
    gate: Gate,
}

impl GateOwner {
    /// Makes a gate with every flag raised: open is something that has to be earned.
    #[expect(
        clippy::new_without_default,
        reason = "a second gate by accident would be a second truth"
    )]
    pub fn new() -> Self {
        let word = Arc::new(AtomicU64::new(Flag::every()));
        Self {
            gate: Gate {
                word,
                causes: Arc::default(),
                admitted_at: Arc::default(),
            },
        }
    }

    /// Returns a handle that may read and raise.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Lowers one flag, if nothing was raised since `asked_at`.
    ///
    /// # Errors
    /// `RaisedSince` if any flag was raised after `asked_at`; the caller judges its preconditions again.
    pub fn lower(&self, flag: Flag, asked_at: Serial) -> Result<(), RaisedSince> {
        let word = &self.gate.word;
        let mut seen = word.load(Ordering::SeqCst);
        loop {
            if seen >> FLAG_BITS != asked_at.0 {
                return Err(RaisedSince);
            }
            let lowered = seen & !flag.bit();
            match word.compare_exchange_weak(seen, lowered, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return Ok(()),
                // Another lowering or a spurious failure: the serial decides again.
                Err(current) => seen = current,
            }
        }
    }
}

impl Gate {
    /// Raises one flag and returns the serial of that raise. Acknowledge only after this has returned.
    ///
    /// Lock-free; raising a flag that is up counts as well, so that an older request to lower it fails.
    pub fn raise(&self, flag: Flag) -> Serial {
        let mut seen = self.word.load(Ordering::SeqCst);
        loop {
            let raised = (seen | flag.bit()).wrapping_add(SERIAL_ONE);
            match self
                .word
                .compare_exchange_weak(seen, raised, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => return Serial(raised >> FLAG_BITS),
                Err(current) => seen = current,
            }
        }
    }

    /// Trips the kill switch: the gate is shut when this returns, and the keeper of the latch writes the cause down.
    ///
    /// Lock-free, from any thread. The flag comes before the cause, so that a reset in between leaves a cause behind
    /// that trips again.
    pub fn kill(&self, cause: ModeCode) -> Serial {
        let serial = self.raise(Flag::Kill);
        self.causes.fetch_or(cause.bit(), Ordering::SeqCst);
        serial
    }

    /// Takes every cause since the last call, as a set of [`ModeCode::bit`]; for the keeper of the latch.
    pub fn take_causes(&self) -> u64 {
        self.causes.swap(0, Ordering::SeqCst)
    }

    /// Returns the current serial: the ticket for a later lowering.
    pub fn serial(&self) -> Serial {
        Serial(self.word.load(Ordering::SeqCst) >> FLAG_BITS)
    }

    /// Returns whether the flag is up.
    pub fn is_raised(&self, flag: Flag) -> bool {
        self.word.load(Ordering::SeqCst) & flag.bit() != 0
    }

    /// Returns every flag that is up, strictest first.
    pub fn raised(&self) -> Vec<Flag> {
        let word = self.word.load(Ordering::SeqCst);
        let is_up = |flag: &Flag| word & flag.bit() != 0;
        Flag::ALL.into_iter().filter(is_up).collect()
    }

    /// Returns whether no flag is up.
    pub fn is_open_for_submit(&self) -> bool {
        self.word.load(Ordering::SeqCst) & FLAG_MASK == 0
    }

    /// Returns a pass for one order, or `None` while any flag is up.
    pub fn pass(&self) -> Option<Pass> {
        let word = self.word.load(Ordering::SeqCst);
        (word & FLAG_MASK == 0).then_some(Pass(word))
    }

    /// Notes that a first byte was let through; `now` is read after the look that let it.
    pub fn note_admitted(&self, now: Timestamp) {
        self.admitted_at.store(now.0, Ordering::SeqCst);
    }

    /// Returns when a first byte was let through last.
    pub fn admitted_at(&self) -> Option<Timestamp> {
        let at = self.admitted_at.load(Ordering::SeqCst);
        (at != 0).then_some(Timestamp(at))
    }

    /// Returns whether the gate has been open ever since `pass` was issued. Called on the line before the write.
    pub fn admits(&self, pass: Pass) -> bool {
        self.word.load(Ordering::SeqCst) == pass.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn open() -> (GateOwner, Gate) {
        let owner = GateOwner::new();
        let gate = owner.gate();
        for flag in Flag::ALL {
            owner.lower(flag, gate.serial()).expect("nothing is raised");
        }
        (owner, gate)
    }

    #[test]
    fn it_starts_shut_and_opens_only_when_every_flag_is_down() {
        let owner = GateOwner::new();
        let gate = owner.gate();
        assert_eq!(gate.raised(), Flag::ALL);
        for flag in Flag::ALL {
            assert!(!gate.is_open_for_submit() && gate.pass().is_none());
            assert_eq!(owner.lower(flag, gate.serial()), Ok(()));
        }
        assert!(gate.is_open_for_submit());
    }

    #[test]
    fn a_lowering_that_does_not_know_of_a_second_raise_is_refused() {
        let (owner, gate) = open();
        let asked_at = gate.raise(Flag::Kill);
        gate.raise(Flag::Kill);
        assert_eq!(owner.lower(Flag::Kill, asked_at), Err(RaisedSince));
        assert!(gate.is_raised(Flag::Kill));
        assert_eq!(owner.lower(Flag::Kill, gate.serial()), Ok(()));
    }

    #[test]
    fn a_pass_does_not_survive_a_raise_that_was_lowered_again() {
        let (owner, gate) = open();
        let pass = gate.pass().expect("the gate is open");
        assert!(gate.admits(pass));
        let serial = gate.raise(Flag::Safe);
        assert!(!gate.admits(pass));
        assert_eq!(owner.lower(Flag::Safe, serial), Ok(()));
        assert!(gate.is_open_for_submit() && !gate.admits(pass));
    }

    #[test]
    fn lowering_one_flag_leaves_the_others() {
        let (owner, gate) = open();
        gate.raise(Flag::Observe);
        let serial = gate.raise(Flag::Safe);
        assert_eq!(owner.lower(Flag::Safe, serial), Ok(()));
        assert_eq!(gate.raised(), [Flag::Observe]);
    }

    #[test]
    fn a_kill_shuts_first_and_leaves_each_cause_to_be_written_down_once() {
        let (_owner, gate) = open();
        gate.kill(ModeCode::GhostOrder);
        gate.kill(ModeCode::ClockSkew);
        gate.kill(ModeCode::GhostOrder);
        assert_eq!(gate.raised(), [Flag::Kill]);
        let expected = ModeCode::GhostOrder.bit() | ModeCode::ClockSkew.bit();
        assert_eq!((gate.take_causes(), gate.take_causes()), (expected, 0));
    }

    #[test]
    fn x_08_an_acknowledged_kill_is_never_lost_to_a_racing_reset() {
        const ROUNDS: usize = 2_000;
        // A bound, so that a failure of the other threads ends the test and does not hang it.
        const RESETS_MAX: usize = 50_000_000;
        let (owner, gate) = open();
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Resets as fast as it can, each time for the serial it saw, and only what it saw to be killed.
                for _ in 0..RESETS_MAX {
                    if is_done.load(Ordering::SeqCst) {
                        return;
                    }
                    let asked_at = gate.serial();
                    if gate.is_raised(Flag::Kill) && owner.lower(Flag::Kill, asked_at).is_ok() {
                        assert!(
                            gate.is_open_for_submit() || gate.serial() != asked_at,
                            "shut without a raise"
                        );
                    }
                }
            });
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    gate.raise(Flag::Observe);
                    let _ = owner.lower(Flag::Observe, gate.serial());
                }
            });
            for _ in 0..ROUNDS {
                let acknowledged = gate.raise(Flag::Kill);
                // A reset decided before the acknowledgement names a smaller serial and must fail from here on.
                let stale = Serial(acknowledged.0 - 1);
                assert_eq!(owner.lower(Flag::Kill, stale), Err(RaisedSince));
            }
            is_done.store(true, Ordering::SeqCst);
        });
        let last = gate.raise(Flag::Kill);
        assert!(gate.is_raised(Flag::Kill) && gate.serial() == last);
    }
}
