//! `orders cancel-all --offline`: without a process, by the exchange's list alone.
//!
//! It takes the locks a process would hold, so it never works beside one. State directory and keys are enough: a
//! journal that is damaged or gone only costs the knowledge of our tag, and then every id of btcbot's form is ours.
//! The list must be empty behind the stamp's horizon, because a request of the dead process may still be on its way.

use super::CancelAllArgs;
use crate::cli::alone::ask;
use crate::cli::copy::read_copy;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::init::venue_dir;
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::cli::status_cmd::order_line;
use crate::clock::Clock;
use crate::control::sweep::Sweep;
use crate::driver::read_failure::ReadFailure;
use crate::driver::reads::Reads;
use crate::locks::{AccountLock, DirLock, EXIT_HELD, LockError};
use crate::signals::Signals;
use crate::status::row_json;
use crate::store::Venue;
use btcturk::rest::ReadError;
use config::load::Loaded;
use engine::answer::OrderRow;
use engine::ids::{AccountTag, OrderId};
use engine::router::absence::STAMP_HORIZON_MS;
use engine::time::Timestamp;
use serde_json::json;
use std::time::Duration;

/// Time between two looks at the list.
const LOOK: Duration = Duration::from_secs(1);

/// What a sweep without a process came to.
#[derive(Default)]
struct Found {
    asked: usize,
    left: Vec<OrderRow>,
    others: usize,
    /// The last look failed.
    failure: Option<ReadFailure>,
    is_confirmed: bool,
    is_interrupted: bool,
}

/// Cancels every own order over REST.
///
/// # Errors
/// Exit 7 beside a running process, 77 without usable keys, 78 for a broken configuration.
pub(super) fn cancel_all(args: &CancelAllArgs, mut signals: Signals) -> Outcome {
    let loaded = resolve::load(&args.common.source, Forced::default())?;
    let settings = loaded.settings();
    let signer = resolve::required_signer(&loaded)?;
    let _dir = DirLock::take(&settings.state.dir, "orders cancel-all --offline").map_err(held)?;
    let _account = match loaded.secrets().fingerprint() {
        Some(fingerprint) => Some(AccountLock::take(&fingerprint).map_err(held)?),
        None => None,
    };
    let (tag, warnings) = tag(&loaded);
    let clock = Clock::start();
    let sweep = async |reads: Reads| {
        let work = Work {
            sweep: Sweep::new(reads, clock.clone()),
            clock: clock.clone(),
            tag,
            quiet_at: clock
                .now()
                .plus_ms(STAMP_HORIZON_MS + settings.orders.unknown_settle_ms),
            until: clock.now().plus_ms(i64::from(args.deadline) * 1_000),
        };
        work.run(&mut signals).await
    };
    let found = ask(&loaded, signer, &clock, sweep)
        .map_err(|error| Failed::new(Exit::Failure, error.to_string()))?;
    conclude(args, &found, warnings, clock.now())
}

/// The tag of our orders; `None` where the journal does not tell it.
fn tag(loaded: &Loaded) -> (Option<AccountTag>, Vec<String>) {
    let dir = venue_dir(&loaded.settings().state.dir, Venue::Live);
    let read = read_copy(&dir, Venue::Live).map_err(|error| error.to_string());
    let tag = read.and_then(|(tag, _)| AccountTag::parse(&tag).map_err(|error| error.to_string()));
    match tag {
        Ok(tag) => (Some(tag), Vec::new()),
        Err(why) => {
            let text = format!(
                "the journal does not tell our tag ({why}): every order with an id of btcbot's form counts as ours"
            );
            (None, vec![text])
        }
    }
}

fn held(error: LockError) -> Failed {
    if error.exit_code() == EXIT_HELD {
        let text = format!("{error}: ask it without --offline, or end it first");
        return Failed::new(Exit::AlreadyRunning, text);
    }
    Failed::new(Exit::Permission, error.to_string())
}

struct Work {
    sweep: Sweep,
    clock: Clock,
    tag: Option<AccountTag>,
    /// An empty list counts from here on.
    quiet_at: Timestamp,
    until: Timestamp,
}

