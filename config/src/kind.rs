//! What the value of a key may be, and how text and TOML are turned into its one canonical form.
//!
//! Reading answers with the value or with nothing: the caller prints the expectation, never the text it read.
//! Free text is reduced here (an unreadable date becomes `unreadable`, a wrong acknowledgement `wrong`), so that a
//! secret pasted under such a name is gone before anything can print it.

use crate::claims::Claim;
use crate::endpoint::{Endpoint, Scheme};
use crate::names::ACK_PHRASE;
use crate::settings::SYMBOLS_MAX;
use engine::ids::Symbol;
use engine::money::Amount;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use toml::de::DeValue;

/// Largest amount that is accepted, in whole TRY; keeps every later product inside its type.
const AMOUNT_WHOLE_MAX: i64 = 1_000_000_000_000;
/// Longest path, the limit of the kernel.
const PATH_LEN_MAX: usize = 4_096;

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Exactly `true` or `false`.
    Bool,
    /// A whole number.
    Int {
        /// Least value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A decimal amount above zero.
    Positive,
    /// A decimal amount of zero or more.
    NotNegative,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A metrics exporter.
    Exporter,
    /// A log level, in either naming.
    Level,
    /// The acknowledgement; any other text is kept as `wrong` only.
    Phrase,
    /// A date or a time; unreadable text is kept as `unreadable` only.
    Moment,
    /// Rights of a key; unknown ones are kept as `other` only.
    Scopes,
    /// The pairs to trade.
    Symbols,
    /// Which strategies run and what they own.
    Strategies,
    /// An address of the exchange.
    Url(Scheme),
    /// An address of a receiver of ours, or none.
    OptionalUrl,
    /// An IP address.
    Address,
    /// A path that must be given.
    Dir,
    /// A path that may be missing.
    OptionalPath,
    /// Names of this machine, as the `Host` header of a request has them.
    Hosts,
}

/// A value in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    /// A switch.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text, also a decimal amount.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::List(values) => f.write_str(&values.join(",")),
        }
    }
}

impl Kind {
    /// Returns what is expected, as the end of a sentence without a value.
    pub fn expectation(self) -> String {
        let fixed = match self {
            Self::Bool => "expected true or false",
            Self::Int { min, max } => {
                return format!("expected a whole number from {min} to {max}");
            }
            Self::Positive => "expected a decimal text above 0, such as \"100.5\"",
            Self::NotNegative => "expected a decimal text of at least 0, such as \"100.5\"",
            Self::Choice(words) => return format!("expected one of {}", words.join(", ")),
            Self::Exporter => "expected one of none, prometheus, otlp",
            Self::Level => "expected one of error, warn, info, debug, trace",
            Self::Phrase => "expected text",
            Self::Moment => "expected a date or an RFC 3339 time as text",
            Self::Scopes => "expected a list of scopes, such as read and trade",
            Self::Symbols => "expected 1 to 10 different pairs, such as BTCTRY",
            Self::Strategies => {
                "expected a list of market_maker or mean_reversion, each alone or as name:PAIR+PAIR"
            }
            Self::Url(Scheme::Http) => {
                "expected an https address without user or query; http only on loopback, such as http://127.0.0.1:8080"
            }
            Self::Url(Scheme::Ws) => {
                "expected a wss address without user or query; ws only on loopback, such as ws://127.0.0.1:8080"
            }
            Self::OptionalUrl => {
                "expected an https address without user or query, or nothing; http only on loopback, such as http://127.0.0.1:4318"
            }
            Self::Address => "expected an IP address",
            Self::Dir | Self::OptionalPath => "expected a path",
            Self::Hosts => {
                "expected up to 8 host names without port, such as btcbot, with parts of up to 30 characters"
            }
        };
        fixed.to_owned()
    }

