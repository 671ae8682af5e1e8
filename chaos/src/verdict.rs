//! The judgements that need the exchange's truth: after every turn, when faults have healed, and at the end.
//!
//! Safety is judged while faults last; liveness only after they have ended. A rightly killed system need not trade
//! again, but it must know every order and every unit of money all the same.

use crate::life::folded;
use crate::life::{EXPOSURE_MAX, OPEN_ORDERS_MAX};
use crate::world::World;
use actors::store::Store;
use engine::book::BookView;
use engine::history::{Charged, Sums};
use engine::ids::{Asset, ClientId, OrderId};
use engine::ledger::{Account, Ledger};
use engine::market::Side;
use engine::mode::Mode;
use engine::money::{Amount, Qty};
use engine::order::{OrderState, OrderView};
use engine::record::Record;
use simulator::order::State;
use std::collections::{BTreeMap, BTreeSet};

/// The cap is checked at the moment of approval, at the mark of that moment. Until the exchange accepts, the price
/// may move: that much more is allowed, in basis points.
const MARK_MOVES_BPS: i64 = 500;
/// A clean look at the account must not be older at the end, milliseconds.
const CLEAN_PASS_MS_MAX: i64 = 40_000;

/// Rules that do not hold yet, with what was seen.
pub(crate) type Wrongs = Vec<(&'static str, String)>;

impl World {
    /// What our side says of an order against what the exchange has.
    pub(crate) fn judge_order(&mut self, view: &OrderView) {
        let id = view.client_id();
        let order = view.order_id.and_then(|number| self.exchange.order(number));
        let wrong = match view.state {
            OrderState::Filled => order.is_none_or(|order| order.filled != order.qty()),
            OrderState::Canceled => {
                order.is_none_or(|order| order.state().is_open() || order.filled != view.filled)
            }
            OrderState::Absent | OrderState::NotSent(_) | OrderState::Rejected(_) => {
                self.exchange.submits(&id.to_string()) > 0 && !self.plan.is_beyond
            }
            OrderState::Reserved
            | OrderState::Sending
            | OrderState::Unknown(_)
            | OrderState::Open
            | OrderState::Partial => false,
        };
        if wrong {
            let seen = format!("{id} is {} here: {order:?}", view.state.as_str());
            self.oracle.broken(self.now, "ended_by_proof", seen);
        }
    }

    /// Limits, from the exchange's truth, at the moment at which it accepts (I5).
    pub(crate) fn judge_accepted(&mut self, id: ClientId) {
        if self.exchange.submits(&id.to_string()) > 1 {
            self.oracle
                .broken(self.now, "at_most_once", format!("{id} accepted again"));
        }
        if self.plan.is_beyond {
            return;
        }
        self.forget_ended();
        if self.open.len() > OPEN_ORDERS_MAX {
            let seen = format!("{} open orders", self.open.len());
            self.oracle.broken(self.now, "open_orders", seen);
        }
        // What is bought by hand is no decision of the gate's.
        if self.by_hand.is_empty() {
            (0..self.rules.len()).for_each(|index| self.judge_exposure(index));
        }
    }

    fn judge_exposure(&mut self, index: usize) {
        let rules = self.rules[index];
        let Some(pair) = self.pair_of(rules.symbol) else {
            return;
        };
        let Some(mid) = self.mid(pair) else { return };
        let held = self.exchange.ledger().balance(self.account, rules.base);
        let held = held.total().to_qty().map(|qty| mid.value(qty));
        let buys = self.open.values().filter_map(|id| self.exchange.order(*id));
        let buys: Amount = buys
            .filter(|order| order.pair == pair && order.side == Side::Buy)
            .map(|order| order.price.value(order.left()))
            .sum();
        let most = Amount::from_whole(EXPOSURE_MAX).times_bps(10_000 + MARK_MOVES_BPS);
        // A position that only grew in value is no breach: nothing may be added to it.
        let is_over = held
            .zip(most)
            .is_some_and(|(held, most)| held + buys > most);
        if is_over && buys.is_positive() {
            let seen = format!("{}: {held:?} held, {buys} bought", rules.symbol);
            self.oracle.broken(self.now, "exposure", seen);
        }
    }

    fn forget_ended(&mut self) {
        let exchange = &self.exchange;
        self.open.retain(|_, id| {
            exchange
                .order(*id)
                .is_some_and(|order| order.state().is_open())
        });
    }

    /// Whatever may still trade at the exchange is held here, in full.
    pub(crate) fn judge_turn(&mut self) {
        if self.open.is_empty() || self.plan.is_beyond {
            return;
        }
        self.forget_ended();
        let Some(life) = &self.life else { return };
        let gate = life.body.gate();
        let uncovered = self.open.iter().find(|(id, number)| {
            let left = self.exchange.order(**number).map(|order| order.left());
            let held = gate.orders().find(|view| view.client_id() == **id);
            held.map(OrderView::remaining) < left
        });
        if let Some((id, _)) = uncovered {
            let seen = format!("{id} is open at the exchange");
            self.oracle.broken(self.now, "reserved_until_ended", seen);
        }
    }

    /// Liveness (L1 to L3): what has not come right since the faults ended.
    pub(crate) fn unhealed(&mut self) -> Wrongs {
        let Some(life) = &self.life else {
            return vec![("alive", "no process".to_owned())];
        };
        let mut wrong = Wrongs::new();
        let unknown = life.body.router().unknown_count();
        if unknown > 0 {
            wrong.push(("no_unknown_left", format!("{unknown}")));
        }
        let is_old = |at| self.now.ms_since(at) > CLEAN_PASS_MS_MAX;
        if life.clean_pass_at.is_none_or(is_old) {
            wrong.push((
                "clean_reconcile",
                format!("last at {:?}", life.clean_pass_at),
            ));
        }
        let gate = life.body.gate();
        let mode = gate.board().global();
        if !self.is_killed && mode != Mode::Normal {
            let voices: Vec<_> = gate.board().voices().collect();
            wrong.push(("mode_recovers", format!("{voices:?}")));
        }
        for rules in &self.rules {
            let view = life.body.books().view(rules.symbol);
            if !self.is_killed && !matches!(view, Some(BookView::Trusted(_))) {
                wrong.push(("books_trusted", format!("{view:?}")));
            }
        }
        wrong
    }

    /// The end: every order known, every unit of money equal, and the journal tells the same story.
    pub(crate) fn unsettled(&mut self) -> Wrongs {
        let Some(life) = &self.life else {
            return vec![("alive", "no process".to_owned())];
        };
        let mut wrong = Wrongs::new();
        let living = life.body.router().living().count();
        if living > 0 {
            wrong.push(("nothing_left_open", format!("{living} living here")));
        }
        if self.journal.is_pending() || life.body.is_writing() {
            wrong.push(("all_durable", "a record is on its way".to_owned()));
        }
        self.judge_orders(&mut wrong);
        self.judge_money(&mut wrong);
        if self.ghosts_in_silence() {
            wrong.push(("ghost_kills", "a ghost, and no kill".to_owned()));
        }
        wrong
    }

    fn ghosts_in_silence(&self) -> bool {
        !self.ghosts.is_empty() && !self.is_killed
    }

    fn judge_orders(&self, wrong: &mut Wrongs) {
        let Some(life) = &self.life else { return };
        let router = life.body.router();
        let mine = self
            .exchange
            .orders()
            .filter(|order| order.account == self.account);
        for order in mine {
            let Ok(id) = ClientId::parse(&order.client_id) else {
                // By hand.
                continue;
            };
            if router.has_folded(id) && !order.state().is_open() {
                // Known and done; what it filled is judged by the ledger.
                continue;
            }
            let Some(view) = router.order(id) else {
                wrong.push(("every_order_known", format!("{order:?}")));
                continue;
            };
            if view.filled != order.filled {
                let seen = format!("{} here, {} there: {order:?}", view.filled, order.filled);
                wrong.push(("fills_agree", seen));
            }
            if order.state().is_open() {
                wrong.push(("nothing_left_open", format!("{order:?}")));
            }
            let ended = match view.state {
                OrderState::Filled => order.state() == State::Closed,
                OrderState::Canceled => order.state() == State::Canceled,
                OrderState::Reserved
                | OrderState::Sending
                | OrderState::Unknown(_)
                | OrderState::Open
                | OrderState::Partial
                | OrderState::NotSent(_)
                | OrderState::Rejected(_)
                | OrderState::Absent => false,
            };
            if !ended && !order.state().is_open() {
                wrong.push(("ends_agree", format!("{view:?} here: {order:?}")));
            }
        }
    }

    fn judge_money(&self, wrong: &mut Wrongs) {
        let Some(life) = &self.life else { return };
        let gate = life.body.gate();
        let ledger = gate.ledger();
        let mut replayed = self.replayed();
        let listed = self
            .exchange
            .ledger()
            .balances(self.account)
            .keys()
            .copied();
        let assets: BTreeSet<Asset> = listed.chain(ledger.assets()).collect();
        for asset in assets {
            let there = self.exchange.ledger().balance(self.account, asset).total();
            let (here, again) = (ledger.balance(asset), replayed.gate.ledger().balance(asset));
            if here != there {
                let orders = self.misbooked();
                let seen =
                    format!("{asset}: {here} here, {there} there; booked, filled {orders:?}");
                wrong.push(("ledger_agrees", seen));
            }
            if again != here {
                wrong.push((
                    "replay_agrees",
                    format!("{asset}: {again} again, {here} live"),
                ));
            }
        }
        if let Err(fault) = ledger.check() {
            wrong.push(("ledger_balances", format!("{fault:?}")));
        }
        self.judge_history(ledger, replayed.gate.ledger(), wrong);
        let records = self.journal.durable();
        let resumed = folded(records, self.journal.checkpoint(), None);
        if resumed != folded(records, None, None) {
            wrong.push(("checkpoint_agrees", "with all records".to_owned()));
        }
        let mut out = engine::core::Outbox::default();
        replayed.router.recovered(self.now, &mut out);
        let mine = self
            .exchange
            .orders()
            .filter(|order| order.account == self.account);
        for id in mine.filter_map(|order| ClientId::parse(&order.client_id).ok()) {
            let facts = |view: &OrderView| (view.state, view.order_id, view.filled);
            let live: Option<(OrderState, Option<OrderId>, _)> =
                life.body.router().order(id).map(facts);
            let again = replayed.router.order(id).map(facts);
            if live != again {
                wrong.push((
                    "replay_agrees",
                    format!("{id}: {again:?} again, {live:?} live"),
                ));
            }
        }
    }

    /// The trade history says of every asset what the books say, and what trading has realised where nothing else has.
    fn judge_history(&self, live: &Ledger, replayed: &Ledger, wrong: &mut Wrongs) {
        let mut sums = Sums::default();
        self.journal.history().for_each(|row| sums.add(row));
        let traded: BTreeSet<Asset> = sums.assets().chain(live.assets()).collect();
        for asset in traded {
            let Charged { fee, tax } = sums.charged(asset);
            let told = [sums.moved(asset), fee, tax];
            let of = |account| live.account(asset, account);
            let booked = [-of(Account::Exchange), of(Account::Fees), of(Account::Tax)];
            if told != booked {
                let seen = format!("{asset}: moved, fee, tax {told:?} told, {booked:?} booked");
                wrong.push(("history_agrees", seen));
            }
        }
        let is_trade_alone =
            !self.journal.durable().iter().any(|record| {
                matches!(record, Record::Transfer { .. } | Record::Adjustment { .. })
            });
        if is_trade_alone && sums.realised() != replayed.realised_net() {
            let (told, booked) = (sums.realised(), replayed.realised_net());
            let seen = format!("realised {told} told, {booked} booked");
            wrong.push(("history_agrees", seen));
        }
    }

    /// What the real store holds as history is what the records tell, whoever ended in the middle of what.
    pub(crate) fn judge_stored_history(&mut self, store: &Store) {
        let rows = store.snapshot().and_then(|snapshot| {
            let rows = snapshot.trades()?;
            rows.map(|row| row.map(|(_, row)| row))
                .collect::<Result<Vec<_>, _>>()
        });
        let is_told = matches!(&rows, Ok(rows) if rows.iter().eq(self.journal.history()));
        if !is_told {
            let (rows, told) = (rows.map(|rows| rows.len()), self.journal.history().count());
            let seen = format!("{rows:?} rows of {told} trades");
            self.oracle.broken(self.now, "history_agrees", seen);
        }
    }

    /// Orders of which the journal has booked more or less than was filled.
    fn misbooked(&self) -> BTreeMap<OrderId, (Qty, Qty)> {
        let mut orders: BTreeMap<OrderId, (Qty, Qty)> = BTreeMap::new();
        for record in self.journal.durable() {
            if let Record::Fill(trade) = record {
                orders.entry(trade.order_id).or_default().0 += trade.qty;
            }
        }
        let fills = self.exchange.fills();
        for fill in fills.filter(|fill| fill.account == self.account) {
            orders.entry(fill.order_id).or_default().1 += fill.qty;
        }
        orders.retain(|_, (booked, filled)| booked != filled);
        orders
    }

    fn replayed(&self) -> engine::desk::Cores {
        let mut dice = engine::dice::Dice::new(0);
        let records = self.journal.durable();
        crate::life::cores(
            &self.plan,
            &self.rules,
            (records, &crate::life::folded(records, None, None)),
            self.now,
            None,
            &mut dice,
        )
    }
}