impl Work {
    async fn run(mut self, signals: &mut Signals) -> Found {
        let mut found = Found::default();
        loop {
            let asked_at = self.clock.now();
            self.look(&mut found).await;
            let is_clean = found.failure.is_none() && found.left.is_empty();
            if is_clean && asked_at >= self.quiet_at {
                found.is_confirmed = true;
                return found;
            }
            if self.clock.now() >= self.until {
                return found;
            }
            tokio::select! {
                biased;
                _ = signals.next() => {
                    found.is_interrupted = true;
                    return found;
                }
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn look(&mut self, found: &mut Found) {
        match self.sweep.open().await {
            Ok(rows) => {
                let (ours, others): (Vec<_>, Vec<_>) =
                    rows.into_iter().partition(|row| is_ours(row, self.tag));
                (found.left, found.others, found.failure) = (ours, others.len(), None);
            }
            Err(failure) => found.failure = Some(failure),
        }
        let ids: Vec<OrderId> = found.left.iter().map(|row| row.id).collect();
        self.sweep.cancel(&ids).await;
        found.asked = self.sweep.asked();
    }
}

fn is_ours(row: &OrderRow, tag: Option<AccountTag>) -> bool {
    row.client_id
        .is_some_and(|id| tag.is_none_or(|tag| id.tag() == tag))
}

fn conclude(args: &CancelAllArgs, found: &Found, warnings: Vec<String>, now: Timestamp) -> Outcome {
    let exit = exit_of(found);
    let left: Vec<_> = found.left.iter().map(row_json).collect();
    let data = json!({
        "source": "exchange",
        "now_us": now.0,
        "reason": args.reason,
        "asked": found.asked,
        "left": left,
        "others": found.others,
        "confirmed": found.is_confirmed,
        "failure": found.failure.as_ref().map(ToString::to_string),
    });
    let report = Report {
        command: "orders-cancel-all",
        ok: exit == Exit::Ok,
        data,
        warnings,
    };
    let mut text: String = report
        .warnings
        .iter()
        .map(|warning| format!("warning: {warning}\n"))
        .collect();
    text += &format!(
        "{} own orders asked to go, {} left; {} orders of others untouched\n",
        found.asked,
        found.left.len(),
        found.others
    );
    for order in &left {
        text += &format!("{}\n", order_line(&report.data, order));
    }
    report.print(args.common.json, &text)?;
    if exit == Exit::Ok || args.common.json {
        return Ok(exit);
    }
    Err(Failed::new(exit, why(found)))
}

fn exit_of(found: &Found) -> Exit {
    match &found.failure {
        _ if found.is_interrupted => Exit::Interrupted,
        None if found.is_confirmed => Exit::Ok,
        Some(ReadFailure::NoKeys | ReadFailure::Answer(ReadError::Unauthorized)) => {
            Exit::Permission
        }
        Some(
            ReadFailure::Transport
            | ReadFailure::Held(_)
            | ReadFailure::TooManyPages
            | ReadFailure::Answer(_),
        ) => Exit::Unreachable,
        None => Exit::Deadline,
    }
}

fn why(found: &Found) -> String {
    match &found.failure {
        _ if found.is_interrupted => "interrupted before the list was confirmed empty".to_owned(),
        Some(failure) => format!("the exchange's list could not be read: {failure}"),
        None if found.left.is_empty() => {
            "the list is empty, but not for long enough: a late request may still arrive".to_owned()
        }
        None => "the deadline passed with orders left".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_confirmed_empty_list_is_success() {
        let check = |found: Found, expected: Exit| {
            assert_eq!(exit_of(&found), expected, "{}", why(&found));
        };
        let failed = |failure: ReadFailure| Found {
            failure: Some(failure),
            ..Found::default()
        };
        check(
            Found {
                is_confirmed: true,
                ..Found::default()
            },
            Exit::Ok,
        );
        check(Found::default(), Exit::Deadline);
        check(failed(ReadFailure::Transport), Exit::Unreachable);
        check(failed(ReadFailure::NoKeys), Exit::Permission);
        check(
            failed(ReadFailure::Answer(ReadError::Unauthorized)),
            Exit::Permission,
        );
        check(
            Found {
                is_interrupted: true,
                ..Found::default()
            },
            Exit::Interrupted,
        );
    }
}
