//! The pure exchange: accounts, books, the crowd and the agenda of what happens when.
//!
//! Time and randomness come in as arguments; the same seed and the same calls give the same events, byte for byte
//! (C-67). Nothing here knows HTTP, WebSocket or JSON: `venue` puts those around it.

mod agenda;
mod churn;
mod entry;
mod events;
mod execute;
mod transfers;
mod views;

pub use entry::Accepted;
pub use events::{Event, OrderNote, PrivateEvent, TickerRow};
pub use transfers::{TRANSFERS_KEPT_MAX, TransferNote};
pub use views::OrderView;

use crate::fees::Fees;
use crate::judge::Prices;
use crate::ledger::{AccountIndex, Ledger};
use crate::market::book::Book;
use crate::market::crowd::Crowd;
use crate::market::pair::{Pair, PairIndex, pairs};
use crate::market::window::Window;
use crate::order::{Fill, Order};
use crate::profile::Profile;
use agenda::{Agenda, Due};
use engine::dice::Dice;
use engine::ids::{Asset, OrderId, TradeId};
use engine::market::{PublicTrade, Side};
use engine::money::{Amount, Price, Qty};
use engine::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// First order number; numbers rise over all pairs (docs/EXCHANGE.md 13.3).
const ORDER_ID_FIRST: i64 = 27_000_000_000;
/// First trade number: 19 digits.
const TRADE_ID_FIRST: i64 = 1_181_163_798_924_649_598;
/// First number of a transfer.
const TRANSFER_NUMBER_FIRST: i64 = 676_960;
/// Largest step from one trade number to the next.
const TRADE_ID_STEP_MAX: i64 = 900;
/// Public trades kept per pair; the oldest is dropped (docs/EXCHANGE.md 4.5: 50 are shown).
pub const TRADES_SHOWN: usize = 50;
/// Orders of accounts that are kept; beyond it the oldest finished one is forgotten.
pub const ORDERS_KEPT_MAX: usize = 100_000;
/// Fills of accounts that are kept; beyond it the oldest is forgotten.
pub const FILLS_KEPT_MAX: usize = 200_000;
/// Client ids whose submits are counted; later ones are not.
pub const CLIENT_IDS_COUNTED_MAX: usize = 1_000_000;
/// Virtual time that the market runs before the doors open, so that there are trades to show.
const WARM_UP_MS: i64 = 10_000;

/// An account and what it starts with. The secret is an example value, never one of the live exchange.
#[derive(Clone, Debug)]
pub struct AccountSpec {
    /// The exchange's number of the user.
    pub user_id: i64,
    /// What it holds at the start.
    pub deposits: Vec<(Asset, Amount)>,
}

impl AccountSpec {
    /// Returns an account with plenty of every currency.
    pub fn rich(user_id: i64) -> Self {
        let deposits = [
            ("TRY", 10_000_000),
            ("USDT", 1_000_000),
            ("BTC", 10),
            ("ETH", 100),
            ("SOL", 2_000),
            ("AAVE", 1_000),
        ];
        Self {
            user_id,
            deposits: deposits
                .iter()
                .map(|(asset, whole)| {
                    let asset = Asset::parse(asset).expect("the table holds short names");
                    (asset, Amount::from_whole(*whole))
                })
                .collect(),
        }
    }
}

/// One pair's moving parts.
#[derive(Debug)]
struct Venue {
    book: Book,
    crowd: Crowd,
    window: Window,
    change: i64,
    last: Price,
    trades: VecDeque<PublicTrade>,
    day: DayStats,
}

/// What the ticker tells of the time since the start.
#[derive(Clone, Copy, Debug)]
struct DayStats {
    open: Price,
    high: Price,
    low: Price,
    volume: Qty,
    value: Amount,
}

/// The whole exchange.
#[derive(Debug)]
pub struct Exchange {
    profile: Profile,
    fees: Fees,
    dice: Dice,
    now: Timestamp,
    pairs: Vec<Pair>,
    venues: Vec<Venue>,
    users: Vec<i64>,
    ledger: Ledger,
    orders: BTreeMap<OrderId, Order>,
    fills: VecDeque<Fill>,
    transfers: VecDeque<TransferNote>,
    transfer_number: i64,
    submits: BTreeMap<String, u32>,
    duplicate_client_ids: u64,
    order_id_next: i64,
    trade_id_next: i64,
    agenda: Agenda,
    told: BTreeMap<(AccountIndex, u16), Timestamp>,
    seen: BTreeMap<(AccountIndex, views::Shelf), Timestamp>,
    events: Vec<Event>,
}

impl Exchange {
    /// Opens an exchange at `start`. The crowd has traded for a while before, so there is something to see.
    pub fn new(seed: u64, profile: Profile, start: Timestamp, accounts: &[AccountSpec]) -> Self {
        let opened = start.plus_ms(-WARM_UP_MS);
        let mut ledger = Ledger::default();
        for account in accounts {
            ledger.open(opened, &account.deposits);
        }
        let pairs = pairs();
        let mut exchange = Self {
            fees: Fees::of(&profile),
            dice: Dice::new(seed),
            now: opened,
            venues: pairs
                .iter()
                .map(|pair| Venue::new(pair, profile.cs_start))
                .collect(),
            pairs,
            profile,
            users: accounts.iter().map(|account| account.user_id).collect(),
            ledger,
            orders: BTreeMap::new(),
            fills: VecDeque::new(),
            transfers: VecDeque::new(),
            transfer_number: TRANSFER_NUMBER_FIRST,
            submits: BTreeMap::new(),
            duplicate_client_ids: 0,
            order_id_next: ORDER_ID_FIRST,
            trade_id_next: TRADE_ID_FIRST,
            agenda: Agenda::default(),
            told: BTreeMap::new(),
            seen: BTreeMap::new(),
            events: Vec::new(),
        };
        exchange.open_doors();
        exchange.advance(start);
        exchange
    }

