//! The switches of the simulated exchange: what it does where the real one is unknown, and how often it fails.
//!
//! Built in is one profile, `faithful`: every switch at the default of docs/EXCHANGE.md 13.4 and no
//! faults. A switch is addressed by its dotted name; for faults the part before the dot may be left out.

use engine::dice::Dice;
use std::fmt;

/// Parts of a rate: one million is always.
pub const PER_MILLION: u32 = 1_000_000;
/// Decimals of a rate that count.
const RATE_DECIMALS: usize = 6;
/// Largest number of milliseconds a switch takes: ten minutes.
const MS_MAX: i64 = 600_000;
/// Names further away than this are not suggested.
const SUGGESTION_DISTANCE_MAX: usize = 6;

/// Why a setting was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not of the form `name=value`.
    #[error("a setting has the form name=value")]
    Form,
    /// No switch has this name.
    #[error("no switch is named {name:?}{}; known: {known}", suggestion(.nearest))]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The nearest known name, if one is near.
        nearest: Option<&'static str>,
        /// All names.
        known: String,
    },
    /// The switch takes another kind of value.
    #[error("{name} takes {expected}")]
    Value {
        /// The switch.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
}

fn suggestion(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean {name}"))
}

/// A share of opportunities, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate(pub u32);

impl Rate {
    /// Never.
    pub const NEVER: Self = Self(0);
    /// Always.
    pub const ALWAYS: Self = Self(PER_MILLION);

    /// Reads a decimal from 0 to 1, digit by digit; digits behind the sixth decimal must be zero.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 1 {
            return None;
        }
        let (kept, rest) = fraction.split_at(fraction.len().min(RATE_DECIMALS));
        if rest.bytes().any(|b| b != b'0') {
            return None;
        }
        let parts: u32 = format!("{kept:0<RATE_DECIMALS$}").parse().ok()?;
        let whole: u32 = whole.parse().ok()?;
        let rate = whole.checked_mul(PER_MILLION)?.checked_add(parts)?;
        (rate <= PER_MILLION).then_some(Self(rate))
    }

    /// Rolls the dice once.
    pub fn hits(self, dice: &mut Dice) -> bool {
        self.0 > 0 && dice.chance(self.0)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / PER_MILLION, self.0 % PER_MILLION);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A span of milliseconds, drawn evenly, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Shortest, in milliseconds.
    pub low: i64,
    /// Longest, in milliseconds.
    pub high: i64,
}

impl Span {
    const fn new(low: i64, high: i64) -> Self {
        Self { low, high }
    }

    /// Reads `N` or `N..M`, in milliseconds up to ten minutes.
    pub fn parse(text: &str) -> Option<Self> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let ms = |part: &str| {
            part.parse::<i64>()
                .ok()
                .filter(|ms| (0..=MS_MAX).contains(ms))
        };
        let span = Self::new(ms(low)?, ms(high)?);
        (span.low <= span.high).then_some(span)
    }

    /// Draws a number of milliseconds.
    pub fn draw(self, dice: &mut Dice) -> i64 {
        dice.between(self.low, self.high)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{}..{}", self.low, self.high)
        }
    }
}

/// What replies, lists and events carry as client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIdEcho {
    /// The id as it was sent.
    AsSent,
    /// No id.
    Missing,
    /// Another id.
    Replaced,
}

impl ClientIdEcho {
    const ALL: [(&'static str, Self); 3] = [
        ("as_sent", Self::AsSent),
        ("missing", Self::Missing),
        ("replaced", Self::Replaced),
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::AsSent => "as_sent",
            Self::Missing => "missing",
            Self::Replaced => "replaced",
        }
    }
}

