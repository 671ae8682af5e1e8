//! The RiskGate: the only maker of `Approved<NewOrder>`.
//!
//! It fails closed: what is missing, old or does not fit refuses the order, and every refusal names what was
//! seen and what is allowed. It also keeps the books, because cash, positions and reservations must be one truth.

mod account;
mod checks;
mod deny;
mod exposure;
mod holds;
mod limits;
mod loss;
mod memory;
mod opening;
mod pace;
mod pair;
mod report;
mod reserve;
#[cfg(test)]
mod tests;
mod transfers;

pub use account::{BALANCE_LAG_MS, differences as account_differences};
pub use deny::{Denial, DenyCode};
pub use limits::{IdSource, Limits, RiskSettings, Venue};
pub use memory::Memory;

use crate::answer::{BalanceRow, OwnTrade, Transfer};
use crate::approved::Approved;
use crate::core::{Core, Outbox};
use crate::decision::{BookSeen, Decision};
use crate::foreign::{ForeignOrder, ForeignPolicy};
use crate::hold::Holds;
use crate::ids::{Asset, ClientId, Symbol};
use crate::instrument::Instrument;
use crate::intent::{Intent, NewOrder};
use crate::ledger::{Booked, Ledger, Place};
use crate::market::Side;
use crate::mode::{Mode, ModeBoard, ModeCode, Scope};
use crate::money::{Amount, Qty};
use crate::msg::{RiskEffect, RiskIn, RiskNote};
use crate::order::{OrderState, OrderView};
use crate::risk::account::{AccountTruth, Verdict};
use crate::risk::checks::Fit;
use crate::risk::loss::LossWatch;
use crate::risk::opening::PendingOpening;
use crate::risk::pace::Pace;
use crate::risk::pair::{Market, Pair, Passes};
use crate::risk::reserve::Orders;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The gate and the books behind it.
#[derive(Debug)]
pub struct RiskGate {
    settings: RiskSettings,
    ledger: Ledger,
    account: AccountTruth,
    pairs: BTreeMap<Symbol, Pair>,
    orders: Orders,
    pace: Pace,
    passes: BTreeMap<Symbol, Passes>,
    loss: LossWatch,
    board: ModeBoard,
    /// What an operator holds back.
    holds: Holds,
    /// When the position of a base was last closed.
    closed_at: BTreeMap<Asset, Timestamp>,
    /// Until when the exchange wants no orders.
    held_until: Option<Timestamp>,
    is_reconciled: bool,
    /// When the last clean pass ended; `None` before the first, and while its age is held against us.
    clean_at: Option<Timestamp>,
    /// Open orders of the account that are not ours.
    foreign: Vec<ForeignOrder>,
    pending: Option<PendingOpening>,
    /// When the balances were read that the books were opened with.
    opened_at: Option<Timestamp>,
    /// Transfers that the exchange lists, for the balances that come behind them.
    listed: Vec<Transfer>,
    is_desk_due: bool,
    is_mode_due: bool,
    is_money_due: bool,
    /// The next money report may leave from here on.
    money_at: Timestamp,
}

impl RiskGate {
    /// Makes a gate with empty books; on the live venue it observes until the first clean reconcile.
    pub fn new(settings: RiskSettings) -> Self {
        let mut board = ModeBoard::default();
        if settings.venue == Venue::Live {
            let code = ModeCode::StartupReconcilePending;
            board.raise(code, Scope::Global, Mode::ObserveOnly, settings.started_at);
        }
        let pairs = settings.owners.iter();
        Self {
            ledger: Ledger::new(settings.quote),
            account: AccountTruth::default(),
            pairs: pairs
                .map(|(symbol, owner)| (*symbol, Pair::new(*owner)))
                .collect(),
            orders: Orders::default(),
            pace: Pace::default(),
            passes: BTreeMap::new(),
            loss: LossWatch::default(),
            board,
            holds: Holds::default(),
            closed_at: BTreeMap::new(),
            held_until: None,
            is_reconciled: false,
            clean_at: None,
            foreign: Vec::new(),
            pending: None,
            opened_at: None,
            listed: Vec::new(),
            is_desk_due: true,
            is_mode_due: true,
            is_money_due: true,
            money_at: settings.started_at,
            settings,
        }
    }

