//! The last ten minutes of each pair: its price, our trades, our resting orders, and when orders were held back.
//!
//! Inline SVG in whole numbers, with its meaning as text beside it. The one idea: the right edge is the moment of the
//! picture, and every chart shows the same time, as much as there is of it.

use super::words::{decimal, grouped, list, money, span, text};
use crate::status::charts::{Chart, Charts, FillMark, POINT_MS, POINTS_MAX, Point};
use engine::market::Side;
use engine::money::Price;
use maud::{Markup, html};
use serde_json::Value;
use std::fmt::Write as _;

/// Size of the drawing, in its own units.
const WIDTH: i64 = 6_000;
const HEIGHT: i64 = 1_500;
/// Room above the highest and below the lowest price.
const MARGIN: i64 = 120;
/// Shortest time that a chart shows, milliseconds: a process that has just begun is not drawn as a wall.
const WINDOW_MS_MIN: i64 = 60_000;
/// Longest.
const WINDOW_MS_MAX: i64 = POINTS_MAX as i64 * POINT_MS;
/// Half the width of a trade's mark.
const MARK: i64 = 55;

/// Renders one chart a pair.
pub(super) fn section(document: &Value, charts: &Charts) -> Markup {
    let window = Window::of(document, charts);
    html! {
        section id="market" class="panel wide" aria-labelledby="market-title" data-part {
            h2 id="market-title" { "Market and own orders" span class="age" { "last " (span(window.ms)) } }
            @if charts.is_empty() { p class="empty" { "No market data yet." } }
            div class="charts" {
                @for (symbol, chart) in charts { (pair(document, &window, symbol.as_str(), chart)) }
            }
            @if !charts.is_empty() { (legend()) }
        }
    }
}

fn legend() -> Markup {
    html! {
        p class="legend" {
            span class="key-buy" { "▲ bought" } span class="key-sell" { "▼ sold" }
            span class="key-order" { "┄ resting order" } span class="key-held" { "▒ orders held back" }
        }
    }
}

fn pair(document: &Value, window: &Window, symbol: &str, chart: &Chart) -> Markup {
    let book = &document["books"][symbol];
    let levels: Vec<&Value> = (list(&document["orders"]).iter())
        .filter(|order| order["symbol"] == symbol)
        .collect();
    let is_trusted = book["trusted"] == Value::Bool(true);
    html! {
        figure class=(if is_trusted { "chart" } else { "chart stale" }) {
            figcaption {
                strong { (symbol) }
                @if is_trusted {
                    span { "bid " b { (decimal(&book["bid"])) } } span { "ask " b { (decimal(&book["ask"])) } " TRY" }
                } @else { span class="bad" { "not trusted: " (text(&book["why"])) } }
            }
            @match Frame::of(window, chart) {
                Some(frame) => { (drawing(&frame, symbol, chart, &levels)) (edges(&frame)) }
                None => { p class="empty" { "No trusted price in this time." } }
            }
        }
    }
}

fn edges(frame: &Frame) -> Markup {
    html! {
        p class="edges" {
            span { "low " (shown(frame.low)) } span { "high " (shown(frame.high)) } span { "now " (super::words::time_of_day(&Value::from(frame.window.now))) }
        }
    }
}

fn shown(price: Price) -> String {
    grouped(&price.to_string())
}

/// The time that every chart shows.
#[derive(Clone, Copy)]
struct Window {
    now: i64,
    ms: i64,
}

impl Window {
    fn of(document: &Value, charts: &Charts) -> Self {
        let points = || charts.values().flat_map(|chart| &chart.points);
        let last = points().map(|point| point.at.0).max().unwrap_or(0);
        let now = document["taken_us"].as_i64().unwrap_or(last);
        let priced = points().filter(|point| point.mid.is_some());
        let first = priced.map(|point| point.at.0).min().unwrap_or(now);
        let ms = now.saturating_sub(first) / 1_000;
        Self {
            now,
            ms: ms.clamp(WINDOW_MS_MIN, WINDOW_MS_MAX),
        }
    }

    /// The place of a moment; negative if it lies before the window.
    fn x(&self, at_us: i64) -> i64 {
        let age_ms = self.now.saturating_sub(at_us) / 1_000;
        WIDTH - age_ms.saturating_mul(WIDTH) / self.ms
    }
}

