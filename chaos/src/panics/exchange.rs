//! The exchange inside the process: the simulator's matching core behind the actors' own port traits.
//!
//! No socket. A request takes its milliseconds, the stream is pushed straight into the feed's link, and the last look
//! at the gate is taken with the port's own judge on the line before the order counts as sent.

use super::base::Base;
use super::rig::Ground;
use crate::wire;
use actors::clock::Clock;
use actors::driver::Keys;
use actors::driver::gated::{Egress, Permit};
use actors::exits::Exits;
use actors::gate::Gate;
use actors::link::{Link, Sent};
use actors::market_feed::MarketFeedPort;
use actors::observer::Eyes;
use actors::reconciler::ReadPort;
use actors::risk_gate::shut;
use actors::shell::Perform;
use actors::system::Links;
use engine::answer::{CancelReply, OrderRow, PrivateEvent, RowStatus, SubmitOutcome, TradeSource};
use engine::approved::Approved;
use engine::feed::Feed;
use engine::ids::{ClientId, OrderId, Symbol};
use engine::intent::NewOrder;
use engine::market::{BookChannel, MarketEvent};
use engine::msg::{Channel, FeedEffect, FeedIn, ReadReply, ReadRequest, ReconcileIn, RouterIn};
use engine::time::Timestamp;
use simulator::exchange::{Event, Exchange};
use simulator::judge::OrderRequest;
use simulator::ledger::AccountIndex;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// Our account at the exchange.
const ACCOUNT: AccountIndex = AccountIndex(0);
/// An address that is never connected to: the feed's socket is replaced.
const NOWHERE: &str = "ws://127.0.0.1:9/";
/// One way of a request, and half of it for the first byte.
const WAY: Duration = Duration::from_millis(2);
/// Time between two steps of the market.
const TICK: Duration = Duration::from_millis(10);

/// The exchange, shared by every way to it.
#[derive(Clone)]
pub(super) struct Venue {
    inner: Rc<RefCell<Inner>>,
    base: Base,
    links: Links,
    gate: Gate,
    clock: Clock,
    eyes: Eyes,
}

struct Inner {
    exchange: Exchange,
    session: u32,
    is_open: bool,
    is_private: bool,
    joined: BTreeSet<(Channel, Symbol)>,
    posts: Vec<Timestamp>,
}

impl Venue {
    pub(super) fn new(exchange: Exchange, base: &Base) -> Self {
        let inner = Inner {
            exchange,
            session: 0,
            is_open: false,
            is_private: false,
            joined: BTreeSet::new(),
            posts: Vec::new(),
        };
        Self {
            inner: Rc::new(RefCell::new(inner)),
            base: base.clone(),
            links: base.links.clone(),
            gate: base.owner.gate(),
            clock: base.clock.clone(),
            eyes: base.eyes.clone(),
        }
    }

    /// Returns the number of orders that were sent since a moment.
    pub(super) fn posts_since(&self, from: Timestamp) -> usize {
        let inner = self.inner.borrow();
        inner.posts.iter().filter(|at| **at > from).count()
    }

    /// Lets the market move until the system ends.
    pub(super) async fn run(self) {
        loop {
            tokio::time::sleep(TICK).await;
            let events = self.inner.borrow_mut().exchange.advance(self.clock.now());
            events.iter().for_each(|event| self.publish(event));
        }
    }

    fn publish(&self, event: &Event) {
        let frame = {
            let inner = self.inner.borrow();
            let pairs = inner.exchange.pairs();
            match event {
                Event::Private { account, event } if inner.is_private && *account == ACCOUNT => {
                    Some(FeedIn::Private(wire::private(event, pairs)))
                }
                Event::Private { .. } => None,
                Event::BookDiff { .. }
                | Event::BookFull { .. }
                | Event::Trade { .. }
                | Event::Ticker(_) => wire::public(event, pairs)
                    .filter(|(channel, symbol, _)| inner.joined.contains(&(*channel, *symbol)))
                    .map(|(_, _, event)| FeedIn::Market(event)),
            }
        };
        if let Some(frame) = frame {
            self.push(frame);
        }
    }

    /// A session that cannot hand a frame over is over: a frame is never skipped.
    fn push(&self, frame: FeedIn) {
        if !self.inner.borrow().is_open {
            return;
        }
        if self.links.feed.send(frame) != Sent::Delivered {
            self.close();
        }
    }

