//! What the gate tells the others: the strategy its situation, the operators mode and money.
//!
//! A view leaves when it differs from the last one; money at most once a second.

use super::RiskGate;
use crate::core::Outbox;
use crate::ids::Symbol;
use crate::instrument::Instrument;
use crate::money::{Amount, Qty};
use crate::msg::{DeskView, ModeReport, MoneyReport, RiskEffect};
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
            out.push(RiskEffect::Money(self.money_report()));
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

    fn money_report(&self) -> MoneyReport {
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
