//! Modes from free to shut, and who asks for which.
//!
//! The effective mode is the strictest contribution. There is one computation: gate, log, metric and page
//! read the same value, each with the reason and the time since which it holds.

use crate::ids::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What may be decided, from free to shut; the order of the variants is the order of strictness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// All checks apply, nothing more.
    #[default]
    Normal,
    /// Only orders that reduce a position.
    ReduceRiskOnly,
    /// No order; cancels, reads and reconciling go on.
    ObserveOnly,
    /// No order, and every own order is cancelled.
    KillSwitch,
}

impl Mode {
    /// Every mode, from free to shut.
    pub const ALL: [Self; 4] = [
        Self::Normal,
        Self::ReduceRiskOnly,
        Self::ObserveOnly,
        Self::KillSwitch,
    ];

    /// Returns the name as it is shown everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::ReduceRiskOnly => "REDUCE_RISK_ONLY",
            Self::ObserveOnly => "OBSERVE_ONLY",
            Self::KillSwitch => "KILL_SWITCH",
        }
    }
}

/// Why a mode is asked for; stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModeCode {
    /// An operator's safe mode, by configuration or signal.
    OperatorSafeMode,
    /// An operator's kill, by command.
    OperatorKill,
    /// The configuration says `KILL_SWITCH=true`; it goes when the key goes, and latches nothing.
    ConfiguredKill,
    /// An operator holds a pair back.
    OperatorFreeze,
    /// An operator holds everything back for a while.
    OperatorDegrade,
    /// The file of the kill latch appeared, or cannot be read.
    KillLatchFile,
    /// A message of the order path could not be handed on.
    OrderPathBroken,
    /// A thread of the process stands still.
    ThreadStalled,
    /// The process itself was stopped for a while, and has not been judged since.
    ProcessSuspended,
    /// A data session is down, or too many books are untrusted.
    MarketDataUntrusted,
    /// One or more submits have an unknown outcome.
    UnknownOrders,
    /// No clean reconcile since the start.
    StartupReconcilePending,
    /// The account is being looked at after something may have happened unseen.
    ReconcileRunning,
    /// The last clean reconcile is too long ago.
    ReconcileLag,
    /// Orders that are not ours are open, and the operator wants them to freeze their pair.
    ForeignOrders,
    /// The account does not add up.
    BalanceDrift,
    /// The exchange's clock and ours differ too much, or the difference is not known.
    ClockSkew,
    /// The exchange refused our credentials repeatedly.
    CredentialsRejected,
    /// The key pair is older than the operator lets it get.
    SecretAgeExpired,
    /// The journal cannot take records.
    JournalError,
    /// The exchange did not repeat our client id.
    ClientIdEchoMismatch,
    /// The exchange gave an answer that our client or our route should never get.
    UnexpectedAnswer,
    /// An order that was held to be absent exists after all.
    GhostOrder,
    /// An order of ours exists that this journal cannot have sent: lost or rolled-back state, or a second engine.
    RecoveryRequired,
    /// The process before this one did not end in an orderly way, and what it sent may still be on its way.
    UncleanStop,
    /// The exchange shows more as filled than its trades account for.
    FillsPending,
    /// An actor ended too often.
    ActorLost,
    /// The stream was reconnected too often for the day's budget.
    ReconnectBudget,
    /// The exchange answered 429 too often for the day's budget.
    ThrottledBudget,
    /// The stream's handshake was refused several times in a row.
    HandshakesRefused,
    /// A cancel was answered 429.
    CancelThrottled,
    /// Too many starts in a row did not end in an orderly way.
    QuickBoots,
    /// The wall clock and the exchange disagree about how long the process was down.
    DowntimeUnclear,
    /// The process is stopping.
    Stopping,
}

impl ModeCode {
    /// Every code, in the order of the declaration.
    pub const ALL: [Self; 34] = [
        Self::OperatorSafeMode,
        Self::OperatorKill,
        Self::ConfiguredKill,
        Self::OperatorFreeze,
        Self::OperatorDegrade,
        Self::KillLatchFile,
        Self::OrderPathBroken,
        Self::ThreadStalled,
        Self::ProcessSuspended,
        Self::MarketDataUntrusted,
        Self::UnknownOrders,
        Self::StartupReconcilePending,
        Self::ReconcileRunning,
        Self::ReconcileLag,
        Self::ForeignOrders,
        Self::BalanceDrift,
        Self::ClockSkew,
        Self::CredentialsRejected,
        Self::SecretAgeExpired,
        Self::JournalError,
        Self::ClientIdEchoMismatch,
        Self::UnexpectedAnswer,
        Self::GhostOrder,
        Self::RecoveryRequired,
        Self::UncleanStop,
        Self::FillsPending,
        Self::ActorLost,
        Self::ReconnectBudget,
        Self::ThrottledBudget,
        Self::HandshakesRefused,
        Self::CancelThrottled,
        Self::QuickBoots,
        Self::DowntimeUnclear,
        Self::Stopping,
    ];

