//! The venue under the real gate, router and reconciler, in virtual time: approvals are spent, orders end by proof.

use super::*;
use engine::checkpoint::Fold;
use engine::desk::{Cores, Desk, DeskEffect, DeskIn, Seen};
use engine::dice::Dice;
use engine::feed::{Access, Feed, FeedLimits};
use engine::mode::ModeCode;
use engine::msg::RiskIn;
use engine::order::{OrderState, OrderView};
use engine::reconcile::Reconciler;
use engine::record::Record;
use engine::risk::{IdSource, Limits, RiskGate, RiskSettings};
use engine::router::{Keep, OrderRouter, RouterSettings};
use engine::strategy::Strategies;
use std::collections::VecDeque;

/// A process, from its start to its end without a word.
struct Life {
    desk: Desk,
    venue: VenueCore,
    now: Timestamp,
    /// What the journal holds.
    records: Vec<Record>,
    /// What became of each order, in the order of the news.
    orders: Vec<OrderView>,
    /// Who asks for a mode.
    voices: Vec<ModeCode>,
    waiting: VecDeque<DeskEffect>,
}

fn limits() -> Limits {
    Limits {
        try_cash_target: Amount::ZERO,
        min_order_notional: amount("100"),
        max_order_notional: amount("5000"),
        max_notional_per_minute: amount("100000"),
        max_orders_per_minute: 60,
        max_open_orders: 20,
        max_open_orders_per_symbol: 5,
        max_position_notional: amount("50000"),
        max_gross_exposure: amount("50000"),
        max_daily_loss: amount("5000"),
        max_drawdown_bps: 5_000,
        price_collar_bps: 500,
        max_spread_bps: 200,
        cooldown_ms: 0,
        intent_max_age_ms: 250,
        reconcile_max_age_ms: 60_000,
        market_data_age_ms: 2_000,
        fee_bps_taker: 30,
        tax_bps_of_fee: 2_000,
    }
}

fn desk(epoch: u32, now: Timestamp) -> Desk {
    let tag = AccountTag::from_entropy(1);
    let gate = RiskGate::new(RiskSettings {
        quote: asset("TRY"),
        limits: limits(),
        venue: engine::risk::Venue::Simulated,
        policy_blocks: Vec::new(),
        owners: [(symbol(), StrategyKind::MarketMaker)].into(),
        foreign: Default::default(),
        started_at: now,
        ids: IdSource {
            tag,
            epoch,
            boot: BootTag::from_entropy(2),
            seq: 1,
        },
    });
    let router = OrderRouter::new(RouterSettings {
        tag,
        ttl_ms: 3_600_000,
        cancel_retry_ms: 2_000,
        unknown_settle_ms: 5_000,
        keep: Keep::default(),
    });
    Desk::new(Cores {
        feed: Feed::new(
            FeedLimits::default(),
            vec![symbol()],
            Access::Public,
            Dice::new(3),
        ),
        books: Books::new(BookLimits::default(), &[symbol()]),
        strategies: Strategies::new(Vec::new()).expect("nobody owns a pair twice"),
        gate,
        router,
        reconciler: Reconciler::new(15_000, now, now),
    })
}

impl Life {
    /// Starts from a journal and lets the first look at the account happen.
    fn begin(epoch: u32, now: Timestamp, records: Vec<Record>) -> Self {
        let journal = Fold::of(asset("TRY"), Keep::default(), &records);
        let past = Past::of(journal.sum(), asset("TRY"), amount("10000"), now);
        let mut life = Self {
            desk: desk(epoch, now),
            venue: VenueCore::new(PARAMS, past),
            now,
            records,
            orders: Vec::new(),
            voices: Vec::new(),
            waiting: VecDeque::new(),
        };
        let mut out = Outbox::default();
        life.desk.recall(journal.sum());
        life.desk.recover(now, &mut out);
        life.desk.learn(now, rules(), &mut out);
        life.venue.learn(rules());
        life.take(out);
        life.advance(0);
        life
    }

