//! Schedules of one or a few orders, played against the router and compared with what must follow.

use super::absence::LOOKS_NEEDED;
use super::*;
use crate::answer::{
    CancelReply, NotSent, OrderEvent, OrderRow, OwnTrade, PrivateEvent, Refusal, RowStatus,
    TradeSource, UnknownCause,
};
use crate::ids::{Asset, BootTag, TradeId};
use crate::intent::{BookStamp, Intent, IntentClass, IntentReason, StrategyKind};
use crate::market::Side;
use crate::money::{Amount, Price, Qty};
use crate::msg::Snapshot;

const TTL_MS: i64 = 120_000;
const LIFE_MS: i64 = 250;

fn tag() -> AccountTag {
    AccountTag::parse("abcd").expect("a tag")
}

fn btc() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

fn cid(seq: u64) -> ClientId {
    ClientId::new(tag(), 1, BootTag::from_entropy(5), seq)
}

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn qty(units: i64) -> Qty {
    Qty::from_units(units)
}

fn order(seq: u64, at: i64) -> NewOrder {
    let intent = Intent {
        strategy: StrategyKind::MarketMaker,
        symbol: btc(),
        side: Side::Buy,
        qty: qty(10),
        limit: Price::from_units(100),
        class: IntentClass::Quote,
        reason: IntentReason::QuoteBid,
        at: ms(at),
        book: BookStamp::default(),
        mid: Price::from_units(101),
        cycle: 1,
    };
    NewOrder {
        client_id: cid(seq),
        intent,
        reserved: Amount::from_units(1_000),
        fee_in_base: false,
    }
}

/// A router with a script around it; time only moves forward.
struct World {
    router: OrderRouter,
    effects: Vec<RouterEffect>,
    records: Vec<Record>,
}

impl World {
    fn new() -> Self {
        Self {
            router: OrderRouter::new(settings()),
            effects: Vec::new(),
            records: Vec::new(),
        }
    }

    fn tell(&mut self, at: i64, input: RouterIn) -> &mut Self {
        let mut out = Outbox::default();
        self.router.handle(ms(at), input, &mut out);
        self.keep(out)
    }

    fn wake(&mut self, at: i64) -> &mut Self {
        let mut out = Outbox::default();
        self.router.wake(ms(at), &mut out);
        self.keep(out)
    }

    fn keep(&mut self, mut out: Outbox<RouterEffect>) -> &mut Self {
        self.effects = out.drain().collect();
        for effect in &self.effects {
            if let RouterEffect::Persist(record, _) = effect {
                self.records.push(record.clone());
            }
        }
        self
    }

    /// Submits an order at `at` and lets its record become durable.
    fn sent(&mut self, seq: u64, at: i64) -> &mut Self {
        self.tell(
            at,
            RouterIn::Submit(Approved::new(order(seq, at), ms(at), LIFE_MS)),
        );
        assert!(
            !self
                .effects
                .iter()
                .any(|effect| matches!(effect, RouterEffect::Send { .. })),
            "sent before durable"
        );
        self.tell(at, RouterIn::Durable(cid(seq)));
        assert!(
            self.effects
                .iter()
                .any(|effect| matches!(effect, RouterEffect::Send { .. })),
            "sent once durable"
        );
        self
    }

    fn open(&mut self, seq: u64, at: i64, id: i64) -> &mut Self {
        self.sent(seq, at).tell(
            at + 1,
            RouterIn::Outcome(cid(seq), SubmitOutcome::Accepted(OrderId(id))),
        )
    }

    fn state(&self, seq: u64) -> OrderState {
        self.router
            .order(cid(seq))
            .expect("the order is remembered")
            .state
    }

    fn filled(&self, seq: u64) -> i64 {
        self.router
            .order(cid(seq))
            .expect("the order is remembered")
            .filled
            .units()
    }

