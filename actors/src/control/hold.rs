//! `freeze.on`, `freeze.clear`, `degrade.override` and `degrade.clear`: what an operator holds back, and lets go.
//!
//! Holding back acts before it is recorded and only ever tightens; letting go is durable before it acts, and ends
//! nothing but the operator's own hold. What is held is part of the status.

use super::audit::Entry;
use super::desk::Desk;
use super::server::Peer;
use super::wire::{Answer, REASON_CHARS_MAX, Verdict, Why, reason, short};
use crate::operator::hold::HeldBack;
use engine::hold::Hold;
use engine::ids::Symbol;
use engine::mode::{Mode, ModeCode};
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest step down that may be asked for, seconds: a week. What is to last longer is a setting.
pub const OVERRIDE_S_MAX: u64 = 7 * 86_400;
/// The steps that an operator can take, as errors list them.
const STEPS: &str = "REDUCE_RISK_ONLY or OBSERVE_ONLY";
/// Longest wait until the mode shows what was done; the answer then shows what there is.
const EFFECT_MS_MAX: i64 = 1_000;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Which pair, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// A pair.
    pub symbol: String,
    /// In the operator's words.
    #[serde(default)]
    pub reason: String,
}

/// How far down, for how long, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// A mode, by its name.
    pub mode: String,
    /// Until it ends by itself, seconds.
    pub for_s: u64,
    /// In the operator's words.
    #[serde(default)]
    pub reason: String,
}

impl Desk {
    pub(super) async fn freeze_on(&self, peer: Peer, ask: &Freeze) -> Answer {
        let pairs = &self.operator.pairs;
        let asked = Symbol::parse(&ask.symbol).ok();
        let Some(symbol) = asked.filter(|symbol| pairs.contains(symbol)) else {
            let known: Vec<String> = pairs.iter().map(Symbol::to_string).collect();
            let seen = short(ask.symbol.clone());
            return Answer::bad(format!(
                "symbol: {seen} is not one of the configured pairs: {}",
                known.join(", ")
            ));
        };
        let hold = self.hold(peer, Some(symbol), Mode::ReduceRiskOnly, &ask.reason);
        self.hold_back(peer, hold, format!("freeze on {symbol}"))
            .await
    }

    pub(super) async fn freeze_clear(&self, peer: Peer, ask: &Freeze) -> Answer {
        match Symbol::parse(&ask.symbol) {
            Ok(symbol) => self.let_go(peer, Some(symbol), &ask.reason).await,
            Err(error) => Answer::bad(format!("symbol: {error}")),
        }
    }

    pub(super) async fn degrade_override(&self, peer: Peer, ask: &Override) -> Answer {
        if !(1..=OVERRIDE_S_MAX).contains(&ask.for_s) {
            return Answer::bad(format!("for_s: expected 1 to {OVERRIDE_S_MAX} seconds"));
        }
        let named = Mode::ALL.into_iter();
        let mode = { named }.find(|mode| mode.as_str().eq_ignore_ascii_case(&ask.mode));
        let mode = match mode {
            Some(mode @ (Mode::ReduceRiskOnly | Mode::ObserveOnly)) => mode,
            Some(Mode::Normal) => {
                let text = format!("an override only tightens: allowed are {STEPS}");
                return Answer::refused(text, &["only_tightens"]);
            }
            Some(Mode::KillSwitch) => {
                let text = format!(
                    "a kill has its own command, kill-switch trip: here {STEPS} are allowed"
                );
                return Answer::refused(text, &["kill_switch"]);
            }
            None => {
                let seen = short(ask.mode.clone());
                return Answer::bad(format!("mode: {seen} is not one of {STEPS}"));
            }
        };
        let for_ms = i64::try_from(ask.for_s * 1_000).expect("a week fits");
        let hold = self.hold(peer, None, mode, &ask.reason);
        let hold = Hold {
            until: Some(hold.at.plus_ms(for_ms)),
            ..hold
        };
        let what = format!("degrade override {} for {} s", mode.as_str(), ask.for_s);
        self.hold_back(peer, hold, what).await
    }

    pub(super) async fn degrade_clear(&self, peer: Peer, why: &Why) -> Answer {
        self.let_go(peer, None, &why.reason).await
    }