    /// Lets time pass up to `now` and returns everything that happened, in order.
    ///
    /// A `now` before the exchange's own time changes nothing.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Event> {
        self.run_until(now);
        std::mem::take(&mut self.events)
    }

    /// Ends the crowd's trade in a pair: its book stays as it is, and its beat stops.
    ///
    /// For a caller that looks at other pairs only; six crowds cost six times as much as one.
    pub fn quiet(&mut self, pair: PairIndex) {
        self.agenda.forget(pair);
    }

    /// Returns the exchange's time: the latest `now` it was given.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns when something is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.agenda.next_due()
    }

    /// Returns the switches.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Lends the switches for a change: it takes effect at once, except that fees stay those of the start.
    pub fn profile_mut(&mut self) -> &mut Profile {
        &mut self.profile
    }

    /// Returns the pairs.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Returns the place of a pair; underscores and case do not matter.
    pub fn find_pair(&self, text: &str) -> Option<PairIndex> {
        crate::judge::find_pair(&self.pairs, text)
    }

    /// Returns the exchange's number of an account's user.
    pub fn user_id(&self, account: AccountIndex) -> i64 {
        self.users[account.0]
    }

    /// Returns all money, as it is.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns every order of every account that is kept, by number.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// Returns one order.
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(&id)
    }

    /// Returns every fill of every account that is kept, oldest first.
    pub fn fills(&self) -> impl Iterator<Item = &Fill> {
        self.fills.iter()
    }

    /// Returns how many orders with this client id were accepted.
    pub fn submits(&self, client_id: &str) -> u32 {
        self.submits.get(client_id).copied().unwrap_or(0)
    }

    /// Returns every client id with the number of accepted orders that carried it.
    pub fn submitted_client_ids(&self) -> impl Iterator<Item = (&str, u32)> {
        self.submits.iter().map(|(id, count)| (id.as_str(), *count))
    }

    /// Returns how many orders were accepted with a client id that had been used before; the exchange takes them.
    pub fn duplicate_client_ids(&self) -> u64 {
        self.duplicate_client_ids
    }

    /// Returns the book of a pair.
    pub fn book(&self, pair: PairIndex) -> &Book {
        &self.venues[pair.0].book
    }

    /// Returns the visible window of a pair as it was last published, and its change number.
    pub fn window(&self, pair: PairIndex) -> (&Window, i64) {
        let venue = &self.venues[pair.0];
        (&venue.window, venue.change)
    }

    /// Returns the latest public trades of a pair, newest first.
    pub fn trades(&self, pair: PairIndex) -> impl Iterator<Item = &PublicTrade> {
        self.venues[pair.0].trades.iter()
    }

    /// Returns last trade, best bid and best ask.
    pub fn prices(&self, pair: PairIndex) -> Prices {
        let venue = &self.venues[pair.0];
        Prices {
            last: venue.last,
            bid: venue.book.best(Side::Buy),
            ask: venue.book.best(Side::Sell),
        }
    }

    /// Returns the ticker's row of a pair.
    pub fn ticker(&self, pair: PairIndex) -> TickerRow {
        let venue = &self.venues[pair.0];
        let best = |side| venue.book.levels(side, 1).first().copied();
        TickerRow {
            pair,
            at: self.now,
            bid: best(Side::Buy).unwrap_or_default(),
            ask: best(Side::Sell).unwrap_or_default(),
            last: venue.last,
            open: venue.day.open,
            high: venue.day.high,
            low: venue.day.low,
            volume: venue.day.volume,
            average: venue.day.average(),
        }
    }

    /// Schedules the first step of everything that repeats.
    fn open_doors(&mut self) {
        for index in 0..self.pairs.len() {
            let pair = PairIndex(index);
            self.agenda.add(self.now, Due::CrowdStep(pair));
            self.agenda
                .add(self.now.plus_ms(1_000), Due::CrowdTaker(pair));
            self.agenda.add(self.now, Due::BookBeat(pair));
        }
        self.agenda.add(self.now, Due::TickerBeat);
    }

    fn next_order_id(&mut self) -> OrderId {
        self.order_id_next += 1;
        OrderId(self.order_id_next)
    }

    fn next_trade_id(&mut self) -> TradeId {
        self.trade_id_next += self.dice.between(1, TRADE_ID_STEP_MAX);
        TradeId(self.trade_id_next)
    }
}

impl Venue {
    fn new(pair: &Pair, change: i64) -> Self {
        Self {
            book: Book::default(),
            crowd: Crowd::new(),
            window: Window::default(),
            change,
            last: pair.start,
            trades: VecDeque::new(),
            day: DayStats {
                open: pair.start,
                high: pair.start,
                low: pair.start,
                volume: Qty::ZERO,
                value: Amount::ZERO,
            },
        }
    }

    /// Notes a public trade for ticker and trade list.
    fn note_trade(&mut self, trade: PublicTrade) {
        self.last = trade.price;
        self.day.high = self.day.high.max(trade.price);
        self.day.low = self.day.low.min(trade.price);
        self.day.volume += trade.qty;
        self.day.value += trade.price.value(trade.qty);
        self.trades.push_front(trade);
        self.trades.truncate(TRADES_SHOWN);
    }
}

impl DayStats {
    /// Volume-weighted mean price, or the opening price before the first trade.
    fn average(&self) -> Price {
        let volume = i128::from(self.volume.units());
        let units = self.value.units().checked_div(volume);
        let units = units.and_then(|units| i64::try_from(units).ok());
        units.map_or(self.open, Price::from_units)
    }
}
