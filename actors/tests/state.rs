//! `btcbot state` on real files: what only looks changes nothing, what is damaged is named, and a backup comes back.

mod support;

use actors::store::{self, Entry, Header, Store, Venue};
use engine::ids::{AccountTag, BootTag, ClientId};
use engine::record::Record;
use engine::time::Timestamp;
use redb::{Database, ReadableTable, TableDefinition};
use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Finished, SOON, START, STOP, run};

const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("records");
const HEADER: TableDefinition<&str, &[u8]> = TableDefinition::new("header");

fn journal_of(place: &Installation) -> PathBuf {
    place.path().join("btcbot-data/dry").join(store::FILE_NAME)
}

/// An installation whose dry journal holds `starts` starts that ended well, and one that did not.
fn with_journal(starts: u32) -> Installation {
    let place = Installation::empty();
    let dir = place.path().join("btcbot-data/dry");
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700);
    private.create(&dir).expect("a new directory");
    store::create(&dir, &Header::new(Venue::Dry, "abcd", AT)).expect("a free name");
    let (mut store, _) = Store::open(&dir, Venue::Dry).expect("it opens");
    for epoch in 1..=starts {
        let leftovers = 0;
        let group = [
            (AT, Record::Boot { epoch, at: AT }),
            (AT, Record::Stop { at: AT, leftovers }),
        ];
        store.append(&group).expect("room on the disk");
    }
    let epoch = starts + 1;
    let boot = Record::Boot { epoch, at: AT };
    store.append(&[(AT, boot)]).expect("room on the disk");
    store.close();
    place
}

fn state(place: &Installation, args: &[&str]) -> Finished {
    run(place.command(&[&["state"], args].concat()), START)
}

fn hash(path: &Path) -> Vec<u8> {
    Sha256::digest(fs::read(path).expect("readable")).to_vec()
}

/// What is damaged is refused by every command with one exit code, and not a byte of it changes.
fn check_refused(harm: impl FnOnce(&Path), code: i32, part: &str) {
    let place = with_journal(3);
    let journal = journal_of(&place);
    harm(&journal);
    let before = hash(&journal);
    for command in [&["check"][..], &["info"], &["export"], &["backup", "copy"]] {
        let ended = state(&place, command);
        assert_eq!(ended.code, Some(code), "{command:?} {ended:?}");
        assert!(ended.stderr.contains(part), "{command:?} {ended:?}");
        assert_eq!(ended.stdout, "", "{command:?}");
    }
    assert_eq!(hash(&journal), before, "the witness is untouched");
    assert_eq!(place.names(), ["btcbot-data"], "no copy of it stays");
    let ended = run(place.command(&["run", "--once"]), START);
    assert_eq!(ended.code, Some(code), "{ended:?}");
}

fn flip(path: &Path, text: &[u8]) {
    let mut bytes = fs::read(path).expect("readable");
    let places: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(text))
        .collect();
    assert!(!places.is_empty(), "the text is in the file");
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(path, bytes).expect("writable");
}

fn change(path: &Path, edit: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).expect("it opens");
    let write = database.begin_write().expect("it can be written");
    edit(&write);
    write.commit().expect("room on the disk");
}

#[test]
fn an_empty_file_is_never_a_fresh_start() {
    let cut = |path: &Path| fs::write(path, b"").expect("writable");
    check_refused(cut, 74, "state recover");
}

#[test]
fn a_truncated_file_is_refused() {
    let cut = |path: &Path| {
        let bytes = fs::read(path).expect("readable");
        fs::write(path, &bytes[..bytes.len() / 2]).expect("writable");
    };
    check_refused(cut, 74, "state recover");
}

#[test]
fn a_foreign_file_is_refused() {
    let replace = |path: &Path| fs::write(path, b"something else").expect("writable");
    check_refused(replace, 74, "not a journal of btcbot");
}

#[test]
fn a_damaged_page_is_found() {
    check_refused(|path| flip(path, b"\"boot\""), 74, "damaged");
}