    fn raised(&self, code: ModeCode) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, RouterEffect::Raise(c, _, _) if *c == code))
    }

    fn booked(&self) -> usize {
        self.records
            .iter()
            .filter(|record| matches!(record, Record::Fill(_)))
            .count()
    }

    /// A second router that knows only what was written down.
    fn restarted(&self, at: i64) -> Self {
        let mut world = Self::new();
        for record in &self.records {
            world.router.replay(record);
        }
        let mut out = Outbox::default();
        world.router.recovered(ms(at), &mut out);
        world.keep(out);
        world.records = [self.records.clone(), world.records.clone()].concat();
        world
    }
}

fn settings() -> RouterSettings {
    RouterSettings {
        tag: tag(),
        ttl_ms: TTL_MS,
        cancel_retry_ms: 2_000,
        unknown_settle_ms: 10_000,
        foreign_from: Some(Timestamp(0)),
    }
}

fn trade(source: TradeSource, id: i64, order_id: i64, units: i64) -> OwnTrade {
    OwnTrade {
        source,
        id: TradeId(id),
        order_id: OrderId(order_id),
        client_id: None,
        base: Asset::parse("BTC").expect("an asset"),
        quote: Asset::parse("TRY").expect("an asset"),
        side: Side::Buy,
        price: Price::from_units(100),
        qty: qty(units),
        fee: Amount::ZERO,
        tax: Amount::ZERO,
        at: ms(1),
        fee_in_base: false,
    }
}

fn streamed(id: i64, order_id: i64, units: i64) -> RouterIn {
    RouterIn::Private(PrivateEvent::Trade(trade(
        TradeSource::Stream,
        id,
        order_id,
        units,
    )))
}

fn row(seq: u64, id: i64, left: i64, status: RowStatus) -> OrderRow {
    OrderRow {
        id: OrderId(id),
        client_id: Some(cid(seq)),
        symbol: btc(),
        side: Side::Buy,
        price: Price::from_units(100),
        qty: qty(10),
        left: qty(left),
        status,
        at: ms(1),
    }
}

fn event(seq: u64, id: i64, left: i64) -> OrderEvent {
    OrderEvent {
        id: OrderId(id),
        client_id: Some(cid(seq)),
        symbol: btc(),
        side: Some(Side::Buy),
        price: Price::from_units(100),
        left: qty(left),
    }
}

fn look(at: i64, rows: Vec<OrderRow>) -> RouterIn {
    RouterIn::Snapshot(Snapshot {
        asked_at: ms(at),
        open: rows,
        histories: vec![(btc(), ms(-100_000), Vec::new())],
        trades: Vec::new(),
        trades_since: ms(0),
    })
}

#[test]
fn an_order_is_written_down_before_it_is_sent() {
    let mut world = World::new();
    world.sent(1, 0);
    assert!(matches!(
        world.records.first(),
        Some(Record::Sending { .. })
    ));
    assert_eq!(world.state(1), OrderState::Sending);
}

#[test]
fn fills_drive_order_state_in_any_order() {
    let mut world = World::new();
    world.open(1, 0, 77);
    assert_eq!(world.state(1), OrderState::Open);
    world.tell(5, streamed(1, 77, 4));
    assert_eq!((world.state(1), world.filled(1)), (OrderState::Partial, 4));
    world.tell(6, streamed(1, 77, 4));
    assert_eq!(world.filled(1), 4);
    world.tell(7, streamed(2, 77, 6));
    assert_eq!((world.state(1), world.booked()), (OrderState::Filled, 2));
}

#[test]
fn an_event_may_overtake_the_answer() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Private(PrivateEvent::Inserted(event(1, 77, 10))),
    );
    assert_eq!(world.state(1), OrderState::Open);
    world.tell(
        2,
        RouterIn::Outcome(cid(1), SubmitOutcome::Accepted(OrderId(77))),
    );
    assert_eq!(world.state(1), OrderState::Open);
    assert!(!world.raised(ModeCode::GhostOrder));
}

