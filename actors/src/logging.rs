//! Logs: one JSON object a line on standard error, cleaned of secrets, written by a thread of its own.
//!
//! No file, no rotation, no waiting: a reader that stops reading costs lines, which are counted, and never a tick. The
//! one idea: a field that an event brings is never overwritten by what surrounds it.

mod collapse;
mod lines;

use crate::clock::Clock;
use crate::redact::Filter;
use collapse::Key;
use engine::time::Timestamp;
use lines::{Entry, Lines};
use serde_json::Value;
use std::fmt::{self, Write as _};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

/// Lines that may wait for the reader; one more is dropped and counted.
pub const LINES_MAX: usize = 8_192;
/// Longest time for which an operator may ask for other levels.
pub const MINUTES_MAX: u64 = 60;
/// Longest target of such a wish, bytes.
const TARGET_BYTES_MAX: usize = 64;
/// Longest line, bytes; the rest of a longer text is cut.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Fields that say whom a line is about; they stand in this order behind the fixed ones.
const CONTEXT: [&str; 6] = [
    "cycle_id",
    "symbol",
    "client_order_id",
    "order_id",
    "actor",
    "mode",
];

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, unless standard error is a terminal.
    Auto,
    /// JSON.
    Json,
    /// For people.
    Pretty,
}

/// What is logged of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// Our own code (`LOG_LEVEL`).
    pub own: Level,
    /// The HTTP client (`HTTPX_LOG_LEVEL`).
    pub client: Level,
    /// Transport: hyper, rustls, tungstenite (`HTTPCORE_LOG_LEVEL`).
    pub transport: Level,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            own: Level::INFO,
            client: Level::INFO,
            transport: Level::WARN,
        }
    }
}

impl Levels {
    fn targets(self) -> Targets {
        const OWN: [&str; 2] = ["actors", "btcbot"];
        const TRANSPORT: [&str; 4] = ["hyper", "rustls", "tungstenite", "tokio_tungstenite"];
        let own = OWN.map(|name| (name, LevelFilter::from_level(self.own)));
        let transport = TRANSPORT.map(|name| (name, LevelFilter::from_level(self.transport)));
        Targets::new()
            .with_default(LevelFilter::WARN)
            .with_target("reqwest", self.client)
            .with_targets(own)
            .with_targets(transport)
    }
}

/// A level that an operator asked for, for one target and what begins with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    target: String,
    level: Level,
}

impl Extra {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// A text that names the part that is wrong, and what is allowed.
    pub fn parse(target: &str, level: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_:".contains(&b);
        if !(1..=TARGET_BYTES_MAX).contains(&target.len()) || !target.bytes().all(plain) {
            return Err(format!(
                "target: expected a module such as actors or actors::driver, up to {TARGET_BYTES_MAX} bytes"
            ));
        }
        let level = match level {
            "error" => Level::ERROR,
            "warn" => Level::WARN,
            "info" => Level::INFO,
            "debug" => Level::DEBUG,
            "trace" => Level::TRACE,
            _ => return Err("level: expected error, warn, info, debug or trace".to_owned()),
        };
        let target = target.to_owned();
        Ok(Self { target, level })
    }
}

/// What is logged: as configured, and what an operator asked for beside it.
#[derive(Debug)]
struct Wanted {
    levels: Levels,
    /// At most one; another replaces it.
    extra: Option<Extra>,
    /// Number of the latest wish, so that the end of an older one changes nothing.
    number: u64,
}

impl Wanted {
    fn targets(&self) -> Targets {
        let extra = self
            .extra
            .iter()
            .map(|extra| (extra.target.clone(), extra.level));
        self.levels.targets().with_targets(extra)
    }
}

/// Logging of this process. Dropping it waits a moment for what is still to be written.
pub struct Logging {
    lines: Lines,
    wanted: Mutex<Wanted>,
    reload: Box<dyn Fn(Targets) + Send + Sync>,
}

/// Logging was installed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("logging is installed already")]
pub struct AlreadyInstalled;

impl Logging {
    /// Installs logging to standard error for the whole process.
    ///
    /// # Errors
    /// `AlreadyInstalled` the second time.
    pub fn install(
        clock: Clock,
        filter: Filter,
        run_id: &str,
        format: Format,
        levels: Levels,
    ) -> Result<Self, AlreadyInstalled> {
        let is_pretty = match format {
            Format::Auto => std::io::stderr().is_terminal(),
            Format::Json => false,
            Format::Pretty => true,
        };
        let lines = Lines::start(std::io::stderr(), clock.clone(), LINES_MAX);
        let layer = LogLayer {
            clock,
            filter,
            run_id: run_id.to_owned(),
            is_pretty,
            lines: lines.clone(),
        };
        let (targets, handle) = reload::Layer::new(levels.targets());
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(targets));
        tracing::subscriber::set_global_default(subscriber).map_err(|_| AlreadyInstalled)?;
        let reload = move |targets: Targets| {
            // Fails only once the subscriber is gone, at the end of the process.
            let _ = handle.reload(targets);
        };
        let wanted = Wanted {
            levels,
            extra: None,
            number: 0,
        };
        Ok(Self {
            lines,
            wanted: Mutex::new(wanted),
            reload: Box::new(reload),
        })
    }

    /// Changes what is logged; what an operator asked for beside it stays.
    pub fn set_levels(&self, levels: Levels) {
        self.want(|wanted| wanted.levels = levels);
    }

    /// Logs other levels of one target, in place of what was asked for before. Returns the number of the wish.
    pub fn set_extra(&self, extra: Extra) -> u64 {
        self.want(|wanted| {
            wanted.number += 1;
            wanted.extra = Some(extra);
        })
    }

    /// Ends the wish with this number, unless another has replaced it.
    pub fn end_extra(&self, number: u64) {
        self.want(|wanted| {
            if wanted.number == number {
                wanted.extra = None;
            }
        });
    }

    fn want(&self, change: impl FnOnce(&mut Wanted)) -> u64 {
        // Levels are whole whatever happened to their last holder.
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut wanted);
        (self.reload)(wanted.targets());
        wanted.number
    }

    /// Returns the last lines, oldest first, without secrets and each cut to a few thousand bytes.
    pub fn tail(&self) -> Vec<String> {
        self.lines.tail()
    }

    /// Returns the lines dropped so far.
    pub fn dropped(&self) -> u64 {
        self.lines.dropped()
    }

    /// Returns a counter that outlives this handle, for the metrics.
    pub fn dropped_counter(&self) -> Arc<AtomicU64> {
        self.lines.dropped_counter()
    }

    /// Waits a moment for what is still to be written.
    pub fn flush(&self) {
        self.lines.flush();
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Panics since the hook was set; a hook can carry no state to ask for later.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Returns the panics of every thread since [`log_panics`].
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Logs every panic through the filter, as one event, and calls `on_panic`: the place to close the gate.
///
/// The payload is a text of ours or of a library and may quote anything, so it is cleaned and cut like any other.
pub fn log_panics(on_panic: impl Fn() + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |info| {
        on_panic();
        PANICS.fetch_add(1, Ordering::Relaxed);
        let text = info.payload_as_str().unwrap_or("a panic without a text");
        let place = info.location().map(ToString::to_string);
        let place = place.unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        tracing::error!(event = "panic", place, thread, "{text}");
    }));
}

