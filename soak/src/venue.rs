//! The simulated exchange on a thread of its own, with a pump of book frames: sockets for the process, and the truth
//! for the judge.

use crate::plan::calm;
use engine::ids::Asset;
use engine::money::Amount;
use installation::bot::Sums;
use installation::place::Access;
use simulator::exchange::AccountSpec;
use simulator::ledger::AccountIndex;
use simulator::market::pair::PairIndex;
use simulator::profile::Profile;
use simulator::server::{Hosted, RequestLog};
use simulator::venue::{EXAMPLE_SECRET, Member, Traffic, VenueOptions};
use std::collections::BTreeMap;

/// Opening cash of the account, in TRY.
const CASH_TRY: i64 = 1_000_000;
/// User number of the account.
const USER_ID: i64 = 200_004;
/// The only account.
const ACCOUNT: AccountIndex = AccountIndex(0);
/// The pairs of the strategy file, by their place at the exchange: BTCTRY, ETHTRY, SOLTRY.
pub const PAIRS: [PairIndex; 3] = [PairIndex(0), PairIndex(1), PairIndex(2)];

/// A running exchange; it ends when this is dropped.
pub struct Exchange {
    hosted: Hosted,
    key: String,
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
        Ok(Self {
            hosted: Hosted::with_pump(options, RequestLog::none(), &PAIRS)?,
            key,
        })
    }

    /// Returns how to reach it.
    pub fn access(&self) -> Access<'_> {
        Access {
            addr: self.hosted.server().local_addr(),
            key: &self.key,
            secret: EXAMPLE_SECRET,
        }
    }

    /// Changes the switches at once.
    pub fn set(&self, profile: Profile) {
        self.hosted
            .server()
            .inspect(|venue| *venue.exchange_mut().profile_mut() = profile);
    }

    /// Sets the pump: frames per second over all pairs.
    pub fn pump(&self, rate: u64) {
        self.hosted.pump(rate);
    }

    /// Returns how many frames the pump has made.
    pub fn pumped(&self) -> u64 {
        self.hosted.pumped()
    }

    /// Ends the crowd's trade: from here on only the process itself moves the market.
    pub fn quiet(&self) {
        self.hosted.server().inspect(|venue| {
            for index in 0..venue.exchange().pairs().len() {
                venue.exchange_mut().quiet(PairIndex(index));
            }
        });
    }

    /// Returns what went to the sockets.
    pub fn traffic(&self) -> Traffic {
        self.hosted.server().inspect(|venue| venue.traffic())
    }

    /// Returns the account as it is; what is zero is left out.
    pub fn balances(&self) -> Sums {
        self.hosted.server().inspect(|venue| {
            let balances = venue.exchange().ledger().balances(ACCOUNT);
            let totals = balances.iter().map(|(asset, one)| (*asset, one.total()));
            totals.filter(|(_, total)| *total != Amount::ZERO).collect()
        })
    }

    /// Returns best bid and ask of each pair of the strategy, as text.
    pub fn tops(&self) -> BTreeMap<String, Option<(String, String)>> {
        self.hosted.server().inspect(|venue| {
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
        self.hosted.server().inspect(|venue| {
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