#[test]
fn x06_existence_and_a_refusal_make_a_ghost_in_either_order() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Private(PrivateEvent::Inserted(event(1, 77, 10))),
    );
    world.tell(
        2,
        RouterIn::Outcome(
            cid(1),
            SubmitOutcome::Rejected(Refusal::InsufficientBalance),
        ),
    );
    assert!(world.raised(ModeCode::GhostOrder));
    assert_eq!(world.state(1), OrderState::Open);

    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Outcome(cid(1), SubmitOutcome::NotSent(NotSent::ConnectFailed)),
    );
    assert_eq!(world.state(1), OrderState::NotSent(NotSent::ConnectFailed));
    world.tell(
        2,
        RouterIn::Private(PrivateEvent::Inserted(event(1, 77, 10))),
    );
    assert!(world.raised(ModeCode::GhostOrder));
    assert_eq!(world.state(1), OrderState::Open);
}

#[test]
fn x04_a_cancel_ends_an_order_only_when_its_trades_add_up() {
    let mut world = World::new();
    world
        .open(1, 0, 77)
        .tell(10, RouterIn::Cancel(cid(1), CancelReason::Reprice));
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
    world.tell(11, RouterIn::CancelReply(cid(1), CancelReply::Acknowledged));
    assert_eq!(world.state(1), OrderState::Open);
    world.tell(
        12,
        RouterIn::Private(PrivateEvent::Deleted(event(1, 77, 10))),
    );
    assert_eq!(world.state(1), OrderState::Open);
    world.wake(12);
    assert!(
        world
            .effects
            .contains(&RouterEffect::ReadRow(cid(1), OrderId(77)))
    );
    world.tell(
        13,
        RouterIn::Row(cid(1), Some(row(1, 77, 9, RowStatus::Canceled))),
    );
    assert_eq!(
        world.state(1),
        OrderState::Open,
        "one unit is not booked yet"
    );
    world.tell(14, streamed(1, 77, 1));
    world.wake(13 + LOOK_AGAIN_MS).tell(
        3_000,
        RouterIn::Row(cid(1), Some(row(1, 77, 9, RowStatus::Canceled))),
    );
    assert_eq!((world.state(1), world.filled(1)), (OrderState::Canceled, 1));
}

#[test]
fn a_fill_after_the_cancel_is_booked() {
    let mut world = World::new();
    world
        .open(1, 0, 77)
        .tell(10, RouterIn::Cancel(cid(1), CancelReason::Ttl));
    world.tell(
        11,
        RouterIn::Row(cid(1), Some(row(1, 77, 10, RowStatus::Canceled))),
    );
    assert_eq!(world.state(1), OrderState::Canceled);
    world.tell(12, streamed(1, 77, 10));
    assert_eq!((world.state(1), world.booked()), (OrderState::Filled, 1));
}

#[test]
fn more_fills_than_ordered_are_not_booked() {
    let mut world = World::new();
    world
        .open(1, 0, 77)
        .tell(1, streamed(1, 77, 8))
        .tell(2, streamed(2, 77, 3));
    assert_eq!((world.filled(1), world.booked()), (8, 1));
    assert!(
        world
            .effects
            .contains(&RouterEffect::Note(RouterNote::Unmapped(OrderId(77))))
    );
}

#[test]
fn ttl_cancels_every_expired_own_order() {
    let mut world = World::new();
    world.open(1, 0, 77);
    assert_eq!(world.router.deadline(), Some(ms(1 + TTL_MS)));
    world.wake(TTL_MS);
    assert!(world.effects.is_empty());
    world.wake(1 + TTL_MS);
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
}

