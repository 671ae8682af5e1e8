//! The watchdog: shuts, kills or ends a process whose threads stand still.
//!
//! It runs on the thread that owns the signals and never waits: it reads atomics, raises the gate and renames a file.
//! The one idea: a stall is found from outside of everything that can stall.

mod judge;
mod notify;

use crate::beats::{self, Beats};
use crate::gate::{Flag, Gate};
use crate::latch::Latch;
use crate::link::{Link, Sent};
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::RiskIn;
use engine::time::Timestamp;
pub use judge::stall_ms;
use judge::{Act, Judge};
use notify::{Notifier, State};
use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Time between two looks.
pub const EVERY: Duration = Duration::from_millis(50);
/// Longest wait for whoever reads the note that a process leaves at its end.
const NOTE_TIME_MAX: Duration = Duration::from_secs(1);
/// Time between two signs to the service manager, milliseconds.
const SIGN_MS: i64 = 5_000;

/// What the watchdog is told about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    Running,
    Stopping,
    Over,
}

/// Everything that is watched, and what can be done about it. Cheap to clone.
#[derive(Clone)]
pub struct Watch {
    gate: Gate,
    latch: Latch,
    beats: Beats,
    risk: Link<RiskIn>,
    phase: Arc<AtomicU8>,
}

impl Watch {
    /// Describes a run.
    pub fn new(gate: Gate, latch: Latch, beats: Beats, risk: Link<RiskIn>) -> Self {
        Self {
            gate,
            latch,
            beats,
            risk,
            phase: Arc::new(AtomicU8::new(Phase::Running as u8)),
        }
    }

    /// The run is about to stop; it is watched on.
    pub fn stopping(&self) {
        self.phase.store(Phase::Stopping as u8, Ordering::SeqCst);
    }

    /// The threads are about to end: from here on nobody is judged.
    pub fn over(&self) {
        self.phase.store(Phase::Over as u8, Ordering::SeqCst);
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::SeqCst) == phase as u8
    }

    /// Safe mode, by signal: the gate, and a mark that outlives the process whatever the journal does.
    pub fn safe_mode_on(&self) {
        self.gate.raise(Flag::Safe);
        self.latch.mark_safe();
    }
}

/// Looks at one run, again and again.
pub struct Watchdog {
    watch: Watch,
    judge: Judge,
    manager: Option<Notifier>,
    signed_at: Option<Timestamp>,
    is_stopping: bool,
}

impl Watchdog {
    /// Begins; the service manager hears that the process is ready.
    pub fn new(watch: Watch) -> Self {
        let manager = Notifier::from_env();
        if let Some(manager) = &manager {
            manager.say(State::Ready);
        }
        Self {
            judge: Judge::new(watch.beats.clock().now()),
            watch,
            manager,
            signed_at: None,
            is_stopping: false,
        }
    }

    /// Looks once and acts.
    pub fn look(&mut self) {
        if self.watch.is(Phase::Over) {
            return;
        }
        let now = self.watch.beats.clock().now();
        let ages = self.watch.beats.ages(now);
        for act in self.judge.look(now, &ages) {
            self.act(act);
        }
        self.sign(now, beats::are_fresh(&ages));
    }

    fn act(&self, act: Act) {
        let watch = &self.watch;
        match act {
            Act::Warn(who, age_ms) => {
                tracing::warn!(event = "beat_late", thread = who.as_str(), age_ms);
            }
            Act::Kill(who, age_ms) => {
                watch.gate.kill(ModeCode::ThreadStalled);
                watch.latch.mark();
                tracing::error!(event = "thread_stalled", thread = who.as_str(), age_ms);
            }
            Act::Abort(who, age_ms) => {
                watch.gate.kill(ModeCode::ThreadStalled);
                watch.latch.mark();
                abort(who.as_str(), age_ms);
            }
            Act::Suspend(gap_ms) => {
                watch.gate.raise(Flag::Observe);
                tracing::warn!(event = "process_suspended", gap_ms);
                let code = ModeCode::ProcessSuspended;
                self.tell(RiskIn::Raise(code, Scope::Global, Mode::ObserveOnly));
            }
            Act::Resume => {
                tracing::warn!(event = "process_resumed");
                self.tell(RiskIn::Clear(ModeCode::ProcessSuspended, Scope::Global));
            }
        }
    }

