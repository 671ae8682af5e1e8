//! WebSocket text to engine values, and the few frames that a client sends.
//!
//! Stateless: whether a frame fits the book that is held is the engine's question. Any text gives a value or an
//! error, never a panic; an error names type and field and quotes nothing.

use crate::fields::{self, FieldError, TradeText};
use crate::wire::{self, ServerFrame, Text};
use engine::answer::{OrderEvent, PrivateEvent, TradeSource};
use engine::ids::{OrderId, Symbol, TradeId};
use engine::market::{
    BookChannel, BookDiff, BookFull, ChangeKind, Level, LevelChange, MarketEvent, PublicTrade,
    Ticker,
};
use engine::time::Timestamp;

/// Longest frame that is read; a full book has about 10 KiB.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Most levels a side; the exchange shows 100 (docs/EXCHANGE.md 11.1).
pub const LEVELS_MAX: usize = 1_000;
/// Most trades in a list; the exchange shows 50 (docs/EXCHANGE.md 10).
pub const TRADES_MAX: usize = 1_000;

/// A frame and what was odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What it says.
    pub frame: Frame,
    /// Amounts that had more than eight decimals and were cut.
    pub cuts: u32,
    /// Pair (`PS`) and joined event disagree; the pair was taken.
    pub mismatches: u32,
    /// Rows of a 401 that could not be read and were left out.
    pub skipped: u32,
}

/// What a frame of the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A book, trades or one ticker.
    Market(MarketEvent),
    /// Tickers of all pairs (401).
    Tickers(Vec<Ticker>),
    /// Something about the account.
    Private(PrivateEvent),
    /// A join or leave was answered (100).
    Ack {
        /// Taken.
        ok: bool,
        /// Such as `join|obdiff:BTCTRY`; [`ack_subject`] takes it apart.
        text: String,
    },
    /// The greeting (991).
    Version {
        /// Version of the feed.
        current: String,
        /// Oldest version it speaks.
        min: Option<String>,
    },
    /// A text to show (801, 802).
    Notice {
        /// 801 or 802.
        kind: u16,
        /// What it says.
        text: String,
    },
    /// Documented and not used: 112, 411, 412, 428, 453.
    Ignored(u16),
    /// A type that nobody documented.
    Unknown(u16),
}

/// Why a text is no frame that can be used. Quotes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {bytes} bytes")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not `[type, {...}]`.
    #[error("no frame: unreadable at column {column}")]
    NotAFrame {
        /// Where reading stopped, in bytes from 1.
        column: usize,
    },
    /// The body does not have the members of its type.
    #[error("frame {kind}: unreadable at column {column}")]
    Body {
        /// Element 0.
        kind: u16,
        /// Where reading stopped, in bytes from 1.
        column: usize,
    },
    /// A member's content makes no sense.
    #[error("frame {kind}: {field} makes no sense")]
    Field {
        /// Element 0.
        kind: u16,
        /// Which member.
        field: &'static str,
    },
}

/// Decodes one text frame.
///
/// # Errors
/// `TooLong`, `NotAFrame`, `Body` and `Field`, in the order in which they are looked for.
pub fn decode(text: &str) -> Result<Decoded, DecodeError> {
    if text.len() > FRAME_BYTES_MAX {
        return Err(DecodeError::TooLong { bytes: text.len() });
    }
    let body = wire::read_server(text).map_err(|error| match error.kind {
        Some(kind) => DecodeError::Body {
            kind,
            column: error.column,
        },
        None => DecodeError::NotAFrame {
            column: error.column,
        },
    })?;
    let kind = body.kind();
    let mut tally = Tally::default();
    let frame = tally
        .frame(body)
        .map_err(|FieldError(field)| DecodeError::Field { kind, field })?;
    Ok(Decoded {
        frame,
        cuts: tally.cuts,
        mismatches: tally.mismatches,
        skipped: tally.skipped,
    })
}

/// Counts what is odd while a frame is turned into engine values.
#[derive(Default)]
struct Tally {
    cuts: u32,
    mismatches: u32,
    skipped: u32,
}

