//! Bugs put in on purpose: a search that does not find them proves nothing.
//!
//! None is compiled into the engine: the world bends what the cores are told, or what they asked for, in the way the
//! bug would.

use serde::Serialize;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plant {
    /// An order leaves before its record is on disk.
    SendBeforeRecord,
    /// An order is sent again when its answer does not come.
    ResendOnTimeout,
    /// The router forgets ended orders at a restart.
    ForgetTombstones,
    /// A trade is booked twice.
    FillTwice,
    /// Only the first trade of an order counts.
    FillsByOrder,
    /// An unknown outcome is taken for a refusal.
    UnknownIsRejected,
    /// A reservation goes when the cancel is acknowledged.
    ReservationAtCancel,
    /// An acknowledged cancel ends the order.
    CancelAckIsTerminal,
    /// A restart does not read the last records.
    RecoverySkipsTail,
    /// The list's fees have the wrong sign.
    FeeSignLost,
    /// Stream and lists do not tell the router of orders it has no number for.
    ExistenceUntold,
    /// One look that does not show an order proves that it never was.
    AbsentByOneLook,
    /// After a restart trades are read from the restart on.
    TradesFromBoot,
    /// A killed process may trade again after a restart.
    KillForgotten,
    /// The gate's flag is set by a message, which waits in a mailbox.
    KillInMailbox,
    /// The gate is read when an order is handed over, and not again before its first byte.
    GateOncePerBatch,
    /// Differences are applied to a book of which no full one was seen since the join.
    DiffOnOldBook,
    /// A restart forgets how many orders the last minute has seen.
    PaceForgotten,
    /// A stream that opens forgives every failure before it.
    BackoffReset,
    /// Something is gone through in the order of a hash.
    HashOrder,
    /// The answer to an earlier look at the account is taken for that to a later one.
    StaleLook,
    /// A start writes the trade history of the records behind the checkpoint once more.
    HistoryTwice,
    /// The trade history is written with the checkpoints, and a crash loses what has come since.
    HistoryGap,
}

impl Plant {
    /// Every planted bug.
    pub const ALL: [Self; 23] = [
        Self::SendBeforeRecord,
        Self::ResendOnTimeout,
        Self::ForgetTombstones,
        Self::FillTwice,
        Self::FillsByOrder,
        Self::UnknownIsRejected,
        Self::ReservationAtCancel,
        Self::CancelAckIsTerminal,
        Self::RecoverySkipsTail,
        Self::FeeSignLost,
        Self::ExistenceUntold,
        Self::AbsentByOneLook,
        Self::TradesFromBoot,
        Self::KillForgotten,
        Self::KillInMailbox,
        Self::GateOncePerBatch,
        Self::DiffOnOldBook,
        Self::PaceForgotten,
        Self::BackoffReset,
        Self::HashOrder,
        Self::StaleLook,
        Self::HistoryTwice,
        Self::HistoryGap,
    ];

    /// Returns the stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendBeforeRecord => "send_before_record",
            Self::ResendOnTimeout => "resend_on_timeout",
            Self::ForgetTombstones => "forget_tombstones",
            Self::FillTwice => "fill_twice",
            Self::FillsByOrder => "fills_by_order",
            Self::UnknownIsRejected => "unknown_is_rejected",
            Self::ReservationAtCancel => "reservation_at_cancel",
            Self::CancelAckIsTerminal => "cancel_ack_is_terminal",
            Self::RecoverySkipsTail => "recovery_skips_tail",
            Self::FeeSignLost => "fee_sign_lost",
            Self::ExistenceUntold => "existence_untold",
            Self::AbsentByOneLook => "absent_by_one_look",
            Self::TradesFromBoot => "trades_from_boot",
            Self::KillForgotten => "kill_forgotten",
            Self::KillInMailbox => "kill_in_mailbox",
            Self::GateOncePerBatch => "gate_once_per_batch",
            Self::DiffOnOldBook => "diff_on_old_book",
            Self::PaceForgotten => "pace_forgotten",
            Self::BackoffReset => "backoff_reset",
            Self::HashOrder => "hash_order",
            Self::StaleLook => "stale_look",
            Self::HistoryTwice => "history_twice",
            Self::HistoryGap => "history_gap",
        }
    }
}
