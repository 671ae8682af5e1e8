//! What an approved order was decided on: the book, the books, and every check with its distance from a denial.
//!
//! Evidence, not state: no replay folds it, and nothing waits for it. Numbers and stable names only, so that the
//! record stays small and reads the same years later.

use crate::ids::ClientId;
use crate::intent::BookStamp;
use crate::mode::Mode;
use crate::money::{Amount, Price, Qty};
use crate::risk::DenyCode;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A question of the gate that can be answered with a distance, or with yes. In the order of the gate's checks; a
/// check with two limits asks two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// 1: quantity and limit price are there.
    Complete,
    /// 2: age of the wish, milliseconds.
    IntentAge,
    /// 3: the global mode.
    Mode,
    /// 4: the configuration arms the process.
    Policy,
    /// 5: the account was looked at since the start.
    Reconciled,
    /// 6: the strategy owns the pair.
    Owner,
    /// 7: nothing freezes the pair.
    Frozen,
    /// 8: one of our pairs, and trading.
    Universe,
    /// 9: age of the trusted book, milliseconds.
    BookAge,
    /// 10: value of the order against the smallest one.
    OrderMinimum,
    /// 11: how far the price goes through the best one, basis points.
    Collar,
    /// 11: how far the price goes through a young last trade, basis points.
    TradeCollar,
    /// 12: width of the market, basis points of mid.
    Spread,
    /// 13: it cannot meet an own order.
    SelfTrade,
    /// 14: no like order.
    Duplicate,
    /// 15: own orders of the pair.
    OpenOrdersOfPair,
    /// 15: own orders of all pairs.
    OpenOrders,
    /// 16: time since the last entry, milliseconds.
    Cooldown,
    /// 18: orders in the last minute.
    OrderRate,
    /// 19: coins sold against coins free.
    Inventory,
    /// 20: value of the order against the largest one.
    OrderValue,
    /// 21: value of increasing orders in the last minute, this one included.
    MinuteValue,
    /// 22: loss of the day.
    DailyLoss,
    /// 22: fall from the highest equity, basis points.
    Drawdown,
    /// 23: worst-case exposure of the pair with this order.
    PairExposure,
    /// 23: worst-case exposure of all pairs with this order.
    GrossExposure,
    /// 24: age of the balances, milliseconds.
    BalancesAge,
    /// 25: worst cost against the cash above its target.
    Cash,
    /// 26: worst cost against what the exchange shows as free.
    ExchangeCash,
    /// 27: the worst case could be held.
    Reserve,
}

/// On which side of what is allowed the seen value must stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Seen may be as large as allowed.
    AtMost,
    /// Seen must be smaller than allowed.
    Below,
    /// Seen must be as large as allowed, or larger.
    AtLeast,
}

impl Bound {
    /// Returns the sign that stands between seen and allowed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
        }
    }
}

impl Check {
    /// Every check, in its order.
    pub const ALL: [Self; 30] = [
        Self::Complete,
        Self::IntentAge,
        Self::Mode,
        Self::Policy,
        Self::Reconciled,
        Self::Owner,
        Self::Frozen,
        Self::Universe,
        Self::BookAge,
        Self::OrderMinimum,
        Self::Collar,
        Self::TradeCollar,
        Self::Spread,
        Self::SelfTrade,
        Self::Duplicate,
        Self::OpenOrdersOfPair,
        Self::OpenOrders,
        Self::Cooldown,
        Self::OrderRate,
        Self::Inventory,
        Self::OrderValue,
        Self::MinuteValue,
        Self::DailyLoss,
        Self::Drawdown,
        Self::PairExposure,
        Self::GrossExposure,
        Self::BalancesAge,
        Self::Cash,
        Self::ExchangeCash,
        Self::Reserve,
    ];

    /// Returns the code under which the gate would have denied the order here.
    pub const fn denies_with(self) -> DenyCode {
        match self {
            Self::Complete => DenyCode::MalformedIntent,
            Self::IntentAge => DenyCode::IntentExpired,
            Self::Mode => DenyCode::ObserveOnly,
            Self::Policy => DenyCode::Policy("policy_block"),
            Self::Reconciled => DenyCode::NotReconciled,
            Self::Owner => DenyCode::StrategyDisabled,
            Self::Frozen => DenyCode::Frozen,
            Self::Universe => DenyCode::NotInUniverse,
            Self::BookAge => DenyCode::MarketDataStale,
            Self::OrderMinimum => DenyCode::MinNotional,
            Self::Collar | Self::TradeCollar => DenyCode::PriceCollar,
            Self::Spread => DenyCode::SpreadTooWide,
            Self::SelfTrade => DenyCode::SelfTrade,
            Self::Duplicate => DenyCode::DuplicateIntent,
            Self::OpenOrdersOfPair => DenyCode::MaxOpenOrdersPerSymbol,
            Self::OpenOrders => DenyCode::MaxOpenOrders,
            Self::Cooldown => DenyCode::Cooldown,
            Self::OrderRate => DenyCode::OrderRate,
            Self::Inventory => DenyCode::SpotSellRequiresInventory,
            Self::OrderValue => DenyCode::MaxOrderNotional,
            Self::MinuteValue => DenyCode::NotionalCap,
            Self::DailyLoss => DenyCode::MaxDailyLoss,
            Self::Drawdown => DenyCode::MaxDrawdown,
            Self::PairExposure => DenyCode::MaxPositionNotional,
            Self::GrossExposure => DenyCode::MaxGrossExposure,
            Self::BalancesAge => DenyCode::BalancesUnknown,
            Self::Cash => DenyCode::CashReserveTarget,
            Self::ExchangeCash => DenyCode::InsufficientBalance,
            Self::Reserve => DenyCode::Arithmetic,
        }
    }

