//! What a replay prints: one object for programs, a short table for people.
//!
//! Everything that shaped the result stands beside it; money and other decimals are text.

use super::parameters;
use super::tally::{Tally, hex};
use crate::cli::report::Report;
use engine::desk::paper::Paper;
use engine::ids::Symbol;
use engine::instrument::Instrument;
use engine::intent::StrategyKind;
use engine::market::{Level, Side};
use engine::money::{Amount, Price};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const US_PER_MS: i64 = 1_000;
const MS_PER_SECOND: i64 = 1_000;
const US_PER_SECOND: u128 = 1_000_000;

/// The end of a replay.
pub struct Answer {
    pub file: String,
    pub lines: u64,
    pub is_complete: bool,
    /// The ledger equals the venue to the last unit.
    pub is_balanced: bool,
    pub strategy: StrategyKind,
    pub cash: Amount,
    pub coins: Amount,
    /// At least one, by name.
    pub instruments: Vec<Instrument>,
    pub frames: BTreeMap<u16, u64>,
    pub full_frames: u64,
    pub mismatches: u64,
    pub recorded_us: i64,
    pub elapsed_us: i64,
    /// Pairs that were counted and not followed.
    pub skipped: BTreeSet<Symbol>,
    pub paper: Paper,
    pub tally: Tally,
}

/// What is there of one pair in the end.
pub(super) struct PairEnd {
    pub(super) symbol: Symbol,
    pub(super) bids: usize,
    pub(super) asks: usize,
    pub(super) best_bid: Option<Level>,
    pub(super) best_ask: Option<Level>,
    sha256: String,
    pub(super) position: Amount,
    mark: Option<Price>,
}

impl Answer {
    /// Returns the report.
    pub fn report(&self) -> Report {
        Report {
            command: "replay",
            ok: self.is_complete && self.is_balanced,
            data: self.data(),
            warnings: self.warnings(),
        }
    }

    fn data(&self) -> Value {
        let (tally, ledger) = (&self.tally, self.paper.desk().gate().ledger());
        let pairs: Vec<PairEnd> = self.instruments.iter().map(|i| self.pair(i)).collect();
        let frames: BTreeMap<String, u64> = self
            .frames
            .iter()
            .map(|(kind, count)| (kind.to_string(), *count))
            .collect();
        json!({
            "complete": self.is_complete,
            "file": self.file,
            "lines": self.lines,
            "frames": frames,
            "level_changes": self.level_changes(),
            "book": self.book(),
            "pairs": pairs.iter().map(PairEnd::json).collect::<Vec<_>>(),
            "strategy": self.strategy.as_str(),
            "intents": tally.intents,
            "denied": tally.denied,
            "orders": tally.orders,
            "orders_by_state": tally.orders_by_state(),
            "cancels": tally.cancels,
            "fills": tally.fills(),
            "buys": tally.buys,
            "sells": tally.sells,
            "decision_hash": tally.decision_hash(),
            "equity_start": text(self.equity_start()),
            "equity_end": text(self.equity_end()),
            "cash_end": ledger.balance(self.first().quote).to_string(),
            "position": ledger.balance(self.first().base).to_string(),
            "realised_pnl": ledger.realised_net().to_string(),
            "fees": tally.fees.to_string(),
            "tax": tally.tax.to_string(),
            "mode_strictest": tally.mode.as_str(),
            "ledger_equals_venue": self.is_balanced,
            "recorded_s": seconds(self.recorded_us),
            "elapsed_s": seconds(self.elapsed_us),
            "level_changes_per_s": self.level_changes_per_s(),
            "parameters": self.parameters(),
        })
    }

    /// The book of the first pair, and what happened to all books.
    fn book(&self) -> Value {
        let stats = self.paper.desk().books().stats();
        let mut book = self.pair(self.first()).json();
        let figures = [
            ("crossed", stats.crossed),
            ("resyncs", stats.resyncs),
            ("anomalies", stats.anomalies),
            ("full_frames", self.full_frames),
            ("mismatches", self.mismatches),
        ];
        for (name, figure) in figures {
            book[name] = json!(figure);
        }
        book
    }

    pub(super) fn parameters(&self) -> Value {
        let mut parameters = parameters::describe(self.strategy);
        parameters["instruments"] = json!(self.instruments);
        parameters["cash"] = json!(self.cash.to_string());
        parameters["coins"] = json!(self.coins.to_string());
        parameters["quote"] = json!(self.first().quote.to_string());
        parameters
    }

