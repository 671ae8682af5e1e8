//! What a journal holds, in figures: found by whoever verified it, told to whoever asked.

use crate::cli::orders::journal::recovered;
use crate::store::{Entry, Header, Venue};
use engine::ids::AccountTag;
use engine::order::OrderState;
use engine::record::Record;
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
    /// Number of records.
    pub records: u64,
    /// The first one.
    pub first: Option<Mark>,
    /// The last one.
    pub last: Option<Mark>,
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
    pub fn of(header: &Header, entries: &[Entry], size_bytes: u64) -> Self {
        let mark = |entry: &Entry| Mark {
            seq: entry.seq,
            at_us: entry.at.0,
        };
        let mut facts = Self {
            venue: header.venue,
            schema: header.schema,
            account_tag: header.account_tag.clone(),
            created_us: header.created.0,
            size_bytes,
            records: entries.len() as u64,
            first: entries.first().map(mark),
            last: entries.last().map(mark),
            epoch: 0,
            living: 0,
            unknown: 0,
            safe_mode: false,
            clean_stop: true,
            restored_us: restored(entries).map(|at| at.0),
        };
        entries.iter().for_each(|entry| facts.take(&entry.record));
        facts.count_orders(entries);
        facts
    }

    fn take(&mut self, record: &Record) {
        if let Record::Boot { epoch, .. } = record {
            (self.epoch, self.clean_stop) = (*epoch, false);
        } else if let Record::SafeMode { on, .. } = record {
            self.safe_mode = *on;
        } else if let Record::Restored { .. } = record {
            self.safe_mode = true;
        } else if let Record::Stop { .. } = record {
            self.clean_stop = true;
        }
    }

    /// The router's own folding, as a start would do it.
    fn count_orders(&mut self, entries: &[Entry]) {
        let Ok(tag) = AccountTag::parse(&self.account_tag) else {
            return;
        };
        let last = entries.last().map_or(Timestamp(0), |entry| entry.at);
        let router = recovered(tag, entries, last);
        self.living = router.living().count();
        let is_unknown = |state: OrderState| matches!(state, OrderState::Unknown(_));
        self.unknown = router
            .living()
            .filter(|view| is_unknown(view.state))
            .count();
    }
}

/// Returns when the state was brought back, if nobody has ended safe mode since.
pub fn restored(entries: &[Entry]) -> Option<Timestamp> {
    let mut pending = None;
    for entry in entries {
        if let Record::Restored { at, .. } = &entry.record {
            pending = Some(*at);
        } else if let Record::SafeMode { on: false, .. } = &entry.record {
            pending = None;
        }
    }
    pending
}
