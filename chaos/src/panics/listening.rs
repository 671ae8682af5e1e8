//! The supervisor with an ear at its door: when it heard of which end.
//!
//! It decides nothing: every input goes on to the real core. The one idea: a panic is judged by what was heard of it.

use super::rig::Heard;
use actors::shell::Perform;
use actors::supervisor::SupervisorPort;
use engine::core::{Core, Outbox};
use engine::supervisor::Supervisor;
use engine::time::Timestamp;

/// The supervisor's core, with a note of when it heard of which end.
pub(super) struct Listening {
    pub(super) core: Supervisor,
    pub(super) heard: Heard,
}

impl Core for Listening {
    type In = <Supervisor as Core>::In;
    type Effect = <Supervisor as Core>::Effect;

    fn handle(&mut self, now: Timestamp, input: Self::In, out: &mut Outbox<Self::Effect>) {
        if let engine::supervisor::SupervisorIn::Ended(actor) = input {
            self.heard.borrow_mut().push((actor, now));
        }
        self.core.handle(now, input, out);
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.core.deadline()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<Self::Effect>) {
        self.core.wake(now, out);
    }
}

pub(super) struct ListeningPort(pub(super) SupervisorPort);

impl Perform for ListeningPort {
    type Core = Listening;

    fn perform(&mut self, now: Timestamp, effect: <Supervisor as Core>::Effect) {
        self.0.perform(now, effect);
    }
}