    fn tell(&self, message: RiskIn) {
        if self.watch.risk.send(message) != Sent::Delivered {
            // What the core does not know it would open again.
            self.watch.gate.kill(ModeCode::OrderPathBroken);
        }
    }

    fn sign(&mut self, now: Timestamp, is_fresh: bool) {
        let Some(manager) = &self.manager else { return };
        if self.watch.is(Phase::Stopping) && !self.is_stopping {
            self.is_stopping = true;
            manager.say(State::Stopping);
        }
        let is_due = (self.signed_at).is_none_or(|at| now.ms_since(at) >= SIGN_MS);
        if is_fresh && is_due {
            self.signed_at = Some(now);
            manager.say(State::Alive);
        }
    }
}

/// Ends the process with a note of what each thread was doing. The gate is shut, and the latch is set.
fn abort(thread: &str, age_ms: i64) -> ! {
    let mut note =
        format!("btcbot: thread {thread} has stood still for {age_ms} ms; the process ends\n");
    for task in fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let of = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let state = of("status");
        let state = state.lines().find(|line| line.starts_with("State:"));
        let (name, place) = (of("comm"), of("wchan"));
        let state = state.unwrap_or("State: ?");
        note += &format!("  {} {state} {place}\n", name.trim());
    }
    leave(note);
    std::process::abort()
}

/// Writes the note from a thread of its own: whoever should read it may be what stands still.
fn leave(note: String) {
    let (done, is_done) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().spawn(move || {
        // Nobody may be left to read it.
        let _ = std::io::stderr().write_all(note.as_bytes());
        let _ = done.send(());
    });
    if thread.is_ok() {
        let _ = is_done.recv_timeout(NOTE_TIME_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beats::Beat;
    use crate::clock::Clock;
    use crate::gate::GateOwner;

    const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    #[test]
    fn a_stalled_arbiter_shuts_the_gate_and_leaves_a_file_without_any_other_thread() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (owner, clock) = (GateOwner::new(), Clock::manual(AT));
        let gate = owner.gate();
        for flag in Flag::ALL {
            owner.lower(flag, gate.serial()).expect("nobody raises");
        }
        let latch = Latch::boot(Some(dir.path()), None, gate.clone(), clock.clone());
        let beats = Beats::new(clock.clone());
        beats.beat(Beat::Trade);
        let watch = Watch::new(gate.clone(), latch, beats, Link::default());
        let mut watchdog = Watchdog::new(watch);
        for _ in 0..60 {
            watchdog.look();
            clock.advance_ms(50);
        }
        assert!(gate.is_open_for_submit(), "late is not stalled");
        clock.advance_ms(50);
        watchdog.look();
        assert_eq!(gate.raised(), [Flag::Kill]);
        assert!(dir.path().join(crate::latch::LATCH_NAME).exists());
        assert_eq!(gate.take_causes(), ModeCode::ThreadStalled.bit());
    }

    #[test]
    fn x_13_a_signal_marks_safe_mode_while_the_journal_hangs() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (owner, clock) = (GateOwner::new(), Clock::manual(AT));
        let boot = || Latch::boot(Some(dir.path()), None, owner.gate(), clock.clone());
        let latch = boot();
        assert!(!latch.is_marked_safe());
        let beats = Beats::new(clock.clone());
        Watch::new(owner.gate(), latch.clone(), beats, Link::default()).safe_mode_on();
        assert!(boot().is_marked_safe(), "the next start is told");
        owner
            .lower(Flag::Safe, owner.gate().serial())
            .expect("nobody raises");
        latch.unmark_safe();
        assert!(!boot().is_marked_safe());
        // A signal that crosses the end of safe mode wins.
        owner.gate().raise(Flag::Safe);
        latch.mark_safe();
        latch.unmark_safe();
        assert!(boot().is_marked_safe());
    }
}
