//! A desk whose outside is the fill model: somebody else's market, our orders, virtual time.
//!
//! No I/O and no clock. Every wish to the outside is answered at once and honestly: records are durable, joins are
//! taken, reads show what the model holds. Equal inputs give equal effects.

use super::{Desk, DeskEffect, DeskIn, Seen};
use crate::answer::{OwnTrade, PrivateEvent, TradeSource};
use crate::book::BookView;
use crate::core::{Core, Outbox};
use crate::fill_model::FillModel;
use crate::ids::Symbol;
use crate::instrument::Instrument;
use crate::market::MarketEvent;
use crate::msg::{Channel, FeedIn, ReadReply, ReadRequest, ReconcileIn, RouterIn};
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Wakes at one and the same moment. More means that a core does not move its deadline: the run is stopped by a
/// panic, because it would never end.
pub const WAKES_PER_MOMENT_MAX: usize = 10_000;

/// Sees every effect before it is answered, with the moment it belongs to.
pub trait Watch {
    /// Takes note.
    fn see(&mut self, at: Timestamp, effect: &DeskEffect);
}

/// Nobody watches.
impl Watch for () {
    fn see(&mut self, _at: Timestamp, _effect: &DeskEffect) {}
}

/// A desk that trades on the fill model.
#[derive(Debug)]
pub struct Paper {
    desk: Desk,
    venue: FillModel,
    now: Timestamp,
    out: Outbox<DeskEffect>,
    waiting: VecDeque<DeskEffect>,
}

impl Paper {
    /// Starts at `now`: the desk learns the rules and opens its stream.
    pub fn start(
        desk: Desk,
        venue: FillModel,
        rules: &[Instrument],
        now: Timestamp,
        watch: &mut impl Watch,
    ) -> Self {
        let mut paper = Self {
            desk,
            venue,
            now,
            out: Outbox::default(),
            waiting: VecDeque::new(),
        };
        for rule in rules {
            paper.desk.learn(now, *rule, &mut paper.out);
            paper.answer_all(watch);
        }
        paper.advance(now, watch);
        paper
    }

    /// Returns the desk.
    pub const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Returns the venue.
    pub const fn venue(&self) -> &FillModel {
        &self.venue
    }

    /// Returns the moment that was reached.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns whether the ledger equals the venue's balances to the last unit.
    pub fn is_balanced(&self) -> bool {
        let ledger = self.desk.gate().ledger();
        let rows = self.venue.balances();
        rows.iter()
            .all(|row| row.total() == ledger.balance(row.asset))
    }

    /// Lets time pass to `to`: everything that falls due on the way happens at its own moment, the venue first.
    ///
    /// # Panics
    /// If a core wants to be woken at one moment without end.
    pub fn advance(&mut self, to: Timestamp, watch: &mut impl Watch) {
        let mut wakes = 0;
        while let Some(due) = self.deadline().filter(|due| *due <= to) {
            wakes = if due > self.now { 0 } else { wakes + 1 };
            assert!(
                wakes <= WAKES_PER_MOMENT_MAX,
                "a core that is woken at its deadline moves it"
            );
            self.now = self.now.max(due);
            if self.venue.deadline().is_some_and(|at| at <= self.now) {
                let fills = self.venue.advance(self.now);
                self.report(fills, watch);
            }
            self.desk.wake(self.now, &mut self.out);
            self.answer_all(watch);
        }
        self.now = self.now.max(to);
    }

    /// Takes public data of the moment `at`, after everything that fell due before.
    pub fn take(&mut self, at: Timestamp, event: MarketEvent, watch: &mut impl Watch) {
        self.advance(at, watch);
        if let MarketEvent::Trade(trade) = &event {
            let fills = self.venue.see_trade(self.now, trade);
            self.report(fills, watch);
        }
        self.tell(DeskIn::Feed(FeedIn::Market(event)), watch);
    }

    /// Takes a frame that says nothing about the market; it keeps the session alive.
    pub fn take_other(&mut self, at: Timestamp, watch: &mut impl Watch) {
        self.advance(at, watch);
        self.tell(DeskIn::Feed(FeedIn::Ignored), watch);
    }

    /// Tells the desk something that is neither market nor answer, such as a mode that an operator asks for.
    pub fn tell(&mut self, input: DeskIn, watch: &mut impl Watch) {
        self.desk.handle(self.now, input, &mut self.out);
        self.answer_all(watch);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let venue = self.venue.deadline();
        self.desk.deadline().into_iter().chain(venue).min()
    }

