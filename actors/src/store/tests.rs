//! The journal's file and its writer, on real files.

use super::create::PREPARED_NAME;
use super::*;
use crate::beats::Beats;
use crate::clock::Clock;
use crate::journal::{AppendError, Journal, JournalEvent};
use engine::answer::{NotSent, SubmitOutcome};
use engine::checkpoint::Fold;
use engine::ids::{AccountTag, Asset, BootTag, ClientId};
use engine::money::Amount;
use redb::ReadableTable;
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const PATIENCE: Duration = Duration::from_secs(30);

fn fold() -> Fold {
    Fold::new(Asset::parse("TRY").expect("an asset"))
}

fn dir() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn header(venue: Venue) -> Header {
    Header::new(venue, "test", AT)
}

fn made(venue: Venue) -> TempDir {
    let dir = dir();
    create(dir.path(), &header(venue)).expect("an empty directory takes a journal");
    dir
}

fn records() -> Vec<(Timestamp, Record)> {
    let client_id = ClientId::new(AccountTag::from_entropy(1), 1, BootTag::from_entropy(2), 3);
    let amount = Amount::parse("0.0000000000000001").expect("sixteen decimals");
    let asset = Asset::parse("TRY").expect("an asset");
    let outcome = SubmitOutcome::NotSent(NotSent::Expired);
    vec![
        (AT, Record::Boot { epoch: 1, at: AT }),
        (
            AT.plus_ms(1),
            Record::Outcome {
                client_id,
                outcome,
                at: AT,
            },
        ),
        (
            AT.plus_ms(2),
            Record::Opening {
                asset,
                amount,
                price: None,
                at: AT,
            },
        ),
    ]
}

fn filled(venue: Venue) -> TempDir {
    let dir = made(venue);
    let (mut store, entries) = Store::open(dir.path(), venue).expect("it opens");
    assert!(entries.is_empty());
    assert_eq!(store.append(&records()).expect("it is written"), 3);
    store.close();
    dir
}

fn open_error(dir: &TempDir, venue: Venue) -> StoreError {
    match Store::open(dir.path(), venue) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[test]
fn what_was_appended_is_replayed_in_order() {
    let dir = filled(Venue::Dry);
    let (store, entries) = Store::open(dir.path(), Venue::Dry).expect("it opens");
    let expected = (1..)
        .zip(records())
        .map(|(seq, (at, record))| Entry { seq, at, record });
    assert_eq!(entries.entries, expected.collect::<Vec<_>>());
    assert_eq!((store.last_seq(), store.header()), (3, &header(Venue::Dry)));
}

#[test]
fn a_journal_is_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let dir = filled(Venue::Live);
    let mode = fs::metadata(dir.path().join(FILE_NAME))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(
        create(dir.path(), &header(Venue::Live)),
        Err(StoreError::Exists)
    ));
    assert_eq!(
        Store::open(dir.path(), Venue::Live)
            .expect("it opens")
            .1
            .len(),
        3
    );
    assert!(!dir.path().join(PREPARED_NAME).exists());
}

#[test]
fn a_creation_that_died_half_way_is_repeated() {
    let dir = dir();
    fs::write(dir.path().join(PREPARED_NAME), b"half a file").expect("a leftover");
    assert!(matches!(open_error(&dir, Venue::Dry), StoreError::Missing));
    create(dir.path(), &header(Venue::Dry)).expect("the leftover is replaced");
    Store::open(dir.path(), Venue::Dry).expect("it opens");
}

