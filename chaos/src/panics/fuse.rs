//! The fuse: a core and its port wrapped so that one message of one actor panics, before or after its first effect.
//!
//! What is wrapped is the real core and the real port; nothing of them knows. The fuse blows once. The panic hook is
//! the process's own (`actors::logging::log_panics`) and finds the system of its thread, because each case has one.

use super::messages::Message;
use actors::clock::Clock;
use actors::gate::{Flag, Gate};
use actors::shell::Perform;
use engine::core::{Core, Outbox};
use engine::supervisor::ActorName;
use engine::time::Timestamp;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// When within the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Moment {
    /// Before the core has seen the message.
    Before,
    /// After its first effect was carried out; where it has none, at the end of the core's turn.
    AfterFirst,
}

impl Moment {
    pub(super) const ALL: [Self; 2] = [Self::Before, Self::AfterFirst];
}

/// One case of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) actor: ActorName,
    pub(super) kind: &'static str,
    pub(super) moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Safe,
    Armed(Case),
    /// The marked message was handled; the next effect of this actor is the last.
    Lit(ActorName),
    Blown,
}

/// Shared by everything of one system.
#[derive(Clone)]
pub(super) struct Fuse {
    state: Rc<Cell<State>>,
}

impl Fuse {
    pub(super) fn new() -> Self {
        Self {
            state: Rc::new(Cell::new(State::Safe)),
        }
    }

    pub(super) fn arm(&self, case: Case) {
        self.state.set(State::Armed(case));
    }

    /// Returns whether the planted panic has happened.
    pub(super) fn is_blown(&self) -> bool {
        self.state.get() == State::Blown
    }

    fn is_due(&self, actor: ActorName, kind: &str, moment: Moment) -> bool {
        matches!(self.state.get(), State::Armed(case)
            if case.actor == actor && case.kind == kind && case.moment == moment)
    }

    fn blow(&self) -> ! {
        self.state.set(State::Blown);
        panic!("planted by the panic matrix");
    }
}

/// A core behind the fuse.
pub(super) struct MinedCore<C> {
    pub(super) core: C,
    pub(super) fuse: Fuse,
}

impl<C: Core> Core for MinedCore<C>
where
    C::In: Message,
{
    type In = C::In;
    type Effect = C::Effect;

    fn handle(&mut self, now: Timestamp, input: C::In, out: &mut Outbox<C::Effect>) {
        let (actor, kind) = (C::In::ACTOR, input.kind());
        if self.fuse.is_due(actor, kind, Moment::Before) {
            self.fuse.blow();
        }
        let is_last = self.fuse.is_due(actor, kind, Moment::AfterFirst);
        self.core.handle(now, input, out);
        if is_last && out.is_empty() {
            self.fuse.blow();
        }
        if is_last {
            self.fuse.state.set(State::Lit(actor));
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.core.deadline()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<C::Effect>) {
        self.core.wake(now, out);
    }
}

/// A port behind the fuse.
pub(super) struct Mined<P> {
    pub(super) port: P,
    pub(super) fuse: Fuse,
}

impl<P: Perform> Perform for Mined<P>
where
    <P::Core as Core>::In: Message,
{
    type Core = MinedCore<P::Core>;

    fn perform(&mut self, now: Timestamp, effect: <P::Core as Core>::Effect) {
        self.port.perform(now, effect);
        if self.fuse.state.get() == State::Lit(<P::Core as Core>::In::ACTOR) {
            self.fuse.blow();
        }
    }
}

/// What the hook does on a thread: shuts the gate of the system there and notes when.
#[derive(Clone)]
pub(super) struct Hooked {
    gate: Gate,
    clock: Clock,
    at: Rc<Cell<Option<Timestamp>>>,
}

thread_local! {
    static HOOKED: RefCell<Option<Hooked>> = const { RefCell::new(None) };
}

impl Hooked {
    /// Connects the hook of this thread to a system.
    pub(super) fn connect(gate: Gate, clock: Clock) -> Self {
        let hooked = Self {
            gate,
            clock,
            at: Rc::default(),
        };
        HOOKED.set(Some(hooked.clone()));
        hooked
    }

    /// Returns when the first panic was seen by the hook.
    pub(super) fn at(&self) -> Option<Timestamp> {
        self.at.get()
    }
}

/// Installs the process's own hook over the systems of all threads; called once for a run.
pub(super) fn install_hook() {
    actors::logging::log_panics(|| {
        HOOKED.with_borrow(|hooked| {
            if let Some(hooked) = hooked {
                // As `run` does it: shut first.
                hooked.gate.raise(Flag::Observe);
                let at = hooked.at.get().unwrap_or_else(|| hooked.clock.now());
                hooked.at.set(Some(at));
            }
        });
    });
}
