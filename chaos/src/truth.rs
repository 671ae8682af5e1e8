//! The exchange's own books, kept for a while, against the ones that our side trusts (I8).
//!
//! A book that has just become trusted because a full one came must be the exchange's at that change number, level by
//! level. Later a lost difference may make it wrong for as long as the next comparison takes.

use crate::life::Life;
use crate::world::World;
use engine::book::{BookView, Distrust, TrustedBook, VIEW_LEVELS};
use engine::ids::Symbol;
use engine::market::{BookFull, Level};
use simulator::market::pair::PairIndex;
use std::collections::{BTreeMap, VecDeque};

/// Books kept of one pair: a few seconds of them, and no frame is older.
const KEPT_MAX: usize = 128;

/// The best levels of one pair at one change number.
#[derive(Debug)]
struct Book {
    change: i64,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// What the books showed lately.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    books: BTreeMap<Symbol, VecDeque<Book>>,
    /// The full book of the join before the last, for a planted bug.
    full: BTreeMap<Symbol, BookFull>,
}

impl Shown {
    fn note(&mut self, symbol: Symbol, book: Book) {
        let books = self.books.entry(symbol).or_default();
        if books.len() == KEPT_MAX {
            books.pop_front();
        }
        books.push_back(book);
    }

    fn agrees(&self, book: &TrustedBook) -> Option<bool> {
        let change = book.stamp().change;
        let mut kept = self.books.get(&book.symbol())?.iter();
        let there = kept.find(|there| there.change == change)?;
        let is_same = |here: &[Level], there: &[Level]| {
            let shown = here.iter().take_while(|level| level.qty.is_positive());
            shown.eq(there.iter())
        };
        Some(is_same(book.bids(), &there.bids) && is_same(book.asks(), &there.asks))
    }

    /// Keeps a full book and returns the one that was kept before.
    pub(crate) fn swap_full(&mut self, full: &BookFull) -> Option<BookFull> {
        self.full.insert(full.symbol, full.clone())
    }
}

impl World {
    /// Takes note of a pair's book as it is published.
    pub(crate) fn note_book(&mut self, pair: PairIndex) {
        let symbol = self.exchange.pairs()[pair.0].symbol;
        let (window, change) = self.exchange.window(pair);
        let top = |levels: &[Level]| levels.iter().take(VIEW_LEVELS).copied().collect();
        let book = Book {
            change,
            bids: top(&window.bids),
            asks: top(&window.asks),
        };
        self.shown.note(symbol, book);
    }

    pub(crate) fn judge_book(&mut self, view: &BookView) {
        let Some(life) = &mut self.life else { return };
        let BookView::Trusted(book) = view else {
            note_distrust(life, view);
            return;
        };
        if !life.syncing.remove(&book.symbol()) {
            return;
        }
        self.figures.books_judged += 1;
        if self.shown.agrees(book) == Some(false) {
            let seen = format!("{} at change {}", book.symbol(), book.stamp().change);
            self.oracle.broken(self.now, "trusted_book_is_true", seen);
        }
    }
}

/// A book that waits for a full one has nothing else to become trusted by.
fn note_distrust(life: &mut Life, view: &BookView) {
    let BookView::Untrusted { symbol, why, .. } = view else {
        return;
    };
    match why {
        Distrust::Empty | Distrust::Syncing => {
            life.syncing.insert(*symbol);
        }
        Distrust::ReceiveAge
        | Distrust::Crossed
        | Distrust::Anomaly
        | Distrust::PriceJump
        | Distrust::Mismatch
        | Distrust::OneSided => {}
    }
}
