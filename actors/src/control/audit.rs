//! The durable trace of what operators asked for, and the wait until it is on disk.

use super::desk::Desk;
use super::server::Peer;
use super::wire::REASON_CHARS_MAX;
use crate::clock::Clock;
use crate::journal::{AppendError, Journal};
use crate::observer::{Asked, Process};
use engine::record::Record;
use std::time::Duration;

/// Longest wait for the disk, milliseconds; beyond it the answer says that nothing was written down.
const DURABLE_MS_MAX: i64 = 5_000;
/// Time between two looks at how far the disk is.
const LOOK: Duration = Duration::from_millis(2);

/// One entry: what was asked, why, and what came of it.
pub(super) struct Entry<'a> {
    pub(super) what: String,
    pub(super) reason: &'a str,
    pub(super) result: String,
}

impl Desk {
    /// Writes an entry to the log and hands it to the journal.
    ///
    /// # Errors
    /// The journal takes no records.
    pub(super) fn audit(&self, peer: Peer, entry: Entry<'_>) -> Result<u64, AppendError> {
        let Entry {
            what,
            reason,
            result,
        } = entry;
        let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
        tracing::warn!(
            event = "operator_command",
            uid = peer.uid,
            pid = peer.pid,
            what,
            reason,
            result
        );
        self.operator.eyes.see(Process::Asked(Asked {
            what: what.clone(),
            by: format!("uid {}", peer.uid),
            reason: reason.clone(),
            result: result.clone(),
        }));
        let at = self.operator.clock.now();
        let record = Record::Audit {
            uid: peer.uid,
            pid: peer.pid,
            what,
            reason,
            result,
            at,
        };
        self.operator.journal.append(at, record)
    }

    /// Waits until a record is on disk.
    ///
    /// # Errors
    /// A stable code: the journal does not take records, or the disk does not answer.
    pub(super) async fn durable(
        &self,
        appended: Result<u64, AppendError>,
    ) -> Result<(), &'static str> {
        durable(&self.operator.journal, &self.operator.clock, appended).await
    }
}

/// Waits until a record is on disk.
///
/// # Errors
/// As [`Desk::durable`].
pub(crate) async fn durable(
    journal: &Journal,
    clock: &Clock,
    appended: Result<u64, AppendError>,
) -> Result<(), &'static str> {
    let seq = appended.map_err(|_| "journal_unhealthy")?;
    let until = clock.now().plus_ms(DURABLE_MS_MAX);
    while journal.durable_seq() < seq {
        if journal.has_failed() {
            return Err("journal_unhealthy");
        }
        if clock.now() >= until {
            return Err("journal_slow");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
