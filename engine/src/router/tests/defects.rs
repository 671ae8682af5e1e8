//! Rows of docs/DEFECTS.md that the router alone can show: whose an order is, what became of each, what freezes.
//!
//! Each test makes the conditions of an old mistake and compares what must follow.

use super::*;

#[test]
fn own_orders_in_exchange_list_are_matched() {
    let shown = row(1, 77, 10, RowStatus::Untouched);
    let nameless = OrderRow {
        client_id: None,
        ..shown.clone()
    };
    let mut sent = World::new();
    sent.sent(1, 0);
    let mut open = World::new();
    open.open(1, 0, 77);
    let reborn = open.restarted(50);
    // Before its answer by the client id alone, afterwards by either, and by what the journal says.
    let cases = [
        (sent, shown.clone()),
        (open, nameless),
        (reborn, shown.clone()),
    ];
    for (mut world, row) in cases {
        for at in [1_000, 20_000] {
            world.tell(at, look(at, vec![row.clone()]));
            assert_eq!(world.notes(), []);
            let raised = |e: &RouterEffect| matches!(e, RouterEffect::Raise(..));
            assert!(!world.effects.iter().any(raised), "{:?}", world.effects);
        }
        assert_eq!(world.state(1), OrderState::Open);
        let order = world.router.order(cid(1)).expect("known");
        assert_eq!(order.order_id, Some(OrderId(77)));
    }
}

#[test]
fn freeze_starts_on_cause_and_ends_with_it() {
    let code = ModeCode::UnknownOrders;
    let scope = Scope::Symbol(btc());
    let frozen = RouterEffect::Raise(code, scope, Mode::ReduceRiskOnly);
    let thawed = RouterEffect::Clear(code, scope);
    let mut world = World::new();
    world.witnessed().lost(1, 0);
    assert!(world.effects.contains(&frozen), "with the lost answer");
    world.lost(2, 20);
    let mut reborn = world.restarted(1_000);
    assert!(reborn.effects.contains(&frozen), "with the restart");
    for life in [&mut world, &mut reborn] {
        let first = row(1, 77, 10, RowStatus::Untouched);
        life.tell(2_000, look(2_000, vec![witness(), first.clone()]));
        assert!(!life.effects.contains(&thawed), "one is still unknown");
        let second = row(2, 78, 10, RowStatus::Canceled);
        life.tell(3_000, look(3_000, vec![witness(), first, second]));
        assert!(life.effects.contains(&thawed), "with the last cause");
    }
}

#[test]
fn one_failed_submit_leaves_the_others_recorded() {
    let failures = [
        SubmitOutcome::Rejected(Refusal::MinTotal),
        SubmitOutcome::NotSent(NotSent::ConnectFailed),
        SubmitOutcome::Unknown(UnknownCause::Timeout),
    ];
    for failure in failures {
        let mut world = World::new();
        world.sent(1, 0).sent(2, 1).sent(3, 2);
        let accepted = |id| SubmitOutcome::Accepted(OrderId(id));
        for (seq, outcome) in [(1, accepted(71)), (2, failure), (3, accepted(73))] {
            world.tell(10, RouterIn::Outcome(cid(seq), outcome));
        }
        world.sent(4, 20);
        let lives = [world.restarted(30), world];
        for life in lives {
            let told: Vec<ClientId> = life
                .records
                .iter()
                .filter_map(|record| {
                    let Record::Outcome { client_id, .. } = record else {
                        return None;
                    };
                    Some(*client_id)
                })
                .collect();
            assert_eq!(told, [cid(1), cid(2), cid(3)], "{failure:?}");
            let open = [life.state(1), life.state(3)];
            assert_eq!(open, [OrderState::Open; 2], "{failure:?}");
            let failed = life.state(2);
            assert!(
                failed.never_existed() || failed == OrderState::Unknown(UnknownCause::Timeout),
                "{failure:?}: {failed:?}"
            );
        }
    }
}

#[test]
fn accepted_and_filled_at_once_is_found() {
    let mut world = World::new();
    world.witnessed().lost(1, 0);
    let filled = row(1, 77, 0, RowStatus::Closed);
    let snapshot = Snapshot {
        asked_at: ms(1_000),
        open: Vec::new(),
        histories: vec![(btc(), ms(-100_000), vec![witness(), filled])],
        trades: vec![trade(TradeSource::Rest, 5, 77, 10)],
        trades_since: ms(0),
    };
    world.tell(1_010, RouterIn::Snapshot(snapshot));
    assert_eq!((world.state(1), world.filled(1)), (OrderState::Filled, 10));
    assert_eq!(world.booked(), 1);
    assert!(world.cleared(ModeCode::UnknownOrders));
    let sends = |e: &RouterEffect| matches!(e, RouterEffect::Send { .. });
    assert!(!world.effects.iter().any(sends));
}
