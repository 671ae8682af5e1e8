//! What would have become of our orders in somebody else's market: dry run and replay.
//!
//! The market is given, our orders do not move it. Nothing is random: equal inputs give equal fills. An order takes
//! only what is shown, at the shown prices; a resting one waits until trades have used up what was ahead of it.

mod account;
mod resting;
#[cfg(test)]
mod tests;

use crate::answer::{
    BalanceRow, CancelReply, OrderRow, OwnTrade, Refusal, RowStatus, SubmitOutcome, TradeSource,
};
use crate::book::TrustedBook;
use crate::ids::{Asset, OrderId, Symbol, TradeId};
use crate::instrument::Instrument;
use crate::intent::NewOrder;
use crate::market::{PublicTrade, Side};
use crate::money::{Amount, Price, Qty};
use crate::time::Timestamp;
use account::Account;
use resting::SimOrder;
use std::collections::{BTreeMap, VecDeque};

/// Own orders that may be open at once; one more is refused.
pub const OPEN_ORDERS_MAX: usize = 1_000;
/// Ended orders and trades that are remembered; the oldest are forgotten.
pub const HISTORY_MAX: usize = 10_000;
/// Largest order value that is simulated, in whole quote; more would not fit the sums of a long run.
const VALUE_MAX: i64 = 1_000_000_000_000;
/// Parts in the whole of a fee rate.
const PPM: i128 = 1_000_000;
/// Fees and tax are whole multiples of 10^-8 (docs/EXCHANGE.md 6.2).
const FEE_STEP_UNITS: i128 = 100_000_000;

/// How the simulated venue treats orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillParams {
    /// From submit to the book, milliseconds.
    pub latency_ms: i64,
    /// Share of its level that is ahead of an order when it joins, basis points.
    pub queue_share_bps: i64,
    /// Fee of a resting fill, parts per million of the value.
    pub fee_maker_ppm: i64,
    /// Fee of a crossing fill, parts per million of the value.
    pub fee_taker_ppm: i64,
    /// Tax, as a share of the fee in basis points.
    pub tax_of_fee_bps: i64,
}

impl Default for FillParams {
    /// Fees and tax as docs/EXCHANGE.md 6.2 lists them.
    fn default() -> Self {
        Self {
            latency_ms: 50,
            queue_share_bps: 10_000,
            fee_maker_ppm: 500,
            fee_taker_ppm: 900,
            tax_of_fee_bps: 2_000,
        }
    }
}

/// Who provided the liquidity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Maker,
    Taker,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Market {
    base: Asset,
    quote: Asset,
    book: Option<TrustedBook>,
    /// What own orders have taken from the shown levels, until the next book.
    taken: Vec<(Side, Price, Qty)>,
}

/// A simulated account on an external market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillModel {
    params: FillParams,
    account: Account,
    markets: BTreeMap<Symbol, Market>,
    open: BTreeMap<OrderId, SimOrder>,
    ended: VecDeque<OrderRow>,
    trades: VecDeque<OwnTrade>,
    id_next: i64,
}

impl FillModel {
    /// Opens an account. Order and trade numbers count up from `id_first`.
    pub fn new(
        params: FillParams,
        rules: &[Instrument],
        opening: &[BalanceRow],
        id_first: i64,
    ) -> Self {
        let mut model = Self {
            params,
            account: Account::new(opening),
            markets: BTreeMap::new(),
            open: BTreeMap::new(),
            ended: VecDeque::new(),
            trades: VecDeque::new(),
            id_next: id_first,
        };
        for rule in rules {
            model.list(rule);
        }
        model
    }

    /// Adds a pair that can be traded; one that is known keeps its market.
    pub fn list(&mut self, rules: &Instrument) {
        self.markets.entry(rules.symbol).or_insert(Market {
            base: rules.base,
            quote: rules.quote,
            book: None,
            taken: Vec::new(),
        });
    }

