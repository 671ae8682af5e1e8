//! The kill latch: what makes a kill outlive its cause, this process and one of its two copies.
//!
//! A file in the state directory and a record in the journal; either alone means killed. It tells nobody and cancels
//! nothing: keeper and killer do. The one idea: one lock orders trips and resets, and a reset ends only the
//! trip that it names, if the gate saw no raise since.

pub mod keeper;
pub mod token;

use crate::clock::Clock;
use crate::gate::{Flag, Gate, RaisedSince};
use engine::kill::{Kill, KillId};
use engine::mode::ModeCode;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use token::{Look, Token};

/// The file of the latch.
pub const LATCH_NAME: &str = "kill.latch";
/// The file that becomes it.
pub const SPARE_NAME: &str = "kill.spare";
/// The file that keeps a safe mode by signal, and the one that becomes it.
const SAFE_NAMES: (&str, &str) = ("safe.latch", "safe.spare");
/// Who trips where no person does.
pub const BY_ITSELF: &str = "btcbot";
/// Who trips by making the file.
const BY_FILE: &str = "whoever made the file";

/// Why a reset was not carried out; the latch is as it was.
#[derive(Debug, thiserror::Error)]
pub enum LiftError {
    /// Another trip came in between, or there is none.
    #[error("{0:?} is not the latched trip")]
    OtherTrip(KillId),
    /// Something was raised since the reset was decided.
    #[error(transparent)]
    Raised(#[from] RaisedSince),
    /// The file cannot be taken back.
    #[error("the file of the latch: {0}")]
    File(#[from] io::Error),
}

/// The latch of one state directory. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct Latch {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// A process without a state directory latches in memory only.
    token: Option<Token>,
    /// Safe mode, for as long as no journal keeps it.
    safe: Option<Token>,
    gate: Gate,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kill: Option<Kill>,
    /// Causes of this latch, one bit for each code: none of them trips a second time.
    causes: u64,
}

impl Latch {
    /// Takes over what the journal and the state directory say. Either copy is enough, the later trip counts, and a
    /// file that does not tell which trip it is stands for one of its own.
    pub fn boot(dir: Option<&Path>, journal: Option<&Kill>, gate: Gate, clock: Clock) -> Self {
        let token = dir.map(|dir| Token::new(dir, LATCH_NAME, SPARE_NAME));
        let look = token.as_ref().map_or(Look::Absent, Token::look);
        let of_file = match &look {
            Look::Absent => None,
            Look::Present(text) => read(text).or_else(|| {
                let who = ("", BY_FILE);
                let touched = || Kill::new(None, ModeCode::KillLatchFile, who, clock.now());
                journal.is_none().then(touched)
            }),
        };
        let kill = journal.cloned().into_iter().chain(of_file);
        let kill = kill.max_by_key(|kill| kill.id);
        let latch = Self {
            inner: Arc::new(Inner {
                token,
                safe: dir.map(|dir| Token::new(dir, SAFE_NAMES.0, SAFE_NAMES.1)),
                gate,
                clock,
                state: Mutex::default(),
            }),
        };
        match kill {
            Some(kill) => latch.take_over(&mut latch.state(), kill),
            None => latch.warn("prepare", Token::prepare),
        }
        latch.prepare_safe();
        latch
    }

    /// Returns the state directory; `None` where the latch is in memory only.
    pub fn dir(&self) -> Option<&Path> {
        self.inner.token.as_ref().map(Token::dir)
    }

    /// Returns the trip that is latched.
    pub fn current(&self) -> Option<Kill> {
        self.state().kill.clone()
    }

    /// Latches one more trip: gate, then file, durably. The caller tells the journal.
    pub fn trip(&self, cause: ModeCode, who: (&str, &str)) -> Kill {
        self.inner.gate.raise(Flag::Kill);
        let mut state = self.state();
        let before = state.kill.as_ref().map(|kill| kill.id);
        let kill = Kill::new(before, cause, who, self.inner.clock.now());
        self.take_over(&mut state, kill.clone());
        kill
    }

    /// Latches a cause, unless it is one of this latch's already.
    pub(crate) fn trip_once(&self, cause: ModeCode) -> Option<Kill> {
        let mut state = self.state();
        if state.kill.is_some() && state.causes & cause.bit() != 0 {
            return None;
        }
        let before = state.kill.as_ref().map(|kill| kill.id);
        let kill = Kill::new(before, cause, ("", BY_ITSELF), self.inner.clock.now());
        self.take_over(&mut state, kill.clone());
        Some(kill)
    }

    /// Compares with the file: one that somebody made is a trip, and one that somebody removed is made again.
    pub(crate) fn compare(&self) -> Option<Kill> {
        let token = self.inner.token.as_ref()?;
        let mut state = self.state();
        let current = state.kill.clone();
        match (token.look(), current) {
            (Look::Absent, None) => None,
            (Look::Absent, Some(kill)) => {
                self.take_over(&mut state, kill);
                None
            }
            (Look::Present(text), current) => {
                let told = read(&text);
                let is_known = match (&told, &current) {
                    (Some(told), Some(current)) => told.id <= current.id,
                    (None, Some(_)) => true,
                    (Some(_) | None, None) => false,
                };
                if is_known {
                    return None;
                }
                self.inner.gate.raise(Flag::Kill);
                let made = || {
                    let now = self.inner.clock.now();
                    Kill::new(None, ModeCode::KillLatchFile, ("", BY_FILE), now)
                };
                let kill = told.unwrap_or_else(made);
                self.take_over(&mut state, kill.clone());
                Some(kill)
            }
        }
    }

