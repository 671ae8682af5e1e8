//! Stories of the simulated venue: orders on a shown market; beside them restarts and the actor's links.

mod pipeline;
mod restarts;
mod shells;

use super::*;
use engine::answer::{
    BalanceRow, CancelReply, NotSent, OrderRow, PrivateEvent, Refusal, RowStatus, SubmitOutcome,
    TradeSource,
};
use engine::book::{BookLimits, Books};
use engine::checkpoint::Checkpoint;
use engine::core::{Core, Outbox};
use engine::fill_model::FillParams;
use engine::ids::{AccountTag, Asset, BootTag, Symbol};
use engine::intent::{BookStamp, Intent, IntentClass, IntentReason, StrategyKind};
use engine::market::{BookChannel, BookFull, Level, MarketEvent, Side};
use engine::money::{Amount, Price, Qty, UNITS_PER_ONE};
use engine::msg::{BookEffect, BookIn};

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const LATENCY_MS: i64 = 50;
/// A taker pays 15 bps, a maker 30 bps, tax included.
const PARAMS: FillParams = FillParams {
    latency_ms: LATENCY_MS,
    queue_share_bps: 10_000,
    fee_maker_ppm: 2_500,
    fee_taker_ppm: 1_250,
    tax_of_fee_bps: 2_000,
};

fn symbol() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

