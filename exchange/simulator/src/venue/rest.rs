//! One REST request from arrival to answer: faults, quota, credentials, route.
//!
//! The order of the checks is that of docs/EXCHANGE.md 13.1. Paths are matched without regard to case,
//! unknown query parameters are ignored.

use super::auth::Credentials;
use super::faults::{After, Before, FAULT_RETRY_AFTER_S};
use super::limits::{Endpoint, OverQuota, Who};
use super::reply::{Fate, RestReply};
use super::{Venue, account, public};
use crate::judge::Refused;
use engine::answer::Rail;
use engine::ids::OrderId;
use engine::time::Timestamp;
use std::net::IpAddr;

/// Methods that the exchange knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `DELETE`.
    Delete,
    /// Anything else: 405 on a known path.
    Other,
}

/// A request, taken apart.
#[derive(Clone, Debug)]
pub struct RestRequest {
    /// The method.
    pub method: HttpMethod,
    /// The path, without the query.
    pub path: String,
    /// The decoded query, in order; names may repeat.
    pub query: Vec<(String, String)>,
    /// The credentials' headers.
    pub credentials: Credentials,
    /// Header `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// Where it came from.
    pub ip: IpAddr,
}

impl RestRequest {
    /// Returns the first value of a query parameter; names are matched without regard to case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self
            .query
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What a path and method ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Time,
    Ping,
    ExchangeInfo,
    Ticker,
    TickerCurrency,
    OrderBook,
    Trades,
    Balances,
    Insert,
    Cancel,
    OrderQuery(Option<i64>),
    OpenOrders,
    AllOrders,
    Transactions,
    Transfers(Rail),
}

/// Why there is no route.
enum NoRoute {
    UnknownPath,
    WrongMethod,
}

impl Route {
    fn of(method: HttpMethod, path: &str) -> Result<Self, NoRoute> {
        let path = path.to_ascii_lowercase();
        let path = path.trim_end_matches('/');
        let (route, due) = match path {
            "/api/v2/server/time" => (Self::Time, HttpMethod::Get),
            "/api/v2/server/ping" => (Self::Ping, HttpMethod::Get),
            "/api/v2/server/exchangeinfo" => (Self::ExchangeInfo, HttpMethod::Get),
            "/api/v2/ticker" => (Self::Ticker, HttpMethod::Get),
            "/api/v2/ticker/currency" => (Self::TickerCurrency, HttpMethod::Get),
            "/api/v2/orderbook" => (Self::OrderBook, HttpMethod::Get),
            "/api/v2/trades" => (Self::Trades, HttpMethod::Get),
            "/api/v1/users/balances" => (Self::Balances, HttpMethod::Get),
            "/api/v1/order" if method == HttpMethod::Delete => (Self::Cancel, HttpMethod::Delete),
            "/api/v1/order" => (Self::Insert, HttpMethod::Post),
            "/api/v1/openorders" => (Self::OpenOrders, HttpMethod::Get),
            "/api/v1/allorders" => (Self::AllOrders, HttpMethod::Get),
            "/api/v1/users/transactions/trade" => (Self::Transactions, HttpMethod::Get),
            "/api/v1/users/transactions/crypto" => (Self::Transfers(Rail::Crypto), HttpMethod::Get),
            "/api/v1/users/transactions/fiat" => (Self::Transfers(Rail::Fiat), HttpMethod::Get),
            other => {
                let id = other
                    .strip_prefix("/api/v1/order/")
                    .ok_or(NoRoute::UnknownPath)?;
                (Self::OrderQuery(id.parse().ok()), HttpMethod::Get)
            }
        };
        if method == due {
            Ok(route)
        } else {
            Err(NoRoute::WrongMethod)
        }
    }