    /// Ends the named trip: `lower` opens the gate or refuses, then the file goes. Whatever trips from here on finds a
    /// latch to set again.
    ///
    /// # Errors
    /// [`LiftError`]; then the latch holds.
    pub fn lift(
        &self,
        id: KillId,
        lower: impl FnOnce() -> Result<(), RaisedSince>,
    ) -> Result<(), LiftError> {
        let mut state = self.state();
        if state.kill.as_ref().map(|kill| kill.id) != Some(id) {
            return Err(LiftError::OtherTrip(id));
        }
        lower()?;
        if let Some(token) = &self.inner.token
            && let Err(error) = token.clear()
        {
            self.inner.gate.raise(Flag::Kill);
            return Err(LiftError::File(error));
        }
        *state = State::default();
        Ok(())
    }

    /// Leaves the file of the latch at once, without waiting for a lock or a disk: for a thread that may not wait.
    pub fn mark(&self) {
        self.warn("mark", Token::set);
    }

    /// Returns whether safe mode is kept by its file.
    pub fn is_marked_safe(&self) -> bool {
        let safe = self.inner.safe.as_ref();
        safe.is_some_and(|safe| safe.look() != Look::Absent)
    }

    /// Keeps safe mode by its file: a rename, whatever the journal does. The gate is raised before.
    pub fn mark_safe(&self) {
        if let Some(safe) = &self.inner.safe
            && let Err(error) = safe.set()
        {
            tracing::error!(event = "safe_mode_file_failed", error = %error);
        }
    }

    /// Ends that, unless safe mode has been raised again.
    pub fn unmark_safe(&self) {
        if let Some(safe) = &self.inner.safe
            && let Err(error) = safe.clear()
        {
            tracing::error!(event = "safe_mode_file_failed", error = %error);
        }
        if self.inner.gate.is_raised(Flag::Safe) {
            self.mark_safe();
        }
    }

    fn prepare_safe(&self) {
        if let Some(safe) = &self.inner.safe
            && safe.look() == Look::Absent
            && let Err(error) = safe.prepare()
        {
            tracing::error!(event = "safe_mode_file_failed", error = %error);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole values are put in; what a panicking holder left is one of them.
        (self.inner.state.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    fn take_over(&self, state: &mut State, kill: Kill) {
        let text = serde_json::to_string(&kill).expect("a trip is made of texts and numbers");
        self.warn("set", Token::set);
        self.warn("describe", |token| token.describe(&text));
        state.causes |= kill.cause.bit();
        state.kill = Some(kill);
    }

    /// A file that cannot be written leaves the journal's copy and this process.
    fn warn(&self, what: &'static str, act: impl FnOnce(&Token) -> io::Result<()>) {
        if let Some(token) = &self.inner.token
            && let Err(error) = act(token)
        {
            tracing::error!(event = "kill_latch_file_failed", what, error = %error);
        }
    }
}

/// Trips without a process: makes the file, which the next start obeys, and a living process within its next look.
///
/// # Errors
/// The file could not be made.
pub fn trip_by_file(dir: &Path, who: (&str, &str), clock: &Clock) -> io::Result<Kill> {
    let token = Token::new(dir, LATCH_NAME, SPARE_NAME);
    let before = match token.look() {
        Look::Absent => None,
        Look::Present(text) => read(&text).map(|kill| kill.id),
    };
    let kill = Kill::new(before, ModeCode::OperatorKill, who, clock.now());
    token.set()?;
    let text = serde_json::to_string(&kill).expect("a trip is made of texts and numbers");
    // Its presence is the kill; the text is for people.
    let _ = token.describe(&text);
    Ok(kill)
}

/// What the file of a directory says; the inner `None` where it does not tell its trip.
pub fn on_file(dir: &Path) -> Option<Option<Kill>> {
    match Token::new(dir, LATCH_NAME, SPARE_NAME).look() {
        Look::Absent => None,
        Look::Present(text) => Some(read(&text)),
    }
}

fn read(text: &str) -> Option<Kill> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::GateOwner;
    use engine::time::Timestamp;
    use std::fs;
    use tempfile::TempDir;

    const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    struct Bench {
        dir: TempDir,
        owner: GateOwner,
        clock: Clock,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().expect("a temporary directory"),
                owner: GateOwner::new(),
                clock: Clock::manual(AT),
            }
        }

        fn boot(&self, journal: Option<&Kill>) -> Latch {
            let gate = self.owner.gate();
            Latch::boot(Some(self.dir.path()), journal, gate, self.clock.clone())
        }

        fn file(&self) -> std::path::PathBuf {
            self.dir.path().join(LATCH_NAME)
        }
    }

