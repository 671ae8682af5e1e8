//! The journal: what must survive is written here before it is acted on.
//!
//! It stores facts in order and judges none of them. One OS thread owns the file and commits in groups: while one
//! commit is on its way to the disk the next group gathers, so nothing waits for a timer. The one idea: after the
//! first failed commit nothing is ever acknowledged again (RB-4, I11).

use crate::beats::{self, Beat, Beats};
use crate::clock::Clock;
use crate::store::{Snapshot, Store, StoreError};
use engine::checkpoint::Fold;
use engine::history::Traded;
use engine::record::Record;
use engine::time::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Records that may wait for the disk; one more is an error that its caller handles (on the order path: KILL).
pub const QUEUE_MAX: usize = 10_000;
/// Records behind the newest checkpoint, at which the next one is written: what a start reads one by one.
const TAIL_MAX: u64 = 10_000;
/// Age of the newest checkpoint, or of the start, at which the next one is written, milliseconds.
const CHECKPOINT_AGE_MS: i64 = 3_600_000;
/// Fewer records behind the newest checkpoint than this are not worth one, whatever its age.
const TAIL_MIN: u64 = 1_000;
/// Records of one commit.
pub const GROUP_MAX: usize = 100;

/// Records that may wait for the next one to be written; one more is lost: no order is held up for its story.
pub const COMPANIONS_MAX: usize = 256;

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue is full: the disk does not keep up.
    #[error("the journal's queue is full")]
    Full,
    /// A commit failed earlier, or the journal was closed.
    #[error("the journal takes no more records")]
    Closed,
    /// The disk did not answer in time.
    #[error("the journal did not answer in time")]
    TimedOut,
}

/// What the journal's thread reports, in order.
#[derive(Debug)]
pub enum JournalEvent {
    /// Every record up to and including `seq` is on disk.
    Durable {
        /// Highest durable sequence number.
        seq: u64,
        /// Records of this commit.
        records: usize,
        /// How long the commit took, microseconds.
        took_us: i64,
    },
    /// A commit failed. Reported once; nothing is acknowledged afterwards.
    Failed(StoreError),
}

enum Command {
    Append(Vec<(Timestamp, Record)>),
    Sync(SyncSender<u64>),
    Snapshot(SyncSender<Result<Snapshot, StoreError>>),
}

#[derive(Debug, Default)]
struct Shared {
    depth: AtomicUsize,
    durable: AtomicU64,
    has_failed: AtomicBool,
}

struct Queue {
    next_seq: u64,
    /// Evidence that is written right before the next record, in its commit.
    companions: Vec<(Timestamp, Record)>,
    send: SyncSender<Command>,
}

/// A handle that appends. Cheap to clone; the thread ends when the last one is gone.
#[derive(Clone)]
pub struct Journal {
    queue: Arc<Mutex<Queue>>,
    shared: Arc<Shared>,
}

/// The journal's thread; joined at the end, so that the file is closed before its lock is released.
#[must_use = "a journal that is not joined may be closed by the end of the process alone"]
pub struct JournalThread(JoinHandle<()>);

impl JournalThread {
    /// Waits until every handle is gone, everything is on disk and the file is closed.
    pub fn join(self) {
        // The thread catches nothing: its panic was already reported by the panic hook.
        let _ = self.0.join();
    }
}

