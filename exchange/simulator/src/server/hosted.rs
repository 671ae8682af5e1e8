//! A server on a thread of its own, for those who have no runtime, with a pump of book frames.
//!
//! It ends with its owner: dropping it stops the server and waits for the thread.

use super::{RequestLog, Server};
use crate::clock::Clock;
use crate::market::pair::PairIndex;
use crate::venue::VenueOptions;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

/// Time between two strokes of the pump.
const STROKE: Duration = Duration::from_millis(2);
/// Frames of one stroke at most: what a stalled pump owes beyond this is never made up for.
const FRAMES_PER_STROKE_MAX: u64 = 1_000;
/// Microseconds of a second.
const US_PER_S: u64 = 1_000_000;

/// The pump's lever, its counter and the pairs whose books it moves.
#[derive(Debug, Default)]
struct Pump {
    rate: AtomicU64,
    pumped: AtomicU64,
    pairs: Vec<PairIndex>,
}

/// A running server on a free port of loopback.
#[derive(Debug)]
pub struct Hosted {
    server: Arc<Server>,
    pump: Arc<Pump>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Hosted {
    /// Starts one without a pump.
    ///
    /// # Errors
    /// No port, no thread, or options that no server takes: text for people.
    pub fn start(options: VenueOptions, log: RequestLog) -> Result<Self, String> {
        Self::with_pump(options, log, &[])
    }

    /// Starts one whose pump moves the books of `pairs`, once it has a rate.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn with_pump(
        options: VenueOptions,
        log: RequestLog,
        pairs: &[PairIndex],
    ) -> Result<Self, String> {
        let pump = Arc::new(Pump {
            pairs: pairs.to_vec(),
            ..Pump::default()
        });
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let lever = Arc::clone(&pump);
        let thread = std::thread::spawn(move || serve(&options, log, lever, stopped, &tell));
        let started = told.recv().map_err(|error| error.to_string())?;
        Ok(Self {
            server: started?,
            pump,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Returns the server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Sets the pump: frames a second over all its pairs.
    pub fn pump(&self, rate: u64) {
        self.pump.rate.store(rate, Ordering::Relaxed);
    }

    /// Returns how many frames the pump has made.
    pub fn pumped(&self) -> u64 {
        self.pump.pumped.load(Ordering::Relaxed)
    }
}

impl Drop for Hosted {
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
    pump: Arc<Pump>,
    stopped: oneshot::Receiver<()>,
    tell: &mpsc::Sender<Result<Arc<Server>, String>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Nobody waits any more only if the owner has ended.
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
            .filter(|_| !pump.pairs.is_empty())
            .map(|server| tokio::spawn(strokes(Arc::clone(server), pump)));
        let _told = tell.send(started);
        // An error means that the owner has dropped its end: the sign to stop.
        let _stopped = stopped.await;
        if let Some(task) = pumping {
            task.abort();
        }
    });
}

/// Sends frames at the asked rate; the account of what is owed is kept in millionths of a frame.
async fn strokes(server: Arc<Server>, pump: Arc<Pump>) {
    let clock = Clock::start();
    let mut ticks = tokio::time::interval(STROKE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut owed) = (clock.now(), 0);
    loop {
        ticks.tick().await;
        let now = clock.now();
        let passed_us = u64::try_from(now.0 - last.0).unwrap_or(0);
        last = now;
        owed += pump.rate.load(Ordering::Relaxed).saturating_mul(passed_us);
        owed = owed.min(FRAMES_PER_STROKE_MAX * US_PER_S);
        let due = owed / US_PER_S;
        if due > 0 {
            owed -= due * US_PER_S;
            let made = server.inspect(|venue| venue.churn(&pump.pairs, due));
            pump.pumped.fetch_add(made, Ordering::Relaxed);
        }
    }
}
