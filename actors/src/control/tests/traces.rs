//! The durable trace of every verb: what changes something is audited, whatever came of it.

use super::super::kill_switch::Reset;
use super::super::logs::SetLevel;
use super::super::orders::{Cancel, CancelAll, List};
use super::super::records::{Backup, Records};
use super::super::resolve::Resolve;
use super::super::wire::VERBS;
use super::refusals::own_order;
use super::*;
use engine::answer::UnknownCause;
use engine::order::OrderState;

/// Where the trace of a verb is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    /// It only reads.
    None,
    /// An audit record that begins so.
    Audit(&'static str),
    /// Written where it is carried out: by the reload itself, which HUP shares.
    OfTheReload,
    /// The log alone: a copy changes nothing of the process.
    Log,
    /// Refused before anything is done: this bench has no log of its own.
    Refused,
}

/// Every verb by its name, so that a new one asks for its trace here.
const fn trace_of(request: &Request) -> Trace {
    match request {
        Request::Status
        | Request::KillStatus
        | Request::OrdersList(_)
        | Request::ConfigDiff
        | Request::LogsTail
        | Request::Records(_) => Trace::None,
        Request::SafeModeOn(_) => Trace::Audit("safe-mode on"),
        Request::SafeModeOff(_) => Trace::Audit("safe-mode off"),
        Request::KillTrip(_) => Trace::Audit("kill-switch trip"),
        Request::KillReset(_) => Trace::Audit("kill-switch reset"),
        Request::FreezeOn(_) => Trace::Audit("freeze on BTCTRY"),
        Request::FreezeClear(_) => Trace::Audit("freeze clear BTCTRY"),
        Request::DegradeOverride(_) => Trace::Audit("degrade override OBSERVE_ONLY"),
        Request::DegradeClear(_) => Trace::Audit("degrade clear"),
        Request::OrdersCancel(_) => Trace::Audit("orders cancel b"),
        Request::OrdersCancelAll(_) => Trace::Audit("orders cancel-all"),
        Request::OrdersResolve(_) => Trace::Audit("orders resolve b"),
        Request::Reload(_) => Trace::OfTheReload,
        Request::LogsLevel(_) => Trace::Refused,
        Request::StateBackup(_) => Trace::Log,
    }
}

/// One question of each verb, in an order in which each has something to do.
fn questions(id: String) -> Vec<Request> {
    let reason = || "a drill".to_owned();
    vec![
        Request::Status,
        Request::SafeModeOn(why("a drill")),
        Request::SafeModeOff(why("a drill")),
        Request::KillStatus,
        Request::KillTrip(why("a drill")),
        Request::KillReset(Reset {
            latch: 7,
            reason: reason(),
            forgive: false,
        }),
        Request::FreezeOn(freeze("BTCTRY")),
        Request::FreezeClear(freeze("BTCTRY")),
        Request::DegradeOverride(Override {
            mode: "OBSERVE_ONLY".to_owned(),
            for_s: 60,
            reason: reason(),
        }),
        Request::DegradeClear(why("a drill")),
        Request::OrdersList(List { all: true }),
        Request::OrdersCancel(Cancel {
            id: id.clone(),
            foreign: false,
            reason: reason(),
            deadline_s: 1,
        }),
        Request::OrdersCancelAll(CancelAll {
            keep_mode: true,
            reason: reason(),
            deadline_s: 1,
        }),
        Request::OrdersResolve(Resolve {
            client_id: id.clone(),
            resolution: "absent".to_owned(),
            reason: reason(),
            confirm: true,
        }),
        Request::Reload(why("a drill")),
        Request::ConfigDiff,
        Request::LogsLevel(SetLevel {
            target: "actors".to_owned(),
            level: "debug".to_owned(),
            seconds: 60,
        }),
        Request::LogsTail,
        Request::Records(Records {
            client_id: Some(id),
        }),
        Request::StateBackup(Backup {
            to: "/nonexistent/copy".into(),
        }),
    ]
}

#[tokio::test]
async fn every_verb_that_changes_something_is_audited_with_who_and_why() {
    let bench = bench(|_| ());
    let lost = own_order(OrderState::Unknown(UnknownCause::Timeout));
    bench.desk.operator.own_orders.update(&lost);
    let questions = questions(lost.client_id().to_string());
    let verbs: Vec<&str> = questions.iter().map(Request::verb).collect();
    assert_eq!(verbs, VERBS);
    let mut expected = Vec::new();
    for question in questions {
        if let Trace::Audit(what) = trace_of(&question) {
            expected.push(what);
        }
        asked(&bench, question).await;
    }
    let mut audited = Vec::new();
    for record in bench.records() {
        if let Record::Audit {
            uid,
            pid,
            what,
            reason,
            ..
        } = record
        {
            assert_eq!((uid, pid), (PEER.uid, PEER.pid), "{what}");
            assert_eq!(reason, "a drill", "{what}");
            audited.push(what);
        }
    }
    let mut place = audited.iter();
    for what in &expected {
        let is_next = place.any(|seen| seen.starts_with(what));
        assert!(is_next, "{what} is not in {audited:?}, in this order");
    }
    let mutations = expected.len();
    let others = audited
        .iter()
        .filter(|seen| !expected.iter().any(|what| seen.starts_with(what)));
    assert_eq!(others.count(), 0, "{mutations} mutations: {audited:?}");
}
