//! Rules over more than one key, and warnings that do not stop the start.
//!
//! Only asked when every single value is good, so that one mistake is reported once.

use crate::claims::Claim;
use crate::settings::{Exporter, Settings};
use engine::ids::Symbol;
use engine::intent::StrategyKind;
use std::collections::BTreeSet;

/// A broken rule: the key it is reported at, and the rule.
pub(crate) type Broken = (&'static str, &'static str);

/// Returns every broken rule.
pub(crate) fn broken(settings: &Settings) -> Vec<Broken> {
    let mut broken = pairs_in_order(settings);
    broken.extend(claims(settings));
    broken.extend(strategies(settings));
    broken.extend(live_address(settings));
    broken.extend(drill_address(settings));
    broken.extend(exporter(settings));
    broken
}

fn pairs_in_order(settings: &Settings) -> Vec<Broken> {
    let (rest, ws, clock) = (
        &settings.exchange.rest,
        &settings.exchange.ws,
        &settings.exchange.clock,
    );
    let (risk, orders) = (&settings.risk, &settings.orders);
    let rules = [
        (
            rest.retry_delay_ms_max >= rest.retry_delay_ms_base,
            "exchange.rest.retry_delay_ms_max",
            "must not be below exchange.rest.retry_delay_ms_base",
        ),
        (
            ws.backoff_ms_max >= ws.backoff_ms_base,
            "exchange.ws.backoff_ms_max",
            "must not be below exchange.ws.backoff_ms_base",
        ),
        (
            clock.skew_ms_kill > clock.skew_ms_warn,
            "exchange.clock.skew_ms_kill",
            "must be above exchange.clock.skew_ms_warn",
        ),
        (
            risk.max_position_notional_try <= risk.max_gross_exposure_try,
            "risk.max_position_notional_try",
            "must not be above risk.max_gross_exposure_try",
        ),
        (
            risk.max_order_notional_try >= risk.min_order_notional_try,
            "risk.max_order_notional_try",
            "must not be below risk.min_order_notional_try",
        ),
        (
            orders.reconcile_max_age_seconds >= orders.reconcile_interval_seconds,
            "orders.reconcile_max_age_seconds",
            "must not be below orders.reconcile_interval_seconds",
        ),
        (
            settings.events.webhook_url.is_none() || settings.events.secret_file.is_some(),
            "events.webhook_url",
            "needs events.secret_file: a receiver must be able to tell our events from others",
        ),
    ];
    failed(rules)
}

fn failed<const N: usize>(rules: [(bool, &'static str, &'static str); N]) -> Vec<Broken> {
    rules
        .into_iter()
        .filter(|(holds, ..)| !holds)
        .map(|(_, key, rule)| (key, rule))
        .collect()
}

fn claims(settings: &Settings) -> Vec<Broken> {
    let claims = &settings.strategy.strategies;
    let named: Vec<Symbol> = claims
        .iter()
        .flat_map(|claim| claim.symbols.iter().copied())
        .collect();
    let different: BTreeSet<Symbol> = named.iter().copied().collect();
    let kinds: BTreeSet<StrategyKind> = claims.iter().map(|claim| claim.strategy).collect();
    let unnamed = claims
        .iter()
        .filter(|claim| claim.symbols.is_empty())
        .count();
    failed([
        (
            different.len() == named.len(),
            "strategy.strategies",
            "claims a pair twice; a pair has one owner",
        ),
        (
            kinds.len() == claims.len(),
            "strategy.strategies",
            "names a strategy twice",
        ),
        (
            unnamed <= 1,
            "strategy.strategies",
            "only one strategy can take the pairs that are left",
        ),
        (
            different
                .iter()
                .all(|symbol| settings.market.symbols.contains(symbol)),
            "strategy.strategies",
            "claims a pair that market.symbols does not hold",
        ),
    ])
}

