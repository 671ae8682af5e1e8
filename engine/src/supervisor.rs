//! The Supervisor: what happens when an actor ends, or when reconnects and 429s are spent.
//!
//! A fresh instance after a delay, as long as it does not end too often; then a mode that keeps risk out. The order
//! path has no second chance: if gate or router end, the kill switch comes first and the process ends after it has
//! cancelled by the exchange's own list; the next start recovers from the journal. How far things have gone is the
//! ladder's to say (`budget/`); here its steps become modes.
//!
//! Source of the numbers: measured behaviour of actix 0.13 (it restarts a panicked actor never, a stopped one always).

use crate::budget::{
    BudgetLimits, Cause, ConnectPace, Finding, IN_A_ROW_KILL, Ladder, Memory, Rung, Spending, Step,
};
use crate::core::{Core, Outbox};
use crate::dice::Dice;
use crate::mode::{Mode, ModeCode};
use crate::record::Record;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The actors of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Something of a budget was spent.
    Spent(Spending),
    /// The stream's handshake was refused so many times in a row.
    HandshakesRefused(u32),
    /// The exchange refused our credentials so many times in a row.
    CredentialsRefused(u32),
    /// The exchange's clock less ours was measured, milliseconds.
    Offset(i64),
    /// An operator has ended a kill: what is spent is forgiven.
    Forgive,
}

/// What the supervisor wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SupervisorEffect {
    /// Make a fresh instance after this many milliseconds.
    Start(ActorName, i64),
    /// Stop a living instance and make a fresh one: what it depends on has been replaced.
    Renew(ActorName),
    /// This mode holds from here on.
    Raise(ModeCode, Mode),
    /// No longer ask for a mode.
    Clear(ModeCode),
    /// Write down.
    Persist(Record),
    /// Show where a cause stands; a step where the rungs differ.
    Show(Step),
    /// Tell the feed how it may try.
    Pace(ConnectPace),
    /// The order path is broken: cancel what is open by the exchange's own list, then end the process.
    Fatal(ActorName),
}

/// Counts ends and spendings, and decides.
#[derive(Debug)]
pub struct Supervisor {
    dice: Dice,
    ladder: Ladder,
    is_open: bool,
}

impl Supervisor {
    /// Makes a supervisor that goes on from what the journal says; `seed` spreads the restart delays.
    pub fn new(seed: u64, limits: BudgetLimits, past: Memory, now: Timestamp) -> Self {
        Self {
            dice: Dice::new(seed),
            ladder: Ladder::resume(limits, past, now),
            is_open: false,
        }
    }

    /// Returns where everything stands.
    pub const fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Returns what must hold from the first turn on; the supervisor clears it when it is over.
    pub fn voices(&self) -> Vec<(ModeCode, Mode)> {
        let causes = Cause::ALL.into_iter();
        causes
            .map(|cause| (cause.code(), self.ladder.rung(cause).mode()))
            .filter(|(_, mode)| *mode > Mode::Normal)
            .collect()
    }

    fn ended(&mut self, now: Timestamp, actor: ActorName, out: &mut Outbox<SupervisorEffect>) {
        let policy = actor.policy();
        let spent = self.ladder.spend(now, Spending::Ended(actor));
        self.follow(spent, out);
        let count = self.ladder.ends(now, actor, policy.period_ms);
        let is_lost = count > policy.ends_max;
        let rung = match policy.lost {
            Mode::KillSwitch if is_lost => Rung::Killed,
            Mode::Normal | Mode::ReduceRiskOnly | Mode::ObserveOnly if is_lost => Rung::Observe,
            Mode::Normal | Mode::ReduceRiskOnly | Mode::ObserveOnly | Mode::KillSwitch => {
                Rung::Restart
            }
        };
        let tripped = self.ladder.trip(now, Cause::Actors, rung);
        self.follow(tripped, out);
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

    fn in_a_row(
        &mut self,
        now: Timestamp,
        cause: Cause,
        count: u32,
        out: &mut Outbox<SupervisorEffect>,
    ) {
        let rung = if count >= IN_A_ROW_KILL {
            Rung::Killed
        } else {
            Rung::Restart
        };
        let tripped = self.ladder.trip(now, cause, rung);
        self.follow(tripped, out);
    }

    /// Turns findings into effects. A record goes first, a mode before it is shown.
    fn follow(&self, found: Vec<Finding>, out: &mut Outbox<SupervisorEffect>) {
        for finding in found {
            match finding {
                Finding::Persist(record) => out.push(SupervisorEffect::Persist(record)),
                Finding::Show(step) => {
                    self.apply(step, out);
                    out.push(SupervisorEffect::Show(step));
                }
            }
        }
    }

    fn apply(&self, step: Step, out: &mut Outbox<SupervisorEffect>) {
        if step.before == step.after {
            return;
        }
        let (code, mode) = (step.cause.code(), step.after.mode());
        if mode > Mode::Normal {
            out.push(SupervisorEffect::Raise(code, mode));
        } else if step.before.mode() > Mode::Normal {
            out.push(SupervisorEffect::Clear(code));
        }
        if step.cause == Cause::Reconnects {
            out.push(SupervisorEffect::Pace(ConnectPace::of(step.after)));
        }
    }
}

impl Core for Supervisor {
    type In = SupervisorIn;
    type Effect = SupervisorEffect;

    fn handle(&mut self, now: Timestamp, input: SupervisorIn, out: &mut Outbox<SupervisorEffect>) {
        match input {
            SupervisorIn::Ended(actor) => self.ended(now, actor, out),
            SupervisorIn::Spent(what) => {
                let found = self.ladder.spend(now, what);
                self.follow(found, out);
            }
            SupervisorIn::HandshakesRefused(count) => {
                self.in_a_row(now, Cause::Handshakes, count, out);
            }
            SupervisorIn::CredentialsRefused(count) => {
                self.in_a_row(now, Cause::Credentials, count, out);
            }
            SupervisorIn::Offset(offset_ms) => {
                let found = self.ladder.offset(now, offset_ms);
                self.follow(found, out);
            }
            SupervisorIn::Forgive => {
                let found = self.ladder.forgive(now);
                self.follow(found, out);
            }
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.ladder.deadline()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<SupervisorEffect>) {
        let found = if self.is_open {
            self.ladder.review(now)
        } else {
            self.is_open = true;
            self.ladder.opening(now)
        };
        self.follow(found, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BudgetLimits = BudgetLimits {
        reconnects_per_day: 48,
        throttled_per_day: 48,
        is_lifted: false,
    };

    /// Ends one actor at the given seconds and returns the effects of the last end.
    fn check(actor: ActorName, ends_s: &[i64]) -> Vec<SupervisorEffect> {
        let mut core = Supervisor::new(1, LIMITS, Memory::default(), Timestamp::from_ms(0));
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
            | SupervisorEffect::Clear(_)
            | SupervisorEffect::Persist(_)
            | SupervisorEffect::Show(_)
            | SupervisorEffect::Pace(_)
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
