//! Checks 19 and 22 to 27: coins, losses, exposure, cash, and the reservation itself.

use super::{Case, Refused, Verdict, market, refuse};
use crate::decision::{Check, Found};
use crate::market::Side;
use crate::money::Amount;
use crate::risk::DenyCode;

/// 19: a sale is covered by coins that are ours, free, and not promised to another sale.
pub(super) fn inventory(case: &mut Case<'_>) -> Verdict {
    if case.intent.side == Side::Buy {
        return Ok(());
    }
    let (gate, symbol) = (case.gate, case.intent.symbol);
    let selling = gate.orders.coins_held(symbol);
    // Never more than the books say: the exchange's view only takes away.
    let free = gate.rules(symbol).map_or(Amount::ZERO, |rules| {
        gate.account.free(rules.base, &gate.ledger, selling)
    });
    let is_short_of_charges = coins_taken(case)? > free && case.intent.qty.amount() <= free;
    if is_short_of_charges {
        // All that is held can still be sold: less, so that the charges are covered.
        case.intent.qty = (gate.settings.limits.without_cost(free))
            .and_then(Amount::to_qty)
            .unwrap_or_default()
            .min(case.intent.qty);
        market::grid(case)?;
    }
    let wanted = coins_taken(case)?;
    if wanted > free {
        return refuse(DenyCode::SpotSellRequiresInventory, wanted, free);
    }
    case.note(Check::Inventory, Found::Money(wanted, free));
    Ok(())
}

/// 22: the day's loss and the drawdown, unrealised losses included. Equity that is unknown refuses;
/// before the first balances it is for 24 to say so.
pub(super) fn loss(case: &mut Case<'_>) -> Verdict {
    let (gate, limits) = (case.gate, &case.gate.settings.limits);
    if case.is_reducing || !gate.ledger.is_opened(gate.settings.quote) {
        return Ok(());
    }
    let recent = gate.loss.recent(case.now, limits.reconcile_max_age_ms);
    let Some((equity, pnl)) = recent.and_then(|equity| Some((equity, gate.loss.day_pnl(equity)?)))
    else {
        return refuse(
            DenyCode::MaxDailyLoss,
            "equity unknown",
            "a mark for every position",
        );
    };
    if -pnl >= limits.max_daily_loss {
        return refuse(
            DenyCode::MaxDailyLoss,
            pnl,
            format!("loss below {}", limits.max_daily_loss),
        );
    }
    let drawdown = gate.loss.drawdown_bps(equity);
    if drawdown >= limits.max_drawdown_bps {
        let most = limits.max_drawdown_bps;
        return refuse(
            DenyCode::MaxDrawdown,
            format!("{drawdown} bps"),
            format!("below {most} bps"),
        );
    }
    let (loss, drop_max) = (limits.max_daily_loss, limits.max_drawdown_bps);
    case.note(Check::DailyLoss, Found::Money(-pnl, loss));
    case.note(Check::Drawdown, Found::Bps(drawdown, drop_max));
    Ok(())
}

/// 23: worst-case exposure with this order, of its pair and of all.
pub(super) fn exposure(case: &mut Case<'_>) -> Verdict {
    if case.is_reducing {
        return Ok(());
    }
    let (gate, limits) = (case.gate, &case.gate.settings.limits);
    let limits_of = [
        (
            Check::PairExposure,
            gate.exposure(case.intent.symbol),
            limits.max_position_notional,
        ),
        (
            Check::GrossExposure,
            gate.gross_exposure(),
            limits.max_gross_exposure,
        ),
    ];
    for (check, before, most) in limits_of {
        match before.map(|before| before + case.value()) {
            Some(after) if after <= most => case.note(check, Found::Money(after, most)),
            Some(after) => return refuse(check.denies_with(), after, most),
            None => return refuse(check.denies_with(), "a position without a mark", most),
        }
    }
    Ok(())
}

/// 24: balances were read by this process, and not too long ago. Nothing else stands in for them.
pub(super) fn balances(case: &mut Case<'_>) -> Verdict {
    let (gate, age_ms_max) = (case.gate, case.gate.settings.limits.reconcile_max_age_ms);
    let read_at = gate
        .account
        .read_at()
        .filter(|_| gate.ledger.is_opened(gate.settings.quote));
    match read_at {
        Some(at) if case.now <= at.plus_ms(age_ms_max) => {
            let age_ms = case.now.ms_since(at);
            case.note(Check::BalancesAge, Found::Ms(age_ms, age_ms_max));
            Ok(())
        }
        Some(at) => {
            let age_ms = case.now.ms_since(at);
            refuse(
                DenyCode::BalancesUnknown,
                format!("{age_ms} ms"),
                format!("{age_ms_max} ms"),
            )
        }
        None => refuse(
            DenyCode::BalancesUnknown,
            "never read",
            format!("{age_ms_max} ms"),
        ),
    }
}

/// 25: the cash target stays untouched. Nothing investable refuses every buy.
pub(super) fn cash(case: &mut Case<'_>) -> Verdict {
    if case.intent.side == Side::Sell {
        return Ok(());
    }
    let (cost, investable) = (case.cost()?, case.gate.investable());
    if !investable.is_positive() || cost > investable {
        return refuse(DenyCode::CashReserveTarget, cost, investable);
    }
    case.note(Check::Cash, Found::Money(cost, investable));
    Ok(())
}

/// 26: the exchange shows that much as free, what is not visible there yet counted off.
pub(super) fn exchange_cash(case: &mut Case<'_>) -> Verdict {
    if case.intent.side == Side::Sell {
        return Ok(());
    }
    let (gate, cost) = (case.gate, case.cost()?);
    let free = gate
        .account
        .free(gate.settings.quote, &gate.ledger, gate.orders.quote_held());
    if cost > free {
        return refuse(DenyCode::InsufficientBalance, cost, free);
    }
    case.note(Check::ExchangeCash, Found::Money(cost, free));
    Ok(())
}

/// 27: the worst case is taken out of what the next order sees.
pub(super) fn reserve(case: &mut Case<'_>) -> Verdict {
    case.reserved = match case.intent.side {
        Side::Buy => case.cost()?,
        Side::Sell => coins_taken(case)?,
    };
    case.note(Check::Reserve, Found::Holds);
    Ok(())
}

/// The pair pays fee and tax in the base.
fn takes_charges(case: &Case<'_>) -> bool {
    let rules = case.gate.rules(case.intent.symbol);
    rules.is_some_and(|rules| rules.fee_in_base)
}

/// What a sale takes out of the coins in the worst case.
fn coins_taken(case: &Case<'_>) -> Result<Amount, Refused> {
    let amount = case.intent.qty.amount();
    if takes_charges(case) {
        case.worst(amount)
    } else {
        Ok(amount)
    }
}