    /// Returns the code's own bit in a set of codes.
    pub const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// Returns the stable code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OperatorSafeMode => "operator_safe_mode",
            Self::OperatorKill => "operator_kill",
            Self::ConfiguredKill => "configured_kill",
            Self::OperatorFreeze => "operator_freeze",
            Self::OperatorDegrade => "operator_degrade",
            Self::KillLatchFile => "kill_latch_file",
            Self::OrderPathBroken => "order_path_broken",
            Self::ThreadStalled => "thread_stalled",
            Self::ProcessSuspended => "process_suspended",
            Self::MarketDataUntrusted => "market_data_untrusted",
            Self::UnknownOrders => "unknown_orders",
            Self::StartupReconcilePending => "startup_reconcile_pending",
            Self::ReconcileRunning => "reconcile_running",
            Self::ForeignOrders => "foreign_orders",
            Self::ReconcileLag => "reconcile_lag",
            Self::BalanceDrift => "balance_drift",
            Self::ClockSkew => "clock_skew",
            Self::CredentialsRejected => "credentials_rejected",
            Self::SecretAgeExpired => "secret_age_expired",
            Self::JournalError => "journal_error",
            Self::ClientIdEchoMismatch => "client_id_echo_mismatch",
            Self::UnexpectedAnswer => "unexpected_answer",
            Self::GhostOrder => "ghost_order",
            Self::RecoveryRequired => "recovery_required",
            Self::UncleanStop => "unclean_stop",
            Self::FillsPending => "fills_pending",
            Self::ActorLost => "actor_lost",
            Self::ReconnectBudget => "reconnect_budget",
            Self::ThrottledBudget => "throttled_budget",
            Self::HandshakesRefused => "handshakes_refused",
            Self::CancelThrottled => "cancel_throttled",
            Self::QuickBoots => "quick_boots",
            Self::DowntimeUnclear => "downtime_unclear",
            Self::Stopping => "stopping",
        }
    }
}

impl ModeCode {
    /// Returns which part of the system it comes from; stable words.
    pub const fn source(self) -> &'static str {
        match self {
            Self::OperatorSafeMode
            | Self::OperatorKill
            | Self::ConfiguredKill
            | Self::OperatorFreeze
            | Self::OperatorDegrade
            | Self::KillLatchFile => "operator",
            Self::MarketDataUntrusted => "data",
            Self::UnknownOrders | Self::ForeignOrders | Self::GhostOrder | Self::FillsPending => {
                "orders"
            }
            Self::StartupReconcilePending
            | Self::ReconcileRunning
            | Self::ReconcileLag
            | Self::BalanceDrift
            | Self::RecoveryRequired => "reconcile",
            Self::CredentialsRejected | Self::SecretAgeExpired => "secrets",
            Self::ClientIdEchoMismatch | Self::UnexpectedAnswer => "exchange",
            Self::ReconnectBudget
            | Self::ThrottledBudget
            | Self::HandshakesRefused
            | Self::CancelThrottled
            | Self::QuickBoots
            | Self::DowntimeUnclear => "budgets",
            Self::ClockSkew => "clock",
            Self::OrderPathBroken
            | Self::ThreadStalled
            | Self::ProcessSuspended
            | Self::JournalError
            | Self::UncleanStop
            | Self::ActorLost
            | Self::Stopping => "process",
        }
    }
}

/// How far a contribution reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every symbol.
    Global,
    /// One symbol.
    Symbol(Symbol),
}

/// One voice in the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Contribution {
    /// Why.
    pub code: ModeCode,
    /// Where.
    pub scope: Scope,
    /// What it asks for.
    pub mode: Mode,
    /// Since when.
    pub since: Timestamp,
}

/// All contributions that hold; the only place where a mode is computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModeBoard {
    voices: BTreeMap<(ModeCode, Scope), Contribution>,
}

impl ModeBoard {
    /// Raises a contribution; its `since` stays while its mode stays, and a kill is never exchanged for less. Returns
    /// whether anything changed.
    pub fn raise(&mut self, code: ModeCode, scope: Scope, mode: Mode, now: Timestamp) -> bool {
        let stays = self
            .voices
            .get(&(code, scope))
            .is_some_and(|voice| voice.mode == mode || voice.mode == Mode::KillSwitch);
        if !stays {
            self.voices.insert(
                (code, scope),
                Contribution {
                    code,
                    scope,
                    mode,
                    since: now,
                },
            );
        }
        !stays
    }

    /// Drops a contribution. A kill never leaves this way (it needs an operator's reset). Returns whether anything changed.
    pub fn clear(&mut self, code: ModeCode, scope: Scope) -> bool {
        let is_kill = self
            .voices
            .get(&(code, scope))
            .is_some_and(|voice| voice.mode == Mode::KillSwitch);
        !is_kill && self.voices.remove(&(code, scope)).is_some()
    }