impl Tally {
    fn frame(&mut self, body: ServerFrame<'_>) -> Result<Frame, FieldError> {
        let kind = body.kind();
        match body {
            ServerFrame::BookDifference(body) => self.book_diff(&body),
            ServerFrame::BookSnapshot(body) => self.book_full(&body),
            ServerFrame::Trade(body) => self.trade(&body),
            ServerFrame::Trades(body) => self.trades(&body),
            ServerFrame::Ticker(body) => self
                .ticker(&body)
                .map(MarketEvent::Ticker)
                .map(Frame::Market),
            ServerFrame::TickerAll(body) => Ok(self.tickers(&body)),
            ServerFrame::UserTrade(body) => self.own_trade(&body),
            ServerFrame::Match(body) => Ok(order_match(&body)),
            ServerFrame::Insert(body) => self
                .order_event(&body)
                .map(PrivateEvent::Inserted)
                .map(Frame::Private),
            ServerFrame::Delete(body) => self
                .order_event(&body)
                .map(PrivateEvent::Deleted)
                .map(Frame::Private),
            ServerFrame::Login(body) => Ok(login(&body)),
            ServerFrame::Balance(_) => Ok(Frame::Private(PrivateEvent::BalanceHint)),
            ServerFrame::Ack(body) => Ok(Frame::Ack {
                ok: body.ok,
                text: owned(body.message),
            }),
            ServerFrame::Version(body) => Ok(Frame::Version {
                current: body.current.0.into_owned(),
                min: body.min.map(|min| min.0.into_owned()),
            }),
            ServerFrame::SystemMessage(body) => Ok(Frame::Notice {
                kind,
                text: owned(body.message),
            }),
            ServerFrame::Logout(body) => Ok(Frame::Notice {
                kind,
                text: owned(body.message),
            }),
            ServerFrame::LegacyLogin(_) | ServerFrame::Bar(_) | ServerFrame::Update(_) => {
                Ok(Frame::Ignored(kind))
            }
            ServerFrame::Unknown(411 | 412) => Ok(Frame::Ignored(kind)),
            ServerFrame::Unknown(_) => Ok(Frame::Unknown(kind)),
        }
    }

    /// Takes the pair from `PS`, or from `event` where `PS` is null (seen in April 2020, docs/EXCHANGE.md 11.1).
    fn pair(
        &mut self,
        pair: Option<&Text<'_>>,
        event: Option<&Text<'_>>,
    ) -> Result<Symbol, FieldError> {
        let symbol = fields::symbol(pair.or(event).ok_or(FieldError("PS"))?)?;
        let disagrees = |event: &Text<'_>| Symbol::parse(event) != Ok(symbol);
        self.mismatches += u32::from(pair.is_some() && event.is_some_and(disagrees));
        Ok(symbol)
    }

    fn book_full(&mut self, body: &wire::BookSnapshot<'_>) -> Result<Frame, FieldError> {
        Ok(Frame::Market(MarketEvent::Full(BookFull {
            symbol: self.pair(body.pair.as_ref(), body.event.as_ref())?,
            channel: book_channel(body.channel.as_ref())?,
            change: body.change,
            bids: self.side(&body.bids, "BO", Self::level)?,
            asks: self.side(&body.asks, "AO", Self::level)?,
        })))
    }

    fn book_diff(&mut self, body: &wire::BookDifference<'_>) -> Result<Frame, FieldError> {
        Ok(Frame::Market(MarketEvent::Diff(BookDiff {
            symbol: self.pair(body.pair.as_ref(), body.event.as_ref())?,
            change: body.change,
            bids: self.side(&body.bids, "BO", Self::level_change)?,
            asks: self.side(&body.asks, "AO", Self::level_change)?,
        })))
    }

    fn side<W, L>(
        &mut self,
        rows: &[W],
        name: &'static str,
        row: fn(&mut Self, &W) -> Result<L, FieldError>,
    ) -> Result<Vec<L>, FieldError> {
        if rows.len() > LEVELS_MAX {
            return Err(FieldError(name));
        }
        rows.iter().map(|wire| row(self, wire)).collect()
    }

