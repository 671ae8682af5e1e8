//! The system on one page: what every core can be told, and what it can ask for.
//!
//! ```text
//! MarketFeed -> OrderBook -> Strategy -> RiskGate -> OrderRouter -> (journal, exchange)
//!                       \-------------->/   ^            |  ^
//!                                           +-- orders --+  +-- snapshots -- Reconciler
//! ```
//!
//! Every enum is closed and matched by name, so that a new message shows all its places to the compiler.

use crate::answer::{
    BalanceRow, CancelReply, OrderRow, OwnTrade, PrivateEvent, SubmitOutcome, Transfer,
};
use crate::approved::Approved;
use crate::book::BookView;
use crate::budget::{ConnectPace, Spending};
use crate::decision::Decision;
use crate::feed::FeedLimits;
use crate::foreign::ForeignOrder;
use crate::hold::{Hold, Holds};
use crate::ids::{Asset, ClientId, OrderId, Symbol};
use crate::instrument::Instrument;
use crate::intent::{CancelReason, Intent, NewOrder, SilentReason, StrategyKind};
use crate::ledger::Place;
use crate::market::MarketEvent;
use crate::mode::{Contribution, Mode, ModeCode, Scope};
use crate::money::{Amount, Price, Qty};
use crate::order::{OrderView, Resolution};
use crate::record::Record;
use crate::risk::{Denial, Limits};
use crate::router::{ResolveRefusal, Unproven};
use crate::time::Timestamp;

// ---- MarketFeed ----

/// What the feed's driver reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedIn {
    /// The socket is open and upgraded.
    Connected,
    /// The socket is gone, or could not be opened.
    Disconnected,
    /// The handshake was refused with a status; `Disconnected` does not follow.
    Declined(Declined),
    /// How the stream may be tried from here on.
    Pace(ConnectPace),
    /// The operator's limits of the session changed.
    Limits(FeedLimits),
    /// The exchange's greeting.
    Version,
    /// A join, leave or login was answered.
    Ack {
        /// Accepted.
        ok: bool,
        /// As sent: `join|obdiff:BTCTRY`.
        text: String,
    },
    /// Public data.
    Market(MarketEvent),
    /// Private data.
    Private(PrivateEvent),
    /// A frame of a type that carries nothing for us.
    Ignored,
    /// A frame that could not be read.
    Unreadable,
    /// The book asks for a new full book of one pair.
    Resync(Symbol),
}

/// Why a handshake was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// 429 or 503; how long it asks to be left alone, milliseconds.
    Busy(Option<i64>),
    /// 503 with the exchange's name for maintenance.
    Maintenance,
}

/// A channel of the public stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Full book once, then differences.
    Diff,
    /// Full books on a beat.
    Book,
    /// Trades.
    Trade,
    /// Best prices on a beat.
    Ticker,
}

/// What the feed wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEffect {
    /// Open the socket.
    Connect,
    /// Close the socket.
    Close,
    /// Join a channel.
    Join(Channel, Symbol),
    /// Leave a channel.
    Leave(Channel, Symbol),
    /// Log in to the private stream.
    Login,
    /// Tell the book.
    Book(BookIn),
    /// Tell the router.
    Private(PrivateEvent),
    /// The private stream is up: the account must be looked at again.
    PrivateUp,
    /// Something to log and count.
    Note(FeedNote),
}

/// Events of a session worth a log line and a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedNote {
    /// A connection attempt starts; the number counts attempts of this process, and what it costs.
    Connecting(u32, Spending),
    /// The handshake was refused, so many times in a row.
    Declined(u32),
    /// The exchange says it is under maintenance.
    Maintenance,
    /// The session is up; the number counts sessions of this process.
    Up(u32),
    /// The session ended.
    Down(DownReason),
    /// A pair is joined anew.
    Resyncing(Symbol),
    /// A frame could not be read.
    Unreadable,
    /// A join or login was refused.
    Refused,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// The connection could not be made or broke.
    Disconnected,
    /// No application frame for too long.
    Idle,
    /// A join or a login was not answered in time.
    AckTimeout,
    /// Too many unreadable frames.
    Unreadable,
}

// ---- OrderBook ----

/// What the book hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookIn {
    /// A session began; every book is empty until its full book arrives.
    SessionUp(u32),
    /// The session ended; every book is untrusted at once.
    SessionDown,
    /// Public data of the session.
    Market(MarketEvent),
    /// One pair was joined anew: what is held no longer counts.
    Rejoined(Symbol),
}

