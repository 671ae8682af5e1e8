//! What planted bugs do to what the process hears: the cores themselves are the released ones.

use crate::planted::Plant;
use crate::world::World;
use engine::answer::{CancelReply, OrderRow, Refusal, RowStatus, SubmitOutcome};
use engine::desk::DeskIn;
use engine::ids::{ClientId, OrderId, Symbol};
use engine::msg::{ReadReply, ReconcileIn, RiskIn, RouterIn, Snapshot};
use engine::order::{OrderState, OrderView};
use engine::time::Timestamp;

/// Age of the looks that the planted bug tells as new ones, milliseconds.
const STALE_MS: i64 = 30_000;

impl World {
    /// A planted bug takes the rows that an earlier look brought for those of this one.
    pub(crate) fn stale(&mut self, input: DeskIn) -> DeskIn {
        let (Some(Plant::StaleLook), Some(life)) = (self.plant, &mut self.life) else {
            return input;
        };
        let DeskIn::Reconcile(ReconcileIn::Reply(reply)) = input else {
            return input;
        };
        let earlier = life.looks.iter().rev().find(|(at, earlier)| {
            self.now.ms_since(*at) >= STALE_MS && is_of_one_kind(earlier, &reply)
        });
        let told = earlier.map_or_else(|| reply.clone(), |(_, earlier)| dated_as(&reply, earlier));
        life.looks.push((self.now, reply));
        DeskIn::Reconcile(ReconcileIn::Reply(told))
    }

    /// Hands an answer on, bent by a planted bug.
    pub(crate) fn tell_answer(&mut self, input: DeskIn) {
        let bent = match (self.plant, &input) {
            (
                Some(Plant::UnknownIsRejected),
                DeskIn::Router(RouterIn::Outcome(id, SubmitOutcome::Unknown(_))),
            ) => Some(RouterIn::Outcome(
                *id,
                SubmitOutcome::Rejected(Refusal::Other),
            )),
            (
                Some(Plant::ResendOnTimeout),
                DeskIn::Router(RouterIn::Outcome(id, SubmitOutcome::Unknown(_))),
            ) if self.resend(*id) => return,
            (
                Some(Plant::CancelAckIsTerminal),
                DeskIn::Router(RouterIn::CancelReply(id, CancelReply::Acknowledged)),
            ) => self
                .view_of(*id)
                .and_then(|view| ended_row(&view))
                .map(|row| RouterIn::Row(*id, Some(row))),
            (
                Some(Plant::ReservationAtCancel),
                DeskIn::Router(RouterIn::CancelReply(id, CancelReply::Acknowledged)),
            ) => {
                if let Some(view) = self.view_of(*id) {
                    let state = OrderState::Canceled;
                    self.tell(DeskIn::Risk(RiskIn::Order(OrderView { state, ..view })));
                }
                None
            }
            (_, _) => None,
        };
        let unknown = match (self.plant, &input) {
            (
                Some(Plant::AbsentByOneLook),
                DeskIn::Router(RouterIn::Outcome(id, SubmitOutcome::Unknown(_))),
            ) => Some(*id),
            (_, _) => None,
        };
        self.tell(bent.map_or(input, DeskIn::Router));
        if let Some(view) = unknown.and_then(|id| self.view_of(id)) {
            self.look_once(view.order.intent.symbol);
        }
    }

    /// A planted bug takes one look for all that the proof of absence asks for.
    fn look_once(&mut self, symbol: Symbol) {
        let at = self.look_back();
        let rows = self.rows(at, Some(symbol), |_| true);
        let local = self
            .life
            .as_ref()
            .map_or(self.now, |life| life.local(self.now));
        for look in 1..=3 {
            let asked_at = local.plus_ms(look * 30_000);
            self.tell(DeskIn::Router(RouterIn::Snapshot(Snapshot {
                asked_at,
                open: rows.clone(),
                histories: vec![(symbol, Timestamp(0), rows.clone())],
                trades: Vec::new(),
                trades_since: local,
            })));
        }
    }

    fn view_of(&self, id: ClientId) -> Option<OrderView> {
        let view = self.life.as_ref()?.body.router().order(id).copied()?;
        Some(view).filter(|view| !view.state.is_terminal())
    }

    /// Sends an order again, once; returns whether it did.
    fn resend(&mut self, id: ClientId) -> bool {
        let Some(view) = self.view_of(id) else {
            return false;
        };
        let Some(life) = self.life.as_mut().filter(|life| !life.resent.contains(&id)) else {
            return false;
        };
        life.resent.insert(id);
        let stamp = life.local(self.now).plus_ms(life.offset_ms);
        self.post(view.order, stamp);
        true
    }

    /// A planted bug withholds what would show an order that has no number yet.
    pub(crate) fn is_untold(&self, client_id: Option<ClientId>) -> bool {
        self.plant == Some(Plant::ExistenceUntold)
            && client_id
                .and_then(|id| self.view_of(id))
                .is_some_and(|view| view.order_id.is_none())
    }

    /// A planted bug counts one trade of an order.
    pub(crate) fn is_later_trade(&self, order_id: OrderId, id: engine::ids::TradeId) -> bool {
        let mut fills = self.exchange.fills();
        self.plant == Some(Plant::FillsByOrder)
            && fills
                .find(|fill| fill.order_id == order_id)
                .is_some_and(|first| first.id != id)
    }
}

fn is_of_one_kind(a: &ReadReply, b: &ReadReply) -> bool {
    match (a, b) {
        (ReadReply::History(a, ..), ReadReply::History(b, ..)) => a == b,
        (ReadReply::Failed(_), _) | (_, ReadReply::Failed(_)) => false,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// The rows of an earlier answer under the request of a later one.
fn dated_as(asked: &ReadReply, earlier: &ReadReply) -> ReadReply {
    match (asked, earlier.clone()) {
        (ReadReply::History(symbol, since, _), ReadReply::History(_, _, rows)) => {
            ReadReply::History(*symbol, *since, rows)
        }
        (ReadReply::Trades(since, _), ReadReply::Trades(_, rows)) => {
            ReadReply::Trades(*since, rows)
        }
        (ReadReply::Transfers(since, _), ReadReply::Transfers(_, rows)) => {
            ReadReply::Transfers(*since, rows)
        }
        (_, earlier) => earlier,
    }
}

/// The row that a careless reader of an acknowledged cancel would make up.
fn ended_row(view: &OrderView) -> Option<OrderRow> {
    let intent = &view.order.intent;
    Some(OrderRow {
        id: view.order_id?,
        client_id: Some(view.client_id()),
        symbol: intent.symbol,
        side: intent.side,
        price: intent.limit,
        qty: intent.qty,
        left: view.remaining(),
        status: RowStatus::Canceled,
        at: view.since,
    })
}