fn asset(text: &str) -> Asset {
    Asset::parse(text).expect("an asset")
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

fn price(whole: i64) -> Price {
    Price::from_units(whole * UNITS_PER_ONE)
}

fn qty(whole: i64) -> Qty {
    Qty::from_units(whole * UNITS_PER_ONE)
}

pub(crate) fn rules() -> Instrument {
    Instrument {
        symbol: symbol(),
        base: asset("BTC"),
        quote: asset("TRY"),
        is_trading: true,
        price_step: price(1),
        qty_step: qty(1),
        value_min: amount("100"),
        qty_min: None,
        qty_max: Some(qty(1_000)),
        price_min: Some(price(10)),
        price_max: Some(price(1_000)),
        fee_in_base: false,
    }
}

fn id_of(seq: u64) -> ClientId {
    ClientId::new(
        AccountTag::from_entropy(1),
        1,
        BootTag::from_entropy(2),
        seq,
    )
}

fn order(seq: u64, side: Side, limit: i64, size: i64) -> NewOrder {
    NewOrder {
        client_id: id_of(seq),
        intent: Intent {
            strategy: StrategyKind::MarketMaker,
            symbol: symbol(),
            side,
            qty: qty(size),
            limit: price(limit),
            class: IntentClass::Quote,
            reason: IntentReason::QuoteBid,
            at: START,
            book: BookStamp::default(),
            mid: price(limit),
            cycle: 1,
        },
        reserved: Amount::ZERO,
        fee_in_base: false,
    }
}

fn level(at: i64) -> Level {
    Level {
        price: price(at),
        qty: qty(10),
    }
}

/// A trusted view of 100 x 10 against 101 x 10.
fn view(now: Timestamp) -> BookView {
    let full = BookFull {
        symbol: symbol(),
        channel: BookChannel::Diff,
        change: 1,
        bids: vec![level(100)],
        asks: vec![level(101)],
    };
    let (mut books, mut out) = (
        Books::new(BookLimits::default(), &[symbol()]),
        Outbox::default(),
    );
    books.handle(now, BookIn::SessionUp(1), &mut out);
    books.handle(now, BookIn::Market(MarketEvent::Full(full)), &mut out);
    let views = out.drain().filter_map(|effect| match effect {
        BookEffect::View(view) => Some(view),
        BookEffect::Resync(_) => None,
    });
    views.last().expect("a full book makes a view")
}

fn fresh(cash: &str) -> Past {
    let quote = asset("TRY");
    Past::of(&Checkpoint::empty(quote), quote, amount(cash), START)
}

struct Story {
    venue: VenueCore,
    now: Timestamp,
}

impl Story {
    /// A venue that knows the rules and shows the market.
    fn of(past: Past) -> Self {
        let mut story = Self {
            venue: VenueCore::new(PARAMS, past),
            now: START,
        };
        assert_eq!(story.tell(VenueIn::Rules(rules())), vec![]);
        assert_eq!(story.tell(VenueIn::Book(view(START))), vec![]);
        story
    }

    fn tell(&mut self, input: VenueIn) -> Vec<VenueEffect> {
        let mut out = Outbox::default();
        self.venue.handle(self.now, input, &mut out);
        out.drain().collect()
    }

    fn submit(&mut self, order: &NewOrder) -> Vec<VenueEffect> {
        let mut out = Outbox::default();
        self.venue.submit(self.now, self.now, order, &mut out);
        out.drain().collect()
    }

    fn accept(&mut self, order: &NewOrder) -> OrderId {
        match self.submit(order).as_slice() {
            [
                VenueEffect::Outcome(id, SubmitOutcome::Accepted(number)),
                VenueEffect::Private(PrivateEvent::Inserted(event)),
            ] => {
                assert_eq!((*id, event.id), (order.client_id, *number));
                *number
            }
            other => panic!("the order is accepted: {other:?}"),
        }
    }

    /// Lets the latency pass and returns the fills at the order's arrival.
    fn arrive(&mut self) -> Vec<(i64, i64)> {
        self.now = self.venue.deadline().expect("an order is on its way");
        let mut out = Outbox::default();
        self.venue.wake(self.now, &mut out);
        fills(&out.drain().collect::<Vec<_>>())
    }

    fn trade(&mut self, at: i64, size: i64, taker: Side) -> Vec<(i64, i64)> {
        let trade = PublicTrade {
            symbol: symbol(),
            price: price(at),
            qty: qty(size),
            taker: Some(taker),
            at: self.now,
            id: None,
        };
        fills(&self.tell(VenueIn::Trade(trade)))
    }

    fn row(&mut self, number: OrderId) -> Option<OrderRow> {
        match self.tell(VenueIn::ReadRow(id_of(9), number)).as_slice() {
            [VenueEffect::Row(id, row)] if *id == id_of(9) => row.clone(),
            other => panic!("a look has one answer: {other:?}"),
        }
    }

    fn read(&mut self, request: ReadRequest) -> ReadReply {
        match self.tell(VenueIn::Read(request)).as_slice() {
            [VenueEffect::Reply(reply)] => reply.clone(),
            other => panic!("a read has one answer: {other:?}"),
        }
    }

    /// Free and locked.
    fn balance(&mut self, name: &str) -> (Amount, Amount) {
        let ReadReply::Balances(rows) = self.read(ReadRequest::Balances) else {
            panic!("balances were asked for");
        };
        let row = rows.iter().find(|row| row.asset == asset(name));
        row.map_or((Amount::ZERO, Amount::ZERO), |row| (row.free, row.locked))
    }
}

/// Price and size of every fill, in whole units.
fn fills(effects: &[VenueEffect]) -> Vec<(i64, i64)> {
    let of = |effect: &VenueEffect| match effect {
        VenueEffect::Private(PrivateEvent::Trade(trade)) => {
            assert_eq!(trade.source, TradeSource::Stream);
            (
                trade.price.units() / UNITS_PER_ONE,
                trade.qty.units() / UNITS_PER_ONE,
            )
        }
        other => panic!("only fills were due: {other:?}"),
    };
    effects.iter().map(of).collect()
}

fn outcome(effects: &[VenueEffect]) -> SubmitOutcome {
    match effects.first() {
        Some(VenueEffect::Outcome(_, outcome)) => *outcome,
        other => panic!("an outcome comes first: {other:?}"),
    }
}

#[test]
fn a_crossing_order_takes_what_is_shown_after_the_latency_and_rests() {
    let mut story = Story::of(fresh("10000"));
    let number = story.accept(&order(1, Side::Buy, 101, 15));
    assert_eq!(
        story.venue.deadline(),
        Some(START.plus_ms(LATENCY_MS)),
        "matching waits for the latency"
    );
    assert_eq!(story.arrive(), vec![(101, 10)]);
    let row = story.row(number).expect("it rests");
    assert_eq!((row.status, row.left), (RowStatus::Partial, qty(5)));
    assert_eq!(row.client_id, Some(id_of(1)));
}

#[test]
fn a_resting_order_fills_when_trades_go_through_its_price() {
    let mut story = Story::of(fresh("10000"));
    let number = story.accept(&order(1, Side::Buy, 100, 5));
    assert_eq!(story.arrive(), vec![]);
    assert_eq!(story.trade(100, 10, Side::Sell), vec![], "ten were ahead");
    assert_eq!(story.trade(99, 3, Side::Sell), vec![(100, 3)]);
    assert_eq!(story.trade(100, 9, Side::Sell), vec![(100, 2)]);
    let row = story.row(number).expect("it is remembered");
    assert_eq!((row.status, row.left), (RowStatus::Closed, Qty::ZERO));
    assert_eq!(
        story.read(ReadRequest::OpenOrders),
        ReadReply::OpenOrders(vec![])
    );
}

#[test]
fn an_order_that_was_due_is_filled_before_a_late_cancel() {
    let mut story = Story::of(fresh("10000"));
    let number = story.accept(&order(1, Side::Buy, 101, 5));
    story.now = story.now.plus_ms(LATENCY_MS);
    let effects = story.tell(VenueIn::Delete(id_of(1), number));
    assert_eq!(fills(&effects[..1]), vec![(101, 5)]);
    assert_eq!(
        effects[1..],
        [VenueEffect::CancelReply(id_of(1), CancelReply::LookUp)]
    );
}

#[test]
fn a_cancel_is_acknowledged_and_the_row_says_canceled() {
    let mut story = Story::of(fresh("10000"));
    let number = story.accept(&order(1, Side::Buy, 101, 15));
    assert_eq!(story.arrive(), vec![(101, 10)]);
    let effects = story.tell(VenueIn::Delete(id_of(1), number));
    let [
        VenueEffect::CancelReply(_, CancelReply::Acknowledged),
        VenueEffect::Private(PrivateEvent::Deleted(event)),
    ] = effects.as_slice()
    else {
        panic!("acknowledged and announced: {effects:?}");
    };
    assert_eq!((event.id, event.left), (number, qty(5)));
    let row = story.row(number).expect("it is remembered");
    assert_eq!((row.status, row.left), (RowStatus::Canceled, qty(5)));
    let again = story.tell(VenueIn::Delete(id_of(1), number));
    assert_eq!(
        again,
        vec![VenueEffect::CancelReply(id_of(1), CancelReply::LookUp)]
    );
}

#[test]
fn money_moves_by_exactly_the_value_the_fee_and_the_tax() {
    let mut story = Story::of(fresh("10000"));
    story.accept(&order(1, Side::Buy, 101, 10));
    assert_eq!(story.arrive(), vec![(101, 10)]);
    // 1010 and 15 bps of it.
    assert_eq!(story.balance("TRY"), (amount("8988.485"), Amount::ZERO));
    assert_eq!(story.balance("BTC"), (amount("10"), Amount::ZERO));
    let number = story.accept(&order(2, Side::Sell, 110, 4));
    assert_eq!(story.balance("BTC"), (amount("6"), amount("4")));
    assert_eq!(story.arrive(), vec![]);
    assert_eq!(story.trade(111, 1, Side::Buy), vec![(110, 1)]);
    story.tell(VenueIn::Delete(id_of(2), number));
    assert_eq!(story.balance("BTC"), (amount("9"), Amount::ZERO));
    // 110 less 30 bps of it.
    assert_eq!(story.balance("TRY"), (amount("9098.155"), Amount::ZERO));
}

#[test]
fn lists_show_orders_and_trades_as_the_exchange_does() {
    let mut story = Story::of(fresh("10000"));
    let first = story.accept(&order(1, Side::Buy, 101, 2));
    story.arrive();
    let second = story.accept(&order(2, Side::Buy, 90, 3));
    let ReadReply::OpenOrders(open) = story.read(ReadRequest::OpenOrders) else {
        panic!("open orders were asked for");
    };
    assert_eq!(open.iter().map(|row| row.id).collect::<Vec<_>>(), [second]);
    let history = ReadRequest::History(symbol(), START);
    let ReadReply::History(_, _, rows) = story.read(history) else {
        panic!("a history was asked for");
    };
    assert_eq!(
        rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        [first, second]
    );
    let ReadReply::Trades(since, trades) = story.read(ReadRequest::Trades(START)) else {
        panic!("trades were asked for");
    };
    assert_eq!((since, trades.len()), (START, 1));
    assert_eq!(trades[0].source, TradeSource::Rest);
}

#[test]
fn an_expired_approval_is_not_sent() {
    let mut story = Story::of(fresh("10000"));
    let mut out = Outbox::default();
    let (late, order) = (START.plus_ms(1), order(1, Side::Buy, 100, 5));
    story.venue.submit(late, START, &order, &mut out);
    let refused = SubmitOutcome::NotSent(NotSent::Expired);
    assert_eq!(out.effects(), [VenueEffect::Outcome(id_of(1), refused)]);
    assert_eq!(
        story.read(ReadRequest::OpenOrders),
        ReadReply::OpenOrders(vec![])
    );
}

#[test]
fn without_a_trusted_book_an_order_waits() {
    let mut story = Story::of(fresh("10000"));
    story.accept(&order(1, Side::Buy, 101, 5));
    story.tell(VenueIn::Book(BookView::Untrusted {
        symbol: symbol(),
        why: engine::book::Distrust::Empty,
        since: START,
    }));
    assert_eq!(story.venue.deadline(), None);
    story.now = story.now.plus_ms(LATENCY_MS);
    let effects = story.tell(VenueIn::Book(view(story.now)));
    assert_eq!(fills(&effects), vec![(101, 5)]);
}

fn check_refused(change: impl FnOnce(&mut Instrument), order: &NewOrder, expected: Refusal) {
    let mut story = Story::of(fresh("10000"));
    let mut rules = rules();
    change(&mut rules);
    story.tell(VenueIn::Rules(rules));
    let effects = story.submit(order);
    assert_eq!(effects.len(), 1, "{effects:?}");
    assert_eq!(outcome(&effects), SubmitOutcome::Rejected(expected));
    assert_eq!(story.balance("TRY"), (amount("10000"), Amount::ZERO));
}

#[test]
fn rules_are_enforced_under_the_exchanges_names() {
    let good = order(1, Side::Buy, 100, 10);
    let with = |limit: Price, size: Qty| {
        let mut order = good;
        (order.intent.limit, order.intent.qty) = (limit, size);
        order
    };
    let half = Qty::from_units(UNITS_PER_ONE / 2);
    let half_up = Price::from_units(100 * UNITS_PER_ONE + UNITS_PER_ONE / 2);
    let cases = [
        (with(price(100), qty(10) + half), Refusal::QuantityScale),
        (with(half_up, qty(10)), Refusal::PriceScale),
        (with(price(9), qty(20)), Refusal::PriceBand),
        (with(price(1_001), qty(1)), Refusal::PriceBand),
        (with(price(10), qty(1_001)), Refusal::PriceBand),
        (with(price(99), qty(1)), Refusal::MinTotal),
        (with(price(100), qty(100)), Refusal::InsufficientBalance),
    ];
    for (order, expected) in cases {
        check_refused(|_| {}, &order, expected);
    }
    check_refused(
        |rules| rules.is_trading = false,
        &good,
        Refusal::InsertBlocked,
    );
    check_refused(
        |rules| rules.qty_min = Some(qty(11)),
        &good,
        Refusal::MinTotal,
    );
    let mut story = Story::of(fresh("10000"));
    story.accept(&good);
}

#[test]
fn a_pair_without_rules_takes_no_orders() {
    let mut venue = VenueCore::new(PARAMS, fresh("10000"));
    let mut out = Outbox::default();
    venue.submit(START, START, &order(1, Side::Buy, 100, 5), &mut out);
    let effects: Vec<_> = out.drain().collect();
    let refused = SubmitOutcome::Rejected(Refusal::InsertBlocked);
    assert_eq!(outcome(&effects), refused);
}

#[test]
fn fee_and_tax_together_are_the_configured_rate() {
    // All-in rate in bps, fee in ppm; fee x 1.2 is the rate, or up to 1.2 ppm more.
    for (all_in_bps, expected) in [(0, 0), (1, 84), (10, 834), (15, 1_250), (500, 41_667)] {
        let fee = fee_ppm(all_in_bps);
        assert_eq!(fee, expected);
        let paid = fee * (BPS_PER_ONE + TAX_BPS_OF_FEE);
        let configured = all_in_bps * PPM_PER_BPS * BPS_PER_ONE;
        assert!((configured..configured + BPS_PER_ONE + TAX_BPS_OF_FEE).contains(&paid));
    }
}