/// What the book wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookEffect {
    /// Tell strategy and gate.
    View(BookView),
    /// Ask the feed for a new full book.
    Resync(Symbol),
}

// ---- Strategy ----

/// What the gate tells a strategy about one pair, whenever it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskView {
    /// The pair.
    pub symbol: Symbol,
    /// The mode that binds it.
    pub mode: Mode,
    /// Coins held.
    pub position: Qty,
    /// Average net cost of one coin, fees and tax of the buys included; `None` without a position.
    pub cost: Option<Price>,
    /// When the position was opened; `None` without a position.
    pub opened_at: Option<Timestamp>,
    /// Quote that may be spent, after reservations and the cash target.
    pub cash: Amount,
    /// Own orders of the pair that have not ended.
    pub orders: Vec<OrderView>,
    /// When the last round trip ended, or the last entry was accepted; for cooldowns.
    pub last_entry_at: Option<Timestamp>,
}

/// What a strategy hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StrategyIn {
    /// The market of one pair.
    Book(BookView),
    /// Its own situation on one pair.
    Desk(DeskView),
    /// Rules were read or changed.
    Rules(Instrument),
    /// A new cycle began.
    Cycle(u32),
}

/// What a strategy wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrategyEffect {
    /// An order.
    Intent(Intent),
    /// The end of an own order.
    Cancel(ClientId, CancelReason),
    /// Nothing, and why; sent when the reason of a pair changes and once a cycle.
    Silent(StrategyKind, Symbol, SilentReason),
}

// ---- RiskGate ----

/// What the gate hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RiskIn {
    /// The market of one pair.
    Book(BookView),
    /// A wish.
    Intent(Intent),
    /// The end of an own order is wanted; never refused.
    Cancel(ClientId, CancelReason),
    /// An own order changed.
    Order(OrderView),
    /// A trade of the account, already written down; booked once by construction.
    Fill(OwnTrade),
    /// The account's balances, as read at `asked_at`.
    Balances {
        /// When the request was sent.
        asked_at: Timestamp,
        /// All assets.
        rows: Vec<BalanceRow>,
    },
    /// Deposits and withdrawals as the exchange lists them; the balances of the same look follow.
    Transfers(Vec<Transfer>),
    /// An operator corrects the books.
    Adjust {
        /// Which asset.
        asset: Asset,
        /// Positive is added, negative taken off.
        amount: Amount,
        /// Why, in the operator's words.
        reason: String,
    },
    /// Every open order that is not ours.
    Foreign(Vec<ForeignOrder>),
    /// A pass over the whole account ended.
    Reconciled {
        /// Nothing failed and nothing is undecided.
        clean: bool,
    },
    /// Rules of one pair.
    Rules(Instrument),
    /// The exchange wants no orders before then: it has answered one with 429.
    SubmitsHeld(Timestamp),
    /// Somebody asks for a mode.
    Raise(ModeCode, Scope, Mode),
    /// Somebody no longer asks for a mode.
    Clear(ModeCode, Scope),
    /// An operator holds a pair or everything back; the pair's orders are taken back too.
    Hold(Box<Hold>),
    /// An operator lets a pair, or everything, go again.
    LetGo(Option<Symbol>),
    /// An operator has reset the kill switch: whoever asked for it no longer does.
    LiftKills,
    /// Which mode holds behind everything that was sent before this? The number comes back unchanged.
    Confirm(u64),
    /// A fresh instance knows nothing, and a panic has shut the gate: every desk and the mode are to be told again.
    Resend,
    /// The operator tightened limits.
    Limits(Box<Limits>),
}

/// What the gate wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum RiskEffect {
    /// Write down with the order's own record, never by itself: nothing waits for evidence.
    Decided(Box<Decision>),
    /// An order may be sent.
    Submit(Approved<NewOrder>),
    /// A cancel, handed on unchanged.
    Cancel(ClientId, CancelReason),
    /// An intent was denied.
    Denied(Denial),
    /// The answer to `RiskIn::Confirm`: its number, and the mode that holds.
    Confirmed(u64, Mode),
    /// Tell the strategy its situation.
    Desk(DeskView),
    /// Write down.
    Persist(Record),
    /// The mode changed.
    Mode(ModeReport),
    /// Money figures changed.
    Money(MoneyReport),
    /// The balances differ from the books: the next look must show deposits and withdrawals too.
    Explain,
    /// Something to log.
    Note(RiskNote),
}

