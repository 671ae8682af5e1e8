//! The pairs of the exchange: their rules, as exchangeinfo shows them, and where their price starts.
//!
//! Rules in the style of 2022 (docs/EXCHANGE.md 4.2, 13.3). The tick is shown but not enforced, as on
//! the real exchange. Ids of ETHTRY and SOLTRY, all starting prices, and that AAVETRY takes its fees in the base are
//! this simulator's own.

use engine::ids::{Asset, Symbol};
use engine::money::{Amount, Price, Qty, UNITS_PER_ONE};

/// Names a pair by its place in [`pairs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairIndex(pub usize);

/// Rules of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The exchange's number of the pair.
    pub id: i64,
    /// The pair.
    pub symbol: Symbol,
    /// With an underscore between base and quote.
    pub normalized: String,
    /// The coin that is bought and sold.
    pub base: Asset,
    /// The currency that pays.
    pub quote: Asset,
    /// Decimals of a quantity.
    pub qty_scale: u32,
    /// Decimals of a price.
    pub price_scale: u32,
    /// False: prices are whole numbers whatever the scale says.
    pub has_fraction: bool,
    /// Shown as tickSize, not enforced.
    pub tick: Price,
    /// Smallest price x quantity.
    pub value_min: Amount,
    /// Largest quantity of one order.
    pub qty_max: Qty,
    /// Where the mid price starts.
    pub start: Price,
    /// Distance between two levels of the background makers.
    pub grid: Price,
    /// Typical quote value of a background level.
    pub level_value: Amount,
    /// Fee and tax are paid in the base (`commissionFromNumerator`).
    pub fee_in_base: bool,
}

/// A pair in the table below; money as text, read once.
struct Row {
    id: i64,
    base: &'static str,
    quote: &'static str,
    qty_scale: u32,
    price_scale: u32,
    has_fraction: bool,
    tick: &'static str,
    qty_max: &'static str,
    start: &'static str,
    grid: &'static str,
    fee_in_base: bool,
}

const ROWS: [Row; 6] = [
    Row {
        id: 1,
        base: "BTC",
        quote: "TRY",
        qty_scale: 8,
        price_scale: 2,
        has_fraction: false,
        tick: "10",
        qty_max: "1000",
        start: "592000",
        grid: "100",
        fee_in_base: false,
    },
    Row {
        id: 2,
        base: "ETH",
        quote: "TRY",
        qty_scale: 8,
        price_scale: 2,
        has_fraction: false,
        tick: "1",
        qty_max: "10000",
        start: "41300",
        grid: "8",
        fee_in_base: false,
    },
    Row {
        id: 177,
        base: "SOL",
        quote: "TRY",
        qty_scale: 4,
        price_scale: 2,
        has_fraction: true,
        tick: "0.1",
        qty_max: "100000",
        start: "1390",
        grid: "0.3",
        fee_in_base: false,
    },
    Row {
        id: 19,
        base: "BTC",
        quote: "USDT",
        qty_scale: 8,
        price_scale: 2,
        has_fraction: true,
        tick: "0.01",
        qty_max: "1000",
        start: "40100",
        grid: "7.5",
        fee_in_base: false,
    },
    Row {
        id: 20,
        base: "ETH",
        quote: "USDT",
        qty_scale: 4,
        price_scale: 2,
        has_fraction: true,
        tick: "0.01",
        qty_max: "10000",
        start: "2790",
        grid: "0.55",
        fee_in_base: false,
    },
    Row {
        id: 131,
        base: "AAVE",
        quote: "TRY",
        qty_scale: 4,
        price_scale: 2,
        has_fraction: true,
        tick: "0.01",
        qty_max: "100000",
        start: "1980",
        grid: "0.4",
        fee_in_base: true,
    },
];

/// Smallest order value of TRY pairs (captured in 2022) and of USDT pairs.
const VALUE_MIN_TRY: &str = "99.91";
const VALUE_MIN_USDT: &str = "10";
/// Typical quote value of a background level.
const LEVEL_VALUE_TRY: i64 = 60_000;
const LEVEL_VALUE_USDT: i64 = 4_000;

impl Row {
    fn pair(&self) -> Pair {
        let price = |text: &str| Price::parse(text).expect("the table holds plain decimals");
        let asset = |text: &str| Asset::parse(text).expect("the table holds short names");
        let is_try = self.quote == "TRY";
        let value_min = if is_try {
            VALUE_MIN_TRY
        } else {
            VALUE_MIN_USDT
        };
        Pair {
            id: self.id,
            symbol: Symbol::parse(&format!("{}{}", self.base, self.quote))
                .expect("the table holds short names"),
            normalized: format!("{}_{}", self.base, self.quote),
            base: asset(self.base),
            quote: asset(self.quote),
            qty_scale: self.qty_scale,
            price_scale: self.price_scale,
            has_fraction: self.has_fraction,
            tick: price(self.tick),
            value_min: Amount::parse(value_min).expect("the table holds plain decimals"),
            qty_max: Qty::parse(self.qty_max).expect("the table holds plain decimals"),
            start: price(self.start),
            grid: price(self.grid),
            level_value: Amount::from_whole(if is_try {
                LEVEL_VALUE_TRY
            } else {
                LEVEL_VALUE_USDT
            }),
            fee_in_base: self.fee_in_base,
        }
    }
}

/// Returns the pairs of the exchange.
pub fn pairs() -> Vec<Pair> {
    ROWS.iter().map(Row::pair).collect()
}

impl Pair {
    /// Returns the smallest quantity step.
    pub fn qty_step(&self) -> Qty {
        Qty::from_units(UNITS_PER_ONE / 10i64.pow(self.qty_scale))
    }

    /// Returns how many decimals of a price are allowed.
    pub fn price_decimals(&self) -> u32 {
        if self.has_fraction {
            self.price_scale
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_grids_obey_the_rules_of_their_pair() {
        for pair in pairs() {
            let step = Price::from_units(UNITS_PER_ONE / 10i64.pow(pair.price_decimals()));
            for price in [pair.start, pair.grid] {
                assert!(price.is_positive());
                assert_eq!(price.floor_to(step), price, "{}", pair.symbol);
            }
            // A hundred levels below the start must still be a positive price.
            assert!(
                pair.grid.units() * 300 < pair.start.units(),
                "{}",
                pair.symbol
            );
        }
    }
}
