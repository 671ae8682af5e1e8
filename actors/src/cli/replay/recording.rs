//! A recording, line by line: `{"ts_ns": int, "frame": [type, {...}]}`, plain or gzip.
//!
//! Every complaint names file and line. The frame's text goes to the codec as it stands; nothing is built twice.

use crate::cli::exit::{Exit, Failed};
use btcturk::ws::{self, FRAME_BYTES_MAX, Frame};
use engine::ids::Symbol;
use engine::market::{MarketEvent, Ticker};
use engine::time::Timestamp;
use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest line: a frame and its stamp.
const LINE_BYTES_MAX: usize = FRAME_BYTES_MAX + 1_024;
/// Longest hole between two frames, milliseconds: one that is longer is two recordings, or a wrong clock.
const HOLE_MS_MAX: i64 = 86_400_000;
/// How much is read at once.
const BUFFER_BYTES: usize = 1 << 18;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const NS_PER_US: i64 = 1_000;
/// What every line must look like.
const EXPECTED: &str =
    r#"expected {"ts_ns": nanoseconds since 1970, "frame": [type, {...}]} on one line"#;

/// One frame with the moment at which it was received.
pub struct Row {
    pub at: Timestamp,
    /// Element 0 of the frame.
    pub kind: u16,
    pub body: Body,
}

/// The part of a frame that a replay uses.
pub enum Body {
    Market(MarketEvent),
    Tickers(Vec<Ticker>),
    /// Acknowledgements, greetings and everything of the recorder's own account.
    Other,
}

impl Row {
    /// Returns the pair whose book the frame shows.
    pub fn book_of(&self) -> Option<Symbol> {
        match &self.body {
            Body::Market(MarketEvent::Full(full)) => Some(full.symbol),
            Body::Market(
                MarketEvent::Diff(_)
                | MarketEvent::Trade(_)
                | MarketEvent::Trades(_)
                | MarketEvent::Ticker(_),
            )
            | Body::Tickers(_)
            | Body::Other => None,
        }
    }
}