fn strategies(settings: &Settings) -> Vec<Broken> {
    let strategy = &settings.strategy;
    let mut broken = Vec::new();
    if settings.runs(StrategyKind::MarketMaker) {
        let maker = &strategy.market_maker;
        broken.extend(failed([
            (
                maker.half_spread_bps > strategy.fee_bps_maker,
                "strategy.market_maker.half_spread_bps",
                "must be above strategy.fee_bps_maker while market_maker runs",
            ),
            (
                maker.inventory_target_try < maker.inventory_limit_try,
                "strategy.market_maker.inventory_target_try",
                "must be below strategy.market_maker.inventory_limit_try",
            ),
        ]));
    }
    if settings.runs(StrategyKind::MeanReversion) {
        let mean = &strategy.mean_reversion;
        let needed_ms = i64::from(mean.samples_min) * strategy.sample_period_ms;
        broken.extend(failed([
            (
                mean.exit_bps < mean.entry_bps,
                "strategy.mean_reversion.exit_bps",
                "must be below strategy.mean_reversion.entry_bps",
            ),
            (
                needed_ms <= mean.window_seconds * 1_000,
                "strategy.mean_reversion.samples_min",
                "must fit into strategy.mean_reversion.window_seconds at strategy.sample_period_ms each",
            ),
        ]));
    }
    broken
}

fn live_address(settings: &Settings) -> Vec<Broken> {
    let exchange = &settings.exchange;
    let allowed = |url: &crate::endpoint::Endpoint| url.is_exchange() || url.is_loopback();
    let live = settings.safety.live_trading;
    const RULE: &str =
        "must be the exchange's own or a loopback address while safety.live_trading is true";
    failed([
        (
            !live || allowed(&exchange.rest_url),
            "exchange.rest_url",
            RULE,
        ),
        (!live || allowed(&exchange.ws_url), "exchange.ws_url", RULE),
    ])
}

fn drill_address(settings: &Settings) -> Vec<Broken> {
    let exchange = &settings.exchange;
    let is_local = exchange.rest_url.is_loopback() && exchange.ws_url.is_loopback();
    failed([(
        !settings.slo.lift_budgets || is_local,
        "slo.lift_budgets",
        "must be false unless exchange.rest_url and exchange.ws_url are loopback addresses",
    )])
}

fn exporter(settings: &Settings) -> Vec<Broken> {
    let observability = &settings.observability;
    let is_pushed = observability.exporter == Exporter::Otlp;
    failed([(
        !is_pushed || observability.otlp_endpoint.is_some(),
        "observability.otlp_endpoint",
        "must be given while observability.exporter is otlp, such as http://127.0.0.1:4318",
    )])
}

/// Returns what deserves a word although it is allowed.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    let strategy = &settings.strategy;
    let idle = |claim: &&Claim| !settings.runs(claim.strategy);
    let mut warnings: Vec<String> = strategy
        .strategies
        .iter()
        .filter(idle)
        .map(|claim| {
            format!(
                "strategy.strategies: {} owns no pair",
                claim.strategy.as_str()
            )
        })
        .collect();
    let texts = [
        (
            strategy.ttl_seconds < settings.orders.reconcile_interval_seconds,
            "strategy.ttl_seconds is below orders.reconcile_interval_seconds",
        ),
        (
            settings.safety.live_trading && !settings.exchange.rest_url.is_exchange(),
            "safety.live_trading is true with the address of a test exchange",
        ),
        (
            settings.safety.dry_run
                && settings.risk.max_order_notional_try > settings.simulation.dry_run_try_balance,
            "risk.max_order_notional_try is above the opening cash simulation.dry_run_try_balance",
        ),
        (
            !settings.ops.address.is_loopback(),
            "ops.address is not loopback: the page and the metrics can be read from outside",
        ),
    ];
    warnings.extend(
        texts
            .into_iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, text)| text.to_owned()),
    );
    warnings
}
