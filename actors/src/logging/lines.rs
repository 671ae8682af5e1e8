//! The bounded queue of log lines, and the thread that writes them.
//!
//! Nobody waits for it: a full queue drops and counts. The one idea: repeats are collapsed here, behind the queue,
//! so that no thread that logs ever takes a lock.

use super::collapse::{Collapse, Key};
use crate::clock::Clock;
use engine::time::Timestamp;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Last lines that are kept for a bundle; the oldest fall out.
const TAIL_LINES_MAX: usize = 1_000;
/// Longest line that is kept, bytes; the rest of a longer one is cut.
const TAIL_BYTES_MAX: usize = 4 << 10;
/// Longest wait for the reader at the end.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(1);
/// Tries to get the wish to flush into a full queue.
const FLUSH_TRIES_MAX: u32 = 50;
/// Pause between two tries.
const FLUSH_PAUSE: Duration = Duration::from_millis(10);
/// Time between two looks at what is held back, while nothing comes.
const LOOK: Duration = Duration::from_secs(1);

/// A line on its way.
pub(super) struct Entry {
    /// When its event happened.
    pub(super) at: Timestamp,
    /// What it is a repeat of, if its like came before; `None` is always written.
    pub(super) key: Option<Key>,
    /// The line, with its end.
    pub(super) line: String,
}

pub(super) enum Line {
    Entry(Entry),
    Flush(SyncSender<()>),
}

/// The bounded queue to the writing thread.
#[derive(Clone)]
pub(super) struct Lines {
    pub(super) send: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
    tail: Tail,
}

/// The last lines that were handed to the reader.
type Tail = Arc<Mutex<VecDeque<String>>>;

impl Lines {
    pub(super) fn start(
        target: impl Write + Send + 'static,
        clock: Clock,
        lines_max: usize,
    ) -> Self {
        let (send, todo) = sync_channel(lines_max);
        let dropped = Arc::new(AtomicU64::new(0));
        let thread = std::thread::Builder::new().name("log".to_owned());
        let tail = Tail::default();
        let kept = Arc::clone(&tail);
        // Without a thread every line counts as dropped: the process runs on, and the metric shows it.
        let _ = thread.spawn(move || write_lines(target, &clock, &todo, &kept));
        Self {
            send,
            dropped,
            tail,
        }
    }

    pub(super) fn put(&self, entry: Entry) {
        if self.send.try_send(Line::Entry(entry)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the last lines, oldest first.
    pub(super) fn tail(&self) -> Vec<String> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.iter().cloned().collect()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn dropped_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// Waits a moment until everything is written, also what is held back as a repeat.
    pub(super) fn flush(&self) {
        let (send, done) = sync_channel(1);
        let mut ask = Line::Flush(send);
        for _ in 0..FLUSH_TRIES_MAX {
            ask = match self.send.try_send(ask) {
                Err(TrySendError::Full(ask)) => ask,
                Ok(()) | Err(TrySendError::Disconnected(_)) => break,
            };
            std::thread::sleep(FLUSH_PAUSE);
        }
        // A reader that does not read is not waited for.
        let _ = done.recv_timeout(FLUSH_TIME_MAX);
    }
}

fn write_lines(mut target: impl Write, clock: &Clock, todo: &Receiver<Line>, tail: &Tail) {
    let mut collapse = Collapse::default();
    let mut out: Vec<String> = Vec::new();
    loop {
        let line = match todo.recv_timeout(LOOK) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match line {
            Some(Line::Entry(entry)) => collapse.take(entry, &mut out),
            Some(Line::Flush(done)) => {
                collapse.end(&mut out);
                write_all(&mut target, &mut out, tail);
                let _ = target.flush();
                let _ = done.send(());
            }
            None => collapse.look(clock.now(), &mut out),
        }
        write_all(&mut target, &mut out, tail);
    }
    collapse.end(&mut out);
    write_all(&mut target, &mut out, tail);
}

fn write_all(target: &mut impl Write, out: &mut Vec<String>, tail: &Tail) {
    for line in out.drain(..) {
        // Before the reader, who may stand still.
        keep(tail, &line);
        // A log that cannot be written must not stop anything (SIGPIPE is ignored).
        drop(target.write_all(line.as_bytes()));
    }
}

fn keep(tail: &Tail, line: &str) {
    let line = line.trim_end();
    let kept = line.get(..line.floor_char_boundary(TAIL_BYTES_MAX));
    let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    if tail.len() >= TAIL_LINES_MAX {
        tail.pop_front();
    }
    tail.push_back(kept.unwrap_or_default().to_owned());
}