#[test]
fn each_unusable_file_has_its_own_error_and_is_left_alone() {
    let path = |dir: &TempDir| dir.path().join(FILE_NAME);
    let empty_dir = dir();
    assert!(matches!(
        open_error(&empty_dir, Venue::Dry),
        StoreError::Missing
    ));
    assert!(!path(&empty_dir).exists(), "opening never creates");

    let empty = dir();
    fs::write(path(&empty), b"").expect("writable");
    assert!(matches!(open_error(&empty, Venue::Dry), StoreError::Empty));
    assert_eq!(fs::metadata(path(&empty)).expect("still there").len(), 0);

    let foreign = dir();
    fs::write(path(&foreign), b"SQLite format 3\0").expect("writable");
    assert!(matches!(
        open_error(&foreign, Venue::Dry),
        StoreError::Foreign
    ));

    let other = dir();
    drop(Database::create(path(&other)).expect("somebody else's database"));
    assert!(matches!(
        open_error(&other, Venue::Dry),
        StoreError::Foreign
    ));

    let wrong = open_error(&filled(Venue::Dry), Venue::Live);
    assert!(matches!(
        wrong,
        StoreError::WrongVenue {
            found: Venue::Dry,
            expected: Venue::Live
        }
    ));

    let newer = dir();
    let mut later = header(Venue::Dry);
    later.schema = SCHEMA + 1;
    create(newer.path(), &later).expect("a later version");
    assert!(matches!(
        open_error(&newer, Venue::Dry),
        StoreError::Newer { found: 2 }
    ));
}

#[test]
fn a_truncated_journal_never_opens() {
    let whole = fs::read(filled(Venue::Dry).path().join(FILE_NAME)).expect("readable");
    for tenth in 1..10 {
        let dir = dir();
        let kept = &whole[..whole.len() * tenth / 10];
        fs::write(dir.path().join(FILE_NAME), kept).expect("writable");
        let error = open_error(&dir, Venue::Dry);
        assert!(
            matches!(error, StoreError::Damaged(_)),
            "{tenth}/10: {error:?}"
        );
    }
}

