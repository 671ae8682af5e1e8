//! Labels: their closed lists, taken from the enums they name, and how a series' labels are made.

use super::{Build, Labels, Metric};
use config::arming::BlockReason;
use engine::ids::Symbol;
use engine::mode::ModeCode;
use engine::risk::DenyCode;
use engine::supervisor::ActorName;
use metrics::{Label, Level, Metadata};

/// Why a process whose kill was reset is not armed.
pub const RESTART_NEEDED: &str = "restart_needed";

/// Who may ask for a mode.
pub(super) const SOURCES: [&str; ModeCode::ALL.len()] = {
    let mut names = [""; ModeCode::ALL.len()];
    let mut n = 0;
    while n < names.len() {
        names[n] = ModeCode::ALL[n].as_str();
        n += 1;
    }
    names
};

/// What may keep a process from being armed.
pub(super) const BLOCKS: [&str; BlockReason::ALL.len() + 1] = {
    let mut names = [RESTART_NEEDED; BlockReason::ALL.len() + 1];
    let mut n = 0;
    while n < BlockReason::ALL.len() {
        names[n] = BlockReason::ALL[n].code();
        n += 1;
    }
    names
};

pub(super) const METADATA: Metadata<'static> = Metadata::new("btcbot", Level::INFO, None);

/// The codes that are counted from the start; a policy code is counted from its first use.
pub(super) const DENY_CODES: [DenyCode; 40] = [
    DenyCode::MalformedIntent,
    DenyCode::MissingLimitPrice,
    DenyCode::IntentExpired,
    DenyCode::KillSwitch,
    DenyCode::ObserveOnly,
    DenyCode::ReduceRiskOnly,
    DenyCode::NotReconciled,
    DenyCode::StrategyDisabled,
    DenyCode::Unknown,
    DenyCode::OperatorFreeze,
    DenyCode::Frozen,
    DenyCode::NotInUniverse,
    DenyCode::SymbolNotTradable,
    DenyCode::MarketDataStale,
    DenyCode::MarketDataUntrusted,
    DenyCode::SessionChanged,
    DenyCode::RulesUnavailable,
    DenyCode::NonPositiveAfterQuantize,
    DenyCode::PriceOutOfRange,
    DenyCode::MinNotional,
    DenyCode::PriceCollar,
    DenyCode::SpreadTooWide,
    DenyCode::SelfTrade,
    DenyCode::DuplicateIntent,
    DenyCode::MaxOpenOrdersPerSymbol,
    DenyCode::MaxOpenOrders,
    DenyCode::Cooldown,
    DenyCode::BreakerOpen,
    DenyCode::OrderRate,
    DenyCode::SpotSellRequiresInventory,
    DenyCode::MaxOrderNotional,
    DenyCode::NotionalCap,
    DenyCode::MaxDailyLoss,
    DenyCode::MaxDrawdown,
    DenyCode::MaxPositionNotional,
    DenyCode::MaxGrossExposure,
    DenyCode::BalancesUnknown,
    DenyCode::CashReserveTarget,
    DenyCode::InsufficientBalance,
    DenyCode::Arithmetic,
];

pub(super) fn of(metric: Metric, value: &'static str) -> Vec<Label> {
    match metric.labels {
        Labels::Of(name, values) => {
            debug_assert!(values.contains(&value), "{} has no {value}", metric.name);
            vec![Label::from_static_parts(name, value)]
        }
        Labels::None | Labels::Symbol | Labels::Actor | Labels::DenyCode | Labels::Once => vec![],
    }
}

pub(super) fn of_symbol(symbol: Symbol) -> Vec<Label> {
    vec![Label::new("symbol", symbol.to_string())]
}

pub(super) fn of_actor(actor: ActorName) -> Vec<Label> {
    vec![Label::from_static_parts("actor", actor.as_str())]
}

pub(super) fn of_code(code: DenyCode) -> Vec<Label> {
    vec![Label::from_static_parts("code", code.as_str())]
}

pub(super) fn build_labels(build: Build) -> Vec<Label> {
    vec![
        Label::from_static_parts("version", build.version),
        Label::from_static_parts("git_sha", build.git_sha),
        Label::from_static_parts("rustc", build.rustc),
    ]
}
