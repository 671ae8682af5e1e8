//! `kill-switch.status`, `.trip` and `.reset`: what is latched, and the two ways to change it.
//!
//! A trip acts before anything else and answers as soon as its file is written, whatever the journal does. A reset
//! answers with every precondition and its value, whether it was granted or not.

use super::audit::Entry;
use super::desk::Desk;
use super::server::Peer;
use super::wire::{Answer, Verdict, Why, reason};
use crate::operator::kill::{Again, Precondition};
use engine::kill::{Kill, KillId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for the journal behind a trip; its asker gives the whole answer a second.
const RECORDED_TIME_MAX: Duration = Duration::from_millis(400);

/// Which trip to end, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The trip's id, as `kill-switch status` shows it.
    pub latch: u64,
    /// In the operator's words.
    #[serde(default)]
    pub reason: String,
    /// One more although the day has had its share.
    #[serde(default)]
    pub forgive: bool,
}

/// Returns a trip as it is shown everywhere.
pub fn kill_json(kill: &Kill) -> Value {
    json!({
        "id": kill.id.0,
        "cause": kill.cause.as_str(),
        "reason": kill.reason,
        "by": kill.by,
        "since_us": kill.at.0,
    })
}

impl Desk {
    /// Neither a wrong reason nor a stuck journal stops it.
    pub(super) async fn kill_trip(&self, peer: Peer, why: &Why) -> Answer {
        let by = format!("uid {}", peer.uid);
        let (kill, recorded) = self.operator.trip(&why.reason, &by);
        let entry = Entry {
            what: "kill-switch trip".to_owned(),
            reason: &why.reason,
            result: format!("tripped as {}", kill.id),
        };
        let audited = self.audit(peer, entry);
        let durable = self.durable(recorded.and(audited));
        let is_recorded = tokio::time::timeout(RECORDED_TIME_MAX, durable).await;
        let note = match is_recorded {
            Ok(Ok(())) => "",
            Ok(Err(_)) | Err(_) => " (by the file alone: the journal does not answer)",
        };
        let text = format!(
            "killed as {}{note}: no order leaves, own orders are being cancelled",
            kill.id
        );
        self.kill_answer(Verdict::Done, text, None)
    }

    pub(super) fn kill_status(&self) -> Answer {
        let text = match self.operator.latch.current() {
            Some(kill) => format!("killed as {}: {}", kill.id, kill.cause.as_str()),
            None => format!("not killed; {}", self.mode_text()),
        };
        self.kill_answer(Verdict::Done, text, None)
    }

    /// Written down before it acts; judged before and once more at the moment itself.
    pub(super) async fn kill_reset(&self, peer: Peer, ask: &Reset) -> Answer {
        if let Err(text) = reason(&ask.reason, true) {
            return Answer::bad(text);
        }
        let id = KillId(ask.latch);
        let entry = |result: String| Entry {
            what: if ask.forgive {
                format!("kill-switch reset {id} --forgive")
            } else {
                format!("kill-switch reset {id}")
            },
            reason: &ask.reason,
            result,
        };
        let by = format!("uid {}", peer.uid);
        let again = if ask.forgive {
            Again::Forgiven
        } else {
            Again::Unsaid
        };
        let why = (ask.reason.as_str(), by.as_str());
        let decided = match self.operator.decide_reset((id, again), why) {
            Ok(decided) => decided,
            Err(failing) => {
                let names: Vec<&str> = failing.iter().map(|one| one.name).collect();
                // The refusal stands whether or not it could be written down.
                let _ = self.audit(peer, entry(format!("refused: {}", names.join(", "))));
                return self.reset_refused(id, &names, &failing);
            }
        };
        if let Err(code) = self.durable(Ok(decided.seq)).await {
            self.operator.keep_kill_on_record();
            return self.reset_refused(id, &[code], &[]);
        }
        match self.operator.carry_out_reset(decided) {
            Ok(()) => {
                let _ = self.audit(peer, entry("done".to_owned()));
                let text = format!(
                    "{id} is reset: OBSERVE_ONLY, safe mode is on, and arming needs a restart"
                );
                self.kill_answer(Verdict::Done, text, Some(id))
            }
            Err(error) => {
                let _ = self.audit(peer, entry(format!("refused: {error}")));
                let mut answer = self.reset_refused(id, &["raised_meanwhile"], &[]);
                answer.text = format!("the kill stays: {error}");
                answer
            }
        }
    }

    fn reset_refused(&self, id: KillId, names: &[&str], failing: &[Precondition]) -> Answer {
        let told = failing
            .iter()
            .map(|one| format!("{} is {}, and must be {}", one.name, one.seen, one.allowed));
        let told: Vec<String> = told.collect();
        let told = if told.is_empty() {
            names.join(", ")
        } else {
            told.join("; ")
        };
        let mut answer = self.kill_answer(
            Verdict::Refused,
            format!("the kill stays: {told}"),
            Some(id),
        );
        answer.reasons = names.iter().map(|name| (*name).to_owned()).collect();
        answer
    }

    fn kill_answer(&self, verdict: Verdict, text: String, id: Option<KillId>) -> Answer {
        let operator = &self.operator;
        let kill = operator.latch.current();
        let needed = operator.preconditions(id, Again::Unsaid);
        let data = json!({
            "taken_us": operator.clock.now().0,
            "killed": kill.is_some(),
            "kill": kill.as_ref().map(kill_json),
            "open_orders": operator.own_orders.at_exchange(),
            "unknown_orders": operator.own_orders.unsettled(),
            "preconditions": needed.iter().map(Precondition::to_json).collect::<Vec<_>>(),
            "orders": operator.own_orders.living().iter().map(|view| self.order_json(view)).collect::<Vec<_>>(),
        });
        Answer::new(verdict, text, data)
    }
}
