//! Every request this engine makes, as data: method, path, query, body, quota group.
//!
//! Values in a query are pairs and numbers, so nothing needs escaping. Path, query and body are not signed.

use super::quota::Group;
use crate::wire;
use engine::answer::Rail;
use engine::ids::{OrderId, Symbol};
use engine::market::Side;
use engine::money::{Price, Qty};
use engine::time::Timestamp;

/// Rows of one page of `allOrders`: the documented maximum (docs/EXCHANGE.md 5.5).
pub const ORDERS_PAGE_ROWS: u32 = 1_000;
/// Levels a side that the REST book gives at most (docs/EXCHANGE.md 4.4).
pub const BOOK_LEVELS: u32 = 100;

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Submits an order.
    Post,
    /// Cancels an order.
    Delete,
}

impl Method {
    /// Returns the method's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// One request, without host and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path from the root.
    pub path: String,
    /// Query, in order.
    pub query: Vec<(&'static str, String)>,
    /// JSON body; only an order POST has one.
    pub body: Option<Vec<u8>>,
    /// Which quota it uses.
    pub group: Group,
}

impl Request {
    /// Returns path and query as one text.
    pub fn target(&self) -> String {
        let pairs: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if pairs.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, pairs.join("&"))
        }
    }

    /// Returns whether the request must be signed.
    pub const fn is_private(&self) -> bool {
        self.group.is_private()
    }

    fn get(group: Group, path: impl Into<String>, query: Vec<(&'static str, String)>) -> Self {
        Self {
            method: Method::Get,
            path: path.into(),
            query,
            body: None,
            group,
        }
    }
}

/// Asks for the exchange's time.
pub fn server_time() -> Request {
    Request::get(Group::Public, "/api/v2/server/time", Vec::new())
}

/// Asks for the rules of all pairs.
pub fn exchange_info() -> Request {
    Request::get(Group::Public, "/api/v2/server/exchangeinfo", Vec::new())
}

/// Asks for the book of a pair; the answer may be a second or two old (docs/EXCHANGE.md 4.4).
pub fn order_book(symbol: Symbol) -> Request {
    let query = vec![
        ("pairSymbol", symbol.to_string()),
        ("limit", BOOK_LEVELS.to_string()),
    ];
    Request::get(Group::OrderBook, "/api/v2/orderbook", query)
}

/// Asks for the ticker of a pair.
pub fn ticker(symbol: Symbol) -> Request {
    Request::get(
        Group::Ticker,
        "/api/v2/ticker",
        vec![("pairSymbol", symbol.to_string())],
    )
}

/// Asks for the tickers of all pairs.
pub fn tickers() -> Request {
    Request::get(Group::Ticker, "/api/v2/ticker", Vec::new())
}

/// Asks for the account's balances.
pub fn balances() -> Request {
    Request::get(Group::Balances, "/api/v1/users/balances", Vec::new())
}

/// Asks for the open orders of all pairs: without a pair the list holds them all (docs/EXCHANGE.md 5.5).
pub fn open_orders() -> Request {
    Request::get(Group::OrderLists, "/api/v1/openOrders", Vec::new())
}

/// Asks for one page of a pair's orders since a moment, newest first. The first page is 1 (BTCTrader/broker-api-docs
/// issue 563, one source).
///
/// `startTime` is in **seconds** (BTCTrader/broker-api-docs issues 494 and 543); were it milliseconds, the answer
/// would hold more, never less.
pub fn all_orders(symbol: Symbol, since: Timestamp, page: u32) -> Request {
    let query = vec![
        ("pairSymbol", symbol.to_string()),
        ("startTime", since.ms().div_euclid(1_000).to_string()),
        ("page", page.to_string()),
        ("limit", ORDERS_PAGE_ROWS.to_string()),
    ];
    Request::get(Group::OrderLists, "/api/v1/allOrders", query)
}

/// Asks for the account's trades since a moment, of all pairs; `startDate` is in milliseconds (docs/EXCHANGE.md 5.6).
pub fn own_trades(since: Timestamp) -> Request {
    let query = vec![("startDate", since.ms().to_string())];
    Request::get(Group::OwnTrades, "/api/v1/users/transactions/trade", query)
}

/// Asks for the account's trades of one order.
pub fn own_trades_of(order: OrderId) -> Request {
    let query = vec![("orderId", order.to_string())];
    Request::get(Group::OwnTrades, "/api/v1/users/transactions/trade", query)
}

/// Asks for the account's deposits and withdrawals on one rail since a moment; `startDate` is in milliseconds
/// (docs/EXCHANGE.md 5.7).
pub fn transfers(rail: Rail, since: Timestamp) -> Request {
    let path = match rail {
        Rail::Crypto => "/api/v1/users/transactions/crypto",
        Rail::Fiat => "/api/v1/users/transactions/fiat",
    };
    let query = vec![("startDate", since.ms().to_string())];
    Request::get(Group::Transfers, path, query)
}

/// Asks for one order.
pub fn order(id: OrderId) -> Request {
    Request::get(Group::OrderGet, format!("/api/v1/order/{id}"), Vec::new())
}

