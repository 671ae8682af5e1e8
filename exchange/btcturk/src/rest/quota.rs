//! The exchange's request quotas as data (docs/EXCHANGE.md 8). Who counts and waits is decided elsewhere.

/// Requests that share quotas. Each is counted by itself; insert and cancel are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// `POST /order`.
    OrderInsert,
    /// `DELETE /order`.
    OrderCancel,
    /// `GET /order/{id}`.
    OrderGet,
    /// `openOrders` and `allOrders`.
    OrderLists,
    /// `users/balances`.
    Balances,
    /// `users/transactions/trade`.
    OwnTrades,
    /// `users/transactions/crypto` and `fiat`.
    Transfers,
    /// `v1/trades`.
    UserTrades,
    /// `v2/ticker`.
    Ticker,
    /// `v2/orderbook`.
    OrderBook,
    /// `v1/ohlcs` of the graph host.
    Ohlcs,
    /// Everything on the graph host.
    Graph,
    /// Public reads without a documented quota: server time, exchange info, trades.
    Public,
}

/// So many requests in a window that starts with the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests that pass.
    pub count: u32,
    /// Length of the window in milliseconds.
    pub window_ms: i64,
}

const MINUTE_MS: i64 = 60_000;

const fn per_minute(count: u32) -> Quota {
    Quota {
        count,
        window_ms: MINUTE_MS,
    }
}

const fn per_second(count: u32) -> Quota {
    Quota {
        count,
        window_ms: 1_000,
    }
}

/// Returns the quotas of a group; all of them bind.
///
/// Source: docs/EXCHANGE.md 8 (one source; order POST and DELETE confirmed). `Public` has no documented quota:
/// 60 a minute is ours.
pub const fn quota(group: Group) -> &'static [Quota] {
    match group {
        Group::OrderInsert | Group::OrderCancel => const { &[per_minute(300), per_second(10)] },
        Group::OrderGet => const { &[per_minute(900), per_second(30)] },
        Group::OrderLists => const { &[per_minute(300)] },
        Group::Balances | Group::OwnTrades | Group::Ohlcs => const { &[per_minute(120)] },
        Group::Transfers | Group::UserTrades => const { &[per_minute(90)] },
        Group::Ticker => const { &[per_minute(600)] },
        Group::OrderBook => const { &[per_minute(180)] },
        Group::Graph => {
            const {
                &[Quota {
                    count: 600,
                    window_ms: 10 * MINUTE_MS,
                }]
            }
        }
        Group::Public => const { &[per_minute(60)] },
    }
}

impl Group {
    /// Returns whether requests of the group must be signed.
    pub const fn is_private(self) -> bool {
        match self {
            Self::OrderInsert
            | Self::OrderCancel
            | Self::OrderGet
            | Self::OrderLists
            | Self::Balances
            | Self::OwnTrades
            | Self::Transfers
            | Self::UserTrades => true,
            Self::Ticker | Self::OrderBook | Self::Ohlcs | Self::Graph | Self::Public => false,
        }
    }

    /// Returns whether the account is counted as well as the address; all groups count the address.
    pub const fn is_by_account(self) -> bool {
        matches!(self, Self::OrderInsert | Self::OrderCancel)
    }

    /// Returns the stable code for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderInsert => "order_insert",
            Self::OrderCancel => "order_cancel",
            Self::OrderGet => "order_get",
            Self::OrderLists => "order_lists",
            Self::Balances => "balances",
            Self::OwnTrades => "own_trades",
            Self::Transfers => "transfers",
            Self::UserTrades => "user_trades",
            Self::Ticker => "ticker",
            Self::OrderBook => "order_book",
            Self::Ohlcs => "ohlcs",
            Self::Graph => "graph",
            Self::Public => "public",
        }
    }
}
