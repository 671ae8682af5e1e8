//! What a start holds on to: the state directory, its journal, the account, and the control socket.
//!
//! All of it is taken before anything runs, and let go by the end of the process.

use crate::cli::demo::entropy;
use crate::cli::exit::{Exit, Failed};
use crate::cli::init::venue_dir;
use crate::cli::unusable;
use crate::control::place::{self, Bound};
use crate::locks::{self, AccountLock, DirLock};
use crate::metrics::{Metrics, disk};
use crate::params;
use crate::store::{self, Header, Store, Venue};
use config::load::Loaded;
use config::settings::Role;
use engine::checkpoint::Fold;
use engine::ids::AccountTag;
use engine::time::Timestamp;
use std::path::Path;
use tokio::task::JoinHandle;

/// Locks for as long as a run lives.
pub(super) type Locks = (Option<DirLock>, Option<AccountLock>);

/// Everything of a start that only one process may have.
pub(super) struct Place {
    pub(super) store: Store,
    pub(super) past: Fold,
    pub(super) tag: AccountTag,
    /// Absent without a state directory.
    pub(super) control: Option<Bound>,
    pub(super) locks: Locks,
}

impl Place {
    /// Takes the locks, binds the socket, opens the journal; a monitor keeps nothing on disk.
    ///
    /// # Errors
    /// A held lock, a directory that others may enter, an unusable journal.
    pub(super) fn open(loaded: &Loaded, run_id: &str, now: Timestamp) -> Result<Self, Failed> {
        let settings = loaded.settings();
        if settings.safety.process_role == Role::Monitor {
            return Self::in_memory(now);
        }
        let venue = if settings.safety.dry_run {
            Venue::Dry
        } else {
            Venue::Live
        };
        let locks = locks(loaded, venue, run_id)?;
        // Under the directory's lock: whatever lies in its place was left behind.
        let control = place::bind(&settings.state.dir).map_err(|error| unusable::socket(&error))?;
        let dir = venue_dir(&settings.state.dir, venue);
        if venue == Venue::Dry && !dir.exists() {
            create_dry(&dir, now)?;
        }
        let opened = Store::resume(&dir, venue).and_then(|(store, history)| {
            let past = history.fold(params::account_quote())?;
            Ok((store, past))
        });
        let (store, past) =
            opened.map_err(|error| unusable::journal_at(&dir.join(store::FILE_NAME), error))?;
        let tag = AccountTag::parse(&store.header().account_tag)
            .map_err(|_| Failed::new(Exit::Store, "the journal's account tag is unreadable"))?;
        Ok(Self {
            store,
            past,
            tag,
            control: Some(control),
            locks,
        })
    }

    /// Looks at the disk that holds the state, before the first scrape and from then on.
    pub(super) fn watched(&self, loaded: &Loaded, metrics: &Metrics) -> Option<JoinHandle<()>> {
        self.control.as_ref()?;
        let (dir, venue) = (&loaded.settings().state.dir, self.store.header().venue);
        let file = venue_dir(dir, venue).join(store::FILE_NAME);
        metrics.state_disk(disk::look(dir, &file));
        Some(actix_rt::spawn(disk::watch(
            metrics.clone(),
            dir.clone(),
            file,
        )))
    }

    fn in_memory(now: Timestamp) -> Result<Self, Failed> {
        let tag = AccountTag::from_entropy(entropy());
        let store = Store::in_memory(&Header::new(Venue::Demo, &tag.to_string(), now))
            .map_err(unusable::journal)?;
        Ok(Self {
            store,
            past: Fold::new(params::account_quote()),
            tag,
            control: None,
            locks: (None, None),
        })
    }
}

fn locks(loaded: &Loaded, venue: Venue, run_id: &str) -> Result<Locks, Failed> {
    let dir = DirLock::take(&loaded.settings().state.dir, run_id);
    let dir = dir.map_err(|error| unusable::lock(&error))?;
    let account = match (venue, loaded.secrets().fingerprint()) {
        (Venue::Live, Some(fingerprint)) => {
            let account = AccountLock::take(&fingerprint);
            Some(account.map_err(|error| unusable::lock(&error))?)
        }
        (Venue::Live | Venue::Dry | Venue::Demo, _) => None,
    };
    Ok((Some(dir), account))
}

/// Only the state of a dry run is made without being asked for, and only where there is none at all.
fn create_dry(dir: &Path, now: Timestamp) -> Result<(), Failed> {
    locks::private_dir(dir).map_err(|error| unusable::lock(&error))?;
    let tag = AccountTag::from_entropy(entropy());
    let header = Header::new(Venue::Dry, &tag.to_string(), now);
    store::create(dir, &header).map_err(unusable::journal)
}

/// Says early that another process holds the state. It may come to hold it later; then the start itself says so.
///
/// # Errors
/// A held lock, or a directory that others may enter.
pub(crate) fn unheld(loaded: &Loaded) -> Result<(), Failed> {
    let dir = &loaded.settings().state.dir;
    DirLock::take(dir, "a look")
        .map(drop)
        .map_err(|error| unusable::lock(&error))
}
