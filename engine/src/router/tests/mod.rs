//! Schedules of one or a few orders, played against the router and compared with what must follow.

mod defects;
mod folding;
mod following;
mod ghosts;
mod lattice;
mod resolve;
mod restart;
mod unknown;

use super::*;
use crate::answer::{
    CancelReply, NotSent, OrderEvent, OrderRow, OwnTrade, PrivateEvent, Refusal, RowStatus,
    TradeSource, UnknownCause,
};
use crate::checkpoint::Fold;
use crate::ids::{Asset, BootTag, Symbol, TradeId};
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
        let mut world = Self {
            router: OrderRouter::new(settings()),
            effects: Vec::new(),
            records: Vec::new(),
        };
        world.tell(0, RouterIn::Opened(Timestamp(0)));
        world
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

    /// An earlier order that has ended and that every healthy list shows.
    fn witnessed(&mut self) -> &mut Self {
        self.open(WITNESS, -60_000, WITNESS_ID)
            .tell(-50_000, look(-50_000, vec![witness()]))
    }

    /// Sends an order at `at` whose answer does not come.
    fn lost(&mut self, seq: u64, at: i64) -> &mut Self {
        let outcome = SubmitOutcome::Unknown(UnknownCause::Timeout);
        self.sent(seq, at)
            .tell(at + 9, RouterIn::Outcome(cid(seq), outcome))
    }

    fn cleared(&self, code: ModeCode) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, RouterEffect::Clear(c, _) if *c == code))
    }

    /// What was raised last for a code on all symbols.
    fn asked_globally(&self, code: ModeCode) -> Option<Mode> {
        self.effects.iter().rev().find_map(|effect| {
            let RouterEffect::Raise(c, Scope::Global, mode) = effect else {
                return None;
            };
            (*c == code).then_some(*mode)
        })
    }

    fn notes(&self) -> Vec<RouterNote> {
        let notes = self.effects.iter().filter_map(|effect| {
            let RouterEffect::Note(note) = effect else {
                return None;
            };
            Some(*note)
        });
        notes.collect()
    }

    fn deleted(&self, seq: u64, id: i64) -> bool {
        let delete = RouterEffect::Delete(cid(seq), OrderId(id));
        self.effects.contains(&delete)
    }

    fn booked(&self) -> usize {
        self.records
            .iter()
            .filter(|record| matches!(record, Record::Fill(_)))
            .count()
    }

    /// The kill that the records alone prove.
    fn proven(&self) -> Option<ModeCode> {
        let quote = Asset::parse("TRY").expect("an asset");
        let fold = Fold::of(quote, Keep::default(), &self.records);
        fold.sum().kill().map(|kill| kill.cause)
    }

    fn recall(&mut self, records: &[Record]) {
        let quote = Asset::parse("TRY").expect("an asset");
        let past = Fold::of(quote, settings().keep, records);
        self.router.recall(past.sum().orders().clone());
    }

    /// A second router that knows only what was written down.
    fn restarted(&self, at: i64) -> Self {
        let mut world = Self::new();
        world.recall(&self.records);
        world.tell(0, RouterIn::Opened(Timestamp(0)));
        let mut out = Outbox::default();
        world.router.recovered(ms(at), &mut out);
        world.keep(out);
        world.records = [self.records.clone(), world.records.clone()].concat();
        world
    }
}

/// The earlier order: its sequence number and its number at the exchange.
const WITNESS: u64 = 90;
const WITNESS_ID: i64 = 9_000;

/// The row of the earlier order.
fn witness() -> OrderRow {
    row(WITNESS, WITNESS_ID, 10, RowStatus::Canceled)
}

fn settings() -> RouterSettings {
    RouterSettings {
        tag: tag(),
        ttl_ms: TTL_MS,
        cancel_retry_ms: 2_000,
        unknown_settle_ms: 10_000,
        keep: Keep::default(),
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

/// A look with one history, read from `since` on.
fn look_since(at: i64, since: i64, rows: Vec<OrderRow>) -> RouterIn {
    RouterIn::Snapshot(Snapshot {
        asked_at: ms(at),
        open: rows,
        histories: vec![(btc(), ms(since), Vec::new())],
        trades: Vec::new(),
        trades_since: ms(0),
    })
}

/// A look whose lists and history show these rows.
fn look(at: i64, rows: Vec<OrderRow>) -> RouterIn {
    look_since(at, -100_000, rows)
}
