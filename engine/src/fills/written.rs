//! The form in which the trades of an order stand in a checkpoint: by price and size, each source's reports and what
//! was booked of them. It is the first form that was released, and larger than what is kept in memory.

use super::{FillBook, Kind, Report, Twin};
use crate::answer::TradeSource;
use crate::ids::TradeId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The trades of one price and size.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Twins {
    stream: Vec<Twin>,
    rest: Vec<Twin>,
    booked: Vec<Twin>,
}

/// All trades of one order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Written {
    seen: BTreeSet<(TradeSource, TradeId)>,
    #[serde(with = "crate::pairs")]
    twins: BTreeMap<Kind, Twins>,
    newest: Option<Timestamp>,
}

/// A checkpoint says of a trade that it was booked and not who has shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trade {} was booked and shown by nobody", .0.0)]
pub(super) struct BookedUnshown(TradeId);

impl From<FillBook> for Written {
    fn from(book: FillBook) -> Self {
        let mut twins: BTreeMap<Kind, Twins> = BTreeMap::new();
        for report in &book.reports {
            let twins = twins.entry(report.kind).or_default();
            match report.source {
                TradeSource::Stream => twins.stream.push(report.twin),
                TradeSource::Rest => twins.rest.push(report.twin),
            }
            if report.is_booked {
                twins.booked.push(report.twin);
            }
        }
        let name = |report: &Report| (report.source, report.twin.id);
        Self {
            seen: book.reports.iter().map(name).collect(),
            twins,
            newest: book.newest,
        }
    }
}

impl TryFrom<Written> for FillBook {
    type Error = BookedUnshown;

    fn try_from(written: Written) -> Result<Self, BookedUnshown> {
        let mut book = Self {
            newest: written.newest,
            ..Self::default()
        };
        for (kind, twins) in written.twins {
            let stream = twins.stream.into_iter().map(|it| (TradeSource::Stream, it));
            let rest = twins.rest.into_iter().map(|it| (TradeSource::Rest, it));
            for (source, twin) in stream.chain(rest) {
                book.put(Report {
                    kind,
                    source,
                    twin,
                    is_booked: false,
                });
            }
            for twin in twins.booked {
                let is_it = |it: &&mut Report| it.kind == kind && it.twin == twin && !it.is_booked;
                let shown = book.reports.iter_mut().find(is_it);
                shown.ok_or(BookedUnshown(twin.id))?.is_booked = true;
            }
        }
        Ok(book)
    }
}
