//! One trace for each order: where the time went from the book to the answer.
//!
//! Built from what the Metrics actor is told anyway. The one idea: ids come from the start and the client id by a hash,
//! so that the trace of an order is found from its id, and nothing draws random numbers for a spectator.

use crate::observer::{Call, Decision, Observed};
use crate::status::Status;
use engine::book::BookView;
use engine::ids::{ClientId, Symbol};
use engine::intent::{Intent, NewOrder};
use engine::market::Side;
use engine::order::{OrderState, OrderView};
use engine::time::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Orders that are followed at a time; the trace of one more is dropped and counted.
const DRAFTS_MAX: usize = 256;
/// Spans of a trace: the order and its five steps.
const SPANS_OF_ORDER: u64 = 6;

/// A named piece of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) parent_id: Option<[u8; 8]>,
    pub(super) name: &'static str,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) attributes: Vec<(&'static str, String)>,
}

/// An order on its way to its first answer.
struct Draft {
    book_at: Timestamp,
    reserved_at: Timestamp,
    sending_at: Option<Timestamp>,
    answered_at: Option<Timestamp>,
}

/// Orders that are followed.
pub(super) struct Traces {
    run_id: String,
    drafts: BTreeMap<ClientId, Draft>,
    /// The latest intent of a pair and side: when it was decided, and when its book had come.
    decided: BTreeMap<(Symbol, Side), (Timestamp, Timestamp)>,
}

impl Traces {
    pub(super) fn new(run_id: &str) -> Self {
        Self {
            run_id: run_id.to_owned(),
            drafts: BTreeMap::new(),
            decided: BTreeMap::new(),
        }
    }

    /// Takes a report; returns the spans of an order that has its answer, and how many spans were given up.
    pub(super) fn take(&mut self, observed: &Observed, status: &Status) -> (Vec<Span>, u64) {
        match observed {
            Observed::Decision(Decision::Intent(intent)) => self.intent(intent, status),
            Observed::Decision(Decision::Reserved(order, at)) => {
                return (Vec::new(), self.begin(order, *at));
            }
            Observed::Order(view) => return self.order(view, status),
            Observed::Call(Call::SubmitAnswered(id, took_ms, _)) => {
                if let Some(draft) = self.drafts.get_mut(id) {
                    draft.answered_at = draft.sending_at.map(|at| at.plus_ms(*took_ms));
                }
            }
            Observed::Market(_)
            | Observed::Decision(
                Decision::IntentOut(_) | Decision::Silent(..) | Decision::Denied(_),
            )
            | Observed::Fill(_)
            | Observed::Call(
                Call::SubmitSent(_)
                | Call::SubmitTook(..)
                | Call::CancelSent(_)
                | Call::CancelAnswered(..),
            )
            | Observed::Standing(_)
            | Observed::Process(_) => {}
        }
        (Vec::new(), 0)
    }

    /// The picture still has the intent's own book, unless a fresher one was reported in between.
    fn intent(&mut self, intent: &Intent, status: &Status) {
        let book_at = match status.books.get(&intent.symbol) {
            Some(BookView::Trusted(book)) if book.stamp() == intent.book => book.received(),
            Some(BookView::Trusted(_) | BookView::Untrusted { .. }) | None => intent.at,
        };
        self.decided
            .insert((intent.symbol, intent.side), (intent.at, book_at));
    }

    fn order(&mut self, view: &OrderView, status: &Status) -> (Vec<Span>, u64) {
        let id = view.client_id();
        match view.state {
            OrderState::Reserved => {}
            OrderState::Sending => {
                if let Some(draft) = self.drafts.get_mut(&id) {
                    draft.sending_at = Some(view.since);
                }
            }
            OrderState::Unknown(_)
            | OrderState::Open
            | OrderState::Partial
            | OrderState::NotSent(_)
            | OrderState::Rejected(_)
            | OrderState::Absent
            | OrderState::Canceled
            | OrderState::Filled => {
                let draft = self.drafts.remove(&id);
                let spans = draft.map(|draft| spans(&draft, view, status, &self.run_id));
                return (spans.unwrap_or_default(), 0);
            }
        }
        (Vec::new(), 0)
    }

    fn begin(&mut self, order: &NewOrder, at: Timestamp) -> u64 {
        let intent = &order.intent;
        if self.drafts.len() >= DRAFTS_MAX {
            return SPANS_OF_ORDER;
        }
        let decided = self.decided.get(&(intent.symbol, intent.side));
        let book_at = decided.filter(|(at, _)| *at == intent.at);
        let draft = Draft {
            book_at: book_at.map_or(intent.at, |(_, book_at)| *book_at),
            reserved_at: at,
            sending_at: None,
            answered_at: None,
        };
        self.drafts.insert(order.client_id, draft);
        0
    }
}