    /// Raises what holds from the start on: configuration, or a safe mode that outlived a restart.
    pub fn raise_at_start(&mut self, code: ModeCode, mode: Mode) {
        self.raise(self.settings.started_at, code, Scope::Global, mode);
    }

    /// Returns the books.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns who asks for which mode.
    pub const fn board(&self) -> &ModeBoard {
        &self.board
    }

    /// Returns every own order that has not ended.
    pub fn orders(&self) -> impl Iterator<Item = &OrderView> {
        self.orders.all()
    }

    /// Returns the quote that own buys hold, worst-case fees and tax included.
    pub fn quote_reserved(&self) -> Amount {
        self.orders.quote_held()
    }

    /// Returns whether the exchange's balances equal the books as they stand, for the verdict at the end of a run.
    pub fn ledger_matches(&self, rows: &[BalanceRow]) -> bool {
        account::matches_books(rows, &self.ledger)
    }

    // ---- what is heard ----

    fn see(&mut self, now: Timestamp, symbol: Symbol, market: Market) {
        let Some(pair) = self.pairs.get_mut(&symbol) else {
            return;
        };
        pair.see(market);
        self.is_money_due = true;
        let fallen = self.pairs.values().filter(|pair| pair.has_fallen()).count();
        let code = ModeCode::MarketDataUntrusted;
        if fallen * 2 > self.pairs.len() {
            self.raise(now, code, Scope::Global, Mode::ObserveOnly);
        } else {
            self.clear(code, Scope::Global);
        }
    }

    fn decide(&mut self, now: Timestamp, intent: Intent, out: &mut Outbox<RiskEffect>) {
        self.value(now, out);
        match checks::judge(self, now, intent) {
            Ok(fit) => self.approve(now, &intent, fit, out),
            Err(refused) => out.push(RiskEffect::Denied(Denial {
                intent,
                code: refused.code,
                seen: refused.seen,
                allowed: refused.allowed,
            })),
        }
    }

    fn approve(&mut self, now: Timestamp, wanted: &Intent, fit: Fit, out: &mut Outbox<RiskEffect>) {
        let order = NewOrder {
            client_id: self.settings.ids.next_id(),
            intent: fit.intent,
            reserved: fit.reserved,
            fee_in_base: self
                .rules(fit.intent.symbol)
                .is_some_and(|rules| rules.fee_in_base),
        };
        let decision = self.evidence(now, order.client_id, wanted, &fit);
        out.push(RiskEffect::Decided(Box::new(decision)));
        self.hold(order, OrderState::Reserved, now);
        self.assert_within_limits(&order);
        let life_ms = self.settings.limits.intent_max_age_ms;
        out.push(RiskEffect::Submit(Approved::new(order, now, life_ms)));
    }

    /// What the approval rests on, as it stood before the order itself counts.
    fn evidence(&self, now: Timestamp, id: ClientId, wanted: &Intent, fit: &Fit) -> Decision {
        let symbol = wanted.symbol;
        let quoted = self.pairs.get(&symbol).and_then(Pair::quoted);
        let quoted = quoted.expect("check 9 lets nothing through without a trusted book");
        Decision {
            client_id: id,
            at: now,
            wanted_limit: wanted.limit,
            wanted_qty: wanted.qty,
            is_reducing: fit.is_reducing,
            mode: self.board.of(symbol),
            book: BookSeen {
                stamp: quoted.stamp,
                age_ms: now.ms_since(quoted.received),
                bid: quoted.bid,
                bid_qty: quoted.bid_qty,
                ask: quoted.ask,
                ask_qty: quoted.ask_qty,
                mid: quoted.mid,
            },
            equity: self.equity(),
            position: self.position(symbol),
            cash: self.ledger.balance(self.settings.quote),
            spendable: self.investable(),
            checks: fit.trail.findings(),
        }
    }

