//! What leaves at the end of a turn: views, modes, money, records; and what a restart keeps.

use super::*;
use crate::intent::CancelReason;
use crate::msg::{DeskView, MoneyReport};
use crate::order::OrderState;

fn as_set(_: &mut RiskSettings) {}

fn last_money(bench: &Bench) -> &MoneyReport {
    let money = bench.effects.iter().rev().find_map(|effect| {
        if let RiskEffect::Money(report) = effect {
            Some(report)
        } else {
            None
        }
    });
    money.expect("a report")
}

fn desks(bench: &Bench) -> Vec<&DeskView> {
    bench
        .effects
        .iter()
        .filter_map(|effect| {
            if let RiskEffect::Desk(view) = effect {
                Some(view)
            } else {
                None
            }
        })
        .collect()
}

#[test]
fn a_desk_hears_its_situation_when_it_changes() {
    let mut bench = Bench::ready(as_set);
    bench.effects.clear();
    bench.play(&["book BTCTRY 998 1002"]);
    assert!(desks(&bench).is_empty(), "the market is not the situation");
    bench.play(&["buy BTCTRY 0.1 @ 1000 entry"]);
    let entry_at = bench.now;
    let views = desks(&bench);
    assert_eq!(views.len(), 2, "cash is shared by both pairs");
    assert_eq!(
        (views[0].orders.len(), views[0].cash),
        (1, amount("9799.76"))
    );
    assert_eq!(views[0].last_entry_at, Some(entry_at));
    bench.effects.clear();
    bench.play(&["wait 5000", "fill 1 0.1 @ 990 fee 0.5"]);
    let view = *desks(&bench)
        .iter()
        .rev()
        .find(|view| view.symbol == symbol("BTCTRY"))
        .expect("a view");
    assert_eq!((view.position, view.orders.len()), (qty("1.1"), 0));
    assert_eq!(view.cost, Some(price("999.54545455")));
    bench.effects.clear();
    bench.play(&["raise reduce ETHTRY"]);
    assert_eq!(
        desks(&bench)
            .iter()
            .map(|view| view.mode)
            .collect::<Vec<_>>(),
        [Mode::ReduceRiskOnly]
    );
}

#[test]
fn a_closed_position_is_remembered_for_the_cooldown() {
    let mut bench = Bench::ready(|settings| settings.limits.max_order_notional = amount("5000"));
    bench.play(&["sell BTCTRY 1 @ 1000", "wait 1000", "fill 1 1"]);
    let view = desks(&bench)
        .into_iter()
        .rev()
        .find(|view| view.symbol == symbol("BTCTRY"))
        .expect("a view");
    assert_eq!(
        (view.last_entry_at, view.opened_at, view.cost),
        (Some(bench.now), None, None)
    );
}

#[test]
fn the_books_view_reaches_the_checks() {
    let mut bench = Bench::bare(as_set);
    bench.play(&["rules BTCTRY", "rules ETHTRY", "balances TRY=10000"]);
    let view = crate::book::tests::trusted(symbol("BTCTRY"), bench.now, &[(999, 1)], &[(1001, 1)]);
    bench.tell(RiskIn::Book(crate::book::BookView::Trusted(view)));
    bench.play(&["buy BTCTRY 0.1 @ 1000"]);
    let (symbol, since) = (symbol("BTCTRY"), bench.now);
    bench.tell(RiskIn::Book(crate::book::BookView::Untrusted {
        symbol,
        why: Distrust::Crossed,
        since,
    }));
    bench.play(&["buy BTCTRY 0.2 @ 1000"]);
    assert_eq!(bench.verdicts, ["ok", "market_data:untrusted"]);
}

#[test]
fn cancels_pass_in_every_mode() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["buy BTCTRY 0.1 @ 1000", "raise kill"]);
    let id = bench.approved[0].client_id;
    bench.tell(RiskIn::Cancel(id, CancelReason::Kill));
    assert!(
        bench
            .effects
            .contains(&RiskEffect::Cancel(id, CancelReason::Kill))
    );
}

#[test]
fn an_approval_lives_as_long_as_a_decision() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["buy BTCTRY 0.1 @ 1000"]);
    let approval = bench.effects.iter().find_map(|effect| {
        if let RiskEffect::Submit(approved) = effect {
            Some((approved.approved_at(), approved.expires_at()))
        } else {
            None
        }
    });
    assert_eq!(approval, Some((bench.now, bench.now.plus_ms(250))));
    assert_eq!(bench.approved[0].reserved, amount("100.24"));
}

