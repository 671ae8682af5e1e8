//! Pictures in, sections out: what an operator must see, and what must never be on the page.

use super::*;
use crate::status::charts::{Chart, FillMark, Point};
use engine::ids::Symbol;
use engine::market::Side;
use engine::money::{Price, Qty};
use engine::time::Timestamp;
use serde_json::json;

const NOW: i64 = 1_800_000_000_000_000;

fn running() -> Value {
    json!({
        "taken_us": NOW, "version": "0.1.0", "run_id": "r1", "account": "ab12", "key": null, "uptime_s": 90,
        "venue": "live", "armed": true, "blocked": [], "mode": "NORMAL", "mode_since_us": NOW - 60_000_000,
        "kill": null, "contributions": [], "gate": [], "not_ready": [],
        "freshness": [
            {"what": "evaluation", "age_ms": 800, "period_ms": 10_000, "stale": false},
            {"what": "data BTCTRY", "age_ms": 120, "period_ms": 666, "stale": false},
        ],
        "threads": [{"thread": "trade", "age_ms": 40, "stalled_ms": 3_000, "stalled": false}],
        "money": {"cash": "1000", "equity": "1234567.891", "day_pnl": "-12.5", "drawdown_bps": 7, "exposure": "400",
                  "fees_today": "1.2", "positions": [{"symbol": "BTCTRY", "qty": "0.5", "mark": "591090"}]},
        "limits": [{"limit": "MAX_OPEN_ORDERS", "unit": "orders", "used": "2", "allowed": "10", "used_permille": 200}],
        "budgets": [{"budget": "reconnects", "spent": 3, "limit": 48, "left": 45, "hour": 2, "burn": "1.0", "rung": "normal"}],
        "ladder": {"rung": "normal", "causes": []},
        "books": {"BTCTRY": {"trusted": true, "bid": "591000", "ask": "591100", "age_ms": 120}},
        "orders": [
            {"client_id": "b-open", "order_id": "7", "symbol": "BTCTRY", "side": "buy", "price": "590500", "qty": "0.1",
             "filled": "0", "state": "open", "why": null, "cancel_asked": false, "since_us": NOW - 5_000_000},
            {"client_id": "b-lost", "order_id": null, "symbol": "BTCTRY", "side": "sell", "price": "592000", "qty": "0.1",
             "filled": "0", "state": "unknown", "why": "timeout", "cancel_asked": true, "since_us": NOW - 20_000_000},
        ],
        "unknown_orders": 1,
        "denials": {"cooldown": 2, "max_open_orders": 9}, "silent": [{"strategy": "market_maker", "symbol": "BTCTRY", "why": "quotes_stand"}],
        "counts": {"evaluated": 20, "intents": 14, "denied": 11, "approved": 3, "submitted": 3, "accepted": 2, "fills": 1,
                   "rejected": 0, "not_sent": 0, "unknown": 1, "cancels": 0},
        "events": [{"at_us": NOW - 2_000_000, "code": "fill", "text": "buy 0.1 BTC at 591000"}],
    })
}

fn market() -> Charts {
    let symbol = Symbol::parse("BTCTRY").expect("a pair");
    let price = |text: &str| Price::parse(text).expect("a price");
    let at = |seconds: i64| Timestamp(NOW - seconds * 1_000_000);
    let point = |seconds: i64, mid: Option<&str>, is_held: bool| Point {
        at: at(seconds),
        mid: mid.map(price),
        is_held,
    };
    let chart = Chart {
        points: [
            point(4, Some("591000"), false),
            point(3, Some("591100"), true),
            point(2, None, true),
            point(1, Some("591200"), false),
            point(0, Some("591050"), false),
        ]
        .into(),
        fills: [FillMark {
            at: at(2),
            side: Side::Buy,
            price: price("591000"),
            qty: Qty::parse("0.1").expect("a quantity"),
        }]
        .into(),
    };
    [(symbol, chart)].into()
}

/// Renders the running picture with some members replaced.
fn page(changes: Value) -> String {
    let mut document = running();
    for (name, value) in changes.as_object().expect("an object") {
        document[name.as_str()] = value.clone();
    }
    whole(&sections(&document, &market()), 400)
}

