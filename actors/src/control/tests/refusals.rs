//! The preconditions of an end of safe mode: each refuses alone, all are named together, and each bound is exact.

use super::*;
use engine::answer::UnknownCause;
use engine::ids::{BootTag, ClientId};
use engine::intent::{BookStamp, Intent, IntentClass, IntentReason, NewOrder, StrategyKind};
use engine::market::Side;
use engine::money::{Amount, Price, Qty};
use engine::order::{OrderState, OrderView};

/// One precondition, and how it is lost.
type Loss = (&'static str, fn(&mut Operator));

const LOSSES: [Loss; 11] = [
    ("kill_latched", |operator| {
        operator.owner.gate().raise(Flag::Kill);
    }),
    ("restart_needed", |operator| {
        operator.owner.gate().raise(Flag::Disarmed);
    }),
    ("configured_safe_mode", |operator| {
        *operator.configured_safe.get_mut() = true;
    }),
    ("not_armed", |operator| operator.unarmed_live = true),
    ("unknown_orders", |operator| {
        let state = OrderState::Unknown(UnknownCause::Timeout);
        operator.own_orders.update(&own_order(state));
    }),
    ("not_reconciled", |operator| looked(operator, None)),
    ("not_reconciled", |operator| {
        looked(operator, Some(START.plus_ms(-30_001)));
    }),
    ("clock", |operator| operator.clock.forget_offset()),
    ("clock", |operator| off_by(operator, 1_001)),
    ("clock", |operator| off_by(operator, -1_001)),
    ("just_switched_on", |operator| switched_on(operator, 1_999)),
];

/// An own order in a state.
pub(super) fn own_order(state: OrderState) -> OrderView {
    let price = Price::parse("100").expect("a price");
    OrderView {
        order: NewOrder {
            client_id: ClientId::new(AccountTag::from_entropy(1), 1, BootTag::from_entropy(2), 7),
            intent: Intent {
                strategy: StrategyKind::MarketMaker,
                symbol: Symbol::parse("BTCTRY").expect("a pair"),
                side: Side::Buy,
                qty: Qty::parse("1").expect("a quantity"),
                limit: price,
                class: IntentClass::Quote,
                reason: IntentReason::QuoteBid,
                at: START,
                book: BookStamp::default(),
                mid: price,
                cycle: 1,
            },
            reserved: Amount::ZERO,
            fee_in_base: false,
        },
        state,
        order_id: None,
        filled: Qty::ZERO,
        cancel_asked: false,
        since: START,
    }
}

fn looked(operator: &Operator, at: Option<Timestamp>) {
    operator.status.write().expect("nobody panics").last_clean = at;
}

fn off_by(operator: &Operator, ms: i64) {
    operator.clock.set_offset(Offset { ms, bound_ms: 1 });
}

fn switched_on(operator: &mut Operator, ago_ms: i64) {
    let at = START.plus_ms(-ago_ms);
    *operator.last_on.get_mut().expect("nobody panics") = Some(at);
}

fn ends_safe_mode(record: &Record) -> bool {
    matches!(record, Record::SafeMode { on: false, .. })
}

/// Loses these, asks as USR2 does, and expects this answer; refused, nothing has changed.
fn check(losses: &[fn(&mut Operator)], expected: &[&str]) {
    let mut bench = bench(|_| ());
    let operator = Arc::get_mut(&mut bench.desk.operator).expect("nobody else holds it");
    for lose in losses {
        lose(operator);
    }
    let raised = operator.owner.gate().raised();
    let answer = operator.request_off();
    let reasons = answer.err().unwrap_or_default();
    assert_eq!(reasons, expected);
    let is_granted = expected.is_empty();
    let gate = operator.owner.gate();
    assert_eq!(gate.is_raised(Flag::Safe), !is_granted, "{expected:?}");
    if !is_granted {
        assert_eq!(gate.raised(), raised, "{expected:?}: the gate is as it was");
    }
    let records = bench.records();
    assert_eq!(
        records.iter().any(ends_safe_mode),
        is_granted,
        "{records:?}"
    );
}

#[test]
fn each_precondition_of_an_end_of_safe_mode_refuses_alone() {
    check(&[], &[]);
    for (code, lose) in LOSSES {
        check(&[lose], &[code]);
    }
}

#[test]
fn all_refusals_of_an_end_of_safe_mode_are_listed_together() {
    let losses = LOSSES.map(|(_, lose)| lose);
    let mut expected: Vec<&str> = LOSSES.iter().map(|(code, _)| *code).collect();
    expected.dedup();
    check(&losses, &expected);
}

#[test]
fn the_bounds_of_the_preconditions_are_exact() {
    check(
        &[|operator| looked(operator, Some(START.plus_ms(-30_000)))],
        &[],
    );
    check(&[|operator| off_by(operator, 1_000)], &[]);
    check(&[|operator| off_by(operator, -1_000)], &[]);
    check(&[|operator| switched_on(operator, 2_000)], &[]);
}

#[test]
fn an_order_that_is_not_of_unknown_fate_refuses_nothing() {
    let open: fn(&mut Operator) =
        |operator| operator.own_orders.update(&own_order(OrderState::Open));
    check(&[open], &[]);
}

#[test]
fn a_journal_that_has_failed_refuses_alone() {
    let mut bench = bench(|_| panic!("on purpose: the journal's thread ends"));
    let operator = Arc::get_mut(&mut bench.desk.operator).expect("nobody else holds it");
    let boot = Record::Boot {
        epoch: 1,
        at: START,
    };
    while operator.journal.append(START, boot.clone()).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(operator.request_off(), Err(vec!["journal_unhealthy"]));
    assert!(operator.owner.gate().is_raised(Flag::Safe));
}
