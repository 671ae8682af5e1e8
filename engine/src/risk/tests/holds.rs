//! What an operator holds back: which orders it refuses, which it takes back, and when it ends.

use super::*;
use crate::hold::Hold;
use crate::intent::CancelReason;

fn hold(bench: &Bench, pair: Option<&str>, mode: Mode, for_ms: Option<i64>) -> Hold {
    Hold {
        symbol: pair.map(symbol),
        mode,
        until: for_ms.map(|ms| bench.now.plus_ms(ms)),
        reason: "a drill".to_owned(),
        by: "uid 7".to_owned(),
        at: bench.now,
    }
}

impl Bench {
    fn hold(&mut self, pair: Option<&str>, mode: Mode, for_ms: Option<i64>) -> Hold {
        let hold = hold(self, pair, mode, for_ms);
        self.tell(RiskIn::Hold(Box::new(hold.clone())));
        hold
    }

    fn cancels(&self) -> Vec<(u64, CancelReason)> {
        let cancel = |effect: &RiskEffect| {
            if let RiskEffect::Cancel(id, reason) = effect {
                Some((id.seq(), *reason))
            } else {
                None
            }
        };
        self.effects.iter().filter_map(cancel).collect()
    }
}

#[test]
fn a_frozen_pair_takes_no_new_risk_and_the_others_go_on() {
    let mut bench = Bench::ready(|_| ());
    bench.hold(Some("BTCTRY"), Mode::ReduceRiskOnly, None);
    bench.play(&[
        "buy BTCTRY 0.1 @ 1000",
        "sell BTCTRY 0.1 @ 1001",
        "sell BTCTRY 2 @ 1001",
        "buy ETHTRY 1 @ 99",
        "mode",
    ]);
    let frozen = "risk_block:operator_freeze";
    assert_eq!(bench.verdicts, [frozen, "ok", frozen, "ok", "NORMAL"]);
    bench.tell(RiskIn::LetGo(Some(symbol("BTCTRY"))));
    bench.play(&["buy BTCTRY 0.1 @ 1000"]);
    assert_eq!(bench.verdicts.last().map(String::as_str), Some("ok"));
}

#[test]
fn a_freeze_takes_back_every_order_of_its_pair_also_one_just_let_out() {
    let mut bench = Bench::ready(|_| ());
    bench.play(&[
        "buy BTCTRY 0.1 @ 990",
        "buy ETHTRY 1 @ 99",
        "open 1",
        "buy BTCTRY 0.1 @ 980",
    ]);
    bench.hold(Some("BTCTRY"), Mode::ReduceRiskOnly, None);
    let asked = [(1, CancelReason::Operator), (3, CancelReason::Operator)];
    assert_eq!(bench.cancels(), asked);
}

#[test]
fn an_override_ends_by_itself_and_says_who_asked_for_it() {
    let mut bench = Bench::ready(|_| ());
    bench.wait(1_000);
    let hold = bench.hold(None, Mode::ObserveOnly, Some(60_000));
    let told = bench.effects.iter().rev().find_map(|effect| {
        if let RiskEffect::Mode(report) = effect {
            Some((report.mode, report.holds.of(None).cloned()))
        } else {
            None
        }
    });
    assert_eq!(told, Some((Mode::ObserveOnly, Some(hold))));
    assert!(bench.cancels().is_empty(), "time to live ends its orders");
    bench.play(&["wait 59999", "mode"]);
    assert_eq!(bench.gate.deadline(), Some(bench.now.plus_ms(1)));
    bench.play(&["raise reduce", "wait 1", "mode", "calm", "mode"]);
    let modes = ["OBSERVE_ONLY", "REDUCE_RISK_ONLY", "NORMAL"];
    assert_eq!(bench.verdicts, modes, "other voices keep their effect");
}

#[test]
fn letting_go_ends_only_the_hold_it_names() {
    let mut bench = Bench::ready(|_| ());
    bench.hold(None, Mode::ReduceRiskOnly, Some(60_000));
    bench.hold(Some("BTCTRY"), Mode::ReduceRiskOnly, None);
    bench.tell(RiskIn::LetGo(Some(symbol("ETHTRY"))));
    bench.play(&["mode", "buy BTCTRY 0.1 @ 1000"]);
    bench.tell(RiskIn::LetGo(None));
    bench.play(&["mode", "buy BTCTRY 0.1 @ 1000"]);
    let expected = [
        "REDUCE_RISK_ONLY",
        "mode_block:reduce_risk_only",
        "NORMAL",
        "risk_block:operator_freeze",
    ];
    assert_eq!(bench.verdicts, expected);
}

#[test]
fn holds_outlive_a_restart_until_they_are_let_go_or_their_time_is_over() {
    let bench = Bench::ready(|_| ());
    let frozen = Record::Held(hold(&bench, Some("BTCTRY"), Mode::ReduceRiskOnly, None));
    let degraded = Record::Held(hold(&bench, None, Mode::ObserveOnly, Some(60_000)));
    let let_go = |pair: Option<&str>| Record::LetGo {
        symbol: pair.map(symbol),
        reason: "over".to_owned(),
        by: "uid 7".to_owned(),
        at: bench.now,
    };
    let check = |records: &[Record], later_ms: i64, expected: [Mode; 2]| {
        let mut next = Bench::bare(|_| ());
        next.recall(bench.journal().iter().chain(records));
        next.now = bench.now.plus_ms(later_ms);
        next.wake();
        let board = next.gate.board();
        assert_eq!([board.global(), board.of(symbol("BTCTRY"))], expected);
    };
    use Mode::{Normal, ObserveOnly, ReduceRiskOnly};
    let both = [frozen.clone(), degraded.clone()];
    check(&both, 59_999, [ObserveOnly, ObserveOnly]);
    check(&both, 60_000, [Normal, ReduceRiskOnly]);
    let freed = [frozen, degraded, let_go(Some("BTCTRY"))];
    check(&freed, 0, [ObserveOnly, ObserveOnly]);
    check(&freed, 60_000, [Normal, Normal]);
    let [a, b, c] = freed;
    check(&[a, b, c, let_go(None)], 0, [Normal, Normal]);
}