#[test]
fn money_is_told_once_a_second() {
    let mut bench = Bench::ready(as_set);
    bench.wait(5_000);
    bench.effects.clear();
    let money = |bench: &Bench| {
        bench
            .effects
            .iter()
            .filter(|e| matches!(e, RiskEffect::Money(_)))
            .count()
    };
    bench.play(&["book BTCTRY 989 991", "book BTCTRY 979 981"]);
    assert_eq!(
        money(&bench),
        0,
        "the last report is less than a second old"
    );
    assert_eq!(bench.gate.deadline(), Some(bench.now.plus_ms(1_000)));
    bench.play(&["age 1000"]);
    bench.wake();
    assert_eq!(money(&bench), 1);
    let report = last_money(&bench);
    assert_eq!(
        (report.equity, report.day_pnl),
        (Some(amount("10980")), Some(amount("-20")))
    );
    assert_eq!(
        (report.cash, report.exposure, report.drawdown_bps),
        (amount("10000"), amount("980"), 18)
    );
    assert_eq!(bench.gate.deadline(), None);
}

#[test]
fn first_cycle_of_the_day_has_zero_day_pnl() {
    let mut bench = Bench::ready(as_set);
    bench.play(&["book BTCTRY 899 901", "wait 1000"]);
    assert_eq!(last_money(&bench).day_pnl, Some(amount("-100")));
    bench.play(&["wait 43200000"]);
    assert_eq!(last_money(&bench).day_pnl, Some(Amount::ZERO));
    let days: Vec<(i64, Amount, Amount)> = bench
        .journal()
        .iter()
        .filter_map(|record| {
            if let Record::DayStart { day, equity, peak } = record {
                Some((*day, *equity, *peak))
            } else {
                None
            }
        })
        .collect();
    let (first, second) = (
        (20_000, amount("11000"), amount("11000")),
        (20_001, amount("10900"), amount("11000")),
    );
    assert_eq!(days, [first, second]);
    bench.play(&["book BTCTRY 949 951", "wait 1000"]);
    assert_eq!(last_money(&bench).day_pnl, Some(amount("50")));
}

#[test]
fn a_rising_peak_is_written_at_most_once_a_minute() {
    let mut bench = Bench::ready(as_set);
    let starts = |bench: &Bench| {
        bench
            .journal()
            .iter()
            .filter(|r| matches!(r, Record::DayStart { .. }))
            .count()
    };
    bench.play(&[
        "book BTCTRY 1099 1101",
        "wait 30000",
        "book BTCTRY 1199 1201",
        "wait 29999",
    ]);
    assert_eq!(starts(&bench), 1);
    bench.play(&["wait 1001"]);
    assert_eq!(starts(&bench), 2);
    bench.play(&["wait 100000"]);
    assert_eq!(starts(&bench), 2, "nothing has risen");
}

#[test]
fn one_distrusted_pair_of_two_is_its_own_matter_and_both_are_everybodys() {
    check(
        as_set,
        &[
            "distrust BTCTRY",
            "mode",
            "distrust ETHTRY",
            "mode",
            "book ETHTRY 99.9 100.1",
            "mode",
        ],
        &["NORMAL", "OBSERVE_ONLY", "NORMAL"],
    );
    let mut bench = Bench::bare(as_set);
    bench.play(&["distrust BTCTRY", "distrust ETHTRY", "mode"]);
    assert_eq!(
        bench.verdicts,
        ["NORMAL"],
        "at the start the trust check alone blocks"
    );
}