    fn level(&mut self, row: &wire::Level<'_>) -> Result<Level, FieldError> {
        Ok(Level {
            price: fields::price(&row.price, "P")?,
            qty: fields::qty(&row.amount, "A", &mut self.cuts)?,
        })
    }

    fn level_change(&mut self, row: &wire::LevelDifference<'_>) -> Result<LevelChange, FieldError> {
        let kind = match row.change {
            wire::CHANGE_CHANGED => ChangeKind::Changed,
            wire::CHANGE_ENTERED => ChangeKind::Entered,
            wire::CHANGE_LEFT => ChangeKind::Left,
            _ => return Err(FieldError("CP")),
        };
        let level = Level {
            price: fields::price(&row.price, "P")?,
            qty: fields::qty(&row.amount, "A", &mut self.cuts)?,
        };
        Ok(LevelChange { kind, level })
    }

    fn trade(&mut self, body: &wire::TradeSingle<'_>) -> Result<Frame, FieldError> {
        let trade = PublicTrade {
            symbol: self.pair(body.pair.as_ref(), body.event.as_ref())?,
            price: fields::price(&body.price, "P")?,
            qty: fields::qty(&body.amount, "A", &mut self.cuts)?,
            taker: body.side.and_then(fields::side_of_code),
            at: Timestamp::from_ms(body.at.ms()),
            id: Some(TradeId(body.id.value())),
        };
        Ok(Frame::Market(MarketEvent::Trade(trade)))
    }

    fn trades(&mut self, body: &wire::TradeList<'_>) -> Result<Frame, FieldError> {
        let symbol = self.pair(body.symbol.as_ref(), body.event.as_ref())?;
        if body.items.len() > TRADES_MAX {
            return Err(FieldError("items"));
        }
        let trade = |item: &wire::TradeItem<'_>| {
            Ok(PublicTrade {
                symbol,
                price: fields::price(&item.price, "P")?,
                qty: fields::qty(&item.amount, "A", &mut self.cuts)?,
                taker: item.side.and_then(fields::side_of_code),
                at: Timestamp::from_ms(item.at.ms()),
                id: Some(TradeId(item.id.value())),
            })
        };
        let trades = body
            .items
            .iter()
            .map(trade)
            .collect::<Result<_, FieldError>>()?;
        Ok(Frame::Market(MarketEvent::Trades(trades)))
    }

    fn ticker(&mut self, row: &wire::TickerRow<'_>) -> Result<Ticker, FieldError> {
        let price = |text: &Option<Text<'_>>, name| {
            let text = text.as_ref().ok_or(FieldError(name))?;
            fields::price(text, name)
        };
        Ok(Ticker {
            symbol: self.pair(row.pair.as_ref(), row.event.as_ref())?,
            bid: price(&row.bid, "B")?,
            ask: price(&row.ask, "A")?,
            last: price(&row.last, "LA")?,
        })
    }

    /// One pair without trades must not hide the tickers of all others, so a row that cannot be read is left out.
    fn tickers(&mut self, body: &wire::TickerAll<'_>) -> Frame {
        let rows: Vec<Ticker> = body
            .items
            .iter()
            .filter_map(|row| self.ticker(row).ok())
            .collect();
        let skipped = body.items.len() - rows.len();
        self.skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
        Frame::Tickers(rows)
    }

    fn own_trade(&mut self, body: &wire::UserTrade<'_>) -> Result<Frame, FieldError> {
        let text = TradeText {
            source: TradeSource::Stream,
            id: body.id.value(),
            order_id: body.order_id.value(),
            at_ms: body.timestamp.ms(),
            base: &body.base,
            quote: &body.quote,
            amount: &body.amount,
            precise_amount: body.precise_amount.as_deref(),
            fee: &body.fee,
            tax: &body.tax,
            price: &body.price,
            side: body.side.as_deref(),
            client_id: body.client_id.as_deref(),
        };
        let trade = text.own_trade(&mut self.cuts)?;
        Ok(Frame::Private(PrivateEvent::Trade(trade)))
    }

    fn order_event<const N: u16>(
        &mut self,
        body: &wire::OrderChange<'_, N>,
    ) -> Result<OrderEvent, FieldError> {
        Ok(OrderEvent {
            id: OrderId(body.id.value()),
            client_id: fields::client_id(body.client_id.as_deref()),
            symbol: fields::symbol(&body.symbol)?,
            side: body.side.and_then(fields::side_of_code),
            price: fields::price(&body.price, "price")?,
            left: fields::qty(&body.left, "numLeft", &mut self.cuts)?,
        })
    }
}

