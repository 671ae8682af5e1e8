//! What a scrape shows.

use super::*;
use engine::answer::CancelReply;
use std::collections::BTreeSet;

const START_AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

const BUILD: Build = Build {
    version: "0.1.0",
    git_sha: "abc",
    rustc: "1.95",
};
/// As many pairs as may be traded.
const TEN: [&str; config::settings::SYMBOLS_MAX] = [
    "BTCTRY", "ETHTRY", "SOLTRY", "XRPTRY", "AVAXTRY", "ADATRY", "DOTTRY", "LTCTRY", "LINKTRY",
    "DOGETRY",
];

fn metrics() -> Metrics {
    let symbols = ["BTCTRY", "ETHTRY"].map(|name| Symbol::parse(name).expect("a pair"));
    Metrics::new(BUILD, &symbols, START_AT)
}

fn value(text: &str, series: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

#[test]
fn every_catalogued_metric_is_exported() {
    let text = metrics().render(START_AT);
    for metric in CATALOGUE {
        let (name, kind) = (metric.name, metric.kind.as_str());
        assert!(
            text.contains(&format!("# TYPE {name} {kind}\n")),
            "{name} has no type"
        );
        assert!(
            text.contains(&format!("# HELP {name} {}\n", metric.help)),
            "{name} has no help"
        );
        let has_series = text.lines().any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{', '_']))
        });
        assert!(has_series, "{name} has no series");
    }
    let types = text
        .lines()
        .filter(|line| line.starts_with("# TYPE "))
        .count();
    assert_eq!(
        types,
        CATALOGUE.len(),
        "nothing is exported that is not in the catalogue"
    );
}

#[test]
fn the_catalogue_knows_how_many_series_there_are() {
    let text = metrics().render(START_AT);
    let exported = |name: &str| {
        let of = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| {
                let parts = ["_bucket", "_sum", "_count", ""];
                parts.iter().any(|part| {
                    rest.strip_prefix(part)
                        .is_some_and(|rest| rest.starts_with([' ', '{']))
                })
            })
        };
        text.lines().filter(of).count()
    };
    let pairs = text
        .lines()
        .filter(|line| line.starts_with("btcbot_book_trusted{"))
        .count();
    assert!(pairs > 0);
    for metric in CATALOGUE {
        assert_eq!(
            metric.series(pairs),
            exported(metric.name),
            "{}",
            metric.name
        );
    }
}

#[test]
fn every_label_value_is_there_before_anything_happened() {
    let text = metrics().render(START_AT);
    let check = |series: &str, expected: f64| {
        let found = value(&text, series);
        assert_eq!(found, Some(expected), "{series}");
    };
    check("circuit_breaker_state{breaker=\"market_data\"}", 0.0);
    check("btcbot_orders_total{state=\"unknown\"}", 0.0);
    check("btcbot_book_trusted{symbol=\"ETHTRY\"}", 0.0);
    check("btcbot_actor_up{actor=\"order_router\"}", 0.0);
    check("btcbot_denials_total{code=\"risk_block:arithmetic\"}", 0.0);
    check("btcbot_start_timestamp_seconds", 1_700_000_000.0);
    // A zero here would page at every start.
    check(
        "btcbot_thread_beat_timestamp_seconds{thread=\"killer\"}",
        1_700_000_000.0,
    );
    check(
        "btcbot_market_data_timestamp_seconds{symbol=\"BTCTRY\"}",
        1_700_000_000.0,
    );
    let free = value(&text, "btcbot_state_disk_free_bytes");
    assert!(free.is_some_and(f64::is_nan), "nobody has looked: {free:?}");
    check("order_submit_latency_ms_bucket{le=\"30000\"}", 0.0);
    check("order_submit_latency_ms_count", 0.0);
    assert!(text.contains("btcbot_build_info{version=\"0.1.0\",git_sha=\"abc\",rustc=\"1.95\"} 1"));
}

#[test]
fn gauges_are_set_not_added() {
    let metrics = metrics();
    for _ in 0..2 {
        metrics.mode(Mode::ObserveOnly);
        metrics.orders_now(3, 1);
        metrics.breaker_open(Breaker::Cancel, "order_cancel", START_AT.plus_ms(1));
        metrics.unknown_oldest(61_500);
    }
    let text = metrics.render(START_AT);
    let check =
        |series: &str, expected: f64| assert_eq!(value(&text, series), Some(expected), "{series}");
    check("btcbot_mode{mode=\"OBSERVE_ONLY\"}", 1.0);
    check("btcbot_mode{mode=\"NORMAL\"}", 0.0);
    check("btcbot_open_orders", 3.0);
    check("btcbot_unknown_orders", 1.0);
    check("circuit_breaker_state{breaker=\"cancel\"}", 2.0);
    check("btcbot_orders_unknown_oldest_seconds", 61.5);
}

