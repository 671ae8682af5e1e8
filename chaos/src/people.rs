//! Everybody else: somebody who trades against us, an operator, and a script that stands in for a strategy.

use crate::plan::Echo;
use crate::world::{Happening, RESOLVE_EVERY_MS, Step, World};
use engine::book::BookView;
use engine::desk::DeskIn;
use engine::ids::{ClientId, OrderId, Symbol};
use engine::intent::{CancelReason, Intent, IntentClass, IntentReason, StrategyKind};
use engine::market::Side;
use engine::mode::{Mode, ModeCode, Scope};
use engine::money::{Amount, Qty};
use engine::msg::{RiskIn, RouterIn};
use engine::order::Resolution;
use engine::router::Unproven;
use engine::time::Timestamp;
use simulator::judge::OrderRequest;
use simulator::profile::ClientIdEcho;

/// One act of an operator of this many is a kill.
const OPERATOR_KILLS_ONE_IN: i64 = 24;
/// Slices in which somebody takes one of our orders.
const SLICES: i64 = 3;
/// Age of the opened books at which the owner begins, milliseconds.
const OPENED_MS: i64 = 15_000;
/// Levels that are looked at for what is better.
const DEPTH: usize = 50;

impl World {
    /// Takes a third of one of our orders, so that an order has several equal fills.
    pub(crate) fn act_as_rival(&mut self) {
        if !self.has_healed {
            let wait_ms = self.dice.between(300, 3_000);
            self.after(wait_ms, Happening::Rival);
        }
        let ids: Vec<OrderId> = self.open.values().copied().collect();
        let most = i64::try_from(ids.len()).unwrap_or(0) - 1;
        let place = usize::try_from(self.dice.between(0, most)).unwrap_or(0);
        let Some(request) = ids.get(place).and_then(|id| self.slice_of(*id)) else {
            return;
        };
        if let Ok(accepted) = self.exchange.submit(self.now, self.rival, &request) {
            // What does not trade at once is taken back, so that it does not move the market for ever; what has
            // traded in full cannot be.
            let _filled = self.exchange.cancel(self.now, self.rival, accepted.id);
        }
    }

    /// An order that takes a third of ours, and first everything that is better.
    fn slice_of(&self, id: OrderId) -> Option<OrderRequest> {
        let order = self.exchange.order(id)?;
        let pair = &self.exchange.pairs()[order.pair.0];
        let slice = Qty::from_units(order.qty().units() / SLICES).floor_to(pair.qty_step());
        let better = self.exchange.book(order.pair).levels(order.side, DEPTH);
        let ahead = better.iter().filter(|level| match order.side {
            Side::Buy => level.price > order.price,
            Side::Sell => level.price < order.price,
        });
        let wanted = ahead.map(|level| level.qty.units()).sum::<i64>() + slice.units();
        let wanted = Qty::from_units(wanted).floor_to(pair.qty_step());
        Some(OrderRequest::limit(
            pair.symbol.as_str(),
            order.side.opposite(),
            &wanted.to_string(),
            &order.price.to_string(),
            "",
        ))
    }

    pub(crate) fn act_as_operator(&mut self) {
        if self.has_healed {
            return;
        }
        let wait_ms = self.dice.between(3_000, 30_000);
        self.after(wait_ms, Happening::Operator);
        let (code, scope) = (ModeCode::OperatorSafeMode, Scope::Global);
        match self.dice.between(0, OPERATOR_KILLS_ONE_IN) {
            0 => {
                self.is_kill_due = true;
                let kill = RiskIn::Raise(ModeCode::OperatorKill, scope, Mode::KillSwitch);
                self.tell(DeskIn::Risk(kill));
            }
            1..8 => self.tell(DeskIn::Risk(RiskIn::Raise(code, scope, Mode::ObserveOnly))),
            8..18 => self.tell(DeskIn::Risk(RiskIn::Clear(code, scope))),
            _ => self.tell(DeskIn::Router(RouterIn::CancelAll(CancelReason::Operator))),
        }
    }

    /// Settles what no look can prove, as the operator of an account without an earlier order must: by what the
    /// exchange's own site shows.
    pub(crate) fn act_as_resolver(&mut self) {
        self.after(RESOLVE_EVERY_MS, Happening::Resolver);
        let Some(life) = &self.life else { return };
        let unproven: Vec<ClientId> = (life.body.router().unknowns())
            .filter(|order| is_for_an_operator(order.unproven))
            .map(|order| order.client_id)
            .collect();
        for client_id in unproven {
            let text = client_id.to_string();
            let number = (self.exchange.orders())
                .find(|order| order.client_id == text)
                .map(|order| order.id);
            let resolution = number.map_or(Resolution::Absent, Resolution::Accepted);
            let reason = "seen on the site".to_owned();
            self.tell(DeskIn::Router(RouterIn::Resolve {
                client_id,
                resolution,
                reason,
            }));
        }
    }

