//! `replay`: runs a strategy over a recorded order book, in recorded time, against the fill model.
//!
//! The whole decision path of a live run, on one thread and without a clock: the same recording and the same
//! parameters give the same decisions on every machine, and the hash of all of them says so.

mod ahead;
mod answer;
mod parameters;
mod progress;
mod recording;
mod rules;
mod table;
mod tally;

use crate::cli::ReplayArgs;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::clock::Clock;
use crate::signals::{Event, Signal, Signals};
use ahead::{Ahead, Next};
use answer::Answer;
use engine::desk::paper::Paper;
use engine::ids::{Asset, Symbol};
use engine::instrument::Instrument;
use engine::intent::StrategyKind;
use engine::market::{BookFull, MarketEvent, Side};
use engine::money::Amount;
use engine::time::Timestamp;
use parameters::Account;
use progress::Progress;
use recording::{Body, Recording, Row};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tally::Tally;

/// Frames that are read ahead to learn which pairs the recording holds; a pair that first appears later is counted
/// and not followed.
const HEAD_FRAMES: usize = 1_000;
/// Most opening cash and coins: the sums of a long run must fit.
const OPENING_MAX: i64 = 1_000_000_000_000;

/// What was asked for, checked.
struct Request {
    file: PathBuf,
    rules: Option<PathBuf>,
    strategy: StrategyKind,
    cash: Amount,
    coins: Amount,
}

/// Replays a recording.
///
/// # Errors
/// Exit 2 for a strategy or an amount that makes no sense; 1 for a file that is missing, damaged or without a book, with
/// the number of the line; 3 if the ledger and the simulated venue do not agree in the end.
pub fn replay(args: &ReplayArgs, signals: Signals) -> Outcome {
    let request = Request::of(args)?;
    let stop = watch_stop(signals)?;
    let clock = Clock::start();
    let started = clock.now();
    let mut run = Run::open(&request, &clock, &stop)?;
    let is_complete = run.play(&stop)?;
    let elapsed_us = clock.now().0.saturating_sub(started.0);
    let answer = run.finish(&request, is_complete, elapsed_us);
    answer.report().print(args.json, &answer.text())?;
    Ok(match (is_complete, answer.is_balanced) {
        (false, _) => Exit::Interrupted,
        (true, false) => Exit::CheckFailed,
        (true, true) => Exit::Ok,
    })
}

impl Request {
    fn of(args: &ReplayArgs) -> Result<Self, Failed> {
        Ok(Self {
            file: args.file.clone(),
            rules: args.rules.clone(),
            strategy: strategy(&args.strategy)?,
            cash: opening("--cash", &args.cash)?,
            coins: opening("--coins", &args.coins)?,
        })
    }
}

fn strategy(name: &str) -> Result<StrategyKind, Failed> {
    StrategyKind::parse(name).ok_or_else(|| {
        let known = StrategyKind::ALL.map(StrategyKind::as_str).join(" or ");
        Failed::new(Exit::Usage, format!("--strategy {name}: expected {known}"))
    })
}

fn opening(flag: &str, text: &str) -> Result<Amount, Failed> {
    let most = Amount::from_whole(OPENING_MAX);
    let refused = |why: String| {
        let message = format!("{flag} {text}: {why}; expected a plain decimal from 0 to {most}");
        Failed::new(Exit::Usage, message)
    };
    let amount = Amount::parse(text).map_err(|error| refused(error.to_string()))?;
    if amount.is_negative() || amount > most {
        return Err(refused("out of range".to_owned()));
    }
    Ok(amount)
}

/// Watches for a stop on a thread of its own; a second one ends the process, whatever it is waiting for.
fn watch_stop(mut signals: Signals) -> Result<Arc<AtomicBool>, Failed> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let watch = move || {
        while let Some(event) = signals.next_blocking() {
            match event {
                Event::Signal(Signal::Int | Signal::Term | Signal::Quit) => {
                    flag.store(true, Ordering::Relaxed);
                }
                Event::StopNow => std::process::exit(i32::from(Exit::Interrupted.code())),
                // They ask something of an engine; here is none.
                Event::Signal(Signal::Usr1 | Signal::Usr2 | Signal::Hup) => {}
            }
        }
    };
    std::thread::Builder::new()
        .name("replay-stop".to_owned())
        .spawn(watch)
        .map_err(|error| Failed::new(Exit::Internal, format!("no thread: {error}")))?;
    Ok(stop)
}

/// A replay on its way.
struct Run {
    file: String,
    /// Frames that were read to learn the pairs.
    head: VecDeque<Row>,
    rest: Ahead,
    lines: u64,
    instruments: Vec<Instrument>,
    paper: Paper,
    tally: Tally,
    progress: Progress,
    frames: BTreeMap<u16, u64>,
    checks: FullChecks,
    first_at: Timestamp,
    skipped: BTreeSet<Symbol>,
}

/// Full books after the first of their pair, and how many of them were not the book that was held.
#[derive(Default)]
struct FullChecks {
    seen: BTreeSet<Symbol>,
    compared: u64,
    mismatches: u64,
}

