//! A disk in memory that remembers every operation, so that each state a power cut may leave can be built from it.
//!
//! It decides nothing about what is right. The one idea: what was written lies in a cache until a sync has returned,
//! and a cut may take, keep, reorder or tear whatever lies there. A sync that failed has lost what it was asked for:
//! a later one that succeeds does not bring it back.

use redb::StorageBackend;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Unit in which a disk writes: a power cut never leaves half of it.
pub const SECTOR: usize = 512;
/// Longest file; beyond it the disk is full. A damaged length must not ask for the machine's memory.
const BYTES_MAX: u64 = 64 << 20;

/// One thing that was asked of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bytes at an offset.
    Write {
        /// The offset.
        at: u64,
        /// The bytes.
        data: Arc<[u8]>,
    },
    /// Another length of the file.
    SetLen(u64),
    /// Everything before it is on the disk.
    Sync,
    /// A sync that answered with an error.
    FailedSync,
    /// The prepared file got its final name.
    Named,
    /// The name is on the disk.
    NameSynced,
}

/// The operation that is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Of which kind.
    pub kind: FaultKind,
    /// How many of the kind succeed before it.
    pub after: usize,
    /// What it answers.
    pub answer: Answer,
}

/// Which operations a fault counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Syncs.
    Sync,
    /// Writes and changes of the length.
    Write,
}

/// How a failing operation answers. Whatever comes after it succeeds: only a retry would tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `EIO`.
    Io,
    /// `ENOSPC`.
    NoSpace,
}

impl Answer {
    fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Io => 5,
            Self::NoSpace => 28,
        })
    }
}

/// The disk. A clone is another handle on the same one.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    log: Vec<Operation>,
    fault: Option<Fault>,
    has_failed: bool,
    after_failure: usize,
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimDisk({} operations)", self.position())
    }
}

impl SimDisk {
    /// Makes an empty disk.
    pub fn empty() -> Self {
        Self::resumed(Vec::new(), Vec::new())
    }

    /// Makes a disk whose file holds `bytes`, of which the operations of `log` are not synced.
    pub fn resumed(bytes: Vec<u8>, log: Vec<Operation>) -> Self {
        Self(Arc::new(Mutex::new(State {
            bytes,
            log,
            ..State::default()
        })))
    }

    /// Lets one operation fail, counted from this moment.
    pub fn plan(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Returns how many operations were logged.
    pub fn position(&self) -> usize {
        self.state().log.len()
    }

    /// Returns every operation in order.
    pub fn log(&self) -> Vec<Operation> {
        self.state().log.clone()
    }

    /// Returns the file as a running process sees it.
    pub fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Returns whether the planned fault has happened.
    pub fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    /// Returns how many writes, syncs and changes of the length were asked for after the planned fault.
    pub fn after_failure(&self) -> usize {
        self.state().after_failure
    }

    pub(super) fn record(&self, operation: Operation) {
        self.state().log.push(operation);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation towards the planned fault; answers with the error if this is the one.
    fn ask(&mut self, kind: FaultKind) -> io::Result<()> {
        if self.has_failed {
            self.after_failure += 1;
            return Ok(());
        }
        match &mut self.fault {
            Some(fault) if fault.kind == kind && fault.after == 0 => {
                self.has_failed = true;
                Err(fault.answer.error())
            }
            Some(fault) if fault.kind == kind => {
                fault.after -= 1;
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Carries out one operation on an image of the file.
pub(super) fn apply(image: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::Write { at, data } => write(image, *at, data),
        Operation::SetLen(len) => image.resize(index(*len), 0),
        Operation::Sync | Operation::FailedSync | Operation::Named | Operation::NameSynced => {}
    }
}

/// Writes bytes into an image; a gap before them is zero.
pub(super) fn write(image: &mut Vec<u8>, at: u64, data: &[u8]) {
    let (start, end) = (index(at), index(at) + data.len());
    if image.len() < end {
        image.resize(end, 0);
    }
    image[start..end].copy_from_slice(data);
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("the disk is smaller than memory")
}

fn full(end: u64) -> io::Result<()> {
    if end > BYTES_MAX {
        return Err(Answer::NoSpace.error());
    }
    Ok(())
}

impl StorageBackend for SimDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let found = usize::try_from(offset)
            .ok()
            .and_then(|start| state.bytes.get(start..start.checked_add(out.len())?));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        full(len)?;
        let mut state = self.state();
        state.ask(FaultKind::Write)?;
        let operation = Operation::SetLen(len);
        apply(&mut state.bytes, &operation);
        state.log.push(operation);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        let asked = state.ask(FaultKind::Sync);
        state.log.push(match asked {
            Ok(()) => Operation::Sync,
            Err(_) => Operation::FailedSync,
        });
        asked
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        full(offset.saturating_add(data.len() as u64))?;
        let mut state = self.state();
        state.ask(FaultKind::Write)?;
        let operation = Operation::Write {
            at: offset,
            data: data.into(),
        };
        apply(&mut state.bytes, &operation);
        state.log.push(operation);
        Ok(())
    }
}
