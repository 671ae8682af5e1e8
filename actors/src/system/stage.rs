//! Where actors are put: the arbiters, the guardians, and what every actor shares.

use super::{Links, Plan, Rulebook};
use crate::clock::Clock;
use crate::gate::Gate;
use crate::guardian::{self, COMMANDS_MAX, Command, Curtain};
use crate::link::{Link, Tell};
use crate::metrics::Metrics;
use crate::observer::Eyes;
use crate::reload::InForce;
use crate::shell::{Perform, Shell};
use actix::{Actor, Context, Handler};
use actix_rt::ArbiterHandle;
use config::settings::Settings;
use engine::core::Core;
use engine::supervisor::ActorName;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// One system while it is put together.
pub(super) struct Stage {
    pub(super) clock: Clock,
    pub(super) links: Links,
    pub(super) eyes: Eyes,
    pub(super) metrics: Metrics,
    pub(super) curtain: Curtain,
    pub(super) settings: Arc<Settings>,
    /// What a reload has put in their place; a demo has none.
    pub(super) in_force: Option<InForce>,
    pub(super) gate: Gate,
    pub(super) rulebook: Rulebook,
    pub(super) trade: ArbiterHandle,
    pub(super) rest: ArbiterHandle,
    pub(super) guardians: BTreeMap<ActorName, mpsc::Sender<Command>>,
}

impl Stage {
    pub(super) fn new(plan: &Plan, trade: ArbiterHandle, rest: ArbiterHandle) -> Self {
        Self {
            clock: plan.clock.clone(),
            links: plan.links.clone(),
            eyes: plan.eyes.clone(),
            metrics: plan.figures.metrics.clone(),
            curtain: Curtain::default(),
            settings: Arc::clone(&plan.settings),
            in_force: plan.secrets.as_ref().map(|port| port.in_force.clone()),
            gate: plan.owner.gate(),
            rulebook: Rulebook::default(),
            trade,
            rest,
            guardians: BTreeMap::new(),
        }
    }

    /// Returns the settings at the moment of the call, for actors that may be made again after a reload.
    pub(super) fn current<T: 'static>(
        &self,
        of: fn(&Settings) -> T,
    ) -> impl Fn() -> T + Send + 'static {
        let (settings, in_force) = (Arc::clone(&self.settings), self.in_force.clone());
        move || match &in_force {
            Some(in_force) => of(in_force.get().settings()),
            None => of(&settings),
        }
    }

    /// Registers a guardian and returns its end of the command line.
    pub(super) fn guarded(&mut self, name: ActorName) -> mpsc::Receiver<Command> {
        let (send, receive) = mpsc::channel(COMMANDS_MAX);
        self.guardians.insert(name, send);
        receive
    }

    /// Spawns a guarded shell whose core can be made again.
    pub(super) fn spawn<P, F>(
        &mut self,
        arbiter: &ArbiterHandle,
        name: ActorName,
        link: &Link<<P::Core as Core>::In>,
        mut make: F,
    ) where
        P: Perform,
        F: FnMut() -> (P::Core, P, usize) + Send + 'static,
        Shell<P>: Handler<Tell<<P::Core as Core>::In>> + Actor<Context = Context<Shell<P>>>,
        <P::Core as Core>::In: Send + 'static,
        <P::Core as Core>::Effect: Unpin,
    {
        let commands = self.guarded(name);
        let (link, clock) = (link.clone(), self.clock.clone());
        let (supervisor, metrics) = (self.links.supervisor.clone(), self.metrics.clone());
        let curtain = self.curtain.clone();
        let accepted = arbiter.spawn_fn(move || {
            let withdraw = {
                let link = link.clone();
                move || link.clear()
            };
            let factory = move |ctx: &mut Context<Shell<P>>| {
                guardian::publish(ctx, &link);
                let (core, port, capacity) = make();
                // Before it starts: messages come as soon as the address is known.
                ctx.set_mailbox_capacity(capacity);
                Shell::new(core, port, clock.clone(), capacity)
            };
            actix_rt::spawn(guardian::guard(
                name, commands, supervisor, metrics, curtain, factory, withdraw,
            ));
        });
        assert!(accepted, "a fresh arbiter takes work");
    }

    /// Spawns a guarded shell that is made once; the supervisor never asks for a second instance.
    pub(super) fn spawn_once<P, F>(
        &mut self,
        arbiter: &ArbiterHandle,
        name: ActorName,
        link: &Link<<P::Core as Core>::In>,
        make: F,
    ) where
        P: Perform,
        F: FnOnce() -> (P::Core, P, usize) + Send + 'static,
        Shell<P>: Handler<Tell<<P::Core as Core>::In>> + Actor<Context = Context<Shell<P>>>,
        <P::Core as Core>::In: Send + 'static,
        <P::Core as Core>::Effect: Unpin,
    {
        let mut make = Some(make);
        let once = move || {
            let make = make.take();
            make.expect("the supervisor ends the process rather than asking for a second instance")(
            )
        };
        self.spawn(arbiter, name, link, once);
    }
}