    fn connect(&self) {
        let session = {
            let mut inner = self.inner.borrow_mut();
            inner.session += 1;
            inner.session
        };
        let venue = self.clone();
        actix_rt::spawn(async move {
            tokio::time::sleep(WAY).await;
            if venue.inner.borrow().session == session {
                venue.inner.borrow_mut().is_open = true;
                venue.push(FeedIn::Connected);
            }
        });
    }

    fn close(&self) {
        let mut inner = self.inner.borrow_mut();
        (inner.is_open, inner.is_private) = (false, false);
        inner.joined.clear();
    }

    /// Ends the session and says so, if there is one.
    fn hang_up(&self) {
        if self.inner.borrow().is_open {
            self.close();
            // A feed that is not there opens a session of its own when it comes.
            let _told = self.links.feed.send(FeedIn::Disconnected);
        }
    }

    fn join(&self, channel: Channel, symbol: Symbol) {
        self.inner.borrow_mut().joined.insert((channel, symbol));
        let text = wire::joined(channel, symbol);
        self.push(FeedIn::Ack { ok: true, text });
        if channel == Channel::Diff {
            let full = {
                let inner = self.inner.borrow();
                let pair = inner.exchange.find_pair(symbol.as_str());
                pair.map(|pair| inner.exchange.book_full(pair, BookChannel::Diff))
            };
            if let Some(full) = full {
                self.push(FeedIn::Market(MarketEvent::Full(full)));
            }
        }
    }

    fn login(&self) {
        self.inner.borrow_mut().is_private = true;
        let login = PrivateEvent::Login {
            ok: true,
            user_id: 1,
        };
        self.push(FeedIn::Private(login));
    }

    fn answer(&self, message: RouterIn) {
        if self.links.router.send(message) != Sent::Delivered {
            shut(&self.gate, &self.eyes, "exchange_to_router");
        }
    }

    fn post(&self, order: &NewOrder) -> SubmitOutcome {
        let now = self.clock.now();
        let mut inner = self.inner.borrow_mut();
        inner.posts.push(now);
        let intent = &order.intent;
        let request = OrderRequest::limit(
            intent.symbol.as_str(),
            intent.side,
            &intent.qty.to_string(),
            &intent.limit.to_string(),
            &order.client_id.to_string(),
        );
        match inner.exchange.submit(now, ACCOUNT, &request) {
            Ok(accepted) => SubmitOutcome::Accepted(accepted.id),
            Err(refused) => SubmitOutcome::Rejected(wire::refusal(refused)),
        }
    }

    fn rows(&self, is_shown: impl Fn(&OrderRow) -> bool) -> Vec<OrderRow> {
        let (inner, now) = (self.inner.borrow(), self.clock.now());
        let pairs = inner.exchange.pairs();
        let own = inner
            .exchange
            .orders()
            .filter(|order| order.account == ACCOUNT);
        let rows = own.filter_map(|order| {
            let shown = order.at(now)?;
            Some(wire::row(order, shown, pairs[order.pair.0].symbol))
        });
        rows.filter(is_shown).collect()
    }

    fn reply(&self, what: ReadRequest) -> ReadReply {
        match what {
            ReadRequest::OpenOrders => ReadReply::OpenOrders(
                self.rows(|row| matches!(row.status, RowStatus::Untouched | RowStatus::Partial)),
            ),
            ReadRequest::History(symbol, since) => {
                let rows = self.rows(|row| row.symbol == symbol && row.at >= since);
                ReadReply::History(symbol, since, rows)
            }
            ReadRequest::Trades(since) => {
                let inner = self.inner.borrow();
                let exchange = &inner.exchange;
                let own = exchange
                    .fills()
                    .filter(|fill| fill.account == ACCOUNT && fill.at >= since);
                let trades = own.map(|fill| {
                    let order = exchange.order(fill.order_id);
                    let id = order.and_then(|order| wire::ours(order.echo.as_ref()));
                    wire::trade(fill, &exchange.pairs()[fill.pair.0], id, TradeSource::Rest)
                });
                ReadReply::Trades(since, trades.collect())
            }
            ReadRequest::Transfers(since) => ReadReply::Transfers(since, Vec::new()),
            ReadRequest::Balances => {
                let inner = self.inner.borrow();
                ReadReply::Balances(wire::balances(inner.exchange.ledger().balances(ACCOUNT)))
            }
        }
    }
}