#[test]
fn the_mode_is_told_with_every_voice() {
    let mut bench = Bench::bare(|settings| settings.venue = Venue::Live);
    bench.play(&["raise reduce", "raise reduce", "reconciled"]);
    let modes: Vec<(Mode, usize)> = bench
        .effects
        .iter()
        .filter_map(|effect| {
            if let RiskEffect::Mode(report) = effect {
                Some((report.mode, report.voices.len()))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(modes, [(Mode::ObserveOnly, 2), (Mode::ReduceRiskOnly, 1)]);
}

fn restarted(bench: &Bench, more: &[Record]) -> Bench {
    let mut next = Bench::bare(as_set);
    next.recall(bench.journal().iter().chain(more));
    next.now = bench.now;
    next
}

#[test]
fn after_a_restart_every_open_order_still_holds_its_worst_case() {
    let mut bench = Bench::ready(as_set);
    bench.play(&[
        "buy BTCTRY 0.1 @ 990",
        "sell BTCTRY 0.2 @ 1001",
        "buy ETHTRY 1 @ 99",
    ]);
    let mut next = restarted(&bench, &[]);
    assert_eq!(next.gate.quote_reserved(), bench.gate.quote_reserved());
    assert!(
        next.gate
            .orders()
            .all(|view| view.state == OrderState::Unknown(UnknownCause::Restart))
    );
    next.play(&[
        "rules BTCTRY",
        "rules ETHTRY",
        "book BTCTRY 999 1001",
        "book ETHTRY 99.9 100.1",
    ]);
    next.play(&[
        "balances TRY=10000 BTC=1",
        "buy BTCTRY 0.3 @ 1000",
        "sell BTCTRY 0.81 @ 1003",
        "sell BTCTRY 0.4 @ 1003",
    ]);
    let inventory = "risk_block:unknown";
    assert_eq!(next.verdicts, [inventory, inventory, "ok"]);
    let ids: Vec<u64> = next
        .approved
        .iter()
        .map(|order| order.client_id.seq())
        .collect();
    assert_eq!(ids, [4], "sequence numbers go on behind the journal's");
}

#[test]
fn answers_and_ends_on_record_are_not_forgotten() {
    let mut bench = Bench::ready(as_set);
    bench.play(&[
        "buy BTCTRY 0.1 @ 990",
        "buy BTCTRY 0.1 @ 980",
        "buy BTCTRY 0.1 @ 970",
    ]);
    let id = |n: usize| bench.approved[n].client_id;
    let at = bench.now;
    let outcome = |n, outcome| Record::Outcome {
        client_id: id(n),
        outcome,
        at,
    };
    let trade = OwnTrade {
        source: TradeSource::Rest,
        id: TradeId(1),
        order_id: OrderId(70),
        client_id: None,
        base: asset("BTC"),
        quote: asset("TRY"),
        side: Side::Buy,
        price: price("990"),
        qty: qty("0.04"),
        fee: Amount::ZERO,
        tax: Amount::ZERO,
        at,
        fee_in_base: false,
    };
    use crate::answer::{NotSent, SubmitOutcome};
    let next = restarted(
        &bench,
        &[
            outcome(0, SubmitOutcome::Accepted(OrderId(70))),
            outcome(1, SubmitOutcome::NotSent(NotSent::Expired)),
            outcome(2, SubmitOutcome::Unknown(UnknownCause::Timeout)),
            Record::Fill(trade),
            Record::Ended {
                client_id: id(2),
                state: OrderState::Absent,
                at,
            },
            Record::SafeMode { on: true, at },
        ],
    );
    let left: Vec<(OrderState, Qty)> = next
        .gate
        .orders()
        .map(|view| (view.state, view.remaining()))
        .collect();
    assert_eq!(left, [(OrderState::Partial, qty("0.06"))]);
    assert_eq!(next.gate.ledger().position(asset("BTC")), amount("1.04"));
    assert_eq!(next.gate.board().global(), Mode::ObserveOnly);
}

#[test]
fn a_restart_refills_no_budget() {
    let limits = |settings: &mut RiskSettings| {
        settings.limits.max_orders_per_minute = 1;
        settings.limits.max_daily_loss = amount("50");
    };
    let mut bench = Bench::ready(limits);
    bench.play(&["buy ETHTRY 1 @ 99"]);
    let mut next = Bench::bare(limits);
    next.recall(bench.journal());
    next.play(&[
        "rules BTCTRY",
        "rules ETHTRY",
        "book BTCTRY 999 1001",
        "book ETHTRY 99.9 100.1",
    ]);
    next.play(&[
        "balances TRY=10000 BTC=1",
        "buy BTCTRY 0.1 @ 1000",
        "wait 60000",
        "balances TRY=10000 BTC=1",
    ]);
    next.play(&["book BTCTRY 949 951", "buy BTCTRY 0.1 @ 950"]);
    assert_eq!(
        next.verdicts,
        ["risk_block:order_rate", "risk_block:max_daily_loss"]
    );
}
