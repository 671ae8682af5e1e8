//! The deciders of one process: the cores wired on one thread, or the same cores inside the real shells.
//!
//! The world tells either of them the same things and judges either by the same questions.

use crate::shells::Shells;
use engine::book::Books;
use engine::desk::Desk;
use engine::risk::RiskGate;
use engine::router::OrderRouter;
use std::cell::Ref;
use std::ops::Deref;

/// What decides.
pub(crate) enum Body {
    /// The cores.
    Desk(Box<Desk>),
    /// The cores inside actors.
    Shells(Box<Shells>),
}

/// A look at a core.
pub(crate) enum Look<'a, T> {
    Own(&'a T),
    Shared(Ref<'a, T>),
}

impl<T> Deref for Look<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Own(core) => core,
            Self::Shared(core) => core,
        }
    }
}

impl Body {
    /// Returns the cores that are wired on one thread.
    pub(crate) const fn desk(&self) -> Option<&Desk> {
        match self {
            Self::Desk(desk) => Some(desk),
            Self::Shells(_) => None,
        }
    }

    pub(crate) fn gate(&self) -> Look<'_, RiskGate> {
        match self {
            Self::Desk(desk) => Look::Own(desk.gate()),
            Self::Shells(shells) => Look::Shared(shells.glass.gate.borrow()),
        }
    }

    pub(crate) fn router(&self) -> Look<'_, OrderRouter> {
        match self {
            Self::Desk(desk) => Look::Own(desk.router()),
            Self::Shells(shells) => Look::Shared(shells.glass.router.borrow()),
        }
    }

    pub(crate) fn books(&self) -> Look<'_, Books> {
        match self {
            Self::Desk(desk) => Look::Own(desk.books()),
            Self::Shells(shells) => Look::Shared(shells.glass.books.borrow()),
        }
    }

    /// The clock is moved; the desk is told the time.
    pub(crate) fn move_clock(&self, moved_ms: i64) {
        match self {
            Self::Desk(_) => {}
            Self::Shells(shells) => shells.clock.advance_ms(moved_ms),
        }
    }

    /// Returns whether a record waits for the disk; the desk's wait in the world's own journal.
    pub(crate) fn is_writing(&self) -> bool {
        match self {
            Self::Desk(_) => false,
            Self::Shells(shells) => shells.journal.depth() > 0,
        }
    }
}