    /// Returns on which side of its limit the seen value must stay; of no meaning for a plain yes.
    pub const fn bound(self) -> Bound {
        match self {
            Self::OrderMinimum | Self::Cooldown => Bound::AtLeast,
            Self::OpenOrdersOfPair
            | Self::OpenOrders
            | Self::OrderRate
            | Self::DailyLoss
            | Self::Drawdown => Bound::Below,
            Self::Complete
            | Self::IntentAge
            | Self::Mode
            | Self::Policy
            | Self::Reconciled
            | Self::Owner
            | Self::Frozen
            | Self::Universe
            | Self::BookAge
            | Self::Collar
            | Self::TradeCollar
            | Self::Spread
            | Self::SelfTrade
            | Self::Duplicate
            | Self::Inventory
            | Self::OrderValue
            | Self::MinuteValue
            | Self::PairExposure
            | Self::GrossExposure
            | Self::BalancesAge
            | Self::Cash
            | Self::ExchangeCash
            | Self::Reserve => Bound::AtMost,
        }
    }
}

/// How a check was met: what was seen and what is allowed, in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Yes; there is no distance.
    Holds,
    /// Quote, or coins where the check counts coins.
    Money(Amount, Amount),
    /// Basis points, rounded against the order.
    Bps(i64, i64),
    /// Milliseconds.
    Ms(i64, i64),
    /// A number of things.
    Count(u64, u64),
}

/// The findings of one judgement, one place per check: judging allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trail([Option<Found>; Check::ALL.len()]);

impl Trail {
    pub(crate) const EMPTY: Self = Self([None; Check::ALL.len()]);

    /// A check that is made again says the last word: the order cap changes what the grid saw.
    pub(crate) const fn note(&mut self, check: Check, found: Found) {
        self.0[check as usize] = Some(found);
    }

    /// Returns what was found, in the order of the checks; a check that did not apply is left out.
    pub(crate) fn findings(&self) -> Vec<(Check, Found)> {
        let all = Check::ALL.into_iter().zip(self.0);
        all.filter_map(|(check, found)| Some((check, found?)))
            .collect()
    }
}

/// The top of the book that the gate judged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookSeen {
    /// Session and change number.
    pub stamp: BookStamp,
    /// Time since its last frame, milliseconds.
    pub age_ms: i64,
    /// Best bid.
    pub bid: Price,
    /// All that rests there.
    pub bid_qty: Qty,
    /// Best ask.
    pub ask: Price,
    /// All that rests there.
    pub ask_qty: Qty,
    /// The middle, rounded down.
    pub mid: Price,
}

/// What one order was approved on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which order.
    pub client_id: ClientId,
    /// When the gate approved it; the strategy decided at the intent's own time.
    pub at: Timestamp,
    /// The price the strategy asked for, before the exchange's grid.
    pub wanted_limit: Price,
    /// The quantity the strategy asked for, before grid and order cap.
    pub wanted_qty: Qty,
    /// A sale that the free position covered; fewer checks bind it.
    pub is_reducing: bool,
    /// The mode that bound the pair.
    pub mode: Mode,
    /// The market.
    pub book: BookSeen,
    /// Cash and positions at their marks; `None` while something had no mark.
    pub equity: Option<Amount>,
    /// Coins of the pair held.
    pub position: Amount,
    /// Quote held, free and locked.
    pub cash: Amount,
    /// Quote that could be spent, after reservations and the cash target.
    pub spendable: Amount,
    /// Every check that applied, in its order.
    pub checks: Vec<(Check, Found)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_the_place_of_its_number() {
        for (place, check) in Check::ALL.into_iter().enumerate() {
            assert_eq!(place, check as usize, "{check:?}");
        }
    }

    #[test]
    fn a_trail_tells_what_applied_in_order_and_the_last_word_counts() {
        let mut trail = Trail::EMPTY;
        trail.note(Check::Spread, Found::Bps(3, 50));
        trail.note(Check::Complete, Found::Holds);
        trail.note(Check::Spread, Found::Bps(4, 50));
        let told = [
            (Check::Complete, Found::Holds),
            (Check::Spread, Found::Bps(4, 50)),
        ];
        assert_eq!(trail.findings(), told);
    }

    #[test]
    fn a_finding_is_written_as_names_and_numbers() {
        let check = |found: Found, expected: &str| {
            let text = serde_json::to_string(&(Check::Cash, found)).expect("it serialises");
            assert_eq!(text, expected);
            let read: (Check, Found) = serde_json::from_str(expected).expect("it reads back");
            assert_eq!(read, (Check::Cash, found));
        };
        check(Found::Holds, r#"["cash","holds"]"#);
        check(Found::Ms(3, 250), r#"["cash",{"ms":[3,250]}]"#);
        let (seen, allowed) = (Amount::from_whole(5), Amount::from_whole(7));
        check(
            Found::Money(seen, allowed),
            r#"["cash",{"money":["5","7"]}]"#,
        );
    }
}
