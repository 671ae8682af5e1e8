//! What a journal holds, in figures: found by whoever verified it, told to whoever asked.

use crate::cli::orders::journal::recovered;
use crate::params;
use crate::store::{Entry, Header, History, StoreError, Venue};
use engine::checkpoint::Fold;
use engine::ids::AccountTag;
use engine::order::OrderState;
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A record's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its number.
    pub seq: u64,
    /// When it was appended.
    pub at_us: i64,
}

/// A verified journal in figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Which exchange.
    pub venue: Venue,
    /// Version of the records.
    pub schema: u32,
    /// The tag in client ids.
    pub account_tag: String,
    /// When the journal was made.
    pub created_us: i64,
    /// Length of the file, bytes.
    pub size_bytes: u64,
    /// Number of records that are kept.
    pub records: u64,
    /// The first one.
    pub first: Option<Mark>,
    /// The last one.
    pub last: Option<Mark>,
    /// Trades in the history; a manifest of an older build does not tell.
    #[serde(default)]
    pub trades: u64,
    /// Number of the last start; 0 before the first.
    pub epoch: u32,
    /// Own orders that have not ended.
    pub living: usize,
    /// Those of them whose fate a start would have to find out.
    pub unknown: usize,
    /// The next start is in safe mode.
    pub safe_mode: bool,
    /// The last process ended in an orderly way, or there was none.
    pub clean_stop: bool,
    /// When the state was brought back from a backup or from the exchange, if nobody has let it trade since.
    pub restored_us: Option<i64>,
}

impl Facts {
    /// Counts what was read.
    ///
    /// # Errors
    /// `Damaged` if the journal does not add up.
    pub fn of(
        (header, history, trades): (&Header, &History, u64),
        size_bytes: u64,
    ) -> Result<Self, StoreError> {
        let mark = |entry: &Entry| Mark {
            seq: entry.seq,
            at_us: entry.at.0,
        };
        let past = history.fold(params::account_quote())?;
        let sum = past.sum();
        let mut facts = Self {
            venue: header.venue,
            schema: header.schema,
            account_tag: header.account_tag.clone(),
            created_us: header.created.0,
            size_bytes,
            records: history.len() as u64,
            trades,
            first: history.first().map(mark),
            last: history.last().map(mark),
            epoch: sum.epoch_next() - 1,
            living: 0,
            unknown: 0,
            safe_mode: sum.money().safe_since().is_some(),
            clean_stop: sum.orders().was_clean(),
            restored_us: sum.restored_at().map(|at| at.0),
        };
        let last = history.last().map_or(Timestamp(0), |entry| entry.at);
        facts.count_orders(&past, last);
        Ok(facts)
    }

    /// The router's own folding, as a start would do it.
    fn count_orders(&mut self, past: &Fold, last: Timestamp) {
        let Ok(tag) = AccountTag::parse(&self.account_tag) else {
            return;
        };
        let router = recovered(tag, past, last);
        self.living = router.living().count();
        let is_unknown = |state: OrderState| matches!(state, OrderState::Unknown(_));
        self.unknown = router
            .living()
            .filter(|view| is_unknown(view.state))
            .count();
    }
}