/// Bookings worth a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiskNote {
    /// Coins were sold that never came in; they were opened at the price of the trade.
    InventoryAdjusted(Asset, Amount),
    /// A trade of this order was heard of later than it happened.
    LateFill(OrderId, Place),
    /// A deposit (positive) or a withdrawal was booked.
    Transferred(Asset, Amount),
    /// An operator's correction was booked.
    Adjusted(Asset, Amount),
}

/// The mode and all who ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeReport {
    /// The strictest global mode.
    pub mode: Mode,
    /// Every contribution.
    pub voices: Vec<Contribution>,
    /// What an operator holds back: the words behind some of them.
    pub holds: Holds,
}

/// How a pass over the account went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassReport {
    /// Every request succeeded.
    pub clean: bool,
    /// How long it took, milliseconds.
    pub took_ms: i64,
    /// When it ended.
    pub at: Timestamp,
}

/// The account in figures; all in the account's quote currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyReport {
    /// Cash, free and locked.
    pub cash: Amount,
    /// Cash and positions at their marks; `None` while something has no mark.
    pub equity: Option<Amount>,
    /// Equity now less equity at the day's start.
    pub day_pnl: Option<Amount>,
    /// From the highest equity, in basis points.
    pub drawdown_bps: i64,
    /// Worst-case exposure of all pairs.
    pub exposure: Amount,
    /// Worst-case exposure of each pair that can be valued.
    pub exposures: Vec<(Symbol, Amount)>,
    /// Fees and tax paid since the ledger began.
    pub fees: Amount,
    /// Fees and tax paid since the day's start; `None` before the first valuation.
    pub fees_today: Option<Amount>,
    /// Coins per pair: symbol, quantity, mark.
    pub positions: Vec<(Symbol, Qty, Option<Price>)>,
    /// Open orders that are not ours.
    pub foreign: Vec<ForeignOrder>,
    /// Every asset of the ledger, in full; equal to the exchange's balances once everything is settled.
    pub balances: Vec<(Asset, Amount)>,
    /// How much of each limit is used.
    pub used: LimitUse,
}

/// Shares of the limits that are used, in basis points: 10000 is all of it, and what cannot be valued counts as that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitUse {
    /// Loss since the day's start.
    pub day_loss: i64,
    /// Loss from the peak.
    pub drawdown: i64,
    /// Exposure of the pair that uses most of its limit.
    pub position: i64,
    /// Exposure of all pairs.
    pub gross_exposure: i64,
    /// Own orders that have not ended.
    pub open_orders: i64,
    /// Orders of the last minute.
    pub orders_per_minute: i64,
    /// Value of increasing orders of the last minute.
    pub notional_per_minute: i64,
}

// ---- OrderRouter ----

/// What the router hears.
#[derive(Debug, PartialEq, Eq)]
pub enum RouterIn {
    /// An approved order.
    Submit(Approved<NewOrder>),
    /// The record of this order is on disk.
    Durable(ClientId),
    /// What became of a submit.
    Outcome(ClientId, SubmitOutcome),
    /// A cancel is wanted.
    Cancel(ClientId, CancelReason),
    /// Every own order is to be cancelled.
    CancelAll(CancelReason),
    /// What a cancel was answered.
    CancelReply(ClientId, CancelReply),
    /// What the private stream says.
    Private(PrivateEvent),
    /// One order, as the exchange shows it now; `None` if it could not be read.
    Row(ClientId, Option<OrderRow>),
    /// The whole account, as read by the reconciler.
    Snapshot(Snapshot),
    /// The exchange's clock less ours, milliseconds.
    Offset(i64),
    /// The ledger was opened with the balances of this moment.
    Opened(Timestamp),
    /// An operator settles an order of unknown fate; answered by `RouterNote::Resolved` or `ResolveRefused`.
    Resolve {
        /// Which order.
        client_id: ClientId,
        /// As what.
        resolution: Resolution,
        /// The operator's words, for the journal.
        reason: String,
    },
}