    fn hold(&self, peer: Peer, symbol: Option<Symbol>, mode: Mode, reason: &str) -> Hold {
        Hold {
            symbol,
            mode,
            until: None,
            reason: reason.chars().take(REASON_CHARS_MAX).collect(),
            by: format!("uid {}", peer.uid),
            at: self.operator.clock.now(),
        }
    }

    /// Acts before anything else: neither a full journal nor a wrong reason stops it.
    async fn hold_back(&self, peer: Peer, hold: Hold, what: String) -> Answer {
        let recorded = match self.operator.hold_back(hold.clone()) {
            HeldBack::Done(recorded) => recorded,
            HeldBack::Stands(standing) => return self.stands(&standing),
        };
        let entry = Entry {
            what,
            reason: &hold.reason,
            result: "done".to_owned(),
        };
        let audited = self.audit(peer, entry);
        let durable = self.durable(recorded.and(audited)).await;
        self.shows(&hold, true).await;
        let text = said(&hold);
        match durable {
            Ok(()) => {
                let text = format!("{text}; {}", self.mode_text());
                Answer::new(Verdict::Done, text, self.picture())
            }
            Err(code) => Answer {
                reasons: vec![code.to_owned()],
                ..Answer::new(
                    Verdict::NotRecorded,
                    format!("{text}, but it is not written down: a restart forgets it"),
                    self.picture(),
                )
            },
        }
    }

    fn stands(&self, standing: &Hold) -> Answer {
        let text = format!(
            "an override of {} stands and lasts longer or is stricter: degrade clear ends it",
            standing.mode.as_str()
        );
        let mut answer = Answer::refused(text, &["only_tightens"]);
        answer.data = self.picture();
        answer
    }

    /// Written down before it acts.
    async fn let_go(&self, peer: Peer, symbol: Option<Symbol>, why: &str) -> Answer {
        if let Err(text) = reason(why, true) {
            return Answer::bad(text);
        }
        let by = format!("uid {}", peer.uid);
        let Some((hold, recorded)) = self.operator.decide_let_go(symbol, (why, &by)) else {
            let nothing = symbol.map_or("there is no override".to_owned(), |symbol| {
                format!("{symbol} is not frozen by an operator")
            });
            return Answer::new(Verdict::NotFound, nothing, self.picture());
        };
        let what = symbol.map_or("degrade clear".to_owned(), |symbol| {
            format!("freeze clear {symbol}")
        });
        let entry = |result: &str| Entry {
            what: what.clone(),
            reason: why,
            result: result.to_owned(),
        };
        let audited = self.audit(peer, entry("asked"));
        if let Err(code) = self.durable(recorded.and(audited)).await {
            self.operator.keep_hold_on_record(&hold);
            return Answer::refused(format!("it stays: {code}"), &[code]);
        }
        if !self.operator.carry_out_let_go(&hold) {
            let _ = self.audit(peer, entry("refused: held_meanwhile"));
            let text = "it stays: it was asked for anew meanwhile";
            return Answer::refused(text, &["held_meanwhile"]);
        }
        // That it was asked for is on disk already.
        let _ = self.audit(peer, entry("done"));
        self.shows(&hold, false).await;
        let text = format!("{what}: done; {}", self.mode_text());
        Answer::new(Verdict::Done, text, self.picture())
    }

    async fn shows(&self, hold: &Hold, expected: bool) {
        let clock = &self.operator.clock;
        let until = clock.now().plus_ms(EFFECT_MS_MAX);
        let is_shown = || {
            let status = self.operator.status.read();
            let status = status.expect("no holder of the status can panic");
            status.holds.of(hold.symbol) == Some(hold)
        };
        while is_shown() != expected && clock.now() < until {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn said(hold: &Hold) -> String {
    let until = |until: Timestamp| until.ms_since(hold.at) / 1_000;
    match (hold.code(), hold.symbol, hold.until) {
        (ModeCode::OperatorFreeze, Some(symbol), _) => {
            format!("{symbol} is frozen: no new risk on it, its orders are being cancelled")
        }
        (_, _, Some(end)) => format!("{} for {} s", hold.mode.as_str(), until(end)),
        (_, _, None) => hold.mode.as_str().to_owned(),
    }
}
