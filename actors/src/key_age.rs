//! Watches the age of the key pair while the process runs: one that passes its bound stops new risk.
//!
//! At a start the arming rule judges the same age. The one idea: what would not arm a process must not keep an armed one
//! trading either; a reload that brings a younger pair ends it.

use crate::clock::Clock;
use crate::link::{Link, Sent};
use config::arming::{KeyAge, key_age};
use config::load::Loaded;
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::RiskIn;
use std::time::Duration;

/// Time between two looks. Ages are days.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What was told last.
pub struct KeyWatch {
    clock: Clock,
    risk: Link<RiskIn>,
    is_raised: bool,
}

impl KeyWatch {
    /// Watches on behalf of the gate core.
    pub const fn new(clock: Clock, risk: Link<RiskIn>) -> Self {
        Self {
            clock,
            risk,
            is_raised: false,
        }
    }

    /// Judges the pair of this configuration, and tells when the verdict changes. Simulated fills need no key.
    pub fn look(&mut self, loaded: &Loaded) {
        let is_live = !loaded.settings().safety.dry_run;
        let is_expired = is_live && key_age(loaded, self.clock.now()) == KeyAge::Expired;
        if is_expired == self.is_raised {
            return;
        }
        let (code, scope) = (ModeCode::SecretAgeExpired, Scope::Global);
        let message = if is_expired {
            RiskIn::Raise(code, scope, Mode::ObserveOnly)
        } else {
            RiskIn::Clear(code, scope)
        };
        // What is not delivered is told again with the next look.
        if self.risk.send(message) == Sent::Delivered {
            self.is_raised = is_expired;
            tracing::warn!(event = "key_age", is_expired, msg = "make a new key pair");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::Ear;
    use actix::Actor;
    use config::load::{Dotenv, Sources};
    use engine::time::Timestamp;
    use std::ffi::OsString;
    use tokio::sync::mpsc;

    const DAY_MS: i64 = 86_400_000;
    /// The first of January 2026.
    const START: Timestamp = Timestamp::from_ms(1_767_225_600_000);

    fn loaded(dry_run: &str, rotated_at: &str) -> Loaded {
        let env = [
            ("DRY_RUN", dry_run),
            ("BTCTURK_SECRET_ROTATED_AT", rotated_at),
            ("BTCTURK_SECRET_MAX_AGE_DAYS", "90"),
        ];
        let env = env.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let mut sources = Sources::new(env.into(), "/".into(), START);
        sources.dotenv = Dotenv::Off;
        sources.etc_file = None;
        sources.run_secrets = None;
        config::load::load(sources).expect("a valid configuration")
    }

    /// Days after the start at which something is told, and whether it is a raise.
    async fn check(dry_run: &str, expected: &[(i64, bool)]) {
        let (send, mut heard) = mpsc::unbounded_channel();
        let link = Link::default();
        link.publish(Ear(send).start().recipient());
        let clock = Clock::manual(START);
        let mut watch = KeyWatch::new(clock.clone(), link);
        let (old, fresh) = (loaded(dry_run, "2026-01-01"), loaded(dry_run, "2026-04-05"));
        let mut told = Vec::new();
        for day in 0..100 {
            watch.look(if day < 95 { &old } else { &fresh });
            tokio::task::yield_now().await;
            while let Ok(message) = heard.try_recv() {
                let (code, scope) = (ModeCode::SecretAgeExpired, Scope::Global);
                let raise = RiskIn::Raise(code, scope, Mode::ObserveOnly);
                let is_raise = message == raise;
                assert!(is_raise || message == RiskIn::Clear(code, scope));
                told.push((day, is_raise));
            }
            clock.advance_ms(DAY_MS);
        }
        assert_eq!(told, expected);
    }

    #[actix_rt::test]
    async fn a_key_that_passes_its_age_stops_new_risk_until_a_younger_one_is_loaded() {
        check("false", &[(91, true), (95, false)]).await;
    }

    #[actix_rt::test]
    async fn simulated_fills_need_no_young_key() {
        check("true", &[]).await;
    }
}
