//! One order's records among others, told as a story.

use super::*;
use crate::store::of_order::last;
use engine::answer::{TradeSource, UnknownCause};
use engine::decision::BookSeen;
use engine::ids::{AccountTag, Asset, BootTag, Symbol, TradeId};
use engine::intent::{BookStamp, CancelReason, Intent, IntentClass, IntentReason, StrategyKind};
use engine::mode::Mode;
use engine::money::Price;
use engine::time::Timestamp;

const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

fn id(seq: u64) -> ClientId {
    ClientId::new(
        AccountTag::from_entropy(1),
        1,
        BootTag::from_entropy(2),
        seq,
    )
}

fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).expect("a quantity")
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

fn order(seq: u64, side: Side) -> NewOrder {
    let intent = Intent {
        strategy: StrategyKind::MarketMaker,
        symbol: Symbol::parse("BTCTRY").expect("a pair"),
        side,
        qty: qty("2"),
        limit: price("101"),
        class: IntentClass::Quote,
        reason: IntentReason::QuoteBid,
        at: AT,
        book: BookStamp::default(),
        mid: price("100"),
        cycle: 4,
    };
    NewOrder {
        client_id: id(seq),
        intent,
        reserved: amount("203"),
        fee_in_base: false,
    }
}

fn decided(seq: u64) -> Record {
    Record::Decided(Box::new(Decision {
        client_id: id(seq),
        at: AT.plus_ms(1),
        wanted_limit: price("101.005"),
        wanted_qty: qty("3"),
        is_reducing: false,
        mode: Mode::Normal,
        book: BookSeen {
            stamp: BookStamp::default(),
            age_ms: 12,
            bid: price("99"),
            bid_qty: qty("1"),
            ask: price("101"),
            ask_qty: qty("5"),
            mid: price("100"),
        },
        equity: Some(amount("1000")),
        position: amount("0"),
        cash: amount("1000"),
        spendable: amount("900"),
        checks: vec![
            (Check::Complete, Found::Holds),
            (Check::IntentAge, Found::Ms(1, 250)),
            (Check::Spread, Found::Bps(200, 300)),
            (Check::OpenOrders, Found::Count(1, 10)),
            (Check::Cooldown, Found::Ms(61_000, 60_000)),
            (Check::Cash, Found::Money(amount("202.4"), amount("900"))),
        ],
    }))
}

fn sending(seq: u64, side: Side) -> Record {
    Record::Sending {
        order: order(seq, side),
        stamp_max: AT.plus_ms(250),
    }
}

fn outcome(seq: u64, outcome: SubmitOutcome) -> Record {
    Record::Outcome {
        client_id: id(seq),
        outcome,
        at: AT,
    }
}

fn fill(seq: Option<u64>, number: i64, side: Side, at_price: &str, of: &str) -> Record {
    Record::Fill(OwnTrade {
        source: TradeSource::Rest,
        id: TradeId(7),
        order_id: OrderId(number),
        client_id: seq.map(id),
        base: Asset::parse("BTC").expect("an asset"),
        quote: Asset::parse("TRY").expect("an asset"),
        side,
        price: price(at_price),
        qty: qty(of),
        fee: amount("0.2"),
        tax: amount("0.04"),
        at: AT,
        fee_in_base: false,
    })
}

/// The records a millisecond apart.
fn journal(records: Vec<Record>) -> Vec<Entry> {
    let entry = |(seq, record)| Entry {
        seq,
        at: AT.plus_ms(i64::try_from(seq).expect("a small number")),
        record,
    };
    (1..).zip(records).map(entry).collect()
}

fn whole() -> Vec<Entry> {
    journal(vec![
        decided(1),
        sending(1, Side::Buy),
        decided(2),
        sending(2, Side::Sell),
        outcome(1, SubmitOutcome::Unknown(UnknownCause::Timeout)),
        Record::Adopted {
            client_id: id(1),
            order_id: OrderId(55),
            at: AT,
        },
        fill(None, 55, Side::Buy, "100.5", "0.5"),
        fill(Some(2), 56, Side::Sell, "99", "1"),
        Record::CancelAsked {
            client_id: id(1),
            reason: CancelReason::Ttl,
            at: AT,
        },
        fill(Some(1), 55, Side::Buy, "99", "0.5"),
        Record::Ended {
            client_id: id(1),
            state: OrderState::Canceled,
            at: AT,
        },
    ])
}

fn story(seq: u64) -> Story {
    Story::of(&whole(), id(seq)).expect("it was written down")
}