    pub(super) fn first(&self) -> &Instrument {
        self.instruments
            .first()
            .expect("a recording without a book is refused")
    }

    pub(super) fn pair(&self, rules: &Instrument) -> PairEnd {
        let (books, symbol) = (self.paper.desk().books(), rules.symbol);
        PairEnd {
            symbol,
            bids: books.levels(symbol, Side::Buy).count(),
            asks: books.levels(symbol, Side::Sell).count(),
            best_bid: books.levels(symbol, Side::Buy).next(),
            best_ask: books.levels(symbol, Side::Sell).next(),
            sha256: hex(&Sha256::digest(books.dump(symbol))),
            position: self.paper.desk().gate().ledger().balance(rules.base),
            mark: self.tally.marks.get(&symbol).map(|(_, last)| *last),
        }
    }

    pub(super) fn level_changes(&self) -> u64 {
        self.paper.desk().books().stats().level_changes
    }

    pub(super) fn level_changes_per_s(&self) -> u64 {
        let elapsed_us = u128::try_from(self.elapsed_us).unwrap_or(0).max(1);
        let per_s = u128::from(self.level_changes()) * US_PER_SECOND / elapsed_us;
        u64::try_from(per_s).unwrap_or(u64::MAX)
    }

    /// Cash and coins at the first mark of their pair; `None` while coins have no mark.
    pub(super) fn equity_start(&self) -> Option<Amount> {
        let coins = |_: &Instrument| self.coins;
        self.equity(self.cash, coins, |(first, _)| first)
    }

    /// Cash and coins at the last mark of their pair.
    pub(super) fn equity_end(&self) -> Option<Amount> {
        let ledger = self.paper.desk().gate().ledger();
        let cash = ledger.balance(self.first().quote);
        let coins = |rules: &Instrument| ledger.balance(rules.base);
        self.equity(cash, coins, |(_, last)| last)
    }

    fn equity(
        &self,
        cash: Amount,
        coins: impl Fn(&Instrument) -> Amount,
        mark: impl Fn((Price, Price)) -> Price,
    ) -> Option<Amount> {
        let values = self.instruments.iter().map(|rules| {
            let held = coins(rules);
            if held == Amount::ZERO {
                return Some(Amount::ZERO);
            }
            let price = mark(*self.tally.marks.get(&rules.symbol)?);
            Some(price.value(held.to_qty()?))
        });
        let coins: Option<Vec<Amount>> = values.collect();
        Some(cash + coins?.into_iter().sum())
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let stats = self.paper.desk().books().stats();
        let mut warnings = Vec::new();
        if !self.is_complete {
            let lines = self.lines;
            warnings.push(format!(
                "interrupted at line {lines}: the figures cover what was read"
            ));
        }
        if !self.is_balanced {
            warnings.push("the ledger and the simulated venue do not agree".to_owned());
        }
        if stats.resyncs > 0 {
            let times = stats.resyncs;
            warnings.push(format!(
                "the book lost its trust and asked {times} times for a full one, which a recording cannot give"
            ));
        }
        if self.mismatches > 0 {
            let (bad, all) = (self.mismatches, self.full_frames);
            warnings.push(format!(
                "{bad} of {all} full books differ from the book that was held"
            ));
        }
        for symbol in &self.skipped {
            warnings.push(format!(
                "{symbol} has no full book near the start and is not followed"
            ));
        }
        warnings
    }
}

impl PairEnd {
    fn json(&self) -> Value {
        let level = |level: Option<Level>| {
            level.map(|level| json!([level.price.to_string(), level.qty.to_string()]))
        };
        json!({
            "symbol": self.symbol,
            "bids": self.bids,
            "asks": self.asks,
            "best_bid": level(self.best_bid),
            "best_ask": level(self.best_ask),
            "sha256": self.sha256,
            "position": self.position.to_string(),
            "mark": self.mark.map(|mark| mark.to_string()),
        })
    }
}

pub fn text(amount: Option<Amount>) -> Value {
    amount.map_or(Value::Null, |amount| json!(amount.to_string()))
}

/// Writes microseconds as seconds with three decimals.
pub fn seconds(us: i64) -> String {
    let ms = us.max(0) / US_PER_MS;
    format!("{}.{:03}", ms / MS_PER_SECOND, ms % MS_PER_SECOND)
}