    fn take(&mut self, mut out: Outbox<DeskEffect>) {
        self.waiting.extend(out.drain());
        while let Some(effect) = self.waiting.pop_front() {
            self.perform(effect);
        }
    }

    fn desk(&mut self, input: DeskIn) {
        let mut out = Outbox::default();
        self.desk.handle(self.now, input, &mut out);
        self.waiting.extend(out.drain());
    }

    fn venue(&mut self, input: VenueIn) {
        let mut out = Outbox::default();
        self.venue.handle(self.now, input, &mut out);
        self.hear(out);
    }

    fn hear(&mut self, mut out: Outbox<VenueEffect>) {
        for effect in out.drain() {
            self.desk(match effect {
                VenueEffect::Outcome(id, outcome) => DeskIn::Router(RouterIn::Outcome(id, outcome)),
                VenueEffect::CancelReply(id, reply) => {
                    DeskIn::Router(RouterIn::CancelReply(id, reply))
                }
                VenueEffect::Private(event) => DeskIn::Router(RouterIn::Private(event)),
                VenueEffect::Row(id, row) => DeskIn::Router(RouterIn::Row(id, row)),
                VenueEffect::Reply(reply) => DeskIn::Reconcile(ReconcileIn::Reply(reply)),
            });
        }
    }

    fn perform(&mut self, effect: DeskEffect) {
        match effect {
            DeskEffect::Persist(record, id) => {
                self.records.push(record);
                if let Some(id) = id {
                    self.desk(DeskIn::Router(RouterIn::Durable(id)));
                }
            }
            DeskEffect::Send { order, .. } => self.venue(VenueIn::Submit(order)),
            DeskEffect::Delete(id, number) => self.venue(VenueIn::Delete(id, number)),
            DeskEffect::ReadRow(id, number) => self.venue(VenueIn::ReadRow(id, number)),
            DeskEffect::Read(request) => self.venue(VenueIn::Read(request)),
            DeskEffect::Seen(Seen::Book(view)) => self.venue(VenueIn::Book(view)),
            DeskEffect::Seen(Seen::Order(view)) => self.orders.push(view),
            DeskEffect::Seen(Seen::Mode(report)) => {
                self.voices = report.voices.iter().map(|voice| voice.code).collect();
            }
            DeskEffect::Seen(Seen::Denied(denial)) => panic!("nothing is denied: {denial:?}"),
            DeskEffect::Connect
            | DeskEffect::Close
            | DeskEffect::Join(..)
            | DeskEffect::Leave(..)
            | DeskEffect::Login
            | DeskEffect::Seen(
                Seen::Intent(_)
                | Seen::Silent(..)
                | Seen::Fill(_)
                | Seen::Money(_)
                | Seen::Feed(_)
                | Seen::Gate(_)
                | Seen::Router(_)
                | Seen::Pass(_),
            ) => {}
        }
    }

    fn advance(&mut self, ms: i64) {
        let to = self.now.plus_ms(ms);
        let due = |life: &Self| {
            let venue = life.venue.deadline();
            life.desk.deadline().into_iter().chain(venue).min()
        };
        for _ in 0..10_000 {
            let Some(at) = due(self).filter(|at| *at <= to) else {
                self.now = to;
                return;
            };
            self.now = self.now.max(at);
            let mut said = Outbox::default();
            self.venue.wake(self.now, &mut said);
            self.hear(said);
            let mut out = Outbox::default();
            self.desk.wake(self.now, &mut out);
            self.take(out);
        }
        panic!("a core that is woken at its deadline moves it");
    }

    fn tell(&mut self, input: DeskIn) {
        self.desk(input);
        self.take(Outbox::default());
    }

    /// Shows the market and wants an order on it.
    fn want(&mut self, limit: i64, size: i64) {
        let full = BookFull {
            symbol: symbol(),
            channel: BookChannel::Diff,
            change: 1,
            bids: vec![level(100)],
            asks: vec![level(101)],
        };
        self.tell(DeskIn::Book(BookIn::SessionUp(1)));
        self.tell(DeskIn::Book(BookIn::Market(MarketEvent::Full(full))));
        let mut intent = order(0, Side::Buy, limit, size).intent;
        let stamp = BookStamp {
            session: 1,
            change: 1,
        };
        (intent.at, intent.book) = (self.now, stamp);
        self.tell(DeskIn::Risk(RiskIn::Intent(intent)));
    }

