//! Two slow loops beside the trading: the exchange's clock and the exchange's rules.
//!
//! They run on the `rest` arbiter. What they learn is told to the cores; what they cannot learn blocks new risk.

use crate::clock::{Clock, Offset};
use crate::driver::reads::Reads;
use crate::gate::Gate;
use crate::link::Sent;
use crate::observer::{Eyes, Process};
use crate::system::{Links, Rulebook};
use crate::venue::VenueIn;
use engine::ids::Symbol;
use engine::instrument::{Instrument, RuleFacts};
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::{RiskIn, RouterIn, StrategyIn};
use engine::supervisor::SupervisorIn;
use std::collections::BTreeSet;
use std::time::Duration;

/// Time between two measurements of the clock, milliseconds; also keeps the read connection warm.
pub const CLOCK_EVERY_MS: i64 = 15_000;
const CLOCK_EVERY: Duration = Duration::from_millis(CLOCK_EVERY_MS.unsigned_abs());
/// Time between two reads of the rules.
const RULES_EVERY: Duration = Duration::from_secs(60);
/// Wait after a failed read.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// Samples of one clock measurement; the one with the shortest round trip counts.
const CLOCK_SAMPLES: usize = 3;
/// An offset that has not been renewed for this long is unknown, milliseconds.
const OFFSET_AGE_MS_MAX: i64 = 120_000;

/// What the loops work with.
#[derive(Clone)]
pub struct Upkeep {
    /// The exchange.
    pub rest: Reads,
    /// Time.
    pub clock: Clock,
    /// Stable addresses.
    pub links: Links,
    /// Rules as far as they have been read.
    pub rulebook: Rulebook,
    /// The egress gate.
    pub gate: Gate,
    /// Status and log.
    pub eyes: Eyes,
    /// The configured pairs.
    pub symbols: BTreeSet<Symbol>,
    /// Offset at which new risk stops, milliseconds.
    pub skew_ms_warn: i64,
    /// Offset at which the kill switch trips, milliseconds.
    pub skew_ms_kill: i64,
}

impl Upkeep {
    /// Measures the clock for ever.
    pub async fn watch_clock(self) {
        let mut measured_at = self.clock.now();
        loop {
            let best = self.measure().await;
            match best {
                Some(offset) => {
                    measured_at = self.clock.now();
                    self.learn_offset(offset);
                }
                None if self.clock.now().ms_since(measured_at) > OFFSET_AGE_MS_MAX => {
                    self.lose_offset()
                }
                None => {}
            }
            tokio::time::sleep(if best.is_some() {
                CLOCK_EVERY
            } else {
                RETRY_EVERY
            })
            .await;
        }
    }

    /// Measures once; `None` if no answer came.
    pub async fn measure(&self) -> Option<Offset> {
        let mut best: Option<Offset> = None;
        for _ in 0..CLOCK_SAMPLES {
            let Ok(sample) = self.rest.clock_offset().await else {
                continue;
            };
            if best.is_none_or(|known| sample.bound_ms < known.bound_ms) {
                best = Some(sample);
            }
        }
        best
    }

    fn learn_offset(&self, offset: Offset) {
        self.clock.set_offset(offset);
        self.eyes.see(Process::Offset(Some(offset.ms)));
        // The router judges absence by exchange time; until it is told it keeps the last offset, and the stamps' own
        // margin covers the difference.
        if self.links.router.send(RouterIn::Offset(offset.ms)) != Sent::Delivered {
            self.eyes
                .see(Process::LinkTrouble("upkeep_to_router", "offset dropped"));
        }
        // Only how long the process was down hangs on it, and the next measurement comes in seconds.
        if self.links.supervisor.send(SupervisorIn::Offset(offset.ms)) != Sent::Delivered {
            self.eyes.see(Process::LinkTrouble(
                "upkeep_to_supervisor",
                "offset dropped",
            ));
        }
        let skew_ms = offset.ms.abs();
        if skew_ms >= self.skew_ms_kill {
            self.gate.kill(ModeCode::ClockSkew);
            self.tell_risk(RiskIn::Raise(
                ModeCode::ClockSkew,
                Scope::Global,
                Mode::KillSwitch,
            ));
        } else if skew_ms >= self.skew_ms_warn {
            self.tell_risk(RiskIn::Raise(
                ModeCode::ClockSkew,
                Scope::Global,
                Mode::ObserveOnly,
            ));
        } else {
            self.tell_risk(RiskIn::Clear(ModeCode::ClockSkew, Scope::Global));
        }
    }

    fn lose_offset(&self) {
        self.clock.forget_offset();
        self.eyes.see(Process::Offset(None));
        self.tell_risk(RiskIn::Raise(
            ModeCode::ClockSkew,
            Scope::Global,
            Mode::ObserveOnly,
        ));
    }

