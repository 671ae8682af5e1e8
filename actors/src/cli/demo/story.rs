//! What a person reads while the demo trades: the stream, the modes, the first orders, every fill.

use super::unknowns::{Turn, Unknowns};
use crate::clock::Clock;
use crate::observer::{Market, Observed, Standing, Watcher};
use crate::out::{ReaderGone, Voice};
use crate::status::Status;
use engine::money::Amount;
use engine::msg::FeedNote;
use engine::order::OrderView;
use engine::time::Timestamp;
use std::sync::{Arc, Mutex};

/// What is told while it happens.
pub(super) struct Story {
    clock: Clock,
    start: Timestamp,
    /// Speaks to people; a reader that has gone ends the demo.
    pub(super) voice: Voice,
    /// What the verdict wants to know.
    pub(super) marks: Mutex<Marks>,
    /// Orders whose fate was unknown for a while.
    pub(super) unknowns: Mutex<Unknowns>,
}

/// Moments that the verdict quotes.
#[derive(Default)]
pub(super) struct Marks {
    /// The first equity that was valued.
    pub(super) equity_start: Option<Amount>,
    /// Milliseconds from the start to the first fill.
    pub(super) first_fill_ms: Option<i64>,
}

impl Story {
    /// Starts the clock of the story; a silent one only keeps its marks.
    pub(super) fn new(clock: Clock, is_silent: bool) -> Self {
        let start = clock.now();
        Self {
            clock,
            start,
            voice: Voice::start(is_silent, ReaderGone::EndsProcess),
            marks: Mutex::default(),
            unknowns: Mutex::default(),
        }
    }

    /// Says a line with the time since the start.
    pub(super) fn say(&self, line: &str) {
        let ms = self.clock.now().ms_since(self.start);
        let (seconds, tenths) = (ms / 1_000, ms % 1_000 / 100);
        self.voice
            .say(&format!("{seconds:>4}.{tenths:01} s  {line}\n"));
    }

    /// Returns the story as a watcher of reports.
    pub(super) fn watcher(self: Arc<Self>) -> Watcher {
        Arc::new(move |observed: &Observed, status: &Status| self.see(observed, status))
    }

    /// Follows an order through the time in which nobody knows whether it exists.
    fn follow(&self, view: &OrderView) {
        let mut unknowns = self.unknowns.lock().expect("nobody panics with them");
        let turn = unknowns.take(self.clock.now(), view.client_id(), view.state);
        drop(unknowns);
        let id = view.client_id();
        match turn {
            Some(Turn::Began) => self.say(&format!("lost   {id}: nobody knows whether it exists")),
            Some(Turn::Ended(resolved)) => self.say(&format!(
                "found  {id}: {} after {} ms",
                resolved.state, resolved.took_ms
            )),
            None => {}
        }
    }

    fn see(&self, observed: &Observed, status: &Status) {
        if let Observed::Order(view) = observed {
            self.follow(view);
        }
        match observed {
            Observed::Fill(trade) => {
                let elapsed = self.clock.now().ms_since(self.start);
                let mut marks = self.marks.lock().expect("nobody panics with the marks");
                marks.first_fill_ms.get_or_insert(elapsed);
                drop(marks);
                let cost = trade.fee + trade.tax;
                let side = trade.side.as_str();
                self.say(&format!(
                    "fill   {side:<4} {:<14} {:<4} at {:<12} {}, fee and tax {cost}",
                    trade.qty, trade.base, trade.price, trade.quote
                ));
            }
            Observed::Standing(Standing::Mode(report)) => {
                let codes: Vec<&str> = report
                    .voices
                    .iter()
                    .map(|voice| voice.code.as_str())
                    .collect();
                self.say(&format!(
                    "mode   {} {}",
                    report.mode.as_str(),
                    codes.join(", ")
                ));
            }
            Observed::Standing(Standing::Money(report)) => {
                let mut marks = self.marks.lock().expect("nobody panics with the marks");
                if marks.equity_start.is_none() {
                    // The first report may already hold a fill: what the day began with does not.
                    let gained = report.day_pnl.unwrap_or_default();
                    marks.equity_start = report.equity.map(|equity| equity - gained);
                }
            }
            Observed::Order(view) if status.counts.submitted == 0 => {
                let intent = &view.order.intent;
                self.say(&format!(
                    "order  {:<4} {} {} at {}, {}",
                    intent.side.as_str(),
                    intent.qty,
                    intent.symbol,
                    intent.limit,
                    intent.reason.as_str()
                ));
            }
            Observed::Market(Market::Feed(FeedNote::Up(session))) => {
                self.say(&format!("stream session {session} is up"))
            }
            Observed::Market(Market::Feed(_) | Market::Frames(_) | Market::Book(_))
            | Observed::Decision(_)
            | Observed::Order(_)
            | Observed::Call(_)
            | Observed::Standing(Standing::Killed(_) | Standing::KillReset(_))
            | Observed::Process(_) => {}
        }
    }
}