/// The order and its steps, in their order; a step that was not reached is not there.
fn spans(draft: &Draft, view: &OrderView, status: &Status, run_id: &str) -> Vec<Span> {
    let (intent, known_at) = (&view.order.intent, view.since);
    let id = view.client_id().to_string();
    let digest = Sha256::digest(format!("{run_id}/{id}").as_bytes());
    let mut trace_id = [0; 16];
    trace_id.copy_from_slice(&digest[..16]);
    let span_id = |n: u8| {
        let mut span_id = [0; 8];
        span_id.copy_from_slice(&digest[16..24]);
        span_id[7] ^= n;
        span_id
    };
    let attributes = vec![
        ("symbol", intent.symbol.to_string()),
        ("client_order_id", id),
        ("mode", status.mode.as_str().to_owned()),
        ("run_id", run_id.to_owned()),
        (
            "cycle_id",
            crate::observer::CycleId(intent.cycle).to_string(),
        ),
        ("side", intent.side.as_str().to_owned()),
        ("state", view.state.as_str().to_owned()),
    ];
    let answered_at = draft.answered_at.map(|at| at.min(known_at));
    let steps = [
        ("order", Some((draft.book_at, known_at))),
        ("decide", Some((draft.book_at, intent.at))),
        ("risk", Some((intent.at, draft.reserved_at))),
        (
            "journal",
            Some((draft.reserved_at, draft.sending_at.unwrap_or(known_at))),
        ),
        (
            "submit",
            (draft.sending_at).map(|at| (at, answered_at.unwrap_or(known_at))),
        ),
        (
            "ack",
            (draft.sending_at).map(|_| (answered_at.unwrap_or(known_at), known_at)),
        ),
    ];
    let reached = (0..).zip(steps).filter_map(|(n, (name, time))| {
        let (start, end) = time?;
        Some(Span {
            trace_id,
            span_id: span_id(n),
            parent_id: (n > 0).then(|| span_id(0)),
            name,
            start,
            // Two clocks of one machine never differ, but a report may be stamped a turn later.
            end: end.max(start),
            attributes: attributes.clone(),
        })
    });
    reached.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::tests::order;
    use engine::answer::NotSent;

    const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn seen(
        reports: &[(OrderState, i64)],
        answered_ms: Option<i64>,
    ) -> Vec<(&'static str, i64, i64)> {
        let (mut traces, status) = (Traces::new("run"), Status::default());
        let mut spans = Vec::new();
        for (state, at_ms) in reports {
            let view = order(*state, START, START.plus_ms(*at_ms));
            if !matches!(state, OrderState::Reserved | OrderState::Sending)
                && let Some(ms) = answered_ms
            {
                let report = Observed::Call(Call::SubmitAnswered(view.client_id(), ms, Some(200)));
                let _ = traces.take(&report, &status);
            }
            let report = if *state == OrderState::Reserved {
                Observed::Decision(Decision::Reserved(view.order, view.since))
            } else {
                Observed::Order(view)
            };
            spans.extend(traces.take(&report, &status).0);
        }
        assert!(
            traces.drafts.is_empty(),
            "an order is followed to its answer"
        );
        let first = spans.first().map(|span| (span.trace_id, span.span_id));
        for span in spans.iter().skip(1) {
            assert_eq!(Some(span.trace_id), first.map(|(trace, _)| trace));
            assert_eq!(span.parent_id, first.map(|(_, id)| id));
        }
        let times = |span: &Span| {
            (
                span.name,
                span.start.ms_since(START),
                span.end.ms_since(START),
            )
        };
        spans.iter().map(times).collect()
    }

    #[test]
    fn the_steps_of_an_order_follow_each_other_without_a_gap() {
        let reports = [
            (OrderState::Reserved, 1),
            (OrderState::Sending, 5),
            (OrderState::Open, 30),
        ];
        let expected = [
            ("order", 0, 30),
            ("decide", 0, 0),
            ("risk", 0, 1),
            ("journal", 1, 5),
            ("submit", 5, 25),
            ("ack", 25, 30),
        ];
        assert_eq!(seen(&reports, Some(20)), expected);
    }

    #[test]
    fn an_order_that_was_never_sent_ends_in_the_journal() {
        let reports = [
            (OrderState::Reserved, 1),
            (OrderState::NotSent(NotSent::Expired), 300),
        ];
        let names: Vec<_> = seen(&reports, None)
            .iter()
            .map(|(name, ..)| *name)
            .collect();
        assert_eq!(names, ["order", "decide", "risk", "journal"]);
    }

    #[test]
    fn an_answer_after_the_event_makes_no_time_run_backwards() {
        let reports = [
            (OrderState::Reserved, 1),
            (OrderState::Sending, 5),
            (OrderState::Open, 10),
        ];
        assert_eq!(
            seen(&reports, Some(20))[4..],
            [("submit", 5, 10), ("ack", 10, 10)]
        );
    }

    #[test]
    fn orders_beyond_the_limit_are_counted_and_not_followed() {
        let (mut traces, status) = (Traces::new("run"), Status::default());
        let lost: u64 = (0..DRAFTS_MAX + 3)
            .map(|n| {
                let mut view = order(OrderState::Reserved, START, START);
                let seq = u64::try_from(n).expect("small");
                view.order.client_id = crate::observer::tests::client_id(seq);
                traces
                    .take(
                        &Observed::Decision(Decision::Reserved(view.order, START)),
                        &status,
                    )
                    .1
            })
            .sum();
        assert_eq!(lost, 3 * SPANS_OF_ORDER);
        assert_eq!(traces.drafts.len(), DRAFTS_MAX);
    }
}