impl Journal {
    /// Starts the writer on a store, with what its records add up to. `on_event` runs on the writer's thread and must not block.
    ///
    /// # Errors
    /// `Io` if the system gives no thread.
    pub fn start(
        store: Store,
        fold: Fold,
        beats: Beats,
        on_event: impl FnMut(JournalEvent) + Send + 'static,
    ) -> Result<(Self, JournalThread), StoreError> {
        let (journal, hand) = Self::by_hand(store, fold, beats, on_event);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || hand.writer.run(&hand.commands))
            .map_err(StoreError::Io)?;
        Ok((journal, JournalThread(thread)))
    }

    /// Makes a journal without a thread: nothing is on disk until whoever holds the hand commits it. For simulations,
    /// in which a commit takes as long as they say.
    pub fn by_hand(
        store: Store,
        fold: Fold,
        beats: Beats,
        on_event: impl FnMut(JournalEvent) + Send + 'static,
    ) -> (Self, Hand) {
        let (send, commands) = sync_channel(QUEUE_MAX);
        let clock = beats.clock().clone();
        let shared = Arc::new(Shared::default());
        shared.durable.store(store.last_seq(), Ordering::SeqCst);
        let queue = Queue {
            next_seq: store.last_seq() + 1,
            companions: Vec::new(),
            send,
        };
        let writer = Writer {
            store,
            fold,
            checkpoint_at: clock.now(),
            clock,
            beats,
            shared: Arc::clone(&shared),
            on_event: Box::new(on_event),
        };
        let queue = Arc::new(Mutex::new(queue));
        (Self { queue, shared }, Hand { writer, commands })
    }

    /// Queues one record and returns its sequence number; it is durable once [`JournalEvent::Durable`] reaches it.
    ///
    /// # Errors
    /// `Full` at the queue's limit, `Closed` after a failed commit. The record was not taken, and its companions are lost.
    pub fn append(&self, at: Timestamp, record: Record) -> Result<u64, AppendError> {
        if self.has_failed() {
            return Err(AppendError::Closed);
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut together = std::mem::take(&mut queue.companions);
        together.push((at, record));
        let records = together.len();
        self.shared.depth.fetch_add(records, Ordering::SeqCst);
        if let Err(error) = queue.send.try_send(Command::Append(together)) {
            self.shared.depth.fetch_sub(records, Ordering::SeqCst);
            return Err(refused(&error));
        }
        queue.next_seq += records as u64;
        Ok(queue.next_seq - 1)
    }

    /// Keeps a record for the commit of the next that is appended, right before it. Nothing waits for it, it causes no
    /// commit of its own, and beyond [`COMPANIONS_MAX`] it is lost.
    pub fn accompany(&self, at: Timestamp, record: Record) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.companions.len() < COMPANIONS_MAX {
            queue.companions.push((at, record));
        }
    }

    /// Waits until everything appended so far is on disk and returns the highest durable number. Blocks its thread:
    /// for start and stop only.
    ///
    /// # Errors
    /// `Full`, `Closed`, or `TimedOut` after `time_out`.
    pub fn sync(&self, time_out: Duration) -> Result<u64, AppendError> {
        let (send, done) = sync_channel(1);
        let sent = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.send.try_send(Command::Sync(send))
        };
        sent.map_err(|error| refused(&error))?;
        done.recv_timeout(time_out).map_err(|error| match error {
            RecvTimeoutError::Timeout => AppendError::TimedOut,
            RecvTimeoutError::Disconnected => AppendError::Closed,
        })
    }

    /// Returns the journal as it is on disk once everything appended so far is there. Blocks its thread: never the
    /// order path's.
    ///
    /// # Errors
    /// `Full`, `Closed`, or `TimedOut` after `time_out`.
    pub fn snapshot(&self, time_out: Duration) -> Result<Snapshot, AppendError> {
        let (send, done) = sync_channel(1);
        let sent = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.send.try_send(Command::Snapshot(send))
        };
        sent.map_err(|error| refused(&error))?;
        let taken = done.recv_timeout(time_out).map_err(|error| match error {
            RecvTimeoutError::Timeout => AppendError::TimedOut,
            RecvTimeoutError::Disconnected => AppendError::Closed,
        })?;
        taken.map_err(|_| AppendError::Closed)
    }

    /// Returns the highest durable sequence number.
    pub fn durable_seq(&self) -> u64 {
        self.shared.durable.load(Ordering::SeqCst)
    }

    /// Returns how many records wait for the disk.
    pub fn depth(&self) -> usize {
        self.shared.depth.load(Ordering::SeqCst)
    }

    /// Returns whether a commit has failed.
    pub fn has_failed(&self) -> bool {
        self.shared.has_failed.load(Ordering::SeqCst)
    }
}

fn refused(error: &TrySendError<Command>) -> AppendError {
    match error {
        TrySendError::Full(_) => AppendError::Full,
        TrySendError::Disconnected(_) => AppendError::Closed,
    }
}

/// The writer of a journal without a thread.
pub struct Hand {
    writer: Writer,
    commands: Receiver<Command>,
}

