//! The simulated exchange on a thread of its own, with a pump of book frames and a count of the orders that reach it.

use actors::clock::Clock;
use engine::money::Amount;
use simulator::exchange::AccountSpec;
use simulator::market::pair::{Pair, PairIndex};
use simulator::profile::Profile;
use simulator::server::{RequestLog, Server};
use simulator::venue::{EXAMPLE_KEY, EXAMPLE_SECRET, Member, Traffic, VenueOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

/// Opening cash of the account.
const CASH: i64 = 1_000_000;
/// User number of the account.
const USER_ID: i64 = 200_005;
/// The pair that is traded and flooded.
const PAIR: PairIndex = PairIndex(0);
/// Quotas would refuse the orders of so many openings; they are proven elsewhere. A reader that is slow for a moment is
/// not cut: that would end the flood.
const SWITCHES: [&str; 2] = ["limits.enabled=false", "ws.send_buffer_bytes=16777216"];
/// Time between two strokes of the pump.
const STROKE: Duration = Duration::from_millis(2);
/// Frames of one stroke at most: what a stalled pump owes beyond this is never made up for.
const FRAMES_PER_STROKE_MAX: u64 = 1_000;
/// Microseconds of a second.
const US_PER_S: u64 = 1_000_000;
/// How the log marks a submit.
const SUBMIT: &[u8] = b"\"method\":\"POST\"";

/// How to reach it.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) rest_url: String,
    pub(super) ws_url: String,
    pub(super) key: String,
    /// An example of the exchange's documents, no secret of anybody.
    pub(super) secret: &'static str,
    pub(super) pair: Pair,
}

/// A running exchange; it ends when this is dropped.
pub(super) struct Exchange {
    server: Arc<Server>,
    rate: Arc<AtomicU64>,
    posts: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Counts the submits among the lines of the request log.
struct Posts(Arc<AtomicUsize>);

impl Write for Posts {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.windows(SUBMIT.len()).any(|part| part == SUBMIT) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Exchange {
    /// Starts one with an account that holds cash only.
    ///
    /// # Errors
    /// No port or no thread: text for people.
    pub(super) fn start(seed: u64, clock: Clock) -> Result<Self, String> {
        let mut profile = Profile::faithful();
        for switch in SWITCHES {
            profile.set(switch).map_err(|error| error.to_string())?;
        }
        let options = VenueOptions {
            seed,
            profile,
            members: vec![Member {
                spec: AccountSpec {
                    user_id: USER_ID,
                    deposits: vec![(super::quote(), Amount::from_whole(CASH))],
                },
                key: EXAMPLE_KEY.to_owned(),
                secret: EXAMPLE_SECRET.into(),
            }],
        };
        let (rate, posts) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let log = RequestLog::to(Posts(Arc::clone(&posts)));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let lever = Arc::clone(&rate);
        let thread = std::thread::spawn(move || serve(&options, log, lever, clock, stopped, &tell));
        Ok(Self {
            server: told.recv().map_err(|error| error.to_string())??,
            rate,
            posts,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn access(&self) -> Access {
        Access {
            rest_url: self.server.rest_url(),
            ws_url: self.server.ws_url(),
            key: EXAMPLE_KEY.to_owned(),
            secret: EXAMPLE_SECRET,
            pair: self
                .server
                .inspect(|venue| venue.exchange().pairs()[PAIR.0].clone()),
        }
    }

    /// Sets the pump: frames a second.
    pub(super) fn pump(&self, rate: u64) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    /// Returns how many submits have come.
    pub(super) fn posts(&self) -> usize {
        self.posts.load(Ordering::SeqCst)
    }

    /// Returns what went to the sockets.
    pub(super) fn traffic(&self) -> Traffic {
        self.server.inspect(|venue| venue.traffic())
    }

    /// Returns how many own orders rest.
    pub(super) fn open(&self) -> usize {
        self.server.inspect(|venue| {
            let orders = venue.exchange().orders();
            orders.filter(|order| order.state().is_open()).count()
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told already.
            let _ended = thread.join();
        }
    }
}

fn serve(
    options: &VenueOptions,
    log: RequestLog,
    rate: Arc<AtomicU64>,
    clock: Clock,
    stopped: oneshot::Receiver<()>,
    tell: &mpsc::Sender<Result<Arc<Server>, String>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Nobody waits any more only if the run has ended.
            let _told = tell.send(Err(error.to_string()));
            return;
        }
    };
    runtime.block_on(async {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let started = Server::start(loopback, options, log).await;
        let started = started.map(Arc::new).map_err(|error| error.to_string());
        let pumping = started
            .as_ref()
            .ok()
            .map(|server| tokio::spawn(strokes(Arc::clone(server), rate, clock)));
        let _told = tell.send(started);
        // An error means that the run has dropped its end: the sign to stop.
        let _stopped = stopped.await;
        if let Some(task) = pumping {
            task.abort();
        }
    });
}

/// Sends frames at the asked rate; the account of what is owed is kept in millionths of a frame.
async fn strokes(server: Arc<Server>, rate: Arc<AtomicU64>, clock: Clock) {
    let mut ticks = tokio::time::interval(STROKE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut owed) = (clock.now(), 0);
    loop {
        ticks.tick().await;
        let now = clock.now();
        let passed_us = u64::try_from(now.0 - last.0).unwrap_or(0);
        last = now;
        owed += rate.load(Ordering::Relaxed).saturating_mul(passed_us);
        owed = owed.min(FRAMES_PER_STROKE_MAX * US_PER_S);
        let due = owed / US_PER_S;
        if due > 0 {
            owed -= due * US_PER_S;
            server.inspect(|venue| venue.churn(&[PAIR], due));
        }
    }
}
