//! Checks 1 to 8: may this be decided at all, by this strategy, on this pair, in this process.

use super::{Case, Verdict, refuse};
use crate::decision::{Check, Found};
use crate::intent::IntentClass;
use crate::mode::{Mode, ModeCode, Scope};
use crate::risk::{DenyCode, Venue};

/// 1: quantity and limit price are there.
pub(super) fn complete(case: &mut Case<'_>) -> Verdict {
    if !case.intent.qty.is_positive() {
        return refuse(
            DenyCode::MalformedIntent,
            case.intent.qty,
            "a quantity above 0",
        );
    }
    if !case.intent.limit.is_positive() {
        return refuse(
            DenyCode::MissingLimitPrice,
            case.intent.limit,
            "a price above 0",
        );
    }
    case.note(Check::Complete, Found::Holds);
    Ok(())
}

/// 2: decided a moment ago.
pub(super) fn fresh(case: &mut Case<'_>) -> Verdict {
    let age_ms_max = case.gate.settings.limits.intent_max_age_ms;
    let age_ms = case.now.ms_since(case.intent.at);
    if case.now > case.intent.at.plus_ms(age_ms_max) {
        return refuse(
            DenyCode::IntentExpired,
            format!("{age_ms} ms"),
            format!("{age_ms_max} ms"),
        );
    }
    case.note(Check::IntentAge, Found::Ms(age_ms, age_ms_max));
    Ok(())
}

/// 3: the global mode lets it out; a pair's own voices speak in 7.
pub(super) fn mode(case: &mut Case<'_>) -> Verdict {
    let mode = case.gate.board.global();
    match mode {
        Mode::KillSwitch => refuse(
            DenyCode::KillSwitch,
            mode.as_str(),
            Mode::ReduceRiskOnly.as_str(),
        ),
        Mode::ObserveOnly => refuse(
            DenyCode::ObserveOnly,
            mode.as_str(),
            Mode::ReduceRiskOnly.as_str(),
        ),
        Mode::ReduceRiskOnly if !case.is_reducing => refuse(
            DenyCode::ReduceRiskOnly,
            mode.as_str(),
            Mode::Normal.as_str(),
        ),
        Mode::ReduceRiskOnly | Mode::Normal => {
            case.note(Check::Mode, Found::Holds);
            Ok(())
        }
    }
}

/// 4: the configuration arms this process; live venue only.
pub(super) fn policy(case: &mut Case<'_>) -> Verdict {
    let settings = &case.gate.settings;
    match (settings.venue, settings.policy_blocks.first()) {
        (Venue::Live, Some(code)) => refuse(
            DenyCode::Policy(code),
            settings.policy_blocks.join(","),
            "no reason",
        ),
        (Venue::Live, None) => {
            case.note(Check::Policy, Found::Holds);
            Ok(())
        }
        (Venue::Simulated, _) => Ok(()),
    }
}

/// 5: the account was looked at since the start; live venue only.
pub(super) fn reconciled(case: &mut Case<'_>) -> Verdict {
    if case.gate.settings.venue == Venue::Simulated {
        return Ok(());
    }
    if !case.gate.is_reconciled {
        return refuse(
            DenyCode::NotReconciled,
            "no clean pass",
            "one clean pass since the start",
        );
    }
    case.note(Check::Reconciled, Found::Holds);
    Ok(())
}

/// 6: the pair belongs to this strategy (one owner per pair); protection is never refused for that.
pub(super) fn strategy(case: &mut Case<'_>) -> Verdict {
    let wanted_by = case.intent.strategy;
    match case.pair() {
        Some(pair) if pair.owner != wanted_by && case.intent.class != IntentClass::Protective => {
            refuse(
                DenyCode::StrategyDisabled,
                wanted_by.as_str(),
                pair.owner.as_str(),
            )
        }
        Some(_) | None => {
            case.note(Check::Owner, Found::Holds);
            Ok(())
        }
    }
}

/// 7: nothing freezes the pair; a reducing order passes unless the pair's own voices let nothing out.
pub(super) fn frozen(case: &mut Case<'_>) -> Verdict {
    let (gate, symbol) = (case.gate, case.intent.symbol);
    let loudest = gate
        .board
        .voices()
        .filter(|voice| voice.scope == Scope::Symbol(symbol))
        .max_by_key(|voice| voice.mode);
    let mode = loudest.map_or(Mode::Normal, |voice| voice.mode);
    if case.is_reducing && mode <= Mode::ReduceRiskOnly {
        return Ok(());
    }
    match loudest {
        Some(voice) if voice.mode > Mode::Normal => {
            let code = if voice.code == ModeCode::UnknownOrders {
                DenyCode::Unknown
            } else if voice.code == ModeCode::ForeignOrders {
                DenyCode::ForeignOrder
            } else if voice.code == ModeCode::OperatorFreeze {
                DenyCode::OperatorFreeze
            } else {
                DenyCode::Frozen
            };
            refuse(code, voice.code.as_str(), "no voice on the pair")
        }
        Some(_) | None if gate.orders.has_unknown(symbol) => {
            refuse(DenyCode::Unknown, "an order of unknown fate", "none")
        }
        Some(_) | None => {
            case.note(Check::Frozen, Found::Holds);
            Ok(())
        }
    }
}

/// 8: one of our pairs, paid in our currency, open for limit orders.
pub(super) fn universe(case: &mut Case<'_>) -> Verdict {
    let quote = case.gate.settings.quote;
    let Some(pair) = case.pair() else {
        return refuse(
            DenyCode::NotInUniverse,
            case.intent.symbol,
            "a configured pair",
        );
    };
    match &pair.rules {
        Some(rules) if rules.quote != quote => refuse(DenyCode::NotInUniverse, rules.quote, quote),
        Some(rules) if !rules.is_trading => {
            refuse(DenyCode::SymbolNotTradable, "not trading", "TRADING")
        }
        Some(_) | None => {
            case.note(Check::Universe, Found::Holds);
            Ok(())
        }
    }
}