impl Hand {
    /// Commits one group of what waits, `group_max` appends at most, and returns the records that it put on disk.
    ///
    /// # Errors
    /// As the store's; nothing is acknowledged afterwards.
    pub fn commit(&mut self, group_max: usize) -> Result<Vec<Record>, StoreError> {
        let mut group = Vec::new();
        for command in self.commands.try_iter().take(group_max.min(GROUP_MAX)) {
            match command {
                Command::Append(together) => group.extend(together),
                // Both are for start and stop, which block a thread; whoever waits hears that the journal is closed.
                Command::Sync(_) | Command::Snapshot(_) => {}
            }
        }
        let records = group.iter().map(|(_, record)| record.clone()).collect();
        match self.writer.commit(group) {
            Ok(()) => Ok(records),
            Err(error) => {
                self.writer.shared.has_failed.store(true, Ordering::SeqCst);
                Err(error)
            }
        }
    }

    /// Gives the store back, as it is on disk: what waits is lost.
    pub fn into_store(self) -> Store {
        self.writer.store
    }
}

struct Writer {
    store: Store,
    /// What every record that was written adds up to.
    fold: Fold,
    checkpoint_at: Timestamp,
    clock: Clock,
    beats: Beats,
    shared: Arc<Shared>,
    on_event: Box<dyn FnMut(JournalEvent) + Send>,
}

impl Writer {
    /// Ends when every handle is gone or a commit has failed.
    fn run(mut self, commands: &Receiver<Command>) {
        loop {
            self.beats.beat(Beat::Journal);
            let first = match commands.recv_timeout(beats::EVERY) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let gathered = gather(first, commands);
            if let Err(error) = self.commit(gathered.group) {
                self.shared.has_failed.store(true, Ordering::SeqCst);
                self.beats.rest(Beat::Journal);
                (self.on_event)(JournalEvent::Failed(error));
                return;
            }
            for sync in gathered.syncs {
                // A caller that gave up waiting is not told.
                let _ = sync.try_send(self.store.last_seq());
            }
            for reader in gathered.readers {
                // Nor is this one.
                let _ = reader.try_send(self.store.snapshot());
            }
        }
        self.beats.rest(Beat::Journal);
        self.store.close();
    }

    fn commit(&mut self, group: Vec<(Timestamp, Record)>) -> Result<(), StoreError> {
        if group.is_empty() {
            return Ok(());
        }
        let began = self.clock.now();
        let records = group.len();
        let traded = group
            .iter()
            .filter_map(|(_, record)| self.fold.book(record));
        let traded: Vec<Traded> = traded.collect();
        let is_due = self.is_checkpoint_due(began, records as u64);
        let sum = is_due.then(|| self.fold.sum());
        let seq = self.store.append_with(&group, &traded, sum)?;
        if is_due {
            self.checkpoint_at = began;
        }
        self.shared.durable.store(seq, Ordering::SeqCst);
        self.shared.depth.fetch_sub(records, Ordering::SeqCst);
        let took_us = self.clock.now().0 - began.0;
        (self.on_event)(JournalEvent::Durable {
            seq,
            records,
            took_us,
        });
        Ok(())
    }
}

impl Writer {
    fn is_checkpoint_due(&self, now: Timestamp, more: u64) -> bool {
        let tail = self.store.tail_len() + more;
        let is_late = now.ms_since(self.checkpoint_at) >= CHECKPOINT_AGE_MS;
        tail >= TAIL_MAX || (is_late && tail >= TAIL_MIN)
    }
}

/// What waited for the writer.
#[derive(Default)]
struct Gathered {
    group: Vec<(Timestamp, Record)>,
    syncs: Vec<SyncSender<u64>>,
    readers: Vec<SyncSender<Result<Snapshot, StoreError>>>,
}

/// Takes what has gathered since the last commit, and never waits for more.
fn gather(first: Command, commands: &Receiver<Command>) -> Gathered {
    let mut gathered = Gathered::default();
    let mut next = Some(first);
    while let Some(command) = next {
        match command {
            Command::Append(together) => gathered.group.extend(together),
            Command::Sync(done) => gathered.syncs.push(done),
            Command::Snapshot(reader) => gathered.readers.push(reader),
        }
        let waiting = gathered.syncs.len() + gathered.readers.len();
        let has_room = gathered.group.len() + waiting < GROUP_MAX;
        next = if has_room {
            commands.try_recv().ok()
        } else {
            None
        };
    }
    gathered
}
