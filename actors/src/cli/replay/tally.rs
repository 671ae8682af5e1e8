//! What a replay did, in figures, and the hash that names all of its decisions.
//!
//! One canonical line per decision: ordinal, recorded time in microseconds, what, and integers only. Orders go by
//! their ordinal and nothing depends on the machine, so equal decisions give equal hashes everywhere.

use engine::answer::OwnTrade;
use engine::book::BookView;
use engine::desk::paper::Watch;
use engine::desk::{DeskEffect, Seen};
use engine::ids::Symbol;
use engine::intent::Intent;
use engine::market::Side;
use engine::mode::Mode;
use engine::money::{Amount, Price};
use engine::order::{OrderState, OrderView};
use engine::risk::Denial;
use engine::time::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Counters and hash of one replay.
#[derive(Default)]
pub struct Tally {
    hash: Sha256,
    line: String,
    lines: u64,
    pub intents: u64,
    /// By code.
    pub denied: BTreeMap<&'static str, u64>,
    /// Orders that were sent.
    pub orders: u64,
    /// Where each order stands, by its ordinal.
    states: BTreeMap<u64, OrderState>,
    pub cancels: u64,
    pub buys: u64,
    pub sells: u64,
    pub fees: Amount,
    pub tax: Amount,
    /// First and last middle of a trusted book.
    pub marks: BTreeMap<Symbol, (Price, Price)>,
    /// The strictest mode there was.
    pub mode: Mode,
}

impl Tally {
    /// Returns the number of fills.
    pub const fn fills(&self) -> u64 {
        self.buys + self.sells
    }

    /// Returns the hash of all decisions so far.
    pub fn decision_hash(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// Returns how many orders stand where.
    pub fn orders_by_state(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for state in self.states.values() {
            *counts.entry(state.as_str()).or_default() += 1;
        }
        counts
    }

    fn note(&mut self, at: Timestamp, what: fmt::Arguments<'_>) {
        self.line.clear();
        self.lines += 1;
        writeln!(self.line, "{} {} {what}", self.lines, at.0)
            .expect("writing to a string cannot fail");
        self.hash.update(self.line.as_bytes());
    }

    fn intent(&mut self, at: Timestamp, intent: &Intent) {
        self.intents += 1;
        self.note(
            at,
            format_args!(
                "intent {} {} {} {} {}",
                intent.symbol,
                intent.side.as_str(),
                intent.reason.as_str(),
                intent.limit.units(),
                intent.qty.units()
            ),
        );
    }

    fn denied(&mut self, at: Timestamp, denial: &Denial) {
        let code = denial.code.as_str();
        *self.denied.entry(code).or_default() += 1;
        self.note(at, format_args!("denied {code}"));
    }

    fn order(&mut self, at: Timestamp, view: &OrderView) {
        self.states.insert(view.client_id().seq(), view.state);
        let intent = &view.order.intent;
        self.note(
            at,
            format_args!(
                "order {} {} {} {} {} {}",
                view.client_id().seq(),
                view.state.as_str(),
                u8::from(view.cancel_asked),
                intent.limit.units(),
                intent.qty.units(),
                view.filled.units()
            ),
        );
    }

    fn fill(&mut self, at: Timestamp, fill: &OwnTrade) {
        match fill.side {
            Side::Buy => self.buys += 1,
            Side::Sell => self.sells += 1,
        }
        self.fees += fill.fee;
        self.tax += fill.tax;
        self.note(
            at,
            format_args!(
                "fill {} {} {} {} {} {}",
                fill.order_id,
                fill.side.as_str(),
                fill.price.units(),
                fill.qty.units(),
                fill.fee.units(),
                fill.tax.units()
            ),
        );
    }

    fn seen(&mut self, at: Timestamp, seen: &Seen) {
        match seen {
            Seen::Book(BookView::Trusted(book)) => {
                let mid = book.mid();
                self.marks
                    .entry(book.symbol())
                    .and_modify(|(_, last)| *last = mid)
                    .or_insert((mid, mid));
            }
            Seen::Intent(intent) => self.intent(at, intent),
            Seen::Denied(denial) => self.denied(at, denial),
            Seen::Order(view) => self.order(at, view),
            Seen::Fill(fill) => self.fill(at, fill),
            Seen::Mode(report) => {
                self.mode = self.mode.max(report.mode);
                self.note(at, format_args!("mode {}", report.mode.as_str()));
            }
            Seen::Silent(_, symbol, why) => {
                self.note(at, format_args!("silent {symbol} {}", why.as_str()));
            }
            Seen::Book(BookView::Untrusted { .. })
            | Seen::Money(_)
            | Seen::Feed(_)
            | Seen::Gate(_)
            | Seen::Router(_)
            | Seen::Pass(_) => {}
        }
    }
}

impl Watch for Tally {
    fn see(&mut self, at: Timestamp, effect: &DeskEffect) {
        match effect {
            DeskEffect::Seen(seen) => self.seen(at, seen),
            DeskEffect::Delete(id, _) => {
                self.cancels += 1;
                self.note(at, format_args!("cancel {}", id.seq()));
            }
            DeskEffect::Send { .. } => self.orders += 1,
            DeskEffect::Connect
            | DeskEffect::Close
            | DeskEffect::Join(..)
            | DeskEffect::Leave(..)
            | DeskEffect::Login
            | DeskEffect::Persist(..)
            | DeskEffect::ReadRow(..)
            | DeskEffect::Read(_) => {}
        }
    }
}

/// Returns bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