    /// Returns whether values are lists.
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::Scopes | Self::Symbols | Self::Strategies | Self::Hosts
        )
    }

    /// Reads the text of an environment variable, a dotenv line or a flag; lists are separated by commas.
    pub fn read_text(self, text: &str) -> Option<Plain> {
        if self.is_list() {
            let items: Vec<&str> = text.split(',').map(str::trim).collect();
            return self.read_list(&items);
        }
        self.read_word(text)
    }

    /// Reads a TOML value; its TOML type must fit.
    pub(crate) fn read_toml(self, value: &DeValue<'_>) -> Option<Plain> {
        match (self, value) {
            (Self::Bool, DeValue::Boolean(value)) => Some(Plain::Bool(*value)),
            (Self::Bool, _) => None,
            (Self::Int { min, max }, DeValue::Integer(number)) => {
                let value = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
                (min..=max).contains(&value).then_some(Plain::Int(value))
            }
            (Self::Int { .. }, _) => None,
            (_, DeValue::Array(items)) if self.is_list() => {
                let items: Option<Vec<&str>> =
                    items.iter().map(|item| item.get_ref().as_str()).collect();
                self.read_list(&items?)
            }
            (_, DeValue::String(text)) if !self.is_list() => self.read_word(text),
            _ => None,
        }
    }

    fn read_word(self, text: &str) -> Option<Plain> {
        let canonical = match self {
            Self::Bool => return read_bool(text),
            Self::Int { min, max } => return read_int(text, min, max),
            Self::Positive => read_amount(text)
                .filter(|amount| amount.is_positive())?
                .to_string(),
            Self::NotNegative => read_amount(text)?.to_string(),
            Self::Choice(words) => words.iter().find(|word| **word == text)?.to_string(),
            Self::Exporter => ["none", "prometheus", "otlp"]
                .into_iter()
                .find(|word| *word == text)?
                .to_owned(),
            Self::Level => read_level(text)?.to_owned(),
            Self::Phrase => read_phrase(text).to_owned(),
            Self::Moment => read_moment(text),
            Self::Url(scheme) => Endpoint::parse(scheme, text)?.as_str().to_owned(),
            Self::OptionalUrl if text.is_empty() => String::new(),
            Self::OptionalUrl => Endpoint::parse(Scheme::Http, text)?.as_str().to_owned(),
            Self::Address => text.parse::<IpAddr>().ok()?.to_string(),
            Self::Dir => read_path(text).filter(|path| !path.is_empty())?,
            Self::OptionalPath => read_path(text)?,
            Self::Scopes | Self::Symbols | Self::Strategies | Self::Hosts => {
                return self.read_list(&[text]);
            }
        };
        Some(Plain::Text(canonical))
    }

    fn read_list(self, items: &[&str]) -> Option<Plain> {
        let canonical: Vec<String> = match self {
            Self::Scopes => {
                let scopes: Option<BTreeSet<&str>> =
                    items.iter().map(|item| read_scope(item)).collect();
                scopes?.into_iter().map(str::to_owned).collect()
            }
            Self::Symbols => read_symbols(items)?,
            Self::Hosts => read_hosts(items)?,
            Self::Strategies => {
                let claims: Option<Vec<Claim>> =
                    items.iter().map(|item| Claim::parse(item)).collect();
                let claims = claims.filter(|claims| !claims.is_empty())?;
                claims.iter().map(ToString::to_string).collect()
            }
            Self::Bool
            | Self::Int { .. }
            | Self::Positive
            | Self::NotNegative
            | Self::Choice(_)
            | Self::Exporter
            | Self::Level
            | Self::Phrase
            | Self::Moment
            | Self::Url(_)
            | Self::OptionalUrl
            | Self::Address
            | Self::Dir
            | Self::OptionalPath => return None,
        };
        Some(Plain::List(canonical))
    }
}

fn read_bool(text: &str) -> Option<Plain> {
    match text {
        "true" => Some(Plain::Bool(true)),
        "false" => Some(Plain::Bool(false)),
        _ => None,
    }
}

fn read_int(text: &str, min: i64, max: i64) -> Option<Plain> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = digits.then(|| text.parse::<i64>().ok())??;
    (min..=max).contains(&value).then_some(Plain::Int(value))
}

fn read_amount(text: &str) -> Option<Amount> {
    let amount = Amount::parse(text).ok()?;
    let fits = !text.starts_with('-') && amount <= Amount::from_whole(AMOUNT_WHOLE_MAX);
    fits.then_some(amount)
}

fn read_level(text: &str) -> Option<&'static str> {
    // The second column is how the operators' existing files spell the same levels.
    const LEVELS: [(&str, &str); 7] = [
        ("error", "error"),
        ("critical", "error"),
        ("warn", "warn"),
        ("warning", "warn"),
        ("info", "info"),
        ("debug", "debug"),
        ("trace", "trace"),
    ];
    LEVELS
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, level)| level)
}

fn read_phrase(text: &str) -> &'static str {
    match text {
        "" => "",
        ACK_PHRASE => ACK_PHRASE,
        _ => "wrong",
    }
}

/// Returns the moment in RFC 3339, an empty text for an empty one, and `unreadable` for anything else.
fn read_moment(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let date_only = text.len() == "2026-01-01".len();
    let full = if date_only {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    full.parse::<jiff::Timestamp>()
        .map_or_else(|_| "unreadable".to_owned(), |at| at.to_string())
}

fn read_path(text: &str) -> Option<String> {
    let fits = text.len() <= PATH_LEN_MAX && !text.contains(|c: char| c.is_control());
    fits.then(|| text.to_owned())
}

fn read_scope(item: &str) -> Option<&'static str> {
    if item.is_empty() {
        return None;
    }
    let known = ["read", "trade", "withdraw"]
        .into_iter()
        .find(|word| word.eq_ignore_ascii_case(item));
    Some(known.unwrap_or("other"))
}

