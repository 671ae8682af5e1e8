//! The Supervisor: what happens when an actor ends.
//!
//! A fresh instance after a delay, as long as it does not end too often; then a mode that keeps risk out. The order
//! path has no second chance: if gate or router end, the kill switch comes first and the process ends after it has
//! cancelled by the exchange's own list; the next start recovers from the journal.
//!
//! Source of the numbers: measured behaviour of actix 0.13 (it restarts a panicked actor never, a stopped one always).

use crate::core::{Core, Outbox};
use crate::dice::Dice;
use crate::mode::{Mode, ModeCode};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The actors of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActorName {
    /// Session with the exchange's stream.
    MarketFeed,
    /// Books and their trust.
    OrderBook,
    /// Intents.
    Strategy,
    /// Checks and reservations.
    RiskGate,
    /// Orders.
    OrderRouter,
    /// The simulated venue of a dry run.
    Venue,
    /// Looks at the account.
    Reconciler,
    /// Credentials.
    Secrets,
    /// Figures, log, status.
    Metrics,
    /// This one.
    Supervisor,
}

impl ActorName {
    /// Every actor.
    pub const ALL: [Self; 10] = [
        Self::MarketFeed,
        Self::OrderBook,
        Self::Strategy,
        Self::RiskGate,
        Self::OrderRouter,
        Self::Venue,
        Self::Reconciler,
        Self::Secrets,
        Self::Metrics,
        Self::Supervisor,
    ];

    /// Returns the name used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MarketFeed => "market_feed",
            Self::OrderBook => "order_book",
            Self::Strategy => "strategy",
            Self::RiskGate => "risk_gate",
            Self::OrderRouter => "order_router",
            Self::Venue => "venue",
            Self::Reconciler => "reconciler",
            Self::Secrets => "secrets",
            Self::Metrics => "metrics",
            Self::Supervisor => "supervisor",
        }
    }

    /// How often it may end within a period, and what its loss means.
    const fn policy(self) -> Policy {
        match self {
            Self::MarketFeed => Policy {
                ends_max: 5,
                period_ms: 60_000,
                lost: Mode::ObserveOnly,
            },
            Self::OrderBook => Policy {
                ends_max: 3,
                period_ms: 60_000,
                lost: Mode::ObserveOnly,
            },
            Self::Strategy => Policy {
                ends_max: 2,
                period_ms: 600_000,
                lost: Mode::ObserveOnly,
            },
            Self::RiskGate | Self::OrderRouter | Self::Venue | Self::Supervisor => Policy {
                ends_max: 0,
                period_ms: 60_000,
                lost: Mode::KillSwitch,
            },
            Self::Reconciler => Policy {
                ends_max: 3,
                period_ms: 300_000,
                lost: Mode::KillSwitch,
            },
            Self::Secrets => Policy {
                ends_max: 1,
                period_ms: 600_000,
                lost: Mode::KillSwitch,
            },
            Self::Metrics => Policy {
                ends_max: 10,
                period_ms: 60_000,
                lost: Mode::ObserveOnly,
            },
        }
    }
}

/// What an actor's repeated end leads to.
#[derive(Clone, Copy, Debug)]
struct Policy {
    ends_max: usize,
    period_ms: i64,
    lost: Mode,
}

/// First restart delay, milliseconds; doubles up to the maximum, drawn in full.
const DELAY_MS_BASE: i64 = 500;
/// Longest restart delay, milliseconds.
const DELAY_MS_MAX: i64 = 30_000;

/// What the supervisor hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisorIn {
    /// An actor ended by itself: a panic, or a stop that nobody asked for.
    Ended(ActorName),
}

/// What the supervisor wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisorEffect {
    /// Make a fresh instance after this many milliseconds.
    Start(ActorName, i64),
    /// Stop a living instance and make a fresh one: what it depends on has been replaced.
    Renew(ActorName),
    /// The actor ended too often; this mode holds from here on.
    Raise(ModeCode, Mode),
    /// The order path is broken: cancel what is open by the exchange's own list, then end the process.
    Fatal(ActorName),
}