/// From prices and moments to places.
struct Frame {
    window: Window,
    low: Price,
    high: Price,
}

impl Frame {
    fn of(window: &Window, chart: &Chart) -> Option<Self> {
        let mids = chart.points.iter().filter_map(|point| point.mid);
        let fills = chart.fills.iter().map(|fill| fill.price);
        let widen = |seen: Option<(Price, Price)>, price: Price| {
            let (low, high) = seen.unwrap_or((price, price));
            Some((low.min(price), high.max(price)))
        };
        let (low, high) = mids.chain(fills).fold(None, widen)?;
        Some(Self {
            window: *window,
            low,
            high,
        })
    }

    fn y(&self, price: Price) -> i64 {
        let (low, high) = (i128::from(self.low.units()), i128::from(self.high.units()));
        let room = i128::from(HEIGHT - 2 * MARGIN);
        let above = high - i128::from(price.units());
        let place = match high - low {
            0 => room / 2,
            height => above * room / height,
        };
        // What lies outside is drawn on the edge.
        i64::try_from(place + i128::from(MARGIN))
            .unwrap_or(HEIGHT)
            .clamp(0, HEIGHT)
    }
}

fn drawing(frame: &Frame, symbol: &str, chart: &Chart, levels: &[&Value]) -> Markup {
    let title = format!(
        "{symbol}: {} to {} TRY, {} own trades, {} resting orders",
        shown(frame.low),
        shown(frame.high),
        chart.fills.len(),
        levels.len(),
    );
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
            title { (title) }
            @for (from, to) in held(frame, chart) {
                rect class="held" x=(from) y="0" width=(to - from) height=(HEIGHT) {}
            }
            path class="price" d=(line(frame, chart)) {}
            @for order in levels { (level(frame, order)) }
            @for fill in &chart.fills { @if frame.window.x(fill.at.0) >= 0 { (mark(frame, fill)) } }
        }
    }
}

/// The price as one path; a second without a trusted book is a gap.
fn line(frame: &Frame, chart: &Chart) -> String {
    let mut path = String::new();
    let mut is_down = false;
    for point in &chart.points {
        let Some(mid) = point.mid.filter(|_| frame.window.x(point.at.0) >= 0) else {
            is_down = false;
            continue;
        };
        let letter = if is_down { 'L' } else { 'M' };
        is_down = true;
        // Writing to a string cannot fail.
        let _ = write!(
            path,
            "{letter}{} {}",
            frame.window.x(point.at.0),
            frame.y(mid)
        );
    }
    path
}

/// Stretches in which a mode held orders back.
fn held(frame: &Frame, chart: &Chart) -> Vec<(i64, i64)> {
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for Point { at, is_held, .. } in &chart.points {
        let to = frame.window.x(at.0).max(0);
        let from = frame.window.x(at.0 - POINT_MS * 1_000).max(0);
        match stretches.last_mut() {
            _ if !is_held => {}
            Some((_, end)) if from - *end <= to - from => *end = to,
            Some(_) | None => stretches.push((from, to)),
        }
    }
    stretches
}

fn level(frame: &Frame, order: &Value) -> Markup {
    let price = order["price"]
        .as_str()
        .and_then(|text| Price::parse(text).ok());
    let side = text(&order["side"]);
    html! {
        @if let Some(price) = price {
            @let y = frame.y(price);
            line class=(if side == "buy" { "level buy" } else { "level sell" }) x1="0" x2=(WIDTH) y1=(y) y2=(y) {
                title { (side) " " (text(&order["qty"])) " at " (money(&order["price"])) }
            }
        }
    }
}

/// A triangle: up for a purchase, below its price; down for a sale, above it.
fn mark(frame: &Frame, fill: &FillMark) -> Markup {
    let (x, y) = (frame.window.x(fill.at.0), frame.y(fill.price));
    let (class, height) = match fill.side {
        Side::Buy => ("mark buy", 2 * MARK),
        Side::Sell => ("mark sell", -2 * MARK),
    };
    let path = format!("M{x} {y}l{} {height}h{}z", -MARK, 2 * MARK);
    html! {
        path class=(class) d=(path) { title { (fill.side.as_str()) " " (fill.qty) " at " (shown(fill.price)) } }
    }
}