fn read_symbols(items: &[&str]) -> Option<Vec<String>> {
    let symbols: Option<Vec<Symbol>> = items.iter().map(|item| Symbol::parse(item).ok()).collect();
    let symbols = symbols?;
    let different: BTreeSet<Symbol> = symbols.iter().copied().collect();
    let fits = (1..=SYMBOLS_MAX).contains(&symbols.len()) && different.len() == symbols.len();
    fits.then(|| symbols.iter().map(ToString::to_string).collect())
}

fn read_hosts(items: &[&str]) -> Option<Vec<String>> {
    const HOSTS_MAX: usize = 8;
    /// Longest part of a name. No API key fits, so that one that was pasted here is refused and not shown.
    const PART_LEN_MAX: usize = 30;
    let is_part = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=PART_LEN_MAX).contains(&part.len()) && part.bytes().all(plain)
    };
    let is_name = |item: &&str| item.split('.').all(is_part);
    let fits = items.len() <= HOSTS_MAX && items.iter().all(is_name);
    fits.then(|| items.iter().map(|item| item.to_ascii_lowercase()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, text: &str, expected: Option<&str>) {
        let read = kind.read_text(text).map(|plain| plain.to_string());
        assert_eq!(read.as_deref(), expected, "{kind:?} {text}");
    }

    #[test]
    fn text_is_read_by_the_type_of_the_key() {
        let int = Kind::Int { min: 1, max: 300 };
        check(Kind::Bool, "true", Some("true"));
        for text in ["True", "1", "yes", " true", ""] {
            check(Kind::Bool, text, None);
        }
        check(int, "300", Some("300"));
        for text in [
            "0",
            "301",
            "+5",
            "-5",
            "5.0",
            "0x5",
            "1_0",
            "",
            "99999999999999999999",
        ] {
            check(int, text, None);
        }
        check(Kind::Positive, "100.50", Some("100.5"));
        for text in ["0", "-1", "1e3", "1,5", "NaN", "1000000000001"] {
            check(Kind::Positive, text, None);
        }
        check(Kind::NotNegative, "0", Some("0"));
        check(Kind::NotNegative, "-0", None);
        check(Kind::Level, "WARNING", Some("warn"));
        check(Kind::Level, "CRITICAL", Some("error"));
        check(Kind::Level, "verbose", None);
        check(Kind::Symbols, "btc_try, ETHTRY", Some("BTCTRY,ETHTRY"));
        check(
            Kind::Hosts,
            "btcbot, Bot-1.example",
            Some("btcbot,bot-1.example"),
        );
        check(Kind::Hosts, "btcbot:9464", None);
        check(Kind::Hosts, "", None);
        check(Kind::Symbols, "BTCTRY,btc_try", None);
        check(Kind::Symbols, "A,B,C,D,E,F,G,H,I,J,K", None);
        check(
            Kind::Strategies,
            "market_maker:BTCTRY+eth_try,mean_reversion",
            Some("market_maker:BTCTRY+ETHTRY,mean_reversion"),
        );
        for text in [
            "momentum",
            "market_maker:",
            "market_maker:BTC/TRY",
            "",
            "market_maker,",
        ] {
            check(Kind::Strategies, text, None);
        }
        check(Kind::Exporter, "otlp", Some("otlp"));
        check(Kind::Exporter, "statsd", None);
        check(Kind::OptionalUrl, "", Some(""));
        check(
            Kind::OptionalUrl,
            "http://127.0.0.1:4318/",
            Some("http://127.0.0.1:4318"),
        );
        check(Kind::OptionalUrl, "http://collector:4318", None);
        check(Kind::Address, "::1", Some("::1"));
        check(Kind::Address, "localhost", None);
    }

    #[test]
    fn free_text_is_reduced_before_anything_can_print_it() {
        check(Kind::Phrase, ACK_PHRASE, Some(ACK_PHRASE));
        for text in ["i_understand", " I_UNDERSTAND", "I_UNDERSTAND ", "hunter2"] {
            check(Kind::Phrase, text, Some("wrong"));
        }
        check(Kind::Moment, "hunter2", Some("unreadable"));
        check(Kind::Moment, "2026-11-02", Some("2026-11-02T00:00:00Z"));
        check(
            Kind::Moment,
            "2026-11-02T03:00:00+03:00",
            Some("2026-11-02T00:00:00Z"),
        );
        check(Kind::Moment, "2026-13-02", Some("unreadable"));
        check(Kind::Scopes, "Trade,read,hunter2", Some("other,read,trade"));
    }
}
