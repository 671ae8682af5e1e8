//! The Strategy actor: hands intents and cancel wishes to the gate.

use crate::clock::Clock;
use crate::link::{Link, Sent};
use crate::observer::{Decision, Eyes, Process};
use crate::shell::Perform;
use engine::core::Core;
use engine::msg::{RiskIn, StrategyEffect};
use engine::strategy::Strategies;
use engine::time::Timestamp;

/// Views that may wait; a dropped one is replaced by the next.
pub const MAILBOX: usize = 256;

/// Where wishes go.
pub struct StrategyPort {
    /// The gate.
    pub risk: Link<RiskIn>,
    /// Status and log.
    pub eyes: Eyes,
    /// Time, to measure with; decisions have their own.
    pub clock: Clock,
}

impl Perform for StrategyPort {
    type Core = Strategies;

    fn perform(&mut self, now: Timestamp, effect: <Strategies as Core>::Effect) {
        match effect {
            StrategyEffect::Intent(intent) => {
                self.eyes.see(Decision::Intent(intent));
                // An intent that the gate cannot take is dropped: the next book makes a fresh one.
                if self.risk.send(RiskIn::Intent(intent)) != Sent::Delivered {
                    self.eyes
                        .see(Process::LinkTrouble("strategy_to_risk", "intent dropped"));
                }
                let took_us = self.clock.now().0 - now.0;
                self.eyes.see(Decision::IntentOut(took_us));
            }
            StrategyEffect::Cancel(id, reason) => {
                if self.risk.send(RiskIn::Cancel(id, reason)) != Sent::Delivered {
                    self.eyes
                        .see(Process::LinkTrouble("strategy_to_risk", "cancel dropped"));
                }
            }
            StrategyEffect::Silent(strategy, symbol, why) => {
                self.eyes.see(Decision::Silent(strategy, symbol, why))
            }
        }
    }
}
