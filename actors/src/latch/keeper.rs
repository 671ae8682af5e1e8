//! The keeper of the kill latch: a thread that writes down every kill, whoever raised it.
//!
//! Whoever kills only raises the gate and leaves a cause; no arbiter, mailbox or disk stands between a cause and the
//! shut gate. It sends no cancel: the killer does, from the same gate.

use super::Latch;
use crate::beats::{Beat, Beats};
use crate::gate::{Flag, Gate};
use crate::heartbeat;
use crate::journal::Journal;
use crate::link::{Link, Sent};
use crate::observer::{Eyes, Standing};
use engine::ids::AccountTag;
use engine::kill::{Kill, KillId};
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::RiskIn;
use engine::record::Record;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two looks at the causes.
const LOOK: Duration = Duration::from_millis(10);
/// Looks at the causes to one at the file: every 250 ms.
const LOOKS_PER_FILE: u32 = 25;

/// Looks at the causes to one heartbeat: every second.
const LOOKS_PER_HEARTBEAT: u32 = 100;

/// What the keeper works with.
pub struct Keeper {
    /// The latch.
    pub latch: Latch,
    /// Whose orders are ours, for whoever reads the heartbeat.
    pub tag: AccountTag,
    /// Where causes are left.
    pub gate: Gate,
    /// Durable records.
    pub journal: Journal,
    /// Signs of life.
    pub beats: Beats,
    /// The gate core, for the mode.
    pub risk: Link<RiskIn>,
    /// Status and log.
    pub eyes: Eyes,
}

/// What the journal knows of a start's latches.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnRecord {
    /// The trip that is latched.
    pub kill: Option<KillId>,
    /// An operator's safe mode holds.
    pub is_safe: bool,
}

/// A running keeper.
pub struct KeeperThread {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread; what the files say and the journal does not know yet is written down.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self, on_record: &OnRecord) -> io::Result<KeeperThread> {
        let (stop, stopped) = sync_channel(1);
        if self.latch.is_marked_safe() && !on_record.is_safe {
            self.record_safe_mode();
        }
        if let Some(kill) = self.latch.current()
            && on_record.kill != Some(kill.id)
        {
            self.record(&kill);
        }
        let thread = std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || self.run(&stopped))?;
        Ok(KeeperThread { stop, thread })
    }

    fn run(self, stopped: &Receiver<()>) {
        let mut looks = 0;
        while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            self.beats.beat(Beat::Keeper);
            self.look();
            looks = (looks + 1) % LOOKS_PER_HEARTBEAT;
            if looks == 0 {
                self.heartbeat();
            }
            if looks % LOOKS_PER_FILE == 0
                && let Some(kill) = self.latch.compare()
            {
                self.announce(kill);
            }
        }
        self.look();
        self.beats.rest(Beat::Keeper);
    }

    /// The sign of life for other processes, while every thread gives its own.
    fn heartbeat(&self) {
        let now = self.beats.clock().now();
        if let Some(dir) = self.latch.dir()
            && self.beats.are_fresh(now)
            && let Err(error) = heartbeat::write(dir, self.tag, now)
        {
            tracing::error!(event = "heartbeat_failed", error = %error);
        }
    }

    /// Writes down what was left since the last look.
    pub(crate) fn look(&self) {
        let causes = self.gate.take_causes();
        let left = |code: &ModeCode| causes & code.bit() != 0;
        for cause in ModeCode::ALL.into_iter().filter(left) {
            // A reset may have lowered the flag between the raise and its cause.
            if !self.gate.is_raised(Flag::Kill) {
                self.gate.raise(Flag::Kill);
            }
            if let Some(kill) = self.latch.trip_once(cause) {
                self.announce(kill);
            }
        }
    }

    fn announce(&self, kill: Kill) {
        self.record(&kill);
        let raise = RiskIn::Raise(kill.cause, Scope::Global, Mode::KillSwitch);
        if self.risk.send(raise) != Sent::Delivered {
            // The gate is shut and the latch is set; only the shown mode lags.
            tracing::error!(event = "kill_not_told", reason = kill.cause.as_str());
        }
        self.eyes.see(Standing::Killed(kill));
    }

    fn record_safe_mode(&self) {
        let at = self.beats.clock().now();
        if self
            .journal
            .append(at, Record::SafeMode { on: true, at })
            .is_err()
        {
            tracing::error!(event = "safe_mode_not_recorded");
        }
    }

    fn record(&self, kill: &Kill) {
        tracing::error!(
            event = "killed",
            kill_id = kill.id.0,
            reason = kill.cause.as_str(),
            by = kill.by,
            msg = "no order leaves until an operator's reset: btcbot kill-switch status"
        );
        if self
            .journal
            .append(kill.at, Record::Kill(kill.clone()))
            .is_err()
        {
            tracing::error!(event = "kill_not_recorded", msg = "the file alone keeps it");
        }
    }
}

impl KeeperThread {
    /// Ends the thread behind a last look.
    pub fn stop(self) {
        // Errors mean that the thread has ended by itself; its panic was reported.
        let _ = self.stop.try_send(());
        let _ = self.thread.join();
    }
}