    fn report(&mut self, fills: Vec<OwnTrade>, watch: &mut impl Watch) {
        for fill in fills {
            let event = PrivateEvent::Trade(fill);
            self.tell(DeskIn::Feed(FeedIn::Private(event)), watch);
        }
    }

    /// Answers every effect in its order; what an answer sets off is answered after what already waits.
    fn answer_all(&mut self, watch: &mut impl Watch) {
        self.waiting.extend(self.out.drain());
        while let Some(effect) = self.waiting.pop_front() {
            watch.see(self.now, &effect);
            self.answer(effect);
            self.waiting.extend(self.out.drain());
        }
    }

    fn answer(&mut self, effect: DeskEffect) {
        match effect {
            DeskEffect::Connect => self.hear(DeskIn::Feed(FeedIn::Connected)),
            DeskEffect::Join(channel, symbol) => {
                let text = joined(channel, symbol);
                self.hear(DeskIn::Feed(FeedIn::Ack { ok: true, text }));
            }
            DeskEffect::Login => {
                let login = PrivateEvent::Login {
                    ok: true,
                    user_id: 0,
                };
                self.hear(DeskIn::Feed(FeedIn::Private(login)));
            }
            DeskEffect::Persist(_, Some(id)) => self.hear(DeskIn::Router(RouterIn::Durable(id))),
            DeskEffect::Persist(_, None) | DeskEffect::Close | DeskEffect::Leave(..) => {}
            DeskEffect::Send { order, .. } => {
                let order = order.spend();
                let outcome = self.venue.submit(self.now, &order);
                self.hear(DeskIn::Router(RouterIn::Outcome(order.client_id, outcome)));
            }
            DeskEffect::Delete(id, order_id) => {
                let reply = self.venue.cancel(self.now, order_id);
                self.hear(DeskIn::Router(RouterIn::CancelReply(id, reply)));
            }
            DeskEffect::ReadRow(id, order_id) => {
                let row = self.venue.row(order_id);
                self.hear(DeskIn::Router(RouterIn::Row(id, row)));
            }
            DeskEffect::Read(request) => {
                let reply = self.read(request);
                self.hear(DeskIn::Reconcile(ReconcileIn::Reply(reply)));
            }
            DeskEffect::Seen(seen) => self.show(&seen),
        }
    }

    fn hear(&mut self, input: DeskIn) {
        self.desk.handle(self.now, input, &mut self.out);
    }

    /// The venue trades on the same books as the strategies.
    fn show(&mut self, seen: &Seen) {
        let fills = match seen {
            Seen::Book(BookView::Trusted(book)) => self.venue.see_book(self.now, book),
            Seen::Book(BookView::Untrusted { symbol, .. }) => {
                self.venue.lose_book(*symbol);
                Vec::new()
            }
            Seen::Intent(_)
            | Seen::Silent(..)
            | Seen::Denied(_)
            | Seen::Order(_)
            | Seen::Fill(_)
            | Seen::Mode(_)
            | Seen::Money(_)
            | Seen::Feed(_)
            | Seen::Gate(_)
            | Seen::Router(_)
            | Seen::Pass(_) => Vec::new(),
        };
        for fill in fills {
            let event = PrivateEvent::Trade(fill);
            self.hear(DeskIn::Feed(FeedIn::Private(event)));
        }
    }

    fn read(&self, request: ReadRequest) -> ReadReply {
        match request {
            ReadRequest::OpenOrders => ReadReply::OpenOrders(self.venue.open_rows()),
            ReadRequest::History(symbol, since) => {
                ReadReply::History(symbol, since, self.venue.rows_since(symbol, since))
            }
            ReadRequest::Trades(since) => {
                let listed = |mut trade: OwnTrade| {
                    trade.source = TradeSource::Rest;
                    trade
                };
                let trades = self.venue.trades_since(since).into_iter().map(listed);
                ReadReply::Trades(since, trades.collect())
            }
            // A paper account has no bank.
            ReadRequest::Transfers(since) => ReadReply::Transfers(since, Vec::new()),
            ReadRequest::Balances => ReadReply::Balances(self.venue.balances()),
        }
    }
}

/// How the exchange says that a channel was joined (docs/EXCHANGE.md 10, message 100).
fn joined(channel: Channel, symbol: Symbol) -> String {
    let name = match channel {
        Channel::Diff => "obdiff",
        Channel::Book => "orderbook",
        Channel::Trade => "trade",
        Channel::Ticker => "ticker",
    };
    format!("join|{name}:{symbol}")
}
