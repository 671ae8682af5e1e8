//! The watchdog thread: owns every signal stream and acts on the urgent one by itself.
//!
//! A plain OS thread with a runtime of its own, so that no busy arbiter, mailbox or lock can delay safe mode. The one
//! idea: USR1 raises the gate on this thread, before anybody is told.

use crate::gate::{Flag, Gate};
use crate::watchdog::{self, Watch, Watchdog};
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Signals that may wait to be handled; more of them are merged into those that wait.
const EVENTS_MAX: usize = 64;

/// A signal that this process understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Safe mode on.
    Usr1,
    /// Safe mode off is asked for.
    Usr2,
    /// Reload the configuration.
    Hup,
    /// Stop.
    Term,
    /// Stop, from the keyboard.
    Int,
    /// Stop at once, with diagnostics and without cancelling.
    Quit,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 6] = [
        Self::Usr1,
        Self::Usr2,
        Self::Hup,
        Self::Term,
        Self::Int,
        Self::Quit,
    ];

    /// Returns the name used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usr1 => "usr1",
            Self::Usr2 => "usr2",
            Self::Hup => "hup",
            Self::Term => "term",
            Self::Int => "int",
            Self::Quit => "quit",
        }
    }

    const fn kind(self) -> SignalKind {
        match self {
            Self::Usr1 => SignalKind::user_defined1(),
            Self::Usr2 => SignalKind::user_defined2(),
            Self::Hup => SignalKind::hangup(),
            Self::Term => SignalKind::terminate(),
            Self::Int => SignalKind::interrupt(),
            Self::Quit => SignalKind::quit(),
        }
    }
}

/// What the owner of the process hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A signal came; for USR1 the gate is already raised.
    Signal(Signal),
    /// A second TERM or INT: stop waiting.
    StopNow,
}

/// The signals of this process.
pub struct Signals {
    events: mpsc::Receiver<Event>,
    gate: &'static OnceLock<Gate>,
}

static GATE: OnceLock<Gate> = OnceLock::new();
static WATCH: OnceLock<Watch> = OnceLock::new();

impl Signals {
    /// Starts the watchdog thread and returns once every stream exists: from here on a USR1 is never lost.
    ///
    /// # Errors
    /// If the system gives no thread, no runtime or no signal stream.
    pub fn install() -> io::Result<Self> {
        let (send, events) = mpsc::channel(EVENTS_MAX);
        let (ready, is_ready) = sync_channel(1);
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || watch(&send, &ready))?;
        let died = || io::Error::other("the watchdog thread ended");
        is_ready.recv().map_err(|_| died())??;
        Ok(Self {
            events,
            gate: &GATE,
        })
    }

    /// Connects the gate that USR1 raises. A USR1 that came before is waiting as an event; the gate starts shut.
    ///
    /// One gate for one process: a second one is refused by returning `false`.
    pub fn connect(&self, gate: Gate) -> bool {
        self.gate.set(gate).is_ok()
    }

    /// Puts a run under the watchdog. A second one is refused by returning `false`.
    pub fn watch(&self, watch: Watch) -> bool {
        WATCH.set(watch).is_ok()
    }

    /// Waits for the next event; `None` if the watchdog has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Waits for the next event on a plain thread; `None` if the watchdog has ended.
    pub fn next_blocking(&mut self) -> Option<Event> {
        self.events.blocking_recv()
    }
}

fn watch(send: &mpsc::Sender<Event>, ready: &std::sync::mpsc::SyncSender<io::Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(error))),
    };
    runtime.block_on(async {
        match Streams::open() {
            Ok(streams) => {
                let _ = ready.send(Ok(()));
                streams.run(send).await;
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    });
}

/// The watch begins with the run.
fn look(watchdog: &mut Option<Watchdog>) {
    if watchdog.is_none() {
        *watchdog = WATCH.get().cloned().map(Watchdog::new);
    }
    if let Some(watchdog) = watchdog {
        watchdog.look();
    }
}

/// Safe mode on: the gate first, and before a run lives it alone.
fn shut() {
    if let Some(gate) = GATE.get() {
        gate.raise(Flag::Safe);
    }
    if let Some(watch) = WATCH.get() {
        watch.safe_mode_on();
    }
}

struct Streams {
    usr1: Stream,
    usr2: Stream,
    hup: Stream,
    term: Stream,
    int: Stream,
    quit: Stream,
}

impl Streams {
    fn open() -> io::Result<Self> {
        Ok(Self {
            usr1: signal(Signal::Usr1.kind())?,
            usr2: signal(Signal::Usr2.kind())?,
            hup: signal(Signal::Hup.kind())?,
            term: signal(Signal::Term.kind())?,
            int: signal(Signal::Int.kind())?,
            quit: signal(Signal::Quit.kind())?,
        })
    }

    /// Runs as long as the process: a receiver that is gone does not stop USR1 from closing the gate.
    async fn run(mut self, send: &mpsc::Sender<Event>) {
        let mut is_stopping = false;
        let mut watchdog = None;
        let mut timer = tokio::time::interval(watchdog::EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let came = tokio::select! {
                biased;
                came = self.next() => came,
                _ = timer.tick() => {
                    look(&mut watchdog);
                    continue;
                }
            };
            if came == Signal::Usr1 {
                shut();
            }
            let is_stop = matches!(came, Signal::Term | Signal::Int);
            let event = if is_stop && is_stopping {
                Event::StopNow
            } else {
                Event::Signal(came)
            };
            is_stopping |= is_stop;
            // Never waits: with so many unhandled events another one says nothing more.
            let _ = send.try_send(event);
        }
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.usr1.recv() => Signal::Usr1,
            _ = self.quit.recv() => Signal::Quit,
            _ = self.term.recv() => Signal::Term,
            _ = self.int.recv() => Signal::Int,
            _ = self.hup.recv() => Signal::Hup,
            _ = self.usr2.recv() => Signal::Usr2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::GateOwner;
    use rustix::process::{Signal as Raw, getpid, kill_process};

    /// One test, because signals belong to the whole process.
    #[test]
    fn usr1_raises_the_gate_by_itself_and_the_second_stop_is_final() {
        let mut signals = Signals::install().expect("streams");
        let owner = GateOwner::new();
        let gate = owner.gate();
        owner
            .lower(Flag::Safe, gate.serial())
            .expect("nothing is raised");
        assert!(signals.connect(gate.clone()));
        assert!(!signals.connect(gate.clone()), "one gate for one process");
        let mut check = |raw: Raw, expected: Event| {
            kill_process(getpid(), raw).expect("our own process");
            assert_eq!(signals.next_blocking(), Some(expected), "{raw:?}");
        };
        check(Raw::USR1, Event::Signal(Signal::Usr1));
        assert!(gate.is_raised(Flag::Safe));
        check(Raw::USR2, Event::Signal(Signal::Usr2));
        check(Raw::HUP, Event::Signal(Signal::Hup));
        check(Raw::INT, Event::Signal(Signal::Int));
        check(Raw::TERM, Event::StopNow);
        check(Raw::INT, Event::StopNow);
        check(Raw::QUIT, Event::Signal(Signal::Quit));
        assert!(gate.is_raised(Flag::Safe), "USR2 only asks");
        drop(signals);
        owner
            .lower(Flag::Safe, gate.serial())
            .expect("nothing is raised");
        kill_process(getpid(), Raw::USR1).expect("our own process");
        // Without a receiver nobody can tell when the thread has run: wait for its effect.
        while !gate.is_raised(Flag::Safe) {
            std::thread::yield_now();
        }
    }
}