    /// Takes the worst case of an order out of what the next one sees.
    fn hold(&mut self, order: NewOrder, state: OrderState, now: Timestamp) {
        memory::note_passed(&mut self.pace, &mut self.passes, &order, now);
        self.orders.put(OrderView {
            order,
            state,
            order_id: None,
            filled: Qty::ZERO,
            cancel_asked: false,
            since: now,
        });
        self.is_desk_due = true;
    }

    fn assert_within_limits(&self, order: &NewOrder) {
        let (limits, symbol) = (&self.settings.limits, order.intent.symbol);
        match order.intent.side {
            Side::Buy => assert!(
                self.exposure(symbol)
                    .is_some_and(|sum| sum <= limits.max_position_notional)
                    && self
                        .gross_exposure()
                        .is_some_and(|sum| sum <= limits.max_gross_exposure),
                "an approved buy stays inside the exposure limits (I5)"
            ),
            Side::Sell => assert!(
                !self.free_to_sell(symbol).is_negative(),
                "an approved sale is covered by the position (I5)"
            ),
        }
    }

    fn on_order(&mut self, view: OrderView) {
        if view.state.never_existed() {
            memory::give_back(&mut self.pace, &mut self.passes, view.client_id());
        }
        self.is_desk_due |= self.orders.put(view);
    }

    /// Books a trade; the day's base is what was there before it.
    fn on_fill(&mut self, now: Timestamp, trade: &OwnTrade, out: &mut Outbox<RiskEffect>) {
        self.value(now, out);
        let booked = self.book(trade);
        if booked.adjusted.is_positive() {
            out.push(RiskEffect::Note(RiskNote::InventoryAdjusted(
                trade.base,
                booked.adjusted,
            )));
        }
        if booked.place != Place::Last {
            out.push(RiskEffect::Note(RiskNote::LateFill(
                trade.order_id,
                booked.place,
            )));
        }
    }

    fn book(&mut self, trade: &OwnTrade) -> Booked {
        let booked = memory::book(&mut self.ledger, &mut self.closed_at, trade);
        self.is_desk_due = true;
        booked
    }

    fn on_balances(
        &mut self,
        now: Timestamp,
        asked_at: Timestamp,
        rows: Vec<BalanceRow>,
        out: &mut Outbox<RiskEffect>,
    ) {
        self.note_account(now);
        self.is_desk_due = true;
        if !self.ledger.is_opened(self.settings.quote) {
            return self.plan_opening(now, asked_at, rows, out);
        }
        if self.account.is_old(asked_at) {
            return;
        }
        let excused = self.explain(now, asked_at, &rows, out);
        let code = ModeCode::BalanceDrift;
        match self.account.judge(asked_at, &rows, &excused, &self.ledger) {
            Some(Verdict::Agrees) => self.clear(code, Scope::Global),
            Some(Verdict::Differs) => out.push(RiskEffect::Explain),
            Some(Verdict::Drift) => {
                self.raise(now, code, Scope::Global, Mode::ObserveOnly);
                out.push(RiskEffect::Explain);
            }
            Some(Verdict::LastingDrift) => {
                self.raise(now, code, Scope::Global, Mode::KillSwitch);
                out.push(RiskEffect::Explain);
            }
            None => {}
        }
    }

    fn on_reconciled(&mut self, now: Timestamp, is_clean: bool) {
        if is_clean {
            self.is_reconciled = true;
            self.clean_at = Some(now);
            self.clear(ModeCode::StartupReconcilePending, Scope::Global);
            self.clear(ModeCode::ReconcileLag, Scope::Global);
        }
    }

    /// When the last clean pass is too long ago.
    fn lag_at(&self) -> Option<Timestamp> {
        let age_ms_max = self.settings.limits.reconcile_max_age_ms;
        self.clean_at.map(|at| at.plus_ms(age_ms_max))
    }

    fn note_lag(&mut self, now: Timestamp) {
        if self.lag_at().is_some_and(|at| at <= now) {
            self.clean_at = None;
            self.raise(
                now,
                ModeCode::ReconcileLag,
                Scope::Global,
                Mode::ObserveOnly,
            );
        }
    }