#[test]
fn an_unanswered_cancel_is_repeated_and_a_quota_is_waited_for() {
    let mut world = World::new();
    world
        .open(1, 0, 77)
        .tell(10, RouterIn::Cancel(cid(1), CancelReason::Operator));
    world.tell(
        20,
        RouterIn::CancelReply(cid(1), CancelReply::RateLimited(30_000)),
    );
    world.wake(30_019);
    assert!(world.effects.is_empty());
    world.wake(30_020);
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
    world
        .tell(30_021, RouterIn::CancelReply(cid(1), CancelReply::Failed))
        .wake(32_021);
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
}

#[test]
fn a_cancel_of_an_order_without_a_number_waits_for_the_number() {
    let mut world = World::new();
    world
        .sent(1, 0)
        .tell(1, RouterIn::Cancel(cid(1), CancelReason::SafeMode));
    assert!(
        !world
            .effects
            .iter()
            .any(|effect| matches!(effect, RouterEffect::Delete(..)))
    );
    world.tell(
        2,
        RouterIn::Outcome(cid(1), SubmitOutcome::Accepted(OrderId(77))),
    );
    assert!(
        world
            .effects
            .contains(&RouterEffect::Delete(cid(1), OrderId(77)))
    );
}

#[test]
fn an_unknown_order_freezes_its_symbol_and_is_found() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        9,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::Timeout)),
    );
    assert!(world.raised(ModeCode::UnknownOrders));
    world.wake(9);
    assert!(
        matches!(world.effects.last(), Some(RouterEffect::LookUp(symbols)) if symbols.len() == 1)
    );
    world.tell(20, look(10, vec![row(1, 77, 10, RowStatus::Untouched)]));
    assert_eq!(world.state(1), OrderState::Open);
    assert!(
        world
            .effects
            .iter()
            .any(|effect| matches!(effect, RouterEffect::Clear(ModeCode::UnknownOrders, _)))
    );
}

#[test]
fn unknown_order_always_resolves_when_exchange_answers() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        9,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::ConnectionLost)),
    );
    let opens = LIFE_MS + 15_000;
    for (n, at) in [opens - 1, opens, opens + 5_000].into_iter().enumerate() {
        world.tell(at + 1, look(at, vec![]));
        assert!(
            world.state(1) == OrderState::Unknown(UnknownCause::ConnectionLost),
            "look {n}"
        );
    }
    world.tell(opens + 10_001, look(opens + 10_000, vec![]));
    assert_eq!(world.state(1), OrderState::Absent);
    assert_eq!(LOOKS_NEEDED, 3);
}

#[test]
fn a_look_that_misses_a_known_order_proves_nothing() {
    let mut world = World::new();
    world.open(2, 0, 88);
    world.sent(1, 0).tell(
        9,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::ConnectionLost)),
    );
    for at in [20_000, 25_000, 30_000, 35_000] {
        world.tell(at, look(at, vec![]));
    }
    assert_eq!(
        world.state(1),
        OrderState::Unknown(UnknownCause::ConnectionLost)
    );
}

#[test]
fn a_late_ghost_is_adopted_and_kills() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        9,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::Timeout)),
    );
    for at in [20_000, 25_000, 30_000] {
        world.tell(at, look(at, vec![]));
    }
    assert_eq!(world.state(1), OrderState::Absent);
    world.tell(
        31_000,
        look(31_000, vec![row(1, 77, 10, RowStatus::Untouched)]),
    );
    assert_eq!(world.state(1), OrderState::Open);
    assert!(world.raised(ModeCode::GhostOrder));
}

#[test]
fn lookalike_foreign_order_is_never_adopted_as_own() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        9,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::Timeout)),
    );
    let stranger = OrderRow {
        client_id: None,
        ..row(1, 500, 10, RowStatus::Untouched)
    };
    world.tell(20, look(10, vec![stranger]));
    assert_eq!(world.state(1), OrderState::Unknown(UnknownCause::Timeout));
    assert!(
        world
            .effects
            .contains(&RouterEffect::Note(RouterNote::Foreign(OrderId(500))))
    );
}