/// Counts ends and decides.
#[derive(Debug)]
pub struct Supervisor {
    dice: Dice,
    ends: BTreeMap<ActorName, Vec<Timestamp>>,
}

impl Supervisor {
    /// Makes a supervisor; `seed` spreads the restart delays.
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            ends: BTreeMap::new(),
        }
    }

    fn ended(&mut self, now: Timestamp, actor: ActorName, out: &mut Outbox<SupervisorEffect>) {
        let policy = actor.policy();
        let ends = self.ends.entry(actor).or_default();
        ends.retain(|at| now.ms_since(*at) < policy.period_ms);
        ends.push(now);
        let count = ends.len();
        if count > policy.ends_max {
            out.push(SupervisorEffect::Raise(ModeCode::ActorLost, policy.lost));
        }
        if policy.ends_max == 0 {
            out.push(SupervisorEffect::Fatal(actor));
            return;
        }
        let doublings = u32::try_from(count - 1).unwrap_or(u32::MAX).min(16);
        let ceiling = (DELAY_MS_BASE << doublings).min(DELAY_MS_MAX);
        out.push(SupervisorEffect::Start(
            actor,
            self.dice.between(0, ceiling),
        ));
        if actor == ActorName::OrderBook {
            // A fresh book knows no session: the feed begins a new one.
            out.push(SupervisorEffect::Renew(ActorName::MarketFeed));
        }
    }
}

impl Core for Supervisor {
    type In = SupervisorIn;
    type Effect = SupervisorEffect;

    fn handle(&mut self, now: Timestamp, input: SupervisorIn, out: &mut Outbox<SupervisorEffect>) {
        match input {
            SupervisorIn::Ended(actor) => self.ended(now, actor, out),
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    fn wake(&mut self, _now: Timestamp, _out: &mut Outbox<SupervisorEffect>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends one actor at the given seconds and returns the effects of the last end.
    fn check(actor: ActorName, ends_s: &[i64]) -> Vec<SupervisorEffect> {
        let mut core = Supervisor::new(1);
        let mut out = Outbox::default();
        for second in ends_s {
            out.drain().for_each(drop);
            core.handle(
                Timestamp::from_ms(second * 1_000),
                SupervisorIn::Ended(actor),
                &mut out,
            );
        }
        out.drain().collect()
    }

    fn raised(effects: &[SupervisorEffect]) -> Option<Mode> {
        effects.iter().find_map(|effect| match effect {
            SupervisorEffect::Raise(_, mode) => Some(*mode),
            SupervisorEffect::Start(..)
            | SupervisorEffect::Renew(_)
            | SupervisorEffect::Fatal(_) => None,
        })
    }

    #[test]
    fn a_feed_may_fall_five_times_a_minute_and_the_sixth_costs_its_trust() {
        assert_eq!(
            raised(&check(ActorName::MarketFeed, &[0, 1, 2, 3, 4])),
            None
        );
        assert_eq!(
            raised(&check(ActorName::MarketFeed, &[0, 1, 2, 3, 4, 5])),
            Some(Mode::ObserveOnly)
        );
        assert_eq!(
            raised(&check(ActorName::MarketFeed, &[0, 1, 2, 3, 4, 61])),
            None
        );
    }

    #[test]
    fn the_order_path_has_no_second_chance() {
        assert_eq!(
            raised(&check(ActorName::OrderRouter, &[0])),
            Some(Mode::KillSwitch)
        );
        let effects = check(ActorName::RiskGate, &[0]);
        assert!(effects.contains(&SupervisorEffect::Fatal(ActorName::RiskGate)));
        assert!(
            !effects
                .iter()
                .any(|effect| matches!(effect, SupervisorEffect::Start(..)))
        );
    }

    #[test]
    fn a_fresh_book_gets_a_fresh_session() {
        assert!(
            check(ActorName::OrderBook, &[0])
                .contains(&SupervisorEffect::Renew(ActorName::MarketFeed))
        );
    }

    #[test]
    fn restart_delays_stay_below_their_ceiling() {
        for effect in check(ActorName::Metrics, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
            if let SupervisorEffect::Start(_, delay_ms) = effect {
                assert!((0..=DELAY_MS_MAX).contains(&delay_ms));
            }
        }
    }
}
