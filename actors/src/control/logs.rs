//! `logs.level` and `logs.tail`: more of the log for a while, and its last lines.
//!
//! Levels revert by themselves, so that a forgotten question costs minutes of talk. Lines are kept cleaned.

use super::audit::Entry;
use super::desk::Desk;
use super::server::Peer;
use super::wire::{Answer, Verdict};
use crate::logging::{Extra, MINUTES_MAX};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const NO_LOG: &str = "this process has no log of its own";

/// Arguments of `logs.level`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLevel {
    /// A target, such as `actors::driver`; what begins with it counts.
    pub target: String,
    /// error, warn, info, debug or trace.
    pub level: String,
    /// For how long.
    pub seconds: u64,
}

impl Desk {
    /// Neither raises nor lowers risk; done and written down.
    pub(super) async fn logs_level(&self, peer: Peer, wish: &SetLevel) -> Answer {
        let extra = match Extra::parse(&wish.target, &wish.level) {
            Ok(extra) => extra,
            Err(text) => return Answer::bad(text),
        };
        if wish.seconds == 0 || wish.seconds > MINUTES_MAX * 60 {
            return Answer::bad(format!("seconds: 1 to {}", MINUTES_MAX * 60));
        }
        let Some(reloader) = &self.reloader else {
            return Answer::refused(NO_LOG, &["no_log"]);
        };
        let text = format!("{}={} for {} s", wish.target, wish.level, wish.seconds);
        let entry = Entry {
            what: "logs level".to_owned(),
            reason: &text,
            result: "done".to_owned(),
        };
        let audited = self.audit(peer, entry);
        let number = reloader.logging.set_extra(extra);
        let logging = Arc::clone(&reloader.logging);
        let seconds = Duration::from_secs(wish.seconds);
        tokio::spawn(async move {
            tokio::time::sleep(seconds).await;
            logging.end_extra(number);
        });
        match self.durable(audited).await {
            Ok(()) => Answer::new(Verdict::Done, text, json!({"number": number})),
            Err(code) => Answer {
                reasons: vec![code.to_owned()],
                ..Answer::new(Verdict::NotRecorded, text, Value::Null)
            },
        }
    }

    pub(super) fn logs_tail(&self) -> Answer {
        let Some(reloader) = &self.reloader else {
            return Answer::refused(NO_LOG, &["no_log"]);
        };
        let lines = reloader.logging.tail();
        let text = format!("{} lines", lines.len());
        Answer::new(Verdict::Done, text, json!({"lines": lines}))
    }
}
