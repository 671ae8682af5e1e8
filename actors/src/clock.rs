//! The one place that reads a clock.
//!
//! Everything else is handed a `Timestamp`. Time is the wall clock at the start plus the time since then on the
//! clock that neither steps nor stops while the machine sleeps, so it never runs backwards; the offset to the exchange's clock is a separate value that is measured, not assumed.

use btcturk::sign::Stamps;
use engine::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Marks an offset that has not been measured.
const UNKNOWN: i64 = i64::MIN;
/// Stamps may lead the estimate of the exchange's time by this many milliseconds before they fall back.
pub const STAMP_LEAD_MS_MAX: i64 = 500;

/// Tells the time. Cheap to clone; all clones share the offset to the exchange.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    offset_ms: AtomicI64,
    bound_ms: AtomicI64,
}

#[derive(Debug)]
enum Source {
    /// The wall clock at the start, and the boot-time clock at that moment, microseconds.
    Running {
        start: Timestamp,
        since: i64,
    },
    /// The runtime's time, which a simulation may pause, and how far it was moved by hand; and the latest that was shown.
    Runtime {
        start: Timestamp,
        since: tokio::time::Instant,
        moved_us: AtomicI64,
        shown: AtomicI64,
    },
    Manual(AtomicI64),
}

/// Microseconds since the machine started, its sleep included.
fn boot_us() -> i64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

/// How far the exchange's clock is from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Exchange time less our time, milliseconds.
    pub ms: i64,
    /// The measurement may be off by this much: half the round trip, milliseconds.
    pub bound_ms: i64,
}

