//! What the exchange says, before anybody has put it into frames.

use super::Exchange;
use super::agenda::Due;
use crate::ledger::AccountIndex;
use crate::market::pair::PairIndex;
use crate::market::window::Window;
use crate::order::{Fill, Method, Order};
use engine::ids::OrderId;
use engine::market::{BookChannel, BookDiff, BookFull, Level, PublicTrade, Side};
use engine::money::{Price, Qty};
use engine::time::Timestamp;

/// Largest step of a book's change number from one frame to the next (docs/EXCHANGE.md 11.1).
const CHANGE_STEP_MAX: i64 = 9;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The visible window changed (432).
    BookDiff {
        /// The pair.
        pair: PairIndex,
        /// The change.
        diff: BookDiff,
    },
    /// The beat of the full book (431 on `orderbook`).
    BookFull {
        /// The pair.
        pair: PairIndex,
        /// The window.
        full: BookFull,
    },
    /// A trade (422).
    Trade {
        /// The pair.
        pair: PairIndex,
        /// The trade.
        trade: PublicTrade,
    },
    /// The beat of the ticker (402).
    Ticker(TickerRow),
    /// Something that one account is told.
    Private {
        /// Who.
        account: AccountIndex,
        /// What.
        event: PrivateEvent,
    },
}

/// A row of the ticker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickerRow {
    /// The pair.
    pub pair: PairIndex,
    /// When.
    pub at: Timestamp,
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// Last trade.
    pub last: Price,
    /// First price of the period.
    pub open: Price,
    /// Highest trade.
    pub high: Price,
    /// Lowest trade.
    pub low: Price,
    /// Traded base quantity.
    pub volume: Qty,
    /// Mean trade price by volume.
    pub average: Price,
}

/// What an account's stream says (docs/EXCHANGE.md 12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivateEvent {
    /// 451: an order is in the book.
    Inserted(OrderNote),
    /// 452: an order was taken out.
    Deleted(OrderNote),
    /// 441: an order matched.
    Matched {
        /// The fill.
        fill: Fill,
        /// The order's method.
        method: Method,
        /// The echoed client id.
        echo: Option<String>,
    },
    /// 423: a trade of the account.
    Traded {
        /// The fill.
        fill: Fill,
        /// The echoed client id.
        echo: Option<String>,
    },
    /// 201: balances of a pair changed.
    BalanceHint {
        /// The pair.
        pair: PairIndex,
    },
}

impl PrivateEvent {
    /// Returns the number of the message.
    pub const fn kind(&self) -> u16 {
        match self {
            Self::Inserted(_) => 451,
            Self::Deleted(_) => 452,
            Self::Matched { .. } => 441,
            Self::Traded { .. } => 423,
            Self::BalanceHint { .. } => 201,
        }
    }
}

/// An order as 451 and 452 show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderNote {
    /// The exchange's number.
    pub id: OrderId,
    /// The pair.
    pub pair: PairIndex,
    /// The side.
    pub side: Side,
    /// The method.
    pub method: Method,
    /// Limit price.
    pub price: Price,
    /// Ordered quantity.
    pub qty: Qty,
    /// What is left, or was left when the cancel was asked for.
    pub left: Qty,
    /// The echoed client id.
    pub echo: Option<String>,
}

impl OrderNote {
    pub(super) fn of(order: &Order, left: Qty) -> Self {
        Self {
            id: order.id,
            pair: order.pair,
            side: order.side,
            method: order.method,
            price: order.price,
            qty: order.qty(),
            left,
            echo: order.echo.clone(),
        }
    }
}

impl Exchange {
    /// Returns the full visible window of a pair, as a 431 shows it.
    pub fn book_full(&self, pair: PairIndex, channel: BookChannel) -> BookFull {
        let (window, change) = self.window(pair);
        BookFull {
            symbol: self.pairs[pair.0].symbol,
            channel,
            change,
            bids: window.bids.clone(),
            asks: window.asks.clone(),
        }
    }

    /// Publishes what changed in the visible window since the last time; change numbers rise and skip.
    pub(super) fn publish_book(&mut self, pair: PairIndex) {
        let venue = &mut self.venues[pair.0];
        let window = Window::of(&venue.book);
        let diff = venue.window.diff(&window);
        if diff.is_empty() {
            return;
        }
        venue.change += self.dice.between(1, CHANGE_STEP_MAX);
        venue.window = window;
        let diff = BookDiff {
            symbol: self.pairs[pair.0].symbol,
            change: venue.change,
            bids: diff.bids,
            asks: diff.asks,
        };
        self.events.push(Event::BookDiff { pair, diff });
    }

    /// Tells an account something, a little later; messages of one type keep their order.
    pub(super) fn tell(&mut self, account: AccountIndex, delay_ms: i64, event: PrivateEvent) {
        let key = (account, event.kind());
        let earliest = self.told.get(&key).copied().unwrap_or_default();
        let at = self.now.plus_ms(delay_ms).max(earliest);
        self.told.insert(key, at);
        self.agenda.add(at, Due::Tell { account, event });
    }

    pub(super) fn draw_private_delay(&mut self) -> i64 {
        self.profile.private_delay_ms.draw(&mut self.dice)
    }
}
