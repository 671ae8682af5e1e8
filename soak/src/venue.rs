//! The simulated exchange on a thread of its own, with a pump of book frames: sockets for the process, and the truth
//! for the judge.

use crate::bot::Sums;
use crate::place::Access;
use crate::plan::calm;
use engine::ids::Asset;
use engine::money::Amount;
use simulator::clock::Clock;
use simulator::exchange::AccountSpec;
use simulator::ledger::AccountIndex;
use simulator::market::pair::PairIndex;
use simulator::profile::Profile;
use simulator::server::{RequestLog, Server};
use simulator::venue::{EXAMPLE_SECRET, Member, Traffic, VenueOptions};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

/// Opening cash of the account, in TRY.
const CASH_TRY: i64 = 1_000_000;
/// User number of the account.
const USER_ID: i64 = 200_004;
/// The only account.
const ACCOUNT: AccountIndex = AccountIndex(0);
/// The pairs of the strategy file, by their place at the exchange: BTCTRY, ETHTRY, SOLTRY.
pub const PAIRS: [PairIndex; 3] = [PairIndex(0), PairIndex(1), PairIndex(2)];
/// Time between two strokes of the pump.
const STROKE: Duration = Duration::from_millis(2);
/// Frames of one stroke at most: what a stalled pump owes beyond this is never made up for.
const FRAMES_PER_STROKE_MAX: u64 = 1_000;
/// Microseconds of a second.
const US_PER_S: u64 = 1_000_000;

/// The pump's lever and its counter.
#[derive(Debug, Default)]
struct Pump {
    rate: AtomicU64,
    pumped: AtomicU64,
}

/// A running exchange; it ends when this is dropped.
pub struct Exchange {
    server: Arc<Server>,
    pump: Arc<Pump>,
    key: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Exchange {
    /// Starts one with an account that holds cash only. One key may be used by one process on a machine, so each run
    /// has its own.
    ///
    /// # Errors
    /// No port or no thread: text for people.
    pub fn start(seed: u64) -> Result<Self, String> {
        let quote = Asset::parse("TRY").expect("a short name");
        let key = format!("{:08x}-0000-4000-8000-50a500000001", std::process::id());
        let member = Member {
            spec: AccountSpec {
                user_id: USER_ID,
                deposits: vec![(quote, Amount::from_whole(CASH_TRY))],
            },
            key: key.clone(),
            secret: EXAMPLE_SECRET.into(),
        };
        let options = VenueOptions {
            seed,
            profile: calm(),
            members: vec![member],
        };
        let pump = Arc::new(Pump::default());
        let lever = Arc::clone(&pump);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || serve(&options, lever, stopped, &tell));
        Ok(Self {
            server: told.recv().map_err(|error| error.to_string())??,
            pump,
            key,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Returns how to reach it.
    pub fn access(&self) -> Access {
        Access {
            rest_url: self.server.rest_url(),
            ws_url: self.server.ws_url(),
            key: self.key.clone(),
            secret: EXAMPLE_SECRET,
        }
    }

    /// Changes the switches at once.
    pub fn set(&self, profile: Profile) {
        self.server
            .inspect(|venue| *venue.exchange_mut().profile_mut() = profile);
    }

    /// Sets the pump: frames per second over all pairs.
    pub fn pump(&self, rate: u64) {
        self.pump.rate.store(rate, Ordering::Relaxed);
    }

    /// Returns how many frames the pump has made.
    pub fn pumped(&self) -> u64 {
        self.pump.pumped.load(Ordering::Relaxed)
    }

    /// Ends the crowd's trade: from here on only the process itself moves the market.
    pub fn quiet(&self) {
        self.server.inspect(|venue| {
            for index in 0..venue.exchange().pairs().len() {
                venue.exchange_mut().quiet(PairIndex(index));
            }
        });
    }

    /// Returns what went to the sockets.
    pub fn traffic(&self) -> Traffic {
        self.server.inspect(|venue| venue.traffic())
    }

    /// Returns the account as it is; what is zero is left out.
    pub fn balances(&self) -> Sums {
        self.server.inspect(|venue| {
            let balances = venue.exchange().ledger().balances(ACCOUNT);
            let totals = balances.iter().map(|(asset, one)| (*asset, one.total()));
            totals.filter(|(_, total)| *total != Amount::ZERO).collect()
        })
    }

    /// Returns best bid and ask of each pair of the strategy, as text.
    pub fn tops(&self) -> BTreeMap<String, Option<(String, String)>> {
        self.server.inspect(|venue| {
            let exchange = venue.exchange();
            let top = |pair: PairIndex| {
                let (window, _) = exchange.window(pair);
                let best = (window.bids.first()?.price, window.asks.first()?.price);
                Some((best.0.to_string(), best.1.to_string()))
            };
            let name = |pair: PairIndex| exchange.pairs()[pair.0].symbol.to_string();
            PAIRS.map(|pair| (name(pair), top(pair))).into()
        })
    }

    /// Returns the number of open orders, of accepted orders, of trades, and of client ids that were used again.
    pub fn figures(&self) -> Figures {
        self.server.inspect(|venue| {
            let exchange = venue.exchange();
            let open = exchange.orders().filter(|order| order.state().is_open());
            Figures {
                open: open.count(),
                accepted: exchange.submitted_client_ids().count(),
                fills: exchange.fills().count(),
                duplicates: exchange.duplicate_client_ids(),
            }
        })
    }
}

/// What the exchange has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Open orders.
    pub open: usize,
    /// Client ids of accepted orders.
    pub accepted: usize,
    /// Trades of the account.
    pub fills: usize,
    /// Orders accepted under a client id that had been used.
    pub duplicates: u64,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ended = thread.join();
        }
    }
}

fn serve(
    options: &VenueOptions,
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
            // Nobody waits any more only if the run has ended.
            let _told = tell.send(Err(error.to_string()));
            return;
        }
    };
    runtime.block_on(async {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let started = Server::start(loopback, options, RequestLog::none()).await;
        let started = started.map(Arc::new).map_err(|error| error.to_string());
        let pumping = started.as_ref().ok().map(|server| {
            let server = Arc::clone(server);
            tokio::spawn(strokes(server, pump))
        });
        let _told = tell.send(started);
        // An error means that the run has dropped its end: the sign to stop.
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
            let made = server.inspect(|venue| venue.churn(&PAIRS, due));
            pump.pumped.fetch_add(made, Ordering::Relaxed);
        }
    }
}