/// Submits a limit order.
///
/// Price and quantity are written as text without trailing zeros, since `604560.0` has been refused
/// (docs/EXCHANGE.md 5.2). The client id goes into `newOrderClientId`, the documented member.
///
/// # Panics
/// Never: the body holds texts only, and every text can be written as JSON.
pub fn submit(client_id: &str, symbol: Symbol, side: Side, price: Price, qty: Qty) -> Request {
    let order = wire::OrderRequest {
        quantity: qty.into(),
        price: Some(price.into()),
        stop_price: None,
        new_order_client_id: Some(client_id.to_owned()),
        new_client_order_id: None,
        order_method: "limit".to_owned(),
        order_type: side.as_str().to_owned(),
        pair_symbol: symbol.to_string(),
    };
    let body = serde_json::to_vec(&order).expect("an order request holds texts only");
    Request {
        method: Method::Post,
        path: "/api/v1/order".to_owned(),
        query: Vec::new(),
        body: Some(body),
        group: Group::OrderInsert,
    }
}

/// Asks for a cancel. The id goes into the query and nowhere else: in a body it is ignored (docs/EXCHANGE.md 5.3).
pub fn cancel(id: OrderId) -> Request {
    Request {
        method: Method::Delete,
        path: "/api/v1/order".to_owned(),
        query: vec![("id", id.to_string())],
        body: None,
        group: Group::OrderCancel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> Symbol {
        Symbol::parse("BTC_TRY").unwrap()
    }

    #[test]
    fn requests_are_spelled_as_documented() {
        let since = Timestamp::from_ms(1_700_000_000_999);
        let check = |request: Request, method: Method, target: &str, is_private: bool| {
            assert_eq!(
                (request.method, request.target().as_str()),
                (method, target)
            );
            assert_eq!(request.is_private(), is_private, "{target}");
            assert_eq!(request.body.is_some(), method == Method::Post, "{target}");
        };
        check(server_time(), Method::Get, "/api/v2/server/time", false);
        check(
            exchange_info(),
            Method::Get,
            "/api/v2/server/exchangeinfo",
            false,
        );
        check(
            order_book(pair()),
            Method::Get,
            "/api/v2/orderbook?pairSymbol=BTCTRY&limit=100",
            false,
        );
        check(
            ticker(pair()),
            Method::Get,
            "/api/v2/ticker?pairSymbol=BTCTRY",
            false,
        );
        check(tickers(), Method::Get, "/api/v2/ticker", false);
        check(balances(), Method::Get, "/api/v1/users/balances", true);
        check(open_orders(), Method::Get, "/api/v1/openOrders", true);
        check(
            all_orders(pair(), since, 2),
            Method::Get,
            "/api/v1/allOrders?pairSymbol=BTCTRY&startTime=1700000000&page=2&limit=1000",
            true,
        );
        check(
            own_trades(since),
            Method::Get,
            "/api/v1/users/transactions/trade?startDate=1700000000999",
            true,
        );
        check(
            own_trades_of(OrderId(7)),
            Method::Get,
            "/api/v1/users/transactions/trade?orderId=7",
            true,
        );
        check(
            transfers(Rail::Crypto, since),
            Method::Get,
            "/api/v1/users/transactions/crypto?startDate=1700000000999",
            true,
        );
        check(
            transfers(Rail::Fiat, since),
            Method::Get,
            "/api/v1/users/transactions/fiat?startDate=1700000000999",
            true,
        );
        check(order(OrderId(7)), Method::Get, "/api/v1/order/7", true);
        let submit = submit(
            "c1",
            pair(),
            Side::Buy,
            Price::parse("1").unwrap(),
            Qty::parse("2").unwrap(),
        );
        check(submit, Method::Post, "/api/v1/order", true);
    }

    #[test]
    fn cancel_sends_id_in_query_only() {
        let request = cancel(OrderId(27_000_000_001));
        assert_eq!(request.method, Method::Delete);
        assert_eq!(request.target(), "/api/v1/order?id=27000000001");
        assert_eq!((request.body, request.group), (None, Group::OrderCancel));
    }

    #[test]
    fn a_submit_has_exactly_the_documented_members() {
        let price = Price::parse("604560.00").unwrap();
        let body = submit(
            "bacct1",
            pair(),
            Side::Sell,
            price,
            Qty::parse("0.00100000").unwrap(),
        )
        .body;
        let expected = concat!(
            r#"{"quantity":"0.001","price":"604560","newOrderClientId":"bacct1","#,
            r#""orderMethod":"limit","orderType":"sell","pairSymbol":"BTCTRY"}"#
        );
        assert_eq!(String::from_utf8(body.unwrap()).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn order_path_is_exact_to_the_last_digit(price in 1i64..i64::MAX, qty in 1i64..i64::MAX) {
            let (price, qty) = (Price::from_units(price), Qty::from_units(qty));
            let body = submit("id", pair(), Side::Buy, price, qty).body.unwrap();
            let read: wire::OrderRequest = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(Price::parse(read.price.as_deref().unwrap()), Ok(price));
            prop_assert_eq!(Qty::parse(&read.quantity), Ok(qty));
            let is_trimmed = |text: &str| !text.contains('.') || !text.ends_with(['0', '.']);
            prop_assert!(is_trimmed(&read.quantity) && is_trimmed(read.price.as_deref().unwrap()));
        }
    }
}