/// A switch, lent for reading or writing.
enum Slot<'a> {
    Rate(&'a mut Rate),
    Span(&'a mut Span),
    Flag(&'a mut bool),
    Count(&'a mut i64),
    Echo(&'a mut ClientIdEcho),
}

impl Slot<'_> {
    fn expected(&self) -> &'static str {
        match self {
            Slot::Rate(_) => "a rate from 0 to 1 with at most 6 decimals",
            Slot::Span(_) => "milliseconds, N or N..M, up to 600000",
            Slot::Flag(_) => "true or false",
            Slot::Count(_) => "a whole number from 0",
            Slot::Echo(_) => "as_sent, missing or replaced",
        }
    }

    fn set(&mut self, text: &str) -> Option<()> {
        match self {
            Slot::Rate(rate) => **rate = Rate::parse(text)?,
            Slot::Span(span) => **span = Span::parse(text)?,
            Slot::Flag(flag) => **flag = text.parse().ok()?,
            Slot::Count(count) => **count = text.parse().ok().filter(|count| *count >= 0)?,
            Slot::Echo(echo) => {
                **echo = ClientIdEcho::ALL.iter().find(|(name, _)| *name == text)?.1;
            }
        }
        Some(())
    }

    fn text(&self) -> String {
        match self {
            Slot::Rate(rate) => rate.to_string(),
            Slot::Span(span) => span.to_string(),
            Slot::Flag(flag) => flag.to_string(),
            Slot::Count(count) => count.to_string(),
            Slot::Echo(echo) => echo.as_str().to_owned(),
        }
    }
}

macro_rules! switches {
    ($($(#[$doc:meta])* $field:ident: $type:ident as $slot:ident = $default:expr, $name:literal;)*) => {
        /// Every switch of the simulated exchange.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Profile {
            $($(#[$doc])* pub $field: $type,)*
        }

        /// Names of all switches, in the order in which they are shown.
        pub const SWITCHES: &[&str] = &[$($name),*];

        impl Profile {
            /// Returns the built-in profile: documented behaviour, no faults.
            pub const fn faithful() -> Self {
                Self { $($field: $default,)* }
            }

            fn slot(&mut self, name: &str) -> Option<Slot<'_>> {
                match name {
                    $($name => Some(Slot::$slot(&mut self.$field)),)*
                    // The names are text from outside, not an enum of ours.
                    _ => None,
                }
            }
        }
    };
}

switches! {
    /// Tolerance of a REST stamp in milliseconds (FAQ: about 5 s).
    stamp_tolerance_ms: i64 as Count = 5_000, "auth.stamp_tolerance_ms";
    /// A 401 body says `success:true`, as captured.
    success_on_401: bool as Flag = true, "auth.success_on_401";
    /// Consecutive 401 answers until the address is blocked; 0 is never.
    block_after: i64 as Count = 50, "auth.block_after";
    /// A signature is refused the second time.
    refuse_repeated_signature: bool as Flag = false, "auth.refuse_repeated_signature";
    /// Time from request to reply.
    latency_ms: Span as Span = Span::new(1, 5), "rest.latency_ms";
    /// Order lists show the past by this much.
    lists_lag_ms: Span as Span = Span::new(0, 200), "rest.lists_lag_ms";
    /// Transactions show the past by this much.
    trades_lag_ms: Span as Span = Span::new(500, 500), "rest.trades_lag_ms";
    /// Balances show the past by this much.
    balances_lag_ms: Span as Span = Span::new(150, 150), "rest.balances_lag_ms";
    /// Age of the REST order book.
    orderbook_cache_ms: i64 as Count = 1_000, "rest.orderbook_cache_ms";
    /// What carries the client id.
    client_id_echo: ClientIdEcho as Echo = ClientIdEcho::AsSent, "orders.client_id_echo";
    /// Rate at which 451 overtakes the reply.
    event_before_reply: Rate as Rate = Rate(200_000), "orders.event_before_reply";
    /// From acceptance to the book.
    insert_delay_ms: Span as Span = Span::new(1, 20), "orders.insert_delay_ms";
    /// From the 200 of a cancel to the engine.
    cancel_delay_ms: Span as Span = Span::new(5, 50), "orders.cancel_delay_ms";
    /// When what a fill brought can be spent.
    funds_settle_ms: Span as Span = Span::new(150, 150), "orders.funds_settle_ms";
    /// Maker fee in parts per million of the quote value.
    maker_fee_ppm: i64 as Count = 500, "fees.maker_ppm";
    /// Taker fee in parts per million of the quote value.
    taker_fee_ppm: i64 as Count = 900, "fees.taker_ppm";
    /// Tax in parts per million of the fee.
    tax_ppm: i64 as Count = 200_000, "fees.tax_of_fee_ppm";
    /// Quotas bind.
    limits_enabled: bool as Flag = true, "limits.enabled";
    /// A 429 says how long to wait.
    retry_after: bool as Flag = true, "limits.retry_after";
    /// Handshakes per minute.
    ws_connects: i64 as Count = 15, "limits.ws_connects";
    /// Messages per second above which a connection is dropped.
    ws_messages_per_s: i64 as Count = 200, "limits.ws_messages_per_s";
    /// Server pings; 0 is never.
    ping_interval_ms: i64 as Count = 10_000, "ws.ping_interval_ms";
    /// A connection without a pong for so long is cut.
    pong_timeout_ms: i64 as Count = 35_000, "ws.pong_timeout_ms";
    /// Beat of 402.
    ticker_interval_ms: i64 as Count = 750, "ws.ticker_interval_ms";
    /// Beat of 431 on `orderbook`.
    orderbook_interval_ms: i64 as Count = 750, "ws.orderbook_interval_ms";
    /// Slow readers are cut above this many unsent bytes.
    send_buffer_bytes: i64 as Count = 1_048_576, "ws.send_buffer_bytes";
    /// Share of book amounts with twelve decimals.
    long_amounts: Rate as Rate = Rate(20_000), "book.long_amounts";
    /// First change number of a book.
    cs_start: i64 as Count = 1_000_000, "book.cs_start";
    /// Private events follow their cause by this much.
    private_delay_ms: Span as Span = Span::new(0, 5), "private.delay_ms";
    /// The id of a 423 equals that of the transaction row.
    trade_ids_equal: bool as Flag = true, "private.trade_ids_equal";
    /// 201 is sent.
    balance_hint: bool as Flag = true, "private.balance_hint";
    /// Size of one random step of a mid price, in hundredths of a basis point.
    swing: i64 as Count = 1_500, "market.swing";
    /// Connection reset before the request is read.
    request_lost: Rate as Rate = Rate::NEVER, "fault.request_lost";
    /// Processed, connection reset before the reply.
    reply_lost: Rate as Rate = Rate::NEVER, "fault.reply_lost";
    /// Processed, reply after [`Profile::reply_slow_ms`].
    reply_slow: Rate as Rate = Rate::NEVER, "fault.reply_slow";
    /// How long a slow reply takes.
    reply_slow_ms: Span as Span = Span::new(30_000, 30_000), "fault.reply_slow_ms";
    /// 429 although the quota has room; nothing processed.
    rest_429: Rate as Rate = Rate::NEVER, "fault.rest_429";
    /// 500 `INTERNAL_ERROR`, the order is accepted.
    internal_error_accepted: Rate as Rate = Rate::NEVER, "fault.internal_error_accepted";
    /// 500 `INTERNAL_ERROR`, the order is not accepted.
    internal_error_refused: Rate as Rate = Rate::NEVER, "fault.internal_error_refused";
    /// 502 with an HTML page; a POST behind it is processed half the time.
    html_502: Rate as Rate = Rate::NEVER, "fault.html_502";
    /// 200 without a body, the order is accepted.
    empty_200: Rate as Rate = Rate::NEVER, "fault.empty_200";
    /// 503 `SYSTEM_UNDER_MAINTENANCE`, order entry `ORDER_INSERT_BLOCKED`.
    maintenance: Rate as Rate = Rate::NEVER, "fault.maintenance";
    /// Cancelled, but the 452 never comes.
    cancel_without_452: Rate as Rate = Rate::NEVER, "fault.cancel_without_452";
    /// Per connection and second: ends without a close frame.
    ws_reset: Rate as Rate = Rate::NEVER, "fault.ws_reset";
    /// Per connection and second: stays open, pings go on, no data.
    ws_silent: Rate as Rate = Rate::NEVER, "fault.ws_silent";
    /// A 432 is lost.
    drop_432: Rate as Rate = Rate::NEVER, "fault.drop_432";
}

impl Default for Profile {
    fn default() -> Self {
        Self::faithful()
    }
}

impl Profile {
    /// Applies one `name=value` setting.
    ///
    /// # Errors
    /// Not of that form, an unknown name (the nearest is suggested), or a value of another kind.
    pub fn set(&mut self, setting: &str) -> Result<(), ProfileError> {
        let (name, value) = setting.split_once('=').ok_or(ProfileError::Form)?;
        let name = resolve(name.trim())?;
        let mut slot = self.slot(name).expect("a resolved name is a switch");
        let expected = slot.expected();
        slot.set(value.trim())
            .ok_or(ProfileError::Value { name, expected })
    }

    /// Returns every switch that differs from the built-in profile, as `name=value`.
    pub fn differences(&self) -> Vec<String> {
        let (mut ours, mut default) = (self.clone(), Self::faithful());
        let mut changed = Vec::new();
        for name in SWITCHES {
            let text = |profile: &mut Self| profile.slot(name).map(|slot| slot.text());
            let (now, before) = (text(&mut ours), text(&mut default));
            if now != before {
                changed.push(format!("{name}={}", now.unwrap_or_default()));
            }
        }
        changed
    }
}

/// Short names that operators use for a switch.
const ALIASES: [(&str, &str); 3] = [
    ("drop_request", "fault.request_lost"),
    ("drop_reply", "fault.reply_lost"),
    ("stall", "fault.reply_slow"),
];

/// Finds the switch that is meant: its full name, or the part behind the dot where only one switch has it.
fn resolve(name: &str) -> Result<&'static str, ProfileError> {
    let alias = ALIASES.iter().find(|(short, _)| *short == name);
    let name = alias.map_or(name, |(_, full)| *full);
    if let Some(known) = SWITCHES.iter().find(|known| **known == name) {
        return Ok(known);
    }
    let mut plain = SWITCHES.iter().filter(|known| last_part(known) == name);
    if let (Some(known), None) = (plain.next(), plain.next()) {
        return Ok(known);
    }
    let distance = |known: &str| {
        edit_distance(name, known).min(edit_distance(last_part(name), last_part(known)))
    };
    let nearest = SWITCHES.iter().copied().min_by_key(|known| distance(known));
    Err(ProfileError::UnknownName {
        name: name.to_owned(),
        nearest: nearest.filter(|known| distance(known) <= SUGGESTION_DISTANCE_MAX),
        known: SWITCHES.join(", "),
    })
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Levenshtein's distance; names are short, so one row of the table is enough.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let cost = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_exactly_into_parts_per_million() {
        let check = |text: &str, expected: Option<u32>| {
            assert_eq!(Rate::parse(text).map(|rate| rate.0), expected, "{text}");
        };
        check("0", Some(0));
        check("1", Some(1_000_000));
        check("1.0", Some(1_000_000));
        check("0.05", Some(50_000));
        check("0.000001", Some(1));
        check("0.0000010", Some(1));
        check("0.0000001", None);
        check("1.000001", None);
        check("2", None);
        check("-0.1", None);
        check("1e-3", None);
        check(".5", None);
        check("", None);
    }

    #[test]
    fn settings_reach_their_switch_by_full_or_plain_name() {
        let mut profile = Profile::faithful();
        profile.set("drop_reply=0.5").unwrap();
        assert_eq!(profile.reply_lost, Rate(500_000));
        profile.set("fault.reply_lost=0.05").unwrap();
        profile.set("request_lost = 1").unwrap();
        profile.set("trade_ids_equal=false").unwrap();
        profile.set("client_id_echo=missing").unwrap();
        profile.set("lists_lag_ms=0..10000").unwrap();
        assert_eq!(profile.reply_lost, Rate(50_000));
        assert_eq!(profile.request_lost, Rate::ALWAYS);
        assert!(!profile.trade_ids_equal);
        assert_eq!(profile.client_id_echo, ClientIdEcho::Missing);
        assert_eq!(profile.lists_lag_ms, Span::new(0, 10_000));
        assert_eq!(
            profile.differences(),
            [
                "rest.lists_lag_ms=0..10000",
                "orders.client_id_echo=missing",
                "private.trade_ids_equal=false",
                "fault.request_lost=1",
                "fault.reply_lost=0.05",
            ]
        );
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        let nearest = |setting: &str| {
            let refused = Profile::faithful().set(setting).unwrap_err();
            let ProfileError::UnknownName { nearest, .. } = refused else {
                panic!("{refused}");
            };
            nearest
        };
        assert_eq!(nearest("drop_431=0.05"), Some("fault.drop_432"));
        assert_eq!(nearest("fault.replylost=0.05"), Some("fault.reply_lost"));
        assert_eq!(nearest("ws_rest=0.05"), Some("fault.ws_reset"));
        assert_eq!(nearest("something_else_entirely=1"), None);
        let text = Profile::faithful()
            .set("ws_rest=1")
            .unwrap_err()
            .to_string();
        assert!(text.contains("did you mean fault.ws_reset") && text.contains("fault.html_502"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_says_what_is_taken() {
        let refused = |setting: &str| Profile::faithful().set(setting).unwrap_err();
        assert_eq!(refused("reply_lost"), ProfileError::Form);
        for setting in [
            "reply_lost=2",
            "trade_ids_equal=1",
            "lists_lag_ms=5..1",
            "block_after=-1",
        ] {
            assert!(
                matches!(refused(setting), ProfileError::Value { .. }),
                "{setting}"
            );
        }
    }
}