    /// Takes an order and locks what its worst case needs; it reaches the book after the latency.
    pub fn submit(&mut self, now: Timestamp, order: &NewOrder) -> SubmitOutcome {
        let Some(market) = self.markets.get(&order.intent.symbol) else {
            return SubmitOutcome::Rejected(Refusal::InsertBlocked);
        };
        if self.open.len() >= OPEN_ORDERS_MAX {
            return SubmitOutcome::Rejected(Refusal::InsertBlocked);
        }
        let Some(worst) = self.worst_case(order) else {
            return SubmitOutcome::Rejected(Refusal::Other);
        };
        let asset = match order.intent.side {
            Side::Buy => market.quote,
            Side::Sell => market.base,
        };
        if !self.account.lock(asset, worst) {
            return SubmitOutcome::Rejected(Refusal::InsufficientBalance);
        }
        let id = OrderId(self.take_id());
        let reaches_at = now.plus_ms(self.params.latency_ms.max(0));
        let resting = SimOrder::new(id, *order, worst, now, reaches_at);
        self.open.insert(id, resting);
        SubmitOutcome::Accepted(id)
    }

    /// Ends an order and gives back what it still holds. What was filled stays filled.
    pub fn cancel(&mut self, now: Timestamp, id: OrderId) -> CancelReply {
        if !self.open.contains_key(&id) {
            return CancelReply::LookUp;
        }
        self.end(now, id, RowStatus::Canceled);
        CancelReply::Acknowledged
    }

    /// Takes the market of one pair.
    pub fn see_book(&mut self, now: Timestamp, book: &TrustedBook) -> Vec<OwnTrade> {
        let mut fills = self.advance(now);
        let symbol = book.symbol();
        if let Some(market) = self.markets.get_mut(&symbol) {
            market.book = Some(*book);
            market.taken.clear();
        }
        for order in self.open.values_mut() {
            if order.order.intent.symbol == symbol && order.is_in_book {
                order.see(book);
            }
        }
        fills.extend(self.advance(now));
        fills
    }

    /// Forgets the market of one pair; orders on their way wait until there is one again.
    pub fn lose_book(&mut self, symbol: Symbol) {
        if let Some(market) = self.markets.get_mut(&symbol) {
            market.book = None;
        }
    }

    /// Takes a public trade, which may reach own resting orders: best price first, then the oldest.
    pub fn see_trade(&mut self, now: Timestamp, trade: &PublicTrade) -> Vec<OwnTrade> {
        let mut fills = self.advance(now);
        let mut queue: Vec<(i64, OrderId)> = self
            .open
            .values()
            .filter(|order| order.order.intent.symbol == trade.symbol)
            .map(|order| {
                let units = order.limit().units();
                let rank = match order.side() {
                    Side::Buy => units.saturating_neg(),
                    Side::Sell => units,
                };
                (rank, order.id)
            })
            .collect();
        queue.sort_unstable();
        let mut rest = trade.qty;
        for (_, id) in queue {
            let Some(order) = self.open.get_mut(&id) else {
                continue;
            };
            let (qty, limit) = (order.filled_by(trade, rest), order.limit());
            if let Some(fill) = self.fill(now, id, limit, qty, Role::Maker) {
                rest = rest.minus_or_zero(qty);
                fills.push(fill);
            }
        }
        fills
    }

    /// Lets orders whose latency is over reach the book.
    pub fn advance(&mut self, now: Timestamp) -> Vec<OwnTrade> {
        let mut due: Vec<(Timestamp, OrderId)> = self
            .open
            .values()
            .filter(|order| !order.is_in_book && order.reaches_at <= now)
            .map(|order| (order.reaches_at, order.id))
            .collect();
        due.sort_unstable();
        due.into_iter()
            .flat_map(|(_, id)| self.arrive(now, id))
            .collect()
    }

