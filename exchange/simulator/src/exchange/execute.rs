//! What happens in the engine room: insertion, matching, cancels, and the crowd's acts.
//!
//! Money moves with each match, so conservation holds after every step, not only at the end (C-63).

use super::agenda::Due;
use super::events::{Event, OrderNote, PrivateEvent};
use super::{Exchange, FILLS_KEPT_MAX};
use crate::fees::Role;
use crate::ledger::AccountIndex;
use crate::market::book::{Match, Owner, Resting, Want};
use crate::market::crowd::CrowdAct;
use crate::market::pair::PairIndex;
use crate::order::{Fill, Method, Order, Size, State};
use engine::ids::{Asset, OrderId, TradeId};
use engine::market::{PublicTrade, Side};
use engine::money::{Amount, Price, Qty};

/// How long a cancel waits for an order that has not reached the book, in milliseconds.
const CANCEL_AGAIN_MS: i64 = 1;

/// One trade, seen from the book.
#[derive(Clone, Copy)]
struct Trade {
    pair: PairIndex,
    price: Price,
    qty: Qty,
}

impl Exchange {
    /// An accepted order reaches the book: it trades first, what is left of a limit order rests.
    pub(super) fn insert(&mut self, id: OrderId) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.note(now, State::Untouched);
        let order = order.clone();
        let delay = self.draw_private_delay();
        let note = OrderNote::of(&order, order.left());
        self.tell(order.account, delay, PrivateEvent::Inserted(note));
        let want = self.want(&order);
        let owner = Owner::Account(order.account);
        self.trade(order.pair, order.side, order.price, want, owner, id);
        match order.method {
            Method::Limit => self.rest(id),
            Method::Market => self.finish(id, State::Closed),
        }
        self.publish_book(order.pair);
    }

    fn want(&self, order: &Order) -> Want {
        match order.size {
            Size::Base(qty) => Want::Qty(qty),
            Size::Quote(total) => Want::Value {
                budget: self.fees.spendable_value(total),
                step: self.pairs[order.pair.0].qty_step(),
            },
        }
    }

    fn rest(&mut self, id: OrderId) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let left = order.left();
        if !order.state().is_open() || !left.is_positive() {
            return;
        }
        let resting = Resting {
            id,
            owner: Owner::Account(order.account),
            left,
        };
        self.venues[order.pair.0]
            .book
            .rest(order.side, order.price, resting);
    }

    /// A cancel reaches the engine. Filled meanwhile: nothing to say, 441 and 423 said it.
    pub(super) fn cancel_due(&mut self, id: OrderId, left: Qty) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        match order.state() {
            State::Canceled | State::Closed => return,
            State::Accepted => {
                let at = self.now.plus_ms(CANCEL_AGAIN_MS);
                self.agenda.add(at, Due::Cancel { id, left });
                return;
            }
            State::Untouched | State::Partial => {}
        }
        let (pair, account) = (order.pair, order.account);
        let note = OrderNote::of(order, left);
        let removed = self.venues[pair.0].book.remove(order.side, order.price, id);
        assert!(removed.is_some(), "an open order rests in the book");
        self.finish(id, State::Canceled);
        if !self.profile.cancel_without_452.hits(&mut self.dice) {
            let delay = self.draw_private_delay();
            self.tell(account, delay, PrivateEvent::Deleted(note));
        }
        self.hint(account, pair);
        self.publish_book(pair);
    }

    /// Ends an order: what it still holds comes back.
    fn finish(&mut self, id: OrderId, state: State) {
        let now = self.now;
        let order = self.orders.get_mut(&id).expect("only known orders end");
        let back = std::mem::take(&mut order.reserved);
        if order.state().is_open() {
            order.note(now, state);
        }
        let (account, asset) = (order.account, reserved_asset(&self.pairs, order));
        if back.is_positive() {
            self.ledger.release(now, account, asset, back);
        }
    }

    /// Matches a taker and books both sides of every trade.
    fn trade(
        &mut self,
        pair: PairIndex,
        side: Side,
        limit: Price,
        want: Want,
        taker: Owner,
        id: OrderId,
    ) {
        let matches = self.venues[pair.0].book.take(side, limit, want);
        for met in matches {
            let trade = Trade {
                pair,
                price: met.price,
                qty: met.qty,
            };
            let number = self.next_trade_id();
            self.print(trade, side, number);
            self.book_side(trade, side, taker, id, Role::Taker, number);
            let number = self.next_trade_id();
            let Match {
                maker, maker_owner, ..
            } = met;
            self.book_side(
                trade,
                side.opposite(),
                maker_owner,
                maker,
                Role::Maker,
                number,
            );
        }
    }

    /// Shows a trade to the public.
    fn print(&mut self, trade: Trade, taker: Side, id: TradeId) {
        let public = PublicTrade {
            symbol: self.pairs[trade.pair.0].symbol,
            price: trade.price,
            qty: trade.qty,
            taker: Some(taker),
            at: self.now,
            id: Some(id),
        };
        self.venues[trade.pair.0].note_trade(public);
        self.events.push(Event::Trade {
            pair: trade.pair,
            trade: public,
        });
    }

    fn book_side(
        &mut self,
        trade: Trade,
        side: Side,
        owner: Owner,
        id: OrderId,
        role: Role,
        number: TradeId,
    ) {
        match owner {
            Owner::Crowd => self.book_crowd(trade, side),
            Owner::Account(account) => self.book_account(trade, side, account, id, role, number),
        }
    }

    fn book_crowd(&mut self, trade: Trade, side: Side) {
        let (base, quote) = self.assets(trade.pair);
        let (qty, value) = (trade.qty.amount(), trade.price.value(trade.qty));
        let (gained, given) = match side {
            Side::Buy => ((base, qty), (quote, value)),
            Side::Sell => ((quote, value), (base, qty)),
        };
        self.ledger.move_crowd(gained.0, gained.1);
        self.ledger.move_crowd(given.0, -given.1);
    }

    fn book_account(
        &mut self,
        trade: Trade,
        side: Side,
        account: AccountIndex,
        id: OrderId,
        role: Role,
        number: TradeId,
    ) {
        let charged = if self.pairs[trade.pair.0].fee_in_base {
            trade.qty.amount()
        } else {
            trade.price.value(trade.qty)
        };
        let charges = self.fees.charges(charged, role);
        let stream_id = if self.profile.trade_ids_equal {
            number
        } else {
            self.next_trade_id()
        };
        let fill = Fill {
            id: number,
            stream_id,
            order_id: id,
            account,
            pair: trade.pair,
            side,
            price: trade.price,
            qty: trade.qty,
            role,
            charges,
            at: self.now,
        };
        self.move_money(&fill);
        self.note_fill(&fill);
        self.tell_fill(fill);
        if self.fills.len() >= FILLS_KEPT_MAX {
            self.fills.pop_front();
        }
        self.fills.push_back(fill);
    }

    /// Pays out of what the order holds and credits what it brought.
    fn move_money(&mut self, fill: &Fill) {
        let (base, quote) = self.assets(fill.pair);
        let (value, amount) = (fill.price.value(fill.qty), fill.qty.amount());
        let (charged, of_base, of_quote) = if self.pairs[fill.pair.0].fee_in_base {
            (base, fill.charges.total(), Amount::ZERO)
        } else {
            (quote, Amount::ZERO, fill.charges.total())
        };
        let (given, gained) = match fill.side {
            Side::Buy => ((quote, value + of_quote), (base, amount - of_base)),
            Side::Sell => ((base, amount + of_base), (quote, value - of_quote)),
        };
        let order = self
            .orders
            .get_mut(&fill.order_id)
            .expect("a fill has an order");
        order.reserved -= given.1;
        assert!(
            !order.reserved.is_negative(),
            "a reservation covers its fills"
        );
        self.ledger
            .pay_locked(self.now, fill.account, given.0, given.1);
        self.ledger
            .credit(self.now, fill.account, gained.0, gained.1);
        self.ledger.collect(charged, fill.charges);
        let wait = self.profile.funds_settle_ms.draw(&mut self.dice);
        let due = Due::Settle {
            account: fill.account,
            asset: gained.0,
            amount: gained.1,
        };
        self.agenda.add(self.now.plus_ms(wait), due);
    }

    /// Notes progress; better prices and maker fees free a part of the reservation at once.
    fn note_fill(&mut self, fill: &Fill) {
        let now = self.now;
        let order = self
            .orders
            .get_mut(&fill.order_id)
            .expect("a fill has an order");
        order.filled += fill.qty;
        let Size::Base(qty) = order.size else {
            return;
        };
        let done = order.filled == qty;
        order.note(now, if done { State::Closed } else { State::Partial });
        let pair = &self.pairs[order.pair.0];
        let needed = if done {
            Amount::ZERO
        } else {
            (self.fees).held(pair, order.side, order.price, order.left())
        };
        let spare = order.reserved - needed;
        if spare.is_positive() {
            order.reserved = needed;
            let asset = reserved_asset(&self.pairs, order);
            self.ledger.release(now, fill.account, asset, spare);
        }
    }

    /// 441 and 423 in either order, then a hint.
    fn tell_fill(&mut self, fill: Fill) {
        let order = self
            .orders
            .get(&fill.order_id)
            .expect("a fill has an order");
        let (method, echo) = (order.method, order.echo.clone());
        let matched = PrivateEvent::Matched {
            fill,
            method,
            echo: echo.clone(),
        };
        let traded = PrivateEvent::Traded { fill, echo };
        for event in [matched, traded] {
            let delay = self.draw_private_delay();
            self.tell(fill.account, delay, event);
        }
        self.hint(fill.account, fill.pair);
    }

    fn hint(&mut self, account: AccountIndex, pair: PairIndex) {
        if self.profile.balance_hint {
            let delay = self.draw_private_delay();
            self.tell(account, delay, PrivateEvent::BalanceHint { pair });
        }
    }

    fn assets(&self, pair: PairIndex) -> (Asset, Asset) {
        let pair = &self.pairs[pair.0];
        (pair.base, pair.quote)
    }

    /// The makers of a pair follow their mid; one frame tells the whole step.
    pub(super) fn crowd_step(&mut self, pair: PairIndex) {
        let swing = self.profile.swing;
        let venue = &mut self.venues[pair.0];
        let acts = venue
            .crowd
            .step(&self.pairs[pair.0], &venue.book, swing, &mut self.dice);
        for act in acts {
            self.carry_out_act(pair, act);
        }
        self.publish_book(pair);
    }

    /// Somebody takes.
    pub(super) fn crowd_taker(&mut self, pair: PairIndex) {
        let venue = &self.venues[pair.0];
        let act = venue
            .crowd
            .taker(&self.pairs[pair.0], &venue.book, &mut self.dice);
        if let Some(act) = act {
            self.carry_out_act(pair, act);
            self.publish_book(pair);
        }
    }

    fn carry_out_act(&mut self, pair: PairIndex, act: CrowdAct) {
        match act {
            CrowdAct::Withdraw { side, price, id } => {
                self.venues[pair.0].book.remove(side, price, id);
            }
            CrowdAct::Rest { side, price, qty } => {
                let id = self.next_order_id();
                let book = &mut self.venues[pair.0].book;
                // An account may have quoted through the crowd's mid meanwhile: its level is taken first.
                if !book.crosses(side, price) {
                    let owner = Owner::Crowd;
                    book.rest(
                        side,
                        price,
                        Resting {
                            id,
                            owner,
                            left: qty,
                        },
                    );
                }
            }
            CrowdAct::Take { side, limit, qty } => {
                let id = self.next_order_id();
                self.trade(pair, side, limit, Want::Qty(qty), Owner::Crowd, id);
            }
        }
    }
}

fn reserved_asset(pairs: &[crate::market::pair::Pair], order: &Order) -> Asset {
    let pair = &pairs[order.pair.0];
    match order.side {
        Side::Buy => pair.quote,
        Side::Sell => pair.base,
    }
}
