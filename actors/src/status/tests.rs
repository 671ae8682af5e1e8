//! What the status document says of limits, budgets, ages and charts, from a few lines of state.

use super::charts::{FILLS_MAX, POINTS_MAX, mark, sample};
use super::*;
use crate::beats::Beat;
use engine::answer::{OwnTrade, TradeSource};
use engine::book::Distrust;
use engine::ids::{AccountTag, Asset, BootTag, OrderId, TradeId};
use engine::intent::{Intent, IntentClass, IntentReason, NewOrder};
use engine::kill::KillId;
use engine::market::Side;
use engine::mode::Scope;
use engine::money::{Amount, Price, Qty};
use std::collections::BTreeMap;

const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a pair")
}

fn order(seq: u64, side: Side) -> NewOrder {
    NewOrder {
        client_id: ClientId::new(
            AccountTag::from_entropy(1),
            1,
            BootTag::from_entropy(2),
            seq,
        ),
        intent: Intent {
            strategy: StrategyKind::MarketMaker,
            symbol: symbol("BTCTRY"),
            side,
            qty: Qty::parse("2").expect("a quantity"),
            limit: Price::parse("100").expect("a price"),
            class: IntentClass::Quote,
            reason: IntentReason::QuoteBid,
            at: AT,
            book: engine::intent::BookStamp::default(),
            mid: Price::parse("100").expect("a price"),
            cycle: 1,
        },
        reserved: Amount::ZERO,
        fee_in_base: false,
    }
}

fn status() -> Status {
    let sources = config::load::Sources::demo(BTreeMap::new(), "/".into(), AT);
    let loaded = config::load::load(sources).expect("the defaults are valid");
    Status {
        bounds: Some(Bounds::of(loaded.settings())),
        ..Status::default()
    }
}

