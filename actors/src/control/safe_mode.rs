//! `safe-mode.on` and `safe-mode.off`: the same hand as USR1 and USR2, with an answer.

use super::audit::Entry;
use super::desk::Desk;
use super::server::Peer;
use super::wire::{Answer, Verdict, Why, reason};
use engine::mode::ModeCode;
use std::time::Duration;

/// Longest wait until the mode shows what was granted; the answer then shows what there is.
const EFFECT_MS_MAX: i64 = 1_000;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

impl Desk {
    /// Acts before anything else: neither a full journal nor a wrong reason stops it.
    pub(super) async fn safe_mode_on(&self, peer: Peer, why: &Why) -> Answer {
        let recorded = self.operator.safe_mode_on();
        let entry = Entry {
            what: "safe-mode on".to_owned(),
            reason: &why.reason,
            result: "done".to_owned(),
        };
        let audited = self.audit(peer, entry);
        let durable = self.durable(recorded.and(audited)).await;
        self.shows_safe_mode(true).await;
        let text = self.mode_text();
        match durable {
            Ok(()) => Answer::new(
                Verdict::Done,
                format!("safe mode is on: no new orders, own orders are being cancelled; {text}"),
                self.picture(),
            ),
            Err(code) => Answer {
                reasons: vec![code.to_owned()],
                ..Answer::new(
                    Verdict::NotRecorded,
                    "safe mode is on, but not written down: a restart forgets it",
                    self.picture(),
                )
            },
        }
    }

    /// Written down before it acts; the preconditions are judged before and once more at the moment itself.
    pub(super) async fn safe_mode_off(&self, peer: Peer, why: &Why) -> Answer {
        if let Err(text) = reason(&why.reason, true) {
            return Answer::bad(text);
        }
        let entry = |result: String| Entry {
            what: "safe-mode off".to_owned(),
            reason: &why.reason,
            result,
        };
        let refusals = self.operator.refusals();
        if !refusals.is_empty() {
            // The refusal stands whether or not it could be written down.
            let _ = self.audit(peer, entry(format!("refused: {}", refusals.join(", "))));
            return self.off_refused(&refusals);
        }
        let asked = self.audit(peer, entry("asked".to_owned()));
        if let Err(code) = self.durable(asked).await {
            return self.off_refused(&[code]);
        }
        let granted = self.operator.request_off();
        let result = match &granted {
            Ok(()) => "done".to_owned(),
            Err(reasons) => format!("refused: {}", reasons.join(", ")),
        };
        // That it was asked for is on disk already.
        let _ = self.audit(peer, entry(result));
        match granted {
            Err(reasons) => self.off_refused(&reasons),
            Ok(()) => {
                self.shows_safe_mode(false).await;
                let text = format!("the operator's safe mode has ended; {}", self.mode_text());
                Answer::new(Verdict::Done, text, self.picture())
            }
        }
    }

    fn off_refused(&self, reasons: &[&str]) -> Answer {
        let text = format!("safe mode stays on: {}", reasons.join(", "));
        let mut answer = Answer::refused(text, reasons);
        answer.data = self.picture();
        answer
    }

    async fn shows_safe_mode(&self, expected: bool) {
        let clock = &self.operator.clock;
        let until = clock.now().plus_ms(EFFECT_MS_MAX);
        let is_shown = || {
            let status = self.operator.status.read();
            let status = status.expect("no holder of the status can panic");
            let mut codes = status.voices.iter().map(|voice| voice.code);
            codes.any(|code| code == ModeCode::OperatorSafeMode)
        };
        while is_shown() != expected && clock.now() < until {
            tokio::time::sleep(LOOK).await;
        }
    }
}
