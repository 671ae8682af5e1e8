//! What the actors report, by subject.
//!
//! Only shapes. The one idea: the cut follows who listens to what, so that a listener names a subject that does not
//! concern it once, and still names each report of one that does.

use engine::answer::{CancelReply, OwnTrade};
use engine::book::BookView;
use engine::budget::Step;
use engine::ids::{ClientId, Symbol};
use engine::intent::{Intent, NewOrder, SilentReason, StrategyKind};
use engine::kill::{Kill, KillId};
use engine::msg::{FeedNote, ModeReport, MoneyReport, PassReport, RiskNote, RouterNote};
use engine::order::OrderView;
use engine::risk::{Denial, Limits};
use engine::supervisor::ActorName;
use engine::time::Timestamp;

/// What the actors report.
#[derive(Clone, Debug)]
pub enum Observed {
    /// What comes from the stream.
    Market(Market),
    /// What a book led to, up to the approval.
    Decision(Decision),
    /// An own order changed.
    Order(OrderView),
    /// A trade was booked.
    Fill(OwnTrade),
    /// A request about an order, and its times.
    Call(Call),
    /// How the engine and its account stand.
    Standing(Standing),
    /// What keeps the process going and what went wrong in it.
    Process(Process),
}

/// What comes from the stream.
#[derive(Clone, Debug)]
pub enum Market {
    /// The feed's session.
    Feed(FeedNote),
    /// Frames read since the last report.
    Frames(u64),
    /// The market of a pair.
    Book(BookView),
}

/// What a book led to, up to the approval.
#[derive(Clone, Debug)]
pub enum Decision {
    /// An intent was made.
    Intent(Intent),
    /// An intent was handed to the gate, this many microseconds after its strategy received the book.
    IntentOut(i64),
    /// A strategy asks for nothing.
    Silent(StrategyKind, Symbol, SilentReason),
    /// The gate denied.
    Denied(Denial),
    /// The router received an approval then; the order's record is on its way to the disk.
    Reserved(NewOrder, Timestamp),
}

/// A request about an order, and its times.
#[derive(Clone, Debug)]
pub enum Call {
    /// An order's request left, this many microseconds after its strategy received the book.
    SubmitSent(i64),
    /// A submit was answered by the port: order, milliseconds from hand-over, HTTP status.
    SubmitAnswered(ClientId, i64, Option<u16>),
    /// A submit has its outcome after this many milliseconds, the journal's commit included.
    SubmitTook(ClientId, i64),
    /// A cancel was sent.
    CancelSent(ClientId),
    /// A cancel was answered after this many milliseconds.
    CancelAnswered(ClientId, CancelReply, i64),
}

/// How the engine and its account stand.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The mode.
    Mode(ModeReport),
    /// The kill switch was tripped and is latched.
    Killed(Kill),
    /// The trip was reset; the process is disarmed.
    KillReset(KillId),
    /// The account.
    Money(MoneyReport),
}

/// What keeps the process going and what went wrong in it: for log, figures and picture only.
#[derive(Clone, Debug)]
pub enum Process {
    /// A surprise of the router.
    Router(RouterNote),
    /// A booking of the gate that is out of the ordinary.
    Gate(RiskNote),
    /// A pass over the account ended.
    Pass(PassReport),
    /// The exchange's clock less ours, milliseconds; `None` while unknown.
    Offset(Option<i64>),
    /// Where a cause stands on the ladder; a step where the rungs differ.
    Ladder(Step),
    /// A durable commit ended.
    Committed,
    /// Limits in force from here on.
    Limits(Box<Limits>),
    /// An operator asked for something, or a signal did.
    Asked(Asked),
    /// An actor was restarted.
    Restarted(ActorName),
    /// A link did not take a message.
    LinkTrouble(&'static str, &'static str),
}

/// What a person asked of the process.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The command, such as `safe-mode on`.
    pub what: String,
    /// Who: a user, or a signal.
    pub by: String,
    /// Why, in the operator's words; may be empty.
    pub reason: String,
    /// What came of it.
    pub result: String,
}

/// A report is made with its subject alone: no two subjects share a type.
macro_rules! subjects {
    ($($subject:ident),+) => {
        $(impl From<$subject> for Observed {
            fn from(report: $subject) -> Self {
                Self::$subject(report)
            }
        })+
    };
}

subjects!(Market, Decision, Call, Standing, Process);