#[test]
fn the_eight_signals_show_what_happened() {
    let metrics = metrics();
    for _ in 0..30 {
        metrics.ws_reconnected(START_AT);
    }
    metrics.rest_attempt(RestMark::RateLimited, START_AT);
    metrics.rest_attempt(RestMark::Ok, START_AT);
    metrics.rest_retry(START_AT);
    metrics.market_data_stale(START_AT);
    metrics.submit_took(70);
    metrics.cancel_answered(CancelReply::Acknowledged, 31_000);
    metrics.reconciled(START_AT.plus_ms(1_000), 250);
    let text = metrics.render(START_AT.plus_ms(3_500));
    let check = |series: &str, expected: f64| {
        let found = value(&text, series).unwrap_or(f64::NAN);
        assert!((found - expected).abs() < 1e-9, "{series}: {found}");
    };
    check("ws_reconnect_rate", 2.0);
    check("rest_429_rate", 1.0 / 15.0);
    check("rest_retry_rate", 1.0 / 15.0);
    check("stale_market_data_rate", 1.0 / 15.0);
    check("reconcile_lag_ms", 2_500.0);
    check("order_submit_latency_ms_bucket{le=\"50\"}", 0.0);
    check("order_submit_latency_ms_bucket{le=\"100\"}", 1.0);
    check("cancel_latency_ms_bucket{le=\"30000\"}", 0.0);
    check("cancel_latency_ms_count", 1.0);
    check("btcbot_reconcile_duration_seconds_sum", 0.25);
}

#[test]
fn names_follow_the_rules() {
    const SIGNALS: [&str; 8] = [
        "ws_reconnect_rate",
        "rest_429_rate",
        "rest_retry_rate",
        "stale_market_data_rate",
        "reconcile_lag_ms",
        "order_submit_latency_ms",
        "cancel_latency_ms",
        "circuit_breaker_state",
    ];
    let mut seen = BTreeSet::new();
    for metric in CATALOGUE {
        let name = metric.name;
        assert!(seen.insert(name), "{name} is there twice");
        assert!(
            SIGNALS.contains(&name) || name.starts_with("btcbot_"),
            "{name}"
        );
        let is_total = name.ends_with("_total");
        assert_eq!(is_total, metric.kind == Kind::Counter, "{name}");
        assert!(
            !metric.help.ends_with('.') && !metric.help.is_empty(),
            "{name}"
        );
    }
    assert!(SIGNALS.iter().all(|name| seen.contains(name)));
    let symbols = TEN.map(|name| Symbol::parse(name).expect("a pair"));
    let series = Metrics::new(BUILD, &symbols, START_AT)
        .render(START_AT)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .count();
    assert!(series < 2_000, "{series} series");
}

#[test]
fn metric_series_are_bounded_and_labels_closed() {
    let series = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names = lines.filter_map(|line| line.rsplit_once(' '));
        names.map(|(name, _)| name.to_owned()).collect()
    };
    let metrics = metrics();
    let before = series(&metrics.render(START_AT));
    for n in 0..200 {
        let at = START_AT.plus_ms(n * 1_000);
        metrics.submit_took(n * 7);
        metrics.cancel_answered(CancelReply::RateLimited(n), n * 11);
        metrics.rest_attempt(RestMark::RateLimited, at);
        metrics.reconciled(at, n);
        metrics.ws_reconnected(at);
        metrics.denied(DenyCode::Arithmetic);
        metrics.book_trusted(Symbol::parse("ETHTRY").expect("a pair"), n % 2 == 0);
        metrics.mode_changed(Mode::ALL[usize::try_from(n % 4).expect("small")]);
        metrics.fill();
    }
    let after = series(&metrics.render(START_AT.plus_ms(200_000)));
    let grown: Vec<&String> = after.difference(&before).collect();
    assert!(grown.is_empty(), "what happens makes no series: {grown:?}");
    let open = ["order_id", "client", "cycle", "run_id", "intent"];
    let ids: Vec<&String> = before
        .iter()
        .filter(|series| {
            open.iter()
                .any(|label| series.contains(&format!("{label}=")))
        })
        .collect();
    assert!(ids.is_empty(), "an id is no label: {ids:?}");
}

#[test]
fn modes_and_the_catalogue_agree() {
    assert_eq!(Mode::ALL.map(Mode::as_str), MODES);
    let threads = crate::beats::Beat::ALL.map(crate::beats::Beat::as_str);
    assert_eq!(threads, THREADS);
    assert_eq!(
        crate::signals::Signal::ALL.map(crate::signals::Signal::as_str),
        *SIGNALS
    );
}