    /// Drops every kill that an operator's reset ends; the configuration's own stays. Returns whether anything changed.
    pub fn lift_kills(&mut self) -> bool {
        let before = self.voices.len();
        self.voices.retain(|_, voice| {
            voice.mode != Mode::KillSwitch || voice.code == ModeCode::ConfiguredKill
        });
        self.voices.len() != before
    }

    /// Returns the strictest global mode.
    pub fn global(&self) -> Mode {
        self.strictest(|scope| scope == Scope::Global)
    }

    /// Returns the strictest mode that binds one symbol: the global one and its own.
    pub fn of(&self, symbol: Symbol) -> Mode {
        self.strictest(|scope| scope == Scope::Global || scope == Scope::Symbol(symbol))
    }

    /// Returns every contribution, in a fixed order.
    pub fn voices(&self) -> impl Iterator<Item = &Contribution> {
        self.voices.values()
    }

    fn strictest(&self, applies: impl Fn(Scope) -> bool) -> Mode {
        self.voices
            .values()
            .filter(|voice| applies(voice.scope))
            .map(|voice| voice.mode)
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn btc() -> Scope {
        Scope::Symbol(Symbol::parse("BTCTRY").expect("a pair"))
    }

    #[test]
    fn the_strictest_voice_wins_and_a_symbol_hears_its_own() {
        let mut board = ModeBoard::default();
        assert!(board.raise(
            ModeCode::UnknownOrders,
            btc(),
            Mode::ReduceRiskOnly,
            Timestamp(1)
        ));
        assert_eq!(board.global(), Mode::Normal);
        assert_eq!(
            board.of(Symbol::parse("BTCTRY").expect("a pair")),
            Mode::ReduceRiskOnly
        );
        assert!(board.raise(
            ModeCode::ClockSkew,
            Scope::Global,
            Mode::ObserveOnly,
            Timestamp(2)
        ));
        assert_eq!(
            board.of(Symbol::parse("ETHTRY").expect("a pair")),
            Mode::ObserveOnly
        );
        assert!(board.clear(ModeCode::ClockSkew, Scope::Global));
        assert_eq!(board.global(), Mode::Normal);
    }

    #[test]
    fn a_repeated_voice_keeps_its_since() {
        let mut board = ModeBoard::default();
        board.raise(
            ModeCode::ClockSkew,
            Scope::Global,
            Mode::ObserveOnly,
            Timestamp(5),
        );
        assert!(!board.raise(
            ModeCode::ClockSkew,
            Scope::Global,
            Mode::ObserveOnly,
            Timestamp(9)
        ));
        assert_eq!(
            board.voices().map(|v| v.since).collect::<Vec<_>>(),
            vec![Timestamp(5)]
        );
    }

    #[test]
    fn every_code_has_a_bit_of_its_own() {
        let bits = ModeCode::ALL.map(ModeCode::bit);
        let all = bits.iter().fold(0, |all, bit| all | bit);
        assert_eq!(all, (1 << ModeCode::ALL.len()) - 1);
    }

    #[test]
    fn only_the_configurations_own_kill_outlives_a_reset() {
        let mut board = ModeBoard::default();
        let (global, kill) = (Scope::Global, Mode::KillSwitch);
        board.raise(ModeCode::GhostOrder, global, kill, Timestamp(1));
        board.raise(
            ModeCode::OperatorSafeMode,
            global,
            Mode::ObserveOnly,
            Timestamp(1),
        );
        assert!(board.lift_kills());
        assert_eq!(board.global(), Mode::ObserveOnly);
        board.raise(ModeCode::ConfiguredKill, global, kill, Timestamp(2));
        assert!(!board.lift_kills());
        assert_eq!(board.global(), Mode::KillSwitch);
    }

    #[test]
    fn a_kill_is_not_cleared_by_its_cause_going_away() {
        let mut board = ModeBoard::default();
        board.raise(
            ModeCode::GhostOrder,
            Scope::Global,
            Mode::KillSwitch,
            Timestamp(1),
        );
        assert!(!board.clear(ModeCode::GhostOrder, Scope::Global));
        assert_eq!(board.global(), Mode::KillSwitch);
    }

    #[test]
    fn a_kill_is_not_weakened_when_its_cause_becomes_smaller() {
        let mut board = ModeBoard::default();
        let (code, scope) = (ModeCode::ClockSkew, Scope::Global);
        board.raise(code, scope, Mode::KillSwitch, Timestamp(1));
        assert!(!board.raise(code, scope, Mode::ObserveOnly, Timestamp(2)));
        assert!(!board.clear(code, scope));
        assert_eq!(board.global(), Mode::KillSwitch);
    }
}
