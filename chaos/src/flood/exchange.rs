//! The simulated exchange on a thread of its own, with a pump of book frames and the log of what reaches it.

use engine::money::Amount;
use serde::Deserialize;
use simulator::exchange::AccountSpec;
use simulator::market::pair::{Pair, PairIndex};
use simulator::profile::Profile;
use simulator::server::{Hosted, RequestLog};
use simulator::venue::{EXAMPLE_KEY, EXAMPLE_SECRET, Member, Traffic, Venue, VenueOptions};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Opening cash of the account.
const CASH: i64 = 1_000_000;
/// User number of the account.
const USER_ID: i64 = 200_005;
/// The pair that is traded and flooded.
const PAIR: PairIndex = PairIndex(0);
/// Quotas would refuse the orders of so many openings; they are proven elsewhere. A reader that is slow for a moment is
/// not cut: that would end the flood.
const SWITCHES: [&str; 2] = ["limits.enabled=false", "ws.send_buffer_bytes=16777216"];
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
    hosted: Hosted,
    lines: Arc<Mutex<Vec<Line>>>,
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
    pub(crate) fn start(seed: u64) -> Result<Self, String> {
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
        let lines = Arc::<Mutex<Vec<Line>>>::default();
        let log = RequestLog::to(Lines(Arc::clone(&lines)));
        Ok(Self {
            hosted: Hosted::with_pump(options, log, &[PAIR])?,
            lines,
        })
    }

    pub(crate) fn access(&self) -> Access {
        Access {
            rest_url: self.hosted.server().rest_url(),
            ws_url: self.hosted.server().ws_url(),
            key: EXAMPLE_KEY.to_owned(),
            secret: EXAMPLE_SECRET,
            pair: self
                .hosted
                .server()
                .inspect(|venue| venue.exchange().pairs()[PAIR.0].clone()),
        }
    }

    /// Sets the pump: frames a second.
    pub(crate) fn pump(&self, rate: u64) {
        self.hosted.pump(rate);
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
        self.hosted.server().inspect(looked)
    }

    /// Replaces the faults.
    ///
    /// # Errors
    /// A switch that does not exist: text for people.
    pub(crate) fn set(&self, switches: &[&str]) -> Result<(), String> {
        let profile = profile(switches)?;
        self.hosted
            .server()
            .inspect(|venue| *venue.exchange_mut().profile_mut() = profile);
        Ok(())
    }

    /// Returns what went to the sockets.
    pub(crate) fn traffic(&self) -> Traffic {
        self.hosted.server().inspect(|venue| venue.traffic())
    }

    /// Returns how many own orders rest.
    pub(crate) fn open(&self) -> usize {
        self.hosted.server().inspect(|venue| {
            let orders = venue.exchange().orders();
            orders.filter(|order| order.state().is_open()).count()
        })
    }
}

fn profile(switches: &[&str]) -> Result<Profile, String> {
    let mut profile = Profile::faithful();
    for switch in SWITCHES.iter().chain(switches) {
        profile.set(switch).map_err(|error| error.to_string())?;
    }
    Ok(profile)
}