#[test]
fn a_story_holds_everything_about_its_order_and_nothing_else() {
    let seqs: Vec<u64> = story(1).steps.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [1, 2, 5, 6, 7, 9, 10, 11]);
    let seqs: Vec<u64> = story(2).steps.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [3, 4, 8]);
    assert_eq!(Story::of(&whole(), id(3)), None);
    assert_eq!(last(&whole()), Some(id(2)));
    assert_eq!(last(&[]), None);
}

#[test]
fn an_order_without_evidence_is_still_told() {
    let story = Story::of(&journal(vec![sending(1, Side::Buy)]), id(1)).expect("it is there");
    assert_eq!(story.state(), OrderState::Sending);
    assert_eq!(story.warnings().len(), 1);
    assert!(story.checks().is_empty() && story.exempt().is_empty());
}

#[test]
fn where_it_stands_follows_from_its_records() {
    let check = |records: Vec<Record>, expected: OrderState| {
        let records = [vec![sending(1, Side::Buy)], records].concat();
        let story = Story::of(&journal(records), id(1)).expect("it is there");
        assert_eq!(story.state(), expected);
    };
    let accepted = || outcome(1, SubmitOutcome::Accepted(OrderId(5)));
    check(vec![accepted()], OrderState::Open);
    check(
        vec![accepted(), fill(Some(1), 5, Side::Buy, "100", "1")],
        OrderState::Partial,
    );
    check(
        vec![fill(Some(1), 5, Side::Buy, "100", "2"), accepted()],
        OrderState::Filled,
    );
    let cause = UnknownCause::ConnectionLost;
    check(
        vec![outcome(1, SubmitOutcome::Unknown(cause))],
        OrderState::Unknown(cause),
    );
    assert_eq!(story(1).state(), OrderState::Canceled);
}

#[test]
fn slippage_is_what_it_cost_against_mid_on_either_side() {
    let bought = story(1).sums();
    // Half a coin at 100.5 and half at 99, mid 100: 0.25 worse and 0.5 better.
    assert_eq!(bought.slippage, amount("-0.25"));
    assert_eq!((bought.filled, bought.fees), (qty("1"), amount("0.4")));
    assert_eq!(
        story(1).slippage_bps(bought.slippage, bought.filled),
        Some(-25)
    );
    let sold = story(2).sums();
    assert_eq!(sold.slippage, amount("1"), "sold for 99 what was worth 100");
    assert_eq!(
        story(2).slippage_bps(amount("0.001"), qty("1")),
        Some(1),
        "rounded against us"
    );
    assert_eq!(story(2).slippage_bps(Amount::ZERO, Qty::ZERO), None);
}

#[test]
fn every_check_tells_its_margin_on_the_side_of_its_bound() {
    let told: Vec<(Check, Option<String>)> = story(1)
        .checks()
        .into_iter()
        .map(|line| (line.check, line.figures.map(|figures| figures.margin)))
        .collect();
    let margin = |text: &str| Some(text.to_owned());
    let expected = [
        (Check::Complete, None),
        (Check::IntentAge, margin("249")),
        (Check::Spread, margin("100")),
        (Check::OpenOrders, margin("9")),
        (Check::Cooldown, margin("1000")),
        (Check::Cash, margin("697.6")),
    ];
    assert_eq!(told, expected);
    assert_eq!(story(1).exempt().len(), Check::ALL.len() - expected.len());
}

#[test]
fn the_text_names_every_step_and_the_json_has_the_same() {
    let story = story(1);
    let text = super::super::text::of(&story);
    for part in [
        "buy 2 BTCTRY at 101",
        "wanted   3 at 101.005",
        "bid 99 x 1, ask 101 x 5, mid 100, 12 ms old",
        "risk_block:spread_too_wide",
        "stamped 2023-11-14 22:13:20.250 at the latest",
        "fate unknown (timeout)",
        "found on the exchange as 55",
        "cancel asked: ttl",
        "slippage 0.25 (50 bps of mid)",
        "ended: canceled",
        "filled 1 of 2",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let json = story.to_json();
    assert_eq!(json["state"], "canceled");
    assert_eq!(json["order_id"], 55);
    assert_eq!(json["steps"][2]["after_us"], 3_000);
    assert_eq!(json["checks"][2]["margin"], "100");
    assert_eq!(json["decision"]["wanted_qty"], "3");
    assert!(json["decision"].get("checks").is_none());
    assert_eq!(json["fills"][1]["slippage"], "-0.5");
}