/// Returns the pair of an event; `None` for an empty list of trades.
pub fn symbol_of(event: &MarketEvent) -> Option<Symbol> {
    match event {
        MarketEvent::Full(full) => Some(full.symbol),
        MarketEvent::Diff(diff) => Some(diff.symbol),
        MarketEvent::Trade(trade) => Some(trade.symbol),
        MarketEvent::Trades(trades) => trades.first().map(|trade| trade.symbol),
        MarketEvent::Ticker(ticker) => Some(ticker.symbol),
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    ts_ns: i64,
    #[serde(borrow)]
    frame: &'a RawValue,
}

/// A file that is being read.
pub struct Recording {
    name: String,
    source: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    line: u64,
    last_ns: Option<i64>,
    bytes: u64,
    bytes_read: Arc<AtomicU64>,
}

impl Recording {
    /// Opens a file; gzip is recognised by its first bytes.
    pub fn open(path: &Path) -> Result<Self, Failed> {
        let name = path.display().to_string();
        let failed = |error: io::Error| {
            Failed::new(Exit::Failure, format!("{name}: cannot be read: {error}"))
        };
        let file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let bytes_read = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            file,
            bytes: Arc::clone(&bytes_read),
        };
        let mut raw = BufReader::with_capacity(BUFFER_BYTES, counted);
        let is_gzip = raw.fill_buf().map_err(failed)?.starts_with(&GZIP_MAGIC);
        let source: Box<dyn BufRead + Send> = if is_gzip {
            Box::new(BufReader::with_capacity(
                BUFFER_BYTES,
                MultiGzDecoder::new(raw),
            ))
        } else {
            Box::new(raw)
        };
        Ok(Self {
            name,
            source,
            buffer: Vec::new(),
            line: 0,
            last_ns: None,
            bytes,
            bytes_read,
        })
    }

    /// Returns the file's name as it was typed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how much of the file is read, for somebody who watches; it goes on counting.
    pub fn gauge(&self) -> Gauge {
        Gauge {
            bytes: self.bytes,
            bytes_read: Arc::clone(&self.bytes_read),
        }
    }

    /// Reads the next frame; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Row>, Failed> {
        if !self.fill()? {
            return Ok(None);
        }
        let text = std::str::from_utf8(&self.buffer)
            .map_err(|_| self.broken("not UTF-8 text", EXPECTED))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(self.broken("an empty line", EXPECTED));
        }
        let line: Line<'_> = serde_json::from_str(text).map_err(|error| self.no_line(&error))?;
        let (ts_ns, frame) = (line.ts_ns, line.frame.get());
        self.judge_time(ts_ns)?;
        let kind = kind_of(frame).ok_or_else(|| {
            self.broken("the frame has no type", "expected \"frame\": [type, {...}]")
        })?;
        let decoded = ws::decode(frame).map_err(|error| {
            self.broken(
                &error.to_string(),
                "expected a frame as the exchange sends it",
            )
        })?;
        self.last_ns = Some(ts_ns);
        Ok(Some(Row {
            at: Timestamp(ts_ns / NS_PER_US),
            kind,
            body: body(decoded.frame),
        }))
    }

    /// Reads one line into the buffer; false at the end.
    fn fill(&mut self) -> Result<bool, Failed> {
        self.buffer.clear();
        let mut limited = (&mut self.source).take(LINE_BYTES_MAX as u64 + 1);
        let result = limited.read_until(b'\n', &mut self.buffer);
        let is_first = self.line == 0;
        self.line += 1;
        let count = result.map_err(|error| self.unreadable(&error))?;
        if count > LINE_BYTES_MAX {
            return Err(self.broken(&format!("longer than {LINE_BYTES_MAX} bytes"), EXPECTED));
        }
        if count == 0 {
            self.line -= 1;
            if is_first {
                let message = format!("{}: is empty; {EXPECTED}", self.name);
                return Err(Failed::new(Exit::Failure, message));
            }
        }
        Ok(count > 0)
    }

    fn judge_time(&self, ts_ns: i64) -> Result<(), Failed> {
        if ts_ns < 0 {
            return Err(self.broken("ts_ns is negative", EXPECTED));
        }
        let Some(last_ns) = self.last_ns else {
            return Ok(());
        };
        if ts_ns < last_ns {
            return Err(self.broken(
                &format!("ts_ns {ts_ns} is before {last_ns} of the line above"),
                "expected stamps that never fall",
            ));
        }
        let hole_ms = Timestamp(ts_ns / NS_PER_US).ms_since(Timestamp(last_ns / NS_PER_US));
        if hole_ms > HOLE_MS_MAX {
            return Err(self.broken(
                &format!("{hole_ms} ms after the line above"),
                "expected a hole of a day at most",
            ));
        }
        Ok(())
    }

    /// Says what is wrong with the last line that was read.
    fn broken(&self, what: &str, expected: &str) -> Failed {
        let message = format!("{}: line {}: {what}; {expected}", self.name, self.line);
        Failed::new(Exit::Failure, message)
    }

    fn no_line(&self, error: &serde_json::Error) -> Failed {
        let what = match error.classify() {
            Category::Syntax => "not JSON",
            Category::Eof => "the JSON ends too early",
            Category::Data => "a member is missing or has the wrong type",
            Category::Io => "unreadable",
        };
        self.broken(&format!("{what} at column {}", error.column()), EXPECTED)
    }

    fn unreadable(&self, error: &io::Error) -> Failed {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.broken(
                "the gzip file ends too early",
                "expected a complete file: it was cut or is still being written",
            ),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                let what = format!("the gzip file is damaged ({error})");
                self.broken(&what, "expected a whole gzip file or plain text")
            }
            _ => self.broken(&error.to_string(), "expected a file that can be read"),
        }
    }
}

/// Reads element 0 of a frame.
fn kind_of(frame: &str) -> Option<u16> {
    let rest = frame.trim_start().strip_prefix('[')?.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

fn body(frame: Frame) -> Body {
    match frame {
        Frame::Market(event) => Body::Market(event),
        Frame::Tickers(tickers) => Body::Tickers(tickers),
        Frame::Private(_)
        | Frame::Ack { .. }
        | Frame::Version { .. }
        | Frame::Notice { .. }
        | Frame::Ignored(_)
        | Frame::Unknown(_) => Body::Other,
    }
}

/// How much of a file was read, packed as it is.
pub struct Gauge {
    bytes: u64,
    bytes_read: Arc<AtomicU64>,
}

impl Gauge {
    /// Returns the size of the file; zero for a pipe.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns how much was read.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }
}

/// A file that counts what was read of it.
struct Counted {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
