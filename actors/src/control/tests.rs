//! Desk and operator without a single actor behind the links: what holds while nobody else moves.

mod again;
mod refusals;
mod traces;

use super::desk::Desk;
use super::hold::{Freeze, Override};
use super::server::Peer;
use super::wire::{Answer, Request, Verdict, Why};
use crate::beats::Beats;
use crate::clock::{Clock, Offset};
use crate::gate::{Flag, GateOwner};
use crate::journal::{Journal, JournalEvent, JournalThread};
use crate::latch::Latch;
use crate::observer::{Eyes, SharedStatus};
use crate::operator::Operator;
use crate::order_router::OwnOrders;
use crate::params;
use crate::store::{self, Entry, Header, Store, Venue};
use crate::system::Links;
use engine::checkpoint::Fold;
use engine::ids::{AccountTag, Symbol};
use engine::record::Record;
use engine::time::Timestamp;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const PEER: Peer = Peer {
    uid: 1_000,
    pid: Some(7),
};

struct Bench {
    desk: Desk,
    thread: JournalThread,
    dir: TempDir,
}

/// A process that may end its safe mode: reconciled, clock known, nothing raised but safe mode.
fn bench(on_event: impl FnMut(JournalEvent) + Send + 'static) -> Bench {
    let dir = tempfile::tempdir().expect("a temporary directory");
    store::create(dir.path(), &Header::new(Venue::Live, "abcd", START)).expect("a fresh directory");
    let (store, _) = Store::open(dir.path(), Venue::Live).expect("it was made");
    let clock = Clock::manual(START);
    clock.set_offset(Offset { ms: 0, bound_ms: 1 });
    let (journal, thread) = Journal::start(
        store,
        Fold::new(params::account_quote()),
        Beats::new(clock.clone()),
        on_event,
    )
    .expect("a thread");
    let owner = Arc::new(GateOwner::new());
    for flag in [Flag::Kill, Flag::Disarmed, Flag::Observe, Flag::Drain] {
        owner
            .lower(flag, owner.gate().serial())
            .expect("nobody raises");
    }
    let status = SharedStatus::default();
    status.write().expect("nobody panics").last_clean = Some(START);
    let operator = Operator {
        links: Links::default(),
        latch: Latch::boot(Some(dir.path()), None, owner.gate(), clock.clone()),
        owner,
        journal,
        status,
        eyes: Eyes::default(),
        own_orders: OwnOrders::default(),
        clock,
        configured_safe: false.into(),
        unarmed_live: false,
        last_on: Mutex::new(None),
        resets: Mutex::default(),
        pairs: vec![Symbol::parse("BTCTRY").expect("a pair")],
        holds: Mutex::default(),
    };
    let desk = Desk::new(Arc::new(operator), None, AccountTag::from_entropy(1), None);
    Bench { desk, thread, dir }
}

impl Bench {
    fn records(self) -> Vec<Record> {
        drop(self.desk);
        self.thread.join();
        let (_, entries) = Store::open(self.dir.path(), Venue::Live).expect("it was closed");
        let record = |entry: Entry| entry.record;
        entries.entries.into_iter().map(record).collect()
    }
}

fn why(reason: &str) -> Why {
    Why {
        reason: reason.to_owned(),
    }
}

#[tokio::test]
async fn safe_mode_comes_on_and_is_durable_while_no_actor_moves() {
    let bench = bench(|_| ());
    let gate = bench.desk.operator.owner.gate();
    let raised_before = gate.serial();
    let wish = Request::SafeModeOn(why("nobody answers"));
    // The clock stands, so the wait for the mode to show is ended from outside.
    let clock = bench.desk.operator.clock.clone();
    let answer = tokio::select! {
        biased;
        answer = bench.desk.handle(PEER, wish) => answer,
        () = passing(&clock) => unreachable!("time never ends"),
    };
    assert_eq!(answer.verdict, Verdict::Done, "{answer:?}");
    assert!(gate.is_raised(Flag::Safe) && gate.serial() > raised_before);
    let records = bench.records();
    let [
        Record::SafeMode { on: true, .. },
        Record::Audit {
            uid,
            what,
            reason,
            result,
            ..
        },
    ] = &records[..]
    else {
        panic!("{records:?}");
    };
    let audit = (*uid, what.as_str(), reason.as_str(), result.as_str());
    assert_eq!(audit, (1_000, "safe-mode on", "nobody answers", "done"));
}

