//! The last minutes of each pair's market with our trades in it: a bounded ring in memory, lost with the process.
//!
//! It is drawn, never decided by. The one idea: one point a second, whatever the market does.

use engine::answer::OwnTrade;
use engine::book::BookView;
use engine::ids::Symbol;
use engine::market::Side;
use engine::money::{Price, Qty};
use engine::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Points kept of a pair, one a second: ten minutes; the oldest fall out.
pub const POINTS_MAX: usize = 600;
/// Time between two points, milliseconds.
pub const POINT_MS: i64 = 1_000;
/// Trades kept of a pair; the oldest fall out.
pub const FILLS_MAX: usize = 100;

/// One second of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// The middle of best bid and best ask; `None` while the book was not trusted.
    pub mid: Option<Price>,
    /// A mode held orders back.
    pub is_held: bool,
}

/// One own trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillMark {
    /// When we heard of it.
    pub at: Timestamp,
    /// Our side.
    pub side: Side,
    /// Traded price.
    pub price: Price,
    /// Traded quantity.
    pub qty: Qty,
}

/// The ring of one pair, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chart {
    /// One point a second; those before the first that was taken have no price.
    pub points: VecDeque<Point>,
    /// Own trades.
    pub fills: VecDeque<FillMark>,
}

impl Chart {
    /// A ring that is full of seconds without a price: its memory is what it will be months later.
    fn since(now: Timestamp) -> Self {
        let before = |age: usize| Point {
            at: now.plus_ms(-POINT_MS * age as i64),
            mid: None,
            is_held: false,
        };
        Self {
            points: (1..=POINTS_MAX).rev().map(before).collect(),
            fills: VecDeque::new(),
        }
    }
}

/// The rings of all pairs that are followed.
pub type Charts = BTreeMap<Symbol, Chart>;

/// Adds a second to every ring.
pub fn sample(
    charts: &mut Charts,
    now: Timestamp,
    books: &BTreeMap<Symbol, BookView>,
    is_held: bool,
) {
    for (symbol, view) in books {
        let mid = match view {
            BookView::Trusted(book) => Some(book.mid()),
            BookView::Untrusted { .. } => None,
        };
        let chart = (charts.entry(*symbol)).or_insert_with(|| Chart::since(now));
        chart.points.pop_front();
        chart.points.push_back(Point {
            at: now,
            mid,
            is_held,
        });
    }
}

/// Marks an own trade; one of a pair that is not followed is not drawn.
pub fn mark(charts: &mut Charts, now: Timestamp, trade: &OwnTrade) {
    let name = format!("{}{}", trade.base, trade.quote);
    let Ok(symbol) = Symbol::parse(&name) else {
        return;
    };
    let Some(chart) = charts.get_mut(&symbol) else {
        return;
    };
    if chart.fills.len() >= FILLS_MAX {
        chart.fills.pop_front();
    }
    chart.fills.push_back(FillMark {
        at: now,
        side: trade.side,
        price: trade.price,
        qty: trade.qty,
    });
}

/// Returns the rings as `/status?charts` shows them: points as `[µs, mid or null, held]`.
pub fn charts_json(charts: &Charts) -> Value {
    let pair = |(symbol, chart): (&Symbol, &Chart)| {
        let points: Vec<Value> = (chart.points.iter())
            .map(|point| json!([point.at.0, point.mid, point.is_held]))
            .collect();
        let fills: Vec<Value> = (chart.fills.iter())
            .map(|fill| json!({"at_us": fill.at.0, "side": fill.side.as_str(), "price": fill.price, "qty": fill.qty}))
            .collect();
        (
            symbol.to_string(),
            json!({"points": points, "fills": fills}),
        )
    };
    Value::Object(charts.iter().map(pair).collect())
}
