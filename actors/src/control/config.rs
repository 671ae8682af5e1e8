//! `reload` and `config.diff`: the configuration on disk against the one that runs.
//!
//! Both read it with the sources of the start, in the process itself: its environment and flags count, not the
//! asker's. Values of ordinary keys are shown; of credentials only whether they differ.

use super::desk::Desk;
use super::server::Peer;
use super::wire::{Answer, Verdict, Why, reason};
use crate::reload::{By, Outcome};
use config::reload::Change;
use serde_json::{Value, json};

const NOTHING_TO_RELOAD: &str = "this process reads no configuration";

impl Desk {
    /// The same as HUP, with an answer; what it records and when is decided there.
    pub(super) async fn reload(&self, peer: Peer, why: &Why) -> Answer {
        if let Err(text) = reason(&why.reason, false) {
            return Answer::bad(text);
        }
        let Some(reloader) = &self.reloader else {
            return Answer::refused(NOTHING_TO_RELOAD, &["no_configuration"]);
        };
        let by = By {
            uid: peer.uid,
            pid: peer.pid,
            what: "reload",
            reason: why.reason.clone(),
        };
        let outcome = reloader.reload(by).await;
        let text = outcome.text();
        match outcome {
            Outcome::Unchanged => Answer::new(Verdict::Done, text, changed(&[], false)),
            Outcome::Applied { keys, secrets } => {
                Answer::new(Verdict::Done, text, changed(&keys, secrets))
            }
            Outcome::Refused(reasons) => Answer {
                reasons,
                ..Answer::new(Verdict::Refused, text, Value::Null)
            },
        }
    }

    pub(super) fn config_diff(&self) -> Answer {
        let Some(reloader) = &self.reloader else {
            return Answer::refused(NOTHING_TO_RELOAD, &["no_configuration"]);
        };
        match reloader.difference() {
            Err(problems) => Answer {
                reasons: problems.lines().map(str::to_owned).collect(),
                ..Answer::new(Verdict::Refused, problems, Value::Null)
            },
            Ok((changes, secrets_differ)) => {
                let text = format!("{} keys differ", changes.len());
                let rows: Vec<Value> = changes.iter().map(row).collect();
                let credentials = if secrets_differ { "different" } else { "same" };
                let data = json!({"keys": rows, "credentials": credentials});
                Answer::new(Verdict::Done, text, data)
            }
        }
    }
}

fn changed(keys: &[&str], secrets: bool) -> Value {
    json!({"keys": keys, "credentials_replaced": secrets})
}

fn row(change: &Change) -> Value {
    json!({
        "key": change.key,
        "running": change.before,
        "on_disk": change.after,
        "reload": change.refusal.unwrap_or("takes it over"),
    })
}
