//! What happens when: a queue ordered by time, then by the order of adding.
//!
//! The exchange has no timers; whoever drives it asks when something is due and says when that time has come.

use super::Exchange;
use super::events::{Event, PrivateEvent};
use crate::ledger::AccountIndex;
use crate::market::pair::PairIndex;
use engine::ids::{Asset, OrderId};
use engine::money::{Amount, Qty};
use engine::time::Timestamp;
use std::collections::BTreeMap;

/// Time from one step of a pair's makers to the next, in milliseconds.
const CROWD_STEP_MS: (i64, i64) = (180, 420);
/// Time from one taker of a pair to the next, in milliseconds.
const CROWD_TAKER_MS: (i64, i64) = (150, 700);
/// Entries that may wait; far above what accounts under their quotas can cause.
pub const AGENDA_MAX: usize = 1_000_000;

/// Something that is due.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// The makers of a pair follow their mid.
    CrowdStep(PairIndex),
    /// Somebody takes.
    CrowdTaker(PairIndex),
    /// 431 on the `orderbook` channel.
    BookBeat(PairIndex),
    /// 402 of every pair.
    TickerBeat,
    /// An accepted order reaches the book.
    Insert(OrderId),
    /// A cancel reaches the engine.
    Cancel {
        /// The order.
        id: OrderId,
        /// What was left when the cancel was asked for.
        left: Qty,
    },
    /// What a fill brought can be spent.
    Settle {
        /// Whose money.
        account: AccountIndex,
        /// Which asset.
        asset: Asset,
        /// How much.
        amount: Amount,
    },
    /// An account is told.
    Tell {
        /// Who.
        account: AccountIndex,
        /// What.
        event: PrivateEvent,
    },
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BTreeMap<(Timestamp, u64), Due>,
    added: u64,
}

impl Agenda {
    /// Adds an entry.
    ///
    /// # Panics
    /// At `AGENDA_MAX`: the quotas that bound it are broken.
    pub(super) fn add(&mut self, at: Timestamp, due: Due) {
        assert!(
            self.entries.len() < AGENDA_MAX,
            "the agenda is bounded by quotas"
        );
        self.added += 1;
        self.entries.insert((at, self.added), due);
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    /// Drops what repeats for a pair.
    pub(super) fn forget(&mut self, gone: PairIndex) {
        self.entries.retain(|_, due| match due {
            Due::CrowdStep(pair) | Due::CrowdTaker(pair) | Due::BookBeat(pair) => *pair != gone,
            Due::TickerBeat
            | Due::Insert(_)
            | Due::Cancel { .. }
            | Due::Settle { .. }
            | Due::Tell { .. } => true,
        });
    }

    fn pop_until(&mut self, now: Timestamp) -> Option<(Timestamp, Due)> {
        let entry = self.entries.first_entry()?;
        let at = entry.key().0;
        (at <= now).then(|| (at, entry.remove()))
    }
}

impl Exchange {
    /// Carries out everything that is due up to `now`.
    pub(super) fn run_until(&mut self, now: Timestamp) {
        while let Some((at, due)) = self.agenda.pop_until(now) {
            self.now = self.now.max(at);
            self.carry_out(due);
        }
        self.now = self.now.max(now);
    }

    fn carry_out(&mut self, due: Due) {
        match due {
            Due::CrowdStep(pair) => {
                self.crowd_step(pair);
                self.again(CROWD_STEP_MS, due);
            }
            Due::CrowdTaker(pair) => {
                self.crowd_taker(pair);
                self.again(CROWD_TAKER_MS, due);
            }
            Due::BookBeat(pair) => {
                let full = self.book_full(pair, engine::market::BookChannel::Periodic);
                self.events.push(Event::BookFull { pair, full });
                let every = self.profile.orderbook_interval_ms.max(1);
                self.again((every, every), due);
            }
            Due::TickerBeat => {
                for index in 0..self.pairs.len() {
                    let row = self.ticker(PairIndex(index));
                    self.events.push(Event::Ticker(row));
                }
                let every = self.profile.ticker_interval_ms.max(1);
                self.again((every, every), due);
            }
            Due::Insert(id) => self.insert(id),
            Due::Cancel { id, left } => self.cancel_due(id, left),
            Due::Settle {
                account,
                asset,
                amount,
            } => self.ledger.settle(account, asset, amount),
            Due::Tell { account, event } => self.events.push(Event::Private { account, event }),
        }
    }

    fn again(&mut self, (low, high): (i64, i64), due: Due) {
        let wait = self.dice.between(low, high);
        self.agenda.add(self.now.plus_ms(wait), due);
    }
}