impl Clock {
    /// Starts from the wall clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads both clocks"
    )]
    pub fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
            });
        Self::of(Source::Running {
            start: Timestamp(wall),
            since: boot_us(),
        })
    }

    /// Makes a clock that shows `at` and follows the time of the runtime it is made on, which may be paused; for
    /// simulations of the real actors. It must be read on that runtime only.
    pub fn of_runtime(at: Timestamp) -> Self {
        Self::of(Source::Runtime {
            start: at,
            since: tokio::time::Instant::now(),
            moved_us: AtomicI64::new(0),
            shown: AtomicI64::new(at.0),
        })
    }

    /// Makes a clock that stands at `at` until it is moved; for tests and replays.
    pub fn manual(at: Timestamp) -> Self {
        Self::of(Source::Manual(AtomicI64::new(at.0)))
    }

    fn of(source: Source) -> Self {
        let inner = Inner {
            source,
            offset_ms: AtomicI64::new(UNKNOWN),
            bound_ms: AtomicI64::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        match &self.inner.source {
            Source::Running { start, since } => {
                Timestamp(start.0.saturating_add(boot_us() - since))
            }
            Source::Runtime {
                start,
                since,
                moved_us,
                shown,
            } => {
                let passed = i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX);
                let at = start.0.saturating_add(passed) + moved_us.load(Ordering::SeqCst);
                Timestamp(shown.fetch_max(at, Ordering::SeqCst).max(at))
            }
            Source::Manual(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward by `ms` milliseconds, and a runtime's clock either way: one that is moved back
    /// stands still until it is due again. A running clock is left alone.
    pub fn advance_ms(&self, ms: i64) {
        match &self.inner.source {
            Source::Running { .. } => {}
            Source::Manual(at) | Source::Runtime { moved_us: at, .. } => {
                at.fetch_add(ms.saturating_mul(1_000), Ordering::SeqCst);
            }
        }
    }

    /// Stores a measured offset.
    pub fn set_offset(&self, offset: Offset) {
        self.inner.bound_ms.store(offset.bound_ms, Ordering::SeqCst);
        self.inner.offset_ms.store(offset.ms, Ordering::SeqCst);
    }

    /// Forgets the offset: a measurement that is too old proves nothing.
    pub fn forget_offset(&self) {
        self.inner.offset_ms.store(UNKNOWN, Ordering::SeqCst);
    }

    /// Returns the measured offset, or `None` while there is none.
    pub fn offset(&self) -> Option<Offset> {
        let ms = self.inner.offset_ms.load(Ordering::SeqCst);
        let bound_ms = self.inner.bound_ms.load(Ordering::SeqCst);
        (ms != UNKNOWN).then_some(Offset { ms, bound_ms })
    }

    /// Returns the best estimate of the exchange's time; our own time while no offset is known.
    pub fn exchange_now(&self) -> Timestamp {
        self.now()
            .plus_ms(self.offset().map_or(0, |known| known.ms))
    }
}

/// Hands out strictly increasing millisecond stamps of exchange time; one per key, shared by all its clients.
#[derive(Clone, Debug)]
pub struct StampSource {
    clock: Clock,
    stamps: Arc<Mutex<Stamps>>,
}

/// One stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Exchange time in milliseconds.
    pub ms: i64,
    /// The stamps had run too far ahead and fell back to the estimate; worth an alert.
    pub fell_back: bool,
}

impl StampSource {
    /// Makes a source that follows `clock`.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            stamps: Arc::default(),
        }
    }

    /// Returns the next stamp: taken right before signing, never stored.
    pub fn next(&self) -> Stamp {
        let now_ms = self.clock.exchange_now().ms();
        // A panic between two lines of plain arithmetic leaves nothing half done.
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        let fell_back = stamps.lead_ms(now_ms) > STAMP_LEAD_MS_MAX;
        if fell_back {
            stamps.reset();
        }
        let ms = stamps.next(now_ms);
        Stamp { ms, fell_back }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmeasured_offset_is_unknown_and_counts_as_zero() {
        let clock = Clock::manual(Timestamp::from_ms(1_000));
        assert_eq!(clock.offset(), None);
        assert_eq!(clock.exchange_now(), Timestamp::from_ms(1_000));
        let offset = Offset {
            ms: -40,
            bound_ms: 7,
        };
        clock.set_offset(offset);
        assert_eq!(clock.clone().offset(), Some(offset));
        assert_eq!(clock.exchange_now(), Timestamp::from_ms(960));
        clock.forget_offset();
        assert_eq!(clock.offset(), None);
    }

    #[test]
    fn stamps_increase_within_one_millisecond_and_after_a_small_step_back() {
        let clock = Clock::manual(Timestamp::from_ms(10_000));
        let stamps = StampSource::new(clock.clone());
        let mut given = vec![stamps.next().ms, stamps.clone().next().ms];
        clock.set_offset(Offset {
            ms: -100,
            bound_ms: 1,
        });
        given.push(stamps.next().ms);
        assert_eq!(given, [10_000, 10_001, 10_002]);
    }

    #[test]
    fn stamps_fall_back_once_they_lead_by_more_than_the_bound() {
        let clock = Clock::manual(Timestamp::from_ms(10_000));
        let stamps = StampSource::new(clock.clone());
        clock.set_offset(Offset {
            ms: 60_000,
            bound_ms: 1,
        });
        assert_eq!(stamps.next().ms, 70_000);
        clock.set_offset(Offset { ms: 0, bound_ms: 1 });
        assert_eq!(
            stamps.next(),
            Stamp {
                ms: 10_000,
                fell_back: true
            }
        );
        assert_eq!(
            stamps.next(),
            Stamp {
                ms: 10_001,
                fell_back: false
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_of_a_paused_runtime_follows_it_and_never_steps_back() {
        let clock = Clock::of_runtime(Timestamp::from_ms(1_000));
        let wait = |ms| tokio::time::advance(std::time::Duration::from_millis(ms));
        assert_eq!(clock.now(), Timestamp::from_ms(1_000));
        wait(500).await;
        assert_eq!(clock.now(), Timestamp::from_ms(1_500));
        clock.advance_ms(-200);
        assert_eq!(clock.now(), Timestamp::from_ms(1_500), "it stands still");
        wait(300).await;
        assert_eq!(clock.now(), Timestamp::from_ms(1_600));
        clock.advance_ms(50);
        assert_eq!(clock.now(), Timestamp::from_ms(1_650));
    }

    #[test]
    fn a_running_clock_never_steps_back() {
        let clock = Clock::start();
        let mut last = clock.now();
        assert!(last > Timestamp::from_ms(1_500_000_000_000));
        for _ in 0..1_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        clock.advance_ms(3_600_000);
        assert!(clock.now().ms_since(last) < 3_600_000);
    }
}
