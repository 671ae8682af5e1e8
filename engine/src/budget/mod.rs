//! What a day may cost in reconnects and in 429s, and what follows as it is spent.
//!
//! Opens no socket and reads no clock: it counts bad events that others report and answers with rungs. The one idea:
//! only a bad event spends, and neither a restart nor a stepped clock gives anything back.

mod breaker;
mod elapsed;
mod ladder;
mod memory;
mod ring;
#[cfg(test)]
mod tests;

pub use breaker::Breaker;
pub use ladder::{Finding, IN_A_ROW_KILL, Ladder};
pub use memory::Memory;
pub use ring::Ring;

use crate::mode::{Mode, ModeCode};
use crate::supervisor::ActorName;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Length of a budget, milliseconds.
pub const DAY_MS: i64 = 86_400_000;
/// The long window of a burn rate, milliseconds.
pub const HOUR_MS: i64 = 3_600_000;
/// The short window of a burn rate: it makes leaving quick, milliseconds.
pub const MINUTES_MS: i64 = 300_000;
/// Share of the day's budget that an hour may take before nothing new is risked: a quarter, which is burn 6.
const OBSERVE_SHARE: u32 = 4;
/// Share of the day's budget in an hour from which attempts are spaced wider: an eighth, which is burn 3.
const BACKOFF_SHARE: u32 = 8;
/// Short windows of a burn of 6 in one budget: 24 h / 5 min / 6.
const MINUTES_SHARE: u32 = 48;
/// Events in the long window below which no burn rate observes.
pub const EVENTS_MIN: u32 = 10;
/// Both windows must have been below half of what entered for this long before `OBSERVE_ONLY` is left, milliseconds.
pub const CALM_MS: i64 = 900_000;
/// A second 429 on a cancel within this time kills, milliseconds.
pub const CANCEL_THROTTLED_MS: i64 = 600_000;
/// Starts without an orderly end count within this time, milliseconds.
pub const BOOTS_MS: i64 = 600_000;
/// Starts in that time from which nothing new is risked.
pub const BOOTS_OBSERVE: usize = 4;
/// Starts in that time that kill: before systemd gives up on its eighth.
pub const BOOTS_KILL: usize = 5;
/// Wall clock and exchange may disagree by this much about a pause before it counts for nothing, milliseconds.
pub const CLOCKS_APART_MS: i64 = 60_000;

/// A budget of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sli {
    /// Attempts to open the stream beyond the first of a start.
    Reconnects,
    /// Answers 429.
    Throttled,
}

impl Sli {
    /// Every budget.
    pub const ALL: [Self; 2] = [Self::Reconnects, Self::Throttled];
}

/// How much a day may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Attempts to open the stream beyond the first of each start.
    pub reconnects_per_day: u32,
    /// Answers 429.
    pub throttled_per_day: u32,
    /// For drills on this machine: events are counted, and nothing follows from them or from repeated starts.
    pub is_lifted: bool,
}

impl BudgetLimits {
    const fn total(&self, sli: Sli) -> u32 {
        match sli {
            Sli::Reconnects => self.reconnects_per_day,
            Sli::Throttled => self.throttled_per_day,
        }
    }
}

/// Events in an hour that observe, for a budget of the day.
const fn observe_at(total: u32) -> u32 {
    let share = total.div_ceil(OBSERVE_SHARE);
    if share > EVENTS_MIN {
        share
    } else {
        EVENTS_MIN
    }
}

/// Events in an hour that widen the spacing.
const fn backoff_at(total: u32) -> u32 {
    let share = total.div_ceil(BACKOFF_SHARE);
    if share > EVENTS_MIN / 2 {
        share
    } else {
        EVENTS_MIN / 2
    }
}

/// Events in five minutes that an hour's burn needs beside it.
const fn minutes_at(total: u32) -> u32 {
    let share = total.div_ceil(MINUTES_SHARE);
    if share > 1 { share } else { 1 }
}

/// How far things have gone, mildest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Nothing is being repaired.
    #[default]
    Normal,
    /// Something ended or was refused, and is tried again.
    Restart,
    /// It goes on: attempts are spaced wider.
    Backoff,
    /// It burns: no new order until it has been calm for a while.
    Observe,
    /// Spent, or a hard trigger: only an operator ends this.
    Killed,
}

impl Rung {
    /// Every rung, mildest first.
    pub const ALL: [Self; 5] = [
        Self::Normal,
        Self::Restart,
        Self::Backoff,
        Self::Observe,
        Self::Killed,
    ];