    const fn endpoint(self) -> Endpoint {
        match self {
            Self::Time | Self::Ping | Self::ExchangeInfo | Self::Trades => Endpoint::Free,
            Self::Ticker | Self::TickerCurrency => Endpoint::Ticker,
            Self::OrderBook => Endpoint::OrderBook,
            Self::Balances => Endpoint::Balances,
            Self::Insert => Endpoint::Insert,
            Self::Cancel => Endpoint::Cancel,
            Self::OrderQuery(_) => Endpoint::OrderQuery,
            Self::OpenOrders => Endpoint::OpenOrders,
            Self::AllOrders => Endpoint::AllOrders,
            Self::Transactions => Endpoint::Transactions,
            Self::Transfers(_) => Endpoint::Transfers,
        }
    }
}

impl Venue {
    /// Answers a request. What it caused waits in the outboxes.
    pub fn rest(&mut self, now: Timestamp, request: &RestRequest) -> RestReply {
        self.advance(now);
        let mut reply = self.answer(now, request);
        let profile = self.exchange.profile();
        if reply.delay_ms == 0 {
            reply.delay_ms = profile.latency_ms.draw(&mut self.dice);
        }
        if profile.reply_slow.hits(&mut self.dice) {
            reply.delay_ms += profile.reply_slow_ms.draw(&mut self.dice);
            self.count_fault(Some("fault.reply_slow"));
        }
        // Events that overtake the answer leave before it.
        self.advance(now);
        reply
    }

    fn answer(&mut self, now: Timestamp, request: &RestRequest) -> RestReply {
        let route = match Route::of(request.method, &request.path) {
            Ok(route) => route,
            Err(NoRoute::UnknownPath) => return RestReply::status(404, "Not Found"),
            Err(NoRoute::WrongMethod) => return RestReply::status(405, "Method Not Allowed"),
        };
        let (is_order, is_act) = (
            route == Route::Insert,
            matches!(route, Route::Insert | Route::Cancel),
        );
        let before = Before::draw(self.exchange.profile(), &mut self.dice, is_order, is_act);
        self.count_fault(before.switch());
        match before {
            Before::RequestLost => return RestReply::lost(),
            Before::Maintenance if is_order => {
                return RestReply::order_refused(Refused::InsertBlocked);
            }
            Before::Maintenance => return RestReply::named(503, "SYSTEM_UNDER_MAINTENANCE"),
            Before::Html {
                is_processed: false,
            } => return RestReply::html_502(),
            Before::InternalErrorRefused => return RestReply::named(500, "INTERNAL_ERROR"),
            Before::TooManyRequests => return self.refuse_quota(route, request),
            Before::Nothing | Before::Html { is_processed: true } => {}
        }
        let reply = self.process(now, route, request);
        let shown = match before {
            Before::Html { .. } => RestReply::html_502(),
            Before::Nothing
            | Before::RequestLost
            | Before::TooManyRequests
            | Before::Maintenance
            | Before::InternalErrorRefused => self.spoil(&reply),
        };
        RestReply {
            accepted: reply.accepted,
            client_id: reply.client_id,
            delay_ms: reply.delay_ms,
            ..shown
        }
    }

    /// Draws what goes wrong with an answer.
    fn spoil(&mut self, reply: &RestReply) -> RestReply {
        let is_accepted_order = reply.accepted.is_some();
        let after = After::draw(self.exchange.profile(), &mut self.dice, is_accepted_order);
        self.count_fault(after.switch());
        match after {
            After::Nothing => reply.clone(),
            After::ReplyLost => RestReply {
                fate: Fate::Lost,
                ..reply.clone()
            },
            After::InternalError => RestReply::named(500, "INTERNAL_ERROR"),
            After::Empty => RestReply {
                body: String::new(),
                ..reply.clone()
            },
        }
    }

    /// A 429 that no quota asked for.
    fn refuse_quota(&self, route: Route, request: &RestRequest) -> RestReply {
        let quotas = route.endpoint().quotas();
        let quota = quotas.first().copied().unwrap_or(super::limits::Quota {
            count: 600,
            period_s: 60,
        });
        let refused = RestReply::over_quota(&OverQuota {
            quota,
            who: Who::Ip(request.ip),
            retry_after_s: FAULT_RETRY_AFTER_S,
        });
        let says_when = self.exchange.profile().retry_after;
        RestReply {
            retry_after_s: refused.retry_after_s.filter(|_| says_when),
            ..refused
        }
    }