/// What the router wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum RouterEffect {
    /// Write down; where an id stands beside, report `Durable` for it.
    Persist(Record, Option<ClientId>),
    /// Send this order once, before `stamp_max`.
    Send {
        /// The approval; spent by the port.
        order: Approved<NewOrder>,
        /// The latest stamp the request may carry.
        stamp_max: Timestamp,
    },
    /// Ask the exchange to cancel.
    Delete(ClientId, OrderId),
    /// Read one order.
    ReadRow(ClientId, OrderId),
    /// An own order changed.
    Order(OrderView),
    /// A trade to book.
    Fill(OwnTrade),
    /// Every open order that is not ours, whenever that changes.
    Foreign(Vec<ForeignOrder>),
    /// The account must be looked at soon; these pairs' histories since then included.
    LookUp(Vec<(Symbol, Timestamp)>),
    /// Raise a mode.
    Raise(ModeCode, Scope, Mode),
    /// No longer ask for a mode.
    Clear(ModeCode, Scope),
    /// Something to log and count.
    Note(RouterNote),
}

/// Surprises worth a log line and a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterNote {
    /// A trade was reported again; nothing was booked.
    DuplicateFill(OrderId),
    /// An order status or a message that fits nothing known; nothing was changed.
    Unmapped(OrderId),
    /// An order that was held never to have existed exists.
    Ghost(ClientId),
    /// An order of our account that the journal does not know.
    Adopted(ClientId),
    /// An open order of somebody else, told once.
    Foreign(OrderId),
    /// An unknown order was resolved, by proof or by the operator.
    Resolved(ClientId),
    /// A look at the account did not bring the proof of absence nearer, and why; told when the reason changes.
    Unproven(ClientId, Unproven),
    /// An operator's resolution was refused; nothing was changed or written down.
    ResolveRefused(ClientId, ResolveRefusal),
    /// A refusal for lack of funds waits for a look that does not show the order (X-06).
    RefusalDoubted(ClientId),
}

// ---- Reconciler ----

/// The whole account at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When the first request was sent; nothing younger is judged.
    pub asked_at: Timestamp,
    /// Open orders of all pairs.
    pub open: Vec<OrderRow>,
    /// Order histories: pair, since when, rows. Complete: every page was read.
    pub histories: Vec<(Symbol, Timestamp, Vec<OrderRow>)>,
    /// Trades since `trades_since`.
    pub trades: Vec<OwnTrade>,
    /// Start of the trades.
    pub trades_since: Timestamp,
}

/// One read of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadRequest {
    /// Open orders of all pairs.
    OpenOrders,
    /// Every order of a pair since then, all pages.
    History(Symbol, Timestamp),
    /// Own trades since then.
    Trades(Timestamp),
    /// Deposits and withdrawals since then.
    Transfers(Timestamp),
    /// Balances of all assets.
    Balances,
}

/// The answer to a read, with the request it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadReply {
    /// Open orders of all pairs.
    OpenOrders(Vec<OrderRow>),
    /// Orders of a pair.
    History(Symbol, Timestamp, Vec<OrderRow>),
    /// Own trades.
    Trades(Timestamp, Vec<OwnTrade>),
    /// Deposits and withdrawals.
    Transfers(Timestamp, Vec<Transfer>),
    /// Balances.
    Balances(Vec<BalanceRow>),
    /// The request failed, or its answer was cut: proves nothing.
    Failed(ReadRequest),
}

/// What the reconciler hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReconcileIn {
    /// A pass is wanted now, and no new risk until it is done (start, reconnect, operator).
    Now,
    /// The router needs to see these pairs' histories, soon.
    LookUp(Vec<(Symbol, Timestamp)>),
    /// The balances differ from the books: the next pass reads deposits and withdrawals too.
    Explain,
    /// Passes are this far apart from here on, milliseconds.
    Every(i64),
    /// An answer.
    Reply(ReadReply),
}

/// What the reconciler wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReconcileEffect {
    /// Ask the exchange.
    Read(ReadRequest),
    /// Something may have happened unseen: no new risk until a pass that began later is clean.
    Pending,
    /// Such a pass was clean, and nothing has come up since it began.
    Settled,
    /// Tell the router.
    Snapshot(Snapshot),
    /// Tell the gate the deposits and withdrawals; the balances of the same pass follow.
    Transfers(Vec<Transfer>),
    /// Tell the gate the balances.
    Balances {
        /// When the request was sent.
        asked_at: Timestamp,
        /// All assets.
        rows: Vec<BalanceRow>,
    },
    /// A pass ended.
    Done {
        /// Every request succeeded.
        clean: bool,
        /// How long it took, milliseconds.
        took_ms: i64,
    },
}