    fn on_foreign(&mut self, now: Timestamp, orders: Vec<ForeignOrder>) {
        let (code, mode) = (ModeCode::ForeignOrders, Mode::ReduceRiskOnly);
        let freezes = match self.settings.foreign {
            ForeignPolicy::Ignore | ForeignPolicy::Observe => false,
            ForeignPolicy::Freeze => true,
        };
        for order in self.foreign.clone() {
            if !orders.iter().any(|open| open.symbol == order.symbol) {
                self.clear(code, Scope::Symbol(order.symbol));
            }
        }
        for order in orders.iter().filter(|_| freezes) {
            self.raise(now, code, Scope::Symbol(order.symbol), mode);
        }
        self.foreign = orders;
        self.is_desk_due = true;
    }

    fn on_rules(&mut self, rules: Instrument) {
        if let Some(pair) = self.pairs.get_mut(&rules.symbol) {
            pair.rules = Some(rules);
            self.is_desk_due = true;
        }
    }

    fn forget_told(&mut self) {
        self.pairs.values_mut().for_each(|pair| pair.told = None);
        self.is_desk_due = true;
    }

    fn raise(&mut self, now: Timestamp, code: ModeCode, scope: Scope, mode: Mode) {
        self.note_mode(|board| board.raise(code, scope, mode, now));
    }

    fn clear(&mut self, code: ModeCode, scope: Scope) {
        self.note_mode(|board| board.clear(code, scope));
    }

    fn note_mode(&mut self, change: impl FnOnce(&mut ModeBoard) -> bool) {
        if change(&mut self.board) {
            self.is_mode_due = true;
            self.is_desk_due = true;
        }
    }
}

impl Core for RiskGate {
    type In = RiskIn;
    type Effect = RiskEffect;

    fn handle(&mut self, now: Timestamp, input: RiskIn, out: &mut Outbox<RiskEffect>) {
        match input {
            RiskIn::Book(view) => self.see(now, view.symbol(), Market::from(&view)),
            RiskIn::Intent(intent) => self.decide(now, intent, out),
            RiskIn::Cancel(id, reason) => out.push(RiskEffect::Cancel(id, reason)),
            RiskIn::Order(view) => self.on_order(view),
            RiskIn::Fill(trade) => self.on_fill(now, &trade, out),
            RiskIn::Transfers(listed) => self.listed = listed,
            RiskIn::Adjust {
                asset,
                amount,
                reason,
            } => self.adjust(now, asset, amount, reason, out),
            RiskIn::Balances { asked_at, rows } => self.on_balances(now, asked_at, rows, out),
            RiskIn::Foreign(orders) => self.on_foreign(now, orders),
            RiskIn::Reconciled { clean } => self.on_reconciled(now, clean),
            RiskIn::Rules(rules) => self.on_rules(rules),
            RiskIn::Raise(code, scope, mode) => self.raise(now, code, scope, mode),
            RiskIn::Clear(code, scope) => self.clear(code, scope),
            RiskIn::Hold(hold) => self.hold_back(now, *hold, out),
            RiskIn::LetGo(symbol) => self.let_go(symbol),
            RiskIn::LiftKills => self.note_mode(ModeBoard::lift_kills),
            RiskIn::Confirm(number) => {
                out.push(RiskEffect::Confirmed(number, self.board.global()));
            }
            RiskIn::SubmitsHeld(until) => self.held_until = self.held_until.max(Some(until)),
            RiskIn::Resend => {
                self.forget_told();
                self.is_mode_due = true;
            }
            RiskIn::Limits(limits) => self.settings.limits = *limits,
        }
        self.finish(now, out);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let money = self.is_money_due.then_some(self.money_at);
        let opening = self.pending.as_ref().map(PendingOpening::deadline);
        let holds = self.holds.next_end();
        let own = money.into_iter().chain(opening);
        own.chain(self.lag_at()).chain(holds).min()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<RiskEffect>) {
        self.finish(now, out);
    }
}
