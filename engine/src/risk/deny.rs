//! Why the gate says no: stable codes, and the denial that carries them.
//!
//! The texts are an interface: logs, metrics, audit and tests use the same ones, and none changes its meaning.

use crate::intent::Intent;

/// Why the gate denied an intent; stable codes, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DenyCode {
    /// 1: a quantity that is not above zero.
    MalformedIntent,
    /// 1: no limit price.
    MissingLimitPrice,
    /// 2: decided too long ago.
    IntentExpired,
    /// 3: the kill switch.
    KillSwitch,
    /// 3: the mode lets no order out.
    ObserveOnly,
    /// 3: the mode lets only reducing orders out.
    ReduceRiskOnly,
    /// 4: the configuration does not arm this process; the text is the first reason, `policy_block:dry_run`.
    Policy(&'static str),
    /// 5: no clean reconcile since the start.
    NotReconciled,
    /// 6: the strategy does not own the pair.
    StrategyDisabled,
    /// 7: an order of the pair has an unknown fate.
    Unknown,
    /// The pair has an open order that is not ours, and the operator wants that to freeze it.
    ForeignOrder,
    /// 7: an operator has frozen the pair.
    OperatorFreeze,
    /// 7: the pair is frozen for another reason.
    Frozen,
    /// 8: the pair is not one of ours, or pays in another currency.
    NotInUniverse,
    /// 8: the exchange takes no limit orders for the pair.
    SymbolNotTradable,
    /// 9: the book is too old.
    MarketDataStale,
    /// 9: the book may not be trusted.
    MarketDataUntrusted,
    /// 9: the decision was made on the book of another session.
    SessionChanged,
    /// 10: the exchange's rules are not known.
    RulesUnavailable,
    /// 10: nothing is left on the exchange's grid.
    NonPositiveAfterQuantize,
    /// 10: outside the exchange's price limits.
    PriceOutOfRange,
    /// 10: worth less than the smallest order.
    MinNotional,
    /// 11: too far from the market.
    PriceCollar,
    /// 12: the market is too wide.
    SpreadTooWide,
    /// 13: it would meet an own order.
    SelfTrade,
    /// 14: the same order exists.
    DuplicateIntent,
    /// 15: enough orders of this pair.
    MaxOpenOrdersPerSymbol,
    /// 15: enough orders.
    MaxOpenOrders,
    /// 16: too soon after the last entry.
    Cooldown,
    /// 18: the exchange has answered a submit with 429, and its wait is not over.
    BreakerOpen,
    /// 18: too many orders in a minute.
    OrderRate,
    /// 19: the coins are not there, or not free.
    SpotSellRequiresInventory,
    /// 20: nothing is left below the order cap.
    MaxOrderNotional,
    /// 21: too much value in a minute.
    NotionalCap,
    /// 22: the day's loss limit, or equity unknown.
    MaxDailyLoss,
    /// 22: the drawdown limit.
    MaxDrawdown,
    /// 23: worst-case exposure of the pair.
    MaxPositionNotional,
    /// 23: worst-case exposure of all pairs.
    MaxGrossExposure,
    /// 24: balances never read, or too old.
    BalancesUnknown,
    /// 25: the cash target would be touched.
    CashReserveTarget,
    /// 26: the exchange does not show so much free quote.
    InsufficientBalance,
    /// 27: a number does not fit.
    Arithmetic,
}

impl DenyCode {
    /// Returns the stable code with its layer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedIntent => "risk_block:malformed_intent",
            Self::MissingLimitPrice => "risk_block:missing_limit_price",
            Self::IntentExpired => "risk_block:intent_expired",
            Self::KillSwitch => "mode_block:kill_switch",
            Self::ObserveOnly => "mode_block:observe_only",
            Self::ReduceRiskOnly => "mode_block:reduce_risk_only",
            Self::Policy(code) => code,
            Self::NotReconciled => "risk_block:not_reconciled",
            Self::StrategyDisabled => "risk_block:strategy_disabled",
            Self::Unknown => "risk_block:unknown",
            Self::ForeignOrder => "risk_block:foreign_order",
            Self::OperatorFreeze => "risk_block:operator_freeze",
            Self::Frozen => "risk_block:frozen",
            Self::NotInUniverse => "risk_block:not_in_universe",
            Self::SymbolNotTradable => "risk_block:symbol_not_tradable",
            Self::MarketDataStale => "market_data:stale",
            Self::MarketDataUntrusted => "market_data:untrusted",
            Self::SessionChanged => "market_data:session_changed",
            Self::RulesUnavailable => "exchange_rules_unavailable_blocked",
            Self::NonPositiveAfterQuantize => "risk_block:non_positive_after_quantize",
            Self::PriceOutOfRange => "risk_block:price_out_of_range",
            Self::MinNotional => "risk_block:min_notional",
            Self::PriceCollar => "risk_block:price_collar",
            Self::SpreadTooWide => "risk_block:spread_too_wide",
            Self::SelfTrade => "risk_block:self_trade",
            Self::DuplicateIntent => "risk_block:duplicate_intent",
            Self::MaxOpenOrdersPerSymbol => "risk_block:max_open_orders_per_symbol",
            Self::MaxOpenOrders => "risk_block:max_open_orders",
            Self::Cooldown => "risk_block:cooldown",
            Self::BreakerOpen => "risk_block:breaker_open",
            Self::OrderRate => "risk_block:order_rate",
            Self::SpotSellRequiresInventory => "risk_block:spot_sell_requires_inventory",
            Self::MaxOrderNotional => "risk_block:max_order_notional_try",
            Self::NotionalCap => "risk_block:notional_cap",
            Self::MaxDailyLoss => "risk_block:max_daily_loss",
            Self::MaxDrawdown => "risk_block:max_drawdown",
            Self::MaxPositionNotional => "risk_block:max_position_notional_try",
            Self::MaxGrossExposure => "risk_block:max_gross_exposure",
            Self::BalancesUnknown => "risk_block:balances_unknown",
            Self::CashReserveTarget => "risk_block:cash_reserve_target",
            Self::InsufficientBalance => "execution_reject:insufficient_balance_precheck",
            Self::Arithmetic => "risk_block:arithmetic",
        }
    }
}

/// A denied intent with what was seen and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The wish.
    pub intent: Intent,
    /// Why.
    pub code: DenyCode,
    /// What was seen, as text for people.
    pub seen: String,
    /// What is allowed, as text for people.
    pub allowed: String,
}