    fn process(&mut self, now: Timestamp, route: Route, request: &RestRequest) -> RestReply {
        if self.doorman.is_blocked(now, request.ip) {
            return RestReply::status(403, "Forbidden");
        }
        if self.exchange.profile().limits_enabled {
            let key = request.credentials.key.as_deref();
            let named = key.and_then(|key| self.doorman.account_of(key));
            if let Err(over) = self.limits.pass(now, route.endpoint(), request.ip, named) {
                return RestReply::over_quota(&over);
            }
        }
        match route {
            Route::Time => public::time(now),
            Route::Ping => public::ping(),
            Route::ExchangeInfo => public::exchange_info(&self.exchange),
            Route::Ticker => public::ticker(&self.exchange, request.parameter("pairSymbol")),
            Route::TickerCurrency => {
                public::ticker_of_currency(&self.exchange, request.parameter("symbol"))
            }
            Route::OrderBook => self.order_book(now, request),
            Route::Trades => public::trades(&self.exchange, request),
            Route::Balances
            | Route::Insert
            | Route::Cancel
            | Route::OrderQuery(_)
            | Route::OpenOrders
            | Route::AllOrders
            | Route::Transactions
            | Route::Transfers(_) => self.process_private(now, route, request),
        }
    }

    fn process_private(
        &mut self,
        now: Timestamp,
        route: Route,
        request: &RestRequest,
    ) -> RestReply {
        let profile = self.exchange.profile();
        let admitted = self
            .doorman
            .admit(now, profile, request.ip, &request.credentials);
        let account = match admitted {
            Ok(account) => account,
            Err(why) => return RestReply::unauthorized(why, profile.success_on_401),
        };
        let exchange = &mut self.exchange;
        match route {
            Route::Balances => account::balances(exchange, now, account),
            Route::Insert => account::insert(exchange, now, account, request),
            Route::Cancel => cancel(exchange, now, account, request),
            Route::OrderQuery(id) => account::order(exchange, now, account, id.map(OrderId)),
            Route::OpenOrders => account::open_orders(exchange, now, account, request),
            Route::AllOrders => account::all_orders(exchange, now, account, request),
            Route::Transactions => account::transactions(exchange, now, account, request),
            Route::Transfers(rail) => account::transfers(exchange, now, account, rail, request),
            Route::Time
            | Route::Ping
            | Route::ExchangeInfo
            | Route::Ticker
            | Route::TickerCurrency
            | Route::OrderBook
            | Route::Trades => RestReply::status(404, "Not Found"),
        }
    }

    fn order_book(&mut self, now: Timestamp, request: &RestRequest) -> RestReply {
        let Some(pair) = request
            .parameter("pairSymbol")
            .and_then(|text| self.exchange.find_pair(text))
        else {
            return RestReply::bad_request("INVALID_PAIR");
        };
        let cached = self
            .books
            .get(&pair)
            .filter(|book| book.is_fresh(now, &self.exchange));
        let book = match cached {
            Some(book) => book.clone(),
            None => public::CachedBook::of(&self.exchange, pair, now),
        };
        let reply = book.reply(&self.exchange, request.parameter("limit"));
        self.books.insert(pair, book);
        reply
    }
}

/// The id counts only in the query; one in the body is not seen (docs/EXCHANGE.md 5.3).
fn cancel(
    exchange: &mut crate::exchange::Exchange,
    now: Timestamp,
    account: crate::ledger::AccountIndex,
    request: &RestRequest,
) -> RestReply {
    let id = request.parameter("id").and_then(|id| id.parse().ok());
    let verdict = id
        .ok_or(Refused::NoOrderMatches)
        .and_then(|id| exchange.cancel(now, account, OrderId(id)));
    match verdict {
        Ok(()) => RestReply::cancelled(),
        Err(refused) => RestReply::refused(refused),
    }
}
