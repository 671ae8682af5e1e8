//! What the gate tells the others: the strategy its situation, the operators mode and money.
//!
//! A view leaves when it differs from the last one; money at most once a second.

use super::RiskGate;
use crate::core::Outbox;
use crate::ids::Symbol;
use crate::instrument::Instrument;
use crate::money::{Amount, BPS_PER_ONE, Qty};
use crate::msg::{DeskView, LimitUse, ModeReport, MoneyReport, RiskEffect};
use crate::risk::pair::Passes;
use crate::time::Timestamp;

/// Least time between two money reports, milliseconds.
pub(crate) const MONEY_EVERY_MS: i64 = 1_000;

impl RiskGate {
    /// Ends a turn: whatever changed in it is told.
    pub(crate) fn finish(&mut self, now: Timestamp, out: &mut Outbox<RiskEffect>) {
        self.note_lag(now);
        self.end_holds(now);
        self.open_if_ready(now, out);
        if std::mem::take(&mut self.is_mode_due) {
            out.push(RiskEffect::Mode(self.mode_report()));
        }
        if std::mem::take(&mut self.is_desk_due) {
            self.is_money_due = true;
            self.note_account(now);
            self.value(now, out);
            self.tell_desks(out);
        }
        if self.is_money_due && now >= self.money_at {
            self.is_money_due = false;
            self.money_at = now.plus_ms(MONEY_EVERY_MS);
            self.value(now, out);
            out.push(RiskEffect::Money(self.money_report(now)));
        }
    }

    fn tell_desks(&mut self, out: &mut Outbox<RiskEffect>) {
        let symbols: Vec<Symbol> = self.pairs.keys().copied().collect();
        for symbol in symbols {
            let Some(view) = self.rules(symbol).map(|rules| self.desk_view(rules)) else {
                continue;
            };
            let told = self.pairs.get_mut(&symbol).map(|pair| &mut pair.told);
            if let Some(told) = told
                && told.as_ref() != Some(&view)
            {
                *told = Some(view.clone());
                out.push(RiskEffect::Desk(view));
            }
        }
    }

    fn desk_view(&self, rules: &Instrument) -> DeskView {
        let passes = self.passes.get(&rules.symbol);
        let entry = passes.and_then(Passes::last_entry_at);
        DeskView {
            symbol: rules.symbol,
            mode: self.board.of(rules.symbol),
            position: self.whole_position(rules.symbol),
            cost: self.ledger.cost(rules.base),
            opened_at: self.ledger.opened_at(rules.base),
            cash: self.investable(),
            orders: self.orders.of(rules.symbol).copied().collect(),
            last_entry_at: entry.max(self.closed_at.get(&rules.base).copied()),
        }
    }

    /// A position cut to eight decimals: nothing finer can be sold.
    fn whole_position(&self, symbol: Symbol) -> Qty {
        self.position(symbol).to_qty().unwrap_or_default()
    }

    fn mode_report(&self) -> ModeReport {
        ModeReport {
            mode: self.board.global(),
            voices: self.board.voices().copied().collect(),
            holds: self.holds.clone(),
        }
    }

    fn money_report(&self, now: Timestamp) -> MoneyReport {
        let equity = self.equity();
        let marked = |symbol: &Symbol| self.pairs.get(symbol).and_then(|pair| pair.mark);
        MoneyReport {
            cash: self.ledger.balance(self.settings.quote),
            equity,
            day_pnl: equity.and_then(|equity| self.loss.day_pnl(equity)),
            drawdown_bps: equity.map_or(0, |equity| self.loss.drawdown_bps(equity)),
            exposure: self
                .gross_exposure()
                .unwrap_or_else(|| self.known_exposure()),
            exposures: (self.pairs.keys())
                .filter_map(|symbol| Some((*symbol, self.exposure(*symbol)?)))
                .collect(),
            fees: self.costs(),
            fees_today: self.loss.day_costs(self.costs()),
            positions: self
                .pairs
                .keys()
                .map(|symbol| (*symbol, self.whole_position(*symbol), marked(symbol)))
                .collect(),
            foreign: self.foreign.clone(),
            balances: (self.ledger.assets().into_iter())
                .map(|asset| (asset, self.ledger.balance(asset)))
                .collect(),
            used: self.limit_use(now, equity),
        }
    }

    fn limit_use(&self, now: Timestamp, equity: Option<Amount>) -> LimitUse {
        let limits = &self.settings.limits;
        let day_pnl = equity.and_then(|equity| self.loss.day_pnl(equity));
        let drawdown = equity.map_or(0, |equity| self.loss.drawdown_bps(equity));
        let of_pair = |symbol: &Symbol| used(self.exposure(*symbol), limits.max_position_notional);
        LimitUse {
            // Before the first valuation of a day nothing is lost.
            day_loss: day_pnl.map_or(0, |pnl| used(Some(-pnl), limits.max_daily_loss)),
            drawdown: share(i128::from(drawdown), i128::from(limits.max_drawdown_bps)),
            position: self.pairs.keys().map(of_pair).max().unwrap_or(0),
            gross_exposure: used(self.gross_exposure(), limits.max_gross_exposure),
            open_orders: share(self.orders.len() as i128, limits.max_open_orders as i128),
            orders_per_minute: share(
                self.pace.orders(now) as i128,
                limits.max_orders_per_minute as i128,
            ),
            notional_per_minute: used(Some(self.pace.value(now)), limits.max_notional_per_minute),
        }
    }

    /// The exposure of the pairs that can be valued; the gate itself refuses while one cannot.
    fn known_exposure(&self) -> Amount {
        self.pairs
            .keys()
            .filter_map(|symbol| self.exposure(*symbol))
            .sum()
    }
}

fn used(amount: Option<Amount>, limit: Amount) -> i64 {
    amount.map_or(BPS_PER_ONE, |amount| share(amount.units(), limit.units()))
}

/// Returns how much of a limit is used, in basis points; a limit of zero is used up.
fn share(used: i128, limit: i128) -> i64 {
    if limit <= 0 {
        return BPS_PER_ONE;
    }
    let scaled = used.max(0).checked_mul(i128::from(BPS_PER_ONE));
    let bps = scaled.map_or(i128::from(BPS_PER_ONE), |scaled| scaled / limit);
    i64::try_from(bps).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact_bounded_and_full_where_nothing_is_allowed() {
        let check = |used: i128, limit: i128, expected: i64| {
            assert_eq!(share(used, limit), expected, "{used} of {limit}");
        };
        check(0, 20, 0);
        check(5, 20, 2_500);
        check(20, 20, 10_000);
        check(30, 20, 15_000);
        check(-5, 20, 0);
        check(0, 0, 10_000);
        check(i128::MAX, 1, 10_000);
        assert_eq!(used(None, Amount::from_whole(1)), 10_000);
    }
}
