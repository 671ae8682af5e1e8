//! The door: orders and cancels are accepted or refused here, and carried out later.
//!
//! An acceptance only reserves the funds and gives a number; the book is reached after a delay, and a cancel takes
//! effect after one too (docs/EXCHANGE.md 5.2, 5.3).

use super::agenda::Due;
use super::{CLIENT_IDS_COUNTED_MAX, Exchange, ORDERS_KEPT_MAX};
use crate::judge::{Judged, OrderRequest, Refused, judge};
use crate::ledger::AccountIndex;
use crate::order::{Order, Size, State};
use crate::profile::ClientIdEcho;
use engine::ids::{Asset, OrderId};
use engine::market::Side;
use engine::money::{Amount, Qty};
use engine::time::Timestamp;

/// Extra time of a reply that its 451 overtakes, in milliseconds.
const OVERTAKEN_EXTRA_MS: i64 = 10;

/// An order that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The exchange's number.
    pub id: OrderId,
    /// The client id that the reply carries.
    pub echo: Option<String>,
    /// When.
    pub at: Timestamp,
    /// How long the reply takes, in milliseconds; the first event may be faster.
    pub reply_after_ms: i64,
}

impl Exchange {
    /// Judges an order; an accepted one has its funds reserved and reaches the book later.
    ///
    /// # Errors
    /// The first fault in the order of docs/EXCHANGE.md 13.1, rows 3 to 10.
    pub fn submit(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        request: &OrderRequest,
    ) -> Result<Accepted, Refused> {
        self.run_until(now);
        let judged = judge(request, &self.pairs, |pair| self.prices(pair))?;
        let (asset, amount) = self.reservation(&judged);
        if !self.ledger.lock(self.now, account, asset, amount) {
            return Err(Refused::Funds);
        }
        Ok(self.accept(account, judged, amount))
    }

    /// Takes note of a cancel; what it finds when it reaches the engine is another matter.
    ///
    /// # Errors
    /// `NoOrderMatches` for an order that the account does not have, `CouldNotBeCanceled` for a filled one.
    pub fn cancel(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        id: OrderId,
    ) -> Result<(), Refused> {
        self.run_until(now);
        let order = self
            .orders
            .get(&id)
            .filter(|order| order.account == account);
        let order = order.ok_or(Refused::NoOrderMatches)?;
        match order.state() {
            State::Closed => Err(Refused::CouldNotBeCanceled),
            State::Canceled => Ok(()),
            State::Accepted | State::Untouched | State::Partial => {
                let left = order.left();
                let delay = self.profile.cancel_delay_ms.draw(&mut self.dice);
                self.agenda
                    .add(self.now.plus_ms(delay), Due::Cancel { id, left });
                Ok(())
            }
        }
    }

    /// What an order holds: quote for a buy, base for a sell, with fee and tax where they are paid.
    fn reservation(&self, judged: &Judged) -> (Asset, Amount) {
        let pair = &self.pairs[judged.pair.0];
        match (judged.side, judged.size) {
            (_, Size::Quote(budget)) => (pair.quote, budget),
            (side @ Side::Buy, Size::Base(qty)) => {
                (pair.quote, self.fees.held(pair, side, judged.price, qty))
            }
            (side @ Side::Sell, Size::Base(qty)) => {
                (pair.base, self.fees.held(pair, side, judged.price, qty))
            }
        }
    }

    fn accept(&mut self, account: AccountIndex, judged: Judged, reserved: Amount) -> Accepted {
        let id = self.next_order_id();
        let client_id = match judged.client_id {
            Some(sent) => sent,
            None => self.guid(),
        };
        self.count_submit(&client_id);
        let echo = self.echo(&client_id);
        let reply_after_ms = self.schedule_insert(id);
        self.orders.insert(
            id,
            Order {
                id,
                account,
                pair: judged.pair,
                side: judged.side,
                method: judged.method,
                price: judged.price,
                size: judged.size,
                filled: Qty::ZERO,
                reserved,
                client_id,
                echo: echo.clone(),
                accepted_at: self.now,
                versions: Vec::new(),
            },
        );
        self.forget_finished();
        Accepted {
            id,
            echo,
            at: self.now,
            reply_after_ms,
        }
    }

    /// Schedules the insertion and returns how long the reply takes; sometimes the event is faster.
    fn schedule_insert(&mut self, id: OrderId) -> i64 {
        let latency = self.profile.latency_ms.draw(&mut self.dice);
        let delay = self.profile.insert_delay_ms.draw(&mut self.dice);
        let (insert_ms, reply_ms) = if self.profile.event_before_reply.hits(&mut self.dice) {
            let slowest = self.profile.private_delay_ms.high;
            (0, latency + slowest + OVERTAKEN_EXTRA_MS)
        } else {
            (latency + delay, latency)
        };
        self.agenda
            .add(self.now.plus_ms(insert_ms), Due::Insert(id));
        reply_ms
    }

    fn count_submit(&mut self, client_id: &str) {
        if let Some(count) = self.submits.get_mut(client_id) {
            *count += 1;
            self.duplicate_client_ids += 1;
        } else if self.submits.len() < CLIENT_IDS_COUNTED_MAX {
            self.submits.insert(client_id.to_owned(), 1);
        }
    }

    fn echo(&mut self, client_id: &str) -> Option<String> {
        match self.profile.client_id_echo {
            ClientIdEcho::AsSent => Some(client_id.to_owned()),
            ClientIdEcho::Missing => None,
            ClientIdEcho::Replaced => Some(self.guid()),
        }
    }

    /// Makes the text of a GUID.
    fn guid(&mut self) -> String {
        let (high, low) = (self.dice.bits(), self.dice.bits());
        let hex = format!("{high:016x}{low:016x}");
        let parts = [
            &hex[0..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..32],
        ];
        parts.join("-")
    }

    /// Keeps the table of orders bounded: the oldest finished order goes.
    fn forget_finished(&mut self) {
        if self.orders.len() <= ORDERS_KEPT_MAX {
            return;
        }
        let finished = self.orders.values().find(|order| !order.state().is_open());
        if let Some(id) = finished.map(|order| order.id) {
            self.orders.remove(&id);
        }
    }
}
