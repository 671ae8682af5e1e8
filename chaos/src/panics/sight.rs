//! What an effect of any core is to whoever watches the process from outside.
//!
//! Pure naming, no judgement: whether something leaves the process, is written down, or only shows what happened.

use engine::desk::Seen;
use engine::msg::{
    BookEffect, FeedEffect, PassReport, ReconcileEffect, RiskEffect, RouterEffect, StrategyEffect,
};
use engine::supervisor::SupervisorEffect;
use engine::time::Timestamp;

/// What is seen of an effect.
#[derive(Debug)]
pub(crate) enum Sight {
    /// A message from one actor to another, or something about the process itself.
    Inner,
    /// It leaves the process.
    Outer,
    /// It is written down.
    Record,
    /// It shows what happened, whoever hears it.
    Shown(Seen),
}

/// An effect that can be watched.
pub(crate) trait Seeing {
    /// Returns what is seen of it.
    fn sight(&self, now: Timestamp) -> Sight;
}

impl Seeing for FeedEffect {
    fn sight(&self, _now: Timestamp) -> Sight {
        match self {
            Self::Connect | Self::Close | Self::Join(..) | Self::Leave(..) | Self::Login => {
                Sight::Outer
            }
            Self::Book(_) | Self::Private(_) | Self::PrivateUp => Sight::Inner,
            Self::Note(note) => Sight::Shown(Seen::Feed(*note)),
        }
    }
}

impl Seeing for BookEffect {
    fn sight(&self, _now: Timestamp) -> Sight {
        match self {
            Self::View(view) => Sight::Shown(Seen::Book(*view)),
            Self::Resync(_) => Sight::Inner,
        }
    }
}

impl Seeing for StrategyEffect {
    fn sight(&self, _now: Timestamp) -> Sight {
        match self {
            Self::Intent(intent) => Sight::Shown(Seen::Intent(*intent)),
            Self::Cancel(..) => Sight::Inner,
            Self::Silent(kind, symbol, why) => Sight::Shown(Seen::Silent(*kind, *symbol, *why)),
        }
    }
}

impl Seeing for RiskEffect {
    fn sight(&self, _now: Timestamp) -> Sight {
        match self {
            Self::Decided(_)
            | Self::Submit(_)
            | Self::Cancel(..)
            | Self::Confirmed(..)
            | Self::Desk(_)
            | Self::Explain => Sight::Inner,
            Self::Persist(_) => Sight::Record,
            Self::Denied(denial) => Sight::Shown(Seen::Denied(denial.clone())),
            Self::Mode(report) => Sight::Shown(Seen::Mode(report.clone())),
            Self::Money(report) => Sight::Shown(Seen::Money(report.clone())),
            Self::Note(note) => Sight::Shown(Seen::Gate(*note)),
        }
    }
}

impl Seeing for RouterEffect {
    fn sight(&self, _now: Timestamp) -> Sight {
        match self {
            Self::Persist(..) => Sight::Record,
            Self::Send { .. } | Self::Delete(..) | Self::ReadRow(..) => Sight::Outer,
            Self::Order(view) => Sight::Shown(Seen::Order(*view)),
            Self::Fill(trade) => Sight::Shown(Seen::Fill(trade.clone())),
            Self::Foreign(_) | Self::LookUp(_) | Self::Raise(..) | Self::Clear(..) => Sight::Inner,
            Self::Note(note) => Sight::Shown(Seen::Router(*note)),
        }
    }
}

impl Seeing for ReconcileEffect {
    fn sight(&self, now: Timestamp) -> Sight {
        match self {
            Self::Read(_) => Sight::Outer,
            Self::Pending
            | Self::Settled
            | Self::Snapshot(_)
            | Self::Transfers(_)
            | Self::Balances { .. } => Sight::Inner,
            Self::Done { clean, took_ms } => Sight::Shown(Seen::Pass(PassReport {
                clean: *clean,
                took_ms: *took_ms,
                at: now,
            })),
        }
    }
}

impl Seeing for SupervisorEffect {
    fn sight(&self, _now: Timestamp) -> Sight {
        match self {
            Self::Persist(_) => Sight::Record,
            Self::Start(..)
            | Self::Renew(_)
            | Self::Raise(..)
            | Self::Clear(_)
            | Self::Show(_)
            | Self::Pace(_)
            | Self::Fatal(_) => Sight::Inner,
        }
    }
}
