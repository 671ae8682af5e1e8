//! The real actors in virtual time: shells, guardians, supervisor, links and mailboxes on a paused runtime of one thread.
//!
//! The world around them is that of the cores: the same exchange, network, faults, people and judgements, from the same
//! seed. What is added is what only actors have: messages that overtake nothing but arrive later, panics and fresh
//! instances, the gate word, a journal that acknowledges. A crash drops the runtime between two turns.

pub mod moves;
mod outside;
mod process;
mod stopping;
pub mod stops;
mod turns;

use crate::campaign;
use crate::panics::fuse::{self, Fuse, Moment};
use crate::panics::rig::Glass;
use crate::plan::Plan;
use crate::planted::Plant;
use crate::trace::Trace;
use crate::world::{Outcome, World};
use actors::clock::Clock;
use actors::driver::gated::{Egress, Permit};
use actors::gate::{Gate, Pass};
use actors::journal::{Hand, Journal};
use actors::observer::SharedStatus;
use actors::store::Store;
use actors::system::Links;
use engine::answer::NotSent;
use engine::ids::ClientId;
use engine::supervisor::ActorName;
use engine::time::Timestamp;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Once;
use tokio::sync::Notify;

/// Where a panic is planted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mine {
    actor: ActorName,
    /// Messages of the actor that are handled before.
    behind: u32,
    moment: Moment,
}

/// What a world holds whose processes are real shells.
pub(crate) struct Shelled {
    /// A process is to be made.
    pub(crate) is_start_due: bool,
    /// A commit is on its way.
    is_commit_due: bool,
    /// The journal, while no process writes it.
    store: Option<Store>,
    /// Actors whose end the supervisor has yet to hear of.
    struck: Vec<ActorName>,
    /// Something was added to what is due.
    wake: Rc<Notify>,
}

/// The outside of one process: everything of it that the world touches.
pub(crate) struct Shells {
    pub(crate) links: Links,
    pub(crate) gate: Gate,
    pub(crate) clock: Clock,
    pub(crate) glass: Glass,
    pub(crate) journal: Journal,
    /// What the process shows, as far as a stop and the operator's hand read it.
    status: SharedStatus,
    fuse: Fuse,
    hand: Hand,
    /// What each order was handed over with, until its first byte is due.
    passes: BTreeMap<ClientId, Option<Pass>>,
}

impl Shells {
    /// The port's own judgement on the line before the first byte.
    ///
    /// # Errors
    /// Why the order is not sent.
    pub(crate) fn judge(&self, id: ClientId, expires_at: Timestamp) -> Result<(), NotSent> {
        let pass = self.passes.get(&id).copied().flatten();
        let pass = pass.ok_or(NotSent::GateClosed)?;
        Egress::judge(&self.gate, &self.clock, Permit { pass, expires_at })
    }
}

/// The process's own panic hook; once, because it finds the system of its thread.
static HOOK: Once = Once::new();

/// Runs one seed and keeps the last lines of its trace.
pub fn run_seed(seed: u64, plant: Option<Plant>, lines: usize) -> Outcome {
    HOOK.call_once(fuse::install_hook);
    campaign::guarded(seed, || {
        let mut plan = Plan::of(seed);
        // What a full disk does is shown on cores and on the store; this journal lies in memory.
        plan.faults.disk_full = 0;
        process::play(World::new(plan, plant, Trace::keeping(lines)))
    })
}
