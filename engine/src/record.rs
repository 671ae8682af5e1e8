//! What is written down before it is acted on: the journal's records.
//!
//! Facts only; everything derivable is derived by replaying them in order. A variant is never changed once
//! released: a new form is a new variant, and old fixtures must still replay.

use crate::answer::{OwnTrade, SubmitOutcome, TransferId};
use crate::budget::{Spending, Stamp, Step};
use crate::decision::Decision;
use crate::hold::Hold;
use crate::ids::{Asset, ClientId, OrderId, Symbol};
use crate::intent::{CancelReason, NewOrder};
use crate::kill::{Kill, KillId};
use crate::money::{Amount, Price};
use crate::order::{OrderState, Resolution};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One durable fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A process started; raises the epoch before any socket opens.
    Boot {
        /// Counts starts of this state.
        epoch: u32,
        /// When.
        at: Timestamp,
    },
    /// What an order was approved on; evidence, written no later than `Sending` and folded by nobody.
    Decided(Box<Decision>),
    /// An approved order, written before its first byte leaves.
    Sending {
        /// The whole order.
        order: NewOrder,
        /// The latest stamp its request may carry, in exchange time.
        stamp_max: Timestamp,
    },
    /// What became of a submit.
    Outcome {
        /// Which order.
        client_id: ClientId,
        /// The answer.
        outcome: SubmitOutcome,
        /// When.
        at: Timestamp,
    },
    /// The exchange's number of an order was learnt otherwise than from its answer.
    Adopted {
        /// Which order.
        client_id: ClientId,
        /// The number.
        order_id: OrderId,
        /// When.
        at: Timestamp,
    },
    /// A cancel was asked for; written beside the request, never before it.
    CancelAsked {
        /// Which order.
        client_id: ClientId,
        /// Why.
        reason: CancelReason,
        /// When.
        at: Timestamp,
    },
    /// A trade of the account that the ledger books, once.
    Fill(OwnTrade),
    /// An order ended by proof.
    Ended {
        /// Which order.
        client_id: ClientId,
        /// How.
        state: OrderState,
        /// When.
        at: Timestamp,
    },
    /// An operator settled an order of unknown fate; written before it takes effect.
    Resolved {
        /// Which order.
        client_id: ClientId,
        /// As what.
        resolution: Resolution,
        /// The operator's words.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// An asset was in the account before the first trade we saw, or came from elsewhere.
    Opening {
        /// Which asset.
        asset: Asset,
        /// How much.
        amount: Amount,
        /// Value of one unit in the account's quote at that moment; absent for the quote itself.
        price: Option<Price>,
        /// When.
        at: Timestamp,
    },
    /// A deposit or a withdrawal that the balances have confirmed, booked once.
    Transfer {
        /// Which one.
        id: TransferId,
        /// What was moved.
        asset: Asset,
        /// Positive came in, negative went out.
        amount: Amount,
        /// Value of one unit in the account's quote at that moment; absent for the quote itself, and where nobody
        /// knows it.
        price: Option<Price>,
        /// Equity in quote just before, for the figures that cash flows must not move; absent if it was unknown.
        equity: Option<Amount>,
        /// The exchange's stamp.
        at: Timestamp,
    },
    /// What an operator has corrected in the books.
    Adjustment {
        /// Which asset.
        asset: Asset,
        /// Positive was added, negative taken off.
        amount: Amount,
        /// Value of one unit, as for a transfer.
        price: Option<Price>,
        /// Equity just before, as for a transfer.
        equity: Option<Amount>,
        /// Why, in the operator's words.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Equity at the first valuation of a UTC day, and the highest equity so far, both as if the transfers up to this
    /// record had been there before.
    DayStart {
        /// Number of the day since 1970.
        day: i64,
        /// Equity in quote.
        equity: Amount,
        /// Highest equity ever valued, in quote.
        peak: Amount,
    },
    /// An operator switched safe mode.
    SafeMode {
        /// On or off.
        on: bool,
        /// When.
        at: Timestamp,
    },
    /// An operator holds a pair or everything back; in place of an earlier hold of the same reach.
    Held(Hold),
    /// An operator ended a hold; written before it acts.
    LetGo {
        /// The pair that was frozen; `None` is the hold of everything.
        symbol: Option<Symbol>,
        /// The operator's words.
        reason: String,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The kill switch was tripped; it stays so until a reset names this trip.
    Kill(Kill),
    /// An operator reset the kill switch; written before it acts.
    Reset {
        /// The trip that it ends; a later one stays.
        id: KillId,
        /// The operator's words.
        reason: String,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// An operator asked for a change over the control socket. For people: no core reads it.
    Audit {
        /// User of the process that asked.
        uid: u32,
        /// That process, as the kernel saw it; it may have ended since.
        pid: Option<i32>,
        /// The command with its arguments.
        what: String,
        /// Why, in the operator's words.
        reason: String,
        /// What came of it.
        result: String,
        /// When.
        at: Timestamp,
    },
    /// The state was brought back: it may be older than the account. Safe mode is on until an operator ends it.
    Restored {
        /// Out of what.
        from: RestoredFrom,
        /// The operator's words.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// The whole account was seen, and everything the look showed is on record before this.
    Looked {
        /// When the look began.
        asked_at: Timestamp,
        /// Every trade dated before, on the exchange's clock, has been listed and booked.
        trades_before: Timestamp,
    },
    /// Something was spent of a budget of the day, or of the connects of a minute.
    Spent {
        /// What.
        what: Spending,
        /// When, on three clocks.
        stamp: Stamp,
    },
    /// A cause went up or down the ladder.
    Stepped {
        /// From where to where, with the figures.
        step: Step,
        /// When, on three clocks.
        stamp: Stamp,
    },
    /// The process ended in an orderly way.
    Stop {
        /// When.
        at: Timestamp,
        /// Own orders that were left open or unknown.
        leftovers: u32,
    },
}

/// Out of what a state was brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoredFrom {
    /// A backup: whatever happened after it is not known here.
    Backup,
    /// The exchange's lists: open orders are known, what was behind them is lost.
    Exchange,
}