    /// Returns the stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Restart => "restart",
            Self::Backoff => "backoff",
            Self::Observe => "observe_only",
            Self::Killed => "killed",
        }
    }

    /// Returns what the rung asks of the mode.
    pub const fn mode(self) -> Mode {
        match self {
            Self::Normal | Self::Restart | Self::Backoff => Mode::Normal,
            Self::Observe => Mode::ObserveOnly,
            Self::Killed => Mode::KillSwitch,
        }
    }
}

/// What stands on a rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The budget of reconnects.
    Reconnects,
    /// The budget of 429s.
    Throttled,
    /// The stream refused handshakes in a row.
    Handshakes,
    /// Cancels were answered 429.
    CancelThrottled,
    /// The exchange refused our credentials in a row.
    Credentials,
    /// Actors ended.
    Actors,
    /// Starts without an orderly end.
    Boots,
    /// The wall clock and the exchange disagree about how long the process was down.
    Downtime,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 8] = [
        Self::Reconnects,
        Self::Throttled,
        Self::Handshakes,
        Self::CancelThrottled,
        Self::Credentials,
        Self::Actors,
        Self::Boots,
        Self::Downtime,
    ];

    /// Returns the stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconnects => "reconnects",
            Self::Throttled => "throttled",
            Self::Handshakes => "handshakes",
            Self::CancelThrottled => "cancel_throttled",
            Self::Credentials => "credentials",
            Self::Actors => "actors",
            Self::Boots => "boots",
            Self::Downtime => "downtime",
        }
    }

    /// Returns the reason that the mode shows.
    pub const fn code(self) -> ModeCode {
        match self {
            Self::Reconnects => ModeCode::ReconnectBudget,
            Self::Throttled => ModeCode::ThrottledBudget,
            Self::Handshakes => ModeCode::HandshakesRefused,
            Self::CancelThrottled => ModeCode::CancelThrottled,
            Self::Credentials => ModeCode::CredentialsRejected,
            Self::Actors => ModeCode::ActorLost,
            Self::Boots => ModeCode::QuickBoots,
            Self::Downtime => ModeCode::DowntimeUnclear,
        }
    }

    const fn of(sli: Sli) -> Self {
        match sli {
            Sli::Reconnects => Self::Reconnects,
            Sli::Throttled => Self::Throttled,
        }
    }

    /// The budget behind the cause, where there is one.
    const fn sli(self) -> Option<Sli> {
        match self {
            Self::Reconnects => Some(Sli::Reconnects),
            Self::Throttled => Some(Sli::Throttled),
            Self::Handshakes
            | Self::CancelThrottled
            | Self::Credentials
            | Self::Actors
            | Self::Boots
            | Self::Downtime => None,
        }
    }

    /// Whether a drill on this machine lifts it.
    const fn is_liftable(self) -> bool {
        match self {
            Self::Reconnects
            | Self::Throttled
            | Self::Handshakes
            | Self::CancelThrottled
            | Self::Boots
            | Self::Downtime => true,
            Self::Credentials | Self::Actors => false,
        }
    }
}

/// One event that costs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spending {
    /// The stream is being connected for the first time of a start, or polled during declared maintenance: it counts
    /// toward the connects of a minute alone.
    Connect,
    /// The stream is being connected again.
    Reconnect,
    /// A 429.
    Throttled,
    /// A 429 on a cancel.
    CancelThrottled,
    /// An actor ended by itself.
    Ended(ActorName),
}

/// When something was spent, on three clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The budgets' own time, milliseconds: it runs while a process runs, and over a pause only as far as both other
    /// clocks agree.
    pub budget_ms: i64,
    /// Our wall clock.
    pub at: Timestamp,
    /// The exchange's clock, if it was known.
    pub exchange_at: Option<Timestamp>,
}

/// One cause and what it has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is counted.
    pub cause: Cause,
    /// The rung before.
    pub before: Rung,
    /// The rung from here on.
    pub after: Rung,
    /// Events that count: of a day for a budget.
    pub count: u32,
    /// Of those, in the last hour; budgets only.
    pub hour: u32,
    /// Of those, in the last five minutes; budgets only.
    pub minutes: u32,
    /// Events that kill.
    pub limit: u32,
}

/// How the stream may be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectPace {
    /// As configured.
    #[default]
    Usual,
    /// With twice the longest wait.
    Wide,
    /// With waits of up to five minutes: the rest of the budget is to outlast the fault.
    Slow,
    /// Once a minute, to see when the fault is over.
    Probe,
}

impl ConnectPace {
    /// Returns the pace that belongs to a rung of the reconnects.
    pub const fn of(rung: Rung) -> Self {
        match rung {
            Rung::Normal | Rung::Restart => Self::Usual,
            Rung::Backoff => Self::Wide,
            Rung::Observe => Self::Slow,
            Rung::Killed => Self::Probe,
        }
    }
}