impl Ground for Venue {
    type Exits = Self;
    type Reads = VenueReads;
    type Feed = FeedPort;

    fn exits(&self) -> Self {
        self.clone()
    }

    fn reads(&self) -> VenueReads {
        VenueReads {
            venue: self.clone(),
            reconciler: self.links.reconciler.clone(),
        }
    }

    fn feed(&self) -> FeedPort {
        FeedPort {
            port: self.base.feed_port(NOWHERE, &Keys::none()),
            venue: self.clone(),
        }
    }
}

impl Exits for Venue {
    fn submit(&self, order: Approved<NewOrder>, _stamp_max: Timestamp) {
        let (venue, pass) = (self.clone(), self.gate.pass());
        actix_rt::spawn(async move {
            tokio::time::sleep(WAY / 2).await;
            let id = order.get().client_id;
            let outcome = match pass {
                None => SubmitOutcome::NotSent(engine::answer::NotSent::GateClosed),
                Some(pass) => {
                    let expires_at = order.expires_at();
                    match Egress::judge(&venue.gate, &venue.clock, Permit { pass, expires_at }) {
                        Ok(()) => venue.post(&order.spend()),
                        Err(why) => SubmitOutcome::NotSent(why),
                    }
                }
            };
            tokio::time::sleep(WAY).await;
            venue.answer(RouterIn::Outcome(id, outcome));
        });
    }

    fn delete(&self, id: ClientId, order_id: OrderId) {
        let venue = self.clone();
        actix_rt::spawn(async move {
            tokio::time::sleep(WAY).await;
            let now = venue.clock.now();
            let done = venue
                .inner
                .borrow_mut()
                .exchange
                .cancel(now, ACCOUNT, order_id);
            let reply = done.map_or(CancelReply::LookUp, |()| CancelReply::Acknowledged);
            venue.answer(RouterIn::CancelReply(id, reply));
        });
    }

    fn read_row(&self, id: ClientId, order_id: OrderId) {
        let venue = self.clone();
        actix_rt::spawn(async move {
            tokio::time::sleep(WAY).await;
            let row = venue.rows(|row| row.id == order_id).pop();
            venue.answer(RouterIn::Row(id, row));
        });
    }
}

/// Reads of this exchange.
pub(super) struct VenueReads {
    pub(super) venue: Venue,
    pub(super) reconciler: Link<ReconcileIn>,
}

impl ReadPort for VenueReads {
    fn read(&self, request: ReadRequest) {
        let (venue, reconciler) = (self.venue.clone(), self.reconciler.clone());
        actix_rt::spawn(async move {
            tokio::time::sleep(WAY).await;
            // One that is not taken fails its pass; the next starts over.
            let _taken = reconciler.send(ReconcileIn::Reply(venue.reply(request)));
        });
    }
}

/// The feed's real port, with this exchange in the place of its socket.
pub(super) struct FeedPort {
    pub(super) port: MarketFeedPort,
    pub(super) venue: Venue,
}

impl Perform for FeedPort {
    type Core = Feed;

    fn perform(&mut self, now: Timestamp, effect: FeedEffect) {
        match effect {
            FeedEffect::Connect => self.venue.connect(),
            FeedEffect::Close => self.venue.hang_up(),
            FeedEffect::Join(channel, symbol) => self.venue.join(channel, symbol),
            FeedEffect::Leave(channel, symbol) => {
                self.venue
                    .inner
                    .borrow_mut()
                    .joined
                    .remove(&(channel, symbol));
            }
            FeedEffect::Login => self.venue.login(),
            // The real port would close its own socket, which is not there.
            FeedEffect::Book(input) => {
                if self.venue.links.book.send(input) != Sent::Delivered {
                    self.venue.hang_up();
                }
            }
            FeedEffect::Private(_) | FeedEffect::PrivateUp | FeedEffect::Note(_) => {
                self.port.perform(now, effect);
            }
        }
    }
}

impl Drop for FeedPort {
    fn drop(&mut self) {
        // The session ends with whoever held it, and its connect is void.
        self.venue.inner.borrow_mut().session += 1;
        self.venue.close();
    }
}
