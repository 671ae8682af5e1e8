//! The venue's decider: the fill model behind the exchange's manners.
//!
//! An order that breaks a rule is refused under the exchange's name, a fill is an event and a row of the trade list,
//! a cancel's answer is not the order's end: its row is. The one idea: the router cannot tell it from the exchange.

use super::VenueIn;
use super::past::Past;
use super::rules;
use engine::answer::{
    CancelReply, NotSent, OrderEvent, OrderRow, OwnTrade, PrivateEvent, SubmitOutcome, TradeSource,
};
use engine::book::BookView;
use engine::core::{Core, Outbox};
use engine::fill_model::{FillModel, FillParams};
use engine::ids::{ClientId, OrderId, Symbol};
use engine::instrument::Instrument;
use engine::intent::NewOrder;
use engine::msg::{ReadReply, ReadRequest};
use engine::time::Timestamp;
use std::collections::BTreeMap;

/// What the simulated venue says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VenueEffect {
    /// What became of a submit.
    Outcome(ClientId, SubmitOutcome),
    /// What a cancel was answered.
    CancelReply(ClientId, CancelReply),
    /// Something happened in the account.
    Private(PrivateEvent),
    /// One order; `None` if the venue does not know it.
    Row(ClientId, Option<OrderRow>),
    /// A look at the account.
    Reply(ReadReply),
}

/// The simulated exchange with one account.
#[derive(Clone, Debug)]
pub struct VenueCore {
    model: FillModel,
    /// One entry per configured pair.
    rules: BTreeMap<Symbol, Instrument>,
    /// Orders of earlier starts that had not ended: cancelled by the restart. Never grows.
    gone: BTreeMap<OrderId, OrderRow>,
}

impl VenueCore {
    /// Opens the venue where the journal left its account.
    pub fn new(params: FillParams, past: Past) -> Self {
        Self {
            model: FillModel::new(params, &[], &past.balances, past.id_first),
            rules: BTreeMap::new(),
            gone: past.gone,
        }
    }

    /// Learns the rules of one pair and opens it for orders.
    pub fn learn(&mut self, rules: Instrument) {
        self.model.list(&rules);
        self.rules.insert(rules.symbol, rules);
    }

    /// Takes an order whose approval holds until `expires_at`.
    pub(super) fn submit(
        &mut self,
        now: Timestamp,
        expires_at: Timestamp,
        order: &NewOrder,
        out: &mut Outbox<VenueEffect>,
    ) {
        let outcome = if now > expires_at {
            SubmitOutcome::NotSent(NotSent::Expired)
        } else {
            self.judge(now, order)
        };
        out.push(VenueEffect::Outcome(order.client_id, outcome));
        if let SubmitOutcome::Accepted(id) = outcome
            && let Some(row) = self.model.row(id)
        {
            let event = PrivateEvent::Inserted(event_of(&row));
            out.push(VenueEffect::Private(event));
        }
    }

    fn judge(&mut self, now: Timestamp, order: &NewOrder) -> SubmitOutcome {
        let rules = self.rules.get(&order.intent.symbol);
        match rules.and_then(|rules| rules::refusal(rules, order)) {
            Some(refusal) => SubmitOutcome::Rejected(refusal),
            None => self.model.submit(now, order),
        }
    }

    fn cancel(
        &mut self,
        now: Timestamp,
        id: ClientId,
        order_id: OrderId,
        out: &mut Outbox<VenueEffect>,
    ) {
        let reply = self.model.cancel(now, order_id);
        out.push(VenueEffect::CancelReply(id, reply));
        if reply == CancelReply::Acknowledged
            && let Some(row) = self.model.row(order_id)
        {
            let event = PrivateEvent::Deleted(event_of(&row));
            out.push(VenueEffect::Private(event));
        }
    }

    fn row(&self, id: OrderId) -> Option<OrderRow> {
        self.model.row(id).or_else(|| self.gone.get(&id).cloned())
    }

    pub(super) fn read(&self, request: ReadRequest) -> ReadReply {
        match request {
            ReadRequest::OpenOrders => ReadReply::OpenOrders(self.model.open_rows()),
            ReadRequest::History(symbol, since) => {
                ReadReply::History(symbol, since, self.history(symbol, since))
            }
            ReadRequest::Trades(since) => ReadReply::Trades(since, self.trades(since)),
            // A simulated account has no bank.
            ReadRequest::Transfers(since) => ReadReply::Transfers(since, Vec::new()),
            ReadRequest::Balances => ReadReply::Balances(self.model.balances()),
        }
    }

    fn history(&self, symbol: Symbol, since: Timestamp) -> Vec<OrderRow> {
        let gone = self.gone.values().cloned();
        gone.filter(|row| row.symbol == symbol && row.at >= since)
            .chain(self.model.rows_since(symbol, since))
            .collect()
    }

    /// Lists the trades as the exchange's list does: the same trades again, from the other source.
    fn trades(&self, since: Timestamp) -> Vec<OwnTrade> {
        let mut trades = self.model.trades_since(since);
        for trade in &mut trades {
            trade.source = TradeSource::Rest;
        }
        trades
    }
}

fn event_of(row: &OrderRow) -> OrderEvent {
    OrderEvent {
        id: row.id,
        client_id: row.client_id,
        symbol: row.symbol,
        side: Some(row.side),
        price: row.price,
        left: row.left,
    }
}

fn tell(fills: Vec<OwnTrade>, out: &mut Outbox<VenueEffect>) {
    for fill in fills {
        out.push(VenueEffect::Private(PrivateEvent::Trade(fill)));
    }
}

impl Core for VenueCore {
    type In = VenueIn;
    type Effect = VenueEffect;

    fn handle(&mut self, now: Timestamp, input: VenueIn, out: &mut Outbox<VenueEffect>) {
        // What was due before this input comes first: a cancel does not undo a fill that should have been.
        self.wake(now, out);
        match input {
            VenueIn::Book(BookView::Trusted(book)) => tell(self.model.see_book(now, &book), out),
            VenueIn::Book(BookView::Untrusted { symbol, .. }) => self.model.lose_book(symbol),
            VenueIn::Trade(trade) => tell(self.model.see_trade(now, &trade), out),
            VenueIn::Rules(rules) => self.learn(rules),
            VenueIn::Submit(approved) => {
                let expires_at = approved.expires_at();
                self.submit(now, expires_at, &approved.spend(), out);
            }
            VenueIn::Delete(id, order_id) => self.cancel(now, id, order_id, out),
            VenueIn::ReadRow(id, order_id) => out.push(VenueEffect::Row(id, self.row(order_id))),
            VenueIn::Read(request) => out.push(VenueEffect::Reply(self.read(request))),
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.model.deadline()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<VenueEffect>) {
        tell(self.model.advance(now), out);
    }
}