fn book_channel(channel: Option<&Text<'_>>) -> Result<BookChannel, FieldError> {
    let name: &str = channel.ok_or(FieldError("channel"))?;
    [BookChannel::Diff, BookChannel::Periodic]
        .into_iter()
        .find(|channel| name.eq_ignore_ascii_case(Channel::from(*channel).as_str()))
        .ok_or(FieldError("channel"))
}

/// A 441 books nothing, so its amounts are not even read: they have been wrong (docs/EXCHANGE.md 10).
fn order_match(body: &wire::OrderMatch<'_>) -> Frame {
    Frame::Private(PrivateEvent::Matched {
        order_id: OrderId(body.id.value()),
        client_id: fields::client_id(body.client_id.as_deref()),
    })
}

fn login(body: &wire::LoginResult<'_>) -> Frame {
    Frame::Private(PrivateEvent::Login {
        ok: body.ok,
        user_id: body.id.map_or(0, wire::Id::value),
    })
}

fn owned(text: Option<Text<'_>>) -> String {
    text.map(|text| text.0.into_owned()).unwrap_or_default()
}

/// A channel of docs/EXCHANGE.md 9.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// One ticker a pair (402), or of all pairs (401).
    Ticker,
    /// Trades: a list (421), then one by one (422).
    Trade,
    /// A full book on a beat (431).
    OrderBook,
    /// A full book (431), then differences (432).
    ObDiff,
}

impl Channel {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticker => "ticker",
            Self::Trade => "trade",
            Self::OrderBook => "orderbook",
            Self::ObDiff => "obdiff",
        }
    }
}

impl From<BookChannel> for Channel {
    fn from(channel: BookChannel) -> Self {
        match channel {
            BookChannel::Diff => Self::ObDiff,
            BookChannel::Periodic => Self::OrderBook,
        }
    }
}

/// Whether a channel is joined or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Joined.
    Join,
    /// Left.
    Leave,
}

/// Makes the frame that joins or leaves a channel of a pair (151, docs/EXCHANGE.md 9.1).
pub fn join(channel: Channel, symbol: Symbol, join: Join) -> String {
    wire::encode(&wire::Join {
        kind: wire::Kind,
        channel: channel.as_str().into(),
        event: symbol.as_str().into(),
        join: join == Join::Join,
    })
}

/// Makes the frame that asks for the trade list of a pair again (101; one source, 2019).
pub fn trades_again(symbol: Symbol) -> String {
    wire::encode(&wire::TradesRequest {
        kind: wire::Kind,
        code: 421,
        channel: Channel::Trade.as_str().into(),
        event: symbol.as_str().into(),
    })
}

/// What an acknowledgement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckSubject<'a> {
    /// Joined or left.
    pub join: Join,
    /// The channel's name.
    pub channel: &'a str,
    /// The pair, or `all`.
    pub event: &'a str,
}

/// Takes `join|obdiff:BTCTRY` apart; `None` for any other text. The form of a leave is a guess (docs/EXCHANGE.md 10).
pub fn ack_subject(text: &str) -> Option<AckSubject<'_>> {
    let (verb, rest) = text.split_once('|')?;
    let (channel, event) = rest.split_once(':')?;
    let join = match verb {
        "join" => Join::Join,
        "leave" => Join::Leave,
        _ => return None,
    };
    Some(AckSubject {
        join,
        channel,
        event,
    })
}
