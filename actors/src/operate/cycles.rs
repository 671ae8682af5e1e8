//! The wait of a run: for signals, failures and its end, while the beat counts cycles.

use super::{Cause, Parts, Until};
use crate::link::Sent;
use crate::operator::Operator;
use crate::signals::{Event, Signal, Signals};
use crate::system::Running;
use engine::msg::StrategyIn;
use engine::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Time between two looks at what a run of few cycles waits for.
const LOOK: Duration = Duration::from_millis(500);

/// Whether cycles count yet.
enum Readiness {
    Ready,
    Waiting,
    TooLate(Vec<&'static str>),
}

/// Ends when it is told to; without anybody to tell it, never.
async fn stopped(stop: Option<watch::Receiver<bool>>) {
    if let Some(mut stop) = stop
        && stop.wait_for(|is_wanted| *is_wanted).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

impl Parts {
    pub(super) async fn run(
        &self,
        running: &mut Running,
        signals: &mut Signals,
        operator: &Arc<Operator>,
        until: Until,
    ) -> (Cause, u32) {
        let mut beat = tokio::time::interval(self.beat(&until));
        let over = async {
            match until.elapsed {
                Some(elapsed) => tokio::time::sleep(elapsed).await,
                None => std::future::pending().await,
            }
        };
        let stopped = stopped(until.stop.clone());
        tokio::pin!(over, stopped);
        let started = self.clock.now();
        let (mut cycle, mut next_at) = (0, started);
        loop {
            tokio::select! {
                biased;
                event = self.heard(signals) => match event {
                    Some(Event::Signal(Signal::Usr1)) => self.safe_mode_by_signal(operator),
                    Some(Event::Signal(Signal::Usr2)) => drop(operator.request_off()),
                    Some(Event::Signal(Signal::Hup)) => self.reload(operator),
                    Some(Event::Signal(Signal::Quit)) => return (Cause::Quit, cycle),
                    Some(Event::Signal(Signal::Term | Signal::Int) | Event::StopNow) | None => return (Cause::Asked, cycle),
                },
                actor = running.fatal.recv() => {
                    return (Cause::Fatal(actor.map_or("supervisor", engine::supervisor::ActorName::as_str)), cycle);
                }
                why = running.journal_failed.recv() => {
                    return (Cause::Journal(why.unwrap_or_else(|| "its thread ended".to_owned())), cycle);
                }
                () = &mut over => return (Cause::Done, cycle),
                () = &mut stopped => return (Cause::Done, cycle),
                _ = beat.tick() => {
                    match self.readiness(&until, started) {
                        Readiness::Ready => {}
                        Readiness::Waiting => continue,
                        Readiness::TooLate(missing) => return (Cause::NotReady(missing), cycle),
                    }
                    let now = self.clock.now();
                    // A beat is a cycle, unless it is quicker because somebody waits for readiness.
                    let is_early = until.ready_within.is_some() && now < next_at;
                    if self.is_over(&until, cycle, is_early) {
                        return (Cause::Done, cycle);
                    }
                    if is_early {
                        continue;
                    }
                    cycle += 1;
                    next_at = now.plus_ms(self.settings.strategy.cycle_interval_ms);
                    if self.links.strategy.send(StrategyIn::Cycle(cycle)) == Sent::Full {
                        tracing::warn!(event = "cycle_dropped", cycle);
                    }
                }
            }
        }
    }

    fn is_over(&self, until: &Until, cycle: u32, is_early: bool) -> bool {
        let was_last = until.cycles.is_some_and(|most| cycle >= most);
        let has_run_out = || !is_early && self.own_orders.living().is_empty();
        was_last && (!until.lets_run_out || has_run_out())
    }

    /// Whoever waits for a single cycle does not wait for the beat of many.
    fn beat(&self, until: &Until) -> Duration {
        let ms = u64::try_from(self.settings.strategy.cycle_interval_ms).unwrap_or(1);
        let period = Duration::from_millis(ms);
        until.ready_within.map_or(period, |_| period.min(LOOK))
    }

    pub(super) async fn heard(&self, signals: &mut Signals) -> Option<Event> {
        let event = signals.next().await;
        if let Some(Event::Signal(signal)) = event {
            self.metrics.signal(signal);
        }
        event
    }

    fn readiness(&self, until: &Until, started: Timestamp) -> Readiness {
        let Some(within) = until.ready_within else {
            return Readiness::Ready;
        };
        let now = self.clock.now();
        let checks = self
            .status
            .read()
            .expect("no holder of the status can panic")
            .readiness(now);
        let missing: Vec<&'static str> = checks
            .iter()
            .filter(|check| !check.ok)
            .map(|check| check.name)
            .collect();
        let waited = u64::try_from(now.ms_since(started)).unwrap_or(0);
        if missing.is_empty() {
            Readiness::Ready
        } else if Duration::from_millis(waited) < within {
            Readiness::Waiting
        } else {
            Readiness::TooLate(missing)
        }
    }
}