/// The text of a page: its tags taken out.
fn words_of(html: &str) -> String {
    let parts = html
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_banner_says_the_strictest_truth_in_one_word_and_one_colour() {
    let check = |changes: Value, word: &str, class: &str| {
        let html = page(changes.clone());
        assert!(
            html.contains(&format!("<h1>{word}</h1>")),
            "{changes}: no {word}"
        );
        assert!(
            html.contains(&format!("class=\"banner {class}\"")),
            "{changes}: no {class}"
        );
        assert!(
            html.contains(&format!("data-title=\"{word}\"")),
            "{changes}"
        );
    };
    let voice = |code: &str| json!([{"code": code, "mode": "OBSERVE_ONLY", "scope": "global", "since_us": NOW, "by": "x"}]);
    let kill =
        json!({"id": 7, "cause": "operator_kill", "reason": "", "by": "uid 0", "since_us": NOW});
    check(json!({}), "LIVE ARMED", "live");
    check(json!({"armed": false}), "LIVE, BLOCKED", "safe");
    check(json!({"venue": "demo"}), "DEMO", "calm");
    check(
        json!({"venue": "simulated", "armed": false}),
        "DRY RUN",
        "calm",
    );
    check(
        json!({"mode": "OBSERVE_ONLY", "contributions": voice("operator_safe_mode")}),
        "SAFE MODE",
        "safe",
    );
    check(
        json!({"mode": "OBSERVE_ONLY", "contributions": voice("clock_skew")}),
        "OBSERVE ONLY",
        "safe",
    );
    check(
        json!({"mode": "REDUCE_RISK_ONLY", "venue": "demo"}),
        "REDUCE RISK ONLY",
        "safe",
    );
    check(
        json!({"mode": "KILL_SWITCH", "venue": "demo"}),
        "KILLED",
        "killed",
    );
    check(json!({"kill": kill, "mode": "NORMAL"}), "KILLED", "killed");
    check(json!({"mode": null}), "STARTING", "calm");
}

#[test]
fn a_kill_says_who_why_and_since_when() {
    let html = page(json!({
        "mode": "KILL_SWITCH",
        "kill": {"id": 1_700, "cause": "operator_kill", "reason": "fat finger", "by": "uid 1000", "since_us": NOW - 65_000_000},
        "contributions": [{"code": "operator_kill", "mode": "KILL_SWITCH", "scope": "global", "since_us": NOW - 65_000_000, "by": "uid 1000"}],
        "gate": ["kill", "observe"],
    }));
    let words = words_of(&html);
    for part in [
        "KILLED",
        "Killed as  1700",
        "operator kill",
        "by uid 1000",
        "fat finger",
        "1 min 5 s",
        "gate shut: kill, observe",
        "2027-01-15 07:58:55 UTC",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
}

#[test]
fn every_figure_of_the_picture_has_its_place() {
    let words = words_of(&page(json!({})));
    for part in [
        "1,234,567.89",
        "-12.50",
        "591,090",
        "2 / 10",
        "45",
        "1.0",
        "unknown (timeout), cancel asked",
        "b-open",
        "20 s",
        "max open orders",
        "quotes stand",
        "buy 0.1 BTC at 591000",
        "0.8 s",
        "last evaluation",
        "data BTCTRY",
        "of unknown fate",
        "1 own trades, 2 resting orders",
        "live",
        "armed",
        "gate open",
        "mode",
        "NORMAL",
        "2027-01-15 08:00:00 UTC",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    let (lost, open) = (words.find("b-lost"), words.find("b-open"));
    assert!(lost < open, "an unknown order comes first");
    let (most, least) = (words.find("max open orders"), words.find("cooldown"));
    assert!(most < least, "the most frequent reason comes first");
}

#[test]
fn what_has_no_news_for_three_periods_is_hatched_and_says_so() {
    let stale =
        json!([{"what": "reconcile", "age_ms": 46_000, "period_ms": 15_000, "stale": true}]);
    let html = page(json!({"freshness": stale}));
    assert!(html.contains("<li class=\"tile stale\"><span class=\"what\">reconcile</span><strong>46 s</strong><em>STALE</em>"), "{html}");
    assert!(
        !page(json!({})).contains("STALE"),
        "nothing is stale in a fresh picture"
    );
    let stalled =
        json!([{"thread": "trade", "age_ms": 4_000, "stalled_ms": 3_000, "stalled": true}]);
    assert!(page(json!({"threads": stalled})).contains("STALLED"));
    let sections = sections(&running(), &market());
    assert!(whole(&sections, STALE_MS).contains("<body>"));
    let old = whole(&sections, STALE_MS + 9_000);
    assert!(
        old.contains("<body class=\"stale\">") && old.contains("STALE: this picture is 12 s old"),
        "{old}"
    );
}

#[test]
fn a_picture_without_anything_is_a_page_too() {
    for document in [json!({}), json!({"taken_us": 0}), Value::Null] {
        let html = whole(&sections(&document, &Charts::new()), i64::MAX);
        for part in [
            "STARTING",
            "The account is not known yet.",
            "No market data yet.",
            "Nothing of ours rests",
            "Nothing notable",
        ] {
            assert!(html.contains(part), "{part:?} is not in {html}");
        }
    }
}

#[test]
fn hostile_text_stays_text_wherever_it_stands() {
    let evil = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' style='x";
    let mut document = running();
    spoil(&mut document, evil);
    let html = whole(&sections(&document, &market()), 0);
    assert!(html.contains("&lt;script&gt;alert(1)"), "it is shown");
    assert!(
        !html.contains("<script>") && !html.contains("<img"),
        "it is not run"
    );
    assert!(!html.contains(evil));
}

/// Replaces every text of a document but the codes that choose a section's shape.
fn spoil(value: &mut Value, evil: &str) {
    match value {
        Value::String(text) if text != "NORMAL" && text != "BTCTRY" => evil.clone_into(text),
        Value::Array(rows) => rows.iter_mut().for_each(|row| spoil(row, evil)),
        Value::Object(members) => members.values_mut().for_each(|member| spoil(member, evil)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn nothing_on_the_page_needs_what_its_policy_forbids() {
    let html = page(json!({"mode": "OBSERVE_ONLY", "venue": "demo"}));
    for banned in [
        " style=",
        "<style",
        "javascript:",
        "http://",
        "https://",
        "data:image",
        "<iframe",
        "<form",
        " onclick",
    ] {
        assert!(!html.contains(banned), "{banned}");
    }
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("<script src=\"/app.js\" defer></script>"));
    for (name, text) in [("app.js", SCRIPT), ("app.css", CSS)] {
        assert!(text.len() <= 10 * 1_024, "{name}: {} bytes", text.len());
        for banned in ["http:", "https:", "@import", "url(", "eval(", "innerHTML"] {
            assert!(!text.contains(banned), "{name}: {banned}");
        }
    }
}

#[test]
fn every_section_can_be_swapped_and_every_table_says_what_it_is() {
    let html = page(
        json!({"mode": "OBSERVE_ONLY", "contributions": [{"code": "clock_skew", "mode": "OBSERVE_ONLY", "scope": "global", "since_us": NOW, "by": "clock"}]}),
    );
    let parts = html.matches(" data-part").count();
    assert_eq!(parts, 10);
    for part in html.split(" data-part").take(parts) {
        let tag = part.rsplit('<').next().unwrap_or_default();
        assert!(tag.contains(" id=\""), "{tag}");
    }
    assert_eq!(
        html.matches("<table").count(),
        html.matches("<caption>").count()
    );
    let drawings = html.matches("<svg").count();
    assert_eq!(drawings, html.matches("role=\"img\" aria-label=").count());
    assert!(drawings >= 2);
}

#[test]
fn a_chart_breaks_where_the_book_was_not_trusted_and_shades_where_orders_were_held() {
    let html = page(json!({}));
    let path = html
        .split("class=\"price\" d=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    // A minute is shown, one second is a hundred units; the last point is the right edge, the highest price the margin.
    assert_eq!(path, Some("M5600 1380L5700 750M5900 120L6000 1065"));
    assert!(
        html.contains("<rect class=\"held\" x=\"5600\" y=\"0\" width=\"200\" height=\"1500\">"),
        "{html}"
    );
    assert!(
        html.contains("class=\"mark buy\" d=\"M5800 1380l-55 110h110z\""),
        "{html}"
    );
    // An order outside of the range is drawn on the edge.
    assert!(
        html.contains("class=\"level buy\" x1=\"0\" x2=\"6000\" y1=\"1500\""),
        "{html}"
    );
}

#[test]
fn numbers_are_cut_and_grouped_and_what_is_no_number_stays() {
    let money = |text: &str, expected: &str| assert_eq!(words::money(&json!(text)), expected);
    money("1000005.10229599", "1,000,005.10");
    money("-0.999", "-0.99");
    money("7", "7.00");
    money("soon", "soon");
    assert_eq!(words::money(&Value::Null), "–");
    let span = |ms: i64, expected: &str| assert_eq!(words::span(ms), expected);
    span(-5, "0.0 s");
    span(9_999, "9.9 s");
    span(59_999, "59 s");
    span(61_000, "1 min 1 s");
    span(600_000, "10 min");
    span(3_661_000, "1 h 1 min");
    span(90_000_000, "1 d 1 h");
}
