//! A disk that takes nothing more under an armed process (F-68): nothing is sent, what is open is cancelled, and the
//! process says that its store has failed.
//!
//! The full disk is a limit on the length of files, which the kernel enforces for one process and which ends a write as
//! a full disk does; the signal that comes with it is ignored, as no disk sends one.

mod support;

use actors::store::{Entry, Store, Venue};
use engine::record::Record;
use rustix::process::{Resource, Rlimit, prlimit};
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation};
use support::{Bot, SOON};

/// Bytes that a file may still have: less than the journal's first page that is not its header.
const FILE_BYTES: u64 = 4_096;
/// The exit code of a failed store.
const STORE_FAILED: i32 = 74;
/// The emergency way out, on a busy machine: cancels, and looks until nothing can be on its way any more.
const WAY_OUT: Duration = Duration::from_secs(60);

/// `run`, with the signal of the limit ignored.
fn start(place: &Installation, limit: Option<u64>) -> Bot {
    let limit = limit.map_or(String::new(), |bytes| format!("ulimit -f {};", bytes / 512));
    let script = format!("trap '' XFSZ; {limit} exec \"$0\" \"$@\"");
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_btcbot")])
        .args(["run", "--config", CONFIG])
        .current_dir(place.path())
        .env_clear()
        .stdin(Stdio::null());
    // The log is a file too, and would be as full as the journal.
    Bot::start_with(command, Stdio::null(), Stdio::null())
}

fn journal(place: &Installation) -> Vec<Entry> {
    let dir = place.path().join("btcbot-data/live");
    let (store, entries) = Store::open(&dir, Venue::Live).expect("the journal opens again");
    store.close();
    entries.entries
}

fn posted(simulator: &Simulator) -> BTreeSet<String> {
    let posts = simulator.posts().into_iter();
    posts.filter_map(|post| post.client_id).collect()
}

#[test]
fn full_disk_sends_nothing_but_cancels() {
    let simulator = Simulator::with_own_account(68, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = start(&place, None);
    bot.wait("an open order at the exchange", SOON, |_| {
        (!simulator.open_orders().is_empty()).then_some(())
    });
    let limit = Rlimit {
        current: Some(FILE_BYTES),
        maximum: Some(FILE_BYTES),
    };
    prlimit(Some(bot.pid()), Resource::Fsize, limit).expect("a smaller limit is granted");
    let ended = bot.finish(WAY_OUT);
    assert_eq!(ended.code, Some(STORE_FAILED), "{ended:?}");
    assert_eq!(simulator.open_orders(), Vec::<String>::new());
    // The journal cannot keep the kill; the file, made beforehand, needs no room.
    let latch = place.path().join("btcbot-data/kill.latch");
    let latch = fs::read_to_string(latch).expect("the file alone keeps it");
    // Which of the two is noticed last is open: the failed commit, or the record that nobody took.
    let is_told = ["journal_error", "order_path_broken"].map(|cause| latch.contains(cause));
    assert!(is_told.contains(&true), "{}", latch.trim());
    let sending: BTreeSet<String> = journal(&place)
        .into_iter()
        .filter_map(|entry| match entry.record {
            Record::Sending { order, .. } => Some(order.client_id.to_string()),
            _ => None,
        })
        .collect();
    let posted = posted(&simulator);
    assert!(!posted.is_empty());
    let unknown: Vec<_> = posted.difference(&sending).collect();
    assert!(unknown.is_empty(), "sent and not written down: {unknown:?}");
}

#[test]
fn a_disk_that_is_full_from_the_start_sends_nothing_at_all() {
    let simulator = Simulator::with_own_account(69, &[]);
    let place = Installation::armed(&simulator);
    let ended = start(&place, Some(FILE_BYTES)).finish(WAY_OUT);
    assert_eq!(ended.code, Some(STORE_FAILED), "{ended:?}");
    assert_eq!(posted(&simulator), BTreeSet::new());
}
