//! Reads a recording on a thread of its own, so that unpacking and decoding run beside the decisions.
//!
//! Rows arrive in the order of the file and one at a time; where the file is broken, everything before the break
//! arrives first. The thread decides nothing, so the result does not depend on it.

use super::recording::{Recording, Row};
use crate::cli::exit::{Exit, Failed};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Rows that travel together.
const BATCH_ROWS: usize = 256;
/// Batches that may wait; beyond it the reader waits.
const BATCHES_MAX: usize = 16;
/// How often somebody who waits for rows looks whether it should stop.
const STOP_POLL: Duration = Duration::from_millis(50);

/// Rows up to where the file was read, and what came then.
struct Batch {
    rows: std::vec::IntoIter<Row>,
    end: Option<Result<(), Failed>>,
}

/// What comes next.
pub enum Next {
    Row(Row),
    End,
    /// It was told to stop before the end.
    Stopped,
}

/// A recording that is read ahead.
pub struct Ahead {
    batches: Receiver<Batch>,
    batch: Batch,
    is_over: bool,
}

impl Ahead {
    /// Starts the reader.
    pub fn start(recording: Recording) -> Result<Self, Failed> {
        let (send, batches) = sync_channel(BATCHES_MAX);
        std::thread::Builder::new()
            .name("replay-reader".to_owned())
            .spawn(move || read(recording, &send))
            .map_err(|error| Failed::new(Exit::Internal, format!("no thread: {error}")))?;
        let batch = Batch {
            rows: Vec::new().into_iter(),
            end: None,
        };
        Ok(Self {
            batches,
            batch,
            is_over: false,
        })
    }

    /// Waits for the next row.
    pub fn next(&mut self, stop: &AtomicBool) -> Result<Next, Failed> {
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(Next::Stopped);
            }
            if let Some(row) = self.batch.rows.next() {
                return Ok(Next::Row(row));
            }
            if let Some(end) = self.batch.end.take() {
                self.is_over = true;
                return end.map(|()| Next::End);
            }
            if self.is_over {
                return Ok(Next::End);
            }
            match self.batches.recv_timeout(STOP_POLL) {
                Ok(batch) => self.batch = batch,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let message = "the reader of the recording ended without a word";
                    return Err(Failed::new(Exit::Internal, message));
                }
            }
        }
    }
}

fn read(mut recording: Recording, send: &SyncSender<Batch>) {
    loop {
        let mut rows = Vec::with_capacity(BATCH_ROWS);
        let mut end = None;
        while rows.len() < BATCH_ROWS && end.is_none() {
            match recording.next() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => end = Some(Ok(())),
                Err(failed) => end = Some(Err(failed)),
            }
        }
        let is_last = end.is_some();
        let batch = Batch {
            rows: rows.into_iter(),
            end,
        };
        // Nobody listens any longer: the replay was stopped.
        if send.send(batch).is_err() || is_last {
            return;
        }
    }
}