#[test]
fn a_changed_record_is_named() {
    let forge = |path: &Path| {
        change(path, |write| {
            let mut table = write.open_table(RECORDS).expect("our table");
            let mut value = {
                let stored = table.get(4).expect("readable");
                stored.expect("record 4").value().to_vec()
            };
            if let Some(last) = value.last_mut() {
                *last ^= 1;
            }
            table.insert(4, value.as_slice()).expect("writable");
        });
    };
    check_refused(forge, 74, "record 4: ");
}

#[test]
fn a_journal_of_a_later_version_is_a_matter_of_configuration() {
    let forge = |path: &Path| {
        change(path, |write| {
            let mut header = Header::new(Venue::Dry, "abcd", AT);
            header.schema = store::SCHEMA + 1;
            let text = serde_json::to_vec(&header).expect("plain members");
            let mut table = write.open_table(HEADER).expect("our table");
            table.insert("header", text.as_slice()).expect("writable");
        });
    };
    check_refused(forge, 78, "schema 2");
}

#[test]
fn looking_tells_what_a_start_would_find_and_changes_nothing() {
    let place = with_journal(3);
    let journal = journal_of(&place);
    let before = hash(&journal);
    let info = state(&place, &["info", "--json"]).data();
    let facts = &info["facts"];
    let check = |name: &str, expected: Value| assert_eq!(facts[name], expected, "{name}");
    check("venue", "dry".into());
    check("schema", 1.into());
    check("account_tag", "abcd".into());
    check("records", 7.into());
    check("epoch", 4.into());
    check("clean_stop", false.into());
    check("safe_mode", false.into());
    check("restored_us", Value::Null);
    assert_eq!(facts["last"]["seq"], 7);
    let text = state(&place, &["info"]);
    assert!(text.stdout.contains("records      7"), "{text:?}");
    let checked = state(&place, &["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let exported = state(&place, &["export", "--from", "6"]);
    let entries: Vec<Entry> = exported
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a record a line"))
        .collect();
    let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [6, 7]);
    assert_eq!(entries[1].record, Record::Boot { epoch: 4, at: AT });
    assert_eq!(hash(&journal), before);
}

#[test]
fn a_command_without_a_journal_says_so() {
    let place = Installation::empty();
    for command in [&["check"][..], &["info"], &["export"], &["backup", "copy"]] {
        let ended = state(&place, command);
        assert_eq!(ended.code, Some(74), "{command:?} {ended:?}");
        assert!(ended.stderr.contains("there is no journal"), "{ended:?}");
    }
    assert_eq!(place.names(), Vec::<String>::new(), "nothing was made");
}

#[test]
fn a_backup_is_private_verified_and_replaces_nothing() {
    let place = with_journal(2);
    let made = state(&place, &["backup", "copy", "--json"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let copy = place.path().join("copy");
    let mode = copy.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let manifest: Value =
        serde_json::from_slice(&fs::read(place.path().join("copy.json")).expect("a manifest"))
            .expect("JSON");
    let hex: String = hash(&copy)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(manifest["sha256"], Value::from(hex));
    assert_eq!(manifest["journal"]["records"], 5);
    let again = state(&place, &["backup", "copy"]);
    assert_eq!(again.code, Some(6), "{again:?}");
    let looked = state(&place, &["check", "--file", "copy"]);
    assert_eq!(looked.code, Some(0), "{looked:?}");
}

#[test]
fn a_backup_that_is_not_what_its_manifest_says_is_not_restored() {
    let place = with_journal(2);
    assert_eq!(state(&place, &["backup", "copy"]).code, Some(0));
    let copy = place.path().join("copy");
    let mut bytes = fs::read(&copy).expect("readable");
    bytes.push(0);
    fs::write(&copy, bytes).expect("writable");
    let before = hash(&journal_of(&place));
    let refused = state(&place, &["restore", "copy", "--replace"]);
    assert_eq!(refused.code, Some(74), "{refused:?}");
    assert!(refused.stderr.contains("sha256"), "{refused:?}");
    assert_eq!(hash(&journal_of(&place)), before);
}

#[test]
fn a_backup_of_another_venue_is_refused() {
    let place = with_journal(2);
    assert_eq!(state(&place, &["backup", "copy"]).code, Some(0));
    let mut command = place.command(&["state", "restore", "copy"]);
    command.env("DRY_RUN", "false");
    let refused = run(command, START);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(!place.path().join("btcbot-data/live").exists());
}

#[test]
fn a_restored_state_starts_in_safe_mode_and_says_why() {
    let simulator = Simulator::process(31);
    let place = Installation::dry(&simulator);
    let mut first = place.start();
    first.wait_for_text("client_order_id", SOON);
    let busy = configured(&place, &["info"]);
    assert_eq!(busy.code, Some(7), "{busy:?}");
    assert!(busy.stderr.contains("in use by process"), "{busy:?}");
    first.signal(Signal::TERM);
    assert_eq!(first.finish(STOP).code, Some(0));

    let made = configured(&place, &["backup", "copy"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let refused = configured(&place, &["restore", "copy"]);
    assert_eq!(refused.code, Some(6), "a journal is there: {refused:?}");
    let restored = configured(&place, &["restore", "copy", "--replace", "--json"]);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    let aside = restored.data()["replaced"].as_str().map(PathBuf::from);
    let aside = aside.expect("the old one has a name");
    let looked = configured(&place, &["check", "--file", &aside.to_string_lossy()]);
    assert_eq!(looked.code, Some(0), "nothing was deleted: {looked:?}");

    let mut second = place.start();
    second.wait_for_text("restored: generation check pending", SOON);
    let plane = second.plane();
    second.wait("readiness in safe mode", SOON, |bot| {
        let status = bot.status(plane);
        let voices = status["contributions"].to_string();
        let is_ready = status["not_ready"] == Value::Array(Vec::new());
        (is_ready && voices.contains("operator_safe_mode")).then_some(())
    });
    second.signal(Signal::USR2);
    second.wait_for_text("\"safe_mode_off\"", SOON);
    second.wait_for_text("client_order_id", SOON);
    second.signal(Signal::TERM);
    assert_eq!(second.finish(STOP).code, Some(0));
    let info = configured(&place, &["info", "--json"]).data();
    assert_eq!(
        info["facts"]["restored_us"],
        Value::Null,
        "an operator ended it"
    );
    assert_eq!(info["facts"]["clean_stop"], true);
}

/// `state` with the installation's strategy file.
fn configured(place: &Installation, args: &[&str]) -> Finished {
    let config = ["--config", support::installation::CONFIG];
    run(place.command(&[&["state"], args, &config].concat()), START)
}

#[test]
fn why_tells_the_story_of_an_order() {
    let simulator = Simulator::process(32);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait("a fill", SOON, |bot| {
        let fills = bot.status(plane)["counts"]["fills"].as_u64();
        fills.is_some_and(|fills| fills > 0).then_some(())
    });
    let beside = why(&place, &["--last", "--json"]);
    assert_eq!(beside.code, Some(0), "the process answers: {beside:?}");
    assert_eq!(beside.data()["steps"][0]["record"]["kind"], "decided");
    let stranger = ClientId::new(AccountTag::from_entropy(1), 1, BootTag::from_entropy(2), 9);
    assert_eq!(why(&place, &[&stranger.to_string()]).code, Some(3));
    let copied = configured(&place, &["backup", "hot", "--json"]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let records = &copied.data()["manifest"]["journal"]["records"];
    assert!(records.as_u64().is_some_and(|count| count > 3), "{records}");
    let taken = configured(&place, &["backup", "hot"]);
    assert_eq!(taken.code, Some(6), "{taken:?}");
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    let whole = configured(&place, &["check", "--file", "hot"]);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let exported = configured(&place, &["export"]).stdout;
    let records: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let filled = records.iter().find(|line| line["record"]["kind"] == "fill");
    let id = filled.and_then(|line| line["record"]["client_id"].as_str());
    let id = id.expect("a fill of an own order").to_owned();

    let told = why(&place, &[&id, "--json"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let data = told.data();
    assert_eq!(data["client_id"], Value::from(id.clone()));
    let kinds: Vec<&str> = data["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|step| step["record"]["kind"].as_str())
        .collect();
    assert_eq!(&kinds[..3], ["decided", "sending", "outcome"], "{kinds:?}");
    assert!(kinds.contains(&"fill"), "{kinds:?}");
    let checks = data["checks"].as_array().expect("checks");
    let held = |name: &str| checks.iter().any(|check| check["check"] == name);
    assert!(
        held("book_age") && held("order_value") && held("reserve"),
        "{checks:?}"
    );
    assert!(data["decision"]["book"]["bid"].is_string(), "{data}");
    let text = why(&place, &[&id]).stdout;
    assert!(text.contains("risk_block:max_order_notional_try"), "{text}");
    assert!(text.contains("slippage"), "{text}");

    let last = why(&place, &["--last", "--json"]).data();
    let newest = records
        .iter()
        .rev()
        .find(|line| line["record"]["kind"] == "sending");
    assert_eq!(
        last["client_id"],
        newest.expect("one")["record"]["order"]["client_id"]
    );
    assert_eq!(why(&place, &[&stranger.to_string()]).code, Some(3));
    assert_eq!(why(&place, &["nonsense"]).code, Some(2));
    assert_eq!(why(&place, &[]).code, Some(2));
}

fn why(place: &Installation, args: &[&str]) -> Finished {
    let config = ["--config", support::installation::CONFIG];
    run(place.command(&[&["why"], args, &config].concat()), START)
}

#[test]
fn a_lost_live_journal_is_made_again_with_the_orders_that_rest() {
    let simulator = Simulator::with_own_account(33, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.resting(&simulator);
    let whole = configured(&place, &["recover", "--reason", "beside a process"]);
    assert_eq!(whole.code, Some(7), "{whole:?}");
    // Quotes come and go: the kill follows at once on one that is there.
    bot.wait("an open order at the exchange", SOON, |_| {
        (!simulator.open_orders().is_empty()).then_some(())
    });
    bot.kill_9();
    let open: BTreeSet<String> = simulator.open_orders().into_iter().collect();
    assert!(!open.is_empty(), "it was killed with orders open");
    let needless = configured(&place, &["recover", "--reason", "just so", "--confirm"]);
    assert_eq!(needless.code, Some(6), "the journal is whole: {needless:?}");

    let journal = place.path().join("btcbot-data/live").join(store::FILE_NAME);
    fs::write(&journal, b"").expect("writable");
    let refused = run(place.run_command(&[]), START);
    assert_eq!(refused.code, Some(74), "{refused:?}");
    assert!(refused.stderr.contains("state recover"), "{refused:?}");

    let args = ["recover", "--reason", "the disk died", "--json"];
    let shown = configured(&place, &args);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let adopted = shown.data()["plan"]["open"].clone();
    let adopted: BTreeSet<String> = adopted
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|order| order["client_id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(adopted, open);
    assert_eq!(
        fs::read(&journal).expect("readable"),
        b"",
        "nothing was changed"
    );
    let done = configured(&place, &[&args[..], &["--confirm"]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    let aside = done.data()["aside"]
        .as_str()
        .map(|aside| place.path().join(aside));
    assert_eq!(
        fs::read(aside.expect("the old file")).expect("readable"),
        b""
    );
    let first = open.first().expect("one");
    assert_eq!(why(&place, &[first]).code, Some(0), "it is known again");

    let mut bot = place.start();
    bot.wait_for_text("restored: generation check pending", SOON);
    let plane = bot.plane();
    bot.wait("a clean look in safe mode with nothing open", SOON, |bot| {
        let status = bot.status(plane);
        let voices = status["contributions"].to_string();
        let is_known = !voices.contains("recovery_required") && !voices.contains("ghost_order");
        assert!(is_known, "every own order is known: {voices}");
        let is_ready = status["not_ready"] == Value::Array(Vec::new());
        let is_empty = simulator.open_orders().is_empty();
        (is_ready && is_empty && voices.contains("operator_safe_mode")).then_some(())
    });
    assert!(!simulator.deletes().is_empty(), "they were cancelled");
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
