//! What requests cost: tells the supervisor of each 429, and of credentials that are refused in a row.
//!
//! It decides nothing. Every client of a process pays into one of these; a command that runs by itself has none that
//! anybody hears.

use crate::link::{Link, Sent};
use btcturk::rest::quota::Group;
use engine::budget::Spending;
use engine::supervisor::SupervisorIn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where costs are told. Cheap to clone; clones count together.
#[derive(Clone, Default)]
pub struct Toll {
    supervisor: Link<SupervisorIn>,
    refused_in_a_row: Arc<AtomicU32>,
}

impl Toll {
    /// Tells this supervisor.
    pub fn new(supervisor: Link<SupervisorIn>) -> Self {
        Self {
            supervisor,
            refused_in_a_row: Arc::default(),
        }
    }

    /// A request was answered 429.
    pub fn throttled(&self, group: Group) {
        self.tell(SupervisorIn::Spent(if group == Group::OrderCancel {
            Spending::CancelThrottled
        } else {
            Spending::Throttled
        }));
    }

    /// A signed request was answered 401; returns how many were in a row.
    pub fn refused(&self) -> u32 {
        let before = self.refused_in_a_row.fetch_add(1, Ordering::SeqCst);
        let count = before.saturating_add(1);
        self.tell(SupervisorIn::CredentialsRefused(count));
        count
    }

    /// Returns how many signed requests in a row were answered 401.
    pub fn refused_in_a_row(&self) -> u32 {
        self.refused_in_a_row.load(Ordering::SeqCst)
    }

    /// A signed request was answered otherwise: the credentials are fine.
    pub fn accepted(&self) {
        self.refused_in_a_row.store(0, Ordering::SeqCst);
    }

    fn tell(&self, message: SupervisorIn) {
        if self.supervisor.send(message) == Sent::Full {
            tracing::error!(event = "cost_not_told", cost = ?message);
        }
    }
}