    /// Returns when [`Self::advance`] has something to do; `None` while no order is on its way to a known book.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.open
            .values()
            .filter(|order| !order.is_in_book && self.book(order).is_some())
            .map(|order| order.reaches_at)
            .min()
    }

    /// Returns the open orders, oldest first.
    pub fn open_rows(&self) -> Vec<OrderRow> {
        self.open.values().map(|order| order.row(None)).collect()
    }

    /// Returns every remembered order of a pair that changed at or after `since`, ended ones first.
    pub fn rows_since(&self, symbol: Symbol, since: Timestamp) -> Vec<OrderRow> {
        let open = self.open.values().map(|order| order.row(None));
        self.ended
            .iter()
            .cloned()
            .chain(open)
            .filter(|row| row.symbol == symbol && row.at >= since)
            .collect()
    }

    /// Returns one order; `None` if there is none or it is forgotten.
    pub fn row(&self, id: OrderId) -> Option<OrderRow> {
        let open = self.open.get(&id).map(|order| order.row(None));
        open.or_else(|| self.ended.iter().find(|row| row.id == id).cloned())
    }

    /// Returns the remembered trades at or after `since`, oldest first.
    pub fn trades_since(&self, since: Timestamp) -> Vec<OwnTrade> {
        self.trades
            .iter()
            .filter(|trade| trade.at >= since)
            .cloned()
            .collect()
    }

    /// Returns the balances of all assets, sorted by asset.
    pub fn balances(&self) -> Vec<BalanceRow> {
        self.account.rows().collect()
    }

    fn take_id(&mut self) -> i64 {
        let id = self.id_next;
        self.id_next += 1;
        id
    }

    fn book(&self, order: &SimOrder) -> Option<TrustedBook> {
        self.markets.get(&order.order.intent.symbol)?.book
    }

    /// Returns what the order can cost at most; `None` for an order that makes no sense or does not fit.
    fn worst_case(&self, order: &NewOrder) -> Option<Amount> {
        let intent = &order.intent;
        let value = intent.limit.value(intent.qty);
        let is_sane = intent.limit.is_positive()
            && intent.qty.is_positive()
            && value <= Amount::from_whole(VALUE_MAX);
        if !is_sane {
            return None;
        }
        match (intent.side, order.fee_in_base) {
            (Side::Sell, false) => Some(intent.qty.amount()),
            (Side::Sell, true) => self.with_charges(intent.qty.amount()),
            (Side::Buy, false) => self.with_charges(value),
            (Side::Buy, true) => Some(value),
        }
    }

    /// An amount and the most that fee and tax on it can be.
    fn with_charges(&self, amount: Amount) -> Option<Amount> {
        let rate = self.params.fee_maker_ppm.max(self.params.fee_taker_ppm);
        let fee = to_fee_step_up(amount.times_ratio(i128::from(rate.max(0)), PPM)?)?;
        let tax = to_fee_step_up(fee.times_bps_up(self.params.tax_of_fee_bps.max(0))?)?;
        Some(amount + fee + tax)
    }

    /// Meets the book: takes what is shown within the limit, then rests.
    fn arrive(&mut self, now: Timestamp, id: OrderId) -> Vec<OwnTrade> {
        let mut fills = Vec::new();
        let Some(book) = self.open.get(&id).and_then(|order| self.book(order)) else {
            return fills;
        };
        let Some(side) = self.open.get(&id).map(SimOrder::side) else {
            return fills;
        };
        let levels = match side {
            Side::Buy => book.asks(),
            Side::Sell => book.bids(),
        };
        for level in levels.iter().filter(|level| level.price.is_positive()) {
            let Some(order) = self.open.get(&id).filter(|o| o.accepts(level.price)) else {
                break;
            };
            let taken = self.taken(book.symbol(), side, level.price);
            let qty = order.left.min(level.qty.minus_or_zero(taken));
            if let Some(fill) = self.fill(now, id, level.price, qty, Role::Taker) {
                self.note_taken(book.symbol(), side, level.price, qty);
                fills.push(fill);
            }
        }
        if let Some(order) = self.open.get_mut(&id) {
            order.join(&book, &self.params);
        }
        fills
    }

    fn taken(&self, symbol: Symbol, side: Side, price: Price) -> Qty {
        self.markets.get(&symbol).map_or(Qty::ZERO, |market| {
            market
                .taken
                .iter()
                .filter(|(s, p, _)| *s == side && *p == price)
                .map(|(_, _, qty)| *qty)
                .sum()
        })
    }

    fn note_taken(&mut self, symbol: Symbol, side: Side, price: Price, qty: Qty) {
        if let Some(market) = self.markets.get_mut(&symbol) {
            market.taken.push((side, price, qty));
        }
    }

    /// Books one fill; `None` if there is nothing to fill or a number does not fit.
    fn fill(
        &mut self,
        now: Timestamp,
        id: OrderId,
        price: Price,
        qty: Qty,
        role: Role,
    ) -> Option<OwnTrade> {
        if !qty.is_positive() {
            return None;
        }
        let fee_in_base = self.open.get(&id)?.order.fee_in_base;
        let (value, amount) = (price.value(qty), qty.amount());
        let (fee, tax) = self.charges(if fee_in_base { amount } else { value }, role)?;
        let (of_base, of_quote) = if fee_in_base {
            (fee + tax, Amount::ZERO)
        } else {
            (Amount::ZERO, fee + tax)
        };
        let order = self.open.get_mut(&id)?;
        let market = self.markets.get(&order.order.intent.symbol)?;
        let (base, quote, side) = (market.base, market.quote, order.side());
        let (spent, cost, got, gain) = match side {
            Side::Buy => (quote, value + of_quote, base, amount - of_base),
            Side::Sell => (base, amount + of_base, quote, value - of_quote),
        };
        assert!(
            qty <= order.left && cost <= order.locked,
            "a fill stays within its order"
        );
        order.left -= qty;
        order.locked -= cost;
        order.changed_at = now;
        let (client_id, is_done) = (order.order.client_id, !order.left.is_positive());
        self.account.spend(spent, cost);
        self.account.credit(got, gain);
        let trade = OwnTrade {
            source: TradeSource::Stream,
            id: TradeId(self.take_id()),
            order_id: id,
            client_id: Some(client_id),
            base,
            quote,
            side,
            price,
            qty,
            fee,
            tax,
            at: now,
            fee_in_base,
        };
        remember(&mut self.trades, trade.clone());
        if is_done {
            self.end(now, id, RowStatus::Closed);
        }
        Some(trade)
    }

    /// Fee and tax on what is charged for.
    fn charges(&self, amount: Amount, role: Role) -> Option<(Amount, Amount)> {
        let rate = match role {
            Role::Maker => self.params.fee_maker_ppm,
            Role::Taker => self.params.fee_taker_ppm,
        };
        let fee = to_fee_step_down(amount.times_ratio(i128::from(rate.max(0)), PPM)?);
        let tax = to_fee_step_down(fee.times_bps(self.params.tax_of_fee_bps.max(0))?);
        Some((fee, tax))
    }

    fn end(&mut self, now: Timestamp, id: OrderId, status: RowStatus) {
        let Some(mut order) = self.open.remove(&id) else {
            return;
        };
        if let Some(market) = self.markets.get(&order.order.intent.symbol) {
            let asset = match order.side() {
                Side::Buy => market.quote,
                Side::Sell => market.base,
            };
            self.account.unlock(asset, order.locked);
        }
        order.changed_at = now;
        remember(&mut self.ended, order.row(Some(status)));
    }
}

fn remember<T>(history: &mut VecDeque<T>, item: T) {
    if history.len() == HISTORY_MAX {
        history.pop_front();
    }
    history.push_back(item);
}

fn to_fee_step_down(amount: Amount) -> Amount {
    Amount::from_units(amount.units().div_euclid(FEE_STEP_UNITS) * FEE_STEP_UNITS)
}

fn to_fee_step_up(amount: Amount) -> Option<Amount> {
    let up = amount.units().checked_add(FEE_STEP_UNITS - 1)?;
    Some(to_fee_step_down(Amount::from_units(up)))
}
