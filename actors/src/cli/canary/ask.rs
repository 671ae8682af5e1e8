//! What was asked of the canary, and the settings it flies with: the configured ones, narrowed and never widened.

use super::Flags;
use config::claims::Claim;
use config::settings::Settings;
use engine::ids::Symbol;
use engine::instrument::RuleFacts;
use engine::intent::StrategyKind;
use engine::money::Amount;

/// One flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) symbol: Symbol,
    pub(super) notional: Amount,
    pub(super) ttl_seconds: i64,
    pub(super) cycles: u32,
    pub(super) cycle_seconds: i64,
}

impl Ask {
    /// Reads the flags against the configuration.
    ///
    /// # Errors
    /// A text that names the flag and what is allowed.
    pub(super) fn of(
        flags: &Flags,
        (cycles, cycle_seconds): (u32, i64),
        settings: &Settings,
    ) -> Result<Self, String> {
        let known = &settings.market.symbols;
        let asked = Symbol::parse(&flags.symbol).ok();
        let symbol = asked.filter(|symbol| known.contains(symbol));
        let symbol = symbol.ok_or_else(|| {
            let names: Vec<String> = known.iter().map(Symbol::to_string).collect();
            let (seen, names) = (&flags.symbol, names.join(", "));
            format!("--symbol {seen}: expected one of the configured pairs: {names}")
        })?;
        let risk = &settings.risk;
        let most = risk
            .max_order_notional_try
            .min(risk.max_notional_try_per_minute);
        let notional = Amount::parse(&flags.notional_try).ok();
        let notional = notional.filter(|value| value.is_positive() && *value <= most);
        let notional = notional.ok_or_else(|| {
            let seen = &flags.notional_try;
            format!(
                "--notional-try {seen}: expected a plain decimal above 0, at most {most}: the canary only narrows limits"
            )
        })?;
        Ok(Self {
            symbol,
            notional,
            ttl_seconds: flags.ttl_seconds,
            cycles,
            cycle_seconds,
        })
    }

    /// Judges the value against the exchange's smallest order and our own.
    ///
    /// # Errors
    /// A text that names the minimum.
    pub(super) fn fits(&self, facts: &RuleFacts, own_min: Amount) -> Result<(), String> {
        let rules = facts.instrument();
        let rules = rules.map_err(|error| format!("--symbol {}: {error}", self.symbol))?;
        if !rules.is_trading {
            return Err(format!("--symbol {}: it is not trading", self.symbol));
        }
        let least = rules.value_min.max(own_min);
        if self.notional < least {
            let seen = self.notional;
            return Err(format!(
                "--notional-try {seen}: the smallest order is {least}"
            ));
        }
        Ok(())
    }

    /// Returns the settings of this flight.
    pub(super) fn narrowed(&self, configured: &Settings) -> Settings {
        let mut settings = configured.clone();
        settings.market.symbols = vec![self.symbol];
        settings.strategy.strategies = vec![Claim {
            strategy: StrategyKind::Canary,
            symbols: vec![self.symbol],
        }];
        settings.strategy.intent_notional_try = self.notional;
        settings.strategy.ttl_seconds = self.ttl_seconds;
        settings.strategy.cycle_interval_ms = self.cycle_seconds * 1_000;
        let risk = &mut settings.risk;
        risk.max_order_notional_try = risk.max_order_notional_try.min(self.notional);
        risk.max_notional_try_per_minute = risk.max_notional_try_per_minute.min(self.notional);
        risk.max_orders_per_minute = risk.max_orders_per_minute.min(1);
        risk.max_open_orders = risk.max_open_orders.min(1);
        risk.max_open_orders_per_symbol = risk.max_open_orders_per_symbol.min(1);
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ConfigSource;
    use config::load::Sources;
    use engine::time::Timestamp;
    use std::collections::BTreeMap;

    fn settings() -> Settings {
        let sources = Sources::demo(BTreeMap::new(), "/".into(), Timestamp::from_ms(0));
        let loaded = config::load::load(sources).expect("the defaults are valid");
        loaded.settings().clone()
    }

    fn flags(symbol: &str, notional: &str) -> Flags {
        Flags {
            source: ConfigSource::default(),
            symbol: symbol.to_owned(),
            notional_try: notional.to_owned(),
            ttl_seconds: 30,
            dry_run: true,
            allow_warn: false,
            json: false,
        }
    }

    fn ask(symbol: &str, notional: &str) -> Result<Ask, String> {
        Ask::of(&flags(symbol, notional), (1, 10), &settings())
    }

    #[test]
    fn a_flag_that_does_not_fit_is_named_with_what_is_allowed() {
        let check = |symbol: &str, notional: &str, parts: [&str; 2]| {
            let text = ask(symbol, notional).expect_err("it does not fit");
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        };
        check("DOGETRY", "150", ["--symbol DOGETRY", "BTCTRY"]);
        check("BTCTRY", "0", ["--notional-try 0", "above 0"]);
        check("BTCTRY", "1e3", ["--notional-try 1e3", "plain decimal"]);
        check("BTCTRY", "501", ["--notional-try 501", "at most 500"]);
        assert!(ask("BTC_TRY", "500").is_ok());
    }

    #[test]
    fn a_value_below_the_smallest_order_is_told_the_minimum() {
        let facts = RuleFacts {
            symbol: Symbol::parse("BTCTRY").expect("a pair"),
            base: engine::ids::Asset::parse("BTC").expect("an asset"),
            quote: engine::ids::Asset::parse("TRY").expect("an asset"),
            is_trading: true,
            has_limit_orders: true,
            qty_scale: 8,
            price_scale: 2,
            has_fraction: false,
            tick: None,
            value_min: Some(Amount::parse("99.91").expect("an amount")),
            qty_min: None,
            qty_max: None,
            price_min: None,
            price_max: None,
            fee_in_base: false,
        };
        let check = |notional: &str, own_min: &str, expected: Option<&str>| {
            let own_min = Amount::parse(own_min).expect("an amount");
            let judged = ask("BTCTRY", notional)
                .expect("it fits")
                .fits(&facts, own_min);
            let text = judged.err().unwrap_or_default();
            assert_eq!(text.is_empty(), expected.is_none(), "{text}");
            assert!(text.contains(expected.unwrap_or_default()), "{text}");
        };
        check("99.91", "1", None);
        check("99.9", "1", Some("99.91"));
        check("150", "200", Some("200"));
    }

    #[test]
    fn every_limit_is_as_it_was_or_lower() {
        let (mut before, ask) = (settings(), ask("BTCTRY", "150").expect("it fits"));
        before.risk.max_open_orders = 0;
        let after = ask.narrowed(&before);
        assert_eq!(after.risk.max_open_orders, 0, "never widened");
        let (old, new) = (&before.risk, &after.risk);
        assert_eq!(new.max_order_notional_try, ask.notional);
        assert_eq!(new.max_notional_try_per_minute, ask.notional);
        assert_eq!(
            (new.max_orders_per_minute, new.max_open_orders_per_symbol),
            (1, 1)
        );
        let mut rest = after.risk.clone();
        rest.max_order_notional_try = old.max_order_notional_try;
        rest.max_notional_try_per_minute = old.max_notional_try_per_minute;
        rest.max_orders_per_minute = old.max_orders_per_minute;
        rest.max_open_orders_per_symbol = old.max_open_orders_per_symbol;
        assert_eq!(&rest, old, "nothing else is touched");
        assert_eq!(after.owner(ask.symbol), Some(StrategyKind::Canary));
        assert_eq!(after.safety, before.safety);
    }
}