    fn last(&self) -> OrderView {
        *self.orders.last().expect("an order was heard of")
    }

    /// The ledger equals what the venue holds, to the last unit.
    fn is_balanced(&mut self) -> bool {
        let ReadReply::Balances(rows) = self.venue.read(ReadRequest::Balances) else {
            panic!("balances were asked for");
        };
        let ledger = self.desk.gate().ledger();
        rows.iter()
            .all(|row| row.total() == ledger.balance(row.asset))
    }
}

#[test]
fn an_approved_order_is_filled_cancelled_and_booked() {
    let mut life = Life::begin(1, START, Vec::new());
    assert!(life.is_balanced(), "the books are opened");
    life.want(101, 15);
    assert_eq!(life.last().state, OrderState::Open);
    life.advance(LATENCY_MS);
    let view = life.last();
    assert_eq!((view.state, view.filled), (OrderState::Partial, qty(10)));
    life.tell(DeskIn::Router(RouterIn::CancelAll(
        engine::intent::CancelReason::Operator,
    )));
    life.advance(1_000);
    let view = life.last();
    assert_eq!((view.state, view.filled), (OrderState::Canceled, qty(10)));
    assert!(life.is_balanced());
    assert_eq!(life.desk.gate().orders().count(), 0, "nothing is reserved");
}

#[test]
fn a_look_at_the_account_books_nothing_twice() {
    let mut life = Life::begin(1, START, Vec::new());
    life.want(101, 4);
    life.advance(LATENCY_MS);
    let booked = |life: &Life| {
        let fills = life.records.iter();
        fills.filter(|r| matches!(r, Record::Fill(_))).count()
    };
    assert_eq!((life.last().state, booked(&life)), (OrderState::Filled, 1));
    life.advance(60_000);
    assert_eq!(booked(&life), 1);
    assert!(life.is_balanced());
    let silent = vec![ModeCode::MarketDataUntrusted];
    assert_eq!(
        life.voices, silent,
        "no frames came, and nothing else is wrong"
    );
}

#[test]
fn after_a_crash_a_resting_order_ends_by_its_row_and_trading_goes_on() {
    let mut life = Life::begin(1, START, Vec::new());
    life.want(101, 15);
    life.advance(LATENCY_MS);
    let old = life.last();
    let mut again = Life::begin(2, life.now.plus_ms(500), life.records);
    assert!(again.is_balanced());
    again.advance(30_000);
    let ended = again.last();
    assert_eq!(ended.client_id(), old.client_id());
    assert_eq!((ended.state, ended.filled), (OrderState::Canceled, qty(10)));
    again.want(101, 5);
    again.advance(LATENCY_MS);
    let view = again.last();
    assert_eq!(view.state, OrderState::Filled);
    assert!(view.order_id > old.order_id, "numbers go on");
    assert!(again.is_balanced());
}

#[test]
fn after_a_crash_an_unanswered_order_is_proven_absent() {
    let mut life = Life::begin(1, START, Vec::new());
    // The order that rests is the witness of the other's absence.
    life.want(101, 15);
    life.advance(2_000);
    life.want(99, 5);
    let id = life.last().client_id();
    let unanswered =
        |record: &Record| matches!(record, Record::Outcome { client_id, .. } if *client_id == id);
    let cut = life.records.iter().position(unanswered);
    life.records.truncate(cut.expect("an outcome was written"));
    let mut again = Life::begin(2, life.now.plus_ms(500), life.records);
    again.advance(60_000);
    let state = again.desk.router().order(id).map(|view| view.state);
    assert_eq!(state, Some(OrderState::Absent));
    assert_eq!(again.voices, vec![], "the freeze is over");
    assert!(again.is_balanced());
}