/// Lets the manual clock run on, so that a wait for what never comes has its end.
async fn passing(clock: &Clock) {
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        clock.advance_ms(1);
    }
}

#[tokio::test]
async fn a_dead_journal_does_not_keep_safe_mode_off_and_the_answer_says_so() {
    let bench = bench(|_| panic!("on purpose: the journal's thread ends"));
    let operator = Arc::clone(&bench.desk.operator);
    let boot = Record::Boot {
        epoch: 1,
        at: START,
    };
    while operator.journal.append(START, boot.clone()).is_ok() {
        std::thread::yield_now();
    }
    let lowered = operator
        .owner
        .lower(Flag::Safe, operator.owner.gate().serial());
    lowered.expect("nobody raises");
    let answer = tokio::select! {
        biased;
        answer = bench.desk.handle(PEER, Request::SafeModeOn(why(""))) => answer,
        () = passing(&operator.clock) => unreachable!("time never ends"),
    };
    assert_eq!(answer.verdict, Verdict::NotRecorded);
    assert_eq!(answer.reasons, ["journal_unhealthy"]);
    assert!(operator.owner.gate().is_raised(Flag::Safe));
}

#[tokio::test]
async fn an_off_that_is_refused_names_every_reason_and_changes_nothing() {
    let mut bench = bench(|_| ());
    let operator = Arc::get_mut(&mut bench.desk.operator).expect("nobody else holds it");
    *operator.configured_safe.get_mut() = true;
    operator.unarmed_live = true;
    operator.clock.forget_offset();
    operator.status.write().expect("nobody panics").last_clean = None;
    operator.owner.gate().raise(Flag::Kill);
    let answer = bench
        .desk
        .handle(PEER, Request::SafeModeOff(why("please")))
        .await;
    assert_eq!(answer.verdict, Verdict::Refused);
    let expected = [
        "kill_latched",
        "configured_safe_mode",
        "not_armed",
        "not_reconciled",
        "clock",
    ];
    assert_eq!(answer.reasons, expected);
    assert!(bench.desk.operator.owner.gate().is_raised(Flag::Safe));
    let records = bench.records();
    assert!(
        matches!(&records[..], [Record::Audit { result, .. }] if result.starts_with("refused: ")),
        "{records:?}"
    );
}

#[test]
fn an_off_that_was_overtaken_by_a_raise_leaves_safe_mode_on_in_gate_and_journal() {
    let bench = bench(|_| ());
    let operator = &bench.desk.operator;
    let asked_at = operator.owner.gate().serial();
    // A USR1 between the wish and its turn: the gate knows, nobody else does yet.
    operator.owner.gate().raise(Flag::Safe);
    let refused = operator.off_as_of(asked_at);
    assert_eq!(refused, Err(vec!["something_was_raised_meanwhile"]));
    assert!(operator.owner.gate().is_raised(Flag::Safe));
    let records = bench.records();
    assert!(
        matches!(records.last(), Some(Record::SafeMode { on: true, .. })),
        "a restart must come back in safe mode: {records:?}"
    );
}

fn freeze(symbol: &str) -> Freeze {
    Freeze {
        symbol: symbol.to_owned(),
        reason: "a drill".to_owned(),
    }
}

/// Asks while the manual clock runs, so that a wait for what never shows has its end.
async fn asked(bench: &Bench, request: Request) -> Answer {
    tokio::select! {
        biased;
        answer = bench.desk.handle(PEER, request) => answer,
        () = passing(&bench.desk.operator.clock) => unreachable!("time never ends"),
    }
}