#[test]
fn a_record_that_was_changed_or_removed_breaks_the_chain() {
    type Tamper = fn(&mut redb::Table<'_, u64, &[u8]>);
    let change: Tamper = |table| {
        let mut value = table
            .get(2)
            .expect("readable")
            .expect("there")
            .value()
            .to_vec();
        let last = value.len() - 3;
        value[last] ^= 1;
        table.insert(2, value.as_slice()).expect("writable");
    };
    let remove: Tamper = |table| drop(table.remove(2).expect("writable"));
    for tamper in [change, remove] {
        let dir = filled(Venue::Dry);
        let database = Database::open(dir.path().join(FILE_NAME)).expect("it opens");
        let write = database.begin_write().expect("writable");
        tamper(&mut write.open_table(RECORDS).expect("a table"));
        write.commit().expect("writable");
        drop(database);
        let error = open_error(&dir, Venue::Dry);
        assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    }
}

#[test]
fn two_processes_cannot_have_it_open() {
    let dir = filled(Venue::Dry);
    let (_first, _) = Store::open(dir.path(), Venue::Dry).expect("it opens");
    assert!(matches!(open_error(&dir, Venue::Dry), StoreError::InUse));
}

#[test]
fn the_writer_acknowledges_in_order_and_a_store_that_was_never_closed_keeps_it_all() {
    const COUNT: u64 = 500;
    let dir = made(Venue::Demo);
    let (store, _) = Store::open(dir.path(), Venue::Demo).expect("it opens");
    let (send, events) = channel();
    let report = move |event| send.send(event).expect("the test listens");
    let (journal, thread) =
        Journal::start(store, fold(), Beats::new(Clock::manual(AT)), report).expect("a thread");
    for n in 1..=COUNT {
        let at = AT.plus_ms(n as i64);
        let seq = journal
            .append(at, Record::SafeMode { on: true, at })
            .expect("room");
        assert_eq!(seq, n);
    }
    assert_eq!(journal.sync(PATIENCE), Ok(COUNT));
    assert_eq!((journal.durable_seq(), journal.depth()), (COUNT, 0));
    let mut covered = 0;
    for event in events.try_iter() {
        match event {
            JournalEvent::Durable { seq, records, .. } => {
                assert_eq!(seq, covered + records as u64);
                assert!(records <= crate::journal::GROUP_MAX);
                covered = seq;
            }
            JournalEvent::Failed(error) => panic!("{error}"),
        }
    }
    assert_eq!(covered, COUNT);
    // What a crash would leave: the file as it is while the writer still has it open.
    let crashed = tempfile::tempdir().expect("a temporary directory");
    let copy = crashed.path().join(FILE_NAME);
    fs::copy(dir.path().join(FILE_NAME), copy).expect("readable");
    let (_, entries) = Store::open(crashed.path(), Venue::Demo).expect("it is repaired");
    assert_eq!(entries.len() as u64, COUNT);
    drop(journal);
    thread.join();
    Store::open(dir.path(), Venue::Demo).expect("the file was closed");
}

#[test]
fn a_companion_is_written_right_before_the_next_record_and_never_alone() {
    let dir = made(Venue::Demo);
    let (store, _) = Store::open(dir.path(), Venue::Demo).expect("it opens");
    let (send, events) = channel();
    let report = move |event| send.send(event).expect("the test listens");
    let (journal, thread) =
        Journal::start(store, fold(), Beats::new(Clock::manual(AT)), report).expect("a thread");
    let boot = |epoch| Record::Boot { epoch, at: AT };
    journal.accompany(AT, boot(1));
    assert_eq!(journal.sync(PATIENCE), Ok(0), "it waits for company");
    assert_eq!(journal.append(AT, boot(2)), Ok(2));
    assert_eq!(journal.sync(PATIENCE), Ok(2));
    let commits: Vec<_> = events.try_iter().collect();
    let is_one = matches!(
        &commits[..],
        [JournalEvent::Durable {
            seq: 2,
            records: 2,
            ..
        }]
    );
    assert!(is_one, "{commits:?}");
    for n in 0..=crate::journal::COMPANIONS_MAX {
        journal.accompany(AT, boot(u32::try_from(n).expect("a small number")));
    }
    let kept = crate::journal::COMPANIONS_MAX as u64;
    assert_eq!(journal.append(AT, boot(3)), Ok(2 + kept + 1));
    drop(journal);
    thread.join();
    let (_, entries) = Store::open(dir.path(), Venue::Demo).expect("it opens");
    assert_eq!(
        entries[..2]
            .iter()
            .map(|entry| &entry.record)
            .collect::<Vec<_>>(),
        [&boot(1), &boot(2)]
    );
    assert_eq!(entries.last().map(|entry| &entry.record), Some(&boot(3)));
}

#[test]
fn the_first_failed_commit_is_reported_once_and_ends_all_acknowledgement() {
    let backend = failing::Disk::default();
    let database = Builder::new()
        .create_with_backend(backend.clone())
        .expect("memory");
    write_header(&database, &header(Venue::Dry)).expect("memory");
    let (store, _) = Store::verified(database, Venue::Dry, Reach::Kept).expect("it opens");
    let (send, events) = channel();
    let report = move |event| send.send(event).expect("the test listens");
    let (journal, thread) =
        Journal::start(store, fold(), Beats::new(Clock::manual(AT)), report).expect("a thread");
    journal
        .append(AT, Record::SafeMode { on: true, at: AT })
        .expect("room");
    assert_eq!(journal.sync(PATIENCE), Ok(1));
    backend.fail();
    journal
        .append(AT, Record::SafeMode { on: false, at: AT })
        .expect("room");
    thread.join();
    let reported: Vec<_> = events.try_iter().collect();
    assert!(
        matches!(
            &reported[..],
            [
                JournalEvent::Durable { seq: 1, .. },
                JournalEvent::Failed(_)
            ]
        ),
        "{reported:?}"
    );
    assert!(journal.has_failed());
    let refused = journal.append(AT, Record::SafeMode { on: true, at: AT });
    assert_eq!(refused, Err(AppendError::Closed));
    assert_eq!(journal.durable_seq(), 1);
}

#[test]
fn a_journal_in_memory_works_like_one_on_disk() {
    let mut store = Store::in_memory(&header(Venue::Demo)).expect("memory");
    assert_eq!(store.append(&records()).expect("memory"), 3);
}

/// Memory that stops taking writes when told to.
mod failing {
    use redb::{StorageBackend, backends::InMemoryBackend};
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Clone, Debug, Default)]
    pub struct Disk {
        inner: Arc<InMemoryBackend>,
        has_failed: Arc<AtomicBool>,
    }

    impl Disk {
        pub fn fail(&self) {
            self.has_failed.store(true, Ordering::SeqCst);
        }

        fn check(&self) -> io::Result<()> {
            if self.has_failed.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            self.inner.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.inner.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.check()?;
            self.inner.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.check()?;
            self.inner.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.check()?;
            self.inner.write(offset, data)
        }
    }
}