impl Run {
    fn open(request: &Request, clock: &Clock, stop: &AtomicBool) -> Result<Self, Failed> {
        let table = rules::table(request.rules.as_deref())?;
        let recording = Recording::open(&request.file)?;
        let file = recording.name().to_owned();
        let progress = Progress::new(recording.gauge(), clock.clone());
        let mut rows = Ahead::start(recording)?;
        let head = read_head(&file, &mut rows, stop)?;
        let first_at = head.front().map(|row| row.at).unwrap_or_default();
        let instruments = instruments(&file, &head, &table)?;
        let quote = one_quote(&file, &instruments)?;
        let account = Account {
            strategy: request.strategy,
            quote,
            cash: request.cash,
            coins: request.coins,
        };
        let mut tally = Tally::default();
        let (desk, venue) = parameters::build(&account, &instruments, first_at);
        let paper = Paper::start(desk, venue, &instruments, first_at, &mut tally);
        Ok(Self {
            file,
            head,
            rest: rows,
            lines: 0,
            instruments,
            paper,
            tally,
            progress,
            frames: BTreeMap::new(),
            checks: FullChecks::default(),
            first_at,
            skipped: BTreeSet::new(),
        })
    }

    /// Takes every frame; returns false if it was told to stop before the end.
    fn play(&mut self, stop: &AtomicBool) -> Result<bool, Failed> {
        while let Some(row) = self.head.pop_front() {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            self.take(row);
        }
        loop {
            match self.rest.next(stop)? {
                Next::Row(row) => self.take(row),
                Next::End => return Ok(true),
                Next::Stopped => return Ok(false),
            }
        }
    }

    fn take(&mut self, row: Row) {
        self.lines += 1;
        self.progress.frame();
        *self.frames.entry(row.kind).or_default() += 1;
        match row.body {
            Body::Market(event) => self.market(row.at, event),
            Body::Tickers(tickers) => {
                for ticker in tickers {
                    self.market(row.at, MarketEvent::Ticker(ticker));
                }
            }
            Body::Other => self.paper.take_other(row.at, &mut self.tally),
        }
    }

    fn market(&mut self, at: Timestamp, event: MarketEvent) {
        let symbol = recording::symbol_of(&event);
        let is_followed =
            |symbol: &Symbol| self.instruments.iter().any(|rules| rules.symbol == *symbol);
        if let Some(stranger) = symbol.filter(|symbol| !is_followed(symbol)) {
            self.skipped.insert(stranger);
            return self.paper.take_other(at, &mut self.tally);
        }
        if let MarketEvent::Full(full) = &event {
            self.checks.compare(&self.paper, full);
        }
        self.paper.take(at, event, &mut self.tally);
    }

    fn finish(self, request: &Request, is_complete: bool, elapsed_us: i64) -> Answer {
        self.progress.finish();
        Answer {
            file: self.file,
            lines: self.lines,
            is_complete,
            is_balanced: self.paper.is_balanced(),
            strategy: request.strategy,
            cash: request.cash,
            coins: request.coins,
            instruments: self.instruments,
            frames: self.frames,
            full_frames: self.checks.compared,
            mismatches: self.checks.mismatches,
            recorded_us: self.paper.now().0.saturating_sub(self.first_at.0),
            elapsed_us,
            skipped: self.skipped,
            paper: self.paper,
            tally: self.tally,
        }
    }
}

impl FullChecks {
    /// Compares level by level, before the frame is taken: what the differences made must be what is sent.
    fn compare(&mut self, paper: &Paper, full: &BookFull) {
        if self.seen.insert(full.symbol) {
            return;
        }
        let books = paper.desk().books();
        let is_equal = |side, sent: &[_]| books.levels(full.symbol, side).eq(sent.iter().copied());
        self.compared += 1;
        let agrees = is_equal(Side::Buy, &full.bids) && is_equal(Side::Sell, &full.asks);
        self.mismatches += u64::from(!agrees);
    }
}

fn read_head(file: &str, rows: &mut Ahead, stop: &AtomicBool) -> Result<VecDeque<Row>, Failed> {
    let mut head = VecDeque::with_capacity(HEAD_FRAMES);
    while head.len() < HEAD_FRAMES {
        match rows.next(stop)? {
            Next::Row(row) => head.push_back(row),
            Next::End => break,
            Next::Stopped => {
                let message = format!("{file}: interrupted before the first frame was replayed");
                return Err(Failed::new(Exit::Interrupted, message));
            }
        }
    }
    Ok(head)
}

/// The rules of every pair whose book the head of the recording shows, by name.
fn instruments(
    file: &str,
    head: &VecDeque<Row>,
    table: &BTreeMap<Symbol, Instrument>,
) -> Result<Vec<Instrument>, Failed> {
    let symbols: BTreeSet<Symbol> = head.iter().filter_map(Row::book_of).collect();
    if symbols.is_empty() {
        let message = format!(
            "{}: no order book in the first {} frames; expected a full book (frame 431) of the pair to be replayed",
            file,
            head.len()
        );
        return Err(Failed::new(Exit::Failure, message));
    }
    let rules = |symbol: Symbol| {
        table.get(&symbol).copied().ok_or_else(|| {
            let known: Vec<&str> = table.keys().map(Symbol::as_str).collect();
            let message = format!(
                "{}: no rules for {symbol}; known are {}; give them with --rules FILE",
                file,
                known.join(", ")
            );
            Failed::new(Exit::Failure, message)
        })
    };
    symbols.into_iter().map(rules).collect()
}

/// One account has one quote currency, in which all limits and the equity are.
fn one_quote(file: &str, instruments: &[Instrument]) -> Result<Asset, Failed> {
    let quotes: BTreeSet<Asset> = instruments.iter().map(|rules| rules.quote).collect();
    match (quotes.first(), quotes.len()) {
        (Some(quote), 1) => Ok(*quote),
        (Some(_) | None, _) => {
            let names: Vec<&str> = quotes.iter().map(Asset::as_str).collect();
            let message = format!(
                "{}: pairs in {}; expected pairs of one quote currency",
                file,
                names.join(" and ")
            );
            Err(Failed::new(Exit::Failure, message))
        }
    }
}
