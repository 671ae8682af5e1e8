//! The simulated exchange of a lane, on a thread of its own: sockets for the process, and the truth for the judge.

use super::weather::Weather;
use engine::ids::{Asset, OrderId};
use engine::money::{Amount, Qty};
use installation::bot::Sums;
use installation::place::Access;
use serde::Deserialize;
use simulator::exchange::AccountSpec;
use simulator::ledger::{AccountIndex, Balance};
use simulator::server::{Hosted, RequestLog};
use simulator::venue::{EXAMPLE_SECRET, Member, VenueOptions};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Opening cash of the account, in TRY.
const CASH_TRY: i64 = 1_000_000;
/// User number of the account.
const USER_ID: i64 = 200_003;
/// The only account.
const ACCOUNT: AccountIndex = AccountIndex(0);
/// How far back the exchange's balances are compared, milliseconds: what the process shows is a picture, taken once a
/// second, of what it learnt behind the exchange's own delays.
const LOOK_BACK_MS: i64 = 6_000;
/// Step of that comparison, milliseconds.
const LOOK_STEP_MS: i64 = 20;

/// A running exchange; it ends when this is dropped.
pub struct Exchange {
    hosted: Hosted,
    key: String,
    posts: Posts,
}

/// The submits in the request log, read as it grows.
struct Posts {
    path: PathBuf,
    read: u64,
    ids: Vec<String>,
}

/// What is read of a line of the request log.
#[derive(Deserialize)]
struct Line {
    method: String,
    client_id: Option<String>,
}

impl Exchange {
    /// Starts one with an account that holds cash only. One key may be used by one process on a machine, so each lane
    /// has its own.
    ///
    /// # Errors
    /// No port, no thread or no log: text for people.
    pub fn start(seed: u64, key: String, log: &Path) -> Result<Self, String> {
        let quote = Asset::parse("TRY").expect("a short name");
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
            profile: Weather::Calm.profile(),
            members: vec![member],
        };
        let requests = RequestLog::file(log).map_err(|error| error.to_string())?;
        Ok(Self {
            hosted: Hosted::start(options, requests)?,
            key,
            posts: Posts {
                path: log.to_owned(),
                read: 0,
                ids: Vec::new(),
            },
        })
    }

    /// Returns how to reach it directly.
    pub fn access(&self) -> Access<'_> {
        Access {
            addr: self.hosted.server().local_addr(),
            key: &self.key,
            secret: EXAMPLE_SECRET,
        }
    }

    /// Changes the weather at once.
    pub fn set(&self, weather: Weather) {
        let profile = weather.profile();
        self.hosted
            .server()
            .inspect(|venue| *venue.exchange_mut().profile_mut() = profile);
    }

    /// Returns the client ids of all submits that the log shows, one for each request.
    pub fn posted(&mut self) -> &[String] {
        self.posts.read_on();
        &self.posts.ids
    }

    /// Returns the client ids of all accepted orders, one for each order.
    pub fn accepted(&self) -> Vec<String> {
        self.hosted.server().inspect(|venue| {
            let counted = venue.exchange().submitted_client_ids();
            let times = |(id, count): (&str, u32)| {
                std::iter::repeat_n(id.to_owned(), usize::try_from(count).unwrap_or(usize::MAX))
            };
            counted.flat_map(times).collect()
        })
    }

    /// Returns the client ids of the orders that are open and at least so old.
    pub fn open(&self, age_ms: i64) -> Vec<String> {
        self.hosted.server().inspect(|venue| {
            let exchange = venue.exchange();
            let latest = exchange.now().plus_ms(-age_ms);
            let open = exchange.orders().filter(|order| order.state().is_open());
            open.filter(|order| order.accepted_at <= latest)
                .map(|order| order.client_id.clone())
                .collect()
        })
    }

    /// Returns the traded quantity by order.
    pub fn traded(&self) -> BTreeMap<OrderId, Qty> {
        self.hosted.server().inspect(|venue| {
            let mut traded = BTreeMap::new();
            for fill in venue.exchange().fills() {
                *traded.entry(fill.order_id).or_insert(Qty::ZERO) += fill.qty;
            }
            traded
        })
    }

    /// Returns the account as it is.
    pub fn balances(&self) -> Sums {
        self.hosted
            .server()
            .inspect(|venue| sums(venue.exchange().ledger().balances(ACCOUNT)))
    }

    /// Returns whether the account was ever, in the last seconds, what `is_it` recognises.
    pub fn was(&self, is_it: impl Fn(&Sums) -> bool) -> bool {
        self.hosted.server().inspect(|venue| {
            let exchange = venue.exchange();
            let back = (0..=LOOK_BACK_MS / LOOK_STEP_MS).map(|step| step * LOOK_STEP_MS);
            let mut moments = back.map(|ms| exchange.now().plus_ms(-ms));
            moments.any(|at| is_it(&sums(exchange.ledger().balances_at(ACCOUNT, at))))
        })
    }
}

fn sums(balances: &BTreeMap<Asset, Balance>) -> Sums {
    let total = |(asset, balance): (&Asset, &Balance)| (*asset, balance.total());
    balances.iter().map(total).collect()
}

impl Posts {
    /// Reads the lines that were written since the last time; a line that is being written waits.
    fn read_on(&mut self) {
        let Ok(mut file) = File::open(&self.path) else {
            return;
        };
        let mut text = String::new();
        if file.seek(SeekFrom::Start(self.read)).is_err() || file.read_to_string(&mut text).is_err()
        {
            return;
        }
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.read += u64::try_from(whole).expect("a file's length");
        for line in text[..whole].lines() {
            let line: Line = serde_json::from_str(line).expect("the log holds JSON lines");
            if line.method == "POST" {
                self.ids.extend(line.client_id);
            }
        }
    }
}
