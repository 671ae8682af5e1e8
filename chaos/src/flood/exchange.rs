//! The simulated exchange on a thread of its own, with a pump of book frames and the log of what reaches it.

use actors::clock::Clock;
use engine::money::Amount;
use serde::Deserialize;
use simulator::exchange::AccountSpec;
use simulator::market::pair::{Pair, PairIndex};
use simulator::profile::Profile;
use simulator::server::{RequestLog, Server};
use simulator::venue::{EXAMPLE_KEY, EXAMPLE_SECRET, Member, Traffic, Venue, VenueOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
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
/// How the log calls a submit.
const SUBMIT: &str = "POST";

/// How to reach it.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) rest_url: String,
    pub(crate) ws_url: String,
    pub(crate) key: String,
    /// An example of the exchange's documents, no secret of anybody.
    pub(crate) secret: &'static str,
    pub(crate) pair: Pair,
}

/// A running exchange; it ends when this is dropped.
pub(crate) struct Exchange {
    server: Arc<Server>,
    rate: Arc<AtomicU64>,
    lines: Arc<Mutex<Vec<Line>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A request, as the exchange's log tells it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) ts_ms: i64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u16,
}

/// Keeps the lines of the request log.
struct Lines(Arc<Mutex<Vec<Line>>>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let told = serde_json::from_slice(line).map_err(io::Error::other)?;
        kept(&self.0).push(told);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn kept(lines: &Mutex<Vec<Line>>) -> MutexGuard<'_, Vec<Line>> {
    // A push leaves the list whole even if its thread ends.
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exchange {
    /// Starts one with an account that holds cash only.
    ///
    /// # Errors
    /// No port or no thread: text for people.
    pub(crate) fn start(seed: u64, clock: Clock) -> Result<Self, String> {
        let options = VenueOptions {
            seed,
            profile: profile(&[])?,
            members: vec![Member {
                spec: AccountSpec {
                    user_id: USER_ID,
                    deposits: vec![(super::quote(), Amount::from_whole(CASH))],
                },
                key: EXAMPLE_KEY.to_owned(),
                secret: EXAMPLE_SECRET.into(),
            }],
        };
        let (rate, lines) = (
            Arc::new(AtomicU64::new(0)),
            Arc::<Mutex<Vec<Line>>>::default(),
        );
        let log = RequestLog::to(Lines(Arc::clone(&lines)));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let lever = Arc::clone(&rate);
        let thread = std::thread::spawn(move || serve(&options, log, lever, clock, stopped, &tell));
        Ok(Self {
            server: told.recv().map_err(|error| error.to_string())??,
            rate,
            lines,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn access(&self) -> Access {
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
    pub(crate) fn pump(&self, rate: u64) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    /// Returns how many submits have come.
    pub(crate) fn posts(&self) -> usize {
        let lines = kept(&self.lines);
        lines.iter().filter(|line| line.method == SUBMIT).count()
    }

    /// Returns every request, in its order.
    pub(crate) fn lines(&self) -> Vec<Line> {
        kept(&self.lines).clone()
    }

    /// Returns how many orders came with a client id that had been used.
    pub(crate) fn duplicates(&self) -> u64 {
        let looked = |venue: &mut Venue| venue.exchange().duplicate_client_ids();
        self.server.inspect(looked)
    }

    /// Replaces the faults.
    ///
    /// # Errors
    /// A switch that does not exist: text for people.
    pub(crate) fn set(&self, switches: &[&str]) -> Result<(), String> {
        let profile = profile(switches)?;
        self.server
            .inspect(|venue| *venue.exchange_mut().profile_mut() = profile);
        Ok(())
    }

    /// Returns what went to the sockets.
    pub(crate) fn traffic(&self) -> Traffic {
        self.server.inspect(|venue| venue.traffic())
    }

    /// Returns how many own orders rest.
    pub(crate) fn open(&self) -> usize {
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

fn profile(switches: &[&str]) -> Result<Profile, String> {
    let mut profile = Profile::faithful();
    for switch in SWITCHES.iter().chain(switches) {
        profile.set(switch).map_err(|error| error.to_string())?;
    }
    Ok(profile)
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