/// Turns events into lines.
struct LogLayer {
    clock: Clock,
    filter: Filter,
    run_id: String,
    is_pretty: bool,
    lines: Lines,
}

/// Fields in the order in which they came.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        let found = self.0.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value)
    }

    /// Adds a field unless one of that name is there: the first one stands.
    fn add(&mut self, name: &'static str, value: Value) {
        if self.get(name).is_none() && !value.is_null() {
            self.0.push((name, value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), Value::from(value));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope = context.event_scope(event);
        for span in scope.into_iter().flatten() {
            if let Some(around) = span.extensions().get::<Fields>() {
                for (name, value) in &around.0 {
                    fields.add(name, value.clone());
                }
            }
        }
        let meta = event.metadata();
        self.lines
            .put(self.entry(*meta.level(), meta.target(), fields));
    }
}

impl LogLayer {
    fn entry(&self, level: Level, target: &str, fields: Fields) -> Entry {
        let at = self.clock.now();
        let ordered = self.ordered(at, level, target, fields);
        let mut line = if self.is_pretty {
            pretty(&ordered)
        } else {
            json(&ordered)
        };
        line.push('\n');
        Entry {
            at,
            key: Key::of(level, &ordered),
            line,
        }
    }

    /// Puts the fixed fields first, those of the context behind them, and cleans every value.
    fn ordered(
        &self,
        at: Timestamp,
        level: Level,
        target: &str,
        mut fields: Fields,
    ) -> Vec<(String, Value)> {
        let mut out = vec![
            ("ts".to_owned(), Value::from(rfc3339(at))),
            ("level".to_owned(), Value::from(level.as_str())),
        ];
        let event = fields.get("event").cloned();
        let event = event.unwrap_or_else(|| Value::from("log"));
        out.push(("event".to_owned(), self.filter.clean_value("event", event)));
        if let Some(message) = fields.get("message") {
            out.push(("msg".to_owned(), self.cleaned("msg", message.clone())));
        }
        let run_id = fields.get("run_id").cloned();
        let run_id = run_id.unwrap_or_else(|| Value::from(self.run_id.as_str()));
        out.push(("run_id".to_owned(), run_id));
        out.push(("target".to_owned(), Value::from(target)));
        let place = |name: &str| CONTEXT.iter().position(|one| *one == name);
        // Stable: the event's own fields stay in the order in which it named them.
        fields
            .0
            .sort_by_key(|(name, _)| place(name).unwrap_or(CONTEXT.len()));
        for (name, value) in fields.0 {
            if matches!(name, "event" | "message" | "run_id") {
                continue;
            }
            let is_taken = matches!(name, "ts" | "level" | "msg" | "target");
            // A field of the event that has the name of a fixed one keeps its value under another name.
            let key = if is_taken {
                format!("{name}_")
            } else {
                name.to_owned()
            };
            let value = self.cleaned(name, value);
            out.push((key, value));
        }
        out
    }

    fn cleaned(&self, name: &str, value: Value) -> Value {
        match self.filter.clean_value(name, value) {
            Value::String(mut text) => {
                text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
                Value::String(text)
            }
            value => value,
        }
    }
}

fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(
        |_| at.to_string(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    )
}

fn json(fields: &[(String, Value)]) -> String {
    let mut line = String::from("{");
    for (n, (name, value)) in fields.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(line, "{comma}{}:{value}", Value::from(name.as_str()));
    }
    line.push('}');
    line
}

fn pretty(fields: &[(String, Value)]) -> String {
    let mut line = String::new();
    for (name, value) in fields {
        let text = match value {
            Value::String(text) => text.replace(['\n', '\r'], " "),
            other => other.to_string(),
        };
        let written = match name.as_str() {
            "run_id" | "target" => Ok(()),
            "ts" => write!(line, "{}", text.get(11..23).unwrap_or(&text)),
            "level" => write!(line, " {text:<5}"),
            "event" | "msg" => write!(line, " {text}"),
            _ => write!(line, " {name}={text}"),
        };
        // Writing to a string cannot fail.
        let _ = written;
    }
    line
}

#[cfg(test)]
#[path = "logging_tests.rs"]
mod tests;
