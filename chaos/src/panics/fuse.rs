//! The fuse: a core and its port wrapped so that one message of one actor panics, before or after its first effect.
//!
//! What is wrapped is the real core and the real port; nothing of them knows. Once armed, the fuse blows once. The panic
//! hook is the process's own (`actors::logging::log_panics`) and finds the system of its thread, because each case has
//! one. A witness sees every effect before it is carried out, and can end the process there.

use super::messages::Message;
use super::sight::{Seeing, Sight};
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
pub(crate) enum Moment {
    /// Before the core has seen the message.
    Before,
    /// After its first effect was carried out; where it has none, at the end of the core's turn.
    AfterFirst,
}

impl Moment {
    pub(crate) const ALL: [Self; 2] = [Self::Before, Self::AfterFirst];
}

/// One case of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(super) actor: ActorName,
    pub(super) kind: &'static str,
    pub(super) moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Safe,
    Armed(Case),
    /// So many messages of an actor are handled before the marked one, whatever they are.
    Counting(ActorName, u32, Moment),
    /// The marked message was handled; the next effect of this actor is the last.
    Lit(ActorName),
    Blown,
}

/// Sees each effect before it is carried out; false if the process has ended and nothing of it acts any more.
pub(crate) type Witness = Rc<dyn Fn(Timestamp, Sight) -> bool>;

/// Shared by everything of one system.
#[derive(Clone)]
pub(crate) struct Fuse {
    state: Rc<Cell<State>>,
    /// Whose panic nobody has asked for yet.
    blown: Rc<Cell<Option<ActorName>>>,
    /// Messages that were handled.
    messages: Rc<Cell<u64>>,
    witness: Option<Witness>,
}

impl Fuse {
    pub(super) fn new(witness: Option<Witness>) -> Self {
        Self {
            state: Rc::new(Cell::new(State::Safe)),
            blown: Rc::default(),
            messages: Rc::default(),
            witness,
        }
    }

    /// Arms it for the message of an actor that comes behind so many others.
    pub(crate) fn arm_behind(&self, actor: ActorName, messages: u32, moment: Moment) {
        self.state.set(State::Counting(actor, messages, moment));
    }

    /// Returns whose panic was planted and has happened since the last call.
    pub(crate) fn take_blown(&self) -> Option<ActorName> {
        self.blown.take()
    }

    /// Shows an effect to the witness, if there is one; returns whether it may be carried out.
    pub(super) fn may_act(&self, now: Timestamp, effect: &impl Seeing) -> bool {
        self.witness
            .as_ref()
            .is_none_or(|witness| witness(now, effect.sight(now)))
    }

    /// Returns how many messages were handled.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.get()
    }

    pub(super) fn arm(&self, case: Case) {
        self.state.set(State::Armed(case));
    }

    /// Returns whether the planted panic has happened.
    pub(super) fn is_blown(&self) -> bool {
        self.state.get() == State::Blown
    }

    fn is_due(&self, actor: ActorName, kind: &str, moment: Moment) -> bool {
        match self.state.get() {
            State::Armed(case) => case.actor == actor && case.kind == kind && case.moment == moment,
            State::Counting(marked, 0, when) => marked == actor && when == moment,
            State::Counting(..) | State::Safe | State::Lit(_) | State::Blown => false,
        }
    }

    fn count(&self, actor: ActorName) {
        self.messages.set(self.messages.get() + 1);
        if let State::Counting(marked, left, moment) = self.state.get()
            && marked == actor
            && left > 0
        {
            self.state.set(State::Counting(marked, left - 1, moment));
        }
    }

    fn blow(&self, actor: ActorName) -> ! {
        self.state.set(State::Blown);
        self.blown.set(Some(actor));
        panic!("planted by the panic matrix");
    }
}

/// A core that can be looked at from outside between two turns.
pub(crate) type Shared<C> = Rc<RefCell<C>>;

/// A core behind the fuse.
pub(super) struct MinedCore<C> {
    pub(super) core: Shared<C>,
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
            self.fuse.blow(actor);
        }
        let is_last = self.fuse.is_due(actor, kind, Moment::AfterFirst);
        self.fuse.count(actor);
        self.core.borrow_mut().handle(now, input, out);
        if is_last && out.is_empty() {
            self.fuse.blow(actor);
        }
        if is_last {
            self.fuse.state.set(State::Lit(actor));
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.core.borrow().deadline()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<C::Effect>) {
        self.core.borrow_mut().wake(now, out);
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
    <P::Core as Core>::Effect: Seeing,
{
    type Core = MinedCore<P::Core>;

    fn perform(&mut self, now: Timestamp, effect: <P::Core as Core>::Effect) {
        if !self.fuse.may_act(now, &effect) {
            return;
        }
        self.port.perform(now, effect);
        let actor = <P::Core as Core>::In::ACTOR;
        if self.fuse.state.get() == State::Lit(actor) {
            self.fuse.blow(actor);
        }
    }
}

/// What the hook does on a thread: shuts the gate of the system there and notes when.
#[derive(Clone)]
pub(crate) struct Hooked {
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
pub(crate) fn install_hook() {
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
