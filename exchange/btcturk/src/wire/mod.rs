//! The shared vocabulary of codec and simulator: one struct for each frame and each REST payload.
//!
//! Nothing is judged here and no number is computed: money stays the text it came as, so that what is decoded can be
//! encoded again without a changed digit. [`crate::ws`] and [`crate::rest`] turn these into engine values.

mod lenient;

mod member;

mod frame;

mod book;

mod public;

mod private;

mod client;

mod envelope;

mod exchange;

mod account;

pub use account::{
    AccountTrade, AccountTransfer, Balance, OpenOrders, Order, OrderAnswer, OrderRequest,
};
pub use book::{
    BookDifference, BookSnapshot, CHANGE_CHANGED, CHANGE_ENTERED, CHANGE_LEFT, Level,
    LevelDifference,
};
pub use client::{ClientFrame, Join, LoginRequest, TradesRequest};
pub use envelope::{Envelope, QuotaRefusal};
pub use exchange::{
    Candle, Candles, Currency, CurrencyBlock, ExchangeInfo, Pong, PriceFilter, RestBook,
    RestTicker, RestTrade, ServerTime, SymbolInfo,
};
pub use frame::{
    FrameBody, FrameError, ServerFrame, encode, encode_frame, read_client, read_server,
};
pub use lenient::{Code, Digits, Id, Kind, Money, NotANumber, Stamp, Text};
pub use member::Member;
pub use private::{BalanceUpdated, LoginResult, OrderChange, OrderMatch, UserTrade};
pub use public::{
    Ack, TickerAll, TickerRow, TradeItem, TradeList, TradeSingle, TradingViewBar, Version,
};