    /// The account's owner, by hand: an order that looks like one of ours, a quick trade, a cancel of any of them.
    ///
    /// Begins once the books are open: what trades while the account is looked at for the first time cannot be told
    /// from what was there, and ends as drift.
    pub(crate) fn act_as_owner(&mut self) {
        if self.has_healed {
            return;
        }
        let wait_ms = self.dice.between(1_000, 15_000);
        self.after(wait_ms, Happening::Owner);
        let is_open = |at: Timestamp| self.now.ms_since(at) >= OPENED_MS;
        // While a process stops its owner watches.
        if self.is_over.is_some() || !self.opened_at.is_some_and(is_open) {
            return;
        }
        match self.dice.between(0, 3) {
            0 => self.imitate(),
            1 => self.trade_by_hand(),
            2 => {
                let ids = self.by_hand.clone();
                self.cancel_by_hand(&ids);
            }
            _ => {
                let ids: Vec<OrderId> = self.open.values().copied().collect();
                self.cancel_by_hand(&ids);
            }
        }
    }

    fn pick(&mut self, ids: &[OrderId]) -> Option<OrderId> {
        let most = i64::try_from(ids.len()).unwrap_or(0) - 1;
        let place = usize::try_from(self.dice.between(0, most)).unwrap_or(0);
        ids.get(place).copied()
    }

    fn cancel_by_hand(&mut self, ids: &[OrderId]) {
        if let Some(id) = self.pick(ids) {
            // What has filled meanwhile cannot be cancelled.
            let _filled = self.exchange.cancel(self.now, self.account, id);
            self.figures.by_hand += 1;
        }
    }

    /// Same pair, side, price and size as one of ours: nothing of that makes it ours (D36).
    pub(crate) fn imitate(&mut self) {
        let ids: Vec<OrderId> = self.open.values().copied().collect();
        let ours = self.pick(&ids).and_then(|id| self.exchange.order(id));
        let request = ours.map(|order| {
            let pair = &self.exchange.pairs()[order.pair.0];
            let (qty, price) = (order.qty().to_string(), order.price.to_string());
            OrderRequest::limit(pair.symbol.as_str(), order.side, &qty, &price, "")
        });
        self.place_by_hand(request);
    }

    /// A small order that trades at once.
    fn trade_by_hand(&mut self) {
        let side = if self.dice.chance(500_000) {
            Side::Buy
        } else {
            Side::Sell
        };
        let symbol = self.rules[0].symbol;
        let request = self.pair_of(symbol).and_then(|pair| {
            let best = self.exchange.book(pair).best(side.opposite())?;
            let step = self.exchange.pairs()[pair.0].qty_step();
            let qty = Amount::from_whole(300).qty_at(best)?.floor_to(step);
            let (qty, price) = (qty.to_string(), best.to_string());
            Some(OrderRequest::limit(symbol.as_str(), side, &qty, &price, ""))
        });
        self.place_by_hand(request);
    }

    fn place_by_hand(&mut self, request: Option<OrderRequest>) {
        let Some(request) = request else { return };
        if let Ok(accepted) = self.exchange.submit(self.now, self.account, &request) {
            self.trace
                .note(self.now, format_args!("by hand {:?}", accepted.id));
            self.by_hand.push(accepted.id);
            self.figures.by_hand += 1;
        }
    }

    pub(crate) fn break_echo(&mut self) {
        if self.has_healed {
            return;
        }
        self.trace.note(self.now, format_args!("echo breaks"));
        self.exchange.profile_mut().client_id_echo = match self.plan.echo {
            Echo::Kept => ClientIdEcho::AsSent,
            Echo::Missing => ClientIdEcho::Missing,
            Echo::Replaced => ClientIdEcho::Replaced,
        };
    }

    pub(crate) fn play(&mut self, step: Step) {
        match step {
            Step::Wish(side, away_bps) => self.wish(side, away_bps),
            Step::CancelAll => {
                self.tell(DeskIn::Router(RouterIn::CancelAll(CancelReason::Operator)));
            }
        }
    }

    fn wish(&mut self, side: Side, away_bps: i64) {
        let Some(life) = &self.life else { return };
        let symbol: Symbol = self.rules[0].symbol;
        let Some(BookView::Trusted(book)) = life.body.books().view(symbol) else {
            return;
        };
        let mid = book.mid();
        let bps = match side {
            Side::Buy => 10_000 - away_bps,
            Side::Sell => 10_000 + away_bps,
        };
        let Some(limit) = mid.times_bps(bps) else {
            return;
        };
        let Some(qty) = Amount::from_whole(1_000).qty_at(mid) else {
            return;
        };
        let intent = Intent {
            strategy: StrategyKind::MarketMaker,
            symbol,
            side,
            qty,
            limit,
            class: IntentClass::Quote,
            reason: IntentReason::QuoteBid,
            at: life.local(self.now),
            book: book.stamp(),
            mid,
            cycle: 1,
        };
        self.tell(DeskIn::Risk(RiskIn::Intent(intent)));
    }
}

/// Returns whether no further look can prove what became of an order.
fn is_for_an_operator(unproven: Option<Unproven>) -> bool {
    match unproven {
        Some(Unproven::NoWitness | Unproven::Lookalike(_)) => true,
        Some(Unproven::Inconsistent | Unproven::ShortHistory) | None => false,
    }
}