fn limit<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    let found = rows.iter().find(|row| row["limit"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {rows:?}"))
}

#[test]
fn a_minutes_orders_count_against_their_limits_and_are_then_forgotten() {
    let mut status = status();
    status.pace.note(AT, &order(1, Side::Buy));
    status.pace.note(AT.plus_ms(30_000), &order(2, Side::Sell));
    status.pace.note(AT.plus_ms(40_000), &order(3, Side::Buy));
    let check = |at_ms: i64, orders: &str, bought: &str| {
        let rows = status.limits_json(AT.plus_ms(at_ms));
        assert_eq!(
            limit(&rows, "MAX_ORDERS_PER_MINUTE")["used"],
            orders,
            "{at_ms}"
        );
        // A sale reduces: only what is bought counts.
        assert_eq!(
            limit(&rows, "MAX_NOTIONAL_TRY_PER_MINUTE")["used"],
            bought,
            "{at_ms}"
        );
    };
    check(40_000, "3", "400");
    check(60_000, "2", "200");
    check(90_000, "1", "200");
    check(100_000, "0", "0");
}

#[test]
fn a_limit_shows_its_share_and_one_that_allows_nothing_is_full() {
    let mut status = status();
    let view = |seq| OrderView {
        order: order(seq, Side::Buy),
        state: OrderState::Open,
        order_id: None,
        filled: Qty::ZERO,
        cancel_asked: false,
        since: AT,
    };
    for seq in 1..=2 {
        status.orders.insert(view(seq).client_id(), view(seq));
    }
    let mut check = |allowed: usize, expected: i64| {
        let bounds = status.bounds.as_mut().expect("the run has begun");
        bounds.limits.max_open_orders = allowed;
        let rows = status.limits_json(AT);
        assert_eq!(
            limit(&rows, "MAX_OPEN_ORDERS")["used_permille"],
            expected,
            "{allowed}"
        );
    };
    check(20, 100);
    check(2, 1_000);
    check(1, 2_000);
    check(0, 1_000);
}

#[test]
fn a_budget_shows_what_is_left_and_how_fast_it_burns() {
    let mut status = status();
    let rows = status.budgets_json();
    assert_eq!(
        (&rows[0]["left"], &rows[0]["burn"]),
        (&json!(48), &json!("0.0"))
    );
    let step = Step {
        cause: Cause::Reconnects,
        before: Rung::Normal,
        after: Rung::Backoff,
        count: 9,
        hour: 7,
        minutes: 1,
        limit: 48,
    };
    status.ladder.insert(Cause::Reconnects, (step, AT));
    let row = &status.budgets_json()[0];
    assert_eq!(
        (&row["spent"], &row["left"], &row["burn"], &row["rung"]),
        (&json!(9), &json!(39), &json!("3.5"), &json!("backoff"))
    );
}

#[test]
fn a_person_is_named_where_one_asked_beside_the_part_of_the_engine() {
    let mut status = status();
    let check = |status: &Status, code: ModeCode, source: &str, by: Value, reason: Value| {
        let voice = Contribution {
            code,
            scope: Scope::Global,
            mode: Mode::ObserveOnly,
            since: AT,
        };
        let shown = status.voice_json(&voice);
        let seen = (&shown["source"], &shown["by"], &shown["reason"]);
        assert_eq!(seen, (&json!(source), &by, &reason), "{}", code.as_str());
    };
    let nobody = || Value::Null;
    check(
        &status,
        ModeCode::OperatorSafeMode,
        "operator",
        nobody(),
        nobody(),
    );
    check(&status, ModeCode::ClockSkew, "clock", nobody(), nobody());
    status.safe_by = Some(("uid 1000".to_owned(), "lunch".to_owned()));
    status.kill = Some(Kill {
        id: KillId(1),
        cause: ModeCode::OperatorKill,
        reason: "fat finger".to_owned(),
        by: "uid 0".to_owned(),
        at: AT,
    });
    check(
        &status,
        ModeCode::OperatorSafeMode,
        "operator",
        json!("uid 1000"),
        json!("lunch"),
    );
    check(
        &status,
        ModeCode::OperatorKill,
        "operator",
        json!("uid 0"),
        json!("fat finger"),
    );
    check(&status, ModeCode::GhostOrder, "orders", nobody(), nobody());
}

#[test]
fn ages_are_stale_beyond_three_periods_and_before_the_first_news() {
    let mut status = status();
    let check = |status: &Status, at_ms: i64, what: &str, expected: bool| {
        let rows = status.freshness_json(AT.plus_ms(at_ms));
        let row = rows.iter().find(|row| row["what"] == what);
        let row = row.unwrap_or_else(|| panic!("{what} is not in {rows:?}"));
        assert_eq!(row["stale"], expected, "{what} after {at_ms} ms");
    };
    check(&status, 0, "reconcile", true);
    status.last_clean = Some(AT);
    check(&status, 45_000, "reconcile", false);
    check(&status, 45_001, "reconcile", true);
    status.heard.offset = Some(AT);
    check(&status, 45_000, "clock", false);
    let view = BookView::Untrusted {
        symbol: symbol("BTCTRY"),
        why: Distrust::Empty,
        since: AT,
    };
    status.books.insert(symbol("BTCTRY"), view);
    check(&status, 0, "data BTCTRY", true);
    let journal = |age_ms| {
        let beats = vec![(Beat::Journal, age_ms)];
        Vitals {
            beats,
            gate: Vec::new(),
        }
        .journal_json()["stale"]
            .clone()
    };
    assert_eq!(
        (journal(3_000), journal(3_001)),
        (json!(false), json!(true))
    );
    assert_eq!(Vitals::default().journal_json()["stale"], true);
}

#[test]
fn a_chart_keeps_ten_minutes_and_the_latest_trades() {
    let view = BookView::Untrusted {
        symbol: symbol("BTCTRY"),
        why: Distrust::Empty,
        since: AT,
    };
    let books = BTreeMap::from([(symbol("BTCTRY"), view)]);
    let mut charts = Charts::new();
    let trade = |base: &str| OwnTrade {
        source: TradeSource::Stream,
        id: TradeId(1),
        order_id: OrderId(1),
        client_id: None,
        base: Asset::parse(base).expect("a coin"),
        quote: Asset::parse("TRY").expect("a currency"),
        side: Side::Buy,
        price: Price::parse("100").expect("a price"),
        qty: Qty::parse("1").expect("a quantity"),
        fee: Amount::ZERO,
        tax: Amount::ZERO,
        at: AT,
        fee_in_base: false,
    };
    mark(&mut charts, AT, &trade("BTC"));
    assert!(
        charts.is_empty(),
        "a pair that is not followed has no chart"
    );
    for second in 0..=POINTS_MAX as i64 {
        let now = AT.plus_ms(second * 1_000);
        sample(&mut charts, now, &books, second % 2 == 0);
        assert_eq!(
            charts[&symbol("BTCTRY")].points.len(),
            POINTS_MAX,
            "from the first second on it is as long as ever"
        );
        mark(&mut charts, now, &trade("BTC"));
        mark(&mut charts, now, &trade("DOGE"));
    }
    let chart = &charts[&symbol("BTCTRY")];
    assert_eq!(
        (chart.points.len(), chart.fills.len()),
        (POINTS_MAX, FILLS_MAX)
    );
    assert_eq!(
        chart.points[0].at,
        AT.plus_ms(1_000),
        "the oldest falls out"
    );
    assert_eq!(charts.len(), 1);
}

#[test]
fn trades_do_not_push_out_what_an_operator_did() {
    let mut status = status();
    status.note(AT, "operator", "safe-mode on".to_owned());
    for _ in 0..2 * EVENTS_MAX {
        status.note(AT, FILL, String::new());
    }
    let codes = |status: &Status, code: &str| {
        status
            .events
            .iter()
            .filter(|event| event.code == code)
            .count()
    };
    assert_eq!(
        (codes(&status, "operator"), codes(&status, FILL)),
        (1, FILL_EVENTS_MAX)
    );
    for _ in 0..2 * EVENTS_MAX {
        status.note(AT, "mode", String::new());
    }
    assert_eq!(
        (status.events.len(), codes(&status, "operator")),
        (EVENTS_MAX, 0)
    );
}
