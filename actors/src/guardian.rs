//! Keeps one actor alive: makes it, watches it, reports its end, makes the next one when told to.
//!
//! actix's own supervisor never sees a panic and restarts a stopped actor at once and for ever, so the Guardian
//! drives the actor's future itself: a panic comes back through the join handle within a fraction of a millisecond,
//! and every instance is fresh from a factory, never the old one.

use crate::link::Link;
use crate::metrics::Metrics;
use actix::dev::ToEnvelope;
use actix::{Actor, Context};
use engine::supervisor::{ActorName, SupervisorIn};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

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

/// Holds every first instance back until all of them can be reached.
///
/// A first message that finds nobody is lost for good: a book that never hears of its session waits for ever. It rises
/// when the last copy is gone; each guardian gives its own away once its actor's address is published. Whoever waits
/// goes on in the order in which it came, so that a simulation begins alike every time.
#[derive(Clone)]
pub struct Curtain {
    held: broadcast::Sender<()>,
}

impl Default for Curtain {
    fn default() -> Self {
        let (held, _) = broadcast::channel(1);
        Self { held }
    }
}

impl Curtain {
    async fn pass(self) {
        let mut risen = self.held.subscribe();
        drop(self);
        // Nothing is ever sent: the error is the end of the last sender.
        let _risen = risen.recv().await;
    }
}

/// Runs one actor until told to shut down. Must be spawned on the arbiter that the actor is to live on.
///
/// `factory` makes an instance, publishes its context's address and sets the mailbox's limit; `withdraw` takes the address back.
pub async fn guard<A, F, W>(
    name: ActorName,
    mut commands: mpsc::Receiver<Command>,
    supervisor: Link<SupervisorIn>,
    metrics: Metrics,
    curtain: Curtain,
    mut factory: F,
    withdraw: W,
) where
    A: Actor<Context = Context<A>>,
    F: FnMut(&mut Context<A>) -> A,
    W: Fn(),
{
    let mut curtain = Some(curtain);
    loop {
        let mut ctx = Context::new();
        let actor = factory(&mut ctx);
        if let Some(curtain) = curtain.take() {
            curtain.pass().await;
        }
        let mut life = actix_rt::spawn(ctx.into_future(actor));
        metrics.actor_up(name, true);
        tracing::debug!(event = "actor_started", actor = name.as_str());
        let next = tokio::select! {
            biased;
            command = commands.recv() => command,
            _ended = &mut life => {
                withdraw();
                metrics.actor_up(name, false);
                report(name, &supervisor);
                commands.recv().await
            }
        };
        withdraw();
        metrics.actor_up(name, false);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::link::Sent;
    use crate::shell::{Perform, Shell};
    use engine::core::{Core, Outbox};
    use engine::time::Timestamp;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Longest wait for something that takes a fraction of a millisecond.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// The message that breaks the core's invariant.
    const POISON: u32 = 13;

    /// Adds up what it is told; a fresh one starts at zero.
    struct Sum(u32);

    impl Core for Sum {
        type In = u32;
        type Effect = u32;

        fn handle(&mut self, _now: Timestamp, input: u32, out: &mut Outbox<u32>) {
            assert!(input != POISON, "an invariant of this core");
            self.0 += input;
            out.push(self.0);
        }

        fn deadline(&self) -> Option<Timestamp> {
            None
        }

        fn wake(&mut self, _now: Timestamp, _out: &mut Outbox<u32>) {}
    }

    struct Seen(Arc<AtomicU32>);

    impl Perform for Seen {
        type Core = Sum;

        fn perform(&mut self, _now: Timestamp, effect: u32) {
            self.0.store(effect, Ordering::SeqCst);
        }
    }

    async fn until(what: &str, is_true: impl Fn() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is_true() {
                tokio::task::yield_now().await;
            }
        });
        assert!(waited.await.is_ok(), "{what}");
    }

    #[actix_rt::test]
    async fn a_panic_is_reported_and_a_fresh_instance_takes_the_place() {
        let (heard_send, mut heard) = mpsc::unbounded_channel();
        let supervisor = Link::default();
        supervisor.publish(crate::link::tests::Ear(heard_send).start().recipient());
        let (link, seen) = (Link::<u32>::default(), Arc::new(AtomicU32::new(0)));
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let factory = {
            let (link, seen) = (link.clone(), Arc::clone(&seen));
            move |ctx: &mut Context<Shell<Seen>>| {
                publish(ctx, &link);
                Shell::new(Sum(0), Seen(Arc::clone(&seen)), Clock::start(), 16)
            }
        };
        let withdraw = {
            let link = link.clone();
            move || link.clear()
        };
        let life = actix_rt::spawn(guard(
            ActorName::Strategy,
            inbox,
            supervisor,
            Metrics::new(crate::cli::version::BUILD, &[], Timestamp(0)),
            Curtain::default(),
            factory,
            withdraw,
        ));

        until("the first instance lives", || {
            link.send(5) == Sent::Delivered
        })
        .await;
        until("it adds up", || seen.load(Ordering::SeqCst) == 5).await;
        assert_eq!(link.send(POISON), Sent::Delivered);
        let report = tokio::time::timeout(PATIENCE, heard.recv())
            .await
            .expect("the end is reported");
        assert_eq!(report, Some(SupervisorIn::Ended(ActorName::Strategy)));
        assert_eq!(
            link.send(1),
            Sent::Down,
            "nobody lives until the supervisor says so"
        );

        commands
            .send(Command::Start(0))
            .await
            .expect("the guardian listens");
        until("a second instance lives", || {
            link.send(7) == Sent::Delivered
        })
        .await;
        until("it is fresh: nothing of the first sum is left", || {
            seen.load(Ordering::SeqCst) == 7
        })
        .await;

        commands
            .send(Command::Shutdown)
            .await
            .expect("the guardian listens");
        assert!(
            tokio::time::timeout(PATIENCE, life).await.is_ok(),
            "the guardian ends"
        );
        assert_eq!(link.send(1), Sent::Down);
    }

    #[actix_rt::test]
    async fn no_first_message_is_lost_however_late_its_receiver_is_made() {
        let (early, late) = (Link::<u32>::default(), Link::<u32>::default());
        let curtain = Curtain::default();
        let seen = Arc::new(AtomicU32::new(0));
        let spawn = |name, link: &Link<u32>, curtain| {
            let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
            let (link, seen) = (link.clone(), Arc::clone(&seen));
            let factory = move |ctx: &mut Context<Shell<Seen>>| {
                publish(ctx, &link);
                Shell::new(Sum(0), Seen(Arc::clone(&seen)), Clock::start(), 16)
            };
            let metrics = Metrics::new(crate::cli::version::BUILD, &[], Timestamp(0));
            let life = guard(
                name,
                inbox,
                Link::default(),
                metrics,
                curtain,
                factory,
                || (),
            );
            (commands, actix_rt::spawn(life))
        };
        let _first = spawn(ActorName::MarketFeed, &early, curtain.clone());
        until("the first is reachable", || {
            early.send(3) == Sent::Delivered
        })
        .await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(seen.load(Ordering::SeqCst), 0, "it waits for the other");
        let _second = spawn(ActorName::OrderBook, &late, curtain);
        until("both began", || seen.load(Ordering::SeqCst) == 3).await;
        assert_eq!(late.send(4), Sent::Delivered);
        until("the late one works", || seen.load(Ordering::SeqCst) == 4).await;
    }
}