#[test]
fn vanished_order_is_looked_up_not_assumed() {
    let mut world = World::new();
    world.open(1, 0, 77).tell(30_000, look(29_000, vec![]));
    assert_eq!(world.state(1), OrderState::Open);
    world.wake(30_001);
    assert!(
        world
            .effects
            .contains(&RouterEffect::ReadRow(cid(1), OrderId(77)))
    );
}

#[test]
fn a_missing_echo_and_an_unjournalled_own_id_kill() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Outcome(cid(1), SubmitOutcome::AcceptedWithoutEcho(OrderId(77))),
    );
    assert!(world.raised(ModeCode::ClientIdEchoMismatch));
    world.tell(9, look(8, vec![row(99, 1234, 10, RowStatus::Untouched)]));
    assert!(world.raised(ModeCode::GhostOrder));
}

#[test]
fn after_a_crash_a_sent_order_is_unknown_and_nothing_is_sent_again() {
    let mut world = World::new();
    world.sent(1, 0);
    world.open(2, 5, 88);
    world.tell(6, streamed(1, 88, 4));
    let mut second = world.restarted(1_000);
    assert_eq!(second.state(1), OrderState::Unknown(UnknownCause::Restart));
    assert_eq!(
        (second.state(2), second.filled(2)),
        (OrderState::Partial, 4)
    );
    assert!(
        !second
            .effects
            .iter()
            .any(|effect| matches!(effect, RouterEffect::Send { .. }))
    );
    second.tell(1_001, streamed(1, 88, 4));
    assert_eq!(
        second.filled(2),
        4,
        "the journal remembers which trades were booked"
    );
}

#[test]
fn a_restart_counts_every_booked_trade_though_its_twin_was_reported_by_the_other_source() {
    let mut world = World::new();
    let listed = |id: i64| {
        let trade = trade(TradeSource::Rest, id, 88, 4);
        RouterIn::Private(PrivateEvent::Trade(trade))
    };
    world.open(1, 0, 88).tell(1, streamed(1, 88, 4));
    world.tell(2, listed(900)).tell(3, listed(901));
    assert_eq!((world.filled(1), world.booked()), (8, 2));
    let mut second = world.restarted(1_000);
    assert_eq!(second.filled(1), 8);
    second.tell(1_001, listed(900)).tell(1_002, listed(901));
    assert_eq!((second.filled(1), second.booked()), (8, 2));
}

#[test]
fn terminal_orders_are_kept_as_tombstones() {
    let mut world = World::new();
    world.open(1, 0, 77).tell(1, streamed(1, 77, 10));
    let second = world.restarted(50);
    assert_eq!(second.state(1), OrderState::Filled);
    assert_eq!(second.router.living().count(), 0);
}

#[test]
fn foreign_trades_move_the_ledger_once_and_only_after_the_opening() {
    let unopened = RouterSettings {
        foreign_from: None,
        ..settings()
    };
    let mut world = World {
        router: OrderRouter::new(unopened),
        ..World::new()
    };
    world
        .tell(4, streamed(8, 4_000, 3))
        .tell(5, RouterIn::Opened(ms(1)));
    assert_eq!(world.booked(), 0, "part of the opening balances");
    let again = RouterIn::Private(PrivateEvent::Trade(trade(TradeSource::Rest, 10, 4_001, 3)));
    world.tell(6, streamed(9, 4_001, 3)).tell(7, again);
    assert_eq!(world.booked(), 1);
}

#[test]
fn an_answer_that_no_order_should_get_stops_new_orders() {
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::Unexpected)),
    );
    assert!(world.raised(ModeCode::UnexpectedAnswer));
    let mut world = World::new();
    world.sent(1, 0).tell(
        1,
        RouterIn::Outcome(cid(1), SubmitOutcome::Unknown(UnknownCause::Timeout)),
    );
    assert!(!world.raised(ModeCode::UnexpectedAnswer));
}
