//! Own orders as the journal tells them, while no process runs: files only, nothing is changed, nobody is asked.
//!
//! What was being sent when the process ended is shown as unknown, because that is what a start would make of it.

use super::{ListArgs, shown};
use crate::cli::copy::read_copy;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::init::venue_dir;
use crate::cli::report::Report;
use crate::cli::running;
use crate::clock::Clock;
use crate::locks;
use crate::params;
use crate::status::order_json;
use crate::store::{self, Entry, StoreError, Venue};
use engine::checkpoint::Fold;
use engine::core::Outbox;
use engine::ids::AccountTag;
use engine::order::OrderView;
use engine::router::{Keep, OrderRouter, RouterSettings};
use engine::time::Timestamp;
use serde_json::{Value, json};

/// Shows the orders of the configured venue's journal.
///
/// # Errors
/// Exit 7 if a process holds the state, 4 if there is no journal, 74 if it cannot be read.
pub(super) fn list(args: &ListArgs) -> Outcome {
    let loaded = running::settings(&args.common.source)?;
    let settings = loaded.settings();
    if let Some(holder) = locks::holder(&settings.state.dir) {
        let text = format!("{holder} holds the state directory, but has no control socket yet");
        return Err(Failed::new(Exit::AlreadyRunning, text));
    }
    let venue = if settings.safety.dry_run {
        Venue::Dry
    } else {
        Venue::Live
    };
    let dir = venue_dir(&settings.state.dir, venue);
    let (tag, history) = read_copy(&dir, venue).map_err(|error| unreadable(&dir, &error))?;
    let tag = AccountTag::parse(&tag)
        .map_err(|_| Failed::new(Exit::Store, "the journal's account tag is unreadable"))?;
    let now = Clock::start().now();
    let past = history.fold(params::account_quote());
    let past = past.map_err(|error| unreadable(&dir, &error))?;
    let router = recovered(tag, &past, now);
    let data = data(args.all, &router, &history, now);
    let report = Report {
        command: "orders-list",
        ok: true,
        data,
        warnings: vec!["no process is running: this is what the journal holds".to_owned()],
    };
    let note = "no running process; ";
    report.print(args.common.json, &format!("{note}{}", shown(&report.data)))?;
    Ok(Exit::Ok)
}

fn unreadable(dir: &std::path::Path, error: &StoreError) -> Failed {
    let path = dir.join(store::FILE_NAME);
    let exit = match error {
        StoreError::Missing => Exit::NotRunning,
        StoreError::Exists
        | StoreError::Empty
        | StoreError::Damaged(_)
        | StoreError::Foreign
        | StoreError::Newer { .. }
        | StoreError::WrongVenue { .. }
        | StoreError::InUse
        | StoreError::Io(_) => Exit::Store,
    };
    Failed::new(
        exit,
        format!("no running process, and {}: {error}", path.display()),
    )
}

/// The router as a start would find it.
pub(crate) fn recovered(tag: AccountTag, past: &Fold, now: Timestamp) -> OrderRouter {
    let mut router = OrderRouter::new(RouterSettings {
        tag,
        ttl_ms: 0,
        cancel_retry_ms: 0,
        unknown_settle_ms: 0,
        keep: Keep::default(),
    });
    router.recall(past.sum().orders().clone());
    let mut unheard = Outbox::default();
    router.recovered(now, &mut unheard);
    router
}

fn data(all: bool, router: &OrderRouter, history: &[Entry], now: Timestamp) -> Value {
    let mut orders: Vec<&OrderView> = router.living().collect();
    let mut left_out = 0;
    if all {
        // Of those that have folded, their number is told.
        left_out = router.folded_count();
        orders.extend(router.tombstones());
    }
    json!({
        "source": "journal",
        "now_us": now.0,
        "as_of_us": history.last().map(|entry| entry.at.0),
        "orders": orders.into_iter().map(order_json).collect::<Vec<_>>(),
        "left_out": left_out,
    })
}