    #[test]
    fn either_copy_alone_is_a_latch_and_the_later_trip_counts() {
        let bench = Bench::new();
        assert_eq!(bench.boot(None).current(), None);
        let first = bench.boot(None).trip(ModeCode::GhostOrder, ("", BY_ITSELF));
        assert_eq!(bench.boot(None).current(), Some(first.clone()), "the file");
        let who = ("a drill", "uid 0");
        let second = Kill::new(Some(first.id), ModeCode::OperatorKill, who, AT);
        let both = bench.boot(Some(&second));
        assert_eq!(both.current(), Some(second.clone()), "the journal is ahead");
        fs::remove_file(bench.file()).expect("it is there");
        assert_eq!(bench.boot(Some(&second)).current(), Some(second));
        assert!(bench.file().exists(), "a copy that is gone is made again");
    }

    #[test]
    fn unreadable_latch_means_killed() {
        let check = |what: &str, make: fn(&Path)| {
            let bench = Bench::new();
            make(&bench.file());
            let latch = bench.boot(None);
            let kill = latch.current().expect(what);
            assert_eq!(kill.cause, ModeCode::KillLatchFile, "{what}");
            let journal = Kill::new(None, ModeCode::GhostOrder, ("", BY_ITSELF), AT);
            let with_journal = bench.boot(Some(&journal)).current();
            assert!(with_journal.is_some(), "{what}");
        };
        check("touched", |path| fs::write(path, "").expect("writable"));
        check("half a text", |path| {
            fs::write(path, "{\"id\":7,").expect("writable")
        });
        check("no text", |path| {
            fs::write(path, [0xff, 0xfe]).expect("writable")
        });
        check("a directory", |path| {
            fs::create_dir(path).expect("writable")
        });
    }

    #[test]
    fn a_file_that_appears_trips_and_one_that_goes_comes_back() {
        let bench = Bench::new();
        let latch = bench.boot(None);
        assert_eq!(latch.compare(), None);
        fs::write(bench.file(), "").expect("writable");
        let kill = latch.compare().expect("a trip");
        assert_eq!(kill.cause, ModeCode::KillLatchFile);
        assert_eq!(
            (latch.compare(), latch.current()),
            (None, Some(kill.clone()))
        );
        fs::remove_file(bench.file()).expect("it is there");
        assert_eq!(latch.compare(), None);
        assert!(bench.file().exists());
        let later = trip_by_file(bench.dir.path(), ("hung", "uid 0"), &bench.clock);
        let later = later.expect("writable");
        assert!(later.id > kill.id);
        assert_eq!(latch.compare(), Some(later));
    }

    #[test]
    fn x_08_a_reset_ends_only_the_trip_it_names_and_never_one_that_came_in_between() {
        let bench = Bench::new();
        let (latch, gate) = (bench.boot(None), bench.owner.gate());
        let first = latch.trip(ModeCode::GhostOrder, ("", BY_ITSELF));
        let asked_at = gate.serial();
        let lower = |asked_at| bench.owner.lower(Flag::Kill, asked_at);
        let second = latch.trip(ModeCode::OperatorKill, ("again", "uid 0"));
        assert!(matches!(
            latch.lift(first.id, || lower(asked_at)),
            Err(LiftError::OtherTrip(_))
        ));
        assert!(matches!(
            latch.lift(second.id, || lower(asked_at)),
            Err(LiftError::Raised(_))
        ));
        assert!(gate.is_raised(Flag::Kill) && bench.file().exists());
        assert_eq!(latch.current(), Some(second.clone()));
        latch
            .lift(second.id, || lower(gate.serial()))
            .expect("nothing came in between");
        assert!(!gate.is_raised(Flag::Kill) && !bench.file().exists());
        assert_eq!((latch.current(), bench.boot(None).current()), (None, None));
    }

    #[test]
    fn a_reset_that_cannot_take_the_file_back_leaves_the_kill() {
        let bench = Bench::new();
        fs::create_dir(bench.file()).expect("writable");
        let (latch, gate) = (bench.boot(None), bench.owner.gate());
        let kill = latch.current().expect("killed");
        let lower = || bench.owner.lower(Flag::Kill, gate.serial());
        assert!(matches!(
            latch.lift(kill.id, lower),
            Err(LiftError::File(_))
        ));
        assert!(gate.is_raised(Flag::Kill));
        assert_eq!(latch.current(), Some(kill));
    }

    #[test]
    fn a_cause_trips_once_until_it_is_reset() {
        let bench = Bench::new();
        let latch = bench.boot(None);
        let first = latch.trip_once(ModeCode::ClockSkew).expect("a trip");
        assert_eq!(latch.trip_once(ModeCode::ClockSkew), None);
        let second = latch
            .trip_once(ModeCode::GhostOrder)
            .expect("another cause");
        assert!(second.id > first.id);
        let serial = bench.owner.gate().serial();
        let lower = || bench.owner.lower(Flag::Kill, serial);
        latch
            .lift(second.id, lower)
            .expect("nothing came in between");
        assert!(latch.trip_once(ModeCode::ClockSkew).is_some());
    }
}