#[tokio::test]
async fn a_freeze_names_a_configured_pair_is_recorded_and_is_let_go_on_record_first() {
    let bench = bench(|_| ());
    let unknown = asked(&bench, Request::FreezeOn(freeze("DOGETRY"))).await;
    assert_eq!(unknown.verdict, Verdict::BadRequest);
    assert!(unknown.text.contains("DOGETRY") && unknown.text.contains("BTCTRY"));
    let early = asked(&bench, Request::FreezeClear(freeze("BTCTRY"))).await;
    assert_eq!(early.verdict, Verdict::NotFound, "{early:?}");
    let on = asked(&bench, Request::FreezeOn(freeze("BTCTRY"))).await;
    assert_eq!(on.verdict, Verdict::Done, "{on:?}");
    let mut unexplained = freeze("BTCTRY");
    unexplained.reason.clear();
    let unexplained = asked(&bench, Request::FreezeClear(unexplained)).await;
    assert_eq!(unexplained.verdict, Verdict::BadRequest);
    let clear = asked(&bench, Request::FreezeClear(freeze("BTC_TRY"))).await;
    assert_eq!(clear.verdict, Verdict::Done, "{clear:?}");
    let again = asked(&bench, Request::FreezeClear(freeze("BTCTRY"))).await;
    assert_eq!(again.verdict, Verdict::NotFound);
    let told: Vec<String> = bench.records().iter().map(kind).collect();
    let expected = [
        "held uid 1000",
        "freeze on BTCTRY: done",
        "let go uid 1000",
        "freeze clear BTCTRY: asked",
        "freeze clear BTCTRY: done",
    ];
    assert_eq!(told, expected);
}

fn kind(record: &Record) -> String {
    match record {
        Record::Held(hold) => format!("held {}", hold.by),
        Record::LetGo { by, .. } => format!("let go {by}"),
        Record::Audit { what, result, .. } => format!("{what}: {result}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_override_only_tightens_and_has_an_end() {
    let bench = bench(|_| ());
    let wish = |mode: &str, for_s: u64| {
        Request::DegradeOverride(Override {
            mode: mode.to_owned(),
            for_s,
            reason: "a drill".to_owned(),
        })
    };
    let steps = [
        (wish("NORMAL", 60), Verdict::Refused, "only tightens"),
        (
            wish("KILL_SWITCH", 60),
            Verdict::Refused,
            "kill-switch trip",
        ),
        (wish("FAST", 60), Verdict::BadRequest, "REDUCE_RISK_ONLY or"),
        (wish("OBSERVE_ONLY", 0), Verdict::BadRequest, "for_s: "),
        (wish("OBSERVE_ONLY", 604_801), Verdict::BadRequest, "604800"),
        (wish("reduce_risk_only", 600), Verdict::Done, "600 s"),
        (wish("OBSERVE_ONLY", 300), Verdict::Refused, "stands"),
        (wish("OBSERVE_ONLY", 700), Verdict::Done, "OBSERVE_ONLY"),
        (wish("REDUCE_RISK_ONLY", 900), Verdict::Refused, "stands"),
    ];
    for (number, (request, verdict, part)) in steps.into_iter().enumerate() {
        // A shown effect that nobody shows costs a second of the clock.
        let answer = asked(&bench, request).await;
        assert_eq!(answer.verdict, verdict, "{number}: {answer:?}");
        assert!(answer.text.contains(part), "{number}: {answer:?}");
    }
    let gate = bench.desk.operator.owner.gate();
    assert!(gate.is_raised(Flag::Observe), "no mailbox stands between");
    bench.desk.operator.clock.advance_ms(700_000);
    let over = asked(&bench, Request::DegradeClear(why("late"))).await;
    assert_eq!(over.verdict, Verdict::NotFound, "its time has ended it");
}

#[tokio::test]
async fn a_hold_asked_for_anew_is_not_let_go_by_an_earlier_wish() {
    let bench = bench(|_| ());
    asked(&bench, Request::FreezeOn(freeze("BTCTRY"))).await;
    let operator = &bench.desk.operator;
    let pair = Symbol::parse("BTCTRY").ok();
    let decided = operator.decide_let_go(pair, ("over", "uid 7"));
    let (decided, _) = decided.expect("it is frozen");
    operator.clock.advance_ms(1);
    asked(&bench, Request::FreezeOn(freeze("BTCTRY"))).await;
    assert!(!operator.carry_out_let_go(&decided));
    let records = bench.records();
    let mut fold = Fold::new(params::account_quote());
    records.iter().for_each(|record| fold.take(record));
    let holds = fold.sum().money().holds();
    assert!(holds.of(pair).is_some(), "a restart comes back frozen");
}
