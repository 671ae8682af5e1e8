//! Keeps one actor alive: makes it, watches it, reports its end, makes the next one when told to.
//!
//! actix's own supervisor never sees a panic and restarts a stopped actor at once and for ever, so the Guardian
//! drives the actor's future itself: a panic comes back through the join handle within a fraction of a millisecond,
//! and every instance is fresh from a factory, never the old one.

use crate::link::Link;
use actix::dev::ToEnvelope;
use actix::{Actor, Context};
use engine::supervisor::{ActorName, SupervisorIn};
use std::time::Duration;
use tokio::sync::mpsc;

/// Commands that may wait for one guardian; more than a handful means that the supervisor runs away.
pub const COMMANDS_MAX: usize = 16;

/// What a guardian is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make a fresh instance after this many milliseconds.
    Start(i64),
    /// Replace the living instance by a fresh one.
    Renew,
    /// End the instance and the guardian.
    Shutdown,
}

/// Runs one actor until told to shut down. Must be spawned on the arbiter that the actor is to live on.
///
/// `factory` makes an instance and its context and publishes the address; `withdraw` takes the address back.
pub async fn guard<A, F, W>(
    name: ActorName,
    mut commands: mpsc::Receiver<Command>,
    supervisor: Link<SupervisorIn>,
    mut factory: F,
    withdraw: W,
) where
    A: Actor<Context = Context<A>>,
    F: FnMut(&mut Context<A>) -> A,
    W: Fn(),
{
    loop {
        let mut ctx = Context::new();
        let actor = factory(&mut ctx);
        let mut life = actix_rt::spawn(ctx.into_future(actor));
        tracing::debug!(event = "actor_started", actor = name.as_str());
        let next = tokio::select! {
            biased;
            command = commands.recv() => command,
            _ended = &mut life => {
                withdraw();
                report(name, &supervisor);
                wait_for_start(&mut commands).await
            }
        };
        withdraw();
        life.abort();
        match next {
            Some(Command::Start(delay_ms)) => pause(delay_ms).await,
            Some(Command::Renew) => {}
            Some(Command::Shutdown) | None => return,
        }
    }
}

fn report(name: ActorName, supervisor: &Link<SupervisorIn>) {
    tracing::error!(
        event = "actor_ended",
        actor = name.as_str(),
        msg = "an actor ended by itself"
    );
    if supervisor.send(SupervisorIn::Ended(name)) != crate::link::Sent::Delivered {
        tracing::error!(event = "supervisor_unreachable", actor = name.as_str());
    }
}

async fn wait_for_start(commands: &mut mpsc::Receiver<Command>) -> Option<Command> {
    commands.recv().await
}

async fn pause(delay_ms: i64) {
    tokio::time::sleep(Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0))).await;
}

/// Publishes the address of a fresh context under a link; for factories.
pub fn publish<A, T>(ctx: &Context<A>, link: &Link<T>)
where
    A: Actor<Context = Context<A>> + actix::Handler<crate::link::Tell<T>>,
    T: Send + 'static,
    Context<A>: ToEnvelope<A, crate::link::Tell<T>>,
{
    use actix::AsyncContext;
    link.publish(ctx.address().recipient());
}
