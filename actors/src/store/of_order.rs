//! Which of the journal's records are about one order.

use super::Entry;
use engine::answer::{OwnTrade, SubmitOutcome};
use engine::ids::{ClientId, OrderId};
use engine::intent::NewOrder;
use engine::record::Record;

/// Returns the order that was written down last.
pub fn last(entries: &[Entry]) -> Option<ClientId> {
    entries
        .iter()
        .rev()
        .find_map(|entry| Some(sent(entry)?.client_id))
}

/// Returns the order that an entry wrote down.
pub fn sent(entry: &Entry) -> Option<NewOrder> {
    if let Record::Sending { order, .. } = &entry.record {
        Some(*order)
    } else {
        None
    }
}

/// Returns the records that are about one order.
pub fn about(entries: &[Entry], id: ClientId) -> Vec<Entry> {
    let mut number = None;
    for entry in entries
        .iter()
        .filter(|entry| subject(&entry.record) == Some(id))
    {
        number = number_in(&entry.record).or(number);
    }
    let is_about = |record: &Record| {
        let is_its = |trade: &OwnTrade| number == Some(trade.order_id);
        subject(record) == Some(id) || matches!(record, Record::Fill(trade) if is_its(trade))
    };
    let about = entries.iter().filter(|entry| is_about(&entry.record));
    about.cloned().collect()
}

fn subject(record: &Record) -> Option<ClientId> {
    match record {
        Record::Decided(decision) => Some(decision.client_id),
        Record::Sending { order, .. } => Some(order.client_id),
        Record::Outcome { client_id, .. }
        | Record::Adopted { client_id, .. }
        | Record::CancelAsked { client_id, .. }
        | Record::Resolved { client_id, .. }
        | Record::Ended { client_id, .. } => Some(*client_id),
        Record::Fill(trade) => trade.client_id,
        Record::Boot { .. }
        | Record::Opening { .. }
        | Record::Transfer { .. }
        | Record::Adjustment { .. }
        | Record::DayStart { .. }
        | Record::Held(_)
        | Record::LetGo { .. }
        | Record::SafeMode { .. }
        | Record::Audit { .. }
        | Record::Kill(_)
        | Record::Reset { .. }
        | Record::Looked { .. }
        | Record::Restored { .. }
        | Record::Spent { .. }
        | Record::Stepped { .. }
        | Record::Stop { .. } => None,
    }
}

/// Returns the exchange's number of an own order, if this record tells it.
pub fn number_in(record: &Record) -> Option<OrderId> {
    if let Record::Outcome {
        outcome: SubmitOutcome::Accepted(number) | SubmitOutcome::AcceptedWithoutEcho(number),
        ..
    }
    | Record::Adopted {
        order_id: number, ..
    } = record
    {
        Some(*number)
    } else {
        None
    }
}
