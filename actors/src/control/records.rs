//! `records` and `state.backup`: the journal of this process, read at one moment beside its writer.
//!
//! The reading is done on a thread that nobody waits for, and it changes nothing.

use super::desk::Desk;
use super::server::Peer;
use super::wire::{Answer, Verdict};
use crate::journal::Journal;
use crate::store::{Entry, Snapshot, of_order};
use engine::ids::ClientId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for the writer to let somebody read.
const SNAPSHOT_TIME_MAX: Duration = Duration::from_secs(5);

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// Those of this order; of the one written down last if it is missing.
    #[serde(default)]
    pub client_id: Option<String>,
}

/// Where a copy goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// An empty file of this user's, by its absolute path.
    pub to: PathBuf,
}

impl Desk {
    pub(super) async fn records(&self, ask: &Records) -> Answer {
        let wanted = match ask.client_id.as_deref().map(ClientId::parse).transpose() {
            Ok(wanted) => wanted,
            Err(error) => return Answer::bad(format!("client_id: {error}")),
        };
        let read = self.beside(move |snapshot| {
            let entries = snapshot.entries().map_err(|error| error.to_string())?;
            let id = wanted.or_else(|| of_order::last(&entries));
            Ok(id.map_or_else(Vec::new, |id| of_order::about(&entries, id)))
        });
        match read.await {
            Ok(entries) if entries.is_empty() => {
                Answer::new(Verdict::NotFound, "no record of such an order", Value::Null)
            }
            Ok(entries) => told(&entries),
            Err(text) => Answer::new(Verdict::Unreachable, text, Value::Null),
        }
    }

    pub(super) async fn state_backup(&self, peer: Peer, ask: &Backup) -> Answer {
        if !ask.to.is_absolute() {
            return Answer::bad("to: expected an absolute path");
        }
        tracing::info!(event = "state_backup", uid = peer.uid, pid = peer.pid, to = %ask.to.display());
        let to = ask.to.clone();
        let copied = self.beside(move |snapshot| {
            let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(no_link)
                .open(&to);
            let file = opened.map_err(|error| format!("{}: {error}", to.display()))?;
            let len = file.metadata().map_or(1, |meta| meta.len());
            if len != 0 {
                return Err(format!("{} is not an empty file", to.display()));
            }
            snapshot.copy_to(file).map_err(|error| error.to_string())
        });
        match copied.await {
            Ok(records) => Answer::new(Verdict::Done, "copied", json!({ "records": records })),
            Err(text) => Answer::new(Verdict::NotRecorded, text, Value::Null),
        }
    }

    /// Reads the journal on a thread of its own.
    async fn beside<T: Send + 'static>(
        &self,
        read: impl FnOnce(Snapshot) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let journal: Journal = self.operator.journal.clone();
        let work = move || {
            let snapshot = journal.snapshot(SNAPSHOT_TIME_MAX);
            // The journal closes when its last handle is gone: a long copy must not keep it.
            drop(journal);
            read(snapshot.map_err(|error| error.to_string())?)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| Err("the journal could not be read".to_owned()))
    }
}

fn told(entries: &[Entry]) -> Answer {
    Answer::new(Verdict::Done, "", json!({ "entries": entries }))
}