    /// Reads the rules for ever. A pair whose rules cannot be read keeps the last ones; one that never had any is not traded.
    pub async fn watch_rules(self) {
        let mut unlisted = BTreeSet::new();
        loop {
            let wait = match self.rest.exchange_info().await {
                Ok(facts) => {
                    self.tell_unlisted(&facts.rows, &mut unlisted);
                    let ours = facts
                        .rows
                        .iter()
                        .filter(|facts| self.symbols.contains(&facts.symbol));
                    // Counted in full before it is judged: one pair that could not be told holds no other back.
                    let untold = ours.filter(|facts| !self.learn_rules(facts)).count();
                    if untold == 0 {
                        RULES_EVERY
                    } else {
                        RETRY_EVERY
                    }
                }
                Err(error) => {
                    tracing::warn!(event = "rules_unreadable", error = %error);
                    RETRY_EVERY
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Says which configured pairs the exchange does not list, each once for as long as that is so.
    fn tell_unlisted(&self, rows: &[RuleFacts], told: &mut BTreeSet<Symbol>) {
        let listed: BTreeSet<Symbol> = rows.iter().map(|facts| facts.symbol).collect();
        let unlisted: BTreeSet<Symbol> = self.symbols.difference(&listed).copied().collect();
        for symbol in unlisted.difference(told) {
            tracing::warn!(event = "pair_unlisted", symbol = %symbol);
        }
        *told = unlisted;
    }

    /// Tells the cores the rules of a pair if they are new; false if the gate could not be told and it must be tried again.
    fn learn_rules(&self, facts: &RuleFacts) -> bool {
        let rules = match facts.instrument() {
            Ok(rules) => rules,
            Err(error) => {
                tracing::warn!(event = "rules_unusable", symbol = %facts.symbol, error = %error);
                return true;
            }
        };
        if self.rulebook.knows(&rules) {
            return true;
        }
        // Down is the rule for the venue: on the live exchange nobody lives behind that link.
        let venue = self.links.venue.send(VenueIn::Rules(rules)) != Sent::Full;
        let strategy = self.links.strategy.send(StrategyIn::Rules(rules)) == Sent::Delivered;
        let risk = self.links.risk.send(RiskIn::Rules(rules)) == Sent::Delivered;
        if !(venue && strategy && risk) {
            return false;
        }
        let before = self.rulebook.learn(rules);
        if before.is_none_or(|before| is_news(&before, &rules)) {
            tracing::info!(event = "rules_learnt", symbol = %rules.symbol, price_step = %rules.price_step, qty_step = %rules.qty_step,
                value_min = %rules.value_min, is_trading = rules.is_trading);
        }
        true
    }

    fn tell_risk(&self, message: RiskIn) {
        if self.links.risk.send(message) != Sent::Delivered {
            self.eyes
                .see(Process::LinkTrouble("upkeep_to_risk", "message dropped"));
        }
    }
}

/// Returns whether rules changed that stand still on a quiet day. The exchange's bounds of a price follow the market,
/// every minute anew.
fn is_news(before: &Instrument, after: &Instrument) -> bool {
    let (price_min, price_max) = (after.price_min, after.price_max);
    let followed = Instrument {
        price_min,
        price_max,
        ..*before
    };
    followed != *after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::reads::tests::{answer, rig};
    use crate::gate::{Flag, GateOwner};
    use crate::link::Link;
    use crate::link::tests::Ear;
    use actix::Actor;
    use tokio::sync::mpsc;

    /// Our clock is set this far from where the exchange's stands; expects what the gate core is told, and the flag.
    async fn check(apart_ms: i64, expected: RiskIn, is_killed: bool) {
        let rig =
            rig(|_, _| answer(200, r#"{"serverTime":1700000000000,"serverTime2":"x"}"#)).await;
        rig.clock.advance_ms(-apart_ms);
        let (send, mut heard) = mpsc::unbounded_channel();
        let links = Links {
            risk: Link::default(),
            ..Links::default()
        };
        links.risk.publish(Ear(send).start().recipient());
        let owner = GateOwner::new();
        let gate = owner.gate();
        owner
            .lower(Flag::Kill, gate.serial())
            .expect("nobody else has the gate");
        let upkeep = Upkeep {
            rest: rig.reads,
            clock: rig.clock.clone(),
            links,
            rulebook: Rulebook::default(),
            gate: gate.clone(),
            eyes: Eyes::default(),
            symbols: BTreeSet::new(),
            skew_ms_warn: 1_000,
            skew_ms_kill: 3_000,
        };
        let offset = upkeep.measure().await.expect("the exchange answers");
        assert_eq!(offset.ms, apart_ms, "told in full, never cut");
        upkeep.learn_offset(offset);
        assert_eq!(heard.recv().await, Some(expected), "{apart_ms} ms");
        assert_eq!(gate.is_raised(Flag::Kill), is_killed, "{apart_ms} ms");
    }

    #[actix_rt::test]
    async fn clock_skew_is_measured_against_the_exchange_and_acts() {
        let raise = |mode| RiskIn::Raise(ModeCode::ClockSkew, Scope::Global, mode);
        check(
            999,
            RiskIn::Clear(ModeCode::ClockSkew, Scope::Global),
            false,
        )
        .await;
        check(1_000, raise(Mode::ObserveOnly), false).await;
        check(-2_999, raise(Mode::ObserveOnly), false).await;
        check(3_000, raise(Mode::KillSwitch), true).await;
        check(-3_600_000, raise(Mode::KillSwitch), true).await;
    }

    #[test]
    fn bounds_that_follow_the_market_are_no_news() {
        let before = crate::venue::tests::rules();
        let moved = Instrument {
            price_min: before.price_max,
            price_max: before.price_min,
            ..before
        };
        assert!(!is_news(&before, &moved));
        let halted = Instrument {
            is_trading: false,
            ..moved
        };
        assert!(is_news(&before, &halted));
    }
}
