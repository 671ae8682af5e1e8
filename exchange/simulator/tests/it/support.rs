//! Shared by the tests: a venue in virtual time, signed requests, JSON answers.

use btcbot_simulator::exchange::{AccountSpec, Event, Exchange, PrivateEvent};
use btcbot_simulator::judge::OrderRequest;
use btcbot_simulator::ledger::AccountIndex;
use btcbot_simulator::market::pair::PairIndex;
use btcbot_simulator::profile::Profile;
use btcbot_simulator::venue::{
    Credentials, EXAMPLE_KEY, EXAMPLE_SECRET, HttpMethod, Member, RestReply, RestRequest, Venue,
    VenueOptions,
};
use btcturk::sign::Signer;
use engine::market::Side;
use engine::money::{Price, Qty};
use engine::time::Timestamp;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};

pub const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
pub const ME: AccountIndex = AccountIndex(0);
pub const OTHER: AccountIndex = AccountIndex(1);
pub const BTCTRY: PairIndex = PairIndex(0);
pub const OTHER_KEY: &str = "99999999-8888-7777-6666-555555555555";

/// The built-in profile with settings on top.
pub fn profile(settings: &[&str]) -> Profile {
    let mut profile = Profile::faithful();
    for setting in settings {
        profile.set(setting).unwrap();
    }
    profile
}

/// An exchange with two rich accounts.
pub fn exchange(seed: u64, settings: &[&str]) -> Exchange {
    let accounts = [AccountSpec::rich(100_001), AccountSpec::rich(100_002)];
    Exchange::new(seed, profile(settings), START, &accounts)
}

pub fn options(settings: &[&str]) -> VenueOptions {
    let other = Member {
        spec: AccountSpec::rich(100_002),
        key: OTHER_KEY.to_owned(),
        secret: EXAMPLE_SECRET.to_owned().into(),
    };
    VenueOptions {
        seed: 1,
        profile: profile(settings),
        members: vec![Member::example(), other],
    }
}

pub fn venue(settings: &[&str]) -> Venue {
    Venue::new(&options(settings), START).unwrap()
}

pub fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

pub fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

/// A price so far from the best that only a crash of the market would fill it, as a factor in percent.
pub fn near(exchange: &Exchange, side: Side, percent: i64) -> String {
    let best = exchange.book(BTCTRY).best(side).unwrap();
    Price::from_units(best.units() / 100 * percent)
        .floor_to(price("10"))
        .to_string()
}

pub fn far_buy(exchange: &Exchange, client_id: &str) -> OrderRequest {
    OrderRequest::limit(
        "BTCTRY",
        Side::Buy,
        "0.01",
        &near(exchange, Side::Buy, 60),
        client_id,
    )
}

/// A buy that crosses the spread by two percent.
pub fn crossing_buy(exchange: &Exchange, qty: &str, client_id: &str) -> OrderRequest {
    OrderRequest::limit(
        "BTCTRY",
        Side::Buy,
        qty,
        &near(exchange, Side::Sell, 102),
        client_id,
    )
}

/// Lets time pass and returns what an account was told.
pub fn told(exchange: &mut Exchange, account: AccountIndex, until_ms: i64) -> Vec<PrivateEvent> {
    let events = exchange.advance(START.plus_ms(until_ms));
    let mine = events.into_iter().filter_map(|event| match event {
        Event::Private {
            account: who,
            event,
        } if who == account => Some(event),
        Event::Private { .. }
        | Event::BookDiff { .. }
        | Event::BookFull { .. }
        | Event::Trade { .. }
        | Event::Ticker(_) => None,
    });
    mine.collect()
}

pub fn kinds(events: &[PrivateEvent]) -> Vec<u16> {
    events.iter().map(PrivateEvent::kind).collect()
}

/// A public request.
pub fn get(path_and_query: &str) -> RestRequest {
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""));
    let query = query.split('&').filter_map(|part| part.split_once('='));
    RestRequest {
        method: HttpMethod::Get,
        path: path.to_owned(),
        query: query.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        credentials: Credentials::default(),
        content_type: Some("application/json".to_owned()),
        body: Vec::new(),
        ip: IP,
    }
}

pub fn signer(key: &str) -> Signer {
    Signer::new(key.to_owned().into(), &EXAMPLE_SECRET.to_owned().into()).unwrap()
}

/// Signs a request as the example account, at a time.
pub fn signed(mut request: RestRequest, now: Timestamp) -> RestRequest {
    let headers = signer(EXAMPLE_KEY).rest_headers(now.ms());
    let [key, stamp, signature] = headers.expose().map(|(_, value)| Some(value.to_owned()));
    request.credentials = Credentials {
        key,
        stamp,
        signature,
    };
    request
}

pub fn post_order(body: &str) -> RestRequest {
    RestRequest {
        method: HttpMethod::Post,
        body: body.as_bytes().to_vec(),
        ..get("/api/v1/order")
    }
}

pub fn delete_order(query: &str) -> RestRequest {
    RestRequest {
        method: HttpMethod::Delete,
        ..get(&format!("/api/v1/order{query}"))
    }
}

/// The body of a limit buy far below the market.
pub fn far_body(venue: &Venue, client_id: &str) -> String {
    let price = near(venue.exchange(), Side::Buy, 60);
    format!(
        r#"{{"quantity":"0.01","price":"{price}","stopPrice":"0","newOrderClientId":"{client_id}","orderMethod":"limit","orderType":"buy","pairSymbol":"BTCTRY"}}"#
    )
}

pub fn json(reply: &RestReply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or(Value::Null)
}

/// Sends a signed request at a time and returns status and body.
pub fn ask(venue: &mut Venue, at_ms: i64, request: RestRequest) -> (u16, Value) {
    let now = START.plus_ms(at_ms);
    let reply = venue.rest(now, &signed(request, now));
    (reply.status, json(&reply))
}
