//! Which strategy trades which pair.
//!
//! Every pair has at most one owner, so two strategies never trade against each other.

use crate::settings::Settings;
use engine::ids::Symbol;
use engine::intent::StrategyKind;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A strategy and the pairs it claims; no pairs means all that nobody else claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The strategy.
    pub strategy: StrategyKind,
    /// The pairs it claims by name.
    pub symbols: Vec<Symbol>,
}

impl Claim {
    /// Reads `name` or `name:PAIR+PAIR`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, pairs) = text
            .split_once(':')
            .map_or((text, None), |(name, pairs)| (name, Some(pairs)));
        let strategy = StrategyKind::parse(name)?;
        let symbols: Option<Vec<Symbol>> = pairs
            .into_iter()
            .flat_map(|pairs| pairs.split('+'))
            .map(|pair| Symbol::parse(pair).ok())
            .collect();
        Some(Self {
            strategy,
            symbols: symbols?,
        })
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.strategy.as_str())?;
        for (index, symbol) in self.symbols.iter().enumerate() {
            write!(f, "{}{symbol}", if index == 0 { ':' } else { '+' })?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a strategy claim"))
    }
}

impl Settings {
    /// Returns the one strategy that owns a pair: the one that claims it by name, else the first without names.
    pub fn owner(&self, symbol: Symbol) -> Option<StrategyKind> {
        let claims = &self.strategy.strategies;
        let by_name = claims.iter().find(|claim| claim.symbols.contains(&symbol));
        let rest = || claims.iter().find(|claim| claim.symbols.is_empty());
        let watched = self.market.symbols.contains(&symbol);
        by_name
            .or_else(rest)
            .filter(|_| watched)
            .map(|claim| claim.strategy)
    }

    /// Returns whether a strategy owns at least one pair.
    pub fn runs(&self, strategy: StrategyKind) -> bool {
        self.market
            .symbols
            .iter()
            .any(|symbol| self.owner(*symbol) == Some(strategy))
    }
}
